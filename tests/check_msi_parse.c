/* SPDX-License-Identifier: MIT */
/*
 * msi/parse.c: what a device says about MSI and MSI-X, true
 * or not. Each lie has a name, and the words by which it must be refused.
 *
 * The function under test is made of bytes. It has BAR 0 of 64 KiB, 64 bits
 * wide; BAR 2 of 4 KiB; BAR 3, ports; BAR 4 of 8 GiB, 64 bits wide, so that
 * offsets of 32 bits end within it.
 */
#include <check.h>
#include <string.h>

#include "core/errno.h"
#include "core/io.h"
#include "core/pcireg.h"
#include "msi/msi.h"
#include "msi/msireg.h"
#include "msi/parse.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

#define CAP		0x40		/* where most cases put it */

static struct fake_pci f;
static struct pci_dev *p;
static struct pci_caps list;
static struct msi_cap cap;

static void setup(void)
{
	host_start();
	fake_pci_init(&f, PCI_BDF(0, 5, 0), 0x1b36, 0x10, 0x010802);
	fake_pci_bar(&f, 0, 0x10000, true, NULL, NULL);
	fake_pci_bar(&f, 2, 0x1000, false, NULL, NULL);
	f.bar[3].is_io = true;
	fake_pci_bar(&f, 3, 0x100, false, NULL, NULL);
	fake_pci_bar(&f, 4, GIB(8), true, NULL, NULL);
	f.config[PCI_STATUS] = PCI_STATUS_CAPS;
	f.config[PCI_CAP_POINTER] = CAP;
}

static void teardown(void)
{
	host_finish();
}

static void probe(void)
{
	fake_pci_add(&f);
	p = host_pci_probe(&f);
	ck_assert_ptr_nonnull(p);
}

static void put16(unsigned at, unsigned val)
{
	f.config[at] = (uint8_t)val;
	f.config[at + 1] = (uint8_t)(val >> 8);
}

static void put32(unsigned at, uint32_t val)
{
	put16(at, val & 0xffff);
	put16(at + 2, val >> 16);
}

/* A capability of id at at, followed by the one at next. */
static void put_cap(unsigned at, uint8_t id, unsigned next)
{
	f.config[at] = id;
	f.config[at + 1] = (uint8_t)next;
}

static void put_msi(unsigned at, unsigned next, unsigned ctrl)
{
	unsigned data = at + (ctrl & MSI_CTRL_64 ? MSI_DATA_64 : MSI_DATA_32);

	put_cap(at, MSI_CAP_ID, next);
	put16(at + 2, ctrl);
	f.writable[at + 2] = 0x71;
	if (at + 24 > 256)
		return;
	memset(&f.writable[at + 4], 0xff, data + 2 - at - 4);
	if (ctrl & MSI_CTRL_MASKABLE)
		memset(&f.writable[data + MSI_MASK_BEHIND], 0xff, 4);
}

static void put_msix(unsigned at, unsigned next, unsigned entries,
		     uint32_t table, uint32_t pba)
{
	put_cap(at, MSIX_CAP_ID, next);
	put16(at + 2, entries - 1);
	put32(at + 4, table);
	put32(at + 8, pba);
	f.writable[at + 3] = 0xc0;
}

/* Let the bus serve the table of put_msix(…, 4, 0x0, 0x800), and decode it. */
static void serve_table(void)
{
	f.msix_entries = 4;
	f.msix_pba = 0x800;
	pci_enable_memory(p);
}

static int parse(uint8_t id)
{
	pci_read_caps(p, &list);
	return id == MSI_CAP_ID ? msi_parse(p, &list, &cap) :
				  msix_parse(p, &list, &cap);
}

/* ---- the truth ---- */

START_TEST(msi_of_every_shape_is_understood)
{
	unsigned code = (unsigned)_i / 4;
	unsigned ctrl = code << 1 | (_i & 1 ? MSI_CTRL_64 : 0) |
			(_i & 2 ? MSI_CTRL_MASKABLE : 0);

	put_msi(CAP, 0, ctrl);
	probe();
	ck_assert_int_eq(parse(MSI_CAP_ID), 0);
	ck_assert_uint_eq(cap.pos, CAP);
	ck_assert_uint_eq(cap.vectors, 1u << code);
	ck_assert_int_eq(cap.is_64, _i & 1);
	ck_assert_int_eq(cap.maskable, !!(_i & 2));
	ck_assert_uint_eq(msi_data_offset(&cap), _i & 1 ? 12 : 8);
	ck_assert_uint_eq(cap.ctrl, ctrl);
	ck_assert(!cap.enabled);
	ck_assert_int_eq(parse(MSIX_CAP_ID), -ENOENT);
}
END_TEST

