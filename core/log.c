/* SPDX-License-Identifier: MIT */
/*
 * One lock, one console. A line is composed on the stack and written whole.
 * The CPU that panics goes past the lock (log_force), so that its words come out.
 */
#include "core/log.h"

#include "core/cpu.h"
#include "core/fmt.h"
#include "core/ns16550.h"

#define LOG_LINE	320

enum log_level log_level = LOG_INFO;

static struct spinlock log_lock = SPINLOCK_INIT("log");
static unsigned log_forced;	/* CPU + 1 that goes past the lock, or 0 */

void log_force(void)
{
	if (READ_ONCE(log_forced))
		return;
	WRITE_ONCE(log_forced, cpu_id() + 1);
	ns16550_hurry();
}

bool console_try(const char *s, size_t len)
{
	irqflags_t flags;

	if (!spin_try(&log_lock, &flags))
		return false;
	ns16550_write(s, len);
	spin_unlock(&log_lock, flags);
	return true;
}

void console_write(const char *s, size_t len)
{
	irqflags_t flags;

	if (READ_ONCE(log_forced) == cpu_id() + 1) {
		ns16550_write(s, len);
		return;
	}
	flags = spin_lock(&log_lock);
	ns16550_write(s, len);
	spin_unlock(&log_lock, flags);
}

void console_printf(const char *fmt, ...)
{
	char line[LOG_LINE];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = fmt_vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	console_write(line, MIN((size_t)n, sizeof(line) - 1));
}

void log_line(enum log_level level, const char *who, const char *fmt, ...)
{
	static const char *const mark[] = { "ERROR: ", "warning: ", "", "" };
	nsec_t now = time_now();
	char line[LOG_LINE];
	va_list ap;
	int n;

	if (level > log_level)
		return;
	n = fmt_snprintf(line, sizeof(line), "[%5lu.%06lu] %s: %s",
			 (now / NSEC_PER_SEC),
			 (now % NSEC_PER_SEC / 1000),
			 who, mark[level]);
	va_start(ap, fmt);
	n += fmt_vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	n = MIN(n, LOG_LINE - 2);
	line[n++] = '\n';
	console_write(line, (size_t)n);
}
