/* SPDX-License-Identifier: MIT */
/*
 * The seam between a message and an IOMMU that remaps it: what msi/ asks for,
 * and viommu/ fills in, once for each kind of interrupt remapping:
 *
 *	VT-d	the message names an entry (IRTE) by handle and subhandle, the
 *		entry names CPU and vector (VT-d 5.1.2.2 "Interrupt Requests in
 *		Remappable Format", 9.10 "Interrupt Remapping Table Entry")
 *	AMD-Vi	the low 11 bits of the data are an index into the device's own
 *		table (AMD IOMMU 2.2.5 "Interrupt Remapping Tables")
 *	none	the message itself names them (Intel SDM vol. 3, 11.11);
 *		msi/remap.c
 *
 * A device's vectors are entries base to base + n - 1. Thread context; one
 * caller at a time for a device.
 */
#ifndef MSI_REMAP_H
#define MSI_REMAP_H

#include "core/pci.h"
#include "core/types.h"

struct msi_msg {
	uint64_t addr;			/* Intel SDM vol. 3, 11.11.1 */
	uint32_t data;			/* 11.11.2: fixed, edge */
};

/* Where a message goes. */
struct remap_target {
	uint32_t apic_id;
	unsigned vector;
};

struct remap_ops {
	const char *name;		/* "vt-d", "amd-vi", "none" */
	/* Highest APIC id that is reached: 254, or 2^32 - 2 in x2APIC mode. */
	uint32_t dest_max;
	/* Are p's messages remapped by this one? */
	bool (*covers)(const struct pci_dev *p);
	/*
	 * n entries in a row, none of them present, in *base; a multiple of n
	 * rounded up to a power of two, since by MSI the device adds the
	 * vector's number to the data (PCI 3.0, 6.8.3.4). 0, -ENOSPC, -ENOMEM.
	 */
	int (*alloc)(const struct pci_dev *p, unsigned n, unsigned *base);
	/* Entries are absent afterwards, also for the IOMMU's cache. */
	void (*free)(const struct pci_dev *p, unsigned base, unsigned n);
	/*
	 * Make entry base + nr interrupt cpu at vector, and say by which
	 * message. 0, -EHOSTUNREACH (cpu's APIC id is above dest_max),
	 * -ETIMEDOUT (the IOMMU does not take it).
	 */
	int (*compose)(const struct pci_dev *p, unsigned base, unsigned nr,
		       unsigned cpu, unsigned vector, struct msi_msg *msg);
	/*
	 * Let the entry, which is in use, interrupt another CPU: one swap, so
	 * that each message goes where it said before or after, and flushed
	 * from the IOMMU's cache when it returns. The message stays. NULL:
	 * there are no entries. Errors as compose(); the entry is as before.
	 */
	int (*set)(const struct pci_dev *p, unsigned base, unsigned nr,
		   unsigned cpu, unsigned vector);
	/*
	 * Where would this message of p go? 0, -EINVAL (not of the format that
	 * passes: its address, its reserved bits), -EPERM (a delivery other
	 * than fixed and edge; or the entry is another device's), -ENOENT (the
	 * entry is not present).
	 */
	int (*resolve)(const struct pci_dev *p, const struct msi_msg *msg,
		       struct remap_target *to);
};

/* Without remapping; the default. */
extern const struct remap_ops remap_none;

/*
 * From here on ops serves the devices that it covers: before any of them has
 * vectors. 0, -EBUSY: a machine has one kind of IOMMU. NULL takes it away.
 */
int remap_register(const struct remap_ops *ops);
/* Who remaps p's messages. Never NULL. */
const struct remap_ops *remap_of(const struct pci_dev *p);

/*
 * The message that interrupts cpu at vector when nobody remaps it: physical
 * destination, fixed, edge. Also what an IOMMU sends for itself. cpu's APIC id
 * must be below 255, which means all of them.
 */
void msi_compose(unsigned cpu, unsigned vector, struct msi_msg *msg);

#endif
