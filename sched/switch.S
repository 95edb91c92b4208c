/* SPDX-License-Identifier: MIT */
/*
 * void sched_arch_switch(void **save, void *to): to its callers it is a
 * function, so what a function may change needs no saving. Flags neither:
 * interrupts are off on both sides.
 */
	.text
	.balign 16
	.globl sched_arch_switch
sched_arch_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

/* The return address of a new stack, whose frame pointer is 0. */
	.balign 16
	.globl sched_arch_start
sched_arch_start:
	call thread_first
	ud2

	.section .note.GNU-stack, "", @progbits
