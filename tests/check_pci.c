/* SPDX-License-Identifier: MIT */
/*
 * core/pci*.c on a bus of fake functions: access, enumeration, bridges, BARs and
 * where they go, capability lists that lie, interrupt pins, the command
 * register.
 */
#include "core/pci.h"

#include <check.h>
#include <string.h>

#include "core/acpi.h"
#include "core/bits.h"
#include "core/dma.h"
#include "core/errno.h"
#include "core/heap.h"
#include "core/irq.h"
#include "core/pcireg.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

#define ECAM		0xb0000000
#define MEM32		((struct pci_window){ 0xc0000000, MIB(512) })
#define MEM64		((struct pci_window){ GIB(32), GIB(32) })
#define PORTS		((struct pci_window){ 0xc000, 0x3000 })
#define NONE		((struct pci_window){ 0, 0 })

/* 32 functions, each of which is large. */
static struct fake_pci fn[32];
static unsigned nfn;

static void setup(void)
{
	host_start();
	nfn = 0;
}

static void teardown(void)
{
	struct pci_dev *p;

	list_for_each(p, &pci_devices, node)
		dma_detach(&p->dev);
	pci_reset();
	host_finish();
}

static struct fake_pci *put(uint16_t bdf, uint32_t class)
{
	struct fake_pci *f = &fn[nfn++];

	fake_pci_init(f, bdf, 0x1234, (uint16_t)(0x100 + nfn), class);
	return f;
}

static struct fake_pci *add(uint16_t bdf, uint32_t class)
{
	struct fake_pci *f = put(bdf, class);

	fake_pci_add(f);
	return f;
}

static struct fake_pci *host_bridge(void)
{
	return add(0, 0x060000);
}

static void set32(struct fake_pci *f, unsigned off, uint32_t val)
{
	memcpy(&f->config[off], &val, 4);
}

static uint32_t get32(const struct fake_pci *f, unsigned off)
{
	uint32_t val;

	memcpy(&val, &f->config[off], 4);
	return val;
}

static uint16_t command(const struct fake_pci *f)
{
	return (uint16_t)get32(f, PCI_COMMAND);
}

/* A bridge as reset leaves it: no buses, windows at 0, prefetch with 64 bits. */
static struct fake_pci *bridge(uint16_t bdf, unsigned first, unsigned last)
{
	struct fake_pci *f = put(bdf, 0x060400);

	f->config[PCI_HEADER] = PCI_HEADER_BRIDGE;
	memset(&f->config[0x2c], 0, 4);
	set32(f, PCI_BUSES, last << 16 | first << 8 | PCI_BUS(bdf));
	set32(f, PCI_PREF_WINDOW, 0x00010001);
	memset(&f->writable[PCI_BUSES], 0xff, 3);
	memset(&f->writable[PCI_IO_WINDOW], 0xf0, 2);
	memcpy(&f->writable[PCI_MEM_WINDOW], "\xf0\xff\xf0\xff", 4);
	memcpy(&f->writable[PCI_PREF_WINDOW], "\xf0\xff\xf0\xff", 4);
	memset(&f->writable[PCI_PREF_BASE_HIGH], 0xff, 8);
	fake_pci_add(f);
	return f;
}

static void pcie(struct fake_pci *f, unsigned type)
{
	uint8_t body[58] = { (uint8_t)(type << 4 | 2) };

	fake_pci_cap(f, PCI_CAP_ID_PCIE, body, sizeof(body));
}

static int enumerate(void)
{
	ck_assert_int_eq(pci_config_init(NULL), 0);
	return pci_enumerate();
}

static const struct acpi_mcfg mcfg = {
	.n = 1, .seg = { { .base = ECAM, .bus_last = 255 } },
};

/* ---- access ---- */

START_TEST(nobody_on_the_bus_is_enodev)
{
	ck_assert_int_eq(pci_config_init(NULL), -ENODEV);
	ck_assert_int_eq(pci_config_init(&mcfg), -ENODEV);
	ck_assert_uint_eq(pci_config_read32(0, 0), UINT32_MAX);
	pci_config_write32(0, 0, 0);
}
END_TEST

START_TEST(ports_reach_256_bytes_at_each_width)
{
	struct fake_pci *f = host_bridge();

	set32(f, 0x40, 0x44332211);
	f->config[0x100] = 0x77;
	memset(&f->writable[0x40], 0xff, 8);
	ck_assert_int_eq(pci_config_init(NULL), 0);
	ck_assert_str_eq(pci_config_method(), "0xcf8");
	ck_assert_uint_eq(pci_config_read8(0, 0x43), 0x44);
	ck_assert_uint_eq(pci_config_read16(0, 0x42), 0x4433);
	ck_assert_uint_eq(pci_config_read32(0, 0x40), 0x44332211);
	ck_assert_uint_eq(pci_config_read32(0, 0x100), UINT32_MAX);
	ck_assert_uint_eq(pci_config_read8(8, 0), UINT8_MAX);
	pci_config_write8(0, 0x41, 0xaa);
	pci_config_write16(0, 0x46, 0xbbcc);
	ck_assert_uint_eq(get32(f, 0x40), 0x4433aa11);
	ck_assert_uint_eq(get32(f, 0x44), 0xbbcc0000);
	pci_config_write32(0, 0x40, 1);
	ck_assert_uint_eq(get32(f, 0x40), 1);
	pci_config_write32(0, 0x140, 1);	/* would hit 0x40 */
	ck_assert_uint_eq(get32(f, 0x40), 1);
}
END_TEST

START_TEST(ecam_reaches_4096_bytes_of_what_was_found)
{
	struct fake_pci *f = host_bridge(), *d = add(PCI_BDF(0, 3, 0), 0x010802);

	set32(d, 0xffc, 0x12345678);
	memset(&d->writable[0x100], 0xff, 8);
	fake_pci_ecam(ECAM);
	ck_assert_int_eq(pci_config_init(&mcfg), 0);
	ck_assert_str_eq(pci_config_method(), "ecam");
	ck_assert_int_eq(pci_enumerate(), 2);
	ck_assert_uint_eq(pci_config_read32(d->bdf, 0xffc), 0x12345678);
	ck_assert_uint_eq(pci_config_read16(d->bdf, 0xffe), 0x1234);
	ck_assert_uint_eq(pci_config_read8(d->bdf, 0xfff), 0x12);
	pci_config_write16(d->bdf, 0x102, 0xbeef);
	pci_config_write8(d->bdf, 0x104, 0x11);
	ck_assert_uint_eq(get32(d, 0x100), 0xbeef0000);
	ck_assert_uint_eq(get32(d, 0x104), 0x11);
	ck_assert_uint_eq(pci_config_read16(f->bdf, 0), 0x1234);
	ck_assert_uint_eq(pci_config_read32(PCI_BDF(9, 0, 0), 0), UINT32_MAX);
}
END_TEST

START_TEST(ecam_that_does_not_answer_is_not_used)
{
	host_bridge();
	ck_assert_int_eq(pci_config_init(&mcfg), 0);
	ck_assert_str_eq(pci_config_method(), "0xcf8");
	ck_assert(host_logged("ECAM at 0xb0000000 does not answer"));
}
END_TEST

static uint64_t stranger_read(void *ctx, size_t off, unsigned width)
{
	return 0x55aa55aa;
}
static const struct host_mmio_ops stranger = { .read = stranger_read };

START_TEST(ecam_where_another_answers_is_not_used)
{
	host_bridge();
	host_mmio_add(ECAM, MIB(1), &stranger, NULL);
	ck_assert_int_eq(pci_config_init(&mcfg), 0);
	ck_assert_str_eq(pci_config_method(), "0xcf8");
}
END_TEST

