/* SPDX-License-Identifier: MIT */
/*
 * The virtio-gpu's commands as calls: sent, waited for, given back. The wait
 * is for the interrupt; without MSI-X it polls. Either way it has a deadline,
 * and a device that misses it is reset, so that the command's memory is ours
 * again whatever happened.
 */
#include "gfx/vgpu.h"

#include "core/cpu.h"
#include "core/errno.h"
#include "core/log.h"
#include "msi/irqs.h"

#define VGPU_TIMEOUT	(5 * NSEC_PER_SEC)	/* for one command */
#define VGPU_IRQ_TIME	(250 * NSEC_PER_MSEC)	/* between two looks */

static const char *vgpu_command(uint32_t type)
{
	static const char *const name[] = {
		"GET_DISPLAY_INFO", "RESOURCE_CREATE_2D", "RESOURCE_UNREF",
		"SET_SCANOUT", "RESOURCE_FLUSH", "TRANSFER_TO_HOST_2D",
		"ATTACH_BACKING", "DETACH_BACKING",
	};
	uint32_t i = type - VGPU_CMD_GET_DISPLAY_INFO;

	return i < ARRAY_SIZE(name) ? name[i] : "command";
}

/* Once finished is seen, the waiter may give c to the next command. */
static void vgpu_done(struct vgpu_cmd *c)
{
	struct vgpu *g = c->g;

	WRITE_ONCE(c->finished, true);
	waitq_wake_all(&g->waitq);
}

static bool vgpu_settled(const struct vgpu_cmd *c)
{
	return READ_ONCE(c->finished) || READ_ONCE(c->g->broken);
}

/*
 * An interrupt that got lost must not look like a device that died: while
 * none comes, the watchdog looks, and the second look finds it.
 */
static int vgpu_wait_irq(struct vgpu_cmd *c, nsec_t deadline)
{
	struct vgpu *g = c->g;

	while (wait_until(&g->waitq, vgpu_settled(c),
			  MIN(deadline, time_now() + VGPU_IRQ_TIME))) {
		if (time_now() >= deadline)
			return -ETIMEDOUT;
		__atomic_fetch_add(&g->lost_interrupts,
				   irq_watch_look(g->vd.pci),
				   __ATOMIC_RELAXED);
	}
	return 0;
}

static int vgpu_wait_polled(struct vgpu_cmd *c, nsec_t deadline)
{
	return poll_mem_until((vgpu_service(c->g), vgpu_settled(c)), deadline);
}

/* Wait for a submitted command and give it back. */
static int vgpu_wait(struct vgpu_cmd *c)
{
	nsec_t deadline = time_now() + VGPU_TIMEOUT;
	uint32_t type = c->slot->req.hdr.type;
	struct vgpu *g = c->g;
	int err;

	err = g->polled ? vgpu_wait_polled(c, deadline) :
			  vgpu_wait_irq(c, deadline);
	if (!READ_ONCE(c->finished)) {
		if (!err)
			err = -EPROTO;
		/* Registers of a device that is gone read all ones. */
		if (g->vd.common.size && virtio_status(&g->vd) == 0xff)
			err = -ENODEV;
		vgpu_abort(g, err);
	}
	err = c->status;
	if (err)
		log_warn(g->name, "%s (0x%x): %s", vgpu_command(type), type,
			 errno_name(err));
	vgpu_cmd_put(c);
	return err;
}

int vgpu_call(struct vgpu_cmd *c, size_t len, const struct dma_seg *extra)
{
	int err = vgpu_submit(c, len, extra, vgpu_done);

	if (err) {
		vgpu_cmd_put(c);
		return err;
	}
	vgpu_kick(c->g);
	return vgpu_wait(c);
}

int vgpu_display_info(struct vgpu *g, struct vgpu_display *display)
{
	struct vgpu_cmd *c = vgpu_cmd_get(g, VGPU_CMD_GET_DISPLAY_INFO);
	struct vgpu_slot *slot;
	int err;

	if (!c)
		return -ENODEV;
	slot = c->slot;
	err = vgpu_call(c, sizeof(struct vgpu_hdr), NULL);
	/* Nobody takes the slot before we have read it: one thread, one GPU. */
	for (unsigned i = 0; !err && i < g->nscanouts; i++)
		display[i] = slot->resp.info.display[i];
	return err;
}

