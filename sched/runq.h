/* SPDX-License-Identifier: MIT */
/*
 * The run queue of one CPU: who waits for it, and for how long the one that
 * runs may go on. Pure: it knows entries and times, neither threads nor CPUs.
 * The caller's lock protects it. In this version all entries are of one class,
 * first in, first out, with equal slices; a class that orders them otherwise
 * changes runq.c alone.
 */
#ifndef SCHED_RUNQ_H
#define SCHED_RUNQ_H

#include "core/list.h"
#include "core/types.h"

struct runq_entry {
	struct list node;		/* alone: it does not wait */
};

struct runq {
	struct list fifo;
	unsigned waiting;
};

void runq_init(struct runq *rq);
void runq_entry_init(struct runq_entry *e);

/* e, which does not wait yet, waits for its turn. */
void runq_put(struct runq *rq, struct runq_entry *e);
/* Whose turn it is; it no longer waits. NULL: nobody does. */
struct runq_entry *runq_take(struct runq *rq);
/* e gives up waiting; harmless when it does not wait. */
void runq_remove(struct runq *rq, struct runq_entry *e);

/* May be asked without the lock, for a hint. */
static inline unsigned runq_waiting(const struct runq *rq)
{
	return *(const volatile unsigned *)&rq->waiting;
}

/*
 * When the entry that has been running since that time must give way:
 * NSEC_NEVER as long as nobody waits. Also without the lock, for a hint.
 */
nsec_t runq_slice_end(const struct runq *rq, nsec_t since);

#endif
