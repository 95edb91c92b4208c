/* SPDX-License-Identifier: MIT */
/*
 * virt/virtio_pci.c against a fake modern device: the start sequence and each
 * way in which it can fail, capabilities that lie, queues, stop.
 */
#include <check.h>
#include <string.h>

#include "core/cpu.h"
#include "core/dma.h"
#include "core/errno.h"
#include "msi/msi.h"
#include "tests/fake/virtio.h"
#include "tests/host/suite.h"
#include "virt/virtio.h"

#define F_VERSION_1	(UINT64_C(1) << VIRTIO_F_VERSION_1)
#define F_PLATFORM	(UINT64_C(1) << VIRTIO_F_ACCESS_PLATFORM)
#define F_INDIRECT	(UINT64_C(1) << VIRTIO_F_INDIRECT_DESC)
#define F_EVENT_IDX	(UINT64_C(1) << VIRTIO_F_EVENT_IDX)
#define F_A		UINT64_C(0x1)
#define F_B		UINT64_C(0x4)
#define F_HIGH		(UINT64_C(1) << 40)

static struct fake_virtio v;
static struct virtio_dev vd;
static struct pci_dev *p;

/* Every chain comes back with its readable bytes in its writable part. */
static void echo(struct fake_virtio *dev, unsigned q)
{
	struct fake_chain c;
	uint8_t buf[256];

	while (fake_virtio_pop(dev, q, &c)) {
		size_t n = fake_virtio_get(dev, &c, 0, buf, sizeof(buf));

		n = fake_virtio_put(dev, &c, 0, buf, n);
		fake_virtio_push(dev, q, &c, (uint32_t)n);
	}
}

static void setup(void)
{
	uint32_t config[4] = { 0x11223344, 0x55667788, 0x99aabbcc, 0xddeeff00 };

	host_start();
	memset(&vd, 0, sizeof(vd));
	fake_virtio_init(&v, PCI_BDF(0, 4, 0), 16, 0x030000, 2,
			 F_VERSION_1 | F_PLATFORM | F_A | F_B | F_HIGH);
	fake_virtio_config(&v, config, sizeof(config));
	fake_virtio_msix(&v, 3);
	v.notify = echo;
}

static void teardown(void)
{
	host_finish();
}

/* Onto the bus; then lies can no longer be told. */
static void probe(void)
{
	fake_virtio_add(&v);
	p = host_pci_probe(&v.pci);
	ck_assert_ptr_nonnull(p);
}

static int start(void)
{
	probe();
	return virtio_start(&vd, p, F_A, 0, false);
}

static void started(void)
{
	ck_assert_int_eq(start(), 0);
}

static void expect_unmapped(void)
{
	ck_assert_int_eq(vd.common.space, IO_NONE);
	for (unsigned i = 0; i < PCI_BARS; i++)
		ck_assert_int_eq(vd.bar[i].space, IO_NONE);
}

static void expect_start(int want)
{
	ck_assert_int_eq(start(), want);
	expect_unmapped();
}

/* ---- start ---- */

START_TEST(start_takes_what_is_wanted_and_offered)
{
	probe();
	ck_assert_int_eq(virtio_start(&vd, p, F_A | F_HIGH | 0x10, F_B,
				      true), 0);
	ck_assert_uint_eq(vd.offered, v.features);
	ck_assert_uint_eq(vd.features, F_VERSION_1 | F_PLATFORM | F_A | F_B |
				       F_HIGH);
	ck_assert_uint_eq(v.driver_features, vd.features);
	ck_assert_uint_eq(v.status, VIRTIO_STATUS_ACKNOWLEDGE |
			  VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK);
	ck_assert_uint_eq(vd.nqueues, 2);
	ck_assert_uint_eq(v.resets, 1);
	virtio_stop(&vd);
	ck_assert_uint_eq(v.status, 0);
	expect_unmapped();
}
END_TEST

