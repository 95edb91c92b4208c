/* SPDX-License-Identifier: MIT */
/* core/string.c against the C library, at every length and alignment. */
#define memcpy	k_memcpy
#define memmove	k_memmove
#define memset	k_memset
#define memcmp	k_memcmp
#define memchr	k_memchr
#define strlen	k_strlen
#define strcmp	k_strcmp
#define strncmp	k_strncmp
#define strchr	k_strchr
#include "core/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strcmp
#undef strncmp
#undef strchr
#include <string.h>

#include <check.h>
#include <stdlib.h>

#include "tests/host/suite.h"

#define SPAN	80

static uint8_t ours[2 * SPAN], theirs[2 * SPAN], source[2 * SPAN];

static void fill(void)
{
	for (unsigned i = 0; i < sizeof(ours); i++)
		ours[i] = theirs[i] = source[i] = (uint8_t)rand();
}

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

START_TEST(copies_and_fills_agree_at_every_offset)
{
	for (size_t n = 0; n < SPAN; n++) {
		for (size_t off = 0; off < 9; off++) {
			fill();
			k_memcpy(ours + off, source + 3, n);
			memcpy(theirs + off, source + 3, n);
			k_memset(ours + off + 40, (int)n, n);
			memset(theirs + off + 40, (int)n, n);
			ck_assert_mem_eq(ours, theirs, sizeof(ours));
		}
	}
}
END_TEST

START_TEST(overlapping_moves_agree_in_both_directions)
{
	for (size_t n = 0; n < SPAN; n++) {
		for (size_t to = 0; to < 20; to++) {
			fill();
			k_memmove(ours + to, ours + 10, n);
			memmove(theirs + to, theirs + 10, n);
			ck_assert_mem_eq(ours, theirs, sizeof(ours));
		}
	}
}
END_TEST

START_TEST(compares_have_the_same_sign)
{
	for (unsigned i = 0; i < 10000; i++) {
		size_t n = (size_t)rand() % SPAN;

		fill();
		if (n && rand() % 4)
			ours[(size_t)rand() % n] ^= 0x80;
		ck_assert_int_eq(sign(k_memcmp(ours, theirs, n)),
				 sign(memcmp(ours, theirs, n)));
	}
}
END_TEST

START_TEST(string_functions_agree)
{
	static const char *const text[] = { "", "a", "ab", "abc", "abd", "b",
					    "\xff", "abcdefgh" };

	for (unsigned i = 0; i < ARRAY_SIZE(text); i++) {
		ck_assert_uint_eq(k_strlen(text[i]), strlen(text[i]));
		ck_assert_ptr_eq(k_strchr(text[i], 'b'), strchr(text[i], 'b'));
		ck_assert_ptr_eq(k_strchr(text[i], 0), strchr(text[i], 0));
		ck_assert_ptr_eq(k_memchr(text[i], 'c', strlen(text[i])),
				 memchr(text[i], 'c', strlen(text[i])));
		for (unsigned k = 0; k < ARRAY_SIZE(text); k++) {
			ck_assert_int_eq(sign(k_strcmp(text[i], text[k])),
					 sign(strcmp(text[i], text[k])));
			ck_assert_int_eq(
				sign(k_strncmp(text[i], text[k], 2)),
				sign(strncmp(text[i], text[k], 2)));
		}
	}
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("string", NULL, NULL, 0);

	tcase_add_test(tc, copies_and_fills_agree_at_every_offset);
	tcase_add_test(tc, overlapping_moves_agree_in_both_directions);
	tcase_add_test(tc, compares_have_the_same_sign);
	tcase_add_test(tc, string_functions_agree);
	return suite_run("string");
}
