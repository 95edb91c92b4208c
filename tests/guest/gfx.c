/* SPDX-License-Identifier: MIT */
/*
 * The display as this machine has it. What the guest can prove: the device
 * took every command, answered wrong ones with the error that the
 * specification gives them, and cannot reach memory that it was not given.
 * What it cannot prove is that the host shows the same pixels: that is for
 * the host, which compares a screenshot with the CRC-32 of "screen".
 *
 * One could be fooled by a driver that never talks to its device; hence the
 * wrong commands, which a device must answer with the right error each.
 */
#include "core/device.h"
#include "core/dma.h"
#include "core/errno.h"
#include "core/pci.h"
#include "core/report.h"
#include "gfx/crc.h"
#include "gfx/fb.h"
#include "gfx/vgpu.h"
#include "viommu/viommu.h"

#define GFX_SIDE	64		/* of what is drawn */
#define GFX_ID		99		/* a resource of ours, for a while */
#define GFX_CRC		0x77ebd1ed	/* of the pattern */

static struct fb *gfx_screen(struct ktest_run *t)
{
	struct fb *fb = fb_get(0);

	if (!fb)
		ktest_skip(t, "no display in this machine");
	return fb;
}

/* The first virtio-gpu that a driver took, or NULL after a skip. */
static struct pci_dev *gfx_gpu(struct ktest_run *t)
{
	struct pci_dev *p;

	list_for_each(p, &pci_devices, node)
		if (p->driver == &vgpu_driver && p->drvdata)
			return p;
	ktest_skip(t, "no virtio-gpu in this machine");
	return NULL;
}

/* Every bit of a pixel's three colours changes from one to the next. */
static void gfx_pattern(struct surface *s, unsigned x0, unsigned y0)
{
	uint32_t rgb = 0x123456;

	for (unsigned y = 0; y < GFX_SIDE; y++)
		for (unsigned x = 0; x < GFX_SIDE; x++) {
			rgb = (rgb << 5 ^ rgb >> 19 ^ (y << 8 | x)) & 0xffffff;
			s->row[y0 + y][x0 + x] = rgb;
		}
}

KTEST(gfx, a_pattern_is_drawn_and_the_gpu_takes_it)
{
	struct fb *fb = gfx_screen(t);
	unsigned x, y;

	if (!fb)
		return;
	KASSERT(t, fb->surface.width >= GFX_SIDE &&
		   fb->surface.height >= GFX_SIDE);
	x = fb->surface.width - GFX_SIDE;
	y = fb->surface.height - GFX_SIDE;
	gfx_pattern(&fb->surface, x, y);
	KEXPECT_EQ(t, fb->flush(fb, x, y, GFX_SIDE, GFX_SIDE), 0);
	/* Computed on the host from the same rule. */
	KEXPECT_EQ(t, fb_crc32(fb, x, y, GFX_SIDE, GFX_SIDE), GFX_CRC);
}

KTEST(gfx, the_whole_screen_can_be_sent)
{
	struct fb *fb = gfx_screen(t);
	nsec_t start;

	if (!fb)
		return;
	start = time_now();
	KEXPECT_EQ(t, fb->flush(fb, 0, 0, fb->surface.width,
				fb->surface.height), 0);
	ktest_metric("gfx_flush", (time_now() - start) / NSEC_PER_USEC, "us");
	ktest_metric("gfx_pieces", fb->nsegs, "pieces");
}

KTEST(gfx, what_is_outside_of_the_screen_is_not_sent)
{
	struct fb *fb = gfx_screen(t);
	struct pci_dev *p = fb ? gfx_gpu(t) : NULL;
	struct vgpu *g;
	uint64_t before;

	if (!p)
		return;
	g = p->drvdata;
	before = g->commands;
	KEXPECT_EQ(t, fb->flush(fb, fb->surface.width, 0, 1, 1), 0);
	KEXPECT_EQ(t, fb->flush(fb, 0, fb->surface.height, 1, 1), 0);
	KEXPECT_EQ(t, fb->flush(fb, 0, 0, 0, 0), 0);
	KEXPECT_EQ(t, g->commands, before);
	KEXPECT_EQ(t, fb->flush(fb, fb->surface.width - 1, 0, UINT32_MAX,
				UINT32_MAX), 0);
	KEXPECT_EQ(t, g->commands, before + 2);
}

KTEST(gfx, the_picture_is_scattered_over_memory)
{
	struct fb *fb = gfx_screen(t);
	unsigned jumps = 0, back = 0;

	if (!fb)
		return;
	for (unsigned y = 1; y < fb->surface.height; y++) {
		uint32_t *last = fb->surface.row[y - 1];

		jumps += fb->surface.row[y] != last + fb->surface.width;
		back += fb->surface.row[y] < last;
	}
	KEXPECT(t, jumps > 1);
	KEXPECT_MSG(t, back >= 1, "no piece lies before its neighbour");
	ktest_metric("gfx_jumps", jumps, "rows");
}

