/* SPDX-License-Identifier: MIT */
/* Local APIC registers (Intel SDM vol. 3, table 10-1), as MMIO offsets. */
#ifndef CORE_LAPICREG_H
#define CORE_LAPICREG_H

#include "core/bits.h"

#define APIC_BASE_EXTD		BIT(10)		/* MSR 0x1b: x2APIC mode */
#define APIC_BASE_EN		BIT(11)
#define APIC_BASE_ADDR		GENMASK_ULL(51, 12)

#define LAPIC_SIZE		0x400
#define LAPIC_ID		0x020
# define LAPIC_ID_XAPIC		GENMASK(31, 24)
#define LAPIC_TPR		0x080
#define LAPIC_EOI		0x0b0
#define LAPIC_SVR		0x0f0
# define LAPIC_SVR_EN		BIT(8)
#define LAPIC_ISR		0x100		/* 32 vectors each 16 bytes */
#define LAPIC_IRR		0x200		/* likewise */
#define LAPIC_ESR		0x280
#define LAPIC_ICR		0x300		/* 64 bits in x2APIC mode */
#define LAPIC_ICR_HI		0x310
# define LAPIC_ICR_NMI		FIELD_PREP(GENMASK(10, 8), 4)
# define LAPIC_ICR_INIT		FIELD_PREP(GENMASK(10, 8), 5)
# define LAPIC_ICR_STARTUP	FIELD_PREP(GENMASK(10, 8), 6)
# define LAPIC_ICR_PENDING	BIT(12)
# define LAPIC_ICR_ASSERT	BIT(14)
# define LAPIC_ICR_SELF		FIELD_PREP(GENMASK(19, 18), 1)
# define LAPIC_ICR_OTHERS	FIELD_PREP(GENMASK(19, 18), 3)
#define LAPIC_LVT_TIMER		0x320
# define LAPIC_LVT_MASKED	BIT(16)
# define LAPIC_LVT_PERIODIC	FIELD_PREP(GENMASK(18, 17), 1)
# define LAPIC_LVT_DEADLINE	FIELD_PREP(GENMASK(18, 17), 2)
#define LAPIC_LVT_LINT0		0x350
#define LAPIC_LVT_LINT1		0x360
# define LAPIC_LVT_NMI		FIELD_PREP(GENMASK(10, 8), 4)
#define LAPIC_LVT_ERROR		0x370
#define LAPIC_TIMER_INITIAL	0x380
#define LAPIC_TIMER_CURRENT	0x390
#define LAPIC_TIMER_DIVIDE	0x3e0
# define LAPIC_DIVIDE_1		0xb

#endif
