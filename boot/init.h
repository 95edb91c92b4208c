/* SPDX-License-Identifier: MIT */
/* boot/'s own parts: what main.c calls after the rooms are up. */
#ifndef BOOT_INIT_H
#define BOOT_INIT_H

#include "core/types.h"

struct boot_facts {
	unsigned cpus_missing;
	nsec_t first_read;		/* kernel entry to first NVMe read; 0: none */
	nsec_t ready;			/* all drivers probed */
};
extern struct boot_facts boot_facts;

/* The tour; returns false when something that should work did not. */
bool tour_run(void);
/* The monitor on the serial console, until "poweroff". */
void shell_run(void);
/* Every room's inventory as @json lines. */
void report_run(void);
/* How fast this accelerator executes ring 0, as @json. */
void probe_run(void);

#endif
