/* SPDX-License-Identifier: MIT */
/* The calendar (proleptic Gregorian, UTC, no leap seconds). Pure. */
#ifndef CORE_DATE_H
#define CORE_DATE_H

#include "core/types.h"

struct date {
	unsigned year, month, day, hour, minute, second;
};

#define DATE_ISO	32		/* "2026-11-26T17:03:12.000000000Z" */

bool date_valid(const struct date *d);
/* Seconds since 1970; d is valid and not before that. */
uint64_t date_to_unix(const struct date *d);
void date_from_unix(uint64_t seconds, struct date *d);
void date_iso(nsec_t unix_ns, char buf[DATE_ISO]);

#endif
