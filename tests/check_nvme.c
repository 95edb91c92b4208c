/* SPDX-License-Identifier: MIT */
/* blk/nvme*.c over the fake controller of tests/fake/nvme.c. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "blk/nvme.h"
#include "core/device.h"
#include "core/page.h"
#include "msi/msi.h"
#include "tests/fake/nvme.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

#define NBLOCKS	4096u
#define SECOND	NSEC_PER_SEC

static struct fake_nvme f;
static struct pci_dev *pdev;
static struct nvme_ctrl *c;
static struct blk_dev *bd;

static void setup(void)
{
	host_start();
	host_set_cpus(4);
	fake_nvme_init(&f, PCI_BDF(0, 3, 0));
}

static void teardown(void)
{
	fake_nvme_remove(&f);
	host_finish();
}

/* What probing says; afterwards c and bd are set, or nothing is left. */
static int start(void)
{
	int err;

	if (!pdev) {
		fake_nvme_add(&f);
		pdev = host_pci_probe(&f.pci);
		ck_assert_ptr_nonnull(pdev);
	}
	err = nvme_driver.probe(pdev);
	c = nvme_get(0);
	bd = blk_get(0);
	if (err) {
		ck_assert_ptr_null(c);
		ck_assert_ptr_null(bd);
	}
	return err;
}

static void stop(void)
{
	nvme_driver.stop(pdev);
	ck_assert_ptr_null(nvme_get(0));
	ck_assert_ptr_null(blk_get(0));
	ck_assert(!(f.csts & NVME_CSTS_RDY) || f.pci.gone || f.reads_zero ||
		  f.never_disabled);
	ck_assert(!(f.pci.config[4] & 4) || f.pci.gone);
}

static void started(void)
{
	ck_assert_int_eq(start(), 0);
	ck_assert_ptr_nonnull(c);
}

/* The usual end: nothing was done against the manual. */
static void stop_clean(void)
{
	stop();
	ck_assert_msg(!f.violations, "%u violations: %s", f.violations,
		      f.violation);
}

static void expect_bytes(const uint8_t *p, uint64_t off, size_t len)
{
	size_t i = 0;

	while (i < len && p[i] == fake_nvme_byte(1, off + i))
		i++;
	ck_assert_uint_eq(i, len);
}

static void expect_untouched(const uint8_t *p, size_t len)
{
	size_t i = 0;

	while (i < len && p[i] == 0xee)
		i++;
	ck_assert_uint_eq(i, len);
}

static uint8_t *pages(unsigned order)
{
	uint8_t *p = page_alloc(order);

	ck_assert_ptr_nonnull(p);
	memset(p, 0xee, PAGE_SIZE << order);
	return p;
}

/* A request that counts its answers. */
struct asked {
	struct blk_req rq;
	unsigned answers;
	unsigned cpu;
};

static void answered(struct blk_req *rq)
{
	struct asked *a = rq->arg;

	a->answers++;
	a->cpu = cpu_id();
}

static void ask(struct asked *a, uint64_t lba, uint32_t blocks, void *buf)
{
	memset(a, 0, sizeof(*a));
	a->rq.op = BLK_READ;
	a->rq.lba = lba;
	a->rq.blocks = blocks;
	a->rq.nvec = 1;
	a->rq.vec[0] = (struct dma_vec){ buf, blocks * bd->block_size };
	a->rq.done = answered;
	a->rq.arg = a;
	a->rq.status = 12345;
}

static int submit(struct asked *a)
{
	return bd->submit(bd, &a->rq);
}

static void settle(void)
{
	host_time_advance(100 * NSEC_PER_USEC);
}

/* Wait as a thread, so that the recovery thread gets its turn. */
static void wait_for(struct asked *a, nsec_t most)
{
	nsec_t end = time_now() + most;

	while (!a->answers && time_now() < end)
		thread_sleep(10 * NSEC_PER_MSEC);
	ck_assert_uint_eq(a->answers, 1);
}

static uint64_t lies(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < c->nio; i++)
		n += c->io[i].lies;
	return n;
}

static void read_one_block(void)
{
	uint8_t *p = pages(0);

	ck_assert_int_eq(blk_read(bd, 7, p, 512), 0);
	expect_bytes(p, 7 * 512, 512);
	page_free(p, 0);
}

/* ---- start ---- */

START_TEST(start_finds_controller_and_namespace)
{
	started();
	ck_assert_str_eq(c->name, "nvme0");
	ck_assert_str_eq(c->model, "Fake NVMe");
	ck_assert_str_eq(c->serial, "serial");
	ck_assert_str_eq(bd->name, "nvme0n1");
	ck_assert_uint_eq(bd->block_size, 512);
	ck_assert_uint_eq(bd->blocks, NBLOCKS);
	ck_assert_uint_eq(bd->max_blocks, NVME_TRANSFER_MAX / 512);
	ck_assert(!bd->read_only);
	ck_assert_ptr_eq(nvme_of(bd), c);
	read_one_block();
	stop_clean();
}
END_TEST

START_TEST(start_makes_a_queue_per_cpu_with_its_vector)
{
	started();
	ck_assert_uint_eq(c->nio, 4);
	for (unsigned cpu = 0; cpu < 4; cpu++) {
		ck_assert_uint_eq(c->by_cpu[cpu]->cpu, cpu);
		ck_assert_int_eq(msi_cpu(pdev, c->by_cpu[cpu]->vector), cpu);
		ck_assert_uint_ne(c->by_cpu[cpu]->vector, 0);
	}
	stop_clean();
}
END_TEST

START_TEST(start_takes_fewer_queues_when_vectors_are_few)
{
	f.msix = 3;
	started();
	ck_assert_uint_eq(c->nio, 2);
	ck_assert_ptr_eq(c->by_cpu[0], c->by_cpu[2]);
	ck_assert_ptr_eq(c->by_cpu[1], c->by_cpu[3]);
	host_run_as(3);
	read_one_block();
	ck_assert_uint_eq(f.per_queue[2], 1);
	ck_assert_uint_eq(c->io[1].irqs_elsewhere, 0);
	stop_clean();
}
END_TEST

START_TEST(start_takes_as_many_queues_as_are_granted)
{
	f.max_pairs = 3;
	started();
	ck_assert_uint_eq(c->nio, 3);
	host_run_as(3);
	read_one_block();
	ck_assert_uint_eq(f.per_queue[1], 1);
	stop_clean();
}
END_TEST

START_TEST(one_vector_serves_all)
{
	f.msix = 1;
	started();
	ck_assert_uint_eq(c->nvec, 1);
	ck_assert_uint_eq(c->nio, 1);
	read_one_block();
	ck_assert_uint_ge(c->io[0].irqs, 1);
	stop_clean();
}
END_TEST

