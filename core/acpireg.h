/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables as firmware lays them out (ACPI 6.5, chapter 5, and the
 * documents that it refers to). All fields are little-endian and packed;
 * nothing may be assumed about alignment.
 */
#ifndef CORE_ACPIREG_H
#define CORE_ACPIREG_H

#include "core/acpi.h"
#include "core/bits.h"

/* ---- finding the tables ---- */

#define RSDP_SIGNATURE		"RSD PTR "
#define RSDP_V1_SIZE		20	/* what the first checksum covers */
#define RSDP_ALIGN		16
#define RSDP_SEARCH		0xe0000	/* to 0xfffff, 5.2.5.1 */
#define RSDP_SEARCH_END		0x100000
#define BDA_EBDA_SEGMENT	0x40e	/* BIOS data area: segment of the EBDA */
#define EBDA_SEARCH_SIZE	1024

struct rsdp {				/* 5.2.5.3 */
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;		/* 0: ends with rsdt */
	le32 rsdt;
	le32 length;
	le64 xsdt;
	uint8_t extended_checksum, reserved[3];
} __packed;
_Static_assert(sizeof(struct rsdp) == 36, "ACPI 5.2.5.3");
_Static_assert(offsetof(struct rsdp, xsdt) == 24, "ACPI 5.2.5.3");

struct acpi_gas {			/* 5.2.3.2 Generic Address Structure */
	uint8_t space, width, offset, access;
	le64 addr;
} __packed;
_Static_assert(sizeof(struct acpi_gas) == 12, "ACPI 5.2.3.2");
#define ACPI_SPACE_MEMORY	0
#define ACPI_SPACE_IO		1
#define ACPI_SPACE_PCI		2

/* ---- MADT, 5.2.12 ---- */

struct madt {
	struct acpi_header header;
	le32 lapic_base, flags;
} __packed;
_Static_assert(sizeof(struct madt) == 44, "ACPI 5.2.12");
#define MADT_PCAT_COMPAT	BIT(0)

#define MADT_LAPIC		0	/* 5.2.12.2 */
struct madt_lapic {
	uint8_t type, length, uid, apic_id;
	le32 flags;
} __packed;
_Static_assert(sizeof(struct madt_lapic) == 8, "ACPI 5.2.12.2");
#define MADT_CPU_ENABLED	BIT(0)
#define MADT_CPU_CAPABLE	BIT(1)	/* may come later */
#define MADT_APIC_ID_ALL	0xff	/* broadcast: no CPU's own id */
#define MADT_X2APIC_ID_ALL	0xffffffff

#define MADT_IOAPIC		1	/* 5.2.12.3 */
struct madt_ioapic {
	uint8_t type, length, id, reserved;
	le32 addr, gsi_base;
} __packed;
_Static_assert(sizeof(struct madt_ioapic) == 12, "ACPI 5.2.12.3");

#define MADT_OVERRIDE		2	/* 5.2.12.5 */
struct madt_override {
	uint8_t type, length, bus, irq;
	le32 gsi;
	le16 flags;
} __packed;
_Static_assert(sizeof(struct madt_override) == 10, "ACPI 5.2.12.5");

#define MADT_LAPIC_BASE		5	/* 5.2.12.8 */
struct madt_lapic_base {
	uint8_t type, length;
	le16 reserved;
	le64 base;
} __packed;
_Static_assert(sizeof(struct madt_lapic_base) == 12, "ACPI 5.2.12.8");

#define MADT_X2APIC		9	/* 5.2.12.12 */
struct madt_x2apic {
	uint8_t type, length;
	le16 reserved;
	le32 apic_id, flags, uid;
} __packed;
_Static_assert(sizeof(struct madt_x2apic) == 16, "ACPI 5.2.12.12");

/* ---- MCFG, PCI Firmware Specification 3.2, 4.1.2 ---- */

struct mcfg {
	struct acpi_header header;
	le64 reserved;
} __packed;
_Static_assert(sizeof(struct mcfg) == 44, "PCI Firmware 4.1.2");

struct mcfg_segment {
	le64 base;
	le16 segment;
	uint8_t bus_first, bus_last;
	le32 reserved;
} __packed;
_Static_assert(sizeof(struct mcfg_segment) == 16, "PCI Firmware 4.1.2");

/* ---- FADT, 5.2.9 ---- */

