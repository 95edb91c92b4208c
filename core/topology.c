/* SPDX-License-Identifier: MIT */
#include "core/topology.h"

#include "core/bits.h"
#include "core/log.h"
#include "core/numa.h"
#include "core/report.h"

#define CPUID_EXT		0x80000000
#define CPUID_1_EBX_COUNT	GENMASK(23, 16)	/* ids of a package */
#define CPUID_1_EBX_ID		GENMASK(31, 24)
#define CPUID_1_EDX_HTT		BIT(28)		/* CPUID_1_EBX_COUNT is valid */
#define CPUID_4_TYPE		GENMASK(4, 0)	/* 0: no cache, leaf not there */
#define CPUID_4_CORES		GENMASK(31, 26)	/* core ids of a package - 1 */

/* Leaves 0BH and 1FH, a sub-leaf for each level. */
#define CPUID_B_EAX_SHIFT	GENMASK(4, 0)	/* to the next level's number */
#define CPUID_B_ECX_TYPE	GENMASK(15, 8)
# define CPUID_B_END		0
# define CPUID_B_SMT		1
# define CPUID_B_CORE		2
# define CPUID_B_DIE		5
#define TOPOLOGY_LEVELS		8		/* types are 1 to 6 so far */

/* AMD APM vol. 3, E.4. */
#define CPUID_EXT_1		0x80000001
# define CPUID_EXT_1_ECX_TOPOEXT	BIT(22)
#define CPUID_EXT_8		0x80000008
# define CPUID_EXT_8_ECX_THREADS	GENMASK(7, 0)	/* of a package - 1 */
# define CPUID_EXT_8_ECX_BITS	GENMASK(15, 12)	/* 0: by the above */
#define CPUID_EXT_1E		0x8000001e	/* EAX: the APIC id */
# define CPUID_EXT_1E_EBX_THREADS	GENMASK(15, 8)	/* of a core - 1 */
# define CPUID_EXT_1E_ECX_NODES	GENMASK(10, 8)	/* of a package - 1 */
#define CPUID_AMD_EBX		0x68747541	/* "Auth" */
#define CPUID_HYGON_EBX		0x6f677948	/* "Hygo" */

static struct topology_shape topology_shapes[CPU_MAX];

const char *topology_leaf_name(enum topology_leaf leaf)
{
	static const char *const names[] = {
		[TOPOLOGY_1F] = "leaf 0x1f", [TOPOLOGY_B] = "leaf 0xb",
		[TOPOLOGY_AMD] = "leaf 0x8000001e", [TOPOLOGY_4] = "leaf 4",
		[TOPOLOGY_1] = "leaf 1", [TOPOLOGY_NONE] = "nothing",
	};

	return names[leaf];
}

/* ---- one CPU's leaves ---- */

static unsigned topology_bits(unsigned n)
{
	unsigned bits = 0;

	while (bits < 31 && UINT32_C(1) << bits < n)
		bits++;
	return bits;
}

static void topology_raise(struct topology_shape *s)
{
	s->die_shift = MAX(s->die_shift, s->core_shift);
	s->package_shift = MAX(s->package_shift, s->die_shift);
}

/*
 * A level's shift is where the next level's number begins: cores begin behind
 * SMT, the package behind the last level, dies behind what is below them.
 */
static bool topology_levels(topology_cpuid_fn *cpuid, uint32_t leaf,
			    struct topology_shape *s)
{
	unsigned last = 0, die = 0, levels = 0;

	for (unsigned sub = 0; sub < TOPOLOGY_LEVELS; sub++) {
		struct topology_regs r = cpuid(leaf, sub);
		unsigned shift = FIELD_GET(CPUID_B_EAX_SHIFT, r.eax);
		unsigned type = FIELD_GET(CPUID_B_ECX_TYPE, r.ecx);

		if (type == CPUID_B_END || !(r.ebx & 0xffff))
			break;
		if (shift < last || (type == CPUID_B_SMT && sub))
			return false;
		if (type == CPUID_B_SMT)
			s->core_shift = (uint8_t)shift;
		if (type == CPUID_B_DIE)
			die = last + 1;
		last = shift;
		s->apic_id = r.edx;
		levels++;
	}
	s->package_shift = (uint8_t)last;
	s->die_shift = (uint8_t)(die ? die - 1 : last);
	s->has_id = true;
	return levels != 0;
}

static bool topology_is_amd(topology_cpuid_fn *cpuid)
{
	uint32_t ebx = cpuid(0, 0).ebx;

	return ebx == CPUID_AMD_EBX || ebx == CPUID_HYGON_EBX;
}

