/* SPDX-License-Identifier: MIT */
/*
 * The Multiple APIC Description Table: CPUs, IOAPICs and where the ISA
 * interrupts went. A CPU that is disabled, named twice or has a broadcast id is
 * left out, and counted; a sub-table of unknown type is skipped.
 */
#include "core/acpireg.h"

#include "core/bits.h"
#include "core/errno.h"
#include "core/string.h"

/* Has a CPU with that id been seen? Small ids have a bit each. */
static bool madt_seen(const struct acpi_madt *out, uint32_t *seen, uint32_t id)
{
	uint32_t bit = BIT(id % 32);

	if (id < 256) {
		if (seen[id / 32] & bit)
			return true;
		seen[id / 32] |= bit;
		return false;
	}
	for (unsigned i = 0; i < out->ncpus; i++)
		if (out->apic_id[i] == id)
			return true;
	return false;
}

/* Ids above 255 have half of the room, so that there is one for each other. */
static bool madt_full(const struct acpi_madt *out, uint32_t id)
{
	return id > 255 && out->nfar == ACPI_CPUS - 256;
}

static void madt_no_room(struct acpi_madt *out, uint32_t id)
{
	bool first = !out->left_out.no_room++;

	if (first || id < out->no_room_first)
		out->no_room_first = id;
	if (first || id > out->no_room_last)
		out->no_room_last = id;
}

static void madt_add_cpu(struct acpi_madt *out, uint32_t *seen, uint32_t id,
			 uint32_t uid, uint32_t flags)
{
	if (!(flags & MADT_CPU_ENABLED)) {
		if (flags & MADT_CPU_CAPABLE)
			out->left_out.online_capable++;
		else
			out->left_out.disabled++;
	} else if (madt_seen(out, seen, id)) {
		out->left_out.named_twice++;
	} else if (madt_full(out, id)) {
		madt_no_room(out, id);
	} else {
		out->apic_id[out->ncpus] = id;
		out->uid[out->ncpus++] = uid;
		out->nfar += id > 255;
	}
}

static int madt_lapic(const struct acpi_walk *w, struct acpi_madt *out,
		      uint32_t *seen)
{
	const struct madt_lapic *m = acpi_walk_as(w, struct madt_lapic);

	if (!m)
		return -EBADMSG;
	if (m->apic_id == MADT_APIC_ID_ALL)
		out->left_out.broadcast++;
	else
		madt_add_cpu(out, seen, m->apic_id, m->uid, m->flags);
	return 0;
}

static int madt_x2apic(const struct acpi_walk *w, struct acpi_madt *out,
		       uint32_t *seen)
{
	const struct madt_x2apic *m = acpi_walk_as(w, struct madt_x2apic);

	if (!m)
		return -EBADMSG;
	if (m->apic_id == MADT_X2APIC_ID_ALL)
		out->left_out.broadcast++;
	else
		madt_add_cpu(out, seen, m->apic_id, m->uid, m->flags);
	return 0;
}

static int madt_ioapic(const struct acpi_walk *w, struct acpi_madt *out)
{
	const struct madt_ioapic *m = acpi_walk_as(w, struct madt_ioapic);

	if (!m)
		return -EBADMSG;
	if (out->nioapics == ACPI_IOAPICS) {
		out->nleft_out++;
		return 0;
	}
	out->ioapic[out->nioapics].id = m->id;
	out->ioapic[out->nioapics].addr = m->addr;
	out->ioapic[out->nioapics++].gsi_base = m->gsi_base;
	return 0;
}

static int madt_override(const struct acpi_walk *w, struct acpi_madt *out)
{
	const struct madt_override *m = acpi_walk_as(w, struct madt_override);

	if (!m)
		return -EBADMSG;
	if (out->noverrides == ACPI_OVERRIDES) {
		out->nleft_out++;
		return 0;
	}
	out->override[out->noverrides].irq = m->irq;
	out->override[out->noverrides].gsi = m->gsi;
	out->override[out->noverrides++].flags = m->flags;
	return 0;
}

static int madt_lapic_base(const struct acpi_walk *w, struct acpi_madt *out)
{
	const struct madt_lapic_base *m =
		acpi_walk_as(w, struct madt_lapic_base);

	if (!m)
		return -EBADMSG;
	out->lapic_base = m->base;
	return 0;
}

static int madt_entry(const struct acpi_walk *w, struct acpi_madt *out,
		      uint32_t *seen)
{
	switch (w->sub[0]) {
	case MADT_LAPIC:
		return madt_lapic(w, out, seen);
	case MADT_X2APIC:
		return madt_x2apic(w, out, seen);
	case MADT_IOAPIC:
		return madt_ioapic(w, out);
	case MADT_OVERRIDE:
		return madt_override(w, out);
	case MADT_LAPIC_BASE:
		return madt_lapic_base(w, out);
	default:
		return 0;
	}
}

int acpi_parse_madt(const void *table, size_t size, struct acpi_madt *out)
{
	const struct madt *m = table;
	uint32_t seen[256 / 32] = { 0 };
	struct acpi_walk w;
	int err;

	memset(out, 0, sizeof(*out));
	err = acpi_walk_table(&w, table, size, "APIC", sizeof(*m));
	if (err)
		return err;
	out->lapic_base = m->lapic_base;
	out->pcat_compat = m->flags & MADT_PCAT_COMPAT;
	while ((err = acpi_walk_next8(&w)) > 0) {
		err = madt_entry(&w, out, seen);
		if (err)
			break;
	}
	if (err)
		memset(out, 0, sizeof(*out));
	return err;
}
