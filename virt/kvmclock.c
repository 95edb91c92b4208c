/* SPDX-License-Identifier: MIT */
/*
 * kvmclock, the pure part (Linux's Documentation/virt/kvm/x86/msr.rst): the
 * page in which the host tells a CPU how its TSC becomes nanoseconds.
 *
 * The host rewrites the page only while its CPU is not running, and makes
 * version odd meanwhile. A reader on that CPU therefore sees at most one
 * change for each time it lost the CPU; KVMCLOCK_TRIES changes in a row mean
 * that the page is no clock.
 */
#include "virt/hyper.h"

#include "core/cpu.h"
#include "virt/hyperreg.h"

#define KVMCLOCK_TRIES		16
#define KVMCLOCK_SHIFT_MAX	31	/* hosts use -31 to 31 */

/* ticks * 2^shift, rounded down. */
static uint64_t kvmclock_shift(uint64_t ticks, int shift)
{
	return shift < 0 ? ticks >> -shift : ticks << shift;
}

static bool kvmclock_shift_ok(int shift)
{
	return shift >= -KVMCLOCK_SHIFT_MAX && shift <= KVMCLOCK_SHIFT_MAX;
}

/* The host's time at tsc, from a copy of the page that stood still. */
static uint64_t kvmclock_at(const struct kvmclock_page *c, uint64_t tsc)
{
	unsigned __int128 ns;
	uint64_t ticks;

	/* A CPU migrated on the host may be a little behind: no wrap-around. */
	if (tsc < c->tsc_timestamp)
		return c->system_time;
	ticks = kvmclock_shift(tsc - c->tsc_timestamp, c->tsc_shift);
	ns = (unsigned __int128)ticks * c->tsc_to_system_mul >> 32;
	return c->system_time + (uint64_t)ns;
}

bool kvmclock_sample(const struct kvmclock_page *page, uint64_t (*tsc)(void),
		     uint64_t *ns)
{
	for (unsigned i = 0; i < KVMCLOCK_TRIES; i++) {
		uint32_t version = READ_ONCE(page->version);
		struct kvmclock_page copy;
		uint64_t now;

		dma_rmb();
		copy = *page;
		now = tsc();
		dma_rmb();
		if ((version & 1) || READ_ONCE(page->version) != version)
			continue;
		if (!copy.tsc_to_system_mul ||
		    !kvmclock_shift_ok(copy.tsc_shift))
			return false;
		*ns = kvmclock_at(&copy, now);
		return true;
	}
	return false;
}

/* One tick is mul / 2^(32 - shift) ns: 10^9 divided by that. */
uint64_t kvmclock_page_hz(const struct kvmclock_page *page)
{
	uint32_t mul = page->tsc_to_system_mul;
	int shift = page->tsc_shift;

	if (!mul || !kvmclock_shift_ok(shift))
		return 0;
	return kvmclock_shift((NSEC_PER_SEC << 32) / mul, -shift);
}

uint64_t kvmclock_clamp(uint64_t *last, uint64_t ns)
{
	uint64_t seen = __atomic_load_n(last, __ATOMIC_RELAXED);

	/* Ends: each round that fails has seen a larger value than before. */
	while (seen < ns)
		if (__atomic_compare_exchange_n(last, &seen, ns, false,
						__ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return ns;
	return seen;
}
