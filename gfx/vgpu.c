/* SPDX-License-Identifier: MIT */
/*
 * The virtio-gpu's control queue.
 *
 * A command is a chain of a request, at times more that the device reads, and
 * room for the answer. Requests and answers live in slots of one page that
 * stays mapped, so that a command costs no mapping. Every command is fenced:
 * its answer, which must repeat the fence's number, says that it is done and
 * not merely taken (5.7.6.7).
 *
 * An answer is believed when it is long enough, has the fence, and has the
 * type that the command calls for. A device that returns a chain it was never
 * given is broken: it gets no more commands, and whoever waits resets it.
 *
 * Not supported: the cursor queue, EDID, 3D, blobs.
 */
#include "gfx/vgpu.h"

#include "core/cpu.h"
#include "core/dma.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/string.h"

int vgpu_errno(uint32_t type, uint32_t expect)
{
	switch (type) {
	case VGPU_RESP_OK_NODATA:
	case VGPU_RESP_OK_DISPLAY_INFO:
		return type == expect ? 0 : -EPROTO;
	case VGPU_RESP_ERR_UNSPEC:
		return -EIO;
	case VGPU_RESP_ERR_OUT_OF_MEMORY:
		return -ENOMEM;
	case VGPU_RESP_ERR_SCANOUT_ID:
		return -ENXIO;
	case VGPU_RESP_ERR_RESOURCE_ID:
		return -ENOENT;
	case VGPU_RESP_ERR_CONTEXT_ID:
	case VGPU_RESP_ERR_PARAMETER:
		return -EINVAL;
	default:
		return -EPROTO;
	}
}

static int vgpu_slots_alloc(struct vgpu *g)
{
	size_t size = VGPU_CMDS * sizeof(*g->slots);

	g->slots = dma_alloc_coherent(&g->vd.pci->dev, size, &g->slots_iova);
	if (!g->slots)
		return -ENOMEM;
	for (unsigned i = 0; i < VGPU_CMDS; i++)
		g->cmd[i] = (struct vgpu_cmd){
			.g = g,
			.slot = &g->slots[i],
			.iova = g->slots_iova + i * sizeof(*g->slots),
		};
	return 0;
}

static void vgpu_slots_free(struct vgpu *g)
{
	if (g->slots)
		dma_free_coherent(&g->vd.pci->dev,
				  VGPU_CMDS * sizeof(*g->slots), g->slots,
				  g->slots_iova);
	g->slots = NULL;
}

static int vgpu_read_config(struct vgpu *g)
{
	if (g->vd.devcfg.size < VGPU_CONFIG_SIZE) {
		log_err(g->name, "virtio-gpu without its configuration");
		return -EPROTO;
	}
	g->nscanouts = io_read32(&g->vd.devcfg, VGPU_NUM_SCANOUTS);
	if (g->nscanouts < 1 || g->nscanouts > VGPU_SCANOUTS) {
		log_err(g->name, "virtio-gpu with %u scan-outs", g->nscanouts);
		return -EPROTO;
	}
	return 0;
}

int vgpu_start(struct vgpu *g, uint16_t vector)
{
	int err;

	spin_init(&g->lock, "vgpu queue");
	waitq_init(&g->waitq);
	err = vgpu_read_config(g);
	if (err)
		return err;
	err = vgpu_slots_alloc(g);
	if (err) {
		log_err(g->name, "no memory for commands");
		return err;
	}
	err = virtio_queue_setup(&g->vd, &g->ctrlq, VGPU_QUEUE_CONTROL,
				 0, vector, false);
	if (err)
		vgpu_slots_free(g);
	return err;
}

void vgpu_free(struct vgpu *g)
{
	virtio_queue_free(&g->vd, &g->ctrlq);
	vgpu_slots_free(g);
}

struct vgpu_cmd *vgpu_cmd_get(struct vgpu *g, enum vgpu_type type)
{
	irqflags_t flags = spin_lock(&g->lock);
	struct vgpu_cmd *c = NULL;

	for (unsigned i = 0; i < VGPU_CMDS && !g->broken; i++)
		if (!g->cmd[i].taken) {
			c = &g->cmd[i];
			c->taken = true;
			break;
		}
	spin_unlock(&g->lock, flags);
	if (!c)
		return NULL;
	memset(&c->slot->req, 0, sizeof(c->slot->req));
	c->slot->req.hdr.type = type;
	c->finished = false;
	if (type == VGPU_CMD_GET_DISPLAY_INFO) {
		c->expect = VGPU_RESP_OK_DISPLAY_INFO;
		c->answer_len = sizeof(struct vgpu_display_info);
	} else {
		c->expect = VGPU_RESP_OK_NODATA;
		c->answer_len = sizeof(struct vgpu_hdr);
	}
	return c;
}

