/* SPDX-License-Identifier: MIT */
/*
 * Devices that must not use what they say they have: by a table of known ones
 * and by the command line's irq.quirk=. Pure; any context.
 */
#ifndef MSI_QUIRK_H
#define MSI_QUIRK_H

#include "core/bits.h"
#include "core/pci.h"
#include "core/types.h"

#define QUIRK_TEXT	48

/* Ways to interrupt. */
#define IRQ_MSIX	BIT(0)
#define IRQ_MSI		BIT(1)
#define IRQ_INTX	BIT(2)
#define IRQ_ANY		(IRQ_MSIX | IRQ_MSI | IRQ_INTX)

struct quirk {
	uint16_t vendor, device;
	uint32_t sub;			/* subvendor << 16 | subdevice; 0: any */
	unsigned never;			/* IRQ_…: not to be used */
	unsigned max;			/* vectors; 0: as many as it has */
	char why[QUIRK_TEXT];		/* who says so */
};

/*
 * What holds for p, all that match together: never is their sum, max the
 * least, why the first one's. "" when nothing matches. What is wrong in
 * irq.quirk= is named in the log, once, and the rest of it holds.
 */
void quirk_of(const struct pci_dev *p, struct quirk *out);

/*
 * One of irq.quirk='s words, VENDOR:DEVICE[:SUBVENDOR:SUBDEVICE]=WHAT, ids in
 * hexadecimal, WHAT is intx, nomsi, nomsix or max=N. 0 or -EINVAL.
 */
int quirk_parse(const char *word, struct quirk *out);

#endif
