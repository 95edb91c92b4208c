/* SPDX-License-Identifier: MIT */
/* The monitor on the serial console: characters wake the thread that waits. */
#include "boot/init.h"
#include "core/log.h"
#include "core/monitor.h"
#include "core/ns16550.h"
#include "sched/sched.h"

static void shell_rx(void)
{
	waitq_wake_all(&ending_waitq);
}

/* The power button ends the session: -1. */
static bool shell_next(int *c)
{
	*c = ending_asked() ? -1 : ns16550_getc();
	return *c >= 0 || ending_asked();
}

static int shell_getc(void)
{
	int c;

	wait_until(&ending_waitq, shell_next(&c), NSEC_NEVER);
	return c;
}

void shell_run(void)
{
	if (ns16550_listen(shell_rx)) {
		log_warn("shell", "the console cannot interrupt: no prompt");
		return;
	}
	console_printf("\nLodger's monitor; \"help\" lists the commands.\n");
	monitor_loop(shell_getc);
}
