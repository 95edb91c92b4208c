/* SPDX-License-Identifier: MIT */
/*
 * Threads on the running machine.
 *
 * How one could be fooled: a lost wake-up hides behind the next timer or
 * interrupt, so nothing here waits with a time-out that would help it along;
 * time-outs are seconds, and running into one fails. A tick hides behind other
 * interrupts, so the timer's own are counted, on the CPU in question. Counts of
 * rounds shrink on a slow machine (each loop also ends after a while) but never
 * below what is stated. Other rooms' devices are quiet while this runs.
 */
#include "core/cpu.h"
#include "core/report.h"
#include "core/string.h"
#include "sched/sched.h"

#define SCHED_TEST_WAIT		(20 * NSEC_PER_SEC)	/* then it is lost */
#define SCHED_TEST_BUDGET	(500 * NSEC_PER_MSEC)
#define SCHED_TEST_ROUNDS	10000
#define SCHED_TEST_LEAST	50

static unsigned sched_test_last_cpu(void)
{
	return cpu_count() - 1;
}

static void sched_test_spin(nsec_t ns)
{
	nsec_t end = time_now() + ns;

	while (time_now() < end)
		cpu_relax();
}

static uint64_t sched_test_timer_irqs(unsigned cpu)
{
	struct sched_stats st;

	sched_stats(cpu, &st);
	return st.timer_irqs;
}

static void sched_test_nothing(void *arg)
{
}

/* Have cpu run something and idle again, so that no stale deadline is left. */
static void sched_test_settle(unsigned cpu)
{
	struct thread *t;

	if (!thread_create(cpu, sched_test_nothing, NULL, "settle", &t))
		thread_join(t);
	thread_sleep(5 * NSEC_PER_MSEC);
}

/* ---- ping-pong ---- */

struct sched_test_ball {
	struct waitq q[2];
	unsigned turn;			/* whose; 2: the game is over */
	unsigned rounds, lost;
};

static bool sched_test_my_turn(struct sched_test_ball *b, unsigned me)
{
	unsigned turn = READ_ONCE(b->turn);

	return turn == me || turn == 2;
}

static void sched_test_pass(struct sched_test_ball *b, unsigned to)
{
	WRITE_ONCE(b->turn, to);
	waitq_wake_one(&b->q[to & 1]);
}

static void sched_test_pong(void *arg)
{
	struct sched_test_ball *b = arg;

	for (;;) {
		if (wait_until(&b->q[1], sched_test_my_turn(b, 1),
			       time_now() + SCHED_TEST_WAIT))
			b->lost++;
		if (READ_ONCE(b->turn) == 2)
			return;
		sched_test_pass(b, 0);
	}
}

static void sched_test_ping(void *arg)
{
	struct sched_test_ball *b = arg;
	nsec_t end = time_now() + SCHED_TEST_BUDGET;

	while (b->rounds < SCHED_TEST_ROUNDS && !b->lost &&
	       (b->rounds < SCHED_TEST_LEAST || time_now() < end)) {
		sched_test_pass(b, 1);
		if (wait_until(&b->q[0], sched_test_my_turn(b, 0),
			       time_now() + SCHED_TEST_WAIT))
			b->lost++;
		b->rounds++;
	}
	WRITE_ONCE(b->turn, 2);
	waitq_wake_all(&b->q[1]);
}

/* Returns ns for one way, or 0 (after a failed check). */
static nsec_t sched_test_game(struct ktest_run *t, unsigned a, unsigned b)
{
	struct sched_test_ball ball = { .turn = 0 };
	struct thread *ping, *pong;
	nsec_t start;

	waitq_init(&ball.q[0]);
	waitq_init(&ball.q[1]);
	if (!KEXPECT_EQ(t, thread_create(b, sched_test_pong, &ball, "pong",
					 &pong), 0))
		return 0;
	start = time_now();
	if (!KEXPECT_EQ(t, thread_create(a, sched_test_ping, &ball, "ping",
					 &ping), 0))
		sched_test_ping(&ball);
	else
		thread_join(ping);
	start = time_now() - start;
	thread_join(pong);
	KEXPECT_EQ(t, ball.lost, 0);
	KEXPECT(t, ball.rounds >= SCHED_TEST_LEAST);
	return start / (2 * ball.rounds);
}

KTEST(sched, two_threads_on_one_cpu_play_ping_pong)
{
	unsigned cpu = sched_test_last_cpu();
	struct sched_stats before, after;
	nsec_t ns;

	sched_stats(cpu, &before);
	ns = sched_test_game(t, cpu, cpu);
	sched_stats(cpu, &after);
	KEXPECT(t, after.switches - before.switches >= 2 * SCHED_TEST_LEAST);
	ktest_metric("switch_same_cpu", ns, "ns");
}

