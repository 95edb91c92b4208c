/* SPDX-License-Identifier: MIT */
/*
 * The NVMe controller of this machine: does every queue work, does its
 * interrupt arrive where it belongs, does the device touch only what it was
 * given? Nothing is written to the disk.
 *
 * One could be fooled by a disk whose blocks are all alike: a wrong LBA would
 * not show. So the first test says as a metric how many of the first blocks
 * differ. Memory is painted before each read, so that data that never
 * came shows in any case, unless the disk is painted the same way.
 */
#include "blk/nvme.h"
#include "core/bits.h"
#include "core/device.h"
#include "core/page.h"
#include "core/pci.h"
#include "core/report.h"
#include "core/string.h"
#include "msi/irqs.h"
#include "msi/msi.h"

#define PAINT		0xee
#define ORDER		4		/* pages of a test's buffer */
#define MANY		63

/* A request that notes how and where it was answered. */
struct nvmet_asked {
	struct blk_req rq;
	struct blk_wait w;
	unsigned answers, cpu;
};

static struct nvmet_asked nvmet_asked[MANY];

static void nvmet_done(struct blk_req *rq)
{
	struct nvmet_asked *a = rq->arg;

	a->answers++;
	a->cpu = cpu_id();
	blk_wait_less(&a->w, 1, rq->status);
}

static void nvmet_ask(struct nvmet_asked *a, struct blk_dev *bd, uint64_t lba,
		      void *buf)
{
	a->answers = 0;
	blk_wait_init(&a->w, blk_waitq());
	blk_wait_for(&a->w, &a->rq);
	a->rq.op = BLK_READ;
	a->rq.lba = lba;
	a->rq.blocks = 1;
	a->rq.nvec = 1;
	a->rq.vec[0] = (struct dma_vec){ buf, bd->block_size };
	a->rq.done = nvmet_done;
	a->rq.arg = a;
}

/* A disk to test on, or NULL: the test is skipped. */
static struct blk_dev *nvmet_disk(struct ktest_run *t)
{
	struct blk_dev *bd;

	for (unsigned i = 0; (bd = blk_get(i)); i++)
		if (nvme_of(bd) && bd->blocks >= MANY)
			return bd;
	ktest_skip(t, "no NVMe disk of %u blocks or more", MANY);
	return NULL;
}

static bool nvmet_painted(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != PAINT)
			return false;
	return true;
}

KTEST(nvme, identify_is_sane)
{
	struct blk_dev *bd = nvmet_disk(t);
	struct nvme_ctrl *c;

	if (!bd)
		return;
	c = nvme_of(bd);
	KEXPECT(t, c->state == NVME_LIVE);
	KEXPECT(t, c->model[0] != '\0');
	KEXPECT_MSG(t, c->vs >= 0x00010000 && c->vs < 0x00030000,
		    "version 0x%x", c->vs);
	KEXPECT(t, is_power_of_2(bd->block_size) && bd->block_size >= 512);
	KEXPECT(t, bd->max_blocks > 0);
	KEXPECT(t, c->nio >= 1 && c->nio <= cpu_count());
	ktest_metric("nvme_queues", c->nio, "queues");
	ktest_metric("nvme_vectors", c->nvec, "vectors");
}

KTEST(nvme, the_first_blocks_are_read_one_by_one_and_at_once)
{
	struct blk_dev *bd = nvmet_disk(t);
	unsigned n, different = 0;
	uint8_t *all, *one;

	if (!bd)
		return;
	all = page_alloc(ORDER);
	one = page_alloc(0);
	KASSERT(t, all && one);
	n = MIN((PAGE_SIZE << ORDER) / bd->block_size, 16u);
	memset(all, PAINT, n * bd->block_size);
	KEXPECT_EQ(t, blk_read(bd, 0, all, n * bd->block_size), 0);
	for (unsigned i = 0; i < n; i++) {
		memset(one, PAINT, bd->block_size);
		KEXPECT_EQ(t, blk_read(bd, i, one, bd->block_size), 0);
		KEXPECT(t, !memcmp(one, all + i * bd->block_size,
				   bd->block_size));
		different += memcmp(one, all, bd->block_size) != 0;
	}
	ktest_metric("nvme_blocks_that_differ", different, "blocks");
	page_free(one, 0);
	page_free(all, ORDER);
}

/* ---- queues and their vectors ---- */

struct nvmet_worker {
	struct blk_dev *bd;
	struct thread *thread;
	uint8_t *page;
	struct nvmet_asked a;
	int err;
};

static struct nvmet_worker nvmet_worker[CPU_MAX];

static void nvmet_work(void *arg)
{
	struct nvmet_worker *w = arg;
	struct blk_req *rq = &w->a.rq;

	memset(w->page, PAINT, w->bd->block_size);
	nvmet_ask(&w->a, w->bd, 1, w->page);
	w->err = blk_submit(w->bd, &rq, 1, &w->a.w);
	if (!w->err)
		w->err = blk_wait(&w->a.w);
}

static void nvmet_work_on(struct ktest_run *t, struct blk_dev *bd, unsigned cpu)
{
	struct nvmet_worker *w = &nvmet_worker[cpu];

	w->bd = bd;
	w->page = page_alloc(0);
	KASSERT(t, w->page);
	KASSERT(t, !thread_create(cpu, nvmet_work, w, "nvme-test", &w->thread));
	thread_join(w->thread);
	KEXPECT_EQ(t, w->err, 0);
	KEXPECT_EQ(t, w->a.answers, 1);
}

KTEST(nvme, every_queue_reads_the_same_and_interrupts_its_own_cpu)
{
	struct blk_dev *bd = nvmet_disk(t);
	struct nvme_ctrl *c;

	if (!bd)
		return;
	c = nvme_of(bd);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		struct nvme_queue *q = c->by_cpu[cpu];
		uint64_t requests = q->requests, irqs = q->irqs;

		nvmet_work_on(t, bd, cpu);
		KEXPECT(t, q->requests > requests);
		KEXPECT(t, q->irqs > irqs);
		KEXPECT_EQ(t, nvmet_worker[cpu].a.cpu, q->cpu);
		KEXPECT_EQ(t, q->irqs_elsewhere, 0);
		KEXPECT(t, !memcmp(nvmet_worker[cpu].page,
				   nvmet_worker[0].page, bd->block_size));
	}
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		page_free(nvmet_worker[cpu].page, 0);
}

KTEST(nvme, each_queue_has_a_vector_of_its_own)
{
	struct blk_dev *bd = nvmet_disk(t);
	struct pci_dev *p;
	struct nvme_ctrl *c;

	if (!bd)
		return;
	c = nvme_of(bd);
	if (c->nvec < 2) {
		ktest_skip(t, "the queues share one interrupt");
		return;
	}
	p = to_pci_dev(c->dev);
	for (unsigned i = 0; i < c->nio; i++) {
		struct nvme_queue *q = &c->io[i];

		KEXPECT_EQ(t, q->vector, i + 1);
		KEXPECT_EQ(t, msi_cpu(p, q->vector), q->cpu);
		KEXPECT_EQ(t, msi_count(p, q->vector) +
			   irq_watch_lost(p, q->vector), q->irqs);
	}
}

KTEST(nvme, many_commands_in_flight_are_each_answered_once)
{
	struct blk_dev *bd = nvmet_disk(t);
	struct blk_req *rq[MANY];
	uint64_t doorbells;
	uint8_t *buf, *one;
	int n;

	if (!bd)
		return;
	buf = page_alloc(6);
	one = page_alloc(0);
	KASSERT(t, buf && one);
	memset(buf, PAINT, PAGE_SIZE << 6);
	for (unsigned i = 0; i < MANY; i++) {
		nvmet_ask(&nvmet_asked[i], bd, i, buf + i * PAGE_SIZE);
		rq[i] = &nvmet_asked[i].rq;
	}
	doorbells = nvme_of(bd)->by_cpu[cpu_id()]->doorbells;
	n = bd->submit_batch(bd, rq, MANY);
	KEXPECT_MSG(t, n > 0, "submit_batch says %d", n);
	KEXPECT_EQ(t, nvme_of(bd)->by_cpu[cpu_id()]->doorbells, doorbells + 1);
	for (int i = 0; i < n; i++) {
		KEXPECT_EQ(t, blk_wait(&nvmet_asked[i].w), 0);
		KEXPECT_EQ(t, nvmet_asked[i].answers, 1);
		KEXPECT_EQ(t, blk_read(bd, (uint64_t)i, one, bd->block_size), 0);
		KEXPECT(t, !memcmp(one, buf + (size_t)i * PAGE_SIZE,
				   bd->block_size));
	}
	ktest_metric("nvme_in_flight", n > 0 ? n : 0, "commands");
	page_free(one, 0);
	page_free(buf, 6);
}

/* ---- where the data goes ---- */

/* Every other page of the buffer; those between must stay as painted. */
KTEST(nvme, scattered_pieces_leave_their_neighbours_alone)
{
	struct blk_dev *bd = nvmet_disk(t);
	struct nvmet_asked *a = &nvmet_asked[0];
	struct blk_req *rq = &a->rq;
	uint8_t *buf, *flat;

	if (!bd)
		return;
	buf = page_alloc(3);
	flat = page_alloc(2);
	KASSERT(t, buf && flat);
	memset(buf, PAINT, PAGE_SIZE << 3);
	nvmet_ask(a, bd, 0, buf);
	rq->nvec = 3;
	rq->vec[0] = (struct dma_vec){ buf + 6 * PAGE_SIZE, PAGE_SIZE };
	rq->vec[1] = (struct dma_vec){ buf + 2 * PAGE_SIZE, PAGE_SIZE };
	rq->vec[2] = (struct dma_vec){ buf + 4 * PAGE_SIZE, PAGE_SIZE };
	rq->blocks = 3 * PAGE_SIZE / bd->block_size;
	KEXPECT_EQ(t, blk_submit(bd, &rq, 1, &a->w), 0);
	KEXPECT_EQ(t, blk_wait(&a->w), 0);
	KEXPECT_EQ(t, blk_read(bd, 0, flat, 3 * PAGE_SIZE), 0);
	for (unsigned i = 0; i < 3; i++)
		KEXPECT(t, !memcmp(rq->vec[i].addr, flat + i * PAGE_SIZE,
				   PAGE_SIZE));
	for (unsigned page = 1; page < 8; page += 2)
		KEXPECT(t, nvmet_painted(buf + page * PAGE_SIZE, PAGE_SIZE));
	page_free(flat, 2);
	page_free(buf, 3);
}

KTEST(nvme, a_block_within_a_page_leaves_the_rest_of_it_alone)
{
	struct blk_dev *bd = nvmet_disk(t);
	uint8_t *p;

	if (!bd)
		return;
	p = page_alloc(2);
	KASSERT(t, p);
	memset(p, PAINT, PAGE_SIZE << 2);
	KEXPECT_EQ(t, blk_read(bd, 0, p + PAGE_SIZE - 64, bd->block_size), 0);
	KEXPECT(t, nvmet_painted(p, PAGE_SIZE - 64));
	KEXPECT(t, nvmet_painted(p + PAGE_SIZE - 64 + bd->block_size, 1024));
	page_free(p, 2);
}

/* ---- errors ---- */

KTEST(nvme, a_block_beyond_the_last_one_is_an_error_and_io_goes_on)
{
	struct blk_dev *bd = nvmet_disk(t);
	struct nvmet_asked *a = &nvmet_asked[0];
	struct blk_req *rq = &a->rq;
	uint8_t *p;

	if (!bd)
		return;
	p = page_alloc(0);
	KASSERT(t, p);
	memset(p, PAINT, PAGE_SIZE);
	nvmet_ask(a, bd, bd->blocks, p);
	KEXPECT_EQ(t, blk_submit(bd, &rq, 1, &a->w), 0);
	KEXPECT_EQ(t, blk_wait(&a->w), -ERANGE);
	KEXPECT(t, nvmet_painted(p, PAGE_SIZE));
	KEXPECT_EQ(t, blk_read(bd, bd->blocks - 1, p, bd->block_size), 0);
	page_free(p, 0);
}

KTEST(nvme, a_hole_between_pieces_is_refused)
{
	struct blk_dev *bd = nvmet_disk(t);
	struct nvmet_asked *a = &nvmet_asked[0];
	struct blk_req *rq = &a->rq;
	uint8_t *p;

	if (!bd)
		return;
	if (bd->block_size >= PAGE_SIZE) {
		ktest_skip(t, "a block fills a page");
		return;
	}
	p = page_alloc(1);
	KASSERT(t, p);
	nvmet_ask(a, bd, 0, p);
	rq->blocks = rq->nvec = 2;
	rq->vec[1] = (struct dma_vec){ p + PAGE_SIZE, bd->block_size };
	KEXPECT_EQ(t, blk_submit(bd, &rq, 1, &a->w), 0);
	KEXPECT_EQ(t, blk_wait(&a->w), -EINVAL);
	page_free(p, 1);
}

/* Last by intention only: what the other tests leave behind counts as well. */
KTEST(nvme, no_completion_lied_and_no_interrupt_was_lost)
{
	struct blk_dev *bd = nvmet_disk(t);
	struct nvme_ctrl *c;

	if (!bd)
		return;
	c = nvme_of(bd);
	for (unsigned i = 0; i < c->nio; i++) {
		KEXPECT_EQ(t, c->io[i].lies, 0);
		KEXPECT_EQ(t, c->io[i].missed, 0);
	}
	KEXPECT_EQ(t, c->resets, 0);
	KEXPECT_EQ(t, c->dev->dma.maps - c->dev->dma.unmaps, 0);
}
