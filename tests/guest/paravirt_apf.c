/* SPDX-License-Identifier: MIT */
/*
 * Asynchronous page faults. A host that has to fetch a page cannot be ordered,
 * so the test plays it: it takes a page out of the tables, sets the flag that
 * makes the next #PF the host's, and later puts the page back and says "ready"
 * by the interrupt. All else is real: the fault, the wait, the instruction that
 * is run again.
 *
 * How one could be fooled: by a fault that nobody waited for, or by a page that
 * was never gone. So the page comes back only when the wait has been counted,
 * and what was read then is compared.
 */
#include "core/irq.h"
#include "core/lapic.h"
#include "core/page.h"
#include "core/tlb.h"
#include "core/vm.h"
#include "core/x86.h"
#include "sched/sched.h"
#include "tests/guest/entry.h"
#include "tests/guest/paravirt.h"

#define APF_MARK	UINT64_C(0x6f1c)
#define APF_STEP	NSEC_PER_MSEC
#define APF_TRIES	5		/* a loaded host: a wait has an end */

static struct apf_test {
	void *page;
	uintptr_t va;
	uint64_t entry;			/* of the page, while it is there */
	struct pv_apf_page *shared;	/* of the CPU that faults */
	uint64_t count;			/* of waits, before */
	bool silent;			/* it comes back, and nobody says so */
	struct timer host;
	/* the outcome: */
	struct waitq queue;
	uint64_t val, others;
	bool ok, over;
} apf_test;

static bool apf_test_setup(struct ktest_run *t)
{
	struct apf_test *a = &apf_test;

	*a = (struct apf_test){ .queue = WAITQ_INIT(a->queue) };
	a->page = page_alloc_zero(0);
	if (!KEXPECT(t, a->page))
		return false;
	*(uint64_t *)a->page = APF_MARK;
	a->va = (uintptr_t)vm_map(virt_to_phys(a->page), PAGE_SIZE, 0);
	if (!KEXPECT(t, a->va))
		return false;
	a->entry = *test_entry(a->va);
	return true;
}

static void apf_test_teardown(void)
{
	WRITE_ONCE(*test_entry(apf_test.va), apf_test.entry);
	vm_unmap((void *)apf_test.va, PAGE_SIZE);
	page_free(apf_test.page, 0);
}

/* Thread context. */
static void apf_test_take_away(void)
{
	struct apf_test *a = &apf_test;

	WRITE_ONCE(*test_entry(a->va), 0);
	tlb_flush((void *)a->va, PAGE_SIZE);
	a->ok = a->over = false;
	a->count = pv_status[PV_APF].count;
}

/* On the CPU that waits. Any context. */
static void apf_test_bring_back(void)
{
	struct apf_test *a = &apf_test;

	WRITE_ONCE(*test_entry(a->va), a->entry);
	if (a->silent)
		return;
	WRITE_ONCE(a->shared->token, (uint32_t)a->va);
	lapic_ipi_self(IRQ_VECTOR_PV_APF);
}

static bool apf_test_waited_for(void)
{
	return READ_ONCE(pv_status[PV_APF].count) != apf_test.count;
}

/* The host as an interrupt on the CPU that waits. */
static void apf_test_host(struct timer *timer)
{
	if (apf_test_waited_for())
		apf_test_bring_back();
	else if (!READ_ONCE(apf_test.over))
		timer_start(timer, time_now() + APF_STEP);
}

/* A fault that its own page says is the host's, and what comes of it. */
static void apf_test_fault(void)
{
	struct apf_test *a = &apf_test;

	WRITE_ONCE(a->shared->flags, KVM_APF_NOT_PRESENT);
	a->ok = x86_read_safe(a->va, &a->val);
	__atomic_store_n(&a->over, true, __ATOMIC_RELEASE);
	waitq_wake_all(&a->queue);
}

/* Was the page read, with one wait, and is the flag free again? */
static void apf_test_expect(struct ktest_run *t, bool ok)
{
	struct apf_test *a = &apf_test;

	KEXPECT(t, ok);
	KEXPECT_EQ(t, a->val, APF_MARK);
	KEXPECT(t, apf_test_waited_for());
	KEXPECT_EQ(t, READ_ONCE(a->shared->flags), 0);
	KEXPECT_EQ(t, READ_ONCE(a->shared->token), 0);
}

/* ---- a thread waits as threads do ---- */

static void apf_test_thread_host(void *arg)
{
	nsec_t end = time_now() + PARAVIRT_WAIT;

	while (!apf_test_waited_for() && !READ_ONCE(apf_test.over) &&
	       time_now() < end) {
		apf_test.others++;
		thread_yield();
	}
	apf_test_bring_back();
}

static void apf_test_thread(void *arg)
{
	struct apf_test *a = &apf_test;
	struct thread *host;

	a->shared = pv_apf_rehearse();
	for (unsigned i = 0; a->shared && i < APF_TRIES && !a->ok; i++) {
		apf_test_take_away();
		if (thread_create(cpu_id(), apf_test_thread_host, NULL, "host",
				  &host))
			return;
		apf_test_fault();
		thread_join(host);
	}
}

