/* SPDX-License-Identifier: MIT */
/* The PC's real-time clock, an MC146818 (its data sheet; ICH9, 13.6). */
#ifndef CORE_RTC_H
#define CORE_RTC_H

#include "core/date.h"

/*
 * Seconds since 1970, the clock being UTC; century is the register that holds it
 * (FADT), 0: none, then 20xx. -ETIMEDOUT: it is for ever being updated; -EAGAIN:
 * no two readings agree; -EBADMSG: no date. At most some 10 ms. One caller at a
 * time.
 */
int rtc_read(uint8_t century, uint64_t *seconds);

#endif
