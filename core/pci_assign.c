/* SPDX-License-Identifier: MIT */
/*
 * Places for what firmware left at zero (qboot assigns nothing at all).
 *
 * There are three kinds of space: ports, memory below 4 GiB, and prefetchable
 * 64-bit memory, which a bridge passes through windows of their own. For each
 * kind, a bus is a list of items: the unassigned BARs on it, and one window
 * for each bridge behind which something is unassigned. An item is aligned to
 * its largest member; packed in the order of falling alignment, BARs leave no
 * holes. A window's size is what that packing takes, found by the same code.
 *
 * What firmware has placed is never moved. Where it has placed something on
 * the same bus, each new place is checked against it; a bridge with an open
 * window keeps it, and what is behind it must fit in there.
 */
#include "core/pci_internal.h"

#include "core/errno.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/pcireg.h"

#define PCI_WINDOW_GRAIN_IO	KIB(4)	/* Bridge 3.2.5.6 */
#define PCI_WINDOW_GRAIN_MEM	MIB(1)	/* Bridge 3.2.5.8 */
#define PCI_WINDOW_MEM_CLOSED	PCI_WINDOW_BASE	/* base above limit */
#define PCI_WINDOW_IO_CLOSED	PCI_IO_BASE

enum pci_kind { PCI_KIND_IO, PCI_KIND_MEM, PCI_KIND_PREF, PCI_KINDS };

struct pci_item {
	struct pci_dev *dev;
	int bar;			/* -1: the window of bridge dev */
	enum pci_kind kind;		/* the window's own, PREF within MEM */
	uint64_t size, align;
};

/* The items of one kind on the bus behind br (NULL: the root bus). */
struct pci_items {
	struct pci_item *item;		/* by falling alignment */
	unsigned n, room;
	int err;
};

static struct pci_window pci_root[PCI_KINDS];	/* shrink from the front */
static bool pci_root_pref;
static bool pci_firmware_did;		/* place something, open some window */
static unsigned pci_assigned;

/* ---- windows of bridges ---- */

static bool pci_has_pref(const struct pci_dev *br)
{
	return br ? br->pref64 : pci_root_pref;
}

/* Base and limit are the upper 12 bits of 32; the limit's others are ones. */
static void pci_mem_window(uint32_t reg, phys_t *base, phys_t *last)
{
	*base = (phys_t)FIELD_GET(PCI_WINDOW_BASE, reg) << 20;
	*last = (phys_t)FIELD_GET(PCI_WINDOW_LIMIT, reg) << 20 |
		(PCI_WINDOW_GRAIN_MEM - 1);
}

/* A window at 0 was never set: that is what reset leaves. */
static struct pci_window pci_bridge_window(const struct pci_dev *br,
					   enum pci_kind kind)
{
	phys_t base, last;
	uint16_t io;

	if (kind == PCI_KIND_IO) {
		io = pci_read16(br, PCI_IO_WINDOW);
		base = (phys_t)FIELD_GET(PCI_IO_BASE, io) << 12;
		last = (phys_t)FIELD_GET(PCI_IO_LIMIT, io) << 12 |
		       (PCI_WINDOW_GRAIN_IO - 1);
	} else if (kind == PCI_KIND_MEM) {
		pci_mem_window(pci_read32(br, PCI_MEM_WINDOW), &base, &last);
	} else {
		pci_mem_window(pci_read32(br, PCI_PREF_WINDOW), &base, &last);
		if (pci_has_pref(br)) {
			base |= (phys_t)pci_read32(br, PCI_PREF_BASE_HIGH) << 32;
			last |= (phys_t)pci_read32(br, PCI_PREF_LIMIT_HIGH) << 32;
		}
	}
	if (!base || base > last)
		return (struct pci_window){ 0, 0 };
	return (struct pci_window){ base, last - base + 1 };
}

