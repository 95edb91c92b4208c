/* SPDX-License-Identifier: MIT */
/*
 * The monitor's "bench", and what times the benchmarks.
 *
 * The unit is a tick of the TSC: ns are computed from it, and where the
 * hypervisor counts instructions instead of time (QEMU's -icount shift=0) a
 * tick is an instruction. The guest cannot know which; group cpu's
 * thousand_instructions shows it.
 */
#include "tests/guest/bench.h"

#include "core/bench.h"
#include "core/clock.h"
#include "core/cpu.h"
#include "core/errno.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/monitor.h"
#include "core/report.h"
#include "core/string.h"
#include "virt/hyper.h"

SET_DECLARE(kbench, struct kbench);

/* The monitor's thread only: */
static struct kbench_run kbench_run;

/* ---- what a benchmark calls ---- */

static nsec_t kbench_took(const struct kbench_run *b, uint64_t now)
{
	return clock_tsc_to_ns(now) - clock_tsc_to_ns(b->begun);
}

static void kbench_sample(struct kbench_run *b, uint64_t now)
{
	b->batches++;
	b->ops += b->batch;
	if (b->warm)
		b->ticks[b->samples++] = (b->stop ? b->stop : now) - b->start;
	else
		b->warm = b->batches == KBENCH_WARM_UP ||
			  kbench_took(b, now) > KBENCH_TIME / 4;
}

static bool kbench_enough(const struct kbench_run *b, uint64_t now)
{
	return b->samples == KBENCH_SAMPLES ||
	       (b->samples >= KBENCH_LEAST && kbench_took(b, now) > KBENCH_TIME);
}

bool kbench_batch(struct kbench_run *b, unsigned ops)
{
	uint64_t now = clock_tsc();

	if (b->batch)
		kbench_sample(b, now);
	else
		b->begun = now;
	b->batch = ops;
	b->stop = 0;
	if (kbench_enough(b, now))
		return false;
	b->start = clock_tsc();
	return true;
}

void kbench_from_here(struct kbench_run *b)
{
	b->start = clock_tsc();
}

void kbench_to_here(struct kbench_run *b)
{
	b->stop = clock_tsc();
}

void kbench_uncounted(struct kbench_run *b)
{
	b->uncounted = true;
}

uint64_t kbench_ops(const struct kbench_run *b)
{
	return b->ops;
}

void kbench_skip(struct kbench_run *b, const char *fmt, ...)
{
	va_list ap;

	b->skipped = true;
	va_start(ap, fmt);
	fmt_vsnprintf(b->reason, sizeof(b->reason), fmt, ap);
	va_end(ap);
}

bool kbench_check(struct kbench_run *b, bool ok, const char *file, int line,
		  const char *text)
{
	if (ok)
		return true;
	b->failures++;
	log_err("bench", "%s:%d: expected: %s", file, line, text);
	return false;
}

bool kbench_check_eq(struct kbench_run *b, uint64_t x, uint64_t y,
		     const char *file, int line, const char *text)
{
	if (kbench_check(b, x == y, file, line, text))
		return true;
	log_err("bench", "%llu, not %llu", (unsigned long long)x,
		(unsigned long long)y);
	return false;
}

/* ---- the report ---- */

static void kbench_numbers(struct json *j, const char *key,
			   const struct bench_stats *st)
{
	json_object(j, key);
	json_u64(j, "min", st->min);
	json_u64(j, "median", st->median);
	json_u64(j, "p99", st->p99);
	json_close(j, false);
}

static const char *kbench_verdict(const struct kbench_run *b)
{
	if (b->failures)
		return "failed";
	return b->skipped ? "skipped" : "done";
}

