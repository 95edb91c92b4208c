/* SPDX-License-Identifier: MIT */
/*
 * Hypervisor detection and kvmclock, the part that needs the machine: CPUID,
 * MSRs and the TSC.
 */
#include "virt/hyper.h"

#include "core/clock.h"
#include "core/cmdline.h"
#include "core/cpu.h"
#include "core/dma.h"
#include "core/errno.h"
#include "core/page.h"
#include "core/x86.h"
#include "virt/hyperreg.h"

#define KVMCLOCK_SLOT	64		/* a cache line for each CPU's page */
#define KVMCLOCK_BYTES	(CPU_MAX * KVMCLOCK_SLOT)

_Static_assert(KVMCLOCK_SLOT >= sizeof(struct kvmclock_page) &&
	       PAGE_SIZE % KVMCLOCK_SLOT == 0, "no slot crosses a page");

static const struct cmdline_key hyper_key = {
	"pv", "all|off|kvmclock,…",
	"the paravirtual features to use (default: all)",
};
CMDLINE_KEY(hyper_key);

static struct {
	/* set once by the boot CPU: */
	bool offered;
	char *slots;
	/* own CPU: */
	bool registered[CPU_MAX];
	/* atomic: */
	uint64_t last;
} kvmclock;

/* Is this feature among those that pv= names, or is there no pv=? */
static bool hyper_wanted(const char *feature)
{
	return !cmdline_has("pv") || cmdline_list_has("pv", "all") ||
	       cmdline_list_has("pv", feature);
}

static struct hyper_cpuid hyper_x86_cpuid(uint32_t leaf)
{
	struct x86_cpuid r = x86_cpuid(leaf, 0);

	return (struct hyper_cpuid){ r.eax, r.ebx, r.ecx, r.edx };
}

static uint64_t hyper_tsc_hz(const char **source)
{
	uint64_t hz = hyper.tsc_khz * UINT64_C(1000);

	*source = "cpuid-0x40000010";
	if (!hz && !kvmclock_init_cpu()) {
		*source = "kvmclock";
		hz = kvmclock_tsc_hz();
	}
	return hz;
}

void hyper_detect(void)
{
	hyper_decode(&hyper, hyper_x86_cpuid);
	kvmclock.offered = hyper.kind == HYPER_KVM &&
			   (hyper.features & KVM_FEATURE_CLOCKSOURCE2) &&
			   hyper_wanted("kvmclock");
	clock_hypervisor_hz = hyper_tsc_hz;
}

bool kvmclock_present(void)
{
	return kvmclock.offered;
}

static struct kvmclock_page *kvmclock_slot(unsigned cpu)
{
	return (struct kvmclock_page *)(kvmclock.slots + cpu * KVMCLOCK_SLOT);
}

/*
 * The slot is cleared before the host knows it, and version 0 with a scale of
 * 0 is no time; so there is no moment at which garbage is read.
 */
int kvmclock_init_cpu(void)
{
	unsigned cpu = cpu_id();

	if (!kvmclock.offered)
		return -ENOTSUP;
	if (kvmclock.registered[cpu])
		return 0;
	if (!kvmclock.slots)
		kvmclock.slots = page_alloc(page_order(KVMCLOCK_BYTES));
	if (!kvmclock.slots)
		return -ENOMEM;
	*kvmclock_slot(cpu) = (struct kvmclock_page){ 0 };
	x86_wrmsr(KVM_MSR_SYSTEM_TIME_NEW, virt_to_phys(kvmclock_slot(cpu)) |
		  KVM_SYSTEM_TIME_ENABLE);
	kvmclock.registered[cpu] = true;
	return 0;
}

/* The TSC after everything before it: LFENCE, SDM vol. 2, RDTSC. */
static uint64_t kvmclock_tsc(void)
{
	__asm__ volatile("lfence" ::: "memory");
	return x86_rdtsc();
}

uint64_t kvmclock_read(void)
{
	irqflags_t flags = cpu_irq_save();	/* stay on this CPU's page */
	unsigned cpu = cpu_id();
	uint64_t ns = 0;

	if (kvmclock.registered[cpu] &&
	    kvmclock_sample(kvmclock_slot(cpu), kvmclock_tsc, &ns) &&
	    !((hyper.features & KVM_FEATURE_CLOCK_STABLE) &&
	      (READ_ONCE(kvmclock_slot(cpu)->flags) & KVMCLOCK_TSC_STABLE)))
		ns = kvmclock_clamp(&kvmclock.last, ns);
	cpu_irq_restore(flags);
	return ns;
}

uint64_t kvmclock_tsc_hz(void)
{
	unsigned cpu = cpu_id();

	return kvmclock.registered[cpu] ? kvmclock_page_hz(kvmclock_slot(cpu))
					: 0;
}
