/* SPDX-License-Identifier: MIT */
#include "msi/remap.h"

#include "core/cpu.h"
#include "core/errno.h"
#include "core/log.h"
#include "msi/msireg.h"

/* set once at start: */
static const struct remap_ops *remap_ops;

void msi_compose(unsigned cpu, unsigned vector, struct msi_msg *msg)
{
	msg->addr = MSI_MSG_ADDR |
		    FIELD_PREP(MSI_MSG_ADDR_DEST, cpu_apic_id(cpu));
	msg->data = FIELD_PREP(MSI_MSG_DATA_VECTOR, vector);
}

static bool remap_none_covers(const struct pci_dev *p)
{
	return true;
}

static int remap_none_alloc(const struct pci_dev *p, unsigned n,
			    unsigned *base)
{
	*base = 0;
	return 0;
}

static void remap_none_free(const struct pci_dev *p, unsigned base, unsigned n)
{
}

static int remap_none_compose(const struct pci_dev *p, unsigned base,
			      unsigned nr, unsigned cpu, unsigned vector,
			      struct msi_msg *msg)
{
	if (cpu_apic_id(cpu) > remap_none.dest_max) {
		log_warn(p->dev.name, "no message reaches CPU %u (APIC id "
			 "0x%x) without interrupt remapping", cpu,
			 cpu_apic_id(cpu));
		return -EHOSTUNREACH;
	}
	msi_compose(cpu, vector, msg);
	return 0;
}

/*
 * Redirection hint and logical destination are legal, but nobody here writes
 * such a message, and where it would go depends on more than the message.
 */
static int remap_none_resolve(const struct pci_dev *p,
			      const struct msi_msg *msg,
			      struct remap_target *to)
{
	if ((msg->addr & ~MSI_MSG_ADDR_DEST) != MSI_MSG_ADDR ||
	    msg->data & MSI_MSG_DATA_RESERVED)
		return -EINVAL;
	if (msg->data & ~MSI_MSG_DATA_VECTOR)
		return -EPERM;
	to->apic_id = FIELD_GET(MSI_MSG_ADDR_DEST, msg->addr);
	to->vector = FIELD_GET(MSI_MSG_DATA_VECTOR, msg->data);
	return 0;
}

const struct remap_ops remap_none = {
	.name = "none",
	.dest_max = MSI_MSG_DEST_MAX,
	.covers = remap_none_covers,
	.alloc = remap_none_alloc,
	.free = remap_none_free,
	.compose = remap_none_compose,
	.resolve = remap_none_resolve,
};

int remap_register(const struct remap_ops *ops)
{
	if (ops && remap_ops)
		return -EBUSY;
	remap_ops = ops;
	return 0;
}

const struct remap_ops *remap_of(const struct pci_dev *p)
{
	return remap_ops && remap_ops->covers(p) ? remap_ops : &remap_none;
}
