/* SPDX-License-Identifier: MIT */
/*
 * The whole of sched/, waitq.c above all, on a simulated machine with several
 * CPUs. The room's own sources are compiled into this file; what they need
 * of the kernel (time, locks, interrupts, stacks) is the machine below.
 *
 * Each CPU is a coroutine, and so is each thread. At every lock, unlock and
 * relax the machine may let time pass, deliver interrupts, and go on with
 * another CPU, as a random generator says: each seed is another interleaving,
 * and the same one each time. A machine on which everybody sleeps and no timer
 * is armed has lost a wake-up; it fails the test. Stacks are switched by the
 * kernel's own switch.S, and freed ones are poisoned.
 */
#include <asm/prctl.h>
#include <check.h>
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/heap.h"
#include "core/irq.h"
#include "core/lock.h"
#include "core/panic.h"
#include "core/percpu.h"
#include "core/vm.h"
#include "tests/host/suite.h"

#define sched_arch_switch sim_switch	/* ASan must be told */
#include "sched/clockevent.c"
#include "sched/runq.c"
#include "sched/sched.c"
#include "sched/thread.c"
#include "sched/timer.c"
#include "sched/timerq.c"
#include "sched/waitq.c"
#undef sched_arch_switch

__asm__(".include \"sched/switch.S\"; .text");
void sched_arch_switch(void **save, void *to);

/* ---- the machine ---- */

#define SIM_CPUS	4
#define SIM_STACK	(256 * 1024)
#define SIM_PATIENCE	20000000	/* steps of one test */

struct sim_ctx {
	void *sp;
	void *fake;			/* ASan's, as are the next two */
	const void *bottom;
	size_t size;
};

struct sim_cpu {
	struct percpu percpu;
	struct sim_ctx *ctx;		/* where it goes on */
	struct sim_ctx first;
	bool irqs_on, halted;
	unsigned pending;		/* bit n: vector IRQ_VECTOR_TIMER + n */
	nsec_t armed;
	unsigned ipis;			/* sent to it */
};

static struct {
	struct sim_cpu cpu[SIM_CPUS];
	unsigned ncpus, cur;
	nsec_t now;
	irq_fn *fn[16];
	unsigned stacks;		/* in use */
	unsigned steps;
	nsec_t stride;			/* time passes by at most that */
	bool quiet;			/* no interleaving */
	nsec_t period;			/* a tick that goes on and on, or 0 */
	unsigned drop;			/* CPU 1 loses one timer in so many */
	unsigned dropped, revived;
	uint64_t random;
} sim;

static struct percpu *volatile sim_gs;		/* GS's base is here */
static struct sim_ctx *sim_from;
void (*percpu_irq_exit)(void);
const char *(*percpu_thread_name)(const struct percpu *p);

static unsigned sim_random(unsigned n)
{
	sim.random = sim.random * UINT64_C(6364136223846793005) + 1442695;
	return (unsigned)(sim.random >> 33) % n;
}

static struct sim_cpu *sim_cpu(void)
{
	return &sim.cpu[sim.cur];
}

static void sim_arrived(struct sim_ctx *self)
{
	const void *bottom;
	size_t size;

	__sanitizer_finish_switch_fiber(self->fake, &bottom, &size);
	sim_from->bottom = bottom;
	sim_from->size = size;
}

static void sim_go(struct sim_ctx *from, struct sim_ctx *to)
{
	sim_from = from;
	__sanitizer_start_switch_fiber(&from->fake, to->bottom, to->size);
	sched_arch_switch(&from->sp, to->sp);
	sim_arrived(from);
}

/* fn on a new stack, as switch.S wants to find it. */
static void sim_make(struct sim_ctx *c, char *base, size_t size,
		     void (*fn)(void))
{
	void **top = (void **)ALIGN_DOWN((uintptr_t)(base + size), 16) - 1;

	memset(top - 7, 0, 8 * sizeof(*top));
	top[-1] = fn;			/* rip; then, as by a call, */
	top[0] = NULL;			/* a return address */
	*c = (struct sim_ctx){ top - 7, NULL, base, size };
}

/* Go on with another CPU. */
static void sim_run(unsigned next)
{
	struct sim_ctx self = { 0 };

	if (next == sim.cur)
		return;
	sim_cpu()->ctx = &self;
	sim.cur = next;
	sim_gs = &sim.cpu[next].percpu;
	sim_go(&self, sim.cpu[next].ctx);
}

static void sim_clock(nsec_t ns)
{
	sim.now += ns;
	for (unsigned i = 0; i < sim.ncpus; i++) {
		if (sim.cpu[i].armed > sim.now)
			continue;
		sim.cpu[i].armed = sim.period ? sim.now + sim.period :
						NSEC_NEVER;
		if (i == 1 && sim.drop && sim_random(sim.drop) == 0) {
			sim.dropped++;
			continue;
		}
		sim.cpu[i].pending |= 1u << (IRQ_VECTOR_TIMER & 15);
	}
}

/* As core/trap.c does. */
static void sim_interrupts(void)
{
	while (sim_cpu()->irqs_on && sim_cpu()->pending) {
		struct sim_cpu *c = sim_cpu();
		unsigned n = 31 - __builtin_clz(c->pending);

		c->pending &= ~(1u << n);
		c->irqs_on = false;
		c->percpu.in_irq++;
		sim.fn[n](NULL);
		c->percpu.in_irq--;
		percpu_irq_exit();
		c->irqs_on = true;
	}
}

static bool sim_can_run(const struct sim_cpu *c)
{
	return !c->halted || c->pending;
}

/* Anything may happen here. */
static void sim_step(void)
{
	unsigned next;

	if (sim.quiet)
		return;
	if (++sim.steps > SIM_PATIENCE)
		panic("sim: this does not end");
	sim_clock(sim_random(sim.stride + 1));
	next = sim_random(2 * sim.ncpus);
	if (next < sim.ncpus && sim_can_run(&sim.cpu[next]))
		sim_run(next);
	sim_interrupts();
}

