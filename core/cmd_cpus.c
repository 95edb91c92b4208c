/* SPDX-License-Identifier: MIT */
/* The monitor's view of the CPUs. */
#include "core/monitor.h"
#include "core/smp.h"
#include "core/topology.h"

static int cmd_cpus_run(int argc, char **argv)
{
	topology_report();
	smp_report();
	return 0;
}

static const struct monitor_cmd cmd_cpus = {
	.name = "cpus",
	.args = "",
	.help = "CPUs: packages, dies, cores, threads, nodes",
	.run = cmd_cpus_run,
};
MONITOR_CMD(cmd_cpus);
