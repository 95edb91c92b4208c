/* SPDX-License-Identifier: MIT */
#include "core/numa.h"

#include "core/bootinfo.h"
#include "core/cpu.h"
#include "core/errno.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/page.h"
#include "core/report.h"
#include "core/string.h"

#define NUMA_UNKNOWN	0xff		/* a CPU not looked up yet */

struct numa_mem {
	phys_t base, end;
	unsigned node;
};

/* All set once by numa_build(), but for what is learnt of each CPU. */
static struct {
	unsigned n;			/* 0: numa_build() has not run */
	uint32_t domain[NUMA_NODES];
	const char *source;		/* of the distances */
	uint8_t distance[NUMA_NODES][NUMA_NODES];
	uint8_t near[NUMA_NODES][NUMA_NODES];
	uint32_t latency[NUMA_NODES];	/* ps to its own memory, 0: unknown */
	uint32_t bandwidth[NUMA_NODES];	/* MB/s */
	unsigned nmems, ncpus;
	struct numa_mem mem[ACPI_SRAT_MEMS];
	struct { uint32_t apic_id; uint8_t node; } cpu[ACPI_CPUS];
	/* any CPU, atomically: the last answer for each index */
	struct { uint32_t apic_id; uint8_t node; bool known; } seen[CPU_MAX];
	bool warned;
} numa;

unsigned node_count(void)
{
	return numa.n ? numa.n : 1;
}

uint8_t node_distance(unsigned from, unsigned to)
{
	if (from == to)
		return ACPI_DISTANCE_SELF;
	return from < numa.n && to < numa.n ? numa.distance[from][to] :
	       NUMA_REMOTE;
}

unsigned node_near(unsigned node, unsigned i)
{
	return numa.n ? numa.near[node][i] : 0;
}

unsigned node_of(phys_t pa)
{
	for (unsigned i = 0; i < numa.nmems; i++)
		if (pa >= numa.mem[i].base && pa < numa.mem[i].end)
			return numa.mem[i].node;
	return 0;
}

/* ---- CPUs ---- */

static unsigned numa_find_cpu(uint32_t apic_id)
{
	for (unsigned i = 0; i < numa.ncpus; i++)
		if (numa.cpu[i].apic_id == apic_id)
			return numa.cpu[i].node;
	if (!__atomic_exchange_n(&numa.warned, true, __ATOMIC_RELAXED))
		log_warn("numa", "the CPU with APIC id %u is in no domain: "
			 "node 0 has it, and others like it", apic_id);
	return 0;
}

/*
 * The allocator asks often, so the answer is kept. An index may get another
 * CPU while CPUs are being started: the answer says for which it was.
 */
unsigned cpu_node(unsigned cpu)
{
	uint32_t id;

	if (node_count() == 1)
		return 0;
	id = cpu_apic_id(cpu);
	if (!READ_ONCE(numa.seen[cpu].known) ||
	    READ_ONCE(numa.seen[cpu].apic_id) != id) {
		WRITE_ONCE(numa.seen[cpu].known, false);
		WRITE_ONCE(numa.seen[cpu].node, numa_find_cpu(id));
		WRITE_ONCE(numa.seen[cpu].apic_id, id);
		WRITE_ONCE(numa.seen[cpu].known, true);
	}
	return READ_ONCE(numa.seen[cpu].node);
}

/* ---- building ---- */

/* The node of a domain; numa.n when it has none. */
static unsigned numa_node(uint32_t domain)
{
	unsigned i = 0;

	while (i < numa.n && numa.domain[i] != domain)
		i++;
	return i;
}

/* Keeps the list sorted; false: there is no room for another domain. */
static bool numa_add_domain(uint32_t domain)
{
	unsigned i = numa.n;

	if (numa_node(domain) < numa.n)
		return true;
	if (numa.n == NUMA_NODES)
		return false;
	for (; i && numa.domain[i - 1] > domain; i--)
		numa.domain[i] = numa.domain[i - 1];
	numa.domain[i] = domain;
	numa.n++;
	return true;
}

static unsigned numa_add_domains(const struct acpi_srat *srat)
{
	unsigned left_out = 0;

	for (unsigned i = 0; i < srat->nmems; i++)
		left_out += !numa_add_domain(srat->mem[i].node);
	for (unsigned i = 0; i < srat->ncpus; i++)
		left_out += !numa_add_domain(srat->cpu[i].node);
	return left_out;
}

