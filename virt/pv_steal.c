/* SPDX-License-Identifier: MIT */
/*
 * Steal time (msr.rst, MSR_KVM_STEAL_TIME): for how long a CPU wanted to run
 * and the host ran something else, and whether it runs now.
 *
 * The host writes a CPU's page only when it is about to run that CPU, with
 * version odd meanwhile, so other CPUs may read it at any time.
 */
#include "core/dma.h"
#include "core/string.h"
#include "virt/pv.h"

#define PV_STEAL_TRIES	16

/* set once each, by its own CPU: */
static struct pv_steal_page *pv_steal_pages[CPU_MAX];

int pv_steal_enable(unsigned cpu, struct pv_steal_page *page)
{
	if (!pv_on(PV_STEAL))
		return -ENOTSUP;
	memset(page, 0, sizeof(*page));
	if (!pv_arch_wrmsr(KVM_MSR_STEAL_TIME,
			   virt_to_phys(page) | KVM_STEAL_ENABLE)) {
		pv_break(PV_STEAL, "its MSR faults on CPU %u", cpu);
		return -EIO;
	}
	WRITE_ONCE(pv_steal_pages[cpu], page);
	return 0;
}

void pv_steal_disable(unsigned cpu)
{
	if (pv_steal_pages[cpu])
		pv_arch_wrmsr(KVM_MSR_STEAL_TIME, 0);
	WRITE_ONCE(pv_steal_pages[cpu], NULL);
}

struct pv_steal_page *pv_steal_of(unsigned cpu)
{
	return cpu < CPU_MAX ? READ_ONCE(pv_steal_pages[cpu]) : NULL;
}

struct pv_steal_page *pv_steal_rehearse(unsigned cpu,
					struct pv_steal_page *page)
{
	return __atomic_exchange_n(&pv_steal_pages[cpu], page,
				   __ATOMIC_SEQ_CST);
}

bool pv_steal_sample(const struct pv_steal_page *page, uint64_t *ns)
{
	for (unsigned i = 0; i < PV_STEAL_TRIES; i++) {
		uint32_t version = READ_ONCE(page->version);
		uint64_t steal;

		dma_rmb();
		steal = READ_ONCE(page->steal);
		dma_rmb();
		if ((version & 1) || READ_ONCE(page->version) != version)
			continue;
		*ns = steal;
		return true;
	}
	return false;
}

/* Version 0 has never been written: that is no proof of anything yet. */
uint64_t pv_steal_ns(unsigned cpu)
{
	struct pv_steal_page *page = pv_steal_of(cpu);
	uint64_t ns = 0;

	if (page && pv_steal_sample(page, &ns) && READ_ONCE(page->version))
		pv_count(PV_STEAL);
	return ns;
}

bool pv_steal_preempted(unsigned cpu)
{
	struct pv_steal_page *page = pv_steal_of(cpu);

	return page && (READ_ONCE(page->preempted) & KVM_VCPU_PREEMPTED);
}
