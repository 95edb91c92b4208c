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
	/* For one that parks: an NMI, as a panic sends them to all, finds a gate
	   and just enough of a stack; it goes nowhere, so no second one comes. */
	lidtl AT(ap_idtr)
	movl $AT(ap_stack_top), %esp

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
ap_park:
	cli
	hlt
	jmp ap_park
7:	movl $X86_AP_STARTING, %eax
	movl $X86_AP_ARRIVED, %ecx
	lock cmpxchgl %ecx, X86_AP_SLOT_STATE(%edi)
	je 9f
	cmpl $X86_AP_GIVEN_UP, %eax
	jne ap_park
	movl $X86_AP_PARKED, X86_AP_SLOT_STATE(%edi)
	jmp ap_park

9:	movl $(X86_CR4_PAE | X86_CR4_PGE), %eax
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
ap_idtr:
	.word ap_idt_end - ap_idt - 1
	.long AT(ap_idt)
	.balign 8
ap_idt:				/* vol. 3, 6.11; vector 2 is NMI */
	.quad 0, 0
	.word AT(ap_park), X86_CS32, 0x8e00, 0
ap_idt_end:
	.balign 8
	.skip 16		/* EFLAGS, CS, EIP: written, never read */
ap_stack_top:
ap_args:			/* boot CR3, kernel CR3, slots, to virtual, x2APIC? */
	.quad 0, 0, 0, 0, 0
ap_end:
