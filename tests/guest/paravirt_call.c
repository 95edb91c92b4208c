/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls, and what is made of them, on hosts that answer and on hosts that
 * do not.
 *
 * How one could be fooled: a call that the host does not complete looks like a
 * slow one, and a feature that is broken like one that was never tried. So the way
 * out of a call that never ends is taken on purpose; and where this host has no
 * hypercalls, one is made all the same, and must end as broken, with a reason.
 */
#include "core/call.h"
#include "core/lapic.h"
#include "core/string.h"
#include "sched/sched.h"
#include "tests/guest/paravirt.h"
#include "virt/hyper.h"

KTEST(paravirt, hypercalls_answer_as_documented_or_are_broken_with_a_reason)
{
	static const enum pv_feature users[] = { PV_IPI, PV_YIELD };
	enum pv_state state = pv_status[PV_HYPERCALLS].state;

	if (state != PV_BROKEN && !paravirt_needs(t, PV_HYPERCALLS))
		return;
	KEXPECT_EQ(t, pv_hypercall_watched(KVM_HC_NONE, 0, 0, 0, 0),
		   -KVM_ENOSYS);
	KEXPECT_EQ(t, pv_status[PV_HYPERCALLS].state, state);
	for (unsigned i = 0; state == PV_BROKEN && i < 2; i++) {
		const struct pv_status *s = &pv_status[users[i]];

		KEXPECT_MSG(t, s->state != PV_ON, "%s has no hypercalls",
			    pv_name(users[i]));
		if (s->state == PV_BROKEN)
			KEXPECT_MSG(t, paravirt_says(s->why, "needs hypercalls: "),
				    "%s: %s", pv_name(users[i]), s->why);
	}
	if (state == PV_BROKEN)
		ktest_skip(t, "broken here: %s", pv_status[PV_HYPERCALLS].why);
}

/* Each CPU's watchdog is its own timer. */
static void paravirt_selftest(void *arg)
{
	*(bool *)arg = pv_watch_selftest();
}

KTEST(paravirt, a_call_that_never_ends_is_got_out_of_on_every_cpu)
{
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		bool out = false;

		if (!paravirt_on(t, cpu, paravirt_selftest, &out))
			return;
		KEXPECT_MSG(t, out, "CPU %u", cpu);
	}
	paravirt_all_works(t, "after a call without an end");
}

/*
 * As if CPUID had offered them. Under TCG the instruction raises #UD; KVM hosts
 * may answer, fault or never end. Whatever it is has a name, and is no hang.
 */
KTEST(paravirt, hypercalls_that_are_only_offered_are_found_out)
{
	enum pv_state was = pv_status[PV_HYPERCALLS].state, now;
	struct paravirt_saved saved;
	char why[sizeof(pv_status[0].why)];

	paravirt_force(&saved, PV_HYPERCALLS, PV_ON);
	pv_hypercall_probe();
	now = pv_status[PV_HYPERCALLS].state;
	memcpy(why, pv_status[PV_HYPERCALLS].why, sizeof(why));
	paravirt_restore(&saved);
	KEXPECT_EQ(t, now == PV_BROKEN, why[0] != 0);
	KEXPECT(t, now == PV_ON || now == PV_BROKEN);
	if (was == PV_ON || was == PV_BROKEN)
		KEXPECT_EQ(t, now, was);
	if (hyper.kind == HYPER_TCG)
		KEXPECT_MSG(t, paravirt_says(why, "raises an exception"), "%s", why);
}

static void paravirt_count(void *arg)
{
	__atomic_fetch_add((unsigned *)arg, 1, __ATOMIC_RELAXED);
}

static void paravirt_call_all(struct ktest_run *t)
{
	unsigned ran = 0;

	KEXPECT_EQ(t, call_others(paravirt_count, &ran), 0);
	KEXPECT_EQ(t, ran, cpu_count() - 1);
}

KTEST(paravirt, a_call_to_all_others_is_one_hypercall)
{
	uint64_t count = pv_status[PV_IPI].count;

	if (!paravirt_needs(t, PV_IPI))
		return;
	if (cpu_count() < 3) {
		ktest_skip(t, "fewer than two others");
		return;
	}
	paravirt_call_all(t);
	KEXPECT(t, pv_status[PV_IPI].count > count);
}

/* Without an answer nothing is known to have arrived: so one by one. */
KTEST(paravirt, when_no_hypercall_is_answered_ipis_still_reach_everybody)
{
	struct paravirt_saved saved;

	if (cpu_count() < 3 || pv_on(PV_HYPERCALLS)) {
		ktest_skip(t, cpu_count() < 3 ? "fewer than two others" :
			   "this host answers");
		return;
	}
	paravirt_force(&saved, PV_IPI, PV_ON);
	lapic_pv_ipi = pv_ipi_send;
	paravirt_call_all(t);
	lapic_pv_ipi = NULL;
	KEXPECT_EQ(t, pv_status[PV_IPI].state, PV_BROKEN);
	KEXPECT_MSG(t, paravirt_says(pv_status[PV_IPI].why, "answers -1000"), "%s",
		    pv_status[PV_IPI].why);
	paravirt_restore(&saved);
}

/* The last CPU is called while its page says that it does not run. */
static void paravirt_call_preempted(struct ktest_run *t, uint8_t preempted)
{
	static struct pv_steal_page page;
	unsigned last = cpu_count() - 1, ran = 0;
	struct pv_steal_page *was;

	page.preempted = preempted;
	was = pv_steal_rehearse(last, &page);
	KEXPECT_EQ(t, call_cpu(last, paravirt_count, &ran), 0);
	pv_steal_rehearse(last, was);
	KEXPECT_EQ(t, ran, 1);
}

KTEST(paravirt, who_waits_for_a_cpu_that_does_not_run_gives_it_his_time)
{
	void (*hook)(const struct cpu_set *set) = lapic_pv_yield;
	uint64_t count = pv_status[PV_YIELD].count;
	struct paravirt_saved saved;
	enum pv_state state;

	if (cpu_count() == 1) {
		ktest_skip(t, "one CPU");
		return;
	}
	paravirt_force(&saved, PV_YIELD, PV_ON);
	lapic_pv_yield = pv_yield_to;
	paravirt_call_preempted(t, 0);
	KEXPECT_EQ(t, pv_status[PV_YIELD].count, count);
	KEXPECT_EQ(t, pv_status[PV_YIELD].state, PV_ON);
	paravirt_call_preempted(t, KVM_VCPU_PREEMPTED);
	state = pv_status[PV_YIELD].state;
	if (pv_on(PV_HYPERCALLS))
		KEXPECT(t, pv_status[PV_YIELD].count > count);
	else
		KEXPECT_MSG(t, state == PV_BROKEN &&
			    paravirt_says(pv_status[PV_YIELD].why, "SCHED_YIELD"),
			    "%s: %s", pv_state_name(PV_YIELD),
			    pv_status[PV_YIELD].why);
	lapic_pv_yield = hook;
	paravirt_restore(&saved);
}
