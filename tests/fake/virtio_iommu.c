/* SPDX-License-Identifier: MIT */
#include "tests/fake/virtio_iommu.h"

#include <string.h>

#include "core/dma.h"

#define FAKE_VIOMMU_FEATURES	(UINT64_C(0x77) | UINT64_C(1) << 28 | \
				 UINT64_C(1) << 29 | UINT64_C(1) << 32)

static struct fake_viommu *fake_viommu_here;

static int fake_viommu_find(const struct fake_viommu *f, uint32_t endpoint)
{
	for (unsigned i = 0; i < f->nendpoints; i++)
		if (f->endpoint[i] == endpoint)
			return (int)i;
	return -1;
}

static bool fake_viommu_alive(const struct fake_viommu *f, uint32_t domain)
{
	for (unsigned i = 0; i < f->nendpoints; i++)
		if (f->attached[i] && f->domain[i] == domain)
			return true;
	return false;
}

unsigned fake_viommu_mappings(const struct fake_viommu *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FAKE_VIOMMU_MAPPINGS; i++)
		n += f->map[i].used;
	return n;
}

static void fake_viommu_leave(struct fake_viommu *f, int ep)
{
	uint32_t domain = f->domain[ep];

	f->attached[ep] = false;
	if (fake_viommu_alive(f, domain))
		return;
	for (unsigned i = 0; i < FAKE_VIOMMU_MAPPINGS; i++)
		if (f->map[i].domain == domain)
			f->map[i].used = false;
}

/* ---- requests ---- */

static bool fake_viommu_zero(const uint8_t *p, size_t n)
{
	while (n--)
		if (*p++)
			return false;
	return true;
}

static uint8_t fake_viommu_attach(struct fake_viommu *f,
				  const struct viommu_attach *r)
{
	int ep = fake_viommu_find(f, r->endpoint);

	if (r->flags || !fake_viommu_zero(r->reserved, sizeof(r->reserved)))
		return VIOMMU_S_INVAL;
	if (ep < 0)
		return VIOMMU_S_NOENT;
	if (f->attached[ep]) {
		f->reattached++;
		fake_viommu_leave(f, ep);
	}
	f->attached[ep] = true;
	f->domain[ep] = r->domain;
	return VIOMMU_S_OK;
}

static uint8_t fake_viommu_detach(struct fake_viommu *f,
				  const struct viommu_detach *r)
{
	int ep = fake_viommu_find(f, r->endpoint);

	if (!fake_viommu_zero(r->reserved, sizeof(r->reserved)))
		return VIOMMU_S_INVAL;
	if (ep < 0)
		return VIOMMU_S_NOENT;
	if (!f->attached[ep] || f->domain[ep] != r->domain)
		return VIOMMU_S_INVAL;
	fake_viommu_leave(f, ep);
	return VIOMMU_S_OK;
}

static uint8_t fake_viommu_map(struct fake_viommu *f,
			       const struct viommu_map *r)
{
	unsigned slot = FAKE_VIOMMU_MAPPINGS;

	if (!fake_viommu_alive(f, r->domain))
		return VIOMMU_S_NOENT;
	if (!r->flags || r->flags & ~3u || r->last < r->first)
		return VIOMMU_S_INVAL;
	if ((r->first | (r->last + 1) | r->phys) % 4096)
		return VIOMMU_S_RANGE;
	for (unsigned i = 0; i < FAKE_VIOMMU_MAPPINGS; i++) {
		if (!f->map[i].used)
			slot = i;
		else if (f->map[i].domain == r->domain &&
			 f->map[i].first <= r->last &&
			 r->first <= f->map[i].last)
			return VIOMMU_S_INVAL;
	}
	if (slot == FAKE_VIOMMU_MAPPINGS)
		return VIOMMU_S_NOMEM;
	f->map[slot].used = true;
	f->map[slot].domain = r->domain;
	f->map[slot].first = r->first;
	f->map[slot].last = r->last;
	f->map[slot].phys = r->phys;
	f->map[slot].flags = r->flags;
	return VIOMMU_S_OK;
}

