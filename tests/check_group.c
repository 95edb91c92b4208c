/* SPDX-License-Identifier: MIT */
/* viommu/group.c over topologies made of fake functions. */
#include "viommu/group.h"

#include <check.h>
#include <string.h>

#include "core/acpi.h"
#include "core/errno.h"
#include "tests/host/host_internal.h"
#include "tests/host/suite.h"

#define ECAM		UINT64_C(0xb0000000)

/* Types of the PCI Express capability. */
enum { ENDPOINT = 0, ROOT_PORT = 4, UPSTREAM = 5, DOWNSTREAM = 6,
       TO_PCI = 7, CONVENTIONAL = -1 };

#define ACS_ALL	0x1d			/* SV, RR, CR, UF */

static struct fake_pci fn[12];
static unsigned n;

/* A function on the bus; acs 0: no such capability. */
static uint16_t add(uint16_t bdf, int type, uint16_t acs, bool multi)
{
	struct fake_pci *f = &fn[n++];
	uint8_t cap[58] = { 0x02 | (type < 0 ? 0 : type << 4) };

	fake_pci_init(f, bdf, 0x1234, 0x5678, 0xff0000);
	if (multi)
		f->config[0x0e] |= 0x80;
	if (type != CONVENTIONAL)
		fake_pci_cap(f, 0x10, cap, sizeof(cap));
	if (acs) {
		f->config[0x100] = 0x0d;
		f->config[0x102] = 0x01;	/* version 1, the last */
		memcpy(&f->config[0x104], &acs, 2);
		memset(&f->writable[0x106], 0xff, 2);
	}
	fake_pci_add(f);
	return bdf;
}

static uint16_t bridge(uint16_t bdf, int type, uint16_t acs, bool multi,
		       uint8_t secondary, uint8_t subordinate)
{
	struct fake_pci *f = &fn[n];

	add(bdf, type, acs, multi);
	f->config[0x0a] = 0x04;			/* PCI-to-PCI bridge */
	f->config[0x0b] = 0x06;
	f->config[0x0e] |= 1;
	f->config[0x18] = bdf >> 8;
	f->config[0x19] = secondary;
	f->config[0x1a] = subordinate;
	memset(&f->writable[0x18], 0xff, 3);
	return bdf;
}

static void setup(void)
{
	host_start();
	n = 0;
	fake_pci_ecam(ECAM);
	add(0, CONVENTIONAL, 0, false);		/* the host bridge */
	fn[0].config[0x0b] = 0x06;
}

/* What enumeration allocates stays for good on the machine: no leak. */
static void scan(void)
{
	static const struct acpi_mcfg mcfg = {
		.n = 1, .seg[0] = { .base = ECAM, .bus_last = 255 },
	};

	host_heap_exempt = true;
	ck_assert_int_eq(pci_config_init(&mcfg), 0);
	ck_assert_int_eq(pci_enumerate(), n);
	host_heap_exempt = false;
}

static struct group of(uint16_t bdf)
{
	struct pci_dev *p = pci_find(bdf);
	struct group g;

	ck_assert_ptr_nonnull(p);
	group_of(p, &g);
	return g;
}

static bool together(uint16_t x, uint16_t y)
{
	return group_same(of(x).key, of(y).key);
}

START_TEST(functions_in_slots_of_their_own_are_alone)
{
	uint16_t x = add(PCI_BDF(0, 3, 0), CONVENTIONAL, 0, false);
	uint16_t y = add(PCI_BDF(0, 4, 0), ENDPOINT, 0, false);

	scan();
	ck_assert(!together(x, y));
	ck_assert(together(x, x));
	ck_assert_uint_eq(of(x).nrids, 1);
	ck_assert_uint_eq(of(x).rid[0], x);
}
END_TEST

START_TEST(functions_of_one_device_without_acs_are_together)
{
	uint16_t x = add(PCI_BDF(0, 31, 0), CONVENTIONAL, 0, true);
	uint16_t y = add(PCI_BDF(0, 31, 2), CONVENTIONAL, 0, true);
	uint16_t z = add(PCI_BDF(0, 30, 0), CONVENTIONAL, 0, true);

	scan();
	ck_assert(together(x, y));
	ck_assert(!together(x, z));
	ck_assert_uint_eq(of(y).rid[0], y);
}
END_TEST

