/* SPDX-License-Identifier: MIT */
/*
 * How fast the TSC counts: who may say so, whom to believe, and the arithmetic
 * of comparing counters. Pure.
 */
#ifndef CORE_CLOCK_HZ_H
#define CORE_CLOCK_HZ_H

#include "core/types.h"

/* Who may say it, the most trusted first. */
enum clock_source {
	CLOCK_CPUID,		/* leaf 0x15, with 0x16 for a missing crystal */
	CLOCK_LEAF,		/* the hypervisor's leaf 0x40000010 */
	CLOCK_KVMCLOCK,		/* the scale in kvmclock's page */
	CLOCK_HPET,		/* measured against it, as are the next two */
	CLOCK_PMTIMER,
	CLOCK_PIT,
	CLOCK_NOMINAL,		/* leaf 0x16 alone: a label, not a promise */
	CLOCK_SOURCES
};
#define CLOCK_NONE	CLOCK_SOURCES

const char *clock_source_name(enum clock_source s);	/* "hpet", … */
/* What clock= calls it, or CLOCK_NONE. */
enum clock_source clock_source_find(const char *word);

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

/* The TSC as a time since base, and back. */
struct clock_map {
	uint64_t base, hz;
	struct clock_scale to_ns, to_tsc;
};
struct clock_map clock_map(uint64_t base, uint64_t hz);
static inline nsec_t clock_map_ns(const struct clock_map *m, uint64_t tsc)
{
	return clock_scale_mul(m->to_ns, tsc - m->base);
}
#define CLOCK_HORIZON	(UINT64_C(31536000) * NSEC_PER_SEC)	/* a year */
/*
 * What the TSC, which is now at tsc, shows at when, or soon after it: never
 * before. Now, for a time gone by; at the horizon, for one beyond it.
 */
uint64_t clock_map_tsc(const struct clock_map *m, uint64_t tsc, nsec_t when);

/*
 * TSC Hz by CPUID leaves 0x15 and 0x16 (SDM vol. 2A; vol. 3B, 19.7.3), each as
 * EAX, EBX, ECX; all zero for one that is not there. 0: they do not say.
 */
uint64_t clock_hz_cpuid(const uint32_t leaf15[3], const uint32_t leaf16[3]);
uint64_t clock_hz_nominal(const uint32_t leaf15[3], const uint32_t leaf16[3]);

/* A counter's frequency is num / den Hz. */
struct clock_rate {
	uint64_t num, den;
	unsigned bits;			/* of the counter */
};
/* TSC Hz, when it counted tsc while the counter counted ticks. 0: no answer. */
uint64_t clock_hz_by(const struct clock_rate *r, uint64_t tsc, uint64_t ticks);
/*
 * Ticks between two readings that wrapped around perhaps many times: what comes
 * nearest to the expected number. Right while that is off by less than half a
 * round.
 */
uint64_t clock_unwrap(const struct clock_rate *r, uint64_t first,
		      uint64_t last, uint64_t expected);
/* Ticks of the counter in tsc counts at hz; saturates. */
uint64_t clock_ticks_in(const struct clock_rate *r, uint64_t tsc, uint64_t hz);

/*
 * Can so many ticks tell a TSC that is 0.2 % off from a true one? Not if the
 * counter goes round so often that unwrapping would make up for it.
 */
bool clock_can_disagree(const struct clock_rate *r, uint64_t expected);
/*
 * What a counter must have missed if over span it saw the TSC ppb too fast; 0
 * if it saw it too slow.
 */
nsec_t clock_missed(nsec_t span, int64_t ppb);

/* How much a is above b, in parts per billion of b; saturates at 10^12. */
int64_t clock_ppb(uint64_t a, uint64_t b);
#define CLOCK_PPB_DISAGREE	1000000		/* 0.1 % */

/* The first that knows, the forced one before all; CLOCK_NONE: nobody. */
enum clock_source clock_choose(const uint64_t hz[CLOCK_SOURCES],
			       enum clock_source forced);

/*
 * How far another CPU's TSC is behind ours, by ping-pong: it reads its own
 * (before), we ours (here) when we see that, it its own once more (after).
 * Whatever time the ways took, ours was read in between: so the truth is within
 * bound of behind, and the quickest round bounds it best.
 */
struct clock_skew {
	int64_t behind;			/* TSC counts to add there */
	uint64_t bound;			/* UINT64_MAX: not measured */
};
#define CLOCK_SKEW_INIT	{ 0, UINT64_MAX }
void clock_skew_round(struct clock_skew *s, uint64_t before, uint64_t here,
		      uint64_t after);
/* What to add there: nothing unless they surely differ. */
int64_t clock_skew_offset(const struct clock_skew *s);

#endif
