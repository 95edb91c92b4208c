/* SPDX-License-Identifier: MIT */
/*
 * Hypervisor detection, the pure part: CPUID words become names and facts.
 *
 * A guest is told by CPUID.1:ECX[31]; leaf 0x40000000 then carries twelve
 * letters. KVM may stand behind Hyper-V's leaves (QEMU's hv-* flags), so the
 * next base is looked at too before Hyper-V is believed. What is found is
 * what the host says; whether a feature works is for its user to prove.
 */
#include "virt/hyper.h"

#include "core/log.h"
#include "core/report.h"
#include "core/string.h"
#include "virt/hyperreg.h"

struct hyper hyper;

static const struct {
	const char *signature, *name;
	enum hyper_kind kind;
} hyper_known[] = {
	{ "KVMKVMKVM", "KVM", HYPER_KVM },
	{ "TCGTCGTCGTCG", "TCG", HYPER_TCG },
	{ "Microsoft Hv", "Hyper-V", HYPER_OTHER },
	{ "VMwareVMware", "VMware", HYPER_OTHER },
	{ "XenVMMXenVMM", "Xen", HYPER_OTHER },
	{ "bhyve bhyve ", "bhyve", HYPER_OTHER },
	{ "ACRNACRNACRN", "ACRN", HYPER_OTHER },
	{ "VBoxVBoxVBox", "VirtualBox", HYPER_OTHER },
	{ "HAXMHAXMHAXM", "HAXM", HYPER_OTHER },
	{ "___ NVMM ___", "NVMM", HYPER_OTHER },
	{ "OpenBSDVMM58", "OpenBSD vmm", HYPER_OTHER },
	{ "Jailhouse", "Jailhouse", HYPER_OTHER },
};

/* cpuid.rst; gaps are bits that KVM does not define. */
static const char *const hyper_features[32] = {
	[0] = "clocksource",
	[1] = "nop-io-delay",
	[2] = "mmu-op",
	[3] = "clocksource2",
	[4] = "async-pf",
	[5] = "steal-time",
	[6] = "pv-eoi",
	[7] = "pv-unhalt",
	[9] = "pv-tlb-flush",
	[10] = "async-pf-vmexit",
	[11] = "pv-send-ipi",
	[12] = "poll-control",
	[13] = "pv-sched-yield",
	[14] = "async-pf-int",
	[15] = "msi-ext-dest-id",
	[16] = "hc-map-gpa-range",
	[17] = "migration-control",
	[24] = "clocksource-stable",
};

const char *hyper_feature_name(unsigned n)
{
	return n < ARRAY_SIZE(hyper_features) ? hyper_features[n] : NULL;
}

static int hyper_lookup(const char *signature)
{
	for (unsigned i = 0; i < ARRAY_SIZE(hyper_known); i++)
		if (strcmp(signature, hyper_known[i].signature) == 0)
			return (int)i;
	return -1;
}

const char *hyper_letters_name(const char *letters)
{
	int i = hyper_lookup(letters);

	return i < 0 ? NULL : hyper_known[i].name;
}

const char *hyper_name(void)
{
	int i = hyper_lookup(hyper.signature);

	if (hyper.kind == HYPER_NONE)
		return "bare metal";
	if (i >= 0)
		return hyper_known[i].name;
	return hyper.signature[0] ? hyper.signature : "unnamed hypervisor";
}

void hyper_letters(struct hyper_cpuid r, char out[13])
{
	memcpy(out, &r.ebx, 4);
	memcpy(out + 4, &r.ecx, 4);
	memcpy(out + 8, &r.edx, 4);
	out[12] = 0;
}

/* The base of the leaves to believe: the first, unless KVM has the second. */
static uint32_t hyper_base(struct hyper *h,
			   struct hyper_cpuid (*cpuid)(uint32_t leaf))
{
	uint32_t base = HYPER_LEAF_SIGNATURE + HYPER_LEAF_STEP;
	struct hyper_cpuid r = cpuid(HYPER_LEAF_SIGNATURE);
	char sig[13];

	hyper_letters(r, h->signature);
	h->max_leaf = r.eax;
	if (strcmp(h->signature, "Microsoft Hv") != 0)
		return HYPER_LEAF_SIGNATURE;
	r = cpuid(base);
	hyper_letters(r, sig);
	if (strcmp(sig, "KVMKVMKVM") != 0)
		return HYPER_LEAF_SIGNATURE;
	memcpy(h->signature, sig, sizeof(sig));
	h->max_leaf = r.eax;
	return base;
}

/*
 * This leaf counts from the very first base, whoever's that is. Only these two
 * define it; elsewhere the number means something else.
 */
static void hyper_timing(struct hyper *h,
			 struct hyper_cpuid (*cpuid)(uint32_t leaf))
{
	struct hyper_cpuid r;

	if (h->kind != HYPER_KVM && strcmp(h->signature, "VMwareVMware"))
		return;
	if (cpuid(HYPER_LEAF_SIGNATURE).eax < HYPER_LEAF_TIMING)
		return;
	r = cpuid(HYPER_LEAF_TIMING);
	h->tsc_khz = r.eax;
	h->apic_khz = r.ebx;
}

void hyper_decode(struct hyper *h, struct hyper_cpuid (*cpuid)(uint32_t leaf))
{
	struct hyper_cpuid r;
	uint32_t base;
	int i;

	*h = (struct hyper){ .kind = HYPER_NONE };
	if (!(cpuid(HYPER_LEAF_CPU).ecx & HYPER_ECX_GUEST))
		return;
	base = hyper_base(h, cpuid);
	i = hyper_lookup(h->signature);
	h->kind = i < 0 ? HYPER_OTHER : hyper_known[i].kind;
	if (h->kind == HYPER_KVM) {
		r = cpuid(base + KVM_LEAF_FEATURES);
		h->features = r.eax;
		h->hints = r.edx;
	}
	hyper_timing(h, cpuid);
}

static void hyper_report_features(struct json *j)
{
	json_array(j, "features");
	for (unsigned n = 0; n < 32; n++)
		if ((hyper.features & BIT(n)) && hyper_feature_name(n))
			json_str(j, NULL, hyper_feature_name(n));
	json_close(j, true);
}

void hyper_report(void)
{
	struct json j;

	log_info("hyper", "%s (\"%s\"), features 0x%x, TSC %u kHz, "
		 "APIC timer %u kHz, kvmclock %s", hyper_name(),
		 hyper.signature, hyper.features, hyper.tsc_khz,
		 hyper.apic_khz, kvmclock_present() ? "used" : "not used");
	json_begin(&j, "hyper");
	json_str(&j, "name", hyper_name());
	json_str(&j, "signature", hyper.signature);
	json_hex(&j, "max_leaf", hyper.max_leaf);
	json_hex(&j, "feature_bits", hyper.features);
	json_hex(&j, "hint_bits", hyper.hints);
	hyper_report_features(&j);
	json_u64(&j, "tsc_khz", hyper.tsc_khz);
	json_u64(&j, "apic_khz", hyper.apic_khz);
	json_bool(&j, "kvmclock", kvmclock_present());
	json_u64(&j, "kvmclock_tsc_hz", kvmclock_tsc_hz());
	json_end(&j);
}
