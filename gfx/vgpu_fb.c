/* SPDX-License-Identifier: MIT */
/*
 * Screens of a virtio-gpu, in thread context.
 *
 * The picture is a resource of the host's, into which TRANSFER copies from
 * guest memory and which FLUSH shows. That memory is many small blocks on
 * purpose, none next to its neighbour in the picture: the device gathers the
 * rows through the IOMMU, and a picture that is whole on the host's side is
 * proof that every one of the translations is right.
 *
 * A row never straddles blocks, so that drawing sees plain rows; the device
 * sees the blocks without what is left over at their ends, one row after the
 * other, as ATTACH_BACKING wants them.
 */
#include "gfx/vgpu.h"

#include "core/bits.h"
#include "core/dma.h"
#include "core/errno.h"
#include "core/fmt.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/page.h"

#define VGPU_SIDE_MIN	16			/* QEMU takes no less */
#define VGPU_SIDE_MAX	8192
#define VGPU_ORDER	2			/* blocks of 16 KiB */
#define VGPU_ENTRIES	16384			/* QEMU takes no more */

struct vgpu_block {
	void *p;
	unsigned order, rows;
};

struct vgpu_screen {
	struct fb fb;
	struct vgpu *g;
	unsigned scanout;
	uint32_t resource;
	unsigned nblocks;
	struct vgpu_block *block;
	unsigned nsegs;			/* the blocks as the GPU sees them */
	struct dma_seg *seg;
};

/* Screens are numbered over all GPUs. */
static unsigned vgpu_screens;

/* Cut [*at, *at + *len) to [0, limit). Returns whether any is left. */
static bool vgpu_clip(unsigned at, unsigned *len, unsigned limit)
{
	if (at >= limit || !*len)
		return false;
	*len = MIN(*len, limit - at);
	return true;
}

static int vgpu_flush(struct fb *fb, unsigned x, unsigned y, unsigned w,
		      unsigned h)
{
	struct vgpu_screen *sc = fb->priv;

	if (!vgpu_clip(x, &w, fb->surface.width) ||
	    !vgpu_clip(y, &h, fb->surface.height))
		return 0;
	return vgpu_update(sc->g, sc->resource, fb->surface.width,
			   &(struct vgpu_rect){ x, y, w, h });
}

/* ---- memory of a screen ---- */

static void vgpu_blocks_free(struct vgpu_screen *sc)
{
	for (unsigned i = 0; i < sc->nblocks; i++)
		page_free(sc->block[i].p, sc->block[i].order);
	sc->nblocks = 0;
	heap_free(sc->block);
	heap_free(sc->fb.surface.row);
}

/* A block of the usual size, or as small as a row allows when memory is short. */
static int vgpu_block_alloc(struct vgpu_block *b, size_t stride)
{
	unsigned least = page_order(stride);

	for (b->order = MAX(least, (unsigned)VGPU_ORDER);; b->order--) {
		b->p = page_alloc(b->order);
		if (b->p || b->order == least)
			break;
	}
	b->rows = (unsigned)(((size_t)PAGE_SIZE << b->order) / stride);
	return b->p ? 0 : -ENOMEM;
}

/*
 * The i-th piece of the picture is which block, of n: first all even ones,
 * then all odd ones, so that neighbours in memory are far apart in the picture.
 */
static unsigned vgpu_scatter(unsigned i, unsigned n)
{
	unsigned half = (n + 1) / 2;

	return i < half ? 2 * i : 2 * (i - half) + 1;
}

/* Deal the rows out over the blocks; what is not needed loses its rows. */
static void vgpu_rows(struct vgpu_screen *sc)
{
	struct surface *s = &sc->fb.surface;
	unsigned y = 0;

	for (unsigned i = 0; i < sc->nblocks; i++) {
		struct vgpu_block *b;

		b = &sc->block[vgpu_scatter(i, sc->nblocks)];
		b->rows = MIN(b->rows, s->height - y);
		for (unsigned r = 0; r < b->rows; r++)
			s->row[y++] = (uint32_t *)b->p + (size_t)r * s->width;
	}
}

static int vgpu_blocks_alloc(struct vgpu_screen *sc)
{
	struct surface *s = &sc->fb.surface;
	size_t stride = (size_t)s->width * sizeof(uint32_t);
	unsigned least = (unsigned)(((size_t)PAGE_SIZE << page_order(stride)) /
				    stride);
	unsigned rows = 0;

	s->row = heap_calloc(s->height, sizeof(s->row[0]));
	sc->block = heap_calloc(DIV_ROUND_UP(s->height, least),
				sizeof(sc->block[0]));
	if (!s->row || !sc->block)
		goto err_alloc;
	while (rows < s->height) {
		struct vgpu_block *b = &sc->block[sc->nblocks];

		if (vgpu_block_alloc(b, stride))
			goto err_alloc;
		sc->nblocks++;
		rows += b->rows;
	}
	vgpu_rows(sc);
	return 0;

err_alloc:
	vgpu_blocks_free(sc);
	return -ENOMEM;
}

static void vgpu_unmap(struct vgpu_screen *sc)
{
	dma_unmap_sg(&sc->g->vd.pci->dev, sc->seg, sc->nsegs, DMA_TO_DEVICE);
	heap_free(sc->seg);
}