START_TEST(start_takes_access_platform_though_nobody_asked)
{
	started();
	ck_assert_uint_eq(vd.features, F_VERSION_1 | F_PLATFORM | F_A);
	virtio_stop(&vd);
}
END_TEST

START_TEST(start_never_agrees_to_what_virtq_does_not_speak)
{
	v.features |= F_INDIRECT | F_EVENT_IDX;
	probe();
	ck_assert_int_eq(virtio_start(&vd, p, F_INDIRECT | F_EVENT_IDX, 0,
				      false), 0);
	ck_assert_uint_eq(vd.features, F_VERSION_1 | F_PLATFORM);
	virtio_stop(&vd);
	ck_assert_int_eq(virtio_start(&vd, p, 0, F_INDIRECT, false), -ENOTSUP);
}
END_TEST

START_TEST(start_without_version_1_is_refused)
{
	v.features = F_A;
	expect_start(-ENOTSUP);
	ck_assert_uint_ne(v.status & VIRTIO_STATUS_FAILED, 0);
	ck_assert(host_logged("are missing"));
}
END_TEST

START_TEST(start_without_a_must_feature_is_refused)
{
	probe();
	ck_assert_int_eq(virtio_start(&vd, p, 0, 0x10, false), -ENOTSUP);
	ck_assert_uint_ne(v.status & VIRTIO_STATUS_FAILED, 0);
	expect_unmapped();
}
END_TEST

START_TEST(start_behind_an_iommu_insists_on_access_platform)
{
	v.features &= ~F_PLATFORM;
	probe();
	ck_assert_int_eq(virtio_start(&vd, p, F_A, 0, true), -EPERM);
	ck_assert(host_logged("bypass the IOMMU"));
	expect_unmapped();
	ck_assert_int_eq(virtio_start(&vd, p, F_A, 0, false), 0);
	virtio_stop(&vd);
}
END_TEST

START_TEST(start_ends_when_features_ok_does_not_stick)
{
	v.refuse_features_ok = true;
	expect_start(-EPROTO);
	ck_assert_uint_ne(v.status & VIRTIO_STATUS_FAILED, 0);
}
END_TEST

START_TEST(start_times_out_when_reset_never_completes)
{
	nsec_t before;

	v.reset_stuck = true;
	probe();
	before = time_now();
	ck_assert_int_eq(virtio_start(&vd, p, F_A, 0, false), -ETIMEDOUT);
	ck_assert_uint_ge(time_now() - before, NSEC_PER_SEC);
	ck_assert_uint_lt(time_now() - before, 2 * NSEC_PER_SEC);
	expect_unmapped();
}
END_TEST

START_TEST(start_on_a_device_that_is_gone_is_enodev)
{
	probe();
	v.pci.gone = true;
	ck_assert_int_eq(virtio_start(&vd, p, F_A, 0, false), -ENODEV);
	expect_unmapped();
}
END_TEST

static void vanish(struct fake_virtio *dev)
{
	dev->pci.gone = true;
}

START_TEST(start_notices_a_device_that_vanishes_during_reset)
{
	v.reset = vanish;
	probe();
	ck_assert_int_eq(virtio_start(&vd, p, F_A, 0, false), -ENODEV);
	expect_unmapped();
}
END_TEST

START_TEST(start_survives_each_failing_allocation)
{
	unsigned n;

	probe();
	for (n = 1; n < 50; n++) {
		int err;

		host_fail_alloc(n);
		err = virtio_start(&vd, p, F_A, 0, false);
		if (!host_alloc_failed())
			break;
		ck_assert_int_eq(err, -ENOMEM);
		expect_unmapped();
	}
	host_fail_alloc(0);
	ck_assert_uint_lt(n, 50);
	virtio_stop(&vd);
}
END_TEST

/* ---- capabilities that lie ---- */

static void cap8(unsigned type, unsigned off, uint8_t val)
{
	v.pci.config[v.cap[type] + off] = val;
}

