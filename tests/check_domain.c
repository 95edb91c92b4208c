/* SPDX-License-Identifier: MIT */
/*
 * viommu/domain.c over a family made of an array: which page of which domain
 * leads where, and what was asked of it.
 */
#include "viommu/domain.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/bootinfo.h"
#include "core/device.h"
#include "core/errno.h"
#include "core/page.h"
#include "tests/host/dev.h"
#include "tests/host/suite.h"

#define PAGES	4096
#define WINDOW	(PAGES * (uint64_t)PAGE_SIZE)

struct toy_domain {
	struct domain domain;
	struct { phys_t pa; unsigned prot; } page[PAGES];
	unsigned uncommitted;
};

static struct {
	int init_err, attach_err, detach_err, map_err, commit_err, unmap_err;
	unsigned maps, commits, unmaps, attaches, detaches, inits, finis;
	uint16_t rid[16];		/* attached now */
	unsigned nrids;
	struct domain_region region[4];
	int nregions;
	unsigned map_fails_after;	/* so many maps work */
} toy;

static struct toy_domain *toy_of(struct domain *d)
{
	return container_of(d, struct toy_domain, domain);
}

static int toy_init(struct domain *d, const struct pci_dev *p)
{
	toy.inits++;
	d->first = 0;
	d->last = WINDOW - 1;
	return toy.init_err;
}

static void toy_fini(struct domain *d)
{
	toy.finis++;
}

static int toy_attach(struct domain *d, uint16_t rid)
{
	toy.attaches++;
	if (toy.attach_err)
		return toy.attach_err;
	toy.rid[toy.nrids++] = rid;
	return 0;
}

static int toy_detach(struct domain *d, uint16_t rid)
{
	toy.detaches++;
	for (unsigned i = 0; i < toy.nrids; i++) {
		if (toy.rid[i] != rid)
			continue;
		toy.rid[i] = toy.rid[--toy.nrids];
		return toy.detach_err;
	}
	ck_abort_msg("detach of what is not attached");
}

static int toy_regions(const struct pci_dev *p, struct domain_region *r,
		       unsigned max)
{
	for (int i = 0; i < toy.nregions; i++)
		r[i] = toy.region[i];
	return toy.nregions;
}

static int toy_map(struct domain *d, iova_t iova, phys_t pa, uint64_t size,
		   unsigned prot)
{
	struct toy_domain *t = toy_of(d);

	spin_assert_held(&d->lock);
	ck_assert_uint_eq((iova | pa | size) % PAGE_SIZE, 0);
	toy.maps++;
	if (toy.map_err && toy.maps > toy.map_fails_after)
		return toy.map_err;
	for (; size; size -= PAGE_SIZE, iova += PAGE_SIZE, pa += PAGE_SIZE) {
		ck_assert_uint_eq(t->page[iova / PAGE_SIZE].prot, 0);
		t->page[iova / PAGE_SIZE].pa = pa;
		t->page[iova / PAGE_SIZE].prot = prot;
	}
	t->uncommitted++;
	return 0;
}

static int toy_commit(struct domain *d, iova_t iova, uint64_t size)
{
	spin_assert_held(&d->lock);
	toy.commits++;
	toy_of(d)->uncommitted = 0;
	return toy.commit_err;
}

static int toy_unmap(struct domain *d, iova_t iova, uint64_t size)
{
	struct toy_domain *t = toy_of(d);
	int err = 0;

	spin_assert_held(&d->lock);
	toy.unmaps++;
	ck_assert_uint_eq(t->uncommitted, 0);
	if (toy.unmap_err)
		return toy.unmap_err;
	for (; size; size -= PAGE_SIZE, iova += PAGE_SIZE) {
		if (!t->page[iova / PAGE_SIZE].prot)
			err = -ENOENT;
		t->page[iova / PAGE_SIZE].prot = 0;
	}
	return err;
}

static const struct domain_ops toy_ops = {
	.name = "toy",
	.size = sizeof(struct toy_domain),
	.init = toy_init,
	.fini = toy_fini,
	.attach = toy_attach,
	.detach = toy_detach,
	.regions = toy_regions,
	.map = toy_map,
	.commit = toy_commit,
	.unmap = toy_unmap,
};

static struct fake_pci fn_a, fn_b, fn_c0, fn_c1;
static struct pci_dev *a, *b, *c0, *c1;

