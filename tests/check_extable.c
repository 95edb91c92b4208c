/* SPDX-License-Identifier: MIT */
#include "core/extable.h"

#include "tests/host/suite.h"

static const struct extable table[] = {
	{ 0x1000, 0x1008 }, { 0x3000, 0x4000 }, { 0x2000, 0x2002 },
};

START_TEST(every_entry_is_found_whatever_the_order)
{
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		ck_assert_uint_eq(extable_find(table, ARRAY_SIZE(table),
					       table[i].fault),
				  table[i].fixup);
}
END_TEST

START_TEST(an_address_beside_an_entry_has_none)
{
	ck_assert_uint_eq(extable_find(table, ARRAY_SIZE(table), 0x0fff), 0);
	ck_assert_uint_eq(extable_find(table, ARRAY_SIZE(table), 0x1001), 0);
	ck_assert_uint_eq(extable_find(table, ARRAY_SIZE(table), 0x1008), 0);
	ck_assert_uint_eq(extable_find(table, ARRAY_SIZE(table), 0), 0);
}
END_TEST

START_TEST(an_empty_table_has_no_entry)
{
	ck_assert_uint_eq(extable_find(table, 0, 0x1000), 0);
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("extable", NULL, NULL, 0);

	tcase_add_test(tc, every_entry_is_found_whatever_the_order);
	tcase_add_test(tc, an_address_beside_an_entry_has_none);
	tcase_add_test(tc, an_empty_table_has_no_entry);
	return suite_run("extable");
}
