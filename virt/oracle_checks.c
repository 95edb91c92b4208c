/* SPDX-License-Identifier: MIT */
/*
 * Verdicts: what one part of the host says, compared with what another part
 * says or does. "odd" is against a specification, or at least strange, and the
 * kernel lives with it; "broken" is a promise that was tried and not kept.
 */
#include "virt/oracle.h"

#include <stdarg.h>

#include "core/fmt.h"
#include "core/string.h"
#include "core/x86reg.h"
#include "virt/oraclereg.h"
#include "virt/pv.h"

#define ORACLE_LEAVES_SANE	0x100	/* no CPU has more in a range */

struct oracle_judge {
	const struct oracle *o;
	void (*emit)(void *ctx, const struct oracle_check *c);
	void *ctx;
};

const char *oracle_verdict_name(enum oracle_verdict v)
{
	static const char *const names[ORACLE_VERDICTS] = {
		[ORACLE_OK] = "ok", [ORACLE_ODD] = "odd",
		[ORACLE_BAD] = "broken",
	};

	return names[v];
}

static void oracle_say(struct oracle_judge *j, const char *name,
		       enum oracle_verdict v, const char *fmt, ...)
	__printf(4, 5);
static void oracle_say(struct oracle_judge *j, const char *name,
		       enum oracle_verdict v, const char *fmt, ...)
{
	struct oracle_check c = { .name = name, .verdict = v };
	va_list ap;

	va_start(ap, fmt);
	fmt_vsnprintf(c.why, sizeof(c.why), fmt, ap);
	va_end(ap);
	j->emit(j->ctx, &c);
}

static uint32_t oracle_get(struct oracle_judge *j, uint32_t leaf,
			   enum oracle_reg r)
{
	return oracle_word(&j->o->cpuid, leaf, 0, r);
}

/* ---- ranges and signatures ---- */

static void oracle_check_range(struct oracle_judge *j, const char *name,
			       uint32_t base, uint32_t least)
{
	uint32_t max = oracle_get(j, base, ORACLE_EAX);

	if (max < least)
		oracle_say(j, name, ORACLE_BAD, "the highest leaf is 0x%x, but "
			   "a 64-bit CPU has 0x%x", max, least);
	else if (max - base > ORACLE_LEAVES_SANE)
		oracle_say(j, name, ORACLE_ODD, "the highest leaf is said to be "
			   "0x%x", max);
	else
		oracle_say(j, name, ORACLE_OK, "the highest leaf is 0x%x", max);
}

/* Letters without the bit: hidden (QEMU's -hypervisor). No letters: nameless. */
static void oracle_check_guest(struct oracle_judge *j)
{
	bool guest = oracle_get(j, CPUID_FEATURES, ORACLE_ECX) &
		     CPUID_1_ECX_GUEST;
	const struct oracle_cpuid *c = &j->o->cpuid;

	if (!guest && c->bases)
		oracle_say(j, "hypervisor_bit", ORACLE_ODD, "CPUID 1 ECX bit 31 "
			   "is clear, but 0x%x says \"%s\"", c->base[0].base,
			   c->base[0].letters);
	else if (!guest)
		oracle_say(j, "hypervisor_bit", ORACLE_OK,
			   "clear, and no hypervisor's letters anywhere");
	else
		oracle_say(j, "hypervisor_bit", ORACLE_OK,
			   "set, and leaf 0x40000000 is there");
}

static void oracle_check_letters(struct oracle_judge *j)
{
	const struct oracle_cpuid *c = &j->o->cpuid;

	for (unsigned i = 0; i < c->bases; i++) {
		const struct oracle_base *b = &c->base[i];

		if (hyper_letters_name(b->letters))
			continue;
		oracle_say(j, "hypervisor_letters", ORACLE_ODD,
			   "nobody known calls itself \"%s\" (at 0x%x)",
			   b->letters, b->base);
		return;
	}
	if (c->bases)
		oracle_say(j, "hypervisor_letters", ORACLE_OK,
			   "%u interface%s, each of a known hypervisor",
			   c->bases, c->bases == 1 ? "" : "s");
}

static void oracle_check_hyper_range(struct oracle_judge *j)
{
	const struct oracle_cpuid *c = &j->o->cpuid;

	for (unsigned i = 0; i < c->bases; i++) {
		const struct oracle_base *b = &c->base[i];
		bool kvm = strcmp(b->letters, "KVMKVMKVM") == 0;
		uint32_t least = kvm ? b->base + 1 : b->base;

		if (b->max >= least && b->max < b->base + CPUID_HYPER_STEP)
			continue;
		oracle_say(j, "hypervisor_range", ORACLE_ODD, "\"%s\" at 0x%x "
			   "says that its highest leaf is 0x%x", b->letters,
			   b->base, b->max);
		return;
	}
	if (c->bases)
		oracle_say(j, "hypervisor_range", ORACLE_OK,
			   "each interface's highest leaf is its own");
}

