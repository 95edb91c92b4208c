/* SPDX-License-Identifier: MIT */
/*
 * core/report.c and core/ktest.c: whatever goes in, a strict JSON parser (RFC
 * 8259, written here for the purpose) takes every line; and KTAP as the
 * kernel's documentation says.
 */
#include "core/report.h"

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/acpi_event.h"
#include "core/cpu.h"
#include "core/log.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

/* ---- a strict parser: NULL is an error, else what follows the value ---- */

static const char *parse_value(const char *p);

static const char *parse_string(const char *p)
{
	if (*p++ != '"')
		return NULL;
	for (; *p != '"'; p++) {
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			return NULL;
		if (*p != '\\')
			continue;
		p++;
		if (*p == 'u') {
			for (unsigned i = 0; i < 4; i++)
				if (!isxdigit(*++p))
					return NULL;
		} else if (!*p || !strchr("\"\\/bfnrt", *p)) {
			return NULL;
		}
	}
	return p + 1;
}

static const char *parse_number(const char *p)
{
	if (*p == '0')
		return isdigit(p[1]) ? NULL : p + 1;
	if (!isdigit(*p))
		return NULL;
	while (isdigit(*p))
		p++;
	return p;
}

static const char *parse_members(const char *p, char end, bool keys)
{
	if (*p == end)
		return p + 1;
	for (;;) {
		if (keys) {
			p = parse_string(p);
			if (!p || *p++ != ':')
				return NULL;
		}
		p = parse_value(p);
		if (!p)
			return NULL;
		if (*p == end)
			return p + 1;
		if (*p++ != ',')
			return NULL;
	}
}

static const char *parse_word(const char *p, const char *word)
{
	size_t n = strlen(word);

	return strncmp(p, word, n) ? NULL : p + n;
}

static const char *parse_value(const char *p)
{
	switch (*p) {
	case '{': return parse_members(p + 1, '}', true);
	case '[': return parse_members(p + 1, ']', false);
	case '"': return parse_string(p);
	case 't': return parse_word(p, "true");
	case 'f': return parse_word(p, "false");
	case 'n': return parse_word(p, "null");
	}
	return parse_number(p);
}

/* The one line that was printed, checked; without prefix and newline. */
static const char *line(void)
{
	static char buf[2 * JSON_LINE];
	const char *end;

	ck_assert_int_eq(strncmp(host_console(), "@json {", 7), 0);
	snprintf(buf, sizeof(buf), "%s", host_console() + 6);
	end = parse_value(buf);
	ck_assert_msg(end && strcmp(end, "\n") == 0, "not JSON: %s", buf);
	buf[end - buf] = '\0';
	host_console_clear();
	return buf;
}

START_TEST(the_parser_of_this_test_refuses_what_is_not_json)
{
	static const char *const bad[] = {
		"", "{", "{\"a\":}", "{\"a\" 1}", "{\"a\":1,}", "[1 2]", "01",
		"\"\n\"", "\"\\x\"", "\"\\u12g4\"", "{a:1}", "[1,]", "truth",
		"\"\x80\"", "-", "{\"a\":1]",
	};
	const char *end;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		end = parse_value(bad[i]);
		ck_assert_msg(!end || *end, "took %s", bad[i]);
	}
	ck_assert_str_eq(parse_value("{\"a\":[1,\"\\u00e4\",{}],\"b\":null}"),
			 "");
}
END_TEST

START_TEST(values_of_every_kind)
{
	struct json j;

	json_begin(&j, "disk");
	json_u64(&j, "bytes", UINT64_MAX);
	json_hex(&j, "addr", 0xfee00000);
	json_bool(&j, "ok", true);
	json_str(&j, "name", "nvme0");
	json_str(&j, "none", NULL);
	json_array(&j, "cpus");
	json_u64(&j, NULL, 0);
	json_u64(&j, NULL, 1);
	json_object(&j, NULL);
	json_bool(&j, "x", false);
	json_close(&j, false);
	json_close(&j, true);
	json_array(&j, "empty");
	json_close(&j, true);
	json_object(&j, "o");
	json_close(&j, false);
	json_u64(&j, "last", 0);
	json_end(&j);
	ck_assert_str_eq(line(), "{\"event\":\"disk\","
		"\"bytes\":18446744073709551615,\"addr\":\"0xfee00000\","
		"\"ok\":true,\"name\":\"nvme0\",\"none\":null,"
		"\"cpus\":[0,1,{\"x\":false}],\"empty\":[],\"o\":{},"
		"\"last\":0}");
}
END_TEST

