/* SPDX-License-Identifier: MIT */
/*
 * Pages, heap and nodes on the machine itself: the caches of real CPUs, nodes
 * as this host's firmware describes them, memory down to the last page.
 *
 * Could be fooled: by a machine of one node, where everything is local (those
 * tests are skipped there); by a statistic that is wrong the same way before
 * and after (so pages are counted one by one when memory is used up, and that
 * count must be what the statistic promised); by recycled stacks and page
 * tables, which make an allocation that is to fail unnecessary (so the tests
 * that refuse one count the refusals).
 */
#include "blk/blk.h"
#include "core/clock.h"
#include "core/cpu.h"
#include "core/dma.h"
#include "core/heap.h"
#include "core/numa.h"
#include "core/page.h"
#include "core/percpu.h"
#include "core/poison.h"
#include "core/report.h"
#include "core/string.h"
#include "core/vm.h"
#include "sched/sched.h"

#define MEMORY_WAIT	(60 * NSEC_PER_SEC)	/* for what takes milliseconds */

/* Blocks that a test holds, linked through their first bytes. */
struct memory_block {
	struct memory_block *next;
	unsigned order;
};

static struct memory_block *memory_hold(struct memory_block *held, void *p,
					unsigned order)
{
	struct memory_block *b = p;

	b->next = held;
	b->order = order;
	return b;
}

static uint64_t memory_release(struct memory_block *held)
{
	uint64_t pages = 0;

	while (held) {
		struct memory_block *b = held;

		held = b->next;
		pages += UINT64_C(1) << b->order;
		page_free(b, b->order);
	}
	return pages;
}

static bool memory_node_has_any(unsigned node)
{
	struct page_stats st;

	page_stats_node(node, &st);
	return st.total;
}

/* The first of node's neighbours, itself included, that has memory. */
static unsigned memory_nearest(unsigned node)
{
	unsigned i = 0;

	while (i < node_count() - 1 && !memory_node_has_any(node_near(node, i)))
		i++;
	return node_near(node, i);
}

/* ---- nodes ---- */

struct memory_local {
	unsigned wrong, tried;
};

static void memory_try_local(void *arg)
{
	struct memory_local *l = arg;
	unsigned want = memory_nearest(cpu_node(cpu_id()));

	for (unsigned i = 0; i < 40; i++) {
		void *p = page_alloc(i % 4);

		l->tried += p != NULL;
		l->wrong += p && node_of(virt_to_phys(p)) != want;
		page_free(p, i % 4);
	}
}

KTEST(memory, every_cpu_gets_pages_of_its_own_node)
{
	if (node_count() == 1)
		return ktest_skip(t, "one node");
	for (unsigned c = 0; c < cpu_count(); c++) {
		struct memory_local l = { 0 };
		struct thread *th;

		KASSERT(t, !thread_create(c, memory_try_local, &l, "local",
					  &th));
		thread_join(th);
		KEXPECT_EQ(t, l.tried, 40);
		KEXPECT_EQ(t, l.wrong, 0);
	}
}

KTEST(memory, a_node_without_memory_gets_the_nearest)
{
	unsigned tried = 0;

	for (unsigned n = 0; n < node_count(); n++) {
		void *p;

		if (memory_node_has_any(n))
			continue;
		tried++;
		p = page_alloc_node(0, n);
		KASSERT(t, p);
		KEXPECT_EQ(t, node_of(virt_to_phys(p)), memory_nearest(n));
		page_free(p, 0);
	}
	if (!tried)
		ktest_skip(t, "every node has memory");
}

/*
 * Large blocks, so that a large machine's memory is not touched page by page.
 * What caches hold would come back to a nearer node when all else is used up.
 */
static void memory_fall_back(struct ktest_run *t, unsigned node)
{
	struct memory_block *held = NULL;
	unsigned at = 0, last = UINT32_MAX;
	void *p;

	page_drain();
	while ((p = page_alloc_node(PAGE_ORDER_MAX, node))) {
		unsigned got = node_of(virt_to_phys(p));

		held = memory_hold(held, p, PAGE_ORDER_MAX);
		if (got == last)
			continue;
		while (at < node_count() && node_near(node, at) != got)
			at++;
		last = got;
		if (!KEXPECT_MSG(t, at < node_count(),
				 "node %u: %u came after a farther one", node,
				 got))
			break;
	}
	KEXPECT(t, held != NULL);
	memory_release(held);
}

