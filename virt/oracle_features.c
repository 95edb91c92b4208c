/* SPDX-License-Identifier: MIT */
/*
 * One row a feature. What the host offers is CPUID's bit; what became of it is
 * read from where the kernel put it: control registers of every CPU, MSRs, page
 * tables, counters, virt/pv.c. A feature without a judge is one that the kernel
 * has no use for, and the table says why.
 */
#include "virt/oracle.h"

#include <stdarg.h>

#include "core/fmt.h"
#include "core/string.h"
#include "core/x86reg.h"
#include "virt/oraclereg.h"
#include "virt/pv.h"

struct oracle_row {
	const char *name;
	uint32_t leaf;
	enum oracle_reg reg;
	unsigned bit;
	/* NULL: unused, and why says the reason. */
	void (*judge)(const struct oracle *o, const struct oracle_row *row,
		      struct oracle_feature *f);
	const char *why;
	uint64_t arg;			/* bit of a control register */
};

const char *oracle_state_name(enum oracle_state s)
{
	static const char *const names[ORACLE_STATES] = {
		[ORACLE_ABSENT] = "absent", [ORACLE_UNUSED] = "unused",
		[ORACLE_OFF] = "off", [ORACLE_ON] = "on",
		[ORACLE_USED] = "used", [ORACLE_BROKEN] = "broken",
	};

	return names[s];
}

static void oracle_set(struct oracle_feature *f, enum oracle_state state,
		       const char *fmt, ...) __printf(3, 4);
static void oracle_set(struct oracle_feature *f, enum oracle_state state,
		       const char *fmt, ...)
{
	va_list ap;

	f->state = state;
	va_start(ap, fmt);
	fmt_vsnprintf(f->why, sizeof(f->why), fmt, ap);
	va_end(ap);
}

/* What was looked at beside CPUID. */
static void oracle_proof(struct oracle_feature *f, const char *fmt, ...)
	__printf(2, 3);
static void oracle_proof(struct oracle_feature *f, const char *fmt, ...)
{
	va_list ap;

	f->proven = true;
	va_start(ap, fmt);
	fmt_vsnprintf(f->check, sizeof(f->check), fmt, ap);
	va_end(ap);
}

/* Used when it has been, else merely on. */
static void oracle_counted(struct oracle_feature *f, uint64_t count)
{
	f->counted = true;
	f->count = count;
	oracle_set(f, count ? ORACLE_USED : ORACLE_ON, "%s", "");
}

/* ---- judges ---- */

/* A bit that the kernel sets on each CPU, in a register read on each. */
static void oracle_judge_bit(const struct oracle *o, struct oracle_feature *f,
			     const char *reg, uint64_t bit, uint64_t all,
			     uint64_t any)
{
	oracle_proof(f, "%s bit %u on %u CPU%s", reg,
		     (unsigned)__builtin_ctzll(bit), o->facts.read,
		     o->facts.read == 1 ? "" : "s");
	if (all & bit)
		oracle_set(f, ORACLE_ON, "%s", "");
	else if (any & bit)
		oracle_set(f, ORACLE_BROKEN, "%s has it on some CPUs only", reg);
	else
		oracle_set(f, ORACLE_BROKEN, "offered, but %s refused it", reg);
}

static void oracle_judge_cr4(const struct oracle *o,
			     const struct oracle_row *row,
			     struct oracle_feature *f)
{
	oracle_judge_bit(o, f, "CR4", row->arg, o->facts.cr4_all,
			 o->facts.cr4_any);
}

/* Set is not enough: some entry has to forbid execution, none allow both. */
static void oracle_judge_nx(const struct oracle *o,
			    const struct oracle_row *row,
			    struct oracle_feature *f)
{
	const struct vm_audit *vm = &o->facts.vm;

	oracle_judge_bit(o, f, "EFER", row->arg, o->facts.efer_all,
			 o->facts.efer_any);
	if (f->state != ORACLE_ON)
		return;
	oracle_proof(f, "EFER bit 11 on each CPU; page tables: %llu of %llu "
		     "entries forbid execution",
		     (unsigned long long)(vm->pages - vm->executable),
		     (unsigned long long)vm->pages);
	f->counted = true;
	f->count = vm->pages - vm->executable;
	if (!f->count || vm->writable_executable)
		oracle_set(f, ORACLE_OFF, "%llu page table entries are "
			   "writable and executable",
			   (unsigned long long)vm->writable_executable);
	else
		oracle_set(f, ORACLE_USED, "%s", "");
}

