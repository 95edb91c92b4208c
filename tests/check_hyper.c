/* SPDX-License-Identifier: MIT */
/*
 * virt/hyper.c, kvmclock.c, debugexit.c and pvpanic.c: CPUID words as real
 * hosts give them, the clock page's arithmetic, the ports that end a machine.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "core/panic.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"
#include "virt/hyper.h"
#include "virt/hyperreg.h"

/* ---- the half that only the machine has ---- */

static bool clock_here;

bool kvmclock_present(void)
{
	return clock_here;
}

uint64_t kvmclock_tsc_hz(void)
{
	return clock_here ? UINT64_C(2596148000) : 0;
}

/* ---- CPUID ---- */

struct leaf {
	uint32_t leaf;
	struct hyper_cpuid r;
};
static const struct leaf *leaves;
static unsigned nleaves;

/* Leaves that nobody wrote down answer with nonsense, as hardware does. */
static struct hyper_cpuid words(uint32_t leaf)
{
	for (unsigned i = 0; i < nleaves; i++)
		if (leaves[i].leaf == leaf)
			return leaves[i].r;
	return (struct hyper_cpuid){ 0x00000007, 0x00000340, 0x00000340, 0 };
}

static void decode(const struct leaf *l, unsigned n)
{
	leaves = l;
	nleaves = n;
	memset(&hyper, 0xff, sizeof(hyper));
	hyper_decode(&hyper, words);
}
#define DECODE(l)	decode(l, ARRAY_SIZE(l))

#define GUEST		{ 0x1, { 0x000806f8, 0, 0xfffa3203, 0 } }
#define KVM_LETTERS	0x4b4d564b, 0x564b4d56, 0x0000004d

static void setup(void)
{
	host_start();
	clock_here = false;
}

static void teardown(void)
{
	host_finish();
}

START_TEST(kvm_is_recognised_with_features_and_timing)
{
	/* The KVM at hand: -cpu host,-arch-capabilities,+invtsc. */
	static const struct leaf kvm[] = {
		GUEST,
		{ 0x40000000, { 0x40000010, KVM_LETTERS } },
		{ 0x40000001, { 0x01007efb, 0, 0, 0x1 } },
		{ 0x40000010, { 0x00279d34, 0x000f4240, 0, 0 } },
	};

	DECODE(kvm);
	ck_assert_int_eq(hyper.kind, HYPER_KVM);
	ck_assert_str_eq(hyper_name(), "KVM");
	ck_assert_str_eq(hyper.signature, "KVMKVMKVM");
	ck_assert_uint_eq(hyper.max_leaf, 0x40000010);
	ck_assert_uint_eq(hyper.features, 0x01007efb);
	ck_assert_uint_eq(hyper.hints, 1);
	ck_assert_uint_eq(hyper.tsc_khz, 2596148);
	ck_assert_uint_eq(hyper.apic_khz, 1000000);
}
END_TEST

START_TEST(kvm_without_the_timing_leaf_knows_no_frequency)
{
	static const struct leaf kvm[] = {
		GUEST,
		{ 0x40000000, { 0x40000001, KVM_LETTERS } },
		{ 0x40000001, { 0x01007efb, 0, 0, 0 } },
	};

	DECODE(kvm);
	ck_assert_int_eq(hyper.kind, HYPER_KVM);
	ck_assert_uint_eq(hyper.tsc_khz, 0);
	ck_assert_uint_eq(hyper.apic_khz, 0);
}
END_TEST

START_TEST(kvm_behind_hyper_v_leaves_is_kvm)
{
	/* -cpu host,hv-relaxed: "Microsoft Hv" first, KVM 0x100 higher. */
	static const struct leaf both[] = {
		GUEST,
		{ 0x40000000, { 0x40000010, 0x7263694d, 0x666f736f,
				0x76482074 } },
		{ 0x40000001, { 0x31237648, 0, 0, 0 } },
		{ 0x40000010, { 0x00279d34, 0x000f4240, 0, 0 } },
		{ 0x40000100, { 0x40000101, KVM_LETTERS } },
		{ 0x40000101, { 0x01007efb, 0, 0, 0 } },
	};

	DECODE(both);
	ck_assert_int_eq(hyper.kind, HYPER_KVM);
	ck_assert_uint_eq(hyper.features, 0x01007efb);
	ck_assert_uint_eq(hyper.max_leaf, 0x40000101);
	ck_assert_uint_eq(hyper.tsc_khz, 2596148);
}
END_TEST

