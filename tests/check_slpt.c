/* SPDX-License-Identifier: MIT */
/* viommu/slpt.c against a flat table, and the edges of the format. */
#include "viommu/slpt.h"

#include <check.h>
#include <stdlib.h>
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

static struct slpt pt;
static struct slpt_unhooked dead;

static void start(unsigned levels, unsigned largest)
{
	memset(&dead, 0, sizeof(dead));
	ck_assert_int_eq(slpt_init(&pt, levels, largest, NULL), 0);
}

static void finish(void)
{
	slpt_release(&pt, &dead);
	slpt_fini(&pt);
}

static void expect(iova_t iova, phys_t pa, uint64_t prot, uint64_t page)
{
	struct slpt_found f;

	ck_assert_int_eq(slpt_lookup(&pt, iova, &f), 0);
	ck_assert_uint_eq(f.pa, pa);
	ck_assert_uint_eq(f.prot, prot);
	ck_assert_uint_eq(f.page, page);
}

static void expect_none(iova_t iova)
{
	struct slpt_found f;

	ck_assert_int_eq(slpt_lookup(&pt, iova, &f), -ENOENT);
}

START_TEST(a_page_is_where_it_was_mapped_and_nowhere_else)
{
	start(3, 3);
	ck_assert_int_eq(slpt_map(&pt, 0x12345000, 0x777000, PAGE_SIZE, SLPT_R),
			 0);
	expect(0x12345abc, 0x777abc, SLPT_R, PAGE_SIZE);
	expect_none(0x12344fff);
	expect_none(0x12346000);
	ck_assert_int_eq(slpt_unmap(&pt, 0x12345000, PAGE_SIZE, &dead), 0);
	expect_none(0x12345000);
	ck_assert_uint_eq(pt.pages, 0);
	finish();
}
END_TEST

START_TEST(an_entry_has_the_bits_of_the_manual)
{
	le64 *t;

	start(3, 3);
	ck_assert_int_eq(slpt_map(&pt, 0, 0x123000, PAGE_SIZE, SLPT_W), 0);
	t = pt.root;
	ck_assert_uint_eq(t[0] & 0xfff, 3);
	t = phys_to_virt(t[0] & PAGE_MASK);
	ck_assert_uint_eq(t[0] & 0xfff, 3);
	t = phys_to_virt(t[0] & PAGE_MASK);
	ck_assert_uint_eq(t[0], 0x123002);
	ck_assert_uint_eq(t[1], 0);
	ck_assert_int_eq(slpt_map(&pt, GIB(2), GIB(1), GIB(1), SLPT_R), 0);
	ck_assert_uint_eq(pt.root[2], GIB(1) | 0x81);
	finish();
}
END_TEST

START_TEST(the_largest_pages_that_fit_are_used)
{
	start(4, 3);
	ck_assert_int_eq(slpt_map(&pt, GIB(1) - MIB(2) - PAGE_SIZE,
				  GIB(3) - MIB(2) - PAGE_SIZE,
				  GIB(1) + 2 * MIB(2) + 2 * PAGE_SIZE,
				  SLPT_R | SLPT_W), 0);
	expect(GIB(1) - MIB(2) - 1, GIB(3) - MIB(2) - 1, 3, PAGE_SIZE);
	expect(GIB(1) - MIB(2), GIB(3) - MIB(2), 3, MIB(2));
	expect(GIB(1), GIB(3), 3, GIB(1));
	expect(GIB(2) - 1, GIB(4) - 1, 3, GIB(1));
	expect(GIB(2), GIB(4), 3, MIB(2));
	expect(GIB(2) + MIB(2), GIB(4) + MIB(2), 3, PAGE_SIZE);
	ck_assert_uint_eq(pt.pages, 5);
	finish();
}
END_TEST

