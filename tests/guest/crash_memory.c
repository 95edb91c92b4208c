/* SPDX-License-Identifier: MIT */
/*
 * What the page tables must refuse. Each access is made through a volatile
 * pointer, so that no compiler can know better.
 */
#include "core/heap.h"
#include "core/vm.h"
#include "core/x86.h"
#include "tests/guest/crash.h"
#include "tests/guest/user_page.h"

#define CRASH_RET	0xc3		/* the instruction RET */

static const unsigned crash_constant = 1;

static __attribute__((noinline)) void crash_write(volatile void *p)
{
	*(volatile uint8_t *)p = CRASH_RET;
}

static __attribute__((noinline)) void crash_execute(const void *p)
{
	void (*volatile fn)(void) = (void (*)(void))(uintptr_t)p;

	fn();
}

CRASH(write_text, "write to the kernel's text")
{
	crash_write((volatile void *)(uintptr_t)crash_execute);
}

CRASH(write_rodata, "write to a constant")
{
	crash_write((volatile void *)(uintptr_t)&crash_constant);
}

CRASH(execute_heap, "execute what lies on the heap")
{
	uint8_t *p = heap_zalloc(64);

	if (!p)
		return;
	*p = CRASH_RET;
	crash_execute(p);
}

CRASH(execute_stack, "execute what lies on the stack")
{
	volatile uint8_t code[16] = { CRASH_RET };

	crash_execute((void *)code);
}

CRASH(read_user, "read what ring 3 may touch, too")
{
	volatile uint8_t *volatile p = user_page_map(VM_WRITE);

	if (p)
		(void)*p;
}

CRASH(execute_user, "execute what ring 3 may execute, too")
{
	void *p = user_page_map(VM_EXEC);

	if (p)
		crash_execute(p);
}

CRASH(read_null, "read through a NULL pointer")
{
	volatile uint32_t *volatile p = NULL;

	(void)p[2];
}

CRASH(call_null, "call through a NULL pointer")
{
	crash_execute(NULL);
}

CRASH(wild_pointer, "read through a pointer that is none")
{
	volatile uint64_t *volatile p = (void *)UINT64_C(0x6b6b6b6b6b6b6b6b);

	(void)*p;
}