static void oracle_judge_tsc(const struct oracle *o,
			     const struct oracle_row *row,
			     struct oracle_feature *f)
{
	oracle_proof(f, "RDTSC, again and again: it goes up");
	if (o->facts.tsc_counts)
		oracle_set(f, ORACLE_USED, "%s", "");
	else
		oracle_set(f, ORACLE_BROKEN, "it stands still or goes back");
}

static void oracle_judge_invariant(const struct oracle *o,
				   const struct oracle_row *row,
				   struct oracle_feature *f)
{
	oracle_proof(f, "TSCs of all CPUs compared when they started");
	if (!o->facts.invariant)
		oracle_set(f, ORACLE_OFF, "the clock does not rely on it");
	else if (o->facts.skewed)
		oracle_set(f, ORACLE_BROKEN, "%u CPUs have a TSC of their own",
			   o->facts.skewed);
	else
		oracle_set(f, ORACLE_USED, "%s", "");
}

static void oracle_judge_deadline(const struct oracle *o,
				  const struct oracle_row *row,
				  struct oracle_feature *f)
{
	const struct oracle_msr *msr = &o->facts.msr_deadline;

	if (msr->tried)
		oracle_proof(f, "IA32_TSC_DEADLINE %s",
			     o->facts.deadline ? "read; its interrupts counted" :
			     "written (0)");
	if (msr->tried && !msr->answers)
		oracle_set(f, ORACLE_BROKEN, "IA32_TSC_DEADLINE faults");
	else if (o->facts.deadline)
		oracle_counted(f, o->facts.timer_irqs);
	else
		oracle_set(f, ORACLE_OFF, "tick=: the timer is %s",
			   o->facts.timer);
}

static void oracle_judge_x2apic(const struct oracle *o,
				const struct oracle_row *row,
				struct oracle_feature *f)
{
	if (!o->facts.x2apic)
		oracle_set(f, ORACLE_OFF, "the kernel chose xAPIC");
	else
		oracle_judge_bit(o, f, "IA32_APIC_BASE", row->arg,
				 o->facts.apic_base_all,
				 o->facts.apic_base_all);
}

static void oracle_judge_giant(const struct oracle *o,
			       const struct oracle_row *row,
			       struct oracle_feature *f)
{
	oracle_proof(f, "the kernel's page tables, entry by entry");
	if (o->facts.vm.giant)
		oracle_counted(f, o->facts.vm.giant);
	else
		oracle_set(f, ORACLE_OFF, "memory has no whole, aligned GiB "
			   "with equal rights");
}

/* Registers are mapped with PCD and PWT: entry 3, uncached after reset. */
static void oracle_judge_pat(const struct oracle *o,
			     const struct oracle_row *row,
			     struct oracle_feature *f)
{
	const struct oracle_msr *msr = &o->facts.msr_pat;
	unsigned type = (unsigned)FIELD_GET(MSR_PAT_PA3, msr->val);

	oracle_proof(f, "IA32_PAT entry 3, which maps registers, is UC");
	if (!msr->answers)
		oracle_set(f, ORACLE_BROKEN, "IA32_PAT faults");
	else if (type != MSR_PAT_UC)
		oracle_set(f, ORACLE_BROKEN, "IA32_PAT entry 3 is %u, not 0",
			   type);
	else
		oracle_set(f, ORACLE_USED, "%s", "");
}

static void oracle_judge_msr(const struct oracle_msr *msr, const char *name,
			     const char *why, struct oracle_feature *f)
{
	oracle_proof(f, "%s was read", name);
	if (msr->answers)
		oracle_set(f, ORACLE_UNUSED, "%s", why);
	else
		oracle_set(f, ORACLE_BROKEN, "%s faults", name);
}

static void oracle_judge_mtrr(const struct oracle *o,
			      const struct oracle_row *row,
			      struct oracle_feature *f)
{
	oracle_judge_msr(&o->facts.msr_mtrrcap, "IA32_MTRRCAP", row->why, f);
}