static void cap32(unsigned type, unsigned off, uint32_t val)
{
	memcpy(&v.pci.config[v.cap[type] + off], &val, 4);
}

static void lie_bar_6(void)
{
	cap8(VIRTIO_CAP_COMMON, VIRTIO_CAP_BAR, 6);
}
static void lie_bar_255(void)
{
	cap8(VIRTIO_CAP_ISR, VIRTIO_CAP_BAR, 255);
}
static void lie_bar_absent(void)
{
	cap8(VIRTIO_CAP_COMMON, VIRTIO_CAP_BAR, 2);
}
static void lie_upper_half_of_bar(void)
{
	cap8(VIRTIO_CAP_COMMON, VIRTIO_CAP_BAR, 5);
}
static void lie_offset_overflows(void)
{
	cap32(VIRTIO_CAP_COMMON, VIRTIO_CAP_OFFSET, 0xfffff000);
	cap32(VIRTIO_CAP_COMMON, VIRTIO_CAP_LENGTH, 0x2000);
}
static void lie_offset_outside(void)
{
	cap32(VIRTIO_CAP_NOTIFY, VIRTIO_CAP_OFFSET, FAKE_VIRTIO_BAR_SIZE);
}
static void lie_length_outside(void)
{
	cap32(VIRTIO_CAP_NOTIFY, VIRTIO_CAP_LENGTH, 0x1001);
}
static void lie_common_short(void)
{
	cap32(VIRTIO_CAP_COMMON, VIRTIO_CAP_LENGTH, VIRTIO_COMMON_SIZE - 1);
}
static void lie_isr_empty(void)
{
	cap32(VIRTIO_CAP_ISR, VIRTIO_CAP_LENGTH, 0);
}
static void lie_common_misaligned(void)
{
	cap32(VIRTIO_CAP_COMMON, VIRTIO_CAP_OFFSET, 2);
}
static void lie_no_common(void)
{
	cap8(VIRTIO_CAP_COMMON, VIRTIO_CAP_TYPE, 9);
}
static void lie_no_notify(void)
{
	cap8(VIRTIO_CAP_NOTIFY, VIRTIO_CAP_TYPE, 0);
}
static void lie_no_isr(void)
{
	cap8(VIRTIO_CAP_ISR, VIRTIO_CAP_TYPE, 255);
}
static void lie_cap_cut_short(void)
{
	cap8(VIRTIO_CAP_COMMON, VIRTIO_CAP_LEN, 15);
}
static void lie_notify_cap_without_multiplier(void)
{
	cap8(VIRTIO_CAP_NOTIFY, VIRTIO_CAP_LEN, 16);
}
static void lie_multiplier_odd(void)
{
	cap32(VIRTIO_CAP_NOTIFY, VIRTIO_CAP_NOTIFY_MULT, 3);
}
static void lie_multiplier_one(void)
{
	cap32(VIRTIO_CAP_NOTIFY, VIRTIO_CAP_NOTIFY_MULT, 1);
}
static void lie_multiplier_six(void)
{
	cap32(VIRTIO_CAP_NOTIFY, VIRTIO_CAP_NOTIFY_MULT, 6);
}

/* What the log must say beside -ENODEV. */
static const struct {
	void (*tell)(void);
	const char *said;
} lies[] = {
	{ lie_bar_6, "reserved BAR number" },
	{ lie_bar_255, "reserved BAR number" },
	{ lie_bar_absent, "BAR is not there" },
	{ lie_upper_half_of_bar, "BAR is not there" },
	{ lie_offset_overflows, "window outside its BAR" },
	{ lie_offset_outside, "window outside its BAR" },
	{ lie_length_outside, "window outside its BAR" },
	{ lie_common_short, "window too short" },
	{ lie_isr_empty, "window too short" },
	{ lie_common_misaligned, "window misaligned" },
	{ lie_no_common, "missing: common" },
	{ lie_no_notify, "missing: notify" },
	{ lie_no_isr, "missing: isr" },
	{ lie_cap_cut_short, "cut short" },
	{ lie_notify_cap_without_multiplier, "cut short" },
	{ lie_multiplier_odd, "odd notify multiplier" },
	{ lie_multiplier_one, "odd notify multiplier" },
	{ lie_multiplier_six, "odd notify multiplier" },
};

