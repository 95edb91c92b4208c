/* SPDX-License-Identifier: MIT */
/*
 * Drawing, cheaply: where every instruction of the kernel may be emulated, a
 * pixel loop is what costs. So a rectangle is one row filled by copies that
 * double in length, and the other rows are copies of the first: the string
 * instructions behind memcpy() move eight bytes a step.
 */
#include "gfx/surface.h"

#include "core/string.h"

#define SURFACE_RUN	16u		/* below it a loop beats the copies */

/* n is at least SURFACE_RUN. */
static void surface_run(uint32_t *p, unsigned n, uint32_t rgb)
{
	unsigned done = SURFACE_RUN;

	for (unsigned i = 0; i < done; i++)
		p[i] = rgb;
	while (done < n) {
		unsigned more = MIN(done, n - done);

		memcpy(p + done, p, more * sizeof(*p));
		done += more;
	}
}

/* Cut the span [*at, *at + *len) to [0, limit). Returns whether any is left. */
static bool surface_clip(int *at, int *len, unsigned limit)
{
	int64_t first = MAX((int64_t)*at, INT64_C(0));
	int64_t end = MIN((int64_t)*at + *len, (int64_t)limit);

	*at = (int)first;
	*len = (int)(end - first);
	return first < end;
}

/* Upright lines and dots: no run is worth a call. */
static void surface_fill_narrow(struct surface *s, int x, int y, int w, int h,
				uint32_t rgb)
{
	for (; h; h--, y++) {
		uint32_t *p = s->row[y] + x;

		for (int i = 0; i < w; i++)
			p[i] = rgb;
	}
}

void surface_fill(struct surface *s, int x, int y, int w, int h, uint32_t rgb)
{
	uint32_t *first;

	if (!surface_clip(&x, &w, s->width) || !surface_clip(&y, &h, s->height))
		return;
	if ((unsigned)w < SURFACE_RUN) {
		surface_fill_narrow(s, x, y, w, h, rgb);
		return;
	}
	first = s->row[y] + x;
	surface_run(first, (unsigned)w, rgb);
	for (int i = 1; i < h; i++)
		memcpy(s->row[y + i] + x, first, (size_t)w * sizeof(*first));
}

void surface_put(struct surface *s, int x, int y, uint32_t rgb)
{
	if (x >= 0 && y >= 0 && (unsigned)x < s->width &&
	    (unsigned)y < s->height)
		s->row[y][x] = rgb;
}

uint32_t surface_get(const struct surface *s, int x, int y)
{
	if (x < 0 || y < 0 || (unsigned)x >= s->width ||
	    (unsigned)y >= s->height)
		return 0;
	return s->row[y][x];
}
