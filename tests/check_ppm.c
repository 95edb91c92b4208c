/* SPDX-License-Identifier: MIT */
/*
 * gfx/ppm.c: headers right and wrong, and pictures scaled, against a direct
 * computation of what each pixel covers.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/errno.h"
#include "gfx/surface.h"
#include "tests/host/suite.h"

#define SIDE	300
#define GROUND	0x00010203

static struct surface s;

static void setup(void)
{
	s.width = s.height = SIDE;
	s.row = malloc(SIDE * sizeof(s.row[0]));
	for (unsigned y = 0; y < SIDE; y++) {
		s.row[y] = malloc(SIDE * sizeof(s.row[y][0]));
		for (unsigned x = 0; x < SIDE; x++)
			s.row[y][x] = GROUND;
	}
}

static void teardown(void)
{
	for (unsigned y = 0; y < SIDE; y++)
		free(s.row[y]);
	free(s.row);
}

/* ---- headers ---- */

/* Parse a copy that is exactly as long, so that ASan sees a step outside. */
static int parse(const char *data, size_t size, struct ppm *p)
{
	char *copy = malloc(size + !size);
	int err;

	memcpy(copy, data, size);
	err = ppm_parse(copy, size, p);
	free(copy);
	return err;
}

#define PIXEL	"rgb"
static const struct { const char *text; unsigned w, h, offset; } good[] = {
	{ "P6 1 1 255 " PIXEL, 1, 1, 11 },
	{ "P6\n1 1\n255\n" PIXEL, 1, 1, 11 },
	{ "P6\t1\r\n\v\f 1\n\n255\r" PIXEL, 1, 1, 16 },
	{ "P6#c\n1 1 255\n" PIXEL, 1, 1, 13 },
	{ "P6\n# made by\n# hand 9 9\n2 1\n# more\n255\n" PIXEL PIXEL,
	  2, 1, 39 },
	{ "P6 1#2 3\n1 255 " PIXEL, 1, 1, 15 },
	{ "P6 001 01 0255 " PIXEL, 1, 1, 15 },
	/* The one blank is over: these are pixels. */
	{ "P6 1 1 255 #\n ", 1, 1, 11 },
	{ "P6 1 1 255\n\n\n\n", 1, 1, 11 },
	{ "P6 1 2 255 " PIXEL PIXEL "and what follows", 1, 2, 11 },
};

START_TEST(a_good_header_says_size_and_offset)
{
	struct ppm p;

	ck_assert_int_eq(parse(good[_i].text, strlen(good[_i].text), &p), 0);
	ck_assert_uint_eq(p.width, good[_i].w);
	ck_assert_uint_eq(p.height, good[_i].h);
	ck_assert_uint_eq(p.offset, good[_i].offset);
	ck_assert_uint_eq(p.need, p.offset + 3 * p.width * p.height);
}
END_TEST

static const char *const bad[] = {
	"P5 1 1 255 ...", "P3 1 1 255 ...", "p6 1 1 255 ...", "Q", "\x7f" "ELF",
	"P61 1 1 255 ...", "P6 a 1 255 ...", "P6 1 b 255 ...",
	"P6 1 1 c ...", "P6 -1 1 255 ...", "P6 1 -1 255 ...",
	"P6 +1 1 255 ...", "P6 0 1 255 ...", "P6 1 0 255 ...",
	"P6 1 1 0 ...", "P6 1 1 254 ...", "P6 1 1 256 ...",
	"P6 1 1 65535 ......", "P6 1 1 65536 ...", "P6 1 1 255x...",
	"P6 1 1 255# c\n...", "P6 1x1 255 ...", "P6 1.5 1 255 ...",
	"P6 65536 1 255 ", "P6 1 65536 255 ", "P6 4294967297 1 255 ...",
	"P6 1 4294967297 255 ...", "P6 18446744073709551617 1 255 ...",
	"P6 99999999999999999999999999 1 255 ...", "P6 1 1 4294967551 ...",
};

START_TEST(a_bad_header_is_refused)
{
	struct ppm p;

	ck_assert_int_eq(parse(bad[_i], strlen(bad[_i]), &p), -EINVAL);
}
END_TEST

