/* SPDX-License-Identifier: MIT */
#include "core/clock_hz.h"

#include "core/bits.h"
#include "core/string.h"

#define CLOCK_PPB_MAX	INT64_C(1000000000000)
#define MHZ		UINT64_C(1000000)
#define CLOCK_SLACK	28		/* 2^-28: more than the scales' rounding */
#define CLOCK_SNAP	50		/* a crystal is recognised to 1/50 */
#define CLOCK_ROUNDS_MAX	250
#define CPUID_16_BASE	GENMASK(15, 0)	/* EAX, MHz */

static const struct {
	const char *name, *word;
} clock_sources[CLOCK_SOURCES] = {
	[CLOCK_CPUID] = { "cpuid-15", "cpuid" },
	[CLOCK_LEAF] = { "cpuid-0x40000010", "leaf" },
	[CLOCK_KVMCLOCK] = { "kvmclock", "kvmclock" },
	[CLOCK_HPET] = { "hpet", "hpet" },
	[CLOCK_PMTIMER] = { "pm-timer", "pmtimer" },
	[CLOCK_PIT] = { "pit", "pit" },
	[CLOCK_NOMINAL] = { "cpuid-16", "nominal" },
};

const char *clock_source_name(enum clock_source s)
{
	return s < CLOCK_SOURCES ? clock_sources[s].name : "nobody";
}

enum clock_source clock_source_find(const char *word)
{
	unsigned s = 0;

	while (s < CLOCK_SOURCES && strcmp(word, clock_sources[s].word))
		s++;
	return (enum clock_source)s;
}

/* a * b / d by way of 128 bits, or UINT64_MAX where that does not fit 64. */
static uint64_t clock_muldiv(uint64_t a, uint64_t b, uint64_t d)
{
	unsigned __int128 p = (unsigned __int128)a * b;
	uint64_t lo = (uint64_t)p, hi = (uint64_t)(p >> 64);

	if (hi >= d)
		return UINT64_MAX;
	__asm__("divq %2" : "+a"(lo), "+d"(hi) : "r"(d) : "cc");
	return lo;
}

/* 32 fraction bits: a ratio of up to 2^32 fits. */
struct clock_scale clock_scale(uint64_t from_hz, uint64_t to_hz)
{
	return (struct clock_scale){
		clock_muldiv(to_hz, UINT64_C(1) << 32, from_hz), 32 };
}

struct clock_map clock_map(uint64_t base, uint64_t hz)
{
	return (struct clock_map){ base, hz, clock_scale(hz, NSEC_PER_SEC),
				   clock_scale(NSEC_PER_SEC, hz) };
}

/* From now on, so that the two scales' rounding does not add up over days. */
uint64_t clock_map_tsc(const struct clock_map *m, uint64_t tsc, nsec_t when)
{
	nsec_t now = clock_map_ns(m, tsc);

	uint64_t ticks;

	if (when <= now)
		return tsc;
	ticks = clock_scale_mul(m->to_tsc, MIN(when - now, CLOCK_HORIZON));
	return tsc + ticks + (ticks >> CLOCK_SLACK) + 2;
}

/* ---- CPUID ---- */

/*
 * Leaf 0x15 gives TSC / crystal as EBX / EAX, and the crystal in ECX, or 0 where
 * it is one of three that the SDM lists by model (table 19-90). Leaf 0x16's EAX
 * is the CPU's label in MHz, "not to be used for any other purpose" than to
 * print it; a Core of 2592 MHz says 2600 there. But with the ratio it
 * tells the three crystals apart, which are 4 % and more from each other; then
 * the product is exact. What fits none of them is no answer.
 */
static uint64_t clock_crystal(const uint32_t leaf15[3],
			      const uint32_t leaf16[3])
{
	static const uint64_t crystal[] = { 19200000, 24000000, 25000000 };
	uint64_t about;

	if (leaf15[2])
		return leaf15[2];
	about = clock_muldiv((leaf16[0] & CPUID_16_BASE) * MHZ, leaf15[0],
			     leaf15[1]);
	for (unsigned i = 0; i < ARRAY_SIZE(crystal); i++)
		if (about > crystal[i] - crystal[i] / CLOCK_SNAP &&
		    about < crystal[i] + crystal[i] / CLOCK_SNAP)
			return crystal[i];
	return 0;
}