static void kbench_json(const struct kbench *k, const struct kbench_run *b,
			const struct bench_stats *milli,
			const struct bench_stats *ps)
{
	struct json j;

	json_begin(&j, "bench");
	json_str(&j, "group", k->group);
	json_str(&j, "name", k->name);
	json_str(&j, "what", k->help);
	json_str(&j, "verdict", kbench_verdict(b));
	if (b->skipped) {
		json_str(&j, "reason", b->reason);
	} else {
		json_u64(&j, "batch", b->batch);
		json_u64(&j, "samples", b->samples);
		json_u64(&j, "ops", b->ops);
		kbench_numbers(&j, "ps", ps);
		if (!b->uncounted)
			kbench_numbers(&j, "milliticks", milli);
	}
	json_str(&j, "accelerator", hyper_name());
	json_end(&j);
}

static void kbench_line(const struct kbench *k, const struct kbench_run *b,
			const struct bench_stats *milli,
			const struct bench_stats *ps)
{
	char text[4][BENCH_TEXT];

	if (b->skipped) {
		console_printf("%-22s skipped: %s\n", k->name, b->reason);
		return;
	}
	console_printf("%-22s %11s %11s %11s %11s %8llu  %s%s\n", k->name,
		       bench_text(text[0], ps->min),
		       bench_text(text[1], ps->median),
		       bench_text(text[2], ps->p99),
		       bench_text(text[3], milli->median),
		       (unsigned long long)b->ops,
		       b->failures ? "FAILED: " : "", k->help);
}

static void kbench_head(const char *group)
{
	struct json j;

	console_printf("\n%-22s %11s %11s %11s %11s %8s\n", group, "min ns",
		       "median ns", "p99 ns", "ticks", "ops");
	json_begin(&j, "bench_run");
	json_str(&j, "group", group);
	json_str(&j, "accelerator", hyper_name());
	json_u64(&j, "cpus", cpu_count());
	json_u64(&j, "tsc_hz", clock_tsc_hz());
	json_str(&j, "clock", clock_source());
	json_str(&j, "timer", cpu_timer_name());
	json_end(&j);
}

/* ---- the runner ---- */

/* Returns whether it did what it claims to have timed. */
static bool kbench_run_one(const struct kbench *k)
{
	struct kbench_run *b = &kbench_run;
	struct bench_stats milli, ps;

	memset(b, 0, sizeof(*b));
	k->fn(b);
	if (!b->skipped)
		KBENCH_CHECK(b, b->samples >= KBENCH_LEAST);
	bench_stats(b->ticks, b->samples, b->batch, &milli);
	ps.min = bench_ps(milli.min, clock_tsc_hz());
	ps.median = bench_ps(milli.median, clock_tsc_hz());
	ps.p99 = bench_ps(milli.p99, clock_tsc_hz());
	kbench_line(k, b, &milli, &ps);
	kbench_json(k, b, &milli, &ps);
	return !b->failures;
}

static bool kbench_is(const struct kbench *k, const char *group,
		      const char *name)
{
	return !strcmp(k->group, group) && (!name || !strcmp(k->name, name));
}

static int kbench_list(void)
{
	SET_FOREACH(k, kbench)
		console_printf("  %-8s %-22s %s\n", (*k)->group, (*k)->name,
			       (*k)->help);
	return 0;
}

static int kbench_run_group(const char *group, const char *name)
{
	unsigned ran = 0, failed = 0;

	SET_FOREACH(k, kbench) {
		if (!kbench_is(*k, group, name))
			continue;
		if (!ran++)
			kbench_head(group);
		failed += !kbench_run_one(*k);
	}
	if (!ran) {
		log_err("bench", "no benchmark is called %s%s%s: \"bench\" lists them",
			group, name ? " " : "", name ? name : "");
		return -ENOENT;
	}
	return failed ? -EIO : 0;
}

static int kbench_cmd_run(int argc, char **argv)
{
	if (argc < 2)
		return kbench_list();
	if (argc > 3)
		return -EINVAL;
	return kbench_run_group(argv[1], argc > 2 ? argv[2] : NULL);
}

static const struct monitor_cmd kbench_cmd = {
	.name = "bench",
	.args = "[GROUP [NAME]]",
	.help = "time operations; without a group: list them",
	.run = kbench_cmd_run,
};
MONITOR_CMD(kbench_cmd);
