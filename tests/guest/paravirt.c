/* SPDX-License-Identifier: MIT */
/*
 * Paravirtual features: which are on, that they help, and that the kernel does
 * as well without. Hypercalls are in paravirt_call.c, asynchronous page faults in
 * paravirt_apf.c.
 *
 * How one could be fooled: a feature that is on and never used looks like one that
 * works, so each has a counter, which the tests make move. One that is switched
 * off may still be asked by a hook that nobody took back, so the counter must
 * stand still then. And where the host offers nothing, a page that the test
 * writes stands for the host's.
 */
#include "tests/guest/paravirt.h"

#include "core/call.h"
#include "core/fmt.h"
#include "core/irq.h"
#include "core/lapic.h"
#include "core/page.h"
#include "core/percpu.h"
#include "core/string.h"
#include "core/tlb.h"
#include "core/vm.h"
#include "core/x86.h"
#include "sched/sched.h"
#include "tests/guest/entry.h"
#include "virt/hyper.h"

#define PARAVIRT_EOIS	100
#define PARAVIRT_READS	100
#define PARAVIRT_BUSY	(30 * NSEC_PER_MSEC)
#define PARAVIRT_SLACK	(20 * NSEC_PER_MSEC)	/* two clocks of one host */
#define PARAVIRT_MARK	0x9a2a

/* ---- shared ---- */

bool paravirt_needs(struct ktest_run *t, enum pv_feature f)
{
	if (pv_on(f))
		return true;
	ktest_skip(t, "%s is %s: %s", pv_name(f), pv_state_name(f),
		   pv_status[f].why);
	return false;
}

void paravirt_force(struct paravirt_saved *s, enum pv_feature f,
		    enum pv_state state)
{
	memcpy(s->status, pv_status, sizeof(s->status));
	pv_status[f].state = state;
	pv_status[f].why[0] = 0;
}

void paravirt_restore(const struct paravirt_saved *s)
{
	memcpy(pv_status, s->status, sizeof(s->status));
}

bool paravirt_on(struct ktest_run *t, unsigned cpu, void (*fn)(void *arg),
		 void *arg)
{
	struct thread *th;

	if (!KEXPECT(t, !thread_create(cpu, fn, arg, "paravirt", &th)))
		return false;
	thread_join(th);
	return true;
}

bool paravirt_says(const char *text, const char *words)
{
	size_t n = strlen(words);

	for (; strlen(text) >= n; text++)
		if (!memcmp(text, words, n))
			return true;
	return false;
}

static void paravirt_visit(void *arg)
{
	__atomic_fetch_add((unsigned *)arg, 1, __ATOMIC_RELAXED);
}

/* A page that every CPU has looked at: does one still see it, unmapped? */
struct paravirt_look {
	uintptr_t va;
	unsigned seen;
};

static void paravirt_look(void *arg)
{
	struct paravirt_look *l = arg;
	uint64_t val;

	if (x86_read_safe(l->va, &val))
		__atomic_fetch_add(&l->seen, 1, __ATOMIC_RELAXED);
}

static void paravirt_flush_works(struct ktest_run *t, const char *when)
{
	void *page = page_alloc_zero(0);
	struct paravirt_look l = { 0 };
	unsigned n = cpu_count();

	KASSERT(t, page);
	l.va = (uintptr_t)vm_map(virt_to_phys(page), PAGE_SIZE, 0);
	KASSERT(t, l.va);
	for (unsigned cpu = 0; cpu < n; cpu++)
		KEXPECT_EQ(t, call_cpu(cpu, paravirt_look, &l), 0);
	KEXPECT_EQ(t, l.seen, n);
	vm_unmap((void *)l.va, PAGE_SIZE);
	for (unsigned cpu = 0; cpu < n; cpu++)
		KEXPECT_EQ(t, call_cpu(cpu, paravirt_look, &l), 0);
	KEXPECT_MSG(t, l.seen == n, "%s: %u CPUs see an unmapped page", when,
		    l.seen - n);
	page_free(page, 0);
}

