/* SPDX-License-Identifier: MIT */
/*
 * What the processor and the ways between processors cost.
 *
 * How one could be fooled: an interrupt that never came takes no time, so all
 * are counted by their handlers, and calls, flushes and EOIs by the other
 * side's own statistics. A halted CPU has to be woken by the host, and one that
 * runs is only interrupted; both are measured. On a host that has fewer
 * processors than we, a busy CPU is one that does not run. Where instructions
 * are counted, those of the CPU that is waited for count too, because the CPUs
 * run by turns there.
 */
#include "tests/guest/bench.h"

#include "core/call.h"
#include "core/clock.h"
#include "core/cpu.h"
#include "core/dma.h"
#include "core/irq.h"
#include "core/lapic.h"
#include "core/page.h"
#include "core/percpu.h"
#include "core/tlb.h"
#include "core/vm.h"
#include "core/x86.h"
#include "sched/sched.h"
#include "virt/hyper.h"

#define BENCH_WAIT	(10 * NSEC_PER_SEC)
#define BENCH_BUSY_MAX	7u		/* CPUs kept busy: the host has few */
#define BENCH_EMULATED	(200 * NSEC_PER_USEC)	/* for 1000 instructions */
#define BENCH_NOWHERE	UINT64_C(8)	/* page 0 is never mapped */

/* ---- the measure itself ---- */

KBENCH(cpu, nothing, "a batch of nothing: in each batch of all others too")
{
	while (kbench_batch(b, 1))
		;
	KBENCH_EQ(b, b->batches, b->ops);
}

static void bench_thousand(void)
{
	uint32_t n = 500;

	__asm__ volatile("1: decl %0; jnz 1b" : "+r"(n) : : "cc");
}

KBENCH(cpu, thousand_instructions, "500 times DEC and JNZ: what a tick is")
{
	while (kbench_batch(b, 64))
		for (unsigned i = 0; i < 64; i++)
			bench_thousand();
}

/* ---- interrupts and exceptions of this CPU ---- */

static unsigned bench_irqs;		/* this CPU, interrupts off */

static void bench_irq(void *arg)
{
	bench_irqs++;
}

static void bench_irq_begin(void)
{
	irq_set_system(IRQ_VECTOR_BENCH, bench_irq, "bench");
	bench_irqs = 0;
}

/* KVM that executes ring 0 by software knows no INT n, and stops the machine. */
static bool bench_is_emulated(void)
{
	nsec_t best = NSEC_NEVER;

	for (unsigned i = 0; i < 3; i++) {
		nsec_t start = time_now();

		bench_thousand();
		best = MIN(best, time_now() - start);
	}
	return hyper.kind == HYPER_KVM && best > BENCH_EMULATED;
}

KBENCH(cpu, interrupt, "entry, a handler that counts, EOI, exit (INT n)")
{
	if (bench_is_emulated())
		return kbench_skip(b, "INT n is not emulated by this KVM");
	bench_irq_begin();
	while (kbench_batch(b, 64))
		for (unsigned i = 0; i < 64; i++)
			__asm__ volatile("int %0"
					 : : "i"(IRQ_VECTOR_BENCH) : "memory");
	KBENCH_EQ(b, bench_irqs, b->ops);
}

KBENCH(cpu, interrupt_self, "the same, sent by the local APIC to its own CPU")
{
	bool lost = false;

	bench_irq_begin();
	while (!lost && kbench_batch(b, 16))
		for (unsigned i = 0; i < 16 && !lost; i++) {
			unsigned want = bench_irqs + 1;

			lapic_ipi_self(IRQ_VECTOR_BENCH);
			lost = poll_mem_until(READ_ONCE(bench_irqs) == want,
					      time_now() + BENCH_WAIT);
		}
	KBENCH_CHECK(b, !lost);
	KBENCH_EQ(b, bench_irqs, b->ops);
}

static uint64_t bench_eois(void)
{
	const struct percpu *p = this_cpu();

	return READ_ONCE(p->eoi_written) + READ_ONCE(p->eoi_skipped);
}

KBENCH(cpu, eoi, "end of interrupt, none in service: the register write")
{
	uint64_t before = bench_eois();

	while (kbench_batch(b, 64))
		for (unsigned i = 0; i < 64; i++)
			lapic_eoi();
	/* A real interrupt's may be among them. */
	KBENCH_CHECK(b, bench_eois() - before >= b->ops);
}

KBENCH(cpu, page_fault, "a load from where nothing is, and out by the table")
{
	uint64_t val, faults = 0;

	while (kbench_batch(b, 64))
		for (unsigned i = 0; i < 64; i++)
			faults += !x86_read_safe(BENCH_NOWHERE, &val);
	KBENCH_EQ(b, faults, b->ops);
}

/* ---- the other CPUs ---- */

struct bench_busy {
	struct thread *th[BENCH_BUSY_MAX];
	unsigned n, made;
	unsigned ready, stop;		/* atomic */
};

static void bench_busy_run(void *arg)
{
	struct bench_busy *y = arg;

	__atomic_fetch_add(&y->ready, 1, __ATOMIC_RELAXED);
	while (!READ_ONCE(y->stop))
		cpu_relax();
}

/* Ends the threads, too, when not all could be had. */
static void bench_busy_end(struct bench_busy *y)
{
	WRITE_ONCE(y->stop, 1);
	for (unsigned i = 0; i < y->made; i++)
		thread_join(y->th[i]);
	y->made = 0;
}

