/* SPDX-License-Identifier: MIT */
/*
 * One interface over messages and pins. A device's struct irqs lives from
 * irq_alloc_vectors() to irq_vectors_free() and remembers where each vector is
 * to go; the vectors themselves are msi/msi.h's, or the one pin is
 * core/irq.h's.
 */
#include "msi/irqs.h"

#include "core/errno.h"
#include "core/fmt.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/numa.h"
#include "core/string.h"
#include "msi/vectors.h"

static void __printf(2, 3) irqs_say(struct irqs *q, const char *fmt, ...)
{
	size_t len = strlen(q->why);
	va_list ap;

	if (len && len + 2 < sizeof(q->why)) {
		memcpy(q->why + len, "; ", 3);
		len += 2;
	}
	va_start(ap, fmt);
	fmt_vsnprintf(q->why + len, sizeof(q->why) - len, fmt, ap);
	va_end(ap);
}

/* ---- which CPU ---- */

static struct cpu_set irqs_among(const struct irq_hints *h)
{
	struct cpu_set set = { 0 };

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		if (!h->among || cpu_set_has(h->among, cpu))
			cpu_set_add(&set, cpu);
	return set;
}

/* The k-th CPU of set, round and round; -EINVAL when it is empty. */
static int irqs_kth(const struct cpu_set *set, unsigned k)
{
	unsigned n = 0;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		n += cpu_set_has(set, cpu);
	if (!n)
		return -EINVAL;
	k %= n;
	for (unsigned cpu = 0;; cpu++)
		if (cpu_set_has(set, cpu) && k-- == 0)
			return (int)cpu;
}

static struct cpu_set irqs_one(unsigned cpu)
{
	struct cpu_set set = { 0 };

	cpu_set_add(&set, cpu);
	return set;
}

/* The CPU with most room. Somebody may be quicker to take it. */
static int irqs_least(const struct cpu_set *set)
{
	unsigned cpu = 0;
	int vector = vector_alloc_spread(set, cpu_node(cpu_id()), &cpu);

	if (vector < 0)
		return vector;
	vector_free(cpu, (unsigned)vector);
	return (int)cpu;
}

/*
 * Room on its CPU is set aside for nr, if it is a queue's, so that connecting
 * it cannot fail for want of a vector.
 */
static int irqs_place_one(struct irqs *q, const struct irq_hints *h,
			  unsigned nr)
{
	unsigned pre = q->n > h->pre ? h->pre : 0;	/* else all share */
	int cpu = h->managed && nr >= pre ?
		  irqs_kth(&q->among, nr - pre) : irqs_least(&q->among);
	struct cpu_set one;
	int err = 0;

	if (cpu < 0)
		return cpu;
	q->v[nr].cpu = (unsigned)cpu;
	if (q->intx)
		return 0;
	if (nr < pre) {
		q->reserved_from = nr + 1;
	} else {
		one = irqs_one((unsigned)cpu);
		err = vector_reserve(&one);
	}
	if (!err)
		q->reserved_end = nr + 1;
	return err;
}

/* With fewer vectors than the device has, if the CPUs have no more room. */
static int irqs_place(struct irqs *q, const struct irq_hints *h, unsigned min)
{
	unsigned wanted = q->n;
	int err = 0;

	q->among = irqs_among(h);
	for (unsigned nr = 0; nr < wanted; nr++) {
		err = irqs_place_one(q, h, nr);
		if (err)
			break;
	}
	if (err != -ENOSPC || q->reserved_end < MAX(min, h->pre))
		return err;
	q->n = q->reserved_end;
	irqs_say(q, "CPUs have room for %u of %u vectors", q->n, wanted);
	return 0;
}

/*
 * Several by MSI need vectors in a row, which cannot be set aside: connecting
 * the first one may still find none.
 */
static int irqs_place_together(struct irqs *q, const struct irq_hints *h)
{
	int cpu;

	q->among = irqs_among(h);
	cpu = irqs_least(&q->among);
	for (unsigned nr = 0; cpu >= 0 && nr < q->n; nr++)
		q->v[nr].cpu = (unsigned)cpu;
	return MIN(cpu, 0);
}

/* What irqs_place() set aside, of which nothing is taken any more. */
static void irqs_unplace(struct irqs *q)
{
	while (q->reserved_end > q->reserved_from) {
		struct cpu_set one = irqs_one(q->v[--q->reserved_end].cpu);

		vector_unreserve(&one);
	}
}

/* ---- allocation ---- */

/* 1, or why the pin does not serve. */
static int irqs_alloc_pin(struct pci_dev *p, struct irqs *q, unsigned min,
			  unsigned use)
{
	int err = -ENODEV;

	if (!(use & IRQ_INTX)) {
		irqs_say(q, "no INTx: its driver cannot use it");
	} else if (min > 1) {
		irqs_say(q, "no INTx: it is one vector, %u are wanted", min);
		err = -ENOSPC;
	} else {
		err = pci_intx_gsi(p, &q->gsi, &q->flags);
		if (err)
			irqs_say(q, p->intx_pin ? "no INTx: its wiring is not "
				 "known" : "no INTx: the device has no pin");
	}
	q->intx = !err;
	return err ? err : 1;
}

/* Queues of several CPUs gain nothing from vectors of one: then it is one. */
static int irqs_alloc_messages(struct pci_dev *p, struct irqs *q, unsigned min,
			       unsigned max, const struct irq_hints *h,
			       unsigned use)
{
	int n = msi_alloc_by(p, min, max, use, q->why);

	if (!msi_one_cpu(p) || !h->managed || cpu_count() == 1)
		return n;
	msi_free(p);
	n = min > 1 ? -ENOSPC : msi_alloc_by(p, 1, 1, use, q->why);
	if (n > 0)
		irqs_say(q, "one MSI: several interrupt one CPU together");
	return n;
}

