/* SPDX-License-Identifier: MIT */
/*
 * Devices and the drivers that match them. A driver is a static object in the
 * linker set "driver"; driver_probe_all() walks the PCI functions once, calls
 * the first driver whose id matches, and keeps its verdict for the report.
 * Runs in thread context on the boot CPU; probe may allocate, poll and sleep.
 */
#ifndef CORE_DEVICE_H
#define CORE_DEVICE_H

#include "core/dma.h"
#include "core/set.h"
#include "core/types.h"

struct pci_dev;

struct device {
	char name[16];			/* "00:03.0"; unique */
	struct dma_dev dma;
};

#define PCI_ANY	0xffffffffu

struct pci_id {
	uint32_t vendor, device;	/* PCI_ANY: any */
	uint32_t class, class_mask;	/* 24-bit class code; mask 0: any */
};

struct driver {
	const char *name;		/* "nvme" */
	const struct pci_id *ids;	/* ends with vendor 0 */
	/*
	 * The device is in a DMA domain, its bus mastering off and its BARs
	 * assigned. 0: it works, drvdata is set. -errno: everything that
	 * probe did is undone again, and one line said why.
	 */
	int (*probe)(struct pci_dev *pdev);
	/* Stop the device (power-off); it does no DMA afterwards. May be NULL. */
	void (*stop)(struct pci_dev *pdev);
};

#define DRIVER(sym)	SET_ENTRY(driver, struct driver, sym)

/*
 * Probe the functions with (class & mask) of that 24-bit class that were not
 * probed yet, or all of them. Returns how many a driver took now.
 */
unsigned driver_probe_class(uint32_t class, uint32_t mask);
unsigned driver_probe_all(void);
/* Stops what was started, in reverse order. */
void driver_stop_all(void);

#endif
