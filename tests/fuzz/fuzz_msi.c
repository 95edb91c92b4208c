/* SPDX-License-Identifier: MIT */
/*
 * A device whose configuration space is arbitrary bytes: its BARs sized, its
 * capability lists walked, both parsers run, its vectors allocated, connected
 * and freed. What must hold is checked in terms of the bytes, not of the code:
 *
 *	a walk or a parser reads little and writes nothing;
 *	what a parser lets pass is within the header and its BARs;
 *	nothing outside a memory BAR is mapped, and only the table written;
 *	configuration is written in COMMAND and in the capability used only;
 *	it is refused, or works and leaves nothing behind.
 *
 * The first FUZZ_HEAD bytes say how the device behaves, the rest is its
 * configuration space. The seeds are real ones: tests/fuzz/corpus.c.
 */
#include <stdlib.h>
#include <string.h>

#include "core/cmdline.h"
#include "core/cpu.h"
#include "core/errno.h"
#include "core/heap.h"
#include "core/panic.h"
#include "core/pci_internal.h"
#include "core/pcireg.h"
#include "core/vector.h"
#include "msi/msi.h"
#include "msi/msireg.h"
#include "msi/parse.h"
#include "tests/fuzz/fuzz_msi.h"
#include "tests/host/host.h"

#define FUZZ_WALK	100		/* configuration reads of one walk */
#define FUZZ_PARSE	10		/* and of one parser behind it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __real_io_map_mem(struct io *io, phys_t pa, size_t size);
int __wrap_io_map_mem(struct io *io, phys_t pa, size_t size);

static struct fake_pci f;
static struct pci_dev dev;
static struct msi_cap msi, msix;	/* as parsed; pos 0: refused */
static uint32_t table[2048 * 4];	/* behind every BAR */
static uint8_t head[FUZZ_HEAD];
static unsigned writes;			/* to configuration space */
static bool using;			/* msi_alloc() to msi_free() */

/* ---- the device ---- */

static bool fuzz_within(unsigned off, unsigned width, unsigned at, unsigned len)
{
	return off >= at && off + width <= at + len;
}

static void fuzz_on_config(struct fake_pci *fake, unsigned off, unsigned width)
{
	writes++;
	if (!using || fuzz_within(off, width, PCI_COMMAND, 2))
		return;
	/* The control register even of one that was refused: it goes off. */
	if (off % 4 == 2 && width == 2 && (f.config[off - 2] == MSI_CAP_ID ||
					   f.config[off - 2] == MSIX_CAP_ID))
		return;
	BUG_ON(!msi.pos || !fuzz_within(off, width, msi.pos + MSI_ADDR, 20));
}

static uint64_t fuzz_bar_read(void *ctx, size_t off, unsigned width)
{
	BUG_ON(width != 4);
	if (head[FUZZ_FLAGS] & FUZZ_TABLE_DEAD)
		return UINT32_MAX;
	return table[off / 4 % ARRAY_SIZE(table)];
}

static void fuzz_bar_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	BUG_ON(width != 4 || !msix.pos);
	BUG_ON(ctx != &f.bar[msix.table.bir]);
	BUG_ON(off < msix.table.offset ||
	       off - msix.table.offset >= 16 * (uint64_t)msix.vectors);
	table[off / 4 % ARRAY_SIZE(table)] = (uint32_t)val;
}

static const struct host_mmio_ops fuzz_bar_ops = {
	.read = fuzz_bar_read, .write = fuzz_bar_write,
};

/* As the device decodes it: no address bit below its size. */
static void fuzz_bar_align(unsigned reg, uint64_t mask, unsigned width)
{
	uint64_t val = 0;

	memcpy(&val, &f.config[reg], width);
	val &= mask | (val & PCI_BAR_IO ? 3 : 15);
	memcpy(&f.config[reg], &val, width);
}

/* Returns how many registers the BAR takes, as its own bits say. */
static unsigned fuzz_bar(unsigned i, unsigned nbars, unsigned log2)
{
	unsigned reg = PCI_BAR(i), type = f.config[reg];
	bool is_io = type & PCI_BAR_IO;
	bool is_64 = !is_io && (type >> 1 & 3) == PCI_BAR_MEM_64;
	uint64_t mask;

	log2 = log2 < (is_io ? 2u : 4u) ? 0 : log2 % (is_64 ? 64 : 32);
	if (log2 < (is_io ? 2u : 4u))
		return 1;
	mask = ~(BIT_ULL(log2) - 1);
	f.bar[i].is_io = is_io;
	f.bar[i].is_64 = is_64 && i + 1 < nbars;
	if (!(head[FUZZ_FLAGS] & FUZZ_STUCK)) {
		f.bar[i].size = BIT_ULL(log2);
		fuzz_bar_align(reg, mask, f.bar[i].is_64 ? 8 : 4);
	}
	f.bar[i].ops = &fuzz_bar_ops;
	f.bar[i].ctx = &f.bar[i];
	memcpy(&f.writable[reg], &mask, f.bar[i].is_64 ? 8 : 4);
	return f.bar[i].is_64 ? 2 : 1;
}