START_TEST(large_pages_need_both_addresses_aligned_and_the_capability)
{
	start(3, 3);
	ck_assert_int_eq(slpt_map(&pt, MIB(2), PAGE_SIZE, MIB(2), SLPT_R), 0);
	expect(MIB(2), PAGE_SIZE, SLPT_R, PAGE_SIZE);
	finish();
	start(3, 1);
	ck_assert_int_eq(slpt_map(&pt, MIB(2), MIB(4), MIB(2), SLPT_R), 0);
	expect(MIB(2), MIB(4), SLPT_R, PAGE_SIZE);
	finish();
	start(3, 2);
	ck_assert_int_eq(slpt_map(&pt, GIB(1), GIB(1), GIB(1), SLPT_R), 0);
	expect(GIB(1), GIB(1), SLPT_R, MIB(2));
	ck_assert_uint_eq(pt.pages, 512);
	finish();
}
END_TEST

START_TEST(unmap_inside_a_block_is_refused)
{
	start(3, 3);
	ck_assert_int_eq(slpt_map(&pt, MIB(4), MIB(8), MIB(2), SLPT_R), 0);
	ck_assert_int_eq(slpt_unmap(&pt, MIB(4), PAGE_SIZE, &dead), -EINVAL);
	ck_assert_int_eq(slpt_unmap(&pt, MIB(6) - PAGE_SIZE, PAGE_SIZE, &dead),
			 -EINVAL);
	ck_assert_int_eq(slpt_unmap(&pt, MIB(2), MIB(3), &dead), -EINVAL);
	ck_assert_int_eq(slpt_unmap(&pt, MIB(5), MIB(3), &dead), -EINVAL);
	expect(MIB(4), MIB(8), SLPT_R, MIB(2));
	ck_assert_int_eq(slpt_unmap(&pt, MIB(4), MIB(2), &dead), 0);
	expect_none(MIB(4));
	finish();
}
END_TEST

START_TEST(mapping_what_is_mapped_is_refused_and_changes_nothing)
{
	start(3, 3);
	ck_assert_int_eq(slpt_map(&pt, 0x5000, 0x9000, PAGE_SIZE, SLPT_R), 0);
	ck_assert_int_eq(slpt_map(&pt, 0x5000, 0xa000, PAGE_SIZE, SLPT_W),
			 -EEXIST);
	ck_assert_int_eq(slpt_map(&pt, 0x3000, 0xa000, 4 * PAGE_SIZE, SLPT_W),
			 -EEXIST);
	expect_none(0x3000);
	expect_none(0x6000);
	expect(0x5000, 0x9000, SLPT_R, PAGE_SIZE);
	/* Pages below, then a large page in the way of the rest. */
	ck_assert_int_eq(slpt_map(&pt, MIB(4), MIB(8), MIB(2), SLPT_R), 0);
	ck_assert_int_eq(slpt_map(&pt, MIB(4) - PAGE_SIZE, MIB(16),
				  2 * PAGE_SIZE, SLPT_R), -EEXIST);
	expect_none(MIB(4) - PAGE_SIZE);
	ck_assert_int_eq(slpt_map(&pt, MIB(4), MIB(32), MIB(2), SLPT_R),
			 -EEXIST);
	ck_assert_uint_eq(pt.pages, 2);
	finish();
}
END_TEST

START_TEST(a_large_page_becomes_small_ones_where_a_table_is)
{
	start(3, 3);
	ck_assert_int_eq(slpt_map(&pt, MIB(2), 0x9000, PAGE_SIZE, SLPT_R), 0);
	ck_assert_int_eq(slpt_unmap(&pt, MIB(2), PAGE_SIZE, &dead), 0);
	ck_assert_int_eq(slpt_map(&pt, MIB(2), MIB(6), MIB(2), SLPT_R), 0);
	expect(MIB(2) + 5, MIB(6) + 5, SLPT_R, PAGE_SIZE);
	expect(MIB(4) - 1, MIB(8) - 1, SLPT_R, PAGE_SIZE);
	finish();
}
END_TEST

