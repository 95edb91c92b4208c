/* SPDX-License-Identifier: MIT */
/*
 * Physical Region Pages: how an NVMe command says where its data is (NVM
 * Express 1.4, 4.3). Pure: built from what dma_map_sg() gave, nothing else.
 */
#ifndef BLK_NVME_PRP_H
#define BLK_NVME_PRP_H

#include "core/dma.h"
#include "core/types.h"

#define NVME_PRP_PAGE	4096u		/* CC.MPS is always 0 with us */

/*
 * Memory for the PRP list of one command, 8-byte aligned and contiguous for
 * the device. Where it crosses a page it is chained there, as 4.3 demands.
 */
struct nvme_prp_list {
	le64 *entry;
	iova_t iova;
	unsigned room;			/* entries */
};

/* Entries that a transfer of bytes needs at worst (any start), without chains. */
#define NVME_PRP_ENTRIES(bytes)	((bytes) / NVME_PRP_PAGE)

/*
 * Fill in PRP1 and PRP2 (0 when unused) for the n segments, bytes in all,
 * and the list when more than two pages are touched. -EINVAL: a hole (only
 * the first segment may start, and only the last one end, within a page), an
 * address that is not a multiple of 4, or lengths that do not sum up to bytes.
 * -E2BIG: the list has no room. The list's contents are undefined then.
 */
int nvme_prp_build(const struct dma_seg *seg, unsigned n, size_t bytes,
		   const struct nvme_prp_list *list, le64 *prp1, le64 *prp2);

#endif
