/* SPDX-License-Identifier: MIT */
/* viommu/iova.c against a byte per page. */
#include "viommu/iova.h"

#include <check.h>
#include <string.h>

#include "core/bits.h"
#include "core/errno.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

#define MSI_FIRST	0xfee00000u
#define MSI_LAST	0xfeefffffu

static uint64_t rng_state;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

static uint64_t rounded(uint64_t size)
{
	uint64_t pages = DIV_ROUND_UP(size, PAGE_SIZE);

	return pages > 512 ? pages : UINT64_C(1) << ilog2_up(pages);
}

START_TEST(the_first_range_is_the_highest)
{
	struct iova_space s;
	iova_t a, b;

	ck_assert_int_eq(iova_init(&s, PAGE_SIZE, (UINT64_C(1) << 39) - 1), 0);
	ck_assert_int_eq(iova_alloc(&s, 1, UINT64_MAX, &a), 0);
	ck_assert_uint_eq(a, (UINT64_C(1) << 39) - PAGE_SIZE);
	ck_assert_int_eq(iova_alloc(&s, PAGE_SIZE, UINT64_MAX, &b), 0);
	ck_assert_uint_eq(b, a - PAGE_SIZE);
	iova_fini(&s);
}
END_TEST

START_TEST(a_freed_range_is_the_next_of_its_size)
{
	struct iova_space s;
	iova_t a, b, c;

	ck_assert_int_eq(iova_init(&s, PAGE_SIZE, GIB(1) - 1), 0);
	ck_assert_int_eq(iova_alloc(&s, 3 * PAGE_SIZE, UINT64_MAX, &a), 0);
	ck_assert_int_eq(iova_alloc(&s, PAGE_SIZE, UINT64_MAX, &b), 0);
	iova_free(&s, a, 3 * PAGE_SIZE);
	ck_assert_int_eq(iova_alloc(&s, 4 * PAGE_SIZE, UINT64_MAX, &c), 0);
	ck_assert_uint_eq(a, c);
	iova_fini(&s);
}
END_TEST

START_TEST(alignment_is_the_size_up_to_two_mib)
{
	struct iova_space s;

	ck_assert_int_eq(iova_init(&s, PAGE_SIZE, GIB(4) - 1), 0);
	for (uint64_t size = 1; size < MIB(9); size = size * 3 + 1) {
		uint64_t align = MIN(rounded(size) * PAGE_SIZE, MIB(2));
		iova_t a;

		ck_assert_int_eq(iova_alloc(&s, size, UINT64_MAX, &a), 0);
		ck_assert_uint_eq(a % (UINT64_C(1) << ilog2(align)), 0);
	}
	iova_fini(&s);
}
END_TEST

START_TEST(no_byte_lies_above_the_limit)
{
	static const uint64_t limits[] = {
		0xffffffff, 0x7fffffff, 0xfffff, 0x12345fff, 0x12346ffe,
	};
	struct iova_space s;
	iova_t a;

	ck_assert_int_eq(iova_init(&s, PAGE_SIZE, (UINT64_C(1) << 48) - 1), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(limits) * 40; i++) {
		uint64_t limit = limits[i % ARRAY_SIZE(limits)];

		ck_assert_int_eq(iova_alloc(&s, PAGE_SIZE << i % 3, limit, &a),
				 0);
		ck_assert_uint_le(a + (PAGE_SIZE << i % 3) - 1, limit);
		if (i % 4 == 0)
			iova_free(&s, a, PAGE_SIZE << i % 3);
	}
	ck_assert_int_eq(iova_alloc(&s, 1, PAGE_SIZE - 1, &a), -ENOSPC);
	ck_assert_int_eq(iova_alloc(&s, 1, 0, &a), -ENOSPC);
	iova_fini(&s);
}
END_TEST

START_TEST(odd_ends_are_cut_to_whole_pages)
{
	struct iova_space s;
	iova_t a;

	ck_assert_int_eq(iova_init(&s, 1, 2 * PAGE_SIZE + 5), 0);
	ck_assert_int_eq(iova_alloc(&s, 1, UINT64_MAX, &a), 0);
	ck_assert_uint_eq(a, PAGE_SIZE);
	ck_assert_int_eq(iova_alloc(&s, 1, UINT64_MAX, &a), -ENOSPC);
	iova_fini(&s);
	ck_assert_int_eq(iova_init(&s, 1, PAGE_SIZE), -EINVAL);
	ck_assert_int_eq(iova_init(&s, 9, 8), -EINVAL);
}
END_TEST

