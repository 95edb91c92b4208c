/* SPDX-License-Identifier: MIT */
/*
 * The modern virtio PCI transport (virtio 1.2, 4.1).
 *
 * The device's registers are structures in its BARs, found by vendor-specific
 * capabilities (4.1.4). Each capability is checked against the BAR it names
 * before a register is touched; one that cannot be right is named in the log
 * and passed over, as 4.1.4.1 asks for reserved BARs. The first good one of a
 * type counts. A device without common, notify and ISR windows is refused.
 *
 * States: reset → ACKNOWLEDGE → DRIVER → FEATURES_OK (virtio_start), queues
 * given (virtio_queue_setup), DRIVER_OK (virtio_driver_ok), reset again
 * (virtio_stop). A start that fails leaves FAILED behind and nothing mapped.
 *
 * Not supported: legacy and transitional registers, access by configuration
 * space (VIRTIO_PCI_CAP_PCI_CFG), resetting a single queue.
 */
#include "virt/virtio.h"

#include "core/cpu.h"
#include "core/dma.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/page.h"
#include "core/pcireg.h"
#include "core/string.h"
#include "virt/virtioreg.h"

#define VIRTIO_RESET_TIME	(1 * NSEC_PER_SEC)
#define VIRTIO_CONFIG_TIME	(100 * NSEC_PER_MSEC)
#define VIRTIO_QUEUE_DEFAULT	256
#define VIRTIO_CONFIG_BYTES	256	/* of PCI configuration, for the caps */

#define VIRTIO_FEATURE(bit)	BIT_ULL(bit)

static const char *virtio_name(const struct virtio_dev *vd)
{
	return vd->pci->dev.name;
}

/* ---- capabilities ---- */

struct virtio_cap {
	unsigned pos;			/* in configuration space */
	uint8_t len, type, bar;
	uint32_t offset, length;
};

/* What each window must at least hold, and how it is aligned (4.1.4). */
static const struct {
	const char *name;
	uint32_t min, align;
} virtio_window[VIRTIO_CAP_TYPES] = {
	[VIRTIO_CAP_COMMON] = { "common", VIRTIO_COMMON_SIZE, 4 },
	[VIRTIO_CAP_NOTIFY] = { "notify", 2, 2 },
	[VIRTIO_CAP_ISR] = { "isr", 1, 1 },
	[VIRTIO_CAP_DEVICE] = { "device", 1, 4 },
};

/* Why the capability cannot be right, or NULL. */
static const char *virtio_cap_fault(const struct pci_dev *p,
				    const struct virtio_cap *c)
{
	const struct pci_bar *bar;

	if (c->bar >= PCI_BARS)
		return "reserved BAR number";
	bar = &p->bar[c->bar];
	if (bar->size == 0)
		return "BAR is not there";
	if (bar->base == 0)
		return "BAR is not assigned";
	if (c->length < virtio_window[c->type].min)
		return "window too short";
	if (!IS_ALIGNED(c->offset, virtio_window[c->type].align))
		return "window misaligned";
	if ((uint64_t)c->offset + c->length > bar->size)
		return "window outside its BAR";
	return NULL;
}

/* Read the capability at pos. False when its head leaves the list's space. */
static bool virtio_cap_read(const struct pci_dev *p, unsigned pos,
			    struct virtio_cap *c)
{
	unsigned need = VIRTIO_CAP_SIZE;

	*c = (struct virtio_cap){ .pos = pos };
	if (pos + VIRTIO_CAP_SIZE > VIRTIO_CONFIG_BYTES)
		return false;
	c->len = pci_read8(p, pos + VIRTIO_CAP_LEN);
	c->type = pci_read8(p, pos + VIRTIO_CAP_TYPE);
	c->bar = pci_read8(p, pos + VIRTIO_CAP_BAR);
	c->offset = pci_read32(p, pos + VIRTIO_CAP_OFFSET);
	c->length = pci_read32(p, pos + VIRTIO_CAP_LENGTH);
	if (c->type == VIRTIO_CAP_NOTIFY)
		need = VIRTIO_CAP_NOTIFY_SIZE;
	return c->len >= need && pos + need <= VIRTIO_CONFIG_BYTES;
}

