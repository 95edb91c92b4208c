/* SPDX-License-Identifier: MIT */
/*
 * The runner of in-guest tests, and their KTAP (version 1) output:
 *
 *	KTAP version 1
 *	1..1
 *	    KTAP version 1
 *	    # Subtest: msi
 *	    1..2
 *	    # duration_ms 0.412
 *	    ok 1 a_masked_vector_becomes_pending
 *	    # duration_ms 0.003
 *	    ok 2 affinity_moves_under_fire # SKIP one CPU
 *	ok 1 msi
 *
 * A boot that ends before its plan says "Bail out!" instead of the rest.
 */
#include "core/report.h"

#include "core/acpi_event.h"
#include "core/cpu.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/string.h"

#define KTEST_SUITES	64
#define KTEST_SHOWN	16		/* failed checks printed per test */
#define KTEST_TEXT	256
#define KTEST_INDENT	"    "

SET_DECLARE(ktest, struct ktest);

struct ktest_suite {
	const char *name;
	unsigned n;			/* tests in it */
};

static struct {
	struct ktest_suite suite[KTEST_SUITES];
	unsigned nsuites;
	bool nested;			/* lines belong to a suite */
} ktest;

/* ---- what a test calls ---- */

static const char *ktest_indent(void)
{
	return ktest.nested ? KTEST_INDENT : "";
}

bool ktest_check(struct ktest_run *t, bool ok, const char *file, int line,
		 const char *fmt, ...)
{
	char text[KTEST_TEXT];
	va_list ap;

	t->checks++;
	if (ok || ++t->failures > KTEST_SHOWN)
		return ok;
	va_start(ap, fmt);
	fmt_vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	console_printf("%s# %s:%d: expected: %s\n", ktest_indent(), file, line,
		       text);
	return false;
}

void ktest_skip(struct ktest_run *t, const char *fmt, ...)
{
	va_list ap;

	t->skipped = true;
	va_start(ap, fmt);
	fmt_vsnprintf(t->reason, sizeof(t->reason), fmt, ap);
	va_end(ap);
}

void ktest_xfail(struct ktest_run *t, const char *fmt, ...)
{
	va_list ap;

	t->xfailed = true;
	va_start(ap, fmt);
	fmt_vsnprintf(t->reason, sizeof(t->reason), fmt, ap);
	va_end(ap);
}

void ktest_metric(const char *name, uint64_t value, const char *unit)
{
	console_printf("%s# metric name=%s value=%llu unit=%s\n",
		       ktest_indent(), name, (unsigned long long)value, unit);
}

/* ---- the runner ---- */

/* An erratum explains failures, but failures only: a skip cannot hide one. */
static bool ktest_failed(const struct ktest_run *t)
{
	if (t->failures)
		return !t->xfailed;
	return !t->checks && !t->skipped;
}

static void ktest_verdict(const struct ktest_run *t, unsigned nr,
			  const char *name, struct ktest_totals *tot)
{
	bool failed = ktest_failed(t);
	const char *mark = "", *reason = "";

	if (failed) {
		tot->failed++;
	} else if (t->failures) {
		mark = " # XFAIL ";
		reason = t->reason;
		tot->xfailed++;
	} else if (t->skipped) {
		mark = " # SKIP ";
		reason = t->reason;
		tot->skipped++;
	} else {
		tot->passed++;
	}
	console_printf(KTEST_INDENT "%s %u %s%s%s\n", failed ? "not ok" : "ok",
		       nr, name, mark, reason);
}

static void ktest_run_one(const struct ktest *k, unsigned nr,
			  struct ktest_totals *tot)
{
	struct ktest_run t = { 0 };
	nsec_t ns = time_now();

	k->fn(&t);
	ns = time_now() - ns;
	if (t.failures > KTEST_SHOWN)
		console_printf(KTEST_INDENT "# and %u more failed checks\n",
			       t.failures - KTEST_SHOWN);
	if (!t.checks && !t.skipped)
		console_printf(KTEST_INDENT "# nothing was checked\n");
	console_printf(KTEST_INDENT "# duration_ms %llu.%03llu\n",
		       (unsigned long long)(ns / NSEC_PER_MSEC),
		       (unsigned long long)(ns / NSEC_PER_USEC % 1000));
	ktest_verdict(&t, nr, k->name, tot);
}

