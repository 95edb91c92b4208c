/* SPDX-License-Identifier: MIT */
/*
 * MSI-X as registers (PCI Local Bus 3.0, 6.8.2): what the host lays out, which
 * bits may be written and read back as they were, which do not move. The
 * first tests look at every function of the machine and change nothing; the
 * others write to the rig's device (tests/guest/msix_rig.h), whose entries are
 * all masked meanwhile.
 *
 * One could be fooled by a table of which one entry answers for all: so every
 * word of every entry gets a value of its own before the first is read back.
 */
#include "core/cpu.h"
#include "core/pci.h"
#include "core/pcireg.h"
#include "core/report.h"
#include "msi/msi.h"
#include "msi/msireg.h"
#include "tests/guest/msix_rig.h"

#define TABLE_ADDR_RW	GENMASK(31, 2)	/* 6.8.2.7: the low two are zero */

/* ---- every function ---- */

static unsigned table_entries(const struct pci_dev *p, unsigned cap)
{
	return FIELD_GET(MSIX_CTRL_SIZE, pci_read16(p, cap + MSIX_CTRL)) + 1;
}

/* [from, to) of the BAR it names, or false with a failed check. */
static bool table_area(struct ktest_run *t, const struct pci_dev *p,
		       const char *what, uint32_t where, uint32_t size)
{
	unsigned bir = FIELD_GET(MSIX_BIR, where);
	uint64_t end = (uint64_t)(where & MSIX_OFFSET) + size;

	return KEXPECT_MSG(t, bir < PCI_BARS && p->bar[bir].size &&
			   !p->bar[bir].is_io && end <= p->bar[bir].size,
			   "%s: %s within BAR %u (it ends at 0x%llx)",
			   p->dev.name, what, bir, (unsigned long long)end);
}

static void table_look_at(struct ktest_run *t, const struct pci_dev *p,
			  unsigned cap)
{
	unsigned n = table_entries(p, cap);
	uint32_t table = pci_read32(p, cap + MSIX_TABLE);
	uint32_t pba = pci_read32(p, cap + MSIX_PBA);
	uint32_t table_size = n * MSIX_ENTRY_SIZE;
	uint32_t pba_size = DIV_ROUND_UP(n, MSIX_PBA_BITS) * MSIX_PBA_BYTES;
	uint32_t at = table & MSIX_OFFSET, pba_at = pba & MSIX_OFFSET;

	table_area(t, p, "table", table, table_size);
	table_area(t, p, "pending bits", pba, pba_size);
	if (FIELD_GET(MSIX_BIR, table) == FIELD_GET(MSIX_BIR, pba))
		KEXPECT_MSG(t, pba_at >= at + table_size ||
			    at >= pba_at + pba_size,
			    "%s: table at 0x%x apart from pending bits at 0x%x",
			    p->dev.name, at, pba_at);
}

KTEST(msix, every_table_lies_within_its_bar)
{
	struct pci_dev *p;
	unsigned n = 0, most = 0;

	list_for_each(p, &pci_devices, node) {
		unsigned cap = pci_find_cap(p, MSIX_CAP_ID, 0);

		if (!cap)
			continue;
		n++;
		most = MAX(most, table_entries(p, cap));
		table_look_at(t, p, cap);
	}
	if (!n)
		ktest_skip(t, "no function has MSI-X");
	ktest_metric("largest_table", most, "entries");
}

/* 6.8.2.9: masked by reset; open only where a handler is connected. */
static void table_masks(struct ktest_run *t, struct pci_dev *p, unsigned n,
			const struct io *table)
{
	unsigned open = 0, wrong = 0;

	for (unsigned nr = 0; nr < n; nr++) {
		bool masked = io_read32(table, nr * MSIX_ENTRY_SIZE +
					MSIX_ENTRY_CTRL) & MSIX_ENTRY_MASKED;
		bool used = msi_cpu(p, nr) >= 0;

		open += !masked;
		wrong += masked == used;
	}
	KEXPECT_MSG(t, wrong == 0, "%s: the mask of %u of %u entries (%u open)",
		    p->dev.name, wrong, n, open);
}

