/* SPDX-License-Identifier: MIT */
/*
 * PV EOI (msr.rst, MSR_KVM_PV_EOI_EN): the host sets a bit in memory when an
 * interrupt's end need not be told to the APIC. lapic_eoi() does the rest.
 */
#include "core/dma.h"
#include "virt/pv.h"

int pv_eoi_enable(uint32_t *word)
{
	if (!pv_on(PV_EOI))
		return -ENOTSUP;
	WRITE_ONCE(*word, 0);
	if (!pv_arch_wrmsr(KVM_MSR_PV_EOI_EN,
			   virt_to_phys(word) | KVM_PV_EOI_ENABLE)) {
		pv_break(PV_EOI, "its MSR faults on CPU %u", cpu_id());
		return -EIO;
	}
	return 0;
}

/*
 * The host looks at the word when it is switched off; a bit that it had set
 * for an interrupt still in service stays valid until lapic_eoi() takes it.
 * So this is called outside of interrupts, where none is.
 */
void pv_eoi_disable(uint32_t *word)
{
	pv_arch_wrmsr(KVM_MSR_PV_EOI_EN, 0);
	WRITE_ONCE(*word, 0);
}
