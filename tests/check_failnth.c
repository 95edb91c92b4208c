/* SPDX-License-Identifier: MIT */
/*
 * Every allocation on the way of a device's life fails once: found, started,
 * used, stopped. What each driver says of it in detail is in its own test; here
 * the whole way counts, and that nothing is left after any of it. Could be
 * fooled by a sweep that refuses nothing, so each has a floor.
 */
#include <check.h>

#include "blk/nvme.h"
#include "core/device.h"
#include "core/dma.h"
#include "core/errno.h"
#include "core/page.h"
#include "gfx/vgpu.h"
#include "msi/msi.h"
#include "tests/fake/nvme.h"
#include "tests/fake/vgpu.h"
#include "tests/fake/virtio_iommu.h"
#include "tests/fake/vtd.h"
#include "tests/host/dev.h"
#include "tests/host/suite.h"
#include "tests/host/sweep.h"
#include "viommu/fault.h"
#include "viommu/iova.h"
#include "viommu/slpt.h"
#include "viommu/virtio_iommu.h"
#include "viommu/vtd.h"

static struct pci_dev *p;

/* ---- memory ---- */

static int do_pages(void)
{
	void *one = page_alloc(0), *four = page_alloc_zero(2);
	void *low = page_alloc_below(1, MIB(32));
	void *node = page_alloc_node(0, 0);
	int err = one && four && low && node ? 0 : -ENOMEM;

	page_free(one, 0);
	page_free(four, 2);
	page_free(low, 1);
	page_free(node, 0);
	return err;
}

START_TEST(pages)
{
	ck_assert_uint_eq(host_sweep("pages", do_pages), 4);
}
END_TEST

static int do_iova(void)
{
	struct iova_space s;
	iova_t a[40];
	unsigned n = 0;
	int err = iova_init(&s, 0, GIB(1) - 1);

	if (err)
		return err;
	err = iova_reserve(&s, MIB(512), MIB(513) - 1);
	for (; !err && n < ARRAY_SIZE(a); n++) {
		err = iova_alloc(&s, PAGE_SIZE << n % 5, UINT64_MAX, &a[n]);
		if (err)
			break;
	}
	while (n-- > 0)
		iova_free(&s, a[n], PAGE_SIZE << n % 5);
	iova_fini(&s);
	return err;
}

START_TEST(addresses)
{
	ck_assert_uint_ge(host_sweep("iova", do_iova), 3);
}
END_TEST

static int do_tables(void)
{
	struct slpt_unhooked dead = { 0 };
	struct slpt pt;
	int err = slpt_init(&pt, 4, 3, NULL);

	if (err)
		return err;
	err = slpt_map(&pt, GIB(1) - PAGE_SIZE, 0, 2 * PAGE_SIZE, SLPT_R);
	if (!err)
		err = slpt_map(&pt, GIB(600), MIB(2), MIB(2) + PAGE_SIZE,
			       SLPT_W);
	slpt_trim(&pt, &dead);
	slpt_release(&pt, &dead);
	slpt_fini(&pt);
	return err;
}

START_TEST(page_tables)
{
	ck_assert_uint_ge(host_sweep("page tables", do_tables), 8);
}
END_TEST

/* ---- devices ---- */

static struct fake_nvme nvme;

static int do_nvme(void)
{
	struct blk_dev *bd;
	void *mem;
	int err = nvme_driver.probe(p);

	/* Without memory for MSI-X it tries the pin, which the fake has not. */
	if (err == -ENXIO && host_logged("no MSI: -ENOMEM"))
		return -ENOMEM;
	if (err)
		return err;
	bd = blk_get(0);
	mem = page_alloc(4);
	err = !bd || !mem ? -ENOMEM : blk_read(bd, 0, mem, 16 * PAGE_SIZE);
	page_free(mem, 4);
	nvme_driver.stop(p);
	return err;
}

START_TEST(nvme_disk)
{
	host_set_cpus(2);
	fake_nvme_init(&nvme, PCI_BDF(0, 3, 0));
	fake_nvme_add(&nvme);
	p = host_pci_probe(&nvme.pci);
	ck_assert_uint_ge(host_sweep("nvme", do_nvme), 20);
	fake_nvme_remove(&nvme);
}
END_TEST

static struct fake_vgpu vgpu;

static int do_vgpu(void)
{
	int err = vgpu_driver.probe(p);

	if (!err)
		vgpu_driver.stop(p);
	return err;
}

