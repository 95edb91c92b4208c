/* SPDX-License-Identifier: MIT */
/* The monitor's view of the nodes. */
#include "core/monitor.h"
#include "core/numa.h"

static int cmd_numa_run(int argc, char **argv)
{
	numa_report();
	return 0;
}

static const struct monitor_cmd cmd_numa = {
	.name = "numa",
	.args = "",
	.help = "nodes: CPUs, memory, distances",
	.run = cmd_numa_run,
};
MONITOR_CMD(cmd_numa);
