/* SPDX-License-Identifier: MIT */
#include "core/trap.h"

#include "core/bits.h"
#include "core/extable.h"
#include "core/fmt.h"
#include "core/heap.h"
#include "core/irq.h"
#include "core/lapic.h"
#include "core/log.h"
#include "core/mce.h"
#include "core/nmi.h"
#include "core/page.h"
#include "core/panic.h"
#include "core/string.h"
#include "core/trapreg.h"
#include "core/vm.h"
#include "core/x86.h"
#include "core/x86reg.h"

#define TRAP_TEXT	256
#define CPUID_MCE	BIT(7)		/* leaf 1 EDX */
#define CPUID_SMEP	BIT(7)		/* leaf 7 EBX */
#define CPUID_SMAP	BIT(20)
#define CPUID_UMIP	BIT(2)		/* leaf 7 ECX */

_Static_assert(offsetof(struct trap_frame, rbp) == TRAP_RBP &&
	       offsetof(struct trap_frame, vector) == TRAP_VECTOR &&
	       offsetof(struct trap_frame, rip) == TRAP_RIP &&
	       offsetof(struct trap_frame, rflags) == TRAP_RFLAGS &&
	       offsetof(struct trap_frame, rsp) == TRAP_RSP,
	       "boot/trap_entry.S counts on it");

/* Vol. 3, 6.14.1: 64-bit interrupt gate. */
struct idt_gate {
	le16 off_lo, selector;
	uint8_t ist, type;
	le16 off_mid;
	le32 off_hi, zero;
};
_Static_assert(sizeof(struct idt_gate) == 16, "SDM 6.14.1");
#define IDT_INTERRUPT_GATE	0x8e	/* present, ring 0, type 14 */

/* Vol. 3, 7.7: 64-bit task-state segment. */
struct tss {
	le32 reserved0;
	le64 rsp[3];
	le64 reserved1;
	le64 ist[7];
	le64 reserved2;
	le16 reserved3, iomap;
} __packed;
_Static_assert(sizeof(struct tss) == 104, "SDM 7.7");
_Static_assert(offsetof(struct tss, ist) == 36, "SDM figure 7-11");

/* Those that may strike while the current stack cannot be trusted. */
enum { TRAP_IST_DF, TRAP_IST_NMI, TRAP_IST_MC, TRAP_ISTS };

struct trap_tables {
	uint64_t gdt[6];
	struct tss tss;
};

struct descriptor_table {
	uint16_t limit;
	uint64_t base;
} __packed;

extern const struct extable extable_start[], extable_end[];
extern const char trap_stubs[];		/* boot/trap_entry.S */
void trap_handle(struct trap_frame *f);
void trap_interrupt_handle(unsigned vector);

void (*percpu_irq_exit)(void);
bool (*trap_pf_hook)(struct trap_frame *f, uint64_t cr2);

static struct idt_gate trap_idt[256];

/* Of the boot CPU, until there is memory for its own tables. */
static const uint64_t trap_early_gdt[] = {
	[X86_CS32 / 8] = X86_GDT_CS32,
	[X86_DS / 8] = X86_GDT_DS,
	[X86_CS64 / 8] = X86_GDT_CS64,
};

static const char *const trap_names[32] = {
	[0] = "divide error", [1] = "debug", [2] = "NMI", [3] = "breakpoint",
	[4] = "overflow", [5] = "bound range", [6] = "invalid opcode",
	[7] = "device not available", [8] = "double fault",
	[10] = "invalid TSS", [11] = "segment not present",
	[12] = "stack fault", [13] = "general protection",
	[14] = "page fault", [16] = "x87 error", [17] = "alignment check",
	[18] = "machine check", [19] = "SIMD error", [20] = "virtualization",
	[21] = "control protection",
};

const char *trap_name(unsigned vector)
{
	const char *name = vector < 32 ? trap_names[vector] : NULL;

	return name ? name : "exception";
}

/* Descriptor tables of this CPU, and CS from the new one. */
static void trap_load(const uint64_t *gdt, size_t size)
{
	struct descriptor_table gdtr = { (uint16_t)(size - 1), (uintptr_t)gdt };
	struct descriptor_table idtr = { sizeof(trap_idt) - 1,
					 (uintptr_t)trap_idt };

	__asm__ volatile("lgdt %0" : : "m"(gdtr));
	__asm__ volatile("lidt %0" : : "m"(idtr));
	__asm__ volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq\n"
			 "1:" : : "i"(X86_CS64) : "rax", "memory");
	/* The boot code's data selectors name the same flat segment. */
}

void trap_init(void)
{
	for (unsigned v = 0; v < ARRAY_SIZE(trap_idt); v++) {
		uintptr_t fn = (uintptr_t)trap_stubs + v * 16;

		trap_idt[v] = (struct idt_gate){
			.off_lo = (le16)fn, .off_mid = (le16)(fn >> 16),
			.off_hi = (le32)(fn >> 32),
			.selector = X86_CS64, .type = IDT_INTERRUPT_GATE,
		};
	}
	trap_load(trap_early_gdt, sizeof(trap_early_gdt));
	nmi_init();
}

