/* SPDX-License-Identifier: MIT */
/*
 * The hardware seam, part three: the processor as a driver sees it — time,
 * waiting, interrupts on and off, interrupt delivery and memory barriers.
 * core/hw_x86.c implements it on the machine, tests/host/hw_host.c on the host, where time is a
 * number that the test advances and cpu_relax() lets the fakes take a step.
 */
#ifndef CORE_CPU_H
#define CORE_CPU_H

#include "core/errno.h"
#include "core/lock.h"
#include "core/types.h"

#define CPU_MAX	256			/* CPUs that Lodger can use */

/* Nanoseconds since kernel entry: monotonic, the same on every CPU. */
nsec_t time_now(void);

/* A pause inside a bounded loop (see poll_until). */
void cpu_relax(void);

/* This CPU's index, 0 to cpu_count() - 1; stable only while pinned. */
unsigned cpu_id(void);
/* CPUs that are up. They are numbered without gaps. */
unsigned cpu_count(void);
/* The local APIC id of CPU cpu, which an interrupt message must name. */
uint32_t cpu_apic_id(unsigned cpu);

/* Bits of a physical address (CPUID 0x80000008): higher ones do not exist. */
unsigned cpu_phys_bits(void);

irqflags_t cpu_irq_save(void);
void cpu_irq_restore(irqflags_t flags);
bool cpu_irqs_on(void);

/* Send an interrupt to one CPU; the vector must be one of core/irq.h. */
void cpu_send_ipi(unsigned cpu, unsigned vector);

/* CPUs: bit n % 64 of word n / 64. */
struct cpu_set {
	uint64_t word[(CPU_MAX + 63) / 64];
};

static inline void cpu_set_add(struct cpu_set *set, unsigned cpu)
{
	set->word[cpu / 64] |= UINT64_C(1) << cpu % 64;
}

static inline bool cpu_set_has(const struct cpu_set *set, unsigned cpu)
{
	return set->word[cpu / 64] >> cpu % 64 & 1;
}

/*
 * Send the same interrupt to every CPU in set, which may be empty; at once where
 * the hypervisor helps (virt/pv_ipi.c). No interrupt is lost, but one may come
 * twice. Any context.
 */
void cpu_send_ipi_set(const struct cpu_set *set, unsigned vector);

/*
 * Arm this CPU's one-shot timer for the absolute time deadline (NSEC_NEVER:
 * disarm). A deadline in the past fires at once. Interrupts off.
 */
void cpu_timer_arm(nsec_t deadline);
/*
 * Has this CPU's timer interrupt come, and was only not taken yet? Interrupts
 * off. Slow: to tell a late interrupt from one that is lost.
 */
bool cpu_timer_pending(void);
/*
 * Program it from the ground up, as if its registers had been lost; then arm it.
 * Interrupts off.
 */
void cpu_timer_revive(void);
/*
 * Does an interrupt at vector wait for this CPU to take it (its IRR, SDM vol. 3,
 * 10.8.4)? Interrupts off. Slow.
 */
bool cpu_irq_pending(unsigned vector);
/* How late after its deadline it may come, in ns: a period, where it has one. */
nsec_t cpu_timer_period(void);
/*
 * What arms it: "tsc-deadline", "lapic-oneshot", "lapic-periodic" (which cannot
 * be disarmed), or "fake" on the host.
 */
const char *cpu_timer_name(void);

/*
 * Memory as a device sees it. x86 keeps stores in order and loads in order,
 * so these stop the compiler only; cpu_mb() also orders a store before a
 * later load (ring a doorbell, then look).
 */
#define dma_wmb()	__asm__ volatile("" ::: "memory")
#define dma_rmb()	__asm__ volatile("" ::: "memory")
#define cpu_mb()	__atomic_thread_fence(__ATOMIC_SEQ_CST)

/* A field that another CPU or a device may change at any time. */
#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))

/*
 * The only loop on a device: evaluate val = (read) until cond holds, relaxing
 * in between, at most until the absolute time deadline. Yields 0, -ETIMEDOUT,
 * or -ENODEV when the register reads all ones (the device is gone). cond is
 * looked at once more after the deadline, so that a vCPU that was not running
 * in the meantime does not report a time-out that was none.
 */
#define poll_until(val, read, cond, deadline)				\
({									\
	const nsec_t poll_end_ = (deadline);	/* evaluated once */	\
	int poll_err_;							\
	for (;;) {							\
		bool poll_late_ = time_now() >= poll_end_;		\
		(val) = (read);						\
		if ((val) == (__typeof__(val))~UINT64_C(0)) {		\
			poll_err_ = -ENODEV;				\
			break;						\
		}							\
		if (cond) {						\
			poll_err_ = 0;					\
			break;						\
		}							\
		if (poll_late_) {					\
			poll_err_ = -ETIMEDOUT;				\
			break;						\
		}							\
		cpu_relax();						\
	}								\
	poll_err_;							\
})

/* The same for memory that a device writes, where all ones means nothing. */
#define poll_mem_until(cond, deadline)					\
({									\
	unsigned poll_none_;						\
									\
	poll_until(poll_none_, 0u, cond, deadline);			\
})

#endif
