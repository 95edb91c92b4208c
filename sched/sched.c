/* SPDX-License-Identifier: MIT */
/*
 * The scheduler (theory of operation).
 *
 * Each CPU has a struct sched_cpu with a run queue, a timer queue and an idle
 * thread; there is no global lock. A thread belongs to one CPU, its home, from
 * beginning to end. Only the home CPU takes threads out of its run queue,
 * any CPU may put them in.
 *
 * States. RUNNING --(slice over, yield)--> READY --> RUNNING --(block)-->
 * BLOCKED --(wake)--> READY, and RUNNING --(exit)--> DEAD. They change with
 * the home's lock held. Switching is done by sched_switch(): pick the next one
 * with the lock held, let go of the lock, then change stacks with interrupts
 * still off. In between, another CPU may wake the thread that is just leaving
 * and queue it; that is harmless, because the one CPU that could run it is
 * busy with leaving it. (Migration would need a mark for "still on a CPU".)
 *
 * No wake-up is lost. sched_wake() makes a BLOCKED thread READY; any other one
 * gets a token, and its next sched_block() takes the token and returns at
 * once. Both look under the same lock, so a wake-up comes either before the
 * block, and leaves a token, or after it, and finds the thread BLOCKED. One
 * layer up, waitq.c argues that the waker finds the waiter. Waking too often
 * is allowed: whoever blocks looks at his condition again.
 *
 * An idle CPU cannot miss one either: the idle loop looks at its run queue
 * with interrupts off and then halts in the same breath that turns them on.
 * Whoever queues a thread there afterwards sends IRQ_VECTOR_RESCHED, which
 * stays pending until the halt and ends it.
 *
 * Whom to disturb. A CPU that idles, or whose thread has no rival yet, must
 * hear of a thread that another CPU woke there: the one switches to it, the
 * other starts to watch its slice (clockevent.c). A CPU where one waits
 * already needs no interrupt. need_resched says that one is on its way to
 * an idle CPU, so that a burst of wake-ups sends one.
 *
 * Preemption happens at the end of an interrupt, if need_resched is set, on
 * the stack of the interrupted thread, or in sched_preempt_on() if that had to
 * wait. Spinlocks turn interrupts off, so that no thread is ever preempted
 * while it holds one.
 *
 * The end. A dead thread cannot free the stack it stands on. It leaves itself
 * in c->leaving, and whoever is switched to next buries it (sched_arrive).
 *
 * Not supported yet: migration, priorities and other classes than the one of
 * runq.c.
 */
#include "sched/local.h"

#include "core/heap.h"
#include "core/irq.h"
#include "core/panic.h"
#include "core/string.h"

static struct sched_cpu *sched_cpus[CPU_MAX];	/* set once each */

uint64_t (*sched_stolen_ns)(unsigned cpu);
nsec_t (*sched_idle_poll)(nsec_t limit, nsec_t idle);

/* ---- the CPUs ---- */

static struct sched_cpu *sched_cpu_new(unsigned cpu)
{
	struct sched_cpu *c = heap_zalloc(sizeof(*c));

	if (!c)
		return NULL;
	c->id = cpu;
	c->cpu = percpu_of(cpu);
	spin_init(&c->lock, "run queue");
	runq_init(&c->rq);
	list_init(&c->threads);
	spin_init(&c->timer_lock, "timer queue");
	timerq_init(&c->timers);
	c->timer_next = NSEC_NEVER;
	c->armed = NSEC_NEVER;
	c->due = NSEC_NEVER;
	return c;
}

struct sched_cpu *sched_cpu_peek(unsigned cpu)
{
	return cpu < CPU_MAX ?
	       __atomic_load_n(&sched_cpus[cpu], __ATOMIC_ACQUIRE) : NULL;
}

/*
 * Another CPU may want to queue threads on one that is up but has not come to
 * sched_cpu_main() yet; so whoever is first makes its state.
 */
struct sched_cpu *sched_cpu_get(unsigned cpu)
{
	struct sched_cpu *c, *first = NULL;

	c = sched_cpu_peek(cpu);
	if (c)
		return c;
	c = sched_cpu_new(cpu);
	if (c && !__atomic_compare_exchange_n(&sched_cpus[cpu], &first, c,
					      false, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE)) {
		heap_free(c);
		c = first;
	}
	return c;
}

