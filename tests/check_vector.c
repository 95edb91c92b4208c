/* SPDX-License-Identifier: MIT */
/*
 * core/vector.c: who holds a vector holds it alone, room that was promised is
 * there, and a freed vector rests. From several threads at once:
 * tests/tsan/vector.c.
 */
#include "core/vector.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/numa.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

#define NOWHERE	NUMA_NODES		/* no node: all CPUs equally far */

static struct cpu_set set_of(unsigned first, unsigned last)
{
	struct cpu_set set = { { 0 } };

	for (unsigned cpu = first; cpu <= last; cpu++)
		cpu_set_add(&set, cpu);
	return set;
}

static void fill(unsigned cpu, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ck_assert_int_ge(vector_alloc(cpu), VECTOR_FIRST);
}

static void expect_stats(unsigned cpu, unsigned used, unsigned reserved,
			 unsigned high, unsigned failures)
{
	struct vector_stats st = vector_stats(cpu);

	ck_assert_uint_eq(st.used, used);
	ck_assert_uint_eq(st.reserved, reserved);
	ck_assert_uint_eq(st.free, VECTOR_ROOM - used - reserved);
	ck_assert_uint_eq(st.high, high);
	ck_assert_uint_eq(st.failures, failures);
}

START_TEST(a_cpu_gives_each_of_its_208_vectors_once)
{
	bool seen[256] = { false };

	ck_assert_uint_eq(VECTOR_ROOM, 208);
	for (unsigned i = 0; i < VECTOR_ROOM; i++) {
		int v = vector_alloc(0);

		ck_assert_int_ge(v, 0x20);
		ck_assert_int_le(v, 0xef);
		ck_assert(!seen[v]);
		seen[v] = true;
	}
	ck_assert_int_eq(vector_alloc(0), -ENOSPC);
	expect_stats(0, 208, 0, 208, 1);
}
END_TEST

START_TEST(cpus_are_full_one_by_one)
{
	host_set_cpus(3);
	fill(1, VECTOR_ROOM);
	ck_assert_int_eq(vector_alloc(1), -ENOSPC);
	fill(0, VECTOR_ROOM);
	fill(2, VECTOR_ROOM);
	vector_free(1, 0x42);
	ck_assert_int_eq(vector_alloc(0), -ENOSPC);
	ck_assert_int_eq(vector_alloc(1), 0x42);
}
END_TEST

START_TEST(a_cpu_that_is_not_up_is_refused)
{
	struct cpu_set set = set_of(0, 1);
	unsigned cpu = 77;

	ck_assert_int_eq(vector_alloc(1), -EINVAL);
	ck_assert_int_eq(vector_alloc(CPU_MAX), -EINVAL);
	ck_assert_int_eq(vector_take_reserved(1), -EINVAL);
	ck_assert_int_eq(vector_take_reserved(CPU_MAX), -EINVAL);
	ck_assert_int_eq(vector_reserve(&set), -EINVAL);
	expect_stats(0, 0, 0, 0, 0);
	set = set_of(1, CPU_MAX - 1);
	ck_assert_int_eq(vector_alloc_spread(&set, 0, &cpu), -EINVAL);
	set = (struct cpu_set){ { 0 } };
	ck_assert_int_eq(vector_alloc_spread(&set, 0, &cpu), -EINVAL);
	ck_assert_uint_eq(cpu, 77);
}
END_TEST

START_TEST(the_last_cpu_that_is_up_can_be_reserved_and_the_next_cannot)
{
	static const unsigned ups[] = { 1, 63, 64, 65, 127, 128, 192, 255 };

	for (unsigned i = 0; i < ARRAY_SIZE(ups); i++) {
		unsigned up = ups[i];
		struct cpu_set last = set_of(up - 1, up - 1);
		struct cpu_set next = set_of(up, up);

		host_set_cpus(up);
		ck_assert_int_eq(vector_reserve(&next), -EINVAL);
		ck_assert_int_eq(vector_reserve(&last), 0);
		expect_stats(up - 1, 0, 1, 0, 0);
		vector_unreserve(&last);
	}
}
END_TEST

