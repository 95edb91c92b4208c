/* SPDX-License-Identifier: MIT */
/*
 * Threads, waiting and sleeping.
 *
 * A thread lives on one CPU's run queue. It runs until it blocks, yields, or
 * another one waits and its slice is over; nothing else ever programs a timer
 * for it, so an idle CPU and a CPU with one runnable thread get no tick.
 *
 * Unless said otherwise a function may be called in thread context only, with
 * interrupts on and no spinlock held. waitq_wake_*() may be called anywhere.
 */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include "core/cpu.h"
#include "core/list.h"
#include "core/types.h"

#define THREAD_NAME	24
#define SCHED_SLICE	(4 * NSEC_PER_MSEC)	/* when another one waits */
#define SCHED_ANY_CPU	CPU_MAX			/* the least loaded one */

struct thread;

/* Make the calling context CPU 0's first thread; then cpu by cpu. */
void sched_init(void);
/* On each further CPU, once; never returns: it becomes that CPU's idle loop. */
void sched_cpu_main(void) __noreturn;

/*
 * Start fn(arg) on cpu (or SCHED_ANY_CPU). With out set, the thread stays
 * until thread_join(); with NULL it is detached. 0, -EINVAL, -ENOMEM.
 */
int thread_create(unsigned cpu, void (*fn)(void *arg), void *arg,
		  const char *name, struct thread **out);
void thread_join(struct thread *t);		/* waits; frees t */
void thread_exit(void) __noreturn;
void thread_yield(void);
struct thread *thread_self(void);
const char *thread_name(const struct thread *t);

/*
 * For an exception that has to wait for the host. May the interrupted context
 * block? (Not the idle thread, nor one that must not be switched.) After it
 * has, thread_nudge(): the thread may have been queueing itself elsewhere, and the
 * exception may have taken the wake-up meant for there; so the next time that
 * it blocks it returns at once, for no reason.
 */
bool thread_may_block(void);
void thread_nudge(void);

/*
 * Between the two, which nest, no other thread runs on this CPU; the caller
 * must not block. Interrupts still come.
 */
void sched_preempt_off(void);
void sched_preempt_on(void);

/* Sleep at least until the absolute time. Never returns early. */
void thread_sleep_until(nsec_t deadline);
static inline void thread_sleep(nsec_t ns)
{
	thread_sleep_until(time_now() + ns);
}

struct waitq {
	struct spinlock lock;
	struct list waiters;
};

#define WAITQ_INIT(q)	{ SPINLOCK_INIT("waitq"), LIST_INIT((q).waiters) }
void waitq_init(struct waitq *q);
void waitq_wake_one(struct waitq *q);		/* any context */
void waitq_wake_all(struct waitq *q);		/* any context */
/*
 * The same with q->lock held. Needed where the queue lies on the waiting
 * thread's stack, or in what it frees: make the condition true and wake in one
 * critical section. Then the thread cannot be gone, and the queue with it,
 * before the waker is done, because leaving the queue takes the lock too.
 */
void waitq_wake_one_locked(struct waitq *q);
void waitq_wake_all_locked(struct waitq *q);

/* Used by wait_until(): queue this thread, then block or leave again. */
struct waiter {
	struct list node;
	struct thread *thread;		/* set from prepare to block */
};
void waitq_prepare(struct waitq *q, struct waiter *w);
/* Returns false when the deadline has passed. */
bool waitq_block(struct waitq *q, struct waiter *w, nsec_t deadline);
void waitq_finish(struct waitq *q, struct waiter *w);

/*
 * Wait until cond holds, at most until the absolute time deadline (NSEC_NEVER
 * is allowed only for threads that serve, never on a device). Yields 0 or
 * -ETIMEDOUT. cond is evaluated without a lock: it must be one atomic look.
 */
#define wait_until(q, cond, deadline)					\
({									\
	const nsec_t wait_end_ = (deadline);	/* evaluated once */	\
	int wait_err_ = 0;						\
	struct waiter wait_w_ = { .thread = NULL };			\
	bool wait_more_ = true;						\
	list_init(&wait_w_.node);					\
	while (!(cond)) {						\
		if (!wait_more_) {					\
			wait_err_ = -ETIMEDOUT;				\
			break;						\
		}							\
		waitq_prepare(q, &wait_w_);				\
		if (cond)						\
			break;						\
		wait_more_ = waitq_block(q, &wait_w_, wait_end_);	\
	}								\
	waitq_finish(q, &wait_w_);					\
	wait_err_;							\
})

/* A one-shot timer on the CPU that starts it; fn runs as an interrupt. */
struct timer {
	nsec_t when;
	unsigned cpu;
	int slot;			/* in the queue, -1: not armed */
	struct timer *up, *left, *right;	/* the queue's */
	void (*fn)(struct timer *t);
};
void timer_init(struct timer *t, void (*fn)(struct timer *t));
/*
 * Call fn once, at that time or soon after it, never before; at once when it
 * has passed. One that is armed is armed anew. Any context, but not two CPUs
 * at a time on one timer.
 */
void timer_start(struct timer *t, nsec_t when);
/*
 * After it returns fn neither runs nor will, even one that starts its timer
 * again. Waits while fn runs on another CPU, so hold no lock that fn takes.
 * Any context except fn itself.
 */
void timer_cancel(struct timer *t);

/* Per-CPU counters: the beginnings of the tick ledger. */
struct sched_stats {
	uint64_t switches, timer_irqs, timer_armed, resched_ipis, halts;
	uint64_t idle_ns;
	unsigned threads, runnable;	/* runnable: running or ready */
	uint64_t preemptions;		/* of switches: the slice was over */
	uint64_t timer_stray;		/* of timer_irqs: nothing was due */
	uint64_t timer_dead;		/* armed, never came: found, rescued */
	uint64_t timer_pokes;		/* others found overdue by this CPU */
	nsec_t late_max;		/* the worst interrupt, up to 100 ms */
	nsec_t armed;			/* one-shot timer; NSEC_NEVER: off */
	uint64_t stolen_ns;		/* the host ran others; 0 if it keeps silent */
	uint64_t polled;		/* idle times that ended before the halt */
};
void sched_stats(unsigned cpu, struct sched_stats *st);
/* Where stolen_ns comes from; NULL: the host does not say. Set by virt/, at any
   time. */
extern uint64_t (*sched_stolen_ns)(unsigned cpu);
/*
 * How long an idle CPU looks for work before it halts, given how long it was
 * idle the last time; NULL: not at all. May be set at any time.
 */
extern nsec_t (*sched_idle_poll)(nsec_t limit, nsec_t idle);
/* One @json line per CPU with these counters. Thread context. */
void sched_report(void);

#endif
