/* SPDX-License-Identifier: MIT */
#include "core/backtrace.h"

#include <stdio.h>

#include "core/string.h"
#include "tests/host/suite.h"

#define TEXT	UINT64_C(0xffffffff80100000)
#define STACK	UINT64_C(0xffffc00000001000)
#define IST	UINT64_C(0xffffc00000009000)

#define CALLER	(TEXT + 0x100)		/* CALL LEAF, and what follows */
#define AFTER	(CALLER + 5)
#define LEAF	(TEXT + 0x800)		/* each function has 0x100 bytes */

/* Two stacks of 64 words, and text; all else cannot be read. */
static uint64_t words[2][64];
static uint8_t text[0x1000];
static struct backtrace b;
static struct backtrace_frame f;

static uint64_t *word(uintptr_t addr)
{
	if (addr - STACK < sizeof(words[0]))
		return &words[0][(addr - STACK) / 8];
	if (addr - IST < sizeof(words[1]))
		return &words[1][(addr - IST) / 8];
	return NULL;
}

static bool read_word(uintptr_t addr, uint64_t *val)
{
	uint64_t *w = word(addr);

	if (addr - TEXT <= sizeof(text) - 8)
		memcpy(val, text + (addr - TEXT), 8);
	else if (w)
		*val = *w;
	else
		return false;
	return true;
}

static bool in_text(uintptr_t addr)
{
	return addr - TEXT < 0x10000;
}

static uintptr_t function(uintptr_t rip)
{
	return rip & ~UINT64_C(0xff);
}

static const struct backtrace_ops ops = { read_word, in_text, function };

static void code(uintptr_t at, const char *hex)
{
	for (unsigned byte; sscanf(hex, "%2x", &byte) == 1; hex += 2)
		text[at++ - TEXT] = (uint8_t)byte;
}

/* What is not said to be code is NOP. */
static void setup(void)
{
	memset(words, 0, sizeof(words));
	memset(text, 0x90, sizeof(text));
	code(CALLER, "e8fb060000");
}

static void frame(uintptr_t at, uintptr_t up, uint64_t w1, uint64_t w2,
		  uint64_t w3)
{
	*word(at) = up;
	*word(at + 8) = w1;
	*word(at + 16) = w2;
	*word(at + 24) = w3;
}

static void start(uintptr_t rbp)
{
	backtrace_start(&b, &ops, rbp);
}

/* Struck at rip: the words at RSP, and RBP is the frame of LEAF's caller. */
static void struck(uintptr_t rip, uint64_t word0, uint64_t word1)
{
	*word(STACK) = word0;
	*word(STACK + 8) = word1;
	frame(STACK + 0x100, 0, TEXT + 3, 0, 0);
	backtrace_start_trap(&b, &ops, rip, STACK, STACK + 0x100);
}

static void expect(uintptr_t rip, enum backtrace_kind kind, unsigned vector)
{
	ck_assert(backtrace_next(&b, &f));
	ck_assert_uint_eq(f.rip, rip);
	ck_assert_uint_eq(f.kind, kind);
	ck_assert_uint_eq(f.vector, vector);
}

/* 0: none but what RBP says. */
static void expect_callers(uintptr_t caller)
{
	if (caller)
		expect(caller, BACKTRACE_CALL, 0);
	expect(TEXT + 3, BACKTRACE_CALL, 0);
	ck_assert(!backtrace_next(&b, &f));
}

START_TEST(calls_are_followed_up_to_the_first)
{
	frame(STACK, STACK + 0x20, TEXT + 1, 0, 0);
	frame(STACK + 0x20, STACK + 0x40, TEXT + 2, 0, 0);
	frame(STACK + 0x40, 0, TEXT + 3, 0, 0);
	start(STACK);
	expect(TEXT + 1, BACKTRACE_CALL, 0);
	expect(TEXT + 2, BACKTRACE_CALL, 0);
	expect(TEXT + 3, BACKTRACE_CALL, 0);
	ck_assert(!backtrace_next(&b, &f));
}
END_TEST

START_TEST(an_interrupt_is_crossed_and_named)
{
	frame(STACK, STACK + 0x40, (uint64_t)(0x31 - 128), TEXT + 7, 0x18);
	frame(STACK + 0x40, 0, TEXT + 3, 0, 0);
	start(STACK);
	expect(TEXT + 7, BACKTRACE_INTERRUPT, 0x31);
	expect(TEXT + 3, BACKTRACE_CALL, 0);
	ck_assert(!backtrace_next(&b, &f));
}
END_TEST

START_TEST(a_vector_above_128_is_named)
{
	frame(STACK, 0, 0xf0 - 128, TEXT + 7, 0x18);
	start(STACK);
	expect(TEXT + 7, BACKTRACE_INTERRUPT, 0xf0);
}
END_TEST

