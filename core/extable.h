/* SPDX-License-Identifier: MIT */
/*
 * Instructions that may fault on purpose. Each one's entry names where to go on
 * instead when it raises #UD, #GP or #PF; all registers are then as they
 * were at the instruction. trap_handle() looks here before it panics.
 *
 *	bool ok = false;
 *	__asm__ volatile("1: wrmsr; movb $1, %0; 2:" EXTABLE(1b, 2b)
 *			 : "+qm"(ok) : "c"(msr), "a"(lo), "d"(hi) : "memory");
 */
#ifndef CORE_EXTABLE_H
#define CORE_EXTABLE_H

#include "core/types.h"

struct extable {
	uint64_t fault, fixup;		/* addresses in the kernel's text */
};

/* In an asm statement: local labels of the instruction and of its way out. */
#define EXTABLE(fault, fixup)						\
	"\n\t.pushsection .extable, \"a\"\n\t.balign 8\n\t"		\
	".quad " #fault ", " #fixup "\n\t.popsection\n\t"

/* Where to go on when the instruction at rip has faulted; 0: no entry. */
uintptr_t extable_find(const struct extable *table, size_t n, uintptr_t rip);

#endif
