/* SPDX-License-Identifier: MIT */
/*
 * gfx/surface.c, gfx/plot.c and gfx/crc.c: rectangles against a plain pixel
 * loop, with rows scattered and guarded; sums against known ones.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "gfx/crc.h"
#include "gfx/plot.h"
#include "gfx/surface.h"
#include "tests/host/suite.h"

#define W	67
#define H	41
#define GROUND	0x00abcdef

static struct surface s;
static uint32_t model[H][W];

/* Each row is a heap block of its own, so that ASan sees a step outside. */
static void setup(void)
{
	s.width = W;
	s.height = H;
	s.row = malloc(H * sizeof(s.row[0]));
	for (unsigned i = 0; i < H; i++) {
		unsigned y = i * 17 % H;

		s.row[y] = malloc(W * sizeof(s.row[y][0]));
	}
	for (unsigned y = 0; y < H; y++)
		for (unsigned x = 0; x < W; x++)
			s.row[y][x] = model[y][x] = GROUND;
}

static void teardown(void)
{
	for (unsigned y = 0; y < H; y++)
		free(s.row[y]);
	free(s.row);
}

static void model_fill(int64_t x, int64_t y, int64_t w, int64_t h, uint32_t rgb)
{
	for (int64_t j = 0; j < H; j++)
		for (int64_t i = 0; i < W; i++)
			if (i >= x && i < x + w && j >= y && j < y + h)
				model[j][i] = rgb;
}

static void expect_model(void)
{
	for (unsigned y = 0; y < H; y++)
		ck_assert_mem_eq(s.row[y], model[y], sizeof(model[y]));
}

static unsigned seed = 1;

static int pick(int from, int to)
{
	seed = seed * 1103515245 + 12345;
	return from + (int)((seed >> 8) % (unsigned)(to - from + 1));
}

START_TEST(fill_is_what_a_pixel_loop_does)
{
	for (unsigned i = 0; i < 5000; i++) {
		int x = pick(-80, 80), y = pick(-50, 50);
		int w = pick(-5, 150), h = pick(-5, 90);

		surface_fill(&s, x, y, w, h, i);
		model_fill(x, y, w, h, i);
		expect_model();
	}
}
END_TEST

START_TEST(every_width_is_filled_to_the_pixel)
{
	for (int w = 0; w <= W; w++) {
		surface_fill(&s, 0, w % H, w, 1, (uint32_t)w);
		model_fill(0, w % H, w, 1, (uint32_t)w);
		expect_model();
	}
}
END_TEST

static const int edges[][4] = {
	{ INT32_MIN, 0, 5, 5 }, { 0, INT32_MIN, 5, 5 },
	{ INT32_MAX, 0, 5, 5 }, { 0, INT32_MAX, 5, 5 },
	{ INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX },
	{ INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX },
	{ 3, 3, INT32_MAX, INT32_MAX }, { 3, 3, INT32_MIN, INT32_MIN },
	{ -5, -5, INT32_MAX, INT32_MAX }, { W, H, 1, 1 }, { -1, -1, 1, 1 },
	{ W - 1, H - 1, 1, 1 }, { 0, 0, W, H }, { -1, -1, W + 2, H + 2 },
};

START_TEST(fill_clips_at_the_edges_of_numbers)
{
	const int *e = edges[_i];

	surface_fill(&s, e[0], e[1], e[2], e[3], 7);
	model_fill(e[0], e[1], e[2], e[3], 7);
	expect_model();
}
END_TEST

START_TEST(put_and_get_ignore_what_is_outside)
{
	surface_put(&s, 3, 4, 0x112233);
	ck_assert_uint_eq(surface_get(&s, 3, 4), 0x112233);
	model[4][3] = 0x112233;
	surface_put(&s, -1, 0, 1);
	surface_put(&s, 0, -1, 1);
	surface_put(&s, W, 0, 1);
	surface_put(&s, 0, H, 1);
	surface_put(&s, INT32_MIN, INT32_MIN, 1);
	surface_put(&s, INT32_MAX, INT32_MAX, 1);
	expect_model();
	ck_assert_uint_eq(surface_get(&s, -1, 0), 0);
	ck_assert_uint_eq(surface_get(&s, 0, H), 0);
	ck_assert_uint_eq(surface_get(&s, W, 0), 0);
}
END_TEST

