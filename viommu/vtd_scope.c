/* SPDX-License-Identifier: MIT */
#include "viommu/vtd.h"

#include "core/errno.h"

#define VTD_SCOPE_ENDPOINT	1	/* 8.3.1 */
#define VTD_SCOPE_BRIDGE	2

/*
 * The function at the end of a scope's path: from the start bus on, each
 * step but the last is a bridge whose secondary bus the next one is on.
 */
static const struct pci_dev *vtd_scope_resolve(const struct dmar_scope *s)
{
	const struct pci_dev *p = NULL;
	unsigned bus = s->bus;

	for (unsigned i = 0; i < s->npath; i++) {
		if (i && !bus)
			return NULL;		/* that was no bridge */
		p = pci_find(PCI_BDF(bus, s->path[i].dev, s->path[i].fn));
		if (!p)
			return NULL;
		bus = p->secondary;
	}
	return p;
}

static bool vtd_scope_covers(const struct dmar_scope *s,
			     const struct pci_dev *p)
{
	const struct pci_dev *named;

	if (s->type != VTD_SCOPE_ENDPOINT && s->type != VTD_SCOPE_BRIDGE)
		return false;
	named = vtd_scope_resolve(s);
	if (!named || s->type == VTD_SCOPE_ENDPOINT)
		return named == p && p;
	for (; p; p = p->parent) {
		if (p == named)
			return true;
	}
	return false;
}

bool vtd_scope_has(const struct acpi_dmar *dmar, unsigned first, unsigned n,
		   const struct pci_dev *p)
{
	for (unsigned i = first; i < first + n && i < DMAR_SCOPES; i++) {
		if (vtd_scope_covers(&dmar->scope[i], p))
			return true;
	}
	return false;
}

/* A unit that names p comes before the one that takes all the rest. */
int vtd_scope_unit(const struct acpi_dmar *dmar, const struct pci_dev *p)
{
	int rest = -ENXIO;

	for (unsigned i = 0; i < dmar->nunits; i++) {
		if (dmar->unit[i].segment != 0)
			continue;
		if (vtd_scope_has(dmar, dmar->unit[i].scope,
				  dmar->unit[i].nscope, p))
			return (int)i;
		if (dmar->unit[i].include_all && rest < 0)
			rest = (int)i;
	}
	return rest;
}
