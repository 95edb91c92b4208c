/* SPDX-License-Identifier: MIT */
/*
 * A picture in memory made of 32-bit pixels 0x00RRGGBB, whose rows may be
 * scattered: row y begins at row[y]. Drawing clips at the edges. Pure: no
 * hardware, no locks.
 */
#ifndef GFX_SURFACE_H
#define GFX_SURFACE_H

#include "core/types.h"

struct surface {
	unsigned width, height;		/* pixels */
	uint32_t **row;			/* height pointers */
};

#define RGB(r, g, b) \
	((uint32_t)(r) << 16 | (uint32_t)(g) << 8 | (uint32_t)(b))

void surface_fill(struct surface *s, int x, int y, int w, int h, uint32_t rgb);
void surface_put(struct surface *s, int x, int y, uint32_t rgb);
uint32_t surface_get(const struct surface *s, int x, int y);

/* Text in the built-in font (8x16). Returns the x after the last glyph. */
#define TEXT_W	8
#define TEXT_H	16
int text_draw(struct surface *s, int x, int y, const char *text, uint32_t fg,
	      unsigned scale);

/*
 * A binary PPM (P6, maxval 255) in memory. Returns 0 with the size, or
 * -EINVAL, -EBADMSG (cut short: *need is what the whole takes, 0 when not
 * even the header is whole). Sides are at most 65535 pixels; bytes behind the
 * picture are ignored.
 */
struct ppm {
	unsigned width, height;
	size_t offset;			/* of the first pixel */
	size_t need;			/* bytes in all */
};
int ppm_parse(const void *data, size_t size, struct ppm *out);
/* The size of the picture when it fills w × h as far as its shape lets it. */
void ppm_fit(unsigned w, unsigned h, const struct ppm *p, unsigned *fit_w,
	     unsigned *fit_h);
/*
 * Draw it so scaled, in the middle of w × h at (x, y); box-filtered when
 * shrunk.
 */
void ppm_draw(struct surface *s, int x, int y, int w, int h, const void *data,
	      const struct ppm *p);

#endif
