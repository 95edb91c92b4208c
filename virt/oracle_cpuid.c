/* SPDX-License-Identifier: MIT */
/*
 * Which leaves of CPUID there are. What a CPU answers to a leaf above its
 * range's highest is no answer (Intel's repeats the highest basic one), so each
 * is asked for only as far as its range goes; and because that number may be a
 * lie, only the leaves of the lists below are, with an end to all subleaves.
 */
#include "virt/oracle.h"

#include "core/bits.h"
#include "core/string.h"
#include "virt/oraclereg.h"

#define ORACLE_SUBS	16
#define ORACLE_BASE_LEAVES	0x10	/* of a hypervisor, beside the first */

/* How many subleaves a leaf has. */
enum oracle_subs {
	SUBS_ONE,
	SUBS_EAX,			/* EAX of subleaf 0 is the highest */
	SUBS_CACHE,			/* until EAX[4:0] is 0 */
	SUBS_LEVEL,			/* until ECX[15:8] is 0 */
	SUBS_XSAVE,			/* a bit each in subleaves 0 and 1 */
};

static const struct {
	uint32_t leaf;
	enum oracle_subs subs;
} oracle_leaves[] = {
	{ 0x0, SUBS_ONE }, { CPUID_FEATURES, SUBS_ONE }, { 0x2, SUBS_ONE },
	{ CPUID_CACHES, SUBS_CACHE }, { 0x5, SUBS_ONE }, { 0x6, SUBS_ONE },
	{ CPUID_EXT_FEATURES, SUBS_EAX }, { 0xa, SUBS_ONE },
	{ CPUID_TOPOLOGY, SUBS_LEVEL }, { CPUID_XSAVE, SUBS_XSAVE },
	{ CPUID_TRACE, SUBS_EAX }, { CPUID_TSC, SUBS_ONE },
	{ 0x16, SUBS_ONE }, { CPUID_TOPOLOGY_V2, SUBS_LEVEL },
	{ 0x80000000, SUBS_ONE }, { 0x80000001, SUBS_ONE },
	{ 0x80000002, SUBS_ONE }, { 0x80000003, SUBS_ONE },
	{ 0x80000004, SUBS_ONE }, { 0x80000005, SUBS_ONE },
	{ 0x80000006, SUBS_ONE }, { 0x80000007, SUBS_ONE },
	{ 0x80000008, SUBS_ONE }, { CPUID_SVM, SUBS_ONE },
	{ CPUID_AMD_CACHES, SUBS_CACHE }, { CPUID_AMD_TOPOLOGY, SUBS_ONE },
	{ 0x8000001f, SUBS_ONE },
};

/* Fields that differ because they name the CPU that is asked. */
static const struct {
	uint32_t leaf;
	uint32_t own[4];
} oracle_own[] = {
	{ CPUID_FEATURES, { [ORACLE_EBX] = CPUID_1_EBX_APIC_ID } },
	{ CPUID_TOPOLOGY, { [ORACLE_EDX] = UINT32_MAX } },
	{ CPUID_TOPOLOGY_V2, { [ORACLE_EDX] = UINT32_MAX } },
	{ CPUID_AMD_TOPOLOGY, { UINT32_MAX, CPUID_1E_EBX_UNIT,
				CPUID_1E_ECX_NODE, 0 } },
};

const char *oracle_reg_name(enum oracle_reg r)
{
	static const char *const names[] = { "eax", "ebx", "ecx", "edx" };

	return names[r];
}

const struct oracle_leaf *oracle_find(const struct oracle_cpuid *c,
				      uint32_t leaf, uint32_t sub)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->leaf[i].leaf == leaf && c->leaf[i].sub == sub)
			return &c->leaf[i];
	return NULL;
}

uint32_t oracle_word(const struct oracle_cpuid *c, uint32_t leaf, uint32_t sub,
		     enum oracle_reg r)
{
	const struct oracle_leaf *l = oracle_find(c, leaf, sub);

	return l ? l->reg[r] : 0;
}

const struct oracle_base *oracle_base(const struct oracle_cpuid *c,
				      const char *letters)
{
	for (unsigned i = 0; i < c->bases; i++)
		if (strcmp(c->base[i].letters, letters) == 0)
			return &c->base[i];
	return NULL;
}

static void oracle_add(struct oracle_cpuid *c, uint32_t leaf, uint32_t sub,
		       struct hyper_cpuid r)
{
	if (c->n == ORACLE_LEAVES) {
		c->cut = true;
		return;
	}
	c->leaf[c->n++] = (struct oracle_leaf){
		leaf, sub, { r.eax, r.ebx, r.ecx, r.edx } };
}

static bool oracle_is_zero(struct hyper_cpuid r)
{
	return !(r.eax | r.ebx | r.ecx | r.edx);
}

/* Does subleaf sub exist? r: what it says; first: what subleaf 0 said. */
static bool oracle_has_sub(enum oracle_subs subs, uint32_t sub,
			   struct hyper_cpuid r, struct hyper_cpuid first)
{
	switch (subs) {
	case SUBS_EAX:
		return sub <= first.eax;
	case SUBS_CACHE:
		return r.eax & CPUID_4_EAX_TYPE;
	case SUBS_LEVEL:
		return r.ecx & CPUID_B_ECX_TYPE;
	default:
		return false;
	}
}

/* User components are in EAX and EDX of 0, supervisor's in ECX and EDX of 1. */
static void oracle_read_xsave(struct oracle_cpuid *c, oracle_cpuid_fn cpuid,
			      struct hyper_cpuid first)
{
	struct hyper_cpuid more = cpuid(CPUID_XSAVE, 1);
	uint64_t all = (uint64_t)(first.edx | more.edx) << 32 | first.eax |
		       more.ecx;

