/* SPDX-License-Identifier: MIT */
/*
 * PCI: configuration space by ECAM (PCI Firmware Specification 3.x, MCFG) or
 * by the 0xCF8/0xCFC pair (PCI Local Bus 3.0, 3.2.2.3.2), enumeration, BARs,
 * capabilities. Enumeration and assignment run once, on the boot CPU; config
 * accesses may come from any context.
 *
 * Discovery leaves every function with bus mastering off and INTx disabled
 * until its driver says otherwise, so that no device does DMA or interrupts
 * behind our back.
 */
#ifndef CORE_PCI_H
#define CORE_PCI_H

#include "core/device.h"
#include "core/io.h"
#include "core/list.h"
#include "core/types.h"

#define PCI_BARS	6

/* Bus, device and function in the 16 bits that also are the requester id. */
#define PCI_BDF(bus, dev, fn) \
	((uint16_t)((bus) << 8 | (dev) << 3 | (fn)))
#define PCI_BUS(bdf)	((bdf) >> 8)
#define PCI_SLOT(bdf)	((bdf) >> 3 & 0x1f)
#define PCI_FUNC(bdf)	((bdf) & 7)

struct pci_bar {
	phys_t base;			/* 0: unassigned */
	uint64_t size;			/* 0: not implemented */
	bool is_io, is_64, prefetch;
};

struct pci_dev {
	struct device dev;
	struct list node;		/* in the list of all functions */
	struct pci_dev *parent;		/* the bridge it is behind, or NULL */
	uint16_t bdf;
	uint16_t vendor, device, subvendor, subdevice;
	uint32_t class;			/* base << 16 | sub << 8 | interface */
	uint8_t revision, hdr_type;	/* type without the multifunction bit */
	bool multifunction;		/* as function 0 says for its device */
	uint8_t intx_pin;		/* 1 to 4 for INTA to INTD, 0: none */
	uint8_t secondary, subordinate;	/* bridges: bus numbers behind them */
	bool pref64;			/* bridges: a 64-bit prefetch window */
	uint8_t cap_pcie;		/* offset, or 0 */
	struct pci_bar bar[PCI_BARS];
	const struct driver *driver;	/* who took it */
	int probe_err;			/* 0, or why its driver refused */
	void *drvdata;
	void *msi, *irqs;		/* msi/'s own */
};

struct acpi_mcfg;

/*
 * Choose the access method: ECAM when mcfg has a segment 0 and it answers,
 * else 0xCF8. Returns 0 or -ENODEV when neither shows a host bridge.
 */
int pci_config_init(const struct acpi_mcfg *mcfg);
const char *pci_config_method(void);		/* "ecam" or "0xcf8" */

/*
 * By requester id; all ones when nothing answers, or off is behind the last of
 * 4096 bytes. off is naturally aligned.
 */
uint8_t pci_config_read8(uint16_t bdf, unsigned off);
uint16_t pci_config_read16(uint16_t bdf, unsigned off);
uint32_t pci_config_read32(uint16_t bdf, unsigned off);
void pci_config_write8(uint16_t bdf, unsigned off, uint8_t val);
void pci_config_write16(uint16_t bdf, unsigned off, uint16_t val);
void pci_config_write32(uint16_t bdf, unsigned off, uint32_t val);

static inline uint8_t pci_read8(const struct pci_dev *p, unsigned off)
{
	return pci_config_read8(p->bdf, off);
}
static inline uint16_t pci_read16(const struct pci_dev *p, unsigned off)
{
	return pci_config_read16(p->bdf, off);
}
static inline uint32_t pci_read32(const struct pci_dev *p, unsigned off)
{
	return pci_config_read32(p->bdf, off);
}
static inline void pci_write8(const struct pci_dev *p, unsigned off, uint8_t v)
{
	pci_config_write8(p->bdf, off, v);
}
static inline void pci_write16(const struct pci_dev *p, unsigned off, uint16_t v)
{
	pci_config_write16(p->bdf, off, v);
}
static inline void pci_write32(const struct pci_dev *p, unsigned off, uint32_t v)
{
	pci_config_write32(p->bdf, off, v);
}

/*
 * Find every function behind the root bus (bridges that firmware left without
 * bus numbers get some), size and read the BARs, and turn bus mastering off.
 * Returns the number of functions or -ENOMEM.
 */
int pci_enumerate(void);
/*
 * Assign BARs and bridge windows that firmware left at zero, from the holes
 * given (mem32, mem64, io; derived from the memory map by the caller). A BAR
 * that does not fit stays 0 and is named in the log. Returns how many were
 * assigned.
 */
struct pci_window { phys_t base; uint64_t size; };
int pci_assign_unassigned(struct pci_window mem32, struct pci_window mem64,
			  struct pci_window io);

extern struct list pci_devices;			/* struct pci_dev.node */
struct pci_dev *pci_find(uint16_t bdf);		/* or NULL */
/* The next of a class (masked 24-bit code) after prev, NULL to start. */
struct pci_dev *pci_find_class(struct pci_dev *prev, uint32_t class,
			       uint32_t mask);

/*
 * Offset of the first capability id after offset pos (0: from the start), or 0.
 * Ends after 48 steps whatever the list says (PCI Local Bus 3.0, 6.7).
 */
unsigned pci_find_cap(const struct pci_dev *p, uint8_t id, unsigned pos);
unsigned pci_find_ext_cap(const struct pci_dev *p, uint16_t id);

/* The whole list, once, in its own order. */
struct pci_caps {
	unsigned n;
	struct {
		uint8_t id, pos;
	} cap[(256 - 64) / 4];
	const char *fault;		/* what is wrong with it, or NULL */
	unsigned fault_at;		/* and where */
};
/*
 * Read it. 0 (also when there is none: n is 0), -EINVAL (a loop, a pointer into
 * the header, nobody answers: l says which; what came before is in l), -ENODEV
 * (the device is gone). At most 100 configuration reads, and no write.
 */
int pci_read_caps(const struct pci_dev *p, struct pci_caps *l);

/*
 * A function with another BAR that decodes an address of this assigned one, or
 * NULL. With two that do, neither can be trusted.
 */
const struct pci_dev *pci_bar_conflict(const struct pci_bar *bar);
/*
 * Map a memory or I/O BAR whole. 0, -EINVAL (no BAR), -ENXIO (unassigned),
 * -EBUSY (another BAR decodes the same addresses), -ENOMEM.
 */
int pci_map_bar(struct pci_dev *p, unsigned bar, struct io *io);
/* Decode memory, and ports if it has any, in the bridges above as well. */
void pci_enable_memory(struct pci_dev *p);
/*
 * Bus mastering on, in the bridges above as well. -EPERM when the device is in
 * no DMA domain. Off turns it off in bridges that no one behind needs.
 */
int pci_enable_master(struct pci_dev *p);
void pci_disable_master(struct pci_dev *p);
void pci_enable_intx(struct pci_dev *p, bool on);

/*
 * The global system interrupt of the device's INTx pin, without AML: bridges
 * swizzled, then the chipset's fixed wiring where it is known (ICH9), else
 * the interrupt line register. -ENXIO when it cannot be known. flags gets
 * IRQ_GSI_… of core/irq.h.
 */
int pci_intx_gsi(const struct pci_dev *p, unsigned *gsi, unsigned *flags);

/* For the host tests: free all that enumeration allocated. */
void pci_reset(void);

/* Every function: for a person, and one @json line each. */
void pci_report(void);

static inline struct pci_dev *to_pci_dev(struct device *dev)
{
	return container_of(dev, struct pci_dev, dev);
}

#endif