uint64_t clock_hz_cpuid(const uint32_t leaf15[3], const uint32_t leaf16[3])
{
	if (!leaf15[0] || !leaf15[1])
		return 0;
	return clock_crystal(leaf15, leaf16) * leaf15[1] / leaf15[0];
}

/* Only where leaf 0x15 says that the TSC has a fixed ratio at all. */
uint64_t clock_hz_nominal(const uint32_t leaf15[3], const uint32_t leaf16[3])
{
	return leaf15[0] && leaf15[1] ? (leaf16[0] & CPUID_16_BASE) * MHZ : 0;
}

/* ---- counters ---- */

/* Both counts are halved as long as the divisor would not fit. */
uint64_t clock_hz_by(const struct clock_rate *r, uint64_t tsc, uint64_t ticks)
{
	uint64_t hz;

	while (ticks > UINT64_MAX / r->den) {
		ticks >>= 1;
		tsc >>= 1;
	}
	if (!ticks)
		return 0;
	hz = clock_muldiv(tsc, r->num, ticks * r->den);
	return hz == UINT64_MAX ? 0 : hz;
}

uint64_t clock_unwrap(const struct clock_rate *r, uint64_t first,
		      uint64_t last, uint64_t expected)
{
	uint64_t mask = r->bits < 64 ? (UINT64_C(1) << r->bits) - 1 :
			UINT64_MAX;
	uint64_t ticks = (last - first) & mask, round = mask + 1;

	if (!round || expected <= ticks)
		return ticks;
	return ticks + (expected - ticks + round / 2) / round * round;
}

uint64_t clock_ticks_in(const struct clock_rate *r, uint64_t tsc, uint64_t hz)
{
	uint64_t den = r->den;

	while (den > UINT64_MAX / hz) {
		den >>= 1;
		tsc >>= 1;
	}
	return clock_muldiv(tsc, r->num, den * hz);
}

bool clock_can_disagree(const struct clock_rate *r, uint64_t expected)
{
	/* Half a round must be more than 0.2 % of them. */
	return r->bits == 64 || expected >> r->bits < CLOCK_ROUNDS_MAX;
}

/* It saw span / (1 + ppb / 10^9) of it. */
nsec_t clock_missed(nsec_t span, int64_t ppb)
{
	if (ppb <= 0)
		return 0;
	return clock_muldiv(span, (uint64_t)ppb, NSEC_PER_SEC + (uint64_t)ppb);
}

int64_t clock_ppb(uint64_t a, uint64_t b)
{
	uint64_t diff = a > b ? a - b : b - a;
	uint64_t ppb = b ? clock_muldiv(diff, NSEC_PER_SEC, b) : UINT64_MAX;
	int64_t n = ppb > (uint64_t)CLOCK_PPB_MAX ? CLOCK_PPB_MAX :
		    (int64_t)ppb;

	return a < b ? -n : n;
}

enum clock_source clock_choose(const uint64_t hz[CLOCK_SOURCES],
			       enum clock_source forced)
{
	unsigned s = 0;

	if (forced < CLOCK_SOURCES && hz[forced])
		return forced;
	while (s < CLOCK_SOURCES && !hz[s])
		s++;
	return (enum clock_source)s;
}

/* ---- two CPUs ---- */

/* after may be behind before's CPU only by a change of the TSC: no round. */
void clock_skew_round(struct clock_skew *s, uint64_t before, uint64_t here,
		      uint64_t after)
{
	uint64_t trip = after - before, bound = trip / 2 + 1;

	if ((int64_t)trip < 0 || bound >= s->bound)
		return;
	s->bound = bound;
	s->behind = (int64_t)(here - (before + trip / 2));
}

int64_t clock_skew_offset(const struct clock_skew *s)
{
	uint64_t size = s->behind < 0 ? -(uint64_t)s->behind :
			(uint64_t)s->behind;

	return size > s->bound ? s->behind : 0;
}
