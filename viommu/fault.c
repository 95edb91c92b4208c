/* SPDX-License-Identifier: MIT */
#include "viommu/fault.h"

#include "core/log.h"
#include "core/pci.h"
#include "core/string.h"
#include "sched/sched.h"
#include "viommu/domain.h"

struct fault_device {
	uint16_t bdf;
	uint64_t count;
	uint64_t last;			/* number of its latest fault */
	struct iommu_fault latest;
};

static struct fault_log {
	struct spinlock lock;
	struct waitq wait;
	/* atomic: */
	bool listens;			/* some unit has an interrupt */
	uint64_t irqs, irqs_lost;
	/* log->lock: */
	uint64_t count, lost;		/* the n-th fault has number n */
	struct iommu_fault ring[FAULT_RING];
	unsigned ndevices;
	struct fault_device device[FAULT_DEVICES];
	/* the console's share: */
	nsec_t burst;			/* when this one began */
	unsigned lines;			/* said in it */
	uint64_t unsaid;
	struct iommu_fault said;	/* the latest */
} fault_log = {
	.lock = SPINLOCK_INIT("iommu fault"),
	.wait = WAITQ_INIT(fault_log.wait),
};

void fault_reset(void)
{
	struct fault_log *l = &fault_log;
	irqflags_t flags = spin_lock(&l->lock);

	l->count = l->lost = l->unsaid = 0;
	l->ndevices = l->lines = 0;
	l->burst = 0;
	l->said = (struct iommu_fault){ 0 };
	l->irqs = l->irqs_lost = 0;
	l->listens = false;
	spin_unlock(&l->lock, flags);
}

static struct fault_device *fault_device(struct fault_log *l, uint16_t bdf)
{
	for (unsigned i = 0; i < l->ndevices; i++) {
		if (l->device[i].bdf == bdf)
			return &l->device[i];
	}
	return NULL;
}

static void fault_count_device(struct fault_log *l, const struct iommu_fault *f)
{
	struct fault_device *d = fault_device(l, f->bdf);

	if (!d) {
		if (l->ndevices == FAULT_DEVICES)
			return;
		d = &l->device[l->ndevices++];
		d->bdf = f->bdf;
		d->count = 0;
	}
	d->count++;
	d->last = l->count;
	d->latest = *f;
}

/* The same access again: QEMU's virtio-iommu reports every 4 bytes of one. */
static bool fault_is_echo(const struct fault_log *l,
			  const struct iommu_fault *f)
{
	return l->said.when && f->when - l->said.when < FAULT_ECHO &&
	       f->bdf == l->said.bdf && f->reason == l->said.reason &&
	       (f->addr & PAGE_MASK) == (l->said.addr & PAGE_MASK);
}

/* May a line be printed? *unsaid: how many went by without one. */
static bool fault_may_speak(struct fault_log *l, const struct iommu_fault *f,
			    uint64_t *unsaid)
{
	nsec_t now = f->when;

	if (fault_is_echo(l, f))
		return false;
	if (!l->lines || now - l->burst >= FAULT_QUIET) {
		l->burst = now;
		l->lines = 0;
	}
	if (l->lines >= FAULT_LINES) {
		l->unsaid++;
		return false;
	}
	l->lines++;
	l->said = *f;
	*unsaid = l->unsaid;
	l->unsaid = 0;
	return true;
}

static void fault_say(const char *unit, const struct iommu_fault *f)
{
	log_warn(unit, "refused DMA: %02x:%02x.%x %s %s%#llx: %s (%u)",
		 PCI_BUS(f->bdf), PCI_SLOT(f->bdf), PCI_FUNC(f->bdf),
		 !f->write_known ? "access to" : f->write ? "write to" :
		 "read of", f->exact ? "" : "page ",
		 (unsigned long long)f->addr, f->text, f->reason);
}

void fault_record(const char *unit, const struct iommu_fault *f)
{
	struct fault_log *l = &fault_log;
	struct iommu_fault kept = *f;
	uint64_t unsaid = 0;
	irqflags_t flags;
	bool speak;

	kept.when = time_now();
	flags = spin_lock(&l->lock);
	l->ring[l->count % FAULT_RING] = kept;
	l->count++;
	fault_count_device(l, &kept);
	speak = fault_may_speak(l, &kept, &unsaid);
	spin_unlock(&l->lock, flags);

	if (unsaid)
		log_warn(unit, "%llu more faults were not shown",
			 (unsigned long long)unsaid);
	if (speak)
		fault_say(unit, &kept);
	waitq_wake_all(&l->wait);
}

