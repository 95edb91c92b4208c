/* SPDX-License-Identifier: MIT */
/*
 * Which global system interrupt an INTx pin is, without AML.
 *
 * Bridges turn the pins by the slot number (Bridge 1.2, 9.1). At the root it
 * is the chipset's wiring. q35's ICH9: slots 0 to 24 take turns on PIRQ E to
 * H, slot 30 has its pins on E to H, slots 25 to 29 and 31 on A to D, as the
 * reset values of their DxxIR registers say, and PIRQ A to H are the IOAPIC's
 * pins 16 to 23. Elsewhere (i440fx) firmware wrote the ISA interrupt into the
 * interrupt line register.
 *
 * In the APIC's mode the PIRQs should not reach the 8259s as well, and KVM's
 * irqfd users follow that routing: it is switched off once.
 */
#include "core/pci_internal.h"

#include "core/errno.h"
#include "core/irq.h"
#include "core/pcireg.h"

#define ICH9_GSI_PIRQ_A	16
#define ICH9_GSI_PIRQ_E	20
#define ISA_IRQS	16

static bool pci_is_q35(void)
{
	const struct pci_dev *host = pci_find(0);

	return host && host->vendor == PCI_VENDOR_INTEL &&
	       host->device == PCI_DEVICE_Q35_MCH;
}

void pci_intx_init(void)
{
	const struct pci_dev *lpc = pci_find(PCI_ICH9_LPC);

	if (!lpc || lpc->vendor != PCI_VENDOR_INTEL ||
	    lpc->device != PCI_DEVICE_ICH9_LPC)
		return;
	pci_write32(lpc, ICH9_PIRQ_ROUTE_AD, ICH9_PIRQ_NO_PIC);
	pci_write32(lpc, ICH9_PIRQ_ROUTE_EH, ICH9_PIRQ_NO_PIC);
}

/* pin: 0 for INTA */
static unsigned pci_ich9_gsi(unsigned slot, unsigned pin)
{
	if (slot < 25)
		return ICH9_GSI_PIRQ_E + (slot + pin) % 4;
	return (slot == 30 ? ICH9_GSI_PIRQ_E : ICH9_GSI_PIRQ_A) + pin;
}

int pci_intx_gsi(const struct pci_dev *p, unsigned *gsi, unsigned *flags)
{
	const struct pci_dev *root = p;
	unsigned pin = p->intx_pin - 1u;
	uint8_t line;

	if (!p->intx_pin)
		return -ENXIO;
	for (; root->parent; root = root->parent)
		pin = (pin + PCI_SLOT(root->bdf)) % 4;
	/* Active high, as the DSDTs of QEMU say of both chipsets. */
	*flags = IRQ_GSI_LEVEL;
	if (pci_is_q35()) {
		*gsi = pci_ich9_gsi(PCI_SLOT(root->bdf), pin);
		return 0;
	}
	line = pci_read8(p, PCI_INT_LINE);
	if (!line || line >= ISA_IRQS)
		return -ENXIO;
	*gsi = line;
	return 0;
}
