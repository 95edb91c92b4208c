/* SPDX-License-Identifier: MIT */
/*
 * Message-signalled interrupts: MSI-X (PCI Local Bus 3.0, 6.8.2) where the
 * device has it, else MSI (6.8.1). Allocate, connect each vector to a handler
 * on a CPU, disconnect, free. Thread context; the handlers run as core/irq.h
 * says. A capability that lies (table outside its BAR, BIR of no BAR) is
 * refused with a line that says what is wrong; behind an MSI-X that was refused
 * the device's MSI still serves.
 */
#ifndef MSI_MSI_H
#define MSI_MSI_H

#include "core/irq.h"
#include "core/pci.h"
#include "core/types.h"
#include "msi/remap.h"

/*
 * Enable MSI-X with up to max vectors, all masked, or as many as MSI has, which
 * are 32 at most and interrupt one CPU together (msi_one_cpu()); INTx is
 * turned off. Returns how many there are (min to max), or -ENOSPC (fewer than
 * min), -ENODEV (no MSI at all), -EINVAL (the capability lies), -EBUSY (not
 * freed yet), -ENOMEM. msi=off|msi on the command line takes MSI-X, or both,
 * away.
 */
int msi_alloc(struct pci_dev *p, unsigned min, unsigned max);
/*
 * Let vector nr (from 0) interrupt cpu and call fn there; unmasks it. name
 * appears in the monitor's irq table. Where the vector is all that cpu still
 * does it is masked, if the device has a mask for it, and the log says so: see
 * irq_on_storm(). 0, -EINVAL (among others: another CPU than the device's other
 * vectors), -EBUSY (connected already) or what irq_alloc(), compose() of
 * msi/remap.h and msi_validate() say.
 */
int msi_connect(struct pci_dev *p, unsigned nr, unsigned cpu, irq_fn *fn,
		void *arg, const char *name);
/* Mask it and give the vector back; no handler runs after it returns. */
void msi_disconnect(struct pci_dev *p, unsigned nr);
/* Disconnect all and disable. Harmless when nothing is allocated. */
void msi_free(struct pci_dev *p);

/*
 * A connected vector's mask; when it returns the device has taken it. An event
 * while masked is kept in the pending bit and delivered once on unmasking;
 * only MSI without its optional mask register loses it.
 */
void msi_mask(struct pci_dev *p, unsigned nr, bool masked);
bool msi_masked(struct pci_dev *p, unsigned nr);	/* as the device says */
bool msi_pending(struct pci_dev *p, unsigned nr);	/* the pending bit */

/*
 * Let connected vector nr interrupt another CPU from here on, also while the
 * device goes on interrupting: none is lost, none comes twice, and when it
 * returns none will come to the old CPU. Not while the driver connects,
 * disconnects or masks, else by anybody; interrupts on, no spinlock held. 0,
 * -EINVAL (no such vector or CPU), -ENOENT (not connected), -EBUSY (another one
 * is being moved, or no vector is free on both CPUs, where that is needed),
 * -ENOTSUP (several by MSI), -ETIMEDOUT (the old CPU does not take what waits
 * there), or what irq_alloc() and compose() say. On error it stays where it
 * was. Without mask bits, or with an IOMMU that remaps, the handler may run on
 * both CPUs at once while it moves.
 */
int msi_move(struct pci_dev *p, unsigned nr, unsigned cpu);

/*
 * May this message be written into vector nr of p, which is to be connected
 * as p's driver said? Asked before each one is. 0, -EINVAL (outside the window
 * 0xfee00000-0xfeefffff, or reserved bits are set), -EPERM (another delivery
 * than fixed and edge, or another device's remapping entry), -ENOENT (an entry
 * that is not present), -ERANGE (no device's vector), -EHOSTUNREACH (no CPU
 * that is up has that APIC id), -ESTALE (not the CPU and vector that nr has
 * now). Refused ones are counted.
 */
int msi_validate(const struct pci_dev *p, unsigned nr,
		 const struct msi_msg *msg);
/* How many were refused with err, of all devices; 0: with any. */
uint64_t msi_refused(int err);

/*
 * Do all its vectors interrupt the CPU of the first that was connected? So it
 * is with several by MSI: there is one message, to whose data the device adds.
 */
bool msi_one_cpu(const struct pci_dev *p);

/* "msi-x", "msi" or "none", for the report. */
const char *msi_kind(const struct pci_dev *p);
/*
 * Why it is not MSI-X: "no MSI-X: …", with what was wrong if the capability was
 * refused; "" when it is, or nothing is allocated.
 */
const char *msi_why(const struct pci_dev *p);
/* Interrupts delivered through vector nr, and on which CPU it is. */
uint64_t msi_count(const struct pci_dev *p, unsigned nr);
int msi_cpu(const struct pci_dev *p, unsigned nr);	/* -ENODEV: none */
unsigned msi_vectors(const struct pci_dev *p);	/* as msi_alloc() said, or 0 */

/*
 * @json lines: per vector in use and per CPU, per device how it interrupts and
 * why not better, and how many messages were refused. Thread context.
 */
void irq_report(void);

#endif