START_TEST(the_width_of_39_and_48_bits_is_kept)
{
	for (unsigned levels = 3; levels <= 4; levels++) {
		uint64_t width = UINT64_C(1) << (levels == 3 ? 39 : 48);

		start(levels, 3);
		ck_assert_int_eq(slpt_map(&pt, width - PAGE_SIZE, 0x1000,
					  PAGE_SIZE, SLPT_R), 0);
		expect(width - 1, 0x1fff, SLPT_R, PAGE_SIZE);
		expect_none(width);
		ck_assert_int_eq(slpt_map(&pt, width, 0, PAGE_SIZE, SLPT_R),
				 -ERANGE);
		ck_assert_int_eq(slpt_map(&pt, width - PAGE_SIZE, 0,
					  2 * PAGE_SIZE, SLPT_R), -ERANGE);
		ck_assert_int_eq(slpt_map(&pt, UINT64_MAX - 0xfff, 0, PAGE_SIZE,
					  SLPT_R), -ERANGE);
		ck_assert_int_eq(slpt_unmap(&pt, width - PAGE_SIZE, PAGE_SIZE,
					    &dead), 0);
		finish();
	}
}
END_TEST

START_TEST(half_pages_and_no_rights_are_refused)
{
	start(3, 3);
	ck_assert_int_eq(slpt_map(&pt, 1, 0, PAGE_SIZE, SLPT_R), -EINVAL);
	ck_assert_int_eq(slpt_map(&pt, 0, 1, PAGE_SIZE, SLPT_R), -EINVAL);
	ck_assert_int_eq(slpt_map(&pt, 0, 0, 100, SLPT_R), -EINVAL);
	ck_assert_int_eq(slpt_map(&pt, 0, 0, 0, SLPT_R), -EINVAL);
	ck_assert_int_eq(slpt_map(&pt, 0, 0, PAGE_SIZE, 0), -EINVAL);
	ck_assert_int_eq(slpt_map(&pt, 0, 0, PAGE_SIZE, SLPT_R | SLPT_PS),
			 -EINVAL);
	ck_assert_int_eq(slpt_map(&pt, 0, UINT64_C(1) << 52, PAGE_SIZE, SLPT_R),
			 -EINVAL);
	ck_assert_int_eq(slpt_unmap(&pt, 0, 0, &dead), -EINVAL);
	ck_assert_uint_eq(pt.tables, 1);
	finish();
	ck_assert_int_eq(slpt_init(&pt, 2, 1, NULL), -EINVAL);
	ck_assert_int_eq(slpt_init(&pt, 5, 1, NULL), -EINVAL);
	ck_assert_int_eq(slpt_init(&pt, 3, 4, NULL), -EINVAL);
}
END_TEST

START_TEST(unmapping_a_hole_is_told_and_does_the_rest)
{
	start(3, 3);
	ck_assert_int_eq(slpt_map(&pt, 0x1000, 0x1000, PAGE_SIZE, SLPT_R), 0);
	ck_assert_int_eq(slpt_map(&pt, 0x3000, 0x3000, PAGE_SIZE, SLPT_R), 0);
	ck_assert_int_eq(slpt_unmap(&pt, 0x1000, 3 * PAGE_SIZE, &dead),
			 -ENOENT);
	expect_none(0x1000);
	expect_none(0x3000);
	ck_assert_int_eq(slpt_unmap(&pt, 0x1000, PAGE_SIZE, &dead), -ENOENT);
	ck_assert_int_eq(slpt_unmap(&pt, GIB(5), GIB(3), &dead), -ENOENT);
	finish();
}
END_TEST

