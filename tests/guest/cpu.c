/* SPDX-License-Identifier: MIT */
/*
 * Processors: calls between them, and the translations that they remember.
 *
 * How one could be fooled: an interrupt that another sender's covers hides one
 * that was lost; so sent and received are compared for each pair alone, and
 * again after a storm. A translation that was never in a TLB, or fell out by
 * itself, looks like one that was flushed; so the CPU that is to forget has just
 * loaded from there, and another test shows that without the flush it finds
 * the page again.
 */
#include "core/call.h"
#include "core/cpu.h"
#include "core/dma.h"
#include "core/irq.h"
#include "core/page.h"
#include "core/percpu.h"
#include "core/report.h"
#include "core/tlb.h"
#include "core/vm.h"
#include "core/x86.h"
#include "sched/sched.h"
#include "tests/guest/entry.h"
#include "virt/hyper.h"

#define CPU_TEST_WAIT	(20 * NSEC_PER_SEC)
#define CPU_TEST_CALLS	10000		/* of all CPUs together */
#define CPU_TEST_AT_ONCE	8u

/* ---- calls ---- */

struct cpu_test_visit {
	unsigned ran, cpu;		/* atomic; the last that ran it */
	bool irqs;
};

static void cpu_test_visit(void *arg)
{
	struct cpu_test_visit *v = arg;

	v->cpu = cpu_id();
	v->irqs |= cpu_irqs_on();
	__atomic_fetch_add(&v->ran, 1, __ATOMIC_RELAXED);
}

KTEST(cpu, a_call_runs_once_on_the_cpu_that_was_named)
{
	for (unsigned c = 0; c < cpu_count(); c++) {
		struct cpu_test_visit v = { 0 };

		KEXPECT_EQ(t, call_cpu(c, cpu_test_visit, &v), 0);
		KEXPECT_EQ(t, v.ran, 1);
		KEXPECT_EQ(t, v.cpu, c);
		KEXPECT(t, !v.irqs);
		KEXPECT(t, cpu_irqs_on());
	}
}

KTEST(cpu, a_call_to_a_cpu_that_is_not_there_is_refused)
{
	struct cpu_test_visit v = { 0 };

	KEXPECT_EQ(t, call_cpu(cpu_count(), cpu_test_visit, &v), -EINVAL);
	KEXPECT_EQ(t, call_cpu(CPU_MAX, cpu_test_visit, &v), -EINVAL);
	KEXPECT_EQ(t, v.ran, 0);
}

KTEST(cpu, a_call_to_all_others_leaves_out_the_caller)
{
	struct cpu_test_visit v = { .cpu = CPU_MAX };

	KEXPECT_EQ(t, call_others(cpu_test_visit, &v), 0);
	KEXPECT_EQ(t, v.ran, cpu_count() - 1);
	KEXPECT(t, v.cpu != cpu_id());
}

struct cpu_test_pairs {
	unsigned first, bad;
};

static bool cpu_test_pair(unsigned to)
{
	struct call_stats me[2], it[2];
	struct cpu_test_visit v = { 0 };
	unsigned self = cpu_id();

	call_stats(self, &me[0]);
	call_stats(to, &it[0]);
	if (call_cpu(to, cpu_test_visit, &v))
		return false;
	call_stats(self, &me[1]);
	call_stats(to, &it[1]);
	return v.ran == 1 && v.cpu == to && me[1].sent - me[0].sent == 1 &&
	       it[1].received - it[0].received == 1 &&
	       it[1].served - it[0].served == 1;
}

static void cpu_test_pairs(void *arg)
{
	struct cpu_test_pairs *p = arg;

	for (unsigned to = p->first; to < cpu_count(); to++)
		if (to != cpu_id())
			p->bad += !cpu_test_pair(to);
}

/* With many CPUs: from each of the first and last few to each of those. */
KTEST(cpu, between_any_two_cpus_one_ipi_is_sent_and_one_received)
{
	unsigned n = cpu_count();

	for (unsigned from = 0; from < n; from++) {
		struct cpu_test_pairs p = { .first = n > 16 ? n - 8 : 0 };
		struct thread *th;

		if (n > 16 && from == 8)
			from = n - 8;
		KASSERT(t, !thread_create(from, cpu_test_pairs, &p, "pairs",
					  &th));
		thread_join(th);
		KEXPECT_MSG(t, !p.bad, "CPU %u: %u pairs miscounted", from,
			    p.bad);
	}
}

