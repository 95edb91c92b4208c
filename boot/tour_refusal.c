/* SPDX-License-Identifier: MIT */
/*
 * One DMA that must not happen. The page is first mapped and read into — the
 * positive control: this address works — then unmapped, filled with a canary,
 * and the same read is sent to the same address again. It passes only if the
 * memory is unchanged and the IOMMU's record names this device, this address
 * and, where the hardware says it, a write.
 *
 * Where the host's IOMMU is known to record nothing, memory alone is judged,
 * and that is no pass. The command's own status proves nothing: QEMU completes
 * it with success.
 */
#include "boot/tour.h"

#include "blk/nvme.h"
#include "core/heap.h"
#include "core/page.h"
#include "core/pci.h"
#include "core/string.h"

#define TOUR_FAULT_WAIT	(2 * NSEC_PER_SEC)

/* What the page is filled with: no byte that the block begins with. */
static uint8_t tour_canary;

static bool tour_page_kept(const uint8_t *page, size_t from)
{
	for (size_t i = from; i < PAGE_SIZE; i++)
		if (page[i] != tour_canary)
			return false;
	return true;
}

/*
 * Mapped, the address works: the block arrives, and nothing beyond it. Leaves
 * it unmapped. 0 or -errno.
 */
static int tour_control(struct tour *t, uint8_t *page, uint8_t *block)
{
	size_t size = t->bd->block_size;
	struct device *dev = t->bd->dev;
	int err;

	err = blk_read(t->bd, 0, block, size);
	if (err)
		return err;
	tour_canary = block[0] ^ 0xff;
	memset(page, tour_canary, PAGE_SIZE);
	err = dma_map(dev, page, PAGE_SIZE, DMA_FROM_DEVICE, &t->wrong_iova);
	if (err)
		return err;
	err = nvme_read_iova(t->bd, 0, t->wrong_iova);
	dma_unmap(dev, t->wrong_iova, PAGE_SIZE, DMA_FROM_DEVICE);
	if (!err && (memcmp(page, block, size) || !tour_page_kept(page, size)))
		err = -EIO;
	return err;
}

static void tour_judge(struct tour *t, const uint8_t *page, int fault_err)
{
	const struct iommu_fault *f = &t->fault;
	struct tour_step *s = &t->refusal;

	if (!tour_page_kept(page, 0))
		tour_set(s, TOUR_FAIL, "the host let it write to memory");
	else if (fault_err && iommu_records_nothing())
		tour_set(s, TOUR_SKIP, "memory unchanged, but this %s keeps "
			 "no fault records (an erratum of the host): not "
			 "proved", iommu_name());
	else if (fault_err)
		tour_set(s, TOUR_FAIL, "memory is unchanged, but the IOMMU "
			 "recorded no fault");
	else if ((f->addr & PAGE_MASK) != t->wrong_iova ||
		 (f->write_known && !f->write))
		tour_set(s, TOUR_FAIL, "the fault record is wrong: "
			 "%s at 0x%lx", f->text, f->addr);
	else
		tour_set(s, TOUR_PASS, "%s at IOVA 0x%lx: %s; memory unchanged",
			 t->bd->dev->name, f->addr, f->text);
}

static void tour_wrong_dma(struct tour *t, uint8_t *page)
{
	uint16_t bdf = to_pci_dev(t->bd->dev)->bdf;
	uint64_t since = iommu_fault_count();
	int err;

	memset(page, tour_canary, PAGE_SIZE);
	err = nvme_read_iova(t->bd, 0, t->wrong_iova);
	if (err == -ENODEV || err == -EAGAIN || err == -ENOMEM) {
		tour_set(&t->refusal, TOUR_FAIL, "the command was not sent: %s",
			 errno_name(err));
		return;
	}
	err = iommu_fault_wait(bdf, since, time_now() + TOUR_FAULT_WAIT,
			       &t->fault);
	tour_judge(t, page, err);
	tour_say("refused DMA", "%s wrote to IOVA 0x%lx after its unmap",
		 t->bd->dev->name, t->wrong_iova);
	if (!err)
		tour_say("fault record",
			 "source %02x:%02x.%x, IOVA 0x%lx%s, %sreason %u: %s",
			 PCI_BUS(t->fault.bdf), PCI_SLOT(t->fault.bdf),
			 PCI_FUNC(t->fault.bdf), t->fault.addr,
			 t->fault.exact ? "" : " (page)",
			 !t->fault.write_known ? "" :
			 t->fault.write ? "write, " : "read, ",
			 t->fault.reason, t->fault.text);
	tour_say("memory", tour_page_kept(page, 0) ?
		 "unchanged" : "CHANGED");
}

void tour_refusal(struct tour *t)
{
	uint8_t *page, *block;
	int err;

	if (!iommu_protects()) {
		tour_set(&t->refusal, TOUR_SKIP, "nothing would refuse it; "
			 "IOMMU: %s", iommu_status());
		return;
	}
	if (t->disk.verdict != TOUR_PASS || !nvme_of(t->bd)) {
		tour_set(&t->refusal, TOUR_SKIP, "no NVMe disk to do it with");
		return;
	}
	if (iommu_fault_count()) {
		tour_set(&t->refusal, TOUR_FAIL, "%lu DMAs were refused before "
			 "this one: a driver of ours is wrong",
			 iommu_fault_count());
		return;
	}
	page = page_alloc(0);
	block = page_alloc(0);		/* blocks are at most a page */
	if (!page || !block)
		err = -ENOMEM;
	else
		err = tour_control(t, page, block);
	if (err)
		tour_set(&t->refusal, TOUR_FAIL, "the positive control "
			 "failed: %s", errno_name(err));
	else
		tour_wrong_dma(t, page);
	page_free(block, 0);
	page_free(page, 0);
}