void fault_lost(const char *unit, uint64_t n)
{
	struct fault_log *l = &fault_log;
	irqflags_t flags = spin_lock(&l->lock);
	bool first = !l->lost;

	l->lost += n;
	spin_unlock(&l->lock, flags);
	if (first)
		log_warn(unit, "fault records may have been lost: counts are lower bounds");
}

uint64_t iommu_fault_count(void)
{
	struct fault_log *l = &fault_log;
	irqflags_t flags = spin_lock(&l->lock);
	uint64_t n = l->count;

	spin_unlock(&l->lock, flags);
	return n;
}

uint64_t iommu_fault_lost(void)
{
	struct fault_log *l = &fault_log;
	irqflags_t flags = spin_lock(&l->lock);
	uint64_t n = l->lost;

	spin_unlock(&l->lock, flags);
	return n;
}

uint64_t fault_count_of(uint16_t bdf)
{
	struct fault_log *l = &fault_log;
	irqflags_t flags = spin_lock(&l->lock);
	struct fault_device *d = fault_device(l, bdf);
	uint64_t n = d ? d->count : 0;

	spin_unlock(&l->lock, flags);
	return n;
}

bool fault_latest(unsigned n, struct iommu_fault *out)
{
	struct fault_log *l = &fault_log;
	irqflags_t flags = spin_lock(&l->lock);
	bool found = n < l->count && n < FAULT_RING;

	if (found)
		*out = l->ring[(l->count - 1 - n) % FAULT_RING];
	spin_unlock(&l->lock, flags);
	return found;
}

/*
 * The first fault by bdf after the count since; the device's latest when a
 * storm of others has overwritten that one.
 */
static bool fault_find(uint16_t bdf, uint64_t since, struct iommu_fault *out)
{
	struct fault_log *l = &fault_log;
	irqflags_t flags = spin_lock(&l->lock);
	struct fault_device *d = fault_device(l, bdf);
	uint64_t oldest = l->count > FAULT_RING ? l->count - FAULT_RING : 0;
	bool found = d && d->last > since;

	if (found)
		*out = d->latest;
	for (uint64_t i = MAX(since, oldest); i < l->count; i++) {
		if (l->ring[i % FAULT_RING].bdf == bdf) {
			*out = l->ring[i % FAULT_RING];
			found = true;
			break;
		}
	}
	spin_unlock(&l->lock, flags);
	return found;
}

/* ---- waiting ---- */

void fault_listen(void)
{
	__atomic_store_n(&fault_log.listens, true, __ATOMIC_RELAXED);
}

void fault_interrupt(void)
{
	__atomic_fetch_add(&fault_log.irqs, 1, __ATOMIC_RELAXED);
}

uint64_t iommu_fault_irqs_lost(void)
{
	return __atomic_load_n(&fault_log.irqs_lost, __ATOMIC_RELAXED);
}

/* A look has found what no interrupt told. It may still be on its way. */
static void fault_miss_interrupt(uint64_t irqs)
{
	struct fault_log *l = &fault_log;
	nsec_t deadline = time_now() + FAULT_GRACE;

	if (!__atomic_load_n(&l->listens, __ATOMIC_RELAXED) ||
	    !wait_until(&l->wait, __atomic_load_n(&l->irqs,
						  __ATOMIC_RELAXED) != irqs,
			deadline))
		return;
	if (!__atomic_fetch_add(&l->irqs_lost, 1, __ATOMIC_RELAXED))
		log_warn("iommu", "a fault was recorded, and no interrupt told "
			 "of it: found by looking");
}

static bool fault_look(uint16_t bdf, uint64_t since, struct iommu_fault *out)
{
	uint64_t irqs = __atomic_load_n(&fault_log.irqs, __ATOMIC_RELAXED);

	domain_poll_faults();
	if (!fault_find(bdf, since, out))
		return false;
	fault_miss_interrupt(irqs);
	return true;
}

/*
 * The hardware is asked at once, and then every FAULT_LOOK: its interrupt may
 * have been lost, and a machine without a usable one still has its records.
 */
int iommu_fault_wait(uint16_t bdf, uint64_t since, nsec_t deadline,
		     struct iommu_fault *out)
{
	nsec_t look;

	if (fault_find(bdf, since, out) || fault_look(bdf, since, out))
		return 0;
	do {
		look = MIN(deadline, time_now() + FAULT_LOOK);
		if (!wait_until(&fault_log.wait, fault_find(bdf, since, out),
				look) ||
		    fault_look(bdf, since, out))
			return 0;
	} while (look < deadline);
	return -ETIMEDOUT;
}
