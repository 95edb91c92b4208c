/* SPDX-License-Identifier: MIT */
/*
 * Stack overflows, one for each kind of stack. Could be fooled by a compiler
 * that makes a loop of the recursion: its result is used afterwards, and what
 * it calls is called through a pointer.
 */
#include "core/cpu.h"
#include "core/panic.h"
#include "tests/guest/crash.h"

static unsigned crash_recurse(volatile unsigned *depth);
static unsigned (*volatile crash_recurse_fn)(volatile unsigned *) = crash_recurse;

static __attribute__((noinline)) unsigned crash_recurse(volatile unsigned *depth)
{
	volatile unsigned here = ++*depth;

	return crash_recurse_fn(&here) + here;
}

static void crash_overflow(void)
{
	volatile unsigned depth = 0;

	crash_recurse_fn(&depth);
}

static void crash_overflow_thread(void *arg)
{
	crash_overflow();
}

CRASH(stack_thread, "overflow the stack of a thread")
{
	crash_on(cpu_id(), crash_overflow_thread, NULL);
}

CRASH(stack_boot, "overflow the boot stack")
{
	crash_overflow();
}

static void crash_overflow_irq_thread(void *arg)
{
	crash_in_irq(crash_overflow);
}

CRASH(stack_irq, "overflow the stack of a thread within an interrupt")
{
	crash_on(cpu_id(), crash_overflow_irq_thread, NULL);
}

CRASH(stack_nmi, "overflow the NMI stack")
{
	crash_in_nmi(crash_overflow);
}

/* A machine check panics at once, so what overflows is the panic. */
CRASH(stack_mc, "overflow the machine-check stack")
{
	panic_extra = crash_overflow;
	__asm__ volatile("int $18" ::: "memory");
}
