/* SPDX-License-Identifier: MIT */
/*
 * Most of a screen is ground: long runs of one colour. The sum is linear, so
 * what a run of CRC_RUN equal pixels does to it is one more table look-up per
 * byte of the sum, plus a term that depends on the colour only. That makes a
 * screen's sum several times cheaper than its bytes would be one by one.
 */
#include "gfx/crc.h"

#define CRC_POLY	0xedb88320	/* 0x04C11DB7, bits reversed */
#define CRC_RUN		32		/* pixels */

/*
 * crc_table[k][b]: what byte b does to the sum when k bytes follow it. With
 * three of them a whole pixel is one step.
 */
static uint32_t crc_table[3][256];
/* What byte k of the sum, being b, becomes after CRC_RUN black pixels. */
static uint32_t crc_black[4][256];

/* The colour last seen in a run, and the sum of that run alone. */
struct crc_run {
	uint32_t rgb, sum;
	bool valid;
};

static uint32_t crc_zeroes(uint32_t crc, unsigned bytes)
{
	while (bytes--)
		crc = crc >> 8 ^ crc_table[0][crc & 0xff];
	return crc;
}

static void crc_init(void)
{
	for (unsigned b = 0; b < 256; b++) {
		uint32_t c = b;

		for (unsigned bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ CRC_POLY : c >> 1;
		crc_table[0][b] = c;
	}
	for (unsigned b = 0; b < 256; b++)
		for (unsigned k = 1; k < 3; k++)
			crc_table[k][b] = crc_zeroes(crc_table[k - 1][b], 1);
	for (unsigned bit = 0; bit < 32; bit++)
		crc_black[bit / 8][1u << bit % 8] =
			crc_zeroes(UINT32_C(1) << bit, 3 * CRC_RUN);
	for (unsigned k = 0; k < 4; k++)
		for (unsigned b = 1; b < 256; b++)
			crc_black[k][b] = crc_black[k][b & (b - 1)] ^
					  crc_black[k][b & -b];
}

static uint32_t crc_pixels(uint32_t crc, const uint32_t *p, unsigned n)
{
	for (; n; n--, p++) {
		uint32_t rgb = *p;

		crc = crc >> 24 ^ crc_table[2][(crc ^ rgb >> 16) & 0xff] ^
		      crc_table[1][(crc >> 8 ^ rgb >> 8) & 0xff] ^
		      crc_table[0][(crc >> 16 ^ rgb) & 0xff];
	}
	return crc;
}

/* Four at a time: this is what is done for most pixels of a screen. */
static bool crc_is_run(const uint32_t *p)
{
	uint32_t rgb = p[0], differ = rgb ^ p[CRC_RUN - 1];

	for (unsigned i = 0; i < CRC_RUN && !differ; i += 4)
		differ = (p[i] ^ rgb) | (p[i + 1] ^ rgb) | (p[i + 2] ^ rgb) |
			 (p[i + 3] ^ rgb);
	return !differ;
}

static uint32_t crc_run(uint32_t crc, const uint32_t *p, struct crc_run *run)
{
	if (!run->valid || run->rgb != *p)
		*run = (struct crc_run){ *p, crc_pixels(0, p, CRC_RUN), true };
	return run->sum ^ crc_black[0][crc & 0xff] ^
	       crc_black[1][crc >> 8 & 0xff] ^
	       crc_black[2][crc >> 16 & 0xff] ^ crc_black[3][crc >> 24];
}

static uint32_t crc_row(uint32_t crc, const uint32_t *p, unsigned n,
			struct crc_run *run)
{
	while (n >= CRC_RUN) {
		crc = crc_is_run(p) ? crc_run(crc, p, run) :
				      crc_pixels(crc, p, CRC_RUN);
		p += CRC_RUN;
		n -= CRC_RUN;
	}
	return crc_pixels(crc, p, n);
}

uint32_t surface_crc32(const struct surface *s, unsigned x, unsigned y,
		       unsigned w, unsigned h)
{
	struct crc_run run = { 0 };
	uint32_t crc = UINT32_MAX;

	if (!crc_table[0][1])
		crc_init();
	x = MIN(x, s->width);
	y = MIN(y, s->height);
	w = MIN(w, s->width - x);
	h = MIN(h, s->height - y);
	for (; h; h--, y++)
		crc = crc_row(crc, s->row[y] + x, w, &run);
	return ~crc;
}
