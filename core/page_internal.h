/* SPDX-License-Identifier: MIT */
/* Between core/page.c (caches of the CPUs) and core/page_zone.c (nodes) only. */
#ifndef CORE_PAGE_INTERNAL_H
#define CORE_PAGE_INTERNAL_H

#include "core/page.h"

/* A page's state: the order of a block in use, or one of these. */
#define PAGE_FREE	0x80		/* with the order: on a free list */
#define PAGE_POISONED	0x40		/* with any state but in use: filled */
#define PAGE_INNER	0x1f		/* not the first of its block */
#define PAGE_CACHED	0x1e		/* in a CPU's cache */

/* Pages [first, end) of one node, one state byte each. */
struct page_range {
	uint64_t first, end;		/* page frame numbers of usable pages */
	uint64_t mark;			/* carved up to here; its node's lock */
	uint8_t *state;			/* of page frame number first */
	unsigned node;
};

/*
 * The first bytes of a free page. On a free list next and prev are a struct
 * list; in a cache next is the page below, and prev its complement, so that a
 * stray store is noticed.
 */
struct page_links {
	uintptr_t next, prev;
	uintptr_t freed_by;		/* with debug=poison */
};

/* Where pfn is; hint is looked at first, and may be NULL. Panics: nowhere. */
struct page_range *page_range_of(const struct page_range *hint, uint64_t pfn);

static inline uint8_t page_state(const struct page_range *r, uint64_t pfn)
{
	return r->state[pfn - r->first] & (uint8_t)~PAGE_POISONED;
}

static inline void page_set_state(struct page_range *r, uint64_t pfn,
				  uint8_t state)
{
	uint8_t *s = &r->state[pfn - r->first];

	*s = (*s & PAGE_POISONED) | state;
}

/* Does the node have any memory at all? */
bool page_zone_exists(unsigned node);
/* A block that ends at or below limit, or NULL. */
void *page_zone_alloc(unsigned node, unsigned order, phys_t limit);
void page_zone_free(struct page_range *r, uint64_t pfn, unsigned order);
/*
 * Up to n single pages, linked as a cache links them, state PAGE_CACHED, the
 * nearest one first. Returns how many. One alone while the node has few.
 */
unsigned page_zone_take(unsigned node, unsigned n, struct page_links **list);
/* Takes all of such a list back. */
void page_zone_give(unsigned node, struct page_links *list);

/* Without what caches hold. */
void page_zone_stats(unsigned node, struct page_stats *st);
void page_zone_reset(void);

/* The page below p in a cache; panics when something has written to p. */
struct page_links *page_below(const struct page_links *p);
void page_link(struct page_links *p, struct page_links *below);

#endif
