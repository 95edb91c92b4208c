/* SPDX-License-Identifier: MIT */
/* core/irq.c: vectors are owned once, counted, and given back. */
#include "core/irq.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "msi/msi.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

#define VECTORS	(IRQ_VECTOR_LAST - IRQ_VECTOR_FIRST + 1)

static unsigned calls, cpu_seen;
static bool irqs_seen;

static void note(void *arg)
{
	calls++;
	cpu_seen = cpu_id();
	irqs_seen = cpu_irqs_on();
	if (arg)
		++*(unsigned *)arg;
}

START_TEST(an_allocated_vector_reaches_its_handler)
{
	unsigned hits = 0;
	int v = irq_alloc(0, note, &hits, "dev");

	ck_assert_int_ge(v, IRQ_VECTOR_FIRST);
	ck_assert_int_le(v, IRQ_VECTOR_LAST);
	cpu_send_ipi(0, v);
	cpu_send_ipi(0, v);
	ck_assert_uint_eq(hits, 2);
	ck_assert_uint_eq(irq_count(0, v), 2);
	ck_assert_uint_eq(irq_unowned_count(0), 0);
	ck_assert_str_eq(irq_name(0, v), "dev");
	irq_free(0, v);
	ck_assert_ptr_null(irq_name(0, v));
	ck_assert_uint_eq(irq_count(0, v), 0);
}
END_TEST

START_TEST(a_handler_runs_on_its_cpu_with_interrupts_off)
{
	int v;

	host_set_cpus(4);
	v = irq_alloc(3, note, NULL, "dev");
	cpu_send_ipi(3, v);
	ck_assert_uint_eq(calls, 1);
	ck_assert_uint_eq(cpu_seen, 3);
	ck_assert(!irqs_seen);
	ck_assert_uint_eq(cpu_id(), 0);
	ck_assert(cpu_irqs_on());
	irq_free(3, v);
}
END_TEST

START_TEST(the_same_vector_on_another_cpu_is_another_vector)
{
	unsigned hits[2] = { 0, 0 };
	int a, b;

	host_set_cpus(2);
	a = irq_alloc(0, note, &hits[0], "a");
	b = irq_alloc(1, note, &hits[1], "b");
	ck_assert_int_eq(a, b);
	cpu_send_ipi(1, b);
	ck_assert_uint_eq(hits[0], 0);
	ck_assert_uint_eq(hits[1], 1);
	irq_free(0, a);
	cpu_send_ipi(0, a);
	cpu_send_ipi(1, b);
	ck_assert_uint_eq(hits[0], 0);
	ck_assert_uint_eq(hits[1], 2);
	irq_free(1, b);
}
END_TEST

START_TEST(an_unowned_vector_is_counted_and_harmless)
{
	int v = irq_alloc(0, note, NULL, "dev");

	irq_free(0, v);
	cpu_send_ipi(0, v);
	cpu_send_ipi(0, 0x21);			/* never taken */
	cpu_send_ipi(0, IRQ_VECTOR_CALL);	/* a system one nobody set */
	ck_assert_uint_eq(calls, 0);
	ck_assert_uint_eq(irq_unowned_count(0), 3);
}
END_TEST

START_TEST(a_cpu_has_208_vectors_and_then_enospc)
{
	bool seen[256] = { false };
	int v;

	for (unsigned i = 0; i < VECTORS; i++) {
		v = irq_alloc(0, note, NULL, "dev");
		ck_assert_int_ge(v, IRQ_VECTOR_FIRST);
		ck_assert_int_le(v, IRQ_VECTOR_LAST);
		ck_assert(!seen[v]);
		seen[v] = true;
	}
	ck_assert_int_eq(irq_alloc(0, note, NULL, "one more"), -ENOSPC);
	irq_free(0, 0x77);
	ck_assert_int_eq(irq_alloc(0, note, NULL, "again"), 0x77);
	irq_free(0, 0x76);		/* just behind where a search starts */
	ck_assert_int_eq(irq_alloc(0, note, NULL, "round"), 0x76);
	for (v = IRQ_VECTOR_FIRST; v <= IRQ_VECTOR_LAST; v++)
		irq_free(0, v);
}
END_TEST

START_TEST(a_freed_vector_rests_before_it_is_given_out_again)
{
	int first = irq_alloc(0, note, NULL, "first");

	irq_free(0, first);
	for (unsigned i = 1; i < VECTORS; i++) {
		int v = irq_alloc(0, note, NULL, "other");

		ck_assert_int_ne(v, first);
		irq_free(0, v);
	}
	ck_assert_int_eq(irq_alloc(0, note, NULL, "round"), first);
	irq_free(0, first);
}
END_TEST

