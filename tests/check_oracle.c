/* SPDX-License-Identifier: MIT */
/*
 * virt/oracle*.c: CPUID of real hosts and of liars becomes leaves, feature rows,
 * verdicts and text. The kernel's side, struct oracle_facts, is made up.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/x86reg.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"
#include "tests/oracle_golden.h"
#include "virt/oraclereg.h"
#include "virt/pv.h"

/* ---- the half that only the machine has ---- */

bool kvmclock_present(void)
{
	return false;
}

uint64_t kvmclock_tsc_hz(void)
{
	return 0;
}

uint64_t pv_arch_eois(bool skipped)
{
	return 0;
}

uint64_t pv_arch_polled(void)
{
	return 0;
}

/* ---- a CPU made of leaves ---- */

#define LEAVES	64

static struct {
	struct oracle_leaf leaf[LEAVES];
	unsigned n, asked;
	bool endless;			/* every leaf is there, without end */
	bool repeats;			/* hardware: what is not there is 0xd */
} cpu;

static struct hyper_cpuid words(uint32_t leaf, uint32_t sub)
{
	cpu.asked++;
	if (cpu.endless)
		return (struct hyper_cpuid){ UINT32_MAX, UINT32_MAX,
					     UINT32_MAX, UINT32_MAX };
	for (unsigned i = 0; i < cpu.n; i++) {
		const struct oracle_leaf *l = &cpu.leaf[i];

		if (l->leaf == leaf && l->sub == sub)
			return (struct hyper_cpuid){ l->reg[0], l->reg[1],
						     l->reg[2], l->reg[3] };
	}
	if (cpu.repeats && leaf >= CPUID_HYPER && leaf < CPUID_EXTENDED)
		return words(0xd, 0);
	return (struct hyper_cpuid){ 0 };
}

static void load(const struct oracle_leaf *l, unsigned n)
{
	ck_assert_uint_le(n, LEAVES);
	memset(&cpu, 0, sizeof(cpu));
	memcpy(cpu.leaf, l, n * sizeof(*l));
	cpu.n = n;
}
#define LOAD(set)	load(set, ARRAY_SIZE(set))

/* A register of a leaf, to spoil. */
static uint32_t *word(uint32_t leaf, uint32_t sub, enum oracle_reg r)
{
	for (unsigned i = 0; i < cpu.n; i++)
		if (cpu.leaf[i].leaf == leaf && cpu.leaf[i].sub == sub)
			return &cpu.leaf[i].reg[r];
	ck_abort_msg("no leaf 0x%x.%u to spoil", leaf, sub);
	return NULL;
}

/* ---- the kernel's side ---- */

static struct oracle o;

static void kernel_is_well(void)
{
	const uint64_t cr4 = X86_CR4_PAE | X86_CR4_PGE | X86_CR4_SMEP |
			     X86_CR4_SMAP | X86_CR4_UMIP;

	o.facts = (struct oracle_facts){
		.cpus = 2, .read = 2, .cr4_all = cr4, .cr4_any = cr4,
		.efer_all = X86_EFER_NXE, .efer_any = X86_EFER_NXE,
		.apic_base_all = MSR_APIC_BASE_EXTD, .x2apic = true,
		.deadline = true, .timer = "tsc-deadline", .timer_irqs = 7,
		.tsc_counts = true, .invariant = true, .clock = "kvmclock",
		.msr_deadline = { true, true, 0 },
		.msr_pat = { true, true, UINT64_C(0x0007040600070406) },
		.msr_mtrrcap = { true, true, 0x508 },
		.msr_tsc_adjust = { true, true, 0 },
		.vm = { .pages = 100, .executable = 10, .giant = 3 },
	};
}

static void look(void)
{
	const struct oracle_base *b;
	uint32_t bits, hints;

	oracle_read(&o.cpuid, words);
	memset(&o.diffs, 0, sizeof(o.diffs));
	kernel_is_well();
	b = oracle_base(&o.cpuid, "KVMKVMKVM");
	bits = b ? oracle_word(&o.cpuid, b->base + 1, 0, ORACLE_EAX) : 0;
	hints = b ? oracle_word(&o.cpuid, b->base + 1, 0, ORACLE_EDX) : 0;
	memset(pv_status, 0, sizeof(pv_status));
	pv_parse(NULL);
	pv_decide(b != NULL, bits, hints, true);
}

