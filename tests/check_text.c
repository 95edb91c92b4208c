/* SPDX-License-Identifier: MIT */
/*
 * gfx/text.c and gfx/psf.c: glyphs to the pixel against the font's own bits,
 * clipped everywhere; font files that lie; UTF-8 that is broken.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/errno.h"
#include "gfx/psf.h"
#include "gfx/text.h"
#include "tests/host/suite.h"

#define W	60
#define H	70
#define GROUND	0x00112233
#define INK	0x00fedcba

extern const uint8_t font_regular[], font_regular_end[];
extern const uint8_t font_bold[], font_bold_end[];
extern const uint8_t font_large[], font_large_end[];

static struct surface s;

static void ground(void)
{
	for (unsigned y = 0; y < H; y++)
		for (unsigned x = 0; x < W; x++)
			s.row[y][x] = GROUND;
}

static void setup(void)
{
	s.width = W;
	s.height = H;
	s.row = malloc(H * sizeof(s.row[0]));
	for (unsigned y = 0; y < H; y++)
		s.row[y] = malloc(W * sizeof(s.row[y][0]));
	ground();
}

static void teardown(void)
{
	for (unsigned y = 0; y < H; y++)
		free(s.row[y]);
	free(s.row);
}

/* The bit of a glyph, straight from the file (PSF1, 8x16, after 4 bytes). */
static bool regular_bit(unsigned glyph, int x, int y)
{
	if (x < 0 || x >= 8 || y < 0 || y >= 16)
		return false;
	return font_regular[4 + glyph * 16 + (unsigned)y] >> (7 - x) & 1;
}

static void expect_glyph(unsigned glyph, int x0, int y0, int scale)
{
	unsigned wrong = 0;

	for (int y = 0; y < H; y++)
		for (int x = 0; x < W; x++) {
			bool ink = x >= x0 && y >= y0 &&
				   regular_bit(glyph, (x - x0) / scale,
					       (y - y0) / scale);

			wrong += s.row[y][x] != (ink ? INK : GROUND);
		}
	ck_assert_msg(!wrong, "glyph %u at %d,%d: %u wrong pixels", glyph, x0,
		      y0, wrong);
}

START_TEST(every_glyph_is_drawn_to_the_pixel)
{
	for (unsigned c = 0x20; c < 0x7f; c++) {
		char text[2] = { (char)c };

		ground();
		ck_assert_int_eq(text_draw(&s, 11, 7, text, INK, 1), 19);
		expect_glyph(c, 11, 7, 1);
	}
}
END_TEST

/* Seen by a person once; after that it must not change. */
START_TEST(an_upper_case_l_looks_like_one)
{
	static const char *const want[16] = {
		"", "", " #      ", " #      ", " #      ", " #      ",
		" #      ", " #      ", " #      ", " #      ", " #      ",
		" ###### ", "", "", "", "",
	};
	unsigned ink = 0;

	text_draw(&s, 0, 0, "L", INK, 1);
	for (unsigned y = 0; y < 16; y++)
		for (unsigned x = 0; x < strlen(want[y]); x++) {
			ck_assert_int_eq(s.row[y][x] == INK,
					 want[y][x] == '#');
			ink += s.row[y][x] == INK;
		}
	ck_assert_uint_eq(ink, 15);
}
END_TEST

START_TEST(a_glyph_is_clipped_at_every_edge)
{
	for (int y = -17; y <= H; y += 3)
		for (int x = -9; x <= W; x++) {
			ground();
			ck_assert_int_eq(text_draw(&s, x, y, "R", INK, 1),
					 x + 8);
			expect_glyph('R', x, y, 1);
		}
}
END_TEST

START_TEST(scaling_repeats_pixels)
{
	ck_assert_int_eq(text_draw(&s, 5, -4, "g", INK, 3), 29);
	expect_glyph('g', 5, -4, 3);
}
END_TEST

