/* SPDX-License-Identifier: MIT */
/*
 * msi/affinity.c: a vector moves while its device interrupts. The device's
 * step runs each time a CPU is called, which is in the middle of a move.
 */
#include <check.h>
#include <string.h>

#include "core/cmdline.h"
#include "core/cpu.h"
#include "core/errno.h"
#include "core/irq.h"
#include "msi/irqs.h"
#include "msi/msi.h"
#include "msi/msireg.h"
#include "tests/fake/remap.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

#define CPUS	4
#define ROUNDS	10000

static struct fake_pci f;
static struct pci_dev *p;
static unsigned seen[8][CPUS], msi_at;

static void on_irq(void *arg)
{
	((unsigned *)arg)[cpu_id()]++;
}

static unsigned total(unsigned nr)
{
	unsigned sum = 0;

	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		sum += seen[nr][cpu];
	return sum;
}

static uint64_t strays(void)
{
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		sum += irq_unowned_count(cpu);
	return sum;
}

static void setup_any(void)
{
	host_start();
	host_set_cpus(CPUS);
	memset(seen, 0, sizeof(seen));
	fake_pci_init(&f, PCI_BDF(0, 5, 0), 0x1b36, 0x10, 0x010802);
	fake_pci_bar(&f, 0, 0x10000, true, NULL, NULL);
}

static void probe(unsigned n)
{
	fake_pci_add(&f);
	p = host_pci_probe(&f);
	ck_assert_ptr_nonnull(p);
	pci_enable_memory(p);
	ck_assert_int_eq(pci_enable_master(p), 0);
	ck_assert_int_eq(irq_alloc_vectors(p, n, n, NULL), (int)n);
	for (unsigned nr = 0; nr < n; nr++)
		ck_assert_int_eq(irq_vectors_connect(p, nr, on_irq, seen[nr],
						     "test"), 0);
}

static void setup(void)
{
	setup_any();
	fake_pci_msix(&f, 8, 0, 0x2000, 0);
	probe(4);			/* vector nr is on CPU nr */
}

static void setup_msi(bool maskable)
{
	uint8_t body[22] = { 0x80, maskable };

	setup_any();
	msi_at = fake_pci_cap(&f, MSI_CAP_ID, body, maskable ? 22 : 12);
	f.writable[msi_at + 2] = 0x71;
	memset(&f.writable[msi_at + 4], 0xff, 10);
	memset(&f.writable[msi_at + 16], 0xff, 4);
	probe(1);
}

static void setup_remapped(void)
{
	setup_any();
	fake_remap_start();
	fake_pci_msix(&f, 8, 0, 0x2000, 0);
	probe(4);
}

static void teardown(void)
{
	irq_vectors_free(p);
	fake_remap_stop();
	cmdline_init("");
	host_finish();
}

static void expect_on(unsigned nr, unsigned cpu)
{
	unsigned before = seen[nr][cpu], all = total(nr);

	ck_assert_int_eq(irq_vectors_cpu(p, nr), (int)cpu);
	fake_pci_fire(&f, nr);
	ck_assert_uint_eq(seen[nr][cpu], before + 1);
	ck_assert_uint_eq(total(nr), all + 1);
	ck_assert_uint_eq(irq_vectors_count(p, nr), all + 1);
}

/* ---- MSI-X ---- */

START_TEST(a_vector_moves_and_its_count_goes_on)
{
	expect_on(0, 0);
	for (unsigned i = 1; i < 9; i++) {
		ck_assert_int_eq(irq_set_affinity(p, 0, i % CPUS), 0);
		expect_on(0, i % CPUS);
	}
	expect_on(1, 1);
	ck_assert_uint_eq(strays(), 0);
}
END_TEST

START_TEST(to_where_it_is_is_no_move)
{
	uint32_t data = f.msix[2][2];

	ck_assert_int_eq(irq_set_affinity(p, 2, 2), 0);
	ck_assert_uint_eq(f.msix[2][2], data);
	expect_on(2, 2);
}
END_TEST