static unsigned sched_runnable(const struct sched_cpu *c)
{
	return runq_waiting(&c->rq) + !sched_is_idle(c);
}

unsigned sched_least_loaded(void)
{
	unsigned best = 0, best_run = UINT32_MAX, best_all = UINT32_MAX;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		struct sched_cpu *c = sched_cpu_peek(cpu);
		unsigned run = c ? sched_runnable(c) : 0;
		unsigned all = c ? READ_ONCE(c->nthreads) : 0;

		if (run > best_run || (run == best_run && all >= best_all))
			continue;
		best = cpu;
		best_run = run;
		best_all = all;
	}
	return best;
}

/* ---- switching ---- */

/* Who runs now, with c->lock held; whoever ran before has his new state. */
static struct thread *sched_pick_locked(struct sched_cpu *c, nsec_t now)
{
	struct thread *prev = c->cpu->current, *next = c->idle;
	struct runq_entry *e = runq_take(&c->rq);

	spin_assert_held(&c->lock);
	if (e)
		next = container_of(e, struct thread, run);
	next->state = THREAD_RUNNING;
	c->cpu->need_resched = false;
	prev->ran += now - c->since;
	c->since = now;
	if (next != prev) {
		c->cpu->current = next;
		c->switches++;
	}
	return next;
}

/*
 * The running thread goes into state, and the next one runs. Interrupts off;
 * returns when it is this thread's turn again.
 */
static void sched_switch(struct sched_cpu *c, enum thread_state state,
			 nsec_t now)
{
	irqflags_t flags = spin_lock(&c->lock);
	struct thread *prev = c->cpu->current, *next;

	if (state == THREAD_BLOCKED && prev->token) {
		prev->token = false;
		spin_unlock(&c->lock, flags);
		return;
	}
	prev->state = state;
	if (state == THREAD_READY && prev != c->idle)
		runq_put(&c->rq, &prev->run);
	if (state == THREAD_DEAD) {
		list_del(&prev->node);
		c->nthreads--;
	}
	next = sched_pick_locked(c, now);
	spin_unlock(&c->lock, flags);

	clockevent_update(c);
	if (next == prev)
		return;
	sched_arch_switch(&prev->sp, next->sp);
	sched_arrive();
}

void sched_arrive(void)
{
	struct sched_cpu *c = sched_here();
	struct thread *dead = c->leaving;

	if (unlikely(dead)) {
		c->leaving = NULL;
		thread_bury(dead);
	}
}

/* Interrupts off; on the interrupted thread's stack, if there is one. */
static void sched_preempt(void)
{
	struct percpu *cpu = this_cpu();
	struct sched_cpu *c;

	if (!cpu->need_resched || cpu->preempt_off)
		return;
	c = sched_here();
	c->preemptions += !sched_is_idle(c);
	sched_switch(c, THREAD_READY, time_now());
}

/* percpu_irq_exit. An idle CPU looks at its timer before it halts again. */
static void sched_irq_exit(void)
{
	struct sched_cpu *c = sched_here();

	if (!sched_is_idle(c))
		clockevent_check(c);
	sched_preempt();
}

void sched_preempt_off(void)
{
	this_cpu()->preempt_off++;
}

/* What an interrupt could not do in the meantime is done now. */
void sched_preempt_on(void)
{
	irqflags_t flags = cpu_irq_save();

	this_cpu()->preempt_off--;
	sched_preempt();
	cpu_irq_restore(flags);
}

void sched_yield(void)
{
	irqflags_t flags = cpu_irq_save();
	struct sched_cpu *c = sched_here();

	if (runq_waiting(&c->rq))
		sched_switch(c, THREAD_READY, time_now());
	cpu_irq_restore(flags);
}

void sched_leave(void)
{
	struct sched_cpu *c;

	cpu_irq_save();
	c = sched_here();
	c->leaving = c->cpu->current;
	sched_switch(c, THREAD_DEAD, time_now());
	panic("sched: a dead thread runs");
}

/* ---- waiting and waking ---- */

bool sched_block(nsec_t deadline)
{
	struct percpu *cpu = this_cpu();
	struct thread *t = cpu->current;
	nsec_t now = time_now();
	irqflags_t flags;
	bool more;

	if (cpu->in_irq || cpu->preempt_off || !cpu_irqs_on())
		panic("%s: sleeps where it must not", t->name);
	if (now >= deadline)
		return false;
	flags = cpu_irq_save();
	thread_alarm_on(t, deadline);
	sched_switch(t->home, THREAD_BLOCKED, now);
	more = thread_alarm_off(t);
	cpu_irq_restore(flags);
	return more;
}

