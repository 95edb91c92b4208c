/* SPDX-License-Identifier: MIT */
/*
 * blk/blk.c, blk/scan.c and blk/cmd_disk.c over a disk in memory that answers
 * in its own time.
 */
#include <check.h>
#include <string.h>

#include "blk/blk.h"
#include "core/device.h"
#include "core/monitor.h"
#include "core/page.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

#define BLOCKS		1000u
#define BS		512u
#define QUEUE		16

static struct device dev = { .name = "00:07.0" };
static struct blk_dev bd;
static uint8_t image[BLOCKS * 4096];

static struct {
	struct blk_req *rq[QUEUE];
	nsec_t due[QUEUE];
	unsigned n, max, room;
	nsec_t latency, jitter;		/* jitter: more for later requests */
	unsigned requests, batches, per_cpu[8];
	unsigned fail_at;		/* the n-th request fails, 0: none */
	int gone;			/* what submit says instead */
	bool reverse;
} q;

static void mem_finish(unsigned i)
{
	struct blk_req *rq = q.rq[i];
	uint8_t *p = image + rq->lba * bd.block_size;

	for (unsigned k = i + 1; k < q.n; k++) {
		q.rq[k - 1] = q.rq[k];
		q.due[k - 1] = q.due[k];
	}
	q.n--;
	if (!rq->status) {
		for (unsigned k = 0; k < rq->nvec; k++) {
			memcpy(rq->vec[k].addr, p, rq->vec[k].len);
			p += rq->vec[k].len;
		}
	}
	rq->done(rq);
}

static void mem_step(void *ctx)
{
	for (unsigned i = 0; i < q.n; ) {
		unsigned k = q.reverse ? q.n - 1 - i : i;

		if (q.due[k] <= time_now())
			mem_finish(k);
		else
			i++;
	}
}

static int mem_submit_batch(struct blk_dev *b, struct blk_req *const *rq,
			    unsigned n)
{
	unsigned i;

	if (q.gone)
		return q.gone;
	q.batches++;
	for (i = 0; i < n && q.n < q.room; i++) {
		size_t len = 0;

		for (unsigned k = 0; k < rq[i]->nvec; k++)
			len += rq[i]->vec[k].len;
		ck_assert_uint_eq(len, (size_t)rq[i]->blocks * b->block_size);
		ck_assert_uint_le(rq[i]->blocks, b->max_blocks);
		ck_assert_uint_le(rq[i]->lba + rq[i]->blocks, b->blocks);
		ck_assert_uint_eq((uintptr_t)rq[i]->vec[0].addr % 4, 0);
		q.requests++;
		q.per_cpu[cpu_id() % 8]++;
		rq[i]->status = q.requests == q.fail_at ? -EIO : 0;
		q.due[q.n] = time_now() + q.latency + q.requests * q.jitter;
		q.rq[q.n++] = rq[i];
		q.max = MAX(q.max, q.n);
	}
	return i ? (int)i : -EAGAIN;
}

static int mem_submit(struct blk_dev *b, struct blk_req *rq)
{
	int n = mem_submit_batch(b, &rq, 1);

	return n < 0 ? n : 0;
}

static void setup(void)
{
	host_start();
	host_set_cpus(4);
	for (unsigned i = 0; i < sizeof(image); i++)
		image[i] = (i >> 9) * 7 + i;
	memset(&q, 0, sizeof(q));
	q.room = QUEUE;
	q.latency = 20 * NSEC_PER_USEC;
	bd = (struct blk_dev){
		.name = "mem0", .dev = &dev, .block_size = BS,
		.blocks = BLOCKS, .max_blocks = 16, .submit = mem_submit,
		.submit_batch = mem_submit_batch,
	};
	ck_assert_int_eq(blk_register(&bd), 0);
	host_step_add(mem_step, &q);
}

static void teardown(void)
{
	blk_unregister(&bd);
	host_finish();
}

/* Pages between two that must stay as they are. */
static uint8_t *guarded(unsigned order)
{
	uint8_t *p = page_alloc(order + 1);

	ck_assert_ptr_nonnull(p);
	memset(p, 0xee, PAGE_SIZE << (order + 1));
	return p;
}

/* ---- the registry ---- */

START_TEST(devices_are_found_by_name_and_by_number)
{
	struct blk_dev other = bd;

	strcpy(other.name, "mem1");
	ck_assert_int_eq(blk_register(&other), 0);
	ck_assert_ptr_eq(blk_get(0), &bd);
	ck_assert_ptr_eq(blk_get(1), &other);
	ck_assert_ptr_null(blk_get(2));
	ck_assert_ptr_eq(blk_find("mem1"), &other);
	ck_assert_ptr_null(blk_find("mem"));
	blk_unregister(&other);
	ck_assert_ptr_null(blk_find("mem1"));
}
END_TEST