/* Until an interrupt is pending here. */
static void sim_halt(struct sim_cpu *c)
{
	c->halted = true;
	while (!c->pending) {
		nsec_t when = NSEC_NEVER;
		unsigned start = sim_random(sim.ncpus), i;

		for (i = 0; i < sim.ncpus; i++)
			if (sim_can_run(&sim.cpu[(start + i) % sim.ncpus]))
				break;
		if (i < sim.ncpus) {
			sim_run((start + i) % sim.ncpus);
			continue;
		}
		for (i = 0; i < sim.ncpus; i++)
			when = MIN(when, sim.cpu[i].armed);
		if (when == NSEC_NEVER)
			panic("sim: everybody sleeps for ever");
		sim_clock(when - sim.now);
	}
	c->halted = false;
}

/* ---- what sched/ sees of it ---- */

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

/* No place where anything else may happen. */
void log_line(enum log_level level, const char *who, const char *fmt, ...)
{
}

nsec_t time_now(void)
{
	return sim.now;
}

void cpu_relax(void)
{
	sim_clock(100);
	sim_step();
}

unsigned cpu_id(void)
{
	return sim.cur;
}

unsigned cpu_count(void)
{
	return sim.ncpus;
}

struct percpu *percpu_of(unsigned cpu)
{
	return &sim.cpu[cpu].percpu;
}

irqflags_t cpu_irq_save(void)
{
	irqflags_t flags = sim_cpu()->irqs_on;

	sim_cpu()->irqs_on = false;
	return flags;
}

void cpu_irq_restore(irqflags_t flags)
{
	sim_cpu()->irqs_on = flags;
	sim_step();
}

bool cpu_irqs_on(void)
{
	return sim_cpu()->irqs_on;
}

void cpu_send_ipi(unsigned cpu, unsigned vector)
{
	sim.cpu[cpu].pending |= 1u << (vector & 15);
	sim.cpu[cpu].ipis++;
}

void cpu_timer_arm(nsec_t deadline)
{
	ck_assert(!sim_cpu()->irqs_on);
	if (!sim.period)
		sim_cpu()->armed = deadline;
}

void cpu_timer_revive(void)
{
	ck_assert(!sim_cpu()->irqs_on);
	sim.revived++;
}

nsec_t cpu_timer_period(void)
{
	return sim.period;
}

bool cpu_timer_pending(void)
{
	ck_assert(!sim_cpu()->irqs_on);
	return sim_cpu()->pending >> (IRQ_VECTOR_TIMER & 15) & 1;
}

void irq_set_system(unsigned vector, irq_fn *fn, const char *name)
{
	sim.fn[vector & 15] = fn;
}

void spin_init(struct spinlock *l, const char *name)
{
	*l = (struct spinlock)SPINLOCK_INIT(name);
}

irqflags_t spin_lock(struct spinlock *l)
{
	irqflags_t flags = cpu_irq_save();

	sim_step();
	while (l->holder) {
		if (l->holder == sim.cur + 1)
			panic("sim: %s is taken twice", l->name);
		sim_run(l->holder - 1);
	}
	l->holder = sim.cur + 1;
	return flags;
}

void spin_unlock(struct spinlock *l, irqflags_t flags)
{
	spin_assert_held(l);
	sim_step();
	l->holder = 0;
	cpu_irq_restore(flags);
}

void spin_assert_held(const struct spinlock *l)
{
	if (l->holder != sim.cur + 1 || sim_cpu()->irqs_on)
		panic("sim: %s is not held here", l->name);
}

void *heap_alloc(size_t size)
{
	return malloc(size);
}

void *heap_zalloc(size_t size)
{
	return calloc(1, size);
}

void heap_free(void *p)
{
	free(p);
}

void *stack_alloc(void)
{
	char *p = aligned_alloc(SIM_STACK, SIM_STACK);

	sim.stacks++;
	return p + SIM_STACK;
}

void stack_free(void *top)
{
	sim.stacks--;
	free((char *)top - SIM_STACK);
}

static void sim_first(void)
{
	struct thread *t = this_cpu()->current;

	sim_arrived(t->sp);
	thread_first();
}

void *sched_arch_frame(void *top)
{
	char *base = (char *)ALIGN_DOWN((uintptr_t)top - 1, SIM_STACK);
	struct sim_ctx *c = (void *)ALIGN_DOWN((uintptr_t)top - sizeof(*c), 64);

	sim_make(c, base, (char *)c - base, sim_first);
	return c;
}

void sim_switch(void **save, void *to)
{
	struct sim_ctx self = { 0 };

	ck_assert(!sim_cpu()->irqs_on);
	*save = &self;
	sim_go(&self, to);
}

void sched_arch_irqs_on(void)
{
	cpu_irq_restore(true);
}

void sched_arch_idle(void)
{
	sim_halt(sim_cpu());
	sim_cpu()->irqs_on = true;
	sim_interrupts();
}

static void sim_cpu_first(void)
{
	sim_arrived(sim_cpu()->ctx);
	sched_cpu_main();
}

/* Stacks are counted, and the machine ends with the process. */
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static void sim_start(unsigned ncpus, unsigned seed)
{
	syscall(SYS_arch_prctl, ARCH_SET_GS, &sim_gs);
	sim.ncpus = ncpus;
	sim.random = seed * 977 + 1;
	sim.now = NSEC_PER_SEC;
	sim.stride = 50;
	sim_gs = &sim.cpu[0].percpu;
	for (unsigned i = 0; i < ncpus; i++) {
		struct sim_cpu *c = &sim.cpu[i];
		char *stack = aligned_alloc(SIM_STACK, SIM_STACK);

		c->percpu.self = &c->percpu;
		c->percpu.id = i;
		c->armed = NSEC_NEVER;
		c->ctx = &c->first;
		sim_make(c->ctx, stack, SIM_STACK, sim_cpu_first);
	}
	sched_init();
	sim.cpu[0].irqs_on = true;
}

