/* SPDX-License-Identifier: MIT */
/*
 * core/clock.c: the scales, and the TSC measured against an HPET. time_now()
 * belongs to the seam on the host, so the file is compiled here under another
 * name. The model's counter follows the TSC itself: what is measured does not
 * depend on how fast or busy this host is.
 */
#define time_now	clock_time_now
#include "core/clock.c"
#undef time_now

#include <check.h>

#include "tests/host/host.h"
#include "tests/host/suite.h"

#define BASE		0xfed00000u
#define PERIOD		UINT64_C(10000000)	/* 10 ns, in femtoseconds */
#define TSC_PER_COUNT	25			/* so the TSC is at 2.5 GHz */

static struct {
	uint64_t period;
	bool stuck;
} hpet;

static uint64_t hpet_read(void *ctx, size_t off, unsigned width)
{
	if (off == HPET_CAP)
		return FIELD_PREP(HPET_CAP_PERIOD, hpet.period);
	if (off == HPET_COUNTER)
		return hpet.stuck ? 7 : (uint32_t)(x86_rdtsc() / TSC_PER_COUNT);
	return 0;
}

static void hpet_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	ck_assert_uint_eq(off, HPET_CONFIG);
	ck_assert_uint_eq(val, HPET_CONFIG_ENABLE);
}

static const struct host_mmio_ops hpet_ops = { hpet_read, hpet_write };

static void setup(void)
{
	host_start();
	hpet.period = PERIOD;
	hpet.stuck = false;
	host_mmio_add(BASE, HPET_SIZE, &hpet_ops, &hpet);
}

static void teardown(void)
{
	host_mmio_remove(&hpet);
	host_finish();
}

START_TEST(muldiv_keeps_128_bits_in_between)
{
	ck_assert_uint_eq(x86_muldiv(UINT64_MAX, 1000, 1000), UINT64_MAX);
	ck_assert_uint_eq(x86_muldiv(UINT64_C(1) << 63, 6, 8),
			  UINT64_C(3) << 61);
	ck_assert_uint_eq(x86_muldiv(7, 5, 3), 11);
}
END_TEST

/* A year of each clock, as nanoseconds, to two billionths. */
START_TEST(scales_are_exact_to_two_billionths)
{
	static const uint64_t hz[] = { 1000000, 24000000, 999999999,
				       2596148000, 5000000000 };
	const uint64_t year = UINT64_C(31536000) * NSEC_PER_SEC;

	for (unsigned i = 0; i < ARRAY_SIZE(hz); i++) {
		uint64_t ticks = (uint64_t)((unsigned __int128)year * hz[i] /
					    NSEC_PER_SEC);
		struct clock_scale s = clock_scale(hz[i], NSEC_PER_SEC);
		uint64_t ns = clock_scale_mul(s, ticks);
		uint64_t off = ns > year ? ns - year : year - ns;

		ck_assert_uint_le(off, year / 1000000000 * 2 + 1);
	}
}
END_TEST

START_TEST(a_deadline_is_never_before_its_time)
{
	clock.to_ns = clock_scale(2596148000, NSEC_PER_SEC);
	clock.to_tsc = clock_scale(NSEC_PER_SEC, 2596148000);
	clock.base_tsc = x86_rdtsc();
	for (nsec_t wait = 10; wait < 10 * NSEC_PER_SEC; wait = wait * 7 + 3) {
		nsec_t when = clock_time_now() + wait;

		ck_assert_uint_ge(clock_tsc_to_ns(clock_ns_to_tsc(when)) + 1,
				  when);
	}
}
END_TEST

START_TEST(a_time_gone_by_is_now)
{
	uint64_t before;

	clock.to_ns = clock_scale(NSEC_PER_SEC, NSEC_PER_SEC);
	clock.to_tsc = clock.to_ns;
	clock.base_tsc = x86_rdtsc() - NSEC_PER_SEC;
	before = x86_rdtsc();
	ck_assert_uint_ge(clock_ns_to_tsc(5), before);
	ck_assert_uint_le(clock_ns_to_tsc(5), x86_rdtsc());
}
END_TEST

START_TEST(the_hpet_tells_the_tscs_frequency)
{
	const uint64_t want = TSC_PER_COUNT * (FEMTOSECONDS / PERIOD);
	uint64_t hz = clock_hpet_hz(BASE);

	ck_assert_uint_ge(hz, want - want / 100);
	ck_assert_uint_le(hz, want + want / 100);
}
END_TEST

START_TEST(an_hpet_with_an_impossible_period_is_not_believed)
{
	hpet.period = 0;
	ck_assert_uint_eq(clock_hpet_hz(BASE), 0);
	hpet.period = HPET_PERIOD_MAX + 1;
	ck_assert_uint_eq(clock_hpet_hz(BASE), 0);
}
END_TEST

START_TEST(an_hpet_that_stands_still_is_given_up)
{
	hpet.stuck = true;
	ck_assert_uint_eq(clock_hpet_hz(BASE), 0);
}
END_TEST

START_TEST(no_hpet_is_no_answer)
{
	ck_assert_uint_eq(clock_hpet_hz(0), 0);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("clock", setup, teardown, 0);

	tcase_add_test(t, muldiv_keeps_128_bits_in_between);
	tcase_add_test(t, scales_are_exact_to_two_billionths);
	tcase_add_test(t, a_deadline_is_never_before_its_time);
	tcase_add_test(t, a_time_gone_by_is_now);
	tcase_add_test(t, the_hpet_tells_the_tscs_frequency);
	tcase_add_test(t, an_hpet_with_an_impossible_period_is_not_believed);
	tcase_add_test(t, an_hpet_that_stands_still_is_given_up);
	tcase_add_test(t, no_hpet_is_no_answer);
	return suite_run("clock");
}
