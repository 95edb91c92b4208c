/* SPDX-License-Identifier: MIT */
#include "core/failnth.h"

#include "core/cmdline.h"
#include "core/log.h"
#include "core/page.h"

static const struct cmdline_key key_failnth = {
	"failnth", "N", "refuse the N-th allocation after this line is read" };
CMDLINE_KEY(key_failnth);

static uint64_t failnth_n, failnth_seen;	/* any CPU, atomically */

/* The log is the innermost lock, so the heap may be held here. */
static bool failnth_gate(void)
{
	uint64_t n = __atomic_add_fetch(&failnth_seen, 1, __ATOMIC_RELAXED);

	if (n != failnth_n)
		return false;
	log_warn("failnth", "allocation %llu is refused",
		 (unsigned long long)n);
	return true;
}

void failnth_init(void)
{
	failnth_n = cmdline_u64("failnth", 0);
	if (failnth_n)
		page_gate = failnth_gate;
}