static struct io *virtio_window_of(struct virtio_dev *vd, unsigned type)
{
	switch (type) {
	case VIRTIO_CAP_COMMON: return &vd->common;
	case VIRTIO_CAP_NOTIFY: return &vd->notify;
	case VIRTIO_CAP_ISR: return &vd->isr;
	case VIRTIO_CAP_DEVICE: return &vd->devcfg;
	default: return NULL;
	}
}

/* Map the window that c describes; its BAR is mapped once for all. */
static int virtio_map_window(struct virtio_dev *vd, const struct virtio_cap *c,
			     struct io *win)
{
	struct io *bar = &vd->bar[c->bar];
	int err;

	if (bar->space == IO_NONE) {
		err = pci_map_bar(vd->pci, c->bar, bar);
		if (err)
			return err;
	}
	return io_sub(win, bar, c->offset, c->length);
}

/*
 * 4.1.4.4.1: an even power of two, or 0 for one doorbell that all queues share.
 */
static bool virtio_mult_ok(uint32_t mult)
{
	return mult == 0 || (mult > 1 && is_power_of_2(mult));
}

static int virtio_take_cap(struct virtio_dev *vd, const struct virtio_cap *c)
{
	struct io *win = virtio_window_of(vd, c->type);
	const char *fault;

	if (!win || win->space != IO_NONE)
		return 0;
	fault = virtio_cap_fault(vd->pci, c);
	if (!fault && c->type == VIRTIO_CAP_NOTIFY) {
		vd->notify_mult = pci_read32(vd->pci, c->pos +
					     VIRTIO_CAP_NOTIFY_MULT);
		if (!virtio_mult_ok(vd->notify_mult))
			fault = "odd notify multiplier";
	}
	if (fault) {
		log_warn(virtio_name(vd), "virtio %s capability at 0x%02x "
			 "ignored: %s", virtio_window[c->type].name, c->pos,
			 fault);
		return 0;
	}
	return virtio_map_window(vd, c, win);
}

static void virtio_unmap(struct virtio_dev *vd)
{
	vd->common = vd->isr = vd->devcfg = vd->notify = (struct io){ 0 };
	for (unsigned i = 0; i < PCI_BARS; i++) {
		io_unmap(&vd->bar[i]);
		vd->bar[i] = (struct io){ 0 };
	}
}

static int virtio_find_windows(struct virtio_dev *vd)
{
	unsigned pos = 0;
	struct virtio_cap c;
	int err;

	/* Each step ends by itself, but a list may turn in circles. */
	for (unsigned n = 0; n < PCI_CAP_STEPS; n++) {
		pos = pci_find_cap(vd->pci, VIRTIO_CAP_ID, pos);
		if (!pos)
			break;
		if (!virtio_cap_read(vd->pci, pos, &c)) {
			log_warn(virtio_name(vd), "virtio capability at "
				 "0x%02x ignored: cut short", pos);
			continue;
		}
		err = virtio_take_cap(vd, &c);
		if (err)
			return err;
	}
	if (vd->common.space && vd->notify.space && vd->isr.space)
		return 0;
	log_warn(virtio_name(vd), "no modern virtio interface (missing:%s%s%s)",
		 vd->common.space ? "" : " common",
		 vd->notify.space ? "" : " notify",
		 vd->isr.space ? "" : " isr");
	return -ENODEV;
}

/* ---- status and features ---- */

uint8_t virtio_status(struct virtio_dev *vd)
{
	return io_read8(&vd->common, VIRTIO_STATUS);
}

static void virtio_add_status(struct virtio_dev *vd, uint32_t bits)
{
	uint8_t status = virtio_status(vd);

	io_write8(&vd->common, VIRTIO_STATUS, (uint8_t)(status | bits));
}

/* 4.1.4.3.2: after writing 0, wait for 0 before anything else is done. */
static int virtio_reset(struct virtio_dev *vd)
{
	uint8_t status;

	io_write8(&vd->common, VIRTIO_STATUS, 0);
	return poll_until(status, virtio_status(vd), status == 0,
			  time_now() + VIRTIO_RESET_TIME);
}

static uint64_t virtio_offered(struct virtio_dev *vd)
{
	uint64_t bits;

	io_write32(&vd->common, VIRTIO_DEVICE_FEATURE_SEL, 0);
	bits = io_read32(&vd->common, VIRTIO_DEVICE_FEATURE);
	io_write32(&vd->common, VIRTIO_DEVICE_FEATURE_SEL, 1);
	bits |= (uint64_t)io_read32(&vd->common, VIRTIO_DEVICE_FEATURE) << 32;
	return bits;
}

static void virtio_accept(struct virtio_dev *vd, uint64_t features)
{
	vd->features = features;
	io_write32(&vd->common, VIRTIO_DRIVER_FEATURE_SEL, 0);
	io_write32(&vd->common, VIRTIO_DRIVER_FEATURE, (uint32_t)features);
	io_write32(&vd->common, VIRTIO_DRIVER_FEATURE_SEL, 1);
	io_write32(&vd->common, VIRTIO_DRIVER_FEATURE,
		   (uint32_t)(features >> 32));
}

/* What to agree on; virtq.c speaks neither indirect nor event indices. */
static int virtio_choose(struct virtio_dev *vd, uint64_t want, uint64_t must,
			 bool behind_iommu, uint64_t *out)
{
	const uint64_t unspoken = VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) |
				  VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX);
	const uint64_t platform = VIRTIO_FEATURE(VIRTIO_F_ACCESS_PLATFORM);

	must |= VIRTIO_FEATURE(VIRTIO_F_VERSION_1);
	*out = ((want | must) & ~unspoken) | platform;
	*out &= vd->offered;
	if (must & ~*out) {
		log_err(virtio_name(vd), "virtio features 0x%llx are missing "
			"(offered 0x%llx)", (unsigned long long)(must & ~*out),
			(unsigned long long)vd->offered);
		return -ENOTSUP;
	}
	if (behind_iommu && !(*out & platform)) {
		log_err(virtio_name(vd), "refused: without ACCESS_PLATFORM "
			"(QEMU: iommu_platform=on) its DMA would bypass the "
			"IOMMU");
		return -EPERM;
	}
	return 0;
}

/* 3.1.1, steps 1 to 6. */
static int virtio_negotiate(struct virtio_dev *vd, uint64_t want,
			    uint64_t must, bool behind_iommu)
{
	uint64_t features;
	int err = virtio_reset(vd);

	if (err) {
		log_err(virtio_name(vd), "virtio reset: %s", errno_name(err));
		return err;
	}
	virtio_add_status(vd, VIRTIO_STATUS_ACKNOWLEDGE);
	virtio_add_status(vd, VIRTIO_STATUS_DRIVER);
	vd->offered = virtio_offered(vd);
	err = virtio_choose(vd, want, must, behind_iommu, &features);
	if (err)
		goto err_features;
	virtio_accept(vd, features);
	virtio_add_status(vd, VIRTIO_STATUS_FEATURES_OK);
	if (!(virtio_status(vd) & VIRTIO_STATUS_FEATURES_OK)) {
		log_err(virtio_name(vd), "virtio features 0x%llx refused",
			(unsigned long long)features);
		err = -EPROTO;
		goto err_features;
	}
	return 0;

err_features:
	virtio_add_status(vd, VIRTIO_STATUS_FAILED);
	return err;
}

