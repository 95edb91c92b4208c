/* SPDX-License-Identifier: MIT */
/*
 * Timers. A timer is queued on the CPU that starts it, and its function runs
 * there, in the timer interrupt, with no lock held. Other CPUs may only take
 * it out again. While the function runs, timer_firing names its timer; that is
 * all timer_cancel() looks at afterwards, because the function may free the
 * timer, or start it again.
 */
#include "core/panic.h"
#include "sched/local.h"

#define TIMER_PATIENCE	(10 * NSEC_PER_SEC)	/* with a function */

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	*t = (struct timer){ .slot = -1, .fn = fn };
}

static void timer_queue_locked(struct sched_cpu *c, struct timer *t)
{
	timerq_add(&c->timers, t);
	WRITE_ONCE(c->timer_next, timerq_next(&c->timers));
}

static void timer_unqueue_locked(struct sched_cpu *c, struct timer *t)
{
	timerq_remove(&c->timers, t);
	WRITE_ONCE(c->timer_next, timerq_next(&c->timers));
}

/* Out of whatever queue it is in. Returns whether its function is running. */
static bool timer_disarm(struct timer *t)
{
	struct sched_cpu *c = sched_cpu_peek(READ_ONCE(t->cpu));
	irqflags_t flags = spin_lock(&c->timer_lock);
	bool firing = READ_ONCE(c->timer_firing) == t;

	if (t->slot >= 0)
		timer_unqueue_locked(c, t);
	spin_unlock(&c->timer_lock, flags);
	return firing;
}

void timer_start(struct timer *t, nsec_t when)
{
	irqflags_t flags = cpu_irq_save(), lock_flags;
	struct sched_cpu *c = sched_here();

	if (READ_ONCE(t->slot) >= 0)
		timer_disarm(t);
	lock_flags = spin_lock(&c->timer_lock);
	t->when = when;
	t->cpu = c->id;
	timer_queue_locked(c, t);
	spin_unlock(&c->timer_lock, lock_flags);
	clockevent_update(c);
	cpu_irq_restore(flags);
}

/*
 * A running function may start its timer again. It does so before it is no
 * longer named as firing; so only a timer that was found not firing, in the
 * critical section that took it out, stays out.
 */
void timer_cancel(struct timer *t)
{
	while (timer_disarm(t)) {
		struct sched_cpu *c = sched_cpu_peek(READ_ONCE(t->cpu));

		if (c->cpu == this_cpu())
			panic("timer: cancelled by its own function");
		if (poll_mem_until(READ_ONCE(c->timer_firing) != t,
				   time_now() + TIMER_PATIENCE))
			panic("timer: a function does not return");
	}
}

static struct timer *timer_take_due(struct sched_cpu *c, nsec_t now)
{
	irqflags_t flags = spin_lock(&c->timer_lock);
	struct timer *t = NULL;

	if (timerq_next(&c->timers) <= now) {
		t = timerq_first(&c->timers);
		timer_unqueue_locked(c, t);
		WRITE_ONCE(c->timer_firing, t);
	}
	spin_unlock(&c->timer_lock, flags);
	return t;
}

/*
 * One that its function starts again for a time that has passed must not keep
 * us here: at most as many as are queued now, the rest at the next interrupt.
 */
bool timer_fire(struct sched_cpu *c, nsec_t now)
{
	unsigned n = READ_ONCE(c->timers.count);
	struct timer *t;
	bool any = false;

	while (n-- > 0 && (t = timer_take_due(c, now))) {
		t->fn(t);
		__atomic_store_n(&c->timer_firing, NULL, __ATOMIC_RELEASE);
		any = true;
	}
	return any;
}