void *trap_alloc_tables(void)
{
	struct trap_tables *t = heap_zalloc(sizeof(*t));

	if (!t)
		return NULL;
	for (unsigned i = 0; i < TRAP_ISTS; i++) {
		t->tss.ist[i] = (uintptr_t)stack_alloc();
		if (!t->tss.ist[i])
			goto err_stack;
	}
	return t;

err_stack:
	for (unsigned i = 0; i < TRAP_ISTS && t->tss.ist[i]; i++)
		stack_free((void *)t->tss.ist[i]);
	heap_free(t);
	return NULL;
}

/* Vol. 2A, CPUID leaf 7: the protections of CR4 that this CPU offers. */
uint64_t trap_protections(void)
{
	struct x86_cpuid r = { 0 };

	if (x86_cpuid(0, 0).eax >= 7)
		r = x86_cpuid(7, 0);
	return (r.ebx & CPUID_SMEP ? X86_CR4_SMEP : 0) |
	       (r.ebx & CPUID_SMAP ? X86_CR4_SMAP : 0) |
	       (r.ecx & CPUID_UMIP ? X86_CR4_UMIP : 0);
}

/*
 * Against what we do not have (there is no ring 3): a page that becomes a
 * user's by mistake is then of no use to wild code. A hypervisor that offers
 * a bit and refuses it is not worth a panic.
 */
static void trap_protect(void)
{
	uint64_t cr4 = x86_cr4(), wanted = trap_protections();

	if (!x86_load_cr4_safe(cr4 | wanted))
		log_warn("trap", "CPU %u refuses bits 0x%lx of CR4, which it "
			 "offers", cpu_id(), wanted & ~cr4);
}

static const struct mce_port trap_mce = { x86_rdmsr_safe, x86_wrmsr_safe };

/* Without CR4.MCE a machine check would shut the machine down, unsaid. */
static void trap_hear_machine_checks(void)
{
	if ((x86_cpuid(1, 0).edx & CPUID_MCE) && mce_init(&trap_mce))
		x86_load_cr4_safe(x86_cr4() | X86_CR4_MCE);
}

/* Vol. 3, 7.2.3: a TSS descriptor takes two slots. */
static void trap_fill_gdt(struct trap_tables *t)
{
	uint64_t base = (uintptr_t)&t->tss;

	t->gdt[X86_CS32 / 8] = X86_GDT_CS32;
	t->gdt[X86_DS / 8] = X86_GDT_DS;
	t->gdt[X86_CS64 / 8] = X86_GDT_CS64;
	t->gdt[X86_TSS / 8] = (sizeof(t->tss) - 1) |
			      (base & 0xffffff) << 16 | UINT64_C(0x89) << 40 |
			      (base >> 24 & 0xff) << 56;
	t->gdt[X86_TSS / 8 + 1] = base >> 32;
	t->tss.iomap = sizeof(t->tss);
}

void trap_init_cpu(struct percpu *p)
{
	struct trap_tables *t = p->tables;

	trap_fill_gdt(t);
	trap_load(t->gdt, sizeof(t->gdt));
	__asm__ volatile("ltr %w0" : : "r"(X86_TSS));
	trap_idt[TRAP_DF].ist = 1 + TRAP_IST_DF;
	trap_idt[TRAP_NMI].ist = 1 + TRAP_IST_NMI;
	trap_idt[TRAP_MC].ist = 1 + TRAP_IST_MC;
	trap_protect();
	trap_hear_machine_checks();
}

/* ---- what happened, in words ---- */

void trap_stack_name(uintptr_t addr, char *buf, size_t size)
{
	static const char *const ist[] = {
		[TRAP_IST_DF] = "double-fault", [TRAP_IST_NMI] = "NMI",
		[TRAP_IST_MC] = "machine-check",
	};

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		const struct trap_tables *t = percpu_of(cpu)->tables;

		for (unsigned i = 0; t && i < TRAP_ISTS; i++) {
			if (!stack_holds((void *)t->tss.ist[i], addr))
				continue;
			fmt_snprintf(buf, size, "CPU %u's %s stack", cpu, ist[i]);
			return;
		}
	}
	if (stack_is_boot(addr))
		fmt_snprintf(buf, size, "the boot stack");
	else
		fmt_snprintf(buf, size, "the stack of thread %s",
			     percpu_name(this_cpu()));
}

static const char *trap_access(const struct trap_frame *f)
{
	return f->error & TRAP_PF_FETCH ? "execution of" :
	       f->error & TRAP_PF_WRITE ? "write to" : "read of";
}

