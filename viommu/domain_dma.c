/* SPDX-License-Identifier: MIT */
/*
 * The life of a mapping. A driver calls dma_map_sg(); core/dma.c comes here.
 * All pieces get one IOVA range: each is mapped by its whole pages, one after
 * the other, so a piece that starts where the one before ended, both at page
 * borders, continues its segment. The page table enforces the direction. The
 * driver gives the segments back; being neighbours in one range, the first
 * and the last of them say what it is. It is unmapped and invalidated as a
 * whole, by one command, before dma_unmap_sg() returns and before the range
 * can be handed out again (strict invalidation).
 *
 * What is exposed: IOMMU pages are 4 KiB, so a device reaches all of the pages
 * that its buffer touches, also the rest of the first and the last one.
 * Callers with secrets next door use whole pages.
 *
 * When an unmap fails, the hardware did not confirm that it has forgotten the
 * translation, and the driver is about to reuse the memory. Then the domain
 * is given up: bus mastering goes off for all its devices, which stops them
 * with or without an IOMMU, nothing is mapped any more, and its addresses
 * stay out of use.
 */
#include "viommu/domain.h"

#include "core/device.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/page.h"

/* ---- what a mapping looks like ---- */

/* Bytes of the whole pages that len bytes at addr touch. */
static uint64_t domain_pages(uint64_t addr, size_t len)
{
	return ALIGN_UP(addr % PAGE_SIZE + len, (uint64_t)PAGE_SIZE);
}

/* Does piece i continue the segment of the one before it? */
static bool domain_joins(const struct dma_vec *vec, unsigned i)
{
	return i && !(((uintptr_t)vec[i].addr |
		       ((uintptr_t)vec[i - 1].addr + vec[i - 1].len)) %
		      PAGE_SIZE);
}

/*
 * Lay the pieces out from address 0 on. Returns the number of segments and in
 * *size the bytes of IOVA that they take, or -EINVAL (an empty piece, no room).
 */
static int domain_layout(const struct dma_vec *vec, unsigned nvec,
			 struct dma_seg *seg, unsigned nseg, uint64_t *size)
{
	uint64_t at = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < nvec; i++) {
		uintptr_t addr = (uintptr_t)vec[i].addr;

		if (!vec[i].len)
			return -EINVAL;
		if (domain_joins(vec, i)) {
			seg[n - 1].len += vec[i].len;
		} else {
			if (n == nseg)
				return -EINVAL;
			seg[n].addr = at + addr % PAGE_SIZE;
			seg[n++].len = vec[i].len;
		}
		at += domain_pages(addr, vec[i].len);
	}
	*size = at;
	return (int)n;
}

/* Map the pieces' pages at iova, physical neighbours in one go. */
static int domain_map_pieces(struct domain *d, const struct dma_vec *vec,
			     unsigned nvec, iova_t iova, unsigned prot)
{
	phys_t run = 0;
	uint64_t len = 0;
	int err;

	for (unsigned i = 0; i < nvec; i++) {
		phys_t pa = virt_to_phys(vec[i].addr);
		uint64_t bytes = domain_pages(pa, vec[i].len);

		pa = pa & PAGE_MASK;
		if (len && run + len != pa) {
			err = d->ops->map(d, iova, run, len, prot);
			if (err)
				return err;
			iova += len;
			len = 0;
		}
		if (!len)
			run = pa;
		len += bytes;
	}
	return d->ops->map(d, iova, run, len, prot);
}

/* ---- under the lock ---- */

static void domain_give_up_locked(struct domain *d, int err)
{
	struct pci_dev *p;

	spin_assert_held(&d->lock);
	d->dead = err;
	log_err(d->name, "unmapping failed (%s): bus mastering off, domain given up",
		errno_name(err));
	list_for_each(p, &pci_devices, node) {
		if (domain_of(&p->dev) == d)
			pci_disable_master(p);
	}
}

/* Returns whether [iova, iova + size) may be handed out again. */
static bool domain_unmap_locked(struct domain *d, iova_t iova, uint64_t size)
{
	int err;

	spin_assert_held(&d->lock);
	if (d->dead)
		return false;
	err = d->ops->unmap(d, iova, size);
	if (err && err != -ENOENT)
		domain_give_up_locked(d, err);
	return !err;
}

