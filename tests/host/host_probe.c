/* SPDX-License-Identifier: MIT */
/*
 * Fake functions as the kernel would find them: through core/pci.c and
 * core/dma.c, as they are on the machine.
 */
#include "tests/host/host_internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/dma.h"
#include "core/panic.h"
#include "tests/host/qtest.h"

#define PROBE_MAX	16

static struct fake_pci probe_bridge;
static struct {
	bool done;			/* enumerated */
	struct pci_dev *dev[PROBE_MAX];
	unsigned n;
} probe;

static bool probe_clean(char *what, size_t size)
{
	for (unsigned i = 0; i < probe.n; i++) {
		const struct dma_dev *d = &probe.dev[i]->dev.dma;

		if (d->maps == d->unmaps)
			continue;
		snprintf(what, size, "%s: %" PRIu64 " DMA mappings, but %"
			 PRIu64 " unmapped", probe.dev[i]->dev.name, d->maps,
			 d->unmaps);
		return false;
	}
	return true;
}

static void probe_reset(void)
{
	while (probe.n > 0) {
		struct pci_dev *p = probe.dev[--probe.n];

		if (p->dev.dma.ops)
			dma_detach(&p->dev);
	}
	probe.done = false;
	host_probe_clean = NULL;
	host_probe_reset = NULL;
}

/* What enumeration allocates stays for good on the machine: no leak. */
void host_live_enumerate(void)
{
	const struct pci_window mem32 = { 0xc0000000, MIB(512) };
	const struct pci_window mem64 = { GIB(32), GIB(32) };
	const struct pci_window io = { 0xc000, 0x3000 };

	if (probe.done)
		return;
	if (!host_live && !host_bus_find(0)) {
		fake_pci_init(&probe_bridge, 0, 0x8086, 0x29c0, 0x060000);
		fake_pci_add(&probe_bridge);
	}
	host_heap_exempt = true;
	BUG_ON(pci_config_init(NULL));
	BUG_ON(pci_enumerate() < 0);
	pci_assign_unassigned(mem32, mem64, io);
	host_heap_exempt = false;
	probe.done = true;
	host_probe_clean = probe_clean;
	host_probe_reset = probe_reset;
}

struct pci_dev *host_live_probe(uint16_t bdf)
{
	struct pci_dev *p;

	host_live_enumerate();
	p = pci_find(bdf);
	if (!p)
		return NULL;
	if (!p->dev.dma.ops && dma_attach(&p->dev))
		return NULL;
	BUG_ON(probe.n == PROBE_MAX);
	probe.dev[probe.n++] = p;
	return p;
}

struct pci_dev *host_pci_probe(struct fake_pci *f)
{
	return host_live_probe(f->bdf);
}
