/* SPDX-License-Identifier: MIT */
/*
 * NVM Express controllers (theory of operation).
 *
 * A controller has an admin queue pair and one I/O queue pair per CPU, as far
 * as the controller and its vectors go; with fewer, CPUs share. A request is
 * submitted to the queue of the CPU that asks and completes by that queue's
 * own vector on that same CPU, so that in the good case no lock is contended
 * and no cache line moves:
 *
 *	blk_req -> slot (CID) -> dma_map_sg() -> PRPs -> SQE -> doorbell
 *	vector -> CQE (phase tag) -> slot -> dma_unmap_sg() -> done()
 *
 * Everything a command needs was allocated at start. A queue's lock covers its
 * rings and slots; done() is called without it. Time is not read on this
 * path: a slot keeps the number of the watchdog's tick instead.
 *
 * States: STOPPED -> LIVE <-> RESETTING -> DEAD. The watchdog is a timer that
 * runs only while commands are in flight. It finds completions whose interrupt
 * got lost, and commands that are overdue; for these it wakes the recovery
 * thread, which resets the controller, answers every command in flight once
 * (-ETIMEDOUT the overdue ones, -ECANCELED the others, -ENODEV when the
 * controller is gone) and starts it again. A controller that does not come
 * back, or that needs NVME_RESETS resets with no answer in between, is dead: it
 * is cut off the bus and refuses requests with -ENODEV.
 *
 * The admin queue is polled: only start and recovery use it, one command at a
 * time. Not supported: SGLs, metadata, controller memory buffers, asynchronous
 * events, pages larger than 4 KiB, holes within a request (see blk/blk.h).
 */
#include "blk/nvme.h"

#include "core/cpu.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/pci.h"
#include "core/report.h"
#include "core/string.h"

#define NVME_CONTROLLERS	8

static struct nvme_ctrl *nvme_started[NVME_CONTROLLERS];

/* ---- the controller: reset, enable, shut down ---- */

static nsec_t nvme_ready_deadline(const struct nvme_ctrl *c)
{
	uint64_t to = FIELD_GET(NVME_CAP_TO, c->cap);

	return time_now() + MAX(to, UINT64_C(1)) * 500 * NSEC_PER_MSEC;
}

static int nvme_read_caps(struct nvme_ctrl *c)
{
	unsigned dstrd;

	if (c->regs.size < NVME_DOORBELLS + 16) {
		log_err(c->name, "BAR of %u bytes has no doorbells",
			c->regs.size);
		return -EPROTO;
	}
	c->cap = io_read64(&c->regs, NVME_CAP);
	c->vs = io_read32(&c->regs, NVME_VS);
	if (c->cap == UINT64_MAX || c->vs == UINT32_MAX) {
		log_err(c->name, "does not answer");
		return -ENODEV;
	}
	if (FIELD_GET(NVME_CAP_MPSMIN, c->cap) ||
	    !(FIELD_GET(NVME_CAP_CSS, c->cap) & NVME_CAP_CSS_NVM)) {
		log_err(c->name, "no 4 KiB pages or no NVM commands: CAP "
			"0x%016llx", (unsigned long long)c->cap);
		return -ENOTSUP;
	}
	dstrd = FIELD_GET(NVME_CAP_DSTRD, c->cap);
	if (!FIELD_GET(NVME_CAP_MQES, c->cap) ||
	    NVME_DOORBELL(1, 1, dstrd) + 4 > c->regs.size) {
		log_err(c->name, "no room for a queue: CAP 0x%016llx, BAR of "
			"%u bytes", (unsigned long long)c->cap, c->regs.size);
		return -EPROTO;
	}
	return 0;
}

/* Wait for CSTS.RDY; a fatal status ends the wait as well. */
static int nvme_wait_ready(struct nvme_ctrl *c, bool ready)
{
	uint32_t want = ready ? NVME_CSTS_RDY : 0, csts;
	int err;

	err = poll_until(csts, io_read32(&c->regs, NVME_CSTS),
			 (csts & NVME_CSTS_RDY) == want ||
			 (ready && (csts & NVME_CSTS_CFS)),
			 nvme_ready_deadline(c));
	if (!err && ready && (csts & NVME_CSTS_CFS))
		err = -EIO;
	if (err)
		log_err(c->name, "not %s: CSTS 0x%x: %s",
			ready ? "ready" : "disabled", csts, errno_name(err));
	return err;
}

