/* SPDX-License-Identifier: MIT */
/* The PVH boot protocol's start_info (Xen, public/arch-x86/hvm/start_info.h). */
#ifndef BOOT_PVH_H
#define BOOT_PVH_H

#include "core/types.h"

#define PVH_MAGIC	0x336ec578

struct pvh_start_info {
	le32 magic, version, flags, nr_modules;
	le64 modlist_paddr, cmdline_paddr, rsdp_paddr;
	/* version 1: */
	le64 memmap_paddr;
	le32 memmap_entries, reserved;
};
_Static_assert(offsetof(struct pvh_start_info, memmap_paddr) == 40, "PVH");

struct pvh_memmap_entry {
	le64 addr, size;
	le32 type, reserved;
};
_Static_assert(sizeof(struct pvh_memmap_entry) == 24, "PVH");

/* Our own boot sector says who it is in flags. */
#define PVH_FLAG_BOOT_SECTOR	0x4c440001u	/* "LD" */

/*
 * Fill in bootinfo from the start_info at pa, which lies in the first GiB.
 * Panics when there is no memory map in it: nothing can be done without.
 */
void pvh_parse(phys_t pa);

#endif