static void oracle_check_once(struct oracle_judge *j)
{
	const struct oracle_cpuid *c = &j->o->cpuid;

	for (unsigned i = 1; i < c->bases; i++)
		for (unsigned k = 0; k < i; k++)
			if (!strcmp(c->base[i].letters, c->base[k].letters)) {
				oracle_say(j, "hypervisor_once", ORACLE_ODD,
					   "\"%s\" stands at 0x%x and at 0x%x",
					   c->base[i].letters, c->base[k].base,
					   c->base[i].base);
				return;
			}
	if (c->bases > 1)
		oracle_say(j, "hypervisor_once", ORACLE_OK,
			   "%u interfaces, all different", c->bases);
}

static void oracle_check_complete(struct oracle_judge *j)
{
	if (j->o->cpuid.cut)
		oracle_say(j, "inventory", ORACLE_ODD,
			   "more leaves than are kept (%u)", j->o->cpuid.n);
	else
		oracle_say(j, "inventory", ORACLE_OK, "%u leaves, all kept",
			   j->o->cpuid.n);
}

/* ---- the processor ---- */

static void oracle_check_long_mode(struct oracle_judge *j)
{
	bool lm = oracle_get(j, CPUID_EXT_AMD, ORACLE_EDX) & CPUID_AMD_EDX_LM;

	oracle_say(j, "long_mode", lm ? ORACLE_OK : ORACLE_BAD,
		   "CPUID 0x80000001 EDX bit 29 is %s, and this is 64-bit code",
		   lm ? "set" : "clear");
}

static void oracle_check_nx(struct oracle_judge *j)
{
	bool nx = oracle_get(j, CPUID_EXT_AMD, ORACLE_EDX) & CPUID_AMD_EDX_NX;
	bool on = j->o->facts.efer_any & X86_EFER_NXE;

	oracle_say(j, "nx", nx == on ? ORACLE_OK : on ? ORACLE_ODD : ORACLE_BAD,
		   "CPUID %s it, EFER.NXE is %s", nx ? "offers" : "denies",
		   on ? "set" : "clear");
}

static void oracle_check_addresses(struct oracle_judge *j)
{
	uint32_t eax = oracle_get(j, CPUID_ADDRESSES, ORACLE_EAX);
	unsigned phys = FIELD_GET(CPUID_ADDR_PHYS, eax);
	unsigned linear = FIELD_GET(CPUID_ADDR_LINEAR, eax);
	bool sane = phys >= 32 && phys <= 52 && (linear == 48 || linear == 57);

	oracle_say(j, "address_sizes", sane ? ORACLE_OK : ORACLE_ODD,
		   "%u physical bits (32 to 52), %u linear (48 or 57)", phys,
		   linear);
}

/* CPUID.1:ECX.OSXSAVE shows CR4's bit. */
static void oracle_check_osxsave(struct oracle_judge *j)
{
	uint32_t ecx = oracle_get(j, CPUID_FEATURES, ORACLE_ECX);
	bool shown = ecx & CPUID_1_ECX_OSXSAVE;
	bool set = j->o->facts.cr4_any & CR4_OSXSAVE;

	oracle_say(j, "osxsave", shown == set ? ORACLE_OK : ORACLE_BAD,
		   "CPUID shows %u, CR4.OSXSAVE is %u", shown, set);
}

/* A bit that needs another one. */
static const struct oracle_need {
	const char *check;
	const char *what, *needs;
	uint32_t leaf;
	enum oracle_reg reg;
	uint32_t bit;
	uint32_t need_leaf;
	enum oracle_reg need_reg;
	uint32_t need_bit;		/* 0: the leaf alone */
} oracle_needs[] = {
	{ "avx_has_xsave", "AVX", "XSAVE", CPUID_FEATURES, ORACLE_ECX,
	  CPUID_1_ECX_AVX, CPUID_FEATURES, ORACLE_ECX, CPUID_1_ECX_XSAVE },
	{ "xsave_has_leaf", "XSAVE", "leaf 0xd", CPUID_FEATURES, ORACLE_ECX,
	  CPUID_1_ECX_XSAVE, CPUID_XSAVE, ORACLE_EAX, 0 },
	{ "x2apic_has_leaf", "x2APIC", "leaf 0xb", CPUID_FEATURES, ORACLE_ECX,
	  CPUID_1_ECX_X2APIC, CPUID_TOPOLOGY, ORACLE_EAX, 0 },
	{ "svm_has_leaf", "SVM", "leaf 0x8000000a", CPUID_EXT_AMD, ORACLE_ECX,
	  CPUID_AMD_ECX_SVM, CPUID_SVM, ORACLE_EAX, 0 },
};