/* Use up CPU time, at most ns. */
static void spin(nsec_t ns)
{
	nsec_t end = time_now() + ns;

	while (time_now() < end)
		cpu_relax();
}

static struct thread *start(unsigned cpu, void (*fn)(void *), void *arg)
{
	struct thread *t;

	ck_assert_int_eq(thread_create(cpu, fn, arg, "test", &t), 0);
	return t;
}

/* ---- threads ---- */

static void nothing(void *arg)
{
}

static void add_one(void *arg)
{
	spin(sim_random(3000));
	__atomic_fetch_add((unsigned *)arg, 1, __ATOMIC_RELAXED);
}

START_TEST(join_waits_for_the_end_and_frees_the_stack)
{
	struct thread *t[40];
	unsigned done = 0, stacks;

	sim_start(SIM_CPUS, _i);
	stacks = sim.stacks;
	for (unsigned i = 0; i < 40; i++)
		t[i] = start(i % SIM_CPUS, add_one, &done);
	for (unsigned i = 0; i < 40; i++)
		thread_join(t[i]);
	ck_assert_uint_eq(done, 40);
	ck_assert_uint_eq(sim.stacks, stacks);
}
END_TEST

START_TEST(a_detached_thread_frees_itself)
{
	unsigned done = 0, stacks;

	sim_start(SIM_CPUS, _i);
	stacks = sim.stacks;
	for (unsigned i = 0; i < 40; i++)
		ck_assert_int_eq(thread_create(SCHED_ANY_CPU, add_one, &done,
					       "detached", NULL), 0);
	thread_sleep(NSEC_PER_SEC);
	ck_assert_uint_eq(done, 40);
	ck_assert_uint_eq(sim.stacks, stacks);
}
END_TEST

START_TEST(create_refuses_what_makes_no_sense)
{
	struct thread *t;

	sim_start(2, 0);
	ck_assert_int_eq(thread_create(2, nothing, NULL, "x", &t), -EINVAL);
	ck_assert_int_eq(thread_create(0, NULL, NULL, "x", &t), -EINVAL);
}
END_TEST

static void nap(void *arg)
{
	thread_sleep(NSEC_PER_MSEC);
}

START_TEST(any_cpu_means_the_least_loaded)
{
	struct thread *t[8];
	unsigned per_cpu[SIM_CPUS] = { 0 };

	sim_start(SIM_CPUS, 0);
	sim.quiet = true;
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_int_eq(thread_create(SCHED_ANY_CPU, nap, NULL, "x",
					       &t[i]), 0);
		per_cpu[t[i]->home->id]++;
	}
	sim.quiet = false;
	for (unsigned i = 0; i < 8; i++)
		thread_join(t[i]);
	per_cpu[0]++;			/* the test itself */
	for (unsigned i = 0; i < SIM_CPUS; i++) {
		ck_assert_uint_ge(per_cpu[i], 2);
		ck_assert_uint_le(per_cpu[i], 3);
	}
}
END_TEST

static void yielder(void *arg)
{
	for (unsigned i = 0; i < 100; i++) {
		++*(unsigned *)arg;
		thread_yield();
	}
}

START_TEST(yield_takes_turns)
{
	unsigned a = 0, b = 0;
	struct thread *ta, *tb;

	sim_start(1, 0);
	sim.quiet = true;		/* no slice ends */
	ta = start(0, yielder, &a);
	tb = start(0, yielder, &b);
	while (a < 100) {
		thread_yield();
		ck_assert_uint_eq(a, b);
	}
	thread_join(ta);
	thread_join(tb);
}
END_TEST

START_TEST(sleeping_is_never_short)
{
	sim_start(SIM_CPUS, _i);
	for (unsigned i = 0; i < 200; i++) {
		nsec_t until = time_now() + sim_random(2 * NSEC_PER_MSEC);

		thread_sleep_until(until);
		ck_assert_uint_ge(time_now(), until);
	}
}
END_TEST

START_TEST(sleeping_until_the_past_returns_at_once)
{
	sim_start(1, 0);
	sim.quiet = true;
	thread_sleep_until(time_now());
	thread_sleep_until(0);
	ck_assert_uint_eq(sched_here()->switches, 0);
}
END_TEST

/* ---- wait queues ---- */

static struct waitq wq;
static unsigned flag, tokens, taken;

/* One look, at a random moment. */
static bool look(const unsigned *p)
{
	sim_step();
	return READ_ONCE(*p);
}

static void setter(void *arg)
{
	spin(sim_random(5000));
	WRITE_ONCE(flag, 1);
	waitq_wake_all(&wq);
}

START_TEST(a_true_condition_does_not_wait)
{
	sim_start(1, 0);
	waitq_init(&wq);
	ck_assert_int_eq(wait_until(&wq, true, NSEC_NEVER), 0);
	ck_assert_int_eq(wait_until(&wq, true, 0), 0);
	ck_assert(list_empty(&wq.waiters));
	ck_assert_uint_eq(sched_here()->switches, 0);
}
END_TEST

START_TEST(a_false_condition_times_out_not_early)
{
	nsec_t until;

	sim_start(SIM_CPUS, _i);
	waitq_init(&wq);
	until = time_now() + 300 * NSEC_PER_USEC;
	ck_assert_int_eq(wait_until(&wq, look(&flag), until), -ETIMEDOUT);
	ck_assert_uint_ge(time_now(), until);
	ck_assert_int_eq(wait_until(&wq, look(&flag), 0), -ETIMEDOUT);
	ck_assert(list_empty(&wq.waiters));
}
END_TEST

