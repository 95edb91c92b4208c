/* SPDX-License-Identifier: MIT */
/* viommu/amdvi*.c against a unit that caches (tests/fake/amdvi.c). */
#include "viommu/amdvi.h"

#include <check.h>
#include <string.h>

#include "core/cpu.h"
#include "core/device.h"
#include "core/errno.h"
#include "core/page.h"
#include "tests/fake/amdvi.h"
#include "tests/host/dev.h"
#include "tests/host/suite.h"
#include "viommu/fault.h"

static struct fake_amdvi hw[2];
static struct fake_pci dev_a, dev_b;
static struct pci_dev *a, *b;
static struct acpi_ivrs ivrs;

static void describe(unsigned n)
{
	ivrs.nunits = n + 1;
	ivrs.unit[n].type = 0x10;
	ivrs.unit[n].bdf = hw[n].pci.bdf;
	ivrs.unit[n].cap_offset = hw[n].cap;
	ivrs.unit[n].base = hw[n].base;
}

/* One unit for everybody, and the two devices on the bus. */
static void setup(void)
{
	host_start();
	fault_reset();
	fake_amdvi_add(&hw[0], 0);
	memset(&ivrs, 0, sizeof(ivrs));
	describe(0);
	ivrs.nranges = 1;
	ivrs.range[0].last = UINT16_MAX;
	dev_add(&dev_a, PCI_BDF(0, 3, 0));
	dev_add(&dev_b, PCI_BDF(0, 4, 0));
	dev_find(&dev_a);		/* the configuration space is there */
}

static void start(void)
{
	ck_assert_int_eq(amdvi_start(&ivrs), 0);
	domain_start(&amdvi_ops);
	a = dev_start(&dev_a);
	b = dev_start(&dev_b);
}

static void stop(void)
{
	dma_detach(&a->dev);
	dma_detach(&b->dev);
	domain_start(NULL);
	amdvi_stop();
}

/* ---- start ---- */

START_TEST(start_blocks_every_device)
{
	start();
	ck_assert(hw[0].ctrl & AMDVI_CTRL_IOMMUEN);
	ck_assert(!dev_reads(a, 0x100000));
	ck_assert(!host_dma_read(PCI_BDF(7, 0, 0), 0x100000, dev_a.config, 4));
	ck_assert(!host_dma_write(0xffff, 0x100000, dev_a.config, 4));
	ck_assert_uint_eq(hw[0].faults, 3);
	ck_assert_uint_eq(hw[0].all_invs, 1);
	stop();
}
END_TEST

START_TEST(stop_leaves_the_unit_off)
{
	start();
	stop();
	ck_assert_uint_eq(hw[0].ctrl, 0);
	ck_assert_uint_eq(hw[0].status & 0x18, 0);
	ck_assert_ptr_null(amdvi_unit(0));
}
END_TEST

/* With interrupt remapping, page requests and guest translation on. */
START_TEST(start_switches_off_what_firmware_left_on)
{
	hw[0].ctrl = 0x1003b01d | BIT_ULL(1);
	hw[0].status = 0x18;
	start();
	ck_assert_uint_eq(hw[0].ctrl, 0x1405 | BIT_ULL(1));
	stop();
	ck_assert_uint_eq(hw[0].ctrl, BIT_ULL(1));
}
END_TEST

START_TEST(a_stuck_command_buffer_is_given_up_after_a_second)
{
	nsec_t before = time_now();

	hw[0].stuck = true;
	ck_assert_int_eq(amdvi_start(&ivrs), -ETIMEDOUT);
	ck_assert_uint_ge(time_now() - before, NSEC_PER_SEC);
	ck_assert_uint_lt(time_now() - before, 2 * NSEC_PER_SEC);
	ck_assert_uint_eq(hw[0].ctrl, 0);
	ck_assert(host_logged("does not answer its command buffer"));
}
END_TEST

START_TEST(a_completion_wait_that_never_comes_is_given_up_too)
{
	hw[0].no_wait = true;
	ck_assert_int_eq(amdvi_start(&ivrs), -ETIMEDOUT);
	ck_assert_uint_eq(hw[0].waits, 1);
	ck_assert_uint_eq(hw[0].ctrl, 0);
}
END_TEST

START_TEST(rings_that_do_not_run_are_a_failure)
{
	hw[0].no_run = true;
	ck_assert_int_eq(amdvi_start(&ivrs), -ETIMEDOUT);
	ck_assert_uint_eq(hw[0].ctrl, 0);
	ck_assert(host_logged("cannot be started"));
}
END_TEST

