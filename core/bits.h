/* SPDX-License-Identifier: MIT */
/*
 * Bits and fields of registers. A field is one mask, written as the manual
 * prints it; both directions derive the shift from the mask, so that no shift
 * is ever typed:
 *
 *	lvl = FIELD_GET(VTD_ECAP_MHMV, ecap);
 *	val = FIELD_PREP(NVME_CC_IOSQES, 6) | NVME_CC_EN;
 */
#ifndef CORE_BITS_H
#define CORE_BITS_H

#include "core/types.h"

#define BIT(n)			(UINT32_C(1) << (n))
#define BIT_ULL(n)		(UINT64_C(1) << (n))
#define GENMASK(h, l) \
	((UINT32_MAX << (l)) & (UINT32_MAX >> (31 - (h))))
#define GENMASK_ULL(h, l) \
	((UINT64_MAX << (l)) & (UINT64_MAX >> (63 - (h))))

#define FIELD_SHIFT(mask)	__builtin_ctzll(mask)
#define FIELD_MAX(mask)		((uint64_t)(mask) >> FIELD_SHIFT(mask))
#define FIELD_GET(mask, reg) \
	((__typeof__(mask))(((reg) & (mask)) >> FIELD_SHIFT(mask)))
#define FIELD_PREP(mask, val) \
	((__typeof__(mask))(((__typeof__(mask))(val) << FIELD_SHIFT(mask)) & (mask)))

static inline bool is_power_of_2(uint64_t x)
{
	return x && !(x & (x - 1));
}

/* floor(log2(x)); x must not be 0. */
static inline unsigned ilog2(uint64_t x)
{
	return 63 - (unsigned)__builtin_clzll(x);
}

/* The smallest n with (1 << n) >= x; x must not be 0. */
static inline unsigned ilog2_up(uint64_t x)
{
	return x == 1 ? 0 : ilog2(x - 1) + 1;
}

#endif
