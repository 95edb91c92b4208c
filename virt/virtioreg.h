/* SPDX-License-Identifier: MIT */
/*
 * Virtual I/O Device (VIRTIO) 1.2: what the PCI transport (4.1) and the split
 * virtqueue (2.7) look like. All fields are little-endian.
 */
#ifndef VIRT_VIRTIOREG_H
#define VIRT_VIRTIOREG_H

#include "core/bits.h"
#include "core/types.h"

/* 4.1.2 PCI device discovery: modern ids are 0x1040 + device type. */
#define VIRTIO_PCI_VENDOR	0x1af4
#define VIRTIO_PCI_DEVICE(type)	(0x1040 + (type))

/* 4.1.4 struct virtio_pci_cap, a vendor-specific capability: byte offsets. */
#define VIRTIO_CAP_ID		0x09		/* PCI's "vendor specific" */
#define VIRTIO_CAP_LEN		2		/* 8: bytes in all */
#define VIRTIO_CAP_TYPE		3		/* 8 */
# define VIRTIO_CAP_COMMON	1
# define VIRTIO_CAP_NOTIFY	2
# define VIRTIO_CAP_ISR		3
# define VIRTIO_CAP_DEVICE	4
# define VIRTIO_CAP_PCI		5
# define VIRTIO_CAP_TYPES	6		/* the types that we look at */
#define VIRTIO_CAP_BAR		4		/* 8: 0 to 5, others reserved */
#define VIRTIO_CAP_OFFSET	8		/* 32: in the BAR */
#define VIRTIO_CAP_LENGTH	12		/* 32 */
#define VIRTIO_CAP_SIZE		16
#define VIRTIO_CAP_NOTIFY_MULT	16		/* 32, 4.1.4.4: notify only */
#define VIRTIO_CAP_NOTIFY_SIZE	20

/* 4.1.4.3 struct virtio_pci_common_cfg: offset, width, access. */
#define VIRTIO_DEVICE_FEATURE_SEL	0x00	/* 32 rw */
#define VIRTIO_DEVICE_FEATURE		0x04	/* 32 ro */
#define VIRTIO_DRIVER_FEATURE_SEL	0x08	/* 32 rw */
#define VIRTIO_DRIVER_FEATURE		0x0c	/* 32 rw */
#define VIRTIO_CONFIG_VECTOR		0x10	/* 16 rw */
#define VIRTIO_NUM_QUEUES		0x12	/* 16 ro */
#define VIRTIO_STATUS			0x14	/* 8 rw, 2.1 */
# define VIRTIO_STATUS_ACKNOWLEDGE	BIT(0)
# define VIRTIO_STATUS_DRIVER		BIT(1)
# define VIRTIO_STATUS_DRIVER_OK	BIT(2)
# define VIRTIO_STATUS_FEATURES_OK	BIT(3)
# define VIRTIO_STATUS_NEEDS_RESET	BIT(6)
# define VIRTIO_STATUS_FAILED		BIT(7)
#define VIRTIO_CONFIG_GENERATION	0x15	/* 8 ro */
#define VIRTIO_QUEUE_SELECT		0x16	/* 16 rw */
#define VIRTIO_QUEUE_SIZE		0x18	/* 16 rw; 0: no such queue */
#define VIRTIO_QUEUE_VECTOR		0x1a	/* 16 rw */
#define VIRTIO_QUEUE_ENABLE		0x1c	/* 16 rw */
#define VIRTIO_QUEUE_NOTIFY_OFF		0x1e	/* 16 ro, in multipliers */
#define VIRTIO_QUEUE_DESC		0x20	/* 64 rw, by 32-bit halves */
#define VIRTIO_QUEUE_DRIVER		0x28	/* 64 rw: the avail ring */
#define VIRTIO_QUEUE_DEVICE		0x30	/* 64 rw: the used ring */
#define VIRTIO_COMMON_SIZE		0x38	/* without the 1.2 additions */

/* 4.1.4.5 The ISR byte; reading it clears it and deasserts INTx. */
#define VIRTIO_ISR_QUEUE	BIT(0)
#define VIRTIO_ISR_CONFIG	BIT(1)

/* 2.7.5 The virtqueue descriptor table. */
struct virtq_desc {
	le64 addr;
	le32 len;
	le16 flags;
#define VIRTQ_DESC_NEXT		0x1
#define VIRTQ_DESC_WRITE	0x2	/* the device writes, else reads */
#define VIRTQ_DESC_INDIRECT	0x4
	le16 next;
};

/* 2.7.6 The available ring: driver to device. */
struct virtq_avail {
	le16 flags;
#define VIRTQ_AVAIL_NO_INTERRUPT	0x1
	le16 idx;			/* free-running */
	le16 ring[];			/* head descriptors */
};

/* 2.7.8 The used ring: device to driver. */
struct virtq_used_elem {
	le32 id;			/* head descriptor of the chain */
	le32 len;			/* bytes the device wrote */
};

struct virtq_used {
	le16 flags;
#define VIRTQ_USED_NO_NOTIFY		0x1
	le16 idx;
	struct virtq_used_elem ring[];
};

/* 2.7: sizes and alignments of the three parts; each ring ends in an event. */
#define VIRTQ_SIZE_MAX		32768
#define VIRTQ_DESC_ALIGN	16
#define VIRTQ_AVAIL_ALIGN	2
#define VIRTQ_USED_ALIGN	4
#define VIRTQ_EVENT_BYTES	2

_Static_assert(sizeof(struct virtq_desc) == 16, "2.7.5");
_Static_assert(offsetof(struct virtq_desc, len) == 8, "2.7.5");
_Static_assert(offsetof(struct virtq_desc, flags) == 12, "2.7.5");
_Static_assert(offsetof(struct virtq_desc, next) == 14, "2.7.5");
_Static_assert(offsetof(struct virtq_avail, ring) == 4, "2.7.6");
_Static_assert(sizeof(struct virtq_used_elem) == 8, "2.7.8");
_Static_assert(offsetof(struct virtq_used, ring) == 4, "2.7.8");

#endif
