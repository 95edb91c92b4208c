/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "core/types.h"
#include "sched/runq.h"
#include "sched/sched.h"
#include "tests/host/suite.h"

#define RUNQ_N	16

static struct runq rq;
static struct runq_entry ent[RUNQ_N];

static void setup(void)
{
	runq_init(&rq);
	for (unsigned i = 0; i < RUNQ_N; i++)
		runq_entry_init(&ent[i]);
}

static void put(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		runq_put(&rq, &ent[i]);
}

START_TEST(an_empty_queue_gives_nobody)
{
	ck_assert_ptr_null(runq_take(&rq));
	ck_assert_uint_eq(runq_waiting(&rq), 0);
}
END_TEST

START_TEST(turns_come_in_the_order_of_waiting)
{
	put(0, 3);
	ck_assert_uint_eq(runq_waiting(&rq), 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_ptr_eq(runq_take(&rq), &ent[i]);
	ck_assert_ptr_null(runq_take(&rq));
}
END_TEST

START_TEST(who_comes_back_waits_behind_all_others)
{
	put(0, 3);
	runq_put(&rq, runq_take(&rq));
	ck_assert_ptr_eq(runq_take(&rq), &ent[1]);
	ck_assert_ptr_eq(runq_take(&rq), &ent[2]);
	ck_assert_ptr_eq(runq_take(&rq), &ent[0]);
}
END_TEST

START_TEST(one_in_the_middle_can_give_up)
{
	put(0, 3);
	runq_remove(&rq, &ent[1]);
	ck_assert_uint_eq(runq_waiting(&rq), 2);
	ck_assert_ptr_eq(runq_take(&rq), &ent[0]);
	ck_assert_ptr_eq(runq_take(&rq), &ent[2]);
	ck_assert_ptr_null(runq_take(&rq));
}
END_TEST

START_TEST(giving_up_twice_or_without_waiting_changes_nothing)
{
	put(0, 2);
	runq_remove(&rq, &ent[0]);
	runq_remove(&rq, &ent[0]);
	runq_remove(&rq, &ent[5]);
	ck_assert_uint_eq(runq_waiting(&rq), 1);
	ck_assert_ptr_eq(runq_take(&rq), &ent[1]);
}
END_TEST

START_TEST(who_was_taken_can_wait_again)
{
	put(0, 1);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_ptr_eq(runq_take(&rq), &ent[0]);
		ck_assert_uint_eq(runq_waiting(&rq), 0);
		runq_put(&rq, &ent[0]);
	}
}
END_TEST

START_TEST(a_slice_ends_only_when_somebody_waits)
{
	ck_assert_uint_eq(runq_slice_end(&rq, 1000), NSEC_NEVER);
	put(0, 1);
	ck_assert_uint_eq(runq_slice_end(&rq, 1000), 1000 + SCHED_SLICE);
	put(1, 2);
	ck_assert_uint_eq(runq_slice_end(&rq, 1000), 1000 + SCHED_SLICE);
	runq_take(&rq);
	runq_take(&rq);
	ck_assert_uint_eq(runq_slice_end(&rq, 1000), NSEC_NEVER);
}
END_TEST

/* Against an array that is moved by hand. */
START_TEST(a_random_history_agrees_with_an_array)
{
	struct runq_entry *model[RUNQ_N];
	unsigned n = 0;

	srandom(_i + 1);
	for (unsigned op = 0; op < 20000; op++) {
		struct runq_entry *e = &ent[random() % RUNQ_N];
		unsigned at = 0;

		while (at < n && model[at] != e)
			at++;
		if (random() % 3 == 0) {
			ck_assert_ptr_eq(runq_take(&rq), n ? model[0] : NULL);
			at = 0;
		} else if (at == n) {
			runq_put(&rq, e);
			model[n++] = e;
			continue;
		} else {
			runq_remove(&rq, e);
		}
		for (; at + 1 < n; at++)
			model[at] = model[at + 1];
		n -= n > 0;
		ck_assert_uint_eq(runq_waiting(&rq), n);
	}
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("runq", setup, NULL, 0);

	tcase_add_test(tc, an_empty_queue_gives_nobody);
	tcase_add_test(tc, turns_come_in_the_order_of_waiting);
	tcase_add_test(tc, who_comes_back_waits_behind_all_others);
	tcase_add_test(tc, one_in_the_middle_can_give_up);
	tcase_add_test(tc, giving_up_twice_or_without_waiting_changes_nothing);
	tcase_add_test(tc, who_was_taken_can_wait_again);
	tcase_add_test(tc, a_slice_ends_only_when_somebody_waits);
	tcase_add_loop_test(tc, a_random_history_agrees_with_an_array, 0, 4);
	return suite_run("runq");
}
