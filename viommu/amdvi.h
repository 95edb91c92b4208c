/* SPDX-License-Identifier: MIT */
/*
 * AMD-Vi: all the IOMMUs of a machine, host translation by version 1 page
 * tables, the command buffer, the event log. amdvi.c says how it works.
 */
#ifndef VIOMMU_AMDVI_H
#define VIOMMU_AMDVI_H

#include "core/acpi.h"
#include "core/io.h"
#include "core/lock.h"
#include "viommu/amdpt.h"
#include "viommu/amdvireg.h"
#include "viommu/domain.h"

#define AMDVI_TIMEOUT	NSEC_PER_SEC	/* for anything that a unit is told */
#define AMDVI_ENTRIES	256u		/* of the buffer and of the log: a page */
#define AMDVI_BATCH	8u		/* most commands in one submission */
#define AMDVI_DOMAINS	1024u		/* ids that we use; 0: the blocked */
#define AMDVI_LEVELS	3u		/* of page tables: 39 bits */

struct amdvi_unit {
	/* set once at start: */
	char name[8];			/* "amdvi0" */
	phys_t base;
	uint16_t bdf;			/* of its own PCI function */
	struct io regs;
	uint64_t efr;
	bool np_cache;			/* remembers what was not there */
	bool running;			/* by us: to be switched off */
	/* attaching thread: */
	struct amdvi_dte *devtab;
	uint64_t used[AMDVI_DOMAINS / 64];	/* domain ids */

	struct amdvi_entry *ring;
	le64 *done;			/* what COMPLETION_WAIT stores */
	struct spinlock lock;
	/* unit->lock: */
	unsigned tail;			/* free-running */
	uint64_t seq;			/* of the latest COMPLETION_WAIT */
	uint64_t submitted;		/* commands */
	int dead;			/* -errno: it does not answer any more */

	struct amdvi_entry *log;
	struct spinlock event_lock;
	/* unit->event_lock: */
	unsigned head;			/* of the log */
	uint64_t events;		/* entries read */
};

struct amdvi_domain {
	struct domain domain;		/* first: see domain.h */
	struct amdvi_unit *unit;
	uint16_t id;
	struct amdpt pt;		/* domain->lock */
};

extern const struct domain_ops amdvi_ops;

/*
 * Bring up every IOMMU of the IVRS table, all requesters blocked, or none.
 * 0; -EOVERFLOW (more of something than we have room for), -ENODEV (no such
 * function, or no answer), -ENOTSUP (lacks what we need), -ENOMEM, -ETIMEDOUT.
 * Each failure has been logged. Thread context, devices not mastering yet.
 */
int amdvi_start(const struct acpi_ivrs *ivrs);
/* Translation off and everything freed; harmless when nothing was started. */
void amdvi_stop(void);
/* The n-th unit, or NULL. */
struct amdvi_unit *amdvi_unit(unsigned n);

/* ---- amdvi_unit.c: one unit's registers ---- */

/* Map and check the registers, leave the unit off. Logs its failures. */
int amdvi_unit_probe(struct amdvi_unit *u, unsigned n, phys_t base,
		     uint16_t bdf, unsigned cap_offset);
/* Tables and buffers, and translation on: everybody is blocked. */
int amdvi_unit_start(struct amdvi_unit *u);
/* Undo both, from whatever point they got to. */
void amdvi_unit_stop(struct amdvi_unit *u);
/* Let requests of rid use a page table, or (root NULL) block them. */
void amdvi_unit_set_device(struct amdvi_unit *u, uint16_t rid,
			   const struct amdpt *pt, uint16_t domain);

/* ---- amdvi_cmd.c: the command buffer (2.4) ---- */

int amdvi_cmd_start(struct amdvi_unit *u);
/* keep: the unit may still use the pages, so they are not freed. */
void amdvi_cmd_stop(struct amdvi_unit *u, bool keep);
/*
 * Submit up to AMDVI_BATCH commands and wait until all before and with them
 * are done. 0; or the unit is dead from now on: -EIO (it refused one and has
 * halted), -ETIMEDOUT, -ENODEV. Any context; takes unit->lock.
 */
int amdvi_cmd_submit(struct amdvi_unit *u, const struct amdvi_entry *cmd,
		     unsigned n);
/* Forget everything. */
int amdvi_cmd_flush_all(struct amdvi_unit *u);
/* Forget the device's entry in the device table and all of the domain. */
int amdvi_cmd_flush_device(struct amdvi_unit *u, uint16_t rid, uint16_t domain);
/* Forget [iova, iova + size) of the domain, and tables that led there. */
int amdvi_cmd_flush_pages(struct amdvi_unit *u, uint16_t domain, iova_t iova,
			  uint64_t size);

/* ---- amdvi_event.c: the event log (2.5) ---- */

int amdvi_event_start(struct amdvi_unit *u);
void amdvi_event_stop(struct amdvi_unit *u, bool keep);
/* Report all entries there are. Any context. */
void amdvi_event_collect(struct amdvi_unit *u);

#endif
