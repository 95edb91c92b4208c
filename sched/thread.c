/* SPDX-License-Identifier: MIT */
/*
 * Birth and death of threads. A thread is one allocation: a guarded stack (of
 * core/vm.h, which keeps used ones at hand) with the struct thread at its top,
 * where an overflow cannot reach it.
 */
#include "core/heap.h"
#include "core/panic.h"
#include "core/vm.h"
#include "sched/local.h"

/*
 * Most waits end before their deadline, and a thread that waits once often
 * waits again. So the alarm is left armed, unless it would ring soon, and the
 * next wait need not arm it for a later time: when it rings too early, it is
 * set again. A wait with a time-out thus costs no timer at all.
 */
static void thread_alarm_ring(struct timer *alarm)
{
	struct thread *t = container_of(alarm, struct thread, alarm);

	if (t->deadline == NSEC_NEVER)
		return;
	if (time_now() < t->deadline) {
		timer_start(alarm, t->deadline);
		return;
	}
	t->rung = true;
	sched_wake(t);
}

void thread_alarm_on(struct thread *t, nsec_t deadline)
{
	t->rung = false;
	t->deadline = deadline;
	if (deadline == NSEC_NEVER)
		return;
	if (t->alarm.slot < 0 || t->alarm.when > deadline)
		timer_start(&t->alarm, deadline);
}

bool thread_alarm_off(struct thread *t)
{
	t->deadline = NSEC_NEVER;
	if (t->alarm.slot >= 0 && t->alarm.when < t->home->since + SCHED_NEAR)
		timer_cancel(&t->alarm);
	return !t->rung;
}

static void thread_init(struct thread *t, struct sched_cpu *home, void *stack,
			const char *name)
{
	*t = (struct thread){ .home = home, .stack = stack,
			      .deadline = NSEC_NEVER };
	for (unsigned i = 0; i < sizeof(t->name) - 1 && name[i]; i++)
		t->name[i] = name[i];
	runq_entry_init(&t->run);
	list_init(&t->node);
	timer_init(&t->alarm, thread_alarm_ring);
	waitq_init(&t->over);
}

struct thread *thread_new(struct sched_cpu *home, const char *name)
{
	struct thread *t = heap_alloc(sizeof(*t));

	if (t)
		thread_init(t, home, NULL, name);
	return t;
}

struct thread *thread_new_stack(struct sched_cpu *home, const char *name,
				void (*fn)(void *arg), void *arg)
{
	char *stack = stack_alloc();
	struct thread *t;

	if (!stack)
		return NULL;
	t = (void *)(stack - ALIGN_UP(sizeof(*t), 16));
	thread_init(t, home, stack, name);
	t->fn = fn;
	t->arg = arg;
	t->sp = sched_arch_frame(t);
	return t;
}

void thread_first(void)
{
	struct thread *t;

	sched_arrive();
	sched_arch_irqs_on();
	t = thread_self();
	t->fn(t->arg);
	thread_exit();
}

int thread_create(unsigned cpu, void (*fn)(void *arg), void *arg,
		  const char *name, struct thread **out)
{
	struct sched_cpu *home;
	struct thread *t;

	if (cpu == SCHED_ANY_CPU)
		cpu = sched_least_loaded();
	if (cpu >= cpu_count() || !fn)
		return -EINVAL;
	home = sched_cpu_get(cpu);
	t = home ? thread_new_stack(home, name, fn, arg) : NULL;
	if (!t)
		return -ENOMEM;
	t->detached = !out;
	if (out)
		*out = t;
	sched_enter(t);
	return 0;
}

/*
 * A joiner with the same home cannot run before this thread has left its
 * stack, so he may be queued already: then the CPU switches straight to him.
 */
static void thread_call_joiner(struct thread *t)
{
	irqflags_t flags = spin_lock(&t->over.lock);

	if (!list_empty(&t->over.waiters)) {
		struct thread *joiner = list_first(&t->over.waiters,
						   struct waiter, node)->thread;

		if (joiner->home == t->home)
			waitq_wake_one_locked(&t->over);
	}
	spin_unlock(&t->over.lock, flags);
}

void thread_exit(void)
{
	struct thread *t = thread_self();

	if (!t->stack)
		panic("thread %s must not end", t->name);
	timer_cancel(&t->alarm);
	if (!t->detached)
		thread_call_joiner(t);
	sched_leave();
}

void thread_bury(struct thread *t)
{
	irqflags_t flags;

	if (t->detached) {
		stack_free(t->stack);
		return;
	}
	flags = spin_lock(&t->over.lock);
	t->gone = true;
	waitq_wake_all_locked(&t->over);
	spin_unlock(&t->over.lock, flags);
}

void thread_join(struct thread *t)
{
	BUG_ON(t == thread_self() || t->detached);
	wait_until(&t->over, READ_ONCE(t->gone), NSEC_NEVER);
	stack_free(t->stack);
}

void thread_yield(void)
{
	sched_yield();
}

void thread_sleep_until(nsec_t deadline)
{
	while (sched_block(deadline))
		;
}

struct thread *thread_self(void)
{
	return this_cpu()->current;
}

const char *thread_name(const struct thread *t)
{
	return t->name;
}
