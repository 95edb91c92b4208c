/* SPDX-License-Identifier: MIT */
/*
 * Is the clock right, and one for all CPUs? How one could be fooled: comparing it
 * with the source that its rate came from proves only our arithmetic, so every
 * counter of the machine is asked. And two CPUs that look at a shared time now and
 * then miss a small difference; here they play ping-pong, where what one reads
 * lies between two readings of the other, as tightly as can be.
 */
#include "core/clock.h"
#include "core/cpu.h"
#include "core/report.h"
#include "sched/sched.h"

#define CLOCK_TEST_ROUNDS	500
#define CLOCK_TEST_BUDGET	(200 * NSEC_PER_MSEC)	/* for one CPU */

/* Each within 0.1 %, and what it says itself that it is in doubt by. */
KTEST(time, every_witness_agrees_with_the_clock)
{
	static struct clock_witness w[CLOCK_WITNESSES];
	unsigned n = clock_witnesses(w), measured = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t off = (uint64_t)(w[i].ppb < 0 ? -w[i].ppb : w[i].ppb);

		if (w[i].source == CLOCK_NOMINAL)
			continue;	/* a label */
		measured += w[i].base != 0;
		KEXPECT_MSG(t, w[i].hz && off <= CLOCK_PPB_DISAGREE +
			    w[i].doubt, "%s says %llu Hz, we %llu",
			    clock_source_name(w[i].source),
			    (unsigned long long)w[i].hz,
			    (unsigned long long)clock_tsc_hz());
	}
	if (!measured && !n)
		ktest_skip(t, "no other counter here");
	ktest_metric("clock_witnesses", n, "count");
}

static struct {
	unsigned ball;			/* atomic; odd: the other CPU's turn */
	nsec_t there, end;
} ping;

static void ping_answer(void *arg)
{
	for (unsigned i = 0; i < CLOCK_TEST_ROUNDS; i++) {
		if (poll_mem_until(__atomic_load_n(&ping.ball, __ATOMIC_ACQUIRE)
				   == 2 * i + 1, ping.end))
			return;
		ping.there = time_now();
		__atomic_store_n(&ping.ball, 2 * i + 2, __ATOMIC_RELEASE);
	}
}

/* Returns the rounds that were played; *wrong: not in between. */
static unsigned ping_play(unsigned *wrong, nsec_t *best)
{
	unsigned i;

	for (i = 0; i < CLOCK_TEST_ROUNDS; i++) {
		nsec_t before = time_now(), after;

		__atomic_store_n(&ping.ball, 2 * i + 1, __ATOMIC_RELEASE);
		if (poll_mem_until(__atomic_load_n(&ping.ball, __ATOMIC_ACQUIRE)
				   == 2 * i + 2, ping.end))
			break;
		after = time_now();
		*wrong += ping.there < before || ping.there > after;
		*best = MIN(*best, after - before);
	}
	return i;
}

KTEST(time, an_answer_lies_between_question_and_receipt)
{
	unsigned played = 0, wrong = 0;
	nsec_t best = NSEC_NEVER;

	if (cpu_count() == 1) {
		ktest_skip(t, "one CPU");
		return;
	}
	for (unsigned cpu = 1; cpu < MIN(cpu_count(), 9u); cpu++) {
		struct thread *other;

		ping.ball = 0;
		ping.end = time_now() + CLOCK_TEST_BUDGET;
		KASSERT(t, !thread_create(cpu, ping_answer, NULL, "ping",
					  &other));
		played += ping_play(&wrong, &best);
		thread_join(other);
	}
	KEXPECT_EQ(t, wrong, 0);
	KEXPECT(t, played > 0);
	ktest_metric("ping_rounds", played, "count");
	ktest_metric("ping_best", best, "ns");
}

/* clock.skew= makes one that differs, where the host allows it. */
KTEST(time, a_cpu_whose_tsc_differs_is_corrected)
{
	unsigned corrected = 0, measured = 0;

	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		struct clock_skew_ns s;
		int64_t left;

		clock_skew(cpu, &s);
		if (!s.measured)
			continue;
		measured++;
		corrected += s.applied != 0;
		left = s.behind - s.applied;
		KEXPECT_MSG(t, (uint64_t)(left < 0 ? -left : left) <=
			    s.bound + 1, "CPU %u: %lld ns are left, beyond %llu",
			    cpu, (long long)left, (unsigned long long)s.bound);
	}
	if (cpu_count() == 1)
		ktest_skip(t, "one CPU");
	else
		KEXPECT(t, measured > 0);
	ktest_metric("skews_measured", measured, "count");
	ktest_metric("skews_corrected", corrected, "count");
}
