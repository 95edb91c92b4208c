/* SPDX-License-Identifier: MIT */
#include "core/smp.h"

#include "core/call.h"
#include "core/clock.h"
#include "core/cmdline.h"
#include "core/dma.h"
#include "core/fmt.h"
#include "core/heap.h"
#include "core/lapic.h"
#include "core/string.h"
#include "core/tlb.h"
#include "core/topology.h"
#include "core/trap.h"
#include "core/vm.h"
#include "core/x86.h"
#include "core/x86reg.h"

static const struct cmdline_key key_dead = {
	"cpu.dead", "ID,…", "CPUs (by APIC id) that never start, for tests" };
CMDLINE_KEY(key_dead);
static const struct cmdline_key key_late = {
	"cpu.late", "ID,…", "CPUs that come when they are given up, for tests" };
CMDLINE_KEY(key_late);

extern const char ap_start[], ap_end[], ap_args[];
extern const char boot_pml4[];

void smp_entry(struct smp_slot *slot);	/* from boot/ap.S */

/* What boot/ap.S finds at its end. */
struct smp_args {
	uint64_t boot_cr3, kernel_cr3, slots, to_virt, x2;
};

_Static_assert(offsetof(struct smp_slot, apic_id) == X86_AP_SLOT_ID &&
	       offsetof(struct smp_slot, state) == X86_AP_SLOT_STATE &&
	       SMP_STARTING == X86_AP_STARTING &&
	       SMP_ARRIVED == X86_AP_ARRIVED &&
	       SMP_GIVEN_UP == X86_AP_GIVEN_UP && SMP_PARKED == X86_AP_PARKED &&
	       offsetof(struct smp_slot, stack) == X86_AP_SLOT_STACK &&
	       sizeof(struct smp_slot) == X86_AP_SLOT_SIZE &&
	       CPU_MAX == X86_AP_SLOTS, "boot/ap.S");

static struct percpu smp_boot_cpu;
static struct percpu *smp_cpu[CPU_MAX] = { &smp_boot_cpu };
static unsigned smp_count = 1;
static bool smp_joining;		/* atomic: somebody is in smp_join() */
static struct smp_plan smp_plan;
static void (*smp_main)(void);

unsigned cpu_count(void)
{
	return __atomic_load_n(&smp_count, __ATOMIC_ACQUIRE);
}

struct percpu *percpu_of(unsigned cpu)
{
	return smp_cpu[cpu];
}

void smp_init_boot_cpu(void)
{
	smp_boot_cpu.online = true;
	percpu_load(&smp_boot_cpu);
}

static struct topology_regs smp_cpuid(uint32_t leaf, uint32_t sub)
{
	struct x86_cpuid r = x86_cpuid(leaf, sub);

	return (struct topology_regs){ r.eax, r.ebx, r.ecx, r.edx };
}

/* Of CPU cpu, on which this runs. */
static void smp_ask_cpuid(unsigned cpu)
{
	struct topology_shape shape;

	topology_decode(smp_cpuid, &shape);
	topology_set(cpu, &shape);
}

/* ---- the other CPU ---- */

/*
 * A number, and the same time as the boot CPU's. One at a time, as two cannot
 * be compared with it at once; not a lock, which needs both. It ends, because
 * clock_sync_follow() does.
 */
static void smp_join(struct percpu *p)
{
	while (__atomic_exchange_n(&smp_joining, true, __ATOMIC_ACQUIRE))
		cpu_relax();
	p->id = smp_count;
	smp_cpu[p->id] = p;
	/* Published before it runs: it may take locks at once. */
	__atomic_store_n(&smp_count, p->id + 1, __ATOMIC_RELEASE);
	clock_sync_follow(p);
	__atomic_store_n(&smp_joining, false, __ATOMIC_RELEASE);
}

/* The first C of another CPU, on its own stack. */
void smp_entry(struct smp_slot *slot)
{
	struct percpu *p = slot->cpu;

	percpu_load(p);
	smp_join(p);
	trap_init_cpu(p);
	lapic_init_cpu();
	lapic_timer_init_cpu();
	smp_ask_cpuid(p->id);
	__atomic_store_n(&p->online, true, __ATOMIC_SEQ_CST);
	smp_say_online(slot);
	/* Who unmapped something before that did not ask this CPU. */
	tlb_flush_here();
	smp_main();
}

/* ---- the starter ---- */

static bool smp_named(const char *key, uint32_t apic_id)
{
	char id[12];

	fmt_snprintf(id, sizeof(id), "%u", apic_id);
	return cmdline_list_has(key, id);
}

/* A CPU that was started may come at any time: nothing of this is ever freed. */
int smp_prepare(struct smp_slot *slot)
{
	struct percpu *p = heap_zalloc(sizeof(*p));
	void *stack = p ? stack_alloc() : NULL;

	if (!stack)
		goto err_percpu;
	p->tables = trap_alloc_tables();
	if (!p->tables)
		goto err_stack;
	p->apic_id = slot->apic_id;
	slot->cpu = p;
	if (smp_named("cpu.late", slot->apic_id))
		smp_give_up(slot);
	if (smp_named("cpu.dead", slot->apic_id))
		stack_free(stack);
	else
		__atomic_store_n(&slot->stack, stack, __ATOMIC_RELEASE);
	return 0;

err_stack:
	stack_free(stack);
err_percpu:
	heap_free(p);
	return -ENOMEM;
}

static void smp_start_page(void)
{
	uint8_t *page = phys_to_virt(X86_AP_PAGE);
	phys_t slots = virt_to_phys(smp_plan.slot);

	memcpy(page, ap_start, (size_t)(ap_end - ap_start));
	*(struct smp_args *)(page + (ap_args - ap_start)) = (struct smp_args){
		(uintptr_t)boot_pml4, vm_root(), slots,
		(uintptr_t)smp_plan.slot - slots, lapic_x2(),
	};
}

unsigned smp_start(const struct acpi_madt *madt,
		   const struct smp_limits *limits, void (*cpu_main)(void))
{
	call_init();
	smp_main = cpu_main;
	smp_boot_cpu.apic_id = lapic_id();
	smp_ask_cpuid(0);
	smp_plan_make(&smp_plan, madt, smp_boot_cpu.apic_id, limits);
	smp_start_page();
	smp_plan_run(&smp_plan);
	smp_plan_log(&smp_plan);
	topology_check();
	return smp_plan_missing(&smp_plan);
}

bool smp_settled(void)
{
	return !smp_plan_count(&smp_plan, SMP_STUCK);
}

void smp_report(void)
{
	smp_plan_report(&smp_plan);
}