/* The page fault's error code (vol. 3, 4.7) as a person would say it. */
static const char *trap_page_fault_why(const struct trap_frame *f,
				       uintptr_t addr)
{
	if (!(f->error & TRAP_PF_PRESENT))
		return "nothing is mapped there";
	if (f->error & TRAP_PF_RESERVED)
		return "its page table entry has reserved bits set";
	if (vm_is_user(addr))
		return "a user's page";
	return f->error & TRAP_PF_FETCH ? "not executable" : "read-only";
}

static void trap_describe(const struct trap_frame *f, char *text, size_t size)
{
	uintptr_t cr2 = x86_cr2();
	char stack[64];

	if ((f->vector == TRAP_DF || f->vector == TRAP_PF) &&
	    stack_is_guard(cr2)) {
		trap_stack_name(cr2, stack, sizeof(stack));
		fmt_snprintf(text, size, "stack overflow: %s", stack);
	} else if (f->vector == TRAP_PF && cr2 < PAGE_SIZE) {
		fmt_snprintf(text, size, "NULL pointer: %s address 0x%lx",
			     trap_access(f), cr2);
	} else if (f->vector == TRAP_MC) {
		mce_describe(&trap_mce, text, size);
	} else if (f->vector == TRAP_PF) {
		fmt_snprintf(text, size, "page fault: %s %016lx in %s: %s",
			     trap_access(f), cr2, vm_region(cr2),
			     trap_page_fault_why(f, cr2));
	} else {
		fmt_snprintf(text, size, "%s", trap_name((unsigned)f->vector));
	}
}

static __noreturn void trap_panic(const struct trap_frame *f)
{
	char text[TRAP_TEXT];

	trap_describe(f, text, sizeof(text));
	panic_trap(f, "%s", text);
}

/* Was it an instruction that may fault? Then it goes on where it said. */
static bool trap_fixup(struct trap_frame *f)
{
	uintptr_t to;

	if (f->vector != TRAP_UD && f->vector != TRAP_GP &&
	    f->vector != TRAP_PF)
		return false;
	to = extable_find(extable_start, (size_t)(extable_end - extable_start),
			  f->rip);
	if (to)
		f->rip = to;
	return to != 0;
}

/*
 * Before the fixup: an instruction that may fault has not, if the page is just
 * on its way. With a bad GS the hook would fault in turn, and so for ever.
 */
static bool trap_is_hosts(struct trap_frame *f)
{
	return f->vector == TRAP_PF && trap_pf_hook && percpu_is_known() &&
	       trap_pf_hook(f, x86_cr2());
}

/*
 * Vol. 3, 10.5.2: a message or an IPI may name any vector from 16 on, and comes
 * by an exception's gate when that is below 32. It pushes no error code, so the
 * frame of those that have one cannot be told; a machine check is always one.
 * Before this CPU is online its APIC is not asked.
 */
static bool trap_is_message(const struct trap_frame *f)
{
	const uint32_t candidates = GENMASK(31, 16) &
		~(BIT(17) | BIT(TRAP_MC) | BIT(21) | BIT(29) | BIT(30));

	return f->vector < 32 && BIT(f->vector) & candidates &&
	       percpu_is_known() && this_cpu()->online &&
	       lapic_in_service((unsigned)f->vector);
}

/* Nobody can own it: counted, and ended so that others are not held back. */
static void trap_take_message(const struct trap_frame *f)
{
	irq_dispatch((unsigned)f->vector);
	lapic_eoi();
}

void trap_handle(struct trap_frame *f)
{
	if (trap_is_hosts(f))
		return;
	if (trap_is_message(f)) {
		trap_take_message(f);
		return;
	}
	if (f->vector == TRAP_NMI)
		nmi_handle(f);
	else if (!trap_fixup(f))
		trap_panic(f);
}

/*
 * Frames are linked by RBP. In that of trap_interrupt (boot/trap_entry.S) the
 * vector, less 128, stands where others have a return address, and RIP follows.
 */
uint64_t *trap_interrupted_rip(void)
{
	uint64_t *frame = __builtin_frame_address(0);

	BUG_ON(!this_cpu()->in_irq);
	while (frame[1] + 128 >= 256)
		frame = (uint64_t *)frame[0];
	return &frame[2];
}

void trap_interrupt_handle(unsigned vector)
{
	struct percpu *cpu = this_cpu();
	bool look;

	cpu->in_irq++;
	look = irq_dispatch(vector);
	/*
	 * Vol. 3, 10.9: no EOI for a spurious interrupt. One that a message
	 * brought by the same vector needs it, or this CPU hears nothing more.
	 */
	if (vector != IRQ_VECTOR_SPURIOUS || lapic_in_service(vector))
		lapic_eoi();
	if (unlikely(look))
		irq_settle(vector);
	cpu->in_irq--;
	if (percpu_irq_exit && !cpu->in_irq)
		percpu_irq_exit();
}
