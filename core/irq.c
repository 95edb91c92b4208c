/* SPDX-License-Identifier: MIT */
/*
 * Who handles which vector (theory of operation).
 *
 * Which vectors of a CPU are taken is core/vector.c's knowledge; here is whose
 * they are. Each CPU has a table that is made when it comes up or its first
 * vector is taken, and stays for good. A bitmap, live, says whose vectors may be
 * dispatched. Nothing takes a lock. Dispatch runs on the CPU that owns the
 * table, interrupts off, and looks at one word of live, whose bit is set only
 * when the handler behind it is complete. Before it looks it says in busy which
 * vector it is in; irq_free() clears the live bit and then waits until busy
 * names another one, so that afterwards the handler neither runs nor will, and
 * only then gives the vector back.
 *
 * Every interrupt is counted in its owner's struct storm; what is suspicious is
 * looked at after its EOI, by irq_settle(), which holds the owner like dispatch.
 *
 * A vector rests as long as possible before it gets a new owner, which makes a
 * stray late interrupt count as unowned instead of reaching the wrong handler.
 */
#include "core/irq.h"

#include "core/bits.h"
#include "core/cpu.h"
#include "core/fmt.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/numa.h"
#include "core/panic.h"
#include "core/storm.h"
#include "core/string.h"

#define IRQ_VECTORS	256
#define IRQ_SYSTEM	(IRQ_VECTORS - IRQ_VECTOR_TIMER)
#define IRQ_NAME	24
#define IRQ_FREE_WAIT	NSEC_PER_SEC

_Static_assert(IRQ_VECTOR_LAST + 1 == IRQ_VECTOR_TIMER,
	       "a vector is a device's or the system's");

struct irq_handler {
	irq_fn *fn;
	void *arg;
	irq_fn *mask;			/* atomic, after mask_arg; may be NULL */
	void *mask_arg;
	/* owner CPU, interrupts off: */
	uint64_t count;
	struct storm storm;
	bool hopeless;			/* a storm that nobody can mask */
	char name[IRQ_NAME];
};

struct irq_cpu {
	/* atomic: */
	uint64_t live[IRQ_VECTORS / 64];
	/* owner CPU, interrupts off: */
	unsigned busy;			/* vector of the running handler, or 0 */
	uint32_t stray[IRQ_VECTORS];	/* came, and nobody owned it */
	/* each one complete while live; from here on not cleared at start: */
	struct irq_handler handler[VECTOR_ROOM];
};

/* owner CPU, interrupts off: */
struct irq_stats {
	uint64_t unowned, spurious, storms;
	uint64_t system[IRQ_SYSTEM];
} __aligned(64);

struct irq_system {
	irq_fn *fn;
	const char *name;
};

static struct irq_cpu *irq_cpus[CPU_MAX];	/* atomic, from NULL once */
/* set once at start: */
static struct irq_system irq_systems[IRQ_SYSTEM];
static struct irq_stats irq_stats[CPU_MAX];

static bool irq_is_system(unsigned vector)
{
	return vector >= IRQ_VECTOR_TIMER && vector < IRQ_VECTORS;
}

static bool irq_is_device(unsigned vector)
{
	return vector - VECTOR_FIRST < VECTOR_ROOM;
}

static struct irq_cpu *irq_table(unsigned cpu)
{
	return __atomic_load_n(&irq_cpus[cpu], __ATOMIC_ACQUIRE);
}