START_TEST(an_empty_surface_takes_nothing)
{
	struct surface none = { 0 };

	surface_fill(&none, 0, 0, 10, 10, 1);
	surface_put(&none, 0, 0, 1);
	ck_assert_uint_eq(surface_get(&none, 0, 0), 0);
	ck_assert_uint_eq(surface_crc32(&none, 0, 0, 1, 1), 0);
}
END_TEST

START_TEST(a_frame_has_an_inside_and_an_outside)
{
	plot_frame(&s, 5, 6, 20, 10, 2, 9);
	model_fill(5, 6, 20, 10, 9);
	model_fill(7, 8, 16, 6, GROUND);
	expect_model();
}
END_TEST

START_TEST(a_round_corner_is_symmetric_and_inside_its_box)
{
	for (int r = 0; r <= 4; r++) {
		surface_fill(&s, 0, 0, W, H, GROUND);
		plot_round(&s, 5, 6, 20, 12, r, 9);
		for (int y = 0; y < 12; y++)
			for (int x = 0; x < 20; x++) {
				uint32_t c = surface_get(&s, 5 + x, 6 + y);

				ck_assert_uint_eq(c, surface_get(&s, 24 - x,
								 6 + y));
				ck_assert_uint_eq(c, surface_get(&s, 5 + x,
								 17 - y));
			}
		ck_assert_int_eq(surface_get(&s, 5, 6) == 9, r == 0);
		ck_assert_uint_eq(surface_get(&s, 5 + r, 6), 9);
		surface_fill(&s, 5, 6, 20, 12, GROUND);
		memset(model, 0, sizeof(model));
		model_fill(0, 0, W, H, GROUND);
		expect_model();
	}
}
END_TEST

static const struct { uint64_t value, max; int full; } bars[] = {
	{ 0, 100, 0 }, { 50, 100, 20 }, { 100, 100, 40 }, { 101, 100, 40 },
	{ 1, 1000000, 1 }, { 0, 0, 0 }, { 5, 0, 1 },
	{ UINT64_MAX, UINT64_MAX, 40 }, { UINT64_MAX / 2, UINT64_MAX, 19 },
	{ UINT64_MAX, 1, 40 },
};

START_TEST(a_bar_shows_its_share)
{
	plot_bar(&s, 3, 4, 40, 5, bars[_i].value, bars[_i].max, 8, 9);
	model_fill(3, 4, 40, 5, 9);
	model_fill(3, 4, bars[_i].full, 5, 8);
	expect_model();
}
END_TEST

START_TEST(a_line_stays_in_its_box_and_ends_at_its_samples)
{
	const uint64_t sample[] = { 0, 10, 5, 10, 0, 7 };

	for (int w = 1; w < 50; w += 7) {
		surface_fill(&s, 0, 0, W, H, GROUND);
		plot_line(&s, 5, 6, w, 20, 2, sample, ARRAY_SIZE(sample), 0, 8,
			  9);
		for (int y = 0; y < H; y++)
			for (int x = 0; x < W; x++)
				if (x < 5 || x >= 5 + w || y < 6 || y >= 26)
					ck_assert_uint_eq(s.row[y][x], GROUND);
		ck_assert_uint_eq(surface_get(&s, 5, 25), 8);
	}
	plot_line(&s, 5, 6, 40, 20, 2, sample, 0, 0, 1, 1);
	plot_line(&s, 5, 6, 0, 20, 2, sample, 6, 0, 1, 1);
	plot_line(&s, 5, 6, 40, 1, 2, sample, 6, 0, 1, 1);
	for (int y = 0; y < H; y++)
		for (int x = 0; x < W; x++)
			ck_assert_uint_ne(s.row[y][x], 1);
}
END_TEST

START_TEST(a_flat_line_is_flat)
{
	const uint64_t sample[] = { 3, 3, 3 };

	plot_line(&s, 0, 0, W, 21, 1, sample, 3, 6, 8, 9);
	model_fill(0, 11, W, 10, 9);
	model_fill(0, 10, W, 1, 8);
	expect_model();
}
END_TEST

