/* SPDX-License-Identifier: MIT */
/*
 * Several vectors by MSI: one message, a block of one CPU's vectors, with the
 * mask register and without. The fake bus adds the number to the data as the
 * Enabled field allows, as a device does.
 */
#include <check.h>
#include <string.h>

#include "core/cpu.h"
#include "core/errno.h"
#include "core/irq.h"
#include "core/vector.h"
#include "msi/msi.h"
#include "msi/msireg.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

static struct fake_pci f;
static struct pci_dev *p;
static unsigned at;			/* the capability */
static unsigned seen[32], seen_cpu[32];

static void on_irq(void *arg)
{
	unsigned nr = (unsigned)(uintptr_t)arg;

	seen[nr]++;
	seen_cpu[nr] = cpu_id();
}

static void setup(void)
{
	host_start();
	memset(seen, 0, sizeof(seen));
	host_set_cpus(4);
}

static void teardown(void)
{
	host_finish();
}

/* A device of 2^code vectors. */
static void probe(unsigned code, bool maskable)
{
	uint8_t body[22] = { (uint8_t)(0x80 | code << 1), maskable };

	fake_pci_init(&f, PCI_BDF(0, 5, 0), 0x1b36, 0x10, 0x010802);
	at = fake_pci_cap(&f, MSI_CAP_ID, body, maskable ? 22 : 12);
	f.writable[at + 2] = 0x71;
	memset(&f.writable[at + 4], 0xff, 10);
	if (maskable)
		memset(&f.writable[at + 16], 0xff, 4);
	fake_pci_add(&f);
	p = host_pci_probe(&f);
	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(pci_enable_master(p), 0);
}

static int connect(unsigned nr, unsigned cpu)
{
	return msi_connect(p, nr, cpu, on_irq, (void *)(uintptr_t)nr, "m");
}

static unsigned data(void)
{
	return pci_read16(p, at + MSI_DATA_64);
}

START_TEST(each_vector_of_a_block_reaches_its_handler)
{
	unsigned code = (unsigned)_i / 2, n = 1u << code;

	probe(code, _i & 1);
	ck_assert_int_eq(msi_alloc(p, 1, 100), (int)n);
	ck_assert_int_eq(msi_one_cpu(p), n > 1);
	for (unsigned nr = 0; nr < n; nr++)
		ck_assert_int_eq(connect(nr, 2), 0);
	ck_assert_uint_eq(FIELD_GET(MSI_CTRL_ENABLED,
				    pci_read16(p, at + MSI_CTRL)), code);
	ck_assert_uint_eq(data() % n, 0);
	for (unsigned nr = 0; nr < n; nr++)
		for (unsigned k = 0; k <= nr; k++)
			fake_pci_fire(&f, nr);
	for (unsigned nr = 0; nr < n; nr++) {
		ck_assert_uint_eq(seen[nr], nr + 1);
		ck_assert_uint_eq(seen_cpu[nr], 2);
		ck_assert_uint_eq(msi_count(p, nr), nr + 1);
		ck_assert_int_eq(msi_cpu(p, nr), 2);
	}
	ck_assert_uint_eq(irq_unowned_count(2), 0);
	msi_free(p);
	ck_assert_uint_eq(vector_stats(2).used, 0);
	ck_assert_uint_eq(pci_read16(p, at + MSI_CTRL) & 1, 0);
}
END_TEST

/* 3 of 8 wanted: the device is told 4, and none of them is another's. */
START_TEST(a_number_between_powers_of_two_is_rounded_up)
{
	probe(3, true);
	ck_assert_int_eq(msi_alloc(p, 2, 3), 3);
	ck_assert_int_eq(connect(2, 1), 0);
	ck_assert_uint_eq(vector_stats(1).used, 4);
	ck_assert_uint_eq(data() % 4, 0);
	ck_assert_uint_eq(FIELD_GET(MSI_CTRL_ENABLED,
				    pci_read16(p, at + MSI_CTRL)), 2);
	fake_pci_fire(&f, 2);
	ck_assert_uint_eq(seen[2], 1);
	ck_assert_int_eq(connect(3, 1), -EINVAL);
	msi_free(p);
}
END_TEST

