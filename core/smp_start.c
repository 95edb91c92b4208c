/* SPDX-License-Identifier: MIT */
#include "core/smp_start.h"

#include "core/clock.h"
#include "core/errno.h"
#include "core/fmt.h"
#include "core/lapic.h"
#include "core/log.h"
#include "core/report.h"
#include "core/string.h"
#include "core/x86reg.h"

/* Intel SDM vol. 3, 8.4.4.1: 10 ms is for CPUs much older than any of ours. */
#define SMP_INIT_SETTLE		(200 * NSEC_PER_USEC)
#define SMP_SECOND_STARTUP	(10 * NSEC_PER_MSEC)
#define SMP_PATIENCE_EACH	(250 * NSEC_PER_MSEC)

static const struct smp_fate_text {
	enum log_level level;
	const char *key, *text;		/* "CPU with APIC id 3 " and this */
} smp_fate_text[SMP_FATES] = {
	[SMP_NEEDS_X2APIC] = { LOG_WARN, "needs_x2apic",
		"left out: only x2APIC reaches such an id" },
	[SMP_NEEDS_REMAPPING] = { LOG_WARN, "needs_remapping",
		"left out: no device's interrupt reaches such an id without "
		"interrupt remapping in extended mode" },
	[SMP_OVER_LIMIT] = { LOG_INFO, "over_limit", "left out by cpus=" },
	[SMP_NO_ROOM] = { LOG_WARN, "no_room",
		"left out: there is no room for more CPUs" },
	[SMP_NO_MEMORY] = { LOG_ERR, "no_memory", "left out: out of memory" },
	[SMP_SILENT] = { LOG_ERR, "silent", "did not start" },
	[SMP_STUCK] = { LOG_ERR, "stuck",
		"began to start and did not come online" },
};

/* ---- which ---- */

static enum smp_fate smp_fate_of(const struct smp_plan *plan, uint32_t id,
				 const struct smp_limits *limits)
{
	if (id > SMP_NEAR_MAX && !limits->x2)
		return SMP_NEEDS_X2APIC;
	if (id > SMP_NEAR_MAX && !limits->remapping)
		return SMP_NEEDS_REMAPPING;
	if (plan->nslots + 1 >= CPU_MAX)
		return SMP_NO_ROOM;
	return plan->nslots + 1 < limits->max ? SMP_STARTS : SMP_OVER_LIMIT;
}

void smp_plan_make(struct smp_plan *plan, const struct acpi_madt *madt,
		   uint32_t boot_id, const struct smp_limits *limits)
{
	memset(plan, 0, sizeof(*plan));
	plan->madt = madt;
	for (unsigned i = 0; i < madt->ncpus; i++) {
		uint32_t id = madt->apic_id[i];

		if (id == boot_id) {
			plan->fate[i] = SMP_IS_BOOT;
			plan->boot_listed = true;
			continue;
		}
		plan->fate[i] = smp_fate_of(plan, id, limits);
		if (plan->fate[i] != SMP_STARTS)
			continue;
		plan->slot[plan->nslots].apic_id = id;
		plan->slot[plan->nslots++].entry = i;
	}
}

unsigned smp_plan_count(const struct smp_plan *plan, enum smp_fate fate)
{
	unsigned n = 0;

	for (unsigned i = 0; i < plan->madt->ncpus; i++)
		n += plan->fate[i] == fate;
	return n;
}

unsigned smp_plan_missing(const struct smp_plan *plan)
{
	unsigned n = 0;

	for (unsigned fate = SMP_STARTS + 1; fate < SMP_FATES; fate++)
		if (fate != SMP_OVER_LIMIT)
			n += smp_plan_count(plan, fate);
	return n + plan->madt->left_out.no_room;
}

/* ---- for people and programs ---- */

