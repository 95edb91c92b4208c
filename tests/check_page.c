/* SPDX-License-Identifier: MIT */
/*
 * core/page.c and core/page_zone.c: the buddy allocator, the CPUs' caches and
 * the nodes, against a map of who owns which page. The caches hide much of the
 * allocator from a test that takes single pages: where it matters, the test
 * drains them or asks for larger blocks.
 */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "core/dma.h"
#include "core/numa.h"
#include "core/page.h"
#include "core/poison.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

/* host_start() has given the allocator the whole arena; take it back. */
static void setup(void)
{
	host_start();
	page_reset();
}

static void teardown(void)
{
	page_reset();
	page_add(MIB(1), HOST_RAM - MIB(1));
	host_finish();
}

START_TEST(blocks_are_aligned_to_their_size)
{
	page_add(MIB(1) + 3 * PAGE_SIZE, MIB(20));
	for (unsigned o = 0; o <= PAGE_ORDER_MAX; o++) {
		void *p = page_alloc(o);

		ck_assert_ptr_nonnull(p);
		ck_assert_uint_eq(virt_to_phys(p) % (PAGE_SIZE << o), 0);
		page_free(p, o);
	}
}
END_TEST

START_TEST(partial_pages_at_the_ends_are_lost)
{
	struct page_stats st;

	page_add(MIB(1) + 1, 3 * PAGE_SIZE);	/* two whole ones: one for state */
	page_stats(&st);
	ck_assert_uint_eq(st.total, 1);
	page_add(MIB(2) + 1, PAGE_SIZE);	/* none */
	page_stats(&st);
	ck_assert_uint_eq(st.total, 1);
}
END_TEST

START_TEST(no_memory_at_all_gives_null)
{
	ck_assert_ptr_null(page_alloc(0));
	ck_assert_ptr_null(page_alloc(PAGE_ORDER_MAX));
	ck_assert_ptr_null(page_alloc_below(0, MIB(1)));
	ck_assert_uint_eq(page_drain(), 0);
}
END_TEST

START_TEST(exhaustion_gives_null_and_everything_comes_back)
{
	static void *p[4096];
	struct page_stats st;
	unsigned n = 0;

	page_add(MIB(1), MIB(8));
	page_stats(&st);
	while ((p[n] = page_alloc(0)))
		n++;
	ck_assert_uint_eq(n, st.total);
	page_stats(&st);
	ck_assert_uint_eq(st.free, 0);
	ck_assert_uint_eq(st.low_water, 0);
	while (n--)
		page_free(p[n], 0);
	page_stats(&st);
	ck_assert_uint_eq(st.free, st.total);
	/* Merged again: the largest blocks are there. */
	ck_assert_ptr_nonnull(page_alloc(PAGE_ORDER_MAX));
}
END_TEST

START_TEST(below_a_limit_means_the_last_byte_too)
{
	void *p;

	page_add(MIB(8), MIB(16));
	p = page_alloc_below(2, MIB(10));
	ck_assert_ptr_nonnull(p);
	ck_assert_uint_le(virt_to_phys(p) + 4 * PAGE_SIZE, MIB(10));
	ck_assert_ptr_null(page_alloc_below(0, MIB(8)));
}
END_TEST

START_TEST(low_memory_is_kept_for_who_needs_it)
{
	void *p;

	page_add(MIB(1), MIB(4));
	page_add(MIB(32), MIB(4));
	p = page_alloc(0);
	ck_assert_uint_ge(virt_to_phys(p), MIB(32));
}
END_TEST

START_TEST(memory_above_the_watermark_is_never_touched)
{
	uint8_t *far = phys_to_virt(MIB(40));

	memset(far, 0xa5, PAGE_SIZE);
	page_add(MIB(1), MIB(60));
	page_free(page_alloc(0), 0);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		ck_assert_uint_eq(far[i], 0xa5);
}
END_TEST

START_TEST(zeroed_pages_are_zero_even_after_use)
{
	uint8_t *p;

	page_add(MIB(1), 8 * PAGE_SIZE);
	p = page_alloc(1);
	memset(p, 0xff, 2 * PAGE_SIZE);
	page_free(p, 1);
	p = page_alloc_zero(1);
	for (unsigned i = 0; i < 2 * PAGE_SIZE; i++)
		ck_assert_uint_eq(p[i], 0);
}
END_TEST

START_TEST(freeing_twice_panics)
{
	void *p;

	page_add(MIB(1), MIB(1));
	p = page_alloc(0);
	page_free(p, 0);
	page_free(p, 0);
}
END_TEST

START_TEST(freeing_with_another_order_panics)
{
	page_add(MIB(1), MIB(1));
	page_free(page_alloc(1), 0);
}
END_TEST

