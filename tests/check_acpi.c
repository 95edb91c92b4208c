/* SPDX-License-Identifier: MIT */
/*
 * core/acpi.c: from the RSDP to the tables, in a memory that a test lays out:
 * the first MiB, a piece of RAM, and a hole that must not be touched (the host
 * side of the seam panics where there is no memory at all).
 */
#include "core/acpi.h"

#include <check.h>

#include "core/bootinfo.h"
#include "core/dma.h"
#include "core/errno.h"
#include "tests/acpi_build.h"
#include "tests/acpi_golden.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

#define RSDP_AT		0xf0000
#define ROOT_AT		0xf1000
#define XSDT_AT		0xf2000
#define TABLES_AT	MIB(2)		/* RAM of the memory map below */
#define HOLE_AT		MIB(8)		/* memory, but in no range */
#define REGISTERS_AT	0xfed00000	/* no memory at all */

static struct tab t;

static void setup(void)
{
	host_start();
	memset(phys_to_virt(0), 0, MIB(1));
	memset(&bootinfo, 0, sizeof(bootinfo));
	bootinfo.nranges = 3;
	bootinfo.range[0] = (struct mem_range){ MIB(1), MIB(4), MEM_RAM };
	bootinfo.range[1] = (struct mem_range){ MIB(5), MIB(1), MEM_RESERVED };
	bootinfo.range[2] = (struct mem_range){ 0xb0000000, MIB(256),
						MEM_RESERVED };
}

static void put(phys_t at)
{
	memcpy(phys_to_virt(at), t.b, t.n);
}

static void put_table(phys_t at, const char *sig, unsigned body)
{
	tab_start(&t, sig, 1);
	tab_zero(&t, body);
	tab_seal(&t);
	put(at);
}

static uint8_t sum_of(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum = (uint8_t)(sum + *p++);
	return sum;
}

/* Checksums are made right for the revision. */
static void put_rsdp_at(phys_t at, uint8_t revision, uint32_t rsdt,
			uint64_t xsdt)
{
	uint8_t *p = phys_to_virt(at);

	memset(p, 0, 36);
	memcpy(p, "RSD PTR ", 8);
	p[15] = revision;
	memcpy(p + 16, &rsdt, 4);
	memcpy(p + 24, &xsdt, 8);
	p[20] = 36;
	p[8] = (uint8_t)-sum_of(p, 20);
	p[32] = (uint8_t)-sum_of(p, 36);
}

static void put_root(phys_t at, const char *sig, unsigned entry,
		     const phys_t *pa, unsigned n)
{
	tab_start(&t, sig, 1);
	for (unsigned i = 0; i < n; i++)
		tab_le(&t, pa[i], entry);
	tab_seal(&t);
	put(at);
}

#define RSDT(...)							\
	do {								\
		static const phys_t pa_[] = { __VA_ARGS__ };		\
		put_root(ROOT_AT, "RSDT", 4, pa_, ARRAY_SIZE(pa_));	\
		put_rsdp_at(RSDP_AT, 0, ROOT_AT, 0);			\
	} while (0)

/* ---- finding ---- */

START_TEST(tables_are_found_from_the_given_rsdp)
{
	put_table(TABLES_AT, "APIC", 20);
	put_table(TABLES_AT + 0x100, "SSDT", 4);
	put_table(MIB(5) + 0x100, "SSDT", 8);	/* a small reserved range */
	RSDT(TABLES_AT, TABLES_AT + 0x100, MIB(5) + 0x100);
	ck_assert_int_eq(acpi_init(RSDP_AT), 3);
	ck_assert_ptr_eq(acpi_find("APIC", 0), phys_to_virt(TABLES_AT));
	ck_assert_ptr_null(acpi_find("APIC", 1));
	ck_assert_ptr_eq(acpi_find("SSDT", 0), phys_to_virt(TABLES_AT + 0x100));
	ck_assert_ptr_eq(acpi_find("SSDT", 1), phys_to_virt(MIB(5) + 0x100));
	ck_assert_ptr_null(acpi_find("DMAR", 0));
	ck_assert(!acpi_broken("DMAR"));
	ck_assert_str_eq(host_log(), "");
}
END_TEST

START_TEST(rsdp_is_searched_in_the_bios_area)
{
	put_table(TABLES_AT, "APIC", 20);
	RSDT(TABLES_AT);
	memset(phys_to_virt(RSDP_AT), 0, 36);
	put_rsdp_at(0xfffe0, 0, ROOT_AT, 0);	/* the last place but one */
	ck_assert_int_eq(acpi_init(0), 1);
}
END_TEST