static void fuzz_make(const uint8_t *data, size_t size)
{
	unsigned nbars, type;

	fake_pci_init(&f, PCI_BDF(0, 5, 0), 0, 0, 0);
	memcpy(f.config, data, MIN(size, sizeof(f.config)));
	type = f.config[PCI_HEADER] & 0x7f;
	nbars = type == 0 ? PCI_BARS : type == 1 ? PCI_BRIDGE_BARS : 0;
	for (unsigned i = 0; i < nbars; )
		i += fuzz_bar(i, nbars, head[FUZZ_BARS + i]);
	if (head[FUZZ_FLAGS] & FUZZ_WRITABLE)
		memset(&f.writable[0x40], 0xff, sizeof(f.writable) - 0x40);
	f.on_config = fuzz_on_config;
	memset(table, head[FUZZ_TABLE], sizeof(table));
	list_del(&dev.node);
	memset(&dev, 0, sizeof(dev));
	list_add_tail(&pci_devices, &dev.node);
	dev.bdf = f.bdf;
	dev.hdr_type = (uint8_t)type;
	strcpy(dev.dev.name, "fuzz");
	host_set_phys_bits(36 + head[FUZZ_PHYS] % 17);
}

/* ---- what is watched ---- */

/* A window starts in the page of, and ends in, a BAR as it was sized. */
static bool fuzz_in_bar(const struct pci_bar *b, phys_t pa, size_t size)
{
	phys_t page = b->base & ~(phys_t)(PAGE_SIZE - 1);

	return b->size && b->base && !b->is_io && pa >= page &&
	       pa - page + size <= b->base - page + b->size;
}

int __wrap_io_map_mem(struct io *io, phys_t pa, size_t size)
{
	bool fine = false;

	for (unsigned i = 0; i < PCI_BARS; i++)
		fine |= fuzz_in_bar(&dev.bar[i], pa, size);
	BUG_ON(!fine);
	return __real_io_map_mem(io, pa, size);
}

static void fuzz_count_start(void)
{
	f.config_reads = 0;
	writes = 0;
}

static void fuzz_check_area(const struct msi_area *a, uint64_t size)
{
	const struct pci_bar *b;

	BUG_ON(a->bir >= PCI_BARS || a->offset % 8 || a->size != size);
	b = &dev.bar[a->bir];
	BUG_ON(b->is_io || !b->base || a->offset >= b->size);
	BUG_ON(b->size - a->offset < size);
	BUG_ON((b->base + a->offset + size - 1) >> cpu_phys_bits());
}

static void fuzz_check_msix(const struct msi_cap *c)
{
	const struct msi_area *t = &c->table, *b = &c->pba;

	BUG_ON(c->pos + 12 > 256 || c->vectors > 2048);
	fuzz_check_area(t, 16 * (uint64_t)c->vectors);
	fuzz_check_area(b, (c->vectors + 63) / 64 * 8);
	BUG_ON(t->bir == b->bir && t->offset <= b->offset &&
	       b->offset - t->offset < t->size);
	BUG_ON(t->bir == b->bir && b->offset <= t->offset &&
	       t->offset - b->offset < b->size);
}

static void fuzz_check_msi(const struct msi_cap *c)
{
	unsigned len = c->is_64 ? 14 : 10;

	BUG_ON(c->pos + (c->maskable ? len + 10 : len) > 256);
	BUG_ON(c->vectors > 32 || (c->vectors & (c->vectors - 1)));
}

static void fuzz_check_parsed(struct msi_cap *c, int err, uint8_t id)
{
	BUG_ON(f.config_reads > FUZZ_PARSE || writes);
	BUG_ON(err && err != -ENOENT && err != -EINVAL && err != -ENODEV);
	BUG_ON(!c->why[0] != (err == 0 || err == -ENOENT));
	BUG_ON(!memchr(c->why, 0, sizeof(c->why)));
	if (err) {
		c->pos = 0;
		return;
	}
	BUG_ON(c->pos < 0x40 || c->pos % 4 || f.config[c->pos] != id);
	BUG_ON(!c->vectors);
	if (id == MSI_CAP_ID)
		fuzz_check_msi(c);
	else
		fuzz_check_msix(c);
}

static void fuzz_check_list(const struct pci_caps *l)
{
	uint64_t seen = 0;

	for (unsigned i = 0; i < l->n; i++) {
		unsigned pos = l->cap[i].pos;

		BUG_ON(pos < 0x40 || pos % 4 || seen >> (pos / 4 - 16) & 1);
		seen |= BIT_ULL(pos / 4 - 16);
	}
}