/* PCI 6.2.1: function 0 has to say it; the others may leave it out. */
START_TEST(functions_that_do_not_say_it_are_together_all_the_same)
{
	uint16_t x = add(PCI_BDF(0, 5, 0), ENDPOINT, 0, true);
	uint16_t y = add(PCI_BDF(0, 5, 1), ENDPOINT, 0, false);

	fn[2].config[0x0e] = 0;
	scan();
	ck_assert(together(x, y));
}
END_TEST

START_TEST(a_conventional_bridge_lends_its_id)
{
	uint16_t br = bridge(PCI_BDF(0, 5, 0), CONVENTIONAL, 0, false, 1, 1);
	uint16_t x = add(PCI_BDF(1, 1, 0), CONVENTIONAL, 0, false);
	uint16_t y = add(PCI_BDF(1, 2, 0), CONVENTIONAL, 0, false);
	uint16_t other = add(PCI_BDF(0, 6, 0), CONVENTIONAL, 0, false);

	scan();
	ck_assert(together(x, y));
	ck_assert(together(x, br));
	ck_assert(!together(x, other));
	ck_assert_uint_eq(of(x).nrids, 1);
	ck_assert_uint_eq(of(x).rid[0], br);
	ck_assert_uint_eq(of(br).rid[0], br);
}
END_TEST

START_TEST(an_express_to_pci_bridge_lends_device_0_of_its_bus)
{
	uint16_t x = PCI_BDF(2, 3, 0), y = PCI_BDF(2, 0, 0);

	bridge(PCI_BDF(0, 1, 0), ROOT_PORT, ACS_ALL, false, 1, 2);
	bridge(PCI_BDF(1, 0, 0), TO_PCI, 0, false, 2, 2);
	add(x, CONVENTIONAL, 0, false);
	add(y, CONVENTIONAL, 0, false);
	scan();
	ck_assert(together(x, y));
	ck_assert(together(x, PCI_BDF(1, 0, 0)));
	ck_assert_uint_eq(of(x).nrids, 2);
	ck_assert_uint_eq(of(x).rid[0], PCI_BDF(2, 0, 0));
	ck_assert_uint_eq(of(x).rid[1], x);
	ck_assert_uint_eq(of(y).nrids, 1);
	ck_assert_uint_eq(of(y).rid[0], PCI_BDF(2, 0, 0));
}
END_TEST

START_TEST(bridges_below_bridges_use_the_upper_ones_id)
{
	uint16_t low = PCI_BDF(1, 4, 0);
	uint16_t x = PCI_BDF(2, 1, 0), y = PCI_BDF(1, 6, 0);

	bridge(PCI_BDF(0, 5, 0), TO_PCI, 0, false, 1, 2);
	bridge(low, CONVENTIONAL, 0, false, 2, 2);
	add(x, CONVENTIONAL, 0, false);
	add(y, CONVENTIONAL, 0, false);
	scan();
	ck_assert(together(x, y));
	ck_assert_uint_eq(of(x).rid[0], PCI_BDF(1, 0, 0));
	ck_assert_uint_eq(of(x).rid[1], low);
}
END_TEST

START_TEST(a_port_with_acs_keeps_devices_apart_and_is_told_to)
{
	uint16_t x = PCI_BDF(1, 0, 0), y = PCI_BDF(2, 0, 0);

	bridge(PCI_BDF(0, 2, 0), ROOT_PORT, ACS_ALL, true, 1, 1);
	bridge(PCI_BDF(0, 2, 1), ROOT_PORT, ACS_ALL, true, 2, 2);
	add(x, ENDPOINT, 0, false);
	add(y, ENDPOINT, 0, false);
	scan();
	ck_assert(!together(x, y));
	ck_assert(!together(x, PCI_BDF(0, 2, 0)));
	ck_assert_int_eq(of(x).key.scope, GROUP_FUNCTION);
	ck_assert_uint_eq(fn[1].config[0x106] & ACS_ALL, ACS_ALL);
	ck_assert_uint_eq(of(x).rid[0], x);
}
END_TEST

