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

/* "msi=…" is the person's own wish. */
static bool msi_asked(const char *word)
{
	char given[8];

	return cmdline_get("msi", given, sizeof(given)) == 0 &&
	       strcmp(given, word) == 0;
}

/* Who forbids this way, or NULL. */
static const char *msi_forbidden(unsigned way, unsigned use,
				 const struct quirk *q)
{
	if (!(use & way))
		return "its driver cannot use it";
	if (msi_asked("off"))
		return "msi=off";
	if (msi_asked("msi") && way == IRQ_MSIX)
		return "msi=msi";
	return q->never & way ? q->why : NULL;
}

/* Remember in m->why that ops was passed over, and for which reason. */
static void msi_passed_over(struct msi *m, const struct msi_ops *ops,
			    const char *reason)
{
	size_t len = strlen(m->why);

	fmt_snprintf(m->why + len, sizeof(m->why) - len, "%sno %s: %s",
		     len ? "; " : "", ops->title, reason);
}

/* 0; -ENOENT (it has none, or may not), or why not. A lie is said once. */
static int msi_try(const struct pci_dev *p, const struct pci_caps *l,
		   struct msi *m, const struct msi_ops *ops,
		   const char *forbidden)
{
	int err = forbidden ? -ENOENT : ops->parse(p, l, &m->c);

	if (!err) {
		m->ops = ops;
		return 0;
	}
	if (err != -ENOENT)
		log_warn(p->dev.name, "%s refused: %s", ops->title, m->c.why);
	msi_passed_over(m, ops, forbidden ? forbidden : err == -ENOENT ?
			"the device has none" : m->c.why);
	return err;
}

/* No list to be trusted: what is in it may not be there at all. */
static int msi_no_list(const struct pci_dev *p, struct msi *m,
		       const struct pci_caps *l)
{
	char fault[MSI_WHY];

	fmt_snprintf(fault, sizeof(fault), "%s at 0x%02x", l->fault,
		     l->fault_at);
	log_warn(p->dev.name, "MSI-X and MSI refused: %s", fault);
	msi_passed_over(m, &msix_ops, fault);
	msi_passed_over(m, &msi_plain_ops, fault);
	return -EINVAL;
}

int msi_choose(struct pci_dev *p, struct msi *m, unsigned use)
{
	static const struct msi_ops *const order[] = {
		&msix_ops, &msi_plain_ops,
	};
	int err, worst = -ENODEV;
	struct pci_caps l;
	struct quirk q;

	m->why[0] = '\0';
	err = pci_read_caps(p, &l);
	if (err == -ENODEV)
		return err;
	msi_quiet(p, &l);
	quirk_of(p, &q);
	m->limit = q.max;
	if (err && msi_forbidden(IRQ_MSIX, use, &q) == NULL)
		return msi_no_list(p, m, &l);
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		err = msi_try(p, &l, m, order[i],
			      msi_forbidden(order[i]->way, use, &q));
		if (!err || err == -ENODEV)
			return err;
		if (err != -ENOENT)
			worst = err;
	}
	return worst;
}
