/* SPDX-License-Identifier: MIT */
/*
 * The virtio-gpu (virtio 1.2, 5.7), 2D commands.
 *
 * vgpu.c never sleeps: a command is taken, filled in, submitted with a
 * function to call, and completed by vgpu_service(), which the interrupt calls.
 * vgpu_2d.c makes calls of commands and sleeps until they are done; vgpu_fb.c
 * owns the screens. One thread at a time uses a GPU; the lock is between it and
 * the interrupt.
 *
 * A command's memory is the device's from vgpu_submit() until done is called.
 * The memory of a screen is the device's from ATTACH_BACKING until
 * DETACH_BACKING succeeded or the device was reset: hosts keep it mapped in
 * between, whatever the IOMMU says meanwhile.
 */
#ifndef GFX_VGPU_H
#define GFX_VGPU_H

#include "core/device.h"
#include "core/dma.h"
#include "core/lock.h"
#include "core/types.h"
#include "gfx/fb.h"
#include "gfx/vgpureg.h"
#include "sched/sched.h"
#include "virt/virtio.h"

#define VGPU_CMDS	8		/* in flight at once */

/* What the device reads and writes for one command. */
struct vgpu_slot {
	union {
		struct vgpu_hdr hdr;
		struct vgpu_create_2d create;
		struct vgpu_resource resource;
		struct vgpu_set_scanout scanout;
		struct vgpu_flush flush;
		struct vgpu_transfer transfer;
		struct vgpu_attach attach;
		uint8_t room[64];
	} req;
	union {
		struct vgpu_hdr hdr;
		struct vgpu_display_info info;
		uint8_t room[448];
	} resp;
};
_Static_assert(sizeof(struct vgpu_slot) == 512, "a page holds VGPU_CMDS");

struct vgpu;

struct vgpu_cmd {
	struct vgpu *g;
	struct vgpu_slot *slot;
	iova_t iova;			/* of the slot */
	/* g->lock: */
	bool taken, in_flight;
	/* from vgpu_submit() to done(): */
	uint32_t expect;		/* the answer's type */
	uint32_t answer_len;
	uint64_t fence;
	void (*done)(struct vgpu_cmd *c);
	/* when done is called: 0 or -errno */
	int status;
	bool finished;			/* vgpu_2d.c's */
};

struct vgpu_screen;

struct vgpu {
	const char *name;		/* the PCI function's */
	struct virtio_dev vd;
	unsigned nscanouts;
	bool polled;			/* no interrupt */
	struct spinlock lock;
	/* lock: */
	struct virtq ctrlq;
	struct vgpu_cmd cmd[VGPU_CMDS];
	uint64_t fence;			/* the last one given out */
	bool broken;			/* takes no commands any more */
	/* set once at start: */
	struct vgpu_slot *slots;
	iova_t slots_iova;
	struct waitq waitq;		/* vgpu_2d.c */
	struct vgpu_screen *screen[VGPU_SCANOUTS];	/* vgpu_fb.c */
	/* for the report: */
	uint64_t commands, errors, interrupts, lost_interrupts;
};

/* ---- vgpu.c ---- */

/*
 * After virtio_start(): the number of scan-outs, memory for commands, the
 * control queue with MSI-X entry vector. 0, -EPROTO, -ENOMEM, or what
 * virtio_queue_setup() says.
 */
int vgpu_start(struct vgpu *g, uint16_t vector);
/*
 * Reset the device; commands in flight complete with err. No command is taken
 * afterwards. Thread context. Twice is harmless.
 */
void vgpu_abort(struct vgpu *g, int err);
/* After vgpu_abort(), and when no interrupt can come any more. */
void vgpu_free(struct vgpu *g);

/* A command with its header filled in, or NULL: all taken, or broken. */
struct vgpu_cmd *vgpu_cmd_get(struct vgpu *g, enum vgpu_type type);
/* A command that is not in flight. */
void vgpu_cmd_put(struct vgpu_cmd *c);
/*
 * Queue it: len bytes of request, extra (or NULL) bytes that follow them,
 * room for the answer. done is called once, in interrupt context or by
 * vgpu_abort(). 0, -ENOSPC, -ENODEV (broken); then done is not called.
 */
int vgpu_submit(struct vgpu_cmd *c, size_t len, const struct dma_seg *extra,
		void (*done)(struct vgpu_cmd *c));
/* Tell the device of what was submitted. */
void vgpu_kick(struct vgpu *g);
/* Complete what the device has answered. Any context. */
void vgpu_service(struct vgpu *g);
/* For irq_watch(): is there anything to do for vgpu_service()? */
bool vgpu_waits(void *gpu);
/* An answer's type as an error: 0 only for the type expected. */
int vgpu_errno(uint32_t type, uint32_t expect);

/* ---- vgpu_2d.c: thread context, sleeps ---- */

/*
 * Submit a command, wait, and give it back. Returns what the device made of
 * it; -ETIMEDOUT, -ENODEV and some of the -EPROTO leave the GPU reset.
 */
int vgpu_call(struct vgpu_cmd *c, size_t len, const struct dma_seg *extra);

/*
 * The commands of 5.7.6.8, each as a call. id names a resource. Errors as
 * vgpu_call(), -ENODEV when the GPU is broken, -ENOMEM.
 */
int vgpu_display_info(struct vgpu *g, struct vgpu_display *display);
int vgpu_create_2d(struct vgpu *g, uint32_t id, enum vgpu_format format,
		   unsigned width, unsigned height);
int vgpu_unref(struct vgpu *g, uint32_t id);
/* seg: the resource's rows, one after the other, as the device sees them. */
int vgpu_attach(struct vgpu *g, uint32_t id, const struct dma_seg *seg,
		unsigned nsegs);
int vgpu_detach(struct vgpu *g, uint32_t id);
int vgpu_set_scanout(struct vgpu *g, unsigned scanout, uint32_t id,
		     unsigned width, unsigned height);
/* TRANSFER and FLUSH a rectangle of a resource of that width. */
int vgpu_update(struct vgpu *g, uint32_t id, unsigned width,
		const struct vgpu_rect *r);

/* ---- vgpu_fb.c: thread context, sleeps ---- */

/* A screen for every display that the device says is on. 0 or -errno. */
int vgpu_screens_start(struct vgpu *g);
void vgpu_screens_stop(struct vgpu *g);

/* ---- vgpu_pci.c ---- */

extern const struct driver vgpu_driver;

#endif
