/* SPDX-License-Identifier: MIT */
/*
 * What the host's programs read: KTAP lines (in-guest tests) and one JSON
 * object a line behind "@json ". Thread context; a line is written whole.
 *
 *	struct json j;
 *	json_begin(&j, "disk");
 *	json_u64(&j, "bytes", n);
 *	json_str(&j, "sha256", hex);
 *	json_end(&j);			@json {"event":"disk","bytes":1,…}
 *
 * A line that outgrows the buffer becomes {"event":"overflow","of":"disk"}:
 * never broken JSON.
 */
#ifndef CORE_REPORT_H
#define CORE_REPORT_H

#include "core/set.h"
#include "core/types.h"

#define JSON_LINE	1024

struct json {
	char buf[JSON_LINE];
	size_t len;
	const char *event;
	unsigned depth;
	bool comma, overflow;
};

void json_begin(struct json *j, const char *event);
void json_u64(struct json *j, const char *key, uint64_t val);
void json_i64(struct json *j, const char *key, int64_t val);
void json_hex(struct json *j, const char *key, uint64_t val);	/* "0x…" */
void json_bool(struct json *j, const char *key, bool val);
void json_str(struct json *j, const char *key, const char *val); /* escaped */
/* key NULL inside an array. */
void json_array(struct json *j, const char *key);
void json_object(struct json *j, const char *key);
void json_close(struct json *j, bool array);
void json_end(struct json *j);			/* closes and prints */
/* Print none: for a console that only a person reads (json=off). */
extern bool json_quiet;

/*
 * In-guest tests: functions in the linker set "ktest", grouped by suite. Each
 * states what is checked with the macros below and returns; one that checks nothing
 * fails. Run by run=SUITE,… ; output is KTAP version 1.
 */
struct ktest_run;

struct ktest {
	const char *suite, *name;	/* name: a sentence_with_underscores */
	void (*fn)(struct ktest_run *t);
};

#define KTEST(suite_, name_)						\
	static void ktest_##name_(struct ktest_run *t);			\
	static const struct ktest ktest_entry_##name_ = {		\
		.suite = #suite_, .name = #name_, .fn = ktest_##name_ }; \
	SET_ENTRY(ktest, struct ktest, ktest_entry_##name_);		\
	static void ktest_##name_(struct ktest_run *t)

struct ktest_run {
	unsigned checks, failures;
	bool skipped, xfailed;
	char reason[128];
};

/* Record one check; returns ok. A failed one prints file, line and text. */
bool ktest_check(struct ktest_run *t, bool ok, const char *file, int line,
		 const char *fmt, ...) __printf(5, 6);
/* The rest of the test does not apply here; return after it. */
void ktest_skip(struct ktest_run *t, const char *fmt, ...) __printf(2, 3);
/* A known host erratum explains the failures of this test. */
void ktest_xfail(struct ktest_run *t, const char *fmt, ...) __printf(2, 3);
/* "# metric name=… value=… unit=…" */
void ktest_metric(const char *name, uint64_t value, const char *unit);

#define KEXPECT(t, cond) \
	ktest_check(t, (cond), __FILE__, __LINE__, "%s", #cond)
#define KEXPECT_MSG(t, cond, ...) \
	ktest_check(t, (cond), __FILE__, __LINE__, __VA_ARGS__)
#define KEXPECT_EQ(t, a, b)						\
	({								\
		uint64_t ka_ = (uint64_t)(a), kb_ = (uint64_t)(b);	\
		ktest_check(t, ka_ == kb_, __FILE__, __LINE__,		\
			    "%s (%llu) == %s (%llu)", #a,		\
			    (unsigned long long)ka_, #b,		\
			    (unsigned long long)kb_);			\
	})
/* As above, and leave the test when it does not hold. */
#define KASSERT(t, cond) \
	do { if (!KEXPECT(t, cond)) return; } while (0)

struct ktest_totals {
	unsigned passed, failed, skipped, xfailed;
	bool bailed;			/* not all ran */
};

/*
 * Run the suites in the comma-separated list ("all": every one). A name that
 * no suite has is a failure. Prints the plan first. After a press of the power
 * button the running test is the last one, and "Bail out!" says so.
 */
void ktest_run_suites(const char *list, struct ktest_totals *tot);

#endif
