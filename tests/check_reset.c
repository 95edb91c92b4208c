/* SPDX-License-Identifier: MIT */
/* core/reset.c: what each way writes, in which order, and that each one ends. */
#include "core/reset.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "core/cpu.h"
#include "core/errno.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

#define KBC_BUSY	0x02

static struct {
	uint8_t cf9, kbc_status;
	char order[64];			/* "port=value " each */
} pc;

static void said(unsigned port, uint64_t val)
{
	size_t n = strlen(pc.order);

	snprintf(pc.order + n, sizeof(pc.order) - n, "%x=%x ", port,
		 (unsigned)val);
}

static uint64_t cf9_read(void *ctx, size_t off, unsigned width)
{
	return pc.cf9;
}

static void cf9_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	ck_assert_uint_eq(width, 1);
	said(0xcf9, val);
}

static uint64_t kbc_read(void *ctx, size_t off, unsigned width)
{
	return pc.kbc_status;
}

static void kbc_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	said(0x64, val);
}

static void own_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	ck_assert_uint_eq(width, 1);
	said(0x1234, val);
}

static const struct host_mmio_ops cf9_ops = { cf9_read, cf9_write };
static const struct host_mmio_ops kbc_ops = { kbc_read, kbc_write };
static const struct host_mmio_ops own_ops = { NULL, own_write };
static char own;

static struct acpi_fadt fadt = {
	.reset_supported = true, .reset_space = 1, .reset_value = 0x5a,
	.reset_addr = 0x1234,
};

static void setup(void)
{
	host_start();
	memset(&pc, 0, sizeof(pc));
	host_port_add(0xcf9, 1, &cf9_ops, &pc.cf9);
	host_port_add(0x64, 1, &kbc_ops, &pc.kbc_status);
	host_port_add(0x1234, 1, &own_ops, &own);
	host_mmio_add(0xfe001000, 1, &own_ops, &own);
}

static void teardown(void)
{
	host_mmio_remove(&pc.cf9);
	host_mmio_remove(&pc.kbc_status);
	host_mmio_remove(&own);
	host_finish();
}

START_TEST(the_register_of_the_fadt_gets_its_value)
{
	reset_init(&fadt);
	ck_assert_int_eq(reset_by(RESET_ACPI), -ETIMEDOUT);
	ck_assert_str_eq(pc.order, "1234=5a ");
}
END_TEST

START_TEST(the_register_of_the_fadt_may_be_in_memory)
{
	struct acpi_fadt f = fadt;

	f.reset_space = 0;
	f.reset_addr = 0xfe001000;
	reset_init(&f);
	ck_assert_int_eq(reset_by(RESET_ACPI), -ETIMEDOUT);
	ck_assert_str_eq(pc.order, "1234=5a ");
	f.reset_supported = false;
	reset_init(&f);			/* gives the window back */
}
END_TEST

START_TEST(the_register_of_the_fadt_may_be_in_pci_configuration)
{
	struct acpi_fadt f = fadt;
	struct fake_pci host, dev;

	fake_pci_init(&host, 0, 0x8086, 0x29c0, 0x060000);
	fake_pci_add(&host);
	fake_pci_init(&dev, 0x1f << 3 | 2, 0x8086, 0x2918, 0x060100);
	memset(dev.writable + 0x40, 0xff, 4);
	fake_pci_add(&dev);
	ck_assert_int_eq(pci_config_init(NULL), 0);
	f.reset_space = 2;
	f.reset_addr = UINT64_C(0x1f) << 32 | 2 << 16 | 0x41;
	reset_init(&f);
	ck_assert_int_eq(reset_by(RESET_ACPI), -ETIMEDOUT);
	ck_assert_uint_eq(dev.config[0x41], 0x5a);
	ck_assert_uint_eq(dev.config[0x40], 0);
	fake_pci_remove(&dev);
	fake_pci_remove(&host);
}
END_TEST

START_TEST(without_the_flag_the_register_is_not_touched)
{
	struct acpi_fadt f = fadt;

	f.reset_supported = false;
	reset_init(&f);
	ck_assert_int_eq(reset_by(RESET_ACPI), -ENOTSUP);
	ck_assert_str_eq(pc.order, "");
}
END_TEST

/* The bit must rise: one that stands already is taken down first. */
START_TEST(the_chipset_gets_a_rising_edge)
{
	pc.cf9 = 0x0c;
	ck_assert_int_eq(reset_by(RESET_CF9), -ETIMEDOUT);
	ck_assert_str_eq(pc.order, "cf9=a cf9=e ");
}
END_TEST

START_TEST(the_keyboard_controller_is_waited_for_with_an_end)
{
	nsec_t before = time_now();

	pc.kbc_status = KBC_BUSY;
	ck_assert_int_eq(reset_by(RESET_KBC), -ETIMEDOUT);
	ck_assert_str_eq(pc.order, "64=fe ");
	ck_assert_uint_lt(time_now() - before, NSEC_PER_SEC / 2);
}
END_TEST

START_TEST(no_keyboard_controller_is_not_written_to)
{
	pc.kbc_status = 0xff;
	ck_assert_int_eq(reset_by(RESET_KBC), -ENOTSUP);
	ck_assert_str_eq(pc.order, "");
}
END_TEST

START_TEST(all_ways_are_tried_in_order_and_it_ends)
{
	nsec_t before = time_now();

	reset_init(&fadt);
	reset_from(RESET_ACPI);
	ck_assert_str_eq(pc.order, "1234=5a cf9=2 cf9=6 64=fe ");
	ck_assert(host_logged("triple fault"));
	ck_assert(host_logged("triple did not do it"));
	ck_assert_uint_ge(time_now() - before, 4 * NSEC_PER_SEC / 10);
	ck_assert_uint_lt(time_now() - before, NSEC_PER_SEC);
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("reset", setup, teardown, 20);

	tcase_add_test(tc, the_register_of_the_fadt_gets_its_value);
	tcase_add_test(tc, the_register_of_the_fadt_may_be_in_memory);
	tcase_add_test(tc, the_register_of_the_fadt_may_be_in_pci_configuration);
	tcase_add_test(tc, without_the_flag_the_register_is_not_touched);
	tcase_add_test(tc, the_chipset_gets_a_rising_edge);
	tcase_add_test(tc, the_keyboard_controller_is_waited_for_with_an_end);
	tcase_add_test(tc, no_keyboard_controller_is_not_written_to);
	tcase_add_test(tc, all_ways_are_tried_in_order_and_it_ends);
	return suite_run("reset");
}
