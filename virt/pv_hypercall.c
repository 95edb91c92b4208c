/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls (hypercalls.rst), and the proof that they work.
 *
 * Intel's instruction is VMCALL, AMD's VMMCALL; on the other vendor's CPU each
 * raises #UD, which some hosts answer by writing the right one over it. That
 * cannot work here, for text is read-only; a host that tries gives up with a
 * page fault (PV_PATCHED). Other hosts have been seen to run the instruction
 * for ever without an answer (PV_STUCK). So each way of not answering has a
 * name, and only the documented answer to a number that nobody defines,
 * -KVM_ENOSYS, is a proof.
 */
#include "core/string.h"
#include "virt/pv.h"

static struct {
	/* set once at start: */
	enum pv_insn insn;
} pv_hc;

static const char *pv_hypercall_insn(enum pv_insn insn)
{
	return insn == PV_VMCALL ? "vmcall" : "vmmcall";
}

static void pv_hypercall_give_up(enum pv_insn insn, enum pv_answer how)
{
	static const char *const why[] = {
		[PV_FAULTED] = "raises an exception",
		[PV_PATCHED] = "page fault: the host writes to read-only text",
		[PV_STUCK] = "never ends: ended by a timer",
	};

	pv_break(PV_HYPERCALLS, "%s %s", pv_hypercall_insn(insn), why[how]);
}

void pv_hypercall_probe(void)
{
	static const uint64_t none[4];
	enum pv_insn insn = pv_arch_is_amd() ? PV_VMMCALL : PV_VMCALL;
	enum pv_answer how;
	int64_t ret;

	if (!pv_on(PV_HYPERCALLS))
		return;
	how = pv_arch_hypercall(insn, KVM_HC_NONE, none, true, &ret);
	/* CPUID's vendor may be made up: then this one is the other's. */
	if (how == PV_FAULTED || how == PV_PATCHED) {
		insn = insn == PV_VMCALL ? PV_VMMCALL : PV_VMCALL;
		how = pv_arch_hypercall(insn, KVM_HC_NONE, none, true, &ret);
	}
	if (how != PV_ANSWERED) {
		pv_hypercall_give_up(insn, how);
	} else if (ret != -KVM_ENOSYS) {
		pv_break(PV_HYPERCALLS, "%s: an undefined call answers %lld, "
			 "not -%d", pv_hypercall_insn(insn), (long long)ret,
			 KVM_ENOSYS);
	} else {
		pv_hc.insn = insn;
		pv_count(PV_HYPERCALLS);
	}
}

static int64_t pv_hypercall_do(uint64_t nr, const uint64_t arg[4],
			       bool watched)
{
	enum pv_answer how;
	int64_t ret;

	if (!pv_on(PV_HYPERCALLS))
		return -KVM_ENOSYS;
	how = pv_arch_hypercall(pv_hc.insn, nr, arg, watched, &ret);
	if (how != PV_ANSWERED) {
		pv_hypercall_give_up(pv_hc.insn, how);
		return -KVM_ENOSYS;
	}
	pv_count(PV_HYPERCALLS);
	return ret;
}

int64_t pv_hypercall(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2,
		     uint64_t a3)
{
	return pv_hypercall_do(nr, (uint64_t[4]){ a0, a1, a2, a3 }, false);
}

int64_t pv_hypercall_watched(uint64_t nr, uint64_t a0, uint64_t a1,
			     uint64_t a2, uint64_t a3)
{
	return pv_hypercall_do(nr, (uint64_t[4]){ a0, a1, a2, a3 }, true);
}
