/* SPDX-License-Identifier: MIT */
/*
 * Panic is for "we are wrong"; when the device or the host is wrong, return
 * an errno. panic() stops the other CPUs, prints the message, where this CPU
 * and the others were, a symbolised backtrace and the end marker "PANIC",
 * tells the host (pvpanic, debug-exit) and never returns. Any context,
 * interrupts, NMIs and another panic's own code included; it takes no lock
 * and ends in bounded time. On the host it fails the running test.
 */
#ifndef CORE_PANIC_H
#define CORE_PANIC_H

#include "core/types.h"

struct trap_frame;

void panic(const char *fmt, ...) __printf(1, 2) __noreturn;

/* The same for what a trap interrupted: registers, and its backtrace. */
void panic_trap(const struct trap_frame *f, const char *fmt, ...)
	__printf(2, 3) __noreturn;
/* "nvme_submit+0x1c" for an address in the kernel's text. */
void panic_symbol(uintptr_t addr, char *buf, size_t size);
/*
 * Where t struck and who called that, into out, room (1 or more) addresses at
 * most; recursion is shown once. Returns how many. Any context.
 */
unsigned panic_trace(const struct trap_frame *t, uintptr_t *out, unsigned room);
/* Says more after the backtrace; may itself go wrong. NULL: nothing. */
extern void (*panic_extra)(void);

#define BUG_ON(cond) \
	do { \
		if (unlikely(cond)) \
			panic("%s:%d: %s", __FILE__, __LINE__, #cond); \
	} while (0)

/*
 * How panic and power-off end the machine; virt/ registers better ways. Each
 * hook is tried once: one that goes wrong (and panics) is passed over.
 */
enum machine_end { MACHINE_PASSED, MACHINE_FAILED, MACHINE_PANIC };
#define MACHINE_END_HOOKS	4
void machine_end_register(void (*hook)(enum machine_end how));
void machine_end(enum machine_end how) __noreturn;

#endif
