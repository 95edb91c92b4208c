/* SPDX-License-Identifier: MIT */
/*
 * The last words. Nothing here allocates or waits for a lock: the other CPUs
 * are stopped by NMI, the log's lock is broken, and a second panic on the way
 * (from a bad stack, say) goes straight to the end of the machine. CPUs often
 * panic together, of one cause (a lock nobody gives back, the host's NMI to
 * all): the first speaks, the others fall silent.
 *
 * The symbol table is made from the linked kernel itself (boot/ksyms.awk) and
 * linked in again: ksyms_count entries sorted by address, each the offset from
 * image_text_start and the offset of a name.
 */
#include "core/panic.h"

#include "core/cpu.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/trap.h"
#include "core/x86.h"

#define PANIC_FRAMES	24
#define PANIC_NAME_WAIT	NSEC_PER_MSEC	/* for the first to say who it is */

extern const uint32_t ksyms_count, ksyms_offset[], ksyms_name[];
extern const char ksyms_names[];
extern const char image_text_start[], image_text_end[];

static void (*panic_hook[MACHINE_END_HOOKS])(enum machine_end how);
static unsigned panic_hooks;
static bool panic_entered;
static unsigned panic_cpu;	/* + 1, of the first to enter; 0: not known yet */

void panic_symbol(uintptr_t addr, char *buf, size_t size)
{
	uint32_t off = (uint32_t)(addr - (uintptr_t)image_text_start);
	uint32_t lo = 0, hi = ksyms_count;

	while (lo < hi) {		/* the last entry at or below off */
		uint32_t mid = lo + (hi - lo) / 2;

		if (ksyms_offset[mid] <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		fmt_snprintf(buf, size, "?");
	else
		fmt_snprintf(buf, size, "%s+0x%x",
			     ksyms_names + ksyms_name[lo - 1],
			     off - ksyms_offset[lo - 1]);
}

static bool panic_in_text(uintptr_t addr)
{
	return addr >= (uintptr_t)image_text_start &&
	       addr < (uintptr_t)image_text_end;
}

/* A return address belongs to the call before it, which may end a function. */
static void panic_frame(uintptr_t rip, unsigned back)
{
	char sym[96];

	panic_symbol(rip - back, sym, sizeof(sym));
	console_printf("  %016lx %s\n", rip, sym);
}

/*
 * Follow the frame pointers upwards as long as they stay within one stack.
 * In an interrupt's frame the vector stands where a return address would, and
 * the interrupted RIP above it (boot/trap_entry.S).
 */
static void panic_backtrace(uintptr_t rip, uintptr_t rbp)
{
	console_printf("backtrace:\n");
	if (panic_in_text(rip))
		panic_frame(rip, 0);
	for (unsigned i = 0; i < PANIC_FRAMES && rbp && !(rbp & 7); i++) {
		const uintptr_t *frame = (const uintptr_t *)rbp;
		uintptr_t up = frame[0];

		if (panic_in_text(frame[1]))
			panic_frame(frame[1], 1);
		else if (panic_in_text(frame[2]))
			panic_frame(frame[2], 0);
		else
			break;
		if (up <= rbp || up - rbp > 64 * 1024)
			break;
		rbp = up;
	}
}

/* A bad GS would fault in cpu_id() again: then panic_cpu stays 0. */
static __noreturn void panic_again(void)
{
	poll_mem_until(READ_ONCE(panic_cpu), time_now() + PANIC_NAME_WAIT);
	if (READ_ONCE(panic_cpu) && READ_ONCE(panic_cpu) != cpu_id() + 1)
		x86_halt_forever();
	log_force();
	console_printf("\npanic while panicking\nPANIC\n");
	machine_end(MACHINE_PANIC);
}

static __noreturn void panic_common(uintptr_t rip, uintptr_t rbp,
				    const char *fmt, va_list ap)
{
	char text[512];

	cpu_irq_save();
	if (__atomic_exchange_n(&panic_entered, true, __ATOMIC_SEQ_CST))
		panic_again();
	WRITE_ONCE(panic_cpu, cpu_id() + 1);
	trap_stop_others();
	log_force();
	fmt_vsnprintf(text, sizeof(text), fmt, ap);
	console_printf("\npanic on CPU %u: ", cpu_id());
	console_write(text, __builtin_strlen(text));
	console_printf("\n");
	panic_backtrace(rip, rbp);
	console_printf("@json {\"event\":\"panic\",\"cpu\":%u}\nPANIC\n",
		       cpu_id());
	machine_end(MACHINE_PANIC);
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	panic_common((uintptr_t)__builtin_return_address(0),
		     *(uintptr_t *)__builtin_frame_address(0), fmt, ap);
}

void panic_at(uintptr_t rip, uintptr_t rbp, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	panic_common(rip, rbp, fmt, ap);
}

void machine_end_register(void (*hook)(enum machine_end how))
{
	BUG_ON(panic_hooks == MACHINE_END_HOOKS);
	panic_hook[panic_hooks++] = hook;
}

void machine_end(enum machine_end how)
{
	cpu_irq_save();
	for (unsigned i = 0; i < panic_hooks; i++)
		panic_hook[i](how);
	console_printf("nothing ends this machine: halted\n");
	x86_halt_forever();
}
