/* SPDX-License-Identifier: MIT */
/*
 * Message-signalled interrupts, from a driver's request to a vector on a CPU
 * (theory of operation).
 *
 * A device has MSI-X (msix.c) or MSI (msi.c); both hide behind msi_ops, and
 * choose.c takes one after parse.c has found no lie in it. Life of a vector:
 *
 *	allocated	the device has it, masked
 *	connected	it has a vector of one CPU (core/irq.h), the message
 *			says so, and it is unmasked
 *	disconnected	masked again, the CPU's vector given back
 *
 * The message is written only while the vector is masked, since a device may
 * sample it at any time otherwise and send half an old, half a new one.
 *
 * Why no handler runs after msi_disconnect(): masking ends with a read from
 * the device. The answer to that read cannot overtake the messages that the
 * device wrote before (PCIe 2.4.1: completions do not pass posted requests), so
 * when it arrives every message is at its CPU, and irq_free() waits for a
 * handler that runs. One that still waits in the local APIC finds no owner and
 * is counted as such.
 *
 * A driver brings its own serialisation: one user of a device at a time.
 *
 * Several by MSI. The device has one message and adds the vector's number to
 * it, so they are a block of one CPU's vectors, in a row and aligned. It is
 * taken when the first of them is connected, which chooses the CPU, and goes
 * back with the last. Without the optional mask register one of them cannot be
 * silenced: while it is masked its handler is not called, and the event lost, as
 * with a single vector of that kind.
 *
 * How a connected vector moves to another CPU: affinity.c.
 */
#include "msi/vectors.h"

#include "core/bits.h"
#include "core/cpu.h"
#include "core/errno.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/string.h"
#include "msi/msireg.h"

/* Find out in probe what serves, and how many vectors it has for us. */
static int msi_probe(struct pci_dev *p, unsigned min, unsigned max,
		     unsigned use, struct msi *probe)
{
	int err;

	if (p->msi)
		return -EBUSY;
	if (min == 0 || max < min)
		return -EINVAL;
	err = msi_choose(p, probe, use);
	if (err)
		return err;
	probe->n = MIN(max, probe->c.vectors);
	if (probe->limit)
		probe->n = MIN(probe->n, probe->limit);
	return probe->n < min ? -ENOSPC : 0;
}

int msi_alloc(struct pci_dev *p, unsigned min, unsigned max)
{
	char why[MSI_WHY_ALL];

	return msi_alloc_by(p, min, max, IRQ_MSIX | IRQ_MSI, why);
}

int msi_alloc_by(struct pci_dev *p, unsigned min, unsigned max, unsigned use,
		 char *why)
{
	struct msi probe = { 0 }, *m;
	int err = msi_probe(p, min, max, use, &probe);

	memcpy(why, probe.why, sizeof(probe.why));
	if (err)
		return err;
	m = heap_zalloc(sizeof(*m) + probe.n * sizeof(m->v[0]));
	if (!m)
		return -ENOMEM;
	*m = probe;
	spin_init(&m->lock, "msi masks");
	m->remap = remap_of(p);
	err = m->remap->alloc(p, m->n, &m->base);
	if (err)
		goto err_remap;
	pci_enable_intx(p, false);
	err = m->ops->enable(p, m);
	if (err)
		goto err_enable;
	p->msi = m;
	return (int)m->n;

err_enable:
	m->remap->free(p, m->base, m->n);
err_remap:
	heap_free(m);
	return err;
}

/* The vector nr if there is one, connected or not. */
static struct msi_vector *msi_vector(const struct pci_dev *p, unsigned nr)
{
	struct msi *m = p->msi;

	return m && nr < m->n ? &m->v[nr] : NULL;
}

int msi_program(struct pci_dev *p, unsigned nr)
{
	struct msi *m = p->msi;
	struct msi_vector *v = &m->v[nr];
	struct msi_msg msg;
	int err = m->remap->compose(p, m->base, nr, v->cpu, v->vector, &msg);

	if (!err)
		err = msi_validate(p, nr, &msg);
	if (!err)
		m->ops->program(p, m, nr, &msg);
	return err;
}

void msi_set_mask(struct pci_dev *p, unsigned nr, bool on)
{
	struct msi *m = p->msi;
	irqflags_t flags = spin_lock(&m->lock);

	m->ops->mask(p, m, nr, on);
	spin_unlock(&m->lock, flags);
}

void msi_open(struct pci_dev *p, unsigned nr)
{
	struct msi *m = p->msi;
	irqflags_t flags = spin_lock(&m->lock);

	if (!m->v[nr].held && !m->v[nr].storm)
		m->ops->mask(p, m, nr, false);
	spin_unlock(&m->lock, flags);
}

/* ---- a CPU's vector, by itself or of the device's block ---- */

static bool msi_has_block(const struct msi *m)
{
	return m->ops->one_message && m->n > 1;
}

static unsigned msi_block_size(const struct msi *m)
{
	return 1u << ilog2_up(m->n);
}

static void msi_soft_irq(void *arg)
{
	struct msi_vector *v = arg;

	if (!READ_ONCE(v->off))
		v->fn(v->arg);
}

static int msi_block_take(struct msi *m, unsigned cpu)
{
	int first;

	if (m->block)
		return cpu == m->block_cpu ? 0 : -EINVAL;
	first = irq_alloc_block(cpu, msi_block_size(m));
	if (first < 0)
		return first;
	m->block = (unsigned)first;
	m->block_cpu = cpu;
	return 0;
}

