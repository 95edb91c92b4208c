/* SPDX-License-Identifier: MIT */
/*
 * Fonts in the PC Screen Font formats 1 and 2, as console tools ship them:
 * bitmaps of one size, and a table saying which characters each one shows.
 * Pure: the bytes are not trusted, nothing is copied.
 */
#ifndef GFX_PSF_H
#define GFX_PSF_H

#include "core/types.h"

struct psf {
	unsigned width, height;		/* pixels */
	unsigned glyphs;
	unsigned stride;		/* bytes in a row of a glyph */
	unsigned glyph_size;		/* bytes in a glyph */
	const uint8_t *bits;		/* leftmost pixel: the top bit */
	const uint8_t *table, *table_end;	/* equal: no Unicode table */
	bool wide_table;		/* 16-bit words (PSF1), else UTF-8 */
};

/* 0, -EINVAL (not a font, or a size we do not draw), -EBADMSG (cut short). */
int psf_parse(const void *data, size_t size, struct psf *out);

/*
 * The bitmap of a Unicode character. ASCII is taken to be where it always is;
 * the rest is searched for. What the font lacks is shown as '?'.
 */
const uint8_t *psf_glyph(const struct psf *f, uint32_t code);

/*
 * The next character of a UTF-8 text that ends with NUL; *text moves past
 * it. A broken sequence yields U+FFFD and moves by one byte; 0 at the end.
 */
uint32_t utf8_next(const char **text);

#endif