START_TEST(a_device_that_makes_no_sense_is_refused)
{
	struct blk_dev other = bd;

	ck_assert_int_eq(blk_register(&other), -EINVAL);	/* same name */
	strcpy(other.name, "mem1");
	other.block_size = 768;
	ck_assert_int_eq(blk_register(&other), -EINVAL);
	other.block_size = 256;
	ck_assert_int_eq(blk_register(&other), -EINVAL);
	other.block_size = BS;
	other.max_blocks = 0;
	ck_assert_int_eq(blk_register(&other), -EINVAL);
}
END_TEST

/* ---- reading ---- */

START_TEST(one_block_is_read)
{
	uint8_t *p = guarded(0);

	ck_assert_int_eq(blk_read(&bd, 5, p + 1024, BS), 0);
	ck_assert_mem_eq(p + 1024, image + 5 * BS, BS);
	ck_assert_uint_eq(p[1023], 0xee);
	ck_assert_uint_eq(p[1024 + BS], 0xee);
	ck_assert_uint_eq(q.requests, 1);
	page_free(p, 1);
}
END_TEST

START_TEST(a_long_read_is_split_with_several_in_flight)
{
	uint8_t *p = guarded(6);

	ck_assert_int_eq(blk_read(&bd, 3, p + 512, 331 * BS), 0);
	ck_assert_mem_eq(p + 512, image + 3 * BS, 331 * BS);
	ck_assert_uint_eq(p[511], 0xee);
	ck_assert_uint_eq(p[512 + 331 * BS], 0xee);
	ck_assert_uint_eq(q.requests, 21);
	ck_assert_uint_ge(q.max, 6);
	ck_assert_uint_le(q.max, 8);
	page_free(p, 7);
}
END_TEST

START_TEST(answers_may_come_in_any_order)
{
	uint8_t *p = guarded(6);

	q.reverse = true;
	ck_assert_int_eq(blk_read(&bd, 0, p, 500 * BS), 0);
	ck_assert_mem_eq(p, image, 500 * BS);
	page_free(p, 7);
}
END_TEST

START_TEST(a_buffer_at_an_odd_address_is_bounced)
{
	uint8_t *p = guarded(6);

	for (unsigned odd = 1; odd < 4; odd++) {
		ck_assert_int_eq(blk_read(&bd, 1, p + odd, 300 * BS), 0);
		ck_assert_mem_eq(p + odd, image + BS, 300 * BS);
		ck_assert_uint_eq(p[odd + 300 * BS], 0xee);
	}
	page_free(p, 7);
}
END_TEST

START_TEST(reads_beyond_the_end_are_refused)
{
	uint8_t *p = guarded(0);

	ck_assert_int_eq(blk_read(&bd, BLOCKS, p, BS), -ERANGE);
	ck_assert_int_eq(blk_read(&bd, BLOCKS - 1, p, 2 * BS), -ERANGE);
	ck_assert_int_eq(blk_read(&bd, UINT64_MAX, p, 2 * BS), -ERANGE);
	ck_assert_int_eq(blk_read(&bd, 0, p, BS + 1), -EINVAL);
	ck_assert_int_eq(blk_read(&bd, 0, p, 0), 0);
	ck_assert_int_eq(blk_read(&bd, BLOCKS - 1, p, BS), 0);
	ck_assert_uint_eq(q.requests, 1);
	page_free(p, 1);
}
END_TEST

START_TEST(a_failing_request_fails_the_read_and_all_come_back)
{
	uint8_t *p = guarded(6);

	q.fail_at = 1 + _i;
	ck_assert_int_eq(blk_read(&bd, 0, p, 300 * BS), -EIO);
	ck_assert_uint_eq(q.n, 0);
	page_free(p, 7);
}
END_TEST

START_TEST(a_full_queue_is_waited_for)
{
	uint8_t *p = guarded(6);

	q.room = 2;
	ck_assert_int_eq(blk_read(&bd, 0, p, 300 * BS), 0);
	ck_assert_mem_eq(p, image, 300 * BS);
	ck_assert_uint_eq(q.max, 2);
	page_free(p, 7);
}
END_TEST

START_TEST(a_device_that_is_gone_says_so)
{
	uint8_t *p = guarded(0);

	q.gone = -ENODEV;
	ck_assert_int_eq(blk_read(&bd, 0, p, 8 * BS), -ENODEV);
	page_free(p, 1);
}
END_TEST

START_TEST(a_queue_full_for_ever_ends_in_an_error)
{
	uint8_t *p = guarded(0);

	q.gone = -EAGAIN;
	ck_assert_int_eq(blk_read(&bd, 0, p, BS), -EAGAIN);
	ck_assert_uint_ge(time_now(), BLK_DEADLINE);
	page_free(p, 1);
}
END_TEST

