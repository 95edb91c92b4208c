/* SPDX-License-Identifier: MIT */
/* core/monitor.c: a scripted keyboard, and what the terminal shows. */
#include "core/monitor.h"

#include <check.h>
#include <string.h>

#include "core/cmdline.h"
#include "core/errno.h"
#include "core/log.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

static const char *keys;

static int script(void)
{
	return *keys ? (unsigned char)*keys++ : -1;
}

static char ran[2048];

/* Says what it was called with: "<a|b c>". */
static int say_run(int argc, char **argv)
{
	strcat(ran, "<");
	for (int i = 1; i < argc; i++) {
		strcat(ran, i > 1 ? "|" : "");
		strcat(ran, argv[i]);
	}
	strcat(ran, ">");
	ck_assert_ptr_null(argv[argc]);
	return 0;
}

static int fail_run(int argc, char **argv)
{
	return -ETIMEDOUT;
}

static int picky_run(int argc, char **argv)
{
	return -EINVAL;
}

static const struct monitor_cmd picky = { "picky", "N [M]", "x", picky_run };
static const struct monitor_cmd say = { "say", "WORD…", "repeat", say_run };
static const struct monitor_cmd fail = { "fail", "", "fail", fail_run };
static const struct cmdline_key key = { "iommu", "on|off", "translate DMA" };
MONITOR_CMD(picky);
MONITOR_CMD(say);
MONITOR_CMD(fail);
CMDLINE_KEY(key);

static void type(const char *text)
{
	keys = text;
	monitor_loop(script);
}

static void shows(const char *text)
{
	ck_assert_msg(strstr(host_console(), text) != NULL,
		      "\"%s\" is not in:\n%s", text, host_console());
}

static unsigned prompts(void)
{
	const char *p = host_console();
	unsigned n = 0;

	for (; (p = strstr(p, "lodger> ")); p++)
		n++;
	return n;
}

START_TEST(a_line_is_echoed_and_run)
{
	type("say hello\r");
	ck_assert_str_eq(ran, "<hello>");
	ck_assert_str_eq(host_console(), "lodger> say hello\nlodger> \n");
}
END_TEST

START_TEST(cr_lf_and_crlf_each_end_one_line)
{
	type("say a\rsay b\nsay c\r\nsay d\n\nsay e\r");
	ck_assert_str_eq(ran, "<a><b><c><d><e>");
	ck_assert_uint_eq(prompts(), 7);
}
END_TEST

START_TEST(backspace_erases_on_screen_and_stops_at_the_prompt)
{
	type("\b\x7fsax\by b\x7f" "c\r");
	ck_assert_str_eq(ran, "<c>");
	ck_assert_str_eq(host_console(),
			 "lodger> sax\b \by b\b \bc\nlodger> \n");
}
END_TEST

START_TEST(ctrl_u_clears_and_ctrl_c_starts_anew)
{
	type("rubbish\x15say a\rmore\x03say b\r");
	ck_assert_str_eq(ran, "<a><b>");
	shows("more^C\nlodger> say b\n");
}
END_TEST

START_TEST(arrows_walk_the_history_and_return_to_the_draft)
{
	type("say 1\rsay 2\rsay 3\r"
	     "\x1b[A\x1b[A\r"			/* say 2 */
	     "\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\r"	/* stops at say 1 */
	     "say dr\x1b[A\x1b[A\x1b[B\x1b[B" "aft\r"
	     "\x1b[B\x1b[Bsay 4\r");
	ck_assert_str_eq(ran, "<1><2><3><2><1><draft><4>");
}
END_TEST

START_TEST(the_history_keeps_eight_lines_and_no_repeats)
{
	type("say 0\rsay 1\rsay 2\rsay 3\rsay 4\rsay 5\rsay 6\rsay 7\rsay 8\r"
	     "say 8\rsay 8\r\r");
	ran[0] = '\0';
	type("\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\r");
	ck_assert_str_eq(ran, "<1>");
}
END_TEST

START_TEST(other_escape_sequences_are_swallowed)
{
	type("sa\x1b[1;5C\x1b[3~\x1bOHy x\x01\x02\xc3\xa4\r");
	ck_assert_str_eq(ran, "<x>");
}
END_TEST

START_TEST(a_line_that_is_too_long_rings_and_is_not_overrun)
{
	char text[600];

	memset(text, 'x', sizeof(text));
	memcpy(text, "say ", 4);
	strcpy(&text[400], "\r");
	type(text);
	shows("\a");
	ck_assert_uint_eq(strlen(ran), 2 + 255 - 4);
}
END_TEST

