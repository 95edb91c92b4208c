/* SPDX-License-Identifier: MIT */
/*
 * The vectors of each CPU, and what becomes of interrupts that nobody asked for
 * or that come twice (RELIABILITY I1, I4, I6,
 * I11). The CPU interrupts itself, by
 * the local APIC: what a device's message does from there on is the same.
 *
 * How one could be fooled: an interrupt that is not ended (EOI) shows only in
 * those of its class and below that no longer come. So after each stray one the
 * APIC must have nothing in service, and an interrupt of the lowest class must
 * still arrive. And a spurious interrupt that is ended ends another one's
 * service: so the handler is also entered as the APIC would, without a message.
 */
#include "core/cpu.h"
#include "core/dma.h"
#include "core/io.h"
#include "core/irq.h"
#include "core/lapic.h"
#include "core/pci.h"
#include "core/percpu.h"
#include "core/report.h"
#include "core/storm.h"
#include "msi/msi.h"
#include "sched/sched.h"

#define VECTORS_WAIT	NSEC_PER_SEC
/* Where a CPU is emulated (some KVMs' ring 0 is) fewer turns must do. */
#define VECTORS_LONG	(20 * NSEC_PER_SEC)
#define VECTORS_STRAYS	20u
#define VECTORS_TWICE	100000u
#define VECTORS_ROUNDS	1000u

static struct {
	unsigned count, done;
	bool work;
} vectors_seen;

static void vectors_irq(void *arg)
{
	WRITE_ONCE(vectors_seen.count, vectors_seen.count + 1);
	if (vectors_seen.work) {	/* what is there once is done once */
		vectors_seen.work = false;
		vectors_seen.done++;
	}
}

/* Does the lowest vector there is still come? That of a class above may hide. */
static void vectors_expect_lowest(struct ktest_run *t, unsigned vector)
{
	unsigned before = READ_ONCE(vectors_seen.count);

	cpu_send_ipi(cpu_id(), vector);
	poll_mem_until(READ_ONCE(vectors_seen.count) > before,
		       time_now() + VECTORS_WAIT);
	KEXPECT_EQ(t, READ_ONCE(vectors_seen.count) - before, 1);
}

/* The free vector of cpu with the lowest number, or another one. */
static int vectors_take_low(unsigned cpu)
{
	int low = irq_alloc(cpu, vectors_irq, NULL, "vectors test");

	for (unsigned i = 1; low >= 0 && i < VECTOR_ROOM; i++) {
		int v = irq_alloc(cpu, vectors_irq, NULL, "vectors test");

		if (v < 0)
			break;
		irq_free(cpu, (unsigned)(v < low ? low : v));
		low = v < low ? v : low;
	}
	return low;
}

/* ---- those that nobody owns ---- */

static void vectors_send_stray(struct ktest_run *t, unsigned cpu, unsigned v)
{
	uint64_t all = irq_unowned_count(cpu), one = irq_stray_count(cpu, v);

	cpu_send_ipi(cpu, v);
	poll_mem_until(irq_stray_count(cpu, v) > one,
		       time_now() + VECTORS_WAIT);
	KEXPECT_MSG(t, irq_stray_count(cpu, v) == one + 1 &&
		    irq_unowned_count(cpu) == all + 1,
		    "vector 0x%x came %u times", v,
		    (unsigned)(irq_stray_count(cpu, v) - one));
	KEXPECT_MSG(t, !lapic_in_service(v), "vector 0x%x was not ended", v);
}

/* Twenty of every class, spread over what is free. */
static unsigned vectors_send_strays(struct ktest_run *t, unsigned cpu)
{
	unsigned n = 0;

	for (unsigned v = VECTOR_FIRST + 3; n < VECTORS_STRAYS; v += 11) {
		if (v >= IRQ_VECTOR_SPURIOUS)
			v = v % 11 + VECTOR_FIRST;
		if (irq_name(cpu, v))
			continue;
		vectors_send_stray(t, cpu, v);
		n++;
	}
	return n;
}