/* ---- caches ---- */

START_TEST(the_page_freed_last_is_handed_out_first)
{
	void *a, *b;

	page_add(MIB(1), MIB(8));
	a = page_alloc(0);
	b = page_alloc(0);
	page_free(a, 0);
	page_free(b, 0);
	ck_assert_ptr_eq(page_alloc(0), b);
	ck_assert_ptr_eq(page_alloc(0), a);
}
END_TEST

START_TEST(cached_pages_are_free_and_counted)
{
	struct page_stats st;
	void *p;

	page_add(MIB(1), MIB(8));
	p = page_alloc(0);
	page_stats(&st);
	ck_assert_uint_eq(st.free, st.total - 1);
	ck_assert_uint_gt(st.cached, 0);
	page_free(p, 0);
	page_stats(&st);
	ck_assert_uint_eq(st.free, st.total);
	ck_assert_uint_eq(page_drain(), st.cached);
	page_stats(&st);
	ck_assert_uint_eq(st.free, st.total);
	ck_assert_uint_eq(st.cached, 0);
}
END_TEST

/* Freed on one CPU, needed by the other, which has to empty that cache. */
START_TEST(a_page_in_another_cpus_cache_is_found_when_memory_is_out)
{
	static void *p[4096];
	struct page_stats st;
	unsigned n = 0;

	host_set_cpus(3);
	page_add(MIB(1), MIB(8));
	while ((p[n] = page_alloc(0)))
		n++;
	host_run_as(2);
	page_free(p[--n], 0);
	page_stats(&st);
	ck_assert_uint_eq(st.free, 1);
	host_run_as(1);
	ck_assert_ptr_eq(page_alloc(0), p[n]);
	ck_assert_ptr_null(page_alloc(0));
	page_free(p[n], 0);
	while (n--) {
		host_run_as(n % 3);
		page_free(p[n], 0);
	}
	page_stats(&st);
	ck_assert_uint_eq(st.free, st.total);
	/* A large block too needs what lies in the caches. */
	ck_assert_ptr_nonnull(page_alloc(PAGE_ORDER_MAX));
}
END_TEST

START_TEST(a_cache_holds_no_more_than_32_pages)
{
	static void *p[500];
	struct page_stats st;

	page_add(MIB(1), MIB(8));
	for (unsigned i = 0; i < 500; i++)
		p[i] = page_alloc(0);
	for (unsigned i = 0; i < 500; i++) {
		page_free(p[i], 0);
		page_stats(&st);
		ck_assert_uint_le(st.cached, 32);
		ck_assert_uint_eq(st.free, st.total - 499 + i);
	}
}
END_TEST

START_TEST(a_cached_page_freed_again_by_another_cpu_panics)
{
	void *p;

	host_set_cpus(2);
	page_add(MIB(1), MIB(8));
	p = page_alloc(0);
	page_free(p, 0);
	host_run_as(1);
	page_free(p, 0);
}
END_TEST

/* The links at the beginning of a free page guard themselves. */
START_TEST(a_store_to_a_cached_page_is_noticed)
{
	uint64_t *p;

	page_add(MIB(1), MIB(8));
	p = page_alloc(0);
	page_free(p, 0);
	p[0] = 0x1234;
	page_alloc(0);
}
END_TEST

START_TEST(a_store_to_a_free_block_is_noticed)
{
	uint64_t *p;

	page_add(MIB(1), MIB(8));
	p = page_alloc(3);
	page_alloc(3);
	page_free(p, 3);
	p[_i] = 0x41414141;
	page_alloc(3);
}
END_TEST

/* ---- nodes ---- */

/* 1-13 MiB node 0, 13-25 node 1, 25-37 node 2; CPU n is on node n; 3: none. */
static struct acpi_srat srat;

static void add_node(phys_t base, uint64_t size, uint32_t node)
{
	srat.mem[srat.nmems].base = base;
	srat.mem[srat.nmems].size = size;
	srat.mem[srat.nmems++].node = node;
}

static void four_nodes(void)
{
	static struct acpi_slit slit = { .n = 4, .distance = {
		{ 10, 30, 20, 20 }, { 30, 10, 20, 20 },
		{ 20, 30, 10, 20 }, { 30, 11, 20, 10 } } };

	host_set_cpus(4);
	for (unsigned i = 0; i < 4; i++) {
		srat.cpu[i].apic_id = i;
		srat.cpu[srat.ncpus++].node = i;
	}
	for (unsigned i = 0; i < 3; i++)
		add_node(MIB(1) + i * MIB(12), MIB(12), i);
	page_add(MIB(1), MIB(36));
	ck_assert_uint_eq(numa_build(&srat, &slit, NULL), 0);
}