#define LOOK(set)	do { LOAD(set); look(); } while (0)

static const struct {
	const char *name;
	const struct oracle_leaf *set;
	unsigned n;
} hosts[] = {
	{ "tcg", golden_tcg, ARRAY_SIZE(golden_tcg) },
	{ "kvm_amd", golden_kvm_amd, ARRAY_SIZE(golden_kvm_amd) },
	{ "kvm_intel", golden_kvm_intel, ARRAY_SIZE(golden_kvm_intel) },
	{ "hyperv", golden_hyperv, ARRAY_SIZE(golden_hyperv) },
	{ "metal", golden_metal, ARRAY_SIZE(golden_metal) },
};

static void setup(void)
{
	host_start();
	memset(&o, 0, sizeof(o));
}

static void teardown(void)
{
	host_finish();
}

/* ---- rows, by name ---- */

static struct oracle_feature found;
static const char *wanted;
static unsigned seen;

static void find_feature(void *ctx, const struct oracle_feature *f)
{
	if (strcmp(f->name, wanted))
		return;
	found = *f;
	seen++;
}

static const struct oracle_feature *feature(const char *name)
{
	wanted = name;
	seen = 0;
	oracle_features(&o, find_feature, NULL);
	ck_assert_msg(seen == 1, "%s: %u rows", name, seen);
	return &found;
}

#define STATE(name, want) \
	ck_assert_str_eq(oracle_state_name(feature(name)->state), want)

static struct {
	unsigned n, bad;
	enum oracle_verdict verdict;
	char why[160];
	char not_ok[512];		/* names of all that are not ok */
} verdicts;

static void find_check(void *ctx, const struct oracle_check *c)
{
	ck_assert_msg(c->why[0], "%s has no reason", c->name);
	if (c->verdict != ORACLE_OK) {
		size_t len = strlen(verdicts.not_ok);

		verdicts.bad++;
		snprintf(verdicts.not_ok + len, sizeof(verdicts.not_ok) - len,
			 "%s: %s; ", c->name, c->why);
	}
	if (strcmp(c->name, wanted))
		return;
	verdicts.n++;
	verdicts.verdict = c->verdict;
	memcpy(verdicts.why, c->why, sizeof(verdicts.why));
}

/* "ok", "odd", "broken", or "" when there is no such check here. */
static const char *verdict(const char *name)
{
	memset(&verdicts, 0, sizeof(verdicts));
	wanted = name;
	oracle_checks(&o, find_check, NULL);
	ck_assert_msg(verdicts.n <= 1, "%s: %u times", name, verdicts.n);
	return verdicts.n ? oracle_verdict_name(verdicts.verdict) : "";
}
#define VERDICT(name, want)	ck_assert_str_eq(verdict(name), want)

/* ---- CPUID ---- */

START_TEST(every_leaf_of_a_real_host_is_kept)
{
	LOOK(golden_tcg);
	/* all but 0xb.2, which only ends the list */
	ck_assert_uint_eq(o.cpuid.n, ARRAY_SIZE(golden_tcg) - 1);
	LOOK(golden_kvm_amd);
	ck_assert_uint_eq(o.cpuid.n, ARRAY_SIZE(golden_kvm_amd));
	LOOK(golden_kvm_intel);
	ck_assert_uint_eq(o.cpuid.n, ARRAY_SIZE(golden_kvm_intel));
	ck_assert(!o.cpuid.cut);
	for (unsigned i = 0; i < o.cpuid.n; i++) {
		const struct oracle_leaf *l = &o.cpuid.leaf[i];

		for (unsigned r = 0; r < 4; r++)
			ck_assert_uint_eq(l->reg[r], *word(l->leaf, l->sub, r));
	}
}
END_TEST

