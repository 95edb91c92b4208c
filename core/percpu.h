/* SPDX-License-Identifier: MIT */
/*
 * What each CPU keeps for itself, reached through GS. Fields are touched by
 * their own CPU with interrupts off, unless they say otherwise.
 */
#ifndef CORE_PERCPU_H
#define CORE_PERCPU_H

#include "core/call.h"
#include "core/cpu.h"
#include "core/tlb.h"
#include "core/types.h"

/* Where an NMI struck: core/nmi.c. */
struct nmi_shot {
	uintptr_t rip[14];
	unsigned n, in_irq;
	bool waits;			/* to be printed by an interrupt */
	nsec_t next;			/* no report before that */
};

struct percpu {
	struct percpu *self;		/* at offset 0: how GS finds us */
	unsigned id;
	uint32_t apic_id;
	void *current;			/* sched/'s running thread */
	unsigned preempt_off;		/* > 0: do not switch threads */
	unsigned in_irq;		/* nesting depth of interrupts */
	int64_t tsc_offset;		/* to CPU 0's; set before it runs */
	bool need_resched;		/* any CPU may set it */
	bool online;			/* any CPU may read it */
	struct call_cpu call;
	struct tlb_stats tlb;
	uint32_t pv_eoi;		/* bit 0 is the host's: see lapic_eoi() */
	uint64_t eoi_skipped, eoi_written;	/* any CPU may read them */
	uint64_t nmis;
	unsigned in_nmi;
	struct nmi_shot shot;
	bool stopped;			/* by a panic; any CPU may read it */
	bool deaf;			/* the panicking CPU's: took no NMI */
	uintptr_t stopped_at;
	void *tables;			/* GDT, TSS and IST stacks of core/trap.c */
};

static inline struct percpu *this_cpu(void)
{
	struct percpu *p;

	__asm__ volatile("movq %%gs:0, %0" : "=r"(p));
	return p;
}

struct percpu *percpu_of(unsigned cpu);

/* The name of the thread that p runs; never NULL. For the last words. */
const char *percpu_name(const struct percpu *p);
extern const char *(*percpu_thread_name)(const struct percpu *p);
/* This CPU goes no further than rip: a panic need not wait for it. */
void percpu_stopped(uintptr_t rip);
/* Does GS point to a struct percpu? Asks without using it: any context. */
bool percpu_is_known(void);
/*
 * Is GS this CPU's? If something has overwritten it, put it right: a panic
 * that cannot say which CPU it is on would never end.
 */
void percpu_rescue(void);

/*
 * Called at the end of every interrupt after its EOI, interrupts off, on the
 * interrupted thread's stack; may switch threads. Set by sched/.
 */
extern void (*percpu_irq_exit)(void);

#endif
