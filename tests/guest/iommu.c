/* SPDX-License-Identifier: MIT */
/*
 * The IOMMU, from within. The first tests need nothing but one; those about
 * mappings use the first disk's controller, whose domain is there anyway;
 * those about refused DMA drive an edu device (1234:11e8), which no driver
 * takes, and make it read and write wherever they like:
 *
 *	make guest S=iommu IOMMU=intel QEMU_ARGS="-device edu"
 *
 * How one could be fooled: edu reports every DMA as done, so nothing it says
 * counts. A refused write counts as refused when the memory is unchanged
 * *and* the fault record names edu, the address and, where the host tells it,
 * the direction; and the same transfer is shown to work while it is mapped.
 */
#include "blk/blk.h"
#include "core/acpi.h"
#include "core/bits.h"
#include "core/cmdline.h"
#include "core/cpu.h"
#include "core/device.h"
#include "core/errno.h"
#include "core/page.h"
#include "core/pci.h"
#include "core/pcireg.h"
#include "core/report.h"
#include "core/string.h"
#include "msi/irqs.h"
#include "sched/sched.h"
#include "viommu/domain.h"
#include "viommu/viommu.h"
#include "viommu/virtio_iommu.h"
#include "viommu/vtd.h"

/* ---- what there is ---- */

static bool iommu_test_off(void)
{
	return cmdline_list_has("iommu", "off");
}

KTEST(iommu, the_kind_is_what_the_firmware_says)
{
	enum iommu_kind want = acpi_find("VIOT", 0) ? IOMMU_VIRTIO :
			       acpi_find("DMAR", 0) ? IOMMU_VTD :
			       acpi_find("IVRS", 0) ? IOMMU_AMDVI : IOMMU_NONE;

	if (iommu_test_off())
		want = IOMMU_NONE;
	KEXPECT_EQ(t, iommu_kind(), want);
	KEXPECT_EQ(t, iommu_protects(), want != IOMMU_NONE);
	KEXPECT_MSG(t, !strcmp(dma_provider_name(), iommu_protects() ?
			       iommu_name() : "direct"),
		    "the DMA provider is %s", dma_provider_name());
}

KTEST(iommu, bus_mastering_is_on_in_domains_only)
{
	struct pci_dev *p;
	unsigned masters = 0;

	list_for_each(p, &pci_devices, node) {
		if (!(pci_read16(p, PCI_COMMAND) & PCI_COMMAND_MASTER))
			continue;
		masters++;
		KEXPECT_MSG(t, p->dev.dma.ops, "%s is in no domain",
			    p->dev.name);
		KEXPECT_MSG(t, !iommu_protects() || domain_of(&p->dev) ||
			    p->class >> 8 != 0x0108,
			    "%s is not translated", p->dev.name);
	}
	KEXPECT_MSG(t, true, "%u masters", masters);
}

/* ---- mappings ---- */

/* A device in a domain of its own, or NULL and the test is skipped. */
static struct device *iommu_test_device(struct ktest_run *t)
{
	struct blk_dev *bd = blk_find("nvme0n1");

	if (!iommu_protects())
		ktest_skip(t, "%s", iommu_status());
	else if (!bd || !domain_of(bd->dev))
		ktest_skip(t, "no disk in a domain");
	else
		return bd->dev;
	return NULL;
}

KTEST(iommu, an_io_address_is_no_physical_one)
{
	struct device *dev = iommu_test_device(t);
	void *mem = dev ? page_alloc(0) : NULL;
	iova_t iova;

	if (!mem)
		return;
	if (KEXPECT_EQ(t, dma_map(dev, mem, PAGE_SIZE, DMA_TO_DEVICE, &iova),
		       0)) {
		KEXPECT(t, iova != virt_to_phys(mem));
		KEXPECT(t, iova >= PAGE_SIZE);
		KEXPECT(t, iova + PAGE_SIZE - 1 <= dev->dma.mask);
		KEXPECT(t, iova + PAGE_SIZE - 1 <= domain_of(dev)->last);
		dma_unmap(dev, iova, PAGE_SIZE, DMA_TO_DEVICE);
	}
	page_free(mem, 0);
}

