/* SPDX-License-Identifier: MIT */
/*
 * core/ioapic.c against a model of the 82093AA's registers. On the host
 * irq_gsi_request() belongs to the seam, so the file is compiled here under
 * another name; so is cpu_apic_id(), for ids that the host's CPUs do not have.
 */
#define irq_gsi_request	ioapic_gsi_request
#define irq_gsi_free	ioapic_gsi_free
#define irq_gsi_mask	ioapic_gsi_mask
#define irq_gsi_move	ioapic_gsi_move
#define irq_gsi_cpu	ioapic_gsi_cpu
#define cpu_apic_id	chip_apic_id
#include "core/ioapic.c"

#include <check.h>

#include "tests/host/host.h"
#include "tests/host/suite.h"

#define BASE	0xfec00000u
#define PINS	24

static struct {
	uint32_t select, reg[64];
	unsigned in_service;		/* pin whose EOI is still to come, or 0 */
	unsigned edges;			/* writes that made pin 22 edge */
	unsigned reads;			/* of it, until the EOI comes; 0: never */
	struct pic {			/* 8259A: what it was told */
		unsigned step;		/* of the initialization */
		uint8_t base, cascade, mode, mask;
	} pic[2];
} chip;

static uint64_t chip_read(void *ctx, size_t off, unsigned width)
{
	uint32_t val = chip.reg[chip.select & 63];

	ck_assert_uint_eq(width, 4);
	if (chip.in_service && chip.select == 0x10 + 2 * chip.in_service) {
		val |= 1 << 14;
		if (chip.reads && --chip.reads == 0)
			chip.in_service = 0;
	}
	return off == 0x10 ? val : chip.select;
}

static void chip_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	ck_assert_uint_eq(width, 4);
	if (off == 0x10) {
		chip.reg[chip.select & 63] = (uint32_t)val;
		if (chip.select == 0x10 + 2 * 22 && !(val & 1 << 15)) {
			chip.edges++;
			chip.in_service = 0;
		}
	} else
		chip.select = (uint32_t)val;
}

static void pic_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	struct pic *pic = ctx;
	uint8_t *word[] = { &pic->mask, &pic->base, &pic->cascade, &pic->mode };

	if (off == 0 && val & 0x10) {
		*pic = (struct pic){ .step = 1 };
		return;
	}
	ck_assert_uint_eq(off, 1);
	*word[pic->step] = (uint8_t)val;
	pic->step = pic->step ? (pic->step + 1) % 4 : 0;
}

static const struct host_mmio_ops chip_ops = { chip_read, chip_write };
static const struct host_mmio_ops pic_ops = { NULL, pic_write };

static uint32_t apic_id_first;

uint32_t chip_apic_id(unsigned cpu)
{
	return apic_id_first + cpu;
}

static uint32_t rte(unsigned pin)
{
	return chip.reg[0x10 + 2 * pin];
}

static unsigned hits_a, hits_b;

static void handler_a(void *arg)
{
	hits_a++;
}

static void handler_b(void *arg)
{
	hits_b++;
}

static struct acpi_madt madt = {
	.nioapics = 1, .ioapic = { { 0, BASE, 0 } },
	.noverrides = 4,
	.override = { { 0, 2, 0 }, { 9, 9, 0xf },	/* low, level */
		      { 10, 10, 0xd },			/* high, level */
		      { 11, 11, 0x5 } },		/* high, edge */
};

static void setup(void)
{
	host_start();
	host_set_cpus(2);
	memset(&chip, 0, sizeof(chip));
	memset(&ioapics.unit, 0, sizeof(ioapics.unit));
	ioapics.n = 0;
	hits_a = hits_b = 0;
	apic_id_first = 0;
	chip.reg[1] = (PINS - 1) << 16 | 0x20;
	host_mmio_add(BASE, 0x20, &chip_ops, &chip);
	host_port_add(0x20, 2, &pic_ops, &chip.pic[0]);
	host_port_add(0xa0, 2, &pic_ops, &chip.pic[1]);
	ioapic_init(&madt);
}

static void teardown(void)
{
	for (unsigned i = 0; i < ioapics.n; i++) {
		io_unmap(&ioapics.unit[i].regs);
		heap_free(ioapics.unit[i].pin);
	}
	host_mmio_remove(&chip);
	host_mmio_remove(&chip.pic[0]);
	host_mmio_remove(&chip.pic[1]);
	host_finish();
}

