/* SPDX-License-Identifier: MIT */
/*
 * Capability lists. A list is whatever the device says: it may point into the
 * header, at itself, or nowhere, so each walk has a fixed number of steps.
 */
#include "core/pci_internal.h"

#include "core/pcireg.h"

/* The two lowest bits of a pointer are reserved and to be masked: 6.7. */
static unsigned pci_cap_at(uint8_t pointer)
{
	pointer &= (uint8_t)~3u;
	return pointer < PCI_CAP_FIRST ? 0 : pointer;
}

unsigned pci_find_cap(const struct pci_dev *p, uint8_t id, unsigned pos)
{
	if (pos)
		pos += PCI_CAP_NEXT;
	else if (pci_read16(p, PCI_STATUS) & PCI_STATUS_CAPS)
		pos = PCI_CAP_POINTER;
	for (unsigned n = 0; pos && n < PCI_CAP_STEPS; n++) {
		uint8_t found;

		pos = pci_cap_at(pci_read8(p, pos));
		if (!pos)
			return 0;
		found = pci_read8(p, pos);
		if (found == 0xff)	/* nobody answers any more */
			return 0;
		if (found == id)
			return pos;
		pos += PCI_CAP_NEXT;
	}
	return 0;
}

unsigned pci_find_ext_cap(const struct pci_dev *p, uint16_t id)
{
	unsigned pos = PCI_EXT_CAP_FIRST;

	if (!p->cap_pcie)
		return 0;
	for (unsigned n = 0; n < PCI_EXT_CAP_STEPS; n++) {
		uint32_t head = pci_read32(p, pos);

		if (head == 0 || head == UINT32_MAX)
			return 0;
		if (FIELD_GET(PCI_EXT_CAP_ID, head) == id)
			return pos;
		pos = FIELD_GET(PCI_EXT_CAP_NEXT, head) & ~3u;
		if (pos < PCI_EXT_CAP_FIRST)
			return 0;
	}
	return 0;
}
