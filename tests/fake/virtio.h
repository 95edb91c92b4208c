/* SPDX-License-Identifier: MIT */
/*
 * A modern virtio-pci device for the host tests: the transport and the device
 * side of the split queues; what the device *does* is the owner's, in notify.
 *
 *	static void echo(struct fake_virtio *v, unsigned q)
 *	{
 *		struct fake_chain c;
 *		char buf[64];
 *
 *		while (fake_virtio_pop(v, q, &c)) {
 *			size_t n = fake_virtio_get(v, &c, 0, buf, sizeof(buf));
 *			fake_virtio_push(v, q, &c,
 *					 fake_virtio_put(v, &c, 0, buf, n));
 *		}
 *	}
 *
 *	fake_virtio_init(&v, PCI_BDF(0, 4, 0), 16, 0x030000, 2, features);
 *	fake_virtio_config(&v, &cfg, sizeof(cfg));
 *	v.notify = echo;
 *	fake_virtio_add(&v);
 *	p = host_pci_probe(&v.pci);
 *
 * It was written from the device's half of the specification alone and shares
 * only virtioreg.h with the driver. Memory is reached as a real device reaches
 * it: with ACCESS_PLATFORM agreed on, by host_dma_read/write (so through a fake
 * IOMMU); without it, physically, past any IOMMU. A wrong address or a broken
 * chain sets NEEDS_RESET and broken, and the device does nothing more until it
 * is reset.
 */
#ifndef TESTS_FAKE_VIRTIO_H
#define TESTS_FAKE_VIRTIO_H

#include "tests/host/host.h"
#include "virt/virtioreg.h"

#define FAKE_VIRTIO_QUEUES	8
#define FAKE_VIRTIO_CONFIG	1024
#define FAKE_CHAIN_SEGS		512

/* Where things lie, as in QEMU: BAR 4, and MSI-X in BAR 1. */
#define FAKE_VIRTIO_BAR		4
#define FAKE_VIRTIO_COMMON	0x0000
#define FAKE_VIRTIO_ISR		0x1000
#define FAKE_VIRTIO_DEVICE	0x2000
#define FAKE_VIRTIO_NOTIFY	0x3000
#define FAKE_VIRTIO_BAR_SIZE	0x4000
#define FAKE_VIRTIO_MULT	4

/* A chain taken from the available ring. */
struct fake_chain {
	uint16_t head;
	unsigned nseg;
	struct {
		uint64_t addr;
		uint32_t len;
		bool device_writes;
	} seg[FAKE_CHAIN_SEGS];
	size_t readable, writable;	/* bytes */
};

struct fake_virtio_queue {
	uint16_t max;			/* what the device offers; 0: none */
	uint16_t size, vector, enable;	/* as the driver set them */
	uint64_t desc, avail, used;
	uint16_t next_avail, used_idx;
	unsigned notify_off;
	unsigned doorbells;		/* seen */
	bool rung;			/* late: not looked at yet */
};

struct fake_virtio {
	struct fake_pci pci;
	unsigned nqueues;
	struct fake_virtio_queue q[FAKE_VIRTIO_QUEUES];
	uint64_t features;		/* offered */
	uint64_t driver_features;
	uint8_t status, isr, generation;
	uint32_t device_sel, driver_sel;
	uint16_t queue_sel, config_vector;
	uint8_t config[FAKE_VIRTIO_CONFIG];
	size_t config_size;
	/* Config offset of the capability of each type, for tests that lie. */
	unsigned cap[VIRTIO_CAP_TYPES];
	unsigned resets;		/* how often the driver reset it */
	bool broken;

	/* the owner's, any may be NULL: */
	void (*notify)(struct fake_virtio *v, unsigned q);
	void (*reset)(struct fake_virtio *v);
	/* The driver wrote the device configuration at off. */
	void (*config_written)(struct fake_virtio *v, size_t off, size_t len);
	void *priv;
	unsigned gsi;			/* INTx without MSI-X; 0: none */

	/* how to misbehave: */
	bool silent;			/* doorbells are not heard */
	bool late;			/* looks at doorbells one step later */
	bool refuse_features_ok;
	bool reset_stuck;		/* status never reads 0 */
	bool no_vectors;		/* refuses every MSI-X vector number */
	unsigned flux;			/* config reads that see it change */
};

/*
 * A device of this type (2: block, 16: GPU, 23: IOMMU …) with queues of 256
 * entries (change q[].max before add) and VERSION_1 set by the caller or not.
 */
void fake_virtio_init(struct fake_virtio *v, uint16_t bdf, unsigned type,
		      uint32_t class, unsigned nqueues, uint64_t features);
/* Its device configuration space; default: none. Before add. */
void fake_virtio_config(struct fake_virtio *v, const void *cfg, size_t len);
/* MSI-X with this many entries in BAR 1; default: none (INTx). Before add. */
void fake_virtio_msix(struct fake_virtio *v, unsigned entries);
void fake_virtio_add(struct fake_virtio *v);
void fake_virtio_remove(struct fake_virtio *v);

/* The next available chain of queue q. False: none, or the device broke. */
bool fake_virtio_pop(struct fake_virtio *v, unsigned q, struct fake_chain *c);
/* Copy from the readable, to the writable part. Returns the bytes copied. */
size_t fake_virtio_get(struct fake_virtio *v, const struct fake_chain *c,
		       size_t off, void *buf, size_t len);
size_t fake_virtio_put(struct fake_virtio *v, const struct fake_chain *c,
		       size_t off, const void *buf, size_t len);
/* Give a chain back and interrupt, unless the driver asked for silence. */
void fake_virtio_push(struct fake_virtio *v, unsigned q,
		      const struct fake_chain *c, uint32_t written);
/* The same with any id at all: for devices that lie. */
void fake_virtio_push_id(struct fake_virtio *v, unsigned q, uint32_t id,
			 uint32_t written);
/* The configuration changed: generation and interrupt. */
void fake_virtio_config_changed(struct fake_virtio *v);

/* Memory as this device reaches it. False when refused. */
bool fake_virtio_read(struct fake_virtio *v, uint64_t addr, void *buf,
		      size_t len);
bool fake_virtio_write(struct fake_virtio *v, uint64_t addr, const void *buf,
		       size_t len);

#endif
