/* SPDX-License-Identifier: MIT */
/*
 * VT-d in this kernel.
 *
 * Start: vtd_start() takes the units of the DMAR table one by one through
 * probe (registers sane, leftovers switched off) and start (an empty root
 * table, the invalidation queue, the fault event), and only when all of them
 * got that far switches translation on, again in all of them. One unit that
 * fails undoes the others: devices behind it could reach all of memory,
 * so nobody may believe in protection.
 *
 * From then on a requester without a context entry is refused. Attaching one
 * writes its context entry, which names the domain's page table and id;
 * detaching clears it. Both forget everything that the unit has cached: they
 * are rare, and it leaves no case to reason about.
 *
 * A mapping (viommu/domain_dma.c) writes the page table, and is complete with
 * that: a unit does not remember what was not there. (One in caching mode, an
 * emulated one with a shadow table, does, so for it the range is invalidated;
 * one with a write buffer has that flushed.) Unmapping clears the entries,
 * makes the unit forget the range with one descriptor, and frees page tables
 * after that.
 *
 * Locks: domain->lock covers its page table; unit->lock, inside of it, the
 * invalidation queue. Context entries belong to the attaching thread.
 *
 * Not used: scalable mode, pass-through, device IOTLBs, page requests,
 * register-based invalidation (a unit without a queue is refused), interrupt
 * remapping, PCI segments other than 0.
 */
#include "viommu/vtd.h"

#include "core/cpu.h"
#include "core/errno.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/page.h"

_Static_assert(DOMAIN_READ == SLPT_R && DOMAIN_WRITE == SLPT_W, "slpt.h");

static struct vtd {
	struct acpi_dmar dmar;
	unsigned nunits;
	struct vtd_unit *unit;
} vtd;

static struct vtd_domain *vtd_domain(struct domain *d)
{
	return container_of(d, struct vtd_domain, domain);
}

struct vtd_unit *vtd_unit(unsigned n)
{
	return n < vtd.nunits ? &vtd.unit[n] : NULL;
}

static unsigned vtd_units(void)
{
	return vtd.nunits;
}

/* ---- start and stop ---- */

void vtd_stop(void)
{
	for (unsigned i = vtd.nunits; i-- > 0; )
		vtd_unit_stop(&vtd.unit[i]);
	heap_free(vtd.unit);
	vtd.unit = NULL;
	vtd.nunits = 0;
}

static int vtd_start_units(void)
{
	unsigned i;
	int err = 0;

	for (i = 0; i < vtd.nunits && !err; i++)
		err = vtd_unit_probe(&vtd.unit[i], i, vtd.dmar.unit[i].base);
	for (i = 0; i < vtd.nunits && !err; i++)
		err = vtd_unit_start(&vtd.unit[i]);
	for (i = 0; i < vtd.nunits && !err; i++)
		err = vtd_unit_enable(&vtd.unit[i]);
	return err;
}

int vtd_start(const struct acpi_dmar *dmar)
{
	int err;

	if (!dmar->nunits || dmar->left_out) {
		log_err("vt-d", "the DMAR table has %u units, and %u things too many",
			dmar->nunits, dmar->left_out);
		return dmar->nunits ? -EOVERFLOW : -ENODEV;
	}
	vtd.unit = heap_calloc(dmar->nunits, sizeof(*vtd.unit));
	if (!vtd.unit)
		return -ENOMEM;
	vtd.dmar = *dmar;
	vtd.nunits = dmar->nunits;
	err = vtd_start_units();
	if (err)
		vtd_stop();
	return err;
}

/* ---- domains ---- */

static int vtd_take_id(struct vtd_unit *u, uint16_t *id)
{
	unsigned most = 1u << (4 + 2 * (unsigned)FIELD_GET(VTD_CAP_ND, u->cap));

	/* Id 0 tags what a unit in caching mode knows of absent entries. */
	for (unsigned i = 1; i < MIN(most, VTD_DOMAINS); i++) {
		if (u->used[i / 64] & BIT_ULL(i % 64))
			continue;
		u->used[i / 64] |= BIT_ULL(i % 64);
		*id = i;
		return 0;
	}
	return -ENOSPC;
}