START_TEST(intx_serves_where_there_is_no_msi)
{
	f.msix = 0;
	f.gsi = 16;
	fake_nvme_add(&f);
	pdev = host_pci_probe(&f.pci);
	if (pdev) {
		unsigned gsi, flags;

		if (!pci_intx_gsi(pdev, &gsi, &flags))
			f.gsi = gsi;
	}
	started();
	ck_assert_uint_eq(c->nio, 1);
	ck_assert(host_logged("INTx"));
	read_one_block();
	ck_assert_uint_ge(c->io[0].irqs, 1);
	ck_assert_uint_eq(c->io[0].missed, 0);
	stop_clean();
	ck_assert(f.pci.config[5] & 4);		/* INTx is off again */
}
END_TEST

START_TEST(start_waits_for_a_slow_controller)
{
	f.ready_delay = 7 * SECOND;
	started();
	ck_assert_uint_ge(time_now(), 7 * SECOND);
	stop_clean();
}
END_TEST

START_TEST(start_times_out_and_frees_rings)
{
	f.never_ready = true;
	f.to = _i;
	ck_assert_int_eq(start(), -ETIMEDOUT);
	ck_assert_uint_ge(time_now(), MAX(_i, 1) * SECOND / 2);
	ck_assert_uint_lt(time_now(), (MAX(_i, 1) + 1) * SECOND / 2);
	ck_assert(host_logged("not ready"));
}
END_TEST

START_TEST(start_gives_up_when_it_cannot_be_disabled)
{
	f.csts = NVME_CSTS_RDY;
	f.cc = NVME_CC_EN;
	f.never_disabled = true;
	ck_assert_int_eq(start(), -ETIMEDOUT);
	ck_assert_uint_eq(f.enables, 0);
}
END_TEST

START_TEST(start_resets_a_controller_that_firmware_left_on)
{
	f.csts = NVME_CSTS_RDY;
	f.cc = NVME_CC_EN;
	started();
	ck_assert_uint_eq(f.disables, 1);
	read_one_block();
	stop_clean();
}
END_TEST

START_TEST(start_reports_a_fatal_status)
{
	f.fatal_on_enable = true;
	ck_assert_int_eq(start(), -EIO);
}
END_TEST

START_TEST(start_refuses_a_device_that_is_gone)
{
	f.cap_all_ones = true;
	ck_assert_int_eq(start(), -ENODEV);
	ck_assert_uint_eq(f.enables, 0);
}
END_TEST

START_TEST(start_ends_when_an_admin_command_is_never_answered)
{
	static const int opcode[] = {
		NVME_ADMIN_IDENTIFY, NVME_ADMIN_SET_FEATURES,
		NVME_ADMIN_CREATE_CQ, NVME_ADMIN_CREATE_SQ,
	};

	f.stuck_admin = opcode[_i];
	ck_assert_int_eq(start(), -ETIMEDOUT);
	ck_assert_uint_lt(time_now(), 2 * NVME_ADMIN_TIMEOUT);
	f.stuck_admin = -1;		/* and it starts afterwards */
	started();
	read_one_block();
	stop_clean();
}
END_TEST

static const struct dma_ops *spied;
static unsigned freed_while_on;

static void spy_free_coherent(struct device *dev, size_t size, void *p,
			      iova_t iova)
{
	freed_while_on += (f.cc & NVME_CC_EN) != 0;
	spied->free_coherent(dev, size, p, iova);
}

/* It may answer yet, and write where it was told to. */
START_TEST(memory_of_an_unanswered_admin_command_is_kept_until_it_is_off)
{
	struct dma_ops spy;

	fake_nvme_add(&f);
	pdev = host_pci_probe(&f.pci);
	spied = pdev->dev.dma.ops;
	spy = *spied;
	spy.free_coherent = spy_free_coherent;
	pdev->dev.dma.ops = &spy;
	freed_while_on = 0;
	f.stuck_admin = NVME_ADMIN_IDENTIFY;
	ck_assert_int_eq(start(), -ETIMEDOUT);
	ck_assert_uint_eq(freed_while_on, 0);
	pdev->dev.dma.ops = spied;
}
END_TEST

START_TEST(start_ends_when_an_admin_command_fails)
{
	static const struct { int opcode; uint16_t status; int err; } how[] = {
		{ NVME_ADMIN_IDENTIFY, NVME_SC_INTERNAL, -EIO },
		{ NVME_ADMIN_SET_FEATURES, NVME_SC_FIELD, -EINVAL },
		{ NVME_ADMIN_CREATE_CQ, NVME_SC_VECTOR, -EINVAL },
		{ NVME_ADMIN_CREATE_SQ, NVME_SC_OPCODE, -ENOTSUP },
	};

	f.fail_admin = how[_i].opcode;
	f.fail_status = how[_i].status;
	ck_assert_int_eq(start(), how[_i].err);
	ck_assert(!(f.csts & NVME_CSTS_RDY));
}
END_TEST

/* RELIABILITY N9: each register lie is refused, or works. */
START_TEST(register_lies_are_refused_or_harmless)
{
	int want = -EPROTO;

	switch (_i) {
	case 0: f.mqes = 0; break;
	case 1: f.dstrd = 15; break;
	case 2: f.mpsmin = 1; want = -ENOTSUP; break;
	case 3: f.css = 0; want = -ENOTSUP; break;
	case 4: f.bar_size = 4096; f.msix = 0; f.gsi = 16; break;
	case 5: f.to = 0; want = 0; break;
	case 6: f.vs = 0; want = 0; break;
	case 7: f.mqes = 1; want = 0; break;
	case 8: f.mqes = 0xffff; want = 0; break;
	case 9: f.dstrd = 2; want = 0; break;
	case 10: f.max_pairs = 1; want = 0; break;
	case 11: f.mdts = 0; want = 0; break;
	case 12: f.mdts = 1; want = 0; break;
	}
	ck_assert_int_eq(start(), want);
	if (want) {
		ck_assert_uint_eq(f.enables, 0);
		return;
	}
	read_one_block();
	stop_clean();
}
END_TEST

START_TEST(every_allocation_failure_unwinds)
{
	unsigned n, failures = 0;

	fake_nvme_add(&f);
	pdev = host_pci_probe(&f.pci);
	for (n = 1; n < 200; n++) {
		int err;

		host_fail_alloc(n);
		err = start();
		if (!host_alloc_failed())
			break;
		if (!err) {		/* worked with less */
			stop();
			continue;
		}
		failures++;
		ck_assert(!(f.csts & NVME_CSTS_RDY));
		ck_assert(!(f.pci.config[4] & 4));
	}
	host_fail_alloc(0);
	ck_assert_uint_ge(failures, 15);
	ck_assert_uint_lt(n, 200);
	read_one_block();
	stop_clean();
}
END_TEST

START_TEST(a_device_can_be_stopped_and_started_again)
{
	for (unsigned i = 0; i < 5; i++) {
		started();
		read_one_block();
		stop_clean();
	}
}
END_TEST

/* ---- namespaces ---- */

START_TEST(several_namespaces_are_found)
{
	f.ns[0] = (struct fnvme_ns){ .nsid = 3, .shift = 12, .blocks = 100 };
	f.ns[1] = (struct fnvme_ns){ .nsid = 200, .shift = 9, .blocks = 5,
				     .protect = true };
	started();
	ck_assert_uint_eq(c->nns, 2);
	bd = blk_find("nvme0n3");
	ck_assert_ptr_nonnull(bd);
	ck_assert_uint_eq(bd->block_size, 4096);
	ck_assert_uint_eq(bd->max_blocks, NVME_TRANSFER_MAX / 4096);
	ck_assert(!bd->read_only);
	bd = blk_find("nvme0n200");
	ck_assert_uint_eq(bd->blocks, 5);
	ck_assert(bd->read_only);
	stop_clean();
}
END_TEST

START_TEST(a_namespace_with_metadata_is_refused_clearly)
{
	f.ns[0].ms = 8;
	f.ns[1] = (struct fnvme_ns){ .nsid = 2, .shift = 9, .blocks = 5 };
	started();
	ck_assert_uint_eq(c->nns, 1);
	ck_assert_str_eq(bd->name, "nvme0n2");
	ck_assert(host_logged("namespace 1 refused: blocks with metadata"));
	stop_clean();
}
END_TEST

START_TEST(odd_block_sizes_are_refused)
{
	f.ns[0].shift = 8;
	f.ns[1] = (struct fnvme_ns){ .nsid = 2, .shift = 13, .blocks = 5 };
	started();
	ck_assert_uint_eq(c->nns, 0);
	ck_assert_ptr_null(bd);
	stop_clean();
}
END_TEST

START_TEST(an_empty_namespace_is_a_device_of_no_blocks)
{
	struct blk_scan_stats st;

	f.ns[0].blocks = 0;
	started();
	ck_assert_uint_eq(bd->blocks, 0);
	ck_assert_int_eq(blk_scan(bd, 4096, 4, NULL, NULL, &st), 0);
	ck_assert_uint_eq(st.bytes, 0);
	stop_clean();
}
END_TEST

START_TEST(more_namespaces_than_we_take_are_said)
{
	for (unsigned i = 0; i < 20; i++)
		f.ns[i] = (struct fnvme_ns){ .nsid = 1 + i, .shift = 9,
					     .blocks = 8 };
	started();
	ck_assert_uint_eq(c->nns, NVME_NAMESPACES);
	ck_assert(host_logged("only the first 16 namespaces"));
	stop_clean();
}
END_TEST

START_TEST(before_version_1_1_ids_are_tried_one_by_one)
{
	f.vs = 0x00010000;
	f.ns[1] = (struct fnvme_ns){ .nsid = 5, .shift = 9, .blocks = 5 };
	started();
	ck_assert_uint_eq(c->nns, 2);
	ck_assert_ptr_nonnull(blk_find("nvme0n5"));
	stop_clean();
}
END_TEST

/* ---- stop ---- */

START_TEST(stop_announces_the_shutdown)
{
	started();
	stop_clean();
	ck_assert_uint_eq(f.shutdowns, 1);
}
END_TEST

START_TEST(stop_ends_although_the_shutdown_does_not)
{
	nsec_t before;

	started();
	f.never_shut_down = true;
	before = time_now();
	stop();
	ck_assert_uint_ge(time_now() - before, NVME_SHUTDOWN_TIMEOUT);
	ck_assert_uint_lt(time_now() - before, NVME_SHUTDOWN_TIMEOUT + SECOND);
	ck_assert(host_logged("shutdown"));
}
END_TEST

START_TEST(stop_answers_what_is_in_flight)
{
	struct asked a[5];
	uint8_t *p = pages(3);

	started();
	f.latency = SECOND;
	for (unsigned i = 0; i < 5; i++) {
		ask(&a[i], i, 1, p + i * PAGE_SIZE);
		ck_assert_int_eq(submit(&a[i]), 0);
	}
	stop();
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_uint_eq(a[i].answers, 1);
		ck_assert_int_eq(a[i].rq.status, -ECANCELED);
	}
	page_free(p, 3);
}
END_TEST

START_TEST(stop_of_a_device_that_is_gone_ends)
{
	started();
	f.pci.gone = true;
	stop();
}
END_TEST

/* ---- reading and writing ---- */

START_TEST(reads_of_any_size_and_start_are_right)
{
	uint8_t *p = pages(8);

	started();
	srand(_i);
	for (unsigned round = 0; round < 60; round++) {
		size_t len = 512 * (1 + rand() % 1000);
		size_t at = 4 * (1 + rand() % 1023);
		uint64_t lba = rand() % (NBLOCKS - len / 512);

		ck_assert_int_eq(blk_read(bd, lba, p + at, len), 0);
		expect_bytes(p + at, lba * 512, len);
		ck_assert_uint_eq(p[at - 1], 0xee);
		ck_assert_uint_eq(p[at + len], 0xee);
		memset(p + at, 0xee, len);
	}
	ck_assert_uint_gt(f.list_entries, 0);
	page_free(p, 8);
	stop_clean();
}
END_TEST

START_TEST(the_largest_request_at_the_worst_start_fits_its_list)
{
	uint8_t *p = pages(7);
	struct asked a;

	started();
	ask(&a, 0, bd->max_blocks, p + 4092);
	ck_assert_int_eq(submit(&a), 0);
	settle();
	ck_assert_int_eq(a.rq.status, 0);
	expect_bytes(p + 4092, 0, NVME_TRANSFER_MAX);
	ck_assert_uint_eq(f.list_entries, NVME_PRP_ROOM);
	page_free(p, 7);
	stop_clean();
}
END_TEST

