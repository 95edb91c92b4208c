/* SPDX-License-Identifier: MIT */
/*
 * core/wall.c, with an RTC and a hypervisor of the test's own, who can stop this
 * CPU while they are asked. No sign of that is left in what they say: only the
 * time it took tells.
 */
#include "core/wall.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/errno.h"
#include "tests/host/suite.h"

#define EPOCH	UINT64_C(1795000000)	/* seconds: in 2026 */

static struct {
	nsec_t now;
	nsec_t ahead;			/* of the RTC, of time 0 at EPOCH */
	nsec_t stop_before, stop;	/* the next answer, or after it */
	unsigned asked;
	int err;
} sim;

nsec_t wall_now(void)
{
	return sim.now += 100;
}

static void question_begins(void)
{
	sim.now += NSEC_PER_USEC + sim.stop_before;
	sim.stop_before = 0;
}

static void question_ends(void)
{
	sim.asked++;
	sim.now += NSEC_PER_USEC + sim.stop;
	sim.stop = 0;
}

int wall_rtc_read(uint8_t century, uint64_t *seconds)
{
	question_begins();
	*seconds = EPOCH + (sim.now + sim.ahead) / NSEC_PER_SEC;
	question_ends();
	return sim.err;
}

void clock_report(void)
{
}

#define time_now	wall_now
#define rtc_read	wall_rtc_read
#include "core/wall.c"

static bool hypervisor(nsec_t *unix_ns)
{
	question_begins();
	*unix_ns = EPOCH * NSEC_PER_SEC + sim.now;
	question_ends();
	return true;
}

static void setup(void)
{
	memset(&sim, 0, sizeof(sim));
	memset(&wall, 0, sizeof(wall));
	wall.source = "nobody";
	wall_hypervisor = NULL;
	sim.now = 5 * NSEC_PER_SEC;
}

static void expect_near(int64_t a, int64_t b, nsec_t far)
{
	ck_assert_int_le(llabs(a - b), (int64_t)far);
}

static void expect_wall(nsec_t far)
{
	nsec_t wall_time = time_wall();

	expect_near((int64_t)wall_time,
		    (int64_t)(EPOCH * NSEC_PER_SEC + sim.now), far);
}

START_TEST(the_rtc_is_right_to_a_second)
{
	expect_wall(NSEC_PER_SEC);
	ck_assert_str_eq(wall_source(), "rtc");
	ck_assert_uint_eq(sim.asked, 1);
	sim.now += 3600 * NSEC_PER_SEC;
	expect_wall(NSEC_PER_SEC);
	ck_assert_uint_eq(sim.asked, 1);	/* and never again */
}
END_TEST

START_TEST(a_stop_while_the_rtc_is_asked_is_no_error_of_the_wall)
{
	sim.stop = 9 * NSEC_PER_SEC;
	expect_wall(NSEC_PER_SEC);
	ck_assert_uint_eq(sim.asked, 2);
}
END_TEST

START_TEST(a_stop_while_the_hypervisor_is_asked_is_no_error_of_the_wall)
{
	wall_hypervisor = hypervisor;
	sim.stop = 3 * NSEC_PER_MSEC;
	expect_wall(100 * NSEC_PER_USEC);
	ck_assert_str_eq(wall_source(), "kvm");
}
END_TEST

START_TEST(a_stop_while_the_rtc_is_compared_steps_nothing)
{
	int64_t off;

	time_wall();
	sim.stop_before = 9 * NSEC_PER_SEC;
	ck_assert_int_eq(wall_check(&off), 0);
	expect_near(off, 0, NSEC_PER_SEC);
	ck_assert_uint_eq(wall_steps(), 0);
	expect_wall(NSEC_PER_SEC);
}
END_TEST

START_TEST(an_rtc_that_ran_on_steps_the_wall_once_and_is_its_source)
{
	int64_t off;

	wall_hypervisor = hypervisor;
	time_wall();
	sim.ahead = 10 * NSEC_PER_SEC;
	ck_assert_int_eq(wall_check(&off), 0);
	expect_near(off, 10 * (int64_t)NSEC_PER_SEC, NSEC_PER_SEC);
	ck_assert_int_eq(wall_check(&off), 0);
	expect_near(off, 0, NSEC_PER_SEC);
	ck_assert_uint_eq(wall_steps(), 1);
	ck_assert_str_eq(wall_source(), "rtc");
}
END_TEST

START_TEST(nobody_knows_is_said_and_not_made_up)
{
	int64_t off = 7;

	sim.err = -ETIMEDOUT;
	ck_assert_uint_eq(time_wall(), 0);
	ck_assert_str_eq(wall_source(), "nobody");
	ck_assert_int_eq(wall_check(&off), -ENODEV);
	ck_assert_int_eq(off, 0);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("wall", setup, NULL, 0);

	tcase_add_test(t, the_rtc_is_right_to_a_second);
	tcase_add_test(t, a_stop_while_the_rtc_is_asked_is_no_error_of_the_wall);
	tcase_add_test(t,
		a_stop_while_the_hypervisor_is_asked_is_no_error_of_the_wall);
	tcase_add_test(t, a_stop_while_the_rtc_is_compared_steps_nothing);
	tcase_add_test(t,
		an_rtc_that_ran_on_steps_the_wall_once_and_is_its_source);
	tcase_add_test(t, nobody_knows_is_said_and_not_made_up);
	return suite_run("wall");
}
