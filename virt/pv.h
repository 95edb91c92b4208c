/* SPDX-License-Identifier: MIT */
/*
 * Paravirtualisation: what KVM offers a guest, which of it is used, and how that
 * went. One feature, one file (virt/pv_*.c and kvmclock.c); this is where
 * they meet: pv= on the command line, CPUID's bits and hints, and the report.
 *
 * A bit of CPUID is an offer, not a proof. A feature whose register write
 * faults or whose call is answered wrongly is broken from then on, with the
 * reason, and the kernel does without it.
 */
#ifndef VIRT_PV_H
#define VIRT_PV_H

#include "core/cpu.h"
#include "core/types.h"
#include "virt/pvreg.h"

enum pv_feature {
	PV_KVMCLOCK,
	PV_STEAL,
	PV_EOI,
	PV_TLB,				/* needs steal time's memory */
	PV_HYPERCALLS,			/* no feature: what the next two need */
	PV_IPI,
	PV_YIELD,
	PV_APF,
	PV_HALTPOLL,
	PV_FEATURES
};

enum pv_want { PV_AUTO, PV_WANT_ON, PV_WANT_OFF };
/* Used is on with a count; see pv_state_name(). */
enum pv_state { PV_ABSENT, PV_OFF, PV_ON, PV_BROKEN };

struct pv_status {
	/* set once at start, except that on may become broken: */
	enum pv_want want;
	enum pv_state state;
	char why[96];			/* of each state but on */
	/* atomic: */
	uint64_t count;			/* how often it helped */
};
extern struct pv_status pv_status[PV_FEATURES];

/*
 * Read pv='s value, NULL: there is none. Words, from left to right:
 *	all		as without pv=: what is offered and of use
 *	off		nothing
 *	NAME		only this one and others named so
 *	NAME:on|off|auto
 * Each word that is none of these is logged, with the known names, and
 * ignored. Returns how many.
 */
unsigned pv_parse(const char *text);
/* CPUID's words: decide on every feature. cheap: an instruction costs ns. */
void pv_decide(bool kvm, uint32_t features, uint32_t hints, bool cheap);

const char *pv_name(enum pv_feature f);
/* "absent", "off", "on", "used" or "broken". */
const char *pv_state_name(enum pv_feature f);
/* The CPUID bit that offers it (-1: none of its own). */
int pv_bit(enum pv_feature f);
/* The feature without which it is of no use; itself: none. */
enum pv_feature pv_needs(enum pv_feature f);
static inline bool pv_on(enum pv_feature f)
{
	return READ_ONCE(pv_status[f].state) == PV_ON;
}
/* Switched while it runs, unless it is absent or broken; see pv_switch(). */
void pv_allow(enum pv_feature f, bool on);
/* It helped once more. */
void pv_count(enum pv_feature f);
/* Bring up to date the counts that are kept where the help is given. */
void pv_refresh(void);
/* It does not do what it should: from now on without it. Logged once. */
void pv_break(enum pv_feature f, const char *fmt, ...) __printf(2, 3);
/* A line of text, and one @json line, for each feature. */
void pv_report(void);

/* ---- the machine's half (virt/pv_x86.c; in tests the fake hypervisor) ---- */

/* Write this CPU's register; false: it faulted. */
bool pv_arch_wrmsr(uint32_t msr, uint64_t val);

enum pv_insn { PV_VMCALL, PV_VMMCALL };
enum pv_answer {
	PV_ANSWERED,
	PV_FAULTED,			/* an exception */
	PV_PATCHED,			/* #PF: the host wanted to write our text */
	PV_STUCK,			/* it did not end: taken out by a timer */
};
/*
 * A hypercall. watched: interrupts on, may take milliseconds, and cannot hang.
 * *ret is set when the answer is PV_ANSWERED.
 */
enum pv_answer pv_arch_hypercall(enum pv_insn insn, uint64_t nr,
				 const uint64_t arg[4], bool watched,
				 int64_t *ret);
bool pv_arch_is_amd(void);
/*
 * Interrupts off; wait for one, also one that waits already, and take it:
 * returns with interrupts on.
 */
void pv_arch_halt(void);
/* EOIs that needed no register write, and others, of all CPUs. */
uint64_t pv_arch_eois(bool skipped);
/* How often an idle CPU found work by polling, of all CPUs. */
uint64_t pv_arch_polled(void);

/* ---- pv_hypercall.c ---- */

