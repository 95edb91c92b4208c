/* SPDX-License-Identifier: MIT */
#include "core/lapic.h"

#include "core/bits.h"
#include "core/clock.h"
#include "core/cmdline.h"
#include "core/cpu.h"
#include "core/io.h"
#include "core/irq.h"
#include "core/lapicreg.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/percpu.h"
#include "core/x86.h"

#define CPUID_X2APIC		BIT(21)		/* leaf 1 ECX */
#define CPUID_TSC_DEADLINE	BIT(24)

#define LAPIC_ICR_WAIT		(100 * NSEC_PER_MSEC)
#define LAPIC_MEASURE		(NSEC_PER_MSEC)
#define LAPIC_TRIES		5

static const struct cmdline_key key_tick = {
	"tick", "deadline|oneshot|periodic[=HZ]",
	"the timer's mode (default: the best)" };
CMDLINE_KEY(key_tick);

static struct {
	/* set once at start: */
	bool x2;
	struct tick tick;
	struct io regs;
	uint64_t timer_hz;
	struct clock_scale ns_to_ticks;
} lapic;

bool (*lapic_pv_ipi)(const struct cpu_set *set, unsigned vector);
void (*lapic_pv_yield)(const struct cpu_set *set);

static uint32_t lapic_read(unsigned reg)
{
	return lapic.x2 ? (uint32_t)x86_rdmsr(X86_MSR_X2APIC + reg / 16) :
	       io_read32(&lapic.regs, reg);
}

static void lapic_write(unsigned reg, uint32_t val)
{
	if (lapic.x2)
		x86_wrmsr(X86_MSR_X2APIC + reg / 16, val);
	else
		io_write32(&lapic.regs, reg, val);
}

/*
 * The MSRs of x2APIC and the TSC deadline are not serializing: their WRMSR may
 * overtake stores, and MFENCE alone orders only memory (10.12.3, 10.5.4.1).
 */
static void lapic_fence(void)
{
	__asm__ volatile("mfence; lfence" ::: "memory");
}

bool lapic_x2(void)
{
	return lapic.x2;
}

void lapic_init(phys_t base)
{
	lapic.x2 = x86_cpuid(1, 0).ecx & CPUID_X2APIC;
	if (!lapic.x2 && io_map_mem(&lapic.regs, base, LAPIC_SIZE))
		panic("lapic: cannot map its registers");
}

void lapic_init_cpu(void)
{
	uint64_t base = x86_rdmsr(X86_MSR_APIC_BASE) | APIC_BASE_EN;

	x86_wrmsr(X86_MSR_APIC_BASE, base);
	if (lapic.x2)		/* 10.12.5: through xAPIC mode, never back */
		x86_wrmsr(X86_MSR_APIC_BASE, base | APIC_BASE_EXTD);
	lapic_write(LAPIC_TPR, 0);
	/* First, for a disabled APIC keeps its LVT masked (10.4.7.2). */
	lapic_write(LAPIC_SVR, LAPIC_SVR_EN | IRQ_VECTOR_SPURIOUS);
	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED);
	lapic_write(LAPIC_LVT_LINT0, LAPIC_LVT_MASKED);
	lapic_write(LAPIC_LVT_LINT1, LAPIC_LVT_NMI);
	lapic_write(LAPIC_LVT_ERROR, LAPIC_LVT_MASKED);
}

uint32_t lapic_id(void)
{
	uint32_t id = lapic_read(LAPIC_ID);

	return lapic.x2 ? id : FIELD_GET(LAPIC_ID_XAPIC, id);
}

/*
 * KVM's msr.rst, MSR_KVM_EOI_EN: looked at and cleared by one instruction, for
 * the host may change its mind between two. No lock: it does so only while
 * this CPU does not run. Without such a host the bit is always clear.
 */
void lapic_eoi(void)
{
	struct percpu *cpu = this_cpu();
	bool skip;

	__asm__ volatile("btrl $0, %0" : "+m"(cpu->pv_eoi), "=@ccc"(skip));
	if (skip) {
		cpu->eoi_skipped++;
		return;
	}
	cpu->eoi_written++;
	lapic_write(LAPIC_EOI, 0);
}

