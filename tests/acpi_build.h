/* SPDX-License-Identifier: MIT */
/*
 * Building ACPI tables byte by byte, intact or broken on purpose. A table is
 * handed to a parser in a block of exactly its size, so that the address
 * sanitizer sees each byte that is read beyond it.
 */
#ifndef TESTS_ACPI_BUILD_H
#define TESTS_ACPI_BUILD_H

#include <stdlib.h>
#include <string.h>

#include "core/acpi.h"

struct tab {
	uint8_t b[72 * 1024];
	size_t n;
};

static inline void tab_u8(struct tab *t, uint8_t v)
{
	t->b[t->n++] = v;
}

static inline void tab_le(struct tab *t, uint64_t v, unsigned bytes)
{
	while (bytes--) {
		tab_u8(t, (uint8_t)v);
		v >>= 8;
	}
}

static inline void tab_zero(struct tab *t, unsigned bytes)
{
	tab_le(t, 0, bytes);
}

/* Make length and checksum right. */
static inline void tab_seal(struct tab *t)
{
	uint8_t sum = 0;

	for (unsigned i = 0; i < 4; i++)
		t->b[4 + i] = (uint8_t)(t->n >> 8 * i);
	t->b[9] = 0;
	for (size_t i = 0; i < t->n; i++)
		sum = (uint8_t)(sum + t->b[i]);
	t->b[9] = (uint8_t)-sum;
}

static inline void tab_start(struct tab *t, const char *sig, uint8_t revision)
{
	memset(t, 0, sizeof(*t));
	memcpy(t->b, sig, 4);
	t->b[8] = revision;
	memcpy(t->b + 10, "LODGERTEST    ", 14);
	t->n = sizeof(struct acpi_header);
}

static inline void tab_copy(struct tab *t, const void *p, size_t n)
{
	memset(t, 0, sizeof(*t));
	memcpy(t->b, p, n);
	t->n = n;
}

/* acpi_parse_KIND() of the table as it stands. */
#define TAB_PARSE(kind, t, out)						\
({									\
	uint8_t *tab_p_ = malloc((t)->n);				\
	int tab_err_;							\
									\
	memcpy(tab_p_, (t)->b, (t)->n);					\
	memset((out), 0xa5, sizeof(*(out)));				\
	tab_err_ = acpi_parse_##kind(tab_p_, (t)->n, (out));		\
	free(tab_p_);							\
	tab_err_;							\
})

#endif
