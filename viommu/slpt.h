/* SPDX-License-Identifier: MIT */
/*
 * VT-d second-level page tables (VT-d 3.3 specification, 3.7 and 9.9): 3
 * levels for 39 bits of address, 4 for 48; pages of 4 KiB, 2 MiB and 1 GiB.
 * Pure: it knows memory and numbers, no registers. The caller's lock
 * protects a table, and the caller tells the hardware what changed.
 *
 * Rules that keep the hardware and us in step:
 *  - An entry goes from not present to present and back, never from one
 *    translation to another: mapping what is mapped is refused.
 *  - A table that goes out of use is unhooked by slpt_unmap() but not freed:
 *    the hardware may be walking it. It is freed by slpt_release(), which the
 *    caller calls once the invalidation is complete.
 *  - Only a table whose whole span is unmapped in one call goes out of use.
 *    One that merely has become empty stays, for the next mapping nearby:
 *    clearing a new page costs more than keeping one. slpt_trim() collects
 *    those when memory is short.
 *  - Where the hardware does not snoop its page walks, flush is called for
 *    each run of entries that changed, before the call returns.
 */
#ifndef VIOMMU_SLPT_H
#define VIOMMU_SLPT_H

#include "core/bits.h"
#include "core/types.h"

/* 9.9 Second-Level Paging Entries; all levels. */
#define SLPT_R		BIT_ULL(0)
#define SLPT_W		BIT_ULL(1)
#define SLPT_PS		BIT_ULL(7)	/* levels 2 and 3: a page, not a table */
#define SLPT_ADDR	GENMASK_ULL(51, 12)

#define SLPT_BITS	9		/* of address resolved per level */
#define SLPT_ENTRIES	(1u << SLPT_BITS)

/* Levels count from the leaves: a page of level 1 is 4 KiB, of 3 is 1 GiB. */
#define SLPT_SHIFT(level)	(PAGE_SHIFT + SLPT_BITS * ((level) - 1u))
#define SLPT_SPAN(level)	(UINT64_C(1) << SLPT_SHIFT(level))

struct slpt {
	le64 *root;
	unsigned levels;		/* 3 or 4 */
	unsigned largest;		/* 1 to 3: the largest page's level */
	void (*flush)(const void *p, size_t len);	/* NULL: coherent */
	le64 *near;			/* the level-1 table used last … */
	iova_t near_base;		/* … and what it translates */
	uint64_t tables, pages;		/* in use; pages of any size */
};

/* Tables out of use that the hardware may still walk. Starts all zero. */
struct slpt_unhooked {
	void *first;
};

/* An empty table. 0, -EINVAL (no such shape), -ENOMEM. */
int slpt_init(struct slpt *pt, unsigned levels, unsigned largest,
	      void (*flush)(const void *p, size_t len));
/* Free all tables. The hardware uses none of them any more. */
void slpt_fini(struct slpt *pt);

/*
 * Translate [iova, iova + size) to [pa, …), all in whole 4 KiB pages, with
 * prot of SLPT_R and SLPT_W (not neither), using the largest pages that fit.
 * 0; -EINVAL (alignment, prot); -ERANGE (beyond the table's width);
 * -EEXIST (some of it is mapped); -ENOMEM. Nothing is mapped on error, but
 * some of it may have been for a moment.
 */
int slpt_map(struct slpt *pt, iova_t iova, phys_t pa, uint64_t size,
	     uint64_t prot);

/*
 * Take [iova, iova + size) out again; tables out of use are added to *u.
 * 0; -ENOENT (some of it was not mapped; all the rest is unmapped now);
 * -EINVAL (alignment, or an end lies inside a large page: nothing changed);
 * -ERANGE.
 */
int slpt_unmap(struct slpt *pt, iova_t iova, uint64_t size,
	       struct slpt_unhooked *u);
/* Unhook every table that has become empty. */
void slpt_trim(struct slpt *pt, struct slpt_unhooked *u);
/* Free what was unhooked; the hardware has forgotten it. */
void slpt_release(struct slpt *pt, struct slpt_unhooked *u);

/* What the hardware would find. */
struct slpt_found {
	phys_t pa;			/* of that very address */
	uint64_t prot;			/* SLPT_R, SLPT_W */
	uint64_t page;			/* its page's size */
};
/* 0 or -ENOENT. */
int slpt_lookup(const struct slpt *pt, iova_t iova, struct slpt_found *out);

#endif
