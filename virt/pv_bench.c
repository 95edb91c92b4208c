/* SPDX-License-Identifier: MIT */
/*
 * The monitor's "pv": what is used; and "pv bench": what each feature costs or
 * saves here, measured on the operation that it is for.
 *
 * Without and with are measured by turns in one run, for the host's load changes
 * from minute to minute. Of PV_BENCH_ROUNDS batches the median is said, and the
 * least, which a loaded host disturbs less. A feature that is off for a reason of taste is switched on for its turns and
 * off again; of one that is absent or broken there is only the figure without.
 */
#include "core/call.h"
#include "core/errno.h"
#include "core/irq.h"
#include "core/lapic.h"
#include "core/log.h"
#include "core/monitor.h"
#include "core/report.h"
#include "core/string.h"
#include "core/tlb.h"
#include "core/trap.h"
#include "core/vm.h"
#include "core/x86.h"
#include "sched/sched.h"
#include "virt/hyper.h"
#include "virt/pv.h"

#define PV_BENCH_ROUNDS	9		/* odd: the median is one of them */
#define PV_BENCH_BATCH	20
#define PV_BENCH_WAIT	(10 * NSEC_PER_SEC)

struct pv_bench {
	enum pv_feature feature;
	const char *what;
	unsigned cpus;			/* the least that it makes sense with */
	/* One batch: ns an operation, 0: it failed, and the log says how. */
	nsec_t (*run)(bool on);
};

/* ---- the operations ---- */

static unsigned pv_bench_taken;

static void pv_bench_irq(void *arg)
{
	WRITE_ONCE(pv_bench_taken, pv_bench_taken + 1);
}

/* An interrupt to oneself: sent, taken, handled, and its EOI. */
static nsec_t pv_bench_eoi(bool on)
{
	int vector = irq_alloc(cpu_id(), pv_bench_irq, NULL, "pv bench");
	nsec_t start, took;
	int err = 0;

	if (vector < 0)
		return 0;
	pv_bench_taken = 0;
	start = time_now();
	for (unsigned n = 1; n <= PV_BENCH_BATCH && !err; n++) {
		lapic_ipi_self((unsigned)vector);
		err = poll_mem_until(READ_ONCE(pv_bench_taken) >= n,
				     time_now() + PV_BENCH_WAIT);
	}
	took = time_now() - start;
	irq_free(cpu_id(), (unsigned)vector);
	return err ? 0 : took / PV_BENCH_BATCH;
}

static void pv_bench_nothing(void *arg)
{
}

static nsec_t pv_bench_call(bool on)
{
	nsec_t start = time_now();

	for (unsigned n = 0; n < PV_BENCH_BATCH; n++)
		if (call_others(pv_bench_nothing, NULL))
			return 0;
	return (time_now() - start) / PV_BENCH_BATCH;
}

/* Others are idle: what a host may let sleep on. */
static nsec_t pv_bench_flush(bool on)
{
	nsec_t start = time_now();

	for (unsigned n = 0; n < PV_BENCH_BATCH; n++)
		tlb_flush((void *)VM_MAP_BASE, PAGE_SIZE);
	return (time_now() - start) / PV_BENCH_BATCH;
}

static nsec_t pv_bench_clock(bool on)
{
	nsec_t start = time_now();

	for (unsigned n = 0; n < PV_BENCH_BATCH; n++)
		if (on)
			kvmclock_read();
		else
			time_now();
	return (time_now() - start) / PV_BENCH_BATCH;
}

static nsec_t pv_bench_stolen(bool on)
{
	struct sched_stats st;
	nsec_t start = time_now();

	for (unsigned n = 0; n < PV_BENCH_BATCH; n++)
		sched_stats(cpu_id(), &st);
	return (time_now() - start) / PV_BENCH_BATCH;
}

