/* SPDX-License-Identifier: MIT */
/*
 * A display: a surface that can be drawn on and made visible. Every GPU driver
 * registers one fb per scan-out. Thread context; one user draws at a time.
 */
#ifndef GFX_FB_H
#define GFX_FB_H

#include "core/types.h"
#include "gfx/surface.h"

struct fb {
	char name[16];			/* "vgpu0" */
	struct surface surface;		/* draw here; undefined until drawn */
	unsigned nsegs;			/* pieces of memory behind the scan-out */
	/*
	 * Make a damaged rectangle visible; returns when the GPU has it. May
	 * sleep. What lies outside of the surface is cut off. 0, -ENODEV,
	 * -ETIMEDOUT, or what the GPU answered.
	 */
	int (*flush)(struct fb *fb, unsigned x, unsigned y, unsigned w,
		     unsigned h);
	void *priv;
};

void fb_register(struct fb *fb);
void fb_unregister(struct fb *fb);
struct fb *fb_get(unsigned n);			/* NULL: no such display */

/*
 * CRC-32 of a rectangle's pixels as gfx/crc.h counts them: equal to that of
 * the pixels in a PPM screenshot taken by the host.
 */
uint32_t fb_crc32(const struct fb *fb, unsigned x, unsigned y, unsigned w,
		  unsigned h);

#endif
