/* SPDX-License-Identifier: MIT */
/*
 * AMD-Vi in this kernel.
 *
 * Start: amdvi_start() takes the IOMMUs of the IVRS table one by one through
 * probe (the PCI function and its registers are sane, leftovers switched off),
 * and only when all of them got that far starts them: a device table in which
 * every requester is blocked (valid, but neither readable nor writable), the
 * command buffer, the event log. One that fails undoes the others: devices
 * behind it could reach all of memory, so nobody may believe in protection.
 *
 * Attaching a requester writes its device table entry, which names the
 * domain's page table and id; detaching blocks it again. Both make the unit
 * forget the entry and all of the domain.
 *
 * A mapping (viommu/domain_dma.c) writes the page table. A unit that says that
 * it remembers what was not there (NpCache) forgets the range then. Unmapping
 * clears the entries and makes the unit forget the range. Page tables are 3
 * levels: 39 bits are far more than we ever map, and they end below the
 * addresses that HyperTransport reserves (2.1.2).
 *
 * Locks: domain->lock covers its page table; unit->lock, inside of it, the
 * command buffer. Device table entries belong to the attaching thread.
 *
 * Not used: pages larger than 4 KiB, guest translation, device IOTLBs, page
 * requests, interrupt remapping (messages pass as they are), PCI segments
 * other than 0, units without INVALIDATE_IOMMU_ALL.
 */
#include "viommu/amdvi.h"

#include "core/cpu.h"
#include "core/errno.h"
#include "core/heap.h"
#include "core/log.h"

/* IVMD flags, 5.2.2.8. */
#define AMDVI_MEM_UNITY		BIT(0)
#define AMDVI_MEM_EXCLUSION	BIT(3)

static struct amdvi {
	struct acpi_ivrs ivrs;
	unsigned nunits;
	struct amdvi_unit *unit;
} amdvi;

static struct amdvi_domain *amdvi_domain(struct domain *d)
{
	return container_of(d, struct amdvi_domain, domain);
}

struct amdvi_unit *amdvi_unit(unsigned n)
{
	return n < amdvi.nunits ? &amdvi.unit[n] : NULL;
}

static unsigned amdvi_units(void)
{
	return amdvi.nunits;
}

/* ---- start and stop ---- */

void amdvi_stop(void)
{
	for (unsigned i = amdvi.nunits; i-- > 0; )
		amdvi_unit_stop(&amdvi.unit[i]);
	heap_free(amdvi.unit);
	amdvi.unit = NULL;
	amdvi.nunits = 0;
}

static int amdvi_start_units(void)
{
	unsigned i;
	int err = 0;

	for (i = 0; i < amdvi.nunits && !err; i++)
		err = amdvi_unit_probe(&amdvi.unit[i], i,
				       amdvi.ivrs.unit[i].base,
				       amdvi.ivrs.unit[i].bdf,
				       amdvi.ivrs.unit[i].cap_offset);
	for (i = 0; i < amdvi.nunits && !err; i++)
		err = amdvi_unit_start(&amdvi.unit[i]);
	return err;
}

int amdvi_start(const struct acpi_ivrs *ivrs)
{
	int err;

	if (!ivrs->nunits || ivrs->left_out) {
		log_err("amd-vi", "the IVRS table has %u IOMMUs, and %u things too many",
			ivrs->nunits, ivrs->left_out);
		return ivrs->nunits ? -EOVERFLOW : -ENODEV;
	}
	amdvi.unit = heap_calloc(ivrs->nunits, sizeof(*amdvi.unit));
	if (!amdvi.unit)
		return -ENOMEM;
	amdvi.ivrs = *ivrs;
	amdvi.nunits = ivrs->nunits;
	err = amdvi_start_units();
	if (err)
		amdvi_stop();
	return err;
}

/* ---- who is behind which unit ---- */

static bool amdvi_is_own(const struct pci_dev *p)
{
	for (unsigned i = 0; i < amdvi.nunits; i++)
		if (amdvi.unit[i].bdf == p->bdf &&
		    !amdvi.ivrs.unit[i].segment)
			return true;
	return false;
}

/* The unit that translates p, or NULL. */
static struct amdvi_unit *amdvi_unit_of(const struct pci_dev *p)
{
	for (unsigned i = 0; i < amdvi.ivrs.nranges; i++) {
		unsigned n = amdvi.ivrs.range[i].unit;

		if (!amdvi.ivrs.unit[n].segment &&
		    p->bdf >= amdvi.ivrs.range[i].first &&
		    p->bdf <= amdvi.ivrs.range[i].last)
			return amdvi_unit(n);
	}
	return NULL;
}

static bool amdvi_covers(const struct pci_dev *p)
{
	return !amdvi_is_own(p) && amdvi_unit_of(p);
}

/* ---- domains ---- */

static int amdvi_take_id(struct amdvi_unit *u, uint16_t *id)
{
	/* Id 0 is that of the blocked. */
	for (unsigned i = 1; i < AMDVI_DOMAINS; i++) {
		if (u->used[i / 64] & BIT_ULL(i % 64))
			continue;
		u->used[i / 64] |= BIT_ULL(i % 64);
		*id = i;
		return 0;
	}
	return -ENOSPC;
}

static void amdvi_give_id(struct amdvi_unit *u, uint16_t id)
{
	u->used[id / 64] &= ~BIT_ULL(id % 64);
}

