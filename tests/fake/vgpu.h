/* SPDX-License-Identifier: MIT */
/*
 * A virtio-gpu for the host tests, written from virtio 1.2, 5.7.6 alone: 2D
 * resources, backing, scan-outs. What a viewer would see of scan-out n is in
 * screen[n] after a flush. Like QEMU it keeps hold of backing memory from
 * ATTACH to DETACH; a transfer reads the memory through host_dma_read.
 */
#ifndef TESTS_FAKE_VGPU_H
#define TESTS_FAKE_VGPU_H

#include "gfx/vgpureg.h"
#include "tests/fake/virtio.h"

#define FAKE_VGPU_RESOURCES	8
#define FAKE_VGPU_LOG		128

struct fake_vgpu_resource {
	uint32_t id, format, width, height;	/* id 0: free */
	uint32_t *image;			/* the host's copy */
	unsigned entries;			/* 0: no backing */
	struct vgpu_mem_entry *entry;
};

struct fake_vgpu_screen {
	uint32_t resource;
	struct vgpu_rect r;
	uint32_t *pixels;		/* r.width × r.height, NULL: off */
};

struct fake_vgpu {
	struct fake_virtio v;
	struct vgpu_display display[VGPU_SCANOUTS];
	struct fake_vgpu_resource resource[FAKE_VGPU_RESOURCES];
	struct fake_vgpu_screen screen[VGPU_SCANOUTS];
	unsigned nlog;			/* commands seen, in order */
	uint32_t log[FAKE_VGPU_LOG];
	struct vgpu_rect last_transfer, last_flush;

	/* Called before a command is carried out; may be NULL. */
	void (*on_command)(struct fake_vgpu *f, uint32_t type);
	void *ctx;

	/* how to misbehave, each on commands of type bad only: */
	uint32_t bad;			/* 0: never */
	uint32_t answer;		/* this type instead of doing it */
	bool swallow;			/* no answer at all */
	bool short_answer;		/* says that a byte of it is missing */
	bool wrong_fence, no_fence;
	bool bogus_id;			/* an answer to nobody */
};

/* On bdf, with one display of that size, and vectors (0: no MSI-X). */
void fake_vgpu_init(struct fake_vgpu *f, uint16_t bdf, unsigned width,
		    unsigned height, unsigned vectors, uint64_t features);
void fake_vgpu_add(struct fake_vgpu *f);
/* Off the bus; frees the host's copies. */
void fake_vgpu_remove(struct fake_vgpu *f);
/* Resources that exist, and those with backing. */
unsigned fake_vgpu_resources(const struct fake_vgpu *f);
unsigned fake_vgpu_attached(const struct fake_vgpu *f);
/* How many commands of that type came. */
unsigned fake_vgpu_count(const struct fake_vgpu *f, uint32_t type);

#endif