START_TEST(a_picture_cut_short_says_what_it_takes)
{
	static const char whole[] = "P6\n# c\n2 3\n255\nabcdefghijklmnopqr";
	size_t size = sizeof(whole) - 1, header = 15;
	struct ppm p;

	for (size_t n = 0; n < size; n++) {
		ck_assert_int_eq(parse(whole, n, &p), -EBADMSG);
		ck_assert_uint_eq(p.need, n < header ? 0 : size);
	}
	ck_assert_int_eq(parse(whole, size, &p), 0);
	ck_assert_uint_eq(p.need, size);
}
END_TEST

START_TEST(the_largest_size_does_not_overflow)
{
	struct ppm p;
	const char *text = "P6 65535 65535 255 x";

	ck_assert_int_eq(parse(text, strlen(text), &p), -EBADMSG);
	ck_assert_uint_eq(p.need, 19 + UINT64_C(65535) * 65535 * 3);
}
END_TEST

START_TEST(a_header_of_noise_never_passes_its_end)
{
	static const char alphabet[] = "P6 \n#0125x";
	struct ppm p;
	unsigned seed = 1;

	for (unsigned i = 0; i < 20000; i++) {
		char text[24] = "P6 ";
		size_t n = 3 + i % 20;

		for (size_t k = 3; k < n; k++) {
			seed = seed * 1103515245 + 12345;
			text[k] = alphabet[(seed >> 16) % 10];
		}
		if (parse(text, n, &p) == 0)
			ck_assert_uint_le(p.need, n);
	}
}
END_TEST

/* ---- drawing ---- */

static uint8_t *picture;
static struct ppm header;

static void make_picture(unsigned w, unsigned h)
{
	unsigned seed = w * 1000 + h;
	int n;

	free(picture);
	picture = malloc(32 + (size_t)w * h * 3);
	n = sprintf((char *)picture, "P6 %u %u 255\n", w, h);
	for (size_t i = 0; i < (size_t)w * h * 3; i++) {
		seed = seed * 1103515245 + 12345;
		picture[(size_t)n + i] = (uint8_t)(seed >> 16);
	}
	ck_assert_int_eq(ppm_parse(picture, (size_t)n + (size_t)w * h * 3,
				   &header), 0);
}

static unsigned source(unsigned x, unsigned y, unsigned c)
{
	return picture[header.offset + ((size_t)y * header.width + x) * 3 + c];
}

/* The mean of the covered source pixels, rounded to nearest. */
static unsigned mean(unsigned x, unsigned y, unsigned w, unsigned h, unsigned c)
{
	unsigned x0 = x * header.width / w, x1 = (x + 1) * header.width / w;
	unsigned y0 = y * header.height / h, y1 = (y + 1) * header.height / h;
	unsigned sum = 0, n = 0;

	x1 = x1 > x0 ? x1 : x0 + 1;
	y1 = y1 > y0 ? y1 : y0 + 1;
	for (unsigned j = y0; j < y1; j++)
		for (unsigned i = x0; i < x1; i++, n++)
			sum += source(i, j, c);
	return (2 * sum + n) / (2 * n);
}

static unsigned off_by(unsigned a, unsigned b)
{
	return a > b ? a - b : b - a;
}

static void expect_picture(int x0, int y0, unsigned w, unsigned h)
{
	unsigned wrong = 0;

	for (int y = 0; y < SIDE; y++)
		for (int x = 0; x < SIDE; x++) {
			unsigned px = (unsigned)(x - x0), py = (unsigned)(y - y0);
			uint32_t v = s.row[y][x];

			if (px >= w || py >= h) {
				wrong += v != GROUND;
				continue;
			}
			for (unsigned c = 0; c < 3; c++)
				wrong += off_by(v >> (16 - 8 * c) & 0xff,
						mean(px, py, w, h, c)) > 0;
			wrong += v >> 24 != 0;
		}
	ck_assert_msg(!wrong, "%u wrong of %ux%u at %d,%d", wrong, w, h, x0,
		      y0);
}

/* Source, box, and the size it must come out with. */
static const struct { unsigned sw, sh, w, h, fit_w, fit_h; } scales[] = {
	{ 64, 32, 64, 32, 64, 32 },		/* as it is */
	{ 1, 1, 1, 1, 1, 1 },
	{ 7, 5, 70, 50, 70, 50 },		/* grown evenly */
	{ 7, 5, 99, 61, 85, 61 },		/* and not */
	{ 640, 320, 160, 80, 160, 80 },		/* shrunk evenly */
	{ 640, 320, 291, 200, 291, 145 },
	{ 200, 300, 299, 150, 100, 150 },	/* upright: bars at the sides */
	{ 300, 10, 30, 30, 30, 1 },		/* flat: bars above and below */
	{ 1000, 1, 100, 100, 100, 1 },		/* flatter than a row */
	{ 1, 1000, 100, 100, 1, 100 },
	{ 129, 65, 128, 64, 127, 64 },		/* just under: one pixel in two */
	{ 257, 255, 256, 254, 255, 254 },
	{ 900, 900, 3, 3, 3, 3 },		/* 90 000 in one */
};

