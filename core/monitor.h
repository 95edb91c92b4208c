/* SPDX-License-Identifier: MIT */
/*
 * The monitor: a prompt on the serial console. Commands are a linker set; they
 * run in the monitor's thread and may sleep.
 */
#ifndef CORE_MONITOR_H
#define CORE_MONITOR_H

#include "core/set.h"
#include "core/types.h"

#define MONITOR_ARGS	16

struct monitor_cmd {
	const char *name, *args, *help;
	/* argv[0] is the name. 0, or -errno, which the monitor prints. */
	int (*run)(int argc, char **argv);
};
#define MONITOR_CMD(sym)	SET_ENTRY(monitor_cmd, struct monitor_cmd, sym)

/* Read and run lines until "poweroff"; getc blocks, -1 ends the session. */
void monitor_loop(int (*getc)(void));
/* Run one line (modified in place). 0, -errno; -ENOENT: no such command. */
int monitor_exec(char *line);

#endif