KTEST(memory, nodes_fall_back_in_the_order_of_distance)
{
	struct page_stats before, after;

	if (node_count() == 1)
		return ktest_skip(t, "one node");
	page_stats(&before);
	for (unsigned n = 0; n < node_count(); n++)
		memory_fall_back(t, n);
	page_stats(&after);
	KEXPECT_EQ(t, after.free, before.free);
}

KTEST(memory, each_page_is_on_the_node_that_counts_it)
{
	struct page_stats before, after;

	for (unsigned n = 0; n < node_count(); n++) {
		unsigned home;
		void *p = page_alloc_node(2, n);

		KASSERT(t, p);
		home = node_of(virt_to_phys(p));
		page_stats_node(home, &before);
		page_free(p, 2);
		page_stats_node(home, &after);
		KEXPECT_EQ(t, after.free, before.free + 4);
	}
}

/* ---- counting ---- */

KTEST(memory, pages_and_heap_give_back_what_they_took)
{
	struct page_stats before, after;
	size_t heap = heap_in_use();
	void *p[8];

	page_stats(&before);
	for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
		KEXPECT(t, (p[i] = page_alloc(i % 4)) != NULL);
	page_stats(&after);
	KEXPECT_EQ(t, before.free - after.free, 2 * (1 + 2 + 4 + 8));
	for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
		page_free(p[i], i % 4);
	page_stats(&after);
	KEXPECT_EQ(t, before.free, after.free);
	heap_free(heap_alloc(40));
	KEXPECT_EQ(t, heap_in_use(), heap);
}

KTEST(memory, draining_the_caches_loses_nothing)
{
	struct page_stats before, after;

	page_free(page_alloc(0), 0);
	page_stats(&before);
	KEXPECT(t, before.cached > 0);
	KEXPECT_EQ(t, page_drain(), before.cached);
	page_stats(&after);
	KEXPECT_EQ(t, after.cached, 0);
	KEXPECT_EQ(t, after.free, before.free);
	KEXPECT_EQ(t, after.total, before.total);
}

KTEST(memory, memory_below_the_image_is_not_handed_out)
{
	void *p = page_alloc_below(0, MIB(1));

	KEXPECT(t, p == NULL);
	page_free(p, 0);
}

KTEST(memory, all_of_it_can_be_used_and_comes_back)
{
	struct page_stats before, empty, after;
	struct memory_block *held = NULL;
	uint64_t taken = 0;
	void *p;

	page_stats(&before);
	for (unsigned o = PAGE_ORDER_MAX + 1; o-- > 0;)
		while ((p = page_alloc(o))) {
			held = memory_hold(held, p, o);
			taken += UINT64_C(1) << o;
		}
	page_stats(&empty);
	p = page_alloc_zero(0);
	KEXPECT_EQ(t, memory_release(held), taken);
	page_stats(&after);
	KEXPECT_EQ(t, taken, before.free);
	KEXPECT_EQ(t, empty.free, 0);
	KEXPECT(t, p == NULL);
	KEXPECT_EQ(t, after.free, before.free);
	p = page_alloc(PAGE_ORDER_MAX);
	KEXPECT_MSG(t, p || before.total < 4096, "no large block any more");
	page_free(p, PAGE_ORDER_MAX);
}

KTEST(memory, pages_asked_for_as_zero_are_zero)
{
	for (unsigned o = 0; o < 3; o++) {
		uint64_t *p = page_alloc(o), sum = 0;

		KASSERT(t, p);
		memset(p, 0xff, (size_t)PAGE_SIZE << o);
		page_free(p, o);
		p = page_alloc_zero(o);
		KASSERT(t, p);
		for (unsigned i = 0; i < PAGE_SIZE / 8 << o; i++)
			sum |= p[i];
		KEXPECT_EQ(t, sum, 0);
		page_free(p, o);
	}
}

/* ---- CPUs together ---- */

