/* SPDX-License-Identifier: MIT */
/*
 * The hardware seam, part one: register access.
 *
 * A driver never holds a volatile pointer. It holds a struct io, a window of
 * registers at a physical address or in port space, and reads and writes
 * within it; the offset is checked against the window's size. Two
 * implementations exist: core/hw_x86.c, and tests/host/hw_host.c, where a
 * fake device or a live QEMU stands behind the window.
 *
 * Accesses are uncached, of exactly the width asked for, and stay in program
 * order among themselves. Any context may access; mapping and unmapping may
 * allocate, so not from interrupts.
 */
#ifndef CORE_IO_H
#define CORE_IO_H

#include "core/types.h"

enum io_space { IO_NONE, IO_MEM, IO_PORT };

struct io {
	enum io_space space;
	uint32_t size;			/* bytes */
	uintptr_t base;			/* known to the seam only */
};

/*
 * Map size bytes of device memory at pa, uncached. 0, -EINVAL (among others: no
 * such physical address), -ENOMEM.
 */
int io_map_mem(struct io *io, phys_t pa, size_t size);
/* A window of the port space. 0 or -EINVAL. */
int io_map_port(struct io *io, uint16_t port, size_t size);
/* Undo; a window that was never mapped (all zero) is left alone. */
void io_unmap(struct io *io);

/* A window within a window: off and size in bytes. 0 or -ERANGE. */
int io_sub(struct io *sub, const struct io *io, size_t off, size_t size);

uint8_t io_read8(const struct io *io, size_t off);
uint16_t io_read16(const struct io *io, size_t off);
uint32_t io_read32(const struct io *io, size_t off);
uint64_t io_read64(const struct io *io, size_t off);
void io_write8(const struct io *io, size_t off, uint8_t val);
void io_write16(const struct io *io, size_t off, uint16_t val);
void io_write32(const struct io *io, size_t off, uint32_t val);
void io_write64(const struct io *io, size_t off, uint64_t val);

#endif