static const struct {
	unsigned entries;
	uint32_t table, pba;
} healthy[] = {
	{ 1, 0x0 | 0, 0x10 | 0 },		/* as tight as can be */
	{ 64, 0x10 | 0, 0x8 | 0 },		/* 8 bytes of bits before it */
	{ 65, 0x10 | 0, 0x0 | 0 },		/* 16 */
	{ 2048, 0x0 | 0, 0x8000 | 0 },
	{ 2048, 0x8000 | 0, 0x0 | 2 },		/* in two BARs */
	{ 3, 0xfd0 | 2, 0xfc8 | 2 },		/* to the BAR's last byte */
	{ 4, 0xffffffc0 | 4, 0x0 | 4 },		/* up to 4 GiB */
	{ 2048, 0xfffffff8 | 4, 0x7fffffe8 | 4 },	/* and beyond */
	{ 2048, 0x0 | 0, 0xfffffff8 | 4 },
};

START_TEST(msix_in_every_legal_place_is_understood)
{
	unsigned n = healthy[_i].entries;

	put_msix(CAP, 0, n, healthy[_i].table, healthy[_i].pba);
	probe();
	ck_assert_msg(parse(MSIX_CAP_ID) == 0, "%s", cap.why);
	ck_assert_uint_eq(cap.vectors, n);
	ck_assert_uint_eq(cap.table.bir, healthy[_i].table & 7);
	ck_assert_uint_eq(cap.table.offset, healthy[_i].table & ~7u);
	ck_assert_uint_eq(cap.table.size, 16 * n);
	ck_assert_uint_eq(cap.pba.bir, healthy[_i].pba & 7);
	ck_assert_uint_eq(cap.pba.offset, healthy[_i].pba & ~7u);
	ck_assert_uint_eq(cap.pba.size, (n + 63) / 64 * 8);
	ck_assert_str_eq(cap.why, "");
}
END_TEST

/* Each of the six numbers, where that BAR has 4 KiB of memory. */
START_TEST(msix_in_every_bar_is_understood)
{
	memset(f.bar, 0, sizeof(f.bar));
	memset(&f.config[PCI_BAR(0)], 0, 24);
	memset(&f.writable[PCI_BAR(0)], 0, 24);
	fake_pci_bar(&f, (unsigned)_i, 0x1000, _i == 1 || _i == 3, NULL, NULL);
	put_msix(CAP, 0, 8, 0x800 | (unsigned)_i, 0xc00 | (unsigned)_i);
	probe();
	ck_assert_msg(parse(MSIX_CAP_ID) == 0, "%s", cap.why);
	ck_assert_uint_eq(cap.table.bir, (unsigned)_i);
}
END_TEST

START_TEST(both_are_found_in_one_list_wherever_they_are)
{
	put_cap(CAP, 0x01, 0xf3);		/* low bits are reserved */
	put_msix(0xf0, 0xd8, 4, 0x0, 0x800);	/* to 0xfc: next to the end */
	put_msi(0xd8, 0x02, 0x180);		/* 24 bytes, up to the other */
	probe();
	ck_assert_msg(parse(MSI_CAP_ID) == 0, "%s", cap.why);
	ck_assert_uint_eq(cap.pos, 0xd8);
	ck_assert_msg(parse(MSIX_CAP_ID) == 0, "%s", cap.why);
	ck_assert_uint_eq(cap.pos, 0xf0);
}
END_TEST

START_TEST(what_firmware_left_enabled_is_noticed)
{
	put_msi(CAP, 0x60, 0x80 | MSI_CTRL_ENABLE);
	put_msix(0x60, 0, 4, 0x0, 0x800);
	f.config[0x63] |= 0x80;
	probe();
	ck_assert_int_eq(parse(MSI_CAP_ID), 0);
	ck_assert(cap.enabled);
	ck_assert_int_eq(parse(MSIX_CAP_ID), 0);
	ck_assert(cap.enabled);
}
END_TEST

