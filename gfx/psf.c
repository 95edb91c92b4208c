/* SPDX-License-Identifier: MIT */
#include "gfx/psf.h"

#include "core/bits.h"
#include "core/errno.h"
#include "core/string.h"

/* PSF1: a four-byte header. Glyphs are 8 pixels wide. */
#define PSF1_MAGIC		0x0436
#define PSF1_MODE_512		BIT(0)
#define PSF1_MODE_TABLE		BIT(1)
#define PSF1_END		0xffff	/* ends a glyph's entry */
#define PSF1_SEQUENCE		0xfffe	/* begins a sequence of several */

struct psf1_header {
	le16 magic;
	uint8_t mode, glyph_size;
} __packed;
_Static_assert(sizeof(struct psf1_header) == 4, "PSF1");

#define PSF2_MAGIC		0x864ab572
#define PSF2_FLAG_TABLE		BIT(0)
#define PSF2_END		0xff
#define PSF2_SEQUENCE		0xfe

struct psf2_header {
	le32 magic, version, header_size, flags;
	le32 glyphs, glyph_size, height, width;
} __packed;
_Static_assert(sizeof(struct psf2_header) == 32, "PSF2");

#define PSF_GLYPHS_MAX		4096
#define PSF_SIDE_MAX		64	/* pixels */

static int psf_parse1(const struct psf1_header *h, struct psf *out)
{
	out->glyphs = h->mode & PSF1_MODE_512 ? 512 : 256;
	out->width = 8;
	out->height = out->glyph_size = h->glyph_size;
	out->wide_table = true;
	return sizeof(*h);
}

static int psf_parse2(const struct psf2_header *h, struct psf *out)
{
	if (h->version || h->header_size < sizeof(*h) ||
	    h->header_size > PAGE_SIZE || h->glyphs > PSF_GLYPHS_MAX)
		return -EINVAL;
	out->glyphs = h->glyphs;
	out->width = h->width;
	out->height = h->height;
	out->glyph_size = h->glyph_size;
	return (int)h->header_size;
}

/* Fills in what the header says. Returns the header's size or -errno. */
static int psf_header(const void *data, size_t size, struct psf *out,
		      bool *table)
{
	struct psf1_header h1;
	struct psf2_header h2;

	if (size < sizeof(h1))
		return -EBADMSG;
	memcpy(&h1, data, sizeof(h1));
	if (h1.magic == PSF1_MAGIC) {
		*table = h1.mode & PSF1_MODE_TABLE;
		return psf_parse1(&h1, out);
	}
	if (size < sizeof(h2))
		return -EINVAL;
	memcpy(&h2, data, sizeof(h2));
	if (h2.magic != PSF2_MAGIC)
		return -EINVAL;
	*table = h2.flags & PSF2_FLAG_TABLE;
	return psf_parse2(&h2, out);
}

int psf_parse(const void *data, size_t size, struct psf *out)
{
	bool table = false;
	size_t bitmaps;
	int header;

	memset(out, 0, sizeof(*out));
	header = psf_header(data, size, out, &table);
	if (header < 0)
		return header;
	out->stride = DIV_ROUND_UP(out->width, 8);
	if (out->glyphs <= '?' || !out->width || !out->height ||
	    out->width > PSF_SIDE_MAX || out->height > PSF_SIDE_MAX ||
	    out->glyph_size != out->stride * out->height)
		return -EINVAL;
	bitmaps = (size_t)out->glyphs * out->glyph_size;
	if (size < (size_t)header + bitmaps)
		return -EBADMSG;
	out->bits = (const uint8_t *)data + header;
	out->table = out->bits + bitmaps;
	out->table_end = table ? (const uint8_t *)data + size : out->table;
	return 0;
}

/* How many bytes a UTF-8 sequence has by its first one; 0: not a first one. */
static unsigned utf8_length(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first < 0xe0)
		return 2;
	if (first >= 0xe0 && first < 0xf0)
		return 3;
	return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* Decode at p, at most up to end. Returns bytes used; *code is U+FFFD if bad. */
static unsigned utf8_decode(const uint8_t *p, const uint8_t *end,
			    uint32_t *code)
{
	static const uint8_t first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	unsigned n = utf8_length(*p);
	uint32_t c;

	*code = 0xfffd;
	if (!n)
		return 1;
	c = *p & first_bits[n];
	for (unsigned i = 1; i < n; i++) {
		if (p + i >= end || (p[i] & 0xc0) != 0x80)
			return 1;
		c = c << 6 | (p[i] & 0x3f);
	}
	*code = c;
	return n;
}

uint32_t utf8_next(const char **text)
{
	const uint8_t *p = (const uint8_t *)*text;
	uint32_t code;

	if (!*p)
		return 0;
	/* NUL is no continuation byte, so decoding stops before passing it. */
	*text += utf8_decode(p, p + 4, &code);
	return code;
}

/* PSF1: per glyph, single characters, then sequences, then PSF1_END. */
static int psf_search1(const struct psf *f, uint32_t code)
{
	bool sequence = false;
	int glyph = 0;

	for (const uint8_t *p = f->table; f->table_end - p >= 2; p += 2) {
		unsigned word = p[0] | (unsigned)p[1] << 8;

		if (word == PSF1_END) {
			glyph++;
			sequence = false;
		} else if (word == PSF1_SEQUENCE) {
			sequence = true;
		} else if (word == code && !sequence) {
			return glyph;
		}
	}
	return -ENOENT;
}

static int psf_search2(const struct psf *f, uint32_t code)
{
	bool sequence = false;
	int glyph = 0;

	for (const uint8_t *p = f->table; p < f->table_end;) {
		uint32_t c;

		if (*p == PSF2_END) {
			glyph++;
			sequence = false;
			p++;
		} else if (*p == PSF2_SEQUENCE) {
			sequence = true;
			p++;
		} else {
			p += utf8_decode(p, f->table_end, &c);
			if (c == code && !sequence)
				return glyph;
		}
	}
	return -ENOENT;
}

const uint8_t *psf_glyph(const struct psf *f, uint32_t code)
{
	int glyph;

	if (code < 0x80)
		glyph = (int)code;
	else
		glyph = f->wide_table ? psf_search1(f, code) :
					psf_search2(f, code);
	if (glyph < 0 || (unsigned)glyph >= f->glyphs)
		glyph = '?';
	return f->bits + (size_t)glyph * f->glyph_size;
}
