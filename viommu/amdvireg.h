/* SPDX-License-Identifier: MIT */
/*
 * AMD I/O Virtualization Technology (IOMMU) specification 3.06: capability
 * (3.2), MMIO registers (3.4), device table entries (2.2.2.1), commands (2.4)
 * and events (2.5). Page table entries are in viommu/amdpt.h. All registers
 * are 64 bits wide and accessed so.
 */
#ifndef VIOMMU_AMDVIREG_H
#define VIOMMU_AMDVIREG_H

#include "core/bits.h"
#include "core/types.h"

/* ---- the capability of the IOMMU's PCI function, 3.2.1 ---- */

#define AMDVI_CAP_HEADER	0x00	/* 32 ro */
# define AMDVI_CAP_EFRSUP	BIT(27)			/* AMDVI_EFR is there */
# define AMDVI_CAP_NPCACHE	BIT(26)			/* caches not-present */
# define AMDVI_CAP_TYPE		GENMASK(18, 16)
#  define AMDVI_CAP_IOMMU	3
# define AMDVI_CAP_ID		GENMASK(7, 0)
#  define AMDVI_CAP_SECURE	0x0f

/* ---- MMIO, 3.4 ---- */

#define AMDVI_REGS_SIZE		0x4000

#define AMDVI_DEVTAB_BASE	0x0000	/* 64 rw, 3.4.1 */
# define AMDVI_DEVTAB_ADDR	GENMASK_ULL(51, 12)
# define AMDVI_DEVTAB_SIZE	GENMASK_ULL(8, 0)	/* 4-KiB pages - 1 */

#define AMDVI_CMD_BASE		0x0008	/* 64 rw, 3.4.2 */
#define AMDVI_EVENT_BASE	0x0010	/* 64 rw, 3.4.3 */
# define AMDVI_LOG_LEN		GENMASK_ULL(59, 56)	/* 2^n entries, 8 up */
# define AMDVI_LOG_ADDR		GENMASK_ULL(51, 12)

#define AMDVI_CONTROL		0x0018	/* 64 rw, 3.4.4 */
# define AMDVI_CTRL_GALOGEN	BIT_ULL(28)
# define AMDVI_CTRL_GAEN	BIT_ULL(17)
# define AMDVI_CTRL_GTEN	BIT_ULL(16)
# define AMDVI_CTRL_PPREN	BIT_ULL(15)
# define AMDVI_CTRL_PPRINTEN	BIT_ULL(14)
# define AMDVI_CTRL_PPRLOGEN	BIT_ULL(13)
# define AMDVI_CTRL_CMDBUFEN	BIT_ULL(12)
# define AMDVI_CTRL_COHERENT	BIT_ULL(10)		/* its reads snoop */
# define AMDVI_CTRL_COMWAITINT	BIT_ULL(4)
# define AMDVI_CTRL_EVENTINT	BIT_ULL(3)
# define AMDVI_CTRL_EVENTLOGEN	BIT_ULL(2)
# define AMDVI_CTRL_IOMMUEN	BIT_ULL(0)

#define AMDVI_EFR		0x0030	/* 64 ro, 3.4.9 Extended Feature */
# define AMDVI_EFR_HATS		GENMASK_ULL(11, 10)	/* 4 + n levels */
# define AMDVI_EFR_IASUP	BIT_ULL(6)		/* INVALIDATE_IOMMU_ALL */

#define AMDVI_CMD_HEAD		0x2000	/* 64 rw, 3.4.13 */
#define AMDVI_CMD_TAIL		0x2008	/* 64 rw */
#define AMDVI_EVENT_HEAD	0x2010	/* 64 rw, 3.4.14 */
#define AMDVI_EVENT_TAIL	0x2018	/* 64 rw */
# define AMDVI_PTR		GENMASK_ULL(18, 4)	/* in entries */

