/* SPDX-License-Identifier: MIT */
/*
 * The life of a domain. The first device of a group to be attached makes it:
 * an empty address space, with page 0, the MSI window and what the firmware
 * reserves for that device taken out. Then the device's requester ids are
 * let in, each once however many devices use it, and only those: a neighbour
 * in the group that has no driver stays refused. The last device to be
 * detached takes the domain with it.
 */
#include "viommu/domain.h"

#include "core/bootinfo.h"
#include "core/cpu.h"
#include "core/device.h"
#include "core/errno.h"
#include "core/heap.h"
#include "core/log.h"

struct list domain_list = LIST_INIT(domain_list);

static const struct domain_ops *domain_ops;

struct domain *domain_of(struct device *dev)
{
	return dev->dma.ops == &domain_dma_ops ? dev->dma.domain : NULL;
}

static struct domain *domain_find(struct group_key key)
{
	struct domain *d;

	list_for_each(d, &domain_list, node) {
		if (group_same(d->key, key))
			return d;
	}
	return NULL;
}

static struct domain *domain_new(struct group_key key, const struct pci_dev *p,
				 int *err)
{
	struct domain *d = heap_zalloc(domain_ops->size);

	*err = -ENOMEM;
	if (!d)
		return NULL;
	d->ops = domain_ops;
	d->key = key;
	group_name(key, d->name, sizeof(d->name));
	spin_init(&d->lock, "iommu domain");
	*err = d->ops->init(d, p);
	if (*err)
		goto err_free;
	/* Page 0 stays out: an address of 0 is always somebody's mistake. */
	*err = iova_init(&d->iova, MAX(d->first, (iova_t)PAGE_SIZE), d->last);
	if (*err)
		goto err_fini;
	*err = iova_reserve(&d->iova, DOMAIN_MSI_FIRST, DOMAIN_MSI_LAST);
	if (*err)
		goto err_iova;
	list_add_tail(&domain_list, &d->node);
	return d;

err_iova:
	iova_fini(&d->iova);
err_fini:
	d->ops->fini(d);
err_free:
	heap_free(d);
	return NULL;
}

/* The last user of the i-th requester id is gone. */
static void domain_drop_rid(struct domain *d, unsigned i)
{
	uint16_t rid = d->rid[i].rid;
	int err = d->ops->detach(d, rid);

	if (err)
		log_err(d->name, "requester %#x: detaching failed (%s)", rid,
			errno_name(err));
	d->rid[i] = d->rid[--d->nrids];
}

/*
 * The last device is gone. Its ids were asked for anew, and a bridge that has
 * vanished since does not tell them: what is left of them goes now. Then no
 * requester id leads here any more, so the tables can go even if the domain
 * was given up.
 */
static void domain_free(struct domain *d)
{
	while (d->nrids)
		domain_drop_rid(d, d->nrids - 1);
	if (d->mapped && !d->dead)
		log_warn(d->name, "%llu bytes were still mapped at the end",
			 (unsigned long long)d->mapped);
	list_del(&d->node);
	iova_fini(&d->iova);
	d->ops->fini(d);
	heap_free(d);
}

/*
 * Mapped to itself stays only what is firmware's own: RAM is handed out to
 * others, so a table that wants some of it for a device is wrong.
 */
static int domain_check_identity(const struct domain *d,
				 const struct domain_region *r)
{
	if (r->first < d->first || r->last > d->last)
		return -ERANGE;
	for (unsigned i = 0; i < bootinfo.nranges; i++) {
		const struct mem_range *m = &bootinfo.range[i];

		if (m->type != MEM_RAM || r->last < m->base ||
		    r->first >= m->base + m->size)
			continue;
		log_err(d->name, "reserved region %#llx to %#llx is in RAM",
			(unsigned long long)r->first,
			(unsigned long long)r->last);
		return -EPERM;
	}
	return 0;
}

static int domain_map_identity(struct domain *d, const struct domain_region *r)
{
	iova_t first = r->first & PAGE_MASK;
	uint64_t size = (r->last & PAGE_MASK) + PAGE_SIZE - first;
	int err;

	err = d->ops->map(d, first, first, size, DOMAIN_READ | DOMAIN_WRITE);
	if (!err)
		err = d->ops->commit(d, first, size);
	return err;
}

/*
 * A region that the domain has taken in already, for a neighbour in the
 * group, is recognised by being taken; reserving twice is harmless.
 */
