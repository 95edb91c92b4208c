/* SPDX-License-Identifier: MIT */
/*
 * virt/pv.c and the features behind it (pv_hypercall, pv_steal, pv_eoi, pv_tlb,
 * pv_ipi, pv_yield, pv_apf, pv_poll) against a hypervisor that is the fake
 * below: it answers as KVM's documents say, or lies in a way that the test
 * chooses.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/page.h"
#include "sched/sched.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"
#include "virt/pv.h"

#define ALL_BITS	0x01007efbu
#define MSRS		8
#define CALLS		64

/* ---- the fake hypervisor ---- */

enum lie {
	HONEST,
	UD_VMCALL,		/* this instruction is the other vendor's */
	UD_BOTH,
	PATCHES,		/* page fault when it patches the instruction */
	PATCHES_VMCALL,		/* and only this one, the other vendor's */
	SILENT,			/* never answers */
	ANSWERS_ZERO,		/* to a number that nobody defines */
	SHORT,			/* SEND_IPI: one CPU less than asked for */
	TOO_MANY,		/* SEND_IPI: more than asked for */
	NO_IPI,			/* SEND_IPI and SCHED_YIELD: not here */
	DIES_LATER,		/* silent after the probes */
};

static struct {
	enum lie lie;
	bool amd;
	uint32_t faulting_msr;
	struct {
		uint32_t msr;
		uint64_t val;
	} msr[MSRS];
	unsigned nmsrs, watched, unwatched, halts, deaf_halts;
	struct {
		enum pv_insn insn;
		uint64_t nr, arg[4];
	} call[CALLS];
	unsigned ncalls;
	void (*on_halt)(void);
} hv;

bool pv_arch_wrmsr(uint32_t msr, uint64_t val)
{
	if (msr == hv.faulting_msr)
		return false;
	hv.msr[hv.nmsrs % MSRS].msr = msr;
	hv.msr[hv.nmsrs++ % MSRS].val = val;
	return true;
}

bool pv_arch_is_amd(void)
{
	return hv.amd;
}

void pv_arch_halt(void)
{
	hv.halts++;
	hv.deaf_halts += cpu_irqs_on();
	if (hv.on_halt)
		hv.on_halt();
	host_time_advance(NSEC_PER_MSEC);
}

uint64_t pv_arch_eois(bool skipped)
{
	return skipped ? 3 : 4;
}

uint64_t pv_arch_polled(void)
{
	return 7;
}

static int64_t hv_send_ipi(const uint64_t arg[4])
{
	int64_t n = __builtin_popcountll(arg[0]) +
		    __builtin_popcountll(arg[1]);

	if (hv.lie == NO_IPI)
		return -KVM_ENOSYS;
	return n && hv.lie == SHORT ? n - 1 : n && hv.lie == TOO_MANY ? n + 1 : n;
}

enum pv_answer pv_arch_hypercall(enum pv_insn insn, uint64_t nr,
				 const uint64_t arg[4], bool watched,
				 int64_t *ret)
{
	*(watched ? &hv.watched : &hv.unwatched) += 1;
	ck_assert_uint_lt(hv.ncalls, CALLS);
	hv.call[hv.ncalls].insn = insn;
	hv.call[hv.ncalls].nr = nr;
	memcpy(hv.call[hv.ncalls++].arg, arg, 4 * sizeof(*arg));
	if (hv.lie == UD_BOTH || (hv.lie == UD_VMCALL && insn == PV_VMCALL))
		return PV_FAULTED;
	if (hv.lie == PATCHES ||
	    (hv.lie == PATCHES_VMCALL && insn == PV_VMCALL))
		return PV_PATCHED;
	/* An unwatched call that is not answered would hang the machine. */
	if (hv.lie == SILENT) {
		ck_assert(watched);
		return PV_STUCK;
	}
	if (hv.lie == DIES_LATER && !watched)
		return PV_FAULTED;
	*ret = -KVM_ENOSYS;
	if (nr == KVM_HC_SEND_IPI)
		*ret = hv_send_ipi(arg);
	else if (nr == KVM_HC_SCHED_YIELD && hv.lie != NO_IPI)
		*ret = 0;
	else if (hv.lie == ANSWERS_ZERO)
		*ret = 0;
	return PV_ANSWERED;
}

static struct pv_apf_page *apf;

static void decide(const char *pv, uint32_t bits, uint32_t hints)
{
	memset(pv_status, 0, sizeof(pv_status));
	ck_assert_uint_eq(pv_parse(pv), 0);
	pv_decide(true, bits, hints, true);
}

static void setup(void)
{
	host_start();
	host_set_cpus(4);
	memset(&hv, 0, sizeof(hv));
	decide(NULL, ALL_BITS, 0);
}

