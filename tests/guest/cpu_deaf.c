/* SPDX-License-Identifier: MIT */
/*
 * Calls to a CPU that does not answer: one that has had its interrupts off for
 * longer than a call waits, and one that is still busy with the call itself. How
 * one could be fooled: a call that was given up may run later, on a stack that
 * is gone by then; so the deaf CPU gets its hearing back, and time to run it.
 */
#include "core/call.h"
#include "core/cpu.h"
#include "core/errno.h"
#include "core/report.h"
#include "sched/sched.h"

#define DEAF_WAIT	(60 * NSEC_PER_SEC)

static struct {
	bool deaf, hear;		/* atomic */
	unsigned late, ran;
} deaf;

/* With an end of its own, in case nobody lets it go. */
static void deaf_main(void *arg)
{
	irqflags_t flags = cpu_irq_save();

	__atomic_store_n(&deaf.deaf, true, __ATOMIC_RELEASE);
	poll_mem_until(__atomic_load_n(&deaf.hear, __ATOMIC_ACQUIRE),
		       time_now() + DEAF_WAIT);
	cpu_irq_restore(flags);
}

static void deaf_never(void *arg)
{
	__atomic_fetch_add(&deaf.late, 1, __ATOMIC_RELAXED);
}

static void deaf_run(void *arg)
{
	__atomic_fetch_add(&deaf.ran, 1, __ATOMIC_RELAXED);
}

static void deaf_slow(void *arg)
{
	nsec_t wait = CALL_WAIT + cpu_count() * CALL_WAIT_EACH;

	poll_mem_until(false, time_now() + wait + 200 * NSEC_PER_MSEC);
	deaf_run(arg);
}

KTEST(cpu, a_call_that_was_given_up_never_runs)
{
	unsigned cpu = cpu_count() - 1;
	struct thread *th;

	if (!cpu) {
		ktest_skip(t, "one CPU");
		return;
	}
	deaf.deaf = deaf.hear = false;
	deaf.late = deaf.ran = 0;
	KASSERT(t, !thread_create(cpu, deaf_main, NULL, "deaf", &th));
	KEXPECT_EQ(t, poll_mem_until(__atomic_load_n(&deaf.deaf,
						     __ATOMIC_ACQUIRE),
				     time_now() + DEAF_WAIT), 0);
	KEXPECT_EQ(t, -call_cpu(cpu, deaf_never, NULL), ETIMEDOUT);
	__atomic_store_n(&deaf.hear, true, __ATOMIC_RELEASE);
	thread_join(th);
	/* The next one takes the same way, and finds it free. */
	KEXPECT_EQ(t, call_cpu(cpu, deaf_run, NULL), 0);
	KEXPECT_EQ(t, deaf.ran, 1);
	KEXPECT_EQ(t, deaf.late, 0);
}

KTEST(cpu, a_call_that_has_begun_is_waited_for_to_its_end)
{
	unsigned cpu = cpu_count() - 1;

	if (!cpu) {
		ktest_skip(t, "one CPU");
		return;
	}
	deaf.ran = 0;
	KEXPECT_EQ(t, call_cpu(cpu, deaf_slow, NULL), 0);
	KEXPECT_EQ(t, deaf.ran, 1);
}
