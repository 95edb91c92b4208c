/* SPDX-License-Identifier: MIT */
/*
 * Starting the other CPUs by INIT and STARTUP (Intel SDM vol. 3, 8.4); which
 * ones and what is said to them is core/smp_start.h. CPUs are numbered without
 * gaps in the order in which they arrive.
 */
#ifndef CORE_SMP_H
#define CORE_SMP_H

#include "core/acpi.h"
#include "core/percpu.h"
#include "core/smp_start.h"

/* The boot CPU's own part: GS, before anything else. */
void smp_init_boot_cpu(void);
/*
 * Start the MADT's CPUs as far as limits allow; each runs cpu_main() once it is
 * online. Every one that is not up afterwards is named in the log. Returns how
 * many should be up and are not. madt is used as long as the machine runs.
 */
unsigned smp_start(const struct acpi_madt *madt,
		   const struct smp_limits *limits, void (*cpu_main)(void));
/* No CPU may still be on its way through boot's page tables. */
bool smp_settled(void);
/*
 * One @json line: how many are up, how many are not for each reason, and how
 * many have come when nobody waited for them any more.
 */
void smp_report(void);

#endif
