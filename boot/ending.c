/* SPDX-License-Identifier: MIT */
/*
 * How this machine ends before it has done all that run= says. The power button
 * (virsh shutdown, ACPI's S5 asked for by the host) is a request: whoever runs
 * looks at ending_asked() where it can stop, which is between two tests, two
 * steps of the tour, two commands. What then remains is named as not run, and
 * that boot does not pass; a monitor at its prompt and run=wait have nothing left
 * to do, so for them it is a good end. The devices are stopped first, so that
 * neither a reset nor the next kernel meets DMA of ours.
 */
#include "boot/init.h"
#include "core/acpi_event.h"
#include "core/device.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/monitor.h"
#include "core/reset.h"
#include "core/string.h"
#include "viommu/viommu.h"

struct waitq ending_waitq = WAITQ_INIT(ending_waitq);

static void ending_heard(void)
{
	waitq_wake_all(&ending_waitq);
}

void ending_init(const struct acpi_fadt *fadt)
{
	acpi_button_listen(ending_heard);
	acpi_event_init(fadt);
	reset_init(fadt);
}

bool ending_asked(void)
{
	return acpi_button_presses() != 0;
}

bool ending_wait(void)
{
	if (!acpi_button_there()) {
		log_err("lodger", "run=wait: no power button could end it");
		return false;
	}
	log_info("lodger", "waiting for the power button");
	return !wait_until(&ending_waitq, ending_asked(), NSEC_NEVER);
}

void ending_stop(void)
{
	driver_stop_all();
	iommu_stop();
	acpi_event_stop();
}

/* One way only if it is named, else one after the other. */
static int ending_cmd_reboot(int argc, char **argv)
{
	unsigned way = 0;

	while (argc > 1 && way < RESET_WAYS && strcmp(argv[1], reset_name(way)))
		way++;
	if (way == RESET_WAYS)
		return -EINVAL;
	ending_stop();
	if (argc > 1)
		return reset_by(way);
	reset_from(way);
	return -ENOTSUP;
}

static const struct monitor_cmd ending_reboot = {
	"reboot", "[acpi|cf9|kbc|triple]", "reset the machine, in any or this way",
	ending_cmd_reboot };
MONITOR_CMD(ending_reboot);
