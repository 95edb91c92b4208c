/* SPDX-License-Identifier: MIT */
/*
 * Paravirtual features, the part that needs the machine: registers, the
 * memory that CPUs share with the host, interrupts, and the watched call.
 *
 * The watched call cannot hang. An instruction that the host never completes
 * is interrupted like any other, so a timer on the same CPU looks where its
 * interrupt goes back to. That is the instruction itself three times in a row
 * only if it does not end; then the interrupt returns behind it. (Once may be
 * chance: the host had this CPU wait just there.) One CPU is enough for it.
 *
 * What a CPU has registered the host writes to until the CPU is reset or
 * says otherwise, so its memory is never given back. A reset of the machine
 * clears the registers; whoever starts another kernel in place of this one
 * has to switch all features off first (pv_switch()).
 */
#include "core/dma.h"
#include "core/irq.h"
#include "core/lapic.h"
#include "core/log.h"
#include "core/page.h"
#include "core/percpu.h"
#include "core/tlb.h"
#include "core/trap.h"
#include "core/x86.h"
#include "sched/sched.h"
#include "virt/hyper.h"
#include "virt/pv.h"

#define PV_WATCH_STEP		(2 * NSEC_PER_MSEC)
#define PV_WATCH_STRIKES	3

struct pv_insn_result {
	int64_t ret;
	uint64_t how;			/* enum pv_answer */
};
_Static_assert(PV_ANSWERED == 0 && PV_FAULTED == 1 && PV_STUCK == 3,
	       "virt/pv_insn.S");

struct pv_insn_code {
	struct pv_insn_result (*fn)(uint64_t nr, uint64_t a0, uint64_t a1,
				    uint64_t a2, uint64_t a3);
	const char *at, *out;
};

#define PV_INSN_DECLARE(name)						\
	struct pv_insn_result pv_insn_##name(uint64_t nr, uint64_t a0,	\
					     uint64_t a1, uint64_t a2,	\
					     uint64_t a3);		\
	extern const char pv_insn_##name##_at[], pv_insn_##name##_out[];	\
	static const struct pv_insn_code pv_code_##name = {		\
		pv_insn_##name, pv_insn_##name##_at, pv_insn_##name##_out }

PV_INSN_DECLARE(vmcall);
PV_INSN_DECLARE(vmmcall);
PV_INSN_DECLARE(loop);

/* What a CPU shares with the host. */
struct pv_area {
	struct pv_steal_page steal;
	struct pv_apf_page apf;
};

/* set once by the boot CPU: */
static struct pv_area *pv_areas;

/* ---- the seam ---- */

bool pv_arch_wrmsr(uint32_t msr, uint64_t val)
{
	return x86_wrmsr_safe(msr, val);
}

bool pv_arch_is_amd(void)
{
	return x86_cpuid(0, 0).ebx == 0x68747541;	/* "Auth" */
}

/* Vol. 2B, STI: no interrupt is taken before the instruction after it. */
void pv_arch_halt(void)
{
	__asm__ volatile("sti; hlt" ::: "memory");
}

uint64_t pv_arch_eois(bool skipped)
{
	uint64_t n = 0;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		const struct percpu *p = percpu_of(cpu);

		n += READ_ONCE(*(skipped ? &p->eoi_skipped : &p->eoi_written));
	}
	return n;
}

uint64_t pv_arch_polled(void)
{
	uint64_t n = 0;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		struct sched_stats st;

		sched_stats(cpu, &st);
		n += st.polled;
	}
	return n;
}

/* ---- calls that may never end ---- */

struct pv_watch {
	struct timer timer;
	uint64_t at, out;
	unsigned strikes;
};

static void pv_watch_ring(struct timer *t)
{
	struct pv_watch *w = container_of(t, struct pv_watch, timer);
	uint64_t *rip = trap_interrupted_rip();

	if (*rip != w->at)
		w->strikes = 0;
	else if (++w->strikes == PV_WATCH_STRIKES)
		*rip = w->out;
	if (w->strikes < PV_WATCH_STRIKES)
		timer_start(t, time_now() + PV_WATCH_STEP);
}