START_TEST(any_byte_in_a_string_is_escaped)
{
	char text[2] = "";
	struct json j;

	for (unsigned c = 1; c < 256; c++) {
		text[0] = c;
		json_begin(&j, "x");
		json_str(&j, text, text);
		json_end(&j);
		line();
	}
	json_begin(&j, "x");
	json_str(&j, "q\"k", "\\\"\t\x7f\xe4");
	json_end(&j);
	ck_assert_str_eq(line(), "{\"event\":\"x\",\"q\\\"k\":"
			 "\"\\\\\\\"\\u0009\\u007f\\u00e4\"}");
}
END_TEST

/* Every length around the edge: a whole line or an honest overflow. */
START_TEST(a_line_that_outgrows_the_buffer_is_never_broken)
{
	char text[JSON_LINE + 16];
	unsigned whole = 0, over = 0;
	struct json j;

	for (unsigned n = 900; n < JSON_LINE + 10; n++) {
		memset(text, n % 3 ? 'x' : '"', n);
		text[n] = '\0';
		json_begin(&j, "disk");
		json_str(&j, "s", text);
		json_u64(&j, "more", 1);
		json_end(&j);
		if (strstr(host_console(), "\"event\":\"overflow\"")) {
			ck_assert_str_eq(line(), "{\"event\":\"overflow\","
					 "\"of\":\"disk\"}");
			over++;
		} else {
			ck_assert_ptr_nonnull(strstr(line(), "\"more\":1}"));
			whole++;
		}
	}
	ck_assert_uint_gt(whole, 10);
	ck_assert_uint_gt(over, 10);
	memset(text, 'e', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	json_begin(&j, text);
	json_end(&j);
	ck_assert_str_eq(line(), "{\"event\":\"overflow\"}");
}
END_TEST

START_TEST(random_reports_are_always_json)
{
	char text[64];
	struct json j;

	srand(3);
	for (unsigned i = 0; i < 5000; i++) {
		bool array[40];
		unsigned depth = 0;

		json_begin(&j, "random");
		for (unsigned n = rand() % 60; n > 0; n--) {
			const char *key = depth && array[depth - 1] ? NULL : text;

			for (unsigned k = 0; k < 8; k++)
				text[k] = rand();
			text[rand() % 9] = '\0';
			switch (rand() % 7) {
			case 0: json_u64(&j, key, rand()); break;
			case 1: json_hex(&j, key, rand()); break;
			case 2: json_bool(&j, key, rand() & 1); break;
			case 3: json_str(&j, key, text); break;
			case 4:
				if (depth < 40) {
					array[depth++] = true;
					json_array(&j, key);
				}
				break;
			case 5:
				if (depth < 40) {
					array[depth++] = false;
					json_object(&j, key);
				}
				break;
			case 6:
				if (depth)
					json_close(&j, array[--depth]);
				break;
			}
		}
		while (depth)
			json_close(&j, array[--depth]);
		json_end(&j);
		line();
	}
}
END_TEST

START_TEST(an_unclosed_object_panics)
{
	struct json j;

	json_begin(&j, "x");
	json_object(&j, "o");
	json_end(&j);
}
END_TEST

/* ---- ktest ---- */

KTEST(alpha, passes)
{
	KEXPECT(t, 1 + 1 == 2);
	KEXPECT_EQ(t, 4, 2 * 2);
}

KTEST(alpha, fails_and_says_where)
{
	int two = 2;

	KEXPECT(t, two == 3);
	KEXPECT_EQ(t, two, 5);
	KASSERT(t, two == 4);
	KEXPECT_MSG(t, false, "never reached");
}

KTEST(beta, is_skipped)
{
	ktest_skip(t, "only %u CPU", 1);
}

KTEST(gamma, checks_nothing)
{
}

KTEST(alpha, meets_an_erratum)
{
	ktest_xfail(t, "qemu-%s", "amdvi-no-events");
	KEXPECT(t, false);
}

KTEST(alpha, erratum_did_not_show)
{
	ktest_xfail(t, "unused");
	KEXPECT(t, true);
}

KTEST(delta, skip_cannot_hide_a_failure)
{
	KEXPECT(t, false);
	ktest_skip(t, "too late");
}

KTEST(delta, many_failures)
{
	for (unsigned i = 0; i < 40; i++)
		KEXPECT_MSG(t, false, "number %u", i);
}

KTEST(delta, takes_its_time)
{
	for (unsigned i = 0; i < 1234; i++)
		cpu_relax();
	KEXPECT(t, true);
	ktest_metric("latency", 42, "ns");
}

/* ---- the power button, on the smallest PM1 block there is ---- */

#define PM1		0x600
#define PM1_BUTTON	0x100
#define SCI		9

static uint16_t pm1_status;

static uint64_t pm1_read(void *ctx, size_t off, unsigned width)
{
	return off == 0 ? pm1_status : 1;	/* enable; control: ACPI mode */
}

static void pm1_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	if (off == 0)
		pm1_status &= (uint16_t)~val;
}