/* Two that race make two tables, and the loser's is freed. */
int irq_prepare(unsigned cpu)
{
	struct irq_cpu *none = NULL, *fresh;

	if (irq_table(cpu))
		return 0;
	fresh = heap_alloc(sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	memset(fresh, 0, offsetof(struct irq_cpu, handler));
	if (!__atomic_compare_exchange_n(&irq_cpus[cpu], &none, fresh, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		heap_free(fresh);
	return 0;
}

/* Release: the handler is complete before it is live. */
static void irq_set_live(struct irq_cpu *t, unsigned vector)
{
	__atomic_fetch_or(&t->live[vector / 64], BIT_ULL(vector % 64),
			  __ATOMIC_RELEASE);
}

static void irq_clear_live(struct irq_cpu *t, unsigned vector)
{
	__atomic_fetch_and(&t->live[vector / 64], ~BIT_ULL(vector % 64),
			   __ATOMIC_SEQ_CST);
}

static bool irq_is_live(const struct irq_cpu *t, unsigned vector)
{
	return __atomic_load_n(&t->live[vector / 64], __ATOMIC_ACQUIRE) >>
	       vector % 64 & 1;
}

void irq_block_own(unsigned cpu, unsigned vector, irq_fn *fn, void *arg,
		   const char *name)
{
	struct irq_cpu *t = irq_table(cpu);
	struct irq_handler *h = &t->handler[vector - VECTOR_FIRST];

	h->fn = fn;
	h->arg = arg;
	h->count = 0;
	h->mask = NULL;
	h->storm = (struct storm){ 0 };
	h->hopeless = false;
	fmt_snprintf(h->name, sizeof(h->name), "%s", name);
	irq_set_live(t, vector);
}

/* Make fn the owner of vector, just taken; or pass on why it was not. */
static int irq_own(unsigned cpu, int vector, irq_fn *fn, void *arg,
		   const char *name)
{
	if (vector < 0)
		return vector;
	if (irq_prepare(cpu)) {
		vector_free(cpu, (unsigned)vector);
		return -ENOMEM;
	}
	irq_block_own(cpu, (unsigned)vector, fn, arg, name);
	return vector;
}

int irq_alloc(unsigned cpu, irq_fn *fn, void *arg, const char *name)
{
	return fn ? irq_own(cpu, vector_alloc(cpu), fn, arg, name) : -EINVAL;
}

int irq_alloc_at(unsigned cpu, unsigned vector, irq_fn *fn, void *arg,
		 const char *name)
{
	return fn ? irq_own(cpu, vector_alloc_at(cpu, vector), fn, arg, name) :
	       -EINVAL;
}

int irq_alloc_reserved(unsigned cpu, irq_fn *fn, void *arg, const char *name)
{
	return fn ? irq_own(cpu, vector_take_reserved(cpu), fn, arg, name) :
	       -EINVAL;
}

int irq_alloc_spread(const struct cpu_set *among, irq_fn *fn, void *arg,
		     const char *name, unsigned *cpu)
{
	unsigned on = 0;
	int vector;

	if (!fn)
		return -EINVAL;
	vector = vector_alloc_spread(among, cpu_node(cpu_id()), &on);
	vector = irq_own(on, vector, fn, arg, name);
	if (vector >= 0)
		*cpu = on;
	return vector;
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

void irq_block_disown(unsigned cpu, unsigned vector)
{
	struct irq_cpu *t;

	BUG_ON(cpu >= CPU_MAX || !irq_is_device(vector));
	t = irq_table(cpu);
	BUG_ON(!t || !irq_is_live(t, vector));
	irq_clear_live(t, vector);
	irq_wait_idle(cpu, t, vector);
}

void irq_free(unsigned cpu, unsigned vector)
{
	irq_block_disown(cpu, vector);
	vector_free(cpu, vector);
}

int irq_alloc_block(unsigned cpu, unsigned n)
{
	int first = vector_alloc_block(cpu, n);

	if (first < 0 || !irq_prepare(cpu))
		return first;
	irq_free_block(cpu, (unsigned)first, n);
	return -ENOMEM;
}

void irq_free_block(unsigned cpu, unsigned first, unsigned n)
{
	struct irq_cpu *t = irq_table(cpu);

	for (unsigned vector = first; vector < first + n; vector++) {
		BUG_ON(t && irq_is_live(t, vector));
		vector_free(cpu, vector);
	}
}

void irq_set_system(unsigned vector, irq_fn *fn, const char *name)
{
	BUG_ON(!irq_is_system(vector));
	irq_systems[vector - IRQ_VECTOR_TIMER] =
		(struct irq_system){ fn, name };
}

/* Has vector an owner? He stays until irq_leave(). */
static bool irq_enter(struct irq_cpu *t, unsigned vector)
{
	WRITE_ONCE(t->busy, vector);
	cpu_mb();			/* busy, then the live bit: see irq_free */
	return irq_is_live(t, vector);
}

static void irq_leave(struct irq_cpu *t)
{
	dma_wmb();
	WRITE_ONCE(t->busy, 0);
}

/* Has the vector an owner? *look: it may be in a storm. */
static bool irq_dispatch_device(struct irq_cpu *t, unsigned vector, bool *look)
{
	struct irq_handler *h = &t->handler[vector - VECTOR_FIRST];
	bool live = irq_enter(t, vector);

	if (live) {
		h->count++;
		*look = storm_count(&h->storm);
		h->fn(h->arg);
	}
	irq_leave(t);
	return live;
}

static void irq_note_stray(unsigned cpu, struct irq_cpu *t, unsigned vector)
{
	irq_stats[cpu].unowned++;
	if (t)
		t->stray[vector % IRQ_VECTORS]++;
}

bool irq_dispatch(unsigned vector)
{
	unsigned cpu = cpu_id(), nr = vector - IRQ_VECTOR_TIMER;
	struct irq_cpu *t = irq_table(cpu);
	bool look = false;

	if (vector == IRQ_VECTOR_SPURIOUS) {
		irq_stats[cpu].spurious++;
	} else if (irq_is_system(vector) && irq_systems[nr].fn) {
		irq_stats[cpu].system[nr]++;
		irq_systems[nr].fn(NULL);
	} else if (!t || !irq_is_device(vector) ||
		   !irq_dispatch_device(t, vector, &look)) {
		irq_note_stray(cpu, t, vector);
	}
	return look;
}

void irq_on_storm(unsigned cpu, unsigned vector, irq_fn *mask, void *arg)
{
	struct irq_handler *h;

	BUG_ON(!irq_name(cpu, vector) || !irq_is_device(vector));
	h = &irq_table(cpu)->handler[vector - VECTOR_FIRST];
	h->mask_arg = arg;
	__atomic_store_n(&h->mask, mask, __ATOMIC_RELEASE);
}

static void irq_end_storm(unsigned cpu, unsigned vector, struct irq_handler *h)
{
	irq_fn *mask = __atomic_load_n(&h->mask, __ATOMIC_ACQUIRE);

	if (h->hopeless)
		return;
	irq_stats[cpu].storms++;
	h->hopeless = !mask;
	if (mask)
		mask(h->mask_arg);
	log_err("irq", "CPU %u does nothing but vector 0x%x (%s), which came "
		"%llu times: %s", cpu, vector, h->name,
		(unsigned long long)h->count,
		mask ? "masked" : "nobody can mask it");
}

void irq_settle(unsigned vector)
{
	unsigned cpu = cpu_id();
	struct irq_cpu *t = irq_table(cpu);
	struct irq_handler *h = &t->handler[vector - VECTOR_FIRST];

	if (irq_enter(t, vector) &&
	    storm_judge(&h->storm,
			storm_asks(&h->storm) && cpu_irq_pending(vector),
			time_now()))
		irq_end_storm(cpu, vector, h);
	irq_leave(t);
}

/* The handler of a vector that is owned now, or NULL. */
static const struct irq_handler *irq_owner(unsigned cpu, unsigned vector)
{
	const struct irq_cpu *t = cpu < CPU_MAX ? irq_table(cpu) : NULL;

	if (!t || !irq_is_device(vector) || !irq_is_live(t, vector))
		return NULL;
	return &t->handler[vector - VECTOR_FIRST];
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

uint64_t irq_stray_count(unsigned cpu, unsigned vector)
{
	const struct irq_cpu *t = cpu < CPU_MAX ? irq_table(cpu) : NULL;

	return t && vector < IRQ_VECTORS ? READ_ONCE(t->stray[vector]) : 0;
}

uint64_t irq_spurious_count(unsigned cpu)
{
	return cpu < CPU_MAX ? irq_stats[cpu].spurious : 0;
}

uint64_t irq_storm_count(unsigned cpu)
{
	return cpu < CPU_MAX ? irq_stats[cpu].storms : 0;
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
	vector_reset();
	memset(irq_stats, 0, sizeof(irq_stats));
	memset(irq_systems, 0, sizeof(irq_systems));
}
