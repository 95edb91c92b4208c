/* SPDX-License-Identifier: MIT */
/*
 * gfx/dashboard.c and its parts: every pixel is painted and none outside, at
 * any size and with anything missing; what must be on the screen is there.
 * With DASHBOARD_PPM=FILE in the environment the tour's screen, with invented
 * findings, is written there for a person to look at.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/errno.h"
#include "gfx/dashboard.h"
#include "tests/host/suite.h"

#define UNPAINTED	0xff00ff00	/* no colour of ours: the top byte */

static const struct dashboard_line lines[] = {
	{ "Machine", "Hypervisor", "TCG (QEMU), q35", DASH_PLAIN },
	{ "Machine", "CPUs", "4 online", DASH_PLAIN },
	{ "Machine", "Entry to here", "812 ms", DASH_ACCENT },
	{ "Isolation", "IOMMU", "virtio-iommu, strict", DASH_PLAIN },
	{ "Isolation", "Mappings", "1 284 made", DASH_PLAIN },
	{ "Isolation", "Refused DMA", "00:03.0 write 0xdead000", DASH_PASS },
	{ "Isolation", "Remapping", "virtio-iommu has none", DASH_SKIP },
	{ "Disk", "Read", "2 097 152 bytes", DASH_FAIL },
	{ "Disk", "SHA-256", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c"
	  "d15d6c15b0f00a08", DASH_DIM },
	{ "Disk", "Erratum", "a permission fault on a cached translation is "
	  "silent", DASH_XFAIL },
	{ NULL, NULL, NULL, DASH_PLAIN },
	{ "", "", "", DASH_PASS },
};

static uint64_t irqs[256], samples[64];
static uint8_t picture[16 + 320 * 160 * 3];
static struct ppm header;
static struct dashboard all;

/* Without assertions: the sample is made outside of any test. */
static int prepare(void)
{
	int n = sprintf((char *)picture, "P6 320 160 255\n");

	for (unsigned i = 0; i < 320 * 160 * 3; i++)
		picture[(unsigned)n + i] = (uint8_t)(i / 3 % 320 * 255 / 320);
	for (unsigned i = 0; i < ARRAY_SIZE(irqs); i++)
		irqs[i] = i * 7919 % 10007;
	for (unsigned i = 0; i < ARRAY_SIZE(samples); i++)
		samples[i] = 500 + i * 37 % 13 * 20;
	all = (struct dashboard){
		.title = "Lodger", .subtitle = "a guest kernel",
		.verdict = DASH_PASS, .verdict_text = "12 passed",
		.picture = picture, .ppm = &header, .caption = "a picture",
		.line = lines, .nlines = ARRAY_SIZE(lines),
		.irqs = irqs, .ncpus = 4,
		.plot_title = "Read speed", .plot_note = "peak 812 MB/s",
		.sample = samples, .nsamples = ARRAY_SIZE(samples),
		.footer = "drawn into pieces of memory",
	};
	return ppm_parse(picture, sizeof(picture), &header);
}

static void setup(void)
{
	ck_assert_int_eq(prepare(), 0);
}

/* Rows of exact size, so that ASan sees a step outside. */
static struct surface *surface_new(unsigned w, unsigned h)
{
	struct surface *s = malloc(sizeof(*s));

	s->width = w;
	s->height = h;
	s->row = malloc(h * sizeof(s->row[0]));
	for (unsigned y = 0; y < h; y++) {
		s->row[y] = malloc(w * sizeof(s->row[y][0]));
		for (unsigned x = 0; x < w; x++)
			s->row[y][x] = UNPAINTED;
	}
	return s;
}

static void surface_del(struct surface *s)
{
	for (unsigned y = 0; y < s->height; y++)
		free(s->row[y]);
	free(s->row);
	free(s);
}

static unsigned count(const struct surface *s, uint32_t rgb)
{
	unsigned n = 0;

	for (unsigned y = 0; y < s->height; y++)
		for (unsigned x = 0; x < s->width; x++)
			n += s->row[y][x] == rgb;
	return n;
}

static void expect_painted(const struct dashboard *d, unsigned w, unsigned h)
{
	struct surface *s = surface_new(w, h);

	dashboard_paint(s, d);
	ck_assert_msg(count(s, UNPAINTED) == 0, "%ux%u: %u unpainted", w, h,
		      count(s, UNPAINTED));
	surface_del(s);
}

static const struct { unsigned w, h; } sizes[] = {
	{ 1, 1 }, { 16, 16 }, { 33, 4000 }, { 2000, 16 }, { 320, 200 },
	{ 640, 480 }, { 800, 600 }, { 899, 700 }, { 940, 100 }, { 1024, 768 },
	{ 1280, 720 }, { 1280, 800 }, { 1920, 1080 }, { 2560, 1600 },
	{ 1080, 1920 }, { 3840, 2160 },
};

START_TEST(every_size_is_painted_whole)
{
	expect_painted(&all, sizes[_i].w, sizes[_i].h);
}
END_TEST

START_TEST(anything_may_be_missing)
{
	struct dashboard none = { 0 }, d;

	expect_painted(&none, 1280, 800);
	expect_painted(&none, 640, 480);
	for (unsigned i = 0; i < 8; i++) {
		d = all;
		d.title = i == 0 ? NULL : d.title;
		d.subtitle = i == 1 ? NULL : d.subtitle;
		d.verdict_text = i == 2 ? NULL : d.verdict_text;
		d.picture = i == 3 ? NULL : d.picture;
		d.caption = i == 4 ? NULL : d.caption;
		d.nlines = i == 5 ? 0 : d.nlines;
		d.ncpus = i == 6 ? 0 : d.ncpus;
		d.nsamples = i == 7 ? 0 : d.nsamples;
		expect_painted(&d, 1280, 800);
		expect_painted(&d, 700, 900);
	}
}
END_TEST

