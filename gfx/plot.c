/* SPDX-License-Identifier: MIT */
#include "gfx/plot.h"

void plot_frame(struct surface *s, int x, int y, int w, int h, int t,
		uint32_t rgb)
{
	surface_fill(s, x, y, w, t, rgb);
	surface_fill(s, x, y + h - t, w, t, rgb);
	surface_fill(s, x, y + t, t, h - 2 * t, rgb);
	surface_fill(s, x + w - t, y + t, t, h - 2 * t, rgb);
}

void plot_round(struct surface *s, int x, int y, int w, int h, int r,
		uint32_t rgb)
{
	/* Pixels missing at either end of the outermost rows, by radius. */
	static const uint8_t inset[5][4] = {
		{ 0 }, { 1 }, { 2, 1 }, { 3, 1, 1 }, { 4, 2, 1, 1 },
	};

	for (int i = 0; i < r; i++) {
		int cut = inset[r][i];

		surface_fill(s, x + cut, y + i, w - 2 * cut, 1, rgb);
		surface_fill(s, x + cut, y + h - 1 - i, w - 2 * cut, 1, rgb);
	}
	surface_fill(s, x, y + r, w, h - 2 * r, rgb);
}

int plot_scale(uint64_t value, uint64_t max, int length)
{
	while (max > UINT32_MAX) {
		max >>= 1;
		value >>= 1;
	}
	if (!max)
		return 0;
	return (int)(MIN(value, max) * (uint64_t)length / max);
}

void plot_bar(struct surface *s, int x, int y, int w, int h, uint64_t value,
	      uint64_t max, uint32_t fg, uint32_t bg)
{
	int full = w > 0 ? plot_scale(value, max, w) : 0;

	/* Something that is not nothing should not look like nothing. */
	if (value && !full)
		full = 1;
	surface_fill(s, x, y, full, h, fg);
	surface_fill(s, x + full, y, w - full, h, bg);
}

/* The height at column i of w, between the two nearest samples. */
static int plot_height(const uint64_t *sample, unsigned n, uint64_t max, int i,
		       int w, int h)
{
	uint64_t at = (uint64_t)i * (n - 1);
	unsigned left = (unsigned)(at / (unsigned)w);
	int part = (int)(at % (unsigned)w);
	int a = plot_scale(sample[left], max, h);
	int b = left + 1 < n ? plot_scale(sample[left + 1], max, h) : a;

	return a + (b - a) * part / w;
}

void plot_line(struct surface *s, int x, int y, int w, int h, int t,
	       const uint64_t *sample, unsigned n, uint64_t max, uint32_t line,
	       uint32_t area)
{
	int last, now;

	if (!n || w <= 0 || h <= t)
		return;
	for (unsigned i = 0; i < n; i++)
		max = MAX(max, sample[i]);
	last = plot_height(sample, n, max, 0, w, h - t);
	for (int i = 0; i < w; i++, last = now) {
		now = plot_height(sample, n, max, i, w, h - t);
		surface_fill(s, x + i, y + h - now, 1, now, area);
		/* Joined to the column before, so that steep slopes hold. */
		surface_fill(s, x + i, y + h - t - MAX(now, last), 1,
			     t + (now > last ? now - last : last - now), line);
	}
}
