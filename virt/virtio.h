/* SPDX-License-Identifier: MIT */
/*
 * Virtio 1.2: the modern PCI transport (4.1) and split virtqueues (2.7).
 *
 * virtq is pure: it takes ring memory and numbers, and gives the driver heads
 * to submit and tokens that have completed. Memory ownership: the buffers of
 * a chain belong to the device from virtq_add() until virtq_get() returns
 * their token. One queue has one user at a time: the driver brings the lock.
 */
#ifndef VIRT_VIRTIO_H
#define VIRT_VIRTIO_H

#include "core/io.h"
#include "core/pci.h"
#include "core/types.h"

#define VIRTIO_F_INDIRECT_DESC		28
#define VIRTIO_F_EVENT_IDX		29
#define VIRTIO_F_VERSION_1		32
#define VIRTIO_F_ACCESS_PLATFORM	33

/* A buffer as the device sees it. */
struct virtq_buf {
	iova_t addr;
	uint32_t len;
	bool device_writes;
};

struct virtq_desc;
struct virtq_avail;
struct virtq_used;

struct virtq {
	uint16_t size;			/* entries, a power of two */
	uint16_t free_head, nfree;
	uint16_t last_used;		/* next used entry to look at */
	uint16_t next_avail, published;	/* avail index: ours, and as kicked */
	uint16_t inflight;		/* chains the device may complete */
	struct virtq_desc *desc;
	struct virtq_avail *avail;
	struct virtq_used *used;
	void **token;			/* per head descriptor */
	/*
	 * Our own links and sizes: the ring is the device's to scribble on,
	 * so nothing that we rely on is read back from it.
	 */
	uint16_t *next;			/* of a chain, or of the free list */
	uint32_t *room;			/* per head: bytes it may write */
	/* set by virtio_queue_setup(): */
	unsigned index;
	struct io notify;		/* size 0: none */
	struct device *dma;		/* who owns the rings, NULL: physical */
	iova_t ring_iova;
	size_t ring_bytes;
	void *ring;
};

/* Bytes of ring memory for size entries: descriptors, avail, used, aligned. */
size_t virtq_bytes(uint16_t size);
/* Lay the queue out in ring (zeroed, virtq_bytes long). 0, -EINVAL, -ENOMEM. */
int virtq_init(struct virtq *q, uint16_t size, void *ring);
void virtq_fini(struct virtq *q);
/* Byte offsets of the three parts within the ring. */
void virtq_layout(uint16_t size, size_t *desc, size_t *avail, size_t *used);
/*
 * Queue a chain: all device-readable buffers first (2.7.4.2). token, which
 * must not be NULL, is what virtq_get() returns. 0, -ENOSPC (full: nothing
 * queued), -EINVAL (no or an empty buffer, the wrong order, more than size).
 */
int virtq_add(struct virtq *q, const struct virtq_buf *buf, unsigned n,
	      void *token);
/* Make the chains added since the last call visible and ring the doorbell. */
void virtq_kick(struct virtq *q);
/*
 * The next completed chain: its token and the bytes the device wrote (never
 * more than the chain had room for, whatever it claims), or NULL. A used id
 * that names no chain in flight is -EPROTO in *err (0 otherwise) and is passed
 * over; a used index that runs ahead of the chains in flight is -EPROTO for
 * good. len and err may be NULL.
 */
void *virtq_get(struct virtq *q, uint32_t *len, int *err);
/* Has the device put anything there for virtq_get(), be it right or wrong? */
bool virtq_waits(const struct virtq *q);
/* Ask for no interrupts (a hint, 2.7.7): for a queue that is polled. */
void virtq_quiet(struct virtq *q, bool quiet);

struct virtio_dev {
	struct pci_dev *pci;
	struct io common, isr, devcfg, notify;
	uint32_t notify_mult;
	uint64_t offered, features;	/* by the device; agreed on */
	uint16_t nqueues;
	struct io bar[PCI_BARS];
};

/*
 * The life of a device, in a driver's words:
 *
 *	virtio_start(), virtio_queue_setup() for each queue,
 *	pci_enable_master(), virtio_driver_ok();
 *	…
 *	virtio_stop(), virtio_queue_free() for each queue,
 *	pci_disable_master().
 *
 * Thread context; one user at a time.
 */

/*
 * Reset the device and agree on features up to FEATURES_OK (3.1.1): want
 * those offered of want, insist on must. VERSION_1 is always insisted on, and
 * ACCESS_PLATFORM taken whenever it is offered. When the device sits behind an
 * IOMMU (its dma.ops are not the direct ones; behind_iommu) and does not offer
 * it, its DMA would bypass translation: refused with -EPERM.
 * Returns 0, -ENODEV (no modern capabilities), -ENOTSUP (a must-feature is
 * missing), -EPROTO, -ETIMEDOUT (reset).
 */
int virtio_start(struct virtio_dev *vd, struct pci_dev *p, uint64_t want,
		 uint64_t must, bool behind_iommu);
/*
 * Give the device queue index. Rings come from dma_alloc_coherent(), or, with
 * physical set (the IOMMU's own queues), from page_alloc(). msix is the MSI-X
 * table entry or VIRTIO_NO_VECTOR. size 0: as large as the device offers, at
 * most 256. Returns 0, -ENXIO (no such queue), -EINVAL, -ERANGE (larger than
 * the device's), -EPROTO (sizes, doorbells or vectors that make no sense),
 * -ENOMEM.
 */
#define VIRTIO_NO_VECTOR	0xffff
int virtio_queue_setup(struct virtio_dev *vd, struct virtq *q, unsigned index,
		       uint16_t size, uint16_t msix, bool physical);
/*
 * Free the rings. One queue cannot be taken from a live device, so unless
 * virtio_stop() came first the whole device is reset. All zero: harmless.
 */
void virtio_queue_free(struct virtio_dev *vd, struct virtq *q);
/* The vector for configuration changes. 0 or -EPROTO. */
int virtio_config_vector(struct virtio_dev *vd, uint16_t msix);
void virtio_driver_ok(struct virtio_dev *vd);
uint8_t virtio_status(struct virtio_dev *vd);
/* Read and clear the ISR byte (INTx only): bit 0 queue, bit 1 config. */
uint8_t virtio_isr(struct virtio_dev *vd);
/*
 * Copy the device's configuration at off, all of one generation (2.5.1), in
 * pieces of width bytes (1, 2 or 4: that of the fields, 4.1.3.1; a 64-bit
 * field is read as two of 4). 0, -ERANGE, -ETIMEDOUT (it never stands still).
 */
int virtio_config_read(struct virtio_dev *vd, size_t off, void *buf,
		       size_t len, unsigned width);
/*
 * Reset; afterwards the device touches no memory (when it does not answer, its
 * bus mastering is turned off). Unmaps the windows. Twice is harmless.
 */
void virtio_stop(struct virtio_dev *vd);

#endif
