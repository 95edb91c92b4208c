/* SPDX-License-Identifier: MIT */
/*
 * The device's half of virtio 1.2, for tests: registers (4.1.4) and split
 * queues (2.7), written from the specification without a look at virtq.c.
 */
#include "tests/fake/virtio.h"

#include <string.h>

#include "core/dma.h"

#define FAKE_VIRTIO_F_PLATFORM	(UINT64_C(1) << 33)
#define FAKE_NO_VECTOR		0xffff

/* ---- memory ---- */

static bool fake_virtio_physical(const struct fake_virtio *v)
{
	return !(v->driver_features & v->features & FAKE_VIRTIO_F_PLATFORM);
}

static bool fake_virtio_in_ram(uint64_t addr, size_t len)
{
	return len <= HOST_RAM && addr <= HOST_RAM - len;
}

bool fake_virtio_read(struct fake_virtio *v, uint64_t addr, void *buf,
		      size_t len)
{
	if (!fake_virtio_physical(v))
		return host_dma_read(v->pci.bdf, addr, buf, len);
	if (!fake_virtio_in_ram(addr, len))
		return false;
	memcpy(buf, phys_to_virt(addr), len);
	return true;
}

bool fake_virtio_write(struct fake_virtio *v, uint64_t addr, const void *buf,
		       size_t len)
{
	if (!fake_virtio_physical(v))
		return host_dma_write(v->pci.bdf, addr, buf, len);
	if (!fake_virtio_in_ram(addr, len))
		return false;
	memcpy(phys_to_virt(addr), buf, len);
	return true;
}

/* 2.1.2: the device is in a state that only a reset mends. */
static void fake_virtio_break(struct fake_virtio *v)
{
	v->broken = true;
	v->status |= VIRTIO_STATUS_NEEDS_RESET;
}

/* ---- interrupts ---- */

static void fake_virtio_interrupt(struct fake_virtio *v, uint16_t vector,
				  uint8_t isr)
{
	if (v->pci.msix_entries) {
		if (vector != FAKE_NO_VECTOR)
			fake_pci_fire(&v->pci, vector);
		return;
	}
	v->isr |= isr;
	if (v->gsi)
		host_raise_gsi(v->gsi);
}

void fake_virtio_config_changed(struct fake_virtio *v)
{
	v->generation++;
	fake_virtio_interrupt(v, v->config_vector, VIRTIO_ISR_CONFIG);
}

/* ---- queues ---- */

static bool fake_virtio_desc(struct fake_virtio *v,
			     struct fake_virtio_queue *q, uint16_t i,
			     struct virtq_desc *d)
{
	if (i >= q->size)
		return false;
	return fake_virtio_read(v, q->desc + i * sizeof(*d), d, sizeof(*d));
}

/* Walk a chain. Loops, bad indices and order errors (2.7.4.2) are refused. */
static bool fake_virtio_chain(struct fake_virtio *v,
			      struct fake_virtio_queue *q,
			      struct fake_chain *c)
{
	struct virtq_desc d;
	uint16_t i = c->head;

	do {
		bool writes;

		if (c->nseg == q->size || c->nseg == FAKE_CHAIN_SEGS ||
		    !fake_virtio_desc(v, q, i, &d) || d.len == 0 ||
		    (d.flags & ~(VIRTQ_DESC_NEXT | VIRTQ_DESC_WRITE)))
			return false;
		writes = d.flags & VIRTQ_DESC_WRITE;
		if (!writes && c->writable)
			return false;
		c->seg[c->nseg].addr = d.addr;
		c->seg[c->nseg].len = d.len;
		c->seg[c->nseg].device_writes = writes;
		c->nseg++;
		*(writes ? &c->writable : &c->readable) += d.len;
		i = d.next;
	} while (d.flags & VIRTQ_DESC_NEXT);
	return true;
}

static bool fake_virtio_live(const struct fake_virtio *v, unsigned n)
{
	return n < v->nqueues && v->q[n].enable && !v->broken &&
	       (v->status & VIRTIO_STATUS_DRIVER_OK);
}