void paravirt_all_works(struct ktest_run *t, const char *when)
{
	nsec_t until = time_now() + NSEC_PER_MSEC;
	unsigned ran = 0;

	KEXPECT_EQ(t, call_others(paravirt_visit, &ran), 0);
	KEXPECT_MSG(t, ran == cpu_count() - 1, "%s: %u of %u others called",
		    when, ran, cpu_count() - 1);
	paravirt_flush_works(t, when);
	thread_sleep_until(until);
	KEXPECT_MSG(t, time_now() >= until, "%s: awake too early", when);
}

/* ---- what is on ---- */

static bool paravirt_offered(enum pv_feature f)
{
	uint32_t bits = hyper.features;

	if (hyper.kind != HYPER_KVM)
		return false;
	if (f == PV_APF && !(bits & BIT(KVM_BIT_ASYNC_PF)))
		return false;
	return pv_bit(f) < 0 || bits >> pv_bit(f) & 1;
}

/* Of use where it is offered, unless a hint or what it needs says otherwise. */
static bool paravirt_helps(enum pv_feature f)
{
	bool alone = hyper.hints & KVM_HINT_REALTIME;

	if (pv_needs(f) != f && !pv_on(pv_needs(f)))
		return false;
	return f == PV_HALTPOLL ? false :
	       f == PV_TLB || f == PV_YIELD ? !alone : true;
}

KTEST(paravirt, what_is_offered_and_of_use_is_on_and_all_else_says_why)
{
	for (unsigned i = 0; i < PV_FEATURES; i++) {
		enum pv_feature f = (enum pv_feature)i;
		const struct pv_status *s = &pv_status[f];

		KEXPECT_MSG(t, (s->state == PV_ON) == !s->why[0],
			    "%s is %s, because \"%s\"", pv_name(f),
			    pv_state_name(f), s->why);
		if (!paravirt_offered(f))
			KEXPECT_EQ(t, s->state, PV_ABSENT);
		else if (s->want == PV_WANT_OFF)
			KEXPECT_EQ(t, s->state, PV_OFF);
		else if (paravirt_helps(f))
			KEXPECT_MSG(t, s->state == PV_ON ||
				    s->state == PV_BROKEN, "%s is %s: %s",
				    pv_name(f), pv_state_name(f), s->why);
	}
}

static void paravirt_expect_hooks(struct ktest_run *t)
{
	KEXPECT_EQ(t, sched_stolen_ns == pv_steal_ns, pv_on(PV_STEAL));
	KEXPECT_EQ(t, tlb_pv_defer == pv_tlb_defer, pv_on(PV_TLB));
	KEXPECT_EQ(t, lapic_pv_ipi == pv_ipi_send, pv_on(PV_IPI));
	KEXPECT_EQ(t, lapic_pv_yield == pv_yield_to, pv_on(PV_YIELD));
	KEXPECT_EQ(t, sched_idle_poll == pv_poll_adapt, pv_on(PV_HALTPOLL));
}

KTEST(paravirt, what_is_on_is_asked_and_what_is_not_is_not)
{
	paravirt_expect_hooks(t);
}

/* ---- kvmclock ---- */

/* kvmclock less time_now(), between two bounds: it was read in between. */
struct paravirt_offset {
	int64_t low, high;
	unsigned back;
};

static void paravirt_read_clocks(void *arg)
{
	struct paravirt_offset *o = arg;
	uint64_t last = 0;

	*o = (struct paravirt_offset){ INT64_MIN, INT64_MAX, 0 };
	for (unsigned i = 0; i < PARAVIRT_READS; i++) {
		int64_t before = (int64_t)time_now(), after;
		uint64_t ns = kvmclock_read();

		after = (int64_t)time_now();
		o->back += ns < last;
		o->low = MAX(o->low, (int64_t)ns - after);
		o->high = MIN(o->high, (int64_t)ns - before);
		last = ns;
	}
}

KTEST(paravirt, kvmclock_goes_with_our_own_clock_on_every_cpu)
{
	uint64_t count = pv_status[PV_KVMCLOCK].count;
	struct paravirt_offset first, o;

	if (!paravirt_needs(t, PV_KVMCLOCK))
		return;
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		if (!paravirt_on(t, cpu, paravirt_read_clocks, &o))
			return;
		if (!cpu)
			first = o;
		KEXPECT_EQ(t, o.back, 0);
		KEXPECT_MSG(t, o.low <= first.high + (int64_t)PARAVIRT_SLACK &&
			    o.high + (int64_t)PARAVIRT_SLACK >= first.low,
			    "CPU %u: kvmclock is %lld ns from our clock, on "
			    "CPU 0 %lld", cpu, (long long)o.high,
			    (long long)first.high);
	}
	KEXPECT_EQ(t, pv_status[PV_KVMCLOCK].count - count,
		   PARAVIRT_READS * cpu_count());
}

/* ---- PV EOI ---- */

/*
 * The host offers by writing 1 to the word's first byte, and takes an offer back
 * by writing 0: in either case over this bit, which is ours.
 */
#define PARAVIRT_OURS	BIT(7)

struct paravirt_ring {
	unsigned rung, offered;
	uint64_t skipped, written;
	bool late;
};

static void paravirt_rung(void *arg)
{
	struct paravirt_ring *r = arg;

	WRITE_ONCE(r->rung, r->rung + 1);
}

/* Interrupts to oneself, each taken before the next one is sent. */
static void paravirt_ring(void *arg)
{
	struct paravirt_ring *r = arg;
	struct percpu *me = this_cpu();
	int vector = irq_alloc(me->id, paravirt_rung, r, "paravirt");

	r->late = vector < 0;
	r->skipped = me->eoi_skipped;
	r->written = me->eoi_written;
	for (unsigned n = 1; n <= PARAVIRT_EOIS && !r->late; n++) {
		WRITE_ONCE(me->pv_eoi, PARAVIRT_OURS);
		lapic_ipi_self((unsigned)vector);
		r->late = poll_mem_until(READ_ONCE(r->rung) >= n,
					 time_now() + PARAVIRT_WAIT);
		r->offered += !(READ_ONCE(me->pv_eoi) & PARAVIRT_OURS);
	}
	WRITE_ONCE(me->pv_eoi, 0);
	r->skipped = me->eoi_skipped - r->skipped;
	r->written = me->eoi_written - r->written;
	if (vector >= 0)
		irq_free(me->id, (unsigned)vector);
}

/* On each CPU, PARAVIRT_EOIS and some; their sums. */
static struct paravirt_ring paravirt_eois(struct ktest_run *t)
{
	struct paravirt_ring sum = { 0 };

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		struct paravirt_ring r = { 0 };

		if (!paravirt_on(t, cpu, paravirt_ring, &r))
			break;
		KEXPECT(t, !r.late);
		KEXPECT_EQ(t, r.rung, PARAVIRT_EOIS);
		KEXPECT(t, r.skipped + r.written >= PARAVIRT_EOIS);
		sum.skipped += r.skipped;
		sum.offered += r.offered;
	}
	return sum;
}

KTEST(paravirt, each_interrupt_ends_once_by_the_register_or_without_it)
{
	struct paravirt_ring sum = paravirt_eois(t);

	ktest_metric("eoi_offered", sum.offered, "count");
	ktest_metric("eoi_skipped", sum.skipped, "count");
	if (!pv_on(PV_EOI))
		KEXPECT_EQ(t, sum.offered + sum.skipped, 0);
	else if (!sum.offered)
		ktest_skip(t, "PV EOI is on, and this host never offered it (its "
			   "local APIC may be the hardware's)");
}

/* One handler, two ends: the first is as if the host had offered to do without. */
static void paravirt_promised(void *arg)
{
	struct paravirt_ring *r = arg;

	WRITE_ONCE(this_cpu()->pv_eoi, BIT(0));
	lapic_eoi();
	r->offered = READ_ONCE(this_cpu()->pv_eoi);
	WRITE_ONCE(r->rung, 1);
}

KTEST(paravirt, an_end_that_was_promised_is_not_written_and_the_next_one_is)
{
	struct paravirt_ring r = { 0 };
	struct percpu *me = this_cpu();
	int vector = irq_alloc(me->id, paravirt_promised, &r, "paravirt");

	KASSERT(t, vector > 0);
	r.skipped = me->eoi_skipped;
	r.written = me->eoi_written;
	lapic_ipi_self((unsigned)vector);
	KEXPECT(t, !poll_mem_until(READ_ONCE(r.rung),
				   time_now() + PARAVIRT_WAIT));
	irq_free(me->id, (unsigned)vector);
	KEXPECT_EQ(t, r.offered, 0);
	KEXPECT(t, me->eoi_skipped > r.skipped);
	if (!pv_on(PV_EOI))
		KEXPECT(t, me->eoi_written > r.written);
}

