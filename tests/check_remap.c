/* SPDX-License-Identifier: MIT */
/*
 * msi/remap.c and msi/validate.c: which messages a device may be given, with
 * and without an IOMMU that remaps them.
 */
#include <check.h>
#include <string.h>

#include "core/cmdline.h"
#include "core/cpu.h"
#include "core/errno.h"
#include "core/irq.h"
#include "msi/msi.h"
#include "msi/msireg.h"
#include "tests/fake/remap.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

static struct fake_pci f;
static struct pci_dev *p;
static unsigned seen[8];

static void on_irq(void *arg)
{
	++*(unsigned *)arg;
}

static void setup(void)
{
	host_start();
	host_set_cpus(4);
	memset(seen, 0, sizeof(seen));
	fake_pci_init(&f, PCI_BDF(0, 5, 0), 0x1b36, 0x10, 0x010802);
	fake_pci_bar(&f, 0, 0x10000, true, NULL, NULL);
	fake_pci_msix(&f, 8, 0, 0x2000, 0);
	fake_pci_add(&f);
	p = host_pci_probe(&f);
	ck_assert_ptr_nonnull(p);
	pci_enable_memory(p);
	ck_assert_int_eq(pci_enable_master(p), 0);
}

static void teardown(void)
{
	host_finish();
}

static void setup_remapped(void)
{
	setup();
	fake_remap_start();
}

static void teardown_remapped(void)
{
	fake_remap_stop();
	teardown();
}

static int connect(unsigned nr, unsigned cpu)
{
	return msi_connect(p, nr, cpu, on_irq, &seen[nr], "test");
}

static void connect_one(void)
{
	ck_assert_int_eq(msi_alloc(p, 2, 2), 2);
	ck_assert_int_eq(connect(0, 2), 0);
}

/* As vector 0's own, but with those bits of address and data turned over. */
static int validate_but(uint64_t addr, uint32_t data)
{
	struct msi_msg msg = { f.msix[0][0] ^ addr, f.msix[0][2] ^ data };
	uint64_t before = msi_refused(0);
	int err = msi_validate(p, 0, &msg);

	ck_assert_uint_eq(msi_refused(0), before + (err != 0));
	return err;
}

/* ---- without remapping ---- */

START_TEST(the_devices_own_message_is_valid)
{
	connect_one();
	ck_assert_int_eq(validate_but(0, 0), 0);
	ck_assert_uint_eq(msi_refused(0), 0);
	msi_free(p);
}
END_TEST

START_TEST(an_address_outside_the_window_is_refused)
{
	connect_one();
	for (unsigned bit = 20; bit < 64; bit++)
		ck_assert_int_eq(validate_but(UINT64_C(1) << bit, 0), -EINVAL);
	ck_assert_uint_eq(msi_refused(-EINVAL), 44);
	msi_free(p);
}
END_TEST

START_TEST(reserved_bits_hint_and_logical_mode_are_refused)
{
	connect_one();
	for (unsigned bit = 0; bit < 12; bit++)
		ck_assert_int_eq(validate_but(UINT64_C(1) << bit, 0), -EINVAL);
	for (unsigned bit = 16; bit < 32; bit++)
		ck_assert_int_eq(validate_but(0, 1u << bit), -EINVAL);
	for (unsigned bit = 11; bit < 14; bit++)
		ck_assert_int_eq(validate_but(0, 1u << bit), -EINVAL);
	msi_free(p);
}
END_TEST

/* Among them SMI, NMI, INIT and ExtINT: a device must not send any. */
START_TEST(only_fixed_and_edge_is_accepted)
{
	connect_one();
	for (uint32_t mode = 1; mode < 8; mode++)
		ck_assert_int_eq(validate_but(0, mode << 8), -EPERM);
	ck_assert_int_eq(validate_but(0, MSI_MSG_DATA_LEVEL), -EPERM);
	ck_assert_int_eq(validate_but(0, MSI_MSG_DATA_ASSERT), -EPERM);
	msi_free(p);
}
END_TEST

START_TEST(exceptions_and_system_vectors_are_refused)
{
	struct msi_msg msg;

	connect_one();
	for (unsigned v = 0; v < 256; v++) {
		bool device = v >= IRQ_VECTOR_FIRST && v <= IRQ_VECTOR_LAST;

		if (device && v == f.msix[0][2])
			continue;
		msi_compose(2, v, &msg);
		ck_assert_int_eq(msi_validate(p, 0, &msg),
				 device ? -ESTALE : -ERANGE);
	}
	msi_free(p);
}
END_TEST

