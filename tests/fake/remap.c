/* SPDX-License-Identifier: MIT */
#include "tests/fake/remap.h"

#include <string.h>

#include "core/cpu.h"
#include "core/errno.h"
#include "tests/host/host.h"

struct fake_remap fake_remap;

static bool fake_remap_covers(const struct pci_dev *p)
{
	return true;
}

static bool fake_remap_free_at(unsigned at, unsigned n)
{
	for (unsigned i = at; i < at + n; i++)
		if (i >= FAKE_REMAP_ENTRIES || fake_remap.entry[i].taken)
			return false;
	return true;
}

static int fake_remap_alloc(const struct pci_dev *p, unsigned n,
			    unsigned *base)
{
	unsigned step = 1;

	while (step < n)
		step *= 2;
	for (unsigned at = 0; at < FAKE_REMAP_ENTRIES; at += step) {
		if (!fake_remap_free_at(at, n))
			continue;
		for (unsigned i = at; i < at + n; i++) {
			fake_remap.entry[i].taken = true;
			fake_remap.entry[i].bdf = p->bdf;
		}
		*base = at;
		return 0;
	}
	return -ENOSPC;
}

static void fake_remap_free(const struct pci_dev *p, unsigned base, unsigned n)
{
	memset(&fake_remap.entry[base], 0, n * sizeof(fake_remap.entry[0]));
}

static int fake_remap_fill(unsigned index, unsigned cpu, unsigned vector)
{
	struct fake_remap_entry *e = &fake_remap.entry[index];

	if (fake_remap.refuse)
		return fake_remap.refuse;
	e->to = (struct remap_target){ cpu_apic_id(cpu), vector };
	e->present = !fake_remap.absent;
	e->cached = e->cached && fake_remap.no_flush;
	return 0;
}

static int fake_remap_compose(const struct pci_dev *p, unsigned base,
			      unsigned nr, unsigned cpu, unsigned vector,
			      struct msi_msg *msg)
{
	msg->addr = FAKE_REMAP_ADDR;
	msg->data = base + nr + (fake_remap.foreign ? 1 : 0);
	return fake_remap_fill(base + nr, cpu, vector);
}

static int fake_remap_set(const struct pci_dev *p, unsigned base, unsigned nr,
			  unsigned cpu, unsigned vector)
{
	int err = fake_remap_fill(base + nr, cpu, vector);

	fake_remap.swaps += !err;
	return err;
}

static int fake_remap_look(uint16_t bdf, uint64_t addr, uint32_t data)
{
	const struct fake_remap_entry *e = &fake_remap.entry[data];

	if (addr != FAKE_REMAP_ADDR || data >= FAKE_REMAP_ENTRIES)
		return -EINVAL;
	if (e->taken && e->bdf != bdf)
		return -EPERM;
	return e->present ? 0 : -ENOENT;
}

static int fake_remap_resolve(const struct pci_dev *p,
			      const struct msi_msg *msg,
			      struct remap_target *to)
{
	int err = fake_remap_look(p->bdf, msg->addr, msg->data);

	if (!err)
		*to = fake_remap.entry[msg->data].to;
	return err;
}

static const struct remap_ops fake_remap_ops = {
	.name = "fake",
	.dest_max = UINT32_MAX,
	.covers = fake_remap_covers,
	.alloc = fake_remap_alloc,
	.free = fake_remap_free,
	.compose = fake_remap_compose,
	.set = fake_remap_set,
	.resolve = fake_remap_resolve,
};

/* The hardware: what a device's message becomes. */
static bool fake_remap_message(uint16_t bdf, uint64_t *addr, uint32_t *data)
{
	struct fake_remap_entry *e;

	if (fake_remap_look(bdf, *addr, *data)) {
		fake_remap.blocked++;
		return false;
	}
	e = &fake_remap.entry[*data];
	if (!e->cached)
		e->was = e->to;
	e->cached = true;
	fake_remap.stale += e->was.apic_id != e->to.apic_id ||
			    e->was.vector != e->to.vector;
	*addr = UINT64_C(0xfee00000) | e->was.apic_id << 12;
	*data = e->was.vector;
	return true;
}

void fake_remap_start(void)
{
	memset(&fake_remap, 0, sizeof(fake_remap));
	host_msi_remap = fake_remap_message;
	remap_register(&fake_remap_ops);
}

void fake_remap_stop(void)
{
	host_msi_remap = NULL;
	remap_register(NULL);
}