START_TEST(a_whole_table_goes_only_after_release)
{
	le64 *pde, *leaf;

	start(3, 1);
	ck_assert_int_eq(slpt_map(&pt, MIB(2), 0, MIB(2), SLPT_R), 0);
	ck_assert_uint_eq(pt.tables, 3);
	pde = phys_to_virt(pt.root[0] & PAGE_MASK);
	leaf = phys_to_virt(pde[1] & PAGE_MASK);
	ck_assert_int_eq(slpt_unmap(&pt, MIB(2), MIB(2), &dead), 0);
	ck_assert_uint_eq(pde[1], 0);
	ck_assert_uint_eq(pt.tables, 3);
	/* The hardware may still walk it: nothing in it may be present. */
	for (unsigned i = 0; i < SLPT_ENTRIES; i++)
		ck_assert_uint_eq(leaf[i] & (SLPT_R | SLPT_W), 0);
	slpt_release(&pt, &dead);
	ck_assert_uint_eq(pt.tables, 2);
	finish();
}
END_TEST

START_TEST(the_chain_of_unhooked_tables_is_not_present_to_the_hardware)
{
	le64 *pde, *leaf[3];

	start(3, 1);
	ck_assert_int_eq(slpt_map(&pt, 0, 0, 3 * MIB(2), SLPT_R | SLPT_W), 0);
	pde = phys_to_virt(pt.root[0] & PAGE_MASK);
	for (unsigned i = 0; i < 3; i++)
		leaf[i] = phys_to_virt(pde[i] & PAGE_MASK);
	ck_assert_int_eq(slpt_unmap(&pt, 0, 3 * MIB(2), &dead), 0);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(leaf[i][0] & (SLPT_R | SLPT_W), 0);
	slpt_release(&pt, &dead);
	ck_assert_uint_eq(pt.tables, 2);
	finish();
}
END_TEST

START_TEST(trim_unhooks_what_has_become_empty)
{
	start(4, 1);
	for (unsigned i = 0; i < 8; i++)
		ck_assert_int_eq(slpt_map(&pt, GIB(i), 0, PAGE_SIZE, SLPT_R),
				 0);
	for (unsigned i = 1; i < 8; i++)
		ck_assert_int_eq(slpt_unmap(&pt, GIB(i), PAGE_SIZE, &dead), 0);
	ck_assert_uint_eq(pt.tables, 1 + 1 + 8 + 8);
	slpt_trim(&pt, &dead);
	slpt_release(&pt, &dead);
	ck_assert_uint_eq(pt.tables, 4);
	expect(0, 0, SLPT_R, PAGE_SIZE);
	ck_assert_int_eq(slpt_map(&pt, GIB(7), 0, PAGE_SIZE, SLPT_R), 0);
	expect(GIB(7), 0, SLPT_R, PAGE_SIZE);
	finish();
}
END_TEST

START_TEST(the_near_table_is_forgotten_with_its_table)
{
	start(3, 1);
	ck_assert_int_eq(slpt_map(&pt, 0, 0, MIB(2), SLPT_R), 0);
	ck_assert_ptr_nonnull(pt.near);
	ck_assert_int_eq(slpt_unmap(&pt, 0, MIB(2), &dead), 0);
	ck_assert_ptr_null(pt.near);
	slpt_release(&pt, &dead);
	ck_assert_int_eq(slpt_map(&pt, 0x1000, 0x2000, PAGE_SIZE, SLPT_W), 0);
	expect(0x1000, 0x2000, SLPT_W, PAGE_SIZE);
	finish();
}
END_TEST

/* ---- flushing ---- */

static struct { uintptr_t p; size_t len; } flushed[4096];
static unsigned nflushed;

static void note_flush(const void *p, size_t len)
{
	ck_assert_uint_lt(nflushed, ARRAY_SIZE(flushed));
	flushed[nflushed].p = (uintptr_t)p;
	flushed[nflushed++].len = len;
}

static bool was_flushed(const void *p)
{
	for (unsigned i = 0; i < nflushed; i++) {
		if ((uintptr_t)p - flushed[i].p < flushed[i].len)
			return true;
	}
	return false;
}