START_TEST(the_whole_of_64_bits_can_be_a_space)
{
	struct iova_space s;
	iova_t a;

	ck_assert_int_eq(iova_init(&s, 0, UINT64_MAX), 0);
	ck_assert_int_eq(iova_alloc(&s, GIB(1), UINT64_MAX, &a), 0);
	ck_assert_uint_eq(a, 0 - GIB(1));
	ck_assert_int_eq(iova_reserve(&s, 0, UINT64_MAX), -EBUSY);
	iova_free(&s, a, GIB(1));
	ck_assert_int_eq(iova_reserve(&s, 0, UINT64_MAX), 0);
	ck_assert_int_eq(iova_alloc(&s, 1, UINT64_MAX, &a), -ENOSPC);
	iova_fini(&s);
}
END_TEST

START_TEST(nothing_of_size_zero)
{
	struct iova_space s;
	iova_t a;

	ck_assert_int_eq(iova_init(&s, 0, GIB(1) - 1), 0);
	ck_assert_int_eq(iova_alloc(&s, 0, UINT64_MAX, &a), -EINVAL);
	iova_fini(&s);
}
END_TEST

START_TEST(reserved_regions_may_overlap)
{
	struct iova_space s;

	ck_assert_int_eq(iova_init(&s, PAGE_SIZE, GIB(1) - 1), 0);
	ck_assert_int_eq(iova_reserve(&s, 0x5000, 0x6fff), 0);
	ck_assert_int_eq(iova_reserve(&s, 0x6800, 0x9001), 0);
	ck_assert_int_eq(iova_reserve(&s, 0, 0x7000), 0);
	ck_assert_int_eq(iova_reserve(&s, GIB(1) - 1, GIB(2)), 0);
	ck_assert_int_eq(iova_reserve(&s, GIB(2), GIB(3)), 0);
	ck_assert(iova_taken(&s, PAGE_SIZE, 9 * PAGE_SIZE));
	ck_assert(!iova_taken(&s, 10 * PAGE_SIZE, PAGE_SIZE));
	ck_assert(iova_taken(&s, GIB(1) - PAGE_SIZE, PAGE_SIZE));
	iova_fini(&s);
}
END_TEST

START_TEST(what_is_handed_out_cannot_be_reserved)
{
	struct iova_space s;
	iova_t a;

	ck_assert_int_eq(iova_init(&s, PAGE_SIZE, GIB(1) - 1), 0);
	ck_assert_int_eq(iova_alloc(&s, PAGE_SIZE, UINT64_MAX, &a), 0);
	ck_assert_int_eq(iova_reserve(&s, a - MIB(1), a), -EBUSY);
	iova_free(&s, a, PAGE_SIZE);
	ck_assert_int_eq(iova_reserve(&s, a - MIB(1), a), 0);
	iova_fini(&s);
}
END_TEST

START_TEST(frees_merge_to_one_gap)
{
	struct iova_space s;
	iova_t a[64], all;

	ck_assert_int_eq(iova_init(&s, MIB(2), MIB(2) + 64 * PAGE_SIZE - 1), 0);
	for (unsigned i = 0; i < 64; i++)
		ck_assert_int_eq(iova_alloc(&s, 1, UINT64_MAX, &a[i]), 0);
	ck_assert_int_eq(iova_alloc(&s, 1, UINT64_MAX, &all), -ENOSPC);
	for (unsigned i = 0; i < 64; i++)
		iova_free(&s, a[i * 37 % 64], 1);
	ck_assert_int_eq(iova_alloc(&s, 64 * PAGE_SIZE, UINT64_MAX, &all), 0);
	ck_assert_uint_eq(all, MIB(2));
	ck_assert_uint_eq(s.ranges, 1);
	iova_fini(&s);
}
END_TEST

