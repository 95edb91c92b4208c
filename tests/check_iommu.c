/* SPDX-License-Identifier: MIT */
/*
 * viommu/iommu.c and the fault log: which table leads to which driver, and
 * when protection is claimed. Tables as QEMU makes them, whole or broken.
 */
#include "viommu/viommu.h"

#include <check.h>
#include <string.h>

#include "core/acpi.h"
#include "core/bootinfo.h"
#include "core/cmdline.h"
#include "core/cpu.h"
#include "core/device.h"
#include "core/errno.h"
#include "core/monitor.h"
#include "core/page.h"
#include "tests/acpi_golden.h"
#include "tests/fake/amdvi.h"
#include "tests/fake/virtio_iommu.h"
#include "tests/fake/vtd.h"
#include "tests/host/dev.h"
#include "tests/host/suite.h"
#include "viommu/amdvi.h"
#include "viommu/domain.h"
#include "viommu/fault.h"

#define RSDP_AT		0xf0000
#define RSDT_AT		0xf1000
#define TABLES_AT	0xf2000

static struct fake_vtd vtd_hw;
static struct fake_amdvi amdvi_hw;
static struct fake_viommu virtio_hw;
static struct fake_pci disk;
static struct pci_dev *dev;

static void seal(uint8_t *p, size_t n, size_t sum_at)
{
	uint8_t sum = 0;

	p[sum_at] = 0;
	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + p[i]);
	p[sum_at] = (uint8_t)-sum;
}

/* An ACPI 1.0 machine with these tables (NULL: none). Returns the first. */
static uint8_t *tables(const uint8_t *one, size_t n1, const uint8_t *two,
		       size_t n2)
{
	uint8_t *rsdp = phys_to_virt(RSDP_AT), *rsdt = phys_to_virt(RSDT_AT);
	uint8_t *t = phys_to_virt(TABLES_AT);
	uint32_t at = RSDT_AT, len = 36;

	memset(phys_to_virt(0), 0, MIB(1));
	memcpy(rsdp, "RSD PTR ", 8);
	memcpy(rsdp + 16, &at, 4);
	seal(rsdp, 20, 8);
	memcpy(rsdt, "RSDT", 4);
	for (unsigned i = 0; i < 2; i++) {
		at = TABLES_AT + i * PAGE_SIZE;
		if (!(i ? two : one))
			continue;
		memcpy(t + i * PAGE_SIZE, i ? two : one, i ? n2 : n1);
		memcpy(rsdt + len, &at, 4);
		len += 4;
	}
	memcpy(rsdt + 4, &len, 4);
	seal(rsdt, len, 9);
	return t;
}

#define TABLE(t)	(t), sizeof(t)

static void setup(void)
{
	host_start();
	memset(&bootinfo, 0, sizeof(bootinfo));
	cmdline_init("");
	fake_viommu_init(&virtio_hw, PCI_BDF(0, 3, 0));
	fake_viommu_endpoint(&virtio_hw, PCI_BDF(0, 5, 0));
	fake_viommu_add(&virtio_hw);
	fake_amdvi_add(&amdvi_hw, 0);
	fake_vtd_add(&vtd_hw, 0);
	fake_pci_init(&disk, PCI_BDF(0, 5, 0), 0x1b36, 0x0010, 0x010802);
	fake_pci_add(&disk);
	dev = dev_find(&disk);
}

static void finish(void)
{
	dma_detach(&dev->dev);
	iommu_stop();
	host_finish();
}

static void expect_none(int err)
{
	ck_assert_int_eq(iommu_init(), err);
	ck_assert(!iommu_protects());
	ck_assert_str_eq(dma_provider_name(), "direct");
	ck_assert_ptr_nonnull(strstr(iommu_status(), "not translated"));
}