static int irqs_alloc_any(struct pci_dev *p, struct irqs *q, unsigned min,
			  unsigned max, const struct irq_hints *h)
{
	unsigned use = h->use ? h->use : IRQ_ANY;
	int n = irqs_alloc_messages(p, q, min, max, h, use), pin;

	if (n > 0 || n == -EBUSY)
		return n;
	if (n == -ENOSPC || n == -ENOMEM)
		irqs_say(q, "%s for %u messages", errno_name(n), min);
	pin = irqs_alloc_pin(p, q, min, use);
	return pin < 0 && n != -ENODEV ? n : pin;
}

int irq_alloc_vectors(struct pci_dev *p, unsigned min, unsigned max,
		      const struct irq_hints *hints)
{
	static const struct irq_hints none;
	const struct irq_hints *h = hints ? hints : &none;
	struct irqs *q;
	int n;

	if (p->irqs)
		return -EBUSY;
	if (min == 0 || max < min)
		return -EINVAL;
	q = heap_zalloc(sizeof(*q) + max * sizeof(q->v[0]));
	if (!q)
		return -ENOMEM;
	n = irqs_alloc_any(p, q, min, max, h);
	if (n < 0)
		goto err_alloc;
	q->n = (unsigned)n;
	n = msi_one_cpu(p) ? irqs_place_together(q, h) : irqs_place(q, h, min);
	if (n < 0)
		goto err_place;
	if (q->why[0])
		log_info(p->dev.name, "%s: %s", q->intx ? "INTx" : "MSI",
			 q->why);
	p->irqs = q;
	return (int)q->n;

err_place:
	irqs_unplace(q);
	msi_free(p);
err_alloc:
	log_warn(p->dev.name, "no interrupt (%s): %s", errno_name(n), q->why);
	heap_free(q);
	return n;
}

/* ---- the pin ---- */

static void irqs_pin_interrupt(void *arg)
{
	struct irqs *q = arg;

	q->count++;
	q->v[0].fn(q->v[0].arg);
}

static int irqs_connect_pin(struct pci_dev *p, struct irqs *q,
			    const char *name)
{
	int err = irq_gsi_request(q->gsi, q->flags, q->v[0].cpu,
				  irqs_pin_interrupt, q, name);

	if (!err)
		pci_enable_intx(p, true);
	return err;
}

static void irqs_free_pin(struct pci_dev *p, struct irqs *q)
{
	if (!q->v[0].fn)
		return;
	pci_enable_intx(p, false);
	irq_gsi_free(q->gsi, irqs_pin_interrupt, q);
}

/* ---- what drivers call ---- */

int irq_vectors_connect(struct pci_dev *p, unsigned nr, irq_fn *fn, void *arg,
			const char *name)
{
	struct irqs *q = p->irqs;

	int err;

	if (!q || nr >= q->n || !fn)
		return -EINVAL;
	if (q->v[nr].fn)
		return -EBUSY;
	q->v[nr].fn = fn;
	q->v[nr].arg = arg;
	if (q->intx)
		err = irqs_connect_pin(p, q, name);
	else
		err = msi_connect_by(irqs_take(p, nr, q->v[nr].cpu), p, nr,
				     q->v[nr].cpu, fn, arg, name);
	if (err)
		q->v[nr].fn = NULL;
	return err;
}

void irq_vectors_free(struct pci_dev *p)
{
	struct irqs *q = p->irqs;

	if (!q)
		return;
	if (q->intx)
		irqs_free_pin(p, q);
	else
		msi_free(p);
	irqs_unplace(q);
	p->irqs = NULL;
	heap_free(q);
}

const char *irq_vectors_kind(const struct pci_dev *p)
{
	const struct irqs *q = p->irqs;

	return q && q->intx ? "intx" : msi_kind(p);
}

const char *irq_vectors_why(const struct pci_dev *p)
{
	const struct irqs *q = p->irqs;

	return q ? q->why : "";
}

unsigned irq_vectors(const struct pci_dev *p)
{
	const struct irqs *q = p->irqs;

	return q ? q->n : 0;
}

int irq_vectors_cpu(const struct pci_dev *p, unsigned nr)
{
	const struct irqs *q = p->irqs;

	int cpu;

	if (!q || nr >= q->n)
		return -EINVAL;
	if (!q->v[nr].fn)
		return (int)q->v[nr].cpu;
	cpu = q->intx ? irq_gsi_cpu(q->gsi) : msi_cpu(p, nr);
	return cpu >= 0 ? cpu : (int)q->v[nr].cpu;
}

irq_take *irqs_take(const struct pci_dev *p, unsigned nr, unsigned cpu)
{
	const struct irqs *q = p->irqs;
	bool home = q && nr >= q->reserved_from && nr < q->reserved_end &&
		    q->v[nr].cpu == cpu;

	return home ? irq_alloc_reserved : irq_alloc;
}

struct cpu_set irqs_allowed(const struct pci_dev *p)
{
	static const struct irq_hints none;
	const struct irqs *q = p->irqs;

	return q ? q->among : irqs_among(&none);
}

int irq_set_affinity(struct pci_dev *p, unsigned nr, unsigned cpu)
{
	struct irqs *q = p->irqs;

	if (!q || nr >= q->n || cpu >= cpu_count())
		return -EINVAL;
	return q->intx ? irq_gsi_move(q->gsi, cpu) : msi_move(p, nr, cpu);
}

uint64_t irq_vectors_count(const struct pci_dev *p, unsigned nr)
{
	const struct irqs *q = p->irqs;

	return q && q->intx ? READ_ONCE(q->count) : msi_count(p, nr);
}