START_TEST(ecam_of_another_segment_is_not_ours)
{
	struct acpi_mcfg m = mcfg;

	host_bridge();
	fake_pci_ecam(ECAM);
	m.seg[0].segment = 1;
	ck_assert_int_eq(pci_config_init(&m), 0);
	ck_assert_str_eq(pci_config_method(), "0xcf8");
}
END_TEST

static uint64_t lone_ecam_read(void *ctx, size_t off, unsigned width)
{
	uint64_t val = UINT64_MAX;

	if (off >> 12 == PCI_BDF(0, 5, 0) || off >> 12 == 0)
		memcpy(&val, &fn[0].config[off & 0xfff], width);
	return val;
}
static void lone_ecam_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
}
static const struct host_mmio_ops lone_ecam = {
	.read = lone_ecam_read, .write = lone_ecam_write,
};

START_TEST(a_machine_without_the_ports_is_enumerated_by_ecam)
{
	put(0, 0x060000);		/* on no bus of ports */
	host_mmio_add(ECAM, MIB(256), &lone_ecam, NULL);
	ck_assert_int_eq(pci_config_init(&mcfg), 0);
	ck_assert_int_eq(pci_enumerate(), 2);
	ck_assert_ptr_nonnull(pci_find(PCI_BDF(0, 5, 0)));
}
END_TEST

/* ---- enumeration ---- */

START_TEST(ids_class_and_name_are_read)
{
	struct fake_pci *f = put(PCI_BDF(0, 31, 7), 0x010802);
	struct pci_dev *p;

	host_bridge();
	f->config[PCI_CLASS] = 0x42;
	f->config[PCI_INT_PIN] = 2;
	fake_pci_add(f);
	fake_pci_add(put(PCI_BDF(0, 31, 0), 0x060100));
	fn[2].config[PCI_HEADER] = 0x80;
	ck_assert_int_eq(enumerate(), 3);
	p = pci_find(f->bdf);
	ck_assert_str_eq(p->dev.name, "00:1f.7");
	ck_assert_uint_eq(p->vendor, 0x1234);
	ck_assert_uint_eq(p->device, 0x101);
	ck_assert_uint_eq(p->subvendor, 0x1234);
	ck_assert_uint_eq(p->subdevice, 0x101);
	ck_assert_uint_eq(p->class, 0x010802);
	ck_assert_uint_eq(p->revision, 0x42);
	ck_assert_uint_eq(p->intx_pin, 2);
	ck_assert(p->multifunction);	/* by function 0's word */
	ck_assert(pci_find(PCI_BDF(0, 31, 0))->multifunction);
	ck_assert_uint_eq(p->dev.dma.mask, UINT64_MAX);
	ck_assert_ptr_null(p->parent);
}
END_TEST

START_TEST(functions_of_a_single_function_device_are_not_looked_for)
{
	host_bridge();
	add(PCI_BDF(0, 4, 0), 0x020000);
	add(PCI_BDF(0, 4, 1), 0x020000);	/* sets the bit of function 0 */
	fn[1].config[PCI_HEADER] = 0;
	ck_assert_int_eq(enumerate(), 2);
}
END_TEST

START_TEST(mastering_is_off_and_intx_disabled_after_discovery)
{
	struct fake_pci *f = host_bridge(), *d = add(8, 0x020000);
	struct fake_pci *b = bridge(PCI_BDF(0, 2, 0), 1, 1);

	f->config[PCI_COMMAND] = d->config[PCI_COMMAND] =
		b->config[PCI_COMMAND] = 7;
	ck_assert_int_eq(enumerate(), 3);
	ck_assert_uint_eq(command(f), 0x403);
	ck_assert_uint_eq(command(d), 0x403);
	ck_assert_uint_eq(command(b), 0x403);
}
END_TEST

START_TEST(no_memory_leaves_nothing_behind)
{
	size_t before = heap_in_use();

	host_bridge();
	add(PCI_BDF(0, 1, 0), 0x020000);
	add(PCI_BDF(0, 2, 0), 0x020000);
	ck_assert_int_eq(pci_config_init(NULL), 0);
	for (unsigned n = 1; n <= 3; n++) {
		host_fail_alloc(n);
		ck_assert_int_eq(pci_enumerate(), -ENOMEM);
		ck_assert(host_alloc_failed());
		ck_assert(list_empty(&pci_devices));
		ck_assert_uint_eq(heap_in_use(), before);
	}
	host_fail_alloc(0);
	ck_assert_int_eq(pci_enumerate(), 3);
}
END_TEST

START_TEST(classes_are_found_one_after_the_other)
{
	struct pci_dev *p;

	host_bridge();
	add(PCI_BDF(0, 1, 0), 0x010802);
	add(PCI_BDF(0, 2, 0), 0x010601);
	add(PCI_BDF(0, 3, 0), 0x010802);
	enumerate();
	p = pci_find_class(NULL, 0x010802, 0xffffff);
	ck_assert_uint_eq(p->bdf, PCI_BDF(0, 1, 0));
	p = pci_find_class(p, 0x010802, 0xffffff);
	ck_assert_uint_eq(p->bdf, PCI_BDF(0, 3, 0));
	ck_assert_ptr_null(pci_find_class(p, 0x010802, 0xffffff));
	p = pci_find_class(NULL, 0x010000, 0xff0000);
	p = pci_find_class(p, 0x010000, 0xff0000);
	ck_assert_uint_eq(p->bdf, PCI_BDF(0, 2, 0));
	ck_assert_ptr_null(pci_find(PCI_BDF(0, 9, 0)));
}
END_TEST

/* ---- bridges ---- */

START_TEST(bus_numbers_of_firmware_are_kept)
{
	struct fake_pci *a = bridge(PCI_BDF(0, 2, 0), 5, 7);
	struct pci_dev *p;

	host_bridge();
	bridge(PCI_BDF(5, 1, 0), 6, 6);
	add(PCI_BDF(6, 3, 0), 0x020000);
	ck_assert_int_eq(enumerate(), 4);
	p = pci_find(PCI_BDF(6, 3, 0));
	ck_assert_uint_eq(p->parent->bdf, PCI_BDF(5, 1, 0));
	ck_assert_uint_eq(p->parent->parent->bdf, a->bdf);
	ck_assert_uint_eq(p->parent->parent->secondary, 5);
	ck_assert_uint_eq(p->parent->parent->subordinate, 7);
	ck_assert_uint_eq(get32(a, PCI_BUSES), 0x070500);
}
END_TEST

START_TEST(bridges_without_numbers_get_them_depth_first)
{
	struct fake_pci *a = bridge(PCI_BDF(0, 1, 0), 0, 0);
	struct fake_pci *b = bridge(PCI_BDF(0, 2, 0), 0, 0);
	struct fake_pci *a1 = bridge(PCI_BDF(1, 0, 0), 0, 0);

	set32(b, PCI_BUSES, 0x77000000);	/* the latency timer is kept */
	host_bridge();
	add(PCI_BDF(2, 0, 0), 0x020000);
	add(PCI_BDF(3, 0, 0), 0x020000);
	ck_assert_int_eq(enumerate(), 6);
	ck_assert_uint_eq(get32(a, PCI_BUSES), 0x020100);
	ck_assert_uint_eq(get32(a1, PCI_BUSES), 0x020201);
	ck_assert_uint_eq(get32(b, PCI_BUSES), 0x77030300);
	ck_assert_uint_eq(pci_find(PCI_BDF(2, 0, 0))->parent->bdf, a1->bdf);
	ck_assert_uint_eq(pci_find(PCI_BDF(3, 0, 0))->parent->bdf, b->bdf);
}
END_TEST

START_TEST(a_bridge_without_numbers_does_not_take_a_siblings)
{
	struct fake_pci *a = bridge(PCI_BDF(0, 1, 0), 0, 0);

	host_bridge();
	bridge(PCI_BDF(0, 2, 0), 1, 3);
	bridge(PCI_BDF(0, 3, 0), 6, 9);
	ck_assert_int_eq(enumerate(), 4);
	ck_assert_uint_eq(get32(a, PCI_BUSES), 0x040400);
}
END_TEST