static struct pv_insn_result pv_watched(const struct pv_insn_code *c,
					uint64_t nr, const uint64_t arg[4])
{
	struct pv_watch w = { .at = (uintptr_t)c->at,
			      .out = (uintptr_t)c->out };
	struct pv_insn_result r;

	sched_preempt_off();
	timer_init(&w.timer, pv_watch_ring);
	timer_start(&w.timer, time_now() + PV_WATCH_STEP);
	r = c->fn(nr, arg[0], arg[1], arg[2], arg[3]);
	timer_cancel(&w.timer);
	sched_preempt_on();
	return r;
}

/* An exception at the instruction whose address is in CR2, too, was a #PF. */
enum pv_answer pv_arch_hypercall(enum pv_insn insn, uint64_t nr,
				 const uint64_t arg[4], bool watched,
				 int64_t *ret)
{
	const struct pv_insn_code *c = insn == PV_VMCALL ? &pv_code_vmcall :
							   &pv_code_vmmcall;
	struct pv_insn_result r;

	r = watched ? pv_watched(c, nr, arg) :
		      c->fn(nr, arg[0], arg[1], arg[2], arg[3]);
	*ret = r.ret;
	if (r.how == PV_FAULTED && x86_cr2() == (uintptr_t)c->at)
		return PV_PATCHED;
	return (enum pv_answer)r.how;
}

bool pv_watch_selftest(void)
{
	static const uint64_t none[4];

	return pv_watched(&pv_code_loop, 0, none).how == PV_STUCK;
}

/* ---- page faults that are the host's ---- */

/* The host asks only where interrupts were on (else: simply run it again). */
static bool pv_page_fault(struct trap_frame *f, uint64_t cr2)
{
	uint32_t token;

	if (!pv_areas || !pv_apf_claim(&pv_areas[cpu_id()].apf, cr2, &token))
		return false;
	if (f->rflags & X86_RFLAGS_IF) {
		cpu_irq_restore(X86_RFLAGS_IF);
		pv_apf_wait(token, thread_may_block());
		cpu_irq_save();
	}
	return true;
}

static void pv_apf_irq(void *arg)
{
	pv_apf_ready(&pv_areas[cpu_id()].apf);
}

/* Pages for all CPUs, and who uses them; the host need not offer it. */
static bool pv_areas_make(void)
{
	if (!pv_areas) {
		pv_areas = page_alloc(page_order(CPU_MAX * sizeof(*pv_areas)));
		irq_set_system(IRQ_VECTOR_PV_APF, pv_apf_irq, "page ready");
	}
	return pv_areas != NULL;
}

struct pv_apf_page *pv_apf_rehearse(void)
{
	struct pv_apf_page *page;

	if (!pv_areas_make())
		return NULL;
	page = &pv_areas[cpu_id()].apf;
	if (!pv_on(PV_APF))
		*page = (struct pv_apf_page){ 0 };
	trap_pf_hook = pv_page_fault;
	return page;
}

/* ---- start-up ---- */

/* One feature on this CPU, as its state wants it. */
static void pv_enable_here(enum pv_feature f)
{
	switch (f) {
	case PV_KVMCLOCK:
		kvmclock_init_cpu();
		break;
	case PV_STEAL:
		pv_steal_enable(cpu_id(), &pv_areas[cpu_id()].steal);
		break;
	case PV_EOI:
		pv_eoi_enable(&this_cpu()->pv_eoi);
		break;
	case PV_APF:
		pv_apf_enable(&pv_areas[cpu_id()].apf, IRQ_VECTOR_PV_APF);
		break;
	case PV_HALTPOLL:
		pv_poll_host(false);
		break;
	default:			/* nothing on the CPU itself */
		break;
	}
}

static void pv_disable_here(enum pv_feature f)
{
	switch (f) {
	case PV_STEAL:
		pv_steal_disable(cpu_id());
		break;
	case PV_EOI:
		pv_eoi_disable(&this_cpu()->pv_eoi);
		break;
	case PV_APF:
		pv_apf_disable();
		break;
	case PV_HALTPOLL:
		pv_poll_host(true);
		break;
	default:
		break;
	}
}