START_TEST(the_search_goes_on_behind_the_one_found)
{
	fill(0, VECTOR_ROOM);
	vector_free(0, 0x30);
	vector_free(0, 0x80);
	vector_free(0, 0xef);
	ck_assert_int_eq(vector_alloc(0), 0x30);
	vector_free(0, 0x30);		/* the last one freed comes last */
	ck_assert_int_eq(vector_alloc(0), 0x80);
	vector_free(0, 0x80);
	ck_assert_int_eq(vector_alloc(0), 0xef);
	ck_assert_int_eq(vector_alloc(0), 0x30);
	ck_assert_int_eq(vector_alloc(0), 0x80);
}
END_TEST

START_TEST(a_freed_vector_rests_while_others_are_free)
{
	for (unsigned turn = 0; turn < 3 * VECTOR_ROOM; turn++) {
		int v = vector_alloc(0);

		ck_assert_int_eq(v, VECTOR_FIRST + (int)(turn % VECTOR_ROOM));
		vector_free(0, v);
	}
	expect_stats(0, 0, 0, 1, 0);
}
END_TEST

START_TEST(spreading_takes_the_least_loaded_and_the_lowest_of_equals)
{
	static const unsigned order[] = { 1, 1, 1, 1, 1, 3, 1, 3, 1, 2, 3 };
	struct cpu_set set = set_of(1, 3);
	unsigned cpu;

	host_set_cpus(8);
	fill(2, 6);
	fill(3, 4);
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		ck_assert_int_ge(vector_alloc_spread(&set, NOWHERE, &cpu), 0);
		ck_assert_msg(cpu == order[i], "turn %u: CPU %u", i, cpu);
	}
	expect_stats(0, 0, 0, 0, 0);
}
END_TEST

START_TEST(what_is_reserved_counts_as_load)
{
	struct cpu_set all = set_of(0, 1), first = set_of(0, 0);
	unsigned cpu;

	host_set_cpus(2);
	ck_assert_int_eq(vector_reserve(&first), 0);
	ck_assert_int_ge(vector_alloc_spread(&all, NOWHERE, &cpu), 0);
	ck_assert_uint_eq(cpu, 1);
}
END_TEST

/* CPUs 0 and 1 on node 0, 2 and 3 on node 1, which is far. */
static void two_nodes(void)
{
	static struct acpi_srat srat = {
		.nmems = 1, .mem = { { 0, HOST_RAM, 0, false } },
		.ncpus = 4, .cpu = { { 0, 0 }, { 1, 0 }, { 2, 1 }, { 3, 1 } },
	};

	host_set_cpus(4);
	numa_build(&srat, NULL, NULL);
	ck_assert_uint_eq(node_count(), 2);
	ck_assert_uint_eq(cpu_node(2), 1);
}

START_TEST(of_equals_the_nearest_is_taken_and_load_goes_before)
{
	static const unsigned order[] = { 2, 3, 0, 1, 2, 3, 0, 1 };
	struct cpu_set set = set_of(0, 3);
	unsigned cpu;

	two_nodes();
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		ck_assert_int_ge(vector_alloc_spread(&set, 1, &cpu), 0);
		ck_assert_msg(cpu == order[i], "turn %u: CPU %u", i, cpu);
	}
	ck_assert_int_ge(vector_alloc_spread(&set, 0, &cpu), 0);
	ck_assert_uint_eq(cpu, 0);
}
END_TEST

START_TEST(spreading_goes_on_until_all_are_full)
{
	struct cpu_set set = set_of(0, 2);
	unsigned cpu = 99, n[3] = { 0 };

	host_set_cpus(4);
	fill(1, 200);
	for (unsigned i = 0; i < 3 * VECTOR_ROOM - 200; i++) {
		ck_assert_int_ge(vector_alloc_spread(&set, 0, &cpu), 0);
		n[cpu]++;
	}
	ck_assert_uint_eq(n[0], VECTOR_ROOM);
	ck_assert_uint_eq(n[1], VECTOR_ROOM - 200);
	ck_assert_uint_eq(n[2], VECTOR_ROOM);
	cpu = 99;
	ck_assert_int_eq(vector_alloc_spread(&set, 0, &cpu), -ENOSPC);
	ck_assert_uint_eq(cpu, 99);
	for (cpu = 0; cpu < 3; cpu++)
		expect_stats(cpu, VECTOR_ROOM, 0, VECTOR_ROOM, 1);
	expect_stats(3, 0, 0, 0, 0);
}
END_TEST

