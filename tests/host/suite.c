/* SPDX-License-Identifier: MIT */
#include "tests/host/suite.h"

#include <assert.h>
#include <stdio.h>

static TCase *suite_groups[SUITE_GROUPS];
static unsigned suite_ngroups;

TCase *suite_group(const char *name, void (*setup)(void),
		   void (*teardown)(void), unsigned seconds)
{
	TCase *t = tcase_create(name);

	assert(suite_ngroups < SUITE_GROUPS);
	tcase_add_checked_fixture(t, setup, teardown);
	if (seconds)
		tcase_set_timeout(t, seconds);
	suite_groups[suite_ngroups++] = t;
	return t;
}

int suite_run(const char *name)
{
	Suite *s = suite_create(name);
	SRunner *r;
	int failed;

	for (unsigned i = 0; i < suite_ngroups; i++)
		suite_add_tcase(s, suite_groups[i]);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

int suite_skip(const char *why)
{
	printf("SKIP: %s\n", why);
	return SUITE_SKIP;
}
