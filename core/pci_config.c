/* SPDX-License-Identifier: MIT */
/*
 * Configuration space. Ports 0xCF8 and 0xCFC reach the first 256 bytes of
 * every function; ECAM reaches all 4096 bytes of one, but each page of it has
 * to be mapped, and all of it is 256 MiB. So ports find what is there, and the
 * slots where somebody answered are mapped and served by ECAM: one access
 * instead of two, without a lock. A machine without those ports (a PCIe-only
 * one) has slots mapped in order to look into them.
 *
 * The lock orders the two port accesses; nothing is taken below it.
 */
#include "core/pci_internal.h"

#include "core/acpi.h"
#include "core/errno.h"
#include "core/heap.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/pcireg.h"
#include "core/string.h"

#define PCI_SLOT_SIZE	(PCI_FUNCTIONS * PCI_CONFIG_EXT_SIZE)
#define PCI_BUSES_MAX	256

static struct {
	/* set once at start: */
	struct io port;			/* unmapped: not there */
	phys_t ecam;			/* of bus 0; 0: none */
	unsigned bus_last;		/* what ecam covers, from 0 */
	/* grows while enumerating, on one CPU: PCI_SLOTS windows a bus */
	struct io *slot[PCI_BUSES_MAX];
	struct spinlock lock;		/* port */
} pci_cfg = { .lock = SPINLOCK_INIT("pci config") };

/* ---- one access of 1, 2 or 4 bytes ---- */

static uint32_t pci_io_read(const struct io *w, size_t off, unsigned width)
{
	return width == 1 ? io_read8(w, off) :
	       width == 2 ? io_read16(w, off) :
			    io_read32(w, off);
}

static void pci_io_write(const struct io *w, size_t off, unsigned width,
			 uint32_t val)
{
	if (width == 1)
		io_write8(w, off, (uint8_t)val);
	else if (width == 2)
		io_write16(w, off, (uint16_t)val);
	else
		io_write32(w, off, val);
}

/* ---- by ports ---- */

static void pci_port_select(uint16_t bdf, unsigned off)
{
	io_write32(&pci_cfg.port, PCI_PORT_ADDR,
		   PCI_PORT_ENABLE | FIELD_PREP(PCI_PORT_BDF, bdf) |
		   (off & PCI_PORT_REG));
}

static uint32_t pci_port_read(uint16_t bdf, unsigned off, unsigned width)
{
	irqflags_t flags = spin_lock(&pci_cfg.lock);
	uint32_t val;

	pci_port_select(bdf, off);
	val = pci_io_read(&pci_cfg.port, PCI_PORT_DATA + (off & 3), width);
	spin_unlock(&pci_cfg.lock, flags);
	return val;
}

static void pci_port_write(uint16_t bdf, unsigned off, unsigned width,
			   uint32_t val)
{
	irqflags_t flags = spin_lock(&pci_cfg.lock);

	pci_port_select(bdf, off);
	pci_io_write(&pci_cfg.port, PCI_PORT_DATA + (off & 3), width, val);
	spin_unlock(&pci_cfg.lock, flags);
}

static bool pci_port_reaches(unsigned off)
{
	return pci_cfg.port.space == IO_PORT && off < PCI_CONFIG_SIZE;
}

/* ---- by memory ---- */

/* The mapped window of the function's slot, or NULL. */
static const struct io *pci_ecam_of(uint16_t bdf)
{
	const struct io *bus = pci_cfg.slot[PCI_BUS(bdf)];

	if (!bus || bus[PCI_SLOT(bdf)].space == IO_NONE)
		return NULL;
	return &bus[PCI_SLOT(bdf)];
}

static size_t pci_ecam_off(uint16_t bdf, unsigned off)
{
	return (size_t)PCI_FUNC(bdf) * PCI_CONFIG_EXT_SIZE + off;
}

/* Out of memory: the slot stays with the ports, if there are any. */
static void pci_ecam_map(uint16_t bdf)
{
	unsigned bus = PCI_BUS(bdf);
	phys_t pa = pci_cfg.ecam + (phys_t)(bdf & ~7) * PCI_CONFIG_EXT_SIZE;

	if (!pci_cfg.ecam || bus > pci_cfg.bus_last || pci_ecam_of(bdf))
		return;
	if (!pci_cfg.slot[bus])
		pci_cfg.slot[bus] = heap_calloc(PCI_SLOTS, sizeof(struct io));
	if (pci_cfg.slot[bus])
		io_map_mem(&pci_cfg.slot[bus][PCI_SLOT(bdf)], pa,
			   PCI_SLOT_SIZE);
}

/* ---- either ---- */