/* Bus 0 again, backwards, twice the same, beyond the parent: renumbered. */
START_TEST(numbers_that_would_lead_in_circles_are_replaced)
{
	struct fake_pci *self = bridge(PCI_BDF(0, 1, 0), 0, 255);
	struct fake_pci *back = bridge(PCI_BDF(0, 2, 0), 9, 8);
	struct fake_pci *one = bridge(PCI_BDF(0, 3, 0), 4, 5);
	struct fake_pci *same = bridge(PCI_BDF(0, 4, 0), 5, 5);
	struct fake_pci *beyond = bridge(PCI_BDF(4, 0, 0), 5, 6);

	host_bridge();
	ck_assert_int_eq(enumerate(), 6);
	ck_assert_uint_eq(get32(one, PCI_BUSES), 0x050400);
	ck_assert_uint_eq(get32(self, PCI_BUSES), 0x010100);
	ck_assert_uint_eq(get32(back, PCI_BUSES), 0x020200);
	ck_assert_uint_eq(get32(same, PCI_BUSES), 0x030300);
	ck_assert_uint_eq(get32(beyond, PCI_BUSES), 0x050504);
}
END_TEST

START_TEST(numbers_below_the_bridges_own_bus_are_replaced)
{
	struct fake_pci *own, *below;

	host_bridge();
	bridge(PCI_BDF(0, 1, 0), 3, 5);
	own = bridge(PCI_BDF(3, 0, 0), 3, 3);
	below = bridge(PCI_BDF(3, 1, 0), 1, 1);
	add(PCI_BDF(1, 0, 0), 0xff0000);	/* not to be found there */
	ck_assert_int_eq(enumerate(), 4);
	ck_assert_uint_eq(get32(own, PCI_BUSES), 0x040403);
	ck_assert_uint_eq(get32(below, PCI_BUSES), 0x050503);
}
END_TEST

START_TEST(no_number_left_is_said_and_the_rest_goes_on)
{
	host_bridge();
	bridge(PCI_BDF(0, 1, 0), 1, 255);
	bridge(PCI_BDF(0, 2, 0), 0, 0);
	add(PCI_BDF(0, 3, 0), 0x020000);
	ck_assert_int_eq(enumerate(), 4);
	ck_assert(host_logged("00:02.0: warning: no bus number left"));
}
END_TEST

START_TEST(a_chain_of_bridges_ends)
{
	host_bridge();
	for (unsigned bus = 0; bus < 20; bus++)
		bridge(PCI_BDF(bus, 0, bus ? 0 : 1), bus + 1, 255);
	fn[0].config[PCI_HEADER] = 0x80;
	ck_assert_int_eq(enumerate(), 9);
	ck_assert(host_logged("more than 8 bridges in a row"));
}
END_TEST

START_TEST(behind_a_root_port_is_one_device)
{
	struct fake_pci *a = bridge(PCI_BDF(0, 1, 0), 1, 1);
	struct fake_pci *b = bridge(PCI_BDF(0, 2, 0), 2, 2);

	host_bridge();
	pcie(a, PCIE_TYPE_ROOT_PORT);
	pcie(b, 7);			/* PCIe to PCI: any number */
	for (unsigned bus = 1; bus <= 2; bus++) {
		add(PCI_BDF(bus, 0, 0), 0x020000);
		add(PCI_BDF(bus, 1, 0), 0x020000);
	}
	ck_assert_int_eq(enumerate(), 6);
	ck_assert_ptr_null(pci_find(PCI_BDF(1, 1, 0)));
	ck_assert_ptr_nonnull(pci_find(PCI_BDF(2, 1, 0)));
}
END_TEST

/* ---- sizing BARs ---- */

static struct fake_pci *card(uint16_t bdf)
{
	return put(bdf, 0xff0000);
}

static void io_bar(struct fake_pci *f, unsigned bar, uint64_t size)
{
	f->bar[bar].is_io = true;
	fake_pci_bar(f, bar, size, false, NULL, NULL);
}

START_TEST(bars_are_sized_and_keep_what_firmware_wrote)
{
	struct fake_pci *f = card(8);
	struct pci_dev *p;

	host_bridge();
	fake_pci_bar(f, 0, MIB(16), false, NULL, NULL);
	io_bar(f, 1, 32);
	fake_pci_bar(f, 2, GIB(8), true, NULL, NULL);
	fake_pci_bar(f, 4, 16, true, NULL, NULL);
	f->config[PCI_BAR(2)] |= PCI_BAR_PREFETCH;
	set32(f, PCI_BAR(0), 0xfd000000);
	set32(f, PCI_BAR(1), 0xc021);
	set32(f, PCI_BAR(3), 0x10);
	fake_pci_add(f);
	enumerate();
	p = pci_find(8);
	ck_assert_uint_eq(p->bar[0].base, 0xfd000000);
	ck_assert_uint_eq(p->bar[0].size, MIB(16));
	ck_assert(!p->bar[0].is_64 && !p->bar[0].is_io && !p->bar[0].prefetch);
	ck_assert_uint_eq(p->bar[1].base, 0xc020);
	ck_assert_uint_eq(p->bar[1].size, 32);
	ck_assert(p->bar[1].is_io);
	ck_assert_uint_eq(p->bar[2].base, UINT64_C(0x1000000000));
	ck_assert_uint_eq(p->bar[2].size, GIB(8));
	ck_assert(p->bar[2].is_64 && p->bar[2].prefetch);
	ck_assert_uint_eq(p->bar[3].size, 0);
	ck_assert_uint_eq(p->bar[4].base, 0);
	ck_assert_uint_eq(p->bar[4].size, 16);
	ck_assert(p->bar[4].is_64 && !p->bar[4].prefetch);
	ck_assert_uint_eq(p->bar[5].size, 0);
	ck_assert_uint_eq(get32(f, PCI_BAR(0)), 0xfd000000);
	ck_assert_uint_eq(get32(f, PCI_BAR(1)), 0xc021);
	ck_assert_uint_eq(get32(f, PCI_BAR(3)), 0x10);
}
END_TEST

static unsigned bad_writes, bar_writes;

static void watch_decode(struct fake_pci *f, unsigned off, unsigned width)
{
	if (off < PCI_BAR(0) || off >= PCI_BAR(6))
		return;
	bar_writes++;
	if (command(f) & 3)
		bad_writes++;
}

START_TEST(decoding_is_off_while_sizing_and_back_on_after)
{
	struct fake_pci *f = card(8);

	host_bridge();
	fake_pci_bar(f, 0, 4096, true, NULL, NULL);
	f->config[PCI_COMMAND] = 3;
	f->on_config = watch_decode;
	fake_pci_add(f);
	enumerate();
	ck_assert_uint_gt(bar_writes, 0);
	ck_assert_uint_eq(bad_writes, 0);
	ck_assert_uint_eq(command(f) & 3, 3);
}
END_TEST

START_TEST(a_64_bit_bar_at_index_5_is_refused)
{
	struct fake_pci *f = card(8);

	host_bridge();
	fake_pci_bar(f, 5, 4096, false, NULL, NULL);
	f->config[PCI_BAR(5)] = 4;
	fake_pci_add(f);
	enumerate();
	ck_assert_uint_eq(pci_find(8)->bar[5].size, 0);
	ck_assert(host_logged("BAR 5 says 64 bits"));
}
END_TEST

START_TEST(a_bar_that_wraps_around_is_refused)
{
	struct fake_pci *f = card(8);

	host_bridge();
	fake_pci_bar(f, 0, 4096, true, NULL, NULL);
	/* Bit 14 does not stick: the size is 4 KiB, the base too high. */
	memset(&f->config[PCI_BAR(1)], 0xff, 4);
	set32(f, PCI_BAR(0), 0xffffb004);
	fake_pci_add(f);
	enumerate();
	ck_assert_uint_eq(pci_find(8)->bar[0].base, UINT64_C(0xffffffffffffb000));
	ck_assert_int_eq(pci_assign_unassigned(MEM32, MEM64, PORTS), 0);
}
END_TEST