#define AMDVI_STATUS		0x2020	/* 64 rw1c, 3.4.15 */
# define AMDVI_STS_CMDRUN	BIT_ULL(4)		/* ro */
# define AMDVI_STS_EVENTRUN	BIT_ULL(3)		/* ro */
# define AMDVI_STS_EVENTINT	BIT_ULL(1)
# define AMDVI_STS_OVERFLOW	BIT_ULL(0)		/* of the event log */

/* ---- Device Table Entry, 2.2.2.1 ---- */

struct amdvi_dte {
	le64 word[4];
};
_Static_assert(sizeof(struct amdvi_dte) == 32, "AMD IOMMU 2.2.2.1");
#define AMDVI_DEVICES		65536u	/* requester ids of a segment */
/* word 0 */
#define AMDVI_DTE_IW		BIT_ULL(62)
#define AMDVI_DTE_IR		BIT_ULL(61)
#define AMDVI_DTE_ROOT		GENMASK_ULL(51, 12)
#define AMDVI_DTE_MODE		GENMASK_ULL(11, 9)	/* levels; 0: none */
#define AMDVI_DTE_TV		BIT_ULL(1)		/* translation is valid */
#define AMDVI_DTE_V		BIT_ULL(0)		/* words 0 and 1 are valid */
/* word 1 */
#define AMDVI_DTE_DOMAIN	GENMASK_ULL(15, 0)
/* word 2: IV, bit 0, stays clear: interrupt messages pass as they are. */

/* ---- commands (2.4) and events (2.5): 128 bits ---- */

struct amdvi_entry {
	le64 lo, hi;
};
_Static_assert(sizeof(struct amdvi_entry) == 16, "AMD IOMMU 2.4, 2.5");

#define AMDVI_CMD_TYPE		GENMASK_ULL(63, 60)	/* of lo */
# define AMDVI_COMPLETION_WAIT	1			/* 2.4.1 */
# define AMDVI_INV_DEVTAB	2			/* 2.4.2 INVALIDATE_DEVTAB_ENTRY */
# define AMDVI_INV_PAGES	3			/* 2.4.3 INVALIDATE_IOMMU_PAGES */
# define AMDVI_INV_ALL		8			/* 2.4.8 INVALIDATE_IOMMU_ALL */
/* COMPLETION_WAIT: hi is stored at the address. */
#define AMDVI_WAIT_ADDR		GENMASK_ULL(51, 3)
#define AMDVI_WAIT_S		BIT_ULL(0)
/* INVALIDATE_DEVTAB_ENTRY */
#define AMDVI_INV_DEVICE	GENMASK_ULL(15, 0)
/* INVALIDATE_IOMMU_PAGES: domain in lo, the rest in hi. */
#define AMDVI_INV_DOMAIN	GENMASK_ULL(47, 32)
#define AMDVI_INV_ADDR		GENMASK_ULL(63, 12)
#define AMDVI_INV_PDE		BIT_ULL(1)		/* tables as well */
#define AMDVI_INV_S		BIT_ULL(0)		/* more than one page */
/* With S: every address of the domain. */
#define AMDVI_INV_EVERYTHING	UINT64_C(0x7ffffffffffff000)

#define AMDVI_EVENT_CODE	GENMASK_ULL(63, 60)	/* of lo */
# define AMDVI_EV_ILLEGAL_DTE	1			/* 2.5.2 */
# define AMDVI_EV_PAGE_FAULT	2			/* 2.5.3 */
# define AMDVI_EV_DEVTAB_HW	3
# define AMDVI_EV_PAGETAB_HW	4
# define AMDVI_EV_ILLEGAL_CMD	5			/* 2.5.6; hi: where */
# define AMDVI_EV_CMD_HW	6
# define AMDVI_EV_INV_TIMEOUT	7
# define AMDVI_EV_BAD_REQUEST	8			/* 2.5.9 */
#define AMDVI_EVENT_RW		BIT_ULL(53)		/* codes 1 and 2: a write … */
#define AMDVI_EVENT_TR		BIT_ULL(56)		/* … unless a translation */
#define AMDVI_EVENT_DEVICE	GENMASK_ULL(15, 0)

#endif