START_TEST(a_read_without_memory_fails_cleanly)
{
	uint8_t *p = guarded(0);

	host_fail_alloc(1);
	ck_assert_int_eq(blk_read(&bd, 0, p, BS), -ENOMEM);
	host_fail_alloc(1);
	ck_assert_int_eq(blk_read(&bd, 0, p + 1, BS), -ENOMEM);
	host_fail_alloc(2);
	ck_assert_int_eq(blk_read(&bd, 0, p + 1, BS), -ENOMEM);
	page_free(p, 1);
}
END_TEST

/* ---- scanning ---- */

struct seen {
	uint64_t next;
	unsigned calls, stop_after;
	int stop_with;
};

static int see(void *arg, uint64_t off, const void *data, size_t len)
{
	struct seen *s = arg;

	ck_assert_uint_eq(off, s->next);
	ck_assert_uint_le(off + len, bd.blocks * bd.block_size);
	ck_assert_mem_eq(data, image + off, len);
	s->next = off + len;
	if (++s->calls == s->stop_after)
		return s->stop_with;
	return 0;
}

START_TEST(a_scan_sees_every_byte_once_and_in_order)
{
	static const struct { size_t chunk; unsigned depth; } how[] = {
		{ 512, 1 }, { 4096, 1 }, { 4096, 3 }, { 8192, 4 },
		{ 65536, 8 }, { MIB(4), 2 }, { 512 * 7, 32 },
	};
	struct blk_scan_stats st;
	struct seen s = { 0 };

	ck_assert_int_eq(blk_scan(&bd, how[_i].chunk, how[_i].depth, see, &s,
				  &st), 0);
	ck_assert_uint_eq(s.next, BLOCKS * BS);
	ck_assert_uint_eq(st.bytes, BLOCKS * BS);
	ck_assert_uint_eq(st.requests, q.requests);
	ck_assert_uint_gt(st.ns, 0);
	ck_assert_uint_ge(st.max_inflight, 1);
}
END_TEST

START_TEST(a_scan_uses_every_cpu)
{
	struct blk_scan_stats st;
	struct seen s = { 0 };

	ck_assert_int_eq(blk_scan(&bd, 8192, 8, see, &s, &st), 0);
	for (unsigned cpu = 0; cpu < 4; cpu++)
		ck_assert_uint_ge(q.per_cpu[cpu], 15);
	ck_assert_uint_ge(st.max_inflight, 6);
	ck_assert_uint_le(st.max_inflight, 8);
	ck_assert_uint_eq(st.max_inflight, q.max);
}
END_TEST

START_TEST(a_scan_of_an_empty_device_is_nothing_and_success)
{
	struct blk_scan_stats st = { .bytes = 5 };
	struct seen s = { 0 };

	bd.blocks = 0;
	ck_assert_int_eq(blk_scan(&bd, 4096, 4, see, &s, &st), 0);
	ck_assert_uint_eq(st.bytes, 0);
	ck_assert_uint_eq(s.calls, 0);
}
END_TEST

START_TEST(a_scan_of_one_block_works)
{
	struct blk_scan_stats st;
	struct seen s = { 0 };

	bd.blocks = 1;
	ck_assert_int_eq(blk_scan(&bd, MIB(1), 8, see, &s, &st), 0);
	ck_assert_uint_eq(st.bytes, BS);
	ck_assert_uint_eq(s.calls, 1);
}
END_TEST

START_TEST(a_scan_with_large_blocks_works)
{
	struct seen s = { 0 };

	bd.block_size = 4096;
	ck_assert_int_eq(blk_scan(&bd, MIB(1), 3, see, &s, NULL), 0);
	ck_assert_uint_eq(s.next, BLOCKS * 4096);
}
END_TEST

START_TEST(a_scan_ends_when_its_reader_says_so)
{
	struct blk_scan_stats st;
	struct seen s = { .stop_after = 1 + _i, .stop_with = 42 };

	q.jitter = 30 * NSEC_PER_USEC;
	ck_assert_int_eq(blk_scan(&bd, 4096, 8, see, &s, &st), 42);
	ck_assert_uint_eq(s.calls, 1 + _i);
	ck_assert_uint_eq(st.bytes, 4096 * _i);
	ck_assert_uint_eq(q.n, 0);
}
END_TEST

START_TEST(a_scan_ends_at_an_error_with_nothing_in_flight)
{
	struct blk_scan_stats st;
	struct seen s = { 0 };

	q.jitter = 30 * NSEC_PER_USEC;
	q.fail_at = 1 + 3 * _i;
	ck_assert_int_eq(blk_scan(&bd, 16384, 8, see, &s, &st), -EIO);
	ck_assert_uint_lt(st.bytes, BLOCKS * BS);
	ck_assert_uint_eq(q.n, 0);
}
END_TEST

