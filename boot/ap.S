/* SPDX-License-Identifier: MIT */
/*
 * Where the other CPUs start (Intel SDM vol. 3, 9.4.4): real mode, CS:IP from
 * the start-up IPI's vector. core/smp.c copies this page to X86_AP_PAGE and
 * fills in the five words at its end. A CPU asks its local APIC who it is, finds
 * its slot by that, and says that it has arrived (core/smp_start.h). One that
 * nobody waits for, or no longer, goes no further than here: neither page tables
 * nor a stack need to be left for it.
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

	/* Its id, to %esi: in x2APIC mode all 32 bits of it. */
	movl $X86_MSR_APIC_BASE, %ecx
	rdmsr
	cmpl $0, AT(ap_args) + 32
	je 3f
	orl $X86_APIC_BASE_EXTD, %eax
	wrmsr
	movl $X86_MSR_X2APIC_ID, %ecx
	rdmsr
	movl %eax, %esi
	jmp 4f
3:	andl $0xfffff000, %eax
	movl X86_XAPIC_ID(%eax), %esi
	shrl $24, %esi

4:	movl AT(ap_args) + 16, %edi
	movl $X86_AP_SLOTS, %ecx
5:	cmpl %esi, X86_AP_SLOT_ID(%edi)
	jne 6f
	cmpl $0, X86_AP_SLOT_STACK(%edi)
	jne 7f
6:	addl $X86_AP_SLOT_SIZE, %edi
	decl %ecx
	jnz 5b
	/* Deaf, so that an NMI does not wake what could not take it. */
ap_park:
	movl $X86_MSR_APIC_BASE, %ecx
	rdmsr
	andl $~(X86_APIC_BASE_EN | X86_APIC_BASE_EXTD), %eax
	wrmsr
8:	cli
	hlt
	jmp 8b
7:	movl $X86_AP_STARTING, %eax
	movl $X86_AP_ARRIVED, %ecx
	lock cmpxchgl %ecx, X86_AP_SLOT_STATE(%edi)
	jne ap_park

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
	movl %edi, %edi
	addq AT(ap_args) + 24, %rdi
	movabsq $ap_enter, %rax
	jmp *%rax

	/* In the image, which both sets of page tables map at one place. */
	.text
	.globl ap_enter
ap_enter:
	movq %rdx, %cr3
	movq X86_AP_SLOT_STACK(%rdi), %rsp
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
ap_args:			/* boot CR3, kernel CR3, slots, to virtual, x2APIC? */
	.quad 0, 0, 0, 0, 0
ap_end:
