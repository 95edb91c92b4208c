/* SPDX-License-Identifier: MIT */
/*
 * Fault reports. The device writes each into a buffer that we posted, and
 * interrupts (by INTx where it has no MSI-X, as QEMU's). It drops reports while no buffer
 * is posted, and says nothing about it; so when a look finds all of them
 * filled, some may have been lost, and that is what is counted.
 */
#include "viommu/virtio_iommu.h"

#include "core/errno.h"
#include "core/log.h"
#include "core/page.h"
#include "core/string.h"
#include "msi/irqs.h"
#include "viommu/fault.h"
#include "virt/virtioreg.h"

_Static_assert(VIOMMU_EVENTS * sizeof(struct viommu_fault) <= PAGE_SIZE,
	       "one page");

static const char *viommu_event_text(unsigned reason)
{
	switch (reason) {
	case VIOMMU_R_UNKNOWN:
		return "unknown endpoint";
	case VIOMMU_R_DOMAIN:
		return "in no domain";
	case VIOMMU_R_MAPPING:
		return "not mapped for this access";
	default:
		return "reason unknown to us";
	}
}

static void viommu_event_report(struct viommu *v, const struct viommu_fault *e)
{
	struct iommu_fault f = {
		.addr = e->flags & VIOMMU_FAULT_ADDRESS ? e->address : 0,
		.reason = e->reason,
		.text = viommu_event_text(e->reason),
		.exact = e->flags & VIOMMU_FAULT_ADDRESS,
		/* QEMU tells the direction only of what is mapped otherwise. */
		.write_known = e->flags & (VIOMMU_FAULT_READ |
					   VIOMMU_FAULT_WRITE),
		.write = e->flags & VIOMMU_FAULT_WRITE,
	};

	if (viommu_endpoint_rid(e->endpoint, &f.bdf))
		log_warn(v->name, "fault by endpoint %#x, which no table names",
			 e->endpoint);
	else
		fault_record(v->name, &f);
}

static void viommu_event_post(struct viommu *v, struct viommu_fault *e)
{
	struct virtq_buf buf = { virt_to_phys(e), sizeof(*e), true };

	/* Cannot fail: the queue has a descriptor for each buffer. */
	virtq_add(&v->events, &buf, 1, e);
}

/*
 * Returns how many reports there were. The buffers go back to the device all
 * at once at the end, so there are never more than VIOMMU_EVENTS.
 */
static unsigned viommu_event_drain_locked(struct viommu *v)
{
	struct viommu_fault *e;
	unsigned n = 0;
	uint32_t len;

	while (n < VIOMMU_EVENTS && (e = virtq_get(&v->events, &len, NULL))) {
		if (len >= sizeof(*e))
			viommu_event_report(v, e);
		viommu_event_post(v, e);
		n++;
	}
	virtq_kick(&v->events);
	return n;
}

void viommu_event_collect(struct viommu *v)
{
	irqflags_t flags = spin_lock(&v->event_lock);
	unsigned n = v->events.size ? viommu_event_drain_locked(v) : 0;

	spin_unlock(&v->event_lock, flags);
	if (n == VIOMMU_EVENTS)
		fault_lost(v->name, 1);
}

static void viommu_event_irq(void *arg)
{
	fault_interrupt();
	viommu_event_collect(arg);
}

/* The line may be shared: reading the byte tells whether it was us. */
static void viommu_event_pin_irq(void *arg)
{
	struct viommu *v = arg;

	if (virtio_isr(&v->vd) & VIRTIO_ISR_QUEUE)
		viommu_event_irq(v);
}

static bool viommu_pin(const struct viommu *v)
{
	return !strcmp(irq_vectors_kind(v->pci), "intx");
}

int viommu_event_start(struct viommu *v)
{
	static const struct irq_hints hints = { .use = IRQ_MSIX | IRQ_INTX };
	unsigned vector = VIRTIO_NO_VECTOR;

	v->event = page_alloc(0);
	if (!v->event)
		return -ENOMEM;
	if (irq_alloc_vectors(v->pci, 1, 1, &hints) == 1 && !viommu_pin(v))
		vector = 0;
	return virtio_queue_setup(&v->vd, &v->events, VIOMMU_Q_EVENT,
				  VIOMMU_EVENTS, vector, true);
}

void viommu_event_open(struct viommu *v)
{
	int err;

	for (unsigned i = 0; i < VIOMMU_EVENTS; i++)
		viommu_event_post(v, &v->event[i]);
	virtq_kick(&v->events);
	err = irq_vectors_connect(v->pci, 0, viommu_pin(v) ?
				  viommu_event_pin_irq : viommu_event_irq, v,
				  v->name);
	if (err)
		log_warn(v->name, "no interrupt (%s): faults are seen only by looking",
			 errno_name(err));
	else
		fault_listen();
}

void viommu_event_stop(struct viommu *v)
{
	irq_vectors_free(v->pci);
	virtio_queue_free(&v->vd, &v->events);
	if (v->event)
		page_free(v->event, 0);
	v->event = NULL;
}
