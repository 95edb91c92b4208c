/* SPDX-License-Identifier: MIT */
/* NVMe namespaces as block devices: found, described, read and written. */
#include "blk/nvme.h"

#include "core/cpu.h"
#include "core/fmt.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/string.h"

#define NVME_BLOCK_SHIFT_MIN	9
#define NVME_BLOCK_SHIFT_MAX	12

/* ---- requests ---- */

static struct nvme_prp_list nvme_ns_list(const struct nvme_queue *q,
					 const struct nvme_slot *s)
{
	size_t first = (s - q->slot) * NVME_PRP_ROOM;

	return (struct nvme_prp_list){
		.entry = q->prp + first,
		.iova = q->prp_iova + first * sizeof(le64),
		.room = NVME_PRP_ROOM,
	};
}

/* Map the request's memory into the slot and say where it is. */
static int nvme_ns_map(struct nvme_queue *q, struct nvme_slot *s,
		       struct blk_req *rq, uint32_t block_size,
		       struct nvme_sqe *sqe)
{
	struct nvme_prp_list list = nvme_ns_list(q, s);
	int n, err;

	s->dir = rq->op == BLK_READ ? DMA_FROM_DEVICE : DMA_TO_DEVICE;
	n = dma_map_sg(q->ctrl->dev, rq->vec, rq->nvec, s->dir, s->seg,
		       BLK_VECS);
	if (n < 0)
		return n;
	err = nvme_prp_build(s->seg, n, (size_t)rq->blocks * block_size, &list,
			     &sqe->prp1, &sqe->prp2);
	if (err) {
		dma_unmap_sg(q->ctrl->dev, s->seg, n, s->dir);
		return -EINVAL;
	}
	s->nseg = n;
	return 0;
}

/* The words that vary; the others of an I/O queue's entries stay zero. */
static int nvme_ns_fill(struct nvme_ns *ns, struct nvme_queue *q,
			struct nvme_slot *s, struct blk_req *rq,
			struct nvme_sqe *sqe)
{
	static const uint8_t opcode[] = {
		[BLK_READ] = NVME_CMD_READ,
		[BLK_WRITE] = NVME_CMD_WRITE,
		[BLK_FLUSH] = NVME_CMD_FLUSH,
	};

	sqe->cdw0 = FIELD_PREP(NVME_CDW0_OPC, opcode[rq->op]) |
		    FIELD_PREP(NVME_CDW0_CID, s->cid);
	sqe->nsid = ns->nsid;
	if (rq->op == BLK_FLUSH) {
		sqe->prp1 = sqe->prp2 = 0;
		sqe->cdw10 = sqe->cdw11 = sqe->cdw12 = 0;
		return 0;
	}
	sqe->cdw10 = (uint32_t)rq->lba;
	sqe->cdw11 = rq->lba >> 32;
	sqe->cdw12 = FIELD_PREP(NVME_RW12_NLB, rq->blocks - 1);
	return nvme_ns_map(q, s, rq, ns->bd.block_size, sqe);
}

static int nvme_ns_check(const struct nvme_ns *ns, const struct blk_req *rq)
{
	if (rq->op == BLK_FLUSH)
		return 0;
	if (!rq->blocks || rq->blocks > ns->bd.max_blocks ||
	    !rq->nvec || rq->nvec > BLK_VECS)
		return -EINVAL;
	return rq->op == BLK_WRITE && ns->bd.read_only ? -EROFS : 0;
}

/* -EAGAIN: full, nothing taken. Other errors are the request's answer. */
static int nvme_ns_push_locked(struct nvme_ns *ns, struct nvme_queue *q,
			       struct blk_req *rq)
{
	int err = nvme_ns_check(ns, rq);
	struct nvme_slot *s;

	if (err)
		return err;
	s = nvme_queue_get_locked(q);
	if (!s)
		return -EAGAIN;
	err = nvme_ns_fill(ns, q, s, rq, nvme_queue_sqe_locked(q));
	if (err) {
		nvme_queue_put_locked(q, s);
		return err;
	}
	s->rq = rq;
	nvme_queue_push_locked(q, s);
	return 0;
}

