/* SPDX-License-Identifier: MIT */
/*
 * Which interrupt vectors of each CPU are taken: one matrix of VECTOR_ROOM
 * vectors a CPU. Only numbers: who handles a vector is core/irq.c's business,
 * and what it is called with. Any context, NMIs included: nothing here takes a
 * lock, waits for somebody or allocates.
 *
 * Two ways to take one. At once, on a CPU or on the least loaded of several.
 * Or managed: a driver with a queue per CPU first reserves room on all of
 * them, so that taking it later cannot fail; a vector taken so goes back to
 * the reservation when it is freed.
 */
#ifndef CORE_VECTOR_H
#define CORE_VECTOR_H

#include "core/cpu.h"
#include "core/types.h"

/*
 * 0 to 0x1f are the processor's exceptions (Intel SDM vol. 3, 6.2). From 0xf0
 * on they are the system's own (core/irq.h): the same on every CPU, and in a
 * higher priority class than all devices' (10.8.3).
 */
#define VECTOR_FIRST	0x20
#define VECTOR_LAST	0xef
#define VECTOR_ROOM	(VECTOR_LAST - VECTOR_FIRST + 1)

/*
 * A free vector of cpu, now taken. The one that has rested longest: the search
 * starts behind the vector taken last. -EINVAL (no such CPU) or -ENOSPC.
 */
int vector_alloc(unsigned cpu);
/*
 * This very vector of cpu, now taken. -EINVAL (no such CPU, no vector that is
 * handed out), -EBUSY (it is taken), -ENOSPC (what is free is promised).
 */
int vector_alloc_at(unsigned cpu, unsigned vector);
/*
 * n free vectors in a row, now taken, the first a multiple of n: what a device
 * with several messages and one address needs (PCI 3.0, 6.8.3.4). n is a power
 * of two up to 32. The first one, or -EINVAL, -ENOSPC; the latter also when
 * there are n, but not in a row. Each goes back by vector_free().
 */
int vector_alloc_block(unsigned cpu, unsigned n);
/*
 * The same on the CPU of among, in *cpu afterwards, that has the fewest taken
 * or reserved; of equals the one nearest to node near, then the lowest. CPUs
 * that are not up do not count: -EINVAL when none is left, -ENOSPC when all
 * are full; *cpu is left alone then. near may be any number: of a node that is
 * not there all CPUs are equally far.
 */
int vector_alloc_spread(const struct cpu_set *among, unsigned near,
			unsigned *cpu);

/*
 * Set one vector's room aside on each CPU of on, which one vector_unreserve()
 * gives back. All or nothing: -ENOSPC when one of them is full, -EINVAL when
 * one is not up. (While it is undone others may be refused the last room.)
 */
int vector_reserve(const struct cpu_set *on);
/* The vectors taken from it were freed before. */
void vector_unreserve(const struct cpu_set *on);
/* Take a vector from cpu's reserved room. -EINVAL: there is none. */
int vector_take_reserved(unsigned cpu);

/* Give back one that is taken, by whichever way. */
void vector_free(unsigned cpu, unsigned vector);

struct vector_stats {
	unsigned used, reserved, free;	/* VECTOR_ROOM together */
	unsigned high;			/* the most that were ever used */
	uint64_t failures;		/* -ENOSPC said because of this CPU */
};
/* used, reserved, free and high are of one moment. cpu below CPU_MAX. */
struct vector_stats vector_stats(unsigned cpu);

/* For the host tests: forget all. */
void vector_reset(void);

#endif