START_TEST(a_scan_of_a_full_or_gone_device_ends)
{
	struct blk_scan_stats st;
	struct seen s = { 0 };

	q.room = 1;
	ck_assert_int_eq(blk_scan(&bd, 16384, 8, see, &s, &st), 0);
	ck_assert_uint_eq(s.next, BLOCKS * BS);
	q.gone = -ENODEV;
	ck_assert_int_eq(blk_scan(&bd, 16384, 8, see, &s, &st), -ENODEV);
}
END_TEST

START_TEST(nonsense_for_a_scan_is_refused)
{
	struct seen s = { 0 };

	ck_assert_int_eq(blk_scan(&bd, 0, 1, see, &s, NULL), -EINVAL);
	ck_assert_int_eq(blk_scan(&bd, 700, 1, see, &s, NULL), -EINVAL);
	ck_assert_int_eq(blk_scan(&bd, MIB(8), 1, see, &s, NULL), -EINVAL);
	ck_assert_int_eq(blk_scan(&bd, 4096, 0, see, &s, NULL), -EINVAL);
	ck_assert_int_eq(blk_scan(&bd, 4096, 33, see, &s, NULL), -EINVAL);
}
END_TEST

START_TEST(a_scan_unwinds_from_every_allocation_failure)
{
	struct seen s = { 0 };
	unsigned n;
	int err;

	for (n = 1; n < 100; n++) {
		host_fail_alloc(n);
		s.next = s.calls = 0;
		err = blk_scan(&bd, 16384, 3, see, &s, NULL);
		if (!host_alloc_failed())
			break;
		ck_assert_int_eq(err, -ENOMEM);
		ck_assert_uint_eq(q.n, 0);
	}
	host_fail_alloc(0);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_gt(n, 10);
}
END_TEST

/* ---- the monitor's command ---- */

static bool disk_says(const char *command, const char *text)
{
	char line[64];

	strcpy(line, command);
	host_console_clear();
	ck_assert_int_eq(monitor_exec(line), 0);
	return strstr(host_console(), text);
}

START_TEST(the_disk_command_lists_all_or_the_one_that_is_named)
{
	struct blk_dev other = bd;

	strcpy(other.name, "mem1");
	ck_assert_int_eq(blk_register(&other), 0);
	disk_list();
	ck_assert(disk_says("disk", "mem0"));
	ck_assert(strstr(host_console(), "mem1"));
	ck_assert(disk_says("disk mem1", "mem1"));
	ck_assert(!strstr(host_console(), "mem0"));
	blk_unregister(&other);
}
END_TEST

START_TEST(a_small_disk_is_not_said_to_be_of_0_mib)
{
	disk_list();
	ck_assert(strstr(host_console(), "1000 blocks of 512 bytes, 500 KiB"));
	ck_assert(!strstr(host_console(), " 0 "));
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("blk", setup, teardown, 60);

	tcase_add_test(tc, devices_are_found_by_name_and_by_number);
	tcase_add_test(tc, a_device_that_makes_no_sense_is_refused);
	tcase_add_test(tc, one_block_is_read);
	tcase_add_test(tc, a_long_read_is_split_with_several_in_flight);
	tcase_add_test(tc, answers_may_come_in_any_order);
	tcase_add_test(tc, a_buffer_at_an_odd_address_is_bounced);
	tcase_add_test(tc, reads_beyond_the_end_are_refused);
	tcase_add_loop_test(tc, a_failing_request_fails_the_read_and_all_come_back,
			    0, 19);
	tcase_add_test(tc, a_full_queue_is_waited_for);
	tcase_add_test(tc, a_device_that_is_gone_says_so);
	tcase_add_test(tc, a_queue_full_for_ever_ends_in_an_error);
	tcase_add_test(tc, a_read_without_memory_fails_cleanly);
	tcase_add_loop_test(tc, a_scan_sees_every_byte_once_and_in_order, 0, 7);
	tcase_add_test(tc, a_scan_uses_every_cpu);
	tcase_add_test(tc, a_scan_of_an_empty_device_is_nothing_and_success);
	tcase_add_test(tc, a_scan_of_one_block_works);
	tcase_add_test(tc, a_scan_with_large_blocks_works);
	tcase_add_loop_test(tc, a_scan_ends_when_its_reader_says_so, 0, 10);
	tcase_add_loop_test(tc, a_scan_ends_at_an_error_with_nothing_in_flight,
			    0, 10);
	tcase_add_test(tc, a_scan_of_a_full_or_gone_device_ends);
	tcase_add_test(tc, nonsense_for_a_scan_is_refused);
	tcase_add_test(tc, a_scan_unwinds_from_every_allocation_failure);
	tcase_add_test(tc, the_disk_command_lists_all_or_the_one_that_is_named);
	tcase_add_test(tc, a_small_disk_is_not_said_to_be_of_0_mib);
	return suite_run("blk");
}