/* v->vector is of cpu and calls fn, or an error. */
static int msi_vector_take(irq_take *take, struct pci_dev *p,
			   struct msi_vector *v, unsigned cpu, irq_fn *fn,
			   void *arg, const char *name)
{
	struct msi *m = p->msi;
	int vector;

	if (!msi_has_block(m)) {
		vector = take(cpu, fn, arg, name);
	} else {
		vector = msi_block_take(m, cpu);
		if (!vector)
			vector = (int)(m->block + (unsigned)(v - m->v));
	}
	if (vector < 0)
		return vector;
	*v = (struct msi_vector){
		.vector = (unsigned)vector, .cpu = cpu, .fn = fn, .arg = arg,
		.off = true, .p = p,
	};
	if (msi_is_soft(m))
		irq_block_own(cpu, v->vector, msi_soft_irq, v, name);
	else if (msi_has_block(m))
		irq_block_own(cpu, v->vector, fn, arg, name);
	return 0;
}

static bool msi_any_connected(const struct msi *m)
{
	for (unsigned nr = 0; nr < m->n; nr++)
		if (m->v[nr].vector)
			return true;
	return false;
}

static void msi_vector_give(struct msi *m, struct msi_vector *v)
{
	if (msi_has_block(m))
		irq_block_disown(v->cpu, v->vector);
	else
		irq_free(v->cpu, v->vector);
	*v = (struct msi_vector){ 0 };
	if (m->block && !msi_any_connected(m)) {
		irq_free_block(m->block_cpu, m->block, msi_block_size(m));
		m->block = 0;
	}
}

/*
 * In interrupt context: the driver may unmask it when it knows better. It does
 * not know that it is masked, so a watch goes on looking (watch.c).
 */
static void msi_storm(void *arg)
{
	struct msi_vector *v = arg;
	struct msi *m = v->p->msi;
	irqflags_t flags = spin_lock(&m->lock);

	v->storm = true;
	m->ops->mask(v->p, m, (unsigned)(v - m->v), true);
	spin_unlock(&m->lock, flags);
}

void msi_watch(struct msi_vector *v, unsigned cpu, unsigned vector)
{
	if (!msi_is_soft(v->p->msi))	/* else it would come all the same */
		irq_on_storm(cpu, vector, msi_storm, v);
}

int msi_connect(struct pci_dev *p, unsigned nr, unsigned cpu, irq_fn *fn,
		void *arg, const char *name)
{
	return msi_connect_by(irq_alloc, p, nr, cpu, fn, arg, name);
}

int msi_connect_by(irq_take *take, struct pci_dev *p, unsigned nr,
		   unsigned cpu, irq_fn *fn, void *arg, const char *name)
{
	struct msi_vector *v = msi_vector(p, nr);
	struct msi *m = p->msi;
	int err;

	if (!v || cpu >= cpu_count())
		return -EINVAL;
	if (v->vector)
		return -EBUSY;
	err = msi_vector_take(take, p, v, cpu, fn, arg, name);
	if (err)
		return err;
	err = msi_program(p, nr);
	if (err)
		goto err_program;
	msi_watch(v, cpu, v->vector);
	msi_set_mask(p, nr, false);
	return 0;

err_program:
	msi_vector_give(m, v);
	return err;
}

void msi_disconnect(struct pci_dev *p, unsigned nr)
{
	struct msi_vector *v = msi_vector(p, nr);
	struct msi *m = p->msi;

	if (!v || !v->vector)
		return;
	msi_set_mask(p, nr, true);
	msi_vector_give(m, v);
}

void msi_free(struct pci_dev *p)
{
	struct msi *m = p->msi;

	if (!m)
		return;
	for (unsigned nr = m->n; nr-- > 0;)
		msi_disconnect(p, nr);
	m->ops->disable(p, m);
	m->remap->free(p, m->base, m->n);
	p->msi = NULL;
	heap_free(m);
}

/* Unmasking a vector that has no handler would only make stray interrupts. */
void msi_mask(struct pci_dev *p, unsigned nr, bool masked)
{
	struct msi_vector *v = msi_vector(p, nr);
	struct msi *m = p->msi;
	irqflags_t flags;

	if (!v || !v->vector)
		return;
	flags = spin_lock(&m->lock);
	v->held = masked;
	v->storm = false;
	m->ops->mask(p, m, nr, masked);
	spin_unlock(&m->lock, flags);
}

bool msi_masked(struct pci_dev *p, unsigned nr)
{
	struct msi *m = p->msi;

	return !msi_vector(p, nr) || m->ops->masked(p, m, nr);
}

bool msi_pending(struct pci_dev *p, unsigned nr)
{
	struct msi *m = p->msi;

	return msi_vector(p, nr) && m->ops->pending(p, m, nr);
}

bool msi_one_cpu(const struct pci_dev *p)
{
	const struct msi *m = p->msi;

	return m && msi_has_block(m);
}

const char *msi_kind(const struct pci_dev *p)
{
	const struct msi *m = p->msi;

	return m ? m->ops->name : "none";
}

const char *msi_why(const struct pci_dev *p)
{
	const struct msi *m = p->msi;

	return m ? m->why : "";
}

unsigned msi_vectors(const struct pci_dev *p)
{
	const struct msi *m = p->msi;

	return m ? m->n : 0;
}

uint64_t msi_count(const struct pci_dev *p, unsigned nr)
{
	const struct msi_vector *v = msi_vector(p, nr);

	return v && v->vector ? v->before + irq_count(v->cpu, v->vector) : 0;
}

int msi_cpu(const struct pci_dev *p, unsigned nr)
{
	const struct msi_vector *v = msi_vector(p, nr);

	return v && v->vector ? (int)v->cpu : -ENODEV;
}
