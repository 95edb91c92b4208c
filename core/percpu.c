/* SPDX-License-Identifier: MIT */
#include "core/percpu.h"

#include "core/lapic.h"
#include "core/trap.h"
#include "core/x86.h"

const char *(*percpu_thread_name)(const struct percpu *p);

void percpu_load(struct percpu *p)
{
	p->self = p;
	x86_wrmsr(X86_MSR_GS_BASE, (uintptr_t)p);
}

const char *percpu_name(const struct percpu *p)
{
	return percpu_thread_name && p->current ? percpu_thread_name(p) :
	       "none yet";
}

void percpu_stopped(uintptr_t rip)
{
	this_cpu()->stopped_at = rip;
	__atomic_store_n(&this_cpu()->stopped, true, __ATOMIC_RELEASE);
}

bool percpu_is_known(void)
{
	uint64_t gs = x86_rdmsr(X86_MSR_GS_BASE);

	for (unsigned i = 0; i < cpu_count(); i++)
		if (gs == (uintptr_t)percpu_of(i))
			return true;
	return false;
}

void percpu_rescue(void)
{
	unsigned n = cpu_count();

	if (percpu_is_known())
		return;
	for (unsigned i = 0; i < n; i++)
		if (n == 1 || percpu_of(i)->apic_id == lapic_id())
			percpu_load(percpu_of(i));
}