START_TEST(tcg_is_recognised_and_has_no_kvm_features)
{
	static const struct leaf tcg[] = {
		GUEST,
		{ 0x40000000, { 0x40000001, 0x54474354, 0x43544743,
				0x47435447 } },
		{ 0x40000001, { 0xffffffff, 0, 0, 0xffffffff } },
	};

	DECODE(tcg);
	ck_assert_int_eq(hyper.kind, HYPER_TCG);
	ck_assert_str_eq(hyper.signature, "TCGTCGTCGTCG");
	ck_assert_str_eq(hyper_name(), "TCG");
	ck_assert_uint_eq(hyper.features, 0);
	ck_assert_uint_eq(hyper.hints, 0);
}
END_TEST

START_TEST(bare_metal_is_not_mistaken_for_a_guest)
{
	/* Leaf 0x40000000 repeats the highest basic leaf there. */
	static const struct leaf metal[] = {
		{ 0x1, { 0x000806f8, 0, 0x7ffefbff, 0 } },
		{ 0x40000000, { 0x40000010, KVM_LETTERS } },
	};

	DECODE(metal);
	ck_assert_int_eq(hyper.kind, HYPER_NONE);
	ck_assert_str_eq(hyper.signature, "");
	ck_assert_str_eq(hyper_name(), "bare metal");
	ck_assert_uint_eq(hyper.features, 0);
}
END_TEST

START_TEST(others_go_by_their_names)
{
	static const struct leaf vmware[] = {
		GUEST,
		{ 0x40000000, { 0x40000010, 0x61774d56, 0x4d566572,
				0x65726177 } },
		{ 0x40000001, { 0x1, 0, 0, 0 } },
		{ 0x40000010, { 2400000, 66000, 0, 0 } },
	};
	static const struct leaf hyper_v[] = {
		GUEST,
		{ 0x40000000, { 0x4000000c, 0x7263694d, 0x666f736f,
				0x76482074 } },
	};
	static const struct leaf unknown[] = {
		GUEST,
		{ 0x40000000, { 0x40000010, 0x41414141, 0x42424242,
				0x43434343 } },
	};
	static const struct leaf silent[] = {
		GUEST, { 0x40000000, { 0, 0, 0, 0 } },
	};

	DECODE(vmware);
	ck_assert_int_eq(hyper.kind, HYPER_OTHER);
	ck_assert_str_eq(hyper_name(), "VMware");
	ck_assert_uint_eq(hyper.features, 0);
	ck_assert_uint_eq(hyper.tsc_khz, 2400000);
	DECODE(hyper_v);
	ck_assert_str_eq(hyper_name(), "Hyper-V");
	ck_assert_int_eq(hyper.kind, HYPER_OTHER);
	DECODE(unknown);
	ck_assert_str_eq(hyper_name(), "AAAABBBBCCCC");
	ck_assert_uint_eq(hyper.tsc_khz, 0);	/* not theirs to define */
	DECODE(silent);
	ck_assert_int_eq(hyper.kind, HYPER_OTHER);
	ck_assert_str_eq(hyper_name(), "unnamed hypervisor");
}
END_TEST

