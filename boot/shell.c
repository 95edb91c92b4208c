/* SPDX-License-Identifier: MIT */
/* The monitor on the serial console: characters wake the thread that waits. */
#include "boot/init.h"
#include "core/log.h"
#include "core/monitor.h"
#include "core/ns16550.h"
#include "sched/sched.h"

static struct waitq shell_waitq;

static void shell_rx(void)
{
	waitq_wake_all(&shell_waitq);
}

static int shell_getc(void)
{
	int c;

	wait_until(&shell_waitq, (c = ns16550_getc()) >= 0, NSEC_NEVER);
	return c;
}

void shell_run(void)
{
	waitq_init(&shell_waitq);
	if (ns16550_listen(shell_rx)) {
		log_warn("shell", "the console cannot interrupt: no prompt");
		return;
	}
	console_printf("\nLodger's monitor; \"help\" lists the commands.\n");
	monitor_loop(shell_getc);
}