START_TEST(a_dmar_table_starts_vtd)
{
	tables(TABLE(golden_intel_dmar), NULL, 0);
	acpi_init(RSDP_AT);
	ck_assert_int_eq(iommu_init(), 0);
	ck_assert_int_eq(iommu_kind(), IOMMU_VTD);
	ck_assert_str_eq(iommu_name(), "vt-d");
	ck_assert(iommu_protects());
	ck_assert_str_eq(dma_provider_name(), "vt-d");
	ck_assert(vtd_hw.gsts & VTD_G_TE);
	iommu_stop();
	ck_assert(!iommu_protects());
	ck_assert_str_eq(dma_provider_name(), "direct");
}
END_TEST

START_TEST(a_viot_table_starts_virtio_iommu)
{
	tables(TABLE(golden_virtio_viot), NULL, 0);
	acpi_init(RSDP_AT);
	ck_assert_int_eq(iommu_init(), 0);
	ck_assert_int_eq(iommu_kind(), IOMMU_VIRTIO);
	ck_assert_str_eq(iommu_name(), "virtio-iommu");
	ck_assert(iommu_protects());
	ck_assert(!strstr(iommu_status(), "behind no IOMMU"));
	ck_assert_int_eq(dma_attach(&dev->dev), 0);
	ck_assert_ptr_nonnull(domain_of(&dev->dev));
}
END_TEST

/* As QEMU's default_bus_bypass_iommu=on leaves it. */
START_TEST(functions_that_no_unit_sees_are_said)
{
	uint8_t dmar[64];

	tables(TABLE(golden_intel_dmar), NULL, 0);
	memcpy(dmar, golden_intel_dmar, sizeof(dmar));
	dmar[4] = sizeof(dmar);			/* the table's length */
	dmar[50] = 16;				/* the unit's: no scope */
	ck_assert_uint_eq(dmar[52] & 1, 0);	/* nor all the rest */
	seal(dmar, sizeof(dmar), 9);
	tables(TABLE(dmar), NULL, 0);
	acpi_init(RSDP_AT);
	ck_assert_int_eq(iommu_init(), 0);
	ck_assert_msg(strstr(iommu_status(), "4 functions are behind no IOMMU"),
		      "%s", iommu_status());
	ck_assert_int_lt(dma_attach(&dev->dev), 0);
}
END_TEST

START_TEST(an_ivrs_table_starts_amdvi)
{
	tables(TABLE(golden_amd_ivrs), NULL, 0);
	acpi_init(RSDP_AT);
	ck_assert_int_eq(iommu_init(), 0);
	ck_assert_int_eq(iommu_kind(), IOMMU_AMDVI);
	ck_assert_str_eq(iommu_name(), "amd-vi");
	ck_assert(iommu_protects());
	ck_assert_str_eq(dma_provider_name(), "amd-vi");
	ck_assert(amdvi_hw.ctrl & AMDVI_CTRL_IOMMUEN);
	/* The golden machine had nothing at 00:05.0. */
	ck_assert_int_eq(-dma_attach(&dev->dev), ENXIO);
	iommu_stop();
	ck_assert(!iommu_protects());
	ck_assert_uint_eq(amdvi_hw.ctrl, 0);
}
END_TEST

START_TEST(no_table_is_no_iommu_and_no_error)
{
	tables(NULL, 0, NULL, 0);
	acpi_init(RSDP_AT);
	expect_none(0);
	ck_assert_int_eq(iommu_kind(), IOMMU_NONE);
	ck_assert_str_eq(iommu_name(), "none");
}
END_TEST

START_TEST(a_broken_table_means_no_protection)
{
	uint8_t *t = tables(TABLE(golden_intel_dmar), NULL, 0);

	t[20] ^= 1;
	acpi_init(RSDP_AT);
	expect_none(-EBADMSG);
	ck_assert_ptr_nonnull(strstr(iommu_status(), "broken"));
	ck_assert_uint_eq(vtd_hw.gsts, 0);
}
END_TEST

START_TEST(one_broken_table_of_two_means_no_protection)
{
	uint8_t *t = tables(TABLE(golden_intel_dmar), TABLE(golden_intel_dmar));

	t[PAGE_SIZE + 20] ^= 1;
	acpi_init(RSDP_AT);
	expect_none(-EBADMSG);
}
END_TEST

