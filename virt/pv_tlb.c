/* SPDX-License-Identifier: MIT */
/*
 * PV TLB flush: a CPU that does not run needs no interrupt to forget a
 * translation. Its steal-time page says so, and takes the wish; the host flushes
 * before the CPU runs on. The wish counts only if the CPU still did not run
 * when it was written, hence the compare and exchange: if that fails, the host
 * has just let it run, and the caller must send the interrupt.
 */
#include "virt/pv.h"

bool pv_tlb_defer(unsigned cpu)
{
	struct pv_steal_page *page = pv_steal_of(cpu);
	uint8_t seen;

	if (!page || !pv_on(PV_TLB))
		return false;
	seen = READ_ONCE(page->preempted);
	if (!(seen & KVM_VCPU_PREEMPTED) ||
	    !__atomic_compare_exchange_n(&page->preempted, &seen,
					 seen | KVM_VCPU_FLUSH_TLB, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return false;
	pv_count(PV_TLB);
	return true;
}
