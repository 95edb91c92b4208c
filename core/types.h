/* SPDX-License-Identifier: MIT */
/*
 * Scalar types whose mixing-up would be a bug, and the few macros everybody
 * uses.
 *
 * phys_t is an address as the memory controller sees it; iova_t is an address
 * as a device sees it, before its IOMMU (without one the two are equal, and
 * only core/dma.c may know that). nsec_t counts nanoseconds since boot.
 */
#ifndef CORE_TYPES_H
#define CORE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t phys_t;
typedef uint64_t iova_t;
typedef uint64_t nsec_t;

/* Little-endian fields of structures that a device reads or writes. */
typedef uint16_t le16;
typedef uint32_t le32;
typedef uint64_t le64;

#define NSEC_PER_USEC	UINT64_C(1000)
#define NSEC_PER_MSEC	UINT64_C(1000000)
#define NSEC_PER_SEC	UINT64_C(1000000000)
#define NSEC_NEVER	UINT64_MAX	/* a deadline that does not come */

#define KIB(n)		((uint64_t)(n) << 10)
#define MIB(n)		((uint64_t)(n) << 20)
#define GIB(n)		((uint64_t)(n) << 30)

#define PAGE_SHIFT	12
#define PAGE_SIZE	4096u
#define PAGE_MASK	(~(uint64_t)(PAGE_SIZE - 1))

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) \
	((type *)((char *)(p) - offsetof(type, member)))

#define MIN(a, b) \
	({ __typeof__(a) min_a_ = (a); __typeof__(b) min_b_ = (b);	\
	   min_a_ < min_b_ ? min_a_ : min_b_; })
#define MAX(a, b) \
	({ __typeof__(a) max_a_ = (a); __typeof__(b) max_b_ = (b);	\
	   max_a_ > max_b_ ? max_a_ : max_b_; })

#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
/* a: a power of two. The result has the type of x. */
#define ALIGN_DOWN(x, a)	((x) & ~((__typeof__(x))(a) - 1))
#define ALIGN_UP(x, a)		ALIGN_DOWN((x) + (__typeof__(x))(a) - 1, a)
#define IS_ALIGNED(x, a)	(((x) & ((__typeof__(x))(a) - 1)) == 0)

#define __packed	__attribute__((packed))
#define __aligned(n)	__attribute__((aligned(n)))
#define __noreturn	__attribute__((noreturn))
#define __noinline	__attribute__((noinline))
#define __unused	__attribute__((unused))
#define __used		__attribute__((used))
#define __printf(f, a)	__attribute__((format(printf, f, a)))
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

#endif
