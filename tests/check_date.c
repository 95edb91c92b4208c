/* SPDX-License-Identifier: MIT */
/* core/date.c and core/rtc.c, on a model of the chip. */
#include "core/date.h"

#include <check.h>
#include <string.h>
#include <time.h>

#include "core/errno.h"
#include "core/rtc.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

#define CENTURY	0x32

static struct {
	uint8_t reg[128], index;
	unsigned busy;			/* UIP for so many looks, 9999: ever */
	unsigned tick;			/* a second is over at this access */
	unsigned accesses;
} rtc;

static uint64_t rtc_model_read(void *ctx, size_t off, unsigned width)
{
	ck_assert_uint_eq(off, 1);
	if (++rtc.accesses == rtc.tick) {
		rtc.reg[0] = 0x00;
		rtc.reg[2] = 0x00;
		rtc.reg[4] = 0x18;
	}
	if (rtc.index == 0x0a) {
		if (rtc.busy && rtc.busy != 9999)
			rtc.busy--;
		return rtc.busy ? 0x80 : 0x26;
	}
	return rtc.reg[rtc.index];
}

static void rtc_model_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	ck_assert_uint_eq(off, 0);
	ck_assert_uint_lt(val, 0x80);	/* NMIs stay as they are */
	rtc.index = (uint8_t)val;
}

static const struct host_mmio_ops rtc_ops = { rtc_model_read, rtc_model_write };

static void set(uint8_t mode, uint8_t century, uint8_t year, uint8_t month,
		uint8_t day, uint8_t hour, uint8_t minute, uint8_t second)
{
	memset(&rtc, 0, sizeof(rtc));
	rtc.reg[0x0b] = mode;
	rtc.reg[CENTURY] = century;
	rtc.reg[9] = year;
	rtc.reg[8] = month;
	rtc.reg[7] = day;
	rtc.reg[4] = hour;
	rtc.reg[2] = minute;
	rtc.reg[0] = second;
}

static void setup(void)
{
	host_start();
	host_port_add(0x70, 2, &rtc_ops, &rtc);
}

static void teardown(void)
{
	host_mmio_remove(&rtc);
	host_finish();
}

#define T_2026	UINT64_C(1795712591)	/* 2026-11-26T17:03:11Z */

static void expect(int err, uint64_t want, uint8_t century)
{
	uint64_t got = 0;

	ck_assert_int_eq(rtc_read(century, &got), err);
	ck_assert_uint_eq(got, want);
}

START_TEST(the_calendar_agrees_with_the_hosts)
{
	for (uint64_t s = 0; s < UINT64_C(253402300800); s += 86400 * 17 + 3671) {
		time_t t = (time_t)s;
		struct tm tm;
		struct date d;

		gmtime_r(&t, &tm);
		date_from_unix(s, &d);
		ck_assert_uint_eq(d.year, (unsigned)tm.tm_year + 1900);
		ck_assert_uint_eq(d.month, (unsigned)tm.tm_mon + 1);
		ck_assert_uint_eq(d.day, (unsigned)tm.tm_mday);
		ck_assert_uint_eq(d.hour, (unsigned)tm.tm_hour);
		ck_assert_uint_eq(d.second, (unsigned)tm.tm_sec);
		ck_assert(date_valid(&d));
		ck_assert_uint_eq(date_to_unix(&d), s);
	}
}
END_TEST

START_TEST(days_that_do_not_exist_are_invalid)
{
	ck_assert(date_valid(&(struct date){ 2024, 2, 29, 0, 0, 0 }));
	ck_assert(!date_valid(&(struct date){ 2023, 2, 29, 0, 0, 0 }));
	ck_assert(!date_valid(&(struct date){ 2100, 2, 29, 0, 0, 0 }));
	ck_assert(date_valid(&(struct date){ 2000, 2, 29, 23, 59, 59 }));
	ck_assert(!date_valid(&(struct date){ 2026, 0, 1, 0, 0, 0 }));
	ck_assert(!date_valid(&(struct date){ 2026, 13, 1, 0, 0, 0 }));
	ck_assert(!date_valid(&(struct date){ 2026, 4, 31, 0, 0, 0 }));
	ck_assert(!date_valid(&(struct date){ 2026, 4, 0, 0, 0, 0 }));
	ck_assert(!date_valid(&(struct date){ 2026, 4, 1, 24, 0, 0 }));
	ck_assert(!date_valid(&(struct date){ 1969, 4, 1, 0, 0, 0 }));
}
END_TEST

