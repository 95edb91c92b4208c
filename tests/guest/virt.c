/* SPDX-License-Identifier: MIT */
/*
 * Who runs us, and the host's clock. What CPUID says could be made up (libvirt
 * can hide or rename a hypervisor), so the first test only checks that the
 * answer is consistent; the clock is compared with time that came another way
 * where there is one. When the TSC's frequency itself came from kvmclock
 * (clock_source() says so in the boot report), the comparison proves that our
 * arithmetic agrees, not that the host's clock is right.
 */
#include "core/clock.h"
#include "core/cpu.h"
#include "core/report.h"
#include "core/string.h"
#include "sched/sched.h"
#include "virt/hyper.h"

#define VIRT_READS	200
#define VIRT_WINDOW	(20 * NSEC_PER_MSEC)
#define VIRT_TOLERANCE	1000		/* a thousandth of the window */
#define VIRT_READ_SKEW	(20 * NSEC_PER_USEC)	/* two clocks, read in turn */
#define VIRT_TRIES	5

KTEST(virt, hypervisor_is_recognised)
{
	if (hyper.kind == HYPER_NONE) {
		KEXPECT_EQ(t, hyper.signature[0], 0);
		ktest_skip(t, "CPUID says bare metal");
		return;
	}
	KEXPECT_MSG(t, hyper_name()[0] != 0, "the hypervisor has no name");
	KEXPECT_EQ(t, hyper.kind == HYPER_KVM,
		   strcmp(hyper.signature, "KVMKVMKVM") == 0);
	KEXPECT_EQ(t, hyper.kind == HYPER_TCG,
		   strcmp(hyper.signature, "TCGTCGTCGTCG") == 0);
	if (hyper.kind != HYPER_KVM)
		KEXPECT_EQ(t, hyper.features, 0);
}

/* Two ways to the TSC's frequency must not differ by more than 0.1 %. */
static void virt_expect_hz(struct ktest_run *t, uint64_t hz, const char *what)
{
	uint64_t ours = clock_tsc_hz();
	uint64_t diff = hz > ours ? hz - ours : ours - hz;

	KEXPECT_MSG(t, diff <= ours / 1000, "%s says %llu Hz, %s %llu Hz",
		    what, (unsigned long long)hz, clock_source(),
		    (unsigned long long)ours);
}

KTEST(virt, tsc_frequency_agrees_with_what_the_host_says)
{
	if (!hyper.tsc_khz && !kvmclock_tsc_hz()) {
		ktest_skip(t, "this host says no frequency");
		return;
	}
	if (hyper.tsc_khz)
		virt_expect_hz(t, hyper.tsc_khz * UINT64_C(1000),
			       "CPUID 0x40000010");
	if (kvmclock_tsc_hz())
		virt_expect_hz(t, kvmclock_tsc_hz(), "kvmclock");
}

/* True, or the test is skipped. */
static bool virt_have_kvmclock(struct ktest_run *t)
{
	if (!kvmclock_present()) {
		ktest_skip(t, "no kvmclock under %s", hyper_name());
		return false;
	}
	return KEXPECT(t, kvmclock_read() != 0);
}

KTEST(virt, kvmclock_is_monotonic)
{
	uint64_t last = 0;
	unsigned back = 0;

	if (!virt_have_kvmclock(t))
		return;
	for (unsigned i = 0; i < VIRT_READS; i++) {
		uint64_t now = kvmclock_read();

		back += now < last;
		last = now;
	}
	KEXPECT_EQ(t, back, 0);
}

/*
 * Both clocks over one window. A vCPU that lost its CPU between two readings
 * makes them differ for a reason that is no clock's fault: the best of a few
 * tries.
 */
static uint64_t virt_clock_error(void)
{
	uint64_t host = kvmclock_read();
	nsec_t ours = time_now();
	int64_t diff;

	thread_sleep(VIRT_WINDOW);
	host = kvmclock_read() - host;
	ours = time_now() - ours;
	diff = (int64_t)(host - ours);
	return (uint64_t)(diff < 0 ? -diff : diff);
}

KTEST(virt, kvmclock_keeps_time_over_20_ms)
{
	uint64_t allowed = VIRT_WINDOW / VIRT_TOLERANCE + VIRT_READ_SKEW;
	uint64_t best = UINT64_MAX;

	if (!virt_have_kvmclock(t))
		return;
	for (unsigned i = 0; i < VIRT_TRIES && best > allowed; i++)
		best = MIN(best, virt_clock_error());
	KEXPECT_MSG(t, best <= allowed, "off by %llu ns in 20 ms, allowed %llu",
		    (unsigned long long)best, (unsigned long long)allowed);
	ktest_metric("kvmclock_error_20ms", best, "ns");
}

static uint64_t virt_remote_ns;

static void virt_read_remote(void *arg)
{
	WRITE_ONCE(virt_remote_ns, kvmclock_read());
}

/* A reading that happens after another one must not be smaller, anywhere. */
KTEST(virt, kvmclock_does_not_run_backwards_between_cpus)
{
	uint64_t last;

	if (!virt_have_kvmclock(t))
		return;
	if (cpu_count() == 1) {
		ktest_skip(t, "one CPU");
		return;
	}
	last = kvmclock_read();
	for (unsigned i = 0; i < 2 * cpu_count(); i++) {
		struct thread *th;
		unsigned cpu = i % cpu_count();

		KASSERT(t, thread_create(cpu, virt_read_remote, NULL,
					 "kvmclock", &th) == 0);
		thread_join(th);
		KEXPECT_MSG(t, READ_ONCE(virt_remote_ns) >= last,
			    "CPU %u is %llu ns behind", cpu,
			    (unsigned long long)(last - virt_remote_ns));
		last = virt_remote_ns;
	}
}