static void oracle_judge_adjust(const struct oracle *o,
				const struct oracle_row *row,
				struct oracle_feature *f)
{
	oracle_judge_msr(&o->facts.msr_tsc_adjust, "IA32_TSC_ADJUST", row->why,
			 f);
}

/* The kernel runs by it, or would not have come here. */
static void oracle_judge_runs(const struct oracle *o,
			      const struct oracle_row *row,
			      struct oracle_feature *f)
{
	oracle_proof(f, "%s", row->why);
	oracle_set(f, ORACLE_USED, "%s", "");
}

static const struct oracle_row oracle_rows[] = {
	{ "hypervisor", 0x1, ORACLE_ECX, 31, .judge = oracle_judge_runs,
	  .why = "the leaves from 0x40000000 on were read" },
	{ "apic", 0x1, ORACLE_EDX, 9, .judge = oracle_judge_runs,
	  .why = "every CPU was started by it" },
	{ "x2apic", 0x1, ORACLE_ECX, 21, .judge = oracle_judge_x2apic,
	  .arg = MSR_APIC_BASE_EXTD },
	{ "tsc", 0x1, ORACLE_EDX, 4, .judge = oracle_judge_tsc },
	{ "invariant-tsc", 0x80000007, ORACLE_EDX, 8,
	  .judge = oracle_judge_invariant },
	{ "tsc-deadline", 0x1, ORACLE_ECX, 24, .judge = oracle_judge_deadline },
	{ "tsc-adjust", 0x7, ORACLE_EBX, 1, .judge = oracle_judge_adjust,
	  .why = "TSCs that differ are corrected in software" },
	{ "arat", 0x6, ORACLE_EAX, 2,
	  .why = "idle is HLT, in which the APIC's timer counts on" },
	{ "rdtscp", 0x80000001, ORACLE_EDX, 27,
	  .why = "a CPU finds its number through GS" },
	{ "pae", 0x1, ORACLE_EDX, 6, .judge = oracle_judge_cr4,
	  .arg = X86_CR4_PAE },
	{ "pge", 0x1, ORACLE_EDX, 13, .judge = oracle_judge_cr4,
	  .arg = X86_CR4_PGE },
	{ "nx", 0x80000001, ORACLE_EDX, 20, .judge = oracle_judge_nx,
	  .arg = X86_EFER_NXE },
	{ "smep", 0x7, ORACLE_EBX, 7, .judge = oracle_judge_cr4,
	  .arg = X86_CR4_SMEP },
	{ "smap", 0x7, ORACLE_EBX, 20, .judge = oracle_judge_cr4,
	  .arg = X86_CR4_SMAP },
	{ "umip", 0x7, ORACLE_ECX, 2, .judge = oracle_judge_cr4,
	  .arg = X86_CR4_UMIP },
	{ "1gib-pages", 0x80000001, ORACLE_EDX, 26,
	  .judge = oracle_judge_giant },
	{ "la57", 0x7, ORACLE_ECX, 16,
	  .why = "four levels of page tables reach all memory" },
	{ "pcid", 0x1, ORACLE_ECX, 17, .why = "there is one address space" },
	{ "invpcid", 0x7, ORACLE_EBX, 10, .why = "there is one address space" },
	{ "fsgsbase", 0x7, ORACLE_EBX, 0,
	  .why = "GS is loaded once, by its MSR" },
	{ "xsave", 0x1, ORACLE_ECX, 26,
	  .why = "the kernel uses no vector registers" },
	{ "pat", 0x1, ORACLE_EDX, 16, .judge = oracle_judge_pat },
	{ "mtrr", 0x1, ORACLE_EDX, 12, .judge = oracle_judge_mtrr,
	  .why = "memory types are the page tables' affair" },
	{ "monitor", 0x1, ORACLE_ECX, 3, .why = "idle is HLT, or polling" },
	{ "rdrand", 0x1, ORACLE_ECX, 30, .why = "nothing here needs chance" },
	{ "rdseed", 0x7, ORACLE_EBX, 18, .why = "nothing here needs chance" },
	{ "vmx", 0x1, ORACLE_ECX, 5, .why = "the kernel runs no guests" },
	{ "svm", 0x80000001, ORACLE_ECX, 2,
	  .why = "the kernel runs no guests" },
};