START_TEST(an_exception_leads_to_another_stack_in_either_direction)
{
	frame(IST, STACK + 0x40, 2, 0, TEXT + 7);
	frame(STACK + 0x40, IST + 0x80, 14, 2, TEXT + 8);
	frame(IST + 0x80, 0, TEXT + 3, 0, 0);
	start(IST);
	expect(TEXT + 7, BACKTRACE_EXCEPTION, 2);
	expect(TEXT + 8, BACKTRACE_EXCEPTION, 14);
	expect(TEXT + 3, BACKTRACE_CALL, 0);
	ck_assert(!backtrace_next(&b, &f));
}
END_TEST

START_TEST(a_call_does_not_lead_down_or_to_another_stack)
{
	frame(STACK + 0x40, STACK, TEXT + 1, 0, 0);
	start(STACK + 0x40);
	expect(TEXT + 1, BACKTRACE_CALL, 0);
	ck_assert(!backtrace_next(&b, &f));
	frame(STACK + 0x40, STACK + 0x10000, TEXT + 1, 0, 0);
	start(STACK + 0x40);
	expect(TEXT + 1, BACKTRACE_CALL, 0);
	ck_assert(!backtrace_next(&b, &f));
}
END_TEST

START_TEST(a_frame_that_points_at_itself_ends)
{
	frame(STACK, STACK, TEXT + 1, 0, 0);
	start(STACK);
	expect(TEXT + 1, BACKTRACE_CALL, 0);
	ck_assert(!backtrace_next(&b, &f));
}
END_TEST

START_TEST(a_circle_of_exceptions_ends)
{
	unsigned n = 0;

	frame(STACK, IST, 14, 0, TEXT + 1);
	frame(IST, STACK, 14, 0, TEXT + 2);
	start(STACK);
	while (backtrace_next(&b, &f))
		n++;
	ck_assert_uint_eq(n, BACKTRACE_MAX);
}
END_TEST

START_TEST(what_cannot_be_read_or_is_not_aligned_ends)
{
	start(0x1000);
	ck_assert(!backtrace_next(&b, &f));
	start(STACK + 4);
	ck_assert(!backtrace_next(&b, &f));
	start(0);
	ck_assert(!backtrace_next(&b, &f));
}
END_TEST

START_TEST(the_topmost_frame_needs_two_words_only)
{
	*word(STACK + sizeof(words[0]) - 8) = TEXT + 5;
	start(STACK + sizeof(words[0]) - 16);
	expect(TEXT + 5, BACKTRACE_CALL, 0);
}
END_TEST

START_TEST(words_that_lead_nowhere_into_the_text_end)
{
	frame(STACK, STACK + 0x40, 0x1234, 0x5678, 0x9abc);
	start(STACK);
	ck_assert(!backtrace_next(&b, &f));
	frame(STACK, STACK + 0x40, 77, 0, TEXT + 1);	/* no such exception */
	start(STACK);
	ck_assert(!backtrace_next(&b, &f));
}
END_TEST

/* ---- struck where RBP is not the struck function's ---- */

#define PROLOGUE	"5531c04889e5"	/* PUSH RBP, XOR, MOV RSP to RBP */

START_TEST(before_the_frame_is_made_rsp_says_who_called)
{
	code(LEAF, PROLOGUE);
	struck(LEAF, AFTER, 0);
	expect_callers(AFTER);
	struck(LEAF + 1, STACK + 0x100, AFTER);		/* pushed */
	expect_callers(AFTER);
	struck(LEAF + 3, STACK + 0x100, AFTER);		/* not moved yet */
	expect_callers(AFTER);
}
END_TEST

START_TEST(once_the_frame_is_made_rbp_alone_says_it)
{
	code(LEAF, PROLOGUE);
	struck(LEAF + 6, STACK + 0x100, AFTER);
	expect_callers(0);
	struck(LEAF + 0x20, 0, 0);
	expect_callers(0);
}
END_TEST

START_TEST(a_frame_that_is_made_late_is_seen)
{
	code(LEAF, "85ff31c9" PROLOGUE);
	struck(LEAF + 4, AFTER, 0);
	expect_callers(AFTER);
	struck(LEAF + 5, STACK + 0x100, AFTER);
	expect_callers(AFTER);
	struck(LEAF + 10, STACK + 0x100, AFTER);
	expect_callers(0);
}
END_TEST

START_TEST(at_ret_the_frame_is_gone)
{
	code(TEXT + 0x200, "ffd0");
	code(LEAF, PROLOGUE "5dc3");
	struck(LEAF + 7, TEXT + 0x202, 0);
	expect_callers(TEXT + 0x202);
}
END_TEST

