/* SPDX-License-Identifier: MIT */
/* boot/'s own parts: what main.c calls after the rooms are up. */
#ifndef BOOT_INIT_H
#define BOOT_INIT_H

#include "core/acpi.h"
#include "sched/sched.h"

struct boot_facts {
	unsigned cpus_missing;
	nsec_t first_read;		/* kernel entry to first NVMe read; 0: none */
	nsec_t ready;			/* all drivers probed */
};
extern struct boot_facts boot_facts;

/* The tour; returns false when something that should work did not. */
bool tour_run(void);
/*
 * The orderly end. ending_init() listens to the power button and keeps the ways
 * to reset; from then on ending_asked() is true as soon as the button was
 * pressed, and what blocks on ending_waitq is woken.
 */
extern struct waitq ending_waitq;
void ending_init(const struct acpi_fadt *fadt);
bool ending_asked(void);
/* run=wait: nothing, until the button. False: there is none. */
bool ending_wait(void);
/* No DMA and no interrupt from here on. */
void ending_stop(void);

/* The monitor on the serial console, until "poweroff" or the power button. */
void shell_run(void);
/* Every room's inventory as @json lines. */
void report_run(void);
/* How fast this accelerator executes ring 0, as @json. */
void probe_run(void);

#endif