static bool lapic_bit(unsigned reg, unsigned vector)
{
	return lapic_read(reg + vector / 32 * 16) & BIT(vector % 32);
}

bool lapic_in_service(unsigned vector)
{
	return lapic_bit(LAPIC_ISR, vector);
}

bool lapic_pending(unsigned vector)
{
	return lapic_bit(LAPIC_IRR, vector);
}

/*
 * In xAPIC mode the command is two registers, and the low half sends: nothing
 * may come in between, so interrupts are off. x2APIC needs a fence instead.
 */
static void lapic_icr(uint32_t apic_id, uint32_t cmd)
{
	irqflags_t flags;
	uint32_t icr;

	if (lapic.x2) {
		lapic_fence();
		x86_wrmsr(X86_MSR_X2APIC + LAPIC_ICR / 16,
			  (uint64_t)apic_id << 32 | cmd);
		return;
	}
	flags = cpu_irq_save();
	if (poll_until(icr, lapic_read(LAPIC_ICR), !(icr & LAPIC_ICR_PENDING),
		       time_now() + LAPIC_ICR_WAIT))
		log_warn("lapic", "an IPI is still pending; sending on");
	lapic_write(LAPIC_ICR_HI, FIELD_PREP(LAPIC_ID_XAPIC, apic_id));
	lapic_write(LAPIC_ICR, cmd);
	cpu_irq_restore(flags);
}

void lapic_ipi(uint32_t apic_id, unsigned vector)
{
	lapic_icr(apic_id, LAPIC_ICR_ASSERT | vector);
}

void lapic_ipi_self(unsigned vector)
{
	uint32_t cmd = LAPIC_ICR_SELF | LAPIC_ICR_ASSERT | vector;

	if (lapic.x2)
		x86_wrmsr(X86_MSR_X2APIC + LAPIC_ICR / 16, cmd);
	else
		lapic_write(LAPIC_ICR, cmd);
}

void lapic_nmi(uint32_t apic_id)
{
	lapic_icr(apic_id, LAPIC_ICR_ASSERT | LAPIC_ICR_NMI);
}

void lapic_nmi_others(void)
{
	lapic_icr(0, LAPIC_ICR_OTHERS | LAPIC_ICR_ASSERT | LAPIC_ICR_NMI);
}

void lapic_send_init(uint32_t apic_id)
{
	lapic_icr(apic_id, LAPIC_ICR_ASSERT | LAPIC_ICR_INIT);
}

void lapic_send_startup(uint32_t apic_id, phys_t pa)
{
	lapic_icr(apic_id, LAPIC_ICR_ASSERT | LAPIC_ICR_STARTUP |
		  (uint32_t)(pa >> PAGE_SHIFT));
}

/*
 * The counter, and the time half way through reading it: of several tries the
 * quickest, because the host may stop this CPU within any one.
 */
static uint32_t lapic_count_at(nsec_t *when)
{
	nsec_t best = NSEC_NEVER;
	uint32_t count = 0;

	*when = 0;
	for (unsigned i = 0; i < LAPIC_TRIES; i++) {
		nsec_t before = time_now();
		uint32_t now = lapic_read(LAPIC_TIMER_CURRENT);
		nsec_t gap = time_now() - before;

		if (gap < best) {
			best = gap;
			count = now;
			*when = before + gap / 2;
		}
	}
	return count;
}

/*
 * Counts per second, over LAPIC_MEASURE of time_now(). At 0 it stands: then the
 * host has stopped us for seconds, and nobody knows for how long it stood.
 */
static uint64_t lapic_measure(void)
{
	uint32_t first, last = 0;
	nsec_t start, now;

	lapic_write(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_1);
	for (unsigned i = 0; !last && i < LAPIC_TRIES; i++) {
		lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
		first = lapic_count_at(&start);
		poll_mem_until(false, start + LAPIC_MEASURE);
		last = lapic_count_at(&now);
	}
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	if (!last)
		return 0;
	return (uint64_t)(first - last) * NSEC_PER_SEC / (now - start);
}