/* Map the blocks, in the picture's order, without what no row uses. */
static int vgpu_map(struct vgpu_screen *sc)
{
	size_t stride = (size_t)sc->fb.surface.width * sizeof(uint32_t);
	struct dma_vec *vec = heap_calloc(sc->nblocks, sizeof(*vec));
	unsigned n = 0;
	int err = -ENOMEM;

	sc->seg = heap_calloc(sc->nblocks, sizeof(*sc->seg));
	if (!vec || !sc->seg)
		goto err_map;
	for (unsigned i = 0; i < sc->nblocks; i++) {
		struct vgpu_block *b;

		b = &sc->block[vgpu_scatter(i, sc->nblocks)];
		if (b->rows)
			vec[n++] = (struct dma_vec){ b->p, b->rows * stride };
	}
	err = dma_map_sg(&sc->g->vd.pci->dev, vec, n, DMA_TO_DEVICE, sc->seg,
			 sc->nblocks);
	if (err < 0)
		goto err_map;
	sc->nsegs = (unsigned)err;
	sc->fb.nsegs = n;
	heap_free(vec);
	return 0;

err_map:
	heap_free(sc->seg);
	heap_free(vec);
	return err;
}

/* ---- screens ---- */

/*
 * The device lets go of the memory, by its word or by a reset; only then may
 * the caller unmap it.
 */
static void vgpu_let_go(struct vgpu_screen *sc)
{
	int err = vgpu_detach(sc->g, sc->resource);

	if (err)
		vgpu_abort(sc->g, err);
}

static int vgpu_show(struct vgpu_screen *sc)
{
	const struct surface *s = &sc->fb.surface;
	int err;

	err = vgpu_create_2d(sc->g, sc->resource, VGPU_FORMAT_B8G8R8X8,
			     s->width, s->height);
	if (err)
		return err;
	err = vgpu_attach(sc->g, sc->resource, sc->seg, sc->nsegs);
	if (err)
		goto err_attach;
	err = vgpu_set_scanout(sc->g, sc->scanout, sc->resource, s->width,
			       s->height);
	if (err)
		goto err_scanout;
	return 0;

err_scanout:
	vgpu_let_go(sc);
err_attach:			/* whatever it answered, it may have the memory */
	if (vgpu_unref(sc->g, sc->resource))
		vgpu_abort(sc->g, err);
	return err;
}

static void vgpu_hide(struct vgpu_screen *sc)
{
	vgpu_set_scanout(sc->g, sc->scanout, 0, 0, 0);
	vgpu_let_go(sc);
	vgpu_unref(sc->g, sc->resource);
}

static void vgpu_screen_stop(struct vgpu_screen *sc)
{
	fb_unregister(&sc->fb);
	vgpu_hide(sc);
	vgpu_unmap(sc);
	vgpu_blocks_free(sc);
	heap_free(sc);
}

static void vgpu_screen_init(struct vgpu_screen *sc, struct vgpu *g,
			     unsigned scanout, unsigned w, unsigned h)
{
	sc->g = g;
	sc->scanout = scanout;
	sc->resource = scanout + 1;	/* 0 names no resource */
	sc->fb.surface.width = w;
	sc->fb.surface.height = h;
	sc->fb.flush = vgpu_flush;
	sc->fb.priv = sc;
}

static int vgpu_screen_start(struct vgpu *g, unsigned scanout, unsigned w,
			     unsigned h)
{
	struct vgpu_screen *sc = heap_zalloc(sizeof(*sc));
	int err = -ENOMEM;

	if (!sc)
		goto err_screen;
	vgpu_screen_init(sc, g, scanout, w, h);
	err = vgpu_blocks_alloc(sc);
	if (err)
		goto err_blocks;
	err = vgpu_map(sc);
	if (err)
		goto err_map;
	err = sc->nsegs > VGPU_ENTRIES ? -E2BIG : vgpu_show(sc);
	if (err)
		goto err_show;
	fmt_snprintf(sc->fb.name, sizeof(sc->fb.name), "vgpu%u",
		     vgpu_screens++);
	g->screen[scanout] = sc;
	fb_register(&sc->fb);
	log_info(sc->fb.name, "%ux%u on %s, scan-out %u; %u pieces of memory, "
		 "%u for the GPU", w, h, g->name, scanout, sc->fb.nsegs,
		 sc->nsegs);
	return 0;

err_show:
	vgpu_unmap(sc);
err_map:
	vgpu_blocks_free(sc);
err_blocks:
	heap_free(sc);
err_screen:
	log_err(g->name, "scan-out %u, %ux%u: %s", scanout, w, h,
		errno_name(err));
	return err;
}

static bool vgpu_size_ok(uint32_t side)
{
	return side >= VGPU_SIDE_MIN && side <= VGPU_SIDE_MAX;
}

int vgpu_screens_start(struct vgpu *g)
{
	struct vgpu_display display[VGPU_SCANOUTS];
	unsigned n = 0;
	int err;

	err = vgpu_display_info(g, display);
	if (err)
		return err;
	for (unsigned i = 0; i < g->nscanouts; i++) {
		const struct vgpu_display *d = &display[i];

		if (!d->enabled)
			continue;
		if (!vgpu_size_ok(d->r.width) || !vgpu_size_ok(d->r.height)) {
			log_warn(g->name, "scan-out %u: %ux%u is no size", i,
				 d->r.width, d->r.height);
			continue;
		}
		err = vgpu_screen_start(g, i, d->r.width, d->r.height);
		if (err)
			goto err_start;
		n++;
	}
	if (n)
		return 0;
	log_warn(g->name, "no display is on");
	err = -ENODEV;

err_start:
	vgpu_screens_stop(g);
	return err;
}

void vgpu_screens_stop(struct vgpu *g)
{
	for (unsigned i = VGPU_SCANOUTS; i-- > 0;)
		if (g->screen[i]) {
			vgpu_screen_stop(g->screen[i]);
			g->screen[i] = NULL;
		}
}
