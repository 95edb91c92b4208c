/* SPDX-License-Identifier: MIT */
/*
 * Text in three cuts of one typeface: regular, bold, and a bold one of twice
 * the size for even scales, so that titles are drawn, not blown up. Otherwise
 * scaling repeats pixels.
 *
 * A glyph's row is drawn by jumping from set bit to set bit, which on average
 * is a fifth of them; unset pixels keep what is below.
 */
#include "gfx/text.h"

#include "core/panic.h"
#include "gfx/psf.h"

extern const uint8_t font_regular[], font_regular_end[];
extern const uint8_t font_bold[], font_bold_end[];
extern const uint8_t font_large[], font_large_end[];

enum text_cut { TEXT_REGULAR, TEXT_HEAVY, TEXT_LARGE, TEXT_CUTS };

/* Parsed at the first use; parsing it twice at once would do no harm. */
static struct psf text_font[TEXT_CUTS];

static const struct psf *text_font_get(enum text_cut cut)
{
	static const struct {
		const uint8_t *start, *end;
		unsigned scale;
	} built_in[TEXT_CUTS] = {
		[TEXT_REGULAR] = { font_regular, font_regular_end, 1 },
		[TEXT_HEAVY] = { font_bold, font_bold_end, 1 },
		[TEXT_LARGE] = { font_large, font_large_end, 2 },
	};
	struct psf *f = &text_font[cut];

	if (!f->bits) {
		size_t size = (size_t)(built_in[cut].end - built_in[cut].start);

		BUG_ON(psf_parse(built_in[cut].start, size, f));
		BUG_ON(f->width != TEXT_W * built_in[cut].scale);
		BUG_ON(f->height != TEXT_H * built_in[cut].scale);
	}
	return f;
}

/* The pixels of a glyph's row, the leftmost in the top bit. */
static uint32_t text_row(const struct psf *f, const uint8_t *glyph, unsigned y)
{
	const uint8_t *p = glyph + y * f->stride;
	uint32_t bits = 0;

	for (unsigned i = 0; i < f->stride; i++)
		bits |= (uint32_t)p[i] << (24 - 8 * i);
	return bits;
}

/* All of the glyph is inside and each of its pixels is one of ours. */
static void text_glyph_fast(struct surface *s, const struct psf *f, int x,
			    int y, const uint8_t *glyph, uint32_t fg)
{
	for (unsigned i = 0; i < f->height; i++) {
		uint32_t bits = text_row(f, glyph, i);
		uint32_t *p = s->row[(unsigned)y + i] + x;

		while (bits) {
			unsigned at = (unsigned)__builtin_clz(bits);

			p[at] = fg;
			bits &= ~(UINT32_C(0x80000000) >> at);
		}
	}
}

static void text_glyph(struct surface *s, const struct psf *f, int x, int y,
		       const uint8_t *glyph, uint32_t fg, int scale)
{
	for (unsigned i = 0; i < f->height; i++) {
		uint32_t bits = text_row(f, glyph, i);

		while (bits) {
			int at = __builtin_clz(bits);

			surface_fill(s, x + at * scale, y + (int)i * scale,
				     scale, scale, fg);
			bits &= ~(UINT32_C(0x80000000) >> at);
		}
	}
}

static bool text_inside(const struct surface *s, const struct psf *f, int x,
			int y)
{
	return x >= 0 && y >= 0 && (unsigned)x + f->width <= s->width &&
	       (unsigned)y + f->height <= s->height;
}

static int text_run(struct surface *s, int x, int y, const char *text,
		    uint32_t fg, unsigned scale, enum text_cut cut)
{
	bool large = scale % 2 == 0;
	const struct psf *f = text_font_get(large ? TEXT_LARGE : cut);
	int zoom = (int)(large ? scale / 2 : scale);
	uint32_t code;

	while ((code = utf8_next(&text))) {
		const uint8_t *glyph = psf_glyph(f, code);

		if (zoom == 1 && text_inside(s, f, x, y))
			text_glyph_fast(s, f, x, y, glyph, fg);
		else if (x < (int)s->width)
			text_glyph(s, f, x, y, glyph, fg, zoom);
		x += (int)f->width * zoom;
	}
	return x;
}

int text_draw(struct surface *s, int x, int y, const char *text, uint32_t fg,
	      unsigned scale)
{
	return text_run(s, x, y, text, fg, scale, TEXT_REGULAR);
}

int text_draw_bold(struct surface *s, int x, int y, const char *text,
		   uint32_t fg, unsigned scale)
{
	return text_run(s, x, y, text, fg, scale, TEXT_HEAVY);
}

unsigned text_length(const char *text)
{
	unsigned n = 0;

	while (utf8_next(&text))
		n++;
	return n;
}
