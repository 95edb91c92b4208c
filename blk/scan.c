/* SPDX-License-Identifier: MIT */
/*
 * Reading a whole device in order with every queue busy.
 *
 * Chunk i is submitted by the worker thread of CPU i % ncpus, into slot i %
 * depth, as soon as chunk i - depth has been consumed; the caller's thread
 * waits for the chunks in order and hands them out. So at most depth chunks
 * are in flight, consecutive ones go through different queues, and nobody but
 * the caller touches their data.
 */
#include "blk/blk.h"

#include "core/cpu.h"
#include "core/heap.h"
#include "core/page.h"

#define BLK_SCAN_SPLIT	64		/* requests per chunk */
#define BLK_SCAN_CHUNK	((size_t)PAGE_SIZE << PAGE_ORDER_MAX)

struct blk_scan {
	struct blk_dev *bd;
	size_t chunk, piece;		/* bytes per chunk, per request */
	unsigned depth, split, nworkers;
	uint64_t size, chunks;
	struct blk_scan_slot *slot;	/* depth of them */
	struct blk_scan_worker *worker;	/* nworkers of them */
	struct waitq *answered;		/* the caller waits here */
	uint64_t consumed;		/* chunks; written by the caller */
	bool stop;
	unsigned inflight, max_inflight;	/* atomic */
	uint64_t requests;			/* atomic */
};

struct blk_scan_slot {
	struct blk_scan *sc;
	char *buf;
	struct blk_req *rq;		/* split of them */
	struct blk_wait w;
	uint64_t issued;		/* number of the chunk in it, plus 1 */
};

struct blk_scan_worker {
	struct blk_scan *sc;
	unsigned cpu;
	struct waitq room;		/* it waits here for a free slot */
	struct thread *thread;
};

/* ---- the workers ---- */

