/* SPDX-License-Identifier: MIT */
/*
 * The clock (theory of operation).
 *
 * time_now() is the TSC of this CPU, plus this CPU's offset, times a scale.
 * What it costs matters more than anything else here: it is read on every path.
 *
 * The rate is fixed at start and never changed afterwards, for a clock whose
 * rate is corrected while others read it is none. If it came from a measurement
 * it is as wrong as that one's doubt says, which is part of the report. No
 * interrupt depends on it: a deadline is converted by the same scale.
 *
 * Trust. An invariant TSC (CPUID 0x80000007) is believed. One that is not said
 * to be, as under TCG, is used all the same and said so; then the witnesses
 * decide whether the report calls it checked or disputed. There is no other base
 * for time_now(): reading an HPET costs an exit to the host, a hundred times a
 * read of the TSC, and does not get better by it, since on a virtual machine both
 * come from one clock of the host.
 *
 * Two CPUs. Each new CPU plays ping-pong with the boot CPU before it reads the
 * time at all. If that proves that the TSCs differ, what is missing is added
 * there ever after; what remains is less than the ping-pong's bound.
 *
 * Stops. While the host has stopped the machine its counters stand still, and
 * under KVM the TSC does not: so time_now() contains the pause there, and under
 * TCG it does not. A witness that fell behind by a stop would look wrong by
 * percents; so one that does is measured anew before anything is said.
 */
#include "core/clock.h"

#include "core/bits.h"
#include "core/clock_ref.h"
#include "core/cmdline.h"
#include "core/cpu.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/percpu.h"
#include "core/report.h"
#include "core/x86.h"

#define CLOCK_WINDOW	(4 * NSEC_PER_MSEC)	/* of a measurement at start */
#define CLOCK_WINDOW_MAX	(40 * NSEC_PER_MSEC)
#define CLOCK_WINDOW_LATER	(20 * NSEC_PER_MSEC)
#define CLOCK_LOOKS	2		/* at a counter, at start */
#define CLOCK_MORE_LOOKS	10
#define CLOCK_SYNC_GOOD	2000		/* TSC counts: under 1 us */
#define CLOCK_SYNC_WAIT	UINT64_C(500000000)	/* the first answer: 100 ms at 5 GHz */
#define CLOCK_SYNC_TIME	UINT64_C(20000000)	/* better ones: 4 ms */

#define CPUID_APM		0x80000007
# define CPUID_APM_INVARIANT	BIT(8)	/* EDX; SDM vol. 3B, 18.17.1 */
#define CPUID_7_TSC_ADJUST	BIT(1)	/* EBX */
#define MSR_TSC_ADJUST		0x3b

static const struct cmdline_key key_clock = {
	"clock", "cpuid|leaf|kvmclock|hpet|pmtimer|pit",
	"who says how fast the TSC counts (default: the best)" };
CMDLINE_KEY(key_clock);
static const struct cmdline_key key_skew = {
	"clock.skew", "NS", "for tests: put the TSC of CPU 1 ahead by so much" };
CMDLINE_KEY(key_skew);

uint64_t (*clock_hypervisor_hz)(enum clock_source s);
uint64_t (*clock_hypervisor_ns)(void);

static struct {
	/* set once at start: */
	struct clock_map map;
	enum clock_source source;
	bool invariant;
	uint64_t doubt;			/* of a measured frequency, ppb */
	uint64_t hz[CLOCK_SOURCES];	/* what was said, or measured at start */
	/* clock_witnesses(): */
	struct clock_ref ref[CLOCK_SOURCES];
	nsec_t stopped;
} clock = {
	.map = { .to_ns = { 1, 0 }, .to_tsc = { 1, 0 }, .hz = NSEC_PER_SEC },
	.source = CLOCK_NONE,
};

/* Where the starting CPU and the boot CPU meet. */
static struct {
	unsigned who;			/* atomic: CPU + 1, 0: nobody */
	unsigned ball;			/* atomic: odd: the boot CPU's turn */
	uint64_t here;			/* the boot CPU's TSC */
	struct clock_skew skew[CPU_MAX];	/* of each one, its own */
} clock_sync;

/* ---- reading it ---- */

/*
 * Not before the loads that come first (SDM vol. 2B, RDTSC): else a time that
 * another CPU wrote down could be later than what is read here after it.
 */
