/* SPDX-License-Identifier: MIT */
/*
 * Message interrupts on real devices. Three witnesses:
 *
 *	the first disk's NVMe controller, whose own driver uses MSI-X: each
 *	vector interrupts the CPU it was connected to;
 *	a virtio-rng-pci that no driver wants: its completions are ours to
 *	provoke, so mask, pending bit, unmasking and disconnecting are seen
 *	from both ends (the used ring says that there was an event);
 *	an edu device, which has MSI without masks and interrupts on demand.
 *
 * A test whose device is not there is skipped. One could be fooled by a
 * completion that was not the reason for the interrupt: so counts are compared
 * exactly where nothing else can make the device interrupt.
 */
#include "blk/blk.h"
#include "core/cpu.h"
#include "core/dma.h"
#include "core/io.h"
#include "core/page.h"
#include "core/pci.h"
#include "core/report.h"
#include "msi/msi.h"
#include "sched/sched.h"
#include "virt/virtio.h"

#define MSI_TEST_WAIT	(1 * NSEC_PER_SEC)
#define MSI_TEST_QUIET	(5 * NSEC_PER_MSEC)	/* for what must not come */

/* Counted by the handlers below. */
static struct {
	unsigned count, cpu;
} msi_test_seen;

static void msi_test_irq(void *arg)
{
	msi_test_seen.cpu = cpu_id();
	WRITE_ONCE(msi_test_seen.count, msi_test_seen.count + 1);
}

static int msi_test_await(unsigned count)
{
	return poll_mem_until(READ_ONCE(msi_test_seen.count) >= count,
			      time_now() + MSI_TEST_WAIT);
}

/* A function with this id that no driver has taken. */
static struct pci_dev *msi_test_find(uint16_t vendor, uint16_t device)
{
	struct pci_dev *p;

	list_for_each(p, &pci_devices, node)
		if (p->vendor == vendor && p->device == device && !p->driver)
			return p;
	return NULL;
}

/* ---- the disk's controller ---- */

static struct {
	struct blk_dev *bd;
	void *buf;
	int err;
} msi_test_read;

static void msi_test_read_one(void *arg)
{
	msi_test_read.err = blk_read(msi_test_read.bd, 0, msi_test_read.buf,
				     msi_test_read.bd->block_size);
}

/* Interrupts so far through those vectors of p that are connected to cpu. */
static uint64_t msi_test_count_on(struct pci_dev *p, unsigned cpu)
{
	uint64_t sum = 0;

	for (unsigned nr = 0; nr < msi_vectors(p); nr++)
		if (msi_cpu(p, nr) == (int)cpu)
			sum += msi_count(p, nr);
	return sum;
}

/* Does every CPU have a vector besides vector 0, the admin queue's? */
static bool msi_test_vector_per_cpu(struct pci_dev *p)
{
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		bool found = false;

		for (unsigned nr = 1; nr < msi_vectors(p); nr++)
			found |= msi_cpu(p, nr) == (int)cpu;
		if (!found)
			return false;
	}
	return true;
}

static void msi_test_read_from(struct ktest_run *t, struct pci_dev *p,
			       unsigned cpu)
{
	uint64_t before = msi_test_count_on(p, cpu);
	struct thread *th;

	KASSERT(t, thread_create(cpu, msi_test_read_one, NULL, "msi read",
				 &th) == 0);
	thread_join(th);
	KEXPECT_EQ(t, msi_test_read.err, 0);
	KEXPECT_MSG(t, msi_test_count_on(p, cpu) > before,
		    "a read on CPU %u made no interrupt there", cpu);
}

KTEST(msi, disk_interrupts_rise_on_the_cpu_that_asked)
{
	struct blk_dev *bd = blk_get(0);
	struct pci_dev *p = bd && bd->dev ? to_pci_dev(bd->dev) : NULL;

	if (!p || !msi_vectors(p) || !bd->blocks) {
		ktest_skip(t, "no disk that interrupts by messages");
		return;
	}
	if (!msi_test_vector_per_cpu(p)) {
		ktest_skip(t, "%s has fewer vectors than CPUs", bd->name);
		return;
	}
	msi_test_read.bd = bd;
	msi_test_read.buf = page_alloc(page_order(bd->block_size));
	KASSERT(t, msi_test_read.buf != NULL);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		msi_test_read_from(t, p, cpu);
	page_free(msi_test_read.buf, page_order(bd->block_size));
}