static void teardown(void)
{
	host_finish();
}

static void expect(enum pv_feature f, enum pv_state state, const char *why)
{
	ck_assert_msg(pv_status[f].state == state, "%s: %s (%s)", pv_name(f),
		      pv_state_name(f), pv_status[f].why);
	if (why)
		ck_assert_msg(strstr(pv_status[f].why, why), "%s: %s",
			      pv_name(f), pv_status[f].why);
}

/* ---- pv= and the decision ---- */

START_TEST(without_pv_what_is_offered_and_helps_is_on)
{
	for (unsigned f = 0; f < PV_FEATURES; f++)
		if (f != PV_HALTPOLL)
			expect(f, PV_ON, "");
	expect(PV_HALTPOLL, PV_OFF, "no REALTIME hint");
}
END_TEST

START_TEST(a_clear_bit_means_absent_and_says_which)
{
	static const struct { enum pv_feature f; int bit; } bits[] = {
		{ PV_KVMCLOCK, 3 }, { PV_STEAL, 5 }, { PV_EOI, 6 },
		{ PV_TLB, 9 }, { PV_IPI, 11 }, { PV_HALTPOLL, 12 },
		{ PV_YIELD, 13 }, { PV_APF, 14 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++) {
		decide("all", ALL_BITS & ~BIT(bits[i].bit), 0);
		expect(bits[i].f, PV_ABSENT, "bit ");
		ck_assert_int_eq(atoi(strstr(pv_status[bits[i].f].why, "bit ")
				      + 4), bits[i].bit);
		ck_assert_int_eq(pv_bit(bits[i].f), bits[i].bit);
	}
	decide(NULL, ALL_BITS & ~BIT(4), 0);	/* interrupts, but no faults */
	expect(PV_APF, PV_ABSENT, NULL);
}
END_TEST

START_TEST(elsewhere_than_under_kvm_everything_is_absent)
{
	pv_parse("all");
	pv_decide(false, UINT32_MAX, UINT32_MAX, true);
	for (unsigned f = 0; f < PV_FEATURES; f++)
		expect(f, PV_ABSENT, "not under KVM");
}
END_TEST

START_TEST(off_switches_all_off_and_a_name_alone_only_itself_on)
{
	decide("off", ALL_BITS, 0);
	for (unsigned f = 0; f < PV_FEATURES; f++)
		expect(f, PV_OFF, "pv=");
	decide("kvmclock", ALL_BITS, 0);
	for (unsigned f = 0; f < PV_FEATURES; f++)
		expect(f, f == PV_KVMCLOCK ? PV_ON : PV_OFF, NULL);
	decide("eoi,steal", ALL_BITS, 0);
	for (unsigned f = 0; f < PV_FEATURES; f++)
		expect(f, f == PV_EOI || f == PV_STEAL ? PV_ON : PV_OFF, NULL);
	decide("off,eoi:on", ALL_BITS, 0);
	expect(PV_EOI, PV_ON, NULL);
	expect(PV_KVMCLOCK, PV_OFF, NULL);
}
END_TEST

START_TEST(a_value_changes_only_its_feature)
{
	decide("eoi:off,haltpoll:on", ALL_BITS, 0);
	expect(PV_EOI, PV_OFF, "pv=");
	expect(PV_HALTPOLL, PV_ON, NULL);
	expect(PV_KVMCLOCK, PV_ON, NULL);
	expect(PV_IPI, PV_ON, NULL);
	decide("haltpoll:off,haltpoll:auto", ALL_BITS, KVM_HINT_REALTIME);
	expect(PV_HALTPOLL, PV_ON, NULL);
}
END_TEST

START_TEST(a_feature_goes_with_what_it_needs)
{
	decide("steal:off", ALL_BITS, 0);
	expect(PV_TLB, PV_OFF, "needs steal: pv=");
	decide("hypercalls:off", ALL_BITS, 0);
	expect(PV_IPI, PV_OFF, "needs hypercalls");
	expect(PV_YIELD, PV_OFF, "needs hypercalls");
	decide(NULL, ALL_BITS & ~BIT(KVM_BIT_STEAL_TIME), 0);
	expect(PV_TLB, PV_ABSENT, "needs steal: CPUID");
	decide("ipi", ALL_BITS, 0);	/* alone, but with its own needs */
	expect(PV_HYPERCALLS, PV_ON, NULL);
	expect(PV_IPI, PV_ON, NULL);
	expect(PV_YIELD, PV_OFF, NULL);
}
END_TEST

START_TEST(hints_decide_unless_pv_says_on)
{
	decide(NULL, ALL_BITS, KVM_HINT_REALTIME);
	expect(PV_TLB, PV_OFF, "REALTIME");
	expect(PV_YIELD, PV_OFF, "REALTIME");
	expect(PV_IPI, PV_ON, NULL);
	expect(PV_HALTPOLL, PV_ON, NULL);
	pv_decide(true, ALL_BITS, KVM_HINT_REALTIME, false);
	expect(PV_HALTPOLL, PV_OFF, "costs too much");
	decide("tlb:on", ALL_BITS, KVM_HINT_REALTIME);
	expect(PV_TLB, PV_ON, NULL);
}
END_TEST

START_TEST(an_unknown_name_or_value_is_named_with_those_known)
{
	ck_assert_uint_eq(pv_parse("eio,tlb:maybe,eoi:,:on,steal"), 4);
	ck_assert(host_logged("pv=eio is ignored"));
	ck_assert(host_logged("pv=tlb:maybe is ignored"));
	ck_assert(host_logged("kvmclock, steal, eoi, tlb, hypercalls, ipi, "
			      "yield, apf, haltpoll"));
	ck_assert_uint_eq(pv_parse("a-word-that-is-longer-than-any-other-one"),
			  1);
	ck_assert_uint_eq(pv_parse(""), 0);
	ck_assert_uint_eq(pv_parse(",,all,"), 0);
}
END_TEST

START_TEST(broken_is_said_once_and_never_undone)
{
	pv_break(PV_STEAL, "reason %d", 7);
	expect(PV_STEAL, PV_BROKEN, "reason 7");
	expect(PV_TLB, PV_BROKEN, "needs steal: reason 7");
	pv_break(PV_STEAL, "another");
	expect(PV_STEAL, PV_BROKEN, "reason 7");
	pv_allow(PV_STEAL, true);
	expect(PV_STEAL, PV_BROKEN, NULL);
	ck_assert_str_eq(pv_state_name(PV_STEAL), "broken");
}
END_TEST

START_TEST(the_report_has_a_line_and_an_object_for_each)
{
	pv_count(PV_APF);
	pv_break(PV_IPI, "why not");
	pv_report();
	ck_assert_ptr_nonnull(strstr(host_console(),
		"@json {\"event\":\"pv\",\"feature\":\"eoi\",\"state\":"
		"\"used\",\"bit\":6,\"count\":3}"));
	ck_assert_ptr_nonnull(strstr(host_console(),
		"@json {\"event\":\"pv\",\"feature\":\"ipi\",\"state\":"
		"\"broken\",\"bit\":11,\"count\":0,\"why\":\"why not\"}"));
	ck_assert_ptr_nonnull(strstr(host_console(),
		"\"feature\":\"haltpoll\",\"state\":\"off\",\"bit\":12,"
		"\"count\":7"));
	ck_assert_ptr_nonnull(strstr(host_console(),
		"  apf         14  used            1  \n"));
	ck_assert_ptr_nonnull(strstr(host_console(), "\"feature\":\"steal\","
		"\"state\":\"on\""));
}
END_TEST

/* ---- hypercalls ---- */

START_TEST(the_documented_answer_proves_hypercalls)
{
	pv_hypercall_probe();
	expect(PV_HYPERCALLS, PV_ON, NULL);
	ck_assert_uint_eq(hv.ncalls, 1);
	ck_assert_uint_eq(hv.watched, 1);
	ck_assert_int_eq(hv.call[0].insn, PV_VMCALL);
	ck_assert_uint_eq(hv.call[0].nr, KVM_HC_NONE);
	ck_assert_int_eq(pv_hypercall(77, 1, 2, 3, 4), -KVM_ENOSYS);
	ck_assert_uint_eq(hv.call[1].arg[3], 4);
}
END_TEST

START_TEST(amd_s_instruction_is_the_other_one)
{
	hv.amd = true;
	pv_hypercall_probe();
	ck_assert_int_eq(hv.call[0].insn, PV_VMMCALL);
	pv_hypercall(77, 0, 0, 0, 0);
	ck_assert_int_eq(hv.call[1].insn, PV_VMMCALL);
}
END_TEST

START_TEST(an_exception_makes_it_try_the_other_vendor_s)
{
	hv.lie = UD_VMCALL;
	pv_hypercall_probe();
	expect(PV_HYPERCALLS, PV_ON, NULL);
	pv_hypercall(77, 0, 0, 0, 0);
	ck_assert_int_eq(hv.call[2].insn, PV_VMMCALL);
}
END_TEST

START_TEST(a_host_that_would_patch_it_makes_it_try_the_other_vendor_s)
{
	hv.lie = PATCHES_VMCALL;
	pv_hypercall_probe();
	expect(PV_HYPERCALLS, PV_ON, NULL);
	pv_hypercall(77, 0, 0, 0, 0);
	ck_assert_int_eq(hv.call[2].insn, PV_VMMCALL);
}
END_TEST

static void probe_must_break(enum lie lie, const char *why, unsigned calls)
{
	hv.lie = lie;
	pv_hypercall_probe();
	expect(PV_HYPERCALLS, PV_BROKEN, why);
	expect(PV_IPI, PV_BROKEN, why);
	expect(PV_YIELD, PV_BROKEN, why);
	ck_assert_uint_eq(hv.ncalls, calls);
	ck_assert(!pv_ipi_probe());
	ck_assert(!pv_yield_probe());
	ck_assert_int_eq(pv_hypercall(1, 0, 0, 0, 0), -KVM_ENOSYS);
	ck_assert_uint_eq(hv.ncalls, calls);	/* never again */
}

START_TEST(exceptions_from_both_break_them)
{
	probe_must_break(UD_BOTH, "raises an exception", 2);
}
END_TEST

START_TEST(a_host_that_patches_text_breaks_them)
{
	probe_must_break(PATCHES, "writes to read-only text", 2);
}
END_TEST

START_TEST(a_host_that_never_answers_breaks_them)
{
	probe_must_break(SILENT, "never ends", 1);
}
END_TEST

START_TEST(a_wrong_answer_breaks_them)
{
	probe_must_break(ANSWERS_ZERO, "answers 0, not -1000", 1);
}
END_TEST

START_TEST(switched_off_they_are_not_even_tried)
{
	decide("hypercalls:off", ALL_BITS, 0);
	pv_hypercall_probe();
	ck_assert_uint_eq(hv.ncalls, 0);
	expect(PV_HYPERCALLS, PV_OFF, NULL);
}
END_TEST

/* ---- IPIs ---- */

static struct cpu_set set_of(unsigned first, unsigned last)
{
	struct cpu_set s = { { 0 } };

	for (unsigned cpu = first; cpu <= last; cpu++)
		cpu_set_add(&s, cpu);
	return s;
}

static void probed(void)
{
	pv_hypercall_probe();
	pv_ipi_probe();
	pv_yield_probe();
	hv.ncalls = 0;
}

START_TEST(one_call_reaches_a_cluster_of_128)
{
	struct cpu_set s = set_of(2, 129);

	host_set_cpus(200);
	probed();
	ck_assert(pv_ipi_send(&s, 0xf2));
	ck_assert_uint_eq(hv.ncalls, 1);
	ck_assert_uint_eq(hv.call[0].nr, KVM_HC_SEND_IPI);
	ck_assert_uint_eq(hv.call[0].arg[0], UINT64_MAX);
	ck_assert_uint_eq(hv.call[0].arg[1], UINT64_MAX);
	ck_assert_uint_eq(hv.call[0].arg[2], 2);
	ck_assert_uint_eq(hv.call[0].arg[3], 0xf2);
	ck_assert_uint_eq(pv_status[PV_IPI].count, 1);
}
END_TEST

START_TEST(the_129th_goes_into_another_call)
{
	struct cpu_set s = set_of(0, 128);

	host_set_cpus(200);
	probed();
	ck_assert(pv_ipi_send(&s, 0xf2));
	ck_assert_uint_eq(hv.ncalls, 2);
	ck_assert_uint_eq(hv.call[1].arg[0], 1);
	ck_assert_uint_eq(hv.call[1].arg[1], 0);
	ck_assert_uint_eq(hv.call[1].arg[2], 128);
}
END_TEST

START_TEST(holes_in_a_set_are_holes_in_the_call)
{
	struct cpu_set s = { { 0 } };

	host_set_cpus(100);
	probed();
	cpu_set_add(&s, 3);
	cpu_set_add(&s, 70);
	cpu_set_add(&s, 99);
	cpu_set_add(&s, 150);		/* no such CPU */
	ck_assert(pv_ipi_send(&s, 0xf1));
	ck_assert_uint_eq(hv.ncalls, 1);
	ck_assert_uint_eq(hv.call[0].arg[0], 1);
	ck_assert_uint_eq(hv.call[0].arg[1], BIT_ULL(3) | BIT_ULL(32));
	ck_assert_uint_eq(hv.call[0].arg[2], 3);
}
END_TEST

START_TEST(a_short_count_means_send_one_by_one)
{
	struct cpu_set s = set_of(0, 3);

	probed();
	hv.lie = SHORT;
	ck_assert(!pv_ipi_send(&s, 0xf2));
	expect(PV_IPI, PV_ON, NULL);	/* a CPU may be off; that is no lie */
	ck_assert_uint_eq(pv_status[PV_IPI].count, 0);
	hv.lie = HONEST;
	ck_assert(pv_ipi_send(&s, 0xf2));
}
END_TEST

START_TEST(more_than_asked_for_is_no_answer)
{
	struct cpu_set s = set_of(0, 3);

	probed();
	hv.lie = TOO_MANY;
	ck_assert(!pv_ipi_send(&s, 0xf2));
	expect(PV_IPI, PV_BROKEN, "SEND_IPI to 4 CPUs answers 5");
	ck_assert(!pv_ipi_send(&s, 0xf2));
	ck_assert_uint_eq(hv.ncalls, 1);
}
END_TEST

START_TEST(a_host_without_the_calls_is_found_before_they_matter)
{
	hv.lie = NO_IPI;
	pv_hypercall_probe();
	ck_assert(!pv_ipi_probe());
	ck_assert(!pv_yield_probe());
	expect(PV_HYPERCALLS, PV_ON, NULL);
	expect(PV_IPI, PV_BROKEN, "SEND_IPI to nobody answers -1000");
	expect(PV_YIELD, PV_BROKEN, "SCHED_YIELD answers -1000");
	ck_assert_uint_eq(hv.unwatched, 0);
}
END_TEST

START_TEST(a_host_that_stops_answering_is_left_alone)
{
	struct cpu_set s = set_of(0, 3);

	hv.lie = DIES_LATER;
	probed();
	expect(PV_IPI, PV_ON, NULL);
	ck_assert(!pv_ipi_send(&s, 0xf2));
	expect(PV_HYPERCALLS, PV_BROKEN, "raises an exception");
	expect(PV_IPI, PV_BROKEN, NULL);
	expect(PV_YIELD, PV_BROKEN, NULL);
}
END_TEST

/* ---- steal time, TLB, yield ---- */

static void steal_all(void)
{
	for (unsigned cpu = 0; cpu < 4; cpu++) {
		struct pv_steal_page *p = page_alloc(0);

		ck_assert_ptr_nonnull(p);
		memset(p, 0xff, sizeof(*p));
		host_run_as(cpu);
		ck_assert_int_eq(pv_steal_enable(cpu, p), 0);
		ck_assert_uint_eq(hv.msr[cpu].msr, KVM_MSR_STEAL_TIME);
		ck_assert(hv.msr[cpu].val & KVM_STEAL_ENABLE);
		ck_assert_uint_eq(hv.msr[cpu].val & 0x3e, 0);
		ck_assert_uint_eq(p->steal, 0);	/* zeroed before */
	}
	host_run_as(0);
	host_keep();
}

START_TEST(stolen_time_is_what_the_host_wrote)
{
	steal_all();
	ck_assert_uint_eq(pv_steal_ns(1), 0);
	ck_assert_uint_eq(pv_status[PV_STEAL].count, 0);	/* not yet */
	pv_steal_of(1)->steal = 12345;
	pv_steal_of(1)->version = 2;
	ck_assert_uint_eq(pv_steal_ns(1), 12345);
	ck_assert_uint_eq(pv_steal_ns(2), 0);
	ck_assert_uint_eq(pv_steal_ns(CPU_MAX + 1), 0);
	ck_assert_uint_eq(pv_status[PV_STEAL].count, 1);
}
END_TEST

START_TEST(a_version_that_stays_odd_ends_the_reading)
{
	struct pv_steal_page odd = { .steal = 1, .version = 3 };
	uint64_t ns = 77;

	ck_assert(!pv_steal_sample(&odd, &ns));
	ck_assert_uint_eq(ns, 77);
}
END_TEST

START_TEST(an_msr_that_faults_breaks_its_feature)
{
	apf = page_alloc(0);
	hv.faulting_msr = KVM_MSR_STEAL_TIME;
	ck_assert_int_eq(pv_steal_enable(0, (void *)apf), -EIO);
	expect(PV_STEAL, PV_BROKEN, "MSR faults");
	expect(PV_TLB, PV_BROKEN, "needs steal");
	ck_assert_ptr_null(pv_steal_of(0));
	ck_assert_int_eq(pv_steal_enable(0, (void *)apf), -ENOTSUP);
	hv.faulting_msr = KVM_MSR_PV_EOI_EN;
	ck_assert_int_eq(pv_eoi_enable((uint32_t *)apf), -EIO);
	expect(PV_EOI, PV_BROKEN, NULL);
	hv.faulting_msr = KVM_MSR_ASYNC_PF_INT;
	ck_assert_int_eq(pv_apf_enable(apf, 0xf4), -EIO);
	expect(PV_APF, PV_BROKEN, NULL);
	ck_assert_uint_eq(hv.nmsrs, 0);		/* never enabled by half */
	hv.faulting_msr = KVM_MSR_POLL_CONTROL;
	decide("haltpoll:on", ALL_BITS, 0);
	ck_assert_int_eq(pv_poll_host(false), -EIO);
	expect(PV_HALTPOLL, PV_BROKEN, NULL);
	page_free(apf, 0);
}
END_TEST

START_TEST(a_cpu_that_does_not_run_takes_the_wish_to_flush)
{
	steal_all();
	ck_assert(!pv_tlb_defer(1));
	ck_assert_uint_eq(pv_steal_of(1)->preempted, 0);
	pv_steal_of(1)->preempted = KVM_VCPU_PREEMPTED;
	ck_assert(pv_steal_preempted(1));
	ck_assert(pv_tlb_defer(1));
	ck_assert_uint_eq(pv_steal_of(1)->preempted,
			  KVM_VCPU_PREEMPTED | KVM_VCPU_FLUSH_TLB);
	ck_assert(pv_tlb_defer(1));	/* once more is once more */
	ck_assert_uint_eq(pv_status[PV_TLB].count, 2);
	/* A stray wish without the host's bit is not to be trusted. */
	pv_steal_of(1)->preempted = KVM_VCPU_FLUSH_TLB;
	ck_assert(!pv_tlb_defer(1));
	ck_assert(!pv_tlb_defer(CPU_MAX + 1));
}
END_TEST

START_TEST(without_the_feature_no_flush_is_left_to_the_host)
{
	decide("tlb:off", ALL_BITS, 0);
	steal_all();
	pv_steal_of(2)->preempted = KVM_VCPU_PREEMPTED;
	ck_assert(!pv_tlb_defer(2));
	ck_assert_uint_eq(pv_steal_of(2)->preempted, KVM_VCPU_PREEMPTED);
}
END_TEST

START_TEST(the_first_that_does_not_run_gets_our_time)
{
	struct cpu_set s = set_of(0, 3);

	probed();
	steal_all();
	pv_yield_to(&s);
	ck_assert_uint_eq(hv.ncalls, 0);	/* all of them run */
	pv_steal_of(0)->preempted = KVM_VCPU_PREEMPTED;	/* ourselves */
	pv_steal_of(2)->preempted = KVM_VCPU_PREEMPTED;
	pv_steal_of(3)->preempted = KVM_VCPU_PREEMPTED;
	pv_yield_to(&s);
	ck_assert_uint_eq(hv.ncalls, 1);
	ck_assert_uint_eq(hv.call[0].nr, KVM_HC_SCHED_YIELD);
	ck_assert_uint_eq(hv.call[0].arg[0], 2);
	ck_assert_uint_eq(pv_status[PV_YIELD].count, 1);
}
END_TEST

/* ---- EOI, polling ---- */

START_TEST(the_eoi_word_is_clear_before_the_host_knows_it)
{
	uint32_t *word = page_alloc(0);

	*word = 1;
	ck_assert_int_eq(pv_eoi_enable(word), 0);
	ck_assert_uint_eq(*word, 0);
	ck_assert_uint_eq(hv.msr[0].msr, KVM_MSR_PV_EOI_EN);
	ck_assert_uint_eq(hv.msr[0].val & 3, KVM_PV_EOI_ENABLE);
	*word = 1;			/* the host's last word */
	pv_eoi_disable(word);
	ck_assert_uint_eq(hv.msr[1].val, 0);
	ck_assert_uint_eq(*word, 0);
	decide("eoi:off", ALL_BITS, 0);
	ck_assert_int_eq(pv_eoi_enable(word), -ENOTSUP);
	ck_assert_uint_eq(hv.nmsrs, 2);
	page_free(word, 0);
}
END_TEST

START_TEST(polling_grows_when_it_just_missed_and_shrinks_when_idle_is_long)
{
	nsec_t limit = 0;

	limit = pv_poll_adapt(limit, 20 * NSEC_PER_USEC);
	ck_assert_uint_eq(limit, 10 * NSEC_PER_USEC);
	limit = pv_poll_adapt(limit, 20 * NSEC_PER_USEC);
	ck_assert_uint_eq(limit, 20 * NSEC_PER_USEC);
	limit = pv_poll_adapt(limit, 15 * NSEC_PER_USEC);
	ck_assert_uint_eq(limit, 20 * NSEC_PER_USEC);	/* it hit */
	for (unsigned i = 0; i < 10; i++)
		limit = pv_poll_adapt(limit, 199 * NSEC_PER_USEC);
	ck_assert_uint_eq(limit, 200 * NSEC_PER_USEC);	/* not beyond */
	for (unsigned i = 0; i < 5; i++)
		limit = pv_poll_adapt(limit, NSEC_PER_SEC);
	ck_assert_uint_le(limit, 10 * NSEC_PER_USEC);
	for (unsigned i = 0; i < 2; i++)
		limit = pv_poll_adapt(limit, NSEC_PER_SEC);
	ck_assert_uint_eq(limit, 0);			/* not at all */
}
END_TEST

/* ---- asynchronous page faults ---- */

static unsigned woken;

static void wait_for_page(void *arg)
{
	pv_apf_wait((uint32_t)(uintptr_t)arg, true);
	woken++;
}

static void apf_on(void)
{
	woken = 0;
	apf = page_alloc(0);
	memset(apf, 0xff, sizeof(*apf));
	ck_assert_int_eq(pv_apf_enable(apf, 0xf4), 0);
	ck_assert_uint_eq(hv.msr[0].msr, KVM_MSR_ASYNC_PF_INT);
	ck_assert_uint_eq(hv.msr[0].val, 0xf4);
	ck_assert_uint_eq(hv.msr[1].msr, KVM_MSR_ASYNC_PF_EN);
	ck_assert_uint_eq(hv.msr[1].val & 0x3f, 0xb);
	ck_assert_uint_eq(apf->flags, 0);
	host_keep();
}

static void ready(uint32_t token)
{
	unsigned n = hv.nmsrs;

	apf->token = token;
	pv_apf_ready(apf);
	ck_assert_uint_eq(apf->token, 0);
	ck_assert_uint_eq(hv.nmsrs, n + 1);
	ck_assert_uint_eq(hv.msr[n % MSRS].msr, KVM_MSR_ASYNC_PF_ACK);
	ck_assert_uint_eq(hv.msr[n % MSRS].val, 1);
}

START_TEST(only_a_fault_with_the_flag_is_the_host_s)
{
	uint32_t token = 0;

	apf_on();
	ck_assert(!pv_apf_claim(apf, 0x1234, &token));
	apf->flags = KVM_APF_NOT_PRESENT;
	ck_assert(pv_apf_claim(apf, 0x1234, &token));
	ck_assert_uint_eq(token, 0x1234);
	ck_assert_uint_eq(apf->flags, 0);	/* free for the next one */
	ck_assert(!pv_apf_claim(apf, 0x1234, &token));
}
END_TEST

static struct thread *waiter(uint32_t token)
{
	struct thread *t;

	ck_assert_int_eq(thread_create(0, wait_for_page,
				       (void *)(uintptr_t)token, "apf", &t), 0);
	thread_yield();
	return t;
}

START_TEST(page_ready_wakes_the_one_that_waits_for_it)
{
	struct thread *a, *b;

	apf_on();
	a = waiter(0x1000);
	b = waiter(0x2000);
	ck_assert_uint_eq(woken, 0);
	ready(0x2000);
	thread_join(b);
	ck_assert_uint_eq(woken, 1);
	ready(0x1000);
	thread_join(a);
	ck_assert_uint_eq(woken, 2);
	ck_assert_uint_eq(pv_apf_late(), 0);
	ck_assert_uint_eq(pv_status[PV_APF].count, 2);
}
END_TEST

START_TEST(a_ready_that_overtook_its_fault_means_no_wait)
{
	nsec_t start;

	apf_on();
	ready(0x3000);
	start = time_now();
	pv_apf_wait(0x3000, true);
	ck_assert_uint_lt(time_now() - start, NSEC_PER_MSEC);
	ck_assert_uint_eq(pv_status[PV_APF].count, 0);
}
END_TEST

START_TEST(a_ready_that_never_comes_ends_the_wait_all_the_same)
{
	nsec_t start;

	apf_on();
	start = time_now();
	pv_apf_wait(0x4000, true);
	ck_assert_uint_ge(time_now() - start, NSEC_PER_SEC);
	ck_assert_uint_eq(pv_apf_late(), 1);
}
END_TEST

START_TEST(the_token_for_all_wakes_all)
{
	struct thread *a, *b;

	apf_on();
	a = waiter(0x1000);
	b = waiter(0x2000);
	ready(KVM_APF_TOKEN_ALL);
	thread_join(a);
	thread_join(b);
	ck_assert_uint_eq(woken, 2);
	ck_assert_uint_eq(pv_apf_late(), 0);
}
END_TEST

static void page_comes(void)
{
	if (hv.halts == 3)
		ready(0x5000);
}

START_TEST(who_must_not_block_halts_until_it_is_ready)
{
	apf_on();
	hv.on_halt = page_comes;
	pv_apf_wait(0x5000, false);
	ck_assert_uint_eq(hv.halts, 3);
	ck_assert_uint_eq(pv_apf_late(), 0);
	hv.on_halt = NULL;
	pv_apf_wait(0x6000, false);		/* never ready: bounded */
	ck_assert_uint_ge(hv.halts, 900);
	ck_assert_uint_eq(pv_apf_late(), 1);
}
END_TEST

/* An interrupt between the look and the halt would be slept over. */
START_TEST(the_last_look_before_a_halt_has_interrupts_off)
{
	apf_on();
	pv_apf_wait(0x5000, false);
	ck_assert_uint_gt(hv.halts, 0);
	ck_assert_uint_eq(hv.deaf_halts, 0);
}
END_TEST

START_TEST(a_thousand_stray_readies_leave_room_for_waiters)
{
	struct thread *a;

	apf_on();
	for (unsigned i = 1; i <= 1000; i++)
		ready(i << 12);
	a = waiter(0x7);
	ck_assert_uint_eq(woken, 1);		/* full: it does not wait */
	thread_join(a);
	ready(0);				/* nothing at all */
	pv_apf_wait(1000 << 12, true);		/* the latest was kept */
	ck_assert_uint_eq(pv_apf_late(), 0);
}
END_TEST

static void add_decide(void)
{
	TCase *t = suite_group("decide", setup, teardown, 0);

	tcase_add_test(t, without_pv_what_is_offered_and_helps_is_on);
	tcase_add_test(t, a_clear_bit_means_absent_and_says_which);
	tcase_add_test(t, elsewhere_than_under_kvm_everything_is_absent);
	tcase_add_test(t, off_switches_all_off_and_a_name_alone_only_itself_on);
	tcase_add_test(t, a_value_changes_only_its_feature);
	tcase_add_test(t, a_feature_goes_with_what_it_needs);
	tcase_add_test(t, hints_decide_unless_pv_says_on);
	tcase_add_test(t, an_unknown_name_or_value_is_named_with_those_known);
	tcase_add_test(t, broken_is_said_once_and_never_undone);
	tcase_add_test(t, the_report_has_a_line_and_an_object_for_each);
}

static void add_calls(void)
{
	TCase *t = suite_group("hypercalls", setup, teardown, 0);

	tcase_add_test(t, the_documented_answer_proves_hypercalls);
	tcase_add_test(t, amd_s_instruction_is_the_other_one);
	tcase_add_test(t, an_exception_makes_it_try_the_other_vendor_s);
	tcase_add_test(t, a_host_that_would_patch_it_makes_it_try_the_other_vendor_s);
	tcase_add_test(t, exceptions_from_both_break_them);
	tcase_add_test(t, a_host_that_patches_text_breaks_them);
	tcase_add_test(t, a_host_that_never_answers_breaks_them);
	tcase_add_test(t, a_wrong_answer_breaks_them);
	tcase_add_test(t, switched_off_they_are_not_even_tried);
	tcase_add_test(t, one_call_reaches_a_cluster_of_128);
	tcase_add_test(t, the_129th_goes_into_another_call);
	tcase_add_test(t, holes_in_a_set_are_holes_in_the_call);
	tcase_add_test(t, a_short_count_means_send_one_by_one);
	tcase_add_test(t, more_than_asked_for_is_no_answer);
	tcase_add_test(t, a_host_without_the_calls_is_found_before_they_matter);
	tcase_add_test(t, a_host_that_stops_answering_is_left_alone);
}

static void add_memory(void)
{
	TCase *t = suite_group("shared memory", setup, teardown, 0);

	tcase_add_test(t, stolen_time_is_what_the_host_wrote);
	tcase_add_test(t, a_version_that_stays_odd_ends_the_reading);
	tcase_add_test(t, an_msr_that_faults_breaks_its_feature);
	tcase_add_test(t, a_cpu_that_does_not_run_takes_the_wish_to_flush);
	tcase_add_test(t, without_the_feature_no_flush_is_left_to_the_host);
	tcase_add_test(t, the_first_that_does_not_run_gets_our_time);
	tcase_add_test(t, the_eoi_word_is_clear_before_the_host_knows_it);
	tcase_add_test(t,
		polling_grows_when_it_just_missed_and_shrinks_when_idle_is_long);
}

static void add_faults(void)
{
	TCase *t = suite_group("page faults", setup, teardown, 0);

	tcase_add_test(t, only_a_fault_with_the_flag_is_the_host_s);
	tcase_add_test(t, page_ready_wakes_the_one_that_waits_for_it);
	tcase_add_test(t, a_ready_that_overtook_its_fault_means_no_wait);
	tcase_add_test(t, a_ready_that_never_comes_ends_the_wait_all_the_same);
	tcase_add_test(t, the_token_for_all_wakes_all);
	tcase_add_test(t, who_must_not_block_halts_until_it_is_ready);
	tcase_add_test(t, the_last_look_before_a_halt_has_interrupts_off);
	tcase_add_test(t, a_thousand_stray_readies_leave_room_for_waiters);
}

int main(void)
{
	add_decide();
	add_calls();
	add_memory();
	add_faults();
	return suite_run("pv");
}