static uint64_t clock_rdtsc(void)
{
	__asm__ volatile("lfence" ::: "memory");
	return x86_rdtsc();
}

uint64_t clock_tsc(void)
{
	uint64_t tsc = clock_rdtsc();

	__asm__ volatile("addq %%gs:%c1, %0" : "+r"(tsc)
			 : "i"(offsetof(struct percpu, tsc_offset)) : "cc");
	return tsc;
}

nsec_t clock_tsc_to_ns(uint64_t tsc)
{
	return clock_map_ns(&clock.map, tsc);
}

nsec_t time_now(void)
{
	return clock_tsc_to_ns(clock_tsc());
}

uint64_t clock_ns_to_tsc(nsec_t ns)
{
	return clock_map_tsc(&clock.map, clock_tsc(), ns) -
	       (uint64_t)this_cpu()->tsc_offset;
}

uint64_t clock_tsc_hz(void)
{
	return clock.map.hz;
}

const char *clock_source(void)
{
	return clock_source_name(clock.source);
}

bool clock_invariant(void)
{
	return clock.invariant;
}

/* ---- start ---- */

static void clock_cpuid(uint32_t leaf, uint32_t out[3])
{
	struct x86_cpuid r = { 0 };

	if (x86_cpuid(leaf & 0x80000000, 0).eax >= leaf)
		r = x86_cpuid(leaf, 0);
	out[0] = r.eax;
	out[1] = r.ebx;
	out[2] = leaf == CPUID_APM ? r.edx : r.ecx;
}

/* What costs nothing to ask. */
static void clock_ask(uint64_t hz[CLOCK_SOURCES])
{
	uint32_t leaf15[3], leaf16[3], apm[3];

	clock_cpuid(0x15, leaf15);
	clock_cpuid(0x16, leaf16);
	clock_cpuid(CPUID_APM, apm);
	clock.invariant = apm[2] & CPUID_APM_INVARIANT;
	hz[CLOCK_CPUID] = clock_hz_cpuid(leaf15, leaf16);
	hz[CLOCK_NOMINAL] = clock_hz_nominal(leaf15, leaf16);
	if (clock_hypervisor_hz) {
		hz[CLOCK_LEAF] = clock_hypervisor_hz(CLOCK_LEAF);
		hz[CLOCK_KVMCLOCK] = clock_hypervisor_hz(CLOCK_KVMCLOCK);
	}
}

static enum clock_source clock_forced(void)
{
	enum clock_source s;
	char word[16] = "";

	if (!cmdline_has("clock"))
		return CLOCK_NONE;
	cmdline_get("clock", word, sizeof(word));
	s = clock_source_find(word);
	if (s == CLOCK_NONE)
		log_warn("clock", "clock=%s is ignored: it is one of %s", word,
			 key_clock.values);
	return s;
}

static void clock_measure(enum clock_source s)
{
	struct clock_ref *r = &clock.ref[s];

	if (s == CLOCK_PIT && !r->rate.num)
		clock_ref_pit(r);
	if (r->rate.num)
		clock.hz[s] = clock_ref_hz(r, CLOCK_WINDOW, CLOCK_WINDOW_MAX,
					   &clock.doubt);
}

/* Only as many as it takes, for each is a window of waiting. */
static enum clock_source clock_find(enum clock_source forced)
{
	static const enum clock_source counters[] = {
		CLOCK_HPET, CLOCK_PMTIMER, CLOCK_PIT };
	enum clock_source found;

	if (forced == CLOCK_HPET || forced == CLOCK_PMTIMER ||
	    forced == CLOCK_PIT)
		clock_measure(forced);
	found = clock_choose(clock.hz, forced);
	for (unsigned i = 0; i < ARRAY_SIZE(counters) &&
			     (found == CLOCK_NONE || found == CLOCK_NOMINAL);
	     i++) {
		clock_measure(counters[i]);
		found = clock_choose(clock.hz, forced);
	}
	if (forced != CLOCK_NONE && found != forced)
		log_warn("clock", "clock=: there is no %s here; taking %s",
			 clock_source_name(forced), clock_source_name(found));
	return found;
}

