/* SPDX-License-Identifier: MIT */
/*
 * Ticket locks. A CPU that waits for longer than 10 s has met a deadlock
 * or a CPU that died holding the lock; either is our own fault and panics.
 * Only time in which the waiting CPU ran counts: a machine that was stopped
 * for a minute (or a CPU that the host did not run) looks like one long step
 * between two looks at the clock, and a step counts for 1 ms at most.
 */
#include "core/lock.h"

#include "core/cpu.h"
#include "core/panic.h"

#define SPIN_PATIENCE	(10 * NSEC_PER_SEC)
#define SPIN_STEP	NSEC_PER_MSEC

void spin_init(struct spinlock *l, const char *name)
{
	*l = (struct spinlock)SPINLOCK_INIT(name);
}

/* Out of line, so that who need not wait saves no registers for it. */
static __noinline void spin_wait(struct spinlock *l, uint16_t ticket)
{
	nsec_t last = time_now(), waited = 0;

	if (READ_ONCE(l->holder) == cpu_id() + 1)
		panic("lock %s: taken twice", l->name);
	while (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket) {
		nsec_t now = time_now();

		waited += MIN(now - last, SPIN_STEP);
		last = now;
		if (waited > SPIN_PATIENCE)
			panic("lock %s: held by CPU %u for over 10 s",
			      l->name, READ_ONCE(l->holder) - 1);
		cpu_relax();
	}
}

irqflags_t spin_lock(struct spinlock *l)
{
	irqflags_t flags = cpu_irq_save();
	uint16_t ticket;

	ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);
	if (unlikely(__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket))
		spin_wait(l, ticket);
	l->holder = cpu_id() + 1;
	return flags;
}

bool spin_try(struct spinlock *l, irqflags_t *flags)
{
	uint16_t ticket = READ_ONCE(l->owner), free = ticket;

	*flags = cpu_irq_save();
	if (!__atomic_compare_exchange_n(&l->next, &free,
					 (uint16_t)(ticket + 1), false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		cpu_irq_restore(*flags);
		return false;
	}
	l->holder = cpu_id() + 1;
	return true;
}

void spin_unlock(struct spinlock *l, irqflags_t flags)
{
	l->holder = 0;
	__atomic_store_n(&l->owner, (uint16_t)(l->owner + 1),
			 __ATOMIC_RELEASE);
	cpu_irq_restore(flags);
}

void spin_assert_held(const struct spinlock *l)
{
	if (READ_ONCE(l->holder) != cpu_id() + 1)
		panic("lock %s: not held here", l->name);
}