int nvme_disable(struct nvme_ctrl *c)
{
	uint32_t cc = io_read32(&c->regs, NVME_CC);

	if (cc & NVME_CC_EN)
		io_write32(&c->regs, NVME_CC, cc & ~NVME_CC_EN);
	return nvme_wait_ready(c, false);
}

/* Disable it or else, whatever it does, keep it off the bus. */
static void nvme_quiesce(struct nvme_ctrl *c)
{
	if (nvme_disable(c))
		pci_disable_master(to_pci_dev(c->dev));
}

static int nvme_enable(struct nvme_ctrl *c)
{
	unsigned last = c->admin.depth - 1;

	nvme_queue_rewind(&c->admin);
	io_write32(&c->regs, NVME_AQA, FIELD_PREP(NVME_AQA_ASQS, last) |
		   FIELD_PREP(NVME_AQA_ACQS, last));
	io_write64(&c->regs, NVME_ASQ, c->admin.sq_iova);
	io_write64(&c->regs, NVME_ACQ, c->admin.cq_iova);
	io_write32(&c->regs, NVME_CC, NVME_CC_EN |
		   FIELD_PREP(NVME_CC_IOSQES, NVME_SQE_SHIFT) |
		   FIELD_PREP(NVME_CC_IOCQES, NVME_CQE_SHIFT));
	return nvme_wait_ready(c, true);
}

/* 7.6.2: caches are written out before power goes. */
static void nvme_shut_down(struct nvme_ctrl *c)
{
	uint32_t cc = io_read32(&c->regs, NVME_CC), csts;
	int err;

	if (cc == UINT32_MAX || !(cc & NVME_CC_EN))
		return;
	cc &= ~NVME_CC_SHN;
	io_write32(&c->regs, NVME_CC,
		   cc | FIELD_PREP(NVME_CC_SHN, NVME_CC_SHN_NORMAL));
	err = poll_until(csts, io_read32(&c->regs, NVME_CSTS),
			 FIELD_GET(NVME_CSTS_SHST, csts) == NVME_CSTS_SHST_DONE,
			 time_now() + NVME_SHUTDOWN_TIMEOUT);
	if (err)
		log_warn(c->name, "shutdown: CSTS 0x%x: %s", csts,
			 errno_name(err));
}

/* ---- admin commands ---- */

static struct nvme_slot *nvme_admin_submit(struct nvme_queue *q,
					   const struct nvme_sqe *sqe)
{
	irqflags_t flags = spin_lock(&q->lock);
	struct nvme_slot *s = nvme_queue_get_locked(q);

	if (s) {
		struct nvme_sqe *e = nvme_queue_sqe_locked(q);

		*e = *sqe;
		e->cdw0 |= FIELD_PREP(NVME_CDW0_CID, s->cid);
		s->rq = NULL;
		nvme_queue_push_locked(q, s);
		nvme_queue_ring_locked(q);
	}
	spin_unlock(&q->lock, flags);
	return s;
}

static void nvme_admin_done(struct nvme_queue *q, struct nvme_slot *s)
{
	irqflags_t flags = spin_lock(&q->lock);

	nvme_queue_put_locked(q, s);
	spin_unlock(&q->lock, flags);
}