START_TEST(feature_bits_have_kvm_s_names)
{
	static const struct { unsigned bit; const char *name; } known[] = {
		{ 0, "clocksource" }, { 3, "clocksource2" }, { 4, "async-pf" },
		{ 5, "steal-time" }, { 6, "pv-eoi" }, { 7, "pv-unhalt" },
		{ 9, "pv-tlb-flush" }, { 11, "pv-send-ipi" },
		{ 12, "poll-control" }, { 14, "async-pf-int" },
		{ 15, "msi-ext-dest-id" }, { 24, "clocksource-stable" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		ck_assert_str_eq(hyper_feature_name(known[i].bit),
				 known[i].name);
	ck_assert_ptr_null(hyper_feature_name(8));
	ck_assert_ptr_null(hyper_feature_name(31));
	ck_assert_ptr_null(hyper_feature_name(32));
}
END_TEST

START_TEST(the_report_names_what_was_found)
{
	static const struct leaf kvm[] = {
		GUEST,
		{ 0x40000000, { 0x40000001, KVM_LETTERS } },
		{ 0x40000001, { 0x01000049, 0, 0, 0 } },
	};

	DECODE(kvm);
	clock_here = true;
	hyper_report();
	ck_assert(host_logged("hyper: KVM"));
	ck_assert_ptr_nonnull(strstr(host_console(),
		"@json {\"event\":\"hyper\",\"name\":\"KVM\""));
	ck_assert_ptr_nonnull(strstr(host_console(), "\"features\":["
		"\"clocksource\",\"clocksource2\",\"pv-eoi\","
		"\"clocksource-stable\"]"));
	ck_assert_ptr_nonnull(strstr(host_console(), "\"kvmclock\":true"));
}
END_TEST

/* ---- kvmclock ---- */

static struct kvmclock_page page;
static uint64_t tsc_value;
static unsigned tsc_reads, disturb;

/* While disturb lasts the host rewrites the page under the reader. */
static uint64_t fake_tsc(void)
{
	tsc_reads++;
	if (disturb) {
		disturb--;
		page.version += 2;
		page.system_time += 1000;
	}
	return tsc_value;
}

static uint64_t sample(uint64_t tsc)
{
	uint64_t ns = 0;

	tsc_value = tsc;
	tsc_reads = 0;
	ck_assert(kvmclock_sample(&page, fake_tsc, &ns));
	return ns;
}

/* 2 GHz: 0.5 ns a tick. */
static void clock_page(void)
{
	page = (struct kvmclock_page){
		.version = 2, .tsc_timestamp = 1000000,
		.system_time = 5000, .tsc_to_system_mul = 0x80000000,
	};
	disturb = 0;
}

START_TEST(ticks_become_nanoseconds)
{
	clock_page();
	ck_assert_uint_eq(sample(1000000), 5000);
	ck_assert_uint_eq(sample(1000002), 5001);
	ck_assert_uint_eq(sample(3000000), 1005000);
	page.tsc_shift = 1;
	ck_assert_uint_eq(sample(3000000), 2005000);
	page.tsc_shift = -1;
	ck_assert_uint_eq(sample(3000000), 505000);
}
END_TEST

START_TEST(years_of_ticks_do_not_overflow)
{
	uint64_t years = UINT64_C(2000000000) * 3600 * 24 * 365 * 100;

	clock_page();
	ck_assert_uint_eq(sample(1000000 + years), 5000 + years / 2);
}
END_TEST

START_TEST(a_tsc_behind_the_page_does_not_run_backwards)
{
	clock_page();
	ck_assert_uint_eq(sample(999999), 5000);
}
END_TEST

START_TEST(a_page_rewritten_meanwhile_is_read_again)
{
	clock_page();
	disturb = 3;
	ck_assert_uint_eq(sample(1000000), 8000);
	ck_assert_uint_eq(tsc_reads, 4);
}
END_TEST

START_TEST(a_page_that_never_stands_still_is_no_clock)
{
	uint64_t ns = 77;

	clock_page();
	page.version = 3;		/* odd: being written */
	ck_assert(!kvmclock_sample(&page, fake_tsc, &ns));
	clock_page();
	disturb = UINT32_MAX;
	ck_assert(!kvmclock_sample(&page, fake_tsc, &ns));
	ck_assert_uint_eq(ns, 77);
}
END_TEST

START_TEST(a_page_without_a_scale_is_no_clock)
{
	uint64_t ns = 77;

	memset(&page, 0, sizeof(page));
	disturb = 0;
	ck_assert(!kvmclock_sample(&page, fake_tsc, &ns));
	ck_assert_uint_eq(kvmclock_page_hz(&page), 0);
	clock_page();
	page.tsc_shift = 64;
	ck_assert(!kvmclock_sample(&page, fake_tsc, &ns));
	ck_assert_uint_eq(kvmclock_page_hz(&page), 0);
	ck_assert_uint_eq(ns, 77);
}
END_TEST

START_TEST(the_scale_tells_the_frequency)
{
	clock_page();
	ck_assert_uint_eq(kvmclock_page_hz(&page), 2000000000);
	page.tsc_shift = -1;
	ck_assert_uint_eq(kvmclock_page_hz(&page), 4000000000);
	page.tsc_shift = 1;
	ck_assert_uint_eq(kvmclock_page_hz(&page), 1000000000);
	/* As a host at 2 596 148 kHz writes it: mul 0xc4d2b2d8 >> 1. */
	page.tsc_shift = -1;
	page.tsc_to_system_mul = (uint32_t)
		((UINT64_C(1000000) << 33) / 2596148);
	ck_assert_uint_ge(kvmclock_page_hz(&page), 2596147900);
	ck_assert_uint_le(kvmclock_page_hz(&page), 2596148100);
}
END_TEST

START_TEST(the_clamp_never_goes_back)
{
	uint64_t last = 0;

	ck_assert_uint_eq(kvmclock_clamp(&last, 10), 10);
	ck_assert_uint_eq(kvmclock_clamp(&last, 7), 10);
	ck_assert_uint_eq(kvmclock_clamp(&last, 11), 11);
	ck_assert_uint_eq(last, 11);
}
END_TEST

/* ---- the ports that end a machine ---- */

static struct port {
	uint8_t reads;
	unsigned writes;
	uint64_t last;
} debug_port, panic_port;

static uint64_t port_read(void *ctx, size_t off, unsigned width)
{
	return ((struct port *)ctx)->reads;
}

static void port_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	struct port *port = ctx;

	port->writes++;
	port->last = val;
	ck_assert_uint_eq(width, 1);
	/* What QEMU would exit with, so that the test's parent sees it. */
	if (port == &debug_port)
		exit((int)(val << 1 | 1));
	exit(100);
}

static const struct host_mmio_ops port_ops = {
	.read = port_read, .write = port_write,
};

static void ports(bool debug, bool panics, uint8_t events)
{
	debug_port = panic_port = (struct port){ 0 };
	panic_port.reads = events;
	if (debug)
		host_port_add(0xf4, 4, &port_ops, &debug_port);
	if (panics)
		host_port_add(0x505, 1, &port_ops, &panic_port);
	pvpanic_init();
	debugexit_init();
}

START_TEST(debug_exit_passed_is_33)
{
	ports(true, true, 0x3);
	ck_assert(debugexit_present());
	machine_end(MACHINE_PASSED);
}
END_TEST

START_TEST(debug_exit_failed_is_35)
{
	ports(true, true, 0x3);
	machine_end(MACHINE_FAILED);
}
END_TEST

START_TEST(debug_exit_panic_is_37_also_beside_pvpanic)
{
	ports(true, true, 0x3);
	machine_end(MACHINE_PANIC);
}
END_TEST

START_TEST(pvpanic_signals_a_panic)
{
	ports(false, true, 0x1);
	ck_assert(!debugexit_present());
	machine_end(MACHINE_PANIC);
}
END_TEST

START_TEST(pvpanic_is_silent_when_tests_passed)
{
	ports(false, true, 0x3);
	machine_end(MACHINE_PASSED);
}
END_TEST

START_TEST(pvpanic_that_knows_no_panic_is_left_alone)
{
	ports(false, true, 0x2);
	machine_end(MACHINE_PANIC);
}
END_TEST

START_TEST(empty_ports_are_not_written)
{
	ports(false, false, 0);
	ck_assert(!debugexit_present());
	machine_end(MACHINE_PANIC);
}
END_TEST

static void add_detect(void)
{
	TCase *t = suite_group("detect", setup, teardown, 0);

	tcase_add_test(t, kvm_is_recognised_with_features_and_timing);
	tcase_add_test(t, kvm_without_the_timing_leaf_knows_no_frequency);
	tcase_add_test(t, kvm_behind_hyper_v_leaves_is_kvm);
	tcase_add_test(t, tcg_is_recognised_and_has_no_kvm_features);
	tcase_add_test(t, bare_metal_is_not_mistaken_for_a_guest);
	tcase_add_test(t, others_go_by_their_names);
	tcase_add_test(t, feature_bits_have_kvm_s_names);
	tcase_add_test(t, the_report_names_what_was_found);
}

static void add_clock(void)
{
	TCase *t = suite_group("kvmclock", setup, teardown, 0);

	tcase_add_test(t, ticks_become_nanoseconds);
	tcase_add_test(t, years_of_ticks_do_not_overflow);
	tcase_add_test(t, a_tsc_behind_the_page_does_not_run_backwards);
	tcase_add_test(t, a_page_rewritten_meanwhile_is_read_again);
	tcase_add_test(t, a_page_that_never_stands_still_is_no_clock);
	tcase_add_test(t, a_page_without_a_scale_is_no_clock);
	tcase_add_test(t, the_scale_tells_the_frequency);
	tcase_add_test(t, the_clamp_never_goes_back);
}

static void add_ends(void)
{
	TCase *t = suite_group("ends", setup, teardown, 0);

	tcase_add_exit_test(t, debug_exit_passed_is_33, 33);
	tcase_add_exit_test(t, debug_exit_failed_is_35, 35);
	tcase_add_exit_test(t, debug_exit_panic_is_37_also_beside_pvpanic, 37);
	tcase_add_exit_test(t, pvpanic_signals_a_panic, 100);
	tcase_add_exit_test(t, pvpanic_is_silent_when_tests_passed,
			    HOST_END + MACHINE_PASSED);
	tcase_add_exit_test(t, pvpanic_that_knows_no_panic_is_left_alone,
			    HOST_END + MACHINE_PANIC);
	tcase_add_exit_test(t, empty_ports_are_not_written,
			    HOST_END + MACHINE_PANIC);
}

int main(void)
{
	add_detect();
	add_clock();
	add_ends();
	return suite_run("hyper");
}
