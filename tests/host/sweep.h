/* SPDX-License-Identifier: MIT */
/*
 * Every allocation fails once: the whole of an activity is done again and
 * again, and each time another allocation of it (of pages or heap) is refused.
 */
#ifndef TESTS_HOST_SWEEP_H
#define TESTS_HOST_SWEEP_H

/*
 * fn sets up, uses and undoes something: 0, or -errno and everything undone. It
 * is done once without a refusal, so that what is kept for good is there. Then
 * each refusal must give -ENOMEM (or 0, where less will do) and leave nothing:
 * no page, heap block, mapping, vector or lock. Fails the test otherwise. Prints
 * how many allocations there were, and returns it.
 */
unsigned host_sweep(const char *what, int (*fn)(void));

#endif
