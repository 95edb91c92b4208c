/* SPDX-License-Identifier: MIT */
/*
 * msi/watch.c: an interrupt that never came is found by the second look, and
 * one that is only late is not called lost.
 */
#include <check.h>
#include <string.h>

#include "core/cmdline.h"
#include "core/cpu.h"
#include "core/errno.h"
#include "core/irq.h"
#include "msi/irqs.h"
#include "msi/msi.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

#define TICK	(250 * NSEC_PER_MSEC)

static struct fake_pci f;
static struct pci_dev *p;
static struct work {
	unsigned done, waiting, looked, cpu;
	bool irqs_on;
} work[2];

static void on_irq(void *arg)
{
	struct work *w = arg;

	w->irqs_on = cpu_irqs_on();
	w->cpu = cpu_id();
	w->done += w->waiting;
	w->waiting = 0;
}

static bool waits(void *arg)
{
	struct work *w = arg;

	w->looked++;
	return w->waiting;
}

static void connect(unsigned nr)
{
	ck_assert_int_eq(irq_vectors_connect(p, nr, on_irq, &work[nr], "test"),
			 0);
	ck_assert_int_eq(irq_watch(p, nr, waits), 0);
}

static void setup_with(bool msix)
{
	host_start();
	host_set_cpus(2);
	memset(work, 0, sizeof(work));
	fake_pci_init(&f, PCI_BDF(0, 5, 0), 0x1b36, 0x10, 0x010802);
	fake_pci_bar(&f, 0, 0x10000, true, NULL, NULL);
	f.config[0x3d] = 1;
	if (msix)
		fake_pci_msix(&f, 2, 0, 0x2000, 0);
	fake_pci_add(&f);
	p = host_pci_probe(&f);
	ck_assert_ptr_nonnull(p);
	pci_enable_memory(p);
	ck_assert_int_eq(pci_enable_master(p), 0);
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 2, NULL), msix ? 2 : 1);
	connect(0);
}

static void setup(void)
{
	setup_with(true);
}

static void setup_pin(void)
{
	setup_with(false);
}

static void teardown(void)
{
	irq_vectors_free(p);
	host_finish();
}

static unsigned look(void)
{
	host_time_advance(TICK);
	return irq_watch_look(p);
}

START_TEST(the_second_look_finds_it_and_does_the_work)
{
	for (unsigned i = 1; i <= 3; i++) {
		work[0].waiting = 5;
		ck_assert_uint_eq(look(), 0);
		ck_assert_uint_eq(work[0].done, 5 * (i - 1));
		ck_assert_uint_eq(look(), 1);
		ck_assert_uint_eq(work[0].done, 5 * i);
		ck_assert(!work[0].irqs_on);
		ck_assert_uint_eq(irq_watch_lost(p, 0), i);
	}
	ck_assert_uint_eq(look(), 0);
	ck_assert_ptr_null(strstr(strstr(host_log(), "interrupt lost") + 1,
				  "interrupt lost"));
}
END_TEST

START_TEST(two_looks_at_one_time_are_one)
{
	work[0].waiting = 1;
	look();
	for (unsigned i = 0; i < 100; i++)
		ck_assert_uint_eq(irq_watch_look(p), 0);
	host_time_advance(IRQ_WATCH_GRACE);
	ck_assert_uint_eq(irq_watch_look(p), 1);
}
END_TEST

START_TEST(no_work_no_loss)
{
	for (unsigned i = 0; i < 10; i++)
		ck_assert_uint_eq(look(), 0);
	ck_assert_uint_eq(work[0].looked, 10);
}
END_TEST

/* There is always something to do, and always an interrupt for it. */
START_TEST(a_busy_device_is_not_suspected)
{
	for (unsigned i = 0; i < 10; i++) {
		work[0].waiting = 1;
		fake_pci_fire(&f, 0);
		work[0].waiting = 1;
		ck_assert_uint_eq(look(), 0);
	}
}
END_TEST

static void late_step(void *ctx)
{
	fake_pci_fire(&f, 0);
}

/* It is in the CPU's IRR when the CPU is asked: the CPU takes it itself. */
START_TEST(an_interrupt_that_is_only_late_is_not_lost)
{
	work[0].waiting = 1;
	look();
	host_time_advance(TICK);
	host_step_add(late_step, NULL);
	ck_assert_uint_eq(irq_watch_look(p), 0);
	host_step_remove(NULL);
	ck_assert_uint_eq(work[0].done, 1);
	ck_assert_uint_eq(irq_watch_lost(p, 0), 0);
}
END_TEST

static unsigned was_in_service;

/* The interrupt is taken between two questions, and more work comes at once. */
static void taken_step(void *ctx)
{
	if (was_in_service++)
		return;
	host_run_as(0);
	cpu_irq_restore(0x200);
	fake_pci_fire(&f, 0);
	cpu_irq_save();
	work[0].waiting = 7;
}

START_TEST(new_work_after_a_late_interrupt_is_no_loss)
{
	was_in_service = 0;
	work[0].waiting = 1;
	look();
	host_time_advance(TICK);
	host_step_add(taken_step, NULL);
	ck_assert_uint_eq(irq_watch_look(p), 0);
	host_step_remove(NULL);
	ck_assert_uint_eq(was_in_service, 1);
	ck_assert_uint_eq(work[0].done, 1);
	ck_assert_uint_eq(work[0].waiting, 7);
}
END_TEST

START_TEST(a_cpu_that_does_not_answer_is_given_more_time)
{
	work[0].waiting = 1;
	look();
	host_fail_calls(true);
	ck_assert_uint_eq(look(), 0);
	host_fail_calls(false);
	ck_assert_uint_eq(look(), 1);
}
END_TEST