START_TEST(each_xsave_component_has_its_subleaf)
{
	static const unsigned there[] = { 0, 1, 2, 5, 6, 7, 9, 11, 12, 17, 18 };
	unsigned n = 0;

	LOOK(golden_kvm_intel);
	for (unsigned i = 0; i < o.cpuid.n; i++)
		n += o.cpuid.leaf[i].leaf == CPUID_XSAVE;
	ck_assert_uint_eq(n, ARRAY_SIZE(there));
	for (unsigned i = 0; i < ARRAY_SIZE(there); i++)
		ck_assert_ptr_nonnull(oracle_find(&o.cpuid, 0xd, there[i]));
}
END_TEST

START_TEST(an_interface_behind_the_first_is_found)
{
	LOOK(golden_hyperv);
	ck_assert_uint_eq(o.cpuid.bases, 2);
	ck_assert_str_eq(o.cpuid.base[0].letters, "Microsoft Hv");
	ck_assert_uint_eq(oracle_base(&o.cpuid, "KVMKVMKVM")->base, 0x40000100);
	ck_assert_uint_eq(oracle_word(&o.cpuid, 0x40000101, 0, ORACLE_EAX),
			  0x1007afb);
	/* the very last place, too */
	*word(0x40000100, 0, ORACLE_EAX) = 0x4000ff01;
	for (unsigned i = 0; i < cpu.n; i++)
		if (cpu.leaf[i].leaf >= 0x40000100 &&
		    cpu.leaf[i].leaf < CPUID_EXTENDED)
			cpu.leaf[i].leaf += 0xfe00;
	look();
	ck_assert_uint_eq(oracle_base(&o.cpuid, "KVMKVMKVM")->base, 0x4000ff00);
}
END_TEST

START_TEST(bare_metal_has_no_interface)
{
	LOAD(golden_metal);
	cpu.repeats = true;
	look();
	ck_assert_uint_eq(o.cpuid.bases, 0);
	VERDICT("hypervisor_bit", "ok");
	STATE("hypervisor", "absent");
	/* nor do its repeated words look like one, with the bit set */
	*word(1, 0, ORACLE_ECX) |= CPUID_1_ECX_GUEST;
	look();
	ck_assert_uint_eq(o.cpuid.bases, 1);
	ck_assert_uint_eq(o.cpuid.base[0].base, CPUID_HYPER);
}
END_TEST

START_TEST(a_hidden_hypervisor_is_found)
{
	LOAD(golden_kvm_amd);
	*word(1, 0, ORACLE_ECX) &= ~CPUID_1_ECX_GUEST;
	look();
	ck_assert_uint_eq(o.cpuid.bases, 1);
	VERDICT("hypervisor_bit", "odd");
	ck_assert_ptr_nonnull(strstr(verdicts.why, "KVMKVMKVM"));
}
END_TEST

START_TEST(leaves_without_end_are_read_up_to_an_end)
{
	memset(&cpu, 0, sizeof(cpu));
	cpu.endless = true;
	look();
	ck_assert_uint_lt(cpu.asked, 1000);
	ck_assert_uint_le(o.cpuid.n, ORACLE_LEAVES);
	ck_assert_uint_eq(o.cpuid.bases, 1);
	VERDICT("basic_range", "odd");
	VERDICT("extended_range", "odd");
	VERDICT("hypervisor_range", "odd");
	VERDICT("hypervisor_letters", "odd");
}
END_TEST

START_TEST(more_than_is_kept_is_said_to_be_cut)
{
	LOAD(golden_hyperv);
	for (unsigned i = 2; i <= 6; i++)
		cpu.leaf[cpu.n++] = (struct oracle_leaf){
			0x40000000 + i * 0x100, 0, { 0, KVM_LETTERS } };
	look();
	ck_assert_uint_eq(o.cpuid.bases, ORACLE_BASES);
	ck_assert(o.cpuid.cut);
	VERDICT("inventory", "odd");
	VERDICT("hypervisor_once", "odd");
}
END_TEST

