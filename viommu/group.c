/* SPDX-License-Identifier: MIT */
#include "viommu/group.h"

#include "core/bits.h"
#include "core/fmt.h"
#include "core/pcireg.h"

/* PCIE_CAP_TYPE, PCI Express Base 5.0, 7.5.3.2 */
#define GROUP_UPSTREAM		5
#define GROUP_PCIE_TO_PCI	7

/* 7.7.8: Access Control Services, an extended capability. */
#define GROUP_EXT_CAP_ACS	0x000d
#define GROUP_ACS_CAP		4		/* 16 ro */
#define GROUP_ACS_CTRL		6		/* 16 rw, the same bits */
# define GROUP_ACS_SV		BIT(0)		/* source validation */
# define GROUP_ACS_RR		BIT(2)		/* P2P request redirect */
# define GROUP_ACS_CR		BIT(3)		/* P2P completion redirect */
# define GROUP_ACS_UF		BIT(4)		/* upstream forwarding */

static bool group_is_bridge(const struct pci_dev *p)
{
	return p->hdr_type == 1;
}

static unsigned group_pcie_type(const struct pci_dev *p)
{
	return FIELD_GET(PCIE_CAP_TYPE,
			 pci_read16(p, p->cap_pcie + PCIE_CAP_FLAGS));
}

/* Is the bus behind it a conventional one, without requester ids? */
static bool group_hides_ids(const struct pci_dev *bridge)
{
	return !bridge->cap_pcie ||
	       group_pcie_type(bridge) == GROUP_PCIE_TO_PCI;
}

/*
 * Does it send all requests up to the IOMMU? Having the capability is not
 * enough, it must be switched on, so that is done here: it is always right.
 */
static bool group_has_acs(const struct pci_dev *p, uint32_t need)
{
	unsigned acs = p->cap_pcie ? pci_find_ext_cap(p, GROUP_EXT_CAP_ACS) : 0;
	uint16_t ctrl;

	if (!acs || (pci_read16(p, acs + GROUP_ACS_CAP) & need) != need)
		return false;
	ctrl = pci_read16(p, acs + GROUP_ACS_CTRL);
	pci_write16(p, acs + GROUP_ACS_CTRL, ctrl | need);
	return true;
}

/* A switch's upstream port turns nothing round: its downstream ports may. */
static bool group_port_isolates(const struct pci_dev *port)
{
	return group_pcie_type(port) == GROUP_UPSTREAM ||
	       group_has_acs(port, GROUP_ACS_SV | GROUP_ACS_RR |
			     GROUP_ACS_CR | GROUP_ACS_UF);
}

static bool group_function_isolates(const struct pci_dev *p)
{
	return !p->multifunction ||
	       group_has_acs(p, GROUP_ACS_RR | GROUP_ACS_CR);
}

static void group_widen(struct group *g, enum group_scope scope, uint16_t bdf)
{
	g->key.scope = scope;
	g->key.bdf = bdf;
}

/* Take in that requests of the function come through bridge. */
static void group_pass(struct group *g, const struct pci_dev *bridge)
{
	if (group_hides_ids(bridge)) {
		group_widen(g, GROUP_BEHIND, bridge->bdf);
		g->nrids = 1;
		if (!bridge->cap_pcie) {
			g->rid[0] = bridge->bdf;
		} else {
			/* The bridge may pass a PCI-X requester's own id on. */
			g->rid[1] = g->rid[0];
			g->rid[0] = PCI_BDF(bridge->secondary, 0, 0);
			g->nrids += g->rid[1] != g->rid[0];
		}
	} else if (!group_port_isolates(bridge)) {
		group_widen(g, GROUP_BEHIND, bridge->bdf);
	}
	if (g->key.scope == GROUP_BEHIND && g->key.bdf == bridge->bdf &&
	    !group_function_isolates(bridge))
		group_widen(g, GROUP_SLOT, bridge->bdf & ~7u);
}

void group_of(const struct pci_dev *p, struct group *out)
{
	const struct pci_dev *up = p->parent;

	group_widen(out, GROUP_FUNCTION, p->bdf);
	out->nrids = 1;
	out->rid[0] = p->bdf;
	if (!group_function_isolates(p))
		group_widen(out, GROUP_SLOT, p->bdf & ~7u);
	/* A bridge that lends its id is in the group of what is behind it. */
	else if (group_is_bridge(p) && group_hides_ids(p))
		group_widen(out, GROUP_BEHIND, p->bdf);
	for (; up; up = up->parent)
		group_pass(out, up);
}

bool group_same(struct group_key a, struct group_key b)
{
	return a.scope == b.scope && a.bdf == b.bdf;
}

void group_name(struct group_key key, char *buf, size_t size)
{
	switch (key.scope) {
	case GROUP_FUNCTION:
		fmt_snprintf(buf, size, "%02x:%02x.%x", PCI_BUS(key.bdf),
			     PCI_SLOT(key.bdf), PCI_FUNC(key.bdf));
		break;
	case GROUP_SLOT:
		fmt_snprintf(buf, size, "%02x:%02x.*", PCI_BUS(key.bdf),
			     PCI_SLOT(key.bdf));
		break;
	case GROUP_BEHIND:
		fmt_snprintf(buf, size, "behind %02x:%02x.%x",
			     PCI_BUS(key.bdf), PCI_SLOT(key.bdf),
			     PCI_FUNC(key.bdf));
		break;
	}
}
