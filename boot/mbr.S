/* SPDX-License-Identifier: MIT */
/*
 * The boot sector. It fetches stage 2 with INT 13h extensions (BIOS Enhanced
 * Disk Drive specification) and jumps there with DL still the drive.
 */
#include "boot/disk.h"

	.code16
	.text
	.globl _start
_start:
	cli
	ljmp $0, $1f
1:	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $0x7c00, %sp
	sti
	cld
	movb %dl, drive

	movb $0x41, %ah			/* extensions present? */
	movw $0x55aa, %bx
	int $0x13
	jc no_extensions
	cmpw $0xaa55, %bx
	jne no_extensions

	movb drive, %dl
	movb $0x42, %ah			/* extended read */
	movw $packet, %si
	int $0x13
	jc read_error
	movb drive, %dl
	ljmp $0, $DISK_STAGE2_AT

no_extensions:
	movw $text_extensions, %si
	jmp fail
read_error:
	movw $text_read, %si
fail:	lodsb
	testb %al, %al
	jz 2f
	movw $0x3f8, %dx		/* the serial console, and the screen */
	outb %al, %dx
	movb $0x0e, %ah
	movw $7, %bx
	int $0x10
	jmp fail
2:	cli
	hlt
	jmp 2b

text_extensions:
	.asciz "Lodger: this BIOS has no INT 13h extensions\r\n"
text_read:
	.asciz "Lodger: the boot disk cannot be read\r\n"

	.balign 4
packet:	.byte 16, 0
	.word DISK_STAGE2_SECTORS
	.word DISK_STAGE2_AT, 0
	.quad DISK_STAGE2_LBA
drive:	.byte 0

	.org 0x1fe
	.word 0xaa55