START_TEST(a_cpu_may_differ_in_its_own_ids_only)
{
	LOOK(golden_kvm_intel);
	*word(1, 0, ORACLE_EBX) ^= 0xff000000;
	*word(0xb, 0, ORACLE_EDX) = 3;
	*word(0xb, 1, ORACLE_EDX) = 3;
	*word(0x1f, 0, ORACLE_EDX) = 3;
	oracle_compare(&o.cpuid, 1, words, &o.diffs);
	ck_assert_uint_eq(o.diffs.n, 0);
	VERDICT("cpus_alike", "ok");

	*word(7, 0, ORACLE_EBX) ^= BIT(7);
	*word(1, 0, ORACLE_EBX) ^= 0x00010000;
	oracle_compare(&o.cpuid, 1, words, &o.diffs);
	ck_assert_uint_eq(o.diffs.n, 2);
	ck_assert_uint_eq(o.diffs.diff[0].leaf, 1);
	ck_assert_uint_eq(o.diffs.diff[1].leaf, 7);
	ck_assert_uint_eq(o.diffs.diff[1].cpu, 1);
	ck_assert_int_eq(o.diffs.diff[1].reg, ORACLE_EBX);
	ck_assert_uint_eq(o.diffs.diff[1].boot ^ o.diffs.diff[1].here, BIT(7));
	VERDICT("cpus_alike", "odd");
}
END_TEST

START_TEST(differences_beyond_those_kept_are_counted)
{
	LOOK(golden_kvm_intel);
	cpu.endless = true;
	oracle_compare(&o.cpuid, 1, words, &o.diffs);
	ck_assert_uint_gt(o.diffs.n, ORACLE_DIFFS);
}
END_TEST

/* ---- features ---- */

static char names[128][32];
static unsigned nnames;

static void check_feature(void *ctx, const struct oracle_feature *f)
{
	bool silent = f->state == ORACLE_ON || f->state == ORACLE_USED;

	for (unsigned i = 0; i < nnames; i++)
		ck_assert_msg(strcmp(names[i], f->name), "%s twice", f->name);
	ck_assert_uint_lt(nnames, ARRAY_SIZE(names));
	memcpy(names[nnames++], f->name, sizeof(f->name));
	ck_assert_uint_lt(f->state, ORACLE_STATES);
	ck_assert_msg(silent == !f->why[0], "%s is %s, why: \"%s\"", f->name,
		      oracle_state_name(f->state), f->why);
	ck_assert_msg(f->offered == (f->state != ORACLE_ABSENT),
		      "%s is %s", f->name, oracle_state_name(f->state));
	ck_assert(f->check[0]);
}

/* The kernel's side zeroed is a machine that kept no promise. */
START_TEST(every_row_has_a_name_of_its_own_a_state_and_a_reason)
{
	unsigned rows = 0;

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(hosts); i++) {
		load(hosts[i / 2].set, hosts[i / 2].n);
		look();
		if (i & 1)
			o.facts = (struct oracle_facts){ .timer = "none" };
		nnames = 0;
		oracle_features(&o, check_feature, NULL);
		ck_assert(!rows || nnames == rows);
		rows = nnames;
	}
	ck_assert_uint_gt(rows, 50);
}
END_TEST

START_TEST(what_cpuid_does_not_say_is_absent)
{
	LOOK(golden_tcg);
	STATE("x2apic", "absent");
	ck_assert_str_eq(found.why, "CPUID 0x1 ecx bit 21 is clear");
	STATE("tsc-deadline", "absent");
	STATE("invariant-tsc", "absent");
	ck_assert_str_eq(found.why, "CPUID has no leaf 0x80000007");
	STATE("kvm-pv-eoi", "absent");
	ck_assert_str_eq(found.why, "not under KVM");
	STATE("smep", "on");
	LOAD(golden_tcg);
	*word(7, 0, ORACLE_EBX) &= ~BIT(7);
	look();
	STATE("smep", "absent");
}
END_TEST

