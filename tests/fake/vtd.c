/* SPDX-License-Identifier: MIT */
#include "tests/fake/vtd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/dma.h"

#define FAKE_SL_R	UINT64_C(1)
#define FAKE_SL_W	UINT64_C(2)
#define FAKE_SL_PS	UINT64_C(0x80)
#define FAKE_SL_SNP	UINT64_C(0x800)
#define FAKE_SL_TM	(UINT64_C(1) << 62)
#define FAKE_ADDR	UINT64_C(0x000ffffffffff000)

static struct fake_vtd *fake_vtd_units[FAKE_VTD_UNITS];
static unsigned fake_vtd_nunits;

static void fake_vtd_wrong(size_t off, unsigned width, const char *what)
{
	fprintf(stderr, "VT-d: %s of %u bytes at %#zx\n", what, width, off);
	abort();
}

/* ---- memory ---- */

static bool fake_vtd_load(uint64_t pa, struct vtd_entry *out, size_t len)
{
	if (pa > HOST_RAM - len)
		return false;
	memset(out, 0, sizeof(*out));
	memcpy(out, phys_to_virt(pa), len);
	return true;
}

/* ---- faults (7.3) ---- */

static unsigned fake_vtd_nrecords(const struct fake_vtd *v)
{
	return (unsigned)FIELD_GET(VTD_CAP_NFR, v->cap) + 1;
}

static bool fake_vtd_pending(const struct fake_vtd *v)
{
	for (unsigned i = 0; i < fake_vtd_nrecords(v); i++)
		if (v->record[i].hi >> 63)
			return true;
	return false;
}

static void fake_vtd_event(struct fake_vtd *v)
{
	if (v->fectl & VTD_FECTL_IM) {
		v->fectl |= BIT(30);
		return;
	}
	v->fectl &= ~BIT(30);
	v->interrupts++;
	host_msi((uint64_t)v->feuaddr << 32 | v->feaddr, v->fedata);
}

static void fake_vtd_fault(struct fake_vtd *v, uint16_t sid, iova_t addr,
			   bool write, unsigned reason)
{
	bool before = fake_vtd_pending(v) || v->fsts & VTD_FSTS_PFO;

	v->faults++;
	if (v->fsts & VTD_FSTS_PFO)
		return;
	for (unsigned i = 0; i < fake_vtd_nrecords(v); i++) {
		struct vtd_entry *r = &v->record[i];

		if (r->hi >> 63) {
			if ((uint16_t)r->hi == sid)
				return;		/* compressed, 7.3.1 */
			continue;
		}
		r->lo = addr & ~UINT64_C(0xfff);
		/* Garbage where QEMU 7.2 leaves it, bits 55:40. */
		r->hi = UINT64_C(1) << 63 | (write ? 0 : UINT64_C(1) << 62) |
			UINT64_C(0xffff) << 40 | (uint64_t)reason << 32 | sid;
		if (!before)
			fake_vtd_event(v);
		return;
	}
	v->fsts |= VTD_FSTS_PFO;
	if (!before)
		fake_vtd_event(v);
}

/* ---- translation ---- */

/* Returns 0 and the context, or a fault reason. */
static unsigned fake_vtd_context(struct fake_vtd *v, uint16_t sid, bool cache,
				 struct vtd_entry *ctx)
{
	struct vtd_entry root;

