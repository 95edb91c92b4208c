/* SPDX-License-Identifier: MIT */
/*
 * An NVMe controller: the state, and the few calls that others may make.
 *
 *	nvme.c		the controller: reset, admin commands, queues
 *	nvme_recover.c	watchdog, time-outs, reset under way
 *	nvme_queue.c	one queue pair: slots, submission, completion
 *	nvme_ns.c	namespaces as block devices
 *	nvme_pci.c	the PCI function: BAR, vectors
 *
 * Requests may be submitted in any context. Their done() runs in interrupt
 * context, from submit's caller, or from the recovery thread, with no lock of
 * ours held, so it may submit again.
 */
#ifndef BLK_NVME_H
#define BLK_NVME_H

#include "blk/blk.h"
#include "blk/nvme_prp.h"
#include "blk/nvmereg.h"
#include "core/io.h"
#include "sched/sched.h"

#define NVME_DEPTH		64	/* entries: SQEs fill one page */
#define NVME_ADMIN_DEPTH	8
#define NVME_NAMESPACES		16	/* that we take per controller */
#define NVME_TRANSFER_MAX	KIB(256) /* bytes per request */

/*
 * The watchdog looks that often while commands are in flight: two looks find a
 * lost interrupt, and that is to be within a second.
 */
#define NVME_TICK		(250 * NSEC_PER_MSEC)
#define NVME_TIMEOUT_TICKS	20	/* whole ticks an I/O command may take */
#define NVME_ADMIN_TIMEOUT	(5 * NSEC_PER_SEC)
#define NVME_SHUTDOWN_TIMEOUT	(5 * NSEC_PER_SEC)
#define NVME_RESETS		3	/* in a row with no answer: it is dead */

struct nvme_ctrl;

/* A command in flight, or a free place for one. */
struct nvme_slot {
	struct nvme_slot *next;		/* in q->free */
	struct blk_req *rq;		/* NULL: an admin command */
	uint16_t cid;			/* generation << 8 | index in q->slot */
	bool busy;
	uint8_t nseg;			/* mapped; 0: nothing to unmap */
	enum dma_dir dir;
	uint32_t epoch;			/* the watchdog's, at submission */
	uint32_t result;		/* admin: dw0 of the completion */
	uint16_t sf;			/* admin: its status field */
	struct dma_seg seg[BLK_VECS];
};

struct nvme_queue {
	/* set once at start: */
	struct nvme_ctrl *ctrl;
	uint16_t id, depth;		/* depth - 1 commands at a time */
	uint16_t vector;		/* of the device, not of the CPU */
	unsigned cpu;			/* which the vector interrupts */
	size_t sq_doorbell, cq_doorbell;
	struct nvme_sqe *sq;
	struct nvme_cqe *cq;
	iova_t sq_iova, cq_iova;
	struct nvme_slot *slot;
	le64 *prp;			/* NVME_PRP_ROOM entries per slot */
	iova_t prp_iova;

	struct spinlock lock;
	/* q->lock: */
	struct nvme_slot *free;
	uint16_t tail, rung;		/* next SQE; what the device knows */
	uint16_t head;			/* next CQE */
	uint8_t phase;			/* that a new CQE has */
	uint16_t inflight;
	int refuse;			/* 0, or why nothing is taken now */
	uint64_t requests, answers, doorbells;
	uint64_t irqs, irqs_empty, irqs_elsewhere;
	uint64_t lies;			/* completions that answer nothing */
	uint64_t late;			/* answers after two ticks or more */
	uint64_t missed;		/* answers whose interrupt never came */
};

#define NVME_PRP_ROOM	NVME_PRP_ENTRIES(NVME_TRANSFER_MAX)
_Static_assert(NVME_PRP_PAGE % (NVME_PRP_ROOM * sizeof(le64)) == 0,
	       "the list of a slot lies within one page: no chains");
_Static_assert(NVME_DEPTH <= 256, "the index has 8 bits of the CID");

struct nvme_ns {
	struct nvme_ctrl *ctrl;
	uint32_t nsid;
	struct blk_dev bd;
};

enum nvme_state { NVME_STOPPED, NVME_LIVE, NVME_RESETTING, NVME_DEAD };

struct nvme_ctrl {
	/* set by the glue before nvme_start(): */
	char name[8];			/* "nvme0" */
	struct device *dev;
	struct io regs;
	unsigned nvec;			/* vectors of the device, at least 1 */

	/* set once at start: */
	uint64_t cap;
	uint32_t vs;
	uint32_t nn;			/* highest namespace id */
	size_t max_bytes;		/* per command */
	char model[41], serial[21];
	struct nvme_queue admin;
	unsigned nio;
	struct nvme_queue *io;
	struct nvme_queue **by_cpu;	/* cpu_count() of them */
	unsigned nns;
	struct nvme_ns ns[NVME_NAMESPACES];

	/* any CPU, one atomic look: */
	enum nvme_state state;
	uint32_t epoch;			/* ticks of the watchdog so far */
	bool watching;			/* the watchdog is armed */
	bool ticking;			/* and looks just now */
	bool want_reset, want_stop;
	bool want_look;			/* an answer waits for its interrupt */
	bool looking, blind;		/* just now; and not any more */
	struct timer watchdog;
	struct waitq wq;		/* the recovery thread waits here */

	/* the recovery thread: */
	struct thread *thread;
	unsigned resets;		/* in all */
	unsigned fruitless;		/* in a row without an answer since */
	uint64_t answers_seen;
};

