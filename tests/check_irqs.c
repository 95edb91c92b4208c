/* SPDX-License-Identifier: MIT */
/*
 * msi/irqs.c: MSI-X, else MSI, else the pin, and why; where each vector goes.
 * The devices are behind no known chipset, so that the interrupt line register
 * says which pin it is.
 */
#include <check.h>
#include <string.h>

#include "core/cmdline.h"
#include "core/cpu.h"
#include "core/errno.h"
#include "core/irq.h"
#include "core/monitor.h"
#include "msi/irqs.h"
#include "msi/msi.h"
#include "msi/msireg.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

#define COMMAND		4
# define INTX_OFF	0x400
#define INT_LINE	0x3c
#define INT_PIN		0x3d
#define GSI		11

static struct fake_pci f;
static struct pci_dev *p;
static unsigned seen[64], seen_cpu[64];

static void on_irq(void *arg)
{
	unsigned nr = (unsigned)((unsigned *)arg - seen);

	seen[nr]++;
	seen_cpu[nr] = cpu_id();
}

static void setup(void)
{
	host_start();
	host_set_cpus(4);
	memset(seen, 0, sizeof(seen));
	fake_pci_init(&f, PCI_BDF(0, 5, 0), 0x1b36, 0x10, 0x010802);
	fake_pci_bar(&f, 0, 0x10000, true, NULL, NULL);
	f.config[INT_PIN] = 1;
	f.config[INT_LINE] = GSI;
}

static void teardown(void)
{
	cmdline_init("");
	host_finish();
}

static void add_msix(unsigned n)
{
	fake_pci_msix(&f, n, 0, 0x2000, 0);
}

static void add_msi(void)
{
	uint8_t body[12] = { 0x80 };
	unsigned at = fake_pci_cap(&f, MSI_CAP_ID, body, sizeof(body));

	f.writable[at + 2] = 0x71;
	memset(&f.writable[at + 4], 0xff, 10);
}

static struct fake_pci bridge;

static void probe(void)
{
	fake_pci_init(&bridge, 0, 0x8086, 0x1237, 0x060000);
	fake_pci_add(&bridge);
	fake_pci_add(&f);
	p = host_pci_probe(&f);
	ck_assert_ptr_nonnull(p);
	pci_enable_memory(p);
	ck_assert_int_eq(pci_enable_master(p), 0);
}

static int connect(unsigned nr)
{
	return irq_vectors_connect(p, nr, on_irq, &seen[nr], "test");
}

static void expect(const char *kind, const char *why)
{
	ck_assert_str_eq(irq_vectors_kind(p), kind);
	ck_assert_str_eq(irq_vectors_why(p), why);
}

/* ---- which way ---- */

START_TEST(msix_is_first_and_needs_no_reason)
{
	add_msi();
	add_msix(4);
	probe();
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 3, NULL), 3);
	expect("msi-x", "");
	ck_assert_uint_eq(irq_vectors(p), 3);
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 3, NULL), -EBUSY);
	irq_vectors_free(p);
	irq_vectors_free(p);
	expect("none", "");
	ck_assert_uint_eq(irq_vectors(p), 0);
}
END_TEST

static const struct {
	const char *cmdline;
	bool msi, msix;
	unsigned use;
	const char *kind, *why;
} ways[] = {
	{ "", true, false, 0, "msi", "no MSI-X: the device has none" },
	{ "", false, false, 0, "intx",
	  "no MSI-X: the device has none; no MSI: the device has none" },
	{ "msi=msi", true, true, 0, "msi", "no MSI-X: msi=msi" },
	{ "msi=off", true, true, 0, "intx",
	  "no MSI-X: msi=off; no MSI: msi=off" },
	{ "irq.quirk=1b36:0010=nomsix", true, true, 0, "msi",
	  "no MSI-X: irq.quirk=1b36:0010=nomsix" },
	{ "irq.quirk=1b36:0010=nomsi", true, true, 0, "msi-x", "" },
	{ "irq.quirk=1b36:0010=nomsi", true, false, 0, "intx",
	  "no MSI-X: the device has none; "
	  "no MSI: irq.quirk=1b36:0010=nomsi" },
	{ "irq.quirk=1b36:0010=intx", true, true, 0, "intx",
	  "no MSI-X: irq.quirk=1b36:0010=intx; "
	  "no MSI: irq.quirk=1b36:0010=intx" },
	{ "", true, false, IRQ_MSIX | IRQ_INTX, "intx",
	  "no MSI-X: the device has none; "
	  "no MSI: its driver cannot use it" },
};

