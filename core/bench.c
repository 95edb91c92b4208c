/* SPDX-License-Identifier: MIT */
#include "core/bench.h"

#include "core/fmt.h"

/* By insertion: a few hundred, and mostly in order already. */
static void bench_sort(uint64_t *v, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		uint64_t x = v[i];
		unsigned j = i;

		for (; j > 0 && v[j - 1] > x; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

/* Nearest rank: of n sorted, the first that percent in a hundred reach. */
static uint64_t bench_rank(const uint64_t *v, unsigned n, unsigned percent)
{
	return v[DIV_ROUND_UP((uint64_t)n * percent, 100) - 1];
}

/* ticks * 1000 would overflow only after a machine's life. */
static uint64_t bench_each(uint64_t ticks, unsigned ops)
{
	return (ticks * 1000 + ops / 2) / ops;
}

void bench_stats(uint64_t *ticks, unsigned n, unsigned ops,
		 struct bench_stats *out)
{
	*out = (struct bench_stats){ 0 };
	if (!n || !ops)
		return;
	bench_sort(ticks, n);
	out->min = bench_each(ticks[0], ops);
	out->median = bench_each(bench_rank(ticks, n, 50), ops);
	out->p99 = bench_each(bench_rank(ticks, n, 99), ops);
}

/* In two parts, since there is no division of 128 bits. */
uint64_t bench_ps(uint64_t milli, uint64_t hz)
{
	return milli / hz * NSEC_PER_SEC + milli % hz * NSEC_PER_SEC / hz;
}

const char *bench_text(char buf[BENCH_TEXT], uint64_t milli)
{
	uint64_t tenths = milli / 100 + (milli % 100 >= 50);

	fmt_snprintf(buf, BENCH_TEXT, "%llu.%llu",
		     (unsigned long long)(tenths / 10),
		     (unsigned long long)(tenths % 10));
	return buf;
}
