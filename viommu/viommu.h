/* SPDX-License-Identifier: MIT */
/*
 * The IOMMU that the host gave us, seen from above: found, brought up, asked
 * for faults. Below, one ops table per family (viommu/domain.h).
 */
#ifndef VIOMMU_VIOMMU_H
#define VIOMMU_VIOMMU_H

#include "core/types.h"

enum iommu_kind { IOMMU_NONE, IOMMU_VIRTIO, IOMMU_VTD, IOMMU_AMDVI };

/*
 * Find the IOMMU by its ACPI table, bring it up with every device blocked, and
 * become the DMA provider. Returns 0 with a working IOMMU or with none on this
 * machine; errors: one is there and does not work. In all but the first case
 * nothing is translated and iommu_status() says why. Thread context.
 */
int iommu_init(void);
/* Translation off, units quiet: for power-off, with every device stopped. */
void iommu_stop(void);
/*
 * Did the command line say iommu=require? Then whoever calls iommu_init() must
 * not go on unless iommu_protects().
 */
bool iommu_required(void);

enum iommu_kind iommu_kind(void);
const char *iommu_name(void);		/* "virtio-iommu", "vt-d", "none" … */
/*
 * Does nothing reach memory outside of its domain? Who is in none is refused
 * by the IOMMU, or, where iommu_status() says that none sees it, never becomes
 * bus master.
 */
bool iommu_protects(void);
const char *iommu_status(void);		/* one line for a person */

/* A refused DMA, as the hardware told it. */
struct iommu_fault {
	nsec_t when;
	uint16_t bdf;			/* the requester */
	iova_t addr;			/* page or exact address, see exact */
	unsigned reason;		/* the family's own number */
	const char *text;		/* its meaning */
	bool exact, write_known, write;
};

/* Faults seen so far, kept or not; and those the hardware lost (overflow). */
uint64_t iommu_fault_count(void);
uint64_t iommu_fault_lost(void);
/* Faults that were found while somebody waited, with no interrupt to tell. */
uint64_t iommu_fault_irqs_lost(void);
/*
 * Is it one that on some hosts records nothing (AMD-Vi under QEMU 7.2,
 * docs/errata.md), and has recorded nothing so far? Then that a DMA left no
 * record says nothing.
 */
bool iommu_records_nothing(void);
/*
 * Wait until a fault by bdf after the count since is recorded. 0 or
 * -ETIMEDOUT. Thread context.
 */
int iommu_fault_wait(uint16_t bdf, uint64_t since, nsec_t deadline,
		     struct iommu_fault *out);

/*
 * An IOVA range in the device's domain that is, and stays, unmapped: for DMA
 * that must be refused. 0, -ENODEV (not translated), -ENOSPC.
 */
struct device;
int iommu_reserve_iova(struct device *dev, size_t size, iova_t *iova);
void iommu_release_iova(struct device *dev, iova_t iova, size_t size);

/* What there is, for a person and as one @json line. Thread context. */
void iommu_report(void);

#endif
