/* SPDX-License-Identifier: MIT */
/*
 * CPUID leaves and registers that the oracle reads: Intel SDM vol. 2A "CPUID",
 * vol. 4; AMD APM vol. 3, appendix E. Those of hypervisors: hyperreg.h.
 */
#ifndef VIRT_ORACLEREG_H
#define VIRT_ORACLEREG_H

#include "core/bits.h"
#include "core/types.h"

#define CPUID_BASIC		0x0		/* EAX: highest leaf */
#define CPUID_FEATURES		0x1
# define CPUID_1_EBX_APIC_ID	GENMASK(31, 24)
# define CPUID_1_ECX_X2APIC	BIT(21)
# define CPUID_1_ECX_DEADLINE	BIT(24)
# define CPUID_1_ECX_XSAVE	BIT(26)
# define CPUID_1_ECX_OSXSAVE	BIT(27)	/* CR4.OSXSAVE, as seen here */
# define CPUID_1_ECX_AVX	BIT(28)
# define CPUID_1_ECX_GUEST	BIT(31)
#define CPUID_CACHES		0x4		/* subleaves to type 0 */
# define CPUID_4_EAX_TYPE	GENMASK(4, 0)
#define CPUID_EXT_FEATURES	0x7		/* EAX: highest subleaf */
#define CPUID_TOPOLOGY		0xb		/* subleaves to type 0 */
#define CPUID_TOPOLOGY_V2	0x1f
# define CPUID_B_ECX_TYPE	GENMASK(15, 8)
#define CPUID_XSAVE		0xd		/* a subleaf a component */
# define CPUID_D_COMPONENTS	GENMASK_ULL(62, 2)
#define CPUID_TRACE		0x14		/* EAX: highest subleaf */
#define CPUID_TSC		0x15
#define CPUID_EXTENDED		0x80000000	/* EAX: highest leaf */
#define CPUID_EXT_AMD		0x80000001
# define CPUID_AMD_ECX_SVM	BIT(2)
# define CPUID_AMD_EDX_NX	BIT(20)
# define CPUID_AMD_EDX_LM	BIT(29)
#define CPUID_ADDRESSES		0x80000008
# define CPUID_ADDR_PHYS	GENMASK(7, 0)
# define CPUID_ADDR_LINEAR	GENMASK(15, 8)
#define CPUID_SVM		0x8000000a
#define CPUID_AMD_CACHES	0x8000001d	/* subleaves to type 0 */
#define CPUID_AMD_TOPOLOGY	0x8000001e	/* EAX: APIC id */
# define CPUID_1E_EBX_UNIT	GENMASK(7, 0)
# define CPUID_1E_ECX_NODE	GENMASK(7, 0)

/* Where hypervisors put their leaves: each base may hold one interface. */
#define CPUID_HYPER		0x40000000
#define CPUID_HYPER_STEP	0x100
#define CPUID_HYPER_LAST	0x4000ff00

/* Hyper-V TLFS, "Feature and Interface Discovery", relative to its base. */
#define HV_LEAF_INTERFACE	0x1
#define HV_LEAF_FEATURES	0x3		/* EAX: 31:0 of the privileges */

#define MSR_TSC_ADJUST		0x3b
#define MSR_MTRRCAP		0xfe
#define MSR_PAT			0x277
# define MSR_PAT_PA3		GENMASK_ULL(26, 24)	/* PCD and PWT set */
# define MSR_PAT_UC		0
#define MSR_APIC_BASE_EXTD	BIT_ULL(10)	/* x2APIC mode */

#define CR4_OSXSAVE		BIT_ULL(18)

#endif