static void oracle_place(struct oracle_feature *f, const struct oracle_row *row)
{
	fmt_snprintf(f->name, sizeof(f->name), "%s", row->name);
	fmt_snprintf(f->where, sizeof(f->where), "%x.%s.%u", row->leaf,
		     oracle_reg_name(row->reg), row->bit);
	fmt_snprintf(f->check, sizeof(f->check), "CPUID only");
}

/* The part that is the same for all: is it offered? */
static void oracle_row_begin(const struct oracle *o,
			     const struct oracle_row *row,
			     struct oracle_feature *f)
{
	*f = (struct oracle_feature){ .state = ORACLE_ABSENT };
	oracle_place(f, row);
	f->offered = oracle_word(&o->cpuid, row->leaf, 0, row->reg) &
		     BIT(row->bit);
	if (f->offered)
		return;
	if (!oracle_find(&o->cpuid, row->leaf, 0))
		oracle_set(f, ORACLE_ABSENT, "CPUID has no leaf 0x%x",
			   row->leaf);
	else
		oracle_set(f, ORACLE_ABSENT, "CPUID 0x%x %s bit %u is clear",
			   row->leaf, oracle_reg_name(row->reg), row->bit);
}

static void oracle_row_judge(const struct oracle *o,
			     const struct oracle_row *row,
			     struct oracle_feature *f)
{
	oracle_row_begin(o, row, f);
	if (f->offered && row->judge)
		row->judge(o, row, f);
	else if (f->offered)
		oracle_set(f, ORACLE_UNUSED, "%s", row->why);
}

/* ---- KVM ---- */

/* Why the kernel does not drive those that virt/pv.c does not know. */
static const char *const oracle_kvm_unused[32] = {
	[0] = "not driven: clocksource2 is the same with newer registers",
	[1] = "not driven: the kernel delays no I/O",
	[2] = "not driven: withdrawn by KVM itself",
	[7] = "not driven: a spinlock's waiters do not halt",
	[10] = "not driven: the kernel runs no guests",
	[15] = "not driven: no interrupt goes to an APIC id above 255",
	[16] = "not driven: memory is not encrypted",
	[17] = "not driven: memory is not encrypted",
};

static int oracle_pv_of(unsigned bit)
{
	for (unsigned f = 0; f < PV_FEATURES; f++)
		if (pv_bit((enum pv_feature)f) == (int)bit)
			return (int)f;
	return -1;
}

/* virt/pv.c's opinion, which has the reason too. */
static void oracle_judge_pv(enum pv_feature p, struct oracle_feature *f)
{
	const struct pv_status *s = &pv_status[p];
	uint64_t count = READ_ONCE(s->count);

	f->counted = true;
	f->count = count;
	switch (READ_ONCE(s->state)) {
	case PV_ON:
		oracle_proof(f, "its registers took what was written");
		oracle_counted(f, count);
		break;
	case PV_BROKEN:
		oracle_proof(f, "tried");
		oracle_set(f, ORACLE_BROKEN, "%s", s->why);
		break;
	case PV_OFF:
		oracle_set(f, ORACLE_OFF, "%s", s->why);
		break;
	default:
		oracle_set(f, ORACLE_OFF, "not taken: %s", s->why);
		break;
	}
}

/* Bits that say something about a feature that stands elsewhere. */
static void oracle_judge_with(const char *what, enum pv_feature p,
			      struct oracle_feature *f)
{
	if (pv_on(p))
		oracle_set(f, ORACLE_ON, "%s", "");
	else
		oracle_set(f, ORACLE_OFF, "%s is %s", what, pv_state_name(p));
}

static void oracle_judge_kvm(unsigned bit, struct oracle_feature *f)
{
	int p = oracle_pv_of(bit);

	if (p >= 0)
		oracle_judge_pv((enum pv_feature)p, f);
	else if (bit == KVM_BIT_ASYNC_PF)
		oracle_judge_with("async-pf-int", PV_APF, f);
	else if (bit == KVM_BIT_CLOCK_STABLE)
		oracle_judge_with("clocksource2", PV_KVMCLOCK, f);
	else
		oracle_set(f, ORACLE_UNUSED, "%s", oracle_kvm_unused[bit] ?
			   oracle_kvm_unused[bit] : "not driven");
}

static uint32_t oracle_kvm_leaf(const struct oracle *o)
{
	const struct oracle_base *b = oracle_base(&o->cpuid, "KVMKVMKVM");

	return (b ? b->base : CPUID_HYPER) + 1;
}