START_TEST(control_registers_decide_about_protections)
{
	LOOK(golden_kvm_amd);
	STATE("smep", "on");
	STATE("smap", "on");
	STATE("umip", "on");
	ck_assert(found.proven);
	o.facts.cr4_all &= ~(uint64_t)X86_CR4_SMEP;
	STATE("smep", "broken");
	ck_assert_str_eq(found.why, "CR4 has it on some CPUs only");
	VERDICT("works_smep", "broken");
	o.facts.cr4_any &= ~(uint64_t)X86_CR4_SMEP;
	STATE("smep", "broken");
	ck_assert_str_eq(found.why, "offered, but CR4 refused it");
	STATE("smap", "on");
	VERDICT("works_smap", "");
}
END_TEST

START_TEST(nx_is_judged_by_the_page_tables_too)
{
	LOOK(golden_kvm_amd);
	STATE("nx", "used");
	ck_assert_uint_eq(found.count, 90);
	o.facts.vm.writable_executable = 1;
	STATE("nx", "off");
	o.facts.vm = (struct vm_audit){ .pages = 5, .executable = 5 };
	STATE("nx", "off");
	o.facts.efer_all = 0;
	STATE("nx", "broken");
	o.facts.efer_any = 0;
	VERDICT("nx", "broken");
}
END_TEST

START_TEST(the_deadline_timer_is_used_on_off_or_broken)
{
	LOOK(golden_kvm_amd);
	STATE("tsc-deadline", "used");
	ck_assert_uint_eq(found.count, 7);
	o.facts.timer_irqs = 0;
	STATE("tsc-deadline", "on");
	o.facts.deadline = false;
	o.facts.timer = "lapic-oneshot";
	STATE("tsc-deadline", "off");
	ck_assert_ptr_nonnull(strstr(found.why, "lapic-oneshot"));
	VERDICT("tsc_deadline_msr", "ok");
	o.facts.msr_deadline.answers = false;
	STATE("tsc-deadline", "broken");
	VERDICT("tsc_deadline_msr", "broken");
	o.facts.msr_deadline.tried = false;
	VERDICT("tsc_deadline_msr", "");
}
END_TEST

START_TEST(other_promises_are_judged_by_what_was_tried)
{
	LOOK(golden_kvm_intel);
	STATE("x2apic", "on");
	STATE("invariant-tsc", "used");
	STATE("tsc", "used");
	STATE("pat", "used");
	STATE("1gib-pages", "used");
	STATE("mtrr", "unused");
	STATE("tsc-adjust", "unused");
	STATE("vmx", "unused");
	o.facts.apic_base_all = 0;
	STATE("x2apic", "broken");
	o.facts.x2apic = false;
	STATE("x2apic", "off");
	o.facts.skewed = 1;
	STATE("invariant-tsc", "broken");
	VERDICT("tsc_skew", "broken");
	o.facts.invariant = false;
	STATE("invariant-tsc", "off");
	o.facts.tsc_counts = false;
	STATE("tsc", "broken");
	o.facts.msr_pat.val |= MSR_PAT_PA3;
	STATE("pat", "broken");
	o.facts.msr_pat.answers = false;
	STATE("pat", "broken");
	VERDICT("pat_msr", "broken");
	o.facts.vm.giant = 0;
	STATE("1gib-pages", "off");
	o.facts.msr_mtrrcap.answers = false;
	STATE("mtrr", "broken");
	o.facts.msr_tsc_adjust.answers = false;
	STATE("tsc-adjust", "broken");
}
END_TEST

START_TEST(kvm_features_are_what_pv_says)
{
	LOOK(golden_kvm_amd);
	STATE("kvm-pv-eoi", "on");
	pv_status[PV_EOI].count = 12;
	STATE("kvm-pv-eoi", "used");
	ck_assert_uint_eq(found.count, 12);
	STATE("kvm-poll-control", "off");
	STATE("kvm-nop-io-delay", "unused");
	ck_assert_ptr_nonnull(strstr(found.why, "not driven"));
	STATE("kvm-async-pf", "on");
	STATE("kvm-clocksource-stable", "on");
	STATE("kvm-hypercalls", "on");
	pv_break(PV_HYPERCALLS, "nobody answers");
	STATE("kvm-hypercalls", "broken");
	STATE("kvm-pv-send-ipi", "broken");
	ck_assert_ptr_nonnull(strstr(found.why, "nobody answers"));
	VERDICT("works_kvm-pv-send-ipi", "broken");
	pv_allow(PV_APF, false);
	STATE("kvm-async-pf", "off");
	STATE("kvm-async-pf-int", "off");
	STATE("kvm-hint-realtime", "absent");
	LOOK(golden_kvm_intel);
	STATE("kvm-hint-realtime", "on");
	STATE("kvm-msi-ext-dest-id", "unused");
}
END_TEST

