/* SPDX-License-Identifier: MIT */
/*
 * Binary PPM pictures: the header (netpbm's ppm(5)), and drawing them scaled.
 *
 * Scaling works in strips of a few columns: which source columns a pixel
 * covers is then a small table on the stack, made once a strip, and no pixel
 * needs a division. A pixel of a shrunk picture is the mean of every source
 * pixel it covers; one of a grown picture is the nearest.
 */
#include "gfx/surface.h"

#include "core/errno.h"
#include "core/string.h"

#define PPM_SIDE_MAX	65535
#define PPM_MAXVAL	255

struct ppm_reader {
	const uint8_t *p, *end;
};

static bool ppm_is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Past blanks and comments, which run from '#' to the end of the line. */
static void ppm_skip(struct ppm_reader *r)
{
	bool comment = false;

	for (; r->p < r->end; r->p++) {
		if (*r->p == '#')
			comment = true;
		else if (comment && (*r->p == '\n' || *r->p == '\r'))
			comment = false;
		else if (!comment && !ppm_is_blank(*r->p))
			return;
	}
}

/* A number from 1 to max, and what follows it is not its continuation. */
static int ppm_number(struct ppm_reader *r, unsigned max, unsigned *out)
{
	unsigned n = 0;
	const uint8_t *start;

	ppm_skip(r);
	start = r->p;
	for (; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++) {
		n = n * 10 + (*r->p - '0');
		if (n > max)
			return -EINVAL;
	}
	if (r->p == r->end)
		return -EBADMSG;
	if (r->p == start || !n)
		return -EINVAL;
	*out = n;
	return 0;
}

static int ppm_header(struct ppm_reader *r, struct ppm *out)
{
	unsigned maxval;
	int err;

	err = ppm_number(r, PPM_SIDE_MAX, &out->width);
	if (!err)
		err = ppm_number(r, PPM_SIDE_MAX, &out->height);
	if (!err)
		err = ppm_number(r, PPM_SIDE_MAX, &maxval);
	if (err)
		return err;
	/* Exactly one blank, then pixels, whatever they look like. */
	if (maxval != PPM_MAXVAL || !ppm_is_blank(*r->p))
		return -EINVAL;
	r->p++;
	return 0;
}

int ppm_parse(const void *data, size_t size, struct ppm *out)
{
	struct ppm_reader r = { data, (const uint8_t *)data + size };
	int err;

	memset(out, 0, sizeof(*out));
	if (memcmp(data, "P6", MIN(size, (size_t)2)))
		return -EINVAL;
	if (size < 3)
		return -EBADMSG;
	r.p += 2;
	if (!ppm_is_blank(*r.p) && *r.p != '#')
		return -EINVAL;
	err = ppm_header(&r, out);
	if (err)
		return err;
	out->offset = (size_t)(r.p - (const uint8_t *)data);
	/* At most 2^32 pixels: this cannot overflow. */
	out->need = out->offset + (size_t)out->width * out->height * 3;
	return out->need > size ? -EBADMSG : 0;
}

#define PPM_STRIP	64		/* columns */

/* One strip of the destination, and where its columns begin in the source. */
struct ppm_strip {
	size_t pitch;			/* bytes in a source row */
	unsigned columns;
	uint32_t first[PPM_STRIP];	/* byte offset of the first column */
	uint8_t extra[PPM_STRIP];	/* covers span columns, or one more */
	unsigned span;
};

/* Source pixels that the at-th of n destination pixels covers: [lo, hi). */
static void ppm_cover(unsigned at, unsigned n, unsigned source, unsigned *lo,
		      unsigned *hi)
{
	*lo = (unsigned)((uint64_t)at * source / n);
	*hi = (unsigned)((uint64_t)(at + 1) * source / n);
	if (*hi <= *lo)
		*hi = *lo + 1;
}

static void ppm_strip_init(struct ppm_strip *st, unsigned from,
			   unsigned columns, unsigned w, unsigned source)
{
	unsigned lo, hi;

	st->columns = columns;
	st->span = MAX(source / w, 1u);
	for (unsigned i = 0; i < columns; i++) {
		ppm_cover(from + i, w, source, &lo, &hi);
		st->first[i] = lo * 3;
		st->extra[i] = (uint8_t)(hi - lo - st->span);
	}
}

