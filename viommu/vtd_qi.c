/* SPDX-License-Identifier: MIT */
/*
 * The invalidation queue. Every submission ends in a wait descriptor that
 * makes the unit store a sequence number once all before it is done; the
 * submitter watches for that number with the unit's lock held, so the queue
 * is empty between submissions and cannot overflow.
 *
 * A descriptor that the unit refuses stops the queue with the head on it
 * (FSTS.IQE). It is overwritten by one that has no effect, the error bit is
 * cleared, and the tail written again: some units, QEMU's among them, look at
 * the queue only then. The submitter is told, and falls back on
 * forgetting everything.
 */
#include "viommu/vtd.h"

#include "core/cpu.h"
#include "core/dma.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/page.h"

#define VTD_QI_ORDER	1	/* the ring's page, then the status words */
#define VTD_QI_STATUS	0	/* index of the word that submitters watch */
#define VTD_QI_SCRATCH	1	/* of one that nobody looks at */

_Static_assert(VTD_QI_ENTRIES * sizeof(struct vtd_desc) == PAGE_SIZE,
	       "VTD_IQA_QS is 0");

/* The status is written untranslated, and SW is never paired with IF. */
static struct vtd_desc vtd_qi_wait_desc(const struct vtd_unit *u, unsigned word,
					uint32_t data)
{
	return (struct vtd_desc){
		.lo = FIELD_PREP(VTD_DESC_TYPE, VTD_DESC_WAIT) | VTD_WAIT_SW |
		      FIELD_PREP(VTD_WAIT_DATA, data),
		.hi = u->status_pa + word * sizeof(*u->status),
	};
}

int vtd_qi_start(struct vtd_unit *u)
{
	u->ring = page_alloc_zero(VTD_QI_ORDER);
	if (!u->ring)
		return -ENOMEM;
	u->status = (le32 *)&u->ring[VTD_QI_ENTRIES];
	u->status_pa = virt_to_phys(u->status);
	/* 6.5.5: DMA under way finishes first, where that is offered. */
	u->drain = (u->cap & VTD_CAP_DRD ? VTD_DESC_DR : 0) |
		   (u->cap & VTD_CAP_DWD ? VTD_DESC_DW : 0);
	u->am_max = u->cap & VTD_CAP_PSI ?
		    (int)FIELD_GET(VTD_CAP_MAMV, u->cap) : -1;
	u->tail = 0;
	io_write64(&u->regs, VTD_IQT, 0);
	io_write64(&u->regs, VTD_IQA,
		   virt_to_phys(u->ring) | FIELD_PREP(VTD_IQA_QS, 0));
	return vtd_unit_command(u, VTD_G_QIE, 0);
}

/*
 * A unit that does not let go of the ring may still read and write it, so it
 * keeps those pages. One that has vanished cannot.
 */
void vtd_qi_stop(struct vtd_unit *u)
{
	int err;

	if (!u->ring)
		return;
	err = vtd_unit_command(u, 0, VTD_G_QIE);
	if (err && err != -ENODEV)
		log_err(u->name, "invalidation queue cannot be switched off");
	else
		page_free(u->ring, VTD_QI_ORDER);
	u->ring = NULL;
}

static void vtd_qi_put(struct vtd_unit *u, struct vtd_desc d)
{
	u->ring[u->tail++ % VTD_QI_ENTRIES] = d;
}

static void vtd_qi_ring_doorbell(struct vtd_unit *u)
{
	dma_wmb();
	io_write64(&u->regs, VTD_IQT,
		   FIELD_PREP(VTD_IQ_INDEX, u->tail % VTD_QI_ENTRIES));
}

static bool vtd_qi_done(const struct vtd_unit *u)
{
	return READ_ONCE(u->status[VTD_QI_STATUS]) == u->seq;
}

/* A unit that is gone reads all ones, so it looks like an error as well. */
static bool vtd_qi_error(const struct vtd_unit *u)
{
	return io_read32(&u->regs, VTD_FSTS) & VTD_FSTS_IQE;
}