START_TEST(each_step_down_has_its_reason)
{
	if (ways[_i].msi)
		add_msi();
	if (ways[_i].msix)
		add_msix(4);
	probe();
	cmdline_init(ways[_i].cmdline);
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 1, &(struct irq_hints){
					   .use = ways[_i].use }), 1);
	expect(ways[_i].kind, ways[_i].why);
	ck_assert_int_eq(connect(0), 0);
	fake_pci_fire(&f, 0);
	if (!strcmp(ways[_i].kind, "intx"))
		host_raise_gsi(GSI);
	ck_assert_uint_eq(seen[0], 1);
	ck_assert_uint_eq(irq_vectors_count(p, 0), 1);
	irq_vectors_free(p);
}
END_TEST

START_TEST(the_report_and_the_monitor_say_way_and_reason)
{
	char cmd[] = "irq";

	probe();
	cmdline_init("msi=off");
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 1, NULL), 1);
	ck_assert_int_eq(connect(0), 0);
	irq_report();
	ck_assert_ptr_nonnull(strstr(host_console(),
		"{\"event\":\"irq_device\",\"name\":\"00:05.0\","
		"\"kind\":\"intx\",\"remap\":\"none\",\"vectors\":1,"
		"\"why\":\"no MSI-X: msi=off; no MSI: msi=off\","
		"\"lost\":0}"));
	host_console_clear();
	ck_assert_int_eq(monitor_exec(cmd), 0);
	ck_assert_ptr_nonnull(strstr(host_console(), "00:05.0 intx, 1 vectors:"
				     "\n\tno MSI-X: msi=off"));
	irq_vectors_free(p);
}
END_TEST

START_TEST(a_lie_of_msix_is_a_reason_too)
{
	add_msix(4);
	for (unsigned at = f.config[0x34]; at; at = f.config[at + 1])
		if (f.config[at] == MSIX_CAP_ID)
			f.config[at + MSIX_TABLE] |= 6;
	probe();
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 1, NULL), 1);
	ck_assert_str_eq(irq_vectors_kind(p), "intx");
	ck_assert_ptr_nonnull(strstr(irq_vectors_why(p),
				     "no MSI-X: table of 4 entries: reserved"));
	irq_vectors_free(p);
}
END_TEST

START_TEST(no_way_at_all_names_all_three)
{
	f.config[INT_PIN] = 0;
	probe();
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 1, NULL), -ENXIO);
	ck_assert(host_logged("no interrupt (-ENXIO): no MSI-X: the device has "
			      "none; no MSI: the device has none; "
			      "no INTx: the device has no pin"));
	expect("none", "");
}
END_TEST

START_TEST(a_pin_of_unknown_wiring_is_no_way)
{
	f.config[INT_LINE] = 0;
	probe();
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 1, NULL), -ENXIO);
	ck_assert(host_logged("no INTx: its wiring is not known"));
}
END_TEST

START_TEST(a_pin_is_one_vector)
{
	probe();
	ck_assert_int_eq(irq_alloc_vectors(p, 2, 4, NULL), -ENOSPC);
	ck_assert(host_logged("no INTx: it is one vector, 2 are wanted"));
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 4, NULL), 1);
	irq_vectors_free(p);
}
END_TEST

START_TEST(a_driver_that_cannot_use_the_pin_gets_none)
{
	probe();
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 1, &(struct irq_hints){
					   .use = IRQ_MSIX }), -ENODEV);
	ck_assert(host_logged("no INTx: its driver cannot use it"));
}
END_TEST

START_TEST(requests_that_make_no_sense_are_refused)
{
	struct cpu_set nobody = { 0 };

	add_msix(4);
	probe();
	ck_assert_int_eq(irq_alloc_vectors(p, 0, 1, NULL), -EINVAL);
	ck_assert_int_eq(irq_alloc_vectors(p, 2, 1, NULL), -EINVAL);
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 1, &(struct irq_hints){
					   .among = &nobody }), -EINVAL);
	ck_assert_str_eq(msi_kind(p), "none");
	ck_assert_int_eq(connect(0), -EINVAL);
	ck_assert_int_eq(irq_vectors_cpu(p, 0), -EINVAL);
	ck_assert_int_eq(irq_alloc_vectors(p, 2, 2, NULL), 2);
	ck_assert_int_eq(connect(2), -EINVAL);
	ck_assert_int_eq(irq_vectors_connect(p, 0, NULL, NULL, "x"), -EINVAL);
	ck_assert_int_eq(connect(0), 0);
	ck_assert_int_eq(connect(0), -EBUSY);
	irq_vectors_free(p);
}
END_TEST

