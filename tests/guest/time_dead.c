/* SPDX-License-Identifier: MIT */
/*
 * Timers that die (RELIABILITY S9). One is really killed: the test takes back,
 * at the hardware, what the scheduler has armed, and its CPU halts. How one
 * could be fooled: any other interrupt on that CPU, or a later arming, would bring
 * it back, so nothing else happens there: whoever waits there waits for that
 * timer alone. The CPU of the test does nothing but wake up at times, as
 * any other would. That living timers are left alone is checked as well; a host
 * may be late beyond all habit once or twice, so not to the last one.
 */
#include "core/cpu.h"
#include "core/lapic.h"
#include "core/lapicreg.h"
#include "core/report.h"
#include "core/string.h"
#include "core/vm.h"
#include "core/x86.h"
#include "sched/sched.h"

#define DEAD_ROUNDS	20
#define DEAD_TRIES	100
#define DEAD_WAIT	(20 * NSEC_PER_SEC)

static struct {
	struct timer timer;
	struct waitq q;
	unsigned fired;
	nsec_t at;
} dead;

static uint64_t dead_count(unsigned cpu)
{
	struct sched_stats st;

	sched_stats(cpu, &st);
	return st.timer_dead;
}

/* What the detector may take: 20 ms, and eight times this CPU's worst. */
static nsec_t dead_patience(unsigned cpu)
{
	struct sched_stats st;

	sched_stats(cpu, &st);
	return 20 * NSEC_PER_MSEC + 8 * st.late_max;
}

static void dead_fire(struct timer *timer)
{
	dead.at = time_now();
	WRITE_ONCE(dead.fired, dead.fired + 1);
	waitq_wake_all(&dead.q);
}

static bool dead_try(nsec_t in)
{
	irqflags_t flags = cpu_irq_save();
	bool killed;

	waitq_init(&dead.q);
	dead.fired = 0;
	timer_init(&dead.timer, dead_fire);
	timer_start(&dead.timer, time_now() + in);
	cpu_timer_arm(NSEC_NEVER);	/* behind the scheduler's back */
	killed = !cpu_timer_pending();
	cpu_irq_restore(flags);
	return killed;
}

/* A host that stopped us at the wrong moment let it fire before it was killed. */
static void dead_start(nsec_t in)
{
	for (unsigned i = 0; i < DEAD_TRIES && !dead_try(in); i++)
		timer_cancel(&dead.timer);
}

static void dead_victim(void *arg)
{
	dead_start(2 * NSEC_PER_MSEC);
	*(int *)arg = wait_until(&dead.q, READ_ONCE(dead.fired), NSEC_NEVER);
}

static bool dead_impossible(struct ktest_run *t)
{
	bool periodic = strcmp(cpu_timer_name(), "lapic-periodic") == 0;

	if (periodic)
		ktest_skip(t, "a periodic tick cannot be disarmed");
	return periodic;
}

/* One killing; false when nobody found it, and then this CPU brings it back. */
static bool dead_round(struct ktest_run *t, unsigned cpu)
{
	nsec_t end = time_now() + DEAD_WAIT;
	struct thread *victim;
	int err = 1;
	bool found;

	WRITE_ONCE(dead.fired, 0);
	if (!KEXPECT(t, !thread_create(cpu, dead_victim, &err, "victim",
				       &victim)))
		return false;
	while (!READ_ONCE(dead.fired) && time_now() < end)
		thread_sleep(NSEC_PER_MSEC);
	found = READ_ONCE(dead.fired);
	if (!found)
		dead_fire(&dead.timer);
	thread_join(victim);
	timer_cancel(&dead.timer);
	return found;
}

KTEST(time, a_dead_timer_is_found_by_another_cpu)
{
	unsigned cpu = cpu_count() - 1, found = 0;
	uint64_t before = dead_count(cpu);
	nsec_t worst = 0;

	if (dead_impossible(t))
		return;
	if (cpu == 0) {
		ktest_skip(t, "one CPU");
		return;
	}
	for (unsigned i = 0; i < DEAD_ROUNDS; i++) {
		bool ok = dead_round(t, cpu);

		found += ok;
		if (!ok)
			break;
		KEXPECT(t, dead.at >= dead.timer.when);
		KEXPECT_EQ(t, dead.fired, 1);
		worst = MAX(worst, dead.at - dead.timer.when);
	}
	KEXPECT_EQ(t, found, DEAD_ROUNDS);
	KEXPECT(t, dead_count(cpu) - before >= DEAD_ROUNDS);
	ktest_metric("dead_timers_found", found, "count");
	ktest_metric("dead_timer_found_max", worst, "ns");
}

/* All that one CPU can promise: before it halts, or at its next interrupt. */
KTEST(time, a_dead_timer_is_found_by_its_own_cpu)
{
	uint64_t before = dead_count(cpu_id());
	nsec_t end;

	if (dead_impossible(t))
		return;
	dead_start(NSEC_PER_MSEC);
	end = time_now() + dead_patience(cpu_id()) + 5 * NSEC_PER_MSEC;
	poll_mem_until(false, end);	/* no halt, and no timer */
	thread_sleep(NSEC_PER_MSEC);	/* a halt */
	KEXPECT_EQ(t, READ_ONCE(dead.fired), 1);
	KEXPECT(t, dead_count(cpu_id()) - before >= 1);
	timer_cancel(&dead.timer);
}

/* Of this CPU: as a snapshot that forgot it, or wild code, would leave it. */
static void dead_lose_lvt(struct ktest_run *t)
{
	uint64_t base = x86_rdmsr(X86_MSR_APIC_BASE) & PAGE_MASK & UINT32_MAX;
	volatile uint32_t *regs;

	if (lapic_x2()) {
		x86_wrmsr(X86_MSR_X2APIC + LAPIC_LVT_TIMER / 16,
			  LAPIC_LVT_MASKED);
		return;
	}
	regs = vm_map(base, LAPIC_SIZE, VM_WRITE | VM_UNCACHED);
	if (!KEXPECT(t, regs))
		return;
	regs[LAPIC_LVT_TIMER / sizeof(*regs)] = LAPIC_LVT_MASKED;
	vm_unmap((void *)regs, LAPIC_SIZE);
}

/* Every mode, the tick too: no timer of this CPU can fire until it is revived. */
KTEST(time, a_timer_whose_registers_were_lost_is_programmed_anew)
{
	uint64_t before = dead_count(cpu_id()), found;
	nsec_t end;

	dead_lose_lvt(t);
	dead_start(NSEC_PER_MSEC);
	end = time_now() + dead_patience(cpu_id()) + cpu_timer_period() +
	      5 * NSEC_PER_MSEC;
	poll_mem_until(false, end);	/* another CPU may find it now */
	thread_sleep(NSEC_PER_MSEC);	/* a halt */
	KEXPECT_EQ(t, READ_ONCE(dead.fired), 1);
	timer_cancel(&dead.timer);
	found = dead_count(cpu_id());
	KEXPECT(t, found - before >= 1);
	for (unsigned i = 0; i < 20; i++)
		thread_sleep(NSEC_PER_MSEC);
	KEXPECT(t, dead_count(cpu_id()) - found <= 2);
}

KTEST(time, timers_that_live_are_left_alone)
{
	uint64_t before = 0, after = 0;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		before += dead_count(cpu);
	for (unsigned i = 0; i < 20; i++)
		thread_sleep(2 * NSEC_PER_MSEC);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		after += dead_count(cpu);
	KEXPECT(t, after - before <= 2);
}
