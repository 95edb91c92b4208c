/* SPDX-License-Identifier: MIT */
/* core/tick.c: which timer mode a CPU gets, and what tick= may ask for. */
#include "core/tick.h"

#include <check.h>

#include "core/bits.h"
#include "core/errno.h"
#include "tests/host/suite.h"

#define ALL	(BIT(TICK_DEADLINE) | BIT(TICK_ONESHOT) | BIT(TICK_PERIODIC))

static void expect(const char *word, unsigned offered, int err,
		   enum tick_mode mode, unsigned hz)
{
	struct tick t = { TICK_MODES, 7 };

	ck_assert_int_eq(tick_choose(word, offered, &t), err);
	ck_assert_uint_eq(t.mode, mode);
	ck_assert_uint_eq(t.hz, hz);
}

START_TEST(unasked_the_best_is_taken)
{
	expect(NULL, ALL, 0, TICK_DEADLINE, 0);
	expect(NULL, ALL & ~BIT(TICK_DEADLINE), 0, TICK_ONESHOT, 0);
	expect(NULL, BIT(TICK_PERIODIC), 0, TICK_PERIODIC, TICK_HZ);
}
END_TEST

START_TEST(each_can_be_forced)
{
	expect("deadline", ALL, 0, TICK_DEADLINE, 0);
	expect("oneshot", ALL, 0, TICK_ONESHOT, 0);
	expect("periodic", ALL, 0, TICK_PERIODIC, 1000);
	expect("periodic=250", ALL, 0, TICK_PERIODIC, 250);
	expect("periodic=10", ALL, 0, TICK_PERIODIC, 10);
	expect("periodic=10000", ALL, 0, TICK_PERIODIC, 10000);
}
END_TEST

START_TEST(one_that_is_not_there_gives_way_to_the_best)
{
	expect("deadline", ALL & ~BIT(TICK_DEADLINE), -ENOTSUP, TICK_ONESHOT,
	       0);
	expect("oneshot", BIT(TICK_DEADLINE), -ENOTSUP, TICK_DEADLINE, 0);
}
END_TEST

START_TEST(nonsense_is_refused)
{
	static const char *const bad[] = {
		"", "tickless", "deadline=5", "periodic=", "periodic=9",
		"periodic=10001", "periodic=1k", "periodic=x", "periodical",
		"oneshot ", "periodic=99999999999999999999",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		expect(bad[i], ALL, -EINVAL, TICK_DEADLINE, 0);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("tick", NULL, NULL, 0);

	tcase_add_test(t, unasked_the_best_is_taken);
	tcase_add_test(t, each_can_be_forced);
	tcase_add_test(t, one_that_is_not_there_gives_way_to_the_best);
	tcase_add_test(t, nonsense_is_refused);
	return suite_run("tick");
}
