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
#include "core/log.h"
#include "core/pci.h"
#include "msi/irqs.h"

#define NVME_PCI_CLASS	0x010802	/* NVM Express 1.4, 2.1.5 */
#define NVME_PCI_BAR	0

static unsigned nvme_pci_found;

/* How many vectors there are: the queues are made to fit. */
static int nvme_pci_alloc(struct pci_dev *p, struct nvme_ctrl *c)
{
	static const struct irq_hints hints = { .pre = 1, .managed = true };
	int n = irq_alloc_vectors(p, 1, 1 + cpu_count(), &hints);

	if (n < 0)
		return n;
	c->nvec = (unsigned)n;
	return 0;
}

/* One interrupt for all queues: it goes where there is room, and so do they. */
static int nvme_pci_connect_one(struct pci_dev *p, struct nvme_ctrl *c)
{
	int cpu = irq_vectors_cpu(p, 0), err;

	if (cpu < 0)
		return cpu;
	for (unsigned i = 0; i < c->nio; i++)
		c->io[i].cpu = (unsigned)cpu;
	err = irq_vectors_connect(p, 0, nvme_all_irq, c, c->name);
	return err ? err : irq_watch(p, 0, nvme_any_waits);
}

static int nvme_pci_connect(struct pci_dev *p, struct nvme_ctrl *c)
{
	if (c->nvec == 1)
		return nvme_pci_connect_one(p, c);
	for (unsigned i = 0; i < c->nio; i++) {
		struct nvme_queue *q = &c->io[i];
		char name[16];
		int err;

		fmt_snprintf(name, sizeof(name), "%sq%u", c->name, q->id);
		err = irq_vectors_connect(p, q->vector, nvme_queue_irq, q, name);
		if (!err)
			err = irq_watch(p, q->vector, nvme_queue_waits);
		if (err)
			return err;
	}
	return 0;
}

static int nvme_pci_probe(struct pci_dev *p)
{
	struct nvme_ctrl *c = heap_zalloc(sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	fmt_snprintf(c->name, sizeof(c->name), "nvme%u", nvme_pci_found);
	c->dev = &p->dev;
	err = pci_map_bar(p, NVME_PCI_BAR, &c->regs);
	if (err)
		goto err_bar;
	pci_enable_memory(p);
	err = pci_enable_master(p);
	if (err)
		goto err_master;
	err = nvme_pci_alloc(p, c);
	if (err)
		goto err_alloc;
	err = nvme_start(c);
	if (err)
		goto err_start;
	err = nvme_pci_connect(p, c);
	if (err)
		goto err_connect;
	p->drvdata = c;
	nvme_pci_found++;
	return 0;

err_connect:
	nvme_stop_looking(c);
	irq_vectors_free(p);
	nvme_stop(c);
err_start:
	irq_vectors_free(p);
err_alloc:
	pci_disable_master(p);
err_master:
	io_unmap(&c->regs);
err_bar:
	log_err(c->name, "%s: %s", p->dev.name, errno_name(err));
	heap_free(c);
	return err;
}

/* The interrupts first: no handler runs then, so that the queues may go. */
static void nvme_pci_stop(struct pci_dev *p)
{
	struct nvme_ctrl *c = p->drvdata;

	nvme_stop_looking(c);
	irq_vectors_free(p);
	nvme_stop(c);
	pci_disable_master(p);
	io_unmap(&c->regs);
	p->drvdata = NULL;
	heap_free(c);
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
