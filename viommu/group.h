/* SPDX-License-Identifier: MIT */
/*
 * Which functions must share a domain, and under which requester ids the
 * IOMMU sees them. Pure but for reads of PCI configuration space.
 *
 * An IOMMU can tell two functions apart only when their requests carry
 * different ids, and can confine them only when no request reaches its target
 * without passing it. So these share:
 *
 *  - Everything behind a conventional PCI bridge: the bus has no ids, the
 *    bridge lends its own (a PCI Express to PCI bridge: that of device 0 on
 *    its secondary bus; PCI Express to PCI/PCI-X Bridge 1.0, 2.3).
 *  - Everything behind a PCI Express port without Access Control Services:
 *    it may turn requests around to a neighbour (PCI Express Base 5.0, 6.12).
 *  - The functions of a multifunction device that have no ACS: they may reach
 *    each other inside it. That goes for the chipset's own functions too,
 *    where it is a mere possibility (of q35's 00:1f only the AHCI controller
 *    does DMA): a shared domain too many costs nothing, one too few is a hole.
 *
 * Single functions in slots of their own on the root bus, or behind ports
 * with ACS, are groups of one.
 */
#ifndef VIOMMU_GROUP_H
#define VIOMMU_GROUP_H

#include "core/pci.h"
#include "core/types.h"

enum group_scope {
	GROUP_FUNCTION,			/* bdf alone */
	GROUP_SLOT,			/* all functions of bdf's device */
	GROUP_BEHIND,			/* all behind the bridge bdf, and it */
};

/* Two functions are in one group when their keys are equal. */
struct group_key {
	enum group_scope scope;
	uint16_t bdf;
};

#define GROUP_RIDS	2

/* How one function is known. */
struct group {
	struct group_key key;
	unsigned nrids;
	/* [0] is sure to be used; [1] may be, depending on the bridge. */
	uint16_t rid[GROUP_RIDS];
};

void group_of(const struct pci_dev *p, struct group *out);
bool group_same(struct group_key a, struct group_key b);
/* "00:03.0", "00:1f.*" or "behind 00:04.0". */
void group_name(struct group_key key, char *buf, size_t size);

#endif
