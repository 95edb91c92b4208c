/* SPDX-License-Identifier: MIT */
/*
 * The hardware seam, part two: memory that devices reach.
 *
 * A driver sees memory twice: as a pointer, for itself, and as an iova_t, for
 * its device. The only way from one to the other is this header. Without an
 * IOMMU the two agree numerically; with one, every iova_t comes from the
 * domain that the device is attached to, and the mapping's direction is
 * enforced by the page table.
 *
 * viommu/ fills this in (dma_set_provider); until then, and where the machine
 * has no IOMMU, core/dma.c maps directly. A device must be attached before it
 * may master the bus: pci_enable_master() refuses otherwise.
 *
 * Mapping and unmapping may be called from any context that may take the
 * domain's lock. unmap returns only after the IOMMU has forgotten the
 * translation (strict invalidation), so the memory may be reused at once.
 */
#ifndef CORE_DMA_H
#define CORE_DMA_H

#include "core/types.h"

/* The seam: any address of the direct mapping, or of page_alloc(). */
void *phys_to_virt(phys_t pa);
phys_t virt_to_phys(const void *p);

enum dma_dir {
	DMA_TO_DEVICE = 1,		/* the device reads memory */
	DMA_FROM_DEVICE = 2,		/* the device writes memory */
	DMA_BIDIRECTIONAL = 3,
};

/* A piece of memory: any address and length in the direct mapping. */
struct dma_vec {
	void *addr;
	size_t len;			/* bytes, > 0 */
};

/* The same as the device sees it. */
struct dma_seg {
	iova_t addr;
	size_t len;
};

struct dma_ops;

/* What DMA knows of a device; embedded in struct device. */
struct dma_dev {
	const struct dma_ops *ops;	/* NULL: in no domain, may do no DMA */
	void *domain;			/* the provider's own */
	uint64_t mask;			/* highest address the device can emit */
	uint64_t maps, unmaps;		/* atomically counted, for the report */
};

struct device;

/*
 * Memory for rings and tables that both sides use all the time: zeroed,
 * page-aligned, contiguous for the device. Returns NULL when out of memory or
 * of addresses below the mask.
 */
void *dma_alloc_coherent(struct device *dev, size_t size, iova_t *iova);
void dma_free_coherent(struct device *dev, size_t size, void *p, iova_t iova);

/*
 * Map nvec pieces for one transfer. On success the device's view is in
 * seg[0..n-1], n the positive return value; pieces that touch at page
 * boundaries are merged into one segment when the provider can. nseg is the
 * room in seg; nvec always suffices. -ENODEV: not attached; -EINVAL: an empty
 * piece or no room; -ENOMEM; -ENOSPC: no IOVA left; -ENOTSUP: above the mask,
 * and nobody translates. Nothing is mapped on error.
 *
 * An IOMMU protects whole pages of 4 KiB: the device reaches all of those that
 * a piece touches, so what it must not see or change lies in none of them.
 */
int dma_map_sg(struct device *dev, const struct dma_vec *vec, unsigned nvec,
	       enum dma_dir dir, struct dma_seg *seg, unsigned nseg);
/* seg and n exactly as dma_map_sg() gave them. */
void dma_unmap_sg(struct device *dev, const struct dma_seg *seg, unsigned n,
		  enum dma_dir dir);

/* One piece. 0 or as above. */
int dma_map(struct device *dev, void *p, size_t len, enum dma_dir dir,
	    iova_t *iova);
void dma_unmap(struct device *dev, iova_t iova, size_t len, enum dma_dir dir);

/* What a provider (viommu/, or the direct one) implements. */
struct dma_ops {
	const char *name;
	void *(*alloc_coherent)(struct device *dev, size_t size, iova_t *iova);
	void (*free_coherent)(struct device *dev, size_t size, void *p,
			      iova_t iova);
	int (*map_sg)(struct device *dev, const struct dma_vec *vec,
		      unsigned nvec, enum dma_dir dir, struct dma_seg *seg,
		      unsigned nseg);
	void (*unmap_sg)(struct device *dev, const struct dma_seg *seg,
			 unsigned n, enum dma_dir dir);
};

struct dma_provider {
	const char *name;		/* "virtio-iommu", "vt-d", "direct" */
	/* Put the device into a domain and set dev->dma.ops. 0 or -errno. */
	int (*attach)(struct device *dev);
	/* Bus mastering is off already. */
	void (*detach)(struct device *dev);
};

extern const struct dma_ops dma_direct_ops;
/* NULL goes back to the direct provider. Before any device is attached. */
void dma_set_provider(const struct dma_provider *p);
const char *dma_provider_name(void);

int dma_attach(struct device *dev);
void dma_detach(struct device *dev);

#endif