START_TEST(a_table_whose_inside_is_broken_means_no_protection)
{
	uint8_t *t = tables(TABLE(golden_intel_dmar), NULL, 0);

	t[50] = 0;			/* a structure of length 0 … */
	t[51] = 0;
	seal(t, sizeof(golden_intel_dmar), 9);	/* … behind a good checksum */
	acpi_init(RSDP_AT);
	ck_assert_int_lt(iommu_init(), 0);
	ck_assert(!iommu_protects());
}
END_TEST

START_TEST(a_unit_that_does_not_start_means_no_protection)
{
	tables(TABLE(golden_intel_dmar), NULL, 0);
	acpi_init(RSDP_AT);
	vtd_hw.no_te = true;
	expect_none(-ETIMEDOUT);
	ck_assert_int_eq(iommu_kind(), IOMMU_VTD);
}
END_TEST

START_TEST(off_leaves_the_hardware_alone)
{
	tables(TABLE(golden_intel_dmar), NULL, 0);
	acpi_init(RSDP_AT);
	cmdline_init("iommu=off");
	expect_none(0);
	ck_assert_uint_eq(vtd_hw.gsts, 0);
	ck_assert(!iommu_required());
}
END_TEST

START_TEST(require_makes_the_lack_of_protection_an_error)
{
	cmdline_init("iommu=require");
	ck_assert(iommu_required());
	tables(NULL, 0, NULL, 0);
	acpi_init(RSDP_AT);
	expect_none(-ENODEV);
	tables(TABLE(golden_amd_ivrs), NULL, 0);
	acpi_init(RSDP_AT);
	amdvi_hw.efr = 0;
	expect_none(-ENOTSUP);
	tables(TABLE(golden_intel_dmar), NULL, 0);
	acpi_init(RSDP_AT);
	ck_assert_int_eq(iommu_init(), 0);
	ck_assert(iommu_protects());
}
END_TEST

START_TEST(an_unreadable_wish_is_taken_as_on)
{
	cmdline_init("iommu=maybe");
	tables(TABLE(golden_intel_dmar), NULL, 0);
	acpi_init(RSDP_AT);
	ck_assert_int_eq(iommu_init(), 0);
	ck_assert(iommu_protects());
	ck_assert(host_logged("taken as on"));
}
END_TEST

START_TEST(the_report_and_the_monitor_tell_the_same)
{
	char cmd[] = "iommu", faults[] = "iommu faults", bad[] = "iommu what";

	tables(TABLE(golden_virtio_viot), NULL, 0);
	acpi_init(RSDP_AT);
	ck_assert_int_eq(iommu_init(), 0);
	ck_assert_int_eq(dma_attach(&dev->dev), 0);
	host_console_clear();
	iommu_report();
	ck_assert_ptr_nonnull(strstr(host_console(),
				     "\"kind\":\"virtio-iommu\""));
	ck_assert_ptr_nonnull(strstr(host_console(), "\"protects\":true"));
	ck_assert_ptr_nonnull(strstr(host_console(), "\"domains\":1"));
	host_console_clear();
	ck_assert_int_eq(monitor_exec(cmd), 0);
	ck_assert_ptr_nonnull(strstr(host_console(), "viommu0 at 00:03.0"));
	ck_assert_ptr_nonnull(strstr(host_console(), "00:05.0"));
	ck_assert_int_eq(monitor_exec(faults), 0);
	ck_assert_int_eq(monitor_exec(bad), -EINVAL);
}
END_TEST

/* ---- the fault log ---- */

static void fault(uint16_t bdf, iova_t addr)
{
	const struct iommu_fault f = {
		.bdf = bdf, .addr = addr, .reason = 5, .text = "why",
	};

	fault_record("unit", &f);
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (const char *s = host_log(); (s = strstr(s, text)); s++)
		n++;
	return n;
}

