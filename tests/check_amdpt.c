/* SPDX-License-Identifier: MIT */
/* viommu/amdpt.c against a flat table, and the edges of the format. */
#include "viommu/amdpt.h"

#include <check.h>
#include <string.h>

#include "core/dma.h"
#include "core/errno.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

static uint64_t rng_state;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

static struct amdpt pt;

static void start(unsigned levels)
{
	ck_assert_int_eq(amdpt_init(&pt, levels), 0);
}

static void expect(iova_t iova, phys_t pa, uint64_t prot)
{
	uint64_t found_prot;
	phys_t found;

	ck_assert_int_eq(amdpt_lookup(&pt, iova, &found, &found_prot), 0);
	ck_assert_uint_eq(found, pa);
	ck_assert_uint_eq(found_prot, prot);
}

static void expect_none(iova_t iova)
{
	uint64_t prot;
	phys_t pa;

	ck_assert_int_eq(amdpt_lookup(&pt, iova, &pa, &prot), -ENOENT);
}

START_TEST(a_page_is_where_it_was_mapped_and_nowhere_else)
{
	start(3);
	ck_assert_int_eq(amdpt_map(&pt, 0x12345000, 0x777000, PAGE_SIZE,
				   AMDPT_IR), 0);
	expect(0x12345678, 0x777678, AMDPT_IR);
	expect_none(0x12344fff);
	expect_none(0x12346000);
	ck_assert_int_eq(amdpt_unmap(&pt, 0x12345000, PAGE_SIZE), 0);
	expect_none(0x12345678);
	amdpt_fini(&pt);
}
END_TEST

/* 2.2.3: numbers written out, not made with the header's masks. */
START_TEST(an_entry_has_the_bits_of_the_manual)
{
	le64 *l2, *l1;

	start(3);
	ck_assert_int_eq(amdpt_map(&pt, 0x40201000, 0x777000, PAGE_SIZE,
				   AMDPT_IW), 0);
	ck_assert_uint_eq(pt.root[1] & ~UINT64_C(0xffffffffff000),
			  UINT64_C(0x6000000000000401));
	l2 = phys_to_virt(pt.root[1] & UINT64_C(0xffffffffff000));
	ck_assert_uint_eq(l2[1] & ~UINT64_C(0xffffffffff000),
			  UINT64_C(0x6000000000000201));
	l1 = phys_to_virt(l2[1] & UINT64_C(0xffffffffff000));
	ck_assert_uint_eq(l1[1], UINT64_C(0x5000000000777001));
	ck_assert_int_eq(amdpt_unmap(&pt, 0x40201000, PAGE_SIZE), 0);
	ck_assert_uint_eq(l1[1], 0);	/* all of it: see amdpt.h */
	amdpt_fini(&pt);
}
END_TEST

START_TEST(mapping_what_is_mapped_is_refused_and_changes_nothing)
{
	start(3);
	ck_assert_int_eq(amdpt_map(&pt, MIB(2), 0x5000, PAGE_SIZE, AMDPT_IR), 0);
	ck_assert_int_eq(amdpt_map(&pt, MIB(2) - 2 * PAGE_SIZE, 0x9000,
				   4 * PAGE_SIZE, AMDPT_IW), -EEXIST);
	expect_none(MIB(2) - PAGE_SIZE);
	expect_none(MIB(2) + PAGE_SIZE);
	expect(MIB(2), 0x5000, AMDPT_IR);
	ck_assert_uint_eq(pt.pages, 1);
	amdpt_fini(&pt);
}
END_TEST

START_TEST(the_width_of_39_and_48_bits_is_kept)
{
	for (unsigned levels = 3; levels <= 4; levels++) {
		iova_t end = UINT64_C(1) << (levels == 3 ? 39 : 48);

		start(levels);
		ck_assert_int_eq(amdpt_map(&pt, end - PAGE_SIZE, 0, PAGE_SIZE,
					   AMDPT_IR), 0);
		ck_assert_int_eq(amdpt_map(&pt, end, 0, PAGE_SIZE, AMDPT_IR),
				 -ERANGE);
		ck_assert_int_eq(amdpt_map(&pt, end - PAGE_SIZE, 0,
					   2 * PAGE_SIZE, AMDPT_IR), -ERANGE);
		ck_assert_int_eq(amdpt_unmap(&pt, end, PAGE_SIZE), -ERANGE);
		expect(end - 1, PAGE_SIZE - 1, AMDPT_IR);
		expect_none(end);
		amdpt_fini(&pt);
	}
	ck_assert_int_eq(amdpt_init(&pt, 2), -EINVAL);
	ck_assert_int_eq(amdpt_init(&pt, 5), -EINVAL);
}
END_TEST

START_TEST(half_pages_and_no_rights_are_refused)
{
	start(3);
	ck_assert_int_eq(amdpt_map(&pt, 0x800, 0, PAGE_SIZE, AMDPT_IR), -EINVAL);
	ck_assert_int_eq(amdpt_map(&pt, 0, 0x800, PAGE_SIZE, AMDPT_IR), -EINVAL);
	ck_assert_int_eq(amdpt_map(&pt, 0, 0, 0, AMDPT_IR), -EINVAL);
	ck_assert_int_eq(amdpt_map(&pt, 0, 0, PAGE_SIZE, 0), -EINVAL);
	ck_assert_int_eq(amdpt_map(&pt, 0, 0, PAGE_SIZE, AMDPT_PR), -EINVAL);
	ck_assert_int_eq(amdpt_unmap(&pt, 0, 0x10), -EINVAL);
	ck_assert_uint_eq(pt.tables, 1);
	amdpt_fini(&pt);
}
END_TEST