bool fake_virtio_pop(struct fake_virtio *v, unsigned n, struct fake_chain *c)
{
	struct fake_virtio_queue *q = &v->q[n];
	uint16_t avail_idx, slot;

	if (!fake_virtio_live(v, n))
		return false;
	if (!fake_virtio_read(v, q->avail + 2, &avail_idx, 2))
		goto broken;
	if (avail_idx == q->next_avail)
		return false;
	if ((uint16_t)(avail_idx - q->next_avail) > q->size)
		goto broken;
	slot = q->next_avail % q->size;
	memset(c, 0, offsetof(struct fake_chain, seg));
	c->readable = c->writable = 0;
	if (!fake_virtio_read(v, q->avail + 4 + 2u * slot, &c->head, 2) ||
	    !fake_virtio_chain(v, q, c))
		goto broken;
	q->next_avail++;
	return true;

broken:
	fake_virtio_break(v);
	return false;
}

/* One direction's bytes as a stream; the device copies in or out of it. */
static size_t fake_virtio_copy(struct fake_virtio *v,
			       const struct fake_chain *c, bool writes,
			       size_t off, uint8_t *buf, size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < c->nseg && done < len; i++) {
		uint64_t addr = c->seg[i].addr + off;
		size_t n;
		bool ok;

		if (c->seg[i].device_writes != writes)
			continue;
		if (off >= c->seg[i].len) {
			off -= c->seg[i].len;
			continue;
		}
		n = MIN(len - done, (size_t)c->seg[i].len - off);
		ok = writes ? fake_virtio_write(v, addr, buf + done, n)
			    : fake_virtio_read(v, addr, buf + done, n);
		if (!ok) {
			fake_virtio_break(v);
			break;
		}
		done += n;
		off = 0;
	}
	return done;
}

size_t fake_virtio_get(struct fake_virtio *v, const struct fake_chain *c,
		       size_t off, void *buf, size_t len)
{
	return fake_virtio_copy(v, c, false, off, buf, len);
}

size_t fake_virtio_put(struct fake_virtio *v, const struct fake_chain *c,
		       size_t off, const void *buf, size_t len)
{
	return fake_virtio_copy(v, c, true, off, (uint8_t *)(uintptr_t)buf,
				len);
}

void fake_virtio_push_id(struct fake_virtio *v, unsigned n, uint32_t id,
			 uint32_t written)
{
	struct fake_virtio_queue *q = &v->q[n];
	struct virtq_used_elem e = { .id = id, .len = written };
	uint16_t flags;

	if (!fake_virtio_live(v, n))
		return;
	/* The element before the index: 2.7.8.2. */
	if (!fake_virtio_write(v, q->used + 4 +
			       sizeof(e) * (q->used_idx % q->size), &e,
			       sizeof(e)))
		goto broken;
	q->used_idx++;
	if (!fake_virtio_write(v, q->used + 2, &q->used_idx, 2) ||
	    !fake_virtio_read(v, q->avail, &flags, 2))
		goto broken;
	if (!(flags & VIRTQ_AVAIL_NO_INTERRUPT))
		fake_virtio_interrupt(v, q->vector, VIRTIO_ISR_QUEUE);
	return;

broken:
	fake_virtio_break(v);
}

void fake_virtio_push(struct fake_virtio *v, unsigned n,
		      const struct fake_chain *c, uint32_t written)
{
	fake_virtio_push_id(v, n, c->head, written);
}

static void fake_virtio_doorbell(struct fake_virtio *v, unsigned n)
{
	if (n >= v->nqueues)
		return;
	v->q[n].doorbells++;
	if (v->silent)
		return;
	if (v->late)
		v->q[n].rung = true;
	else if (v->notify && fake_virtio_live(v, n))
		v->notify(v, n);
}

static void fake_virtio_step(void *ctx)
{
	struct fake_virtio *v = ctx;

	for (unsigned n = 0; n < v->nqueues; n++) {
		if (!v->q[n].rung)
			continue;
		v->q[n].rung = false;
		if (v->notify && fake_virtio_live(v, n))
			v->notify(v, n);
	}
}

/* ---- registers ---- */

static void fake_virtio_do_reset(struct fake_virtio *v)
{
	v->resets++;
	for (unsigned n = 0; n < v->nqueues; n++) {
		struct fake_virtio_queue *q = &v->q[n];

		*q = (struct fake_virtio_queue){
			.max = q->max, .size = q->max,
			.vector = FAKE_NO_VECTOR, .notify_off = q->notify_off,
			.doorbells = q->doorbells,
		};
	}
	v->driver_features = 0;
	v->device_sel = v->driver_sel = 0;
	v->queue_sel = 0;
	v->config_vector = FAKE_NO_VECTOR;
	v->isr = 0;
	v->broken = false;
	if (v->reset)
		v->reset(v);
}

static void fake_virtio_write_status(struct fake_virtio *v, uint8_t val)
{
	if (val == 0) {
		fake_virtio_do_reset(v);
		v->status = v->reset_stuck ? VIRTIO_STATUS_ACKNOWLEDGE : 0;
		return;
	}
	/* 2.2.2: agree only to what was offered; insist on the IOMMU (6.1). */
	if ((val & VIRTIO_STATUS_FEATURES_OK) &&
	    (v->refuse_features_ok || (v->driver_features & ~v->features) ||
	     ((v->features & FAKE_VIRTIO_F_PLATFORM) &&
	      fake_virtio_physical(v))))
		val &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
	v->status = val | (v->status & VIRTIO_STATUS_NEEDS_RESET);
}

static struct fake_virtio_queue *fake_virtio_selected(struct fake_virtio *v)
{
	static struct fake_virtio_queue none;

	memset(&none, 0, sizeof(none));
	none.vector = FAKE_NO_VECTOR;
	return v->queue_sel < v->nqueues ? &v->q[v->queue_sel] : &none;
}

static uint16_t fake_virtio_vector(struct fake_virtio *v, uint16_t val)
{
	return v->no_vectors || val >= v->pci.msix_entries ? FAKE_NO_VECTOR
							   : val;
}

static uint32_t fake_virtio_half(uint64_t val, uint32_t sel)
{
	return sel > 1 ? 0 : (uint32_t)(val >> 32 * sel);
}

/* A stuck device is looked at a thousand times a second, not a million. */
static uint8_t fake_virtio_status(const struct fake_virtio *v)
{
	if (v->reset_stuck)
		host_time_advance(NSEC_PER_MSEC);
	return v->status;
}

static uint64_t fake_virtio_common_read(struct fake_virtio *v, size_t off)
{
	struct fake_virtio_queue *q = fake_virtio_selected(v);

	switch (off) {
	case VIRTIO_DEVICE_FEATURE_SEL: return v->device_sel;
	case VIRTIO_DEVICE_FEATURE:
		return fake_virtio_half(v->features, v->device_sel);
	case VIRTIO_DRIVER_FEATURE_SEL: return v->driver_sel;
	case VIRTIO_DRIVER_FEATURE:
		return fake_virtio_half(v->driver_features, v->driver_sel);
	case VIRTIO_CONFIG_VECTOR: return v->config_vector;
	case VIRTIO_NUM_QUEUES: return v->nqueues;
	case VIRTIO_STATUS: return fake_virtio_status(v);
	case VIRTIO_CONFIG_GENERATION: return v->generation;
	case VIRTIO_QUEUE_SELECT: return v->queue_sel;
	case VIRTIO_QUEUE_SIZE: return q->size;
	case VIRTIO_QUEUE_VECTOR: return q->vector;
	case VIRTIO_QUEUE_ENABLE: return q->enable;
	case VIRTIO_QUEUE_NOTIFY_OFF: return q->notify_off;
	case VIRTIO_QUEUE_DESC: return (uint32_t)q->desc;
	case VIRTIO_QUEUE_DESC + 4: return q->desc >> 32;
	case VIRTIO_QUEUE_DRIVER: return (uint32_t)q->avail;
	case VIRTIO_QUEUE_DRIVER + 4: return q->avail >> 32;
	case VIRTIO_QUEUE_DEVICE: return (uint32_t)q->used;
	case VIRTIO_QUEUE_DEVICE + 4: return q->used >> 32;
	default: return 0;
	}
}

static void fake_virtio_set_half(uint64_t *reg, unsigned high, uint64_t val)
{
	uint64_t mask = UINT64_C(0xffffffff) << 32 * high;

	*reg = (*reg & ~mask) | (val << 32 * high & mask);
}

