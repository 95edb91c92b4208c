/* SPDX-License-Identifier: MIT */
/*
 * An AMD IOMMU for the host tests, at the level of its registers and of its
 * PCI function's capability. Written from the specification; it shares only
 * amdvireg.h with the driver.
 *
 * It walks the device table and page tables in the arena by itself, and it
 * *caches* all of them: what it has read, and (as NpCache says) that there was
 * nothing, it does not read again until that is invalidated. Each time that
 * makes a difference it counts a stale use. An access of another width than
 * 64 bits, and a device table or page table that the manual does not allow,
 * end the test.
 */
#ifndef TESTS_FAKE_AMDVI_H
#define TESTS_FAKE_AMDVI_H

#include "tests/host/host.h"
#include "viommu/amdvireg.h"

#define FAKE_AMDVI_UNITS	2
#define FAKE_AMDVI_TLB		256
#define FAKE_AMDVI_BASE		UINT64_C(0xfed80000)
#define FAKE_AMDVI_EFR		UINT64_C(0x29d3)	/* QEMU 7.2 */
#define FAKE_AMDVI_CAP		0x1f03		/* the same; bits 31:16 */

struct fake_amdvi_tlb {
	bool used;
	uint16_t sid, domain;
	iova_t page;
	phys_t pa;
	bool r, w;			/* neither: remembers that none is there */
};

struct fake_amdvi {
	struct fake_pci pci;
	unsigned cap;			/* offset of the capability */
	phys_t base;
	uint16_t first, last;		/* the requesters behind it */
	uint64_t efr, devtab, cmdbase, evbase, ctrl, status;
	uint64_t cmdhead, cmdtail, evhead, evtail;
	struct amdvi_dte dte[AMDVI_DEVICES];	/* as cached */
	bool dte_cached[AMDVI_DEVICES];
	struct fake_amdvi_tlb tlb[FAKE_AMDVI_TLB];
	unsigned next_tlb;

	/* what was seen: */
	unsigned stale;			/* uses that the tables no longer allow */
	unsigned cmds, page_invs, devtab_invs, all_invs, waits, faults;
	uint64_t last_pages[2];		/* the latest INVALIDATE_IOMMU_PAGES */

	/* how to misbehave: */
	bool gone;			/* all ones */
	bool deaf;			/* writes to the control register */
	bool no_run;			/* the rings never run */
	bool stuck;			/* the command buffer's head never moves */
	bool no_wait;			/* COMPLETION_WAIT stores nothing */
	bool mute;			/* no events, as QEMU 7.2 */
	bool forgets_nothing;		/* invalidations in name only */
};

/* On the bus as 00:01.n, with all requesters behind it. */
void fake_amdvi_add(struct fake_amdvi *v, unsigned n);

#endif
