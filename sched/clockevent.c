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
 */
#include "core/irq.h"
#include "sched/local.h"

static nsec_t clockevent_needed(const struct sched_cpu *c)
{
	nsec_t next = READ_ONCE(c->timer_next);

	if (sched_is_idle(c) || c->cpu->need_resched)
		return next;
	return MIN(next, runq_slice_end(&c->rq, c->since));
}

static void clockevent_arm(struct sched_cpu *c, nsec_t when)
{
	c->armed = when;
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

void clockevent_idle(struct sched_cpu *c)
{
	nsec_t needed = clockevent_needed(c);

	if (c->armed < needed && c->armed < time_now() + SCHED_NEAR)
		clockevent_arm(c, needed);
	else
		clockevent_update(c);
}

static void clockevent_irq(void *arg)
{
	struct sched_cpu *c = sched_here();
	nsec_t now = time_now();
	bool slice_over = !sched_is_idle(c) &&
			  runq_slice_end(&c->rq, c->since) <= now;

	c->timer_irqs++;
	c->armed = NSEC_NEVER;		/* it fires once */
	if (slice_over)
		c->cpu->need_resched = true;
	if (!timer_fire(c, now) && !slice_over)
		c->timer_stray++;
	clockevent_update(c);
}

void clockevent_init(void)
{
	irq_set_system(IRQ_VECTOR_TIMER, clockevent_irq, "timer");
}
