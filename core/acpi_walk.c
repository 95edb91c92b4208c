/* SPDX-License-Identifier: MIT */
/*
 * What all table parsers share: whether a table is intact, and steps from
 * sub-table to sub-table that always go forward and never leave the table.
 */
#include "core/acpireg.h"

#include "core/errno.h"
#include "core/string.h"

#define SUM_LOW		UINT64_C(0x00ff00ff00ff00ff)
#define SUM_LANE_MAX	128		/* words: then a lane may be full */

/*
 * The sum of all bytes, modulo 256, eight at a time in four 16-bit lanes: where
 * each guest instruction is emulated, the simple loop takes five times as long.
 */
static uint8_t acpi_sum(const uint8_t *p, size_t n)
{
	uint64_t lanes = 0, word;
	uint32_t sum = 0;

	for (unsigned i = 0; n >= 8; n -= 8, p += 8) {
		__builtin_memcpy(&word, p, sizeof(word));
		lanes += (word & SUM_LOW) + (word >> 8 & SUM_LOW);
		if (++i % SUM_LANE_MAX == 0) {
			sum += (uint16_t)lanes + (lanes >> 16 & 0xffff) +
			       (lanes >> 32 & 0xffff) + (lanes >> 48);
			lanes = 0;
		}
	}
	sum += (uint16_t)lanes + (lanes >> 16 & 0xffff) +
	       (lanes >> 32 & 0xffff) + (lanes >> 48);
	while (n--)
		sum += *p++;
	return (uint8_t)sum;
}

int acpi_check_sum(const void *p, size_t n)
{
	return acpi_sum(p, n) ? -EBADMSG : 0;
}

int acpi_check(const void *table, size_t size)
{
	struct acpi_header h;

	if (size < sizeof(h))
		return -EBADMSG;
	memcpy(&h, table, sizeof(h));
	if (h.length < sizeof(h) || h.length > size)
		return -EBADMSG;
	return acpi_check_sum(table, h.length);
}

int acpi_walk_table(struct acpi_walk *w, const void *table, size_t size,
		    const char *signature, size_t min)
{
	const struct acpi_header *h = table;

	if (acpi_check(table, size) || h->length < min ||
	    memcmp(h->signature, signature, sizeof(h->signature)))
		return -EBADMSG;
	w->next = (const uint8_t *)table + min;
	w->end = (const uint8_t *)table + h->length;
	return 0;
}

int acpi_walk_step(struct acpi_walk *w, size_t len, size_t min)
{
	if (len < min || len > (size_t)(w->end - w->next))
		return -EBADMSG;
	w->sub = w->next;
	w->len = len;
	w->next += len;
	return 1;
}

int acpi_walk_next8(struct acpi_walk *w)
{
	size_t left = (size_t)(w->end - w->next);

	if (!left)
		return 0;
	if (left < 2)
		return -EBADMSG;
	return acpi_walk_step(w, w->next[1], 2);
}

int acpi_walk_next16(struct acpi_walk *w)
{
	size_t left = (size_t)(w->end - w->next);

	if (!left)
		return 0;
	if (left < 4)
		return -EBADMSG;
	return acpi_walk_step(w, w->next[2] | (size_t)w->next[3] << 8, 4);
}

int acpi_walk_next32(struct acpi_walk *w)
{
	size_t left = (size_t)(w->end - w->next);
	uint32_t len;

	if (!left)
		return 0;
	if (left < 8)
		return -EBADMSG;
	memcpy(&len, w->next + 4, sizeof(len));
	return acpi_walk_step(w, len, 8);
}
