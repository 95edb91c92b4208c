/* SPDX-License-Identifier: MIT */
/*
 * The tour's screen: what was found, in words, bars and a picture. The caller
 * says what; where and in which colours is decided here. All texts are UTF-8
 * and are used during the call only; any pointer may be NULL.
 */
#ifndef GFX_DASHBOARD_H
#define GFX_DASHBOARD_H

#include "gfx/fb.h"
#include "gfx/surface.h"

enum dashboard_tone {
	DASH_PLAIN,
	DASH_DIM,			/* less important */
	DASH_ACCENT,			/* a number worth noticing */
	DASH_PASS, DASH_FAIL, DASH_SKIP, DASH_XFAIL,	/* with a badge */
};

struct dashboard_line {
	const char *section;		/* a new heading when it changes */
	const char *label, *value;	/* a long value is wrapped */
	enum dashboard_tone tone;
};

struct dashboard {
	const char *title, *subtitle;	/* "Lodger", "a guest kernel …" */
	enum dashboard_tone verdict;	/* PASS to XFAIL: a badge at the top */
	const char *verdict_text;	/* in it; NULL: "PASS", … */

	const void *picture;		/* a PPM, and what ppm_parse() said */
	const struct ppm *ppm;
	const char *caption;		/* below the picture */

	const struct dashboard_line *line;
	unsigned nlines;

	const uint64_t *irqs;		/* interrupts taken, per CPU */
	unsigned ncpus;

	const char *plot_title;		/* "Read speed" */
	const char *plot_note;		/* at its right: "peak 812 MB/s" */
	const uint64_t *sample;
	unsigned nsamples;		/* 0: no plot */

	const char *footer;
};

/* Paint the whole surface, of any size. Pure. */
void dashboard_paint(struct surface *s, const struct dashboard *d);
/* Paint, and make it visible. What flush() says. */
int dashboard_draw(struct fb *fb, const struct dashboard *d);

#endif
