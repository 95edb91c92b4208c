/* SPDX-License-Identifier: MIT */
/* core/fmt.c: what it prints is what the C library prints. */
#include "core/fmt.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/errno.h"
#include "tests/host/suite.h"

/* The formats are made up at run time: that is the point. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
#pragma GCC diagnostic ignored "-Wformat-overflow"

#define BOTH(size, ...)							\
	do {								\
		char ours[300], libc[300];				\
		memset(ours, '~', sizeof(ours));			\
		memset(libc, '~', sizeof(libc));			\
		int n = fmt_snprintf(ours, size, __VA_ARGS__);		\
		int m = snprintf(libc, size, __VA_ARGS__);		\
		ck_assert_msg(n == m && !memcmp(ours, libc, sizeof(ours)), \
			      "\"%s\": ours %d \"%.250s\", libc %d \"%.250s\"", \
			      FIRST(__VA_ARGS__), n, ours, m, libc);	\
	} while (0)
#define FIRST(...)	FIRST_(__VA_ARGS__, )
#define FIRST_(a, ...)	a

static uint64_t random_u64(void)
{
	uint64_t v = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ rand();

	switch (rand() % 6) {
	case 0: return 0;
	case 1: return v >> rand() % 64;
	case 2: return -(v >> rand() % 64);
	case 3: return UINT64_MAX >> rand() % 64;
	case 4: return UINT64_C(1) << rand() % 64;
	}
	return v;
}

/* A spec without its '%' and conversion: flags, width, precision. */
static void random_spec(char *out, const char *flags, const char *length,
			bool precision)
{
	char *p = out;

	*p++ = '%';
	for (int n = rand() % 4; n > 0; n--)
		*p++ = flags[rand() % strlen(flags)];
	if (rand() % 2)
		p += sprintf(p, "%d", 1 + rand() % 40);
	if (precision && rand() % 2)
		p += sprintf(p, ".%d", rand() % 30);
	strcpy(p, length);
}

START_TEST(integers_of_every_length_match_libc)
{
	static const char *const lengths[] = { "hh", "h", "", "l", "ll", "z" };
	static const char conv[] = "diuxX";

	srand(1);
	for (unsigned i = 0; i < 200000; i++) {
		const char *len = lengths[rand() % 6];
		char c = conv[rand() % 5], spec[64], text[100];
		uint64_t v = random_u64();
		size_t size = rand() % 4 ? 200 : rand() % 50;

		random_spec(spec, c == 'd' || c == 'i' ? "-0+ " :
			    c == 'u' ? "-0" : "-0#", len, true);
		sprintf(text, "<%s%c>", spec, c);
		if (len[0] == 'l' || len[0] == 'z')
			BOTH(size, text, v);
		else
			BOTH(size, text, (unsigned)v);
	}
}
END_TEST

START_TEST(strings_and_characters_match_libc)
{
	static const char *const words[] = { "", "a", "lodger", "a longer one" };

	srand(2);
	for (unsigned i = 0; i < 50000; i++) {
		char spec[64], text[100];
		size_t size = rand() % 4 ? 200 : rand() % 50;

		random_spec(spec, "-", "", true);
		sprintf(text, "[%ss]%%%%", spec);
		BOTH(size, text, words[i % 4]);
		random_spec(spec, "-", "", false);
		sprintf(text, "[%sc]", spec);
		BOTH(size, text, 'a' + (int)(i % 26));
	}
}
END_TEST

START_TEST(stars_take_their_numbers_from_the_arguments)
{
	for (int w = -30; w <= 30; w++) {
		for (int p = -3; p <= 20; p++) {
			BOTH(200, "%*.*d|%0*x|%-*s", w, p, -1234, w, 0xbeef, w,
			     "s");
			BOTH(200, "%.*s", p, "a text");
		}
	}
}
END_TEST

START_TEST(several_conversions_keep_their_order)
{
	BOTH(200, "%s: %u of %llu bytes at %#lx, %c%%, %hhd %hx %zu", "nvme0", 3,
	     1ULL << 40, 0xfee00000UL, 'x', 300, 0x12345, (size_t)7);
}
END_TEST

START_TEST(pointers_are_hexadecimal)
{
	BOTH(100, "%p", (void *)0x1234abcd);
	BOTH(100, "%20p|%-20p|", (void *)0x1, (void *)0x2);
}
END_TEST

