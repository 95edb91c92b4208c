/* SPDX-License-Identifier: MIT */
/*
 * A device that interrupts by MSI-X whenever a test says so, through whichever
 * of its vectors the test likes: a virtio function that no driver takes. Its
 * queues' vectors may be chosen freely, and what it was asked to do is in the
 * used ring before it interrupts, so that "there was an event" has a witness
 * besides the interrupt.
 *
 *	virtio-serial	32 queues that swallow what they are given; vectors=2048
 *			makes the table full. With ioeventfd=off, at once: else
 *			QEMU also interrupts for queues it found empty
 *	virtio-rng	one queue, and a vector or two
 *
 * Every interrupt is numbered: an event's number is written before it is
 * provoked, and a handler that finds no number outstanding counts a double, one
 * that runs elsewhere than its vector was sent a misrouted one. At most one
 * event is outstanding per vector, since a local APIC may merge two.
 *
 * Thread context; one user at a time.
 */
#ifndef TESTS_GUEST_MSIX_RIG_H
#define TESTS_GUEST_MSIX_RIG_H

#include "core/io.h"
#include "core/pci.h"
#include "core/report.h"
#include "msi/msi.h"
#include "virt/virtio.h"

#define MSIX_RIG_WAIT	(5 * NSEC_PER_SEC)
#define MSIX_RIG_QUIET	(5 * NSEC_PER_MSEC)	/* for what must not come */
#define MSIX_RIG_QUEUES	16

struct msix_rig_vector {
	unsigned cpu;			/* where it is to arrive */
	uint32_t fired, seen;		/* numbers of the last event, interrupt */
	uint32_t doubled, misrouted;
};

struct msix_rig {
	struct pci_dev *p;
	unsigned cap, entries;		/* of the MSI-X capability */
	struct msix_rig_vector *v;	/* one per entry */
	struct io table, pba;		/* windows of our own */
	struct virtio_dev vd;
	struct virtq q[MSIX_RIG_QUEUES];
	uint16_t vector[MSIX_RIG_QUEUES];	/* as each queue has it now */
	unsigned nq;
	/* private: */
	struct io table_pages, pba_pages;
	bool reads, attached;		/* queues read memory; we attached it */
	unsigned order;			/* of the pages of v */
	void *buf;
	iova_t iova;
};

extern struct msix_rig msix_rig;

/* A function with this id that no driver has taken, or NULL. */
struct pci_dev *msix_rig_find(uint16_t vendor, uint16_t device);
/*
 * Does err say that msi= on the command line has taken the messages away? Then
 * the test is skipped.
 */
bool msix_rig_taken_away(struct ktest_run *t, int err);
/* Where a function's table and pending bits are. 0, -ENODEV or what io says. */
int msix_rig_map(struct pci_dev *p, struct io *table_pages, struct io *table,
		 struct io *pba_pages, struct io *pba);
/*
 * Start the device with all its vectors allocated, masked, none connected. 0:
 * msix_rig_stop() has to follow. -ENXIO: there is none; -EPERM: it would bypass
 * its IOMMU; or what virtio_start() and msi_alloc() say.
 */
int msix_rig_open(void);
/* The same for a test; false: it is skipped or has failed. */
bool msix_rig_start(struct ktest_run *t);
void msix_rig_stop(void);

/* Let vector nr interrupt cpu, and the reverse. 0 or what msi_connect() says. */
int msix_rig_connect(unsigned nr, unsigned cpu);
void msix_rig_disconnect(unsigned nr);
/* The handler that connect gives vectors; arg is a struct msix_rig_vector. */
void msix_rig_irq(void *arg);
/*
 * One event through vector nr: returns when the device has completed it. Queue
 * nr % nq makes it: other vectors of that queue lose their pending bits.
 * 0, -EPROTO (the device does not take the vector), -ETIMEDOUT.
 */
int msix_rig_fire(unsigned nr);
/* Until the interrupt of the last event has come. 0 or -ETIMEDOUT. */
int msix_rig_await(unsigned nr);
/* Doubled and misrouted ones of all vectors. */
uint32_t msix_rig_errors(void);
/* Interrupts that nobody owned, on all CPUs since the start. */
uint64_t msix_rig_unowned(void);

/* The table and the pending bits as they are, not as msi/ knows them. */
uint32_t msix_rig_read(unsigned nr, unsigned word);
void msix_rig_write(unsigned nr, unsigned word, uint32_t val);
bool msix_rig_pending(unsigned nr);

#endif
