/* SPDX-License-Identifier: MIT */
/*
 * Machine checks (Intel SDM vol. 3, chapter 16, "Machine-Check Architecture"):
 * what the host, or the hardware below it, found broken. With CR4.MCE clear one
 * shuts the machine down without a word, so it is set on every CPU that has it;
 * a machine check is then a panic that says what the banks know.
 *
 * Pure: the registers are reached through the port.
 */
#ifndef CORE_MCE_H
#define CORE_MCE_H

#include "core/types.h"

#define MCE_MSR_CAP		0x179		/* IA32_MCG_CAP, 16.3.1.1 */
# define MCE_CAP_COUNT		GENMASK(7, 0)
# define MCE_CAP_CTL_P		BIT(8)		/* IA32_MCG_CTL is there */
#define MCE_MSR_STATUS		0x17a		/* IA32_MCG_STATUS, 16.3.1.2 */
# define MCE_STATUS_RIPV	BIT(0)		/* the saved RIP may be resumed */
# define MCE_STATUS_EIPV	BIT(1)		/* and it is to blame */
#define MCE_MSR_CTL		0x17b		/* IA32_MCG_CTL, 16.3.1.3 */
/* 16.3.2: four registers for each bank, from here on. */
#define MCE_MSR_BANK(bank)	(0x400u + 4 * (bank))
#define MCE_BANK_CTL		0
#define MCE_BANK_STATUS		1
# define MCE_BANK_VAL		BIT_ULL(63)
# define MCE_BANK_UC		BIT_ULL(61)	/* not corrected */
# define MCE_BANK_ADDRV		BIT_ULL(58)
# define MCE_BANK_PCC		BIT_ULL(57)	/* the CPU's state is damaged */
# define MCE_BANK_CODE		GENMASK_ULL(15, 0)
#define MCE_BANK_ADDR		2

struct mce_port {
	/* False: the register is not there. */
	bool (*read)(uint32_t msr, uint64_t *val);
	bool (*write)(uint32_t msr, uint64_t val);
};

/*
 * Empty the banks of this CPU and let all of them report (16.8, "Machine-Check
 * Initialization"). Returns how many there are; 0: it has no such registers.
 */
unsigned mce_init(const struct mce_port *port);
/*
 * "machine check: bank 3, status 0x…, address 0x…: not corrected", and the next
 * bank that has something to say, as far as there is room. Returns the length.
 * In the exception's handler.
 */
size_t mce_describe(const struct mce_port *port, char *text, size_t size);

#endif