START_TEST(a_bridge_has_msix_in_its_two_bars)
{
	fake_pci_init(&f, PCI_BDF(0, 5, 0), 0x1b36, 0x0c, 0x060400);
	f.config[PCI_HEADER] = PCI_HEADER_BRIDGE;
	fake_pci_bar(&f, 0, 0x1000, false, NULL, NULL);
	fake_pci_bar(&f, 1, 0x1000, false, NULL, NULL);
	fake_pci_msix(&f, 4, 1, 0x0, 0x800);
	probe();
	ck_assert_msg(parse(MSIX_CAP_ID) == 0, "%s", cap.why);
}
END_TEST

/* ---- lies: each with its name, what it does, and what must be said ---- */

static void list_of_nothing(void)
{
	f.config[PCI_CAP_POINTER] = 0;
}
static void list_not_announced(void)
{
	put_msi(CAP, 0, 0);
	f.config[PCI_STATUS] = 0;
}
static void list_of_a_cardbus_bridge(void)
{
	put_msi(CAP, 0, 0);
	f.config[PCI_HEADER] = 2;
}
static void list_loops_at_once(void)
{
	put_msi(CAP, CAP, 0);
}
static void list_loops_later(void)
{
	put_msi(CAP, 0x60, 0);
	put_cap(0x60, 0x01, 0x70);
	put_cap(0x70, 0x09, 0x61);
}
static void list_of_every_dword_loops(void)
{
	for (unsigned at = 0x40; at < 0x100; at += 4)
		put_cap(at, 0x01, at == 0xfc ? 0x40 : at + 4);
}
static void list_starts_in_the_header(void)
{
	f.config[PCI_CAP_POINTER] = 0x3c;
}
static void list_starts_at_4(void)
{
	f.config[PCI_CAP_POINTER] = 0x04;
}
static void list_goes_on_in_the_header(void)
{
	put_msi(CAP, 0x10, 0);
}
static void list_goes_on_where_nobody_answers(void)
{
	put_msi(CAP, 0x80, 0);
	memset(&f.config[0x80], 0xff, 0x80);
}
static void list_starts_at_ff(void)
{
	f.config[PCI_CAP_POINTER] = 0xff;
	f.config[0xfc] = 0xff;
}
static void msi_twice(void)
{
	put_msi(CAP, 0x60, 0);
	put_msi(0x60, 0, 0);
}
static void msi_code_6(void)
{
	put_msi(CAP, 0, 6 << 1);
}
static void msi_code_7(void)
{
	put_msi(CAP, 0, 7 << 1 | 0x180);
}
static void msi_of_10_bytes_at_f8(void)
{
	f.config[PCI_CAP_POINTER] = 0xf8;
	put_msi(0xf8, 0, 0);
}
static void msi_of_14_bytes_at_f4(void)
{
	f.config[PCI_CAP_POINTER] = 0xf4;
	put_msi(0xf4, 0, MSI_CTRL_64);
}
static void msi_of_20_bytes_at_f0(void)
{
	f.config[PCI_CAP_POINTER] = 0xf0;
	put_msi(0xf0, 0, MSI_CTRL_MASKABLE);
}
static void msi_of_24_bytes_at_ec(void)
{
	f.config[PCI_CAP_POINTER] = 0xec;
	put_msi(0xec, 0, MSI_CTRL_64 | MSI_CTRL_MASKABLE);
}
static void msi_at_the_last_dword(void)
{
	f.config[PCI_CAP_POINTER] = 0xfc;
	put_msi(0xfc, 0, 0);
}
static void msi_reaches_into_another(void)
{
	put_msi(CAP, 0x54, MSI_CTRL_64 | MSI_CTRL_MASKABLE);
	put_cap(0x54, 0x01, 0);
}
static void msix_twice(void)
{
	put_msix(CAP, 0x60, 4, 0x0, 0x800);
	put_msix(0x60, 0, 4, 0x0, 0x800);
}
static void msix_at_f8(void)
{
	f.config[PCI_CAP_POINTER] = 0xf8;
	put_msix(0xf8, 0, 4, 0x0, 0x800);
}
static void msix_at_the_last_dword(void)
{
	f.config[PCI_CAP_POINTER] = 0xfc;
	put_msix(0xfc, 0, 4, 0x0, 0x800);
}
static void msix_reaches_into_another(void)
{
	put_msix(CAP, 0x48, 4, 0x0, 0x800);
	put_cap(0x48, 0x01, 0);
	put32(0x48, 0x001);			/* a PBA that would be fine */
}
static void table_in_an_absent_bar(void)
{
	memset(&f.writable[PCI_BAR(2)], 0, 4);
	put_msix(CAP, 0, 4, 0x0 | 2, 0x800);
}
static void pba_in_an_absent_bar(void)
{
	memset(&f.writable[PCI_BAR(2)], 0, 4);
	put_msix(CAP, 0, 4, 0x0, 0x800 | 2);
}
static void everything_is_ones_but_the_id(void)
{
	memset(&f.config[CAP], 0xff, 0xc0);
	put_cap(CAP, MSIX_CAP_ID, 0);
}
static void bridge_with_a_table_in_bar_2(void)
{
	fake_pci_init(&f, PCI_BDF(0, 5, 0), 0x1b36, 0x0c, 0x060400);
	f.config[PCI_HEADER] = PCI_HEADER_BRIDGE;
	fake_pci_bar(&f, 0, 0x1000, true, NULL, NULL);
	f.config[PCI_STATUS] = PCI_STATUS_CAPS;
	f.config[PCI_CAP_POINTER] = CAP;
	put_msix(CAP, 0, 4, 0x0 | 2, 0x800);
}

