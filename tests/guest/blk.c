/* SPDX-License-Identifier: MIT */
/*
 * The block layer on this machine: splitting, waiting, bouncing, and the scan
 * that keeps every CPU's queue busy. Nothing is written to the disk.
 *
 * One could be fooled by a disk whose blocks are all alike; the nvme suite says
 * whether it is one. Sizes are small: on some hosts an instruction takes a
 * microsecond.
 */
#include "blk/blk.h"
#include "blk/gpt.h"
#include "blk/nvme.h"
#include "core/heap.h"
#include "core/page.h"
#include "core/report.h"
#include "core/string.h"

#define SCAN_CHUNK	4096u
#define SCAN_CHUNKS	32u

static struct blk_dev *blkt_disk(struct ktest_run *t)
{
	struct blk_dev *bd;

	for (unsigned i = 0; (bd = blk_get(i)); i++)
		if (bd->blocks * bd->block_size >= KIB(64))
			return bd;
	ktest_skip(t, "no disk of 64 KiB or more");
	return NULL;
}

KTEST(blk, disks_are_found_by_their_names)
{
	struct blk_dev *bd = blkt_disk(t);

	if (!bd)
		return;
	KEXPECT(t, blk_find(bd->name) == bd);
	KEXPECT(t, blk_find("no such disk") == NULL);
	KEXPECT(t, blk_get(1000) == NULL);
}

KTEST(blk, a_read_at_an_odd_address_is_bounced)
{
	struct blk_dev *bd = blkt_disk(t);
	uint8_t *p;

	if (!bd)
		return;
	p = page_alloc(2);
	KASSERT(t, p);
	memset(p, 0xee, PAGE_SIZE << 2);
	KEXPECT_EQ(t, blk_read(bd, 0, p, bd->block_size), 0);
	KEXPECT_EQ(t, blk_read(bd, 0, p + 2 * PAGE_SIZE - 7, bd->block_size),
		   0);
	KEXPECT(t, !memcmp(p, p + 2 * PAGE_SIZE - 7, bd->block_size));
	KEXPECT_EQ(t, p[2 * PAGE_SIZE - 8], 0xee);
	KEXPECT_EQ(t, p[2 * PAGE_SIZE - 7 + bd->block_size], 0xee);
	page_free(p, 2);
}

KTEST(blk, a_read_longer_than_a_request_is_split)
{
	struct blk_dev *bd = blkt_disk(t);
	uint8_t *p, *tail;
	size_t max, len;

	if (!bd)
		return;
	max = (size_t)bd->max_blocks * bd->block_size;
	len = max + bd->block_size;
	if (len > bd->blocks * bd->block_size || len > MIB(2)) {
		ktest_skip(t, "one request could read the whole disk");
		return;
	}
	p = page_alloc(page_order(len));
	tail = page_alloc(0);
	KASSERT(t, p && tail);
	p[len - 1] = 0xee;
	KEXPECT_EQ(t, blk_read(bd, 0, p, len), 0);
	KEXPECT_EQ(t, blk_read(bd, bd->max_blocks, tail, bd->block_size), 0);
	KEXPECT(t, !memcmp(p + max, tail, bd->block_size));
	page_free(tail, 0);
	page_free(p, page_order(len));
}

KTEST(blk, reads_beyond_the_end_are_refused)
{
	struct blk_dev *bd = blkt_disk(t);
	uint8_t *p;

	if (!bd)
		return;
	p = page_alloc(1);
	KASSERT(t, p);
	KEXPECT_EQ(t, blk_read(bd, bd->blocks, p, bd->block_size), -ERANGE);
	KEXPECT_EQ(t, blk_read(bd, bd->blocks - 1, p, 2 * bd->block_size),
		   -ERANGE);
	KEXPECT_EQ(t, blk_read(bd, 0, p, 1), -EINVAL);
	KEXPECT_EQ(t, blk_read(bd, 0, p, 0), 0);
	page_free(p, 1);
}

/* ---- the scan ---- */

struct blkt_seen {
	struct blk_dev *bd;
	uint64_t next;
	uint8_t *page;
	unsigned chunks, out_of_order, different;
};

/* Compares every eighth chunk with what a plain read says. */
static int blkt_see(void *arg, uint64_t off, const void *data, size_t len)
{
	struct blkt_seen *s = arg;

	s->out_of_order += off != s->next;
	s->next = off + len;
	if (s->chunks % 8 == 0 &&
	    (blk_read(s->bd, off / s->bd->block_size, s->page, len) ||
	     memcmp(s->page, data, len)))
		s->different++;
	return ++s->chunks == SCAN_CHUNKS ? 1 : 0;
}

KTEST(blk, a_scan_hands_out_the_disk_in_order_through_every_queue)
{
	struct blk_dev *bd = blkt_disk(t);
	struct blkt_seen s = { .bd = bd };
	struct blk_scan_stats st;
	struct nvme_ctrl *c;
	uint64_t before[CPU_MAX];
	int err;

	if (!bd)
		return;
	c = nvme_of(bd);
	for (unsigned i = 0; c && i < c->nio; i++)
		before[i] = c->io[i].requests;
	s.page = page_alloc(0);
	KASSERT(t, s.page);
	err = blk_scan(bd, SCAN_CHUNK, 8, blkt_see, &s, &st);
	KEXPECT(t, err == 0 || err == 1);
	KEXPECT(t, s.chunks == SCAN_CHUNKS ||
		   s.next == bd->blocks * bd->block_size);
	KEXPECT_EQ(t, s.out_of_order, 0);
	KEXPECT_EQ(t, s.different, 0);
	KEXPECT(t, st.requests >= s.chunks);
	for (unsigned i = 0; c && i < c->nio && i < s.chunks; i++)
		KEXPECT(t, c->io[i].requests > before[i]);
	ktest_metric("scan_in_flight", st.max_inflight, "requests");
	page_free(s.page, 0);
}

KTEST(blk, partitions_lie_on_the_disk_and_apart)
{
	struct blk_dev *bd = blkt_disk(t);
	struct gpt *g;
	int err;

	if (!bd)
		return;
	g = heap_alloc(sizeof(*g));
	KASSERT(t, g);
	err = blk_partitions(bd, g);
	if (err == -ENOENT || err == -EBADMSG) {
		ktest_skip(t, "%s has no GPT for blocks of %u bytes",
			   bd->name, bd->block_size);
		heap_free(g);
		return;
	}
	KEXPECT_EQ(t, err, 0);
	for (unsigned i = 0; !err && i < g->nparts; i++) {
		KEXPECT(t, g->part[i].first <= g->part[i].last);
		KEXPECT(t, g->part[i].last < bd->blocks);
	}
	heap_free(g);
}
