/* SPDX-License-Identifier: MIT */
/*
 * Polling before a halt. A halt and its end cost an exit and often a switch of
 * threads on the host; a CPU that soon gets work again does better to look
 * for it a little longer. Host and guest can both do that, and should not at
 * once: MSR_KVM_POLL_CONTROL (msr.rst) tells the host to leave it to us.
 *
 * The time to poll adapts as the host's own does: idleness that ended within
 * the limit, but after the polling, makes it longer; one that outlasted the
 * limit makes it shorter, down to not at all.
 */
#include "virt/pv.h"

#define PV_POLL_START	(10 * NSEC_PER_USEC)
#define PV_POLL_MAX	(200 * NSEC_PER_USEC)

int pv_poll_host(bool on)
{
	if (pv_arch_wrmsr(KVM_MSR_POLL_CONTROL, on ? KVM_POLL_HOST : 0))
		return 0;
	pv_break(PV_HALTPOLL, "its MSR faults on CPU %u", cpu_id());
	return -EIO;
}

nsec_t pv_poll_adapt(nsec_t limit, nsec_t idle)
{
	if (idle > PV_POLL_MAX)
		limit /= 2;
	else if (idle > limit)
		limit = limit ? 2 * limit : PV_POLL_START;
	if (limit < PV_POLL_START / 2)
		limit = 0;
	return MIN(limit, PV_POLL_MAX);
}
