/* SPDX-License-Identifier: MIT */
/*
 * A walk along frame pointers, through interrupts and exceptions, from one
 * stack to the next. Pure: it reads memory only through read(), believes
 * nothing it finds there, and ends after BACKTRACE_MAX frames whatever comes.
 *
 *	struct backtrace b;
 *	struct backtrace_frame f;
 *
 *	backtrace_start(&b, rbp, read, in_text);
 *	while (backtrace_next(&b, &f))
 *		…
 */
#ifndef CORE_BACKTRACE_H
#define CORE_BACKTRACE_H

#include "core/types.h"

#define BACKTRACE_MAX	4096		/* a full stack of the smallest frames */

enum backtrace_kind { BACKTRACE_CALL, BACKTRACE_INTERRUPT, BACKTRACE_EXCEPTION };

struct backtrace_frame {
	uintptr_t rip;			/* a return address, or interrupted there */
	enum backtrace_kind kind;
	unsigned vector;		/* unless it is a call */
};

struct backtrace {
	uintptr_t rbp;			/* 0: the end */
	unsigned left;
	/* false when addr cannot be read: */
	bool (*read)(uintptr_t addr, uint64_t *val);
	bool (*in_text)(uintptr_t addr);
};

void backtrace_start(struct backtrace *b, uintptr_t rbp,
		     bool (*read)(uintptr_t addr, uint64_t *val),
		     bool (*in_text)(uintptr_t addr));
/* The next frame upwards; false at the end, or where the chain breaks. */
bool backtrace_next(struct backtrace *b, struct backtrace_frame *f);

#endif
