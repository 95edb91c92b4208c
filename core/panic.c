/* SPDX-License-Identifier: MIT */
/*
 * The last words. Nothing here allocates or waits without a bound: the other
 * CPUs are stopped by NMI, and this one goes past the log's lock.
 *
 * CPUs often panic together, of one cause (a lock nobody gives back, the host's
 * NMI to all): the first speaks, the others fall silent. What goes wrong on
 * the speaking CPU (a fault in a backtrace, a hook that panics) enters again,
 * each time with less to say: the message and a backtrace, then one line, then
 * nothing but the end of the machine.
 *
 * The symbol table is made from the linked kernel itself (boot/ksyms.awk) and
 * linked in again: ksyms_count entries sorted by address, each the offset from
 * image_text_start and the offset of a name.
 */
#include "core/panic.h"

#include "core/backtrace.h"
#include "core/cpu.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/nmi.h"
#include "core/percpu.h"
#include "core/trap.h"
#include "core/x86.h"

#define PANIC_FRAMES	24		/* printed */
#define PANIC_OTHERS	8		/* CPUs whose place is printed */
#define PANIC_TRIES	(3 + MACHINE_END_HOOKS)

extern const uint32_t ksyms_count, ksyms_offset[], ksyms_name[];
extern const char ksyms_names[];
extern const char image_text_start[], image_text_end[];

void (*panic_extra)(void);

static void (*panic_hook[MACHINE_END_HOOKS])(enum machine_end how);
static unsigned panic_hooks, panic_hooks_tried;
static unsigned panic_cpu;	/* + 1, of the first to enter; 0: none has */
static unsigned panic_depth;	/* owner: how often it has entered */

/* ---- where ---- */

static bool panic_in_text(uintptr_t addr)
{
	return addr >= (uintptr_t)image_text_start &&
	       addr < (uintptr_t)image_text_end;
}

/* The last symbol at or below addr; -1: it is below all of them. */
static int panic_find_symbol(uintptr_t addr)
{
	uint32_t off = (uint32_t)(addr - (uintptr_t)image_text_start);
	uint32_t lo = 0, hi = ksyms_count;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ksyms_offset[mid] <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (int)lo - 1;
}

static uintptr_t panic_symbol_start(int i)
{
	return (uintptr_t)image_text_start + ksyms_offset[i];
}

void panic_symbol(uintptr_t addr, char *buf, size_t size)
{
	int i = panic_find_symbol(addr);

	if (i < 0 || !panic_in_text(addr))
		fmt_snprintf(buf, size, "?");
	else
		fmt_snprintf(buf, size, "%s+0x%lx", ksyms_names + ksyms_name[i],
			     addr - panic_symbol_start(i));
}

static uintptr_t panic_function(uintptr_t rip)
{
	int i = panic_find_symbol(rip);

	return i < 0 ? rip : panic_symbol_start(i);
}

static const struct backtrace_ops panic_backtrace = {
	x86_read_safe, panic_in_text, panic_function };

/* A return address belongs to the call before it, which may end a function. */
static void panic_line(uintptr_t rip, bool is_return)
{
	char sym[96];

	panic_symbol(rip - is_return, sym, sizeof(sym));
	console_printf("  %016lx %s\n", rip, sym);
}

static void panic_frame(const struct backtrace_frame *f)
{
	if (f->kind == BACKTRACE_INTERRUPT)
		console_printf("  --- interrupt 0x%x, at ---\n", f->vector);
	else if (f->kind == BACKTRACE_EXCEPTION)
		console_printf("  --- %s, at ---\n", trap_name(f->vector));
	panic_line(f->rip, f->kind == BACKTRACE_CALL);
}

static void panic_more(unsigned n)
{
	if (n)
		console_printf("  (%u times more)\n", n);
}

/*
 * The callers of rip, which has been printed. Recursion takes one line, so
 * that a stack overflow shows who began it.
 */