KTEST(msix, entries_that_nobody_uses_are_masked)
{
	struct io table_pages, table, pba_pages, pba;
	struct pci_dev *p;
	unsigned n = 0;

	list_for_each(p, &pci_devices, node) {
		unsigned cap = pci_find_cap(p, MSIX_CAP_ID, 0);

		if (!cap)
			continue;
		pci_enable_memory(p);
		if (msix_rig_map(p, &table_pages, &table, &pba_pages, &pba))
			continue;
		n++;
		table_masks(t, p, table_entries(p, cap), &table);
		io_unmap(&pba_pages);
		io_unmap(&table_pages);
	}
	if (!n)
		ktest_skip(t, "no function has MSI-X");
}

/* ---- Message Control, 6.8.2.3 ---- */

#define TABLE_CTRL_RW	(MSIX_CTRL_ENABLE | MSIX_CTRL_MASK_ALL)

/* Bits set and clear as asked, the others as before. */
static void table_expect_ctrl(struct ktest_run *t, uint32_t before,
			      uint16_t want, const char *how)
{
	const struct msix_rig *r = &msix_rig;
	uint32_t now = pci_read32(r->p, r->cap);
	uint32_t expect = (before & ~((uint32_t)TABLE_CTRL_RW << 16)) |
			  (uint32_t)want << 16;

	KEXPECT_MSG(t, now == expect, "%s: 0x%08x (it is 0x%08x)", how, expect,
		    now);
}

KTEST(msix, message_control_takes_8_16_and_32_bit_writes)
{
	const struct msix_rig *r = &msix_rig;
	static const uint16_t want[] = {
		MSIX_CTRL_MASK_ALL, TABLE_CTRL_RW, MSIX_CTRL_ENABLE,
		TABLE_CTRL_RW,
	};
	uint32_t before;

	if (!msix_rig_start(t))
		return;
	before = pci_read32(r->p, r->cap);
	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		/* All the read-only bits inverted: they are not to move. */
		uint16_t ctrl = (uint16_t)((~(before >> 16) & MSIX_CTRL_SIZE) |
					   want[i]);

		pci_write16(r->p, r->cap + MSIX_CTRL, ctrl);
		table_expect_ctrl(t, before, want[i], "16 bits");
		pci_write16(r->p, r->cap + MSIX_CTRL, before >> 16);
		table_expect_ctrl(t, before, before >> 16 & TABLE_CTRL_RW,
				  "16 bits back");
		pci_write32(r->p, r->cap, (uint32_t)ctrl << 16 |
			    (~before & 0xffff));
		table_expect_ctrl(t, before, want[i], "32 bits");
		pci_write32(r->p, r->cap, before);
		table_expect_ctrl(t, before, before >> 16 & TABLE_CTRL_RW,
				  "32 bits back");
		pci_write8(r->p, r->cap + MSIX_CTRL + 1, ctrl >> 8);
		table_expect_ctrl(t, before, want[i], "8 bits");
		pci_write8(r->p, r->cap + MSIX_CTRL + 1, before >> 24);
		table_expect_ctrl(t, before, before >> 16 & TABLE_CTRL_RW,
				  "8 bits back");
	}
	msix_rig_stop();
}

KTEST(msix, where_the_table_is_cannot_be_written)
{
	const struct msix_rig *r = &msix_rig;

	if (!msix_rig_start(t))
		return;
	for (unsigned reg = MSIX_TABLE; reg <= MSIX_PBA;
	     reg += MSIX_PBA - MSIX_TABLE) {
		uint32_t before = pci_read32(r->p, r->cap + reg);

		pci_write32(r->p, r->cap + reg, ~before);
		KEXPECT_EQ(t, pci_read32(r->p, r->cap + reg), before);
		pci_write32(r->p, r->cap + reg, before);
	}
	msix_rig_stop();
}

/* ---- the table, 6.8.2.6 to 6.8.2.9 ---- */

static const struct {
	unsigned word;
	uint32_t rw;
	const char *name;
} table_words[] = {
	{ MSIX_ENTRY_ADDR, TABLE_ADDR_RW, "address" },
	{ MSIX_ENTRY_ADDR_HI, UINT32_MAX, "upper address" },
	{ MSIX_ENTRY_DATA, UINT32_MAX, "data" },
};

/* No two words have the same; flip inverts all of them. */
static uint32_t table_pattern(unsigned nr, unsigned i, uint32_t flip)
{
	return ((nr * ARRAY_SIZE(table_words) + i + 1) * 0x9e3779b1u ^ flip) &
	       table_words[i].rw;
}

