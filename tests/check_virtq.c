/* SPDX-License-Identifier: MIT */
/*
 * virt/virtq.c against the device's half of a split queue (tests/fake/
 * virtio.c), which knows nothing of it but the specification. The device is
 * driven by hand here: no registers, only the ring.
 */
#include <check.h>
#include <stdlib.h>

#include "core/dma.h"
#include "core/errno.h"
#include "core/heap.h"
#include "core/page.h"
#include "tests/fake/virtio.h"
#include "tests/host/suite.h"
#include "virt/virtio.h"

static struct fake_virtio dev;
static struct virtq q;
static void *ring;
static unsigned doorbells;

static void doorbell(void *ctx, size_t off, unsigned width, uint64_t val)
{
	ck_assert_uint_eq(width, 2);
	ck_assert_uint_eq(val, q.index);
	doorbells++;
}

static const struct host_mmio_ops doorbell_ops = { .write = doorbell };

static void queue_end(void)
{
	virtq_fini(&q);
	page_free(ring, 10);
	ring = NULL;
}

/* A queue of this size on both sides, as the transport would set it up. */
static void queue(uint16_t size)
{
	struct fake_virtio_queue *dq = &dev.q[0];
	size_t desc, avail, used;

	if (ring)
		queue_end();
	ring = page_alloc_zero(10);
	ck_assert_ptr_nonnull(ring);
	ck_assert_uint_le(virtq_bytes(size), MIB(4));
	ck_assert_int_eq(virtq_init(&q, size, ring), 0);
	fake_virtio_init(&dev, PCI_BDF(0, 3, 0), 1, 0, 1, 0);
	virtq_layout(size, &desc, &avail, &used);
	dev.status = VIRTIO_STATUS_DRIVER_OK;
	dq->size = size;
	dq->enable = 1;
	dq->desc = virt_to_phys(ring) + desc;
	dq->avail = virt_to_phys(ring) + avail;
	dq->used = virt_to_phys(ring) + used;
	q.index = 7;
	host_mmio_remove(&doorbells);
	host_mmio_add(0xd0000000, 4096, &doorbell_ops, &doorbells);
	ck_assert_int_eq(io_map_mem(&q.notify, 0xd0000000, 2), 0);
	doorbells = 0;
}

static void setup(void)
{
	host_start();
	ring = NULL;
	queue(8);
}

static void teardown(void)
{
	queue_end();
	host_finish();
}

/* Tokens are numbers that are no pointers: nobody may look behind them. */
static void *tok(uintptr_t n)
{
	return (void *)(n + 1);
}

static int add(unsigned nread, unsigned nwrite, uintptr_t n)
{
	struct virtq_buf b[16];
	unsigned k = nread + nwrite;

	ck_assert_uint_le(k, 16);
	for (unsigned i = 0; i < k; i++)
		b[i] = (struct virtq_buf){ 0x1000 * (i + 1) + n, 64 + i,
					   i >= nread };
	return virtq_add(&q, b, k, tok(n));
}

static void expect_get(uintptr_t n, uint32_t len)
{
	uint32_t got = 12345;
	int err = 1;

	ck_assert_ptr_eq(virtq_get(&q, &got, &err), tok(n));
	ck_assert_int_eq(err, 0);
	ck_assert_uint_eq(got, len);
}

static void expect_none(int want)
{
	int err = 1;

	ck_assert_ptr_null(virtq_get(&q, NULL, &err));
	ck_assert_int_eq(err, want);
}

START_TEST(layout_is_aligned_and_parts_do_not_overlap)
{
	for (unsigned size = 1; size <= 32768; size *= 2) {
		size_t desc, avail, used;

		virtq_layout((uint16_t)size, &desc, &avail, &used);
		ck_assert_uint_eq(desc % 16, 0);
		ck_assert_uint_eq(avail % 2, 0);
		ck_assert_uint_eq(used % 4, 0);
		ck_assert_uint_ge(avail, desc + 16 * size);
		ck_assert_uint_ge(used, avail + 6 + 2 * size);
		ck_assert_uint_ge(virtq_bytes((uint16_t)size),
				  used + 6 + 8 * size);
	}
}
END_TEST

START_TEST(init_refuses_sizes_that_are_no_power_of_two)
{
	static const uint16_t bad[] = { 0, 3, 255, 32769, 65535 };
	struct virtq other;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_int_eq(virtq_init(&other, bad[i], ring), -EINVAL);
}
END_TEST

START_TEST(init_without_memory_fails_and_leaks_nothing)
{
	struct virtq other;

	host_fail_alloc(1);
	ck_assert_int_eq(virtq_init(&other, 8, ring), -ENOMEM);
	ck_assert(host_alloc_failed());
	virtq_fini(&other);
}
END_TEST

