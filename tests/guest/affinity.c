/* SPDX-License-Identifier: MIT */
/*
 * Vectors that move between CPUs while their device interrupts (RELIABILITY
 * I7), on the rig's device (tests/guest/msix_rig.h): one thread provokes
 * numbered events, another one moves the vector as often as it can, at most
 * every AFFINITY_EVERY.
 *
 * One could be fooled by moves that never meet an event: so the metrics say how
 * many there were of both. What came to the old CPU after a move has
 * returned is compared exactly, at the last moment before it moves back there.
 *
 * affinity.events=100000 does all of those; by default as many as fit some
 * seconds.
 */
#include "blk/nvme.h"
#include "core/cmdline.h"
#include "core/cpu.h"
#include "core/dma.h"
#include "core/io.h"
#include "core/irq.h"
#include "core/page.h"
#include "core/pci.h"
#include "core/report.h"
#include "core/string.h"
#include "msi/irqs.h"
#include "msi/msi.h"
#include "sched/sched.h"
#include "tests/guest/msix_rig.h"

#define AFFINITY_EVENTS		10000
#define AFFINITY_MOVES		1000	/* go on until there were so many */
#define AFFINITY_BUDGET		(15 * NSEC_PER_SEC)
#define AFFINITY_PATIENCE	(900 * NSEC_PER_SEC)	/* of affinity.events= */
#define AFFINITY_EVERY		(100 * NSEC_PER_USEC)
#define AFFINITY_VECTORS	64

static const struct cmdline_key key_events = {
	"affinity.events", "N",
	"interrupts while their vector moves (default: some seconds)" };
CMDLINE_KEY(key_events);

static struct {
	struct pci_dev *p;
	unsigned nr;
	struct msix_rig_vector *v;	/* the numbers of its events */
	int (*fire)(void);		/* the next one; 0 or -errno */
	bool stop;
	/* each CPU its own: */
	uint32_t on[CPU_MAX];
	/* the mover: */
	unsigned moves, refused;
	uint32_t after;			/* came to a CPU that it had left */
	uint32_t left_with[CPU_MAX];	/* on[] when it left */
	nsec_t moving, longest;
} affinity;

static void affinity_irq(void *arg)
{
	struct msix_rig_vector *v = arg;

	affinity.on[cpu_id()]++;
	if (v->seen == READ_ONCE(v->fired))
		__atomic_add_fetch(&v->doubled, 1, __ATOMIC_RELAXED);
	else
		WRITE_ONCE(v->seen, v->seen + 1);
}

static uint64_t affinity_unowned(void)
{
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		sum += irq_unowned_count(cpu);
	return sum;
}

/* Nothing may have come to cpu since the vector left it. */
static void affinity_look(unsigned cpu)
{
	affinity.after += READ_ONCE(affinity.on[cpu]) - affinity.left_with[cpu];
}

static void affinity_move(unsigned to)
{
	int from = msi_cpu(affinity.p, affinity.nr);
	nsec_t start = time_now(), took;

	affinity_look(to);
	if (msi_move(affinity.p, affinity.nr, to)) {
		affinity.refused++;
		return;
	}
	took = time_now() - start;
	affinity.left_with[from] = READ_ONCE(affinity.on[from]);
	affinity.moves++;
	affinity.moving += took;
	affinity.longest = MAX(affinity.longest, took);
}

static void affinity_mover(void *arg)
{
	unsigned to = 0;

	while (!READ_ONCE(affinity.stop)) {
		to = (to + 1) % cpu_count();
		if (msi_cpu(affinity.p, affinity.nr) != (int)to)
			affinity_move(to);
		thread_sleep(AFFINITY_EVERY);
	}
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		if (msi_cpu(affinity.p, affinity.nr) != (int)cpu)
			affinity_look(cpu);
}

static int affinity_await(void)
{
	return poll_mem_until(READ_ONCE(affinity.v->seen) ==
			      READ_ONCE(affinity.v->fired),
			      time_now() + MSIX_RIG_WAIT);
}

/* Returns how many events were each answered by an interrupt. */
static uint64_t affinity_fire(uint64_t wanted, nsec_t end)
{
	uint64_t done = 0;

	while ((done < wanted || READ_ONCE(affinity.moves) < AFFINITY_MOVES) &&
	       time_now() < end) {
		if (affinity.fire() || affinity_await())
			break;
		done++;
	}
	return done;
}

/* One event was lost: its interrupt has not come, or its device is stuck. */
static bool affinity_lost(void)
{
	return READ_ONCE(affinity.v->seen) != READ_ONCE(affinity.v->fired);
}

static bool affinity_possible(struct ktest_run *t)
{
	memset(&affinity, 0, sizeof(affinity));
	if (cpu_count() < 2)
		ktest_skip(t, "one CPU: nowhere to move to");
	return cpu_count() >= 2;
}

static int affinity_fire_rig(void)
{
	return msix_rig_fire(affinity.nr);
}

