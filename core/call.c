/* SPDX-License-Identifier: MIT */
/*
 * Calls between CPUs. A caller leaves fn and arg in its own struct call_cpu,
 * sets its bit in from[] of every target, and waits until left, the number of
 * those that have not done it yet, is 0. A target takes the bits with one
 * exchange and runs each one's function.
 *
 * No call is lost. due says that an IPI to a CPU is on its way. The caller sets
 * its bit, then due, and sends an IPI if due was clear. The target clears due,
 * then takes the bits. So whoever finds due set has set his bit before the
 * target clears it, and the target will find the bit. That also means one IPI
 * for a burst of calls, and as many received as sent.
 *
 * Giving up. Whoever has waited for too long takes back his bit. If it was
 * still there, the target has not seen it and never will. If not, the target
 * runs fn or is about to, and may use arg: there is no return before it is
 * done. One that takes yet another 10 s is our own fault and panics.
 */
#include "core/call.h"

#include "core/irq.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/percpu.h"

#define CALL_RUN_WAIT	(10 * NSEC_PER_SEC)

/* The bit of percpu's id in a set of CPUs, and the word that has it. */
static uint64_t call_bit(const struct percpu *p)
{
	return UINT64_C(1) << p->id % 64;
}

static uint64_t *call_word(struct percpu *to, const struct percpu *from)
{
	return &to->call.from[from->id / 64];
}

/* ---- the target's side ---- */

static void call_serve(struct percpu *me, struct percpu *caller)
{
	struct call_cpu *c = &caller->call;

	c->fn(c->arg);
	me->call.served++;
	/* From here on c may be another call. */
	__atomic_fetch_sub(&c->left, 1, __ATOMIC_RELEASE);
}

static void call_irq(void *arg)
{
	struct percpu *me = this_cpu();

	me->call.received++;
	(void)__atomic_exchange_n(&me->call.due, false, __ATOMIC_SEQ_CST);
	for (unsigned w = 0; w < ARRAY_SIZE(me->call.from); w++) {
		uint64_t from = 0;

		if (READ_ONCE(me->call.from[w]))
			from = __atomic_exchange_n(&me->call.from[w], 0,
						   __ATOMIC_SEQ_CST);
		for (; from; from &= from - 1)
			call_serve(me, percpu_of(64 * w +
						 __builtin_ctzll(from)));
	}
}

void call_init(void)
{
	irq_set_system(IRQ_VECTOR_CALL, call_irq, "call");
}

/* ---- the caller's side ---- */

static void call_post(struct percpu *me, const struct cpu_set *set)
{
	struct cpu_set wake = { 0 };

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		struct percpu *to = percpu_of(cpu);

		if (!cpu_set_has(set, cpu))
			continue;
		__atomic_fetch_or(call_word(to, me), call_bit(me),
				  __ATOMIC_SEQ_CST);
		if (__atomic_exchange_n(&to->call.due, true, __ATOMIC_SEQ_CST))
			continue;
		cpu_set_add(&wake, cpu);
		me->call.sent++;
	}
	cpu_send_ipi_set(&wake, IRQ_VECTOR_CALL);
}

/* Returns whether some CPU will not do it any more; each is named. */
static bool call_give_up(struct percpu *me, const struct cpu_set *set)
{
	bool any = false;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		struct percpu *to = percpu_of(cpu);
		uint64_t was;

		if (!cpu_set_has(set, cpu))
			continue;
		was = __atomic_fetch_and(call_word(to, me), ~call_bit(me),
					 __ATOMIC_SEQ_CST);
		if (!(was & call_bit(me)))
			continue;
		/* Its IPI may be lost: let the next caller send another. */
		__atomic_store_n(&to->call.due, false, __ATOMIC_SEQ_CST);
		__atomic_fetch_sub(&me->call.left, 1, __ATOMIC_RELAXED);
		log_err("call", "CPU %u (APIC id %u) does not answer", cpu,
			to->apic_id);
		any = true;
	}
	return any;
}

static bool call_is_done(const struct percpu *me)
{
	return !__atomic_load_n(&me->call.left, __ATOMIC_ACQUIRE);
}

static int call_wait(struct percpu *me, const struct cpu_set *set)
{
	nsec_t wait = CALL_WAIT + cpu_count() * CALL_WAIT_EACH;
	bool any;

	if (!poll_mem_until(call_is_done(me), time_now() + wait))
		return 0;
	any = call_give_up(me, set);
	if (poll_mem_until(call_is_done(me), time_now() + CALL_RUN_WAIT))
		panic("call: a function called by CPU %u does not end", me->id);
	return any ? -ETIMEDOUT : 0;
}

/* The members of set that are online and not me. */
static unsigned call_targets(const struct percpu *me,
			     const struct cpu_set *set, struct cpu_set *out)
{
	unsigned n = 0;

	*out = (struct cpu_set){ 0 };
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		if (!cpu_set_has(set, cpu) || cpu == me->id ||
		    !__atomic_load_n(&percpu_of(cpu)->online, __ATOMIC_ACQUIRE))
			continue;
		cpu_set_add(out, cpu);
		n++;
	}
	return n;
}

static int call_remote(struct percpu *me, const struct cpu_set *set,
		       void (*fn)(void *arg), void *arg)
{
	struct cpu_set targets;
	unsigned n = call_targets(me, set, &targets);

	if (!n)
		return 0;
	if (me->in_irq || !cpu_irqs_on())
		panic("call: CPU %u calls with interrupts off", me->id);
	me->call.fn = fn;
	me->call.arg = arg;
	me->call.made++;
	__atomic_store_n(&me->call.left, n, __ATOMIC_RELEASE);
	call_post(me, &targets);
	return call_wait(me, &targets);
}

static void call_here(void (*fn)(void *arg), void *arg)
{
	irqflags_t flags = cpu_irq_save();

	fn(arg);
	cpu_irq_restore(flags);
}

/* What an interrupt could not do in the meantime is done now. */
static void call_preempt_on(struct percpu *me)
{
	irqflags_t flags = cpu_irq_save();

	me->preempt_off--;
	if (percpu_irq_exit && flags)
		percpu_irq_exit();
	cpu_irq_restore(flags);
}

int call_set(const struct cpu_set *set, void (*fn)(void *arg), void *arg)
{
	struct percpu *me = this_cpu();
	int err;

	me->preempt_off++;
	if (cpu_set_has(set, me->id))
		call_here(fn, arg);
	err = call_remote(me, set, fn, arg);
	call_preempt_on(me);
	return err;
}

int call_cpu(unsigned cpu, void (*fn)(void *arg), void *arg)
{
	struct cpu_set set = { 0 };

	if (cpu >= cpu_count() || !percpu_of(cpu)->online)
		return -EINVAL;
	cpu_set_add(&set, cpu);
	return call_set(&set, fn, arg);
}

int call_others(void (*fn)(void *arg), void *arg)
{
	struct cpu_set set = { 0 };

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		if (cpu != cpu_id())
			cpu_set_add(&set, cpu);
	return call_set(&set, fn, arg);
}

void call_stats(unsigned cpu, struct call_stats *st)
{
	const struct call_cpu *c = &percpu_of(cpu)->call;

	*st = (struct call_stats){ READ_ONCE(c->made), READ_ONCE(c->sent),
				   READ_ONCE(c->received),
				   READ_ONCE(c->served) };
}
