/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables (ACPI 6.4), read only, no AML. Parsers are pure: they take
 * a table's bytes and length, trust neither, and fill in plain structures with
 * a fixed room; what does not fit is counted, never written past. A table with
 * a bad checksum or length is refused with -EBADMSG.
 *
 * Policy: a broken optional table is logged and left out; a broken table that
 * isolation rests on (DMAR, IVRS, VIOT) means that no protection is claimed.
 */
#ifndef CORE_ACPI_H
#define CORE_ACPI_H

#include "core/types.h"

struct acpi_header {			/* 5.2.6 */
	char signature[4];
	le32 length;
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	le32 oem_revision, creator_id, creator_revision;
} __packed;
_Static_assert(sizeof(struct acpi_header) == 36, "ACPI 5.2.6");

/*
 * Call after vm_init(), once, on the boot CPU. All else here may be called
 * from any context; the tables are never written. A parser that fails leaves
 * *out all zero.
 *
 * Find the tables from the RSDP at rsdp (0: search the EBDA and
 * 0xE0000–0xFFFFF, 5.2.5.1). Returns the number of tables that are intact or
 * -ENOENT.
 */
int acpi_init(phys_t rsdp);
/* The n-th (from 0) intact table with that signature, or NULL. */
const struct acpi_header *acpi_find(const char *signature, unsigned n);
/*
 * Was a table with that signature there but broken? Also true when none is
 * intact and some table cannot be read at all: it could have been that one.
 */
bool acpi_broken(const char *signature);
/*
 * The table at pa, or NULL (and a line in the log) when it is not wholly in
 * memory that firmware may have put tables in, or not intact: for those that
 * other tables point to, such as the DSDT.
 */
const struct acpi_header *acpi_at(phys_t pa);
/* What was found: for a person, and one @json line per table. */
void acpi_report(void);
/* 0 or -EBADMSG (length below the header, above size, or a bad checksum). */
int acpi_check(const void *table, size_t size);

/*
 * CPUs of a table: half of the room is for ids above 255, so that those that
 * every interrupt can reach always have room.
 */
#define ACPI_CPUS	512
#define ACPI_IOAPICS	8
#define ACPI_OVERRIDES	16

struct acpi_madt {			/* 5.2.12 */
	phys_t lapic_base;
	bool pcat_compat;		/* 8259s are there and must be masked */
	unsigned ncpus, nfar;		/* may be 0; ids above 255 */
	/* Entries that name no CPU for us, by the reason. */
	struct {
		unsigned disabled, online_capable;	/* not now, or not yet */
		unsigned named_twice, broadcast, no_room;
	} left_out;
	uint32_t no_room_first, no_room_last;	/* the least and the greatest */
	unsigned nleft_out;		/* IOAPICs and overrides without room */
	uint32_t apic_id[ACPI_CPUS];
	uint32_t uid[ACPI_CPUS];
	unsigned nioapics;
	struct { uint8_t id; uint32_t addr, gsi_base; } ioapic[ACPI_IOAPICS];
	unsigned noverrides;
	struct { uint8_t irq; uint32_t gsi; uint16_t flags; }
		override[ACPI_OVERRIDES];
};
int acpi_parse_madt(const void *table, size_t size, struct acpi_madt *out);

struct acpi_mcfg {			/* PCI Firmware 3.2, 4.1.2 */
	unsigned n, left_out;
	/* base is bus 0's, whatever bus_first is */
	struct { phys_t base; uint16_t segment; uint8_t bus_first, bus_last; }
		seg[4];
};
int acpi_parse_mcfg(const void *table, size_t size, struct acpi_mcfg *out);

struct acpi_fadt {			/* 5.2.9 */
	uint32_t pm1a_cnt, pm1b_cnt, pm_timer;	/* I/O ports, 0: none */
	uint32_t pm1a_evt, pm1b_evt, gpe0, gpe1;	/* the same */
	uint8_t pm1_evt_len, gpe0_len, gpe1_len;	/* bytes */
	uint32_t smi_cmd;		/* port that takes acpi_enable, 0: none */
	uint8_t acpi_enable;
	bool power_button;		/* it is a fixed one, in PM1: 4.8.2.2.1 */
	bool pm_timer_wide;		/* it has 32 bits, not 24 */
	uint8_t century;		/* its register in the RTC, 0: none */
	phys_t dsdt;
	uint16_t sci_irq;
	bool reset_supported;
	uint8_t reset_space;		/* 0 memory, 1 I/O, 2 PCI config */
	uint8_t reset_value;
	uint64_t reset_addr;
	uint32_t flags;
};
int acpi_parse_fadt(const void *table, size_t size, struct acpi_fadt *out);
/*
 * SLP_TYPa of \_S5, found as a package of constants in the DSDT's bytes, not
 * by running AML (7.4.2.6). 0 or -ENOENT.
 */
int acpi_find_s5(const void *dsdt, size_t size, uint8_t *slp_typ);

