/* SPDX-License-Identifier: MIT */
/*
 * core/smp_start.c: which CPUs of a MADT are started, and what becomes of those
 * that never come, come late, or come twice.
 *
 * How one could be fooled: a fake CPU that only comes while it is waited for
 * would hide a starter that waits too little; so time and the CPUs go on in
 * every wait, whoever it is for. A race that is tried in one order proves
 * nothing; so it is tried in both, and then by two threads at once.
 */
#include "core/smp_start.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/lapic.h"
#include "core/x86reg.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

/* ---- CPUs ---- */

static struct ap {
	bool dead, twice, given_up;
	nsec_t takes, online_takes;	/* from STARTUP, from its arrival */
	/* From here on: since run(). */
	unsigned inits, startups;
	bool waits;			/* for STARTUP, after INIT */
	nsec_t runs, online;		/* when it will; 0: it does not */
	bool up, halted, struck;	/* by INIT after it had arrived */
	struct smp_slot *slot;
} aps[4096];

static struct acpi_madt madt;
static struct smp_plan plan;
static struct smp_limits limits;
static unsigned room;			/* CPUs that there is memory for */
static unsigned leads, crowd;		/* the most on their way at once */

/* What boot/ap.S does. */
static bool ap_says_arrived(struct smp_slot *slot)
{
	uint32_t was = SMP_STARTING;

	if (__atomic_compare_exchange_n(&slot->state, &was, SMP_ARRIVED, false,
					__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return true;
	if (was == SMP_GIVEN_UP)
		slot->state = SMP_PARKED;
	return false;
}

static void ap_arrives(struct ap *a)
{
	a->runs = 0;
	if (!ap_says_arrived(a->slot)) {
		a->halted = true;
		return;
	}
	a->online = time_now() + a->online_takes;
	a->runs = a->twice ? time_now() + NSEC_PER_MSEC : 0;
}

static void ap_step(void *ctx)
{
	unsigned coming = 0;

	for (unsigned i = 0; i < plan.nslots; i++) {
		struct ap *a = &aps[plan.slot[i].apic_id];

		if (a->runs && time_now() >= a->runs)
			ap_arrives(a);
		if (a->online && time_now() >= a->online) {
			a->online = 0;
			a->up = true;
			smp_say_online(a->slot);
		}
		coming += a->runs || a->online;
	}
	crowd = MAX(crowd, coming);
}

void lapic_send_init(uint32_t apic_id)
{
	struct ap *a = &aps[apic_id];

	a->inits++;
	a->struck |= a->up || a->online;
	a->waits = true;
	a->runs = 0;
}

void lapic_send_startup(uint32_t apic_id, phys_t pa)
{
	struct ap *a = &aps[apic_id];

	ck_assert_uint_eq(pa, X86_AP_PAGE);
	a->startups++;
	if (a->dead || !a->waits)
		return;
	a->waits = false;
	a->runs = time_now() + a->takes + 1;
}

/* In each round of each wait: the only one that makes much time go by. */
void clock_sync_lead(void)
{
	leads++;
	host_time_advance(100 * NSEC_PER_USEC);
}

int smp_prepare(struct smp_slot *slot)
{
	ck_assert_int_eq(smp_state(slot), SMP_STARTING);
	if (!room)
		return -ENOMEM;
	room--;
	aps[slot->apic_id].slot = slot;
	if (aps[slot->apic_id].given_up)
		smp_give_up(slot);
	return 0;
}

static void setup(void)
{
	host_start();
	host_step_add(ap_step, aps);
	memset(aps, 0, sizeof(aps));
	memset(&madt, 0, sizeof(madt));
	limits = (struct smp_limits){ .max = CPU_MAX };
	room = CPU_MAX;
}

static void teardown(void)
{
	host_step_remove(aps);
	host_finish();
}

static void list(uint32_t first, unsigned n)
{
	while (n--)
		madt.apic_id[madt.ncpus++] = first++;
}

/* Returns how long it took. */
static nsec_t run(uint32_t boot_id)
{
	nsec_t start = time_now();

	crowd = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(aps); i++)
		memset(&aps[i].inits, 0, sizeof(aps[i]) -
		       offsetof(struct ap, inits));
	smp_plan_make(&plan, &madt, boot_id, &limits);
	smp_plan_run(&plan);
	smp_plan_log(&plan);
	for (unsigned i = 0; i < plan.nslots; i++)
		ck_assert(!aps[plan.slot[i].apic_id].struck);
	return time_now() - start;
}

static const char *ids(enum smp_fate fate)
{
	static char buf[160];

	smp_plan_ids(&plan, fate, buf, sizeof(buf));
	return buf;
}

/* ---- which ---- */

START_TEST(all_of_the_common_shapes_come_up)
{
	static const unsigned shapes[] = { 1, 2, 3, 8, 64, 255 };

	list(0, shapes[_i]);
	run(0);
	ck_assert_uint_eq(plan.nslots, shapes[_i] - 1);
	ck_assert_uint_eq(smp_plan_count(&plan, SMP_STARTS), shapes[_i] - 1);
	ck_assert_uint_eq(smp_plan_missing(&plan), 0);
	for (unsigned i = 1; i < shapes[_i]; i++)
		ck_assert(aps[i].up && aps[i].inits == 1);
	ck_assert(!host_logged("APIC id"));
}
END_TEST

START_TEST(of_288_cpus_those_that_no_message_reaches_are_named)
{
	list(0, 288);
	limits.x2 = true;
	run(0);
	ck_assert_uint_eq(plan.nslots, 254);
	ck_assert_uint_eq(smp_plan_missing(&plan), 33);
	ck_assert(host_logged("CPUs with APIC ids 255 to 287 left out: no dev"));
	ck_assert(aps[254].up);
	ck_assert_uint_eq(aps[255].inits + aps[287].inits, 0);
}
END_TEST

START_TEST(of_288_cpus_without_x2apic_the_same_are_named)
{
	list(0, 288);
	run(0);
	ck_assert_uint_eq(plan.nslots, 254);
	ck_assert(host_logged("255 to 287 left out: only x2APIC"));
}
END_TEST

START_TEST(with_remapping_ids_above_254_are_used_up_to_our_own_limit)
{
	list(0, 288);
	limits.x2 = limits.remapping = true;
	run(0);
	ck_assert_uint_eq(plan.nslots, CPU_MAX - 1);
	ck_assert(aps[255].up);
	ck_assert(!aps[256].up);
	ck_assert_str_eq(ids(SMP_NO_ROOM), "256 to 287");
	ck_assert_uint_eq(smp_plan_missing(&plan), 32);
}
END_TEST

START_TEST(remapping_does_not_help_without_x2apic)
{
	list(254, 2);
	limits.remapping = true;
	run(0);
	ck_assert_uint_eq(plan.nslots, 1);
	ck_assert_str_eq(ids(SMP_NEEDS_X2APIC), "255");
}
END_TEST

START_TEST(a_limit_leaves_out_the_last_and_they_are_not_missing)
{
	list(0, 8);
	limits.max = 3;
	run(0);
	ck_assert_uint_eq(plan.nslots, 2);
	ck_assert_str_eq(ids(SMP_OVER_LIMIT), "3 to 7");
	ck_assert_uint_eq(smp_plan_missing(&plan), 0);
	limits.max = 0;
	run(0);
	ck_assert_uint_eq(plan.nslots, 0);
}
END_TEST

START_TEST(the_boot_cpu_may_be_any_entry_or_none)
{
	list(4, 4);
	run(6);
	ck_assert(aps[4].up && aps[5].up && !aps[6].inits && aps[7].up);
	ck_assert(!host_logged("not in the MADT"));
	run(9);
	ck_assert_uint_eq(plan.nslots, 4);
	ck_assert(host_logged("the boot CPU is not in the MADT"));
}
END_TEST

START_TEST(no_table_is_one_cpu)
{
	run(0);
	ck_assert_uint_eq(plan.nslots, 0);
	ck_assert_uint_eq(smp_plan_missing(&plan), 0);
	ck_assert(!host_logged("MADT"));
}
END_TEST

START_TEST(ids_are_named_in_order_as_ranges)
{
	static const uint32_t some[] = { 3000, 1026, 1024, 1025, 3001, 1030 };

	list(0, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(some); i++)
		list(some[i], 1);
	run(0);
	ck_assert_str_eq(ids(SMP_NEEDS_X2APIC),
			 "1024 to 1026, 1030, 3000 to 3001");
	ck_assert_str_eq(ids(SMP_NO_ROOM), "");
}
END_TEST

START_TEST(more_ids_than_fit_a_line_are_counted)
{
	char small[60];

	for (unsigned i = 0; i < ACPI_CPUS; i++)
		list(300 + 2 * i, 1);
	run(0);
	ck_assert_str_eq(ids(SMP_STARTS), "");
	smp_plan_ids(&plan, SMP_NEEDS_X2APIC, small, sizeof(small));
	ck_assert_str_eq(small, "300, 302, 304, 306, 308, and 507 more");
	madt.apic_id[0] = UINT32_MAX - 1;
	smp_plan_ids(&plan, SMP_NEEDS_X2APIC, small, 16);
	ck_assert_str_eq(small, "and 512 more");
}
END_TEST

START_TEST(what_the_table_had_no_room_for_is_missing_and_named)
{
	list(0, 2);
	madt.left_out.no_room = 3584;
	madt.no_room_first = 512;
	madt.no_room_last = 4095;
	run(0);
	ck_assert_uint_eq(smp_plan_missing(&plan), 3584);
	ck_assert(host_logged("3584 CPUs with APIC ids from 512 to 4095"));
}
END_TEST

/* ---- those that do not come ---- */

START_TEST(one_that_never_starts_costs_one_second_and_is_named)
{
	nsec_t took;

	list(0, 8);
	aps[1].dead = true;
	took = run(0);
	ck_assert_uint_le(took, SMP_START_WAIT + 10 * NSEC_PER_MSEC);
	ck_assert_uint_eq(smp_plan_missing(&plan), 1);
	ck_assert(host_logged("CPU with APIC id 1 did not start"));
	ck_assert_int_eq(smp_state(&plan.slot[0]), SMP_GIVEN_UP);
	ck_assert_uint_eq(aps[1].startups, 2);
	ck_assert_uint_eq(aps[1].inits, 2);
	for (unsigned i = 2; i < 8; i++)
		ck_assert(aps[i].up);
}
END_TEST

START_TEST(any_number_that_never_start_are_waited_for_together)
{
	nsec_t took;

	list(0, 255);
	for (unsigned i = 1; i < 254; i++)
		aps[i].dead = true;
	took = run(0);
	ck_assert_uint_le(took, SMP_PATIENCE + SMP_START_WAIT +
			  255 * (11 * NSEC_PER_MSEC));
	ck_assert_str_eq(ids(SMP_SILENT), "1 to 253");
	ck_assert(aps[254].up);
	ck_assert_uint_gt(leads, 0);
}
END_TEST

START_TEST(one_that_comes_while_others_are_waited_for_is_up)
{
	list(0, 4);
	aps[1].takes = 900 * NSEC_PER_MSEC;
	aps[2].dead = true;
	run(0);
	ck_assert(aps[1].up && !aps[1].halted);
	ck_assert_str_eq(ids(SMP_SILENT), "2");
}
END_TEST

START_TEST(a_slow_one_after_many_dead_ones_is_still_waited_for)
{
	list(0, 64);
	for (unsigned i = 1; i < 63; i++)
		aps[i].dead = true;
	aps[63].takes = 500 * NSEC_PER_MSEC;
	run(0);
	ck_assert(aps[63].up);
	ck_assert_uint_eq(smp_plan_missing(&plan), 62);
}
END_TEST

/* On a busy host: had they used up the patience, the rest would be a crowd. */
START_TEST(slow_ones_that_come_cost_no_patience)
{
	list(0, 64);
	for (unsigned i = 1; i < 64; i++)
		aps[i].takes = 240 * NSEC_PER_MSEC;
	run(0);
	ck_assert_uint_eq(smp_plan_count(&plan, SMP_STARTS), 63);
	ck_assert_uint_eq(crowd, 1);
	for (unsigned i = 1; i < 64; i++)
		aps[i].takes = 400 * NSEC_PER_MSEC;
	run(0);
	ck_assert_uint_eq(smp_plan_count(&plan, SMP_STARTS), 63);
	ck_assert_uint_le(crowd, 16);
}
END_TEST

START_TEST(none_is_started_while_others_come_online)
{
	list(0, 16);
	for (unsigned i = 1; i < 16; i++)
		aps[i].online_takes = 200 * NSEC_PER_MSEC;
	run(0);
	ck_assert_uint_eq(smp_plan_count(&plan, SMP_STARTS), 15);
	ck_assert_uint_eq(crowd, 1);
}
END_TEST

START_TEST(one_that_comes_after_it_was_given_up_halts)
{
	struct ap *a = &aps[1];

	list(0, 3);
	a->dead = true;
	run(0);
	ck_assert(!a->halted);
	ap_arrives(a);			/* its INIT did not reach it */
	ck_assert(a->halted && !a->online);
	ck_assert_int_eq(smp_state(a->slot), SMP_PARKED);
}
END_TEST

/* cpu.late=: nothing stops it from coming, so that it finds out by itself. */
START_TEST(one_that_is_given_up_beforehand_is_named_and_gets_no_second_init)
{
	list(0, 3);
	aps[1].given_up = true;
	run(0);
	ck_assert_str_eq(ids(SMP_SILENT), "1");
	ck_assert(aps[1].halted);
	ck_assert_int_eq(smp_state(aps[1].slot), SMP_PARKED);
	ck_assert_uint_eq(aps[1].inits, 1);
}
END_TEST

START_TEST(one_that_starts_twice_arrives_once)
{
	list(0, 2);
	aps[1].twice = true;
	aps[1].online_takes = 50 * NSEC_PER_MSEC;
	run(0);
	ck_assert(aps[1].up && aps[1].halted);
	ck_assert_uint_eq(smp_plan_missing(&plan), 0);
}
END_TEST

/* It may hold locks: run() sees that no INIT struck it. */
START_TEST(one_that_arrives_and_comes_no_further_is_left_alone)
{
	nsec_t took;

	list(0, 3);
	aps[1].online_takes = 1000 * NSEC_PER_SEC;
	took = run(0);
	ck_assert_uint_le(took, SMP_START_WAIT + SMP_ONLINE_WAIT +
			  SMP_PATIENCE);
	ck_assert_uint_eq(aps[1].inits, 1);
	ck_assert_int_eq(smp_state(&plan.slot[0]), SMP_ARRIVED);
	ck_assert(host_logged("APIC id 1 began to start and did not come on"));
	ck_assert(aps[2].up);
}
END_TEST

START_TEST(one_that_arrives_at_the_last_moment_gets_its_second)
{
	list(0, 2);
	aps[1].takes = 990 * NSEC_PER_MSEC;
	aps[1].online_takes = 500 * NSEC_PER_MSEC;
	run(0);
	ck_assert(aps[1].up);
	ck_assert_uint_eq(smp_plan_missing(&plan), 0);
}
END_TEST

START_TEST(one_without_memory_is_named_and_never_started)
{
	list(0, 4);
	room = 2;
	run(0);
	ck_assert_str_eq(ids(SMP_NO_MEMORY), "3");
	ck_assert(host_logged("APIC id 3 left out: out of memory"));
	ck_assert_uint_eq(aps[3].inits, 0);
	ck_assert_int_eq(smp_state(&plan.slot[2]), SMP_IDLE);
	ck_assert(!ap_says_arrived(&plan.slot[2]));
}
END_TEST

/* ---- the decision ---- */

START_TEST(of_arriving_and_giving_up_the_first_wins)
{
	struct smp_slot slot = { .state = SMP_STARTING };

	ck_assert(smp_give_up(&slot));
	ck_assert(!ap_says_arrived(&slot));
	ck_assert_int_eq(smp_state(&slot), SMP_PARKED);
	slot.state = SMP_STARTING;
	ck_assert(ap_says_arrived(&slot));
	ck_assert(!smp_give_up(&slot));
	ck_assert_int_eq(smp_state(&slot), SMP_ARRIVED);
	smp_say_online(&slot);
	ck_assert(!smp_give_up(&slot));
	ck_assert_int_eq(smp_state(&slot), SMP_ONLINE);
}
END_TEST

START_TEST(only_one_that_is_being_started_can_be_given_up)
{
	struct smp_slot slot = { .state = SMP_IDLE };

	ck_assert(!smp_give_up(&slot));
	slot.state = SMP_STARTING;
	ck_assert(smp_give_up(&slot));
	ck_assert(!smp_give_up(&slot));
}
END_TEST

int main(void)
{
	TCase *t = suite_group("which", setup, teardown, 60);

	tcase_add_loop_test(t, all_of_the_common_shapes_come_up, 0, 6);
	tcase_add_test(t, of_288_cpus_those_that_no_message_reaches_are_named);
	tcase_add_test(t, of_288_cpus_without_x2apic_the_same_are_named);
	tcase_add_test(t, with_remapping_ids_above_254_are_used_up_to_our_own_limit);
	tcase_add_test(t, remapping_does_not_help_without_x2apic);
	tcase_add_test(t, a_limit_leaves_out_the_last_and_they_are_not_missing);
	tcase_add_test(t, the_boot_cpu_may_be_any_entry_or_none);
	tcase_add_test(t, no_table_is_one_cpu);
	tcase_add_test(t, ids_are_named_in_order_as_ranges);
	tcase_add_test(t, more_ids_than_fit_a_line_are_counted);
	tcase_add_test(t, what_the_table_had_no_room_for_is_missing_and_named);

	t = suite_group("absent", setup, teardown, 60);
	tcase_add_test(t, one_that_never_starts_costs_one_second_and_is_named);
	tcase_add_test(t, any_number_that_never_start_are_waited_for_together);
	tcase_add_test(t, one_that_comes_while_others_are_waited_for_is_up);
	tcase_add_test(t, a_slow_one_after_many_dead_ones_is_still_waited_for);
	tcase_add_test(t, slow_ones_that_come_cost_no_patience);
	tcase_add_test(t, none_is_started_while_others_come_online);
	tcase_add_test(t, one_that_comes_after_it_was_given_up_halts);
	tcase_add_test(t, one_that_is_given_up_beforehand_is_named_and_gets_no_second_init);
	tcase_add_test(t, one_that_starts_twice_arrives_once);
	tcase_add_test(t, one_that_arrives_and_comes_no_further_is_left_alone);
	tcase_add_test(t, one_that_arrives_at_the_last_moment_gets_its_second);
	tcase_add_test(t, one_without_memory_is_named_and_never_started);

	t = suite_group("decision", NULL, NULL, 60);
	tcase_add_test(t, of_arriving_and_giving_up_the_first_wins);
	tcase_add_test(t, only_one_that_is_being_started_can_be_given_up);
	return suite_run("smp");
}