/* Two devices of their own, and two functions of one. */
static void setup(void)
{
	host_start();
	memset(&toy, 0, sizeof(toy));
	dev_add(&fn_a, PCI_BDF(0, 3, 0));
	dev_add(&fn_b, PCI_BDF(0, 4, 0));
	dev_add(&fn_c0, PCI_BDF(0, 5, 0));
	dev_add(&fn_c1, PCI_BDF(0, 5, 1));
	fn_c0.config[0x0e] |= 0x80;
	fn_c1.config[0x0e] |= 0x80;
	a = dev_find(&fn_a);
	b = dev_find(&fn_b);
	c0 = dev_find(&fn_c0);
	c1 = dev_find(&fn_c1);
	domain_start(&toy_ops);
}

static void finish(void)
{
	dma_detach(&a->dev);
	dma_detach(&b->dev);
	dma_detach(&c0->dev);
	dma_detach(&c1->dev);
	ck_assert_uint_eq(domain_count(), 0);
	domain_start(NULL);
	host_finish();
}

static void attach(struct pci_dev *p)
{
	ck_assert_int_eq(dma_attach(&p->dev), 0);
}

/* Does the byte at iova lead to p, with these rights? */
static bool leads_to(const struct toy_domain *t, iova_t iova, char *p,
		     unsigned prot)
{
	return iova < WINDOW && t->page[iova / PAGE_SIZE].prot == prot &&
	       t->page[iova / PAGE_SIZE].pa + iova % PAGE_SIZE ==
	       virt_to_phys(p);
}

/* Does every byte of seg lead to the pieces' bytes, in order? */
static void check_layout(struct pci_dev *p, const struct dma_vec *vec,
			 unsigned nvec, const struct dma_seg *seg,
			 unsigned nseg, unsigned prot)
{
	struct toy_domain *t = toy_of(domain_of(&p->dev));
	unsigned s = 0, wrong = 0;
	size_t in = 0;

	for (unsigned i = 0; i < nvec; i++) {
		for (size_t j = 0; j < vec[i].len; j++, in++) {
			if (in == seg[s].len) {
				ck_assert_uint_lt(++s, nseg);
				in = 0;
			}
			wrong += !leads_to(t, seg[s].addr + in,
					   (char *)vec[i].addr + j, prot);
		}
	}
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(s + 1, nseg);
	ck_assert_uint_eq(in, seg[s].len);
}

/* ---- layout ---- */

START_TEST(pieces_that_touch_at_page_borders_are_one_segment)
{
	char *mem = page_alloc(4);
	struct dma_vec vec[] = {
		{ mem + 0x600, 0xa00 },			/* to a border */
		{ mem + 5 * PAGE_SIZE, PAGE_SIZE },	/* a whole page */
		{ mem + 3 * PAGE_SIZE, 0x123 },		/* from a border */
	};
	struct dma_seg seg[3];

	attach(a);
	ck_assert_int_eq(dma_map_sg(&a->dev, vec, 3, DMA_TO_DEVICE, seg, 3), 1);
	ck_assert_uint_eq(seg[0].len, 0xa00 + PAGE_SIZE + 0x123);
	ck_assert_uint_eq(seg[0].addr % PAGE_SIZE, 0x600);
	check_layout(a, vec, 3, seg, 1, DOMAIN_READ);
	ck_assert_uint_eq(toy.maps, 3);
	ck_assert_uint_eq(toy.commits, 1);
	dma_unmap_sg(&a->dev, seg, 1, DMA_TO_DEVICE);
	ck_assert_uint_eq(toy.unmaps, 1);
	ck_assert_uint_eq(domain_mapped(), 0);
	page_free(mem, 4);
}
END_TEST