struct acpi_hpet { phys_t base; uint8_t number; uint16_t min_tick; };
int acpi_parse_hpet(const void *table, size_t size, struct acpi_hpet *out);

#define ACPI_SRAT_MEMS	32
struct acpi_srat {			/* 5.2.16 */
	unsigned ncpus, nmems, left_out;
	struct { uint32_t apic_id, node; } cpu[ACPI_CPUS];
	struct { phys_t base; uint64_t size; uint32_t node; bool hotplug; }
		mem[ACPI_SRAT_MEMS];
};
int acpi_parse_srat(const void *table, size_t size, struct acpi_srat *out);

#define ACPI_NODES		64
#define ACPI_DISTANCE_SELF	10
struct acpi_slit {			/* 5.2.17; distance[from][to] */
	unsigned n;
	uint8_t distance[ACPI_NODES][ACPI_NODES];
};
/* Also -E2BIG: more than ACPI_NODES localities. */
int acpi_parse_slit(const void *table, size_t size, struct acpi_slit *out);

/*
 * How fast memory is from each initiator (a domain with CPUs), main memory
 * only: of access, read and write the slowest counts. 0: not said. A pair that
 * cannot reach one another (entry 0xffff) is not in the list.
 */
#define ACPI_HMAT_PAIRS		256
struct acpi_hmat {			/* 5.2.27, revision 2 */
	unsigned n, left_out;
	struct {
		uint32_t from, to;	/* proximity domains, as in SRAT */
		uint64_t latency;	/* picoseconds */
		uint64_t bandwidth;	/* MB/s */
	} pair[ACPI_HMAT_PAIRS];
	/* Which initiator a memory domain is attached to. */
	unsigned nattached;
	struct { uint32_t memory, initiator; } attached[ACPI_SRAT_MEMS];
};
/* Also -ENOTSUP: revision 1, whose entries have no unit. */
int acpi_parse_hmat(const void *table, size_t size, struct acpi_hmat *out);

/*
 * DMAR, VIOT and IVRS: when left_out is not 0, something of the table is not in
 * *out, and a caller that goes on must not claim that every device is behind
 * an IOMMU.
 */

/* A device scope of DMAR: a path of (device, function) from a start bus. */
#define DMAR_PATH	4
struct dmar_scope {
	uint8_t type;			/* 1 endpoint 2 bridge 3 IOAPIC 4 HPET */
	uint8_t enum_id, bus, npath;
	struct { uint8_t dev, fn; } path[DMAR_PATH];
};
#define DMAR_UNITS	16
#define DMAR_SCOPES	128
#define DMAR_RMRRS	16
struct acpi_dmar {			/* VT-d 3.3 specification, chapter 8 */
	unsigned host_width;		/* bits, HAW + 1 */
	bool intr_remap, x2apic_opt_out;
	unsigned nunits, nscopes, nrmrrs, left_out;
	struct {
		phys_t base;
		uint16_t segment;
		bool include_all;
		unsigned scope, nscope;	/* first and count in scope[] */
	} unit[DMAR_UNITS];
	struct {
		uint16_t segment;
		phys_t base, last;	/* inclusive */
		unsigned scope, nscope;
	} rmrr[DMAR_RMRRS];
	struct dmar_scope scope[DMAR_SCOPES];
};
int acpi_parse_dmar(const void *table, size_t size, struct acpi_dmar *out);

#define VIOT_NODES	16
struct acpi_viot {			/* ACPI 6.5, 5.2.34 */
	unsigned niommus, nranges, left_out;
	struct { bool pci; uint16_t segment, bdf; phys_t mmio; uint16_t off; }
		iommu[VIOT_NODES];
	struct {
		bool pci;
		uint16_t seg_first, seg_last, bdf_first, bdf_last;
		phys_t mmio;
		uint32_t endpoint;	/* id of bdf_first */
		unsigned iommu;		/* index in iommu[] */
	} range[VIOT_NODES];
};
int acpi_parse_viot(const void *table, size_t size, struct acpi_viot *out);

#define IVRS_UNITS	8
#define IVRS_RANGES	128
struct acpi_ivrs {			/* AMD IOMMU specification 3.06, 5.2 */
	unsigned nunits, nmem, left_out;
	struct {
		uint8_t type;		/* 0x10, 0x11, 0x40 */
		uint16_t bdf, segment, cap_offset;
		phys_t base;
		unsigned ndevices;
		uint16_t ioapic_bdf;	/* 0xffff: not said */
	} unit[IVRS_UNITS];
	struct { uint16_t bdf_first, bdf_last; phys_t base; uint64_t size;
		 uint8_t flags; } mem[IVRS_UNITS];
	unsigned nranges;
	struct {			/* who is behind which unit; inclusive */
		uint16_t first, last;
		unsigned unit;		/* index in unit[] */
	} range[IVRS_RANGES];
};
int acpi_parse_ivrs(const void *table, size_t size, struct acpi_ivrs *out);

#endif
