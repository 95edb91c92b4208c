/* SPDX-License-Identifier: MIT */
/*
 * msi/choose.c: which of MSI-X and MSI a device uses, why, and what happens to
 * the ones that firmware left enabled.
 */
#include <check.h>
#include <string.h>

#include "core/cmdline.h"
#include "core/errno.h"
#include "msi/msi.h"
#include "msi/msireg.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

static struct fake_pci f;
static struct pci_dev *p;

static void setup(void)
{
	host_start();
	fake_pci_init(&f, PCI_BDF(0, 5, 0), 0x1b36, 0x10, 0x010802);
	fake_pci_bar(&f, 0, 0x10000, true, NULL, NULL);
}

static void teardown(void)
{
	cmdline_init("");
	host_finish();
}

static void probe(void)
{
	fake_pci_add(&f);
	p = host_pci_probe(&f);
	ck_assert_ptr_nonnull(p);
	pci_enable_memory(p);
}

/* Returns where it is. */
static unsigned add_msi(uint16_t ctrl)
{
	uint8_t body[12] = { (uint8_t)ctrl, (uint8_t)(ctrl >> 8) };
	unsigned at = fake_pci_cap(&f, MSI_CAP_ID, body, sizeof(body));

	f.writable[at + 2] = 0x71;
	memset(&f.writable[at + 4], 0xff, 10);
	return at;
}

static unsigned add_msix(uint32_t table, uint32_t pba)
{
	unsigned at;

	fake_pci_msix(&f, 4, 0, table & ~7u, pba & ~7u);
	for (at = f.config[0x34]; f.config[at] != MSIX_CAP_ID;)
		at = f.config[at + 1];
	f.config[at + MSIX_TABLE] |= table & 7;
	f.config[at + MSIX_PBA] |= pba & 7;
	return at;
}

START_TEST(a_broken_msix_falls_back_to_a_healthy_msi)
{
	add_msi(0x80);
	add_msix(0x0 | 6, 0x800);
	probe();
	ck_assert_int_eq(msi_alloc(p, 1, 1), 1);
	ck_assert_str_eq(msi_kind(p), "msi");
	ck_assert_str_eq(msi_why(p), "no MSI-X: table of 4 entries: reserved "
			 "BAR number (BAR 6, 0x0)");
	ck_assert(host_logged("MSI-X refused: table of 4 entries"));
	msi_free(p);
	ck_assert_str_eq(msi_why(p), "");
}
END_TEST

START_TEST(why_it_is_not_msix_is_known)
{
	add_msi(0x80);
	probe();
	ck_assert_int_eq(msi_alloc(p, 1, 1), 1);
	ck_assert_str_eq(msi_why(p), "no MSI-X: the device has none");
	msi_free(p);
	add_msix(0x0, 0x800);
	cmdline_init("msi=msi");
	ck_assert_int_eq(msi_alloc(p, 1, 1), 1);
	ck_assert_str_eq(msi_why(p), "no MSI-X: msi=msi");
	msi_free(p);
	cmdline_init("");
	ck_assert_int_eq(msi_alloc(p, 1, 1), 1);
	ck_assert_str_eq(msi_kind(p), "msi-x");
	ck_assert_str_eq(msi_why(p), "");
	msi_free(p);
}
END_TEST

START_TEST(both_broken_are_both_named)
{
	add_msi(7 << 1);
	add_msix(0x0, 0x0);
	probe();
	ck_assert_int_eq(msi_alloc(p, 1, 1), -EINVAL);
	ck_assert(host_logged("MSI-X refused: pending bits"));
	ck_assert(host_logged("MSI refused: reserved number of vectors"));
}
END_TEST

/* What is left enabled goes off, whichever is used then, or none. */
START_TEST(what_firmware_left_enabled_is_turned_off_first)
{
	static const struct {
		const char *cmdline;
		int got;
		bool msi, msix;
	} use[] = {
		{ "", 4, false, true },
		{ "msi=msi", 1, false, false },
		{ "msi=off", -ENODEV, false, false },
	};
	unsigned msi = add_msi(0x80 | MSI_CTRL_ENABLE | 2 << 4);
	unsigned msix = add_msix(0x0, 0x800);

	f.config[msix + 3] |= 0x80;
	probe();
	cmdline_init(use[_i].cmdline);
	ck_assert_int_eq(msi_alloc(p, 1, 4), use[_i].got);
	ck_assert(host_logged("MSI at 0x40 was left enabled: turned off"));
	ck_assert(host_logged("MSI-X at 0x50 was left enabled: turned off"));
	ck_assert_int_eq(pci_read16(p, msi + 2) & 1, use[_i].msi);
	ck_assert_int_eq(pci_read16(p, msix + 2) >> 15, use[_i].msix);
	msi_free(p);
	ck_assert_int_eq(pci_read16(p, msix + 2) >> 15, 0);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("choice", setup, teardown, 0);

	tcase_add_test(t, a_broken_msix_falls_back_to_a_healthy_msi);
	tcase_add_test(t, why_it_is_not_msix_is_known);
	tcase_add_test(t, both_broken_are_both_named);
	tcase_add_loop_test(t, what_firmware_left_enabled_is_turned_off_first,
			    0, 3);
	return suite_run("msi_choose");
}
