/* SPDX-License-Identifier: MIT */
/*
 * What the boot path hands to C: the same for PVH, the boot sector and
 * libvirt. boot/ fills it in before anything else runs; afterwards it is
 * read-only.
 */
#ifndef CORE_BOOTINFO_H
#define CORE_BOOTINFO_H

#include "core/types.h"

#define BOOTINFO_RANGES		64
#define BOOTINFO_CMDLINE	1024

enum mem_type {			/* ACPI 6.4, table 15.2 */
	MEM_RAM = 1,
	MEM_RESERVED = 2,
	MEM_ACPI = 3,
	MEM_NVS = 4,
	MEM_UNUSABLE = 5,
};

struct mem_range {
	phys_t base;
	uint64_t size;
	enum mem_type type;
};

struct bootinfo {
	const char *how;		/* "pvh", "boot sector" */
	uint64_t entry_tsc;		/* at the first instruction of ours */
	phys_t rsdp;			/* 0: search for it */
	unsigned nranges;
	struct mem_range range[BOOTINFO_RANGES];
	char cmdline[BOOTINFO_CMDLINE];
};

extern struct bootinfo bootinfo;

#endif
