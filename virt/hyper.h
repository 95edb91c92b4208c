/* SPDX-License-Identifier: MIT */
/*
 * Who runs us: the hypervisor's name and the paravirtual facts that others
 * need. Set once at start on the boot CPU.
 */
#ifndef VIRT_HYPER_H
#define VIRT_HYPER_H

#include "core/types.h"

enum hyper_kind { HYPER_NONE, HYPER_KVM, HYPER_TCG, HYPER_OTHER };

struct hyper {
	enum hyper_kind kind;
	char signature[13];		/* CPUID 0x40000000, "" on bare metal */
	uint32_t max_leaf, features, hints;	/* KVM: 0x40000001 EAX, EDX */
	uint32_t tsc_khz, apic_khz;	/* leaf 0x40000010, 0: not there */
};

extern struct hyper hyper;

/*
 * Fill in hyper, and answer core/clock.h's question for the TSC's frequency
 * from here on. Needs the command line (pv=).
 */
void hyper_detect(void);
const char *hyper_name(void);		/* "KVM", "TCG", "bare metal", … */
/* One log line and one @json line. Thread context. */
void hyper_report(void);

/* Pure: what the CPUID leaves say. */
struct hyper_cpuid {
	uint32_t eax, ebx, ecx, edx;
};
void hyper_decode(struct hyper *h, struct hyper_cpuid (*cpuid)(uint32_t leaf));
/* The letters of a base leaf, in EBX, ECX and EDX. */
void hyper_letters(struct hyper_cpuid r, char out[13]);
/* Whose letters these are ("KVM"), or NULL: unknown to us. */
const char *hyper_letters_name(const char *letters);
/*
 * KVM's name for bit n of its features ("pv-eoi"), or NULL: unknown to us.
 */
const char *hyper_feature_name(unsigned n);

/*
 * kvmclock (KVM's msr.rst): registers the per-CPU page on this CPU. 0,
 * -ENOTSUP (not offered, or switched off by pv=), -ENOMEM, -EIO (broken).
 * Interrupts on or off; the boot CPU first.
 */
int kvmclock_init_cpu(void);
/* Offered by the host and not switched off. */
bool kvmclock_present(void);
/*
 * Host nanoseconds since an arbitrary start, or 0 when not registered on this
 * CPU. Where the host does not promise that CPUs agree, it is clamped to what
 * any CPU has seen, so that it never runs backwards. Any context.
 */
uint64_t kvmclock_read(void);
/* The TSC frequency that kvmclock's scale implies, 0: unknown. */
uint64_t kvmclock_tsc_hz(void);

/* Pure: the page's arithmetic. */
struct kvmclock_page;
/*
 * The time at what tsc() returns while the page stands still. False when it
 * never did (bounded tries) or holds nothing.
 */
bool kvmclock_sample(const struct kvmclock_page *page, uint64_t (*tsc)(void),
		     uint64_t *ns);
uint64_t kvmclock_page_hz(const struct kvmclock_page *page);
/* The larger of ns and every value that went through *last before. */
uint64_t kvmclock_clamp(uint64_t *last, uint64_t ns);

/*
 * The exits of ARCHITECTURE's contract, where their devices exist. isa-debug-
 * exit's status is the verdict when both do: QEMU's answer to pvpanic is to
 * stop the CPU at once and, by default, to exit 0 (runstate.c, 7.2), so then
 * pvpanic stays silent, in whatever order the two were registered.
 */
void debugexit_init(void);		/* isa-debug-exit at port 0xf4 */
bool debugexit_present(void);
void pvpanic_init(void);		/* pvpanic at port 0x505 */

#endif
