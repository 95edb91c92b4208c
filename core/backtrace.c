/* SPDX-License-Identifier: MIT */
/*
 * A function's frame is the caller's RBP and the return address. What
 * boot/trap_entry.S pushes looks the same up to there, but holds the vector in
 * its place: an interrupt's (less 128) with the interrupted RIP above it, an
 * exception's with the error code in between.
 */
#include "core/backtrace.h"

#define BACKTRACE_STEP	(16 * 1024)	/* no function's frame is larger */

void backtrace_start(struct backtrace *b, uintptr_t rbp,
		     bool (*read)(uintptr_t addr, uint64_t *val),
		     bool (*in_text)(uintptr_t addr))
{
	*b = (struct backtrace){ rbp, BACKTRACE_MAX, read, in_text };
}

/* word[0] is the caller's RBP; what follows says what kind of frame it is. */
static bool backtrace_decode(const struct backtrace *b, const uint64_t *word,
			     struct backtrace_frame *f)
{
	if (b->in_text(word[1]))
		*f = (struct backtrace_frame){ word[1], BACKTRACE_CALL, 0 };
	else if (b->in_text(word[2]))
		*f = (struct backtrace_frame){ word[2], BACKTRACE_INTERRUPT,
					       (uint8_t)(word[1] + 128) };
	else if (b->in_text(word[3]) && word[1] < 32)
		*f = (struct backtrace_frame){ word[3], BACKTRACE_EXCEPTION,
					       (unsigned)word[1] };
	else
		return false;
	return true;
}

bool backtrace_next(struct backtrace *b, struct backtrace_frame *f)
{
	uint64_t word[4] = { 0 };

	if (!b->rbp || (b->rbp & 7) || !b->left)
		return false;
	b->left--;
	for (unsigned i = 0; i < ARRAY_SIZE(word); i++)
		if (!b->read(b->rbp + 8 * i, &word[i]) && i < 2)
			return false;
	if (!backtrace_decode(b, word, f))
		return false;
	/* Calls stay within one stack; a trap may have changed it. */
	if (f->kind == BACKTRACE_CALL &&
	    (word[0] <= b->rbp || word[0] - b->rbp > BACKTRACE_STEP))
		word[0] = 0;
	b->rbp = word[0];
	return true;
}
