/* SPDX-License-Identifier: MIT */
/*
 * HMAT: latency and bandwidth between domains that have CPUs and domains that
 * have memory (5.2.27.4), and which of the former a memory hangs on (5.2.27.3).
 * Matrices of memory-side caches, and the caches themselves (5.2.27.5), are
 * skipped.
 */
#include "core/acpireg.h"

#include "core/errno.h"
#include "core/string.h"

static int hmat_attached(const struct acpi_walk *w, struct acpi_hmat *out)
{
	const struct hmat_attached *a = acpi_walk_as(w, struct hmat_attached);

	if (!a)
		return -EBADMSG;
	if (!(a->flags & HMAT_INITIATOR_VALID))
		return 0;
	if (out->nattached == ARRAY_SIZE(out->attached)) {
		out->left_out++;
		return 0;
	}
	out->attached[out->nattached].memory = a->memory;
	out->attached[out->nattached++].initiator = a->initiator;
	return 0;
}

/* The index of the pair, made when it is new; out->n when there is no room. */
static unsigned hmat_pair(struct acpi_hmat *out, uint32_t from, uint32_t to)
{
	unsigned i = 0;

	while (i < out->n &&
	       (out->pair[i].from != from || out->pair[i].to != to))
		i++;
	if (i == out->n && i < ARRAY_SIZE(out->pair)) {
		out->pair[i].from = from;
		out->pair[i].to = to;
		out->n++;
	}
	return i;
}

static int hmat_entry(struct acpi_hmat *out, const struct hmat_locality *l,
		      uint32_t from, uint32_t to, uint16_t entry)
{
	uint64_t val, *slot;
	unsigned i;

	if (!entry || entry == HMAT_UNREACHABLE)
		return 0;
	if (__builtin_mul_overflow(l->unit, (uint64_t)entry, &val))
		return -EBADMSG;
	i = hmat_pair(out, from, to);
	if (i == ARRAY_SIZE(out->pair)) {
		out->left_out++;
		return 0;
	}
	if (l->data_type <= HMAT_LATENCY_LAST) {
		slot = &out->pair[i].latency;
		*slot = MAX(*slot, val);
	} else {
		slot = &out->pair[i].bandwidth;
		*slot = *slot ? MIN(*slot, val) : val;
	}
	return 0;
}

static int hmat_matrix(struct acpi_hmat *out, const struct hmat_locality *l)
{
	const uint8_t *from = (const uint8_t *)(l + 1);
	const uint8_t *to = from + 4 * (size_t)l->ninitiators;
	const uint8_t *m = to + 4 * (size_t)l->ntargets;
	uint32_t f, t;
	uint16_t entry;
	int err;

	for (uint32_t i = 0; i < l->ninitiators; i++) {
		memcpy(&f, from + 4 * (size_t)i, sizeof(f));
		for (uint32_t k = 0; k < l->ntargets; k++, m += sizeof(entry)) {
			memcpy(&t, to + 4 * (size_t)k, sizeof(t));
			memcpy(&entry, m, sizeof(entry));
			err = hmat_entry(out, l, f, t, entry);
			if (err)
				return err;
		}
	}
	return 0;
}

static int hmat_locality(const struct acpi_walk *w, struct acpi_hmat *out)
{
	const struct hmat_locality *l = acpi_walk_as(w, struct hmat_locality);
	uint64_t room = w->len / sizeof(le16), need;

	/* What no table can hold is refused before it is multiplied. */
	if (!l || l->ninitiators > room || l->ntargets > room)
		return -EBADMSG;
	need = sizeof(*l) + 4 * ((uint64_t)l->ninitiators + l->ntargets) +
	       2 * (uint64_t)l->ninitiators * l->ntargets;
	if (need > w->len)
		return -EBADMSG;
	if (FIELD_GET(HMAT_HIERARCHY, l->flags) ||
	    l->data_type > HMAT_BANDWIDTH_LAST)
		return 0;
	return hmat_matrix(out, l);
}

static int hmat_sub(const struct acpi_walk *w, struct acpi_hmat *out)
{
	const struct hmat_sub *s = acpi_walk_as(w, struct hmat_sub);

	switch (s->type) {
	case HMAT_ATTACHED:
		return hmat_attached(w, out);
	case HMAT_LOCALITY:
		return hmat_locality(w, out);
	default:
		return 0;
	}
}

int acpi_parse_hmat(const void *table, size_t size, struct acpi_hmat *out)
{
	const struct hmat *h = table;
	struct acpi_walk w;
	int err;

	memset(out, 0, sizeof(*out));
	err = acpi_walk_table(&w, table, size, "HMAT", sizeof(*h));
	if (err)
		return err;
	if (h->header.revision < HMAT_REVISION_UNITS)
		return -ENOTSUP;
	while ((err = acpi_walk_next32(&w)) > 0) {
		err = hmat_sub(&w, out);
		if (err)
			break;
	}
	if (err)
		memset(out, 0, sizeof(*out));
	return err;
}
