/* SPDX-License-Identifier: MIT */
/*
 * The PCI function of an NVMe controller: registers in BAR 0, vector 0 for the
 * admin queue (which is polled, so that nobody connects it) and one per I/O
 * queue, on that queue's CPU. With a single vector all queues share it, the
 * admin queue too; without any, INTx serves.
 */
#include "blk/nvme.h"

#include "core/fmt.h"
#include "core/heap.h"
#include "core/irq.h"
#include "core/log.h"
#include "core/pci.h"
#include "msi/msi.h"

#define NVME_PCI_CLASS	0x010802	/* NVM Express 1.4, 2.1.5 */
#define NVME_PCI_BAR	0

struct nvme_pci {
	struct nvme_ctrl ctrl;
	bool intx;			/* instead of messages */
	bool connected;			/* INTx is */
	unsigned gsi;
};

static unsigned nvme_pci_found;

/* How many vectors there are: the queues are made to fit. */
static void nvme_pci_alloc(struct pci_dev *p, struct nvme_pci *np)
{
	int n = msi_alloc(p, 1, 1 + cpu_count());

	np->intx = n < 0;
	np->ctrl.nvec = np->intx ? 1 : n;
	if (np->intx)
		log_info(np->ctrl.name, "INTx, because of no MSI: %s",
			 errno_name(n));
}

static int nvme_pci_connect_intx(struct pci_dev *p, struct nvme_pci *np)
{
	unsigned flags;
	int err = pci_intx_gsi(p, &np->gsi, &flags);

	if (!err)
		err = irq_gsi_request(np->gsi, flags, 0, nvme_all_irq,
				      &np->ctrl, np->ctrl.name);
	if (err)
		return err;
	np->connected = true;
	pci_enable_intx(p, true);
	return 0;
}

static int nvme_pci_connect(struct pci_dev *p, struct nvme_pci *np)
{
	struct nvme_ctrl *c = &np->ctrl;

	if (np->intx)
		return nvme_pci_connect_intx(p, np);
	if (c->nvec == 1)
		return msi_connect(p, 0, 0, nvme_all_irq, c, c->name);
	for (unsigned i = 0; i < c->nio; i++) {
		struct nvme_queue *q = &c->io[i];
		char name[16];
		int err;

		fmt_snprintf(name, sizeof(name), "%sq%u", c->name, q->id);
		err = msi_connect(p, q->vector, q->cpu, nvme_queue_irq, q, name);
		if (err)
			return err;
	}
	return 0;
}

/* No handler runs from here on, so that the queues may go. */
static void nvme_pci_disconnect(struct pci_dev *p, struct nvme_pci *np)
{
	if (np->connected) {
		pci_enable_intx(p, false);
		irq_gsi_free(np->gsi, nvme_all_irq, &np->ctrl);
	}
	msi_free(p);
}

static int nvme_pci_probe(struct pci_dev *p)
{
	struct nvme_pci *np = heap_zalloc(sizeof(*np));
	struct nvme_ctrl *c;
	int err;

	if (!np)
		return -ENOMEM;
	c = &np->ctrl;
	fmt_snprintf(c->name, sizeof(c->name), "nvme%u", nvme_pci_found);
	c->dev = &p->dev;
	err = pci_map_bar(p, NVME_PCI_BAR, &c->regs);
	if (err)
		goto err_bar;
	pci_enable_memory(p);
	err = pci_enable_master(p);
	if (err)
		goto err_master;
	nvme_pci_alloc(p, np);
	err = nvme_start(c);
	if (err)
		goto err_start;
	err = nvme_pci_connect(p, np);
	if (err)
		goto err_connect;
	p->drvdata = np;
	nvme_pci_found++;
	return 0;

err_connect:
	nvme_pci_disconnect(p, np);
	nvme_stop(c);
err_start:
	msi_free(p);
	pci_disable_master(p);
err_master:
	io_unmap(&c->regs);
err_bar:
	log_err(c->name, "%s: %s", p->dev.name, errno_name(err));
	heap_free(np);
	return err;
}

static void nvme_pci_stop(struct pci_dev *p)
{
	struct nvme_pci *np = p->drvdata;

	nvme_pci_disconnect(p, np);
	nvme_stop(&np->ctrl);
	pci_disable_master(p);
	io_unmap(&np->ctrl.regs);
	p->drvdata = NULL;
	heap_free(np);
}

static const struct pci_id nvme_pci_ids[] = {
	{ PCI_ANY, PCI_ANY, NVME_PCI_CLASS, 0xffffff },
	{ 0 }
};

const struct driver nvme_driver = {
	.name = "nvme",
	.ids = nvme_pci_ids,
	.probe = nvme_pci_probe,
	.stop = nvme_pci_stop,
};
DRIVER(nvme_driver);
