/* SPDX-License-Identifier: MIT */
/*
 * The last look at a message before a device gets it. What it is compared with
 * does not come from who composed it: the remapping hardware's own view of the
 * message, the CPUs that are up, and the owner of the vector there.
 */
#include "msi/vectors.h"

#include "core/cpu.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/irq.h"

static const struct msi_refusal {
	int err;
	const char *text;
} msi_refusals[] = {
	{ -EINVAL, "no interrupt message" },
	{ -EPERM, "neither fixed and edge nor its own entry" },
	{ -ENOENT, "its remapping entry is not present" },
	{ -ERANGE, "no vector of a device" },
	{ -EHOSTUNREACH, "no CPU has that APIC id" },
	{ -ESTALE, "not where this vector is connected" },
};

static uint64_t msi_refused_by[ARRAY_SIZE(msi_refusals)];	/* atomic */

/* The CPU that is up with this APIC id, or cpu_count(). */
static unsigned msi_cpu_of(uint32_t apic_id)
{
	unsigned cpu = 0;

	while (cpu < cpu_count() && cpu_apic_id(cpu) != apic_id)
		cpu++;
	return cpu;
}

static int msi_check(const struct pci_dev *p, unsigned nr,
		     const struct msi_msg *msg)
{
	const struct msi *m = p->msi;
	struct remap_target to;
	int err = m->remap->resolve(p, msg, &to);
	unsigned cpu;

	if (err)
		return err;
	if (to.vector < IRQ_VECTOR_FIRST || to.vector > IRQ_VECTOR_LAST)
		return -ERANGE;
	cpu = msi_cpu_of(to.apic_id);
	if (cpu == cpu_count() || to.apic_id > m->remap->dest_max)
		return -EHOSTUNREACH;
	if (nr >= m->n || m->v[nr].cpu != cpu || m->v[nr].vector != to.vector ||
	    !irq_name(cpu, to.vector))
		return -ESTALE;
	return 0;
}

int msi_validate(const struct pci_dev *p, unsigned nr,
		 const struct msi_msg *msg)
{
	int err = p->msi ? msi_check(p, nr, msg) : -ESTALE;

	for (unsigned i = 0; err && i < ARRAY_SIZE(msi_refusals); i++) {
		if (msi_refusals[i].err != err)
			continue;
		__atomic_fetch_add(&msi_refused_by[i], 1, __ATOMIC_RELAXED);
		log_warn(p->dev.name, "vector %u: message 0x%llx 0x%x refused: %s",
			 nr, (unsigned long long)msg->addr, msg->data,
			 msi_refusals[i].text);
	}
	return err;
}

uint64_t msi_refused(int err)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(msi_refusals); i++)
		if (!err || msi_refusals[i].err == err)
			sum += __atomic_load_n(&msi_refused_by[i],
					       __ATOMIC_RELAXED);
	return sum;
}