	if (!oracle_is_zero(more))
		oracle_add(c, CPUID_XSAVE, 1, more);
	for (unsigned bit = 2; bit < 63; bit++)
		if (all & CPUID_D_COMPONENTS & BIT_ULL(bit))
			oracle_add(c, CPUID_XSAVE, bit, cpuid(CPUID_XSAVE, bit));
}

static void oracle_read_leaf(struct oracle_cpuid *c, oracle_cpuid_fn cpuid,
			     uint32_t leaf, enum oracle_subs subs)
{
	struct hyper_cpuid first = cpuid(leaf, 0), r = first;

	if (oracle_is_zero(first) && leaf & ~CPUID_EXTENDED)
		return;
	oracle_add(c, leaf, 0, first);
	if (subs == SUBS_XSAVE)
		oracle_read_xsave(c, cpuid, first);
	for (uint32_t sub = 1; sub < ORACLE_SUBS; sub++) {
		r = cpuid(leaf, sub);
		if (!oracle_has_sub(subs, sub, r, first))
			return;
		if (!oracle_is_zero(r))
			oracle_add(c, leaf, sub, r);
	}
}

/* ---- hypervisors ---- */

static bool oracle_is_text(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			return false;
	return true;
}

/*
 * Nobody answers where there is no interface, or the CPU with a leaf of its
 * own: known letters, or at least letters and a highest leaf that fits. The
 * first base is what CPUID.1:ECX[31] promises, letters or not.
 */
static bool oracle_is_base(const struct oracle_base *b, bool guest)
{
	if (b->letters[0] && hyper_letters_name(b->letters))
		return true;
	if (!guest)
		return false;
	return b->base == CPUID_HYPER ||
	       (b->max >= b->base && b->max < b->base + CPUID_HYPER_STEP &&
		oracle_is_text(b->letters));
}

/* Old KVMs say 0 for the highest leaf, and have one more all the same. */
static uint32_t oracle_base_end(const struct oracle_base *b)
{
	uint32_t end = MIN(b->max, b->base + ORACLE_BASE_LEAVES);

	if (strcmp(b->letters, "KVMKVMKVM") == 0)
		end = MAX(end, b->base + 1);
	return end;
}

static void oracle_read_base(struct oracle_cpuid *c, oracle_cpuid_fn cpuid,
			     uint32_t base, bool guest)
{
	struct hyper_cpuid r = cpuid(base, 0);
	struct oracle_base b = { .base = base, .max = r.eax };

	hyper_letters(r, b.letters);
	if (!oracle_is_base(&b, guest))
		return;
	if (c->bases == ORACLE_BASES) {
		c->cut = true;
		return;
	}
	c->base[c->bases++] = b;
	oracle_add(c, base, 0, r);
	for (uint32_t leaf = base + 1; leaf <= oracle_base_end(&b); leaf++)
		oracle_read_leaf(c, cpuid, leaf, SUBS_ONE);
}

void oracle_read(struct oracle_cpuid *c, oracle_cpuid_fn cpuid)
{
	uint32_t basic = cpuid(CPUID_BASIC, 0).eax;
	uint32_t extended = cpuid(CPUID_EXTENDED, 0).eax;
	bool guest = cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_GUEST;

	*c = (struct oracle_cpuid){ 0 };
	for (unsigned i = 0; i < ARRAY_SIZE(oracle_leaves); i++) {
		uint32_t leaf = oracle_leaves[i].leaf;
		uint32_t max = leaf < CPUID_EXTENDED ? basic : extended;

		/* The first of a range is what tells the highest. */
		if (!(leaf & ~CPUID_EXTENDED) || leaf <= max)
			oracle_read_leaf(c, cpuid, leaf,
					 oracle_leaves[i].subs);
	}
	for (uint32_t base = CPUID_HYPER; base <= CPUID_HYPER_LAST;
	     base += CPUID_HYPER_STEP)
		oracle_read_base(c, cpuid, base, guest);
}

/* ---- CPUs ---- */

static uint32_t oracle_own_mask(uint32_t leaf, enum oracle_reg r)
{
	for (unsigned i = 0; i < ARRAY_SIZE(oracle_own); i++)
		if (oracle_own[i].leaf == leaf)
			return oracle_own[i].own[r];
	return 0;
}

static void oracle_compare_leaf(const struct oracle_leaf *l, unsigned cpu,
				struct hyper_cpuid r, struct oracle_diffs *d)
{
	const uint32_t here[4] = { r.eax, r.ebx, r.ecx, r.edx };

	for (unsigned i = 0; i < 4; i++) {
		enum oracle_reg reg = (enum oracle_reg)i;

		if (!((l->reg[i] ^ here[i]) & ~oracle_own_mask(l->leaf, reg)))
			continue;
		if (d->n < ORACLE_DIFFS)
			d->diff[d->n] = (struct oracle_diff){
				cpu, l->leaf, l->sub, reg, l->reg[i], here[i] };
		d->n++;
	}
}

void oracle_compare(const struct oracle_cpuid *boot, unsigned cpu,
		    oracle_cpuid_fn cpuid, struct oracle_diffs *d)
{
	for (unsigned i = 0; i < boot->n; i++) {
		const struct oracle_leaf *l = &boot->leaf[i];

		oracle_compare_leaf(l, cpu, cpuid(l->leaf, l->sub), d);
	}
}
