/* SPDX-License-Identifier: MIT */
/*
 * MSI-X (PCI Local Bus 3.0, 6.8.2): a table of messages and an array of
 * pending bits, each in memory behind some BAR.
 *
 * Both are mapped by themselves, not with their BAR, which may be large. Every
 * access is 32 bits wide; 6.8.2.6 allows no narrower one.
 */
#include "msi/vectors.h"

#include "core/errno.h"
#include "core/log.h"
#include "msi/msireg.h"

/* Where the table or the pending bits are, and why they cannot be there. */
struct msix_area {
	unsigned bir;
	uint32_t offset, size;
};

static struct msix_area msix_area(const struct pci_dev *p, unsigned reg,
				  uint32_t size)
{
	uint32_t val = pci_read32(p, reg);

	return (struct msix_area){
		.bir = FIELD_GET(MSIX_BIR, val),
		.offset = val & MSIX_OFFSET,
		.size = size,
	};
}

static const char *msix_area_fault(const struct pci_dev *p,
				   const struct msix_area *a)
{
	const struct pci_bar *bar;

	if (a->bir >= PCI_BARS)
		return "reserved BAR number";
	bar = &p->bar[a->bir];
	if (bar->size == 0)
		return "BAR is not there";
	if (bar->is_io)
		return "BAR is I/O space";
	if (bar->base == 0)
		return "BAR is not assigned";
	if ((uint64_t)a->offset + a->size > bar->size)
		return "outside its BAR";
	return NULL;
}

static bool msix_overlap(const struct msix_area *a, const struct msix_area *b)
{
	return a->bir == b->bir && a->offset < b->offset + b->size &&
	       b->offset < a->offset + a->size;
}

static void msix_read_areas(const struct pci_dev *p, const struct msi *m,
			    struct msix_area *table, struct msix_area *pba)
{
	*table = msix_area(p, m->cap + MSIX_TABLE,
			   m->entries * MSIX_ENTRY_SIZE);
	*pba = msix_area(p, m->cap + MSIX_PBA,
			 DIV_ROUND_UP(m->entries, MSIX_PBA_BITS) *
			 MSIX_PBA_BYTES);
}

static int msix_check(const struct pci_dev *p, struct msi *m)
{
	struct msix_area table, pba;
	const char *what = "table", *fault;
	uint16_t ctrl = pci_read16(p, m->cap + MSIX_CTRL);

	m->entries = FIELD_GET(MSIX_CTRL_SIZE, ctrl) + 1;
	msix_read_areas(p, m, &table, &pba);
	fault = msix_area_fault(p, &table);
	if (!fault) {
		what = "pending bits";
		fault = msix_area_fault(p, &pba);
	}
	if (!fault && msix_overlap(&table, &pba))
		fault = "overlap the table";
	if (!fault)
		return 0;
	log_warn(p->dev.name, "MSI-X refused: %s of %u entries: %s", what,
		 m->entries, fault);
	return -EINVAL;
}

static int msix_map(const struct pci_dev *p, const struct msix_area *a,
		    struct io *pages, struct io *win)
{
	phys_t pa = p->bar[a->bir].base + a->offset;
	phys_t page = ALIGN_DOWN(pa, (phys_t)PAGE_SIZE);
	int err = io_map_mem(pages, page, pa - page + a->size);

	if (err)
		return err;
	return io_sub(win, pages, pa - page, a->size);
}

static uint32_t msix_entry_ctrl(const struct msi *m, unsigned nr)
{
	return io_read32(&m->table, nr * MSIX_ENTRY_SIZE + MSIX_ENTRY_CTRL);
}

/* 6.8.2.9: the other bits of the control word are kept as they are. */
static void msix_mask(struct pci_dev *p, struct msi *m, unsigned nr, bool on)
{
	uint32_t ctrl = msix_entry_ctrl(m, nr);

	ctrl = on ? ctrl | MSIX_ENTRY_MASKED : ctrl & ~MSIX_ENTRY_MASKED;
	io_write32(&m->table, nr * MSIX_ENTRY_SIZE + MSIX_ENTRY_CTRL, ctrl);
	msix_entry_ctrl(m, nr);		/* the read that vectors.c relies on */
}

static void msix_set_ctrl(struct pci_dev *p, const struct msi *m, uint32_t set,
			  uint32_t clear)
{
	uint32_t ctrl = pci_read16(p, m->cap + MSIX_CTRL);

	pci_write16(p, m->cap + MSIX_CTRL, (uint16_t)((ctrl & ~clear) | set));
}

/*
 * Enabled and masked as a whole in one write, so that no entry that firmware
 * left open can fire; then every entry masked by itself, those included that
 * the driver does not use; then the whole opened. Table accesses before
 * ENABLE would be legal, but some devices drop them.
 */
static int msix_enable(struct pci_dev *p, struct msi *m)
{
	struct msix_area table, pba;
	int err;

	msix_read_areas(p, m, &table, &pba);
	err = msix_map(p, &table, &m->table_pages, &m->table);
	if (err)
		return err;
	err = msix_map(p, &pba, &m->pba_pages, &m->pba);
	if (err)
		goto err_pba;
	msix_set_ctrl(p, m, MSIX_CTRL_ENABLE | MSIX_CTRL_MASK_ALL, 0);
	for (unsigned nr = 0; nr < m->entries; nr++)
		if (!(msix_entry_ctrl(m, nr) & MSIX_ENTRY_MASKED))
			msix_mask(p, m, nr, true);
	if (msix_entry_ctrl(m, 0) == UINT32_MAX) {
		err = -ENODEV;
		goto err_gone;
	}
	msix_set_ctrl(p, m, 0, MSIX_CTRL_MASK_ALL);
	return 0;

err_gone:
	msix_set_ctrl(p, m, 0, MSIX_CTRL_ENABLE | MSIX_CTRL_MASK_ALL);
	io_unmap(&m->pba_pages);
err_pba:
	io_unmap(&m->table_pages);
	return err;
}

static void msix_disable(struct pci_dev *p, struct msi *m)
{
	msix_set_ctrl(p, m, 0, MSIX_CTRL_ENABLE | MSIX_CTRL_MASK_ALL);
	io_unmap(&m->pba_pages);
	io_unmap(&m->table_pages);
}

static void msix_program(struct pci_dev *p, struct msi *m, unsigned nr,
			 const struct msi_msg *msg)
{
	size_t entry = nr * MSIX_ENTRY_SIZE;

	io_write32(&m->table, entry + MSIX_ENTRY_ADDR, (uint32_t)msg->addr);
	io_write32(&m->table, entry + MSIX_ENTRY_ADDR_HI,
		   (uint32_t)(msg->addr >> 32));
	io_write32(&m->table, entry + MSIX_ENTRY_DATA, msg->data);
}

static bool msix_masked(struct pci_dev *p, struct msi *m, unsigned nr)
{
	return msix_entry_ctrl(m, nr) & MSIX_ENTRY_MASKED;
}

static bool msix_pending(struct pci_dev *p, struct msi *m, unsigned nr)
{
	return io_read32(&m->pba, nr / 32 * 4) >> nr % 32 & 1;
}

const struct msi_ops msix_ops = {
	.name = "msi-x",
	.check = msix_check,
	.enable = msix_enable,
	.disable = msix_disable,
	.program = msix_program,
	.mask = msix_mask,
	.masked = msix_masked,
	.pending = msix_pending,
};