static int vtd_qi_recover(struct vtd_unit *u)
{
	uint64_t head = io_read64(&u->regs, VTD_IQH);
	struct vtd_desc *bad;

	if (head == UINT64_MAX)
		return -ENODEV;
	bad = &u->ring[FIELD_GET(VTD_IQ_INDEX, head) % VTD_QI_ENTRIES];
	u->refused++;
	log_err(u->name, "invalidation descriptor refused: %#llx %#llx",
		(unsigned long long)bad->lo, (unsigned long long)bad->hi);
	*bad = vtd_qi_wait_desc(u, VTD_QI_SCRATCH, 0);
	io_write32(&u->regs, VTD_FSTS, VTD_FSTS_IQE);
	vtd_qi_ring_doorbell(u);
	return 0;
}

/* 0, -EIO (done, but for refused ones), or the unit is dead. */
static int vtd_qi_wait(struct vtd_unit *u)
{
	nsec_t deadline;
	int err, result = 0;

	if (vtd_qi_done(u))
		return 0;
	deadline = time_now() + VTD_TIMEOUT;
	for (unsigned tries = 0; tries <= VTD_QI_BATCH; tries++) {
		err = poll_mem_until(vtd_qi_done(u) || vtd_qi_error(u),
				     deadline);
		if (err || vtd_qi_done(u))
			return err ? err : result;
		err = vtd_qi_recover(u);
		if (err)
			return err;
		result = -EIO;
	}
	return -ETIMEDOUT;
}

static int vtd_qi_submit_locked(struct vtd_unit *u, const struct vtd_desc *desc,
				unsigned n)
{
	int err;

	spin_assert_held(&u->lock);
	if (u->dead)
		return u->dead;
	for (unsigned i = 0; i < n; i++)
		vtd_qi_put(u, desc[i]);
	u->seq++;
	vtd_qi_put(u, vtd_qi_wait_desc(u, VTD_QI_STATUS, u->seq));
	u->submitted += n;
	vtd_qi_ring_doorbell(u);
	err = vtd_qi_wait(u);
	if (err && err != -EIO) {
		u->dead = err;
		log_err(u->name, "does not answer its invalidation queue: %s",
			errno_name(err));
	}
	return err;
}

int vtd_qi_submit(struct vtd_unit *u, const struct vtd_desc *desc, unsigned n)
{
	irqflags_t flags;
	int err;

	if (n > VTD_QI_BATCH)
		return -EINVAL;
	flags = spin_lock(&u->lock);
	err = vtd_qi_submit_locked(u, desc, n);
	spin_unlock(&u->lock, flags);
	return err;
}

int vtd_qi_flush_all(struct vtd_unit *u)
{
	struct vtd_desc d[2] = {
		{ .lo = FIELD_PREP(VTD_DESC_TYPE, VTD_DESC_CONTEXT) |
			FIELD_PREP(VTD_DESC_G, VTD_G_GLOBAL) },
		/* The IOTLB last: it may be filled from a stale context. */
		{ .lo = FIELD_PREP(VTD_DESC_TYPE, VTD_DESC_IOTLB) |
			FIELD_PREP(VTD_DESC_G, VTD_G_GLOBAL) | u->drain },
	};

	return vtd_qi_submit(u, d, 2);
}

/*
 * One descriptor names 2^AM pages aligned to their number. IOVA ranges are
 * aligned that way too, so as a rule it covers exactly what was unmapped;
 * where it does not it covers more, which costs a few walks and is correct.
 */
int vtd_qi_flush_pages(struct vtd_unit *u, uint16_t domain, iova_t iova,
		       uint64_t size)
{
	int am = (int)ilog2_up(size >> PAGE_SHIFT), err;
	iova_t differ = iova ^ (iova + size - 1);
	struct vtd_desc d = {
		.lo = FIELD_PREP(VTD_DESC_TYPE, VTD_DESC_IOTLB) |
		      FIELD_PREP(VTD_DESC_DID, domain) | u->drain,
	};

	while (differ >> (PAGE_SHIFT + am))
		am++;
	if (am <= u->am_max) {
		d.lo |= FIELD_PREP(VTD_DESC_G, VTD_G_PAGE);
		d.hi = ALIGN_DOWN(iova, UINT64_C(1) << (PAGE_SHIFT + am)) |
		       FIELD_PREP(VTD_DESC_AM, am);
	} else {
		d.lo |= FIELD_PREP(VTD_DESC_G, VTD_G_DOMAIN);
	}
	err = vtd_qi_submit(u, &d, 1);
	return err == -EIO ? vtd_qi_flush_all(u) : err;
}
