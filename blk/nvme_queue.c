/* SPDX-License-Identifier: MIT */
/*
 * One queue pair (NVM Express 1.4, 4.1): a ring of commands that we fill and a
 * ring of completions that the device fills, both of the same depth. At most
 * depth - 1 commands are in flight, each in a slot, so that neither ring can
 * overflow and the device's own idea of the head (SQHD) is never needed.
 *
 * A CID names the slot in its low byte and counts how often the slot was used
 * in its high byte: a completion that comes twice, late or for nobody does not
 * match, is counted as a lie and answers nothing.
 */
#include "blk/nvme.h"

#include "core/cpu.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/string.h"

#define NVME_LATE_TICKS		8	/* an interrupt is not that slow */

static size_t nvme_queue_sq_bytes(const struct nvme_queue *q)
{
	return q->depth * sizeof(struct nvme_sqe);
}

static size_t nvme_queue_cq_bytes(const struct nvme_queue *q)
{
	return q->depth * sizeof(struct nvme_cqe);
}

static size_t nvme_queue_prp_bytes(const struct nvme_queue *q)
{
	return (q->depth - 1) * NVME_PRP_ROOM * sizeof(le64);
}

static int nvme_queue_alloc_slots(struct nvme_queue *q)
{
	q->slot = heap_alloc((q->depth - 1) * sizeof(*q->slot));
	if (!q->slot)
		return -ENOMEM;
	q->free = NULL;
	for (unsigned i = q->depth - 1; i-- > 0; ) {
		q->slot[i].cid = i;
		q->slot[i].busy = false;
		q->slot[i].next = q->free;
		q->free = &q->slot[i];
	}
	return 0;
}

int nvme_queue_alloc(struct nvme_queue *q)
{
	struct device *dev = q->ctrl->dev;

	q->sq = dma_alloc_coherent(dev, nvme_queue_sq_bytes(q), &q->sq_iova);
	if (!q->sq)
		goto err_sq;
	q->cq = dma_alloc_coherent(dev, nvme_queue_cq_bytes(q), &q->cq_iova);
	if (!q->cq)
		goto err_cq;
	if (q->id) {				/* admin commands need none */
		q->prp = dma_alloc_coherent(dev, nvme_queue_prp_bytes(q),
					    &q->prp_iova);
		if (!q->prp)
			goto err_prp;
	}
	if (nvme_queue_alloc_slots(q))
		goto err_slots;
	spin_init(&q->lock, "nvme queue");
	return 0;

err_slots:
	if (q->prp)
		dma_free_coherent(dev, nvme_queue_prp_bytes(q), q->prp,
				  q->prp_iova);
err_prp:
	dma_free_coherent(dev, nvme_queue_cq_bytes(q), q->cq, q->cq_iova);
err_cq:
	dma_free_coherent(dev, nvme_queue_sq_bytes(q), q->sq, q->sq_iova);
err_sq:
	q->prp = NULL;
	return -ENOMEM;
}

void nvme_queue_free(struct nvme_queue *q)
{
	struct device *dev = q->ctrl->dev;

	heap_free(q->slot);
	if (q->prp)
		dma_free_coherent(dev, nvme_queue_prp_bytes(q), q->prp,
				  q->prp_iova);
	dma_free_coherent(dev, nvme_queue_cq_bytes(q), q->cq, q->cq_iova);
	dma_free_coherent(dev, nvme_queue_sq_bytes(q), q->sq, q->sq_iova);
	q->slot = NULL;
	q->prp = NULL;
}

void nvme_queue_rewind(struct nvme_queue *q)
{
	irqflags_t flags = spin_lock(&q->lock);

	for (unsigned i = 0; i < q->depth - 1u; i++) {
		if (!q->slot[i].busy)
			continue;	/* else an admin command given up */
		q->slot[i].busy = false;
		q->inflight--;
		nvme_queue_put_locked(q, &q->slot[i]);
	}
	memset(q->cq, 0, nvme_queue_cq_bytes(q));
	q->tail = q->rung = q->head = 0;
	q->phase = 1;
	spin_unlock(&q->lock, flags);
}

void nvme_queue_refuse(struct nvme_queue *q, int err)
{
	irqflags_t flags = spin_lock(&q->lock);

	q->refuse = err;
	spin_unlock(&q->lock, flags);
}

/* ---- submission ---- */

