/* SPDX-License-Identifier: MIT */
/*
 * core/dma.c: the direct provider, what is refused, and that another provider
 * sees every call.
 */
#include "core/dma.h"

#include <check.h>
#include <string.h>

#include "core/bits.h"
#include "core/device.h"
#include "core/errno.h"
#include "core/page.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

static struct device dev;
static char *page;			/* four, in one piece */

static void setup(void)
{
	host_start();
	dma_set_provider(NULL);
	memset(&dev, 0, sizeof(dev));
	strcpy(dev.name, "00:03.0");
	dev.dma.mask = UINT64_MAX;
	ck_assert_int_eq(dma_attach(&dev), 0);
	page = page_alloc(2);
}

static void teardown(void)
{
	page_free(page, 2);
	host_finish();
}

/* ---- direct ---- */

START_TEST(a_direct_address_is_the_physical_one)
{
	iova_t iova;

	ck_assert_str_eq(dma_provider_name(), "direct");
	ck_assert_int_eq(dma_map(&dev, page + 5, 100, DMA_TO_DEVICE, &iova), 0);
	ck_assert_uint_eq(iova, virt_to_phys(page + 5));
	ck_assert_uint_eq(dev.dma.maps, 1);
	ck_assert_uint_eq(dev.dma.unmaps, 0);
	dma_unmap(&dev, iova, 100, DMA_TO_DEVICE);
	ck_assert_uint_eq(dev.dma.unmaps, 1);
}
END_TEST

START_TEST(pieces_that_touch_become_one_segment)
{
	const struct dma_vec vec[] = {
		{ page + 100, PAGE_SIZE - 100 }, { page + PAGE_SIZE, 512 },
		{ page + 2 * PAGE_SIZE, 16 }, { page + 2 * PAGE_SIZE + 16, 16 },
		{ page, 16 },
	};
	struct dma_seg seg[5];
	phys_t pa = virt_to_phys(page);

	ck_assert_int_eq(dma_map_sg(&dev, vec, 5, DMA_BIDIRECTIONAL, seg, 5), 3);
	ck_assert_uint_eq(seg[0].addr, pa + 100);
	ck_assert_uint_eq(seg[0].len, PAGE_SIZE - 100 + 512);
	ck_assert_uint_eq(seg[1].addr, pa + 2 * PAGE_SIZE);
	ck_assert_uint_eq(seg[1].len, 32);
	ck_assert_uint_eq(seg[2].addr, pa);
	ck_assert_uint_eq(seg[2].len, 16);
	ck_assert_uint_eq(dev.dma.maps, 1);
	dma_unmap_sg(&dev, seg, 3, DMA_BIDIRECTIONAL);
	ck_assert_uint_eq(dev.dma.unmaps, 1);
}
END_TEST

START_TEST(merging_makes_room_and_too_little_room_is_einval)
{
	const struct dma_vec vec[] = {
		{ page, 512 }, { page + 512, 512 }, { page + 2048, 512 },
	};
	struct dma_seg seg[3];

	ck_assert_int_eq(dma_map_sg(&dev, vec, 3, DMA_TO_DEVICE, seg, 2), 2);
	dma_unmap_sg(&dev, seg, 2, DMA_TO_DEVICE);
	ck_assert_int_eq(dma_map_sg(&dev, vec, 3, DMA_TO_DEVICE, seg, 1),
			 -EINVAL);
	ck_assert_int_eq(dma_map_sg(&dev, vec, 3, DMA_TO_DEVICE, seg, 0),
			 -EINVAL);
	ck_assert_int_eq(dma_map_sg(&dev, vec, 0, DMA_TO_DEVICE, seg, 3),
			 -EINVAL);
	ck_assert_uint_eq(dev.dma.maps, 1);
}
END_TEST

START_TEST(an_empty_piece_is_einval)
{
	const struct dma_vec vec[] = { { page, 512 }, { page + 512, 0 } };
	struct dma_seg seg[2];
	iova_t iova;

	ck_assert_int_eq(dma_map_sg(&dev, vec, 2, DMA_TO_DEVICE, seg, 2),
			 -EINVAL);
	ck_assert_int_eq(dma_map(&dev, page, 0, DMA_TO_DEVICE, &iova), -EINVAL);
	ck_assert_uint_eq(dev.dma.maps, 0);
}
END_TEST