START_TEST(each_cpu_gets_pages_of_its_own_node)
{
	four_nodes();
	for (unsigned cpu = 0; cpu < 3; cpu++) {
		host_run_as(cpu);
		for (unsigned o = 0; o <= 3; o++) {
			void *p = page_alloc(o);

			ck_assert_uint_eq(node_of(virt_to_phys(p)), cpu);
			page_free(p, o);
		}
	}
}
END_TEST

START_TEST(a_cpu_without_memory_gets_the_nearest)
{
	four_nodes();
	host_run_as(3);
	ck_assert_uint_eq(node_of(virt_to_phys(page_alloc(0))), 1);
	ck_assert_uint_eq(node_of(virt_to_phys(page_alloc(2))), 1);
	ck_assert_uint_eq(node_of(virt_to_phys(page_alloc_node(0, 3))), 1);
}
END_TEST

START_TEST(nodes_fall_back_in_the_order_of_distance)
{
	static const unsigned order[] = { 0, 2, 1 };
	unsigned at = 0, got[3] = { 0 };
	struct page_stats st;
	void *p;

	four_nodes();
	while ((p = page_alloc_node(0, 0))) {
		unsigned node = node_of(virt_to_phys(p));

		while (order[at] != node)
			ck_assert_uint_lt(++at, 3);
		got[node]++;
	}
	for (unsigned i = 0; i < 3; i++) {
		page_stats_node(i, &st);
		ck_assert_uint_gt(got[i], 0);
		ck_assert_uint_eq(got[i], st.total);
		ck_assert_uint_eq(st.free, 0);
	}
}
END_TEST

START_TEST(a_page_freed_far_from_home_goes_home)
{
	struct page_stats before, after;
	void *p;

	four_nodes();
	host_run_as(1);
	page_free(page_alloc(0), 0);
	page_stats_node(1, &before);
	host_run_as(0);
	p = page_alloc(0);
	host_run_as(1);
	page_free(p, 0);
	page_stats_node(1, &after);
	ck_assert_uint_eq(after.cached, before.cached);
	ck_assert_uint_eq(after.free, after.total);
	page_stats_node(0, &after);
	ck_assert_uint_eq(after.free, after.total);
}
END_TEST

/* Blocks in use, free, and not carved yet change hands together. */
START_TEST(pages_in_use_while_nodes_are_found_stay_accounted)
{
	struct page_stats st, sum = { 0 };
	void *p[5];

	page_add(MIB(1), MIB(36));
	for (unsigned i = 0; i < 5; i++)
		p[i] = page_alloc(i);
	page_free(p[1], 1);
	page_free(p[3], 3);
	add_node(MIB(1), MIB(12), 1);
	add_node(MIB(13), MIB(24), 0);
	numa_build(&srat, NULL, NULL);
	for (unsigned i = 0; i < 2; i++) {
		page_stats_node(i, &st);
		ck_assert_uint_gt(st.total, 0);
		sum.total += st.total;
		sum.free += st.free;
	}
	ck_assert_uint_eq(sum.total - sum.free, 1 + 4 + 16);
	for (unsigned i = 0; i < 5; i += 2) {
		ck_assert_uint_eq(node_of(virt_to_phys(p[i])), 1);
		page_free(p[i], i);
	}
	page_stats(&st);
	ck_assert_uint_eq(st.free, st.total);
	for (unsigned o = 0; o <= PAGE_ORDER_MAX; o++)
		ck_assert_uint_eq(node_of(virt_to_phys(page_alloc_node(o, 1))),
				  1);
}
END_TEST

START_TEST(a_limit_holds_on_every_node)
{
	void *p;
	unsigned n = 0;

	four_nodes();
	host_run_as(2);
	while ((p = page_alloc_below(0, MIB(14)))) {
		ck_assert_uint_lt(virt_to_phys(p), MIB(14));
		n++;
	}
	ck_assert_uint_gt(n, MIB(12) / PAGE_SIZE);
	ck_assert_ptr_nonnull(page_alloc(0));
}
END_TEST

/* ---- poison ---- */

START_TEST(poison_finds_a_store_after_free)
{
	uint8_t *p;

	poison_on = true;
	page_add(MIB(1), MIB(8));
	p = page_alloc((unsigned)_i);
	page_free(p, (unsigned)_i);
	p[(PAGE_SIZE << _i) - 1] ^= 1;
	page_alloc((unsigned)_i);
}
END_TEST

START_TEST(poison_finds_freeing_twice)
{
	void *p;

	poison_on = true;
	page_add(MIB(1), MIB(8));
	p = page_alloc(2);
	page_free(p, 2);
	page_free(p, 2);
}
END_TEST