KTEST(paravirt, without_pv_eoi_every_end_is_written)
{
	struct paravirt_ring was, sum;

	if (!paravirt_needs(t, PV_EOI))
		return;
	was = paravirt_eois(t);
	KASSERT(t, !pv_switch(PV_EOI, false));
	sum = paravirt_eois(t);
	KEXPECT_EQ(t, sum.offered + sum.skipped, 0);
	KEXPECT_EQ(t, pv_switch(PV_EOI, true), 0);
	if (was.offered)
		KEXPECT(t, paravirt_eois(t).offered > 0);
}

/* ---- steal time ---- */

struct paravirt_steal {
	uint64_t first, last;
	nsec_t took;
	unsigned back, odd;
	uint32_t version;
};

/* Busy all the time, so this CPU wants to run: what it missed was stolen. */
static void paravirt_steal(void *arg)
{
	const struct pv_steal_page *page = pv_steal_of(cpu_id());
	nsec_t start = time_now(), end = start + PARAVIRT_BUSY;
	struct paravirt_steal *s = arg;
	uint64_t ns = 0;

	*s = (struct paravirt_steal){ 0 };
	if (!page || !pv_steal_sample(page, &s->first))
		return;
	for (s->last = s->first; time_now() < end; s->last = ns) {
		s->odd += !pv_steal_sample(page, &ns);
		s->back += ns < s->last;
	}
	s->took = time_now() - start;
	s->version = READ_ONCE(page->version);
}

KTEST(paravirt, stolen_time_never_shrinks_and_is_less_than_what_passed)
{
	uint64_t stolen = 0;

	if (!paravirt_needs(t, PV_STEAL))
		return;
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		struct paravirt_steal s;
		struct sched_stats st;

		if (!paravirt_on(t, cpu, paravirt_steal, &s))
			return;
		sched_stats(cpu, &st);
		KEXPECT(t, s.took >= PARAVIRT_BUSY);
		KEXPECT_MSG(t, s.version, "CPU %u: the host wrote nothing", cpu);
		KEXPECT_EQ(t, s.odd + s.back, 0);
		KEXPECT_MSG(t, s.last - s.first <= s.took + PARAVIRT_SLACK,
			    "CPU %u: %llu ns stolen of %llu", cpu,
			    (unsigned long long)(s.last - s.first),
			    (unsigned long long)s.took);
		KEXPECT(t, st.stolen_ns >= s.last);
		stolen += st.stolen_ns;
	}
	KEXPECT(t, pv_status[PV_STEAL].count);
	ktest_metric("stolen", stolen, "ns");
}

/* ---- PV TLB flush ---- */

/* How the last CPU is asked to forget a page, with page->preempted so. */
static void paravirt_flush_as(uint8_t preempted, struct pv_steal_page *page,
			      struct tlb_stats *did, uint8_t *after)
{
	struct pv_steal_page *was;
	struct tlb_stats now;

	page->preempted = preempted;
	was = pv_steal_rehearse(cpu_count() - 1, page);
	tlb_stats(cpu_id(), did);
	tlb_flush((void *)VM_MAP_BASE, PAGE_SIZE);
	tlb_stats(cpu_id(), &now);
	pv_steal_rehearse(cpu_count() - 1, was);
	*after = page->preempted;
	did->ipis = now.ipis - did->ipis;
	did->deferred = now.deferred - did->deferred;
}

KTEST(paravirt, a_cpu_that_does_not_run_is_left_a_wish_instead_of_an_ipi)
{
	bool (*hook)(unsigned cpu) = tlb_pv_defer;
	uint64_t count = pv_status[PV_TLB].count;
	static struct pv_steal_page page;
	unsigned n = cpu_count() - 1;
	struct paravirt_saved saved;
	struct tlb_stats did;
	uint8_t after;

	if (!n) {
		ktest_skip(t, "one CPU");
		return;
	}
	paravirt_force(&saved, PV_TLB, PV_ON);
	tlb_pv_defer = pv_tlb_defer;
	paravirt_flush_as(KVM_VCPU_PREEMPTED, &page, &did, &after);
	KEXPECT_EQ(t, after, KVM_VCPU_PREEMPTED | KVM_VCPU_FLUSH_TLB);
	KEXPECT(t, did.deferred >= 1);
	KEXPECT_EQ(t, did.deferred + did.ipis, n);
	KEXPECT_EQ(t, pv_status[PV_TLB].count - count, did.deferred);
	paravirt_flush_as(0, &page, &did, &after);
	KEXPECT_EQ(t, after, 0);
	KEXPECT(t, did.ipis >= 1);
	KEXPECT_EQ(t, did.deferred + did.ipis, n);
	tlb_pv_defer = hook;
	paravirt_restore(&saved);
	/* The wish that nobody fulfilled. */
	tlb_flush((void *)VM_MAP_BASE, PAGE_SIZE);
}

