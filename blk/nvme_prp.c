/* SPDX-License-Identifier: MIT */
/*
 * The data of a command is a sequence of pages. PRP1 names the first one, from
 * any dword of it; PRP2 the second one, or, when there are more, a list of all
 * the others. A list ends at the end of a page: if entries remain, the last slot
 * there holds the address of the next list page instead. Our lists
 * are contiguous, so that this address is simply the one that follows.
 */
#include "blk/nvme_prp.h"

#include "core/errno.h"

struct nvme_prp_out {
	const struct nvme_prp_list *list;
	unsigned used;			/* entries of the list */
	unsigned pages;			/* named so far */
	iova_t first, second;
};

static bool nvme_prp_last_slot(const struct nvme_prp_list *l, unsigned i)
{
	iova_t next = l->iova + (i + 1) * sizeof(le64);

	return IS_ALIGNED(next, NVME_PRP_PAGE);
}

/* Append to the list; more: entries follow this one. */
static int nvme_prp_append(struct nvme_prp_out *o, iova_t page, bool more)
{
	const struct nvme_prp_list *l = o->list;

	if (more && o->used < l->room && nvme_prp_last_slot(l, o->used)) {
		l->entry[o->used] = l->iova + (o->used + 1) * sizeof(le64);
		o->used++;
	}
	if (o->used == l->room)
		return -E2BIG;
	l->entry[o->used++] = page;
	return 0;
}

static int nvme_prp_page(struct nvme_prp_out *o, iova_t page, bool more)
{
	switch (o->pages++) {
	case 0:
		o->first = page;
		return 0;
	case 1:
		o->second = page;
		return more ? nvme_prp_append(o, page, more) : 0;
	default:
		return nvme_prp_append(o, page, more);
	}
}

/* One segment, left bytes before the end of the transfer. */
static int nvme_prp_seg(struct nvme_prp_out *o, struct dma_seg s, size_t left)
{
	size_t n;

	if (o->pages ? !IS_ALIGNED(s.addr, NVME_PRP_PAGE)
		     : !IS_ALIGNED(s.addr, 4))
		return -EINVAL;
	for (; s.len; s.addr += n, s.len -= n, left -= n) {
		int err;

		n = MIN(s.len, NVME_PRP_PAGE - s.addr % NVME_PRP_PAGE);
		err = nvme_prp_page(o, s.addr, left > n);
		if (err)
			return err;
	}
	if (left && !IS_ALIGNED(s.addr, NVME_PRP_PAGE))
		return -EINVAL;
	return 0;
}

int nvme_prp_build(const struct dma_seg *seg, unsigned n, size_t bytes,
		   const struct nvme_prp_list *list, le64 *prp1, le64 *prp2)
{
	struct nvme_prp_out o = { .list = list };
	size_t left = bytes;

	for (unsigned i = 0; i < n; i++) {
		int err;

		if (!seg[i].len || seg[i].len > left)
			return -EINVAL;
		err = nvme_prp_seg(&o, seg[i], left);
		if (err)
			return err;
		left -= seg[i].len;
	}
	if (left || !o.pages)
		return -EINVAL;
	*prp1 = o.first;
	*prp2 = o.pages > 2 ? list->iova : o.pages > 1 ? o.second : 0;
	return 0;
}