int virtio_start(struct virtio_dev *vd, struct pci_dev *p, uint64_t want,
		 uint64_t must, bool behind_iommu)
{
	int err;

	*vd = (struct virtio_dev){ .pci = p };
	pci_enable_memory(p);
	err = virtio_find_windows(vd);
	if (err)
		goto err_unmap;
	err = virtio_negotiate(vd, want, must, behind_iommu);
	if (err)
		goto err_unmap;
	vd->nqueues = io_read16(&vd->common, VIRTIO_NUM_QUEUES);
	return 0;

err_unmap:
	virtio_unmap(vd);
	return err;
}

void virtio_driver_ok(struct virtio_dev *vd)
{
	virtio_add_status(vd, VIRTIO_STATUS_DRIVER_OK);
}

void virtio_stop(struct virtio_dev *vd)
{
	int err;

	if (vd->common.space == IO_NONE)
		return;
	err = virtio_reset(vd);
	if (err) {
		log_err(virtio_name(vd), "virtio reset: %s; bus mastering off",
			errno_name(err));
		pci_disable_master(vd->pci);
	}
	virtio_unmap(vd);
}

/* ---- queues ---- */

static void virtio_write_half(struct virtio_dev *vd, size_t reg, uint64_t val)
{
	io_write32(&vd->common, reg, (uint32_t)val);
	io_write32(&vd->common, reg + 4, (uint32_t)(val >> 32));
}

/* The size to use, in *size. The queue is selected. */
static int virtio_queue_size(struct virtio_dev *vd, uint16_t *size)
{
	uint16_t max = io_read16(&vd->common, VIRTIO_QUEUE_SIZE);

	if (max == 0)
		return -ENXIO;
	if (!is_power_of_2(max) || max > VIRTQ_SIZE_MAX)
		return -EPROTO;
	if (io_read16(&vd->common, VIRTIO_QUEUE_ENABLE))
		return -EPROTO;
	if (*size == 0)
		*size = MIN(max, (uint16_t)VIRTIO_QUEUE_DEFAULT);
	if (!is_power_of_2(*size))
		return -EINVAL;
	return *size > max ? -ERANGE : 0;
}

static int virtio_ring_alloc(struct virtio_dev *vd, struct virtq *q,
			     bool physical)
{
	q->ring_bytes = virtq_bytes(q->size);
	if (physical) {
		q->ring = page_alloc_zero(page_order(q->ring_bytes));
		if (q->ring)
			q->ring_iova = virt_to_phys(q->ring);
	} else {
		q->dma = &vd->pci->dev;
		q->ring = dma_alloc_coherent(q->dma, q->ring_bytes,
					     &q->ring_iova);
	}
	return q->ring ? 0 : -ENOMEM;
}

static void virtio_ring_free(const struct virtq *q)
{
	if (!q->ring)
		return;
	if (q->dma)
		dma_free_coherent(q->dma, q->ring_bytes, q->ring,
				  q->ring_iova);
	else
		page_free(q->ring, page_order(q->ring_bytes));
}

/* Memory for the queue, laid out. virtq_init() clears q, so it goes first. */
static int virtio_queue_memory(struct virtio_dev *vd, struct virtq *q,
			       uint16_t size, bool physical)
{
	struct virtq ring = { .size = size };
	int err = virtio_ring_alloc(vd, &ring, physical);

	if (err)
		return err;
	err = virtq_init(q, size, ring.ring);
	if (err) {
		virtio_ring_free(&ring);
		return err;
	}
	q->dma = ring.dma;
	q->ring = ring.ring;
	q->ring_iova = ring.ring_iova;
	q->ring_bytes = ring.ring_bytes;
	return 0;
}

/*
 * The device has the vector when it reads back; else it had no room for it
 * (4.1.5.1.2.1).
 */
static int virtio_set_vector(struct virtio_dev *vd, size_t reg, uint16_t msix)
{
	io_write16(&vd->common, reg, msix);
	return io_read16(&vd->common, reg) == msix ? 0 : -EPROTO;
}

