/* SPDX-License-Identifier: MIT */
/*
 * The oracle: what this hypervisor says that it is, what the kernel made of
 * it, and where the two do not fit. docs/oracle.md has the format.
 *
 *	oracle_x86.c		reads every CPU: CPUID, control registers, MSRs
 *	oracle_cpuid.c		which leaves there are; how CPUs differ
 *	oracle_features.c	one row a feature: offered, state, why
 *	oracle_checks.c		verdicts on the host
 *	oracle.c		the table for a person, the lines for a program
 *
 * All but the first is pure: struct oracle in, rows out.
 */
#ifndef VIRT_ORACLE_H
#define VIRT_ORACLE_H

#include "core/clock.h"
#include "core/types.h"
#include "core/vm.h"
#include "virt/hyper.h"

/* ---- CPUID ---- */

enum oracle_reg { ORACLE_EAX, ORACLE_EBX, ORACLE_ECX, ORACLE_EDX };
const char *oracle_reg_name(enum oracle_reg r);		/* "eax" */

struct oracle_leaf {
	uint32_t leaf, sub;
	uint32_t reg[4];		/* by enum oracle_reg */
};

/* Some hypervisor's leaves. */
struct oracle_base {
	uint32_t base, max;		/* max: as its EAX says, true or not */
	char letters[13];
};

#define ORACLE_LEAVES	160
#define ORACLE_BASES	4

struct oracle_cpuid {
	struct oracle_leaf leaf[ORACLE_LEAVES];
	unsigned n;
	bool cut;			/* there were more */
	struct oracle_base base[ORACLE_BASES];
	unsigned bases;
};

typedef struct hyper_cpuid (*oracle_cpuid_fn)(uint32_t leaf, uint32_t sub);

/*
 * Read all the leaves we know of, as far as the highest of each range allows.
 * A leaf of zeroes is left out, but for the first of a range. Bounded whatever
 * the leaves say. Any context.
 */
void oracle_read(struct oracle_cpuid *c, oracle_cpuid_fn cpuid);
/* NULL: not there. */
const struct oracle_leaf *oracle_find(const struct oracle_cpuid *c,
				      uint32_t leaf, uint32_t sub);
/* One register of it; 0: not there. */
uint32_t oracle_word(const struct oracle_cpuid *c, uint32_t leaf, uint32_t sub,
		     enum oracle_reg r);
/* Whose letters these are, or NULL. */
const struct oracle_base *oracle_base(const struct oracle_cpuid *c,
				      const char *letters);

/* A register of a leaf that this CPU gives differently from the boot CPU. */
struct oracle_diff {
	unsigned cpu;
	uint32_t leaf, sub;
	enum oracle_reg reg;
	uint32_t boot, here;
};
#define ORACLE_DIFFS	16
struct oracle_diffs {
	struct oracle_diff diff[ORACLE_DIFFS];
	unsigned n;			/* may be more than are kept */
};
/*
 * The boot CPU's leaves, read once more on cpu, whose cpuid this is. Fields that
 * name the CPU (APIC ids and the like) may differ.
 */
void oracle_compare(const struct oracle_cpuid *boot, unsigned cpu,
		    oracle_cpuid_fn cpuid, struct oracle_diffs *d);

/* ---- what the kernel does ---- */

struct oracle_msr {
	bool tried, answers;		/* no #GP */
	uint64_t val;
};

struct oracle_facts {
	unsigned cpus, read;		/* read: those that answered */
	/* set in all CPUs; in any: */
	uint64_t cr4_all, cr4_any, efer_all, efer_any;
	uint64_t apic_base_all;
	/* CPUs whose CPUID names another APIC than they have; one of them */
	unsigned ids_wrong, wrong_cpu;
	uint32_t wrong_says, wrong_is;
	bool x2apic;			/* the kernel uses it */
	bool deadline;			/* the timer is armed by it */
	const char *timer;		/* lapic_timer_name() */
	uint64_t timer_irqs;		/* all CPUs */
	bool tsc_counts, invariant;
	const char *clock;		/* clock_source() */
	unsigned skewed;		/* CPUs whose TSC had to be corrected */
	struct clock_witness witness[CLOCK_WITNESSES];
	unsigned witnesses;
	struct oracle_msr msr_deadline, msr_pat, msr_mtrrcap, msr_tsc_adjust;
	struct vm_audit vm;
};

struct oracle {
	struct oracle_cpuid cpuid;
	struct oracle_diffs diffs;
	struct oracle_facts facts;
};

/* ---- what follows from it ---- */

enum oracle_state {
	ORACLE_ABSENT,			/* the host does not offer it */
	ORACLE_UNUSED,			/* this kernel has no use for it */
	ORACLE_OFF,			/* it has, but does without this time */
	ORACLE_ON,			/* switched on */
	ORACLE_USED,			/* and seen at work */
	ORACLE_BROKEN,			/* tried, and not as promised */
	ORACLE_STATES
};
const char *oracle_state_name(enum oracle_state s);

#define ORACLE_TEXT	112

struct oracle_feature {
	char name[32], where[32];	/* where: "7.ebx.20" (leaf in hex) */
	bool offered;
	bool proven;			/* more than CPUID was looked at: */
	char check[ORACLE_TEXT];	/* … this */
	enum oracle_state state;
	char why[ORACLE_TEXT];		/* "" when on or used */
	bool counted;
	uint64_t count;
};
/* Each feature once, the same ones in the same order on any host. */
void oracle_features(const struct oracle *o,
		     void (*emit)(void *ctx, const struct oracle_feature *f),
		     void *ctx);

enum oracle_verdict { ORACLE_OK, ORACLE_ODD, ORACLE_BAD, ORACLE_VERDICTS };
const char *oracle_verdict_name(enum oracle_verdict v);	/* "ok" … "broken" */

/* Odd: against the specification, but one can live with it. */
struct oracle_check {
	const char *name;
	enum oracle_verdict verdict;
	char why[160];			/* what was compared, and how it came out */
};
/* A check that does not apply to this host is not emitted. */
void oracle_checks(const struct oracle *o,
		   void (*emit)(void *ctx, const struct oracle_check *c),
		   void *ctx);

/* ---- output ---- */

void oracle_print(const struct oracle *o);		/* up to 100 columns */
void oracle_print_cpuid(const struct oracle *o);	/* raw */
void oracle_json(const struct oracle *o);		/* @json "oracle" lines */

/* ---- the machine's half (oracle_x86.c) ---- */

/*
 * Look at every CPU. What it returns is good until the next call; thread
 * context, one caller at a time. Takes up to 0.3 s for the counters that the
 * clock is compared with, and longer where the host emulates ring 0.
 */
const struct oracle *oracle_look(void);
/* Look, then print both. */
void oracle_report(void);

#endif
