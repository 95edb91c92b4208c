/* SPDX-License-Identifier: MIT */
/*
 * Intel VT-d: all the remapping units of a machine, legacy-mode translation
 * by second-level tables, queued invalidation, fault records. vtd.c says how
 * it works.
 */
#ifndef VIOMMU_VTD_H
#define VIOMMU_VTD_H

#include "core/acpi.h"
#include "core/io.h"
#include "core/lock.h"
#include "viommu/domain.h"
#include "viommu/slpt.h"
#include "viommu/vtdreg.h"

#define VTD_TIMEOUT	NSEC_PER_SEC	/* for anything that a unit is told */
#define VTD_QI_ENTRIES	256u		/* one page */
#define VTD_QI_BATCH	32u		/* most descriptors in one submission */
#define VTD_DOMAINS	1024u		/* ids that we use; 0 stays free */

struct vtd_unit {
	/* set once at start: */
	char name[8];			/* "vtd0" */
	phys_t base;
	struct io regs;
	uint64_t cap, ecap;
	unsigned levels, largest;	/* of second-level tables */
	unsigned width;			/* bits of I/O virtual address */
	void (*flush)(const void *p, size_t len);	/* NULL: coherent */
	unsigned cpu, vector;		/* of the fault event; 0: none */
	/* attaching thread: */
	struct vtd_entry *root;
	uint64_t used[VTD_DOMAINS / 64];	/* domain ids */

	struct vtd_desc *ring;
	le32 *status;			/* what wait descriptors write … */
	phys_t status_pa;		/* … and where the unit finds it */
	le64 drain;			/* of every IOTLB descriptor */
	int am_max;			/* largest address mask, -1: none */

	struct spinlock lock;
	/* unit->lock: */
	unsigned tail;			/* free-running */
	uint32_t seq;			/* of the latest wait descriptor */
	uint64_t submitted, refused;	/* descriptors */
	int dead;			/* -errno: it does not answer any more */

	struct spinlock fault_lock;	/* for the fault records */
};

struct vtd_domain {
	struct domain domain;		/* first: see domain.h */
	struct vtd_unit *unit;
	uint16_t id;
	/* domain->lock: */
	struct slpt pt;
	struct slpt_unhooked unhooked;	/* until the unit has forgotten them */
};

extern const struct domain_ops vtd_ops;

/*
 * Bring up every unit of the DMAR table, all requesters blocked, or none.
 * 0; -EOVERFLOW (more of something than we have room for), -ENODEV (a unit
 * does not answer), -ENOTSUP (lacks what we need), -ENOMEM, -ETIMEDOUT.
 * Each failure has been logged. Thread context, devices not mastering yet.
 */
int vtd_start(const struct acpi_dmar *dmar);
/* Translation off and everything freed; harmless when nothing was started. */
void vtd_stop(void);
/* The n-th unit, or NULL. */
struct vtd_unit *vtd_unit(unsigned n);

/* ---- vtd_unit.c: one unit's registers ---- */

/* Map and check the registers, leave translation off. Logs its failures. */
int vtd_unit_probe(struct vtd_unit *u, unsigned n, phys_t base);
/* Root table, queue, fault event; translation still off. */
int vtd_unit_start(struct vtd_unit *u);
/* Translate from here on: blocks what has no context entry. */
int vtd_unit_enable(struct vtd_unit *u);
/* Undo all three, from whatever point they got to. */
void vtd_unit_stop(struct vtd_unit *u);
/* Set some and clear some enables of GCMD, wait until GSTS agrees. */
int vtd_unit_command(struct vtd_unit *u, uint32_t set, uint32_t clear);
/*
 * 6.8 Write buffer flushing, for units that need it after mapping. Any
 * context; takes unit->lock.
 */
int vtd_unit_flush_writes(struct vtd_unit *u);
/* The context table that the root entry of bus, which is present, leads to. */
struct vtd_entry *vtd_unit_contexts(const struct vtd_unit *u, unsigned bus);

/* ---- vtd_qi.c: the invalidation queue (6.5.2) ---- */

int vtd_qi_start(struct vtd_unit *u);
void vtd_qi_stop(struct vtd_unit *u);
/*
 * Submit up to VTD_QI_BATCH descriptors and wait until all before and with
 * them are done. 0; -EIO (one was refused and has been replaced by nothing, the
 * others are done); -ETIMEDOUT, -ENODEV (the unit is dead from now on).
 * Any context; takes unit->lock.
 */
int vtd_qi_submit(struct vtd_unit *u, const struct vtd_desc *desc, unsigned n);
/* Forget every context entry and translation. */
int vtd_qi_flush_all(struct vtd_unit *u);
/*
 * Forget [iova, iova + size) of the domain and the tables that led there. As
 * above, but a refused descriptor is made good by forgetting everything.
 */
int vtd_qi_flush_pages(struct vtd_unit *u, uint16_t domain, iova_t iova,
		       uint64_t size);

/* ---- vtd_fault.c: fault records (7.3) ---- */

int vtd_fault_start(struct vtd_unit *u);
void vtd_fault_stop(struct vtd_unit *u);
/* Report and clear all records there are. Any context. */
void vtd_fault_collect(struct vtd_unit *u);
const char *vtd_fault_text(unsigned reason);

/* ---- vtd_scope.c: who is behind which unit (8.3) ---- */

/* Is p among scopes first to first + n - 1, itself or behind a bridge? */
bool vtd_scope_has(const struct acpi_dmar *dmar, unsigned first, unsigned n,
		   const struct pci_dev *p);
/* The index of the unit that translates p, or -ENXIO. */
int vtd_scope_unit(const struct acpi_dmar *dmar, const struct pci_dev *p);

#endif
