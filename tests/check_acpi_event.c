/* SPDX-License-Identifier: MIT */
/* core/acpi_event.c, on a model of PM1 blocks, an SMI port and the SCI's level. */
#include "core/acpi_event.h"

#include <check.h>
#include <string.h>

#include "core/cpu.h"
#include "core/errno.h"
#include "core/irq.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

#define EVT_A	0x600
#define EVT_B	0x620
#define CNT	0x604
#define SMI	0xb2
#define GPE	0x640
#define SCI	9
#define ENABLE	0xa0			/* what the SMI port wants to hear */
#define PWRBTN	0x0100
#define STORM	2000			/* the model gives up as well */

struct block {
	uint16_t sts, en;
};

static struct {
	struct block a, b;
	uint16_t cnt;
	uint8_t gpe_sts, gpe_en, smi_said;
	unsigned smi_steps;		/* until SCI_EN is set, 0: never */
	bool stuck;			/* the line, whatever the registers say */
	bool gone;
	bool press_on_clear;		/* somebody presses while we start */
	char order[64];			/* what was written, a letter each */
} pm;

static unsigned heard;

static bool line(void)
{
	return pm.stuck || (pm.a.sts & pm.a.en) || (pm.b.sts & pm.b.en) ||
	       (pm.gpe_sts & pm.gpe_en);
}

/* A level: it comes again after each handler, as long as it is up. */
static void raise_line(void)
{
	for (unsigned i = 0; line() && i < STORM; i++)
		host_raise_gsi(SCI);
}

static void note(char c)
{
	size_t n = strlen(pm.order);

	if (n + 1 < sizeof(pm.order))
		pm.order[n] = c;
}

static uint64_t block_read(void *ctx, size_t off, unsigned width)
{
	struct block *b = ctx;

	ck_assert_uint_eq(width, 2);
	if (pm.gone)
		return 0xffff;
	return off ? b->en : b->sts;
}

static void block_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	struct block *b = ctx;

	ck_assert_uint_eq(width, 2);
	if (off) {
		b->en = (uint16_t)val;
		note(val ? 'E' : 'e');
	} else {
		b->sts &= (uint16_t)~val;
		note('s');
		if (pm.press_on_clear)
			b->sts |= PWRBTN;
		pm.press_on_clear = false;
	}
}

static uint64_t cnt_read(void *ctx, size_t off, unsigned width)
{
	if (pm.smi_said == ENABLE && pm.smi_steps && !--pm.smi_steps)
		pm.cnt |= 1;
	return pm.cnt;
}

static void smi_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	pm.smi_said = (uint8_t)val;
	note('m');
}

static void gpe_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	ck_assert_uint_eq(width, 1);
	ck_assert_uint_eq(off, 1);
	pm.gpe_en = (uint8_t)val;
	note('g');
}

static const struct host_mmio_ops block_ops = { block_read, block_write };
static const struct host_mmio_ops cnt_ops = { cnt_read, NULL };
static const struct host_mmio_ops smi_ops = { NULL, smi_write };
static const struct host_mmio_ops gpe_ops = { NULL, gpe_write };

static struct acpi_fadt fadt;

static void setup(void)
{
	host_start();
	memset(&pm, 0, sizeof(pm));
	pm.cnt = 1;
	heard = 0;
	fadt = (struct acpi_fadt){
		.pm1a_evt = EVT_A, .pm1_evt_len = 4, .pm1a_cnt = CNT,
		.gpe0 = GPE, .gpe0_len = 2, .smi_cmd = SMI,
		.acpi_enable = ENABLE, .power_button = true, .sci_irq = SCI,
	};
	host_port_add(EVT_A, 4, &block_ops, &pm.a);
	host_port_add(EVT_B, 4, &block_ops, &pm.b);
	host_port_add(CNT, 2, &cnt_ops, &pm.cnt);
	host_port_add(SMI, 1, &smi_ops, &pm.smi_said);
	host_port_add(GPE, 2, &gpe_ops, &pm.gpe_en);
}

static void teardown(void)
{
	acpi_event_stop();
	acpi_button_listen(NULL);
	host_mmio_remove(&pm.a);
	host_mmio_remove(&pm.b);
	host_mmio_remove(&pm.cnt);
	host_mmio_remove(&pm.smi_said);
	host_mmio_remove(&pm.gpe_en);
	host_finish();
}

static void hear(void)
{
	heard++;
}

static void press(struct block *b)
{
	b->sts |= PWRBTN;
	raise_line();
}