START_TEST(start_masks_every_pin_and_both_8259s)
{
	ck_assert_uint_eq(ioapic_pins(), PINS);
	for (unsigned i = 0; i < PINS; i++)
		ck_assert(rte(i) & IOAPIC_RTE_MASKED);
	ck_assert_uint_eq(chip.pic[0].mask, 0xff);
	ck_assert_uint_eq(chip.pic[1].mask, 0xff);
}
END_TEST

START_TEST(an_8259s_spurious_interrupt_is_the_spurious_vector)
{
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(chip.pic[i].step, 0);
		ck_assert_uint_eq(chip.pic[i].base + 7, IRQ_VECTOR_SPURIOUS);
		ck_assert_uint_eq(chip.pic[i].mode, 1);
	}
	ck_assert_uint_eq(chip.pic[0].cascade, 1 << 2);
	ck_assert_uint_eq(chip.pic[1].cascade, 2);
}
END_TEST

START_TEST(a_level_pin_is_routed_low_and_level_to_its_cpu)
{
	ck_assert_int_eq(ioapic_gsi_request(21, IRQ_GSI_LEVEL |
			 IRQ_GSI_ACTIVE_LOW, 1, handler_a, NULL, "intx"), 0);
	ck_assert(!(rte(21) & IOAPIC_RTE_MASKED));
	ck_assert(rte(21) & IOAPIC_RTE_LEVEL);
	ck_assert(rte(21) & IOAPIC_RTE_LOW);
	ck_assert_uint_eq(chip.reg[0x10 + 43] >> 24, cpu_apic_id(1));
	cpu_send_ipi(1, rte(21) & 0xff);
	ck_assert_uint_eq(hits_a, 1);
	ioapic_gsi_free(21, handler_a, NULL);
	ck_assert(rte(21) & IOAPIC_RTE_MASKED);
}
END_TEST

START_TEST(level_pins_are_shared_and_edge_pins_are_not)
{
	unsigned level = IRQ_GSI_LEVEL | IRQ_GSI_ACTIVE_LOW;

	ck_assert_int_eq(ioapic_gsi_request(22, level, 0, handler_a, NULL,
					    "a"), 0);
	ck_assert_int_eq(ioapic_gsi_request(22, level, 0, handler_b, NULL,
					    "b"), 0);
	cpu_send_ipi(0, rte(22) & 0xff);
	ck_assert_uint_eq(hits_a, 1);
	ck_assert_uint_eq(hits_b, 1);
	ioapic_gsi_free(22, handler_a, NULL);
	ck_assert(!(rte(22) & IOAPIC_RTE_MASKED));
	cpu_send_ipi(0, rte(22) & 0xff);
	ck_assert_uint_eq(hits_a, 1);
	ck_assert_uint_eq(hits_b, 2);
	ioapic_gsi_free(22, handler_b, NULL);

	ck_assert_int_eq(ioapic_gsi_request(4, 0, 0, handler_a, NULL, "a"), 0);
	ck_assert_int_eq(ioapic_gsi_request(4, 0, 0, handler_b, NULL, "b"),
			 -EBUSY);
	ioapic_gsi_free(4, handler_a, NULL);
}
END_TEST

static void request_level(unsigned gsi)
{
	ck_assert_int_eq(ioapic_gsi_request(gsi, IRQ_GSI_LEVEL, 0, handler_a,
					    NULL, "a"), 0);
}

/*
 * While it is edge and masked a rising line is ignored (82093AA, 3.2.4, and
 * QEMU's): one who shares the pin would wait for ever.
 */
START_TEST(a_pin_in_use_is_level_all_the_time)
{
	chip.edges = 0;
	request_level(22);
	ck_assert_uint_eq(chip.edges, 0);
	ck_assert_int_eq(ioapic_gsi_request(22, IRQ_GSI_LEVEL, 0, handler_b,
					    NULL, "b"), 0);
	ck_assert_int_eq(ioapic_gsi_move(22, 1), 0);
	ioapic_gsi_mask(22);
	ck_assert_int_eq(ioapic_gsi_move(22, 0), 0);
	ioapic_gsi_free(22, handler_b, NULL);
	ck_assert_uint_eq(chip.edges, 0);
	ioapic_gsi_free(22, handler_a, NULL);
}
END_TEST

START_TEST(a_pin_that_waits_for_a_lost_eoi_is_woken_when_it_is_requested)
{
	chip.edges = 0;
	chip.in_service = 22;
	request_level(22);
	ck_assert_uint_eq(chip.in_service, 0);
	ck_assert_uint_eq(chip.edges, 1);
	ck_assert(rte(22) & IOAPIC_RTE_LEVEL);
	ioapic_gsi_free(22, handler_a, NULL);
}
END_TEST

