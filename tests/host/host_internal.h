/* SPDX-License-Identifier: MIT */
/*
 * Between the files of tests/host/ only: what the fake PCI bus and the live
 * bus plug into the seam of hw_host.c.
 */
#ifndef TESTS_HOST_HOST_INTERNAL_H
#define TESTS_HOST_HOST_INTERNAL_H

#include "core/io.h"
#include "tests/host/host.h"

/* Who answers one access, and at which of its own offsets. */
struct host_target {
	const struct host_mmio_ops *ops;	/* NULL: reads 0, ignores writes */
	void *ctx;
	size_t off;
};

/*
 * A bus that decodes addresses by itself (BARs move). Returns whether the
 * address is its own. NULL: no such bus.
 */
extern bool (*host_bus_decode)(enum io_space space, uint64_t addr,
			       struct host_target *out);
/* The fake function there that is not gone, or NULL. */
struct fake_pci *host_bus_find(uint16_t bdf);
/* Forget the bus's functions. */
extern void (*host_bus_reset)(void);
/* Did the drivers of probed functions unmap all? Undo the probing. */
extern bool (*host_probe_clean)(char *what, size_t size);
extern void (*host_probe_reset)(void);
/* Is the requester allowed to master the bus? Set by the PCI bus. */
extern bool (*host_bus_may_master)(uint16_t bdf);

/* A running QEMU behind everything that no fake claims. */
struct host_live_ops {
	uint64_t (*read)(enum io_space space, uint64_t addr, unsigned width);
	void (*write)(enum io_space space, uint64_t addr, unsigned width,
		      uint64_t val);
	nsec_t (*now)(void);
	void (*relax)(void);
};
extern const struct host_live_ops *host_live;

/* Exchange the arena for size bytes at ram; the first MiB stays unused. */
void host_use_ram(void *ram, size_t size);

/* Raise vector on cpu: at once, or when interrupts are on again. */
void host_deliver(unsigned cpu, unsigned vector);

/* Heap blocks allocated while it is set are not counted as leaks. */
extern bool host_heap_exempt;

#endif
