/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space: PCI Local Bus 3.0 chapter 6, PCI-to-PCI Bridge 1.2
 * chapter 3, PCI Express Base 4.0 chapter 7.
 */
#ifndef CORE_PCIREG_H
#define CORE_PCIREG_H

#include "core/bits.h"

#define PCI_CONFIG_SIZE		256
#define PCI_CONFIG_EXT_SIZE	4096	/* with ECAM, PCIe 7.2.2 */
#define PCI_SLOTS		32
#define PCI_FUNCTIONS		8
#define PCI_NO_VENDOR		0xffff	/* nobody answers */

/* 3.2.2.3.2: ports of configuration mechanism #1 */
#define PCI_PORT		0xcf8
#define PCI_PORT_SIZE		8
#define PCI_PORT_ADDR		0
# define PCI_PORT_ENABLE	BIT(31)
# define PCI_PORT_BDF		GENMASK(23, 8)
# define PCI_PORT_REG		GENMASK(7, 2)
#define PCI_PORT_DATA		4

/* 6.1, 6.2: common to all header types */
#define PCI_VENDOR		0x00	/* 16 ro */
#define PCI_DEVICE		0x02	/* 16 ro */
#define PCI_COMMAND		0x04	/* 16 rw, 6.2.2 */
# define PCI_COMMAND_IO		BIT(0)
# define PCI_COMMAND_MEMORY	BIT(1)
# define PCI_COMMAND_MASTER	BIT(2)
# define PCI_COMMAND_INTX_OFF	BIT(10)
#define PCI_STATUS		0x06	/* 16, 6.2.3 */
# define PCI_STATUS_INTX	BIT(3)		/* ro, whatever INTX_OFF says */
# define PCI_STATUS_CAPS	BIT(4)
#define PCI_CLASS		0x08	/* 32 ro: class code and revision */
# define PCI_CLASS_CODE		GENMASK(31, 8)
# define PCI_CLASS_REVISION	GENMASK(7, 0)
#define PCI_HEADER		0x0e	/* 8 ro, 6.2.1 */
# define PCI_HEADER_TYPE	GENMASK(6, 0)
# define PCI_HEADER_MULTI	BIT(7)
#define PCI_HEADER_DEVICE	0
#define PCI_HEADER_BRIDGE	1
#define PCI_CAP_POINTER		0x34	/* 8 ro, 6.7 */
#define PCI_INT_LINE		0x3c	/* 8 rw, 6.2.4 */
# define PCI_INT_LINE_NONE	0xff
#define PCI_INT_PIN		0x3d	/* 8 ro */

/* 6.2.5: base addresses; two in a bridge, six elsewhere */
#define PCI_BAR(n)		(0x10 + 4 * (n))
# define PCI_BAR_IO		BIT(0)
# define PCI_BAR_IO_BASE	GENMASK(31, 2)
# define PCI_BAR_MEM_TYPE	GENMASK(2, 1)
# define PCI_BAR_MEM_64		2	/* value of the type */
# define PCI_BAR_MEM_BELOW_1M	1
# define PCI_BAR_PREFETCH	BIT(3)
# define PCI_BAR_MEM_BASE	GENMASK(31, 4)
#define PCI_BRIDGE_BARS		2
#define PCI_SUBVENDOR		0x2c	/* 16 ro, 6.2.4; type 0 only */
#define PCI_SUBDEVICE		0x2e	/* 16 ro */

/* Bridge 3.2.5: header type 1 */
#define PCI_BUSES		0x18	/* 32 rw */
# define PCI_BUSES_PRIMARY	GENMASK(7, 0)
# define PCI_BUSES_SECONDARY	GENMASK(15, 8)
# define PCI_BUSES_SUBORDINATE	GENMASK(23, 16)
# define PCI_BUSES_ALL		GENMASK(23, 0)
#define PCI_IO_WINDOW		0x1c	/* 16 rw: base, limit in 4 KiB */
# define PCI_IO_BASE		GENMASK(7, 4)
# define PCI_IO_LIMIT		GENMASK(15, 12)
#define PCI_MEM_WINDOW		0x20	/* 32 rw: base, limit in 1 MiB */
#define PCI_PREF_WINDOW		0x24	/* 32 rw: the same, prefetchable */
# define PCI_WINDOW_BASE	GENMASK(15, 4)
# define PCI_WINDOW_LIMIT	GENMASK(31, 20)
# define PCI_WINDOW_TYPE	GENMASK(3, 0)
# define PCI_WINDOW_64		1	/* its value for 64 bits */
#define PCI_PREF_BASE_HIGH	0x28	/* 32 rw */
#define PCI_PREF_LIMIT_HIGH	0x2c	/* 32 rw */
#define PCI_IO_WINDOW_HIGH	0x30	/* 32 rw: base, limit bits 31:16 */

/* 6.7: a capability is its id, the next one's offset, and its body */
#define PCI_CAP_FIRST		0x40
#define PCI_CAP_NEXT		1
#define PCI_CAP_STEPS		48	/* (256 - 64) / 4: more is a loop */
#define PCI_CAP_ID_PCIE		0x10

/* PCIe 7.5.3: the PCI Express capability */
#define PCIE_CAP_FLAGS		0x02	/* 16 ro */
# define PCIE_CAP_TYPE		GENMASK(7, 4)
# define PCIE_TYPE_ROOT_PORT	4
# define PCIE_TYPE_DOWNSTREAM	6

/* PCIe 7.6.3: extended capabilities */
#define PCI_EXT_CAP_FIRST	0x100
# define PCI_EXT_CAP_ID		GENMASK(15, 0)
# define PCI_EXT_CAP_NEXT	GENMASK(31, 20)
#define PCI_EXT_CAP_STEPS	64

/* Class codes, PCI Code and ID Assignment 1.11 */
#define PCI_CLASS_MASK_SUB	0xffff00	/* ignore the interface */
#define PCI_CLASS_HOST		0x060000
#define PCI_CLASS_BRIDGE	0x060400

/* What the chipset wires without saying so: Intel q35 MCH and ICH9 */
#define PCI_VENDOR_INTEL	0x8086
#define PCI_DEVICE_Q35_MCH	0x29c0
#define PCI_DEVICE_ICH9_LPC	0x2918
#define PCI_ICH9_LPC		PCI_BDF(0, 31, 0)
#define ICH9_PIRQ_ROUTE_AD	0x60	/* 4 * 8 rw, ICH9 13.1.18 */
#define ICH9_PIRQ_ROUTE_EH	0x68	/* 4 * 8 rw, ICH9 13.1.20 */
# define ICH9_PIRQ_NO_PIC	0x80808080	/* bit 7 of each */

#endif
