/* SPDX-License-Identifier: MIT */
#include "tests/fake/amdvi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/dma.h"

#define FAKE_ADDR	UINT64_C(0x000ffffffffff000)
#define FAKE_R		(UINT64_C(1) << 61)
#define FAKE_W		(UINT64_C(1) << 62)

static struct fake_amdvi *fake_amdvi_units[FAKE_AMDVI_UNITS];
static unsigned fake_amdvi_nunits;

static void fake_amdvi_wrong(const char *what, uint64_t val)
{
	fprintf(stderr, "AMD-Vi: %s: %#llx\n", what, (unsigned long long)val);
	abort();
}

static void fake_amdvi_load(uint64_t pa, void *out, size_t len)
{
	if (pa > HOST_RAM - len)
		fake_amdvi_wrong("a read beyond memory", pa);
	memcpy(out, phys_to_virt(pa), len);
}

/* ---- events (2.5) ---- */

static void fake_amdvi_event(struct fake_amdvi *v, unsigned code, uint64_t lo,
			     uint64_t hi)
{
	uint64_t len = UINT64_C(1) << (v->evbase >> 56 & 15);
	uint64_t next = (v->evtail + 16) % (len * 16);
	uint64_t e[2] = { (uint64_t)code << 60 | lo, hi };

	if (v->mute || !(v->status & 8) || v->status & 1)
		return;
	if (next == v->evhead) {
		v->status |= 1;
		return;
	}
	memcpy(phys_to_virt((v->evbase & FAKE_ADDR) + v->evtail), e, 16);
	v->evtail = next;
}

/* ---- translation ---- */

static struct amdvi_dte fake_amdvi_dte(struct fake_amdvi *v, uint16_t sid,
				       bool cache)
{
	struct amdvi_dte e;

	if (cache && v->dte_cached[sid])
		return v->dte[sid];
	if (sid >= ((v->devtab & 0x1ff) + 1) * 4096 / 32)
		fake_amdvi_wrong("a device beyond the table", sid);
	fake_amdvi_load((v->devtab & FAKE_ADDR) + sid * 32u, &e, 32);
	if (e.word[0] & UINT64_C(0x80300000000000fc) ||
	    e.word[1] & UINT64_C(0xffffff00ffff0000) || e.word[2] & 1)
		fake_amdvi_wrong("device table entry", e.word[0]);
	if (cache) {
		v->dte[sid] = e;
		v->dte_cached[sid] = true;
	}
	return e;
}

/* The entry that translates addr; r and w stay false when there is none. */
static void fake_amdvi_walk(struct amdvi_dte d, iova_t addr,
			    struct fake_amdvi_tlb *t)
{
	uint64_t table = d.word[0], prot = d.word[0], e;
	unsigned level = d.word[0] >> 9 & 7;

	if (!(d.word[0] & 1) || !(d.word[0] & 2))
		fake_amdvi_wrong("an open device table entry", d.word[0]);
	if (!level) {
		if (prot & (FAKE_R | FAKE_W))
			fake_amdvi_wrong("rights without a table", prot);
		return;
	}
	if (level > 6 || addr >> (12 + 9 * level))
		return;
	for (; level; level--) {
		fake_amdvi_load((table & FAKE_ADDR) +
				(addr >> (3 + 9 * level) & 511) * 8, &e, 8);
		if (!(e & 1))
			return;
		if ((e >> 9 & 7) != level - 1 || e & UINT64_C(0x87f00000000001fe))
			fake_amdvi_wrong("page table entry", e);
		prot &= e;
		table = e;
	}
	t->pa = table & FAKE_ADDR;
	t->r = prot & FAKE_R;
	t->w = prot & FAKE_W;
}

static struct fake_amdvi_tlb fake_amdvi_look(struct fake_amdvi *v, uint16_t sid,
					     iova_t addr, bool cache)
{
	struct amdvi_dte d = fake_amdvi_dte(v, sid, cache);
	struct fake_amdvi_tlb t = {
		.used = true, .sid = sid, .domain = d.word[1] & 0xffff,
		.page = addr & ~UINT64_C(0xfff),
	};

	fake_amdvi_walk(d, addr, &t);
	return t;
}

