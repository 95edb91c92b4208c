/* SPDX-License-Identifier: MIT */
/*
 * sched/sched.h on the host: threads are coroutines, so that a test stays one
 * deterministic sequence of steps.
 *
 * A thread runs until it blocks, sleeps, yields or ends; then the next ready
 * one (in order of creation, round robin) goes on, as the CPU it was created
 * for. When none is ready, time advances: first by cpu_relax(), so that fakes
 * and interrupts get their turns at the usual pace, then, when nothing comes
 * of it, in growing jumps up to the next deadline or timer. The test itself
 * is a thread like the others: coroutines run only while it waits.
 *
 * Timers fire from a step function, as an interrupt would: on their CPU and
 * only while the code under test has interrupts on.
 */
#include <sanitizer/common_interface_defs.h>
#include <stdlib.h>

#include "core/fmt.h"
#include "core/heap.h"
#include "core/panic.h"
#include "core/string.h"
#include "sched/sched.h"
#include "tests/host/host.h"

#define SCHEDH_STACK	(256 * 1024)
#define SCHEDH_TIMERS	64
#define SCHEDH_PATIENCE	1000			/* relaxes before jumps */
#define SCHEDH_FOREVER	(1000 * NSEC_PER_SEC)	/* nobody woke us: a bug */

struct thread {
	char name[THREAD_NAME];
	unsigned cpu;
	void (*fn)(void *arg);
	void *arg;
	struct list node;		/* in schedh_threads */
	struct waiter *waiter;		/* blocked on it, or NULL */
	struct thread *joins;		/* waits for its end, or NULL */
	nsec_t deadline;		/* blocked or asleep until then; 0: not */
	bool dead, detached;
	void *sp;			/* while another one runs */
	void *stack;			/* NULL: the test's own */
	const void *bottom;		/* for ASan, which follows stacks */
	size_t size;
	void *fake_stack;
};

static struct thread schedh_main = { .name = "test" };
static struct list schedh_threads = LIST_INIT(schedh_threads);
static struct thread *schedh_current = &schedh_main;
static struct thread *schedh_prev;

static struct timer *schedh_timer[SCHEDH_TIMERS];
static unsigned schedh_ntimers;

void sched_init(void)
{
}

/* ---- switching ---- */

/*
 * Keep the registers that a call preserves on the stack, leave the stack
 * pointer in *save and go on where another one was left. (swapcontext() would
 * do; but ASan, which we tell about every switch, warns of it all the same.)
 */
void schedh_swap(void **save, void *sp);
__asm__("	.text\n"
	"schedh_swap:\n"
	"	push %rbp\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	ret\n");
#define SCHEDH_SAVED	6		/* registers */

static void schedh_reap(void)
{
	struct thread *t = schedh_prev;

	if (t->dead && t->detached) {
		list_del(&t->node);
		free(t->stack);
		heap_free(t);
	}
}

/* On the new stack: tell ASan, and learn where the stack we left lies. */
static void schedh_arrive(void)
{
	const void *bottom;
	size_t size;

	__sanitizer_finish_switch_fiber(schedh_current->fake_stack, &bottom,
					&size);
	schedh_prev->bottom = bottom;
	schedh_prev->size = size;
	schedh_reap();
}

static void schedh_switch(struct thread *to)
{
	struct thread *from = schedh_current;

	if (!from->stack)
		from->cpu = cpu_id();
	schedh_prev = from;
	schedh_current = to;
	host_run_as(to->cpu);
	__sanitizer_start_switch_fiber(from->dead ? NULL : &from->fake_stack,
				       to->bottom, to->size);
	schedh_swap(&from->sp, to->sp);
	schedh_arrive();
}

static bool schedh_ready(const struct thread *t)
{
	if (t->dead)
		return false;
	if (t->waiter && list_empty(&t->waiter->node))
		return true;
	if (t->joins && t->joins->dead)
		return true;
	return time_now() >= t->deadline;
}

/* The next ready thread after the current one, or NULL. */
static struct thread *schedh_next(void)
{
	struct list *n = &schedh_current->node;

	if (!schedh_main.node.next)
		list_add_tail(&schedh_threads, &schedh_main.node);
	for (n = n->next; n != &schedh_current->node; n = n->next) {
		struct thread *t = list_entry(n, struct thread, node);

		if (n != &schedh_threads && schedh_ready(t))
			return t;
	}
	return NULL;
}

/* When something happens by itself: a deadline or a timer. */
static nsec_t schedh_horizon(void)
{
	nsec_t when = NSEC_NEVER;
	struct thread *t;

	list_for_each(t, &schedh_threads, node)
		if (!t->dead)
			when = MIN(when, t->deadline);
	for (unsigned i = 0; i < schedh_ntimers; i++)
		when = MIN(when, schedh_timer[i]->when);
	return when;
}

static void schedh_let_time_pass(unsigned round)
{
	nsec_t now = time_now(), when = schedh_horizon();
	nsec_t jump = NSEC_PER_USEC * (round / SCHEDH_PATIENCE) * 10;

	if (round < SCHEDH_PATIENCE || when <= now) {
		cpu_relax();
		return;
	}
	host_time_advance(MIN(jump, when - now));
}

/* Run the others until the current thread is ready again. */
static void schedh_wait(void)
{
	nsec_t since = time_now();

	if (!cpu_irqs_on())
		panic("%s blocks with interrupts off", schedh_current->name);
	for (unsigned round = 0; !schedh_ready(schedh_current); round++) {
		struct thread *t = schedh_next();

		if (t)
			schedh_switch(t);
		else
			schedh_let_time_pass(round);
		if (time_now() - since > SCHEDH_FOREVER)
			panic("%s was never woken", schedh_current->name);
	}
}

/* ---- threads ---- */

