/* SPDX-License-Identifier: MIT */
#include "core/clock.h"

#include "core/bits.h"
#include "core/cpu.h"
#include "core/io.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/x86.h"

#define CLOCK_WINDOW	(4 * NSEC_PER_MSEC)	/* of a measurement */
#define CLOCK_TRIES	5
#define CLOCK_PIT_TRIES	10
#define CLOCK_PATIENCE	(100 * CLOCK_WINDOW)	/* TSC ticks; 100 ms at 4 GHz */

/* IA-PC HPET specification 1.0a, 2.3. */
#define HPET_SIZE	0x400
#define HPET_CAP	0x000		/* 64 ro */
# define HPET_CAP_PERIOD	GENMASK_ULL(63, 32)	/* femtoseconds */
#define HPET_CONFIG	0x010
# define HPET_CONFIG_ENABLE	BIT(0)
#define HPET_COUNTER	0x0f0
#define FEMTOSECONDS	UINT64_C(1000000000000000)
#define HPET_PERIOD_MAX	100000000	/* 2.3.4: at most 100 ns */

/* 8254 channel 2, gated by port 0x61 (ICH9 data sheet, 13.3 and 13.7). */
#define PIT_HZ		1193182
#define PIT_CH2		0x42
#define PIT_MODE	0x43
# define PIT_MODE_CH2_TERMINAL	0xb0	/* lobyte/hibyte, mode 0 */
#define PORT_NMI_SC	0x61
# define PORT_NMI_GATE	BIT(0)
# define PORT_NMI_SPEAKER	BIT(1)
# define PORT_NMI_OUT2	BIT(5)

uint64_t (*clock_hypervisor_hz)(const char **source);

static struct {
	uint64_t base_tsc;
	uint64_t hz;
	struct clock_scale to_ns, to_tsc;
	const char *source;
} clock = {
	.to_ns = { 1, 0 }, .to_tsc = { 1, 0 }, .hz = NSEC_PER_SEC,
	.source = "guess",
};

/* 32 fraction bits: a ratio of up to 2^32 fits. */
struct clock_scale clock_scale(uint64_t from_hz, uint64_t to_hz)
{
	return (struct clock_scale){
		x86_muldiv(to_hz, UINT64_C(1) << 32, from_hz), 32 };
}

nsec_t clock_tsc_to_ns(uint64_t tsc)
{
	return clock_scale_mul(clock.to_ns, tsc - clock.base_tsc);
}

nsec_t time_now(void)
{
	return clock_tsc_to_ns(x86_rdtsc());
}

/* From now on, so that the two scales' rounding does not add up over days. */
uint64_t clock_ns_to_tsc(nsec_t ns)
{
	uint64_t tsc = x86_rdtsc();
	nsec_t now = clock_scale_mul(clock.to_ns, tsc - clock.base_tsc);

	return ns <= now ? tsc :
	       tsc + clock_scale_mul(clock.to_tsc, ns - now) + 2;
}

uint64_t clock_tsc_hz(void)
{
	return clock.hz;
}

const char *clock_source(void)
{
	return clock.source;
}

/* Leaf 0x15: TSC / crystal ratio and, where it is known, the crystal. */
static uint64_t clock_cpuid_hz(void)
{
	struct x86_cpuid r;

	if (x86_cpuid(0, 0).eax < 0x15)
		return 0;
	r = x86_cpuid(0x15, 0);
	return r.eax && r.ebx && r.ecx ? (uint64_t)r.ecx * r.ebx / r.eax : 0;
}

/* One reading of both counters: the try with the least time in between. */
struct clock_pair { uint64_t tsc, other; };

static struct clock_pair clock_hpet_pair(const struct io *hpet)
{
	struct clock_pair best = { 0, 0 };
	uint64_t best_gap = UINT64_MAX;

	for (unsigned i = 0; i < CLOCK_TRIES; i++) {
		uint64_t before = x86_rdtsc();
		uint64_t count = io_read32(hpet, HPET_COUNTER);
		uint64_t gap = x86_rdtsc() - before;

		if (gap < best_gap) {
			best_gap = gap;
			best = (struct clock_pair){ before + gap / 2, count };
		}
	}
	return best;
}

