/* SPDX-License-Identifier: MIT */
/*
 * The first instructions: the PVH entry (Xen's PVH boot protocol). Every boot
 * path ends here — QEMU's -kernel, and our own boot sector, which builds the
 * same start_info. 32-bit protected mode, paging off, EBX = start_info. EAX
 * says nothing (qboot leaves Multiboot's magic in it), so C looks at the magic
 * in start_info.
 *
 * The page tables below are complete in the image: the first GiB, at 0, at
 * the direct mapping and at the image's own addresses. They live until
 * vm_init() has built the real ones; other CPUs come through them too.
 */
#include "core/x86reg.h"

	/* Elf64_Nhdr: XEN_ELFNOTE_PHYS32_ENTRY (18), 4-byte alignment. */
	.section .note.pvh, "a", @note
	.long 4, 4, 18
	.asciz "Xen"
	.long pvh_entry

	.section .boot.text, "ax"
	.code32
	.globl pvh_entry
pvh_entry:
	cld
	rdtsc
	movl %eax, %esi
	movl %edx, %edi

	movl %cr4, %eax
	orl $(X86_CR4_PAE | X86_CR4_PGE), %eax
	movl %eax, %cr4
	movl $boot_pml4, %eax
	movl %eax, %cr3
	movl $X86_MSR_EFER, %ecx
	rdmsr
	orl $(X86_EFER_LME | X86_EFER_NXE), %eax
	wrmsr
	movl $X86_CR0_KERNEL, %eax
	movl %eax, %cr0
	lgdt boot_gdtr
	ljmp $X86_CS64, $1f

	.code64
1:	movabsq $boot_enter, %rax
	jmp *%rax

	.text
	.globl boot_enter
boot_enter:
	movl $X86_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	leaq boot_stack_top(%rip), %rsp
	xorl %ebp, %ebp
	/* Only the low halves were written: the mode switch says nothing
	   about the high ones (Intel SDM vol. 1, 3.4.1.1). */
	movl %esi, %esi
	shlq $32, %rdi
	orq %rsi, %rdi			/* the TSC at entry */
	movl %ebx, %esi			/* start_info */
	call boot_main
	ud2

	.section .boot.data, "aw"
	.balign 4096
	.globl boot_pml4
boot_pml4:
	.quad boot_pdpt_low + 0x003
	.fill 255, 8, 0
	.quad boot_pdpt_low + 0x003	/* VM_DIRECT_BASE */
	.fill 254, 8, 0
	.quad boot_pdpt_high + 0x003	/* VM_IMAGE_BASE */
boot_pdpt_low:
	.quad boot_pd + 0x003
	.fill 511, 8, 0
boot_pdpt_high:
	.fill 510, 8, 0
	.quad boot_pd + 0x003
	.quad 0
boot_pd:
	.set page, 0
	.rept 512
	.quad page + 0x083		/* present, writable, 2 MiB */
	.set page, page + 0x200000
	.endr

	.balign 8
	.globl boot_gdtr
boot_gdt:
	.quad 0, X86_GDT_CS32, X86_GDT_DS, X86_GDT_CS64
boot_gdtr:
	.word . - boot_gdt - 1
	.long boot_gdt

	/* The boot stack, which becomes CPU 0's first thread's, has a page
	   below it that vm_init() leaves unmapped. */
	.bss
	.balign 4096
	.globl boot_stack_guard, boot_stack_top
boot_stack_guard:
	.skip 4096
	.skip 16384
boot_stack_top:
