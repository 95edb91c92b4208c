/* SPDX-License-Identifier: MIT */
#include "tests/guest/msix_rig.h"

#include "core/cmdline.h"
#include "core/cpu.h"
#include "core/dma.h"
#include "core/irq.h"
#include "core/page.h"
#include "core/string.h"
#include "msi/msireg.h"
#include "sched/sched.h"
#include "virt/virtioreg.h"

#define RIG_SERIAL	3		/* device types, virtio 5 */
#define RIG_RNG		4
#define RIG_RNG_OLD	0x1005		/* the transitional device's id */
#define RIG_QUEUE_SIZE	8
#define RIG_BYTES	4		/* too short for a control message */

struct msix_rig msix_rig;

/* ---- finding it ---- */

struct pci_dev *msix_rig_find(uint16_t vendor, uint16_t device)
{
	struct pci_dev *p;

	list_for_each(p, &pci_devices, node)
		if (p->vendor == vendor && p->device == device && !p->driver)
			return p;
	return NULL;
}

static struct pci_dev *rig_find_msix(uint16_t device)
{
	struct pci_dev *p;

	list_for_each(p, &pci_devices, node)
		if (p->vendor == VIRTIO_PCI_VENDOR && p->device == device &&
		    !p->driver && pci_find_cap(p, MSIX_CAP_ID, 0))
			return p;
	return NULL;
}

/* The one with more queues first. */
static struct pci_dev *rig_find(bool *reads)
{
	struct pci_dev *p = rig_find_msix(VIRTIO_PCI_DEVICE(RIG_SERIAL));

	*reads = p != NULL;
	if (!p)
		p = rig_find_msix(VIRTIO_PCI_DEVICE(RIG_RNG));
	return p ? p : rig_find_msix(RIG_RNG_OLD);
}

/* ---- its table ---- */

static int rig_map_area(struct pci_dev *p, uint32_t where, uint32_t size,
			struct io *pages, struct io *win)
{
	unsigned bir = FIELD_GET(MSIX_BIR, where);
	phys_t pa, page;
	int err;

	if (bir >= PCI_BARS || !p->bar[bir].base)
		return -ENODEV;
	pa = p->bar[bir].base + (where & MSIX_OFFSET);
	page = ALIGN_DOWN(pa, (phys_t)PAGE_SIZE);
	err = io_map_mem(pages, page, pa - page + size);
	return err ? err : io_sub(win, pages, pa - page, size);
}

int msix_rig_map(struct pci_dev *p, struct io *table_pages, struct io *table,
		 struct io *pba_pages, struct io *pba)
{
	unsigned cap = pci_find_cap(p, MSIX_CAP_ID, 0), n;
	int err;

	if (!cap)
		return -ENODEV;
	n = FIELD_GET(MSIX_CTRL_SIZE, pci_read16(p, cap + MSIX_CTRL)) + 1;
	err = rig_map_area(p, pci_read32(p, cap + MSIX_TABLE),
			   n * MSIX_ENTRY_SIZE, table_pages, table);
	if (err)
		return err;
	err = rig_map_area(p, pci_read32(p, cap + MSIX_PBA),
			   DIV_ROUND_UP(n, MSIX_PBA_BITS) * MSIX_PBA_BYTES,
			   pba_pages, pba);
	if (err)
		io_unmap(table_pages);
	return err;
}

uint32_t msix_rig_read(unsigned nr, unsigned word)
{
	return io_read32(&msix_rig.table, nr * MSIX_ENTRY_SIZE + word);
}

void msix_rig_write(unsigned nr, unsigned word, uint32_t val)
{
	io_write32(&msix_rig.table, nr * MSIX_ENTRY_SIZE + word, val);
}

bool msix_rig_pending(unsigned nr)
{
	return io_read32(&msix_rig.pba, nr / 32 * 4) >> nr % 32 & 1;
}

/* ---- starting and stopping ---- */

/* virtio 5.3.2: transmit queues are the odd ones, control's is among them. */
static unsigned rig_queue_index(const struct msix_rig *r, unsigned i)
{
	return r->reads ? 2 * i + 1 : i;
}

static int rig_start_queues(struct msix_rig *r)
{
	unsigned most = r->reads ? r->vd.nqueues / 2u : 1;
	int err;

	most = MIN(most, r->entries);
	most = MIN(most, (unsigned)MSIX_RIG_QUEUES);
	for (r->nq = 0; r->nq < most; r->nq++) {
		err = virtio_queue_setup(&r->vd, &r->q[r->nq],
					 rig_queue_index(r, r->nq),
					 RIG_QUEUE_SIZE, VIRTIO_NO_VECTOR,
					 false);
		if (err)
			return err;
		r->vector[r->nq] = VIRTIO_NO_VECTOR;
	}
	return 0;
}

/* One buffer for queue i, told to the device. 0 or what virtq_add() says. */
static int rig_kick(struct msix_rig *r, unsigned i)
{
	struct virtq_buf b = { r->iova, RIG_BYTES, !r->reads };
	int err = virtq_add(&r->q[i], &b, 1, r);

	if (!err)
		virtq_kick(&r->q[i]);
	return err;
}

static int rig_await_used(struct msix_rig *r, unsigned i)
{
	return poll_mem_until(virtq_get(&r->q[i], NULL, NULL) == r,
			      time_now() + MSIX_RIG_WAIT);
}

/* virtio 4.1.5.1.2: a vector that the device does not take reads as none. */
static int rig_point_queue(struct msix_rig *r, unsigned i, unsigned nr)
{
	if (r->vector[i] == nr)
		return 0;
	io_write16(&r->vd.common, VIRTIO_QUEUE_SELECT,
		   (uint16_t)rig_queue_index(r, i));
	io_write16(&r->vd.common, VIRTIO_QUEUE_VECTOR, (uint16_t)nr);
	if (io_read16(&r->vd.common, VIRTIO_QUEUE_VECTOR) != nr)
		return -EPROTO;
	r->vector[i] = (uint16_t)nr;
	return 0;
}

/* As each test begins: queue i has vector i. */
static int rig_point_queues(struct msix_rig *r)
{
	int err = 0;

	for (unsigned i = 0; i < r->nq && !err; i++)
		err = rig_point_queue(r, i, i);
	return err;
}

/*
 * With ioeventfd=on some thread of QEMU's serves the queues, some time, and
 * interrupts for empty ones too: -ENOTSUP. It shows, while no queue has a
 * vector, in an ISR bit before the first buffer, or, where that thread is
 * late, in a buffer that is not used when the doorbell's write is over.
 */
static int rig_check_at_once(struct msix_rig *r)
{
	bool at_once;
	int err = 0;

	if (!r->reads)
		return 0;
	thread_sleep(MSIX_RIG_QUIET);
	at_once = !(virtio_isr(&r->vd) & VIRTIO_ISR_QUEUE);
	for (unsigned i = 0; i < r->nq && !err; i++) {
		err = rig_kick(r, i);
		if (err || virtq_get(&r->q[i], NULL, NULL) == r)
			continue;
		at_once = false;
		err = rig_await_used(r, i);
	}
	return err || at_once ? err : -ENOTSUP;
}

static void rig_free_queues(struct msix_rig *r)
{
	while (r->nq)
		virtio_queue_free(&r->vd, &r->q[--r->nq]);
}

static int rig_memory(struct msix_rig *r)
{
	size_t size = r->entries * sizeof(r->v[0]);

	r->order = page_order(size);
	r->v = page_alloc(r->order);
	if (!r->v)
		return -ENOMEM;
	memset(r->v, 0, size);
	r->buf = dma_alloc_coherent(&r->p->dev, PAGE_SIZE, &r->iova);
	if (r->buf)
		return 0;
	page_free(r->v, r->order);
	return -ENOMEM;
}

static void rig_free_memory(struct msix_rig *r)
{
	dma_free_coherent(&r->p->dev, PAGE_SIZE, r->buf, r->iova);
	page_free(r->v, r->order);
}

/* With the device reset and its memory there: queues, vectors, go. */
static int rig_go(struct msix_rig *r)
{
	int err = msi_alloc(r->p, r->entries, r->entries);

	if (err < 0)
		return err;
	err = msix_rig_map(r->p, &r->table_pages, &r->table, &r->pba_pages,
			   &r->pba);
	if (err)
		goto err_map;
	err = rig_start_queues(r);
	if (!err)
		err = pci_enable_master(r->p);
	if (err)
		goto err_queues;
	virtio_driver_ok(&r->vd);
	err = rig_check_at_once(r);
	if (!err)
		err = rig_point_queues(r);
	if (err)
		goto err_slow;
	return 0;

err_slow:
	virtio_stop(&r->vd);
	pci_disable_master(r->p);
err_queues:
	rig_free_queues(r);
	io_unmap(&r->pba_pages);
	io_unmap(&r->table_pages);
err_map:
	msi_free(r->p);
	return err;
}

static int rig_start(struct msix_rig *r)
{
	int err = 0;

	r->cap = pci_find_cap(r->p, MSIX_CAP_ID, 0);
	r->entries = FIELD_GET(MSIX_CTRL_SIZE,
			       pci_read16(r->p, r->cap + MSIX_CTRL)) + 1;
	r->attached = !r->p->dev.dma.ops;
	if (r->attached)
		err = dma_attach(&r->p->dev);
	if (err)
		return err;
	err = virtio_start(&r->vd, r->p, 0, 0,
			   r->p->dev.dma.ops != &dma_direct_ops);
	if (err)
		goto err_start;
	err = rig_memory(r);
	if (err)
		goto err_memory;
	err = rig_go(r);
	if (err)
		goto err_go;
	return 0;

err_go:
	rig_free_memory(r);
err_memory:
	virtio_stop(&r->vd);
err_start:
	if (r->attached)
		dma_detach(&r->p->dev);
	return err;
}

bool msix_rig_taken_away(struct ktest_run *t, int err)
{
	if (err != -ENODEV || !cmdline_has("msi"))
		return false;
	ktest_skip(t, "msi= on the command line");
	return true;
}

int msix_rig_open(void)
{
	struct msix_rig *r = &msix_rig;

	memset(r, 0, sizeof(*r));
	r->p = rig_find(&r->reads);
	return r->p ? rig_start(r) : -ENXIO;
}

bool msix_rig_start(struct ktest_run *t)
{
	struct msix_rig *r = &msix_rig;
	int err = msix_rig_open();

	if (!r->p) {
		ktest_skip(t, "no virtio-serial or virtio-rng with MSI-X");
		return false;
	}
	if (err == -EPERM)
		ktest_skip(t, "%s without iommu_platform=on", r->p->dev.name);
	else if (err == -ENOTSUP)
		ktest_skip(t, "%s without ioeventfd=off", r->p->dev.name);
	if (t->skipped || msix_rig_taken_away(t, err))
		return false;
	return KEXPECT_MSG(t, err == 0, "%s starts: %s", r->p->dev.name,
			   errno_name(err));
}

void msix_rig_stop(void)
{
	struct msix_rig *r = &msix_rig;

	virtio_stop(&r->vd);
	pci_disable_master(r->p);
	msi_free(r->p);
	rig_free_queues(r);
	io_unmap(&r->pba_pages);
	io_unmap(&r->table_pages);
	rig_free_memory(r);
	if (r->attached)
		dma_detach(&r->p->dev);
}

/* ---- events ---- */

void msix_rig_irq(void *arg)
{
	struct msix_rig_vector *v = arg;

	if (cpu_id() != v->cpu)
		__atomic_add_fetch(&v->misrouted, 1, __ATOMIC_RELAXED);
	if (v->seen == READ_ONCE(v->fired))
		__atomic_add_fetch(&v->doubled, 1, __ATOMIC_RELAXED);
	else
		WRITE_ONCE(v->seen, v->seen + 1);
}

int msix_rig_connect(unsigned nr, unsigned cpu)
{
	struct msix_rig *r = &msix_rig;

	r->v[nr].cpu = cpu;
	return msi_connect(r->p, nr, cpu, msix_rig_irq, &r->v[nr], "msix rig");
}

void msix_rig_disconnect(unsigned nr)
{
	msi_disconnect(msix_rig.p, nr);
}

int msix_rig_fire(unsigned nr)
{
	struct msix_rig *r = &msix_rig;
	unsigned i = nr % r->nq;
	int err = rig_point_queue(r, i, nr);

	if (err)
		return err;
	WRITE_ONCE(r->v[nr].fired, r->v[nr].fired + 1);
	err = rig_kick(r, i);
	return err ? err : rig_await_used(r, i);
}

int msix_rig_await(unsigned nr)
{
	const struct msix_rig_vector *v = &msix_rig.v[nr];

	return poll_mem_until(READ_ONCE(v->seen) == READ_ONCE(v->fired),
			      time_now() + MSIX_RIG_WAIT);
}

uint32_t msix_rig_errors(void)
{
	uint32_t sum = 0;

	for (unsigned nr = 0; nr < msix_rig.entries; nr++)
		sum += READ_ONCE(msix_rig.v[nr].doubled) +
		       READ_ONCE(msix_rig.v[nr].misrouted);
	return sum;
}

uint64_t msix_rig_unowned(void)
{
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		sum += irq_unowned_count(cpu);
	return sum;
}
