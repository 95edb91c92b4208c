/* SPDX-License-Identifier: MIT */
/*
 * Interrupt remapping as msi/remap.h wants it, without a specification's
 * format: a table of entries that belong to devices, and a message that names
 * one by its index in the data. Entries are cached as an IOMMU caches them:
 * what was used once is used again until it is flushed.
 */
#ifndef TESTS_FAKE_REMAP_H
#define TESTS_FAKE_REMAP_H

#include "msi/remap.h"

#define FAKE_REMAP_ENTRIES	64
#define FAKE_REMAP_ADDR		UINT64_C(0xfee00010)	/* bit 4: remappable */

struct fake_remap_entry {
	bool taken, present;
	uint16_t bdf;
	struct remap_target to;
	/* what the hardware remembers: */
	bool cached;
	struct remap_target was;
};

struct fake_remap {
	struct fake_remap_entry entry[FAKE_REMAP_ENTRIES];
	unsigned swaps;			/* set() calls that did it */
	unsigned blocked;		/* messages that named nothing of theirs */
	unsigned stale;			/* used from the cache, and wrong */

	/* how to misbehave: */
	bool absent;			/* compose() leaves the entry absent */
	bool no_flush;			/* set() leaves the cache alone */
	bool foreign;			/* compose() names another's entry */
	int refuse;			/* what compose() and set() say instead */
};
extern struct fake_remap fake_remap;

/* Forget all, and be who remaps every device; stop gives it back. */
void fake_remap_start(void);
void fake_remap_stop(void);

#endif
