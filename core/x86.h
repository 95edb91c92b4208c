/* SPDX-License-Identifier: MIT */
/* Instructions that C has no word for. Only the machine's own files use them. */
#ifndef CORE_X86_H
#define CORE_X86_H

#include "core/extable.h"
#include "core/types.h"
#include "core/x86reg.h"

#define X86_MSR_TSC_DEADLINE	0x6e0
#define X86_MSR_X2APIC		0x800	/* + MMIO offset / 16 */
#define X86_MSR_GS_BASE		0xc0000101

#define X86_RFLAGS_IF		0x200

struct x86_cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct x86_cpuid x86_cpuid(uint32_t leaf, uint32_t sub)
{
	struct x86_cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(sub));
	return r;
}

static inline uint64_t x86_rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void x86_wrmsr(uint32_t msr, uint64_t val)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)val),
			 "d"((uint32_t)(val >> 32)) : "memory");
}

/* For MSRs that may not exist: false when the CPU raised #GP. */
static inline bool x86_rdmsr_safe(uint32_t msr, uint64_t *val)
{
	uint32_t lo, hi, ok = 0;

	__asm__ volatile("1: rdmsr; movl $1, %2; 2:" EXTABLE(1b, 2b)
			 : "=a"(lo), "=d"(hi), "+r"(ok) : "c"(msr));
	if (ok)
		*val = (uint64_t)hi << 32 | lo;
	return ok;
}

static inline bool x86_wrmsr_safe(uint32_t msr, uint64_t val)
{
	uint32_t ok = 0;

	__asm__ volatile("1: wrmsr; movl $1, %0; 2:" EXTABLE(1b, 2b)
			 : "+r"(ok) : "c"(msr), "a"((uint32_t)val),
			 "d"((uint32_t)(val >> 32)) : "memory");
	return ok;
}

/* For addresses that may not be mapped: false when the CPU raised #PF, #GP. */
static inline bool x86_read_safe(uintptr_t addr, uint64_t *val)
{
	uint32_t ok = 0;
	uint64_t v;

	__asm__ volatile("1: movq (%2), %0; movl $1, %1; 2:" EXTABLE(1b, 2b)
			 : "=&r"(v), "+&r"(ok) : "r"(addr) : "memory");
	if (ok)
		*val = v;
	return ok;
}

static inline uint64_t x86_rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

#define X86_READ_CR(n)							\
static inline uint64_t x86_cr##n(void)					\
{									\
	uint64_t v;							\
									\
	__asm__ volatile("movq %%cr" #n ", %0" : "=r"(v));		\
	return v;							\
}
X86_READ_CR(0)
X86_READ_CR(2)
X86_READ_CR(3)
X86_READ_CR(4)

/* false when the CPU, or the hypervisor behind it, refused a bit of it. */
static inline bool x86_load_cr4_safe(uint64_t v)
{
	uint32_t ok = 0;

	__asm__ volatile("1: movq %1, %%cr4; movl $1, %0; 2:" EXTABLE(1b, 2b)
			 : "+r"(ok) : "r"(v) : "memory");
	return ok;
}

static inline void x86_load_cr4(uint64_t v)
{
	__asm__ volatile("movq %0, %%cr4" : : "r"(v) : "memory");
}

static inline void x86_load_cr3(uint64_t v)
{
	__asm__ volatile("movq %0, %%cr3" : : "r"(v) : "memory");
}

static inline void x86_load_cr2(uint64_t v)
{
	__asm__ volatile("movq %0, %%cr2" : : "r"(v));
}

static inline void x86_invlpg(const void *va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline void x86_outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}
static inline void x86_outw(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}
static inline void x86_outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}
static inline uint8_t x86_inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}
static inline uint16_t x86_inw(uint16_t port)
{
	uint16_t v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}
static inline uint32_t x86_inl(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline void __noreturn x86_halt_forever(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

#endif
