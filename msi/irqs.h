/* SPDX-License-Identifier: MIT */
/*
 * A driver's interrupts, however its device makes them: MSI-X, else MSI, else
 * its INTx pin, with the reason for each step down kept as text. Allocate,
 * connect each vector to a handler, free.
 *
 * Thread context, one user of a device at a time. Handlers run as core/irq.h
 * says; behind a pin they are also called for others' interrupts.
 */
#ifndef MSI_IRQS_H
#define MSI_IRQS_H

#include "core/cpu.h"
#include "core/irq.h"
#include "core/pci.h"
#include "core/types.h"
#include "msi/quirk.h"

struct irq_hints {
	/* Ways that the driver can make use of (IRQ_MSIX …); 0: any. */
	unsigned use;
	/* CPUs to interrupt; NULL: all that are up. Copied. */
	const struct cpu_set *among;
	/*
	 * The first pre vectors are no queue's: they go where there is most
	 * room, unless there are no others; then they are queues'. Of those after them the k-th belongs to the k-th CPU of among,
	 * round and round, if managed; else to the CPU that has fewest. Room is
	 * set aside for them at once, and connecting takes it.
	 * Several by MSI go together to where most room is, but without room
	 * set aside; managed gets but one of them.
	 */
	unsigned pre;
	bool managed;
};

/*
 * Get min to max vectors (a pin is one) in the best way that device, quirks
 * (msi/quirk.h), command line (msi=) and driver allow; hints NULL: none.
 * Returns how many there are, fewer than the device has if CPUs are full;
 * -EINVAL, -EBUSY (not freed yet), -ENOMEM,
 * -ENOSPC (fewer than min), -ENODEV or -ENXIO (no way at all); on error the
 * log says why for each way.
 */
int irq_alloc_vectors(struct pci_dev *p, unsigned min, unsigned max,
		      const struct irq_hints *hints);
/*
 * Vector nr (from 0) calls fn from here on. name appears in the monitor's irq
 * table. 0, -EINVAL, -EBUSY (connected already), or what msi_connect() and
 * irq_gsi_request() say.
 */
int irq_vectors_connect(struct pci_dev *p, unsigned nr, irq_fn *fn, void *arg,
			const char *name);
/* Disconnect all and give them back; no handler runs afterwards. Harmless when
   there are none. */
void irq_vectors_free(struct pci_dev *p);

/* "msi-x", "msi", "intx" or "none". */
const char *irq_vectors_kind(const struct pci_dev *p);
/*
 * Why it is not MSI-X, or not as many vectors as asked for: "no MSI-X: …; no
 * MSI: …"; "" when it is, or nothing is allocated.
 */
const char *irq_vectors_why(const struct pci_dev *p);
unsigned irq_vectors(const struct pci_dev *p);	/* how many, or 0 */
/* The CPU that vector nr interrupts, or is going to: -EINVAL. */
int irq_vectors_cpu(const struct pci_dev *p, unsigned nr);
/* Interrupts so far through vector nr. */
uint64_t irq_vectors_count(const struct pci_dev *p, unsigned nr);

/*
 * A lost interrupt is found by who waits for it. work_waits(arg), of the same
 * arg as the handler's, says whether the device has left work that the handler
 * would have done: its answer is in memory, say. It is called in thread
 * context. irq_watch() after connecting: 0 or -EINVAL.
 */
int irq_watch(struct pci_dev *p, unsigned nr, bool (*work_waits)(void *arg));
/*
 * Look at p's watched vectors: for a driver to call about twice a second while
 * it waits for its device. Where work has waited since the look before,
 * IRQ_WATCH_GRACE ago at least, no interrupt has come since and the CPU says
 * that none is on its way, it was lost: the handler is run on its CPU as if it
 * had come, and that is counted, and logged the first time. Returns how many
 * were lost, 0 while another thread looks. Thread context, interrupts on, no
 * spinlock held; not while the vectors are freed.
 */
#define IRQ_WATCH_GRACE	(50 * NSEC_PER_MSEC)
unsigned irq_watch_look(struct pci_dev *p);
/* Lost and found so far on vector nr. */
uint64_t irq_watch_lost(const struct pci_dev *p, unsigned nr);

/*
 * Move connected vector nr to cpu, under fire: as msi_move() says, or for a pin,
 * with all who share it, irq_gsi_move() of core/irq.h.
 */
int irq_set_affinity(struct pci_dev *p, unsigned nr, unsigned cpu);
/*
 * Move every device's vectors, and the pins, away from cpu, which is about to
 * go: to another one that the driver asked for, else to any. 0, or the first
 * error: -ENOSPC (there is no other CPU), or what msi_move() and irq_gsi_move()
 * say; the rest is moved all the same.
 */
int irq_rebalance(unsigned cpu);

#endif
