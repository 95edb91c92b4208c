/* SPDX-License-Identifier: MIT */
/*
 * Who handles which vector (theory of operation).
 *
 * Each CPU has a table that is made when its first vector is taken and stays
 * for good. Two bitmaps rule it: used (somebody owns it, or is still giving it
 * back) and live (may be dispatched). Taking and giving back hold irq_lock;
 * dispatch takes no lock: it runs on the CPU that owns the table, interrupts
 * off, and looks at one word of live, whose bit is set only when the handler
 * behind it is complete. Before it looks it says in busy which vector it is in;
 * irq_free() clears the live bit and then waits until busy names another
 * one, so that afterwards the handler neither runs nor will.
 *
 * Search starts behind the vector given out last. So a vector rests as
 * long as possible before it gets a new owner, which makes a stray late
 * interrupt count as unowned instead of reaching the wrong handler.
 */
#include "core/irq.h"

#include "core/bits.h"
#include "core/cpu.h"
#include "core/fmt.h"
#include "core/heap.h"
#include "core/lock.h"
#include "core/panic.h"
#include "core/string.h"

#define IRQ_VECTORS	(IRQ_VECTOR_LAST - IRQ_VECTOR_FIRST + 1)
#define IRQ_WORDS	DIV_ROUND_UP(IRQ_VECTORS, 64)
#define IRQ_SYSTEM	(256 - IRQ_VECTOR_TIMER)
#define IRQ_NAME	24
#define IRQ_FREE_WAIT	NSEC_PER_SEC

_Static_assert(IRQ_VECTORS % 64 == 0, "the bitmap has no loose end");

struct irq_handler {
	irq_fn *fn;
	void *arg;
	uint64_t count;			/* owner CPU, interrupts off */
	char name[IRQ_NAME];
};

struct irq_cpu {
	/* irq_lock: */
	uint64_t used[IRQ_WORDS];
	uint64_t live[IRQ_WORDS];	/* read by dispatch without it */
	unsigned next;			/* where the next search starts */
	/* owner CPU, interrupts off: */
	unsigned busy;			/* vector of the running handler, or 0 */
	/* each one complete while live; from here on not cleared at start: */
	struct irq_handler handler[IRQ_VECTORS];
};

/* owner CPU, interrupts off: */
struct irq_stats {
	uint64_t unowned;
	uint64_t system[IRQ_SYSTEM];
} __aligned(64);

struct irq_system {
	irq_fn *fn;
	const char *name;
};

static struct spinlock irq_lock = SPINLOCK_INIT("irq");
static struct irq_cpu *irq_cpus[CPU_MAX];
/* set once at start: */
static struct irq_system irq_systems[IRQ_SYSTEM];
static struct irq_stats irq_stats[CPU_MAX];

static bool irq_is_system(unsigned vector)
{
	return vector >= IRQ_VECTOR_TIMER && vector < 256;
}

/* The table of cpu; two that race make two, and the loser's is freed. */
static struct irq_cpu *irq_table(unsigned cpu)
{
	struct irq_cpu *t = READ_ONCE(irq_cpus[cpu]), *fresh;
	irqflags_t flags;

	if (t)
		return t;
	fresh = heap_alloc(sizeof(*fresh));
	if (!fresh)
		return NULL;
	memset(fresh, 0, offsetof(struct irq_cpu, handler));
	flags = spin_lock(&irq_lock);
	t = irq_cpus[cpu];
	if (!t)
		WRITE_ONCE(irq_cpus[cpu], fresh);
	spin_unlock(&irq_lock, flags);
	if (!t)
		return fresh;
	heap_free(fresh);
	return t;
}

/* The first free slot from start on, going round once. -ENOSPC. */
static int irq_find_free(const uint64_t *used, unsigned start)
{
	for (unsigned n = 0; n <= IRQ_WORDS; n++) {
		unsigned word = (start / 64 + n) % IRQ_WORDS;
		uint64_t open = ~used[word];

		if (n == 0)		/* before start: at the very end */
			open &= UINT64_MAX << start % 64;
		if (open)
			return 64 * word + __builtin_ctzll(open);
	}
	return -ENOSPC;
}

static int irq_reserve(struct irq_cpu *t)
{
	irqflags_t flags = spin_lock(&irq_lock);
	int slot = irq_find_free(t->used, t->next);

	if (slot >= 0) {
		t->used[slot / 64] |= BIT_ULL(slot % 64);
		t->next = (slot + 1) % IRQ_VECTORS;
	}
	spin_unlock(&irq_lock, flags);
	return slot;
}

static void irq_set_live(struct irq_cpu *t, unsigned slot, bool live)
{
	irqflags_t flags = spin_lock(&irq_lock);
	uint64_t word = t->live[slot / 64] & ~BIT_ULL(slot % 64);

	if (live)
		word |= BIT_ULL(slot % 64);
	dma_wmb();			/* the handler is complete before */
	WRITE_ONCE(t->live[slot / 64], word);
	spin_unlock(&irq_lock, flags);
}

