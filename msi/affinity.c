/* SPDX-License-Identifier: MIT */
/*
 * A connected vector moves to another CPU while its device goes on
 * interrupting. What must hold: no interrupt is lost, none comes twice, and
 * none comes to the old CPU once the move has returned.
 *
 * The handler gets a vector of the new CPU first; the old one stays its own
 * until the old CPU has confirmed that nothing waits there. Then one of:
 *
 *	masked	where the vector can be masked and keeps its event pending (MSI-X,
 *		MSI with mask bits): mask; when the read that ends masking is
 *		answered, every message sent before is in its CPU's IRR
 *		(PCIe 2.4.1); wait until that CPU has taken it; write the new
 *		message; unmask. What happened in between comes from the
 *		pending bit, once, to the new CPU. The two handlers never
 *		overlap.
 *	swapped	where an IOMMU has an entry for it: the entry is exchanged as
 *		a whole and the device not touched. Messages before the flush
 *		go to the old CPU, later ones to the new one, so for a moment
 *		the handler may run on both.
 *
 *	stepped	MSI without mask bits, which cannot be stopped without losing
 *		events. Its address names the CPU and its data the vector, and
 *		they are two writes; but one is enough when the new CPU has the
 *		same vector free. Where it has not, a vector that both CPUs
 *		have free is a step between. Each write turns one message that
 *		is ours into another one. The rest is as with the swap.
 *
 * One of several by MSI is refused: their one message would take the others
 * along.
 *
 * The old CPU is asked by a call (core/call.h), which interrupts it: whoever
 * answers a call is in no other handler, since those run with interrupts off,
 * so its IRR says all and its ISR need not be looked at (which with PV EOI
 * says nothing). As long as the bit is set the CPU is left alone to take it.
 */
#include "msi/vectors.h"

#include "core/call.h"
#include "core/cpu.h"
#include "core/errno.h"
#include "core/log.h"
#include "msi/irqs.h"

#define MSI_DRAIN_WAIT	NSEC_PER_SEC
#define MSI_GSIS	256		/* more pins than anybody has */
#define MSI_BRIDGES	16		/* vectors tried */

struct msi_drain {
	unsigned vector;
	bool pending;
};

static void msi_drain_look(void *arg)
{
	struct msi_drain *d = arg;

	d->pending = cpu_irq_pending(d->vector);
}

bool msi_drained(unsigned cpu, unsigned vector)
{
	struct msi_drain d = { .vector = vector, .pending = true };

	return call_cpu(cpu, msi_drain_look, &d) == 0 && !d.pending;
}

static int msi_drain(const struct msi_vector *old)
{
	return poll_mem_until(msi_drained(old->cpu, old->vector),
			      time_now() + MSI_DRAIN_WAIT);
}

/* nr is masked and stays so; on error its message is what it was. */
static int msi_move_masked(struct pci_dev *p, unsigned nr,
			   const struct msi_vector *to)
{
	struct msi *m = p->msi;
	struct msi_vector *v = &m->v[nr], old = *v;
	int err = msi_drain(&old);

	if (err)
		return err;
	v->cpu = to->cpu;
	v->vector = to->vector;
	err = msi_program(p, nr);
	if (err) {
		*v = old;
		if (msi_program(p, nr))
			log_err(p->dev.name, "vector %u: neither old nor new "
				"message is accepted", nr);
	}
	return err;
}

static int msi_move_swapped(struct pci_dev *p, unsigned nr,
			    const struct msi_vector *to)
{
	struct msi *m = p->msi;
	struct msi_vector *v = &m->v[nr], old = *v;
	int err = m->remap->set(p, m->base, nr, to->cpu, to->vector);

	if (err)
		return err;
	v->cpu = to->cpu;
	v->vector = to->vector;
	err = msi_drain(&old);
	if (err)
		log_err(p->dev.name, "vector %u: CPU %u does not take what "
			"waits at 0x%x", nr, old.cpu, old.vector);
	return 0;
}

/* ---- stepped ---- */

/* A vector that both CPUs have now, with the handler; -EBUSY, -ENOSPC. */
static int msi_bridge(const struct msi_vector *v, unsigned cpu,
		      const char *name)
{
	for (unsigned i = 0; i < MSI_BRIDGES; i++) {
		int vector = irq_alloc(cpu, v->fn, v->arg, name);

		if (vector < 0 || irq_alloc_at(v->cpu, (unsigned)vector, v->fn,
					       v->arg, name) == vector)
			return vector;
		irq_free(cpu, (unsigned)vector);
	}
	return -EBUSY;
}

/* One register of nr's message changes. */
static int msi_step(struct pci_dev *p, unsigned nr, unsigned cpu,
		    unsigned vector)
{
	struct msi *m = p->msi;

	m->v[nr].cpu = cpu;
	m->v[nr].vector = vector;
	return msi_program(p, nr);
}

/* nr's message names this one no more; what it sent is still to be taken. */
static void msi_leave(struct pci_dev *p, unsigned nr, unsigned cpu,
		      unsigned vector)
{
	struct msi *m = p->msi;
	struct msi_vector old = { .cpu = cpu, .vector = vector };

	if (msi_drain(&old))
		log_err(p->dev.name, "vector %u: CPU %u does not take what "
			"waits at 0x%x", nr, cpu, vector);
	m->v[nr].before += irq_count(cpu, vector);
	irq_free(cpu, vector);
}