struct cpu_test_storm {
	unsigned n, rounds, callers;
	unsigned ready, ran, wrong;	/* atomic */
};

static void cpu_test_count(void *arg)
{
	__atomic_fetch_add((unsigned *)arg, 1, __ATOMIC_RELAXED);
}

static void cpu_test_storm(void *arg)
{
	struct cpu_test_storm *s = arg;
	unsigned self = cpu_id(), bad;

	cpu_test_count(&s->ready);
	bad = poll_mem_until(READ_ONCE(s->ready) == s->callers,
			     time_now() + CPU_TEST_WAIT) != 0;
	for (unsigned i = 0; i < s->rounds; i++) {
		unsigned to = (self + 1 + i % (s->n - 1)) % s->n, seen = 0;

		bad += call_cpu(to, cpu_test_count, &seen) || seen != 1;
		__atomic_fetch_add(&s->ran, seen, __ATOMIC_RELAXED);
	}
	__atomic_fetch_add(&s->wrong, bad, __ATOMIC_RELAXED);
}

/* sent - received over all CPUs; they differ while one is on its way. */
static uint64_t cpu_test_in_flight(void)
{
	uint64_t sent = 0, received = 0;

	for (unsigned c = 0; c < cpu_count(); c++) {
		struct call_stats st;

		call_stats(c, &st);
		sent += st.sent;
		received += st.received;
	}
	return sent - received;
}

/* Storms from as many CPUs at once, from first on. */
static void cpu_test_storm_from(struct ktest_run *t, unsigned first,
				unsigned callers, struct cpu_test_storm *s)
{
	struct thread *th[CPU_TEST_AT_ONCE];
	unsigned made = 0;

	s->ready = 0;
	s->callers = callers;
	while (made < callers &&
	       !thread_create((first + made) % s->n, cpu_test_storm, s,
			      "storm", &th[made]))
		made++;
	KEXPECT_EQ(t, made, callers);
	for (unsigned i = 0; i < made; i++)
		thread_join(th[i]);
	KEXPECT_EQ(t, s->wrong, 0);
}

/*
 * By twos, that also call each other: more would have to share the host's
 * processors with those that only wait for them.
 */
KTEST(cpu, ten_thousand_calls_from_all_to_all_lose_none)
{
	struct cpu_test_storm s = { .n = cpu_count() };
	unsigned rounds = CPU_TEST_CALLS / s.n + 1;

	if (s.n == 1) {
		ktest_skip(t, "one CPU");
		return;
	}
	s.rounds = (rounds + 1) / 2;
	for (unsigned first = 0; first < s.n; first++)
		cpu_test_storm_from(t, first, 2, &s);
	KEXPECT_EQ(t, s.ran, s.n * 2 * s.rounds);
	KEXPECT(t, s.ran >= CPU_TEST_CALLS);
	KEXPECT_EQ(t, cpu_test_in_flight(), 0);
}

KTEST(cpu, cpus_that_all_call_at_once_all_get_their_answers)
{
	struct cpu_test_storm s = { .n = cpu_count(), .rounds = 50 };
	unsigned callers = MIN(s.n, CPU_TEST_AT_ONCE);

	if (s.n == 1) {
		ktest_skip(t, "one CPU");
		return;
	}
	cpu_test_storm_from(t, s.n - callers, callers, &s);
	KEXPECT_EQ(t, s.ran, callers * s.rounds);
	KEXPECT_EQ(t, cpu_test_in_flight(), 0);
}

KTEST(cpu, an_interrupt_that_comes_once_more_does_no_harm)
{
	unsigned last = cpu_count() - 1;
	struct cpu_test_visit v = { 0 };
	struct call_stats before, now;

	if (!last) {
		ktest_skip(t, "one CPU");
		return;
	}
	call_stats(last, &before);
	cpu_send_ipi(last, IRQ_VECTOR_CALL);
	KEXPECT_EQ(t, poll_mem_until(({ call_stats(last, &now);
				     now.received > before.received; }),
				     time_now() + CPU_TEST_WAIT), 0);
	KEXPECT_EQ(t, now.served, before.served);
	KEXPECT_EQ(t, call_cpu(last, cpu_test_visit, &v), 0);
	KEXPECT_EQ(t, v.ran, 1);
}

