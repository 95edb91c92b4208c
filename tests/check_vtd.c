/* SPDX-License-Identifier: MIT */
/* viommu/vtd*.c against a unit that caches (tests/fake/vtd.c). */
#include "viommu/vtd.h"

#include <check.h>
#include <string.h>

#include "core/cpu.h"
#include "core/device.h"
#include "core/errno.h"
#include "core/page.h"
#include "tests/fake/vtd.h"
#include "tests/host/dev.h"
#include "tests/host/suite.h"
#include "viommu/fault.h"

static struct fake_vtd hw[2];
static struct fake_pci dev_a, dev_b;
static struct pci_dev *a, *b;
static struct acpi_dmar dmar;

/* One unit for everybody, and the two devices on the bus. */
static void setup(void)
{
	host_start();
	fault_reset();
	fake_vtd_add(&hw[0], 0);
	memset(&dmar, 0, sizeof(dmar));
	dmar.host_width = 39;
	dmar.nunits = 1;
	dmar.unit[0].base = hw[0].base;
	dmar.unit[0].include_all = true;
	dev_add(&dev_a, PCI_BDF(0, 3, 0));
	dev_add(&dev_b, PCI_BDF(0, 4, 0));
}

static void start(void)
{
	ck_assert_int_eq(vtd_start(&dmar), 0);
	domain_start(&vtd_ops);
	a = dev_start(&dev_a);
	b = dev_start(&dev_b);
}

static void stop(void)
{
	dma_detach(&a->dev);
	dma_detach(&b->dev);
	domain_start(NULL);
	vtd_stop();
}

/* ---- start ---- */

START_TEST(start_blocks_every_device)
{
	start();
	ck_assert(hw[0].gsts & VTD_G_TE);
	ck_assert(!dev_reads(a, 0x100000));
	ck_assert(!host_dma_read(PCI_BDF(7, 0, 0), 0x100000, dev_a.config, 4));
	ck_assert_uint_eq(hw[0].faults, 2);
	stop();
}
END_TEST

START_TEST(stop_leaves_the_unit_off)
{
	start();
	stop();
	ck_assert_uint_eq(hw[0].gsts & VTD_G_ENABLES, 0);
	ck_assert(hw[0].fectl & VTD_FECTL_IM);
	ck_assert_ptr_null(vtd_unit(0));
}
END_TEST

START_TEST(start_switches_off_what_firmware_left_on)
{
	hw[0].gsts = VTD_G_TE | VTD_G_QIE | VTD_G_IRE;
	start();
	ck_assert_uint_eq(hw[0].gsts & VTD_G_ENABLES, VTD_G_TE | VTD_G_QIE);
	stop();
}
END_TEST

START_TEST(start_times_out_and_frees_everything)
{
	hw[0].queue_stuck = true;
	ck_assert_int_eq(vtd_start(&dmar), -ETIMEDOUT);
	ck_assert(!(hw[0].gsts & VTD_G_TE));
	ck_assert(host_logged("invalidation queue"));
	/* The ring stays the unit's: it still has work to read from it. */
	page_free(phys_to_virt(hw[0].iqa & PAGE_MASK), 1);
}
END_TEST

START_TEST(a_deaf_unit_is_given_up_after_a_second)
{
	nsec_t before = time_now();

	hw[0].deaf = true;
	ck_assert_int_eq(vtd_start(&dmar), -ETIMEDOUT);
	ck_assert_uint_lt(time_now() - before, 3 * NSEC_PER_SEC);
}
END_TEST

START_TEST(translation_that_stays_off_is_a_failure)
{
	hw[0].no_te = true;
	ck_assert_int_eq(vtd_start(&dmar), -ETIMEDOUT);
	ck_assert_uint_eq(hw[0].gsts & VTD_G_ENABLES, 0);
}
END_TEST

