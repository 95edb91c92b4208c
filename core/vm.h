/* SPDX-License-Identifier: MIT */
/*
 * The kernel's address space (4-level paging, Intel SDM vol. 3, 4.5):
 *
 *	0xffff800000000000	direct mapping of RAM and firmware tables, RW, no execute
 *	0xffffc00000000000	mappings: device registers, guarded stacks
 *	0xffffffff80000000	the kernel image: text RX, rodata R, data RW
 *
 * Nothing is writable and executable at once; page 0 and all of the low half
 * are unmapped once every CPU is up. Thread context unless said otherwise.
 */
#ifndef CORE_VM_H
#define CORE_VM_H

#include "core/types.h"

#define VM_DIRECT_BASE	UINT64_C(0xffff800000000000)
#define VM_MAP_BASE	UINT64_C(0xffffc00000000000)
#define VM_MAP_SIZE	GIB(16384)
#define VM_IMAGE_BASE	UINT64_C(0xffffffff80000000)

#define VM_WRITE	0x1
#define VM_EXEC		0x2
#define VM_UNCACHED	0x4

/* Build the kernel's page tables from the memory map and switch to them. */
void vm_init(void);
/* Forget the identity mapping that CPUs start through. */
void vm_drop_identity(void);
phys_t vm_root(void);			/* for CR3 */

/*
 * Map size bytes at pa into the mapping area, at an address never used before.
 * NULL when out of memory or addresses.
 */
void *vm_map(phys_t pa, size_t size, unsigned flags);
void vm_unmap(void *va, size_t size);	/* as given by vm_map() */

/*
 * A kernel stack with an unmapped page below it. Returns the address just
 * above its top, or NULL. Any context may free one, but not its own.
 */
#define STACK_SIZE	(16 * 1024)
void *stack_alloc(void);
void stack_free(void *top);
/* Does addr lie in the guard page of a stack? */
bool stack_is_guard(uintptr_t addr);
/* Does it lie in that stack, or in the boot stack, guard pages included? */
bool stack_holds(const void *top, uintptr_t addr);
bool stack_is_boot(uintptr_t addr);

/* For a fault's message, in any context: "rodata"; may ring 3 touch it? */
const char *vm_region(uintptr_t addr);
bool vm_is_user(uintptr_t addr);

/* What the page tables really allow, entry by entry: for the tests. */
struct vm_audit {
	uint64_t pages, executable, writable_executable;	/* entries */
	uint64_t user;			/* entries that ring 3 may touch */
	uint64_t giant;			/* entries of 1 GiB */
	bool low;			/* is anything mapped from address 0 on? */
};
void vm_audit(struct vm_audit *a);

#endif