/* ---- translations ---- */

#define CPU_TEST_MARK	0x10d6e1
#define CPU_TEST_TRIES	20		/* for a stale translation to show */

/*
 * On the CPU that is to forget: load, say so, wait until the page is gone from
 * the tables, load again.
 */
struct cpu_test_probe {
	uintptr_t va;
	unsigned step;			/* atomic: 1 has loaded, 2 load again */
	bool first, second, late;	/* did the loads find the page? */
	uint64_t val;
};

static bool cpu_test_await(unsigned *step, unsigned val)
{
	return !poll_mem_until(__atomic_load_n(step, __ATOMIC_ACQUIRE) == val,
			       time_now() + CPU_TEST_WAIT);
}

static void cpu_test_probe(void *arg)
{
	struct cpu_test_probe *p = arg;
	uint64_t val;

	p->first = x86_read_safe(p->va, &p->val);
	__atomic_store_n(&p->step, 1, __ATOMIC_RELEASE);
	p->late = !cpu_test_await(&p->step, 2);
	p->second = x86_read_safe(p->va, &val);
}

/* Does cpu still find what it knew at va once undo(va, size) has run? */
static bool cpu_test_stale(struct ktest_run *t, unsigned cpu, uintptr_t va,
			   size_t size, void (*undo)(void *va, size_t size))
{
	struct cpu_test_probe p = { .va = va };
	struct thread *th;

	if (!KEXPECT(t, !thread_create(cpu, cpu_test_probe, &p, "probe", &th)))
		return true;
	KEXPECT(t, cpu_test_await(&p.step, 1));
	undo((void *)va, size);
	__atomic_store_n(&p.step, 2, __ATOMIC_RELEASE);
	thread_join(th);
	KEXPECT(t, p.first && !p.late);
	KEXPECT_EQ(t, p.val, CPU_TEST_MARK);
	return p.second;
}

/* A page with the mark in it, mapped once more. */
static void *cpu_test_map(void **page)
{
	*page = page_alloc_zero(0);
	if (!*page)
		return NULL;
	*(uint64_t *)*page = CPU_TEST_MARK;
	return vm_map(virt_to_phys(*page), PAGE_SIZE, 0);
}

KTEST(cpu, an_unmapped_page_is_forgotten_by_every_other_cpu)
{
	if (cpu_count() == 1) {
		ktest_skip(t, "one CPU");
		return;
	}
	for (unsigned c = 1; c < cpu_count(); c++) {
		void *page, *va = cpu_test_map(&page);

		KASSERT(t, va);
		KEXPECT_MSG(t, !cpu_test_stale(t, c, (uintptr_t)va, PAGE_SIZE,
					       vm_unmap),
			    "CPU %u faults after the unmapping", c);
		page_free(page, 0);
	}
}

KTEST(cpu, an_unmapped_page_is_forgotten_by_the_cpu_that_unmaps)
{
	void *page, *va = cpu_test_map(&page);
	uint64_t val = 0;

	KASSERT(t, va);
	KEXPECT(t, x86_read_safe((uintptr_t)va, &val));
	KEXPECT_EQ(t, val, CPU_TEST_MARK);
	vm_unmap(va, PAGE_SIZE);
	KEXPECT(t, !x86_read_safe((uintptr_t)va, &val));
	page_free(page, 0);
}

static void cpu_test_unmap_large(void *mark, size_t size)
{
	vm_unmap((char *)mark - MIB(1), size);
}

/* 2 MiB at a 2 MiB boundary, which the tables map as one page; and emptying
   the whole TLB, which so much takes. */
KTEST(cpu, a_large_page_is_forgotten_too)
{
	unsigned last = cpu_count() - 1;
	char *pages = page_alloc(page_order(MIB(2)));
	char *va;

	if (!last || !pages) {
		ktest_skip(t, last ? "no 2 MiB of memory" : "one CPU");
		page_free(pages, page_order(MIB(2)));
		return;
	}
	*(uint64_t *)(pages + MIB(1)) = CPU_TEST_MARK;
	va = vm_map(virt_to_phys(pages), MIB(2), 0);
	KASSERT(t, va);
	KEXPECT(t, !cpu_test_stale(t, last, (uintptr_t)va + MIB(1), MIB(2),
				   cpu_test_unmap_large));
	page_free(pages, page_order(MIB(2)));
}

