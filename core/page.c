/* SPDX-License-Identifier: MIT */
/*
 * A buddy allocator that never walks all of memory.
 *
 * Each range of the memory map keeps one byte of state per page at its own
 * beginning. Memory above a range's watermark has never been touched: neither
 * the pages nor their state bytes. When no free list can serve a request, the
 * next chunk (up to 4 MiB, aligned to its size) is carved at the watermark,
 * and only then are its state bytes written. So start-up costs the same for
 * 32 MiB and for a terabyte.
 *
 * The state of the first page of a block is its order, with PAGE_FREE added
 * while the block is on a free list; other pages of a block have PAGE_INNER.
 * Blocks are aligned to their size in physical memory, so a block's buddy is
 * found by flipping one bit of its page frame number.
 */
#include "core/page.h"

#include "core/bits.h"
#include "core/bootinfo.h"
#include "core/dma.h"
#include "core/list.h"
#include "core/lock.h"
#include "core/panic.h"
#include "core/string.h"

#define PAGE_FREE	0x80
#define PAGE_INNER	0x7f

struct page_range {
	uint64_t first, end;		/* page frame numbers of usable pages */
	uint64_t mark;			/* carved up to here */
	uint8_t *state;			/* of page frame number first */
};

static struct {
	struct spinlock lock;
	/* lock: */
	struct page_range range[BOOTINFO_RANGES];
	unsigned nranges;
	struct list free[PAGE_ORDER_MAX + 1];
	struct page_stats stats;
} page_zone = { .lock = SPINLOCK_INIT("page") };

/* Tests make allocations fail through it: true refuses this one. */
bool (*page_gate)(void);

static struct list *page_node(uint64_t pfn)
{
	return phys_to_virt(pfn << PAGE_SHIFT);
}

static uint64_t page_pfn(const void *p)
{
	return virt_to_phys(p) >> PAGE_SHIFT;
}

static struct page_range *page_range_of(uint64_t pfn)
{
	for (unsigned i = 0; i < page_zone.nranges; i++) {
		struct page_range *r = &page_zone.range[i];

		if (pfn >= r->first && pfn < r->end)
			return r;
	}
	panic("page: frame 0x%lx is not ours", pfn);
}

static void page_push(struct page_range *r, uint64_t pfn, unsigned order)
{
	r->state[pfn - r->first] = PAGE_FREE | order;
	list_add_head(&page_zone.free[order], page_node(pfn));
}

static void page_take(struct page_range *r, uint64_t pfn)
{
	list_del(page_node(pfn));
	r->state[pfn - r->first] = PAGE_INNER;
}

/* Put the next chunk of r, as large as alignment allows, on a free list. */
static bool page_carve(struct page_range *r)
{
	unsigned order = PAGE_ORDER_MAX;
	uint64_t pfn = r->mark;

	if (pfn == r->end)
		return false;
	while (!IS_ALIGNED(pfn, UINT64_C(1) << order) ||
	       pfn + (UINT64_C(1) << order) > r->end)
		order--;
	memset(&r->state[pfn - r->first], PAGE_INNER, 1u << order);
	r->mark = pfn + (UINT64_C(1) << order);
	page_push(r, pfn, order);
	return true;
}

/* From the last range down, so that low memory stays for who needs it. */
static bool page_carve_any(phys_t limit)
{
	for (unsigned i = page_zone.nranges; i-- > 0;) {
		struct page_range *r = &page_zone.range[i];

		if (r->mark << PAGE_SHIFT < limit && page_carve(r))
			return true;
	}
	return false;
}

static bool page_below(uint64_t pfn, unsigned order, phys_t limit)
{
	return ((pfn + (UINT64_C(1) << order)) << PAGE_SHIFT) - 1 < limit;
}

/* A free block of at least order below limit; its order goes to *have. */
static struct list *page_find_locked(unsigned order, phys_t limit,
				     unsigned *have)
{
	struct list *n;

	spin_assert_held(&page_zone.lock);
	for (unsigned o = order; o <= PAGE_ORDER_MAX; o++) {
		struct list *head = &page_zone.free[o];

		for (n = head->next; n != head; n = n->next) {
			if (!page_below(page_pfn(n), order, limit))
				continue;
			*have = o;
			return n;
		}
	}
	return NULL;
}

