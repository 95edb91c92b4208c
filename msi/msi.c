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
#include "core/log.h"
#include "msi/msireg.h"

#define MSI_CONFIG_BYTES	256	/* a capability ends within these */

static unsigned msi_plain_data(const struct msi *m)
{
	return m->cap + (m->ctrl & MSI_CTRL_64 ? MSI_DATA_64 : MSI_DATA_32);
}

static int msi_plain_check(const struct pci_dev *p, struct msi *m)
{
	unsigned end;

	m->ctrl = pci_read16(p, m->cap + MSI_CTRL) &
		  (uint16_t)~(MSI_CTRL_ENABLE | MSI_CTRL_ENABLED);
	m->entries = 1;
	end = msi_plain_data(m) + 2;
	if (m->ctrl & MSI_CTRL_MASKABLE)
		end = msi_plain_data(m) + MSI_PENDING_BEHIND + 4;
	if (end <= MSI_CONFIG_BYTES)
		return 0;
	log_warn(p->dev.name, "MSI refused: its capability at 0x%02x leaves "
		 "the configuration header", m->cap);
	return -EINVAL;
}

/* Returns when the device has taken it: configuration writes are not posted. */
static void msi_plain_mask(struct pci_dev *p, struct msi *m, unsigned nr,
			   bool on)
{
	uint16_t ctrl = m->ctrl;

	if (m->ctrl & MSI_CTRL_MASKABLE) {
		pci_write32(p, msi_plain_data(m) + MSI_MASK_BEHIND, on);
		ctrl |= MSI_CTRL_ENABLE;
	} else if (!on) {
		ctrl |= MSI_CTRL_ENABLE;
	}
	pci_write16(p, m->cap + MSI_CTRL, ctrl);
	pci_read16(p, m->cap + MSI_CTRL);	/* vectors.c relies on it */
}

/*
 * Masked, but without a message yet: ENABLE waits for the first unmasking, so
 * that a device without a mask register cannot send to address 0.
 */
static int msi_plain_enable(struct pci_dev *p, struct msi *m)
{
	pci_write16(p, m->cap + MSI_CTRL, m->ctrl);
	if (m->ctrl & MSI_CTRL_MASKABLE)
		pci_write32(p, msi_plain_data(m) + MSI_MASK_BEHIND, 1);
	return pci_read16(p, m->cap + MSI_CTRL) == UINT16_MAX ? -ENODEV : 0;
}

static void msi_plain_disable(struct pci_dev *p, struct msi *m)
{
	pci_write16(p, m->cap + MSI_CTRL, m->ctrl);
}

static void msi_plain_program(struct pci_dev *p, struct msi *m, unsigned nr,
			      const struct msi_msg *msg)
{
	pci_write32(p, m->cap + MSI_ADDR, (uint32_t)msg->addr);
	if (m->ctrl & MSI_CTRL_64)
		pci_write32(p, m->cap + MSI_ADDR_HI,
			    (uint32_t)(msg->addr >> 32));
	pci_write16(p, msi_plain_data(m), (uint16_t)msg->data);
}

static bool msi_plain_masked(struct pci_dev *p, struct msi *m, unsigned nr)
{
	if (!(pci_read16(p, m->cap + MSI_CTRL) & MSI_CTRL_ENABLE))
		return true;
	return (m->ctrl & MSI_CTRL_MASKABLE) &&
	       (pci_read32(p, msi_plain_data(m) + MSI_MASK_BEHIND) & 1);
}

static bool msi_plain_pending(struct pci_dev *p, struct msi *m, unsigned nr)
{
	return (m->ctrl & MSI_CTRL_MASKABLE) &&
	       (pci_read32(p, msi_plain_data(m) + MSI_PENDING_BEHIND) & 1);
}

const struct msi_ops msi_plain_ops = {
	.name = "msi",
	.check = msi_plain_check,
	.enable = msi_plain_enable,
	.disable = msi_plain_disable,
	.program = msi_plain_program,
	.mask = msi_plain_mask,
	.masked = msi_plain_masked,
	.pending = msi_plain_pending,
};
