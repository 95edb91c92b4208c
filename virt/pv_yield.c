/* SPDX-License-Identifier: MIT */
/*
 * PV sched-yield (hypercalls.rst, KVM_HC_SCHED_YIELD): who waits for a CPU that
 * does not run may as well give it his own time on the host. Once for one
 * wait: the host then runs somebody else here, and the others got theirs.
 */
#include "virt/pv.h"

/* To oneself: the host does nothing and answers 0. */
bool pv_yield_probe(void)
{
	int64_t ret;

	if (!pv_on(PV_YIELD))
		return false;
	ret = pv_hypercall_watched(KVM_HC_SCHED_YIELD, cpu_apic_id(cpu_id()),
				   0, 0, 0);
	if (ret)
		pv_break(PV_YIELD, "SCHED_YIELD answers %lld", (long long)ret);
	return pv_on(PV_YIELD);
}

void pv_yield_to(const struct cpu_set *set)
{
	unsigned n = cpu_count();
	int64_t ret;

	for (unsigned cpu = 0; cpu < n && pv_on(PV_YIELD); cpu++) {
		if (!cpu_set_has(set, cpu) || cpu == cpu_id() ||
		    !pv_steal_preempted(cpu))
			continue;
		ret = pv_hypercall(KVM_HC_SCHED_YIELD, cpu_apic_id(cpu), 0, 0,
				   0);
		if (ret)
			pv_break(PV_YIELD, "SCHED_YIELD answers %lld",
				 (long long)ret);
		else
			pv_count(PV_YIELD);
		return;
	}
}
