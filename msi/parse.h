/* SPDX-License-Identifier: MIT */
/*
 * What a device says about its MSI and MSI-X, and whether that can be true
 * (PCI Local Bus 3.0, 6.8.1 and 6.8.2). Pure: configuration space is read, a
 * few dozen times at most, nothing is written and nothing logged. Any context.
 *
 * Everything is checked before anybody acts on it: that the capability is
 * there once, ends within the header and before the next one, and that table
 * and pending bits lie within memory BARs that are assigned, that the CPU can
 * address and no other BAR answers for, and not on each other.
 */
#ifndef MSI_PARSE_H
#define MSI_PARSE_H

#include "core/pci.h"
#include "core/types.h"

#define MSI_WHY		120		/* bytes of a reason */

/* Bytes [offset, offset + size) of a BAR. */
struct msi_area {
	unsigned bir;			/* which BAR */
	uint64_t offset, size;
};

struct msi_cap {
	unsigned pos;			/* in configuration space; 0: none */
	unsigned vectors;		/* 1 to 32 by MSI, to 2048 by MSI-X */
	uint16_t ctrl;			/* its control register, as found */
	bool enabled;			/* by who had the device before us */
	/* MSI: */
	bool is_64, maskable;
	/* MSI-X: */
	struct msi_area table, pba;
	char why[MSI_WHY];		/* refused: what is wrong with it */
};

/*
 * Parse the capability, found in the list l as pci_read_caps() left it. 0,
 * -ENOENT (there is none), -EINVAL (it lies, or the list does: c->why says
 * how) or -ENODEV (the device went away meanwhile; c->why says that). Except
 * for pos and why, c is only to be used after 0.
 */
int msi_parse(const struct pci_dev *p, const struct pci_caps *l,
	      struct msi_cap *c);
int msix_parse(const struct pci_dev *p, const struct pci_caps *l,
	       struct msi_cap *c);

/* Where the data register is, from the start of an MSI capability. */
unsigned msi_data_offset(const struct msi_cap *c);

#endif
