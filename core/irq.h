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

#include "core/types.h"

#define IRQ_VECTOR_FIRST	0x30	/* the first that irq_alloc hands out */
#define IRQ_VECTOR_LAST		0xef
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
/*
 * Give back. The caller has made sure that nothing can send it any more. Waits
 * for a handler that runs on another CPU, so hold no lock that it takes.
 */
void irq_free(unsigned cpu, unsigned vector);
/* A system vector (IRQ_VECTOR_TIMER and up), the same on every CPU. */
void irq_set_system(unsigned vector, irq_fn *fn, const char *name);

/* Count and run the owner of vector on this CPU; unowned ones are counted. */
void irq_dispatch(unsigned vector);

uint64_t irq_count(unsigned cpu, unsigned vector);
uint64_t irq_unowned_count(unsigned cpu);
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
/*
 * A pin that nobody can quieten: masked for all who share it, until one more
 * requests it. They still have to free it. Any context.
 */
void irq_gsi_mask(unsigned gsi);

#endif
