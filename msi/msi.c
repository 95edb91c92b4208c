/* SPDX-License-Identifier: MIT */
/*
 * MSI (PCI Local Bus 3.0, 6.8.1), all of it in configuration space: one message,
 * to whose data the device adds the number of the vector.
 *
 * The mask register is optional. Without it "masked" means disabled when all
 * vectors are, and else that vectors.c drops what comes; either way an event of
 * that time makes no message later: there is no pending bit either.
 */
#include "msi/vectors.h"

#include "core/cpu.h"
#include "core/errno.h"
#include "msi/msireg.h"

static unsigned msi_plain_data(const struct msi *m)
{
	return m->c.pos + msi_data_offset(&m->c);
}

/* What is asked of CTRL besides ENABLE is added by msi_plain_enable(). */
static int msi_plain_parse(const struct pci_dev *p, const struct pci_caps *l,
			   struct msi_cap *c)
{
	int err = msi_parse(p, l, c);

	c->ctrl &= (uint16_t)~(MSI_CTRL_ENABLE | MSI_CTRL_ENABLED);
	return err;
}

static uint32_t msi_plain_all(const struct msi *m)
{
	return GENMASK(m->c.vectors - 1, 0);
}

/* Is there one that may send? With a mask register it decides by itself. */
static bool msi_plain_wanted(const struct msi *m)
{
	return m->c.maskable || m->masked != msi_plain_all(m);
}

/* Returns when the device has taken it: configuration writes are not posted. */
static void msi_plain_mask(struct pci_dev *p, struct msi *m, unsigned nr,
			   bool on)
{
	uint16_t ctrl = m->c.ctrl;

	m->masked = on ? m->masked | BIT(nr) : m->masked & ~BIT(nr);
	WRITE_ONCE(m->v[nr].off, on);
	if (m->c.maskable)
		pci_write32(p, msi_plain_data(m) + MSI_MASK_BEHIND, m->masked);
	if (msi_plain_wanted(m))
		ctrl |= MSI_CTRL_ENABLE;
	pci_write16(p, m->c.pos + MSI_CTRL, ctrl);
	pci_read16(p, m->c.pos + MSI_CTRL);	/* vectors.c relies on it */
}

/*
 * Masked, but without a message yet: ENABLE waits for the first unmasking, so
 * that a device without a mask register cannot send to address 0.
 */
static int msi_plain_enable(struct pci_dev *p, struct msi *m)
{
	m->c.ctrl |= (uint16_t)FIELD_PREP(MSI_CTRL_ENABLED, ilog2_up(m->n));
	m->masked = msi_plain_all(m);
	pci_write16(p, m->c.pos + MSI_CTRL, m->c.ctrl);
	if (m->c.maskable)
		pci_write32(p, msi_plain_data(m) + MSI_MASK_BEHIND, m->masked);
	return pci_read16(p, m->c.pos + MSI_CTRL) == UINT16_MAX ? -ENODEV : 0;
}

static void msi_plain_disable(struct pci_dev *p, struct msi *m)
{
	pci_write16(p, m->c.pos + MSI_CTRL, m->c.ctrl);
}

/*
 * 6.8.1.6: the device may change as many low bits of the data as ENABLED says;
 * there they are zeroes. With another vector connected the message is there
 * already: it must not be touched while that one may send.
 */
static void msi_plain_program(struct pci_dev *p, struct msi *m, unsigned nr,
			      const struct msi_msg *msg)
{
	uint32_t low = BIT(ilog2_up(m->n)) - 1;

	for (unsigned i = 0; i < m->n; i++)
		if (i != nr && m->v[i].vector)
			return;
	pci_write32(p, m->c.pos + MSI_ADDR, (uint32_t)msg->addr);
	if (m->c.is_64)
		pci_write32(p, m->c.pos + MSI_ADDR_HI,
			    (uint32_t)(msg->addr >> 32));
	pci_write16(p, msi_plain_data(m), (uint16_t)(msg->data & ~low));
}

static bool msi_plain_masked(struct pci_dev *p, struct msi *m, unsigned nr)
{
	uint32_t masked = m->masked;

	if (!(pci_read16(p, m->c.pos + MSI_CTRL) & MSI_CTRL_ENABLE))
		return true;
	if (m->c.maskable)
		masked = pci_read32(p, msi_plain_data(m) + MSI_MASK_BEHIND);
	return masked >> nr & 1;
}

static bool msi_plain_pending(struct pci_dev *p, struct msi *m, unsigned nr)
{
	return m->c.maskable &&
	       (pci_read32(p, msi_plain_data(m) + MSI_PENDING_BEHIND) >> nr &
		1);
}

static bool msi_plain_keeps_events(const struct msi *m)
{
	return m->c.maskable;
}

const struct msi_ops msi_plain_ops = {
	.name = "msi",
	.title = "MSI",
	.way = IRQ_MSI,
	.one_message = true,
	.parse = msi_plain_parse,
	.enable = msi_plain_enable,
	.disable = msi_plain_disable,
	.program = msi_plain_program,
	.mask = msi_plain_mask,
	.masked = msi_plain_masked,
	.pending = msi_plain_pending,
	.keeps_events = msi_plain_keeps_events,
};
