/* SPDX-License-Identifier: MIT */
/*
 * The MSI capability as registers (PCI Local Bus 3.0, 6.8.1), on every function
 * that has one and no driver: what may be written and reads back, what does
 * not move, whatever the width. The functions are idle and no bus masters, so
 * that enabling MSI sends nothing; afterwards all is as it was.
 */
#include "core/bits.h"
#include "core/pci.h"
#include "core/pcireg.h"
#include "core/report.h"
#include "msi/msi.h"
#include "msi/msireg.h"

#define CONFIG_CLASS_IOMMU	0x0806	/* its driver is not a PCI one */
#define CONFIG_ADDR_RW		GENMASK(31, 2)	/* 6.8.1.4 */

/* Calls fn for each such function; or says that there is none. */
static void config_each(struct ktest_run *t,
			void (*fn)(struct ktest_run *t, struct pci_dev *p,
				   unsigned cap))
{
	struct pci_dev *p;
	unsigned n = 0;

	list_for_each(p, &pci_devices, node) {
		unsigned cap = pci_find_cap(p, MSI_CAP_ID, 0);

		if (!cap || p->driver || msi_vectors(p) ||
		    p->class >> 8 == CONFIG_CLASS_IOMMU ||
		    pci_read16(p, PCI_COMMAND) & PCI_COMMAND_MASTER)
			continue;
		n++;
		fn(t, p, cap);
	}
	if (!n)
		ktest_skip(t, "no idle function has MSI");
}

/* ---- Message Control, 6.8.1.3 ---- */

/* Everything but the enable bit and the number of vectors enabled. */
#define CONFIG_CTRL_RO \
	(UINT32_MAX & ~((uint32_t)(MSI_CTRL_ENABLE | MSI_CTRL_ENABLED) << 16))

static void config_expect(struct ktest_run *t, const struct pci_dev *p,
			  unsigned cap, uint32_t before, bool enabled,
			  const char *how)
{
	uint32_t now = pci_read32(p, cap);

	KEXPECT_MSG(t, (now & CONFIG_CTRL_RO) == (before & CONFIG_CTRL_RO),
		    "%s, %s: read-only bits 0x%08x (now 0x%08x)", p->dev.name,
		    how, before, now);
	KEXPECT_MSG(t, !!(now >> 16 & MSI_CTRL_ENABLE) == enabled,
		    "%s, %s: enabled %d", p->dev.name, how, enabled);
}

static void config_control(struct ktest_run *t, struct pci_dev *p, unsigned cap)
{
	uint32_t before = pci_read32(p, cap);
	/* The read-only bits inverted: they are not to move. */
	uint32_t on = (~before & CONFIG_CTRL_RO) |
		      (uint32_t)MSI_CTRL_ENABLE << 16;

	KEXPECT(t, !(before >> 16 & MSI_CTRL_ENABLE));
	pci_write16(p, cap + MSI_CTRL, on >> 16);
	config_expect(t, p, cap, before, true, "16 bits");
	pci_write16(p, cap + MSI_CTRL, before >> 16);
	config_expect(t, p, cap, before, false, "16 bits back");
	pci_write32(p, cap, on);
	config_expect(t, p, cap, before, true, "32 bits");
	pci_write32(p, cap, before);
	config_expect(t, p, cap, before, false, "32 bits back");
	pci_write8(p, cap + MSI_CTRL, (on >> 16) & 0xff);
	config_expect(t, p, cap, before, true, "8 bits");
	pci_write8(p, cap + MSI_CTRL, (before >> 16) & 0xff);
	config_expect(t, p, cap, before, false, "8 bits back");
}

KTEST(msi, message_control_takes_8_16_and_32_bit_writes)
{
	config_each(t, config_control);
}

/* ---- the message, 6.8.1.4 to 6.8.1.6 ---- */

static void config_word(struct ktest_run *t, struct pci_dev *p, unsigned reg,
			uint32_t rw, const char *what)
{
	static const uint32_t pattern[] = { 0xa5a5a5a5, 0x5a5a5a5a, 0 };

	for (unsigned i = 0; i < ARRAY_SIZE(pattern); i++) {
		uint32_t now;

		pci_write32(p, reg, pattern[i] & rw);
		now = pci_read32(p, reg);
		KEXPECT_MSG(t, (now & rw) == (pattern[i] & rw),
			    "%s: the %s 0x%08x (it is 0x%08x)", p->dev.name,
			    what, pattern[i] & rw, now);
	}
}

static void config_message(struct ktest_run *t, struct pci_dev *p, unsigned cap)
{
	uint16_t ctrl = pci_read16(p, cap + MSI_CTRL);
	unsigned data = cap + (ctrl & MSI_CTRL_64 ? MSI_DATA_64 : MSI_DATA_32);

	config_word(t, p, cap + MSI_ADDR, CONFIG_ADDR_RW, "address");
	if (ctrl & MSI_CTRL_64)
		config_word(t, p, cap + MSI_ADDR_HI, UINT32_MAX,
			    "upper address");
	config_word(t, p, data, UINT16_MAX, "data");
	if (ctrl & MSI_CTRL_MASKABLE) {
		/* 6.8.1.7: bits of vectors that there are. */
		unsigned n = 1u << FIELD_GET(MSI_CTRL_CAPABLE, ctrl);
		uint32_t bits = (uint32_t)(BIT_ULL(n) - 1);

		config_word(t, p, data + MSI_MASK_BEHIND, bits, "mask");
	}
}

KTEST(msi, a_message_reads_back_as_it_was_written)
{
	config_each(t, config_message);
}