START_TEST(virtio_gpu)
{
	fake_vgpu_init(&vgpu, PCI_BDF(0, 4, 0), 200, 120, 3,
		       BIT_ULL(VIRTIO_F_VERSION_1) |
		       BIT_ULL(VIRTIO_F_ACCESS_PLATFORM));
	fake_vgpu_add(&vgpu);
	p = host_pci_probe(&vgpu.v.pci);
	ck_assert_uint_ge(host_sweep("virtio-gpu", do_vgpu), 15);
	fake_vgpu_remove(&vgpu);
}
END_TEST

static int do_msi(void)
{
	int got = msi_alloc(p, 1, 4);

	if (got < 0)
		return got;
	msi_free(p);
	return 0;
}

START_TEST(message_interrupts)
{
	static struct fake_pci f;

	fake_pci_init(&f, PCI_BDF(0, 3, 0), 0x1234, 0x11e8, 0);
	fake_pci_bar(&f, 0, 0x4000, false, NULL, NULL);
	fake_pci_msix(&f, 4, 0, 0x2000, 0);
	fake_pci_add(&f);
	p = host_pci_probe(&f);
	pci_enable_memory(p);
	ck_assert_int_eq(pci_enable_master(p), 0);
	ck_assert_uint_ge(host_sweep("msi", do_msi), 1);
	fake_pci_remove(&f);
}
END_TEST

/* ---- IOMMUs, and what is mapped through them ---- */

static struct fake_pci function;

/* Attached, mapped in both directions and in pieces, and all of it undone. */
static int use_dma(void)
{
	static struct dma_vec vec[3];
	struct dma_seg seg[3];
	char *mem = page_alloc(3);
	iova_t iova;
	void *ring;
	int err, n;

	if (!mem)
		return -ENOMEM;
	err = dma_attach(&p->dev);
	if (err)
		goto err_attach;
	ring = dma_alloc_coherent(&p->dev, 5000, &iova);
	if (!ring) {
		err = -ENOMEM;
		goto err_ring;
	}
	for (unsigned i = 0; i < 3; i++)
		vec[i] = (struct dma_vec){ mem + 2 * i * PAGE_SIZE, 100 };
	n = dma_map_sg(&p->dev, vec, 3, DMA_TO_DEVICE, seg, 3);
	if (n > 0)
		dma_unmap_sg(&p->dev, seg, (unsigned)n, DMA_TO_DEVICE);
	err = MIN(n, 0);
	dma_free_coherent(&p->dev, 5000, ring, iova);
err_ring:
	dma_detach(&p->dev);
err_attach:
	page_free(mem, 3);
	return err;
}

static struct fake_viommu viommu;
static struct acpi_viot viot;

static int do_virtio_iommu(void)
{
	int err = viommu_start(&viot);

	if (err)
		return err;
	domain_start(&viommu_ops);
	err = use_dma();
	domain_start(NULL);
	viommu_stop();
	return err;
}

START_TEST(virtio_iommu)
{
	fault_reset();
	viot.niommus = viot.nranges = 1;
	viot.iommu[0].pci = viot.range[0].pci = true;
	viot.iommu[0].bdf = PCI_BDF(0, 2, 0);
	viot.range[0].bdf_last = 0xff;
	fake_viommu_init(&viommu, PCI_BDF(0, 2, 0));
	viommu.v.gsi = 22;
	viommu.v.pci.config[0x3d] = 1;
	dev_add(&function, PCI_BDF(0, 3, 0));
	fake_viommu_endpoint(&viommu, function.bdf);
	fake_viommu_add(&viommu);
	p = dev_find(&function);
	ck_assert_uint_ge(host_sweep("virtio-iommu", do_virtio_iommu), 10);
}
END_TEST

static struct fake_vtd vtd;
static struct acpi_dmar dmar;

static int do_vtd(void)
{
	int err = vtd_start(&dmar);

	if (err)
		return err;
	domain_start(&vtd_ops);
	err = use_dma();
	domain_start(NULL);
	vtd_stop();
	return err;
}

START_TEST(vt_d)
{
	fault_reset();
	fake_vtd_add(&vtd, 0);
	dmar.host_width = 39;
	dmar.nunits = 1;
	dmar.unit[0].base = vtd.base;
	dmar.unit[0].include_all = true;
	dev_add(&function, PCI_BDF(0, 3, 0));
	p = dev_find(&function);
	ck_assert_uint_ge(host_sweep("vt-d", do_vtd), 10);
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("failnth", host_start, host_finish, 60);

	tcase_add_test(tc, pages);
	tcase_add_test(tc, addresses);
	tcase_add_test(tc, page_tables);
	tcase_add_test(tc, nvme_disk);
	tcase_add_test(tc, virtio_gpu);
	tcase_add_test(tc, message_interrupts);
	tcase_add_test(tc, virtio_iommu);
	tcase_add_test(tc, vt_d);
	return suite_run("failnth");
}