/* Looks at the page, sleeps, and looks again when it is woken. */
struct paravirt_sleeper {
	struct waitq queue;
	struct paravirt_look look;
	unsigned step;
};

static void paravirt_sleeper(void *arg)
{
	struct paravirt_sleeper *s = arg;

	paravirt_look(&s->look);
	__atomic_store_n(&s->step, 1, __ATOMIC_RELEASE);
	wait_until(&s->queue, READ_ONCE(s->step) == 2,
		   time_now() + PARAVIRT_WAIT);
	paravirt_look(&s->look);
}

static void paravirt_wake(struct paravirt_sleeper *s)
{
	irqflags_t flags = spin_lock(&s->queue.lock);

	WRITE_ONCE(s->step, 2);
	waitq_wake_all_locked(&s->queue);
	spin_unlock(&s->queue.lock, flags);
}

/* The page is unmapped while its CPU sleeps. Did the host take the wish? */
static bool paravirt_flush_asleep(struct ktest_run *t,
				  struct paravirt_sleeper *s, unsigned cpu)
{
	uint64_t count = pv_status[PV_TLB].count;
	struct thread *th;

	if (!KEXPECT(t, !thread_create(cpu, paravirt_sleeper, s, "sleeper",
				       &th)))
		return false;
	KEXPECT(t, !poll_mem_until(READ_ONCE(s->step) == 1,
				   time_now() + PARAVIRT_WAIT));
	if (pv_on(PV_TLB))
		poll_mem_until(pv_steal_preempted(cpu),
			       time_now() + NSEC_PER_SEC);
	vm_unmap((void *)s->look.va, PAGE_SIZE);
	count = pv_status[PV_TLB].count - count;
	paravirt_wake(s);
	thread_join(th);
	return count;
}

KTEST(paravirt, a_page_unmapped_while_a_cpu_sleeps_is_gone_when_it_wakes)
{
	void *page = page_alloc_zero(0);
	struct paravirt_sleeper s = { .queue = WAITQ_INIT(s.queue) };
	bool deferred;

	KASSERT(t, page);
	s.look.va = (uintptr_t)vm_map(virt_to_phys(page), PAGE_SIZE, 0);
	KASSERT(t, s.look.va);
	deferred = paravirt_flush_asleep(t, &s, cpu_count() - 1);
	KEXPECT_EQ(t, s.look.seen, 1);
	page_free(page, 0);
	ktest_metric("flush_deferred", deferred, "count");
	if (!deferred && cpu_count() > 1 && paravirt_needs(t, PV_TLB))
		ktest_skip(t, "the host never said that the CPU slept");
}

/* ---- polling before a halt ---- */

#define PARAVIRT_WAKES	20

static nsec_t paravirt_poll_long(nsec_t limit, nsec_t idle)
{
	return 100 * NSEC_PER_MSEC;
}

struct paravirt_bell {
	struct waitq queue;
	unsigned rung, heard;
};

static void paravirt_hearer(void *arg)
{
	struct paravirt_bell *b = arg;

	for (unsigned n = 1; n <= PARAVIRT_WAKES; n++) {
		if (wait_until(&b->queue, READ_ONCE(b->rung) >= n,
			       time_now() + PARAVIRT_WAIT))
			return;
		WRITE_ONCE(b->heard, n);
	}
}

static bool paravirt_is_idle(unsigned cpu)
{
	struct sched_stats st;

	sched_stats(cpu, &st);
	return !st.runnable;
}

