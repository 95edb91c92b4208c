/* SPDX-License-Identifier: MIT */
/*
 * struct pv_insn_result pv_insn_NAME(nr, a0, a1, a2, a3): one instruction that may
 * answer, raise an exception or never end. KVM's hypercalls.rst: number and
 * answer in RAX, arguments in RBX, RCX, RDX, RSI, nothing else changes. The
 * second word of the result, RDX, says how it went (enum pv_answer).
 * pv_insn_NAME_at is the instruction, pv_insn_NAME_out where a watchdog goes on.
 */
	.macro PV_INSN name:req, insn:vararg
	.globl pv_insn_\name, pv_insn_\name\()_at, pv_insn_\name\()_out
pv_insn_\name:
	pushq %rbp
	movq %rsp, %rbp
	pushq %rbx
	movq %rdi, %rax
	movq %rsi, %rbx
	xchgq %rcx, %rdx
	movq %r8, %rsi
pv_insn_\name\()_at:
	\insn
	xorl %edx, %edx			/* PV_ANSWERED */
1:	popq %rbx
	popq %rbp
	ret
2:	movl $1, %edx			/* PV_FAULTED */
	jmp 1b
pv_insn_\name\()_out:
	movl $3, %edx			/* PV_STUCK */
	jmp 1b
	.pushsection .extable, "a"
	.balign 8
	.quad pv_insn_\name\()_at, 2b
	.popsection
	.endm

	.text
	PV_INSN vmcall, vmcall
	PV_INSN vmmcall, vmmcall
	PV_INSN loop, jmp pv_insn_loop_at	/* for the watchdog's own test */