START_TEST(random_takes_and_frees_keep_owners_apart)
{
	static unsigned hits[20000], sent[20000];
	static int owner[256];		/* who took it: index in hits, or -1 */

	memset(owner, -1, sizeof(owner));
	srand(1);
	for (unsigned i = 0; i < ARRAY_SIZE(hits); i++) {
		int v = IRQ_VECTOR_FIRST + rand() % VECTORS;

		if (owner[v] < 0) {
			v = irq_alloc(0, note, &hits[i], "x");
			ck_assert_int_eq(owner[v], -1);
			owner[v] = i;
		} else if (rand() % 3 == 0) {
			irq_free(0, v);
			owner[v] = -1;
		} else {
			sent[owner[v]]++;
			cpu_send_ipi(0, v);
			ck_assert_uint_eq(irq_count(0, v), sent[owner[v]]);
		}
	}
	ck_assert_mem_eq(hits, sent, sizeof(hits));
	for (int v = IRQ_VECTOR_FIRST; v <= IRQ_VECTOR_LAST; v++)
		if (owner[v] >= 0)
			irq_free(0, v);
}
END_TEST

START_TEST(a_cpu_that_is_not_there_is_refused)
{
	ck_assert_int_eq(irq_alloc(1, note, NULL, "dev"), -EINVAL);
	ck_assert_int_eq(irq_alloc(CPU_MAX, note, NULL, "dev"), -EINVAL);
	ck_assert_int_eq(irq_alloc(0, NULL, NULL, "dev"), -EINVAL);
	ck_assert_uint_eq(irq_count(CPU_MAX, IRQ_VECTOR_TIMER), 0);
	ck_assert_ptr_null(irq_name(CPU_MAX, IRQ_VECTOR_FIRST));
}
END_TEST

START_TEST(no_memory_for_a_table_is_enomem)
{
	irq_reset();
	host_fail_alloc(1);
	ck_assert_int_eq(irq_alloc(0, note, NULL, "dev"), -ENOMEM);
	ck_assert(host_alloc_failed());
	host_start();
}
END_TEST

START_TEST(system_vectors_are_the_same_on_every_cpu)
{
	host_set_cpus(2);
	irq_set_system(IRQ_VECTOR_RESCHED, note, "resched");
	cpu_send_ipi(1, IRQ_VECTOR_RESCHED);
	cpu_send_ipi(1, IRQ_VECTOR_RESCHED);
	cpu_send_ipi(0, IRQ_VECTOR_RESCHED);
	ck_assert_uint_eq(calls, 3);
	ck_assert_uint_eq(irq_count(1, IRQ_VECTOR_RESCHED), 2);
	ck_assert_uint_eq(irq_count(0, IRQ_VECTOR_RESCHED), 1);
	ck_assert_str_eq(irq_name(1, IRQ_VECTOR_RESCHED), "resched");
}
END_TEST

START_TEST(the_name_is_copied_and_cut)
{
	char name[64];
	int v;

	memset(name, 'n', 63);
	name[63] = '\0';
	v = irq_alloc(0, note, NULL, name);
	memset(name, 'x', 63);
	ck_assert_uint_eq(strlen(irq_name(0, v)), 23);
	ck_assert_int_eq(irq_name(0, v)[0], 'n');
	irq_free(0, v);
}
END_TEST

static int own;

static void free_self(void *arg)
{
	calls++;
	irq_free(cpu_id(), own);
}

START_TEST(a_handler_may_free_its_own_vector)
{
	own = irq_alloc(0, free_self, NULL, "self");
	cpu_send_ipi(0, own);
	ck_assert_uint_eq(calls, 1);
	ck_assert_ptr_null(irq_name(0, own));
}
END_TEST

/*
 * "CPU 1" is inside its handler when CPU 0 frees the vector: in one thread the
 * handler can never end, so what is proven is that irq_free() does wait.
 */
static void free_from_elsewhere(void *arg)
{
	host_run_as(0);
	irq_free(1, own);
}

START_TEST(free_waits_for_a_handler_on_another_cpu)
{
	host_set_cpus(2);
	own = irq_alloc(1, free_from_elsewhere, NULL, "busy");
	cpu_send_ipi(1, own);
}
END_TEST

START_TEST(free_of_a_vector_that_nobody_owns_panics)
{
	int v = irq_alloc(0, note, NULL, "dev");

	irq_free(0, v);
	irq_free(0, v);
}
END_TEST