START_TEST(rsdp_is_searched_in_the_ebda_first)
{
	static const phys_t other[] = { TABLES_AT + 0x100 };
	const uint8_t segment[] = { 0xc0, 0x9f };	/* 0x9fc00 */

	put_table(TABLES_AT, "APIC", 20);
	put_table(TABLES_AT + 0x100, "HPET", 20);
	RSDT(TABLES_AT);
	put_root(XSDT_AT, "RSDT", 4, other, 1);
	put_rsdp_at(0x9fc20, 0, XSDT_AT, 0);
	memcpy(phys_to_virt(0x40e), segment, 2);
	ck_assert_int_eq(acpi_init(0), 1);
	ck_assert_ptr_nonnull(acpi_find("HPET", 0));
}
END_TEST

START_TEST(rsdp_with_a_bad_checksum_is_passed_over)
{
	put_table(TABLES_AT, "APIC", 20);
	RSDT(TABLES_AT);
	put_rsdp_at(0xe0010, 0, ROOT_AT, 0);
	((uint8_t *)phys_to_virt(0xe0010))[9]++;
	ck_assert_int_eq(acpi_init(0), 1);
	((uint8_t *)phys_to_virt(RSDP_AT))[9]++;
	ck_assert_int_eq(acpi_init(0), -ENOENT);
	ck_assert_ptr_null(acpi_find("APIC", 0));
}
END_TEST

START_TEST(a_given_rsdp_that_is_broken_is_searched_for)
{
	put_table(TABLES_AT, "APIC", 20);
	RSDT(TABLES_AT);
	ck_assert_int_eq(acpi_init(TABLES_AT), 1);
	ck_assert(host_logged("RSDP at 0x200000 is broken"));
	ck_assert_int_eq(acpi_init(REGISTERS_AT), 1);
	ck_assert_int_eq(acpi_init(HOLE_AT), 1);
	ck_assert_int_eq(acpi_init(UINT64_MAX - 4), 1);
}
END_TEST

START_TEST(no_rsdp_is_enoent)
{
	ck_assert_int_eq(acpi_init(0), -ENOENT);
	ck_assert_ptr_null(acpi_find("APIC", 0));
	ck_assert(!acpi_broken("DMAR"));
}
END_TEST

/* ---- RSDT or XSDT ---- */

static void both_roots(uint8_t revision)
{
	static const phys_t by_rsdt[] = { TABLES_AT };
	static const phys_t by_xsdt[] = { TABLES_AT + 0x100 };

	put_table(TABLES_AT, "APIC", 20);
	put_table(TABLES_AT + 0x100, "HPET", 20);
	put_root(ROOT_AT, "RSDT", 4, by_rsdt, 1);
	put_root(XSDT_AT, "XSDT", 8, by_xsdt, 1);
	put_rsdp_at(RSDP_AT, revision, ROOT_AT, XSDT_AT);
}

START_TEST(revision_2_uses_the_xsdt)
{
	both_roots(2);
	ck_assert_int_eq(acpi_init(RSDP_AT), 1);
	ck_assert_ptr_nonnull(acpi_find("HPET", 0));
	ck_assert_ptr_null(acpi_find("APIC", 0));
}
END_TEST

START_TEST(revision_0_with_an_xsdt_uses_the_rsdt)
{
	both_roots(0);
	ck_assert_int_eq(acpi_init(RSDP_AT), 1);
	ck_assert_ptr_nonnull(acpi_find("APIC", 0));
	ck_assert_ptr_null(acpi_find("HPET", 0));
}
END_TEST

START_TEST(a_broken_extended_checksum_falls_back_to_the_rsdt)
{
	both_roots(2);
	((uint8_t *)phys_to_virt(RSDP_AT))[33]++;
	ck_assert_int_eq(acpi_init(RSDP_AT), 1);
	ck_assert_ptr_nonnull(acpi_find("APIC", 0));
	ck_assert(host_logged("using the RSDT"));
}
END_TEST

START_TEST(an_rsdp_whose_length_is_a_lie_falls_back_to_the_rsdt)
{
	static const uint32_t lengths[] = { 0, 20, 35, 0xfffffff0, 0xffffffff };

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		both_roots(2);
		memcpy((uint8_t *)phys_to_virt(RSDP_AT) + 20, &lengths[i], 4);
		ck_assert_int_eq(acpi_init(RSDP_AT), 1);
		ck_assert_ptr_nonnull(acpi_find("APIC", 0));
	}
}
END_TEST

