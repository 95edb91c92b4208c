/* SPDX-License-Identifier: MIT */
/*
 * The inventory: every room's @json lines, on request (run=report, or the
 * monitor's report), because a person at the console would drown in them.
 */
#include "blk/blk.h"
#include "boot/init.h"
#include "core/acpi.h"
#include "core/acpi_event.h"
#include "core/clock.h"
#include "core/monitor.h"
#include "core/numa.h"
#include "core/pci.h"
#include "core/report.h"
#include "core/smp.h"
#include "core/topology.h"
#include "core/wall.h"
#include "msi/msi.h"
#include "sched/sched.h"
#include "viommu/viommu.h"
#include "virt/hyper.h"
#include "virt/oracle.h"
#include "virt/pv.h"

void report_run(void)
{
	hyper_report();
	pv_report();
	oracle_report();
	acpi_report();
	acpi_event_report();
	clock_report();
	wall_report();
	numa_report();
	topology_report();
	smp_report();
	pci_report();
	iommu_report();
	irq_report();
	sched_report();
	disk_report();
}

static int report_cmd(int argc, char **argv)
{
	bool quiet = json_quiet;

	json_quiet = false;
	report_run();
	json_quiet = quiet;
	return 0;
}

static const struct monitor_cmd cmd_report = {
	"report", "", "everything that was found, as @json lines", report_cmd };
MONITOR_CMD(cmd_report);
