/* SPDX-License-Identifier: MIT */
#include "core/tlb.h"

#include "core/bits.h"
#include "core/call.h"
#include "core/panic.h"
#include "core/percpu.h"
#include "core/x86.h"
#include "core/x86reg.h"

#define TLB_TRIES	8

struct tlb_request {
	uintptr_t va;
	size_t size;
};

bool (*tlb_pv_defer)(unsigned cpu);

/*
 * Our pages are global, so loading CR3 would keep them; a change of CR4.PGE
 * drops everything (4.10.4.1).
 */
void tlb_flush_here(void)
{
	irqflags_t flags = cpu_irq_save();
	uint64_t cr4 = x86_cr4();

	x86_load_cr4(cr4 & ~(uint64_t)X86_CR4_PGE);
	x86_load_cr4(cr4);
	cpu_irq_restore(flags);
}

/* INVLPG drops a large page too, whichever of its addresses is named. */
static void tlb_do(void *arg)
{
	const struct tlb_request *r = arg;
	struct percpu *me = this_cpu();

	if (r->size > TLB_PAGES_MAX * PAGE_SIZE) {
		me->tlb.emptied++;
		tlb_flush_here();
		return;
	}
	me->tlb.flushed++;
	for (size_t off = 0; off < r->size; off += PAGE_SIZE)
		x86_invlpg((void *)(r->va + off));
}

/* Everybody but those whom the host takes care of. */
static void tlb_targets(struct percpu *me, struct cpu_set *set)
{
	bool (*defer)(unsigned cpu) = READ_ONCE(tlb_pv_defer);

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		if (cpu != me->id && defer && defer(cpu)) {
			me->tlb.deferred++;
			continue;
		}
		cpu_set_add(set, cpu);
		me->tlb.ipis += cpu != me->id;
	}
}

/* To do it twice is no harm, and not to do it has no remedy. */
void tlb_flush(const void *va, size_t size)
{
	uintptr_t from = ALIGN_DOWN((uintptr_t)va, PAGE_SIZE);
	struct tlb_request r = {
		from, ALIGN_UP((uintptr_t)va + size, PAGE_SIZE) - from,
	};
	struct percpu *me = this_cpu();
	struct cpu_set set = { 0 };

	me->tlb.asked++;
	tlb_targets(me, &set);
	for (unsigned i = 0; call_set(&set, tlb_do, &r); i++)
		if (i == TLB_TRIES)
			panic("tlb: a CPU cannot be made to forget %lx", from);
}

void tlb_stats(unsigned cpu, struct tlb_stats *st)
{
	*st = percpu_of(cpu)->tlb;
}