START_TEST(a_chain_reaches_the_device_as_it_was_given)
{
	struct fake_chain c;

	ck_assert_int_eq(add(2, 3, 9), 0);
	virtq_kick(&q);
	ck_assert(fake_virtio_pop(&dev, 0, &c));
	ck_assert_uint_eq(c.nseg, 5);
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_uint_eq(c.seg[i].addr, 0x1000 * (i + 1) + 9);
		ck_assert_uint_eq(c.seg[i].len, 64 + i);
		ck_assert_int_eq(c.seg[i].device_writes, i >= 2);
	}
	ck_assert(!fake_virtio_pop(&dev, 0, &c));
}
END_TEST

START_TEST(nothing_is_visible_before_the_kick)
{
	struct fake_chain c;

	ck_assert_int_eq(add(1, 0, 0), 0);
	ck_assert_int_eq(add(1, 0, 1), 0);
	ck_assert(!fake_virtio_pop(&dev, 0, &c));
	virtq_kick(&q);
	ck_assert(fake_virtio_pop(&dev, 0, &c));
	ck_assert(fake_virtio_pop(&dev, 0, &c));
}
END_TEST

START_TEST(one_doorbell_carries_many_chains)
{
	virtq_kick(&q);
	ck_assert_uint_eq(doorbells, 0);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(add(1, 0, i), 0);
	virtq_kick(&q);
	ck_assert_uint_eq(doorbells, 1);
	virtq_kick(&q);
	ck_assert_uint_eq(doorbells, 1);
}
END_TEST

START_TEST(no_doorbell_when_the_device_asks_for_none)
{
	struct fake_chain c;

	q.used->flags = VIRTQ_USED_NO_NOTIFY;
	ck_assert_int_eq(add(1, 0, 0), 0);
	virtq_kick(&q);
	ck_assert_uint_eq(doorbells, 0);
	ck_assert(fake_virtio_pop(&dev, 0, &c));
}
END_TEST

START_TEST(senseless_chains_are_refused)
{
	struct virtq_buf writes_first[] = { { 0x1000, 8, true },
					    { 0x2000, 8, false } };
	struct virtq_buf empty = { 0x1000, 0, false };

	ck_assert_int_eq(virtq_add(&q, writes_first, 2, tok(0)), -EINVAL);
	ck_assert_int_eq(virtq_add(&q, &empty, 1, tok(0)), -EINVAL);
	ck_assert_int_eq(virtq_add(&q, writes_first, 0, tok(0)), -EINVAL);
	ck_assert_int_eq(virtq_add(&q, writes_first, 1, NULL), -EINVAL);
	ck_assert_int_eq(add(9, 0, 0), -EINVAL);	/* never fits 8 */
	ck_assert_uint_eq(q.nfree, 8);
}
END_TEST

START_TEST(a_full_queue_takes_nothing_and_recovers)
{
	struct fake_chain c;

	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(add(1, 1, i), 0);
	ck_assert_int_eq(add(1, 0, 9), -ENOSPC);
	virtq_kick(&q);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert(fake_virtio_pop(&dev, 0, &c));
		fake_virtio_push(&dev, 0, &c, i);
	}
	ck_assert(!fake_virtio_pop(&dev, 0, &c));
	for (unsigned i = 0; i < 4; i++)
		expect_get(i, i);
	expect_none(0);
	ck_assert_int_eq(add(8, 0, 5), 0);
	ck_assert_int_eq(add(1, 0, 6), -ENOSPC);
}
END_TEST

START_TEST(completions_in_any_order_find_their_tokens)
{
	struct fake_chain c[3];

	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(add(1, 1, i), 0);
	virtq_kick(&q);
	for (unsigned i = 0; i < 3; i++)
		ck_assert(fake_virtio_pop(&dev, 0, &c[i]));
	fake_virtio_push(&dev, 0, &c[2], 2);
	fake_virtio_push(&dev, 0, &c[0], 0);
	expect_get(2, 2);
	expect_get(0, 0);
	expect_none(0);
	fake_virtio_push(&dev, 0, &c[1], 1);
	expect_get(1, 1);
	ck_assert_uint_eq(q.nfree, 8);
}
END_TEST