static void oracle_check_needs(struct oracle_judge *j)
{
	for (unsigned i = 0; i < ARRAY_SIZE(oracle_needs); i++) {
		const struct oracle_need *n = &oracle_needs[i];
		bool there;

		if (!(oracle_get(j, n->leaf, n->reg) & n->bit))
			continue;
		there = n->need_bit ?
			oracle_get(j, n->need_leaf, n->need_reg) & n->need_bit :
			oracle_find(&j->o->cpuid, n->need_leaf, 0) != NULL;
		oracle_say(j, n->check, there ? ORACLE_OK : ORACLE_ODD,
			   "%s is offered %s %s", n->what,
			   there ? "with" : "without", n->needs);
	}
}

/* ---- CPUs ---- */

static void oracle_check_alike(struct oracle_judge *j)
{
	const struct oracle_diffs *d = &j->o->diffs;
	const struct oracle_facts *f = &j->o->facts;

	if (d->n)
		oracle_say(j, "cpus_alike", ORACLE_ODD, "%u register%s differ "
			   "from the boot CPU's; first: CPU %u, leaf 0x%x.%u "
			   "%s", d->n, d->n == 1 ? "" : "s", d->diff[0].cpu,
			   d->diff[0].leaf, d->diff[0].sub,
			   oracle_reg_name(d->diff[0].reg));
	else
		oracle_say(j, "cpus_alike", ORACLE_OK,
			   "%u CPUs say the same, but for their own ids",
			   f->read);
	if (f->read < f->cpus)
		oracle_say(j, "cpus_answer", ORACLE_BAD,
			   "%u of %u CPUs did not answer", f->cpus - f->read,
			   f->cpus);
}

static void oracle_check_ids(struct oracle_judge *j)
{
	const struct oracle_facts *f = &j->o->facts;

	if (f->ids_wrong)
		oracle_say(j, "apic_ids", ORACLE_BAD, "CPUID of %u CPU%s names "
			   "another APIC; CPU %u: id 0x%x, CPUID 0x%x",
			   f->ids_wrong, f->ids_wrong == 1 ? "" : "s",
			   f->wrong_cpu, f->wrong_is, f->wrong_says);
	else
		oracle_say(j, "apic_ids", ORACLE_OK,
			   "CPUID 1, 0xb, 0x1f, 0x8000001e name each CPU's own");
}

/* ---- registers ---- */

static void oracle_check_msr(struct oracle_judge *j, const char *check,
			     const char *name, const struct oracle_msr *msr)
{
	if (!msr->tried)
		return;
	oracle_say(j, check, msr->answers ? ORACLE_OK : ORACLE_BAD,
		   "offered, and %s %s", name,
		   msr->answers ? "answers" : "faults");
}

/* Offered, tried and not as promised: "works_smep". */
static void oracle_check_feature(void *ctx, const struct oracle_feature *f)
{
	char name[40];

	fmt_snprintf(name, sizeof(name), "works_%s", f->name);
	if (f->state == ORACLE_BROKEN)
		oracle_say(ctx, name, ORACLE_BAD, "%s", f->why);
}

/* ---- time ---- */

/* Of those who measured, the one with the least doubt. */
static const struct clock_witness *oracle_measured(const struct oracle_facts *f)
{
	const struct clock_witness *best = NULL;

	for (unsigned i = 0; i < f->witnesses; i++) {
		const struct clock_witness *w = &f->witness[i];

		if (w->base && w->hz && w->source != CLOCK_KVMCLOCK &&
		    (!best || w->doubt < best->doubt))
			best = w;
	}
	return best;
}

/* Said and measured frequencies; 0x16 alone is a label, and promises none. */
static void oracle_check_hz(struct oracle_judge *j)
{
	static const char *const names[CLOCK_SOURCES] = {
		[CLOCK_CPUID] = "tsc_hz_leaf_15",
		[CLOCK_LEAF] = "tsc_hz_leaf_40000010",
		[CLOCK_KVMCLOCK] = "tsc_hz_kvmclock",
	};
	const struct oracle_facts *f = &j->o->facts;
	const struct clock_witness *by = oracle_measured(f);

	for (unsigned i = 0; by && i < f->witnesses; i++) {
		const struct clock_witness *w = &f->witness[i];
		int64_t ppb = clock_ppb(w->hz, by->hz);
		uint64_t off = (uint64_t)(ppb < 0 ? -ppb : ppb);

		if (w->base || !names[w->source])
			continue;
		oracle_say(j, names[w->source], off > CLOCK_PPB_DISAGREE +
			   by->doubt ? ORACLE_ODD : ORACLE_OK, "says %llu Hz, "
			   "measured by %s %llu: %c%llu ppm, allowed 1000",
			   (unsigned long long)w->hz,
			   clock_source_name(by->source),
			   (unsigned long long)by->hz, ppb < 0 ? '-' : '+',
			   (unsigned long long)off / 1000);
	}
}