int nvme_admin(struct nvme_ctrl *c, const struct nvme_sqe *sqe,
	       uint32_t *result)
{
	unsigned opc = FIELD_GET(NVME_CDW0_OPC, sqe->cdw0);
	struct nvme_slot *s = nvme_admin_submit(&c->admin, sqe);
	int err;

	if (!s)
		return -EBUSY;
	err = poll_mem_until((nvme_queue_reap(&c->admin), !READ_ONCE(s->busy)),
			     time_now() + NVME_ADMIN_TIMEOUT);
	if (err) {			/* the slot is lost until a reset */
		if (io_read32(&c->regs, NVME_CSTS) == UINT32_MAX)
			err = -ENODEV;
		log_err(c->name, "admin command 0x%02x: %s", opc,
			errno_name(err));
		if (err == -ETIMEDOUT)	/* or it may write to its memory yet */
			nvme_quiesce(c);
		return err;
	}
	if (result)
		*result = s->result;
	err = nvme_errno(s->sf);
	if (err)
		log_err(c->name, "admin command 0x%02x: status 0x%03x", opc,
			FIELD_GET(NVME_SF_CODE, s->sf));
	nvme_admin_done(&c->admin, s);
	return err;
}

/* Blank-padded text of a table as a string. */
static void nvme_text(char *out, const char *in, size_t len)
{
	while (len && (in[len - 1] == ' ' || !in[len - 1]))
		len--;
	for (size_t i = 0; i < len; i++)
		out[i] = in[i] >= ' ' && in[i] <= '~' ? in[i] : '?';
	out[len] = '\0';
}

static void nvme_take_identity(struct nvme_ctrl *c,
			       const struct nvme_id_ctrl *id)
{
	nvme_text(c->model, id->mn, sizeof(id->mn));
	nvme_text(c->serial, id->sn, sizeof(id->sn));
	c->nn = id->nn;
	c->max_bytes = NVME_TRANSFER_MAX;
	if (id->mdts && id->mdts < ilog2(NVME_TRANSFER_MAX / NVME_PRP_PAGE))
		c->max_bytes = (size_t)NVME_PRP_PAGE << id->mdts;
}

static int nvme_identify(struct nvme_ctrl *c)
{
	iova_t iova;
	void *id = dma_alloc_coherent(c->dev, NVME_IDENTIFY_SIZE, &iova);
	struct nvme_sqe sqe = {
		.cdw0 = FIELD_PREP(NVME_CDW0_OPC, NVME_ADMIN_IDENTIFY),
		.prp1 = iova,
		.cdw10 = NVME_CNS_CONTROLLER,
	};
	int err;

	if (!id)
		return -ENOMEM;
	err = nvme_admin(c, &sqe, NULL);
	if (!err)
		nvme_take_identity(c, id);
	dma_free_coherent(c->dev, NVME_IDENTIFY_SIZE, id, iova);
	return err;
}

/* ---- I/O queues ---- */

/* Pairs that the BAR's doorbells, the vectors and the CPUs have room for. */
static unsigned nvme_queues_wanted(const struct nvme_ctrl *c)
{
	unsigned dstrd = FIELD_GET(NVME_CAP_DSTRD, c->cap);
	unsigned n = MIN(cpu_count(), c->nvec > 1 ? c->nvec - 1 : 1);

	while (NVME_DOORBELL(n, 1, dstrd) + 4 > c->regs.size)
		n--;			/* one fits: nvme_read_caps() */
	return n;
}

/* Ask for n queue pairs; *got is what the controller grants. */
static int nvme_grant_queues(struct nvme_ctrl *c, unsigned n, unsigned *got)
{
	struct nvme_sqe sqe = {
		.cdw0 = FIELD_PREP(NVME_CDW0_OPC, NVME_ADMIN_SET_FEATURES),
		.cdw10 = NVME_FEATURE_QUEUES,
		.cdw11 = FIELD_PREP(NVME_QUEUES_NSQ, n - 1) |
			 FIELD_PREP(NVME_QUEUES_NCQ, n - 1),
	};
	uint32_t granted, pairs;
	int err = nvme_admin(c, &sqe, &granted);

	if (err)
		return err;
	pairs = 1 + MIN(FIELD_GET(NVME_QUEUES_NSQ, granted),
			FIELD_GET(NVME_QUEUES_NCQ, granted));
	*got = MIN(n, pairs);
	return 0;
}

