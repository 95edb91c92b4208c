/* SPDX-License-Identifier: MIT */
/*
 * PCI functions (theory of operation).
 *
 * Enumeration walks bus 0 and, depth first, what is behind its bridges. A
 * bridge keeps the bus numbers that firmware gave it if they make sense: above
 * its own bus, within its parent's range, not a sibling's. Else it gets the
 * lowest free run of them, which is cut to what was needed once all behind it
 * is known. What was found stays for good; nothing is ever taken off the list.
 *
 * Every function is left with bus mastering off and INTx disabled. A bridge
 * masters the bus for those behind it: its bit is on exactly while one of
 * theirs is.
 *
 * pci_config.c: access; pci_cap.c: capabilities; pci_bar.c: BARs; pci_assign.c:
 * what firmware left unassigned; pci_intx.c: pins. Not supported: segments
 * other than 0, further root buses (pxb), ARI, CardBus bridges.
 */
#include "core/pci_internal.h"

#include "core/errno.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/pcireg.h"

#define PCI_DEPTH	8		/* bridges in a row */
#define PCI_BUS_LAST	255

struct list pci_devices = LIST_INIT(pci_devices);

/* ---- one function ---- */

static void pci_command(const struct pci_dev *p, uint16_t set, uint16_t clear)
{
	uint16_t was = pci_read16(p, PCI_COMMAND);
	uint16_t now = (uint16_t)((was & ~clear) | set);

	if (now != was)
		pci_write16(p, PCI_COMMAND, now);
}

/* "00:1f.2", without the formatter's hundreds of instructions. */
static void pci_name(char *name, uint16_t bdf)
{
	static const char hex[] = "0123456789abcdef";

	*name++ = hex[bdf >> 12];
	*name++ = hex[bdf >> 8 & 0xf];
	*name++ = ':';
	*name++ = hex[PCI_SLOT(bdf) >> 4];
	*name++ = hex[PCI_SLOT(bdf) & 0xf];
	*name++ = '.';
	*name++ = hex[PCI_FUNC(bdf)];
	*name = '\0';
}

static void pci_read_ids(struct pci_dev *p, uint8_t header)
{
	uint32_t class = pci_read32(p, PCI_CLASS);

	p->vendor = pci_read16(p, PCI_VENDOR);
	p->device = pci_read16(p, PCI_DEVICE);
	p->class = FIELD_GET(PCI_CLASS_CODE, class);
	p->revision = (uint8_t)FIELD_GET(PCI_CLASS_REVISION, class);
	p->hdr_type = (uint8_t)FIELD_GET(PCI_HEADER_TYPE, header);
	p->multifunction = header & PCI_HEADER_MULTI;
	if (p->hdr_type == PCI_HEADER_DEVICE) {
		p->subvendor = pci_read16(p, PCI_SUBVENDOR);
		p->subdevice = pci_read16(p, PCI_SUBDEVICE);
	}
	if (p->hdr_type == PCI_HEADER_BRIDGE)
		p->pref64 = FIELD_GET(PCI_WINDOW_TYPE,
				      pci_read32(p, PCI_PREF_WINDOW)) ==
			    PCI_WINDOW_64;
	p->intx_pin = pci_read8(p, PCI_INT_PIN);
	if (p->intx_pin > 4)
		p->intx_pin = 0;
	p->cap_pcie = (uint8_t)pci_find_cap(p, PCI_CAP_ID_PCIE, 0);
}

