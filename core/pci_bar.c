/* SPDX-License-Identifier: MIT */
/*
 * Base addresses: how large they are, where they are, and a window onto one.
 * While a BAR is sized it holds all ones; decoding is off meanwhile, so that
 * the function does not answer there.
 */
#include "core/pci_internal.h"

#include "core/errno.h"
#include "core/log.h"
#include "core/pcireg.h"

#define PCI_DECODE	(PCI_COMMAND_MEMORY | PCI_COMMAND_IO)
#define PCI_PORTS	0x10000u

uint16_t pci_decode_off(const struct pci_dev *p)
{
	uint16_t cmd = pci_read16(p, PCI_COMMAND);

	if (cmd & PCI_DECODE)
		pci_write16(p, PCI_COMMAND, (uint16_t)(cmd & ~PCI_DECODE));
	return cmd;
}

void pci_decode_restore(const struct pci_dev *p, uint16_t cmd)
{
	if (cmd & PCI_DECODE)
		pci_write16(p, PCI_COMMAND, cmd);
}

/* Which bits of a BAR's dword stick; *old is what it held, and holds again. */
static uint32_t pci_bar_probe(const struct pci_dev *p, unsigned i,
			      uint32_t *old)
{
	uint32_t mask;

	*old = pci_read32(p, PCI_BAR(i));
	pci_write32(p, PCI_BAR(i), UINT32_MAX);
	mask = pci_read32(p, PCI_BAR(i));
	pci_write32(p, PCI_BAR(i), *old);
	return mask;
}

/* The bits above the size stick, up to the highest that the device decodes. */
static bool pci_bar_has_holes(uint64_t mask, uint64_t size)
{
	uint64_t ones = mask / size;

	return ones & (ones + 1);
}

/*
 * The lowest bit that sticks is the size. What a sizing that was never undone
 * leaves behind (all bits set) is no address.
 */
static void pci_bar_set(const struct pci_dev *p, unsigned i, uint64_t mask,
			uint64_t old, struct pci_bar *b)
{
	uint64_t base = old & mask;

	b->size = mask & -mask;
	b->base = base == mask ? 0 : base;
	if (b->base + b->size - 1 < b->base) {
		log_warn(p->dev.name, "BAR %u wraps around: ignored", i);
		*b = (struct pci_bar){ .base = 0 };
	}
	if (b->size && pci_bar_has_holes(mask, b->size)) {
		log_warn(p->dev.name, "BAR %u has address bits that do not "
			 "move: ignored", i);
		*b = (struct pci_bar){ .base = 0 };
	}
}

static void pci_bar_read_io(const struct pci_dev *p, unsigned i, uint32_t mask,
			    uint32_t old, struct pci_bar *b)
{
	/* The upper half may be wired to 0: ports have 16 bits. */
	mask &= PCI_BAR_IO_BASE & (PCI_PORTS - 1);
	b->is_io = true;
	pci_bar_set(p, i, mask, old, b);
}

/* Returns how many dwords the BAR takes. */
static unsigned pci_bar_read(struct pci_dev *p, unsigned i, unsigned nbars)
{
	struct pci_bar *b = &p->bar[i];
	uint32_t old, old_high = 0, mask, mask_high = 0;

	mask = pci_bar_probe(p, i, &old);
	if (!mask || mask == UINT32_MAX)
		return 1;
	if (mask & PCI_BAR_IO) {
		pci_bar_read_io(p, i, mask, old, b);
		return 1;
	}
	b->prefetch = mask & PCI_BAR_PREFETCH;
	b->is_64 = FIELD_GET(PCI_BAR_MEM_TYPE, mask) == PCI_BAR_MEM_64;
	if (b->is_64 && i + 1 == nbars) {
		log_warn(p->dev.name, "BAR %u says 64 bits, but is the last "
			 "one: ignored", i);
		*b = (struct pci_bar){ .base = 0 };
		return 1;
	}
	if (b->is_64)
		mask_high = pci_bar_probe(p, i + 1, &old_high);
	mask &= PCI_BAR_MEM_BASE;
	if (mask || mask_high)
		pci_bar_set(p, i, (uint64_t)mask_high << 32 | mask,
			    (uint64_t)old_high << 32 | old, b);
	return b->is_64 ? 2 : 1;
}

void pci_read_bars(struct pci_dev *p)
{
	unsigned nbars = p->hdr_type == PCI_HEADER_DEVICE ? PCI_BARS :
			 p->hdr_type == PCI_HEADER_BRIDGE ? PCI_BRIDGE_BARS : 0;
	uint16_t cmd = pci_decode_off(p);

	for (unsigned i = 0; i < nbars; )
		i += pci_bar_read(p, i, nbars);
	pci_decode_restore(p, cmd);
}

/* ---- a window onto one ---- */

static bool pci_bars_overlap(const struct pci_bar *a, const struct pci_bar *b)
{
	return b->base && a->is_io == b->is_io &&
	       a->base <= b->base + (b->size - 1) &&
	       b->base <= a->base + (a->size - 1);
}

const struct pci_dev *pci_bar_conflict(const struct pci_bar *bar)
{
	struct pci_dev *q;

	list_for_each(q, &pci_devices, node)
		for (unsigned i = 0; i < PCI_BARS; i++)
			if (&q->bar[i] != bar &&
			    pci_bars_overlap(bar, &q->bar[i]))
				return q;
	return NULL;
}

int pci_map_bar(struct pci_dev *p, unsigned bar, struct io *io)
{
	const struct pci_dev *other;
	const struct pci_bar *b;

	if (bar >= PCI_BARS || !p->bar[bar].size)
		return -EINVAL;
	b = &p->bar[bar];
	if (!b->base)
		return -ENXIO;
	other = pci_bar_conflict(b);
	if (other) {
		log_err(p->dev.name, "BAR %u overlaps one of %s", bar,
			other->dev.name);
		return -EBUSY;
	}
	if (b->is_io)
		return io_map_port(io, (uint16_t)b->base, b->size);
	return io_map_mem(io, b->base, b->size);
}
