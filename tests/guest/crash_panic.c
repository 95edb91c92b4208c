/* SPDX-License-Identifier: MIT */
/*
 * Panics in places where a panic is hard: with a lock held that the words
 * need, on another CPU, in interrupts and NMIs, in the middle of a panic, with
 * a console that takes nothing, beside a CPU that does not listen.
 */
#include "core/cpu.h"
#include "core/heap.h"
#include "core/lapic.h"
#include "core/log.h"
#include "core/nmi.h"
#include "core/ns16550.h"
#include "core/page.h"
#include "core/panic.h"
#include "core/percpu.h"
#include "core/x86.h"
#include "sched/sched.h"
#include "tests/guest/crash.h"
#include "virt/pv.h"

#define CRASH_PATIENCE	(20 * NSEC_PER_SEC)
#define CRASH_FLOOD	(1 << 20)	/* bytes that fill any pipe */

static struct spinlock crash_lock = SPINLOCK_INIT("crash");
static bool crash_ready;

static __attribute__((noinline)) void crash_now(void)
{
	panic("crash on purpose");
}

static void crash_now_thread(void *arg)
{
	crash_now();
}

CRASH(panic_plain, "panic in a thread")
{
	crash_now();
}

/* ---- with a lock held ---- */

/* The text is read when the lock has been taken. */
CRASH(lock_log, "fault while the log's lock is held")
{
	console_write((const char *)16, 4);
}

CRASH(lock_spin, "panic with a spinlock held")
{
	spin_lock(&crash_lock);
	crash_now();
}

CRASH(lock_pages, "free pages twice: panics with the allocator's lock held")
{
	void *p = page_alloc(3);

	page_free(p, 3);
	page_free(p, 3);
}

CRASH(lock_twice, "take a spinlock twice")
{
	spin_lock(&crash_lock);
	spin_lock(&crash_lock);
}

CRASH(lock_forever, "wait for a lock that nobody gives back: 10 s")
{
	spin_lock(&crash_lock);
	crash_lock.holder = CPU_MAX;	/* as if by one that died */
	spin_lock(&crash_lock);
}

/* ---- on another CPU ---- */

CRASH(panic_ap, "panic on the last CPU")
{
	crash_on(cpu_count() - 1, crash_now_thread, NULL);
}

/* CPU 0, which has a lock and interrupts off, is spoken to by NMI alone. */
CRASH(panic_ap_cpu0_locked, "panic on the last CPU while CPU 0 holds a lock")
{
	if (thread_create(cpu_count() - 1, crash_now_thread, NULL, "crash",
			  NULL))
		return;
	spin_lock(&crash_lock);
	poll_mem_until(false, time_now() + CRASH_PATIENCE);
}

static void crash_mask(void *arg)
{
	cpu_irq_save();
	__atomic_fetch_add((unsigned *)arg, 1, __ATOMIC_RELEASE);
	poll_mem_until(false, time_now() + CRASH_PATIENCE);
}

static void crash_masked(unsigned first)
{
	static unsigned masked;
	unsigned n = 0;

	for (unsigned cpu = first; cpu < cpu_count(); cpu++)
		n += !thread_create(cpu, crash_mask, &masked, "crash", NULL);
	if (n == cpu_count() - first &&
	    !poll_mem_until(READ_ONCE(masked) == n,
			    time_now() + CRASH_PATIENCE))
		crash_now();
}

CRASH(panic_masked, "panic while all other CPUs run with interrupts off")
{
	crash_masked(1);
}

CRASH(panic_one_masked, "panic while the last CPU runs with interrupts off")
{
	crash_masked(cpu_count() - 1);
}

static void crash_together(void *arg)
{
	poll_mem_until(READ_ONCE(crash_ready), time_now() + CRASH_PATIENCE);
	crash_now();
}

CRASH(panic_everywhere, "panic on all CPUs at once")
{
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++)
		if (thread_create(cpu, crash_together, NULL, "crash", NULL))
			return;
	thread_sleep(NSEC_PER_MSEC);
	WRITE_ONCE(crash_ready, true);
	crash_now();
}

static bool crash_sulk(struct trap_frame *f)
{
	WRITE_ONCE(crash_ready, true);
	poll_mem_until(false, time_now() + CRASH_PATIENCE);
	return true;
}

CRASH(panic_deaf, "panic while another CPU is stuck in an NMI")
{
	nmi_hook = crash_sulk;
	lapic_nmi(cpu_apic_id(cpu_count() - 1));
	poll_mem_until(READ_ONCE(crash_ready), time_now() + NSEC_PER_SEC);
	crash_now();
}

/* ---- in interrupts ---- */

CRASH(panic_irq, "panic in an interrupt")
{
	crash_in_irq(crash_now);
}

CRASH(panic_nmi, "panic in an NMI")
{
	crash_in_nmi(crash_now);
}

static __attribute__((noinline)) void crash_fault(void)
{
	volatile uint32_t *volatile p = NULL;

	(void)p[2];
}

CRASH(fault_nmi, "read through NULL in an NMI")
{
	crash_in_nmi(crash_fault);
}

/* For an NMI from outside: nmi=panic, then "nmi" in QEMU's monitor. */
CRASH(wait, "nothing: wait 20 s, for a crash from outside")
{
	console_printf("waiting\n");
	thread_sleep(CRASH_PATIENCE);
}

/* ---- in a panic ---- */

CRASH(panic_in_panic, "fault in the middle of a panic")
{
	panic_extra = crash_fault;
	crash_now();
}

static const char *crash_no_name(const struct percpu *p)
{
	crash_fault();
	return "";
}

CRASH(panic_thrice, "fault in a panic, and in that fault's panic")
{
	percpu_thread_name = crash_no_name;
	crash_now();
}

CRASH(panic_format, "fault in the formatting of the panic's message")
{
	panic("%s", (const char *)16);
}

CRASH(wild_frame, "panic with a frame pointer that points nowhere")
{
	__asm__ volatile("movq %0, %%rbp; ud2" : : "r"(UINT64_C(1) << 62));
}

CRASH(wild_stack, "fault with a stack pointer that points nowhere")
{
	__asm__ volatile("movq %0, %%rsp; pushq %%rax" : : "r"(UINT64_C(64)));
}

CRASH(wild_gs, "fault with GS overwritten")
{
	x86_wrmsr(X86_MSR_GS_BASE, 0x1000);
	crash_fault();
}

/* As under a host that pages: pv_page_fault() has to know its CPU. */
CRASH(wild_gs_paged, "fault with GS overwritten and a hook for page faults")
{
	if (!pv_apf_rehearse())
		return;
	x86_wrmsr(X86_MSR_GS_BASE, 0x1000);
	crash_fault();
}

/* ---- with a console that takes nothing ---- */

static void crash_flood(bool (*enough)(void))
{
	static const char line[] =
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n";

	for (size_t n = 0; n < CRASH_FLOOD && !enough(); n += 64)
		console_write(line, sizeof(line) - 1);
}

CRASH(console_stuck, "panic when nobody reads the console any more")
{
	crash_flood(ns16550_stuck);
	if (ns16550_stuck())
		crash_now();
}

static bool crash_never_enough(void)
{
	return false;
}

static void crash_say_much(void)
{
	crash_flood(crash_never_enough);
}

CRASH(console_slow, "panic with much to say, when the console is read slowly")
{
	panic_extra = crash_say_much;
	crash_now();
}
