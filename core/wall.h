/* SPDX-License-Identifier: MIT */
/*
 * What time it is. Asked of the host at first use, not at boot: by the
 * hypervisor's wall clock if there is one, else by the RTC, which is right to a
 * second. From then on it advances with time_now(). The policy over pauses of the
 * machine is in docs/lifecycle.md.
 */
#ifndef CORE_WALL_H
#define CORE_WALL_H

#include "core/types.h"

/* virt/'s answer: ns since 1970; false: it has none. NULL: no hypervisor. */
extern bool (*wall_hypervisor)(nsec_t *unix_ns);

/* The FADT's century register of the RTC, 0: none. */
void wall_init(uint8_t century);
/* Nanoseconds since 1970, 0: nobody knows. Thread context. */
nsec_t time_wall(void);
const char *wall_source(void);		/* "kvm", "rtc", "nobody" */

/*
 * Ask the RTC, which runs on while the machine is stopped. Where it is more than
 * 2 s away, time_wall() steps to it (never time_now()) and a warning says so.
 * *off: RTC minus time_wall() before that, in ns. 0, -ENODEV (nobody knows the
 * time), or what rtc_read() says.
 */
int wall_check(int64_t *off);
unsigned wall_steps(void);
void wall_report(void);

#endif
