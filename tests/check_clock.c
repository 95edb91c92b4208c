/* SPDX-License-Identifier: MIT */
/*
 * core/clock_hz.c, and core/clock_ref.c on models of an HPET, a PM timer and a
 * PIT. The models' counters follow a TSC of the test's own, which passes by at
 * each look at it: what is measured does not depend on this host's speed or
 * load, and a stop of the CPU at any moment can be played.
 */
#include "core/clock.h"

#include <check.h>

static uint64_t tsc_now, tsc_step, tsc_stall_at, tsc_stall;

uint64_t clock_tsc(void)
{
	tsc_now += tsc_step;
	if (tsc_stall && tsc_now >= tsc_stall_at) {
		tsc_now += tsc_stall;
		tsc_stall = 0;
	}
	return tsc_now;
}

#include "core/clock_ref.c"

#include <stdlib.h>

#include "tests/host/host.h"
#include "tests/host/suite.h"

#define BASE		0xfed00000u
#define PM_PORT		0x608
#define PERIOD		UINT64_C(10000000)	/* 10 ns, in femtoseconds */
#define HZ		UINT64_C(2596148000)	/* of the TSC */

static struct {
	uint64_t period;
	bool stuck, absent;
	bool status;			/* of the PIT, to be read next */
	uint16_t latch;
	unsigned reads;
	uint64_t loaded;
} dev;

/* What a counter of num / den Hz shows now. */
static uint64_t counter(uint64_t num, uint64_t den)
{
	tsc_now += 500;			/* an access takes its time */
	return dev.stuck ? 7 : (uint64_t)((unsigned __int128)tsc_now * num /
					  den / HZ);
}

static uint64_t hpet_read(void *ctx, size_t off, unsigned width)
{
	if (off == HPET_CAP)
		return FIELD_PREP(HPET_CAP_PERIOD, dev.period);
	return off == HPET_COUNTER ?
	       (uint32_t)counter(FEMTOSECONDS, PERIOD) : 0;
}

static void hpet_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	ck_assert_uint_eq(off, HPET_CONFIG);
	ck_assert_uint_eq(val, HPET_CONFIG_ENABLE);
}

static uint64_t pm_read(void *ctx, size_t off, unsigned width)
{
	return counter(PMTIMER_HZ, 1) & 0xffffff;
}

/* Mode 2 of 65536, latched. */
static uint64_t pit_read(void *ctx, size_t off, unsigned width)
{
	if (off != PIT_CH2)		/* ck_assert…() writes to a file each time */
		ck_abort_msg("the PIT is read at %zu", off);
	if (dev.absent)
		return 0xff;
	if (dev.status) {
		dev.status = false;
		return 0x80 | 0x34;	/* its output is high */
	}
	return dev.reads++ & 1 ? dev.latch >> 8 : dev.latch & 0xff;
}

static void pit_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	if (off == PIT_MODE && val == PIT_CH2_LATCH)
		dev.latch = (uint16_t)-counter(PIT_HZ, 1);
	dev.status = off == PIT_MODE && val == PIT_CH2_STATUS;
}

static uint64_t gate_read(void *ctx, size_t off, unsigned width)
{
	return PORT_NMI_SPEAKER;
}

static void gate_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	ck_assert_uint_eq(val, PORT_NMI_GATE);	/* and no noise */
}

static const struct host_mmio_ops hpet_ops = { hpet_read, hpet_write };
static const struct host_mmio_ops pm_ops = { pm_read, NULL };
static const struct host_mmio_ops pit_ops = { pit_read, pit_write };
static const struct host_mmio_ops gate_ops = { gate_read, gate_write };

static void setup(void)
{
	host_start();
	dev.period = PERIOD;
	dev.stuck = dev.absent = dev.status = false;
	tsc_now = UINT64_C(123456789012);
	tsc_step = 100;
	tsc_stall = 0;
	host_mmio_add(BASE, HPET_SIZE, &hpet_ops, &dev);
	host_port_add(PM_PORT, 4, &pm_ops, &dev);
	host_port_add(PIT_BASE, 4, &pit_ops, &dev);
	host_port_add(PORT_NMI_SC, 1, &gate_ops, &dev);
}

static void teardown(void)
{
	host_mmio_remove(&dev);
	host_finish();
}

