/* SPDX-License-Identifier: MIT */
/*
 * Interrupt vectors and who handles them. Each CPU has a table of its own of
 * 256 vectors; one vector has one owner. Handlers run with interrupts off on
 * the CPU they were requested for, may take spinlocks and wake threads, and
 * must not sleep. core/irq.c is pure: the trap entry (or, on the host, a fake)
 * calls irq_dispatch().
 */
#ifndef CORE_IRQ_H
#define CORE_IRQ_H

#include "core/cpu.h"
#include "core/types.h"
#include "core/vector.h"

#define IRQ_VECTOR_FIRST	VECTOR_FIRST	/* those that irq_alloc hands out */
#define IRQ_VECTOR_LAST		VECTOR_LAST
#define IRQ_VECTOR_TIMER	0xf0
#define IRQ_VECTOR_RESCHED	0xf1
#define IRQ_VECTOR_CALL		0xf2
#define IRQ_VECTOR_NMI		0xf3	/* what an NMI could not say */
#define IRQ_VECTOR_PV_APF	0xf4	/* KVM: a page is ready */
#define IRQ_VECTOR_BENCH	0xf5	/* tests/guest/bench_cpu.c */
#define IRQ_VECTOR_SPURIOUS	0xff

typedef void irq_fn(void *arg);

/*
 * Take a free vector on cpu and give it to fn. Returns the vector (positive),
 * -EINVAL (no such CPU), -ENOSPC or -ENOMEM. name (copied) is what the monitor's irq
 * command prints.
 */
int irq_alloc(unsigned cpu, irq_fn *fn, void *arg, const char *name);
/* The same, but this very vector: -EBUSY when it is taken. */
int irq_alloc_at(unsigned cpu, unsigned vector, irq_fn *fn, void *arg,
		 const char *name);
/*
 * The same on the CPU of among, in *cpu afterwards, that has the fewest; of
 * equals on one near to the caller's. CPUs that are not up do not count.
 */
int irq_alloc_spread(const struct cpu_set *among, irq_fn *fn, void *arg,
		     const char *name, unsigned *cpu);
/*
 * The same from the room that vector_reserve() has set aside on cpu, to which
 * irq_free() returns it. Cannot say -ENOSPC; -EINVAL: nothing is set aside.
 */
int irq_alloc_reserved(unsigned cpu, irq_fn *fn, void *arg, const char *name);
/*
 * Take n free vectors in a row, of which the first is a multiple of n (a power
 * of two up to 32), without a handler yet: a stray one is counted. The first,
 * or -EINVAL, -ENOSPC, -ENOMEM.
 */
int irq_alloc_block(unsigned cpu, unsigned n);
/* Give one of the block to fn, and away from it; waits as irq_free() does. */
void irq_block_own(unsigned cpu, unsigned vector, irq_fn *fn, void *arg,
		   const char *name);
void irq_block_disown(unsigned cpu, unsigned vector);
/* Give all n back; none is owned any more. */
void irq_free_block(unsigned cpu, unsigned first, unsigned n);
/*
 * Give back. The caller has made sure that nothing can send it any more. Waits
 * for a handler that runs on another CPU, so hold no lock that it takes.
 */
void irq_free(unsigned cpu, unsigned vector);
/* A system vector (IRQ_VECTOR_TIMER and up), the same on every CPU. */
void irq_set_system(unsigned vector, irq_fn *fn, const char *name);

/*
 * Make cpu's table now, so that stray interrupts are counted by vector before
 * the first owner comes. 0 or -ENOMEM: then they are counted together.
 */
int irq_prepare(unsigned cpu);

/*
 * Count and run the owner of vector on this CPU; unowned and spurious ones are
 * counted. Interrupts off. True: after the EOI irq_settle() has to follow, still
 * with interrupts off, which looks whether this vector is in a storm.
 */
bool irq_dispatch(unsigned vector);
void irq_settle(unsigned vector);
/*
 * Whom to call when vector is all that cpu still does (core/storm.h), to mask
 * its source: interrupts off, on cpu, after the handler; not after irq_free().
 * It is logged and counted; with no one to call just once for each owner.
 */
void irq_on_storm(unsigned cpu, unsigned vector, irq_fn *mask, void *arg);
uint64_t irq_storm_count(unsigned cpu);

/* Of the present owner, or of a system vector. */
uint64_t irq_count(unsigned cpu, unsigned vector);
/* Interrupts that had no owner: of all vectors, and of one. */
uint64_t irq_unowned_count(unsigned cpu);
uint64_t irq_stray_count(unsigned cpu, unsigned vector);
/* IRQ_VECTOR_SPURIOUS: what the local APIC took back (SDM vol. 3, 10.9). */
uint64_t irq_spurious_count(unsigned cpu);
/* The owner's name, or NULL. */
const char *irq_name(unsigned cpu, unsigned vector);

/* For the host tests: forget all vectors. */
void irq_reset(void);

/*
 * The seam's interrupt pins: route a global system interrupt to fn on cpu.
 * Level-triggered pins may be shared; fn returns nothing and must look at its
 * device. Returns 0, -EINVAL (no such pin), -ENOSPC. Implemented over the
 * IOAPIC on the machine.
 */
#define IRQ_GSI_LEVEL		0x1	/* else edge */
#define IRQ_GSI_ACTIVE_LOW	0x2	/* else active high */
int irq_gsi_request(unsigned gsi, unsigned flags, unsigned cpu, irq_fn *fn,
		    void *arg, const char *name);
void irq_gsi_free(unsigned gsi, irq_fn *fn, void *arg);
/* The CPU that a requested pin interrupts. -EINVAL. */
int irq_gsi_cpu(unsigned gsi);
/*
 * Let a requested pin interrupt another CPU, also while it does: level only,
 * since an edge of a pin that is masked for it would be lost (-ENOTSUP). When
 * it returns the old CPU gets none any more. Not while somebody requests or
 * frees the pin. Thread context, interrupts on, no spinlock held. 0, -EINVAL
 * (no such pin or CPU, or nobody's), -EBUSY (it is being moved: two of those who
 * share it may try at once), -ETIMEDOUT (its handler does not end), or
 * what irq_alloc() says; on error it stays where it was.
 */
int irq_gsi_move(unsigned gsi, unsigned cpu);
/*
 * A pin that nobody can quieten: masked for all who share it, until one more
 * requests it. They still have to free it. Any context.
 */
void irq_gsi_mask(unsigned gsi);

#endif
