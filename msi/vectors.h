/* SPDX-License-Identifier: MIT */
/*
 * Between the files of msi/ only: what a device's vectors are made of, and
 * the two mechanisms that carry them.
 */
#ifndef MSI_VECTORS_H
#define MSI_VECTORS_H

#include "core/io.h"
#include "msi/msi.h"

struct msi_vector {
	unsigned vector;		/* on cpu; 0: not connected */
	unsigned cpu;
};

struct msi {
	const struct msi_ops *ops;
	unsigned cap;			/* offset of the capability */
	unsigned n;			/* vectors given to the driver */
	/* MSI-X: */
	unsigned entries;		/* in the device's table */
	struct io table_pages, pba_pages;	/* as mapped, whole pages */
	struct io table, pba;
	/* MSI: */
	uint16_t ctrl;			/* what CTRL says besides ENABLE */
	struct msi_vector v[];
};

struct msi_ops {
	const char *name;
	/*
	 * Check the capability; how many vectors it has goes to m->entries.
	 * Nothing is written. 0 or -EINVAL (it lies; one line says how).
	 */
	int (*check)(const struct pci_dev *p, struct msi *m);
	/* Enable with every vector masked. 0, -ENOMEM, -ENODEV. */
	int (*enable)(struct pci_dev *p, struct msi *m);
	/* Disable and unmap. Every vector is masked already. */
	void (*disable)(struct pci_dev *p, struct msi *m);
	/* Set the message of nr, which is masked. */
	void (*program)(struct pci_dev *p, struct msi *m, unsigned nr,
			const struct msi_msg *msg);
	/* Returns when the device has taken it: no message leaves any more. */
	void (*mask)(struct pci_dev *p, struct msi *m, unsigned nr, bool on);
	bool (*masked)(struct pci_dev *p, struct msi *m, unsigned nr);
	bool (*pending)(struct pci_dev *p, struct msi *m, unsigned nr);
};

extern const struct msi_ops msix_ops, msi_plain_ops;

#endif
