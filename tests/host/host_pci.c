/* SPDX-License-Identifier: MIT */
/*
 * A PCI bus of fake functions: configuration space behind ports 0xCF8 and
 * 0xCFC (PCI Local Bus 3.0, 3.2.2.3.2) and ECAM, BARs that decode where the
 * driver put them, MSI-X tables and pending bits, and messages.
 */
#include "tests/host/host_internal.h"

#include <inttypes.h>
#include <string.h>

#include "core/bits.h"
#include "core/log.h"
#include "core/panic.h"

#define FPCI_MAX		32
#define FPCI_COMMAND		0x04
# define FPCI_COMMAND_IO	BIT(0)
# define FPCI_COMMAND_MEMORY	BIT(1)
# define FPCI_COMMAND_MASTER	BIT(2)
#define FPCI_STATUS		0x06
# define FPCI_STATUS_CAPS	BIT(4)
#define FPCI_HEADER_TYPE	0x0e
#define FPCI_BAR		0x10
#define FPCI_CAPS		0x34

#define FPCI_CAP_MSI		0x05	/* 6.8.1 */
# define FPCI_MSI_ENABLE	BIT(0)
# define FPCI_MSI_MME		GENMASK(6, 4)
# define FPCI_MSI_64		BIT(7)
# define FPCI_MSI_MASKING	BIT(8)
#define FPCI_CAP_MSIX		0x11	/* 6.8.2 */
# define FPCI_MSIX_MASK_ALL	BIT(14)
# define FPCI_MSIX_ENABLE	BIT(15)
#define FPCI_MSIX_ENTRY		16	/* bytes; vector control bit 0: masked */

static struct {
	struct fake_pci *fn[FPCI_MAX];
	unsigned n;
	uint32_t address;		/* what 0xCF8 holds */
	phys_t ecam;
} fpci;

bool (*host_msi_remap)(uint16_t bdf, uint64_t *addr, uint32_t *data);

static uint64_t fpci_get(const struct fake_pci *f, unsigned off, unsigned width)
{
	uint64_t val = 0;

	memcpy(&val, &f->config[off], width);
	return val;
}

static void fpci_set(uint8_t *bytes, unsigned off, unsigned width, uint64_t val)
{
	memcpy(&bytes[off], &val, width);
}

struct fake_pci *host_bus_find(uint16_t bdf)
{
	for (unsigned i = 0; i < fpci.n; i++)
		if (fpci.fn[i]->bdf == bdf && !fpci.fn[i]->gone)
			return fpci.fn[i];
	return NULL;
}

static unsigned fpci_cap(const struct fake_pci *f, uint8_t id)
{
	unsigned pos = f->config[FPCI_CAPS];

	for (unsigned n = 0; pos >= 0x40 && n < 48; n++) {
		if (f->config[pos] == id)
			return pos;
		pos = f->config[pos + 1] & ~3u;
	}
	return 0;
}

/* ---- messages ---- */

static void fpci_send(struct fake_pci *f, uint64_t addr, uint32_t data)
{
	if (!(fpci_get(f, FPCI_COMMAND, 2) & FPCI_COMMAND_MASTER)) {
		log_warn("host", "%04x fires with bus mastering off", f->bdf);
		return;
	}
	if (addr >> 20 != 0xfee) {
		if (!host_dma_write(f->bdf, addr, &data, sizeof(data)))
			log_warn("host", "message of %04x to 0x%" PRIx64
				 " refused", f->bdf, addr);
		return;
	}
	if (host_msi_remap && !host_msi_remap(f->bdf, &addr, &data))
		return;
	host_msi(addr, data);
}

static bool fpci_msix_open(const struct fake_pci *f, unsigned nr)
{
	uint16_t ctrl = fpci_get(f, fpci_cap(f, FPCI_CAP_MSIX) + 2, 2);

	return (ctrl & (FPCI_MSIX_ENABLE | FPCI_MSIX_MASK_ALL)) ==
	       FPCI_MSIX_ENABLE && !(f->msix[nr][3] & 1);
}

static void fpci_msix_fire(struct fake_pci *f, unsigned nr)
{
	uint32_t *e = f->msix[nr];

	if (fpci_msix_open(f, nr))
		fpci_send(f, (uint64_t)e[1] << 32 | e[0], e[2]);
	else
		f->pending[nr / 64] |= BIT_ULL(nr % 64);
}

