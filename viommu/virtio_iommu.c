/* SPDX-License-Identifier: MIT */
/*
 * virtio-iommu in this kernel.
 *
 * The device keeps the page tables; we send requests. It is started by
 * iommu_init() itself, before any driver, as nothing else may do DMA until it
 * works; its own queues are physical. Bypass is switched off before it goes
 * live, so whoever is attached to no domain is refused. That goes for a
 * device's interrupt messages too, and so a device is attached before its
 * driver probes it.
 *
 * A domain exists in the device from the first attach of an endpoint to the
 * last detach: mapping comes after attaching. An endpoint is attached once
 * and never again while it is; QEMU would take a sole endpoint out first and
 * throw away all mappings with it. Domain ids are not used twice.
 *
 * Mapping queues one request per run of contiguous memory and sends them
 * all with one doorbell; unmapping is one request for the whole range. Both
 * return when the device has answered; there is nothing to invalidate. What a
 * device does not check (alignment, the MSI window, reserved regions), the
 * IOVA allocator and domain.c see to.
 *
 * A device that does not answer within a second, or breaks its queue, is dead:
 * every further call fails, domain.c gives the domains up, and nothing is
 * reused that it might still write.
 *
 * Locks: domain->lock, then viommu->lock (the request queue). The event queue
 * has its own and takes none inside.
 *
 * Not used: bypass domains, MMIO mappings, more than one device, endpoints
 * that are not PCI functions.
 */
#include "viommu/virtio_iommu.h"

#include "core/cpu.h"
#include "core/errno.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/page.h"
#include "core/string.h"
#include "virt/virtioreg.h"

_Static_assert(DOMAIN_READ == VIOMMU_MAP_READ &&
	       DOMAIN_WRITE == VIOMMU_MAP_WRITE, "5.13.6.5");

#define VIOMMU_PROBE_MAX	KIB(32)	/* more properties make no sense */

static struct acpi_viot viommu_viot;
static struct viommu *viommu;

struct viommu *viommu_get(void)
{
	return viommu;
}

static struct viommu_domain *viommu_domain(struct domain *d)
{
	return container_of(d, struct viommu_domain, domain);
}

/* ---- endpoints ---- */

static int viommu_rid_endpoint(uint16_t rid, uint32_t *endpoint)
{
	for (unsigned i = 0; i < viommu_viot.nranges; i++) {
		if (!viommu_viot.range[i].pci || viommu_viot.range[i].seg_first)
			continue;
		if (rid < viommu_viot.range[i].bdf_first ||
		    rid > viommu_viot.range[i].bdf_last)
			continue;
		*endpoint = viommu_viot.range[i].endpoint +
			    (rid - viommu_viot.range[i].bdf_first);
		return 0;
	}
	return -ENXIO;
}

int viommu_endpoint_rid(uint32_t endpoint, uint16_t *rid)
{
	for (unsigned i = 0; i < viommu_viot.nranges; i++) {
		uint32_t n = endpoint - viommu_viot.range[i].endpoint;

		if (!viommu_viot.range[i].pci || viommu_viot.range[i].seg_first)
			continue;
		if (n > (uint32_t)(viommu_viot.range[i].bdf_last -
				   viommu_viot.range[i].bdf_first))
			continue;
		*rid = (uint16_t)(viommu_viot.range[i].bdf_first + n);
		return 0;
	}
	return -ENXIO;
}

/* ---- start and stop ---- */

static uint64_t viommu_config64(const uint8_t *cfg, unsigned off)
{
	uint64_t val;

	memcpy(&val, cfg + off, sizeof(val));
	return val;
}

static uint32_t viommu_config32(const uint8_t *cfg, unsigned off)
{
	uint32_t val;

	memcpy(&val, cfg + off, sizeof(val));
	return val;
}

