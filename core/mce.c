/* SPDX-License-Identifier: MIT */
#include "core/mce.h"

#include "core/bits.h"
#include "core/fmt.h"

#define MCE_ALL		UINT64_MAX

static unsigned mce_banks(const struct mce_port *port, uint64_t *cap)
{
	return port->read(MCE_MSR_CAP, cap) ?
	       (unsigned)FIELD_GET(MCE_CAP_COUNT, *cap) : 0;
}

/* What a bank remembers from before this boot is not this boot's. */
unsigned mce_init(const struct mce_port *port)
{
	uint64_t cap;
	unsigned banks = mce_banks(port, &cap);

	if (banks && (cap & MCE_CAP_CTL_P))
		port->write(MCE_MSR_CTL, MCE_ALL);
	for (unsigned bank = 0; bank < banks; bank++) {
		port->write(MCE_MSR_BANK(bank) + MCE_BANK_CTL, MCE_ALL);
		port->write(MCE_MSR_BANK(bank) + MCE_BANK_STATUS, 0);
	}
	return banks;
}

static size_t mce_describe_bank(const struct mce_port *port, unsigned bank,
				char *text, size_t size)
{
	uint64_t status, addr;
	size_t len;

	if (!port->read(MCE_MSR_BANK(bank) + MCE_BANK_STATUS, &status) ||
	    !(status & MCE_BANK_VAL))
		return 0;
	len = fmt_snprintf(text, size, ": bank %u, status 0x%lx", bank, status);
	if (len < size && (status & MCE_BANK_ADDRV) &&
	    port->read(MCE_MSR_BANK(bank) + MCE_BANK_ADDR, &addr))
		len += fmt_snprintf(text + len, size - len, ", address 0x%lx",
				    addr);
	if (len < size)
		len += fmt_snprintf(text + len, size - len, ", code 0x%lx%s%s",
				    FIELD_GET(MCE_BANK_CODE, status),
				    status & MCE_BANK_UC ? ", not corrected" :
							   ", corrected",
				    status & MCE_BANK_PCC ?
				    ", the CPU's state is damaged" : "");
	return MIN(len, size);
}

size_t mce_describe(const struct mce_port *port, char *text, size_t size)
{
	uint64_t cap, status;
	unsigned banks = mce_banks(port, &cap);
	size_t len = fmt_snprintf(text, size, "machine check");
	size_t before = len;

	for (unsigned bank = 0; bank < banks && len < size; bank++)
		len += mce_describe_bank(port, bank, text + len, size - len);
	if (len == before && len < size)
		len += fmt_snprintf(text + len, size - len,
				    ", of which no bank knows");
	if (len < size && port->read(MCE_MSR_STATUS, &status) &&
	    !(status & MCE_STATUS_RIPV))
		len += fmt_snprintf(text + len, size - len,
				    "; what it struck cannot go on");
	return MIN(len, size - 1);
}