struct fadt {
	struct acpi_header header;
	le32 facs, dsdt;
	uint8_t reserved0, profile;
	le16 sci_irq;
	le32 smi_cmd;
	uint8_t acpi_enable, acpi_disable, s4bios, pstate;
	le32 pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_timer;
	le32 gpe0, gpe1;
	uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_timer_len;
	uint8_t gpe0_len, gpe1_len, gpe1_base, cst;
	le16 c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	le16 boot_arch;
	uint8_t reserved1;
	le32 flags;			/* ACPI 1.0 ends here */
	struct acpi_gas reset;
	uint8_t reset_value;
	le16 arm_boot_arch;
	uint8_t minor;
	le64 x_facs, x_dsdt;
	struct acpi_gas x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt;
	struct acpi_gas x_pm2_cnt, x_pm_timer, x_gpe0, x_gpe1;
} __packed;
_Static_assert(offsetof(struct fadt, flags) == 112, "ACPI 5.2.9");
_Static_assert(offsetof(struct fadt, x_dsdt) == 140, "ACPI 5.2.9");
_Static_assert(sizeof(struct fadt) == 244, "ACPI 5.2.9, revision 3");
#define FADT_V1_SIZE		116
#define FADT_PWR_BUTTON		BIT(4)	/* no fixed one; AML has it */
#define FADT_TMR_VAL_EXT	BIT(8)	/* 4.8.3.3 */
#define FADT_RESET_SUPPORTED	BIT(10)
#define FADT_HW_REDUCED		BIT(20)	/* there are no PM1 registers */

/* PM1: both halves of an event block, and control. Table 4.13 to 4.16. */
#define PM1_PWRBTN		BIT(8)	/* of status and of enable */
#define PM1_STATUS_ALL		0xffff	/* written to status: all cleared */
#define PM1_CNT_SCI_EN		BIT(0)
#define PM1_CNT_SLP_TYP		GENMASK(12, 10)
#define PM1_CNT_SLP_EN		BIT(13)

/* AML that acpi_find_s5() understands: 20.2.2, 20.2.3, 20.2.5.4. */
#define AML_ZERO		0x00
#define AML_ONE			0x01
#define AML_BYTE		0x0a
#define AML_PACKAGE		0x12
#define AML_PKGLEN_BYTES	GENMASK(7, 6)	/* of the lead byte */

/* ---- HPET, IA-PC HPET Specification 1.0a, 3.2.4 ---- */

struct hpet_table {
	struct acpi_header header;
	le32 block_id;
	struct acpi_gas base;
	uint8_t number;
	le16 min_tick;
	uint8_t protection;
} __packed;
_Static_assert(sizeof(struct hpet_table) == 56, "HPET 3.2.4");

/* ---- SRAT, 5.2.16, and SLIT, 5.2.17 ---- */

struct srat {
	struct acpi_header header;
	le32 one;
	le64 reserved;
} __packed;
_Static_assert(sizeof(struct srat) == 48, "ACPI 5.2.16");
#define SRAT_REVISION_WIDE	2	/* node numbers have 32 bits from here */

#define SRAT_CPU		0	/* 5.2.16.1 */
struct srat_cpu {
	uint8_t type, length, node_lo, apic_id;
	le32 flags;
	uint8_t sapic_eid, node_hi[3];
	le32 clock_domain;
} __packed;
_Static_assert(sizeof(struct srat_cpu) == 16, "ACPI 5.2.16.1");

#define SRAT_MEM		1	/* 5.2.16.2 */
struct srat_mem {
	uint8_t type, length;
	le32 node;
	le16 reserved0;
	le64 base, size;
	le32 reserved1, flags;
	le64 reserved2;
} __packed;
_Static_assert(sizeof(struct srat_mem) == 40, "ACPI 5.2.16.2");
_Static_assert(offsetof(struct srat_mem, flags) == 28, "ACPI 5.2.16.2");

#define SRAT_X2APIC		2	/* 5.2.16.3 */
struct srat_x2apic {
	uint8_t type, length;
	le16 reserved0;
	le32 node, apic_id, flags, clock_domain, reserved1;
} __packed;
_Static_assert(sizeof(struct srat_x2apic) == 24, "ACPI 5.2.16.3");
#define SRAT_ENABLED		BIT(0)
#define SRAT_MEM_HOTPLUG	BIT(1)

struct slit {
	struct acpi_header header;
	le64 n;				/* then n * n bytes, row by row */
} __packed;
_Static_assert(sizeof(struct slit) == 44, "ACPI 5.2.17");

