/* SPDX-License-Identifier: MIT */
#include "core/reset.h"

#include "core/acpireg.h"
#include "core/bits.h"
#include "core/cpu.h"
#include "core/errno.h"
#include "core/io.h"
#include "core/log.h"
#include "core/pci.h"

#define RESET_WAIT		(100 * NSEC_PER_MSEC)

/* ICH9, 13.7.5: the write that sets RST_CPU resets, if SYS_RST was set before. */
#define CF9_PORT		0xcf9
# define CF9_SYS_RST		BIT(1)
# define CF9_RST_CPU		BIT(2)

/* 8042 (IBM PC AT Technical Reference, 1-40): wait until it takes a command. */
#define KBC_PORT		0x64
# define KBC_INPUT_FULL		BIT(1)
# define KBC_PULSE_RESET	0xfe

/* ACPI 6.4, table 5.1: bus 0 of PCI, in the address. */
#define GAS_PCI_DEVICE		GENMASK_ULL(36, 32)
#define GAS_PCI_FUNCTION	GENMASK_ULL(18, 16)
#define GAS_PCI_OFFSET		GENMASK_ULL(15, 0)

static struct {
	/* set once at start: */
	bool acpi;
	uint8_t space, value;
	uint64_t addr;
	struct io mem;			/* mapped at start: later may be too late */
} reset;

void reset_init(const struct acpi_fadt *f)
{
	reset.acpi = f->reset_supported;
	reset.space = f->reset_space;
	reset.addr = f->reset_addr;
	reset.value = f->reset_value;
	if (reset.acpi && reset.space == ACPI_SPACE_MEMORY &&
	    io_map_mem(&reset.mem, reset.addr, 1))
		reset.acpi = false;
}

const char *reset_name(enum reset_way way)
{
	static const char *const name[] = { "acpi", "cf9", "kbc", "triple" };

	return name[way];
}

static int reset_pci(void)
{
	unsigned dev = (unsigned)FIELD_GET(GAS_PCI_DEVICE, reset.addr);
	unsigned fn = (unsigned)FIELD_GET(GAS_PCI_FUNCTION, reset.addr);

	pci_config_write8((uint16_t)(dev << 3 | fn),
			  (unsigned)FIELD_GET(GAS_PCI_OFFSET, reset.addr),
			  reset.value);
	return 0;
}

static int reset_acpi(void)
{
	struct io io;

	if (!reset.acpi)
		return -ENOTSUP;
	if (reset.space == ACPI_SPACE_PCI)
		return reset_pci();
	if (reset.space == ACPI_SPACE_MEMORY) {
		io_write8(&reset.mem, 0, reset.value);
		return 0;
	}
	if (reset.addr > UINT16_MAX ||
	    io_map_port(&io, (uint16_t)reset.addr, 1))
		return -ENOTSUP;
	io_write8(&io, 0, reset.value);
	return 0;
}

static int reset_cf9(void)
{
	struct io io;
	uint8_t now;

	if (io_map_port(&io, CF9_PORT, 1))
		return -ENOTSUP;
	now = io_read8(&io, 0) & (uint8_t)~CF9_RST_CPU;
	io_write8(&io, 0, now | CF9_SYS_RST);
	io_write8(&io, 0, now | CF9_SYS_RST | CF9_RST_CPU);
	return 0;
}

/* All ones: no controller. */
static int reset_kbc(void)
{
	struct io io;
	uint8_t sts;
	int err;

	if (io_map_port(&io, KBC_PORT, 1))
		return -ENOTSUP;
	err = poll_until(sts, io_read8(&io, 0), !(sts & KBC_INPUT_FULL),
			 time_now() + RESET_WAIT);
	if (err == -ENODEV)
		return -ENOTSUP;
	io_write8(&io, 0, KBC_PULSE_RESET);
	return 0;
}

static int reset_triple(void)
{
	cpu_triple_fault();
	return 0;
}

int reset_by(enum reset_way way)
{
	static int (*const try[])(void) = {
		[RESET_ACPI] = reset_acpi,
		[RESET_CF9] = reset_cf9,
		[RESET_KBC] = reset_kbc,
		[RESET_TRIPLE] = reset_triple,
	};
	int err;

	log_info("reset", "by %s", reset_name(way));
	err = try[way]();
	if (!err)
		err = poll_mem_until(false, time_now() + RESET_WAIT);
	log_warn("reset", "%s did not do it: %s", reset_name(way),
		 errno_name(err));
	return err;
}

void reset_from(enum reset_way way)
{
	for (; way < RESET_WAYS; way++)
		reset_by(way);
}