/* What became pending behind a mask goes out when the mask is lifted. */
static void fpci_msix_flush(struct fake_pci *f)
{
	for (unsigned nr = 0; nr < f->msix_entries; nr++) {
		uint64_t bit = BIT_ULL(nr % 64);

		if (!(f->pending[nr / 64] & bit) || !fpci_msix_open(f, nr))
			continue;
		f->pending[nr / 64] &= ~bit;
		fpci_msix_fire(f, nr);
	}
}

struct fpci_msi {
	uint16_t ctrl;
	uint64_t addr;
	uint32_t data, mask;
	unsigned pending_off;		/* 0: no per-vector masking */
};

static void fpci_msi_read(const struct fake_pci *f, struct fpci_msi *m)
{
	unsigned pos = fpci_cap(f, FPCI_CAP_MSI), at;

	memset(m, 0, sizeof(*m));
	if (!pos)
		return;
	m->ctrl = fpci_get(f, pos + 2, 2);
	m->addr = fpci_get(f, pos + 4, m->ctrl & FPCI_MSI_64 ? 8 : 4);
	at = pos + (m->ctrl & FPCI_MSI_64 ? 12 : 8);
	m->data = fpci_get(f, at, 2);
	if (m->ctrl & FPCI_MSI_MASKING) {
		m->mask = fpci_get(f, at + 4, 4);
		m->pending_off = at + 8;
	}
}

static void fpci_msi_fire(struct fake_pci *f, unsigned nr)
{
	struct fpci_msi m;
	unsigned granted;

	fpci_msi_read(f, &m);
	granted = 1u << FIELD_GET(FPCI_MSI_MME, m.ctrl);
	if (!(m.ctrl & FPCI_MSI_ENABLE))
		return;
	nr &= granted - 1;		/* fewer granted: vectors are shared */
	if (m.mask & BIT(nr))
		fpci_set(f->config, m.pending_off, 4,
			 fpci_get(f, m.pending_off, 4) | BIT(nr));
	else
		fpci_send(f, m.addr, (m.data & ~(granted - 1)) | nr);
}

static void fpci_msi_flush(struct fake_pci *f)
{
	struct fpci_msi m;
	uint32_t ready;

	fpci_msi_read(f, &m);
	if (!m.pending_off || !(m.ctrl & FPCI_MSI_ENABLE))
		return;
	ready = fpci_get(f, m.pending_off, 4) & ~m.mask;
	fpci_set(f->config, m.pending_off, 4,
		 fpci_get(f, m.pending_off, 4) & ~ready);
	for (unsigned nr = 0; nr < 32; nr++)
		if (ready & BIT(nr))
			fpci_msi_fire(f, nr);
}

void fake_pci_fire(struct fake_pci *f, unsigned nr)
{
	struct fpci_msi m;

	if (f->gone)
		return;
	fpci_msi_read(f, &m);
	if (m.ctrl & FPCI_MSI_ENABLE)
		fpci_msi_fire(f, nr);
	else if (nr < f->msix_entries)
		fpci_msix_fire(f, nr);
}

static bool fpci_may_master(uint16_t bdf)
{
	for (unsigned i = 0; i < fpci.n; i++)
		if (fpci.fn[i]->bdf == bdf)
			return !fpci.fn[i]->gone &&
			       fpci_get(fpci.fn[i], FPCI_COMMAND, 2) &
			       FPCI_COMMAND_MASTER;
	return true;			/* no PCI function: a bare fake */
}

/* ---- configuration ---- */

static bool fpci_config_read(uint16_t bdf, unsigned off, unsigned width,
			     uint64_t *val)
{
	struct fake_pci *f = host_bus_find(bdf);

	if (!f)
		return false;
	f->config_reads++;
	if (f->gone_in && !--f->gone_in)
		f->gone = true;
	else
		*val = fpci_get(f, off, width);
	return !f->gone;
}

static bool fpci_config_write(uint16_t bdf, unsigned off, unsigned width,
			      uint64_t val)
{
	struct fake_pci *f = host_bus_find(bdf);

	if (!f)
		return false;
	for (unsigned i = 0; i < width; i++) {
		uint8_t w = f->writable[off + i];

		f->config[off + i] = (f->config[off + i] & ~w) |
				     ((val >> 8 * i) & w);
	}
	if (f->on_config)
		f->on_config(f, off, width);
	fpci_msix_flush(f);
	fpci_msi_flush(f);
	return true;
}

/* Ports 0xCF8 to 0xCFF. Only a 32-bit write reaches the address register. */
static uint64_t fpci_port_read(void *ctx, size_t off, unsigned width)
{
	uint64_t val = UINT64_MAX;
	unsigned reg = (fpci.address & 0xfc) + (off & 3);

	if (off < 4)
		return off == 0 && width == 4 ? fpci.address : UINT64_MAX;
	if (!(fpci.address >> 31))
		return UINT64_MAX;
	if (!fpci_config_read(fpci.address >> 8, reg, width, &val) && host_live)
		return host_live->read(IO_PORT, 0xcf8 + off, width);
	return val;
}