static void vtd_give_id(struct vtd_unit *u, uint16_t id)
{
	u->used[id / 64] &= ~BIT_ULL(id % 64);
}

static int vtd_domain_init(struct domain *d, const struct pci_dev *p)
{
	struct vtd_domain *vd = vtd_domain(d);
	int n = vtd_scope_unit(&vtd.dmar, p), err;

	if (n < 0) {
		log_err(p->dev.name, "is behind no unit of the DMAR table");
		return n;
	}
	vd->unit = &vtd.unit[n];
	err = vtd_take_id(vd->unit, &vd->id);
	if (err)
		return err;
	err = slpt_init(&vd->pt, vd->unit->levels, vd->unit->largest,
			vd->unit->flush);
	if (err)
		goto err_id;
	d->first = 0;
	d->last = (UINT64_C(1) << vd->unit->width) - 1;
	return 0;

err_id:
	vtd_give_id(vd->unit, vd->id);
	return err;
}

static void vtd_domain_fini(struct domain *d)
{
	struct vtd_domain *vd = vtd_domain(d);

	slpt_release(&vd->pt, &vd->unhooked);
	slpt_fini(&vd->pt);
	vtd_give_id(vd->unit, vd->id);
}

/* ---- context entries ---- */

static void vtd_write_entry(struct vtd_unit *u, struct vtd_entry *e, le64 lo,
			    le64 hi)
{
	/* lo has the present bit: it is valid only when hi is there. */
	WRITE_ONCE(e->hi, hi);
	dma_wmb();
	WRITE_ONCE(e->lo, lo);
	if (u->flush)
		u->flush(e, sizeof(*e));
}

/* The context entry of rid; its table is made when the bus has none. */
static struct vtd_entry *vtd_context(struct vtd_unit *u, uint16_t rid)
{
	unsigned bus = PCI_BUS(rid);
	struct vtd_entry *table;

	if (!(u->root[bus].lo & VTD_ROOT_P)) {
		table = page_alloc_zero(0);
		if (!table)
			return NULL;
		if (u->flush)
			u->flush(table, PAGE_SIZE);
		vtd_write_entry(u, &u->root[bus],
				virt_to_phys(table) | VTD_ROOT_P, 0);
	}
	return &vtd_unit_contexts(u, bus)[rid & 0xff];
}

static int vtd_attach(struct domain *d, uint16_t rid)
{
	struct vtd_domain *vd = vtd_domain(d);
	struct vtd_entry *e = vtd_context(vd->unit, rid);
	int err;

	if (!e)
		return -ENOMEM;
	if (e->lo & VTD_CTX_P)
		return -EBUSY;
	vtd_write_entry(vd->unit, e,
			virt_to_phys(vd->pt.root) | VTD_CTX_P |
			FIELD_PREP(VTD_CTX_TT, VTD_TT_TABLE),
			FIELD_PREP(VTD_CTX_AW, vd->pt.levels - 2) |
			FIELD_PREP(VTD_CTX_DID, vd->id));
	err = vtd_qi_flush_all(vd->unit);
	if (err)
		vtd_write_entry(vd->unit, e, 0, 0);
	return err;
}

static int vtd_detach(struct domain *d, uint16_t rid)
{
	struct vtd_domain *vd = vtd_domain(d);
	struct vtd_entry *e = vtd_context(vd->unit, rid);

	/* First not present, then empty. */
	WRITE_ONCE(e->lo, 0);
	vtd_write_entry(vd->unit, e, 0, 0);
	return vtd_qi_flush_all(vd->unit);
}

/* ---- mappings ---- */