/*
 * A pixel in one load: with the byte before it, which always exists because
 * the header comes before the first one.
 */
static void ppm_row_copy(const struct ppm_strip *st, const uint8_t *row,
			 uint32_t *out)
{
	for (unsigned i = 0; i < st->columns; i++) {
		uint32_t xrgb;

		__builtin_memcpy(&xrgb, row + st->first[i] - 1, sizeof(xrgb));
		out[i] = __builtin_bswap32(xrgb) & 0xffffff;
	}
}

static uint32_t ppm_mean(const uint8_t *p, size_t pitch, unsigned columns,
			 unsigned rows, uint32_t inverse)
{
	uint64_t r = 0, g = 0, b = 0;

	for (; rows; rows--, p += pitch)
		for (unsigned i = 0; i < columns * 3; i += 3) {
			r += p[i];
			g += p[i + 1];
			b += p[i + 2];
		}
#define PPM_SCALE(sum)	((uint32_t)(((sum) * inverse + (1u << 31)) >> 32))
	return RGB(PPM_SCALE(r), PPM_SCALE(g), PPM_SCALE(b));
#undef PPM_SCALE
}

/* The inverse of a count in units of 2^-32, rounded. */
static uint32_t ppm_inverse(uint64_t count)
{
	return count == 1 ? UINT32_MAX :
			    (uint32_t)(((UINT64_C(1) << 32) + count / 2) / count);
}

static void ppm_row_mean(const struct ppm_strip *st, const uint8_t *row,
			 unsigned rows, uint32_t *out)
{
	uint32_t inverse[2] = {
		ppm_inverse((uint64_t)rows * st->span),
		ppm_inverse((uint64_t)rows * (st->span + 1)),
	};

	for (unsigned i = 0; i < st->columns; i++)
		out[i] = ppm_mean(row + st->first[i], st->pitch,
				  st->span + st->extra[i], rows,
				  inverse[st->extra[i]]);
}

/* The whole picture at (x, y), w × h, as far as it is on the surface. */
static void ppm_scale(struct surface *s, int x, int y, unsigned w, unsigned h,
		      const uint8_t *pixels, const struct ppm *p)
{
	unsigned left = x < 0 ? (unsigned)-x : 0;
	unsigned top = y < 0 ? (unsigned)-y : 0;
	int64_t right = MIN((int64_t)w, (int64_t)s->width - x);
	int64_t bottom = MIN((int64_t)h, (int64_t)s->height - y);
	struct ppm_strip st = { .pitch = (size_t)p->width * 3 };

	for (unsigned from = left; from < right; from += PPM_STRIP) {
		ppm_strip_init(&st, from, (unsigned)MIN(right - from,
							(int64_t)PPM_STRIP),
			       w, p->width);
		for (unsigned i = top; i < bottom; i++) {
			uint32_t *out = s->row[y + (int)i] + x + (int)from;
			unsigned lo, hi;

			ppm_cover(i, h, p->height, &lo, &hi);
			if (w >= p->width && h >= p->height)
				ppm_row_copy(&st, pixels + lo * st.pitch, out);
			else
				ppm_row_mean(&st, pixels + lo * st.pitch,
					     hi - lo, out);
		}
	}
}

void ppm_fit(unsigned w, unsigned h, const struct ppm *p, unsigned *fit_w,
	     unsigned *fit_h)
{
	*fit_w = w;
	*fit_h = h;
	if ((uint64_t)w * p->height <= (uint64_t)h * p->width)
		*fit_h = (unsigned)MAX((uint64_t)w * p->height / p->width,
				       UINT64_C(1));
	else
		*fit_w = (unsigned)MAX((uint64_t)h * p->width / p->height,
				       UINT64_C(1));
}

void ppm_draw(struct surface *s, int x, int y, int w, int h, const void *data,
	      const struct ppm *p)
{
	unsigned fit_w, fit_h;

	if (w <= 0 || h <= 0 || !p->width || !p->height)
		return;
	ppm_fit((unsigned)w, (unsigned)h, p, &fit_w, &fit_h);
	ppm_scale(s, x + (w - (int)fit_w) / 2, y + (h - (int)fit_h) / 2, fit_w,
		  fit_h, (const uint8_t *)data + p->offset, p);
}
