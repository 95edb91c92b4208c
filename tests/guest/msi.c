/* SPDX-License-Identifier: MIT */
/*
 * Message interrupts on real devices. Two witnesses (MSI-X on a device of our
 * own: tests/guest/msix.c):
 *
 *	the first disk's NVMe controller, whose own driver uses MSI-X: each
 *	vector interrupts the CPU it was connected to;
 *	an edu device, which has MSI without masks and interrupts on demand.
 *
 * A test whose device is not there is skipped. One could be fooled by a
 * completion that was not the reason for the interrupt: so counts are compared
 * exactly where nothing else can make the device interrupt.
 */
#include "blk/blk.h"
#include "core/cpu.h"
#include "core/io.h"
#include "core/page.h"
#include "core/pci.h"
#include "core/report.h"
#include "msi/msi.h"
#include "sched/sched.h"
#include "tests/guest/msix_rig.h"

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
	struct pci_dev *p = msix_rig_find(0x1234, 0x11e8);
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