START_TEST(no_unit_at_the_address_is_enodev)
{
	hw[0].gone = true;
	ck_assert_int_eq(vtd_start(&dmar), -ENODEV);
	dmar.unit[0].base = 0;
	ck_assert_int_eq(vtd_start(&dmar), -EINVAL);
	dmar.unit[0].base = hw[0].base + 8;
	ck_assert_int_eq(vtd_start(&dmar), -EINVAL);
}
END_TEST

START_TEST(a_unit_without_queue_or_widths_is_refused)
{
	hw[0].ecap = FAKE_VTD_ECAP & ~VTD_ECAP_QI;
	ck_assert_int_eq(vtd_start(&dmar), -ENOTSUP);
	hw[0].ecap = FAKE_VTD_ECAP;
	hw[0].cap = FAKE_VTD_CAP & ~VTD_CAP_SAGAW;
	ck_assert_int_eq(vtd_start(&dmar), -ENOTSUP);
	/* Fault records behind the end of the registers. */
	hw[0].cap = FAKE_VTD_CAP | VTD_CAP_FRO;
	ck_assert_int_eq(vtd_start(&dmar), -ENOTSUP);
}
END_TEST

START_TEST(a_table_that_did_not_fit_is_not_believed)
{
	dmar.left_out = 1;
	ck_assert_int_eq(vtd_start(&dmar), -EOVERFLOW);
	dmar.left_out = 0;
	dmar.nunits = 0;
	ck_assert_int_eq(vtd_start(&dmar), -ENODEV);
}
END_TEST

START_TEST(a_unit_that_stays_on_keeps_its_tables)
{
	ck_assert_int_eq(vtd_start(&dmar), 0);
	hw[0].deaf = true;
	vtd_stop();
	ck_assert(hw[0].gsts & VTD_G_TE);
	ck_assert(host_logged("cannot be switched off"));
	/* Both panic if they were free. */
	page_free(phys_to_virt(hw[0].root & PAGE_MASK), 0);
	page_free(phys_to_virt(hw[0].iqa & PAGE_MASK), 1);
}
END_TEST

START_TEST(one_failing_unit_undoes_all)
{
	fake_vtd_add(&hw[1], 1);
	dmar.nunits = 2;
	dmar.unit[1].base = hw[1].base;
	hw[1].no_te = true;
	ck_assert_int_eq(vtd_start(&dmar), -ETIMEDOUT);
	ck_assert_uint_eq(hw[0].gsts & VTD_G_ENABLES, 0);
	ck_assert_uint_eq(hw[1].gsts & VTD_G_ENABLES, 0);
	hw[1].no_te = false;
	ck_assert_int_eq(vtd_start(&dmar), 0);
	ck_assert(hw[0].gsts & VTD_G_TE);
	ck_assert(hw[1].gsts & VTD_G_TE);
	vtd_stop();
}
END_TEST

static int start_units(void)
{
	return vtd_start(&dmar);
}

START_TEST(every_failed_allocation_unwinds)
{
	/* One is made good: a table short, an empty one is found. */
	ck_assert_uint_gt(dev_each_alloc_fails(dev_find(&dev_a), &vtd_ops,
					       start_units, vtd_stop, ""), 8);
}
END_TEST

/* ---- mappings ---- */

START_TEST(a_mapped_page_is_reached_and_only_in_its_direction)
{
	start();
	dev_check_directions(a, b);
	stop();
}
END_TEST

