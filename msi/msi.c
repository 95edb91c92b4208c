/* SPDX-License-Identifier: MIT */
/*
 * MSI (PCI Local Bus 3.0, 6.8.1) with one vector, all of it in configuration
 * space.
 *
 * The mask register is optional. Without it "masked" means disabled, and an
 * event of that time makes no message later: there is no pending bit either.
 */
#include "msi/vectors.h"

#include "core/errno.h"
#include "msi/msireg.h"

static unsigned msi_plain_data(const struct msi *m)
{
	return m->c.pos + msi_data_offset(&m->c);
}

/* Only one vector is used, however many there are. */
static int msi_plain_parse(const struct pci_dev *p, const struct pci_caps *l,
			   struct msi_cap *c)
{
	int err = msi_parse(p, l, c);

	c->ctrl &= (uint16_t)~(MSI_CTRL_ENABLE | MSI_CTRL_ENABLED);
	c->vectors = 1;
	return err;
}

/* Returns when the device has taken it: configuration writes are not posted. */
static void msi_plain_mask(struct pci_dev *p, struct msi *m, unsigned nr,
			   bool on)
{
	uint16_t ctrl = m->c.ctrl;

	if (m->c.maskable) {
		pci_write32(p, msi_plain_data(m) + MSI_MASK_BEHIND, on);
		ctrl |= MSI_CTRL_ENABLE;
	} else if (!on) {
		ctrl |= MSI_CTRL_ENABLE;
	}
	pci_write16(p, m->c.pos + MSI_CTRL, ctrl);
	pci_read16(p, m->c.pos + MSI_CTRL);	/* vectors.c relies on it */
}

/*
 * Masked, but without a message yet: ENABLE waits for the first unmasking, so
 * that a device without a mask register cannot send to address 0.
 */
static int msi_plain_enable(struct pci_dev *p, struct msi *m)
{
	pci_write16(p, m->c.pos + MSI_CTRL, m->c.ctrl);
	if (m->c.maskable)
		pci_write32(p, msi_plain_data(m) + MSI_MASK_BEHIND, 1);
	return pci_read16(p, m->c.pos + MSI_CTRL) == UINT16_MAX ? -ENODEV : 0;
}

static void msi_plain_disable(struct pci_dev *p, struct msi *m)
{
	pci_write16(p, m->c.pos + MSI_CTRL, m->c.ctrl);
}

static void msi_plain_program(struct pci_dev *p, struct msi *m, unsigned nr,
			      const struct msi_msg *msg)
{
	pci_write32(p, m->c.pos + MSI_ADDR, (uint32_t)msg->addr);
	if (m->c.is_64)
		pci_write32(p, m->c.pos + MSI_ADDR_HI,
			    (uint32_t)(msg->addr >> 32));
	pci_write16(p, msi_plain_data(m), (uint16_t)msg->data);
}

static bool msi_plain_masked(struct pci_dev *p, struct msi *m, unsigned nr)
{
	if (!(pci_read16(p, m->c.pos + MSI_CTRL) & MSI_CTRL_ENABLE))
		return true;
	return m->c.maskable &&
	       (pci_read32(p, msi_plain_data(m) + MSI_MASK_BEHIND) & 1);
}

static bool msi_plain_pending(struct pci_dev *p, struct msi *m, unsigned nr)
{
	return m->c.maskable &&
	       (pci_read32(p, msi_plain_data(m) + MSI_PENDING_BEHIND) & 1);
}

static bool msi_plain_keeps_events(const struct msi *m)
{
	return m->c.maskable;
}

const struct msi_ops msi_plain_ops = {
	.name = "msi",
	.title = "MSI",
	.way = IRQ_MSI,
	.parse = msi_plain_parse,
	.enable = msi_plain_enable,
	.disable = msi_plain_disable,
	.program = msi_plain_program,
	.mask = msi_plain_mask,
	.masked = msi_plain_masked,
	.pending = msi_plain_pending,
	.keeps_events = msi_plain_keeps_events,
};
