/* SPDX-License-Identifier: MIT */
/*
 * Time and timers on the running machine. A timer that fires early would look
 * better in every measurement, so that is what all of these check first; being
 * late is measured and not judged, because a busy host is late.
 */
#include "core/cpu.h"
#include "core/report.h"
#include "sched/sched.h"

#define TIME_TEST_ROUNDS	64

KTEST(time, sleeps_are_never_early)
{
	static const nsec_t length[] = {
		10 * NSEC_PER_USEC, 100 * NSEC_PER_USEC, NSEC_PER_MSEC,
		5 * NSEC_PER_MSEC, 20 * NSEC_PER_MSEC,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(length); i++) {
		for (unsigned n = 0; n < 5; n++) {
			nsec_t until = time_now() + length[i], woke;

			thread_sleep_until(until);
			woke = time_now();
			KEXPECT_MSG(t, woke >= until,
				    "%llu ns early of %llu us",
				    (unsigned long long)(until - woke),
				    (unsigned long long)(length[i] / 1000));
		}
	}
}

/* Sorted insertion into late[0..n). */
static void time_test_insert(nsec_t *late, unsigned n, nsec_t ns)
{
	for (; n > 0 && late[n - 1] > ns; n--)
		late[n] = late[n - 1];
	late[n] = ns;
}

KTEST(time, how_late_sleeps_of_a_millisecond_are)
{
	nsec_t late[TIME_TEST_ROUNDS];

	for (unsigned n = 0; n < TIME_TEST_ROUNDS; n++) {
		nsec_t until = time_now() + NSEC_PER_MSEC, woke;

		thread_sleep_until(until);
		woke = time_now();
		KASSERT(t, woke >= until);
		time_test_insert(late, n, woke - until);
	}
	ktest_metric("sleep_late_p50", late[TIME_TEST_ROUNDS / 2], "ns");
	ktest_metric("sleep_late_max", late[TIME_TEST_ROUNDS - 1], "ns");
}

struct time_test_alarm {
	struct timer timer;
	unsigned fired, cpu, order;
	nsec_t at;
	bool irqs_on;
};

static unsigned time_test_order;

static void time_test_fire(struct timer *timer)
{
	struct time_test_alarm *a = container_of(timer, struct time_test_alarm,
						 timer);

	a->fired++;
	a->at = time_now();
	a->cpu = cpu_id();
	a->irqs_on = cpu_irqs_on();
	a->order = __atomic_fetch_add(&time_test_order, 1, __ATOMIC_RELAXED);
}

static void time_test_start(struct time_test_alarm *a, nsec_t when)
{
	*a = (struct time_test_alarm){ .fired = 0 };
	timer_init(&a->timer, time_test_fire);
	timer_start(&a->timer, when);
}

/* Until it has fired, or not in 5 s; then long enough for a second time. */
static unsigned time_test_fired(const struct time_test_alarm *a)
{
	nsec_t end = MAX(time_now(), a->timer.when) + 5 * NSEC_PER_SEC;

	do
		thread_sleep(2 * NSEC_PER_MSEC);
	while (!READ_ONCE(a->fired) && time_now() < end);
	thread_sleep(2 * NSEC_PER_MSEC);
	return READ_ONCE(a->fired);
}

KTEST(time, a_deadline_in_the_past_fires_once)
{
	static struct time_test_alarm a;

	time_test_start(&a, 0);
	KEXPECT_EQ(t, time_test_fired(&a), 1);
	KEXPECT(t, !a.irqs_on);
	time_test_start(&a, time_now());
	KEXPECT_EQ(t, time_test_fired(&a), 1);
	timer_cancel(&a.timer);
}

/* How many interrupts this CPU's timer made since then, itself included. */
static uint64_t time_test_irqs(uint64_t since)
{
	struct sched_stats st;

	sched_stats(cpu_id(), &st);
	return st.timer_irqs - since;
}

/*
 * The edges of a deadline (RELIABILITY S8). A storm would be an interrupt after
 * each arming that finds nothing due and arms again; some hundred in 20 ms.
 * The sleeps of the test itself make a few; a periodic tick twenty.
 */
static void time_test_edge(struct ktest_run *t, nsec_t when, unsigned fires)
{
	static struct time_test_alarm a;
	uint64_t before = time_test_irqs(0), irqs;
	nsec_t start = time_now(), end = start + 20 * NSEC_PER_MSEC;

	time_test_start(&a, when);
	do
		thread_sleep_until(MAX(time_now(), end));
	while (READ_ONCE(a.fired) < fires && time_now() < end +
	       5 * NSEC_PER_SEC);
	irqs = time_test_irqs(before);
	KEXPECT_EQ(t, READ_ONCE(a.fired), fires);
	KEXPECT(t, !fires || a.at >= when);
	KEXPECT_MSG(t, irqs <= 20 + (time_now() - start) / NSEC_PER_MSEC,
		    "no storm: %llu interrupts", (unsigned long long)irqs);
	timer_cancel(&a.timer);
}

KTEST(time, deadlines_of_zero_now_and_just_gone_fire_once)
{
	time_test_edge(t, 0, 1);
	time_test_edge(t, 1, 1);
	time_test_edge(t, time_now(), 1);
	time_test_edge(t, time_now() - 1, 1);
}

KTEST(time, deadlines_at_the_end_of_time_do_not_fire)
{
	time_test_edge(t, NSEC_NEVER, 0);
	time_test_edge(t, NSEC_NEVER - 1, 0);
	time_test_edge(t, NSEC_NEVER / 2, 0);
	time_test_edge(t, time_now() + 1000000 * NSEC_PER_SEC, 0);
}