START_TEST(a_broken_xsdt_falls_back_to_the_rsdt)
{
	both_roots(2);
	((uint8_t *)phys_to_virt(XSDT_AT))[20]++;
	ck_assert_int_eq(acpi_init(RSDP_AT), 1);
	ck_assert_ptr_nonnull(acpi_find("APIC", 0));
	ck_assert(host_logged("XSDT at 0xf2000 is broken"));
}
END_TEST

START_TEST(an_xsdt_at_0_falls_back_to_the_rsdt)
{
	both_roots(2);
	put_rsdp_at(RSDP_AT, 2, ROOT_AT, 0);
	ck_assert_int_eq(acpi_init(RSDP_AT), 1);
	ck_assert_ptr_nonnull(acpi_find("APIC", 0));
}
END_TEST

START_TEST(broken_root_tables_leave_every_table_in_doubt)
{
	both_roots(2);
	((uint8_t *)phys_to_virt(XSDT_AT))[20]++;
	((uint8_t *)phys_to_virt(ROOT_AT))[20]++;
	ck_assert_int_eq(acpi_init(RSDP_AT), -ENOENT);
	ck_assert(acpi_broken("DMAR"));
	ck_assert(acpi_broken("APIC"));
}
END_TEST

/* ---- broken tables ---- */

START_TEST(a_broken_table_is_named_and_left_out)
{
	put_table(TABLES_AT, "DMAR", 20);
	((uint8_t *)phys_to_virt(TABLES_AT))[40]++;
	put_table(TABLES_AT + 0x100, "APIC", 20);
	RSDT(TABLES_AT, TABLES_AT + 0x100);
	ck_assert_int_eq(acpi_init(RSDP_AT), 1);
	ck_assert_ptr_null(acpi_find("DMAR", 0));
	ck_assert(acpi_broken("DMAR"));
	ck_assert(!acpi_broken("APIC"));
	ck_assert(!acpi_broken("IVRS"));
	ck_assert(host_logged("DMAR at 0x200000 is broken: left out"));
}
END_TEST

START_TEST(lengths_that_leave_memory_are_refused)
{
	static const uint32_t lengths[] = { 0, 35, MIB(3) + 1, 0x7fffffff,
					    0xffffffff };

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		put_table(TABLES_AT, "APIC", 20);
		memcpy((uint8_t *)phys_to_virt(TABLES_AT) + 4, &lengths[i], 4);
		RSDT(TABLES_AT);
		ck_assert_int_eq(acpi_init(RSDP_AT), 0);
		ck_assert(acpi_broken("APIC"));
	}
}
END_TEST

/* Tables at 0, at registers, in a hole, at the end of all addresses. */
START_TEST(a_table_outside_memory_is_not_touched_and_counts_for_all)
{
	static const phys_t where[] = {
		0, REGISTERS_AT, HOLE_AT, 0xb0000000, 0xffffffff, 0xfffffff0,
	};

	put_table(TABLES_AT, "APIC", 20);
	for (unsigned i = 0; i < ARRAY_SIZE(where); i++) {
		const phys_t pa[] = { TABLES_AT, where[i] };

		put_root(ROOT_AT, "RSDT", 4, pa, 2);
		put_rsdp_at(RSDP_AT, 0, ROOT_AT, 0);
		ck_assert_int_eq(acpi_init(RSDP_AT), 1);
		ck_assert(acpi_broken("DMAR"));
		ck_assert(!acpi_broken("APIC"));
	}
	ck_assert(host_logged("???? at 0xfed00000 is not in memory"));
}
END_TEST

START_TEST(an_xsdt_entry_above_all_memory_is_not_touched)
{
	static const phys_t pa[] = { UINT64_MAX, UINT64_MAX - 35,
				     UINT64_C(1) << 63 };

	put_root(XSDT_AT, "XSDT", 8, pa, 3);
	put_rsdp_at(RSDP_AT, 2, 0, XSDT_AT);
	ck_assert_int_eq(acpi_init(RSDP_AT), 0);
	ck_assert(acpi_broken("DMAR"));
}
END_TEST