KTEST(vectors, a_vector_that_nobody_owns_is_counted_and_ended)
{
	unsigned cpu = cpu_id();
	int low = vectors_take_low(cpu);

	KASSERT(t, low >= 0);
	KEXPECT_EQ(t, vectors_send_strays(t, cpu), VECTORS_STRAYS);
	vectors_expect_lowest(t, (unsigned)low);
	irq_free(cpu, (unsigned)low);
}

static void vectors_in_service_irq(void *arg)
{
	unsigned *vector = arg;

	if (!lapic_in_service(*vector))
		*vector = 0;
	vectors_irq(NULL);
}

/* Some hosts' APIC has nothing in service, not even what is being handled. */
static bool vectors_service_is_known(struct ktest_run *t)
{
	unsigned vector = 0;
	int v = irq_alloc(cpu_id(), vectors_in_service_irq, &vector,
			  "vectors test");

	if (!KEXPECT(t, v >= 0))
		return false;
	vector = (unsigned)v;
	vectors_expect_lowest(t, vector);
	irq_free(cpu_id(), (unsigned)v);
	if (!vector)
		ktest_skip(t, "the APIC does not say what is in service");
	return vector != 0;
}

/* Those below 32 without an error code; the others' frame cannot be told. */
KTEST(vectors, a_message_with_an_exceptions_vector_is_counted_and_ended)
{
	static const unsigned vector[] = { 16, 19, 20, 22, 28, 31 };
	unsigned cpu = cpu_id();
	int low;

	if (!vectors_service_is_known(t))
		return;
	low = vectors_take_low(cpu);
	KASSERT(t, low >= 0);
	for (unsigned i = 0; i < ARRAY_SIZE(vector); i++)
		vectors_send_stray(t, cpu, vector[i]);
	vectors_expect_lowest(t, (unsigned)low);
	irq_free(cpu, (unsigned)low);
}

/* Both paths of the EOI. A timer's must not be counted: interrupts are off. */
static uint64_t vectors_eois(void)
{
	struct percpu *p = this_cpu();

	return p->eoi_written + p->eoi_skipped;
}

KTEST(vectors, a_message_with_the_spurious_vector_deafens_nobody)
{
	unsigned cpu = cpu_id();
	uint64_t before = irq_spurious_count(cpu);
	int low = vectors_take_low(cpu);

	KASSERT(t, low >= 0);
	cpu_send_ipi(cpu, IRQ_VECTOR_SPURIOUS);
	poll_mem_until(irq_spurious_count(cpu) > before,
		       time_now() + VECTORS_WAIT);
	KEXPECT_EQ(t, irq_spurious_count(cpu) - before, 1);
	KEXPECT(t, !lapic_in_service(IRQ_VECTOR_SPURIOUS));
	vectors_expect_lowest(t, (unsigned)low);
	irq_free(cpu, (unsigned)low);
}

/*
 * As the processor does (SDM vol. 3, 6.14.2), with no bit of the APIC's set. Not
 * by INT n: a KVM that emulates ring 0 gives up there.
 */
static void vectors_enter_spurious(void)
{
	__asm__ volatile("movq %%rsp, %%rax\n\t"
			 "movl %%ss, %%ecx\n\t"
			 "movl %%cs, %%edx\n\t"
			 "andq $-16, %%rsp\n\t"
			 "pushq %%rcx\n\t"
			 "pushq %%rax\n\t"
			 "pushfq\n\t"
			 "pushq %%rdx\n\t"
			 "pushq $1f\n\t"
			 "jmp trap_stubs + 16 * %c0\n"
			 "1:" : : "i"(IRQ_VECTOR_SPURIOUS)
			 : "rax", "rcx", "rdx", "cc", "memory");
}

KTEST(vectors, a_spurious_interrupt_is_counted_and_gets_no_eoi)
{
	unsigned cpu = cpu_id();
	uint64_t before = irq_spurious_count(cpu), eois;
	irqflags_t flags;

	sched_preempt_off();
	flags = cpu_irq_save();
	eois = vectors_eois();
	vectors_enter_spurious();
	eois = vectors_eois() - eois;
	cpu_irq_restore(flags);
	sched_preempt_on();
	KEXPECT_EQ(t, irq_spurious_count(cpu) - before, 1);
	KEXPECT_EQ(t, eois, 0);
}