START_TEST(a_condition_that_comes_true_in_time_is_seen)
{
	sim_start(SIM_CPUS, _i);
	waitq_init(&wq);
	for (unsigned i = 0; i < 200; i++) {
		struct thread *t;

		WRITE_ONCE(flag, 0);
		t = start(i % SIM_CPUS, setter, NULL);
		ck_assert_int_eq(wait_until(&wq, look(&flag), i % 2 ?
					    NSEC_NEVER : time_now() +
					    NSEC_PER_SEC), 0);
		thread_join(t);
	}
	ck_assert(list_empty(&wq.waiters));
}
END_TEST

/* It is not woken: the last look after the deadline must find it. */
START_TEST(a_condition_without_a_wake_up_is_seen_at_the_deadline)
{
	sim_start(1, 0);
	waitq_init(&wq);
	flag = 0;
	ck_assert_int_eq(wait_until(&wq, flag++ > 0, time_now() + 1000), 0);
}
END_TEST

static bool take_token(void)
{
	unsigned n;

	do {
		n = READ_ONCE(tokens);
		sim_step();
	} while (n && !__atomic_compare_exchange_n(&tokens, &n, n - 1, false,
						   __ATOMIC_SEQ_CST,
						   __ATOMIC_SEQ_CST));
	return n;
}

static void consumer(void *arg)
{
	for (unsigned i = 0; i < 25; i++) {
		wait_until(&wq, take_token(), NSEC_NEVER);
		__atomic_fetch_add(&taken, 1, __ATOMIC_SEQ_CST);
	}
}

static void producer(void *arg)
{
	for (unsigned i = 0; i < 50; i++) {
		if (sim_random(2))
			spin(sim_random(4000));
		__atomic_fetch_add(&tokens, 1, __ATOMIC_SEQ_CST);
		waitq_wake_one(&wq);
	}
}

/* One wake-up for each token, none to spare. */
START_TEST(no_single_wake_up_is_lost)
{
	struct thread *t[12];

	sim_start(SIM_CPUS, _i);
	waitq_init(&wq);
	tokens = taken = 0;
	for (unsigned i = 0; i < 8; i++)
		t[i] = start(i % SIM_CPUS, consumer, NULL);
	for (unsigned i = 8; i < 12; i++)
		t[i] = start(i % SIM_CPUS, producer, NULL);
	for (unsigned i = 8; i < 12; i++)
		thread_join(t[i]);
	for (unsigned i = 0; i < 8; i++)
		thread_join(t[i]);
	ck_assert_uint_eq(taken, 200);
	ck_assert_uint_eq(tokens, 0);
}
END_TEST

static unsigned order[4], norder;

static void in_line(void *arg)
{
	wait_until(&wq, take_token(), NSEC_NEVER);
	order[norder++] = (unsigned)(uintptr_t)arg;
}

START_TEST(wake_one_wakes_who_waits_longest_and_only_him)
{
	struct thread *t[4];

	sim_start(1, 0);
	sim.quiet = true;
	waitq_init(&wq);
	tokens = norder = 0;
	for (unsigned i = 0; i < 4; i++) {
		t[i] = start(0, in_line, (void *)(uintptr_t)i);
		thread_yield();
	}
	for (unsigned i = 0; i < 4; i++) {
		tokens++;
		waitq_wake_one(&wq);
		thread_yield();
		ck_assert_uint_eq(norder, i + 1);
		ck_assert_uint_eq(order[i], i);
	}
	for (unsigned i = 0; i < 4; i++)
		thread_join(t[i]);
}
END_TEST

/* A leaves with the first token; the second one's wake-up falls on him. */
START_TEST(a_wake_up_that_meets_a_leaver_is_passed_on)
{
	struct waiter leaver;
	struct thread *b;

	sim_start(1, 0);
	sim.quiet = true;
	waitq_init(&wq);
	tokens = norder = 0;
	waitq_prepare(&wq, &leaver);
	b = start(0, in_line, NULL);
	thread_yield();			/* b waits behind us */
	tokens = 2;
	waitq_wake_one(&wq);		/* picks the leaver */
	ck_assert(take_token());
	waitq_finish(&wq, &leaver);
	thread_yield();
	ck_assert_uint_eq(norder, 1);
	thread_join(b);
}
END_TEST

START_TEST(a_wake_up_before_the_block_is_not_lost)
{
	struct waiter w;

	sim_start(1, 0);
	sim.quiet = true;
	waitq_init(&wq);
	waitq_prepare(&wq, &w);
	waitq_wake_one(&wq);
	ck_assert(waitq_block(&wq, &w, NSEC_NEVER));	/* else: for ever */
	waitq_finish(&wq, &w);
}
END_TEST

struct request {
	struct waitq done;
	unsigned finished;
};

static void finish_request(void *arg)
{
	struct request *rq = arg;
	irqflags_t flags;

	spin(sim_random(2000));
	flags = spin_lock(&rq->done.lock);
	WRITE_ONCE(rq->finished, 1);
	waitq_wake_all_locked(&rq->done);
	spin_unlock(&rq->done.lock, flags);
}

/* ASan sees a waker that touches the request after the waiter freed it. */
START_TEST(a_queue_may_be_freed_as_soon_as_the_wait_is_over)
{
	sim_start(SIM_CPUS, _i);
	for (unsigned i = 0; i < 100; i++) {
		struct request *rq = malloc(sizeof(*rq));
		struct thread *t;

		waitq_init(&rq->done);
		rq->finished = 0;
		t = start(i % SIM_CPUS, finish_request, rq);
		wait_until(&rq->done, look(&rq->finished), NSEC_NEVER);
		memset(rq, 0xee, sizeof(*rq));
		free(rq);
		thread_join(t);
	}
}
END_TEST

static void block_in_irq(struct timer *t)
{
	thread_sleep(1000);
}

START_TEST(sleeping_in_an_interrupt_panics)
{
	struct timer t;

	sim_start(1, 0);
	timer_init(&t, block_in_irq);
	timer_start(&t, 0);
	spin(1000);
}
END_TEST

START_TEST(sleeping_with_interrupts_off_panics)
{
	sim_start(1, 0);
	cpu_irq_save();
	thread_sleep(1000);
}
END_TEST