START_TEST(reserved_room_is_there_when_all_else_is_taken)
{
	struct cpu_set set = set_of(0, 0);
	int v;

	ck_assert_int_eq(vector_reserve(&set), 0);
	ck_assert_int_eq(vector_reserve(&set), 0);
	fill(0, VECTOR_ROOM - 2);
	ck_assert_int_eq(vector_alloc(0), -ENOSPC);
	expect_stats(0, VECTOR_ROOM - 2, 2, VECTOR_ROOM - 2, 1);
	v = vector_take_reserved(0);
	ck_assert_int_ge(v, VECTOR_FIRST);
	ck_assert_int_ge(vector_take_reserved(0), VECTOR_FIRST);
	ck_assert_int_eq(vector_take_reserved(0), -EINVAL);
	vector_free(0, (unsigned)v);	/* reserved again, not for anybody */
	expect_stats(0, VECTOR_ROOM - 1, 1, VECTOR_ROOM, 1);
	ck_assert_int_eq(vector_alloc(0), -ENOSPC);
	vector_unreserve(&set);
	ck_assert_int_eq(vector_alloc(0), v);
}
END_TEST

START_TEST(an_ordinary_vector_freed_is_not_reserved)
{
	struct cpu_set set = set_of(0, 0);
	int managed, v;

	ck_assert_int_eq(vector_reserve(&set), 0);
	managed = vector_take_reserved(0);
	vector_free(0, (unsigned)managed);
	vector_unreserve(&set);
	do
		v = vector_alloc(0);
	while (v != managed);		/* the same number, once more */
	vector_free(0, (unsigned)v);
	ck_assert_uint_eq(vector_stats(0).reserved, 0);
}
END_TEST

START_TEST(a_reservation_that_fails_takes_nothing)
{
	struct cpu_set set = set_of(0, 129);

	host_set_cpus(130);
	fill(128, VECTOR_ROOM);
	ck_assert_int_eq(vector_reserve(&set), -ENOSPC);
	for (unsigned cpu = 0; cpu < 130; cpu++)
		ck_assert_uint_eq(vector_stats(cpu).reserved, 0);
	ck_assert_uint_eq(vector_stats(128).failures, 1);
	vector_free(128, 0x20);
	ck_assert_int_eq(vector_reserve(&set), 0);
	for (unsigned cpu = 0; cpu < 130; cpu++)
		ck_assert_uint_eq(vector_stats(cpu).reserved, 1);
}
END_TEST

START_TEST(one_that_is_asked_for_by_number_is_given_once)
{
	host_set_cpus(2);
	ck_assert_int_eq(vector_alloc_at(1, 0x77), 0x77);
	ck_assert_int_eq(vector_alloc_at(1, 0x77), -EBUSY);
	ck_assert_uint_eq(vector_stats(1).used, 1);
	ck_assert_int_eq(vector_alloc_at(0, 0x77), 0x77);
	ck_assert_int_eq(vector_alloc_at(0, VECTOR_FIRST - 1), -EINVAL);
	ck_assert_int_eq(vector_alloc_at(0, VECTOR_LAST + 1), -EINVAL);
	ck_assert_int_eq(vector_alloc_at(2, 0x77), -EINVAL);
	for (unsigned i = 1; i < VECTOR_ROOM; i++)
		ck_assert_int_ne(vector_alloc(1), 0x77);
	ck_assert_int_eq(vector_alloc_at(1, 0x77), -ENOSPC);
	vector_free(1, 0x77);
	ck_assert_int_eq(vector_alloc_at(1, 0x77), 0x77);
}
END_TEST

START_TEST(the_free_of_one_that_is_not_taken_panics)
{
	fill(0, 1);
	vector_free(0, 0x20);
	vector_free(0, 0x20);
}
END_TEST