static void fuzz_walk(void)
{
	struct pci_caps l;
	int err;

	fuzz_count_start();
	err = pci_read_caps(&dev, &l);
	BUG_ON(f.config_reads > FUZZ_WALK || writes);
	BUG_ON((err == -EINVAL) != (l.fault && err != -ENODEV));
	fuzz_check_list(&l);
	fuzz_count_start();
	fuzz_check_parsed(&msi, msi_parse(&dev, &l, &msi), MSI_CAP_ID);
	fuzz_count_start();
	fuzz_check_parsed(&msix, msix_parse(&dev, &l, &msix), MSIX_CAP_ID);
	fuzz_count_start();
	dev.cap_pcie = (uint8_t)pci_find_cap(&dev, PCI_CAP_ID_PCIE, 0);
	pci_find_ext_cap(&dev, 0x0d);
	BUG_ON(f.config_reads > 2 * FUZZ_WALK || writes);
}

/* ---- use ---- */

static void fuzz_irq(void *arg)
{
}

static void fuzz_connect(unsigned n)
{
	for (unsigned nr = 0; nr < MIN(n, 40u); nr++) {
		BUG_ON(msi_connect(&dev, nr, 0, fuzz_irq, NULL, "fuzz"));
		msi_mask(&dev, nr, true);
		msi_pending(&dev, nr);
		msi_mask(&dev, nr, false);
	}
	BUG_ON(msi_connect(&dev, n, 0, fuzz_irq, NULL, "fuzz") != -EINVAL);
	for (unsigned nr = 1; nr < MIN(n, 40u); nr += 3)
		msi_disconnect(&dev, nr);
}

/* Of what firmware left enabled, or of ours, nothing is on afterwards. */
static void fuzz_check_off(uint8_t id, uint16_t enable)
{
	struct pci_caps l;
	uint16_t ctrl;

	if (pci_read_caps(&dev, &l) || !(head[FUZZ_FLAGS] & FUZZ_WRITABLE))
		return;
	for (unsigned i = 0; i < l.n; i++) {
		if (l.cap[i].id != id)
			continue;
		memcpy(&ctrl, &f.config[l.cap[i].pos + 2], 2);
		BUG_ON(ctrl & enable && ctrl != UINT16_MAX);
	}
}

static void fuzz_use(void)
{
	unsigned max = 1u << head[FUZZ_MAX] % 12, min = 1 + max / 4;
	size_t heap = heap_in_use();
	int n;

	f.config[PCI_COMMAND] |= PCI_COMMAND_MEMORY;
	using = true;
	n = msi_alloc(&dev, min, max);
	BUG_ON(n >= 0 && ((unsigned)n < min || (unsigned)n > max));
	BUG_ON(n >= 0 && !msi.pos && !msix.pos);
	BUG_ON((n >= 0) != (dev.msi != NULL));
	if (n > 0)
		fuzz_connect((unsigned)n);
	msi_free(&dev);
	using = false;
	BUG_ON(dev.msi || heap_in_use() != heap);
	BUG_ON(vector_stats(0).used);
	if (!f.gone) {
		fuzz_check_off(MSI_CAP_ID, MSI_CTRL_ENABLE);
		fuzz_check_off(MSIX_CAP_ID, MSIX_CTRL_ENABLE);
	}
}

/* Once: the bus, with the host bridge by which it is found, and the device. */
static void fuzz_start(void)
{
	static struct fake_pci bridge;
	static bool started;

	if (started) {
		host_log_clear();
		return;
	}
	started = true;
	host_start();
	fake_pci_init(&bridge, 0, PCI_VENDOR_INTEL, PCI_DEVICE_Q35_MCH,
		      PCI_CLASS_HOST);
	fake_pci_add(&bridge);
	list_add_tail(&pci_devices, &dev.node);
	f.bdf = PCI_BDF(0, 5, 0);
	fake_pci_add(&f);
	BUG_ON(pci_config_init(NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const words[] = { "", "msi=msi", "msi=off", "" };

	if (size < FUZZ_HEAD)
		return 0;
	fuzz_start();
	memcpy(head, data, FUZZ_HEAD);
	fuzz_make(data + FUZZ_HEAD, size - FUZZ_HEAD);
	cmdline_init(words[head[FUZZ_FLAGS] & FUZZ_WORD]);
	pci_read_bars(&dev);
	for (unsigned i = 0; i < PCI_BARS; i++)
		if (!dev.bar[i].base)	/* firmware left it nowhere */
			f.bar[i].size = 0;
	fuzz_walk();
	f.gone_in = head[FUZZ_GONE];
	fuzz_use();
	return 0;
}
