/* SPDX-License-Identifier: MIT */
/*
 * Panic is for "we are wrong"; when the device or the host is wrong, return
 * an errno. panic() prints the message, a symbolised backtrace and the end
 * marker "PANIC", stops the other CPUs, tells the host (pvpanic, debug-exit)
 * and never returns. On the host it fails the running test.
 */
#ifndef CORE_PANIC_H
#define CORE_PANIC_H

#include "core/types.h"

void panic(const char *fmt, ...) __printf(1, 2) __noreturn;

/* The same, from where a trap interrupted: the backtrace starts there. */
void panic_at(uintptr_t rip, uintptr_t rbp, const char *fmt, ...)
	__printf(3, 4) __noreturn;
/* "nvme_submit+0x1c" for an address in the kernel's text. */
void panic_symbol(uintptr_t addr, char *buf, size_t size);

#define BUG_ON(cond) \
	do { \
		if (unlikely(cond)) \
			panic("%s:%d: %s", __FILE__, __LINE__, #cond); \
	} while (0)

/* How panic and power-off end the machine; virt/ registers better ways. */
enum machine_end { MACHINE_PASSED, MACHINE_FAILED, MACHINE_PANIC };
#define MACHINE_END_HOOKS	4
void machine_end_register(void (*hook)(enum machine_end how));
void machine_end(enum machine_end how) __noreturn;

#endif