START_TEST(exhaustion_is_an_error_and_ends_with_a_free)
{
	struct iova_space s;
	iova_t a[256], more;

	ck_assert_int_eq(iova_init(&s, MIB(1), MIB(2) - 1), 0);
	for (unsigned cycle = 0; cycle < 100; cycle++) {
		for (unsigned i = 0; i < 256; i++)
			ck_assert_int_eq(iova_alloc(&s, 1, UINT64_MAX, &a[i]),
					 0);
		ck_assert_int_eq(iova_alloc(&s, 1, UINT64_MAX, &more),
				 -ENOSPC);
		for (unsigned i = 0; i < 256; i++)
			iova_free(&s, a[i], 1);
		ck_assert_uint_eq(s.pages, 0);
	}
	iova_fini(&s);
}
END_TEST

START_TEST(badly_aligned_gaps_do_not_hide_a_good_one)
{
	struct iova_space s;
	iova_t a;

	/* Forty gaps of two pages, all at odd pages, above one even gap. */
	ck_assert_int_eq(iova_init(&s, 0, 200 * PAGE_SIZE - 1), 0);
	for (unsigned i = 0; i < 40; i++)
		ck_assert_int_eq(iova_reserve(&s, (16 + 4 * i) * PAGE_SIZE,
					      (18 + 4 * i) * PAGE_SIZE - 1),
				 0);
	for (unsigned i = 0; i < 40; i++) {
		iova_t at = (18 + 4 * i) * PAGE_SIZE;

		ck_assert_int_eq(iova_reserve(&s, at, at), 0);
	}
	ck_assert_int_eq(iova_reserve(&s, 176 * PAGE_SIZE,
				      200 * PAGE_SIZE - 1), 0);
	ck_assert_int_eq(iova_alloc(&s, 8 * PAGE_SIZE, UINT64_MAX, &a), 0);
	ck_assert_uint_eq(a, 8 * PAGE_SIZE);
	ck_assert_int_eq(iova_alloc(&s, 4 * PAGE_SIZE, UINT64_MAX, &a), 0);
	ck_assert_uint_eq(a, 4 * PAGE_SIZE);
	ck_assert_int_eq(iova_alloc(&s, 4 * PAGE_SIZE, UINT64_MAX, &a), 0);
	ck_assert_uint_eq(a, 0);
	ck_assert_int_eq(iova_alloc(&s, 2 * PAGE_SIZE, UINT64_MAX, &a),
			 -ENOSPC);
	iova_fini(&s);
}
END_TEST

START_TEST(every_failed_allocation_leaves_the_space_usable)
{
	struct iova_space s;
	iova_t a;

	host_fail_alloc(1);
	ck_assert_int_eq(iova_init(&s, 0, GIB(1) - 1), -ENOMEM);
	ck_assert_int_eq(iova_init(&s, 0, GIB(1) - 1), 0);
	host_fail_alloc(1);
	ck_assert_int_eq(iova_alloc(&s, 1, UINT64_MAX, &a), -ENOMEM);
	host_fail_alloc(1);
	ck_assert_int_eq(iova_reserve(&s, 0, 1), -ENOMEM);
	ck_assert_uint_eq(s.pages, 0);
	ck_assert_int_eq(iova_alloc(&s, 1, UINT64_MAX, &a), 0);
	ck_assert_uint_eq(a, GIB(1) - PAGE_SIZE);
	iova_fini(&s);
}
END_TEST

/* ---- models ---- */

#define MODEL_PAGES	2048
#define MODEL_LIVE	300

static struct {
	bool used[MODEL_PAGES];
	struct { iova_t addr; uint64_t size; } live[MODEL_LIVE];
	unsigned n;
} model;

static void model_mark(iova_t addr, uint64_t pages, bool used)
{
	for (uint64_t i = addr / PAGE_SIZE; pages--; i++) {
		ck_assert(model.used[i] != used);
		model.used[i] = used;
	}
}

static bool model_has_room(uint64_t pages, uint64_t end)
{
	uint64_t align = MIN(pages, UINT64_C(512)), run;

	for (uint64_t lo = 0; lo + pages <= end; lo += align) {
		for (run = 0; run < pages && !model.used[lo + run]; run++)
			;
		if (run == pages)
			return true;
	}
	return false;
}