/* Offered, and pv.c did without: that is not absent. */
START_TEST(an_offer_that_was_not_taken_is_off)
{
	LOAD(golden_kvm_amd);
	*word(0x40000001, 0, ORACLE_EAX) &= ~BIT(KVM_BIT_ASYNC_PF);
	look();
	STATE("kvm-async-pf", "absent");
	STATE("kvm-async-pf-int", "off");
	VERDICT("kvm_async_pf_int", "odd");
}
END_TEST

START_TEST(behind_hyper_v_rows_name_the_leaf_that_was_read)
{
	LOOK(golden_hyperv);
	ck_assert_str_eq(feature("kvm-pv-eoi")->where, "40000101.eax.6");
	STATE("kvm-pv-eoi", "on");
	STATE("hyperv-reference-tsc", "unused");
	STATE("hyperv-synic", "absent");
	LOOK(golden_kvm_amd);
	STATE("hyperv-reference-tsc", "absent");
	ck_assert_str_eq(found.why, "no Hyper-V interface");
	/* a leaf of that number that is somebody else's */
	LOAD(golden_kvm_intel);
	cpu.leaf[cpu.n++] = (struct oracle_leaf){ 0x40000003, 0, { 0x200 } };
	look();
	STATE("hyperv-reference-tsc", "absent");
	ck_assert(!found.offered);
}
END_TEST

/* ---- verdicts ---- */

START_TEST(nothing_is_odd_about_real_hosts)
{
	for (unsigned i = 0; i < ARRAY_SIZE(hosts); i++) {
		load(hosts[i].set, hosts[i].n);
		look();
		verdict("");
		ck_assert_msg(!verdicts.bad, "%s: %s", hosts[i].name,
			      verdicts.not_ok);
	}
}
END_TEST

/* One word of a host spoiled, and the verdict that notices. */
static const struct {
	const char *check, *want;
	uint32_t leaf;
	enum oracle_reg reg;
	uint32_t flip;
} lies[] = {
	{ "basic_range", "broken", 0x0, ORACLE_EAX, 0x1f },
	{ "basic_range", "odd", 0x0, ORACLE_EAX, 0x40000000 },
	{ "extended_range", "broken", 0x80000000, ORACLE_EAX, 0x80000008 },
	{ "extended_range", "odd", 0x80000000, ORACLE_EAX, 0x7fff0000 },
	{ "long_mode", "broken", 0x80000001, ORACLE_EDX, BIT(29) },
	{ "nx", "odd", 0x80000001, ORACLE_EDX, BIT(20) },
	{ "address_sizes", "odd", 0x80000008, ORACLE_EAX, 0x40 },
	{ "address_sizes", "odd", 0x80000008, ORACLE_EAX, 0x1000 },
	{ "osxsave", "broken", 0x1, ORACLE_ECX, BIT(27) },
	{ "avx_has_xsave", "odd", 0x1, ORACLE_ECX, BIT(26) },
	{ "svm_has_leaf", "odd", 0x80000001, ORACLE_ECX, BIT(2) },
	{ "hypervisor_range", "odd", 0x40000000, ORACLE_EAX, 0x10000000 },
	{ "hypervisor_range", "odd", 0x40000000, ORACLE_EAX, 0x40000010 },
	{ "kvm_bits", "odd", 0x40000001, ORACLE_EAX, BIT(8) },
	{ "kvm_hints", "odd", 0x40000001, ORACLE_EDX, BIT(7) },
	{ "kvm_async_pf_int", "odd", 0x40000001, ORACLE_EAX,
	  BIT(KVM_BIT_ASYNC_PF) },
	{ "kvm_async_pf_vmexit", "odd", 0x40000001, ORACLE_EAX,
	  BIT(KVM_BIT_ASYNC_PF) },
	{ "kvm_pv_tlb_flush", "odd", 0x40000001, ORACLE_EAX,
	  BIT(KVM_BIT_STEAL_TIME) },
	{ "kvm_pv_sched_yield", "odd", 0x40000001, ORACLE_EAX,
	  BIT(KVM_BIT_STEAL_TIME) },
	{ "kvm_clock_stable", "odd", 0x40000001, ORACLE_EAX,
	  BIT(KVM_BIT_CLOCKSOURCE2) },
};