static int domain_map_locked(struct domain *d, const struct dma_vec *vec,
			     unsigned nvec, unsigned prot, uint64_t size,
			     iova_t limit, iova_t *iova)
{
	int err, committed;

	spin_assert_held(&d->lock);
	if (d->dead)
		return d->dead;
	err = iova_alloc(&d->iova, size, limit, iova);
	if (err)
		return err;
	err = domain_map_pieces(d, vec, nvec, *iova, prot);
	committed = d->ops->commit(d, *iova, size);
	if (!err)
		err = committed;
	if (err)
		goto err_unmap;
	d->mapped += size;
	d->maps++;
	return 0;

err_unmap:
	/* Some of it was not mapped: that is no error here. */
	domain_unmap_locked(d, *iova, size);
	if (!d->dead)
		iova_free(&d->iova, *iova, size);
	return err;
}

static void domain_drop_locked(struct domain *d, iova_t iova, uint64_t size)
{
	d->unmaps++;
	if (domain_unmap_locked(d, iova, size)) {
		d->mapped -= size;
		iova_free(&d->iova, iova, size);
	} else if (!d->dead) {
		d->bad_unmaps++;
		log_err(d->name, "unmapping %#llx, %#llx bytes: was not mapped",
			(unsigned long long)iova, (unsigned long long)size);
	}
}

/* ---- the DMA API ---- */

static int domain_map_sg(struct device *dev, const struct dma_vec *vec,
			 unsigned nvec, enum dma_dir dir, struct dma_seg *seg,
			 unsigned nseg)
{
	struct domain *d = dev->dma.domain;
	irqflags_t flags;
	uint64_t size;
	iova_t iova;
	int n, err;

	if (!dir || dir & ~DMA_BIDIRECTIONAL)
		return -EINVAL;
	n = domain_layout(vec, nvec, seg, nseg, &size);
	if (n < 0)
		return n;
	flags = spin_lock(&d->lock);
	err = domain_map_locked(d, vec, nvec, dir, size, dev->dma.mask, &iova);
	spin_unlock(&d->lock, flags);
	if (err)
		return err;
	for (int i = 0; i < n; i++)
		seg[i].addr += iova;
	return n;
}

static void domain_unmap_sg(struct device *dev, const struct dma_seg *seg,
			    unsigned n, enum dma_dir dir)
{
	struct domain *d = dev->dma.domain;
	iova_t iova = seg[0].addr & PAGE_MASK;
	uint64_t size = ALIGN_UP(seg[n - 1].addr + seg[n - 1].len,
				 (uint64_t)PAGE_SIZE) - iova;
	irqflags_t flags = spin_lock(&d->lock);

	domain_drop_locked(d, iova, size);
	spin_unlock(&d->lock, flags);
}

static void *domain_alloc_coherent(struct device *dev, size_t size,
				   iova_t *iova)
{
	unsigned order = page_order(size);
	void *p = order <= PAGE_ORDER_MAX ? page_alloc_zero(order) : NULL;
	struct dma_vec vec = { p, size };
	struct dma_seg seg;

	if (!p)
		return NULL;
	if (domain_map_sg(dev, &vec, 1, DMA_BIDIRECTIONAL, &seg, 1) < 0) {
		page_free(p, order);
		return NULL;
	}
	*iova = seg.addr;
	return p;
}

/* Memory that a device may still reach is not for anybody else. */
static void domain_free_coherent(struct device *dev, size_t size, void *p,
				 iova_t iova)
{
	struct domain *d = dev->dma.domain;
	struct dma_seg seg = { iova, size };

	domain_unmap_sg(dev, &seg, 1, DMA_BIDIRECTIONAL);
	if (!d->dead)
		page_free(p, page_order(size));
}

const struct dma_ops domain_dma_ops = {
	.name = "iommu",
	.alloc_coherent = domain_alloc_coherent,
	.free_coherent = domain_free_coherent,
	.map_sg = domain_map_sg,
	.unmap_sg = domain_unmap_sg,
};

/* ---- addresses that stay unmapped ---- */

int iommu_reserve_iova(struct device *dev, size_t size, iova_t *iova)
{
	struct domain *d = domain_of(dev);
	irqflags_t flags;
	int err;

	if (!d)
		return -ENODEV;
	flags = spin_lock(&d->lock);
	err = iova_alloc(&d->iova, size, dev->dma.mask, iova);
	spin_unlock(&d->lock, flags);
	return err;
}

void iommu_release_iova(struct device *dev, iova_t iova, size_t size)
{
	struct domain *d = domain_of(dev);
	irqflags_t flags;

	if (!d)
		return;
	flags = spin_lock(&d->lock);
	iova_free(&d->iova, iova, size);
	spin_unlock(&d->lock, flags);
}
