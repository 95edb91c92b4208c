/* SPDX-License-Identifier: MIT */
/*
 * The table parsers of core/acpi_*.c: real tables give the values that iasl -d
 * prints of them, and each named corruption has its outcome. Where a table is
 * refused, nothing may be left in the result.
 */
#include "core/acpi.h"

#include <check.h>
#include <stdlib.h>

#include "core/errno.h"
#include "tests/acpi_build.h"
#include "tests/acpi_golden.h"
#include "tests/host/suite.h"

static struct tab t;

#define GOLDEN(name)	tab_copy(&t, golden_##name, sizeof(golden_##name))

#define all_zero(out) \
	({ static const __typeof__(*(out)) z_; !memcmp(&z_, (out), sizeof(z_)); })

/* With its checksum right the table must be refused, and leave nothing. */
#define refused(kind, out)						\
	do {								\
		tab_seal(&t);						\
		ck_assert_int_eq(TAB_PARSE(kind, &t, out), -EBADMSG);	\
		ck_assert_msg(all_zero(out), "something is left");	\
	} while (0)

/* ---- every table ---- */

/* Calls fn for the golden table of each kind, its result in room. */
struct kind {
	const char *name;
	const void *golden;
	size_t size;
	int (*parse)(const void *p, size_t n, void *out);
	size_t room;
};

#define KIND(kind_)							\
static int parse_##kind_(const void *p, size_t n, void *out)		\
{									\
	return acpi_parse_##kind_(p, n, out);				\
}
KIND(madt) KIND(mcfg) KIND(fadt) KIND(hpet) KIND(srat)
KIND(slit) KIND(hmat) KIND(dmar) KIND(viot) KIND(ivrs)