START_TEST(a_quirk_limits_the_vectors)
{
	add_msix(8);
	probe();
	cmdline_init("irq.quirk=1b36:0010=max=3");
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 8, NULL), 3);
	irq_vectors_free(p);
	ck_assert_int_eq(irq_alloc_vectors(p, 4, 8, NULL), -ENOSPC);
	ck_assert_str_eq(msi_kind(p), "none");
}
END_TEST

START_TEST(every_allocation_that_fails_leaves_nothing)
{
	unsigned failures = 0;
	int n;

	add_msix(4);
	probe();
	for (unsigned i = 1;; i++) {
		host_fail_alloc(i);
		n = irq_alloc_vectors(p, 2, 4, NULL);
		host_fail_alloc(0);
		if (n > 0)
			break;
		ck_assert_int_eq(n, -ENOMEM);
		ck_assert_ptr_null(p->irqs);
		ck_assert_ptr_null(p->msi);
		failures++;
	}
	ck_assert_uint_ge(failures, 2);
	irq_vectors_free(p);
}
END_TEST

/* ---- the pin ---- */

START_TEST(the_pin_is_open_only_while_it_is_connected)
{
	probe();
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 1, NULL), 1);
	ck_assert(pci_read16(p, COMMAND) & INTX_OFF);
	ck_assert_int_eq(connect(0), 0);
	ck_assert(!(pci_read16(p, COMMAND) & INTX_OFF));
	ck_assert_int_eq(connect(0), -EBUSY);
	host_raise_gsi(GSI);
	ck_assert_uint_eq(seen[0], 1);
	irq_vectors_free(p);
	ck_assert(pci_read16(p, COMMAND) & INTX_OFF);
	host_raise_gsi(GSI);
	ck_assert_uint_eq(seen[0], 1);
}
END_TEST

START_TEST(the_pin_is_shared_with_others)
{
	probe();
	ck_assert_int_eq(irq_gsi_request(GSI, IRQ_GSI_LEVEL, 0, on_irq,
					 &seen[7], "other"), 0);
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 1, NULL), 1);
	ck_assert_int_eq(connect(0), 0);
	host_raise_gsi(GSI);
	ck_assert_uint_eq(seen[0], 1);
	ck_assert_uint_eq(seen[7], 1);
	irq_vectors_free(p);
	host_raise_gsi(GSI);
	ck_assert_uint_eq(seen[0], 1);
	ck_assert_uint_eq(seen[7], 2);
	irq_gsi_free(GSI, on_irq, &seen[7]);
}
END_TEST

START_TEST(the_pin_moves_and_is_among_what_a_cpu_has)
{
	probe();
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 1, NULL), 1);
	ck_assert_int_eq(connect(0), 0);
	ck_assert_int_eq(irq_vectors_cpu(p, 0), 0);
	ck_assert_int_eq(irq_set_affinity(p, 0, 2), 0);
	ck_assert_int_eq(irq_vectors_cpu(p, 0), 2);
	host_raise_gsi(GSI);
	ck_assert_uint_eq(seen_cpu[0], 2);
	ck_assert_int_eq(irq_rebalance(2), 0);
	ck_assert_int_eq(irq_vectors_cpu(p, 0), 3);
	host_raise_gsi(GSI);
	ck_assert_uint_eq(seen[0], 2);
	ck_assert_uint_eq(seen_cpu[0], 3);
	irq_vectors_free(p);
}
END_TEST

START_TEST(a_pin_that_cannot_move_is_named)
{
	ck_assert_int_eq(irq_gsi_request(4, 0, 1, on_irq, &seen[7], "edge"), 0);
	ck_assert_int_eq(irq_rebalance(1), -ENOTSUP);
	ck_assert(host_logged("pin 4 stays on CPU 1: -ENOTSUP"));
	irq_gsi_free(4, on_irq, &seen[7]);
}
END_TEST

/* ---- which CPU ---- */

