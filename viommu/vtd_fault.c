/* SPDX-License-Identifier: MIT */
/*
 * Fault records. A unit keeps a few (QEMU: one) until they are cleared; while
 * all are full it drops what comes and says so (FSTS.PFO). The fault event
 * is a message of its own, not remapped, which comes when the first record
 * becomes pending, so records are collected until none is left.
 */
#include "viommu/vtd.h"

#include "core/cpu.h"
#include "core/errno.h"
#include "core/irq.h"
#include "core/log.h"
#include "msi/msi.h"
#include "viommu/fault.h"

/*
 * Sweeps over the records in one go. A device that faults faster than we
 * collect must not keep this CPU for ever; the next event goes on.
 */
#define VTD_FAULT_SWEEPS	8

static const char *const vtd_fault_texts[] = {
	[VTD_FR_ROOT_NOT_PRESENT] = "root entry not present",
	[VTD_FR_CONTEXT_NOT_PRESENT] = "in no domain",
	[VTD_FR_CONTEXT_INVALID] = "context entry invalid",
	[VTD_FR_BEYOND_WIDTH] = "address beyond the domain's width",
	[VTD_FR_WRITE] = "not mapped for writing",
	[VTD_FR_READ] = "not mapped for reading",
	[VTD_FR_TABLE_ADDR] = "page table unreadable",
	[VTD_FR_ROOT_TABLE_ADDR] = "root table unreadable",
	[VTD_FR_CONTEXT_TABLE_ADDR] = "context table unreadable",
	[VTD_FR_ROOT_RESERVED] = "reserved bits in the root entry",
	[VTD_FR_CONTEXT_RESERVED] = "reserved bits in the context entry",
	[VTD_FR_PAGE_RESERVED] = "reserved bits in a page table entry",
	[VTD_FR_TRANSLATION_TYPE] = "request type not allowed",
	[VTD_FR_INTERRUPT_RANGE] = "page lies in the interrupt range",
	[VTD_FR_IR_RESERVED] = "reserved bits in an interrupt request",
	[VTD_FR_IR_INDEX] = "interrupt index beyond the table",
	[VTD_FR_IR_NOT_PRESENT] = "interrupt entry not present",
	[VTD_FR_IR_TABLE_ADDR] = "interrupt table unreadable",
	[VTD_FR_IR_ENTRY_RESERVED] = "reserved bits in an interrupt entry",
	[VTD_FR_IR_COMPATIBILITY] = "interrupt in compatibility format",
	[VTD_FR_IR_SOURCE] = "interrupt from the wrong source",
};

const char *vtd_fault_text(unsigned reason)
{
	const char *text = NULL;

	if (reason < ARRAY_SIZE(vtd_fault_texts))
		text = vtd_fault_texts[reason];
	return text ? text : "reason unknown to us";
}

/*
 * Only the fields of legacy mode are looked at: QEMU 7.2 leaves garbage in
 * those of a process address space though none is there.
 */
static void vtd_fault_decode(uint64_t lo, uint64_t hi, struct iommu_fault *f)
{
	*f = (struct iommu_fault){
		.bdf = FIELD_GET(VTD_FRCD_SID, hi),
		.addr = lo & VTD_FRCD_FI,
		.reason = FIELD_GET(VTD_FRCD_FR, hi),
		.write_known = true,
		.write = !(hi & VTD_FRCD_T),
	};
	f->text = vtd_fault_text(f->reason);
}

/* Report and clear the record at off, if it is one. */
static void vtd_fault_take(struct vtd_unit *u, size_t off)
{
	struct iommu_fault f;
	uint64_t lo, hi;

	if (!(io_read32(&u->regs, off + VTD_FRCD_F) & VTD_FRCD_F_SET))
		return;
	lo = io_read64(&u->regs, off + VTD_FRCD_LO);
	hi = io_read64(&u->regs, off + VTD_FRCD_HI);
	io_write32(&u->regs, off + VTD_FRCD_F, VTD_FRCD_F_SET);
	vtd_fault_decode(lo, hi, &f);
	fault_record(u->name, &f);
}

static unsigned vtd_fault_records(const struct vtd_unit *u)
{
	return FIELD_GET(VTD_CAP_NFR, u->cap) + 1;
}

static size_t vtd_fault_offset(const struct vtd_unit *u, unsigned n)
{
	return (FIELD_GET(VTD_CAP_FRO, u->cap) + n) * VTD_FRCD_SIZE;
}

static void vtd_fault_sweep(struct vtd_unit *u, unsigned first)
{
	unsigned n = vtd_fault_records(u);

	for (unsigned i = 0; i < n; i++)
		vtd_fault_take(u, vtd_fault_offset(u, (first + i) % n));
}

void vtd_fault_collect(struct vtd_unit *u)
{
	irqflags_t flags = spin_lock(&u->fault_lock);

	for (unsigned i = 0; i < VTD_FAULT_SWEEPS; i++) {
		uint32_t fsts = io_read32(&u->regs, VTD_FSTS);

		if (fsts == UINT32_MAX ||
		    !(fsts & (VTD_FSTS_PPF | VTD_FSTS_PFO)))
			break;
		vtd_fault_sweep(u, FIELD_GET(VTD_FSTS_FRI, fsts));
		/* Only now: with all records full it would be set again. */
		if (fsts & VTD_FSTS_PFO) {
			io_write32(&u->regs, VTD_FSTS, VTD_FSTS_PFO);
			fault_lost(u->name, 1);
		}
	}
	spin_unlock(&u->fault_lock, flags);
}

static void vtd_fault_irq(void *arg)
{
	fault_interrupt();
	vtd_fault_collect(arg);
}

/* What happened before us is not ours to report. */
static void vtd_fault_clear(struct vtd_unit *u)
{
	for (unsigned i = 0; i < vtd_fault_records(u); i++)
		io_write32(&u->regs, vtd_fault_offset(u, i) + VTD_FRCD_F,
			   VTD_FRCD_F_SET);
	io_write32(&u->regs, VTD_FSTS, VTD_FSTS_PFO);
}

int vtd_fault_start(struct vtd_unit *u)
{
	struct msi_msg msg;
	int vector;

	vector = irq_alloc(cpu_id(), vtd_fault_irq, u, u->name);
	if (vector < 0)
		return vector;
	u->cpu = cpu_id();
	u->vector = vector;
	vtd_fault_clear(u);
	msi_compose(u->cpu, u->vector, &msg);
	io_write32(&u->regs, VTD_FEDATA, msg.data);
	io_write32(&u->regs, VTD_FEADDR, (uint32_t)msg.addr);
	io_write32(&u->regs, VTD_FEUADDR, msg.addr >> 32);
	io_write32(&u->regs, VTD_FECTL, 0);
	fault_listen();
	return 0;
}

void vtd_fault_stop(struct vtd_unit *u)
{
	if (!u->vector)
		return;
	io_write32(&u->regs, VTD_FECTL, VTD_FECTL_IM);
	/* Reading back means that no message is under way any more. */
	io_read32(&u->regs, VTD_FECTL);
	irq_free(u->cpu, u->vector);
	u->vector = 0;
}
