/* SPDX-License-Identifier: MIT */
/*
 * The IVRS table: AMD's IOMMUs. One IOMMU may be described up to three times,
 * each time in a newer form (types 10h, 11h, 40h); the newest is kept.
 * Isolation rests on this table: a block or a device entry of unknown type is
 * counted as left out, upon which the caller must not claim protection.
 */
#include "core/acpireg.h"

#include "core/errno.h"
#include "core/string.h"

#define IVRS_NO_BDF	0xffff
#define IVRS_LAST	0xffff		/* of the requester ids on a segment */

/* Reading one IOMMU's device entries. */
struct ivrs_devices {
	unsigned n;
	bool in_range;
	uint16_t range_first, ioapic_bdf;
	struct acpi_ivrs *out;		/* its range[] grows */
	unsigned unit, left_out;
};

static void ivrs_add(struct ivrs_devices *d, uint16_t first, uint16_t last)
{
	struct acpi_ivrs *out = d->out;

	d->n += last - first + 1u;
	if (out->nranges == IVRS_RANGES) {
		d->left_out++;
		return;
	}
	out->range[out->nranges].first = first;
	out->range[out->nranges].last = last;
	out->range[out->nranges].unit = d->unit;
	out->nranges++;
}

/* Forget the ranges that an older form of the unit gave, all before end. */
static void ivrs_forget(struct acpi_ivrs *out, unsigned unit, unsigned end)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < out->nranges; i++)
		if (i >= end || out->range[i].unit != unit)
			out->range[kept++] = out->range[i];
	out->nranges = kept;
}

/* The length of a device entry, by its type (5.2.2.3); 0: cut off. */
static size_t ivrs_entry_size(const uint8_t *p, size_t left)
{
	if (p[0] < 192)
		return (size_t)4 << (p[0] >> 6);
	if (p[0] != IVHD_NAMED)
		return 32;
	return left < IVHD_NAMED_SIZE ? 0 :
	       IVHD_NAMED_SIZE + (size_t)p[IVHD_NAMED_UID_LENGTH];
}

static int ivrs_range_start(struct ivrs_devices *d, uint16_t bdf)
{
	if (d->in_range)
		return -EBADMSG;
	d->in_range = true;
	d->range_first = bdf;
	return 0;
}

static int ivrs_range_end(struct ivrs_devices *d, uint16_t bdf)
{
	if (!d->in_range || bdf < d->range_first)
		return -EBADMSG;
	d->in_range = false;
	ivrs_add(d, d->range_first, bdf);
	return 0;
}

/* The fields beyond 4 bytes are there: every such type has 8 at least. */
static int ivrs_device(const struct ivhd_device *e, struct ivrs_devices *d,
		       unsigned *left_out)
{
	switch (e->type) {
	case IVHD_PAD4:
	case IVHD_PAD8:
		return 0;
	case IVHD_ALL:
		ivrs_add(d, 0, IVRS_LAST);
		return 0;
	case IVHD_SELECT:
	case IVHD_ALIAS_SELECT:
	case IVHD_EXT_SELECT:
	case IVHD_NAMED:
		ivrs_add(d, e->bdf, e->bdf);
		return 0;
	case IVHD_RANGE:
	case IVHD_ALIAS_RANGE:
	case IVHD_EXT_RANGE:
		return ivrs_range_start(d, e->bdf);
	case IVHD_RANGE_END:
		return ivrs_range_end(d, e->bdf);
	case IVHD_SPECIAL:
		if (e->variety == IVHD_SPECIAL_IOAPIC)
			d->ioapic_bdf = e->source;
		return 0;
	default:
		++*left_out;
		return 0;
	}
}

static int ivrs_devices(const struct acpi_walk *w, size_t head,
			struct ivrs_devices *d, unsigned *left_out)
{
	struct acpi_walk in = { .next = w->sub + head, .end = w->sub + w->len };