KTEST(iommu, scattered_pages_are_one_segment)
{
	struct device *dev = iommu_test_device(t);
	struct dma_vec vec[8];
	struct dma_seg seg[8];
	char *mem = dev ? page_alloc(4) : NULL;
	uint64_t mapped = domain_mapped();
	int n;

	if (!mem)
		return;
	for (unsigned i = 0; i < 8; i++)
		vec[i] = (struct dma_vec){ mem + 2 * (7 - i) * PAGE_SIZE,
					   PAGE_SIZE };
	n = dma_map_sg(dev, vec, 8, DMA_FROM_DEVICE, seg, 8);
	KEXPECT_EQ(t, n, 1);
	if (n > 0) {
		KEXPECT_EQ(t, seg[0].len, 8 * PAGE_SIZE);
		KEXPECT_EQ(t, domain_mapped(), mapped + 8 * PAGE_SIZE);
		dma_unmap_sg(dev, seg, n, DMA_FROM_DEVICE);
	}
	KEXPECT_EQ(t, domain_mapped(), mapped);
	page_free(mem, 4);
}

/* Of the 32-bit addresses, where the window is in the middle of everything. */
KTEST(iommu, the_msi_window_is_not_handed_out)
{
	enum { RANGES = 64 };
	struct device *dev = iommu_test_device(t);
	static iova_t iova[RANGES];
	unsigned n, inside = 0;
	uint64_t mask;

	if (!dev)
		return;
	mask = dev->dma.mask;
	dev->dma.mask = DOMAIN_MSI_LAST + MIB(1);
	for (n = 0; n < RANGES; n++) {
		if (iommu_reserve_iova(dev, MIB(1), &iova[n]))
			break;
		inside += iova[n] <= DOMAIN_MSI_LAST &&
			  iova[n] + MIB(1) > DOMAIN_MSI_FIRST;
	}
	KEXPECT_EQ(t, n, RANGES);
	KEXPECT_EQ(t, inside, 0);
	KEXPECT(t, iova_taken(&domain_of(dev)->iova, DOMAIN_MSI_FIRST, MIB(1)));
	while (n--)
		iommu_release_iova(dev, iova[n], MIB(1));
	dev->dma.mask = mask;
}

/* A batch at a time, so that looking at the clock does not count. */
KTEST(iommu, what_map_and_unmap_cost)
{
	enum { BATCH = 16, ROUNDS = 5 };
	struct device *dev = iommu_test_device(t);
	void *mem = dev ? page_alloc(0) : NULL;
	nsec_t start, map = UINT64_MAX, unmap = UINT64_MAX;
	iova_t iova[BATCH];
	unsigned n;

	if (!mem)
		return;
	for (unsigned round = 0; round < ROUNDS; round++) {
		start = time_now();
		for (n = 0; n < BATCH; n++)
			if (dma_map(dev, mem, PAGE_SIZE, DMA_TO_DEVICE,
				    &iova[n]))
				break;
		map = MIN(map, time_now() - start);
		KEXPECT_EQ(t, n, BATCH);
		start = time_now();
		while (n--)
			dma_unmap(dev, iova[n], PAGE_SIZE, DMA_TO_DEVICE);
		unmap = MIN(unmap, time_now() - start);
	}
	ktest_metric("dma_map_page", map / BATCH, "ns");
	ktest_metric("dma_unmap_page", unmap / BATCH, "ns");
	page_free(mem, 0);
}

/* ---- families ---- */

KTEST(iommu, vtd_a_refused_descriptor_does_not_stop_the_queue)
{
	struct vtd_unit *u = vtd_unit(0);
	struct vtd_desc bad = { .lo = 0xf };	/* no such type */
	uint64_t refused;

	if (!u) {
		ktest_skip(t, "no VT-d");
		return;
	}
	refused = u->refused;
	KEXPECT_EQ(t, -vtd_qi_submit(u, &bad, 1), EIO);
	KEXPECT_EQ(t, u->refused, refused + 1);
	KEXPECT_EQ(t, vtd_qi_flush_all(u), 0);
	KEXPECT_EQ(t, u->dead, 0);
}

