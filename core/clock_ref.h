/* SPDX-License-Identifier: MIT */
/*
 * Counters of known frequency, to measure the TSC by: HPET, ACPI's PM timer, the
 * PIT's channel 2, and whatever else can be read as a number. One caller at a
 * time; a measurement takes as long as its window and never more than
 * CLOCK_REF_PATIENCE.
 */
#ifndef CORE_CLOCK_REF_H
#define CORE_CLOCK_REF_H

#include "core/clock_hz.h"
#include "core/io.h"

#define CLOCK_REF_PATIENCE	UINT64_C(400000000)	/* TSC: 100 ms at 4 GHz */

/*
 * A reading, and the TSC half way through it; gap is how long it took, so that
 * the TSC is right to gap / 2.
 */
struct clock_pair {
	uint64_t tsc, count, gap;
};

struct clock_ref {
	struct clock_rate rate;		/* num 0: not there */
	struct io io;
	void (*read)(const struct clock_ref *r, struct clock_pair *p);
	uint64_t (*ns)(void);		/* of clock_ref_ns() */
	struct clock_pair first;	/* the long measurement began here */
};

/* 0, -ENODEV, or what io_map_…() says; HPET: -EBADMSG for a senseless period. */
int clock_ref_hpet(struct clock_ref *r, phys_t base);
int clock_ref_pmtimer(struct clock_ref *r, uint32_t port, bool wide);
int clock_ref_pit(struct clock_ref *r);
/* A clock that tells nanoseconds. */
int clock_ref_ns(struct clock_ref *r, uint64_t (*ns)(void));

/* The quickest of so many readings. */
struct clock_pair clock_ref_pair(const struct clock_ref *r, unsigned tries);
/*
 * TSC Hz over a window of at least so long, and longer, up to most, while the
 * readings' gaps leave more than CLOCK_REF_GOOD in doubt. *doubt: of the result,
 * in parts per billion. 0: it does not count.
 */
#define CLOCK_REF_GOOD		500000
uint64_t clock_ref_hz(struct clock_ref *r, nsec_t least, nsec_t most,
		      uint64_t *doubt);
uint64_t clock_ref_doubt(const struct clock_pair *a, const struct clock_pair *b);

#endif