/* ---- moving a pin ---- */

START_TEST(a_level_pin_moves_with_all_who_share_it)
{
	unsigned old;

	request_level(22);
	ck_assert_int_eq(ioapic_gsi_request(22, IRQ_GSI_LEVEL, 0, handler_b,
					    NULL, "b"), 0);
	old = rte(22) & 0xff;
	ck_assert_int_eq(ioapic_gsi_cpu(22), 0);
	ck_assert_int_eq(ioapic_gsi_move(22, 0), 0);
	ck_assert_uint_eq(rte(22) & 0xff, old);
	ck_assert_int_eq(ioapic_gsi_move(22, 1), 0);
	ck_assert_int_eq(ioapic_gsi_cpu(22), 1);
	ck_assert_uint_eq(chip.reg[0x10 + 45] >> 24, 1);
	ck_assert(!(rte(22) & IOAPIC_RTE_MASKED));
	ck_assert(rte(22) & IOAPIC_RTE_LEVEL);
	ck_assert_ptr_null(irq_name(0, old));
	cpu_send_ipi(1, rte(22) & 0xff);
	ck_assert_uint_eq(hits_a, 1);
	ck_assert_uint_eq(hits_b, 1);
	ioapic_gsi_free(22, handler_a, NULL);
	ioapic_gsi_free(22, handler_b, NULL);
	ck_assert_int_eq(ioapic_gsi_cpu(22), -EINVAL);
}
END_TEST

START_TEST(an_interrupt_in_service_ends_before_its_pin_moves)
{
	request_level(22);
	chip.in_service = 22;
	chip.reads = 100;
	ck_assert_int_eq(ioapic_gsi_move(22, 1), 0);
	ck_assert_uint_eq(chip.in_service, 0);
	ck_assert_int_eq(ioapic_gsi_cpu(22), 1);
	ioapic_gsi_free(22, handler_a, NULL);
}
END_TEST

static int second_move;

static void move_too(void *ctx)
{
	if (chip.in_service && second_move == 1)
		second_move = ioapic_gsi_move(22, 2);
}

START_TEST(two_who_share_a_pin_do_not_move_it_at_once)
{
	host_set_cpus(3);
	request_level(22);
	chip.in_service = 22;
	chip.reads = 100;
	second_move = 1;
	host_step_add(move_too, NULL);
	ck_assert_int_eq(ioapic_gsi_move(22, 1), 0);
	host_step_remove(NULL);
	ck_assert_int_eq(second_move, -EBUSY);
	ck_assert_int_eq(ioapic_gsi_move(22, 2), 0);
	ck_assert_int_eq(ioapic_gsi_cpu(22), 2);
	ioapic_gsi_free(22, handler_a, NULL);
}
END_TEST

START_TEST(a_pin_whose_interrupt_does_not_end_stays)
{
	unsigned old;

	request_level(22);
	old = rte(22) & 0xff;
	chip.in_service = 22;
	ck_assert_int_eq(ioapic_gsi_move(22, 1), -ETIMEDOUT);
	ck_assert_int_eq(ioapic_gsi_cpu(22), 0);
	ck_assert_uint_eq(rte(22) & 0xff, old);
	ck_assert(!(rte(22) & IOAPIC_RTE_MASKED));
	ck_assert_uint_eq(chip.reg[0x10 + 45] >> 24, 0);
	chip.in_service = 0;
	ioapic_gsi_free(22, handler_a, NULL);
}
END_TEST

START_TEST(a_pin_that_was_masked_stays_masked_where_it_goes)
{
	request_level(22);
	ioapic_gsi_mask(22);
	ck_assert_int_eq(ioapic_gsi_move(22, 1), 0);
	ck_assert(rte(22) & IOAPIC_RTE_MASKED);
	ck_assert_uint_eq(chip.reg[0x10 + 45] >> 24, 1);
	ioapic_gsi_free(22, handler_a, NULL);
}
END_TEST

