/* SPDX-License-Identifier: MIT */
/* core/page.c: the buddy allocator, against a map of who owns which page. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/dma.h"
#include "core/page.h"
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

/* 10^5 random steps; every page of a block is stamped with its owner. */
START_TEST(random_use_never_hands_out_a_page_twice)
{
	enum { SLOTS = 256 };
	static struct { uint32_t *p; unsigned order; } slot[SLOTS];
	struct page_stats st;

	srand(1);
	page_add(MIB(1), MIB(5));
	page_add(MIB(16) + 5 * PAGE_SIZE, MIB(7));
	for (unsigned step = 0; step < 100000; step++) {
		unsigned s = (unsigned)rand() % SLOTS;

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
	tcase_add_test(tc, exhaustion_gives_null_and_everything_comes_back);
	tcase_add_test(tc, below_a_limit_means_the_last_byte_too);
	tcase_add_test(tc, low_memory_is_kept_for_who_needs_it);
	tcase_add_test(tc, memory_above_the_watermark_is_never_touched);
	tcase_add_test(tc, zeroed_pages_are_zero_even_after_use);
	tcase_add_test_raise_signal(tc, freeing_twice_panics, SIGABRT);
	tcase_add_test_raise_signal(tc, freeing_with_another_order_panics,
				    SIGABRT);
	tcase_add_test(tc, random_use_never_hands_out_a_page_twice);
	tcase_add_test(tc, order_of_a_size);
	return suite_run("page");
}
