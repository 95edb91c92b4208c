/* SPDX-License-Identifier: MIT */
/*
 * The pages of each node: a buddy allocator that never walks all of memory.
 *
 * Each range of the memory map keeps one byte of state per page at its own
 * beginning. Memory above a range's watermark has never been touched: neither
 * the pages nor their state bytes. When no free list can serve a request, the
 * next chunk (up to 4 MiB, aligned to its size) is carved at the watermark,
 * and only then are its state bytes written. So start-up costs the same for
 * 32 MiB and for a terabyte.
 *
 * Ranges are cut at the borders of nodes when those are known; the state bytes
 * stay where they are. Blocks are aligned to their size in physical memory, so
 * a block's buddy is found by flipping one bit of its page frame number; both
 * lie in one range, and so on one node.
 */
#include "core/page_internal.h"

#include "core/bits.h"
#include "core/bootinfo.h"
#include "core/cpu.h"
#include "core/dma.h"
#include "core/list.h"
#include "core/lock.h"
#include "core/numa.h"
#include "core/panic.h"
#include "core/string.h"

#define PAGE_RANGES	(BOOTINFO_RANGES + 2 * ACPI_SRAT_MEMS)
#define PAGE_SCARCE	256		/* free ones: then caches take one */

struct page_zone {
	struct spinlock lock;
	/* lock: */
	struct list free[PAGE_ORDER_MAX + 1];
	struct page_stats stats;
};

static struct page_zone page_zone[NUMA_NODES];
/* Set once at start, sorted; but for their marks. */
static struct page_range page_range[PAGE_RANGES];
static unsigned page_nranges;

static struct list *page_node(uint64_t pfn)
{
	return phys_to_virt(pfn << PAGE_SHIFT);
}

static uint64_t page_pfn(const void *p)
{
	return virt_to_phys(p) >> PAGE_SHIFT;
}

static struct page_range *page_range_find(uint64_t pfn)
{
	unsigned lo = 0, hi = page_nranges;

	while (lo < hi) {		/* the last that begins at or below pfn */
		unsigned mid = lo + (hi - lo) / 2;

		if (page_range[mid].first <= pfn)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && pfn < page_range[lo - 1].end ? &page_range[lo - 1] : NULL;
}

struct page_range *page_range_of(const struct page_range *hint, uint64_t pfn)
{
	struct page_range *r = (struct page_range *)hint;

	if (r && pfn >= r->first && pfn < r->end)
		return r;
	r = page_range_find(pfn);
	if (!r)
		panic("page: frame 0x%llx is not ours", (unsigned long long)pfn);
	return r;
}

bool page_zone_exists(unsigned node)
{
	return page_zone[node].stats.total;
}

/* ---- free lists ---- */

static void page_push(struct page_zone *z, struct page_range *r, uint64_t pfn,
		      unsigned order)
{
	page_set_state(r, pfn, PAGE_FREE | order);
	list_add_head(&z->free[order], page_node(pfn));
}

/* Can it be a node of z's lists? What a stray store left there is not. */
static bool page_plausible(const struct page_zone *z, const struct list *n)
{
	return (uintptr_t)n - (uintptr_t)z->free < sizeof(z->free) ||
	       (IS_ALIGNED((uintptr_t)n, PAGE_SIZE) &&
		(uintptr_t)n - (uintptr_t)phys_to_virt(0) <
			page_range[page_nranges - 1].end << PAGE_SHIFT);
}

static void page_take(struct page_zone *z, struct page_range *r, uint64_t pfn)
{
	struct list *n = page_node(pfn);

	if (!page_plausible(z, n->next) || !page_plausible(z, n->prev) ||
	    n->next->prev != n || n->prev->next != n)
		panic("page: 0x%llx or a neighbour on its free list was written "
		      "to after it was freed",
		      (unsigned long long)pfn << PAGE_SHIFT);
	list_del(n);
	page_set_state(r, pfn, PAGE_INNER);
}

/* ---- carving ---- */

/* Put the next chunk of r, as large as alignment allows, on a free list. */
static bool page_carve(struct page_zone *z, struct page_range *r)
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
	page_push(z, r, pfn, order);
	return true;
}

/* From the last range down, so that low memory stays for who needs it. */
static bool page_carve_any(struct page_zone *z, phys_t limit)
{
	unsigned node = (unsigned)(z - page_zone);

	for (unsigned i = page_nranges; i-- > 0;) {
		struct page_range *r = &page_range[i];

		if (r->node == node && r->mark << PAGE_SHIFT < limit &&
		    page_carve(z, r))
			return true;
	}
	return false;
}

/* ---- allocating ---- */

static bool page_ends_below(uint64_t pfn, unsigned order, phys_t limit)
{
	return ((pfn + (UINT64_C(1) << order)) << PAGE_SHIFT) - 1 < limit;
}