/* Fields whose feature is not agreed on say nothing. */
static int viommu_read_config(struct viommu *v)
{
	uint8_t cfg[VIOMMU_CFG_BYPASS];
	int err = virtio_config_read(&v->vd, 0, cfg, sizeof(cfg), 4);

	if (err)
		return err;
	if (!(viommu_config64(cfg, VIOMMU_CFG_PAGE_SIZES) & PAGE_SIZE)) {
		log_err(v->name, "has no 4 KiB pages (page sizes %#llx)",
			(unsigned long long)
			viommu_config64(cfg, VIOMMU_CFG_PAGE_SIZES));
		return -ENOTSUP;
	}
	v->first = 0;
	v->last = UINT64_MAX;
	if (v->vd.features & VIOMMU_F_INPUT_RANGE) {
		v->first = viommu_config64(cfg, VIOMMU_CFG_INPUT_FIRST);
		v->last = viommu_config64(cfg, VIOMMU_CFG_INPUT_LAST);
	}
	v->next_domain = 1;
	v->domain_last = UINT32_MAX;
	if (v->vd.features & VIOMMU_F_DOMAIN_RANGE) {
		v->next_domain = viommu_config32(cfg, VIOMMU_CFG_DOMAIN_FIRST);
		v->domain_last = viommu_config32(cfg, VIOMMU_CFG_DOMAIN_LAST);
	}
	if (v->vd.features & VIOMMU_F_PROBE)
		v->probe_size = viommu_config32(cfg, VIOMMU_CFG_PROBE_SIZE);
	if (v->first <= v->last && v->next_domain <= v->domain_last &&
	    v->probe_size <= VIOMMU_PROBE_MAX)
		return 0;
	log_err(v->name, "its configuration makes no sense");
	return -EPROTO;
}

static size_t viommu_probe_bytes(const struct viommu *v)
{
	return sizeof(struct viommu_probe) + v->probe_size +
	       sizeof(struct viommu_tail);
}

static int viommu_alloc_probe(struct viommu *v)
{
	if (!v->probe_size)
		return 0;
	v->probe = page_alloc(page_order(viommu_probe_bytes(v)));
	return v->probe ? 0 : -ENOMEM;
}

/*
 * Not agreeing on BYPASS blocks the unattached by itself. A device with
 * BYPASS_CONFIG keeps the state that the firmware liked until told otherwise,
 * also over a reset.
 */
static int viommu_block_unattached(struct viommu *v)
{
	if (!(v->vd.features & VIOMMU_F_BYPASS_CONFIG))
		return 0;
	if (v->vd.devcfg.size <= VIOMMU_CFG_BYPASS) {
		log_err(v->name, "its configuration ends before bypass");
		return -EPROTO;
	}
	io_write8(&v->vd.devcfg, VIOMMU_CFG_BYPASS, 0);
	if (!io_read8(&v->vd.devcfg, VIOMMU_CFG_BYPASS))
		return 0;
	log_err(v->name, "bypass cannot be switched off");
	return -EPROTO;
}

static void viommu_free(struct viommu *v)
{
	viommu_event_stop(v);
	viommu_req_stop(v);
	virtio_stop(&v->vd);
	pci_disable_master(v->pci);
	v->pci->dev.dma.ops = NULL;
	if (v->probe)
		page_free(v->probe, page_order(viommu_probe_bytes(v)));
	heap_free(v);
}

/* Up to DRIVER_OK. viommu_free() undoes it from wherever it got to. */
static int viommu_bring_up(struct viommu *v)
{
	int err;

	err = virtio_start(&v->vd, v->pci,
			   VIOMMU_F_INPUT_RANGE | VIOMMU_F_DOMAIN_RANGE |
			   VIOMMU_F_PROBE | VIOMMU_F_BYPASS_CONFIG,
			   VIOMMU_F_MAP_UNMAP, false);
	if (!err)
		err = viommu_read_config(v);
	if (!err)
		err = viommu_alloc_probe(v);
	if (!err)
		err = viommu_req_start(v);
	if (!err)
		err = viommu_event_start(v);
	if (!err)
		err = viommu_block_unattached(v);
	/*
	 * It stands in front of the IOMMU, being it: its DMA is physical, and
	 * the one thing that it has in common with devices in a domain is that
	 * bus mastering may be on.
	 */
	v->pci->dev.dma.ops = &dma_direct_ops;
	if (!err)
		err = pci_enable_master(v->pci);
	if (err)
		return err;
	virtio_driver_ok(&v->vd);
	viommu_event_open(v);
	return 0;
}