/* ---- HMAT, 5.2.27 ---- */

struct hmat {
	struct acpi_header header;
	le32 reserved;
} __packed;
_Static_assert(sizeof(struct hmat) == 40, "ACPI 5.2.27");
#define HMAT_REVISION_UNITS	2	/* picoseconds and MB/s from here */

struct hmat_sub {
	le16 type, reserved;
	le32 length;
} __packed;
_Static_assert(sizeof(struct hmat_sub) == 8, "ACPI 5.2.27");

#define HMAT_ATTACHED		0	/* 5.2.27.3 */
struct hmat_attached {
	struct hmat_sub head;
	le16 flags, reserved0;
	le32 initiator, memory, reserved1;
	le64 reserved2, reserved3;
} __packed;
_Static_assert(sizeof(struct hmat_attached) == 40, "ACPI 5.2.27.3");
#define HMAT_INITIATOR_VALID	BIT(0)

#define HMAT_LOCALITY		1	/* 5.2.27.4 */
struct hmat_locality {
	struct hmat_sub head;
	uint8_t flags, data_type, min_transfer, reserved0;
	le32 ninitiators, ntargets, reserved1;
	le64 unit;	/* then both lists (le32), then the matrix (le16) */
} __packed;
_Static_assert(sizeof(struct hmat_locality) == 32, "ACPI 5.2.27.4");
#define HMAT_HIERARCHY		GENMASK(3, 0)	/* of flags; 0: memory */
#define HMAT_LATENCY_LAST	2	/* data types: access, read, write */
#define HMAT_BANDWIDTH_LAST	5	/* the same three */
#define HMAT_UNREACHABLE	0xffff

/* ---- DMAR, VT-d 3.3, chapter 8 ---- */

struct dmar {
	struct acpi_header header;
	uint8_t host_width, flags, reserved[10];
} __packed;
_Static_assert(sizeof(struct dmar) == 48, "VT-d 8.1");
#define DMAR_INTR_REMAP		BIT(0)
#define DMAR_X2APIC_OPT_OUT	BIT(1)

#define DMAR_DRHD		0	/* 8.3 */
struct dmar_drhd {
	le16 type, length;
	uint8_t flags, size;
	le16 segment;
	le64 base;			/* then device scopes */
} __packed;
_Static_assert(sizeof(struct dmar_drhd) == 16, "VT-d 8.3");
#define DRHD_INCLUDE_ALL	BIT(0)

#define DMAR_RMRR		1	/* 8.4 */
struct dmar_rmrr {
	le16 type, length, reserved, segment;
	le64 base, limit;		/* then device scopes */
} __packed;
_Static_assert(sizeof(struct dmar_rmrr) == 24, "VT-d 8.4");

struct dmar_device {			/* 8.3.1 */
	uint8_t type, length, flags, reserved, enum_id, bus;
	struct { uint8_t dev, fn; } path[];
} __packed;
_Static_assert(sizeof(struct dmar_device) == 6, "VT-d 8.3.1");

/* ---- VIOT, ACPI 6.5, 5.2.34 ---- */

struct viot {
	struct acpi_header header;
	le16 nnodes, node_offset;
	uint8_t reserved[8];
} __packed;
_Static_assert(sizeof(struct viot) == 48, "ACPI 5.2.34");

#define VIOT_PCI_RANGE		1
struct viot_pci_range {
	uint8_t type, reserved0;
	le16 length;
	le32 endpoint;
	le16 seg_first, seg_last, bdf_first, bdf_last, output;
	uint8_t reserved1[6];
} __packed;
_Static_assert(sizeof(struct viot_pci_range) == 24, "ACPI 5.2.34");

#define VIOT_MMIO_ENDPOINT	2
struct viot_mmio_endpoint {
	uint8_t type, reserved0;
	le16 length;
	le32 endpoint;
	le64 base;
	le16 output;
	uint8_t reserved1[6];
} __packed;
_Static_assert(sizeof(struct viot_mmio_endpoint) == 24, "ACPI 5.2.34");

#define VIOT_IOMMU_PCI		3
struct viot_iommu_pci {
	uint8_t type, reserved0;
	le16 length, segment, bdf;
	uint8_t reserved1[8];
} __packed;
_Static_assert(sizeof(struct viot_iommu_pci) == 16, "ACPI 5.2.34");

