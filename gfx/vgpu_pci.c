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
#include "msi/msi.h"
#include "virt/virtioreg.h"

#define VGPU_VECTOR	0		/* the control queue's */

static void vgpu_interrupt(void *arg)
{
	struct vgpu *g = arg;

	g->interrupts++;
	vgpu_service(g);
}

/* One MSI-X vector: 0, or why there is none. Queues do not use plain MSI. */
static int vgpu_pci_vector(struct pci_dev *p)
{
	int n = msi_alloc(p, 1, 1);

	if (n < 0)
		return n;
	if (strcmp(msi_kind(p), "msi-x") == 0)
		return 0;
	msi_free(p);
	return -ENOTSUP;
}

/* With a vector the queue interrupts; without, it is polled when waited on. */
static int vgpu_pci_connect(struct vgpu *g, struct pci_dev *p)
{
	int err = vgpu_pci_vector(p);

	g->polled = err != 0;
	if (g->polled)
		log_warn(g->name, "no MSI-X (%s): polling", errno_name(err));
	err = vgpu_start(g, g->polled ? VIRTIO_NO_VECTOR : VGPU_VECTOR);
	if (err)
		goto err_start;
	if (g->polled)
		return 0;
	err = msi_connect(p, VGPU_VECTOR, 0, vgpu_interrupt, g, "vgpu");
	if (err) {
		log_warn(g->name, "no vector (%s): polling", errno_name(err));
		g->polled = true;
	}
	return 0;

err_start:
	msi_free(p);
	return err;
}

/* The device is reset before its vector goes, and both before its rings. */
static void vgpu_pci_disconnect(struct vgpu *g, struct pci_dev *p)
{
	vgpu_abort(g, -ECANCELED);
	msi_free(p);
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