START_TEST(the_crc_is_the_one_everybody_knows)
{
	/* "123456789", the check value of CRC-32. */
	const uint32_t check[] = { 0x313233, 0x343536, 0x373839 };

	memcpy(s.row[0], check, sizeof(check));
	ck_assert_uint_eq(surface_crc32(&s, 0, 0, 3, 1), 0xcbf43926);
	/* The same bytes, one row each. */
	for (int i = 0; i < 3; i++)
		s.row[5 + i][7] = check[i] | 0xff000000;
	ck_assert_uint_eq(surface_crc32(&s, 7, 5, 1, 3), 0xcbf43926);
	ck_assert_uint_eq(surface_crc32(&s, 0, 0, 0, 3), 0);
}
END_TEST

static uint32_t crc_slow(uint32_t crc, uint8_t byte)
{
	crc ^= byte;
	for (int i = 0; i < 8; i++)
		crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	return crc;
}

START_TEST(the_crc_of_any_rectangle_is_that_of_its_bytes)
{
	for (unsigned y = 0; y < H; y++)
		for (unsigned x = 0; x < W; x++)
			s.row[y][x] = (uint32_t)pick(0, 0xffffff);
	/* Runs of one colour, of which some are broken by a pixel. */
	for (unsigned y = 0; y < H; y += 2)
		surface_fill(&s, pick(-20, 40), (int)y, pick(20, 80), 1,
			     (uint32_t)pick(0, 2) * 0x10204);
	for (unsigned i = 0; i < 40; i++)
		surface_put(&s, pick(0, W), pick(0, H), 0x000001);
	for (unsigned i = 0; i < 300; i++) {
		unsigned x = (unsigned)pick(0, W + 3);
		unsigned y = (unsigned)pick(0, H + 3);
		unsigned w = (unsigned)pick(0, W + 3);
		unsigned h = (unsigned)pick(0, H + 3);
		uint32_t crc = UINT32_MAX;

		for (unsigned j = y; j < y + h && j < H; j++)
			for (unsigned k = x; k < x + w && k < W; k++)
				for (int b = 16; b >= 0; b -= 8)
					crc = crc_slow(crc, (uint8_t)
						       (s.row[j][k] >> b));
		ck_assert_uint_eq(surface_crc32(&s, x, y, w, h), ~crc);
	}
}
END_TEST

/* Every place of a run, where a run is what the sum takes at a step. */
START_TEST(one_pixel_anywhere_in_a_run_changes_the_crc)
{
	for (unsigned x = 0; x < W; x++) {
		uint32_t crc = UINT32_MAX;

		surface_fill(&s, 0, 0, W, 1, 0x336699);
		s.row[0][x] ^= 0x000100;
		for (unsigned i = 0; i < W; i++)
			for (int b = 16; b >= 0; b -= 8)
				crc = crc_slow(crc, (uint8_t)
					       (s.row[0][i] >> b));
		ck_assert_uint_eq(surface_crc32(&s, 0, 0, W, 1), ~crc);
	}
}
END_TEST

int main(void)
{
	TCase *t = suite_group("surface", setup, teardown, 60);

	tcase_add_test(t, fill_is_what_a_pixel_loop_does);
	tcase_add_test(t, every_width_is_filled_to_the_pixel);
	tcase_add_loop_test(t, fill_clips_at_the_edges_of_numbers, 0,
			    ARRAY_SIZE(edges));
	tcase_add_test(t, put_and_get_ignore_what_is_outside);
	tcase_add_test(t, an_empty_surface_takes_nothing);
	tcase_add_test(t, a_frame_has_an_inside_and_an_outside);
	tcase_add_test(t, a_round_corner_is_symmetric_and_inside_its_box);
	tcase_add_loop_test(t, a_bar_shows_its_share, 0, ARRAY_SIZE(bars));
	tcase_add_test(t, a_line_stays_in_its_box_and_ends_at_its_samples);
	tcase_add_test(t, a_flat_line_is_flat);
	tcase_add_test(t, the_crc_is_the_one_everybody_knows);
	tcase_add_test(t, the_crc_of_any_rectangle_is_that_of_its_bytes);
	tcase_add_test(t, one_pixel_anywhere_in_a_run_changes_the_crc);
	return suite_run("surface");
}