START_TEST(what_an_interrupted_sizing_left_is_no_address)
{
	struct fake_pci *f = card(8);

	host_bridge();
	fake_pci_bar(f, 0, 4096, false, NULL, NULL);
	set32(f, PCI_BAR(0), 0xfffff000);
	fake_pci_add(f);
	enumerate();
	ck_assert_uint_eq(pci_find(8)->bar[0].base, 0);
	ck_assert_uint_eq(pci_find(8)->bar[0].size, 4096);
}
END_TEST

/* Its size cannot be known: the device may decode far more than it seems. */
START_TEST(a_bar_with_address_bits_that_do_not_move_is_ignored)
{
	struct fake_pci *f = card(8);

	host_bridge();
	fake_pci_bar(f, 0, MIB(256), false, NULL, NULL);
	set32(f, PCI_BAR(0), 0xc0140000);	/* two ones below its size */
	fake_pci_bar(f, 1, 4096, false, NULL, NULL);
	set32(f, PCI_BAR(1), 0xc0001000);
	f->writable[PCI_BAR(1) + 3] = 0xfe;	/* a zero among its address */
	fake_pci_bar(f, 2, 4096, false, NULL, NULL);
	set32(f, PCI_BAR(2), 0xc0002000);
	fake_pci_add(f);
	enumerate();
	ck_assert_uint_eq(pci_find(8)->bar[0].size, 0);
	ck_assert_uint_eq(pci_find(8)->bar[1].size, 0);
	ck_assert_uint_eq(pci_find(8)->bar[2].size, 4096);
	ck_assert(host_logged("BAR 0 has address bits that do not move"));
	ck_assert(host_logged("BAR 1 has address bits that do not move"));
}
END_TEST

START_TEST(a_bridge_has_two_bars)
{
	struct fake_pci *b = bridge(8, 1, 1);

	host_bridge();
	fake_pci_bar(b, 0, 4096, false, NULL, NULL);
	set32(b, PCI_BAR(0), 0xfd000000);
	enumerate();
	ck_assert_uint_eq(pci_find(8)->bar[0].base, 0xfd000000);
	for (unsigned i = 1; i < PCI_BARS; i++)
		ck_assert_uint_eq(pci_find(8)->bar[i].size, 0);
}
END_TEST

/* ---- assignment ---- */

#define assign()	pci_assign_unassigned(MEM32, MEM64, PORTS)

static bool in(const struct pci_bar *b, struct pci_window w)
{
	return b->base >= w.base && b->base + b->size <= w.base + w.size &&
	       b->base % b->size == 0;
}

/* No two BARs of the machine share an address. */
static void check_disjoint(void)
{
	struct pci_dev *p, *q;

	list_for_each(p, &pci_devices, node) {
		for (unsigned i = 0; i < PCI_BARS; i++) {
			struct pci_bar *a = &p->bar[i];

			list_for_each(q, &pci_devices, node)
				for (unsigned k = 0; k < PCI_BARS; k++) {
					struct pci_bar *b = &q->bar[k];

					if (a == b || !a->base || !b->base ||
					    a->is_io != b->is_io)
						continue;
					ck_assert(a->base + a->size <= b->base ||
						  b->base + b->size <= a->base);
				}
		}
	}
}

START_TEST(unassigned_bars_get_a_place_of_their_kind)
{
	struct fake_pci *f = card(8), *g = card(16);
	struct pci_dev *p;

	host_bridge();
	fake_pci_bar(f, 0, 4096, false, NULL, NULL);
	io_bar(f, 1, 64);
	fake_pci_bar(f, 2, GIB(4), true, NULL, NULL);
	f->config[PCI_BAR(2)] |= PCI_BAR_PREFETCH;
	fake_pci_bar(f, 4, MIB(16), true, NULL, NULL);
	fake_pci_bar(g, 0, 16, false, NULL, NULL);
	fake_pci_add(f);
	fake_pci_add(g);
	enumerate();
	ck_assert_int_eq(assign(), 5);
	p = pci_find(8);
	ck_assert(in(&p->bar[0], MEM32));
	ck_assert(in(&p->bar[1], PORTS));
	ck_assert(in(&p->bar[2], MEM64));
	ck_assert(in(&p->bar[4], MEM32));
	ck_assert(in(&pci_find(16)->bar[0], MEM32));
	check_disjoint();
	ck_assert_uint_eq(get32(f, PCI_BAR(0)), p->bar[0].base);
	ck_assert_uint_eq(get32(f, PCI_BAR(1)), p->bar[1].base | 1);
	ck_assert_uint_eq(get32(f, PCI_BAR(3)), p->bar[2].base >> 32);
	/* Largest first: no hole before the small ones. */
	ck_assert_uint_eq(p->bar[4].base, 0xc0000000);
	ck_assert_uint_eq(p->bar[0].base, 0xc1000000);
}
END_TEST

START_TEST(bars_of_firmware_are_not_touched_nor_overlapped)
{
	struct fake_pci *f = card(8), *g = card(16);

	host_bridge();
	fake_pci_bar(f, 0, MIB(1), false, NULL, NULL);
	set32(f, PCI_BAR(0), 0xc0000000);
	fake_pci_bar(f, 1, 4096, false, NULL, NULL);
	set32(f, PCI_BAR(1), 0xc0101000);
	fake_pci_bar(g, 0, 4096, false, NULL, NULL);
	fake_pci_bar(g, 1, 4096, false, NULL, NULL);
	fake_pci_add(f);
	fake_pci_add(g);
	enumerate();
	ck_assert_int_eq(assign(), 2);
	check_disjoint();
	ck_assert_uint_eq(get32(f, PCI_BAR(0)), 0xc0000000);
	ck_assert_uint_eq(get32(f, PCI_BAR(1)), 0xc0101000);
	ck_assert_uint_eq(get32(g, PCI_BAR(0)), 0xc0100000);
	ck_assert_uint_eq(get32(g, PCI_BAR(1)), 0xc0102000);
	ck_assert_int_eq(assign(), 0);
}
END_TEST

START_TEST(a_bar_that_does_not_fit_stays_0_and_is_named)
{
	struct fake_pci *f = card(8);

	host_bridge();
	fake_pci_bar(f, 0, GIB(1), false, NULL, NULL);
	fake_pci_bar(f, 1, 4096, false, NULL, NULL);
	io_bar(f, 2, 4096);
	fake_pci_add(f);
	enumerate();
	ck_assert_int_eq(pci_assign_unassigned(MEM32, MEM64, NONE), 1);
	ck_assert_uint_eq(pci_find(8)->bar[0].base, 0);
	ck_assert_uint_eq(get32(f, PCI_BAR(0)), 0);
	ck_assert(in(&pci_find(8)->bar[1], MEM32));
	ck_assert(host_logged("00:01.0: warning: no place for BAR 0, 0x40000000"));
	ck_assert(host_logged("00:01.0: warning: no place for BAR 2, 0x1000"));
}
END_TEST

START_TEST(a_64_bit_bar_that_does_not_fit_below_goes_above)
{
	struct fake_pci *f = card(8), *g = card(16);

	host_bridge();
	fake_pci_bar(f, 0, GIB(1), true, NULL, NULL);	/* no prefetch */
	fake_pci_bar(g, 0, MIB(1), true, NULL, NULL);
	g->config[PCI_BAR(0)] |= PCI_BAR_PREFETCH;
	fake_pci_add(f);
	fake_pci_add(g);
	enumerate();
	ck_assert_int_eq(assign(), 2);
	ck_assert(in(&pci_find(8)->bar[0], MEM64));
	ck_assert(in(&pci_find(16)->bar[0], MEM64));
	check_disjoint();
}
END_TEST

