/* SPDX-License-Identifier: MIT */
/*
 * failnth=N on the command line: one allocation, of pages or heap, is refused:
 * the N-th from here on. What follows must be an error with a name, never a
 * crash: that is what ci/shapes tries, N by N.
 */
#ifndef CORE_FAILNTH_H
#define CORE_FAILNTH_H

/* After cmdline_init(). */
void failnth_init(void);

#endif