static int amdvi_domain_init(struct domain *d, const struct pci_dev *p)
{
	struct amdvi_domain *ad = amdvi_domain(d);
	int err;

	ad->unit = amdvi_unit_of(p);
	if (!ad->unit) {
		log_err(p->dev.name, "is behind no IOMMU of the IVRS table");
		return -ENXIO;
	}
	err = amdvi_take_id(ad->unit, &ad->id);
	if (err)
		return err;
	err = amdpt_init(&ad->pt, AMDVI_LEVELS);
	if (err)
		goto err_id;
	d->first = 0;
	d->last = AMDPT_SPAN(AMDVI_LEVELS + 1) - 1;
	return 0;

err_id:
	amdvi_give_id(ad->unit, ad->id);
	return err;
}

static void amdvi_domain_fini(struct domain *d)
{
	struct amdvi_domain *ad = amdvi_domain(d);

	amdpt_fini(&ad->pt);
	amdvi_give_id(ad->unit, ad->id);
}

static int amdvi_attach(struct domain *d, uint16_t rid)
{
	struct amdvi_domain *ad = amdvi_domain(d);
	struct amdvi_unit *u = ad->unit;
	int err;

	if (u->devtab[rid].word[0] & (AMDVI_DTE_IR | AMDVI_DTE_IW))
		return -EBUSY;
	amdvi_unit_set_device(u, rid, &ad->pt, ad->id);
	err = amdvi_cmd_flush_device(u, rid, ad->id);
	if (err)
		amdvi_unit_set_device(u, rid, NULL, 0);
	return err;
}

static int amdvi_detach(struct domain *d, uint16_t rid)
{
	struct amdvi_domain *ad = amdvi_domain(d);

	amdvi_unit_set_device(ad->unit, rid, NULL, 0);
	return amdvi_cmd_flush_device(ad->unit, rid, ad->id);
}

/* ---- mappings ---- */

static int amdvi_map(struct domain *d, iova_t iova, phys_t pa, uint64_t size,
		     unsigned prot)
{
	return amdpt_map(&amdvi_domain(d)->pt, iova, pa, size,
			 (prot & DOMAIN_READ ? AMDPT_IR : 0) |
			 (prot & DOMAIN_WRITE ? AMDPT_IW : 0));
}

static int amdvi_commit(struct domain *d, iova_t iova, uint64_t size)
{
	struct amdvi_domain *ad = amdvi_domain(d);

	/* A dead unit is none to map on, whatever it remembers. */
	if (!ad->unit->np_cache)
		return READ_ONCE(ad->unit->dead);
	return amdvi_cmd_flush_pages(ad->unit, ad->id, iova, size);
}

static int amdvi_unmap(struct domain *d, iova_t iova, uint64_t size)
{
	struct amdvi_domain *ad = amdvi_domain(d);
	int unmapped = amdpt_unmap(&ad->pt, iova, size), err;

	if (unmapped && unmapped != -ENOENT)
		return unmapped;
	err = amdvi_cmd_flush_pages(ad->unit, ad->id, iova, size);
	return err ? err : unmapped;
}

/* ---- the rest of the ops ---- */

static int amdvi_regions(const struct pci_dev *p, struct domain_region *r,
			 unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; i < amdvi.ivrs.nmem; i++) {
		if (p->bdf < amdvi.ivrs.mem[i].bdf_first ||
		    p->bdf > amdvi.ivrs.mem[i].bdf_last)
			continue;
		if (n == max)
			return -EOVERFLOW;
		r[n++] = (struct domain_region){
			.first = amdvi.ivrs.mem[i].base,
			.last = amdvi.ivrs.mem[i].base +
				amdvi.ivrs.mem[i].size - 1,
			.identity = amdvi.ivrs.mem[i].flags &
				    (AMDVI_MEM_UNITY | AMDVI_MEM_EXCLUSION),
		};
	}
	return (int)n;
}

static void amdvi_poll_faults(void)
{
	for (unsigned i = 0; i < amdvi.nunits; i++)
		amdvi_event_collect(&amdvi.unit[i]);
}

static bool amdvi_silent(void)
{
	uint64_t events = 0;

	for (unsigned i = 0; i < amdvi.nunits; i++)
		events += amdvi.unit[i].events;
	return !events;
}

static void amdvi_print(void)
{
	for (unsigned i = 0; i < amdvi.nunits; i++) {
		const struct amdvi_unit *u = &amdvi.unit[i];

		console_printf("  %s at %#llx: %u levels, %llu commands, %llu events%s\n",
			       u->name, (unsigned long long)u->base,
			       AMDVI_LEVELS, (unsigned long long)u->submitted,
			       (unsigned long long)u->events,
			       u->dead ? ", dead" : "");
	}
}

const struct domain_ops amdvi_ops = {
	.name = "amd-vi",
	.size = sizeof(struct amdvi_domain),
	.is_own = amdvi_is_own,
	.covers = amdvi_covers,
	.init = amdvi_domain_init,
	.fini = amdvi_domain_fini,
	.attach = amdvi_attach,
	.detach = amdvi_detach,
	.regions = amdvi_regions,
	.map = amdvi_map,
	.commit = amdvi_commit,
	.unmap = amdvi_unmap,
	.poll_faults = amdvi_poll_faults,
	.silent = amdvi_silent,
	.stop = amdvi_stop,
	.print = amdvi_print,
	.units = amdvi_units,
};