START_TEST(a_cpu_that_is_not_there_is_unreachable)
{
	connect_one();
	ck_assert_int_eq(validate_but(6 << 12, 0), -EHOSTUNREACH);
	host_set_apic_id(2, 9);
	ck_assert_int_eq(validate_but(0, 0), -EHOSTUNREACH);
	host_set_apic_id(2, 2);
	ck_assert_int_eq(validate_but(0, 0), 0);
	msi_free(p);
}
END_TEST

START_TEST(the_broadcast_id_is_no_cpu)
{
	ck_assert_int_eq(msi_alloc(p, 1, 1), 1);
	host_set_apic_id(3, 255);
	ck_assert_int_eq(connect(0, 3), -EHOSTUNREACH);
	host_set_apic_id(3, 254);
	ck_assert_int_eq(connect(0, 3), 0);
	host_set_apic_id(3, 255);
	ck_assert_int_eq(validate_but(1 << 12, 0), -EHOSTUNREACH);
	msi_free(p);
}
END_TEST

/* Legal to the hardware, and exactly the interrupt that others would miss. */
START_TEST(anothers_vector_and_a_stale_one_are_refused)
{
	struct msi_msg mine, others;
	int v;

	connect_one();
	mine = (struct msi_msg){ f.msix[0][0], f.msix[0][2] };
	v = irq_alloc(2, on_irq, &seen[7], "other");
	msi_compose(2, (unsigned)v, &others);
	ck_assert_int_eq(msi_validate(p, 0, &others), -ESTALE);
	ck_assert_int_eq(msi_validate(p, 1, &mine), -ESTALE);
	ck_assert_int_eq(msi_validate(p, 2, &mine), -ESTALE);
	msi_disconnect(p, 0);
	ck_assert_int_eq(msi_validate(p, 0, &mine), -ESTALE);
	irq_free(2, (unsigned)v);
	msi_free(p);
	ck_assert_int_eq(msi_validate(p, 0, &mine), -ESTALE);
	ck_assert_uint_eq(msi_refused(-ESTALE), 5);
	ck_assert_uint_eq(msi_refused(0), 5);
}
END_TEST

START_TEST(an_apic_id_above_8_bits_is_refused_by_name)
{
	host_set_apic_id(3, 0x103);
	ck_assert_int_eq(msi_alloc(p, 1, 1), 1);
	ck_assert_int_eq(connect(0, 3), -EHOSTUNREACH);
	ck_assert(host_logged("no message reaches CPU 3 (APIC id 0x103) "
			      "without interrupt remapping"));
	ck_assert_int_eq(msi_cpu(p, 0), -ENODEV);
	ck_assert_uint_eq(f.msix[0][3] & 1, 1);
	ck_assert_uint_eq(f.msix[0][2], 0);
	ck_assert_int_eq(connect(0, 1), 0);
	msi_free(p);
}
END_TEST

/* ---- with it ---- */

START_TEST(vectors_have_entries_in_a_row_aligned_and_given_back)
{
	ck_assert_int_eq(msi_alloc(p, 5, 5), 5);
	for (unsigned i = 0; i < 5; i++) {
		ck_assert(fake_remap.entry[i].taken);
		ck_assert(!fake_remap.entry[i].present);
	}
	ck_assert(!fake_remap.entry[5].taken);
	msi_free(p);
	ck_assert(!fake_remap.entry[0].taken);
	for (unsigned i = 0; i < FAKE_REMAP_ENTRIES; i++)
		fake_remap.entry[i].taken = i != 7 && i != 8;
	ck_assert_int_eq(msi_alloc(p, 2, 2), -ENOSPC);
	ck_assert_str_eq(msi_kind(p), "none");
	ck_assert_int_eq(msi_alloc(p, 1, 1), 1);
	ck_assert(fake_remap.entry[7].taken);
	msi_free(p);
}
END_TEST

START_TEST(a_remapped_message_arrives_where_the_entry_says)
{
	connect_one();
	ck_assert_int_eq(connect(1, 3), 0);
	ck_assert_uint_eq(f.msix[1][0], FAKE_REMAP_ADDR);
	ck_assert_uint_eq(f.msix[1][2], 1);
	fake_pci_fire(&f, 0);
	fake_pci_fire(&f, 1);
	ck_assert_uint_eq(seen[0], 1);
	ck_assert_uint_eq(seen[1], 1);
	msi_free(p);
	ck_assert_uint_eq(fake_remap.blocked + fake_remap.stale, 0);
}
END_TEST