static void expect_near(uint64_t hz, int64_t ppb)
{
	ck_assert_int_le(llabs(clock_ppb(hz, HZ)), ppb);
}

/* ---- scales ---- */

/* A year of each clock, as nanoseconds, to two billionths. */
START_TEST(scales_are_exact_to_two_billionths)
{
	static const uint64_t hz[] = { 1000000, 24000000, 999999999,
				       2596148000, 5000000000 };
	const uint64_t year = UINT64_C(31536000) * NSEC_PER_SEC;

	for (unsigned i = 0; i < ARRAY_SIZE(hz); i++) {
		uint64_t ticks = (uint64_t)((unsigned __int128)year * hz[i] /
					    NSEC_PER_SEC);
		uint64_t ns = clock_scale_mul(clock_scale(hz[i], NSEC_PER_SEC),
					      ticks);

		ck_assert_uint_le((uint64_t)llabs((int64_t)(ns - year)),
				  year / 1000000000 * 2 + 1);
	}
}
END_TEST

/* At 2^n counts of the TSC, up to its last: 112 years at 5.2 GHz. */
START_TEST(time_goes_on_until_the_tsc_ends)
{
	struct clock_map m = clock_map(0, 5200000000);
	nsec_t last = 0;

	for (unsigned n = 1; n < 64; n++) {
		nsec_t now = clock_map_ns(&m, UINT64_C(1) << n);

		ck_assert_uint_ge(now, last);
		ck_assert_uint_le(llabs(clock_ppb(now, (nsec_t)(((unsigned
			__int128)NSEC_PER_SEC << n) / 5200000000) + 1)),
				  n < 32 ? UINT64_MAX : 4);
		last = now;
	}
	ck_assert_uint_gt(clock_map_ns(&m, UINT64_MAX), 100 * CLOCK_HORIZON);
}
END_TEST

START_TEST(a_deadline_is_never_before_its_time)
{
	static const uint64_t hz[] = { 100000000, 999999999, 2596148000,
				       5200000000 };

	for (unsigned i = 0; i < ARRAY_SIZE(hz); i++) {
		struct clock_map m = clock_map(77, hz[i]);

		for (nsec_t wait = 1; wait < CLOCK_HORIZON; wait += wait / 7 + 1) {
			uint64_t tsc = 77 + 3600 * hz[i] + wait % 97;
			nsec_t now = clock_map_ns(&m, tsc);
			uint64_t at = clock_map_tsc(&m, tsc, now + wait);

			ck_assert_uint_ge(clock_map_ns(&m, at), now + wait);
		}
	}
}
END_TEST

START_TEST(a_time_gone_by_is_now)
{
	struct clock_map m = clock_map(1000, HZ);

	ck_assert_uint_eq(clock_map_tsc(&m, 1000 + HZ, 0), 1000 + HZ);
	ck_assert_uint_eq(clock_map_tsc(&m, 1000 + HZ, 5), 1000 + HZ);
	ck_assert_uint_eq(clock_map_tsc(&m, 1000 + HZ, NSEC_PER_SEC),
			  1000 + HZ + (clock_map_ns(&m, 1000 + HZ) <
				       NSEC_PER_SEC ? 4 : 0));
}
END_TEST

/* 2^64 - 2 ns times 2.6 would wrap, to a deadline that is always due. */
START_TEST(a_time_beyond_the_horizon_is_far_and_not_past)
{
	struct clock_map m = clock_map(0, 5200000000);
	uint64_t tsc = UINT64_C(5200000000) * 86400;

	for (nsec_t when = NSEC_NEVER; when > 2 * CLOCK_HORIZON; when /= 2)
		ck_assert_uint_gt(clock_map_tsc(&m, tsc, when),
				  tsc + UINT64_C(5000000000) * 31536000);
}
END_TEST

/* ---- CPUID ---- */

START_TEST(leaf_15_says_crystal_times_ratio)
{
	static const uint32_t alder[3] = { 2, 156, 38400000 }, none[3];

	ck_assert_uint_eq(clock_hz_cpuid(alder, none), 2995200000);
	ck_assert_uint_eq(clock_hz_cpuid(none, none), 0);
	ck_assert_uint_eq(clock_hz_cpuid((uint32_t[3]){ 2, 0, 1 }, none), 0);
	ck_assert_uint_eq(clock_hz_cpuid((uint32_t[3]){ 0, 2, 1 }, none), 0);
}
END_TEST