int vgpu_create_2d(struct vgpu *g, uint32_t id, enum vgpu_format format,
		   unsigned width, unsigned height)
{
	struct vgpu_cmd *c = vgpu_cmd_get(g, VGPU_CMD_RESOURCE_CREATE_2D);

	if (!c)
		return -ENODEV;
	c->slot->req.create.resource_id = id;
	c->slot->req.create.format = format;
	c->slot->req.create.width = width;
	c->slot->req.create.height = height;
	return vgpu_call(c, sizeof(struct vgpu_create_2d), NULL);
}

static int vgpu_resource(struct vgpu *g, enum vgpu_type type, uint32_t id)
{
	struct vgpu_cmd *c = vgpu_cmd_get(g, type);

	if (!c)
		return -ENODEV;
	c->slot->req.resource.resource_id = id;
	return vgpu_call(c, sizeof(struct vgpu_resource), NULL);
}

int vgpu_unref(struct vgpu *g, uint32_t id)
{
	return vgpu_resource(g, VGPU_CMD_RESOURCE_UNREF, id);
}

int vgpu_detach(struct vgpu *g, uint32_t id)
{
	return vgpu_resource(g, VGPU_CMD_DETACH_BACKING, id);
}

int vgpu_attach(struct vgpu *g, uint32_t id, const struct dma_seg *seg,
		unsigned nsegs)
{
	struct device *dev = &g->vd.pci->dev;
	size_t len = nsegs * sizeof(struct vgpu_mem_entry);
	struct dma_seg extra = { .len = len };
	struct vgpu_mem_entry *entry;
	struct vgpu_cmd *c;
	int err = -ENODEV;

	entry = dma_alloc_coherent(dev, len, &extra.addr);
	if (!entry)
		return -ENOMEM;
	for (unsigned i = 0; i < nsegs; i++)
		entry[i] = (struct vgpu_mem_entry){
			.addr = seg[i].addr,
			.length = (uint32_t)seg[i].len,
		};
	c = vgpu_cmd_get(g, VGPU_CMD_ATTACH_BACKING);
	if (c) {
		c->slot->req.attach.resource_id = id;
		c->slot->req.attach.entries = nsegs;
		err = vgpu_call(c, sizeof(struct vgpu_attach), &extra);
	}
	dma_free_coherent(dev, len, entry, extra.addr);
	return err;
}

int vgpu_set_scanout(struct vgpu *g, unsigned scanout, uint32_t id,
		     unsigned width, unsigned height)
{
	struct vgpu_cmd *c = vgpu_cmd_get(g, VGPU_CMD_SET_SCANOUT);

	if (!c)
		return -ENODEV;
	c->slot->req.scanout.scanout_id = scanout;
	c->slot->req.scanout.resource_id = id;
	c->slot->req.scanout.r.width = width;
	c->slot->req.scanout.r.height = height;
	return vgpu_call(c, sizeof(struct vgpu_set_scanout), NULL);
}

/* The device takes commands in order: both are sent, then waited for. */
int vgpu_update(struct vgpu *g, uint32_t id, unsigned width,
		const struct vgpu_rect *r)
{
	struct vgpu_cmd *t = vgpu_cmd_get(g, VGPU_CMD_TRANSFER_TO_HOST_2D);
	struct vgpu_cmd *f = vgpu_cmd_get(g, VGPU_CMD_RESOURCE_FLUSH);
	int err = -ENODEV, err2;

	if (!t || !f)
		goto err_get;
	t->slot->req.transfer.r = f->slot->req.flush.r = *r;
	t->slot->req.transfer.offset = ((uint64_t)r->y * width + r->x) *
				       sizeof(uint32_t);
	t->slot->req.transfer.resource_id = id;
	f->slot->req.flush.resource_id = id;
	err = vgpu_submit(t, sizeof(struct vgpu_transfer), NULL, vgpu_done);
	if (err)
		goto err_get;
	err2 = vgpu_submit(f, sizeof(struct vgpu_flush), NULL, vgpu_done);
	vgpu_kick(g);
	err = vgpu_wait(t);
	if (err2)
		vgpu_cmd_put(f);
	else
		err2 = vgpu_wait(f);
	return err ? err : err2;

err_get:
	if (t)
		vgpu_cmd_put(t);
	if (f)
		vgpu_cmd_put(f);
	return err;
}
