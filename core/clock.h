/* SPDX-License-Identifier: MIT */
/*
 * The time base: the TSC, scaled to nanoseconds since kernel entry. Its
 * frequency comes from the first of these that knows it: CPUID leaf 0x15, the
 * hypervisor (leaf 0x40000010 or kvmclock, told by virt/), the HPET, the PIT.
 */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include "core/types.h"

/* x * mult >> shift: relative error at most 2^-30 for ratios of 1/4 and up. */
struct clock_scale {
	uint64_t mult;
	unsigned shift;
};
/* From counts at from_hz to counts at to_hz. */
struct clock_scale clock_scale(uint64_t from_hz, uint64_t to_hz);
static inline uint64_t clock_scale_mul(struct clock_scale s, uint64_t x)
{
	return (uint64_t)((unsigned __int128)x * s.mult >> s.shift);
}

/* virt/'s answer: Hz, or 0. NULL: no hypervisor knows. */
extern uint64_t (*clock_hypervisor_hz)(const char **source);

/* Time 0 is the TSC at kernel entry; until clock_init() at a guess of 1 GHz. */
void clock_start(uint64_t entry_tsc);
/* Find the frequency, or panic; hpet: its registers, 0: there is none. */
void clock_init(phys_t hpet);
uint64_t clock_tsc_hz(void);
/* A past TSC value as a time. */
nsec_t clock_tsc_to_ns(uint64_t tsc);
const char *clock_source(void);		/* "cpuid-15", "hpet", "pit", … */
/* The TSC's value at a time to come; for a time gone by, its value now. */
uint64_t clock_ns_to_tsc(nsec_t ns);

#endif