/* The one PCI function that the table names. */
static int viommu_find(const struct acpi_viot *viot, struct pci_dev **out)
{
	struct pci_dev *p;

	if (viot->left_out)
		return -EOVERFLOW;
	if (viot->niommus != 1 || !viot->iommu[0].pci ||
	    viot->iommu[0].segment != 0)
		return -ENOTSUP;
	p = pci_find(viot->iommu[0].bdf);
	if (!p || p->vendor != VIRTIO_PCI_VENDOR ||
	    p->device != VIRTIO_PCI_DEVICE(VIOMMU_VIRTIO_TYPE))
		return -ENODEV;
	*out = p;
	return 0;
}

int viommu_start(const struct acpi_viot *viot)
{
	struct pci_dev *p;
	struct viommu *v;
	int err;

	err = viommu_find(viot, &p);
	if (err) {
		log_err("viommu0", "the VIOT has %u IOMMUs, none that can be used: %s",
			viot->niommus, errno_name(err));
		return err;
	}
	v = heap_zalloc(sizeof(*v));
	if (!v)
		return -ENOMEM;
	memcpy(v->name, "viommu0", sizeof("viommu0"));
	spin_init(&v->lock, "viommu requests");
	spin_init(&v->event_lock, "viommu events");
	v->pci = p;
	viommu_viot = *viot;
	err = viommu_bring_up(v);
	if (err) {
		log_err(v->name, "cannot be started: %s", errno_name(err));
		viommu_free(v);
		return err;
	}
	viommu = v;
	log_info(v->name, "%s: features %#llx, addresses %#llx to %#llx, %u bytes of properties",
		 p->dev.name, (unsigned long long)v->vd.features,
		 (unsigned long long)v->first, (unsigned long long)v->last,
		 v->probe_size);
	return 0;
}

void viommu_stop(void)
{
	if (viommu)
		viommu_free(viommu);
	viommu = NULL;
}

static bool viommu_is_own(const struct pci_dev *p)
{
	return viommu && p == viommu->pci;
}

static bool viommu_covers(const struct pci_dev *p)
{
	struct group g;
	uint32_t endpoint;

	group_of(p, &g);
	return !viommu_rid_endpoint(g.rid[0], &endpoint);
}

static unsigned viommu_units(void)
{
	return viommu ? 1 : 0;
}

/* ---- domains ---- */

static int viommu_domain_init(struct domain *d, const struct pci_dev *p)
{
	struct viommu_domain *vd = viommu_domain(d);

	if (viommu->next_domain > viommu->domain_last)
		return -ENOSPC;
	vd->id = viommu->next_domain++;
	d->first = viommu->first;
	d->last = viommu->last;
	return 0;
}

/* The device's half went with the last endpoint. */
static void viommu_domain_fini(struct domain *d)
{
}

static int viommu_attach(struct domain *d, uint16_t rid)
{
	struct viommu_attach req = {
		.head.type = VIOMMU_T_ATTACH,
		.domain = viommu_domain(d)->id,
	};
	int err = viommu_rid_endpoint(rid, &req.endpoint);

	if (err)
		return err;
	err = viommu_req(viommu, &req, sizeof(req));
	return err == -ENOENT ? -ENXIO : err;	/* no such endpoint */
}

static int viommu_detach(struct domain *d, uint16_t rid)
{
	struct viommu_detach req = {
		.head.type = VIOMMU_T_DETACH,
		.domain = viommu_domain(d)->id,
	};
	int err = viommu_rid_endpoint(rid, &req.endpoint);

	return err ? err : viommu_req(viommu, &req, sizeof(req));
}

/* ---- reserved regions ---- */

