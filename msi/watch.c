/* SPDX-License-Identifier: MIT */
/*
 * The watchdog for interrupts that never came.
 *
 * Work that waits is no proof: its interrupt may be on the way from the device,
 * or its CPU may not have run since. The first is given IRQ_WATCH_GRACE between
 * two looks. For the second the vector's CPU is called: whoever answers runs,
 * is in no handler, and sees in its IRR what it has yet to take. Only if it
 * says that there is nothing, and work still waits, the interrupt is lost. So a
 * host that lets a CPU wait for seconds makes nobody cry wolf.
 *
 * A vector that its driver has masked (msi_mask()) is its driver's business.
 *
 * A pin keeps asking by its level, and which vector its IOAPIC entry uses is
 * core's business: there the CPU is called, but not asked.
 */
#include "core/call.h"
#include "core/cpu.h"
#include "core/errno.h"
#include "core/log.h"
#include "msi/irqs.h"
#include "msi/vectors.h"

int irq_watch(struct pci_dev *p, unsigned nr, bool (*work_waits)(void *arg))
{
	struct irqs *q = p->irqs;

	if (!q || nr >= q->n || !q->v[nr].fn)
		return -EINVAL;
	q->v[nr].work_waits = work_waits;
	q->v[nr].suspect = false;
	return 0;
}

static void watch_nothing(void *arg)
{
}

/* Has the vector's CPU nothing to take any more? It has run, if so. */
static bool watch_idle(const struct pci_dev *p, unsigned nr)
{
	const struct irqs *q = p->irqs;
	const struct msi *m = p->msi;

	if (q->intx)
		return !call_cpu((unsigned)irq_vectors_cpu(p, nr),
				 watch_nothing, NULL);
	return msi_drained(m->v[nr].cpu, m->v[nr].vector);
}

/* Begin to suspect, or stop to: true when it has lasted long enough. */
static bool watch_suspect(struct irqs_vector *v, bool waits, uint64_t count)
{
	nsec_t now = time_now();

	if (waits && v->suspect && v->count == count)
		return now - v->since >= IRQ_WATCH_GRACE;
	v->suspect = waits;
	v->since = now;
	v->count = count;
	return false;
}

static bool watch_held(const struct pci_dev *p, unsigned nr)
{
	const struct msi *m = p->msi;

	return m && m->v[nr].held;
}

/* On the vector's CPU, interrupts off, as the interrupt would have. */
static void watch_run(void *arg)
{
	const struct irqs_vector *v = arg;

	v->fn(v->arg);
}

static bool watch_look_one(struct pci_dev *p, unsigned nr)
{
	struct irqs *q = p->irqs;
	struct irqs_vector *v = &q->v[nr];
	uint64_t count = irq_vectors_count(p, nr);

	if (!watch_suspect(v, v->work_waits(v->arg), count) ||
	    !watch_idle(p, nr) || irq_vectors_count(p, nr) != count ||
	    !v->work_waits(v->arg))
		return false;
	v->suspect = false;
	v->lost++;			/* before who waits for it goes on */
	if (call_cpu((unsigned)irq_vectors_cpu(p, nr), watch_run, v)) {
		v->lost--;
		return false;
	}
	if (v->lost == 1)
		log_warn(p->dev.name, "vector %u: interrupt lost, found by "
			 "looking%s", nr, !q->intx && msi_masked(p, nr) ?
			 " (it is masked)" : "");
	return true;
}

unsigned irq_watch_look(struct pci_dev *p)
{
	struct irqs *q = p->irqs;
	unsigned lost = 0;

	if (!q || __atomic_exchange_n(&q->looking, true, __ATOMIC_ACQUIRE))
		return 0;
	for (unsigned nr = 0; nr < q->n; nr++)
		if (q->v[nr].work_waits && !watch_held(p, nr))
			lost += watch_look_one(p, nr);
	__atomic_store_n(&q->looking, false, __ATOMIC_RELEASE);
	return lost;
}

uint64_t irq_watch_lost(const struct pci_dev *p, unsigned nr)
{
	const struct irqs *q = p->irqs;

	return q && nr < q->n ? q->v[nr].lost : 0;
}