START_TEST(a_press_is_heard_once_and_written_back)
{
	ck_assert_int_eq(acpi_event_init(&fadt), 0);
	acpi_button_listen(hear);
	ck_assert(acpi_button_there());
	ck_assert_uint_eq(acpi_button_presses(), 0);
	pm.a.sts |= 0x0001;		/* the timer's bit is not ours */
	press(&pm.a);
	ck_assert_uint_eq(pm.a.sts, 0x0001);
	ck_assert_uint_eq(acpi_button_presses(), 1);
	ck_assert_uint_eq(heard, 1);
	ck_assert_uint_eq(acpi_sci_spurious(), 0);
	ck_assert(host_logged("power button pressed"));
}
END_TEST

START_TEST(a_second_press_is_counted_and_changes_nothing)
{
	ck_assert_int_eq(acpi_event_init(&fadt), 0);
	press(&pm.a);
	ck_assert(!host_logged("again"));
	press(&pm.a);
	ck_assert_uint_eq(acpi_button_presses(), 2);
	ck_assert_uint_eq(pm.a.sts, 0);
	ck_assert(host_logged("pressed again"));
}
END_TEST

START_TEST(all_is_off_and_cleared_before_the_button_is_enabled)
{
	pm.a.en = 0x0721;		/* firmware left more than it should */
	pm.a.sts = PWRBTN | 0x8000;	/* what switched the machine on */
	pm.gpe_en = pm.gpe_sts = 0xff;
	ck_assert_int_eq(acpi_event_init(&fadt), 0);
	raise_line();
	ck_assert_str_eq(pm.order, "gesE");
	ck_assert_uint_eq(pm.a.en, PWRBTN);
	ck_assert_uint_eq(pm.a.sts, 0);
	ck_assert_uint_eq(acpi_button_presses(), 0);
	ck_assert(!line());
}
END_TEST

START_TEST(a_press_between_clear_and_enable_is_not_lost)
{
	pm.press_on_clear = true;
	ck_assert_int_eq(acpi_event_init(&fadt), 0);
	raise_line();
	ck_assert_uint_eq(acpi_button_presses(), 1);
}
END_TEST

START_TEST(the_button_may_be_in_the_second_block)
{
	fadt.pm1b_evt = EVT_B;
	ck_assert_int_eq(acpi_event_init(&fadt), 0);
	ck_assert_uint_eq(pm.b.en, PWRBTN);
	press(&pm.b);
	ck_assert_uint_eq(acpi_button_presses(), 1);
	ck_assert_uint_eq(pm.b.sts, 0);
}
END_TEST

START_TEST(a_spurious_sci_is_counted_and_no_press)
{
	ck_assert_int_eq(acpi_event_init(&fadt), 0);
	host_raise_gsi(SCI);
	pm.a.sts = 0x0020;		/* set, but not enabled */
	host_raise_gsi(SCI);
	ck_assert_uint_eq(acpi_sci_spurious(), 2);
	ck_assert_uint_eq(acpi_button_presses(), 0);
	ck_assert_uint_eq(pm.a.sts, 0x0020);
}
END_TEST

START_TEST(a_line_that_stays_up_is_masked)
{
	ck_assert_int_eq(acpi_event_init(&fadt), 0);
	pm.stuck = true;
	raise_line();
	ck_assert_uint_eq(acpi_sci_spurious(), ACPI_SCI_STORM);
	ck_assert(host_logged("SCI: 1000 without an event in a row: masked"));
}
END_TEST

/* A press in between proves that the line is not stuck. */
START_TEST(spurious_ones_far_apart_are_no_storm)
{
	ck_assert_int_eq(acpi_event_init(&fadt), 0);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < ACPI_SCI_STORM - 1; i++)
			host_raise_gsi(SCI);
		press(&pm.a);
	}
	ck_assert_uint_eq(acpi_button_presses(), 3);
	ck_assert(!host_logged("masked"));
}
END_TEST

START_TEST(legacy_mode_is_left_through_the_smi_port)
{
	pm.cnt = 0;
	pm.smi_steps = 5;
	ck_assert_int_eq(acpi_event_init(&fadt), 0);
	ck_assert_uint_eq(pm.smi_said, ENABLE);
	ck_assert_str_eq(pm.order, "mgesE");
	press(&pm.a);
	ck_assert_uint_eq(acpi_button_presses(), 1);
}
END_TEST

START_TEST(acpi_mode_needs_no_smi)
{
	ck_assert_int_eq(acpi_event_init(&fadt), 0);
	ck_assert_uint_eq(pm.smi_said, 0);
}
END_TEST

