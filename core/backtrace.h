/* SPDX-License-Identifier: MIT */
/*
 * A walk along frame pointers, through interrupts and exceptions, from one
 * stack to the next. Pure: it reads memory only through its ops, believes
 * nothing it finds there, and ends after BACKTRACE_MAX frames whatever comes.
 *
 *	struct backtrace b;
 *	struct backtrace_frame f;
 *
 *	backtrace_start(&b, &ops, rbp);
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

struct backtrace_ops {
	/* false when addr cannot be read: */
	bool (*read)(uintptr_t addr, uint64_t *val);
	bool (*in_text)(uintptr_t addr);
	/* Where the function around rip, an address in the text, begins. */
	uintptr_t (*function)(uintptr_t rip);
};

struct backtrace {
	const struct backtrace_ops *ops;
	uintptr_t rbp;			/* 0: the end */
	uintptr_t caller;		/* comes next: RBP does not know it */
	unsigned left;
};

void backtrace_start(struct backtrace *b, const struct backtrace_ops *ops,
		     uintptr_t rbp);
/*
 * The same for what a trap interrupted, whose RIP the caller knows. Nearly any
 * instruction may be struck, those before a function has made its frame and
 * those after it has given it up included: then RBP is its caller's, and who
 * called is what RSP points to. The walk begins with that, as it does behind
 * each trap further up.
 */
void backtrace_start_trap(struct backtrace *b, const struct backtrace_ops *ops,
			  uintptr_t rip, uintptr_t rsp, uintptr_t rbp);
/* The next frame upwards; false at the end, or where the chain breaks. */
bool backtrace_next(struct backtrace *b, struct backtrace_frame *f);

#endif