/* The way that makes no frame may lie behind the one that does. */
START_TEST(a_call_of_that_very_function_is_believed_anywhere)
{
	code(LEAF, PROLOGUE);
	struck(LEAF + 0x40, AFTER, 0);
	expect_callers(AFTER);
}
END_TEST

START_TEST(a_word_that_no_call_precedes_is_a_stray_one)
{
	struck(LEAF, TEXT + 0x210, 0);
	expect_callers(0);
	struck(LEAF, STACK + 0x100, TEXT + 0x210);
	expect_callers(0);
}
END_TEST

START_TEST(a_call_of_another_function_is_a_stray_word)
{
	code(TEXT + 0x200, "e8fbfd0000");
	struck(LEAF, TEXT + 0x205, 0);
	expect_callers(0);
}
END_TEST

START_TEST(a_call_through_a_pointer_is_believed_where_there_is_no_frame)
{
	static const char *const calls[] = {
		"ffd0", "41ffd3", "ff5510", "41ff542408", "ff1512345678",
		"ff14c512345678",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
		uintptr_t at = TEXT + 0x200 + 0x20 * i;

		code(at, calls[i]);
		at += strlen(calls[i]) / 2;
		text[LEAF - TEXT] = 0x90;
		struck(LEAF, at, 0);
		expect_callers(at);
		code(LEAF, PROLOGUE);
		struck(LEAF + 0x20, at, 0);
		expect_callers(0);
		struck(0, at, 0);		/* a call of NULL */
		expect_callers(at);
	}
}
END_TEST

/* Interrupts found it first: under KVM it struck before the frame was made. */
START_TEST(behind_an_interrupt_the_caller_of_a_leaf_is_not_left_out)
{
	frame(STACK, STACK + 0x100, (uint64_t)(0x31 - 128), LEAF, 0x18);
	*word(STACK + 0x28) = STACK + 0x40;
	*word(STACK + 0x40) = AFTER;
	frame(STACK + 0x100, 0, TEXT + 3, 0, 0);
	start(STACK);
	expect(LEAF, BACKTRACE_INTERRUPT, 0x31);
	expect_callers(AFTER);
}
END_TEST

START_TEST(behind_an_exception_the_caller_of_a_leaf_is_not_left_out)
{
	frame(IST, STACK + 0x100, 2, 0, LEAF);
	*word(IST + 0x30) = STACK + 0x40;
	*word(STACK + 0x40) = AFTER;
	frame(STACK + 0x100, 0, TEXT + 3, 0, 0);
	start(IST);
	expect(LEAF, BACKTRACE_EXCEPTION, 2);
	expect_callers(AFTER);
}
END_TEST

START_TEST(a_stack_pointer_that_points_nowhere_says_nothing)
{
	frame(STACK + 0x100, 0, TEXT + 3, 0, 0);
	backtrace_start_trap(&b, &ops, LEAF, 0x1000, STACK + 0x100);
	expect_callers(0);
	backtrace_start_trap(&b, &ops, LEAF, (uintptr_t)-8, STACK + 0x100);
	expect_callers(0);
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("backtrace", setup, NULL, 0);

	tcase_add_test(tc, calls_are_followed_up_to_the_first);
	tcase_add_test(tc, an_interrupt_is_crossed_and_named);
	tcase_add_test(tc, a_vector_above_128_is_named);
	tcase_add_test(tc, an_exception_leads_to_another_stack_in_either_direction);
	tcase_add_test(tc, a_call_does_not_lead_down_or_to_another_stack);
	tcase_add_test(tc, a_frame_that_points_at_itself_ends);
	tcase_add_test(tc, a_circle_of_exceptions_ends);
	tcase_add_test(tc, what_cannot_be_read_or_is_not_aligned_ends);
	tcase_add_test(tc, the_topmost_frame_needs_two_words_only);
	tcase_add_test(tc, words_that_lead_nowhere_into_the_text_end);
	tcase_add_test(tc, before_the_frame_is_made_rsp_says_who_called);
	tcase_add_test(tc, once_the_frame_is_made_rbp_alone_says_it);
	tcase_add_test(tc, a_frame_that_is_made_late_is_seen);
	tcase_add_test(tc, at_ret_the_frame_is_gone);
	tcase_add_test(tc, a_call_of_that_very_function_is_believed_anywhere);
	tcase_add_test(tc, a_word_that_no_call_precedes_is_a_stray_one);
	tcase_add_test(tc, a_call_of_another_function_is_a_stray_word);
	tcase_add_test(tc, a_call_through_a_pointer_is_believed_where_there_is_no_frame);
	tcase_add_test(tc, behind_an_interrupt_the_caller_of_a_leaf_is_not_left_out);
	tcase_add_test(tc, behind_an_exception_the_caller_of_a_leaf_is_not_left_out);
	tcase_add_test(tc, a_stack_pointer_that_points_nowhere_says_nothing);
	return suite_run("backtrace");
}
