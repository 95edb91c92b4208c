/* SPDX-License-Identifier: MIT */
/*
 * Devices that have a driver already, or no MSI-X at all. A driver's vector is
 * masked while it waits for its device, so that the pending bit of a working
 * NVMe controller and GPU is seen; the driver's own answer (the data it read)
 * says that the event came. Where there are no messages, msi/ is to say so and
 * leave the device as it was, and INTx is to carry every event.
 */
#include "blk/blk.h"
#include "core/cpu.h"
#include "core/device.h"
#include "core/dma.h"
#include "core/page.h"
#include "core/pci.h"
#include "core/pcireg.h"
#include "core/report.h"
#include "core/string.h"
#include "gfx/vgpu.h"
#include "msi/irqs.h"
#include "msi/msi.h"
#include "msi/msireg.h"
#include "sched/sched.h"
#include "tests/guest/msix_rig.h"
#include "virt/virtioreg.h"

#define DEVICES_RNG	4		/* device type, virtio 5 */

/* ---- a driver's vector ---- */

struct devices_job {
	struct pci_dev *p;
	unsigned nr, cpu;		/* the vector; where the work is done */
	void (*work)(void *arg);	/* makes one event */
	void *arg;
};

/* The work while nr is masked: the event pends; then it comes, once. */
static void devices_masked(struct ktest_run *t, const struct devices_job *j)
{
	uint64_t before = msi_count(j->p, j->nr);
	struct thread *th;

	msi_mask(j->p, j->nr, true);
	if (!KEXPECT_EQ(t, thread_create(j->cpu, j->work, j->arg, "msix work",
					 &th), 0)) {
		msi_mask(j->p, j->nr, false);
		return;
	}
	KEXPECT_EQ(t, poll_mem_until(msi_pending(j->p, j->nr),
				     time_now() + MSIX_RIG_WAIT), 0);
	thread_sleep(MSIX_RIG_QUIET);
	KEXPECT_EQ(t, msi_count(j->p, j->nr), before);
	msi_mask(j->p, j->nr, false);
	thread_join(th);
	KEXPECT(t, !msi_pending(j->p, j->nr));
	KEXPECT_EQ(t, msi_count(j->p, j->nr), before + 1);
}

/* A connected vector of p, on cpu or (cpu < 0) anywhere. -ENOENT: none. */
static int devices_vector(struct pci_dev *p, int cpu)
{
	for (unsigned nr = 0; nr < msi_vectors(p); nr++)
		if (msi_cpu(p, nr) >= 0 && (cpu < 0 || msi_cpu(p, nr) == cpu))
			return (int)nr;
	return -ENOENT;
}

static struct {
	struct blk_dev *bd;
	void *buf;
	int err;
} devices_disk;

static void devices_read(void *arg)
{
	devices_disk.err = blk_read(devices_disk.bd, 0, devices_disk.buf,
				    devices_disk.bd->block_size);
}

KTEST(msix, a_masked_vector_of_a_disk_keeps_its_completion)
{
	struct blk_dev *bd = blk_find("nvme0n1");
	struct pci_dev *p = bd && bd->dev ? to_pci_dev(bd->dev) : NULL;

	if (!p || strcmp(msi_kind(p), "msi-x") || !bd->blocks) {
		ktest_skip(t, "no NVMe disk that interrupts by MSI-X");
		return;
	}
	devices_disk.bd = bd;
	devices_disk.buf = page_alloc(page_order(bd->block_size));
	KASSERT(t, devices_disk.buf != NULL);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		struct devices_job j = { .p = p, .cpu = cpu,
					 .work = devices_read };
		int nr = devices_vector(p, (int)cpu);

		if (nr < 0)
			continue;	/* it has fewer vectors than CPUs */
		j.nr = (unsigned)nr;
		devices_masked(t, &j);
		KEXPECT_EQ(t, devices_disk.err, 0);
	}
	page_free(devices_disk.buf, page_order(bd->block_size));
}

static struct pci_dev *devices_driven(const char *driver)
{
	struct pci_dev *p;

	list_for_each(p, &pci_devices, node)
		if (p->driver && !strcmp(p->driver->name, driver) &&
		    p->drvdata)
			return p;
	return NULL;
}

static struct {
	struct vgpu_display display[VGPU_SCANOUTS];
	int n;
} devices_gpu;

static void devices_ask_gpu(void *arg)
{
	devices_gpu.n = vgpu_display_info(arg, devices_gpu.display);
}

KTEST(msix, a_masked_vector_of_a_gpu_keeps_its_answer)
{
	struct pci_dev *p = devices_driven("vgpu");
	struct devices_job j = { .p = p, .work = devices_ask_gpu };
	int nr;

	if (!p || strcmp(msi_kind(p), "msi-x")) {
		ktest_skip(t, "no virtio-gpu that interrupts by MSI-X");
		return;
	}
	nr = devices_vector(p, -1);
	KASSERT(t, nr >= 0);
	j.nr = (unsigned)nr;
	j.arg = p->drvdata;
	devices_gpu.n = -1;
	devices_masked(t, &j);
	KEXPECT(t, devices_gpu.n >= 0);
}

/* ---- no messages at all ---- */

