/* SPDX-License-Identifier: MIT */
/* How the local APIC's timer is driven, and what tick= asks for. Pure. */
#ifndef CORE_TICK_H
#define CORE_TICK_H

#include "core/types.h"

enum tick_mode {			/* the best first */
	TICK_DEADLINE,			/* armed by the TSC's value */
	TICK_ONESHOT,			/* armed by a count */
	TICK_PERIODIC,			/* goes on and on: for comparison */
	TICK_MODES
};

#define TICK_HZ		1000		/* tick=periodic */
#define TICK_HZ_MIN	10
#define TICK_HZ_MAX	10000

struct tick {
	enum tick_mode mode;
	unsigned hz;			/* of TICK_PERIODIC, else 0 */
};

/*
 * What word ("deadline", "oneshot", "periodic", "periodic=250"; NULL: nothing)
 * asks for, of the modes in the bit mask offered, which is not 0. 0, -EINVAL
 * (no such word or rate), -ENOTSUP (not offered); then *tick is the best one
 * all the same.
 */
int tick_choose(const char *word, unsigned offered, struct tick *tick);
const char *tick_mode_name(enum tick_mode mode);	/* "tsc-deadline", … */

#endif
