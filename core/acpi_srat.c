/* SPDX-License-Identifier: MIT */
/*
 * NUMA: which node each CPU and each range of memory belongs to (SRAT), and
 * how far the nodes are from one another (SLIT). A CPU that is named twice
 * keeps its first node; the second entry counts as left out.
 */
#include "core/acpireg.h"

#include "core/errno.h"
#include "core/string.h"

static void srat_add_cpu(struct acpi_srat *out, uint32_t id, uint32_t node)
{
	bool full = out->ncpus == ACPI_CPUS;

	/* Firmware lists them in ascending order: look at all only if not. */
	if (!full && out->ncpus && id <= out->cpu[out->ncpus - 1].apic_id)
		for (unsigned i = 0; i < out->ncpus && !full; i++)
			full = out->cpu[i].apic_id == id;
	if (full) {
		out->left_out++;
		return;
	}
	out->cpu[out->ncpus].apic_id = id;
	out->cpu[out->ncpus++].node = node;
}

static int srat_cpu(const struct acpi_walk *w, uint8_t revision,
		    struct acpi_srat *out)
{
	const struct srat_cpu *s = acpi_walk_as(w, struct srat_cpu);
	uint32_t node;

	if (!s)
		return -EBADMSG;
	node = s->node_lo;
	if (revision >= SRAT_REVISION_WIDE)
		node |= (uint32_t)s->node_hi[0] << 8 |
			(uint32_t)s->node_hi[1] << 16 |
			(uint32_t)s->node_hi[2] << 24;
	if (s->flags & SRAT_ENABLED)
		srat_add_cpu(out, s->apic_id, node);
	return 0;
}

static int srat_x2apic(const struct acpi_walk *w, struct acpi_srat *out)
{
	const struct srat_x2apic *s = acpi_walk_as(w, struct srat_x2apic);

	if (!s)
		return -EBADMSG;
	if (s->flags & SRAT_ENABLED)
		srat_add_cpu(out, s->apic_id, s->node);
	return 0;
}

static int srat_mem(const struct acpi_walk *w, uint8_t revision,
		    struct acpi_srat *out)
{
	const struct srat_mem *s = acpi_walk_as(w, struct srat_mem);

	if (!s)
		return -EBADMSG;
	if (!(s->flags & SRAT_ENABLED) || !s->size)
		return 0;
	if (s->base + s->size < s->base)
		return -EBADMSG;
	if (out->nmems == ACPI_SRAT_MEMS) {
		out->left_out++;
		return 0;
	}
	out->mem[out->nmems].base = s->base;
	out->mem[out->nmems].size = s->size;
	out->mem[out->nmems].node = revision >= SRAT_REVISION_WIDE ?
				    s->node : s->node & 0xff;
	out->mem[out->nmems++].hotplug = s->flags & SRAT_MEM_HOTPLUG;
	return 0;
}

static int srat_entry(const struct acpi_walk *w, uint8_t revision,
		      struct acpi_srat *out)
{
	switch (w->sub[0]) {
	case SRAT_CPU:
		return srat_cpu(w, revision, out);
	case SRAT_X2APIC:
		return srat_x2apic(w, out);
	case SRAT_MEM:
		return srat_mem(w, revision, out);
	default:
		return 0;
	}
}

int acpi_parse_srat(const void *table, size_t size, struct acpi_srat *out)
{
	const struct srat *s = table;
	struct acpi_walk w;
	int err;

	memset(out, 0, sizeof(*out));
	err = acpi_walk_table(&w, table, size, "SRAT", sizeof(*s));
	if (err)
		return err;
	while ((err = acpi_walk_next8(&w)) > 0) {
		err = srat_entry(&w, s->header.revision, out);
		if (err)
			break;
	}
	if (err)
		memset(out, 0, sizeof(*out));
	return err;
}

/* Below 10 is reserved; a node is 10 from itself (5.2.17). */
static bool slit_possible(const uint8_t *d, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < n; k++)
			if (d[i * n + k] < ACPI_DISTANCE_SELF ||
			    (i == k && d[i * n + k] != ACPI_DISTANCE_SELF))
				return false;
	return true;
}

int acpi_parse_slit(const void *table, size_t size, struct acpi_slit *out)
{
	const struct slit *s = table;
	struct acpi_walk w;
	int err;

	memset(out, 0, sizeof(*out));
	err = acpi_walk_table(&w, table, size, "SLIT", sizeof(*s));
	if (err)
		return err;
	if (s->n > ACPI_NODES)
		return -E2BIG;
	if ((size_t)(w.end - w.next) < s->n * s->n ||
	    !slit_possible(w.next, (unsigned)s->n))
		return -EBADMSG;
	out->n = (unsigned)s->n;
	for (unsigned i = 0; i < out->n; i++)
		memcpy(out->distance[i], w.next + i * out->n, out->n);
	return 0;
}