static void panic_callers(struct backtrace *b, uintptr_t rip)
{
	unsigned lines = 0, same = 0;
	struct backtrace_frame f;

	while (lines < PANIC_FRAMES && backtrace_next(b, &f)) {
		if (f.rip == rip) {
			same++;
			continue;
		}
		panic_more(same);
		same = 0;
		panic_frame(&f);
		lines++;
		rip = f.rip;
	}
	panic_more(same);
}

unsigned panic_trace(const struct trap_frame *t, uintptr_t *out, unsigned room)
{
	struct backtrace_frame f;
	struct backtrace b;
	unsigned n = 0;

	out[n++] = t->rip;
	backtrace_start_trap(&b, &panic_backtrace, t->rip, t->rsp, t->rbp);
	while (n < room && backtrace_next(&b, &f))
		if (f.rip != out[n - 1])
			out[n++] = f.rip;
	return n;
}

/* ---- what ---- */

/* The bytes around RIP, the one there in angles, as "objdump -d" needs them. */
static void panic_code(uintptr_t rip)
{
	char line[80];
	size_t len = 0;
	uint64_t word;

	for (uintptr_t at = rip - 8; at < rip + 8; at++) {
		if (!x86_read_safe(at, &word))
			continue;
		len += fmt_snprintf(line + len, sizeof(line) - len,
				    at == rip ? " <%02x>" : " %02x",
				    (unsigned)(word & 0xff));
	}
	console_printf("  code    %s\n", len ? line : " cannot be read");
}

static void panic_registers(const struct trap_frame *f)
{
	console_printf("  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n"
		       "  rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n",
		       f->rax, f->rbx, f->rcx, f->rdx, f->rsi, f->rdi, f->rbp,
		       f->rsp);
	console_printf("  r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n"
		       "  r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n",
		       f->r8, f->r9, f->r10, f->r11, f->r12, f->r13, f->r14,
		       f->r15);
	console_printf("  flags %08lx  cr0 %08lx  cr2 %016lx  cr3 %08lx  "
		       "cr4 %06lx\n", f->rflags, x86_cr0(), x86_cr2(),
		       x86_cr3(), x86_cr4());
}

static void panic_context(const struct percpu *cpu, uintptr_t rsp)
{
	char stack[64];

	trap_stack_name(rsp, stack, sizeof(stack));
	console_printf("  thread   %s%s%s, %lu.%06lu s after start\n"
		       "  stack    %s, at %016lx\n", percpu_name(cpu),
		       cpu->in_irq ? ", in an interrupt" : "",
		       cpu->in_nmi ? ", in an NMI" : "",
		       time_now() / NSEC_PER_SEC,
		       time_now() % NSEC_PER_SEC / 1000, stack, rsp);
}

static void panic_trap_context(const struct trap_frame *f)
{
	char sym[96];

	panic_context(this_cpu(), f->rsp);
	panic_symbol(f->rip, sym, sizeof(sym));
	console_printf("  at       %s (%016lx), vector %lu, error 0x%lx\n",
		       panic_in_text(f->rip) ? sym : "no code of ours", f->rip,
		       f->vector, f->error);
	panic_code(f->rip);
	panic_registers(f);
}

static void panic_trap_backtrace(const struct trap_frame *f)
{
	struct backtrace b;

	console_printf("backtrace:\n");
	if (panic_in_text(f->rip))
		panic_line(f->rip, false);
	backtrace_start_trap(&b, &panic_backtrace, f->rip, f->rsp, f->rbp);
	panic_callers(&b, f->rip);
}

/* ---- the others ---- */

static void panic_other(const struct percpu *p)
{
	char sym[96];

	panic_symbol(p->stopped_at, sym, sizeof(sym));
	if (p->deaf)
		console_printf("  CPU %u took no NMI: stopped by INIT (thread %s)\n",
			       p->id, percpu_name(p));
	else
		console_printf("  CPU %u was in thread %s, at %s\n", p->id,
			       percpu_name(p), p->stopped_at ? sym : "its start");
}