START_TEST(the_old_vector_is_free_and_silent_afterwards)
{
	uint32_t vector = f.msix[0][2];
	uint64_t addr = f.msix[0][0];

	ck_assert_ptr_nonnull(irq_name(0, vector));
	ck_assert_int_eq(irq_set_affinity(p, 0, 3), 0);
	ck_assert_ptr_null(irq_name(0, vector));
	ck_assert_str_eq(irq_name(3, f.msix[0][2]), "test");
	host_msi(addr, vector);			/* forged */
	ck_assert_uint_eq(total(0), 0);
	ck_assert_uint_eq(strays(), 1);
}
END_TEST

static struct {
	unsigned left, nr;
	uint64_t addr;
	uint32_t data;
} late;

/* A message that was written before the mask, and is at the CPU only now. */
static void late_step(void *ctx)
{
	if (late.left && --late.left == 0)
		host_msi(late.addr, late.data);
}

START_TEST(a_message_on_its_way_is_taken_before_the_old_vector_goes)
{
	late.left = 1;
	late.addr = f.msix[0][0];
	late.data = f.msix[0][2];
	host_step_add(late_step, NULL);
	ck_assert_int_eq(irq_set_affinity(p, 0, 2), 0);
	host_step_remove(NULL);
	ck_assert_uint_eq(late.left, 0);
	ck_assert_uint_eq(seen[0][0], 1);
	ck_assert_uint_eq(strays(), 0);
	expect_on(0, 2);
}
END_TEST

static unsigned fired;

static void fire_step(void *ctx)
{
	fake_pci_fire(&f, 0);
	fired++;
}

START_TEST(an_event_in_the_middle_comes_once_to_the_new_cpu)
{
	fired = 0;
	host_step_add(fire_step, NULL);
	ck_assert_int_eq(irq_set_affinity(p, 0, 2), 0);
	host_step_remove(NULL);
	ck_assert_uint_eq(fired, 1);
	ck_assert_uint_eq(seen[0][2], 1);
	ck_assert_uint_eq(total(0), 1);
	expect_on(0, 2);
}
END_TEST

/* One event at a time, as its driver would have it: none may merge. */
static void each_step(void *ctx)
{
	if (fired == total(0))
		fire_step(ctx);
}

static void move_under_fire(void)
{
	uint32_t x = 12345;

	fired = 0;
	host_step_add(each_step, NULL);
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned cpu, others;

		x = x * 1664525 + 1013904223;
		cpu = x >> 16 & 3;
		ck_assert_int_eq(irq_set_affinity(p, 0, cpu), 0);
		others = total(0) - seen[0][cpu];
		host_time_advance(NSEC_PER_USEC);
		ck_assert_uint_eq(fired, total(0));
		ck_assert_uint_eq(total(0) - seen[0][cpu], others);
	}
	host_step_remove(NULL);
	ck_assert_uint_ge(fired, ROUNDS);
	ck_assert_uint_eq(irq_vectors_count(p, 0), fired);
	ck_assert_uint_eq(strays(), 0);
	ck_assert_uint_eq(msi_refused(0), 0);
}

START_TEST(ten_thousand_moves_lose_and_double_nothing)
{
	move_under_fire();
}
END_TEST

START_TEST(a_mask_of_the_driver_stays)
{
	msi_mask(p, 0, true);
	ck_assert_int_eq(irq_set_affinity(p, 0, 1), 0);
	fake_pci_fire(&f, 0);
	ck_assert_uint_eq(total(0), 0);
	msi_mask(p, 0, false);
	ck_assert_uint_eq(seen[0][1], 1);
}
END_TEST

/* ---- refusals ---- */

static void stays(unsigned nr, unsigned cpu, int want)
{
	uint32_t entry[4];
	unsigned was = (unsigned)irq_vectors_cpu(p, nr);

	memcpy(entry, f.msix[nr], sizeof(entry));
	ck_assert_int_eq(irq_set_affinity(p, nr, cpu), want);
	ck_assert_mem_eq(entry, f.msix[nr], sizeof(entry));
	expect_on(nr, was);
	ck_assert_uint_eq(strays(), 0);
}

START_TEST(what_makes_no_sense_is_refused)
{
	stays(0, CPUS, -EINVAL);
	ck_assert_int_eq(irq_set_affinity(p, 4, 0), -EINVAL);
	msi_disconnect(p, 3);
	ck_assert_int_eq(irq_set_affinity(p, 3, 0), -ENOENT);
}
END_TEST

