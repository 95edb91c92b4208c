/* SPDX-License-Identifier: MIT */
/*
 * Non-maskable interrupts: how a panic stops the other CPUs, and what an NMI
 * from outside does (QEMU's "nmi", virsh inject-nmi): every CPU says where it
 * is and goes on; with nmi=panic the first one panics.
 *
 * An NMI may strike anywhere, a held lock or a half written command register
 * included. So its handler takes no lock, waits for nothing without a bound and
 * does not leave by IRETQ from a fault (boot/trap_entry.S).
 */
#ifndef CORE_NMI_H
#define CORE_NMI_H

#include "core/trap.h"
#include "core/types.h"

void nmi_init(void);
void nmi_handle(struct trap_frame *f);

/*
 * Tests: sees every NMI first, but for a panic's. Returns whether it was
 * theirs. NULL: nobody.
 */
extern bool (*nmi_hook)(struct trap_frame *f);

struct nmi_stop {
	unsigned cpus;			/* stopped, this one not counted */
	unsigned deaf;			/* of these by INIT: NMIs did nothing */
	nsec_t took;
};
/*
 * Make every other CPU stop where it is and wait until they have, for
 * NMI_STOP_WAIT at most; one that takes no NMI until then is put back to where
 * it waits for STARTUP. For panic: nothing undoes it. From then on this CPU
 * ignores NMIs.
 */
#define NMI_STOP_WAIT	(80 * NSEC_PER_MSEC)
void nmi_stop_others(struct nmi_stop *out);

#endif
