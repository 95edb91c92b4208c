/* SPDX-License-Identifier: MIT */
#include "tests/host/sweep.h"

#include <check.h>
#include <stdio.h>

#include "core/errno.h"
#include "tests/host/host.h"

#define SWEEP_MAX	2000

unsigned host_sweep(const char *what, int (*fn)(void))
{
	unsigned n, less = 0;
	char left[160];

	ck_assert_msg(!fn(), "%s fails without a refusal", what);
	host_keep();
	for (n = 1; n < SWEEP_MAX; n++) {
		int err;

		host_fail_alloc(n);
		err = fn();
		if (!host_alloc_failed())
			break;
		host_fail_alloc(0);
		ck_assert_msg(err == 0 || err == -ENOMEM,
			      "%s: allocation %u refused gives %s", what, n,
			      errno_name(err));
		less += !err;
		ck_assert_msg(host_is_clean(left, sizeof(left)),
			      "%s: allocation %u refused: %s", what, n, left);
	}
	host_fail_alloc(0);
	ck_assert_msg(n < SWEEP_MAX, "%s does not end", what);
	printf("# %s: %u allocations, each refused once; %u could be done "
	       "without\n", what, n - 1, less);
	return n - 1;
}
