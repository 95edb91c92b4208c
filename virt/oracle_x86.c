/* SPDX-License-Identifier: MIT */
/*
 * The oracle's eyes. Each CPU in turn reads its own CPUID and control registers;
 * registers that a feature promises are tried on the boot CPU, where a fault is
 * caught, and only when they are promised. Instructions are not tried: there
 * are hosts that stop the machine at one they do not emulate.
 */
#include "virt/oracle.h"

#include "core/call.h"
#include "core/lapic.h"
#include "core/log.h"
#include "core/monitor.h"
#include "core/percpu.h"
#include "core/string.h"
#include "core/x86.h"
#include "core/x86reg.h"
#include "sched/sched.h"
#include "virt/oraclereg.h"
#include "virt/pv.h"

#define ORACLE_TSC_READS	64

/* The caller of oracle_look(), and the CPU that it asks: */
static struct oracle oracle;

static struct hyper_cpuid oracle_cpuid(uint32_t leaf, uint32_t sub)
{
	struct x86_cpuid r = x86_cpuid(leaf, sub);

	return (struct hyper_cpuid){ r.eax, r.ebx, r.ecx, r.edx };
}

/* ---- on each CPU ---- */

/* False: CPUID names another APIC than this CPU's, *says. */
static bool oracle_id_right(const struct oracle_cpuid *c, uint32_t id,
			    uint32_t *says)
{
	static const uint32_t wide[] = { CPUID_TOPOLOGY, CPUID_TOPOLOGY_V2 };

	*says = FIELD_GET(CPUID_1_EBX_APIC_ID, oracle_cpuid(1, 0).ebx);
	if (*says != (id & 0xff))
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(wide); i++) {
		if (!oracle_word(c, wide[i], 0, ORACLE_ECX))
			continue;
		*says = oracle_cpuid(wide[i], 0).edx;
		if (*says != id)
			return false;
	}
	*says = oracle_cpuid(CPUID_AMD_TOPOLOGY, 0).eax;
	return !oracle_find(c, CPUID_AMD_TOPOLOGY, 0) || *says == id;
}

static void oracle_look_here(void *arg)
{
	struct oracle_facts *f = &oracle.facts;
	uint64_t base = x86_rdmsr(X86_MSR_APIC_BASE), cr4 = x86_cr4();
	uint64_t efer = x86_rdmsr(X86_MSR_EFER);
	uint32_t says, id = lapic_id();

	f->read++;
	f->cr4_all &= cr4;
	f->cr4_any |= cr4;
	f->efer_all &= efer;
	f->efer_any |= efer;
	f->apic_base_all &= base;
	if (cpu_id() == 0)
		oracle_read(&oracle.cpuid, oracle_cpuid);
	else
		oracle_compare(&oracle.cpuid, cpu_id(), oracle_cpuid,
			       &oracle.diffs);
	if (oracle_id_right(&oracle.cpuid, id, &says))
		return;
	f->ids_wrong++;
	f->wrong_cpu = cpu_id();
	f->wrong_says = says;
	f->wrong_is = id;
}

/* ---- registers ---- */

static void oracle_try_read(struct oracle_msr *m, uint32_t leaf,
			    enum oracle_reg reg, uint32_t bit, uint32_t msr)
{
	*m = (struct oracle_msr){
		.tried = oracle_word(&oracle.cpuid, leaf, 0, reg) & bit };
	m->answers = m->tried && x86_rdmsr_safe(msr, &m->val);
}

/*
 * While it arms the timer it may only be read; in any other mode a write is
 * ignored (SDM vol. 3, 10.5.4.1), so that can be tried too.
 */
static void oracle_try_registers(void *arg)
{
	struct oracle_facts *f = &oracle.facts;
	struct oracle_msr *m = &f->msr_deadline;

	oracle_try_read(m, 1, ORACLE_ECX, CPUID_1_ECX_DEADLINE,
			X86_MSR_TSC_DEADLINE);
	if (m->answers && !f->deadline)
		m->answers = x86_wrmsr_safe(X86_MSR_TSC_DEADLINE, 0);
	oracle_try_read(&f->msr_tsc_adjust, CPUID_EXT_FEATURES, ORACLE_EBX,
			BIT(1), MSR_TSC_ADJUST);
	oracle_try_read(&f->msr_mtrrcap, 1, ORACLE_EDX, BIT(12), MSR_MTRRCAP);
	oracle_try_read(&f->msr_pat, 1, ORACLE_EDX, BIT(16), MSR_PAT);
}

/* Never back, and not always the same. */
static bool oracle_tsc_counts(void)
{
	uint64_t first = x86_rdtsc(), last = first;

	for (unsigned i = 0; i < ORACLE_TSC_READS; i++) {
		uint64_t now = x86_rdtsc();

		if ((int64_t)(now - last) < 0)
			return false;
		last = now;
	}
	return last != first;
}

static void oracle_look_time(struct oracle_facts *f)
{
	f->deadline = lapic_tick().mode == TICK_DEADLINE;
	f->timer = lapic_timer_name();
	f->invariant = clock_invariant();
	f->clock = clock_source();
	f->witnesses = clock_witnesses(f->witness);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		struct clock_skew_ns skew;
		struct sched_stats st;

		sched_stats(cpu, &st);
		f->timer_irqs += st.timer_irqs;
		clock_skew(cpu, &skew);
		f->skewed += skew.applied != 0;
	}
}

const struct oracle *oracle_look(void)
{
	struct oracle_facts *f = &oracle.facts;

	oracle = (struct oracle){ .facts = {
		.cpus = cpu_count(), .x2apic = lapic_x2(),
		.cr4_all = UINT64_MAX, .efer_all = UINT64_MAX,
		.apic_base_all = UINT64_MAX,
	} };
	oracle_look_time(f);
	/* CPU 0 first: the others are compared with it. One that does not
	   answer is said so by core/call.c, and missing in f->read. */
	for (unsigned cpu = 0; cpu < f->cpus; cpu++)
		call_cpu(cpu, oracle_look_here, NULL);
	call_cpu(0, oracle_try_registers, NULL);
	f->tsc_counts = oracle_tsc_counts();
	vm_audit(&f->vm);
	pv_refresh();
	return &oracle;
}

void oracle_report(void)
{
	const struct oracle *o = oracle_look();

	if (o->diffs.n)
		log_warn("oracle", "CPUID differs between CPUs, in %u registers",
			 o->diffs.n);
	oracle_print(o);
	oracle_json(o);
}

static int oracle_cmd_run(int argc, char **argv)
{
	if (argc > 2 || (argc == 2 && strcmp(argv[1], "cpuid")))
		return -EINVAL;
	if (argc == 2)
		oracle_print_cpuid(oracle_look());
	else
		oracle_report();
	return 0;
}

static const struct monitor_cmd oracle_cmd = {
	.name = "oracle",
	.args = "[cpuid]",
	.help = "what the hypervisor promises and keeps; its leaves",
	.run = oracle_cmd_run,
};
MONITOR_CMD(oracle_cmd);
