/* SPDX-License-Identifier: MIT */
/*
 * The NVMe driver, and below it PCI, MSI-X, the DMA API and the IOMMU drivers,
 * against QEMU's own models: start, identify, read the whole disk through
 * interrupts, stop. Once bare, once behind each IOMMU that QEMU has and we
 * drive, found by the tables that this QEMU made.
 *
 * How one could be fooled: the disk's content is random per run, so that nothing
 * but DMA brings it into the buffer; behind an IOMMU the translation is proven
 * on by a read into an address that is not mapped, which must be recorded and
 * must leave memory alone.
 */
#include "tests/host/qtest.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The driver is reached through its linker set only, so that no archive
 * member would be pulled in by name: it is part of this program.
 */
#include "blk/nvme_pci.c"

#include "core/acpi.h"
#include "core/page.h"
#include "msi/msi.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"
#include "viommu/viommu.h"

#define DISK_SIZE	((size_t)MIB(2))
#define DISK_ORDER	9		/* pages of one buffer for all of it */
#define DISK_BDF	PCI_BDF(0, 4, 0)

static uint8_t disk[DISK_SIZE];
static char drive[64];

struct machine {
	const char *name, *device;	/* the IOMMU's QEMU option, or NULL */
	enum iommu_kind kind;
};

static const struct machine machines[] = {
	{ "no IOMMU", NULL, IOMMU_NONE },
	{ "VT-d", "intel-iommu", IOMMU_VTD },
	{ "VT-d, 48 bits", "intel-iommu,aw-bits=48", IOMMU_VTD },
	{ "virtio-iommu", "virtio-iommu-pci,addr=2", IOMMU_VIRTIO },
};

static void make_disk(void)
{
	char path[32];

	srand(getpid());
	for (size_t i = 0; i < DISK_SIZE; i++)
		disk[i] = rand() >> 8;
	qtest_file(disk, DISK_SIZE, path, sizeof(path));
	snprintf(drive, sizeof(drive), "if=none,id=d,format=raw,file=%s", path);
}

static void start_machine(const struct machine *m)
{
	const char *args[] = {
		"-drive", drive, "-device", "nvme,serial=live,drive=d,addr=4",
		m->device ? "-device" : NULL, m->device, NULL
	};
	struct pci_dev *p;
	phys_t rsdp;

	host_start();
	ck_assert_int_eq(qtest_start(args), 0);
	host_live_enumerate();
	rsdp = qtest_acpi();
	ck_assert_uint_ne(rsdp, 0);
	ck_assert_int_gt(acpi_init(rsdp), 0);
	ck_assert_int_eq(iommu_init(), 0);
	ck_assert_msg(iommu_kind() == m->kind, "%s: %s", m->name,
		      iommu_status());
	p = host_live_probe(DISK_BDF);	/* a bus's context table stays */
	ck_assert_ptr_nonnull(p);
	dma_detach(&p->dev);
	host_keep();
}

static struct blk_dev *start_disk(struct pci_dev **out)
{
	struct pci_dev *p = host_live_probe(DISK_BDF);
	struct blk_dev *bd;
	int err;

	ck_assert_ptr_nonnull(p);
	err = nvme_driver.probe(p);
	ck_assert_msg(!err, "%s: %s", errno_name(err), host_log());
	bd = blk_get(0);
	ck_assert_ptr_nonnull(bd);
	*out = p;
	return bd;
}

static void stop_all(struct pci_dev *p)
{
	char what[100] = "";

	nvme_driver.stop(p);
	dma_detach(&p->dev);
	ck_assert_msg(host_is_clean(what, sizeof(what)), "%s", what);
	ck_assert_uint_eq(p->dev.dma.maps, p->dev.dma.unmaps);
	iommu_stop();
	qtest_stop();
}

START_TEST(the_whole_disk_is_read_as_it_is)
{
	const struct machine *m = &machines[_i];
	struct pci_dev *p;
	struct blk_dev *bd;
	uint8_t *buf;

	start_machine(m);
	bd = start_disk(&p);
	ck_assert_uint_eq(bd->blocks * bd->block_size, DISK_SIZE);
	ck_assert_str_eq(nvme_of(bd)->serial, "live");
	buf = page_alloc(DISK_ORDER);
	ck_assert_ptr_nonnull(buf);
	ck_assert_int_eq(blk_read(bd, 0, buf, DISK_SIZE), 0);
	ck_assert_mem_eq(buf, disk, DISK_SIZE);
	ck_assert_str_eq(msi_kind(p), "msi-x");
	ck_assert_uint_gt(msi_count(p, 1), 0);
	ck_assert_uint_eq(nvme_of(bd)->io[0].missed, 0);
	ck_assert_uint_eq(iommu_fault_count(), 0);
	page_free(buf, DISK_ORDER);
	stop_all(p);
}
END_TEST