/* What is of a domain without a node goes to node 0, as the unnamed does. */
static void numa_add_members(const struct acpi_srat *srat)
{
	unsigned node;

	for (unsigned i = 0; i < srat->nmems; i++) {
		node = numa_node(srat->mem[i].node);
		numa.mem[numa.nmems++] = (struct numa_mem){
			srat->mem[i].base,
			srat->mem[i].base + srat->mem[i].size,
			node < numa.n ? node : 0,
		};
	}
	for (unsigned i = 0; i < srat->ncpus; i++) {
		node = numa_node(srat->cpu[i].node);
		numa.cpu[numa.ncpus].apic_id = srat->cpu[i].apic_id;
		numa.cpu[numa.ncpus++].node = node < numa.n ? node : 0;
	}
}

/* Localities are domains by another name. */
static void numa_from_slit(const struct acpi_slit *slit)
{
	numa.source = "SLIT";
	for (unsigned i = 0; i < numa.n; i++)
		for (unsigned k = 0; k < numa.n; k++)
			if (numa.domain[i] < slit->n &&
			    numa.domain[k] < slit->n)
				numa.distance[i][k] =
					slit->distance[numa.domain[i]]
						      [numa.domain[k]];
}

static uint64_t numa_latency(const struct acpi_hmat *hmat, unsigned from,
			     unsigned to)
{
	for (unsigned i = 0; i < hmat->n; i++)
		if (hmat->pair[i].from == numa.domain[from] &&
		    hmat->pair[i].to == numa.domain[to])
			return hmat->pair[i].latency;
	return 0;
}

/* As a SLIT would say it: 10 for the own memory's latency, rounded. */
static void numa_from_hmat(const struct acpi_hmat *hmat)
{
	numa.source = "HMAT";
	for (unsigned i = 0; i < numa.n; i++) {
		uint64_t own = numa_latency(hmat, i, i);

		for (unsigned k = 0; k < numa.n; k++) {
			uint64_t l = numa_latency(hmat, i, k);

			if (i == k || !own || !l || l > UINT64_MAX / 20)
				continue;
			l = (l * ACPI_DISTANCE_SELF + own / 2) / own;
			numa.distance[i][k] =
				MIN(MAX(l, (uint64_t)ACPI_DISTANCE_SELF), 254u);
		}
	}
}

static void numa_set_distances(const struct acpi_slit *slit,
			       const struct acpi_hmat *hmat)
{
	numa.source = "default";
	for (unsigned i = 0; i < numa.n; i++)
		for (unsigned k = 0; k < numa.n; k++)
			numa.distance[i][k] = i == k ? ACPI_DISTANCE_SELF :
						       NUMA_REMOTE;
	if (slit)
		numa_from_slit(slit);
	else if (hmat)
		numa_from_hmat(hmat);
}

/* Among equals the lower number is nearer, so that the order is one. */
static void numa_sort_near(unsigned node)
{
	uint8_t *near = numa.near[node];

	for (unsigned i = 0; i < numa.n; i++) {
		unsigned k = i;
		bool nearer;

		for (; k; k--) {
			nearer = i == node || (near[k - 1] != node &&
				 numa.distance[node][i] <
				 numa.distance[node][near[k - 1]]);
			if (!nearer)
				break;
			near[k] = near[k - 1];
		}
		near[k] = (uint8_t)i;
	}
}

static void numa_keep_own(const struct acpi_hmat *hmat)
{
	for (unsigned i = 0; i < hmat->n; i++) {
		unsigned node = numa_node(hmat->pair[i].to);

		if (node == numa.n || hmat->pair[i].from != hmat->pair[i].to)
			continue;
		numa.latency[node] = MIN(hmat->pair[i].latency, UINT32_MAX);
		numa.bandwidth[node] = MIN(hmat->pair[i].bandwidth, UINT32_MAX);
	}
}

/* RAM that no entry of the SRAT covers, in bytes. */
static uint64_t numa_homeless(void)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < bootinfo.nranges; i++) {
		const struct mem_range *r = &bootinfo.range[i];
		uint64_t left = r->type == MEM_RAM ? r->size : 0;

		for (unsigned k = 0; left && k < numa.nmems; k++) {
			phys_t lo = MAX(r->base, numa.mem[k].base);
			phys_t hi = MIN(r->base + r->size, numa.mem[k].end);

			if (lo < hi)
				left -= MIN(left, hi - lo);
		}
		bytes += left;
	}
	return bytes;
}

static void numa_complain(unsigned left_out)
{
	uint64_t homeless = numa_homeless();

	if (left_out)
		log_warn("numa", "%u entries of the SRAT left out: node 0 has "
			 "what they are about", left_out);
	if (homeless)
		log_warn("numa", "%llu KiB of memory are in no domain: node 0",
			 (unsigned long long)homeless >> 10);
}

