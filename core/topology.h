/* SPDX-License-Identifier: MIT */
/*
 * How CPUs are put together: packages, dies in them, cores in those, and the
 * threads of a core. All of it is in the bits of the APIC id; where the one
 * part ends and the next begins, CPUID says (Intel SDM vol. 2A, CPUID, leaves
 * 0BH and 1FH; vol. 3, 8.9; AMD APM vol. 3, E.3 and E.4). The numbers are those
 * bits: they have gaps where firmware leaves some. Modules and tiles are part
 * of the core's number.
 *
 * Written by each CPU for itself when it comes up; all else from any context.
 */
#ifndef CORE_TOPOLOGY_H
#define CORE_TOPOLOGY_H

#include "core/cpu.h"
#include "core/types.h"

struct topology_regs {
	uint32_t eax, ebx, ecx, edx;
};
typedef struct topology_regs topology_cpuid_fn(uint32_t leaf, uint32_t sub);

/* Where the parts of an APIC id begin; not one below the one before. */
struct topology_shape {
	uint8_t core_shift, die_shift, package_shift;
	uint8_t leaf;			/* enum topology_leaf */
	bool has_id;			/* the leaf names the id as well */
	uint32_t apic_id;
};

enum topology_leaf {			/* from the best to none */
	TOPOLOGY_1F, TOPOLOGY_B, TOPOLOGY_AMD, TOPOLOGY_4, TOPOLOGY_1,
	TOPOLOGY_NONE
};
const char *topology_leaf_name(enum topology_leaf leaf);

/*
 * From the first leaf that is there and makes sense; without any, each CPU is a
 * package. Pure; ends whatever cpuid answers.
 */
void topology_decode(topology_cpuid_fn *cpuid, struct topology_shape *shape);

struct topology {
	uint32_t apic_id, package, die, core, thread;
	unsigned node;
};
struct topology topology_split(uint32_t apic_id,
			       const struct topology_shape *shape);

/* This is how CPU cpu sees itself. */
void topology_set(unsigned cpu, const struct topology_shape *shape);

/* cpu < cpu_count(). One that has not come up so far is a package. */
struct topology topology_of(unsigned cpu);
/* The CPUs that share cpu's core, itself included. */
void cpu_siblings(unsigned cpu, struct cpu_set *set);
struct topology_counts {
	unsigned packages, dies, cores, threads;	/* of all CPUs */
};
void topology_count(struct topology_counts *n);

/*
 * Returns how many CPUs contradict: their leaf names another APIC id than the
 * one that interrupts find them by, or other shifts than CPU 0's. Each kind is
 * one warning, with the first such CPU.
 */
unsigned topology_check(void);
/* A table for a person; a @json line, and one for each CPU. */
void topology_report(void);

#endif
