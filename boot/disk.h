/* SPDX-License-Identifier: MIT */
/*
 * The boot disk image, in sectors of 512 bytes:
 *
 *	0	boot/mbr.S, started by the BIOS at 0000:7c00 with DL = drive
 *	1-4	boot/stage2.S
 *	5-6	the command line, NUL-terminated text; may be rewritten in place
 *	7-	the kernel: the flat binary of boot/lodger.ld, for 1 MiB
 *
 * Low memory while loading: 7c00 boot sector, 7e00 stage 2, 5000 memory map,
 * 6000 command line, 10000 one chunk of the kernel.
 */
#ifndef BOOT_DISK_H
#define BOOT_DISK_H

#define DISK_SECTOR		512
#define DISK_STAGE2_LBA		1
#define DISK_STAGE2_SECTORS	4
#define DISK_CMDLINE_LBA	5
#define DISK_CMDLINE_SECTORS	2
#define DISK_KERNEL_LBA		7

#define DISK_STAGE2_AT		0x7e00
#define DISK_MEMMAP_AT		0x5000
#define DISK_MEMMAP_MAX		64	/* entries */
#define DISK_CMDLINE_AT		0x6000
#define DISK_CHUNK_SEG		0x1000
#define DISK_CHUNK_SECTORS	64	/* 32 KiB: within one segment */
#define DISK_KERNEL_AT		0x100000

#endif
