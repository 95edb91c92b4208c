/* SPDX-License-Identifier: MIT */
/*
 * What the files of this room share; no other room includes it. The theory of
 * operation is in sched.c.
 */
#ifndef SCHED_LOCAL_H
#define SCHED_LOCAL_H

#include "core/percpu.h"
#include "sched/runq.h"
#include "sched/sched.h"
#include "sched/timerq.h"

/*
 * A deadline that is no longer needed is taken back only if it is nearer than
 * this: a far one may become useful yet, and costs one interrupt if not.
 */
#define SCHED_NEAR	NSEC_PER_SEC

enum thread_state {
	THREAD_RUNNING,
	THREAD_READY,			/* in home's run queue */
	THREAD_BLOCKED,
	THREAD_DEAD,
};

/* At the top of its own stack, except for the threads that CPUs start as. */
struct thread {
	void *sp;			/* where it was left, if not running */

	/* set once at creation: */
	struct sched_cpu *home;
	void *stack;			/* its top; NULL: a start-up stack */
	void (*fn)(void *arg);
	void *arg;
	bool detached;
	char name[THREAD_NAME];

	/* home->lock: */
	enum thread_state state;
	bool token;			/* woken since it last blocked */
	struct runq_entry run;
	struct list node;		/* in home->threads, until it is dead */
	nsec_t ran;			/* ns, up to its last switch */

	/* home CPU, interrupts off: */
	struct timer alarm;		/* ends its sched_block() */
	nsec_t deadline;		/* of that; NSEC_NEVER: none */
	bool rung;			/* it has passed */

	/* over.lock: */
	struct waitq over;		/* who joins it */
	bool gone;			/* nobody uses its stack any more */
};

struct sched_cpu {
	/* set once at start: */
	unsigned id;
	struct percpu *cpu;
	struct thread *idle;

	struct spinlock lock;
	/* lock (cpu->current and cpu->need_resched as well): */
	struct runq rq;
	struct list threads;
	unsigned nthreads;
	nsec_t since;			/* when cpu->current was switched to */
	uint64_t switches, preemptions;

	struct spinlock timer_lock;
	/* timer_lock: */
	struct timerq timers;
	nsec_t timer_next;		/* timerq_next(); others may look */
	struct timer *timer_firing;	/* its fn runs; set without the lock */

	/* owner CPU, interrupts off: */
	struct thread *leaving;		/* dead, but its stack is still ours */
	nsec_t armed;			/* the one-shot timer; never too late */
	uint64_t timer_irqs, timer_armed, timer_stray, resched_ipis, halts;
	nsec_t due;			/* armed, not before it was; a tick later */
	bool rescued;			/* the timer's vector was sent by us */
	unsigned watched;		/* whom it looked at last */
	uint64_t timer_dead, timer_pokes;	/* own; sent to others */
	nsec_t late_max;		/* of an interrupt that came */

	nsec_t poked;			/* atomic: for this deadline, by anyone */
	nsec_t poll_limit;		/* sched_idle_poll()'s last answer */
	uint64_t polled;
};

static inline struct sched_cpu *sched_here(void)
{
	return ((struct thread *)this_cpu()->current)->home;
}

static inline bool sched_is_idle(const struct sched_cpu *c)
{
	return c->cpu->current == c->idle;
}

/* ---- sched.c ---- */

/* The state of a CPU that is up, made at first use. NULL: out of memory. */
struct sched_cpu *sched_cpu_get(unsigned cpu);
/* The same if it has been made already, or NULL. */
struct sched_cpu *sched_cpu_peek(unsigned cpu);
/* The CPU with the fewest runnable threads, then the fewest threads. */
unsigned sched_least_loaded(void);

/* A new thread, complete but for its place in home's lists, may run. */
void sched_enter(struct thread *t);
/*
 * Until sched_wake(), or the deadline: then it returns false. May return true
 * for no reason. Thread context, interrupts on, no lock held.
 */
bool sched_block(nsec_t deadline);
/* t's next or current sched_block() returns. Any context. */
void sched_wake(struct thread *t);
/* Give way to whoever waits. Thread context. */
void sched_yield(void);
/* The end of the current thread. */
void sched_leave(void) __noreturn;
/* The first thing on a new stack: complete the switch to it. */
void sched_arrive(void);
/* What the idle threads do. */
void sched_idle_loop(void) __noreturn;

struct sched_info {
	char name[THREAD_NAME];
	enum thread_state state;
	nsec_t ran;
};
/* Up to room of a CPU's threads; returns how many it has. Any context. */
unsigned sched_list(unsigned cpu, struct sched_info *info, unsigned room);

/* ---- thread.c ---- */

/*
 * A thread that is in no list yet: for the context that a CPU started in, or
 * one with a stack of its own. NULL: out of memory.
 */
struct thread *thread_new(struct sched_cpu *home, const char *name);
struct thread *thread_new_stack(struct sched_cpu *home, const char *name,
				void (*fn)(void *arg), void *arg);
/* The CPU has left t's stack for good. Interrupts off. */
void thread_bury(struct thread *t);
/*
 * Around a switch that blocks t, the current thread: wake it at deadline.
 * thread_alarm_off() returns false when that has happened. Interrupts off.
 */
void thread_alarm_on(struct thread *t, nsec_t deadline);
bool thread_alarm_off(struct thread *t);
/* Where a new thread starts. */
void thread_first(void) __noreturn;

/* ---- timer.c ---- */

/* Fire what is due. Returns false when nothing was. The timer interrupt. */
bool timer_fire(struct sched_cpu *c, nsec_t now);

/* ---- clockevent.c: all on the owner CPU, interrupts off ---- */

void clockevent_init(void);
/* Arm for what comes first, unless that is later than what is armed. */
void clockevent_update(struct sched_cpu *c);
/* A first thread has come to wait behind the running one. */
void clockevent_contend(struct sched_cpu *c);
/* Has an armed interrupt failed to come? Then do without it. */
void clockevent_check(struct sched_cpu *c);
/* Before a halt: take back what is armed needlessly and would soon fire. */
void clockevent_idle(struct sched_cpu *c);

/* ---- arch_x86.c, switch.S ---- */

/* A stack below top that sched_arch_switch() can switch to: thread_first(). */
void *sched_arch_frame(void *top);
/* Leave this stack, its pointer in *save, for another one. Interrupts off. */
void sched_arch_switch(void **save, void *to);
void sched_arch_irqs_on(void);
/*
 * Called with interrupts off: turn them on and halt until one arrives, with no
 * gap between the two in which one could be lost. Returns with them on.
 */
void sched_arch_idle(void);

#endif
