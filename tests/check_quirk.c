/* SPDX-License-Identifier: MIT */
/*
 * msi/quirk.c: words of irq.quirk= that are right, those that are not, and
 * whom they concern.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "core/cmdline.h"
#include "core/errno.h"
#include "msi/quirk.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

static struct pci_dev dev;

static void setup(void)
{
	host_start();
	dev = (struct pci_dev){ .vendor = 0x1b36, .device = 0x0010,
				.subvendor = 0x1af4, .subdevice = 0x1100 };
}

static void teardown(void)
{
	cmdline_init("");
	host_finish();
}

static struct quirk of(void)
{
	struct quirk q;

	quirk_of(&dev, &q);
	return q;
}

START_TEST(a_right_word_is_understood)
{
	static const struct {
		const char *word;
		uint16_t vendor, device;
		uint32_t sub;
		unsigned never, max;
	} right[] = {
		{ "1b36:0010=intx", 0x1b36, 0x10, 0, IRQ_MSIX | IRQ_MSI, 0 },
		{ "1B36:10=nomsi", 0x1b36, 0x10, 0, IRQ_MSI, 0 },
		{ "8086:ffff=nomsix", 0x8086, 0xffff, 0, IRQ_MSIX, 0 },
		{ "1:2=max=1", 1, 2, 0, 0, 1 },
		{ "1:2:3:4=max=2048", 1, 2, 0x30004, 0, 2048 },
	};
	struct quirk q;

	ck_assert_int_eq(quirk_parse(right[_i].word, &q), 0);
	ck_assert_uint_eq(q.vendor, right[_i].vendor);
	ck_assert_uint_eq(q.device, right[_i].device);
	ck_assert_uint_eq(q.sub, right[_i].sub);
	ck_assert_uint_eq(q.never, right[_i].never);
	ck_assert_uint_eq(q.max, right[_i].max);
	ck_assert_str_eq(q.why + strlen("irq.quirk="), right[_i].word);
}
END_TEST

static const char *const wrong[] = {
	"", ":", "=", "1b36", "1b36:0010", "1b36:0010=", "1b36:0010=msi",
	"1b36:0010=intxx", "1b36:0010=max=", "1b36:0010=max=0",
	"1b36:0010=max=x", "1b36:0010=max=4x", "1b36:0010=max=99999999999",
	"1b36:00100=intx", "1b36x0010=intx", "g:1=intx", ":1=intx", "1:=intx",
	"1:2:3=intx", "1:2:3:=intx", "1:2:3:4:5=intx", "0x1:2=intx",
	"1b36:0010 =intx",
};

START_TEST(a_wrong_word_is_refused_by_name)
{
	char line[80];
	struct quirk q;

	ck_assert_int_eq(quirk_parse(wrong[_i], &q), -EINVAL);
	snprintf(line, sizeof(line), "irq.quirk=\"1b36:10=nomsi,%s\"",
		 wrong[_i]);
	cmdline_init(line);
	ck_assert_uint_eq(of().never, IRQ_MSI);
	snprintf(line, sizeof(line), "\"%s\" refused", wrong[_i]);
	ck_assert_msg(host_logged(line), "%s", host_log());
}
END_TEST

START_TEST(what_is_wrong_is_said_once)
{
	const char *first;

	cmdline_init("irq.quirk=nonsense");
	of();
	of();
	first = strstr(host_log(), "nonsense");
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_null(strstr(first + 1, "nonsense"));
}
END_TEST

START_TEST(a_device_without_quirks_has_none)
{
	struct quirk q = of();

	ck_assert_uint_eq(q.never, 0);
	ck_assert_uint_eq(q.max, 0);
	ck_assert_str_eq(q.why, "");
	cmdline_init("irq.quirk=1b36:0011=intx,1b37:0010=intx");
	ck_assert_uint_eq(of().never, 0);
}
END_TEST

START_TEST(a_subsystem_narrows_it_down)
{
	cmdline_init("irq.quirk=1b36:0010:1af4:1101=intx");
	ck_assert_uint_eq(of().never, 0);
	cmdline_init("irq.quirk=1b36:0010:1af5:1100=intx");
	ck_assert_uint_eq(of().never, 0);
	cmdline_init("irq.quirk=1b36:0010:1af4:1100=intx");
	ck_assert_uint_eq(of().never, IRQ_MSIX | IRQ_MSI);
}
END_TEST

START_TEST(several_hold_together)
{
	struct quirk q;

	cmdline_init("irq.quirk=1b36:10=nomsi,1b36:10=max=8,1b36:10=max=3,"
		     "1b36:10=max=5,1b36:10=nomsix");
	q = of();
	ck_assert_uint_eq(q.never, IRQ_MSIX | IRQ_MSI);
	ck_assert_uint_eq(q.max, 3);
	ck_assert_str_eq(q.why, "irq.quirk=1b36:10=nomsi");
}
END_TEST

START_TEST(the_table_holds_without_a_command_line)
{
	dev.vendor = 0x1002;
	dev.device = 0x4380;
	ck_assert_uint_eq(of().never, IRQ_MSIX | IRQ_MSI);
	ck_assert_str_eq(of().why, "ATI SB600 AHCI");
	dev.vendor = 0x106b;
	dev.device = 0x2001;
	ck_assert_uint_eq(of().max, 1);
}
END_TEST

START_TEST(too_many_words_and_too_long_a_line_are_said)
{
	char line[400] = "irq.quirk=";

	for (unsigned i = 0; i < 17; i++)
		strcat(line, i ? ",1:1=intx" : "1:1=intx");
	cmdline_init(line);
	of();
	ck_assert(host_logged("\"1:1=intx\" left out, there is room for 16"));
	memset(line + 10, 'x', 300);
	cmdline_init(line);
	of();
	ck_assert(host_logged("longer than 255 bytes"));
}
END_TEST

int main(void)
{
	TCase *t = suite_group("quirk", setup, teardown, 0);

	tcase_add_loop_test(t, a_right_word_is_understood, 0, 5);
	tcase_add_loop_test(t, a_wrong_word_is_refused_by_name, 0,
			    ARRAY_SIZE(wrong));
	tcase_add_test(t, what_is_wrong_is_said_once);
	tcase_add_test(t, a_device_without_quirks_has_none);
	tcase_add_test(t, a_subsystem_narrows_it_down);
	tcase_add_test(t, several_hold_together);
	tcase_add_test(t, the_table_holds_without_a_command_line);
	tcase_add_test(t, too_many_words_and_too_long_a_line_are_said);
	return suite_run("quirk");
}
