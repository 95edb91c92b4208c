/* SPDX-License-Identifier: MIT */
/*
 * MSI and MSI-X capabilities (PCI Local Bus 3.0, 6.8.1 and 6.8.2) and the
 * message that an x86 interrupts by (Intel SDM vol. 3, 11.11).
 */
#ifndef MSI_MSIREG_H
#define MSI_MSIREG_H

#include "core/bits.h"
#include "core/types.h"

/* 6.8.1 MSI capability: offsets from its start. */
#define MSI_CAP_ID		0x05
#define MSI_CTRL		2		/* 16 rw */
# define MSI_CTRL_ENABLE	BIT(0)
# define MSI_CTRL_CAPABLE	GENMASK(3, 1)	/* ro, log2 of vectors */
# define MSI_CTRL_ENABLED	GENMASK(6, 4)	/* rw, log2 of vectors */
# define MSI_CTRL_64		BIT(7)		/* ro, ADDR_HI is there */
# define MSI_CTRL_MASKABLE	BIT(8)		/* ro, MASK and PENDING are */
#define MSI_ADDR		4		/* 32 rw */
#define MSI_ADDR_HI		8		/* 32 rw, if CTRL_64 */
#define MSI_DATA_32		8		/* 16 rw */
#define MSI_DATA_64		12		/* 16 rw, if CTRL_64 */
/* 32 bits each, this far behind the data register: */
#define MSI_MASK_BEHIND		4		/* rw */
#define MSI_PENDING_BEHIND	8		/* ro */

/* 6.8.2 MSI-X capability: offsets from its start. */
#define MSIX_CAP_ID		0x11
#define MSIX_CTRL		2		/* 16 rw */
# define MSIX_CTRL_SIZE		GENMASK(10, 0)	/* ro, entries - 1 */
# define MSIX_CTRL_MASK_ALL	BIT(14)		/* rw, the function mask */
# define MSIX_CTRL_ENABLE	BIT(15)		/* rw */
#define MSIX_TABLE		4		/* 32 ro */
#define MSIX_PBA		8		/* 32 ro */
# define MSIX_BIR		GENMASK(2, 0)	/* which BAR: 0 to 5 */
# define MSIX_OFFSET		GENMASK(31, 3)	/* in place: times 8 */
#define MSIX_CAP_SIZE		12

/* 6.8.2.6 to 6.8.2.9: a table entry; all 32 bits wide. */
#define MSIX_ENTRY_SIZE		16
#define MSIX_ENTRY_ADDR		0
#define MSIX_ENTRY_ADDR_HI	4
#define MSIX_ENTRY_DATA		8
#define MSIX_ENTRY_CTRL		12
# define MSIX_ENTRY_MASKED	BIT(0)		/* set by reset */

/* 6.8.2.10: the pending bits, read 32 at a time here, laid out by 64. */
#define MSIX_PBA_BITS		64
#define MSIX_PBA_BYTES		8

/* SDM vol. 3, 11.11.1 "Message Address Register Format". */
#define MSI_MSG_ADDR		UINT64_C(0xfee00000)
# define MSI_MSG_ADDR_DEST	GENMASK_ULL(19, 12)
/* 11.11.2 "Message Data Register Format": edge, fixed delivery are zeroes. */
#define MSI_MSG_DATA_VECTOR	GENMASK(7, 0)
#define MSI_MSG_DATA_DELIVERY	GENMASK(10, 8)	/* 0: fixed */
#define MSI_MSG_DATA_RESERVED	(GENMASK(31, 16) | GENMASK(13, 11))
#define MSI_MSG_DATA_ASSERT	BIT(14)		/* level, if LEVEL */
#define MSI_MSG_DATA_LEVEL	BIT(15)
/* Highest APIC id that a message can name without interrupt remapping. */
#define MSI_MSG_DEST_MAX	254		/* 255: all of them (10.6.2.1) */

#endif