START_TEST(without_a_hole_above_4_gib_prefetchable_goes_below)
{
	struct fake_pci *f = card(8);

	host_bridge();
	fake_pci_bar(f, 0, MIB(1), true, NULL, NULL);
	f->config[PCI_BAR(0)] |= PCI_BAR_PREFETCH;
	fake_pci_add(f);
	enumerate();
	ck_assert_int_eq(pci_assign_unassigned(MEM32, NONE, PORTS), 1);
	ck_assert(in(&pci_find(8)->bar[0], MEM32));
}
END_TEST

START_TEST(bridges_open_a_window_for_what_is_behind)
{
	struct fake_pci *a = bridge(PCI_BDF(0, 1, 0), 1, 2);
	struct fake_pci *b = bridge(PCI_BDF(1, 0, 0), 2, 2);
	struct fake_pci *f = card(PCI_BDF(2, 0, 0)), *g = card(PCI_BDF(1, 1, 0));
	struct pci_dev *p, *q;

	host_bridge();
	fake_pci_bar(f, 0, MIB(2), false, NULL, NULL);
	fake_pci_bar(f, 2, GIB(1), true, NULL, NULL);
	f->config[PCI_BAR(2)] |= PCI_BAR_PREFETCH;
	io_bar(f, 4, 32);
	fake_pci_bar(g, 0, 4096, true, NULL, NULL);
	fake_pci_add(f);
	fake_pci_add(g);
	enumerate();
	ck_assert_int_eq(assign(), 4);
	p = pci_find(f->bdf);
	q = pci_find(g->bdf);
	check_disjoint();
	/* Inner: 2 MiB. Outer: that and one for the 4 KiB of its own. */
	ck_assert_uint_eq(get32(b, PCI_MEM_WINDOW), 0xc010c000);
	ck_assert_uint_eq(get32(a, PCI_MEM_WINDOW), 0xc020c000);
	ck_assert_uint_eq(p->bar[0].base, 0xc0000000);
	ck_assert_uint_eq(q->bar[0].base, 0xc0200000);
	ck_assert_uint_eq(get32(a, PCI_PREF_WINDOW), 0x3ff10001);
	ck_assert_uint_eq(get32(a, PCI_PREF_BASE_HIGH), 8);
	ck_assert_uint_eq(get32(a, PCI_PREF_LIMIT_HIGH), 8);
	ck_assert_uint_eq(get32(b, PCI_PREF_WINDOW), 0x3ff10001);
	ck_assert_uint_eq(p->bar[2].base, GIB(32));
	ck_assert_uint_eq(get32(a, PCI_IO_WINDOW) & 0xffff, 0xc0c0);
	ck_assert_uint_eq(get32(b, PCI_IO_WINDOW) & 0xffff, 0xc0c0);
	ck_assert_uint_eq(p->bar[4].base, 0xc000);
}
END_TEST

START_TEST(a_bridge_with_nothing_to_pass_is_closed)
{
	struct fake_pci *a = bridge(PCI_BDF(0, 1, 0), 1, 1);
	struct fake_pci *f = card(PCI_BDF(1, 0, 0));

	host_bridge();
	fake_pci_bar(f, 0, 4096, false, NULL, NULL);
	fake_pci_add(f);
	enumerate();
	ck_assert_int_eq(assign(), 1);
	ck_assert_uint_eq(get32(a, PCI_MEM_WINDOW), 0xc000c000);
	ck_assert_uint_gt(get32(a, PCI_IO_WINDOW) & 0xf0,
			  get32(a, PCI_IO_WINDOW) >> 8 & 0xf0);
	ck_assert_uint_gt(get32(a, PCI_PREF_WINDOW) & 0xfff0,
			  get32(a, PCI_PREF_WINDOW) >> 16 & 0xfff0);
}
END_TEST

START_TEST(without_a_prefetchable_window_all_goes_in_the_other)
{
	struct fake_pci *a = bridge(PCI_BDF(0, 1, 0), 1, 1);
	struct fake_pci *f = card(PCI_BDF(1, 0, 0));

	host_bridge();
	set32(a, PCI_PREF_WINDOW, 0);
	memset(&a->writable[PCI_PREF_WINDOW], 0, 12);
	fake_pci_bar(f, 0, MIB(1), true, NULL, NULL);
	f->config[PCI_BAR(0)] |= PCI_BAR_PREFETCH;
	fake_pci_add(f);
	enumerate();
	ck_assert_int_eq(assign(), 1);
	ck_assert(in(&pci_find(f->bdf)->bar[0], MEM32));
	ck_assert_uint_eq(get32(a, PCI_MEM_WINDOW), 0xc000c000);
}
END_TEST

START_TEST(a_bridge_that_keeps_no_window_gets_nothing_behind_it)
{
	struct fake_pci *a = bridge(PCI_BDF(0, 1, 0), 1, 1);
	struct fake_pci *f = card(PCI_BDF(1, 0, 0));

	host_bridge();
	memset(&a->writable[PCI_IO_WINDOW], 0, 2);
	io_bar(f, 0, 32);
	fake_pci_add(f);
	enumerate();
	ck_assert_int_eq(assign(), 0);
	ck_assert_uint_eq(pci_find(f->bdf)->bar[0].base, 0);
	ck_assert(host_logged("00:01.0: warning: bridge without a window"));
}
END_TEST

START_TEST(a_window_of_firmware_is_kept_and_filled)
{
	struct fake_pci *a = bridge(PCI_BDF(0, 1, 0), 1, 1);
	struct fake_pci *f = card(PCI_BDF(1, 0, 0)), *g = card(8 * 9);
	struct pci_dev *p;

	host_bridge();
	set32(a, PCI_MEM_WINDOW, 0xc010c010);	/* one MiB at 0xc0100000 */
	fake_pci_bar(f, 0, 4096, false, NULL, NULL);
	set32(f, PCI_BAR(0), 0xc0100000);
	fake_pci_bar(f, 1, 8192, false, NULL, NULL);
	fake_pci_bar(f, 2, MIB(1), false, NULL, NULL);
	fake_pci_bar(g, 0, MIB(2), false, NULL, NULL);
	fake_pci_add(f);
	fake_pci_add(g);
	enumerate();
	ck_assert_int_eq(assign(), 2);
	p = pci_find(f->bdf);
	ck_assert_uint_eq(get32(a, PCI_MEM_WINDOW), 0xc010c010);
	ck_assert_uint_eq(p->bar[0].base, 0xc0100000);
	ck_assert_uint_eq(p->bar[1].base, 0xc0102000);
	ck_assert_uint_eq(p->bar[2].base, 0);	/* does not fit in there */
	ck_assert_uint_eq(pci_find(g->bdf)->bar[0].base, 0xc0200000);
	check_disjoint();
}
END_TEST

START_TEST(many_sizes_behind_many_bridges_are_all_placed)
{
	static const uint32_t size[] = { 16, 4096, MIB(1), 65536, MIB(4), 256 };

	host_bridge();
	for (unsigned b = 0; b < 6; b++)
		bridge(PCI_BDF(0, 1 + b, 0), 0, 0);
	for (unsigned n = 0; n < 20; n++) {
		struct fake_pci *f = card(PCI_BDF(n % 7, 16 + n / 7, 0));

		for (unsigned i = 0; i < PCI_BARS; i++)
			fake_pci_bar(f, i, size[(n * 5 + i) % 6], false, NULL,
				     NULL);
		fake_pci_add(f);
	}
	ck_assert_int_eq(enumerate(), 27);
	ck_assert_int_eq(assign(), 120);
	check_disjoint();
}
END_TEST

