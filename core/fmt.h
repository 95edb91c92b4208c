/* SPDX-License-Identifier: MIT */
/*
 * Text formatting. May be called from any context: no locks, no allocation.
 *
 * The printf subset: %d %i %u %x %X %c %s %p %%, with the flags '-', '0', '+', ' ' and '#',
 * width and precision (also '*'), and the lengths hh h l ll z. No floating
 * point. An unknown conversion is printed as it stands.
 */
#ifndef CORE_FMT_H
#define CORE_FMT_H

#include <stdarg.h>

#include "core/types.h"

/*
 * Write at most size bytes, the terminating NUL included (none when size is
 * 0). Returns the length that the whole text has, as C99's snprintf does.
 */
int fmt_snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
int fmt_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
	__printf(3, 0);

/*
 * Parse an unsigned number: decimal, or hexadecimal behind 0x; with
 * suffix set also one trailing K, M or G (powers of 1024). All of s must be
 * used. Returns 0, -EINVAL or -EOVERFLOW; *val is untouched on error.
 */
int fmt_parse_u64(const char *s, bool suffix, uint64_t *val);

#endif
