/* SPDX-License-Identifier: MIT */
/*
 * I/O APICs (Intel 82093AA data sheet): route global system interrupts to
 * CPUs. Pins start masked. irq_gsi_request() of core/irq.h is implemented
 * here; a level-triggered pin may have several handlers.
 */
#ifndef CORE_IOAPIC_H
#define CORE_IOAPIC_H

#include "core/acpi.h"

/* Map every I/O APIC of the MADT and mask its pins; the 8259s are quietened. */
void ioapic_init(const struct acpi_madt *madt);
unsigned ioapic_pins(void);

#endif