static bool topology_amd(topology_cpuid_fn *cpuid, struct topology_shape *s)
{
	uint32_t max = cpuid(CPUID_EXT, 0).eax, ecx, nodes;
	struct topology_regs r;

	if (!topology_is_amd(cpuid) || max < CPUID_EXT_8 ||
	    max > CPUID_EXT + 0xffff)
		return false;
	ecx = cpuid(CPUID_EXT_8, 0).ecx;
	s->package_shift = (uint8_t)FIELD_GET(CPUID_EXT_8_ECX_BITS, ecx);
	if (!s->package_shift)
		s->package_shift = (uint8_t)topology_bits(
			FIELD_GET(CPUID_EXT_8_ECX_THREADS, ecx) + 1);
	s->die_shift = s->package_shift;
	if (max < CPUID_EXT_1E ||
	    !(cpuid(CPUID_EXT_1, 0).ecx & CPUID_EXT_1_ECX_TOPOEXT))
		return true;
	r = cpuid(CPUID_EXT_1E, 0);
	s->has_id = true;
	s->apic_id = r.eax;
	s->core_shift = (uint8_t)topology_bits(
		FIELD_GET(CPUID_EXT_1E_EBX_THREADS, r.ebx) + 1);
	nodes = topology_bits(FIELD_GET(CPUID_EXT_1E_ECX_NODES, r.ecx) + 1);
	s->die_shift -= (uint8_t)MIN(nodes, (unsigned)s->package_shift);
	return true;
}

/* How it was before leaf 0BH: counts, each rounded up to a power of two. */
static void topology_old(topology_cpuid_fn *cpuid, uint32_t max,
			 struct topology_shape *s)
{
	struct topology_regs one = cpuid(1, 0), four;
	unsigned cores;

	s->leaf = TOPOLOGY_1;
	s->has_id = true;
	s->apic_id = FIELD_GET(CPUID_1_EBX_ID, one.ebx);
	if (!(one.edx & CPUID_1_EDX_HTT))
		return;
	s->package_shift = (uint8_t)topology_bits(
		FIELD_GET(CPUID_1_EBX_COUNT, one.ebx));
	s->die_shift = s->core_shift = s->package_shift;
	if (max < 4)
		return;
	four = cpuid(4, 0);
	if (!FIELD_GET(CPUID_4_TYPE, four.eax))
		return;
	s->leaf = TOPOLOGY_4;
	cores = topology_bits(FIELD_GET(CPUID_4_CORES, four.eax) + 1);
	s->core_shift -= (uint8_t)MIN(cores, (unsigned)s->package_shift);
}

static bool topology_try(topology_cpuid_fn *cpuid, uint32_t max,
			 enum topology_leaf leaf, struct topology_shape *s)
{
	*s = (struct topology_shape){ .leaf = (uint8_t)leaf };
	switch (leaf) {
	case TOPOLOGY_1F:
		return max >= 0x1f && topology_levels(cpuid, 0x1f, s);
	case TOPOLOGY_B:
		return max >= 0xb && topology_levels(cpuid, 0xb, s);
	case TOPOLOGY_AMD:
		return topology_amd(cpuid, s);
	default:
		topology_old(cpuid, max, s);
		return true;
	}
}

void topology_decode(topology_cpuid_fn *cpuid, struct topology_shape *shape)
{
	uint32_t max = cpuid(0, 0).eax;
	unsigned leaf = TOPOLOGY_1F;

	if (!max) {
		*shape = (struct topology_shape){ .leaf = TOPOLOGY_NONE };
		return;
	}
	while (!topology_try(cpuid, max, (enum topology_leaf)leaf, shape))
		leaf++;
	topology_raise(shape);
}

static uint32_t topology_field(uint32_t id, unsigned from, unsigned to)
{
	return (uint32_t)((id & ((UINT64_C(1) << to) - 1)) >> from);
}

struct topology topology_split(uint32_t id, const struct topology_shape *s)
{
	return (struct topology){
		.apic_id = id,
		.thread = topology_field(id, 0, s->core_shift),
		.core = topology_field(id, s->core_shift, s->die_shift),
		.die = topology_field(id, s->die_shift, s->package_shift),
		.package = topology_field(id, s->package_shift, 32),
	};
}

/* ---- all CPUs ---- */

void topology_set(unsigned cpu, const struct topology_shape *shape)
{
	topology_shapes[cpu] = *shape;
}

struct topology topology_of(unsigned cpu)
{
	struct topology t = topology_split(cpu_apic_id(cpu),
					   &topology_shapes[cpu]);

	t.node = cpu_node(cpu);
	return t;
}

/* How much of the way down from the machine a and b have in common. */
enum topology_same { TOPOLOGY_OTHER, TOPOLOGY_PACKAGE, TOPOLOGY_DIE,
		     TOPOLOGY_CORE };