static void oracle_check_skew(struct oracle_judge *j)
{
	const struct oracle_facts *f = &j->o->facts;

	if (f->invariant && f->read > 1)
		oracle_say(j, "tsc_skew", f->skewed ? ORACLE_BAD : ORACLE_OK,
			   "said to be invariant; %u CPUs' TSCs differ",
			   f->skewed);
}

/* ---- KVM ---- */

static const struct {
	const char *check;
	unsigned bit, needs;
} oracle_kvm_needs[] = {
	{ "kvm_async_pf_int", KVM_BIT_ASYNC_PF_INT, KVM_BIT_ASYNC_PF },
	{ "kvm_async_pf_vmexit", KVM_BIT_ASYNC_PF_VMEXIT, KVM_BIT_ASYNC_PF },
	{ "kvm_pv_tlb_flush", KVM_BIT_PV_TLB_FLUSH, KVM_BIT_STEAL_TIME },
	{ "kvm_pv_sched_yield", KVM_BIT_PV_SCHED_YIELD, KVM_BIT_STEAL_TIME },
	{ "kvm_clock_stable", KVM_BIT_CLOCK_STABLE, KVM_BIT_CLOCKSOURCE2 },
};

static void oracle_check_kvm_needs(struct oracle_judge *j, uint32_t features)
{
	for (unsigned i = 0; i < ARRAY_SIZE(oracle_kvm_needs); i++) {
		unsigned bit = oracle_kvm_needs[i].bit;
		unsigned needs = oracle_kvm_needs[i].needs;
		bool there = features & BIT(needs);

		if (features & BIT(bit))
			oracle_say(j, oracle_kvm_needs[i].check,
				   there ? ORACLE_OK : ORACLE_ODD,
				   "%s is offered %s %s",
				   hyper_feature_name(bit),
				   there ? "with" : "without",
				   hyper_feature_name(needs));
	}
}

static void oracle_check_kvm(struct oracle_judge *j)
{
	const struct oracle_base *b = oracle_base(&j->o->cpuid, "KVMKVMKVM");
	uint32_t features, hints, unknown = 0;

	if (!b)
		return;
	features = oracle_get(j, b->base + 1, ORACLE_EAX);
	hints = oracle_get(j, b->base + 1, ORACLE_EDX);
	for (unsigned n = 0; n < 32; n++)
		if ((features & BIT(n)) && !hyper_feature_name(n))
			unknown |= BIT(n);
	oracle_say(j, "kvm_bits", unknown ? ORACLE_ODD : ORACLE_OK,
		   "0x%x; bits without a name: 0x%x", features, unknown);
	oracle_say(j, "kvm_hints", (hints & ~KVM_HINT_REALTIME) ||
		   (hints && !features) ? ORACLE_ODD : ORACLE_OK,
		   "0x%x with features 0x%x", hints, features);
	oracle_check_kvm_needs(j, features);
}

void oracle_checks(const struct oracle *o,
		   void (*emit)(void *ctx, const struct oracle_check *c),
		   void *ctx)
{
	struct oracle_judge j = { o, emit, ctx };
	const struct oracle_facts *f = &o->facts;

	oracle_check_range(&j, "basic_range", CPUID_BASIC, CPUID_FEATURES);
	oracle_check_range(&j, "extended_range", CPUID_EXTENDED, CPUID_EXT_AMD);
	oracle_check_complete(&j);
	oracle_check_guest(&j);
	oracle_check_letters(&j);
	oracle_check_hyper_range(&j);
	oracle_check_once(&j);
	oracle_check_long_mode(&j);
	oracle_check_nx(&j);
	oracle_check_addresses(&j);
	oracle_check_osxsave(&j);
	oracle_check_needs(&j);
	oracle_check_alike(&j);
	oracle_check_ids(&j);
	oracle_check_msr(&j, "tsc_deadline_msr", "IA32_TSC_DEADLINE",
			 &f->msr_deadline);
	oracle_check_msr(&j, "pat_msr", "IA32_PAT", &f->msr_pat);
	oracle_check_msr(&j, "mtrr_msr", "IA32_MTRRCAP", &f->msr_mtrrcap);
	oracle_check_msr(&j, "tsc_adjust_msr", "IA32_TSC_ADJUST",
			 &f->msr_tsc_adjust);
	oracle_check_hz(&j);
	oracle_check_skew(&j);
	oracle_check_kvm(&j);
	oracle_features(o, oracle_check_feature, &j);
}