KTEST(msi, connected_vectors_are_open_and_nothing_is_stuck)
{
	struct pci_dev *p;
	unsigned n = 0;

	list_for_each(p, &pci_devices, node) {
		for (unsigned nr = 0; nr < msi_vectors(p); nr++) {
			if (msi_cpu(p, nr) < 0)
				continue;
			n++;
			KEXPECT_MSG(t, !msi_masked(p, nr) &&
				    !msi_pending(p, nr),
				    "%s vector %u: masked %d, pending %d",
				    p->dev.name, nr, msi_masked(p, nr),
				    msi_pending(p, nr));
			KEXPECT(t, (unsigned)msi_cpu(p, nr) < cpu_count());
		}
	}
	if (!n)
		ktest_skip(t, "no device interrupts by messages");
}

/* ---- virtio-rng ---- */

#define RNG_QUEUE_SIZE	8
#define RNG_BYTES	64
#define RNG_VECTOR	1		/* not 0: an off-by-one would show */

static struct {
	struct pci_dev *p;
	struct virtio_dev vd;
	struct virtq q;
	void *buf;
	iova_t iova;
	bool attached;			/* by us */
} rng;

static struct pci_dev *rng_find(void)
{
	struct pci_dev *p = msi_test_find(0x1af4, 0x1044);

	return p ? p : msi_test_find(0x1af4, 0x1005);
}

static int rng_start_queue(void)
{
	int err;

	rng.buf = dma_alloc_coherent(&rng.p->dev, PAGE_SIZE, &rng.iova);
	if (!rng.buf)
		return -ENOMEM;
	err = virtio_queue_setup(&rng.vd, &rng.q, 0, RNG_QUEUE_SIZE,
				 RNG_VECTOR, false);
	if (err)
		goto err_queue;
	err = msi_connect(rng.p, RNG_VECTOR, 0, msi_test_irq, NULL, "rng");
	if (err)
		goto err_connect;
	err = pci_enable_master(rng.p);
	if (err)
		goto err_master;
	virtio_driver_ok(&rng.vd);
	return 0;

err_master:
	msi_disconnect(rng.p, RNG_VECTOR);
err_connect:
	virtio_queue_free(&rng.vd, &rng.q);
err_queue:
	dma_free_coherent(&rng.p->dev, PAGE_SIZE, rng.buf, rng.iova);
	return err;
}

static int rng_start(struct pci_dev *p)
{
	int err = 0;

	rng.p = p;
	rng.attached = !p->dev.dma.ops;
	if (rng.attached)
		err = dma_attach(&p->dev);
	if (err)
		return err;
	err = virtio_start(&rng.vd, p, 0, 0,
			   p->dev.dma.ops != &dma_direct_ops);
	if (err)
		goto err_start;
	err = msi_alloc(p, RNG_VECTOR + 1, RNG_VECTOR + 1);
	if (err < 0)
		goto err_msi;
	msi_test_seen.count = 0;
	err = rng_start_queue();
	if (err)
		goto err_queue;
	return 0;

err_queue:
	msi_free(p);
err_msi:
	virtio_stop(&rng.vd);
err_start:
	if (rng.attached)
		dma_detach(&p->dev);
	return err;
}

static void rng_stop(void)
{
	virtio_stop(&rng.vd);
	pci_disable_master(rng.p);
	msi_free(rng.p);
	virtio_queue_free(&rng.vd, &rng.q);
	dma_free_coherent(&rng.p->dev, PAGE_SIZE, rng.buf, rng.iova);
	if (rng.attached)
		dma_detach(&rng.p->dev);
}

/* True with the device running; else the test is skipped or failed. */
static bool rng_ready(struct ktest_run *t)
{
	struct pci_dev *p = rng_find();
	int err;

	if (!p) {
		ktest_skip(t, "no virtio-rng-pci to provoke");
		return false;
	}
	err = rng_start(p);
	if (err == -EPERM) {
		ktest_skip(t, "virtio-rng-pci without iommu_platform=on");
		return false;
	}
	return KEXPECT_MSG(t, err == 0, "virtio-rng-pci: %s", errno_name(err));
}

/* One event: returns when the device has completed a buffer. */
static int rng_event(void)
{
	struct virtq_buf b = { rng.iova, RNG_BYTES, true };
	nsec_t deadline = time_now() + MSI_TEST_WAIT;
	uint32_t len = 0;
	void *token = NULL;
	int err = virtq_add(&rng.q, &b, 1, &rng);

	if (err)
		return err;
	virtq_kick(&rng.q);
	err = poll_mem_until((token = virtq_get(&rng.q, &len, NULL)), deadline);
	return err ? err : token == &rng && len ? 0 : -EPROTO;
}

