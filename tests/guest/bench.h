/* SPDX-License-Identifier: MIT */
/*
 * Benchmarks: functions in the linker set "kbench", by group, run by the
 * monitor's "bench GROUP". None fails because it is slow; each fails when what
 * it timed was not done, so count that and say so with KBENCH_CHECK().
 *
 *	KBENCH(cpu, eoi, "end of interrupt, none in service")
 *	{
 *		while (kbench_batch(b, 64))
 *			for (unsigned i = 0; i < 64; i++)
 *				lapic_eoi();
 *		KBENCH_CHECK(b, written() == kbench_ops(b));
 *	}
 *
 * A sample is the time of one batch, from when kbench_batch() returns until it
 * is called again. Ones, where the worst single operation matters; else
 * so many that the two looks at the clock are nothing beside them.
 */
#ifndef TESTS_GUEST_BENCH_H
#define TESTS_GUEST_BENCH_H

#include "core/set.h"
#include "core/types.h"

#define KBENCH_SAMPLES	256
#define KBENCH_WARM_UP	16		/* batches before the first sample */
/*
 * After this long a benchmark ends, but with no fewer samples than that. A
 * quarter of it ends the warm-up.
 */
#define KBENCH_TIME	(NSEC_PER_SEC / 2)
#define KBENCH_LEAST	8

struct kbench_run {
	unsigned batch;			/* operations in one sample */
	unsigned batches;		/* done, those of the warm-up too */
	unsigned samples;
	uint64_t begun, start, stop;	/* in clock_tsc()'s ticks */
	uint64_t ops;			/* all, those of the warm-up too */
	unsigned failures;
	bool warm, skipped, uncounted;
	char reason[128];
	uint64_t ticks[KBENCH_SAMPLES];
};

struct kbench {
	const char *group, *name, *help;
	void (*fn)(struct kbench_run *b);
};

#define KBENCH(group_, name_, help_)					\
	static void kbench_##name_(struct kbench_run *b);		\
	static const struct kbench kbench_entry_##name_ = {		\
		.group = #group_, .name = #name_, .help = help_,	\
		.fn = kbench_##name_ };					\
	SET_ENTRY(kbench, struct kbench, kbench_entry_##name_);		\
	static void kbench_##name_(struct kbench_run *b)

/* Do a batch of ops operations (always as many) while this returns true. */
bool kbench_batch(struct kbench_run *b, unsigned ops);
/* Within a batch: what came before it is not part of the sample, ... */
void kbench_from_here(struct kbench_run *b);
/* ... and what comes after it is not. */
void kbench_to_here(struct kbench_run *b);
/*
 * The host does part of it meanwhile, in a thread of its own: how many
 * instructions the guest waits for it is chance, and is not reported.
 */
void kbench_uncounted(struct kbench_run *b);
/* How many operations were done, whether they were timed or not. */
uint64_t kbench_ops(const struct kbench_run *b);

/* It cannot be done here; return after it. */
void kbench_skip(struct kbench_run *b, const char *fmt, ...) __printf(2, 3);
bool kbench_check(struct kbench_run *b, bool ok, const char *file, int line,
		  const char *text);
#define KBENCH_CHECK(b, cond) \
	kbench_check(b, (cond), __FILE__, __LINE__, #cond)
#define KBENCH_EQ(b, x, y)						\
	({								\
		uint64_t kb_x_ = (uint64_t)(x), kb_y_ = (uint64_t)(y);	\
		kbench_check_eq(b, kb_x_, kb_y_, __FILE__, __LINE__,	\
				#x " == " #y);				\
	})
bool kbench_check_eq(struct kbench_run *b, uint64_t x, uint64_t y,
		     const char *file, int line, const char *text);

#endif
