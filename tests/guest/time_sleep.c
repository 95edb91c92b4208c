/* SPDX-License-Identifier: MIT */
/*
 * Very many sleeps at once, of 10 us to 100 ms, each octave as often as any
 * other: none may end early, and no CPU may read a time that lies before one
 * that any other has read (RELIABILITY S7). How one could be fooled: threads that
 * take turns on an idle machine never meet a queue of timers, so dozens sleep
 * at a time, on all CPUs; and a clock that stands still would never be early, so
 * the sum of what was slept must have passed. Lateness is measured, not judged.
 *
 * By default as many as fit a few seconds; time.sleeps=100000 does all of those.
 */
#include "core/bits.h"
#include "core/cmdline.h"
#include "core/cpu.h"
#include "core/report.h"
#include "core/string.h"
#include "sched/sched.h"

#define SLEEPS			10000
#define SLEEPS_THREADS		64
#define SLEEPS_BUDGET		(4 * NSEC_PER_SEC)	/* of the default */
#define SLEEPS_PATIENCE		(900 * NSEC_PER_SEC)	/* of time.sleeps= */
#define SLEEPS_LEAST		(10 * NSEC_PER_USEC)
#define SLEEPS_MOST		(100 * NSEC_PER_MSEC)
#define SLEEPS_RANGE		1329	/* 100 log2(MOST / LEAST) */
#define SLEEPS_PARTS		8	/* of an octave, in the histogram */

static const struct cmdline_key key_sleeps = {
	"time.sleeps", "N", "sleeps in the time suite (default: some seconds)" };
CMDLINE_KEY(key_sleeps);

static struct {
	/* atomic: */
	uint64_t left, done, early, backwards;
	nsec_t latest, late_max;
	uint32_t late[64 * SLEEPS_PARTS];
	/* set before: */
	nsec_t end;
} sleeps;

struct sleeper {
	struct thread *thread;
	uint64_t random;
	nsec_t slept;
};

static uint32_t sleeps_random(struct sleeper *s)
{
	s->random = s->random * UINT64_C(6364136223846793005) + 1442695041;
	return (uint32_t)(s->random >> 33);
}

static nsec_t sleeps_length(struct sleeper *s)
{
	nsec_t octave = SLEEPS_LEAST << sleeps_random(s) % SLEEPS_RANGE / 100;

	return MIN(octave + sleeps_random(s) % octave, SLEEPS_MOST);
}

static void sleeps_max(nsec_t *max, nsec_t ns)
{
	nsec_t seen = __atomic_load_n(max, __ATOMIC_RELAXED);

	while (seen < ns &&
	       !__atomic_compare_exchange_n(max, &seen, ns, false,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

/* Its octave, and the first three bits below its highest. */
static unsigned sleeps_bucket(nsec_t ns)
{
	unsigned octave = ilog2(ns | SLEEPS_PARTS);

	return octave * SLEEPS_PARTS +
	       (unsigned)(ns >> (octave - 3)) % SLEEPS_PARTS;
}

static nsec_t sleeps_bucket_end(unsigned b)
{
	return (nsec_t)(SLEEPS_PARTS + b % SLEEPS_PARTS + 1)
	       << (b / SLEEPS_PARTS - 3);
}

static void sleeps_one(struct sleeper *s)
{
	nsec_t length = sleeps_length(s), seen, until, woke;

	until = time_now() + length;
	thread_sleep_until(until);
	seen = __atomic_load_n(&sleeps.latest, __ATOMIC_ACQUIRE);
	woke = time_now();
	if (woke < seen)
		__atomic_fetch_add(&sleeps.backwards, 1, __ATOMIC_RELAXED);
	sleeps_max(&sleeps.latest, woke);
	if (woke < until) {
		__atomic_fetch_add(&sleeps.early, 1, __ATOMIC_RELAXED);
		return;
	}
	s->slept += length;
	sleeps_max(&sleeps.late_max, woke - until);
	__atomic_fetch_add(&sleeps.late[sleeps_bucket(woke - until)], 1,
			   __ATOMIC_RELAXED);
}

static bool sleeps_take(void)
{
	uint64_t left = __atomic_load_n(&sleeps.left, __ATOMIC_RELAXED);

	while (left && !__atomic_compare_exchange_n(&sleeps.left, &left,
						    left - 1, false,
						    __ATOMIC_RELAXED,
						    __ATOMIC_RELAXED))
		;
	return left && time_now() < sleeps.end;
}

static void sleeps_main(void *arg)
{
	while (sleeps_take()) {
		sleeps_one(arg);
		__atomic_fetch_add(&sleeps.done, 1, __ATOMIC_RELAXED);
	}
}

static nsec_t sleeps_percentile(unsigned percent)
{
	uint64_t rank = sleeps.done * percent / 100, n = 0;
	unsigned b = 0;

	while (b < ARRAY_SIZE(sleeps.late) - 1 && (n += sleeps.late[b]) <= rank)
		b++;
	return MIN(sleeps_bucket_end(b), sleeps.late_max);
}

/* As many as there is memory for; the first must exist. */
static unsigned sleeps_start(struct sleeper *s)
{
	unsigned n = 0;

	while (n < SLEEPS_THREADS) {
		s[n] = (struct sleeper){ .random = n * 7919 + 1 };
		if (thread_create(n % cpu_count(), sleeps_main, &s[n],
				  "sleeper", &s[n].thread))
			break;
		n++;
	}
	return n;
}

KTEST(time, of_many_sleeps_none_is_early_and_time_never_goes_back)
{
	static struct sleeper s[SLEEPS_THREADS];
	bool all = cmdline_has("time.sleeps");
	uint64_t wanted = cmdline_u64("time.sleeps", SLEEPS);
	nsec_t start = time_now(), slept = 0;
	unsigned n;

	memset(&sleeps, 0, sizeof(sleeps));
	sleeps.left = wanted;
	sleeps.end = start + (all ? SLEEPS_PATIENCE : SLEEPS_BUDGET);
	n = sleeps_start(s);
	for (unsigned i = 0; i < n; i++) {
		thread_join(s[i].thread);
		slept += s[i].slept;
	}
	KEXPECT(t, n > 0);
	KEXPECT_EQ(t, sleeps.early, 0);
	KEXPECT_EQ(t, sleeps.backwards, 0);
	KEXPECT(t, sleeps.done > 0);
	if (all)
		KEXPECT_EQ(t, sleeps.done, wanted);
	KEXPECT(t, n == 0 || time_now() - start >= slept / n);
	ktest_metric("sleeps", sleeps.done, "count");
	ktest_metric("sleeps_late_p50", sleeps_percentile(50), "ns");
	ktest_metric("sleeps_late_p99", sleeps_percentile(99), "ns");
	ktest_metric("sleeps_late_max", sleeps.late_max, "ns");
}