#define VIOT_IOMMU_MMIO		4
struct viot_iommu_mmio {
	uint8_t type, reserved0;
	le16 length;
	le32 reserved1;
	le64 base;
} __packed;
_Static_assert(sizeof(struct viot_iommu_mmio) == 16, "ACPI 5.2.34");

/* ---- IVRS, AMD IOMMU 3.06, 5.2 ---- */

struct ivrs {
	struct acpi_header header;
	le32 info;
	le64 reserved;
} __packed;
_Static_assert(sizeof(struct ivrs) == 48, "AMD IOMMU 5.2.1");

#define IVHD_10			0x10	/* 5.2.2.1 */
#define IVHD_11			0x11	/* 5.2.2.2 */
#define IVHD_40			0x40	/* 5.2.2.4 */
struct ivhd {
	uint8_t type, flags;
	le16 length, bdf, cap_offset;
	le64 base;
	le16 segment, info;
	le32 features;			/* type 10h: device entries follow */
	le64 efr, efr2;			/* types 11h and 40h */
} __packed;
_Static_assert(offsetof(struct ivhd, efr) == 24, "AMD IOMMU 5.2.2.1");
_Static_assert(sizeof(struct ivhd) == 40, "AMD IOMMU 5.2.2.2");

/*
 * A device entry (5.2.2.3) is as long as its type says: 4 bytes for 0 to 63, 8
 * for 64 to 127, 16 and 32 for the rest, but for the named devices of type
 * 240.
 */
struct ivhd_device {
	uint8_t type;
	le16 bdf;
	uint8_t setting;
	uint8_t handle;			/* 8-byte entries from here */
	le16 source;			/* alias, or a special device */
	uint8_t variety;
} __packed;
_Static_assert(sizeof(struct ivhd_device) == 8, "AMD IOMMU 5.2.2.6");
#define IVHD_DEV_SHORT		4
#define IVHD_PAD4		0
#define IVHD_ALL		1
#define IVHD_SELECT		2
#define IVHD_RANGE		3
#define IVHD_RANGE_END		4
#define IVHD_PAD8		64
#define IVHD_ALIAS_SELECT	66
#define IVHD_ALIAS_RANGE	67
#define IVHD_EXT_SELECT		70
#define IVHD_EXT_RANGE		71
#define IVHD_SPECIAL		72
# define IVHD_SPECIAL_IOAPIC	1
#define IVHD_NAMED		240
#define IVHD_NAMED_SIZE		22
#define IVHD_NAMED_UID_LENGTH	21	/* offset of the last fixed byte */

#define IVMD_ALL		0x20	/* 5.2.2.8 */
#define IVMD_SELECT		0x21
#define IVMD_RANGE		0x22
struct ivmd {
	uint8_t type, flags;
	le16 length, bdf, bdf_last;
	le64 reserved, base, size;
} __packed;
_Static_assert(sizeof(struct ivmd) == 32, "AMD IOMMU 5.2.2.8");

/* ---- walking sub-tables; for the parsers only ---- */

/*
 * A table's sub-tables, or a part of one. Three layouts of their head exist:
 * type and length in a byte each, or a length of 16 bits at offset 2 or of 32
 * at offset 4.
 */
struct acpi_walk {
	const uint8_t *sub;		/* the current one, len bytes */
	size_t len;
	const uint8_t *next, *end;
};

/* 0, or -EBADMSG when the n bytes do not add up to 0 modulo 256. */
int acpi_check_sum(const void *p, size_t n);
/*
 * Check a table (acpi_check, its signature, at least min bytes) and stand
 * before its first sub-table, at offset min. 0 or -EBADMSG.
 */
int acpi_walk_table(struct acpi_walk *w, const void *table, size_t size,
		    const char *signature, size_t min);
/* 1: stands on the next one; 0: there is none; -EBADMSG: it cannot be. */
int acpi_walk_next8(struct acpi_walk *w);
int acpi_walk_next16(struct acpi_walk *w);
/* A length of 32 bits at offset 4: HMAT alone. */
int acpi_walk_next32(struct acpi_walk *w);
/* The current one as a structure, or NULL when it is too short for it. */
#define acpi_walk_as(w, type) \
	((w)->len >= sizeof(type) ? (const type *)(w)->sub : NULL)
/* A step of len bytes, which must be min at least: 1 or -EBADMSG. */
int acpi_walk_step(struct acpi_walk *w, size_t len, size_t min);

#endif
