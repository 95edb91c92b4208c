/* SPDX-License-Identifier: MIT */
/*
 * Wait queues. No wake-up is lost: the waker makes the condition true and then
 * takes the queue's lock; the waiter queues himself under that lock and then
 * looks at the condition. Whoever of the two gets the lock second sees what
 * the other did before: the waker finds the waiter in the queue, or the waiter
 * finds the condition true. (Taking the lock is an atomic operation, which
 * x86 does not let later loads pass; so a waker must not skip it because the
 * queue looks empty.)
 *
 * waitq_wake_one() may pick one that is about to leave, since he found an
 * earlier event's condition true. He would take the wake-up with him, and
 * another waiter would sleep on although there is something for him. So one
 * that was picked while leaving passes it on.
 */
#include "sched/local.h"

void waitq_init(struct waitq *q)
{
	spin_init(&q->lock, "waitq");
	list_init(&q->waiters);
}

/*
 * The thread is woken with the lock held: to leave the queue he must take it,
 * so he cannot end while he is being woken.
 */
void waitq_wake_one_locked(struct waitq *q)
{
	struct waiter *w;

	spin_assert_held(&q->lock);
	if (list_empty(&q->waiters))
		return;
	w = list_first(&q->waiters, struct waiter, node);
	list_del(&w->node);
	sched_wake(w->thread);
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

	w->thread = thread_self();
	list_add_tail(&q->waiters, &w->node);
	spin_unlock(&q->lock, flags);
}

/* Whoever picked us has taken us out; he may still be at it, see finish. */
bool waitq_block(struct waitq *q, struct waiter *w, nsec_t deadline)
{
	bool more = sched_block(deadline);

	if (READ_ONCE(w->node.next) != &w->node) {
		irqflags_t flags = spin_lock(&q->lock);

		list_del(&w->node);
		spin_unlock(&q->lock, flags);
	}
	w->thread = NULL;
	return more;
}

/*
 * Takes the lock even if we are not in the queue: a waker that holds it may
 * not be done with us yet.
 */
void waitq_finish(struct waitq *q, struct waiter *w)
{
	irqflags_t flags = spin_lock(&q->lock);

	if (w->thread && list_empty(&w->node))
		waitq_wake_one_locked(q);	/* picked while leaving */
	list_del(&w->node);
	spin_unlock(&q->lock, flags);
}