START_TEST(a_wait_finds_the_first_fault_of_its_device)
{
	struct iommu_fault f;
	uint64_t since;

	fault_reset();
	fault(1, 0x1000);
	since = iommu_fault_count();
	fault(2, 0x2000);
	fault(1, 0x3000);
	fault(1, 0x4000);
	ck_assert_int_eq(iommu_fault_wait(1, since, 0, &f), 0);
	ck_assert_uint_eq(f.addr, 0x3000);
	ck_assert_int_eq(iommu_fault_wait(3, 0, 0, &f), -ETIMEDOUT);
	ck_assert_int_eq(iommu_fault_wait(1, iommu_fault_count(), 0, &f),
			 -ETIMEDOUT);
}
END_TEST

START_TEST(a_storm_of_others_does_not_hide_a_fault)
{
	struct iommu_fault f;

	fault_reset();
	fault(1, 0x1000);
	for (unsigned i = 0; i < 10 * FAULT_RING; i++)
		fault(2, i * PAGE_SIZE);
	ck_assert_int_eq(iommu_fault_wait(1, 0, 0, &f), 0);
	ck_assert_uint_eq(f.addr, 0x1000);
	ck_assert_uint_eq(fault_count_of(1), 1);
	ck_assert_uint_eq(fault_count_of(2), 10 * FAULT_RING);
	ck_assert(fault_latest(0, &f));
	ck_assert_uint_eq(f.bdf, 2);
	ck_assert(!fault_latest(FAULT_RING, &f));
}
END_TEST

/* ---- interrupts of faults ---- */

static struct {
	nsec_t at;			/* a record is there from then on; 0: none */
	nsec_t told;			/* its interrupt comes then; 0: never */
	unsigned looks;
} records;

static void look_at_records(void)
{
	records.looks++;
	if (records.at && time_now() >= records.at) {
		records.at = 0;
		fault(1, 0x5000);
	}
}

static void tell_of_records(void *ctx)
{
	if (records.told && time_now() >= records.told) {
		records.told = 0;
		fault_interrupt();
		look_at_records();
	}
}

static const struct domain_ops records_ops = { .poll_faults = look_at_records };

/* A fault ms from now, its interrupt (0: lost) ns from now. */
static nsec_t wait_for(unsigned ms, nsec_t told)
{
	uint64_t since = iommu_fault_count();
	nsec_t start = time_now();
	struct iommu_fault f;

	records.at = start + ms * NSEC_PER_MSEC;
	records.told = told ? start + told : 0;
	ck_assert_int_eq(iommu_fault_wait(1, since, start + 5 * NSEC_PER_SEC,
					  &f), 0);
	ck_assert_uint_eq(f.addr, 0x5000);
	return time_now() - start;
}

static nsec_t wait_for_record(nsec_t told)
{
	return wait_for(100, told);
}

static void records_start(void)
{
	fault_reset();
	memset(&records, 0, sizeof(records));
	domain_start(&records_ops);
	host_step_add(tell_of_records, &records);
}

static void records_end(void)
{
	host_step_remove(&records);
	domain_start(NULL);
}

START_TEST(a_lost_interrupt_of_a_fault_is_found_within_a_second)
{
	records_start();
	fault_listen();
	for (unsigned i = 1; i <= 3; i++) {
		ck_assert_uint_lt(wait_for_record(0), NSEC_PER_SEC);
		ck_assert_uint_eq(iommu_fault_irqs_lost(), i);
	}
	/* One that was there before anybody waited. */
	ck_assert_uint_le(wait_for(0, 0), 2 * FAULT_GRACE);
	ck_assert_uint_eq(iommu_fault_irqs_lost(), 4);
	ck_assert_uint_eq(lines("no interrupt told of it"), 1);
	records_end();
}
END_TEST

