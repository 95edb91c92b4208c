/* SPDX-License-Identifier: MIT */
#include "tests/fake/nvme.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "core/panic.h"

static void fnvme_violation(struct fake_nvme *f, const char *fmt, ...)
	__printf(2, 3);
static void fnvme_violation(struct fake_nvme *f, const char *fmt, ...)
{
	va_list ap;

	if (f->violations++)
		return;
	va_start(ap, fmt);
	vsnprintf(f->violation, sizeof(f->violation), fmt, ap);
	va_end(ap);
}

static struct fnvme_ns *fnvme_find_ns(struct fake_nvme *f, uint32_t nsid)
{
	for (unsigned i = 0; i < FNVME_NS; i++)
		if (nsid && f->ns[i].nsid == nsid)
			return &f->ns[i];
	return NULL;
}

uint8_t fake_nvme_byte(uint32_t nsid, uint64_t off)
{
	uint64_t x = (off >> 3) * UINT64_C(0x9e3779b97f4a7c15) + nsid;

	x ^= x >> 29;
	return x >> 8 * (off & 7);
}

/* ---- completions ---- */

static void fnvme_post(struct fake_nvme *f, struct fnvme_cq *cq,
		       struct nvme_cqe cqe)
{
	if ((cq->tail + 1) % cq->size == cq->head)
		fnvme_violation(f, "a completion queue is full");
	cqe.dw3 = (cqe.dw3 & ~NVME_CQE_P) | FIELD_PREP(NVME_CQE_P, cq->phase);
	if (!host_dma_write(f->pci.bdf, cq->base + cq->tail * sizeof(cqe), &cqe,
			    sizeof(cqe))) {
		f->csts = (f->csts & ~NVME_CSTS_RDY) | NVME_CSTS_CFS;
		return;
	}
	f->last_cqe = cqe;
	if (++cq->tail == cq->size) {
		cq->tail = 0;
		cq->phase = !cq->phase;
	}
}

/* Write an entry where the next one goes, but as if it were an old one. */
static void fnvme_post_stale(struct fake_nvme *f, struct fnvme_cq *cq,
			     struct nvme_cqe cqe)
{
	cqe.dw3 = (cqe.dw3 & ~NVME_CQE_P) | FIELD_PREP(NVME_CQE_P, !cq->phase);
	host_dma_write(f->pci.bdf, cq->base + cq->tail * sizeof(cqe), &cqe,
		       sizeof(cqe));
}

static void fnvme_interrupt(struct fake_nvme *f, struct fnvme_cq *cq)
{
	unsigned msix = f->pci.config[0x34];
	bool on = f->msix && f->pci.config[msix + 3] & 0x80;

	if (!cq->ien)
		return;
	if (on)
		fake_pci_fire(&f->pci, cq->iv);
	else if (f->gsi >= 0 && !(f->pci.config[5] & 4))
		host_raise_gsi(f->gsi);
}

static bool fnvme_take(unsigned *knob)
{
	return *knob && (*knob)--;
}

/* Around the true answer of an I/O command, whatever lies are set. */
static void fnvme_answer_io(struct fake_nvme *f, struct fnvme_cq *cq,
			    struct nvme_cqe cqe)
{
	struct nvme_cqe lie = cqe;
	bool silent = fnvme_take(&f->silent);

	if (fnvme_take(&f->stale_phase)) {
		fnvme_post_stale(f, cq, cqe);
		fnvme_interrupt(f, cq);
	}
	if (fnvme_take(&f->wrong_cid)) {
		lie.dw3 ^= FIELD_PREP(NVME_CQE_CID, 0x0100 << (f->commands % 8));
		fnvme_post(f, cq, lie);
		lie.dw3 = FIELD_PREP(NVME_CQE_CID, 0xffff);
		fnvme_post(f, cq, lie);
	}
	lie = cqe;
	if (fnvme_take(&f->wrong_sqid)) {
		lie.dw2 ^= FIELD_PREP(NVME_CQE_SQID, 1);
		lie.dw3 |= FIELD_PREP(NVME_CQE_SF, NVME_SC_INTERNAL);
		fnvme_post(f, cq, lie);
	}
	if (fnvme_take(&f->wrong_sqhd))
		cqe.dw2 |= NVME_CQE_SQHD;
	fnvme_post(f, cq, cqe);
	if (fnvme_take(&f->duplicate))
		fnvme_post(f, cq, cqe);
	if (!silent)
		fnvme_interrupt(f, cq);
}

static void fnvme_answer(struct fake_nvme *f, const struct fnvme_cmd *cmd,
			 uint16_t status, uint32_t dw0)
{
	struct fnvme_sq *sq = &f->sq[cmd->qid];
	struct fnvme_cq *cq = &f->cq[sq->cqid];
	struct nvme_cqe cqe = {
		.dw0 = dw0,
		.dw2 = FIELD_PREP(NVME_CQE_SQID, cmd->qid) |
		       FIELD_PREP(NVME_CQE_SQHD, sq->head),
		.dw3 = FIELD_PREP(NVME_CQE_CID,
				  FIELD_GET(NVME_CDW0_CID, cmd->sqe.cdw0)) |
		       FIELD_PREP(NVME_CQE_SF, status),
	};

	if (cmd->qid) {
		fnvme_answer_io(f, cq, cqe);
		return;
	}
	fnvme_post(f, cq, cqe);
	fnvme_interrupt(f, cq);
}

/* ---- data: a walk of the PRPs of its own (4.3) ---- */

static bool fnvme_copy(struct fake_nvme *f, iova_t at, uint8_t *data,
		       size_t len, bool to_host)
{
	return to_host ? host_dma_write(f->pci.bdf, at, data, len)
		       : host_dma_read(f->pci.bdf, at, data, len);
}

static uint16_t fnvme_prp(struct fake_nvme *f, const struct nvme_sqe *sqe,
			  uint8_t *data, size_t len, bool to_host)
{
	size_t n = MIN(len, PAGE_SIZE - sqe->prp1 % PAGE_SIZE);
	iova_t at = sqe->prp2, page;

	if (sqe->prp1 % 4)
		fnvme_violation(f, "PRP1 is not dword aligned");
	if (!fnvme_copy(f, sqe->prp1, data, n, to_host))
		return NVME_SC_TRANSFER;
	data += n;
	len -= n;
	if (len && len <= PAGE_SIZE) {
		if (sqe->prp2 % PAGE_SIZE)
			return NVME_SC_PRP_OFFSET;
		return fnvme_copy(f, sqe->prp2, data, len, to_host)
		       ? 0 : NVME_SC_TRANSFER;
	}
	for (; len; at += 8) {
		if (at % 8)
			return NVME_SC_PRP_OFFSET;
		if (!host_dma_read(f->pci.bdf, at, &page, 8))
			return NVME_SC_TRANSFER;
		f->list_entries++;
		if (page % PAGE_SIZE)
			return NVME_SC_PRP_OFFSET;
		if (at % PAGE_SIZE == PAGE_SIZE - 8 && len > PAGE_SIZE) {
			at = page - 8;
			continue;
		}
		n = MIN(len, PAGE_SIZE);
		if (!fnvme_copy(f, page, data, n, to_host))
			return NVME_SC_TRANSFER;
		data += n;
		len -= n;
	}
	return 0;
}

static uint16_t fnvme_rw(struct fake_nvme *f, const struct nvme_sqe *sqe)
{
	struct fnvme_ns *ns = fnvme_find_ns(f, sqe->nsid);
	uint64_t lba = sqe->cdw10 | (uint64_t)sqe->cdw11 << 32;
	uint64_t n = 1 + FIELD_GET(NVME_RW12_NLB, sqe->cdw12);
	bool read = FIELD_GET(NVME_CDW0_OPC, sqe->cdw0) == NVME_CMD_READ;

	if (sqe->mptr || sqe->cdw2 || sqe->cdw13 || sqe->cdw14 || sqe->cdw15 ||
	    sqe->cdw12 & ~NVME_RW12_NLB || sqe->cdw0 & NVME_CDW0_PSDT)
		fnvme_violation(f, "reserved or unused fields are not zero");
	if (!ns)
		return NVME_SC_NAMESPACE;
	if (lba >= ns->blocks || n > ns->blocks - lba)
		return NVME_SC_LBA_RANGE | NVME_SF_DNR;
	if (f->mdts && n << ns->shift > (uint64_t)PAGE_SIZE << f->mdts) {
		fnvme_violation(f, "%llu blocks are more than MDTS",
				(unsigned long long)n);
		return NVME_SC_FIELD;
	}
	if (!read && ns->protect)
		return NVME_SC_WRITE_PROTECTED;
	if (read)
		f->reads++;
	else
		f->writes++;
	return fnvme_prp(f, sqe, ns->image + (lba << ns->shift), n << ns->shift,
			 read);
}

static uint16_t fnvme_io(struct fake_nvme *f, const struct fnvme_cmd *cmd)
{
	if (fnvme_take(&f->io_status_times))
		return f->io_status;
	switch (FIELD_GET(NVME_CDW0_OPC, cmd->sqe.cdw0)) {
	case NVME_CMD_READ:
	case NVME_CMD_WRITE:
		return fnvme_rw(f, &cmd->sqe);
	case NVME_CMD_FLUSH:
		f->flushes++;
		return fnvme_find_ns(f, cmd->sqe.nsid) ? 0 : NVME_SC_NAMESPACE;
	default:
		return NVME_SC_OPCODE;
	}
}

/* ---- admin commands ---- */

static uint16_t fnvme_identify_ctrl(struct fake_nvme *f, void *page)
{
	struct nvme_id_ctrl *id = page;

	id->vid = 0x1b36;
	memset(id->sn, ' ', sizeof(id->sn));
	memcpy(id->sn, "serial", 6);
	memset(id->mn, ' ', sizeof(id->mn));
	memcpy(id->mn, "Fake NVMe", 9);
	id->mdts = f->mdts;
	id->ver = f->vs;
	id->sqes = 0x66;
	id->cqes = 0x44;
	id->nn = 256;
	id->vwc = 7;
	return 0;
}

static uint16_t fnvme_identify_ns(struct fake_nvme *f, uint32_t nsid,
				  void *page)
{
	struct fnvme_ns *ns = fnvme_find_ns(f, nsid);
	struct nvme_id_ns *id = page;

	if (nsid < 1 || nsid > 256)
		return NVME_SC_NAMESPACE;
	if (!ns)
		return 0;		/* not active: all zero */
	id->nsze = id->ncap = id->nuse = ns->blocks;
	id->nlbaf = 1;
	id->flbas = 1;
	id->nsattr = ns->protect;
	id->lbaf[0] = FIELD_PREP(NVME_LBAF_LBADS, 9);
	id->lbaf[1] = FIELD_PREP(NVME_LBAF_LBADS, ns->shift) | ns->ms;
	return 0;
}

static uint16_t fnvme_active_list(struct fake_nvme *f, uint32_t after,
				  void *page)
{
	le32 *list = page;
	unsigned n = 0;

	if (f->vs < NVME_VS_1_1)
		return NVME_SC_FIELD;
	for (uint32_t id = after + 1; id <= 256; id++)
		if (fnvme_find_ns(f, id))
			list[n++] = id;
	return 0;
}

static uint16_t fnvme_identify(struct fake_nvme *f, const struct nvme_sqe *sqe)
{
	static _Alignas(8) uint8_t page[NVME_IDENTIFY_SIZE];
	uint16_t status = NVME_SC_FIELD;

	memset(page, 0, sizeof(page));
	switch (sqe->cdw10 & 0xff) {
	case NVME_CNS_CONTROLLER:
		status = fnvme_identify_ctrl(f, page);
		break;
	case NVME_CNS_NAMESPACE:
		status = fnvme_identify_ns(f, sqe->nsid, page);
		break;
	case NVME_CNS_ACTIVE_LIST:
		status = fnvme_active_list(f, sqe->nsid, page);
		break;
	}
	return status ? status : fnvme_prp(f, sqe, page, sizeof(page), true);
}

static bool fnvme_bad_queue(struct fake_nvme *f, const struct nvme_sqe *sqe)
{
	unsigned qid = FIELD_GET(NVME_Q10_QID, sqe->cdw10);
	unsigned size = FIELD_GET(NVME_Q10_QSIZE, sqe->cdw10);

	if (sqe->prp1 % PAGE_SIZE || !(sqe->cdw11 & NVME_SQ11_PC))
		fnvme_violation(f, "a queue is not contiguous pages");
	return !qid || qid > f->max_pairs || qid >= FNVME_QUEUES || !size ||
	       size > f->mqes;
}

static uint16_t fnvme_create_cq(struct fake_nvme *f, const struct nvme_sqe *sqe)
{
	unsigned qid = FIELD_GET(NVME_Q10_QID, sqe->cdw10);
	unsigned iv = FIELD_GET(NVME_CQ11_IV, sqe->cdw11);

	if (fnvme_bad_queue(f, sqe) || f->cq[qid].size)
		return NVME_SC_QID_INVALID;
	if (iv && iv >= f->msix)
		return NVME_SC_VECTOR;
	f->cq[qid] = (struct fnvme_cq){
		.size = FIELD_GET(NVME_Q10_QSIZE, sqe->cdw10) + 1,
		.base = sqe->prp1,
		.phase = true,
		.ien = sqe->cdw11 & NVME_CQ11_IEN,
		.iv = iv,
	};
	return 0;
}

static uint16_t fnvme_create_sq(struct fake_nvme *f, const struct nvme_sqe *sqe)
{
	unsigned qid = FIELD_GET(NVME_Q10_QID, sqe->cdw10);
	unsigned cqid = FIELD_GET(NVME_SQ11_CQID, sqe->cdw11);

	if (fnvme_bad_queue(f, sqe) || f->sq[qid].size)
		return NVME_SC_QID_INVALID;
	if (!cqid || cqid >= FNVME_QUEUES || !f->cq[cqid].size)
		return NVME_SC_CQ_INVALID;
	f->sq[qid] = (struct fnvme_sq){
		.size = FIELD_GET(NVME_Q10_QSIZE, sqe->cdw10) + 1,
		.base = sqe->prp1,
		.cqid = cqid,
	};
	return 0;
}

static uint16_t fnvme_set_features(struct fake_nvme *f,
				   const struct nvme_sqe *sqe, uint32_t *dw0)
{
	if ((sqe->cdw10 & 0xff) != NVME_FEATURE_QUEUES)
		return NVME_SC_FIELD;
	*dw0 = FIELD_PREP(NVME_QUEUES_NSQ, f->max_pairs - 1) |
	       FIELD_PREP(NVME_QUEUES_NCQ, f->max_pairs - 1);
	return 0;
}

static uint16_t fnvme_admin(struct fake_nvme *f, const struct nvme_sqe *sqe,
			    uint32_t *dw0)
{
	int opc = FIELD_GET(NVME_CDW0_OPC, sqe->cdw0);

	if (opc == f->fail_admin)
		return f->fail_status;
	switch (opc) {
	case NVME_ADMIN_IDENTIFY:
		return fnvme_identify(f, sqe);
	case NVME_ADMIN_SET_FEATURES:
		return fnvme_set_features(f, sqe, dw0);
	case NVME_ADMIN_CREATE_CQ:
		return fnvme_create_cq(f, sqe);
	case NVME_ADMIN_CREATE_SQ:
		return fnvme_create_sq(f, sqe);
	default:
		return NVME_SC_OPCODE;
	}
}

/* ---- commands ---- */

static void fnvme_do(struct fake_nvme *f, const struct fnvme_cmd *cmd)
{
	uint32_t dw0 = 0;
	uint16_t status;

	if (cmd->qid) {
		if (fnvme_take(&f->swallow))
			return;
		status = fnvme_io(f, cmd);
	} else {
		if ((int)FIELD_GET(NVME_CDW0_OPC, cmd->sqe.cdw0) ==
		    f->stuck_admin)
			return;
		status = fnvme_admin(f, &cmd->sqe, &dw0);
	}
	fnvme_answer(f, cmd, status, dw0);
}

/* The next command that is due, in order or the newest first; or -1. */
static int fnvme_due(const struct fake_nvme *f)
{
	int found = -1;

	for (unsigned i = 0; i < f->npending; i++) {
		if (f->pending[i].due > time_now())
			continue;
		found = i;
		if (!f->reverse)
			break;
	}
	return found;
}

static void fnvme_step(void *ctx)
{
	struct fake_nvme *f = ctx;
	int i;

	if (f->pci.gone || f->reads_zero || f->csts & NVME_CSTS_CFS)
		return;
	while ((i = fnvme_due(f)) >= 0) {
		struct fnvme_cmd cmd = f->pending[i];

		memmove(&f->pending[i], &f->pending[i + 1],
			(--f->npending - i) * sizeof(cmd));
		fnvme_do(f, &cmd);
	}
}

static void fnvme_fetch(struct fake_nvme *f, uint16_t qid)
{
	struct fnvme_sq *sq = &f->sq[qid];

	while (sq->head != sq->tail) {
		struct fnvme_cmd *cmd = &f->pending[f->npending];
		iova_t at = sq->base + sq->head * sizeof(cmd->sqe);

		BUG_ON(f->npending == FNVME_PENDING);
		if (!host_dma_read(f->pci.bdf, at, &cmd->sqe,
				   sizeof(cmd->sqe))) {
			f->csts = NVME_CSTS_CFS;
			return;
		}
		cmd->qid = qid;
		cmd->due = time_now() + (qid ? f->latency : 0);
		sq->head = (sq->head + 1) % sq->size;
		f->npending++;
		f->commands++;
		f->per_queue[qid]++;
	}
	if (qid)
		f->max_pending = MAX(f->max_pending, f->npending);
}

/* ---- registers ---- */

static void fnvme_doorbell(struct fake_nvme *f, size_t off, uint32_t val)
{
	size_t i = (off - NVME_DOORBELLS) >> (2 + f->dstrd);
	unsigned qid = i / 2;

	if (off & ((4u << f->dstrd) - 1) || qid >= FNVME_QUEUES ||
	    !(f->csts & NVME_CSTS_RDY)) {
		fnvme_violation(f, "doorbell at 0x%zx", off);
		return;
	}
	if (i & 1) {
		f->cq_doorbells++;
		if (val >= f->cq[qid].size)
			fnvme_violation(f, "head %u of queue %u", val, qid);
		f->cq[qid].head = val;
	} else if (val >= f->sq[qid].size || val == f->sq[qid].tail) {
		fnvme_violation(f, "tail %u of queue %u", val, qid);
	} else {
		f->doorbells += qid != 0;
		f->sq[qid].tail = val;
		fnvme_fetch(f, qid);
	}
}

static void fnvme_enable(struct fake_nvme *f)
{
	f->enables++;
	if (f->csts & NVME_CSTS_RDY)
		fnvme_violation(f, "enabled while still ready");
	if (f->asq % PAGE_SIZE || f->acq % PAGE_SIZE || !f->asq || !f->acq ||
	    FIELD_GET(NVME_CC_IOSQES, f->cc) != NVME_SQE_SHIFT ||
	    FIELD_GET(NVME_CC_IOCQES, f->cc) != NVME_CQE_SHIFT ||
	    FIELD_GET(NVME_CC_MPS, f->cc) || FIELD_GET(NVME_CC_CSS, f->cc))
		fnvme_violation(f, "CC 0x%x", f->cc);
	if (f->fatal_on_enable ||
	    (f->enables_until_fatal && !--f->enables_until_fatal)) {
		f->csts = NVME_CSTS_CFS;
		return;
	}
	f->sq[0] = (struct fnvme_sq){
		.size = FIELD_GET(NVME_AQA_ASQS, f->aqa) + 1, .base = f->asq,
	};
	f->cq[0] = (struct fnvme_cq){
		.size = FIELD_GET(NVME_AQA_ACQS, f->aqa) + 1, .base = f->acq,
		.phase = true, .ien = true,
	};
	f->ready_at = f->never_ready ? NSEC_NEVER : time_now() + f->ready_delay;
}

static void fnvme_disable(struct fake_nvme *f)
{
	f->disables++;
	f->npending = 0;
	memset(f->sq, 0, sizeof(f->sq));
	memset(f->cq, 0, sizeof(f->cq));
	f->ready_at = NSEC_NEVER;
	f->csts = f->never_disabled ? f->csts & NVME_CSTS_RDY : 0;
}

static void fnvme_write_cc(struct fake_nvme *f, uint32_t val)
{
	uint32_t was = f->cc;

	f->cc = val;
	if (~was & val & NVME_CC_EN)
		fnvme_enable(f);
	else if (was & ~val & NVME_CC_EN)
		fnvme_disable(f);
	if (FIELD_GET(NVME_CC_SHN, val) && !FIELD_GET(NVME_CC_SHN, was)) {
		f->shutdowns++;
		if (!f->never_shut_down)
			f->csts |= FIELD_PREP(NVME_CSTS_SHST,
					      NVME_CSTS_SHST_DONE);
	}
}

