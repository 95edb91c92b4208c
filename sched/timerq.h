/* SPDX-License-Identifier: MIT */
/*
 * The timer queue of one CPU, ordered by time. Pure: it never looks at a clock
 * and allocates nothing, so that arming a timer cannot fail. The caller's
 * lock protects it.
 */
#ifndef SCHED_TIMERQ_H
#define SCHED_TIMERQ_H

#include "sched/sched.h"

struct timerq {
	struct timer *root;		/* the earliest, or NULL */
	unsigned count;
};

void timerq_init(struct timerq *q);
/* t->when is set and t is in no queue. O(log n). */
void timerq_add(struct timerq *q, struct timer *t);
/* t is in q. O(log n), for any t. */
void timerq_remove(struct timerq *q, struct timer *t);

static inline struct timer *timerq_first(const struct timerq *q)
{
	return q->root;
}

/* When the earliest timer is due; NSEC_NEVER: there is none. */
static inline nsec_t timerq_next(const struct timerq *q)
{
	return q->root ? q->root->when : NSEC_NEVER;
}

#endif
