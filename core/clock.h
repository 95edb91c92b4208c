/* SPDX-License-Identifier: MIT */
/*
 * The time base: the TSC, scaled to nanoseconds since kernel entry. Its
 * frequency comes from the first of enum clock_source (core/clock_hz.h) that
 * knows it, or from the one that clock= names. The others are witnesses: each
 * is compared with the clock when somebody asks, over all the time that has
 * passed since the start, which is exact and costs the boot nothing.
 */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include "core/clock_hz.h"
#include "core/types.h"

/* virt/'s answers, NULL: no hypervisor knows. Hz by CLOCK_LEAF or _KVMCLOCK. */
extern uint64_t (*clock_hypervisor_hz)(enum clock_source s);
/* Its own clock, in nanoseconds since whenever; 0: not there. */
extern uint64_t (*clock_hypervisor_ns)(void);

/* Where the machine's counters are; 0: not there. */
struct clock_hw {
	phys_t hpet;
	uint32_t pm_timer;		/* port */
	bool pm_timer_wide;		/* 32 bits of it, not 24 */
};

/* Time 0 is the TSC at kernel entry; until clock_init() at a guess of 1 GHz. */
void clock_start(uint64_t entry_tsc);
/* Find the frequency, or panic. Needs the command line (clock=). */
void clock_init(const struct clock_hw *hw);
/* This CPU's TSC, corrected so that all CPUs agree. Any context. */
uint64_t clock_tsc(void);
uint64_t clock_tsc_hz(void);
/* A past value of clock_tsc() as a time. */
nsec_t clock_tsc_to_ns(uint64_t tsc);
const char *clock_source(void);		/* "cpuid-15", "hpet", "pit", … */
/* CPUID says that the TSC counts at one rate, whatever the CPU does. */
bool clock_invariant(void);
/*
 * This CPU's own TSC's value at a time to come; for a time gone by, its value
 * now; a year ahead for what lies beyond that.
 */
uint64_t clock_ns_to_tsc(nsec_t ns);

/* What somebody else says about the TSC's frequency. */
struct clock_witness {
	enum clock_source source;
	uint64_t hz;			/* 0: it did not count */
	int64_t ppb;			/* of hz, above ours */
	uint64_t doubt;			/* ppb; 0: said, not measured */
	nsec_t base;			/* measured over that time */
};
#define CLOCK_WITNESSES	(CLOCK_SOURCES + 1)
/*
 * Ask them all; returns how many there are. Thread context, one caller at a
 * time; takes up to 0.2 s. A counter that stood still while the TSC went on (a
 * paused machine) is measured once more, from now on.
 */
unsigned clock_witnesses(struct clock_witness w[CLOCK_WITNESSES]);
/* How far the counters have fallen behind the TSC by such stops, in all. */
nsec_t clock_stopped(void);
/* A log line, a warning for each witness that differs by 0.1 %, a @json line. */
void clock_report(void);

/*
 * When another CPU starts, it and the boot CPU compare TSCs; p is the other
 * one's. follow is called there, before anybody reads the time; lead by the
 * boot CPU, again and again while it waits, and never waits itself.
 */
struct percpu;
void clock_sync_follow(struct percpu *p);
void clock_sync_lead(void);
/* What came of it: how far cpu's TSC is off, and what was done about it. */
struct clock_skew_ns {
	bool measured;
	int64_t behind, applied;	/* ns */
	uint64_t bound;			/* ns */
};
void clock_skew(unsigned cpu, struct clock_skew_ns *out);

#endif