static void schedh_entry(void)
{
	schedh_arrive();
	schedh_current->fn(schedh_current->arg);
	thread_exit();
}

/* As if it had been left just before schedh_entry(). */
static void schedh_prepare(struct thread *t)
{
	uintptr_t top = ALIGN_DOWN((uintptr_t)t->stack + SCHEDH_STACK, 16);
	uintptr_t *sp = (uintptr_t *)top - 2;	/* the ABI's alignment */

	*sp = (uintptr_t)schedh_entry;
	for (unsigned i = 0; i < SCHEDH_SAVED; i++)
		*--sp = 0;
	t->sp = sp;
}

int thread_create(unsigned cpu, void (*fn)(void *arg), void *arg,
		  const char *name, struct thread **out)
{
	struct thread *t;

	if (cpu == SCHED_ANY_CPU)
		cpu = 0;
	if (cpu >= cpu_count())
		return -EINVAL;
	t = heap_zalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	fmt_snprintf(t->name, sizeof(t->name), "%s", name);
	t->cpu = cpu;
	t->fn = fn;
	t->arg = arg;
	t->detached = !out;
	t->stack = malloc(SCHEDH_STACK);
	t->bottom = t->stack;
	t->size = SCHEDH_STACK;
	schedh_prepare(t);
	list_add_tail(&schedh_threads, &t->node);
	if (out)
		*out = t;
	return 0;
}

void thread_exit(void)
{
	struct thread *t;

	schedh_current->dead = true;
	for (unsigned round = 0; !(t = schedh_next()); round++)
		schedh_let_time_pass(round);
	schedh_switch(t);
	abort();			/* nobody returns to the dead */
}

void thread_join(struct thread *t)
{
	schedh_current->joins = t;
	thread_sleep_until(NSEC_NEVER);
	schedh_current->joins = NULL;
	list_del(&t->node);
	free(t->stack);
	heap_free(t);
}

/* Coroutines switch where they wait, nowhere else: nothing can be lost. */
void thread_nudge(void)
{
}

bool thread_may_block(void)
{
	return true;
}

void thread_yield(void)
{
	struct thread *t = schedh_next();

	if (t)
		schedh_switch(t);
}

struct thread *thread_self(void)
{
	return schedh_current;
}

const char *thread_name(const struct thread *t)
{
	return t->name;
}

void thread_sleep_until(nsec_t deadline)
{
	schedh_current->deadline = deadline;
	schedh_wait();
	schedh_current->deadline = 0;
}

/* ---- wait queues ---- */

void waitq_init(struct waitq *q)
{
	spin_init(&q->lock, "waitq");
	list_init(&q->waiters);
}

void waitq_wake_one_locked(struct waitq *q)
{
	spin_assert_held(&q->lock);
	if (!list_empty(&q->waiters))
		list_del(q->waiters.next);	/* that makes it ready */
}

void waitq_wake_all_locked(struct waitq *q)
{
	while (!list_empty(&q->waiters))
		waitq_wake_one_locked(q);
}

void waitq_wake_one(struct waitq *q)
{
	irqflags_t flags = spin_lock(&q->lock);

	waitq_wake_one_locked(q);
	spin_unlock(&q->lock, flags);
}

void waitq_wake_all(struct waitq *q)
{
	irqflags_t flags = spin_lock(&q->lock);

	waitq_wake_all_locked(q);
	spin_unlock(&q->lock, flags);
}

void waitq_prepare(struct waitq *q, struct waiter *w)
{
	irqflags_t flags = spin_lock(&q->lock);

	w->thread = schedh_current;
	list_add_tail(&q->waiters, &w->node);
	spin_unlock(&q->lock, flags);
}

bool waitq_block(struct waitq *q, struct waiter *w, nsec_t deadline)
{
	struct thread *t = schedh_current;
	bool woken;

	t->waiter = w;
	t->deadline = deadline;
	schedh_wait();
	woken = list_empty(&w->node);
	t->waiter = NULL;
	t->deadline = 0;
	waitq_finish(q, w);
	return woken;
}

void waitq_finish(struct waitq *q, struct waiter *w)
{
	irqflags_t flags = spin_lock(&q->lock);

	list_del(&w->node);
	spin_unlock(&q->lock, flags);
}

/* ---- timers ---- */

static void schedh_fire(struct timer *t)
{
	irqflags_t flags = cpu_irq_save();
	unsigned cpu = cpu_id();

	timer_cancel(t);
	host_run_as(t->cpu);
	t->fn(t);
	host_run_as(cpu);
	cpu_irq_restore(flags);
}

static void schedh_timer_step(void *ctx)
{
	for (unsigned i = 0; cpu_irqs_on() && i < schedh_ntimers; )
		if (schedh_timer[i]->when <= time_now())
			schedh_fire(schedh_timer[i]);
		else
			i++;
}

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	t->slot = -1;
	t->fn = fn;
}

void timer_start(struct timer *t, nsec_t when)
{
	t->when = when;
	t->cpu = cpu_id();
	if (t->slot >= 0)
		return;
	BUG_ON(schedh_ntimers == SCHEDH_TIMERS);
	if (!schedh_ntimers)
		host_step_add(schedh_timer_step, schedh_timer);
	t->slot = schedh_ntimers;
	schedh_timer[schedh_ntimers++] = t;
}

void timer_cancel(struct timer *t)
{
	if (t->slot < 0)
		return;
	schedh_timer[t->slot] = schedh_timer[--schedh_ntimers];
	schedh_timer[t->slot]->slot = t->slot;
	t->slot = -1;
	if (!schedh_ntimers)
		host_step_remove(schedh_timer);
}

void sched_stats(unsigned cpu, struct sched_stats *st)
{
	memset(st, 0, sizeof(*st));
}
