/* SPDX-License-Identifier: MIT */
/*
 * The machine's own half of core/: what no host test can see. Could be fooled
 * by a page table that is not the one in CR3, so CR3 is compared first.
 */
#include "core/bootinfo.h"
#include "core/clock.h"
#include "core/cpu.h"
#include "core/panic.h"
#include "core/percpu.h"
#include "core/report.h"
#include "core/string.h"
#include "core/vm.h"
#include "core/x86.h"
#include "sched/sched.h"

KTEST(core, no_page_is_writable_and_executable)
{
	struct vm_audit a;
	uint64_t cr3;

	__asm__ volatile("movq %%cr3, %0" : "=r"(cr3));
	KASSERT(t, cr3 == vm_root());
	vm_audit(&a);
	KEXPECT(t, a.pages > 16);
	KEXPECT(t, a.executable > 0);
	KEXPECT_EQ(t, a.writable_executable, 0);
}

KTEST(core, the_low_half_is_unmapped)
{
	struct vm_audit a;

	vm_audit(&a);
	KEXPECT(t, !a.low);
}

KTEST(core, a_stack_ends_in_a_guard_page)
{
	char *top = stack_alloc();

	KASSERT(t, top);
	KEXPECT(t, stack_is_guard((uintptr_t)top - STACK_SIZE - 1));
	KEXPECT(t, !stack_is_guard((uintptr_t)top - STACK_SIZE));
	KEXPECT(t, !stack_is_guard((uintptr_t)top - 1));
	stack_free(top);
}

/* Mapped but never touched: what is there does not matter. */
KTEST(core, an_address_beside_a_large_mapping_is_no_guard)
{
	char *va = vm_map(0, MIB(4), VM_WRITE | VM_UNCACHED);

	KASSERT(t, va);
	KEXPECT(t, !stack_is_guard((uintptr_t)va - 1));
	KEXPECT(t, !stack_is_guard((uintptr_t)va));
	KEXPECT(t, !stack_is_guard((uintptr_t)va + MIB(4)));
	vm_unmap(va, MIB(4));
}

/* Other CPUs' TLBs may still hold what was there: see core/vm.c. */
KTEST(core, an_unmapped_address_is_not_handed_out_again)
{
	void *a = vm_map(0, PAGE_SIZE, 0), *b;

	KASSERT(t, a);
	vm_unmap(a, PAGE_SIZE);
	b = vm_map(0, PAGE_SIZE, 0);
	KEXPECT(t, b && b != a);
	if (b)
		vm_unmap(b, PAGE_SIZE);
}

static void core_note_cpu(void *arg)
{
	unsigned *seen = arg;

	*seen = cpu_id() + 1;
}

KTEST(core, every_cpu_runs_threads_and_knows_its_number)
{
	for (unsigned c = 0; c < cpu_count(); c++) {
		struct thread *th;
		unsigned seen = 0;

		KASSERT(t, !thread_create(c, core_note_cpu, &seen, "note", &th));
		thread_join(th);
		KEXPECT_EQ(t, seen, c + 1);
		KEXPECT(t, percpu_of(c)->online);
	}
}

KTEST(core, a_symbol_is_found_by_an_address_in_it)
{
	char sym[64];

	panic_symbol((uintptr_t)vm_audit + 1, sym, sizeof(sym));
	KEXPECT_MSG(t, !strcmp(sym, "vm_audit+0x1"), "%s", sym);
	panic_symbol((uintptr_t)core_note_cpu, sym, sizeof(sym));
	KEXPECT_MSG(t, !strcmp(sym, "core_note_cpu+0x0"), "%s", sym);
}