/* From here on the counters run against the TSC. */
static void clock_look(void)
{
	for (unsigned s = 0; s < CLOCK_SOURCES; s++)
		if (clock.ref[s].rate.num && s != CLOCK_PIT)
			clock.ref[s].first = clock_ref_pair(&clock.ref[s],
							    CLOCK_LOOKS);
}

void clock_start(uint64_t entry_tsc)
{
	clock.map.base = entry_tsc;
}

void clock_init(const struct clock_hw *hw)
{
	clock_ask(clock.hz);
	if (clock_ref_hpet(&clock.ref[CLOCK_HPET], hw->hpet) && hw->hpet)
		log_warn("clock", "the HPET at 0x%lx cannot be used", hw->hpet);
	clock_ref_pmtimer(&clock.ref[CLOCK_PMTIMER], hw->pm_timer,
			  hw->pm_timer_wide);
	clock_ref_ns(&clock.ref[CLOCK_KVMCLOCK], clock_hypervisor_ns);
	clock.source = clock_find(clock_forced());
	if (clock.source == CLOCK_NONE)
		panic("clock: nothing here tells how fast the TSC counts");
	clock.map = clock_map(clock.map.base, clock.hz[clock.source]);
	clock_look();
}

/* ---- witnesses ---- */

static void clock_witness_of(struct clock_witness *w, enum clock_source s,
			     uint64_t hz)
{
	*w = (struct clock_witness){ .source = s, .hz = hz };
	w->ppb = clock_ppb(hz, clock.map.hz);
}

/* Over the time since r->first, if that gives an answer worth having. */
static bool clock_witness_long(struct clock_witness *w, enum clock_source s)
{
	struct clock_ref *r = &clock.ref[s];
	struct clock_pair b = clock_ref_pair(r, CLOCK_MORE_LOOKS);
	uint64_t span = b.tsc - r->first.tsc, ticks;
	uint64_t expected = clock_ticks_in(&r->rate, span, clock.map.hz);

	if (s == CLOCK_PIT || !clock_can_disagree(&r->rate, expected) ||
	    clock_ref_doubt(&r->first, &b) > CLOCK_REF_GOOD / 5)
		return false;
	ticks = clock_unwrap(&r->rate, r->first.count, b.count, expected);
	clock_witness_of(w, s, clock_hz_by(&r->rate, span, ticks));
	w->doubt = MAX(clock_ref_doubt(&r->first, &b), UINT64_C(1));
	w->base = clock_scale_mul(clock.map.to_ns, span);
	return true;
}

static bool clock_disagrees(const struct clock_witness *w)
{
	return !w->hz || w->ppb > CLOCK_PPB_DISAGREE ||
	       w->ppb < -CLOCK_PPB_DISAGREE;
}

static void clock_witness_short(struct clock_witness *w, enum clock_source s)
{
	struct clock_ref *r = &clock.ref[s];
	uint64_t doubt = 0;

	clock_witness_of(w, s, clock_ref_hz(r, CLOCK_WINDOW_LATER,
					    CLOCK_WINDOW_MAX, &doubt));
	w->doubt = MAX(doubt, UINT64_C(1));
	w->base = CLOCK_WINDOW_LATER;
	r->first = clock_ref_pair(r, CLOCK_MORE_LOOKS);
}

/*
 * The TSC ran on while the counter stood: by its own rate it counted too much.
 * The HPET's share is remembered; all of them stood.
 */
static void clock_note_stop(const struct clock_witness *w)
{
	if (w->source == CLOCK_HPET)
		clock.stopped += clock_missed(w->base, w->ppb);
}

static void clock_witness_measured(struct clock_witness *w,
				   enum clock_source s)
{
	struct clock_witness since;

	if (clock_witness_long(w, s) && !clock_disagrees(w))
		return;
	since = *w;
	clock_witness_short(w, s);
	if (since.source == s && since.base && !clock_disagrees(w))
		clock_note_stop(&since);
}

unsigned clock_witnesses(struct clock_witness w[CLOCK_WITNESSES])
{
	static const enum clock_source said[] = {
		CLOCK_CPUID, CLOCK_LEAF, CLOCK_KVMCLOCK, CLOCK_NOMINAL };
	static const enum clock_source counts[] = {
		CLOCK_KVMCLOCK, CLOCK_HPET, CLOCK_PMTIMER, CLOCK_PIT };
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(said); i++)
		if (clock.hz[said[i]])
			clock_witness_of(&w[n++], said[i], clock.hz[said[i]]);
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		w[n] = (struct clock_witness){ .source = counts[i] };
		if (counts[i] == CLOCK_PIT && clock_ref_pit(&clock.ref[CLOCK_PIT]))
			continue;
		if (clock.ref[counts[i]].rate.num)
			clock_witness_measured(&w[n++], counts[i]);
	}
	return n;
}