/* A read where nothing is: the fault, the hook's look at it, the way out. */
static nsec_t pv_bench_fault(bool on)
{
	bool (*hook)(struct trap_frame *f, uint64_t cr2) = trap_pf_hook;
	nsec_t start;
	uint64_t val;

	if (!on)
		trap_pf_hook = NULL;
	start = time_now();
	for (unsigned n = 0; n < PV_BENCH_BATCH; n++)
		x86_read_safe(0, &val);
	start = time_now() - start;
	trap_pf_hook = hook;
	return start / PV_BENCH_BATCH;
}

struct pv_bench_bell {
	struct waitq queue;
	unsigned rung, heard;
	nsec_t at;
};

static void pv_bench_hearer(void *arg)
{
	struct pv_bench_bell *b = arg;

	for (unsigned n = 1; n <= PV_BENCH_BATCH; n++) {
		if (wait_until(&b->queue, READ_ONCE(b->rung) >= n,
			       time_now() + PV_BENCH_WAIT))
			return;
		b->at = time_now();
		__atomic_store_n(&b->heard, n, __ATOMIC_RELEASE);
	}
}

static bool pv_bench_idle(unsigned cpu)
{
	struct sched_stats st;

	sched_stats(cpu, &st);
	return !st.runnable;
}

/* From the wake-up here to the thread's first look at the clock there. */
static nsec_t pv_bench_wake(bool on)
{
	struct pv_bench_bell b = { .queue = WAITQ_INIT(b.queue) };
	unsigned cpu = cpu_count() - 1;
	nsec_t sum = 0, start;
	struct thread *t;
	int err;

	err = thread_create(cpu, pv_bench_hearer, &b, "pv bench", &t);
	if (err)
		return 0;
	for (unsigned n = 1; n <= PV_BENCH_BATCH && !err; n++) {
		err = poll_mem_until(pv_bench_idle(cpu),
				     time_now() + PV_BENCH_WAIT);
		start = time_now();
		WRITE_ONCE(b.rung, n);
		waitq_wake_all(&b.queue);
		err |= poll_mem_until(__atomic_load_n(&b.heard,
						      __ATOMIC_ACQUIRE) >= n,
				      time_now() + PV_BENCH_WAIT);
		sum += b.at - start;
	}
	thread_join(t);
	return err ? 0 : sum / PV_BENCH_BATCH;
}

static const struct pv_bench pv_benches[] = {
	{ PV_KVMCLOCK, "read the clock: TSC, kvmclock", 1, pv_bench_clock },
	{ PV_STEAL, "read a CPU's counters", 1, pv_bench_stolen },
	{ PV_EOI, "interrupt to oneself, with its EOI", 1, pv_bench_eoi },
	{ PV_TLB, "flush one page on all CPUs", 2, pv_bench_flush },
	{ PV_IPI, "call all other CPUs", 3, pv_bench_call },
	{ PV_YIELD, "call all other CPUs", 2, pv_bench_call },
	{ PV_APF, "page fault that is survived", 1, pv_bench_fault },
	{ PV_HALTPOLL, "wake a thread on an idle CPU", 2, pv_bench_wake },
};

/* ---- by turns ---- */

struct pv_bench_cost {
	nsec_t median, least;
};

static struct pv_bench_cost pv_bench_cost(nsec_t *ns)
{
	for (unsigned i = 1; i < PV_BENCH_ROUNDS; i++)
		for (unsigned k = i; k && ns[k] < ns[k - 1]; k--) {
			nsec_t t = ns[k];

			ns[k] = ns[k - 1];
			ns[k - 1] = t;
		}
	return (struct pv_bench_cost){ ns[PV_BENCH_ROUNDS / 2], ns[0] };
}

static int pv_bench_set(enum pv_feature f, bool on)
{
	return f == PV_KVMCLOCK || pv_on(f) == on ? 0 : pv_switch(f, on);
}

/* Is there a figure with it? */
static bool pv_bench_can(enum pv_feature f)
{
	enum pv_state state = pv_status[f].state;

	return state == PV_ON || (state == PV_OFF && f != PV_KVMCLOCK &&
				  (pv_needs(f) == f || pv_on(pv_needs(f))));
}