/* The least id of that fate from *id on: false when there is none. */
static bool smp_next_id(const struct smp_plan *plan, enum smp_fate fate,
			uint64_t *id)
{
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < plan->madt->ncpus; i++)
		if (plan->fate[i] == fate && plan->madt->apic_id[i] >= *id)
			best = MIN(best, (uint64_t)plan->madt->apic_id[i]);
	*id = best;
	return best != UINT64_MAX;
}

/* The last id of the run of consecutive ones that begins at id. */
static uint64_t smp_run_end(const struct smp_plan *plan, enum smp_fate fate,
			    uint64_t id)
{
	uint64_t next = id + 1;

	while (smp_next_id(plan, fate, &next) && next == id + 1) {
		id = next;
		next = id + 1;
	}
	return id;
}

void smp_plan_ids(const struct smp_plan *plan, enum smp_fate fate, char *buf,
		  size_t size)
{
	unsigned left = smp_plan_count(plan, fate);
	size_t len = 0;

	*buf = 0;
	for (uint64_t id = 0; smp_next_id(plan, fate, &id); id++) {
		uint64_t first = id;
		const char *comma = len ? ", " : "";

		if (len + sizeof("4294967295 to 4294967295, and 512 more") >
		    size) {
			fmt_snprintf(buf + len, size - len, "%sand %u more",
				     comma, left);
			return;
		}
		id = smp_run_end(plan, fate, first);
		left -= (unsigned)(id - first + 1);
		if (id == first)
			len += fmt_snprintf(buf + len, size - len, "%s%llu",
					    comma, (unsigned long long)id);
		else
			len += fmt_snprintf(buf + len, size - len,
					    "%s%llu to %llu", comma,
					    (unsigned long long)first,
					    (unsigned long long)id);
	}
}

void smp_plan_log(const struct smp_plan *plan)
{
	const struct acpi_madt *m = plan->madt;
	char ids[160];

	for (unsigned fate = SMP_STARTS + 1; fate < SMP_FATES; fate++) {
		const struct smp_fate_text *t = &smp_fate_text[fate];
		unsigned n = smp_plan_count(plan, fate);

		if (!n)
			continue;
		smp_plan_ids(plan, fate, ids, sizeof(ids));
		log_line(t->level, "smp", "CPU%s with APIC id%s %s %s",
			 n == 1 ? "" : "s", n == 1 ? "" : "s", ids, t->text);
	}
	if (m->left_out.no_room)
		log_warn("smp", "%u CPUs with APIC ids from %u to %u left out: "
			 "the table is too long", m->left_out.no_room,
			 m->no_room_first, m->no_room_last);
	if (m->ncpus && !plan->boot_listed)
		log_warn("smp", "the boot CPU is not in the MADT");
}

void smp_plan_report(const struct smp_plan *plan)
{
	const struct acpi_madt *m = plan->madt;
	unsigned parked = 0;
	struct json j;

	for (unsigned i = 0; i < plan->nslots; i++)
		parked += smp_state(&plan->slot[i]) == SMP_PARKED;
	json_begin(&j, "cpus");
	json_u64(&j, "up", cpu_count());
	json_u64(&j, "listed", m->ncpus);
	for (unsigned fate = SMP_STARTS + 1; fate < SMP_FATES; fate++)
		json_u64(&j, smp_fate_text[fate].key,
			 smp_plan_count(plan, fate));
	json_u64(&j, "parked", parked);
	json_object(&j, "madt_left_out");
	json_u64(&j, "disabled", m->left_out.disabled);
	json_u64(&j, "online_capable", m->left_out.online_capable);
	json_u64(&j, "named_twice", m->left_out.named_twice);
	json_u64(&j, "broadcast", m->left_out.broadcast);
	json_u64(&j, "no_room", m->left_out.no_room);
	json_close(&j, false);
	json_end(&j);
}

/* ---- the hand-shake ---- */

enum smp_state smp_state(const struct smp_slot *slot)
{
	return (enum smp_state)__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
}