/* ---- one that comes twice ---- */

/* With interrupts off the APIC has room for one; else both may come. */
static void vectors_send_twice(unsigned vector, bool off)
{
	irqflags_t flags = 0;

	vectors_seen.work = true;
	if (off)
		flags = cpu_irq_save();
	cpu_send_ipi(cpu_id(), vector);
	cpu_send_ipi(cpu_id(), vector);
	if (off)
		cpu_irq_restore(flags);
}

KTEST(vectors, a_vector_sent_twice_comes_once_or_twice_and_its_work_is_done_once)
{
	int v = irq_alloc(cpu_id(), vectors_irq, NULL, "vectors test");
	unsigned once = 0, twice = 0, wrong = 0, sent = 0;
	nsec_t end = time_now() + VECTORS_LONG;

	KASSERT(t, v >= 0);
	vectors_seen.done = 0;
	for (; sent < VECTORS_TWICE && time_now() < end; sent++) {
		unsigned before = READ_ONCE(vectors_seen.count), n;

		vectors_send_twice((unsigned)v, sent % 2);
		if (poll_mem_until(READ_ONCE(vectors_seen.count) > before &&
				   !lapic_pending((unsigned)v),
				   time_now() + VECTORS_WAIT))
			break;
		n = READ_ONCE(vectors_seen.count) - before;
		once += n == 1;
		twice += n == 2;
		wrong += n > 2 || (sent % 2 && n > 1);
	}
	irq_free(cpu_id(), (unsigned)v);
	KEXPECT(t, sent > 100);
	KEXPECT_EQ(t, once + twice, sent);
	KEXPECT_EQ(t, vectors_seen.done, sent);
	KEXPECT_EQ(t, wrong, 0);
	ktest_metric("vectors_came_once", once, "pairs");
	ktest_metric("vectors_came_twice", twice, "pairs");
}

/* ---- all of them ---- */

static struct cpu_set vectors_all_cpus(void)
{
	struct cpu_set all = { { 0 } };

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		cpu_set_add(&all, cpu);
	return all;
}

static uint64_t vectors_mine[CPU_MAX][4];

static unsigned vectors_take_all(const struct cpu_set *all)
{
	unsigned n = 0, cpu;
	int v;

	while ((v = vector_alloc_spread(all, 0, &cpu)) >= 0) {
		vectors_mine[cpu][v / 64] |= UINT64_C(1) << v % 64;
		n++;
	}
	return v == -ENOSPC ? n : 0;
}

static void vectors_give_all(void)
{
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		for (unsigned w = 0; w < 4; w++) {
			uint64_t *word = &vectors_mine[cpu][w];

			for (; *word; *word &= *word - 1)
				vector_free(cpu, 64 * w + (unsigned)
					    __builtin_ctzll(*word));
		}
	}
}

KTEST(vectors, all_are_taken_and_freed_and_taken_again_a_thousand_times)
{
	struct cpu_set all = vectors_all_cpus();
	unsigned room = 0, round, n, cpu;
	nsec_t start = time_now();

	for (cpu = 0; cpu < cpu_count(); cpu++)
		room += vector_stats(cpu).free;
	KEXPECT(t, room > 150 * cpu_count());
	for (round = 0; round < VECTORS_ROUNDS &&
	     time_now() - start < VECTORS_LONG; round++) {
		n = vectors_take_all(&all);
		if (!KEXPECT_EQ(t, n, room))
			break;
		if (round == 0)
			KEXPECT_EQ(t, irq_alloc(cpu_id(), vectors_irq, NULL,
						"one too many"), -ENOSPC);
		vectors_give_all();
	}
	vectors_give_all();
	for (cpu = 0; cpu < cpu_count(); cpu++)
		room -= vector_stats(cpu).free;
	KEXPECT_EQ(t, room, 0);
	ktest_metric("vectors_full_and_free", round, "rounds");
}

/* ---- from every CPU at once ---- */

