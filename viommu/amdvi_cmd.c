/* SPDX-License-Identifier: MIT */
/*
 * The command buffer. Every submission ends in a COMPLETION_WAIT that makes
 * the unit store a sequence number once all before it is done; the submitter
 * watches for that number with the unit's lock held, so the buffer is empty
 * between submissions and cannot overflow.
 *
 * A unit that meets a command it does not know halts (2.5.6). We know what we
 * send, so one that halts is not to be trusted any more: it is dead.
 */
#include "viommu/amdvi.h"

#include "core/cpu.h"
#include "core/dma.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/page.h"

#define AMDVI_CMD_ORDER	1	/* the ring's page, then what is stored */

_Static_assert(AMDVI_ENTRIES * sizeof(struct amdvi_entry) == PAGE_SIZE, "");

int amdvi_cmd_start(struct amdvi_unit *u)
{
	u->ring = page_alloc_zero(AMDVI_CMD_ORDER);
	if (!u->ring)
		return -ENOMEM;
	u->done = &u->ring[AMDVI_ENTRIES].lo;
	u->tail = 0;
	u->seq = 0;
	io_write64(&u->regs, AMDVI_CMD_BASE, virt_to_phys(u->ring) |
		   FIELD_PREP(AMDVI_LOG_LEN, ilog2_up(AMDVI_ENTRIES)));
	io_write64(&u->regs, AMDVI_CMD_HEAD, 0);
	io_write64(&u->regs, AMDVI_CMD_TAIL, 0);
	return 0;
}

void amdvi_cmd_stop(struct amdvi_unit *u, bool keep)
{
	if (u->ring && !keep)
		page_free(u->ring, AMDVI_CMD_ORDER);
	u->ring = NULL;
}

static void amdvi_cmd_put(struct amdvi_unit *u, struct amdvi_entry cmd)
{
	u->ring[u->tail++ % AMDVI_ENTRIES] = cmd;
}

static bool amdvi_cmd_done(const struct amdvi_unit *u)
{
	return READ_ONCE(*u->done) == u->seq;
}

static int amdvi_cmd_wait(struct amdvi_unit *u)
{
	uint64_t sts;
	int err;

	if (amdvi_cmd_done(u))
		return 0;
	err = poll_until(sts, io_read64(&u->regs, AMDVI_STATUS),
			 amdvi_cmd_done(u) || !(sts & AMDVI_STS_CMDRUN),
			 time_now() + AMDVI_TIMEOUT);
	if (err)
		return err;
	return amdvi_cmd_done(u) ? 0 : -EIO;
}

static int amdvi_cmd_submit_locked(struct amdvi_unit *u,
				   const struct amdvi_entry *cmd, unsigned n)
{
	int err;

	spin_assert_held(&u->lock);
	if (u->dead)
		return u->dead;
	for (unsigned i = 0; i < n; i++)
		amdvi_cmd_put(u, cmd[i]);
	u->seq++;
	amdvi_cmd_put(u, (struct amdvi_entry){
		.lo = FIELD_PREP(AMDVI_CMD_TYPE, AMDVI_COMPLETION_WAIT) |
		      virt_to_phys(u->done) | AMDVI_WAIT_S,
		.hi = u->seq,
	});
	u->submitted += n;
	dma_wmb();
	io_write64(&u->regs, AMDVI_CMD_TAIL,
		   FIELD_PREP(AMDVI_PTR, u->tail % AMDVI_ENTRIES));
	err = amdvi_cmd_wait(u);
	if (err) {
		u->dead = err;
		log_err(u->name, "does not answer its command buffer: %s",
			errno_name(err));
	}
	return err;
}

int amdvi_cmd_submit(struct amdvi_unit *u, const struct amdvi_entry *cmd,
		     unsigned n)
{
	irqflags_t flags;
	int err;

	if (n > AMDVI_BATCH)
		return -EINVAL;
	flags = spin_lock(&u->lock);
	err = amdvi_cmd_submit_locked(u, cmd, n);
	spin_unlock(&u->lock, flags);
	return err;
}

int amdvi_cmd_flush_all(struct amdvi_unit *u)
{
	struct amdvi_entry cmd = {
		.lo = FIELD_PREP(AMDVI_CMD_TYPE, AMDVI_INV_ALL),
	};

	return amdvi_cmd_submit(u, &cmd, 1);
}

static struct amdvi_entry amdvi_cmd_pages(uint16_t domain, uint64_t hi)
{
	return (struct amdvi_entry){
		.lo = FIELD_PREP(AMDVI_CMD_TYPE, AMDVI_INV_PAGES) |
		      FIELD_PREP(AMDVI_INV_DOMAIN, domain),
		.hi = hi | AMDVI_INV_PDE,
	};
}

int amdvi_cmd_flush_device(struct amdvi_unit *u, uint16_t rid, uint16_t domain)
{
	struct amdvi_entry cmd[2] = {
		{ .lo = FIELD_PREP(AMDVI_CMD_TYPE, AMDVI_INV_DEVTAB) |
			FIELD_PREP(AMDVI_INV_DEVICE, rid) },
		/* Pages last: they may be filled from a stale entry. */
		amdvi_cmd_pages(domain, AMDVI_INV_EVERYTHING | AMDVI_INV_S),
	};

	return amdvi_cmd_submit(u, cmd, 2);
}

/*
 * 2.4.3: with S set, 2^n pages are said by address bits 12 to 12 + n - 2 set
 * and the next one clear. Where the range is not aligned to such a block a
 * larger one is taken, which costs a few walks and is correct.
 */
int amdvi_cmd_flush_pages(struct amdvi_unit *u, uint16_t domain, iova_t iova,
			  uint64_t size)
{
	iova_t differ = (iova ^ (iova + size - 1)) >> PAGE_SHIFT;
	uint64_t hi = iova & AMDVI_INV_ADDR;
	struct amdvi_entry cmd;
	unsigned n = 0;

	while (differ >> n)
		n++;
	if (n) {
		uint64_t half = UINT64_C(1) << (PAGE_SHIFT + n - 1);

		hi = ALIGN_DOWN(iova, 2 * half) | (half - PAGE_SIZE) |
		     AMDVI_INV_S;
	}
	cmd = amdvi_cmd_pages(domain, hi);
	return amdvi_cmd_submit(u, &cmd, 1);
}