START_TEST(a_cpu_that_does_not_answer_keeps_its_vector)
{
	host_fail_calls(true);
	stays(0, 1, -ETIMEDOUT);
	ck_assert(host_logged("vector 0 stays on CPU 0: -ETIMEDOUT"));
	host_fail_calls(false);
	ck_assert_int_eq(irq_set_affinity(p, 0, 1), 0);
	expect_on(0, 1);
}
END_TEST

START_TEST(a_cpu_without_a_free_vector_is_no_place)
{
	unsigned n = 0;
	int v[256];

	while ((v[n] = irq_alloc(3, on_irq, seen[7], "full")) >= 0)
		n++;
	stays(0, 3, -ENOSPC);
	while (n-- > 0)
		irq_free(3, (unsigned)v[n]);
	ck_assert_int_eq(irq_set_affinity(p, 0, 3), 0);
	expect_on(0, 3);
}
END_TEST

START_TEST(the_way_home_is_always_open)
{
	struct vector_stats st = vector_stats(1);
	unsigned n = 0;
	int v[VECTOR_ROOM];

	ck_assert_int_eq(irq_set_affinity(p, 1, 2), 0);
	while ((v[n] = irq_alloc(1, on_irq, seen[7], "x")) >= 0)
		n++;
	ck_assert_int_eq(irq_set_affinity(p, 1, 1), 0);
	expect_on(1, 1);
	while (n--)
		irq_free(1, (unsigned)v[n]);
	ck_assert_uint_eq(vector_stats(1).used, st.used);
	ck_assert_uint_eq(vector_stats(1).reserved, st.reserved);
}
END_TEST

START_TEST(a_cpu_that_no_message_reaches_is_no_place)
{
	host_set_apic_id(3, 0x103);
	stays(0, 3, -EHOSTUNREACH);
}
END_TEST

static int second;

static void move_step(void *ctx)
{
	second = msi_move(p, 1, 3);
}

START_TEST(one_vector_of_a_device_moves_at_a_time)
{
	second = 0;
	host_step_add(move_step, NULL);
	ck_assert_int_eq(irq_set_affinity(p, 0, 2), 0);
	host_step_remove(NULL);
	ck_assert_int_eq(second, -EBUSY);
	expect_on(0, 2);
	expect_on(1, 1);
}
END_TEST

/* ---- MSI ---- */

static void setup_msi_masks(void)
{
	setup_msi(true);
}

static void setup_msi_plain(void)
{
	setup_msi(false);
}

START_TEST(msi_with_mask_bits_moves)
{
	for (unsigned i = 1; i < 9; i++) {
		ck_assert_int_eq(irq_set_affinity(p, 0, i % CPUS), 0);
		expect_on(0, i % CPUS);
	}
}
END_TEST

/* After each write the device may send: is it ours that it would send? */
static struct {
	uint32_t addr, data;
	unsigned foreign;
} wrote;

static void on_message(struct fake_pci *fp, unsigned off, unsigned width)
{
	const char *owner;

	memcpy(&wrote.addr, &fp->config[msi_at + MSI_ADDR], 4);
	memcpy(&wrote.data, &fp->config[msi_at + MSI_DATA_64], 2);
	owner = irq_name(wrote.addr >> 12 & 0xff, wrote.data);
	wrote.foreign += !owner || strcmp(owner, "test");
}

static void watch_message(void)
{
	memset(&wrote, 0, sizeof(wrote));
	memcpy(&wrote.addr, &f.config[msi_at + MSI_ADDR], 4);
	memcpy(&wrote.data, &f.config[msi_at + MSI_DATA_64], 2);
	f.on_config = on_message;
}

START_TEST(msi_without_mask_bits_moves_by_one_write)
{
	uint32_t data;

	watch_message();
	data = wrote.data;
	for (unsigned i = 1; i < 9; i++) {
		ck_assert_int_eq(irq_set_affinity(p, 0, i % CPUS), 0);
		ck_assert_uint_eq(wrote.data, data);
		expect_on(0, i % CPUS);
	}
	ck_assert_uint_eq(wrote.foreign, 0);
}
END_TEST

