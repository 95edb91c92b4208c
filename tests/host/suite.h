/* SPDX-License-Identifier: MIT */
/*
 * The frame of a tests/check_*.c: groups of cases, and one program that runs
 * them.
 *
 *	int main(void)
 *	{
 *		TCase *t = suite_group("nvme", setup, teardown, 0);
 *
 *		tcase_add_test(t, start_times_out_and_frees_rings);
 *		return suite_run("nvme");
 *	}
 */
#ifndef TESTS_HOST_SUITE_H
#define TESTS_HOST_SUITE_H

#include <check.h>

#define SUITE_GROUPS	16
#define SUITE_SKIP	77		/* exit status */

/*
 * The next group, still empty. setup and teardown surround each of its cases,
 * in the case's own process; each may be NULL. A case that takes longer than
 * seconds has failed; 0: what CK_DEFAULT_TIMEOUT says, without it 4 s.
 */
TCase *suite_group(const char *name, void (*setup)(void),
		   void (*teardown)(void), unsigned seconds);

/*
 * Runs the groups made so far, in that order, as the suite of this name, and
 * prints what failed (more by CK_VERBOSITY). Returns main()'s result: 0 when
 * nothing failed, else 1. To be called once.
 */
int suite_run(const char *name);

/* Instead: says why nothing can be tested here. Returns main()'s result. */
int suite_skip(const char *why);

#endif