static void blk_scan_count(struct blk_scan *sc, unsigned n)
{
	unsigned now = __atomic_add_fetch(&sc->inflight, n, __ATOMIC_RELAXED);
	unsigned max = READ_ONCE(sc->max_inflight);

	__atomic_add_fetch(&sc->requests, n, __ATOMIC_RELAXED);
	while (now > max &&
	       !__atomic_compare_exchange_n(&sc->max_inflight, &max, now, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		continue;
}

static void blk_scan_done(struct blk_req *rq)
{
	struct blk_scan_slot *s = rq->arg;

	__atomic_sub_fetch(&s->sc->inflight, 1, __ATOMIC_RELAXED);
	blk_wait_less(&s->w, 1, rq->status);
}

/* Describe chunk i in the slot's requests; returns how many they are. */
static unsigned blk_scan_describe(struct blk_scan *sc, struct blk_scan_slot *s,
				  uint64_t i, struct blk_req **rqp)
{
	uint64_t off = i * sc->chunk, end = MIN(off + sc->chunk, sc->size);
	char *buf = s->buf;
	unsigned n;

	for (n = 0; off < end; n++) {
		struct blk_req *rq = rqp[n] = &s->rq[n];
		size_t len = MIN(sc->piece, end - off);

		rq->op = BLK_READ;
		rq->lba = off / sc->bd->block_size;
		rq->blocks = len / sc->bd->block_size;
		rq->nvec = 1;
		rq->vec[0] = (struct dma_vec){ buf, len };
		rq->done = blk_scan_done;
		rq->arg = s;
		buf += len;
		off += len;
	}
	return n;
}

/*
 * One more than the requests is waited for, until the slot says which chunk
 * it holds: the caller sees that first and the answers next.
 */
static void blk_scan_issue(struct blk_scan *sc, uint64_t i)
{
	struct blk_scan_slot *s = &sc->slot[i % sc->depth];
	struct blk_req *rqp[BLK_SCAN_SPLIT];
	unsigned n = blk_scan_describe(sc, s, i, rqp);

	blk_wait_init(&s->w, sc->answered);
	s->w.left = n + 1;
	blk_scan_count(sc, n);
	blk_submit(sc->bd, rqp, n, &s->w);
	__atomic_store_n(&s->issued, i + 1, __ATOMIC_RELEASE);
	blk_wait_less(&s->w, 1, 0);
}

static void blk_scan_work(void *arg)
{
	struct blk_scan_worker *wk = arg;
	struct blk_scan *sc = wk->sc;

	for (uint64_t i = wk->cpu; i < sc->chunks; i += sc->nworkers) {
		wait_until(&wk->room, READ_ONCE(sc->stop) ||
				      i < READ_ONCE(sc->consumed) + sc->depth,
			   NSEC_NEVER);
		if (READ_ONCE(sc->stop))
			return;
		blk_scan_issue(sc, i);
	}
}

static int blk_scan_start_workers(struct blk_scan *sc)
{
	unsigned n = MIN((uint64_t)cpu_count(), sc->chunks);

	sc->nworkers = n;		/* their stride, even if some fail */
	for (unsigned cpu = 0; cpu < n; cpu++) {
		struct blk_scan_worker *wk = &sc->worker[cpu];
		int err;

		wk->sc = sc;
		wk->cpu = cpu;
		waitq_init(&wk->room);
		err = thread_create(cpu, blk_scan_work, wk, "blk-scan",
				    &wk->thread);
		if (err) {
			wk->thread = NULL;
			return err;
		}
	}
	return 0;
}

static void blk_scan_stop_workers(struct blk_scan *sc)
{
	WRITE_ONCE(sc->stop, true);
	for (unsigned cpu = 0; cpu < sc->nworkers; cpu++) {
		struct blk_scan_worker *wk = &sc->worker[cpu];

		if (!wk->thread)
			continue;
		waitq_wake_all(&wk->room);
		thread_join(wk->thread);
	}
}

/* ---- the caller ---- */

static int blk_scan_wait(struct blk_scan *sc, struct blk_scan_slot *s,
			 uint64_t i)
{
	int err = wait_until(sc->answered,
			     __atomic_load_n(&s->issued, __ATOMIC_ACQUIRE) ==
			     i + 1 && !READ_ONCE(s->w.left),
			     time_now() + BLK_DEADLINE);

	return err ? err : READ_ONCE(s->w.err);
}

static int blk_scan_consume(struct blk_scan *sc,
			    int (*each)(void *arg, uint64_t off,
					const void *data, size_t len),
			    void *arg, uint64_t *bytes)
{
	for (uint64_t i = 0; i < sc->chunks; i++) {
		struct blk_scan_slot *s = &sc->slot[i % sc->depth];
		uint64_t off = i * sc->chunk;
		size_t len = MIN(sc->chunk, sc->size - off);
		int err = blk_scan_wait(sc, s, i);

		if (!err)
			err = each(arg, off, s->buf, len);
		if (err)
			return err;
		*bytes += len;
		WRITE_ONCE(sc->consumed, i + 1);
		waitq_wake_all(&sc->worker[(i + sc->depth) %
					   sc->nworkers].room);
	}
	return 0;
}

/* The workers have ended: what is in flight comes back. */
static void blk_scan_drain(struct blk_scan *sc)
{
	for (unsigned i = 0; i < sc->depth; i++)
		if (sc->slot[i].issued)
			blk_wait(&sc->slot[i].w);
}

/* ---- memory ---- */

static void blk_scan_free(struct blk_scan *sc)
{
	for (unsigned i = 0; sc->slot && i < sc->depth; i++) {
		if (sc->slot[i].buf)
			page_free(sc->slot[i].buf, page_order(sc->chunk));
		heap_free(sc->slot[i].rq);
	}
	heap_free(sc->worker);
	heap_free(sc->slot);
	heap_free(sc);
}

static bool blk_scan_alloc_slot(struct blk_scan *sc, struct blk_scan_slot *s)
{
	s->sc = sc;
	s->buf = page_alloc(page_order(sc->chunk));
	s->rq = heap_alloc(sc->split * sizeof(*s->rq));
	return s->buf && s->rq;
}

static struct blk_scan *blk_scan_alloc(struct blk_dev *bd, size_t chunk,
				       unsigned depth)
{
	struct blk_scan *sc = heap_zalloc(sizeof(*sc));

	if (!sc)
		return NULL;
	sc->bd = bd;
	sc->piece = (size_t)bd->max_blocks * bd->block_size;
	sc->chunk = MIN(chunk, sc->piece * BLK_SCAN_SPLIT);
	sc->split = DIV_ROUND_UP(sc->chunk, sc->piece);
	sc->size = bd->blocks * bd->block_size;
	sc->chunks = DIV_ROUND_UP(sc->size, sc->chunk);
	sc->depth = MIN((uint64_t)depth, sc->chunks);
	sc->answered = blk_waitq();
	sc->slot = heap_calloc(sc->depth, sizeof(*sc->slot));
	sc->worker = heap_calloc(cpu_count(), sizeof(*sc->worker));
	if (!sc->slot || !sc->worker)
		goto err;
	for (unsigned i = 0; i < sc->depth; i++)
		if (!blk_scan_alloc_slot(sc, &sc->slot[i]))
			goto err;
	return sc;

err:
	blk_scan_free(sc);
	return NULL;
}

int blk_scan(struct blk_dev *bd, size_t chunk, unsigned depth,
	     int (*each)(void *arg, uint64_t off, const void *data,
			 size_t len),
	     void *arg, struct blk_scan_stats *st)
{
	struct blk_scan_stats none, *out = st ? st : &none;
	nsec_t start = time_now();
	struct blk_scan *sc;
	int err;

	*out = (struct blk_scan_stats){ 0 };
	if (!chunk || chunk % bd->block_size || chunk > BLK_SCAN_CHUNK ||
	    !depth || depth > BLK_SCAN_DEPTH)
		return -EINVAL;
	if (!bd->blocks)
		return 0;
	sc = blk_scan_alloc(bd, chunk, depth);
	if (!sc)
		return -ENOMEM;
	err = blk_scan_start_workers(sc);
	if (!err)
		err = blk_scan_consume(sc, each, arg, &out->bytes);
	blk_scan_stop_workers(sc);
	blk_scan_drain(sc);
	out->ns = time_now() - start;
	out->requests = sc->requests;
	out->max_inflight = sc->max_inflight;
	blk_scan_free(sc);
	return err;
}
