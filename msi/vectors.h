/* SPDX-License-Identifier: MIT */
/*
 * Between the files of msi/ only: what a device's vectors are made of, and
 * the two mechanisms that carry them.
 */
#ifndef MSI_VECTORS_H
#define MSI_VECTORS_H

#include "core/io.h"
#include "core/lock.h"
#include "msi/msi.h"
#include "msi/parse.h"
#include "msi/quirk.h"

struct msi_vector {
	unsigned vector;		/* on cpu; 0: not connected */
	unsigned cpu;
	irq_fn *fn;
	void *arg;
	/* m->lock: */
	bool held;			/* masked by its driver */
	bool storm;			/* … by its interrupts that did not end */
	bool off;			/* MSI, masked: what comes is dropped */
	/* one user of the device at a time: */
	uint64_t before;		/* interrupts on CPUs that it left */
	struct pci_dev *p;		/* whose it is, while connected */
};

#define MSI_WHY_ALL	(2 * MSI_WHY + 32)	/* a reason for each of both */

struct msi {
	const struct msi_ops *ops;
	struct msi_cap c;		/* what the device has */
	char why[MSI_WHY_ALL];		/* why nothing better is used, or "" */
	unsigned limit;			/* a quirk's; 0: none */
	unsigned n;			/* vectors given to the driver */
	const struct remap_ops *remap;
	unsigned base;			/* the first of n entries there */
	bool moving;			/* atomic: one of the vectors is */
	/* MSI-X: */
	struct io table_pages, pba_pages;	/* as mapped, whole pages */
	struct io table, pba;
	/* Masks change in threads and, in a storm, in an interrupt. */
	struct spinlock lock;
	/* MSI, m->lock: */
	uint32_t masked;		/* a bit for each vector */
	/* MSI: */
	unsigned block;			/* CPU's vector of nr 0; 0: none yet */
	unsigned block_cpu;
	struct msi_vector v[];
};

struct msi_ops {
	const char *name, *title;	/* for programs, for a person */
	unsigned way;			/* IRQ_MSIX or IRQ_MSI */
	/* The device adds nr to one message: CPU vectors in a row, one CPU. */
	bool one_message;
	int (*parse)(const struct pci_dev *p, const struct pci_caps *l,
		     struct msi_cap *c);	/* msi/parse.h */
	/* Enable with every vector masked. 0, -ENOMEM, -ENODEV. */
	int (*enable)(struct pci_dev *p, struct msi *m);
	/* Disable and unmap. Every vector is masked already. */
	void (*disable)(struct pci_dev *p, struct msi *m);
	/* Set the message of nr, which is masked. */
	void (*program)(struct pci_dev *p, struct msi *m, unsigned nr,
			const struct msi_msg *msg);
	/* By msi_set_mask(). No message leaves any more when it returns. */
	void (*mask)(struct pci_dev *p, struct msi *m, unsigned nr, bool on);
	bool (*masked)(struct pci_dev *p, struct msi *m, unsigned nr);
	bool (*pending)(struct pci_dev *p, struct msi *m, unsigned nr);
	/* Is an event of a masked vector sent later, or lost? */
	bool (*keeps_events)(const struct msi *m);
};

extern const struct msi_ops msix_ops, msi_plain_ops;

/* Several vectors, none of which the device can mask by itself. */
static inline bool msi_is_soft(const struct msi *m)
{
	return m->ops->one_message && m->n > 1 && !m->c.maskable;
}

/* ---- what a driver has, by messages or by a pin: irqs.c, watch.c ---- */

struct irqs_vector {
	unsigned cpu;
	irq_fn *fn;			/* NULL: not connected */
	void *arg;
	/* watch.c: */
	bool (*work_waits)(void *arg);	/* NULL: not watched */
	bool suspect;			/* work waited at the last look … */
	nsec_t since;			/* … and has since then, and … */
	uint64_t count;			/* … so many interrupts had come */
	uint64_t lost;
};

struct irqs {
	char why[MSI_WHY_ALL + 64];
	bool intx;
	/* the pin: */
	unsigned gsi, flags;
	uint64_t count;			/* owner CPU, interrupts off */
	/* all: */
	bool looking;			/* atomic: watch.c, somebody is */
	struct cpu_set among;
	unsigned reserved_from, reserved_end;	/* with room set aside */
	unsigned n;
	struct irqs_vector v[];
};

/* ---- choosing ---- */

/*
 * Turn off what firmware left enabled, and find the mechanism that p's vectors
 * are to use, of those in use (IRQ_MSIX, IRQ_MSI): fills in m's ops, c and, also
 * on error, why. 0, -ENODEV (none there, none allowed, or the device is gone),
 * -EINVAL (it lies; a line said how).
 */
int msi_choose(struct pci_dev *p, struct msi *m, unsigned use);

/* msi_connect() with a vector of irq_alloc() or irq_alloc_reserved(). */
typedef int irq_take(unsigned cpu, irq_fn *fn, void *arg, const char *name);
int msi_connect_by(irq_take *take, struct pci_dev *p, unsigned nr,
		   unsigned cpu, irq_fn *fn, void *arg, const char *name);

/* True when cpu has said that vector does not wait there. May call it. */
bool msi_drained(unsigned cpu, unsigned vector);

/* nr's mask in the device; returns when the device has taken it. */
void msi_set_mask(struct pci_dev *p, unsigned nr, bool on);
/* Unmask it, if neither its driver nor a storm has masked it. */
void msi_open(struct pci_dev *p, unsigned nr);

/* The message for nr's CPU and vector into the device, which has it masked. */
int msi_program(struct pci_dev *p, unsigned nr);
/* A storm of that vector of cpu, which is v's, masks v. */
void msi_watch(struct msi_vector *v, unsigned cpu, unsigned vector);

/*
 * How nr, which has none there, gets a vector of cpu: from the room that is set
 * aside for it, if that is where it belongs.
 */
irq_take *irqs_take(const struct pci_dev *p, unsigned nr, unsigned cpu);

/* The CPUs that p's driver wants interrupts on. */
struct cpu_set irqs_allowed(const struct pci_dev *p);

/*
 * As msi_alloc(), only by what is in use. Why it is not MSI-X, or neither, is
 * in why afterwards (MSI_WHY_ALL bytes).
 */
int msi_alloc_by(struct pci_dev *p, unsigned min, unsigned max, unsigned use,
		 char *why);

#endif