START_TEST(pieces_inside_pages_are_segments_in_one_range)
{
	char *mem = page_alloc(3);
	struct dma_vec vec[] = {
		{ mem + 10, 20 }, { mem + 50, 7 }, { mem + 3 * PAGE_SIZE, 512 },
		{ mem + 4 * PAGE_SIZE - 1, 2 },
	};
	struct dma_seg seg[4];

	attach(a);
	ck_assert_int_eq(dma_map_sg(&a->dev, vec, 4, DMA_FROM_DEVICE, seg, 4),
			 4);
	check_layout(a, vec, 4, seg, 4, DOMAIN_WRITE);
	ck_assert_uint_eq(domain_mapped(), 5 * PAGE_SIZE);
	for (unsigned i = 1; i < 4; i++)
		ck_assert_uint_eq(seg[i].addr / PAGE_SIZE,
				  seg[0].addr / PAGE_SIZE + i);
	dma_unmap_sg(&a->dev, seg, 4, DMA_FROM_DEVICE);
	ck_assert_uint_eq(toy.unmaps, 1);
	ck_assert_uint_eq(domain_mapped(), 0);
	page_free(mem, 3);
}
END_TEST

START_TEST(physical_neighbours_are_mapped_in_one_go)
{
	char *mem = page_alloc(4);
	struct dma_vec vec[] = {
		{ mem, PAGE_SIZE }, { mem + PAGE_SIZE, PAGE_SIZE },
		{ mem + 2 * PAGE_SIZE, 5 * PAGE_SIZE },
	};
	struct dma_seg seg[3];

	attach(a);
	ck_assert_int_eq(dma_map_sg(&a->dev, vec, 3, DMA_BIDIRECTIONAL, seg, 3),
			 1);
	ck_assert_uint_eq(toy.maps, 1);
	check_layout(a, vec, 3, seg, 1, DOMAIN_READ | DOMAIN_WRITE);
	dma_unmap_sg(&a->dev, seg, 1, DMA_BIDIRECTIONAL);
	page_free(mem, 4);
}
END_TEST

START_TEST(random_pieces_lead_where_they_should)
{
	char *mem = page_alloc(6);
	struct dma_vec vec[12];
	struct dma_seg seg[12];
	unsigned r = 1;

	attach(a);
	for (unsigned i = 0; i < 1000; i++) {
		unsigned n = 1 + i % 12;
		int nseg;

		for (unsigned k = 0; k < n; k++) {
			size_t at, len;

			r = r * 1103515245 + 12345;
			at = (r >> 8) % (60 * PAGE_SIZE);
			len = 1 + (r >> 3) % (3 * PAGE_SIZE);
			if (r >> 30)
				at &= PAGE_MASK;
			if (r >> 29 & 1)
				len = ALIGN_UP(at + len, PAGE_SIZE) - at;
			vec[k] = (struct dma_vec){ mem + at, len };
		}
		nseg = dma_map_sg(&a->dev, vec, n, DMA_TO_DEVICE, seg, n);
		ck_assert_int_gt(nseg, 0);
		check_layout(a, vec, n, seg, nseg, DOMAIN_READ);
		dma_unmap_sg(&a->dev, seg, nseg, DMA_TO_DEVICE);
		ck_assert_uint_eq(domain_mapped(), 0);
	}
	ck_assert_uint_eq(domain_of(&a->dev)->iova.pages, 0);
	page_free(mem, 6);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
	char *mem = page_alloc(1);
	struct dma_vec vec[] = { { mem, 1 }, { mem + 9, 1 } };
	struct dma_vec empty[] = { { mem, 1 }, { mem, 0 } };
	struct dma_seg seg[2];
	iova_t iova;

	ck_assert_int_eq(dma_map(&a->dev, mem, 1, DMA_TO_DEVICE, &iova),
			 -ENODEV);
	attach(a);
	ck_assert_int_eq(dma_map_sg(&a->dev, vec, 2, DMA_TO_DEVICE, seg, 1),
			 -EINVAL);
	ck_assert_int_eq(dma_map_sg(&a->dev, empty, 2, DMA_TO_DEVICE, seg, 2),
			 -EINVAL);
	ck_assert_int_eq(dma_map_sg(&a->dev, vec, 0, DMA_TO_DEVICE, seg, 1),
			 -EINVAL);
	ck_assert_int_eq(dma_map_sg(&a->dev, vec, 2, 0, seg, 2), -EINVAL);
	ck_assert_int_eq(dma_map_sg(&a->dev, vec, 2, 4, seg, 2), -EINVAL);
	ck_assert_uint_eq(toy.maps, 0);
	page_free(mem, 1);
}
END_TEST

