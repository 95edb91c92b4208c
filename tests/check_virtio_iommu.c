/* SPDX-License-Identifier: MIT */
/* viommu/virtio_iommu*.c against a strict device (tests/fake/virtio_iommu.c). */
#include "viommu/virtio_iommu.h"

#include <check.h>
#include <string.h>

#include "core/cpu.h"
#include "core/device.h"
#include "core/errno.h"
#include "core/page.h"
#include "tests/fake/virtio_iommu.h"
#include "tests/host/dev.h"
#include "tests/host/suite.h"
#include "viommu/fault.h"

#define OWN_BDF	PCI_BDF(0, 2, 0)
#define OWN_GSI	22			/* q35: slot 2, INTA */

static struct fake_viommu hw;
static struct fake_pci dev_a, dev_b;
static struct pci_dev *a, *b;
static struct acpi_viot viot;

/* As QEMU's table has it: one range, the IOMMU's own function in it. */
static void setup_viot(void)
{
	memset(&viot, 0, sizeof(viot));
	viot.niommus = 1;
	viot.iommu[0].pci = true;
	viot.iommu[0].bdf = OWN_BDF;
	viot.nranges = 1;
	viot.range[0].pci = true;
	viot.range[0].bdf_last = 0xff;
}

static void setup(void)
{
	host_start();
	fault_reset();
	setup_viot();
	fake_viommu_init(&hw, OWN_BDF);
	hw.v.gsi = OWN_GSI;
	hw.v.pci.config[0x3d] = 1;	/* INTA */
	dev_add(&dev_a, PCI_BDF(0, 3, 0));
	dev_add(&dev_b, PCI_BDF(0, 4, 0));
	fake_viommu_endpoint(&hw, dev_a.bdf);
	fake_viommu_endpoint(&hw, dev_b.bdf);
	fake_viommu_add(&hw);
	a = dev_find(&dev_a);
	b = dev_find(&dev_b);
}

static void start(void)
{
	ck_assert_int_eq(viommu_start(&viot), 0);
	domain_start(&viommu_ops);
	ck_assert_ptr_eq(dev_start(&dev_a), a);
	ck_assert_ptr_eq(dev_start(&dev_b), b);
}

static void stop(void)
{
	dma_detach(&a->dev);
	dma_detach(&b->dev);
	domain_start(NULL);
	viommu_stop();
}

/* ---- start ---- */

START_TEST(start_switches_bypass_off_before_the_device_is_live)
{
	ck_assert_int_eq(viommu_start(&viot), 0);
	ck_assert_uint_eq(hw.v.config[VIOMMU_CFG_BYPASS], 0);
	ck_assert(hw.v.status & VIRTIO_STATUS_DRIVER_OK);
	ck_assert_uint_eq(hw.v.driver_features & VIOMMU_F_BYPASS, 0);
	viommu_stop();
	ck_assert_uint_eq(hw.v.status, 0);
}
END_TEST

START_TEST(an_unattached_device_is_refused)
{
	start();
	dma_detach(&a->dev);
	/* Even with bus mastering on. */
	ck_assert(!dev_writes(a, 0x100000));
	ck_assert(!hw.bypassed);
	ck_assert_uint_ge(iommu_fault_count(), 1);
	stop();
}
END_TEST

START_TEST(bypass_that_stays_on_is_a_failure)
{
	hw.bypass_stuck = true;
	ck_assert_int_eq(viommu_start(&viot), -EPROTO);
	ck_assert(host_logged("bypass cannot be switched off"));
}
END_TEST

START_TEST(a_table_that_makes_no_sense_is_refused)
{
	viot.iommu[0].bdf = PCI_BDF(0, 9, 0);
	ck_assert_int_eq(viommu_start(&viot), -ENODEV);
	viot.iommu[0].bdf = dev_a.bdf;
	ck_assert_int_eq(viommu_start(&viot), -ENODEV);
	viot.iommu[0].pci = false;
	ck_assert_int_eq(viommu_start(&viot), -ENOTSUP);
	setup_viot();
	viot.niommus = 2;
	ck_assert_int_eq(viommu_start(&viot), -ENOTSUP);
	setup_viot();
	viot.left_out = 1;
	ck_assert_int_eq(viommu_start(&viot), -EOVERFLOW);
}
END_TEST

