/* SPDX-License-Identifier: MIT */
/*
 * How fast does this accelerator run ring 0? Hosts differ by a factor of a
 * thousand (hardware, TCG, KVM emulating every instruction), and whoever
 * chooses an accelerator wants to know before booting a long run on it.
 */
#include "boot/init.h"
#include "core/cpu.h"
#include "core/log.h"
#include "core/report.h"

#define PROBE_LOOPS	2000		/* of two instructions each */

void probe_run(void)
{
	unsigned n = PROBE_LOOPS;
	nsec_t start = time_now(), took;
	struct json j;

	__asm__ volatile("1: decl %0; jnz 1b" : "+r"(n));
	took = time_now() - start;
	log_info("probe", "%lu ns for %u instructions", took, 2 * PROBE_LOOPS);
	json_begin(&j, "probe");
	json_u64(&j, "ns_per_1000_insns", took * 1000 / (2 * PROBE_LOOPS));
	json_str(&j, "timer", cpu_timer_name());
	json_end(&j);
}
