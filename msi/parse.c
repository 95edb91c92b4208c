/* SPDX-License-Identifier: MIT */
#include "msi/parse.h"

#include "core/cpu.h"
#include "core/errno.h"
#include "core/fmt.h"
#include "core/pcireg.h"
#include "msi/msireg.h"

#define MSI_CODE_MAX	5		/* 6.8.1.3: 32 vectors; 6, 7 reserved */

static int __printf(2, 3) msi_refuse(struct msi_cap *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fmt_vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* Two of one kind: nobody could say which of them the device obeys. */
static int msi_locate(const struct pci_caps *l, uint8_t id, struct msi_cap *c)
{
	*c = (struct msi_cap){ .pos = 0 };
	if (l->fault)
		return msi_refuse(c, "%s at 0x%02x", l->fault, l->fault_at);
	for (unsigned i = 0; i < l->n; i++) {
		if (l->cap[i].id != id)
			continue;
		if (c->pos)
			return msi_refuse(c, "it has two, at 0x%02x and 0x%02x",
					  c->pos, l->cap[i].pos);
		c->pos = l->cap[i].pos;
	}
	return c->pos ? 0 : -ENOENT;
}

/* Its len bytes are in the header, and no other capability begins in them. */
static int msi_check_room(const struct pci_caps *l, struct msi_cap *c,
			  unsigned len)
{
	if (c->pos + len > PCI_CONFIG_SIZE)
		return msi_refuse(c, "its capability at 0x%02x leaves the "
				  "configuration header", c->pos);
	for (unsigned i = 0; i < l->n; i++)
		if (l->cap[i].pos > c->pos && l->cap[i].pos < c->pos + len)
			return msi_refuse(c, "its %u bytes at 0x%02x reach "
					  "into the capability at 0x%02x", len,
					  c->pos, l->cap[i].pos);
	return 0;
}

/*
 * A device that goes away answers with ones from some read on, which is a
 * lie of another kind: look for it last, so that no read is left out.
 */
static int msi_settle(const struct pci_dev *p, struct msi_cap *c, int err)
{
	if (pci_read16(p, PCI_VENDOR) != PCI_NO_VENDOR)
		return err;
	msi_refuse(c, "the device is gone");
	return -ENODEV;
}

/* ---- MSI ---- */

unsigned msi_data_offset(const struct msi_cap *c)
{
	return c->is_64 ? MSI_DATA_64 : MSI_DATA_32;
}

static unsigned msi_length(const struct msi_cap *c)
{
	return msi_data_offset(c) +
	       (c->maskable ? MSI_PENDING_BEHIND + 4 : 2);
}

static int msi_parse_body(const struct pci_dev *p, const struct pci_caps *l,
			  struct msi_cap *c)
{
	unsigned code;

	c->ctrl = pci_read16(p, c->pos + MSI_CTRL);
	c->enabled = c->ctrl & MSI_CTRL_ENABLE;
	c->is_64 = c->ctrl & MSI_CTRL_64;
	c->maskable = c->ctrl & MSI_CTRL_MASKABLE;
	code = FIELD_GET(MSI_CTRL_CAPABLE, c->ctrl);
	if (code > MSI_CODE_MAX)
		return msi_refuse(c, "reserved number of vectors, code %u",
				  code);
	c->vectors = 1u << code;
	return msi_check_room(l, c, msi_length(c));
}

int msi_parse(const struct pci_dev *p, const struct pci_caps *l,
	      struct msi_cap *c)
{
	int err = msi_locate(l, MSI_CAP_ID, c);

	return err ? err : msi_settle(p, c, msi_parse_body(p, l, c));
}

/* ---- MSI-X ---- */

static struct msi_area msix_area(const struct pci_dev *p, unsigned reg,
				 uint64_t size)
{
	uint32_t val = pci_read32(p, reg);

	return (struct msi_area){
		.bir = FIELD_GET(MSIX_BIR, val),
		.offset = val & MSIX_OFFSET,
		.size = size,
	};
}

static const char *msix_bar_fault(const struct pci_dev *p, unsigned bir)
{
	const struct pci_bar *bar = &p->bar[bir];

	if (p->hdr_type == PCI_HEADER_BRIDGE && bir >= PCI_BRIDGE_BARS)
		return "a bridge has no such BAR";
	if (!bar->size)
		return bir && bar[-1].size && bar[-1].is_64 ?
		       "BAR is not there but the upper half of another" :
		       "BAR is not there";
	if (bar->is_io)
		return "BAR is I/O space";
	if (!bar->base)
		return "BAR is not assigned";
	if ((bar->base + (bar->size - 1)) >> cpu_phys_bits())
		return "BAR is where the CPU has no addresses";
	return pci_bar_conflict(bar) ? "BAR overlaps another" : NULL;
}

static int msix_check_area(const struct pci_dev *p, struct msi_cap *c,
			   const struct msi_area *a, const char *what)
{
	const char *fault = a->bir >= PCI_BARS ? "reserved BAR number" :
			    msix_bar_fault(p, a->bir);

	if (!fault && a->offset + a->size > p->bar[a->bir].size)
		fault = "outside its BAR";
	if (!fault)
		return 0;
	return msi_refuse(c, "%s of %u entries: %s (BAR %u, 0x%llx)", what,
			  c->vectors, fault, a->bir,
			  (unsigned long long)a->offset);
}

static bool msix_overlap(const struct msi_area *a, const struct msi_area *b)
{
	return a->bir == b->bir && a->offset < b->offset + b->size &&
	       b->offset < a->offset + a->size;
}

static int msix_parse_body(const struct pci_dev *p, const struct pci_caps *l,
			   struct msi_cap *c)
{
	int err = msi_check_room(l, c, MSIX_CAP_SIZE);

	if (err)
		return err;
	c->ctrl = pci_read16(p, c->pos + MSIX_CTRL);
	c->enabled = c->ctrl & MSIX_CTRL_ENABLE;
	c->vectors = FIELD_GET(MSIX_CTRL_SIZE, c->ctrl) + 1;
	c->table = msix_area(p, c->pos + MSIX_TABLE,
			     (uint64_t)c->vectors * MSIX_ENTRY_SIZE);
	c->pba = msix_area(p, c->pos + MSIX_PBA,
			   (uint64_t)DIV_ROUND_UP(c->vectors, MSIX_PBA_BITS) *
			   MSIX_PBA_BYTES);
	err = msix_check_area(p, c, &c->table, "table");
	if (!err)
		err = msix_check_area(p, c, &c->pba, "pending bits");
	if (!err && msix_overlap(&c->table, &c->pba))
		err = msi_refuse(c, "pending bits of %u entries: overlap the "
				 "table", c->vectors);
	return err;
}

int msix_parse(const struct pci_dev *p, const struct pci_caps *l,
	       struct msi_cap *c)
{
	int err = msi_locate(l, MSIX_CAP_ID, c);

	return err ? err : msi_settle(p, c, msix_parse_body(p, l, c));
}