START_TEST(the_mask_is_honoured_to_the_byte)
{
	phys_t pa = virt_to_phys(page);
	iova_t iova;

	dev.dma.mask = pa + 511;
	ck_assert_int_eq(dma_map(&dev, page, 512, DMA_TO_DEVICE, &iova), 0);
	dma_unmap(&dev, iova, 512, DMA_TO_DEVICE);
	ck_assert_int_eq(dma_map(&dev, page, 513, DMA_TO_DEVICE, &iova),
			 -ENOTSUP);
	ck_assert_int_eq(dma_map(&dev, page + 512, 1, DMA_TO_DEVICE, &iova),
			 -ENOTSUP);
	ck_assert(host_logged("00:03.0: error: cannot reach memory at"));
	ck_assert_uint_eq(dev.dma.maps, dev.dma.unmaps);
}
END_TEST

/* ---- coherent ---- */

START_TEST(coherent_memory_is_clear_and_aligned)
{
	iova_t iova = 1;
	char *p = dma_alloc_coherent(&dev, 5000, &iova);

	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq(iova, virt_to_phys(p));
	ck_assert_uint_eq(iova % PAGE_SIZE, 0);
	for (unsigned i = 0; i < 5000; i++)
		ck_assert_int_eq(p[i], 0);
	dma_free_coherent(&dev, 5000, p, iova);
	dma_free_coherent(&dev, 5000, NULL, 0);
}
END_TEST

START_TEST(coherent_memory_lies_below_the_mask)
{
	iova_t iova;
	void *p;

	dev.dma.mask = MIB(4) - 1;
	p = dma_alloc_coherent(&dev, 4096, &iova);
	ck_assert_ptr_nonnull(p);
	ck_assert_uint_lt(iova, MIB(4));
	dma_free_coherent(&dev, 4096, p, iova);
	dev.dma.mask = KIB(64) - 1;		/* nothing of ours is there */
	ck_assert_ptr_null(dma_alloc_coherent(&dev, 4096, &iova));
}
END_TEST

START_TEST(coherent_memory_that_cannot_be_is_null)
{
	iova_t iova;

	ck_assert_ptr_null(dma_alloc_coherent(&dev, 0, &iova));
	ck_assert_ptr_null(dma_alloc_coherent(&dev, MIB(5), &iova));
	host_fail_alloc(1);
	ck_assert_ptr_null(dma_alloc_coherent(&dev, 4096, &iova));
	ck_assert(host_alloc_failed());
}
END_TEST

/* ---- attached or not ---- */

START_TEST(a_device_in_no_domain_maps_nothing)
{
	iova_t iova;

	dma_detach(&dev);
	ck_assert_ptr_null(dev.dma.ops);
	ck_assert_int_eq(dma_map(&dev, page, 16, DMA_TO_DEVICE, &iova),
			 -ENODEV);
	ck_assert_ptr_null(dma_alloc_coherent(&dev, 4096, &iova));
	dma_detach(&dev);
}
END_TEST

START_TEST(attaching_twice_is_ebusy)
{
	ck_assert_int_eq(dma_attach(&dev), -EBUSY);
	dma_detach(&dev);
	ck_assert_int_eq(dma_attach(&dev), 0);
}
END_TEST

START_TEST(mappings_left_at_detach_are_said)
{
	iova_t iova;

	ck_assert_int_eq(dma_map(&dev, page, 16, DMA_TO_DEVICE, &iova), 0);
	dma_detach(&dev);
	ck_assert(host_logged("detached with 1 DMA mappings left"));
}
END_TEST

/* ---- another provider ---- */

static unsigned attached, detached, frees;
static int attach_err, map_err;

static int other_map(struct device *d, const struct dma_vec *vec, unsigned n,
		     enum dma_dir dir, struct dma_seg *seg, unsigned nseg)
{
	if (map_err)
		return map_err;
	seg[0] = (struct dma_seg){ 0x1000, vec[0].len };
	return 1;
}