nsec_t clock_stopped(void)
{
	return clock.stopped;
}

/* ---- the report ---- */

/* -0.012 ppm from -12 ppb. */
static void clock_log_witness(const struct clock_witness *w)
{
	uint64_t ppb = (uint64_t)(w->ppb < 0 ? -w->ppb : w->ppb);
	char sign = w->ppb < 0 ? '-' : '+';

	if (!w->hz)
		log_warn("clock", "%s does not count",
			 clock_source_name(w->source));
	else if (clock_disagrees(w))
		log_warn("clock", "%s says %lu Hz, %s %lu: %c%lu.%03lu ppm",
			 clock_source_name(w->source), w->hz, clock_source(),
			 clock.map.hz, sign, ppb / 1000, ppb % 1000);
	else if (w->base)
		log_info("clock", "%s: %c%lu.%03lu ppm over %lu ms, to %lu ppm",
			 clock_source_name(w->source), sign, ppb / 1000,
			 ppb % 1000, w->base / NSEC_PER_MSEC,
			 w->doubt / 1000 + 1);
	else
		log_info("clock", "%s: %c%lu.%03lu ppm, as said",
			 clock_source_name(w->source), sign, ppb / 1000,
			 ppb % 1000);
}

/*
 * Disputed: somebody who measured disagrees, beyond his own doubt. Checked: it
 * is not said to be invariant, but one who measured over a second agrees.
 */
static const char *clock_trust(const struct clock_witness *w, unsigned n)
{
	bool checked = false;

	for (unsigned i = 0; i < n; i++) {
		if (w[i].base && clock_disagrees(&w[i]) &&
		    w[i].doubt < CLOCK_PPB_DISAGREE)
			return "disputed";
		checked |= w[i].base >= NSEC_PER_SEC;
	}
	if (clock.invariant)
		return "invariant";
	return checked ? "checked" : "unchecked";
}

static void clock_report_skews(struct json *j)
{
	unsigned measured = 0, corrected = 0;
	uint64_t bound = 0;

	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		struct clock_skew_ns s;

		clock_skew(cpu, &s);
		measured += s.measured;
		corrected += s.applied != 0;
		if (s.measured)
			bound = MAX(bound, s.bound);
	}
	log_info("clock", "TSCs of %u CPUs compared with CPU 0's, to %lu ns; "
		 "%u differed and are corrected", measured, bound, corrected);
	json_u64(j, "skew_measured", measured);
	json_u64(j, "skew_corrected", corrected);
	json_u64(j, "skew_bound_ns", bound);
}

static void clock_report_cpu(unsigned cpu)
{
	struct clock_skew_ns s;
	struct json j;

	clock_skew(cpu, &s);
	json_begin(&j, "clock_cpu");
	json_u64(&j, "cpu", cpu);
	json_bool(&j, "measured", s.measured);
	json_i64(&j, "skew_ns", s.behind);
	json_u64(&j, "bound_ns", s.measured ? s.bound : 0);
	json_i64(&j, "applied_ns", s.applied);
	json_end(&j);
}

void clock_report(void)
{
	struct clock_witness w[CLOCK_WITNESSES];
	unsigned n = clock_witnesses(w);
	struct json j;

	log_info("clock", "TSC %lu Hz by %s (to %lu ppm), %sinvariant: %s",
		 clock.map.hz, clock_source(), clock.doubt / 1000,
		 clock.invariant ? "" : "not ", clock_trust(w, n));
	json_begin(&j, "clock");
	json_u64(&j, "hz", clock.map.hz);
	json_str(&j, "source", clock_source());
	json_u64(&j, "doubt_ppb", clock.doubt);
	json_bool(&j, "invariant", clock.invariant);
	json_str(&j, "trust", clock_trust(w, n));
	json_array(&j, "witnesses");
	for (unsigned i = 0; i < n; i++) {
		clock_log_witness(&w[i]);
		json_object(&j, NULL);
		json_str(&j, "source", clock_source_name(w[i].source));
		json_u64(&j, "hz", w[i].hz);
		json_i64(&j, "ppb", w[i].ppb);
		json_u64(&j, "doubt_ppb", w[i].doubt);
		json_u64(&j, "base_ns", w[i].base);
		json_close(&j, false);
	}
	json_close(&j, true);
	clock_report_skews(&j);
	json_u64(&j, "stopped_ns", clock.stopped);
	json_end(&j);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++)
		clock_report_cpu(cpu);
}

