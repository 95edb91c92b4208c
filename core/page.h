/* SPDX-License-Identifier: MIT */
/*
 * Physical pages. Blocks are 2^order pages, aligned to their size, contiguous
 * in physical memory, and reached through the direct mapping. Contents are
 * undefined unless asked for zeroes. Any context (its locks are near the
 * innermost); returns NULL when none is left on any node and in any CPU's
 * cache. Pure: page_add() gives it memory, the host tests an arena.
 */
#ifndef CORE_PAGE_H
#define CORE_PAGE_H

#include "core/types.h"

#define PAGE_ORDER_MAX	10		/* 4 MiB blocks */

/*
 * Give the allocator [pa, pa + size); partial pages at the ends are lost. All
 * of it is node 0's until page_place() says whose [pa, pa + size) is. Both on
 * the boot CPU, before others run.
 */
void page_add(phys_t pa, uint64_t size);
void page_place(phys_t pa, uint64_t size, unsigned node);

/* From the caller's node, or else from the nearest that has any. */
void *page_alloc(unsigned order);
void *page_alloc_zero(unsigned order);
/* The same with another node in the caller's place. */
void *page_alloc_node(unsigned order, unsigned node);
/* Below 4 GiB or 16 MiB, for devices and CPUs that start there. */
void *page_alloc_below(unsigned order, phys_t limit);
void page_free(void *p, unsigned order);

/* The order of the smallest block that holds size bytes. */
unsigned page_order(size_t size);

struct page_stats {
	uint64_t total, free;		/* pages; free ones also in caches */
	uint64_t low_water;		/* fewest ever free, caches left out */
	uint64_t cached;		/* of free: in the CPUs' caches */
};
/* Of all nodes, or of one. Exact while nobody else allocates. */
void page_stats(struct page_stats *st);
void page_stats_node(unsigned node, struct page_stats *st);
/* Give what the CPUs' caches hold back to the nodes. Returns how many pages. */
unsigned page_drain(void);

/* For tests: refuse an allocation (of pages or heap), and start over. */
extern bool (*page_gate)(void);
void page_reset(void);

#endif
