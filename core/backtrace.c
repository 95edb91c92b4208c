/* SPDX-License-Identifier: MIT */
/*
 * A function's frame is the caller's RBP and the return address. What
 * boot/trap_entry.S pushes looks the same up to there, but holds the vector in
 * its place: an interrupt's (less 128) with the interrupted RIP above it, an
 * exception's with the error code in between. RSP is three words above RIP.
 */
#include "core/backtrace.h"

#define BACKTRACE_STEP	(16 * 1024)	/* no function's frame is larger */
#define BACKTRACE_CODE	4096		/* bytes that are searched for MOV */
#define BACKTRACE_WORDS	7		/* of an exception, up to RSP */

/* Vol. 2: how the compiler's prologue, RET and CALL are encoded. */
#define CODE_MOV_RSP_RBP	0xe58948	/* 3 bytes */
#define CODE_RET		0xc3
#define CODE_CALL		0xe8		/* and 4 bytes of distance */
#define CODE_GROUP5		0xff		/* and ModRM, whose reg is 2 */

void backtrace_start(struct backtrace *b, const struct backtrace_ops *ops,
		     uintptr_t rbp)
{
	*b = (struct backtrace){ ops, rbp, 0, BACKTRACE_MAX };
}

/* ---- who called a function that has no frame ---- */

static uint64_t backtrace_code(const struct backtrace_ops *ops, uintptr_t at)
{
	uint64_t code;

	return ops->read(at, &code) ? code : 0;
}

static bool backtrace_calls(const struct backtrace_ops *ops, uintptr_t ret,
			    uintptr_t to)
{
	return (uint8_t)backtrace_code(ops, ret - 5) == CODE_CALL &&
	       ret + (int32_t)backtrace_code(ops, ret - 4) == to;
}

/* CALL through a register or memory, with the lengths that it can have. */
static bool backtrace_calls_any(const struct backtrace_ops *ops, uintptr_t ret)
{
	for (unsigned len = 2; len <= 7; len++) {
		uint64_t code = backtrace_code(ops, ret - len);

		if ((uint8_t)code == CODE_GROUP5 && (code >> 11 & 7) == 2)
			return true;
	}
	return false;
}

/* Has the function at start come past its MOV %RSP, %RBP? By address alone. */
static bool backtrace_framed(const struct backtrace_ops *ops, uintptr_t start,
			     uintptr_t rip)
{
	uintptr_t end = MIN(rip, start + BACKTRACE_CODE);

	for (uintptr_t at = start; at + 3 <= end; at++)
		if ((backtrace_code(ops, at) & 0xffffff) == CODE_MOV_RSP_RBP)
			return true;
	return false;
}

/*
 * 0: RBP says it, or nothing does. RSP's word is the return address, or the
 * pushed RBP is and the return address follows. A word counts only when the
 * instruction before the place it names is a call: of this function, or one
 * whose target the code does not tell. The latter also lie around in frames, so
 * they count only where there can be no frame.
 */
static uintptr_t backtrace_caller(const struct backtrace_ops *ops,
				  uintptr_t rip, uintptr_t rsp, uintptr_t rbp)
{
	bool known = ops->in_text(rip);
	uintptr_t start = known ? ops->function(rip) : rip;
	bool frameless = !known || !backtrace_framed(ops, start, rip) ||
			 (uint8_t)backtrace_code(ops, rip) == CODE_RET;
	uint64_t word;

	if (!ops->read(rsp, &word))
		return 0;
	if (word == rbp && frameless && !ops->read(rsp + 8, &word))
		return 0;
	if (!ops->in_text(word))
		return 0;
	if (backtrace_calls(ops, word, start) ||
	    (frameless && backtrace_calls_any(ops, word)))
		return word;
	return 0;
}

void backtrace_start_trap(struct backtrace *b, const struct backtrace_ops *ops,
			  uintptr_t rip, uintptr_t rsp, uintptr_t rbp)
{
	backtrace_start(b, ops, rbp);
	b->caller = backtrace_caller(ops, rip, rsp, rbp);
}

/* ---- frames ---- */

/*
 * word[0] is the caller's RBP; what follows says what kind of frame it is.
 * Returns where its RIP is, or 0.
 */
static unsigned backtrace_decode(const struct backtrace_ops *ops,
				 const uint64_t *word,
				 struct backtrace_frame *f)
{
	if (ops->in_text(word[1])) {
		*f = (struct backtrace_frame){ word[1], BACKTRACE_CALL, 0 };
		return 1;
	}
	if (ops->in_text(word[2])) {
		*f = (struct backtrace_frame){ word[2], BACKTRACE_INTERRUPT,
					       (uint8_t)(word[1] + 128) };
		return 2;
	}
	if (!ops->in_text(word[3]) || word[1] >= 32)
		return 0;
	*f = (struct backtrace_frame){ word[3], BACKTRACE_EXCEPTION,
				       (unsigned)word[1] };
	return 3;
}

bool backtrace_next(struct backtrace *b, struct backtrace_frame *f)
{
	uint64_t word[BACKTRACE_WORDS] = { 0 };
	unsigned at;

	if (b->caller) {
		*f = (struct backtrace_frame){ b->caller, BACKTRACE_CALL, 0 };
		b->caller = 0;
		return true;
	}
	if (!b->rbp || (b->rbp & 7) || !b->left)
		return false;
	b->left--;
	for (unsigned i = 0; i < ARRAY_SIZE(word); i++)
		if (!b->ops->read(b->rbp + 8 * i, &word[i]) && i < 2)
			return false;
	at = backtrace_decode(b->ops, word, f);
	if (!at)
		return false;
	/* Calls stay within one stack; a trap may have changed it. */
	if (f->kind != BACKTRACE_CALL)
		b->caller = backtrace_caller(b->ops, f->rip, word[at + 3],
					     word[0]);
	else if (word[0] <= b->rbp || word[0] - b->rbp > BACKTRACE_STEP)
		word[0] = 0;
	b->rbp = word[0];
	return true;
}
