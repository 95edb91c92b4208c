/* SPDX-License-Identifier: MIT */
/*
 * Intel Virtualization Technology for Directed I/O, specification 3.3:
 * registers (chapter 11), legacy-mode root and context entries (chapter 9),
 * invalidation descriptors (6.5.2) and fault reasons (7.1.3 with appendix A).
 *
 * Widths matter: a register marked 32 is accessed with 32 bits only, one
 * marked 64 with 64 (QEMU ends itself on a wider access to some).
 */
#ifndef VIOMMU_VTDREG_H
#define VIOMMU_VTDREG_H

#include "core/bits.h"
#include "core/types.h"

#define VTD_REGS_SIZE		0x1000

#define VTD_VER			0x00	/* 32 ro, 11.4.1 */
# define VTD_VER_MAX		GENMASK(7, 4)
# define VTD_VER_MIN		GENMASK(3, 0)

#define VTD_CAP			0x08	/* 64 ro, 11.4.2 */
# define VTD_CAP_DRD		BIT_ULL(55)		/* drains reads */
# define VTD_CAP_DWD		BIT_ULL(54)		/* drains writes */
# define VTD_CAP_MAMV		GENMASK_ULL(53, 48)	/* largest address mask */
# define VTD_CAP_NFR		GENMASK_ULL(47, 40)	/* fault records - 1 */
# define VTD_CAP_PSI		BIT_ULL(39)		/* page-selective */
# define VTD_CAP_SLLPS		GENMASK_ULL(37, 34)	/* bit 0: 2M, 1: 1G */
# define VTD_CAP_FRO		GENMASK_ULL(33, 24)	/* fault records / 16 */
# define VTD_CAP_MGAW		GENMASK_ULL(21, 16)	/* address bits - 1 */
# define VTD_CAP_SAGAW		GENMASK_ULL(12, 8)	/* bit 1: 39, 2: 48 */
#  define VTD_SAGAW_39		BIT(1)
#  define VTD_SAGAW_48		BIT(2)
# define VTD_CAP_CM		BIT_ULL(7)		/* caches not-present */
# define VTD_CAP_RWBF		BIT_ULL(4)		/* has a write buffer */
# define VTD_CAP_ND		GENMASK_ULL(2, 0)	/* 2^(4 + 2 ND) domains */

#define VTD_ECAP		0x10	/* 64 ro, 11.4.3 */
# define VTD_ECAP_IRO		GENMASK_ULL(17, 8)	/* IOTLB regs / 16 */
# define VTD_ECAP_PT		BIT_ULL(6)		/* pass-through */
# define VTD_ECAP_EIM		BIT_ULL(4)
# define VTD_ECAP_IR		BIT_ULL(3)		/* remaps interrupts */
# define VTD_ECAP_QI		BIT_ULL(1)		/* queued invalidation */
# define VTD_ECAP_C		BIT_ULL(0)		/* walks are coherent */

#define VTD_GCMD		0x18	/* 32 wo, 11.4.4.1 */
#define VTD_GSTS		0x1c	/* 32 ro, 11.4.4.2, the same bits */
# define VTD_G_TE		BIT(31)			/* translation */
# define VTD_G_SRTP		BIT(30)			/* set root; one-shot */
# define VTD_G_SFL		BIT(29)			/* one-shot */
# define VTD_G_EAFL		BIT(28)
# define VTD_G_WBF		BIT(27)			/* flush; one-shot */
# define VTD_G_QIE		BIT(26)			/* invalidation queue */
# define VTD_G_IRE		BIT(25)			/* interrupt remapping */
# define VTD_G_SIRTP		BIT(24)			/* one-shot */
# define VTD_G_CFI		BIT(23)
/* What stays set: a command is these as they are, plus or minus one bit. */
# define VTD_G_ENABLES		(VTD_G_TE | VTD_G_EAFL | VTD_G_QIE | \
				 VTD_G_IRE | VTD_G_CFI)

#define VTD_RTADDR		0x20	/* 64 rw, 11.4.5; TTM 00: legacy */

#define VTD_FSTS		0x34	/* 32 rw1c, 11.4.7.1 */
# define VTD_FSTS_FRI		GENMASK(15, 8)		/* first record */
# define VTD_FSTS_ITE		BIT(6)
# define VTD_FSTS_ICE		BIT(5)
# define VTD_FSTS_IQE		BIT(4)			/* bad descriptor */
# define VTD_FSTS_PPF		BIT(1)			/* record pending; ro */
# define VTD_FSTS_PFO		BIT(0)			/* record lost */

#define VTD_FECTL		0x38	/* 32 rw, 11.4.7.2 */
# define VTD_FECTL_IM		BIT(31)			/* masked */
#define VTD_FEDATA		0x3c	/* 32 rw, 11.4.7.3 */
#define VTD_FEADDR		0x40	/* 32 rw, 11.4.7.4 */
#define VTD_FEUADDR		0x44	/* 32 rw, 11.4.7.5 */

#define VTD_IQH			0x80	/* 64 ro, 11.4.9.1 */
#define VTD_IQT			0x88	/* 64 rw, 11.4.9.2 */
# define VTD_IQ_INDEX		GENMASK_ULL(18, 4)	/* 16-byte units */
#define VTD_IQA			0x90	/* 64 rw, 11.4.9.3 */
# define VTD_IQA_ADDR		GENMASK_ULL(51, 12)
# define VTD_IQA_QS		GENMASK_ULL(2, 0)	/* 2^QS pages */