START_TEST(no_memory_while_assigning_is_said)
{
	struct fake_pci *f = card(8);

	host_bridge();
	fake_pci_bar(f, 0, 4096, false, NULL, NULL);
	fake_pci_add(f);
	enumerate();
	host_fail_alloc(1);
	ck_assert_int_eq(assign(), 0);
	ck_assert(host_logged("out of memory"));
	host_fail_alloc(0);
	ck_assert_int_eq(assign(), 1);
}
END_TEST

/* ---- mapping ---- */

static uint64_t regs_read(void *ctx, size_t off, unsigned width)
{
	return 0x1000 + off;
}
static const struct host_mmio_ops regs = { .read = regs_read };

START_TEST(a_bar_is_mapped_whole)
{
	struct fake_pci *f = card(8);
	struct pci_dev *p;
	struct io io;

	host_bridge();
	fake_pci_bar(f, 0, 4096, true, &regs, NULL);
	f->bar[2].is_io = true;
	fake_pci_bar(f, 2, 64, false, &regs, NULL);
	fake_pci_add(f);
	enumerate();
	p = pci_find(8);
	ck_assert_int_eq(pci_map_bar(p, 0, &io), -ENXIO);
	assign();
	pci_enable_memory(p);
	ck_assert_int_eq(pci_map_bar(p, 0, &io), 0);
	ck_assert_uint_eq(io.size, 4096);
	ck_assert_uint_eq(io_read32(&io, 0xffc), 0x1ffc);
	io_unmap(&io);
	ck_assert_int_eq(pci_map_bar(p, 2, &io), 0);
	ck_assert_uint_eq(io_read8(&io, 3), 0x03);
	io_unmap(&io);
	ck_assert_int_eq(pci_map_bar(p, 1, &io), -EINVAL);
	ck_assert_int_eq(pci_map_bar(p, 3, &io), -EINVAL);
	ck_assert_int_eq(pci_map_bar(p, PCI_BARS, &io), -EINVAL);
}
END_TEST

START_TEST(bars_that_overlap_are_refused)
{
	struct fake_pci *f = card(8), *g = card(16);
	struct io io;

	host_bridge();
	fake_pci_bar(f, 0, 8192, false, NULL, NULL);
	fake_pci_bar(g, 0, 4096, false, NULL, NULL);
	set32(f, PCI_BAR(0), 0xfd000000);
	set32(g, PCI_BAR(0), 0xfd001000);
	fake_pci_add(f);
	fake_pci_add(g);
	enumerate();
	ck_assert_int_eq(pci_map_bar(pci_find(8), 0, &io), -EBUSY);
	ck_assert_int_eq(pci_map_bar(pci_find(16), 0, &io), -EBUSY);
	ck_assert(host_logged("BAR 0 overlaps one of 00:02.0"));
}
END_TEST

/* ---- capabilities ---- */

static unsigned reads;

/* Config reads through ECAM, counted: a walk must end after few of them. */
static uint64_t counted_read(void *ctx, size_t off, unsigned width)
{
	uint64_t val = UINT64_MAX;

	reads++;
	if (off >> 12 == 0)
		memcpy(&val, &fn[0].config[off & 0xfff], width);
	return val;
}
static const struct host_mmio_ops counted = {
	.read = counted_read, .write = lone_ecam_write,
};

/* The one function of the bus has the list that make() writes. */
static struct pci_dev *with_caps(void (*make)(uint8_t *c))
{
	struct fake_pci *f = put(0, 0x060000);

	f->config[PCI_STATUS] = PCI_STATUS_CAPS;
	make(f->config);
	host_mmio_add(ECAM, MIB(256), &counted, NULL);
	pci_config_init(&mcfg);
	ck_assert_int_eq(pci_enumerate(), 1);
	reads = 0;
	return pci_find(0);
}

static void three_caps(uint8_t *c)
{
	c[0x34] = 0x40;
	c[0x40] = 0x01, c[0x41] = 0x50;
	c[0x50] = 0x09, c[0x51] = 0x63;		/* low bits are reserved */
	c[0x60] = 0x09, c[0x61] = 0x00;
}

START_TEST(capabilities_are_found_in_list_order)
{
	struct pci_dev *p = with_caps(three_caps);

	ck_assert_uint_eq(pci_find_cap(p, 0x01, 0), 0x40);
	ck_assert_uint_eq(pci_find_cap(p, 0x09, 0), 0x50);
	ck_assert_uint_eq(pci_find_cap(p, 0x09, 0x50), 0x60);
	ck_assert_uint_eq(pci_find_cap(p, 0x09, 0x60), 0);
	ck_assert_uint_eq(pci_find_cap(p, 0x05, 0), 0);
	fn[0].config[PCI_STATUS] = 0;
	ck_assert_uint_eq(pci_find_cap(p, 0x01, 0), 0);
}
END_TEST

static void cap_loop_one(uint8_t *c)
{
	c[0x34] = c[0x41] = 0x40;
}
static void cap_loop_two(uint8_t *c)
{
	c[0x34] = c[0x51] = 0x40;
	c[0x41] = 0x50;
}
static void cap_into_header(uint8_t *c)
{
	c[0x34] = 0x3c;
}
static void cap_next_into_header(uint8_t *c)
{
	c[0x34] = 0x40, c[0x41] = 0x10, c[0x10] = 0x05;
}
static void cap_to_ff(uint8_t *c)
{
	c[0x34] = 0xff, c[0xfc] = 0x01, c[0xfd] = 0xff;
}
static void cap_odd(uint8_t *c)
{
	c[0x34] = 0x41, c[0x40] = 0x01, c[0x41] = 0x43;
}
static void cap_all_ones(uint8_t *c)
{
	c[0x34] = 0x40;
	memset(c + 0x40, 0xff, 0xc0);
}
static void cap_every_dword(uint8_t *c)
{
	c[0x34] = 0x40;
	for (unsigned i = 0x40; i < 0x100; i += 4)
		c[i] = 0x01, c[i + 1] = (uint8_t)(i + 4);
	c[0xfd] = 0x40;				/* and round again */
}

static void (*const bad_caps[])(uint8_t *c) = {
	cap_loop_one, cap_loop_two, cap_into_header, cap_next_into_header,
	cap_to_ff, cap_odd, cap_all_ones, cap_every_dword,
};

START_TEST(a_capability_list_that_lies_ends_in_few_steps)
{
	struct pci_dev *p = with_caps(bad_caps[_i]);

	ck_assert_uint_eq(pci_find_cap(p, 0x05, 0), 0);
	ck_assert_uint_le(reads, 1 + 2 * 48);
}
END_TEST

static void ext_start(uint8_t *c, uint32_t first)
{
	c[0x34] = 0x40, c[0x40] = PCI_CAP_ID_PCIE;
	memcpy(c + 0x100, &first, 4);
}
static void ext_two(uint8_t *c)
{
	const uint32_t second = 0x00010004;

	ext_start(c, 0x14010001);
	memcpy(c + 0x140, &second, 4);
}
static void ext_loop(uint8_t *c)
{
	ext_start(c, 0x10010001);
}
static void ext_below_100(uint8_t *c)
{
	ext_start(c, 0x04810001);
	c[0x48] = 4, c[0x4a] = 1;	/* would look like the one asked for */
}
static void ext_all_ones(uint8_t *c)
{
	ext_start(c, 0xffffffff);
}
static void ext_last(uint8_t *c)
{
	ext_start(c, 0xfff10001);	/* at 0xffc after masking */
}
static void ext_none(uint8_t *c)
{
	ext_start(c, 0);
}
static void ext_without_pcie(uint8_t *c)
{
	ext_two(c);
	c[0x34] = 0;
}

static void (*const bad_ext[])(uint8_t *c) = {
	ext_loop, ext_below_100, ext_all_ones, ext_last, ext_none,
	ext_without_pcie,
};

