/* SPDX-License-Identifier: MIT */
/*
 * A leftist heap: a binary tree in which nobody is due before his parent, and
 * in which the way down to the nearest free place is never shorter on the left
 * than on the right. That way's length is a timer's slot: 0 where a child is
 * missing, -1 for a timer that is in no queue (and for no timer at all).
 * A tree of n timers has a right spine of at most log2(n + 1), and merging two
 * heaps walks their right spines only. Adding is a merge with a heap of one;
 * removing merges the two children, puts the result in the parent's hand, and
 * corrects slots upwards. They all rise or all fall; the old ones in the first
 * case, the new ones in the second, grow by one from each to the next, so that
 * this walk has at most log2(n) steps as well.
 *
 * Why this one: the links live in the timers, so there is no array that has to
 * grow inside an interrupt and could fail to (a binary or 4-ary heap); the
 * bound holds for each single call, with interrupts off, and not only on
 * average (a pairing heap); any timer can be taken out, which is what
 * nearly all of them end in, since most are time-outs that do not happen.
 */
#include "sched/timerq.h"

void timerq_init(struct timerq *q)
{
	q->root = NULL;
	q->count = 0;
}

static int timerq_slot(const struct timer *t)
{
	return t ? t->slot : -1;
}

/* The children are in place: longer way to the left, and the slot from it. */
static void timerq_settle(struct timer *t)
{
	if (timerq_slot(t->left) < timerq_slot(t->right)) {
		struct timer *left = t->left;

		t->left = t->right;
		t->right = left;
	}
	t->slot = timerq_slot(t->right) + 1;
}

/* One heap of two; who is due first becomes its root. */
static struct timer *timerq_merge(struct timer *a, struct timer *b)
{
	struct timer *up = NULL, *t;

	/* Down both right spines, hanging up the earlier one each time ... */
	while (a && b) {
		if (b->when < a->when) {
			t = a;
			a = b;
			b = t;
		}
		a->up = up;
		up = a;
		a = a->right;
	}
	t = a ? a : b;
	if (t)
		t->up = up;
	/* ... and up again, with t the heap that belongs below up. */
	for (; up; up = up->up) {
		up->right = t;
		timerq_settle(up);
		t = up;
	}
	return t;
}

void timerq_add(struct timerq *q, struct timer *t)
{
	t->left = t->right = NULL;
	t->slot = 0;
	q->root = timerq_merge(q->root, t);
	q->count++;
}

void timerq_remove(struct timerq *q, struct timer *t)
{
	struct timer *up = t->up, *heir = timerq_merge(t->left, t->right);

	if (heir)
		heir->up = up;
	if (!up)
		q->root = heir;
	else if (up->left == t)
		up->left = heir;
	else
		up->right = heir;
	for (int old; up; up = up->up) {
		old = up->slot;
		timerq_settle(up);
		if (up->slot == old)
			break;
	}
	t->slot = -1;
	q->count--;
}