#define KIND_OF(kind_, golden_) \
	{ #kind_, golden_, sizeof(golden_), parse_##kind_, \
	  sizeof(struct acpi_##kind_) }

static const struct kind kinds[] = {
	KIND_OF(madt, golden_intel_apic), KIND_OF(mcfg, golden_intel_mcfg),
	KIND_OF(fadt, golden_intel_facp), KIND_OF(hpet, golden_intel_hpet),
	KIND_OF(srat, golden_intel_srat), KIND_OF(slit, golden_intel_slit),
	KIND_OF(hmat, golden_intel_hmat),
	KIND_OF(dmar, golden_intel_dmar), KIND_OF(viot, golden_virtio_viot),
	KIND_OF(ivrs, golden_amd_ivrs),
};

static int parse_kind(const struct kind *k, size_t size)
{
	uint8_t *p = malloc(size ? size : 1), *out = malloc(k->room);
	uint8_t left = 0;
	int err;

	memcpy(p, t.b, size);
	memset(out, 0xa5, k->room);
	err = k->parse(p, size, out);
	for (size_t i = 0; err && i < k->room; i++)
		left |= out[i];
	ck_assert_msg(!left, "%s: something is left", k->name);
	free(out);
	free(p);
	return err;
}

START_TEST(a_golden_table_is_accepted)
{
	const struct kind *k = &kinds[_i];

	tab_copy(&t, k->golden, k->size);
	ck_assert_int_eq(parse_kind(k, t.n), 0);
}
END_TEST

START_TEST(a_wrong_signature_is_refused)
{
	const struct kind *k = &kinds[_i];

	tab_copy(&t, k->golden, k->size);
	t.b[0] ^= 0x20;
	tab_seal(&t);
	ck_assert_int_eq(parse_kind(k, t.n), -EBADMSG);
}
END_TEST

START_TEST(length_0_is_refused)
{
	const struct kind *k = &kinds[_i];

	tab_copy(&t, k->golden, k->size);
	memset(t.b + 4, 0, 4);
	ck_assert_int_eq(parse_kind(k, t.n), -EBADMSG);
}
END_TEST

START_TEST(a_length_below_the_header_is_refused)
{
	const struct kind *k = &kinds[_i];

	tab_copy(&t, k->golden, k->size);
	t.n = 35;
	tab_seal(&t);
	ck_assert_int_eq(parse_kind(k, k->size), -EBADMSG);
}
END_TEST

START_TEST(a_length_past_the_end_is_refused)
{
	const struct kind *k = &kinds[_i];

	tab_copy(&t, k->golden, k->size);
	t.n++;
	tab_seal(&t);
	ck_assert_int_eq(parse_kind(k, k->size), -EBADMSG);
	memset(t.b + 4, 0xff, 4);
	ck_assert_int_eq(parse_kind(k, k->size), -EBADMSG);
}
END_TEST

START_TEST(a_bad_checksum_is_refused)
{
	const struct kind *k = &kinds[_i];

	for (size_t i = 0; i < k->size; i++) {
		tab_copy(&t, k->golden, k->size);
		t.b[i] ^= 0x10;
		ck_assert_int_eq(parse_kind(k, t.n), -EBADMSG);
	}
}
END_TEST

/* Sealed at any length it is a table with a piece missing: no overrun. */
START_TEST(a_table_cut_anywhere_is_harmless)
{
	const struct kind *k = &kinds[_i];

	for (size_t n = 36; n < k->size; n++) {
		tab_copy(&t, k->golden, k->size);
		t.n = n;
		tab_seal(&t);
		parse_kind(k, n);
	}
}
END_TEST

START_TEST(any_byte_wrong_under_a_right_checksum_is_harmless)
{
	const struct kind *k = &kinds[_i];

	for (size_t i = 36; i < k->size; i++) {
		for (unsigned v = 0; v < 256; v += 5) {
			tab_copy(&t, k->golden, k->size);
			t.b[i] = (uint8_t)v;
			tab_seal(&t);
			parse_kind(k, t.n);
		}
	}
}
END_TEST

START_TEST(bytes_behind_the_table_are_ignored)
{
	const struct kind *k = &kinds[_i];

	tab_copy(&t, k->golden, k->size);
	ck_assert_int_eq(parse_kind(k, k->size + 100), 0);
}
END_TEST

/* ---- checksum ---- */

START_TEST(the_checksum_agrees_with_the_simple_loop)
{
	for (size_t n = 36; n < 5000; n += 1 + n / 7) {
		tab_start(&t, "TEST", 1);
		memset(t.b + 36, 0xff, n - 36);
		t.n = n;
		tab_seal(&t);
		ck_assert_int_eq(acpi_check(t.b, n), 0);
		t.b[n - 1]--;
		ck_assert_int_eq(acpi_check(t.b, n), -EBADMSG);
	}
}
END_TEST

/* ---- MADT ---- */

static struct acpi_madt madt;

static void madt_start(void)
{
	tab_start(&t, "APIC", 3);
	tab_le(&t, 0xfee00000, 4);
	tab_le(&t, 1, 4);
}

static void madt_cpu(uint8_t uid, uint8_t id, uint32_t flags)
{
	tab_le(&t, 0, 1);
	tab_le(&t, 8, 1);
	tab_le(&t, uid, 1);
	tab_le(&t, id, 1);
	tab_le(&t, flags, 4);
}

static void madt_x2cpu(uint32_t uid, uint32_t id, uint32_t flags)
{
	tab_le(&t, 9, 1);
	tab_le(&t, 16, 1);
	tab_le(&t, 0, 2);
	tab_le(&t, id, 4);
	tab_le(&t, flags, 4);
	tab_le(&t, uid, 4);
}

static int madt_parse(void)
{
	tab_seal(&t);
	return TAB_PARSE(madt, &t, &madt);
}

START_TEST(madt_of_qemu_has_cpus_ioapic_and_overrides)
{
	GOLDEN(intel_apic);
	ck_assert_int_eq(TAB_PARSE(madt, &t, &madt), 0);
	ck_assert_uint_eq(madt.lapic_base, 0xfee00000);
	ck_assert(madt.pcat_compat);
	ck_assert_uint_eq(madt.ncpus, 4);
	ck_assert_uint_eq(madt.left_out.disabled, 0);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(madt.apic_id[i], i);
		ck_assert_uint_eq(madt.uid[i], i);
	}
	ck_assert_uint_eq(madt.nioapics, 1);
	ck_assert_uint_eq(madt.ioapic[0].addr, 0xfec00000);
	ck_assert_uint_eq(madt.ioapic[0].gsi_base, 0);
	ck_assert_uint_eq(madt.noverrides, 5);
	ck_assert_uint_eq(madt.override[0].irq, 0);
	ck_assert_uint_eq(madt.override[0].gsi, 2);
	ck_assert_uint_eq(madt.override[0].flags, 0);
	ck_assert_uint_eq(madt.override[4].irq, 11);
	ck_assert_uint_eq(madt.override[4].gsi, 11);
	ck_assert_uint_eq(madt.override[4].flags, 0x0d);
}
END_TEST

START_TEST(madt_sub_table_of_length_0_does_not_loop)
{
	madt_start();
	madt_cpu(0, 0, 1);
	t.b[t.n - 7] = 0;
	refused(madt, &madt);
}
END_TEST

START_TEST(madt_sub_table_past_the_end_is_refused)
{
	madt_start();
	madt_cpu(0, 0, 1);
	t.b[t.n - 7] = 9;
	refused(madt, &madt);
	madt_start();
	tab_u8(&t, 0);			/* a type and no length */
	refused(madt, &madt);
}
END_TEST

START_TEST(madt_sub_table_shorter_than_its_type_is_refused)
{
	static const uint8_t types[] = { 0, 1, 2, 5, 9 };

	for (unsigned i = 0; i < sizeof(types); i++) {
		madt_start();
		tab_u8(&t, types[i]);
		tab_u8(&t, 4);
		tab_zero(&t, 2);
		refused(madt, &madt);
	}
}
END_TEST

START_TEST(madt_sub_table_of_unknown_type_is_skipped)
{
	madt_start();
	tab_u8(&t, 0x7f);
	tab_u8(&t, 7);
	tab_zero(&t, 5);
	madt_cpu(3, 5, 1);
	ck_assert_int_eq(madt_parse(), 0);
	ck_assert_uint_eq(madt.ncpus, 1);
	ck_assert_uint_eq(madt.apic_id[0], 5);
	ck_assert_uint_eq(madt.uid[0], 3);
}
END_TEST

START_TEST(madt_without_an_enabled_cpu_has_none)
{
	madt_start();
	madt_cpu(0, 0, 0);
	madt_cpu(1, 1, 2);		/* could come on line, is not there */
	madt_x2cpu(2, 2, 2);
	ck_assert_int_eq(madt_parse(), 0);
	ck_assert_uint_eq(madt.ncpus, 0);
	ck_assert_uint_eq(madt.left_out.disabled, 1);
	ck_assert_uint_eq(madt.left_out.online_capable, 2);
}
END_TEST

START_TEST(madt_cpu_that_is_enabled_in_its_second_entry_is_taken)
{
	madt_start();
	madt_cpu(0, 3, 0);
	madt_x2cpu(7, 3, 1);
	ck_assert_int_eq(madt_parse(), 0);
	ck_assert_uint_eq(madt.ncpus, 1);
	ck_assert_uint_eq(madt.uid[0], 7);
	ck_assert_uint_eq(madt.left_out.disabled, 1);
	ck_assert_uint_eq(madt.left_out.named_twice, 0);
}
END_TEST

/* The other half of the room is for ids that need less. */
START_TEST(madt_with_4096_cpus_counts_those_without_room)
{
	madt_start();
	for (unsigned i = 0; i < 4096; i++)
		madt_x2cpu(i, i, 1);
	ck_assert_int_eq(madt_parse(), 0);
	ck_assert_uint_eq(madt.ncpus, 512);
	ck_assert_uint_eq(madt.apic_id[511], 511);
	ck_assert_uint_eq(madt.left_out.no_room, 3584);
	ck_assert_uint_eq(madt.no_room_first, 512);
	ck_assert_uint_eq(madt.no_room_last, 4095);
}
END_TEST

START_TEST(madt_of_any_order_has_room_for_every_low_id)
{
	madt_start();
	for (unsigned i = 4095; i >= 256; i--)
		madt_x2cpu(i, i, 1);
	for (unsigned i = 0; i < 255; i++)
		madt_cpu((uint8_t)i, (uint8_t)i, 1);
	ck_assert_int_eq(madt_parse(), 0);
	ck_assert_uint_eq(madt.ncpus, 256 + 255);
	ck_assert_uint_eq(madt.apic_id[255], 3840);
	ck_assert_uint_eq(madt.apic_id[256 + 254], 254);
	ck_assert_uint_eq(madt.left_out.no_room, 3584);
	ck_assert_uint_eq(madt.no_room_first, 256);
	ck_assert_uint_eq(madt.no_room_last, 3839);
}
END_TEST

START_TEST(madt_cpu_named_twice_is_taken_once)
{
	madt_start();
	madt_cpu(0, 0, 1);
	madt_cpu(1, 1, 1);
	madt_x2cpu(0, 0, 1);
	madt_x2cpu(2, 0x10000, 1);
	madt_x2cpu(3, 0x10000, 1);
	ck_assert_int_eq(madt_parse(), 0);
	ck_assert_uint_eq(madt.ncpus, 3);
	ck_assert_uint_eq(madt.left_out.named_twice, 2);
	ck_assert_uint_eq(madt.apic_id[2], 0x10000);
	ck_assert_uint_eq(madt.uid[2], 2);
}
END_TEST

START_TEST(madt_broadcast_ids_are_no_cpus)
{
	madt_start();
	madt_cpu(0, 0xff, 1);
	madt_x2cpu(1, 0xffffffff, 1);
	madt_x2cpu(2, 0xff, 1);		/* a valid id with 32 bits */
	ck_assert_int_eq(madt_parse(), 0);
	ck_assert_uint_eq(madt.ncpus, 1);
	ck_assert_uint_eq(madt.apic_id[0], 0xff);
	ck_assert_uint_eq(madt.uid[0], 2);
	ck_assert_uint_eq(madt.left_out.broadcast, 2);
}
END_TEST

START_TEST(madt_64_bit_lapic_base_wins)
{
	madt_start();
	tab_le(&t, 5, 1);
	tab_le(&t, 12, 1);
	tab_le(&t, 0, 2);
	tab_le(&t, 0x123fee00000, 8);
	ck_assert_int_eq(madt_parse(), 0);
	ck_assert_uint_eq(madt.lapic_base, 0x123fee00000);
}
END_TEST

START_TEST(madt_ioapics_and_overrides_without_room_are_counted)
{
	madt_start();
	for (unsigned i = 0; i < ACPI_IOAPICS + 2; i++) {
		tab_le(&t, 0x0c01, 2);
		tab_le(&t, i, 2);
		tab_le(&t, 0xfec00000 + i * 0x1000, 4);
		tab_le(&t, i * 24, 4);
	}
	for (unsigned i = 0; i < ACPI_OVERRIDES + 3; i++) {
		tab_le(&t, 0x0a02, 2);
		tab_u8(&t, 0);
		tab_u8(&t, (uint8_t)i);
		tab_le(&t, i, 4);
		tab_le(&t, 0, 2);
	}
	ck_assert_int_eq(madt_parse(), 0);
	ck_assert_uint_eq(madt.nioapics, ACPI_IOAPICS);
	ck_assert_uint_eq(madt.noverrides, ACPI_OVERRIDES);
	ck_assert_uint_eq(madt.nleft_out, 5);
}
END_TEST

/* ---- MCFG ---- */

static struct acpi_mcfg mcfg;

static void mcfg_start(void)
{
	tab_start(&t, "MCFG", 1);
	tab_zero(&t, 8);
}

static void mcfg_segment(uint64_t base, uint16_t seg, uint8_t first,
			 uint8_t last)
{
	tab_le(&t, base, 8);
	tab_le(&t, seg, 2);
	tab_u8(&t, first);
	tab_u8(&t, last);
	tab_zero(&t, 4);
}

START_TEST(mcfg_of_qemu_is_one_segment)
{
	GOLDEN(intel_mcfg);
	ck_assert_int_eq(TAB_PARSE(mcfg, &t, &mcfg), 0);
	ck_assert_uint_eq(mcfg.n, 1);
	ck_assert_uint_eq(mcfg.seg[0].base, 0xb0000000);
	ck_assert_uint_eq(mcfg.seg[0].segment, 0);
	ck_assert_uint_eq(mcfg.seg[0].bus_first, 0);
	ck_assert_uint_eq(mcfg.seg[0].bus_last, 255);
}
END_TEST

START_TEST(mcfg_impossible_segments_are_refused)
{
	mcfg_start();
	mcfg_segment(0, 0, 0, 255);
	refused(mcfg, &mcfg);
	mcfg_start();
	mcfg_segment(0xb0001000, 0, 0, 255);
	refused(mcfg, &mcfg);
	mcfg_start();
	mcfg_segment(0xb0000000, 0, 9, 8);
	refused(mcfg, &mcfg);
	mcfg_start();
	mcfg_segment(UINT64_C(0xfffffffff8000000), 0, 0, 255);
	refused(mcfg, &mcfg);
}
END_TEST

START_TEST(mcfg_with_half_a_segment_is_refused)
{
	mcfg_start();
	mcfg_segment(0xb0000000, 0, 0, 255);
	t.n -= 8;
	refused(mcfg, &mcfg);
}
END_TEST

START_TEST(mcfg_segments_without_room_are_counted)
{
	mcfg_start();
	for (unsigned i = 0; i < 6; i++)
		mcfg_segment(0x100000000 + i * 0x10000000, (uint16_t)i, 0, 255);
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(mcfg, &t, &mcfg), 0);
	ck_assert_uint_eq(mcfg.n, 4);
	ck_assert_uint_eq(mcfg.left_out, 2);
}
END_TEST

