/* SPDX-License-Identifier: MIT */
#include "core/nmi.h"

#include "core/cmdline.h"
#include "core/cpu.h"
#include "core/fmt.h"
#include "core/irq.h"
#include "core/lapic.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/percpu.h"
#include "core/x86.h"

#define NMI_TEXT	1536
#define NMI_PATIENCE	(10 * NSEC_PER_MSEC)	/* for the console */
#define NMI_PAUSE	NSEC_PER_SEC		/* between a CPU's reports */

static const struct cmdline_key key_nmi = {
	"nmi", "report|panic",
	"what an NMI from outside does (default: report)" };
CMDLINE_KEY(key_nmi);

bool (*nmi_hook)(struct trap_frame *f);

static unsigned nmi_stopper;	/* CPU + 1 that stops all others, or 0 */

/* ---- what an NMI from outside does ---- */

static void nmi_take_shot(struct nmi_shot *s, const struct trap_frame *f)
{
	s->n = panic_trace(f, s->rip, ARRAY_SIZE(s->rip));
	s->in_irq = this_cpu()->in_irq;
}

static size_t nmi_compose(const struct nmi_shot *s, char *text, size_t size)
{
	char sym[96];
	size_t len;

	len = fmt_snprintf(text, size, "NMI %llu on CPU %u: thread %s%s\n",
			   (unsigned long long)this_cpu()->nmis, cpu_id(),
			   percpu_name(this_cpu()),
			   s->in_irq ? ", in an interrupt" : "");
	for (unsigned i = 0; i < s->n && len < size; i++) {
		panic_symbol(s->rip[i], sym, sizeof(sym));
		len += fmt_snprintf(text + len, size - len, "  %016lx %s\n",
				    s->rip[i], sym);
	}
	return MIN(len, size - 1);
}

/*
 * The console may be held by the very code that was interrupted, or by another
 * CPU that also reports: so whole reports, with a bounded wait.
 */
static bool nmi_say(const struct nmi_shot *s)
{
	nsec_t deadline = time_now() + NMI_PATIENCE;
	char text[NMI_TEXT];
	size_t len = nmi_compose(s, text, sizeof(text));

	return !poll_mem_until(console_try(text, len) ||
			       READ_ONCE(nmi_stopper), deadline);
}

/* Later, as an ordinary interrupt: what could not be said at once. */
static void nmi_say_late(void *arg)
{
	char text[NMI_TEXT];
	size_t len = nmi_compose(&this_cpu()->shot, text, sizeof(text));

	console_write(text, len);
	this_cpu()->shot.waits = false;
}

static void nmi_report(const struct trap_frame *f)
{
	struct nmi_shot *s = &this_cpu()->shot;
	nsec_t now = time_now();

	if (s->waits || now < s->next)
		return;			/* counted, not shown */
	s->next = now + NMI_PAUSE;
	nmi_take_shot(s, f);
	if (nmi_say(s))
		return;
	s->waits = true;
	lapic_ipi_self(IRQ_VECTOR_NMI);
}

static __noreturn void nmi_stop_here(const struct trap_frame *f)
{
	percpu_stopped(f->rip);
	x86_halt_forever();
}

static void nmi_from_outside(struct trap_frame *f)
{
	if (nmi_hook && nmi_hook(f))
		return;
	if (cmdline_list_has("nmi", "panic"))
		panic_trap(f, "NMI");
	nmi_report(f);
}

/*
 * CR2 is put back: this may have struck at the start of a page fault's
 * handler, which has not read it yet, and a backtrace faults.
 */
void nmi_handle(struct trap_frame *f)
{
	unsigned stopper = READ_ONCE(nmi_stopper);
	struct percpu *cpu = this_cpu();
	uint64_t cr2 = x86_cr2();

	cpu->nmis++;
	if (stopper == cpu->id + 1)
		return;			/* the host's: let the panic go on */
	if (stopper)
		nmi_stop_here(f);
	cpu->in_nmi++;
	nmi_from_outside(f);
	cpu->in_nmi--;
	if (x86_cr2() != cr2)
		x86_load_cr2(cr2);
}

void nmi_init(void)
{
	irq_set_system(IRQ_VECTOR_NMI, nmi_say_late, "late NMI report");
}

/* ---- stopping the others ---- */

static unsigned nmi_running(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < cpu_count(); i++)
		n += i != cpu_id() &&
		     !__atomic_load_n(&percpu_of(i)->stopped, __ATOMIC_ACQUIRE);
	return n;
}

/* One that is not up yet has no IDT: an NMI would shut the machine down. */
static void nmi_stop_unborn(void)
{
	for (unsigned i = 0; i < cpu_count(); i++) {
		struct percpu *p = percpu_of(i);

		if (i == cpu_id() || READ_ONCE(p->online))
			continue;
		lapic_send_init(p->apic_id);
		p->stopped = true;
	}
}

static unsigned nmi_stop_deaf(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < cpu_count(); i++) {
		struct percpu *p = percpu_of(i);

		if (i == cpu_id() || READ_ONCE(p->stopped))
			continue;
		lapic_send_init(p->apic_id);
		p->deaf = true;
		n++;
	}
	return n;
}

void nmi_stop_others(struct nmi_stop *out)
{
	nsec_t start = time_now();

	*out = (struct nmi_stop){ 0 };
	WRITE_ONCE(nmi_stopper, cpu_id() + 1);
	if (cpu_count() == 1)
		return;
	nmi_stop_unborn();
	lapic_nmi_others();
	poll_mem_until(!nmi_running(), start + NMI_STOP_WAIT);
	out->deaf = nmi_stop_deaf();
	out->cpus = cpu_count() - 1;
	out->took = time_now() - start;
}
