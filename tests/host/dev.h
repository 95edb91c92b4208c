/* SPDX-License-Identifier: MIT */
/*
 * A device that does DMA when told to, for the tests of what stands between
 * it and memory (viommu/): a PCI function without a driver.
 */
#ifndef TESTS_HOST_DEV_H
#define TESTS_HOST_DEV_H

#include "core/dma.h"
#include "tests/host/host.h"
#include "viommu/domain.h"

/* A function at bdf, on the bus; nobody has looked for it yet. */
void dev_add(struct fake_pci *f, uint16_t bdf);
/* The same as the kernel knows it, in no domain. Before an IOMMU starts. */
struct pci_dev *dev_find(struct fake_pci *f);
/* The same in its domain, where bus mastering is allowed. */
struct pci_dev *dev_start(struct fake_pci *f);

/* dma_map(), which must succeed. */
iova_t dev_map(struct pci_dev *p, void *mem, size_t len, enum dma_dir dir);

/* The device writes "wrong" to iova, or reads as much. Was it allowed to? */
bool dev_writes(struct pci_dev *p, iova_t iova);
bool dev_reads(struct pci_dev *p, iova_t iova);

/* The device's first fault after the first since: iommu_fault_wait(), 1 ms. */
int dev_fault(struct pci_dev *p, uint64_t since, struct iommu_fault *f);

/*
 * Maps a page to be read and again to be written. Each mapping must serve p
 * in its direction only, and other not at all, and nobody once it is undone.
 */
void dev_check_directions(struct pci_dev *p, struct pci_dev *other);

/*
 * Starts an IOMMU of the family ops, attaches p, maps a page, undoes all of
 * that, and begins again with the next allocation failing, until none is left
 * to fail. Each must give -ENOMEM, or success and excuse in the log. Returns
 * how many gave -ENOMEM; what leaks is for host_finish() to find.
 */
unsigned dev_each_alloc_fails(struct pci_dev *p, const struct domain_ops *ops,
			      int (*start)(void), void (*stop)(void),
			      const char *excuse);

#endif