	if (cache && v->context_cached[sid]) {
		*ctx = v->context[sid];
		return 0;
	}
	if (!fake_vtd_load(v->root + (sid >> 8) * 16u, &root, 16))
		return VTD_FR_ROOT_TABLE_ADDR;
	if (!(root.lo & 1))
		return VTD_FR_ROOT_NOT_PRESENT;
	if (root.lo & 0xffe || root.hi)
		return VTD_FR_ROOT_RESERVED;
	if (!fake_vtd_load((root.lo & FAKE_ADDR) + (sid & 0xff) * 16u, ctx, 16))
		return VTD_FR_CONTEXT_TABLE_ADDR;
	if (!(ctx->lo & 1))
		return VTD_FR_CONTEXT_NOT_PRESENT;
	if (ctx->lo & 0xff0 || ctx->hi & ~UINT64_C(0xffff7f))
		return VTD_FR_CONTEXT_RESERVED;
	if (ctx->lo & 0xc)
		return VTD_FR_CONTEXT_INVALID;
	if ((ctx->hi & 7) != 1 && (ctx->hi & 7) != 2)
		return VTD_FR_CONTEXT_INVALID;
	if (!(v->cap >> 8 & 1u << (ctx->hi & 7)))
		return VTD_FR_CONTEXT_INVALID;
	if (cache) {
		v->context[sid] = *ctx;
		v->context_cached[sid] = true;
	}
	return 0;
}

/* Walk the second-level table; 0 and a page, or a fault reason. */
static unsigned fake_vtd_walk(const struct fake_vtd *v,
			      const struct vtd_entry *ctx, iova_t addr,
			      bool write, struct fake_vtd_tlb *t)
{
	unsigned levels = (ctx->hi & 7) + 2;
	uint64_t need = write ? FAKE_SL_W : FAKE_SL_R, table = ctx->lo;
	struct vtd_entry e;

	if (addr >> (12 + 9 * levels))
		return VTD_FR_BEYOND_WIDTH;
	t->prot = FAKE_SL_R | FAKE_SL_W;
	for (unsigned l = levels; ; l--) {
		unsigned shift = 12 + 9 * (l - 1);
		uint64_t mask = (UINT64_C(1) << shift) - 1;

		if (!fake_vtd_load((table & FAKE_ADDR) +
				   (addr >> shift & 511) * 8, &e, 8))
			return VTD_FR_TABLE_ADDR;
		t->prot &= e.lo;
		if (!(t->prot & need))
			return write ? VTD_FR_WRITE : VTD_FR_READ;
		if (e.lo & (FAKE_SL_SNP | FAKE_SL_TM) ||
		    (e.lo & FAKE_SL_PS && (l == 1 || l == 4)))
			return VTD_FR_PAGE_RESERVED;
		if (l > 1 && !(e.lo & FAKE_SL_PS)) {
			table = e.lo;
			continue;
		}
		if (l > 1 && (e.lo & FAKE_ADDR & mask ||
			      !(v->cap >> 34 & 1u << (l - 2))))
			return VTD_FR_PAGE_RESERVED;
		t->pa = (e.lo & FAKE_ADDR & ~mask) + (addr & mask & FAKE_ADDR);
		return 0;
	}
}

static unsigned fake_vtd_translate(struct fake_vtd *v, uint16_t sid,
				   iova_t addr, bool write, bool cache,
				   struct fake_vtd_tlb *t)
{
	struct vtd_entry ctx;
	unsigned reason = fake_vtd_context(v, sid, cache, &ctx);

	if (reason)
		return reason;
	*t = (struct fake_vtd_tlb){
		.used = true, .sid = sid, .did = ctx.hi >> 8 & 0xffff,
		.page = addr & ~UINT64_C(0xfff),
	};
	return fake_vtd_walk(v, &ctx, addr, write, t);
}

static struct fake_vtd_tlb *fake_vtd_cached(struct fake_vtd *v, uint16_t sid,
					    iova_t addr)
{
	for (unsigned i = 0; i < FAKE_VTD_TLB; i++) {
		struct fake_vtd_tlb *t = &v->tlb[i];

		if (t->used && t->sid == sid && t->page == (addr & ~UINT64_C(0xfff)))
			return t;
	}
	return NULL;
}

static void *fake_vtd_memory(const struct fake_vtd_tlb *t, iova_t addr)
{
	return t->pa < HOST_RAM ? (char *)phys_to_virt(t->pa) + addr % PAGE_SIZE
				: NULL;
}