KTEST(iommu, vtd_the_units_say_that_they_translate)
{
	struct vtd_unit *u;

	if (!vtd_unit(0)) {
		ktest_skip(t, "no VT-d");
		return;
	}
	for (unsigned i = 0; (u = vtd_unit(i)); i++) {
		uint32_t gsts = io_read32(&u->regs, VTD_GSTS);

		KEXPECT(t, gsts & VTD_G_TE);
		KEXPECT(t, gsts & VTD_G_QIE);
		KEXPECT_EQ(t, io_read64(&u->regs, VTD_RTADDR) & PAGE_MASK,
			   virt_to_phys(u->root));
	}
}

KTEST(iommu, virtio_the_unattached_are_blocked)
{
	struct viommu *v = viommu_get();

	if (!v)
		ktest_skip(t, "no virtio-iommu");
	else
		KEXPECT_EQ(t, io_read8(&v->vd.devcfg, VIOMMU_CFG_BYPASS), 0);
}

/* ---- edu, see QEMU's docs/specs/edu.txt ---- */

#define EDU_ID			0x00	/* 32 ro */
# define EDU_ID_MAGIC		GENMASK(15, 0)
# define EDU_MAGIC		0x00ed
#define EDU_DMA_SRC		0x80	/* 64 */
#define EDU_DMA_DST		0x88	/* 64 */
#define EDU_DMA_COUNT		0x90	/* 64; 4096 makes QEMU abort */
#define EDU_DMA_CMD		0x98	/* 64 */
# define EDU_DMA_RUN		BIT_ULL(0)
# define EDU_DMA_TO_RAM		BIT_ULL(1)
#define EDU_BUFFER		0x40000	/* its own memory, as its DMA sees it */
#define EDU_BYTES		16u
#define EDU_TIME		(100 * NSEC_PER_MSEC)	/* a DMA starts so late */
#define EDU_WAIT		(3 * NSEC_PER_SEC)
/* Its default: higher address bits are dropped without a word. */
#define EDU_MASK		(BIT_ULL(28) - 1)

struct edu {
	struct pci_dev *pci;
	uint16_t rid;			/* as the IOMMU sees it */
	struct io regs;
	uint8_t *page, *other;		/* both of PAGE_SIZE */
};

/* Behind a conventional bridge requests carry the bridge's id. */
static uint16_t edu_requester(const struct pci_dev *p)
{
	struct group g;

	group_of(p, &g);
	return g.rid[0];
}

static bool edu_open(struct ktest_run *t, struct edu *e)
{
	struct pci_dev *p;

	*e = (struct edu){ 0 };
	list_for_each(p, &pci_devices, node) {
		if (p->vendor == 0x1234 && p->device == 0x11e8 && !p->driver &&
		    !p->dev.dma.ops)
			e->pci = p;
	}
	if (!iommu_protects() || !e->pci) {
		ktest_skip(t, "%s", e->pci ? iommu_status() :
			   "no edu device (-device edu)");
		return false;
	}
	p = e->pci;
	e->rid = edu_requester(p);
	p->dev.dma.mask = EDU_MASK;
	e->page = page_alloc_zero(0);
	e->other = page_alloc_zero(0);
	if (!KEXPECT(t, e->page && e->other) ||
	    !KEXPECT_EQ(t, dma_attach(&p->dev), 0))
		return false;
	pci_enable_memory(p);
	KEXPECT_EQ(t, pci_enable_master(p), 0);
	return KEXPECT_EQ(t, pci_map_bar(p, 0, &e->regs), 0) &&
	       KEXPECT_EQ(t, FIELD_GET(EDU_ID_MAGIC, io_read32(&e->regs, EDU_ID)),
			  EDU_MAGIC);
}

static void edu_close(struct edu *e)
{
	if (!e->pci)
		return;
	io_unmap(&e->regs);
	pci_disable_master(e->pci);
	dma_detach(&e->pci->dev);
	if (e->page)
		page_free(e->page, 0);
	if (e->other)
		page_free(e->other, 0);
}

