/* SPDX-License-Identifier: MIT */
/*
 * debug=poison on the command line: what is freed is filled with a pattern, and
 * when it is handed out again the pattern must still be there. Who wrote to
 * memory that was no longer his, and freed it where, then stands in a panic.
 * It costs a store and a load for every 8 bytes, so it is off unless asked for;
 * memory that was freed before it was on is not watched.
 */
#ifndef CORE_POISON_H
#define CORE_POISON_H

#include "core/types.h"

extern bool poison_on;			/* set once at start */
void poison_init(void);			/* from the command line */

/* size is a multiple of 8, p aligned to 8. */
void poison_fill(void *p, size_t size);
/* Panics, naming who (a subsystem), the address, and where it was freed. */
void poison_check(const char *who, const void *p, size_t size,
		  uintptr_t freed_by);

#endif