static void fake_virtio_queue_write(struct fake_virtio *v, size_t off,
				    uint64_t val)
{
	struct fake_virtio_queue *q = fake_virtio_selected(v);

	if (q->enable)		/* 4.1.4.3.2: set up before it is enabled */
		return;
	switch (off) {
	case VIRTIO_QUEUE_SIZE:
		q->size = MIN((uint16_t)val, q->max);
		break;
	case VIRTIO_QUEUE_VECTOR:
		q->vector = fake_virtio_vector(v, (uint16_t)val);
		break;
	case VIRTIO_QUEUE_ENABLE:
		q->enable = val == 1 && q->size &&
			    (v->status & VIRTIO_STATUS_FEATURES_OK);
		break;
	case VIRTIO_QUEUE_NOTIFY_OFF:
		break;			/* read-only */
	default:
		if (off < VIRTIO_QUEUE_DRIVER)
			fake_virtio_set_half(&q->desc, off >> 2 & 1, val);
		else if (off < VIRTIO_QUEUE_DEVICE)
			fake_virtio_set_half(&q->avail, off >> 2 & 1, val);
		else
			fake_virtio_set_half(&q->used, off >> 2 & 1, val);
	}
}

static void fake_virtio_common_write(struct fake_virtio *v, size_t off,
				     uint64_t val)
{
	switch (off) {
	case VIRTIO_DEVICE_FEATURE_SEL: v->device_sel = val; break;
	case VIRTIO_DRIVER_FEATURE_SEL: v->driver_sel = val; break;
	case VIRTIO_DRIVER_FEATURE:
		if (v->driver_sel < 2)
			fake_virtio_set_half(&v->driver_features,
					     v->driver_sel, val);
		break;
	case VIRTIO_CONFIG_VECTOR:
		v->config_vector = fake_virtio_vector(v, (uint16_t)val);
		break;
	case VIRTIO_STATUS: fake_virtio_write_status(v, val); break;
	case VIRTIO_QUEUE_SELECT: v->queue_sel = val; break;
	default:
		if (off >= VIRTIO_QUEUE_SIZE && off < VIRTIO_COMMON_SIZE)
			fake_virtio_queue_write(v, off, val);
	}
}

/* 4.1.3.1: each field by its own width; anything else reads nonsense. */
static unsigned fake_virtio_width(size_t off)
{
	if (off == VIRTIO_STATUS || off == VIRTIO_CONFIG_GENERATION)
		return 1;
	if (off == VIRTIO_CONFIG_VECTOR || off == VIRTIO_NUM_QUEUES ||
	    (off >= VIRTIO_QUEUE_SELECT && off < VIRTIO_QUEUE_DESC))
		return 2;
	return 4;
}

static uint64_t fake_virtio_bar_read(void *ctx, size_t off, unsigned width)
{
	struct fake_virtio *v = ctx;
	uint64_t val = 0;

	if (off < FAKE_VIRTIO_COMMON + VIRTIO_COMMON_SIZE)
		return width == fake_virtio_width(off)
			? fake_virtio_common_read(v, off) : 0xbadbadbad;
	if (off == FAKE_VIRTIO_ISR) {
		val = v->isr;
		v->isr = 0;
	} else if (off >= FAKE_VIRTIO_DEVICE &&
		   off + width <= FAKE_VIRTIO_DEVICE + v->config_size) {
		memcpy(&val, v->config + off - FAKE_VIRTIO_DEVICE, width);
		if (v->flux) {
			host_time_advance(50 * NSEC_PER_USEC);
			v->flux--;
			v->generation++;
		}
	}
	return val;
}

static void fake_virtio_bar_write(void *ctx, size_t off, unsigned width,
				  uint64_t val)
{
	struct fake_virtio *v = ctx;

	if (off < FAKE_VIRTIO_COMMON + VIRTIO_COMMON_SIZE) {
		if (width == fake_virtio_width(off))
			fake_virtio_common_write(v, off, val);
	} else if (off >= FAKE_VIRTIO_NOTIFY) {
		fake_virtio_doorbell(v, (off - FAKE_VIRTIO_NOTIFY) /
				     FAKE_VIRTIO_MULT);
	} else if (off >= FAKE_VIRTIO_DEVICE &&
		   off + width <= FAKE_VIRTIO_DEVICE + v->config_size) {
		off -= FAKE_VIRTIO_DEVICE;
		memcpy(v->config + off, &val, width);
		if (v->config_written)
			v->config_written(v, off, width);
	}
}

