/* SPDX-License-Identifier: MIT */
/*
 * The log of refused DMA, common to all families: a driver reports what its
 * hardware told it, everyone else reads it through viommu.h.
 *
 * A device that runs wild can be refused a million times a second, so each
 * fault costs a few stores, and the console is spared: at most FAULT_LINES
 * lines in FAULT_QUIET; the next one says how many went by unsaid.
 */
#ifndef VIOMMU_FAULT_H
#define VIOMMU_FAULT_H

#include "viommu/viommu.h"

#define FAULT_RING	64		/* the latest, whoever caused them */
#define FAULT_DEVICES	32		/* counted one by one */
#define FAULT_LINES	16
#define FAULT_QUIET	(10 * NSEC_PER_SEC)
#define FAULT_LOOK	(250 * NSEC_PER_MSEC)	/* while somebody waits */
#define FAULT_GRACE	(50 * NSEC_PER_MSEC)	/* for an interrupt on its way */
#define FAULT_ECHO	(10 * NSEC_PER_MSEC)	/* same access: no new line */

/* Forget all; for iommu_init(). */
void fault_reset(void);
/* One refused DMA; when is filled in. unit is who says so. Any context. */
void fault_record(const char *unit, const struct iommu_fault *f);
/* The hardware lost n or more records. Any context. */
void fault_lost(const char *unit, uint64_t n);

/*
 * A unit has an interrupt for faults from here on; and one has come. A fault
 * that is found while somebody waits, without one, counts as lost.
 */
void fault_listen(void);
void fault_interrupt(void);

/* Faults by one requester; exact for the first FAULT_DEVICES of them. */
uint64_t fault_count_of(uint16_t bdf);
/* The n-th latest fault (0: the latest). False: there is none. */
bool fault_latest(unsigned n, struct iommu_fault *out);

#endif