START_TEST(a_configuration_that_makes_no_sense_is_refused)
{
	uint32_t probe_size = MIB(1);
	uint64_t pages = MIB(2);

	memcpy(hw.v.config + VIOMMU_CFG_PAGE_SIZES, &pages, 8);
	ck_assert_int_eq(viommu_start(&viot), -ENOTSUP);
	pages = ~UINT64_C(0xfff);
	memcpy(hw.v.config + VIOMMU_CFG_PAGE_SIZES, &pages, 8);
	memcpy(hw.v.config + VIOMMU_CFG_PROBE_SIZE, &probe_size, 4);
	ck_assert_int_eq(viommu_start(&viot), -EPROTO);
	probe_size = 512;
	memcpy(hw.v.config + VIOMMU_CFG_PROBE_SIZE, &probe_size, 4);
	memset(hw.v.config + VIOMMU_CFG_INPUT_FIRST, 0xff, 8);
	memset(hw.v.config + VIOMMU_CFG_INPUT_LAST, 0, 8);
	ck_assert_int_eq(viommu_start(&viot), -EPROTO);
}
END_TEST

START_TEST(a_window_that_ends_before_the_bypass_byte_is_refused)
{
	uint32_t length = VIOMMU_CFG_BYPASS;

	memcpy(&hw.v.pci.config[hw.v.cap[VIRTIO_CAP_DEVICE] +
				VIRTIO_CAP_LENGTH], &length, 4);
	ck_assert_int_eq(viommu_start(&viot), -EPROTO);
}
END_TEST

START_TEST(a_device_without_map_and_unmap_is_refused)
{
	hw.v.features &= ~VIOMMU_F_MAP_UNMAP;
	ck_assert_int_eq(viommu_start(&viot), -ENOTSUP);
}
END_TEST

START_TEST(a_reset_that_never_ends_times_out)
{
	hw.v.reset_stuck = true;
	hw.v.status = 1;
	ck_assert_int_eq(viommu_start(&viot), -ETIMEDOUT);
}
END_TEST

START_TEST(a_device_that_is_gone_is_an_error)
{
	hw.v.pci.gone = true;
	ck_assert_int_lt(viommu_start(&viot), 0);
}
END_TEST

static int start_device(void)
{
	return viommu_start(&viot);
}

START_TEST(every_failed_allocation_unwinds)
{
	/* Without an interrupt faults are still seen by looking. */
	ck_assert_uint_ge(dev_each_alloc_fails(a, &viommu_ops, start_device,
					       viommu_stop, "no interrupt"), 8);
}
END_TEST

/* ---- requests ---- */

START_TEST(a_mapped_page_is_reached_and_only_in_its_direction)
{
	start();
	dev_check_directions(a, b);
	ck_assert_uint_eq(fake_viommu_mappings(&hw), 0);
	stop();
}
END_TEST

START_TEST(an_endpoint_is_attached_once)
{
	start();
	ck_assert_uint_eq(hw.requests[VIOMMU_T_ATTACH], 2);
	ck_assert_uint_eq(hw.reattached, 0);
	ck_assert_uint_eq(hw.requests[VIOMMU_T_PROBE], 2);
	stop();
	ck_assert_uint_eq(hw.requests[VIOMMU_T_DETACH], 2);
}
END_TEST

START_TEST(scattered_pieces_cost_one_doorbell_each_way)
{
	enum { PIECES = 33 };
	struct dma_vec vec[PIECES];
	struct dma_seg seg[PIECES];
	void *page[PIECES];
	unsigned bells;

	start();
	for (unsigned i = 0; i < PIECES; i++)
		page[i] = page_alloc(0);
	/* Every other one, so that none touches the next. */
	for (unsigned i = 0; i < PIECES; i++) {
		vec[i].addr = page[i * 2 % PIECES];
		vec[i].len = PAGE_SIZE;
	}
	bells = hw.v.q[VIOMMU_Q_REQUEST].doorbells;
	ck_assert_int_eq(dma_map_sg(&a->dev, vec, PIECES, DMA_FROM_DEVICE, seg,
				    PIECES), 1);
	ck_assert_uint_eq(hw.v.q[VIOMMU_Q_REQUEST].doorbells, bells + 1);
	for (unsigned i = 0; i < PIECES; i++) {
		ck_assert(dev_writes(a, seg[0].addr + i * PAGE_SIZE));
		ck_assert_str_eq(vec[i].addr, "wrong");
	}
	dma_unmap_sg(&a->dev, seg, 1, DMA_FROM_DEVICE);
	ck_assert_uint_eq(hw.v.q[VIOMMU_Q_REQUEST].doorbells, bells + 2);
	ck_assert_uint_eq(hw.requests[VIOMMU_T_UNMAP], 1);
	ck_assert_uint_eq(fake_viommu_mappings(&hw), 0);
	stop();
	for (unsigned i = 0; i < PIECES; i++)
		page_free(page[i], 0);
}
END_TEST