#define MEMORY_HANDED	10000

/* One CPU allocates into the slots, the other frees out of them. */
static struct {
	void *slot[64];
	unsigned made, freed, out;
	bool late;
} memory_hand;

static bool memory_wait_slot(unsigned i, bool full, nsec_t deadline)
{
	void **slot = &memory_hand.slot[i % ARRAY_SIZE(memory_hand.slot)];

	while ((__atomic_load_n(slot, __ATOMIC_ACQUIRE) != NULL) != full) {
		if (time_now() > deadline || READ_ONCE(memory_hand.late)) {
			WRITE_ONCE(memory_hand.late, true);
			return false;
		}
		thread_yield();
	}
	return true;
}

static void memory_make(void *arg)
{
	nsec_t deadline = time_now() + MEMORY_WAIT;

	while (memory_hand.made < MEMORY_HANDED &&
	       memory_wait_slot(memory_hand.made, false, deadline)) {
		uint64_t *p = page_alloc(0);

		if (!p) {
			memory_hand.out++;
			thread_yield();
			continue;
		}
		p[100] = memory_hand.made;
		__atomic_store_n(&memory_hand.slot[memory_hand.made++ %
				 ARRAY_SIZE(memory_hand.slot)], p,
				 __ATOMIC_RELEASE);
	}
}

static void memory_unmake(void *arg)
{
	nsec_t deadline = time_now() + MEMORY_WAIT;
	unsigned i = 0;

	for (; i < MEMORY_HANDED && memory_wait_slot(i, true, deadline); i++) {
		void **slot = &memory_hand.slot[i %
						ARRAY_SIZE(memory_hand.slot)];
		uint64_t *p = *slot;

		memory_hand.freed += p[100] == i;
		page_free(p, 0);
		__atomic_store_n(slot, NULL, __ATOMIC_RELEASE);
	}
}

KTEST(memory, ten_thousand_pages_go_from_one_cpu_to_another)
{
	struct page_stats before, after;
	struct thread *a, *b;

	page_stats(&before);
	memset(&memory_hand, 0, sizeof(memory_hand));
	KASSERT(t, !thread_create(0, memory_make, NULL, "make", &a));
	KEXPECT(t, !thread_create(cpu_count() - 1, memory_unmake, NULL,
				  "unmake", &b));
	thread_join(a);
	thread_join(b);
	KEXPECT(t, !memory_hand.late);
	KEXPECT_EQ(t, memory_hand.freed, MEMORY_HANDED);
	page_stats(&after);
	/* Two stacks may have been made for it, and are kept. */
	KEXPECT(t, before.free - after.free <= 2 * STACK_SIZE / PAGE_SIZE + 4);
}

#define MEMORY_OWNED	24
#define MEMORY_STEPS	600

/* Stamps what it holds; whoever gets a page that it holds spoils the stamp. */
static void memory_own(void *arg)
{
	unsigned *spoilt = arg, seed = cpu_id() * 2654435761u + 1;
	struct { uint64_t *p; unsigned order; } own[MEMORY_OWNED] = { 0 };

	for (unsigned step = 0; step < MEMORY_STEPS; step++) {
		unsigned i;

		seed = seed * 1664525 + 1013904223;
		i = (seed >> 8) % MEMORY_OWNED;
		if (own[i].p) {
			*spoilt += own[i].p[64] != (uintptr_t)&own[i];
			page_free(own[i].p, own[i].order);
			own[i].p = NULL;
			continue;
		}
		own[i].order = seed >> 28 ? 0 : 2;
		own[i].p = page_alloc(own[i].order);
		if (own[i].p)
			own[i].p[64] = (uintptr_t)&own[i];
	}
	for (unsigned i = 0; i < MEMORY_OWNED; i++)
		page_free(own[i].p, own[i].order);
}

#define MEMORY_CPUS	8

