/* SPDX-License-Identifier: MIT */
/*
 * The findings: labels in one column, values in another, verdicts as badges at
 * the right edge. Rows are as airy as the room allows; what does not fit even
 * at the tightest is left out, and said to be.
 */
#include "gfx/dash.h"

#include "core/string.h"
#include "gfx/psf.h"

/*
 * Where the next row of a wrapped text ends: at most n characters, at a blank
 * if there is one; without, in equal shares, so that a checksum has a shape.
 */
static const char *dash_wrap(const char *text, unsigned n)
{
	unsigned length = text_length(text);
	const char *p = text, *blank = NULL;

	if (length <= n)
		return text + strlen(text);
	if (!strchr(text, ' '))
		n = DIV_ROUND_UP(length, DIV_ROUND_UP(length, n));
	for (; n && *p; n--) {
		if (*p == ' ')
			blank = p;
		utf8_next(&p);
	}
	return *p != ' ' && blank && blank > text ? blank : p;
}

/* Rows that text takes at n characters each. */
static unsigned dash_rows(const char *text, unsigned n)
{
	unsigned rows = 0;

	do {
		text = dash_wrap(text, n);
		while (*text == ' ')
			text++;
		rows++;
	} while (*text);
	return rows;
}

static void dash_wrapped(const struct dash *c, int x, int y, const char *text,
			 unsigned n, int pitch, uint32_t rgb)
{
	char buf[512];

	while (*text) {
		const char *end = dash_wrap(text, n);
		size_t len = MIN((size_t)(end - text), sizeof(buf) - 1);

		memcpy(buf, text, len);
		buf[len] = '\0';
		dash_text(c, x, y, buf, rgb);
		y += pitch;
		for (text = end; *text == ' '; text++)
			;
	}
}

/* The measures that all findings share. */
struct dash_list {
	struct dash_box box;
	int label;			/* width of the column of labels */
	int pitch;			/* of findings */
	int gap, heading;		/* above and of a section's heading */
	int row;			/* of a wrapped value's further rows */
	unsigned columns;		/* characters in a value's row */
};

static bool dash_starts_section(const struct dashboard *d, unsigned i)
{
	const char *now = d->line[i].section;
	const char *before = i ? d->line[i - 1].section : NULL;

	return now && (!before || strcmp(now, before));
}

static bool dash_has_badge(const struct dashboard_line *l)
{
	return l->tone >= DASH_PASS;
}

static unsigned dash_columns(const struct dash_list *l,
			     const struct dashboard_line *line)
{
	unsigned badge = dash_has_badge(line) ? DASH_BADGE / TEXT_W + 2 : 0;

	return l->columns > badge + 8 ? l->columns - badge : 8;
}

static int dash_line_height(const struct dash *c, const struct dash_list *l,
			    unsigned i)
{
	const struct dashboard_line *line = &c->d->line[i];
	int h = l->pitch;

	if (line->value)
		h += ((int)dash_rows(line->value, dash_columns(l, line)) - 1) *
		     l->row;
	if (dash_starts_section(c->d, i))
		h += l->heading + (i ? l->gap : 0);
	return h;
}

static int dash_list_height(const struct dash *c, const struct dash_list *l)
{
	int h = 0;

	for (unsigned i = 0; i < c->d->nlines; i++)
		h += dash_line_height(c, l, i);
	return h;
}

/* A section's heading and a thin rule to its right. */
static void dash_section(const struct dash *c, const struct dash_list *l,
			 int y, const char *text)
{
	int x = dash_heading(c, l->box.x, y, text) + 12 * c->u;

	surface_fill(c->s, x, y + 8 * c->u, l->box.x + l->box.w - x, c->u,
		     DASH_EDGE);
}

static void dash_line(const struct dash *c, const struct dash_list *l, int y,
		      const struct dashboard_line *line)
{
	int u = c->u, badge = DASH_BADGE * u;

	if (line->label)
		dash_text_cut(c, l->box.x, y, line->label,
			      l->label / (TEXT_W * u) - 1, DASH_MUTED);
	if (line->value)
		dash_wrapped(c, l->box.x + l->label, y, line->value,
			     dash_columns(l, line), l->row,
			     dash_tone_rgb(line->tone));
	if (dash_has_badge(line))
		dash_badge(c, (struct dash_box){
				   l->box.x + l->box.w - badge, y - u, badge,
				   MIN(18 * u, l->pitch - u) },
			   line->tone, dash_tone_text(line->tone));
}

/* Choose the column of labels, and rows as airy as the room allows. */
static void dash_list_layout(const struct dash *c, struct dash_list *l)
{
	static const uint8_t pitch[] = { 24, 22, 20, 18, 17 };
	unsigned longest = 0, most = (unsigned)(l->box.w / (TEXT_W * c->u));

	for (unsigned i = 0; i < c->d->nlines; i++)
		if (c->d->line[i].label)
			longest = MAX(longest, text_length(c->d->line[i].label));
	longest = MIN(longest + 2, most * 2 / 5);
	l->label = (int)longest * TEXT_W * c->u;
	l->columns = MAX(most - longest, 8u);
	for (unsigned i = 0; i < ARRAY_SIZE(pitch); i++) {
		l->pitch = pitch[i] * c->u;
		l->gap = (pitch[i] - 10) * c->u;
		l->heading = (pitch[i] + 4) * c->u;
		l->row = MIN(pitch[i], 18) * c->u;
		if (dash_list_height(c, l) <= l->box.h)
			break;
	}
}

void dash_list(const struct dash *c, struct dash_box b)
{
	const struct dashboard *d = c->d;
	struct dash_list l = { .box = dash_card(c, b, NULL, NULL) };
	int y = l.box.y, end = y + l.box.h;

	dash_list_layout(c, &l);
	for (unsigned i = 0; i < d->nlines; i++) {
		int h = dash_line_height(c, &l, i);

		if (y + h > end + l.pitch - TEXT_H * c->u) {
			dash_text(c, l.box.x, end - 8 * c->u, "…", DASH_MUTED);
			break;
		}
		if (dash_starts_section(d, i)) {
			int lead = l.heading + (i ? l.gap : 0);

			dash_section(c, &l, y + (i ? l.gap : 0),
				     d->line[i].section);
			y += lead;
			h -= lead;
		}
		dash_line(c, &l, y, &d->line[i]);
		y += h;
	}
}

int dash_list_least(const struct dash *c, int w)
{
	struct dash_list l = { .box = { .w = w - 2 * DASH_PAD * c->u } };

	dash_list_layout(c, &l);
	return dash_list_height(c, &l) + 2 * DASH_PAD * c->u;
}