/* 0 when the device says that it is done, which is all that it can say. */
static int edu_dma(struct edu *e, uint64_t src, uint64_t dst, uint64_t dir)
{
	uint64_t cmd;

	io_write64(&e->regs, EDU_DMA_SRC, src);
	io_write64(&e->regs, EDU_DMA_DST, dst);
	io_write64(&e->regs, EDU_DMA_COUNT, EDU_BYTES);
	io_write64(&e->regs, EDU_DMA_CMD, EDU_DMA_RUN | dir);
	thread_sleep(EDU_TIME);
	return poll_until(cmd, io_read64(&e->regs, EDU_DMA_CMD),
			  !(cmd & EDU_DMA_RUN), time_now() + EDU_WAIT);
}

static int edu_read(struct edu *e, iova_t iova)		/* memory to edu */
{
	return edu_dma(e, iova, EDU_BUFFER, 0);
}

static int edu_write(struct edu *e, iova_t iova)	/* edu to memory */
{
	return edu_dma(e, EDU_BUFFER, iova, EDU_DMA_TO_RAM);
}

/* Give edu's buffer contents that nothing else has. */
static bool edu_load(struct ktest_run *t, struct edu *e, uint8_t pattern)
{
	iova_t iova;

	memset(e->page, pattern, EDU_BYTES);
	if (!KEXPECT_EQ(t, dma_map(&e->pci->dev, e->page, EDU_BYTES,
				   DMA_TO_DEVICE, &iova), 0))
		return false;
	KEXPECT_EQ(t, edu_read(e, iova), 0);
	dma_unmap(&e->pci->dev, iova, EDU_BYTES, DMA_TO_DEVICE);
	memset(e->page, 0, EDU_BYTES);
	return true;
}

static bool edu_all(const uint8_t *p, uint8_t byte)
{
	for (unsigned i = 0; i < PAGE_SIZE; i++) {
		if (p[i] != (i < EDU_BYTES ? byte : 0))
			return false;
	}
	return true;
}

/*
 * A fault by edu at iova, later than since. Last in a test: where the host is
 * known to keep no record, that alone is excused, and no failure before it.
 */
static void edu_expect_fault(struct ktest_run *t, struct edu *e, uint64_t since,
			     iova_t iova, bool write)
{
	struct iommu_fault f;
	int err = iommu_fault_wait(e->rid, since, time_now() + NSEC_PER_SEC,
				   &f);

	if (err && iommu_records_nothing() && !t->failures)
		ktest_xfail(t, "amd-iommu: the event log is never written");
	if (!KEXPECT_EQ(t, err, 0))
		return;
	KEXPECT_EQ(t, f.bdf, e->rid);
	KEXPECT_EQ(t, f.addr & PAGE_MASK, iova & PAGE_MASK);
	if (f.write_known)
		KEXPECT_EQ(t, f.write, write);
}

KTEST(iommu, edu_reaches_what_is_mapped_until_it_is_not)
{
	uint64_t since;
	struct edu e;
	iova_t iova;

	if (!edu_open(t, &e) || !edu_load(t, &e, 0xa5))
		goto out;
	if (!KEXPECT_EQ(t, dma_map(&e.pci->dev, e.page, PAGE_SIZE,
				   DMA_FROM_DEVICE, &iova), 0))
		goto out;
	KEXPECT_EQ(t, edu_write(&e, iova), 0);
	KEXPECT(t, edu_all(e.page, 0xa5));
	dma_unmap(&e.pci->dev, iova, PAGE_SIZE, DMA_FROM_DEVICE);
	memset(e.page, 0, PAGE_SIZE);
	since = iommu_fault_count();
	KEXPECT_EQ(t, edu_write(&e, iova), 0);
	KEXPECT(t, edu_all(e.page, 0));
	edu_expect_fault(t, &e, since, iova, true);
out:
	edu_close(&e);
}

KTEST(iommu, edu_reads_nothing_from_an_address_never_mapped)
{
	uint64_t since = iommu_fault_count();
	struct edu e;
	iova_t iova;

	if (edu_open(t, &e) &&
	    KEXPECT_EQ(t, iommu_reserve_iova(&e.pci->dev, PAGE_SIZE, &iova),
		       0)) {
		KEXPECT_EQ(t, edu_read(&e, iova), 0);
		edu_expect_fault(t, &e, since, iova, false);
		iommu_release_iova(&e.pci->dev, iova, PAGE_SIZE);
	}
	edu_close(&e);
}