START_TEST(a_lying_capability_is_named_and_refused)
{
	lies[_i].tell();
	expect_start(-ENODEV);
	ck_assert_msg(host_logged(lies[_i].said), "%s", host_log());
	ck_assert_uint_eq(v.resets, 0);		/* nothing was touched */
}
END_TEST

START_TEST(a_capability_at_the_end_of_the_header_is_cut_short)
{
	/* The last one, moved so that its body would leave the 256 bytes. */
	uint8_t head[4] = { VIRTIO_CAP_ID, 0, 16, VIRTIO_CAP_ISR };

	memcpy(&v.pci.config[0xf8], head, sizeof(head));
	for (unsigned i = 0x40; i < 0xf8; i++)
		if (i == v.cap[VIRTIO_CAP_COMMON])
			v.pci.config[i + 1] = 0xf8;
	expect_start(-ENODEV);
	ck_assert(host_logged("at 0xf8 ignored: cut short"));
}
END_TEST

START_TEST(a_good_capability_behind_a_bad_one_is_used)
{
	uint8_t body[14] = { 16, VIRTIO_CAP_COMMON, FAKE_VIRTIO_BAR };
	uint32_t len = VIRTIO_COMMON_SIZE;

	memcpy(body + VIRTIO_CAP_LENGTH - 2, &len, 4);
	fake_pci_cap(&v.pci, VIRTIO_CAP_ID, body, sizeof(body));
	lie_bar_6();
	started();
	ck_assert(host_logged("reserved BAR number"));
	virtio_stop(&vd);
}
END_TEST

START_TEST(a_capability_list_that_turns_in_circles_ends)
{
	v.pci.config[v.cap[VIRTIO_CAP_COMMON] + 1] =
		(uint8_t)v.cap[VIRTIO_CAP_COMMON];
	expect_start(-ENODEV);
	ck_assert(host_logged("missing:"));
}
END_TEST

START_TEST(a_missing_device_configuration_is_allowed)
{
	uint32_t word;

	cap8(VIRTIO_CAP_DEVICE, VIRTIO_CAP_TYPE, 9);
	started();
	ck_assert_int_eq(vd.devcfg.space, IO_NONE);
	ck_assert_int_eq(virtio_config_read(&vd, 0, &word, 4, 4), -ERANGE);
	virtio_stop(&vd);
}
END_TEST

/* ---- queues ---- */

static void *token(void)
{
	return &v;
}

/* A round trip of a few bytes through queue q of the echoing device. */
static void round_trip(struct virtq *q)
{
	iova_t iova;
	uint8_t *m = dma_alloc_coherent(&p->dev, 4096, &iova);
	struct virtq_buf b[2] = { { iova, 64, false },
				  { iova + 2048, 64, true } };
	uint32_t len = 0;
	int err;

	ck_assert_ptr_nonnull(m);
	for (unsigned i = 0; i < 64; i++)
		m[i] = (uint8_t)(i * 7);
	ck_assert_int_eq(virtq_add(q, b, 2, token()), 0);
	virtq_kick(q);
	ck_assert_ptr_eq(virtq_get(q, &len, &err), token());
	ck_assert_uint_eq(len, 64);
	ck_assert_mem_eq(m, m + 2048, 64);
	dma_free_coherent(&p->dev, 4096, m, iova);
}

