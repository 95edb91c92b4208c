/* SPDX-License-Identifier: MIT */
/* core/cmdline.c */
#include "core/cmdline.h"

#include <check.h>
#include <string.h>

#include "core/bootinfo.h"
#include "core/errno.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

static const struct cmdline_key key_iommu = { "iommu", "on|off", "translate" };
static const struct cmdline_key key_run = { "run", "SUITE,…", "tests" };
static const struct cmdline_key key_mem = { "mem", "SIZE", "bytes" };
CMDLINE_KEY(key_iommu);
CMDLINE_KEY(key_run);
CMDLINE_KEY(key_mem);

static const char *get(const char *key)
{
	static char buf[64];

	ck_assert_int_eq(cmdline_get(key, buf, sizeof(buf)), 0);
	return buf;
}

START_TEST(words_have_keys_and_values)
{
	cmdline_init("  iommu=on\trun=msi,nvme  quiet ");
	ck_assert_str_eq(get("iommu"), "on");
	ck_assert_str_eq(get("run"), "msi,nvme");
	ck_assert_str_eq(get("quiet"), "");
	ck_assert(cmdline_has("quiet"));
	ck_assert(!cmdline_has("qui"));
	ck_assert(!cmdline_has("quiets"));
	ck_assert(!cmdline_has("on"));
	ck_assert_str_eq(cmdline_text(), "  iommu=on\trun=msi,nvme  quiet ");
}
END_TEST

START_TEST(a_quoted_value_may_hold_blanks)
{
	cmdline_init("run=\"read 1 2\" mem=4 say=\"unfinished business");
	ck_assert_str_eq(get("run"), "read 1 2");
	ck_assert_str_eq(get("mem"), "4");
	ck_assert_str_eq(get("say"), "unfinished business");
	ck_assert(!cmdline_has("business"));
	ck_assert(!cmdline_has("1"));
	ck_assert_uint_eq(cmdline_init("run=\"read 1 2\" mem=4"), 0);
}
END_TEST

START_TEST(the_last_of_equal_keys_wins)
{
	cmdline_init("mem=1 iommu=on mem=2");
	ck_assert_str_eq(get("mem"), "2");
}
END_TEST

START_TEST(an_absent_key_is_enoent_and_a_long_value_is_cut)
{
	char buf[4] = "zzz";

	cmdline_init("run=abcdef mem=abc");
	ck_assert_int_eq(cmdline_get("iommu", buf, sizeof(buf)), -ENOENT);
	ck_assert_int_eq(cmdline_get("run", buf, sizeof(buf)), -E2BIG);
	ck_assert_str_eq(buf, "abc");
	ck_assert_int_eq(cmdline_get("mem", buf, sizeof(buf)), 0);
}
END_TEST

START_TEST(unknown_keys_are_counted_and_named)
{
	ck_assert_uint_eq(cmdline_init("iommu=on iomu=off run=x zap"), 2);
	ck_assert(host_logged("\"iomu\""));
	ck_assert(host_logged("\"zap\""));
	ck_assert(!host_logged("\"iommu\""));
	ck_assert_uint_eq(cmdline_init(""), 0);
}
END_TEST

START_TEST(numbers_have_suffixes_and_bad_ones_are_said)
{
	cmdline_init("mem=64M run=12x iommu");
	ck_assert_uint_eq(cmdline_u64("mem", 1), MIB(64));
	ck_assert_uint_eq(cmdline_u64("absent", 5), 5);
	ck_assert(!host_logged("not a number"));
	ck_assert_uint_eq(cmdline_u64("run", 6), 6);
	ck_assert(host_logged("run=12x is ignored: not a number"));
	ck_assert_uint_eq(cmdline_u64("iommu", 7), 7);
}
END_TEST

START_TEST(lists_match_whole_words_only)
{
	cmdline_init("pv=clock,eoi,ipi one=x bare");
	ck_assert(cmdline_list_has("pv", "clock"));
	ck_assert(cmdline_list_has("pv", "eoi"));
	ck_assert(cmdline_list_has("pv", "ipi"));
	ck_assert(!cmdline_list_has("pv", "eo"));
	ck_assert(!cmdline_list_has("pv", "clock,eoi"));
	ck_assert(cmdline_list_has("one", "x"));
	ck_assert(!cmdline_list_has("bare", "x"));
	ck_assert(!cmdline_list_has("none", "x"));
}
END_TEST

START_TEST(switches_have_seven_spellings)
{
	cmdline_init("a=on b=1 c=yes d e=off f=0 g=no h=maybe");
	for (const char *k = "a\0b\0c\0d\0"; *k; k += 2)
		ck_assert(cmdline_bool(k, false));
	for (const char *k = "e\0f\0g\0"; *k; k += 2)
		ck_assert(!cmdline_bool(k, true));
	ck_assert(cmdline_bool("z", true));
	ck_assert(!cmdline_bool("z", false));
	ck_assert(cmdline_bool("h", true));
	ck_assert(host_logged("h=maybe is ignored"));
}
END_TEST

START_TEST(a_command_line_that_is_too_long_is_cut_and_said)
{
	static char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "mem=5 ", 6);
	cmdline_init(text);
	ck_assert(host_logged("cut after 1023 of 2999"));
	ck_assert_uint_eq(cmdline_u64("mem", 0), 5);
	ck_assert_uint_eq(strlen(cmdline_text()), BOOTINFO_CMDLINE - 1);
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("cmdline", host_start, host_finish, 0);

	tcase_add_test(tc, words_have_keys_and_values);
	tcase_add_test(tc, a_quoted_value_may_hold_blanks);
	tcase_add_test(tc, the_last_of_equal_keys_wins);
	tcase_add_test(tc, an_absent_key_is_enoent_and_a_long_value_is_cut);
	tcase_add_test(tc, unknown_keys_are_counted_and_named);
	tcase_add_test(tc, numbers_have_suffixes_and_bad_ones_are_said);
	tcase_add_test(tc, lists_match_whole_words_only);
	tcase_add_test(tc, switches_have_seven_spellings);
	tcase_add_test(tc, a_command_line_that_is_too_long_is_cut_and_said);
	return suite_run("cmdline");
}