START_TEST(unmapping_a_hole_is_told_and_does_the_rest)
{
	start(3);
	ck_assert_int_eq(amdpt_map(&pt, GIB(1), 0, PAGE_SIZE, AMDPT_IR), 0);
	ck_assert_int_eq(amdpt_unmap(&pt, GIB(1) - MIB(4), MIB(8)), -ENOENT);
	expect_none(GIB(1));
	ck_assert_uint_eq(pt.pages, 0);
	amdpt_fini(&pt);
}
END_TEST

START_TEST(every_failed_allocation_maps_nothing_and_leaks_nothing)
{
	unsigned n;
	int err;

	host_fail_alloc(1);
	ck_assert_int_eq(amdpt_init(&pt, 4), -ENOMEM);
	start(4);
	for (n = 1; ; n++) {
		host_fail_alloc(n);
		err = amdpt_map(&pt, GIB(1) - PAGE_SIZE, 0, 2 * PAGE_SIZE,
				AMDPT_IR);
		if (!host_alloc_failed())
			break;
		ck_assert_int_eq(err, -ENOMEM);
		ck_assert_uint_eq(pt.pages, 0);
		expect_none(GIB(1) - 1);
	}
	host_fail_alloc(0);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_eq(n, 4);	/* tables stay: 0, 1, 2, then the rest */
	ck_assert_uint_eq(pt.tables, 6);	/* 1 + 1 + 2 + 2 */
	amdpt_fini(&pt);
}
END_TEST

/* ---- model ---- */

/* A window of 6 MiB across a border between two level-3 entries. */
#define MODEL_PAGES	1536
#define MODEL_BASE	(GIB(1) - MIB(2))
#define MODEL_STEPS	250000		/* times 4 runs: 10^6 */

static uint64_t model[MODEL_PAGES];	/* pa | prot, 0: not mapped */

static uint64_t model_pick(uint64_t *at)
{
	*at = rng() % MODEL_PAGES;
	return MIN(rng() % 64 ? rng() % 9 + 1 : 600, MODEL_PAGES - *at);
}

static void model_map(void)
{
	uint64_t at, n = model_pick(&at);
	phys_t pa = (rng() & 0xffff) << PAGE_SHIFT;
	uint64_t prot = (rng() % 3 + 1) << 61;
	bool unused = true;

	for (uint64_t i = 0; i < n; i++)
		unused = unused && !model[at + i];
	ck_assert_int_eq(amdpt_map(&pt, MODEL_BASE + at * PAGE_SIZE, pa,
				   n * PAGE_SIZE, prot), unused ? 0 : -EEXIST);
	for (uint64_t i = 0; unused && i < n; i++)
		model[at + i] = (pa + i * PAGE_SIZE) | prot;
}

static void model_unmap(void)
{
	uint64_t at, n = model_pick(&at);
	bool all = true;

	for (uint64_t i = 0; i < n; i++)
		all = all && model[at + i];
	ck_assert_int_eq(amdpt_unmap(&pt, MODEL_BASE + at * PAGE_SIZE,
				     n * PAGE_SIZE), all ? 0 : -ENOENT);
	memset(&model[at], 0, n * sizeof(model[0]));
}

static void model_check(uint64_t at)
{
	iova_t iova = MODEL_BASE + at * PAGE_SIZE + rng() % PAGE_SIZE;
	uint64_t rights = AMDPT_IR | AMDPT_IW;

	if (model[at])
		expect(iova, (model[at] & ~rights) + iova % PAGE_SIZE,
		       model[at] & rights);
	else
		expect_none(iova);
}

START_TEST(random_use_agrees_with_a_flat_table)
{
	uint64_t mapped = 0;

	rng_state = 0x9e3779b97f4a7c15 + (unsigned)_i;
	memset(model, 0, sizeof(model));
	start(_i & 1 ? 4 : 3);
	for (unsigned i = 0; i < MODEL_STEPS; i++) {
		switch (rng() % 3) {
		case 0:
			model_map();
			break;
		case 1:
			model_unmap();
			break;
		case 2:
			model_check(rng() % MODEL_PAGES);
			break;
		}
	}
	for (uint64_t at = 0; at < MODEL_PAGES; at++) {
		model_check(at);
		mapped += !!model[at];
	}
	ck_assert_uint_eq(pt.pages, mapped);
	/* The root, the one or two on the way, and the leaves. */
	ck_assert_uint_le(pt.tables, 1 + 1 + 2 + 3);
	amdpt_fini(&pt);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("amdpt", host_start, host_finish, 60);

	tcase_add_test(t, a_page_is_where_it_was_mapped_and_nowhere_else);
	tcase_add_test(t, an_entry_has_the_bits_of_the_manual);
	tcase_add_test(t, mapping_what_is_mapped_is_refused_and_changes_nothing);
	tcase_add_test(t, the_width_of_39_and_48_bits_is_kept);
	tcase_add_test(t, half_pages_and_no_rights_are_refused);
	tcase_add_test(t, unmapping_a_hole_is_told_and_does_the_rest);
	tcase_add_test(t, every_failed_allocation_maps_nothing_and_leaks_nothing);
	tcase_add_loop_test(t, random_use_agrees_with_a_flat_table, 0, 4);
	return suite_run("amdpt");
}