static const struct host_mmio_ops pm1_ops = { pm1_read, pm1_write };

static void button_plug(void)
{
	struct acpi_fadt fadt = {
		.pm1a_evt = PM1, .pm1_evt_len = 4, .pm1a_cnt = PM1 + 4,
		.power_button = true, .sci_irq = SCI,
	};

	host_port_add(PM1, 6, &pm1_ops, &pm1_status);
	ck_assert_int_eq(acpi_event_init(&fadt), 0);
}

static void button_unplug(void)
{
	acpi_event_stop();
	host_mmio_remove(&pm1_status);
}

static void button_press(void)
{
	pm1_status |= PM1_BUTTON;
	host_raise_gsi(SCI);
}

static bool press_in_the_middle, press_at_the_end;

KTEST(epsilon, comes_first)
{
	KEXPECT(t, true);
	if (press_in_the_middle)
		button_press();
}

KTEST(epsilon, comes_second)
{
	KEXPECT(t, true);
	if (press_at_the_end)
		button_press();
}

static struct ktest_totals run(const char *list)
{
	struct ktest_totals tot;

	host_console_clear();
	ktest_run_suites(list, &tot);
	return tot;
}

static void has(const char *text)
{
	ck_assert_msg(strstr(host_console(), text) != NULL,
		      "\"%s\" is not in:\n%s", text, host_console());
}

START_TEST(a_suite_is_a_nested_ktap_document)
{
	struct ktest_totals tot = run("beta");

	ck_assert_str_eq(host_console(),
		"KTAP version 1\n"
		"1..1\n"
		"    KTAP version 1\n"
		"    # Subtest: beta\n"
		"    1..1\n"
		"    # duration_ms 0.000\n"
		"    ok 1 is_skipped # SKIP only 1 CPU\n"
		"ok 1 beta # SKIP every test\n");
	ck_assert_uint_eq(tot.skipped, 1);
	ck_assert_uint_eq(tot.passed + tot.failed + tot.xfailed, 0);
}
END_TEST

START_TEST(verdicts_are_counted_and_failures_say_where)
{
	struct ktest_totals tot = run("alpha");

	has("    1..4\n");
	has("    ok 1 passes\n");
	has("    # tests/check_report.c:");
	has(": expected: two == 3\n");
	has(": expected: two (2) == 5 (5)\n");
	has(": expected: two == 4\n");
	has("    not ok 2 fails_and_says_where\n");
	has("    ok 3 meets_an_erratum # XFAIL qemu-amdvi-no-events\n");
	has("    ok 4 erratum_did_not_show\n");
	has("\nnot ok 1 alpha\n");
	ck_assert_ptr_null(strstr(host_console(), "never reached"));
	ck_assert_uint_eq(tot.passed, 2);
	ck_assert_uint_eq(tot.failed, 1);
	ck_assert_uint_eq(tot.xfailed, 1);
	ck_assert_uint_eq(tot.skipped, 0);
}
END_TEST

START_TEST(a_test_that_checks_nothing_fails)
{
	struct ktest_totals tot = run("gamma");

	has("    # nothing was checked\n");
	has("    not ok 1 checks_nothing\n");
	ck_assert_uint_eq(tot.failed, 1);
}
END_TEST

START_TEST(an_unknown_suite_fails)
{
	struct ktest_totals tot = run("beta,omega");

	has("1..2\n");
	has("# no suite is called omega\nnot ok 2 omega\n");
	ck_assert_uint_eq(tot.failed, 1);
	ck_assert_uint_eq(tot.skipped, 1);
}
END_TEST