START_TEST(managed_vectors_go_to_one_cpu_each)
{
	struct irq_hints h = { .pre = 1, .managed = true };

	add_msix(16);
	probe();
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 10, &h), 10);
	for (unsigned nr = 0; nr < 10; nr++) {
		ck_assert_int_eq(connect(nr), 0);
		if (nr)
			ck_assert_int_eq(irq_vectors_cpu(p, nr),
					 (int)((nr - 1) % 4));
		fake_pci_fire(&f, nr);
		ck_assert_uint_eq(seen[nr], 1);
		ck_assert_int_eq(irq_vectors_cpu(p, nr), (int)seen_cpu[nr]);
	}
	irq_vectors_free(p);
}
END_TEST

START_TEST(a_sole_vector_is_the_queues)
{
	struct irq_hints h = { .pre = 1, .managed = true };

	probe();
	ck_assert_int_ge(vector_alloc(0), 0);	/* others have more room */
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 5, &h), 1);
	ck_assert_int_eq(irq_vectors_cpu(p, 0), 0);
	irq_vectors_free(p);
}
END_TEST

START_TEST(only_cpus_of_the_set_are_interrupted)
{
	struct irq_hints h = { .managed = true };
	struct cpu_set set = { 0 };

	cpu_set_add(&set, 1);
	cpu_set_add(&set, 3);
	cpu_set_add(&set, 77);			/* is not up */
	h.among = &set;
	add_msix(8);
	probe();
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 4, &h), 4);
	for (unsigned nr = 0; nr < 4; nr++)
		ck_assert_int_eq(irq_vectors_cpu(p, nr), nr % 2 ? 3 : 1);
	irq_vectors_free(p);
}
END_TEST

/* Take vectors of cpu until only so many are free. */
static void fill(unsigned cpu, unsigned leave)
{
	while (vector_stats(cpu).free > leave)
		ck_assert_int_ge(vector_alloc(cpu), 0);
}

static void empty(unsigned cpu)
{
	for (unsigned v = VECTOR_FIRST; v <= VECTOR_LAST; v++)
		if (vector_stats(cpu).used && !irq_name(cpu, v))
			vector_free(cpu, v);
}

START_TEST(spread_vectors_go_to_the_cpu_with_most_room)
{
	add_msix(8);
	probe();
	fill(0, VECTOR_ROOM - 8);
	fill(2, VECTOR_ROOM - 8);
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 4, NULL), 4);
	for (unsigned nr = 0; nr < 4; nr++)
		ck_assert_int_eq(irq_vectors_cpu(p, nr), nr % 2 ? 3 : 1);
	irq_vectors_free(p);
}
END_TEST

START_TEST(room_that_was_set_aside_is_there_when_connected)
{
	struct irq_hints h = { .pre = 1, .managed = true };

	add_msix(8);
	probe();
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 5, &h), 5);
	for (unsigned cpu = 0; cpu < 4; cpu++) {
		ck_assert_uint_eq(vector_stats(cpu).reserved, 1);
		fill(cpu, 0);
	}
	for (unsigned nr = 1; nr < 5; nr++)
		ck_assert_int_eq(connect(nr), 0);
	ck_assert_int_eq(connect(0), -ENOSPC);	/* nothing set aside for it */
	irq_vectors_free(p);
	for (unsigned cpu = 0; cpu < 4; cpu++) {
		ck_assert_uint_eq(vector_stats(cpu).reserved, 0);
		ck_assert_uint_eq(vector_stats(cpu).free, 1);
	}
}
END_TEST

/* Exhaustion: fewer vectors, in the order of the CPUs, never below min. */
START_TEST(full_cpus_mean_fewer_vectors_but_not_fewer_than_min)
{
	struct irq_hints h = { .managed = true };

	add_msix(16);
	probe();
	for (unsigned cpu = 0; cpu < 4; cpu++)
		fill(cpu, 2 + (cpu < 2));
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 16, &h), 10);
	ck_assert_str_eq(irq_vectors_why(p), "CPUs have room for 10 of 16 vectors");
	for (unsigned nr = 0; nr < 10; nr++)
		ck_assert_int_eq(connect(nr), 0);
	ck_assert_int_eq(connect(10), -EINVAL);
	for (unsigned nr = 10; nr < 16; nr++)
		ck_assert_uint_eq(f.msix[nr][3] & 1, 1);
	irq_vectors_free(p);
	ck_assert_int_eq(irq_alloc_vectors(p, 11, 16, &h), -ENOSPC);
	ck_assert_str_eq(msi_kind(p), "none");
	for (unsigned cpu = 0; cpu < 4; cpu++)
		ck_assert_uint_eq(vector_stats(cpu).reserved, 0);
	ck_assert_int_eq(irq_alloc_vectors(p, 10, 16, &h), 10);
	irq_vectors_free(p);
	for (unsigned cpu = 0; cpu < 4; cpu++)
		fill(cpu, 0);
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 16, &h), -ENOSPC);
	empty(3);
	h.managed = false;
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 16, &h), 16);
	ck_assert_int_eq(irq_vectors_cpu(p, 15), 3);
	irq_vectors_free(p);
}
END_TEST

