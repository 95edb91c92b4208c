/* SPDX-License-Identifier: MIT */
/* The virtio-gpu as a PCI function: virtio-gpu-pci, and virtio-vga likewise. */
#include "core/device.h"
#include "core/dma.h"
#include "core/errno.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/pci.h"
#include "core/string.h"
#include "gfx/vgpu.h"
#include "msi/irqs.h"
#include "virt/virtioreg.h"

#define VGPU_VECTOR	0		/* the control queue's */

static void vgpu_interrupt(void *arg)
{
	struct vgpu *g = arg;

	g->interrupts++;
	vgpu_service(g);
}

/* The pin may be shared; reading the byte also lets go of it (1.1, 4.1.4.5). */
static void vgpu_pin_interrupt(void *arg)
{
	struct vgpu *g = arg;

	if (virtio_isr(&g->vd) & VIRTIO_ISR_QUEUE)
		vgpu_interrupt(g);
}

/* Queues do not use plain MSI: MSI-X, or the pin. Returns which handler. */
static irq_fn *vgpu_pci_alloc(struct pci_dev *p)
{
	static const struct irq_hints hints = { .use = IRQ_MSIX | IRQ_INTX };

	if (irq_alloc_vectors(p, 1, 1, &hints) < 0)
		return NULL;
	return strcmp(irq_vectors_kind(p), "intx") ? vgpu_interrupt :
						     vgpu_pin_interrupt;
}

/* Interrupts where there are any; without, it is polled when waited on. */
static int vgpu_pci_connect(struct vgpu *g, struct pci_dev *p)
{
	irq_fn *fn = vgpu_pci_alloc(p);
	int err;

	err = vgpu_start(g, fn == vgpu_interrupt ? VGPU_VECTOR :
						   VIRTIO_NO_VECTOR);
	if (err)
		goto err_start;
	err = fn ? irq_vectors_connect(p, VGPU_VECTOR, fn, g, "vgpu") : -ENODEV;
	if (!err)
		err = irq_watch(p, VGPU_VECTOR, vgpu_waits);
	g->polled = err != 0;
	if (err)
		log_warn(g->name, "no interrupt (%s): polling",
			 errno_name(err));
	return 0;

err_start:
	irq_vectors_free(p);
	return err;
}

/* The device is reset before its vector goes, and both before its rings. */
static void vgpu_pci_disconnect(struct vgpu *g, struct pci_dev *p)
{
	vgpu_abort(g, -ECANCELED);
	irq_vectors_free(p);
	pci_disable_master(p);
	vgpu_free(g);
}

static int vgpu_pci_probe(struct pci_dev *p)
{
	bool behind_iommu = p->dev.dma.ops != &dma_direct_ops;
	struct vgpu *g = heap_zalloc(sizeof(*g));
	int err = -ENOMEM;

	if (!g)
		return err;
	g->name = p->dev.name;
	err = virtio_start(&g->vd, p, 0, 0, behind_iommu);
	if (err)
		goto err_virtio;
	err = vgpu_pci_connect(g, p);
	if (err)
		goto err_connect;
	err = pci_enable_master(p);
	if (err)
		goto err_master;
	virtio_driver_ok(&g->vd);
	err = vgpu_screens_start(g);
	if (err)
		goto err_master;
	p->drvdata = g;
	return 0;

err_master:
	vgpu_pci_disconnect(g, p);
err_connect:
	virtio_stop(&g->vd);
err_virtio:
	heap_free(g);
	return err;
}

static void vgpu_pci_stop(struct pci_dev *p)
{
	struct vgpu *g = p->drvdata;

	vgpu_screens_stop(g);
	vgpu_pci_disconnect(g, p);
	heap_free(g);
	p->drvdata = NULL;
}

static const struct pci_id vgpu_ids[] = {
	{ VIRTIO_PCI_VENDOR, VIRTIO_PCI_DEVICE(VGPU_DEVICE_TYPE), 0, 0 },
	{ 0 },
};

const struct driver vgpu_driver = {
	.name = "vgpu",
	.ids = vgpu_ids,
	.probe = vgpu_pci_probe,
	.stop = vgpu_pci_stop,
};
DRIVER(vgpu_driver);