/*
 * A free block of at least order below limit, and its order. Only the lists'
 * first blocks are looked at, unless all of them have to be.
 */
static struct list *page_find_locked(struct page_zone *z, unsigned order,
				     phys_t limit, bool all, unsigned *have)
{
	struct list *n;

	spin_assert_held(&z->lock);
	for (unsigned o = order; o <= PAGE_ORDER_MAX; o++) {
		struct list *head = &z->free[o];

		for (n = head->next; n != head; n = n->next) {
			*have = o;
			if (page_ends_below(page_pfn(n), order, limit))
				return n;
			if (!all)
				break;
		}
	}
	return NULL;
}

static struct list *page_obtain_locked(struct page_zone *z, unsigned order,
				       phys_t limit, unsigned *have)
{
	struct list *n;

	while (!(n = page_find_locked(z, order, limit, false, have)))
		if (!page_carve_any(z, limit))
			return limit == UINT64_MAX ? NULL :
			       page_find_locked(z, order, limit, true, have);
	return n;
}

/* Take the block of order have off its list, and keep 2^order pages of it. */
static struct page_range *page_cut_locked(struct page_zone *z, uint64_t pfn,
					  unsigned have, unsigned order)
{
	struct page_range *r = page_range_of(NULL, pfn);

	page_take(z, r, pfn);
	while (have > order) {
		have--;
		page_push(z, r, pfn + (UINT64_C(1) << have), have);
	}
	z->stats.free -= UINT64_C(1) << order;
	z->stats.low_water = MIN(z->stats.low_water, z->stats.free);
	return r;
}

void *page_zone_alloc(unsigned node, unsigned order, phys_t limit)
{
	struct page_zone *z = &page_zone[node];
	irqflags_t flags;
	struct list *n;
	unsigned have;

	if (!page_zone_exists(node))
		return NULL;
	flags = spin_lock(&z->lock);
	n = page_obtain_locked(z, order, limit, &have);
	if (n)
		page_set_state(page_cut_locked(z, page_pfn(n), have, order),
			       page_pfn(n), order);
	spin_unlock(&z->lock, flags);
	return n;
}

/* ---- to and from the caches ---- */

void page_link(struct page_links *p, struct page_links *below)
{
	p->next = (uintptr_t)below;
	p->prev = ~(uintptr_t)below;
}

struct page_links *page_below(const struct page_links *p)
{
	if (p->next != ~p->prev)
		panic("page: 0x%llx was written to after it was freed",
		      (unsigned long long)virt_to_phys(p));
	return (struct page_links *)p->next;
}

/* The block's pages onto *list, the first page uppermost. */
static void page_string_up(struct page_range *r, uint64_t pfn, unsigned n,
			   struct page_links **list)
{
	while (n--) {
		struct page_links *p = (struct page_links *)page_node(pfn + n);

		page_set_state(r, pfn + n, PAGE_CACHED);
		page_link(p, *list);
		*list = p;
	}
}

unsigned page_zone_take(unsigned node, unsigned n, struct page_links **list)
{
	struct page_zone *z = &page_zone[node];
	unsigned taken = 0, order, have;
	irqflags_t flags;
	struct list *l;

	*list = NULL;
	if (!page_zone_exists(node))
		return 0;
	flags = spin_lock(&z->lock);
	if (z->stats.free < PAGE_SCARCE)
		n = 1;
	while (taken < n) {
		l = page_obtain_locked(z, 0, UINT64_MAX, &have);
		if (!l)
			break;
		order = MIN(have, ilog2(n - taken));
		page_string_up(page_cut_locked(z, page_pfn(l), have, order),
			       page_pfn(l), 1u << order, list);
		taken += 1u << order;
	}
	spin_unlock(&z->lock, flags);
	return taken;
}

/* ---- freeing ---- */

static void page_free_locked(struct page_zone *z, struct page_range *r,
			     uint64_t pfn, unsigned order)
{
	uint64_t buddy;

	spin_assert_held(&z->lock);
	z->stats.free += UINT64_C(1) << order;
	page_set_state(r, pfn, PAGE_INNER);
	for (; order < PAGE_ORDER_MAX; order++) {
		buddy = pfn ^ (UINT64_C(1) << order);
		if (buddy < r->first || buddy >= r->mark ||
		    page_state(r, buddy) != (PAGE_FREE | order))
			break;
		page_take(z, r, buddy);
		pfn = MIN(pfn, buddy);
	}
	page_push(z, r, pfn, order);
}