static const struct lie {
	const char *name;
	void (*tell)(void);		/* NULL: put_msix() with these: */
	unsigned entries;
	uint32_t table, pba;
	uint8_t id;
	int err;
	const char *why;
} lies[] = {
#define LIE(name, id, err, why) { #name, name, 0, 0, 0, id, err, why }
#define PLACE(name, entries, table, pba, why) \
	{ #name, NULL, entries, table, pba, MSIX_CAP_ID, -EINVAL, why }
	LIE(list_of_nothing, MSI_CAP_ID, -ENOENT, ""),
	LIE(list_not_announced, MSI_CAP_ID, -ENOENT, ""),
	LIE(list_of_a_cardbus_bridge, MSI_CAP_ID, -ENOENT, ""),
	LIE(list_loops_at_once, MSI_CAP_ID, -EINVAL,
	    "its capability list is a loop at 0x40"),
	LIE(list_loops_later, MSIX_CAP_ID, -EINVAL,
	    "its capability list is a loop at 0x60"),
	LIE(list_of_every_dword_loops, MSI_CAP_ID, -EINVAL,
	    "its capability list is a loop at 0x40"),
	LIE(list_starts_in_the_header, MSI_CAP_ID, -EINVAL,
	    "its capability list points into the header at 0x3c"),
	LIE(list_starts_at_4, MSI_CAP_ID, -EINVAL,
	    "its capability list points into the header at 0x04"),
	LIE(list_goes_on_in_the_header, MSI_CAP_ID, -EINVAL,
	    "its capability list points into the header at 0x10"),
	LIE(list_goes_on_where_nobody_answers, MSI_CAP_ID, -EINVAL,
	    "nobody answers in its capability list at 0x80"),
	LIE(list_starts_at_ff, MSI_CAP_ID, -EINVAL,
	    "nobody answers in its capability list at 0xfc"),
	LIE(msi_twice, MSI_CAP_ID, -EINVAL, "it has two, at 0x40 and 0x60"),
	LIE(msi_code_6, MSI_CAP_ID, -EINVAL,
	    "reserved number of vectors, code 6"),
	LIE(msi_code_7, MSI_CAP_ID, -EINVAL,
	    "reserved number of vectors, code 7"),
	LIE(msi_of_10_bytes_at_f8, MSI_CAP_ID, -EINVAL,
	    "its capability at 0xf8 leaves the configuration header"),
	LIE(msi_of_14_bytes_at_f4, MSI_CAP_ID, -EINVAL,
	    "its capability at 0xf4 leaves the configuration header"),
	LIE(msi_of_20_bytes_at_f0, MSI_CAP_ID, -EINVAL,
	    "its capability at 0xf0 leaves the configuration header"),
	LIE(msi_of_24_bytes_at_ec, MSI_CAP_ID, -EINVAL,
	    "its capability at 0xec leaves the configuration header"),
	LIE(msi_at_the_last_dword, MSI_CAP_ID, -EINVAL,
	    "its capability at 0xfc leaves the configuration header"),
	LIE(msi_reaches_into_another, MSI_CAP_ID, -EINVAL,
	    "its 24 bytes at 0x40 reach into the capability at 0x54"),
	LIE(msix_twice, MSIX_CAP_ID, -EINVAL, "it has two, at 0x40 and 0x60"),
	LIE(msix_at_f8, MSIX_CAP_ID, -EINVAL,
	    "its capability at 0xf8 leaves the configuration header"),
	LIE(msix_at_the_last_dword, MSIX_CAP_ID, -EINVAL,
	    "its capability at 0xfc leaves the configuration header"),
	LIE(msix_reaches_into_another, MSIX_CAP_ID, -EINVAL,
	    "its 12 bytes at 0x40 reach into the capability at 0x48"),
	PLACE(table_in_bar_6, 4, 0x0 | 6, 0x800,
	      "table of 4 entries: reserved BAR number (BAR 6, 0x0)"),
	PLACE(table_in_bar_7, 4, 0x0 | 7, 0x800,
	      "table of 4 entries: reserved BAR number (BAR 7, 0x0)"),
	PLACE(pba_in_bar_6, 4, 0x0, 0x800 | 6,
	      "pending bits of 4 entries: reserved BAR number (BAR 6, 0x800)"),
	PLACE(pba_in_bar_7, 4, 0x0, 0x800 | 7,
	      "pending bits of 4 entries: reserved BAR number (BAR 7, 0x800)"),
	LIE(table_in_an_absent_bar, MSIX_CAP_ID, -EINVAL,
	    "table of 4 entries: BAR is not there (BAR 2, 0x0)"),
	LIE(pba_in_an_absent_bar, MSIX_CAP_ID, -EINVAL,
	    "pending bits of 4 entries: BAR is not there (BAR 2, 0x800)"),
	PLACE(table_in_an_upper_half, 4, 0x0 | 1, 0x800,
	      "table of 4 entries: BAR is not there but the upper half of "
	    "another (BAR 1, 0x0)"),
	PLACE(pba_in_an_upper_half, 4, 0x0, 0x800 | 5,
	      "pending bits of 4 entries: BAR is not there but the upper half "
	    "of another (BAR 5, 0x800)"),
	PLACE(table_in_ports, 4, 0x0 | 3, 0x800,
	      "table of 4 entries: BAR is I/O space (BAR 3, 0x0)"),
	PLACE(pba_in_ports, 4, 0x0, 0x0 | 3,
	      "pending bits of 4 entries: BAR is I/O space (BAR 3, 0x0)"),
	PLACE(table_at_the_end, 4, 0x10000, 0x800,
	      "table of 4 entries: outside its BAR (BAR 0, 0x10000)"),
	PLACE(table_one_qword_too_far, 4, 0xffc8, 0x800,
	      "table of 4 entries: outside its BAR (BAR 0, 0xffc8)"),
	PLACE(table_of_2048_in_a_page, 2048, 0x0 | 2, 0x800,
	      "table of 2048 entries: outside its BAR (BAR 2, 0x0)"),
	PLACE(table_at_4_gib, 4, 0xfffffff8, 0x800,
	      "table of 4 entries: outside its BAR (BAR 0, 0xfffffff8)"),
	PLACE(pba_at_the_end, 4, 0x0, 0x10000,
	      "pending bits of 4 entries: outside its BAR (BAR 0, 0x10000)"),
	PLACE(pba_of_65_in_one_qword, 65, 0x0, 0xfff8,
	      "pending bits of 65 entries: outside its BAR (BAR 0, 0xfff8)"),
	PLACE(pba_on_the_table, 4, 0x0, 0x0,
	      "pending bits of 4 entries: overlap the table"),
	PLACE(pba_on_the_last_entry, 4, 0x1000, 0x1038,
	      "pending bits of 4 entries: overlap the table"),
	PLACE(pba_reaches_the_first_entry, 65, 0x1008, 0x1000,
	      "pending bits of 65 entries: overlap the table"),
	/* 32 bits of arithmetic would see the table end at 0. */
	PLACE(pba_on_a_table_that_ends_at_4_gib, 4, 0xffffffc0 | 4, 0xfffffff8 | 4,
	      "pending bits of 4 entries: overlap the table"),
	PLACE(pba_on_a_table_beyond_4_gib, 2048, 0xffffff00 | 4, 0xfffffff8 | 4,
	      "pending bits of 2048 entries: overlap the table"),
	LIE(everything_is_ones_but_the_id, MSIX_CAP_ID, -EINVAL,
	    "table of 2048 entries: reserved BAR number (BAR 7, 0xfffffff8)"),
	LIE(bridge_with_a_table_in_bar_2, MSIX_CAP_ID, -EINVAL,
	    "table of 4 entries: a bridge has no such BAR (BAR 2, 0x0)"),
};

/* Refused in one line by who wanted to use it, and nothing was switched on. */
static void check_refused(const struct lie *lie, const uint8_t *before)
{
	const char *line;
	int want = lie->err == -ENOENT ? -ENODEV : -EINVAL;

	ck_assert_int_eq(msi_alloc(p, 1, 4), want);
	ck_assert_int_eq(memcmp(&f.config[0x40], before, 0xc0), 0);
	line = strstr(host_log(), " refused: ");
	ck_assert_int_eq(!line, !*lie->why);
	if (!line)
		return;
	ck_assert_msg(strncmp(line + 10, lie->why, strlen(lie->why)) == 0,
		      "%s: %s", lie->name, host_log());
	ck_assert_ptr_null(strstr(line + 1, " refused: "));
}

START_TEST(a_lie_is_refused_by_its_name)
{
	const struct lie *lie = &lies[_i];
	uint8_t before[0xc0];
	int err;

	if (lie->tell)
		lie->tell();
	else
		put_msix(CAP, 0, lie->entries, lie->table, lie->pba);
	probe();
	memcpy(before, &f.config[0x40], sizeof(before));
	err = parse(lie->id);
	ck_assert_msg(err == lie->err, "%s: %d: %s", lie->name, err, cap.why);
	ck_assert_msg(strcmp(cap.why, lie->why) == 0, "%s: %s", lie->name,
		      cap.why);
	check_refused(lie, before);
}
END_TEST

/* ---- lies that only the BARs tell ---- */

static const struct {
	const char *name;
	struct pci_bar bar;
	unsigned bits;			/* of a physical address */
	const char *why;		/* NULL: no lie */
} bars[] = {
	{ "unassigned", { .base = 0, .size = 0x10000 }, 52,
	  "BAR is not assigned" },
	{ "of_size_0", { .base = 0x10000, .size = 0 }, 52, "BAR is not there" },
	{ "above_36_bits", { .base = GIB(64), .size = 0x10000, .is_64 = true },
	  36, "BAR is where the CPU has no addresses" },
	{ "across_36_bits", { .base = GIB(32), .size = GIB(64), .is_64 = true },
	  36, "BAR is where the CPU has no addresses" },
	{ "up_to_36_bits", { .base = GIB(64) - 0x10000, .size = 0x10000,
			     .is_64 = true }, 36, NULL },
	{ "at_the_top_of_all", { .base = UINT64_MAX - 0xffff, .size = 0x10000,
				 .is_64 = true }, 52,
	  "BAR is where the CPU has no addresses" },
	{ "with_37_bits", { .base = GIB(64), .size = 0x10000, .is_64 = true },
	  37, NULL },
};

START_TEST(a_bar_that_cannot_be_used_is_named)
{
	struct pci_bar kept;
	int err;

	put_msix(CAP, 0, 4, 0x0, 0x800);
	probe();
	kept = p->bar[0];
	p->bar[0] = bars[_i].bar;
	host_set_phys_bits(bars[_i].bits);
	err = parse(MSIX_CAP_ID);
	ck_assert_msg(err == (bars[_i].why ? -EINVAL : 0), "%s: %d %s",
		      bars[_i].name, err, cap.why);
	ck_assert_msg(!bars[_i].why || strstr(cap.why, bars[_i].why), "%s: %s",
		      bars[_i].name, cap.why);
	p->bar[0] = kept;
}
END_TEST

START_TEST(a_table_that_two_bars_would_answer_for_is_refused)
{
	phys_t kept;

	put_msix(CAP, 0, 4, 0x0, 0x800);
	probe();
	kept = p->bar[2].base;
	p->bar[2].base = p->bar[0].base + 0xf000;
	ck_assert_int_eq(parse(MSIX_CAP_ID), -EINVAL);
	ck_assert_str_eq(cap.why, "table of 4 entries: BAR overlaps another "
			 "(BAR 0, 0x0)");
	p->bar[2].base = kept;
	ck_assert_int_eq(parse(MSIX_CAP_ID), 0);
}
END_TEST

START_TEST(no_window_is_mapped_where_the_cpu_has_no_addresses)
{
	struct io io;

	host_set_phys_bits(40);
	ck_assert_int_eq(io_map_mem(&io, GIB(1024), 4096), -EINVAL);
	ck_assert_int_eq(io_map_mem(&io, GIB(1024) - 4096, 8192), -EINVAL);
	ck_assert_int_eq(io_map_mem(&io, GIB(1024) - 4096, 4096), 0);
	io_unmap(&io);
}
END_TEST

/* ---- a device that goes away in the middle ---- */

static void put_both(void)
{
	put_msi(CAP, 0x60, 0x180);
	put_msix(0x60, 0x80, 4, 0x0, 0x800);
	put_cap(0x80, 0x01, 0);
	probe();
	serve_table();
}

static int parse_until(unsigned answered, uint8_t id)
{
	f.gone = false;
	f.config_reads = 0;
	f.gone_in = answered + 1;
	ck_assert_ptr_nonnull(p);
	switch (pci_read_caps(p, &list)) {
	case 0:
		return id == MSI_CAP_ID ? msi_parse(p, &list, &cap) :
					  msix_parse(p, &list, &cap);
	case -ENODEV:
		return -ENODEV;
	default:
		return -EINVAL;
	}
}

START_TEST(a_device_that_goes_at_any_read_is_gone_and_no_liar)
{
	uint8_t id = _i ? MSIX_CAP_ID : MSI_CAP_ID;
	unsigned n;

	put_both();
	for (n = 0; parse_until(n, id); n++) {
		ck_assert_int_eq(parse_until(n, id), -ENODEV);
		ck_assert_uint_le(f.config_reads, 100);
		ck_assert_uint_lt(n, 100);
	}
	ck_assert_uint_gt(n, 8);	/* it has to look at that much at least */
	f.gone_in = 0;
}
END_TEST

START_TEST(alloc_on_a_device_that_goes_at_any_access_fails_clean)
{
	int got;

	put_both();
	for (unsigned n = 1;; n++) {
		f.gone = false;
		f.gone_in = n;
		got = msi_alloc(p, 1, 4);
		if (!f.gone)
			break;
		if (got < 0)
			ck_assert_int_eq(got, -ENODEV);
		else
			msi_free(p);
		ck_assert_uint_lt(n, 200);
	}
	f.gone_in = 0;
	ck_assert_int_eq(got, 4);
	msi_free(p);
}
END_TEST

static void add_truth(void)
{
	TCase *t = suite_group("truth", setup, teardown, 0);

	tcase_add_loop_test(t, msi_of_every_shape_is_understood, 0, 24);
	tcase_add_loop_test(t, msix_in_every_legal_place_is_understood, 0,
			    ARRAY_SIZE(healthy));
	tcase_add_loop_test(t, msix_in_every_bar_is_understood, 0, PCI_BARS);
	tcase_add_test(t, both_are_found_in_one_list_wherever_they_are);
	tcase_add_test(t, what_firmware_left_enabled_is_noticed);
	tcase_add_test(t, a_bridge_has_msix_in_its_two_bars);
}

static void add_lies(void)
{
	TCase *t = suite_group("lies", setup, teardown, 0);

	tcase_add_loop_test(t, a_lie_is_refused_by_its_name, 0,
			    ARRAY_SIZE(lies));
	tcase_add_loop_test(t, a_bar_that_cannot_be_used_is_named, 0,
			    ARRAY_SIZE(bars));
	tcase_add_test(t, a_table_that_two_bars_would_answer_for_is_refused);
	tcase_add_test(t, no_window_is_mapped_where_the_cpu_has_no_addresses);
	tcase_add_loop_test(t, a_device_that_goes_at_any_read_is_gone_and_no_liar,
			    0, 2);
	tcase_add_test(t, alloc_on_a_device_that_goes_at_any_access_fails_clean);
}

int main(void)
{
	add_truth();
	add_lies();
	return suite_run("msi_parse");
}
