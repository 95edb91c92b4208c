/* SPDX-License-Identifier: MIT */
/*
 * The live bus: QEMU's own device models behind the seam, so that the drivers
 * that run in the kernel run here against the real counterpart, in a unit test.
 *
 * QEMU is started with the qtest protocol on a socket: each access to a window
 * that no fake claims becomes one command (some 50 µs). Guest RAM is shared and
 * is the arena. Time is real. The guest's one CPU is parked in a ROM of ours
 * that counts interrupts by vector in RAM and answers its local APIC; so
 * messages go the whole way, through QEMU's IOMMU and its interrupt remapping,
 * before host_live_poll() (which every cpu_relax() calls) turns them into
 * irq_dispatch(). Interrupt pins are not connected.
 *
 * The first MiB of RAM is not the page allocator's: the parked CPU has
 * 0x9e000 to 0x9ffff, and qtest_acpi() puts the tables from 0x10000 on.
 */
#ifndef TESTS_HOST_QTEST_H
#define TESTS_HOST_QTEST_H

#include "core/pci.h"
#include "core/types.h"

/* Is there a qemu-system-x86_64 to be found? */
bool qtest_available(void);

/*
 * Start QEMU with these further arguments (ends with NULL), after
 * host_start(). 0 or -errno; QEMU says on stderr what it does not like. It
 * ends with qtest_stop(), or with this process, whatever becomes of that.
 */
int qtest_start(const char *const *args);
/* End it and go back to fakes; the memory is gone, host_start() follows. */
void qtest_stop(void);

/* A file of size bytes without a name, for QEMU to open as path. Its fd. */
int qtest_file(const void *data, size_t size, char *path, size_t path_size);

/* Deliver the interrupts that arrived since the last look. */
void host_live_poll(void);

/* Find all functions and assign their BARs; once. Part of host_live_probe(). */
void host_live_enumerate(void);
/* As host_pci_probe(), for a function of the live bus. */
struct pci_dev *host_live_probe(uint16_t bdf);

/*
 * Do what firmware does with QEMU's ACPI tables: fetch them by fw_cfg, place
 * and link them. Returns the RSDP's address for acpi_init(), 0 on failure.
 */
phys_t qtest_acpi(void);

#endif