/* ---- sharing a CPU ---- */

static void burn(void *arg)
{
	spin(200 * NSEC_PER_MSEC);
}

START_TEST(two_busy_threads_share_by_slices)
{
	struct thread *t[2];
	struct sched_stats st;
	struct sched_info info[8];
	unsigned n, seen = 0;

	sim_start(2, _i);
	sim.stride = 20000;
	t[0] = start(1, burn, NULL);
	t[1] = start(1, burn, NULL);
	thread_sleep(100 * NSEC_PER_MSEC);
	n = sched_list(1, info, 8);
	sched_stats(1, &st);
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(info[i].name, "test"))
			continue;
		seen++;
		ck_assert_uint_ge(info[i].ran, 40 * NSEC_PER_MSEC);
		ck_assert_uint_le(info[i].ran, 60 * NSEC_PER_MSEC);
	}
	ck_assert_uint_eq(seen, 2);
	ck_assert_uint_eq(st.runnable, 2);
	ck_assert_uint_ge(st.preemptions, 100 / 5);
	ck_assert_uint_le(st.preemptions, 100 / 4);
	thread_join(t[0]);
	thread_join(t[1]);
}
END_TEST

static uint64_t timer_irqs(unsigned cpu)
{
	struct sched_stats st;

	sched_stats(cpu, &st);
	return st.timer_irqs;
}

START_TEST(one_busy_thread_gets_no_timer_interrupt)
{
	struct thread *t;

	sim_start(2, 0);
	sim.stride = 20000;
	t = start(1, burn, NULL);
	thread_join(t);
	ck_assert_uint_eq(timer_irqs(1), 0);
	ck_assert_uint_eq(sched_cpu_peek(1)->timer_armed, 0);
}
END_TEST

START_TEST(an_idle_cpu_gets_no_timer_interrupt)
{
	uint64_t before;

	sim_start(2, 0);
	thread_join(start(1, nap, NULL));
	before = timer_irqs(1);
	thread_sleep(100 * NSEC_PER_SEC);
	ck_assert_uint_eq(timer_irqs(1), before);
}
END_TEST

/* The slice was over long ago: the new one is not kept waiting for another. */
START_TEST(a_rival_of_an_overdue_thread_runs_at_once)
{
	struct thread *t;
	unsigned done = 0;

	sim_start(2, 0);
	t = start(1, burn, NULL);
	spin(20 * NSEC_PER_MSEC);
	thread_join(start(1, add_one, &done));
	ck_assert_uint_eq(done, 1);
	ck_assert_uint_le(time_now(), NSEC_PER_SEC + 21 * NSEC_PER_MSEC);
	thread_join(t);
}
END_TEST

/* Also when the overdue one made it, in thread context. */
static void overdue(void *arg)
{
	struct thread *t;

	spin(20 * NSEC_PER_MSEC);
	t = start(0, add_one, arg);
	spin(NSEC_PER_MSEC);
	ck_assert_uint_eq(*(unsigned *)arg, 1);
	thread_join(t);
}

START_TEST(a_thread_that_makes_its_own_rival_is_preempted)
{
	unsigned done = 0;

	sim_start(1, 0);
	thread_join(start(0, overdue, &done));
}
END_TEST

START_TEST(a_burst_of_wake_ups_sends_an_idle_cpu_one_ipi)
{
	struct thread *t[10];
	unsigned before;

	sim_start(2, 0);
	thread_join(start(1, nothing, NULL));	/* it idles again */
	spin(NSEC_PER_MSEC);
	before = sim.cpu[1].ipis;
	sim.quiet = true;
	for (unsigned i = 0; i < 10; i++)
		t[i] = start(1, nothing, NULL);
	ck_assert_uint_eq(sim.cpu[1].ipis - before, 1);
	sim.quiet = false;
	for (unsigned i = 0; i < 10; i++)
		thread_join(t[i]);
}
END_TEST

/* Found where it counts: in a driver that gives each of its waits 5 s. */
START_TEST(a_thousand_time_outs_that_do_not_happen_cost_few_armings)
{
	uint64_t armed;

	sim_start(2, 0);
	waitq_init(&wq);
	armed = sched_here()->timer_armed;
	for (unsigned i = 0; i < 1000; i++) {
		WRITE_ONCE(flag, 0);
		ck_assert_int_eq(thread_create(1, setter, NULL, "io", NULL), 0);
		wait_until(&wq, look(&flag), time_now() + 5 * NSEC_PER_SEC);
	}
	ck_assert_uint_le(sched_here()->timer_armed - armed, 5);
}
END_TEST

static void set_flag(void *arg)
{
	spin(NSEC_PER_MSEC);
	WRITE_ONCE(flag, 1);
	waitq_wake_all(&wq);
}

/* The alarm of the first wait rings during the second one. */
START_TEST(a_left_over_alarm_does_not_cut_the_next_wait_short)
{
	struct thread *t;
	nsec_t until;

	sim_start(2, 0);
	waitq_init(&wq);
	flag = 0;
	t = start(1, set_flag, NULL);
	ck_assert_int_eq(wait_until(&wq, look(&flag), time_now() +
				    5 * NSEC_PER_SEC), 0);
	thread_join(t);
	ck_assert_int_ge(thread_self()->alarm.slot, 0);
	until = time_now() + 20 * NSEC_PER_SEC;
	ck_assert_int_eq(wait_until(&wq, false, until), -ETIMEDOUT);
	ck_assert_uint_ge(time_now(), until);
}
END_TEST

static void wait_briefly(void *arg)
{
	ck_assert_int_eq(wait_until(&wq, look(&flag), time_now() +
				    50 * NSEC_PER_MSEC), 0);
}

