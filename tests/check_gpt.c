/* SPDX-License-Identifier: MIT */
/*
 * blk/gpt.c and blk/crc32.c: a disk is made in memory by the manual (UEFI 2.9,
 * chapter 5), then bent.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "blk/crc32.h"
#include "blk/gpt.h"
#include "blk/gptreg.h"
#include "core/errno.h"
#include "tests/host/suite.h"

#define BLOCKS		2048u
#define ENTRIES		128u
#define TABLE		(ENTRIES * sizeof(struct gpt_entry))

static uint8_t *disk;
static uint32_t bs;
static uint64_t reads, bad_lba;		/* bad_lba: reading it fails */
static struct gpt_disk d;
static struct gpt g;

static const uint8_t linux_data[16] = {	/* as it is on disk */
	0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47,
	0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4,
};

static int disk_read(void *arg, uint64_t lba, void *buf, size_t len)
{
	reads++;
	ck_assert_uint_gt(len, 0);
	ck_assert_uint_eq(len % bs, 0);
	ck_assert_uint_le(len, d.buf_size);
	ck_assert_uint_lt(lba, BLOCKS);
	ck_assert_uint_le(len / bs, BLOCKS - lba);
	if (bad_lba >= lba && bad_lba < lba + len / bs)
		return -EIO;
	memcpy(buf, disk + lba * bs, len);
	return 0;
}

static struct gpt_header *header(bool backup)
{
	return (void *)(disk + (backup ? BLOCKS - 1 : 1) * (size_t)bs);
}

static struct gpt_entry *entries(bool backup)
{
	return (void *)(disk + header(backup)->entries_lba * bs);
}

static void seal_header(bool backup)
{
	struct gpt_header *h = header(backup);

	h->header_crc = 0;
	h->header_crc = crc32(0, h, MIN(h->header_size, bs));
}

static void seal(bool backup)
{
	struct gpt_header *h = header(backup);

	h->entries_crc = crc32(0, entries(backup), h->nentries * h->entry_size);
	seal_header(backup);
}

static void put_header(bool backup)
{
	uint64_t table = DIV_ROUND_UP(TABLE, bs);

	*header(backup) = (struct gpt_header){
		.signature = GPT_SIGNATURE,
		.revision = GPT_REVISION,
		.header_size = GPT_HEADER_SIZE,
		.my_lba = backup ? BLOCKS - 1 : 1,
		.alternate_lba = backup ? 1 : BLOCKS - 1,
		.first_usable = 2 + table,
		.last_usable = BLOCKS - 2 - table,
		.disk_guid = { 1, 2, 3 },
		.entries_lba = backup ? BLOCKS - 1 - table : 2,
		.nentries = ENTRIES,
		.entry_size = sizeof(struct gpt_entry),
	};
}

static void put_name(struct gpt_entry *e, const char *name)
{
	for (unsigned i = 0; i < 36 && name[i]; i++)
		e->name[i] = (uint8_t)name[i];
}

static void put_part(unsigned i, uint64_t first, uint64_t last,
		     const char *name)
{
	for (int backup = 0; backup < 2; backup++) {
		struct gpt_entry *e = &entries(backup)[i];

		memset(e, 0, sizeof(*e));
		memcpy(e->type_guid, linux_data, 16);
		e->guid[0] = i + 1;
		e->first_lba = first;
		e->last_lba = last;
		e->attributes = i;
		put_name(e, name);
		seal(backup);
	}
}

static void make(uint32_t block_size)
{
	struct gpt_mbr *mbr;

	bs = block_size;
	free(disk);
	disk = calloc(BLOCKS, bs);
	mbr = (void *)disk;
	mbr->signature = GPT_MBR_SIGNATURE;
	mbr->record[0].type = GPT_MBR_PROTECTIVE;
	put_header(false);
	put_header(true);
	put_part(0, 100, 199, "boot");
	put_part(2, 200, 200, "one block");
	put_part(127, 1000, 1500, "last");
	free(d.buf);
	d = (struct gpt_disk){
		.block_size = bs, .blocks = BLOCKS, .read = disk_read,
		.buf = malloc(8192), .buf_size = 8192,
	};
	reads = 0;
	bad_lba = UINT64_MAX;
	memset(&g, 0xa5, sizeof(g));
}

