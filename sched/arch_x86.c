/* SPDX-License-Identifier: MIT */
#include "sched/local.h"

extern const char sched_arch_start[];	/* switch.S */

/* What sched_arch_switch() pops, lowest address first. */
struct sched_arch_saved {
	uint64_t r15, r14, r13, r12, rbx, rbp;
	const char *rip;
	uint64_t end[2];		/* no caller: a backtrace stops here */
};
_Static_assert(offsetof(struct sched_arch_saved, rip) == 48,
	       "System V ABI, 3.2.1: six registers are the callee's");
_Static_assert((sizeof(struct sched_arch_saved) - 56) % 16 == 0,
	       "3.2.2: the stack is aligned when rip has been popped");

void *sched_arch_frame(void *top)
{
	struct sched_arch_saved *s = (void *)ALIGN_DOWN((uintptr_t)top, 16);

	*--s = (struct sched_arch_saved){ .rip = sched_arch_start };
	return s;
}

void sched_arch_irqs_on(void)
{
	__asm__ volatile("sti" ::: "memory");
}

/* Vol. 2B, STI: no interrupt is taken before the instruction after it. */
void sched_arch_idle(void)
{
	__asm__ volatile("sti; hlt" ::: "memory");
}
