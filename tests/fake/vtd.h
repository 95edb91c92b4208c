/* SPDX-License-Identifier: MIT */
/*
 * A VT-d remapping unit for the host tests, at the level of its registers.
 * Written from the specification; it shares only vtdreg.h with the driver.
 *
 * It walks root, context and second-level tables in the arena by itself, and
 * it *caches*: a translation, once used, is used again until it is
 * invalidated, whatever the tables say by then. Each time that makes a
 * difference it counts a stale use, so a forgotten invalidation is seen. An
 * access of a width that the manual does not allow ends the test, as it ends
 * QEMU.
 *
 * host_dma_read/write() of the requesters from first to last go through it.
 */
#ifndef TESTS_FAKE_VTD_H
#define TESTS_FAKE_VTD_H

#include "tests/host/host.h"
#include "viommu/vtdreg.h"

#define FAKE_VTD_UNITS		4
#define FAKE_VTD_RECORDS	4
#define FAKE_VTD_TLB		1024
#define FAKE_VTD_BASE		UINT64_C(0xfed90000)

/* QEMU 7.2's capabilities, with 39 bits. */
#define FAKE_VTD_CAP		UINT64_C(0x00d2008c22260206)
#define FAKE_VTD_ECAP		UINT64_C(0x0000000000f00f4a)

struct fake_vtd_tlb {
	bool used;
	uint16_t sid, did;
	iova_t page;
	phys_t pa;
	uint64_t prot;
};

struct fake_vtd {
	phys_t base;
	uint16_t first, last;		/* the requesters behind it */
	uint64_t cap, ecap;
	uint32_t gsts, fsts, fectl, fedata, feaddr, feuaddr;
	uint64_t rtaddr, root;		/* as written; as latched by SRTP */
	uint64_t iqa, iqt, iqh;
	struct vtd_entry record[FAKE_VTD_RECORDS];
	struct vtd_entry context[VTD_ENTRIES * VTD_ENTRIES];	/* as cached */
	bool context_cached[VTD_ENTRIES * VTD_ENTRIES];
	struct fake_vtd_tlb tlb[FAKE_VTD_TLB];
	unsigned next_tlb;

	/* what was seen: */
	unsigned stale;			/* uses that the tables no longer allow */
	unsigned faults;
	unsigned descs, page_invs, domain_invs, global_invs, context_invs;
	unsigned interrupts;
	unsigned write_flushes;		/* WBF commands */

	/* how to misbehave: */
	bool gone;			/* all ones */
	bool deaf;			/* GCMD is ignored */
	bool no_te;			/* translation never comes on */
	bool queue_stuck;		/* the queue's head never moves */
	unsigned refuse;		/* the next so many descriptors: IQE */
	bool forgets_nothing;		/* invalidations are done in name only */
};

/* On the bus, at FAKE_VTD_BASE + n pages, with all requesters behind it. */
void fake_vtd_add(struct fake_vtd *v, unsigned n);
/* Where a request of this requester goes now, or NULL; no caching, no fault. */
void *fake_vtd_peek(struct fake_vtd *v, uint16_t sid, iova_t addr, bool write);

#endif
