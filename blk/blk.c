/* SPDX-License-Identifier: MIT */
/*
 * The block layer (theory of operation).
 *
 * A driver registers its devices. Requests go to it as they are, there is no
 * queue in between: an NVMe queue pair per CPU is the queue. What this layer
 * adds is everything that sleeps: waiting until a full queue has room, waiting
 * for answers, splitting what is longer than the device takes, and reading a
 * whole device with every queue busy (blk/scan.c).
 *
 * Who waits for a request is woken through a wait queue that is never freed
 * (one of a few, chosen by CPU), since done() touches it last, when the
 * request's owner may be gone already. A driver answers each request exactly
 * once within BLK_DEADLINE, whatever its device does, so that memory is never
 * given up; one that does not is wrong, and we panic.
 */
#include "blk/blk.h"

#include "core/cpu.h"
#include "core/heap.h"
#include "core/lock.h"
#include "core/page.h"
#include "core/panic.h"
#include "core/string.h"

#define BLK_WAITQS	16		/* a power of two */
#define BLK_READ_DEPTH	8		/* requests of one blk_read() */
#define BLK_PAUSE_FIRST	(50 * NSEC_PER_USEC)
#define BLK_PAUSE_LAST	(20 * NSEC_PER_MSEC)
#define BLK_BOUNCE_ORDER 4		/* 64 KiB */

static struct spinlock blk_lock = SPINLOCK_INIT("blk");
/* blk_lock: */
static struct list blk_devs = LIST_INIT(blk_devs);

static struct waitq blk_waitqs[BLK_WAITQS];
static bool blk_ready;

/* ---- devices ---- */

static struct blk_dev *blk_find_locked(const char *name)
{
	struct blk_dev *bd;

	spin_assert_held(&blk_lock);
	list_for_each(bd, &blk_devs, node)
		if (!strcmp(bd->name, name))
			return bd;
	return NULL;
}

int blk_register(struct blk_dev *bd)
{
	irqflags_t flags;
	int err = 0;

	if (bd->block_size < 512 || (bd->block_size & (bd->block_size - 1)) ||
	    !bd->max_blocks || !bd->submit || !bd->submit_batch)
		return -EINVAL;
	flags = spin_lock(&blk_lock);
	for (unsigned i = 0; !blk_ready && i < BLK_WAITQS; i++)
		waitq_init(&blk_waitqs[i]);
	blk_ready = true;
	if (blk_find_locked(bd->name))
		err = -EINVAL;
	else
		list_add_tail(&blk_devs, &bd->node);
	spin_unlock(&blk_lock, flags);
	return err;
}

void blk_unregister(struct blk_dev *bd)
{
	irqflags_t flags = spin_lock(&blk_lock);

	list_del(&bd->node);
	spin_unlock(&blk_lock, flags);
}

struct blk_dev *blk_get(unsigned n)
{
	irqflags_t flags = spin_lock(&blk_lock);
	struct blk_dev *bd, *found = NULL;

	list_for_each(bd, &blk_devs, node) {
		if (!n--) {
			found = bd;
			break;
		}
	}
	spin_unlock(&blk_lock, flags);
	return found;
}

struct blk_dev *blk_find(const char *name)
{
	irqflags_t flags = spin_lock(&blk_lock);
	struct blk_dev *bd = blk_find_locked(name);

	spin_unlock(&blk_lock, flags);
	return bd;
}

/* ---- waiting ---- */

struct waitq *blk_waitq(void)
{
	return &blk_waitqs[cpu_id() % BLK_WAITQS];
}

void blk_wait_init(struct blk_wait *w, struct waitq *wq)
{
	w->wq = wq;
	w->left = 0;
	w->err = 0;
}

/* The last touch of *w is the subtraction: its owner may free it then. */
void blk_wait_less(struct blk_wait *w, unsigned n, int err)
{
	struct waitq *wq = w->wq;

	if (err && !READ_ONCE(w->err))
		WRITE_ONCE(w->err, err);
	if (!__atomic_sub_fetch(&w->left, n, __ATOMIC_SEQ_CST))
		waitq_wake_all(wq);
}

static void blk_wait_done(struct blk_req *rq)
{
	blk_wait_less(rq->arg, 1, rq->status);
}

void blk_wait_for(struct blk_wait *w, struct blk_req *rq)
{
	rq->done = blk_wait_done;
	rq->arg = w;
	__atomic_add_fetch(&w->left, 1, __ATOMIC_SEQ_CST);
}