START_TEST(extended_capabilities_are_found)
{
	struct pci_dev *p = with_caps(ext_two);

	ck_assert_uint_eq(p->cap_pcie, 0x40);
	ck_assert_uint_eq(pci_find_ext_cap(p, 1), 0x100);
	ck_assert_uint_eq(pci_find_ext_cap(p, 4), 0x140);
	ck_assert_uint_eq(pci_find_ext_cap(p, 5), 0);
}
END_TEST

START_TEST(an_extended_list_that_lies_ends_in_few_steps)
{
	struct pci_dev *p = with_caps(bad_ext[_i]);

	ck_assert_uint_eq(pci_find_ext_cap(p, 4), 0);
	ck_assert_uint_le(reads, 64);
}
END_TEST

/* The body of such a capability would be the next function's registers. */
START_TEST(an_extended_capability_at_the_end_has_no_body)
{
	struct pci_dev *p = with_caps(ext_last), last = *p;

	fn[0].config[0xffc] = 0x0d;
	fn[0].config[0xffe] = 0x01;
	ck_assert_uint_eq(pci_find_ext_cap(p, 0x0d), 0xffc);
	reads = 0;
	ck_assert_uint_eq(pci_read16(p, 0x1000), UINT16_MAX);
	ck_assert_uint_eq(pci_read32(p, 0x1004), UINT32_MAX);
	last.bdf = 7;			/* behind it the slot's window ends */
	ck_assert_uint_eq(pci_read32(&last, 0x1000), UINT32_MAX);
	pci_write16(&last, 0x1000, 1);
	ck_assert_uint_eq(reads, 0);
}
END_TEST

/* ---- interrupt pins ---- */

static void q35(void)
{
	fake_pci_init(&fn[nfn], 0, 0x8086, 0x29c0, 0x060000);
	fake_pci_add(&fn[nfn++]);
}

static unsigned gsi_of(uint16_t bdf)
{
	unsigned gsi = 999, flags = 999;

	ck_assert_int_eq(pci_intx_gsi(pci_find(bdf), &gsi, &flags), 0);
	ck_assert_uint_eq(flags, IRQ_GSI_LEVEL);
	return gsi;
}

static void pin(uint16_t bdf, uint8_t p)
{
	add(bdf, 0xff0000)->config[PCI_INT_PIN] = p;
}

START_TEST(q35_pins_go_where_ich9_wires_them)
{
	q35();
	pin(PCI_BDF(0, 3, 0), 1);
	pin(PCI_BDF(0, 5, 0), 1);	/* QEMU was seen to raise 21 */
	pin(PCI_BDF(0, 24, 0), 4);
	pin(PCI_BDF(0, 25, 0), 1);
	pin(PCI_BDF(0, 30, 0), 2);
	pin(PCI_BDF(0, 31, 0), 1);
	pin(PCI_BDF(0, 31, 2), 4);
	enumerate();
	ck_assert_uint_eq(gsi_of(PCI_BDF(0, 3, 0)), 23);
	ck_assert_uint_eq(gsi_of(PCI_BDF(0, 5, 0)), 21);
	ck_assert_uint_eq(gsi_of(PCI_BDF(0, 24, 0)), 23);
	ck_assert_uint_eq(gsi_of(PCI_BDF(0, 25, 0)), 16);
	ck_assert_uint_eq(gsi_of(PCI_BDF(0, 30, 0)), 21);
	ck_assert_uint_eq(gsi_of(PCI_BDF(0, 31, 0)), 16);
	ck_assert_uint_eq(gsi_of(PCI_BDF(0, 31, 2)), 19);
}
END_TEST

START_TEST(bridges_turn_the_pins)
{
	q35();
	bridge(PCI_BDF(0, 2, 0), 1, 2);
	bridge(PCI_BDF(1, 3, 0), 2, 2);
	pin(PCI_BDF(1, 0, 0), 1);
	pin(PCI_BDF(1, 6, 0), 3);
	pin(PCI_BDF(2, 1, 0), 2);
	enumerate();
	/* slot 2, INTA */
	ck_assert_uint_eq(gsi_of(PCI_BDF(1, 0, 0)), 22);
	/* slot 2, (6 + 2) mod 4 = INTA */
	ck_assert_uint_eq(gsi_of(PCI_BDF(1, 6, 0)), 22);
	/* slot 1 and 3: (1 + 1 + 3) mod 4 = INTB at slot 2 */
	ck_assert_uint_eq(gsi_of(PCI_BDF(2, 1, 0)), 23);
}
END_TEST

START_TEST(elsewhere_the_interrupt_line_says_it)
{
	unsigned gsi, flags;

	host_bridge();
	pin(8, 1);
	pin(16, 1);
	pin(24, 1);
	pin(32, 0);
	pin(40, 9);
	fn[1].config[PCI_INT_LINE] = 11;
	fn[2].config[PCI_INT_LINE] = 0xff;
	fn[4].config[PCI_INT_LINE] = 10;
	enumerate();
	ck_assert_uint_eq(gsi_of(8), 11);
	ck_assert_int_eq(pci_intx_gsi(pci_find(16), &gsi, &flags), -ENXIO);
	ck_assert_int_eq(pci_intx_gsi(pci_find(24), &gsi, &flags), -ENXIO);
	ck_assert_int_eq(pci_intx_gsi(pci_find(32), &gsi, &flags), -ENXIO);
	ck_assert_int_eq(pci_intx_gsi(pci_find(40), &gsi, &flags), -ENXIO);
}
END_TEST

START_TEST(ich9_routes_its_pins_to_the_ioapic_only)
{
	struct fake_pci *lpc = put(PCI_ICH9_LPC, 0x060100);

	q35();
	fake_pci_init(lpc, PCI_ICH9_LPC, 0x8086, 0x2918, 0x060100);
	memset(&lpc->config[0x60], 0x0a, 16);
	memset(&lpc->writable[0x60], 0xff, 16);
	fake_pci_add(lpc);
	enumerate();
	ck_assert_uint_eq(get32(lpc, 0x60), 0x80808080);
	ck_assert_uint_eq(get32(lpc, 0x64), 0x0a0a0a0a);
	ck_assert_uint_eq(get32(lpc, 0x68), 0x80808080);
}
END_TEST

/* ---- the command register ---- */

START_TEST(mastering_is_refused_without_a_domain)
{
	struct fake_pci *f = add(8, 0xff0000);
	struct pci_dev *p;

	host_bridge();
	enumerate();
	p = pci_find(8);
	ck_assert_int_eq(pci_enable_master(p), -EPERM);
	ck_assert_uint_eq(command(f) & 4, 0);
	ck_assert(host_logged("bus mastering refused"));
	ck_assert_int_eq(dma_attach(&p->dev), 0);
	ck_assert_int_eq(pci_enable_master(p), 0);
	ck_assert_uint_eq(command(f) & 4, 4);
	pci_disable_master(p);
	ck_assert_uint_eq(command(f) & 4, 0);
	dma_detach(&p->dev);
	ck_assert_int_eq(pci_enable_master(p), -EPERM);
}
END_TEST

START_TEST(a_bridge_masters_while_one_behind_it_does)
{
	struct fake_pci *a = bridge(PCI_BDF(0, 1, 0), 1, 2);
	struct fake_pci *b = bridge(PCI_BDF(1, 0, 0), 2, 2);
	struct pci_dev *p, *q;

	host_bridge();
	add(PCI_BDF(2, 0, 0), 0xff0000);
	add(PCI_BDF(1, 1, 0), 0xff0000);
	enumerate();
	p = pci_find(PCI_BDF(2, 0, 0));
	q = pci_find(PCI_BDF(1, 1, 0));
	dma_attach(&p->dev);
	dma_attach(&q->dev);
	pci_enable_master(p);
	ck_assert_uint_eq(command(a) & command(b) & 4, 4);
	pci_enable_master(q);
	pci_disable_master(p);
	ck_assert_uint_eq(command(b) & 4, 0);
	ck_assert_uint_eq(command(a) & 4, 4);
	pci_disable_master(q);
	ck_assert_uint_eq(command(a) & 4, 0);
}
END_TEST