/* A count of 0 would stop the timer; the longest is 2^32 - 1 counts, and an
   early interrupt only makes the owner arm again. */
static uint32_t lapic_counts(nsec_t deadline)
{
	nsec_t now = time_now();
	uint64_t ticks;

	if (deadline <= now)
		return 1;
	ticks = clock_scale_mul(lapic.ns_to_ticks,
				MIN(deadline - now, 4 * NSEC_PER_SEC)) + 1;
	return (uint32_t)MIN(ticks, (uint64_t)UINT32_MAX);
}

/* 0 disarms; a past value fires at once. */
static void lapic_arm_deadline(nsec_t deadline)
{
	x86_wrmsr(X86_MSR_TSC_DEADLINE, deadline == NSEC_NEVER ? 0 :
		  clock_ns_to_tsc(deadline));
}

static void lapic_arm_oneshot(nsec_t deadline)
{
	lapic_write(LAPIC_TIMER_INITIAL, deadline == NSEC_NEVER ? 0 :
		    lapic_counts(deadline));
}

/* It comes in any case; what is due by then is served then, never before. */
static void lapic_arm_periodic(nsec_t deadline)
{
}

static const struct lapic_timer_mode {
	uint32_t lvt;
	void (*arm)(nsec_t deadline);
} lapic_modes[TICK_MODES] = {
	[TICK_DEADLINE] = { LAPIC_LVT_DEADLINE, lapic_arm_deadline },
	[TICK_ONESHOT] = { 0, lapic_arm_oneshot },
	[TICK_PERIODIC] = { LAPIC_LVT_PERIODIC, lapic_arm_periodic },
};

static void lapic_tick_choose(void)
{
	unsigned offered = BIT(TICK_ONESHOT) | BIT(TICK_PERIODIC);
	char word[24] = "";
	int err;

	if (x86_cpuid(1, 0).ecx & CPUID_TSC_DEADLINE)
		offered |= BIT(TICK_DEADLINE);
	cmdline_get("tick", word, sizeof(word));
	err = tick_choose(cmdline_has("tick") ? word : NULL, offered,
			  &lapic.tick);
	if (err == -ENOTSUP)
		log_warn("lapic", "tick=%s: this CPU has no such timer; taking "
			 "%s", word, tick_mode_name(lapic.tick.mode));
	else if (err)
		log_warn("lapic", "tick=%s is ignored: not %s, %u to %u Hz",
			 word, key_tick.values, TICK_HZ_MIN, TICK_HZ_MAX);
}

void lapic_timer_init(uint64_t hz)
{
	lapic_tick_choose();
	if (lapic.tick.mode == TICK_DEADLINE)
		return;
	lapic.timer_hz = hz ? hz : lapic_measure();
	if (!lapic.timer_hz)
		panic("lapic: the timer does not count");
	lapic.ns_to_ticks = clock_scale(NSEC_PER_SEC, lapic.timer_hz);
}

void lapic_timer_init_cpu(void)
{
	lapic_write(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_1);
	lapic_write(LAPIC_LVT_TIMER, IRQ_VECTOR_TIMER |
		    lapic_modes[lapic.tick.mode].lvt);
	/* 10.5.4.1: the mode must be seen before the first deadline. */
	if (lapic.tick.mode == TICK_DEADLINE)
		lapic_fence();
	if (lapic.tick.mode == TICK_PERIODIC)
		lapic_write(LAPIC_TIMER_INITIAL,
			    (uint32_t)(lapic.timer_hz / lapic.tick.hz));
}

void lapic_timer_arm(nsec_t deadline)
{
	lapic_modes[lapic.tick.mode].arm(deadline);
}

bool lapic_timer_pending(void)
{
	return lapic_pending(IRQ_VECTOR_TIMER);
}

struct tick lapic_tick(void)
{
	return lapic.tick;
}

const char *lapic_timer_name(void)
{
	return tick_mode_name(lapic.tick.mode);
}

uint64_t lapic_timer_hz(void)
{
	return lapic.timer_hz;
}