static void setup(void)
{
	make(512);
}

static void teardown(void)
{
	free(disk);
	free(d.buf);
	disk = NULL;
	d.buf = NULL;
}

static void expect_three(bool backup)
{
	ck_assert_int_eq(gpt_read(&d, &g), 0);
	ck_assert_uint_eq(g.backup, backup);
	ck_assert_uint_eq(g.nparts, 3);
	ck_assert_uint_eq(g.bad, 0);
	ck_assert_uint_eq(g.left_out, 0);
	ck_assert_uint_eq(g.part[0].number, 1);
	ck_assert_uint_eq(g.part[0].first, 100);
	ck_assert_uint_eq(g.part[0].last, 199);
	ck_assert_str_eq(g.part[0].name, "boot");
	ck_assert_uint_eq(g.part[1].number, 3);
	ck_assert_uint_eq(g.part[1].attributes, 2);
	ck_assert_str_eq(g.part[1].name, "one block");
	ck_assert_uint_eq(g.part[2].number, 128);
	ck_assert_uint_eq(g.part[2].guid[0], 128);
	ck_assert_int_eq(memcmp(g.part[2].type, linux_data, 16), 0);
	ck_assert_uint_eq(g.guid[2], 3);
}

START_TEST(crc_of_the_check_string)
{
	ck_assert_uint_eq(crc32(0, "123456789", 9), 0xcbf43926);
	ck_assert_uint_eq(crc32(0, "", 0), 0);
	ck_assert_uint_eq(crc32(crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
}
END_TEST

START_TEST(crc_equals_the_bitwise_definition)
{
	for (unsigned b = 0; b < 256; b++) {
		uint8_t byte = b;
		uint32_t crc = ~0u ^ b;

		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
		ck_assert_uint_eq(crc32(0, &byte, 1), ~crc);
	}
}
END_TEST

START_TEST(a_good_table_is_read)
{
	expect_three(false);
}
END_TEST

START_TEST(blocks_of_4096_bytes_are_read)
{
	make(4096);
	expect_three(false);
	header(false)->signature++;
	expect_three(true);
}
END_TEST

START_TEST(a_larger_buffer_means_fewer_reads)
{
	uint64_t before;

	expect_three(false);
	before = reads;
	free(d.buf);
	d.buf_size = 20000;		/* not a power of two: 16384 of it */
	d.buf = malloc(d.buf_size);
	reads = 0;
	expect_three(false);
	ck_assert_uint_lt(reads, before);
}
END_TEST

START_TEST(large_entries_are_stepped_over)
{
	for (int backup = 0; backup < 2; backup++) {
		struct gpt_header *h = header(backup);

		h->nentries = 4;
		h->entry_size = 4096;
		memmove((char *)entries(backup) + 8192, &entries(backup)[2],
			sizeof(struct gpt_entry));
		seal(backup);
	}
	ck_assert_int_eq(gpt_read(&d, &g), 0);
	ck_assert_uint_eq(g.nparts, 2);
	ck_assert_uint_eq(g.part[1].number, 3);
	ck_assert_str_eq(g.part[1].name, "one block");
}
END_TEST

START_TEST(a_damaged_primary_header_falls_back)
{
	header(false)->disk_guid[0] ^= 1;
	expect_three(true);
}
END_TEST

START_TEST(damaged_primary_entries_fall_back)
{
	entries(false)[5].name[3] = 'x';
	expect_three(true);
}
END_TEST

START_TEST(an_unreadable_primary_falls_back)
{
	bad_lba = 1;
	expect_three(true);
	bad_lba = 2;
	expect_three(true);
}
END_TEST

START_TEST(both_damaged_is_an_error)
{
	header(false)->header_crc ^= 1;
	header(true)->header_crc ^= 1;
	ck_assert_int_eq(gpt_read(&d, &g), -EBADMSG);
}
END_TEST

START_TEST(without_a_protective_mbr_there_is_no_gpt)
{
	struct gpt_mbr *mbr = (void *)disk;

	mbr->record[0].type = 0x83;
	ck_assert_int_eq(gpt_read(&d, &g), -ENOENT);
	mbr->record[3].type = GPT_MBR_PROTECTIVE;
	expect_three(false);
	mbr->signature = 0;
	ck_assert_int_eq(gpt_read(&d, &g), -ENOENT);
	bad_lba = 0;
	ck_assert_int_eq(gpt_read(&d, &g), -EIO);
}
END_TEST

START_TEST(a_disk_too_small_has_no_table)
{
	for (d.blocks = 0; d.blocks < 3; d.blocks++)
		ck_assert_int_eq(gpt_read(&d, &g), -ENOENT);
	ck_assert_uint_eq(reads, 0);
}
END_TEST

START_TEST(nonsense_about_the_disk_is_refused)
{
	d.block_size = 500;
	ck_assert_int_eq(gpt_read(&d, &g), -EINVAL);
	d.block_size = 768;
	ck_assert_int_eq(gpt_read(&d, &g), -EINVAL);
	d.block_size = 8192;
	ck_assert_int_eq(gpt_read(&d, &g), -EINVAL);
	d.block_size = 512;
	d.buf_size = 2048;
	ck_assert_int_eq(gpt_read(&d, &g), -EINVAL);
}
END_TEST

/* Each lie alone, under a good CRC: the primary must not be believed. */
START_TEST(a_lying_header_is_not_believed)
{
	struct gpt_header *h = header(false);

	switch (_i) {
	case 0: h->my_lba = 2; break;
	case 1: h->entry_size = 64; break;
	case 2: h->entry_size = 192; break;
	case 3: h->entry_size = 8192; break;
	case 4: h->entry_size = 0; break;
	case 5: h->nentries = 0; break;
	case 6: h->nentries = UINT32_MAX; break;
	case 7: h->entries_lba = BLOCKS; break;
	case 8: h->entries_lba = BLOCKS - 31; break;
	case 9: h->entries_lba = UINT64_MAX; break;
	case 10: h->entries_lba = 0; break;
	case 11: h->entries_lba = 1; break;
	case 12: h->first_usable = h->last_usable + 1; break;
	case 13: h->last_usable = BLOCKS; break;
	case 14: h->nentries = 0x02000000; break;
	}
	seal_header(false);
	expect_three(true);
}
END_TEST

START_TEST(a_lying_header_size_is_not_believed)
{
	static const uint32_t size[] = { 0, 91, 513, UINT32_MAX };
	struct gpt_header *h = header(false);

	h->header_size = size[_i];
	h->header_crc = 0;
	if (size[_i] < 1024)
		h->header_crc = crc32(0, h, size[_i]);
	expect_three(true);
}
END_TEST

START_TEST(a_table_at_the_very_end_is_allowed)
{
	struct gpt_header *h = header(false);

	header(true)->signature = 0;	/* the table lies over the backup */
	memmove(disk + (BLOCKS - 32) * (size_t)bs, entries(false), TABLE);
	h->entries_lba = BLOCKS - 32;
	h->last_usable = BLOCKS - 33;
	seal(false);
	expect_three(false);
}
END_TEST

START_TEST(bad_partitions_are_counted_and_left_out)
{
	put_part(3, 400, 399, "reversed");
	put_part(4, 2, 10, "over the table");
	put_part(5, 1900, UINT64_MAX, "past the end");
	put_part(6, 150, 160, "inside boot");
	put_part(7, 100, 100, "touches boot's first");
	put_part(8, 199, 199, "touches boot's last");
	put_part(9, 90, 300, "around boot");
	put_part(10, 201, 210, "fine");
	ck_assert_int_eq(gpt_read(&d, &g), 0);
	ck_assert_uint_eq(g.backup, false);
	ck_assert_uint_eq(g.bad, 7);
	ck_assert_uint_eq(g.nparts, 4);
	ck_assert_str_eq(g.part[2].name, "fine");
}
END_TEST

START_TEST(what_does_not_fit_is_counted)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		put_part(i, 100 + i, 100 + i, "x");
	ck_assert_int_eq(gpt_read(&d, &g), 0);
	ck_assert_uint_eq(g.nparts, GPT_PARTS);
	ck_assert_uint_eq(g.left_out, ENTRIES - GPT_PARTS);
}
END_TEST

START_TEST(names_become_ascii)
{
	struct gpt_entry *e = &entries(false)[0];

	e->name[0] = 0xe9;		/* é */
	e->name[1] = 0x4e2d;		/* its low byte is '-' */
	e->name[2] = '\n';
	seal(false);
	ck_assert_int_eq(gpt_read(&d, &g), 0);
	ck_assert_str_eq(g.part[0].name, "???t");
	for (unsigned i = 0; i < 36; i++)
		e->name[i] = 'a' + i % 26;
	seal(false);
	ck_assert_int_eq(gpt_read(&d, &g), 0);
	ck_assert_str_eq(g.part[0].name, "abcdefghijklmnopqrstuvwxyzabcdefghij");
}
END_TEST

START_TEST(guids_are_printed_in_mixed_byte_order)
{
	char text[GPT_GUID_TEXT];
	const uint8_t nobody[16] = { 0 };

	gpt_guid_text(linux_data, text);
	ck_assert_str_eq(text, "0FC63DAF-8483-4772-8E79-3D69D8477DE4");
	ck_assert_str_eq(gpt_type_name(linux_data), "Linux data");
	ck_assert_ptr_null(gpt_type_name(nobody));
}
END_TEST

/*
 * Bytes of the tables at random, half of the time under correct CRCs: ends
 * without a read out of bounds, and what it returns keeps the promises.
 */
START_TEST(random_damage_never_breaks_the_promises)
{
	srand(_i + 1);
	for (unsigned round = 0; round < 400; round++) {
		make(rand() & 1 ? 512 : 4096);
		for (unsigned n = 1 + rand() % 6; n; n--) {
			uint8_t *p = rand() & 1 ?
				(uint8_t *)header(rand() & 1) + rand() % 92 :
				disk + 2 * (size_t)bs + rand() % TABLE;

			*p = rand();
		}
		if (rand() & 1) {
			struct gpt_header *h = header(false);

			if (h->entries_lba < 100 &&
			    (uint64_t)h->nentries * h->entry_size <= TABLE)
				seal(false);
			seal_header(false);
			seal_header(true);
		}
		if (gpt_read(&d, &g))
			continue;
		ck_assert_uint_le(g.nparts, GPT_PARTS);
		for (unsigned i = 0; i < g.nparts; i++) {
			ck_assert_uint_le(g.part[i].first, g.part[i].last);
			ck_assert_uint_lt(g.part[i].last, BLOCKS);
			ck_assert_uint_lt(strlen(g.part[i].name), 37);
			for (unsigned k = 0; k < i; k++)
				ck_assert(g.part[i].first > g.part[k].last ||
					  g.part[i].last < g.part[k].first);
		}
	}
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("gpt", setup, teardown, 60);

	tcase_add_test(tc, crc_of_the_check_string);
	tcase_add_test(tc, crc_equals_the_bitwise_definition);
	tcase_add_test(tc, a_good_table_is_read);
	tcase_add_test(tc, blocks_of_4096_bytes_are_read);
	tcase_add_test(tc, a_larger_buffer_means_fewer_reads);
	tcase_add_test(tc, large_entries_are_stepped_over);
	tcase_add_test(tc, a_damaged_primary_header_falls_back);
	tcase_add_test(tc, damaged_primary_entries_fall_back);
	tcase_add_test(tc, an_unreadable_primary_falls_back);
	tcase_add_test(tc, both_damaged_is_an_error);
	tcase_add_test(tc, without_a_protective_mbr_there_is_no_gpt);
	tcase_add_test(tc, a_disk_too_small_has_no_table);
	tcase_add_test(tc, nonsense_about_the_disk_is_refused);
	tcase_add_loop_test(tc, a_lying_header_is_not_believed, 0, 15);
	tcase_add_loop_test(tc, a_lying_header_size_is_not_believed, 0, 4);
	tcase_add_test(tc, a_table_at_the_very_end_is_allowed);
	tcase_add_test(tc, bad_partitions_are_counted_and_left_out);
	tcase_add_test(tc, what_does_not_fit_is_counted);
	tcase_add_test(tc, names_become_ascii);
	tcase_add_test(tc, guids_are_printed_in_mixed_byte_order);
	tcase_add_loop_test(tc, random_damage_never_breaks_the_promises, 0, 8);
	return suite_run("gpt");
}