static void model_alloc(struct iova_space *s)
{
	uint64_t size = rng() % (PAGE_SIZE << rng() % 8) + 1;
	uint64_t limit = rng() % 4 ? UINT64_MAX :
			 rng() % (MODEL_PAGES * PAGE_SIZE);
	uint64_t end = limit == UINT64_MAX ? MODEL_PAGES :
		       (limit + 1) / PAGE_SIZE;
	iova_t a;

	if (iova_alloc(s, size, limit, &a)) {
		ck_assert(!model_has_room(rounded(size), end));
		return;
	}
	ck_assert_uint_le(a + rounded(size) * PAGE_SIZE, end * PAGE_SIZE);
	ck_assert_uint_eq(a / PAGE_SIZE % MIN(rounded(size), UINT64_C(512)), 0);
	model_mark(a, rounded(size), true);
	model.live[model.n].addr = a;
	model.live[model.n++].size = size;
}

static void model_free(struct iova_space *s)
{
	unsigned i = rng() % model.n;

	iova_free(s, model.live[i].addr, model.live[i].size);
	model_mark(model.live[i].addr, rounded(model.live[i].size), false);
	model.live[i] = model.live[--model.n];
}

START_TEST(random_use_agrees_with_a_byte_per_page)
{
	struct iova_space s;

	rng_state = 88172645463325252u + (unsigned)_i;
	memset(&model, 0, sizeof(model));
	ck_assert_int_eq(iova_init(&s, 0, MODEL_PAGES * PAGE_SIZE - 1), 0);
	ck_assert_int_eq(iova_reserve(&s, 700 * PAGE_SIZE,
				      777 * PAGE_SIZE - 1), 0);
	model_mark(700 * PAGE_SIZE, 77, true);
	for (unsigned i = 0; i < 25000; i++) {
		bool filling = rng() % 2000 < i % 2000;

		if (!model.n || (filling && model.n < MODEL_LIVE) ||
		    (rng() % 2 && model.n < MODEL_LIVE))
			model_alloc(&s);
		else
			model_free(&s);
	}
	while (model.n)
		model_free(&s);
	iova_flush(&s);
	ck_assert_uint_eq(s.ranges, 1);
	ck_assert_uint_eq(s.pages, 0);
	iova_fini(&s);
}
END_TEST

START_TEST(the_msi_window_is_not_among_a_million_ranges)
{
	static struct { iova_t addr; uint64_t size; } ring[4096];
	struct iova_space s;

	rng_state = 0x123456789abcdef;
	memset(ring, 0, sizeof(ring));
	ck_assert_int_eq(iova_init(&s, PAGE_SIZE, (UINT64_C(1) << 39) - 1), 0);
	ck_assert_int_eq(iova_reserve(&s, MSI_FIRST, MSI_LAST), 0);
	for (unsigned i = 0; i < 1000000; i++) {
		unsigned at = rng() % ARRAY_SIZE(ring);
		uint64_t size = PAGE_SIZE << rng() % 10;
		iova_t a;

		if (ring[at].size)
			iova_free(&s, ring[at].addr, ring[at].size);
		ck_assert_int_eq(iova_alloc(&s, size, UINT32_MAX, &a), 0);
		ck_assert(a > MSI_LAST || a + size <= MSI_FIRST);
		ring[at].addr = a;
		ring[at].size = size;
	}
	iova_fini(&s);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("iova", host_start, host_finish, 60);

	tcase_add_test(t, the_first_range_is_the_highest);
	tcase_add_test(t, a_freed_range_is_the_next_of_its_size);
	tcase_add_test(t, alignment_is_the_size_up_to_two_mib);
	tcase_add_test(t, no_byte_lies_above_the_limit);
	tcase_add_test(t, odd_ends_are_cut_to_whole_pages);
	tcase_add_test(t, the_whole_of_64_bits_can_be_a_space);
	tcase_add_test(t, nothing_of_size_zero);
	tcase_add_test(t, reserved_regions_may_overlap);
	tcase_add_test(t, what_is_handed_out_cannot_be_reserved);
	tcase_add_test(t, frees_merge_to_one_gap);
	tcase_add_test(t, exhaustion_is_an_error_and_ends_with_a_free);
	tcase_add_test(t, badly_aligned_gaps_do_not_hide_a_good_one);
	tcase_add_test(t, every_failed_allocation_leaves_the_space_usable);
	tcase_add_loop_test(t, random_use_agrees_with_a_byte_per_page, 0, 8);
	tcase_add_test(t, the_msi_window_is_not_among_a_million_ranges);
	return suite_run("iova");
}