START_TEST(coherent_memory_is_zeroed_and_mapped_both_ways)
{
	iova_t iova, two;
	char *p, *q;

	attach(a);
	p = dma_alloc_coherent(&a->dev, 3 * PAGE_SIZE, &iova);
	ck_assert_ptr_nonnull(p);
	for (unsigned i = 0; i < 3 * PAGE_SIZE; i++)
		ck_assert_int_eq(p[i], 0);
	ck_assert_uint_eq(iova % PAGE_SIZE, 0);
	ck_assert_uint_eq(toy.maps, 1);
	q = dma_alloc_coherent(&a->dev, 10, &two);
	ck_assert_ptr_nonnull(q);
	ck_assert_uint_eq((uintptr_t)q % PAGE_SIZE, 0);
	ck_assert_ptr_null(dma_alloc_coherent(&a->dev, GIB(1), &two));
	dma_free_coherent(&a->dev, 3 * PAGE_SIZE, p, iova);
	dma_free_coherent(&a->dev, 10, q, two);
	ck_assert_uint_eq(domain_mapped(), 0);
}
END_TEST

START_TEST(the_devices_mask_is_kept)
{
	char *mem = page_alloc(0);
	iova_t iova;

	attach(a);
	a->dev.dma.mask = MIB(1) - 1;
	ck_assert_int_eq(dma_map(&a->dev, mem, 9, DMA_TO_DEVICE, &iova), 0);
	ck_assert_uint_lt(iova, MIB(1));
	ck_assert_uint_ne(iova / PAGE_SIZE, 0);
	dma_unmap(&a->dev, iova, 9, DMA_TO_DEVICE);
	a->dev.dma.mask = PAGE_SIZE - 1;
	ck_assert_int_eq(dma_map(&a->dev, mem, 9, DMA_TO_DEVICE, &iova),
			 -ENOSPC);
	page_free(mem, 0);
}
END_TEST

START_TEST(when_addresses_run_out_a_free_helps)
{
	char *mem = page_alloc(0);
	static iova_t iova[PAGES];
	unsigned n = 0;

	attach(a);
	while (!dma_map(&a->dev, mem, 1, DMA_TO_DEVICE, &iova[n]))
		n++;
	ck_assert_uint_eq(n, PAGES - 1);	/* all but page 0 */
	dma_unmap(&a->dev, iova[7], 1, DMA_TO_DEVICE);
	ck_assert_int_eq(dma_map(&a->dev, mem, 1, DMA_TO_DEVICE, &iova[7]), 0);
	while (n--)
		dma_unmap(&a->dev, iova[n], 1, DMA_TO_DEVICE);
	ck_assert_uint_eq(domain_of(&a->dev)->iova.pages, 0);
	page_free(mem, 0);
}
END_TEST

/* ---- domains ---- */

START_TEST(each_device_has_a_domain_and_functions_share_one)
{
	attach(a);
	attach(b);
	attach(c0);
	attach(c1);
	ck_assert_uint_eq(domain_count(), 3);
	ck_assert_ptr_ne(domain_of(&a->dev), domain_of(&b->dev));
	ck_assert_ptr_eq(domain_of(&c0->dev), domain_of(&c1->dev));
	ck_assert_uint_eq(toy.attaches, 4);
	ck_assert_str_eq(domain_of(&c0->dev)->name, "00:05.*");
	dma_detach(&c0->dev);
	ck_assert_uint_eq(toy.nrids, 3);
	ck_assert_uint_eq(toy.finis, 0);
	dma_detach(&c1->dev);
	ck_assert_uint_eq(toy.finis, 1);
	ck_assert_uint_eq(domain_count(), 2);
}
END_TEST

START_TEST(an_id_that_two_devices_share_is_attached_once)
{
	struct pci_dev *up = b;		/* as if it were a bridge */

	up->hdr_type = 1;
	up->cap_pcie = 0;
	c0->parent = c1->parent = up;
	attach(c0);
	attach(c1);
	ck_assert_uint_eq(toy.attaches, 1);
	ck_assert_uint_eq(toy.rid[0], up->bdf);
	dma_detach(&c0->dev);
	ck_assert_uint_eq(toy.detaches, 0);
	ck_assert_uint_eq(toy.nrids, 1);
	dma_detach(&c1->dev);
	ck_assert_uint_eq(toy.detaches, 1);
}
END_TEST