/* virtio-iommu is one, and whatever has vectors=0. Some have drivers. */
KTEST(msix, a_function_without_messages_says_so_and_keeps_its_pin)
{
	struct pci_dev *p;
	unsigned n = 0;

	list_for_each(p, &pci_devices, node) {
		uint16_t command = pci_read16(p, PCI_COMMAND);

		if (pci_find_cap(p, MSIX_CAP_ID, 0) ||
		    pci_find_cap(p, MSI_CAP_ID, 0))
			continue;
		n++;
		KEXPECT_EQ(t, msi_alloc(p, 1, 1), -ENODEV);
		KEXPECT_MSG(t, !strcmp(msi_kind(p), "none"), "%s has %s",
			    p->dev.name, msi_kind(p));
		KEXPECT_EQ(t, msi_vectors(p), 0);
		KEXPECT_EQ(t, pci_read16(p, PCI_COMMAND), command);
	}
	if (!n)
		ktest_skip(t, "every function has messages");
}

/* A virtio-rng with vectors=0: all it can do is pull its pin. */
static struct {
	struct virtio_dev vd;
	struct virtq q;
	void *buf;
	iova_t iova;
	unsigned count;			/* of interrupts with its ISR bit set */
} devices_pin;

static struct pci_dev *devices_without(uint16_t device)
{
	struct pci_dev *p;

	list_for_each(p, &pci_devices, node)
		if (p->vendor == VIRTIO_PCI_VENDOR && p->device == device &&
		    !p->driver && !pci_find_cap(p, MSIX_CAP_ID, 0))
			return p;
	return NULL;
}

static void devices_pin_irq(void *arg)
{
	if (virtio_isr(&devices_pin.vd) & VIRTIO_ISR_QUEUE)
		WRITE_ONCE(devices_pin.count, devices_pin.count + 1);
}

static int devices_pin_queue(struct pci_dev *p)
{
	int err = virtio_queue_setup(&devices_pin.vd, &devices_pin.q, 0, 8,
				     VIRTIO_NO_VECTOR, false);

	if (err)
		return err;
	err = irq_vectors_connect(p, 0, devices_pin_irq, NULL, "msix pin");
	if (!err)
		err = pci_enable_master(p);
	if (!err)
		virtio_driver_ok(&devices_pin.vd);
	else
		virtio_queue_free(&devices_pin.vd, &devices_pin.q);
	return err;
}

static int devices_pin_start(struct pci_dev *p)
{
	int err = virtio_start(&devices_pin.vd, p, 0, 0,
			       p->dev.dma.ops != &dma_direct_ops);

	if (err)
		return err;
	devices_pin.count = 0;
	devices_pin.buf = dma_alloc_coherent(&p->dev, PAGE_SIZE,
					     &devices_pin.iova);
	err = devices_pin.buf ? devices_pin_queue(p) : -ENOMEM;
	if (!err)
		return 0;
	if (devices_pin.buf)
		dma_free_coherent(&p->dev, PAGE_SIZE, devices_pin.buf,
				  devices_pin.iova);
	virtio_stop(&devices_pin.vd);
	return err;
}

static void devices_pin_stop(struct pci_dev *p)
{
	virtio_stop(&devices_pin.vd);
	pci_disable_master(p);
	irq_vectors_free(p);
	virtio_queue_free(&devices_pin.vd, &devices_pin.q);
	dma_free_coherent(&p->dev, PAGE_SIZE, devices_pin.buf,
			  devices_pin.iova);
}

/* One event after the other, each with an interrupt of its own. */
static void devices_pin_events(struct ktest_run *t)
{
	enum { EVENTS = 50 };

	for (unsigned i = 1; i <= EVENTS; i++) {
		struct virtq_buf b = { devices_pin.iova, 4, true };
		nsec_t deadline = time_now() + MSIX_RIG_WAIT;

		KASSERT(t, virtq_add(&devices_pin.q, &b, 1, &devices_pin) == 0);
		virtq_kick(&devices_pin.q);
		KASSERT(t, poll_mem_until(READ_ONCE(devices_pin.count) >= i,
					  deadline) == 0);
		KEXPECT(t, virtq_get(&devices_pin.q, NULL, NULL) ==
			&devices_pin);
	}
	thread_sleep(MSIX_RIG_QUIET);
	KEXPECT_EQ(t, devices_pin.count, EVENTS);
}

KTEST(msix, a_device_with_no_vectors_interrupts_by_its_pin)
{
	struct pci_dev *p = devices_without(VIRTIO_PCI_DEVICE(DEVICES_RNG));
	bool attach = p && !p->dev.dma.ops;
	int err;

	if (!p) {
		ktest_skip(t, "no virtio-rng with vectors=0");
		return;
	}
	if (attach)
		KASSERT(t, dma_attach(&p->dev) == 0);
	KEXPECT_EQ(t, irq_alloc_vectors(p, 1, 2, NULL), 1);
	KEXPECT_MSG(t, !strcmp(irq_vectors_kind(p), "intx") &&
		    !strncmp(irq_vectors_why(p), "no MSI-X", 8), "%s has %s: %s",
		    p->dev.name, irq_vectors_kind(p), irq_vectors_why(p));
	err = devices_pin_start(p);
	if (KEXPECT_MSG(t, err == 0, "%s starts: %s", p->dev.name,
			errno_name(err))) {
		devices_pin_events(t);
		devices_pin_stop(p);
	}
	irq_vectors_free(p);
	if (attach)
		dma_detach(&p->dev);
}
