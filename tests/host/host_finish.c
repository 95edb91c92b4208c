/* SPDX-License-Identifier: MIT */
/* The end of a Check test, apart from the seam: this needs libcheck. */
#include "tests/host/host_internal.h"

#include <check.h>

void host_finish(void)
{
	char what[160] = "";
	bool mapped = host_probe_clean && !host_probe_clean(what, sizeof(what));

	if (host_probe_reset)
		host_probe_reset();
	if (mapped || !host_is_clean(what, sizeof(what)))
		ck_abort_msg("not clean at the end: %s", what);
}
