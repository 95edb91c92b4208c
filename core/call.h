/* SPDX-License-Identifier: MIT */
/*
 * Calling a function on other CPUs, as an interrupt there (IRQ_VECTOR_CALL).
 * fn runs with interrupts off, may take spinlocks and wake threads, must not
 * sleep, and must not call in turn.
 *
 * Thread context, interrupts on, no spinlock held: while it waits, the caller
 * takes the others' calls as the interrupts they are, so CPUs that call each
 * other all make progress. Nothing is allocated, and no other thread runs on
 * the caller's CPU until it has its answer.
 */
#ifndef CORE_CALL_H
#define CORE_CALL_H

#include "core/cpu.h"
#include "core/types.h"

/*
 * How long a CPU may take to answer; the second part for each CPU there is,
 * since the host may have fewer and run ours by turns.
 */
#define CALL_WAIT	NSEC_PER_SEC
#define CALL_WAIT_EACH	(20 * NSEC_PER_MSEC)

/* In struct percpu; used by core/call.c alone. */
struct call_cpu {
	/* any CPU, atomically: */
	uint64_t from[CPU_MAX / 64];	/* whose calls wait here */
	bool due;			/* an IPI is on its way here */
	unsigned left;			/* who has yet to do this CPU's call */
	/* this CPU's call, constant while it is posted: */
	void (*fn)(void *arg);
	void *arg;
	/* written by this CPU: */
	uint64_t made, sent, received, served;
};

/* The system vector; once, before other CPUs start. */
void call_init(void);

/*
 * Run fn(arg) on cpu, which may be this one, and return when it has returned.
 * -EINVAL: no such CPU. -ETIMEDOUT: it did not answer; the log names it, fn
 * has not run there and never will.
 */
int call_cpu(unsigned cpu, void (*fn)(void *arg), void *arg);
/*
 * The same on all other CPUs that are online, or on those in set, all at once;
 * of a set, this CPU first, before the others have begun. -ETIMEDOUT when one
 * or more did not answer; fn ran on those that did.
 */
int call_others(void (*fn)(void *arg), void *arg);
int call_set(const struct cpu_set *set, void (*fn)(void *arg), void *arg);

/* Since start: calls this CPU made, IPIs it sent and got for them, and the
   functions that it ran for others. */
struct call_stats {
	uint64_t made, sent, received, served;
};
void call_stats(unsigned cpu, struct call_stats *st);

#endif