static int pci_add(uint16_t bdf, uint8_t header, struct pci_dev *parent)
{
	struct pci_dev *p = heap_zalloc(sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->bdf = bdf;
	p->parent = parent;
	p->dev.dma.mask = UINT64_MAX;	/* a driver lowers it if need be */
	pci_name(p->dev.name, bdf);
	pci_read_ids(p, header);
	pci_command(p, PCI_COMMAND_INTX_OFF, PCI_COMMAND_MASTER);
	pci_read_bars(p);
	list_add_tail(&pci_devices, &p->node);
	return 0;
}

static int pci_scan_slot(unsigned bus, unsigned slot, struct pci_dev *parent)
{
	unsigned nfn = 1, multi = 0;

	for (unsigned fn = 0; fn < nfn; fn++) {
		uint16_t bdf = PCI_BDF(bus, slot, fn);
		unsigned header;
		int err;

		if (!pci_config_probe(bdf))
			continue;
		/* Function 0 says it for all: the others need not (6.2.1). */
		header = pci_config_read8(bdf, PCI_HEADER) | multi;
		if (!fn && header & PCI_HEADER_MULTI) {
			multi = PCI_HEADER_MULTI;
			nfn = PCI_FUNCTIONS;
		}
		err = pci_add(bdf, (uint8_t)header, parent);
		if (err)
			return err;
	}
	return 0;
}

/* ---- buses ---- */

/* A link has one device behind it: looking for more would find it 32 times. */
static bool pci_is_link(const struct pci_dev *p)
{
	unsigned type;

	if (!p || !p->cap_pcie)
		return false;
	type = FIELD_GET(PCIE_CAP_TYPE,
			 pci_read16(p, p->cap_pcie + PCIE_CAP_FLAGS));
	return type == PCIE_TYPE_ROOT_PORT || type == PCIE_TYPE_DOWNSTREAM;
}

/* A bridge with that parent that has a bus number of first to last. */
static const struct pci_dev *pci_bus_owner(const struct pci_dev *parent,
					   unsigned first, unsigned last)
{
	struct pci_dev *q;

	list_for_each(q, &pci_devices, node)
		if (q->parent == parent && q->secondary &&
		    first <= q->subordinate && last >= q->secondary)
			return q;
	return NULL;
}

/* Believe firmware's numbers, unless they would lead us in circles. */
static void pci_bus_read(struct pci_dev *p, unsigned limit)
{
	uint32_t buses = pci_read32(p, PCI_BUSES);
	unsigned first = FIELD_GET(PCI_BUSES_SECONDARY, buses);
	unsigned last = FIELD_GET(PCI_BUSES_SUBORDINATE, buses);

	if (first <= (unsigned)PCI_BUS(p->bdf) || last < first ||
	    last > limit || pci_bus_owner(p->parent, first, last))
		return;
	p->secondary = (uint8_t)first;
	p->subordinate = (uint8_t)last;
}

static void pci_bus_write(const struct pci_dev *p)
{
	uint32_t keep = pci_read32(p, PCI_BUSES) & ~PCI_BUSES_ALL;

	pci_write32(p, PCI_BUSES, keep |
		    FIELD_PREP(PCI_BUSES_PRIMARY, PCI_BUS(p->bdf)) |
		    FIELD_PREP(PCI_BUSES_SECONDARY, p->secondary) |
		    FIELD_PREP(PCI_BUSES_SUBORDINATE, p->subordinate));
}

/* The lowest free run of numbers up to limit. -ENOSPC: there is none. */
static int pci_bus_number(struct pci_dev *p, unsigned limit)
{
	unsigned first = PCI_BUS(p->bdf) + 1u, last = limit;
	const struct pci_dev *q;

	while ((q = pci_bus_owner(p->parent, first, first)))
		first = q->subordinate + 1u;
	if (first > limit) {
		log_warn(p->dev.name, "no bus number left for this bridge");
		return -ENOSPC;
	}
	while ((q = pci_bus_owner(p->parent, first, last)))
		last = q->secondary - 1u;
	p->secondary = (uint8_t)first;
	p->subordinate = (uint8_t)last;
	pci_bus_write(p);
	return 0;
}

/* All behind p is numbered: give back what it does not need. */
static void pci_bus_shrink(struct pci_dev *p)
{
	unsigned last = p->secondary;
	struct pci_dev *q;

	list_for_each(q, &pci_devices, node)
		if (q->parent == p && q->subordinate > last)
			last = q->subordinate;
	if (last == p->subordinate)
		return;
	p->subordinate = (uint8_t)last;
	pci_bus_write(p);
}

static int pci_scan_bus(unsigned bus, struct pci_dev *parent, unsigned limit,
			unsigned depth);

static int pci_scan_behind(struct pci_dev *p, unsigned limit, unsigned depth)
{
	bool numbered = !p->secondary;
	int err;

	if (depth == PCI_DEPTH) {
		log_warn(p->dev.name, "more than %u bridges in a row: "
			 "not looking behind this one", PCI_DEPTH);
		return 0;
	}
	if (numbered && pci_bus_number(p, limit))
		return 0;
	err = pci_scan_bus(p->secondary, p, p->subordinate, depth);
	if (!err && numbered)
		pci_bus_shrink(p);
	return err;
}

/* limit: the last bus number that may be given to bridges on this bus. */
static int pci_scan_bus(unsigned bus, struct pci_dev *parent, unsigned limit,
			unsigned depth)
{
	unsigned slots = pci_is_link(parent) ? 1 : PCI_SLOTS;
	struct pci_dev *p;
	int err = 0;

	for (unsigned slot = 0; slot < slots && !err; slot++)
		err = pci_scan_slot(bus, slot, parent);
	list_for_each(p, &pci_devices, node)
		if (p->parent == parent && pci_is_bridge(p))
			pci_bus_read(p, limit);
	/* The list grows at its end while we walk it. */
	list_for_each(p, &pci_devices, node) {
		if (err)
			break;
		if (p->parent == parent && pci_is_bridge(p))
			err = pci_scan_behind(p, limit, depth + 1);
	}
	return err;
}

static void pci_forget(void)
{
	struct pci_dev *p, *tmp;

	list_for_each_safe(p, tmp, &pci_devices, node)
		heap_free(p);
	list_init(&pci_devices);
}

void pci_reset(void)
{
	pci_forget();
	pci_config_stop();
}

int pci_enumerate(void)
{
	struct pci_dev *p;
	int n = 0, err;

	list_init(&pci_devices);
	err = pci_scan_bus(0, NULL, PCI_BUS_LAST, 0);
	if (err) {
		pci_forget();
		return err;
	}
	pci_intx_init();
	list_for_each(p, &pci_devices, node)
		n++;
	return n;
}

/* ---- asking ---- */

struct pci_dev *pci_find(uint16_t bdf)
{
	struct pci_dev *p;

	list_for_each(p, &pci_devices, node)
		if (p->bdf == bdf)
			return p;
	return NULL;
}

struct pci_dev *pci_find_class(struct pci_dev *prev, uint32_t class,
			       uint32_t mask)
{
	struct list *n = prev ? prev->node.next : pci_devices.next;

	for (; n != &pci_devices; n = n->next) {
		struct pci_dev *p = list_entry(n, struct pci_dev, node);

		if ((p->class & mask) == (class & mask))
			return p;
	}
	return NULL;
}

/* ---- the command register ---- */

/* Ports only if they have a place: at 0 they would answer for the chipset. */
static uint16_t pci_decode_bits(const struct pci_dev *p)
{
	uint16_t bits = PCI_COMMAND_MEMORY;

	for (unsigned i = 0; i < PCI_BARS; i++)
		if (p->bar[i].is_io && p->bar[i].base)
			bits |= PCI_COMMAND_IO;
	return bits;
}

void pci_enable_memory(struct pci_dev *p)
{
	pci_command(p, pci_decode_bits(p), 0);
	for (struct pci_dev *br = p->parent; br; br = br->parent)
		pci_command(br, PCI_COMMAND_MEMORY | PCI_COMMAND_IO, 0);
}

int pci_enable_master(struct pci_dev *p)
{
	if (!p->dev.dma.ops) {
		log_err(p->dev.name, "in no DMA domain: bus mastering refused");
		return -EPERM;
	}
	for (struct pci_dev *br = p->parent; br; br = br->parent)
		pci_command(br, PCI_COMMAND_MASTER, 0);
	pci_command(p, PCI_COMMAND_MASTER, 0);
	return 0;
}

static bool pci_masters_behind(const struct pci_dev *br)
{
	struct pci_dev *q;

	list_for_each(q, &pci_devices, node)
		if (q->parent == br &&
		    pci_read16(q, PCI_COMMAND) & PCI_COMMAND_MASTER)
			return true;
	return false;
}

void pci_disable_master(struct pci_dev *p)
{
	pci_command(p, 0, PCI_COMMAND_MASTER);
	for (struct pci_dev *br = p->parent; br; br = br->parent)
		if (!pci_masters_behind(br))
			pci_command(br, 0, PCI_COMMAND_MASTER);
}

void pci_enable_intx(struct pci_dev *p, bool on)
{
	pci_command(p, on ? 0 : PCI_COMMAND_INTX_OFF,
		    on ? PCI_COMMAND_INTX_OFF : 0);
}