KTEST(msi, a_masked_vector_is_pending_and_comes_exactly_once)
{
	if (!rng_ready(t))
		return;
	KEXPECT_EQ(t, rng_event(), 0);
	KEXPECT_EQ(t, msi_test_await(1), 0);

	msi_mask(rng.p, RNG_VECTOR, true);
	KEXPECT(t, !msi_pending(rng.p, RNG_VECTOR));
	KEXPECT_EQ(t, rng_event(), 0);
	KEXPECT_EQ(t, rng_event(), 0);
	thread_sleep(MSI_TEST_QUIET);
	KEXPECT(t, msi_pending(rng.p, RNG_VECTOR));
	KEXPECT_EQ(t, READ_ONCE(msi_test_seen.count), 1);

	msi_mask(rng.p, RNG_VECTOR, false);
	KEXPECT_EQ(t, msi_test_await(2), 0);
	thread_sleep(MSI_TEST_QUIET);
	KEXPECT_EQ(t, READ_ONCE(msi_test_seen.count), 2);
	KEXPECT(t, !msi_pending(rng.p, RNG_VECTOR));
	KEXPECT_EQ(t, msi_count(rng.p, RNG_VECTOR), 2);
	rng_stop();
}

KTEST(msi, a_vector_interrupts_each_cpu_in_turn)
{
	if (!rng_ready(t))
		return;
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		unsigned before = READ_ONCE(msi_test_seen.count);

		msi_disconnect(rng.p, RNG_VECTOR);
		KEXPECT_EQ(t, msi_connect(rng.p, RNG_VECTOR, cpu, msi_test_irq,
					  NULL, "rng"), 0);
		KEXPECT_EQ(t, rng_event(), 0);
		KEXPECT_EQ(t, msi_test_await(before + 1), 0);
		KEXPECT_EQ(t, msi_test_seen.cpu, cpu);
	}
	rng_stop();
}

KTEST(msi, a_disconnected_vector_stays_silent)
{
	if (!rng_ready(t))
		return;
	msi_disconnect(rng.p, RNG_VECTOR);
	KEXPECT_EQ(t, rng_event(), 0);
	thread_sleep(MSI_TEST_QUIET);
	KEXPECT_EQ(t, READ_ONCE(msi_test_seen.count), 0);
	KEXPECT(t, msi_pending(rng.p, RNG_VECTOR));
	/* The event of that time comes with the next connection, once. */
	KEXPECT_EQ(t, msi_connect(rng.p, RNG_VECTOR, 0, msi_test_irq, NULL,
				  "rng"), 0);
	KEXPECT_EQ(t, msi_test_await(1), 0);
	thread_sleep(MSI_TEST_QUIET);
	KEXPECT_EQ(t, READ_ONCE(msi_test_seen.count), 1);
	rng_stop();
}

/* ---- edu (QEMU's docs/specs/edu.txt) ---- */

#define EDU_RAISE	0x60		/* wo: sets interrupt status bits */
#define EDU_ACK		0x64		/* wo: clears them */

/* One message to each CPU. edu keeps its status until acknowledged. */
static void edu_each_cpu(struct ktest_run *t, struct pci_dev *p, struct io *io)
{
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		unsigned before = READ_ONCE(msi_test_seen.count);

		KASSERT(t, msi_connect(p, 0, cpu, msi_test_irq, NULL,
				       "edu") == 0);
		io_write32(io, EDU_RAISE, 1);
		KEXPECT_EQ(t, msi_test_await(before + 1), 0);
		KEXPECT_EQ(t, msi_test_seen.cpu, cpu);
		io_write32(io, EDU_ACK, 1);
		msi_disconnect(p, 0);
		io_write32(io, EDU_RAISE, 1);
		thread_sleep(MSI_TEST_QUIET);
		KEXPECT_EQ(t, READ_ONCE(msi_test_seen.count), before + 1);
		io_write32(io, EDU_ACK, 1);
	}
}

KTEST(msi, msi_without_masks_interrupts_each_cpu)
{
	struct pci_dev *p = msi_test_find(0x1234, 0x11e8);
	bool attach = p && !p->dev.dma.ops;
	struct io io;

	if (!p) {
		ktest_skip(t, "no edu device");
		return;
	}
	if (attach)
		KASSERT(t, dma_attach(&p->dev) == 0);
	pci_enable_memory(p);
	if (KEXPECT_EQ(t, pci_map_bar(p, 0, &io), 0)) {
		msi_test_seen.count = 0;
		if (KEXPECT_EQ(t, msi_alloc(p, 1, 1), 1) &&
		    KEXPECT_EQ(t, pci_enable_master(p), 0))
			edu_each_cpu(t, p, &io);
		pci_disable_master(p);
		msi_free(p);
		io_unmap(&io);
	}
	if (attach)
		dma_detach(&p->dev);
}