static const struct host_mmio_ops fake_virtio_ops = {
	.read = fake_virtio_bar_read,
	.write = fake_virtio_bar_write,
};

/* ---- making one ---- */

static void fake_virtio_cap(struct fake_virtio *v, unsigned type,
			    uint32_t off, uint32_t len)
{
	bool notify = type == VIRTIO_CAP_NOTIFY;
	uint8_t body[VIRTIO_CAP_NOTIFY_SIZE - 2] = { 0 };
	uint8_t size = notify ? VIRTIO_CAP_NOTIFY_SIZE : VIRTIO_CAP_SIZE;
	uint32_t mult = FAKE_VIRTIO_MULT;

	/* body starts at byte 2 of the capability: after id and next. */
	body[VIRTIO_CAP_LEN - 2] = size;
	body[VIRTIO_CAP_TYPE - 2] = (uint8_t)type;
	body[VIRTIO_CAP_BAR - 2] = FAKE_VIRTIO_BAR;
	memcpy(body + VIRTIO_CAP_OFFSET - 2, &off, 4);
	memcpy(body + VIRTIO_CAP_LENGTH - 2, &len, 4);
	if (notify)
		memcpy(body + VIRTIO_CAP_NOTIFY_MULT - 2, &mult, 4);
	v->cap[type] = fake_pci_cap(&v->pci, VIRTIO_CAP_ID, body, size - 2u);
}

void fake_virtio_init(struct fake_virtio *v, uint16_t bdf, unsigned type,
		      uint32_t class, unsigned nqueues, uint64_t features)
{
	memset(v, 0, sizeof(*v));
	fake_pci_init(&v->pci, bdf, VIRTIO_PCI_VENDOR,
		      (uint16_t)VIRTIO_PCI_DEVICE(type), class);
	fake_pci_bar(&v->pci, FAKE_VIRTIO_BAR, FAKE_VIRTIO_BAR_SIZE, true,
		     &fake_virtio_ops, v);
	fake_virtio_cap(v, VIRTIO_CAP_COMMON, FAKE_VIRTIO_COMMON, 0x1000);
	fake_virtio_cap(v, VIRTIO_CAP_ISR, FAKE_VIRTIO_ISR, 0x1000);
	fake_virtio_cap(v, VIRTIO_CAP_DEVICE, FAKE_VIRTIO_DEVICE, 0x1000);
	fake_virtio_cap(v, VIRTIO_CAP_NOTIFY, FAKE_VIRTIO_NOTIFY, 0x1000);
	v->nqueues = MIN(nqueues, (unsigned)FAKE_VIRTIO_QUEUES);
	v->features = features;
	for (unsigned n = 0; n < v->nqueues; n++) {
		v->q[n].max = v->q[n].size = 256;
		v->q[n].vector = FAKE_NO_VECTOR;
		v->q[n].notify_off = n;
	}
	v->config_vector = FAKE_NO_VECTOR;
}

void fake_virtio_config(struct fake_virtio *v, const void *cfg, size_t len)
{
	v->config_size = MIN(len, sizeof(v->config));
	memcpy(v->config, cfg, v->config_size);
}

void fake_virtio_msix(struct fake_virtio *v, unsigned entries)
{
	fake_pci_bar(&v->pci, 1, 0x1000, false, NULL, NULL);
	fake_pci_msix(&v->pci, entries, 1, 0, 0x800);
}

void fake_virtio_add(struct fake_virtio *v)
{
	for (unsigned n = 0; n < v->nqueues; n++)
		v->q[n].size = v->q[n].max;
	fake_pci_add(&v->pci);
	host_step_add(fake_virtio_step, v);
}

void fake_virtio_remove(struct fake_virtio *v)
{
	host_step_remove(v);
	fake_pci_remove(&v->pci);
}