START_TEST(all_runs_every_suite_once)
{
	struct ktest_totals tot = run("all");

	has("KTAP version 1\n1..5\n");
	has("ok 5 ");
	ck_assert_uint_eq(tot.passed, 5);
	ck_assert_uint_eq(tot.failed, 4);
	ck_assert_uint_eq(tot.skipped, 1);
	ck_assert_uint_eq(tot.xfailed, 1);
}
END_TEST

START_TEST(skips_hide_nothing_and_floods_are_cut)
{
	struct ktest_totals tot = run(",delta,");

	has("1..1\n");
	has("    not ok 1 skip_cannot_hide_a_failure\n");
	has("expected: number 15\n");
	ck_assert_ptr_null(strstr(host_console(), "number 16"));
	has("    # and 24 more failed checks\n");
	has("    # metric name=latency value=42 unit=ns\n"
	    "    # duration_ms 1.234\n"
	    "    ok 3 takes_its_time\n");
	ck_assert_uint_eq(tot.failed, 2);
	ck_assert_uint_eq(tot.passed, 1);
}
END_TEST

START_TEST(an_empty_list_runs_nothing)
{
	struct ktest_totals tot = run("");

	ck_assert_str_eq(host_console(), "KTAP version 1\n1..0\n");
	ck_assert_uint_eq(tot.passed + tot.failed, 0);
}
END_TEST

START_TEST(the_power_button_ends_the_run_after_the_running_test)
{
	struct ktest_totals tot;

	button_plug();
	press_in_the_middle = true;
	tot = run("epsilon,beta,nosuch");
	press_in_the_middle = false;
	button_unplug();
	has("1..3\n");
	has("    ok 1 comes_first\nBail out! power button\n");
	ck_assert_ptr_null(strstr(host_console(), "comes_second"));
	ck_assert_ptr_null(strstr(host_console(), "ok 1 epsilon"));
	ck_assert_ptr_null(strstr(host_console(), "beta"));
	ck_assert_ptr_null(strstr(host_console(), "nosuch"));
	ck_assert(tot.bailed);
	ck_assert_uint_eq(tot.passed, 1);
}
END_TEST

START_TEST(the_power_button_before_the_first_suite_leaves_the_plan_alone)
{
	struct ktest_totals tot;

	button_plug();
	button_press();
	tot = run("all");
	button_unplug();
	has("KTAP version 1\n1..5\nBail out! power button\n");
	ck_assert(tot.bailed);
	ck_assert_uint_eq(tot.passed + tot.failed + tot.skipped, 0);
}
END_TEST

/* Then nothing is left that would not have run. */
START_TEST(the_power_button_in_the_last_test_is_no_bail_out)
{
	struct ktest_totals tot;

	button_plug();
	press_at_the_end = true;
	tot = run("epsilon");
	press_at_the_end = false;
	button_unplug();
	has("ok 1 epsilon\n");
	ck_assert_ptr_null(strstr(host_console(), "Bail"));
	ck_assert(!tot.bailed);
	ck_assert_uint_eq(tot.passed, 2);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("json", host_start, host_finish, 0);

	tcase_add_test(t, the_parser_of_this_test_refuses_what_is_not_json);
	tcase_add_test(t, values_of_every_kind);
	tcase_add_test(t, any_byte_in_a_string_is_escaped);
	tcase_add_test(t, a_line_that_outgrows_the_buffer_is_never_broken);
	tcase_add_test(t, random_reports_are_always_json);
	tcase_add_test_raise_signal(t, an_unclosed_object_panics, 6);

	t = suite_group("ktest", host_start, host_finish, 0);
	tcase_add_test(t, a_suite_is_a_nested_ktap_document);
	tcase_add_test(t, verdicts_are_counted_and_failures_say_where);
	tcase_add_test(t, a_test_that_checks_nothing_fails);
	tcase_add_test(t, an_unknown_suite_fails);
	tcase_add_test(t, all_runs_every_suite_once);
	tcase_add_test(t, skips_hide_nothing_and_floods_are_cut);
	tcase_add_test(t, an_empty_list_runs_nothing);
	tcase_add_test(t, the_power_button_ends_the_run_after_the_running_test);
	tcase_add_test(t, the_power_button_before_the_first_suite_leaves_the_plan_alone);
	tcase_add_test(t, the_power_button_in_the_last_test_is_no_bail_out);
	return suite_run("report");
}