/* Between two tests: has somebody asked for an end? */
static bool ktest_bail(struct ktest_totals *tot)
{
	if (!tot->bailed && acpi_button_presses()) {
		tot->bailed = true;
		console_printf("Bail out! power button\n");
	}
	return tot->bailed;
}

static void ktest_run_suite(const struct ktest_suite *s, unsigned nr,
			    struct ktest_totals *tot)
{
	struct ktest_totals own = { 0 };
	bool all_skipped;
	unsigned n = 0;

	if (ktest_bail(tot))
		return;
	console_printf(KTEST_INDENT "KTAP version 1\n"
		       KTEST_INDENT "# Subtest: %s\n"
		       KTEST_INDENT "1..%u\n", s->name, s->n);
	ktest.nested = true;
	SET_FOREACH(k, ktest)
		if (strcmp((*k)->suite, s->name) == 0 && !ktest_bail(tot))
			ktest_run_one(*k, ++n, &own);
	ktest.nested = false;
	all_skipped = own.skipped == s->n;
	if (!tot->bailed)
		console_printf("%s %u %s%s\n", own.failed ? "not ok" : "ok",
			       nr, s->name,
			       all_skipped ? " # SKIP every test" : "");
	tot->passed += own.passed;
	tot->failed += own.failed;
	tot->skipped += own.skipped;
	tot->xfailed += own.xfailed;
}

/* Tests of one suite mostly follow each other: the search is short. */
static void ktest_collect(void)
{
	ktest.nsuites = 0;
	SET_FOREACH(k, ktest) {
		unsigned i = ktest.nsuites;

		while (i > 0 && strcmp(ktest.suite[i - 1].name, (*k)->suite))
			i--;
		if (i == 0) {
			BUG_ON(ktest.nsuites == KTEST_SUITES);
			i = ++ktest.nsuites;
			ktest.suite[i - 1].name = (*k)->suite;
			ktest.suite[i - 1].n = 0;
		}
		ktest.suite[i - 1].n++;
	}
}

/* The next word of a comma-separated list; false at its end. */
static bool ktest_next_word(const char **list, char *word, size_t size)
{
	const char *comma;
	size_t len;

	while (**list == ',')
		++*list;
	if (!**list)
		return false;
	comma = strchr(*list, ',');
	len = comma ? (size_t)(comma - *list) : strlen(*list);
	fmt_snprintf(word, size, "%.*s", (int)len, *list);
	*list += len;
	return true;
}

static const struct ktest_suite *ktest_find_suite(const char *name)
{
	for (unsigned i = 0; i < ktest.nsuites; i++)
		if (strcmp(ktest.suite[i].name, name) == 0)
			return &ktest.suite[i];
	return NULL;
}

static unsigned ktest_plan(const char *list)
{
	char word[64];
	unsigned n = 0;

	while (ktest_next_word(&list, word, sizeof(word)))
		n += strcmp(word, "all") == 0 ? ktest.nsuites : 1;
	return n;
}

static void ktest_run_word(const char *word, unsigned *nr,
			   struct ktest_totals *tot)
{
	const struct ktest_suite *s = ktest_find_suite(word);

	if (s) {
		ktest_run_suite(s, ++*nr, tot);
		return;
	}
	console_printf("# no suite is called %s\nnot ok %u %s\n", word, ++*nr,
		       word);
	tot->failed++;
}

void ktest_run_suites(const char *list, struct ktest_totals *tot)
{
	unsigned nr = 0;
	char word[64];

	*tot = (struct ktest_totals){ 0 };
	ktest_collect();
	console_printf("KTAP version 1\n1..%u\n", ktest_plan(list));
	while (ktest_next_word(&list, word, sizeof(word)) &&
	       !ktest_bail(tot)) {
		if (strcmp(word, "all")) {
			ktest_run_word(word, &nr, tot);
			continue;
		}
		for (unsigned i = 0; i < ktest.nsuites; i++)
			ktest_run_suite(&ktest.suite[i], ++nr, tot);
	}
}