/* ---- FADT and S5 ---- */

static struct acpi_fadt fadt;

START_TEST(fadt_of_q35_has_registers_and_reset)
{
	GOLDEN(intel_facp);
	ck_assert_int_eq(TAB_PARSE(fadt, &t, &fadt), 0);
	ck_assert_uint_eq(fadt.dsdt, 0x0ffe0040);
	ck_assert_uint_eq(fadt.sci_irq, 9);
	ck_assert_uint_eq(fadt.pm1a_cnt, 0x604);
	ck_assert_uint_eq(fadt.pm1b_cnt, 0);
	ck_assert_uint_eq(fadt.pm1a_evt, 0x600);
	ck_assert_uint_eq(fadt.pm1b_evt, 0);
	ck_assert_uint_eq(fadt.pm1_evt_len, 4);
	ck_assert_uint_eq(fadt.gpe0, 0x620);
	ck_assert_uint_eq(fadt.gpe0_len, 16);
	ck_assert_uint_eq(fadt.smi_cmd, 0xb2);
	ck_assert_uint_eq(fadt.acpi_enable, 2);
	ck_assert(fadt.power_button);
	ck_assert_uint_eq(fadt.pm_timer, 0x608);
	ck_assert_uint_eq(fadt.flags, 0x84a5);
	ck_assert(fadt.reset_supported);
	ck_assert_uint_eq(fadt.reset_space, 1);
	ck_assert_uint_eq(fadt.reset_addr, 0xcf9);
	ck_assert_uint_eq(fadt.reset_value, 0x0f);
}
END_TEST

START_TEST(fadt_of_revision_1_has_no_extended_fields)
{
	GOLDEN(i440_facp);
	ck_assert_uint_eq(t.n, 116);
	ck_assert_int_eq(TAB_PARSE(fadt, &t, &fadt), 0);
	ck_assert_uint_eq(fadt.pm1a_cnt, 0x604);
	ck_assert(!fadt.reset_supported);
	ck_assert_uint_ne(fadt.dsdt, 0);
}
END_TEST

/* The case that other kernels fell for: the table ends within x_dsdt. */
START_TEST(fadt_shorter_than_x_dsdt_uses_dsdt)
{
	for (size_t n = 116; n < 148; n++) {
		GOLDEN(intel_facp);
		memset(t.b + 140, 0x5a, 8);
		t.n = n;
		tab_seal(&t);
		ck_assert_int_eq(TAB_PARSE(fadt, &t, &fadt), 0);
		ck_assert_uint_eq(fadt.dsdt, 0x0ffe0040);
		ck_assert_int_eq(fadt.reset_supported, n >= 129);
	}
}
END_TEST

START_TEST(fadt_x_dsdt_wins_unless_zero)
{
	GOLDEN(intel_facp);
	t.b[140 + 4] = 1;
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(fadt, &t, &fadt), 0);
	ck_assert_uint_eq(fadt.dsdt, 0x10ffe0040);
	memset(t.b + 140, 0, 8);
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(fadt, &t, &fadt), 0);
	ck_assert_uint_eq(fadt.dsdt, 0x0ffe0040);
}
END_TEST

START_TEST(fadt_shorter_than_revision_1_is_refused)
{
	GOLDEN(intel_facp);
	t.n = 115;
	refused(fadt, &fadt);
}
END_TEST

START_TEST(fadt_hardware_reduced_has_no_pm1)
{
	GOLDEN(intel_facp);
	t.b[114] |= 0x10;		/* flag 20 */
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(fadt, &t, &fadt), 0);
	ck_assert_uint_eq(fadt.pm1a_cnt, 0);
	ck_assert_uint_eq(fadt.pm1a_evt, 0);
	ck_assert(!fadt.power_button);
	ck_assert_uint_eq(fadt.pm_timer, 0);
}
END_TEST

START_TEST(fadt_with_the_button_flag_has_no_fixed_button)
{
	GOLDEN(intel_facp);
	t.b[112] |= 0x10;		/* flag 4 */
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(fadt, &t, &fadt), 0);
	ck_assert(!fadt.power_button);
}
END_TEST

START_TEST(fadt_extended_register_in_memory_is_not_a_port)
{
	GOLDEN(intel_facp);
	t.b[172] = 0;			/* x_pm1a_cnt: memory space */
	t.b[176] = 0xaa;
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(fadt, &t, &fadt), 0);
	ck_assert_uint_eq(fadt.pm1a_cnt, 0x604);
}
END_TEST

static uint8_t s5_typ;

static int find_s5(void)
{
	uint8_t *p = malloc(t.n);
	int err;

	memcpy(p, t.b, t.n);
	s5_typ = 0x77;
	err = acpi_find_s5(p, t.n, &s5_typ);
	free(p);
	return err;
}

START_TEST(s5_of_qemu_is_0_at_any_offset)
{
	for (unsigned pad = 0; pad < 9; pad++) {
		tab_start(&t, "DSDT", 1);
		tab_zero(&t, pad);
		memcpy(t.b + t.n, golden_intel_s5, sizeof(golden_intel_s5));
		t.n += sizeof(golden_intel_s5);
		ck_assert_int_eq(find_s5(), 0);
		ck_assert_uint_eq(s5_typ, 0);
	}
}
END_TEST

static void s5_put(const char *bytes, size_t n)
{
	tab_start(&t, "DSDT", 1);
	memcpy(t.b + t.n, bytes, n);
	t.n += n;
}
#define S5(bytes)	s5_put(bytes, sizeof(bytes) - 1)

START_TEST(s5_reads_each_form_of_a_constant)
{
	S5("\x08_S5_\x12\x06\x04\x01\x00\x00\x00");
	ck_assert_int_eq(find_s5(), 0);
	ck_assert_uint_eq(s5_typ, 1);
	S5("\x08_S5_\x12\x08\x04\x0a\x07\x0a\x07\x00\x00");
	ck_assert_int_eq(find_s5(), 0);
	ck_assert_uint_eq(s5_typ, 7);
	S5("\x08_S5_\x12\x48\x00\x04\x0a\x05\x0a\x05\x00\x00");
	ck_assert_int_eq(find_s5(), 0);
	ck_assert_uint_eq(s5_typ, 5);
}
END_TEST

START_TEST(s5_that_is_no_such_package_is_passed_over)
{
	S5("_S5_ _S5_S5_\x12\x08\x04\x0a\x03\x0a\x03"
	   "_S5_\x12 _S5_\x12\x06\x00\x00 _S5_\x12\x08\x04\x0a\x08"
	   "\x08_S5_S5");
	ck_assert_int_eq(find_s5(), 0);
	ck_assert_uint_eq(s5_typ, 3);
}
END_TEST

START_TEST(s5_cut_off_is_not_found)
{
	static const char full[] = "\x08_S5_\x12\x48\x00\x04\x0a";

	for (size_t n = 0; n < sizeof(full); n++) {
		s5_put(full, MIN(n, sizeof(full) - 1));
		ck_assert_int_eq(find_s5(), -ENOENT);
		ck_assert_uint_eq(s5_typ, 0x77);
	}
	ck_assert_int_eq(acpi_find_s5(t.b, 0, &s5_typ), -ENOENT);
}
END_TEST

/* ---- HPET ---- */

static struct acpi_hpet hpet;

START_TEST(hpet_of_qemu_is_at_fed00000)
{
	GOLDEN(intel_hpet);
	ck_assert_int_eq(TAB_PARSE(hpet, &t, &hpet), 0);
	ck_assert_uint_eq(hpet.base, 0xfed00000);
	ck_assert_uint_eq(hpet.number, 0);
}
END_TEST

START_TEST(hpet_in_ports_or_at_0_is_refused)
{
	GOLDEN(intel_hpet);
	t.b[40] = 1;
	refused(hpet, &hpet);
	GOLDEN(intel_hpet);
	memset(t.b + 44, 0, 8);
	refused(hpet, &hpet);
}
END_TEST

/* ---- SRAT, SLIT ---- */

static struct acpi_srat srat;
static struct acpi_slit slit;

static void srat_start(uint8_t revision)
{
	tab_start(&t, "SRAT", revision);
	tab_le(&t, 1, 4);
	tab_zero(&t, 8);
}

static void srat_x2cpu(uint32_t id, uint32_t node)
{
	tab_le(&t, 0x1802, 2);
	tab_zero(&t, 2);
	tab_le(&t, node, 4);
	tab_le(&t, id, 4);
	tab_le(&t, 1, 4);
	tab_zero(&t, 8);
}

