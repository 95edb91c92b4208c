/* SPDX-License-Identifier: MIT */
/*
 * Pages in three layers (theory of operation).
 *
 *	page_alloc()		policy: which node, and what if it has none
 *	a cache on each CPU	single pages, the last one freed comes first
 *	page_zone.c		a buddy allocator for each node
 *
 * A single page, by far the most common request, is taken from and given to
 * the CPU's cache, under a lock that nobody else takes in ordinary times. It is
 * a lock all the same, because when memory runs out, every CPU's cache must be
 * emptied by whoever notices, in any context, without waiting for an answer.
 * So a thread that moves between choosing its cache and locking it does no harm
 * either. Caches fill and empty by batches.
 *
 * A cache holds pages of one node only: the CPU's own, or if that has no
 * memory, the nearest that has. Pages of other nodes go home when they are
 * freed. A cached page is free in every statistic.
 *
 * A free page begins with links that check themselves, in any kernel; with
 * debug=poison the rest of it is filled and checked as well (core/poison.h).
 */
#include "core/page.h"

#include "core/bits.h"
#include "core/cpu.h"
#include "core/dma.h"
#include "core/lock.h"
#include "core/numa.h"
#include "core/page_internal.h"
#include "core/panic.h"
#include "core/poison.h"
#include "core/string.h"

#define PAGE_CACHE_MAX	32		/* 128 KiB a CPU */
#define PAGE_BATCH	16
#define PAGE_NO_NODE	0		/* homes are node + 1 */
#define PAGE_RETRIES	3

struct page_cache {
	struct spinlock lock;
	/* lock: */
	struct page_links *top;
	const struct page_range *hint;	/* where the last page was */
	unsigned n;
	unsigned home;			/* node + 1 of all pages in it */
} __aligned(64);

static struct page_cache page_cache[CPU_MAX];

/* Tests make allocations fail through it: true refuses this one. */
bool (*page_gate)(void);

/* ---- poison ---- */

static void page_poison(void *p, unsigned order, uintptr_t caller)
{
	uint64_t pfn = virt_to_phys(p) >> PAGE_SHIFT;
	struct page_range *r = page_range_of(NULL, pfn);

	if (page_state(r, pfn) != order)	/* the panic is page_free()'s */
		return;
	for (unsigned i = 0; i < 1u << order; i++, p = (char *)p + PAGE_SIZE) {
		struct page_links *l = p;

		l->freed_by = caller;
		poison_fill(l + 1, PAGE_SIZE - sizeof(*l));
		r->state[pfn + i - r->first] |= PAGE_POISONED;
	}
}

/* Pages that were never used, or not since poison is on, have no pattern. */
static void page_check_poison(void *p, unsigned order)
{
	uint64_t pfn = virt_to_phys(p) >> PAGE_SHIFT;
	struct page_range *r = page_range_of(NULL, pfn);

	for (unsigned i = 0; i < 1u << order; i++, p = (char *)p + PAGE_SIZE) {
		struct page_links *l = p;

		if (!(r->state[pfn + i - r->first] & PAGE_POISONED))
			continue;
		r->state[pfn + i - r->first] &= (uint8_t)~PAGE_POISONED;
		poison_check("page", l + 1, PAGE_SIZE - sizeof(*l),
			     l->freed_by);
	}
}

static void *page_handed_out(void *p, unsigned order)
{
	if (unlikely(poison_on) && p)
		page_check_poison(p, order);
	return p;
}

/* ---- caches ---- */

/* The nearest node that has memory. */
static unsigned page_home(unsigned node)
{
	for (unsigned i = 0; i < node_count(); i++)
		if (page_zone_exists(node_near(node, i)))
			return node_near(node, i);
	return 0;
}

static struct page_links *page_pop_locked(struct page_cache *c)
{
	struct page_links *p = c->top;
	struct page_range *r;
	uint64_t pfn;

	spin_assert_held(&c->lock);
	if (!p)
		return NULL;
	c->top = page_below(p);
	c->n--;
	pfn = virt_to_phys(p) >> PAGE_SHIFT;
	r = page_range_of(c->hint, pfn);
	c->hint = r;
	page_set_state(r, pfn, 0);
	return p;
}

static void page_cache_settle_locked(struct page_cache *c, unsigned cpu)
{
	c->lock.name = "page cache";
	c->home = page_home(cpu_node(cpu)) + 1;
}

static void *page_cache_alloc(void)
{
	unsigned cpu = cpu_id();
	struct page_cache *c = &page_cache[cpu];
	irqflags_t flags = spin_lock(&c->lock);
	struct page_links *p;

	if (unlikely(!c->top)) {
		if (c->home == PAGE_NO_NODE)
			page_cache_settle_locked(c, cpu);
		c->n = page_zone_take(c->home - 1, PAGE_BATCH, &c->top);
	}
	p = page_pop_locked(c);
	spin_unlock(&c->lock, flags);
	return p;
}

/* What lies undermost is coldest: keep the rest. */
static void page_spill_locked(struct page_cache *c)
{
	struct page_links *last = c->top, *cold;

	spin_assert_held(&c->lock);
	for (unsigned i = 1; i < PAGE_CACHE_MAX - PAGE_BATCH; i++)
		last = page_below(last);
	cold = page_below(last);
	page_link(last, NULL);
	c->n = PAGE_CACHE_MAX - PAGE_BATCH;
	page_zone_give(c->home - 1, cold);
}

