/* SPDX-License-Identifier: MIT */
/*
 * When an NVMe controller does not answer, or nobody hears it: the watchdog
 * notices, in interrupt context, and the recovery thread acts (see nvme.c).
 */
#include "blk/nvme.h"

#include "core/cpu.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/pci.h"
#include "msi/irqs.h"

#define NVME_LOOK_WAIT	(10 * NSEC_PER_SEC)	/* it calls each CPU once */

/* ---- the watchdog ---- */

void nvme_watch(struct nvme_ctrl *c)
{
	if (!__atomic_exchange_n(&c->watching, true, __ATOMIC_SEQ_CST))
		timer_start(&c->watchdog, time_now() + NVME_TICK);
}

/* Gone, fatal or disabled behind our back: no command will be answered. */
static bool nvme_failed(struct nvme_ctrl *c)
{
	uint32_t csts = io_read32(&c->regs, NVME_CSTS);

	return (csts & (NVME_CSTS_RDY | NVME_CSTS_CFS)) != NVME_CSTS_RDY;
}

/* Hardware that was pulled reads as all ones; with QEMU it reads as 0. */
static bool nvme_gone(struct nvme_ctrl *c)
{
	return io_read32(&c->regs, NVME_VS) != c->vs;
}

/*
 * "watching" is taken back before the look, so that a command submitted after
 * it arms the timer again by itself, perhaps on another CPU and before we are
 * done here: "ticking" is for nvme_stop_recovery(), which must not miss us.
 */
static void nvme_tick(struct timer *t)
{
	struct nvme_ctrl *c = container_of(t, struct nvme_ctrl, watchdog);
	bool inflight = false, overdue = false, waits = false;

	WRITE_ONCE(c->ticking, true);
	WRITE_ONCE(c->epoch, c->epoch + 1);
	__atomic_store_n(&c->watching, false, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < c->nio; i++)
		nvme_queue_watch(&c->io[i], &inflight, &overdue, &waits);
	if (waits) {
		WRITE_ONCE(c->want_look, true);
		waitq_wake_all(&c->wq);
	}
	if (overdue || (inflight && nvme_failed(c))) {
		WRITE_ONCE(c->want_reset, true);
		waitq_wake_all(&c->wq);
	} else if (inflight && !READ_ONCE(c->want_stop)) {
		nvme_watch(c);
	}
	__atomic_store_n(&c->ticking, false, __ATOMIC_RELEASE);
}

/* ---- the recovery thread ---- */

/* Has any command been answered since the last reset? */
static bool nvme_made_progress(struct nvme_ctrl *c)
{
	uint64_t answers = 0;
	bool progress;

	for (unsigned i = 0; i < c->nio; i++)
		answers += READ_ONCE(c->io[i].answers);
	progress = answers != c->answers_seen;
	c->answers_seen = answers;
	return progress;
}

static void nvme_bury(struct nvme_ctrl *c, int err)
{
	nvme_refuse(c, -ENODEV);
	pci_disable_master(to_pci_dev(c->dev));
	WRITE_ONCE(c->state, NVME_DEAD);
	log_err(c->name, "given up after %u resets: %s", c->resets,
		errno_name(err));
}

static void nvme_recover(struct nvme_ctrl *c)
{
	uint32_t csts = io_read32(&c->regs, NVME_CSTS);
	bool gone = nvme_gone(c);
	int err;

	log_warn(c->name, "%s: CSTS 0x%x", gone ? "is gone" :
		 csts & NVME_CSTS_CFS ? "fatal status, reset" :
		 "a command is overdue, reset", csts);
	WRITE_ONCE(c->state, NVME_RESETTING);
	nvme_refuse(c, -EAGAIN);
	c->resets++;
	c->fruitless = nvme_made_progress(c) ? 1 : c->fruitless + 1;
	err = gone ? -ENODEV : nvme_disable(c);
	if (err || c->fruitless >= NVME_RESETS)
		nvme_bury(c, err ? err : -ETIMEDOUT);
	nvme_fail(c, gone ? -ENODEV : -ETIMEDOUT, gone ? -ENODEV : -ECANCELED);
	/* Nothing is in flight: what is asked for from here on is a new reset. */
	WRITE_ONCE(c->want_reset, false);
	if (READ_ONCE(c->state) == NVME_DEAD)
		return;
	err = nvme_revive(c);
	if (err) {
		nvme_bury(c, err);
		return;
	}
	WRITE_ONCE(c->state, NVME_LIVE);
	nvme_refuse(c, 0);
	log_info(c->name, "works again");
}

/* An answer is there and its interrupt is not: lost, or only late? */
static void nvme_look(struct nvme_ctrl *c)
{
	struct pci_dev *p = to_pci_dev(c->dev);

	WRITE_ONCE(c->want_look, false);
	WRITE_ONCE(c->looking, true);
	cpu_mb();			/* looking, then blind: see below */
	if (!READ_ONCE(c->blind) && irq_watch_look(p))
		for (unsigned i = 0; i < c->nio; i++)
			c->io[i].missed = irq_watch_lost(p, c->io[i].vector);
	__atomic_store_n(&c->looking, false, __ATOMIC_RELEASE);
}

void nvme_stop_looking(struct nvme_ctrl *c)
{
	WRITE_ONCE(c->blind, true);
	cpu_mb();
	if (poll_mem_until(!READ_ONCE(c->looking), time_now() + NVME_LOOK_WAIT))
		panic("%s: the look for interrupts does not end", c->name);
}

static void nvme_recovery_thread(void *arg)
{
	struct nvme_ctrl *c = arg;

	for (;;) {
		wait_until(&c->wq, READ_ONCE(c->want_stop) ||
				   READ_ONCE(c->want_reset) ||
				   READ_ONCE(c->want_look), NSEC_NEVER);
		if (READ_ONCE(c->want_stop))
			return;
		if (READ_ONCE(c->want_look))
			nvme_look(c);
		if (READ_ONCE(c->want_reset))
			nvme_recover(c);
	}
}

int nvme_start_recovery(struct nvme_ctrl *c)
{
	waitq_init(&c->wq);
	timer_init(&c->watchdog, nvme_tick);
	c->want_stop = c->want_reset = c->watching = c->want_look = false;
	c->blind = false;
	return thread_create(SCHED_ANY_CPU, nvme_recovery_thread, c,
			     "nvme-recovery", &c->thread);
}

void nvme_stop_recovery(struct nvme_ctrl *c)
{
	WRITE_ONCE(c->want_stop, true);
	waitq_wake_all(&c->wq);
	thread_join(c->thread);
	nvme_refuse(c, -ENODEV);	/* or a command would start the timer */
	timer_cancel(&c->watchdog);
	if (poll_mem_until(!READ_ONCE(c->ticking), time_now() + NVME_TICK))
		panic("%s: the watchdog does not return", c->name);
}