static void go(void)
{
	ck_assert_int_eq(pci_enable_master(p), 0);
	virtio_driver_ok(&vd);
	ck_assert_uint_eq(virtio_status(&vd), VIRTIO_STATUS_ACKNOWLEDGE |
			  VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK |
			  VIRTIO_STATUS_DRIVER_OK);
}

static void finish(struct virtq *q, unsigned n)
{
	virtio_stop(&vd);
	while (n-- > 0)
		virtio_queue_free(&vd, &q[n]);
	pci_disable_master(p);
	msi_free(p);
}

START_TEST(queues_carry_data_both_ways)
{
	struct virtq q[2];

	started();
	ck_assert_int_eq(virtio_queue_setup(&vd, &q[0], 0, 0,
					    VIRTIO_NO_VECTOR, false), 0);
	ck_assert_int_eq(virtio_queue_setup(&vd, &q[1], 1, 16,
					    VIRTIO_NO_VECTOR, false), 0);
	ck_assert_uint_eq(q[0].size, 256);
	ck_assert_uint_eq(q[1].size, 16);
	go();
	round_trip(&q[1]);
	round_trip(&q[0]);
	ck_assert_uint_eq(v.q[0].doorbells, 1);
	ck_assert_uint_eq(v.q[1].doorbells, 1);
	finish(q, 2);
	ck_assert_uint_eq(v.status, 0);
}
END_TEST

START_TEST(physical_rings_pass_by_the_iommu)
{
	struct virtq q;

	v.features &= ~F_PLATFORM;
	started();
	ck_assert_int_eq(virtio_queue_setup(&vd, &q, 0, 0, VIRTIO_NO_VECTOR,
					    true), 0);
	ck_assert_ptr_null(q.dma);
	ck_assert_uint_eq(q.ring_iova, virt_to_phys(q.ring));
	go();
	round_trip(&q);
	finish(&q, 1);
}
END_TEST

static unsigned translated;

static void *refuse_all(uint16_t bdf, iova_t addr, size_t len, bool write)
{
	translated++;
	return NULL;
}

START_TEST(access_platform_sends_the_device_through_the_iommu)
{
	struct virtq_buf b = { 0x1000, 8, false };
	struct virtq q;

	started();
	ck_assert_int_eq(virtio_queue_setup(&vd, &q, 0, 0, VIRTIO_NO_VECTOR,
					    false), 0);
	go();
	translated = 0;
	host_dma_translate = refuse_all;
	ck_assert_int_eq(virtq_add(&q, &b, 1, token()), 0);
	virtq_kick(&q);
	host_dma_translate = NULL;
	ck_assert_uint_gt(translated, 0);
	ck_assert_uint_ne(virtio_status(&vd) & VIRTIO_STATUS_NEEDS_RESET, 0);
	finish(&q, 1);
}
END_TEST

static unsigned fired;

static void on_irq(void *arg)
{
	fired++;
}

START_TEST(a_completion_interrupts_by_its_vector)
{
	struct virtq q;

	started();
	fired = 0;
	ck_assert_int_eq(msi_alloc(p, 3, 3), 3);
	ck_assert_int_eq(virtio_config_vector(&vd, 0), 0);
	ck_assert_int_eq(virtio_queue_setup(&vd, &q, 0, 0, 2, false), 0);
	ck_assert_int_eq(msi_connect(p, 2, 0, on_irq, NULL, "q0"), 0);
	go();
	round_trip(&q);
	ck_assert_uint_eq(fired, 1);
	virtq_quiet(&q, true);
	round_trip(&q);
	ck_assert_uint_eq(fired, 1);
	finish(&q, 1);
}
END_TEST

