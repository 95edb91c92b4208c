/* SPDX-License-Identifier: MIT */
/* What the files of the suite "paravirt" share. */
#ifndef TESTS_GUEST_PARAVIRT_H
#define TESTS_GUEST_PARAVIRT_H

#include "core/report.h"
#include "virt/pv.h"

#define PARAVIRT_WAIT	(20 * NSEC_PER_SEC)

/* Is it on? Else the test is skipped, with the feature's own reason. */
bool paravirt_needs(struct ktest_run *t, enum pv_feature f);
/*
 * Pretend that this host offers f and has not been tried: its status as it was,
 * for paravirt_restore(). What needs f is broken with it, so both keep all.
 */
struct paravirt_saved {
	struct pv_status status[PV_FEATURES];
};
void paravirt_force(struct paravirt_saved *s, enum pv_feature f,
		    enum pv_state state);
void paravirt_restore(const struct paravirt_saved *s);
/* fn(arg) in a thread on that CPU, to its end. */
bool paravirt_on(struct ktest_run *t, unsigned cpu, void (*fn)(void *arg),
		 void *arg);
/* Calls, IPIs, flushes and sleeps: do they all still do what they should? */
void paravirt_all_works(struct ktest_run *t, const char *when);

/* Do these words stand in the text? */
bool paravirt_says(const char *text, const char *words);

#endif
