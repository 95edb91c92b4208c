/* SPDX-License-Identifier: MIT */
/*
 * Virtual I/O Device (VIRTIO) 1.2, 5.7: the GPU device, its 2D part. All
 * fields are little-endian; the structures travel in the control queue.
 */
#ifndef GFX_VGPUREG_H
#define GFX_VGPUREG_H

#include "core/bits.h"
#include "core/types.h"

#define VGPU_DEVICE_TYPE	16		/* 5.7.1 */

#define VGPU_QUEUE_CONTROL	0		/* 5.7.2 */
#define VGPU_QUEUE_CURSOR	1
#define VGPU_QUEUES		2

#define VGPU_F_VIRGL		0		/* 5.7.3 feature bits */
#define VGPU_F_EDID		1

/* 5.7.4 Device configuration: offset, width, access. */
#define VGPU_EVENTS_READ	0x00		/* 32 ro */
# define VGPU_EVENT_DISPLAY	BIT(0)
#define VGPU_EVENTS_CLEAR	0x04		/* 32 wo */
#define VGPU_NUM_SCANOUTS	0x08		/* 32 ro, 1 to 16 */
#define VGPU_NUM_CAPSETS	0x0c		/* 32 ro */
#define VGPU_CONFIG_SIZE	0x10

#define VGPU_SCANOUTS		16		/* 5.7.6.8, at most */

/* 5.7.6.7 Device operation: request header. */
enum vgpu_type {
	VGPU_CMD_GET_DISPLAY_INFO = 0x0100,
	VGPU_CMD_RESOURCE_CREATE_2D = 0x0101,
	VGPU_CMD_RESOURCE_UNREF = 0x0102,
	VGPU_CMD_SET_SCANOUT = 0x0103,
	VGPU_CMD_RESOURCE_FLUSH = 0x0104,
	VGPU_CMD_TRANSFER_TO_HOST_2D = 0x0105,
	VGPU_CMD_ATTACH_BACKING = 0x0106,
	VGPU_CMD_DETACH_BACKING = 0x0107,

	VGPU_RESP_OK_NODATA = 0x1100,
	VGPU_RESP_OK_DISPLAY_INFO = 0x1101,

	VGPU_RESP_ERR_UNSPEC = 0x1200,
	VGPU_RESP_ERR_OUT_OF_MEMORY = 0x1201,
	VGPU_RESP_ERR_SCANOUT_ID = 0x1202,
	VGPU_RESP_ERR_RESOURCE_ID = 0x1203,
	VGPU_RESP_ERR_CONTEXT_ID = 0x1204,
	VGPU_RESP_ERR_PARAMETER = 0x1205,
};

struct vgpu_hdr {
	le32 type;			/* enum vgpu_type */
	le32 flags;
#define VGPU_FLAG_FENCE		BIT(0)	/* answer when it is done */
	le64 fence_id;			/* the answer repeats it */
	le32 ctx_id;
	uint8_t ring_idx, padding[3];
};

struct vgpu_rect {
	le32 x, y, width, height;
};

/* 5.7.6.8 GET_DISPLAY_INFO: the request is a header alone. */
struct vgpu_display {
	struct vgpu_rect r;		/* the preferred position and size */
	le32 enabled, flags;
};

struct vgpu_display_info {
	struct vgpu_hdr hdr;
	struct vgpu_display display[VGPU_SCANOUTS];
};

enum vgpu_format {			/* bytes in memory, first to last */
	VGPU_FORMAT_B8G8R8A8 = 1,
	VGPU_FORMAT_B8G8R8X8 = 2,	/* 0x00RRGGBB as a le32: a surface's */
};

struct vgpu_create_2d {
	struct vgpu_hdr hdr;
	le32 resource_id;		/* chosen by the driver, not 0 */
	le32 format, width, height;
};

/* UNREF and DETACH_BACKING. */
struct vgpu_resource {
	struct vgpu_hdr hdr;
	le32 resource_id, padding;
};

struct vgpu_set_scanout {
	struct vgpu_hdr hdr;
	struct vgpu_rect r;		/* the part of the resource to show */
	le32 scanout_id, resource_id;	/* resource 0: switch off */
};

struct vgpu_flush {
	struct vgpu_hdr hdr;
	struct vgpu_rect r;
	le32 resource_id, padding;
};

struct vgpu_transfer {
	struct vgpu_hdr hdr;
	struct vgpu_rect r;
	le64 offset;			/* of r's first pixel in the backing */
	le32 resource_id, padding;
};

/* Followed by entries; together they hold the resource, row after row. */
struct vgpu_attach {
	struct vgpu_hdr hdr;
	le32 resource_id, entries;
};

struct vgpu_mem_entry {
	le64 addr;
	le32 length, padding;
};

_Static_assert(sizeof(struct vgpu_hdr) == 24, "5.7.6.7");
_Static_assert(offsetof(struct vgpu_hdr, fence_id) == 8, "5.7.6.7");
_Static_assert(offsetof(struct vgpu_hdr, ring_idx) == 20, "5.7.6.7");
_Static_assert(sizeof(struct vgpu_rect) == 16, "5.7.6.8");
_Static_assert(sizeof(struct vgpu_display) == 24, "5.7.6.8");
_Static_assert(sizeof(struct vgpu_display_info) == 408, "5.7.6.8");
_Static_assert(sizeof(struct vgpu_create_2d) == 40, "5.7.6.8");
_Static_assert(sizeof(struct vgpu_resource) == 32, "5.7.6.8");
_Static_assert(sizeof(struct vgpu_set_scanout) == 48, "5.7.6.8");
_Static_assert(offsetof(struct vgpu_set_scanout, scanout_id) == 40, "5.7.6.8");
_Static_assert(sizeof(struct vgpu_flush) == 48, "5.7.6.8");
_Static_assert(sizeof(struct vgpu_transfer) == 56, "5.7.6.8");
_Static_assert(offsetof(struct vgpu_transfer, offset) == 40, "5.7.6.8");
_Static_assert(sizeof(struct vgpu_attach) == 32, "5.7.6.8");
_Static_assert(sizeof(struct vgpu_mem_entry) == 16, "5.7.6.8");

#endif
