/* SPDX-License-Identifier: MIT */
/* Between the files core/pci*.c only. */
#ifndef CORE_PCI_INTERNAL_H
#define CORE_PCI_INTERNAL_H

#include "core/pci.h"

/*
 * Does a function answer there? When it does, and there is ECAM, its slot is
 * mapped, so that it is reached through memory from then on.
 */
bool pci_config_probe(uint16_t bdf);

void pci_config_stop(void);		/* unmap all slots */

/* Size the BARs and read where firmware put them; none on a stranger header. */
void pci_read_bars(struct pci_dev *p);

/* Turn decoding off; give back what that returned to restore it. */
uint16_t pci_decode_off(const struct pci_dev *p);
void pci_decode_restore(const struct pci_dev *p, uint16_t cmd);

/* After enumeration: the chipset's pins go to the IOAPIC only. */
void pci_intx_init(void);

static inline bool pci_is_bridge(const struct pci_dev *p)
{
	return p->hdr_type == 1;
}

#endif