static void srat_mem(uint64_t base, uint64_t size, uint32_t node,
		     uint32_t flags)
{
	tab_le(&t, 0x2801, 2);
	tab_le(&t, node, 4);
	tab_zero(&t, 2);
	tab_le(&t, base, 8);
	tab_le(&t, size, 8);
	tab_zero(&t, 4);
	tab_le(&t, flags, 4);
	tab_zero(&t, 8);
}

START_TEST(srat_of_qemu_has_two_nodes)
{
	GOLDEN(intel_srat);
	ck_assert_int_eq(TAB_PARSE(srat, &t, &srat), 0);
	ck_assert_uint_eq(srat.ncpus, 4);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(srat.cpu[i].apic_id, i);
		ck_assert_uint_eq(srat.cpu[i].node, i / 2);
	}
	ck_assert_uint_eq(srat.nmems, 3);
	ck_assert_uint_eq(srat.mem[0].base, 0);
	ck_assert_uint_eq(srat.mem[0].size, 0xa0000);
	ck_assert_uint_eq(srat.mem[1].base, 0x100000);
	ck_assert_uint_eq(srat.mem[1].size, 0x7f00000);
	ck_assert_uint_eq(srat.mem[2].base, 0x8000000);
	ck_assert_uint_eq(srat.mem[2].size, 0x8000000);
	ck_assert_uint_eq(srat.mem[2].node, 1);
	ck_assert(!srat.mem[2].hotplug);
	ck_assert_uint_eq(srat.left_out, 0);
}
END_TEST

START_TEST(srat_x2apic_id_twice_keeps_the_first_node)
{
	srat_start(3);
	srat_x2cpu(7, 1);
	srat_x2cpu(300, 2);
	srat_x2cpu(7, 3);
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(srat, &t, &srat), 0);
	ck_assert_uint_eq(srat.ncpus, 2);
	ck_assert_uint_eq(srat.cpu[0].node, 1);
	ck_assert_uint_eq(srat.left_out, 1);
}
END_TEST

START_TEST(srat_of_revision_1_has_8_bits_of_node)
{
	for (uint8_t rev = 1; rev <= 2; rev++) {
		srat_start(rev);
		tab_le(&t, 0x1000, 2);
		tab_u8(&t, 5);
		tab_u8(&t, 9);
		tab_le(&t, 1, 4);
		tab_u8(&t, 0);
		tab_le(&t, 0x010203, 3);
		tab_zero(&t, 4);
		srat_mem(0, 4096, 0x1234, 1 | 2);
		tab_seal(&t);
		ck_assert_int_eq(TAB_PARSE(srat, &t, &srat), 0);
		ck_assert_uint_eq(srat.cpu[0].node, rev == 1 ? 5 : 0x01020305);
		ck_assert_uint_eq(srat.mem[0].node, rev == 1 ? 0x34 : 0x1234);
		ck_assert(srat.mem[0].hotplug);
	}
}
END_TEST

START_TEST(srat_memory_that_wraps_around_is_refused)
{
	srat_start(3);
	srat_mem(UINT64_MAX - 4095, 8192, 0, 1);
	refused(srat, &srat);
}
END_TEST

START_TEST(srat_disabled_or_empty_memory_is_skipped)
{
	srat_start(3);
	srat_mem(0, 4096, 0, 0);
	srat_mem(0, 0, 0, 1);
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(srat, &t, &srat), 0);
	ck_assert_uint_eq(srat.nmems, 0);
	ck_assert_uint_eq(srat.left_out, 0);
}
END_TEST

START_TEST(srat_without_room_counts)
{
	srat_start(3);
	for (unsigned i = 0; i < ACPI_CPUS + 4; i++)
		srat_x2cpu(i, 0);
	for (unsigned i = 0; i < ACPI_SRAT_MEMS + 3; i++)
		srat_mem((uint64_t)i << 30, 4096, i, 1);
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(srat, &t, &srat), 0);
	ck_assert_uint_eq(srat.ncpus, ACPI_CPUS);
	ck_assert_uint_eq(srat.nmems, ACPI_SRAT_MEMS);
	ck_assert_uint_eq(srat.left_out, 7);
}
END_TEST

START_TEST(slit_of_qemu_has_the_distances)
{
	GOLDEN(intel_slit);
	ck_assert_int_eq(TAB_PARSE(slit, &t, &slit), 0);
	ck_assert_uint_eq(slit.n, 2);
	ck_assert_uint_eq(slit.distance[0][0], 10);
	ck_assert_uint_eq(slit.distance[0][1], 21);
	ck_assert_uint_eq(slit.distance[1][0], 21);
	ck_assert_uint_eq(slit.distance[1][1], 10);
}
END_TEST

START_TEST(slit_impossible_distances_are_refused)
{
	GOLDEN(intel_slit);
	t.b[44] = 11;			/* from oneself */
	refused(slit, &slit);
	GOLDEN(intel_slit);
	t.b[45] = 9;
	refused(slit, &slit);
}
END_TEST

START_TEST(slit_larger_than_the_table_or_us_is_refused)
{
	GOLDEN(intel_slit);
	t.b[36] = 3;
	refused(slit, &slit);
	GOLDEN(intel_slit);
	t.b[43] = 1;			/* 2^56 localities */
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(slit, &t, &slit), -E2BIG);
}
END_TEST

/* ---- HMAT ---- */

static struct acpi_hmat hmat;

static void hmat_start(uint8_t revision)
{
	tab_start(&t, "HMAT", revision);
	tab_zero(&t, 4);
}

/* The head of a matrix with ni initiators and nt targets, whatever follows. */
static void hmat_head(uint32_t length, uint8_t hierarchy, uint8_t type,
		      uint32_t ni, uint32_t nt, uint64_t unit)
{
	tab_le(&t, 1, 4);
	tab_le(&t, length, 4);
	tab_u8(&t, hierarchy);
	tab_u8(&t, type);
	tab_zero(&t, 2);
	tab_le(&t, ni, 4);
	tab_le(&t, nt, 4);
	tab_zero(&t, 4);
	tab_le(&t, unit, 8);
}

/* One pair: a matrix of one entry. */
static void hmat_one(uint8_t hierarchy, uint8_t type, uint32_t from,
		     uint32_t to, uint64_t unit, uint16_t entry)
{
	hmat_head(42, hierarchy, type, 1, 1, unit);
	tab_le(&t, from, 4);
	tab_le(&t, to, 4);
	tab_le(&t, entry, 2);
}

static int hmat_parse(void)
{
	tab_seal(&t);
	return TAB_PARSE(hmat, &t, &hmat);
}

START_TEST(hmat_of_qemu_has_latency_and_bandwidth)
{
	static const struct { uint32_t from, to, ns, mbs; } want[] = {
		{ 0, 0, 5, 400 }, { 0, 1, 12, 200 },
		{ 1, 0, 13, 200 }, { 1, 1, 5, 400 },
	};

	GOLDEN(intel_hmat);
	ck_assert_int_eq(TAB_PARSE(hmat, &t, &hmat), 0);
	ck_assert_uint_eq(hmat.n, 4);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(hmat.pair[i].from, want[i].from);
		ck_assert_uint_eq(hmat.pair[i].to, want[i].to);
		ck_assert_uint_eq(hmat.pair[i].latency, want[i].ns * 1000);
		ck_assert_uint_eq(hmat.pair[i].bandwidth, want[i].mbs);
	}
	ck_assert_uint_eq(hmat.nattached, 2);
	ck_assert_uint_eq(hmat.attached[1].memory, 1);
	ck_assert_uint_eq(hmat.attached[1].initiator, 1);
	ck_assert_uint_eq(hmat.left_out, 0);
}
END_TEST

START_TEST(hmat_of_revision_1_has_no_units_and_is_not_used)
{
	hmat_start(1);
	hmat_one(0, 0, 0, 0, 1000, 5);
	ck_assert_int_eq(hmat_parse(), -ENOTSUP);
	ck_assert(all_zero(&hmat));
}
END_TEST

START_TEST(hmat_keeps_the_slowest_of_access_read_and_write)
{
	hmat_start(2);
	hmat_one(0, 1, 3, 4, 1000, 7);
	hmat_one(0, 2, 3, 4, 1000, 9);
	hmat_one(0, 0, 3, 4, 1000, 8);
	hmat_one(0, 4, 3, 4, 1, 300);
	hmat_one(0, 5, 3, 4, 1, 200);
	hmat_one(0, 3, 3, 4, 1, 250);
	ck_assert_int_eq(hmat_parse(), 0);
	ck_assert_uint_eq(hmat.n, 1);
	ck_assert_uint_eq(hmat.pair[0].latency, 9000);
	ck_assert_uint_eq(hmat.pair[0].bandwidth, 200);
}
END_TEST