/*
 * Find out, once, whether hypercalls are answered, and by which instruction:
 * number KVM_HC_NONE must give -KVM_ENOSYS. Else PV_HYPERCALLS and what needs
 * it are broken. Thread context.
 */
void pv_hypercall_probe(void);
/* The answer, or -KVM_ENOSYS when there is none. Any context. */
int64_t pv_hypercall(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2,
		     uint64_t a3);
/* The same, and cannot hang: for the first call of a kind. Thread context. */
int64_t pv_hypercall_watched(uint64_t nr, uint64_t a0, uint64_t a1,
			     uint64_t a2, uint64_t a3);

/* ---- pv_steal.c ---- */

/* On CPU cpu itself: page is its memory for good. 0, -EIO (broken). */
int pv_steal_enable(unsigned cpu, struct pv_steal_page *page);
void pv_steal_disable(unsigned cpu);
/* ns stolen from cpu since it registered; 0 when unknown. Any context. */
uint64_t pv_steal_ns(unsigned cpu);
/* Does the host say that cpu does not run (it sleeps, or was preempted)? */
bool pv_steal_preempted(unsigned cpu);
struct pv_steal_page *pv_steal_of(unsigned cpu);	/* NULL: not enabled */
/*
 * For tests: from now on page, which no host writes to, is that of cpu, or none
 * with NULL. Returns what it was before, to be given back.
 */
struct pv_steal_page *pv_steal_rehearse(unsigned cpu,
					struct pv_steal_page *page);
/* Pure: false when the page never stood still (bounded tries). */
bool pv_steal_sample(const struct pv_steal_page *page, uint64_t *ns);

/* ---- pv_eoi.c ---- */

/* On the CPU whose word it is (4-byte aligned). 0, -EIO (broken). */
int pv_eoi_enable(uint32_t *word);
void pv_eoi_disable(uint32_t *word);

/* ---- pv_tlb.c ---- */

/* core/tlb.h's question: will the host flush cpu's TLB before it runs on? */
bool pv_tlb_defer(unsigned cpu);

/* ---- pv_ipi.c ---- */

/* Prove the call with nobody as its target; false: broken. Thread context. */
bool pv_ipi_probe(void);
/* core/lapic.h's lapic_pv_ipi. */
bool pv_ipi_send(const struct cpu_set *set, unsigned vector);

/* ---- pv_yield.c ---- */

bool pv_yield_probe(void);
/* core/lapic.h's lapic_pv_yield: to the first of set that does not run. */
void pv_yield_to(const struct cpu_set *set);

/* ---- pv_apf.c ---- */

/* On this CPU; page is its memory for good. 0, -EIO (broken). */
int pv_apf_enable(struct pv_apf_page *page, unsigned vector);
void pv_apf_disable(void);
/*
 * Is this #PF the host's "page not present"? Then *token names it, and the
 * page is free for the next one.
 */
bool pv_apf_claim(struct pv_apf_page *page, uint64_t cr2, uint32_t *token);
/*
 * Wait until the page with this token is there, a bounded time: the
 * instruction that faulted is simply run again. Interrupts on; may_block
 * false: the CPU halts instead.
 */
void pv_apf_wait(uint32_t token, bool may_block);
/* The "page ready" interrupt. */
void pv_apf_ready(struct pv_apf_page *page);
uint64_t pv_apf_late(void);		/* waits that ended by time-out */

/* ---- pv_poll.c ---- */

/* Tell this CPU's host to poll before it sleeps, or not. 0, -EIO (broken). */
int pv_poll_host(bool on);
/* Pure: how long to poll next, after this CPU was idle for that long. */
nsec_t pv_poll_adapt(nsec_t limit, nsec_t idle);

/* ---- pv_x86.c: start-up, and switching while it runs ---- */

/* On each CPU, the boot CPU first; interrupts on or off. */
void pv_init_cpu(void);
/* When all CPUs are up: prove the hypercalls, set the hooks. Boot CPU. */
void pv_start(void);
/*
 * Use a feature or not, on every CPU, from when it returns. 0; -ENOTSUP: it is
 * absent, broken, cannot be switched, or what it needs is not on; -EIO: it
 * turned out to be broken; -ENOMEM. Thread context, one caller at a time.
 */
int pv_switch(enum pv_feature f, bool on);
/*
 * For tests: this CPU's page, used from now on, where the host offers nothing
 * too. NULL: out of memory.
 */
struct pv_apf_page *pv_apf_rehearse(void);
/* The watched call on a loop without end; true: it was got out of. */
bool pv_watch_selftest(void);

#endif
