/* SPDX-License-Identifier: MIT */
/*
 * NMIs in every critical section, and what an NMI must leave as it was.
 *
 * How one could be fooled: an NMI that strikes an idle CPU proves nothing, so
 * it is sent while the CPU in question runs one section over and over, at a
 * random time in it, and the next one only when the last was seen. Two NMIs
 * that come at once are one to the CPU: that never happens here, so the count
 * must be exact. A handler that does nothing leaves everything as it was; this
 * one faults each time, as a panic's and a report's backtrace may.
 */
#include "core/cpu.h"
#include "core/fmt.h"
#include "core/heap.h"
#include "core/irq.h"
#include "core/lapic.h"
#include "core/nmi.h"
#include "core/page.h"
#include "core/percpu.h"
#include "core/report.h"
#include "core/string.h"
#include "core/trap.h"
#include "core/x86.h"
#include "sched/sched.h"

#define NMI_TEST_COUNT	200		/* in each of six sections */
#define NMI_TEST_WAIT	(20 * NSEC_PER_SEC)
#define NMI_TEST_PAUSE	20000		/* ns, random up to that */
#define NMI_TEST_BELOW	16		/* words below RSP */
#define NMI_TEST_DF	0x400		/* of RFLAGS */
#define NMI_TEST_LOOKS	(1u << 28)

/* What the NMIs of one test saw. Owner: the CPU that takes them. */
static struct {
	unsigned taken;
	unsigned masked;		/* struck with interrupts off */
	unsigned depth, nested;
	unsigned elsewhere;		/* not on that CPU's NMI stack */
	unsigned unfaulted;
	unsigned backwards;		/* DF was set: no C function expects it */
	unsigned again;			/* send itself so many more */
} nmi_seen;

/* ready: now. go: it was taken. patience: looks at go, then it is lost. */
unsigned nmi_test_ready, nmi_test_go, nmi_test_patience;

static bool nmi_test_on_its_stack(const void *p)
{
	char is[64], wanted[64];

	fmt_snprintf(wanted, sizeof(wanted), "CPU %u's NMI stack", cpu_id());
	trap_stack_name((uintptr_t)p, is, sizeof(is));
	return !strcmp(is, wanted);
}

static bool nmi_test_hook(struct trap_frame *f)
{
	uint64_t val;

	nmi_seen.nested += nmi_seen.depth++ != 0;
	nmi_seen.masked += !(f->rflags & X86_RFLAGS_IF);
	nmi_seen.backwards += cpu_irq_save() & NMI_TEST_DF ? 1 : 0;
	nmi_seen.elsewhere += !nmi_test_on_its_stack(f);
	if (nmi_seen.again) {
		nmi_seen.again--;
		lapic_nmi(cpu_apic_id(cpu_id()));
	}
	nmi_seen.unfaulted += x86_read_safe(8, &val);
	nmi_seen.depth--;
	WRITE_ONCE(nmi_test_go, 1);
	__atomic_store_n(&nmi_seen.taken, nmi_seen.taken + 1, __ATOMIC_RELEASE);
	return true;
}

static void nmi_test_begin(void)
{
	memset(&nmi_seen, 0, sizeof(nmi_seen));
	nmi_hook = nmi_test_hook;
}

static bool nmi_test_await(unsigned n)
{
	return !poll_mem_until(__atomic_load_n(&nmi_seen.taken,
					       __ATOMIC_ACQUIRE) >= n,
			       time_now() + NMI_TEST_WAIT);
}

static void nmi_test_end(struct ktest_run *t, unsigned n, uint64_t counted)
{
	nmi_hook = NULL;
	KEXPECT_EQ(t, nmi_seen.taken, n);
	KEXPECT_EQ(t, counted, n);
	KEXPECT_EQ(t, nmi_seen.nested, 0);
	KEXPECT_EQ(t, nmi_seen.elsewhere, 0);
	KEXPECT_EQ(t, nmi_seen.unfaulted, 0);
	KEXPECT_EQ(t, nmi_seen.backwards, 0);
}

/* ---- in every critical section ---- */

struct nmi_test {
	bool (*turn)(struct nmi_test *s);	/* once through; did it hold? */
	unsigned cpu;
	unsigned nmis;			/* how many to send; 0: NMI_TEST_COUNT */
	bool ready, over;
	uint64_t turns, wrong;
	/* the sections' own: */
	uint64_t a, b;
	unsigned vector;
};

static struct spinlock nmi_test_spin = SPINLOCK_INIT("nmi test");