unsigned numa_build(const struct acpi_srat *srat, const struct acpi_slit *slit,
		    const struct acpi_hmat *hmat)
{
	unsigned left_out = 0;

	memset(&numa, 0, sizeof(numa));
	if (srat) {
		left_out = srat->left_out + numa_add_domains(srat);
		if (numa.n)
			numa_add_members(srat);
	}
	numa.n = MAX(numa.n, 1u);
	numa_set_distances(slit, hmat);
	for (unsigned i = 0; i < numa.n; i++)
		numa_sort_near(i);
	if (hmat)
		numa_keep_own(hmat);
	for (unsigned i = 0; i < numa.nmems; i++)
		page_place(numa.mem[i].base,
			   numa.mem[i].end - numa.mem[i].base,
			   numa.mem[i].node);
	if (srat)
		numa_complain(left_out);
	return left_out;
}

/* ---- at start ---- */

struct numa_tables {
	struct acpi_srat srat;
	struct acpi_slit slit;
	struct acpi_hmat hmat;
};

/* NULL unless the table is there and whole; what is wrong is in the log. */
static void *numa_table(const char *sig, int (*parse)(const void *, size_t,
						      void *), void *out)
{
	const struct acpi_header *h = acpi_find(sig, 0);
	int err;

	if (!h)
		return NULL;
	err = parse(h, h->length, out);
	if (err)
		log_warn("numa", "%s refused (%s): left out", sig,
			 errno_name(err));
	return err ? NULL : out;
}

static int numa_parse_srat(const void *t, size_t n, void *out)
{
	return acpi_parse_srat(t, n, out);
}
static int numa_parse_slit(const void *t, size_t n, void *out)
{
	return acpi_parse_slit(t, n, out);
}
static int numa_parse_hmat(const void *t, size_t n, void *out)
{
	return acpi_parse_hmat(t, n, out);
}

void numa_init(void)
{
	struct numa_tables *t;

	if (!acpi_find("SRAT", 0)) {
		numa_build(NULL, NULL, NULL);
		return;
	}
	t = heap_alloc(sizeof(*t));
	if (!t) {
		log_warn("numa", "out of memory for the tables: one node");
		numa_build(NULL, NULL, NULL);
		return;
	}
	numa_build(numa_table("SRAT", numa_parse_srat, &t->srat),
		   numa_table("SLIT", numa_parse_slit, &t->slit),
		   numa_table("HMAT", numa_parse_hmat, &t->hmat));
	heap_free(t);
}

/* ---- report ---- */

static unsigned numa_cpus_of(unsigned node)
{
	unsigned n = 0;

	for (unsigned c = 0; c < cpu_count(); c++)
		n += cpu_node(c) == node;
	return n;
}

static void numa_report_node(unsigned node)
{
	struct page_stats st;
	struct json j;

	page_stats_node(node, &st);
	console_printf("  node %-3u domain %-5u %3u CPUs %8llu MiB, %8llu free;"
		       " distances", node, numa.domain[node],
		       numa_cpus_of(node),
		       (unsigned long long)(st.total * PAGE_SIZE >> 20),
		       (unsigned long long)(st.free * PAGE_SIZE >> 20));
	for (unsigned i = 0; i < node_count(); i++)
		console_printf(" %u", node_distance(node, i));
	if (numa.latency[node])
		console_printf("; %u ps, %u MB/s", numa.latency[node],
			       numa.bandwidth[node]);
	console_printf("\n");
	json_begin(&j, "node");
	json_u64(&j, "node", node);
	json_u64(&j, "domain", numa.domain[node]);
	json_u64(&j, "cpus", numa_cpus_of(node));
	json_u64(&j, "pages", st.total);
	json_u64(&j, "pages_free", st.free);
	json_u64(&j, "latency_ps", numa.latency[node]);
	json_u64(&j, "bandwidth_mbs", numa.bandwidth[node]);
	json_str(&j, "source", numa.source);
	json_array(&j, "distances");
	for (unsigned i = 0; i < node_count(); i++)
		json_u64(&j, NULL, node_distance(node, i));
	json_close(&j, true);
	json_end(&j);
}

void numa_report(void)
{
	if (!numa.n)
		numa_build(NULL, NULL, NULL);
	console_printf("NUMA: %u node%s, distances: %s\n", node_count(),
		       node_count() == 1 ? "" : "s", numa.source);
	for (unsigned i = 0; i < node_count(); i++)
		numa_report_node(i);
}