START_TEST(a_thousand_rounds_leave_no_vector_behind)
{
	struct irq_hints h = { .pre = 1, .managed = true };

	add_msix(64);
	probe();
	for (unsigned i = 0; i < 1000; i++) {
		ck_assert_int_eq(irq_alloc_vectors(p, 1, 64, &h), 64);
		for (unsigned nr = i % 3; nr < 64; nr += 1 + i % 5)
			ck_assert_int_eq(connect(nr), 0);
		irq_vectors_free(p);
	}
	for (unsigned cpu = 0; cpu < 4; cpu++)
		ck_assert_uint_eq(vector_stats(cpu).free, VECTOR_ROOM);
}
END_TEST

/* There is one message for all of them, so one CPU. */
START_TEST(several_by_msi_go_to_one_cpu_and_queues_of_all_get_one)
{
	struct irq_hints h = { .pre = 1, .managed = true };

	add_msi();
	f.config[f.config[0x34] + 2] = 3 << 1;		/* eight, no masks */
	probe();
	ck_assert_int_eq(irq_alloc_vectors(p, 2, 8, NULL), 8);
	for (unsigned nr = 0; nr < 8; nr++) {
		ck_assert_int_eq(connect(nr), 0);
		ck_assert_int_eq(irq_vectors_cpu(p, nr), 0);
		fake_pci_fire(&f, nr);
		ck_assert_uint_eq(seen[nr], 1);
		ck_assert_uint_eq(seen_cpu[nr], 0);
	}
	irq_vectors_free(p);
	ck_assert_int_eq(irq_alloc_vectors(p, 1, 5, &h), 1);
	expect("msi", "no MSI-X: the device has none; one MSI: several "
	       "interrupt one CPU together");
	irq_vectors_free(p);
	ck_assert_int_eq(irq_alloc_vectors(p, 2, 5, &h), -ENOSPC);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("way", setup, teardown, 0);

	tcase_add_test(t, msix_is_first_and_needs_no_reason);
	tcase_add_loop_test(t, each_step_down_has_its_reason, 0,
			    ARRAY_SIZE(ways));
	tcase_add_test(t, the_report_and_the_monitor_say_way_and_reason);
	tcase_add_test(t, a_lie_of_msix_is_a_reason_too);
	tcase_add_test(t, no_way_at_all_names_all_three);
	tcase_add_test(t, a_pin_of_unknown_wiring_is_no_way);
	tcase_add_test(t, a_pin_is_one_vector);
	tcase_add_test(t, a_driver_that_cannot_use_the_pin_gets_none);
	tcase_add_test(t, requests_that_make_no_sense_are_refused);
	tcase_add_test(t, a_quirk_limits_the_vectors);
	tcase_add_test(t, every_allocation_that_fails_leaves_nothing);

	t = suite_group("pin", setup, teardown, 0);
	tcase_add_test(t, the_pin_is_open_only_while_it_is_connected);
	tcase_add_test(t, the_pin_is_shared_with_others);
	tcase_add_test(t, the_pin_moves_and_is_among_what_a_cpu_has);
	tcase_add_test(t, a_pin_that_cannot_move_is_named);

	t = suite_group("cpu", setup, teardown, 0);
	tcase_add_test(t, managed_vectors_go_to_one_cpu_each);
	tcase_add_test(t, a_sole_vector_is_the_queues);
	tcase_add_test(t, only_cpus_of_the_set_are_interrupted);
	tcase_add_test(t, spread_vectors_go_to_the_cpu_with_most_room);
	tcase_add_test(t, room_that_was_set_aside_is_there_when_connected);
	tcase_add_test(t, full_cpus_mean_fewer_vectors_but_not_fewer_than_min);
	tcase_add_test(t, a_thousand_rounds_leave_no_vector_behind);
	tcase_add_test(t, several_by_msi_go_to_one_cpu_and_queues_of_all_get_one);
	return suite_run("irqs");
}
