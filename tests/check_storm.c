/* SPDX-License-Identifier: MIT */
/* core/storm.c: what is a storm, and above all what is none. */
#include "core/storm.h"

#include <check.h>

#include "tests/host/suite.h"

static struct storm storm;
static nsec_t now;
static unsigned looks;

static void setup(void)
{
	storm = (struct storm){ 0 };
	now = NSEC_PER_SEC;
	looks = 0;
}

/* One interrupt after gap ns; waits: it is there again after the EOI. */
static bool one(nsec_t gap, bool waits)
{
	now += gap;
	if (!storm_count(&storm))
		return false;
	if (storm_asks(&storm))
		looks++;
	return storm_judge(&storm, storm_asks(&storm) && waits, now);
}

/* For how long until it is called a storm; 0 within that many: never. */
static nsec_t until_storm(unsigned n, nsec_t gap, unsigned waits_of_16)
{
	nsec_t start = now;

	for (unsigned i = 0; i < n; i++)
		if (one(gap, i / STORM_STEP % 16 < waits_of_16))
			return now - start;
	return 0;
}

START_TEST(a_level_that_is_held_is_found_within_a_second)
{
	static const nsec_t gap[] = { 200, 4 * NSEC_PER_USEC,
				      100 * NSEC_PER_USEC,
				      STORM_QUICK / STORM_WINDOW };
	nsec_t took = until_storm(10000000, gap[_i], 16);

	ck_assert_uint_ge(took, STORM_TIME);
	ck_assert_uint_lt(took, NSEC_PER_SEC);
}
END_TEST

START_TEST(a_busy_device_that_lets_others_run_is_none)
{
	ck_assert_uint_eq(until_storm(5000000, 1 * NSEC_PER_USEC, 0), 0);
	ck_assert_uint_eq(until_storm(5000000, 1 * NSEC_PER_USEC, 8), 0);
	ck_assert_uint_eq(until_storm(5000000, 1 * NSEC_PER_USEC, 14), 0);
	ck_assert_uint_gt(until_storm(5000000, 1 * NSEC_PER_USEC, 15), 0);
}
END_TEST

START_TEST(a_slow_device_is_none_and_is_never_looked_at)
{
	ck_assert_uint_eq(until_storm(100000, NSEC_PER_MSEC, 16), 0);
	ck_assert_uint_eq(looks, 0);
}
END_TEST

START_TEST(a_burst_is_none)
{
	for (unsigned burst = 0; burst < 50; burst++) {
		ck_assert_uint_eq(until_storm(50000, NSEC_PER_USEC, 16), 0);
		ck_assert_uint_eq(until_storm(3 * STORM_WINDOW, NSEC_PER_USEC,
					      0), 0);
	}
}
END_TEST

START_TEST(a_pause_of_the_machine_begins_anew)
{
	for (unsigned i = 0; i < 50; i++) {
		ck_assert_uint_eq(until_storm(90000, NSEC_PER_USEC, 16), 0);
		now += 5 * NSEC_PER_SEC;
	}
}
END_TEST

START_TEST(behind_one_the_next_is_found_as_well)
{
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_ge(until_storm(1000000, NSEC_PER_USEC, 16),
				  STORM_TIME);
}
END_TEST

START_TEST(who_is_not_watched_costs_a_look_a_window_and_who_is_one_in_eight)
{
	unsigned judged = 0;

	for (unsigned i = 0; i < 4 * STORM_WINDOW; i++) {
		now += NSEC_PER_MSEC;
		if (!storm_count(&storm))
			continue;
		storm_judge(&storm, false, now);
		judged++;
	}
	ck_assert_uint_eq(judged, 4);
	for (unsigned i = 0; i < 4 * STORM_WINDOW; i++)
		one(NSEC_PER_USEC, false);
	ck_assert_uint_eq(looks, 3 * STORM_WINDOW / STORM_STEP);
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("storm", setup, NULL, 0);

	tcase_add_loop_test(tc, a_level_that_is_held_is_found_within_a_second,
			    0, 4);
	tcase_add_test(tc, a_busy_device_that_lets_others_run_is_none);
	tcase_add_test(tc, a_slow_device_is_none_and_is_never_looked_at);
	tcase_add_test(tc, a_burst_is_none);
	tcase_add_test(tc, a_pause_of_the_machine_begins_anew);
	tcase_add_test(tc, behind_one_the_next_is_found_as_well);
	tcase_add_test(tc,
		       who_is_not_watched_costs_a_look_a_window_and_who_is_one_in_eight);
	return suite_run("storm");
}