START_TEST(no_unit_at_the_address_is_enodev)
{
	hw[0].gone = true;
	ck_assert_int_eq(amdvi_start(&ivrs), -ENODEV);
	ck_assert(host_logged("nothing answers"));
}
END_TEST

START_TEST(a_function_that_is_no_iommu_is_enodev)
{
	ivrs.unit[0].bdf = dev_a.bdf;
	ck_assert_int_eq(amdvi_start(&ivrs), -ENODEV);
	ivrs.unit[0].bdf = PCI_BDF(0, 9, 0);
	ck_assert_int_eq(amdvi_start(&ivrs), -ENODEV);
	ck_assert(host_logged("no IOMMU is 00:09.0"));
}
END_TEST

START_TEST(a_unit_without_invalidate_all_is_refused)
{
	hw[0].efr &= ~AMDVI_EFR_IASUP;
	ck_assert_int_eq(amdvi_start(&ivrs), -ENOTSUP);
	hw[0].efr = FAKE_AMDVI_EFR;
	/* No EFRSup: the register is not to be believed. */
	hw[0].pci.config[hw[0].cap + 3] &= ~0x08;
	ck_assert_int_eq(amdvi_start(&ivrs), -ENOTSUP);
}
END_TEST

START_TEST(a_table_that_did_not_fit_is_not_believed)
{
	ivrs.left_out = 1;
	ck_assert_int_eq(amdvi_start(&ivrs), -EOVERFLOW);
	ivrs.left_out = 0;
	ivrs.nunits = 0;
	ck_assert_int_eq(amdvi_start(&ivrs), -ENODEV);
}
END_TEST

START_TEST(a_unit_that_stays_on_keeps_its_tables)
{
	ck_assert_int_eq(amdvi_start(&ivrs), 0);
	hw[0].deaf = true;
	amdvi_stop();
	ck_assert(hw[0].ctrl & AMDVI_CTRL_IOMMUEN);
	ck_assert(host_logged("cannot be switched off"));
	/* All panic if they were free. */
	page_free(phys_to_virt(hw[0].devtab & AMDVI_DEVTAB_ADDR), 9);
	page_free(phys_to_virt(hw[0].cmdbase & AMDVI_LOG_ADDR), 1);
	page_free(phys_to_virt(hw[0].evbase & AMDVI_LOG_ADDR), 0);
}
END_TEST

START_TEST(one_failing_unit_undoes_all)
{
	fake_amdvi_add(&hw[1], 1);
	describe(1);
	hw[1].stuck = true;
	ck_assert_int_eq(amdvi_start(&ivrs), -ETIMEDOUT);
	ck_assert_uint_eq(hw[0].ctrl | hw[1].ctrl, 0);
	hw[1].stuck = false;
	hw[1].cmdhead = hw[1].cmdtail = 0;
	ck_assert_int_eq(amdvi_start(&ivrs), 0);
	ck_assert(hw[0].ctrl & hw[1].ctrl & AMDVI_CTRL_IOMMUEN);
	amdvi_stop();
}
END_TEST

static int start_units(void)
{
	return amdvi_start(&ivrs);
}

START_TEST(every_failed_allocation_unwinds)
{
	ck_assert_uint_gt(dev_each_alloc_fails(dev_find(&dev_a), &amdvi_ops,
					       start_units, amdvi_stop, ""), 7);
}
END_TEST

/* ---- who is behind which unit ---- */

START_TEST(a_device_that_no_ivhd_names_is_not_attached)
{
	ivrs.range[0].first = ivrs.range[0].last = PCI_BDF(0, 3, 0);
	ck_assert_int_eq(amdvi_start(&ivrs), 0);
	domain_start(&amdvi_ops);
	a = dev_start(&dev_a);
	b = pci_find(dev_b.bdf);
	ck_assert(amdvi_ops.covers(a));
	ck_assert(!amdvi_ops.covers(b));
	ck_assert_int_eq(pci_enable_master(b), -EPERM);
	ck_assert_int_lt(dma_attach(&b->dev), 0);
	ck_assert(host_logged("behind no IOMMU of the IVRS table"));
	dma_detach(&a->dev);
	domain_start(NULL);
	amdvi_stop();
}
END_TEST

START_TEST(the_units_own_function_is_in_no_domain)
{
	struct pci_dev *own;

	start();
	own = pci_find(hw[0].pci.bdf);
	ck_assert(amdvi_ops.is_own(own));
	ck_assert(!amdvi_ops.covers(own));
	ck_assert(!amdvi_ops.is_own(a));
	stop();
}
END_TEST