/* Pieces all over memory, guard bytes around each. */
START_TEST(scattered_reads_touch_nothing_else)
{
	uint8_t *p = pages(7);

	started();
	srand(_i);
	for (unsigned round = 0; round < 40; round++) {
		unsigned n = 2 + rand() % (BLK_VECS - 1);
		size_t bytes = 0, first = 512 * (1 + rand() % 8);
		struct asked a;
		uint64_t off;

		ask(&a, rand() % 1000, 1, p);
		a.rq.nvec = n;
		for (unsigned i = 0; i < n; i++) {
			uint8_t *page = p + ((i * 37 + round) % 64) * 2 *
					PAGE_SIZE;
			size_t len = i ? PAGE_SIZE : first;

			if (i == n - 1)
				len = 512 * (1 + rand() % 7);
			a.rq.vec[i].addr = i ? page : page + PAGE_SIZE - first;
			a.rq.vec[i].len = len;
			bytes += len;
		}
		a.rq.blocks = bytes / 512;
		ck_assert_int_eq(submit(&a), 0);
		settle();
		ck_assert_int_eq(a.rq.status, 0);
		off = a.rq.lba * 512;
		for (unsigned i = 0; i < n; i++) {
			expect_bytes(a.rq.vec[i].addr, off, a.rq.vec[i].len);
			off += a.rq.vec[i].len;
			memset(a.rq.vec[i].addr, 0xee, a.rq.vec[i].len);
		}
		expect_untouched(p, PAGE_SIZE << 7);
	}
	page_free(p, 7);
	stop_clean();
}
END_TEST

START_TEST(what_is_written_is_read_back)
{
	uint8_t *p = pages(3);
	struct asked a;

	started();
	memset(p, 0x5a, 16384);
	ask(&a, 100, 32, p);
	a.rq.op = BLK_WRITE;
	ck_assert_int_eq(submit(&a), 0);
	settle();
	ck_assert_int_eq(a.rq.status, 0);
	memset(p, 0, PAGE_SIZE << 3);
	ck_assert_int_eq(blk_read(bd, 99, p, 34 * 512), 0);
	expect_bytes(p, 99 * 512, 512);
	for (unsigned i = 512; i < 512 + 16384; i++)
		ck_assert_uint_eq(p[i], 0x5a);
	expect_bytes(p + 512 + 16384, 132 * 512, 512);
	page_free(p, 3);
	stop_clean();
}
END_TEST

START_TEST(flush_goes_through)
{
	struct asked a;

	started();
	ask(&a, 0, 0, NULL);
	a.rq.op = BLK_FLUSH;
	a.rq.nvec = 0;
	ck_assert_int_eq(submit(&a), 0);
	settle();
	ck_assert_uint_eq(a.answers, 1);
	ck_assert_int_eq(a.rq.status, 0);
	ck_assert_uint_eq(f.flushes, 1);
	read_one_block();		/* the next user of that SQE */
	stop_clean();
}
END_TEST

START_TEST(requests_that_make_no_sense_are_answered_with_an_error)
{
	uint8_t *p = pages(3);
	struct asked a;
	int want = -EINVAL;

	f.ns[0].protect = true;
	started();
	ask(&a, 0, 16, p);
	switch (_i) {
	case 0: a.rq.blocks = 0; break;
	case 1: a.rq.blocks = bd->max_blocks + 1; break;
	case 2: a.rq.nvec = 0; break;
	case 3: a.rq.nvec = BLK_VECS + 1; break;
	case 4: a.rq.blocks = 17; break;	/* more than the memory */
	case 5: a.rq.blocks = 15; break;	/* less */
	case 6: a.rq.vec[0].addr = p + 2; break;
	case 7:					/* a hole */
		a.rq.nvec = 2;
		a.rq.vec[0].len = 512;
		a.rq.vec[1] = (struct dma_vec){ p + PAGE_SIZE, 15 * 512 };
		break;
	case 8: a.rq.vec[0].len = 0; break;
	case 9: a.rq.op = BLK_WRITE; want = -EROFS; break;
	}
	ck_assert_int_eq(submit(&a), 0);
	settle();
	ck_assert_uint_eq(a.answers, 1);
	ck_assert_int_eq(a.rq.status, want);
	ck_assert_uint_eq(f.reads + f.writes, 0);
	page_free(p, 3);
	read_one_block();
	stop_clean();
}
END_TEST

START_TEST(status_becomes_errno)
{
	static const struct { uint16_t status; int err; } how[] = {
		{ NVME_SC_OPCODE, -ENOTSUP },
		{ NVME_SC_FIELD | NVME_SF_DNR, -EINVAL },
		{ NVME_SC_TRANSFER | NVME_SF_DNR, -EIO },
		{ NVME_SC_INTERNAL, -EIO },
		{ NVME_SC_ABORTED, -ECANCELED },
		{ NVME_SC_SQ_DELETED, -ECANCELED },
		{ NVME_SC_NAMESPACE, -EINVAL },
		{ NVME_SC_PRP_OFFSET, -EINVAL },
		{ NVME_SC_WRITE_PROTECTED, -EROFS },
		{ NVME_SC_LBA_RANGE | NVME_SF_DNR | NVME_SF_M, -ERANGE },
		{ NVME_SC_CAPACITY, -ENOSPC },
		{ NVME_SC_NS_NOT_READY, -EIO },
		{ NVME_SC_WRITE_FAULT, -EIO },
		{ NVME_SC_UNRECOVERED | NVME_SF_DNR, -EIO },
		{ NVME_SC_ACCESS_DENIED, -EPERM },
		{ 0x7ff, -EIO },
	};
	uint8_t *p = pages(0);

	started();
	f.io_status = how[_i].status;
	f.io_status_times = 1;
	ck_assert_int_eq(blk_read(bd, 0, p, 512), how[_i].err);
	ck_assert_int_eq(blk_read(bd, 0, p, 512), 0);
	page_free(p, 0);
	stop_clean();
}
END_TEST

START_TEST(beyond_the_last_block_is_the_devices_word)
{
	uint8_t *p = pages(0);
	struct asked a;

	started();
	ask(&a, NBLOCKS, 1, p);
	ck_assert_int_eq(submit(&a), 0);
	settle();
	ck_assert_int_eq(a.rq.status, -ERANGE);
	ask(&a, UINT64_C(0x123456789abcdef0), 1, p);
	ck_assert_int_eq(submit(&a), 0);
	settle();
	ck_assert_int_eq(a.rq.status, -ERANGE);
	page_free(p, 0);
	stop_clean();
}
END_TEST

/* ---- queues ---- */

START_TEST(each_cpu_submits_to_its_queue_and_is_interrupted_itself)
{
	uint8_t *p = pages(0);
	struct asked a;

	started();
	for (unsigned cpu = 0; cpu < 4; cpu++) {
		host_run_as(cpu);
		ask(&a, cpu, 1, p);
		ck_assert_int_eq(submit(&a), 0);
		host_run_as(3 - cpu);		/* whoever runs now */
		settle();
		ck_assert_uint_eq(a.answers, 1);
		ck_assert_uint_eq(a.cpu, cpu);
		ck_assert_uint_eq(f.per_queue[cpu + 1], 1);
		ck_assert_uint_eq(c->io[cpu].irqs, 1);
		ck_assert_uint_eq(c->io[cpu].irqs_elsewhere, 0);
		expect_bytes(p, cpu * 512, 512);
	}
	page_free(p, 0);
	stop_clean();
}
END_TEST