#define VECTORS_CPUS	16u
#define VECTORS_TURNS	4000u		/* of all together */

/* One taker's: what it sent, and what came, told apart by number. */
struct vectors_taker {
	struct thread *thread;
	unsigned got;			/* number of the last that came */
	unsigned wrong, lost, done;
	unsigned cpu;			/* whose vector it has */
};

static struct vectors_taker vectors_takers[VECTORS_CPUS];

static void vectors_taken_irq(void *arg)
{
	struct vectors_taker *k = arg;

	if (cpu_id() != k->cpu)
		k->wrong++;
	__atomic_fetch_add(&k->got, 1, __ATOMIC_RELEASE);
}

static void vectors_turn(struct vectors_taker *k, const struct cpu_set *all)
{
	unsigned cpu, before = k->got;
	int v = irq_alloc_spread(all, vectors_taken_irq, k, "vectors test",
				 &cpu);

	if (v < 0)
		return;
	k->cpu = cpu;
	cpu_send_ipi(cpu, (unsigned)v);
	if (poll_mem_until(__atomic_load_n(&k->got, __ATOMIC_ACQUIRE) != before,
			   time_now() + VECTORS_WAIT))
		k->lost++;
	irq_free(cpu, (unsigned)v);
	k->wrong += k->got - before > 1;
	k->done++;
}

static unsigned vectors_turns(void)
{
	return VECTORS_TURNS / MIN(cpu_count(), VECTORS_CPUS);
}

static void vectors_take_turns(void *arg)
{
	struct vectors_taker *k = arg;
	struct cpu_set all = vectors_all_cpus();
	nsec_t end = time_now() + VECTORS_LONG;

	while (k->done < vectors_turns() && !k->lost && time_now() < end)
		vectors_turn(k, &all);
}

KTEST(vectors, taken_by_every_cpu_at_once_each_reaches_its_own_handler)
{
	unsigned n = MIN(cpu_count(), VECTORS_CPUS), made = 0;
	uint64_t strays = 0;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		strays += irq_unowned_count(cpu);
	for (; made < n; made++) {
		vectors_takers[made] = (struct vectors_taker){ 0 };
		if (!KEXPECT(t, thread_create(made, vectors_take_turns,
					      &vectors_takers[made], "taker",
					      &vectors_takers[made].thread) == 0))
			break;
	}
	for (unsigned i = 0; i < made; i++) {
		struct vectors_taker *k = &vectors_takers[i];

		thread_join(k->thread);
		KEXPECT(t, k->done > 10);
		KEXPECT_EQ(t, k->lost, 0);
		KEXPECT_EQ(t, k->wrong, 0);
	}
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		strays -= irq_unowned_count(cpu);
	KEXPECT_EQ(t, strays, 0);
}

/* ---- a device that does not stop: edu (QEMU's docs/specs/edu.txt) ---- */

#define EDU_RAISE	0x60		/* wo: sets interrupt status bits */
#define EDU_ACK		0x64		/* wo: clears them */

static struct {
	struct pci_dev *p;
	struct io io;
	bool attached;			/* by us */
	nsec_t end;			/* for a kernel that masks nothing */
	unsigned count;			/* atomic */
} edu;

/* Leaves the level held, or with a message asks for the next one. */
static void edu_irq(void *arg)
{
	__atomic_fetch_add(&edu.count, 1, __ATOMIC_RELAXED);
	if (time_now() >= edu.end)
		io_write32(&edu.io, EDU_ACK, 1);
	else if (msi_vectors(edu.p))
		io_write32(&edu.io, EDU_RAISE, 1);
}

static bool edu_start(struct ktest_run *t)
{
	struct pci_dev *p;

	edu.p = NULL;
	list_for_each(p, &pci_devices, node)
		if (p->vendor == 0x1234 && p->device == 0x11e8 && !p->driver)
			edu.p = p;
	if (!edu.p) {
		ktest_skip(t, "no edu device");
		return false;
	}
	edu.count = 0;
	edu.end = time_now() + 2 * VECTORS_WAIT;
	edu.attached = !edu.p->dev.dma.ops;
	if (edu.attached && !KEXPECT_EQ(t, dma_attach(&edu.p->dev), 0))
		return false;
	pci_enable_memory(edu.p);
	if (KEXPECT_EQ(t, pci_map_bar(edu.p, 0, &edu.io), 0))
		return true;
	if (edu.attached)
		dma_detach(&edu.p->dev);
	return false;
}