KTEST(sched, two_threads_on_two_cpus_play_ping_pong)
{
	if (cpu_count() < 2) {
		ktest_skip(t, "one CPU");
		return;
	}
	ktest_metric("switch_cross_cpu", sched_test_game(t, 0, 1), "ns");
}

static bool sched_test_go;

static void sched_test_yield(void *arg)
{
	while (!READ_ONCE(sched_test_go))
		thread_yield();
	for (unsigned i = 0; i < 1000; i++) {
		++*(unsigned *)arg;
		thread_yield();
	}
}

KTEST(sched, two_threads_that_yield_take_turns)
{
	unsigned cpu = sched_test_last_cpu(), a = 0, b = 0;
	struct sched_stats before, after;
	struct thread *ta, *tb = NULL;
	nsec_t start;

	WRITE_ONCE(sched_test_go, false);
	KASSERT(t, !thread_create(cpu, sched_test_yield, &a, "a", &ta));
	KEXPECT(t, !thread_create(cpu, sched_test_yield, &b, "b", &tb));
	sched_stats(cpu, &before);
	start = time_now();
	WRITE_ONCE(sched_test_go, true);
	thread_join(ta);
	if (tb)
		thread_join(tb);
	start = time_now() - start;
	sched_stats(cpu, &after);
	KEXPECT_EQ(t, a + b, 2000);
	KEXPECT(t, after.switches - before.switches > 1000);
	ktest_metric("yield", start / 2000, "ns");
}

/* ---- creation ---- */

static void sched_test_count(void *arg)
{
	__atomic_fetch_add((unsigned *)arg, 1, __ATOMIC_RELAXED);
}

KTEST(sched, two_hundred_threads_are_created_and_joined)
{
	static struct thread *thread[200];
	unsigned ran = 0, created = 0;
	nsec_t start = time_now();

	for (; created < ARRAY_SIZE(thread); created++)
		if (thread_create(SCHED_ANY_CPU, sched_test_count, &ran,
				  "count", &thread[created]))
			break;
	for (unsigned i = 0; i < created; i++)
		thread_join(thread[i]);
	KEXPECT_EQ(t, created, ARRAY_SIZE(thread));
	KEXPECT_EQ(t, ran, created);
	ktest_metric("create_join_batch", (time_now() - start) / 200, "ns");
}

KTEST(sched, a_thread_is_created_and_joined_again_and_again)
{
	nsec_t start = time_now();
	unsigned ran = 0, n = 0;

	while (n < 1000 && (n < SCHED_TEST_LEAST ||
			    time_now() - start < SCHED_TEST_BUDGET)) {
		struct thread *one;

		KASSERT(t, !thread_create(cpu_id(), sched_test_count, &ran,
					  "one", &one));
		thread_join(one);
		n++;
		if (ran != n)
			break;
	}
	KEXPECT_EQ(t, ran, n);
	ktest_metric("create_join", (time_now() - start) / n, "ns");
}

static unsigned sched_test_detached;

KTEST(sched, detached_threads_end_by_themselves)
{
	struct sched_stats before, after;
	nsec_t end = time_now() + SCHED_TEST_WAIT;
	unsigned cpu = sched_test_last_cpu();

	sched_stats(cpu, &before);
	sched_test_detached = 0;
	for (unsigned i = 0; i < 20; i++)
		KASSERT(t, !thread_create(cpu, sched_test_count,
					  &sched_test_detached, "gone", NULL));
	do {
		thread_sleep(NSEC_PER_MSEC);
		sched_stats(cpu, &after);
	} while (after.threads > before.threads && time_now() < end);
	KEXPECT_EQ(t, READ_ONCE(sched_test_detached), 20);
	KEXPECT_EQ(t, after.threads, before.threads);
}

struct sched_test_late { nsec_t ns; unsigned done; };

static void sched_test_linger(void *arg)
{
	struct sched_test_late *l = arg;

	thread_sleep(l->ns);
	WRITE_ONCE(l->done, 1);
}

KTEST(sched, join_waits_for_the_end)
{
	for (unsigned cpu = 0; cpu < MIN(cpu_count(), 4u); cpu++) {
		struct sched_test_late l = { 5 * NSEC_PER_MSEC, 0 };
		nsec_t start = time_now();
		struct thread *one;

		KASSERT(t, !thread_create(cpu, sched_test_linger, &l, "linger",
					  &one));
		thread_join(one);
		KEXPECT(t, l.done);
		KEXPECT(t, time_now() - start >= l.ns);
	}
}

/* ---- wake-ups ---- */

static struct {
	struct waitq q;
	unsigned tokens, made, taken;
	nsec_t end;
	bool closed;
} sched_test_bank;