START_TEST(decoding_is_turned_on_all_the_way_up)
{
	struct fake_pci *a = bridge(PCI_BDF(0, 1, 0), 1, 1);
	struct fake_pci *f = card(PCI_BDF(1, 0, 0)), *g = card(PCI_BDF(1, 1, 0));

	host_bridge();
	io_bar(f, 0, 32);
	io_bar(g, 0, 32);
	set32(f, PCI_BAR(0), 0xc001);
	fake_pci_add(f);
	fake_pci_add(g);
	enumerate();
	ck_assert_uint_eq(command(a) & 3, 0);
	pci_enable_memory(pci_find(g->bdf));
	/* Its ports have no place: they would answer at 0. */
	ck_assert_uint_eq(command(g) & 3, 2);
	pci_enable_memory(pci_find(f->bdf));
	ck_assert_uint_eq(command(f) & 3, 3);
	ck_assert_uint_eq(command(a) & 3, 3);
}
END_TEST

START_TEST(intx_is_turned_on_and_off)
{
	struct fake_pci *f = add(8, 0xff0000);

	host_bridge();
	enumerate();
	ck_assert_uint_eq(command(f), 0x400);
	pci_enable_intx(pci_find(8), true);
	ck_assert_uint_eq(command(f), 0);
	pci_enable_intx(pci_find(8), false);
	ck_assert_uint_eq(command(f), 0x400);
}
END_TEST

START_TEST(a_function_that_is_gone_harms_nobody)
{
	struct fake_pci *f = add(8, 0xff0000);
	struct pci_dev *p;

	host_bridge();
	enumerate();
	p = pci_find(8);
	dma_attach(&p->dev);
	pci_enable_master(p);
	f->gone = true;
	ck_assert_uint_eq(pci_read32(p, 0), UINT32_MAX);
	ck_assert_uint_eq(pci_find_cap(p, 5, 0), 0);
	pci_disable_master(p);
	pci_enable_intx(p, false);
}
END_TEST

/* ---- the report ---- */

START_TEST(the_report_has_a_line_for_each_function)
{
	struct fake_pci *f = put(PCI_BDF(0, 3, 0), 0x010802);

	host_bridge();
	fake_pci_bar(f, 0, 16384, true, NULL, NULL);
	set32(f, PCI_BAR(0), 0xfd000004);
	fake_pci_add(f);
	enumerate();
	pci_report();
	ck_assert_ptr_nonnull(strstr(host_console(), "@json {\"event\":\"pci\","
		"\"bdf\":\"00:03.0\",\"vendor\":\"0x1234\","
		"\"device\":\"0x101\",\"class\":\"0x10802\","
		"\"class_name\":\"NVMe controller\""));
	ck_assert_ptr_nonnull(strstr(host_console(), "\"bars\":[{\"bar\":0,"
		"\"base\":\"0xfd000000\",\"size\":\"0x4000\","
		"\"kind\":\"mem64\"}]}\n"));
	ck_assert_ptr_nonnull(strstr(host_console(), "\"host bridge\""));
	ck_assert_ptr_null(strstr(host_console(), "overflow"));
}
END_TEST

int main(void)
{
	TCase *c = suite_group("pci", setup, teardown, 0);

	tcase_add_test(c, nobody_on_the_bus_is_enodev);
	tcase_add_test(c, ports_reach_256_bytes_at_each_width);
	tcase_add_test(c, ecam_reaches_4096_bytes_of_what_was_found);
	tcase_add_test(c, ecam_that_does_not_answer_is_not_used);
	tcase_add_test(c, ecam_where_another_answers_is_not_used);
	tcase_add_test(c, ecam_of_another_segment_is_not_ours);
	tcase_add_test(c, a_machine_without_the_ports_is_enumerated_by_ecam);
	tcase_add_test(c, ids_class_and_name_are_read);
	tcase_add_test(c,
		functions_of_a_single_function_device_are_not_looked_for);
	tcase_add_test(c, mastering_is_off_and_intx_disabled_after_discovery);
	tcase_add_test(c, no_memory_leaves_nothing_behind);
	tcase_add_test(c, classes_are_found_one_after_the_other);
	tcase_add_test(c, bus_numbers_of_firmware_are_kept);
	tcase_add_test(c, bridges_without_numbers_get_them_depth_first);
	tcase_add_test(c, a_bridge_without_numbers_does_not_take_a_siblings);
	tcase_add_test(c, numbers_that_would_lead_in_circles_are_replaced);
	tcase_add_test(c, numbers_below_the_bridges_own_bus_are_replaced);
	tcase_add_test(c, no_number_left_is_said_and_the_rest_goes_on);
	tcase_add_test(c, a_chain_of_bridges_ends);
	tcase_add_test(c, behind_a_root_port_is_one_device);
	tcase_add_test(c, bars_are_sized_and_keep_what_firmware_wrote);
	tcase_add_test(c, decoding_is_off_while_sizing_and_back_on_after);
	tcase_add_test(c, a_64_bit_bar_at_index_5_is_refused);
	tcase_add_test(c, a_bar_that_wraps_around_is_refused);
	tcase_add_test(c, what_an_interrupted_sizing_left_is_no_address);
	tcase_add_test(c, a_bar_with_address_bits_that_do_not_move_is_ignored);
	tcase_add_test(c, a_bridge_has_two_bars);
	tcase_add_test(c, unassigned_bars_get_a_place_of_their_kind);
	tcase_add_test(c, bars_of_firmware_are_not_touched_nor_overlapped);
	tcase_add_test(c, a_bar_that_does_not_fit_stays_0_and_is_named);
	tcase_add_test(c, a_64_bit_bar_that_does_not_fit_below_goes_above);
	tcase_add_test(c, without_a_hole_above_4_gib_prefetchable_goes_below);
	tcase_add_test(c, bridges_open_a_window_for_what_is_behind);
	tcase_add_test(c, a_bridge_with_nothing_to_pass_is_closed);
	tcase_add_test(c, without_a_prefetchable_window_all_goes_in_the_other);
	tcase_add_test(c, a_bridge_that_keeps_no_window_gets_nothing_behind_it);
	tcase_add_test(c, a_window_of_firmware_is_kept_and_filled);
	tcase_add_test(c, many_sizes_behind_many_bridges_are_all_placed);
	tcase_add_test(c, no_memory_while_assigning_is_said);
	tcase_add_test(c, a_bar_is_mapped_whole);
	tcase_add_test(c, bars_that_overlap_are_refused);
	tcase_add_test(c, capabilities_are_found_in_list_order);
	tcase_add_loop_test(c, a_capability_list_that_lies_ends_in_few_steps,
			    0, ARRAY_SIZE(bad_caps));
	tcase_add_test(c, extended_capabilities_are_found);
	tcase_add_test(c, an_extended_capability_at_the_end_has_no_body);
	tcase_add_loop_test(c, an_extended_list_that_lies_ends_in_few_steps,
			    0, ARRAY_SIZE(bad_ext));
	tcase_add_test(c, q35_pins_go_where_ich9_wires_them);
	tcase_add_test(c, bridges_turn_the_pins);
	tcase_add_test(c, elsewhere_the_interrupt_line_says_it);
	tcase_add_test(c, ich9_routes_its_pins_to_the_ioapic_only);
	tcase_add_test(c, mastering_is_refused_without_a_domain);
	tcase_add_test(c, a_bridge_masters_while_one_behind_it_does);
	tcase_add_test(c, decoding_is_turned_on_all_the_way_up);
	tcase_add_test(c, intx_is_turned_on_and_off);
	tcase_add_test(c, a_function_that_is_gone_harms_nobody);
	tcase_add_test(c, the_report_has_a_line_for_each_function);
	return suite_run("pci");
}
