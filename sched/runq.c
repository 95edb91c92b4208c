/* SPDX-License-Identifier: MIT */
#include "sched/runq.h"

#include "sched/sched.h"

void runq_init(struct runq *rq)
{
	list_init(&rq->fifo);
	rq->waiting = 0;
}

void runq_entry_init(struct runq_entry *e)
{
	list_init(&e->node);
}

void runq_put(struct runq *rq, struct runq_entry *e)
{
	list_add_tail(&rq->fifo, &e->node);
	rq->waiting++;
}

struct runq_entry *runq_take(struct runq *rq)
{
	struct runq_entry *e;

	if (list_empty(&rq->fifo))
		return NULL;
	e = list_first(&rq->fifo, struct runq_entry, node);
	runq_remove(rq, e);
	return e;
}

void runq_remove(struct runq *rq, struct runq_entry *e)
{
	if (list_empty(&e->node))
		return;
	list_del(&e->node);
	rq->waiting--;
}

nsec_t runq_slice_end(const struct runq *rq, nsec_t since)
{
	return runq_waiting(rq) ? since + SCHED_SLICE : NSEC_NEVER;
}
