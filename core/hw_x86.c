/* SPDX-License-Identifier: MIT */
/*
 * The machine's half of the hardware seam (core/io.h, core/dma.h, core/cpu.h).
 * The other half is tests/host/hw_host.c.
 */
#include "core/cpu.h"
#include "core/dma.h"
#include "core/io.h"
#include "core/irq.h"
#include "core/lapic.h"
#include "core/panic.h"
#include "core/percpu.h"
#include "core/reset.h"
#include "core/vm.h"
#include "core/x86.h"

#define HW_CPUID_LEAVES		0x80000000	/* EAX: the last such leaf */
#define HW_CPUID_ADDRESSES	0x80000008	/* EAX 7:0: physical bits */
#define HW_PHYS_BITS		36		/* where it is not said */

/* ---- register windows ---- */

int io_map_mem(struct io *io, phys_t pa, size_t size)
{
	void *va;

	/* An address that does not exist would be a fault at the first use. */
	if (!size || size > UINT32_MAX || pa + size < pa ||
	    (pa + size - 1) >> cpu_phys_bits())
		return -EINVAL;
	va = vm_map(pa, size, VM_WRITE | VM_UNCACHED);
	if (!va)
		return -ENOMEM;
	*io = (struct io){ IO_MEM, (uint32_t)size, (uintptr_t)va };
	return 0;
}

int io_map_port(struct io *io, uint16_t port, size_t size)
{
	if (!size || port + size > 0x10000)
		return -EINVAL;
	*io = (struct io){ IO_PORT, (uint32_t)size, port };
	return 0;
}

void io_unmap(struct io *io)
{
	if (io->space == IO_MEM)
		vm_unmap((void *)io->base, io->size);
	*io = (struct io){ 0 };
}

int io_sub(struct io *sub, const struct io *io, size_t off, size_t size)
{
	if (!size || off > io->size || size > io->size - off)
		return -ERANGE;
	*sub = (struct io){ io->space, (uint32_t)size, io->base + off };
	return 0;
}

static uintptr_t hw_at(const struct io *io, size_t off, size_t width)
{
	if (unlikely(off > io->size || width > io->size - off))
		panic("io: offset 0x%zx+%zu beyond a window of 0x%x", off,
		      width, io->size);
	return io->base + off;
}

#define HW_ACCESS(bits, port_in, port_out)				\
uint##bits##_t io_read##bits(const struct io *io, size_t off)		\
{									\
	uintptr_t at = hw_at(io, off, bits / 8);			\
									\
	if (io->space == IO_MEM)					\
		return *(volatile uint##bits##_t *)at;			\
	return port_in((uint16_t)at);					\
}									\
									\
void io_write##bits(const struct io *io, size_t off, uint##bits##_t val) \
{									\
	uintptr_t at = hw_at(io, off, bits / 8);			\
									\
	if (io->space == IO_MEM)					\
		*(volatile uint##bits##_t *)at = val;			\
	else								\
		port_out((uint16_t)at, val);				\
}

/* Port space has no 64-bit cycles: low half first. */
static uint64_t hw_inq(uint16_t port)
{
	uint64_t lo = x86_inl(port);

	return (uint64_t)x86_inl((uint16_t)(port + 4)) << 32 | lo;
}

static void hw_outq(uint16_t port, uint64_t val)
{
	x86_outl(port, (uint32_t)val);
	x86_outl((uint16_t)(port + 4), (uint32_t)(val >> 32));
}

HW_ACCESS(8, x86_inb, x86_outb)
HW_ACCESS(16, x86_inw, x86_outw)
HW_ACCESS(32, x86_inl, x86_outl)
HW_ACCESS(64, hw_inq, hw_outq)

/* ---- memory ---- */

void *phys_to_virt(phys_t pa)
{
	return (void *)(VM_DIRECT_BASE + pa);
}

phys_t virt_to_phys(const void *p)
{
	uintptr_t va = (uintptr_t)p;

	if (va >= VM_IMAGE_BASE)
		return va - VM_IMAGE_BASE;
	BUG_ON(va < VM_DIRECT_BASE || va >= VM_MAP_BASE);
	return va - VM_DIRECT_BASE;
}

/* ---- processor ---- */

void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

unsigned cpu_id(void)
{
	return this_cpu()->id;
}

uint32_t cpu_apic_id(unsigned cpu)
{
	return percpu_of(cpu)->apic_id;
}

/* The same on every CPU. Kept, since CPUID leaves the guest. */
unsigned cpu_phys_bits(void)
{
	static unsigned bits;

	if (!bits)
		bits = x86_cpuid(HW_CPUID_LEAVES, 0).eax < HW_CPUID_ADDRESSES ?
		       HW_PHYS_BITS :
		       x86_cpuid(HW_CPUID_ADDRESSES, 0).eax & 0xff;
	return bits;
}

irqflags_t cpu_irq_save(void)
{
	irqflags_t flags;

	__asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
	return flags & X86_RFLAGS_IF;
}

void cpu_irq_restore(irqflags_t flags)
{
	if (flags)
		__asm__ volatile("sti" ::: "memory");
}

bool cpu_irqs_on(void)
{
	irqflags_t flags;

	__asm__ volatile("pushfq; popq %0" : "=r"(flags));
	return flags & X86_RFLAGS_IF;
}

void cpu_send_ipi(unsigned cpu, unsigned vector)
{
	lapic_ipi(percpu_of(cpu)->apic_id, vector);
}

static bool hw_set_is_many(const struct cpu_set *set)
{
	uint64_t first = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(set->word); i++) {
		uint64_t w = set->word[i];

		if ((w && first) || (w & (w - 1)))
			return true;
		first |= w;
	}
	return false;
}

void cpu_send_ipi_set(const struct cpu_set *set, unsigned vector)
{
	bool (*many)(const struct cpu_set *set, unsigned vector) =
		READ_ONCE(lapic_pv_ipi);
	void (*yield)(const struct cpu_set *set) = READ_ONCE(lapic_pv_yield);
	unsigned n = cpu_count();

	if (!many || !hw_set_is_many(set) || !many(set, vector))
		for (unsigned cpu = 0; cpu < n; cpu++)
			if (cpu_set_has(set, cpu))
				cpu_send_ipi(cpu, vector);
	if (yield && vector == IRQ_VECTOR_CALL)
		yield(set);
}

/* No IDT: the #UD becomes a #DF, and that the shutdown that resets (SDM 6.15). */
void cpu_triple_fault(void)
{
	static const struct { uint16_t limit; uint64_t base; } __packed none;

	cpu_irq_save();
	__asm__ volatile("lidt %0; ud2" : : "m"(none));
}

void cpu_timer_arm(nsec_t deadline)
{
	lapic_timer_arm(deadline);
}

bool cpu_timer_pending(void)
{
	return lapic_timer_pending();
}

bool cpu_irq_pending(unsigned vector)
{
	return lapic_pending(vector);
}

void cpu_timer_revive(void)
{
	lapic_timer_init_cpu();
}

nsec_t cpu_timer_period(void)
{
	unsigned hz = lapic_tick().hz;

	return hz ? NSEC_PER_SEC / hz : 0;
}

const char *cpu_timer_name(void)
{
	return lapic_timer_name();
}