START_TEST(each_lie_is_noticed)
{
	LOAD(golden_kvm_intel);
	*word(lies[_i].leaf, 0, lies[_i].reg) ^= lies[_i].flip;
	look();
	ck_assert_msg(!strcmp(verdict(lies[_i].check), lies[_i].want),
		      "%s: \"%s\"", lies[_i].check, verdict(lies[_i].check));
}
END_TEST

START_TEST(a_feature_without_its_leaf_is_odd)
{
	LOAD(golden_kvm_amd);
	*word(0, 0, ORACLE_EAX) = 0xa;
	look();
	VERDICT("x2apic_has_leaf", "odd");
	VERDICT("xsave_has_leaf", "odd");
}
END_TEST

/* Old KVMs say 0 for the highest leaf; the features are there all the same. */
START_TEST(letters_without_leaves_are_odd_but_read)
{
	LOAD(golden_kvm_amd);
	*word(0x40000000, 0, ORACLE_EAX) = 0;
	look();
	VERDICT("hypervisor_range", "odd");
	STATE("kvm-pv-eoi", "on");
	cpu.n--;
	look();
	STATE("kvm-pv-eoi", "absent");
	VERDICT("kvm_bits", "ok");
}
END_TEST

START_TEST(cpus_that_are_not_who_they_say_are_broken)
{
	LOOK(golden_kvm_amd);
	VERDICT("apic_ids", "ok");
	VERDICT("cpus_answer", "");
	o.facts.ids_wrong = 1;
	o.facts.wrong_cpu = 1;
	VERDICT("apic_ids", "broken");
	o.facts.read = 1;
	VERDICT("cpus_answer", "broken");
}
END_TEST

static void witness(enum clock_source s, uint64_t hz, uint64_t doubt)
{
	o.facts.witness[o.facts.witnesses++] = (struct clock_witness){
		.source = s, .hz = hz, .doubt = doubt, .base = doubt ? 1 : 0 };
}

START_TEST(a_frequency_that_was_told_is_compared_with_the_measured_one)
{
	LOOK(golden_kvm_intel);
	witness(CLOCK_CPUID, 2500000000, 0);
	witness(CLOCK_LEAF, 2503000000, 0);
	witness(CLOCK_KVMCLOCK, 2497000000, 0);
	witness(CLOCK_NOMINAL, 2900000000, 0);
	VERDICT("tsc_hz_leaf_15", "");	/* nobody measured */
	witness(CLOCK_PIT, 2600000000, 50000000);
	VERDICT("tsc_hz_leaf_15", "ok");	/* within his doubt */
	witness(CLOCK_HPET, 2500000100, 1000);
	witness(CLOCK_KVMCLOCK, 2497000000, 1);	/* no judge in its own case */
	VERDICT("tsc_hz_leaf_15", "ok");
	VERDICT("tsc_hz_leaf_40000010", "odd");
	ck_assert_ptr_nonnull(strstr(verdicts.why, "hpet"));
	VERDICT("tsc_hz_kvmclock", "odd");
	ck_assert_ptr_nonnull(strstr(verdicts.why, "-1200 ppm"));
}
END_TEST

/* ---- output ---- */

