/* SPDX-License-Identifier: MIT */
#include "core/mce.h"

#include "core/bits.h"
#include <string.h>

#include "tests/host/suite.h"

#define BANKS	10

static struct {
	uint64_t cap, status, ctl;
	uint64_t bank[4 * 32];
	bool absent;			/* there are no such registers */
	unsigned writes;
} fake;

static uint64_t *fake_register(uint32_t msr)
{
	unsigned nr = msr - MCE_MSR_BANK(0);

	switch (msr) {
	case MCE_MSR_CAP:
		return &fake.cap;
	case MCE_MSR_STATUS:
		return &fake.status;
	case MCE_MSR_CTL:
		return fake.cap & MCE_CAP_CTL_P ? &fake.ctl : NULL;
	default:
		return nr < 4 * FIELD_GET(MCE_CAP_COUNT, fake.cap) ?
		       &fake.bank[nr] : NULL;
	}
}

static bool fake_read(uint32_t msr, uint64_t *val)
{
	uint64_t *r = fake.absent ? NULL : fake_register(msr);

	if (r)
		*val = *r;
	return r;
}

static bool fake_write(uint32_t msr, uint64_t val)
{
	uint64_t *r = fake.absent ? NULL : fake_register(msr);

	ck_assert_msg(r, "write to 0x%x, which is not there", msr);
	ck_assert_uint_ne(msr, MCE_MSR_CAP);	/* read-only */
	*r = val;
	fake.writes++;
	return true;
}

static const struct mce_port port = { fake_read, fake_write };

static void setup(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.cap = BANKS | MCE_CAP_CTL_P;
	fake.status = MCE_STATUS_RIPV;
}

static void report(unsigned bank, uint64_t status, uint64_t addr)
{
	fake.bank[4 * bank + MCE_BANK_STATUS] = status;
	fake.bank[4 * bank + MCE_BANK_ADDR] = addr;
}

static const char *described(size_t room)
{
	static char text[400];
	size_t len;

	memset(text, '#', sizeof(text));
	len = mce_describe(&port, text, room);
	ck_assert_uint_lt(len, room);
	ck_assert_uint_eq(strlen(text), len);
	ck_assert_int_eq(text[room], '#');
	return text;
}

START_TEST(every_bank_is_emptied_and_may_report)
{
	report(9, MCE_BANK_VAL, 0);
	ck_assert_uint_eq(mce_init(&port), BANKS);
	ck_assert_uint_eq(fake.ctl, UINT64_MAX);
	for (unsigned i = 0; i < BANKS; i++) {
		ck_assert_uint_eq(fake.bank[4 * i + MCE_BANK_CTL], UINT64_MAX);
		ck_assert_uint_eq(fake.bank[4 * i + MCE_BANK_STATUS], 0);
	}
}
END_TEST

START_TEST(a_control_register_that_is_not_there_is_left_alone)
{
	fake.cap = 2;
	ck_assert_uint_eq(mce_init(&port), 2);
	ck_assert_uint_eq(fake.ctl, 0);
	ck_assert_uint_eq(fake.writes, 4);
}
END_TEST

START_TEST(without_registers_there_are_no_banks)
{
	fake.absent = true;
	ck_assert_uint_eq(mce_init(&port), 0);
	ck_assert_str_eq(described(200), "machine check, of which no bank knows");
}
END_TEST

START_TEST(a_bank_says_status_address_and_how_bad_it_is)
{
	report(3, MCE_BANK_VAL | MCE_BANK_UC | MCE_BANK_ADDRV | 0x17a, 0x1234000);
	ck_assert_str_eq(described(200), "machine check: bank 3, status "
			 "0xa40000000000017a, address 0x1234000, code 0x17a, "
			 "not corrected");
}
END_TEST

START_TEST(an_address_that_is_not_valid_is_not_said)
{
	report(0, MCE_BANK_VAL | 5, 0x1234000);
	ck_assert_str_eq(described(200), "machine check: bank 0, status "
			 "0x8000000000000005, code 0x5, corrected");
}
END_TEST

START_TEST(what_cannot_go_on_is_called_that)
{
	fake.status = 0;
	report(1, MCE_BANK_VAL | MCE_BANK_UC | MCE_BANK_PCC | 1, 0);
	ck_assert_str_eq(described(200), "machine check: bank 1, status "
			 "0xa200000000000001, code 0x1, not corrected, the "
			 "CPU's state is damaged; what it struck cannot go on");
}
END_TEST

START_TEST(all_banks_that_know_something_have_their_say)
{
	report(1, MCE_BANK_VAL | 1, 0);
	report(2, 2, 0);		/* not valid */
	report(9, MCE_BANK_VAL | 9, 0);
	ck_assert_ptr_nonnull(strstr(described(200), ": bank 1,"));
	ck_assert_ptr_null(strstr(described(200), ": bank 2,"));
	ck_assert_ptr_nonnull(strstr(described(200), ": bank 9,"));
}
END_TEST

START_TEST(too_much_is_cut_and_ends)
{
	for (unsigned i = 0; i < BANKS; i++)
		report(i, MCE_BANK_VAL | MCE_BANK_ADDRV | MCE_BANK_UC, ~0ul);
	fake.status = 0;
	for (size_t room = 1; room < 300; room++)
		described(room);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("mce", setup, NULL, 0);

	tcase_add_test(t, every_bank_is_emptied_and_may_report);
	tcase_add_test(t, a_control_register_that_is_not_there_is_left_alone);
	tcase_add_test(t, without_registers_there_are_no_banks);
	tcase_add_test(t, a_bank_says_status_address_and_how_bad_it_is);
	tcase_add_test(t, an_address_that_is_not_valid_is_not_said);
	tcase_add_test(t, what_cannot_go_on_is_called_that);
	tcase_add_test(t, all_banks_that_know_something_have_their_say);
	tcase_add_test(t, too_much_is_cut_and_ends);
	return suite_run("mce");
}
