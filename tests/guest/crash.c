/* SPDX-License-Identifier: MIT */
/* The monitor's "crash", and the contexts that crashes happen in. */
#include "tests/guest/crash.h"

#include "core/cpu.h"
#include "core/errno.h"
#include "core/irq.h"
#include "core/lapic.h"
#include "core/log.h"
#include "core/monitor.h"
#include "core/nmi.h"
#include "core/panic.h"
#include "core/string.h"
#include "sched/sched.h"

#define CRASH_WAIT	NSEC_PER_SEC

SET_DECLARE(crash, struct crash);

static void (*crash_fn)(void);
static bool crash_over;

void crash_on(unsigned cpu, void (*fn)(void *arg), void *arg)
{
	struct thread *th;

	if (thread_create(cpu, fn, arg, "crash", &th))
		log_err("crash", "no thread on CPU %u", cpu);
	else
		thread_join(th);
}

static void crash_irq(void *arg)
{
	crash_fn();
	crash_over = true;
}

void crash_in_irq(void (*fn)(void))
{
	int vector = irq_alloc(cpu_id(), crash_irq, NULL, "crash");

	if (vector < 0)
		return;
	crash_fn = fn;
	crash_over = false;
	cpu_send_ipi(cpu_id(), (unsigned)vector);
	poll_mem_until(READ_ONCE(crash_over), time_now() + CRASH_WAIT);
	irq_free(cpu_id(), (unsigned)vector);
}

static bool crash_nmi_hook(struct trap_frame *f)
{
	nmi_hook = NULL;
	crash_fn();
	crash_over = true;
	return true;
}

void crash_in_nmi(void (*fn)(void))
{
	crash_fn = fn;
	crash_over = false;
	nmi_hook = crash_nmi_hook;
	lapic_nmi(cpu_apic_id(cpu_id()));
	poll_mem_until(READ_ONCE(crash_over), time_now() + CRASH_WAIT);
	nmi_hook = NULL;
}

static int crash_list(void)
{
	SET_FOREACH(c, crash)
		console_printf("  %-24s %s\n", (*c)->name, (*c)->help);
	return 0;
}

static int crash_cmd_run(int argc, char **argv)
{
	if (argc < 2)
		return crash_list();
	SET_FOREACH(c, crash) {
		if (strcmp((*c)->name, argv[1]))
			continue;
		(*c)->run();
		log_err("crash", "%s: survived", argv[1]);
		return -EIO;
	}
	log_err("crash", "no crash is called %s", argv[1]);
	return -ENOENT;
}

static const struct monitor_cmd crash_cmd = {
	.name = "crash", .args = "[NAME]",
	.help = "crash in that way, or list the ways", .run = crash_cmd_run,
};
MONITOR_CMD(crash_cmd);