START_TEST(a_full_queue_says_so_and_takes_nothing)
{
	static struct asked a[NVME_DEPTH];
	uint8_t *p = pages(0);

	started();
	f.latency = NSEC_PER_MSEC;
	for (unsigned i = 0; i < NVME_DEPTH; i++) {
		ask(&a[i], i, 1, p);
		ck_assert_int_eq(submit(&a[i]),
				 i < NVME_DEPTH - 1 ? 0 : -EAGAIN);
	}
	host_time_advance(2 * NSEC_PER_MSEC);
	for (unsigned i = 0; i < NVME_DEPTH - 1; i++)
		ck_assert_uint_eq(a[i].answers, 1);
	ck_assert_uint_eq(a[NVME_DEPTH - 1].answers, 0);
	ck_assert_int_eq(submit(&a[NVME_DEPTH - 1]), 0);
	host_time_advance(2 * NSEC_PER_MSEC);
	ck_assert_uint_eq(a[NVME_DEPTH - 1].answers, 1);
	page_free(p, 0);
	stop_clean();
}
END_TEST

START_TEST(a_batch_costs_one_doorbell_and_one_interrupt_round)
{
	static struct asked a[40];
	struct blk_req *rq[40];
	uint8_t *p = pages(0);
	uint64_t heads;

	started();
	for (unsigned i = 0; i < 40; i++) {
		ask(&a[i], i, 1, p);
		rq[i] = &a[i].rq;
	}
	rq[7]->blocks = 0;			/* one bad among them */
	heads = f.cq_doorbells;
	ck_assert_int_eq(bd->submit_batch(bd, rq, 40), 40);
	ck_assert_uint_eq(f.doorbells, 1);
	ck_assert_uint_eq(a[7].answers, 1);
	ck_assert_int_eq(a[7].rq.status, -EINVAL);
	settle();
	for (unsigned i = 0; i < 40; i++)
		ck_assert_uint_eq(a[i].answers, 1);
	ck_assert_uint_le(f.cq_doorbells - heads, 39);
	page_free(p, 0);
	stop_clean();
}
END_TEST

START_TEST(a_batch_longer_than_the_queue_is_taken_in_part)
{
	static struct asked a[100];
	struct blk_req *rq[100];
	uint8_t *p = pages(0);

	started();
	for (unsigned i = 0; i < 100; i++) {
		ask(&a[i], i, 1, p);
		rq[i] = &a[i].rq;
	}
	ck_assert_int_eq(bd->submit_batch(bd, rq, 100), NVME_DEPTH - 1);
	settle();
	for (unsigned i = 0; i < 100; i++)
		ck_assert_uint_eq(a[i].answers, i < NVME_DEPTH - 1);
	page_free(p, 0);
	stop_clean();
}
END_TEST

START_TEST(answers_in_any_order_find_their_requests)
{
	static struct asked a[NVME_DEPTH - 1];
	uint8_t *p = pages(6);

	started();
	f.reverse = true;
	for (unsigned round = 0; round < 30; round++) {
		for (unsigned i = 0; i < NVME_DEPTH - 1; i++) {
			ask(&a[i], (i * 53 + round) % NBLOCKS, 1,
			    p + i * PAGE_SIZE);
			ck_assert_int_eq(submit(&a[i]), 0);
		}
		settle();
		for (unsigned i = 0; i < NVME_DEPTH - 1; i++) {
			ck_assert_uint_eq(a[i].answers, 1);
			expect_bytes(p + i * PAGE_SIZE, a[i].rq.lba * 512, 512);
		}
	}
	page_free(p, 6);
	stop_clean();
}
END_TEST

static unsigned again_left;

static void again(struct blk_req *rq)
{
	ck_assert_int_eq(rq->status, 0);
	if (again_left && again_left--)
		ck_assert_int_eq(bd->submit(bd, rq), 0);
}

START_TEST(done_may_submit_again)
{
	uint8_t *p = pages(0);
	struct asked a;

	started();
	again_left = 1000;
	ask(&a, 0, 1, p);
	a.rq.done = again;
	ck_assert_int_eq(submit(&a), 0);
	host_time_advance(5 * NSEC_PER_MSEC);
	for (unsigned i = 0; i < 2000; i++)
		cpu_relax();
	ck_assert_uint_eq(again_left, 0);
	ck_assert_uint_eq(f.reads, 1001);
	page_free(p, 0);
	stop_clean();
}
END_TEST

/* ---- lies: RELIABILITY N8 ---- */

START_TEST(completions_that_lie_are_counted_and_answer_nothing)
{
	uint8_t *p = pages(1);
	struct asked a[4];
	uint64_t want = 0;

	started();
	switch (_i) {
	case 0: f.wrong_cid = 4; want = 8; break;
	case 1: f.wrong_sqid = 4; want = 4; break;
	case 2: f.duplicate = 4; want = 4; break;
	case 3: f.stale_phase = 4; want = 0; break;
	case 4: f.wrong_sqhd = 4; want = 4; break;
	}
	for (unsigned i = 0; i < 4; i++) {
		ask(&a[i], i, 1, p + 512 * i);
		ck_assert_int_eq(submit(&a[i]), 0);
	}
	settle();
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(a[i].answers, 1);
		ck_assert_int_eq(a[i].rq.status, 0);
	}
	expect_bytes(p, 0, 2048);
	ck_assert_uint_eq(lies(), want);
	ck_assert_uint_eq(host_logged("answers no command of ours"), want > 0);
	page_free(p, 1);
	read_one_block();
	stop_clean();
}
END_TEST

START_TEST(a_late_duplicate_does_not_answer_the_slots_next_request)
{
	struct nvme_cqe old;
	uint8_t *p = pages(0);
	struct asked a;

	started();
	ask(&a, 0, 1, p);
	ck_assert_int_eq(submit(&a), 0);
	settle();
	old = f.last_cqe;
	f.latency = NSEC_PER_MSEC;
	ask(&a, 1, 1, p);
	ck_assert_int_eq(submit(&a), 0);	/* the same slot */
	old.dw3 |= NVME_CQE_P;
	ck_assert(host_dma_write(f.pci.bdf, f.cq[1].base + 16 * f.cq[1].tail,
				 &old, sizeof(old)));
	f.cq[1].tail++;
	fake_pci_fire(&f.pci, f.cq[1].iv);
	settle();
	ck_assert_uint_eq(a.answers, 0);
	ck_assert_uint_eq(lies(), 1);
	host_time_advance(2 * NSEC_PER_MSEC);
	ck_assert_uint_eq(a.answers, 1);
	expect_bytes(p, 512, 512);
	page_free(p, 0);
	stop_clean();
}
END_TEST

