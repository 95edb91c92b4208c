/* SPDX-License-Identifier: MIT */
/*
 * How the CPUs are put together.
 *
 * How one could be fooled: what core/topology.c says about a CPU is compared
 * with what that CPU says itself when it is asked here and now, by instructions
 * that core/topology.c has no part in.
 */
#include "core/call.h"
#include "core/cpu.h"
#include "core/lapic.h"
#include "core/numa.h"
#include "core/percpu.h"
#include "core/report.h"
#include "core/topology.h"
#include "core/x86.h"

struct cpu_topology_ids {
	uint32_t leaf_1, leaf_b, apic, max, levels;
};

static void cpu_topology_ask(void *arg)
{
	struct cpu_topology_ids *ids = arg;

	ids->max = x86_cpuid(0, 0).eax;
	ids->leaf_1 = x86_cpuid(1, 0).ebx >> 24;
	ids->levels = x86_cpuid(0xb, 0).ebx & 0xffff;
	ids->leaf_b = x86_cpuid(0xb, 0).edx;
	ids->apic = lapic_id();
}

KTEST(cpu, every_cpu_is_who_the_others_think_it_is)
{
	for (unsigned c = 0; c < cpu_count(); c++) {
		uint32_t id = cpu_apic_id(c);
		struct cpu_topology_ids ids;

		KEXPECT_EQ(t, call_cpu(c, cpu_topology_ask, &ids), 0);
		KEXPECT_EQ(t, ids.apic, id);
		KEXPECT_EQ(t, ids.leaf_1, id & 0xff);
		if (ids.max >= 0xb && ids.levels)
			KEXPECT_EQ(t, ids.leaf_b, id);
		KEXPECT_EQ(t, topology_of(c).apic_id, id);
	}
	KEXPECT_EQ(t, topology_check(), 0);
}

KTEST(cpu, no_two_cpus_have_the_same_place)
{
	for (unsigned c = 1; c < cpu_count(); c++) {
		struct topology x = topology_of(c);

		for (unsigned b = 0; b < c; b++) {
			struct topology y = topology_of(b);

			if (x.package == y.package && x.die == y.die &&
			    x.core == y.core && x.thread == y.thread)
				KEXPECT_MSG(t, false, "CPUs %u and %u", b, c);
		}
		KEXPECT_EQ(t, x.node, cpu_node(c));
		KEXPECT(t, x.node < node_count());
	}
	KEXPECT(t, cpu_count() >= 1);
}

/* How many CPUs are in the set. */
static unsigned cpu_topology_size(const struct cpu_set *set)
{
	unsigned n = 0;

	for (unsigned c = 0; c < CPU_MAX; c++)
		n += cpu_set_has(set, c);
	return n;
}

KTEST(cpu, siblings_are_siblings_of_each_other_and_make_up_the_cores)
{
	unsigned firsts = 0, members = 0;
	struct topology_counts n;

	for (unsigned c = 0; c < cpu_count(); c++) {
		struct cpu_set mine, theirs;
		unsigned first = CPU_MAX;

		cpu_siblings(c, &mine);
		KEXPECT(t, cpu_set_has(&mine, c));
		for (unsigned b = cpu_count(); b--;) {
			if (!cpu_set_has(&mine, b))
				continue;
			first = b;
			cpu_siblings(b, &theirs);
			KEXPECT(t, cpu_set_has(&theirs, c));
		}
		if (first != c)
			continue;
		firsts++;
		members += cpu_topology_size(&mine);
	}
	topology_count(&n);
	KEXPECT_EQ(t, firsts, n.cores);
	KEXPECT_EQ(t, members, n.threads);
	KEXPECT_EQ(t, n.threads, cpu_count());
	KEXPECT(t, n.packages >= 1 && n.packages <= n.dies &&
		n.dies <= n.cores && n.cores <= n.threads);
}
