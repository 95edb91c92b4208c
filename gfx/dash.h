/* SPDX-License-Identifier: MIT */
/* Between the files of the dashboard only: its colours, measures and parts. */
#ifndef GFX_DASH_H
#define GFX_DASH_H

#include "gfx/dashboard.h"
#include "gfx/text.h"

#define DASH_GROUND	RGB(0x0b, 0x0f, 0x16)
#define DASH_CARD	RGB(0x13, 0x19, 0x23)
#define DASH_EDGE	RGB(0x26, 0x30, 0x3f)
#define DASH_TRACK	RGB(0x1f, 0x28, 0x36)	/* the empty part of a bar */
#define DASH_TEXT	RGB(0xdc, 0xe3, 0xec)
#define DASH_BRIGHT	RGB(0xff, 0xff, 0xff)
#define DASH_MUTED	RGB(0x7d, 0x8a, 0x9c)
#define DASH_TEAL	RGB(0x4f, 0xd1, 0xc5)
#define DASH_BAR	RGB(0x3a, 0x9d, 0xd9)
#define DASH_AREA	RGB(0x16, 0x3a, 0x44)
#define DASH_GREEN	RGB(0x2e, 0xa0, 0x5f)
#define DASH_RED	RGB(0xd6, 0x45, 0x45)
#define DASH_AMBER	RGB(0xb9, 0x86, 0x1b)
#define DASH_VIOLET	RGB(0x80, 0x66, 0xc8)

#define DASH_HEADER	64			/* heights, in units */
#define DASH_FOOTER	40
#define DASH_MARGIN	20
#define DASH_PAD	16			/* inside a card */
#define DASH_HEADING	28
#define DASH_BADGE	52			/* width */
#define DASH_WIDE	900			/* two columns from here on */
#define DASH_ROW	22			/* a bar and its label */

struct dash {
	struct surface *s;
	const struct dashboard *d;
	int u;
};

struct dash_box {
	int x, y, w, h;
};

/* ---- dash_parts.c ---- */

int dash_width(const struct dash *c, const char *text);
/* Returns the x after it. */
int dash_text(const struct dash *c, int x, int y, const char *text,
	      uint32_t rgb);
/* At most n characters; the last is "…" when that is not all. */
void dash_text_cut(const struct dash *c, int x, int y, const char *text,
		   int n, uint32_t rgb);
/* Returns the x after it. */
int dash_heading(const struct dash *c, int x, int y, const char *text);
/* The word in a badge of that tone, and the colour of a value. */
const char *dash_tone_text(enum dashboard_tone tone);
uint32_t dash_tone_rgb(enum dashboard_tone tone);
void dash_badge(const struct dash *c, struct dash_box b,
		enum dashboard_tone tone, const char *text);
/* A card with a heading and a note; returns what is left inside. */
struct dash_box dash_card(const struct dash *c, struct dash_box b,
			  const char *heading, const char *note);

/* ---- dash_irqs.c: interrupts per CPU ---- */

/* The height it would like to have, at most room. */
int dash_irqs_height(const struct dash *c, int room);
void dash_irqs(const struct dash *c, struct dash_box b);

/* ---- dash_list.c: the findings ---- */

/* The height of a card that holds them all at a width, at the tightest. */
int dash_list_least(const struct dash *c, int w);
void dash_list(const struct dash *c, struct dash_box b);

#endif