static uint8_t fake_viommu_unmap(struct fake_viommu *f,
				 const struct viommu_unmap *r)
{
	if (!fake_viommu_alive(f, r->domain))
		return VIOMMU_S_NOENT;
	if (!fake_viommu_zero(r->reserved, sizeof(r->reserved)))
		return VIOMMU_S_INVAL;
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < FAKE_VIOMMU_MAPPINGS; i++) {
			if (!f->map[i].used || f->map[i].domain != r->domain ||
			    f->map[i].last < r->first ||
			    f->map[i].first > r->last)
				continue;
			if (f->map[i].first < r->first ||
			    f->map[i].last > r->last)
				return VIOMMU_S_RANGE;
			f->map[i].used = !pass;
		}
	}
	return VIOMMU_S_OK;
}

static uint8_t fake_viommu_do(struct fake_viommu *f, struct fake_chain *c)
{
	union {
		struct viommu_head head;
		struct viommu_attach attach;
		struct viommu_detach detach;
		struct viommu_map map;
		struct viommu_unmap unmap;
		struct viommu_probe probe;
	} r;
	size_t n = fake_virtio_get(&f->v, c, 0, &r, sizeof(r));

	if (n < sizeof(r.head) || !r.head.type || r.head.type > VIOMMU_T_PROBE)
		return VIOMMU_S_UNSUPP;
	f->requests[r.head.type]++;
	if (r.head.type == f->fail_type)
		return f->fail_status;
	if (!fake_viommu_zero(r.head.reserved, 3))
		return VIOMMU_S_INVAL;
	switch (r.head.type) {
	case VIOMMU_T_ATTACH:
		return n == 20 ? fake_viommu_attach(f, &r.attach) :
				 VIOMMU_S_INVAL;
	case VIOMMU_T_DETACH:
		return n == 20 ? fake_viommu_detach(f, &r.detach) :
				 VIOMMU_S_INVAL;
	case VIOMMU_T_MAP:
		return n == 36 ? fake_viommu_map(f, &r.map) : VIOMMU_S_INVAL;
	case VIOMMU_T_UNMAP:
		return n == 28 ? fake_viommu_unmap(f, &r.unmap) :
				 VIOMMU_S_INVAL;
	default:
		if (n != 72 || fake_viommu_find(f, r.probe.endpoint) < 0)
			return VIOMMU_S_NOENT;
		fake_virtio_put(&f->v, c, 0, f->properties,
				sizeof(f->properties));
		return VIOMMU_S_OK;
	}
}

static void fake_viommu_notify(struct fake_virtio *v, unsigned q)
{
	struct fake_viommu *f = (struct fake_viommu *)v;
	struct viommu_tail tail;
	struct fake_chain c;

	if (q != VIOMMU_Q_REQUEST)
		return;
	while (fake_virtio_pop(v, q, &c)) {
		memset(&tail, 0, sizeof(tail));
		tail.status = fake_viommu_do(f, &c);
		if (!f->no_status)
			fake_virtio_put(v, &c, c.writable - sizeof(tail), &tail,
					sizeof(tail));
		fake_virtio_push(v, q, &c,
				 f->no_length ? 0 : (uint32_t)c.writable);
	}
}

/* 5.13.6.2: a reset detaches all endpoints; bypass stays as it is. */
static void fake_viommu_reset(struct fake_virtio *v)
{
	struct fake_viommu *f = (struct fake_viommu *)v;

	memset(f->attached, 0, sizeof(f->attached));
	memset(f->map, 0, sizeof(f->map));
}

static void fake_viommu_config(struct fake_virtio *v, size_t off, size_t len)
{
	struct fake_viommu *f = (struct fake_viommu *)v;

	if (f->bypass_stuck)
		v->config[VIOMMU_CFG_BYPASS] = 1;
}

/* ---- DMA ---- */

static void fake_viommu_event(struct fake_viommu *f, uint8_t reason,
			      uint32_t flags, uint16_t rid, uint64_t addr)
{
	struct viommu_fault e = {
		.reason = reason, .flags = flags, .endpoint = rid,
		.address = addr,
	};
	struct fake_chain c;

	f->events++;
	if (f->no_events)
		return;
	if (!(f->v.status & VIRTIO_STATUS_DRIVER_OK) ||
	    !fake_virtio_pop(&f->v, VIOMMU_Q_EVENT, &c)) {
		f->dropped++;
		return;
	}
	fake_virtio_put(&f->v, &c, 0, &e, sizeof(e));
	fake_virtio_push(&f->v, VIOMMU_Q_EVENT, &c, sizeof(e));
}