/* A leaf of Hyper-V may stand where KVM's would. */
static bool oracle_kvm_begin(const struct oracle *o, struct oracle_row *row,
			     struct oracle_feature *f)
{
	char name[32];

	fmt_snprintf(name, sizeof(name), "kvm-%s", row->name);
	row->leaf = oracle_kvm_leaf(o);
	oracle_row_begin(o, row, f);
	memcpy(f->name, name, sizeof(name));
	if (!oracle_base(&o->cpuid, "KVMKVMKVM")) {
		f->offered = false;
		oracle_set(f, ORACLE_ABSENT, "not under KVM");
	}
	return f->offered;
}

static void oracle_hypercalls(const struct oracle *o, struct oracle_feature *f)
{
	*f = (struct oracle_feature){ .name = "kvm-hypercalls", .where = "-",
				      .check = "CPUID only" };
	f->offered = oracle_base(&o->cpuid, "KVMKVMKVM");
	if (!f->offered)
		oracle_set(f, ORACLE_ABSENT, "not under KVM");
	else if (pv_on(PV_HYPERCALLS) && !pv_on(PV_IPI) && !pv_on(PV_YIELD))
		oracle_set(f, ORACLE_OFF, "nothing that needs them is on");
	else
		oracle_judge_pv(PV_HYPERCALLS, f);
}

static void oracle_kvm(const struct oracle *o,
		       void (*emit)(void *ctx, const struct oracle_feature *f),
		       void *ctx)
{
	struct oracle_row row = { .reg = ORACLE_EAX };
	struct oracle_feature f;

	for (row.bit = 0; row.bit < 32; row.bit++) {
		row.name = hyper_feature_name(row.bit);
		if (!row.name)
			continue;
		if (oracle_kvm_begin(o, &row, &f))
			oracle_judge_kvm(row.bit, &f);
		emit(ctx, &f);
	}
	oracle_hypercalls(o, &f);
	emit(ctx, &f);
	row = (struct oracle_row){ .name = "hint-realtime", .reg = ORACLE_EDX };
	if (oracle_kvm_begin(o, &row, &f))
		oracle_set(&f, ORACLE_ON, "%s", "");
	emit(ctx, &f);
}

/* ---- Hyper-V ---- */

/* Privileges: TLFS, "HvPartitionPropertyPrivilegeFlags". */
static const char *const oracle_hv[] = {
	[0] = "vp-runtime", [1] = "time-ref-count", [2] = "synic",
	[3] = "synthetic-timers", [4] = "apic-msrs", [5] = "hypercall-msrs",
	[6] = "vp-index", [9] = "reference-tsc", [11] = "frequency-msrs",
};

static void oracle_hyperv(const struct oracle *o,
			  void (*emit)(void *ctx,
				       const struct oracle_feature *f),
			  void *ctx)
{
	const struct oracle_base *b = oracle_base(&o->cpuid, "Microsoft Hv");
	struct oracle_row row = { .reg = ORACLE_EAX };
	struct oracle_feature f;
	char name[32];

	row.leaf = (b ? b->base : CPUID_HYPER) + HV_LEAF_FEATURES;
	for (row.bit = 0; row.bit < ARRAY_SIZE(oracle_hv); row.bit++) {
		if (!oracle_hv[row.bit])
			continue;
		fmt_snprintf(name, sizeof(name), "hyperv-%s",
			     oracle_hv[row.bit]);
		row.name = name;
		oracle_row_begin(o, &row, &f);
		f.offered = f.offered && b;
		if (!b)
			oracle_set(&f, ORACLE_ABSENT, "no Hyper-V interface");
		else if (f.offered)
			oracle_set(&f, ORACLE_UNUSED,
				   "not driven: Hyper-V's interface");
		emit(ctx, &f);
	}
}

void oracle_features(const struct oracle *o,
		     void (*emit)(void *ctx, const struct oracle_feature *f),
		     void *ctx)
{
	struct oracle_feature f;

	for (unsigned i = 0; i < ARRAY_SIZE(oracle_rows); i++) {
		oracle_row_judge(o, &oracle_rows[i], &f);
		emit(ctx, &f);
	}
	oracle_kvm(o, emit, ctx);
	oracle_hyperv(o, emit, ctx);
}