/*
 * Rubbish in the completion queue while commands are in flight: whatever it
 * is, every request is answered exactly once, in the end by recovery.
 */
START_TEST(random_completions_never_answer_twice)
{
	static struct asked a[32];
	uint8_t *p = pages(5);

	started();
	srand(_i);
	for (unsigned round = 0; round < 10; round++) {
		f.latency = NSEC_PER_MSEC;
		for (unsigned i = 0; i < 32; i++) {
			ask(&a[i], i, 1, p + i * PAGE_SIZE);
			ck_assert_int_eq(submit(&a[i]), 0);
		}
		for (unsigned i = 0; i < 12; i++) {
			struct nvme_cqe cqe = {
				.dw2 = rand() & 0x0003007f,
				.dw3 = (rand() & 0x3f) | (rand() & 0x3f) << 8 |
				       (c->io[0].phase ? NVME_CQE_P : 0),
			};
			struct fnvme_cq *cq = &f.cq[1];

			host_dma_write(f.pci.bdf, cq->base + 16 * cq->tail,
				       &cqe, sizeof(cqe));
			if (++cq->tail == cq->size) {
				cq->tail = 0;
				cq->phase = !cq->phase;
			}
			fake_pci_fire(&f.pci, cq->iv);
		}
		for (unsigned i = 0; i < 2000; i++)
			cpu_relax();
		for (unsigned i = 0; i < 32; i++)
			wait_for(&a[i], 30 * SECOND);
	}
	page_free(p, 5);
	stop();
}
END_TEST

/* ---- interrupts that do not come: N2 ---- */

START_TEST(a_missed_interrupt_is_found_by_looking)
{
	uint8_t *p = pages(0);
	struct asked a;

	started();
	for (unsigned round = 0; round < 3; round++) {
		f.silent = 1;
		ask(&a, 9, 1, p);
		ck_assert_int_eq(submit(&a), 0);
		wait_for(&a, SECOND);		/* RELIABILITY I5 */
		ck_assert_int_eq(a.rq.status, 0);
		expect_bytes(p, 9 * 512, 512);
		ck_assert_uint_eq(c->resets, 0);
	}
	ck_assert_uint_eq(c->io[0].missed, 3);
	ck_assert(host_logged("interrupt lost, found by looking"));
	page_free(p, 0);
	stop_clean();
}
END_TEST

START_TEST(the_watchdog_rests_when_nothing_is_in_flight)
{
	started();
	ck_assert(!c->watching);
	read_one_block();
	ck_assert(c->watching);
	thread_sleep(2 * SECOND);
	ck_assert(!c->watching);
	ck_assert_uint_eq(c->epoch, 1);
	thread_sleep(60 * SECOND);
	ck_assert_uint_eq(c->epoch, 1);
	stop_clean();
}
END_TEST

START_TEST(a_slow_command_is_not_an_error)
{
	uint8_t *p = pages(0);
	struct asked a;

	started();
	f.latency = 4 * SECOND;
	ask(&a, 0, 1, p);
	ck_assert_int_eq(submit(&a), 0);
	wait_for(&a, 10 * SECOND);
	ck_assert_int_eq(a.rq.status, 0);
	ck_assert_uint_eq(c->resets, 0);
	page_free(p, 0);
	stop_clean();
}
END_TEST

/* ---- time-outs and recovery: N1, N3, N4 ---- */

START_TEST(an_overdue_command_resets_the_controller_and_io_works_after)
{
	uint8_t *p = pages(1);
	struct asked a, young;
	nsec_t before;

	started();
	for (unsigned round = 0; round < 4; round++) {
		f.swallow = 1;
		ask(&a, 0, 1, p);
		before = time_now();
		ck_assert_int_eq(submit(&a), 0);
		thread_sleep(4 * SECOND);
		f.latency = 30 * SECOND;
		host_run_as(2);
		ask(&young, 1, 1, p + 512);
		ck_assert_int_eq(submit(&young), 0);
		wait_for(&a, 10 * SECOND);
		wait_for(&young, SECOND);
		ck_assert_int_eq(a.rq.status, -ETIMEDOUT);
		ck_assert_int_eq(young.rq.status, -ECANCELED);
		ck_assert_uint_ge(time_now() - before, 5 * SECOND);
		ck_assert_uint_le(time_now() - before, 7 * SECOND);
		f.latency = 0;
		thread_sleep(SECOND);
		ck_assert_uint_eq(c->state, NVME_LIVE);
		host_run_as(round % 4);
		read_one_block();
	}
	ck_assert_uint_eq(c->resets, 4);
	page_free(p, 1);
	stop_clean();
}
END_TEST

START_TEST(the_answer_of_a_reset_command_is_not_believed_later)
{
	uint8_t *p = pages(0);
	struct asked a;

	started();
	f.latency = 8 * SECOND;			/* reset drops it */
	ask(&a, 0, 1, p);
	ck_assert_int_eq(submit(&a), 0);
	wait_for(&a, 10 * SECOND);
	ck_assert_int_eq(a.rq.status, -ETIMEDOUT);
	thread_sleep(10 * SECOND);
	ck_assert_uint_eq(a.answers, 1);
	ck_assert_uint_eq(p[0], 0xee);
	f.latency = 0;
	read_one_block();
	page_free(p, 0);
	stop_clean();
}
END_TEST

static struct asked second;
static int second_err;

static void answered_and_asks(struct blk_req *rq)
{
	answered(rq);
	ck_assert_uint_eq(c->state, NVME_RESETTING);
	second_err = submit(&second);
}

START_TEST(while_resetting_requests_are_told_to_wait)
{
	uint8_t *p = pages(0);
	struct asked a;

	started();
	f.swallow = 1;
	ask(&a, 0, 1, p);
	ask(&second, 7, 1, p);
	a.rq.done = answered_and_asks;
	ck_assert_int_eq(submit(&a), 0);
	wait_for(&a, 10 * SECOND);
	ck_assert_int_eq(second_err, -EAGAIN);
	thread_sleep(SECOND);
	ck_assert_uint_eq(second.answers, 0);
	ck_assert_int_eq(submit(&second), 0);
	settle();
	ck_assert_int_eq(second.rq.status, 0);
	page_free(p, 0);
	stop_clean();
}
END_TEST