static void *fake_viommu_refuse(struct fake_viommu *f, uint8_t reason,
				uint32_t flags, uint16_t rid, uint64_t addr,
				size_t len)
{
	for (size_t i = 0; i < len; i += 4)
		fake_viommu_event(f, reason, flags | VIOMMU_FAULT_ADDRESS, rid,
				  addr + i);
	return NULL;
}

static void *fake_viommu_memory(uint64_t pa, size_t len)
{
	return pa < HOST_RAM && len <= HOST_RAM - pa ? phys_to_virt(pa) : NULL;
}

static void *fake_viommu_dma(uint16_t rid, iova_t addr, size_t len, bool write)
{
	struct fake_viommu *f = fake_viommu_here;
	uint32_t need = write ? VIOMMU_MAP_WRITE : VIOMMU_MAP_READ;
	int ep = fake_viommu_find(f, rid);

	if (ep < 0 || !f->attached[ep]) {
		if (f->v.config[VIOMMU_CFG_BYPASS]) {
			f->bypassed = true;
			return fake_viommu_memory(addr, len);
		}
		return fake_viommu_refuse(f, ep < 0 ? VIOMMU_R_UNKNOWN :
					  VIOMMU_R_DOMAIN, 0, rid, addr, len);
	}
	for (unsigned i = 0; i < FAKE_VIOMMU_MAPPINGS; i++) {
		if (!f->map[i].used || f->map[i].domain != f->domain[ep] ||
		    addr < f->map[i].first || addr > f->map[i].last)
			continue;
		if (!(f->map[i].flags & need))
			return fake_viommu_refuse(f, VIOMMU_R_MAPPING,
						  write ? VIOMMU_FAULT_WRITE :
						  VIOMMU_FAULT_READ, rid, addr,
						  len);
		return fake_viommu_memory(addr - f->map[i].first +
					  f->map[i].phys, len);
	}
	return fake_viommu_refuse(f, VIOMMU_R_MAPPING, 0, rid, addr, len);
}

/* ---- the device ---- */

void fake_viommu_init(struct fake_viommu *f, uint16_t bdf)
{
	uint8_t cfg[VIOMMU_CFG_SIZE] = { 0 };
	uint64_t page_sizes = ~UINT64_C(0xfff), last = UINT64_MAX;
	uint32_t domain_last = UINT32_MAX, probe_size = sizeof(f->properties);
	struct viommu_resv_mem msi = {
		.head = { .type = VIOMMU_PROP_RESV_MEM, .length = 20 },
		.subtype = VIOMMU_RESV_MSI,
		.first = 0xfee00000, .last = 0xfeefffff,
	};

	memset(f, 0, sizeof(*f));
	fake_virtio_init(&f->v, bdf, VIOMMU_VIRTIO_TYPE, 0x00ff00, 2,
			 FAKE_VIOMMU_FEATURES);
	memcpy(cfg + VIOMMU_CFG_PAGE_SIZES, &page_sizes, 8);
	memcpy(cfg + VIOMMU_CFG_INPUT_LAST, &last, 8);
	memcpy(cfg + VIOMMU_CFG_DOMAIN_LAST, &domain_last, 4);
	memcpy(cfg + VIOMMU_CFG_PROBE_SIZE, &probe_size, 4);
	cfg[VIOMMU_CFG_BYPASS] = 1;	/* as firmware likes it */
	fake_virtio_config(&f->v, cfg, sizeof(cfg));
	memcpy(f->properties, &msi, sizeof(msi));
	f->v.notify = fake_viommu_notify;
	f->v.reset = fake_viommu_reset;
	f->v.config_written = fake_viommu_config;
}

void fake_viommu_endpoint(struct fake_viommu *f, uint16_t rid)
{
	f->endpoint[f->nendpoints++] = rid;
}

void fake_viommu_add(struct fake_viommu *f)
{
	fake_viommu_here = f;
	host_dma_translate = fake_viommu_dma;
	fake_virtio_add(&f->v);
}
