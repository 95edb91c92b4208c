/* SPDX-License-Identifier: MIT */
/*
 * Many interrupts, each with its number: every entry of the table fires once,
 * and then 100000 events from every CPU through vectors of every CPU. Lost ones
 * are waited for, doubled and misrouted ones counted by the handlers, and one
 * that reached no handler at all is among the unowned of its CPU.
 *
 * One could be fooled by two events that a local APIC merges: so a vector's
 * last number has arrived before its next one is fired.
 */
#include "core/bits.h"
#include "core/cpu.h"
#include "core/report.h"
#include "sched/sched.h"
#include "tests/guest/msix_rig.h"

#define TORTURE_EVENTS	100000
#define TORTURE_BATCH	128		/* vectors connected at a time */
#define TORTURE_VECTORS	64
#define TORTURE_TIME	(60 * NSEC_PER_SEC)	/* a slow host makes fewer */
#define TORTURE_RACES	5000
#define TORTURE_OTHER	8		/* one event in so many changes a queue */

/* ---- every entry ---- */

/* Entries from first on: how many of them fired and arrived. */
static unsigned torture_batch(unsigned first, unsigned n)
{
	unsigned connected = 0, arrived = 0;

	while (connected < n &&
	       !msix_rig_connect(first + connected,
				 (first + connected) % cpu_count()))
		connected++;
	for (unsigned i = 0; i < connected; i++)
		if (!msix_rig_fire(first + i) && !msix_rig_await(first + i))
			arrived++;
		else
			break;		/* the rest would wait as long */
	for (unsigned i = 0; i < connected; i++)
		msix_rig_disconnect(first + i);
	return arrived;
}

KTEST(msix, every_entry_fires_once_on_the_cpu_it_was_sent_to)
{
	const struct msix_rig *r = &msix_rig;
	unsigned arrived = 0, n;
	uint64_t unowned = msix_rig_unowned();

	if (!msix_rig_start(t))
		return;
	for (unsigned first = 0; first < r->entries; first += n) {
		unsigned got;

		n = MIN(r->entries - first, (unsigned)TORTURE_BATCH);
		got = torture_batch(first, n);
		arrived += got;
		if (!KEXPECT_MSG(t, got == n, "entry %u arrives", first + got))
			break;
	}
	KEXPECT_EQ(t, arrived, r->entries);
	KEXPECT_EQ(t, msix_rig_errors(), 0);
	KEXPECT_EQ(t, msix_rig_unowned(), unowned);
	ktest_metric("fired", arrived, "entries");
	msix_rig_stop();
}

/* ---- many ---- */

static struct {
	unsigned vectors, share;	/* connected; events for each CPU */
	unsigned done, lost;
	nsec_t deadline;
	uint32_t seed;
	bool over;			/* for the thread that masks */
} torture;

/* Numerical Recipes' generator: the high bits are good enough here. */
static uint32_t torture_random(void)
{
	torture.seed = torture.seed * 1664525 + 1013904223;
	return torture.seed >> 16;
}

/* Mostly the vectors that queues have already, now and then another one. */
static unsigned torture_choose(void)
{
	unsigned nr = torture_random() % torture.vectors;

	return torture_random() % TORTURE_OTHER ? nr % msix_rig.nq : nr;
}

/* n events. Ends with the first that is lost: more would not be news. */
static void torture_fire(unsigned n, unsigned (*choose)(void))
{
	while (n-- && !torture.lost && time_now() < torture.deadline) {
		unsigned nr = choose();

		if (msix_rig_await(nr) || msix_rig_fire(nr))
			torture.lost++;
		else
			torture.done++;
	}
}

/* The last of each vector is still on its way. */
static void torture_drain(void)
{
	for (unsigned nr = 0; nr < torture.vectors; nr++)
		torture.lost += msix_rig_await(nr) != 0;
}

/* One CPU's share. */
static void torture_events(void *arg)
{
	torture_fire(torture.share, torture_choose);
}

