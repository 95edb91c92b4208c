/* SPDX-License-Identifier: MIT */
/*
 * Domains: address spaces of devices, one per group (viommu/group.h), and the
 * DMA API of core/dma.h on top of them. Below them one ops table per IOMMU
 * family.
 *
 * Attaching and detaching happen in thread context on the boot CPU, like
 * driver probing. Mapping and unmapping happen anywhere under the domain's
 * lock, which is taken here; a family's own lock (its queue) is taken inside.
 */
#ifndef VIOMMU_DOMAIN_H
#define VIOMMU_DOMAIN_H

#include "core/dma.h"
#include "core/list.h"
#include "core/lock.h"
#include "core/pci.h"
#include "viommu/group.h"
#include "viommu/iova.h"
#include "viommu/viommu.h"

/* What a device may do with a mapping; the same bits as enum dma_dir. */
#define DOMAIN_READ	0x1u
#define DOMAIN_WRITE	0x2u
_Static_assert(DOMAIN_READ == DMA_TO_DEVICE &&
	       DOMAIN_WRITE == DMA_FROM_DEVICE &&
	       (DOMAIN_READ | DOMAIN_WRITE) == DMA_BIDIRECTIONAL, "dma.h");

#define DOMAIN_RIDS	32
#define DOMAIN_REGIONS	16

/*
 * The message-signalled interrupts of x86 (Intel SDM vol. 3, 11.11.1): writes
 * there are interrupts and pass, or do not pass, whatever a domain says.
 */
#define DOMAIN_MSI_FIRST	UINT64_C(0xfee00000)
#define DOMAIN_MSI_LAST		UINT64_C(0xfeefffff)

struct domain_ops;

struct domain {
	/* set once when it is made: */
	const struct domain_ops *ops;
	struct list node;		/* in domain_list */
	struct group_key key;
	char name[24];
	iova_t first, last;		/* what the family can map */
	/* attaching thread: */
	unsigned devices;
	unsigned nrids;
	struct { uint16_t rid; unsigned users; } rid[DOMAIN_RIDS];

	struct spinlock lock;
	/* domain->lock: */
	struct iova_space iova;
	uint64_t mapped;		/* bytes, in whole pages */
	uint64_t maps, unmaps;
	uint64_t bad_unmaps;		/* of what was not mapped: our bug */
	int dead;			/* -errno: cannot be trusted any more */
};

/* An address range that a device may not get, or must get as it is. */
struct domain_region {
	iova_t first, last;		/* inclusive */
	bool identity;			/* mapped to itself, both directions */
};

struct domain_ops {
	const char *name;		/* "vt-d" */
	size_t size;			/* of its domains; first: struct domain */
	/* Is p the IOMMU's own function? It is in no domain. NULL: none is. */
	bool (*is_own)(const struct pci_dev *p);
	/* Do requests of p pass an IOMMU, says the firmware's table? */
	bool (*covers)(const struct pci_dev *p);
	/* Set first and last, make an empty table. 0 or -errno. */
	int (*init)(struct domain *d, const struct pci_dev *p);
	void (*fini)(struct domain *d);
	/*
	 * Let requests with this id use the domain. -ENXIO: no IOMMU sees
	 * them; -EBUSY: the id is in another domain.
	 */
	int (*attach)(struct domain *d, uint16_t rid);
	/* Refuse its requests again; nothing of the domain is cached. */
	int (*detach)(struct domain *d, uint16_t rid);
	/* What the firmware or device reserves for p. Returns the count. */
	int (*regions)(const struct pci_dev *p, struct domain_region *r,
		       unsigned max);
	/*
	 * d->lock is held for these. map() may only queue; commit() completes
	 * all map()s since the last commit(), which went to [iova, iova +
	 * size), and returns what went wrong with any. What was mapped then
	 * has to be unmapped.
	 */
	int (*map)(struct domain *d, iova_t iova, phys_t pa, uint64_t size,
		   unsigned prot);
	int (*commit)(struct domain *d, iova_t iova, uint64_t size);
	/*
	 * Unmap it, whatever is mapped there. 0 or -ENOENT (some of it was
	 * not): no device gets there any more. Others: one still might.
	 */
	int (*unmap)(struct domain *d, iova_t iova, uint64_t size);
	/* Collect faults without waiting for the interrupt. May be NULL. */
	void (*poll_faults)(void);
	/* Has it never recorded anything? For hosts that cannot; or NULL. */
	bool (*silent)(void);
	/* Everything off and freed. */
	void (*stop)(void);
	/* One line per unit for the monitor. */
	void (*print)(void);
	unsigned (*units)(void);
};

extern const struct dma_ops domain_dma_ops;	/* domain_dma.c */

/* Become the DMA provider with this family, or (NULL) cease to be. */
void domain_start(const struct domain_ops *ops);
const struct domain_ops *domain_family(void);

/* The domain that dev is attached to, or NULL. */
struct domain *domain_of(struct device *dev);
extern struct list domain_list;
unsigned domain_count(void);
/* Bytes that devices can reach now, in all domains. */
uint64_t domain_mapped(void);
void domain_poll_faults(void);

#endif
