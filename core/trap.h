/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and interrupts as the CPU delivers them (Intel SDM vol. 3,
 * chapter 6): descriptor tables, the stacks that double faults and NMIs
 * switch to, and the way from an entry in boot/trap_entry.S to its handler.
 */
#ifndef CORE_TRAP_H
#define CORE_TRAP_H

#include "core/percpu.h"
#include "core/types.h"

/* What boot/trap_entry.S leaves on the stack, lowest address first. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rdi, rsi, rbx, rdx, rcx, rax, rbp;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* This CPU's GS base, before anything takes a lock or asks who it is. */
void percpu_load(struct percpu *p);
/*
 * The common IDT, first thing on the boot CPU: from here on a fault is a
 * backtrace, on the stack that it strikes until trap_init_cpu() gave it others.
 */
void trap_init(void);
/*
 * GDT, TSS and IST stacks of p, loaded into this CPU. tables comes from
 * trap_alloc_tables(), which may fail with NULL.
 */
void *trap_alloc_tables(void);
void trap_init_cpu(struct percpu *p);
/* CR4's SMEP, SMAP and UMIP as far as CPUID offers them: set on every CPU. */
uint64_t trap_protections(void);
/* "page fault"; never NULL. */
const char *trap_name(unsigned vector);
/* Whose stack, or the guard page of whose stack, is addr in? Any context. */
void trap_stack_name(uintptr_t addr, char *buf, size_t size);
/*
 * Where the running interrupt handler's interrupt goes back to: may be changed.
 * For a watchdog over an instruction that may never end. Only in a handler.
 */
uint64_t *trap_interrupted_rip(void);
/*
 * Asked at each page fault before anything else, interrupts off, on the stack of
 * the interrupted context; true: it was no fault of ours, go back. It may ask
 * which CPU this is: where GS is bad, nobody asks it. Set by virt/
 * (asynchronous page faults); NULL: none.
 */
extern bool (*trap_pf_hook)(struct trap_frame *f, uint64_t cr2);

#endif