#define BELOW_A	PCI_BDF(3, 0, 0)
#define BELOW_B	PCI_BDF(4, 0, 0)

/* A root port, below it a switch, below each of its two ports a device. */
static void scan_switch(uint16_t port_acs, uint16_t upstream_acs)
{
	bridge(PCI_BDF(0, 1, 0), ROOT_PORT, port_acs, false, 1, 4);
	bridge(PCI_BDF(1, 0, 0), UPSTREAM, upstream_acs, false, 2, 4);
	bridge(PCI_BDF(2, 0, 0), DOWNSTREAM, ACS_ALL, false, 3, 3);
	bridge(PCI_BDF(2, 1, 0), DOWNSTREAM, ACS_ALL, false, 4, 4);
	add(BELOW_A, ENDPOINT, 0, false);
	add(BELOW_B, ENDPOINT, 0, false);
	scan();
}

START_TEST(a_port_without_acs_throws_all_behind_it_together)
{
	scan_switch(0, ACS_ALL);
	ck_assert(together(BELOW_A, BELOW_B));
	ck_assert_uint_eq(of(BELOW_A).rid[0], BELOW_A);
	ck_assert_uint_eq(of(BELOW_B).rid[0], BELOW_B);
}
END_TEST

START_TEST(half_of_acs_is_none)
{
	scan_switch(0x05, ACS_ALL);
	ck_assert(together(BELOW_A, BELOW_B));
}
END_TEST

START_TEST(a_switch_with_acs_keeps_its_devices_apart)
{
	scan_switch(ACS_ALL, 0);
	ck_assert(!together(BELOW_A, BELOW_B));
}
END_TEST

START_TEST(sibling_ports_without_acs_throw_their_buses_together)
{
	uint16_t x = PCI_BDF(1, 0, 0), y = PCI_BDF(2, 0, 0);

	bridge(PCI_BDF(0, 2, 0), ROOT_PORT, 0, true, 1, 1);
	bridge(PCI_BDF(0, 2, 1), ROOT_PORT, 0, true, 2, 2);
	add(x, ENDPOINT, 0, false);
	add(y, ENDPOINT, 0, false);
	scan();
	ck_assert(together(x, y));
	ck_assert(together(x, PCI_BDF(0, 2, 1)));
}
END_TEST

START_TEST(names_say_what_is_shared)
{
	char buf[24];

	group_name((struct group_key){ GROUP_FUNCTION, PCI_BDF(0, 3, 1) }, buf,
		   sizeof(buf));
	ck_assert_str_eq(buf, "00:03.1");
	group_name((struct group_key){ GROUP_SLOT, PCI_BDF(0, 31, 0) }, buf,
		   sizeof(buf));
	ck_assert_str_eq(buf, "00:1f.*");
	group_name((struct group_key){ GROUP_BEHIND, PCI_BDF(1, 0, 0) }, buf,
		   sizeof(buf));
	ck_assert_str_eq(buf, "behind 01:00.0");
}
END_TEST

int main(void)
{
	TCase *t = suite_group("group", setup, host_finish, 0);

	tcase_add_test(t, functions_in_slots_of_their_own_are_alone);
	tcase_add_test(t, functions_of_one_device_without_acs_are_together);
	tcase_add_test(t, functions_that_do_not_say_it_are_together_all_the_same);
	tcase_add_test(t, a_conventional_bridge_lends_its_id);
	tcase_add_test(t, an_express_to_pci_bridge_lends_device_0_of_its_bus);
	tcase_add_test(t, bridges_below_bridges_use_the_upper_ones_id);
	tcase_add_test(t, a_port_with_acs_keeps_devices_apart_and_is_told_to);
	tcase_add_test(t, a_port_without_acs_throws_all_behind_it_together);
	tcase_add_test(t, half_of_acs_is_none);
	tcase_add_test(t, a_switch_with_acs_keeps_its_devices_apart);
	tcase_add_test(t, sibling_ports_without_acs_throw_their_buses_together);
	tcase_add_test(t, names_say_what_is_shared);
	return suite_run("group");
}
