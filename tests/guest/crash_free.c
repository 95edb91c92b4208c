/* SPDX-License-Identifier: MIT */
/*
 * Memory used after it was given back, and given back twice. Double frees are
 * always found; the stores only with debug=poison, since they spare the first
 * bytes, where a free page's or object's links guard themselves. The compiler
 * must not see that a pointer is freed already: it is read through a volatile.
 */
#include "core/heap.h"
#include "core/page.h"
#include "tests/guest/crash.h"

static void *volatile crash_freed;

static __attribute__((noinline)) void crash_store(unsigned word)
{
	volatile uint64_t *p = crash_freed;

	p[word] = 0x1234;
}

CRASH(heap_use_after_free, "store to a heap object that was freed")
{
	crash_freed = heap_alloc(200);
	heap_free(crash_freed);
	crash_store(20);
	heap_alloc(200);
}

CRASH(heap_double_free, "free a heap object twice, others in between")
{
	void *other = heap_alloc(100);

	crash_freed = heap_alloc(100);
	heap_free(crash_freed);
	heap_free(other);
	heap_free(crash_freed);
}

CRASH(page_use_after_free, "store to a page that was freed")
{
	crash_freed = page_alloc(0);
	page_free(crash_freed, 0);
	crash_store(300);
	page_alloc(0);
}

CRASH(page_double_free, "free a page twice, others in between")
{
	void *other = page_alloc(0);

	crash_freed = page_alloc(0);
	page_free(crash_freed, 0);
	page_free(other, 0);
	page_free(crash_freed, 0);
}