static bool sched_test_take(void)
{
	unsigned n = READ_ONCE(sched_test_bank.tokens);

	while (n && !__atomic_compare_exchange_n(&sched_test_bank.tokens, &n,
						 n - 1, false, __ATOMIC_SEQ_CST,
						 __ATOMIC_SEQ_CST))
		;
	if (n)
		__atomic_fetch_add(&sched_test_bank.taken, 1,
				   __ATOMIC_RELAXED);
	return n;
}

static void sched_test_consumer(void *arg)
{
	while (!READ_ONCE(sched_test_bank.closed))
		wait_until(&sched_test_bank.q, sched_test_take() ||
			   READ_ONCE(sched_test_bank.closed), NSEC_NEVER);
}

static void sched_test_producer(void *arg)
{
	for (unsigned i = 0; i < SCHED_TEST_ROUNDS / 4; i++) {
		if (i >= SCHED_TEST_LEAST && time_now() > sched_test_bank.end)
			return;
		__atomic_fetch_add(&sched_test_bank.made, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&sched_test_bank.tokens, 1,
				   __ATOMIC_SEQ_CST);
		waitq_wake_one(&sched_test_bank.q);
		if (i % 8 == 0)
			thread_yield();
	}
}

/* A token that nobody comes for is one whose wake-up was lost. */
static void sched_test_wait_empty(void)
{
	nsec_t end = time_now() + SCHED_TEST_WAIT;

	while (READ_ONCE(sched_test_bank.tokens) && time_now() < end)
		thread_sleep(NSEC_PER_MSEC);
}

static void sched_test_start(struct thread **thread, unsigned n,
			     void (*fn)(void *), struct ktest_run *t)
{
	for (unsigned i = 0; i < n; i++) {
		thread[i] = NULL;
		KEXPECT_EQ(t, thread_create(i % cpu_count(), fn, NULL, "bank",
					    &thread[i]), 0);
	}
}

static void sched_test_join(struct thread **thread, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (thread[i])
			thread_join(thread[i]);
}

/* One wake-up for each token and none to spare, from and to all CPUs. */
KTEST(sched, no_wake_up_is_lost)
{
	struct thread *consumer[4], *producer[4];

	memset(&sched_test_bank, 0, sizeof(sched_test_bank));
	waitq_init(&sched_test_bank.q);
	sched_test_bank.end = time_now() + SCHED_TEST_BUDGET;
	sched_test_start(consumer, 4, sched_test_consumer, t);
	sched_test_start(producer, 4, sched_test_producer, t);
	sched_test_join(producer, 4);
	sched_test_wait_empty();
	KEXPECT_EQ(t, sched_test_bank.tokens, 0);
	KEXPECT_EQ(t, sched_test_bank.taken, sched_test_bank.made);
	KEXPECT(t, sched_test_bank.made >= 4 * SCHED_TEST_LEAST);
	ktest_metric("wake_ups", sched_test_bank.made, "count");
	WRITE_ONCE(sched_test_bank.closed, true);
	waitq_wake_all(&sched_test_bank.q);
	sched_test_join(consumer, 4);
}

KTEST(sched, a_wait_times_out_and_not_early)
{
	struct waitq q;
	nsec_t until;

	waitq_init(&q);
	until = time_now() + 3 * NSEC_PER_MSEC;
	KEXPECT_EQ(t, -wait_until(&q, false, until), ETIMEDOUT);
	KEXPECT(t, time_now() >= until);
	KEXPECT_EQ(t, wait_until(&q, true, 0), 0);
	KEXPECT_EQ(t, -wait_until(&q, false, 0), ETIMEDOUT);
}

/* ---- no tick ---- */

/* tick=periodic is there to show what this is worth. */
static bool sched_test_ticks(struct ktest_run *t)
{
	bool ticks = strcmp(cpu_timer_name(), "lapic-periodic") == 0;

	if (ticks)
		ktest_skip(t, "a periodic tick was asked for");
	return ticks;
}

KTEST(sched, an_idle_cpu_takes_no_timer_interrupt)
{
	unsigned cpu = sched_test_last_cpu();
	/* Our own alarm may ring on it, early even, and be set again. */
	uint64_t before, own = cpu == cpu_id() ? 2 : 0;

	if (sched_test_ticks(t))
		return;
	sched_test_settle(cpu);
	before = sched_test_timer_irqs(cpu);
	thread_sleep(200 * NSEC_PER_MSEC);
	KEXPECT(t, sched_test_timer_irqs(cpu) - before <= own);
}

static void sched_test_busy_alone(void *arg)
{
	uint64_t before;

	thread_sleep(NSEC_PER_MSEC);
	before = sched_test_timer_irqs(cpu_id());
	sched_test_spin(100 * NSEC_PER_MSEC);
	*(uint64_t *)arg = sched_test_timer_irqs(cpu_id()) - before;
}

