/* SPDX-License-Identifier: MIT */
/* blk/nvme_prp.c: what NVM Express 1.4, 4.3 says, by small cases and a model. */
#include <check.h>
#include <stdlib.h>

#include "blk/nvme_prp.h"
#include "core/errno.h"
#include "tests/host/suite.h"

#define ROOM	2048			/* four pages of entries */
#define POISON	UINT64_C(0xdeadbeefdeadbeef)

static le64 area[ROOM];
static struct nvme_prp_list list;
static le64 prp1, prp2;

static void setup(void)
{
	for (unsigned i = 0; i < ROOM; i++)
		area[i] = POISON;
	list = (struct nvme_prp_list){ area, 0x700000, ROOM };
	prp1 = prp2 = POISON;
}

static int build1(iova_t addr, size_t len)
{
	struct dma_seg s = { addr, len };

	return nvme_prp_build(&s, 1, len, &list, &prp1, &prp2);
}

/* A device's walk: the page-by-page view of bytes, into addr[]. */
static unsigned walk(size_t bytes, iova_t *addr, size_t *len)
{
	size_t first = MIN(bytes, NVME_PRP_PAGE - prp1 % NVME_PRP_PAGE);
	size_t left = bytes - first;
	unsigned n = 1;
	iova_t at = prp2;

	addr[0] = prp1;
	len[0] = first;
	if (!left)
		return n;
	if (left <= NVME_PRP_PAGE) {
		addr[n] = prp2;
		len[n++] = left;
		return n;
	}
	while (left) {
		size_t pages = DIV_ROUND_UP(left, (size_t)NVME_PRP_PAGE);
		iova_t e;

		if (at - list.iova >= ROOM * 8)
			ck_abort_msg("the list has no entry at 0x%lx", at);
		e = area[(at - list.iova) / 8];
		if (at % NVME_PRP_PAGE == NVME_PRP_PAGE - 8 && pages > 1) {
			at = e;		/* the chain */
			ck_assert_uint_eq(at % NVME_PRP_PAGE, 0);
			continue;
		}
		if (e % NVME_PRP_PAGE)
			ck_abort_msg("entry 0x%lx has an offset", e);
		addr[n] = e;
		len[n] = MIN(left, NVME_PRP_PAGE);
		left -= len[n++];
		at += 8;
	}
	return n;
}

START_TEST(one_page_needs_no_prp2)
{
	ck_assert_int_eq(build1(0x10000, 4096), 0);
	ck_assert_uint_eq(prp1, 0x10000);
	ck_assert_uint_eq(prp2, 0);
	ck_assert_int_eq(build1(0x10004, 512), 0);
	ck_assert_uint_eq(prp1, 0x10004);
	ck_assert_uint_eq(prp2, 0);
}
END_TEST

START_TEST(two_pages_are_named_directly)
{
	ck_assert_int_eq(build1(0x10e00, 4096), 0);
	ck_assert_uint_eq(prp1, 0x10e00);
	ck_assert_uint_eq(prp2, 0x11000);
	ck_assert_uint_eq(area[0], POISON);
}
END_TEST

START_TEST(three_pages_need_the_list)
{
	ck_assert_int_eq(build1(0x10200, 8192), 0);
	ck_assert_uint_eq(prp1, 0x10200);
	ck_assert_uint_eq(prp2, list.iova);
	ck_assert_uint_eq(area[0], 0x11000);
	ck_assert_uint_eq(area[1], 0x12000);
	ck_assert_uint_eq(area[2], POISON);
}
END_TEST

START_TEST(a_full_list_page_is_not_chained)
{
	ck_assert_int_eq(build1(0x100000, 513 * 4096), 0);
	ck_assert_uint_eq(area[511], 0x100000 + 512 * 4096);
	ck_assert_uint_eq(area[512], POISON);
}
END_TEST

START_TEST(one_more_entry_chains_to_the_next_page)
{
	ck_assert_int_eq(build1(0x100000, 514 * 4096), 0);
	ck_assert_uint_eq(area[510], 0x100000 + 511 * 4096);
	ck_assert_uint_eq(area[511], list.iova + 4096);
	ck_assert_uint_eq(area[512], 0x100000 + 512 * 4096);
	ck_assert_uint_eq(area[513], 0x100000 + 513 * 4096);
	ck_assert_uint_eq(area[514], POISON);
}
END_TEST

START_TEST(a_list_that_starts_late_in_a_page_chains_there)
{
	list.iova = 0x700ff0;		/* two entries to the end of the page */
	ck_assert_int_eq(build1(0x100000, 5 * 4096), 0);
	ck_assert_uint_eq(prp2, 0x700ff0);
	ck_assert_uint_eq(area[0], 0x101000);
	ck_assert_uint_eq(area[1], 0x701000);
	ck_assert_uint_eq(area[2], 0x102000);
	ck_assert_uint_eq(area[4], 0x104000);
}
END_TEST

START_TEST(segments_may_begin_and_end_within_a_page)
{
	struct dma_seg s[] = {
		{ 0x10c00, 1024 }, { 0x55000, 8192 }, { 0x33000, 512 },
	};

	ck_assert_int_eq(nvme_prp_build(s, 3, 9728, &list, &prp1, &prp2), 0);
	ck_assert_uint_eq(prp1, 0x10c00);
	ck_assert_uint_eq(area[0], 0x55000);
	ck_assert_uint_eq(area[1], 0x56000);
	ck_assert_uint_eq(area[2], 0x33000);
}
END_TEST

