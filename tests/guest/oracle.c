/* SPDX-License-Identifier: MIT */
/*
 * The oracle against the machine it speaks of. Its rows come from what it read on
 * every CPU; these tests read the registers again, another way, and count the
 * CPUs themselves. One could be fooled by a row that says what was wanted
 * instead of what is: so each state is compared with a register, in both
 * directions.
 */
#include "core/call.h"
#include "core/cpu.h"
#include "core/lapic.h"
#include "core/report.h"
#include "core/string.h"
#include "core/x86.h"
#include "core/x86reg.h"
#include "virt/hyper.h"
#include "virt/oracle.h"
#include "virt/pv.h"

/* ---- rows ---- */

#define ORACLE_ROWS_MAX	96

/* All rows of the oracle's last answer: text is costly on some hosts. */
static struct {
	struct oracle_feature f[ORACLE_ROWS_MAX];
	unsigned n;
} oracle_kept;

static void oracle_keep_row(void *ctx, const struct oracle_feature *f)
{
	if (oracle_kept.n < ORACLE_ROWS_MAX)
		oracle_kept.f[oracle_kept.n] = *f;
	oracle_kept.n++;
}

static void oracle_keep_rows(struct ktest_run *t)
{
	oracle_kept.n = 0;
	oracle_features(oracle_look(), oracle_keep_row, NULL);
	KEXPECT(t, oracle_kept.n && oracle_kept.n <= ORACLE_ROWS_MAX);
}

static const struct oracle_feature *oracle_row_of(struct ktest_run *t,
						  const char *name)
{
	static const struct oracle_feature none;
	const struct oracle_feature *f = &none;
	unsigned found = 0;

	for (unsigned i = 0; i < MIN(oracle_kept.n, (unsigned)ORACLE_ROWS_MAX);
	     i++)
		if (strcmp(oracle_kept.f[i].name, name) == 0) {
			f = &oracle_kept.f[i];
			found++;
		}
	KEXPECT_MSG(t, found == 1, "%u rows are called %s", found, name);
	return f;
}

static bool oracle_row_is_on(const struct oracle_feature *f)
{
	return f->state == ORACLE_ON || f->state == ORACLE_USED;
}

/* On, exactly where the register has the bit. */
static void oracle_expect(struct ktest_run *t, const char *name, bool set)
{
	const struct oracle_feature *f = oracle_row_of(t, name);

	KEXPECT_MSG(t, oracle_row_is_on(f) == set,
		    "%s is %s (%s), but its register has %u", name,
		    oracle_state_name(f->state), f->why, set);
}

KTEST(virt, what_the_oracle_calls_on_is_on_in_its_register)
{
	uint64_t cr4 = x86_cr4();

	oracle_keep_rows(t);
	oracle_expect(t, "pae", cr4 & X86_CR4_PAE);
	oracle_expect(t, "pge", cr4 & X86_CR4_PGE);
	oracle_expect(t, "smep", cr4 & X86_CR4_SMEP);
	oracle_expect(t, "smap", cr4 & X86_CR4_SMAP);
	oracle_expect(t, "umip", cr4 & X86_CR4_UMIP);
	oracle_expect(t, "nx", x86_rdmsr(X86_MSR_EFER) & X86_EFER_NXE);
	oracle_expect(t, "x2apic", lapic_x2());
	oracle_expect(t, "tsc-deadline",
		      lapic_tick().mode == TICK_DEADLINE);
}

KTEST(virt, the_oracle_says_of_kvm_what_pv_says)
{
	const struct oracle_feature *f;
	char name[32] = "kvm-";

	oracle_keep_rows(t);
	for (unsigned i = 0; i < PV_FEATURES; i++) {
		enum pv_feature p = (enum pv_feature)i;
		const char *word = pv_bit(p) < 0 ? NULL :
				   hyper_feature_name((unsigned)pv_bit(p));

		if (!word)
			continue;
		memcpy(name + 4, word, strlen(word) + 1);
		f = oracle_row_of(t, name);
		KEXPECT_MSG(t, oracle_row_is_on(f) == pv_on(p),
			    "%s is %s, virt/pv.c says %s", name,
			    oracle_state_name(f->state), pv_state_name(p));
		KEXPECT_EQ(t, f->state == ORACLE_BROKEN,
			   pv_status[p].state == PV_BROKEN);
	}
}