START_TEST(every_changed_entry_is_flushed)
{
	le64 *pde, *leaf;

	memset(&dead, 0, sizeof(dead));
	nflushed = 0;
	ck_assert_int_eq(slpt_init(&pt, 3, 1, note_flush), 0);
	ck_assert(was_flushed(&pt.root[511]));
	nflushed = 0;
	ck_assert_int_eq(slpt_map(&pt, MIB(4) - PAGE_SIZE, 0, 2 * PAGE_SIZE,
				  SLPT_R), 0);
	pde = phys_to_virt(pt.root[0] & PAGE_MASK);
	ck_assert(was_flushed(&pt.root[0]));
	for (unsigned i = 1; i <= 2; i++) {
		leaf = phys_to_virt(pde[i] & PAGE_MASK);
		ck_assert(was_flushed(&pde[i]));
		ck_assert(was_flushed(&leaf[i == 1 ? 511 : 0]));
	}
	nflushed = 0;
	leaf = phys_to_virt(pde[2] & PAGE_MASK);
	ck_assert_int_eq(slpt_unmap(&pt, MIB(4), PAGE_SIZE, &dead), 0);
	ck_assert(was_flushed(&leaf[0]));
	nflushed = 0;
	slpt_trim(&pt, &dead);
	ck_assert(was_flushed(&pde[2]));
	finish();
}
END_TEST

/* ---- memory ---- */

START_TEST(every_failed_allocation_maps_nothing_and_leaks_nothing)
{
	unsigned n;
	int err;

	host_fail_alloc(1);
	ck_assert_int_eq(slpt_init(&pt, 4, 3, NULL), -ENOMEM);
	start(4, 1);
	for (n = 1; ; n++) {
		host_fail_alloc(n);
		err = slpt_map(&pt, GIB(1) - PAGE_SIZE, 0, 2 * PAGE_SIZE,
			       SLPT_R);
		if (!host_alloc_failed())
			break;
		ck_assert_int_eq(err, -ENOMEM);
		ck_assert_uint_eq(pt.pages, 0);
		expect_none(GIB(1) - 1);
		expect_none(GIB(1));
		slpt_trim(&pt, &dead);
		slpt_release(&pt, &dead);
		ck_assert_uint_eq(pt.tables, 1);
	}
	host_fail_alloc(0);
	ck_assert_uint_eq(n, 6);	/* 1 + 2 + 2 tables were needed */
	ck_assert_int_eq(err, 0);
	finish();
}
END_TEST

/* ---- model ---- */

/* A window of 6 MiB across a border between two 1-GiB entries. */
#define MODEL_PAGES	1536
#define MODEL_BASE	(GIB(1) - MIB(2))

static le64 model[MODEL_PAGES];		/* pa | prot, 0: not mapped */

static void model_map(void)
{
	uint64_t at = rng() % MODEL_PAGES, n = rng() % 8 ? rng() % 9 + 1 : 512;
	phys_t pa = (rng() & 0xffff) << PAGE_SHIFT;
	uint64_t prot = rng() % 3 + 1;
	bool free = true;
	int err;

	if (n == 512) {
		at &= ~UINT64_C(511);
		pa &= ~(MIB(2) - 1);
	}
	n = MIN(n, MODEL_PAGES - at);
	for (uint64_t i = 0; i < n; i++)
		free = free && !model[at + i];
	err = slpt_map(&pt, MODEL_BASE + at * PAGE_SIZE, pa, n * PAGE_SIZE,
		       prot);
	ck_assert_int_eq(err, free ? 0 : -EEXIST);
	for (uint64_t i = 0; free && i < n; i++)
		model[at + i] = (pa + i * PAGE_SIZE) | prot;
}