/* One that was meant to time out soon, and the slice of two that share. */
START_TEST(an_idle_cpu_takes_back_what_it_no_longer_needs)
{
	struct thread *t[2];
	uint64_t before;

	sim_start(2, 0);
	waitq_init(&wq);
	flag = 0;
	t[0] = start(1, wait_briefly, NULL);
	t[1] = start(1, set_flag, NULL);
	thread_join(t[0]);
	thread_join(t[1]);
	before = timer_irqs(1);
	thread_sleep(NSEC_PER_SEC);
	ck_assert_uint_gt(sched_cpu_peek(1)->timer_armed, 0);
	ck_assert_uint_eq(timer_irqs(1), before);
	ck_assert_uint_eq(sim.cpu[1].armed, NSEC_NEVER);
}
END_TEST

/* ---- timers ---- */

struct alarm {
	struct timer timer;
	unsigned fired, again;
	nsec_t late;
};

static void alarm_fire(struct timer *t)
{
	struct alarm *a = container_of(t, struct alarm, timer);

	ck_assert_uint_ge(time_now(), t->when);
	ck_assert_uint_eq(cpu_id(), t->cpu);
	ck_assert(!cpu_irqs_on());
	a->fired++;
	if (sim_random(2))
		spin(sim_random(1000));
	if (a->again) {
		a->again--;
		timer_start(t, time_now() + sim_random(1000));
	}
}

START_TEST(a_timer_fires_once_and_not_early)
{
	struct alarm a[50];
	nsec_t end = 0;

	sim_start(SIM_CPUS, _i);
	for (unsigned i = 0; i < 50; i++) {
		a[i] = (struct alarm){ .fired = 0 };
		timer_init(&a[i].timer, alarm_fire);
		timer_start(&a[i].timer, time_now() + sim_random(100000));
		end = MAX(end, a[i].timer.when);
	}
	thread_sleep_until(end + NSEC_PER_MSEC);
	for (unsigned i = 0; i < 50; i++) {
		ck_assert_uint_eq(a[i].fired, 1);
		ck_assert_int_eq(a[i].timer.slot, -1);
	}
}
END_TEST

START_TEST(a_deadline_in_the_past_fires_once_at_once)
{
	struct alarm a = { .fired = 0 };

	sim_start(1, 0);
	timer_init(&a.timer, alarm_fire);
	timer_start(&a.timer, 0);
	spin(10 * NSEC_PER_USEC);
	ck_assert_uint_eq(a.fired, 1);
	spin(NSEC_PER_MSEC);
	ck_assert_uint_eq(a.fired, 1);
}
END_TEST

START_TEST(an_armed_timer_can_be_armed_anew)
{
	struct alarm a = { .fired = 0 };
	nsec_t later;

	sim_start(1, 0);
	timer_init(&a.timer, alarm_fire);
	timer_start(&a.timer, time_now() + 50 * NSEC_PER_USEC);
	later = time_now() + 500 * NSEC_PER_USEC;
	timer_start(&a.timer, later);
	spin(100 * NSEC_PER_USEC);
	ck_assert_uint_eq(a.fired, 0);
	thread_sleep_until(later + NSEC_PER_USEC);
	ck_assert_uint_eq(a.fired, 1);
}
END_TEST

START_TEST(only_an_earlier_deadline_is_armed)
{
	struct alarm a = { .fired = 0 }, b = { .fired = 0 };
	nsec_t now;

	sim_start(1, 0);
	now = time_now();
	timer_init(&a.timer, alarm_fire);
	timer_init(&b.timer, alarm_fire);
	timer_start(&a.timer, now + 9 * NSEC_PER_SEC);
	ck_assert_uint_eq(sim.cpu[0].armed, now + 9 * NSEC_PER_SEC);
	timer_start(&b.timer, now + 5 * NSEC_PER_SEC);
	ck_assert_uint_eq(sim.cpu[0].armed, now + 5 * NSEC_PER_SEC);
	timer_start(&a.timer, now + 7 * NSEC_PER_SEC);
	timer_cancel(&b.timer);
	timer_start(&b.timer, now + 8 * NSEC_PER_SEC);
	ck_assert_uint_eq(sched_here()->timer_armed, 2);
	timer_cancel(&a.timer);
	timer_cancel(&b.timer);
}
END_TEST

static struct alarm shared;

static void start_shared(void *arg)
{
	shared.fired = 0;
	shared.again = sim_random(4);
	timer_start(&shared.timer, time_now() + sim_random(2000));
}

START_TEST(after_cancel_the_function_neither_runs_nor_will)
{
	sim_start(SIM_CPUS, _i);
	timer_init(&shared.timer, alarm_fire);
	for (unsigned i = 0; i < 200; i++) {
		unsigned fired;

		thread_join(start(i % SIM_CPUS, start_shared, NULL));
		spin(sim_random(4000));
		timer_cancel(&shared.timer);
		fired = shared.fired;
		for (unsigned cpu = 0; cpu < SIM_CPUS; cpu++)
			ck_assert_ptr_ne(sched_cpu_peek(cpu)->timer_firing,
					 &shared.timer);
		spin(5000);
		ck_assert_uint_eq(shared.fired, fired);
	}
}
END_TEST

START_TEST(cancelling_one_that_was_never_armed_is_harmless)
{
	struct timer t;

	sim_start(1, 0);
	timer_init(&t, block_in_irq);
	timer_cancel(&t);
	timer_cancel(&t);
}
END_TEST

static void forever(struct timer *t)
{
	timer_start(t, 0);
}

/* Its function starts it again for the past: not twice in one interrupt. */
START_TEST(a_timer_that_is_always_due_lets_the_interrupt_end)
{
	struct timer t;
	irqflags_t flags;

	sim_start(1, 0);
	sim.quiet = true;
	flags = cpu_irq_save();
	timer_init(&t, forever);
	timer_start(&t, 0);
	ck_assert(timer_fire(sched_here(), time_now()));
	ck_assert_int_eq(t.slot, 0);
	timer_cancel(&t);
	cpu_irq_restore(flags);
}
END_TEST

/* ---- timers that die ---- */