void *fake_vtd_peek(struct fake_vtd *v, uint16_t sid, iova_t addr, bool write)
{
	struct fake_vtd_tlb t;

	if (!(v->gsts & VTD_G_TE))
		return addr < HOST_RAM ? phys_to_virt(addr) : NULL;
	return fake_vtd_translate(v, sid, addr, write, false, &t) ? NULL :
	       fake_vtd_memory(&t, addr);
}

static void *fake_vtd_request(struct fake_vtd *v, uint16_t sid, iova_t addr,
			      bool write)
{
	uint64_t need = write ? FAKE_SL_W : FAKE_SL_R;
	struct fake_vtd_tlb *hit = fake_vtd_cached(v, sid, addr), t;
	void *now = fake_vtd_peek(v, sid, addr, write);
	unsigned reason;

	if (hit && hit->prot & need) {
		if (fake_vtd_memory(hit, addr) != now)
			v->stale++;
		return fake_vtd_memory(hit, addr);
	}
	reason = fake_vtd_translate(v, sid, addr, write, true, &t);
	if (reason) {
		fake_vtd_fault(v, sid, addr, write, reason);
		return NULL;
	}
	if (!hit)
		hit = &v->tlb[v->next_tlb++ % FAKE_VTD_TLB];
	*hit = t;
	return fake_vtd_memory(hit, addr);
}

static void *fake_vtd_dma(uint16_t bdf, iova_t addr, size_t len, bool write)
{
	for (unsigned i = 0; i < fake_vtd_nunits; i++) {
		struct fake_vtd *v = fake_vtd_units[i];

		if (bdf < v->first || bdf > v->last || !(v->gsts & VTD_G_TE))
			continue;
		return fake_vtd_request(v, bdf, addr, write);
	}
	return addr < HOST_RAM && len <= HOST_RAM - addr ? phys_to_virt(addr) :
	       NULL;
}

/* ---- invalidation (6.5.2) ---- */

static void fake_vtd_drop(struct fake_vtd *v, bool all, uint16_t did,
			  iova_t first, iova_t last)
{
	for (unsigned i = 0; i < FAKE_VTD_TLB && !v->forgets_nothing; i++) {
		struct fake_vtd_tlb *t = &v->tlb[i];

		if (all || (t->did == did && t->page >= first &&
			    t->page <= last))
			t->used = false;
	}
}

/* Returns false when the descriptor is wrong. */
static bool fake_vtd_inv_iotlb(struct fake_vtd *v, struct vtd_desc d)
{
	uint16_t did = d.lo >> 16 & 0xffff;
	unsigned am = d.hi & 0x3f;
	uint64_t span = UINT64_C(4096) << am;
	iova_t first = d.hi & ~(span - 1);

	if (d.lo & UINT64_C(0xffffffff0000ff00) || d.hi & 0xf80)
		return false;
	switch (d.lo >> 4 & 3) {
	case 1:
		v->global_invs++;
		fake_vtd_drop(v, true, 0, 0, 0);
		return true;
	case 2:
		v->domain_invs++;
		fake_vtd_drop(v, false, did, 0, UINT64_MAX);
		return true;
	case 3:
		if (!(v->cap >> 39 & 1) || am > (v->cap >> 48 & 0x3f) ||
		    d.hi >> 12 & (span - 1) >> 12)
			return false;
		v->page_invs++;
		fake_vtd_drop(v, false, did, first, first + span - 1);
		return true;
	default:
		return false;
	}
}

static bool fake_vtd_inv_context(struct fake_vtd *v, struct vtd_desc d)
{
	if (d.lo & UINT64_C(0xfffc00000000ffc0) || d.hi || !(d.lo >> 4 & 3))
		return false;
	v->context_invs++;
	if (!v->forgets_nothing)
		memset(v->context_cached, 0, sizeof(v->context_cached));
	return true;
}

