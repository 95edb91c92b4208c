/* SPDX-License-Identifier: MIT */
/*
 * DMA: the calls of core/dma.h handed to whoever translates for the device,
 * and the direct provider, for machines without an IOMMU, where a device's
 * address is the physical one.
 *
 * A device is in a domain from dma_attach() to dma_detach(); its ops pointer
 * says so, and every call looks at it. Maps and unmaps are counted per device,
 * one for each successful call.
 *
 * The direct provider keeps the promise of the mask, but cannot bounce: memory
 * above it is refused with -ENOTSUP.
 */
#include "core/dma.h"

#include "core/cpu.h"
#include "core/device.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/page.h"
#include "core/string.h"

static int dma_direct_attach(struct device *dev);
static void dma_direct_detach(struct device *dev);

static const struct dma_provider dma_direct = {
	.name = "direct",
	.attach = dma_direct_attach,
	.detach = dma_direct_detach,
};

static const struct dma_provider *dma_provider = &dma_direct;

/* ---- which domain ---- */

void dma_set_provider(const struct dma_provider *p)
{
	dma_provider = p ? p : &dma_direct;
}

const char *dma_provider_name(void)
{
	return dma_provider->name;
}

int dma_attach(struct device *dev)
{
	int err;

	if (dev->dma.ops)
		return -EBUSY;
	err = dma_provider->attach(dev);
	if (err) {
		dev->dma.ops = NULL;
		log_err(dev->name, "%s gives it no DMA domain (%s)",
			dma_provider->name, errno_name(err));
	}
	return err;
}

void dma_detach(struct device *dev)
{
	if (!dev->dma.ops)
		return;
	if (dev->dma.maps != dev->dma.unmaps)
		log_warn(dev->name, "detached with %lld DMA mappings left",
			 (long long)(dev->dma.maps - dev->dma.unmaps));
	dma_provider->detach(dev);
	dev->dma.ops = NULL;
}

/* ---- dispatch ---- */

static void dma_count(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

void *dma_alloc_coherent(struct device *dev, size_t size, iova_t *iova)
{
	const struct dma_ops *ops = dev->dma.ops;

	return ops && size ? ops->alloc_coherent(dev, size, iova) : NULL;
}

void dma_free_coherent(struct device *dev, size_t size, void *p, iova_t iova)
{
	if (p)
		dev->dma.ops->free_coherent(dev, size, p, iova);
}

int dma_map_sg(struct device *dev, const struct dma_vec *vec, unsigned nvec,
	       enum dma_dir dir, struct dma_seg *seg, unsigned nseg)
{
	const struct dma_ops *ops = dev->dma.ops;
	int n;

	if (unlikely(!ops))
		return -ENODEV;
	if (unlikely(!nvec || !nseg))
		return -EINVAL;
	n = ops->map_sg(dev, vec, nvec, dir, seg, nseg);
	if (likely(n > 0))
		dma_count(&dev->dma.maps);
	return n;
}

void dma_unmap_sg(struct device *dev, const struct dma_seg *seg, unsigned n,
		  enum dma_dir dir)
{
	dma_count(&dev->dma.unmaps);
	dev->dma.ops->unmap_sg(dev, seg, n, dir);
}

int dma_map(struct device *dev, void *p, size_t len, enum dma_dir dir,
	    iova_t *iova)
{
	const struct dma_vec vec = { p, len };
	struct dma_seg seg;
	int n = dma_map_sg(dev, &vec, 1, dir, &seg, 1);

	if (n < 0)
		return n;
	*iova = seg.addr;
	return 0;
}

void dma_unmap(struct device *dev, iova_t iova, size_t len, enum dma_dir dir)
{
	const struct dma_seg seg = { iova, len };

	dma_unmap_sg(dev, &seg, 1, dir);
}

/* ---- the direct provider ---- */

static bool dma_direct_reaches(const struct device *dev, phys_t pa, size_t len)
{
	return pa <= dev->dma.mask && len - 1 <= dev->dma.mask - pa;
}

static void *dma_direct_alloc(struct device *dev, size_t size, iova_t *iova)
{
	unsigned order = page_order(size);
	uint64_t mask = dev->dma.mask;
	void *p;

	if (order > PAGE_ORDER_MAX)
		return NULL;
	p = mask == UINT64_MAX ? page_alloc(order) :
				 page_alloc_below(order, mask + 1);
	if (!p)
		return NULL;
	memset(p, 0, size);
	*iova = virt_to_phys(p);
	return p;
}

static void dma_direct_free(struct device *dev, size_t size, void *p,
			    iova_t iova)
{
	page_free(p, page_order(size));
}

/* The piece joins the last segment when it begins where that ends. */
static bool dma_direct_joins(const struct dma_seg *seg, unsigned n, phys_t pa)
{
	return n && seg[n - 1].addr + seg[n - 1].len == pa;
}

static int dma_direct_map_sg(struct device *dev, const struct dma_vec *vec,
			     unsigned nvec, enum dma_dir dir,
			     struct dma_seg *seg, unsigned nseg)
{
	unsigned n = 0;

	for (unsigned i = 0; i < nvec; i++) {
		phys_t pa;

		if (!vec[i].len)
			return -EINVAL;
		pa = virt_to_phys(vec[i].addr);
		if (!dma_direct_reaches(dev, pa, vec[i].len)) {
			log_err(dev->name, "cannot reach memory at 0x%llx",
				(unsigned long long)pa);
			return -ENOTSUP;
		}
		if (dma_direct_joins(seg, n, pa)) {
			seg[n - 1].len += vec[i].len;
			continue;
		}
		if (n == nseg)
			return -EINVAL;
		seg[n].addr = pa;
		seg[n++].len = vec[i].len;
	}
	return (int)n;
}

/* x86 devices snoop the caches, and there is no translation to forget. */
static void dma_direct_unmap_sg(struct device *dev, const struct dma_seg *seg,
				unsigned n, enum dma_dir dir)
{
}

const struct dma_ops dma_direct_ops = {
	.name = "direct",
	.alloc_coherent = dma_direct_alloc,
	.free_coherent = dma_direct_free,
	.map_sg = dma_direct_map_sg,
	.unmap_sg = dma_direct_unmap_sg,
};

static int dma_direct_attach(struct device *dev)
{
	dev->dma.ops = &dma_direct_ops;
	return 0;
}

static void dma_direct_detach(struct device *dev)
{
	dev->dma.ops = NULL;
}