START_TEST(hmat_caches_and_pairs_out_of_reach_are_skipped)
{
	hmat_start(2);
	hmat_one(1, 0, 0, 0, 1000, 1);		/* a cache's latency */
	hmat_one(0, 6, 0, 0, 1000, 1);		/* a type of the future */
	hmat_one(0, 0, 0, 1, 1000, 0xffff);
	hmat_one(0, 0, 0, 2, 1000, 0);		/* not said */
	tab_le(&t, 2, 4);
	tab_le(&t, 34, 4);			/* a side cache, one handle */
	tab_zero(&t, 26);
	tab_le(&t, 0x7f, 4);			/* a type of the future */
	tab_le(&t, 9, 4);
	tab_zero(&t, 1);
	hmat_one(0, 0, 0, 3, 1000, 2);
	ck_assert_int_eq(hmat_parse(), 0);
	ck_assert_uint_eq(hmat.n, 1);
	ck_assert_uint_eq(hmat.pair[0].to, 3);
}
END_TEST

START_TEST(hmat_memory_without_an_initiator_is_attached_to_none)
{
	hmat_start(2);
	tab_le(&t, 0, 4);
	tab_le(&t, 40, 4);
	tab_zero(&t, 8);			/* flags: not valid */
	tab_le(&t, 5, 4);
	tab_zero(&t, 20);
	ck_assert_int_eq(hmat_parse(), 0);
	ck_assert_uint_eq(hmat.nattached, 0);
}
END_TEST

START_TEST(hmat_structure_shorter_than_its_type_is_refused)
{
	for (uint8_t type = 0; type < 2; type++) {
		hmat_start(2);
		tab_le(&t, type, 4);
		tab_le(&t, 16, 4);
		tab_zero(&t, 8);
		refused(hmat, &hmat);
	}
	for (uint8_t length = 0; length < 8; length++) {
		hmat_start(2);
		tab_le(&t, 2, 4);
		tab_le(&t, length, 4);
		refused(hmat, &hmat);
	}
	hmat_start(2);
	tab_le(&t, 2, 4);			/* a type and no length */
	refused(hmat, &hmat);
	hmat_start(2);
	hmat_one(0, 0, 0, 0, 1000, 5);
	memset(t.b + 44, 0xff, 4);		/* a length of 4 GiB */
	refused(hmat, &hmat);
}
END_TEST

START_TEST(hmat_matrix_larger_than_its_structure_is_refused)
{
	static const uint32_t n[][2] = {
		{ 1, 2 }, { 2, 1 }, { 0xffffffff, 1 }, { 1, 0xffffffff },
		{ 0x80000000, 2 }, { 0x10000, 0x10000 },
		{ 0xffffffff, 0xffffffff },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(n); i++) {
		hmat_start(2);
		hmat_head(42, 0, 0, n[i][0], n[i][1], 1000);
		tab_zero(&t, 10);
		refused(hmat, &hmat);
	}
}
END_TEST

START_TEST(hmat_value_beyond_64_bits_is_refused)
{
	hmat_start(2);
	hmat_one(0, 0, 0, 0, UINT64_MAX / 2, 3);
	refused(hmat, &hmat);
}
END_TEST

START_TEST(hmat_pairs_without_room_are_counted)
{
	hmat_start(2);
	hmat_head(32 + 4 * 40 + 2 * 400, 0, 0, 20, 20, 1000);
	for (unsigned i = 0; i < 40; i++)
		tab_le(&t, i % 20, 4);
	for (unsigned i = 0; i < 400; i++)
		tab_le(&t, i + 1, 2);
	for (unsigned i = 0; i < ACPI_SRAT_MEMS + 2; i++) {
		tab_le(&t, 0, 4);
		tab_le(&t, 40, 4);
		tab_le(&t, 1, 4);
		tab_zero(&t, 28);
	}
	ck_assert_int_eq(hmat_parse(), 0);
	ck_assert_uint_eq(hmat.n, ACPI_HMAT_PAIRS);
	ck_assert_uint_eq(hmat.pair[255].from, 12);
	ck_assert_uint_eq(hmat.pair[255].to, 15);
	ck_assert_uint_eq(hmat.pair[255].latency, 256000);
	ck_assert_uint_eq(hmat.nattached, ACPI_SRAT_MEMS);
	ck_assert_uint_eq(hmat.left_out, 400 - ACPI_HMAT_PAIRS + 2);
}
END_TEST

/* ---- DMAR ---- */

static struct acpi_dmar dmar;

static void dmar_start(uint8_t flags)
{
	tab_start(&t, "DMAR", 1);
	tab_u8(&t, 46);
	tab_u8(&t, flags);
	tab_zero(&t, 10);
}

static void dmar_unit(uint64_t base, uint8_t flags, unsigned scope_bytes)
{
	tab_le(&t, 0, 2);
	tab_le(&t, 16 + scope_bytes, 2);
	tab_u8(&t, flags);
	tab_zero(&t, 3);
	tab_le(&t, base, 8);
}

static void dmar_scope(uint8_t type, uint8_t bus, unsigned npath)
{
	tab_u8(&t, type);
	tab_u8(&t, (uint8_t)(6 + 2 * npath));
	tab_zero(&t, 2);
	tab_u8(&t, 0);
	tab_u8(&t, bus);
	for (unsigned i = 0; i < npath; i++) {
		tab_u8(&t, (uint8_t)(i + 1));
		tab_u8(&t, (uint8_t)i);
	}
}

START_TEST(dmar_of_qemu_is_one_unit_with_scopes)
{
	GOLDEN(intel_dmar);
	ck_assert_int_eq(TAB_PARSE(dmar, &t, &dmar), 0);
	ck_assert_uint_eq(dmar.host_width, 39);
	ck_assert(dmar.intr_remap);
	ck_assert(!dmar.x2apic_opt_out);
	ck_assert_uint_eq(dmar.nunits, 1);
	ck_assert_uint_eq(dmar.unit[0].base, 0xfed90000);
	ck_assert(!dmar.unit[0].include_all);
	ck_assert_uint_eq(dmar.unit[0].scope, 0);
	ck_assert_uint_eq(dmar.unit[0].nscope, 6);
	ck_assert_uint_eq(dmar.scope[0].type, 3);	/* the IOAPIC */
	ck_assert_uint_eq(dmar.scope[0].enum_id, 0);
	ck_assert_uint_eq(dmar.scope[0].bus, 0xff);
	ck_assert_uint_eq(dmar.scope[2].type, 2);	/* the root port */
	ck_assert_uint_eq(dmar.scope[2].path[0].dev, 1);
	ck_assert_uint_eq(dmar.scope[5].path[0].dev, 0x1f);
	ck_assert_uint_eq(dmar.scope[5].path[0].fn, 3);
	ck_assert_uint_eq(dmar.left_out, 0);
}
END_TEST

START_TEST(dmar_with_many_units_has_them_all)
{
	static const unsigned counts[] = { 1, 2, 4, 16, 18 };
	unsigned n = counts[_i];

	dmar_start(3);
	for (unsigned i = 0; i < n; i++) {
		dmar_unit(0xfed90000 + i * 0x1000, i + 1 == n, 8);
		dmar_scope(1, (uint8_t)i, 1);
	}
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(dmar, &t, &dmar), 0);
	ck_assert(dmar.x2apic_opt_out);
	ck_assert_uint_eq(dmar.nunits, MIN(n, (unsigned)DMAR_UNITS));
	ck_assert_uint_eq(dmar.left_out, n - dmar.nunits);
	for (unsigned i = 0; i < dmar.nunits; i++) {
		ck_assert_uint_eq(dmar.unit[i].base, 0xfed90000 + i * 0x1000);
		ck_assert_uint_eq(dmar.unit[i].nscope, 1);
		ck_assert_uint_eq(dmar.scope[dmar.unit[i].scope].bus, i);
		ck_assert_int_eq(dmar.unit[i].include_all, i + 1 == n);
	}
}
END_TEST

START_TEST(dmar_path_of_length_0_is_refused)
{
	dmar_start(0);
	dmar_unit(0xfed90000, 0, 6);
	dmar_scope(1, 0, 0);
	refused(dmar, &dmar);
}
END_TEST

START_TEST(dmar_scope_of_length_0_does_not_loop)
{
	dmar_start(0);
	dmar_unit(0xfed90000, 0, 8);
	dmar_scope(1, 0, 1);
	t.b[t.n - 7] = 0;
	refused(dmar, &dmar);
	t.b[t.n - 7] = 7;		/* half a step of a path, a byte over */
	refused(dmar, &dmar);
	t.b[t.n - 7] = 10;		/* beyond its unit */
	refused(dmar, &dmar);
}
END_TEST

START_TEST(dmar_unit_at_0_or_not_on_a_page_is_refused)
{
	dmar_start(0);
	dmar_unit(0, 1, 0);
	refused(dmar, &dmar);
	dmar_start(0);
	dmar_unit(0xfed90800, 1, 0);
	refused(dmar, &dmar);
}
END_TEST