START_TEST(what_cannot_move_is_refused)
{
	ck_assert_int_eq(ioapic_gsi_move(22, 1), -EINVAL);
	ck_assert_int_eq(ioapic_gsi_move(999, 1), -EINVAL);
	ck_assert_int_eq(ioapic_gsi_request(4, 0, 0, handler_a, NULL, "a"), 0);
	ck_assert_int_eq(ioapic_gsi_move(4, 1), -ENOTSUP);
	ck_assert_int_eq(ioapic_gsi_move(4, 2), -EINVAL);
	ck_assert_int_eq(ioapic_gsi_cpu(4), 0);
	ioapic_gsi_free(4, handler_a, NULL);
	request_level(22);
	apic_id_first = 255;
	ck_assert_int_eq(ioapic_gsi_move(22, 1), -EINVAL);
	apic_id_first = 0;
	ioapic_gsi_free(22, handler_a, NULL);
}
END_TEST

START_TEST(overrides_of_legacy_interrupts_are_followed)
{
	ck_assert_int_eq(ioapic_gsi_request(0, 0, 0, handler_a, NULL, "pit"),
			 0);
	ck_assert(rte(0) & IOAPIC_RTE_MASKED);
	ck_assert(!(rte(2) & IOAPIC_RTE_MASKED));
	ioapic_gsi_free(0, handler_a, NULL);
	ck_assert_int_eq(ioapic_gsi_request(9, 0, 0, handler_a, NULL, "sci"),
			 0);
	ck_assert(rte(9) & IOAPIC_RTE_LEVEL);
	ck_assert(rte(9) & IOAPIC_RTE_LOW);
	ioapic_gsi_free(9, handler_a, NULL);
}
END_TEST

/* QEMU's SCI is level and high; whoever asks for it cannot know. */
START_TEST(an_override_takes_back_what_was_asked_for)
{
	unsigned asked = IRQ_GSI_LEVEL | IRQ_GSI_ACTIVE_LOW;

	ck_assert_int_eq(ioapic_gsi_request(10, asked, 0, handler_a, NULL,
					    "sci"), 0);
	ck_assert(rte(10) & IOAPIC_RTE_LEVEL);
	ck_assert(!(rte(10) & IOAPIC_RTE_LOW));
	ioapic_gsi_free(10, handler_a, NULL);
	ck_assert_int_eq(ioapic_gsi_request(11, asked, 0, handler_a, NULL,
					    "x"), 0);
	ck_assert(!(rte(11) & (IOAPIC_RTE_LEVEL | IOAPIC_RTE_LOW)));
	ioapic_gsi_free(11, handler_a, NULL);
}
END_TEST

START_TEST(a_masked_pin_is_open_again_for_the_next_user)
{
	ck_assert_int_eq(ioapic_gsi_request(21, IRQ_GSI_LEVEL, 0, handler_a,
					    NULL, "a"), 0);
	ioapic_gsi_mask(21);
	ck_assert(rte(21) & IOAPIC_RTE_MASKED);
	ck_assert_int_eq(ioapic_gsi_request(21, IRQ_GSI_LEVEL, 0, handler_b,
					    NULL, "b"), 0);
	ck_assert(!(rte(21) & IOAPIC_RTE_MASKED));
	ioapic_gsi_free(21, handler_a, NULL);
	ioapic_gsi_free(21, handler_b, NULL);
	ioapic_gsi_mask(PINS);		/* no such pin: nothing */
}
END_TEST

START_TEST(a_pin_that_does_not_exist_is_refused)
{
	ck_assert_int_eq(ioapic_gsi_request(PINS, 0, 0, handler_a, NULL, "x"),
			 -EINVAL);
}
END_TEST

START_TEST(out_of_memory_leaves_the_pin_masked)
{
	host_fail_alloc(1);
	ck_assert_int_eq(ioapic_gsi_request(20, IRQ_GSI_LEVEL, 0, handler_a,
					    NULL, "x"), -ENOMEM);
	ck_assert(rte(20) & IOAPIC_RTE_MASKED);
}
END_TEST

/* The destination field has 8 bits, and 255 means all. */
START_TEST(a_cpu_with_a_long_apic_id_is_refused)
{
	apic_id_first = 254;
	ck_assert_int_eq(ioapic_gsi_request(21, IRQ_GSI_LEVEL, 1, handler_a,
					    NULL, "x"), -EINVAL);
	ck_assert(rte(21) & IOAPIC_RTE_MASKED);
	ck_assert_int_eq(ioapic_gsi_request(21, IRQ_GSI_LEVEL, 0, handler_a,
					    NULL, "x"), 0);
	ck_assert_uint_eq(chip.reg[0x10 + 43] >> 24, 254);
	ioapic_gsi_free(21, handler_a, NULL);
}
END_TEST