START_TEST(even_scales_use_the_large_cut)
{
	struct psf f;
	const uint8_t *g;

	ck_assert_int_eq(psf_parse(font_large, (size_t)(font_large_end -
							font_large), &f), 0);
	ck_assert_uint_eq(f.width, 16);
	ck_assert_uint_eq(f.height, 32);
	g = psf_glyph(&f, 'k');
	ck_assert_int_eq(text_draw(&s, 3, 5, "k", INK, 2), 19);
	for (unsigned y = 0; y < H; y++)
		for (unsigned x = 0; x < W; x++) {
			unsigned gx = x - 3, gy = y - 5;
			bool ink = gx < 16 && gy < 32 &&
				   g[gy * 2 + gx / 8] >> (7 - gx % 8) & 1;

			ck_assert_int_eq(s.row[y][x] == INK, ink);
		}
	ck_assert_int_eq(text_draw(&s, 3, 5, "k", INK, 4), 35);
}
END_TEST

START_TEST(bold_is_another_cut_of_the_same_width)
{
	ck_assert_int_eq(text_draw_bold(&s, 4, 4, "W", INK, 1), 12);
	for (int y = 0; y < 16; y++)
		for (int x = 0; x < 8; x++)
			ck_assert_int_eq(s.row[4 + y][4 + x] == INK,
					 font_bold[4 + 'W' * 16 + y] >>
					 (7 - x) & 1);
	ck_assert_mem_ne(font_bold, font_regular, 4096);
}
END_TEST

START_TEST(text_goes_on_to_the_right_and_returns_where)
{
	ck_assert_int_eq(text_draw(&s, 2, 0, "abc", INK, 1), 26);
	ck_assert_int_eq(text_draw(&s, 2, 0, "", INK, 1), 2);
	ck_assert_int_eq(text_draw(&s, -100, 0, "abc", INK, 1), -76);
	ck_assert_int_eq(text_draw(&s, 1000, 0, "abc", INK, 1), 1024);
	ck_assert_int_eq(text_draw(&s, 0, 0, "µ→…", INK, 1), 24);
}
END_TEST

/* ---- the fonts that are built in ---- */