/* Who asks for it, when every CPU is ready. */
static void pv_set_hook(enum pv_feature f, bool on)
{
	switch (f) {
	case PV_STEAL:
		WRITE_ONCE(sched_stolen_ns, on ? pv_steal_ns : NULL);
		break;
	case PV_TLB:
		WRITE_ONCE(tlb_pv_defer, on ? pv_tlb_defer : NULL);
		break;
	case PV_IPI:
		WRITE_ONCE(lapic_pv_ipi, on ? pv_ipi_send : NULL);
		break;
	case PV_YIELD:
		WRITE_ONCE(lapic_pv_yield, on ? pv_yield_to : NULL);
		break;
	case PV_HALTPOLL:
		WRITE_ONCE(sched_idle_poll, on ? pv_poll_adapt : NULL);
		break;
	default:
		break;
	}
}

static bool pv_any_on(void)
{
	bool any = false;

	for (unsigned f = 0; f < PV_FEATURES; f++)
		any |= pv_on(f);
	return any;
}

void pv_init_cpu(void)
{
	if (!pv_any_on())
		return;
	if (!pv_areas_make()) {
		log_warn("pv", "no memory: nothing is used");
		pv_parse("off");
		pv_decide(false, 0, 0, false);
		return;
	}
	if (pv_on(PV_APF))
		trap_pf_hook = pv_page_fault;
	for (unsigned f = 0; f < PV_FEATURES; f++)
		if (pv_on(f))
			pv_enable_here((enum pv_feature)f);
}

void pv_start(void)
{
	if (pv_on(PV_IPI) || pv_on(PV_YIELD)) {
		pv_hypercall_probe();
		pv_ipi_probe();
		pv_yield_probe();
	}
	for (unsigned f = 0; f < PV_FEATURES; f++)
		if (pv_on(f))
			pv_set_hook((enum pv_feature)f, true);
}

/* ---- switching while it runs ---- */

static struct {
	enum pv_feature feature;
	bool on;
} pv_switching;

static void pv_switch_here(void *arg)
{
	if (pv_switching.on)
		pv_enable_here(pv_switching.feature);
	else
		pv_disable_here(pv_switching.feature);
}

/* A thread on each CPU in turn: outside of every interrupt. */
static int pv_switch_cpus(void)
{
	int err = 0;

	for (unsigned cpu = 0; cpu < cpu_count() && !err; cpu++) {
		struct thread *t;

		err = thread_create(cpu, pv_switch_here, NULL, "pv", &t);
		if (!err)
			thread_join(t);
	}
	return err;
}

static bool pv_can_switch(enum pv_feature f, bool on)
{
	enum pv_state state = pv_status[f].state;

	if (f == PV_KVMCLOCK || f == PV_HYPERCALLS)
		return false;
	if (on && pv_needs(f) != f && !pv_on(pv_needs(f)))
		return false;
	return state == PV_ON || state == PV_OFF;
}

/* What was off at the start has not been proven then. */
static void pv_prove(enum pv_feature f)
{
	if (f == PV_IPI || f == PV_YIELD)
		pv_hypercall_probe();
	if (f == PV_IPI)
		pv_ipi_probe();
	if (f == PV_YIELD)
		pv_yield_probe();
}

int pv_switch(enum pv_feature f, bool on)
{
	int err;

	if (!pv_can_switch(f, on))
		return -ENOTSUP;
	if (on) {
		if (!pv_areas_make())
			return -ENOMEM;
		pv_allow(f, true);
		pv_prove(f);
	} else {
		pv_set_hook(f, false);
	}
	if (on && f == PV_APF)
		trap_pf_hook = pv_page_fault;
	pv_switching.feature = f;
	pv_switching.on = on;
	err = pv_switch_cpus();
	if (on && !err && pv_on(f))
		pv_set_hook(f, true);
	pv_allow(f, on);
	return err ? err : pv_on(f) == on ? 0 : -EIO;
}