START_TEST(without_msix_the_isr_says_why_and_reading_clears_it)
{
	struct virtq q;

	fake_virtio_init(&v, PCI_BDF(0, 4, 0), 16, 0x030000, 1, F_VERSION_1);
	v.notify = echo;
	started();
	ck_assert_int_eq(virtio_queue_setup(&vd, &q, 0, 0, VIRTIO_NO_VECTOR,
					    false), 0);
	go();
	round_trip(&q);
	ck_assert_uint_eq(virtio_isr(&vd), VIRTIO_ISR_QUEUE);
	ck_assert_uint_eq(virtio_isr(&vd), 0);
	fake_virtio_config_changed(&v);
	ck_assert_uint_eq(virtio_isr(&vd), VIRTIO_ISR_CONFIG);
	finish(&q, 1);
}
END_TEST

static void expect_queue(unsigned index, uint16_t size, uint16_t msix,
			 int want)
{
	struct virtq q;

	ck_assert_int_eq(virtio_queue_setup(&vd, &q, index, size, msix,
					    false), want);
	ck_assert_ptr_null(q.ring);
	ck_assert_ptr_null(q.token);
	virtio_queue_free(&vd, &q);		/* harmless */
	ck_assert_int_ne(vd.common.space, IO_NONE);
}

START_TEST(senseless_queues_are_refused)
{
	v.q[0].max = 64;
	started();
	expect_queue(2, 0, VIRTIO_NO_VECTOR, -ENXIO);
	expect_queue(70000, 0, VIRTIO_NO_VECTOR, -ENXIO);
	expect_queue(0, 48, VIRTIO_NO_VECTOR, -EINVAL);
	expect_queue(0, 128, VIRTIO_NO_VECTOR, -ERANGE);
	virtio_stop(&vd);
}
END_TEST

START_TEST(queue_sizes_that_no_device_may_offer_are_eproto)
{
	static const uint16_t bad[] = { 65535, 48, 3, 32769 };

	started();
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		v.q[1].max = v.q[1].size = bad[i];
		expect_queue(1, 0, VIRTIO_NO_VECTOR, -EPROTO);
	}
	v.q[1].max = v.q[1].size = 0;
	expect_queue(1, 0, VIRTIO_NO_VECTOR, -ENXIO);
	virtio_stop(&vd);
}
END_TEST

START_TEST(a_doorbell_outside_the_notify_window_is_eproto)
{
	v.q[1].notify_off = 0x400;		/* times 4: the end */
	started();
	expect_queue(1, 0, VIRTIO_NO_VECTOR, -EPROTO);
	v.q[1].notify_off = 65535;
	expect_queue(1, 0, VIRTIO_NO_VECTOR, -EPROTO);
	virtio_stop(&vd);
}
END_TEST

START_TEST(multiplier_zero_is_one_doorbell_for_all)
{
	struct virtq q;

	cap32(VIRTIO_CAP_NOTIFY, VIRTIO_CAP_NOTIFY_MULT, 0);
	started();
	ck_assert_int_eq(virtio_queue_setup(&vd, &q, 1, 0, VIRTIO_NO_VECTOR,
					    false), 0);
	ck_assert_uint_eq(q.notify.base, vd.notify.base);
	finish(&q, 1);
}
END_TEST

START_TEST(a_vector_that_the_device_refuses_is_eproto)
{
	v.no_vectors = true;
	started();
	ck_assert_int_eq(virtio_config_vector(&vd, 0), -EPROTO);
	expect_queue(0, 0, 1, -EPROTO);
	virtio_stop(&vd);
}
END_TEST

START_TEST(a_queue_cannot_be_set_up_twice)
{
	struct virtq q;

	started();
	ck_assert_int_eq(virtio_queue_setup(&vd, &q, 0, 0, VIRTIO_NO_VECTOR,
					    false), 0);
	expect_queue(0, 0, VIRTIO_NO_VECTOR, -EPROTO);
	finish(&q, 1);
}
END_TEST