/* ---- two CPUs ---- */

/* clock.skew=: a TSC that differs, where the host lets us make one. */
static void clock_sync_spoil(const struct percpu *p)
{
	uint64_t ns = p->id == 1 ? cmdline_u64("clock.skew", 0) : 0;
	uint32_t leaf7[3];

	if (!ns)
		return;
	clock_cpuid(7, leaf7);
	if (leaf7[1] & CPUID_7_TSC_ADJUST)
		x86_wrmsr(MSR_TSC_ADJUST, x86_rdmsr(MSR_TSC_ADJUST) +
			  clock_scale_mul(clock.map.to_tsc, ns));
}

/* One round: to ball, which is odd, and back. Nothing, if nobody answers. */
static void clock_sync_round(struct clock_skew *s, unsigned ball)
{
	uint64_t before = clock_rdtsc(), now;

	__atomic_store_n(&clock_sync.ball, ball, __ATOMIC_RELEASE);
	do {
		if (__atomic_load_n(&clock_sync.ball, __ATOMIC_ACQUIRE) ==
		    ball + 1) {
			now = clock_rdtsc();
			clock_skew_round(s, before, clock_sync.here, now);
			return;
		}
		cpu_relax();
		now = clock_rdtsc();
	} while (now - before < CLOCK_SYNC_WAIT);
}

/*
 * On a host that runs other things beside the two CPUs most rounds contain a
 * turn of those; so until one is good, or for a while. No ball is played
 * twice: an answer that comes too late is for nobody.
 */
void clock_sync_follow(struct percpu *p)
{
	struct clock_skew *s = &clock_sync.skew[p->id];
	unsigned nobody = 0, ball;
	uint64_t start;

	*s = (struct clock_skew)CLOCK_SKEW_INIT;
	clock_sync_spoil(p);
	if (!__atomic_compare_exchange_n(&clock_sync.who, &nobody, p->id + 1,
					 false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return;
	ball = __atomic_load_n(&clock_sync.ball, __ATOMIC_RELAXED) | 1;
	start = clock_rdtsc();
	while (s->bound > CLOCK_SYNC_GOOD / 2 && clock_rdtsc() - start <
	       (s->bound == UINT64_MAX ? CLOCK_SYNC_WAIT : CLOCK_SYNC_TIME))
		clock_sync_round(s, ball += 2);
	p->tsc_offset = clock_skew_offset(s);
	__atomic_store_n(&clock_sync.who, 0, __ATOMIC_RELEASE);
}

void clock_sync_lead(void)
{
	unsigned ball = __atomic_load_n(&clock_sync.ball, __ATOMIC_ACQUIRE);

	if (!(ball & 1))
		return;
	clock_sync.here = clock_rdtsc();
	/* Unless it has given up in the meantime. */
	__atomic_compare_exchange_n(&clock_sync.ball, &ball, ball + 1, false,
				    __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

static int64_t clock_signed_ns(int64_t tsc)
{
	uint64_t size = tsc < 0 ? -(uint64_t)tsc : (uint64_t)tsc;
	int64_t ns = (int64_t)clock_scale_mul(clock.map.to_ns, size);

	return tsc < 0 ? -ns : ns;
}

void clock_skew(unsigned cpu, struct clock_skew_ns *out)
{
	const struct clock_skew *s = &clock_sync.skew[cpu];

	*out = (struct clock_skew_ns){ 0 };
	if (cpu == 0 || cpu >= cpu_count() || !s->bound ||
	    s->bound == UINT64_MAX)
		return;
	out->measured = true;
	out->behind = clock_signed_ns(s->behind);
	out->applied = clock_signed_ns(percpu_of(cpu)->tsc_offset);
	out->bound = clock_scale_mul(clock.map.to_ns, s->bound);
}