static int nvme_ns_submit_batch(struct blk_dev *bd, struct blk_req *const *rq,
				unsigned n)
{
	struct nvme_ns *ns = container_of(bd, struct nvme_ns, bd);
	struct nvme_queue *q = ns->ctrl->by_cpu[cpu_id()];
	struct list failed = LIST_INIT(failed);
	irqflags_t flags = spin_lock(&q->lock);
	int err = q->refuse;
	unsigned i;

	for (i = 0; i < n && !q->refuse; i++) {
		err = nvme_ns_push_locked(ns, q, rq[i]);
		if (err == -EAGAIN)
			break;
		if (err) {
			rq[i]->status = err;
			list_add_tail(&failed, &rq[i]->node);
		}
	}
	nvme_queue_ring_locked(q);
	spin_unlock(&q->lock, flags);
	nvme_answer(&failed);
	return i ? (int)i : err;
}

static int nvme_ns_submit(struct blk_dev *bd, struct blk_req *rq)
{
	int n = nvme_ns_submit_batch(bd, &rq, 1);

	return n < 0 ? n : 0;
}

/* ---- past the DMA API, on purpose ---- */

static int nvme_ns_push_iova(struct nvme_ns *ns, struct blk_req *rq,
			     iova_t iova)
{
	struct nvme_queue *q = ns->ctrl->by_cpu[cpu_id()];
	irqflags_t flags = spin_lock(&q->lock);
	struct nvme_slot *s = q->refuse ? NULL : nvme_queue_get_locked(q);
	int err = q->refuse ? q->refuse : s ? 0 : -EAGAIN;

	if (s) {
		*nvme_queue_sqe_locked(q) = (struct nvme_sqe){
			.cdw0 = FIELD_PREP(NVME_CDW0_OPC, NVME_CMD_READ) |
				FIELD_PREP(NVME_CDW0_CID, s->cid),
			.nsid = ns->nsid,
			.prp1 = iova,
			.cdw10 = (uint32_t)rq->lba,
			.cdw11 = rq->lba >> 32,
		};
		s->rq = rq;
		nvme_queue_push_locked(q, s);
		nvme_queue_ring_locked(q);
	}
	spin_unlock(&q->lock, flags);
	return err;
}

int nvme_read_iova(struct blk_dev *bd, uint64_t lba, iova_t iova)
{
	struct {
		struct blk_wait w;
		struct blk_req rq;
	} *p;
	int err;

	if (!nvme_of(bd))
		return -ENODEV;
	p = heap_alloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	blk_wait_init(&p->w, blk_waitq());
	blk_wait_for(&p->w, &p->rq);
	p->rq.lba = lba;
	err = nvme_ns_push_iova(container_of(bd, struct nvme_ns, bd), &p->rq,
				iova);
	if (!err)
		err = blk_wait(&p->w);
	heap_free(p);
	return err;
}

/* ---- finding them ---- */

static int nvme_ns_identify(struct nvme_ctrl *c, unsigned cns, uint32_t nsid,
			    iova_t iova)
{
	struct nvme_sqe sqe = {
		.cdw0 = FIELD_PREP(NVME_CDW0_OPC, NVME_ADMIN_IDENTIFY),
		.nsid = nsid,
		.prp1 = iova,
		.cdw10 = cns,
	};

	return nvme_admin(c, &sqe, NULL);
}

/* Why a namespace cannot be used, or NULL. */
static const char *nvme_ns_refusal(const struct nvme_id_ns *id, uint32_t lbaf)
{
	unsigned shift = FIELD_GET(NVME_LBAF_LBADS, lbaf);

	if (FIELD_GET(NVME_FLBAS_FORMAT, id->flbas) > id->nlbaf)
		return "its format is not among those it lists";
	if (FIELD_GET(NVME_LBAF_MS, lbaf))
		return "blocks with metadata are not supported";
	if (shift < NVME_BLOCK_SHIFT_MIN || shift > NVME_BLOCK_SHIFT_MAX)
		return "blocks are smaller than 512 or larger than 4096 bytes";
	if (id->nsze > UINT64_MAX >> shift)
		return "its size in bytes does not fit 64 bits";
	return NULL;
}