static uint64_t dead(unsigned cpu)
{
	struct sched_stats st;

	sched_stats(cpu, &st);
	return st.timer_dead;
}

static void sleeper(void *arg)
{
	for (unsigned i = 0; i < 40; i++) {
		nsec_t until = time_now() + sim_random(3 * NSEC_PER_MSEC);

		thread_sleep_until(until);
		ck_assert_uint_ge(time_now(), until);
	}
	WRITE_ONCE(*(bool *)arg, true);
}

/* CPU 1 loses interrupts at random; CPU 0 does nothing but wake up at times. */
START_TEST(a_lost_interrupt_is_found_by_another_cpu)
{
	bool over = false;
	struct thread *t;

	sim_start(2, _i);
	sim.stride = 2000;
	sim.drop = 2;
	t = start(1, sleeper, &over);
	while (!READ_ONCE(over))
		thread_sleep(NSEC_PER_MSEC);
	sim.drop = 0;
	thread_join(t);
	ck_assert_uint_gt(sim.dropped, 0);
	ck_assert_uint_eq(dead(1), sim.dropped);
	ck_assert_uint_eq(sim.revived, sim.dropped);
	ck_assert_uint_eq(dead(0), 0);
}
END_TEST

/* With four, each is looked at in turn. */
START_TEST(any_cpu_that_wakes_up_finds_it)
{
	struct thread *t;
	bool over = false;

	sim_start(SIM_CPUS, _i);
	sim.stride = 2000;
	sim.drop = 1;
	t = start(1, sleeper, &over);
	while (sim.dropped < 5)
		thread_sleep(NSEC_PER_MSEC);
	sim.drop = 0;
	while (!READ_ONCE(over))	/* somebody must wake up at times */
		thread_sleep(NSEC_PER_MSEC);
	thread_join(t);
	ck_assert_uint_eq(dead(1), sim.dropped);
}
END_TEST

static void kill_timer(void)
{
	irqflags_t flags = cpu_irq_save();

	cpu_timer_arm(NSEC_NEVER);	/* behind the scheduler's back */
	cpu_irq_restore(flags);
}

START_TEST(one_cpu_alone_finds_it_at_its_next_interrupt)
{
	struct alarm a = { .fired = 0 };

	sim_start(1, 0);
	timer_init(&a.timer, alarm_fire);
	timer_start(&a.timer, time_now() + NSEC_PER_MSEC);
	kill_timer();
	spin(30 * NSEC_PER_MSEC);
	ck_assert_uint_eq(a.fired, 0);
	cpu_send_ipi(0, IRQ_VECTOR_RESCHED);
	spin(NSEC_PER_MSEC);
	ck_assert_uint_eq(a.fired, 1);
	ck_assert_uint_eq(dead(0), 1);
}
END_TEST

START_TEST(one_cpu_alone_finds_it_before_it_halts)
{
	struct alarm a = { .fired = 0 };

	sim_start(1, 0);
	timer_init(&a.timer, alarm_fire);
	timer_start(&a.timer, time_now() + NSEC_PER_MSEC);
	kill_timer();
	spin(30 * NSEC_PER_MSEC);
	thread_sleep(NSEC_PER_MSEC);	/* would be for ever */
	ck_assert_uint_eq(a.fired, 1);
	ck_assert_uint_eq(dead(0), 1);
}
END_TEST

/*
 * stop and cont: all clocks jump by seconds, every timer is overdue at once, and
 * the CPUs come back one after the other, poking each other.
 */
START_TEST(a_stop_of_the_machine_kills_no_timer)
{
	struct alarm a[30];

	sim_start(SIM_CPUS, _i);
	for (unsigned n = 0; n < 10; n++) {
		bool over = false;
		struct thread *t = start(1, sleeper, &over);

		for (unsigned i = 0; i < 30; i++) {
			a[i] = (struct alarm){ .fired = 0 };
			timer_init(&a[i].timer, alarm_fire);
			timer_start(&a[i].timer, time_now() + NSEC_PER_MSEC +
				    sim_random(9999) * NSEC_PER_MSEC);
		}
		sim_clock(10 * NSEC_PER_SEC + NSEC_PER_MSEC);
		thread_sleep(NSEC_PER_MSEC);
		for (unsigned i = 0; i < 30; i++)
			ck_assert_uint_eq(a[i].fired, 1);
		thread_join(t);
	}
	for (unsigned cpu = 0; cpu < SIM_CPUS; cpu++)
		ck_assert_uint_eq(dead(cpu), 0);
}
END_TEST

/* With tick=periodic=10 one that comes up to 100 ms late is on time. */
START_TEST(a_slow_tick_is_not_taken_for_dead)
{
	struct alarm never = { .fired = 0 };
	bool over[SIM_CPUS] = { false };
	struct thread *th[SIM_CPUS];

	sim_start(SIM_CPUS, _i);
	timer_init(&never.timer, alarm_fire);
	sim.period = 100 * NSEC_PER_MSEC;
	for (unsigned i = 0; i < SIM_CPUS; i++)
		sim.cpu[i].armed = sim.now + i * 20 * NSEC_PER_MSEC;
	timer_start(&never.timer, NSEC_NEVER - 1);
	for (unsigned i = 0; i < SIM_CPUS; i++)
		th[i] = start(i, sleeper, &over[i]);
	for (unsigned i = 0; i < SIM_CPUS; i++)
		thread_join(th[i]);
	timer_cancel(&never.timer);
	for (unsigned i = 0; i < SIM_CPUS; i++)
		ck_assert_uint_eq(dead(i), 0);
}
END_TEST