static unsigned torture_connect(struct ktest_run *t)
{
	unsigned most = MIN(msix_rig.entries, (unsigned)TORTURE_VECTORS), nr;

	for (nr = 0; nr < most; nr++)
		if (!KEXPECT_EQ(t, msix_rig_connect(nr, nr % cpu_count()), 0))
			break;
	return nr;
}

static void torture_from_every_cpu(struct ktest_run *t)
{
	struct thread *th;

	torture.share = DIV_ROUND_UP(TORTURE_EVENTS, cpu_count());
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		if (!KEXPECT_EQ(t, thread_create(cpu, torture_events, NULL,
						 "msix torture", &th), 0))
			break;
		thread_join(th);
	}
	torture_drain();
}

/* What is to hold of the events that were made, however many. */
static void torture_judge(struct ktest_run *t, uint64_t unowned)
{
	uint64_t seen = 0;

	thread_sleep(MSIX_RIG_QUIET);
	for (unsigned nr = 0; nr < torture.vectors; nr++)
		seen += msix_rig.v[nr].seen;
	KEXPECT_EQ(t, torture.lost, 0);
	KEXPECT_EQ(t, seen, torture.done);
	KEXPECT_EQ(t, msix_rig_errors(), 0);
	KEXPECT_EQ(t, msix_rig_unowned(), unowned);
	ktest_metric("events", torture.done, "interrupts");
}

/* With the rig running and several queues; else the test is skipped. */
static bool torture_ready(struct ktest_run *t)
{
	if (!msix_rig_start(t))
		return false;
	if (msix_rig.nq < 2) {
		ktest_skip(t, "%s has one queue: no vectors to alternate",
			   msix_rig.p->dev.name);
		msix_rig_stop();
		return false;
	}
	torture.done = torture.lost = 0;
	torture.seed = 1;
	torture.over = false;
	torture.deadline = time_now() + TORTURE_TIME;
	torture.vectors = torture_connect(t);
	return true;
}

KTEST(msix, of_100000_interrupts_none_is_lost_doubled_or_misrouted)
{
	uint64_t unowned = msix_rig_unowned();
	nsec_t start = time_now();

	if (!torture_ready(t))
		return;
	if (KEXPECT(t, torture.vectors >= msix_rig.nq))
		torture_from_every_cpu(t);
	ktest_metric("an_event", (time_now() - start) / MAX(torture.done, 1u),
		     "ns");
	torture_judge(t, unowned);
	if (torture.done < TORTURE_EVENTS && !t->failures)
		ktest_skip(t, "a slow host: %u of %u in %llu s, none lost",
			   torture.done, TORTURE_EVENTS,
			   (unsigned long long)(TORTURE_TIME / NSEC_PER_SEC));
	msix_rig_stop();
}

/* ---- masks that race with events ---- */

/* Every vector is masked and opened again, round and round. */
static void torture_masks(void *arg)
{
	while (!READ_ONCE(torture.over))
		for (unsigned nr = 0; nr < msix_rig.nq; nr++) {
			msi_mask(msix_rig.p, nr, true);
			msi_mask(msix_rig.p, nr, false);
		}
}

/* A queue keeps its vector, for a change would drop the pending bit. */
static unsigned torture_choose_queue(void)
{
	return torture_random() % msix_rig.nq;
}

/*
 * An event that comes while its entry is being masked or opened leaves at once
 * or pends, and is never lost or sent twice.
 */
KTEST(msix, masks_that_race_with_events_lose_and_double_none)
{
	uint64_t unowned = msix_rig_unowned();
	struct thread *th;

	if (cpu_count() < 2) {
		ktest_skip(t, "one CPU");
		return;
	}
	if (!torture_ready(t))
		return;
	if (KEXPECT_EQ(t, thread_create((cpu_id() + 1) % cpu_count(),
					torture_masks, NULL, "msix masks",
					&th), 0)) {
		torture_fire(TORTURE_RACES, torture_choose_queue);
		WRITE_ONCE(torture.over, true);
		thread_join(th);
		torture_drain();
	}
	KEXPECT(t, torture.done > 0);
	torture_judge(t, unowned);
	msix_rig_stop();
}