static uint64_t clock_hpet_hz(phys_t base)
{
	struct clock_pair a, b;
	struct io hpet;
	uint64_t period, hz = 0, ticks;

	if (!base || io_map_mem(&hpet, base, HPET_SIZE))
		return 0;
	period = FIELD_GET(HPET_CAP_PERIOD, io_read64(&hpet, HPET_CAP));
	if (!period || period > HPET_PERIOD_MAX)
		goto out;
	io_write32(&hpet, HPET_CONFIG,
		   io_read32(&hpet, HPET_CONFIG) | HPET_CONFIG_ENABLE);
	a = clock_hpet_pair(&hpet);
	do {
		cpu_relax();
		ticks = (uint32_t)(io_read32(&hpet, HPET_COUNTER) - a.other);
	} while (ticks * period / 1000000 < CLOCK_WINDOW &&
		 x86_rdtsc() - a.tsc < CLOCK_PATIENCE);
	b = clock_hpet_pair(&hpet);
	ticks = (uint32_t)(b.other - a.other);
	if (ticks * period / 1000000 >= CLOCK_WINDOW)
		hz = x86_muldiv(b.tsc - a.tsc, FEMTOSECONDS, ticks * period);
out:
	io_unmap(&hpet);
	return hz;
}

/*
 * Channel 2 counts down; its output is low meanwhile. TSC ticks until it rises,
 * and how many of them are in doubt: the host may have stopped this CPU
 * around the start or the end. Where no counter is, the output is high at once
 * and everything is in doubt.
 */
static uint64_t clock_pit_ticks(unsigned count, uint64_t *doubt)
{
	uint64_t before, start, low, end;
	bool high;

	x86_outb(PIT_MODE, PIT_MODE_CH2_TERMINAL);
	x86_outb(PIT_CH2, (uint8_t)count);
	before = x86_rdtsc();
	x86_outb(PIT_CH2, (uint8_t)(count >> 8));
	start = end = x86_rdtsc();
	do {
		low = end;
		high = x86_inb(PORT_NMI_SC) & PORT_NMI_OUT2;
		end = x86_rdtsc();
	} while (!high && end - start < CLOCK_PATIENCE);
	*doubt = high ? (start - before) + (end - low) : UINT64_MAX;
	return end - start;
}

/*
 * A host under load may also raise the output late (KVM: by up to 10 ms, seen),
 * but never early: so the shortest of the tries, once two agree to 1/64.
 */
static uint64_t clock_pit_hz(void)
{
	unsigned count = (unsigned)(PIT_HZ * CLOCK_WINDOW / NSEC_PER_SEC);
	uint8_t gate = x86_inb(PORT_NMI_SC) & (uint8_t)~PORT_NMI_SPEAKER;
	uint64_t least = 0;
	bool agree = false;

	x86_outb(PORT_NMI_SC, gate | PORT_NMI_GATE);
	for (unsigned i = 0; i < CLOCK_PIT_TRIES && !agree; i++) {
		uint64_t doubt, ticks = clock_pit_ticks(count, &doubt);

		if (doubt > ticks / 16)
			continue;
		agree = least && MAX(ticks, least) - MIN(ticks, least) <
				 least / 64;
		least = least ? MIN(ticks, least) : ticks;
	}
	x86_outb(PORT_NMI_SC, gate);
	if (least && !agree)
		log_warn("clock", "no two measurements by the PIT agree");
	return least * PIT_HZ / count;
}

static uint64_t clock_find_hz(phys_t hpet, const char **source)
{
	uint64_t hz;

	*source = "cpuid-15";
	hz = clock_cpuid_hz();
	if (!hz && clock_hypervisor_hz)
		hz = clock_hypervisor_hz(source);
	if (!hz) {
		*source = "hpet";
		hz = clock_hpet_hz(hpet);
	}
	if (!hz) {
		*source = "pit";
		hz = clock_pit_hz();
	}
	return hz;
}

void clock_start(uint64_t entry_tsc)
{
	clock.base_tsc = entry_tsc;
}

void clock_init(phys_t hpet)
{
	uint64_t hz;

	hz = clock_find_hz(hpet, &clock.source);
	if (!hz)
		panic("clock: nothing here tells how fast the TSC counts");
	clock.hz = hz;
	clock.to_ns = clock_scale(hz, NSEC_PER_SEC);
	clock.to_tsc = clock_scale(NSEC_PER_SEC, hz);
}