/* No interrupt tells of a fault any more, and nobody knows why. */
static bool iommu_test_deafen(bool deaf)
{
	struct viommu *v = viommu_get();
	struct vtd_unit *u;

	if (v && !strcmp(irq_vectors_kind(v->pci), "intx")) {
		pci_enable_intx(v->pci, !deaf);
		return true;
	}
	for (unsigned i = 0; (u = vtd_unit(i)); i++) {
		io_write32(&u->regs, VTD_FECTL, deaf ? VTD_FECTL_IM : 0);
		io_read32(&u->regs, VTD_FECTL);
	}
	return vtd_unit(0);
}

/* RELIABILITY I5. */
KTEST(iommu, a_faults_lost_interrupt_is_found_within_a_second)
{
	uint64_t lost = iommu_fault_irqs_lost(), since;
	nsec_t start, worst = 0;
	struct iommu_fault f;
	struct edu e;
	iova_t iova;

	if (!edu_open(t, &e) ||
	    !KEXPECT_EQ(t, iommu_reserve_iova(&e.pci->dev, PAGE_SIZE, &iova), 0))
		goto out;
	for (unsigned i = 1; i <= 3 && iommu_test_deafen(true); i++) {
		since = iommu_fault_count();
		KEXPECT_EQ(t, edu_read(&e, iova), 0);
		start = time_now();
		KEXPECT_EQ(t, iommu_fault_wait(edu_requester(e.pci), since,
					       start + NSEC_PER_SEC, &f), 0);
		worst = MAX(worst, time_now() - start);
		KEXPECT_EQ(t, iommu_fault_irqs_lost() - lost, i);
		iommu_test_deafen(false);
	}
	if (iommu_fault_irqs_lost() == lost && !t->failures)
		ktest_skip(t, "no interrupt of this IOMMU's that can be masked");
	ktest_metric("fault_found_max", worst, "ns");
	iommu_release_iova(&e.pci->dev, iova, PAGE_SIZE);
out:
	edu_close(&e);
}

KTEST(iommu, edu_does_not_write_to_what_it_may_only_read)
{
	uint64_t since;
	struct edu e;
	iova_t iova;

	if (!edu_open(t, &e) || !edu_load(t, &e, 0x3c) ||
	    !KEXPECT_EQ(t, dma_map(&e.pci->dev, e.page, PAGE_SIZE,
				   DMA_TO_DEVICE, &iova), 0))
		goto out;
	since = iommu_fault_count();
	KEXPECT_EQ(t, edu_write(&e, iova), 0);
	KEXPECT(t, edu_all(e.page, 0));
	edu_expect_fault(t, &e, since, iova, true);
	dma_unmap(&e.pci->dev, iova, PAGE_SIZE, DMA_TO_DEVICE);
out:
	edu_close(&e);
}

KTEST(iommu, edu_cannot_use_the_disks_addresses)
{
	struct device *disk = iommu_test_device(t);
	uint64_t since, mask;
	struct edu e;
	iova_t iova;

	if (!disk || !edu_open(t, &e))
		return;
	/* Low enough for edu to say it. */
	mask = disk->dma.mask;
	disk->dma.mask = EDU_MASK;
	if (edu_load(t, &e, 0x77) &&
	    KEXPECT_EQ(t, dma_map(disk, e.page, PAGE_SIZE, DMA_BIDIRECTIONAL,
				  &iova), 0)) {
		since = iommu_fault_count();
		KEXPECT_EQ(t, edu_write(&e, iova), 0);
		KEXPECT(t, edu_all(e.page, 0));
		edu_expect_fault(t, &e, since, iova, true);
		dma_unmap(disk, iova, PAGE_SIZE, DMA_BIDIRECTIONAL);
	}
	disk->dma.mask = mask;
	edu_close(&e);
}