START_TEST(indices_wrap_around_after_65536_chains)
{
	struct fake_chain c;

	for (unsigned i = 0; i < 70000; i++) {
		ck_assert_int_eq(add(1, 1, i), 0);
		virtq_kick(&q);
		ck_assert(fake_virtio_pop(&dev, 0, &c));
		fake_virtio_push(&dev, 0, &c, i % 64);
		expect_get(i, i % 64);
	}
	ck_assert_uint_eq(q.nfree, 8);
	ck_assert_uint_eq(doorbells, 70000);
}
END_TEST

START_TEST(the_largest_queue_fills_up_and_drains)
{
	struct fake_chain c;

	queue(32768);
	for (unsigned i = 0; i < 32768; i++)
		ck_assert_int_eq(add(1, 0, i), 0);
	ck_assert_int_eq(add(1, 0, 0), -ENOSPC);
	virtq_kick(&q);
	for (unsigned i = 0; i < 32768; i++) {
		ck_assert(fake_virtio_pop(&dev, 0, &c));
		fake_virtio_push(&dev, 0, &c, 0);
	}
	for (unsigned i = 0; i < 32768; i++)
		expect_get(i, 0);
	expect_none(0);
}
END_TEST

START_TEST(a_used_id_out_of_range_is_eproto_and_passed_over)
{
	struct fake_chain c;

	ck_assert_int_eq(add(1, 1, 3), 0);
	ck_assert_int_eq(add(1, 1, 4), 0);
	virtq_kick(&q);
	ck_assert(fake_virtio_pop(&dev, 0, &c));
	fake_virtio_push_id(&dev, 0, 8, 0);
	expect_none(-EPROTO);
	fake_virtio_push_id(&dev, 0, UINT32_MAX, 0);
	expect_none(-EPROTO);
	fake_virtio_push(&dev, 0, &c, 5);
	expect_get(3, 5);
	expect_none(0);
}
END_TEST

START_TEST(a_used_id_that_is_no_head_in_flight_is_eproto)
{
	struct fake_chain c;
	uint16_t middle;

	ck_assert_int_eq(add(1, 1, 3), 0);
	ck_assert_int_eq(add(1, 1, 4), 0);
	virtq_kick(&q);
	ck_assert(fake_virtio_pop(&dev, 0, &c));
	middle = q.desc[c.head].next;
	fake_virtio_push_id(&dev, 0, middle, 0);
	expect_none(-EPROTO);
	fake_virtio_push(&dev, 0, &c, 0);
	expect_get(3, 0);
	fake_virtio_push(&dev, 0, &c, 0);	/* a second time */
	expect_none(-EPROTO);
	ck_assert_uint_eq(q.nfree, 6);
}
END_TEST

START_TEST(a_used_index_that_runs_ahead_is_eproto_for_good)
{
	struct fake_chain c;

	ck_assert_int_eq(add(1, 1, 3), 0);
	virtq_kick(&q);
	ck_assert(fake_virtio_pop(&dev, 0, &c));
	fake_virtio_push(&dev, 0, &c, 0);
	q.used->idx = (uint16_t)(q.used->idx + 1);
	expect_none(-EPROTO);
	expect_none(-EPROTO);
	q.used->idx = (uint16_t)(q.used->idx - 5);
	expect_none(-EPROTO);
}
END_TEST

START_TEST(a_used_length_never_exceeds_the_room)
{
	struct fake_chain c;

	ck_assert_int_eq(add(1, 2, 0), 0);	/* room: 65 + 66 */
	ck_assert_int_eq(add(2, 0, 1), 0);	/* no room at all */
	virtq_kick(&q);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert(fake_virtio_pop(&dev, 0, &c));
		fake_virtio_push(&dev, 0, &c, UINT32_MAX);
	}
	expect_get(0, 131);
	expect_get(1, 0);
}
END_TEST

START_TEST(a_device_that_scribbles_on_its_ring_breaks_nothing)
{
	struct fake_chain c;

	ck_assert_int_eq(add(2, 2, 0), 0);
	virtq_kick(&q);
	ck_assert(fake_virtio_pop(&dev, 0, &c));
	for (unsigned i = 0; i < 8; i++) {
		q.desc[i].next = 0x7777;
		q.desc[i].flags = 0xffff;
	}
	fake_virtio_push(&dev, 0, &c, 1);
	expect_get(0, 1);
	ck_assert_uint_eq(q.nfree, 8);
	ck_assert_int_eq(add(4, 4, 1), 0);
	virtq_kick(&q);
	ck_assert(fake_virtio_pop(&dev, 0, &c));
	ck_assert_uint_eq(c.nseg, 8);
}
END_TEST

START_TEST(quiet_asks_for_no_interrupts)
{
	virtq_quiet(&q, true);
	ck_assert_uint_eq(q.avail->flags, VIRTQ_AVAIL_NO_INTERRUPT);
	virtq_quiet(&q, false);
	ck_assert_uint_eq(q.avail->flags, 0);
}
END_TEST