/* Wakes a thread on that CPU again and again, each time that nothing runs. */
static void paravirt_ring_bell(struct ktest_run *t, unsigned cpu)
{
	struct paravirt_bell b = { .queue = WAITQ_INIT(b.queue) };
	struct thread *th;

	KASSERT(t, !thread_create(cpu, paravirt_hearer, &b, "hearer", &th));
	for (unsigned n = 1; n <= PARAVIRT_WAKES; n++) {
		KEXPECT(t, !poll_mem_until(paravirt_is_idle(cpu),
					   time_now() + PARAVIRT_WAIT));
		WRITE_ONCE(b.rung, n);
		waitq_wake_all(&b.queue);
		if (!KEXPECT(t, !poll_mem_until(READ_ONCE(b.heard) >= n,
						time_now() + PARAVIRT_WAIT)))
			break;
	}
	thread_join(th);
	KEXPECT_EQ(t, b.heard, PARAVIRT_WAKES);
}

KTEST(paravirt, an_idle_cpu_that_polls_finds_work_without_a_halt)
{
	nsec_t (*hook)(nsec_t limit, nsec_t idle) = sched_idle_poll;
	struct sched_stats before, now;
	unsigned cpu = cpu_count() - 1;

	if (!cpu) {
		ktest_skip(t, "one CPU");
		return;
	}
	WRITE_ONCE(sched_idle_poll, paravirt_poll_long);
	sched_stats(cpu, &before);
	paravirt_ring_bell(t, cpu);
	sched_stats(cpu, &now);
	WRITE_ONCE(sched_idle_poll, hook);
	KEXPECT_MSG(t, now.polled > before.polled,
		    "%u wake-ups, none of them seen by polling",
		    PARAVIRT_WAKES);
	pv_refresh();
	KEXPECT(t, pv_status[PV_HALTPOLL].count >= now.polled);
	ktest_metric("poll_found", now.polled - before.polled, "count");
	ktest_metric("poll_halts", now.halts - before.halts, "count");
	/* And it is over when it is switched off. */
	paravirt_ring_bell(t, cpu);
	if (hook)
		return;
	sched_stats(cpu, &before);
	paravirt_ring_bell(t, cpu);
	sched_stats(cpu, &now);
	KEXPECT_EQ(t, now.polled, before.polled);
}

/* ---- switching ---- */

static void paravirt_switch(struct ktest_run *t, enum pv_feature f)
{
	bool on = pv_on(f);
	char when[48];

	fmt_snprintf(when, sizeof(when), "%s switched %s", pv_name(f),
		     on ? "off" : "on");
	KEXPECT_EQ(t, pv_switch(f, !on), 0);
	KEXPECT_EQ(t, pv_on(f), !on);
	paravirt_expect_hooks(t);
	paravirt_all_works(t, when);
	KEXPECT_EQ(t, pv_switch(f, on), 0);
	KEXPECT_EQ(t, pv_on(f), on);
	paravirt_expect_hooks(t);
	paravirt_all_works(t, when);
}

static bool paravirt_can_switch(enum pv_feature f)
{
	return f != PV_KVMCLOCK && f != PV_HYPERCALLS &&
	       (pv_on(f) || pv_status[f].state == PV_OFF) &&
	       (pv_needs(f) == f || pv_on(pv_needs(f)));
}

KTEST(paravirt, each_feature_is_switched_off_and_on_while_all_goes_on)
{
	unsigned switched = 0;

	for (unsigned i = 0; i < PV_FEATURES; i++) {
		enum pv_feature f = (enum pv_feature)i;
		enum pv_state state = pv_status[f].state;

		if (paravirt_can_switch(f)) {
			paravirt_switch(t, f);
			switched++;
			continue;
		}
		KEXPECT_EQ(t, pv_switch(f, true), -ENOTSUP);
		KEXPECT_EQ(t, pv_status[f].state, state);
	}
	ktest_metric("pv_switched", switched, "count");
}

/* A feature without the memory that it needs must not be used. */
KTEST(paravirt, nothing_is_switched_on_before_what_it_needs)
{
	struct paravirt_saved saved;

	paravirt_force(&saved, PV_STEAL, PV_OFF);
	pv_status[PV_TLB].state = PV_OFF;
	KEXPECT_EQ(t, pv_switch(PV_TLB, true), -ENOTSUP);
	KEXPECT(t, !pv_on(PV_TLB));
	paravirt_restore(&saved);
	paravirt_expect_hooks(t);
}