struct nvme_slot *nvme_queue_get_locked(struct nvme_queue *q)
{
	struct nvme_slot *s = q->free;

	if (!s)
		return NULL;
	q->free = s->next;
	s->cid += 1 << 8;
	s->nseg = 0;
	return s;
}

void nvme_queue_put_locked(struct nvme_queue *q, struct nvme_slot *s)
{
	s->next = q->free;
	q->free = s;
}

struct nvme_sqe *nvme_queue_sqe_locked(struct nvme_queue *q)
{
	return &q->sq[q->tail];
}

void nvme_queue_push_locked(struct nvme_queue *q, struct nvme_slot *s)
{
	s->epoch = READ_ONCE(q->ctrl->epoch);
	s->busy = true;
	q->inflight++;
	q->requests++;
	if (++q->tail == q->depth)
		q->tail = 0;
	if (q->id && !READ_ONCE(q->ctrl->watching))
		nvme_watch(q->ctrl);
}

void nvme_queue_ring_locked(struct nvme_queue *q)
{
	if (q->tail == q->rung)
		return;
	q->rung = q->tail;
	q->doorbells++;
	dma_wmb();			/* the entries, then the doorbell */
	io_write32(&q->ctrl->regs, q->sq_doorbell, q->tail);
}

/* ---- completion ---- */

/* In ticks of the watchdog; 0 for one that is not in flight. */
static uint32_t nvme_queue_age(const struct nvme_queue *q,
			       const struct nvme_slot *s)
{
	return s->busy ? q->ctrl->epoch - s->epoch : 0;
}

/* The slot is free afterwards; a request joins those to be answered. */
static void nvme_queue_finish_locked(struct nvme_queue *q, struct nvme_slot *s,
				     int status, struct list *done)
{
	struct blk_req *rq = s->rq;

	if (s->nseg)
		dma_unmap_sg(q->ctrl->dev, s->seg, s->nseg, s->dir);
	q->inflight--;
	WRITE_ONCE(s->busy, false);
	if (!rq)
		return;			/* nvme_admin() gives the slot back */
	rq->status = status;
	list_add_tail(done, &rq->node);
	nvme_queue_put_locked(q, s);
}

static void nvme_queue_lie_locked(struct nvme_queue *q, uint32_t dw2,
				  uint32_t dw3)
{
	if (!q->lies++)
		log_warn(q->ctrl->name, "queue %u: completion of sqid %u, cid "
			 "0x%x (head %u) answers no command of ours", q->id,
			 FIELD_GET(NVME_CQE_SQID, dw2),
			 FIELD_GET(NVME_CQE_CID, dw3),
			 FIELD_GET(NVME_CQE_SQHD, dw2));
}

static void nvme_queue_complete_locked(struct nvme_queue *q,
				       const struct nvme_cqe *cqe, uint32_t dw3,
				       struct list *done)
{
	uint32_t dw2 = READ_ONCE(cqe->dw2);
	uint16_t cid = FIELD_GET(NVME_CQE_CID, dw3);
	struct nvme_slot *s = &q->slot[cid & 0xff];

	if (FIELD_GET(NVME_CQE_SQHD, dw2) >= q->depth)
		nvme_queue_lie_locked(q, dw2, dw3);	/* but not about us */
	if ((cid & 0xff) >= q->depth - 1u || !s->busy || s->cid != cid ||
	    FIELD_GET(NVME_CQE_SQID, dw2) != q->id) {
		nvme_queue_lie_locked(q, dw2, dw3);
		return;
	}
	q->answers++;
	if (nvme_queue_age(q, s) >= NVME_LATE_TICKS)
		q->late++;
	s->result = READ_ONCE(cqe->dw0);
	s->sf = FIELD_GET(NVME_CQE_SF, dw3);
	nvme_queue_finish_locked(q, s, nvme_errno(s->sf), done);
}

/*
 * At most one round, so that a device that completes for ever cannot keep us.
 * The phase tag says whether an entry is new; the rest of it is read after.
 */
static unsigned nvme_queue_reap_locked(struct nvme_queue *q, struct list *done)
{
	unsigned n;

	for (n = 0; n < q->depth; n++) {
		const struct nvme_cqe *cqe = &q->cq[q->head];
		uint32_t dw3 = READ_ONCE(cqe->dw3);

		if (FIELD_GET(NVME_CQE_P, dw3) != q->phase)
			break;
		dma_rmb();
		nvme_queue_complete_locked(q, cqe, dw3, done);
		if (++q->head == q->depth) {
			q->head = 0;
			q->phase ^= 1;
		}
	}
	if (n)
		io_write32(&q->ctrl->regs, q->cq_doorbell, q->head);
	return n;
}

