/* SPDX-License-Identifier: MIT */
/*
 * Physical pages: a buddy allocator over the memory map. Blocks are 2^order
 * pages, aligned to their size, contiguous in physical memory, and reached
 * through the direct mapping. Contents are undefined unless asked for zeroes.
 * Any context (its lock is near the innermost); returns NULL when none is
 * left. Pure: page_add() gives it memory, the host tests an arena.
 */
#ifndef CORE_PAGE_H
#define CORE_PAGE_H

#include "core/types.h"

#define PAGE_ORDER_MAX	10		/* 4 MiB blocks */

/* Give the allocator [pa, pa + size); partial pages at the ends are lost. */
void page_add(phys_t pa, uint64_t size);

void *page_alloc(unsigned order);
void *page_alloc_zero(unsigned order);
/* Below 4 GiB or 16 MiB, for devices and CPUs that start there. */
void *page_alloc_below(unsigned order, phys_t limit);
void page_free(void *p, unsigned order);

/* The order of the smallest block that holds size bytes. */
unsigned page_order(size_t size);

struct page_stats {
	uint64_t total, free;		/* pages */
	uint64_t low_water;		/* fewest pages ever free */
};
void page_stats(struct page_stats *st);

/* For the host tests: refuse an allocation, and start over. */
extern bool (*page_gate)(void);
void page_reset(void);

#endif