START_TEST(attaching_twice_is_refused)
{
	attach(a);
	ck_assert_int_eq(dma_attach(&a->dev), -EBUSY);
	ck_assert_uint_eq(toy.attaches, 1);
}
END_TEST

START_TEST(a_failed_attach_leaves_no_domain)
{
	toy.attach_err = -EIO;
	ck_assert_int_eq(dma_attach(&a->dev), -EIO);
	ck_assert_ptr_null(a->dev.dma.ops);
	ck_assert_uint_eq(domain_count(), 0);
	ck_assert_uint_eq(toy.finis, toy.inits);
	toy.attach_err = 0;
	toy.init_err = -ENXIO;
	ck_assert_int_eq(dma_attach(&a->dev), -ENXIO);
	toy.init_err = 0;
	toy.nregions = -EPROTO;
	ck_assert_int_eq(dma_attach(&a->dev), -EPROTO);
	ck_assert_uint_eq(domain_count(), 0);
	toy.nregions = 0;
}
END_TEST

START_TEST(reserved_regions_are_kept_and_identities_mapped)
{
	struct toy_domain *t;
	char *mem = page_alloc(0);
	iova_t iova;

	toy.nregions = 2;
	toy.region[0] = (struct domain_region){ 0x5000, 0x6fff, true };
	toy.region[1] = (struct domain_region){ 0x10000, WINDOW - 1, false };
	attach(c0);
	attach(c1);				/* the same ones again */
	t = toy_of(domain_of(&c0->dev));
	ck_assert_uint_eq(t->page[5].pa, 0x5000);
	ck_assert_uint_eq(t->page[6].pa, 0x6000);
	ck_assert_uint_eq(t->page[5].prot, DOMAIN_READ | DOMAIN_WRITE);
	ck_assert_uint_eq(toy.maps, 1);
	ck_assert_int_eq(dma_map(&c0->dev, mem, 1, DMA_TO_DEVICE, &iova), 0);
	ck_assert_uint_lt(iova, 0x10000);
	dma_unmap(&c0->dev, iova, 1, DMA_TO_DEVICE);
	page_free(mem, 0);
}
END_TEST

START_TEST(an_identity_beyond_the_width_refuses_the_device)
{
	toy.nregions = 1;
	toy.region[0] = (struct domain_region){ WINDOW, WINDOW + 0xfff, true };
	ck_assert_int_eq(dma_attach(&a->dev), -ERANGE);
	ck_assert_uint_eq(domain_count(), 0);
}
END_TEST

START_TEST(an_identity_in_ram_refuses_the_device)
{
	memset(&bootinfo, 0, sizeof(bootinfo));
	bootinfo.nranges = 1;
	bootinfo.range[0] = (struct mem_range){ MIB(1), MIB(1), MEM_RAM };
	toy.nregions = 1;
	toy.region[0] = (struct domain_region){ MIB(1) - PAGE_SIZE, MIB(1),
						true };
	ck_assert_int_eq(dma_attach(&a->dev), -EPERM);
	ck_assert(host_logged("is in RAM"));
	toy.region[0].last = MIB(1) - 1;
	ck_assert_int_eq(dma_attach(&a->dev), 0);
	toy.region[0] = (struct domain_region){ MIB(1), MIB(1), false };
	ck_assert_int_eq(dma_attach(&b->dev), 0);
	bootinfo.nranges = 0;
}
END_TEST

START_TEST(a_region_in_use_refuses_the_newcomer)
{
	char *mem = page_alloc(0);
	iova_t iova;

	attach(c0);
	ck_assert_int_eq(dma_map(&c0->dev, mem, 1, DMA_TO_DEVICE, &iova), 0);
	toy.nregions = 1;
	toy.region[0] = (struct domain_region){ iova, iova, false };
	ck_assert_int_eq(dma_attach(&c1->dev), -EBUSY);
	dma_unmap(&c0->dev, iova, 1, DMA_TO_DEVICE);
	ck_assert_uint_eq(domain_count(), 1);
	page_free(mem, 0);
}
END_TEST

/*
 * What a bridge lends is read from it, so once it is gone nobody can tell any
 * more; the tables may go only when no id leads to them.
 */
