/* SPDX-License-Identifier: MIT */
/*
 * tests/host/qtest.c: the live bus itself. Nothing of Lodger is tried here
 * but the seam; the drivers follow in check_live_*.c.
 */
#include "tests/host/qtest.h"

#include <check.h>
#include <string.h>

#include "core/cpu.h"
#include "core/dma.h"
#include "core/irq.h"
#include "core/page.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

static const char *const no_args[] = { NULL };
static const char *const edu_args[] = {
	"-device", "edu,addr=3", "-device", "intel-iommu", NULL
};

static void live_finish(void)
{
	char what[100] = "";
	bool clean = host_is_clean(what, sizeof(what));

	qtest_stop();
	ck_assert_msg(clean, "%s", what);
}

static void plain_start(void)
{
	host_start();
	ck_assert_int_eq(qtest_start(no_args), 0);
}

static void edu_start(void)
{
	host_start();
	ck_assert_int_eq(qtest_start(edu_args), 0);
}

static uint32_t cfg_read(uint16_t bdf, unsigned off)
{
	struct io io;

	io_map_port(&io, 0xcf8, 8);
	io_write32(&io, 0, 0x80000000 | bdf << 8 | off);
	return io_read32(&io, 4);
}

static void cfg_write(uint16_t bdf, unsigned off, uint32_t val)
{
	struct io io;

	io_map_port(&io, 0xcf8, 8);
	io_write32(&io, 0, 0x80000000 | bdf << 8 | off);
	io_write32(&io, 4, val);
}

START_TEST(the_machine_is_a_q35)
{
	ck_assert_uint_eq(cfg_read(0, 0), 0x29c08086);
	ck_assert_uint_eq(cfg_read(PCI_BDF(0, 31, 0), 0), 0x29188086);
	ck_assert_uint_eq(cfg_read(PCI_BDF(0, 5, 0), 0), UINT32_MAX);
}
END_TEST

START_TEST(pages_are_the_machines_memory)
{
	uint32_t *p = page_alloc_zero(0);
	struct io io;

	io_map_mem(&io, virt_to_phys(p), PAGE_SIZE);
	io_write32(&io, 8, 0x12345678);
	ck_assert_uint_eq(p[2], 0x12345678);
	p[3] = 0xcafe;
	ck_assert_uint_eq(io_read32(&io, 12), 0xcafe);
	ck_assert_uint_eq(io_read16(&io, 12), 0xcafe);
	ck_assert_uint_eq(io_read64(&io, 8), 0xcafe12345678);
	ck_assert_uint_eq(io_read8(&io, 8), 0x78);
	page_free(p, 0);
}
END_TEST

START_TEST(time_is_real)
{
	nsec_t t = time_now();

	host_time_advance(20 * NSEC_PER_MSEC);
	ck_assert_uint_ge(time_now() - t, 20 * NSEC_PER_MSEC);
	ck_assert_uint_le(time_now() - t, NSEC_PER_SEC);
}
END_TEST

START_TEST(fakes_and_the_live_bus_live_together)
{
	static struct fake_pci f;

	fake_pci_init(&f, PCI_BDF(0, 9, 0), 0x1234, 0x5678, 0xff0000);
	fake_pci_add(&f);
	ck_assert_uint_eq(cfg_read(f.bdf, 0), 0x56781234);
	ck_assert_uint_eq(cfg_read(0, 0), 0x29c08086);
}
END_TEST

static unsigned hits;

static void hit(void *arg)
{
	hits++;
}

/* edu, 7.: liveness inverts; its factorial takes a thread of its own. */
START_TEST(a_real_device_answers_behind_its_bar)
{
	const uint16_t bdf = PCI_BDF(0, 3, 0);
	nsec_t deadline = time_now() + 5 * NSEC_PER_SEC;
	struct io io;
	uint32_t v;

	ck_assert_uint_eq(cfg_read(bdf, 0), 0x11e81234);
	cfg_write(bdf, 0x10, 0xc0000000);
	cfg_write(bdf, 4, 6);
	io_map_mem(&io, 0xc0000000, MIB(1));
	ck_assert_uint_eq(io_read32(&io, 0), 0x010000ed);
	io_write32(&io, 4, 0x0f0f0f0f);
	ck_assert_uint_eq(io_read32(&io, 4), 0xf0f0f0f0);
	io_write32(&io, 8, 5);
	ck_assert_int_eq(poll_until(v, io_read32(&io, 0x20), !(v & 1),
				    deadline), 0);
	ck_assert_uint_eq(io_read32(&io, 8), 120);
}
END_TEST

START_TEST(a_message_reaches_the_handler_through_the_local_apic)
{
	const uint16_t bdf = PCI_BDF(0, 3, 0);
	int v = irq_alloc(0, hit, NULL, "edu");
	struct io io;

	cfg_write(bdf, 0x10, 0xc0000000);
	cfg_write(bdf, 4, 6);
	io_map_mem(&io, 0xc0000000, MIB(1));
	ck_assert_uint_eq(cfg_read(bdf, 0x40) & 0xff, 5);
	cfg_write(bdf, 0x44, 0xfee00000);
	cfg_write(bdf, 0x48, 0);
	cfg_write(bdf, 0x4c, v);
	cfg_write(bdf, 0x40, cfg_read(bdf, 0x40) | 1 << 16);
	for (unsigned n = 1; n <= 20; n++) {
		nsec_t deadline = time_now() + 5 * NSEC_PER_SEC;

		io_write32(&io, 0x60, 1);
		ck_assert_int_eq(poll_mem_until(hits >= n, deadline), 0);
		io_write32(&io, 0x64, 1);
		ck_assert_uint_eq(hits, n);
	}
	ck_assert_uint_eq(irq_unowned_count(0), 0);
	irq_free(0, v);
}
END_TEST

START_TEST(real_acpi_tables_are_placed_and_linked)
{
	phys_t rsdp = qtest_acpi();
	uint32_t rsdt, len, entry;
	bool dmar = false;
	uint8_t sum = 0;

	ck_assert_uint_ne(rsdp, 0);
	ck_assert_mem_eq(phys_to_virt(rsdp), "RSD PTR ", 8);
	for (unsigned i = 0; i < 20; i++)
		sum += ((uint8_t *)phys_to_virt(rsdp))[i];
	ck_assert_uint_eq(sum, 0);
	memcpy(&rsdt, phys_to_virt(rsdp + 16), 4);
	ck_assert_mem_eq(phys_to_virt(rsdt), "RSDT", 4);
	memcpy(&len, phys_to_virt(rsdt + 4), 4);
	for (uint32_t i = 36; i < len; i += 4) {
		memcpy(&entry, phys_to_virt(rsdt + i), 4);
		dmar |= memcmp(phys_to_virt(entry), "DMAR", 4) == 0;
	}
	ck_assert(dmar);
}
END_TEST

int main(void)
{
	TCase *plain = suite_group("plain", plain_start, live_finish, 60);
	TCase *edu = suite_group("edu", edu_start, live_finish, 60);

	if (!qtest_available())
		return suite_skip("there is no qemu-system-x86_64");
	tcase_add_test(plain, the_machine_is_a_q35);
	tcase_add_test(plain, pages_are_the_machines_memory);
	tcase_add_test(plain, time_is_real);
	tcase_add_test(plain, fakes_and_the_live_bus_live_together);
	tcase_add_test(edu, a_real_device_answers_behind_its_bar);
	tcase_add_test(edu, a_message_reaches_the_handler_through_the_local_apic);
	tcase_add_test(edu, real_acpi_tables_are_placed_and_linked);
	return suite_run("qtest");
}
