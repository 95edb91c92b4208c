/* SPDX-License-Identifier: MIT */
/* Power-off by ACPI's S5 (ACPI 6.4, 4.8.3.2 and 7.4.2.6), for machine_end(). */
#ifndef CORE_ACPI_POWER_H
#define CORE_ACPI_POWER_H

#include "core/acpi.h"

/* Registers the hook; false (and a log line) when \_S5 cannot be found. */
bool acpi_power_init(const struct acpi_fadt *fadt);

#endif