START_TEST(dmar_with_the_same_unit_twice_is_refused)
{
	dmar_start(0);
	dmar_unit(0xfed90000, 0, 0);
	dmar_unit(0xfed90000, 1, 0);
	refused(dmar, &dmar);
}
END_TEST

START_TEST(dmar_structure_of_length_0_does_not_loop)
{
	dmar_start(0);
	dmar_unit(0xfed90000, 1, 0);
	tab_le(&t, 3, 2);
	tab_le(&t, 0, 2);
	refused(dmar, &dmar);
}
END_TEST

START_TEST(dmar_structure_of_unknown_type_is_skipped)
{
	dmar_start(0);
	tab_le(&t, 99, 2);
	tab_le(&t, 8, 2);
	tab_zero(&t, 4);
	dmar_unit(0xfed90000, 1, 0);
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(dmar, &t, &dmar), 0);
	ck_assert_uint_eq(dmar.nunits, 1);
	ck_assert_uint_eq(dmar.left_out, 0);
}
END_TEST

static void dmar_rmrr(uint64_t base, uint64_t limit)
{
	tab_le(&t, 1, 2);
	tab_le(&t, 24 + 8, 2);
	tab_zero(&t, 2);
	tab_le(&t, 0, 2);
	tab_le(&t, base, 8);
	tab_le(&t, limit, 8);
	dmar_scope(1, 2, 1);
}

START_TEST(dmar_reserved_memory_has_its_devices)
{
	dmar_start(0);
	dmar_unit(0xfed90000, 1, 0);
	dmar_rmrr(0x7f000000, 0x7f0fffff);
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(dmar, &t, &dmar), 0);
	ck_assert_uint_eq(dmar.nrmrrs, 1);
	ck_assert_uint_eq(dmar.rmrr[0].base, 0x7f000000);
	ck_assert_uint_eq(dmar.rmrr[0].last, 0x7f0fffff);
	ck_assert_uint_eq(dmar.rmrr[0].nscope, 1);
	ck_assert_uint_eq(dmar.scope[dmar.rmrr[0].scope].bus, 2);
}
END_TEST

START_TEST(dmar_reserved_memory_that_ends_before_it_begins_is_refused)
{
	dmar_start(0);
	dmar_rmrr(0x7f000000, 0x7effffff);
	refused(dmar, &dmar);
}
END_TEST

START_TEST(dmar_path_deeper_than_we_keep_is_counted)
{
	dmar_start(0);
	dmar_unit(0xfed90000, 0, 14 + 16);
	dmar_scope(1, 0, 4);
	dmar_scope(1, 0, 5);
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(dmar, &t, &dmar), 0);
	ck_assert_uint_eq(dmar.nscopes, 1);
	ck_assert_uint_eq(dmar.scope[0].npath, 4);
	ck_assert_uint_eq(dmar.scope[0].path[3].dev, 4);
	ck_assert_uint_eq(dmar.scope[0].path[3].fn, 3);
	ck_assert_uint_eq(dmar.left_out, 1);
}
END_TEST

START_TEST(dmar_scopes_without_room_are_counted)
{
	dmar_start(0);
	dmar_unit(0xfed90000, 0, 8 * (DMAR_SCOPES + 2));
	for (unsigned i = 0; i < DMAR_SCOPES + 2; i++)
		dmar_scope(1, 0, 1);
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(dmar, &t, &dmar), 0);
	ck_assert_uint_eq(dmar.nscopes, DMAR_SCOPES);
	ck_assert_uint_eq(dmar.unit[0].nscope, DMAR_SCOPES);
	ck_assert_uint_eq(dmar.left_out, 2);
}
END_TEST

/* ---- VIOT ---- */

static struct acpi_viot viot;

static void viot_start(uint16_t nodes)
{
	tab_start(&t, "VIOT", 0);
	tab_le(&t, nodes, 2);
	tab_le(&t, 48, 2);
	tab_zero(&t, 8);
}

static void viot_pci_iommu(uint16_t bdf)
{
	tab_le(&t, 3, 2);
	tab_le(&t, 16, 2);
	tab_le(&t, 0, 2);
	tab_le(&t, bdf, 2);
	tab_zero(&t, 8);
}

static void viot_mmio_iommu(uint64_t base)
{
	tab_le(&t, 4, 2);
	tab_le(&t, 16, 2);
	tab_zero(&t, 4);
	tab_le(&t, base, 8);
}

static void viot_range(uint16_t first, uint16_t last, uint16_t output)
{
	tab_le(&t, 1, 2);
	tab_le(&t, 24, 2);
	tab_le(&t, first, 4);
	tab_le(&t, 0, 4);
	tab_le(&t, first, 2);
	tab_le(&t, last, 2);
	tab_le(&t, output, 2);
	tab_zero(&t, 6);
}

static void viot_mmio_endpoint(uint32_t id, uint64_t base, uint16_t output)
{
	tab_le(&t, 2, 2);
	tab_le(&t, 24, 2);
	tab_le(&t, id, 4);
	tab_le(&t, base, 8);
	tab_le(&t, output, 2);
	tab_zero(&t, 6);
}

START_TEST(viot_of_qemu_is_one_iommu_and_one_range)
{
	GOLDEN(virtio_viot);
	ck_assert_int_eq(TAB_PARSE(viot, &t, &viot), 0);
	ck_assert_uint_eq(viot.niommus, 1);
	ck_assert(viot.iommu[0].pci);
	ck_assert_uint_eq(viot.iommu[0].bdf, 0x0018);
	ck_assert_uint_eq(viot.iommu[0].off, 48);
	ck_assert_uint_eq(viot.nranges, 1);
	ck_assert(viot.range[0].pci);
	ck_assert_uint_eq(viot.range[0].bdf_first, 0);
	ck_assert_uint_eq(viot.range[0].bdf_last, 0x01ff);
	ck_assert_uint_eq(viot.range[0].endpoint, 0);
	ck_assert_uint_eq(viot.range[0].iommu, 0);
}
END_TEST

START_TEST(viot_endpoints_may_come_before_their_iommu)
{
	viot_start(4);
	viot_range(0x100, 0x1ff, 48 + 24 + 24 + 16);
	viot_mmio_endpoint(5, 0xfeb00000, 48 + 24 + 24);
	viot_pci_iommu(0x0008);
	viot_mmio_iommu(0xfeb10000);
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(viot, &t, &viot), 0);
	ck_assert_uint_eq(viot.niommus, 2);
	ck_assert(!viot.iommu[1].pci);
	ck_assert_uint_eq(viot.iommu[1].mmio, 0xfeb10000);
	ck_assert_uint_eq(viot.nranges, 2);
	ck_assert_uint_eq(viot.range[0].iommu, 1);
	ck_assert_uint_eq(viot.range[0].endpoint, 0x100);
	ck_assert(!viot.range[1].pci);
	ck_assert_uint_eq(viot.range[1].mmio, 0xfeb00000);
	ck_assert_uint_eq(viot.range[1].endpoint, 5);
	ck_assert_uint_eq(viot.range[1].iommu, 0);
}
END_TEST

START_TEST(viot_range_that_ends_before_it_begins_is_refused)
{
	viot_start(2);
	viot_pci_iommu(8);
	viot_range(0x200, 0x1ff, 48);
	refused(viot, &viot);
}
END_TEST

START_TEST(viot_node_that_is_its_own_iommu_is_refused)
{
	viot_start(2);
	viot_pci_iommu(8);
	viot_range(0, 0xff, 48 + 16);
	refused(viot, &viot);
}
END_TEST

START_TEST(viot_output_that_is_no_node_is_refused)
{
	static const uint16_t offs[] = { 0, 47, 49, 0xffff };

	for (unsigned i = 0; i < 4; i++) {
		viot_start(2);
		viot_pci_iommu(8);
		viot_range(0, 0xff, offs[i]);
		refused(viot, &viot);
	}
}
END_TEST

START_TEST(viot_with_fewer_nodes_than_it_says_is_refused)
{
	viot_start(3);
	viot_pci_iommu(8);
	viot_range(0, 0xff, 48);
	refused(viot, &viot);
}
END_TEST

START_TEST(viot_nodes_outside_the_table_are_refused)
{
	static const uint16_t offs[] = { 0, 36, 47, 200 };

	for (unsigned i = 0; i < 4; i++) {
		GOLDEN(virtio_viot);
		t.b[38] = (uint8_t)offs[i];
		refused(viot, &viot);
	}
}
END_TEST

START_TEST(viot_node_of_length_0_does_not_loop)
{
	GOLDEN(virtio_viot);
	t.b[50] = 0;
	refused(viot, &viot);
}
END_TEST

