/* SPDX-License-Identifier: MIT */
/*
 * core/driver.c: who is probed, in what state, and what is left when a probe
 * fails. The drivers are this program's own.
 */
#include "core/device.h"

#include <check.h>
#include <string.h>

#include "core/errno.h"
#include "core/pci.h"
#include "core/pcireg.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

static struct fake_pci bridge, disk, other_disk, odd;
static int disk_err;
static char order[64];			/* what happened: p5 s5 … */

static void note(char what, const struct pci_dev *p)
{
	size_t n = strlen(order);

	order[n] = what;
	order[n + 1] = (char)('0' + PCI_SLOT(p->bdf));
}

static int disk_probe(struct pci_dev *p)
{
	uint16_t cmd = pci_read16(p, PCI_COMMAND);

	note('p', p);
	ck_assert_ptr_nonnull(p->dev.dma.ops);
	ck_assert_uint_eq(cmd & PCI_COMMAND_MASTER, 0);
	ck_assert_uint_eq(cmd & PCI_COMMAND_MEMORY, PCI_COMMAND_MEMORY);
	ck_assert_uint_ne(p->bar[0].base, 0);
	ck_assert_int_eq(pci_enable_master(p), 0);
	p->drvdata = order;
	return disk_err;
}

static void disk_stop(struct pci_dev *p)
{
	note('s', p);
	ck_assert_ptr_eq(p->drvdata, order);
}

static const struct pci_id disk_ids[] = {
	{ PCI_ANY, PCI_ANY, 0x010802, 0xffffff },
	{ 0x1b36, 0x0099, 0, 0 },
	{ 0 },
};

static const struct driver disk_driver = {
	.name = "disk", .ids = disk_ids, .probe = disk_probe, .stop = disk_stop,
};
DRIVER(disk_driver);

static int never_probe(struct pci_dev *p)
{
	ck_abort_msg("a driver without a match was probed");
	return 0;
}

static const struct pci_id never_ids[] = {
	{ 0x1b36, 0x0010, 0x020000, 0xff0000 },	/* ids right, class wrong */
	{ 0x1b37, PCI_ANY, 0, 0 },
	{ 0 },
};

static const struct driver never_driver = {
	.name = "never", .ids = never_ids, .probe = never_probe,
};
DRIVER(never_driver);

static void setup(void)
{
	const struct pci_window mem = { 0xc0000000, MIB(16) };

	host_start();
	fake_pci_init(&bridge, 0, 0x8086, 0x29c0, 0x060000);
	fake_pci_init(&disk, PCI_BDF(0, 3, 0), 0x1b36, 0x0010, 0x010802);
	fake_pci_init(&other_disk, PCI_BDF(0, 5, 0), 0x1b36, 0x0099, 0x018000);
	fake_pci_init(&odd, PCI_BDF(0, 6, 0), 0x1b36, 0x0098, 0x018000);
	fake_pci_bar(&disk, 0, 4096, true, NULL, NULL);
	fake_pci_bar(&other_disk, 0, 4096, true, NULL, NULL);
	fake_pci_add(&bridge);
	fake_pci_add(&disk);
	fake_pci_add(&other_disk);
	fake_pci_add(&odd);
	ck_assert_int_eq(pci_config_init(NULL), 0);
	ck_assert_int_eq(pci_enumerate(), 4);
	ck_assert_int_eq(pci_assign_unassigned(mem, mem, mem), 2);
}

static void teardown(void)
{
	pci_reset();
	host_finish();
}

static uint16_t command(const struct fake_pci *f)
{
	return (uint16_t)(f->config[PCI_COMMAND] |
			  f->config[PCI_COMMAND + 1] << 8);
}

START_TEST(each_match_is_probed_once_in_bus_order)
{
	struct pci_dev *p = pci_find(disk.bdf);

	ck_assert_uint_eq(driver_probe_all(), 2);
	ck_assert_str_eq(order, "p3p5");
	ck_assert_ptr_eq(p->driver, &disk_driver);
	ck_assert_int_eq(p->probe_err, 0);
	ck_assert_ptr_null(pci_find(odd.bdf)->driver);
	ck_assert_ptr_null(pci_find(odd.bdf)->dev.dma.ops);
	ck_assert_uint_eq(driver_probe_all(), 0);
	ck_assert_str_eq(order, "p3p5");
	driver_stop_all();
}
END_TEST

START_TEST(devices_are_stopped_in_reverse_order)
{
	driver_probe_all();
	driver_stop_all();
	ck_assert_str_eq(order, "p3p5s5s3");
	ck_assert_uint_eq(command(&disk) & PCI_COMMAND_MASTER, 0);
	ck_assert_ptr_null(pci_find(disk.bdf)->dev.dma.ops);
	ck_assert_ptr_null(pci_find(disk.bdf)->driver);
	driver_stop_all();
	ck_assert_str_eq(order, "p3p5s5s3");
}
END_TEST

START_TEST(a_probe_that_fails_is_undone_and_its_reason_kept)
{
	struct pci_dev *p = pci_find(disk.bdf);
	uint16_t before = command(&disk);

	disk_err = -ETIMEDOUT;
	ck_assert_uint_eq(driver_probe_all(), 0);
	ck_assert_int_eq(p->probe_err, -ETIMEDOUT);
	ck_assert_ptr_null(p->driver);
	ck_assert_ptr_null(p->drvdata);
	ck_assert_ptr_null(p->dev.dma.ops);
	ck_assert_uint_eq(command(&disk), before);
	ck_assert(host_logged("00:03.0: warning: disk refused it (-ETIMEDOUT)"));
	driver_stop_all();
	ck_assert_str_eq(order, "p3p5");
}
END_TEST

START_TEST(one_class_can_be_probed_before_the_others)
{
	ck_assert_uint_eq(driver_probe_class(0x018000, 0xffff00), 1);
	ck_assert_str_eq(order, "p5");
	ck_assert_uint_eq(driver_probe_all(), 1);
	ck_assert_str_eq(order, "p5p3");
	driver_stop_all();
}
END_TEST

START_TEST(a_probe_that_failed_is_not_tried_again)
{
	disk_err = -EIO;
	driver_probe_class(0x010802, 0xffffff);
	driver_probe_all();
	ck_assert_str_eq(order, "p3p5");
}
END_TEST

static int refuse(struct device *d)
{
	return -ENODEV;
}
static const struct dma_provider refusing = { .name = "no", .attach = refuse };

START_TEST(without_a_domain_a_driver_is_not_probed)
{
	dma_set_provider(&refusing);
	ck_assert_uint_eq(driver_probe_all(), 0);
	ck_assert_str_eq(order, "");
	ck_assert_int_eq(pci_find(disk.bdf)->probe_err, -ENODEV);
	ck_assert_uint_eq(command(&disk) & PCI_COMMAND_MASTER, 0);
}
END_TEST

int main(void)
{
	TCase *c = suite_group("driver", setup, teardown, 0);

	tcase_add_test(c, each_match_is_probed_once_in_bus_order);
	tcase_add_test(c, devices_are_stopped_in_reverse_order);
	tcase_add_test(c, a_probe_that_fails_is_undone_and_its_reason_kept);
	tcase_add_test(c, one_class_can_be_probed_before_the_others);
	tcase_add_test(c, a_probe_that_failed_is_not_tried_again);
	tcase_add_test(c, without_a_domain_a_driver_is_not_probed);
	return suite_run("driver");
}
