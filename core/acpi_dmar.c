/* SPDX-License-Identifier: MIT */
/*
 * The DMAR table: VT-d's remapping units and the memory that firmware's own
 * devices keep using. Isolation rests on it, so nothing in it is
 * guessed: what contradicts itself makes the whole table refused, and what
 * does not fit is counted, upon which the caller must not claim protection.
 */
#include "core/acpireg.h"

#include "core/errno.h"
#include "core/string.h"

static int dmar_scope(const struct acpi_walk *w, struct acpi_dmar *out)
{
	const struct dmar_device *d = acpi_walk_as(w, struct dmar_device);
	struct dmar_scope *s = &out->scope[out->nscopes];
	size_t n;

	if (!d || w->len == sizeof(*d) ||
	    (w->len - sizeof(*d)) % sizeof(d->path[0]))
		return -EBADMSG;
	n = (w->len - sizeof(*d)) / sizeof(d->path[0]);
	if (out->nscopes == DMAR_SCOPES || n > DMAR_PATH) {
		out->left_out++;
		return 0;
	}
	s->type = d->type;
	s->enum_id = d->enum_id;
	s->bus = d->bus;
	s->npath = (uint8_t)n;
	for (size_t i = 0; i < n; i++) {
		s->path[i].dev = d->path[i].dev;
		s->path[i].fn = d->path[i].fn;
	}
	out->nscopes++;
	return 0;
}

/* All scopes from offset head on; *first and *count say where they went. */
static int dmar_scopes(const struct acpi_walk *w, size_t head,
		       struct acpi_dmar *out, unsigned *first, unsigned *count)
{
	struct acpi_walk in = { .next = w->sub + head, .end = w->sub + w->len };
	int err;

	*first = out->nscopes;
	while ((err = acpi_walk_next8(&in)) > 0) {
		err = dmar_scope(&in, out);
		if (err)
			return err;
	}
	*count = out->nscopes - *first;
	return err;
}

static int dmar_drhd(const struct acpi_walk *w, struct acpi_dmar *out)
{
	const struct dmar_drhd *d = acpi_walk_as(w, struct dmar_drhd);
	unsigned n = out->nunits;

	if (!d || !d->base || !IS_ALIGNED(d->base, PAGE_SIZE))
		return -EBADMSG;
	for (unsigned i = 0; i < n; i++)
		if (out->unit[i].base == d->base)
			return -EBADMSG;
	if (n == DMAR_UNITS) {
		out->left_out++;
		return 0;
	}
	out->unit[n].base = d->base;
	out->unit[n].segment = d->segment;
	out->unit[n].include_all = d->flags & DRHD_INCLUDE_ALL;
	out->nunits++;
	return dmar_scopes(w, sizeof(*d), out, &out->unit[n].scope,
			   &out->unit[n].nscope);
}

static int dmar_rmrr(const struct acpi_walk *w, struct acpi_dmar *out)
{
	const struct dmar_rmrr *d = acpi_walk_as(w, struct dmar_rmrr);
	unsigned n = out->nrmrrs;

	if (!d || d->limit < d->base)
		return -EBADMSG;
	if (n == DMAR_RMRRS) {
		out->left_out++;
		return 0;
	}
	out->rmrr[n].segment = d->segment;
	out->rmrr[n].base = d->base;
	out->rmrr[n].last = d->limit;
	out->nrmrrs++;
	return dmar_scopes(w, sizeof(*d), out, &out->rmrr[n].scope,
			   &out->rmrr[n].nscope);
}

static int dmar_entry(const struct acpi_walk *w, struct acpi_dmar *out)
{
	switch (w->sub[0] | w->sub[1] << 8) {
	case DMAR_DRHD:
		return dmar_drhd(w, out);
	case DMAR_RMRR:
		return dmar_rmrr(w, out);
	default:			/* ATS, affinity, names: not needed */
		return 0;
	}
}

int acpi_parse_dmar(const void *table, size_t size, struct acpi_dmar *out)
{
	const struct dmar *d = table;
	struct acpi_walk w;
	int err;

	memset(out, 0, sizeof(*out));
	err = acpi_walk_table(&w, table, size, "DMAR", sizeof(*d));
	if (err)
		return err;
	out->host_width = d->host_width + 1u;
	out->intr_remap = d->flags & DMAR_INTR_REMAP;
	out->x2apic_opt_out = d->flags & DMAR_X2APIC_OPT_OUT;
	while ((err = acpi_walk_next16(&w)) > 0) {
		err = dmar_entry(&w, out);
		if (err)
			break;
	}
	if (err)
		memset(out, 0, sizeof(*out));
	return err;
}