static void nvme_ns_describe(struct nvme_ns *ns, const struct nvme_id_ns *id,
			     uint32_t lbaf)
{
	struct nvme_ctrl *c = ns->ctrl;
	unsigned shift = FIELD_GET(NVME_LBAF_LBADS, lbaf);

	ns->bd = (struct blk_dev){
		.dev = c->dev,
		.block_size = 1u << shift,
		.blocks = id->nsze,
		.max_blocks = MIN(c->max_bytes >> shift, 1 + NVME_RW12_NLB),
		.read_only = id->nsattr & NVME_NSATTR_WP,
		.submit = nvme_ns_submit,
		.submit_batch = nvme_ns_submit_batch,
	};
	fmt_snprintf(ns->bd.name, sizeof(ns->bd.name), "%sn%u", c->name,
		     ns->nsid);
}

static void nvme_ns_add(struct nvme_ctrl *c, uint32_t nsid,
			const struct nvme_id_ns *id)
{
	struct nvme_ns *ns = &c->ns[c->nns];
	uint32_t lbaf = id->lbaf[FIELD_GET(NVME_FLBAS_FORMAT, id->flbas)];
	const char *why = nvme_ns_refusal(id, lbaf);

	if (why) {
		log_warn(c->name, "namespace %u refused: %s", nsid, why);
		return;
	}
	ns->ctrl = c;
	ns->nsid = nsid;
	nvme_ns_describe(ns, id, lbaf);
	if (blk_register(&ns->bd))
		return;
	c->nns++;
	log_info(ns->bd.name, "%llu blocks of %u bytes",
		 (unsigned long long)ns->bd.blocks, ns->bd.block_size);
}

/*
 * The ids of the active namespaces, in id[0..*n-1]; before version 1.1 there
 * is no list, and every id up to NN may be one.
 */
static int nvme_ns_ids(struct nvme_ctrl *c, const le32 *list, iova_t iova,
		       uint32_t *id, unsigned *n)
{
	bool listed = c->vs >= NVME_VS_1_1;
	int err = listed ? nvme_ns_identify(c, NVME_CNS_ACTIVE_LIST, 0, iova)
			 : 0;

	if (err)
		return err;
	for (*n = 0; *n < NVME_NAMESPACES; ++*n) {
		id[*n] = listed ? list[*n] : *n + 1;
		if (!id[*n] || id[*n] > c->nn)
			return 0;
	}
	if (listed ? list[*n] : c->nn > *n)
		log_warn(c->name, "only the first %u namespaces are used", *n);
	return 0;
}

int nvme_ns_scan(struct nvme_ctrl *c)
{
	uint32_t id[NVME_NAMESPACES];
	unsigned n = 0;
	iova_t iova;
	void *page = dma_alloc_coherent(c->dev, NVME_IDENTIFY_SIZE, &iova);
	int err;

	if (!page)
		return -ENOMEM;
	err = nvme_ns_ids(c, page, iova, id, &n);
	for (unsigned i = 0; !err && i < n; i++) {
		const struct nvme_id_ns *ns = page;

		err = nvme_ns_identify(c, NVME_CNS_NAMESPACE, id[i], iova);
		if (!err && (ns->nsze || c->vs >= NVME_VS_1_1))
			nvme_ns_add(c, id[i], ns);
	}
	dma_free_coherent(c->dev, NVME_IDENTIFY_SIZE, page, iova);
	if (err)
		nvme_ns_drop(c);
	return err;
}

void nvme_ns_drop(struct nvme_ctrl *c)
{
	while (c->nns)
		blk_unregister(&c->ns[--c->nns].bd);
}

struct nvme_ctrl *nvme_of(const struct blk_dev *bd)
{
	if (bd->submit != nvme_ns_submit)
		return NULL;
	return container_of(bd, struct nvme_ns, bd)->ctrl;
}