START_TEST(a_pin_is_shared_by_level_handlers_and_freed_one_by_one)
{
	unsigned a = 0, b = 0;
	unsigned level = IRQ_GSI_LEVEL | IRQ_GSI_ACTIVE_LOW;

	ck_assert_int_eq(irq_gsi_request(16, level, 0, note, &a, "a"), 0);
	ck_assert_int_eq(irq_gsi_request(16, level, 0, note, &b, "b"), 0);
	ck_assert_int_eq(irq_gsi_request(16, 0, 0, note, &b, "e"), -EINVAL);
	ck_assert_int_eq(irq_gsi_request(999, 0, 0, note, &b, "e"), -EINVAL);
	host_raise_gsi(16);
	ck_assert_uint_eq(a, 1);
	ck_assert_uint_eq(b, 1);
	irq_gsi_free(16, note, &a);
	host_raise_gsi(16);
	ck_assert_uint_eq(a, 1);
	ck_assert_uint_eq(b, 2);
	irq_gsi_free(16, note, &b);
	host_raise_gsi(16);
	ck_assert_uint_eq(b, 2);
}
END_TEST

#define STORM_END	1000000u	/* interrupts; after 100 ms it is one */

static struct {
	int vector;
	unsigned came, masked;
} stormy;

static void come_again(void *arg)
{
	host_time_advance(NSEC_PER_USEC);
	if (!stormy.masked && ++stormy.came < STORM_END)
		cpu_send_ipi(cpu_id(), stormy.vector);
}

static void mask_it(void *arg)
{
	ck_assert_ptr_eq(arg, &stormy);
	ck_assert(!cpu_irqs_on());
	stormy.masked++;
}

static void start_storm(unsigned cpu, bool can_mask)
{
	stormy.came = stormy.masked = 0;
	stormy.vector = irq_alloc(cpu, come_again, NULL, "stormy");
	if (can_mask)
		irq_on_storm(cpu, stormy.vector, mask_it, &stormy);
	cpu_send_ipi(cpu, stormy.vector);
}

START_TEST(a_storm_is_masked_logged_and_counted_each_time)
{
	host_set_cpus(2);
	start_storm(1, true);
	ck_assert_uint_eq(stormy.masked, 1);
	ck_assert_uint_lt(stormy.came, STORM_END);
	ck_assert_uint_eq(irq_storm_count(1), 1);
	ck_assert_uint_eq(irq_storm_count(0), 0);
	ck_assert(host_logged("CPU 1 does nothing but vector"));
	ck_assert(host_logged("(stormy)"));
	stormy.masked = 0;
	cpu_send_ipi(1, stormy.vector);
	ck_assert_uint_eq(stormy.masked, 1);
	ck_assert_uint_eq(irq_storm_count(1), 2);
	irq_free(1, stormy.vector);
}
END_TEST

START_TEST(a_storm_that_nobody_can_mask_is_counted_once_an_owner)
{
	for (unsigned owner = 1; owner <= 2; owner++) {
		start_storm(0, false);
		ck_assert_uint_eq(stormy.came, STORM_END);
		ck_assert_uint_eq(irq_storm_count(0), owner);
		irq_free(0, stormy.vector);
	}
	ck_assert(host_logged("nobody can mask it"));
}
END_TEST

START_TEST(a_vector_as_often_from_a_busy_device_is_no_storm)
{
	stormy.masked = 1;		/* come_again() does not send */
	stormy.vector = irq_alloc(0, come_again, NULL, "busy");
	for (unsigned i = 0; i < STORM_END; i++)
		cpu_send_ipi(0, stormy.vector);
	ck_assert_uint_eq(irq_storm_count(0), 0);
	irq_free(0, stormy.vector);
}
END_TEST

START_TEST(what_has_no_owner_is_counted_by_vector)
{
	host_set_cpus(2);
	cpu_send_ipi(1, 0x20);
	cpu_send_ipi(1, 0x20);
	cpu_send_ipi(1, IRQ_VECTOR_SPURIOUS - 1);
	cpu_send_ipi(1, IRQ_VECTOR_SPURIOUS);
	ck_assert_uint_eq(irq_stray_count(1, 0x20), 2);
	ck_assert_uint_eq(irq_stray_count(1, IRQ_VECTOR_SPURIOUS - 1), 1);
	ck_assert_uint_eq(irq_stray_count(0, 0x20), 0);
	ck_assert_uint_eq(irq_stray_count(1, 256), 0);
	ck_assert_uint_eq(irq_unowned_count(1), 3);
	ck_assert_uint_eq(irq_spurious_count(1), 1);
}
END_TEST