static void pci_write_io_window(const struct pci_dev *br, phys_t base,
				phys_t last)
{
	pci_write16(br, PCI_IO_WINDOW,
		    (uint16_t)(FIELD_PREP(PCI_IO_BASE, base >> 12) |
			       FIELD_PREP(PCI_IO_LIMIT, last >> 12)));
	pci_write32(br, PCI_IO_WINDOW_HIGH, 0);
}

static void pci_write_mem_window(const struct pci_dev *br, unsigned reg,
				 phys_t base, phys_t last)
{
	pci_write32(br, reg, FIELD_PREP(PCI_WINDOW_BASE, base >> 20) |
			     FIELD_PREP(PCI_WINDOW_LIMIT, last >> 20));
}

/* -ENXIO: the bridge does not keep it, it has no such window. */
static int pci_open_window(const struct pci_dev *br, enum pci_kind kind,
			   struct pci_window w)
{
	phys_t last = w.base + w.size - 1;
	struct pci_window now;

	if (kind == PCI_KIND_IO) {
		pci_write_io_window(br, w.base, last);
	} else if (kind == PCI_KIND_MEM) {
		pci_write_mem_window(br, PCI_MEM_WINDOW, w.base, last);
	} else {
		pci_write_mem_window(br, PCI_PREF_WINDOW, w.base, last);
		pci_write32(br, PCI_PREF_BASE_HIGH, (uint32_t)(w.base >> 32));
		pci_write32(br, PCI_PREF_LIMIT_HIGH, (uint32_t)(last >> 32));
	}
	now = pci_bridge_window(br, kind);
	return now.base == w.base && now.size == w.size ? 0 : -ENXIO;
}

/* Left as reset leaves them they would pass on the lowest MiB. */
static void pci_close_windows(const struct pci_dev *br)
{
	if (!pci_bridge_window(br, PCI_KIND_IO).size)
		pci_write16(br, PCI_IO_WINDOW, PCI_WINDOW_IO_CLOSED);
	if (!pci_bridge_window(br, PCI_KIND_MEM).size)
		pci_write32(br, PCI_MEM_WINDOW, PCI_WINDOW_MEM_CLOSED);
	if (!pci_bridge_window(br, PCI_KIND_PREF).size) {
		pci_write32(br, PCI_PREF_WINDOW, PCI_WINDOW_MEM_CLOSED);
		pci_write32(br, PCI_PREF_BASE_HIGH, 0);
		pci_write32(br, PCI_PREF_LIMIT_HIGH, 0);
	}
}

/* ---- what a bus needs ---- */

static enum pci_kind pci_bar_kind(const struct pci_bar *b)
{
	return b->is_io ? PCI_KIND_IO :
	       b->is_64 && b->prefetch ? PCI_KIND_PREF : PCI_KIND_MEM;
}

/* Where items of kind go on the bus behind br. */
static enum pci_kind pci_kind_on(bool has_pref, enum pci_kind kind)
{
	return kind == PCI_KIND_PREF && !has_pref ? PCI_KIND_MEM : kind;
}

/* Keeps the array sorted: few items, and most come in order. */
static void pci_item_add(struct pci_items *l, struct pci_item it)
{
	unsigned i = l->n;

	if (l->n == l->room) {
		unsigned room = l->room ? 2 * l->room : 8;
		struct pci_item *more = heap_calloc(room, sizeof(*more));

		if (!more) {
			l->err = -ENOMEM;
			return;
		}
		for (unsigned k = 0; k < l->n; k++)
			more[k] = l->item[k];
		heap_free(l->item);
		l->item = more;
		l->room = room;
	}
	for (; i > 0 && l->item[i - 1].align < it.align; i--)
		l->item[i] = l->item[i - 1];
	l->item[i] = it;
	l->n++;
}

static void pci_gather_bars(struct pci_items *l, struct pci_dev *q,
			    enum pci_kind kind, bool has_pref)
{
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *b = &q->bar[i];

		if (b->size && !b->base &&
		    pci_kind_on(has_pref, pci_bar_kind(b)) == kind)
			pci_item_add(l, (struct pci_item){
				q, (int)i, kind, b->size, b->size });
	}
}