/* What is behind a function's last byte is the next function's first. */
static bool pci_config_has(unsigned off, unsigned width)
{
	return off <= PCI_CONFIG_EXT_SIZE - width;
}

/* All ones where nothing reaches. */
static uint32_t pci_config_read(uint16_t bdf, unsigned off, unsigned width)
{
	const struct io *w = pci_ecam_of(bdf);

	if (!pci_config_has(off, width))
		return UINT32_MAX;
	if (w)
		return pci_io_read(w, pci_ecam_off(bdf, off), width);
	return pci_port_reaches(off) ? pci_port_read(bdf, off, width) :
				       UINT32_MAX;
}

static void pci_config_write(uint16_t bdf, unsigned off, unsigned width,
			     uint32_t val)
{
	const struct io *w = pci_ecam_of(bdf);

	if (!pci_config_has(off, width))
		return;
	if (w)
		pci_io_write(w, pci_ecam_off(bdf, off), width, val);
	else if (pci_port_reaches(off))
		pci_port_write(bdf, off, width, val);
}

uint8_t pci_config_read8(uint16_t bdf, unsigned off)
{
	return (uint8_t)pci_config_read(bdf, off, 1);
}

uint16_t pci_config_read16(uint16_t bdf, unsigned off)
{
	return (uint16_t)pci_config_read(bdf, off, 2);
}

uint32_t pci_config_read32(uint16_t bdf, unsigned off)
{
	return pci_config_read(bdf, off, 4);
}

void pci_config_write8(uint16_t bdf, unsigned off, uint8_t val)
{
	pci_config_write(bdf, off, 1, val);
}

void pci_config_write16(uint16_t bdf, unsigned off, uint16_t val)
{
	pci_config_write(bdf, off, 2, val);
}

void pci_config_write32(uint16_t bdf, unsigned off, uint32_t val)
{
	pci_config_write(bdf, off, 4, val);
}

/* ---- which ---- */

bool pci_config_probe(uint16_t bdf)
{
	if (pci_cfg.port.space != IO_PORT)
		pci_ecam_map(bdf);
	if (pci_config_read16(bdf, PCI_VENDOR) == PCI_NO_VENDOR)
		return false;
	pci_ecam_map(bdf);
	return true;
}

void pci_config_stop(void)
{
	for (unsigned bus = 0; bus < PCI_BUSES_MAX; bus++) {
		struct io *slot = pci_cfg.slot[bus];

		for (unsigned i = 0; slot && i < PCI_SLOTS; i++)
			io_unmap(&slot[i]);
		heap_free(slot);
		pci_cfg.slot[bus] = NULL;
	}
}

static void pci_port_start(void)
{
	if (io_map_port(&pci_cfg.port, PCI_PORT, PCI_PORT_SIZE))
		return;
	if (pci_port_read(0, PCI_VENDOR, 2) == PCI_NO_VENDOR)
		pci_cfg.port = (struct io){ .space = IO_NONE };
}

/* Firmware may have moved the window, or never opened it: look and compare. */
static bool pci_ecam_answers(phys_t base)
{
	struct io io;
	uint32_t id;

	if (io_map_mem(&io, base, PCI_CONFIG_EXT_SIZE))
		return false;
	id = io_read32(&io, PCI_VENDOR);
	io_unmap(&io);
	if ((id & PCI_NO_VENDOR) == PCI_NO_VENDOR)
		return false;
	return pci_cfg.port.space != IO_PORT ||
	       id == pci_port_read(0, PCI_VENDOR, 4);
}

static void pci_ecam_start(const struct acpi_mcfg *mcfg)
{
	for (unsigned i = 0; i < mcfg->n; i++) {
		if (mcfg->seg[i].segment || mcfg->seg[i].bus_first)
			continue;
		if (!pci_ecam_answers(mcfg->seg[i].base)) {
			log_warn("pci", "ECAM at 0x%llx does not answer",
				 (unsigned long long)mcfg->seg[i].base);
			continue;
		}
		pci_cfg.ecam = mcfg->seg[i].base;
		pci_cfg.bus_last = mcfg->seg[i].bus_last;
		return;
	}
}

int pci_config_init(const struct acpi_mcfg *mcfg)
{
	memset(pci_cfg.slot, 0, sizeof(pci_cfg.slot));
	pci_cfg.port = (struct io){ .space = IO_NONE };
	pci_cfg.ecam = 0;
	pci_port_start();
	if (mcfg)
		pci_ecam_start(mcfg);
	return pci_cfg.ecam || pci_cfg.port.space == IO_PORT ? 0 : -ENODEV;
}

const char *pci_config_method(void)
{
	return pci_cfg.ecam ? "ecam" : "0xcf8";
}
