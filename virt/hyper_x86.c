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
#include "core/log.h"
#include "core/page.h"
#include "core/wall.h"
#include "core/x86.h"
#include "virt/hyperreg.h"
#include "virt/pv.h"

#define KVMCLOCK_SLOT	64		/* a cache line for each CPU's page */
#define HYPER_ROUNDS	64
#define HYPER_CHEAP	200		/* TSC cycles */
#define KVMCLOCK_BYTES	(CPU_MAX * KVMCLOCK_SLOT)

_Static_assert(KVMCLOCK_SLOT >= sizeof(struct kvmclock_page) &&
	       PAGE_SIZE % KVMCLOCK_SLOT == 0, "no slot crosses a page");

static const struct cmdline_key hyper_key = {
	"pv", "all|off|NAME[:on|off|auto],…",
	"the paravirtual features to use (default: all that help)",
};
CMDLINE_KEY(hyper_key);

static struct {
	/* set once by the boot CPU: */
	char *slots;
	/* own CPU: */
	bool registered[CPU_MAX];
	/* atomic: */
	uint64_t last;
} kvmclock;

static struct hyper_cpuid hyper_x86_cpuid(uint32_t leaf)
{
	struct x86_cpuid r = x86_cpuid(leaf, 0);

	return (struct hyper_cpuid){ r.eax, r.ebx, r.ecx, r.edx };
}

static uint64_t hyper_tsc_hz(enum clock_source source)
{
	if (source == CLOCK_LEAF)
		return hyper.tsc_khz * UINT64_C(1000);
	return kvmclock_init_cpu() ? 0 : kvmclock_tsc_hz();
}

/*
 * Does a loop of two instructions take less than HYPER_CHEAP cycles a round? On
 * hardware it takes one or two; a host that emulates ring 0 needs thousands.
 */
static bool hyper_is_quick(void)
{
	unsigned n = HYPER_ROUNDS;
	uint64_t start = x86_rdtsc();

	__asm__ volatile("1: decl %0; jnz 1b" : "+r"(n));
	return x86_rdtsc() - start < HYPER_ROUNDS * HYPER_CHEAP;
}

/* Only haltpoll asks, and only where the hint allows it. */
static bool hyper_poll_is_cheap(void)
{
	return !(hyper.hints & KVM_HINT_REALTIME) || hyper_is_quick();
}

/*
 * The host writes while this WRMSR exits, so the version is looked at once: a
 * host that is not done, or wrote nothing, has no answer.
 */
static bool kvmclock_wall(nsec_t *unix_ns)
{
	static struct kvmclock_wall wall __aligned(16);
	uint64_t since;

	if (!kvmclock_present())
		return false;
	since = kvmclock_read();
	if (!x86_wrmsr_safe(KVM_MSR_WALL_CLOCK_NEW, virt_to_phys(&wall)))
		return false;
	if (!since || (READ_ONCE(wall.version) & 1) || !READ_ONCE(wall.sec))
		return false;
	*unix_ns = READ_ONCE(wall.sec) * NSEC_PER_SEC + READ_ONCE(wall.nsec) +
		   since;
	return true;
}

void hyper_detect(void)
{
	char pv[128];
	int err = cmdline_get("pv", pv, sizeof(pv));

	hyper_decode(&hyper, hyper_x86_cpuid);
	if (err == -E2BIG)
		log_warn("pv", "pv= is cut after %zu bytes", sizeof(pv) - 1);
	pv_parse(err == -ENOENT ? NULL : pv);
	pv_decide(hyper.kind == HYPER_KVM, hyper.features, hyper.hints,
		  hyper_poll_is_cheap());
	clock_hypervisor_hz = hyper_tsc_hz;
	clock_hypervisor_ns = kvmclock_read;
	wall_hypervisor = kvmclock_wall;
}

bool kvmclock_present(void)
{
	return pv_on(PV_KVMCLOCK);
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

	if (!kvmclock_present())
		return -ENOTSUP;
	if (kvmclock.registered[cpu])
		return 0;
	if (!kvmclock.slots)
		kvmclock.slots = page_alloc(page_order(KVMCLOCK_BYTES));
	if (!kvmclock.slots)
		return -ENOMEM;
	*kvmclock_slot(cpu) = (struct kvmclock_page){ 0 };
	if (!x86_wrmsr_safe(KVM_MSR_SYSTEM_TIME_NEW,
			    virt_to_phys(kvmclock_slot(cpu)) |
			    KVM_SYSTEM_TIME_ENABLE)) {
		pv_break(PV_KVMCLOCK, "its MSR faults on CPU %u", cpu);
		return -EIO;
	}
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
	if (ns)
		pv_count(PV_KVMCLOCK);
	cpu_irq_restore(flags);
	return ns;
}

uint64_t kvmclock_tsc_hz(void)
{
	unsigned cpu = cpu_id();

	return kvmclock.registered[cpu] ? kvmclock_page_hz(kvmclock_slot(cpu))
					: 0;
}
