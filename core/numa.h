/* SPDX-License-Identifier: MIT */
/*
 * Nodes: groups of CPUs and memory that are near one another. They are numbered
 * without gaps in the order of their proximity domains (ACPI 6.4, 5.2.16). A
 * machine whose firmware says nothing is one node; so are CPUs and memory that
 * it does not mention: they belong to node 0, and the log says so once.
 *
 * Set once at start, before other CPUs run; all else may be called from any
 * context. Pure: numa_build() takes parsed tables.
 */
#ifndef CORE_NUMA_H
#define CORE_NUMA_H

#include "core/acpi.h"
#include "core/types.h"

#define NUMA_NODES	32
#define NUMA_REMOTE	20		/* a distance that nobody named */

unsigned node_count(void);		/* 1 at least */
/* The node of a CPU by its index, and of a physical address. */
unsigned cpu_node(unsigned cpu);
unsigned node_of(phys_t pa);
/* 10 is a node from itself, 20 means twice as slow (5.2.17). */
uint8_t node_distance(unsigned from, unsigned to);
/* The i-th nearest node to node, itself being the 0-th; i < node_count(). */
unsigned node_near(unsigned node, unsigned i);

/*
 * Read SRAT, SLIT and HMAT, if they are there, and tell the page allocator
 * whose its pages are. After acpi_init(), on the boot CPU, before others start.
 */
void numa_init(void);
/*
 * What numa_init() does with what it found; srat NULL: one node. Distances come
 * from slit, without it from the latencies of hmat; each may be NULL. Returns
 * how many entries had to be left out; the log names those, and RAM that no
 * entry covers.
 */
unsigned numa_build(const struct acpi_srat *srat, const struct acpi_slit *slit,
		    const struct acpi_hmat *hmat);

/* Nodes, distances and pages: for a person, and one @json line a node. */
void numa_report(void);

#endif