static int pv_bench_rounds(const struct pv_bench *b, bool both,
			   struct pv_bench_cost out[2])
{
	nsec_t ns[2][PV_BENCH_ROUNDS];
	int err = 0;

	for (unsigned i = 0; i < 2 * PV_BENCH_ROUNDS && !err; i++) {
		bool on = i % 2;

		if (on && !both)
			continue;
		if (both)
			err = pv_bench_set(b->feature, on);
		ns[on][i / 2] = err ? 0 : b->run(on);
		if (!err && !ns[on][i / 2])
			err = -EIO;
	}
	for (unsigned on = 0; on < (both ? 2 : 1) && !err; on++)
		out[on] = pv_bench_cost(ns[on]);
	return err;
}

static void pv_bench_print(const struct pv_bench *b, bool both,
			   const struct pv_bench_cost cost[2])
{
	const struct pv_status *s = &pv_status[b->feature];
	struct json j;

	console_printf("  %-9s %-36s %9llu %9llu ", pv_name(b->feature),
		       b->what, (unsigned long long)cost[0].median,
		       (unsigned long long)cost[0].least);
	if (both)
		console_printf("%9llu %9llu  %s%s\n",
			       (unsigned long long)cost[1].median,
			       (unsigned long long)cost[1].least,
			       s->state == PV_ON ? "" : "off: ", s->why);
	else
		console_printf("%9s %9s  %s: %s\n", "-", "-",
			       pv_state_name(b->feature), s->why);
	json_begin(&j, "pv_bench");
	json_str(&j, "feature", pv_name(b->feature));
	json_str(&j, "what", b->what);
	json_u64(&j, "without_ns", cost[0].median);
	json_u64(&j, "without_least_ns", cost[0].least);
	if (both) {
		json_u64(&j, "with_ns", cost[1].median);
		json_u64(&j, "with_least_ns", cost[1].least);
	}
	json_str(&j, "state", pv_state_name(b->feature));
	json_u64(&j, "count", s->count);
	json_u64(&j, "cpus", cpu_count());
	json_end(&j);
}

static int pv_bench_one(const struct pv_bench *b)
{
	struct pv_status *s = &pv_status[b->feature], was = *s;
	bool both = pv_bench_can(b->feature);
	struct pv_bench_cost cost[2] = { 0 };
	int err, back = 0;

	if (cpu_count() < b->cpus) {
		console_printf("  %-9s %-36s needs %u CPUs\n",
			       pv_name(b->feature), b->what, b->cpus);
		return 0;
	}
	err = pv_bench_rounds(b, both, cost);
	if (both)
		back = pv_bench_set(b->feature, was.state == PV_ON);
	if (s->state == PV_OFF)
		memcpy(s->why, was.why, sizeof(was.why));
	if (err || back)
		log_err("pv", "%s: %s", pv_name(b->feature),
			errno_name(err ? err : back));
	else
		pv_bench_print(b, both, cost);
	return err ? err : back;
}

static int pv_bench_all(void)
{
	int err = 0;

	console_printf("  %s, %u CPUs; ns an operation, %u batches of %u\n",
		       hyper_name(), cpu_count(), PV_BENCH_ROUNDS,
		       PV_BENCH_BATCH);
	console_printf("  %-9s %-36s %9s %9s %9s %9s\n", "feature",
		       "operation", "without", "least", "with", "least");
	for (unsigned i = 0; i < ARRAY_SIZE(pv_benches); i++) {
		int one = pv_bench_one(&pv_benches[i]);

		err = err ? err : one;
	}
	return err;
}

static int pv_cmd_run(int argc, char **argv)
{
	if (argc == 1) {
		pv_report();
		return 0;
	}
	return argc == 2 && !strcmp(argv[1], "bench") ? pv_bench_all() :
							-EINVAL;
}

static const struct monitor_cmd pv_cmd = {
	.name = "pv", .args = "[bench]",
	.help = "paravirtual features: which are used, what each one costs",
	.run = pv_cmd_run,
};
MONITOR_CMD(pv_cmd);
