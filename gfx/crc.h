/* SPDX-License-Identifier: MIT */
/*
 * CRC-32 (ISO 3309, ITU-T V.42: reflected, polynomial 0x04C11DB7, as in gzip
 * and PNG) of pixels, so that a picture seen by the host can be compared with
 * the one that was drawn. Pure.
 */
#ifndef GFX_CRC_H
#define GFX_CRC_H

#include "gfx/surface.h"

/*
 * Over the rectangle's pixels, row by row, three bytes each: red, green, blue.
 * That is what a binary PPM holds behind its header, so the sum equals that of
 * a screenshot's pixels. Outside of the surface nothing is counted.
 */
uint32_t surface_crc32(const struct surface *s, unsigned x, unsigned y,
		       unsigned w, unsigned h);

#endif
