/* SPDX-License-Identifier: MIT */
/*
 * CPUID leaves of hypervisors (0x40000000 and up, a convention that all of
 * them follow) and KVM's part of them: Linux's Documentation/virt/kvm/x86/
 * cpuid.rst and msr.rst.
 */
#ifndef VIRT_HYPERREG_H
#define VIRT_HYPERREG_H

#include "core/bits.h"
#include "core/types.h"

/* Intel SDM vol. 2, CPUID leaf 1: reserved on hardware, so "a guest" here. */
#define HYPER_LEAF_CPU		0x1
# define HYPER_ECX_GUEST	BIT(31)

/* EAX: highest leaf; EBX, ECX, EDX: twelve letters. */
#define HYPER_LEAF_SIGNATURE	0x40000000
/* KVM answers this much higher when Hyper-V's leaves come first. */
#define HYPER_LEAF_STEP		0x100
/* EAX: TSC kHz, EBX: local APIC timer kHz (VMware's, QEMU has it for KVM). */
#define HYPER_LEAF_TIMING	0x40000010

/* cpuid.rst; relative to where the signature was found. */
#define KVM_LEAF_FEATURES	0x1		/* EAX features, EDX hints */
# define KVM_FEATURE_CLOCK_STABLE	BIT(24)

/* msr.rst: physical address of this CPU's page, bit 0 enables. */
#define KVM_MSR_SYSTEM_TIME_NEW	0x4b564d01
# define KVM_SYSTEM_TIME_ENABLE	BIT_ULL(0)

/* msr.rst: where the host writes, once, what the time was at kvmclock's 0. */
#define KVM_MSR_WALL_CLOCK_NEW	0x4b564d00
struct kvmclock_wall {
	le32 version;			/* odd while the host is writing */
	le32 sec, nsec;
};
_Static_assert(sizeof(struct kvmclock_wall) == 12, "msr.rst");

/* msr.rst: struct pvclock_vcpu_time_info, written by the host. */
struct kvmclock_page {
	le32 version;			/* odd while the host is writing */
	le32 pad0;
	le64 tsc_timestamp;		/* TSC when the next field was true */
	le64 system_time;		/* nanoseconds */
	le32 tsc_to_system_mul;		/* fraction of 2^32 nanoseconds */
	int8_t tsc_shift;		/* TSC ticks shifted by it before */
	uint8_t flags;
#define KVMCLOCK_TSC_STABLE	BIT(0)	/* CPUs agree: no clamping needed */
	uint8_t pad[2];
};

_Static_assert(sizeof(struct kvmclock_page) == 32, "msr.rst");
_Static_assert(offsetof(struct kvmclock_page, tsc_timestamp) == 8, "msr.rst");
_Static_assert(offsetof(struct kvmclock_page, system_time) == 16, "msr.rst");
_Static_assert(offsetof(struct kvmclock_page, tsc_to_system_mul) == 24,
	       "msr.rst");
_Static_assert(offsetof(struct kvmclock_page, tsc_shift) == 28, "msr.rst");
_Static_assert(offsetof(struct kvmclock_page, flags) == 29, "msr.rst");

#endif
