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
#include "core/cmdline.h"
#include "core/cpu.h"
#include "core/irq.h"
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
	unsigned nr;
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
	int from = msi_cpu(msix_rig.p, affinity.nr);
	nsec_t start = time_now(), took;

	affinity_look(to);
	if (msi_move(msix_rig.p, affinity.nr, to)) {
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
		if (msi_cpu(msix_rig.p, affinity.nr) != (int)to)
			affinity_move(to);
		thread_sleep(AFFINITY_EVERY);
	}
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		if (msi_cpu(msix_rig.p, affinity.nr) != (int)cpu)
			affinity_look(cpu);
}

/* Returns how many events were each answered by an interrupt. */
static uint64_t affinity_fire(uint64_t wanted, nsec_t end)
{
	uint64_t done = 0;

	while ((done < wanted || READ_ONCE(affinity.moves) < AFFINITY_MOVES) &&
	       time_now() < end) {
		if (msix_rig_fire(affinity.nr) || msix_rig_await(affinity.nr))
			break;
		done++;
	}
	return done;
}

/* One event was lost: its interrupt has not come, or its device is stuck. */
static bool affinity_lost(void)
{
	const struct msix_rig_vector *v = &msix_rig.v[affinity.nr];

	return READ_ONCE(v->seen) != READ_ONCE(v->fired);
}

static bool affinity_start(struct ktest_run *t)
{
	if (cpu_count() < 2) {
		ktest_skip(t, "one CPU: nowhere to move to");
		return false;
	}
	if (!msix_rig_start(t))
		return false;
	memset(&affinity, 0, sizeof(affinity));
	affinity.nr = msix_rig.nq - 1;
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
	KEXPECT_EQ(t, msix_rig_errors(), 0);
	KEXPECT_EQ(t, affinity.after, 0);
	KEXPECT_EQ(t, affinity.refused, 0);
	KEXPECT_EQ(t, msi_count(msix_rig.p, affinity.nr), done);
	ktest_metric("affinity_events", done, "interrupts");
	ktest_metric("affinity_moves", affinity.moves, "moves");
	ktest_metric("affinity_move", affinity.moving /
		     MAX(affinity.moves, 1u), "ns");
	ktest_metric("affinity_move_max", affinity.longest, "ns");
}

KTEST(affinity, none_is_lost_doubled_or_late_while_a_vector_moves)
{
	bool all = cmdline_has("affinity.events");
	uint64_t wanted = cmdline_u64("affinity.events", AFFINITY_EVENTS);
	uint64_t unowned = affinity_unowned(), done;
	struct thread *mover;

	if (!affinity_start(t))
		return;
	KEXPECT_EQ(t, msi_connect(msix_rig.p, affinity.nr, 0, affinity_irq,
				  &msix_rig.v[affinity.nr], "affinity"), 0);
	if (KEXPECT_EQ(t, thread_create(1, affinity_mover, NULL, "mover",
					&mover), 0)) {
		done = affinity_fire(wanted, time_now() + (all ?
				     AFFINITY_PATIENCE : AFFINITY_BUDGET));
		WRITE_ONCE(affinity.stop, true);
		thread_join(mover);
		affinity_verdict(t, done);
		if (all)
			KEXPECT(t, done >= wanted);
	}
	KEXPECT_EQ(t, affinity_unowned(), unowned);
	msix_rig_stop();
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
