/* SPDX-License-Identifier: MIT */
/*
 * pvpanic (QEMU's docs/specs/pvpanic.txt): one port; read: the events that the
 * host understands, write: the events that happened. libvirt shows such a
 * domain as crashed.
 */
#include "virt/hyper.h"

#include "core/bits.h"
#include "core/io.h"
#include "core/panic.h"

#define PVPANIC_PORT		0x505
#define PVPANIC_ABSENT		0xff
#define PVPANIC_PANICKED	BIT(0)

static struct io pvpanic_io;		/* size 0: not there */

/* The host may stop this CPU at once: see debugexit_init() in hyper.h. */
static void pvpanic_end(enum machine_end how)
{
	if (how == MACHINE_PANIC && !debugexit_present())
		io_write8(&pvpanic_io, 0, PVPANIC_PANICKED);
}

void pvpanic_init(void)
{
	struct io io;
	uint8_t events;

	pvpanic_io = (struct io){ 0 };
	if (io_map_port(&io, PVPANIC_PORT, 1))
		return;
	events = io_read8(&io, 0);
	if (events == PVPANIC_ABSENT || !(events & PVPANIC_PANICKED)) {
		io_unmap(&io);
		return;
	}
	pvpanic_io = io;
	machine_end_register(pvpanic_end);
}