/* Twice, because a machine that was stopped for long has time jump at once. */
int blk_wait(struct blk_wait *w)
{
	for (unsigned i = 0; i < 2; i++)
		if (!wait_until(w->wq, !READ_ONCE(w->left),
				time_now() + BLK_DEADLINE))
			return READ_ONCE(w->err);
	panic("blk: %u requests were never answered", READ_ONCE(w->left));
}

int blk_submit(struct blk_dev *bd, struct blk_req *const *rq, unsigned n,
	       struct blk_wait *w)
{
	nsec_t pause = BLK_PAUSE_FIRST, slept = 0;

	while (n) {
		int k = bd->submit_batch(bd, rq, n);

		if (k > 0) {
			rq += k;
			n -= k;
			continue;
		}
		if (k != -EAGAIN || slept >= BLK_DEADLINE) {
			blk_wait_less(w, n, k);
			return k;
		}
		thread_sleep(pause);
		slept += pause;
		pause = MIN(2 * pause, BLK_PAUSE_LAST);
	}
	return 0;
}

/* ---- reading ---- */

struct blk_read_slot {
	struct blk_wait w;
	struct blk_req rq;
};

static int blk_check(const struct blk_dev *bd, uint64_t lba, size_t len)
{
	uint64_t n = len / bd->block_size;

	if (len % bd->block_size)
		return -EINVAL;
	return lba > bd->blocks || n > bd->blocks - lba ? -ERANGE : 0;
}

static void blk_read_issue(struct blk_dev *bd, struct blk_read_slot *s,
			   uint64_t lba, void *buf, size_t len)
{
	struct blk_req *rq = &s->rq;

	blk_wait_init(&s->w, blk_waitq());
	rq->op = BLK_READ;
	rq->lba = lba;
	rq->blocks = len / bd->block_size;
	rq->nvec = 1;
	rq->vec[0] = (struct dma_vec){ buf, len };
	blk_wait_for(&s->w, rq);
	blk_submit(bd, &rq, 1, &s->w);	/* an error is in s->w as well */
}

/*
 * Piece i uses slot i % n, so it waits for piece i - n; after the last piece
 * (or an error) the loop goes on only to wait for what is in flight. Returns
 * the first error in the order of the pieces.
 */
static int blk_read_pieces(struct blk_dev *bd, uint64_t lba, char *buf,
			   size_t len, struct blk_read_slot *slot, unsigned n)
{
	size_t piece = (size_t)bd->max_blocks * bd->block_size;
	size_t pieces = DIV_ROUND_UP(len, piece), issued = 0;
	int err = 0;

	for (size_t i = 0; i < issued || (!err && i < pieces); ) {
		if (!err && issued < pieces && issued < i + n) {
			size_t off = issued * piece;

			blk_read_issue(bd, &slot[issued % n],
				       lba + off / bd->block_size, buf + off,
				       MIN(piece, len - off));
			issued++;
		} else {
			int e = blk_wait(&slot[i++ % n].w);

			err = err ? err : e;
		}
	}
	return err;
}

static int blk_read_direct(struct blk_dev *bd, uint64_t lba, void *buf,
			   size_t len)
{
	size_t piece = (size_t)bd->max_blocks * bd->block_size;
	unsigned n = MIN(DIV_ROUND_UP(len, piece), (size_t)BLK_READ_DEPTH);
	struct blk_read_slot *slot = heap_alloc(n * sizeof(*slot));
	int err;

	if (!slot)
		return -ENOMEM;
	err = blk_read_pieces(bd, lba, buf, len, slot, n);
	heap_free(slot);
	return err;
}

/* For a buffer that no device can be told of. */
static int blk_read_bounced(struct blk_dev *bd, uint64_t lba, char *buf,
			    size_t len)
{
	const size_t room = PAGE_SIZE << BLK_BOUNCE_ORDER;
	void *bounce = page_alloc(BLK_BOUNCE_ORDER);
	int err = 0;

	if (!bounce)
		return -ENOMEM;
	for (size_t n; !err && len; lba += n / bd->block_size, len -= n) {
		n = MIN(len, room);
		err = blk_read_direct(bd, lba, bounce, n);
		if (!err)
			memcpy(buf, bounce, n);
		buf += n;
	}
	page_free(bounce, BLK_BOUNCE_ORDER);
	return err;
}

int blk_read(struct blk_dev *bd, uint64_t lba, void *buf, size_t len)
{
	int err = blk_check(bd, lba, len);

	if (err || !len)
		return err;
	if (!IS_ALIGNED((uintptr_t)buf, 4))
		return blk_read_bounced(bd, lba, buf, len);
	return blk_read_direct(bd, lba, buf, len);
}