static int domain_take_region(struct domain *d, const struct domain_region *r)
{
	irqflags_t flags;
	bool known;
	int err;

	err = r->identity ? domain_check_identity(d, r) : 0;
	if (err)
		return err;
	flags = spin_lock(&d->lock);
	known = iova_taken(&d->iova, r->first, r->last - r->first + 1);
	err = iova_reserve(&d->iova, r->first, r->last);
	if (!err && r->identity && !known)
		err = domain_map_identity(d, r);
	spin_unlock(&d->lock, flags);
	return err;
}

static int domain_take_regions(struct domain *d, const struct pci_dev *p)
{
	struct domain_region r[DOMAIN_REGIONS];
	int n = d->ops->regions(p, r, DOMAIN_REGIONS), err = 0;

	for (int i = 0; i < n && !err; i++)
		err = domain_take_region(d, &r[i]);
	return n < 0 ? n : err;
}

static int domain_add_rid(struct domain *d, uint16_t rid)
{
	unsigned i;
	int err;

	for (i = 0; i < d->nrids; i++) {
		if (d->rid[i].rid == rid) {
			d->rid[i].users++;
			return 0;
		}
	}
	if (i == DOMAIN_RIDS)
		return -ENOSPC;
	err = d->ops->attach(d, rid);
	if (err)
		return err;
	d->rid[i].rid = rid;
	d->rid[i].users = 1;
	d->nrids++;
	return 0;
}

static void domain_remove_rid(struct domain *d, uint16_t rid)
{
	for (unsigned i = 0; i < d->nrids; i++) {
		if (d->rid[i].rid != rid)
			continue;
		if (!--d->rid[i].users)
			domain_drop_rid(d, i);
		return;
	}
}

/* The ids that a bridge may use besides the sure one need not be known. */
static int domain_add_rids(struct domain *d, const struct group *g)
{
	unsigned i;
	int err;

	for (i = 0; i < g->nrids; i++) {
		err = domain_add_rid(d, g->rid[i]);
		if (err && (i == 0 || err != -ENXIO))
			goto err_remove;
	}
	return 0;

err_remove:
	while (i--)
		domain_remove_rid(d, g->rid[i]);
	return err;
}

static int domain_attach(struct device *dev)
{
	struct pci_dev *p = to_pci_dev(dev);
	struct group g;
	struct domain *d;
	int err;

	if (dev->dma.ops)
		return -EBUSY;
	if (domain_ops->is_own && domain_ops->is_own(p))
		return -EPERM;
	group_of(p, &g);
	d = domain_find(g.key);
	if (!d) {
		d = domain_new(g.key, p, &err);
		if (!d)
			goto err_say;
	}
	err = d->dead ? d->dead : domain_take_regions(d, p);
	if (err)
		goto err_free;
	err = domain_add_rids(d, &g);
	if (err)
		goto err_free;
	d->devices++;
	dev->dma.domain = d;
	dev->dma.ops = &domain_dma_ops;
	return 0;

err_free:
	if (!d->devices)
		domain_free(d);
err_say:
	log_err(dev->name, "cannot be put into a domain: %s", errno_name(err));
	return err;
}

static void domain_detach(struct device *dev)
{
	struct domain *d = domain_of(dev);
	struct group g;

	if (!d)
		return;
	group_of(to_pci_dev(dev), &g);
	for (unsigned i = 0; i < g.nrids; i++)
		domain_remove_rid(d, g.rid[i]);
	dev->dma.ops = NULL;
	dev->dma.domain = NULL;
	if (!--d->devices)
		domain_free(d);
}

static struct dma_provider domain_provider = {
	.attach = domain_attach,
	.detach = domain_detach,
};

void domain_start(const struct domain_ops *ops)
{
	domain_ops = ops;
	domain_provider.name = ops ? ops->name : NULL;
	dma_set_provider(ops ? &domain_provider : NULL);
}

const struct domain_ops *domain_family(void)
{
	return domain_ops;
}

/* ---- for reports and tests ---- */

unsigned domain_count(void)
{
	struct domain *d;
	unsigned n = 0;

	list_for_each(d, &domain_list, node)
		n++;
	return n;
}

uint64_t domain_mapped(void)
{
	struct domain *d;
	uint64_t n = 0;

	list_for_each(d, &domain_list, node)
		n += READ_ONCE(d->mapped);
	return n;
}

void domain_poll_faults(void)
{
	if (domain_ops && domain_ops->poll_faults)
		domain_ops->poll_faults();
}