/* A label of 2600 MHz on a Core of 2592; a Xeon's crystal; an Atom's. */
START_TEST(leaf_16_tells_a_missing_crystal_apart_and_no_more)
{
	static const uint32_t core[3] = { 2, 216, 0 }, xeon[3] = { 2, 168, 0 },
			      atom[3] = { 3, 171, 0 }, odd[3] = { 2, 200, 0 };

	ck_assert_uint_eq(clock_hz_cpuid(core, (uint32_t[3]){ 2600 }),
			  2592000000);
	ck_assert_uint_eq(clock_hz_nominal(core, (uint32_t[3]){ 2600 }),
			  2600000000);
	ck_assert_uint_eq(clock_hz_cpuid(xeon, (uint32_t[3]){ 2100 }),
			  2100000000);
	ck_assert_uint_eq(clock_hz_cpuid(atom, (uint32_t[3]){ 1100 }),
			  1094400000);
	ck_assert_uint_eq(clock_hz_cpuid(odd, (uint32_t[3]){ 3300 }), 0);
	ck_assert_uint_eq(clock_hz_cpuid(core, (uint32_t[3]){ 0 }), 0);
	ck_assert_uint_eq(clock_hz_nominal((uint32_t[3]){ 0 },
					   (uint32_t[3]){ 2600 }), 0);
	/* Bits 31:16 are reserved, and no reason to overflow. */
	ck_assert_uint_eq(clock_hz_cpuid(core, (uint32_t[3]){ 0xffff0a28 }),
			  2592000000);
	ck_assert_uint_eq(clock_hz_nominal(core, (uint32_t[3]){ 0xffff0a28 }),
			  2600000000);
}
END_TEST

/* ---- choosing ---- */

START_TEST(the_first_that_knows_is_believed)
{
	uint64_t hz[CLOCK_SOURCES] = { 0 };

	ck_assert_uint_eq(clock_choose(hz, CLOCK_NONE), CLOCK_NONE);
	for (unsigned s = CLOCK_SOURCES; s-- > 0;) {
		hz[s] = HZ;
		ck_assert_uint_eq(clock_choose(hz, CLOCK_NONE), s);
	}
}
END_TEST

START_TEST(a_forced_one_wins_if_it_knows)
{
	uint64_t hz[CLOCK_SOURCES] = { [CLOCK_LEAF] = 1, [CLOCK_PIT] = 1 };

	ck_assert_uint_eq(clock_choose(hz, CLOCK_PIT), CLOCK_PIT);
	ck_assert_uint_eq(clock_choose(hz, CLOCK_HPET), CLOCK_LEAF);
	ck_assert_uint_eq(clock_source_find("pit"), CLOCK_PIT);
	ck_assert_uint_eq(clock_source_find("kvmclock"), CLOCK_KVMCLOCK);
	ck_assert_uint_eq(clock_source_find("sundial"), CLOCK_NONE);
	ck_assert_uint_eq(clock_source_find(""), CLOCK_NONE);
}
END_TEST

START_TEST(disagreement_has_a_sign_and_an_end)
{
	ck_assert_int_eq(clock_ppb(1001, 1000), 1000000);
	ck_assert_int_eq(clock_ppb(999, 1000), -1000000);
	ck_assert_int_eq(clock_ppb(HZ, HZ), 0);
	ck_assert_int_eq(clock_ppb(UINT64_MAX, 1), INT64_C(1000000000000));
	ck_assert_int_eq(clock_ppb(0, UINT64_MAX), -1000000000);
	ck_assert_int_eq(clock_ppb(1, 0), INT64_C(1000000000000));
}
END_TEST

/* ---- counters ---- */

/* 24 bits at 3.58 MHz go round every 4.7 s. */
START_TEST(a_counter_that_went_round_often_is_unwound)
{
	static const struct clock_rate pm = { 3579545, 1, 24 };

	for (uint64_t s = 0; s < 20000; s += 7) {
		uint64_t tsc = s * HZ + 12345, ticks = s * 3579545 + 17;
		uint64_t expected = clock_ticks_in(&pm, tsc, HZ + HZ / 10000);

		ck_assert_uint_eq(clock_unwrap(&pm, 0xfffff0,
					       (0xfffff0 + ticks) & 0xffffff,
					       expected), ticks);
	}
}
END_TEST