static bool nmi_test_lock(struct nmi_test *s)
{
	irqflags_t flags = spin_lock(&nmi_test_spin);
	bool ok = READ_ONCE(s->a) == READ_ONCE(s->b);

	WRITE_ONCE(s->a, s->a + 1);
	WRITE_ONCE(s->b, s->b + 1);
	spin_unlock(&nmi_test_spin, flags);
	return ok && cpu_irqs_on();
}

static bool nmi_test_memory(struct nmi_test *s)
{
	size_t size = 16 + s->turns * 40 % 3000;
	uint64_t *obj = heap_alloc(size), *page = page_alloc(s->turns % 3);
	bool ok = obj && page;

	if (ok) {
		*obj = *page = s->turns;
		obj[size / 8 - 1] = page[511] = s->turns;
		ok = *obj == s->turns && page[511] == s->turns;
	}
	page_free(page, s->turns % 3);
	heap_free(obj);
	return ok;
}

static void nmi_test_partner(void *arg)
{
	struct nmi_test *s = arg;

	while (!READ_ONCE(s->over)) {
		WRITE_ONCE(s->b, s->b + 1);
		thread_yield();
	}
}

/*
 * Until the other thread of this CPU has counted. Once is not always enough:
 * the end of its slice may have come just before it gave way by itself.
 */
static bool nmi_test_switch(struct nmi_test *s)
{
	uint64_t before = READ_ONCE(s->b);
	nsec_t end = time_now() + NMI_TEST_WAIT;
	struct thread *self = thread_self();

	do
		thread_yield();
	while (READ_ONCE(s->b) == before && !READ_ONCE(s->over) &&
	       time_now() < end);
	return thread_self() == self &&
	       (READ_ONCE(s->b) != before || READ_ONCE(s->over));
}

static bool nmi_test_fault(struct nmi_test *s)
{
	uint64_t val = s->turns, here = ~val;
	bool past = false;

	if (x86_read_safe(16, &val) || val != s->turns)
		return false;
	__asm__ volatile("1: ud2; movb $1, %0; 2:" EXTABLE(1b, 2b)
			 : "+qm"(past));
	return !past && x86_read_safe((uintptr_t)&here, &val) && val == here;
}

static void nmi_test_irq(void *arg)
{
	struct nmi_test *s = arg;

	WRITE_ONCE(s->a, s->a + 1);
}

static bool nmi_test_interrupt(struct nmi_test *s)
{
	uint64_t before = READ_ONCE(s->a);

	cpu_send_ipi(s->cpu, s->vector);
	return !poll_mem_until(READ_ONCE(s->a) != before,
			       time_now() + NMI_TEST_WAIT) &&
	       READ_ONCE(s->a) == before + 1;
}

/* The CPU halts in between: an NMI must not cost it the wake-up. */
static bool nmi_test_sleep(struct nmi_test *s)
{
	nsec_t until = time_now() + NMI_TEST_PAUSE;

	thread_sleep_until(until);
	return time_now() >= until;
}

static void nmi_test_run(void *arg)
{
	struct nmi_test *s = arg;

	s->wrong += !s->turn(s);		/* caches are warm from now on */
	WRITE_ONCE(s->ready, true);
	while (!READ_ONCE(s->over)) {
		s->turns++;
		s->wrong += !s->turn(s);
	}
}

/* One at a time, each after a random pause, until one is lost. */
static void nmi_test_send(struct nmi_test *s)
{
	uint64_t seed = time_now();
	unsigned n = 0;

	do {
		seed = seed * UINT64_C(6364136223846793005) + 1442695041;
		poll_mem_until(false, time_now() + (seed >> 33) % NMI_TEST_PAUSE);
		lapic_nmi(cpu_apic_id(s->cpu));
	} while (nmi_test_await(++n) && n < s->nmis);
}

static void nmi_test_strike(struct ktest_run *t, struct nmi_test *s)
{
	uint64_t before = percpu_of(s->cpu)->nmis;
	struct thread *th;

	s->nmis = s->nmis ? s->nmis : NMI_TEST_COUNT;
	nmi_test_begin();
	if (!KEXPECT(t, !thread_create(s->cpu, nmi_test_run, s, "nmi", &th)))
		return;
	KEXPECT(t, !poll_mem_until(READ_ONCE(s->ready),
				   time_now() + NMI_TEST_WAIT));
	nmi_test_send(s);
	WRITE_ONCE(s->over, true);
	thread_join(th);
	nmi_test_end(t, s->nmis, percpu_of(s->cpu)->nmis - before);
	KEXPECT_EQ(t, s->wrong, 0);
	KEXPECT(t, s->turns > 0);
}