	while (in.next < in.end) {
		size_t left = (size_t)(in.end - in.next);
		int err = acpi_walk_step(&in, ivrs_entry_size(in.next, left),
					 IVHD_DEV_SHORT);

		if (err > 0)
			err = ivrs_device((const void *)in.sub, d, left_out);
		if (err)
			return err;
	}
	return d->in_range ? -EBADMSG : 0;
}

/* Where this IOMMU goes: an older form of it, a new place, or none. */
static unsigned ivrs_place(const struct acpi_ivrs *out, const struct ivhd *h)
{
	for (unsigned i = 0; i < out->nunits; i++)
		if (out->unit[i].bdf == h->bdf &&
		    out->unit[i].segment == h->segment)
			return i;
	return out->nunits;
}

static int ivrs_ivhd(const struct acpi_walk *w, size_t head,
		     struct acpi_ivrs *out)
{
	const struct ivhd *h = (const struct ivhd *)w->sub;
	struct ivrs_devices d = { .ioapic_bdf = IVRS_NO_BDF, .out = out };
	unsigned before = out->nranges, n;
	int err;

	if (w->len < head || !h->base || !IS_ALIGNED(h->base, KIB(16)))
		return -EBADMSG;
	n = d.unit = ivrs_place(out, h);
	err = ivrs_devices(w, head, &d, &out->left_out);
	if (err)
		return err;
	if (n == IVRS_UNITS ||
	    (n < out->nunits && h->type < out->unit[n].type)) {
		out->nranges = before;
		out->left_out += n == IVRS_UNITS;
		return 0;
	}
	ivrs_forget(out, n, before);
	out->left_out += d.left_out;
	out->unit[n].type = h->type;
	out->unit[n].bdf = h->bdf;
	out->unit[n].segment = h->segment;
	out->unit[n].cap_offset = h->cap_offset;
	out->unit[n].base = h->base;
	out->unit[n].ndevices = d.n;
	out->unit[n].ioapic_bdf = d.ioapic_bdf;
	out->nunits = MAX(out->nunits, n + 1);
	return 0;
}

static int ivrs_ivmd(const struct acpi_walk *w, struct acpi_ivrs *out)
{
	const struct ivmd *m = acpi_walk_as(w, struct ivmd);
	unsigned n = out->nmem;

	if (!m || !m->size || m->base + m->size - 1 < m->base ||
	    (m->type == IVMD_RANGE && m->bdf_last < m->bdf))
		return -EBADMSG;
	if (n == IVRS_UNITS) {
		out->left_out++;
		return 0;
	}
	out->mem[n].bdf_first = m->type == IVMD_ALL ? 0 : m->bdf;
	out->mem[n].bdf_last = m->type == IVMD_ALL ? 0xffff :
			       m->type == IVMD_RANGE ? m->bdf_last : m->bdf;
	out->mem[n].base = m->base;
	out->mem[n].size = m->size;
	out->mem[n].flags = m->flags;
	out->nmem++;
	return 0;
}

static int ivrs_entry(const struct acpi_walk *w, struct acpi_ivrs *out)
{
	switch (w->sub[0]) {
	case IVHD_10:
		return ivrs_ivhd(w, offsetof(struct ivhd, efr), out);
	case IVHD_11:
	case IVHD_40:
		return ivrs_ivhd(w, sizeof(struct ivhd), out);
	case IVMD_ALL:
	case IVMD_SELECT:
	case IVMD_RANGE:
		return ivrs_ivmd(w, out);
	default:
		out->left_out++;
		return 0;
	}
}

int acpi_parse_ivrs(const void *table, size_t size, struct acpi_ivrs *out)
{
	struct acpi_walk w;
	int err;

	memset(out, 0, sizeof(*out));
	err = acpi_walk_table(&w, table, size, "IVRS", sizeof(struct ivrs));
	while (!err && (err = acpi_walk_next16(&w)) > 0)
		err = ivrs_entry(&w, out);
	if (err)
		memset(out, 0, sizeof(*out));
	return err;
}