START_TEST(any_block_count_and_alignment_is_read)
{
	struct pci_dev *p;
	struct blk_dev *bd;
	uint8_t *buf;

	start_machine(&machines[_i]);
	bd = start_disk(&p);
	buf = page_alloc(6);
	for (unsigned n = 0; n < 40; n++) {
		size_t len = (1 + rand() % 300) * 512, off = rand() % 4096 & ~3;
		uint64_t lba = rand() % ((DISK_SIZE - len) / 512);

		memset(buf, 0x11, len + 8192);
		ck_assert_int_eq(blk_read(bd, lba, buf + off, len), 0);
		ck_assert_mem_eq(buf + off, disk + lba * 512, len);
		ck_assert_uint_eq(buf[off + len], 0x11);
		ck_assert(!off || buf[off - 1] == 0x11);
	}
	page_free(buf, 6);
	stop_all(p);
}
END_TEST

START_TEST(a_read_into_an_unmapped_address_is_recorded)
{
	uint64_t before;
	struct iommu_fault f;
	struct pci_dev *p;
	struct blk_dev *bd;
	uint8_t *low;
	iova_t iova;

	start_machine(&machines[_i]);
	bd = start_disk(&p);
	ck_assert(iommu_protects());
	ck_assert_int_eq(iommu_reserve_iova(&p->dev, PAGE_SIZE, &iova), 0);
	low = iova < HOST_RAM ? phys_to_virt(iova) : NULL;
	if (low)
		memset(low, 0x5a, 512);
	before = iommu_fault_count();
	nvme_read_iova(bd, 0, iova);
	ck_assert_int_eq(iommu_fault_wait(DISK_BDF, before,
			 time_now() + 5 * NSEC_PER_SEC, &f), 0);
	ck_assert_uint_eq(f.bdf, DISK_BDF);
	ck_assert_uint_eq(f.addr & PAGE_MASK, iova);
	for (unsigned i = 0; low && i < 512; i++)
		ck_assert_uint_eq(low[i], 0x5a);
	iommu_release_iova(&p->dev, iova, PAGE_SIZE);
	stop_all(p);
}
END_TEST

/* The mapping was used, so that the IOMMU has it cached when it goes. */
START_TEST(an_unmapped_address_is_dead_at_once)
{
	struct iommu_fault f;
	struct pci_dev *p;
	struct blk_dev *bd;
	uint64_t before;
	uint8_t *page;
	iova_t iova;

	start_machine(&machines[_i]);
	bd = start_disk(&p);
	page = page_alloc_zero(0);
	ck_assert_int_eq(dma_map(&p->dev, page, PAGE_SIZE, DMA_FROM_DEVICE,
				 &iova), 0);
	ck_assert_int_eq(nvme_read_iova(bd, 1, iova), 0);
	ck_assert_mem_eq(page, disk + 512, 512);
	dma_unmap(&p->dev, iova, PAGE_SIZE, DMA_FROM_DEVICE);
	memset(page, 0x5a, PAGE_SIZE);
	before = iommu_fault_count();
	nvme_read_iova(bd, 2, iova);
	ck_assert_int_eq(iommu_fault_wait(DISK_BDF, before,
			 time_now() + 5 * NSEC_PER_SEC, &f), 0);
	ck_assert_uint_eq(f.addr & PAGE_MASK, iova);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		ck_assert_uint_eq(page[i], 0x5a);
	page_free(page, 0);
	stop_all(p);
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("live_nvme", NULL, NULL, 60);

	if (!qtest_available())
		return suite_skip("there is no qemu-system-x86_64");
	make_disk();
	tcase_add_loop_test(tc, the_whole_disk_is_read_as_it_is, 0,
			    ARRAY_SIZE(machines));
	tcase_add_loop_test(tc, any_block_count_and_alignment_is_read, 0,
			    ARRAY_SIZE(machines));
	tcase_add_loop_test(tc, a_read_into_an_unmapped_address_is_recorded, 1,
			    ARRAY_SIZE(machines));
	tcase_add_loop_test(tc, an_unmapped_address_is_dead_at_once, 1,
			    ARRAY_SIZE(machines));
	return suite_run("live_nvme");
}