/* Is it a page of the cache's node? Then it is in. */
static bool page_cache_free(void *p)
{
	struct page_cache *c = &page_cache[cpu_id()];
	uint64_t pfn = virt_to_phys(p) >> PAGE_SHIFT;
	irqflags_t flags = spin_lock(&c->lock);
	struct page_range *r = page_range_of(c->hint, pfn);
	bool ours = r->node + 1 == c->home;

	c->hint = r;
	if (page_state(r, pfn))
		panic("page: 0x%llx freed as order 0, but its state is 0x%x%s",
		      (unsigned long long)pfn << PAGE_SHIFT,
		      page_state(r, pfn),
		      page_state(r, pfn) == PAGE_CACHED ? ": freed twice" : "");
	if (ours) {
		if (c->n == PAGE_CACHE_MAX)
			page_spill_locked(c);
		page_set_state(r, pfn, PAGE_CACHED);
		page_link(p, c->top);
		c->top = p;
		c->n++;
	}
	spin_unlock(&c->lock, flags);
	return ours;
}

static unsigned page_drain_cpu(struct page_cache *c)
{
	irqflags_t flags = spin_lock(&c->lock);
	unsigned n = c->n;

	if (n)
		page_zone_give(c->home - 1, c->top);
	c->top = NULL;
	c->n = 0;
	c->hint = NULL;
	c->home = PAGE_NO_NODE;
	spin_unlock(&c->lock, flags);
	return n;
}

unsigned page_drain(void)
{
	unsigned n = 0;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		n += page_drain_cpu(&page_cache[cpu]);
	return n;
}

/* ---- allocating ---- */

static void *page_alloc_near(unsigned order, unsigned node, phys_t limit)
{
	void *p = NULL;

	for (unsigned i = 0; i < node_count() && !p; i++)
		p = page_zone_alloc(node_near(node, i), order, limit);
	return p;
}

/*
 * Other CPUs may put what was drained into their caches again before we get at
 * it; then they have it to use, and after a few rounds memory is out.
 */
static void *page_alloc_slow(unsigned order, unsigned node, phys_t limit)
{
	void *p = page_alloc_near(order, node, limit);

	for (unsigned i = 0; !p && i < PAGE_RETRIES && page_drain(); i++)
		p = page_alloc_near(order, node, limit);
	return page_handed_out(p, order);
}

void *page_alloc(unsigned order)
{
	void *p = NULL;

	BUG_ON(order > PAGE_ORDER_MAX);
	if (page_gate && page_gate())
		return NULL;
	if (!order)
		p = page_cache_alloc();
	return p ? page_handed_out(p, 0) :
	       page_alloc_slow(order, cpu_node(cpu_id()), UINT64_MAX);
}

void *page_alloc_node(unsigned order, unsigned node)
{
	BUG_ON(order > PAGE_ORDER_MAX || node >= node_count());
	if (page_gate && page_gate())
		return NULL;
	return page_alloc_slow(order, node, UINT64_MAX);
}

void *page_alloc_below(unsigned order, phys_t limit)
{
	BUG_ON(order > PAGE_ORDER_MAX);
	if (page_gate && page_gate())
		return NULL;
	return page_alloc_slow(order, cpu_node(cpu_id()), limit);
}

void *page_alloc_zero(unsigned order)
{
	void *p = page_alloc(order);

	if (p)
		memset(p, 0, (size_t)PAGE_SIZE << order);
	return p;
}

void page_free(void *p, unsigned order)
{
	uint64_t pfn;

	if (!p)
		return;
	if (unlikely(poison_on))
		page_poison(p, order, (uintptr_t)__builtin_return_address(0));
	if (!order && page_cache_free(p))
		return;
	pfn = virt_to_phys(p) >> PAGE_SHIFT;
	page_zone_free(page_range_of(NULL, pfn), pfn, order);
}

unsigned page_order(size_t size)
{
	return size <= PAGE_SIZE ? 0 :
	       ilog2_up(DIV_ROUND_UP(size, (size_t)PAGE_SIZE));
}

/* ---- counting ---- */

static unsigned page_cached_of(unsigned node)
{
	unsigned n = 0;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		struct page_cache *c = &page_cache[cpu];
		irqflags_t flags = spin_lock(&c->lock);

		if (c->home == node + 1)
			n += c->n;
		spin_unlock(&c->lock, flags);
	}
	return n;
}

void page_stats_node(unsigned node, struct page_stats *st)
{
	page_zone_stats(node, st);
	st->cached = page_cached_of(node);
	st->free += st->cached;
}

void page_stats(struct page_stats *st)
{
	struct page_stats one;

	*st = (struct page_stats){ 0 };
	for (unsigned i = 0; i < node_count(); i++) {
		page_stats_node(i, &one);
		st->total += one.total;
		st->free += one.free;
		st->low_water += one.low_water;
		st->cached += one.cached;
	}
}

void page_reset(void)
{
	memset(page_cache, 0, sizeof(page_cache));
	page_zone_reset();
}