static bool nmi_test_alone(struct ktest_run *t)
{
	if (cpu_count() > 1)
		return false;
	ktest_skip(t, "one CPU");
	return true;
}

KTEST(cpu, two_hundred_nmis_while_a_lock_is_taken_and_given_back)
{
	struct nmi_test s = { .turn = nmi_test_lock,
			      .cpu = cpu_count() - 1 };

	if (nmi_test_alone(t))
		return;
	nmi_test_strike(t, &s);
	KEXPECT_EQ(t, s.a, s.turns + 1);
	KEXPECT_EQ(t, s.b, s.turns + 1);
	KEXPECT(t, nmi_seen.masked > 0);
	ktest_metric("nmis_with_interrupts_off", nmi_seen.masked, "count");
}

/* Once before, so that the heap has what it keeps. */
KTEST(cpu, two_hundred_nmis_while_memory_is_allocated_and_freed)
{
	struct nmi_test first = { .turn = nmi_test_memory,
			      .cpu = cpu_count() - 1 };
	struct nmi_test s = first;
	struct page_stats before, now;
	size_t heap;

	if (nmi_test_alone(t))
		return;
	first.nmis = 10;
	nmi_test_strike(t, &first);
	page_stats(&before);
	heap = heap_in_use();
	nmi_test_strike(t, &s);
	page_stats(&now);
	KEXPECT_EQ(t, now.free, before.free);
	KEXPECT_EQ(t, heap_in_use(), heap);
}

KTEST(cpu, two_hundred_nmis_while_threads_are_switched)
{
	struct nmi_test s = { .turn = nmi_test_switch,
			      .cpu = cpu_count() - 1 };
	struct thread *partner;

	if (nmi_test_alone(t))
		return;
	KASSERT(t, !thread_create(s.cpu, nmi_test_partner, &s, "partner",
				  &partner));
	nmi_test_strike(t, &s);
	thread_join(partner);
	KEXPECT(t, s.b >= s.turns);
}

KTEST(cpu, two_hundred_nmis_while_faults_are_survived)
{
	struct nmi_test s = { .turn = nmi_test_fault,
			      .cpu = cpu_count() - 1 };

	if (nmi_test_alone(t))
		return;
	nmi_test_strike(t, &s);
}

KTEST(cpu, two_hundred_nmis_while_interrupts_are_handled)
{
	struct nmi_test s = { .turn = nmi_test_interrupt,
			      .cpu = cpu_count() - 1 };
	int vector;

	if (nmi_test_alone(t))
		return;
	vector = irq_alloc(s.cpu, nmi_test_irq, &s, "nmi test");
	KASSERT(t, vector > 0);
	s.vector = (unsigned)vector;
	nmi_test_strike(t, &s);
	irq_free(s.cpu, s.vector);
	KEXPECT_EQ(t, s.a, s.turns + 1);
}

KTEST(cpu, two_hundred_nmis_while_a_cpu_halts_and_wakes)
{
	struct nmi_test s = { .turn = nmi_test_sleep,
			      .cpu = cpu_count() - 1 };

	if (nmi_test_alone(t))
		return;
	nmi_test_strike(t, &s);
}

/* ---- what it leaves as it was ---- */

/*
 * Each register holds a number of its own, DF is set, and words below the
 * stack pointer are written, while the loop waits for one NMI; then all are
 * stored away. Interrupts are off: they would use the words below.
 */
#define NMI_TEST_REGS	14		/* all but RSP and RBP */
#define NMI_TEST_NUMBER	0x0123456789abcdef
#define NMI_TEST_LOW	0x5a5a5a5a

uint64_t nmi_test_regs[NMI_TEST_REGS], nmi_test_low[NMI_TEST_BELOW];
uint64_t nmi_test_flags;
void nmi_test_hold(void);

#define NMI_TEST_STR_(x)	#x
#define NMI_TEST_STR(x)		NMI_TEST_STR_(x)
#define NMI_TEST_EACH(insn)						\
	"nmi_i = 1\n.irp reg, rax, rbx, rcx, rdx, rsi, rdi, r8, r9, "	\
	"r10, r11, r12, r13, r14, r15\n\t" insn				\
	"\n\tnmi_i = nmi_i + 1\n.endr\n\t"
#define NMI_TEST_EACH_LOW(insn)						\
	"nmi_i = 1\n.rept " NMI_TEST_STR(NMI_TEST_BELOW) "\n\t" insn	\
	"\n\tnmi_i = nmi_i + 1\n.endr\n\t"