/* 11.4.14 Fault Recording Registers, 16 bytes each, from CAP.FRO on. */
#define VTD_FRCD_LO		0	/* 64 ro */
# define VTD_FRCD_FI		GENMASK_ULL(63, 12)	/* the page */
#define VTD_FRCD_HI		8	/* 64 ro, but for F */
# define VTD_FRCD_T		BIT_ULL(62)		/* read, not write */
# define VTD_FRCD_FR		GENMASK_ULL(39, 32)	/* reason */
# define VTD_FRCD_SID		GENMASK_ULL(15, 0)	/* requester */
#define VTD_FRCD_F		12	/* 32, bit 31 rw1c */
# define VTD_FRCD_F_SET		BIT(31)
#define VTD_FRCD_SIZE		16

/*
 * 9.1 Root entry, 16 bytes: which context table a bus has.
 * 9.3 Context entry, 16 bytes: which domain a function is in.
 */
struct vtd_entry {
	le64 lo, hi;
};
#define VTD_ROOT_P		BIT_ULL(0)	/* lo */
#define VTD_ROOT_CTP		GENMASK_ULL(63, 12)

#define VTD_CTX_P		BIT_ULL(0)	/* lo */
#define VTD_CTX_FPD		BIT_ULL(1)	/* no fault records */
#define VTD_CTX_TT		GENMASK_ULL(3, 2)
# define VTD_TT_TABLE		0		/* second-level, untranslated only */
#define VTD_CTX_SLPT		GENMASK_ULL(63, 12)
#define VTD_CTX_AW		GENMASK_ULL(2, 0)	/* hi; levels - 2 */
#define VTD_CTX_DID		GENMASK_ULL(23, 8)	/* hi */

#define VTD_ENTRIES		256		/* per root or context table */

/* 6.5.2 Invalidation descriptors of 128 bits. */
struct vtd_desc {
	le64 lo, hi;
};
#define VTD_DESC_TYPE		GENMASK_ULL(3, 0)
# define VTD_DESC_CONTEXT	0x1		/* 6.5.2.1 */
# define VTD_DESC_IOTLB		0x2		/* 6.5.2.3 */
# define VTD_DESC_WAIT		0x5		/* 6.5.2.8 */
#define VTD_DESC_G		GENMASK_ULL(5, 4)	/* granularity */
# define VTD_G_GLOBAL		1
# define VTD_G_DOMAIN		2
# define VTD_G_PAGE		3		/* of the IOTLB */
#define VTD_DESC_DW		BIT_ULL(6)	/* IOTLB: drain writes */
#define VTD_DESC_DR		BIT_ULL(7)	/* IOTLB: drain reads */
#define VTD_DESC_DID		GENMASK_ULL(31, 16)
#define VTD_DESC_ADDR		GENMASK_ULL(63, 12)	/* hi: IOTLB */
#define VTD_DESC_AM		GENMASK_ULL(5, 0)	/* hi: 2^AM pages */
#define VTD_WAIT_SW		BIT_ULL(5)	/* write the status, never … */
#define VTD_WAIT_IF		BIT_ULL(4)	/* … with this: QEMU aborts */
#define VTD_WAIT_DATA		GENMASK_ULL(63, 32)
#define VTD_WAIT_ADDR		GENMASK_ULL(63, 2)	/* hi */

_Static_assert(sizeof(struct vtd_entry) == 16, "VT-d 9.1, 9.3");
_Static_assert(offsetof(struct vtd_entry, hi) == 8, "VT-d 9.1, 9.3");
_Static_assert(sizeof(struct vtd_desc) == 16, "VT-d 6.5.2");
_Static_assert(offsetof(struct vtd_desc, hi) == 8, "VT-d 6.5.2");
_Static_assert(VTD_ENTRIES * sizeof(struct vtd_entry) == PAGE_SIZE, "VT-d 9.1");

/* 7.1.3: reasons of address translation faults in legacy mode. */
#define VTD_FR_ROOT_NOT_PRESENT		0x1
#define VTD_FR_CONTEXT_NOT_PRESENT	0x2
#define VTD_FR_CONTEXT_INVALID		0x3
#define VTD_FR_BEYOND_WIDTH		0x4
#define VTD_FR_WRITE			0x5
#define VTD_FR_READ			0x6
#define VTD_FR_TABLE_ADDR		0x7
#define VTD_FR_ROOT_TABLE_ADDR		0x8
#define VTD_FR_CONTEXT_TABLE_ADDR	0x9
#define VTD_FR_ROOT_RESERVED		0xa
#define VTD_FR_CONTEXT_RESERVED		0xb
#define VTD_FR_PAGE_RESERVED		0xc
#define VTD_FR_TRANSLATION_TYPE		0xd
#define VTD_FR_INTERRUPT_RANGE		0xe
/* 7.1.3: of interrupt remapping. */
#define VTD_FR_IR_RESERVED		0x20
#define VTD_FR_IR_INDEX			0x21
#define VTD_FR_IR_NOT_PRESENT		0x22
#define VTD_FR_IR_TABLE_ADDR		0x23
#define VTD_FR_IR_ENTRY_RESERVED	0x24
#define VTD_FR_IR_COMPATIBILITY		0x25
#define VTD_FR_IR_SOURCE		0x26

#endif