/* A deadline of 0 is as old as the machine: it must not look overdue. */
START_TEST(a_deadline_long_past_teaches_and_kills_nothing)
{
	struct alarm a = { .fired = 0 };
	irqflags_t flags;

	sim_start(2, 0);
	timer_init(&a.timer, alarm_fire);
	flags = cpu_irq_save();
	timer_start(&a.timer, 0);
	clockevent_check(sched_here());
	ck_assert_uint_eq(dead(0), 0);
	cpu_irq_restore(flags);
	spin(NSEC_PER_MSEC);
	ck_assert_uint_eq(a.fired, 1);
	ck_assert_uint_lt(sched_here()->late_max, NSEC_PER_MSEC);
}
END_TEST

/* A CPU that the host does not run: poked once, and not taken for dead. */
START_TEST(a_cpu_that_does_not_run_is_poked_once)
{
	struct alarm a = { .fired = 0 };
	irqflags_t flags;
	unsigned ipis;

	sim_start(2, 0);
	timer_init(&a.timer, alarm_fire);
	thread_join(start(1, nothing, NULL));
	spin(NSEC_PER_MSEC);
	sim.quiet = true;
	timer_start(&a.timer, time_now() + 5 * NSEC_PER_SEC);
	sched_cpu_peek(1)->due = time_now() + 1;	/* as if */
	ipis = sim.cpu[1].ipis;
	flags = cpu_irq_save();
	for (unsigned i = 0; i < 100; i++) {
		sim.now += NSEC_PER_MSEC;
		clockevent_watch(sched_here(), time_now());
	}
	cpu_irq_restore(flags);
	ck_assert_uint_eq(sim.cpu[1].ipis - ipis, 1);
	sched_cpu_peek(1)->due = NSEC_NEVER;
	sim.quiet = false;
	timer_cancel(&a.timer);
}
END_TEST

#define SEEDS	30

int main(void)
{
	TCase *tc = suite_group("threads", NULL, NULL, 60);

	tcase_add_loop_test(tc, join_waits_for_the_end_and_frees_the_stack,
			    0, SEEDS);
	tcase_add_loop_test(tc, a_detached_thread_frees_itself, 0, SEEDS);
	tcase_add_test(tc, create_refuses_what_makes_no_sense);
	tcase_add_test(tc, any_cpu_means_the_least_loaded);
	tcase_add_test(tc, yield_takes_turns);
	tcase_add_loop_test(tc, sleeping_is_never_short, 0, 5);
	tcase_add_test(tc, sleeping_until_the_past_returns_at_once);

	tc = suite_group("wait queues", NULL, NULL, 60);
	tcase_add_test(tc, a_true_condition_does_not_wait);
	tcase_add_loop_test(tc, a_false_condition_times_out_not_early, 0, 5);
	tcase_add_loop_test(tc, a_condition_that_comes_true_in_time_is_seen,
			    0, SEEDS);
	tcase_add_test(tc,
		       a_condition_without_a_wake_up_is_seen_at_the_deadline);
	tcase_add_loop_test(tc, no_single_wake_up_is_lost, 0, SEEDS);
	tcase_add_test(tc, wake_one_wakes_who_waits_longest_and_only_him);
	tcase_add_test(tc, a_wake_up_that_meets_a_leaver_is_passed_on);
	tcase_add_test(tc, a_wake_up_before_the_block_is_not_lost);
	tcase_add_loop_test(tc, a_queue_may_be_freed_as_soon_as_the_wait_is_over,
			    0, SEEDS);
	tcase_add_test_raise_signal(tc, sleeping_in_an_interrupt_panics,
				    SIGABRT);
	tcase_add_test_raise_signal(tc, sleeping_with_interrupts_off_panics,
				    SIGABRT);

	tc = suite_group("sharing a CPU", NULL, NULL, 60);
	tcase_add_loop_test(tc, two_busy_threads_share_by_slices, 0, 3);
	tcase_add_test(tc, one_busy_thread_gets_no_timer_interrupt);
	tcase_add_test(tc, an_idle_cpu_gets_no_timer_interrupt);
	tcase_add_test(tc, a_rival_of_an_overdue_thread_runs_at_once);
	tcase_add_test(tc, a_thread_that_makes_its_own_rival_is_preempted);
	tcase_add_test(tc, a_burst_of_wake_ups_sends_an_idle_cpu_one_ipi);
	tcase_add_test(tc,
		       a_thousand_time_outs_that_do_not_happen_cost_few_armings);
	tcase_add_test(tc, a_left_over_alarm_does_not_cut_the_next_wait_short);
	tcase_add_test(tc, an_idle_cpu_takes_back_what_it_no_longer_needs);

	tc = suite_group("timers", NULL, NULL, 60);
	tcase_add_loop_test(tc, a_timer_fires_once_and_not_early, 0, 5);
	tcase_add_test(tc, a_deadline_in_the_past_fires_once_at_once);
	tcase_add_test(tc, an_armed_timer_can_be_armed_anew);
	tcase_add_test(tc, only_an_earlier_deadline_is_armed);
	tcase_add_loop_test(tc, after_cancel_the_function_neither_runs_nor_will,
			    0, SEEDS);
	tcase_add_test(tc, cancelling_one_that_was_never_armed_is_harmless);
	tcase_add_test(tc, a_timer_that_is_always_due_lets_the_interrupt_end);

	tc = suite_group("timers that die", NULL, NULL, 60);
	tcase_add_loop_test(tc, a_lost_interrupt_is_found_by_another_cpu,
			    0, SEEDS);
	tcase_add_loop_test(tc, any_cpu_that_wakes_up_finds_it, 0, SEEDS);
	tcase_add_test(tc, one_cpu_alone_finds_it_at_its_next_interrupt);
	tcase_add_test(tc, one_cpu_alone_finds_it_before_it_halts);
	tcase_add_loop_test(tc, a_stop_of_the_machine_kills_no_timer,
			    0, SEEDS);
	tcase_add_loop_test(tc, a_slow_tick_is_not_taken_for_dead, 0, 5);
	tcase_add_test(tc, a_deadline_long_past_teaches_and_kills_nothing);
	tcase_add_test(tc, a_cpu_that_does_not_run_is_poked_once);
	return suite_run("waitq");
}
