/* SPDX-License-Identifier: MIT */
/*
 * Translations that CPUs remember (Intel SDM vol. 3, 4.10). A change of the
 * page tables is seen by all only after tlb_flush(); clear the entries first.
 *
 * Thread context, interrupts on, no spinlock held (see core/call.h), but while
 * only one CPU is up: any.
 */
#ifndef CORE_TLB_H
#define CORE_TLB_H

#include "core/types.h"

/* More pages than this, and all of a TLB is emptied instead. */
#define TLB_PAGES_MAX	32

/*
 * When it returns no CPU holds a translation of any address in
 * [va, va + size), small or large.
 */
void tlb_flush(const void *va, size_t size);
/* This CPU's TLB, all of it, global pages too. Any context. */
void tlb_flush_here(void);

/*
 * The hypervisor's help: true when it will empty the TLB of cpu before cpu runs
 * again, so that no IPI is needed. NULL: none. Set by virt/, at any time.
 */
extern bool (*tlb_pv_defer)(unsigned cpu);

struct tlb_stats {
	uint64_t asked;			/* flushes this CPU asked for */
	uint64_t ipis;			/* other CPUs it had to interrupt */
	uint64_t deferred;		/* those that the host flushed for it */
	uint64_t flushed, emptied;	/* what this CPU did: pages, all of it */
};
void tlb_stats(unsigned cpu, struct tlb_stats *st);

#endif
