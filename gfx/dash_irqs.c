/* SPDX-License-Identifier: MIT */
/*
 * Interrupts per CPU: a row with a bar each, in two columns when they are
 * many; more than that, and each gets an upright bar without a label.
 */
#include "gfx/dash.h"

#include "core/fmt.h"
#include "gfx/plot.h"

/* 1234567 as "1 234 567". */
static void dash_number(char *buf, size_t size, uint64_t n)
{
	char digits[24];
	size_t len = (size_t)fmt_snprintf(digits, sizeof(digits), "%llu",
					  (unsigned long long)n);
	size_t to = 0;

	for (size_t i = 0; i < len && to + 2 < size; i++) {
		if (i && (len - i) % 3 == 0)
			buf[to++] = ' ';
		buf[to++] = digits[i];
	}
	buf[to] = '\0';
}

static uint64_t dash_irq_max(const struct dashboard *d)
{
	uint64_t max = 0;

	for (unsigned i = 0; i < d->ncpus; i++)
		max = MAX(max, d->irqs[i]);
	return max;
}

static void dash_irq_row(const struct dash *c, struct dash_box b, unsigned cpu,
			 uint64_t max)
{
	char name[16], count[32];
	int u = c->u, label = 7 * TEXT_W * u, number = 10 * TEXT_W * u;
	int bar = b.w - label - number;

	fmt_snprintf(name, sizeof(name), "CPU %u", cpu);
	dash_number(count, sizeof(count), c->d->irqs[cpu]);
	dash_text(c, b.x, b.y, name, DASH_MUTED);
	plot_bar(c->s, b.x + label, b.y + 4 * u, bar, 8 * u, c->d->irqs[cpu],
		 max, DASH_BAR, DASH_TRACK);
	dash_text(c, b.x + b.w - dash_width(c, count), b.y, count, DASH_TEXT);
}

/* Too many for rows: one upright bar each. */
static void dash_irq_columns(const struct dash *c, struct dash_box b,
			     uint64_t max)
{
	unsigned n = c->d->ncpus;

	for (unsigned i = 0; i < n; i++) {
		int x = b.x + (int)((uint64_t)i * (unsigned)b.w / n);
		int next = b.x + (int)((uint64_t)(i + 1) * (unsigned)b.w / n);
		int w = MAX(next - x - (next - x > 3 ? 2 : 0), 1);
		int full = plot_scale(c->d->irqs[i], max, b.h);

		surface_fill(c->s, x, b.y, w, b.h - full, DASH_TRACK);
		surface_fill(c->s, x, b.y + b.h - full, w, full, DASH_BAR);
	}
}

static unsigned dash_irq_rows(const struct dashboard *d, int columns)
{
	return DIV_ROUND_UP(d->ncpus, (unsigned)columns);
}

void dash_irqs(const struct dash *c, struct dash_box b)
{
	int row = DASH_ROW * c->u, columns, gap = 3 * TEXT_W * c->u;
	uint64_t max = dash_irq_max(c->d);
	struct dash_box in = dash_card(c, b, "Interrupts per CPU", NULL);

	for (columns = 1; columns <= 2; columns++)
		if ((int)dash_irq_rows(c->d, columns) * row <= in.h + row / 3)
			break;
	if (columns > 2) {
		dash_irq_columns(c, in, max);
		return;
	}
	for (unsigned i = 0; i < c->d->ncpus; i++) {
		int rows = (int)dash_irq_rows(c->d, columns);
		int w = (in.w - (columns - 1) * gap) / columns;
		struct dash_box at = { in.x + (int)i / rows * (w + gap),
				       in.y + (int)i % rows * row, w, row };

		dash_irq_row(c, at, i, max);
	}
}

int dash_irqs_height(const struct dash *c, int room)
{
	int frame = (2 * DASH_PAD + DASH_HEADING) * c->u, row = DASH_ROW * c->u;

	for (int columns = 1; columns <= 2; columns++) {
		int h = (int)dash_irq_rows(c->d, columns) * row + frame;

		if (h <= room)
			return h;
	}
	return MIN(room, frame + 4 * row);
}