static void *page_alloc_locked(unsigned order, phys_t limit)
{
	struct page_range *r;
	struct list *n;
	unsigned have;
	uint64_t pfn;

	while (!(n = page_find_locked(order, limit, &have)))
		if (!page_carve_any(limit))
			return NULL;
	pfn = page_pfn(n);
	r = page_range_of(pfn);
	page_take(r, pfn);
	while (have > order) {
		have--;
		page_push(r, pfn + (UINT64_C(1) << have), have);
	}
	r->state[pfn - r->first] = order;
	page_zone.stats.free -= UINT64_C(1) << order;
	page_zone.stats.low_water = MIN(page_zone.stats.low_water,
					page_zone.stats.free);
	return n;
}

void *page_alloc_below(unsigned order, phys_t limit)
{
	irqflags_t flags;
	void *p;

	BUG_ON(order > PAGE_ORDER_MAX);
	if (page_gate && page_gate())
		return NULL;
	flags = spin_lock(&page_zone.lock);
	p = page_alloc_locked(order, limit);
	spin_unlock(&page_zone.lock, flags);
	return p;
}

void *page_alloc(unsigned order)
{
	return page_alloc_below(order, UINT64_MAX);
}

void *page_alloc_zero(unsigned order)
{
	void *p = page_alloc(order);

	if (p)
		memset(p, 0, (size_t)PAGE_SIZE << order);
	return p;
}

static void page_free_locked(uint64_t pfn, unsigned order)
{
	struct page_range *r = page_range_of(pfn);
	uint64_t buddy;

	if (r->state[pfn - r->first] != order)
		panic("page: 0x%lx freed as order %u, but its state is 0x%x",
		      pfn << PAGE_SHIFT, order,
		      r->state[pfn - r->first]);
	page_zone.stats.free += UINT64_C(1) << order;
	for (; order < PAGE_ORDER_MAX; order++) {
		buddy = pfn ^ (UINT64_C(1) << order);
		if (buddy < r->first || buddy >= r->mark ||
		    r->state[buddy - r->first] != (PAGE_FREE | order))
			break;
		page_take(r, buddy);
		r->state[pfn - r->first] = PAGE_INNER;
		pfn = MIN(pfn, buddy);
	}
	page_push(r, pfn, order);
}

void page_free(void *p, unsigned order)
{
	irqflags_t flags;

	if (!p)
		return;
	flags = spin_lock(&page_zone.lock);
	page_free_locked(page_pfn(p), order);
	spin_unlock(&page_zone.lock, flags);
}

/* The state bytes take the range's own first pages. */
static void page_add_locked(uint64_t first, uint64_t end)
{
	struct page_range *r;
	uint64_t meta;

	meta = DIV_ROUND_UP(end - first, (uint64_t)PAGE_SIZE + 1);
	if (page_zone.nranges == BOOTINFO_RANGES || end - first <= meta)
		return;
	r = &page_zone.range[page_zone.nranges++];
	r->state = phys_to_virt(first << PAGE_SHIFT);
	r->first = r->mark = first + meta;
	r->end = end;
	page_zone.stats.total += end - r->first;
	page_zone.stats.free += end - r->first;
	page_zone.stats.low_water = page_zone.stats.free;
}

void page_add(phys_t pa, uint64_t size)
{
	uint64_t first = DIV_ROUND_UP(pa, (uint64_t)PAGE_SIZE);
	uint64_t end = (pa + size) >> PAGE_SHIFT;
	irqflags_t flags;

	if (end <= first)
		return;
	flags = spin_lock(&page_zone.lock);
	if (!page_zone.free[0].next)
		for (unsigned o = 0; o <= PAGE_ORDER_MAX; o++)
			list_init(&page_zone.free[o]);
	page_add_locked(first, end);
	spin_unlock(&page_zone.lock, flags);
}

/* Forget every range: a host test starts over with a fresh arena. */
void page_reset(void)
{
	irqflags_t flags = spin_lock(&page_zone.lock);

	page_zone.nranges = 0;
	page_zone.free[0].next = NULL;
	memset(&page_zone.stats, 0, sizeof(page_zone.stats));
	spin_unlock(&page_zone.lock, flags);
}

unsigned page_order(size_t size)
{
	return size <= PAGE_SIZE ? 0 :
	       ilog2_up(DIV_ROUND_UP(size, (size_t)PAGE_SIZE));
}

void page_stats(struct page_stats *st)
{
	irqflags_t flags = spin_lock(&page_zone.lock);

	*st = page_zone.stats;
	spin_unlock(&page_zone.lock, flags);
}