static void expect_dead(void)
{
	uint8_t *p = pages(0);

	thread_sleep(20 * SECOND);
	ck_assert_uint_eq(c->state, NVME_DEAD);
	ck_assert(host_logged("given up"));
	ck_assert(!(f.pci.config[4] & 4));	/* cut off the bus */
	ck_assert_int_eq(blk_read(bd, 0, p, 512), -ENODEV);
	page_free(p, 0);
}

/* The ways in which a reset fails; each ends in a dead device and answers. */
START_TEST(a_reset_that_fails_leaves_a_dead_device_and_no_request)
{
	static struct asked a[8];
	uint8_t *p = pages(3);

	started();
	f.swallow = 8;
	for (unsigned i = 0; i < 8; i++) {
		host_run_as(i % 4);
		ask(&a[i], i, 1, p + i * PAGE_SIZE);
		ck_assert_int_eq(submit(&a[i]), 0);
	}
	switch (_i) {
	case 0: f.never_disabled = true; break;
	case 1: f.never_ready = true; break;
	case 2: f.fatal_on_enable = true; break;
	case 3: f.stuck_admin = NVME_ADMIN_SET_FEATURES; break;
	case 4: f.stuck_admin = NVME_ADMIN_CREATE_SQ; break;
	case 5: f.max_pairs = 1; break;		/* fewer than before */
	}
	for (unsigned i = 0; i < 8; i++) {
		wait_for(&a[i], 30 * SECOND);
		ck_assert_int_eq(a[i].rq.status, -ETIMEDOUT);
	}
	expect_dead();
	for (unsigned i = 0; i < 8; i++)
		ck_assert_uint_eq(a[i].answers, 1);
	page_free(p, 3);
	stop();
}
END_TEST

START_TEST(resets_that_do_not_help_are_not_repeated_for_ever)
{
	uint8_t *p = pages(0);
	struct asked a;

	started();
	f.swallow = 100;
	for (unsigned i = 0; i < NVME_RESETS; i++) {
		ask(&a, 0, 1, p);
		ck_assert_int_eq(submit(&a), 0);
		wait_for(&a, 10 * SECOND);
		ck_assert_int_eq(a.rq.status, -ETIMEDOUT);
		thread_sleep(SECOND);
	}
	ck_assert_uint_eq(c->resets, NVME_RESETS);
	expect_dead();
	page_free(p, 0);
	stop();
}
END_TEST

START_TEST(a_device_that_goes_away_is_noticed_and_all_is_answered)
{
	static struct asked a[16];
	uint8_t *p = pages(4);
	nsec_t before;

	started();
	f.latency = NSEC_PER_MSEC;
	for (unsigned i = 0; i < 16; i++) {
		host_run_as(i % 4);
		ask(&a[i], i, 1, p + i * PAGE_SIZE);
		ck_assert_int_eq(submit(&a[i]), 0);
	}
	f.pci.gone = _i == 0;
	f.reads_zero = _i == 1;
	before = time_now();
	for (unsigned i = 0; i < 16; i++) {
		wait_for(&a[i], 2 * SECOND);
		ck_assert_int_eq(a[i].rq.status, -ENODEV);
	}
	ck_assert_uint_le(time_now() - before, 2 * SECOND);
	thread_sleep(20 * SECOND);
	ck_assert_uint_eq(c->state, NVME_DEAD);
	page_free(p, 4);
	stop();
}
END_TEST

START_TEST(a_fatal_status_is_noticed_at_the_next_tick)
{
	static struct asked a[8];
	uint8_t *p = pages(3);

	started();
	f.latency = NSEC_PER_MSEC;
	for (unsigned i = 0; i < 8; i++) {
		ask(&a[i], i, 1, p + i * PAGE_SIZE);
		ck_assert_int_eq(submit(&a[i]), 0);
	}
	f.csts = NVME_CSTS_CFS;
	for (unsigned i = 0; i < 8; i++) {
		wait_for(&a[i], 2 * SECOND);
		ck_assert_int_eq(a[i].rq.status, -ECANCELED);
	}
	thread_sleep(SECOND);
	ck_assert_uint_eq(c->state, NVME_LIVE);
	read_one_block();
	page_free(p, 3);
	stop_clean();
}
END_TEST

static struct asked *overdue;
static bool asked_again;

/* What the watchdog does on another CPU, once the old requests are answered. */
static void ask_for_another_reset(void *ctx)
{
	if (asked_again || !overdue->answers || f.enables < 2)
		return;
	asked_again = true;
	WRITE_ONCE(c->want_reset, true);
	waitq_wake_all(&c->wq);
}

START_TEST(a_reset_asked_for_while_one_ends_is_not_forgotten)
{
	uint8_t *p = pages(0);
	struct asked a;

	started();
	ck_assert_uint_eq(f.enables, 1);
	f.swallow = 1;
	ask(&a, 0, 1, p);
	overdue = &a;
	asked_again = false;
	host_step_add(ask_for_another_reset, &a);
	ck_assert_int_eq(submit(&a), 0);
	wait_for(&a, 10 * SECOND);
	thread_sleep(2 * SECOND);
	host_step_remove(&a);
	ck_assert(asked_again);
	ck_assert_uint_eq(c->resets, 2);
	ck_assert_uint_eq(c->state, NVME_LIVE);
	read_one_block();
	page_free(p, 0);
	stop_clean();
}
END_TEST

START_TEST(stop_in_the_middle_of_a_recovery_ends)
{
	uint8_t *p = pages(0);
	struct asked a;

	started();
	f.swallow = 1;
	f.never_ready = true;
	ask(&a, 0, 1, p);
	ck_assert_int_eq(submit(&a), 0);
	wait_for(&a, 10 * SECOND);
	stop();
	ck_assert_uint_eq(a.answers, 1);
	page_free(p, 0);
}
END_TEST

/* ---- wrong DMA, and the whole path ---- */

START_TEST(a_bare_iova_reaches_the_device_as_it_is)
{
	uint8_t *p = pages(1);
	uint64_t maps;

	started();
	maps = pdev->dev.dma.maps;
	ck_assert_int_eq(nvme_read_iova(bd, 3, virt_to_phys(p + 1024)), 0);
	expect_bytes(p + 1024, 3 * 512, 512);
	ck_assert_uint_eq(p[1023], 0xee);
	ck_assert_uint_eq(p[1536], 0xee);
	ck_assert_uint_eq(pdev->dev.dma.maps, maps);
	ck_assert_int_eq(nvme_read_iova(bd, 3, UINT64_C(0x123400000000)), -EIO);
	read_one_block();
	page_free(p, 1);
	stop_clean();
}
END_TEST

static int check_chunk(void *arg, uint64_t off, const void *data, size_t len)
{
	expect_bytes(data, off, len);
	*(uint64_t *)arg += len;
	return 0;
}

