/* SPDX-License-Identifier: MIT */
/*
 * The kernel heap: objects of any size, 16-byte aligned. Any context. On the
 * host it is malloc() with counted leaks and a failure on the n-th call.
 */
#ifndef CORE_HEAP_H
#define CORE_HEAP_H

#include "core/types.h"

void *heap_alloc(size_t size);			/* NULL when out of memory */
void *heap_zalloc(size_t size);			/* cleared */
void *heap_calloc(size_t n, size_t size);	/* cleared; checks n * size */
void heap_free(void *p);			/* NULL is allowed */
size_t heap_in_use(void);			/* bytes */
uint64_t heap_allocs(void);			/* since start, successful */

#endif
