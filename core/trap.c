/* SPDX-License-Identifier: MIT */
#include "core/trap.h"

#include "core/extable.h"
#include "core/heap.h"
#include "core/irq.h"
#include "core/lapic.h"
#include "core/page.h"
#include "core/panic.h"
#include "core/string.h"
#include "core/vm.h"
#include "core/x86.h"
#include "core/x86reg.h"

#define TRAP_NMI	2
#define TRAP_UD		6
#define TRAP_DF		8
#define TRAP_GP		13
#define TRAP_PF		14
#define TRAP_MC		18

#define TRAP_STOP_WAIT	(100 * NSEC_PER_MSEC)

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

static struct idt_gate trap_idt[256];
static unsigned trap_stopper;	/* CPU + 1 that stops all others, or 0 */
static unsigned trap_stopped;	/* atomic: how many have */

static const char *const trap_name[32] = {
	[0] = "divide error", [1] = "debug", [2] = "NMI", [3] = "breakpoint",
	[4] = "overflow", [5] = "bound range", [6] = "invalid opcode",
	[7] = "device not available", [8] = "double fault",
	[10] = "invalid TSS", [11] = "segment not present",
	[12] = "stack fault", [13] = "general protection",
	[14] = "page fault", [16] = "x87 error", [17] = "alignment check",
	[18] = "machine check", [19] = "SIMD error", [20] = "virtualization",
	[21] = "control protection",
};

void percpu_load(struct percpu *p)
{
	p->self = p;
	x86_wrmsr(X86_MSR_GS_BASE, (uintptr_t)p);
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
	trap_idt[TRAP_DF].ist = 1 + TRAP_IST_DF;
	trap_idt[TRAP_NMI].ist = 1 + TRAP_IST_NMI;
	trap_idt[TRAP_MC].ist = 1 + TRAP_IST_MC;
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
	struct descriptor_table gdtr = { sizeof(t->gdt) - 1,
					 (uintptr_t)t->gdt };
	struct descriptor_table idtr = { sizeof(trap_idt) - 1,
					 (uintptr_t)trap_idt };

	trap_fill_gdt(t);
	__asm__ volatile("lgdt %0" : : "m"(gdtr));
	__asm__ volatile("lidt %0" : : "m"(idtr));
	__asm__ volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq\n"
			 "1:" : : "i"(X86_CS64) : "rax", "memory");
	__asm__ volatile("ltr %w0" : : "r"(X86_TSS));
	/* The boot code's data selectors name the same flat segment. */
}

static __noreturn void trap_panic(const struct trap_frame *f)
{
	const char *name = f->vector < 32 ? trap_name[f->vector] : NULL;
	uint64_t cr2 = x86_cr2();

	if ((f->vector == TRAP_DF || f->vector == TRAP_PF) &&
	    stack_is_guard(cr2))
		name = "stack overflow";
	panic_at(f->rip, f->rbp,
		 "%s (vector %lu, error 0x%lx) at %lx, address %lx\n"
		 "  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n"
		 "  rsi %016lx rdi %016lx rsp %016lx rbp %016lx",
		 name ? name : "exception", f->vector, f->error, f->rip, cr2,
		 f->rax, f->rbx, f->rcx, f->rdx, f->rsi, f->rdi, f->rsp,
		 f->rbp);
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

void trap_handle(struct trap_frame *f)
{
	unsigned stopper = READ_ONCE(trap_stopper);

	if (f->vector == TRAP_NMI && stopper) {
		if (stopper == cpu_id() + 1)
			return;		/* the host's: let the panic go on */
		__atomic_fetch_add(&trap_stopped, 1, __ATOMIC_RELEASE);
		x86_halt_forever();
	}
	if (!trap_fixup(f))
		trap_panic(f);
}

void trap_interrupt_handle(unsigned vector)
{
	struct percpu *cpu = this_cpu();

	cpu->in_irq++;
	if (vector == IRQ_VECTOR_SPURIOUS) {
		cpu->spurious++;	/* vol. 3, 10.9: no EOI for it */
	} else {
		irq_dispatch(vector);
		lapic_eoi();
	}
	cpu->in_irq--;
	if (percpu_irq_exit && !cpu->in_irq)
		percpu_irq_exit();
}

void trap_stop_others(void)
{
	WRITE_ONCE(trap_stopper, cpu_id() + 1);
	if (cpu_count() == 1)
		return;
	lapic_nmi_others();
	/* Not for ever: one that is in an NMI already takes no other. */
	poll_mem_until(READ_ONCE(trap_stopped) >= cpu_count() - 1,
		       time_now() + TRAP_STOP_WAIT);
}
