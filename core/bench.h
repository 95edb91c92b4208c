/* SPDX-License-Identifier: MIT */
/*
 * What many measurements of one thing come to. Pure; tests/guest/bench.c takes
 * the measurements.
 */
#ifndef CORE_BENCH_H
#define CORE_BENCH_H

#include "core/types.h"

/* Thousandths of a tick per operation, so that 0.3 is not 0. */
struct bench_stats {
	uint64_t min, median, p99;
};

/*
 * Of n samples, each the ticks that a batch of ops operations took; they are
 * sorted in place. median and p99 are samples, never between two: the
 * smallest that half, and 99 in a hundred, are not above. None, or a batch of
 * nothing: all zero.
 */
void bench_stats(uint64_t *ticks, unsigned n, unsigned ops,
		 struct bench_stats *out);
/* Thousandths of a tick of hz, which is at most 16 GHz, in picoseconds. */
uint64_t bench_ps(uint64_t milli, uint64_t hz);

/* "12.3", from 12 345 thousandths; rounded. Returns buf. */
#define BENCH_TEXT	24
const char *bench_text(char buf[BENCH_TEXT], uint64_t milli);

#endif