static void fpci_port_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	unsigned reg = (fpci.address & 0xfc) + (off & 3);

	if (off == 0 && width == 4)
		fpci.address = val & 0x80fffffc;
	if (off >= 4 && fpci.address >> 31 &&
	    fpci_config_write(fpci.address >> 8, reg, width, val))
		return;
	if (host_live)
		host_live->write(IO_PORT, 0xcf8 + off, width, val);
}

static const struct host_mmio_ops fpci_port_ops = {
	.read = fpci_port_read, .write = fpci_port_write,
};

static uint64_t fpci_ecam_read(void *ctx, size_t off, unsigned width)
{
	uint64_t val = UINT64_MAX;

	fpci_config_read(off >> 12, off & 0xfff, width, &val);
	return val;
}

static void fpci_ecam_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	fpci_config_write(off >> 12, off & 0xfff, width, val);
}

static const struct host_mmio_ops fpci_ecam_ops = {
	.read = fpci_ecam_read, .write = fpci_ecam_write,
};

void fake_pci_ecam(phys_t base)
{
	fpci.ecam = base;
	host_mmio_add(base, MIB(256), &fpci_ecam_ops, &fpci.ecam);
}

/* ---- BARs ---- */

static uint64_t fpci_bar_base(const struct fake_pci *f, unsigned bar)
{
	uint32_t lo = fpci_get(f, FPCI_BAR + 4 * bar, 4);

	if (f->bar[bar].is_io)
		return lo & ~3u;
	if (!f->bar[bar].is_64)
		return lo & ~15u;
	return fpci_get(f, FPCI_BAR + 4 * bar, 8) & ~UINT64_C(15);
}

/* The MSI-X table: dwords or qwords only (6.8.2). */
static uint64_t fpci_table_read(void *ctx, size_t off, unsigned width)
{
	struct fake_pci *f = ctx;
	uint64_t val = 0;

	BUG_ON(width < 4);
	memcpy(&val, (char *)f->msix + off, width);
	return val;
}

static void fpci_table_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	struct fake_pci *f = ctx;

	BUG_ON(width < 4);
	memcpy((char *)f->msix + off, &val, width);
	fpci_msix_flush(f);
}

static const struct host_mmio_ops fpci_table_ops = {
	.read = fpci_table_read, .write = fpci_table_write,
};

static uint64_t fpci_pba_read(void *ctx, size_t off, unsigned width)
{
	struct fake_pci *f = ctx;
	uint64_t val = 0;

	BUG_ON(width < 4);
	memcpy(&val, (char *)f->pending + off, width);
	return val;
}

static const struct host_mmio_ops fpci_pba_ops = { .read = fpci_pba_read };

static void fpci_bar_target(struct fake_pci *f, unsigned bar, size_t off,
			    struct host_target *out)
{
	size_t table = (size_t)f->msix_entries * FPCI_MSIX_ENTRY;
	size_t pba = DIV_ROUND_UP((size_t)f->msix_entries, 64) * 8;

	*out = (struct host_target){ f->bar[bar].ops, f->bar[bar].ctx, off };
	if (!f->msix_entries || bar != f->msix_bar)
		return;
	if (off - f->msix_table < table)
		*out = (struct host_target){ &fpci_table_ops, f,
					     off - f->msix_table };
	else if (off - f->msix_pba < pba)
		*out = (struct host_target){ &fpci_pba_ops, f,
					     off - f->msix_pba };
}

static bool fpci_decode_one(struct fake_pci *f, enum io_space space,
			    uint64_t addr, struct host_target *out)
{
	uint16_t cmd = fpci_get(f, FPCI_COMMAND, 2);

	if (!(cmd & (space == IO_PORT ? FPCI_COMMAND_IO : FPCI_COMMAND_MEMORY)))
		return false;
	for (unsigned bar = 0; bar < PCI_BARS; bar++) {
		uint64_t base = fpci_bar_base(f, bar);

		if (!f->bar[bar].size || !base ||
		    f->bar[bar].is_io != (space == IO_PORT) ||
		    addr - base >= f->bar[bar].size)
			continue;
		fpci_bar_target(f, bar, addr - base, out);
		return true;
	}
	return false;
}