static void table_fill(uint32_t flip, bool zero)
{
	for (unsigned nr = 0; nr < msix_rig.entries; nr++)
		for (unsigned i = 0; i < ARRAY_SIZE(table_words); i++)
			msix_rig_write(nr, table_words[i].word, zero ? 0 :
				       table_pattern(nr, i, flip));
}

static unsigned table_differs(uint32_t flip, unsigned i)
{
	unsigned wrong = 0;

	for (unsigned nr = 0; nr < msix_rig.entries; nr++)
		wrong += msix_rig_read(nr, table_words[i].word) !=
			 table_pattern(nr, i, flip);
	return wrong;
}

KTEST(msix, every_entry_reads_back_what_was_written)
{
	if (!msix_rig_start(t))
		return;
	for (unsigned round = 0; round < 2; round++) {
		uint32_t flip = round ? UINT32_MAX : 0;

		table_fill(flip, false);
		for (unsigned i = 0; i < ARRAY_SIZE(table_words); i++)
			KEXPECT_MSG(t, table_differs(flip, i) == 0,
				    "the %s of %u of %u entries",
				    table_words[i].name,
				    table_differs(flip, i), msix_rig.entries);
	}
	for (unsigned nr = 0; nr < msix_rig.entries; nr++)
		if (!(msix_rig_read(nr, MSIX_ENTRY_CTRL) & MSIX_ENTRY_MASKED))
			KEXPECT_MSG(t, false, "entry %u still masked", nr);
	table_fill(0, true);
	ktest_metric("entries", msix_rig.entries, "entries");
	msix_rig_stop();
}

/* Each mask bit by itself: the neighbours' do not move. No vector is connected. */
KTEST(msix, every_mask_bit_is_an_entrys_own)
{
	const struct msix_rig *r = &msix_rig;
	unsigned stuck = 0, moved = 0;

	if (!msix_rig_start(t))
		return;
	pci_write16(r->p, r->cap + MSIX_CTRL,
		    MSIX_CTRL_ENABLE | MSIX_CTRL_MASK_ALL);
	for (unsigned nr = 0; nr < r->entries; nr++) {
		unsigned next = (nr + 1) % r->entries;
		uint32_t ctrl = msix_rig_read(nr, MSIX_ENTRY_CTRL);

		msix_rig_write(nr, MSIX_ENTRY_CTRL, ctrl & ~MSIX_ENTRY_MASKED);
		stuck += msix_rig_read(nr, MSIX_ENTRY_CTRL) & MSIX_ENTRY_MASKED;
		moved += next != nr && !(msix_rig_read(next, MSIX_ENTRY_CTRL) &
					 MSIX_ENTRY_MASKED);
		msix_rig_write(nr, MSIX_ENTRY_CTRL, ctrl);
		stuck += !(msix_rig_read(nr, MSIX_ENTRY_CTRL) &
			   MSIX_ENTRY_MASKED);
	}
	KEXPECT_EQ(t, stuck, 0);
	KEXPECT_EQ(t, moved, 0);
	msix_rig_stop();
}

/* 6.8.2: aligned accesses of 64 bits are allowed as those of 32 are. */
KTEST(msix, an_entry_may_be_written_64_bits_at_a_time)
{
	const struct msix_rig *r = &msix_rig;
	const uint64_t addr = UINT64_C(0x123456789abcdef0), data = 0x5aa51221;
	unsigned at;

	if (!msix_rig_start(t))
		return;
	at = (r->entries - 1) * MSIX_ENTRY_SIZE;
	io_write64(&r->table, at + MSIX_ENTRY_ADDR, addr);
	io_write64(&r->table, at + MSIX_ENTRY_DATA,
		   data | (uint64_t)MSIX_ENTRY_MASKED << 32);
	KEXPECT_EQ(t, io_read64(&r->table, at + MSIX_ENTRY_ADDR), addr);
	KEXPECT_EQ(t, io_read32(&r->table, at + MSIX_ENTRY_ADDR),
		   (uint32_t)addr);
	KEXPECT_EQ(t, io_read32(&r->table, at + MSIX_ENTRY_ADDR_HI),
		   addr >> 32);
	KEXPECT_EQ(t, io_read32(&r->table, at + MSIX_ENTRY_DATA), data);
	KEXPECT(t, io_read32(&r->table, at + MSIX_ENTRY_CTRL) &
		MSIX_ENTRY_MASKED);
	io_write64(&r->table, at + MSIX_ENTRY_ADDR, 0);
	msix_rig_stop();
}
