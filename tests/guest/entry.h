/* SPDX-License-Identifier: MIT */
/* Page tables by hand, for tests that want a page to be gone and come back. */
#ifndef TESTS_GUEST_ENTRY_H
#define TESTS_GUEST_ENTRY_H

#include "core/dma.h"
#include "core/page.h"
#include "core/types.h"
#include "core/vm.h"

/* The entry of level 1 (Intel SDM vol. 3, 4.5) that maps va, a small page. */
static inline uint64_t *test_entry(uintptr_t va)
{
	uint64_t *table = phys_to_virt(vm_root());

	for (unsigned shift = 39; shift > PAGE_SHIFT; shift -= 9)
		table = phys_to_virt(table[va >> shift & 511] &
				     ~UINT64_C(0xfff));
	return &table[va >> PAGE_SHIFT & 511];
}

#endif