static void model_unmap(void)
{
	uint64_t at = rng() % MODEL_PAGES, n = rng() % 8 ? rng() % 9 + 1 : 512;
	bool all = true;
	int err;

	if (n == 512)
		at &= ~UINT64_C(511);
	n = MIN(n, MODEL_PAGES - at);
	for (uint64_t i = 0; i < n; i++)
		all = all && model[at + i];
	err = slpt_unmap(&pt, MODEL_BASE + at * PAGE_SIZE, n * PAGE_SIZE,
			 &dead);
	if (rng() % 4 == 0)
		slpt_release(&pt, &dead);
	if (err == -EINVAL)		/* inside a large page */
		return;
	ck_assert_int_eq(err, all ? 0 : -ENOENT);
	memset(&model[at], 0, n * sizeof(model[0]));
}

static void model_check(uint64_t at)
{
	struct slpt_found f;
	iova_t iova = MODEL_BASE + at * PAGE_SIZE + rng() % PAGE_SIZE;
	int err = slpt_lookup(&pt, iova, &f);

	ck_assert_int_eq(err, model[at] ? 0 : -ENOENT);
	if (err)
		return;
	ck_assert_uint_eq(f.pa, (model[at] & PAGE_MASK) + iova % PAGE_SIZE);
	ck_assert_uint_eq(f.prot, model[at] & 3);
}

START_TEST(random_use_agrees_with_a_flat_table)
{
	rng_state = 0x9e3779b97f4a7c15 + (unsigned)_i;
	memset(model, 0, sizeof(model));
	start(_i & 1 ? 4 : 3, _i & 2 ? 3 : 2);
	for (unsigned i = 0; i < 50000; i++) {
		switch (rng() % 64 ? rng() % 3 : 3) {
		case 0:
			model_map();
			break;
		case 1:
			model_unmap();
			break;
		case 2:
			model_check(rng() % MODEL_PAGES);
			break;
		case 3:
			slpt_trim(&pt, &dead);
			break;
		}
	}
	for (uint64_t at = 0; at < MODEL_PAGES; at++)
		model_check(at);
	slpt_unmap(&pt, MODEL_BASE, MODEL_PAGES * PAGE_SIZE, &dead);
	ck_assert_uint_eq(pt.pages, 0);
	slpt_trim(&pt, &dead);
	slpt_release(&pt, &dead);
	ck_assert_uint_eq(pt.tables, 1);
	finish();
}
END_TEST

int main(void)
{
	TCase *t = suite_group("slpt", host_start, host_finish, 60);

	tcase_add_test(t, a_page_is_where_it_was_mapped_and_nowhere_else);
	tcase_add_test(t, an_entry_has_the_bits_of_the_manual);
	tcase_add_test(t, the_largest_pages_that_fit_are_used);
	tcase_add_test(t, large_pages_need_both_addresses_aligned_and_the_capability);
	tcase_add_test(t, unmap_inside_a_block_is_refused);
	tcase_add_test(t, mapping_what_is_mapped_is_refused_and_changes_nothing);
	tcase_add_test(t, a_large_page_becomes_small_ones_where_a_table_is);
	tcase_add_test(t, the_width_of_39_and_48_bits_is_kept);
	tcase_add_test(t, half_pages_and_no_rights_are_refused);
	tcase_add_test(t, unmapping_a_hole_is_told_and_does_the_rest);
	tcase_add_test(t, a_whole_table_goes_only_after_release);
	tcase_add_test(t, the_chain_of_unhooked_tables_is_not_present_to_the_hardware);
	tcase_add_test(t, trim_unhooks_what_has_become_empty);
	tcase_add_test(t, the_near_table_is_forgotten_with_its_table);
	tcase_add_test(t, every_changed_entry_is_flushed);
	tcase_add_test(t, every_failed_allocation_maps_nothing_and_leaks_nothing);
	tcase_add_loop_test(t, random_use_agrees_with_a_flat_table, 0, 8);
	return suite_run("slpt");
}