void nvme_answer(struct list *requests)
{
	while (!list_empty(requests)) {
		struct blk_req *rq = list_first(requests, struct blk_req, node);

		list_del(&rq->node);
		rq->done(rq);
	}
}

unsigned nvme_queue_reap(struct nvme_queue *q)
{
	struct list done = LIST_INIT(done);
	irqflags_t flags = spin_lock(&q->lock);
	unsigned n = nvme_queue_reap_locked(q, &done);

	spin_unlock(&q->lock, flags);
	nvme_answer(&done);
	return n;
}

void nvme_queue_irq(void *queue)
{
	struct nvme_queue *q = queue;
	struct list done = LIST_INIT(done);
	irqflags_t flags = spin_lock(&q->lock);

	q->irqs++;
	if (cpu_id() != q->cpu)
		q->irqs_elsewhere++;
	if (!nvme_queue_reap_locked(q, &done))
		q->irqs_empty++;
	spin_unlock(&q->lock, flags);
	nvme_answer(&done);
}

/* ---- when something is wrong ---- */

/* In ticks, of the oldest command in flight. */
static uint32_t nvme_queue_age_locked(const struct nvme_queue *q)
{
	uint32_t age = 0;

	for (unsigned i = 0; q->inflight && i < q->depth - 1u; i++)
		age = MAX(age, nvme_queue_age(q, &q->slot[i]));
	return age;
}

static bool nvme_queue_waits_locked(const struct nvme_queue *q)
{
	return FIELD_GET(NVME_CQE_P, READ_ONCE(q->cq[q->head].dw3)) == q->phase;
}

void nvme_queue_watch(struct nvme_queue *q, bool *inflight, bool *overdue,
		      bool *waits)
{
	irqflags_t flags = spin_lock(&q->lock);

	*overdue |= nvme_queue_age_locked(q) > NVME_TIMEOUT_TICKS;
	*inflight |= q->inflight > 0;
	*waits |= nvme_queue_waits_locked(q);
	spin_unlock(&q->lock, flags);
}

bool nvme_queue_waits(void *queue)
{
	struct nvme_queue *q = queue;
	irqflags_t flags = spin_lock(&q->lock);
	bool waits = nvme_queue_waits_locked(q);

	spin_unlock(&q->lock, flags);
	return waits;
}

void nvme_queue_fail(struct nvme_queue *q, int overdue, int other)
{
	struct list done = LIST_INIT(done);
	irqflags_t flags = spin_lock(&q->lock);

	for (unsigned i = 0; i < q->depth - 1u; i++) {
		struct nvme_slot *s = &q->slot[i];

		if (s->busy)
			nvme_queue_finish_locked(q, s, nvme_queue_age(q, s) >
						 NVME_TIMEOUT_TICKS ? overdue :
						 other, &done);
	}
	spin_unlock(&q->lock, flags);
	nvme_answer(&done);
}

int nvme_errno(uint32_t sf)
{
	switch (FIELD_GET(NVME_SF_CODE, sf)) {
	case NVME_SC_SUCCESS:
		return 0;
	case NVME_SC_OPCODE:
		return -ENOTSUP;
	case NVME_SC_FIELD:
	case NVME_SC_CID:
	case NVME_SC_NAMESPACE:
	case NVME_SC_PRP_OFFSET:
	case NVME_SC_CQ_INVALID:
	case NVME_SC_QID_INVALID:
	case NVME_SC_QUEUE_SIZE:
	case NVME_SC_VECTOR:
		return -EINVAL;
	case NVME_SC_POWER_LOSS:
	case NVME_SC_ABORTED:
	case NVME_SC_SQ_DELETED:
		return -ECANCELED;
	case NVME_SC_LBA_RANGE:
		return -ERANGE;
	case NVME_SC_CAPACITY:
		return -ENOSPC;
	case NVME_SC_WRITE_PROTECTED:
	case NVME_SC_READ_ONLY:
		return -EROFS;
	case NVME_SC_ACCESS_DENIED:
		return -EPERM;
	default:
		return -EIO;
	}
}
