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
#include "msi/msireg.h"

static int msix_map(const struct pci_dev *p, const struct msi_area *a,
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
	uint32_t ctrl = pci_read16(p, m->c.pos + MSIX_CTRL);

	pci_write16(p, m->c.pos + MSIX_CTRL, (uint16_t)((ctrl & ~clear) | set));
}

/*
 * Enabled and masked as a whole in one write, so that no entry that firmware
 * left open can fire; then every entry masked by itself, those included that
 * the driver does not use; then the whole opened. Table accesses before
 * ENABLE would be legal, but some devices drop them.
 */
static int msix_enable(struct pci_dev *p, struct msi *m)
{
	int err;

	err = msix_map(p, &m->c.table, &m->table_pages, &m->table);
	if (err)
		return err;
	err = msix_map(p, &m->c.pba, &m->pba_pages, &m->pba);
	if (err)
		goto err_pba;
	msix_set_ctrl(p, m, MSIX_CTRL_ENABLE | MSIX_CTRL_MASK_ALL, 0);
	for (unsigned nr = 0; nr < m->c.vectors; nr++)
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

static bool msix_keeps_events(const struct msi *m)
{
	return true;
}

const struct msi_ops msix_ops = {
	.name = "msi-x",
	.title = "MSI-X",
	.way = IRQ_MSIX,
	.parse = msix_parse,
	.enable = msix_enable,
	.disable = msix_disable,
	.program = msix_program,
	.mask = msix_mask,
	.masked = msix_masked,
	.pending = msix_pending,
	.keeps_events = msix_keeps_events,
};