START_TEST(a_scan_reads_the_disk_through_every_queue)
{
	struct blk_scan_stats st;
	uint64_t bytes = 0;

	started();
	f.latency = 10 * NSEC_PER_USEC;
	f.reverse = true;
	ck_assert_int_eq(blk_scan(bd, 65536, 8, check_chunk, &bytes, &st), 0);
	ck_assert_uint_eq(bytes, NBLOCKS * 512);
	ck_assert_uint_eq(st.bytes, NBLOCKS * 512);
	ck_assert_uint_ge(st.max_inflight, 6);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(f.per_queue[1 + i], 8);
		ck_assert_uint_ge(c->io[i].irqs, 1);
		ck_assert_uint_eq(c->io[i].irqs_elsewhere, 0);
	}
	stop_clean();
}
END_TEST

START_TEST(the_report_names_controller_and_queues)
{
	started();
	read_one_block();
	nvme_report(c);
	ck_assert_ptr_nonnull(strstr(host_console(),
		"@json {\"event\":\"nvme\",\"name\":\"nvme0\""));
	ck_assert_ptr_nonnull(strstr(host_console(), "\"queue\":4,\"cpu\":3"));
	stop_clean();
}
END_TEST

static void add_start_tests(TCase *tc)
{
	tcase_add_test(tc, start_finds_controller_and_namespace);
	tcase_add_test(tc, start_makes_a_queue_per_cpu_with_its_vector);
	tcase_add_test(tc, start_takes_fewer_queues_when_vectors_are_few);
	tcase_add_test(tc, start_takes_as_many_queues_as_are_granted);
	tcase_add_test(tc, one_vector_serves_all);
	tcase_add_test(tc, intx_serves_where_there_is_no_msi);
	tcase_add_test(tc, start_waits_for_a_slow_controller);
	tcase_add_loop_test(tc, start_times_out_and_frees_rings, 0, 3);
	tcase_add_test(tc, start_gives_up_when_it_cannot_be_disabled);
	tcase_add_test(tc, start_resets_a_controller_that_firmware_left_on);
	tcase_add_test(tc, start_reports_a_fatal_status);
	tcase_add_test(tc, start_refuses_a_device_that_is_gone);
	tcase_add_loop_test(tc,
		start_ends_when_an_admin_command_is_never_answered, 0, 4);
	tcase_add_test(tc,
		       memory_of_an_unanswered_admin_command_is_kept_until_it_is_off);
	tcase_add_loop_test(tc, start_ends_when_an_admin_command_fails, 0, 4);
	tcase_add_loop_test(tc, register_lies_are_refused_or_harmless, 0, 13);
	tcase_add_test(tc, every_allocation_failure_unwinds);
	tcase_add_test(tc, a_device_can_be_stopped_and_started_again);
	tcase_add_test(tc, several_namespaces_are_found);
	tcase_add_test(tc, a_namespace_with_metadata_is_refused_clearly);
	tcase_add_test(tc, odd_block_sizes_are_refused);
	tcase_add_test(tc, an_empty_namespace_is_a_device_of_no_blocks);
	tcase_add_test(tc, more_namespaces_than_we_take_are_said);
	tcase_add_test(tc, before_version_1_1_ids_are_tried_one_by_one);
	tcase_add_test(tc, stop_announces_the_shutdown);
	tcase_add_test(tc, stop_ends_although_the_shutdown_does_not);
	tcase_add_test(tc, stop_answers_what_is_in_flight);
	tcase_add_test(tc, stop_of_a_device_that_is_gone_ends);
}

static void add_io_tests(TCase *tc)
{
	tcase_add_loop_test(tc, reads_of_any_size_and_start_are_right, 0, 4);
	tcase_add_test(tc,
		the_largest_request_at_the_worst_start_fits_its_list);
	tcase_add_loop_test(tc, scattered_reads_touch_nothing_else, 0, 4);
	tcase_add_test(tc, what_is_written_is_read_back);
	tcase_add_test(tc, flush_goes_through);
	tcase_add_loop_test(tc,
		requests_that_make_no_sense_are_answered_with_an_error, 0, 10);
	tcase_add_loop_test(tc, status_becomes_errno, 0, 16);
	tcase_add_test(tc, beyond_the_last_block_is_the_devices_word);
	tcase_add_test(tc,
		each_cpu_submits_to_its_queue_and_is_interrupted_itself);
	tcase_add_test(tc, a_full_queue_says_so_and_takes_nothing);
	tcase_add_test(tc, a_batch_costs_one_doorbell_and_one_interrupt_round);
	tcase_add_test(tc, a_batch_longer_than_the_queue_is_taken_in_part);
	tcase_add_test(tc, answers_in_any_order_find_their_requests);
	tcase_add_test(tc, done_may_submit_again);
	tcase_add_test(tc, a_bare_iova_reaches_the_device_as_it_is);
	tcase_add_test(tc, a_scan_reads_the_disk_through_every_queue);
	tcase_add_test(tc, the_report_names_controller_and_queues);
}

static void add_fault_tests(TCase *tc)
{
	tcase_add_loop_test(tc,
		completions_that_lie_are_counted_and_answer_nothing, 0, 5);
	tcase_add_test(tc,
		a_late_duplicate_does_not_answer_the_slots_next_request);
	tcase_add_loop_test(tc, random_completions_never_answer_twice, 0, 4);
	tcase_add_test(tc, a_missed_interrupt_is_found_by_looking);
	tcase_add_test(tc, the_watchdog_rests_when_nothing_is_in_flight);
	tcase_add_test(tc, a_slow_command_is_not_an_error);
	tcase_add_test(tc,
		an_overdue_command_resets_the_controller_and_io_works_after);
	tcase_add_test(tc,
		the_answer_of_a_reset_command_is_not_believed_later);
	tcase_add_test(tc, while_resetting_requests_are_told_to_wait);
	tcase_add_loop_test(tc,
		a_reset_that_fails_leaves_a_dead_device_and_no_request, 0, 6);
	tcase_add_test(tc, resets_that_do_not_help_are_not_repeated_for_ever);
	tcase_add_loop_test(tc,
		a_device_that_goes_away_is_noticed_and_all_is_answered, 0, 2);
	tcase_add_test(tc, a_fatal_status_is_noticed_at_the_next_tick);
	tcase_add_test(tc, a_reset_asked_for_while_one_ends_is_not_forgotten);
	tcase_add_test(tc, stop_in_the_middle_of_a_recovery_ends);
}

int main(void)
{
	add_start_tests(suite_group("start", setup, teardown, 120));
	add_io_tests(suite_group("io", setup, teardown, 120));
	add_fault_tests(suite_group("faults", setup, teardown, 120));
	return suite_run("nvme");
}
