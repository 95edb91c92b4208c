/* SPDX-License-Identifier: MIT */
/*
 * Exceptions that are survived. Could be fooled by an instruction that never
 * faulted at all, so each way out is seen to be taken, and the same code is
 * seen to succeed where it may.
 */
#include "core/cpu.h"
#include "core/extable.h"
#include "core/report.h"
#include "core/vm.h"
#include "core/x86.h"

#define TRAP_NO_MSR	0x4b564def	/* in nobody's range */
#define TRAP_NO_SELECTOR 0xfff8		/* beyond the GDT */
#define TRAP_ROUNDS	1000

KTEST(cpu, a_read_of_what_is_not_mapped_is_survived)
{
	uint64_t here = 42, val = 7;

	KEXPECT(t, !x86_read_safe(0, &val));
	KEXPECT_EQ(t, val, 7);
	KEXPECT(t, !x86_read_safe(VM_MAP_BASE + VM_MAP_SIZE - 8, &val));
	KEXPECT(t, x86_read_safe((uintptr_t)&here, &val));
	KEXPECT_EQ(t, val, 42);
}

KTEST(cpu, an_address_that_is_not_canonical_is_survived)
{
	uint64_t val = 7;

	KEXPECT(t, !x86_read_safe(UINT64_C(1) << 62, &val));
	KEXPECT_EQ(t, val, 7);
}

static bool trap_load_es(uint16_t selector)
{
	bool ok = false;

	__asm__ volatile("1: movw %1, %%es; movb $1, %0; 2:" EXTABLE(1b, 2b)
			 : "+qm"(ok) : "r"(selector));
	return ok;
}

KTEST(cpu, a_general_protection_fault_is_survived)
{
	KEXPECT(t, !trap_load_es(TRAP_NO_SELECTOR));
	KEXPECT(t, trap_load_es(0));
}

KTEST(cpu, an_invalid_opcode_is_survived_with_registers_unchanged)
{
	uint64_t a = UINT64_C(0x0123456789abcdef), b = ~a, c = a * 3;
	bool past = false;

	for (unsigned i = 0; i < TRAP_ROUNDS; i++)
		__asm__ volatile("1: ud2; movb $1, %0; 2:" EXTABLE(1b, 2b)
				 : "+qm"(past), "+r"(a), "+r"(b), "+r"(c));
	KEXPECT(t, !past);
	KEXPECT_EQ(t, a, UINT64_C(0x0123456789abcdef));
	KEXPECT_EQ(t, b, ~a);
	KEXPECT_EQ(t, c, a * 3);
	KEXPECT(t, cpu_irqs_on());
}

KTEST(cpu, an_msr_that_exists_can_be_read_and_written)
{
	uint64_t gs = 0;

	KASSERT(t, x86_rdmsr_safe(X86_MSR_GS_BASE, &gs));
	KEXPECT_EQ(t, gs, x86_rdmsr(X86_MSR_GS_BASE));
	KEXPECT(t, x86_wrmsr_safe(X86_MSR_GS_BASE, gs));
}

KTEST(cpu, an_msr_that_does_not_exist_is_refused)
{
	uint64_t val = 7;

	if (x86_rdmsr_safe(TRAP_NO_MSR, &val)) {
		ktest_skip(t, "this processor answers any MSR (with 0x%llx)",
			   (unsigned long long)val);
		return;
	}
	KEXPECT_EQ(t, val, 7);
	KEXPECT(t, !x86_wrmsr_safe(TRAP_NO_MSR, 0));
}
