/* SPDX-License-Identifier: MIT */
/*
 * Is one interrupt all that a CPU still does? A device that holds its level, or
 * sends again whatever its handler does, must not be mistaken for one that is
 * only busy. Pure, and free of locks: one struct storm belongs to one CPU's
 * vector, interrupts off.
 *
 * Interrupts are looked at in windows of STORM_WINDOW. A window is quick when
 * it took STORM_QUICK at most; that costs one count an interrupt and one clock
 * reading a window. Behind a quick window the next one is watched: each
 * STORM_STEP-th interrupt the caller asks the local APIC, after the EOI,
 * whether the same vector waits already. Where it does, not one instruction of
 * anything else comes in between; a busy device waits for what the CPU gives it,
 * and there it mostly does not. A storm is when that was so for STORM_MOST
 * sixteenths of the looks in every window of STORM_TIME.
 *
 * Hence one is found within STORM_TIME and three windows: 0.85 s when only
 * 2048 come a second, 0.11 s at 100 000.
 */
#ifndef CORE_STORM_H
#define CORE_STORM_H

#include "core/types.h"

#define STORM_WINDOW	512u			/* interrupts */
#define STORM_STEP	8u
#define STORM_QUICK	(250 * NSEC_PER_MSEC)
#define STORM_TIME	(100 * NSEC_PER_MSEC)
#define STORM_MOST	15u

/* All zero: nothing is known yet. */
struct storm {
	nsec_t since;			/* this window's start */
	nsec_t bad;			/* from then on nothing else was done */
	uint16_t n, looks, again;	/* in this window */
	bool watched;
};

/* One more interrupt. True: storm_judge() is to be called after its EOI. */
static inline bool storm_count(struct storm *s)
{
	s->n++;
	return s->n >= STORM_WINDOW || (s->watched && s->n % STORM_STEP == 0);
}

/*
 * Behind storm_count(): does it wait again already (asked for only when
 * storm_asks()), and what time is it? True: it is a storm; counting begins anew.
 */
bool storm_judge(struct storm *s, bool again, nsec_t now);
static inline bool storm_asks(const struct storm *s)
{
	return s->watched;
}

#endif