static bool affinity_start(struct ktest_run *t)
{
	if (!affinity_possible(t) || !msix_rig_start(t))
		return false;
	affinity.p = msix_rig.p;
	affinity.nr = msix_rig.nq - 1;
	affinity.v = &msix_rig.v[affinity.nr];
	affinity.fire = affinity_fire_rig;
	return true;
}

static void affinity_verdict(struct ktest_run *t, uint64_t done)
{
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		sum += affinity.on[cpu];
		KEXPECT_MSG(t, affinity.on[cpu] > 0, "none came to CPU %u", cpu);
	}
	KEXPECT(t, done > 0);
	KEXPECT(t, !affinity_lost());
	KEXPECT_EQ(t, sum, done);
	KEXPECT_EQ(t, affinity.v->doubled, 0);
	KEXPECT_EQ(t, affinity.after, 0);
	KEXPECT_EQ(t, affinity.refused, 0);
	KEXPECT_EQ(t, msi_count(affinity.p, affinity.nr), done);
	ktest_metric("affinity_events", done, "interrupts");
	ktest_metric("affinity_moves", affinity.moves, "moves");
	ktest_metric("affinity_move", affinity.moving /
		     MAX(affinity.moves, 1u), "ns");
	ktest_metric("affinity_move_max", affinity.longest, "ns");
}

/* With the vector connected to CPU 0. */
static void affinity_run(struct ktest_run *t)
{
	bool all = cmdline_has("affinity.events");
	uint64_t wanted = cmdline_u64("affinity.events", AFFINITY_EVENTS);
	uint64_t unowned = affinity_unowned(), done;
	struct thread *mover;

	KASSERT(t, thread_create(1, affinity_mover, NULL, "mover",
				 &mover) == 0);
	done = affinity_fire(wanted, time_now() + (all ? AFFINITY_PATIENCE :
						   AFFINITY_BUDGET));
	WRITE_ONCE(affinity.stop, true);
	thread_join(mover);
	affinity_verdict(t, done);
	if (all)
		KEXPECT(t, done >= wanted);
	KEXPECT_EQ(t, affinity_unowned(), unowned);
}

KTEST(affinity, none_is_lost_doubled_or_late_while_a_vector_moves)
{
	if (!affinity_start(t))
		return;
	if (KEXPECT_EQ(t, msi_connect(affinity.p, affinity.nr, 0, affinity_irq,
				      affinity.v, "affinity"), 0))
		affinity_run(t);
	msix_rig_stop();
}

/* ---- MSI without mask bits: edu (QEMU's docs/specs/edu.txt) ---- */

#define EDU_RAISE	0x60		/* wo: sets interrupt status bits */
#define EDU_ACK		0x64		/* wo: clears them */

static struct io affinity_edu;
static struct msix_rig_vector affinity_edu_v;

static int affinity_fire_edu(void)
{
	WRITE_ONCE(affinity_edu_v.fired, affinity_edu_v.fired + 1);
	io_write32(&affinity_edu, EDU_RAISE, 1);
	return 0;
}

static void affinity_edu_irq(void *arg)
{
	io_write32(&affinity_edu, EDU_ACK, 1);
	affinity_irq(arg);
}

static void affinity_edu_run(struct ktest_run *t, struct pci_dev *p)
{
	KASSERT(t, pci_map_bar(p, 0, &affinity_edu) == 0);
	if (KEXPECT_EQ(t, msi_alloc(p, 1, 1), 1) &&
	    KEXPECT_EQ(t, pci_enable_master(p), 0) &&
	    KEXPECT_EQ(t, msi_connect(p, 0, 0, affinity_edu_irq,
				      &affinity_edu_v, "affinity"), 0))
		affinity_run(t);
	pci_disable_master(p);
	msi_free(p);
	io_unmap(&affinity_edu);
}

KTEST(affinity, msi_without_mask_bits_moves_under_fire_too)
{
	struct pci_dev *p = msix_rig_find(0x1234, 0x11e8);
	bool attach = p && !p->dev.dma.ops;

	if (!affinity_possible(t))
		return;
	if (!p) {
		ktest_skip(t, "no edu device");
		return;
	}
	affinity_edu_v = (struct msix_rig_vector){ 0 };
	affinity.p = p;
	affinity.v = &affinity_edu_v;
	affinity.fire = affinity_fire_edu;
	if (attach)
		KASSERT(t, dma_attach(&p->dev) == 0);
	pci_enable_memory(p);
	affinity_edu_run(t, p);
	if (attach)
		dma_detach(&p->dev);
}

/* ---- a pin: a disk that has no messages (msi=off) ---- */

#define AFFINITY_READS		500

static struct {
	struct blk_dev *bd;
	void *buf;
	unsigned done, failed;
	bool over;
} affinity_disk;