static bool irq_is_live(const struct irq_cpu *t, unsigned slot)
{
	return READ_ONCE(t->live[slot / 64]) >> slot % 64 & 1;
}

int irq_alloc(unsigned cpu, irq_fn *fn, void *arg, const char *name)
{
	struct irq_handler *h;
	struct irq_cpu *t;
	int slot;

	if (cpu >= cpu_count() || !fn)
		return -EINVAL;
	t = irq_table(cpu);
	if (!t)
		return -ENOMEM;
	slot = irq_reserve(t);
	if (slot < 0)
		return slot;
	h = &t->handler[slot];
	h->fn = fn;
	h->arg = arg;
	h->count = 0;
	fmt_snprintf(h->name, sizeof(h->name), "%s", name);
	irq_set_live(t, slot, true);
	return IRQ_VECTOR_FIRST + slot;
}

/* A handler may free its own vector: that one need not be waited for. */
static void irq_wait_idle(unsigned cpu, const struct irq_cpu *t,
			  unsigned vector)
{
	nsec_t deadline = time_now() + IRQ_FREE_WAIT;

	cpu_mb();			/* the live bit, then busy */
	if (cpu == cpu_id())
		return;
	if (poll_mem_until(READ_ONCE(t->busy) != vector, deadline))
		panic("irq: the handler of vector 0x%x on CPU %u does not end",
		      vector, cpu);
}

void irq_free(unsigned cpu, unsigned vector)
{
	unsigned slot = vector - IRQ_VECTOR_FIRST;
	struct irq_cpu *t;
	irqflags_t flags;

	BUG_ON(cpu >= CPU_MAX || slot >= IRQ_VECTORS);
	t = irq_cpus[cpu];
	BUG_ON(!t || !irq_is_live(t, slot));
	irq_set_live(t, slot, false);
	irq_wait_idle(cpu, t, vector);
	flags = spin_lock(&irq_lock);
	t->used[slot / 64] &= ~BIT_ULL(slot % 64);
	spin_unlock(&irq_lock, flags);
}

void irq_set_system(unsigned vector, irq_fn *fn, const char *name)
{
	BUG_ON(!irq_is_system(vector));
	irq_systems[vector - IRQ_VECTOR_TIMER] =
		(struct irq_system){ fn, name };
}

/* Returns whether the vector has an owner. */
static bool irq_dispatch_device(struct irq_cpu *t, unsigned slot)
{
	struct irq_handler *h = &t->handler[slot];
	bool live;

	WRITE_ONCE(t->busy, slot + IRQ_VECTOR_FIRST);
	cpu_mb();			/* busy, then the live bit: see irq_free */
	live = irq_is_live(t, slot);
	if (live) {
		h->count++;
		h->fn(h->arg);
	}
	dma_wmb();
	WRITE_ONCE(t->busy, 0);
	return live;
}

void irq_dispatch(unsigned vector)
{
	unsigned cpu = cpu_id(), nr = vector - IRQ_VECTOR_TIMER;
	struct irq_cpu *t = irq_cpus[cpu];

	if (irq_is_system(vector) && irq_systems[nr].fn) {
		irq_stats[cpu].system[nr]++;
		irq_systems[nr].fn(NULL);
	} else if (!t || vector - IRQ_VECTOR_FIRST >= IRQ_VECTORS ||
		   !irq_dispatch_device(t, vector - IRQ_VECTOR_FIRST)) {
		irq_stats[cpu].unowned++;
	}
}

/* The handler of a vector that is owned now, or NULL. */
static const struct irq_handler *irq_owner(unsigned cpu, unsigned vector)
{
	const struct irq_cpu *t = cpu < CPU_MAX ? irq_cpus[cpu] : NULL;
	unsigned slot = vector - IRQ_VECTOR_FIRST;

	if (!t || slot >= IRQ_VECTORS || !irq_is_live(t, slot))
		return NULL;
	return &t->handler[slot];
}

uint64_t irq_count(unsigned cpu, unsigned vector)
{
	const struct irq_handler *h = irq_owner(cpu, vector);

	if (cpu < CPU_MAX && irq_is_system(vector))
		return irq_stats[cpu].system[vector - IRQ_VECTOR_TIMER];
	return h ? h->count : 0;
}

uint64_t irq_unowned_count(unsigned cpu)
{
	return cpu < CPU_MAX ? irq_stats[cpu].unowned : 0;
}

const char *irq_name(unsigned cpu, unsigned vector)
{
	const struct irq_handler *h = irq_owner(cpu, vector);

	if (irq_is_system(vector))
		return irq_systems[vector - IRQ_VECTOR_TIMER].name;
	return h ? h->name : NULL;
}

void irq_reset(void)
{
	for (unsigned cpu = 0; cpu < CPU_MAX; cpu++) {
		heap_free(irq_cpus[cpu]);
		irq_cpus[cpu] = NULL;
	}
	memset(irq_stats, 0, sizeof(irq_stats));
	memset(irq_systems, 0, sizeof(irq_systems));
}