/* The same address, mapped elsewhere, after it has been used and cached. */
KTEST(iommu, edu_follows_a_remapped_address)
{
	iova_t iova = 0, again;
	struct edu e;

	if (!edu_open(t, &e) || !edu_load(t, &e, 0x5e))
		goto out;
	for (unsigned i = 0; i < 3; i++) {
		uint8_t *to = i & 1 ? e.other : e.page;
		uint8_t *old = i & 1 ? e.page : e.other;

		memset(e.page, 0, PAGE_SIZE);
		memset(e.other, 0, PAGE_SIZE);
		if (!KEXPECT_EQ(t, dma_map(&e.pci->dev, to, PAGE_SIZE,
					   DMA_FROM_DEVICE, &again), 0))
			break;
		if (i)
			KEXPECT_EQ(t, again, iova);
		iova = again;
		KEXPECT_EQ(t, edu_write(&e, iova), 0);
		KEXPECT(t, edu_all(to, 0x5e));
		KEXPECT(t, edu_all(old, 0));
		dma_unmap(&e.pci->dev, iova, PAGE_SIZE, DMA_FROM_DEVICE);
	}
out:
	edu_close(&e);
}

/*
 * Out of its domain, with bus mastering forced on, at a physical address that
 * would work were it not for the IOMMU.
 */
KTEST(iommu, edu_in_no_domain_reaches_nothing)
{
	uint64_t since;
	struct edu e;
	phys_t pa;

	if (!edu_open(t, &e) || !edu_load(t, &e, 0xee))
		goto out;
	pa = virt_to_phys(e.page);
	if (pa > EDU_MASK) {
		ktest_skip(t, "memory above edu's reach");
		goto out;
	}
	pci_disable_master(e.pci);
	dma_detach(&e.pci->dev);
	pci_write16(e.pci, PCI_COMMAND, pci_read16(e.pci, PCI_COMMAND) |
		    PCI_COMMAND_MASTER);
	since = iommu_fault_count();
	KEXPECT_EQ(t, edu_write(&e, pa), 0);
	KEXPECT(t, edu_all(e.page, 0));
	edu_expect_fault(t, &e, since, pa, true);
out:
	edu_close(&e);
}

/*
 * Could the tests above see a forgotten invalidation? Take a page out of the
 * table behind the driver's back, and look whether the host still uses it.
 * Either answer is allowed; the metric keeps it.
 */
KTEST(iommu, edu_shows_whether_the_host_caches)
{
	struct slpt_unhooked u = { NULL };
	struct vtd_domain *vd;
	irqflags_t flags;
	bool stale;
	struct edu e;
	iova_t iova;

	if (!vtd_unit(0)) {
		ktest_skip(t, "not VT-d");
		return;
	}
	if (!edu_open(t, &e) || !edu_load(t, &e, 0x99) ||
	    !KEXPECT_EQ(t, dma_map(&e.pci->dev, e.page, PAGE_SIZE,
				   DMA_FROM_DEVICE, &iova), 0))
		goto out;
	vd = container_of(domain_of(&e.pci->dev), struct vtd_domain, domain);
	KEXPECT_EQ(t, edu_write(&e, iova), 0);
	memset(e.page, 0, PAGE_SIZE);
	flags = spin_lock(&vd->domain.lock);
	KEXPECT_EQ(t, slpt_unmap(&vd->pt, iova, PAGE_SIZE, &u), 0);
	spin_unlock(&vd->domain.lock, flags);
	KEXPECT_EQ(t, edu_write(&e, iova), 0);
	stale = edu_all(e.page, 0x99);
	KEXPECT(t, stale || edu_all(e.page, 0));
	ktest_metric("stale_without_invalidation", stale, "bool");

	memset(e.page, 0, PAGE_SIZE);
	flags = spin_lock(&vd->domain.lock);
	KEXPECT_EQ(t, slpt_map(&vd->pt, iova, virt_to_phys(e.page), PAGE_SIZE,
			       SLPT_W), 0);
	spin_unlock(&vd->domain.lock, flags);
	dma_unmap(&e.pci->dev, iova, PAGE_SIZE, DMA_FROM_DEVICE);
	KEXPECT_EQ(t, edu_write(&e, iova), 0);
	KEXPECT(t, edu_all(e.page, 0));
out:
	edu_close(&e);
}

/* ---- virtio-iommu: each request answered as 5.13.6 says ---- */

/* Domains that the driver will not come to. */
#define IOMMU_TEST_ONE	0xfffffff0
#define IOMMU_TEST_TWO	0xfffffff1