static void pci_gather(struct pci_items *l, const struct pci_dev *br,
		       enum pci_kind kind);

/*
 * One item for all that is unassigned behind bridge q, unless it has a window
 * from firmware.
 */
static void pci_gather_window(struct pci_items *up, struct pci_dev *q,
			      enum pci_kind kind)
{
	uint64_t grain = kind == PCI_KIND_IO ? PCI_WINDOW_GRAIN_IO :
					       PCI_WINDOW_GRAIN_MEM;
	struct pci_items l = { .n = 0 };
	uint64_t size = 0;

	pci_gather(&l, q, kind);
	for (unsigned i = 0; i < l.n; i++)
		size = ALIGN_UP(size, l.item[i].align) + l.item[i].size;
	if (l.err)
		up->err = l.err;
	if (l.n && !pci_bridge_window(q, kind).size)
		pci_item_add(up, (struct pci_item){
			q, -1, kind, ALIGN_UP(size, grain),
			MAX(l.item[0].align, grain) });
	heap_free(l.item);
}

static void pci_gather(struct pci_items *l, const struct pci_dev *br,
		       enum pci_kind kind)
{
	bool has_pref = pci_has_pref(br);
	struct pci_dev *q;

	if (pci_kind_on(has_pref, kind) != kind)
		return;			/* they went with another kind */
	list_for_each(q, &pci_devices, node) {
		if (q->parent != br)
			continue;
		pci_gather_bars(l, q, kind, has_pref);
		if (!pci_is_bridge(q))
			continue;
		pci_gather_window(l, q, kind);
		if (kind == PCI_KIND_MEM && !has_pref)
			pci_gather_window(l, q, PCI_KIND_PREF);
	}
}

/* ---- placing ---- */

static phys_t pci_past(phys_t from, phys_t to, phys_t base, uint64_t size)
{
	return size && base < to && base + size > from ? base + size : 0;
}

static phys_t pci_past_dev(struct pci_dev *q, bool is_io, phys_t from,
			   phys_t to)
{
	phys_t past = 0;

	for (unsigned i = 0; i < PCI_BARS && !past; i++)
		if (q->bar[i].base && q->bar[i].is_io == is_io)
			past = pci_past(from, to, q->bar[i].base,
					q->bar[i].size);
	for (int k = 0; k < PCI_KINDS && pci_is_bridge(q) && !past; k++) {
		struct pci_window w = pci_bridge_window(q, k);

		if ((k == PCI_KIND_IO) == is_io)
			past = pci_past(from, to, w.base, w.size);
	}
	return past;
}

/* Does [from, to) meet anything on the bus behind br? Then where that ends. */
static phys_t pci_collides(const struct pci_dev *br, bool is_io, phys_t from,
			   phys_t to)
{
	struct pci_dev *q;
	phys_t past = 0;

	if (!pci_firmware_did)
		return 0;
	list_for_each(q, &pci_devices, node) {
		if (q->parent == br)
			past = pci_past_dev(q, is_io, from, to);
		if (past)
			return past;
	}
	return 0;
}

/* Take a place from the front of w. 0: it does not fit. */
static phys_t pci_fit(const struct pci_dev *br, const struct pci_item *it,
		      struct pci_window *w)
{
	phys_t end = w->base + w->size;
	phys_t at = ALIGN_UP(w->base, it->align), past;

	for (;;) {
		if (!w->size || at < w->base || at > end ||
		    it->size > end - at)
			return 0;
		past = pci_collides(br, it->kind == PCI_KIND_IO, at,
				    at + it->size);
		if (!past)
			break;
		at = ALIGN_UP(past, it->align);
	}
	w->base = at + it->size;
	w->size = end - w->base;
	return at;
}

static void pci_write_bar(struct pci_dev *p, unsigned i, phys_t base)
{
	uint16_t cmd = pci_decode_off(p);

	pci_write32(p, PCI_BAR(i), (uint32_t)base);
	if (p->bar[i].is_64)
		pci_write32(p, PCI_BAR(i + 1), (uint32_t)(base >> 32));
	pci_decode_restore(p, cmd);
	p->bar[i].base = base;
	pci_assigned++;
}

