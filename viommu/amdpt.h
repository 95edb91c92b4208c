/* SPDX-License-Identifier: MIT */
/*
 * AMD-Vi host page tables, version 1 (AMD IOMMU specification 3.06, 2.2.3):
 * 3 levels for 39 bits of address, 4 for 48; pages of 4 KiB. Pure: it
 * knows memory and numbers, no registers. The caller's lock protects a table,
 * and the caller tells the hardware what changed.
 *
 * An entry goes from not present (all zero: QEMU does not look at a leaf's
 * present bit) to present and back, never from one translation to another. A
 * table, once made, stays until amdpt_fini(): the hardware may be walking it,
 * and addresses are used again, so a domain has as many tables as
 * the addresses it ever used at once need.
 */
#ifndef VIOMMU_AMDPT_H
#define VIOMMU_AMDPT_H

#include "core/bits.h"
#include "core/types.h"

/* 2.2.3, figures 8 to 10; all levels. */
#define AMDPT_PR	BIT_ULL(0)		/* present */
#define AMDPT_NEXT	GENMASK_ULL(11, 9)	/* level of the next table; 0: page */
#define AMDPT_ADDR	GENMASK_ULL(51, 12)
#define AMDPT_FC	BIT_ULL(60)		/* DMA is snooped */
#define AMDPT_IR	BIT_ULL(61)
#define AMDPT_IW	BIT_ULL(62)

#define AMDPT_BITS	9			/* of address per level */
#define AMDPT_ENTRIES	(1u << AMDPT_BITS)

/* Levels count from the leaves: an entry of level 1 translates 4 KiB. */
#define AMDPT_SHIFT(level)	(PAGE_SHIFT + AMDPT_BITS * ((level) - 1u))
#define AMDPT_SPAN(level)	(UINT64_C(1) << AMDPT_SHIFT(level))

struct amdpt {
	le64 *root;
	unsigned levels;		/* 3 or 4 */
	uint64_t tables, pages;		/* in use */
};

/* An empty table. 0, -EINVAL (no such shape), -ENOMEM. */
int amdpt_init(struct amdpt *pt, unsigned levels);
/* Free all tables. The hardware uses none of them any more. */
void amdpt_fini(struct amdpt *pt);

/*
 * Translate [iova, iova + size) to [pa, …), all in whole 4 KiB pages, with
 * prot of AMDPT_IR and AMDPT_IW (not neither).
 * 0; -EINVAL (alignment, prot); -ERANGE (beyond the table's width);
 * -EEXIST (some of it is mapped); -ENOMEM. Nothing is mapped on error, but
 * some of it may have been for a moment.
 */
int amdpt_map(struct amdpt *pt, iova_t iova, phys_t pa, uint64_t size,
	      uint64_t prot);
/*
 * Take [iova, iova + size) out again. 0; -ENOENT (some of it was not mapped;
 * all the rest is unmapped now); -EINVAL (alignment); -ERANGE.
 */
int amdpt_unmap(struct amdpt *pt, iova_t iova, uint64_t size);

/* What the hardware would find: 0 or -ENOENT. prot as in amdpt_map(). */
int amdpt_lookup(const struct amdpt *pt, iova_t iova, phys_t *pa,
		 uint64_t *prot);

#endif
