/* SPDX-License-Identifier: MIT */
/*
 * The Virtual I/O Translation table: which endpoints are behind which
 * virtio-iommu. Nodes name each other by their offset in the table, and an
 * endpoint may come before its IOMMU, so the IOMMUs are read first.
 */
#include "core/acpireg.h"

#include "core/errno.h"
#include "core/string.h"

static int viot_add_iommu(struct acpi_viot *out, bool pci, uint16_t segment,
			  uint16_t bdf, phys_t mmio, uint16_t off)
{
	unsigned n = out->niommus;

	if (n == VIOT_NODES) {
		out->left_out++;
		return 0;
	}
	out->iommu[n].pci = pci;
	out->iommu[n].segment = segment;
	out->iommu[n].bdf = bdf;
	out->iommu[n].mmio = mmio;
	out->iommu[n].off = off;
	out->niommus++;
	return 0;
}

static int viot_iommu(const struct acpi_walk *w, const uint8_t *table,
		      struct acpi_viot *out)
{
	const struct viot_iommu_pci *p = acpi_walk_as(w, struct viot_iommu_pci);
	const struct viot_iommu_mmio *m = (const void *)p;
	uint16_t off = (uint16_t)(w->sub - table);

	if (w->sub[0] != VIOT_IOMMU_PCI && w->sub[0] != VIOT_IOMMU_MMIO)
		return 0;
	if (!p)
		return -EBADMSG;
	if (p->type == VIOT_IOMMU_PCI)
		return viot_add_iommu(out, true, p->segment, p->bdf, 0, off);
	return viot_add_iommu(out, false, 0, 0, m->base, off);
}

/* The node at offset off must be an IOMMU: not an endpoint, not oneself. */
static int viot_output(const struct acpi_viot *out, uint16_t off,
		       unsigned *iommu)
{
	for (unsigned i = 0; i < out->niommus; i++) {
		if (out->iommu[i].off == off) {
			*iommu = i;
			return 0;
		}
	}
	return -EBADMSG;
}

static int viot_pci_range(const struct acpi_walk *w, struct acpi_viot *out)
{
	const struct viot_pci_range *r = acpi_walk_as(w, struct viot_pci_range);
	unsigned n = out->nranges, iommu;

	if (!r || r->seg_last < r->seg_first || r->bdf_last < r->bdf_first ||
	    viot_output(out, r->output, &iommu))
		return -EBADMSG;
	if (n == VIOT_NODES) {
		out->left_out++;
		return 0;
	}
	out->range[n].pci = true;
	out->range[n].seg_first = r->seg_first;
	out->range[n].seg_last = r->seg_last;
	out->range[n].bdf_first = r->bdf_first;
	out->range[n].bdf_last = r->bdf_last;
	out->range[n].endpoint = r->endpoint;
	out->range[n].iommu = iommu;
	out->nranges++;
	return 0;
}

static int viot_mmio_endpoint(const struct acpi_walk *w, struct acpi_viot *out)
{
	const struct viot_mmio_endpoint *e =
		acpi_walk_as(w, struct viot_mmio_endpoint);
	unsigned n = out->nranges, iommu;

	if (!e || viot_output(out, e->output, &iommu))
		return -EBADMSG;
	if (n == VIOT_NODES) {
		out->left_out++;
		return 0;
	}
	out->range[n].mmio = e->base;
	out->range[n].endpoint = e->endpoint;
	out->range[n].iommu = iommu;
	out->nranges++;
	return 0;
}

static int viot_endpoint(const struct acpi_walk *w, const uint8_t *table,
			 struct acpi_viot *out)
{
	switch (w->sub[0]) {
	case VIOT_PCI_RANGE:
		return viot_pci_range(w, out);
	case VIOT_MMIO_ENDPOINT:
		return viot_mmio_endpoint(w, out);
	case VIOT_IOMMU_PCI:
	case VIOT_IOMMU_MMIO:
		return 0;
	default:			/* may stand for endpoints of ours */
		out->left_out++;
		return 0;
	}
}

/* As many nodes as the table says, no more and no less. */
static int viot_walk(const struct viot *v, struct acpi_walk w,
		     int (*node)(const struct acpi_walk *w,
				 const uint8_t *table, struct acpi_viot *out),
		     struct acpi_viot *out)
{
	for (unsigned i = 0; i < v->nnodes; i++) {
		int err = acpi_walk_next16(&w);

		if (err <= 0)
			return -EBADMSG;
		err = node(&w, (const uint8_t *)v, out);
		if (err)
			return err;
	}
	return 0;
}

int acpi_parse_viot(const void *table, size_t size, struct acpi_viot *out)
{
	const struct viot *v = table;
	struct acpi_walk w;
	int err;

	memset(out, 0, sizeof(*out));
	err = acpi_walk_table(&w, table, size, "VIOT", sizeof(*v));
	if (err)
		return err;
	if (v->node_offset < sizeof(*v) || v->node_offset > v->header.length)
		return -EBADMSG;
	w.next = (const uint8_t *)table + v->node_offset;
	err = viot_walk(v, w, viot_iommu, out);
	if (!err)
		err = viot_walk(v, w, viot_endpoint, out);
	if (err)
		memset(out, 0, sizeof(*out));
	return err;
}
