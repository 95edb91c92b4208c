/* SPDX-License-Identifier: MIT */
/*
 * isa-debug-exit: a write of v ends QEMU with status 2 v + 1.
 *
 * Its port reads 0, an empty one all ones (QEMU's hw/misc/debugexit.c), so
 * presence is known and not guessed.
 */
#include "virt/hyper.h"

#include "core/io.h"
#include "core/panic.h"

#define DEBUGEXIT_PORT		0xf4
#define DEBUGEXIT_SIZE		4
#define DEBUGEXIT_ABSENT	0xff

static struct io debugexit_io;		/* size 0: not there */

/* The exit contract of ARCHITECTURE: 33, 35, 37 as QEMU's status. */
static const uint8_t debugexit_value[] = {
	[MACHINE_PASSED] = 0x10,
	[MACHINE_FAILED] = 0x11,
	[MACHINE_PANIC] = 0x12,
};

bool debugexit_present(void)
{
	return debugexit_io.size != 0;
}

/* Returns only when the port was hot-unplugged, to let the next hook try. */
static void debugexit_end(enum machine_end how)
{
	io_write8(&debugexit_io, 0, debugexit_value[how]);
}

void debugexit_init(void)
{
	struct io io;

	debugexit_io = (struct io){ 0 };
	if (io_map_port(&io, DEBUGEXIT_PORT, DEBUGEXIT_SIZE))
		return;
	if (io_read8(&io, 0) == DEBUGEXIT_ABSENT) {
		io_unmap(&io);
		return;
	}
	debugexit_io = io;
	machine_end_register(debugexit_end);
}