START_TEST(any_number_of_cpus_has_room)
{
	for (unsigned n = 1; n <= 256; n += n < 20 ? 1 : 59) {
		all.ncpus = n;
		expect_painted(&all, 1280, 800);
	}
	memset(irqs, 0, sizeof(irqs));
	expect_painted(&all, 1280, 800);
	irqs[0] = UINT64_MAX;
	all.ncpus = 256;
	expect_painted(&all, 1280, 800);
}
END_TEST

START_TEST(any_text_is_cut_or_wrapped)
{
	static char text[2000];
	struct dashboard_line l[3] = {
		{ text, text, text, DASH_FAIL }, { "b", text, "", DASH_PASS },
		{ "b", "", text, DASH_PLAIN },
	};

	all.line = l;
	all.nlines = 3;
	all.title = all.subtitle = all.caption = all.footer = text;
	for (size_t n = 0; n < sizeof(text) - 1; n = n * 2 + 1) {
		for (size_t i = 0; i < n; i++)
			text[i] = "ab c\xc2\xb5\xff"[i % 7];
		all.verdict_text = n < 100 ? text : NULL;
		expect_painted(&all, 1280, 800);
		expect_painted(&all, 200, 300);
		expect_painted(&all, 10, 300);
	}
}
END_TEST

START_TEST(the_picture_is_shown_unscaled_where_it_fits)
{
	static uint8_t large[16 + 640 * 320 * 3];
	struct surface *s = surface_new(1280, 800);
	unsigned n = 0;

	memset(large, 0x5a, sizeof(large));
	memcpy(large, "P6 640 320 255\n", 15);
	large[15] = 0x11;		/* the first pixel is another one */
	ck_assert_int_eq(ppm_parse(large, sizeof(large), &header), 0);
	all.picture = large;
	dashboard_paint(s, &all);
	n = count(s, 0x5a5a5a);
	ck_assert_uint_eq(n, 640 * 320 - 1);
	ck_assert_uint_eq(count(s, 0x115a5a), 1);
	surface_del(s);
}
END_TEST

/* Ink that only a badge of this colour puts on the screen. */
START_TEST(each_verdict_has_its_colour)
{
	static const enum dashboard_tone tone[] = {
		DASH_PASS, DASH_FAIL, DASH_SKIP, DASH_XFAIL,
	};
	static const uint32_t rgb[] = {
		0x2ea05f, 0xd64545, 0xb9861b, 0x8066c8,
	};

	for (unsigned i = 0; i < 4; i++) {
		struct dashboard_line l = { "s", "l", "v", tone[i] };
		struct dashboard d = { .line = &l, .nlines = 1 };
		struct surface *s = surface_new(1280, 800);

		dashboard_paint(s, &d);
		for (unsigned j = 0; j < 4; j++)
			ck_assert_int_eq(count(s, rgb[j]) > 300, i == j);
		surface_del(s);
	}
}
END_TEST

static unsigned flushed;

static int fake_flush(struct fb *fb, unsigned x, unsigned y, unsigned w,
		      unsigned h)
{
	ck_assert_uint_eq(x + y, 0);
	ck_assert_uint_eq(w, fb->surface.width);
	ck_assert_uint_eq(h, fb->surface.height);
	flushed++;
	return -ETIMEDOUT;
}

START_TEST(draw_paints_then_flushes_once_and_says_how_it_went)
{
	struct surface *s = surface_new(640, 480);
	struct fb fb = { .surface = *s, .flush = fake_flush };

	ck_assert_int_eq(dashboard_draw(&fb, &all), -ETIMEDOUT);
	ck_assert_uint_eq(flushed, 1);
	ck_assert_uint_eq(count(s, UNPAINTED), 0);
	surface_del(s);
}
END_TEST

/* A sample for a person, not a check. */
static void write_sample(const char *path)
{
	struct surface *s = surface_new(1280, 800);
	FILE *out = fopen(path, "wb");

	prepare();
	dashboard_paint(s, &all);
	if (out) {
		fprintf(out, "P6 %u %u 255\n", s->width, s->height);
		for (unsigned y = 0; y < s->height; y++)
			for (unsigned x = 0; x < s->width; x++)
				for (int b = 16; b >= 0; b -= 8)
					putc((int)(s->row[y][x] >> b & 0xff),
					     out);
		fclose(out);
	}
	surface_del(s);
}

int main(void)
{
	TCase *t = suite_group("dashboard", setup, NULL, 60);
	const char *sample = getenv("DASHBOARD_PPM");
	int status;

	tcase_add_loop_test(t, every_size_is_painted_whole, 0,
			    ARRAY_SIZE(sizes));
	tcase_add_test(t, anything_may_be_missing);
	tcase_add_test(t, any_number_of_cpus_has_room);
	tcase_add_test(t, any_text_is_cut_or_wrapped);
	tcase_add_test(t, the_picture_is_shown_unscaled_where_it_fits);
	tcase_add_test(t, each_verdict_has_its_colour);
	tcase_add_test(t, draw_paints_then_flushes_once_and_says_how_it_went);
	status = suite_run("dashboard");
	if (sample)
		write_sample(sample);
	return status;
}