static int iommu_test_attach(uint32_t domain, uint32_t endpoint)
{
	struct viommu_attach r = { .head.type = VIOMMU_T_ATTACH,
				   .domain = domain, .endpoint = endpoint };

	return viommu_req(viommu_get(), &r, sizeof(r));
}

static int iommu_test_detach(uint32_t domain, uint32_t endpoint)
{
	struct viommu_detach r = { .head.type = VIOMMU_T_DETACH,
				   .domain = domain, .endpoint = endpoint };

	return viommu_req(viommu_get(), &r, sizeof(r));
}

static int iommu_test_map(uint32_t domain, uint64_t page, uint64_t n,
			  uint32_t flags)
{
	struct viommu_map r = {
		.head.type = VIOMMU_T_MAP, .domain = domain,
		.first = page * PAGE_SIZE, .last = (page + n) * PAGE_SIZE - 1,
		.phys = MIB(1), .flags = flags,
	};

	return viommu_req(viommu_get(), &r, sizeof(r));
}

static int iommu_test_unmap(uint32_t domain, uint64_t page, uint64_t n)
{
	struct viommu_unmap r = {
		.head.type = VIOMMU_T_UNMAP, .domain = domain,
		.first = page * PAGE_SIZE, .last = (page + n) * PAGE_SIZE - 1,
	};

	return viommu_req(viommu_get(), &r, sizeof(r));
}

KTEST(iommu, virtio_requests_are_answered_as_the_specification_says)
{
	const uint32_t one = IOMMU_TEST_ONE, two = IOMMU_TEST_TWO;
	struct viommu_head unknown = { .type = 0x7f };
	struct viommu *v = viommu_get();
	struct pci_dev *p, *edu = NULL;
	uint32_t rid;

	list_for_each(p, &pci_devices, node)
		if (p->vendor == 0x1234 && p->device == 0x11e8 &&
		    !p->dev.dma.ops)
			edu = p;
	if (!v || !edu) {
		ktest_skip(t, v ? "no edu device" : "no virtio-iommu");
		return;
	}
	rid = edu_requester(edu);
	KEXPECT_EQ(t, -iommu_test_map(one, 16, 1, VIOMMU_MAP_READ), ENOENT);
	KEXPECT_EQ(t, -iommu_test_unmap(one, 16, 1), ENOENT);
	KEXPECT_EQ(t, -iommu_test_attach(one, 0xfffe), ENOENT);
	KEXPECT_EQ(t, -iommu_test_detach(one, 0xfffe), ENOENT);
	KEXPECT_EQ(t, -iommu_test_attach(one, rid), 0);
	KEXPECT_EQ(t, -iommu_test_detach(two, rid), EINVAL);
	KEXPECT_EQ(t, -iommu_test_map(two, 16, 1, VIOMMU_MAP_READ), ENOENT);
	KEXPECT_EQ(t, -iommu_test_map(one, 16, 4, 0x80), EINVAL);
	KEXPECT_EQ(t, -iommu_test_map(one, 16, 4, VIOMMU_MAP_READ), 0);
	KEXPECT_EQ(t, -iommu_test_map(one, 16, 4, VIOMMU_MAP_READ), EINVAL);
	KEXPECT_EQ(t, -iommu_test_map(one, 19, 2, VIOMMU_MAP_READ), EINVAL);
	KEXPECT_EQ(t, -iommu_test_map(one, 20, 1, VIOMMU_MAP_READ), 0);
	KEXPECT_EQ(t, -iommu_test_unmap(one, 16, 2), ERANGE);
	KEXPECT_EQ(t, -iommu_test_unmap(one, 100, 5), 0);
	KEXPECT_EQ(t, -iommu_test_unmap(one, 16, 5), 0);
	KEXPECT_EQ(t, -iommu_test_map(one, 16, 4, VIOMMU_MAP_WRITE), 0);
	KEXPECT_EQ(t, -iommu_test_unmap(one, 0, 1 << 20), 0);
	KEXPECT_EQ(t, -iommu_test_detach(one, rid), 0);
	KEXPECT_EQ(t, -iommu_test_detach(one, rid), EINVAL);
	KEXPECT_EQ(t, -viommu_req(v, &unknown, sizeof(unknown)), ENOTSUP);
}