/* Memory that is short may be waiting in empty tables. */
static int vtd_map_after_trim(struct vtd_domain *vd, iova_t iova, phys_t pa,
			      uint64_t size, unsigned prot)
{
	int err;

	slpt_trim(&vd->pt, &vd->unhooked);
	if (!vd->unhooked.first)
		return -ENOMEM;
	err = vtd_qi_flush_all(vd->unit);
	if (err)
		return err;
	slpt_release(&vd->pt, &vd->unhooked);
	return slpt_map(&vd->pt, iova, pa, size, prot);
}

static int vtd_map(struct domain *d, iova_t iova, phys_t pa, uint64_t size,
		   unsigned prot)
{
	struct vtd_domain *vd = vtd_domain(d);
	int err = slpt_map(&vd->pt, iova, pa, size, prot);

	if (err == -ENOMEM)
		err = vtd_map_after_trim(vd, iova, pa, size, prot);
	return err;
}

static int vtd_commit(struct domain *d, iova_t iova, uint64_t size)
{
	struct vtd_domain *vd = vtd_domain(d);
	struct vtd_unit *u = vd->unit;

	if (u->cap & VTD_CAP_CM)
		return vtd_qi_flush_pages(u, vd->id, iova, size);
	if (u->cap & VTD_CAP_RWBF)
		return vtd_unit_flush_writes(u);
	return 0;
}

static int vtd_unmap(struct domain *d, iova_t iova, uint64_t size)
{
	struct vtd_domain *vd = vtd_domain(d);
	int err, unmapped;

	unmapped = slpt_unmap(&vd->pt, iova, size, &vd->unhooked);
	if (unmapped && unmapped != -ENOENT)
		return unmapped;
	err = vtd_qi_flush_pages(vd->unit, vd->id, iova, size);
	if (err)
		return err;
	slpt_release(&vd->pt, &vd->unhooked);
	return unmapped;
}

/* ---- the rest of the ops ---- */

static int vtd_regions(const struct pci_dev *p, struct domain_region *r,
		       unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; i < vtd.dmar.nrmrrs; i++) {
		if (vtd.dmar.rmrr[i].segment ||
		    !vtd_scope_has(&vtd.dmar, vtd.dmar.rmrr[i].scope,
				   vtd.dmar.rmrr[i].nscope, p))
			continue;
		if (n == max)
			return -EOVERFLOW;
		r[n++] = (struct domain_region){
			.first = vtd.dmar.rmrr[i].base,
			.last = vtd.dmar.rmrr[i].last,
			.identity = true,
		};
	}
	return (int)n;
}

static bool vtd_covers(const struct pci_dev *p)
{
	return vtd_scope_unit(&vtd.dmar, p) >= 0;
}

static void vtd_poll_faults(void)
{
	for (unsigned i = 0; i < vtd.nunits; i++)
		vtd_fault_collect(&vtd.unit[i]);
}

static void vtd_print(void)
{
	for (unsigned i = 0; i < vtd.nunits; i++) {
		const struct vtd_unit *u = &vtd.unit[i];

		console_printf("  %s at %#llx: %u bits, %u levels, %llu descriptors, %llu refused%s\n",
			       u->name, (unsigned long long)u->base, u->width,
			       u->levels, (unsigned long long)u->submitted,
			       (unsigned long long)u->refused,
			       u->dead ? ", dead" : "");
	}
}

const struct domain_ops vtd_ops = {
	.name = "vt-d",
	.size = sizeof(struct vtd_domain),
	.covers = vtd_covers,
	.init = vtd_domain_init,
	.fini = vtd_domain_fini,
	.attach = vtd_attach,
	.detach = vtd_detach,
	.regions = vtd_regions,
	.map = vtd_map,
	.commit = vtd_commit,
	.unmap = vtd_unmap,
	.poll_faults = vtd_poll_faults,
	.stop = vtd_stop,
	.print = vtd_print,
	.units = vtd_units,
};