static void edu_end(void)
{
	io_write32(&edu.io, EDU_ACK, 1);
	io_unmap(&edu.io);
	if (edu.attached)
		dma_detach(&edu.p->dev);
}

/* Too slow for a storm: on a CPU that is emulated, or a host that is busy. */
static bool edu_is_slow(unsigned came, nsec_t took)
{
	return came < 4 * STORM_WINDOW * (took / STORM_QUICK);
}

/* Raised by the CPU that is to drown in it. */
static void edu_expect_storm(struct ktest_run *t, const char *metric)
{
	unsigned cpu = cpu_id(), came;
	uint64_t before = irq_storm_count(cpu);
	nsec_t start = time_now(), took;

	io_write32(&edu.io, EDU_RAISE, 1);
	poll_mem_until(irq_storm_count(cpu) > before, edu.end);
	took = time_now() - start;
	came = __atomic_load_n(&edu.count, __ATOMIC_RELAXED);
	if (edu_is_slow(came, took)) {
		ktest_skip(t, "only %u interrupts in %llu ms", came,
			   (unsigned long long)(took / NSEC_PER_MSEC));
		return;
	}
	thread_sleep(20 * NSEC_PER_MSEC);	/* for what must not come */
	KEXPECT_EQ(t, irq_storm_count(cpu) - before, 1);
	KEXPECT_EQ(t, __atomic_load_n(&edu.count, __ATOMIC_RELAXED), came);
	KEXPECT_MSG(t, took < VECTORS_WAIT, "masked after %llu ms",
		    (unsigned long long)(took / NSEC_PER_MSEC));
	ktest_metric(metric, took, "ns");
}

/* Whoever has the pin next hears nothing of a level that is gone. */
static void edu_expect_quiet(struct ktest_run *t, unsigned gsi, unsigned flags)
{
	unsigned before = __atomic_load_n(&edu.count, __ATOMIC_RELAXED);

	io_write32(&edu.io, EDU_ACK, 1);
	if (!KEXPECT_EQ(t, irq_gsi_request(gsi, flags, cpu_id(), edu_irq, NULL,
					   "edu"), 0))
		return;
	thread_sleep(20 * NSEC_PER_MSEC);
	KEXPECT_EQ(t, __atomic_load_n(&edu.count, __ATOMIC_RELAXED), before);
	irq_gsi_free(gsi, edu_irq, NULL);
}

KTEST(vectors, a_level_that_is_held_is_masked_within_a_second)
{
	unsigned gsi, flags;

	if (!edu_start(t))
		return;
	pci_enable_intx(edu.p, true);
	if (KEXPECT_EQ(t, pci_intx_gsi(edu.p, &gsi, &flags), 0) &&
	    KEXPECT_EQ(t, irq_gsi_request(gsi, flags, cpu_id(), edu_irq, NULL,
					  "edu"), 0)) {
		edu_expect_storm(t, "storm_level_masked_after");
		irq_gsi_free(gsi, edu_irq, NULL);
		edu_expect_quiet(t, gsi, flags);
	}
	pci_enable_intx(edu.p, false);
	edu_end();
}

KTEST(vectors, messages_without_end_are_masked_within_a_second)
{
	if (!edu_start(t))
		return;
	if (KEXPECT_EQ(t, msi_alloc(edu.p, 1, 1), 1) &&
	    KEXPECT_EQ(t, pci_enable_master(edu.p), 0) &&
	    KEXPECT_EQ(t, msi_connect(edu.p, 0, cpu_id(), edu_irq, NULL,
				      "edu"), 0))
		edu_expect_storm(t, "storm_msi_masked_after");
	pci_disable_master(edu.p);
	msi_free(edu.p);
	edu_end();
}
