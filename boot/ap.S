/* SPDX-License-Identifier: MIT */
/*
 * Where the other CPUs start (Intel SDM vol. 3, 9.4.4): real mode, CS:IP from
 * the start-up IPI's vector. core/smp.c copies this page to X86_AP_PAGE and
 * fills in the four words at its end for one CPU at a time.
 */
#include "core/x86reg.h"

#define AT(sym)	(X86_AP_PAGE + (sym) - ap_start)

	.section .rodata
	.balign 8
	.globl ap_start, ap_end, ap_args
	.code16
ap_start:
	cli
	cld
	xorl %eax, %eax
	movw %ax, %ds
	lgdtl AT(ap_gdtr)
	movl $(X86_CR0_PE | X86_CR0_ET), %eax
	movl %eax, %cr0
	ljmpl $X86_CS32, $AT(1f)

	.code32
1:	movl $X86_DS, %eax
	movl %eax, %ds
	movl %eax, %ss
	movl $(X86_CR4_PAE | X86_CR4_PGE), %eax
	movl %eax, %cr4
	movl AT(ap_args), %eax
	movl %eax, %cr3
	movl $X86_MSR_EFER, %ecx
	rdmsr
	orl $(X86_EFER_LME | X86_EFER_NXE), %eax
	wrmsr
	movl $X86_CR0_KERNEL, %eax
	movl %eax, %cr0
	ljmp $X86_CS64, $AT(2f)

	.code64
2:	xorl %eax, %eax
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movq AT(ap_args) + 8, %rdx
	movq AT(ap_args) + 16, %rbx
	movq AT(ap_args) + 24, %rdi
	movabsq $ap_enter, %rax
	jmp *%rax

	/* In the image, which both sets of page tables map at one place. */
	.text
	.globl ap_enter
ap_enter:
	movq %rdx, %cr3
	movq %rbx, %rsp
	xorl %ebp, %ebp
	call smp_entry
	ud2
	.section .rodata

	.balign 8
ap_gdt:
	.quad 0, X86_GDT_CS32, X86_GDT_DS, X86_GDT_CS64
ap_gdtr:
	.word . - ap_gdt - 1
	.long AT(ap_gdt)
	.balign 8
ap_args:			/* boot CR3, kernel CR3, stack, argument */
	.quad 0, 0, 0, 0
ap_end:
