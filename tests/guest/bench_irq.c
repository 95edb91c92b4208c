/* SPDX-License-Identifier: MIT */
/*
 * Group irq, first half: from what makes a device interrupt to the first
 * instruction of the handler, mostly on the CPU that made it.
 *
 * How one could be fooled: a handler that never ran leaves no time, so each
 * interrupt is awaited and counted. A device that works in a thread of the host
 * is timed together with that thread; so the message alone is timed where it
 * waits already (nvme_unmask), or where the device answers within the write
 * that asks it (edu_msi, virtio_msix). The clock is read by the handler: what
 * the waiting costs, and its way out, are not in it.
 */
#include "tests/guest/bench.h"

#include "blk/blk.h"
#include "blk/nvme.h"
#include "core/cpu.h"
#include "core/dma.h"
#include "core/io.h"
#include "core/page.h"
#include "core/pci.h"
#include "core/string.h"
#include "msi/irqs.h"
#include "msi/msi.h"
#include "tests/guest/msix_rig.h"

#define DEVBENCH_WAIT	(10 * NSEC_PER_SEC)

/* One event at a time; the handler says when it came. */
static struct {
	struct kbench_run *b;
	unsigned sent;			/* by the benchmark */
	unsigned came;			/* by the handler */
} devbench;

static void devbench_begin(struct kbench_run *b)
{
	devbench.b = b;
	devbench.sent = devbench.came = 0;
}

static void devbench_irq(void *arg)
{
	kbench_to_here(devbench.b);
	WRITE_ONCE(devbench.came, devbench.came + 1);
}

/* Until the event that was just sent has come. False: it did not. */
static bool devbench_await(void)
{
	devbench.sent++;
	return poll_mem_until(READ_ONCE(devbench.came) == devbench.sent,
			      time_now() + DEVBENCH_WAIT) == 0;
}

static void devbench_end(struct kbench_run *b, bool lost)
{
	KBENCH_CHECK(b, !lost);
	KBENCH_EQ(b, devbench.came, b->ops);
}

/* ---- MSI: edu (QEMU's docs/specs/edu.txt) ---- */

#define EDUBENCH_VENDOR	0x1234
#define EDUBENCH_DEVICE	0x11e8
#define EDUBENCH_RAISE	0x60		/* wo: sets status bits, interrupts */
#define EDUBENCH_ACK	0x64		/* wo: clears them */

static int edubench_vectors(struct pci_dev *p)
{
	struct cpu_set here = { 0 };
	struct irq_hints hints = { .use = IRQ_MSI, .among = &here };
	int err;

	cpu_set_add(&here, cpu_id());
	err = irq_alloc_vectors(p, 1, 1, &hints);
	if (err < 0)
		return err;
	err = pci_enable_master(p);
	if (!err)
		err = irq_vectors_connect(p, 0, devbench_irq, NULL, "bench edu");
	if (err)
		irq_vectors_free(p);
	return err;
}

static int edubench_start(struct pci_dev *p, struct io *regs, bool *attached)
{
	int err = 0;

	*attached = !p->dev.dma.ops;
	if (*attached)
		err = dma_attach(&p->dev);
	if (err)
		return err;
	pci_enable_memory(p);
	err = pci_map_bar(p, 0, regs);
	if (err)
		goto err_bar;
	io_write32(regs, EDUBENCH_ACK, UINT32_MAX);
	err = edubench_vectors(p);
	if (!err)
		return 0;
	io_unmap(regs);
err_bar:
	if (*attached)
		dma_detach(&p->dev);
	return err;
}

static void edubench_stop(struct pci_dev *p, struct io *regs, bool attached)
{
	pci_disable_master(p);
	irq_vectors_free(p);
	io_unmap(regs);
	if (attached)
		dma_detach(&p->dev);
}

KBENCH(irq, edu_msi, "edu: from the register that raises its MSI")
{
	struct pci_dev *p = msix_rig_find(EDUBENCH_VENDOR, EDUBENCH_DEVICE);
	bool lost = false, attached;
	struct io regs;

	if (!p)
		return kbench_skip(b, "no edu device");
	devbench_begin(b);
	if (!KBENCH_EQ(b, edubench_start(p, &regs, &attached), 0))
		return;
	while (!lost && kbench_batch(b, 1)) {
		kbench_from_here(b);
		io_write32(&regs, EDUBENCH_RAISE, 1);
		lost = !devbench_await();
		io_write32(&regs, EDUBENCH_ACK, 1);
	}
	devbench_end(b, lost);
	edubench_stop(p, &regs, attached);
}

/* ---- MSI-X: a virtio function ---- */

static bool rigbench_answers(struct kbench_run *b)
{
	struct msix_rig *r = &msix_rig;
	struct virtq_buf buf = { r->iova, 4, !r->reads };
	bool ok;

	if (virtq_add(&r->q[0], &buf, 1, r))
		return false;
	kbench_from_here(b);
	virtq_kick(&r->q[0]);
	ok = devbench_await();
	return virtq_get(&r->q[0], NULL, NULL) && ok;
}

static void rigbench_run(struct kbench_run *b, unsigned cpu)
{
	bool lost = false;
	int err = msix_rig_open();

	if (err == -ENXIO || err == -EPERM)
		return kbench_skip(b, "no virtio-serial or virtio-rng to use");
	if (!KBENCH_EQ(b, err, 0))
		return;
	if (!msix_rig.reads)
		kbench_uncounted(b);	/* an RNG asks the host */
	devbench_begin(b);
	if (KBENCH_EQ(b, msi_connect(msix_rig.p, 0, cpu, devbench_irq, NULL,
				     "bench virtio"), 0)) {
		while (!lost && kbench_batch(b, 1))
			lost = !rigbench_answers(b);
		devbench_end(b, lost);
	}
	msix_rig_stop();
}

KBENCH(irq, virtio_msix, "virtio: from a doorbell to its queue's MSI-X")
{
	rigbench_run(b, cpu_id());
}

KBENCH(irq, virtio_msix_there, "the same, which interrupts another CPU, halted")
{
	if (cpu_count() == 1)
		return kbench_skip(b, "one CPU");
	rigbench_run(b, (cpu_id() + 1) % cpu_count());
}

/* ---- MSI-X: an NVMe disk, through its driver ---- */

static struct {
	struct blk_dev *bd;
	struct pci_dev *p;
	unsigned nr;			/* the vector of this CPU's queue */
	uint64_t before;		/* its interrupts until now */
	struct blk_req rq;
	int err;			/* the first one */
	bool lost;			/* rq may still be the driver's, for good */
} nvmebench;

static void nvmebench_done(struct blk_req *rq)
{
	if (!nvmebench.err)
		nvmebench.err = rq->status;
	devbench_irq(NULL);
}

static bool nvmebench_find_vector(void)
{
	struct pci_dev *p = nvmebench.p;

	for (unsigned nr = 0; nr < msi_vectors(p); nr++) {
		nvmebench.nr = nr;
		if (msi_cpu(p, nr) == (int)cpu_id())
			return true;
	}
	return false;
}

/* False: skipped, or failed. */
static bool nvmebench_begin(struct kbench_run *b, enum blk_op op)
{
	struct blk_dev *bd = blk_find("nvme0n1");
	void *buf;

	nvmebench.p = bd && bd->dev ? to_pci_dev(bd->dev) : NULL;
	if (!nvmebench.p || strcmp(msi_kind(nvmebench.p), "msi-x") ||
	    !bd->blocks || !nvmebench_find_vector()) {
		kbench_skip(b, "no NVMe disk that interrupts this CPU by MSI-X");
		return false;
	}
	if (!KBENCH_CHECK(b, !nvmebench.lost))
		return false;
	buf = page_alloc(page_order(bd->block_size));
	if (!KBENCH_CHECK(b, buf))
		return false;
	nvmebench.bd = bd;
	nvmebench.err = 0;
	nvmebench.before = msi_count(nvmebench.p, nvmebench.nr);
	nvmebench.rq = (struct blk_req){
		.op = op, .blocks = 1, .nvec = 1, .done = nvmebench_done,
		.vec[0] = { buf, bd->block_size },
	};
	devbench_begin(b);
	return true;
}

static void nvmebench_end(struct kbench_run *b, bool lost)
{
	devbench_end(b, lost);
	KBENCH_EQ(b, nvmebench.err, 0);
	/* The driver's watchdog may have found what did not interrupt. */
	KBENCH_CHECK(b, msi_count(nvmebench.p, nvmebench.nr) -
			nvmebench.before >= b->ops);
	nvmebench.lost = lost;
	if (!lost)			/* else it may still be written to */
		page_free(nvmebench.rq.vec[0].addr,
			  page_order(nvmebench.bd->block_size));
}

static bool nvmebench_submit(void)
{
	return nvmebench.bd->submit(nvmebench.bd, &nvmebench.rq) == 0;
}

static void nvmebench_run(struct kbench_run *b, enum blk_op op)
{
	bool lost = false;

	if (!nvmebench_begin(b, op))
		return;
	kbench_uncounted(b);
	while (!lost && kbench_batch(b, 1)) {
		kbench_from_here(b);
		lost = !nvmebench_submit() || !devbench_await();
	}
	nvmebench_end(b, lost);
}

KBENCH(irq, nvme_flush, "NVMe: a flush, from submitting it to its answer")
{
	nvmebench_run(b, BLK_FLUSH);
}

KBENCH(irq, nvme_read, "NVMe: the same of reading one block")
{
	nvmebench_run(b, BLK_READ);
}

/* A completion that waits for its vector to be unmasked. */
static bool nvmebench_unmask(struct kbench_run *b)
{
	struct pci_dev *p = nvmebench.p;
	bool waits;

	msi_mask(p, nvmebench.nr, true);
	waits = nvmebench_submit() &&
		poll_mem_until(msi_pending(p, nvmebench.nr),
			       time_now() + DEVBENCH_WAIT) == 0 &&
		READ_ONCE(devbench.came) == devbench.sent;
	kbench_from_here(b);
	msi_mask(p, nvmebench.nr, false);
	return devbench_await() && waits;
}

KBENCH(irq, nvme_unmask, "NVMe: from unmasking what pends to the answer")
{
	bool lost = false;

	if (!nvmebench_begin(b, BLK_FLUSH))
		return;
	while (!lost && kbench_batch(b, 1))
		lost = !nvmebench_unmask(b);
	nvmebench_end(b, lost);
}
