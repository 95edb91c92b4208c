/* SPDX-License-Identifier: MIT */
/*
 * Asynchronous page faults (msr.rst, MSR_KVM_ASYNC_PF_EN): the host has to
 * fetch a page from disk, and says so by a #PF that is none: the page's flag
 * is set and CR2 holds a token. The thread then waits and others run; "page
 * ready", an interrupt with the same token, ends its wait.
 *
 * Waiting is an offer. Whoever returns from the fault runs the instruction
 * again, and at worst the host makes it wait once more. So every wait has an
 * end, a full table means not to wait, and a "ready" that nobody waits for is
 * kept in case it overtook its fault.
 */
#include "core/dma.h"
#include "sched/sched.h"
#include "virt/pv.h"

#define PV_APF_SLOTS	64
#define PV_APF_PATIENCE	NSEC_PER_SEC

enum pv_apf_state { PV_APF_FREE, PV_APF_WAITING, PV_APF_READY, PV_APF_EARLY };

struct pv_apf_slot {
	uint32_t token;
	enum pv_apf_state state;
};

static struct waitq pv_apf_queue = WAITQ_INIT(pv_apf_queue);
static struct {
	/* pv_apf_queue.lock: */
	struct pv_apf_slot slot[PV_APF_SLOTS];
	unsigned next;			/* the early one that is forgotten next */
	uint64_t late;
} pv_apf;

int pv_apf_enable(struct pv_apf_page *page, unsigned vector)
{
	if (!pv_on(PV_APF))
		return -ENOTSUP;
	*page = (struct pv_apf_page){ 0 };
	/* The vector first, or vector 0 might come (msr.rst). */
	if (pv_arch_wrmsr(KVM_MSR_ASYNC_PF_INT, vector) &&
	    pv_arch_wrmsr(KVM_MSR_ASYNC_PF_EN, virt_to_phys(page) |
			  KVM_ASYNC_PF_ENABLE | KVM_ASYNC_PF_RING0 |
			  KVM_ASYNC_PF_INT))
		return 0;
	pv_break(PV_APF, "its MSRs fault on CPU %u", cpu_id());
	return -EIO;
}

void pv_apf_disable(void)
{
	pv_arch_wrmsr(KVM_MSR_ASYNC_PF_EN, 0);
}

bool pv_apf_claim(struct pv_apf_page *page, uint64_t cr2, uint32_t *token)
{
	if (!(READ_ONCE(page->flags) & KVM_APF_NOT_PRESENT))
		return false;
	*token = (uint32_t)cr2;
	WRITE_ONCE(page->flags, 0);
	return true;
}

static struct pv_apf_slot *pv_apf_find_locked(enum pv_apf_state state,
					      uint32_t token)
{
	for (unsigned i = 0; i < PV_APF_SLOTS; i++) {
		struct pv_apf_slot *s = &pv_apf.slot[i];

		if (s->state == state &&
		    (state == PV_APF_FREE || s->token == token))
			return s;
	}
	return NULL;
}

/* A slot to wait on; NULL: do not wait. */
static struct pv_apf_slot *pv_apf_begin(uint32_t token)
{
	irqflags_t flags = spin_lock(&pv_apf_queue.lock);
	struct pv_apf_slot *s = pv_apf_find_locked(PV_APF_EARLY, token);

	if (s) {
		s->state = PV_APF_FREE;
		s = NULL;
	} else {
		s = pv_apf_find_locked(PV_APF_FREE, 0);
		if (s)
			*s = (struct pv_apf_slot){ token, PV_APF_WAITING };
	}
	spin_unlock(&pv_apf_queue.lock, flags);
	return s;
}

static void pv_apf_end(struct pv_apf_slot *s)
{
	irqflags_t flags = spin_lock(&pv_apf_queue.lock);

	pv_apf.late += s->state == PV_APF_WAITING;
	s->state = PV_APF_FREE;
	spin_unlock(&pv_apf_queue.lock, flags);
}

/* The thread may have been about to block elsewhere: see thread_nudge(). */
static void pv_apf_sleep(struct pv_apf_slot *s, nsec_t deadline)
{
	wait_until(&pv_apf_queue, READ_ONCE(s->state) == PV_APF_READY,
		   deadline);
	thread_nudge();
}

static bool pv_apf_over(const struct pv_apf_slot *s, nsec_t deadline)
{
	return READ_ONCE(s->state) == PV_APF_READY || time_now() >= deadline;
}

static void pv_apf_bell(struct timer *t)
{
}

/*
 * No interrupt may come between the look and the halt, or the halt misses it;
 * and none but the bell's need ever come.
 */
static void pv_apf_halt(struct pv_apf_slot *s, nsec_t deadline)
{
	struct timer bell;
	irqflags_t flags;

	timer_init(&bell, pv_apf_bell);
	timer_start(&bell, deadline);
	while (!pv_apf_over(s, deadline)) {
		flags = cpu_irq_save();
		if (!pv_apf_over(s, deadline))
			pv_arch_halt();
		cpu_irq_restore(flags);
	}
	timer_cancel(&bell);
}

void pv_apf_wait(uint32_t token, bool may_block)
{
	nsec_t deadline = time_now() + PV_APF_PATIENCE;
	struct pv_apf_slot *s = pv_apf_begin(token);

	if (!s)
		return;
	pv_count(PV_APF);
	if (may_block)
		pv_apf_sleep(s, deadline);
	else
		pv_apf_halt(s, deadline);
	pv_apf_end(s);
}

static void pv_apf_all_ready_locked(void)
{
	for (unsigned i = 0; i < PV_APF_SLOTS; i++)
		if (pv_apf.slot[i].state == PV_APF_WAITING)
			pv_apf.slot[i].state = PV_APF_READY;
}

/* Nobody waits for it: keep it, in place of an older one if need be. */
static void pv_apf_early_locked(uint32_t token)
{
	struct pv_apf_slot *s = pv_apf_find_locked(PV_APF_FREE, 0);

	for (unsigned i = 0; i < PV_APF_SLOTS && !s; i++) {
		s = &pv_apf.slot[pv_apf.next++ % PV_APF_SLOTS];
		if (s->state != PV_APF_EARLY)
			s = NULL;
	}
	if (s)
		*s = (struct pv_apf_slot){ token, PV_APF_EARLY };
}

void pv_apf_ready(struct pv_apf_page *page)
{
	uint32_t token = READ_ONCE(page->token);
	struct pv_apf_slot *s;
	irqflags_t flags;

	flags = spin_lock(&pv_apf_queue.lock);
	s = pv_apf_find_locked(PV_APF_WAITING, token);
	if (token == KVM_APF_TOKEN_ALL)
		pv_apf_all_ready_locked();
	else if (s)
		s->state = PV_APF_READY;
	else if (token)
		pv_apf_early_locked(token);
	waitq_wake_all_locked(&pv_apf_queue);
	spin_unlock(&pv_apf_queue.lock, flags);
	WRITE_ONCE(page->token, 0);
	pv_arch_wrmsr(KVM_MSR_ASYNC_PF_ACK, 1);
}

uint64_t pv_apf_late(void)
{
	return READ_ONCE(pv_apf.late);
}
