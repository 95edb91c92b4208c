/* SPDX-License-Identifier: MIT */
/* The HPET description table: where the timer's registers are. */
#include "core/acpireg.h"

#include "core/errno.h"
#include "core/string.h"

int acpi_parse_hpet(const void *table, size_t size, struct acpi_hpet *out)
{
	const struct hpet_table *h = table;
	struct acpi_walk w;
	int err;

	memset(out, 0, sizeof(*out));
	err = acpi_walk_table(&w, table, size, "HPET", sizeof(*h));
	if (err)
		return err;
	if (h->base.space != ACPI_SPACE_MEMORY || !h->base.addr)
		return -EBADMSG;
	out->base = h->base.addr;
	out->number = h->number;
	out->min_tick = h->min_tick;
	return 0;
}