__asm__(".pushsection .text\n"
	"nmi_test_hold:\n\t"
	"pushq %rbp; movq %rsp, %rbp\n\t"
	"pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n\t"
	NMI_TEST_EACH_LOW("movl $nmi_i, -8 * nmi_i(%rsp); "
			  "movl $" NMI_TEST_STR(NMI_TEST_LOW)
			  ", 4 - 8 * nmi_i(%rsp)")
	NMI_TEST_EACH("movabsq $" NMI_TEST_STR(NMI_TEST_NUMBER)
		      " * nmi_i, %\\reg")
	"std; movl $1, nmi_test_ready(%rip)\n"
	"1:\tpause; cmpl $0, nmi_test_go(%rip); jne 2f\n\t"
	"decl nmi_test_patience(%rip); jne 1b\n2:\t"
	NMI_TEST_EACH("movq %\\reg, nmi_test_regs - 8 + 8 * nmi_i(%rip)")
	NMI_TEST_EACH_LOW("movq -8 * nmi_i(%rsp), %rax; "
			  "movq %rax, nmi_test_low - 8 + 8 * nmi_i(%rip)")
	"pushfq; popq nmi_test_flags(%rip); cld\n\t"
	"popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp\n\t"
	"ret\n\t.popsection\n");

static unsigned nmi_test_changed(void)
{
	unsigned bad = !(nmi_test_flags & NMI_TEST_DF);

	for (unsigned i = 0; i < NMI_TEST_REGS; i++)
		bad += nmi_test_regs[i] != (i + 1) * UINT64_C(NMI_TEST_NUMBER);
	for (unsigned i = 0; i < NMI_TEST_BELOW; i++)
		bad += nmi_test_low[i] != ((uint64_t)NMI_TEST_LOW << 32 | (i + 1));
	return bad;
}

static void nmi_test_held(void *arg)
{
	unsigned *bad = arg;

	for (unsigned i = 0; i < NMI_TEST_COUNT && !*bad; i++) {
		irqflags_t flags = cpu_irq_save();

		nmi_test_go = 0;
		nmi_test_patience = NMI_TEST_LOOKS;
		nmi_test_hold();
		*bad += nmi_test_changed() + !nmi_test_patience;
		cpu_irq_restore(flags);
	}
}

KTEST(cpu, an_nmi_changes_no_register_no_flag_and_nothing_below_the_stack)
{
	struct nmi_test s = { .cpu = cpu_count() - 1 };
	uint64_t before = percpu_of(s.cpu)->nmis;
	unsigned bad = 0, n = 0;
	struct thread *th;

	if (nmi_test_alone(t))
		return;
	nmi_test_begin();
	KASSERT(t, !thread_create(s.cpu, nmi_test_held, &bad, "held", &th));
	while (n < NMI_TEST_COUNT && nmi_test_await(n) &&
	       !poll_mem_until(READ_ONCE(nmi_test_ready),
			       time_now() + NMI_TEST_WAIT)) {
		WRITE_ONCE(nmi_test_ready, 0);
		lapic_nmi(cpu_apic_id(s.cpu));
		n++;
	}
	nmi_test_await(n);
	thread_join(th);
	nmi_test_end(t, NMI_TEST_COUNT, percpu_of(s.cpu)->nmis - before);
	KEXPECT_EQ(t, bad, 0);
	KEXPECT_EQ(t, nmi_seen.masked, NMI_TEST_COUNT);
}

/* ---- one in another ---- */

KTEST(cpu, an_nmi_leaves_the_address_of_an_interrupted_fault)
{
	uint64_t before = percpu_of(cpu_id())->nmis, val;
	irqflags_t flags = cpu_irq_save();
	uint64_t cr2;

	nmi_test_begin();
	KEXPECT(t, !x86_read_safe(16, &val));
	lapic_nmi(cpu_apic_id(cpu_id()));
	nmi_test_await(1);
	cr2 = x86_cr2();
	cpu_irq_restore(flags);
	nmi_test_end(t, 1, percpu_of(cpu_id())->nmis - before);
	KEXPECT_EQ(t, cr2, 16);
}

/*
 * The first sends the second and then faults: a return from that by IRETQ
 * would let the second in (boot/trap_entry.S), on the same stack.
 */
KTEST(cpu, an_nmi_in_an_nmi_waits_for_its_end_even_after_a_fault)
{
	uint64_t before = percpu_of(cpu_id())->nmis;

	nmi_test_begin();
	nmi_seen.again = NMI_TEST_COUNT - 1;
	lapic_nmi(cpu_apic_id(cpu_id()));
	nmi_test_await(NMI_TEST_COUNT);
	nmi_test_end(t, NMI_TEST_COUNT, percpu_of(cpu_id())->nmis - before);
}
