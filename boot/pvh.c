/* SPDX-License-Identifier: MIT */
#include "boot/pvh.h"

#include "core/bootinfo.h"
#include "core/dma.h"
#include "core/fmt.h"
#include "core/panic.h"

/* All that the boot tables (boot/entry.S) map. */
#define PVH_REACH	GIB(1)

struct bootinfo bootinfo;

static void pvh_copy_cmdline(phys_t pa)
{
	if (pa && pa < PVH_REACH)
		fmt_snprintf(bootinfo.cmdline, sizeof(bootinfo.cmdline), "%s",
			     (const char *)phys_to_virt(pa));
}

void pvh_parse(phys_t pa)
{
	const struct pvh_start_info *si = phys_to_virt(pa);
	const struct pvh_memmap_entry *e;

	if (pa >= PVH_REACH || si->magic != PVH_MAGIC)
		panic("boot: no PVH start_info at 0x%lx", pa);
	if (si->version < 1 || !si->memmap_entries ||
	    si->memmap_paddr >= PVH_REACH)
		panic("boot: the start_info has no memory map");
	e = phys_to_virt(si->memmap_paddr);
	for (unsigned i = 0; i < si->memmap_entries &&
	     bootinfo.nranges < BOOTINFO_RANGES; i++)
		bootinfo.range[bootinfo.nranges++] = (struct mem_range){
			e[i].addr, e[i].size, e[i].type };
	bootinfo.how = si->flags == PVH_FLAG_BOOT_SECTOR ? "boot sector" :
		       "pvh";
	bootinfo.rsdp = si->rsdp_paddr;
	pvh_copy_cmdline(si->cmdline_paddr);
}
