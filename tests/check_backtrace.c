/* SPDX-License-Identifier: MIT */
#include "core/backtrace.h"

#include "core/string.h"
#include "tests/host/suite.h"

#define TEXT	UINT64_C(0xffffffff80100000)
#define STACK	UINT64_C(0xffffc00000001000)
#define IST	UINT64_C(0xffffc00000009000)

/* Two stacks of 64 words; all else cannot be read. */
static uint64_t words[2][64];
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

	if (w)
		*val = *w;
	return w;
}

static bool in_text(uintptr_t addr)
{
	return addr - TEXT < 0x10000;
}

static void setup(void)
{
	memset(words, 0, sizeof(words));
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
	backtrace_start(&b, rbp, read_word, in_text);
}

static void expect(uintptr_t rip, enum backtrace_kind kind, unsigned vector)
{
	ck_assert(backtrace_next(&b, &f));
	ck_assert_uint_eq(f.rip, rip);
	ck_assert_uint_eq(f.kind, kind);
	ck_assert_uint_eq(f.vector, vector);
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
	return suite_run("backtrace");
}