/* A thread was queued on c: who must hear of it? */
static void sched_notify_locked(struct sched_cpu *c)
{
	bool here = c->cpu == this_cpu();

	spin_assert_held(&c->lock);
	if (!c->cpu->current)
		return;			/* not scheduling yet; it will look */
	if (sched_is_idle(c)) {
		if (!c->cpu->need_resched && !here)
			cpu_send_ipi(c->id, IRQ_VECTOR_RESCHED);
		c->cpu->need_resched = true;
	} else if (runq_waiting(&c->rq) == 1) {
		if (here)
			clockevent_contend(c);
		else
			cpu_send_ipi(c->id, IRQ_VECTOR_RESCHED);
	}
}

static void sched_ready_locked(struct thread *t)
{
	t->state = THREAD_READY;
	runq_put(&t->home->rq, &t->run);
	sched_notify_locked(t->home);
}

void sched_wake(struct thread *t)
{
	irqflags_t flags = spin_lock(&t->home->lock);

	if (t->state == THREAD_BLOCKED)
		sched_ready_locked(t);
	else
		t->token = true;
	spin_unlock(&t->home->lock, flags);
}

bool thread_may_block(void)
{
	struct percpu *cpu = this_cpu();

	return cpu->current && !cpu->in_irq && !cpu->preempt_off &&
	       !sched_is_idle(sched_here());
}

void thread_nudge(void)
{
	sched_wake(thread_self());
}

void sched_enter(struct thread *t)
{
	struct sched_cpu *c = t->home;
	irqflags_t flags = spin_lock(&c->lock);

	list_add_tail(&c->threads, &t->node);
	c->nthreads++;
	sched_ready_locked(t);
	spin_unlock(&c->lock, flags);
}

/* need_resched is set already if this CPU idles: see sched_preempt(). */
static void sched_resched_irq(void *arg)
{
	struct sched_cpu *c = sched_here();

	c->resched_ipis++;
	clockevent_check(c);
	if (!sched_is_idle(c) && runq_waiting(&c->rq))
		clockevent_contend(c);
}

/* ---- idling ---- */

/*
 * Look for work with interrupts on, until the limit. An interrupt that brings
 * some switches to it from within, and comes back when it is done.
 */
static bool sched_poll(struct sched_cpu *c, nsec_t start)
{
	uint64_t switches = c->switches;

	sched_arch_irqs_on();
	poll_mem_until(READ_ONCE(c->switches) != switches ||
		       runq_waiting(&c->rq), start + c->poll_limit);
	cpu_irq_save();
	return c->switches != switches || runq_waiting(&c->rq);
}

static void sched_halt(struct sched_cpu *c)
{
	clockevent_idle(c);
	c->halts++;
	sched_arch_idle();
}

/*
 * As sched_halt(), but poll first. If an interrupt switched to a thread from
 * within, then what the idle thread ran until that moment is how long there
 * was nothing to do.
 */
static void sched_poll_and_halt(struct sched_cpu *c,
				nsec_t (*adapt)(nsec_t limit, nsec_t idle))
{
	nsec_t start = time_now(), before = c->idle->ran + (start - c->since);
	uint64_t switches = c->switches;
	nsec_t idle;

	if (c->poll_limit && sched_poll(c, start)) {
		c->polled++;
		sched_arch_irqs_on();
	} else {
		sched_halt(c);
	}
	idle = c->switches == switches ? time_now() - start :
					 c->idle->ran - before;
	c->poll_limit = adapt(c->poll_limit, idle);
}

/* Interrupts off before; on, and possibly work to do, afterwards. */
static void sched_idle(struct sched_cpu *c)
{
	nsec_t (*adapt)(nsec_t limit, nsec_t idle) = READ_ONCE(sched_idle_poll);

	if (adapt)
		sched_poll_and_halt(c, adapt);
	else
		sched_halt(c);
}

void sched_idle_loop(void)
{
	struct sched_cpu *c = sched_here();

	for (;;) {
		cpu_irq_save();
		if (runq_waiting(&c->rq)) {
			sched_switch(c, THREAD_READY, time_now());
			sched_arch_irqs_on();
			continue;
		}
		sched_idle(c);
	}
}