static enum topology_same topology_same(unsigned a, unsigned b)
{
	struct topology x = topology_of(a), y = topology_of(b);

	if (x.package != y.package)
		return TOPOLOGY_OTHER;
	if (x.die != y.die)
		return TOPOLOGY_PACKAGE;
	return x.core == y.core ? TOPOLOGY_CORE : TOPOLOGY_DIE;
}

void cpu_siblings(unsigned cpu, struct cpu_set *set)
{
	unsigned n = cpu_count();

	*set = (struct cpu_set){ 0 };
	for (unsigned c = 0; c < n; c++)
		if (c == cpu || topology_same(c, cpu) == TOPOLOGY_CORE)
			cpu_set_add(set, c);
}

/* A CPU counts for what no CPU before it is part of. */
void topology_count(struct topology_counts *n)
{
	unsigned cpus = cpu_count();

	*n = (struct topology_counts){ .threads = cpus };
	for (unsigned c = 0; c < cpus; c++) {
		enum topology_same best = TOPOLOGY_OTHER;

		for (unsigned b = 0; b < c && best < TOPOLOGY_CORE; b++)
			best = MAX(best, topology_same(b, c));
		n->packages += best < TOPOLOGY_PACKAGE;
		n->dies += best < TOPOLOGY_DIE;
		n->cores += best < TOPOLOGY_CORE;
	}
}

static bool topology_id_differs(unsigned cpu)
{
	const struct topology_shape *s = &topology_shapes[cpu];
	uint32_t id = cpu_apic_id(cpu);

	/* Leaf 1 has eight bits of it. */
	return s->has_id && s->apic_id !=
	       (s->leaf >= TOPOLOGY_4 ? id & 0xff : id);
}

static bool topology_shape_differs(unsigned cpu)
{
	const struct topology_shape *a = &topology_shapes[0];
	const struct topology_shape *b = &topology_shapes[cpu];

	return a->core_shift != b->core_shift ||
	       a->die_shift != b->die_shift ||
	       a->package_shift != b->package_shift;
}

/* The first of the CPUs that differ, to *first, and how many. */
static unsigned topology_differ(bool (*differs)(unsigned cpu), unsigned *first)
{
	unsigned n = 0;

	for (unsigned c = cpu_count(); c--;) {
		if (!differs(c))
			continue;
		*first = c;
		n++;
	}
	return n;
}

unsigned topology_check(void)
{
	unsigned first, ids = topology_differ(topology_id_differs, &first);
	unsigned shapes;

	if (ids)
		log_warn("topology", "CPUID %s of CPU %u says APIC id %u; it "
			 "is %u (%u such CPUs)", topology_leaf_name(
			 topology_shapes[first].leaf), first,
			 topology_shapes[first].apic_id, cpu_apic_id(first),
			 ids);
	shapes = topology_differ(topology_shape_differs, &first);
	if (shapes)
		log_warn("topology", "CPU %u divides its APIC id in another "
			 "way than CPU 0 (%u such CPUs)", first, shapes);
	return ids + shapes;
}

/* ---- report ---- */

static void topology_report_cpu(unsigned cpu)
{
	struct topology t = topology_of(cpu);
	struct json j;

	console_printf("  %4u %8u %8u %6u %6u %7u %6u\n", cpu, t.apic_id,
		       t.package, t.die, t.core, t.thread, t.node);
	json_begin(&j, "cpu");
	json_u64(&j, "cpu", cpu);
	json_u64(&j, "apic_id", t.apic_id);
	json_u64(&j, "package", t.package);
	json_u64(&j, "die", t.die);
	json_u64(&j, "core", t.core);
	json_u64(&j, "thread", t.thread);
	json_u64(&j, "node", t.node);
	json_end(&j);
}

void topology_report(void)
{
	const struct topology_shape *s = &topology_shapes[0];
	struct topology_counts n;
	struct json j;

	topology_count(&n);
	console_printf("CPUs: %u in %u cores, %u dies, %u packages, by %s\n"
		       "   CPU  APIC id  package    die   core  thread   node\n",
		       n.threads, n.cores, n.dies, n.packages,
		       topology_leaf_name(s->leaf));
	json_begin(&j, "topology");
	json_u64(&j, "threads", n.threads);
	json_u64(&j, "cores", n.cores);
	json_u64(&j, "dies", n.dies);
	json_u64(&j, "packages", n.packages);
	json_str(&j, "source", topology_leaf_name(s->leaf));
	json_u64(&j, "core_shift", s->core_shift);
	json_u64(&j, "die_shift", s->die_shift);
	json_u64(&j, "package_shift", s->package_shift);
	json_end(&j);
	for (unsigned c = 0; c < cpu_count(); c++)
		topology_report_cpu(c);
}