static uint64_t fnvme_cap(const struct fake_nvme *f)
{
	if (f->cap_all_ones)
		return UINT64_MAX;
	return FIELD_PREP(NVME_CAP_MQES, f->mqes) | NVME_CAP_CQR |
	       FIELD_PREP(NVME_CAP_TO, f->to) |
	       FIELD_PREP(NVME_CAP_DSTRD, f->dstrd) |
	       FIELD_PREP(NVME_CAP_CSS, f->css) |
	       FIELD_PREP(NVME_CAP_MPSMIN, f->mpsmin) |
	       FIELD_PREP(NVME_CAP_MPSMAX, 4);
}

static uint64_t fnvme_read(void *ctx, size_t off, unsigned width)
{
	struct fake_nvme *f = ctx;

	if (f->reads_zero)
		return 0;
	if (time_now() >= f->ready_at)
		f->csts |= NVME_CSTS_RDY;
	switch (off) {
	case NVME_CAP:
		return fnvme_cap(f);
	case NVME_VS:
		return f->vs;
	case NVME_CC:
		return f->cc;
	case NVME_CSTS:
		return f->csts;
	case NVME_AQA:
		return f->aqa;
	default:
		fnvme_violation(f, "read at 0x%zx", off);
		return 0;
	}
}

static void fnvme_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	struct fake_nvme *f = ctx;

	if (f->reads_zero)
		return;
	if (off >= NVME_DOORBELLS) {
		fnvme_doorbell(f, off, val);
		return;
	}
	switch (off) {
	case NVME_CC:
		fnvme_write_cc(f, val);
		return;
	case NVME_AQA:
	case NVME_ASQ:
	case NVME_ACQ:
		if (f->cc & NVME_CC_EN)
			fnvme_violation(f, "0x%zx written while enabled", off);
		if (off == NVME_AQA)
			f->aqa = val;
		else if (off == NVME_ASQ)
			f->asq = val;
		else
			f->acq = val;
		return;
	default:
		fnvme_violation(f, "write at 0x%zx", off);
	}
}

static const struct host_mmio_ops fnvme_ops = {
	.read = fnvme_read, .write = fnvme_write,
};

/* ---- making one ---- */

void fake_nvme_init(struct fake_nvme *f, uint16_t bdf)
{
	memset(f, 0, sizeof(*f));
	fake_pci_init(&f->pci, bdf, 0x1b36, 0x0010, 0x010802);
	f->msix = 65;
	f->bar_size = 16384;
	f->mqes = 2047;
	f->to = 15;
	f->css = NVME_CAP_CSS_NVM;
	f->vs = 0x00010400;
	f->max_pairs = FNVME_QUEUES - 1;
	f->mdts = 7;
	f->ready_at = NSEC_NEVER;
	f->stuck_admin = f->fail_admin = f->gsi = -1;
	f->ns[0] = (struct fnvme_ns){ .nsid = 1, .shift = 9, .blocks = 4096 };
}

void fake_nvme_add(struct fake_nvme *f)
{
	fake_pci_bar(&f->pci, 0, f->bar_size, true, &fnvme_ops, f);
	if (f->msix)
		fake_pci_msix(&f->pci, f->msix, 0, 0x2000, 0x3000);
	for (unsigned i = 0; i < FNVME_NS; i++) {
		struct fnvme_ns *ns = &f->ns[i];
		uint64_t size = ns->blocks << ns->shift;

		if (!ns->nsid || ns->ms)
			continue;
		ns->image = malloc(size + 1);
		for (uint64_t off = 0; off < size; off++)
			ns->image[off] = fake_nvme_byte(ns->nsid, off);
	}
	if (f->gsi >= 0)
		f->pci.config[0x3d] = 1;	/* INTA */
	fake_pci_add(&f->pci);
	host_step_add(fnvme_step, f);
}

void fake_nvme_remove(struct fake_nvme *f)
{
	host_step_remove(f);
	fake_pci_remove(&f->pci);
	for (unsigned i = 0; i < FNVME_NS; i++)
		free(f->ns[i].image);
}