/* Each allocation of a queue's setup fails once; nothing may leak. */
static void sweep(bool physical)
{
	struct virtq q;
	unsigned n;

	started();
	for (n = 1; n < 50; n++) {
		int err;

		host_fail_alloc(n);
		err = virtio_queue_setup(&vd, &q, 0, 0, VIRTIO_NO_VECTOR,
					 physical);
		if (!host_alloc_failed())
			break;
		ck_assert_int_eq(err, -ENOMEM);
		ck_assert_uint_eq(v.q[0].enable, 0);
	}
	host_fail_alloc(0);
	ck_assert_uint_gt(n, 2);
	ck_assert_uint_lt(n, 50);
	finish(&q, 1);
}

START_TEST(queue_setup_survives_each_failing_allocation)
{
	sweep(false);
}
END_TEST

START_TEST(physical_queue_setup_survives_each_failing_allocation)
{
	sweep(true);
}
END_TEST

/* ---- stop ---- */

START_TEST(freeing_a_queue_of_a_live_device_resets_it_first)
{
	struct virtq q;

	started();
	ck_assert_int_eq(virtio_queue_setup(&vd, &q, 0, 0, VIRTIO_NO_VECTOR,
					    false), 0);
	go();
	virtio_queue_free(&vd, &q);
	ck_assert_uint_eq(v.status, 0);
	ck_assert_uint_eq(v.q[0].enable, 0);
	virtio_stop(&vd);
	ck_assert_uint_eq(v.resets, 2);
	pci_disable_master(p);
}
END_TEST

START_TEST(stop_turns_bus_mastering_off_when_reset_fails)
{
	struct virtq q;

	started();
	ck_assert_int_eq(virtio_queue_setup(&vd, &q, 0, 0, VIRTIO_NO_VECTOR,
					    false), 0);
	go();
	ck_assert_uint_ne(pci_read16(p, 4) & 4, 0);
	v.reset_stuck = true;
	virtio_stop(&vd);
	ck_assert_uint_eq(pci_read16(p, 4) & 4, 0);
	ck_assert(host_logged("bus mastering off"));
	virtio_queue_free(&vd, &q);
	expect_unmapped();
}
END_TEST

START_TEST(stop_of_a_device_that_vanished_is_bounded)
{
	struct virtq q;
	nsec_t before;

	started();
	ck_assert_int_eq(virtio_queue_setup(&vd, &q, 0, 0, VIRTIO_NO_VECTOR,
					    false), 0);
	go();
	v.pci.gone = true;
	before = time_now();
	finish(&q, 1);
	ck_assert_uint_lt(time_now() - before, 2 * NSEC_PER_SEC);
	expect_unmapped();
}
END_TEST

START_TEST(a_stopped_device_can_be_started_again)
{
	struct virtq q;

	for (unsigned i = 0; i < 20; i++) {
		started();
		ck_assert_int_eq(virtio_queue_setup(&vd, &q, 0, 0,
						    VIRTIO_NO_VECTOR,
						    false), 0);
		go();
		round_trip(&q);
		finish(&q, 1);
		fake_virtio_remove(&v);
		host_finish();
		setup();
	}
}
END_TEST

/* ---- the device's configuration ---- */

START_TEST(config_is_read_by_the_width_of_its_fields)
{
	uint32_t w[4];
	uint16_t h;
	uint8_t b;

	started();
	ck_assert_int_eq(virtio_config_read(&vd, 0, w, 16, 4), 0);
	ck_assert_uint_eq(w[0], 0x11223344);
	ck_assert_uint_eq(w[3], 0xddeeff00);
	ck_assert_int_eq(virtio_config_read(&vd, 2, &h, 2, 2), 0);
	ck_assert_uint_eq(h, 0x1122);
	ck_assert_int_eq(virtio_config_read(&vd, 7, &b, 1, 1), 0);
	ck_assert_uint_eq(b, 0x55);
	ck_assert_int_eq(virtio_config_read(&vd, 2, w, 4, 4), -ERANGE);
	ck_assert_int_eq(virtio_config_read(&vd, 0, w, 8, 8), -ERANGE);
	ck_assert_int_eq(virtio_config_read(&vd, 0xffc, w, 8, 4), -ERANGE);
	ck_assert_int_eq(virtio_config_read(&vd, SIZE_MAX - 3, w, 4, 4),
			 -ERANGE);
	virtio_stop(&vd);
}
END_TEST

