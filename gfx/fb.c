/* SPDX-License-Identifier: MIT */
/*
 * The displays of the machine, in the order in which their drivers came.
 *
 * gfx/ in short: surface.c, text.c, ppm.c and plot.c draw into memory and know
 * no hardware; dashboard.c composes the tour's screen from them. A GPU driver
 * registers an fb here, whose flush makes what was drawn visible: vgpu.c
 * drives the virtio-gpu's queue and never sleeps, vgpu_2d.c waits for its
 * commands, vgpu_fb.c owns the memory behind a screen, vgpu_pci.c finds the
 * device.
 */
#include "gfx/fb.h"

#include "core/errno.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/monitor.h"
#include "gfx/crc.h"

#define FB_MAX	16

static struct fb *fb_table[FB_MAX];

void fb_register(struct fb *fb)
{
	for (unsigned i = 0; i < FB_MAX; i++)
		if (!fb_table[i]) {
			fb_table[i] = fb;
			return;
		}
	log_warn(fb->name, "not registered: there are %u displays already",
		 FB_MAX);
}

void fb_unregister(struct fb *fb)
{
	unsigned to = 0;

	for (unsigned i = 0; i < FB_MAX; i++)
		if (fb_table[i] != fb)
			fb_table[to++] = fb_table[i];
	while (to < FB_MAX)
		fb_table[to++] = NULL;
}

struct fb *fb_get(unsigned n)
{
	return n < FB_MAX ? fb_table[n] : NULL;
}

uint32_t fb_crc32(const struct fb *fb, unsigned x, unsigned y, unsigned w,
		  unsigned h)
{
	return surface_crc32(&fb->surface, x, y, w, h);
}

static int fb_cmd_screen(int argc, char **argv)
{
	uint64_t only = 0;

	if (argc > 1 && fmt_parse_u64(argv[1], false, &only))
		return -EINVAL;
	if (!fb_get((unsigned)MIN(only, (uint64_t)FB_MAX)))
		return -ENODEV;
	for (unsigned i = 0; i < FB_MAX && fb_get(i); i++) {
		const struct fb *fb = fb_get(i);
		const struct surface *s = &fb->surface;

		if (argc > 1 && i != only)
			continue;
		console_printf("%-8s %ux%u in %u pieces, crc32 %08x\n",
			       fb->name, s->width, s->height, fb->nsegs,
			       fb_crc32(fb, 0, 0, s->width, s->height));
	}
	return 0;
}

static const struct monitor_cmd fb_screen_cmd = {
	.name = "screen",
	.args = "[N]",
	.help = "displays: size, memory pieces, CRC-32 of the pixels",
	.run = fb_cmd_screen,
};
MONITOR_CMD(fb_screen_cmd);