static void pci_place(const struct pci_dev *br, enum pci_kind kind,
		      struct pci_window *w);

static void pci_place_window(struct pci_dev *q, enum pci_kind kind,
			     struct pci_window w)
{
	if (pci_open_window(q, kind, w))
		log_warn(q->dev.name, "bridge without a window for 0x%llx "
			 "bytes behind it", (unsigned long long)w.size);
	else
		pci_place(q, kind, &w);
}

static void pci_place_item(const struct pci_dev *br, const struct pci_item *it,
			   struct pci_window *w)
{
	phys_t at = pci_fit(br, it, w);

	/* 64 bits, not prefetchable: above 4 GiB if it must, at the root. */
	if (!at && !br && it->bar >= 0 && it->dev->bar[it->bar].is_64)
		at = pci_fit(br, it, &pci_root[PCI_KIND_PREF]);
	if (at && it->bar >= 0)
		pci_write_bar(it->dev, (unsigned)it->bar, at);
	else if (at)
		pci_place_window(it->dev, it->kind,
				 (struct pci_window){ at, it->size });
	else if (it->bar >= 0)
		log_warn(it->dev->dev.name, "no place for BAR %d, 0x%llx bytes",
			 it->bar, (unsigned long long)it->size);
	else
		log_warn(it->dev->dev.name, "no place for 0x%llx bytes behind "
			 "this bridge", (unsigned long long)it->size);
}

/* Windows that firmware opened: what is unassigned behind must fit in. */
static void pci_place_behind(const struct pci_dev *br, enum pci_kind kind)
{
	struct pci_dev *q;

	if (!pci_firmware_did)
		return;
	list_for_each(q, &pci_devices, node) {
		struct pci_window w;

		if (q->parent != br || !pci_is_bridge(q))
			continue;
		w = pci_bridge_window(q, kind);
		if (w.size)
			pci_place(q, kind, &w);
	}
}

static void pci_place(const struct pci_dev *br, enum pci_kind kind,
		      struct pci_window *w)
{
	struct pci_items l = { .n = 0 };

	/* First what is placed already, so that it does not look new below. */
	pci_place_behind(br, kind);
	pci_gather(&l, br, kind);
	for (unsigned i = 0; i < l.n; i++)
		pci_place_item(br, &l.item[i], w);
	if (l.err)
		log_warn("pci", "out of memory: some BARs stay unassigned");
	heap_free(l.item);
}

/* Also finds out whether firmware has placed anything. */
static bool pci_any_unassigned(void)
{
	struct pci_dev *p;
	bool any = false;

	pci_firmware_did = false;
	list_for_each(p, &pci_devices, node) {
		for (unsigned i = 0; i < PCI_BARS; i++) {
			if (p->bar[i].base)
				pci_firmware_did = true;
			else if (p->bar[i].size)
				any = true;
		}
	}
	return any;
}

static bool pci_has_child(const struct pci_dev *br)
{
	struct pci_dev *q;

	list_for_each(q, &pci_devices, node)
		if (q->parent == br)
			return true;
	return false;
}

int pci_assign_unassigned(struct pci_window mem32, struct pci_window mem64,
			  struct pci_window io)
{
	struct pci_dev *p;

	pci_assigned = 0;
	if (!pci_any_unassigned())
		return 0;
	pci_root[PCI_KIND_IO] = io;
	pci_root[PCI_KIND_MEM] = mem32;
	pci_root[PCI_KIND_PREF] = mem64;
	pci_root_pref = mem64.size;
	list_for_each(p, &pci_devices, node)
		if (pci_is_bridge(p) && pci_has_child(p))
			pci_close_windows(p);
	for (int kind = 0; kind < PCI_KINDS; kind++)
		pci_place(NULL, kind, &pci_root[kind]);
	return (int)pci_assigned;
}
