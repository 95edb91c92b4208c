/* SPDX-License-Identifier: MIT */
/*
 * The host's half of the hardware seam, as tests and fakes see it.
 *
 * Guest-physical memory is an arena (HOST_RAM bytes, physical address 0 is its
 * first byte). Register windows belong to fakes, added with host_mmio_add()
 * or, for PCI functions, fake_pci_add(). Time is a number: it advances by 1 µs at each
 * cpu_relax(), and then every step function runs once, so that a fake device
 * can take its time. Everything runs in one thread; interrupts are delivered at once,
 * or, while the code under test has them off, when it turns them on again.
 *
 * host_start() before a test, host_finish() after it (in the Check fixture):
 * the latter fails the test on leaked pages, heap blocks, DMA mappings,
 * vectors or held locks.
 */
#ifndef TESTS_HOST_HOST_H
#define TESTS_HOST_HOST_H

#include "core/pci.h"
#include "core/types.h"

#define HOST_RAM	MIB(64)

void host_start(void);
void host_finish(void);
/* As host_finish(), but only says (in *what) instead of failing. */
bool host_is_clean(char *what, size_t size);

/* What is allocated now stays for good (as at boot): it is no leak. */
void host_keep(void);

/* ---- registers ---- */
struct host_mmio_ops {
	uint64_t (*read)(void *ctx, size_t off, unsigned width);
	void (*write)(void *ctx, size_t off, unsigned width, uint64_t val);
};
/* width is in bytes. Where no one answers, reads are all ones. */
void host_mmio_add(phys_t base, size_t size, const struct host_mmio_ops *ops,
		   void *ctx);
void host_port_add(uint16_t base, size_t size, const struct host_mmio_ops *ops,
		   void *ctx);
void host_mmio_remove(void *ctx);	/* everything with that ctx */

/* ---- time ---- */
void host_time_advance(nsec_t ns);	/* steps run, armed timers fire */
void host_step_add(void (*step)(void *ctx), void *ctx);
void host_step_remove(void *ctx);

/* ---- CPUs and interrupts ---- */
void host_set_cpus(unsigned n);		/* default 1 */
void host_set_phys_bits(unsigned bits);	/* default 52 */
/* CPU's local APIC id; without it the CPU's number, as after host_start(). */
void host_set_apic_id(unsigned cpu, uint32_t id);
/* No CPU answers call_cpu() any more. */
void host_fail_calls(bool fail);
void host_run_as(unsigned cpu);		/* what cpu_id() says from here on */
/* A message write by a device: delivered if it is in 0xfee00000-0xfeefffff. */
void host_msi(uint64_t addr, uint32_t data);
void host_raise_gsi(unsigned gsi);
/*
 * An IOMMU fake's interrupt remapping, NULL: none. Changes the message of
 * requester bdf in place; false: blocked.
 */
extern bool (*host_msi_remap)(uint16_t bdf, uint64_t *addr, uint32_t *data);

/* ---- failures ---- */
/* The n-th allocation from now (pages or heap; 1: the next) fails; 0: none. */
void host_fail_alloc(unsigned n);
/* Did the armed failure happen? */
bool host_alloc_failed(void);

/* ---- log ---- */
const char *host_log(void);		/* all lines since host_start() */
bool host_logged(const char *text);	/* strstr() in it */
void host_log_clear(void);
const char *host_console(void);		/* what console_…() and reports wrote */
void host_console_clear(void);
/*
 * HOST_VERBOSE=1 in the environment shows both while the test runs. panic()
 * ends the test with SIGABRT, machine_end() with status HOST_END + how.
 */
#define HOST_END	64

/* ---- DMA by a fake device ---- */
/*
 * How a requester's address becomes memory; NULL: identity. The VT-d and
 * virtio-iommu fakes install themselves here. Returns NULL when refused.
 */
extern void *(*host_dma_translate)(uint16_t bdf, iova_t addr, size_t len,
				   bool write);
/*
 * Copies across pages. Returns false when refused (nothing more is copied),
 * also when bdf is a fake PCI function that may not master the bus.
 */
bool host_dma_read(uint16_t bdf, iova_t addr, void *buf, size_t len);
bool host_dma_write(uint16_t bdf, iova_t addr, const void *buf, size_t len);

/* ---- a PCI function made of bytes ---- */
struct fake_pci {
	uint16_t bdf;
	uint8_t config[4096];
	uint8_t writable[4096];		/* mask of the bits that stick */
	struct {
		uint64_t size;		/* 0: not implemented; else power of 2 */
		bool is_io, is_64;
		const struct host_mmio_ops *ops;
		void *ctx;
	} bar[PCI_BARS];
	/* MSI-X, when msix_entries is not 0: served by the bus itself. */
	unsigned msix_entries, msix_bar;
	uint32_t msix_table, msix_pba;	/* offsets in the BAR */
	uint32_t msix[2048][4];
	uint64_t pending[32];
	unsigned cap_len;		/* bytes of the last capability */
	bool gone;			/* surprise removal: all ones */
	unsigned gone_in;		/* at the n-th config read; 0: never */
	unsigned config_reads;		/* so far */
	/* After a config write of width bytes at off; may be NULL. */
	void (*on_config)(struct fake_pci *f, unsigned off, unsigned width);
	void *ctx;			/* for on_config */
};
/* Header type 0 with these ids; add BARs and capabilities before add. */
void fake_pci_init(struct fake_pci *f, uint16_t bdf, uint16_t vendor,
		   uint16_t device, uint32_t class);
void fake_pci_bar(struct fake_pci *f, unsigned bar, uint64_t size,
		  bool is_64, const struct host_mmio_ops *ops, void *ctx);
/* Append a capability (id, then body); returns its offset. */
unsigned fake_pci_cap(struct fake_pci *f, uint8_t id, const void *body,
		      size_t len);
/* An MSI-X capability with table and PBA in one BAR, which must exist. */
void fake_pci_msix(struct fake_pci *f, unsigned entries, unsigned bar,
		   uint32_t table, uint32_t pba);
void fake_pci_add(struct fake_pci *f);		/* onto the bus (0xCF8) */
void fake_pci_remove(struct fake_pci *f);
/* Serve the functions' configuration at base + (bdf << 12) as well (ECAM). */
void fake_pci_ecam(phys_t base);
/*
 * Fire vector nr of MSI-X, else of MSI when that is enabled: a message, or the
 * pending bit while masked. Nothing is sent while bus mastering is off.
 */
void fake_pci_fire(struct fake_pci *f, unsigned nr);
/*
 * The same function as the kernel would know it: enumerated, BARs assigned,
 * attached to the current DMA provider. NULL when there is none. Add all
 * functions before the first call: enumeration happens once.
 */
struct pci_dev *host_pci_probe(struct fake_pci *f);

#endif