static void cpu_test_clear_only(void *va, size_t size)
{
	WRITE_ONCE(*test_entry((uintptr_t)va), 0);
}

static bool cpu_test_defer_all(unsigned cpu)
{
	return true;
}

static void cpu_test_clear_deferred(void *va, size_t size)
{
	bool (*was)(unsigned cpu) = tlb_pv_defer;

	cpu_test_clear_only(va, size);
	tlb_pv_defer = cpu_test_defer_all;
	tlb_flush(va, size);
	tlb_pv_defer = was;
}

/*
 * The other direction: what the tests above see can be seen at all. A TLB may
 * forget at any time, so of several tries one is enough.
 */
static unsigned cpu_test_count_stale(struct ktest_run *t, unsigned cpu,
				     void (*undo)(void *va, size_t size))
{
	unsigned stale = 0;

	for (unsigned i = 0; i < CPU_TEST_TRIES; i++) {
		void *page, *va = cpu_test_map(&page);

		if (!KEXPECT(t, va))
			return stale;
		stale += cpu_test_stale(t, cpu, (uintptr_t)va, PAGE_SIZE, undo);
		vm_unmap(va, PAGE_SIZE);
		page_free(page, 0);
	}
	return stale;
}

KTEST(cpu, without_the_flush_another_cpu_still_finds_the_page)
{
	unsigned stale;

	if (cpu_count() == 1) {
		ktest_skip(t, "one CPU");
		return;
	}
	stale = cpu_test_count_stale(t, 1, cpu_test_clear_only);
	ktest_metric("stale_translations", stale, "count");
	if (!stale && hyper.kind != HYPER_TCG)
		ktest_skip(t, "this machine forgot all of %u by itself",
			   CPU_TEST_TRIES);
	else
		KEXPECT(t, stale);
}

KTEST(cpu, a_cpu_whose_flush_the_host_has_promised_is_not_interrupted)
{
	unsigned n = cpu_count();
	bool (*was)(unsigned cpu) = tlb_pv_defer;
	struct tlb_stats before, now;
	void *page, *va;

	if (n == 1) {
		ktest_skip(t, "one CPU");
		return;
	}
	va = cpu_test_map(&page);
	KASSERT(t, va);
	tlb_stats(0, &before);
	cpu_test_clear_deferred(va, PAGE_SIZE);
	tlb_stats(0, &now);
	KEXPECT_EQ(t, now.asked - before.asked, 1);
	KEXPECT_EQ(t, now.deferred - before.deferred, n - 1);
	KEXPECT_EQ(t, now.ipis, before.ipis);
	tlb_pv_defer = NULL;
	vm_unmap(va, PAGE_SIZE);
	tlb_pv_defer = was;
	tlb_stats(0, &before);
	KEXPECT_EQ(t, before.ipis - now.ipis, n - 1);
	page_free(page, 0);
}

KTEST(cpu, many_pages_empty_the_whole_tlb_and_few_do_not)
{
	size_t many = (TLB_PAGES_MAX + 1) * PAGE_SIZE;
	bool (*was)(unsigned cpu) = tlb_pv_defer;
	struct tlb_stats before, now;
	void *page = page_alloc(page_order(many)), *va;

	KASSERT(t, page);
	va = vm_map(virt_to_phys(page), many, 0);
	KASSERT(t, va);
	tlb_pv_defer = NULL;
	tlb_stats(cpu_count() - 1, &before);
	tlb_flush(va, many - PAGE_SIZE);
	tlb_stats(cpu_count() - 1, &now);
	KEXPECT_EQ(t, now.flushed - before.flushed, 1);
	KEXPECT_EQ(t, now.emptied, before.emptied);
	vm_unmap(va, many);
	tlb_pv_defer = was;
	tlb_stats(cpu_count() - 1, &now);
	KEXPECT_EQ(t, now.emptied - before.emptied, 1);
	page_free(page, page_order(many));
}
