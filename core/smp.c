/* SPDX-License-Identifier: MIT */
#include "core/smp.h"

#include "core/call.h"
#include "core/clock.h"
#include "core/dma.h"
#include "core/heap.h"
#include "core/lapic.h"
#include "core/log.h"
#include "core/string.h"
#include "core/tlb.h"
#include "core/trap.h"
#include "core/vm.h"
#include "core/x86.h"
#include "core/x86reg.h"

#define SMP_INIT_SETTLE		(200 * NSEC_PER_USEC)
#define SMP_SECOND_STARTUP	(10 * NSEC_PER_MSEC)

extern const char ap_start[], ap_end[], ap_args[];
extern const char boot_pml4[];

void smp_entry(struct percpu *p);	/* from boot/ap.S */

/* What boot/ap.S finds at its end. */
struct smp_args {
	uint64_t boot_cr3, kernel_cr3, stack, arg;
};

static struct percpu smp_boot_cpu;
static struct percpu *smp_cpu[CPU_MAX] = { &smp_boot_cpu };
static unsigned smp_count = 1;
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

/* The first C of another CPU, on its own stack. */
void smp_entry(struct percpu *p)
{
	percpu_load(p);
	clock_sync_follow(p);
	trap_init_cpu(p);
	lapic_init_cpu();
	lapic_timer_init_cpu();
	__atomic_store_n(&p->online, true, __ATOMIC_SEQ_CST);
	/* Who unmapped something before that did not ask this CPU. */
	tlb_flush_here();
	smp_main();
}

static bool smp_wait_online(struct percpu *p, nsec_t wait)
{
	return !poll_mem_until((clock_sync_lead(),
				__atomic_load_n(&p->online, __ATOMIC_ACQUIRE)),
			       time_now() + wait);
}

static bool smp_kick(struct percpu *p)
{
	nsec_t settle = time_now() + SMP_INIT_SETTLE;

	lapic_send_init(p->apic_id);
	poll_mem_until(false, settle);
	lapic_send_startup(p->apic_id, X86_AP_PAGE);
	if (smp_wait_online(p, SMP_SECOND_STARTUP))
		return true;
	lapic_send_startup(p->apic_id, X86_AP_PAGE);
	return smp_wait_online(p, SMP_START_WAIT);
}

/*
 * A CPU that did not come in time is put back to where it waits for STARTUP,
 * so that it cannot wake on the next one's stack; what it was given stays its
 * own, in case it was already running when INIT reached it.
 */
static int smp_start_one(uint32_t apic_id)
{
	struct smp_args *args = phys_to_virt((phys_t)(X86_AP_PAGE +
					     (ap_args - ap_start)));
	struct percpu *p = heap_zalloc(sizeof(*p));
	void *stack = stack_alloc();

	if (!p || !stack)
		goto err_memory;
	p->tables = trap_alloc_tables();
	if (!p->tables)
		goto err_memory;
	p->apic_id = apic_id;
	p->id = smp_count;
	*args = (struct smp_args){ (uintptr_t)boot_pml4, vm_root(),
				   (uintptr_t)stack, (uintptr_t)p };
	smp_cpu[smp_count] = p;
	/* Published before it runs: it may take locks at once. */
	__atomic_store_n(&smp_count, smp_count + 1, __ATOMIC_RELEASE);
	if (smp_kick(p))
		return 0;
	lapic_send_init(apic_id);	/* not later either */
	__atomic_store_n(&smp_count, smp_count - 1, __ATOMIC_RELEASE);
	return -ETIMEDOUT;

err_memory:
	if (stack)
		stack_free(stack);
	heap_free(p);
	return -ENOMEM;
}

unsigned smp_start(const struct acpi_madt *madt, unsigned max,
		   void (*cpu_main)(void))
{
	uint8_t *page = phys_to_virt(X86_AP_PAGE);
	unsigned missing = 0;

	call_init();
	smp_main = cpu_main;
	smp_boot_cpu.apic_id = lapic_id();
	memcpy(page, ap_start, (size_t)(ap_end - ap_start));
	for (unsigned i = 0; i < madt->ncpus; i++) {
		uint32_t id = madt->apic_id[i];
		int err;

		if (id == smp_boot_cpu.apic_id)
			continue;
		if (smp_count >= MIN(max, (unsigned)CPU_MAX))
			break;
		if (id > 0xfe && !lapic_x2()) {
			log_warn("smp", "CPU with APIC id %u left out: "
				 "only x2APIC could reach it", id);
			missing++;
			continue;
		}
		err = smp_start_one(id);
		if (err) {
			log_err("smp", "CPU with APIC id %u did not start (%s)",
				id, errno_name(err));
			missing++;
		}
	}
	return missing;
}