bool smp_give_up(struct smp_slot *slot)
{
	uint32_t starting = SMP_STARTING;

	return __atomic_compare_exchange_n(&slot->state, &starting,
					   SMP_GIVEN_UP, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

void smp_say_online(struct smp_slot *slot)
{
	__atomic_store_n(&slot->state, SMP_ONLINE, __ATOMIC_RELEASE);
}

/* ---- the starter ---- */

/* Returns false when it is STARTING still. */
static bool smp_await(const struct smp_slot *slot, nsec_t deadline)
{
	return !poll_mem_until((clock_sync_lead(),
				smp_state(slot) != SMP_STARTING), deadline);
}

static bool smp_any(const struct smp_plan *plan, enum smp_state state)
{
	for (unsigned i = 0; i < plan->nslots; i++)
		if (smp_state(&plan->slot[i]) == state)
			return true;
	return false;
}

/*
 * Wait for those that have arrived, as the next one would only take time from
 * them. Only those that come no further use the wait up.
 */
static void smp_await_online(struct smp_plan *plan)
{
	nsec_t start = time_now();

	if (poll_mem_until((clock_sync_lead(), !smp_any(plan, SMP_ARRIVED)),
			   start + plan->online_wait))
		plan->online_wait -= MIN(plan->online_wait,
					 time_now() - start);
}

/* SMP_PATIENCE but for what was spent on CPUs that have not come so far. */
static nsec_t smp_patience(const struct smp_plan *plan)
{
	nsec_t spent = 0;

	for (unsigned i = 0; i < plan->nslots; i++)
		if (smp_state(&plan->slot[i]) == SMP_STARTING)
			spent += plan->slot[i].waited;
	return SMP_PATIENCE - MIN(spent, SMP_PATIENCE);
}

static void smp_kick(struct smp_slot *slot, nsec_t patience)
{
	lapic_send_init(slot->apic_id);
	poll_mem_until(false, time_now() + SMP_INIT_SETTLE);
	slot->started = time_now();
	lapic_send_startup(slot->apic_id, X86_AP_PAGE);
	if (smp_await(slot, slot->started + SMP_SECOND_STARTUP))
		return;
	lapic_send_startup(slot->apic_id, X86_AP_PAGE);
	smp_await(slot, slot->started + MIN(patience, SMP_PATIENCE_EACH));
	slot->waited = time_now() - slot->started;
}

static void smp_start_slot(struct smp_plan *plan, struct smp_slot *slot)
{
	nsec_t patience = smp_patience(plan);

	slot->state = SMP_STARTING;
	if (smp_prepare(slot)) {
		slot->state = SMP_IDLE;
		plan->fate[slot->entry] = SMP_NO_MEMORY;
		return;
	}
	smp_kick(slot, patience);
	smp_await_online(plan);
}

/*
 * INIT, so that it need not even find out. That may come to nothing: a CPU that
 * the host has not run at all so far sees the STARTUP behind it (QEMU's TCG).
 */
static void smp_settle(struct smp_plan *plan, struct smp_slot *slot)
{
	smp_await(slot, slot->started + SMP_START_WAIT);
	if (smp_give_up(slot))
		lapic_send_init(slot->apic_id);
	if (smp_state(slot) >= SMP_GIVEN_UP)
		plan->fate[slot->entry] = SMP_SILENT;
}

void smp_plan_run(struct smp_plan *plan)
{
	plan->online_wait = SMP_ONLINE_WAIT;
	for (unsigned i = 0; i < plan->nslots; i++)
		smp_start_slot(plan, &plan->slot[i]);
	for (unsigned i = 0; i < plan->nslots; i++)
		if (smp_state(&plan->slot[i]) != SMP_IDLE)
			smp_settle(plan, &plan->slot[i]);
	smp_await_online(plan);
	for (unsigned i = 0; i < plan->nslots; i++)
		if (smp_state(&plan->slot[i]) == SMP_ARRIVED)
			plan->fate[plan->slot[i].entry] = SMP_STUCK;
}