/*
 * The model: every chain that went in comes out once, with its token and
 * length, in the order in which the device completed it.
 */
#define MODEL_OPS	100000

static struct {
	struct fake_chain held[64];	/* at the device */
	unsigned nheld;
	uint16_t nsegs[MODEL_OPS + 1];	/* per token */
	uintptr_t token_of_head[64];
	struct { uintptr_t token; uint32_t len; } done[64];
	unsigned ndone;
	unsigned free;
	uintptr_t next;
} model;

static void model_add(void)
{
	unsigned nread = 1 + (unsigned)rand() % 4;
	unsigned nwrite = (unsigned)rand() % 5;
	uint16_t head = q.free_head;
	int err = add(nread, nwrite, model.next);

	ck_assert_int_eq(err, nread + nwrite <= model.free ? 0 : -ENOSPC);
	if (err)
		return;
	model.token_of_head[head] = model.next;
	model.nsegs[model.next++] = (uint16_t)(nread + nwrite);
	model.free -= nread + nwrite;
}

static void model_pop(void)
{
	struct fake_chain *c = &model.held[model.nheld];

	if (fake_virtio_pop(&dev, 0, c)) {
		uintptr_t token = model.token_of_head[c->head];

		ck_assert_uint_eq(c->nseg, model.nsegs[token]);
		ck_assert_uint_eq(c->seg[0].addr, 0x1000 + token);
		model.nheld++;
	}
	ck_assert(!dev.broken);
}

static void model_complete(void)
{
	unsigned i;
	struct fake_chain *c;
	uint32_t len;

	if (!model.nheld)
		return;
	i = (unsigned)rand() % model.nheld;
	c = &model.held[i];
	len = c->writable ? (uint32_t)rand() % (uint32_t)c->writable : 0;
	model.done[model.ndone].token = model.token_of_head[c->head];
	model.done[model.ndone++].len = len;
	fake_virtio_push(&dev, 0, c, len);
	model.held[i] = model.held[--model.nheld];
}

static void model_get(void)
{
	if (!model.ndone) {
		expect_none(0);
		return;
	}
	expect_get(model.done[0].token, model.done[0].len);
	model.free += model.nsegs[model.done[0].token];
	memmove(&model.done[0], &model.done[1],
		--model.ndone * sizeof(model.done[0]));
	ck_assert_uint_eq(q.nfree, model.free);
}

START_TEST(a_model_agrees_over_random_operations)
{
	queue(64);
	srand(20260101);
	memset(&model, 0, sizeof(model));
	model.free = 64;
	for (unsigned i = 0; i < MODEL_OPS; i++) {
		switch (rand() % 5) {
		case 0: model_add(); break;
		case 1: virtq_kick(&q); break;
		case 2: model_pop(); break;
		case 3: model_complete(); break;
		case 4: model_get(); break;
		}
	}
	ck_assert_uint_gt(model.next, 5000);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("virtq", setup, teardown, 60);

	tcase_add_test(t, layout_is_aligned_and_parts_do_not_overlap);
	tcase_add_test(t, init_refuses_sizes_that_are_no_power_of_two);
	tcase_add_test(t, init_without_memory_fails_and_leaks_nothing);
	tcase_add_test(t, a_chain_reaches_the_device_as_it_was_given);
	tcase_add_test(t, nothing_is_visible_before_the_kick);
	tcase_add_test(t, one_doorbell_carries_many_chains);
	tcase_add_test(t, no_doorbell_when_the_device_asks_for_none);
	tcase_add_test(t, senseless_chains_are_refused);
	tcase_add_test(t, a_full_queue_takes_nothing_and_recovers);
	tcase_add_test(t, completions_in_any_order_find_their_tokens);
	tcase_add_test(t, indices_wrap_around_after_65536_chains);
	tcase_add_test(t, the_largest_queue_fills_up_and_drains);
	tcase_add_test(t, a_used_id_out_of_range_is_eproto_and_passed_over);
	tcase_add_test(t, a_used_id_that_is_no_head_in_flight_is_eproto);
	tcase_add_test(t, a_used_index_that_runs_ahead_is_eproto_for_good);
	tcase_add_test(t, a_used_length_never_exceeds_the_room);
	tcase_add_test(t, a_device_that_scribbles_on_its_ring_breaks_nothing);
	tcase_add_test(t, quiet_asks_for_no_interrupts);
	tcase_add_test(t, a_model_agrees_over_random_operations);
	return suite_run("virtq");
}
