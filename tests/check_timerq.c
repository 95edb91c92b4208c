/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "core/bits.h"
#include "core/types.h"
#include "sched/timerq.h"
#include "tests/host/suite.h"

#define TIMERQ_N	512
#define TIMERQ_MANY	65536
#define TIMERQ_OPS	100000

/* As ck_assert(), which tells the runner of every single one: too slow here. */
#define MUST(cond)							\
	do {								\
		if (!(cond))						\
			ck_abort_msg("op %u: %s", op, #cond);		\
	} while (0)

static struct timerq q;
static struct timer timers[TIMERQ_N];

static void setup(void)
{
	timerq_init(&q);
	for (unsigned i = 0; i < TIMERQ_N; i++)
		timers[i] = (struct timer){ .slot = -1 };
}

static void add(unsigned i, nsec_t when)
{
	timers[i].when = when;
	timerq_add(&q, &timers[i]);
}

static int slot_of(const struct timer *t)
{
	return t ? t->slot : -1;
}

/* Heap order, the leftist rule, slots, and links that agree; returns a count. */
static unsigned check_tree(const struct timer *t, const struct timer *up)
{
	if (!t)
		return 0;
	ck_assert_ptr_eq(t->up, up);
	if (up)
		ck_assert_uint_ge(t->when, up->when);
	ck_assert_int_ge(slot_of(t->left), slot_of(t->right));
	ck_assert_int_eq(t->slot, slot_of(t->right) + 1);
	return 1 + check_tree(t->left, t) + check_tree(t->right, t);
}

static unsigned spine(const struct timer *t)
{
	unsigned n = 0;

	for (; t; t = t->right)
		n++;
	return n;
}

START_TEST(an_empty_queue_is_due_never)
{
	ck_assert_uint_eq(timerq_next(&q), NSEC_NEVER);
	ck_assert_ptr_null(timerq_first(&q));
}
END_TEST

START_TEST(the_earliest_is_first_whatever_the_order_of_adding)
{
	static const nsec_t when[] = { 50, 20, 70, 10, 60, 30, 40, 10 };

	for (unsigned i = 0; i < ARRAY_SIZE(when); i++)
		add(i, when[i]);
	ck_assert_uint_eq(q.count, 8);
	ck_assert_uint_eq(timerq_next(&q), 10);
	for (nsec_t last = 0; q.count; ) {
		struct timer *t = timerq_first(&q);

		ck_assert_uint_ge(t->when, last);
		last = t->when;
		timerq_remove(&q, t);
		ck_assert_int_eq(t->slot, -1);
	}
}
END_TEST

START_TEST(the_only_one_can_leave_and_come_back)
{
	for (unsigned i = 0; i < 3; i++) {
		add(0, 5 + i);
		ck_assert_int_ge(timers[0].slot, 0);
		timerq_remove(&q, &timers[0]);
		ck_assert_uint_eq(timerq_next(&q), NSEC_NEVER);
		ck_assert_uint_eq(q.count, 0);
	}
}
END_TEST

START_TEST(any_one_of_many_can_leave)
{
	for (unsigned out = 0; out < 64; out++) {
		setup();
		for (unsigned i = 0; i < 64; i++)
			add(i, i * 37 % 64);
		timerq_remove(&q, &timers[out]);
		ck_assert_uint_eq(check_tree(q.root, NULL), 63);
		for (unsigned n = 0; n < 64; n++) {
			if (n == out * 37 % 64)
				continue;
			ck_assert_uint_eq(timerq_next(&q), n);
			timerq_remove(&q, timerq_first(&q));
		}
	}
}
END_TEST

/* A list of the armed ones, sorted by time: slow and obvious. */
static struct timer *model[TIMERQ_N];
static unsigned model_n;

static void model_add(struct timer *t)
{
	unsigned at = model_n++;

	for (; at > 0 && model[at - 1]->when > t->when; at--)
		model[at] = model[at - 1];
	model[at] = t;
}

static void model_remove(struct timer *t)
{
	unsigned at = 0;

	while (model[at] != t)
		at++;
	for (model_n--; at < model_n; at++)
		model[at] = model[at + 1];
}

static nsec_t random_when(unsigned kind)
{
	if (kind == 0)
		return random() % 100;		/* many at the same time */
	if (kind == 1)
		return (nsec_t)random() << 31 | random();
	return NSEC_NEVER - random() % 3;
}

START_TEST(a_random_history_agrees_with_a_sorted_list)
{
	srandom(_i + 1);
	for (unsigned op = 0; op < TIMERQ_OPS; op++) {
		struct timer *t = &timers[random() % TIMERQ_N];

		if (t->slot >= 0) {
			if (random() % 4 == 0)
				t = timerq_first(&q);
			timerq_remove(&q, t);
			model_remove(t);
			MUST(t->slot == -1);
		} else {
			t->when = random_when(_i);
			timerq_add(&q, t);
			model_add(t);
		}
		MUST(q.count == model_n);
		MUST(timerq_next(&q) ==
		     (model_n ? model[0]->when : NSEC_NEVER));
		if (op % 1000 == 0)
			ck_assert_uint_eq(check_tree(q.root, NULL), model_n);
	}
}
END_TEST

/* What the bound of each call rests on, for orders that make bad trees. */
START_TEST(the_right_spine_stays_logarithmic)
{
	struct timer *t = calloc(TIMERQ_MANY, sizeof(*t));

	ck_assert_ptr_nonnull(t);
	for (unsigned op = 0; op < TIMERQ_MANY; op++) {
		t[op].when = _i == 0 ? op : _i == 1 ? TIMERQ_MANY - op :
			    (nsec_t)(op * 40503u) % 65537;
		timerq_add(&q, &t[op]);
		MUST(spine(q.root) <= ilog2(op + 2));
	}
	for (unsigned op = 0; op < TIMERQ_MANY; op++) {
		timerq_remove(&q, &t[op * 5u % TIMERQ_MANY]);
		MUST(spine(q.root) <= ilog2(q.count + 1));
	}
	ck_assert_ptr_null(q.root);
	free(t);
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("timerq", setup, NULL, 30);

	tcase_add_test(tc, an_empty_queue_is_due_never);
	tcase_add_test(tc, the_earliest_is_first_whatever_the_order_of_adding);
	tcase_add_test(tc, the_only_one_can_leave_and_come_back);
	tcase_add_test(tc, any_one_of_many_can_leave);
	tcase_add_loop_test(tc, a_random_history_agrees_with_a_sorted_list,
			    0, 3);
	tcase_add_loop_test(tc, the_right_spine_stays_logarithmic, 0, 3);
	return suite_run("timerq");
}
