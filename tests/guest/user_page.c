/* SPDX-License-Identifier: MIT */
#include "tests/guest/user_page.h"

#include "core/bits.h"
#include "core/dma.h"
#include "core/page.h"
#include "core/vm.h"
#include "core/x86.h"

/* Vol. 3, 4.5. */
#define USER_PTE_US	BIT_ULL(2)
#define USER_PTE_ADDR	GENMASK_ULL(51, 12)

/*
 * Ring 3 gets through where every level says so: no other page's last entry
 * does.
 */
static void user_page_set(uintptr_t va, uint64_t us)
{
	uint64_t *table = phys_to_virt(vm_root());

	for (unsigned shift = 39; shift >= PAGE_SHIFT; shift -= 9) {
		uint64_t *e = &table[va >> shift & 511];

		*e = (*e & ~USER_PTE_US) | us;
		table = phys_to_virt(*e & USER_PTE_ADDR);
	}
	x86_invlpg((void *)va);
}

void *user_page_map(unsigned flags)
{
	uint8_t *page = page_alloc_zero(0);
	void *va = page ? vm_map(virt_to_phys(page), PAGE_SIZE, flags) : NULL;

	if (!va) {
		page_free(page, 0);
		return NULL;
	}
	*page = USER_PAGE_RET;
	user_page_set((uintptr_t)va, USER_PTE_US);
	return va;
}

void user_page_unmap(void *va)
{
	uint64_t *table = phys_to_virt(vm_root());

	for (unsigned shift = 39; shift >= PAGE_SHIFT; shift -= 9)
		table = phys_to_virt(table[(uintptr_t)va >> shift & 511] &
				     USER_PTE_ADDR);
	user_page_set((uintptr_t)va, 0);
	vm_unmap(va, PAGE_SIZE);
	page_free(table, 0);
}
