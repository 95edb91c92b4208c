/* SPDX-License-Identifier: MIT */
/*
 * Virtual I/O Device (VIRTIO) 1.2, 5.13: the IOMMU device. All fields are
 * little-endian.
 */
#ifndef VIOMMU_VIRTIO_IOMMUREG_H
#define VIOMMU_VIRTIO_IOMMUREG_H

#include "core/bits.h"
#include "core/types.h"

#define VIOMMU_VIRTIO_TYPE	23	/* 5: device types */

/* 5.13.2 Virtqueues */
#define VIOMMU_Q_REQUEST	0
#define VIOMMU_Q_EVENT		1

/* 5.13.3 Feature bits */
#define VIOMMU_F_INPUT_RANGE	BIT_ULL(0)
#define VIOMMU_F_DOMAIN_RANGE	BIT_ULL(1)
#define VIOMMU_F_MAP_UNMAP	BIT_ULL(2)
#define VIOMMU_F_BYPASS		BIT_ULL(3)	/* without it: blocked */
#define VIOMMU_F_PROBE		BIT_ULL(4)
#define VIOMMU_F_MMIO		BIT_ULL(5)
#define VIOMMU_F_BYPASS_CONFIG	BIT_ULL(6)

/* 5.13.4 Device configuration: offsets and widths. */
#define VIOMMU_CFG_PAGE_SIZES	0x00	/* 64 ro: bit n, 2^n bytes */
#define VIOMMU_CFG_INPUT_FIRST	0x08	/* 64 ro */
#define VIOMMU_CFG_INPUT_LAST	0x10	/* 64 ro, inclusive */
#define VIOMMU_CFG_DOMAIN_FIRST	0x18	/* 32 ro */
#define VIOMMU_CFG_DOMAIN_LAST	0x1c	/* 32 ro, inclusive */
#define VIOMMU_CFG_PROBE_SIZE	0x20	/* 32 ro */
#define VIOMMU_CFG_BYPASS	0x24	/* 8 rw: 1, the unattached may all */
#define VIOMMU_CFG_SIZE		0x28

/* 5.13.6 Device operations: every request is a head, a body and a tail. */
struct viommu_head {
	uint8_t type;
#define VIOMMU_T_ATTACH		1
#define VIOMMU_T_DETACH		2
#define VIOMMU_T_MAP		3
#define VIOMMU_T_UNMAP		4
#define VIOMMU_T_PROBE		5
	uint8_t reserved[3];
};

struct viommu_tail {
	uint8_t status;
#define VIOMMU_S_OK		0
#define VIOMMU_S_IOERR		1
#define VIOMMU_S_UNSUPP		2
#define VIOMMU_S_DEVERR		3
#define VIOMMU_S_INVAL		4
#define VIOMMU_S_RANGE		5
#define VIOMMU_S_NOENT		6
#define VIOMMU_S_FAULT		7
#define VIOMMU_S_NOMEM		8
	uint8_t reserved[3];
};

/* The parts that the device reads, each with its head. */
struct viommu_attach {			/* 5.13.6.3 */
	struct viommu_head head;
	le32 domain, endpoint;
	le32 flags;			/* bit 0: a bypass domain */
	uint8_t reserved[4];
};

struct viommu_detach {			/* 5.13.6.4 */
	struct viommu_head head;
	le32 domain, endpoint;
	uint8_t reserved[8];
};

struct viommu_map {			/* 5.13.6.5 */
	struct viommu_head head;
	le32 domain;
	le64 first, last;		/* inclusive */
	le64 phys;
	le32 flags;
#define VIOMMU_MAP_READ		BIT(0)
#define VIOMMU_MAP_WRITE	BIT(1)
} __packed;

struct viommu_unmap {			/* 5.13.6.6 */
	struct viommu_head head;
	le32 domain;
	le64 first, last;
	uint8_t reserved[4];
} __packed;

struct viommu_probe {			/* 5.13.6.7 */
	struct viommu_head head;
	le32 endpoint;
	uint8_t reserved[64];
	/* The device writes probe_size bytes of properties, then the tail. */
};

struct viommu_property {
	le16 type;
#define VIOMMU_PROP_TYPE	GENMASK(11, 0)
#define VIOMMU_PROP_NONE	0
#define VIOMMU_PROP_RESV_MEM	1
	le16 length;			/* of what follows this head */
};

struct viommu_resv_mem {		/* 5.13.6.7.1 */
	struct viommu_property head;
	uint8_t subtype;
#define VIOMMU_RESV_RESERVED	0
#define VIOMMU_RESV_MSI		1
	uint8_t reserved[3];
	le64 first, last;
};

/* 5.13.6.9 Fault reporting: what the event queue carries. */
struct viommu_fault {
	uint8_t reason;
#define VIOMMU_R_UNKNOWN	0
#define VIOMMU_R_DOMAIN		1
#define VIOMMU_R_MAPPING	2
	uint8_t reserved[3];
	le32 flags;
#define VIOMMU_FAULT_READ	BIT(0)
#define VIOMMU_FAULT_WRITE	BIT(1)
#define VIOMMU_FAULT_ADDRESS	BIT(8)		/* address is valid */
	le32 endpoint;
	uint8_t reserved2[4];
	le64 address;
};

_Static_assert(sizeof(struct viommu_head) == 4, "5.13.6");
_Static_assert(sizeof(struct viommu_tail) == 4, "5.13.6");
_Static_assert(sizeof(struct viommu_attach) == 20, "5.13.6.3");
_Static_assert(sizeof(struct viommu_detach) == 20, "5.13.6.4");
_Static_assert(sizeof(struct viommu_map) == 36, "5.13.6.5");
_Static_assert(offsetof(struct viommu_map, first) == 8, "5.13.6.5");
_Static_assert(offsetof(struct viommu_map, phys) == 24, "5.13.6.5");
_Static_assert(offsetof(struct viommu_map, flags) == 32, "5.13.6.5");
_Static_assert(sizeof(struct viommu_unmap) == 28, "5.13.6.6");
_Static_assert(sizeof(struct viommu_probe) == 72, "5.13.6.7");
_Static_assert(sizeof(struct viommu_resv_mem) == 24, "5.13.6.7.1");
_Static_assert(offsetof(struct viommu_resv_mem, first) == 8, "5.13.6.7.1");
_Static_assert(sizeof(struct viommu_fault) == 24, "5.13.6.9");
_Static_assert(offsetof(struct viommu_fault, address) == 16, "5.13.6.9");

#endif