START_TEST(the_first_one_chooses_the_cpu_and_the_last_gives_it_up)
{
	probe(2, true);
	ck_assert_int_eq(msi_alloc(p, 4, 4), 4);
	ck_assert_int_eq(connect(1, 3), 0);
	ck_assert_int_eq(connect(0, 2), -EINVAL);
	ck_assert_int_eq(msi_cpu(p, 0), -ENODEV);
	ck_assert_int_eq(connect(0, 3), 0);
	msi_disconnect(p, 1);
	ck_assert_uint_eq(vector_stats(3).used, 4);
	msi_disconnect(p, 0);
	ck_assert_uint_eq(vector_stats(3).used, 0);
	ck_assert_int_eq(connect(0, 2), 0);
	fake_pci_fire(&f, 0);
	ck_assert_uint_eq(seen_cpu[0], 2);
	msi_free(p);
}
END_TEST

START_TEST(one_is_masked_by_its_own_bit_and_comes_once)
{
	probe(2, true);
	ck_assert_int_eq(msi_alloc(p, 4, 4), 4);
	for (unsigned nr = 0; nr < 3; nr++)
		ck_assert_int_eq(connect(nr, 0), 0);
	ck_assert(msi_masked(p, 3));
	msi_mask(p, 1, true);
	ck_assert_uint_eq(pci_read32(p, at + 16), 0xa);
	for (unsigned nr = 0; nr < 3; nr++)
		for (unsigned k = 0; k < 2; k++)
			fake_pci_fire(&f, nr);
	ck_assert_uint_eq(seen[0], 2);
	ck_assert_uint_eq(seen[1], 0);
	ck_assert_uint_eq(seen[2], 2);
	ck_assert(msi_pending(p, 1));
	ck_assert(!msi_pending(p, 0));
	msi_mask(p, 1, false);
	ck_assert_uint_eq(seen[1], 1);
	ck_assert(!msi_pending(p, 1));
	for (unsigned nr = 0; nr < 3; nr++)
		msi_mask(p, nr, true);
	fake_pci_fire(&f, 0);		/* kept, though all are masked */
	msi_mask(p, 0, false);
	ck_assert_uint_eq(seen[0], 3);
	msi_free(p);
}
END_TEST

static void no_message_write(struct fake_pci *fake, unsigned off,
			     unsigned width)
{
	ck_assert_msg(off < at + MSI_ADDR || off >= at + MSI_DATA_64 + 4,
		      "0x%x written", off);
}

START_TEST(the_message_is_not_touched_while_another_may_send)
{
	probe(2, true);
	ck_assert_int_eq(msi_alloc(p, 4, 4), 4);
	ck_assert_int_eq(connect(1, 0), 0);
	f.on_config = no_message_write;
	ck_assert_int_eq(connect(0, 0), 0);
	msi_disconnect(p, 1);
	ck_assert_int_eq(connect(3, 0), 0);
	f.on_config = NULL;
	fake_pci_fire(&f, 3);
	ck_assert_uint_eq(seen[3], 1);
	msi_free(p);
}
END_TEST

START_TEST(one_of_several_does_not_move_and_says_why)
{
	probe(1, true);
	ck_assert_int_eq(msi_alloc(p, 2, 2), 2);
	ck_assert_int_eq(connect(0, 1), 0);
	ck_assert_int_eq(connect(1, 1), 0);
	ck_assert_int_eq(msi_move(p, 0, 1), 0);
	ck_assert_int_eq(msi_move(p, 0, 2), -ENOTSUP);
	ck_assert(host_logged("several with one message"));
	fake_pci_fire(&f, 0);
	ck_assert_uint_eq(seen_cpu[0], 1);
	ck_assert_uint_eq(vector_stats(2).used, 0);
	msi_free(p);
}
END_TEST

/* It says so, its handler is not called, and the others do not notice. */
START_TEST(without_a_mask_register_one_masked_is_dropped)
{
	probe(1, false);
	ck_assert_int_eq(msi_alloc(p, 2, 2), 2);
	ck_assert_int_eq(connect(0, 0), 0);
	ck_assert_int_eq(connect(1, 0), 0);
	msi_mask(p, 1, true);
	ck_assert(msi_masked(p, 1));
	ck_assert(!msi_masked(p, 0));
	fake_pci_fire(&f, 0);
	fake_pci_fire(&f, 1);
	ck_assert_uint_eq(seen[0], 1);
	ck_assert_uint_eq(seen[1], 0);
	ck_assert(!msi_pending(p, 1));
	msi_mask(p, 1, false);
	ck_assert_uint_eq(seen[1], 0);
	fake_pci_fire(&f, 1);
	ck_assert_uint_eq(seen[1], 1);
	msi_mask(p, 0, true);
	msi_mask(p, 1, true);
	ck_assert_uint_eq(pci_read16(p, at + MSI_CTRL) & 1, 0);
	msi_free(p);
}
END_TEST