START_TEST(firmware_that_never_switches_costs_a_second)
{
	nsec_t before = time_now();

	pm.cnt = 0;
	ck_assert_int_eq(acpi_event_init(&fadt), -ETIMEDOUT);
	ck_assert_uint_ge(time_now() - before, NSEC_PER_SEC);
	ck_assert_uint_lt(time_now() - before, 2 * NSEC_PER_SEC);
	ck_assert(!acpi_button_there());
	ck_assert(host_logged("no power button: -ETIMEDOUT"));
}
END_TEST

START_TEST(legacy_mode_without_an_smi_port_has_no_button)
{
	pm.cnt = 0;
	fadt.smi_cmd = 0;
	ck_assert_int_eq(acpi_event_init(&fadt), -ENOTSUP);
}
END_TEST

START_TEST(no_fixed_button_no_event_block_or_a_short_one)
{
	fadt.power_button = false;
	ck_assert_int_eq(acpi_event_init(&fadt), -ENOTSUP);
	fadt.power_button = true;
	fadt.pm1_evt_len = 2;
	ck_assert_int_eq(acpi_event_init(&fadt), -ENOTSUP);
	fadt.pm1_evt_len = 4;
	fadt.pm1a_evt = 0;
	ck_assert_int_eq(acpi_event_init(&fadt), -ENOTSUP);
	ck_assert(!acpi_button_there());
	ck_assert_str_eq(pm.order, "");
}
END_TEST

/* All ones would otherwise look like a press. */
START_TEST(ports_where_nobody_answers_are_no_press)
{
	pm.gone = true;
	ck_assert_int_eq(acpi_event_init(&fadt), -ENODEV);
	pm.gone = false;
	ck_assert_int_eq(acpi_event_init(&fadt), 0);
	pm.gone = true;
	host_raise_gsi(SCI);
	ck_assert_uint_eq(acpi_button_presses(), 0);
	ck_assert_uint_eq(acpi_sci_spurious(), 1);
	pm.gone = false;
}
END_TEST

START_TEST(the_report_has_presses_and_spurious_ones)
{
	ck_assert_int_eq(acpi_event_init(&fadt), 0);
	press(&pm.a);
	host_raise_gsi(SCI);
	host_raise_gsi(SCI);
	acpi_event_report();
	ck_assert_ptr_nonnull(strstr(host_console(),
		"{\"event\":\"acpi_events\",\"button\":true,\"sci\":9,"
		"\"presses\":1,\"spurious\":2}"));
	acpi_event_stop();
	host_console_clear();
	acpi_event_report();
	ck_assert_ptr_nonnull(strstr(host_console(), "\"button\":false"));
}
END_TEST

START_TEST(after_stop_nothing_is_enabled)
{
	ck_assert_int_eq(acpi_event_init(&fadt), 0);
	acpi_event_stop();
	ck_assert(!acpi_button_there());
	ck_assert_uint_eq(pm.a.en, 0);
	press(&pm.a);
	ck_assert_uint_eq(acpi_button_presses(), 0);
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("acpi_event", setup, teardown, 0);

	tcase_add_test(tc, a_press_is_heard_once_and_written_back);
	tcase_add_test(tc, a_second_press_is_counted_and_changes_nothing);
	tcase_add_test(tc, all_is_off_and_cleared_before_the_button_is_enabled);
	tcase_add_test(tc, a_press_between_clear_and_enable_is_not_lost);
	tcase_add_test(tc, the_button_may_be_in_the_second_block);
	tcase_add_test(tc, a_spurious_sci_is_counted_and_no_press);
	tcase_add_test(tc, a_line_that_stays_up_is_masked);
	tcase_add_test(tc, spurious_ones_far_apart_are_no_storm);
	tcase_add_test(tc, legacy_mode_is_left_through_the_smi_port);
	tcase_add_test(tc, acpi_mode_needs_no_smi);
	tcase_add_test(tc, firmware_that_never_switches_costs_a_second);
	tcase_add_test(tc, legacy_mode_without_an_smi_port_has_no_button);
	tcase_add_test(tc, no_fixed_button_no_event_block_or_a_short_one);
	tcase_add_test(tc, ports_where_nobody_answers_are_no_press);
	tcase_add_test(tc, the_report_has_presses_and_spurious_ones);
	tcase_add_test(tc, after_stop_nothing_is_enabled);
	return suite_run("acpi_event");
}
