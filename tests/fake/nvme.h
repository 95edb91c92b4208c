/* SPDX-License-Identifier: MIT */
/*
 * A model of an NVMe controller (NVM Express 1.4) at register level. It keeps
 * to the manual unless a knob makes it lie, and it counts what the driver does
 * against the manual. Commands are fetched at the doorbell and done, with
 * their DMA, in a later step.
 */
#ifndef TESTS_FAKE_NVME_H
#define TESTS_FAKE_NVME_H

#include "blk/nvmereg.h"
#include "tests/host/host.h"

#define FNVME_QUEUES	17		/* the admin queue and 16 I/O queues */
#define FNVME_NS	32
#define FNVME_PENDING	1024

struct fnvme_sq {
	uint32_t size;			/* entries, 0: does not exist */
	iova_t base;
	uint32_t head, tail;
	uint16_t cqid;
};

struct fnvme_cq {
	uint32_t size;
	iova_t base;
	uint32_t head, tail;
	bool phase, ien;
	uint16_t iv;
};

struct fnvme_ns {
	uint32_t nsid;			/* 0: this place is empty */
	unsigned shift;			/* log2 of the block size */
	uint64_t blocks;
	uint16_t ms;
	bool protect;
	uint8_t *image;			/* blocks << shift bytes */
};

struct fnvme_cmd {
	struct nvme_sqe sqe;
	uint16_t qid;
	nsec_t due;
};

struct fake_nvme {
	struct fake_pci pci;

	/* what it is; set before fake_nvme_add(): */
	unsigned msix;			/* entries; 0: no MSI-X */
	unsigned bar_size;
	unsigned mqes, to, dstrd, mpsmin, css;
	uint32_t vs;
	unsigned max_pairs;		/* granted by Set Features */
	uint8_t mdts;
	nsec_t latency;			/* of an I/O command */
	nsec_t ready_delay;
	struct fnvme_ns ns[FNVME_NS];
	int gsi;			/* raised when MSI-X is off; -1: none */

	/* lies and failures; may be set at any time: */
	bool never_ready, never_disabled, never_shut_down;
	bool fatal_on_enable;
	unsigned enables_until_fatal;	/* n-th enable from now fails; 0: none */
	int stuck_admin;		/* opcode never answered, or -1 */
	int fail_admin;			/* opcode answered with fail_status */
	uint16_t fail_status;
	unsigned swallow;		/* that many I/O commands get no answer */
	unsigned silent;		/* that many are answered without interrupt */
	unsigned wrong_cid, wrong_sqid, wrong_sqhd, duplicate, stale_phase;
	unsigned io_status_times;	/* that many are answered with io_status */
	uint16_t io_status;
	bool reverse;			/* answer the newest command first */
	bool cap_all_ones;
	bool reads_zero;		/* pulled, as QEMU shows it */

	/* what the driver did: */
	unsigned enables, disables, shutdowns;
	uint64_t commands, reads, writes, flushes, doorbells, cq_doorbells;
	uint64_t per_queue[FNVME_QUEUES];
	uint64_t list_entries;		/* PRP list entries fetched */
	unsigned max_pending;		/* I/O commands at one time */
	unsigned violations;		/* against the manual */
	char violation[96];		/* the first one */

	/* its own: */
	uint32_t cc, csts, aqa;
	uint64_t asq, acq;
	nsec_t ready_at;
	struct fnvme_sq sq[FNVME_QUEUES];
	struct fnvme_cq cq[FNVME_QUEUES];
	struct fnvme_cmd pending[FNVME_PENDING];
	unsigned npending;
	struct nvme_cqe last_cqe;
};

/* Defaults: as QEMU's, one namespace of 4096 blocks of 512 bytes. */
void fake_nvme_init(struct fake_nvme *f, uint16_t bdf);
void fake_nvme_add(struct fake_nvme *f);	/* onto the bus */
void fake_nvme_remove(struct fake_nvme *f);
/* The byte at off of the namespace, as it was made. */
uint8_t fake_nvme_byte(uint32_t nsid, uint64_t off);

#endif