KTEST(memory, cpus_that_allocate_together_share_no_page)
{
	unsigned spoilt[MEMORY_CPUS] = { 0 };
	struct thread *th[MEMORY_CPUS];
	struct page_stats before, after;
	unsigned cpus = MIN(cpu_count(), (unsigned)MEMORY_CPUS), n = 0;

	for (unsigned round = 0; round < 2; round++) {
		page_stats(&before);	/* of the last: stacks are made by then */
		for (n = 0; n < cpus; n++)
			if (!KEXPECT(t, !thread_create(n, memory_own, &spoilt[n],
						       "own", &th[n])))
				break;
		while (n--) {
			thread_join(th[n]);
			KEXPECT_EQ(t, spoilt[n], 0);
		}
	}
	page_stats(&after);
	KEXPECT_EQ(t, after.free, before.free);
}

/* ---- poison ---- */

KTEST(memory, freed_memory_is_filled_with_debug_poison)
{
	uint64_t *p, *h;

	if (!poison_on)
		return ktest_skip(t, "debug=poison is not on the command line");
	p = page_alloc(0);
	h = heap_alloc(64);
	KASSERT(t, p && h);
	p[300] = h[5] = 1;
	page_free(p, 0);
	KEXPECT(t, READ_ONCE(p[300]) == READ_ONCE(p[511]) && p[300] > 1);
	heap_free(h);
	KEXPECT(t, READ_ONCE(h[5]) == READ_ONCE(p[300]));
}

/* ---- every allocation fails once ---- */

static struct {
	struct thread *who;
	unsigned seen, nth;		/* nth 0: count only */
	bool hit;
} memory_fail;

/* Only what this thread asks for, and not from within an interrupt. */
static bool memory_refuse(void)
{
	if (thread_self() != memory_fail.who || this_cpu()->in_irq)
		return false;
	memory_fail.hit |= ++memory_fail.seen == memory_fail.nth;
	return memory_fail.seen == memory_fail.nth;
}

static bool memory_attempt(int (*fn)(void), unsigned nth, int *err)
{
	memory_fail.who = thread_self();
	memory_fail.seen = 0;
	memory_fail.nth = nth;
	memory_fail.hit = false;
	WRITE_ONCE(page_gate, memory_refuse);
	*err = fn();
	WRITE_ONCE(page_gate, NULL);
	return memory_fail.hit;
}

/*
 * The first failure at each place may leave something that is kept for the next
 * time (a page table); the second must leave nothing.
 */
static unsigned memory_sweep(struct ktest_run *t, const char *what,
			     int (*fn)(void))
{
	unsigned n = 0;

	for (;;) {
		struct page_stats before, after;
		size_t heap;
		int err, again;
		bool hit = memory_attempt(fn, n + 1, &err);

		if (!hit) {
			KEXPECT_MSG(t, !err, "%s: %s without a refusal", what,
				    errno_name(err));
			return n;
		}
		page_stats(&before);
		heap = heap_in_use();
		hit = memory_attempt(fn, n + 1, &again);
		page_stats(&after);
		KEXPECT_MSG(t, err == -ENOMEM && (!hit || again == -ENOMEM),
			    "%s: allocation %u refused, but it says %s", what,
			    n + 1, errno_name(err ? again : err));
		if (hit)
			KEXPECT_MSG(t, before.free == after.free &&
				    heap == heap_in_use(),
				    "%s: allocation %u refused: a leak", what,
				    n + 1);
		if (!hit)
			return n + 1;	/* what is kept made it unnecessary */
		n++;
	}
}

static int memory_do_page(void)
{
	void *p = page_alloc_zero(0);

	page_free(p, 0);
	return p ? 0 : -ENOMEM;
}

/* A class of which nothing is free, so that a page is needed too. */
static int memory_do_heap(void)
{
	void *p[5], **q = p;
	int err = 0;

	for (; q < p + ARRAY_SIZE(p) && !err; q++) {
		*q = heap_alloc(1000);
		err = *q ? 0 : -ENOMEM;
	}
	while (q-- > p)
		heap_free(*q);
	return err;
}

static int memory_do_large(void)
{
	void *p = heap_zalloc(20000);

	heap_free(p);
	return p ? 0 : -ENOMEM;
}

static int memory_do_map(void)
{
	void *p = vm_map(0, 3 * PAGE_SIZE, 0);

	if (p)
		vm_unmap(p, 3 * PAGE_SIZE);
	return p ? 0 : -ENOMEM;
}