START_TEST(spread_vectors_reach_the_cpu_that_was_said)
{
	struct cpu_set set = { { 0x6 } };
	unsigned hits = 0, cpu[2];
	int v[2];

	host_set_cpus(3);
	for (unsigned i = 0; i < 2; i++) {
		v[i] = irq_alloc_spread(&set, note, &hits, "dev", &cpu[i]);
		ck_assert_uint_eq(cpu[i], 1 + i);
		cpu_send_ipi(cpu[i], v[i]);
		ck_assert_uint_eq(cpu_seen, 1 + i);
	}
	ck_assert_uint_eq(hits, 2);
	ck_assert_int_eq(irq_alloc_spread(&set, NULL, NULL, "dev", &cpu[0]),
			 -EINVAL);
	irq_free(cpu[0], v[0]);
	irq_free(cpu[1], v[1]);
	ck_assert_uint_eq(vector_stats(1).used, 0);
}
END_TEST

START_TEST(reserved_room_becomes_a_vector_and_room_again)
{
	struct cpu_set set = { { 1 } };
	int v;

	ck_assert_int_eq(irq_alloc_reserved(0, note, NULL, "dev"), -EINVAL);
	ck_assert_int_eq(vector_reserve(&set), 0);
	v = irq_alloc_reserved(0, note, NULL, "dev");
	cpu_send_ipi(0, v);
	ck_assert_uint_eq(calls, 1);
	irq_free(0, v);
	ck_assert_uint_eq(vector_stats(0).reserved, 1);
	vector_unreserve(&set);
}
END_TEST

START_TEST(the_report_says_what_is_taken_and_what_went_wrong)
{
	struct cpu_set set = { { 1 } };
	int v = irq_alloc(0, note, NULL, "dev");

	ck_assert_int_eq(vector_reserve(&set), 0);
	cpu_send_ipi(0, 0x99);
	cpu_send_ipi(0, IRQ_VECTOR_SPURIOUS);
	irq_report();
	ck_assert_ptr_nonnull(strstr(host_console(),
		"{\"event\":\"irq_stray\",\"cpu\":0,\"vector\":153,\"count\":1}"));
	ck_assert_ptr_nonnull(strstr(host_console(),
		"{\"event\":\"vectors\",\"cpu\":0,\"used\":1,\"high\":1,"
		"\"reserved\":1,\"free\":206,\"refused\":0,\"spurious\":1,"
		"\"storms\":0}"));
	irq_free(0, v);
	vector_unreserve(&set);
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("irq", host_start, host_finish, 0);

	tcase_add_test(tc, an_allocated_vector_reaches_its_handler);
	tcase_add_test(tc, a_handler_runs_on_its_cpu_with_interrupts_off);
	tcase_add_test(tc, the_same_vector_on_another_cpu_is_another_vector);
	tcase_add_test(tc, an_unowned_vector_is_counted_and_harmless);
	tcase_add_test(tc, a_cpu_has_208_vectors_and_then_enospc);
	tcase_add_test(tc, a_freed_vector_rests_before_it_is_given_out_again);
	tcase_add_test(tc, random_takes_and_frees_keep_owners_apart);
	tcase_add_test(tc, a_cpu_that_is_not_there_is_refused);
	tcase_add_test(tc, no_memory_for_a_table_is_enomem);
	tcase_add_test(tc, system_vectors_are_the_same_on_every_cpu);
	tcase_add_test(tc, the_name_is_copied_and_cut);
	tcase_add_test(tc, a_handler_may_free_its_own_vector);
	tcase_add_test_raise_signal(tc, free_waits_for_a_handler_on_another_cpu,
				    SIGABRT);
	tcase_add_test_raise_signal(tc, free_of_a_vector_that_nobody_owns_panics,
				    SIGABRT);
	tcase_add_test(tc, a_pin_is_shared_by_level_handlers_and_freed_one_by_one);
	tcase_add_test(tc, a_storm_is_masked_logged_and_counted_each_time);
	tcase_add_test(tc, a_storm_that_nobody_can_mask_is_counted_once_an_owner);
	tcase_add_test(tc, a_vector_as_often_from_a_busy_device_is_no_storm);
	tcase_add_test(tc, what_has_no_owner_is_counted_by_vector);
	tcase_add_test(tc, spread_vectors_reach_the_cpu_that_was_said);
	tcase_add_test(tc, reserved_room_becomes_a_vector_and_room_again);
	tcase_add_test(tc, the_report_says_what_is_taken_and_what_went_wrong);
	return suite_run("irq");
}