/* Keep some other CPUs in a loop until bench_busy_end(). */
static bool bench_busy_begin(struct kbench_run *b, struct bench_busy *y)
{
	int err = 0;

	*y = (struct bench_busy){ .n = MIN(cpu_count() - 1, BENCH_BUSY_MAX) };
	while (y->made < y->n && !err) {
		err = thread_create(y->made + 1, bench_busy_run, y, "busy",
				    &y->th[y->made]);
		y->made += !err;
	}
	if (!err)
		err = poll_mem_until(READ_ONCE(y->ready) == y->n,
				     time_now() + BENCH_WAIT);
	if (KBENCH_CHECK(b, !err))
		return true;
	bench_busy_end(y);
	return false;
}

static bool bench_alone(struct kbench_run *b)
{
	if (cpu_count() == 1)
		kbench_skip(b, "one CPU");
	return cpu_count() == 1;
}

static void bench_visit(void *arg)
{
	__atomic_fetch_add((unsigned *)arg, 1, __ATOMIC_RELAXED);
}

/* One after the other: each of the next n CPUs. */
static void bench_ipi(struct kbench_run *b, unsigned n)
{
	unsigned ran = 0, to = 0, err = 0;

	while (!err && kbench_batch(b, 1)) {
		to = to % n + 1;
		err = call_cpu(to, bench_visit, &ran) != 0;
	}
	KBENCH_CHECK(b, !err);
	KBENCH_EQ(b, ran, b->ops);
}

KBENCH(cpu, ipi, "a call to one other CPU, halted, and its answer")
{
	if (!bench_alone(b))
		bench_ipi(b, cpu_count() - 1);
}

KBENCH(cpu, ipi_busy, "the same, to a CPU that runs a thread")
{
	struct bench_busy y;

	if (bench_alone(b) || !bench_busy_begin(b, &y))
		return;
	bench_ipi(b, y.n);
	bench_busy_end(&y);
}

KBENCH(cpu, ipi_all, "a call to all other CPUs at once, and all answers")
{
	unsigned ran = 0, err = 0;

	if (bench_alone(b))
		return;
	while (!err && kbench_batch(b, 1))
		err = call_others(bench_visit, &ran) != 0;
	KBENCH_CHECK(b, !err);
	KBENCH_EQ(b, ran, b->ops * (cpu_count() - 1));
}

/* Flushes of the others, and those that the host will do for them. */
static uint64_t bench_flushes(void)
{
	struct tlb_stats st;
	uint64_t n;

	tlb_stats(cpu_id(), &st);
	n = st.deferred;
	for (unsigned c = 0; c < cpu_count(); c++) {
		tlb_stats(c, &st);
		if (c != cpu_id())
			n += st.flushed + st.emptied;
	}
	return n;
}

/* Only the unmapping is timed: clear the entries, then flush on all CPUs. */
static void bench_unmap(struct kbench_run *b, size_t size)
{
	uint64_t before = bench_flushes();
	void *page = page_alloc(page_order(size)), *va = page;

	while (va && kbench_batch(b, 1)) {
		va = vm_map(virt_to_phys(page), size, VM_WRITE);
		if (!va)
			break;
		for (size_t at = 0; at < size; at += PAGE_SIZE)
			*(volatile char *)((char *)va + at) = 1;
		kbench_from_here(b);
		vm_unmap(va, size);
	}
	KBENCH_CHECK(b, va);
	KBENCH_CHECK(b, bench_flushes() - before >= b->ops * (cpu_count() - 1));
	if (page)
		page_free(page, page_order(size));
}

static void bench_unmap_busy(struct kbench_run *b, size_t size)
{
	struct bench_busy y;

	if (bench_alone(b) || !bench_busy_begin(b, &y))
		return;
	bench_unmap(b, size);
	bench_busy_end(&y);
}

KBENCH(cpu, shootdown_1, "unmap 1 page; the others run, and must forget it")
{
	bench_unmap_busy(b, PAGE_SIZE);
}

KBENCH(cpu, shootdown_64, "unmap 64 pages: the others empty their TLBs")
{
	bench_unmap_busy(b, 64 * PAGE_SIZE);
}

/* ---- clocks ---- */

/* read is inlined. Each is monotonic on one CPU, which is all that is checked. */
static inline __attribute__((always_inline)) void
bench_clock(struct kbench_run *b, uint64_t (*read)(void))
{
	uint64_t last = 0, back = 0;

	while (kbench_batch(b, 256))
		for (unsigned i = 0; i < 256; i++) {
			uint64_t now = read();

			back += now < last;
			last = now;
		}
	KBENCH_EQ(b, back, 0);
	KBENCH_CHECK(b, last);
}

KBENCH(cpu, clock, "time_now(): the TSC, corrected, in ns")
{
	bench_clock(b, time_now);
}

KBENCH(cpu, rdtsc, "the TSC, as it is")
{
	bench_clock(b, x86_rdtsc);
}

KBENCH(cpu, kvmclock, "the hypervisor's clock page, in ns")
{
	if (!clock_hypervisor_ns || !clock_hypervisor_ns())
		return kbench_skip(b, "no kvmclock");
	bench_clock(b, clock_hypervisor_ns);
}
