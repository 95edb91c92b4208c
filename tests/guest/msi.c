/* SPDX-License-Identifier: MIT */
/*
 * Message interrupts as drivers use them: the first disk's NVMe controller,
 * whose vectors interrupt the CPUs they were connected to. What interrupts on
 * demand is elsewhere: MSI on edu and AHCI (msi_edu.c, msi_ahci.c), MSI-X on
 * virtio (msix.c).
 *
 * A test whose device is not there is skipped. One could be fooled by a
 * completion that was not the reason for the interrupt: so counts are compared
 * exactly where nothing else can make the device interrupt.
 */
#include "blk/blk.h"
#include "core/cpu.h"
#include "core/page.h"
#include "core/pci.h"
#include "core/report.h"
#include "msi/msi.h"
#include "sched/sched.h"

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