START_TEST(iso_text_has_nine_digits)
{
	char iso[DATE_ISO];

	date_iso(T_2026 * NSEC_PER_SEC + 42, iso);
	ck_assert_str_eq(iso, "2026-11-26T17:03:11.000000042Z");
}
END_TEST

START_TEST(bcd_and_binary_mean_the_same)
{
	set(0x02, 0x20, 0x26, 0x11, 0x26, 0x17, 0x03, 0x11);
	expect(0, T_2026, CENTURY);
	expect(0, T_2026, 0);
	expect(0, T_2026, CENTURY | 0x80);	/* no register: bit 7 is NMI's */
	set(0x06, 20, 26, 11, 26, 17, 3, 11);
	expect(0, T_2026, CENTURY);
}
END_TEST

START_TEST(twelve_hours_have_a_morning_and_an_afternoon)
{
	set(0x00, 0x20, 0x26, 0x11, 0x26, 0x85, 0x03, 0x11);
	expect(0, T_2026, CENTURY);
	set(0x04, 20, 26, 11, 26, 0x80 | 12, 3, 11);	/* noon */
	expect(0, T_2026 - 5 * 3600, CENTURY);
	set(0x00, 0x20, 0x26, 0x11, 0x26, 0x12, 0x03, 0x11);	/* midnight */
	expect(0, T_2026 - 17 * 3600, CENTURY);
	set(0x00, 0x20, 0x26, 0x11, 0x26, 0x13, 0x03, 0x11);
	expect(-EBADMSG, 0, CENTURY);
}
END_TEST

START_TEST(what_is_no_date_is_refused)
{
	set(0x02, 0x20, 0x26, 0x11, 0x26, 0x17, 0x03, 0x6a);
	expect(-EBADMSG, 0, CENTURY);
	set(0x02, 0x20, 0x26, 0x02, 0x30, 0x17, 0x03, 0x11);
	expect(-EBADMSG, 0, CENTURY);
	set(0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
	expect(-EBADMSG, 0, CENTURY);
}
END_TEST

START_TEST(an_update_is_waited_for_but_not_for_ever)
{
	set(0x02, 0x20, 0x26, 0x11, 0x26, 0x17, 0x03, 0x11);
	rtc.busy = 200;
	expect(0, T_2026, CENTURY);
	rtc.busy = 9999;
	expect(-ETIMEDOUT, 0, CENTURY);
}
END_TEST

/* 17:59:59 becomes 18:00:00 at any access: never 17:00:00 or 18:59:59. */
START_TEST(a_second_that_passes_in_between_does_no_harm)
{
	uint64_t before = T_2026 + 56 * 60 + 48, got = 0;

	set(0x02, 0x20, 0x26, 0x11, 0x26, 0x17, 0x59, 0x59);
	rtc.tick = (unsigned)_i;
	ck_assert_int_eq(rtc_read(CENTURY, &got), 0);
	ck_assert(got == before || got == before + 1);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("calendar", NULL, NULL, 0);

	tcase_add_test(t, the_calendar_agrees_with_the_hosts);
	tcase_add_test(t, days_that_do_not_exist_are_invalid);
	tcase_add_test(t, iso_text_has_nine_digits);

	t = suite_group("RTC", setup, teardown, 0);
	tcase_add_test(t, bcd_and_binary_mean_the_same);
	tcase_add_test(t, twelve_hours_have_a_morning_and_an_afternoon);
	tcase_add_test(t, what_is_no_date_is_refused);
	tcase_add_test(t, an_update_is_waited_for_but_not_for_ever);
	tcase_add_loop_test(t, a_second_that_passes_in_between_does_no_harm,
			    1, 30);
	return suite_run("date");
}
