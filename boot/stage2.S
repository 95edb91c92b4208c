/* SPDX-License-Identifier: MIT */
/*
 * Loads the kernel above 1 MiB and enters it as a PVH loader would: protected
 * mode, EBX = a start_info with memory map and command line. So both boot
 * paths share every instruction from pvh_entry on.
 *
 * The BIOS reads 32 KiB at a time into low memory and INT 15h AH=87h moves
 * them up: no mode switch of our own until the last one. KERNEL_SECTORS and
 * KERNEL_ENTRY come from the build.
 */
#include "boot/disk.h"
#include "core/x86reg.h"

	.code16
	.text
	.globl _start
_start:
	movb %dl, drive

	/* ---- the memory map: INT 15h E820, straight into PVH's format ---- */
	movw $DISK_MEMMAP_AT, %di
	xorl %ebx, %ebx
	xorl %ebp, %ebp
1:	movl $0xe820, %eax
	movl $0x534d4150, %edx		/* "SMAP" */
	movl $20, %ecx
	movl $0, 20(%di)
	int $0x15
	jc 2f
	cmpl $0x534d4150, %eax
	jne 2f
	incw %bp
	addw $24, %di
	testl %ebx, %ebx
	jz 2f
	cmpw $DISK_MEMMAP_MAX, %bp
	jb 1b
2:	testw %bp, %bp
	movw $text_memory, %si
	jz fail
	movl %ebp, memmap_entries

	/* ---- the command line ---- */
	movw $DISK_CMDLINE_SECTORS, packet_count
	movw $DISK_CMDLINE_AT, packet_offset
	movw $0, packet_segment
	call read
	movl $DISK_KERNEL_LBA, packet_lba

	/* ---- the kernel ---- */
	movw $0, packet_offset
	movw $DISK_CHUNK_SEG, packet_segment
next:	movl kernel_left, %eax
	testl %eax, %eax
	jz enter
	cmpl $DISK_CHUNK_SECTORS, %eax
	jbe 3f
	movl $DISK_CHUNK_SECTORS, %eax
3:	movw %ax, packet_count
	call read
	movzwl packet_count, %ecx
	addl %ecx, packet_lba
	subl %ecx, kernel_left
	shlw $8, %cx			/* sectors to words */
	movw $copy_table, %si
	movb $0x87, %ah			/* move extended memory */
	int $0x15
	movw $text_copy, %si
	jc fail
	movzwl packet_count, %eax
	shll $9, %eax
	addl %eax, copy_to + 2		/* the base, which stays below 16 MiB */
	jmp next

enter:	cli
	lgdtl gdtr
	movl $(X86_CR0_PE | X86_CR0_ET), %eax
	movl %eax, %cr0
	ljmpl $X86_CS32, $4f
	.code32
4:	movl $X86_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $start_info, %ebx
	movl $KERNEL_ENTRY, %eax
	jmp *%eax
	.code16

read:	movw $packet, %si
	movb drive, %dl
	movb $0x42, %ah
	int $0x13
	movw $text_read, %si
	jc fail
	ret

fail:	lodsb
	testb %al, %al
	jz 5f
	movw $0x3f8, %dx
	outb %al, %dx
	movb $0x0e, %ah
	movw $7, %bx
	int $0x10
	jmp fail
5:	cli
	hlt
	jmp 5b

text_memory:
	.asciz "Lodger: this BIOS tells no memory map (INT 15h E820)\r\n"
text_read:
	.asciz "Lodger: the kernel cannot be read from the boot disk\r\n"
text_copy:
	.asciz "Lodger: this BIOS cannot move memory (INT 15h 87h)\r\n"

	.balign 8
packet:	.byte 16, 0
packet_count:
	.word 0
packet_offset:
	.word 0
packet_segment:
	.word 0
packet_lba:
	.quad DISK_CMDLINE_LBA
kernel_left:
	.long KERNEL_SECTORS
drive:	.byte 0

	/* INT 15h 87h: six descriptors, of which the caller fills in two. */
	.balign 8
copy_table:
	.quad 0, 0
copy_from:
	.word 0xffff, 0, (DISK_CHUNK_SEG >> 12) | 0x9300, 0
copy_to:
	.word 0xffff, 0, (DISK_KERNEL_AT >> 16) | 0x9300, 0
	.quad 0, 0

	.balign 8
gdt:	.quad 0, X86_GDT_CS32, X86_GDT_DS
gdtr:	.word . - gdt - 1
	.long gdt

	.balign 8
start_info:				/* boot/pvh.h */
	.long 0x336ec578, 1, 0x4c440001, 0
	.quad 0, DISK_CMDLINE_AT, 0, DISK_MEMMAP_AT
memmap_entries:
	.long 0, 0

	.org DISK_STAGE2_SECTORS * DISK_SECTOR