static void panic_others(const struct nmi_stop *s)
{
	unsigned shown = 0;

	if (!s->cpus)
		return;
	console_printf("%u CPU%s stopped in %lu us\n", s->cpus,
		       s->cpus == 1 ? "" : "s", s->took / NSEC_PER_USEC);
	for (unsigned i = 0; i < cpu_count() && shown < PANIC_OTHERS; i++)
		if (i != cpu_id()) {
			panic_other(percpu_of(i));
			shown++;
		}
	if (shown < s->cpus)
		console_printf("  and %u more\n", s->cpus - shown);
}

/* ---- one panic, and those within it ---- */

struct panic_event {
	const struct trap_frame *trap;	/* NULL: somebody called panic() */
	uintptr_t rip, rbp;		/* without a trap */
	char text[320];
};

static void panic_say(const struct panic_event *e)
{
	struct backtrace b;

	console_write(e->text, __builtin_strlen(e->text));
	console_printf("\n");
	if (e->trap) {
		panic_trap_context(e->trap);
		panic_trap_backtrace(e->trap);
		return;
	}
	panic_context(this_cpu(), e->rbp);
	console_printf("backtrace:\n");
	panic_line(e->rip, true);
	backtrace_start(&b, &panic_backtrace, e->rbp);
	panic_callers(&b, e->rip);
}

static void panic_first(const struct panic_event *e)
{
	struct nmi_stop stop;

	nmi_stop_others(&stop);
	console_printf("\npanic on CPU %u: ", cpu_id());
	panic_say(e);
	panic_others(&stop);
	if (panic_extra)
		panic_extra();
	console_printf("@json {\"event\":\"panic\",\"cpu\":%u,"
		       "\"stopped\":%u,\"deaf\":%u,\"stop_us\":%lu}\n",
		       cpu_id(), stop.cpus, stop.deaf,
		       stop.took / NSEC_PER_USEC);
}

/* Counts from 1 for the CPU that speaks; the others end here. */
static unsigned panic_enter(uintptr_t rip)
{
	unsigned owner = 0, me;

	cpu_irq_save();
	percpu_rescue();
	me = cpu_id() + 1;
	if (!__atomic_compare_exchange_n(&panic_cpu, &owner, me, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) &&
	    owner != me) {
		percpu_stopped(rip);
		x86_halt_forever();
	}
	log_force();
	return ++panic_depth;
}

static __noreturn void panic_common(struct panic_event *e, unsigned depth,
				    const char *fmt, va_list ap)
{
	if (depth > PANIC_TRIES)
		x86_halt_forever();
	if (depth <= 2)
		fmt_vsnprintf(e->text, sizeof(e->text), fmt, ap);
	if (depth == 1) {
		panic_first(e);
	} else if (depth == 2) {
		console_printf("\npanic while panicking: ");
		panic_say(e);
	} else if (depth == 3) {
		console_printf("\nthird panic: no more words\n");
	}
	console_printf("PANIC\n");
	machine_end(MACHINE_PANIC);
}

void panic(const char *fmt, ...)
{
	struct panic_event e = {
		.rip = (uintptr_t)__builtin_return_address(0),
		.rbp = *(uintptr_t *)__builtin_frame_address(0),
	};
	va_list ap;

	va_start(ap, fmt);
	panic_common(&e, panic_enter(e.rip), fmt, ap);
}

void panic_trap(const struct trap_frame *f, const char *fmt, ...)
{
	struct panic_event e = { .trap = f };
	va_list ap;

	va_start(ap, fmt);
	panic_common(&e, panic_enter(f->rip), fmt, ap);
}

void machine_end_register(void (*hook)(enum machine_end how))
{
	BUG_ON(panic_hooks == MACHINE_END_HOOKS);
	panic_hook[panic_hooks++] = hook;
}

void machine_end(enum machine_end how)
{
	cpu_irq_save();
	while (panic_hooks_tried < panic_hooks)
		panic_hook[panic_hooks_tried++](how);
	console_printf("nothing ends this machine: halted\n");
	x86_halt_forever();
}