START_TEST(viot_node_of_unknown_type_is_counted)
{
	viot_start(2);
	viot_pci_iommu(8);
	tab_le(&t, 9, 2);
	tab_le(&t, 8, 2);
	tab_zero(&t, 4);
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(viot, &t, &viot), 0);
	ck_assert_uint_eq(viot.left_out, 1);
}
END_TEST

START_TEST(viot_ranges_without_room_are_counted)
{
	viot_start(VIOT_NODES + 3);
	viot_pci_iommu(8);
	for (uint16_t i = 0; i < VIOT_NODES + 2; i++)
		viot_range(i, i, 48);
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(viot, &t, &viot), 0);
	ck_assert_uint_eq(viot.nranges, VIOT_NODES);
	ck_assert_uint_eq(viot.left_out, 2);
}
END_TEST

/* ---- IVRS ---- */

static struct acpi_ivrs ivrs;

static void ivrs_start(void)
{
	tab_start(&t, "IVRS", 2);
	tab_le(&t, 0x2800, 4);
	tab_zero(&t, 8);
}

static void ivrs_unit(uint8_t type, uint16_t bdf, uint64_t base, unsigned bytes)
{
	unsigned head = type == 0x10 ? 24 : 40;

	tab_u8(&t, type);
	tab_u8(&t, 0);
	tab_le(&t, head + bytes, 2);
	tab_le(&t, bdf, 2);
	tab_le(&t, 0x40, 2);
	tab_le(&t, base, 8);
	tab_zero(&t, head - 16);
}

static void ivrs_dev4(uint8_t type, uint16_t bdf)
{
	tab_u8(&t, type);
	tab_le(&t, bdf, 2);
	tab_u8(&t, 0);
}

static void ivrs_special(uint16_t bdf, uint8_t variety)
{
	ivrs_dev4(72, 0);
	tab_u8(&t, 0);
	tab_le(&t, bdf, 2);
	tab_u8(&t, variety);
}

static void ivrs_memory(uint8_t type, uint16_t bdf, uint16_t last,
			uint64_t base, uint64_t size)
{
	tab_u8(&t, type);
	tab_u8(&t, 0x0f);
	tab_le(&t, 32, 2);
	tab_le(&t, bdf, 2);
	tab_le(&t, last, 2);
	tab_zero(&t, 8);
	tab_le(&t, base, 8);
	tab_le(&t, size, 8);
}

START_TEST(ivrs_of_qemu_is_one_unit)
{
	GOLDEN(amd_ivrs);
	ck_assert_int_eq(TAB_PARSE(ivrs, &t, &ivrs), 0);
	ck_assert_uint_eq(ivrs.nunits, 1);
	ck_assert_uint_eq(ivrs.unit[0].type, 0x10);
	ck_assert_uint_eq(ivrs.unit[0].bdf, 0x0008);
	ck_assert_uint_eq(ivrs.unit[0].cap_offset, 0x40);
	ck_assert_uint_eq(ivrs.unit[0].base, 0xfed80000);
	ck_assert_uint_eq(ivrs.unit[0].ndevices, 6);
	ck_assert_uint_eq(ivrs.unit[0].ioapic_bdf, 0x00a0);
	ck_assert_uint_eq(ivrs.nranges, 6);
	ck_assert_uint_eq(ivrs.range[2].first, 0x0018);
	ck_assert_uint_eq(ivrs.range[2].last, 0x0018);
	ck_assert_uint_eq(ivrs.nmem, 0);
	ck_assert_uint_eq(ivrs.left_out, 0);
}
END_TEST

START_TEST(ivrs_newest_form_of_a_unit_is_kept)
{
	ivrs_start();
	ivrs_unit(0x11, 8, 0xfed80000, 4);
	ivrs_dev4(1, 0);
	ivrs_unit(0x10, 8, 0xfed80000, 0);
	ivrs_unit(0x40, 8, 0xfed80000, 12);
	ivrs_dev4(3, 0x100);
	ivrs_dev4(4, 0x1ff);
	ivrs_dev4(2, 0x300);
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(ivrs, &t, &ivrs), 0);
	ck_assert_uint_eq(ivrs.nunits, 1);
	ck_assert_uint_eq(ivrs.unit[0].type, 0x40);
	ck_assert_uint_eq(ivrs.unit[0].ndevices, 257);
	ck_assert_uint_eq(ivrs.nranges, 2);
	ck_assert_uint_eq(ivrs.range[0].first, 0x100);
	ck_assert_uint_eq(ivrs.range[0].last, 0x1ff);
	ck_assert_uint_eq(ivrs.range[1].first, 0x300);
	ck_assert_uint_eq(ivrs.unit[0].ioapic_bdf, 0xffff);
	ivrs_unit(0x10, 8, 0xfed80000, 0);
	ivrs_unit(0x11, 9, 0xfed84000, 0);	/* another IOMMU */
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(ivrs, &t, &ivrs), 0);
	ck_assert_uint_eq(ivrs.nunits, 2);
	ck_assert_uint_eq(ivrs.unit[0].type, 0x40);
	ck_assert_uint_eq(ivrs.unit[1].type, 0x11);
}
END_TEST

START_TEST(ivrs_ranges_that_do_not_pair_are_refused)
{
	ivrs_start();
	ivrs_unit(0x10, 8, 0xfed80000, 4);
	ivrs_dev4(4, 0x1ff);			/* an end and no start */
	refused(ivrs, &ivrs);
	ivrs_start();
	ivrs_unit(0x10, 8, 0xfed80000, 4);
	ivrs_dev4(3, 0x1ff);			/* a start and no end */
	refused(ivrs, &ivrs);
	ivrs_start();
	ivrs_unit(0x10, 8, 0xfed80000, 8);
	ivrs_dev4(3, 0x1ff);
	ivrs_dev4(4, 0x100);			/* ends before it begins */
	refused(ivrs, &ivrs);
}
END_TEST

START_TEST(ivrs_hpet_is_not_the_ioapic)
{
	ivrs_start();
	ivrs_unit(0x10, 8, 0xfed80000, 16);
	ivrs_special(0x00a0, 1);
	ivrs_special(0x00a1, 2);
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(ivrs, &t, &ivrs), 0);
	ck_assert_uint_eq(ivrs.unit[0].ioapic_bdf, 0x00a0);
}
END_TEST

START_TEST(ivrs_blocks_and_entries_of_unknown_type_are_counted)
{
	ivrs_start();
	ivrs_unit(0x12, 8, 0xfed80000, 0);
	ivrs_unit(0x10, 9, 0xfed84000, 4 + 16);
	ivrs_dev4(9, 0);
	ivrs_dev4(130, 0);			/* 16 bytes, by its type */
	tab_zero(&t, 12);
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(ivrs, &t, &ivrs), 0);
	ck_assert_uint_eq(ivrs.nunits, 1);
	ck_assert_uint_eq(ivrs.left_out, 3);
}
END_TEST

START_TEST(ivrs_named_device_has_a_length_of_its_own)
{
	ivrs_start();
	ivrs_unit(0x40, 8, 0xfed80000, 22 + 3 + 4);
	ivrs_dev4(240, 0xa5);
	tab_zero(&t, 17);
	tab_u8(&t, 3);
	tab_zero(&t, 3);
	ivrs_dev4(2, 0x10);
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(ivrs, &t, &ivrs), 0);
	ck_assert_uint_eq(ivrs.unit[0].ndevices, 2);
	ck_assert_uint_eq(ivrs.left_out, 0);
}
END_TEST

START_TEST(ivrs_entry_past_its_block_is_refused)
{
	static const uint8_t types[] = { 72, 130, 200, 240 };

	for (unsigned i = 0; i < 4; i++) {
		ivrs_start();
		ivrs_unit(0x10, 8, 0xfed80000, 4);
		ivrs_dev4(types[i], 0);
		refused(ivrs, &ivrs);
	}
}
END_TEST

START_TEST(ivrs_unit_at_0_or_cut_is_refused)
{
	ivrs_start();
	ivrs_unit(0x10, 8, 0, 0);
	refused(ivrs, &ivrs);
	ivrs_start();
	ivrs_unit(0x11, 8, 0xfed80000, 0);
	t.b[t.n - 38] = 24;			/* too short for its type */
	t.n -= 16;
	refused(ivrs, &ivrs);
}
END_TEST

START_TEST(ivrs_memory_is_for_all_one_or_a_range)
{
	ivrs_start();
	ivrs_memory(0x20, 0x55, 0x66, 0x1000, 0x2000);
	ivrs_memory(0x21, 0x10, 0x99, 0x1000, 0x2000);
	ivrs_memory(0x22, 0x10, 0x1f, 0x1000, 0x2000);
	tab_seal(&t);
	ck_assert_int_eq(TAB_PARSE(ivrs, &t, &ivrs), 0);
	ck_assert_uint_eq(ivrs.nmem, 3);
	ck_assert_uint_eq(ivrs.mem[0].bdf_first, 0);
	ck_assert_uint_eq(ivrs.mem[0].bdf_last, 0xffff);
	ck_assert_uint_eq(ivrs.mem[1].bdf_first, 0x10);
	ck_assert_uint_eq(ivrs.mem[1].bdf_last, 0x10);
	ck_assert_uint_eq(ivrs.mem[2].bdf_last, 0x1f);
	ck_assert_uint_eq(ivrs.mem[2].base, 0x1000);
	ck_assert_uint_eq(ivrs.mem[2].size, 0x2000);
	ck_assert_uint_eq(ivrs.mem[2].flags, 0x0f);
}
END_TEST