static void affinity_reader(void *arg)
{
	nsec_t end = time_now() + AFFINITY_BUDGET;
	struct blk_dev *bd = affinity_disk.bd;

	while (affinity_disk.done < AFFINITY_READS && time_now() < end) {
		affinity_disk.failed += blk_read(bd, 0, affinity_disk.buf,
						 bd->block_size) != 0;
		affinity_disk.done++;
	}
	WRITE_ONCE(affinity_disk.over, true);
}

/* Returns how many moves there were. */
static unsigned affinity_move_pin(struct ktest_run *t, struct pci_dev *p)
{
	unsigned moves = 0;

	while (!READ_ONCE(affinity_disk.over)) {
		unsigned to = (moves + 1) % cpu_count();

		if (!KEXPECT_EQ(t, irq_set_affinity(p, 0, to), 0))
			break;
		KEXPECT_EQ(t, irq_vectors_cpu(p, 0), (int)to);
		moves++;
		thread_sleep(AFFINITY_EVERY);
	}
	return moves;
}

/* Interrupts on other CPUs than the queues' were our doing. */
static void affinity_forgive(struct blk_dev *bd)
{
	struct nvme_ctrl *c = nvme_of(bd);

	for (unsigned i = 0; c && i < c->nio; i++)
		c->io[i].irqs_elsewhere = 0;
}

KTEST(affinity, a_pin_moves_while_its_disk_reads)
{
	struct blk_dev *bd = blk_get(0);
	struct pci_dev *p = bd && bd->dev ? to_pci_dev(bd->dev) : NULL;
	uint64_t unowned = affinity_unowned(), lost;
	struct thread *reader;
	unsigned moves;

	if (!affinity_possible(t))
		return;
	if (!p || strcmp(irq_vectors_kind(p), "intx") || !bd->blocks) {
		ktest_skip(t, "no disk that interrupts by its pin");
		return;
	}
	memset(&affinity_disk, 0, sizeof(affinity_disk));
	affinity_disk.bd = bd;
	affinity_disk.buf = page_alloc(page_order(bd->block_size));
	KASSERT(t, affinity_disk.buf);
	lost = irq_watch_lost(p, 0);
	KASSERT(t, thread_create(1, affinity_reader, NULL, "reader",
				 &reader) == 0);
	moves = affinity_move_pin(t, p);
	thread_join(reader);
	KEXPECT_EQ(t, irq_set_affinity(p, 0, 0), 0);
	KEXPECT(t, moves > 0 && affinity_disk.done > 0);
	KEXPECT_EQ(t, affinity_disk.failed, 0);
	KEXPECT_EQ(t, irq_watch_lost(p, 0), lost);
	KEXPECT_EQ(t, affinity_unowned(), unowned);
	ktest_metric("affinity_pin_reads", affinity_disk.done, "reads");
	ktest_metric("affinity_pin_moves", moves, "moves");
	affinity_forgive(bd);
	page_free(affinity_disk.buf, page_order(bd->block_size));
}

/* ---- a CPU that is to go ---- */

static struct {
	struct pci_dev *p;
	unsigned nr;
} affinity_was[AFFINITY_VECTORS];

/* Who has vectors on cpu now? False: more than there is room for. */
static bool affinity_remember(unsigned cpu, unsigned *n)
{
	struct pci_dev *p;

	*n = 0;
	list_for_each(p, &pci_devices, node) {
		for (unsigned nr = 0; nr < msi_vectors(p); nr++) {
			if (msi_cpu(p, nr) != (int)cpu)
				continue;
			if (*n == AFFINITY_VECTORS)
				return false;
			affinity_was[*n].p = p;
			affinity_was[(*n)++].nr = nr;
		}
	}
	return true;
}

KTEST(affinity, a_cpu_that_is_to_go_gets_no_interrupt_any_more)
{
	unsigned n, left;

	if (!affinity_start(t))
		return;
	for (unsigned nr = 0; nr < msix_rig.nq; nr++)
		KEXPECT_EQ(t, msi_connect(msix_rig.p, nr, 1, affinity_irq,
					  &msix_rig.v[nr], "affinity"), 0);
	KEXPECT(t, affinity_remember(1, &n) && n >= msix_rig.nq);
	KEXPECT_EQ(t, irq_rebalance(1), 0);
	KEXPECT(t, affinity_remember(1, &left) && left == 0);
	for (unsigned nr = 0; nr < msix_rig.nq; nr++) {
		KEXPECT_EQ(t, msix_rig_fire(nr), 0);
		KEXPECT_EQ(t, msix_rig_await(nr), 0);
	}
	KEXPECT_EQ(t, affinity.on[1], 0);
	KEXPECT_EQ(t, msix_rig_errors(), 0);
	for (unsigned i = 0; i < n; i++)
		KEXPECT_EQ(t, msi_move(affinity_was[i].p, affinity_was[i].nr,
				       1), 0);
	KEXPECT_EQ(t, msix_rig_fire(0), 0);
	KEXPECT_EQ(t, msix_rig_await(0), 0);
	KEXPECT_EQ(t, affinity.on[1], 1);
	msix_rig_stop();
}