START_TEST(ids_of_a_bridge_that_vanished_are_detached_all_the_same)
{
	fn_b.config[0x42] = 7 << 4;		/* PCI Express to PCI */
	b->hdr_type = 1;
	b->cap_pcie = 0x40;
	b->secondary = 1;
	a->parent = b;
	attach(a);
	ck_assert_uint_eq(toy.nrids, 2);
	fn_b.gone = true;
	dma_detach(&a->dev);
	ck_assert_uint_eq(toy.nrids, 0);
	ck_assert_uint_eq(toy.finis, 1);
	a->parent = NULL;
}
END_TEST

START_TEST(mappings_left_at_detach_are_named)
{
	char *mem = page_alloc(0);
	iova_t iova;

	attach(a);
	ck_assert_int_eq(dma_map(&a->dev, mem, 1, DMA_TO_DEVICE, &iova), 0);
	dma_detach(&a->dev);
	ck_assert(host_logged("4096 bytes were still mapped"));
	a->dev.dma.unmaps++;		/* for the fixture's own count */
	page_free(mem, 0);
}
END_TEST

/* ---- trouble ---- */

START_TEST(a_map_that_fails_half_way_is_undone)
{
	char *mem = page_alloc(4);
	struct dma_vec vec[] = {
		{ mem, PAGE_SIZE }, { mem + 2 * PAGE_SIZE, PAGE_SIZE },
		{ mem + 4 * PAGE_SIZE, PAGE_SIZE },
	};
	struct toy_domain *t;
	struct dma_seg seg[3];

	attach(a);
	toy.map_err = -ENOMEM;
	toy.map_fails_after = 1;
	ck_assert_int_eq(dma_map_sg(&a->dev, vec, 3, DMA_TO_DEVICE, seg, 3),
			 -ENOMEM);
	t = toy_of(domain_of(&a->dev));
	for (unsigned i = 0; i < PAGES; i++)
		ck_assert_uint_eq(t->page[i].prot, 0);
	ck_assert_uint_eq(t->domain.iova.pages, 0);
	ck_assert_uint_eq(a->dev.dma.maps, 0);
	ck_assert_int_eq(t->domain.dead, 0);
	toy.map_err = 0;
	toy.commit_err = -EIO;
	ck_assert_int_eq(dma_map_sg(&a->dev, vec, 3, DMA_TO_DEVICE, seg, 3),
			 -EIO);
	ck_assert_uint_eq(t->domain.iova.pages, 0);
	toy.commit_err = 0;
	page_free(mem, 4);
}
END_TEST

START_TEST(a_failed_unmap_stops_the_device_and_keeps_the_address)
{
	char *mem = page_alloc(0);
	iova_t iova, again;

	attach(c0);
	attach(c1);
	ck_assert_int_eq(pci_enable_master(c0), 0);
	ck_assert_int_eq(pci_enable_master(c1), 0);
	ck_assert_int_eq(dma_map(&c0->dev, mem, 1, DMA_TO_DEVICE, &iova), 0);
	toy.unmap_err = -ETIMEDOUT;
	dma_unmap(&c0->dev, iova, 1, DMA_TO_DEVICE);
	ck_assert_uint_eq(fn_c0.config[4] & 4, 0);
	ck_assert_uint_eq(fn_c1.config[4] & 4, 0);
	ck_assert(iova_taken(&domain_of(&c0->dev)->iova, iova, PAGE_SIZE));
	ck_assert_int_eq(dma_map(&c0->dev, mem, 1, DMA_TO_DEVICE, &again),
			 -ETIMEDOUT);
	ck_assert_int_eq(dma_map(&c1->dev, mem, 1, DMA_TO_DEVICE, &again),
			 -ETIMEDOUT);
	ck_assert(host_logged("given up"));
	toy.unmap_err = 0;
	page_free(mem, 0);
}
END_TEST

START_TEST(coherent_memory_of_a_dead_domain_is_not_reused)
{
	struct page_stats before, after;
	iova_t iova;
	void *p;

	attach(a);
	page_stats(&before);
	p = dma_alloc_coherent(&a->dev, PAGE_SIZE, &iova);
	ck_assert_ptr_nonnull(p);
	toy.unmap_err = -ETIMEDOUT;
	dma_free_coherent(&a->dev, PAGE_SIZE, p, iova);
	page_stats(&after);
	ck_assert_uint_eq(after.free, before.free - 1);
	toy.unmap_err = 0;
	page_free(p, 0);
}
END_TEST