START_TEST(after_disconnect_no_handler_of_the_block_runs)
{
	irqflags_t flags;

	probe(1, _i);
	ck_assert_int_eq(msi_alloc(p, 2, 2), 2);
	ck_assert_int_eq(connect(0, 0), 0);
	ck_assert_int_eq(connect(1, 0), 0);
	flags = cpu_irq_save();
	fake_pci_fire(&f, 1);		/* waits in the local APIC */
	msi_disconnect(p, 1);
	cpu_irq_restore(flags);
	ck_assert_uint_eq(seen[1], 0);
	ck_assert_uint_eq(irq_unowned_count(0), 1);
	fake_pci_fire(&f, 0);
	ck_assert_uint_eq(seen[0], 1);
	msi_free(p);
}
END_TEST

/* Room there is, but not in a row: -ENOSPC, and nothing is left taken. */
START_TEST(a_block_that_does_not_fit_is_enospc)
{
	unsigned kept[VECTOR_ROOM], n = 0;
	int v;

	probe(5, true);
	ck_assert_int_eq(msi_alloc(p, 32, 32), 32);
	while ((v = vector_alloc(1)) > 0)
		kept[n++] = (unsigned)v;
	ck_assert_uint_eq(n, VECTOR_ROOM);
	for (unsigned i = 0; i < n; i += 2)
		vector_free(1, kept[i]);
	ck_assert_int_eq(connect(0, 1), -ENOSPC);
	ck_assert_uint_eq(vector_stats(1).used, VECTOR_ROOM / 2);
	ck_assert_int_eq(connect(0, 0), 0);
	for (unsigned i = 1; i < n; i += 2)
		vector_free(1, kept[i]);
	msi_free(p);
}
END_TEST

START_TEST(a_block_is_in_a_row_aligned_and_of_a_size_that_exists)
{
	ck_assert_int_eq(vector_alloc_block(0, 0), -EINVAL);
	ck_assert_int_eq(vector_alloc_block(0, 3), -EINVAL);
	ck_assert_int_eq(vector_alloc_block(0, 64), -EINVAL);
	ck_assert_int_eq(vector_alloc_block(4, 1), -EINVAL);
	for (unsigned n = 1; n <= 32; n *= 2) {
		unsigned got = 0;
		int v;

		while ((v = vector_alloc_block(0, n)) > 0) {
			ck_assert_uint_eq((unsigned)v % n, 0);
			ck_assert_int_ge(v, VECTOR_FIRST);
			ck_assert_int_le(v + (int)n - 1, VECTOR_LAST);
			got++;
		}
		ck_assert_int_eq(v, -ENOSPC);
		ck_assert_uint_eq(got, VECTOR_ROOM / n);
		ck_assert_uint_eq(vector_stats(0).used, got * n);
		for (unsigned i = 0; i < got * n; i++)
			vector_free(0, VECTOR_FIRST + i);
	}
	ck_assert_uint_eq(vector_stats(0).used, 0);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("multi", setup, teardown, 0);

	tcase_add_loop_test(t, each_vector_of_a_block_reaches_its_handler, 0,
			    12);
	tcase_add_test(t, a_number_between_powers_of_two_is_rounded_up);
	tcase_add_test(t, the_first_one_chooses_the_cpu_and_the_last_gives_it_up);
	tcase_add_test(t, one_is_masked_by_its_own_bit_and_comes_once);
	tcase_add_test(t, the_message_is_not_touched_while_another_may_send);
	tcase_add_test(t, one_of_several_does_not_move_and_says_why);
	tcase_add_test(t, without_a_mask_register_one_masked_is_dropped);
	tcase_add_loop_test(t, after_disconnect_no_handler_of_the_block_runs, 0,
			    2);
	tcase_add_test(t, a_block_that_does_not_fit_is_enospc);
	tcase_add_test(t, a_block_is_in_a_row_aligned_and_of_a_size_that_exists);
	return suite_run("msi_multi");
}