void page_zone_free(struct page_range *r, uint64_t pfn, unsigned order)
{
	struct page_zone *z = &page_zone[r->node];
	irqflags_t flags = spin_lock(&z->lock);

	if (page_state(r, pfn) != order)
		panic("page: 0x%llx freed as order %u, but its state is 0x%x",
		      (unsigned long long)pfn << PAGE_SHIFT, order,
		      page_state(r, pfn));
	page_free_locked(z, r, pfn, order);
	spin_unlock(&z->lock, flags);
}

void page_zone_give(unsigned node, struct page_links *list)
{
	struct page_zone *z = &page_zone[node];
	irqflags_t flags = spin_lock(&z->lock);
	struct page_range *r = NULL;

	while (list) {
		struct page_links *p = list;
		uint64_t pfn = page_pfn(p);

		list = page_below(p);
		r = page_range_of(r, pfn);
		page_free_locked(z, r, pfn, 0);
	}
	spin_unlock(&z->lock, flags);
}

/* ---- at start ---- */

static void page_zone_init(struct page_zone *z)
{
	if (z->free[0].next)
		return;
	spin_init(&z->lock, "page zone");
	for (unsigned o = 0; o <= PAGE_ORDER_MAX; o++)
		list_init(&z->free[o]);
}

static void page_account(struct page_zone *z, uint64_t total, uint64_t unused)
{
	z->stats.total += total;
	z->stats.free += unused;
	z->stats.low_water = z->stats.free;
}

/* A place for a range that begins at first; NULL: there is no room. */
static struct page_range *page_range_new(uint64_t first)
{
	unsigned i = page_nranges;

	if (i == PAGE_RANGES)
		return NULL;
	for (; i && page_range[i - 1].first > first; i--)
		page_range[i] = page_range[i - 1];
	page_nranges++;
	return &page_range[i];
}

/* The state bytes take the range's own first pages. */
void page_add(phys_t pa, uint64_t size)
{
	uint64_t first = DIV_ROUND_UP(pa, (uint64_t)PAGE_SIZE);
	uint64_t end = (pa + size) >> PAGE_SHIFT;
	uint64_t meta;
	struct page_range *r;

	if (end <= first)
		return;
	meta = DIV_ROUND_UP(end - first, (uint64_t)PAGE_SIZE + 1);
	if (end - first <= meta)
		return;
	r = page_range_new(first + meta);
	if (!r)
		return;
	*r = (struct page_range){ first + meta, end, first + meta,
				  phys_to_virt(first << PAGE_SHIFT), 0 };
	page_zone_init(&page_zone[0]);
	page_account(&page_zone[0], end - r->first, end - r->first);
}

/* Make two of r: pages from pfn on, none of them carved, are the second. */
static void page_range_cut(struct page_range *r, uint64_t pfn)
{
	struct page_range *second;

	if (pfn <= r->first || pfn >= r->end)
		return;
	second = page_range_new(pfn);	/* above r, which so stays in place */
	if (!second)
		return;
	*second = *r;
	second->state += pfn - r->first;
	second->first = second->mark = pfn;
	r->end = pfn;
}

/* Hand r over to node: what is left of it, and its blocks on the free lists. */
static void page_range_move(struct page_range *r, unsigned node)
{
	struct page_zone *from = &page_zone[r->node], *to = &page_zone[node];
	uint64_t unused = r->end - r->mark;

	if (from == to)
		return;
	page_zone_init(to);
	for (unsigned o = 0; o <= PAGE_ORDER_MAX; o++) {
		struct list *n = from->free[o].next, *next;

		for (; n != &from->free[o]; n = next) {
			next = n->next;
			if (page_pfn(n) < r->first || page_pfn(n) >= r->mark)
				continue;
			list_del(n);
			list_add_head(&to->free[o], n);
			unused += UINT64_C(1) << o;
		}
	}
	r->node = node;
	page_account(from, -(r->end - r->first), -unused);
	page_account(to, r->end - r->first, unused);
}

/* What is carved already stays together: at start these are a few MiB. */
void page_place(phys_t pa, uint64_t size, unsigned node)
{
	uint64_t first = pa >> PAGE_SHIFT, end = (pa + size) >> PAGE_SHIFT;

	page_drain();
	for (unsigned i = 0; i < page_nranges; i++) {
		struct page_range *r = &page_range[i];

		if (r->end <= first || r->first >= end)
			continue;
		if (r->first < first) {
			page_range_cut(r, MAX(first, r->mark));
			continue;	/* the second one comes next */
		}
		page_range_cut(r, MAX(end, r->mark));
		page_range_move(r, node);
	}
}

void page_zone_stats(unsigned node, struct page_stats *st)
{
	struct page_zone *z = &page_zone[node];
	irqflags_t flags = spin_lock(&z->lock);

	*st = z->stats;
	spin_unlock(&z->lock, flags);
}

void page_zone_reset(void)
{
	memset(page_zone, 0, sizeof(page_zone));
	page_nranges = 0;
}