/* Another CPU is in the list of users until the third step. */
static void leave_the_handler(void *ctx)
{
	unsigned *steps = ctx;

	if (++*steps == 3)
		ioapics.unit[0].pin[22].running = 0;
}

START_TEST(a_shared_user_is_freed_only_when_no_handler_runs)
{
	unsigned steps = 0;

	ck_assert_int_eq(ioapic_gsi_request(22, IRQ_GSI_LEVEL, 1, handler_a,
					    NULL, "a"), 0);
	ck_assert_int_eq(ioapic_gsi_request(22, IRQ_GSI_LEVEL, 1, handler_b,
					    NULL, "b"), 0);
	ioapics.unit[0].pin[22].running = 1;
	host_step_add(leave_the_handler, &steps);
	ioapic_gsi_free(22, handler_a, NULL);
	host_step_remove(&steps);
	ck_assert_uint_eq(steps, 3);
	ck_assert(!(rte(22) & IOAPIC_RTE_MASKED));
	ioapic_gsi_free(22, handler_b, NULL);
}
END_TEST

/* Else a line that goes in the meantime is remembered as still there. */
START_TEST(a_level_pin_that_is_masked_stays_level)
{
	unsigned level = IRQ_GSI_LEVEL | IRQ_GSI_ACTIVE_LOW;
	uint32_t how = IOAPIC_RTE_MASKED | IOAPIC_RTE_LEVEL | IOAPIC_RTE_LOW;

	ck_assert_int_eq(ioapic_gsi_request(21, level, 0, handler_a, NULL,
					    "a"), 0);
	ioapic_gsi_mask(21);
	ck_assert_uint_eq(rte(21) & how, how);
	ioapic_gsi_free(21, handler_a, NULL);
	ck_assert_uint_eq(rte(21) & how, how);
}
END_TEST

static void hold_level(void *arg)
{
	host_time_advance(NSEC_PER_USEC);
	if (!(rte(21) & IOAPIC_RTE_MASKED) && ++hits_a < 1000000)
		cpu_send_ipi(cpu_id(), rte(21) & 0xff);
}

START_TEST(a_level_that_is_held_masks_its_pin)
{
	ck_assert_int_eq(ioapic_gsi_request(21, IRQ_GSI_LEVEL, 1, hold_level,
					    NULL, "held"), 0);
	cpu_send_ipi(1, rte(21) & 0xff);
	ck_assert(rte(21) & IOAPIC_RTE_MASKED);
	ck_assert_uint_lt(hits_a, 1000000);
	ck_assert_uint_eq(irq_storm_count(1), 1);
	ioapic_gsi_free(21, hold_level, NULL);
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("ioapic", setup, teardown, 0);

	tcase_add_test(tc, start_masks_every_pin_and_both_8259s);
	tcase_add_test(tc, an_8259s_spurious_interrupt_is_the_spurious_vector);
	tcase_add_test(tc, a_level_pin_is_routed_low_and_level_to_its_cpu);
	tcase_add_test(tc, level_pins_are_shared_and_edge_pins_are_not);
	tcase_add_test(tc, overrides_of_legacy_interrupts_are_followed);
	tcase_add_test(tc, a_pin_in_use_is_level_all_the_time);
	tcase_add_test(tc,
		       a_pin_that_waits_for_a_lost_eoi_is_woken_when_it_is_requested);
	tcase_add_test(tc, a_level_pin_moves_with_all_who_share_it);
	tcase_add_test(tc, an_interrupt_in_service_ends_before_its_pin_moves);
	tcase_add_test(tc, two_who_share_a_pin_do_not_move_it_at_once);
	tcase_add_test(tc, a_pin_whose_interrupt_does_not_end_stays);
	tcase_add_test(tc, a_pin_that_was_masked_stays_masked_where_it_goes);
	tcase_add_test(tc, what_cannot_move_is_refused);
	tcase_add_test(tc, an_override_takes_back_what_was_asked_for);
	tcase_add_test(tc, a_masked_pin_is_open_again_for_the_next_user);
	tcase_add_test(tc, a_pin_that_does_not_exist_is_refused);
	tcase_add_test(tc, out_of_memory_leaves_the_pin_masked);
	tcase_add_test(tc, a_cpu_with_a_long_apic_id_is_refused);
	tcase_add_test(tc, a_shared_user_is_freed_only_when_no_handler_runs);
	tcase_add_test(tc, a_level_pin_that_is_masked_stays_level);
	tcase_add_test(tc, a_level_that_is_held_masks_its_pin);
	return suite_run("ioapic");
}
