/* SPDX-License-Identifier: MIT */
/* boot/pvh.c: what a loader hands over, true or not. */
#include "boot/pvh.c"

#include <check.h>
#include <signal.h>
#include <string.h>

#include "tests/host/host.h"
#include "tests/host/suite.h"

#define INFO	0x10000u
#define MAP	0x11000u
#define LINE	0x12000u

static struct pvh_start_info *info(void)
{
	return phys_to_virt(INFO);
}

static void setup(void)
{
	static const struct pvh_memmap_entry map[] = {
		{ 0, 0x9fc00, MEM_RAM, 0 },
		{ MIB(1), MIB(31), MEM_RAM, 0 },
		{ 0xb0000000, MIB(256), MEM_RESERVED, 0 },
	};

	host_start();
	memset(&bootinfo, 0, sizeof(bootinfo));
	*info() = (struct pvh_start_info){
		.magic = PVH_MAGIC, .version = 1, .cmdline_paddr = LINE,
		.rsdp_paddr = 0xf59e0, .memmap_paddr = MAP,
		.memmap_entries = 3,
	};
	memcpy(phys_to_virt(MAP), map, sizeof(map));
	strcpy(phys_to_virt(LINE), "run=tour log=debug");
}

START_TEST(the_map_the_line_and_the_rsdp_arrive)
{
	pvh_parse(INFO);
	ck_assert_str_eq(bootinfo.how, "pvh");
	ck_assert_str_eq(bootinfo.cmdline, "run=tour log=debug");
	ck_assert_uint_eq(bootinfo.rsdp, 0xf59e0);
	ck_assert_uint_eq(bootinfo.nranges, 3);
	ck_assert_uint_eq(bootinfo.range[1].base, MIB(1));
	ck_assert_uint_eq(bootinfo.range[1].size, MIB(31));
	ck_assert_uint_eq(bootinfo.range[2].type, MEM_RESERVED);
}
END_TEST

START_TEST(our_own_boot_sector_is_recognised)
{
	info()->flags = PVH_FLAG_BOOT_SECTOR;
	pvh_parse(INFO);
	ck_assert_str_eq(bootinfo.how, "boot sector");
}
END_TEST

START_TEST(a_line_that_is_too_long_is_cut_and_terminated)
{
	memset(phys_to_virt(LINE), 'x', 3 * BOOTINFO_CMDLINE);
	pvh_parse(INFO);
	ck_assert_uint_eq(strlen(bootinfo.cmdline), BOOTINFO_CMDLINE - 1);
}
END_TEST

START_TEST(more_ranges_than_room_are_left_out)
{
	info()->memmap_entries = BOOTINFO_RANGES + 20;
	pvh_parse(INFO);
	ck_assert_uint_eq(bootinfo.nranges, BOOTINFO_RANGES);
}
END_TEST

START_TEST(no_command_line_is_an_empty_one)
{
	info()->cmdline_paddr = 0;
	pvh_parse(INFO);
	ck_assert_str_eq(bootinfo.cmdline, "");
}
END_TEST

START_TEST(another_magic_panics)
{
	info()->magic = 0x2badb002;
	pvh_parse(INFO);
}
END_TEST

START_TEST(no_memory_map_panics)
{
	info()->version = 0;
	pvh_parse(INFO);
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("pvh", setup, host_finish, 0);

	tcase_add_test(tc, the_map_the_line_and_the_rsdp_arrive);
	tcase_add_test(tc, our_own_boot_sector_is_recognised);
	tcase_add_test(tc, a_line_that_is_too_long_is_cut_and_terminated);
	tcase_add_test(tc, more_ranges_than_room_are_left_out);
	tcase_add_test(tc, no_command_line_is_an_empty_one);
	tcase_add_test_raise_signal(tc, another_magic_panics, SIGABRT);
	tcase_add_test_raise_signal(tc, no_memory_map_panics, SIGABRT);
	return suite_run("pvh");
}