/*
 * 10^5 random steps on random CPUs; every page of a block is stamped with its
 * owner. Plain, poisoned, and on two nodes with CPUs on both.
 */
START_TEST(random_use_never_hands_out_a_page_twice)
{
	enum { SLOTS = 256 };
	static struct { uint32_t *p; unsigned order; } slot[SLOTS];
	struct page_stats st;

	srand(1);
	poison_on = _i == 1;
	host_set_cpus(3);
	page_add(MIB(1), MIB(5));
	page_add(MIB(16) + 5 * PAGE_SIZE, MIB(7));
	if (_i == 2) {
		add_node(MIB(1), MIB(2), 0);
		add_node(MIB(3), MIB(30), 1);
		for (unsigned i = 0; i < 3; i++) {
			srat.cpu[i].apic_id = i;
			srat.cpu[srat.ncpus++].node = i % 2;
		}
		numa_build(&srat, NULL, NULL);
	}
	for (unsigned step = 0; step < 100000; step++) {
		unsigned s = (unsigned)rand() % SLOTS;

		host_run_as((unsigned)rand() % 3);
		if (slot[s].p) {
			for (unsigned i = 0; i < 1u << slot[s].order; i++)
				ck_assert_uint_eq(
					slot[s].p[i * PAGE_SIZE / 4], s);
			page_free(slot[s].p, slot[s].order);
			slot[s].p = NULL;
			continue;
		}
		slot[s].order = (unsigned)rand() % 5;
		slot[s].p = page_alloc(slot[s].order);
		for (unsigned i = 0; slot[s].p && i < 1u << slot[s].order; i++)
			slot[s].p[i * PAGE_SIZE / 4] = s;
	}
	for (unsigned s = 0; s < SLOTS; s++)
		page_free(slot[s].p, slot[s].order);
	page_stats(&st);
	ck_assert_uint_eq(st.free, st.total);
}
END_TEST

START_TEST(order_of_a_size)
{
	ck_assert_uint_eq(page_order(1), 0);
	ck_assert_uint_eq(page_order(PAGE_SIZE), 0);
	ck_assert_uint_eq(page_order(PAGE_SIZE + 1), 1);
	ck_assert_uint_eq(page_order(MIB(4)), PAGE_ORDER_MAX);
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("page", setup, teardown, 0);

	tcase_add_test(tc, blocks_are_aligned_to_their_size);
	tcase_add_test(tc, partial_pages_at_the_ends_are_lost);
	tcase_add_test(tc, no_memory_at_all_gives_null);
	tcase_add_test(tc, exhaustion_gives_null_and_everything_comes_back);
	tcase_add_test(tc, below_a_limit_means_the_last_byte_too);
	tcase_add_test(tc, low_memory_is_kept_for_who_needs_it);
	tcase_add_test(tc, memory_above_the_watermark_is_never_touched);
	tcase_add_test(tc, zeroed_pages_are_zero_even_after_use);
	tcase_add_test_raise_signal(tc, freeing_twice_panics, SIGABRT);
	tcase_add_test_raise_signal(tc, freeing_with_another_order_panics,
				    SIGABRT);
	tcase_add_loop_test(tc, random_use_never_hands_out_a_page_twice, 0, 3);
	tcase_add_test(tc, order_of_a_size);
	tcase_add_test(tc, the_page_freed_last_is_handed_out_first);
	tcase_add_test(tc, cached_pages_are_free_and_counted);
	tcase_add_test(tc,
		a_page_in_another_cpus_cache_is_found_when_memory_is_out);
	tcase_add_test(tc, a_cache_holds_no_more_than_32_pages);
	tcase_add_test_raise_signal(tc,
		a_cached_page_freed_again_by_another_cpu_panics, SIGABRT);
	tcase_add_test_raise_signal(tc, a_store_to_a_cached_page_is_noticed,
				    SIGABRT);
	tcase_add_loop_test_raise_signal(tc, a_store_to_a_free_block_is_noticed,
					 SIGABRT, 0, 2);
	tcase_add_test(tc, each_cpu_gets_pages_of_its_own_node);
	tcase_add_test(tc, a_cpu_without_memory_gets_the_nearest);
	tcase_add_test(tc, nodes_fall_back_in_the_order_of_distance);
	tcase_add_test(tc, a_page_freed_far_from_home_goes_home);
	tcase_add_test(tc, pages_in_use_while_nodes_are_found_stay_accounted);
	tcase_add_test(tc, a_limit_holds_on_every_node);
	tcase_add_loop_test_raise_signal(tc, poison_finds_a_store_after_free,
					 SIGABRT, 0, 3);
	tcase_add_test_raise_signal(tc, poison_finds_freeing_twice, SIGABRT);
	return suite_run("page");
}
