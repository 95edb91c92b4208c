/* SPDX-License-Identifier: MIT */
/*
 * What KVM offers a guest beside hardware: Linux's Documentation/virt/kvm/x86/
 * cpuid.rst (feature bits), msr.rst (registers and the memory behind them) and
 * hypercalls.rst. The clock's part stands in hyperreg.h.
 */
#ifndef VIRT_PVREG_H
#define VIRT_PVREG_H

#include "core/bits.h"
#include "core/types.h"

/* cpuid.rst, EAX of KVM_LEAF_FEATURES: numbers of bits. */
#define KVM_BIT_CLOCKSOURCE2	3
#define KVM_BIT_ASYNC_PF	4
#define KVM_BIT_STEAL_TIME	5
#define KVM_BIT_PV_EOI		6
#define KVM_BIT_PV_TLB_FLUSH	9
#define KVM_BIT_ASYNC_PF_VMEXIT	10
#define KVM_BIT_PV_SEND_IPI	11
#define KVM_BIT_POLL_CONTROL	12
#define KVM_BIT_PV_SCHED_YIELD	13
#define KVM_BIT_ASYNC_PF_INT	14
#define KVM_BIT_CLOCK_STABLE	24
/* EDX: virtual CPUs are never preempted for an unlimited time. */
#define KVM_HINT_REALTIME	BIT(0)

/* msr.rst */
#define KVM_MSR_ASYNC_PF_EN	0x4b564d02
# define KVM_ASYNC_PF_ENABLE	BIT_ULL(0)
# define KVM_ASYNC_PF_RING0	BIT_ULL(1)	/* also while CPL is 0 */
# define KVM_ASYNC_PF_INT	BIT_ULL(3)	/* "page ready" interrupts */
#define KVM_MSR_STEAL_TIME	0x4b564d03
# define KVM_STEAL_ENABLE	BIT_ULL(0)
#define KVM_MSR_PV_EOI_EN	0x4b564d04
# define KVM_PV_EOI_ENABLE	BIT_ULL(0)
#define KVM_MSR_POLL_CONTROL	0x4b564d05
# define KVM_POLL_HOST		BIT_ULL(0)	/* the host polls before it sleeps */
#define KVM_MSR_ASYNC_PF_INT	0x4b564d06	/* 7:0 vector */
#define KVM_MSR_ASYNC_PF_ACK	0x4b564d07	/* write 1 */

/* msr.rst, MSR_KVM_STEAL_TIME. */
struct pv_steal_page {
	le64 steal;			/* ns that this CPU wanted and did not get */
	le32 version;			/* odd while the host is writing */
	le32 flags;
	uint8_t preempted;		/* the host's, but see KVM_VCPU_FLUSH_TLB */
	uint8_t pad8[3];
	le32 pad[11];
} __aligned(64);
/* The CPU does not run. */
#define KVM_VCPU_PREEMPTED	BIT(0)
/* The guest's wish, while the bit above is set: flush before it runs again. */
#define KVM_VCPU_FLUSH_TLB	BIT(1)

_Static_assert(sizeof(struct pv_steal_page) == 64, "msr.rst");
_Static_assert(offsetof(struct pv_steal_page, version) == 8, "msr.rst");
_Static_assert(offsetof(struct pv_steal_page, preempted) == 16, "msr.rst");

/* msr.rst, MSR_KVM_ASYNC_PF_EN. */
struct pv_apf_page {
	le32 flags;
#define KVM_APF_NOT_PRESENT	BIT(0)	/* this #PF is the host's; CR2: token */
	le32 token;			/* of the page that is ready now */
	uint8_t pad[56];
} __aligned(64);
#define KVM_APF_TOKEN_ALL	UINT32_MAX	/* whoever waits: try again */

_Static_assert(sizeof(struct pv_apf_page) == 64, "msr.rst");
_Static_assert(offsetof(struct pv_apf_page, token) == 4, "msr.rst");

/* hypercalls.rst; the numbers are KVM's interface (kvm_para.h). */
#define KVM_HC_SEND_IPI		10
#define KVM_HC_SCHED_YIELD	11
#define KVM_HC_NONE		0x4c6f6467	/* nobody defines this one */
#define KVM_IPI_CLUSTER		128	/* APIC ids that one call can name */
#define KVM_ENOSYS		1000

#endif
