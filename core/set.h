/* SPDX-License-Identifier: MIT */
/*
 * Linker sets: anything that every room contributes to (drivers, monitor
 * commands, in-guest tests). Each entry is a pointer in the section set_NAME;
 * the linker provides the bounds, so that the collector knows none of its
 * contributors. Every set used in the kernel is listed in boot/lodger.ld.
 * Order within a set is the link order: do not depend on it.
 *
 *	SET_ENTRY(driver, struct driver, nvme_driver);
 *
 *	SET_DECLARE(driver, struct driver);
 *	SET_FOREACH(p, driver)
 *		match(*p);
 */
#ifndef CORE_SET_H
#define CORE_SET_H

#define SET_ENTRY(set, type, sym)					\
	static const type *const set_##set##_##sym			\
	__attribute__((used, section("set_" #set), no_reorder)) = &(sym)

#define SET_DECLARE(set, type)						\
	extern const type *const __start_set_##set[] __attribute__((weak)); \
	extern const type *const __stop_set_##set[] __attribute__((weak))

#define SET_FOREACH(pos, set)						\
	for (__typeof__(&__start_set_##set[0]) pos = __start_set_##set;	\
	     pos < __stop_set_##set; pos++)

#endif
