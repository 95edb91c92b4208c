/* SPDX-License-Identifier: MIT */
/*
 * The tour's notebook: each step writes down what it saw, for the person at
 * the console, for the screen and for the host's programs. Only what was
 * observed in this boot gets in.
 */
#ifndef BOOT_TOUR_H
#define BOOT_TOUR_H

#include "blk/blk.h"
#include "core/cpu.h"
#include "core/sha256.h"
#include "viommu/viommu.h"

enum tour_verdict { TOUR_SKIP, TOUR_PASS, TOUR_FAIL };

#define TOUR_WHY	112
#define TOUR_SAMPLES	64

struct tour_step {
	enum tour_verdict verdict;
	char why[TOUR_WHY];		/* one line: what was seen, or why not */
};

struct tour {
	struct blk_dev *bd;		/* the disk, or NULL */
	uint64_t bytes;			/* of it that count: disk.bytes= */
	struct tour_step disk, screen, refusal;
	bool cut;			/* by the power button: it cannot pass */

	char sha256[SHA256_HEX];
	struct blk_scan_stats scan;
	uint64_t sample[TOUR_SAMPLES];	/* MB/s, over the course of the scan */
	unsigned nsamples;
	uint64_t irqs[CPU_MAX];		/* the disk's, per CPU */
	uint64_t maps, unmaps;

	void *picture;			/* a PPM in memory, or NULL */
	size_t picture_bytes;
	char picture_from[48];
	char text[1024], text_from[48];	/* the first words of a partition */

	struct iommu_fault fault;	/* when refusal.verdict is PASS */
	iova_t wrong_iova;
};

void tour_say(const char *label, const char *fmt, ...) __printf(2, 3);
void tour_set(struct tour_step *s, enum tour_verdict v, const char *fmt, ...)
	__printf(3, 4);
const char *tour_word(enum tour_verdict v);	/* "PASS" … */

/* Look for a PPM, and for text, at the start of the disk's partitions. */
void tour_find_content(struct tour *t);
void tour_refusal(struct tour *t);
void tour_screen(struct tour *t);

#endif
