/* SPDX-License-Identifier: MIT */
/*
 * The event log: a ring that the unit writes and we read, without an
 * interrupt, when somebody wants to know (iommu_fault_wait(), the monitor).
 * While it is full the unit drops what comes and says so; it goes on logging
 * only after being switched off and on again (2.5.1).
 *
 * QEMU 7.2 never writes an entry (docs/errata.md).
 */
#include "viommu/amdvi.h"

#include "core/cpu.h"
#include "core/dma.h"
#include "core/errno.h"
#include "core/page.h"
#include "viommu/fault.h"

static const char *const amdvi_event_texts[] = {
	[AMDVI_EV_ILLEGAL_DTE] = "device table entry invalid",
	[AMDVI_EV_PAGE_FAULT] = "not mapped for that",
	[AMDVI_EV_DEVTAB_HW] = "device table unreadable",
	[AMDVI_EV_PAGETAB_HW] = "page table unreadable",
	[AMDVI_EV_ILLEGAL_CMD] = "command refused",
	[AMDVI_EV_CMD_HW] = "command buffer unreadable",
	[AMDVI_EV_INV_TIMEOUT] = "invalidation timed out",
	[AMDVI_EV_BAD_REQUEST] = "request of no allowed kind",
};

static void amdvi_event_report(struct amdvi_unit *u, struct amdvi_entry e)
{
	unsigned code = FIELD_GET(AMDVI_EVENT_CODE, e.lo);
	bool access = code == AMDVI_EV_PAGE_FAULT ||
		      code == AMDVI_EV_ILLEGAL_DTE;
	struct iommu_fault f = {
		.bdf = FIELD_GET(AMDVI_EVENT_DEVICE, e.lo),
		.addr = e.hi,
		.reason = code,
		.exact = true,
		.write_known = access && !(e.lo & AMDVI_EVENT_TR),
		.write = access && e.lo & AMDVI_EVENT_RW,
		.text = code < ARRAY_SIZE(amdvi_event_texts) ?
			amdvi_event_texts[code] : NULL,
	};

	if (!f.text)
		f.text = "event unknown to us";
	/* Not by a device: the unit's own trouble. */
	if (code == AMDVI_EV_ILLEGAL_CMD || code == AMDVI_EV_CMD_HW)
		f.bdf = u->bdf;
	fault_record(u->name, &f);
}

int amdvi_event_start(struct amdvi_unit *u)
{
	u->log = page_alloc_zero(0);
	if (!u->log)
		return -ENOMEM;
	u->head = 0;
	io_write64(&u->regs, AMDVI_EVENT_BASE, virt_to_phys(u->log) |
		   FIELD_PREP(AMDVI_LOG_LEN, ilog2_up(AMDVI_ENTRIES)));
	io_write64(&u->regs, AMDVI_EVENT_HEAD, 0);
	io_write64(&u->regs, AMDVI_EVENT_TAIL, 0);
	io_write64(&u->regs, AMDVI_STATUS, AMDVI_STS_OVERFLOW |
		   AMDVI_STS_EVENTINT);
	return 0;
}

void amdvi_event_stop(struct amdvi_unit *u, bool keep)
{
	if (u->log && !keep)
		page_free(u->log, 0);
	u->log = NULL;
}

/* Take entries up to where the unit writes; one round of the ring at most. */
static void amdvi_event_take(struct amdvi_unit *u)
{
	uint64_t tail = io_read64(&u->regs, AMDVI_EVENT_TAIL);
	unsigned end = FIELD_GET(AMDVI_PTR, tail) % AMDVI_ENTRIES;

	if (tail == UINT64_MAX)
		return;
	dma_rmb();
	for (; u->head != end; u->head = (u->head + 1) % AMDVI_ENTRIES) {
		amdvi_event_report(u, u->log[u->head]);
		u->events++;
	}
	io_write64(&u->regs, AMDVI_EVENT_HEAD, FIELD_PREP(AMDVI_PTR, u->head));
}

/* 2.5.1: off, the overflow cleared, and on again. Bounded as all waits are. */
static void amdvi_event_restart(struct amdvi_unit *u)
{
	uint64_t ctrl = io_read64(&u->regs, AMDVI_CONTROL), sts;

	io_write64(&u->regs, AMDVI_CONTROL, ctrl & ~AMDVI_CTRL_EVENTLOGEN);
	if (poll_until(sts, io_read64(&u->regs, AMDVI_STATUS),
		       !(sts & AMDVI_STS_EVENTRUN),
		       time_now() + AMDVI_TIMEOUT))
		return;
	io_write64(&u->regs, AMDVI_STATUS, AMDVI_STS_OVERFLOW);
	io_write64(&u->regs, AMDVI_CONTROL, ctrl);
}

void amdvi_event_collect(struct amdvi_unit *u)
{
	irqflags_t flags = spin_lock(&u->event_lock);
	uint64_t sts = io_read64(&u->regs, AMDVI_STATUS);

	if (sts != UINT64_MAX) {
		amdvi_event_take(u);
		if (sts & AMDVI_STS_OVERFLOW) {
			fault_lost(u->name, 1);
			amdvi_event_restart(u);
		}
	}
	spin_unlock(&u->event_lock, flags);
}