START_TEST(size_zero_writes_nothing_and_size_one_only_the_nul)
{
	char c = 'x';

	ck_assert_int_eq(fmt_snprintf(NULL, 0, "%d", 12345), 5);
	ck_assert_int_eq(fmt_snprintf(&c, 0, "%d", 12345), 5);
	ck_assert_int_eq(c, 'x');
	ck_assert_int_eq(fmt_snprintf(&c, 1, "%d", 12345), 5);
	ck_assert_int_eq(c, '\0');
}
END_TEST

START_TEST(unknown_conversions_are_printed_as_they_stand)
{
	char buf[64];

	fmt_snprintf(buf, sizeof(buf), "%q %-5.2lk %d", 7);
	ck_assert_str_eq(buf, "%q %-5.2lk 7");
	fmt_snprintf(buf, sizeof(buf), "end %");
	ck_assert_str_eq(buf, "end %");
	fmt_snprintf(buf, sizeof(buf), "end %08l");
	ck_assert_str_eq(buf, "end %08l");
	fmt_snprintf(buf, sizeof(buf), "%s", (char *)NULL);
	ck_assert_str_eq(buf, "(null)");
}
END_TEST

static const struct {
	const char *text;
	bool suffix;
	int err;
	uint64_t val;
} numbers[] = {
	{ "0", false, 0, 0 },
	{ "42", false, 0, 42 },
	{ "0x", false, -EINVAL, 0 },
	{ "0xfF", false, 0, 255 },
	{ "0Xfee00000", false, 0, 0xfee00000 },
	{ "18446744073709551615", false, 0, UINT64_MAX },
	{ "18446744073709551616", false, -EOVERFLOW, 0 },
	{ "0xffffffffffffffff", false, 0, UINT64_MAX },
	{ "0x10000000000000000", false, -EOVERFLOW, 0 },
	{ "99999999999999999999999999", false, -EOVERFLOW, 0 },
	{ "", false, -EINVAL, 0 },
	{ "-1", false, -EINVAL, 0 },
	{ "+1", false, -EINVAL, 0 },
	{ " 1", false, -EINVAL, 0 },
	{ "1 ", false, -EINVAL, 0 },
	{ "12a", false, -EINVAL, 0 },
	{ "4K", false, -EINVAL, 0 },
	{ "4K", true, 0, 4096 },
	{ "0x10m", true, 0, 16 << 20 },
	{ "3G", true, 0, UINT64_C(3) << 30 },
	{ "3GB", true, -EINVAL, 0 },
	{ "K", true, -EINVAL, 0 },
	{ "17179869183G", true, 0, UINT64_C(17179869183) << 30 },
	{ "17179869184G", true, -EOVERFLOW, 0 },
	{ "4T", true, -EINVAL, 0 },
};

START_TEST(numbers_are_parsed_whole_or_not_at_all)
{
	uint64_t val = 77;
	int err = fmt_parse_u64(numbers[_i].text, numbers[_i].suffix, &val);

	ck_assert_int_eq(err, numbers[_i].err);
	ck_assert_uint_eq(val, err ? 77 : numbers[_i].val);
}
END_TEST

START_TEST(errno_names_are_the_symbols)
{
	ck_assert_str_eq(errno_name(-ETIMEDOUT), "-ETIMEDOUT");
	ck_assert_str_eq(errno_name(-EPERM), "-EPERM");
	ck_assert_str_eq(errno_name(-ECANCELED), "-ECANCELED");
	ck_assert_str_eq(errno_name(-3), "-E?");
	ck_assert_str_eq(errno_name(0), "-E?");
	ck_assert_str_eq(errno_name(5), "-E?");
	ck_assert_str_eq(errno_name(-100000), "-E?");
	ck_assert_str_eq(errno_name(INT32_MIN), "-E?");
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("fmt", NULL, NULL, 30);

	tcase_add_test(tc, integers_of_every_length_match_libc);
	tcase_add_test(tc, strings_and_characters_match_libc);
	tcase_add_test(tc, stars_take_their_numbers_from_the_arguments);
	tcase_add_test(tc, several_conversions_keep_their_order);
	tcase_add_test(tc, pointers_are_hexadecimal);
	tcase_add_test(tc, size_zero_writes_nothing_and_size_one_only_the_nul);
	tcase_add_test(tc, unknown_conversions_are_printed_as_they_stand);
	tcase_add_loop_test(tc, numbers_are_parsed_whole_or_not_at_all, 0,
			    ARRAY_SIZE(numbers));
	tcase_add_test(tc, errno_names_are_the_symbols);
	return suite_run("fmt");
}
