/* SPDX-License-Identifier: MIT */
/* core/bench.c: the statistics of the benchmarks. */
#include "core/bench.h"

#include <check.h>
#include <stdlib.h>

#include "tests/host/suite.h"

START_TEST(of_a_hundred_the_ninety_ninth_is_p99)
{
	uint64_t v[100];
	struct bench_stats st;

	for (unsigned i = 0; i < 100; i++)
		v[i] = 100 - i;
	bench_stats(v, 100, 1, &st);
	ck_assert_uint_eq(st.min, 1000);
	ck_assert_uint_eq(st.median, 50000);
	ck_assert_uint_eq(st.p99, 99000);
}
END_TEST

START_TEST(one_sample_is_all_three)
{
	uint64_t v = 7;
	struct bench_stats st;

	bench_stats(&v, 1, 2, &st);
	ck_assert_uint_eq(st.min, 3500);
	ck_assert_uint_eq(st.median, 3500);
	ck_assert_uint_eq(st.p99, 3500);
}
END_TEST

START_TEST(nothing_measured_is_zero)
{
	uint64_t v = 7;
	struct bench_stats st = { 1, 2, 3 };

	bench_stats(&v, 0, 1, &st);
	ck_assert_uint_eq(st.min + st.median + st.p99, 0);
	st.p99 = 4;
	bench_stats(&v, 1, 0, &st);
	ck_assert_uint_eq(st.min + st.median + st.p99, 0);
}
END_TEST

/* A wrong median of an even number, or of a few, is off by one rank. */
START_TEST(the_median_has_half_of_all_at_or_below_it)
{
	uint64_t v[64];
	struct bench_stats st;

	srand(1);
	for (unsigned n = 1; n <= 64; n++) {
		unsigned below = 0, upto = 0, least = 0;

		for (unsigned i = 0; i < n; i++)
			v[i] = (uint64_t)rand() % 50 + 1;
		bench_stats(v, n, 1, &st);
		for (unsigned i = 0; i < n; i++) {
			below += v[i] * 1000 < st.median;
			upto += v[i] * 1000 <= st.median;
			least += v[i] * 1000 >= st.min;
		}
		ck_assert_uint_ge(2 * upto, n);
		ck_assert_uint_lt(2 * below, n);
		ck_assert_uint_eq(least, n);
		ck_assert_uint_ge(st.p99, st.median);
	}
}
END_TEST

/* One stall in 99 is not yet the p99 of a hundred; two are. */
START_TEST(a_stall_shows_in_p99_and_leaves_the_median)
{
	uint64_t v[100];
	struct bench_stats st;

	for (unsigned stalls = 1; stalls <= 2; stalls++) {
		for (unsigned i = 0; i < 100; i++)
			v[i] = i < stalls ? 1000000 : 10;
		bench_stats(v, 100, 10, &st);
		ck_assert_uint_eq(st.median, 1000);
		ck_assert_uint_eq(st.p99, stalls == 1 ? 1000 : 100000000);
	}
}
END_TEST

START_TEST(ticks_become_picoseconds_at_any_rate)
{
	/* One tick. */
	ck_assert_uint_eq(bench_ps(1000, 1000000000), 1000);
	ck_assert_uint_eq(bench_ps(1000, 2000000000), 500);
	ck_assert_uint_eq(bench_ps(1000, UINT64_C(16000000000)), 62);
	/* A minute of 3 GHz: beyond 64 bits in a single product. */
	ck_assert_uint_eq(bench_ps(UINT64_C(180000000000000), 3000000000u),
			  UINT64_C(60000000000000));
}
END_TEST

START_TEST(text_has_one_digit_behind_the_point)
{
	char buf[BENCH_TEXT];

	ck_assert_str_eq(bench_text(buf, 0), "0.0");
	ck_assert_str_eq(bench_text(buf, 49), "0.0");
	ck_assert_str_eq(bench_text(buf, 50), "0.1");
	ck_assert_str_eq(bench_text(buf, 12345), "12.3");
	ck_assert_str_eq(bench_text(buf, 999950), "1000.0");
	ck_assert_str_eq(bench_text(buf, UINT64_MAX), "18446744073709551.6");
}
END_TEST

int main(void)
{
	TCase *t = suite_group("statistics", NULL, NULL, 0);

	tcase_add_test(t, of_a_hundred_the_ninety_ninth_is_p99);
	tcase_add_test(t, one_sample_is_all_three);
	tcase_add_test(t, nothing_measured_is_zero);
	tcase_add_test(t, the_median_has_half_of_all_at_or_below_it);
	tcase_add_test(t, a_stall_shows_in_p99_and_leaves_the_median);
	tcase_add_test(t, ticks_become_picoseconds_at_any_rate);
	tcase_add_test(t, text_has_one_digit_behind_the_point);
	return suite_run("bench");
}