/* ---- nvme.c ---- */

/*
 * Reset and enable the controller, make its queues, register its namespaces.
 * Bus mastering is on and the vectors are allocated. -ENODEV: it is gone;
 * -ETIMEDOUT: not ready within CAP.TO (3.1.1), or an admin command without an
 * answer; -EIO: fatal status; -EPROTO: its registers make no sense; -ENOTSUP:
 * nothing that we can drive; -ENOMEM. All is undone on error. Thread context.
 */
int nvme_start(struct nvme_ctrl *c);
/*
 * Answer what is in flight with -ECANCELED, announce the shutdown (7.6.2),
 * disable; the device does no DMA afterwards. Thread context.
 */
void nvme_stop(struct nvme_ctrl *c);

/* The PCI driver, of nvme_pci.c: in the linker set, and here for tests. */
struct driver;
extern const struct driver nvme_driver;

/* For irq_watch(), with the same arguments: does a new completion wait? */
bool nvme_queue_waits(void *queue);
bool nvme_any_waits(void *ctrl);
/* Interrupt handlers: one queue; or all of them, when they share a vector. */
void nvme_queue_irq(void *queue);
void nvme_all_irq(void *ctrl);

/* The controllers that are started, n from 0; NULL: no such one. */
struct nvme_ctrl *nvme_get(unsigned n);
/* @json lines: one of event "nvme", and one "nvme_queue" per I/O queue. */
void nvme_report(struct nvme_ctrl *c);

/*
 * Do one admin command: sqe without its CID; *result (may be NULL) gets dw0.
 * Polls at most NVME_ADMIN_TIMEOUT. One caller at a time. 0, -ETIMEDOUT (and
 * the controller is off), -ENODEV, or the status as an errno.
 */
int nvme_admin(struct nvme_ctrl *c, const struct nvme_sqe *sqe,
	       uint32_t *result);

/* Off within CAP.TO, or -ETIMEDOUT, -ENODEV. */
int nvme_disable(struct nvme_ctrl *c);
/* On again, with the queues it had; nothing is allocated. As nvme_start(). */
int nvme_revive(struct nvme_ctrl *c);
/* nvme_queue_refuse() and nvme_queue_fail() for all I/O queues. */
void nvme_refuse(struct nvme_ctrl *c, int err);
void nvme_fail(struct nvme_ctrl *c, int overdue, int other);

/* ---- nvme_recover.c ---- */

int nvme_start_recovery(struct nvme_ctrl *c);	/* 0, -ENOMEM */
/* No tick and no reset from here on, and no new request. Thread context. */
void nvme_stop_recovery(struct nvme_ctrl *c);
/* Nobody looks for lost interrupts from here on. Before the vectors go. */
void nvme_stop_looking(struct nvme_ctrl *c);
/*
 * Arm the watchdog; for who pushes a command while it is not watching, and
 * before he lets go of the queue's lock: the queue may be refusing and the
 * controller stopped right after.
 */
void nvme_watch(struct nvme_ctrl *c);

/* ---- nvme_queue.c ---- */

int nvme_queue_alloc(struct nvme_queue *q);	/* 0, -ENOMEM */
void nvme_queue_free(struct nvme_queue *q);
/* Empty rings, first phase: before the device learns of them. */
void nvme_queue_rewind(struct nvme_queue *q);
/* Take a free slot and give it its next CID. NULL: full. */
struct nvme_slot *nvme_queue_get_locked(struct nvme_queue *q);
void nvme_queue_put_locked(struct nvme_queue *q, struct nvme_slot *s);
/* The SQE at the tail; nvme_queue_push_locked() makes it the slot's command. */
struct nvme_sqe *nvme_queue_sqe_locked(struct nvme_queue *q);
void nvme_queue_push_locked(struct nvme_queue *q, struct nvme_slot *s);
/* One doorbell write for all that was pushed since the last one. */
void nvme_queue_ring_locked(struct nvme_queue *q);
/* Answer what has completed; returns how many completions there were. */
unsigned nvme_queue_reap(struct nvme_queue *q);
/* What the watchdog does: found in flight, and overdue after a last look. */
void nvme_queue_watch(struct nvme_queue *q, bool *inflight, bool *overdue,
		      bool *waits);
/*
 * Answer everything in flight: with overdue what took too long, with other
 * the rest. The device must not do DMA any more.
 */
void nvme_queue_fail(struct nvme_queue *q, int overdue, int other);
void nvme_queue_refuse(struct nvme_queue *q, int err);
/* Call done() of every request in the list, which is empty then. */
void nvme_answer(struct list *requests);
/* The status field (4.6.1) as 0 or -errno. */
int nvme_errno(uint32_t sf);

/* ---- nvme_ns.c ---- */

/* Register the active namespaces. 0 (even with none), or an admin error. */
int nvme_ns_scan(struct nvme_ctrl *c);
void nvme_ns_drop(struct nvme_ctrl *c);
/* The controller of a block device, or NULL: not an NVMe namespace. */
struct nvme_ctrl *nvme_of(const struct blk_dev *bd);
/*
 * Read one block into a bare IOVA, past the DMA API: for tests of what the
 * host's IOMMU does with a wrong address. Sleeps. The command's status as 0
 * or -errno (QEMU: 0 although the IOMMU refused), -EAGAIN, -ENODEV, -ENOMEM.
 */
int nvme_read_iova(struct blk_dev *bd, uint64_t lba, iova_t iova);

#endif