/* One property at *at; a length that leads outside ends it all. */
static int viommu_take_property(const uint8_t *buf, size_t size, size_t *at,
				struct domain_region *r, unsigned max,
				unsigned *n)
{
	struct viommu_resv_mem m;
	size_t len;

	memcpy(&m.head, buf + *at, sizeof(m.head));
	len = sizeof(m.head) + m.head.length;
	if (len > size - *at)
		return -EPROTO;
	if ((m.head.type & VIOMMU_PROP_TYPE) == VIOMMU_PROP_RESV_MEM) {
		if (len < sizeof(m))
			return -EPROTO;
		memcpy(&m, buf + *at, sizeof(m));
		if (m.last < m.first)
			return -EPROTO;
		if (*n == max)
			return -EOVERFLOW;
		/* Whatever the subtype: it is not for us to map. */
		r[(*n)++] = (struct domain_region){ m.first, m.last, false };
	}
	*at += len;
	return 0;
}

static int viommu_parse_properties(const uint8_t *buf, size_t size,
				   struct domain_region *r, unsigned max)
{
	unsigned n = 0;
	size_t at = 0;
	le16 type;
	int err;

	while (size - at >= sizeof(struct viommu_property)) {
		memcpy(&type, buf + at, sizeof(type));
		if ((type & VIOMMU_PROP_TYPE) == VIOMMU_PROP_NONE)
			break;
		err = viommu_take_property(buf, size, &at, r, max, &n);
		if (err)
			return err;
	}
	return (int)n;
}

static int viommu_regions(const struct pci_dev *p, struct domain_region *r,
			  unsigned max)
{
	struct viommu *v = viommu;
	struct group g;
	uint32_t endpoint;
	int err;

	if (!v->probe_size)
		return 0;
	group_of(p, &g);
	err = viommu_rid_endpoint(g.rid[0], &endpoint);
	if (!err)
		err = viommu_req_probe(v, endpoint);
	if (err)
		return err == -ENOENT ? -ENXIO : err;
	return viommu_parse_properties((uint8_t *)v->probe +
				       sizeof(struct viommu_probe),
				       v->probe_size, r, max);
}

/* ---- mappings ---- */

static int viommu_map(struct domain *d, iova_t iova, phys_t pa, uint64_t size,
		      unsigned prot)
{
	struct viommu_domain *vd = viommu_domain(d);
	struct viommu_map req = {
		.head.type = VIOMMU_T_MAP,
		.domain = vd->id,
		.first = iova,
		.last = iova + size - 1,
		.phys = pa,
		.flags = prot,
	};

	return viommu_req_add(viommu, &req, sizeof(req), &vd->batch);
}

static int viommu_commit(struct domain *d, iova_t iova, uint64_t size)
{
	return viommu_req_wait(viommu, &viommu_domain(d)->batch);
}

/*
 * A range may take in several mappings and gaps, but cuts none in two. A
 * domain that the device does not know cannot be, so that is no -ENOENT.
 */
static int viommu_unmap(struct domain *d, iova_t iova, uint64_t size)
{
	struct viommu_unmap req = {
		.head.type = VIOMMU_T_UNMAP,
		.domain = viommu_domain(d)->id,
		.first = iova,
		.last = iova + size - 1,
	};
	int err = viommu_req(viommu, &req, sizeof(req));

	return err == -ENOENT ? -EIO : err;
}

static void viommu_poll_faults(void)
{
	if (viommu)
		viommu_event_collect(viommu);
}

static void viommu_print(void)
{
	const struct viommu *v = viommu;

	console_printf("  %s at %s: addresses %#llx to %#llx, %llu requests, %llu failed%s\n",
		       v->name, v->pci->dev.name, (unsigned long long)v->first,
		       (unsigned long long)v->last,
		       (unsigned long long)v->sent,
		       (unsigned long long)v->failed, v->dead ? ", dead" : "");
}

const struct domain_ops viommu_ops = {
	.name = "virtio-iommu",
	.size = sizeof(struct viommu_domain),
	.is_own = viommu_is_own,
	.covers = viommu_covers,
	.init = viommu_domain_init,
	.fini = viommu_domain_fini,
	.attach = viommu_attach,
	.detach = viommu_detach,
	.regions = viommu_regions,
	.map = viommu_map,
	.commit = viommu_commit,
	.unmap = viommu_unmap,
	.poll_faults = viommu_poll_faults,
	.stop = viommu_stop,
	.print = viommu_print,
	.units = viommu_units,
};
