/* SPDX-License-Identifier: MIT */
/*
 * The I/O virtual addresses of one domain: which are taken, and free ones on
 * demand. Pure: numbers in, numbers out, nodes from the heap. The caller's
 * lock protects a space.
 *
 * Every range in use is a node of a balanced (AVL) tree, reserved regions
 * too; a node knows the gap below it and the widest gap below any node of its
 * subtree, so that finding, taking and giving back cost O(log ranges). It is
 * the *used* ranges that have nodes, so giving back never needs memory; and
 * neighbouring gaps merge by themselves, because a gap is only what lies
 * between two nodes.
 *
 * In front of the tree sits one small stack per power-of-two size up to 2 MiB.
 * A range that is given back waits there for the next request of its size:
 * a driver that maps and unmaps for every request touches neither tree nor
 * heap, and the page table of its few addresses stays built. Ranges in a
 * stack count as used for the tree; when it finds no gap they are given back
 * to it and it looks again.
 *
 * Addresses are handed out from the top down. RAM is at the bottom, so an
 * IOVA that reaches memory untranslated, by our mistake or the host's, hits
 * nothing there and is noticed.
 */
#ifndef VIOMMU_IOVA_H
#define VIOMMU_IOVA_H

#include "core/types.h"

#define IOVA_BINS	10		/* 1, 2, 4 … 512 pages */
#define IOVA_BIN_DEPTH	32

struct iova_node;

struct iova_bin {
	unsigned n;
	uint64_t pfn[IOVA_BIN_DEPTH];
};

struct iova_space {
	struct iova_node *root;
	uint64_t first, end;		/* page frames; end is exclusive */
	struct iova_bin bin[IOVA_BINS];
	uint64_t ranges;		/* nodes, but for the one at the end */
	uint64_t pages;			/* handed out, as rounded */
};

/*
 * An empty space of the whole pages within first to last (inclusive).
 * 0, -EINVAL (no page in it), -ENOMEM.
 */
int iova_init(struct iova_space *s, iova_t first, iova_t last);
/* Forget everything, whatever is still handed out. All zero is allowed. */
void iova_fini(struct iova_space *s);

/*
 * Never hand out an address in first to last (inclusive, widened to whole
 * pages). Regions may overlap each other and the end of the space.
 * -EBUSY: some of it is handed out; -ENOMEM: a part may be reserved already.
 */
int iova_reserve(struct iova_space *s, iova_t first, iova_t last);

/*
 * A free range of size bytes whose last byte is at most limit. It is rounded
 * up to whole pages, up to 2 MiB also to a power of two, and aligned to its
 * rounded size, at most 2 MiB. -EINVAL (size 0), -ENOSPC, -ENOMEM.
 */
int iova_alloc(struct iova_space *s, uint64_t size, iova_t limit,
	       iova_t *out);
/* Give back what iova_alloc() gave for that size. */
void iova_free(struct iova_space *s, iova_t addr, uint64_t size);
/* Empty the stacks into the tree. */
void iova_flush(struct iova_space *s);

/* Is all of it handed out or reserved or waiting in a stack? */
bool iova_taken(const struct iova_space *s, iova_t addr, uint64_t size);

#endif
