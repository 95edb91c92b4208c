/* SPDX-License-Identifier: MIT */
#include "tests/fake/vgpu.h"

#include <stdlib.h>
#include <string.h>

static struct fake_vgpu_resource *fake_vgpu_find(struct fake_vgpu *f,
						 uint32_t id)
{
	for (unsigned i = 0; id && i < FAKE_VGPU_RESOURCES; i++)
		if (f->resource[i].id == id)
			return &f->resource[i];
	return NULL;
}

/* ---- commands: each returns the type of its answer ---- */

static uint32_t fake_vgpu_create(struct fake_vgpu *f,
				 const struct vgpu_create_2d *c)
{
	struct fake_vgpu_resource *r = NULL;

	if (!c->resource_id || fake_vgpu_find(f, c->resource_id))
		return VGPU_RESP_ERR_RESOURCE_ID;
	if (c->format != VGPU_FORMAT_B8G8R8X8 || !c->width || !c->height)
		return VGPU_RESP_ERR_PARAMETER;
	for (unsigned i = 0; i < FAKE_VGPU_RESOURCES && !r; i++)
		if (!f->resource[i].id)
			r = &f->resource[i];
	if (!r)
		return VGPU_RESP_ERR_OUT_OF_MEMORY;
	*r = (struct fake_vgpu_resource){
		.id = c->resource_id, .format = c->format,
		.width = c->width, .height = c->height,
		.image = calloc((size_t)c->width * c->height, 4),
	};
	return VGPU_RESP_OK_NODATA;
}

static void fake_vgpu_drop(struct fake_vgpu_resource *r)
{
	free(r->image);
	free(r->entry);
	memset(r, 0, sizeof(*r));
}

static void fake_vgpu_screen_off(struct fake_vgpu_screen *s)
{
	free(s->pixels);
	memset(s, 0, sizeof(*s));
}

static uint32_t fake_vgpu_unref(struct fake_vgpu *f, uint32_t id)
{
	struct fake_vgpu_resource *r = fake_vgpu_find(f, id);

	if (!r)
		return VGPU_RESP_ERR_RESOURCE_ID;
	for (unsigned i = 0; i < VGPU_SCANOUTS; i++)
		if (f->screen[i].resource == id)
			fake_vgpu_screen_off(&f->screen[i]);
	fake_vgpu_drop(r);
	return VGPU_RESP_OK_NODATA;
}

/* The entries are the rest of the chain's readable part, whole. */
static uint32_t fake_vgpu_attach(struct fake_vgpu *f,
				 const struct fake_chain *chain,
				 const struct vgpu_attach *c)
{
	struct fake_vgpu_resource *r = fake_vgpu_find(f, c->resource_id);
	size_t len = c->entries * sizeof(struct vgpu_mem_entry);

	if (!r)
		return VGPU_RESP_ERR_RESOURCE_ID;
	if (r->entries || !c->entries || c->entries > 16384 ||
	    chain->readable != sizeof(*c) + len)
		return VGPU_RESP_ERR_UNSPEC;
	r->entry = malloc(len);
	r->entries = c->entries;
	if (fake_virtio_get(&f->v, chain, sizeof(*c), r->entry, len) != len)
		return VGPU_RESP_ERR_UNSPEC;
	return VGPU_RESP_OK_NODATA;
}

static uint32_t fake_vgpu_detach(struct fake_vgpu *f, uint32_t id)
{
	struct fake_vgpu_resource *r = fake_vgpu_find(f, id);

	if (!r || !r->entries)
		return VGPU_RESP_ERR_RESOURCE_ID;
	free(r->entry);
	r->entry = NULL;
	r->entries = 0;
	return VGPU_RESP_OK_NODATA;
}

static bool fake_vgpu_inside(const struct vgpu_rect *r, uint32_t w, uint32_t h)
{
	return r->x <= w && r->width <= w - r->x && r->y <= h &&
	       r->height <= h - r->y;
}

/* The whole resource or any part of it; scan-outs of under 16 pixels: no. */
static uint32_t fake_vgpu_scanout(struct fake_vgpu *f,
				  const struct vgpu_set_scanout *c)
{
	struct fake_vgpu_resource *r = fake_vgpu_find(f, c->resource_id);
	struct fake_vgpu_screen *s;

	if (c->scanout_id >= VGPU_SCANOUTS)
		return VGPU_RESP_ERR_SCANOUT_ID;
	s = &f->screen[c->scanout_id];
	if (!c->resource_id) {
		fake_vgpu_screen_off(s);
		return VGPU_RESP_OK_NODATA;
	}
	if (!r)
		return VGPU_RESP_ERR_RESOURCE_ID;
	if (c->r.width < 16 || c->r.height < 16 ||
	    !fake_vgpu_inside(&c->r, r->width, r->height))
		return VGPU_RESP_ERR_PARAMETER;
	fake_vgpu_screen_off(s);
	s->resource = r->id;
	s->r = c->r;
	s->pixels = calloc((size_t)c->r.width * c->r.height, 4);
	return VGPU_RESP_OK_NODATA;
}