START_TEST(a_hole_is_refused)
{
	struct dma_seg gap_after[] = { { 0x10000, 512 }, { 0x20000, 512 } };
	struct dma_seg gap_before[] = { { 0x10000, 4096 }, { 0x20200, 512 } };

	ck_assert_int_eq(nvme_prp_build(gap_after, 2, 1024, &list, &prp1,
					&prp2), -EINVAL);
	ck_assert_int_eq(nvme_prp_build(gap_before, 2, 4608, &list, &prp1,
					&prp2), -EINVAL);
	ck_assert_uint_eq(prp1, POISON);
}
END_TEST

START_TEST(an_odd_address_is_refused)
{
	ck_assert_int_eq(build1(0x10002, 512), -EINVAL);
	ck_assert_int_eq(build1(0x10001, 4096), -EINVAL);
}
END_TEST

START_TEST(lengths_that_do_not_sum_up_are_refused)
{
	struct dma_seg s = { 0x10000, 4096 };

	ck_assert_int_eq(nvme_prp_build(&s, 1, 8192, &list, &prp1, &prp2),
			 -EINVAL);
	ck_assert_int_eq(nvme_prp_build(&s, 1, 512, &list, &prp1, &prp2),
			 -EINVAL);
	ck_assert_int_eq(nvme_prp_build(&s, 0, 0, &list, &prp1, &prp2),
			 -EINVAL);
	s.len = 0;
	ck_assert_int_eq(nvme_prp_build(&s, 1, 0, &list, &prp1, &prp2),
			 -EINVAL);
}
END_TEST

START_TEST(a_list_without_room_is_refused_and_not_overrun)
{
	list.room = 4;
	ck_assert_int_eq(build1(0x10000, 5 * 4096), 0);
	ck_assert_uint_eq(area[3], 0x14000);
	ck_assert_int_eq(build1(0x10000, 6 * 4096), -E2BIG);
	ck_assert_uint_eq(area[4], POISON);
	list.room = 512;		/* the chain does not fit any more */
	ck_assert_int_eq(build1(0x10000, 514 * 4096), -E2BIG);
	ck_assert_uint_eq(area[512], POISON);
}
END_TEST

START_TEST(the_room_for_a_transfer_is_enough_at_any_start)
{
	for (size_t bytes = 4096; bytes <= KIB(256); bytes *= 2) {
		list.room = NVME_PRP_ENTRIES(bytes);
		ck_assert_int_eq(build1(0x10000, bytes), 0);
		ck_assert_int_eq(build1(0x10ffc, bytes), 0);
	}
}
END_TEST

/* Random segments: the device's walk must meet every byte in order. */
START_TEST(random_transfers_are_walked_as_they_were_built)
{
	static iova_t addr[ROOM];
	static size_t len[ROOM];

	srand(_i);
	for (unsigned round = 0; round < 400; round++) {
		unsigned nseg = 1 + rand() % 32, n, k = 0;
		struct dma_seg s[32];
		size_t bytes = 0, pos = 0;

		setup();
		list.iova += 8 * (rand() % 512);
		for (unsigned i = 0; i < nseg; i++) {
			s[i].addr = (iova_t)(rand() % 100000) * 4096;
			s[i].len = 4096u * (1 + rand() % 40);
			if (i == 0) {
				size_t cut = 4 * (rand() % 1024);

				s[i].addr += cut;
				s[i].len -= cut;
			}
			if (i == nseg - 1 && s[i].len > 4096)
				s[i].len -= rand() % 4096;
			bytes += s[i].len;
		}
		ck_assert_int_eq(nvme_prp_build(s, nseg, bytes, &list, &prp1,
						&prp2), 0);
		n = walk(bytes, addr, len);
		for (unsigned i = 0; i < n; i++) {
			if (k >= nseg || addr[i] != s[k].addr + pos)
				ck_abort_msg("page %u is wrong", i);
			pos += len[i];
			if (pos == s[k].len) {
				k++;
				pos = 0;
			}
		}
		ck_assert_uint_eq(k, nseg);
	}
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("prp", setup, NULL, 60);

	tcase_add_test(tc, one_page_needs_no_prp2);
	tcase_add_test(tc, two_pages_are_named_directly);
	tcase_add_test(tc, three_pages_need_the_list);
	tcase_add_test(tc, a_full_list_page_is_not_chained);
	tcase_add_test(tc, one_more_entry_chains_to_the_next_page);
	tcase_add_test(tc, a_list_that_starts_late_in_a_page_chains_there);
	tcase_add_test(tc, segments_may_begin_and_end_within_a_page);
	tcase_add_test(tc, a_hole_is_refused);
	tcase_add_test(tc, an_odd_address_is_refused);
	tcase_add_test(tc, lengths_that_do_not_sum_up_are_refused);
	tcase_add_test(tc, a_list_without_room_is_refused_and_not_overrun);
	tcase_add_test(tc, the_room_for_a_transfer_is_enough_at_any_start);
	tcase_add_loop_test(tc, random_transfers_are_walked_as_they_were_built,
			    0, 8);
	return suite_run("nvme_prp");
}