START_TEST(unmap_returns_when_the_unit_has_forgotten)
{
	char *mem = page_alloc_zero(0);

	start();
	for (unsigned i = 0; i < 1000; i++) {
		size_t off = i * 4 % PAGE_SIZE;
		iova_t iova = dev_map(a, mem + off, 4, DMA_BIDIRECTIONAL);

		ck_assert(host_dma_write(a->bdf, iova, "good", 4));
		dma_unmap(&a->dev, iova, 4, DMA_BIDIRECTIONAL);
		ck_assert(!host_dma_write(a->bdf, iova, "evil", 4));
		ck_assert(!memcmp(mem + off, "good", 4));
	}
	ck_assert_uint_eq(hw[0].stale, 0);
	ck_assert_uint_eq(hw[0].page_invs, 1000);
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(a_forgotten_invalidation_would_be_seen)
{
	char *mem = page_alloc_zero(0);
	iova_t iova;

	start();
	hw[0].forgets_nothing = true;
	iova = dev_map(a, mem, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert(dev_writes(a, iova));
	dma_unmap(&a->dev, iova, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert(dev_writes(a, iova));
	ck_assert_uint_eq(hw[0].stale, 1);
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(one_device_cannot_use_the_others_mapping)
{
	char *mem = page_alloc_zero(0);
	iova_t iova;

	start();
	ck_assert_ptr_ne(domain_of(&a->dev), domain_of(&b->dev));
	iova = dev_map(a, mem, PAGE_SIZE, DMA_BIDIRECTIONAL);
	ck_assert(dev_writes(a, iova));
	ck_assert(!dev_writes(b, iova));
	dma_unmap(&a->dev, iova, PAGE_SIZE, DMA_BIDIRECTIONAL);
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(a_detached_device_is_refused)
{
	char *mem = page_alloc_zero(0);
	iova_t iova;

	start();
	iova = dev_map(a, mem, PAGE_SIZE, DMA_BIDIRECTIONAL);
	ck_assert(dev_writes(a, iova));
	dma_unmap(&a->dev, iova, PAGE_SIZE, DMA_BIDIRECTIONAL);
	dma_detach(&a->dev);
	ck_assert(!dev_writes(a, iova));
	ck_assert_uint_eq(hw[0].stale, 0);
	ck_assert_int_eq(dma_attach(&a->dev), 0);
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(a_device_detached_with_mappings_is_refused_too)
{
	char *mem = page_alloc_zero(0);
	iova_t iova;

	start();
	iova = dev_map(a, mem, PAGE_SIZE, DMA_BIDIRECTIONAL);
	ck_assert(dev_writes(a, iova));
	dma_detach(&a->dev);
	ck_assert(!dev_writes(a, iova));
	ck_assert_uint_eq(hw[0].stale, 0);
	a->dev.dma.unmaps++;		/* for the fixture's own count */
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(no_address_above_the_width_or_in_the_msi_window)
{
	char *mem = page_alloc_zero(0);
	iova_t iova;

	start();
	iova = dev_map(a, mem, PAGE_SIZE, DMA_TO_DEVICE);
	ck_assert_uint_lt(iova, UINT64_C(1) << 39);
	dma_unmap(&a->dev, iova, PAGE_SIZE, DMA_TO_DEVICE);
	a->dev.dma.mask = DOMAIN_MSI_LAST;
	iova = dev_map(a, mem, PAGE_SIZE, DMA_TO_DEVICE);
	ck_assert_uint_lt(iova, DOMAIN_MSI_FIRST);
	dma_unmap(&a->dev, iova, PAGE_SIZE, DMA_TO_DEVICE);
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(four_levels_where_39_bits_are_not_offered)
{
	char *mem = page_alloc_zero(0);
	iova_t iova;

	hw[0].cap = UINT64_C(0x00d2008c222f0406);	/* 48 bits only */
	start();
	iova = dev_map(a, mem, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert_uint_ge(iova, UINT64_C(1) << 39);
	ck_assert_uint_lt(iova, UINT64_C(1) << 48);
	ck_assert(dev_writes(a, iova));
	dma_unmap(&a->dev, iova, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert(!dev_writes(a, iova));
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(a_large_buffer_is_one_invalidation)
{
	char *mem = page_alloc(5);
	iova_t iova;

	start();
	iova = dev_map(a, mem + 512, 31 * PAGE_SIZE, DMA_FROM_DEVICE);
	for (unsigned i = 0; i < 31; i++)
		ck_assert(dev_writes(a, iova + i * PAGE_SIZE));
	hw[0].descs = 0;
	dma_unmap(&a->dev, iova, 31 * PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert_uint_eq(hw[0].descs, 2);	/* it and the wait */
	for (unsigned i = 0; i < 31; i++)
		ck_assert(!dev_writes(a, iova + i * PAGE_SIZE));
	stop();
	page_free(mem, 5);
}
END_TEST

START_TEST(a_range_that_is_not_aligned_is_forgotten_whole)
{
	const iova_t iova = MIB(64) - PAGE_SIZE;
	char *mem = page_alloc(1);
	struct domain *d;
	irqflags_t flags;

	start();
	d = domain_of(&a->dev);
	flags = spin_lock(&d->lock);
	ck_assert_int_eq(vtd_ops.map(d, iova, virt_to_phys(mem), 2 * PAGE_SIZE,
				     DOMAIN_WRITE), 0);
	ck_assert(dev_writes(a, iova));
	ck_assert(dev_writes(a, iova + PAGE_SIZE));
	ck_assert_int_eq(vtd_ops.unmap(d, iova, 2 * PAGE_SIZE), 0);
	spin_unlock(&d->lock, flags);
	ck_assert(!dev_writes(a, iova));
	ck_assert(!dev_writes(a, iova + PAGE_SIZE));
	ck_assert_uint_eq(hw[0].stale, 0);
	stop();
	page_free(mem, 1);
}
END_TEST

START_TEST(without_page_selection_the_domain_is_invalidated)
{
	char *mem = page_alloc(0);
	iova_t iova;

	hw[0].cap = FAKE_VTD_CAP & ~VTD_CAP_PSI;
	start();
	iova = dev_map(a, mem, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert(dev_writes(a, iova));
	dma_unmap(&a->dev, iova, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert(!dev_writes(a, iova));
	ck_assert_uint_eq(hw[0].page_invs, 0);
	ck_assert_uint_eq(hw[0].domain_invs, 1);
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(a_write_buffer_is_flushed_after_mapping)
{
	char *mem = page_alloc(0);
	iova_t iova;

	hw[0].cap = FAKE_VTD_CAP | VTD_CAP_RWBF;
	start();
	ck_assert_uint_eq(hw[0].write_flushes, 0);
	iova = dev_map(a, mem, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert_uint_eq(hw[0].write_flushes, 1);
	ck_assert_uint_eq(hw[0].gsts & VTD_G_ENABLES, VTD_G_TE | VTD_G_QIE);
	dma_unmap(&a->dev, iova, PAGE_SIZE, DMA_FROM_DEVICE);
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(caching_mode_is_told_of_new_mappings)
{
	char *mem = page_alloc(0);
	iova_t iova;

	hw[0].cap = FAKE_VTD_CAP | VTD_CAP_CM;
	start();
	hw[0].page_invs = 0;
	iova = dev_map(a, mem, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert_uint_eq(hw[0].page_invs, 1);
	dma_unmap(&a->dev, iova, PAGE_SIZE, DMA_FROM_DEVICE);
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(memory_in_empty_tables_is_found_again)
{
	struct domain *d;
	struct vtd_domain *vd;
	void *mem = page_alloc(0);
	phys_t pa = virt_to_phys(mem);
	unsigned long tables;

	start();
	d = domain_of(&a->dev);
	vd = container_of(d, struct vtd_domain, domain);
	for (unsigned i = 0; i < 4; i++) {
		irqflags_t flags = spin_lock(&d->lock);

		ck_assert_int_eq(vtd_ops.map(d, GIB(i + 1), pa, PAGE_SIZE, 1),
				 0);
		ck_assert_int_eq(vtd_ops.unmap(d, GIB(i + 1), PAGE_SIZE), 0);
		spin_unlock(&d->lock, flags);
	}
	tables = vd->pt.tables;
	host_fail_alloc(1);
	{
		irqflags_t flags = spin_lock(&d->lock);

		ck_assert_int_eq(vtd_ops.map(d, GIB(9), pa, PAGE_SIZE, 1), 0);
		ck_assert_int_eq(vtd_ops.unmap(d, GIB(9), PAGE_SIZE), 0);
		spin_unlock(&d->lock, flags);
	}
	ck_assert(host_alloc_failed());
	ck_assert_uint_lt(vd->pt.tables, tables);
	stop();
	page_free(mem, 0);
}
END_TEST

/* ---- the queue ---- */

START_TEST(a_refused_descriptor_is_replaced_and_the_queue_goes_on)
{
	struct vtd_desc bad = { .lo = 0xf };

	start();
	ck_assert_int_eq(vtd_qi_submit(vtd_unit(0), &bad, 1), -EIO);
	ck_assert(host_logged("descriptor refused: 0xf"));
	ck_assert_uint_eq(hw[0].fsts & VTD_FSTS_IQE, 0);
	ck_assert_int_eq(vtd_qi_flush_all(vtd_unit(0)), 0);
	ck_assert_uint_eq(vtd_unit(0)->refused, 1);
	stop();
}
END_TEST

START_TEST(an_unmap_whose_descriptor_is_refused_still_forgets)
{
	char *mem = page_alloc_zero(0);
	iova_t iova;

	start();
	iova = dev_map(a, mem, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert(dev_writes(a, iova));
	hw[0].refuse = 1;
	dma_unmap(&a->dev, iova, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert(!dev_writes(a, iova));
	ck_assert_uint_eq(hw[0].stale, 0);
	ck_assert_int_eq(domain_of(&a->dev)->dead, 0);
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(the_queue_wraps_round)
{
	start();
	for (unsigned i = 0; i < 1000; i++)
		ck_assert_int_eq(vtd_qi_flush_all(vtd_unit(0)), 0);
	stop();
}
END_TEST

START_TEST(more_than_a_batch_is_refused)
{
	struct vtd_desc d[VTD_QI_BATCH + 1] = { { 0, 0 } };

	start();
	ck_assert_int_eq(vtd_qi_submit(vtd_unit(0), d, VTD_QI_BATCH + 1),
			 -EINVAL);
	stop();
}
END_TEST

START_TEST(a_dead_queue_takes_bus_mastering_and_gives_nothing_back)
{
	char *mem = page_alloc_zero(0);
	nsec_t before;
	iova_t iova, again;

	start();
	iova = dev_map(a, mem, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert(dev_writes(a, iova));
	hw[0].queue_stuck = true;
	before = time_now();
	dma_unmap(&a->dev, iova, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert_uint_lt(time_now() - before, 2 * NSEC_PER_SEC);
	/* The unit still has the translation, but the device is off. */
	ck_assert(!dev_writes(a, iova));
	ck_assert_int_eq(dma_map(&a->dev, mem, PAGE_SIZE, DMA_FROM_DEVICE,
				 &again), -ETIMEDOUT);
	hw[0].queue_stuck = false;
	hw[0].iqh = hw[0].iqt >> 4;
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(a_unit_that_vanishes_is_enodev)
{
	char *mem = page_alloc_zero(0);
	iova_t iova, again;

	start();
	iova = dev_map(a, mem, PAGE_SIZE, DMA_FROM_DEVICE);
	hw[0].gone = true;
	dma_unmap(&a->dev, iova, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert_int_eq(dma_map(&a->dev, mem, PAGE_SIZE, DMA_FROM_DEVICE,
				 &again), -ENODEV);
	stop();
	page_free(mem, 0);
}
END_TEST

/* ---- faults ---- */

START_TEST(a_refused_dma_is_reported_with_source_page_and_direction)
{
	uint64_t since = iommu_fault_count();
	struct iommu_fault f;
	iova_t iova;

	start();
	ck_assert_int_eq(iommu_reserve_iova(&a->dev, PAGE_SIZE, &iova), 0);
	ck_assert(!dev_writes(a, iova + 0x123));
	ck_assert_int_eq(dev_fault(a, since, &f), 0);
	ck_assert_uint_eq(f.bdf, a->bdf);
	ck_assert_uint_eq(f.addr, iova);
	ck_assert(!f.exact);
	ck_assert(f.write_known && f.write);
	ck_assert_uint_eq(f.reason, VTD_FR_WRITE);
	since = iommu_fault_count();
	ck_assert(!dev_reads(a, iova));
	ck_assert_int_eq(dev_fault(a, since, &f), 0);
	ck_assert(!f.write);
	ck_assert_uint_eq(f.reason, VTD_FR_READ);
	ck_assert_uint_eq(hw[0].interrupts, 2);
	iommu_release_iova(&a->dev, iova, PAGE_SIZE);
	stop();
}
END_TEST

START_TEST(a_lost_interrupt_does_not_lose_the_fault)
{
	struct iommu_fault f;

	start();
	hw[0].fectl = VTD_FECTL_IM;
	ck_assert(!dev_writes(a, 0x5000));
	ck_assert_uint_eq(iommu_fault_count(), 0);
	ck_assert_int_eq(dev_fault(a, 0, &f), 0);
	ck_assert_int_eq(dev_fault(a, 1, &f), -ETIMEDOUT);
	stop();
}
END_TEST

START_TEST(overflow_is_seen_and_later_faults_too)
{
	struct iommu_fault f;

	start();
	hw[0].fectl = VTD_FECTL_IM;
	ck_assert(!dev_writes(a, 0x5000));
	ck_assert(!dev_writes(b, 0x6000));	/* one record: this is lost */
	domain_poll_faults();
	ck_assert_uint_eq(iommu_fault_count(), 1);
	ck_assert_uint_eq(iommu_fault_lost(), 1);
	ck_assert(!dev_writes(b, 0x7000));
	ck_assert_int_eq(dev_fault(b, 1, &f), 0);
	ck_assert_uint_eq(f.addr, 0x7000);
	stop();
}
END_TEST

START_TEST(several_records_are_collected)
{
	hw[0].cap = FAKE_VTD_CAP | FIELD_PREP(VTD_CAP_NFR, 3);
	start();
	hw[0].fectl = VTD_FECTL_IM;
	ck_assert(!dev_writes(a, 0x5000));
	ck_assert(!dev_writes(b, 0x6000));
	ck_assert(!host_dma_write(PCI_BDF(1, 0, 0), 0x7000, "x", 1));
	domain_poll_faults();
	ck_assert_uint_eq(iommu_fault_count(), 3);
	ck_assert_uint_eq(iommu_fault_lost(), 0);
	ck_assert_uint_eq(fault_count_of(b->bdf), 1);
	stop();
}
END_TEST

START_TEST(a_storm_is_counted_but_not_printed)
{
	unsigned lines = 0;

	start();
	for (unsigned i = 0; i < 10000; i++)
		ck_assert(!dev_writes(a, 0x5000 + i * PAGE_SIZE));
	ck_assert_uint_eq(iommu_fault_count(), 10000);
	for (const char *s = host_log(); (s = strstr(s, "refused DMA")); s++)
		lines++;
	ck_assert_uint_le(lines, 20);
	ck_assert_uint_ge(lines, 1);
	stop();
}
END_TEST

START_TEST(faults_of_before_are_not_ours)
{
	hw[0].record[0].hi = UINT64_C(1) << 63 | 0x77;
	hw[0].fsts = VTD_FSTS_PFO;
	start();
	domain_poll_faults();
	ck_assert_uint_eq(iommu_fault_count(), 0);
	ck_assert_uint_eq(iommu_fault_lost(), 0);
	stop();
}
END_TEST

START_TEST(every_reason_has_a_text)
{
	for (unsigned i = 1; i <= 0xe; i++)
		ck_assert_str_ne(vtd_fault_text(i), vtd_fault_text(0x7f));
	for (unsigned i = 0x20; i <= 0x26; i++)
		ck_assert_str_ne(vtd_fault_text(i), vtd_fault_text(0x7f));
	ck_assert_ptr_nonnull(vtd_fault_text(0));
	ck_assert_ptr_nonnull(vtd_fault_text(255));
}
END_TEST

/* ---- scopes ---- */

START_TEST(a_device_behind_no_unit_is_not_attached)
{
	dmar.unit[0].include_all = false;
	dmar.unit[0].nscope = 1;
	dmar.nscopes = 1;
	dmar.scope[0] = (struct dmar_scope){ .type = 1, .npath = 1,
					     .path = { { 3, 0 } } };
	ck_assert_int_eq(vtd_start(&dmar), 0);
	domain_start(&vtd_ops);
	a = host_pci_probe(&dev_a);
	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_null(host_pci_probe(&dev_b));
	ck_assert(host_logged("behind no unit"));
	b = pci_find(dev_b.bdf);
	ck_assert_int_eq(pci_enable_master(b), -EPERM);
	stop();
}
END_TEST

START_TEST(a_named_device_goes_to_its_unit_and_the_rest_to_the_other)
{
	fake_vtd_add(&hw[1], 1);
	hw[0].first = hw[0].last = PCI_BDF(0, 3, 0);
	hw[1].first = PCI_BDF(0, 4, 0);
	dmar.nunits = 2;
	dmar.unit[1].base = hw[1].base;
	dmar.unit[0].include_all = false;
	dmar.unit[0].nscope = 1;
	dmar.unit[1].include_all = true;
	dmar.scope[0] = (struct dmar_scope){ .type = 1, .npath = 1,
					     .path = { { 3, 0 } } };
	dmar.nscopes = 1;
	start();
	ck_assert_int_eq(vtd_scope_unit(&dmar, a), 0);
	ck_assert_int_eq(vtd_scope_unit(&dmar, b), 1);
	stop();
}
END_TEST

START_TEST(a_reserved_region_is_mapped_to_itself)
{
	phys_t pa = virt_to_phys(page_alloc_zero(0));

	dmar.nrmrrs = 1;
	dmar.rmrr[0].base = pa;
	dmar.rmrr[0].last = pa + PAGE_SIZE - 1;
	dmar.rmrr[0].nscope = 1;
	dmar.nscopes = 1;
	dmar.scope[0] = (struct dmar_scope){ .type = 1, .npath = 1,
					     .path = { { 3, 0 } } };
	start();
	ck_assert(dev_writes(a, pa));
	ck_assert_str_eq(phys_to_virt(pa), "wrong");
	ck_assert(!dev_writes(b, pa));
	ck_assert(iova_taken(&domain_of(&a->dev)->iova, pa, PAGE_SIZE));
	stop();
	page_free(phys_to_virt(pa), 0);
}
END_TEST

START_TEST(a_region_of_another_segment_is_not_ours)
{
	phys_t pa = virt_to_phys(page_alloc_zero(0));

	dmar.nrmrrs = 1;
	dmar.rmrr[0].segment = 1;
	dmar.rmrr[0].base = pa;
	dmar.rmrr[0].last = pa + PAGE_SIZE - 1;
	dmar.rmrr[0].nscope = 1;
	dmar.nscopes = 1;
	dmar.scope[0] = (struct dmar_scope){ .type = 1, .npath = 1,
					     .path = { { 3, 0 } } };
	start();
	ck_assert(!dev_writes(a, pa));
	stop();
	page_free(phys_to_virt(pa), 0);
}
END_TEST

START_TEST(a_path_through_what_is_no_bridge_leads_nowhere)
{
	dmar.nscopes = 1;
	dmar.scope[0] = (struct dmar_scope){ .type = 1, .npath = 2,
					     .path = { { 4, 0 }, { 3, 0 } } };
	start();
	ck_assert(!vtd_scope_has(&dmar, 0, 1, a));
	stop();
}
END_TEST

int main(void)
{
	TCase *t = suite_group("vtd", setup, host_finish, 60);

	tcase_add_test(t, start_blocks_every_device);
	tcase_add_test(t, stop_leaves_the_unit_off);
	tcase_add_test(t, start_switches_off_what_firmware_left_on);
	tcase_add_test(t, start_times_out_and_frees_everything);
	tcase_add_test(t, a_deaf_unit_is_given_up_after_a_second);
	tcase_add_test(t, translation_that_stays_off_is_a_failure);
	tcase_add_test(t, no_unit_at_the_address_is_enodev);
	tcase_add_test(t, a_unit_without_queue_or_widths_is_refused);
	tcase_add_test(t, a_table_that_did_not_fit_is_not_believed);
	tcase_add_test(t, a_unit_that_stays_on_keeps_its_tables);
	tcase_add_test(t, one_failing_unit_undoes_all);
	tcase_add_test(t, every_failed_allocation_unwinds);
	tcase_add_test(t, a_mapped_page_is_reached_and_only_in_its_direction);
	tcase_add_test(t, unmap_returns_when_the_unit_has_forgotten);
	tcase_add_test(t, a_forgotten_invalidation_would_be_seen);
	tcase_add_test(t, one_device_cannot_use_the_others_mapping);
	tcase_add_test(t, a_detached_device_is_refused);
	tcase_add_test(t, a_device_detached_with_mappings_is_refused_too);
	tcase_add_test(t, no_address_above_the_width_or_in_the_msi_window);
	tcase_add_test(t, four_levels_where_39_bits_are_not_offered);
	tcase_add_test(t, a_large_buffer_is_one_invalidation);
	tcase_add_test(t, a_range_that_is_not_aligned_is_forgotten_whole);
	tcase_add_test(t, without_page_selection_the_domain_is_invalidated);
	tcase_add_test(t, a_write_buffer_is_flushed_after_mapping);
	tcase_add_test(t, caching_mode_is_told_of_new_mappings);
	tcase_add_test(t, memory_in_empty_tables_is_found_again);
	tcase_add_test(t, a_refused_descriptor_is_replaced_and_the_queue_goes_on);
	tcase_add_test(t, an_unmap_whose_descriptor_is_refused_still_forgets);
	tcase_add_test(t, the_queue_wraps_round);
	tcase_add_test(t, more_than_a_batch_is_refused);
	tcase_add_test(t, a_dead_queue_takes_bus_mastering_and_gives_nothing_back);
	tcase_add_test(t, a_unit_that_vanishes_is_enodev);
	tcase_add_test(t, a_refused_dma_is_reported_with_source_page_and_direction);
	tcase_add_test(t, a_lost_interrupt_does_not_lose_the_fault);
	tcase_add_test(t, overflow_is_seen_and_later_faults_too);
	tcase_add_test(t, several_records_are_collected);
	tcase_add_test(t, a_storm_is_counted_but_not_printed);
	tcase_add_test(t, faults_of_before_are_not_ours);
	tcase_add_test(t, every_reason_has_a_text);
	tcase_add_test(t, a_device_behind_no_unit_is_not_attached);
	tcase_add_test(t, a_named_device_goes_to_its_unit_and_the_rest_to_the_other);
	tcase_add_test(t, a_reserved_region_is_mapped_to_itself);
	tcase_add_test(t, a_region_of_another_segment_is_not_ours);
	tcase_add_test(t, a_path_through_what_is_no_bridge_leads_nowhere);
	return suite_run("vtd");
}