/* Copy len bytes at off of the backing, which may lie in several pieces. */
static bool fake_vgpu_gather(struct fake_vgpu *f,
			     const struct fake_vgpu_resource *r, uint64_t off,
			     uint8_t *to, uint64_t len)
{
	for (unsigned i = 0; i < r->entries && len; i++) {
		uint64_t n = r->entry[i].length;

		if (off >= n) {
			off -= n;
			continue;
		}
		n = n - off < len ? n - off : len;
		if (!fake_virtio_read(&f->v, r->entry[i].addr + off, to, n))
			return false;
		to += n;
		len -= n;
		off = 0;
	}
	return len == 0;
}

static uint32_t fake_vgpu_transfer(struct fake_vgpu *f,
				   const struct vgpu_transfer *c)
{
	struct fake_vgpu_resource *r = fake_vgpu_find(f, c->resource_id);

	f->last_transfer = c->r;
	if (!r || !r->entries)
		return VGPU_RESP_ERR_RESOURCE_ID;
	if (!fake_vgpu_inside(&c->r, r->width, r->height))
		return VGPU_RESP_ERR_PARAMETER;
	for (uint32_t y = 0; y < c->r.height; y++) {
		uint32_t *to = r->image + (size_t)(c->r.y + y) * r->width +
			       c->r.x;

		if (!fake_vgpu_gather(f, r, c->offset + (uint64_t)y *
				      r->width * 4, (uint8_t *)to,
				      (uint64_t)c->r.width * 4))
			return VGPU_RESP_ERR_PARAMETER;
	}
	return VGPU_RESP_OK_NODATA;
}

static void fake_vgpu_show(struct fake_vgpu_screen *s,
			   const struct fake_vgpu_resource *r,
			   const struct vgpu_rect *damage)
{
	for (uint32_t y = 0; y < s->r.height; y++)
		for (uint32_t x = 0; x < s->r.width; x++) {
			uint32_t rx = x + s->r.x, ry = y + s->r.y;

			if (rx - damage->x < damage->width &&
			    ry - damage->y < damage->height)
				s->pixels[y * s->r.width + x] =
					r->image[ry * r->width + rx];
		}
}

static uint32_t fake_vgpu_flush(struct fake_vgpu *f,
				const struct vgpu_flush *c)
{
	struct fake_vgpu_resource *r = fake_vgpu_find(f, c->resource_id);

	f->last_flush = c->r;
	if (!r)
		return VGPU_RESP_ERR_RESOURCE_ID;
	if (!fake_vgpu_inside(&c->r, r->width, r->height))
		return VGPU_RESP_ERR_PARAMETER;
	for (unsigned i = 0; i < VGPU_SCANOUTS; i++)
		if (f->screen[i].resource == r->id)
			fake_vgpu_show(&f->screen[i], r, &c->r);
	return VGPU_RESP_OK_NODATA;
}

/* ---- the queue ---- */

union fake_vgpu_request {
	struct vgpu_hdr hdr;
	struct vgpu_create_2d create;
	struct vgpu_resource resource;
	struct vgpu_set_scanout scanout;
	struct vgpu_flush flush;
	struct vgpu_transfer transfer;
	struct vgpu_attach attach;
};

static uint32_t fake_vgpu_run(struct fake_vgpu *f,
			      const struct fake_chain *chain,
			      const union fake_vgpu_request *q)
{
	switch (q->hdr.type) {
	case VGPU_CMD_GET_DISPLAY_INFO:
		return VGPU_RESP_OK_DISPLAY_INFO;
	case VGPU_CMD_RESOURCE_CREATE_2D:
		return fake_vgpu_create(f, &q->create);
	case VGPU_CMD_RESOURCE_UNREF:
		return fake_vgpu_unref(f, q->resource.resource_id);
	case VGPU_CMD_SET_SCANOUT:
		return fake_vgpu_scanout(f, &q->scanout);
	case VGPU_CMD_RESOURCE_FLUSH:
		return fake_vgpu_flush(f, &q->flush);
	case VGPU_CMD_TRANSFER_TO_HOST_2D:
		return fake_vgpu_transfer(f, &q->transfer);
	case VGPU_CMD_ATTACH_BACKING:
		return fake_vgpu_attach(f, chain, &q->attach);
	case VGPU_CMD_DETACH_BACKING:
		return fake_vgpu_detach(f, q->resource.resource_id);
	default:
		return VGPU_RESP_ERR_UNSPEC;
	}
}

