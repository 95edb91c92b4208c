/* SPDX-License-Identifier: MIT */
/*
 * A page that ring 3 might touch. Lodger has none; for the tests and crashes
 * that show what the CPU then does with ring 0 (SMEP, SMAP).
 */
#ifndef TESTS_GUEST_USER_PAGE_H
#define TESTS_GUEST_USER_PAGE_H

#include "core/types.h"

#define USER_PAGE_RET	0xc3		/* the instruction RET: its first byte */

/*
 * Map a new page that begins with RET, flags as for vm_map(), with U/S set in
 * the entries of all levels. This CPU only, one at a time. NULL: no memory.
 */
void *user_page_map(unsigned flags);
/* Undo it: U/S is clear everywhere again, and the page is freed. */
void user_page_unmap(void *va);

#endif