START_TEST(quotes_hold_words_together)
{
	type("say \"a b\" 'c \"d' e\\ f g\"h i\"j \"\" '\\' \"\\\"\"\r");
	ck_assert_str_eq(ran, "<a b|c \"d|e f|gh ij||\\|\">");
}
END_TEST

START_TEST(a_quote_without_partner_and_too_many_words_run_nothing)
{
	type("say \"open\rsay 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6\r"
	     "say 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5\r");
	ck_assert_str_eq(ran, "<1|2|3|4|5|6|7|8|9|0|1|2|3|4|5>");
	shows("a quote has no partner\n");
	shows("more than 16 words\n");
}
END_TEST

START_TEST(errors_are_printed_by_name)
{
	type("fail\rnonsense\r   \r");
	shows("fail: -ETIMEDOUT\n");
	shows("nonsense: no such command; try help\n");
	shows("lodger>    \nlodger> \n");
}
END_TEST

START_TEST(who_types_wrong_arguments_is_told_the_right_ones)
{
	type("picky 1 2 3\r");
	shows("picky: -EINVAL; usage: picky N [M]\n");
}
END_TEST

/* "…" is three bytes and one column. */
START_TEST(the_columns_of_help_stand_below_each_other)
{
	type("help\r");
	shows("  say WORD…                  repeat\n");
	shows("  iommu on|off               translate DMA\n");
	shows("  picky N [M]                x\n");
}
END_TEST

START_TEST(poweroff_ends_the_session)
{
	type("poweroff\rsay never\r");
	ck_assert_str_eq(ran, "");
	ck_assert_str_eq(keys, "say never\r");
}
END_TEST

START_TEST(help_lists_commands_in_order_and_keys)
{
	const char *p;

	type("help\r");
	shows("  say WORD…");
	shows("  iommu on|off");
	shows("translate DMA\n");
	p = strstr(host_console(), "  fail ");
	ck_assert_ptr_nonnull(p);
	p = strstr(p, "  help ");
	ck_assert_ptr_nonnull(p);
	p = strstr(p, "  poweroff ");
	ck_assert_ptr_nonnull(p);
	ck_assert_ptr_nonnull(strstr(p, "  say "));
	host_console_clear();
	type("help say\rhelp nobody\r");
	shows("repeat\n");
	shows("help: -ENOENT\n");
}
END_TEST

START_TEST(exec_runs_one_line_and_returns_its_verdict)
{
	char a[] = "say x", b[] = "fail", c[] = "none", d[] = "", e[] = "say '";

	ck_assert_int_eq(monitor_exec(a), 0);
	ck_assert_str_eq(ran, "<x>");
	ck_assert_int_eq(monitor_exec(b), -ETIMEDOUT);
	ck_assert_int_eq(monitor_exec(c), -ENOENT);
	ck_assert_int_eq(monitor_exec(d), 0);
	ck_assert_int_eq(monitor_exec(e), -EINVAL);
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("monitor", host_start, host_finish, 0);

	tcase_add_test(tc, a_line_is_echoed_and_run);
	tcase_add_test(tc, cr_lf_and_crlf_each_end_one_line);
	tcase_add_test(tc, backspace_erases_on_screen_and_stops_at_the_prompt);
	tcase_add_test(tc, ctrl_u_clears_and_ctrl_c_starts_anew);
	tcase_add_test(tc, arrows_walk_the_history_and_return_to_the_draft);
	tcase_add_test(tc, the_history_keeps_eight_lines_and_no_repeats);
	tcase_add_test(tc, other_escape_sequences_are_swallowed);
	tcase_add_test(tc, a_line_that_is_too_long_rings_and_is_not_overrun);
	tcase_add_test(tc, quotes_hold_words_together);
	tcase_add_test(tc,
		a_quote_without_partner_and_too_many_words_run_nothing);
	tcase_add_test(tc, errors_are_printed_by_name);
	tcase_add_test(tc, who_types_wrong_arguments_is_told_the_right_ones);
	tcase_add_test(tc, the_columns_of_help_stand_below_each_other);
	tcase_add_test(tc, poweroff_ends_the_session);
	tcase_add_test(tc, help_lists_commands_in_order_and_keys);
	tcase_add_test(tc, exec_runs_one_line_and_returns_its_verdict);
	return suite_run("monitor");
}