START_TEST(unmapping_twice_is_noticed)
{
	char *mem = page_alloc(0);
	iova_t iova;

	attach(a);
	ck_assert_int_eq(dma_map(&a->dev, mem, 1, DMA_TO_DEVICE, &iova), 0);
	dma_unmap(&a->dev, iova, 1, DMA_TO_DEVICE);
	dma_unmap(&a->dev, iova, 1, DMA_TO_DEVICE);
	ck_assert(host_logged("was not mapped"));
	ck_assert_uint_eq(domain_of(&a->dev)->bad_unmaps, 1);
	ck_assert_int_eq(domain_of(&a->dev)->dead, 0);
	ck_assert_uint_eq(domain_mapped(), 0);
	ck_assert_uint_eq(domain_of(&a->dev)->iova.pages, 0);
	a->dev.dma.maps++;		/* for the fixture's own count */
	page_free(mem, 0);
}
END_TEST

START_TEST(a_reserved_address_is_never_mapped)
{
	char *mem = page_alloc(0);
	iova_t hole, iova;

	attach(a);
	ck_assert_int_eq(iommu_reserve_iova(&b->dev, PAGE_SIZE, &hole),
			 -ENODEV);
	ck_assert_int_eq(iommu_reserve_iova(&a->dev, PAGE_SIZE, &hole), 0);
	for (unsigned i = 0; i < 100; i++) {
		ck_assert_int_eq(dma_map(&a->dev, mem, 1, DMA_TO_DEVICE, &iova),
				 0);
		ck_assert_uint_ne(iova, hole);
		dma_unmap(&a->dev, iova, 1, DMA_TO_DEVICE);
	}
	iommu_release_iova(&a->dev, hole, PAGE_SIZE);
	ck_assert_uint_eq(domain_of(&a->dev)->iova.pages, 0);
	page_free(mem, 0);
}
END_TEST

START_TEST(every_failed_allocation_of_an_attach_unwinds)
{
	unsigned n;
	int err;

	for (n = 1; ; n++) {
		host_fail_alloc(n);
		err = dma_attach(&a->dev);
		if (!host_alloc_failed())
			break;
		ck_assert_int_eq(err, -ENOMEM);
		ck_assert_uint_eq(domain_count(), 0);
	}
	host_fail_alloc(0);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_ge(n, 3);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("domain", setup, finish, 60);

	tcase_add_test(t, pieces_that_touch_at_page_borders_are_one_segment);
	tcase_add_test(t, pieces_inside_pages_are_segments_in_one_range);
	tcase_add_test(t, physical_neighbours_are_mapped_in_one_go);
	tcase_add_test(t, random_pieces_lead_where_they_should);
	tcase_add_test(t, what_makes_no_sense_is_refused);
	tcase_add_test(t, coherent_memory_is_zeroed_and_mapped_both_ways);
	tcase_add_test(t, the_devices_mask_is_kept);
	tcase_add_test(t, when_addresses_run_out_a_free_helps);
	tcase_add_test(t, each_device_has_a_domain_and_functions_share_one);
	tcase_add_test(t, an_id_that_two_devices_share_is_attached_once);
	tcase_add_test(t, attaching_twice_is_refused);
	tcase_add_test(t, a_failed_attach_leaves_no_domain);
	tcase_add_test(t, reserved_regions_are_kept_and_identities_mapped);
	tcase_add_test(t, an_identity_beyond_the_width_refuses_the_device);
	tcase_add_test(t, an_identity_in_ram_refuses_the_device);
	tcase_add_test(t, a_region_in_use_refuses_the_newcomer);
	tcase_add_test(t, ids_of_a_bridge_that_vanished_are_detached_all_the_same);
	tcase_add_test(t, mappings_left_at_detach_are_named);
	tcase_add_test(t, a_map_that_fails_half_way_is_undone);
	tcase_add_test(t, a_failed_unmap_stops_the_device_and_keeps_the_address);
	tcase_add_test(t, coherent_memory_of_a_dead_domain_is_not_reused);
	tcase_add_test(t, unmapping_twice_is_noticed);
	tcase_add_test(t, a_reserved_address_is_never_mapped);
	tcase_add_test(t, every_failed_allocation_of_an_attach_unwinds);
	return suite_run("domain");
}
