/* SPDX-License-Identifier: MIT */
/*
 * Block devices. Drivers submit and complete and never sleep; this layer is
 * the only one that does. Requests carry kernel memory; the driver maps it.
 */
#ifndef BLK_BLK_H
#define BLK_BLK_H

#include "core/dma.h"
#include "core/list.h"
#include "core/types.h"
#include "sched/sched.h"

#define BLK_VECS	32		/* pieces of memory in one request */
/*
 * Drivers answer every request exactly once and within this time, whatever
 * the device does; then its memory is the submitter's again.
 */
#define BLK_DEADLINE	(180 * NSEC_PER_SEC)

enum blk_op { BLK_READ, BLK_WRITE, BLK_FLUSH };

struct blk_req {
	enum blk_op op;
	uint64_t lba;			/* in the device's blocks */
	uint32_t blocks;
	unsigned nvec;
	/*
	 * Lengths sum up to blocks. Starts at a multiple of 4 bytes; only the
	 * first piece may start, and only the last one end, within a page.
	 */
	struct dma_vec vec[BLK_VECS];
	/*
	 * Called once, in interrupt context or from submit's caller, with
	 * status 0 or -errno: -EIO, -EINVAL, -ETIMEDOUT, -ENODEV, -ECANCELED;
	 * also -ERANGE (beyond the last block), -EROFS, and what dma_map_sg()
	 * says. May submit again.
	 */
	void (*done)(struct blk_req *rq);
	void *arg;			/* the submitter's */
	int status;
	/* the driver's, while it owns the request: */
	struct list node;
	void *priv;
};

struct blk_dev {
	char name[16];			/* "nvme0n1" */
	struct device *dev;		/* who does the DMA */
	uint32_t block_size;		/* bytes */
	uint64_t blocks;
	uint32_t max_blocks;		/* per request */
	bool read_only;
	/*
	 * Take rq; done is called later (or before it returns). 0, -EAGAIN
	 * (queue full: nothing taken), -ENODEV. Any context.
	 */
	int (*submit)(struct blk_dev *bd, struct blk_req *rq);
	/*
	 * The same for n requests, in order, told to the device in one go.
	 * Returns how many were taken (at least 1), or as submit.
	 */
	int (*submit_batch)(struct blk_dev *bd, struct blk_req *const *rq,
			    unsigned n);
	void *priv;
	struct list node;
};

int blk_register(struct blk_dev *bd);		/* 0, -EINVAL */
void blk_unregister(struct blk_dev *bd);
/* By index or by name; NULL: no such device. */
struct blk_dev *blk_get(unsigned n);
struct blk_dev *blk_find(const char *name);

/*
 * Waiting for requests. The wait queue is one that outlives them all: done()
 * may still be waking it when the waiter has gone on and freed the requests.
 *
 *	blk_wait_init(&w, blk_waitq());
 *	blk_wait_for(&w, rq);			sets rq->done and rq->arg
 *	err = blk_submit(bd, &rq, 1, &w);
 *	err = blk_wait(&w);
 */
struct blk_wait {
	struct waitq *wq;
	unsigned left;			/* requests, atomic */
	int err;			/* the first one that failed */
};

struct waitq *blk_waitq(void);		/* one for this CPU */
void blk_wait_init(struct blk_wait *w, struct waitq *wq);
void blk_wait_for(struct blk_wait *w, struct blk_req *rq);
/* n of those will not come; the last one wakes the waiter. Any context. */
void blk_wait_less(struct blk_wait *w, unsigned n, int err);
/* 0 or the first error. Sleeps; panics when a driver breaks its promise. */
int blk_wait(struct blk_wait *w);
/*
 * Submit n requests, waiting while the queue is full. 0, or what submit says;
 * those not taken are taken off w, with that error. Thread context.
 */
int blk_submit(struct blk_dev *bd, struct blk_req *const *rq, unsigned n,
	       struct blk_wait *w);

/*
 * Read len bytes (a multiple of the block size) at block lba into buf; split
 * to what the device takes, several in flight; sleeps. buf is in the direct
 * mapping (heap or pages, not a stack); a multiple of 4 avoids a copy. 0,
 * -EINVAL, -ERANGE, -ENOMEM, or the error of the first request that failed.
 */
int blk_read(struct blk_dev *bd, uint64_t lba, void *buf, size_t len);

struct blk_scan_stats {
	uint64_t bytes;			/* handed to each() */
	nsec_t ns;
	uint64_t requests;
	unsigned max_inflight;		/* requests at one time */
};

/*
 * Read the whole device in order: chunk bytes at a time (a multiple of the
 * block size, at most 4 MiB), depth chunks (at most BLK_SCAN_DEPTH) in flight,
 * the i-th one submitted from CPU i % cpu_count(), so that every queue and
 * vector takes part. each() gets the data in order, in the caller's thread;
 * non-zero stops the scan and is returned. An empty device is 0 bytes and
 * success. Sleeps. 0, -EINVAL, -ENOMEM, or the first error of a request; st
 * (may be NULL) is filled in in any case.
 */
#define BLK_SCAN_DEPTH	32
int blk_scan(struct blk_dev *bd, size_t chunk, unsigned depth,
	     int (*each)(void *arg, uint64_t off, const void *data,
			 size_t len),
	     void *arg, struct blk_scan_stats *st);

struct gpt;
/* The device's partitions: what gpt_read() says of it, or -ENOMEM. Sleeps. */
int blk_partitions(struct blk_dev *bd, struct gpt *out);

/*
 * For a person (the monitor's disk command), and for a program: @json lines,
 * one "disk" per device and one "partition" for each of its partitions, and
 * what nvme_report() says of each controller. Both read the disks; sleep.
 */
void disk_list(void);
void disk_report(void);

#endif
