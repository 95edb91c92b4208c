/* SPDX-License-Identifier: MIT */
/*
 * Spinlocks. Taken with interrupts off on this CPU; never sleep while holding
 * one. On the host every lock checks itself: taking it twice, giving it back
 * unheld, or a test that ends with it held is a failure.
 *
 * The lock order of the whole kernel, outermost first:
 *
 *	nvme queue, vgpu queue		(one of a device's queues)
 *	iommu domain			(IOVA space and page table of a domain)
 *	iommu unit			(invalidation or request queue)
 *	thread wait queue
 *	run queue, timer queue		(of one CPU; two: lower CPU first)
 *	I/O APIC pins
 *	msi masks			(of one device)
 *	irq table
 *	block device list
 *	mappings
 *	heap
 *	page cache (of one CPU)
 *	page zone (of one node)
 *	pci config			(a leaf: two port accesses)
 *	log				(innermost)
 */
#ifndef CORE_LOCK_H
#define CORE_LOCK_H

#include "core/types.h"

struct spinlock {
	uint16_t next, owner;		/* a ticket lock: served in order */
	uint32_t holder;		/* CPU + 1, or 0: for the asserts */
	const char *name;
};

#define SPINLOCK_INIT(n)	{ .name = (n) }

typedef unsigned long irqflags_t;

void spin_init(struct spinlock *l, const char *name);
irqflags_t spin_lock(struct spinlock *l);
/*
 * Take l if it is free at once; false otherwise. For NMIs, which may have
 * struck the holder itself, or one who waits. On the machine only.
 */
bool spin_try(struct spinlock *l, irqflags_t *flags);
void spin_unlock(struct spinlock *l, irqflags_t flags);
/* For the first line of a _locked function: panics unless this CPU holds l. */
void spin_assert_held(const struct spinlock *l);

#endif