START_TEST(more_tables_than_room_are_said_and_leave_doubt)
{
	phys_t pa[70];

	put_table(TABLES_AT, "SSDT", 4);
	for (unsigned i = 0; i < 70; i++)
		pa[i] = TABLES_AT;
	put_root(ROOT_AT, "RSDT", 4, pa, 70);
	put_rsdp_at(RSDP_AT, 0, ROOT_AT, 0);
	ck_assert_int_eq(acpi_init(RSDP_AT), 64);
	ck_assert(host_logged("70 tables"));
	ck_assert(acpi_broken("DMAR"));
	ck_assert(!acpi_broken("SSDT"));
}
END_TEST

START_TEST(a_root_table_without_entries_has_no_tables)
{
	put_table(ROOT_AT, "RSDT", 3);		/* not even one whole entry */
	put_rsdp_at(RSDP_AT, 0, ROOT_AT, 0);
	ck_assert_int_eq(acpi_init(RSDP_AT), 0);
	ck_assert(!acpi_broken("DMAR"));
}
END_TEST

START_TEST(a_table_that_another_points_to_is_checked)
{
	put_table(TABLES_AT, "DSDT", 100);
	ck_assert_ptr_eq(acpi_at(TABLES_AT), phys_to_virt(TABLES_AT));
	((uint8_t *)phys_to_virt(TABLES_AT))[50]++;
	ck_assert_ptr_null(acpi_at(TABLES_AT));
	ck_assert(host_logged("DSDT at 0x200000 is broken"));
	ck_assert_ptr_null(acpi_at(0));
	ck_assert_ptr_null(acpi_at(REGISTERS_AT));
}
END_TEST

START_TEST(the_report_names_each_table_and_its_verdict)
{
	memcpy(phys_to_virt(TABLES_AT), golden_intel_dmar,
	       sizeof(golden_intel_dmar));
	put_table(TABLES_AT + 0x100, "HPET", 20);
	((uint8_t *)phys_to_virt(TABLES_AT))[100]++;
	RSDT(TABLES_AT, TABLES_AT + 0x100, REGISTERS_AT);
	ck_assert_int_eq(acpi_init(RSDP_AT), 1);
	acpi_report();
	ck_assert_ptr_nonnull(strstr(host_console(), "3 tables, 1 intact"));
	ck_assert_ptr_nonnull(strstr(host_console(),
		"@json {\"event\":\"acpi_table\",\"signature\":\"DMAR\","
		"\"address\":\"0x200000\",\"length\":112,"
		"\"verdict\":\"broken\"}\n"));
	ck_assert_ptr_nonnull(strstr(host_console(),
		"\"signature\":\"HPET\",\"address\":\"0x200100\","
		"\"length\":56,\"verdict\":\"ok\"}\n"));
	ck_assert_ptr_nonnull(strstr(host_console(),
		"\"verdict\":\"not in memory\"}\n"));
}
END_TEST

int main(void)
{
	TCase *c = suite_group("acpi", setup, host_finish, 0);

	tcase_add_test(c, tables_are_found_from_the_given_rsdp);
	tcase_add_test(c, rsdp_is_searched_in_the_bios_area);
	tcase_add_test(c, rsdp_is_searched_in_the_ebda_first);
	tcase_add_test(c, rsdp_with_a_bad_checksum_is_passed_over);
	tcase_add_test(c, a_given_rsdp_that_is_broken_is_searched_for);
	tcase_add_test(c, no_rsdp_is_enoent);
	tcase_add_test(c, revision_2_uses_the_xsdt);
	tcase_add_test(c, revision_0_with_an_xsdt_uses_the_rsdt);
	tcase_add_test(c, a_broken_extended_checksum_falls_back_to_the_rsdt);
	tcase_add_test(c, an_rsdp_whose_length_is_a_lie_falls_back_to_the_rsdt);
	tcase_add_test(c, a_broken_xsdt_falls_back_to_the_rsdt);
	tcase_add_test(c, an_xsdt_at_0_falls_back_to_the_rsdt);
	tcase_add_test(c, broken_root_tables_leave_every_table_in_doubt);
	tcase_add_test(c, a_broken_table_is_named_and_left_out);
	tcase_add_test(c, lengths_that_leave_memory_are_refused);
	tcase_add_test(c,
		a_table_outside_memory_is_not_touched_and_counts_for_all);
	tcase_add_test(c, an_xsdt_entry_above_all_memory_is_not_touched);
	tcase_add_test(c, more_tables_than_room_are_said_and_leave_doubt);
	tcase_add_test(c, a_root_table_without_entries_has_no_tables);
	tcase_add_test(c, a_table_that_another_points_to_is_checked);
	tcase_add_test(c, the_report_names_each_table_and_its_verdict);
	return suite_run("acpi");
}