int virtio_config_vector(struct virtio_dev *vd, uint16_t msix)
{
	return virtio_set_vector(vd, VIRTIO_CONFIG_VECTOR, msix);
}

/* 4.1.4.3.2: everything about the queue before it is enabled. */
static int virtio_queue_program(struct virtio_dev *vd, struct virtq *q,
				uint16_t msix)
{
	size_t off = (size_t)io_read16(&vd->common, VIRTIO_QUEUE_NOTIFY_OFF) *
		     vd->notify_mult;
	size_t desc, avail, used;

	if (io_sub(&q->notify, &vd->notify, off, 2))
		return -EPROTO;
	if (virtio_set_vector(vd, VIRTIO_QUEUE_VECTOR, msix))
		return -EPROTO;
	io_write16(&vd->common, VIRTIO_QUEUE_SIZE, q->size);
	virtq_layout(q->size, &desc, &avail, &used);
	virtio_write_half(vd, VIRTIO_QUEUE_DESC, q->ring_iova + desc);
	virtio_write_half(vd, VIRTIO_QUEUE_DRIVER, q->ring_iova + avail);
	virtio_write_half(vd, VIRTIO_QUEUE_DEVICE, q->ring_iova + used);
	io_write16(&vd->common, VIRTIO_QUEUE_ENABLE, 1);
	return 0;
}

static void virtio_queue_drop(struct virtq *q)
{
	virtio_ring_free(q);
	virtq_fini(q);
}

int virtio_queue_setup(struct virtio_dev *vd, struct virtq *q, unsigned index,
		       uint16_t size, uint16_t msix, bool physical)
{
	int err = -ENXIO;

	*q = (struct virtq){ 0 };
	if (index >= vd->nqueues)
		goto err_size;
	io_write16(&vd->common, VIRTIO_QUEUE_SELECT, (uint16_t)index);
	err = virtio_queue_size(vd, &size);
	if (err)
		goto err_size;
	err = virtio_queue_memory(vd, q, size, physical);
	if (err)
		goto err_size;
	q->index = index;
	err = virtio_queue_program(vd, q, msix);
	if (err)
		goto err_program;
	return 0;

err_program:
	virtio_queue_drop(q);
err_size:
	log_err(virtio_name(vd), "virtqueue %u: %s", index, errno_name(err));
	return err;
}

void virtio_queue_free(struct virtio_dev *vd, struct virtq *q)
{
	if (!q->ring)
		return;
	virtio_stop(vd);
	virtio_queue_drop(q);
}

/* ---- the rest ---- */

uint8_t virtio_isr(struct virtio_dev *vd)
{
	return io_read8(&vd->isr, 0);
}

static void virtio_config_copy(struct virtio_dev *vd, size_t off,
			       uint8_t *out, size_t len, unsigned width)
{
	for (size_t i = 0; i < len; i += width) {
		uint32_t val;

		if (width == 4)
			val = io_read32(&vd->devcfg, off + i);
		else if (width == 2)
			val = io_read16(&vd->devcfg, off + i);
		else
			val = io_read8(&vd->devcfg, off + i);
		memcpy(out + i, &val, width);
	}
}

int virtio_config_read(struct virtio_dev *vd, size_t off, void *buf,
		       size_t len, unsigned width)
{
	uint8_t before = 0, after;

	if ((width != 1 && width != 2 && width != 4) || off % width ||
	    len % width || len > vd->devcfg.size ||
	    off > vd->devcfg.size - len)
		return -ERANGE;
	return poll_mem_until((
		before = io_read8(&vd->common, VIRTIO_CONFIG_GENERATION),
		virtio_config_copy(vd, off, buf, len, width),
		after = io_read8(&vd->common, VIRTIO_CONFIG_GENERATION),
		before == after), time_now() + VIRTIO_CONFIG_TIME);
}
