/* SPDX-License-Identifier: MIT */
/*
 * Functions and drivers find each other. The steps before a probe are undone in
 * reverse when it fails: a function without a driver decodes nothing that
 * it did not decode before, masters no bus and is in no domain.
 */
#include "core/device.h"

#include "core/errno.h"
#include "core/log.h"
#include "core/pci.h"
#include "core/pcireg.h"

SET_DECLARE(driver, struct driver);

static bool driver_id_matches(const struct pci_id *id, const struct pci_dev *p)
{
	return (id->vendor == PCI_ANY || id->vendor == p->vendor) &&
	       (id->device == PCI_ANY || id->device == p->device) &&
	       !((id->class ^ p->class) & id->class_mask);
}

static const struct driver *driver_match(const struct pci_dev *p)
{
	SET_FOREACH(d, driver)
		for (const struct pci_id *id = (*d)->ids; id->vendor; id++)
			if (driver_id_matches(id, p))
				return *d;
	return NULL;
}

static int driver_probe(struct pci_dev *p, const struct driver *d)
{
	uint16_t cmd = pci_read16(p, PCI_COMMAND);
	int err;

	err = dma_attach(&p->dev);
	if (err)
		return err;
	pci_enable_memory(p);
	err = d->probe(p);
	if (err)
		goto err_probe;
	p->driver = d;
	return 0;

err_probe:
	pci_disable_master(p);
	pci_write16(p, PCI_COMMAND, cmd);
	dma_detach(&p->dev);
	p->drvdata = NULL;
	log_warn(p->dev.name, "%s refused it (%s)", d->name, errno_name(err));
	return err;
}

unsigned driver_probe_class(uint32_t class, uint32_t mask)
{
	const struct driver *d;
	struct pci_dev *p;
	unsigned n = 0;

	list_for_each(p, &pci_devices, node) {
		if (p->driver || p->probe_err || ((p->class ^ class) & mask))
			continue;
		d = driver_match(p);
		if (!d)
			continue;
		p->probe_err = driver_probe(p, d);
		n += !p->probe_err;
	}
	return n;
}

unsigned driver_probe_all(void)
{
	return driver_probe_class(0, 0);
}

static void driver_stop(struct pci_dev *p)
{
	if (p->driver->stop)
		p->driver->stop(p);
	pci_disable_master(p);
	dma_detach(&p->dev);
	p->driver = NULL;
}

void driver_stop_all(void)
{
	for (struct list *n = pci_devices.prev; n != &pci_devices; n = n->prev) {
		struct pci_dev *p = list_entry(n, struct pci_dev, node);

		if (p->driver)
			driver_stop(p);
	}
}