START_TEST(an_interrupt_that_comes_is_not_lost)
{
	records_start();
	fault_listen();
	ck_assert_uint_lt(wait_for_record(100 * NSEC_PER_MSEC),
			  FAULT_LOOK);
	ck_assert_uint_eq(records.looks, 2);	/* at once, and for it */
	/* On its way while somebody looks. */
	wait_for_record(FAULT_LOOK + FAULT_GRACE / 2);
	ck_assert_uint_eq(iommu_fault_irqs_lost(), 0);
	records_end();
}
END_TEST

START_TEST(without_an_interrupt_none_is_lost)
{
	records_start();
	ck_assert_uint_lt(wait_for_record(0), NSEC_PER_SEC);
	ck_assert_uint_eq(iommu_fault_irqs_lost(), 0);
	records_end();
}
END_TEST

START_TEST(the_console_is_spared_and_told_how_much)
{
	fault_reset();
	for (unsigned i = 0; i < 1000; i++)
		fault(1, i * PAGE_SIZE);
	ck_assert_uint_eq(lines("refused DMA"), FAULT_LINES);
	host_time_advance(FAULT_QUIET);
	fault(1, 0);
	ck_assert(host_logged("984 more faults were not shown"));
	ck_assert_uint_eq(lines("refused DMA"), FAULT_LINES + 1);
}
END_TEST

START_TEST(the_same_access_is_said_once)
{
	fault_reset();
	for (unsigned i = 0; i < 16; i++)
		fault(1, 0x5000 + 4 * i);
	ck_assert_uint_eq(lines("refused DMA"), 1);
	ck_assert_uint_eq(iommu_fault_count(), 16);
	host_time_advance(FAULT_ECHO);
	fault(1, 0x5000);
	ck_assert_uint_eq(lines("refused DMA"), 2);
	ck_assert(!host_logged("not shown"));
}
END_TEST

START_TEST(more_devices_than_counters_lose_only_their_counts)
{
	struct iommu_fault f;

	fault_reset();
	for (unsigned i = 0; i < FAULT_DEVICES + 5; i++)
		fault(i, 0x1000);
	ck_assert_uint_eq(fault_count_of(FAULT_DEVICES + 1), 0);
	ck_assert_uint_eq(iommu_fault_count(), FAULT_DEVICES + 5);
	ck_assert_int_eq(iommu_fault_wait(FAULT_DEVICES + 1, 0, 0, &f), 0);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("iommu", setup, finish, 60);

	tcase_add_test(t, a_dmar_table_starts_vtd);
	tcase_add_test(t, a_viot_table_starts_virtio_iommu);
	tcase_add_test(t, functions_that_no_unit_sees_are_said);
	tcase_add_test(t, an_ivrs_table_starts_amdvi);
	tcase_add_test(t, no_table_is_no_iommu_and_no_error);
	tcase_add_test(t, a_broken_table_means_no_protection);
	tcase_add_test(t, one_broken_table_of_two_means_no_protection);
	tcase_add_test(t, a_table_whose_inside_is_broken_means_no_protection);
	tcase_add_test(t, a_unit_that_does_not_start_means_no_protection);
	tcase_add_test(t, off_leaves_the_hardware_alone);
	tcase_add_test(t, require_makes_the_lack_of_protection_an_error);
	tcase_add_test(t, an_unreadable_wish_is_taken_as_on);
	tcase_add_test(t, the_report_and_the_monitor_tell_the_same);
	tcase_add_test(t, a_wait_finds_the_first_fault_of_its_device);
	tcase_add_test(t, a_storm_of_others_does_not_hide_a_fault);
	tcase_add_test(t, a_lost_interrupt_of_a_fault_is_found_within_a_second);
	tcase_add_test(t, an_interrupt_that_comes_is_not_lost);
	tcase_add_test(t, without_an_interrupt_none_is_lost);
	tcase_add_test(t, the_console_is_spared_and_told_how_much);
	tcase_add_test(t, the_same_access_is_said_once);
	tcase_add_test(t, more_devices_than_counters_lose_only_their_counts);
	return suite_run("iommu");
}
