/* SPDX-License-Identifier: MIT */
/*
 * Capability lists. A list is whatever the device says: it may point into the
 * header, at itself, or nowhere, so each walk has a fixed number of steps.
 * pci_find_cap() takes what it finds before the lie; pci_read_caps() names it.
 */
#include "core/pci_internal.h"

#include "core/errno.h"
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

static int pci_caps_fault(struct pci_caps *l, unsigned at, const char *what)
{
	l->fault = what;
	l->fault_at = at;
	return -EINVAL;
}

/* Adds the capability at pos. The next one's pointer, or what is wrong. */
static int pci_caps_add(const struct pci_dev *p, unsigned pos,
			struct pci_caps *l, uint64_t *seen)
{
	uint64_t bit = BIT_ULL((pos - PCI_CAP_FIRST) / 4);
	uint8_t id;

	if (*seen & bit)
		return pci_caps_fault(l, pos, "its capability list is a loop");
	*seen |= bit;
	id = pci_read8(p, pos);
	if (id == 0xff)
		return pci_caps_fault(l, pos, "nobody answers in its "
				      "capability list");
	l->cap[l->n].pos = (uint8_t)pos;
	l->cap[l->n++].id = id;
	return pci_read8(p, pos + PCI_CAP_NEXT);
}

static int pci_caps_walk(const struct pci_dev *p, struct pci_caps *l)
{
	int next = pci_read8(p, PCI_CAP_POINTER);
	uint64_t seen = 0;

	while (next > 3) {
		unsigned pos = pci_cap_at((uint8_t)next);

		if (!pos)
			return pci_caps_fault(l, (unsigned)next & ~3u,
					      "its capability list points into "
					      "the header");
		next = pci_caps_add(p, pos, l, &seen);
	}
	return MIN(next, 0);
}

/* One that went away meanwhile looks like any of the faults. */
int pci_read_caps(const struct pci_dev *p, struct pci_caps *l)
{
	int err = 0;

	*l = (struct pci_caps){ .n = 0 };
	if (p->hdr_type > PCI_HEADER_BRIDGE)	/* its pointer is elsewhere */
		return 0;
	if (pci_read16(p, PCI_STATUS) & PCI_STATUS_CAPS)
		err = pci_caps_walk(p, l);
	if (err && pci_read16(p, PCI_VENDOR) == PCI_NO_VENDOR)
		return -ENODEV;
	return err;
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