START_TEST(the_free_of_a_system_vector_panics)
{
	vector_free(0, VECTOR_LAST + 1);
}
END_TEST

START_TEST(what_was_not_reserved_cannot_be_given_back)
{
	struct cpu_set set = set_of(0, 0);

	vector_unreserve(&set);
}
END_TEST

/* ---- a model that is too simple to be wrong ---- */

#define MODEL_CPUS	8
#define MODEL_STEPS	1000000

static struct {
	enum { FREE, TAKEN, MANAGED } at[MODEL_CPUS][256];
	unsigned used[MODEL_CPUS], reserved[MODEL_CPUS], high[MODEL_CPUS];
	unsigned failures[MODEL_CPUS], next[MODEL_CPUS];
} model;

static unsigned model_load(unsigned cpu)
{
	return model.used[cpu] + model.reserved[cpu];
}

/* vector was given out by cpu: it must be the first free one from next on. */
static void model_took(unsigned cpu, int vector, int how)
{
	unsigned want = model.next[cpu];

	while (model.at[cpu][VECTOR_FIRST + want] != FREE)
		want = (want + 1) % VECTOR_ROOM;
	ck_assert_int_eq(vector, (int)(VECTOR_FIRST + want));
	model.next[cpu] = (want + 1) % VECTOR_ROOM;
	model.at[cpu][vector] = how;
	model.used[cpu]++;
	if (model.used[cpu] > model.high[cpu])
		model.high[cpu] = model.used[cpu];
}

static void model_alloc(unsigned cpu)
{
	int v = vector_alloc(cpu);

	if (model_load(cpu) < VECTOR_ROOM) {
		model_took(cpu, v, TAKEN);
	} else {
		ck_assert_int_eq(v, -ENOSPC);
		model.failures[cpu]++;
	}
}

static void model_spread(const struct cpu_set *set)
{
	unsigned best = MODEL_CPUS, cpu = 0;
	int v = vector_alloc_spread(set, NOWHERE, &cpu);

	for (unsigned i = 0; i < MODEL_CPUS; i++)
		if (cpu_set_has(set, i) && model_load(i) < VECTOR_ROOM &&
		    (best == MODEL_CPUS || model_load(i) < model_load(best)))
			best = i;
	if (best < MODEL_CPUS) {
		ck_assert_uint_eq(cpu, best);
		model_took(cpu, v, TAKEN);
		return;
	}
	ck_assert_int_eq(v, set->word[0] ? -ENOSPC : -EINVAL);
	for (unsigned i = 0; i < MODEL_CPUS; i++)
		model.failures[i] += cpu_set_has(set, i);
}

static void model_reserve(const struct cpu_set *set)
{
	int err = vector_reserve(set);

	for (unsigned i = 0; i < MODEL_CPUS; i++) {
		if (!cpu_set_has(set, i) || model_load(i) < VECTOR_ROOM)
			continue;
		ck_assert_int_eq(err, -ENOSPC);
		model.failures[i]++;
		return;
	}
	ck_assert_int_eq(err, 0);
	for (unsigned i = 0; i < MODEL_CPUS; i++)
		model.reserved[i] += cpu_set_has(set, i);
}

static void model_unreserve(const struct cpu_set *set)
{
	for (unsigned i = 0; i < MODEL_CPUS; i++)
		if (cpu_set_has(set, i) && !model.reserved[i])
			return;
	vector_unreserve(set);
	for (unsigned i = 0; i < MODEL_CPUS; i++)
		model.reserved[i] -= cpu_set_has(set, i);
}

static void model_take_reserved(unsigned cpu)
{
	int v = vector_take_reserved(cpu);

	if (model.reserved[cpu]) {
		model.reserved[cpu]--;
		model_took(cpu, v, MANAGED);
	} else {
		ck_assert_int_eq(v, -EINVAL);
	}
}

static void model_free(unsigned cpu, unsigned vector)
{
	if (model.at[cpu][vector] == FREE)
		return;
	vector_free(cpu, vector);
	model.used[cpu]--;
	model.reserved[cpu] += model.at[cpu][vector] == MANAGED;
	model.at[cpu][vector] = FREE;
}