START_TEST(each_device_goes_to_its_own_unit)
{
	char *mem = page_alloc_zero(0);
	iova_t iova;

	fake_amdvi_add(&hw[1], 1);
	describe(1);
	hw[0].last = PCI_BDF(0, 3, 0);
	hw[1].first = PCI_BDF(0, 3, 1);
	ivrs.nranges = 2;
	ivrs.range[0].last = hw[0].last;
	ivrs.range[1].first = hw[1].first;
	ivrs.range[1].last = UINT16_MAX;
	ivrs.range[1].unit = 1;
	start();
	iova = dev_map(b, mem, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert(dev_writes(b, iova));
	ck_assert_uint_eq(hw[0].devtab_invs, 1);
	ck_assert_uint_eq(hw[1].devtab_invs, 1);
	dma_unmap(&b->dev, iova, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert(!dev_writes(b, iova));
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(another_segments_unit_translates_nobody_here)
{
	ivrs.unit[0].segment = 1;
	ck_assert_int_eq(amdvi_start(&ivrs), 0);
	domain_start(&amdvi_ops);
	a = pci_find(dev_a.bdf);
	ck_assert(!amdvi_ops.covers(a));
	domain_start(NULL);
	amdvi_stop();
}
END_TEST

START_TEST(a_unity_region_is_mapped_to_itself)
{
	phys_t pa = virt_to_phys(page_alloc_zero(0));

	ivrs.nmem = 1;
	ivrs.mem[0].bdf_first = ivrs.mem[0].bdf_last = PCI_BDF(0, 3, 0);
	ivrs.mem[0].base = pa;
	ivrs.mem[0].size = PAGE_SIZE;
	ivrs.mem[0].flags = 0x7;
	start();
	ck_assert(dev_writes(a, pa));
	ck_assert_str_eq(phys_to_virt(pa), "wrong");
	ck_assert(!dev_writes(b, pa));
	stop();
	page_free(phys_to_virt(pa), 0);
}
END_TEST

/* ---- mappings ---- */

START_TEST(a_mapped_page_is_reached_and_only_in_its_direction)
{
	start();
	dev_check_directions(a, b);
	ck_assert_uint_eq(hw[0].stale, 0);
	stop();
}
END_TEST

START_TEST(unmap_returns_when_the_unit_has_forgotten)
{
	char *mem = page_alloc_zero(0);

	start();
	hw[0].page_invs = 0;
	for (unsigned i = 0; i < 1000; i++) {
		size_t off = i * 4 % PAGE_SIZE;
		iova_t iova = dev_map(a, mem + off, 4, DMA_BIDIRECTIONAL);

		ck_assert(host_dma_write(a->bdf, iova, "good", 4));
		dma_unmap(&a->dev, iova, 4, DMA_BIDIRECTIONAL);
		ck_assert(!host_dma_write(a->bdf, iova, "evil", 4));
		ck_assert(!memcmp(mem + off, "good", 4));
	}
	ck_assert_uint_eq(hw[0].stale, 0);
	/* One each; another for mapping, since it remembers absence. */
	ck_assert_uint_eq(hw[0].page_invs, 2000);
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(a_unit_that_does_not_remember_absence_is_not_told_of_maps)
{
	char *mem = page_alloc_zero(0);
	iova_t iova;

	hw[0].pci.config[hw[0].cap + 3] &= ~0x04;
	start();
	hw[0].page_invs = 0;
	iova = dev_map(a, mem, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert_uint_eq(hw[0].page_invs, 0);
	ck_assert(dev_writes(a, iova));
	dma_unmap(&a->dev, iova, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert_uint_eq(hw[0].page_invs, 1);
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(a_forgotten_invalidation_would_be_seen)
{
	char *mem = page_alloc_zero(0);
	iova_t iova;

	start();
	iova = dev_map(a, mem, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert(dev_writes(a, iova));
	hw[0].forgets_nothing = true;
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

START_TEST(a_device_detached_with_mappings_is_refused)
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

START_TEST(addresses_end_below_39_bits_and_spare_the_msi_window)
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

/* 2.4.3, table 19; the numbers by hand. */
START_TEST(a_range_is_said_as_the_manual_says_it)
{
	static const struct {
		iova_t iova;
		uint64_t pages, hi;
	} row[] = {
		{ 0x12345000, 1, 0x12345002 },
		{ 0x12346000, 2, 0x12346003 },
		{ 0x12344000, 4, 0x12345003 },
		{ 0x12345000, 2, 0x12345003 },	/* lies across: 4 pages */
		{ 0x12300000, 256, 0x1237f003 },
		{ 0x7ffff000, 2, 0x7ffff003 },	/* across bit 31: 4 GiB */
	};

	start();
	for (unsigned i = 0; i < ARRAY_SIZE(row); i++) {
		ck_assert_int_eq(amdvi_cmd_flush_pages(amdvi_unit(0), 5,
						       row[i].iova,
						       row[i].pages *
						       PAGE_SIZE), 0);
		ck_assert_uint_eq(hw[0].last_pages[0],
				  UINT64_C(0x3000000500000000));
		ck_assert_uint_eq(hw[0].last_pages[1], row[i].hi);
	}
	stop();
}
END_TEST

START_TEST(a_large_buffer_is_forgotten_by_one_command)
{
	char *mem = page_alloc(5);
	iova_t iova;

	start();
	iova = dev_map(a, mem + 512, 31 * PAGE_SIZE, DMA_FROM_DEVICE);
	for (unsigned i = 0; i < 31; i++)
		ck_assert(dev_writes(a, iova + i * PAGE_SIZE));
	hw[0].cmds = 0;
	dma_unmap(&a->dev, iova, 31 * PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert_uint_eq(hw[0].cmds, 2);	/* it and the wait */
	for (unsigned i = 0; i < 31; i++)
		ck_assert(!dev_writes(a, iova + i * PAGE_SIZE));
	ck_assert_uint_eq(hw[0].stale, 0);
	stop();
	page_free(mem, 5);
}
END_TEST

/* ---- the command buffer ---- */

START_TEST(the_buffer_wraps_round)
{
	start();
	for (unsigned i = 0; i < 1000; i++)
		ck_assert_int_eq(amdvi_cmd_flush_all(amdvi_unit(0)), 0);
	stop();
}
END_TEST

START_TEST(more_than_a_batch_is_refused)
{
	struct amdvi_entry cmd[AMDVI_BATCH + 1] = { { 0, 0 } };

	start();
	ck_assert_int_eq(amdvi_cmd_submit(amdvi_unit(0), cmd, AMDVI_BATCH + 1),
			 -EINVAL);
	stop();
}
END_TEST

START_TEST(a_refused_command_is_told_at_once_and_the_unit_is_dead)
{
	struct amdvi_entry bad = { .lo = UINT64_C(0xf) << 60 };
	nsec_t before;

	start();
	before = time_now();
	ck_assert_int_eq(amdvi_cmd_submit(amdvi_unit(0), &bad, 1), -EIO);
	ck_assert_uint_lt(time_now() - before, NSEC_PER_MSEC);
	ck_assert_int_eq(amdvi_cmd_flush_all(amdvi_unit(0)), -EIO);
	ck_assert_uint_eq(hw[0].waits + 1, hw[0].cmds - hw[0].page_invs -
			  hw[0].devtab_invs - hw[0].all_invs);
	stop();
}
END_TEST

START_TEST(a_dead_unit_takes_bus_mastering_and_gives_nothing_back)
{
	char *mem = page_alloc_zero(0);
	nsec_t before;
	iova_t iova, again;

	start();
	iova = dev_map(a, mem, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert(dev_writes(a, iova));
	hw[0].stuck = true;
	before = time_now();
	dma_unmap(&a->dev, iova, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert_uint_lt(time_now() - before, 2 * NSEC_PER_SEC);
	/* The unit still has the translation, but the device is off. */
	ck_assert(!dev_writes(a, iova));
	ck_assert_int_eq(dma_map(&a->dev, mem, PAGE_SIZE, DMA_FROM_DEVICE,
				 &again), -ETIMEDOUT);
	ck_assert(host_logged("does not answer its command buffer"));
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

/* ---- events ---- */

START_TEST(a_refused_dma_is_reported_with_source_address_and_direction)
{
	struct iommu_fault f;
	iova_t iova;

	start();
	ck_assert(iommu_records_nothing());
	ck_assert_int_eq(iommu_reserve_iova(&a->dev, PAGE_SIZE, &iova), 0);
	ck_assert(!dev_writes(a, iova + 0x123));
	ck_assert_int_eq(dev_fault(a, 0, &f), 0);
	ck_assert_uint_eq(f.bdf, a->bdf);
	ck_assert_uint_eq(f.addr, iova + 0x123);
	ck_assert(f.exact && f.write_known && f.write);
	ck_assert_uint_eq(f.reason, AMDVI_EV_PAGE_FAULT);
	ck_assert(!dev_reads(a, iova));
	ck_assert_int_eq(dev_fault(a, 1, &f), 0);
	ck_assert(!f.write);
	ck_assert(!iommu_records_nothing());
	iommu_release_iova(&a->dev, iova, PAGE_SIZE);
	stop();
}
END_TEST

START_TEST(a_log_that_is_never_written_is_known_as_such)
{
	struct iommu_fault f;

	hw[0].mute = true;
	start();
	ck_assert(!dev_writes(a, 0x5000));
	ck_assert_int_eq(dev_fault(a, 0, &f), -ETIMEDOUT);
	ck_assert(iommu_records_nothing());
	stop();
	ck_assert(!iommu_records_nothing());
}
END_TEST

START_TEST(the_log_wraps_round)
{
	start();
	for (unsigned i = 0; i < 600; i++) {
		ck_assert(!dev_writes(a, 0x5000));
		domain_poll_faults();
	}
	ck_assert_uint_eq(iommu_fault_count(), 600);
	ck_assert_uint_eq(iommu_fault_lost(), 0);
	stop();
}
END_TEST

START_TEST(overflow_is_seen_and_later_events_too)
{
	start();
	for (unsigned i = 0; i < 300; i++)
		ck_assert(!dev_writes(a, 0x5000));
	domain_poll_faults();
	ck_assert_uint_eq(iommu_fault_count(), 255);
	ck_assert_uint_eq(iommu_fault_lost(), 1);
	ck_assert(!dev_writes(b, 0x7000));
	domain_poll_faults();
	ck_assert_uint_eq(iommu_fault_count(), 256);
	ck_assert_uint_eq(fault_count_of(b->bdf), 1);
	stop();
}
END_TEST

int main(void)
{
	TCase *t = suite_group("amdvi", setup, host_finish, 60);

	tcase_add_test(t, start_blocks_every_device);
	tcase_add_test(t, stop_leaves_the_unit_off);
	tcase_add_test(t, start_switches_off_what_firmware_left_on);
	tcase_add_test(t, a_stuck_command_buffer_is_given_up_after_a_second);
	tcase_add_test(t, a_completion_wait_that_never_comes_is_given_up_too);
	tcase_add_test(t, rings_that_do_not_run_are_a_failure);
	tcase_add_test(t, no_unit_at_the_address_is_enodev);
	tcase_add_test(t, a_function_that_is_no_iommu_is_enodev);
	tcase_add_test(t, a_unit_without_invalidate_all_is_refused);
	tcase_add_test(t, a_table_that_did_not_fit_is_not_believed);
	tcase_add_test(t, a_unit_that_stays_on_keeps_its_tables);
	tcase_add_test(t, one_failing_unit_undoes_all);
	tcase_add_test(t, every_failed_allocation_unwinds);
	tcase_add_test(t, a_device_that_no_ivhd_names_is_not_attached);
	tcase_add_test(t, the_units_own_function_is_in_no_domain);
	tcase_add_test(t, each_device_goes_to_its_own_unit);
	tcase_add_test(t, another_segments_unit_translates_nobody_here);
	tcase_add_test(t, a_unity_region_is_mapped_to_itself);
	tcase_add_test(t, a_mapped_page_is_reached_and_only_in_its_direction);
	tcase_add_test(t, unmap_returns_when_the_unit_has_forgotten);
	tcase_add_test(t, a_unit_that_does_not_remember_absence_is_not_told_of_maps);
	tcase_add_test(t, a_forgotten_invalidation_would_be_seen);
	tcase_add_test(t, one_device_cannot_use_the_others_mapping);
	tcase_add_test(t, a_device_detached_with_mappings_is_refused);
	tcase_add_test(t, addresses_end_below_39_bits_and_spare_the_msi_window);
	tcase_add_test(t, a_range_is_said_as_the_manual_says_it);
	tcase_add_test(t, a_large_buffer_is_forgotten_by_one_command);
	tcase_add_test(t, the_buffer_wraps_round);
	tcase_add_test(t, more_than_a_batch_is_refused);
	tcase_add_test(t, a_refused_command_is_told_at_once_and_the_unit_is_dead);
	tcase_add_test(t, a_dead_unit_takes_bus_mastering_and_gives_nothing_back);
	tcase_add_test(t, a_unit_that_vanishes_is_enodev);
	tcase_add_test(t, a_refused_dma_is_reported_with_source_address_and_direction);
	tcase_add_test(t, a_log_that_is_never_written_is_known_as_such);
	tcase_add_test(t, the_log_wraps_round);
	tcase_add_test(t, overflow_is_seen_and_later_events_too);
	return suite_run("amdvi");
}