static void nvme_queue_set_up(struct nvme_ctrl *c, struct nvme_queue *q,
			      unsigned id, unsigned depth)
{
	unsigned dstrd = FIELD_GET(NVME_CAP_DSTRD, c->cap);

	q->ctrl = c;
	q->id = id;
	q->depth = MIN(depth, FIELD_GET(NVME_CAP_MQES, c->cap) + 1);
	q->vector = c->nvec > 1 ? id : 0;
	q->cpu = id ? id - 1 : 0;
	q->sq_doorbell = NVME_DOORBELL(id, 0, dstrd);
	q->cq_doorbell = NVME_DOORBELL(id, 1, dstrd);
}

static void nvme_free_io(struct nvme_ctrl *c)
{
	for (unsigned i = c->nio; i-- > 0; )
		nvme_queue_free(&c->io[i]);
	heap_free(c->by_cpu);
	heap_free(c->io);
	c->nio = 0;
	c->io = NULL;
	c->by_cpu = NULL;
}

static int nvme_alloc_io(struct nvme_ctrl *c, unsigned n)
{
	int err = -ENOMEM;

	c->io = heap_calloc(n, sizeof(*c->io));
	c->by_cpu = heap_calloc(cpu_count(), sizeof(*c->by_cpu));
	if (!c->io || !c->by_cpu)
		goto err;
	for (c->nio = 0; c->nio < n; c->nio++) {
		nvme_queue_set_up(c, &c->io[c->nio], c->nio + 1, NVME_DEPTH);
		err = nvme_queue_alloc(&c->io[c->nio]);
		if (err)
			goto err;
	}
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		c->by_cpu[cpu] = &c->io[cpu % n];
	return 0;

err:
	nvme_free_io(c);
	return err;
}

/* 5.3 and 5.4: first the completion queue, then who completes into it. */
static int nvme_create_pair(struct nvme_ctrl *c, struct nvme_queue *q)
{
	uint32_t size = FIELD_PREP(NVME_Q10_QID, q->id) |
			FIELD_PREP(NVME_Q10_QSIZE, q->depth - 1u);
	struct nvme_sqe cq = {
		.cdw0 = FIELD_PREP(NVME_CDW0_OPC, NVME_ADMIN_CREATE_CQ),
		.prp1 = q->cq_iova,
		.cdw10 = size,
		.cdw11 = NVME_CQ11_PC | NVME_CQ11_IEN |
			 FIELD_PREP(NVME_CQ11_IV, q->vector),
	};
	struct nvme_sqe sq = {
		.cdw0 = FIELD_PREP(NVME_CDW0_OPC, NVME_ADMIN_CREATE_SQ),
		.prp1 = q->sq_iova,
		.cdw10 = size,
		.cdw11 = NVME_SQ11_PC | FIELD_PREP(NVME_SQ11_CQID, q->id),
	};
	int err;

	nvme_queue_rewind(q);
	err = nvme_admin(c, &cq, NULL);
	return err ? err : nvme_admin(c, &sq, NULL);
}

static int nvme_create_io(struct nvme_ctrl *c)
{
	for (unsigned i = 0; i < c->nio; i++) {
		int err = nvme_create_pair(c, &c->io[i]);

		if (err)
			return err;
	}
	return 0;
}

void nvme_refuse(struct nvme_ctrl *c, int err)
{
	for (unsigned i = 0; i < c->nio; i++)
		nvme_queue_refuse(&c->io[i], err);
}

void nvme_fail(struct nvme_ctrl *c, int overdue, int other)
{
	for (unsigned i = 0; i < c->nio; i++)
		nvme_queue_fail(&c->io[i], overdue, other);
}

/* The admin queue as well: INTx stays asserted while it has completions. */
void nvme_all_irq(void *ctrl)
{
	struct nvme_ctrl *c = ctrl;

	nvme_queue_reap(&c->admin);
	for (unsigned i = 0; i < c->nio; i++)
		nvme_queue_irq(&c->io[i]);
}

bool nvme_any_waits(void *ctrl)
{
	struct nvme_ctrl *c = ctrl;

	for (unsigned i = 0; i < c->nio; i++)
		if (nvme_queue_waits(&c->io[i]))
			return true;
	return false;
}

/* ---- start and stop ---- */