START_TEST(ivrs_impossible_memory_is_refused)
{
	ivrs_start();
	ivrs_memory(0x20, 0, 0, 0x1000, 0);
	refused(ivrs, &ivrs);
	ivrs_start();
	ivrs_memory(0x20, 0, 0, UINT64_MAX - 1, 0x1000);
	refused(ivrs, &ivrs);
	ivrs_start();
	ivrs_memory(0x22, 5, 4, 0x1000, 0x1000);
	refused(ivrs, &ivrs);
}
END_TEST

int main(void)
{
	TCase *all = suite_group("every kind", NULL, NULL, 60);
	TCase *c = suite_group("each", NULL, NULL, 0);
	int n = sizeof(kinds) / sizeof(kinds[0]);

	tcase_add_loop_test(all, a_golden_table_is_accepted, 0, n);
	tcase_add_loop_test(all, a_wrong_signature_is_refused, 0, n);
	tcase_add_loop_test(all, length_0_is_refused, 0, n);
	tcase_add_loop_test(all, a_length_below_the_header_is_refused, 0, n);
	tcase_add_loop_test(all, a_length_past_the_end_is_refused, 0, n);
	tcase_add_loop_test(all, a_bad_checksum_is_refused, 0, n);
	tcase_add_loop_test(all, a_table_cut_anywhere_is_harmless, 0, n);
	tcase_add_loop_test(all,
			    any_byte_wrong_under_a_right_checksum_is_harmless,
			    0, n);
	tcase_add_loop_test(all, bytes_behind_the_table_are_ignored, 0, n);

	tcase_add_test(c, the_checksum_agrees_with_the_simple_loop);
	tcase_add_test(c, madt_of_qemu_has_cpus_ioapic_and_overrides);
	tcase_add_test(c, madt_sub_table_of_length_0_does_not_loop);
	tcase_add_test(c, madt_sub_table_past_the_end_is_refused);
	tcase_add_test(c, madt_sub_table_shorter_than_its_type_is_refused);
	tcase_add_test(c, madt_sub_table_of_unknown_type_is_skipped);
	tcase_add_test(c, madt_without_an_enabled_cpu_has_none);
	tcase_add_test(c, madt_cpu_that_is_enabled_in_its_second_entry_is_taken);
	tcase_add_test(c, madt_with_4096_cpus_counts_those_without_room);
	tcase_add_test(c, madt_of_any_order_has_room_for_every_low_id);
	tcase_add_test(c, madt_cpu_named_twice_is_taken_once);
	tcase_add_test(c, madt_broadcast_ids_are_no_cpus);
	tcase_add_test(c, madt_64_bit_lapic_base_wins);
	tcase_add_test(c, madt_ioapics_and_overrides_without_room_are_counted);
	tcase_add_test(c, mcfg_of_qemu_is_one_segment);
	tcase_add_test(c, mcfg_impossible_segments_are_refused);
	tcase_add_test(c, mcfg_with_half_a_segment_is_refused);
	tcase_add_test(c, mcfg_segments_without_room_are_counted);
	tcase_add_test(c, fadt_of_q35_has_registers_and_reset);
	tcase_add_test(c, fadt_of_revision_1_has_no_extended_fields);
	tcase_add_test(c, fadt_shorter_than_x_dsdt_uses_dsdt);
	tcase_add_test(c, fadt_x_dsdt_wins_unless_zero);
	tcase_add_test(c, fadt_shorter_than_revision_1_is_refused);
	tcase_add_test(c, fadt_hardware_reduced_has_no_pm1);
	tcase_add_test(c, fadt_with_the_button_flag_has_no_fixed_button);
	tcase_add_test(c, fadt_extended_register_in_memory_is_not_a_port);
	tcase_add_test(c, s5_of_qemu_is_0_at_any_offset);
	tcase_add_test(c, s5_reads_each_form_of_a_constant);
	tcase_add_test(c, s5_that_is_no_such_package_is_passed_over);
	tcase_add_test(c, s5_cut_off_is_not_found);
	tcase_add_test(c, hpet_of_qemu_is_at_fed00000);
	tcase_add_test(c, hpet_in_ports_or_at_0_is_refused);
	tcase_add_test(c, srat_of_qemu_has_two_nodes);
	tcase_add_test(c, srat_x2apic_id_twice_keeps_the_first_node);
	tcase_add_test(c, srat_of_revision_1_has_8_bits_of_node);
	tcase_add_test(c, srat_memory_that_wraps_around_is_refused);
	tcase_add_test(c, srat_disabled_or_empty_memory_is_skipped);
	tcase_add_test(c, srat_without_room_counts);
	tcase_add_test(c, slit_of_qemu_has_the_distances);
	tcase_add_test(c, slit_impossible_distances_are_refused);
	tcase_add_test(c, slit_larger_than_the_table_or_us_is_refused);
	tcase_add_test(c, hmat_of_qemu_has_latency_and_bandwidth);
	tcase_add_test(c, hmat_of_revision_1_has_no_units_and_is_not_used);
	tcase_add_test(c, hmat_keeps_the_slowest_of_access_read_and_write);
	tcase_add_test(c, hmat_caches_and_pairs_out_of_reach_are_skipped);
	tcase_add_test(c, hmat_memory_without_an_initiator_is_attached_to_none);
	tcase_add_test(c, hmat_structure_shorter_than_its_type_is_refused);
	tcase_add_test(c, hmat_matrix_larger_than_its_structure_is_refused);
	tcase_add_test(c, hmat_value_beyond_64_bits_is_refused);
	tcase_add_test(c, hmat_pairs_without_room_are_counted);
	tcase_add_test(c, dmar_of_qemu_is_one_unit_with_scopes);
	tcase_add_loop_test(c, dmar_with_many_units_has_them_all, 0, 5);
	tcase_add_test(c, dmar_path_of_length_0_is_refused);
	tcase_add_test(c, dmar_scope_of_length_0_does_not_loop);
	tcase_add_test(c, dmar_unit_at_0_or_not_on_a_page_is_refused);
	tcase_add_test(c, dmar_with_the_same_unit_twice_is_refused);
	tcase_add_test(c, dmar_structure_of_length_0_does_not_loop);
	tcase_add_test(c, dmar_structure_of_unknown_type_is_skipped);
	tcase_add_test(c, dmar_reserved_memory_has_its_devices);
	tcase_add_test(c,
		dmar_reserved_memory_that_ends_before_it_begins_is_refused);
	tcase_add_test(c, dmar_path_deeper_than_we_keep_is_counted);
	tcase_add_test(c, dmar_scopes_without_room_are_counted);
	tcase_add_test(c, viot_of_qemu_is_one_iommu_and_one_range);
	tcase_add_test(c, viot_endpoints_may_come_before_their_iommu);
	tcase_add_test(c, viot_range_that_ends_before_it_begins_is_refused);
	tcase_add_test(c, viot_node_that_is_its_own_iommu_is_refused);
	tcase_add_test(c, viot_output_that_is_no_node_is_refused);
	tcase_add_test(c, viot_with_fewer_nodes_than_it_says_is_refused);
	tcase_add_test(c, viot_nodes_outside_the_table_are_refused);
	tcase_add_test(c, viot_node_of_length_0_does_not_loop);
	tcase_add_test(c, viot_node_of_unknown_type_is_counted);
	tcase_add_test(c, viot_ranges_without_room_are_counted);
	tcase_add_test(c, ivrs_of_qemu_is_one_unit);
	tcase_add_test(c, ivrs_newest_form_of_a_unit_is_kept);
	tcase_add_test(c, ivrs_ranges_that_do_not_pair_are_refused);
	tcase_add_test(c, ivrs_hpet_is_not_the_ioapic);
	tcase_add_test(c, ivrs_blocks_and_entries_of_unknown_type_are_counted);
	tcase_add_test(c, ivrs_named_device_has_a_length_of_its_own);
	tcase_add_test(c, ivrs_entry_past_its_block_is_refused);
	tcase_add_test(c, ivrs_unit_at_0_or_cut_is_refused);
	tcase_add_test(c, ivrs_memory_is_for_all_one_or_a_range);
	tcase_add_test(c, ivrs_impossible_memory_is_refused);
	return suite_run("acpi_tables");
}