START_TEST(days_of_counting_do_not_overflow)
{
	static const struct clock_rate hpet = { FEMTOSECONDS, PERIOD, 32 };
	const uint64_t days = UINT64_C(86400) * 400;

	expect_near(clock_hz_by(&hpet, days * HZ, days * 100000000), 10);
	ck_assert_int_le(llabs(clock_ppb(clock_ticks_in(&hpet, days * HZ, HZ),
					 days * 100000000)), 10);
	ck_assert_uint_eq(clock_hz_by(&hpet, 1000, 0), 0);
	ck_assert_uint_eq(clock_hz_by(&hpet, UINT64_MAX, 1), 0);
}
END_TEST

/* What it would say it missed, if it stood for so long out of so much. */
static void expect_missed(nsec_t stopped, nsec_t span)
{
	int64_t ppb = clock_ppb(span, span - stopped);
	int64_t off = (int64_t)(clock_missed(span, ppb) - stopped);

	ck_assert_int_le(llabs(off), (int64_t)(span / 500000000 + 1));
}

/* Ten seconds of twenty were once reported as twenty. */
START_TEST(a_stop_is_as_long_as_it_was)
{
	const nsec_t s = NSEC_PER_SEC, day = 86400 * s;

	expect_missed(10 * s, 20 * s);
	expect_missed(10 * s, 11 * s);
	expect_missed(s, 3600 * s);
	expect_missed(10 * s, 400 * day);
	expect_missed(399 * day, 400 * day);
	ck_assert_uint_eq(clock_missed(day, 0), 0);
	ck_assert_uint_eq(clock_missed(day, -5000), 0);
}
END_TEST

/*
 * A TSC that is 0.2 % off must look so. Over 20 minutes a counter that goes round
 * every 4.7 s can be unwound to agree with anything.
 */
START_TEST(a_counter_that_could_only_agree_is_not_asked)
{
	static const struct clock_rate rates[] = {
		{ PMTIMER_HZ, 1, 24 }, { FEMTOSECONDS, PERIOD, 32 },
		{ NSEC_PER_SEC, 1, 64 } };
	unsigned asked[ARRAY_SIZE(rates)] = { 0 };

	for (unsigned i = 0; i < ARRAY_SIZE(rates); i++) {
		const struct clock_rate *r = &rates[i];
		uint64_t mask = r->bits == 64 ? UINT64_MAX :
				(UINT64_C(1) << r->bits) - 1;

		for (uint64_t s = 1; s < 100 * 86400; s += s / 5 + 1) {
			uint64_t tsc = s * (HZ + HZ / 500);
			uint64_t ticks = clock_ticks_in(r, s * HZ, HZ);
			uint64_t expected = clock_ticks_in(r, tsc, HZ);

			if (!clock_can_disagree(r, expected))
				continue;
			asked[i]++;
			ticks = clock_unwrap(r, 0, ticks & mask, expected);
			ck_assert_int_gt(clock_ppb(clock_hz_by(r, tsc, ticks),
						   HZ), CLOCK_PPB_DISAGREE);
		}
	}
	ck_assert_uint_gt(asked[0], 20);	/* a quarter of an hour */
	ck_assert_uint_gt(asked[1], asked[0]);
	ck_assert_uint_gt(asked[2], asked[1]);
}
END_TEST

static uint64_t measure(struct clock_ref *r, uint64_t *doubt)
{
	return clock_ref_hz(r, 4 * NSEC_PER_MSEC, 40 * NSEC_PER_MSEC, doubt);
}

START_TEST(each_counter_tells_the_tscs_frequency)
{
	struct clock_ref hpet = { 0 }, pm = { 0 }, pit = { 0 };
	uint64_t doubt;

	ck_assert_int_eq(clock_ref_hpet(&hpet, BASE), 0);
	ck_assert_int_eq(clock_ref_pmtimer(&pm, PM_PORT, false), 0);
	ck_assert_int_eq(clock_ref_pit(&pit), 0);
	expect_near(measure(&hpet, &doubt), 100000);
	ck_assert_uint_le(doubt, CLOCK_REF_GOOD);
	expect_near(measure(&pm, &doubt), 200000);
	expect_near(measure(&pit, &doubt), 500000);	/* 5 ms of 838 ns */
	io_unmap(&hpet.io);
}
END_TEST

