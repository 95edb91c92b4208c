/* SPDX-License-Identifier: MIT */
/*
 * What a CPU's one-shot timer is armed for: its earliest timer, or the end of
 * the running thread's slice, but that only while another thread waits. So an
 * idle CPU without timers and a CPU with one runnable thread are never
 * interrupted; there is no tick.
 *
 * Arming costs an exit to the hypervisor, thus it is done late and rarely. The
 * one rule is that the timer never fires too late: armed <= needed. When less
 * is needed than is armed (a time-out that did not happen, a rival that
 * blocked again) it stays as it is. It may then fire for nothing, once, which
 * is counted as stray; a thousand waits with a time-out of seconds cost one
 * such interrupt instead of two thousand register writes.
 *
 * Only before a halt is a needless deadline taken back, for an idle CPU should
 * stay idle; and only if it is near. A far one may become useful yet, or be
 * taken back at a later halt.
 *
 * Dead timers. An interrupt that was armed and does not come leaves its CPU
 * asleep for ever (hosts have lost some around migrations and snapshots). So
 * a CPU looks at its own deadline whenever it is interrupted or about to halt,
 * and at one other CPU's, in turn, whenever its own timer fires or it halts.
 * That costs no timer of its own, so the promise is: a lost interrupt is
 * found by what happens next on other CPUs, each looking at one of them in turn;
 * with one CPU, by its own next interrupt. Whoever finds another one overdue
 * pokes it, once for each deadline; the owner alone judges, for only it can ask
 * its local APIC whether the interrupt has come and waits to be taken, as it has
 * after a stop of the machine or of this CPU.
 *
 * Overdue means by more than CLOCKEVENT_PATIENCE and eight times the worst
 * lateness of the interrupts that did come lately: on a host that is late by habit the
 * detector is as patient as the host is slow.
 */
#include "core/bits.h"
#include "core/irq.h"
#include "core/log.h"
#include "sched/local.h"

#define CLOCKEVENT_PATIENCE	(20 * NSEC_PER_MSEC)
#define CLOCKEVENT_HABIT	8
#define CLOCKEVENT_FORGET	32
#define CLOCKEVENT_LATE_MAX	(100 * NSEC_PER_MSEC)	/* more was a stop */

static nsec_t clockevent_needed(const struct sched_cpu *c)
{
	nsec_t next = READ_ONCE(c->timer_next);

	if (sched_is_idle(c) || c->cpu->need_resched)
		return next;
	return MIN(next, runq_slice_end(&c->rq, c->since));
}

/* One for the past cannot be late before it is armed, nor before a tick. */
static nsec_t clockevent_due(nsec_t when)
{
	nsec_t period = cpu_timer_period();

	return when >= NSEC_NEVER - period ? NSEC_NEVER :
	       MAX(when, time_now()) + period;
}

static void clockevent_arm(struct sched_cpu *c, nsec_t when)
{
	c->armed = when;
	WRITE_ONCE(c->due, clockevent_due(when));
	c->timer_armed++;
	cpu_timer_arm(when);
}

void clockevent_update(struct sched_cpu *c)
{
	nsec_t needed = clockevent_needed(c);

	if (needed < c->armed)
		clockevent_arm(c, needed);
}

/*
 * The slice may have been over for long while nobody waited. Then, inside an
 * interrupt, the switch comes at its end; a thread that wakes its own rival is
 * interrupted by the timer, at once.
 */
void clockevent_contend(struct sched_cpu *c)
{
	if (c->cpu->in_irq &&
	    runq_slice_end(&c->rq, c->since) <= time_now())
		c->cpu->need_resched = true;
	clockevent_update(c);
}

/* Any CPU may ask. */
static bool clockevent_overdue(const struct sched_cpu *c, nsec_t now)
{
	nsec_t due = READ_ONCE(c->due);

	return due < now && now - due > CLOCKEVENT_PATIENCE +
	       CLOCKEVENT_HABIT * READ_ONCE(c->late_max);
}

/*
 * The timer's own vector, sent by ourselves, does all that its interrupt would
 * have done; arming for what is due next is part of that. What mode the timer is
 * in may have been lost with the interrupt, so it is programmed anew. Said in the log when
 * the count is a power of two.
 */
static void clockevent_rescue(struct sched_cpu *c, nsec_t now)
{
	if (c->rescued || !clockevent_overdue(c, now) || cpu_timer_pending())
		return;
	c->rescued = true;
	c->timer_dead++;
	if (is_power_of_2(c->timer_dead))
		log_warn("sched", "CPU %u: the timer armed for %llu us ago did "
			 "not fire (%llu in all): armed again", c->id,
			 (unsigned long long)((now - c->due) / NSEC_PER_USEC),
			 (unsigned long long)c->timer_dead);
	cpu_timer_revive();
	cpu_send_ipi(c->id, IRQ_VECTOR_TIMER);
}

void clockevent_check(struct sched_cpu *c)
{
	if (c->due != NSEC_NEVER)
		clockevent_rescue(c, time_now());
}

/* The next CPU in turn. A deadline that somebody has poked for is left alone. */
static void clockevent_watch(struct sched_cpu *c, nsec_t now)
{
	struct sched_cpu *other;
	nsec_t due;

	if (++c->watched >= cpu_count())
		c->watched = 0;
	other = sched_cpu_peek(c->watched);
	if (!other || other == c || !clockevent_overdue(other, now))
		return;
	due = READ_ONCE(other->due);
	if (__atomic_exchange_n(&other->poked, due, __ATOMIC_RELAXED) == due)
		return;
	c->timer_pokes++;
	cpu_send_ipi(other->id, IRQ_VECTOR_RESCHED);
}

void clockevent_idle(struct sched_cpu *c)
{
	nsec_t needed = clockevent_needed(c), now = time_now();

	clockevent_rescue(c, now);
	clockevent_watch(c, now);
	if (c->armed < needed && c->armed < now + SCHED_NEAR)
		clockevent_arm(c, needed);
	else
		clockevent_update(c);
}

/*
 * How late this host is by habit: what was not rescued teaches it, and is
 * forgotten over some dozens of interrupts.
 */
static void clockevent_learn(struct sched_cpu *c, nsec_t now)
{
	nsec_t late = now - c->due;

	c->late_max -= c->late_max / CLOCKEVENT_FORGET;
	if (!c->rescued && c->due < now && late > c->late_max)
		c->late_max = MIN(late, CLOCKEVENT_LATE_MAX);
	c->rescued = false;
	WRITE_ONCE(c->due, NSEC_NEVER);
}

static void clockevent_irq(void *arg)
{
	struct sched_cpu *c = sched_here();
	nsec_t now = time_now();
	bool slice_over = !sched_is_idle(c) &&
			  runq_slice_end(&c->rq, c->since) <= now;

	c->timer_irqs++;
	clockevent_learn(c, now);
	c->armed = NSEC_NEVER;		/* it fires once */
	if (slice_over)
		c->cpu->need_resched = true;
	if (!timer_fire(c, now) && !slice_over)
		c->timer_stray++;
	clockevent_watch(c, now);
	clockevent_update(c);
}

void clockevent_init(void)
{
	irq_set_system(IRQ_VECTOR_TIMER, clockevent_irq, "timer");
}
