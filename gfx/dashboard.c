/* SPDX-License-Identifier: MIT */
/*
 * The dashboard's layout: a title bar, a footer, and between them two columns
 * of cards, the picture, bars and plot on the left, the findings on the right;
 * a narrow screen stacks them. Every measure is in units of u pixels, 1 on
 * common screens and 2 on very large ones.
 *
 * Back to front: ground, cards, what is on them. Filling is by whole rows and
 * cheap; what costs is glyphs, so no text is drawn twice.
 */
#include "gfx/dash.h"

#include "gfx/plot.h"

static void dash_header(const struct dash *c)
{
	const struct dashboard *d = c->d;
	int w = (int)c->s->width, u = c->u, h = DASH_HEADER * u;
	int x = DASH_MARGIN * u, mid = (h - 2 * u) / 2, right = w - x;

	surface_fill(c->s, 0, 0, w, h - 2 * u, DASH_CARD);
	surface_fill(c->s, 0, h - 2 * u, w, 2 * u, DASH_TEAL);
	if (d->verdict >= DASH_PASS) {
		const char *text = d->verdict_text ? d->verdict_text :
						     dash_tone_text(d->verdict);
		int bw = dash_width(c, text) + 32 * u;

		right -= bw;
		dash_badge(c, (struct dash_box){ right, mid - 15 * u, bw,
						 30 * u }, d->verdict, text);
	}
	if (d->title)
		x = text_draw_bold(c->s, x, mid - TEXT_H * u, d->title,
				   DASH_BRIGHT, (unsigned)(2 * u));
	x += 20 * u;
	if (d->subtitle)
		dash_text_cut(c, x, mid - 5 * u, d->subtitle,
			      (right - x) / (TEXT_W * u) - 1, DASH_MUTED);
}

static void dash_footer(const struct dash *c)
{
	int x = DASH_MARGIN * c->u, w = (int)c->s->width - 2 * x;

	if (c->d->footer)
		dash_text_cut(c, x, (int)c->s->height - 27 * c->u, c->d->footer,
			      w / (TEXT_W * c->u), DASH_MUTED);
}

/* The picture in a thin frame, in the box's middle; returns the height used. */
static int dash_picture(const struct dash *c, struct dash_box b)
{
	const struct dashboard *d = c->d;
	int edge = 3 * c->u, caption = d->caption ? 26 * c->u : 0;
	unsigned w, h;

	ppm_fit((unsigned)MAX(b.w - 2 * edge, 1),
		(unsigned)MAX(b.h - 2 * edge - caption, 1), d->ppm, &w, &h);
	b.x += (b.w - (int)w) / 2 - edge;
	plot_frame(c->s, b.x, b.y, (int)w + 2 * edge, (int)h + 2 * edge, c->u,
		   DASH_EDGE);
	ppm_draw(c->s, b.x + edge, b.y + edge, (int)w, (int)h, d->picture,
		 d->ppm);
	b.h = (int)h + 2 * edge;
	if (d->caption)
		dash_text_cut(c, b.x, b.y + b.h + 6 * c->u, d->caption,
			      ((int)w + 2 * edge) / (TEXT_W * c->u),
			      DASH_MUTED);
	return b.h + caption;
}

/* ---- the left column ---- */

static void dash_plot(const struct dash *c, struct dash_box b)
{
	const struct dashboard *d = c->d;
	struct dash_box in = dash_card(c, b, d->plot_title, d->plot_note);

	for (int i = 0; i < 4; i++)
		surface_fill(c->s, in.x, in.y + in.h * i / 4, in.w, c->u,
			     DASH_TRACK);
	plot_line(c->s, in.x, in.y, in.w, in.h, 2 * c->u, d->sample,
		  d->nsamples, 0, DASH_TEAL, DASH_AREA);
	surface_fill(c->s, in.x, in.y + in.h, in.w, c->u, DASH_EDGE);
}

/* The picture, and below it, as far as there is room, bars and plot. */
static void dash_left(const struct dash *c, struct dash_box b)
{
	const struct dashboard *d = c->d;
	int gap = DASH_MARGIN * c->u / 2 + 4 * c->u;
	int least = (2 * DASH_PAD + DASH_HEADING + 2 * DASH_ROW) * c->u;
	int end = b.y + b.h;

	if (d->picture && d->ppm) {
		b.h = b.h * 2 / 3;
		b.y += dash_picture(c, b) + gap;
	}
	if (d->nsamples && end - b.y >= 2 * least + gap) {
		int h = end - b.y - gap -
			dash_irqs_height(c, end - b.y - gap - least);

		dash_plot(c, (struct dash_box){ b.x, b.y, b.w, h });
		b.y += h + gap;
	}
	if (d->ncpus && end - b.y >= least) {
		b.h = dash_irqs_height(c, end - b.y);
		dash_irqs(c, b);
	}
}

/* As wide as the picture is, so that it need not be scaled, if that suits. */
static int dash_left_width(const struct dash *c, int room)
{
	const struct dashboard *d = c->d;
	int best = room * 52 / 100, edges = 6 * c->u;
	int own = d->picture && d->ppm ? (int)d->ppm->width + edges : best;

	return own >= room * 42 / 100 && own <= room * 55 / 100 ? own : best;
}

/*
 * On a narrow screen the findings come first: the picture is drawn above them
 * in what they leave. Returns the height used.
 */
static int dash_top(const struct dash *c, struct dash_box b)
{
	int gap = DASH_MARGIN * c->u;

	b.h -= dash_list_least(c, b.w) + gap;
	if (!c->d->picture || !c->d->ppm || b.h < 6 * gap)
		return 0;
	return dash_picture(c, b) + gap / 2;
}

static void dash_body(const struct dash *c, struct dash_box b)
{
	int gap = DASH_MARGIN * c->u, left;

	if (b.w >= DASH_WIDE * c->u) {
		left = dash_left_width(c, b.w - gap);
		dash_left(c, (struct dash_box){ b.x, b.y, left, b.h });
		b.x += left + gap;
		b.w -= left + gap;
	} else {
		left = dash_top(c, b);
		b.y += left;
		b.h -= left;
	}
	dash_list(c, b);
}

void dashboard_paint(struct surface *s, const struct dashboard *d)
{
	struct dash c = { s, d, s->width >= 2200 && s->height >= 1300 ? 2 : 1 };
	int edge = DASH_MARGIN * c.u;
	int top = (DASH_HEADER + DASH_MARGIN) * c.u;
	struct dash_box body = {
		edge, top, (int)s->width - 2 * edge,
		(int)s->height - top - DASH_FOOTER * c.u,
	};

	dash_header(&c);
	surface_fill(s, 0, DASH_HEADER * c.u, (int)s->width, (int)s->height,
		     DASH_GROUND);
	dash_footer(&c);
	if (body.w > 0 && body.h > 0)
		dash_body(&c, body);
}

int dashboard_draw(struct fb *fb, const struct dashboard *d)
{
	dashboard_paint(&fb->surface, d);
	return fb->flush(fb, 0, 0, fb->surface.width, fb->surface.height);
}