/* The host stops this CPU for 10 or 75 ms, at any of 200 moments of a measurement. */
START_TEST(a_stop_at_any_moment_does_not_mislead)
{
	struct clock_ref pit = { 0 };
	uint64_t doubt, hz;

	ck_assert_int_eq(clock_ref_pit(&pit), 0);
	tsc_stall_at = tsc_now + (unsigned)_i * HZ / 1000 * 5 / 200;
	tsc_stall = HZ / 1000 * (_i % 3 ? 10 : 75);	/* 75: all the way round */
	hz = measure(&pit, &doubt);
	expect_near(hz, 600000);
}
END_TEST

/* The same about the end of the window, where the last reading is taken. */
START_TEST(a_stop_at_the_last_reading_does_not_mislead)
{
	struct clock_ref pit = { 0 };
	uint64_t doubt;

	ck_assert_int_eq(clock_ref_pit(&pit), 0);
	tsc_stall_at = tsc_now + 4 * HZ / 1000 - 3000 + (unsigned)_i * 100;
	tsc_stall = HZ / 1000 * 75;
	expect_near(measure(&pit, &doubt), 600000);
}
END_TEST

/* Three times round the PIT; once, and a bit more, round the PM timer. */
START_TEST(a_long_stop_is_not_taken_for_a_counter_that_stands)
{
	static const unsigned ms[] = { 165, 4687, 5000 };
	struct clock_ref r = { 0 };
	uint64_t doubt;

	for (unsigned i = 0; i < ARRAY_SIZE(ms); i++) {
		ck_assert_int_eq(i ? clock_ref_pmtimer(&r, PM_PORT, false) :
				     clock_ref_pit(&r), 0);
		tsc_stall_at = tsc_now + HZ / 1000;
		tsc_stall = HZ / 1000 * ms[i];
		expect_near(measure(&r, &doubt), 600000);
	}
}
END_TEST

/* A stop within every single reading: it cannot be exact, and says so. */
START_TEST(what_cannot_be_measured_well_is_said_to_be_in_doubt)
{
	struct clock_ref pit = { 0 };
	uint64_t doubt = 0, hz;

	ck_assert_int_eq(clock_ref_pit(&pit), 0);
	tsc_step = HZ / 2000;
	hz = measure(&pit, &doubt);
	ck_assert_uint_gt(doubt, CLOCK_REF_GOOD);
	expect_near(hz, (int64_t)doubt);
}
END_TEST

START_TEST(an_hpet_with_an_impossible_period_is_not_believed)
{
	struct clock_ref r = { 0 };

	dev.period = 0;
	ck_assert_int_eq(clock_ref_hpet(&r, BASE), -EBADMSG);
	dev.period = HPET_PERIOD_MAX + 1;
	ck_assert_int_eq(clock_ref_hpet(&r, BASE), -EBADMSG);
	ck_assert_int_eq(clock_ref_hpet(&r, 0), -ENODEV);
	ck_assert_int_eq(clock_ref_pmtimer(&r, 0, true), -ENODEV);
	ck_assert_uint_eq(r.rate.num, 0);
}
END_TEST

/* Ports that nobody answers at: all ones. */
START_TEST(a_machine_without_a_pit_is_known)
{
	struct clock_ref r = { 0 };

	dev.absent = true;
	ck_assert_int_eq(clock_ref_pit(&r), -ENODEV);
	ck_assert_uint_eq(r.rate.num, 0);
}
END_TEST

START_TEST(a_counter_that_stands_still_is_given_up)
{
	struct clock_ref r = { 0 };
	uint64_t doubt;

	ck_assert_int_eq(clock_ref_hpet(&r, BASE), 0);
	dev.stuck = true;
	ck_assert_uint_eq(measure(&r, &doubt), 0);
	io_unmap(&r.io);
}
END_TEST

/* ---- two CPUs ---- */

