/* SPDX-License-Identifier: MIT */
#include "gfx/dash.h"

#include "core/string.h"
#include "gfx/plot.h"
#include "gfx/psf.h"

int dash_width(const struct dash *c, const char *text)
{
	return (int)text_length(text) * TEXT_W * c->u;
}

int dash_text(const struct dash *c, int x, int y, const char *text,
	      uint32_t rgb)
{
	return text_draw(c->s, x, y, text, rgb, (unsigned)c->u);
}

void dash_text_cut(const struct dash *c, int x, int y, const char *text,
		   int n, uint32_t rgb)
{
	char buf[512];
	const char *end = text;
	size_t len;

	if (n <= 0)
		return;
	if (text_length(text) <= (unsigned)n) {
		dash_text(c, x, y, text, rgb);
		return;
	}
	while (--n && utf8_next(&end))
		;
	len = MIN((size_t)(end - text), sizeof(buf) - 1);
	memcpy(buf, text, len);
	buf[len] = '\0';
	dash_text(c, dash_text(c, x, y, buf, rgb), y, "…", rgb);
}

static const struct {
	const char *text;
	uint32_t badge;			/* its colour */
	uint32_t value;			/* that of a value of this tone */
} dash_tone[] = {
	[DASH_PLAIN] = { "", 0, DASH_TEXT },
	[DASH_DIM] = { "", 0, DASH_MUTED },
	[DASH_ACCENT] = { "", 0, DASH_BRIGHT },
	[DASH_PASS] = { "PASS", DASH_GREEN, DASH_TEXT },
	[DASH_FAIL] = { "FAIL", DASH_RED, DASH_BRIGHT },
	[DASH_SKIP] = { "SKIP", DASH_AMBER, DASH_MUTED },
	[DASH_XFAIL] = { "XFAIL", DASH_VIOLET, DASH_TEXT },
};

const char *dash_tone_text(enum dashboard_tone tone)
{
	return dash_tone[tone].text;
}

uint32_t dash_tone_rgb(enum dashboard_tone tone)
{
	return dash_tone[tone].value;
}

void dash_badge(const struct dash *c, struct dash_box b,
		enum dashboard_tone tone, const char *text)
{
	plot_round(c->s, b.x, b.y, b.w, b.h, 4, dash_tone[tone].badge);
	text_draw_bold(c->s, b.x + (b.w - dash_width(c, text)) / 2,
		       b.y + (b.h - TEXT_H * c->u) / 2, text, DASH_BRIGHT,
		       (unsigned)c->u);
}

int dash_heading(const struct dash *c, int x, int y, const char *text)
{
	return text_draw_bold(c->s, x, y, text, DASH_TEAL, (unsigned)c->u);
}

struct dash_box dash_card(const struct dash *c, struct dash_box b,
			  const char *heading, const char *note)
{
	int pad = DASH_PAD * c->u, top = heading ? DASH_HEADING * c->u : 0;
	int y = b.y + pad - 2 * c->u;

	plot_round(c->s, b.x, b.y, b.w, b.h, 4, DASH_CARD);
	if (heading)
		dash_heading(c, b.x + pad, y, heading);
	if (note)
		dash_text(c, b.x + b.w - pad - dash_width(c, note), y, note,
			  DASH_MUTED);
	return (struct dash_box){ b.x + pad, b.y + pad + top, b.w - 2 * pad,
				  b.h - 2 * pad - top };
}
