/* SPDX-License-Identifier: MIT */
#include "viommu/amdvi.h"

#include "core/cpu.h"
#include "core/errno.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/page.h"
#include "core/pci.h"

#define AMDVI_DEVTAB_BYTES	(AMDVI_DEVICES * sizeof(struct amdvi_dte))

/* What we switch on, and whatever else a kernel before us may have. */
#define AMDVI_CTRL_OURS	(AMDVI_CTRL_IOMMUEN | AMDVI_CTRL_EVENTLOGEN | \
			 AMDVI_CTRL_CMDBUFEN | AMDVI_CTRL_COHERENT)
#define AMDVI_CTRL_ANY	(AMDVI_CTRL_OURS | AMDVI_CTRL_EVENTINT | \
			 AMDVI_CTRL_COMWAITINT | AMDVI_CTRL_PPRLOGEN | \
			 AMDVI_CTRL_PPRINTEN | AMDVI_CTRL_PPREN | \
			 AMDVI_CTRL_GTEN | AMDVI_CTRL_GAEN | \
			 AMDVI_CTRL_GALOGEN)
#define AMDVI_STS_RUN	(AMDVI_STS_CMDRUN | AMDVI_STS_EVENTRUN)

/* The rings first: 3.4.4 wants them idle before the unit is switched off. */
static int amdvi_unit_off(struct amdvi_unit *u)
{
	uint64_t ctrl = io_read64(&u->regs, AMDVI_CONTROL), sts;
	int err;

	if (ctrl == UINT64_MAX)
		return -ENODEV;
	ctrl &= ~(AMDVI_CTRL_ANY & ~AMDVI_CTRL_IOMMUEN);
	io_write64(&u->regs, AMDVI_CONTROL, ctrl);
	err = poll_until(sts, io_read64(&u->regs, AMDVI_STATUS),
			 !(sts & AMDVI_STS_RUN), time_now() + AMDVI_TIMEOUT);
	if (err)
		return err;
	io_write64(&u->regs, AMDVI_CONTROL, ctrl & ~AMDVI_CTRL_IOMMUEN);
	return 0;
}

static int amdvi_unit_capability(struct amdvi_unit *u, unsigned cap_offset)
{
	uint32_t h = pci_config_read32(u->bdf, cap_offset + AMDVI_CAP_HEADER);

	if (h == UINT32_MAX ||
	    FIELD_GET(AMDVI_CAP_ID, h) != AMDVI_CAP_SECURE ||
	    FIELD_GET(AMDVI_CAP_TYPE, h) != AMDVI_CAP_IOMMU) {
		log_err(u->name, "no IOMMU is %02x:%02x.%x, which the IVRS table names (capability %#x)",
			PCI_BUS(u->bdf), PCI_SLOT(u->bdf), PCI_FUNC(u->bdf), h);
		return -ENODEV;
	}
	u->np_cache = h & AMDVI_CAP_NPCACHE;
	u->efr = h & AMDVI_CAP_EFRSUP ? io_read64(&u->regs, AMDVI_EFR) : 0;
	return 0;
}

int amdvi_unit_probe(struct amdvi_unit *u, unsigned n, phys_t base,
		     uint16_t bdf, unsigned cap_offset)
{
	int err;

	fmt_snprintf(u->name, sizeof(u->name), "amdvi%u", n);
	u->base = base;
	u->bdf = bdf;
	spin_init(&u->lock, "amdvi commands");
	spin_init(&u->event_lock, "amdvi events");
	err = io_map_mem(&u->regs, base, AMDVI_REGS_SIZE);
	if (err)
		return err;
	if (io_read64(&u->regs, AMDVI_STATUS) == UINT64_MAX) {
		log_err(u->name, "nothing answers at %#llx",
			(unsigned long long)base);
		return -ENODEV;
	}
	err = amdvi_unit_capability(u, cap_offset);
	if (err)
		return err;
	if (!(u->efr & AMDVI_EFR_IASUP)) {
		log_err(u->name, "cannot be used: features %#llx",
			(unsigned long long)u->efr);
		return -ENOTSUP;
	}
	/* Firmware, or a kernel before us, may have left it running. */
	err = amdvi_unit_off(u);
	if (err)
		log_err(u->name, "is on and stays on: %s", errno_name(err));
	return err;
}