START_TEST(a_vector_that_its_driver_masked_is_left_alone)
{
	msi_mask(p, 0, true);
	work[0].waiting = 1;
	fake_pci_fire(&f, 0);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_uint_eq(look(), 0);
	msi_mask(p, 0, false);
	ck_assert_uint_eq(work[0].done, 1);
}
END_TEST

static unsigned at_once;

static bool another_looks(void *arg)
{
	if (work[0].looked < 10)	/* else it would never end */
		at_once += irq_watch_look(p);
	return waits(arg);
}

START_TEST(one_loss_is_counted_once_when_two_threads_look)
{
	at_once = 0;
	ck_assert_int_eq(irq_watch(p, 0, another_looks), 0);
	work[0].waiting = 1;
	look();
	ck_assert_uint_eq(look(), 1);
	ck_assert_uint_eq(at_once, 0);
	ck_assert_uint_eq(irq_watch_lost(p, 0), 1);
	ck_assert_uint_eq(work[0].looked, 3);
}
END_TEST

/* For 200 ms the CPU does nothing else. */
static void on_storm(void *arg)
{
	struct work *w = arg;

	host_time_advance(NSEC_PER_USEC);
	if (!msi_masked(p, 0) && w->done++ < 200000)
		fake_pci_fire(&f, 0);
}

START_TEST(a_vector_that_a_storm_has_masked_is_found)
{
	irq_vectors_free(p);
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 2, NULL), 2);
	ck_assert_int_eq(irq_vectors_connect(p, 0, on_storm, &work[0], "test"),
			 0);
	ck_assert_int_eq(irq_watch(p, 0, waits), 0);
	fake_pci_fire(&f, 0);
	ck_assert(msi_masked(p, 0));
	ck_assert_uint_lt(work[0].done, 200000);
	work[0].waiting = 1;
	look();
	ck_assert_uint_eq(look(), 1);
	ck_assert_int_eq(irq_set_affinity(p, 0, 1), 0);
	ck_assert(msi_masked(p, 0));
	msi_mask(p, 0, false);
	ck_assert(!msi_masked(p, 0));
}
END_TEST

/* RELIABILITY I5: and when the mask goes, the late interrupt is harmless. */
START_TEST(a_vector_masked_behind_its_drivers_back_is_found)
{
	f.msix[0][3] |= 1;
	work[0].waiting = 1;
	fake_pci_fire(&f, 0);
	look();
	ck_assert_uint_eq(look(), 1);
	ck_assert_uint_eq(work[0].done, 1);
	ck_assert(host_logged("vector 0: interrupt lost, found by looking "
			      "(it is masked)"));
	msi_mask(p, 0, false);
	ck_assert_uint_eq(irq_vectors_count(p, 0), 1);
	ck_assert_uint_eq(work[0].done, 1);
}
END_TEST

START_TEST(each_vector_is_watched_by_itself)
{
	connect(1);
	work[1].waiting = 1;
	look();
	work[0].waiting = 1;
	ck_assert_uint_eq(look(), 1);
	ck_assert_uint_eq(irq_watch_lost(p, 1), 1);
	ck_assert_uint_eq(irq_watch_lost(p, 0), 0);
	ck_assert_int_eq(irq_vectors_cpu(p, 1), 1);
	ck_assert_uint_eq(work[1].cpu, 1);
	ck_assert_uint_eq(look(), 1);
	ck_assert_uint_eq(irq_watch_lost(p, 0), 1);
	ck_assert_uint_eq(irq_watch_lost(p, 2), 0);
}
END_TEST

START_TEST(only_connected_vectors_are_watched)
{
	ck_assert_int_eq(irq_watch(p, 1, waits), -EINVAL);
	ck_assert_int_eq(irq_watch(p, 2, waits), -EINVAL);
	ck_assert_int_eq(irq_watch(p, 0, NULL), 0);
	work[0].waiting = 1;
	look();
	ck_assert_uint_eq(look(), 0);
	ck_assert_uint_eq(work[0].looked, 0);
}
END_TEST

START_TEST(a_pin_is_watched_too)
{
	work[0].waiting = 1;
	look();
	ck_assert_uint_eq(look(), 1);
	ck_assert_uint_eq(work[0].done, 1);
	ck_assert_uint_eq(irq_watch_lost(p, 0), 1);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("messages", setup, teardown, 0);

	tcase_add_test(t, the_second_look_finds_it_and_does_the_work);
	tcase_add_test(t, two_looks_at_one_time_are_one);
	tcase_add_test(t, no_work_no_loss);
	tcase_add_test(t, a_busy_device_is_not_suspected);
	tcase_add_test(t, an_interrupt_that_is_only_late_is_not_lost);
	tcase_add_test(t, new_work_after_a_late_interrupt_is_no_loss);
	tcase_add_test(t, a_cpu_that_does_not_answer_is_given_more_time);
	tcase_add_test(t, a_vector_that_its_driver_masked_is_left_alone);
	tcase_add_test(t, one_loss_is_counted_once_when_two_threads_look);
	tcase_add_test(t, a_vector_that_a_storm_has_masked_is_found);
	tcase_add_test(t, a_vector_masked_behind_its_drivers_back_is_found);
	tcase_add_test(t, each_vector_is_watched_by_itself);
	tcase_add_test(t, only_connected_vectors_are_watched);

	t = suite_group("pin", setup_pin, teardown, 0);
	tcase_add_test(t, a_pin_is_watched_too);
	return suite_run("watch");
}