KTEST(paravirt, a_thread_waits_for_its_page_and_others_run_meanwhile)
{
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		if (!apf_test_setup(t))
			return;
		if (paravirt_on(t, cpu, apf_test_thread, NULL))
			apf_test_expect(t, apf_test.ok);
		apf_test_teardown();
		if (cpu == 1)
			cpu = MAX(cpu, cpu_count() - 2);
	}
	paravirt_all_works(t, "after a page that was not there");
}

/* ---- who must not block halts ---- */

static void apf_test_bound(void *arg)
{
	struct apf_test *a = &apf_test;

	a->shared = pv_apf_rehearse();
	timer_init(&a->host, apf_test_host);
	for (unsigned i = 0; a->shared && i < APF_TRIES && !a->ok; i++) {
		apf_test_take_away();
		sched_preempt_off();
		timer_start(&a->host, time_now() + APF_STEP);
		apf_test_fault();
		sched_preempt_on();
		timer_cancel(&a->host);
	}
}

KTEST(paravirt, who_must_not_be_switched_halts_until_the_page_is_there)
{
	if (!apf_test_setup(t))
		return;
	if (paravirt_on(t, cpu_count() - 1, apf_test_bound, NULL))
		apf_test_expect(t, apf_test.ok);
	apf_test_teardown();
}

/* ---- the idle thread, which can do nothing but halt ---- */

static unsigned apf_test_idle_cpu;
static bool apf_test_idle_go;

/* The scheduler's question to the idle thread: in its context, once. */
static nsec_t apf_test_idle(nsec_t limit, nsec_t idle)
{
	if (cpu_id() != apf_test_idle_cpu ||
	    !__atomic_exchange_n(&apf_test_idle_go, false, __ATOMIC_ACQ_REL))
		return 0;
	timer_start(&apf_test.host, time_now() + APF_STEP);
	apf_test_fault();
	return 0;
}

static void apf_test_rehearse(void *arg)
{
	apf_test.shared = pv_apf_rehearse();
}

static bool apf_test_idle_once(void)
{
	struct apf_test *a = &apf_test;

	apf_test_take_away();
	timer_init(&a->host, apf_test_host);
	__atomic_store_n(&apf_test_idle_go, true, __ATOMIC_RELEASE);
	/* One that comes just before a halt does not end it. */
	for (nsec_t end = time_now() + PARAVIRT_WAIT;
	     !READ_ONCE(a->over) && time_now() < end;) {
		cpu_send_ipi(apf_test_idle_cpu, IRQ_VECTOR_RESCHED);
		wait_until(&a->queue, READ_ONCE(a->over),
			   time_now() + 10 * APF_STEP);
	}
	timer_cancel(&a->host);
	return a->ok;
}

KTEST(paravirt, an_idle_cpu_halts_until_the_page_is_there)
{
	nsec_t (*hook)(nsec_t limit, nsec_t idle) = sched_idle_poll;
	bool ok = false;

	apf_test_idle_cpu = cpu_count() - 1;
	if (!apf_test_setup(t) ||
	    !paravirt_on(t, apf_test_idle_cpu, apf_test_rehearse, NULL) ||
	    !KEXPECT(t, apf_test.shared))
		return;
	WRITE_ONCE(sched_idle_poll, apf_test_idle);
	for (unsigned i = 0; i < APF_TRIES && !ok; i++)
		ok = apf_test_idle_once();
	WRITE_ONCE(sched_idle_poll, hook);
	apf_test_expect(t, ok);
	apf_test_teardown();
}

/* ---- the host's own interrupt ---- */

static uint64_t apf_test_readies(void)
{
	uint64_t n = 0;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		n += irq_count(cpu, IRQ_VECTOR_PV_APF);
	return n;
}

/* KVM says "all pages are ready" to whoever registers: what it had not heard. */
KTEST(paravirt, the_host_says_ready_by_its_interrupt_when_it_is_registered)
{
	uint64_t before;

	if (!paravirt_needs(t, PV_APF))
		return;
	KASSERT(t, !pv_switch(PV_APF, false));
	before = apf_test_readies();
	KASSERT(t, !pv_switch(PV_APF, true));
	poll_mem_until(apf_test_readies() - before >= cpu_count(),
		       time_now() + NSEC_PER_SEC);
	ktest_metric("apf_ready", apf_test_readies() - before, "count");
	if (apf_test_readies() == before)
		ktest_skip(t, "this host had nothing to say");
}

/* ---- a host that forgets to say so ---- */

static void apf_test_forgotten(void *arg)
{
	struct apf_test *a = &apf_test;

	a->shared = pv_apf_rehearse();
	a->silent = true;
	if (!a->shared)
		return;
	timer_init(&a->host, apf_test_host);
	apf_test_take_away();
	timer_start(&a->host, time_now() + APF_STEP);
	apf_test_fault();
	timer_cancel(&a->host);
}

KTEST(paravirt, a_page_that_nobody_announces_is_asked_for_again)
{
	uint64_t late = pv_apf_late();
	nsec_t start = time_now();

	if (!apf_test_setup(t))
		return;
	if (paravirt_on(t, cpu_count() - 1, apf_test_forgotten, NULL))
		apf_test_expect(t, apf_test.ok);
	KEXPECT_EQ(t, pv_apf_late() - late, 1);
	KEXPECT(t, time_now() - start >= NSEC_PER_SEC);
	apf_test_teardown();
}
