/* SPDX-License-Identifier: MIT */
/*
 * What CR0, CR4 and EFER make the CPU refuse to ring 0 (Intel SDM vol. 3,
 * 4.6): SMEP, SMAP, WP, NXE.
 *
 * How one could be fooled: an access that faults for another reason than the
 * bit in question looks refused. So the error code is looked at, and the same
 * access is seen to be obeyed where it is allowed: with the bit suspended, or on
 * a page that differs in this alone.
 */
#include "core/call.h"
#include "core/cpu.h"
#include "core/dma.h"
#include "core/page.h"
#include "core/report.h"
#include "core/trap.h"
#include "core/trapreg.h"
#include "core/vm.h"
#include "core/x86.h"
#include "core/x86reg.h"
#include "tests/guest/user_page.h"

#define PROTECT_CPUID_SMEP	0x00000080	/* leaf 7 EBX */
#define PROTECT_CPUID_SMAP	0x00100000
#define PROTECT_CPUID_UMIP	0x00000004	/* leaf 7 ECX */

static const uint8_t protect_constant = USER_PAGE_RET;

static struct x86_cpuid protect_leaf7(void)
{
	return x86_cpuid(0, 0).eax >= 7 ? x86_cpuid(7, 0) :
	       (struct x86_cpuid){ 0 };
}

static uint64_t protect_offered(void)
{
	struct x86_cpuid r = protect_leaf7();

	return (r.ebx & PROTECT_CPUID_SMEP ? X86_CR4_SMEP : 0) |
	       (r.ebx & PROTECT_CPUID_SMAP ? X86_CR4_SMAP : 0) |
	       (r.ecx & PROTECT_CPUID_UMIP ? X86_CR4_UMIP : 0);
}

/* ---- the bits ---- */

struct protect_bits {
	uint64_t cr0, cr4, efer, offered;
};

static void protect_look(void *arg)
{
	struct protect_bits *b = arg;

	b->cr0 = x86_cr0();
	b->cr4 = x86_cr4();
	b->efer = x86_rdmsr(X86_MSR_EFER);
	b->offered = protect_offered();
}

KTEST(cpu, every_cpu_has_each_protection_on_that_it_offers)
{
	const uint64_t all = X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_UMIP;

	for (unsigned c = 0; c < cpu_count(); c++) {
		struct protect_bits b = { 0 };

		KASSERT(t, !call_cpu(c, protect_look, &b));
		KEXPECT(t, b.cr0 & X86_CR0_WP);
		KEXPECT(t, b.efer & X86_EFER_NXE);
		KEXPECT_MSG(t, (b.cr4 & all) == b.offered,
			    "CPU %u: CR4 0x%llx, offered 0x%llx", c,
			    (unsigned long long)b.cr4,
			    (unsigned long long)b.offered);
	}
}

/* ---- execution, which faults where no table of ours can name it ---- */

static bool (*protect_next)(struct trap_frame *f, uint64_t cr2);
static uintptr_t protect_at;
static uint64_t protect_error;		/* of the fault; 0: there was none */

/* Back to who called protect_at. */
static bool protect_return(struct trap_frame *f, uint64_t cr2)
{
	if (f->rip != protect_at || cr2 != protect_at)
		return protect_next && protect_next(f, cr2);
	protect_error = f->error;
	f->rip = *(uint64_t *)f->rsp;
	f->rsp += 8;
	return true;
}

/* 0 when the RET at va was executed, else the page fault's error code. */
static uint64_t protect_execute(const void *va)
{
	void (*volatile fn)(void) = (void (*)(void))(uintptr_t)va;

	protect_at = (uintptr_t)va;
	protect_error = 0;
	protect_next = trap_pf_hook;
	trap_pf_hook = protect_return;
	fn();
	trap_pf_hook = protect_next;
	return protect_error;
}

KTEST(cpu, a_page_that_is_not_executable_is_not_executed)
{
	uint8_t *page = page_alloc_zero(0);
	void *nx, *x;

	KASSERT(t, page);
	*page = USER_PAGE_RET;
	nx = vm_map(virt_to_phys(page), PAGE_SIZE, 0);
	x = vm_map(virt_to_phys(page), PAGE_SIZE, VM_EXEC);
	KASSERT(t, nx && x);
	KEXPECT_EQ(t, protect_execute(x), 0);
	KEXPECT_EQ(t, protect_execute(nx), TRAP_PF_FETCH | TRAP_PF_PRESENT);
	KEXPECT_EQ(t, protect_execute(page), TRAP_PF_FETCH | TRAP_PF_PRESENT);
	vm_unmap(x, PAGE_SIZE);
	vm_unmap(nx, PAGE_SIZE);
	page_free(page, 0);
}