static int msi_move_stepped(struct pci_dev *p, unsigned nr, unsigned cpu)
{
	struct msi *m = p->msi;
	struct msi_vector *v = &m->v[nr], old = *v;
	const char *name = irq_name(old.cpu, old.vector);
	int vector = irq_alloc_at(cpu, old.vector, v->fn, v->arg, name);
	bool bridged = vector == -EBUSY;
	int err = 0;

	if (bridged)
		vector = msi_bridge(v, cpu, name);
	if (vector < 0)
		return vector;
	msi_watch(v, cpu, (unsigned)vector);
	if (bridged)
		err = msi_step(p, nr, old.cpu, (unsigned)vector);
	if (!err)
		err = msi_step(p, nr, cpu, (unsigned)vector);
	if (err && msi_step(p, nr, old.cpu, old.vector))
		log_err(p->dev.name, "vector %u: neither old nor new message "
			"is accepted", nr);
	if (bridged)
		msi_leave(p, nr, old.cpu, (unsigned)vector);
	if (err)
		msi_leave(p, nr, cpu, (unsigned)vector);
	else
		msi_leave(p, nr, old.cpu, old.vector);
	return err;
}

/* ---- all ways ---- */

static int msi_move_any(struct pci_dev *p, unsigned nr,
			const struct msi_vector *to)
{
	struct msi *m = p->msi;
	int err;

	if (m->remap->set)
		return msi_move_swapped(p, nr, to);
	msi_set_mask(p, nr, true);
	err = msi_move_masked(p, nr, to);
	msi_open(p, nr);
	return err;
}

static int msi_move_to(struct pci_dev *p, unsigned nr, unsigned cpu)
{
	struct msi *m = p->msi;
	struct msi_vector *v = &m->v[nr], old = *v, to = { .cpu = cpu };
	int vector, err;

	if (cpu == old.cpu)
		return 0;
	if (msi_one_cpu(p))
		return -ENOTSUP;
	if (!m->remap->set && !m->ops->keeps_events(m))
		return msi_move_stepped(p, nr, cpu);
	vector = irqs_take(p, nr, cpu)(cpu, v->fn, v->arg,
				       irq_name(old.cpu, old.vector));
	if (vector < 0)
		return vector;
	to.vector = (unsigned)vector;
	msi_watch(v, cpu, to.vector);
	err = msi_move_any(p, nr, &to);
	if (err) {
		irq_free(cpu, to.vector);
		return err;
	}
	v->before += irq_count(old.cpu, old.vector);
	irq_free(old.cpu, old.vector);
	return 0;
}

int msi_move(struct pci_dev *p, unsigned nr, unsigned cpu)
{
	struct msi *m = p->msi;
	int err;

	if (!m || nr >= m->n || cpu >= cpu_count())
		return -EINVAL;
	if (!m->v[nr].vector)
		return -ENOENT;
	if (__atomic_exchange_n(&m->moving, true, __ATOMIC_ACQUIRE))
		return -EBUSY;
	err = msi_move_to(p, nr, cpu);
	__atomic_store_n(&m->moving, false, __ATOMIC_RELEASE);
	if (err)
		log_warn(p->dev.name, "vector %u stays on CPU %u: %s%s", nr,
			 m->v[nr].cpu, errno_name(err),
			 err != -ENOTSUP ? "" :
			 " (MSI, several with one message)");
	return err;
}

/* ---- all of a CPU's ---- */

/* Another CPU that p's vectors may go to: the next one after from. */
static int msi_elsewhere(const struct pci_dev *p, unsigned from)
{
	struct cpu_set among = irqs_allowed(p);
	unsigned n = cpu_count();

	for (unsigned i = 1; i < n; i++)
		if (cpu_set_has(&among, (from + i) % n))
			return (int)((from + i) % n);
	return n > 1 ? (int)((from + 1) % n) : -ENOSPC;
}

static int msi_move_all(struct pci_dev *p, unsigned cpu)
{
	int to = msi_elsewhere(p, cpu), err = 0, one;

	for (unsigned nr = 0; nr < msi_vectors(p); nr++) {
		if (msi_cpu(p, nr) != (int)cpu)
			continue;
		one = to < 0 ? to : msi_move(p, nr, (unsigned)to);
		err = err ? err : one;
	}
	return err;
}

/* Who shares a pin may be no PCI function at all: so they go to any CPU. */
static int msi_move_pins(unsigned cpu)
{
	unsigned to = (cpu + 1) % cpu_count();
	int err = 0, one;

	for (unsigned gsi = 0; gsi < MSI_GSIS; gsi++) {
		if (irq_gsi_cpu(gsi) != (int)cpu)
			continue;
		one = to == cpu ? -ENOSPC : irq_gsi_move(gsi, to);
		if (one)
			log_warn("irq", "pin %u stays on CPU %u: %s", gsi, cpu,
				 errno_name(one));
		err = err ? err : one;
	}
	return err;
}

int irq_rebalance(unsigned cpu)
{
	struct pci_dev *p;
	int err = 0, one;

	if (cpu >= cpu_count())
		return -EINVAL;
	list_for_each(p, &pci_devices, node) {
		one = msi_move_all(p, cpu);
		err = err ? err : one;
	}
	one = msi_move_pins(cpu);
	return err ? err : one;
}