START_TEST(where_the_same_vector_is_taken_there_is_a_step_between)
{
	uint32_t data;

	watch_message();
	data = wrote.data;
	for (unsigned cpu = 1; cpu < CPUS; cpu++)
		ck_assert_int_eq(irq_alloc_at(cpu, data, on_irq, seen[7], "x"),
				 (int)data);
	ck_assert_int_eq(irq_set_affinity(p, 0, 2), 0);
	ck_assert_uint_ne(wrote.data, data);
	expect_on(0, 2);
	ck_assert_ptr_null(irq_name(0, wrote.data));	/* the step's */
	ck_assert_ptr_null(irq_name(0, data));
	ck_assert_uint_eq(wrote.foreign, 0);
	for (unsigned cpu = 1; cpu < CPUS; cpu++)
		irq_free(cpu, data);
}
END_TEST

START_TEST(no_step_between_and_it_stays)
{
	unsigned vector, taken = 0;

	watch_message();
	vector = wrote.data;
	for (unsigned v = IRQ_VECTOR_FIRST; v <= IRQ_VECTOR_LAST; v++)
		if (v != vector)
			taken += irq_alloc_at(v % 2, v, on_irq, seen[7],
					      "x") == (int)v;
	ck_assert_int_eq(irq_alloc_at(1, vector, on_irq, seen[7], "x"),
			 (int)vector);
	ck_assert_uint_eq(taken, VECTOR_ROOM - 1);
	ck_assert_int_eq(irq_set_affinity(p, 0, 1), -EBUSY);
	expect_on(0, 0);
	ck_assert_uint_eq(wrote.data, vector);
	for (unsigned v = IRQ_VECTOR_FIRST; v <= IRQ_VECTOR_LAST; v++)
		irq_free(v == vector ? 1 : v % 2, v);
}
END_TEST

START_TEST(a_step_that_is_refused_is_taken_back)
{
	uint32_t data;

	watch_message();
	data = wrote.data;
	host_set_apic_id(3, 0x103);
	ck_assert_int_eq(irq_set_affinity(p, 0, 3), -EHOSTUNREACH);
	ck_assert_ptr_null(irq_name(3, data));
	expect_on(0, 0);
	ck_assert_int_eq(irq_alloc_at(3, data, on_irq, seen[7], "x"),
			 (int)data);
	ck_assert_int_eq(irq_set_affinity(p, 0, 3), -EHOSTUNREACH);
	ck_assert_uint_eq(wrote.data, data);
	expect_on(0, 0);
	ck_assert_uint_eq(wrote.foreign, 0);
	irq_free(3, data);
}
END_TEST

START_TEST(ten_thousand_steps_lose_and_double_nothing)
{
	watch_message();
	move_under_fire();
	ck_assert_uint_eq(wrote.foreign, 0);
}
END_TEST

/* ---- remapped ---- */

START_TEST(an_entry_is_swapped_and_the_device_left_alone)
{
	uint32_t entry[4];

	expect_on(0, 0);
	memcpy(entry, f.msix[0], sizeof(entry));
	ck_assert_int_eq(irq_set_affinity(p, 0, 3), 0);
	ck_assert_mem_eq(entry, f.msix[0], sizeof(entry));
	ck_assert_uint_eq(fake_remap.swaps, 1);
	expect_on(0, 3);
	ck_assert_uint_eq(fake_remap.stale, 0);
}
END_TEST

START_TEST(a_remapped_message_on_its_way_is_taken_too)
{
	late.left = 1;
	late.addr = MSI_MSG_ADDR;
	late.data = fake_remap.entry[0].to.vector;
	host_step_add(late_step, NULL);
	ck_assert_int_eq(irq_set_affinity(p, 0, 2), 0);
	host_step_remove(NULL);
	ck_assert_uint_eq(late.left, 0);
	ck_assert_uint_eq(seen[0][0], 1);
	ck_assert_uint_eq(strays(), 0);
	expect_on(0, 2);
}
END_TEST

START_TEST(ten_thousand_swaps_lose_and_double_nothing)
{
	move_under_fire();
	ck_assert_uint_eq(fake_remap.stale, 0);
	ck_assert_uint_eq(fake_remap.blocked, 0);
}
END_TEST

/* RELIABILITY I9: what a forgotten flush looks like from here. */
START_TEST(an_entry_that_is_not_flushed_goes_to_nobody)
{
	expect_on(0, 0);
	fake_remap.no_flush = true;
	ck_assert_int_eq(irq_set_affinity(p, 0, 3), 0);
	fake_pci_fire(&f, 0);
	ck_assert_uint_eq(fake_remap.stale, 1);
	ck_assert_uint_eq(seen[0][3], 0);
	ck_assert_uint_eq(strays(), 1);
}
END_TEST

