/* SPDX-License-Identifier: MIT */
/*
 * Reset of the machine by itself. There are several ways and no machine has all
 * of them, so they are tried one after the other: what the FADT names, what a
 * PC's chipset has, what a PC's keyboard controller has, and at last what no
 * processor can refuse, a triple fault.
 */
#ifndef CORE_RESET_H
#define CORE_RESET_H

#include "core/acpi.h"

enum reset_way {
	RESET_ACPI,			/* the FADT's register, ACPI 6.4, 4.8.3.6 */
	RESET_CF9,			/* ICH9 data sheet, 13.7.5 */
	RESET_KBC,			/* 8042: pulse output 0, the reset line */
	RESET_TRIPLE,
	RESET_WAYS,
};

/* Keeps what it needs of the FADT. Thread context, once. */
void reset_init(const struct acpi_fadt *fadt);
/* "acpi", "cf9", "kbc", "triple" */
const char *reset_name(enum reset_way way);

/*
 * Try one way and wait for it, 100 ms at most. Returns when it did not work:
 * -ENOTSUP (there is no such way here) or -ETIMEDOUT. Devices must have been
 * stopped: some keep their state, and their DMA, through this.
 */
int reset_by(enum reset_way way);
/* All ways from this one on. Returns when even the last one did nothing. */
void reset_from(enum reset_way way);

/* The triple fault: the seam's, as the host has no other machine to spare. */
void cpu_triple_fault(void);

#endif
