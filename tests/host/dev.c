/* SPDX-License-Identifier: MIT */
#include "tests/host/dev.h"

#include <check.h>

#include "core/cpu.h"
#include "core/device.h"
#include "core/errno.h"
#include "core/page.h"

void dev_add(struct fake_pci *f, uint16_t bdf)
{
	fake_pci_init(f, bdf, 0x1234, 0x11e8, 0x00ff00);
	fake_pci_add(f);
}

struct pci_dev *dev_find(struct fake_pci *f)
{
	struct pci_dev *p = host_pci_probe(f);

	ck_assert_ptr_nonnull(p);
	dma_detach(&p->dev);
	p->dev.dma.mask = UINT64_MAX;
	return p;
}

struct pci_dev *dev_start(struct fake_pci *f)
{
	struct pci_dev *p = host_pci_probe(f);

	ck_assert_ptr_nonnull(p);
	p->dev.dma.mask = UINT64_MAX;
	ck_assert_int_eq(pci_enable_master(p), 0);
	return p;
}

/* ---- DMA ---- */

iova_t dev_map(struct pci_dev *p, void *mem, size_t len, enum dma_dir dir)
{
	iova_t iova = 0;

	ck_assert_int_eq(dma_map(&p->dev, mem, len, dir, &iova), 0);
	return iova;
}

bool dev_writes(struct pci_dev *p, iova_t iova)
{
	return host_dma_write(p->bdf, iova, "wrong", 6);
}

bool dev_reads(struct pci_dev *p, iova_t iova)
{
	char buf[6];

	return host_dma_read(p->bdf, iova, buf, sizeof(buf));
}

int dev_fault(struct pci_dev *p, uint64_t since, struct iommu_fault *f)
{
	return iommu_fault_wait(p->bdf, since, time_now() + NSEC_PER_MSEC, f);
}

/* ---- what every family must do ---- */

void dev_check_directions(struct pci_dev *p, struct pci_dev *other)
{
	char *mem = page_alloc_zero(0);
	iova_t r = dev_map(p, mem, PAGE_SIZE, DMA_TO_DEVICE);
	iova_t w = dev_map(p, mem, PAGE_SIZE, DMA_FROM_DEVICE);

	ck_assert(dev_reads(p, r));
	ck_assert(!dev_writes(p, r));
	ck_assert_int_eq(mem[0], 0);
	ck_assert(!dev_reads(p, w));
	ck_assert(!dev_writes(other, w));
	ck_assert_int_eq(mem[0], 0);
	ck_assert(dev_writes(p, w));
	ck_assert_str_eq(mem, "wrong");
	dma_unmap(&p->dev, r, PAGE_SIZE, DMA_TO_DEVICE);
	dma_unmap(&p->dev, w, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert(!dev_reads(p, r));
	ck_assert(!dev_writes(p, w));
	page_free(mem, 0);
}

/* Attaches, maps, and undoes both. */
static int dev_use(struct pci_dev *p, void *mem)
{
	iova_t iova;
	int err;

	err = dma_attach(&p->dev);
	if (err)
		return err;
	err = dma_map(&p->dev, mem, PAGE_SIZE, DMA_TO_DEVICE, &iova);
	if (!err)
		dma_unmap(&p->dev, iova, PAGE_SIZE, DMA_TO_DEVICE);
	dma_detach(&p->dev);
	return err;
}

unsigned dev_each_alloc_fails(struct pci_dev *p, const struct domain_ops *ops,
			      int (*start)(void), void (*stop)(void),
			      const char *excuse)
{
	unsigned refused = 0;
	int err;

	for (unsigned n = 1; ; n++) {
		void *mem = page_alloc(0);

		host_fail_alloc(n);
		err = start();
		if (!err) {
			domain_start(ops);
			err = dev_use(p, mem);
			domain_start(NULL);
			stop();
		}
		page_free(mem, 0);
		if (!host_alloc_failed())
			break;
		ck_assert(err == -ENOMEM || (!err && host_logged(excuse)));
		refused += !!err;
	}
	host_fail_alloc(0);
	ck_assert_int_eq(err, 0);
	return refused;
}
