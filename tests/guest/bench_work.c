/* SPDX-License-Identifier: MIT */
/*
 * Group cpu, second half: memory and threads, what the kernel adds to the bare
 * processor.
 *
 * How one could be fooled: an allocator that just got the same page back is at
 * its best; so pages are also taken in numbers that no CPU's cache holds, and
 * after all caches were emptied. A yield that switches to nobody is cheap, so
 * the scheduler's own count of switches must agree.
 */
#include "tests/guest/bench.h"

#include "core/cpu.h"
#include "core/heap.h"
#include "core/page.h"
#include "sched/sched.h"

#define WORK_PAGES	512u		/* more than a CPU's cache holds */

/* ---- memory ---- */

KBENCH(cpu, page, "allocate and free one page: this CPU's cache has it")
{
	unsigned got = 0;

	while (kbench_batch(b, 64))
		for (unsigned i = 0; i < 64; i++) {
			void *p = page_alloc(0);

			got += p != NULL;
			page_free(p, 0);
		}
	KBENCH_EQ(b, got, b->ops);
}

KBENCH(cpu, page_drained, "the same with all caches emptied before")
{
	unsigned got = 0;

	while (kbench_batch(b, 1)) {
		void *p;

		page_drain();
		kbench_from_here(b);
		p = page_alloc(0);
		page_free(p, 0);
		kbench_to_here(b);
		got += p != NULL;
	}
	KBENCH_EQ(b, got, b->ops);
}

KBENCH(cpu, page_many, "the same, of 512 allocated and then freed")
{
	static void *page[WORK_PAGES];
	unsigned got = 0;

	while (kbench_batch(b, WORK_PAGES)) {
		for (unsigned i = 0; i < WORK_PAGES; i++)
			page[i] = page_alloc(0);
		for (unsigned i = 0; i < WORK_PAGES; i++) {
			got += page[i] != NULL;
			page_free(page[i], 0);
		}
	}
	KBENCH_EQ(b, got, b->ops);
}

static void work_heap(struct kbench_run *b, size_t size)
{
	uint64_t before = heap_allocs();

	while (kbench_batch(b, 64))
		for (unsigned i = 0; i < 64; i++)
			heap_free(heap_alloc(size));
	KBENCH_CHECK(b, heap_allocs() - before >= b->ops);
}

KBENCH(cpu, heap_64, "allocate and free 64 bytes")
{
	work_heap(b, 64);
}

KBENCH(cpu, heap_1024, "allocate and free 1024 bytes")
{
	work_heap(b, 1024);
}

/* ---- threads ---- */

KBENCH(cpu, lock, "take and give back a spinlock that nobody wants")
{
	struct spinlock l = SPINLOCK_INIT("bench");

	while (kbench_batch(b, 64))
		for (unsigned i = 0; i < 64; i++)
			spin_unlock(&l, spin_lock(&l));
	/* One ticket each. */
	KBENCH_EQ(b, l.next, (uint16_t)b->ops);
	KBENCH_EQ(b, l.owner, l.next);
}

static unsigned work_stop;		/* this CPU's threads only */

static void work_yields(void *arg)
{
	while (!READ_ONCE(work_stop))
		thread_yield();
}

/* Two threads of one CPU: one that yields gets back after two switches. */
KBENCH(cpu, switch, "one switch between two threads that yield")
{
	struct sched_stats st;
	struct thread *th;
	unsigned self = cpu_id();
	uint64_t before;

	work_stop = 0;
	if (!KBENCH_CHECK(b, !thread_create(self, work_yields, NULL, "yields",
					    &th)))
		return;
	thread_yield();
	sched_stats(self, &st);
	before = st.switches;
	while (kbench_batch(b, 128))
		for (unsigned i = 0; i < 64; i++)
			thread_yield();
	sched_stats(self, &st);
	KBENCH_CHECK(b, st.switches - before >= b->ops);
	WRITE_ONCE(work_stop, 1);
	thread_join(th);
}

static void work_once(void *arg)
{
	++*(unsigned *)arg;
}

KBENCH(cpu, thread, "create a thread on this CPU, run it, join it")
{
	unsigned ran = 0;
	struct thread *th;
	int err = 0;

	while (!err && kbench_batch(b, 1)) {
		err = thread_create(cpu_id(), work_once, &ran, "once", &th);
		if (!err)
			thread_join(th);
	}
	KBENCH_CHECK(b, !err);
	KBENCH_EQ(b, ran, b->ops);
}

/* Two threads that hand a turn to each other, through a wait queue. */
struct work_turn {
	struct waitq q;
	unsigned turn;			/* 0: the benchmark's, 1: the other's */
	unsigned stop;
};

static void work_pass(struct work_turn *w, unsigned to)
{
	WRITE_ONCE(w->turn, to);
	waitq_wake_one(&w->q);
}

static bool work_await(struct work_turn *w, unsigned mine)
{
	return !wait_until(&w->q, READ_ONCE(w->turn) == mine,
			   time_now() + 10 * NSEC_PER_SEC);
}

static void work_other(void *arg)
{
	struct work_turn *w = arg;

	while (work_await(w, 1) && !READ_ONCE(w->stop))
		work_pass(w, 0);
}

static void work_ping_pong(struct kbench_run *b, unsigned cpu)
{
	struct work_turn w = { .turn = 0 };
	struct thread *th;
	bool lost = false;

	waitq_init(&w.q);
	if (!KBENCH_CHECK(b, !thread_create(cpu, work_other, &w, "pong", &th)))
		return;
	while (!lost && kbench_batch(b, 2)) {
		work_pass(&w, 1);
		lost = !work_await(&w, 0);
	}
	KBENCH_CHECK(b, !lost);
	WRITE_ONCE(w.stop, 1);
	work_pass(&w, 1);
	thread_join(th);
}

KBENCH(cpu, wake_here, "wake a thread of this CPU and sleep: half a ping-pong")
{
	work_ping_pong(b, cpu_id());
}

KBENCH(cpu, wake_there, "the same with a thread of another CPU")
{
	if (cpu_count() == 1)
		return kbench_skip(b, "one CPU");
	work_ping_pong(b, 1);
}
