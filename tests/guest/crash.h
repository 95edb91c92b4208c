/* SPDX-License-Identifier: MIT */
/*
 * Crashes on purpose, one boot each: the monitor's "crash NAME". ci/crashes
 * boots every one of them and knows what each must say.
 */
#ifndef TESTS_GUEST_CRASH_H
#define TESTS_GUEST_CRASH_H

#include "core/set.h"
#include "core/types.h"

struct crash {
	const char *name, *help;
	void (*run)(void);		/* returns only if nothing crashed */
};

#define CRASH(name_, help_)						\
	static void crash_##name_(void);				\
	static const struct crash crash_entry_##name_ = {		\
		.name = #name_, .help = help_, .run = crash_##name_ };	\
	SET_ENTRY(crash, struct crash, crash_entry_##name_);		\
	static void crash_##name_(void)

/* fn on that CPU: in a thread of its own, named "crash". Returns at its end. */
void crash_on(unsigned cpu, void (*fn)(void *arg), void *arg);
/* fn in an interrupt, or in an NMI, that this CPU sends to itself. */
void crash_in_irq(void (*fn)(void));
void crash_in_nmi(void (*fn)(void));

#endif