START_TEST(more_pieces_than_slots_are_mapped_all_the_same)
{
	enum { PIECES = 3 * VIOMMU_SLOTS };
	struct dma_vec vec[PIECES];
	struct dma_seg seg[PIECES];
	char *mem = page_alloc(9);

	start();
	for (unsigned i = 0; i < PIECES; i++) {
		vec[i].addr = mem + i * 2 * PAGE_SIZE;
		vec[i].len = 100;
	}
	ck_assert_int_eq(dma_map_sg(&a->dev, vec, PIECES, DMA_FROM_DEVICE, seg,
				    PIECES), PIECES);
	for (unsigned i = 0; i < PIECES; i++) {
		ck_assert(dev_writes(a, seg[i].addr));
		ck_assert_str_eq(vec[i].addr, "wrong");
	}
	dma_unmap_sg(&a->dev, seg, PIECES, DMA_FROM_DEVICE);
	ck_assert_uint_eq(fake_viommu_mappings(&hw), 0);
	stop();
	page_free(mem, 9);
}
END_TEST

START_TEST(every_status_has_its_errno)
{
	static const struct { uint8_t status; int err; } t[] = {
		{ VIOMMU_S_OK, 0 },
		{ VIOMMU_S_IOERR, -EIO },
		{ VIOMMU_S_UNSUPP, -ENOTSUP },
		{ VIOMMU_S_DEVERR, -EIO },
		{ VIOMMU_S_INVAL, -EINVAL },
		{ VIOMMU_S_RANGE, -ERANGE },
		{ VIOMMU_S_NOENT, -ENOENT },
		{ VIOMMU_S_FAULT, -EFAULT },
		{ VIOMMU_S_NOMEM, -ENOMEM },
		{ 9, -EPROTO },
		{ 0xff, -EPROTO },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
		ck_assert_int_eq(viommu_req_errno(t[i].status), t[i].err);
}
END_TEST

START_TEST(a_refused_map_leaves_nothing_behind)
{
	char *mem = page_alloc(2);
	iova_t iova;

	start();
	hw.fail_type = VIOMMU_T_MAP;
	hw.fail_status = VIOMMU_S_NOMEM;
	ck_assert_int_eq(dma_map(&a->dev, mem, 4 * PAGE_SIZE, DMA_TO_DEVICE,
				 &iova), -ENOMEM);
	hw.fail_type = 0;
	ck_assert_uint_eq(domain_of(&a->dev)->iova.pages, 0);
	iova = dev_map(a, mem, 4 * PAGE_SIZE, DMA_TO_DEVICE);
	dma_unmap(&a->dev, iova, 4 * PAGE_SIZE, DMA_TO_DEVICE);
	stop();
	page_free(mem, 2);
}
END_TEST

START_TEST(a_refused_attach_is_told)
{
	ck_assert_int_eq(viommu_start(&viot), 0);
	domain_start(&viommu_ops);
	hw.fail_type = VIOMMU_T_ATTACH;
	hw.fail_status = VIOMMU_S_NOENT;
	ck_assert_int_eq(dma_attach(&a->dev), -ENXIO);
	hw.fail_type = 0;
	ck_assert_uint_eq(domain_count(), 0);
	ck_assert_int_eq(dma_attach(&a->dev), 0);
	stop();
}
END_TEST

START_TEST(a_failed_unmap_gives_the_domain_up)
{
	char *mem = page_alloc(0);
	iova_t iova, again;

	start();
	iova = dev_map(a, mem, PAGE_SIZE, DMA_FROM_DEVICE);
	hw.fail_type = VIOMMU_T_UNMAP;
	hw.fail_status = VIOMMU_S_DEVERR;
	dma_unmap(&a->dev, iova, PAGE_SIZE, DMA_FROM_DEVICE);
	hw.fail_type = 0;
	ck_assert(!dev_writes(a, iova));	/* bus mastering is off */
	ck_assert_int_eq(dma_map(&a->dev, mem, PAGE_SIZE, DMA_FROM_DEVICE,
				 &again), -EIO);
	iova = dev_map(b, mem, PAGE_SIZE, DMA_FROM_DEVICE);
	dma_unmap(&b->dev, iova, PAGE_SIZE, DMA_FROM_DEVICE);
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(a_completion_without_status_is_an_error)
{
	char *mem = page_alloc(0);
	iova_t iova;

	start();
	hw.no_status = true;
	ck_assert_int_eq(dma_map(&a->dev, mem, PAGE_SIZE, DMA_TO_DEVICE,
				 &iova), -EPROTO);
	hw.no_status = false;
	hw.no_length = true;
	ck_assert_int_eq(dma_map(&b->dev, mem, PAGE_SIZE, DMA_TO_DEVICE,
				 &iova), -EPROTO);
	hw.no_length = false;
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(a_used_id_that_was_never_sent_kills_the_device)
{
	char *mem = page_alloc(0);
	iova_t iova;

	start();
	hw.v.silent = true;
	fake_virtio_push_id(&hw.v, VIOMMU_Q_REQUEST, 200, 4);
	ck_assert_int_lt(dma_map(&a->dev, mem, PAGE_SIZE, DMA_TO_DEVICE,
				 &iova), 0);
	ck_assert_int_eq(viommu_get()->dead, -EPROTO);
	hw.v.silent = false;
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(a_silent_queue_is_given_up_after_a_second)
{
	char *mem = page_alloc(0);
	nsec_t before;
	iova_t iova;

	start();
	hw.v.silent = true;
	before = time_now();
	ck_assert_int_eq(dma_map(&a->dev, mem, PAGE_SIZE, DMA_TO_DEVICE,
				 &iova), -ETIMEDOUT);
	ck_assert_uint_lt(time_now() - before, 2 * NSEC_PER_SEC);
	before = time_now();
	ck_assert_int_eq(dma_map(&b->dev, mem, PAGE_SIZE, DMA_TO_DEVICE,
				 &iova), -ETIMEDOUT);
	ck_assert_uint_lt(time_now() - before, NSEC_PER_MSEC);
	hw.v.silent = false;
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(a_device_silent_from_the_start_attaches_nobody)
{
	ck_assert_int_eq(viommu_start(&viot), 0);
	domain_start(&viommu_ops);
	hw.v.silent = true;
	ck_assert_int_eq(dma_attach(&a->dev), -ETIMEDOUT);
	ck_assert_int_eq(pci_enable_master(a), -EPERM);
	ck_assert_uint_eq(domain_count(), 0);
	stop();
}
END_TEST

START_TEST(a_slow_device_is_waited_for)
{
	char *mem = page_alloc(0);
	iova_t iova;

	hw.v.late = true;
	start();
	iova = dev_map(a, mem, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert(dev_writes(a, iova));
	dma_unmap(&a->dev, iova, PAGE_SIZE, DMA_FROM_DEVICE);
	ck_assert(!dev_writes(a, iova));
	stop();
	page_free(mem, 0);
}
END_TEST

/* ---- regions ---- */

static void set_property(size_t at, uint16_t type, uint16_t length,
			 uint64_t first, uint64_t last)
{
	struct viommu_resv_mem m = {
		.head = { .type = type, .length = length },
		.first = first, .last = last,
	};

	memcpy(hw.properties + at, &m, sizeof(m));
}

START_TEST(probed_regions_are_not_handed_out)
{
	char *mem = page_alloc(0);
	iova_t iova;

	/* An unknown property between two regions. */
	set_property(24, 0x123, 4, 0, 0);
	set_property(32, VIOMMU_PROP_RESV_MEM, 20, MIB(1), UINT64_MAX);
	start();
	iova = dev_map(a, mem, PAGE_SIZE, DMA_TO_DEVICE);
	ck_assert_uint_lt(iova, MIB(1));
	dma_unmap(&a->dev, iova, PAGE_SIZE, DMA_TO_DEVICE);
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(properties_that_lie_are_refused)
{
	static const struct {
		uint16_t type, length;
		uint64_t first, last;
	} lie[] = {
		{ VIOMMU_PROP_RESV_MEM, 4, 0, 0 },
		{ VIOMMU_PROP_RESV_MEM, 0, 0, 0 },
		{ VIOMMU_PROP_RESV_MEM, 2000, 0, 0 },
		{ VIOMMU_PROP_RESV_MEM, 20, 2, 1 },
		{ 0x5, 0xffff, 0, 0 },
	};

	ck_assert_int_eq(viommu_start(&viot), 0);
	domain_start(&viommu_ops);
	for (unsigned i = 0; i < ARRAY_SIZE(lie); i++) {
		set_property(24, lie[i].type, lie[i].length, lie[i].first,
			     lie[i].last);
		ck_assert_int_eq(dma_attach(&a->dev), -EPROTO);
	}
	for (unsigned at = 0; at + 24 <= 512; at += 24)
		set_property(at, VIOMMU_PROP_RESV_MEM, 20, GIB(4), GIB(5));
	ck_assert_int_eq(dma_attach(&a->dev), -EOVERFLOW);
	stop();
}
END_TEST

START_TEST(the_range_of_the_device_is_kept)
{
	uint64_t first = GIB(1), last = GIB(2) - 1;
	char *mem = page_alloc(0);
	iova_t iova;

	memcpy(hw.v.config + VIOMMU_CFG_INPUT_FIRST, &first, 8);
	memcpy(hw.v.config + VIOMMU_CFG_INPUT_LAST, &last, 8);
	start();
	iova = dev_map(a, mem, PAGE_SIZE, DMA_TO_DEVICE);
	ck_assert_uint_ge(iova, first);
	ck_assert_uint_le(iova + PAGE_SIZE - 1, last);
	dma_unmap(&a->dev, iova, PAGE_SIZE, DMA_TO_DEVICE);
	a->dev.dma.mask = MIB(16) - 1;
	ck_assert_int_eq(dma_map(&a->dev, mem, 1, DMA_TO_DEVICE, &iova),
			 -ENOSPC);
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(a_device_in_no_range_is_not_attached)
{
	viot.range[0].bdf_last = dev_a.bdf;
	ck_assert_int_eq(viommu_start(&viot), 0);
	domain_start(&viommu_ops);
	ck_assert_int_eq(dma_attach(&a->dev), 0);
	ck_assert_int_eq(dma_attach(&b->dev), -ENXIO);
	stop();
}
END_TEST

START_TEST(endpoint_numbers_are_counted_from_the_range)
{
	uint16_t rid;

	viot.range[0].bdf_first = 0x10;
	viot.range[0].endpoint = 0x1000;
	ck_assert_int_eq(viommu_start(&viot), 0);
	ck_assert_int_eq(viommu_endpoint_rid(0x1008, &rid), 0);
	ck_assert_uint_eq(rid, 0x18);
	ck_assert_int_eq(viommu_endpoint_rid(0xfff, &rid), -ENXIO);
	ck_assert_int_eq(viommu_endpoint_rid(0x10f0, &rid), -ENXIO);
	viommu_stop();
}
END_TEST

/* ---- faults ---- */

START_TEST(a_refused_dma_is_reported_with_source_and_address)
{
	uint64_t since = iommu_fault_count();
	struct iommu_fault f;
	iova_t iova;

	start();
	ck_assert_int_eq(iommu_reserve_iova(&a->dev, PAGE_SIZE, &iova), 0);
	ck_assert(!dev_writes(a, iova + 0x124));
	ck_assert_int_eq(dev_fault(a, since, &f), 0);
	ck_assert_uint_eq(f.bdf, a->bdf);
	ck_assert_uint_eq(f.addr, iova + 0x124);
	ck_assert(f.exact);
	ck_assert(!f.write_known);
	ck_assert_uint_eq(f.reason, VIOMMU_R_MAPPING);
	iommu_release_iova(&a->dev, iova, PAGE_SIZE);
	stop();
}
END_TEST

START_TEST(a_refused_direction_is_known)
{
	char *mem = page_alloc(0);
	struct iommu_fault f;
	iova_t iova;

	start();
	iova = dev_map(a, mem, PAGE_SIZE, DMA_TO_DEVICE);
	ck_assert(!dev_writes(a, iova));
	ck_assert_int_eq(dev_fault(a, 0, &f), 0);
	ck_assert(f.write_known && f.write);
	dma_unmap(&a->dev, iova, PAGE_SIZE, DMA_TO_DEVICE);
	stop();
	page_free(mem, 0);
}
END_TEST

START_TEST(event_buffers_are_posted_again)
{
	start();
	for (unsigned i = 0; i < 1000; i++)
		ck_assert(!dev_writes(a, 0x5000));
	ck_assert_uint_eq(hw.dropped, 0);
	ck_assert_uint_eq(iommu_fault_count(), 2000);
	stop();
}
END_TEST

START_TEST(events_without_buffers_are_said_to_be_lost)
{
	struct iommu_fault f;
	irqflags_t flags;

	start();
	flags = cpu_irq_save();
	for (unsigned i = 0; i < 100; i++)
		ck_assert(!dev_writes(a, 0x5000));
	ck_assert_uint_gt(hw.dropped, 0);
	cpu_irq_restore(flags);
	domain_poll_faults();
	ck_assert_uint_eq(iommu_fault_count(), VIOMMU_EVENTS);
	ck_assert_uint_gt(iommu_fault_lost(), 0);
	ck_assert(!dev_writes(b, 0x6000));
	ck_assert_int_eq(dev_fault(b, VIOMMU_EVENTS, &f), 0);
	stop();
}
END_TEST

START_TEST(without_an_interrupt_faults_are_seen_by_looking)
{
	struct iommu_fault f;

	hw.v.pci.config[0x3d] = 0;
	hw.v.gsi = 0;
	pci_find(OWN_BDF)->intx_pin = 0;
	start();
	ck_assert(!dev_writes(a, 0x5000));
	ck_assert_int_eq(dev_fault(a, 0, &f), 0);
	stop();
}
END_TEST

START_TEST(the_own_function_is_in_no_domain)
{
	struct pci_dev *own = pci_find(OWN_BDF);

	start();
	ck_assert_ptr_eq(own->dev.dma.ops, &dma_direct_ops);
	ck_assert_int_eq(dma_attach(&own->dev), -EBUSY);
	ck_assert_ptr_null(domain_of(&own->dev));
	ck_assert_uint_eq(hw.requests[VIOMMU_T_ATTACH], 2);
	stop();
	ck_assert_ptr_null(own->dev.dma.ops);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("virtio_iommu", setup, host_finish, 60);

	tcase_add_test(t, start_switches_bypass_off_before_the_device_is_live);
	tcase_add_test(t, an_unattached_device_is_refused);
	tcase_add_test(t, bypass_that_stays_on_is_a_failure);
	tcase_add_test(t, a_table_that_makes_no_sense_is_refused);
	tcase_add_test(t, a_configuration_that_makes_no_sense_is_refused);
	tcase_add_test(t, a_window_that_ends_before_the_bypass_byte_is_refused);
	tcase_add_test(t, a_device_without_map_and_unmap_is_refused);
	tcase_add_test(t, a_reset_that_never_ends_times_out);
	tcase_add_test(t, a_device_that_is_gone_is_an_error);
	tcase_add_test(t, every_failed_allocation_unwinds);
	tcase_add_test(t, a_mapped_page_is_reached_and_only_in_its_direction);
	tcase_add_test(t, an_endpoint_is_attached_once);
	tcase_add_test(t, scattered_pieces_cost_one_doorbell_each_way);
	tcase_add_test(t, more_pieces_than_slots_are_mapped_all_the_same);
	tcase_add_test(t, every_status_has_its_errno);
	tcase_add_test(t, a_refused_map_leaves_nothing_behind);
	tcase_add_test(t, a_refused_attach_is_told);
	tcase_add_test(t, a_failed_unmap_gives_the_domain_up);
	tcase_add_test(t, a_completion_without_status_is_an_error);
	tcase_add_test(t, a_used_id_that_was_never_sent_kills_the_device);
	tcase_add_test(t, a_silent_queue_is_given_up_after_a_second);
	tcase_add_test(t, a_device_silent_from_the_start_attaches_nobody);
	tcase_add_test(t, a_slow_device_is_waited_for);
	tcase_add_test(t, probed_regions_are_not_handed_out);
	tcase_add_test(t, properties_that_lie_are_refused);
	tcase_add_test(t, the_range_of_the_device_is_kept);
	tcase_add_test(t, a_device_in_no_range_is_not_attached);
	tcase_add_test(t, endpoint_numbers_are_counted_from_the_range);
	tcase_add_test(t, a_refused_dma_is_reported_with_source_and_address);
	tcase_add_test(t, a_refused_direction_is_known);
	tcase_add_test(t, event_buffers_are_posted_again);
	tcase_add_test(t, events_without_buffers_are_said_to_be_lost);
	tcase_add_test(t, without_an_interrupt_faults_are_seen_by_looking);
	tcase_add_test(t, the_own_function_is_in_no_domain);
	return suite_run("virtio_iommu");
}
