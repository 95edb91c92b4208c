/* SPDX-License-Identifier: MIT */
/*
 * Which mechanism carries a device's vectors: MSI-X where the device has it
 * and tells the truth about it, else MSI on the same terms, else none.
 *
 * What firmware left enabled is turned off first, of both kinds and also when
 * none is used then: the two together are undefined (6.8), and a device with
 * either is silent on its pin.
 */
#include "msi/vectors.h"

#include "core/cmdline.h"
#include "core/errno.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/string.h"
#include "msi/msireg.h"

static const struct cmdline_key msi_key = {
	"msi", "auto|msi|off",
	"message interrupts: MSI-X first, plain MSI only, or none",
};
CMDLINE_KEY(msi_key);

static void msi_quiet_one(const struct pci_dev *p, unsigned pos,
			  uint16_t enable, const char *what)
{
	uint16_t ctrl = pci_read16(p, pos + MSI_CTRL);

	if (ctrl == UINT16_MAX || !(ctrl & enable))
		return;
	log_info(p->dev.name, "%s at 0x%02x was left enabled: turned off",
		 what, pos);
	pci_write16(p, pos + MSI_CTRL, (uint16_t)(ctrl & ~enable));
}

static void msi_quiet(const struct pci_dev *p, const struct pci_caps *l)
{
	for (unsigned i = 0; i < l->n; i++) {
		if (l->cap[i].id == MSI_CAP_ID)
			msi_quiet_one(p, l->cap[i].pos, MSI_CTRL_ENABLE, "MSI");
		if (l->cap[i].id == MSIX_CAP_ID)
			msi_quiet_one(p, l->cap[i].pos, MSIX_CTRL_ENABLE,
				      "MSI-X");
	}
}

/* 0, or why not; a lie is said once, here. */
static int msi_try(const struct pci_dev *p, const struct pci_caps *l,
		   struct msi *m, const struct msi_ops *ops)
{
	int err = ops->parse(p, l, &m->c);

	if (!err)
		m->ops = ops;
	else if (err != -ENOENT)
		log_warn(p->dev.name, "%s refused: %s", ops->title, m->c.why);
	return err;
}

/* Which one is left out by whom: "msi=msi" is the person's own wish. */
static bool msi_asked(const char *word)
{
	char given[8];

	return cmdline_get("msi", given, sizeof(given)) == 0 &&
	       strcmp(given, word) == 0;
}

/* Remember in m->why that ops was passed over, and for which reason. */
static void msi_passed_over(struct msi *m, const struct msi_ops *ops, int err)
{
	fmt_snprintf(m->why, sizeof(m->why), "no %s: %s", ops->title,
		     err == -ENOENT ? "the device has none" : m->c.why);
}

int msi_choose(struct pci_dev *p, struct msi *m)
{
	struct pci_caps l;
	int err = pci_read_caps(p, &l), second;

	if (err == -ENODEV)
		return err;
	msi_quiet(p, &l);
	if (msi_asked("off"))
		return -ENODEV;
	if (err) {
		log_warn(p->dev.name, "MSI-X and MSI refused: %s at 0x%02x",
			 l.fault, l.fault_at);
		return err;
	}
	if (msi_asked("msi")) {
		fmt_snprintf(m->why, sizeof(m->why), "no MSI-X: msi=msi");
		err = -ENOENT;
	} else {
		err = msi_try(p, &l, m, &msix_ops);
		if (!err || err == -ENODEV)
			return err;
		msi_passed_over(m, &msix_ops, err);
	}
	second = msi_try(p, &l, m, &msi_plain_ops);
	if (second == -ENOENT)
		second = err;
	return second == -ENOENT ? -ENODEV : second;
}
