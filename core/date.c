/* SPDX-License-Identifier: MIT */
/*
 * Years begin in March here, so that the leap day comes last and the lengths of
 * months follow one rule: 153 days for each five.
 */
#include "core/date.h"

#include "core/fmt.h"

#define DATE_ERA	146097		/* days in 400 years */
#define DATE_EPOCH	719468		/* days from 0000-03-01 to 1970-01-01 */
#define DATE_DAY	86400

static bool date_leap(unsigned year)
{
	return year % 4 == 0 && (year % 100 || year % 400 == 0);
}

static unsigned date_month_days(unsigned year, unsigned month)
{
	static const uint8_t days[12] = { 31, 28, 31, 30, 31, 30,
					  31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && date_leap(year));
}

bool date_valid(const struct date *d)
{
	return d->year >= 1970 && d->year <= 9999 && d->month >= 1 &&
	       d->month <= 12 && d->day >= 1 &&
	       d->day <= date_month_days(d->year, d->month) &&
	       d->hour < 24 && d->minute < 60 && d->second < 60;
}

uint64_t date_to_unix(const struct date *d)
{
	uint64_t year = d->year - (d->month <= 2);
	uint64_t month = (d->month + 9) % 12;	/* March is 0 */
	uint64_t days = year * 365 + year / 4 - year / 100 + year / 400 +
			(153 * month + 2) / 5 + d->day - 1 - DATE_EPOCH;

	return ((days * 24 + d->hour) * 60 + d->minute) * 60 + d->second;
}

void date_from_unix(uint64_t seconds, struct date *d)
{
	uint64_t days = seconds / DATE_DAY + DATE_EPOCH;
	unsigned rest = (unsigned)(seconds % DATE_DAY);
	unsigned day = (unsigned)(days % DATE_ERA);	/* of the era */
	unsigned year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	unsigned of_year = day - (365 * year + year / 4 - year / 100);
	unsigned month = (5 * of_year + 2) / 153;

	d->day = of_year - (153 * month + 2) / 5 + 1;
	d->month = month < 10 ? month + 3 : month - 9;
	d->year = (unsigned)(days / DATE_ERA * 400) + year + (d->month <= 2);
	d->hour = rest / 3600;
	d->minute = rest / 60 % 60;
	d->second = rest % 60;
}

void date_iso(nsec_t unix_ns, char buf[DATE_ISO])
{
	struct date d;

	date_from_unix(unix_ns / NSEC_PER_SEC, &d);
	fmt_snprintf(buf, DATE_ISO, "%04u-%02u-%02uT%02u:%02u:%02u.%09uZ",
		     d.year, d.month, d.day, d.hour, d.minute, d.second,
		     (unsigned)(unix_ns % NSEC_PER_SEC));
}
