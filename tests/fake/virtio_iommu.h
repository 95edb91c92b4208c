/* SPDX-License-Identifier: MIT */
/*
 * A virtio-iommu for the host tests, over tests/fake/virtio.h. Written from
 * VIRTIO 1.2, 5.13, with the strictness of the specification (QEMU checks
 * less) and QEMU's habits where they matter: attaching an attached endpoint
 * takes it out first, and a domain goes, with its mappings, when its last
 * endpoint does; a refused access of n bytes gives n / 4 events.
 *
 * host_dma_read/write() go through it. Requesters are endpoints of the same
 * number; the IOMMU's own function is no endpoint.
 */
#ifndef TESTS_FAKE_VIRTIO_IOMMU_H
#define TESTS_FAKE_VIRTIO_IOMMU_H

#include "tests/fake/virtio.h"
#include "viommu/virtio_iommureg.h"

#define FAKE_VIOMMU_ENDPOINTS	8
#define FAKE_VIOMMU_MAPPINGS	4096

struct fake_viommu {
	struct fake_virtio v;		/* first */
	uint16_t endpoint[FAKE_VIOMMU_ENDPOINTS];	/* that exist */
	unsigned nendpoints;
	bool attached[FAKE_VIOMMU_ENDPOINTS];
	uint32_t domain[FAKE_VIOMMU_ENDPOINTS];
	struct {
		bool used;
		uint32_t domain;
		uint64_t first, last, phys;
		uint32_t flags;
	} map[FAKE_VIOMMU_MAPPINGS];
	uint8_t properties[512];	/* what a probe finds */

	/* what was seen: */
	unsigned requests[VIOMMU_T_PROBE + 1];	/* by type */
	unsigned reattached;		/* endpoints that were attached */
	unsigned events, dropped;	/* dropped: no buffer */
	bool bypassed;			/* a DMA went through untranslated */

	/* how to misbehave: */
	unsigned fail_type;		/* this request gets … */
	uint8_t fail_status;		/* … this status, and is not done */
	bool no_length;			/* completes as if nothing was written */
	bool no_status;			/* completes without a status */
	bool bypass_stuck;		/* config.bypass cannot be cleared */
	bool no_events;
};

/* A device at bdf with one endpoint for each of the others; before add. */
void fake_viommu_init(struct fake_viommu *f, uint16_t bdf);
void fake_viommu_endpoint(struct fake_viommu *f, uint16_t rid);
void fake_viommu_add(struct fake_viommu *f);
unsigned fake_viommu_mappings(const struct fake_viommu *f);

#endif