static void other_unmap(struct device *d, const struct dma_seg *seg,
			unsigned n, enum dma_dir dir)
{
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(seg[0].addr, 0x1000);
	ck_assert_uint_eq(seg[0].len, 64);
	ck_assert_int_eq(dir, DMA_FROM_DEVICE);
}

static void *other_alloc(struct device *d, size_t size, iova_t *iova)
{
	*iova = size;
	return page;
}

static void other_free(struct device *d, size_t size, void *p, iova_t iova)
{
	frees++;
}

static const struct dma_ops other_ops = {
	.name = "other", .map_sg = other_map, .unmap_sg = other_unmap,
	.alloc_coherent = other_alloc, .free_coherent = other_free,
};

static int other_attach(struct device *d)
{
	attached++;
	d->dma.ops = &other_ops;	/* even when it fails in the end */
	return attach_err;
}

static void other_detach(struct device *d)
{
	detached++;
}

static const struct dma_provider other = {
	.name = "other", .attach = other_attach, .detach = other_detach,
};

static void use_other(void)
{
	dma_detach(&dev);
	dma_set_provider(&other);
}

START_TEST(another_provider_sees_every_call)
{
	iova_t iova;
	void *p;

	use_other();
	ck_assert_str_eq(dma_provider_name(), "other");
	ck_assert_int_eq(dma_attach(&dev), 0);
	ck_assert_int_eq(dma_map(&dev, page, 64, DMA_FROM_DEVICE, &iova), 0);
	ck_assert_uint_eq(iova, 0x1000);
	dma_unmap(&dev, iova, 64, DMA_FROM_DEVICE);
	p = dma_alloc_coherent(&dev, 0x2000, &iova);
	ck_assert_ptr_eq(p, page);
	ck_assert_uint_eq(iova, 0x2000);
	dma_free_coherent(&dev, 0x2000, p, iova);
	ck_assert_uint_eq(frees, 1);
	dma_detach(&dev);
	ck_assert_uint_eq(attached, 1);
	ck_assert_uint_eq(detached, 1);
	ck_assert_ptr_null(dev.dma.ops);
	dma_set_provider(NULL);
	ck_assert_str_eq(dma_provider_name(), "direct");
}
END_TEST

START_TEST(a_provider_that_refuses_leaves_no_domain)
{
	use_other();
	attach_err = -ENOSPC;
	ck_assert_int_eq(dma_attach(&dev), -ENOSPC);
	ck_assert_ptr_null(dev.dma.ops);
	ck_assert(host_logged("other gives it no DMA domain (-ENOSPC)"));
}
END_TEST

START_TEST(a_map_that_fails_is_not_counted)
{
	iova_t iova = 7;

	use_other();
	ck_assert_int_eq(dma_attach(&dev), 0);
	map_err = -ENOMEM;
	ck_assert_int_eq(dma_map(&dev, page, 64, DMA_FROM_DEVICE, &iova),
			 -ENOMEM);
	ck_assert_uint_eq(iova, 7);
	ck_assert_uint_eq(dev.dma.maps, 0);
}
END_TEST

int main(void)
{
	TCase *c = suite_group("dma", setup, teardown, 0);

	tcase_add_test(c, a_direct_address_is_the_physical_one);
	tcase_add_test(c, pieces_that_touch_become_one_segment);
	tcase_add_test(c, merging_makes_room_and_too_little_room_is_einval);
	tcase_add_test(c, an_empty_piece_is_einval);
	tcase_add_test(c, the_mask_is_honoured_to_the_byte);
	tcase_add_test(c, coherent_memory_is_clear_and_aligned);
	tcase_add_test(c, coherent_memory_lies_below_the_mask);
	tcase_add_test(c, coherent_memory_that_cannot_be_is_null);
	tcase_add_test(c, a_device_in_no_domain_maps_nothing);
	tcase_add_test(c, attaching_twice_is_ebusy);
	tcase_add_test(c, mappings_left_at_detach_are_said);
	tcase_add_test(c, another_provider_sees_every_call);
	tcase_add_test(c, a_provider_that_refuses_leaves_no_domain);
	tcase_add_test(c, a_map_that_fails_is_not_counted);
	return suite_run("dma");
}