/*
 * Word 0 is read in one piece, and with no rights in it the others do not
 * matter: so it is the last to be written on the way to a domain, and the
 * first on the way back.
 */
void amdvi_unit_set_device(struct amdvi_unit *u, uint16_t rid,
			   const struct amdpt *pt, uint16_t domain)
{
	struct amdvi_dte *e = &u->devtab[rid];

	if (!pt) {
		WRITE_ONCE(e->word[0], AMDVI_DTE_V | AMDVI_DTE_TV);
		dma_wmb();
		WRITE_ONCE(e->word[1], 0);
		return;
	}
	WRITE_ONCE(e->word[1], FIELD_PREP(AMDVI_DTE_DOMAIN, domain));
	dma_wmb();
	WRITE_ONCE(e->word[0], virt_to_phys(pt->root) | AMDVI_DTE_V |
		   AMDVI_DTE_TV | AMDVI_DTE_IR | AMDVI_DTE_IW |
		   FIELD_PREP(AMDVI_DTE_MODE, pt->levels));
}

/* An entry for every id there is, so that none is looked up beyond. */
static int amdvi_unit_make_table(struct amdvi_unit *u)
{
	u->devtab = page_alloc_zero(page_order(AMDVI_DEVTAB_BYTES));
	if (!u->devtab)
		return -ENOMEM;
	for (unsigned rid = 0; rid < AMDVI_DEVICES; rid++)
		amdvi_unit_set_device(u, rid, NULL, 0);
	io_write64(&u->regs, AMDVI_DEVTAB_BASE, virt_to_phys(u->devtab) |
		   FIELD_PREP(AMDVI_DEVTAB_SIZE,
			      AMDVI_DEVTAB_BYTES / PAGE_SIZE - 1));
	return 0;
}

static int amdvi_unit_on(struct amdvi_unit *u)
{
	uint64_t ctrl = io_read64(&u->regs, AMDVI_CONTROL), sts;

	if (ctrl == UINT64_MAX)
		return -ENODEV;
	u->running = true;
	io_write64(&u->regs, AMDVI_CONTROL, ctrl | AMDVI_CTRL_OURS);
	return poll_until(sts, io_read64(&u->regs, AMDVI_STATUS),
			  (sts & AMDVI_STS_RUN) == AMDVI_STS_RUN,
			  time_now() + AMDVI_TIMEOUT);
}

int amdvi_unit_start(struct amdvi_unit *u)
{
	int err = amdvi_unit_make_table(u);

	if (!err)
		err = amdvi_cmd_start(u);
	if (!err)
		err = amdvi_event_start(u);
	if (!err)
		err = amdvi_unit_on(u);
	/* Nothing older than the new table may survive in a cache. */
	if (!err)
		err = amdvi_cmd_flush_all(u);
	if (err) {
		log_err(u->name, "cannot be started: %s", errno_name(err));
		return err;
	}
	log_info(u->name, "at %#llx: features %#llx, %u of up to %u levels%s",
		 (unsigned long long)u->base, (unsigned long long)u->efr,
		 AMDVI_LEVELS, 4 + (unsigned)FIELD_GET(AMDVI_EFR_HATS, u->efr),
		 u->np_cache ? ", remembers what is not mapped" : "");
	return 0;
}

/* One that stays on keeps what it reads and writes. */
void amdvi_unit_stop(struct amdvi_unit *u)
{
	bool keep;
	int err = 0;

	if (!u->regs.space)
		return;
	if (u->running)
		err = amdvi_unit_off(u);
	keep = err && err != -ENODEV;
	if (err)
		log_err(u->name, "translation cannot be switched off");
	amdvi_event_stop(u, keep);
	amdvi_cmd_stop(u, keep);
	if (u->devtab && !keep)
		page_free(u->devtab, page_order(AMDVI_DEVTAB_BYTES));
	u->devtab = NULL;
	u->running = false;
	io_unmap(&u->regs);
}
