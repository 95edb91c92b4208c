/* SPDX-License-Identifier: MIT */
/*
 * Which CPUs are started, and the hand-shake with each. Pure but for the words
 * that are exchanged with the other CPU: what only the machine can do is
 * smp_prepare() here, and INIT and STARTUP in core/lapic.h.
 *
 * A CPU is STARTING until it says ARRIVED, by itself (boot/ap.S), or the starter
 * says GIVEN_UP. One compare-and-swap decides: a CPU that finds itself given up
 * has touched nothing that anyone shares, and halts for ever; one that has
 * arrived is never sent an INIT, which would strike it with locks held.
 *
 *	IDLE -> STARTING -> ARRIVED -> ONLINE
 *	            |
 *	            +----> GIVEN_UP -> PARKED
 *
 * CPUs that never come are waited for together: SMP_PATIENCE for all of them
 * (and 10 ms for each) while others are being started, then until
 * SMP_START_WAIT after the last one's STARTUP. Those that arrive and come no
 * further cost SMP_ONLINE_WAIT in all.
 */
#ifndef CORE_SMP_START_H
#define CORE_SMP_START_H

#include "core/acpi.h"
#include "core/cpu.h"

#define SMP_PATIENCE		(500 * NSEC_PER_MSEC)
#define SMP_START_WAIT		NSEC_PER_SEC
#define SMP_ONLINE_WAIT		(2 * NSEC_PER_SEC)

/*
 * The largest APIC id that the eight bits of an interrupt message can name:
 * 255 there is every CPU (Intel SDM vol. 3, 10.11.1).
 */
#define SMP_NEAR_MAX		254

enum smp_state {
	SMP_IDLE, SMP_STARTING, SMP_ARRIVED, SMP_ONLINE, SMP_GIVEN_UP,
	SMP_PARKED
};

struct percpu;

/* boot/ap.S knows the first three members: X86_AP_SLOT_*. */
struct smp_slot {
	uint32_t apic_id;
	uint32_t state;			/* atomic: enum smp_state */
	void *stack;			/* its top; NULL: nobody finds it */
	struct percpu *cpu;
	unsigned entry;			/* in the MADT */
	nsec_t started;			/* its first STARTUP */
	nsec_t waited;			/* in vain, unless it comes yet */
};

/* What becomes of an entry of the MADT. */
enum smp_fate {
	SMP_IS_BOOT, SMP_STARTS,
	/* Left out from the start: */
	SMP_NEEDS_X2APIC, SMP_NEEDS_REMAPPING, SMP_OVER_LIMIT, SMP_NO_ROOM,
	/* Tried: */
	SMP_NO_MEMORY, SMP_SILENT, SMP_STUCK,
	SMP_FATES
};

struct smp_limits {
	unsigned max;			/* CPUs in all; 0 is 1 */
	bool x2;			/* x2APIC mode: ids of 32 bits */
	/*
	 * Device interrupts reach ids above SMP_NEAR_MAX: interrupt remapping
	 * with extended interrupt mode (VT-d 5.1.4) is on.
	 */
	bool remapping;
};

struct smp_plan {
	const struct acpi_madt *madt;
	uint8_t fate[ACPI_CPUS];	/* enum smp_fate, by entry */
	bool boot_listed;
	nsec_t online_wait;		/* what is left of it */
	unsigned nslots;
	struct smp_slot slot[CPU_MAX];
};

/* madt stays where it is as long as the plan is used. */
void smp_plan_make(struct smp_plan *plan, const struct acpi_madt *madt,
		   uint32_t boot_id, const struct smp_limits *limits);
unsigned smp_plan_count(const struct smp_plan *plan, enum smp_fate fate);
/* Those that should be up and are not: left out for what they are, or tried. */
unsigned smp_plan_missing(const struct smp_plan *plan);
/*
 * The APIC ids of that fate in ascending order, as "1, 3 to 7", what does not
 * fit as "and 12 more".
 */
void smp_plan_ids(const struct smp_plan *plan, enum smp_fate fate, char *buf,
		  size_t size);
/* A line for each fate but the good ones, and one @json line. */
void smp_plan_log(const struct smp_plan *plan);
void smp_plan_report(const struct smp_plan *plan);

/*
 * Start them all, on the boot CPU. Each is STARTING from before its first
 * STARTUP; when this returns, each is ONLINE, GIVEN_UP (and has had an INIT)
 * or, stuck or without memory, what it was.
 */
void smp_plan_run(struct smp_plan *plan);

/* The other CPU's last word; its first one is in boot/ap.S. */
void smp_say_online(struct smp_slot *slot);
/* The starter's side: false: it has arrived. */
bool smp_give_up(struct smp_slot *slot);
enum smp_state smp_state(const struct smp_slot *slot);

/*
 * core/smp.c, or the test's fake: what the CPU of slot needs, its stack last.
 * It may have given it up. 0 or -ENOMEM.
 */
int smp_prepare(struct smp_slot *slot);

#endif