int nvme_revive(struct nvme_ctrl *c)
{
	unsigned granted;
	int err = nvme_enable(c);

	if (!err)
		err = nvme_grant_queues(c, c->nio, &granted);
	if (!err && granted < c->nio)
		err = -ENOSPC;
	return err ? err : nvme_create_io(c);
}

static int nvme_start_io(struct nvme_ctrl *c)
{
	unsigned n;
	int err = nvme_grant_queues(c, nvme_queues_wanted(c), &n);

	if (err)
		return err;
	err = nvme_alloc_io(c, n);
	if (err)
		return err;
	return nvme_create_io(c);	/* on error: the caller disables */
}

static void nvme_list(struct nvme_ctrl *from, struct nvme_ctrl *to)
{
	for (unsigned i = 0; i < NVME_CONTROLLERS; i++) {
		if (nvme_started[i] == from) {
			nvme_started[i] = to;
			return;
		}
	}
}

int nvme_start(struct nvme_ctrl *c)
{
	int err = nvme_read_caps(c);

	if (err)
		return err;
	nvme_queue_set_up(c, &c->admin, 0, NVME_ADMIN_DEPTH);
	err = nvme_disable(c);
	if (err)
		return err;
	err = nvme_queue_alloc(&c->admin);
	if (err)
		return err;
	err = nvme_enable(c);
	if (!err)
		err = nvme_identify(c);
	if (!err)
		err = nvme_start_io(c);
	if (err)
		goto err_enable;
	err = nvme_start_recovery(c);
	if (err)
		goto err_enable;
	err = nvme_ns_scan(c);
	if (err)
		goto err_scan;
	WRITE_ONCE(c->state, NVME_LIVE);
	nvme_list(NULL, c);
	log_info(c->name, "%s, %u I/O queues of %u, %zu KiB a request",
		 c->model, c->nio, c->io[0].depth - 1, c->max_bytes >> 10);
	return 0;

err_scan:
	nvme_stop_recovery(c);
err_enable:
	nvme_quiesce(c);
	nvme_free_io(c);
	nvme_queue_free(&c->admin);
	return err;
}

void nvme_stop(struct nvme_ctrl *c)
{
	nvme_list(c, NULL);
	nvme_ns_drop(c);
	nvme_stop_recovery(c);
	nvme_shut_down(c);
	nvme_quiesce(c);
	nvme_fail(c, -ECANCELED, -ECANCELED);
	nvme_free_io(c);
	nvme_queue_free(&c->admin);
	WRITE_ONCE(c->state, NVME_STOPPED);
}

/* ---- what others may ask ---- */

struct nvme_ctrl *nvme_get(unsigned n)
{
	for (unsigned i = 0; i < NVME_CONTROLLERS; i++)
		if (nvme_started[i] && !n--)
			return nvme_started[i];
	return NULL;
}

static void nvme_report_queue(const struct nvme_queue *q)
{
	struct json j;

	json_begin(&j, "nvme_queue");
	json_str(&j, "name", q->ctrl->name);
	json_u64(&j, "queue", q->id);
	json_u64(&j, "cpu", q->cpu);
	json_u64(&j, "vector", q->vector);
	json_u64(&j, "requests", q->requests);
	json_u64(&j, "answers", q->answers);
	json_u64(&j, "doorbells", q->doorbells);
	json_u64(&j, "irqs", q->irqs);
	json_u64(&j, "irqs_elsewhere", q->irqs_elsewhere);
	json_u64(&j, "missed", q->missed);
	json_u64(&j, "lies", q->lies);
	json_end(&j);
}

void nvme_report(struct nvme_ctrl *c)
{
	struct json j;

	json_begin(&j, "nvme");
	json_str(&j, "name", c->name);
	json_str(&j, "pci", c->dev->name);
	json_str(&j, "model", c->model);
	json_str(&j, "serial", c->serial);
	json_u64(&j, "queues", c->nio);
	json_u64(&j, "vectors", c->nvec);
	json_u64(&j, "resets", c->resets);
	json_bool(&j, "live", READ_ONCE(c->state) == NVME_LIVE);
	json_end(&j);
	for (unsigned i = 0; i < c->nio; i++)
		nvme_report_queue(&c->io[i]);
}
