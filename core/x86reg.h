/* SPDX-License-Identifier: MIT */
/* Control registers and model-specific registers (Intel SDM vol. 3, 2.5; vol. 4). */
#ifndef CORE_X86REG_H
#define CORE_X86REG_H

#define X86_CR0_PE		0x00000001
#define X86_CR0_MP		0x00000002
#define X86_CR0_ET		0x00000010
#define X86_CR0_NE		0x00000020
#define X86_CR0_WP		0x00010000
#define X86_CR0_PG		0x80000000
#define X86_CR0_KERNEL \
	(X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | \
	 X86_CR0_PG)

#define X86_CR4_PAE		0x00000020
#define X86_CR4_MCE		0x00000040	/* machine checks raise #MC */
#define X86_CR4_PGE		0x00000080
#define X86_CR4_UMIP		0x00000800	/* no SGDT, SIDT … in ring 3 */
#define X86_CR4_SMEP		0x00100000	/* no user code in ring 0 */
#define X86_CR4_SMAP		0x00200000	/* no user data in ring 0 */

#define X86_MSR_EFER		0xc0000080
#define X86_EFER_LME		0x00000100
#define X86_EFER_NXE		0x00000800

/* Selectors of every GDT of ours. */
#define X86_CS32		0x08
#define X86_DS			0x10
#define X86_CS64		0x18
#define X86_TSS			0x20

/* GDT entries (vol. 3, 3.4.5): flat, present, ring 0, accessed. */
#define X86_GDT_CS32		0x00cf9b000000ffff
#define X86_GDT_DS		0x00cf93000000ffff
#define X86_GDT_CS64		0x00af9b000000ffff

/* Where CPUs start in real mode (boot/ap.S); a page below 1 MiB. */
#define X86_AP_PAGE		0x8000
/* Where it finds what it is given: struct smp_slot. */
#define X86_AP_SLOT_ID		0
#define X86_AP_SLOT_STATE	4
# define X86_AP_STARTING	1
# define X86_AP_ARRIVED		2
# define X86_AP_GIVEN_UP	4
# define X86_AP_PARKED		5
#define X86_AP_SLOT_STACK	8
#define X86_AP_SLOT_SIZE	48
#define X86_AP_SLOTS		256

#define X86_MSR_APIC_BASE	0x01b
#define X86_APIC_BASE_EXTD	0x00000400	/* x2APIC mode, 10.12.1 */
#define X86_MSR_X2APIC_ID	0x802
#define X86_XAPIC_ID		0x20		/* bits 31 to 24, 10.4.6 */

#endif
