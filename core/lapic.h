/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of each CPU (Intel SDM vol. 3, chapter 10): x2APIC where
 * CPUID offers it, else by MMIO. One-shot timer by TSC deadline where offered,
 * else by its own counter.
 */
#ifndef CORE_LAPIC_H
#define CORE_LAPIC_H

#include "core/cpu.h"
#include "core/tick.h"
#include "core/types.h"

/* Once, on the boot CPU: choose the mode, map the registers. */
void lapic_init(phys_t base);
/* On every CPU: enable it, all local interrupts masked. */
void lapic_init_cpu(void);
uint32_t lapic_id(void);		/* of this CPU */
/*
 * The end of an interrupt. The hypervisor may have said in this CPU's word that
 * it needs no register write (virt/pv_eoi.c); both kinds are counted.
 */
void lapic_eoi(void);
/*
 * Of this CPU's interrupts, interrupts off: has vector been delivered and not
 * yet ended; does it wait to be delivered (once more)? Each costs a register
 * read, slow under a hypervisor.
 */
bool lapic_in_service(unsigned vector);
bool lapic_pending(unsigned vector);
bool lapic_x2(void);			/* x2APIC mode? */

/* Fixed-mode IPI to one APIC id. */
void lapic_ipi(uint32_t apic_id, unsigned vector);
/* To this CPU itself; from an NMI too: it leaves ICR's upper half alone. */
void lapic_ipi_self(unsigned vector);
void lapic_nmi(uint32_t apic_id);
void lapic_nmi_others(void);
/*
 * The hypervisor's way to several CPUs at once; false: nothing is known to have
 * arrived, send one by one. NULL: there is none. Set by virt/, at any time.
 */
extern bool (*lapic_pv_ipi)(const struct cpu_set *set, unsigned vector);
/* After IRQ_VECTOR_CALL went to set, whose answer is awaited. NULL or virt/'s. */
extern void (*lapic_pv_yield)(const struct cpu_set *set);
/* INIT, and STARTUP at the page of physical address pa (vol. 3, 9.4.4). */
void lapic_send_init(uint32_t apic_id);
void lapic_send_startup(uint32_t apic_id, phys_t pa);

/*
 * Choose the timer's mode: the best, or what tick= asks for; one that is not
 * there is named and refused. Where it counts, its frequency is measured
 * against time_now() unless hz says it.
 */
void lapic_timer_init(uint64_t hz);
void lapic_timer_init_cpu(void);
/* Interrupts off. Does nothing in periodic mode. */
void lapic_timer_arm(nsec_t deadline);
/* Its interrupt waits to be taken by this CPU. */
bool lapic_timer_pending(void);
struct tick lapic_tick(void);
const char *lapic_timer_name(void);
uint64_t lapic_timer_hz(void);		/* 0 with TSC deadline */

#endif