KTEST(sched, one_busy_thread_takes_no_timer_interrupt)
{
	uint64_t irqs = UINT64_MAX;
	struct thread *busy;

	if (sched_test_ticks(t))
		return;
	sched_test_settle(sched_test_last_cpu());
	KASSERT(t, !thread_create(sched_test_last_cpu(), sched_test_busy_alone,
				  &irqs, "busy", &busy));
	thread_join(busy);
	KEXPECT_EQ(t, irqs, 0);
}

KTEST(sched, idle_time_is_accounted)
{
	unsigned cpu = sched_test_last_cpu();
	struct sched_stats before, after;
	nsec_t start;

	sched_test_settle(cpu);
	start = time_now();
	sched_stats(cpu, &before);
	thread_sleep(50 * NSEC_PER_MSEC);
	sched_stats(cpu, &after);
	start = time_now() - start;
	KEXPECT(t, after.idle_ns - before.idle_ns <= start);
	KEXPECT(t, after.idle_ns - before.idle_ns >= 40 * NSEC_PER_MSEC);
}

/* ---- sharing ---- */

#define SCHED_TEST_TURNS	10

struct sched_test_share {
	unsigned count[2], turns[2];	/* work done; returns to the CPU */
	nsec_t end;
};

/* That the other one has worked since means that we were away: a turn. */
static void sched_test_burn(struct sched_test_share *s, unsigned me)
{
	unsigned seen = READ_ONCE(s->count[!me]), now;

	while ((READ_ONCE(s->turns[0]) < SCHED_TEST_TURNS ||
		READ_ONCE(s->turns[1]) < SCHED_TEST_TURNS) &&
	       time_now() < s->end) {
		WRITE_ONCE(s->count[me], s->count[me] + 1);
		now = READ_ONCE(s->count[!me]);
		if (now != seen)
			WRITE_ONCE(s->turns[me], s->turns[me] + 1);
		seen = now;
		cpu_relax();
	}
}

static void sched_test_burn_a(void *arg)
{
	sched_test_burn(arg, 0);
}

static void sched_test_burn_b(void *arg)
{
	sched_test_burn(arg, 1);
}

/* Neither blocks nor yields, and no slice is shorter than it should be. */
KTEST(sched, two_busy_threads_share_a_cpu_by_slices)
{
	struct sched_test_share s = { .end = time_now() + SCHED_TEST_WAIT };
	unsigned cpu = sched_test_last_cpu();
	struct sched_stats before, after;
	struct thread *a, *b = NULL;
	uint64_t slices, most;
	nsec_t start = time_now();

	sched_stats(cpu, &before);
	KASSERT(t, !thread_create(cpu, sched_test_burn_a, &s, "a", &a));
	if (thread_create(cpu, sched_test_burn_b, &s, "b", &b))
		s.end = 0;
	thread_join(a);
	if (b)
		thread_join(b);
	sched_stats(cpu, &after);
	slices = after.preemptions - before.preemptions;
	most = (time_now() - start) / SCHED_SLICE + 2;
	KEXPECT(t, s.turns[0] >= SCHED_TEST_TURNS);
	KEXPECT(t, s.turns[1] >= SCHED_TEST_TURNS);
	KEXPECT_MSG(t, slices <= most, "%llu slices, %llu would fit",
		    (unsigned long long)slices, (unsigned long long)most);
}

struct sched_test_hog { bool stop, stopped; };

static void sched_test_hog(void *arg)
{
	struct sched_test_hog *hog = arg;
	nsec_t end = time_now() + 5 * NSEC_PER_SEC;

	while (!READ_ONCE(hog->stop) && time_now() < end)
		;
	hog->stopped = READ_ONCE(hog->stop);
}

KTEST(sched, a_thread_that_never_yields_is_preempted)
{
	struct sched_test_hog hog = { false, false };
	struct thread *one;

	KASSERT(t, !thread_create(cpu_id(), sched_test_hog, &hog, "hog",
				  &one));
	thread_sleep(10 * NSEC_PER_MSEC);
	WRITE_ONCE(hog.stop, true);
	thread_join(one);
	KEXPECT(t, hog.stopped);
}

KTEST(sched, preempt_off_keeps_the_cpu)
{
	unsigned ran = 0;
	struct thread *rival;

	sched_preempt_off();
	if (thread_create(cpu_id(), sched_test_count, &ran, "rival", &rival)) {
		sched_preempt_on();
		KEXPECT_MSG(t, false, "no thread");
		return;
	}
	sched_test_spin(3 * SCHED_SLICE);
	KEXPECT_EQ(t, READ_ONCE(ran), 0);
	sched_preempt_on();
	for (unsigned i = 0; i < 1000 && !READ_ONCE(ran); i++)
		sched_test_spin(NSEC_PER_MSEC);	/* overdue: at once, if */
	KEXPECT_EQ(t, READ_ONCE(ran), 1);	/* the timer was in time */
	thread_join(rival);
}