KTEST(gfx, commands_complete_by_interrupt)
{
	struct fb *fb = gfx_screen(t);
	struct pci_dev *p = fb ? gfx_gpu(t) : NULL;
	struct vgpu *g;
	uint64_t before;

	if (!p)
		return;
	g = p->drvdata;
	if (g->polled) {
		ktest_skip(t, "the GPU has no MSI-X vector");
		return;
	}
	before = g->interrupts;
	for (unsigned i = 0; i < 5; i++)
		KEXPECT_EQ(t, fb->flush(fb, 0, 0, 16, 16), 0);
	KEXPECT(t, g->interrupts >= before + 5);
	KEXPECT_EQ(t, g->lost_interrupts, 0);
}

/* ---- wrong commands, on purpose ---- */

static int gfx_create(struct vgpu *g, uint32_t id, enum vgpu_format format)
{
	return vgpu_create_2d(g, id, format, 16, 16);
}

static int gfx_flush(struct vgpu *g, uint32_t id, uint32_t side)
{
	struct vgpu_cmd *c = vgpu_cmd_get(g, VGPU_CMD_RESOURCE_FLUSH);

	if (!c)
		return -EBUSY;
	c->slot->req.flush.resource_id = id;
	c->slot->req.flush.r.width = c->slot->req.flush.r.height = side;
	return vgpu_call(c, sizeof(struct vgpu_flush), NULL);
}

static int gfx_unknown(struct vgpu *g)
{
	struct vgpu_cmd *c = vgpu_cmd_get(g, 0x01ff);

	return c ? vgpu_call(c, sizeof(struct vgpu_hdr), NULL) : -EBUSY;
}

KTEST(gfx, each_wrong_command_gets_its_error)
{
	struct pci_dev *p = gfx_gpu(t);
	struct vgpu *g;

	if (!p)
		return;
	g = p->drvdata;
	KEXPECT_EQ(t, gfx_create(g, 0, VGPU_FORMAT_B8G8R8X8), -ENOENT);
	KEXPECT_EQ(t, gfx_create(g, 1, VGPU_FORMAT_B8G8R8X8), -ENOENT);
	KEXPECT_EQ(t, gfx_create(g, GFX_ID, 0xff), -EINVAL);
	KEXPECT_EQ(t, vgpu_unref(g, GFX_ID), -ENOENT);
	KEXPECT_EQ(t, vgpu_set_scanout(g, g->nscanouts, 1, 32, 32), -ENXIO);
	KEXPECT_EQ(t, gfx_flush(g, GFX_ID, 1), -ENOENT);
	KEXPECT_EQ(t, gfx_flush(g, 1, UINT32_MAX), -EINVAL);
	KEXPECT_EQ(t, gfx_unknown(g), -EIO);
	/* None of it did any harm. */
	KEXPECT_EQ(t, gfx_flush(g, 1, 16), 0);
}

/* Offer the GPU memory that is not its own, as backing. */
/*
 * What it answers is in *answer, and must be -EIO; the IOMMU must say which
 * page it was. A host that is known to keep no record is excused that alone.
 */
static void gfx_offer_unmapped(struct ktest_run *t, struct pci_dev *p,
			       uint32_t len, int *answer)
{
	uint64_t before = iommu_fault_count();
	struct vgpu *g = p->drvdata;
	struct dma_seg seg = { .len = len };
	struct iommu_fault fault;
	int err;

	*answer = -EIO;
	if (iommu_reserve_iova(&p->dev, len, &seg.addr)) {
		ktest_skip(t, "no IOMMU translates for the GPU");
		return;
	}
	KEXPECT_EQ(t, gfx_create(g, GFX_ID, VGPU_FORMAT_B8G8R8X8), 0);
	*answer = vgpu_attach(g, GFX_ID, &seg, 1);
	err = iommu_fault_wait(p->bdf, before, time_now() + NSEC_PER_SEC,
			       &fault);
	if (err && iommu_records_nothing() && *answer == -EIO && !t->failures)
		ktest_xfail(t, "amd-iommu: the event log is never written");
	if (KEXPECT_EQ(t, err, 0)) {
		KEXPECT_EQ(t, fault.bdf, p->bdf);
		KEXPECT(t, fault.addr - seg.addr < len);
	}
	KEXPECT_EQ(t, vgpu_unref(g, GFX_ID), 0);
	iommu_release_iova(&p->dev, seg.addr, len);
	KEXPECT_EQ(t, gfx_flush(g, 1, 16), 0);
}

KTEST(gfx, memory_that_the_gpu_was_not_given_is_refused)
{
	struct pci_dev *p = gfx_gpu(t);
	int answer;

	if (!p)
		return;
	gfx_offer_unmapped(t, p, 2 * PAGE_SIZE, &answer);
	KEXPECT_EQ(t, answer, -EIO);
}

/*
 * QEMU maps what it cannot reach through one bounce buffer of 4 KiB, and
 * so takes a single page that the IOMMU refused. It holds nobody's memory.
 */
KTEST(gfx, a_single_page_that_it_was_not_given_is_refused)
{
	struct pci_dev *p = gfx_gpu(t);
	int answer;

	if (!p)
		return;
	gfx_offer_unmapped(t, p, PAGE_SIZE, &answer);
	if (answer == 0)
		ktest_xfail(t, "virtio-gpu takes an unmapped page "
			    "(QEMU's bounce buffer)");
	KEXPECT_EQ(t, answer, -EIO);
}