static bool fake_vtd_wait(struct fake_vtd *v, struct vtd_desc d)
{
	uint32_t data = d.lo >> 32;

	if ((d.lo & 0x30) == 0x30) {
		fprintf(stderr, "VT-d: a wait descriptor with SW and IF\n");
		abort();
	}
	if (d.lo & 0xffffff80 || d.hi & 3 || !(d.lo & 0x30))
		return false;
	if (d.lo & 0x20 && d.hi <= HOST_RAM - 4)
		memcpy(phys_to_virt(d.hi), &data, 4);
	return true;
}

static bool fake_vtd_desc(struct fake_vtd *v, struct vtd_desc d)
{
	v->descs++;
	if (v->refuse) {
		v->refuse--;
		return false;
	}
	switch (d.lo & 0xf) {
	case 1:
		return fake_vtd_inv_context(v, d);
	case 2:
		return fake_vtd_inv_iotlb(v, d);
	case 5:
		return fake_vtd_wait(v, d);
	default:
		return false;
	}
}

static void fake_vtd_run_queue(struct fake_vtd *v)
{
	uint64_t entries = UINT64_C(256) << (v->iqa & 7);

	if (!(v->gsts & VTD_G_QIE) || v->queue_stuck || v->fsts & VTD_FSTS_IQE)
		return;
	while (v->iqh != v->iqt >> 4) {
		struct vtd_entry e;

		if (!fake_vtd_load((v->iqa & FAKE_ADDR) + v->iqh * 16, &e, 16) ||
		    !fake_vtd_desc(v, (struct vtd_desc){ e.lo, e.hi })) {
			v->fsts |= VTD_FSTS_IQE;
			return;
		}
		v->iqh = (v->iqh + 1) % entries;
	}
}

/* ---- registers ---- */

static void fake_vtd_command(struct fake_vtd *v, uint32_t cmd)
{
	const uint32_t enables = VTD_G_TE | VTD_G_QIE | VTD_G_IRE;
	uint32_t was = v->gsts;

	if (v->deaf)
		return;
	v->gsts = (v->gsts & ~enables) | (cmd & enables);
	if (v->no_te)
		v->gsts &= ~VTD_G_TE;
	if (cmd & VTD_G_WBF)
		v->write_flushes++;
	if (cmd & VTD_G_SRTP) {
		v->root = v->rtaddr & FAKE_ADDR;
		v->gsts |= VTD_G_SRTP;
	}
	if (was & VTD_G_QIE && !(cmd & VTD_G_QIE) && v->iqh != v->iqt >> 4)
		v->gsts |= VTD_G_QIE;	/* not with work in the queue */
	if (!(was & VTD_G_QIE) && cmd & VTD_G_QIE)
		v->iqh = 0;
	fake_vtd_run_queue(v);
}

static uint32_t fake_vtd_fsts(const struct fake_vtd *v)
{
	return v->fsts | (fake_vtd_pending(v) ? VTD_FSTS_PPF : 0);
}

/* The record and the dword in it that off is about, or -1. */
static int fake_vtd_record(const struct fake_vtd *v, size_t off, size_t *in)
{
	size_t base = (v->cap >> 24 & 0x3ff) * 16;

	if (off < base || off >= base + fake_vtd_nrecords(v) * 16u)
		return -1;
	*in = (off - base) % 16;
	return (int)((off - base) / 16);
}