static void model_step(unsigned fullness)
{
	struct cpu_set set = { { (unsigned)rand() % (1 << MODEL_CPUS) } };
	unsigned cpu = (unsigned)rand() % MODEL_CPUS, what = rand() % 16;

	if (what < fullness)
		model_alloc(cpu);
	else if (what < 12)
		model_free(cpu, VECTOR_FIRST + rand() % VECTOR_ROOM);
	else if (what == 12)
		model_spread(&set);
	else if (what == 13)
		model_reserve(&set);
	else if (what == 14)
		model_unreserve(&set);
	else
		model_take_reserved(cpu);
	expect_stats(cpu, model.used[cpu], model.reserved[cpu],
		     model.high[cpu], model.failures[cpu]);
}

START_TEST(a_million_random_steps_are_as_the_model_says)
{
	unsigned full = 0, low = 0;

	srand(1);
	memset(&model, 0, sizeof(model));
	host_set_cpus(MODEL_CPUS);
	for (unsigned i = 0; i < MODEL_STEPS; i++) {
		model_step(i / 20000 % 2 ? 2 : 9);	/* ebb and flow */
		full += model_load(0) == VECTOR_ROOM;
		low += model_load(0) < VECTOR_ROOM / 2;
	}
	ck_assert_uint_gt(full, 1000);
	ck_assert_uint_gt(low, 1000);
}
END_TEST

START_TEST(a_thousand_times_all_full_and_all_free_again)
{
	static const unsigned cpus[] = { 1, 2, 8 };
	unsigned n = cpus[_i], total = n * VECTOR_ROOM, cpu, taken;
	struct cpu_set set = set_of(0, n - 1);

	host_set_cpus(n);
	for (unsigned round = 0; round < 1000; round++) {
		taken = 0;
		while (vector_alloc_spread(&set, NOWHERE, &cpu) >= 0)
			taken++;
		ck_assert_uint_eq(taken, total);
		for (cpu = 0; cpu < n; cpu++)
			for (unsigned v = VECTOR_FIRST; v <= VECTOR_LAST; v++)
				vector_free(cpu, v);
	}
	for (cpu = 0; cpu < n; cpu++)
		expect_stats(cpu, 0, 0, VECTOR_ROOM, 1000);
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("vector", host_start, host_finish, 60);

	tcase_add_test(tc, a_cpu_gives_each_of_its_208_vectors_once);
	tcase_add_test(tc, cpus_are_full_one_by_one);
	tcase_add_test(tc, a_cpu_that_is_not_up_is_refused);
	tcase_add_test(tc, the_last_cpu_that_is_up_can_be_reserved_and_the_next_cannot);
	tcase_add_test(tc, the_search_goes_on_behind_the_one_found);
	tcase_add_test(tc, a_freed_vector_rests_while_others_are_free);
	tcase_add_test(tc,
		       spreading_takes_the_least_loaded_and_the_lowest_of_equals);
	tcase_add_test(tc, what_is_reserved_counts_as_load);
	tcase_add_test(tc, of_equals_the_nearest_is_taken_and_load_goes_before);
	tcase_add_test(tc, spreading_goes_on_until_all_are_full);
	tcase_add_test(tc, reserved_room_is_there_when_all_else_is_taken);
	tcase_add_test(tc, an_ordinary_vector_freed_is_not_reserved);
	tcase_add_test(tc, a_reservation_that_fails_takes_nothing);
	tcase_add_test(tc, one_that_is_asked_for_by_number_is_given_once);
	tcase_add_test_raise_signal(tc, the_free_of_one_that_is_not_taken_panics,
				    SIGABRT);
	tcase_add_test_raise_signal(tc, the_free_of_a_system_vector_panics,
				    SIGABRT);
	tcase_add_test_raise_signal(tc,
				    what_was_not_reserved_cannot_be_given_back,
				    SIGABRT);
	tcase_add_test(tc, a_million_random_steps_are_as_the_model_says);
	tcase_add_loop_test(tc, a_thousand_times_all_full_and_all_free_again,
			    0, 3);
	return suite_run("vector");
}