START_TEST(remapping_reaches_an_apic_id_above_8_bits)
{
	host_set_apic_id(3, 0x103);
	ck_assert_int_eq(msi_alloc(p, 1, 1), 1);
	ck_assert_int_eq(connect(0, 3), 0);
	ck_assert_uint_eq(fake_remap.entry[0].to.apic_id, 0x103);
	msi_free(p);
}
END_TEST

/* The device's entry stays masked and unwritten, and the vector is free. */
static void refuse(int want)
{
	ck_assert_int_eq(msi_alloc(p, 1, 2), 2);
	ck_assert_int_eq(connect(0, 1), want);
	ck_assert_int_eq(msi_cpu(p, 0), -ENODEV);
	ck_assert_uint_eq(f.msix[0][3] & 1, 1);
	ck_assert_uint_eq(f.msix[0][0], 0);
	ck_assert_uint_eq(f.msix[0][2], 0);
}

START_TEST(an_entry_that_is_not_present_is_refused)
{
	fake_remap.absent = true;
	refuse(-ENOENT);
	ck_assert_uint_eq(msi_refused(-ENOENT), 1);
	ck_assert(host_logged("its remapping entry is not present"));
	fake_remap.absent = false;
	ck_assert_int_eq(connect(0, 1), 0);
	msi_free(p);
}
END_TEST

START_TEST(an_entry_of_another_device_is_refused)
{
	fake_remap.entry[2].taken = true;	/* between ours */
	fake_remap.entry[1].taken = true;
	fake_remap.entry[0].taken = true;
	fake_remap.foreign = true;
	ck_assert_int_eq(msi_alloc(p, 1, 1), 1);
	fake_remap.entry[4].taken = true;
	ck_assert_int_eq(connect(0, 1), -EPERM);
	ck_assert_uint_eq(msi_refused(-EPERM), 1);
	fake_remap.foreign = false;
	msi_free(p);
}
END_TEST

START_TEST(a_message_around_the_remapping_is_refused)
{
	struct msi_msg msg;

	connect_one();
	msi_compose(2, fake_remap.entry[0].to.vector, &msg);
	ck_assert_int_eq(msi_validate(p, 0, &msg), -EINVAL);
	msi_free(p);
}
END_TEST

START_TEST(what_the_iommu_refuses_is_passed_on)
{
	fake_remap.refuse = -ETIMEDOUT;
	refuse(-ETIMEDOUT);
	fake_remap.refuse = 0;
	msi_free(p);
}
END_TEST

START_TEST(there_is_one_kind_of_remapping)
{
	ck_assert_int_eq(remap_register(&remap_none), -EBUSY);
	ck_assert_str_eq(remap_of(p)->name, "fake");
	remap_register(NULL);
	ck_assert_str_eq(remap_of(p)->name, "none");
	ck_assert_int_eq(remap_register(&remap_none), 0);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("direct", setup, teardown, 0);

	tcase_add_test(t, the_devices_own_message_is_valid);
	tcase_add_test(t, an_address_outside_the_window_is_refused);
	tcase_add_test(t, reserved_bits_hint_and_logical_mode_are_refused);
	tcase_add_test(t, only_fixed_and_edge_is_accepted);
	tcase_add_test(t, exceptions_and_system_vectors_are_refused);
	tcase_add_test(t, a_cpu_that_is_not_there_is_unreachable);
	tcase_add_test(t, the_broadcast_id_is_no_cpu);
	tcase_add_test(t, anothers_vector_and_a_stale_one_are_refused);
	tcase_add_test(t, an_apic_id_above_8_bits_is_refused_by_name);

	t = suite_group("remapped", setup_remapped, teardown_remapped, 0);
	tcase_add_test(t, vectors_have_entries_in_a_row_aligned_and_given_back);
	tcase_add_test(t, a_remapped_message_arrives_where_the_entry_says);
	tcase_add_test(t, remapping_reaches_an_apic_id_above_8_bits);
	tcase_add_test(t, an_entry_that_is_not_present_is_refused);
	tcase_add_test(t, an_entry_of_another_device_is_refused);
	tcase_add_test(t, a_message_around_the_remapping_is_refused);
	tcase_add_test(t, what_the_iommu_refuses_is_passed_on);
	tcase_add_test(t, there_is_one_kind_of_remapping);
	return suite_run("remap");
}