static void protect_cr4(uint64_t clear, uint64_t set)
{
	x86_load_cr4((x86_cr4() & ~clear) | set);
}

KTEST(cpu, smep_refuses_to_execute_what_belongs_to_a_user)
{
	irqflags_t flags;
	void *va;

	if (!(protect_offered() & X86_CR4_SMEP)) {
		ktest_skip(t, "this CPU has no SMEP");
		return;
	}
	va = user_page_map(VM_EXEC);
	KASSERT(t, va);
	KEXPECT(t, vm_is_user((uintptr_t)va));
	KEXPECT_EQ(t, protect_execute(va), TRAP_PF_FETCH | TRAP_PF_PRESENT);
	flags = cpu_irq_save();
	protect_cr4(X86_CR4_SMEP, 0);
	KEXPECT_EQ(t, protect_execute(va), 0);
	protect_cr4(0, X86_CR4_SMEP);
	cpu_irq_restore(flags);
	user_page_unmap(va);
}

/* ---- data ---- */

static bool protect_write_safe(const volatile uint8_t *p, uint8_t val)
{
	uint32_t ok = 0;

	__asm__ volatile("1: movb %2, (%1); movl $1, %0; 2:" EXTABLE(1b, 2b)
			 : "+&r"(ok) : "r"(p), "q"(val) : "memory");
	return ok;
}

KTEST(cpu, smap_refuses_to_touch_what_belongs_to_a_user)
{
	irqflags_t flags;
	uint64_t val = 0;
	uintptr_t va;

	if (!(protect_offered() & X86_CR4_SMAP)) {
		ktest_skip(t, "this CPU has no SMAP");
		return;
	}
	va = (uintptr_t)user_page_map(VM_WRITE);
	KASSERT(t, va);
	KEXPECT(t, !x86_read_safe(va, &val));
	KEXPECT(t, !protect_write_safe((uint8_t *)va, 0));
	flags = cpu_irq_save();
	protect_cr4(X86_CR4_SMAP, 0);
	KEXPECT(t, x86_read_safe(va, &val));
	KEXPECT_EQ(t, val, USER_PAGE_RET);
	protect_cr4(0, X86_CR4_SMAP);
	cpu_irq_restore(flags);
	user_page_unmap((void *)va);
	KEXPECT(t, !vm_is_user(va));
}

KTEST(cpu, no_user_page_is_left_behind)
{
	struct vm_audit a;
	void *va = user_page_map(VM_WRITE);

	KASSERT(t, va);
	vm_audit(&a);
	KEXPECT_EQ(t, a.user, 1);
	user_page_unmap(va);
	vm_audit(&a);
	KEXPECT_EQ(t, a.user, 0);
}

static __attribute__((noinline)) void protect_text(void)
{
	__asm__ volatile("");
}

static void protect_load_cr0(uint64_t v)
{
	__asm__ volatile("movq %0, %%cr0" : : "r"(v) : "memory");
}

/* The byte that is there already, so that nothing is harmed if it is taken. */
static bool protect_same_byte(const void *p)
{
	const volatile uint8_t *b = p;

	return protect_write_safe(b, *b);
}

KTEST(cpu, wp_refuses_stores_to_text_and_constants_even_to_ring_0)
{
	const void *text = (void *)(uintptr_t)protect_text;
	uint64_t cr0 = x86_cr0();
	irqflags_t flags;
	uint8_t here = 0;

	protect_text();
	KEXPECT(t, protect_same_byte(&here));
	KEXPECT(t, !protect_same_byte(text));
	KEXPECT(t, !protect_same_byte(&protect_constant));
	KEXPECT(t, !protect_same_byte((void *)(VM_DIRECT_BASE +
					       (uintptr_t)text - VM_IMAGE_BASE)));
	flags = cpu_irq_save();
	protect_load_cr0(cr0 & ~(uint64_t)X86_CR0_WP);
	KEXPECT(t, protect_same_byte(text));
	protect_load_cr0(cr0);
	cpu_irq_restore(flags);
	KEXPECT(t, !protect_same_byte(text));
}