START_TEST(the_built_in_fonts_parse_and_have_ascii_in_place)
{
	const struct { const uint8_t *p, *end; unsigned w, h; } font[] = {
		{ font_regular, font_regular_end, 8, 16 },
		{ font_bold, font_bold_end, 8, 16 },
		{ font_large, font_large_end, 16, 32 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(font); i++) {
		size_t size = (size_t)(font[i].end - font[i].p);
		struct psf f;

		ck_assert_int_eq(psf_parse(font[i].p, size, &f), 0);
		ck_assert_uint_eq(f.width, font[i].w);
		ck_assert_uint_eq(f.height, font[i].h);
		ck_assert(f.table < f.table_end);
		ck_assert_ptr_eq(psf_glyph(&f, 'A'),
				 f.bits + 'A' * f.glyph_size);
		/* Known by the table, unlike a character of no font. */
		ck_assert_ptr_ne(psf_glyph(&f, 0xb5), psf_glyph(&f, '?'));
		ck_assert_ptr_ne(psf_glyph(&f, 0x2026), psf_glyph(&f, '?'));
		ck_assert_ptr_eq(psf_glyph(&f, 0x1f600), psf_glyph(&f, '?'));
	}
}
END_TEST

/* ---- files that lie ---- */

/* 64 glyphs and more are needed for '?': a font of 256 8x8 glyphs. */
static uint8_t file[4 + 512 * 16 + 64];

static size_t make_psf1(uint8_t mode, uint8_t height)
{
	unsigned n = mode & 1 ? 512 : 256;

	memset(file, 0, sizeof(file));
	file[0] = 0x36;
	file[1] = 0x04;
	file[2] = mode;
	file[3] = height;
	for (unsigned g = 0; g < n; g++)
		memset(file + 4 + g * height, (int)g, height);
	return 4 + (size_t)n * height;
}

START_TEST(psf1_header_says_glyphs_and_height)
{
	struct psf f;
	size_t size = make_psf1(1, 14);

	ck_assert_int_eq(psf_parse(file, size, &f), 0);
	ck_assert_uint_eq(f.glyphs, 512);
	ck_assert_uint_eq(f.height, 14);
	ck_assert_uint_eq(f.width, 8);
	ck_assert_ptr_eq(f.table, f.table_end);
	ck_assert_uint_eq(*psf_glyph(&f, 'z'), 'z');
	ck_assert_uint_eq(*psf_glyph(&f, 0x100), '?');
}
END_TEST

START_TEST(a_font_cut_short_anywhere_is_refused)
{
	size_t size = make_psf1(0, 8);
	struct psf f;

	for (size_t n = 0; n < size; n++) {
		uint8_t *copy = malloc(n + !n);

		memcpy(copy, file, n);
		ck_assert_int_eq(psf_parse(copy, n, &f), -EBADMSG);
		free(copy);
	}
	ck_assert_int_eq(psf_parse(file, size, &f), 0);
}
END_TEST

static void put32(unsigned word, uint32_t v)
{
	memcpy(file + 4 * word, &v, 4);
}

static size_t make_psf2(void)
{
	static const uint32_t head[8] = { 0x864ab572, 0, 32, 0, 128, 8, 8, 8 };

	memset(file, 0, sizeof(file));
	memcpy(file, head, sizeof(head));
	for (unsigned g = 0; g < 128; g++)
		memset(file + 32 + g * 8, (int)g, 8);
	return 32 + 128 * 8;
}

static const struct { unsigned word; uint32_t val; int err; } lies[] = {
	{ 0, 0x864ab573, -EINVAL }, { 1, 1, -EINVAL }, { 2, 31, -EINVAL },
	{ 2, 33, -EBADMSG }, { 2, 0xffffffff, -EINVAL },
	{ 4, 0, -EINVAL }, { 4, 63, -EINVAL }, { 4, 129, -EBADMSG },
	{ 4, 0xffffffff, -EINVAL }, { 5, 7, -EINVAL }, { 5, 9, -EINVAL },
	{ 5, 0, -EINVAL }, { 6, 0, -EINVAL }, { 6, 9, -EINVAL },
	{ 6, 0xffffffff, -EINVAL }, { 7, 0, -EINVAL }, { 7, 9, -EINVAL },
	{ 7, 0xffffffff, -EINVAL },
};

START_TEST(psf2_that_lies_is_refused)
{
	size_t size = make_psf2();
	struct psf f;

	ck_assert_int_eq(psf_parse(file, size, &f), 0);
	put32(lies[_i].word, lies[_i].val);
	ck_assert_int_eq(psf_parse(file, size, &f), lies[_i].err);
}
END_TEST

START_TEST(what_is_no_font_is_refused)
{
	struct psf f;

	memset(file, 0x55, sizeof(file));
	ck_assert_int_eq(psf_parse(file, sizeof(file), &f), -EINVAL);
	ck_assert_int_eq(psf_parse(file, 5, &f), -EINVAL);
	make_psf1(0, 0);
	ck_assert_int_eq(psf_parse(file, sizeof(file), &f), -EINVAL);
	make_psf1(0, 8);
	file[3] = 65;
	ck_assert_int_eq(psf_parse(file, sizeof(file), &f), -EINVAL);
}
END_TEST

START_TEST(the_tables_sequences_are_not_single_characters)
{
	/* Glyph 0: U+0101; glyph 1: sequence U+0102 U+0103; glyph 2: U+0103. */
	static const uint16_t psf1[] = { 0x101, 0xffff, 0xfffe, 0x102, 0x103,
					 0xffff, 0x103, 0xffff };
	static const uint8_t psf2[] = { 0xc4, 0x81, 0xff, 0xfe, 0xc4, 0x82,
					0xc4, 0x83, 0xff, 0xc4, 0x83, 0xff,
					0xc4 };
	size_t size = make_psf1(2, 8);
	uint8_t *exact;			/* for ASan */
	struct psf f;

	memcpy(file + size, psf1, sizeof(psf1));
	ck_assert_int_eq(psf_parse(file, size + sizeof(psf1), &f), 0);
	ck_assert_uint_eq(*psf_glyph(&f, 0x101), 0);
	ck_assert_uint_eq(*psf_glyph(&f, 0x102), '?');
	ck_assert_uint_eq(*psf_glyph(&f, 0x103), 2);
	ck_assert_uint_eq(*psf_glyph(&f, 0x104), '?');

	size = make_psf2();
	put32(3, 1);
	memcpy(file + size, psf2, sizeof(psf2));
	exact = malloc(size + sizeof(psf2));
	memcpy(exact, file, size + sizeof(psf2));
	ck_assert_int_eq(psf_parse(exact, size + sizeof(psf2), &f), 0);
	ck_assert_uint_eq(*psf_glyph(&f, 0x101), 0);
	ck_assert_uint_eq(*psf_glyph(&f, 0x102), '?');
	ck_assert_uint_eq(*psf_glyph(&f, 0x103), 2);
	ck_assert_uint_eq(*psf_glyph(&f, 0x104), '?');
	free(exact);
}
END_TEST

START_TEST(a_table_that_names_too_many_glyphs_shows_a_question_mark)
{
	size_t size = make_psf1(2, 8);
	struct psf f;

	for (unsigned i = 0; i < 40; i++)
		file[size + i] = 0xff;
	ck_assert_int_eq(psf_parse(file, size + 40, &f), 0);
	f.glyphs = 10;
	ck_assert_uint_eq(*psf_glyph(&f, 'A'), '?');
}
END_TEST

/* ---- UTF-8 ---- */

static const struct { const char *text; uint32_t code[4]; } utf8[] = {
	{ "", { 0 } }, { "a", { 'a' } }, { "\xc2\xb5", { 0xb5 } },
	{ "\xe2\x86\x92", { 0x2192 } }, { "\xf0\x9f\x98\x80", { 0x1f600 } },
	{ "\x80", { 0xfffd } }, { "\xff" "a", { 0xfffd, 'a' } },
	{ "\xc2", { 0xfffd } }, { "\xc2" "a", { 0xfffd, 'a' } },
	{ "\xe2\x86", { 0xfffd, 0xfffd } },
	{ "\xe2\x86" "b", { 0xfffd, 0xfffd, 'b' } },
	{ "\xc0\x80", { 0xfffd, 0xfffd } }, { "\xf5", { 0xfffd } },
};

START_TEST(utf8_is_read_by_character_and_broken_bytes_are_marked)
{
	char *copy = strdup(utf8[_i].text);	/* exact, for ASan */
	const char *p = copy;
	unsigned n = 0;

	for (uint32_t c; (c = utf8_next(&p)); n++)
		ck_assert_uint_eq(c, utf8[_i].code[n]);
	ck_assert_uint_eq(utf8[_i].code[n], 0);
	ck_assert_uint_eq(text_length(copy), n);
	ck_assert_uint_eq(utf8_next(&p), 0);
	free(copy);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("text", setup, teardown, 0);

	tcase_add_test(t, every_glyph_is_drawn_to_the_pixel);
	tcase_add_test(t, an_upper_case_l_looks_like_one);
	tcase_add_test(t, a_glyph_is_clipped_at_every_edge);
	tcase_add_test(t, scaling_repeats_pixels);
	tcase_add_test(t, even_scales_use_the_large_cut);
	tcase_add_test(t, bold_is_another_cut_of_the_same_width);
	tcase_add_test(t, text_goes_on_to_the_right_and_returns_where);

	t = suite_group("psf", NULL, NULL, 0);
	tcase_add_test(t, the_built_in_fonts_parse_and_have_ascii_in_place);
	tcase_add_test(t, psf1_header_says_glyphs_and_height);
	tcase_add_test(t, a_font_cut_short_anywhere_is_refused);
	tcase_add_loop_test(t, psf2_that_lies_is_refused, 0, ARRAY_SIZE(lies));
	tcase_add_test(t, what_is_no_font_is_refused);
	tcase_add_test(t, the_tables_sequences_are_not_single_characters);
	tcase_add_test(t,
		       a_table_that_names_too_many_glyphs_shows_a_question_mark);
	tcase_add_loop_test(t,
			    utf8_is_read_by_character_and_broken_bytes_are_marked,
			    0, ARRAY_SIZE(utf8));
	return suite_run("text");
}
