/* SPDX-License-Identifier: MIT */
/* virt/fw_cfg.c against a model of QEMU's fw_cfg ports. */
#include "virt/fw_cfg.h"

#include <check.h>
#include <string.h>

#include "core/errno.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

#define FILE_KEY	0x21

static struct {
	const char *signature, *content;
	uint32_t count, size;
	uint8_t dir[4 + 2 * 64];
	uint16_t key;
	size_t pos;
} dev;

static uint64_t dev_read(void *ctx, size_t off, unsigned width)
{
	const char *text = dev.key == 0 ? dev.signature : dev.content;

	ck_assert_uint_eq(off, 1);
	ck_assert_uint_eq(width, 1);
	if (dev.key == 0x19)
		return dev.pos < sizeof(dev.dir) ? dev.dir[dev.pos++] : 0;
	return dev.pos < strlen(text) ? (uint8_t)text[dev.pos++] : 0;
}

static void dev_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	ck_assert_uint_eq(width, 2);
	dev.key = (uint16_t)val;
	dev.pos = 0;
}

static const struct host_mmio_ops dev_ops = { dev_read, dev_write };

static void be32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void present(const char *name, const char *content)
{
	memset(&dev, 0, sizeof(dev));
	dev.signature = "QEMU";
	dev.content = content;
	be32(dev.dir, 2);
	strcpy((char *)dev.dir + 4 + 8, "etc/other");
	be32(dev.dir + 4 + 64, (uint32_t)strlen(content));
	dev.dir[4 + 64 + 5] = FILE_KEY;
	strcpy((char *)dev.dir + 4 + 64 + 8, name);
	host_port_add(0x510, 2, &dev_ops, &dev);
}

static void teardown(void)
{
	host_mmio_remove(&dev);
	host_finish();
}

START_TEST(a_file_is_found_behind_others_and_terminated)
{
	char buf[32];

	present("opt/lodger/cmdline", "run=all");
	memset(buf, 'x', sizeof(buf));
	ck_assert_int_eq(fw_cfg_read("opt/lodger/cmdline", buf, sizeof(buf)), 7);
	ck_assert_str_eq(buf, "run=all");
	ck_assert_uint_eq(dev.key, FILE_KEY);
}
END_TEST

START_TEST(an_unknown_name_is_enoent)
{
	char buf[8];

	present("opt/lodger/cmdline", "x");
	ck_assert_int_eq(fw_cfg_read("opt/lodger", buf, sizeof(buf)), -ENOENT);
}
END_TEST

START_TEST(without_the_device_it_is_enodev)
{
	char buf[8];

	ck_assert_int_eq(fw_cfg_read("x", buf, sizeof(buf)), -ENODEV);
	present("x", "y");
	dev.signature = "QEMV";
	ck_assert_int_eq(fw_cfg_read("x", buf, sizeof(buf)), -ENODEV);
}
END_TEST

START_TEST(a_file_that_does_not_fit_with_its_nul_is_refused)
{
	char buf[8] = "before";

	present("x", "12345678");
	ck_assert_int_eq(fw_cfg_read("x", buf, sizeof(buf)), -E2BIG);
	ck_assert_str_eq(buf, "before");
}
END_TEST

START_TEST(a_directory_that_lies_about_its_length_ends)
{
	char buf[8];

	present("x", "y");
	be32(dev.dir, 0xffffffff);
	ck_assert_int_eq(fw_cfg_read("z", buf, sizeof(buf)), -ENODEV);
	be32(dev.dir, 500);
	ck_assert_int_eq(fw_cfg_read("z", buf, sizeof(buf)), -ENOENT);
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("fw_cfg", host_start, teardown, 0);

	tcase_add_test(tc, a_file_is_found_behind_others_and_terminated);
	tcase_add_test(tc, an_unknown_name_is_enoent);
	tcase_add_test(tc, without_the_device_it_is_enodev);
	tcase_add_test(tc, a_file_that_does_not_fit_with_its_nul_is_refused);
	tcase_add_test(tc, a_directory_that_lies_about_its_length_ends);
	return suite_run("fw_cfg");
}