static int memory_do_stack(void)
{
	void *p = stack_alloc();

	if (p)
		stack_free(p);
	return p ? 0 : -ENOMEM;
}

static void memory_nothing(void *arg)
{
}

static int memory_do_thread(void)
{
	struct thread *th;
	int err = thread_create(cpu_id(), memory_nothing, NULL, "none", &th);

	if (!err)
		thread_join(th);
	return err;
}

static int memory_do_read(void)
{
	struct blk_dev *bd = blk_get(0);
	void *p = heap_alloc(4096);
	int err = p ? blk_read(bd, 0, p, 4096) : -ENOMEM;

	heap_free(p);
	return err;
}

KTEST(memory, every_allocation_of_pages_and_heap_fails_once)
{
	unsigned sites = memory_sweep(t, "page", memory_do_page);

	sites += memory_sweep(t, "heap", memory_do_heap);
	sites += memory_sweep(t, "large", memory_do_large);
	KEXPECT(t, sites >= 4);
	ktest_metric("failed_once", sites, "allocations");
}

KTEST(memory, every_allocation_of_a_mapping_fails_once)
{
	unsigned sites = 0;

	/* Tables are kept: go on until a mapping has needed a new one. */
	for (unsigned i = 0; i < 600 && !sites; i++)
		sites = memory_sweep(t, "map", memory_do_map);
	KEXPECT(t, sites > 0);
	ktest_metric("failed_once", sites, "allocations");
}

/* Take all stacks that lie ready, so that the next one has to be made. */
static void **memory_take_stacks(void)
{
	void **held = NULL, **top;
	int err;

	do {
		memory_attempt(memory_do_stack, 0, &err);
		if (memory_fail.seen)
			break;
		top = stack_alloc();
		if (top) {
			top[-2] = held;
			held = top;
		}
	} while (top);
	/* That last one lies ready again. */
	top = stack_alloc();
	if (top) {
		top[-2] = held;
		held = top;
	}
	return held;
}

static void memory_return_stacks(void **held)
{
	while (held) {
		void **top = held;

		held = top[-2];
		stack_free(top);
	}
}

KTEST(memory, every_allocation_of_a_thread_fails_once)
{
	void **held = memory_take_stacks();
	unsigned sites = memory_sweep(t, "thread", memory_do_thread);

	memory_return_stacks(held);
	KEXPECT(t, sites > 0);
	ktest_metric("failed_once", sites, "allocations");
}

KTEST(memory, every_allocation_of_a_read_fails_once)
{
	struct blk_dev *bd = blk_get(0);
	uint64_t before = heap_allocs();
	unsigned sites;

	if (!bd || bd->blocks * bd->block_size < 4096)
		return ktest_skip(t, "no disk");
	KASSERT(t, !memory_do_read());
	ktest_metric("heap_allocs_a_read", heap_allocs() - before - 1,
		     "allocations");
	sites = memory_sweep(t, "read", memory_do_read);
	KEXPECT(t, sites >= 2);
	ktest_metric("failed_once", sites, "allocations");
}

/* ---- how long it takes ---- */

#define MEMORY_TIMES	200

/* order 1 goes to the node's lists, as every page did before there were caches. */
static nsec_t memory_time_pages(unsigned order)
{
	nsec_t begin = time_now();

	for (unsigned i = 0; i < MEMORY_TIMES; i++)
		page_free(page_alloc(order), order);
	return (time_now() - begin) / MEMORY_TIMES;
}

static nsec_t memory_time_heap(void)
{
	nsec_t begin = time_now();

	for (unsigned i = 0; i < MEMORY_TIMES; i++)
		heap_free(heap_alloc(64));
	return (time_now() - begin) / MEMORY_TIMES;
}

KTEST(memory, a_page_and_an_object_in_so_many_nanoseconds)
{
	KEXPECT(t, memory_time_pages(0) && memory_time_pages(1));
	ktest_metric("page_alloc_free_cached", memory_time_pages(0), "ns");
	ktest_metric("page_alloc_free_order1", memory_time_pages(1), "ns");
	ktest_metric("heap_alloc_free_64", memory_time_heap(), "ns");
}