static struct {
	struct timer timer;
	unsigned fired, again;
} time_test_own;

static void time_test_rearm(struct timer *timer)
{
	time_test_own.fired++;
	if (time_test_own.again) {
		time_test_own.again--;
		timer_start(timer, 0);
	}
}

/* Each run is an interrupt of its own: threads and other timers get through. */
KTEST(time, a_timer_started_in_its_own_handler_fires_once_more)
{
	uint64_t before = time_test_irqs(0);
	nsec_t end = time_now() + 5 * NSEC_PER_SEC;

	timer_init(&time_test_own.timer, time_test_rearm);
	time_test_own.fired = 0;
	time_test_own.again = 1;
	timer_start(&time_test_own.timer, time_now());
	while (READ_ONCE(time_test_own.fired) < 2 && time_now() < end)
		thread_sleep(NSEC_PER_MSEC);
	thread_sleep(2 * NSEC_PER_MSEC);
	KEXPECT_EQ(t, READ_ONCE(time_test_own.fired), 2);
	KEXPECT(t, time_test_irqs(before) >= 2);
	timer_cancel(&time_test_own.timer);
}

KTEST(time, timers_fire_in_the_order_of_their_times)
{
	static struct time_test_alarm a[16];
	nsec_t start = time_now() + 2 * NSEC_PER_MSEC;
	irqflags_t flags;

	/* None may fire before all are armed, however slow this host is. */
	time_test_order = 0;
	flags = cpu_irq_save();
	for (unsigned i = 0; i < 16; i++)	/* 7 * i mod 16: all, mixed */
		time_test_start(&a[i], start +
				i * 7 % 16 * 200 * NSEC_PER_USEC);
	cpu_irq_restore(flags);
	for (unsigned i = 0; i < 16; i++) {
		KEXPECT_EQ(t, time_test_fired(&a[i]), 1);
		KEXPECT_EQ(t, a[i].order, i * 7 % 16);
		KEXPECT(t, a[i].at >= a[i].timer.when);
		timer_cancel(&a[i].timer);
	}
}

KTEST(time, an_armed_timer_can_be_put_off)
{
	static struct time_test_alarm a;
	nsec_t later = time_now() + 10 * NSEC_PER_MSEC;

	time_test_start(&a, time_now() + 2 * NSEC_PER_MSEC);
	timer_start(&a.timer, later);
	KEXPECT_EQ(t, time_test_fired(&a), 1);
	KEXPECT(t, a.at >= later);
	timer_cancel(&a.timer);
}

static void time_test_start_soon(void *arg)
{
	time_test_start(arg, time_now() + 10 * NSEC_PER_MSEC);
}

KTEST(time, a_timer_fires_on_the_cpu_that_started_it)
{
	static struct time_test_alarm a;

	for (unsigned cpu = 0; cpu < MIN(cpu_count(), 4u); cpu++) {
		struct thread *one;

		KASSERT(t, !thread_create(cpu, time_test_start_soon, &a,
					  "starter", &one));
		thread_join(one);
		KEXPECT_EQ(t, time_test_fired(&a), 1);
		KEXPECT_EQ(t, a.cpu, cpu);
		timer_cancel(&a.timer);
	}
}

KTEST(time, a_cancelled_timer_does_not_fire)
{
	static struct time_test_alarm a;

	for (unsigned cpu = 0; cpu < MIN(cpu_count(), 4u); cpu++) {
		struct thread *one;
		unsigned fired;

		KASSERT(t, !thread_create(cpu, time_test_start_soon, &a,
					  "starter", &one));
		thread_join(one);
		timer_cancel(&a.timer);
		fired = READ_ONCE(a.fired);	/* 1 on a very slow machine */
		thread_sleep_until(a.timer.when + 5 * NSEC_PER_MSEC);
		KEXPECT_EQ(t, READ_ONCE(a.fired), fired);
	}
}

/* The largest time that any CPU has seen; each look must not be below it. */
static struct {
	nsec_t latest;
	uint64_t looks, backwards;
	nsec_t end;
} time_test_clock;

static void time_test_look(void *arg)
{
	uint64_t looks = 0, backwards = 0;
	nsec_t seen, now;

	do {
		seen = __atomic_load_n(&time_test_clock.latest,
				       __ATOMIC_ACQUIRE);
		now = time_now();
		looks++;
		if (now < seen)
			backwards++;
		else
			__atomic_compare_exchange_n(&time_test_clock.latest,
						    &seen, now, false,
						    __ATOMIC_ACQ_REL,
						    __ATOMIC_RELAXED);
	} while (now < time_test_clock.end);
	__atomic_fetch_add(&time_test_clock.looks, looks, __ATOMIC_RELAXED);
	__atomic_fetch_add(&time_test_clock.backwards, backwards,
			   __ATOMIC_RELAXED);
}

KTEST(time, time_never_goes_back_from_cpu_to_cpu)
{
	struct thread *thread[4];
	unsigned n = MIN(cpu_count(), 4u), made = 0;

	time_test_clock.latest = 0;
	time_test_clock.looks = time_test_clock.backwards = 0;
	time_test_clock.end = time_now() + 50 * NSEC_PER_MSEC;
	for (; made < n; made++)
		if (thread_create(made, time_test_look, NULL, "clock",
				  &thread[made]))
			break;
	for (unsigned i = 0; i < made; i++)
		thread_join(thread[i]);
	KEXPECT_EQ(t, made, n);
	KEXPECT_EQ(t, time_test_clock.backwards, 0);
	KEXPECT(t, time_test_clock.looks > made);
	ktest_metric("clock_looks", time_test_clock.looks, "count");
}