static struct fake_amdvi_tlb *fake_amdvi_cached(struct fake_amdvi *v,
						uint16_t sid, iova_t addr)
{
	struct fake_amdvi_tlb *t;

	for (unsigned i = 0; i < FAKE_AMDVI_TLB; i++) {
		t = &v->tlb[i];
		if (t->used && t->sid == sid &&
		    t->page == (addr & ~UINT64_C(0xfff)))
			return t;
	}
	t = &v->tlb[v->next_tlb++ % FAKE_AMDVI_TLB];
	*t = fake_amdvi_look(v, sid, addr, true);
	return t;
}

static void *fake_amdvi_request(struct fake_amdvi *v, uint16_t sid, iova_t addr,
				bool write)
{
	struct fake_amdvi_tlb now = fake_amdvi_look(v, sid, addr, false);
	struct fake_amdvi_tlb *t = fake_amdvi_cached(v, sid, addr);

	v->stale += now.pa != t->pa || now.r != t->r || now.w != t->w;
	if (!(write ? t->w : t->r)) {
		v->faults++;
		fake_amdvi_event(v, 2, sid | (write ? UINT64_C(1) << 53 : 0),
				 addr);
		return NULL;
	}
	return t->pa < HOST_RAM ? (char *)phys_to_virt(t->pa) + addr % PAGE_SIZE
				: NULL;
}

static void *fake_amdvi_dma(uint16_t bdf, iova_t addr, size_t len, bool write)
{
	for (unsigned i = 0; i < fake_amdvi_nunits; i++) {
		struct fake_amdvi *v = fake_amdvi_units[i];

		if (bdf >= v->first && bdf <= v->last && v->ctrl & 1)
			return fake_amdvi_request(v, bdf, addr, write);
	}
	return addr < HOST_RAM && len <= HOST_RAM - addr ? phys_to_virt(addr) :
	       NULL;
}

/* ---- commands (2.4) ---- */

/* 2.4.3: what lo, hi is about, as first and last address. */
static void fake_amdvi_range(uint64_t hi, iova_t *first, iova_t *last)
{
	unsigned bit = 12;

	*first = hi & ~UINT64_C(0xfff);
	*last = *first + 0xfff;
	if (!(hi & 1))
		return;
	while (bit < 63 && hi >> bit & 1)
		bit++;
	*first = bit >= 51 ? 0 : *first & ~((UINT64_C(2) << bit) - 1);
	*last = bit >= 51 ? UINT64_MAX : *first + (UINT64_C(2) << bit) - 1;
}

static void fake_amdvi_inv_pages(struct fake_amdvi *v, uint64_t lo, uint64_t hi)
{
	iova_t first, last;

	v->page_invs++;
	v->last_pages[0] = lo;
	v->last_pages[1] = hi;
	fake_amdvi_range(hi, &first, &last);
	for (unsigned i = 0; i < FAKE_AMDVI_TLB && !v->forgets_nothing; i++) {
		struct fake_amdvi_tlb *t = &v->tlb[i];

		if (t->domain == (lo >> 32 & 0xffff) && t->page >= first &&
		    t->page <= last)
			t->used = false;
	}
}

/* Returns false when the command is wrong. */
static bool fake_amdvi_cmd(struct fake_amdvi *v, uint64_t lo, uint64_t hi)
{
	v->cmds++;
	switch (lo >> 60) {
	case 1:
		v->waits++;
		if (lo >> 52 & 0xff)
			return false;
		if (lo & 1 && !v->no_wait)
			memcpy(phys_to_virt(lo & UINT64_C(0x000ffffffffffff8)),
			       &hi, 8);
		return true;
	case 2:
		v->devtab_invs++;
		if (lo >> 16 & UINT64_C(0xfffffffffff) || hi)
			return false;
		v->dte_cached[lo & 0xffff] = v->forgets_nothing &&
					     v->dte_cached[lo & 0xffff];
		return true;
	case 3:
		if (lo >> 20 & 0xfff || lo >> 48 & 0xfff || hi >> 3 & 0x1ff)
			return false;
		fake_amdvi_inv_pages(v, lo, hi);
		return true;
	case 8:
		v->all_invs++;
		if (lo << 4 || hi)
			return false;
		memset(v->dte_cached, 0, sizeof(v->dte_cached));
		memset(v->tlb, 0, sizeof(v->tlb));
		return true;
	default:
		return false;
	}
}

