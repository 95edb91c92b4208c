/* SPDX-License-Identifier: MIT */
/*
 * What is AMD-Vi's own, from within; the rest of the suite is in iommu.c. The
 * unit is asked by its registers, and the device table read as the unit reads
 * it, so that nothing here is only what the driver believes.
 */
#include "core/report.h"
#include "viommu/amdvi.h"
#include "viommu/domain.h"

KTEST(iommu, amdvi_the_units_say_that_they_translate)
{
	const uint64_t on = AMDVI_CTRL_IOMMUEN | AMDVI_CTRL_CMDBUFEN |
			    AMDVI_CTRL_EVENTLOGEN;
	struct amdvi_unit *u;

	if (!amdvi_unit(0))
		ktest_skip(t, "no AMD-Vi");
	for (unsigned i = 0; (u = amdvi_unit(i)); i++) {
		KEXPECT_EQ(t, io_read64(&u->regs, AMDVI_CONTROL) & on, on);
		KEXPECT_EQ(t, io_read64(&u->regs, AMDVI_DEVTAB_BASE) &
			   AMDVI_DEVTAB_ADDR, virt_to_phys(u->devtab));
		KEXPECT_EQ(t, u->dead, 0);
	}
}

KTEST(iommu, amdvi_who_is_in_no_domain_may_neither_read_nor_write)
{
	struct amdvi_unit *u = amdvi_unit(0);
	unsigned open = 0, attached = 0, rids = 0;
	struct domain *d;

	if (!u) {
		ktest_skip(t, "no AMD-Vi");
		return;
	}
	for (unsigned rid = 0; rid < AMDVI_DEVICES; rid++) {
		le64 e = u->devtab[rid].word[0];

		attached += !!(e & (AMDVI_DTE_IR | AMDVI_DTE_IW));
		open += !(e & AMDVI_DTE_V) || !(e & AMDVI_DTE_TV) ||
			(e & (AMDVI_DTE_IR | AMDVI_DTE_IW) &&
			 !(e & AMDVI_DTE_MODE));
	}
	KEXPECT_EQ(t, open, 0);
	list_for_each(d, &domain_list, node)
		rids += d->nrids;
	KEXPECT_EQ(t, attached, rids);
}
