/* SPDX-License-Identifier: MIT */
/*
 * 256 entries, 16 bytes apart, for core/trap.c's IDT. Exceptions save every
 * register, for the dump; interrupts save what a C function may change and no
 * more, because they are on the path of every I/O. There is no user mode: GS
 * always is the kernel's.
 */
#include "core/trapreg.h"

	.macro trap_pop
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
	popq %rbp
	.endm

	.text
	.balign 16
	.globl trap_stubs
trap_stubs:
	.set vector, 0
	.rept 256
	.balign 16
	/* The CPU pushes an error code for 8, 10-14, 17, 21, 29 and 30. */
	.if vector < 32
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
	pushq $0
	.endif
	pushq $vector
	jmp trap_exception
	.else
	pushq $vector - 128		/* a byte of code shorter: sign-extended */
	jmp trap_interrupt
	.endif
	.set vector, vector + 1
	.endr

trap_exception:				/* struct trap_frame of core/trap.h */
	pushq %rbp			/* links the interrupted frame */
	movq %rsp, %rbp
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	cld
	movq %rsp, %rdi
	andq $-16, %rsp
	call trap_handle
	leaq -TRAP_RBP(%rbp), %rsp
	cmpl $TRAP_NMI, TRAP_VECTOR(%rsp)
	je 1f
	/*
	 * IRETQ would open the door to the next NMI, and it might be the
	 * handler of one that faulted. There is no other privilege level to
	 * return to, so the way back is RIP and RFLAGS on the interrupted
	 * stack: they overwrite our copies of RSP and SS at most.
	 */
	movq TRAP_RSP(%rsp), %rax
	movq TRAP_RIP(%rsp), %rcx
	movq TRAP_RFLAGS(%rsp), %rdx
	subq $16, %rax
	movq %rcx, 8(%rax)
	movq %rdx, (%rax)
	movq %rax, TRAP_VECTOR(%rsp)
	trap_pop
	movq (%rsp), %rsp
	popfq
	ret
1:	trap_pop
	addq $16, %rsp
	iretq

trap_interrupt:
	pushq %rbp			/* links the interrupted frame */
	movq %rsp, %rbp
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11			/* 16 words since the CPU aligned it */
	cld
	movl 8(%rbp), %edi
	subl $-128, %edi
	call trap_interrupt_handle
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rax
	popq %rbp
	addq $8, %rsp
	iretq