void vgpu_cmd_put(struct vgpu_cmd *c)
{
	irqflags_t flags = spin_lock(&c->g->lock);

	c->taken = false;
	spin_unlock(&c->g->lock, flags);
}

static int vgpu_submit_locked(struct vgpu *g, struct vgpu_cmd *c, size_t len,
			      const struct dma_seg *extra)
{
	struct virtq_buf buf[3];
	unsigned n = 0;
	int err;

	spin_assert_held(&g->lock);
	if (g->broken)
		return -ENODEV;
	c->fence = ++g->fence;
	c->slot->req.hdr.flags = VGPU_FLAG_FENCE;
	c->slot->req.hdr.fence_id = c->fence;
	/* An old answer must not be taken for this command's. */
	memset(&c->slot->resp.hdr, 0, sizeof(c->slot->resp.hdr));
	buf[n++] = (struct virtq_buf){ c->iova, (uint32_t)len, false };
	if (extra)
		buf[n++] = (struct virtq_buf){ extra->addr,
					       (uint32_t)extra->len, false };
	buf[n++] = (struct virtq_buf){
		c->iova + offsetof(struct vgpu_slot, resp), c->answer_len, true
	};
	err = virtq_add(&g->ctrlq, buf, n, c);
	if (err)
		return err;
	c->in_flight = true;
	g->commands++;
	return 0;
}

int vgpu_submit(struct vgpu_cmd *c, size_t len, const struct dma_seg *extra,
		void (*done)(struct vgpu_cmd *c))
{
	irqflags_t flags = spin_lock(&c->g->lock);
	int err;

	c->done = done;
	err = vgpu_submit_locked(c->g, c, len, extra);
	spin_unlock(&c->g->lock, flags);
	return err;
}

void vgpu_kick(struct vgpu *g)
{
	irqflags_t flags = spin_lock(&g->lock);

	if (!g->broken)
		virtq_kick(&g->ctrlq);
	spin_unlock(&g->lock, flags);
}

/* What the device made of it; len is how much of an answer it wrote. */
static int vgpu_judge(const struct vgpu_cmd *c, uint32_t len)
{
	const struct vgpu_hdr *h = &c->slot->resp.hdr;
	uint32_t type = READ_ONCE(h->type);
	int err;

	if (len < sizeof(*h))
		return -EPROTO;
	err = vgpu_errno(type, c->expect);
	if (err)
		return err;
	if (len < c->answer_len || !(h->flags & VGPU_FLAG_FENCE) ||
	    h->fence_id != c->fence)
		return -EPROTO;
	return 0;
}

/* Take one answered command off the queue, or NULL. */
static struct vgpu_cmd *vgpu_next(struct vgpu *g)
{
	irqflags_t flags = spin_lock(&g->lock);
	struct vgpu_cmd *c = NULL;
	uint32_t len = 0;
	int err = 0;

	if (!g->broken) {
		c = virtq_get(&g->ctrlq, &len, &err);
		g->broken = err != 0;
	}
	if (c) {
		c->in_flight = false;
		c->status = vgpu_judge(c, len);
		g->errors += c->status != 0;
	}
	spin_unlock(&g->lock, flags);
	if (err)
		log_err(g->name, "control queue: %s", errno_name(err));
	return c;
}

bool vgpu_waits(void *gpu)
{
	struct vgpu *g = gpu;
	irqflags_t flags = spin_lock(&g->lock);
	bool waits = !g->broken && virtq_waits(&g->ctrlq);

	spin_unlock(&g->lock, flags);
	return waits;
}

void vgpu_service(struct vgpu *g)
{
	struct vgpu_cmd *c;

	while ((c = vgpu_next(g)))
		c->done(c);
	if (READ_ONCE(g->broken))
		waitq_wake_all(&g->waitq);
}

void vgpu_abort(struct vgpu *g, int err)
{
	irqflags_t flags = spin_lock(&g->lock);

	g->broken = true;
	spin_unlock(&g->lock, flags);
	virtio_stop(&g->vd);
	/* Nobody else completes commands now: broken stops vgpu_service(). */
	for (unsigned i = 0; i < VGPU_CMDS; i++) {
		struct vgpu_cmd *c = &g->cmd[i];

		if (!c->in_flight)
			continue;
		c->in_flight = false;
		c->status = err;
		c->done(c);
	}
}