static void oracle_expect_why(void *ctx, const struct oracle_feature *f)
{
	struct ktest_run *t = ctx;

	KEXPECT_MSG(t, oracle_row_is_on(f) == !f->why[0], "%s is %s: \"%s\"",
		    f->name, oracle_state_name(f->state), f->why);
	KEXPECT_MSG(t, f->offered == (f->state != ORACLE_ABSENT),
		    "%s is %s, offered: %u", f->name,
		    oracle_state_name(f->state), f->offered);
}

KTEST(virt, every_feature_that_is_not_on_has_a_reason)
{
	oracle_features(oracle_look(), oracle_expect_why, t);
}

/* ---- CPUs ---- */

/* One CPU's leaves 0, 1 and 7, without what is its own. */
static uint32_t oracle_sums[CPU_MAX];

static void oracle_sum_here(void *arg)
{
	struct x86_cpuid a = x86_cpuid(0, 0), b = x86_cpuid(1, 0), c = { 0 };

	if (a.eax >= 7)
		c = x86_cpuid(7, 0);
	oracle_sums[cpu_id()] = a.eax ^ a.ebx ^ b.eax ^ b.ecx * 3 ^ b.edx * 5 ^
				c.ebx * 7 ^ c.ecx * 9 ^ c.edx * 11;
}

KTEST(virt, every_cpu_is_asked_by_the_oracle_and_agrees)
{
	const struct oracle *o = oracle_look();
	bool alike = true;

	KEXPECT_EQ(t, o->facts.read, cpu_count());
	KEXPECT_EQ(t, o->facts.ids_wrong, 0);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		KASSERT(t, !call_cpu(cpu, oracle_sum_here, NULL));
		alike &= oracle_sums[cpu] == oracle_sums[0];
	}
	if (!alike)
		KEXPECT(t, o->diffs.n != 0);
	for (unsigned i = 0; i < MIN(o->diffs.n, (unsigned)ORACLE_DIFFS); i++)
		KEXPECT_MSG(t, false, "CPU %u: leaf 0x%x.%u %s is 0x%x, not "
			    "0x%x", o->diffs.diff[i].cpu, o->diffs.diff[i].leaf,
			    o->diffs.diff[i].sub,
			    oracle_reg_name(o->diffs.diff[i].reg),
			    o->diffs.diff[i].here, o->diffs.diff[i].boot);
}

/* ---- CPUID ---- */

KTEST(virt, the_oracle_s_leaves_are_the_machine_s)
{
	const struct oracle *o = oracle_look();
	struct x86_cpuid r = x86_cpuid(0x80000001, 0);

	KEXPECT(t, !o->cpuid.cut);
	KEXPECT_EQ(t, oracle_word(&o->cpuid, 0x80000001, 0, ORACLE_EDX), r.edx);
	KEXPECT_EQ(t, oracle_word(&o->cpuid, 0, 0, ORACLE_EAX),
		   x86_cpuid(0, 0).eax);
	if (hyper.kind == HYPER_NONE)
		return;
	KASSERT(t, o->cpuid.bases != 0);
	KEXPECT(t, oracle_base(&o->cpuid, hyper.signature) != NULL);
	if (hyper.kind == HYPER_KVM)
		KEXPECT_EQ(t, oracle_word(&o->cpuid,
			   oracle_base(&o->cpuid, hyper.signature)->base + 1, 0,
			   ORACLE_EAX), hyper.features);
}

/* ---- what a host must not do ---- */

static void oracle_expect_kept(void *ctx, const struct oracle_check *c)
{
	struct ktest_run *t = ctx;

	/* What virt/pv.c found broken is its own tests' business. */
	if (strncmp(c->name, "works_kvm-", 10) == 0)
		return;
	KEXPECT_MSG(t, c->verdict != ORACLE_BAD, "%s: %s", c->name, c->why);
}

KTEST(virt, no_promise_of_the_processor_is_broken)
{
	oracle_checks(oracle_look(), oracle_expect_kept, t);
}