static void fake_vgpu_answer(struct fake_vgpu *f, struct fake_chain *chain,
			     const struct vgpu_hdr *request, uint32_t type)
{
	bool bad = f->bad && request->type == f->bad;
	struct vgpu_display_info info = { .hdr = { .type = type } };
	size_t len = sizeof(info.hdr);

	if (request->flags & VGPU_FLAG_FENCE) {
		info.hdr.flags = bad && f->no_fence ? 0 : VGPU_FLAG_FENCE;
		info.hdr.fence_id = request->fence_id + (bad && f->wrong_fence);
	}
	if (type == VGPU_RESP_OK_DISPLAY_INFO) {
		memcpy(info.display, f->display, sizeof(info.display));
		len = sizeof(info);
	}
	len = fake_virtio_put(&f->v, chain, 0, &info, len);
	if (bad && f->short_answer)
		len = sizeof(info.hdr) - 1;
	if (bad && f->bogus_id)
		fake_virtio_push_id(&f->v, 0, chain->head + 7, (uint32_t)len);
	else
		fake_virtio_push(&f->v, 0, chain, (uint32_t)len);
}

static void fake_vgpu_notify(struct fake_virtio *v, unsigned queue)
{
	struct fake_vgpu *f = v->priv;
	struct fake_chain chain;

	while (queue == 0 && fake_virtio_pop(v, 0, &chain)) {
		union fake_vgpu_request q = { .hdr = { 0 } };
		uint32_t type;

		fake_virtio_get(v, &chain, 0, &q, sizeof(q));
		if (f->nlog < FAKE_VGPU_LOG)
			f->log[f->nlog++] = q.hdr.type;
		if (f->on_command)
			f->on_command(f, q.hdr.type);
		if (f->bad && f->bad == q.hdr.type && f->swallow)
			continue;
		if (f->bad && f->bad == q.hdr.type && f->answer)
			type = f->answer;
		else
			type = fake_vgpu_run(f, &chain, &q);
		fake_vgpu_answer(f, &chain, &q.hdr, type);
	}
}

/* A reset device has no resources, and holds on to no memory. */
static void fake_vgpu_reset(struct fake_virtio *v)
{
	struct fake_vgpu *f = v->priv;

	for (unsigned i = 0; i < VGPU_SCANOUTS; i++)
		fake_vgpu_screen_off(&f->screen[i]);
	for (unsigned i = 0; i < FAKE_VGPU_RESOURCES; i++)
		fake_vgpu_drop(&f->resource[i]);
}

void fake_vgpu_init(struct fake_vgpu *f, uint16_t bdf, unsigned width,
		    unsigned height, unsigned vectors, uint64_t features)
{
	const uint32_t config[VGPU_CONFIG_SIZE / 4] = { 0, 0, 1, 0 };

	memset(f, 0, sizeof(*f));
	fake_virtio_init(&f->v, bdf, VGPU_DEVICE_TYPE, 0x038000, VGPU_QUEUES,
			 features);
	f->v.q[VGPU_QUEUE_CONTROL].max = 64;
	f->v.q[VGPU_QUEUE_CURSOR].max = 16;
	fake_virtio_config(&f->v, config, sizeof(config));
	if (vectors)
		fake_virtio_msix(&f->v, vectors);
	f->v.notify = fake_vgpu_notify;
	f->v.reset = fake_vgpu_reset;
	f->v.priv = f;
	f->display[0].r.width = width;
	f->display[0].r.height = height;
	f->display[0].enabled = 1;
}

void fake_vgpu_add(struct fake_vgpu *f)
{
	fake_virtio_add(&f->v);
}

void fake_vgpu_remove(struct fake_vgpu *f)
{
	fake_virtio_remove(&f->v);
	fake_vgpu_reset(&f->v);
}

unsigned fake_vgpu_resources(const struct fake_vgpu *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FAKE_VGPU_RESOURCES; i++)
		n += f->resource[i].id != 0;
	return n;
}

unsigned fake_vgpu_attached(const struct fake_vgpu *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FAKE_VGPU_RESOURCES; i++)
		n += f->resource[i].entries != 0;
	return n;
}

unsigned fake_vgpu_count(const struct fake_vgpu *f, uint32_t type)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->nlog; i++)
		n += f->log[i] == type;
	return n;
}
