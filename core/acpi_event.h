/* SPDX-License-Identifier: MIT */
/*
 * The fixed events of ACPI (ACPI 6.4, 4.8.3.1), of which there is one for us:
 * somebody pressed the power button. It asks; nothing ends by itself. Whoever
 * runs looks at acpi_button_presses() where it can stop, and boot/ ends the
 * machine in order.
 *
 * The registers' bits are edges kept until they are cleared; the SCI is a level,
 * as long as an enabled one is set.
 */
#ifndef CORE_ACPI_EVENT_H
#define CORE_ACPI_EVENT_H

#include "core/acpi.h"

/*
 * Switches the machine to ACPI mode if it is not (4.8.2.5; at most 1 s),
 * disables every other source of the SCI, forgets presses from before, and
 * listens on CPU 0. Thread context, once, after ioapic_init(). 0, -ENOTSUP (no
 * fixed power button), -ENODEV (nobody answers at its ports), -ETIMEDOUT, or what
 * irq_gsi_request() says; then there is no button.
 */
int acpi_event_init(const struct acpi_fadt *fadt);
/* Disables the button and gives the SCI back. Without a start: nothing. */
void acpi_event_stop(void);

bool acpi_button_there(void);
/* How often it was pressed since the start. Any context. */
unsigned acpi_button_presses(void);
/* Call heard, in interrupt context on CPU 0, after each press. NULL: nobody. */
void acpi_button_listen(void (*heard)(void));

/*
 * SCIs without an event of ours. After so many in a row the pin is masked, and
 * the button is dead: a warning says so.
 */
#define ACPI_SCI_STORM	1000
uint64_t acpi_sci_spurious(void);
/* For a person, and one @json line "acpi_events". */
void acpi_event_report(void);

#endif