static bool fpci_decode(enum io_space space, uint64_t addr,
			struct host_target *out)
{
	for (unsigned i = 0; i < fpci.n; i++)
		if (!fpci.fn[i]->gone &&
		    fpci_decode_one(fpci.fn[i], space, addr, out))
			return true;
	return false;
}

/* ---- making functions ---- */

void fake_pci_init(struct fake_pci *f, uint16_t bdf, uint16_t vendor,
		   uint16_t device, uint32_t class)
{
	memset(f, 0, sizeof(*f));
	f->bdf = bdf;
	fpci_set(f->config, 0x00, 2, vendor);
	fpci_set(f->config, 0x02, 2, device);
	fpci_set(f->config, 0x08, 4, class << 8);
	fpci_set(f->config, 0x2c, 2, vendor);
	fpci_set(f->config, 0x2e, 2, device);
	fpci_set(f->writable, FPCI_COMMAND, 2, 0x0547);
	f->writable[0x0c] = f->writable[0x0d] = f->writable[0x3c] = 0xff;
	for (unsigned i = 0; i < ARRAY_SIZE(f->msix); i++)
		f->msix[i][3] = 1;
}

void fake_pci_bar(struct fake_pci *f, unsigned bar, uint64_t size,
		  bool is_64, const struct host_mmio_ops *ops, void *ctx)
{
	unsigned off = FPCI_BAR + 4 * bar;
	bool is_io = f->bar[bar].is_io;

	BUG_ON(bar + is_64 >= PCI_BARS || !is_power_of_2(size) || size < 4);
	BUG_ON(!is_io && size < 16);
	f->bar[bar].size = size;
	f->bar[bar].is_64 = is_64;
	f->bar[bar].ops = ops;
	f->bar[bar].ctx = ctx;
	fpci_set(f->config, off, 4, is_io ? 1 : is_64 ? 0x4 : 0);
	fpci_set(f->writable, off, is_64 ? 8 : 4, ~(size - 1));
}

/* The space from 0x40 on is filled in order; config[0x34] starts the list. */
unsigned fake_pci_cap(struct fake_pci *f, uint8_t id, const void *body,
		      size_t len)
{
	unsigned at = 0x40, prev = FPCI_CAPS;

	while (f->config[prev]) {
		at = f->config[prev];
		prev = at + 1;
	}
	if (prev != FPCI_CAPS)		/* behind the last one's body */
		at = ALIGN_UP(at + f->cap_len, 4u);
	BUG_ON(at + 2 + len > 256);
	f->config[prev] = at;
	f->config[at] = id;
	memcpy(&f->config[at + 2], body, len);
	f->cap_len = 2 + len;
	f->config[FPCI_STATUS] |= FPCI_STATUS_CAPS;
	return at;
}

void fake_pci_msix(struct fake_pci *f, unsigned entries, unsigned bar,
		   uint32_t table, uint32_t pba)
{
	struct __packed {
		le16 ctrl;
		le32 table, pba;
	} body = { entries - 1, table | bar, pba | bar };
	unsigned at;

	BUG_ON(!entries || entries > 2048 || !f->bar[bar].size);
	at = fake_pci_cap(f, FPCI_CAP_MSIX, &body, sizeof(body));
	fpci_set(f->writable, at + 2, 2, FPCI_MSIX_ENABLE | FPCI_MSIX_MASK_ALL);
	f->msix_entries = entries;
	f->msix_bar = bar;
	f->msix_table = table;
	f->msix_pba = pba;
}

static void fpci_reset(void)
{
	memset(&fpci, 0, sizeof(fpci));
	host_msi_remap = NULL;
	host_bus_decode = NULL;
	host_bus_may_master = NULL;
}

static void fpci_start(void)
{
	host_bus_reset = fpci_reset;
	host_bus_decode = fpci_decode;
	host_bus_may_master = fpci_may_master;
	host_port_add(0xcf8, 8, &fpci_port_ops, &fpci);
}

void fake_pci_add(struct fake_pci *f)
{
	BUG_ON(fpci.n == FPCI_MAX || host_bus_find(f->bdf));
	if (!host_bus_decode)
		fpci_start();
	fpci.fn[fpci.n++] = f;
	for (unsigned i = 0; i < fpci.n; i++)	/* function 0 says it has more */
		if (PCI_FUNC(f->bdf) && fpci.fn[i]->bdf == (f->bdf & ~7))
			fpci.fn[i]->config[FPCI_HEADER_TYPE] |= 0x80;
}

void fake_pci_remove(struct fake_pci *f)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < fpci.n; i++)
		if (fpci.fn[i] != f)
			fpci.fn[kept++] = fpci.fn[i];
	fpci.n = kept;
}