START_TEST(an_entry_that_cannot_be_set_stays)
{
	fake_remap.refuse = -ETIMEDOUT;
	stays(0, 2, -ETIMEDOUT);
}
END_TEST

/* ---- a CPU goes ---- */

START_TEST(rebalance_leaves_nothing_on_the_cpu)
{
	ck_assert_int_eq(irq_set_affinity(p, 0, 1), 0);
	ck_assert_int_eq(irq_rebalance(1), 0);
	for (unsigned nr = 0; nr < 4; nr++) {
		ck_assert_int_ne(irq_vectors_cpu(p, nr), 1);
		expect_on(nr, (unsigned)irq_vectors_cpu(p, nr));
		ck_assert_uint_eq(seen[nr][1], 0);
	}
	for (unsigned v = IRQ_VECTOR_FIRST; v <= IRQ_VECTOR_LAST; v++)
		ck_assert_ptr_null(irq_name(1, v));
	ck_assert_int_eq(irq_rebalance(CPUS), -EINVAL);
}
END_TEST

START_TEST(rebalance_goes_on_after_what_cannot_move)
{
	for (unsigned nr = 0; nr < 4; nr++)
		ck_assert_int_eq(irq_set_affinity(p, nr, 0), 0);
	host_fail_calls(true);
	ck_assert_int_eq(irq_rebalance(0), -ETIMEDOUT);
	host_fail_calls(false);
	expect_on(3, 0);
	ck_assert_int_eq(irq_rebalance(0), 0);
	for (unsigned nr = 0; nr < 4; nr++)
		expect_on(nr, (unsigned)irq_vectors_cpu(p, nr));
	ck_assert_uint_eq(seen[0][0] + seen[1][0] + seen[2][0], 0);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("msix", setup, teardown, 60);

	tcase_add_test(t, a_vector_moves_and_its_count_goes_on);
	tcase_add_test(t, to_where_it_is_is_no_move);
	tcase_add_test(t, the_old_vector_is_free_and_silent_afterwards);
	tcase_add_test(t,
		       a_message_on_its_way_is_taken_before_the_old_vector_goes);
	tcase_add_test(t, an_event_in_the_middle_comes_once_to_the_new_cpu);
	tcase_add_test(t, ten_thousand_moves_lose_and_double_nothing);
	tcase_add_test(t, a_mask_of_the_driver_stays);
	tcase_add_test(t, what_makes_no_sense_is_refused);
	tcase_add_test(t, a_cpu_that_does_not_answer_keeps_its_vector);
	tcase_add_test(t, a_cpu_without_a_free_vector_is_no_place);
	tcase_add_test(t, the_way_home_is_always_open);
	tcase_add_test(t, a_cpu_that_no_message_reaches_is_no_place);
	tcase_add_test(t, one_vector_of_a_device_moves_at_a_time);
	tcase_add_test(t, rebalance_leaves_nothing_on_the_cpu);
	tcase_add_test(t, rebalance_goes_on_after_what_cannot_move);

	t = suite_group("msi_masks", setup_msi_masks, teardown, 0);
	tcase_add_test(t, msi_with_mask_bits_moves);
	t = suite_group("msi", setup_msi_plain, teardown, 60);
	tcase_add_test(t, msi_without_mask_bits_moves_by_one_write);
	tcase_add_test(t,
		       where_the_same_vector_is_taken_there_is_a_step_between);
	tcase_add_test(t, no_step_between_and_it_stays);
	tcase_add_test(t, a_step_that_is_refused_is_taken_back);
	tcase_add_test(t, ten_thousand_steps_lose_and_double_nothing);

	t = suite_group("remapped", setup_remapped, teardown, 60);
	tcase_add_test(t, an_entry_is_swapped_and_the_device_left_alone);
	tcase_add_test(t, a_remapped_message_on_its_way_is_taken_too);
	tcase_add_test(t, ten_thousand_swaps_lose_and_double_nothing);
	tcase_add_test(t, an_entry_that_is_not_flushed_goes_to_nobody);
	tcase_add_test(t, an_entry_that_cannot_be_set_stays);
	tcase_add_test(t, rebalance_leaves_nothing_on_the_cpu);
	return suite_run("affinity");
}