START_TEST(the_table_fits_a_hundred_columns)
{
	unsigned lines = 0;

	LOOK(golden_kvm_intel);
	cpu.endless = true;
	oracle_compare(&o.cpuid, 1, words, &o.diffs);
	pv_break(PV_HYPERCALLS, "%s", "a reason that is as long as reasons "
		 "can be, which is some ninety-six bytes, and then some more");
	oracle_print(&o);
	oracle_print_cpuid(&o);
	for (const char *p = host_console(); *p; lines++) {
		size_t n = strcspn(p, "\n");

		ck_assert_msg(n <= 100, "%.*s", (int)n, p);
		ck_assert_msg(!n || p[n - 1] != ' ', "blank at the end: %.*s",
			      (int)n, p);
		p += n + (p[n] == '\n');
	}
	ck_assert_uint_gt(lines, 100);
}
END_TEST

static unsigned occurrences(const char *what)
{
	unsigned n = 0;

	for (const char *p = host_console(); (p = strstr(p, what)); p++)
		n++;
	return n;
}

START_TEST(lines_for_programs_hold_every_row)
{
	LOOK(golden_kvm_intel);
	cpu.endless = true;
	oracle_compare(&o.cpuid, 1, words, &o.diffs);
	oracle_json(&o);
	ck_assert_uint_eq(occurrences("overflow"), 0);
	ck_assert_uint_eq(occurrences("{\"leaf\":"), o.cpuid.n);
	ck_assert_uint_eq(occurrences("{\"cpu\":"), ORACLE_DIFFS);
	nnames = 0;
	oracle_features(&o, check_feature, NULL);
	ck_assert_uint_eq(occurrences("{\"name\":"), nnames);
	ck_assert_uint_gt(occurrences("{\"check\":"), 20);
	ck_assert_ptr_nonnull(strstr(host_console(),
		"\"interfaces\":[{\"base\":\"0x40000000\",\"max\":\"0x40000010\""
		",\"letters\":\"KVMKVMKVM\",\"name\":\"KVM\"}]}\n"));
}
END_TEST

int main(void)
{
	TCase *t = suite_group("cpuid", setup, teardown, 0);

	tcase_add_test(t, every_leaf_of_a_real_host_is_kept);
	tcase_add_test(t, each_xsave_component_has_its_subleaf);
	tcase_add_test(t, an_interface_behind_the_first_is_found);
	tcase_add_test(t, bare_metal_has_no_interface);
	tcase_add_test(t, a_hidden_hypervisor_is_found);
	tcase_add_test(t, leaves_without_end_are_read_up_to_an_end);
	tcase_add_test(t, more_than_is_kept_is_said_to_be_cut);
	tcase_add_test(t, a_cpu_may_differ_in_its_own_ids_only);
	tcase_add_test(t, differences_beyond_those_kept_are_counted);
	t = suite_group("features", setup, teardown, 0);
	tcase_add_test(t, every_row_has_a_name_of_its_own_a_state_and_a_reason);
	tcase_add_test(t, what_cpuid_does_not_say_is_absent);
	tcase_add_test(t, control_registers_decide_about_protections);
	tcase_add_test(t, nx_is_judged_by_the_page_tables_too);
	tcase_add_test(t, the_deadline_timer_is_used_on_off_or_broken);
	tcase_add_test(t, other_promises_are_judged_by_what_was_tried);
	tcase_add_test(t, kvm_features_are_what_pv_says);
	tcase_add_test(t, an_offer_that_was_not_taken_is_off);
	tcase_add_test(t, behind_hyper_v_rows_name_the_leaf_that_was_read);
	t = suite_group("verdicts", setup, teardown, 0);
	tcase_add_test(t, nothing_is_odd_about_real_hosts);
	tcase_add_loop_test(t, each_lie_is_noticed, 0, ARRAY_SIZE(lies));
	tcase_add_test(t, a_feature_without_its_leaf_is_odd);
	tcase_add_test(t, letters_without_leaves_are_odd_but_read);
	tcase_add_test(t, cpus_that_are_not_who_they_say_are_broken);
	tcase_add_test(t,
		a_frequency_that_was_told_is_compared_with_the_measured_one);
	t = suite_group("output", setup, teardown, 0);
	tcase_add_test(t, the_table_fits_a_hundred_columns);
	tcase_add_test(t, lines_for_programs_hold_every_row);
	return suite_run("oracle");
}
