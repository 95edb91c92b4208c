/* SPDX-License-Identifier: MIT */
/*
 * Starting the other CPUs by INIT and STARTUP (Intel SDM vol. 3, 8.4). A CPU
 * that does not answer within SMP_START_WAIT is named in the log and left
 * out; CPUs are numbered without gaps in the order in which they come up.
 */
#ifndef CORE_SMP_H
#define CORE_SMP_H

#include "core/acpi.h"
#include "core/percpu.h"

#define SMP_START_WAIT	NSEC_PER_SEC

/* The boot CPU's own part: GS, before anything else. */
void smp_init_boot_cpu(void);
/*
 * Start all of the MADT's CPUs up to max in all; each runs cpu_main() once it
 * is online. Returns how many did not come.
 */
unsigned smp_start(const struct acpi_madt *madt, unsigned max,
		   void (*cpu_main)(void));

#endif