START_TEST(each_pixel_is_the_mean_of_what_it_covers)
{
	unsigned w = scales[_i].w, h = scales[_i].h;
	unsigned fit_w, fit_h;

	make_picture(scales[_i].sw, scales[_i].sh);
	ppm_fit(w, h, &header, &fit_w, &fit_h);
	ck_assert_uint_eq(fit_w, scales[_i].fit_w);
	ck_assert_uint_eq(fit_h, scales[_i].fit_h);
	ppm_draw(&s, 1, 0, (int)w, (int)h, picture, &header);
	expect_picture(1 + (int)(w - fit_w) / 2, (int)(h - fit_h) / 2, fit_w,
		       fit_h);
}
END_TEST

START_TEST(a_picture_is_clipped_at_every_edge)
{
	static const int at[] = { -1000, -64, -31, -1, 0, 1, 250, 299, 300, 999 };

	make_picture(90, 45);
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++)
		for (unsigned j = 0; j < ARRAY_SIZE(at); j++) {
			surface_fill(&s, 0, 0, SIDE, SIDE, GROUND);
			ppm_draw(&s, at[i], at[j], 70, 35, picture, &header);
			expect_picture(at[i], at[j], 70, 35);
		}
}
END_TEST

START_TEST(larger_than_the_surface_shows_its_middle)
{
	make_picture(90, 90);
	ppm_draw(&s, -500, -500, 1300, 1300, picture, &header);
	expect_picture(-500, -500, 1300, 1300);
}
END_TEST

START_TEST(white_stays_white_and_black_black)
{
	for (unsigned side = 1; side <= 290; side += 17) {
		make_picture(290, 290);
		memset(picture + header.offset, 0xff, 290 * 290 * 3);
		ppm_draw(&s, 0, 0, (int)side, (int)side, picture, &header);
		for (unsigned y = 0; y < side; y++)
			for (unsigned x = 0; x < side; x++)
				if (s.row[y][x] != 0xffffff)
					ck_abort_msg("%u: grey", side);
		memset(picture + header.offset, 0, 290 * 290 * 3);
		ppm_draw(&s, 0, 0, (int)side, (int)side, picture, &header);
		for (unsigned y = 0; y < side; y++)
			for (unsigned x = 0; x < side; x++)
				if (s.row[y][x] != 0)
					ck_abort_msg("%u: grey", side);
	}
}
END_TEST

START_TEST(no_room_draws_nothing)
{
	make_picture(9, 9);
	ppm_draw(&s, 10, 10, 0, 10, picture, &header);
	ppm_draw(&s, 10, 10, 10, 0, picture, &header);
	ppm_draw(&s, 10, 10, -3, 10, picture, &header);
	expect_picture(0, 0, 0, 0);
}
END_TEST

static void drop_picture(void)
{
	free(picture);
	picture = NULL;
	teardown();
}

int main(void)
{
	TCase *t = suite_group("header", NULL, NULL, 0);

	tcase_add_loop_test(t, a_good_header_says_size_and_offset, 0,
			    ARRAY_SIZE(good));
	tcase_add_loop_test(t, a_bad_header_is_refused, 0, ARRAY_SIZE(bad));
	tcase_add_test(t, a_picture_cut_short_says_what_it_takes);
	tcase_add_test(t, the_largest_size_does_not_overflow);
	tcase_add_test(t, a_header_of_noise_never_passes_its_end);

	t = suite_group("drawing", setup, drop_picture, 60);
	tcase_add_loop_test(t, each_pixel_is_the_mean_of_what_it_covers, 0,
			    ARRAY_SIZE(scales));
	tcase_add_test(t, a_picture_is_clipped_at_every_edge);
	tcase_add_test(t, larger_than_the_surface_shows_its_middle);
	tcase_add_test(t, white_stays_white_and_black_black);
	tcase_add_test(t, no_room_draws_nothing);
	return suite_run("ppm");
}
