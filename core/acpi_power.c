/* SPDX-License-Identifier: MIT */
#include "core/acpi_power.h"

#include "core/acpireg.h"
#include "core/bits.h"
#include "core/cpu.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/x86.h"

#define POWER_OFF_WAIT		(NSEC_PER_SEC)

static uint16_t power_port, power_value;

/* A panic that nobody else could tell the host ends here as well. */
static void power_off(enum machine_end how)
{
	x86_outw(power_port, power_value);
	poll_mem_until(false, time_now() + POWER_OFF_WAIT);
}

bool acpi_power_init(const struct acpi_fadt *fadt)
{
	const struct acpi_header *dsdt;
	uint8_t typ;

	if (!fadt->pm1a_cnt || fadt->pm1a_cnt > UINT16_MAX || !fadt->dsdt)
		goto absent;
	dsdt = acpi_at(fadt->dsdt);
	if (!dsdt ||
	    acpi_find_s5(dsdt, dsdt->length, &typ))
		goto absent;
	power_port = (uint16_t)fadt->pm1a_cnt;
	power_value = (uint16_t)(FIELD_PREP(PM1_CNT_SLP_TYP, typ) |
				 PM1_CNT_SLP_EN);
	machine_end_register(power_off);
	return true;

absent:
	log_warn("acpi", "no S5 in the tables: power-off will only halt");
	return false;
}