START_TEST(a_round_bounds_the_skew_and_the_quickest_does_it_best)
{
	struct clock_skew s = CLOCK_SKEW_INIT;

	ck_assert_int_eq(clock_skew_offset(&s), 0);
	clock_skew_round(&s, 1000, 1300, 1400);
	ck_assert_int_eq(s.behind, 100);
	ck_assert_uint_eq(s.bound, 201);
	clock_skew_round(&s, 2000, 2050, 2100);
	ck_assert_int_eq(s.behind, 0);
	ck_assert_uint_eq(s.bound, 51);
	clock_skew_round(&s, 3000, 3900, 5000);
	ck_assert_uint_eq(s.bound, 51);
	clock_skew_round(&s, 9000, 9000, 8000);	/* its TSC was set back */
	ck_assert_uint_eq(s.bound, 51);
}
END_TEST

/*
 * A thousand pairs of CPUs, near and far apart, with ways of random length.
 * What remains after the correction is within the bound; equal ones stay.
 */
START_TEST(after_the_correction_two_cpus_are_within_the_bound)
{
	unsigned corrected = 0;

	srand(7);
	for (unsigned n = 0; n < 1000; n++) {
		int64_t skew = n % 4 ? (rand() - rand()) % (1 << n % 31) : 0;
		struct clock_skew s = CLOCK_SKEW_INIT;
		uint64_t now = UINT64_C(1) << 40;

		for (unsigned i = 0; i < 4; i++) {
			uint64_t before = now - skew, here;

			here = now += 20 + rand() % 5000;
			now += 20 + rand() % 5000;
			clock_skew_round(&s, before, here, now - skew);
		}
		ck_assert_int_le(llabs(skew - clock_skew_offset(&s)),
				 2 * s.bound);
		ck_assert_int_le(llabs(skew - s.behind), s.bound);
		if (!skew)
			ck_assert_int_eq(clock_skew_offset(&s), 0);
		corrected += clock_skew_offset(&s) != 0;
	}
	ck_assert_uint_gt(corrected, 300);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("scales", NULL, NULL, 0);

	tcase_add_test(t, scales_are_exact_to_two_billionths);
	tcase_add_test(t, time_goes_on_until_the_tsc_ends);
	tcase_add_test(t, a_deadline_is_never_before_its_time);
	tcase_add_test(t, a_time_gone_by_is_now);
	tcase_add_test(t, a_time_beyond_the_horizon_is_far_and_not_past);

	t = suite_group("sources", NULL, NULL, 0);
	tcase_add_test(t, leaf_15_says_crystal_times_ratio);
	tcase_add_test(t, leaf_16_tells_a_missing_crystal_apart_and_no_more);
	tcase_add_test(t, the_first_that_knows_is_believed);
	tcase_add_test(t, a_forced_one_wins_if_it_knows);
	tcase_add_test(t, disagreement_has_a_sign_and_an_end);

	t = suite_group("counters", setup, teardown, 0);
	tcase_add_test(t, a_counter_that_went_round_often_is_unwound);
	tcase_add_test(t, days_of_counting_do_not_overflow);
	tcase_add_test(t, each_counter_tells_the_tscs_frequency);
	tcase_add_test(t, a_stop_is_as_long_as_it_was);
	tcase_add_test(t, a_counter_that_could_only_agree_is_not_asked);
	tcase_add_loop_test(t, a_stop_at_any_moment_does_not_mislead, 0, 200);
	tcase_add_loop_test(t, a_stop_at_the_last_reading_does_not_mislead,
			    0, 60);
	tcase_add_test(t, a_long_stop_is_not_taken_for_a_counter_that_stands);
	tcase_add_test(t, a_machine_without_a_pit_is_known);
	tcase_add_test(t, what_cannot_be_measured_well_is_said_to_be_in_doubt);
	tcase_add_test(t, an_hpet_with_an_impossible_period_is_not_believed);
	tcase_add_test(t, a_counter_that_stands_still_is_given_up);

	t = suite_group("two CPUs", NULL, NULL, 0);
	tcase_add_test(t, a_round_bounds_the_skew_and_the_quickest_does_it_best);
	tcase_add_test(t, after_the_correction_two_cpus_are_within_the_bound);
	return suite_run("clock");
}
