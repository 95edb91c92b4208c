/* SPDX-License-Identifier: MIT */
/*
 * The clock changes its registers once a second and says so a little before
 * (UIP). Between the look at UIP and the last register the host may have stopped
 * us for long; so it is read until two readings are equal.
 */
#include "core/rtc.h"

#include "core/bits.h"
#include "core/cpu.h"
#include "core/errno.h"
#include "core/io.h"
#include "core/string.h"

#define RTC_PORT	0x70
#define RTC_INDEX	0		/* bit 7 would mask NMIs */
#define RTC_INDEX_MAX	0x7f
#define RTC_DATA	1
#define RTC_A		0x0a
# define RTC_A_UIP	BIT(7)
#define RTC_B		0x0b
# define RTC_B_24H	BIT(1)
# define RTC_B_BINARY	BIT(2)
#define RTC_PM		0x80		/* of the hour, in 12-hour mode */
#define RTC_UIP_WAIT	(10 * NSEC_PER_MSEC)	/* it takes 2 */
#define RTC_TRIES	5

enum { RTC_SECOND, RTC_MINUTE, RTC_HOUR, RTC_DAY, RTC_MONTH, RTC_YEAR,
       RTC_CENTURY, RTC_MODE, RTC_FIELDS };

static uint8_t rtc_get(const struct io *io, uint8_t reg)
{
	io_write8(io, RTC_INDEX, reg);
	return io_read8(io, RTC_DATA);
}

static int rtc_fields(const struct io *io, uint8_t century,
		      uint8_t f[RTC_FIELDS])
{
	static const uint8_t reg[RTC_CENTURY] = { 0, 2, 4, 7, 8, 9 };
	uint32_t a;
	int err = poll_until(a, (uint32_t)rtc_get(io, RTC_A),
			     !(a & RTC_A_UIP), time_now() + RTC_UIP_WAIT);

	if (err)
		return err;
	for (unsigned i = 0; i < RTC_CENTURY; i++)
		f[i] = rtc_get(io, reg[i]);
	f[RTC_CENTURY] = century ? rtc_get(io, century) : 0;
	f[RTC_MODE] = rtc_get(io, RTC_B);
	return 0;
}

/* A digit beyond 9 makes a number that no date has. */
static unsigned rtc_number(uint8_t raw, uint8_t mode)
{
	if (mode & RTC_B_BINARY)
		return raw;
	return (raw & 15) > 9 || raw >> 4 > 9 ? 255 : (raw >> 4) * 10u +
						      (raw & 15);
}

static unsigned rtc_hour(uint8_t raw, uint8_t mode)
{
	unsigned hour;

	if (mode & RTC_B_24H)
		return rtc_number(raw, mode);
	hour = rtc_number(raw & (uint8_t)~RTC_PM, mode);
	if (hour < 1 || hour > 12)
		return 255;
	return hour % 12 + (raw & RTC_PM ? 12 : 0);
}

static int rtc_decode(const uint8_t f[RTC_FIELDS], bool century,
		      uint64_t *seconds)
{
	uint8_t mode = f[RTC_MODE];
	unsigned hundreds = century ? rtc_number(f[RTC_CENTURY], mode) : 20;
	struct date d = {
		.year = hundreds * 100 + rtc_number(f[RTC_YEAR], mode),
		.month = rtc_number(f[RTC_MONTH], mode),
		.day = rtc_number(f[RTC_DAY], mode),
		.hour = rtc_hour(f[RTC_HOUR], mode),
		.minute = rtc_number(f[RTC_MINUTE], mode),
		.second = rtc_number(f[RTC_SECOND], mode),
	};

	if (!date_valid(&d))
		return -EBADMSG;
	*seconds = date_to_unix(&d);
	return 0;
}

int rtc_read(uint8_t century, uint64_t *seconds)
{
	uint8_t last[RTC_FIELDS], f[RTC_FIELDS];
	struct io io;
	int err = io_map_port(&io, RTC_PORT, 2);

	if (century > RTC_INDEX_MAX)
		century = 0;
	for (unsigned i = 0; !err && i < RTC_TRIES; i++) {
		err = rtc_fields(&io, century, f);
		if (!err && i && memcmp(last, f, sizeof(f)) == 0)
			return rtc_decode(f, century, seconds);
		memcpy(last, f, sizeof(f));
	}
	return err ? err : -EAGAIN;
}
