/* SPDX-License-Identifier: MIT */
/*
 * virtio-iommu: the device that ACPI's VIOT names, its requests and events.
 * virtio_iommu.c says how it works. Symbols of this family begin with
 * viommu_.
 */
#ifndef VIOMMU_VIRTIO_IOMMU_H
#define VIOMMU_VIRTIO_IOMMU_H

#include "core/acpi.h"
#include "core/lock.h"
#include "viommu/domain.h"
#include "viommu/virtio_iommureg.h"
#include "virt/virtio.h"

#define VIOMMU_TIMEOUT		NSEC_PER_SEC	/* for any request */
#define VIOMMU_SLOTS		63u	/* requests in flight */
#define VIOMMU_EVENTS		64u	/* buffers for fault reports */

/* Requests that somebody waits for together. */
struct viommu_batch {
	unsigned pending;
	int err;			/* the first that failed, or 0 */
};

/* One request on its way, in memory that the device reaches. */
struct viommu_slot {
	union {
		struct viommu_head head;
		struct viommu_attach attach;
		struct viommu_detach detach;
		struct viommu_map map;
		struct viommu_unmap unmap;
		uint8_t bytes[48];
	};
	struct viommu_tail tail;
	uint8_t pad[12];
};
_Static_assert(sizeof(struct viommu_slot) * VIOMMU_SLOTS <= PAGE_SIZE,
	       "one page");

struct viommu {
	/* set once at start: */
	char name[12];			/* "viommu0" */
	struct pci_dev *pci;
	struct virtio_dev vd;
	iova_t first, last;		/* input range */
	uint32_t domain_last;
	unsigned probe_size;		/* 0: no probing */
	void *probe;			/* request, properties, tail */
	/* attaching thread: */
	uint32_t next_domain;		/* ids are not used twice */

	struct spinlock lock;
	/* viommu->lock: */
	struct virtq requests;
	struct viommu_slot *slot;
	struct viommu_batch *batch[VIOMMU_SLOTS];
	uint64_t free;			/* slots, a bit each */
	bool probing;			/* a probe request is on its way … */
	uint32_t probed;		/* … and came back with so many bytes */
	uint64_t sent, failed;		/* requests */
	int dead;			/* -errno: it does not answer any more */

	struct spinlock event_lock;
	/* viommu->event_lock: */
	struct virtq events;
	struct viommu_fault *event;
};

struct viommu_domain {
	struct domain domain;		/* first: see domain.h */
	uint32_t id;
	struct viommu_batch batch;	/* maps since the last commit */
};

extern const struct domain_ops viommu_ops;

/*
 * Start the device that the VIOT names, with everything unattached blocked.
 * 0; -ENOTSUP (several, not a PCI function, or without 4 KiB pages or
 * map/unmap), -EOVERFLOW (the table has more than we have room for),
 * -ENODEV, -EPROTO (it makes no sense), -ETIMEDOUT, -ENOMEM. Each has been
 * logged. Thread context, after PCI enumeration.
 */
int viommu_start(const struct acpi_viot *viot);
/* Reset it and free everything; harmless when nothing was started. */
void viommu_stop(void);
/* What the driver knows, for tests and reports; NULL: not started. */
struct viommu *viommu_get(void);

/* ---- virtio_iommu_req.c: the request queue ---- */

int viommu_req_start(struct viommu *v);
void viommu_req_stop(struct viommu *v);
/*
 * Queue a request of len bytes for b; the device may see it only with
 * viommu_req_wait(). 0, or why the device is dead. Takes viommu->lock.
 */
int viommu_req_add(struct viommu *v, const void *req, size_t len,
		   struct viommu_batch *b);
/* Send what is queued, wait for all of b. Its first error; b is then empty. */
int viommu_req_wait(struct viommu *v, struct viommu_batch *b);
/* Both, for a single one. */
int viommu_req(struct viommu *v, const void *req, size_t len);
/*
 * Ask for the properties of an endpoint: v->probe_size bytes in v->probe
 * behind the request. Attaching thread only.
 */
int viommu_req_probe(struct viommu *v, uint32_t endpoint);
/* 5.13.6: what a status means to us. */
int viommu_req_errno(uint8_t status);

/* ---- virtio_iommu_event.c: fault reports ---- */

int viommu_event_start(struct viommu *v);
void viommu_event_stop(struct viommu *v);
/* Post the buffers and take interrupts: after DRIVER_OK. */
void viommu_event_open(struct viommu *v);
void viommu_event_collect(struct viommu *v);

/* The requester id of an endpoint, by the VIOT. 0 or -ENXIO. */
int viommu_endpoint_rid(uint32_t endpoint, uint16_t *rid);

#endif
