/* SPDX-License-Identifier: MIT */
/* The MCFG table: where configuration space is mapped into memory (ECAM). */
#include "core/acpireg.h"

#include "core/errno.h"
#include "core/string.h"

/* Bus 0's megabyte, whichever buses are there: 4.1.2, note on base. */
static bool mcfg_possible(const struct mcfg_segment *s)
{
	return s->base && IS_ALIGNED(s->base, MIB(1)) &&
	       s->bus_first <= s->bus_last && s->base + MIB(256) > s->base;
}

static int mcfg_segment(const struct acpi_walk *w, struct acpi_mcfg *out)
{
	const struct mcfg_segment *s = (const struct mcfg_segment *)w->sub;

	if (!mcfg_possible(s))
		return -EBADMSG;
	if (out->n == ARRAY_SIZE(out->seg)) {
		out->left_out++;
		return 0;
	}
	out->seg[out->n].base = s->base;
	out->seg[out->n].segment = s->segment;
	out->seg[out->n].bus_first = s->bus_first;
	out->seg[out->n++].bus_last = s->bus_last;
	return 0;
}

int acpi_parse_mcfg(const void *table, size_t size, struct acpi_mcfg *out)
{
	struct acpi_walk w;
	int err;

	memset(out, 0, sizeof(*out));
	err = acpi_walk_table(&w, table, size, "MCFG", sizeof(struct mcfg));
	while (!err && w.next < w.end) {
		err = acpi_walk_step(&w, sizeof(struct mcfg_segment), 0);
		if (err > 0)
			err = mcfg_segment(&w, out);
	}
	if (err)
		memset(out, 0, sizeof(*out));
	return err;
}