static uint64_t fake_vtd_get(const struct fake_vtd *v, size_t off,
			     unsigned *width)
{
	size_t in;
	int n = fake_vtd_record(v, off, &in);

	if (n >= 0) {
		*width = in % 8 ? 4 : *width;
		return (in < 8 ? v->record[n].lo : v->record[n].hi) >>
		       in % 8 * 8;
	}
	*width = 4;
	switch (off) {
	case VTD_VER:
		return 0x10;
	case VTD_GSTS:
		return v->gsts;
	case VTD_FSTS:
		return fake_vtd_fsts(v);
	case VTD_FECTL:
		return v->fectl;
	case VTD_FEDATA:
		return v->fedata;
	case VTD_FEADDR:
		return v->feaddr;
	case VTD_FEUADDR:
		return v->feuaddr;
	}
	*width = 8;
	switch (off) {
	case VTD_CAP:
		return v->cap;
	case VTD_ECAP:
		return v->ecap;
	case VTD_RTADDR:
		return v->rtaddr;
	case VTD_IQH:
		return v->iqh << 4;
	case VTD_IQT:
		return v->iqt;
	case VTD_IQA:
		return v->iqa;
	}
	fake_vtd_wrong(off, *width, "read of no register");
	return 0;
}

static uint64_t fake_vtd_read(void *ctx, size_t off, unsigned width)
{
	struct fake_vtd *v = ctx;
	unsigned want = width;
	uint64_t val = fake_vtd_get(v, off, &want);

	if (width != want)
		fake_vtd_wrong(off, width, "read");
	if (v->gone)
		return UINT64_MAX;
	return width == 4 ? (uint32_t)val : val;
}

static void fake_vtd_put32(struct fake_vtd *v, size_t off, uint32_t val)
{
	size_t in;
	int n = fake_vtd_record(v, off, &in);

	if (n >= 0 && in == 12) {
		v->record[n].hi &= ~((uint64_t)(val & BIT(31)) << 32);
		return;
	}
	switch (off) {
	case VTD_GCMD:
		fake_vtd_command(v, val);
		break;
	case VTD_FSTS:
		v->fsts &= ~(val & (VTD_FSTS_IQE | VTD_FSTS_PFO));
		break;
	case VTD_FECTL:
		v->fectl = (v->fectl & BIT(30)) | (val & VTD_FECTL_IM);
		if (v->fectl == BIT(30))
			fake_vtd_event(v);
		break;
	case VTD_FEDATA:
		v->fedata = val & 0xffff;
		break;
	case VTD_FEADDR:
		v->feaddr = val;
		break;
	case VTD_FEUADDR:
		v->feuaddr = val;
		break;
	default:
		fake_vtd_wrong(off, 4, "write");
	}
}

static void fake_vtd_put64(struct fake_vtd *v, size_t off, uint64_t val)
{
	switch (off) {
	case VTD_RTADDR:
		v->rtaddr = val;
		break;
	case VTD_IQT:
		v->iqt = val;
		fake_vtd_run_queue(v);
		break;
	case VTD_IQA:
		v->iqa = val;
		break;
	default:
		fake_vtd_wrong(off, 8, "write");
	}
}

static void fake_vtd_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	struct fake_vtd *v = ctx;

	if (v->gone)
		return;
	if (width == 4)
		fake_vtd_put32(v, off, (uint32_t)val);
	else if (width == 8)
		fake_vtd_put64(v, off, val);
	else
		fake_vtd_wrong(off, width, "write");
}

static const struct host_mmio_ops fake_vtd_ops = {
	.read = fake_vtd_read,
	.write = fake_vtd_write,
};

void fake_vtd_add(struct fake_vtd *v, unsigned n)
{
	memset(v, 0, sizeof(*v));
	v->base = FAKE_VTD_BASE + n * PAGE_SIZE;
	v->last = UINT16_MAX;
	v->cap = FAKE_VTD_CAP;
	v->ecap = FAKE_VTD_ECAP;
	v->fectl = VTD_FECTL_IM;
	host_mmio_add(v->base, PAGE_SIZE, &fake_vtd_ops, v);
	if (n == 0)
		fake_vtd_nunits = 0;
	fake_vtd_units[n] = v;
	fake_vtd_nunits = n + 1;
	host_dma_translate = fake_vtd_dma;
}