START_TEST(config_that_changes_meanwhile_is_read_again)
{
	uint32_t w[2];

	started();
	v.flux = 5;
	ck_assert_int_eq(virtio_config_read(&vd, 0, w, 8, 4), 0);
	ck_assert_uint_eq(v.flux, 0);
	v.flux = UINT32_MAX;
	ck_assert_int_eq(virtio_config_read(&vd, 0, w, 8, 4), -ETIMEDOUT);
	virtio_stop(&vd);
}
END_TEST

static void add_start(void)
{
	TCase *t = suite_group("start", setup, teardown, 0);

	tcase_add_test(t, start_takes_what_is_wanted_and_offered);
	tcase_add_test(t, start_takes_access_platform_though_nobody_asked);
	tcase_add_test(t, start_never_agrees_to_what_virtq_does_not_speak);
	tcase_add_test(t, start_without_version_1_is_refused);
	tcase_add_test(t, start_without_a_must_feature_is_refused);
	tcase_add_test(t, start_behind_an_iommu_insists_on_access_platform);
	tcase_add_test(t, start_ends_when_features_ok_does_not_stick);
	tcase_add_test(t, start_times_out_when_reset_never_completes);
	tcase_add_test(t, start_on_a_device_that_is_gone_is_enodev);
	tcase_add_test(t, start_notices_a_device_that_vanishes_during_reset);
	tcase_add_test(t, start_survives_each_failing_allocation);
	tcase_add_loop_test(t, a_lying_capability_is_named_and_refused, 0,
			    ARRAY_SIZE(lies));
	tcase_add_test(t, a_capability_at_the_end_of_the_header_is_cut_short);
	tcase_add_test(t, a_good_capability_behind_a_bad_one_is_used);
	tcase_add_test(t, a_capability_list_that_turns_in_circles_ends);
	tcase_add_test(t, a_missing_device_configuration_is_allowed);
}

static void add_queues(void)
{
	TCase *t = suite_group("queues", setup, teardown, 0);

	tcase_add_test(t, queues_carry_data_both_ways);
	tcase_add_test(t, physical_rings_pass_by_the_iommu);
	tcase_add_test(t, access_platform_sends_the_device_through_the_iommu);
	tcase_add_test(t, a_completion_interrupts_by_its_vector);
	tcase_add_test(t, without_msix_the_isr_says_why_and_reading_clears_it);
	tcase_add_test(t, senseless_queues_are_refused);
	tcase_add_test(t, queue_sizes_that_no_device_may_offer_are_eproto);
	tcase_add_test(t, a_doorbell_outside_the_notify_window_is_eproto);
	tcase_add_test(t, multiplier_zero_is_one_doorbell_for_all);
	tcase_add_test(t, a_vector_that_the_device_refuses_is_eproto);
	tcase_add_test(t, a_queue_cannot_be_set_up_twice);
	tcase_add_test(t, queue_setup_survives_each_failing_allocation);
	tcase_add_test(t,
		       physical_queue_setup_survives_each_failing_allocation);
	tcase_add_test(t, freeing_a_queue_of_a_live_device_resets_it_first);
	tcase_add_test(t, stop_turns_bus_mastering_off_when_reset_fails);
	tcase_add_test(t, stop_of_a_device_that_vanished_is_bounded);
	tcase_add_test(t, a_stopped_device_can_be_started_again);
	tcase_add_test(t, config_is_read_by_the_width_of_its_fields);
	tcase_add_test(t, config_that_changes_meanwhile_is_read_again);
}

int main(void)
{
	add_start();
	add_queues();
	return suite_run("virtio");
}