static void sched_idle_main(void *arg)
{
	sched_idle_loop();
}

/* ---- start-up ---- */

/* The calling context becomes a thread, which runs. Interrupts off. */
static struct thread *sched_adopt(struct sched_cpu *c, const char *name)
{
	struct thread *t = c ? thread_new(c, name) : NULL;
	irqflags_t flags;

	if (!t)
		panic("sched: no memory for CPU %u", cpu_id());
	t->state = THREAD_RUNNING;
	flags = spin_lock(&c->lock);	/* others may create threads here */
	list_add_tail(&c->threads, &t->node);
	c->nthreads++;
	spin_unlock(&c->lock, flags);
	return t;
}

/* From here on other CPUs may notify this one. */
static void sched_open(struct sched_cpu *c, struct thread *self)
{
	irqflags_t flags = spin_lock(&c->lock);

	c->since = time_now();
	c->cpu->current = self;
	spin_unlock(&c->lock, flags);
}

static const char *sched_thread_name(const struct percpu *p)
{
	return thread_name(p->current);
}

void sched_init(void)
{
	irqflags_t flags = cpu_irq_save();
	struct sched_cpu *c = sched_cpu_get(cpu_id());
	struct thread *self = sched_adopt(c, "main");

	c->idle = thread_new_stack(c, "idle", sched_idle_main, NULL);
	if (!c->idle)
		panic("sched: no memory for the idle thread");
	c->idle->state = THREAD_READY;
	list_add_tail(&c->threads, &c->idle->node);
	c->nthreads++;
	sched_open(c, self);
	clockevent_init();
	irq_set_system(IRQ_VECTOR_RESCHED, sched_resched_irq, "resched");
	percpu_irq_exit = sched_irq_exit;
	percpu_thread_name = sched_thread_name;
	cpu_irq_restore(flags);
}

void sched_cpu_main(void)
{
	struct sched_cpu *c;

	cpu_irq_save();
	c = sched_cpu_get(cpu_id());
	c->idle = sched_adopt(c, "idle");
	sched_open(c, c->idle);
	sched_idle_loop();
}

/* ---- what others may see ---- */

void sched_stats(unsigned cpu, struct sched_stats *st)
{
	uint64_t (*stolen)(unsigned cpu) = READ_ONCE(sched_stolen_ns);
	struct sched_cpu *c = sched_cpu_peek(cpu);
	irqflags_t flags;

	*st = (struct sched_stats){ .armed = NSEC_NEVER };
	if (!c || !READ_ONCE(c->cpu->current))
		return;
	flags = spin_lock(&c->lock);
	st->switches = c->switches;
	st->preemptions = c->preemptions;
	st->idle_ns = c->idle->ran;
	if (sched_is_idle(c))
		st->idle_ns += time_now() - c->since;
	st->threads = c->nthreads;
	st->runnable = sched_runnable(c);
	spin_unlock(&c->lock, flags);
	st->timer_irqs = READ_ONCE(c->timer_irqs);
	st->timer_armed = READ_ONCE(c->timer_armed);
	st->timer_stray = READ_ONCE(c->timer_stray);
	st->timer_dead = READ_ONCE(c->timer_dead);
	st->timer_pokes = READ_ONCE(c->timer_pokes);
	st->late_max = READ_ONCE(c->late_max);
	st->resched_ipis = READ_ONCE(c->resched_ipis);
	st->halts = READ_ONCE(c->halts);
	st->armed = READ_ONCE(c->armed);
	st->polled = READ_ONCE(c->polled);
	if (stolen)
		st->stolen_ns = stolen(cpu);
}

unsigned sched_list(unsigned cpu, struct sched_info *info, unsigned room)
{
	struct sched_cpu *c = sched_cpu_peek(cpu);
	unsigned n = 0;
	struct thread *t;
	irqflags_t flags;

	if (!c)
		return 0;
	flags = spin_lock(&c->lock);
	list_for_each(t, &c->threads, node) {
		if (n < room) {
			memcpy(info[n].name, t->name, sizeof(t->name));
			info[n].state = t->state;
			info[n].ran = t->ran;
			if (t == c->cpu->current)
				info[n].ran += time_now() - c->since;
		}
		n++;
	}
	spin_unlock(&c->lock, flags);
	return n;
}
