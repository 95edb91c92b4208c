/* SPDX-License-Identifier: MIT */
/* The monitor's view of ACPI: tables, and the power button. */
#include "core/acpi.h"
#include "core/acpi_event.h"
#include "core/monitor.h"

static int cmd_acpi_run(int argc, char **argv)
{
	acpi_report();
	acpi_event_report();
	return 0;
}

static const struct monitor_cmd cmd_acpi = {
	.name = "acpi",
	.args = "",
	.help = "ACPI tables: where, how long, intact or not; the power button",
	.run = cmd_acpi_run,
};
MONITOR_CMD(cmd_acpi);
