/* SPDX-License-Identifier: MIT */
/*
 * The log: lines for a person, each with the time since kernel entry and the
 * name of what speaks ("nvme0", "vtd0", "acpi").
 *
 *	log_info("nvme0", "%u queues, %u vectors", nq, nv);
 *	[    0.012345] nvme0: 4 queues, 4 vectors
 *
 * Any context, any lock held; a line is written whole (its own lock is the
 * innermost of core/lock.h). Lines above log_level are left out.
 * On the host the tests capture them.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <stdarg.h>

#include "core/types.h"

enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

extern enum log_level log_level;	/* set by log=err|warn|info|debug */

void log_line(enum log_level level, const char *who, const char *fmt, ...)
	__printf(3, 4);

#define log_err(who, ...)	log_line(LOG_ERR, who, __VA_ARGS__)
#define log_warn(who, ...)	log_line(LOG_WARN, who, __VA_ARGS__)
#define log_info(who, ...)	log_line(LOG_INFO, who, __VA_ARGS__)
#define log_debug(who, ...)	log_line(LOG_DEBUG, who, __VA_ARGS__)

/* Text as it stands: no time, no name, no newline added. */
void console_printf(const char *fmt, ...) __printf(1, 2);
void console_write(const char *s, size_t len);
/* The same at once or not at all, for an NMI: false when somebody writes. */
bool console_try(const char *s, size_t len);
/*
 * From now on this CPU does not wait for the log's lock, nor much longer for
 * the console: for panic.
 */
void log_force(void);

#endif