static void fake_amdvi_run(struct fake_amdvi *v)
{
	uint64_t size = UINT64_C(16) << (v->cmdbase >> 56 & 15), cmd[2], at;

	while (v->status & 0x10 && !v->stuck && v->cmdhead != v->cmdtail) {
		at = (v->cmdbase & FAKE_ADDR) + v->cmdhead;
		fake_amdvi_load(at, cmd, 16);
		if (!fake_amdvi_cmd(v, cmd[0], cmd[1])) {
			fake_amdvi_event(v, 5, 0, at);
			v->status &= ~UINT64_C(0x10);
			return;
		}
		v->cmdhead = (v->cmdhead + 16) % size;
	}
}

/* ---- registers ---- */

static void fake_amdvi_control(struct fake_amdvi *v, uint64_t val)
{
	if (v->deaf)
		return;
	v->ctrl = val;
	v->status &= ~UINT64_C(0x18);
	if (!v->no_run && val & 1)
		v->status |= (val & 4 ? 8 : 0) | (val >> 12 & 1 ? 0x10 : 0);
	fake_amdvi_run(v);
}

static uint64_t *fake_amdvi_reg(struct fake_amdvi *v, size_t off)
{
	switch (off) {
	case 0x00:
		return &v->devtab;
	case 0x08:
		return &v->cmdbase;
	case 0x10:
		return &v->evbase;
	case 0x18:
		return &v->ctrl;
	case 0x30:
		return &v->efr;
	case 0x2000:
		return &v->cmdhead;
	case 0x2008:
		return &v->cmdtail;
	case 0x2010:
		return &v->evhead;
	case 0x2018:
		return &v->evtail;
	case 0x2020:
		return &v->status;
	default:
		fake_amdvi_wrong("no such register", off);
		return NULL;
	}
}

static uint64_t fake_amdvi_read(void *ctx, size_t off, unsigned width)
{
	struct fake_amdvi *v = ctx;

	if (width != 8)
		fake_amdvi_wrong("a read of another width at", off);
	return v->gone ? UINT64_MAX : *fake_amdvi_reg(v, off);
}

static void fake_amdvi_write(void *ctx, size_t off, unsigned width,
			     uint64_t val)
{
	struct fake_amdvi *v = ctx;
	uint64_t *reg = fake_amdvi_reg(v, off);

	if (width != 8 || off == 0x30)
		fake_amdvi_wrong("a write of another width at", off);
	if (v->gone)
		return;
	if (off == 0x18) {
		fake_amdvi_control(v, val);
	} else if (off == 0x2020) {
		v->status &= ~(val & 7);
	} else {
		*reg = val;
		if (off == 0x2008)
			fake_amdvi_run(v);
	}
}

static const struct host_mmio_ops fake_amdvi_ops = {
	.read = fake_amdvi_read,
	.write = fake_amdvi_write,
};

void fake_amdvi_add(struct fake_amdvi *v, unsigned n)
{
	uint8_t body[22] = { FAKE_AMDVI_CAP & 0xff, FAKE_AMDVI_CAP >> 8 };

	memset(v, 0, sizeof(*v));
	v->base = FAKE_AMDVI_BASE + n * 0x4000;
	v->last = UINT16_MAX;
	v->efr = FAKE_AMDVI_EFR;
	fake_pci_init(&v->pci, PCI_BDF(0, 1, n), 0x1022, 0x0008, 0x080600);
	v->cap = fake_pci_cap(&v->pci, 0x0f, body, sizeof(body));
	fake_pci_add(&v->pci);
	host_mmio_add(v->base, 0x4000, &fake_amdvi_ops, v);
	if (n == 0)
		fake_amdvi_nunits = 0;
	fake_amdvi_units[n] = v;
	fake_amdvi_nunits = n + 1;
	host_dma_translate = fake_amdvi_dma;
}
