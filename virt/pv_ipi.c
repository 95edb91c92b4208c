/* SPDX-License-Identifier: MIT */
/*
 * PV send IPI (hypercalls.rst, KVM_HC_SEND_IPI): one call for as many as 128
 * neighbouring APIC ids. The host says how many it reached. Fewer than asked
 * for: all of them get it the ordinary way too (twice does no harm, see
 * cpu_send_ipi_set()). An error, or more than asked for, is no answer, and the
 * call is not used again.
 */
#include "virt/pv.h"

struct pv_ipi_cluster {
	uint64_t bits[KVM_IPI_CLUSTER / 64];
	uint32_t first;			/* the APIC id of bit 0 */
	unsigned n;
};

bool pv_ipi_probe(void)
{
	int64_t ret;

	if (!pv_on(PV_IPI))
		return false;
	ret = pv_hypercall_watched(KVM_HC_SEND_IPI, 0, 0, 0, 0);
	if (ret)
		pv_break(PV_IPI, "SEND_IPI to nobody answers %lld",
			 (long long)ret);
	return pv_on(PV_IPI);
}

static bool pv_ipi_flush(struct pv_ipi_cluster *c, unsigned vector)
{
	unsigned n = c->n;
	int64_t ret;

	if (!n)
		return true;
	ret = pv_hypercall(KVM_HC_SEND_IPI, c->bits[0], c->bits[1], c->first,
			   vector);
	*c = (struct pv_ipi_cluster){ .n = 0 };
	if (ret < 0 || ret > n)
		pv_break(PV_IPI, "SEND_IPI to %u CPUs answers %lld", n,
			 (long long)ret);
	if (ret != n)
		return false;
	pv_count(PV_IPI);
	return true;
}

static bool pv_ipi_add(struct pv_ipi_cluster *c, uint32_t id, unsigned vector)
{
	bool ok = true;

	if (c->n && (id < c->first || id - c->first >= KVM_IPI_CLUSTER))
		ok = pv_ipi_flush(c, vector);
	if (!c->n)
		c->first = id;
	id -= c->first;
	c->bits[id / 64] |= BIT_ULL(id % 64);
	c->n++;
	return ok;
}

bool pv_ipi_send(const struct cpu_set *set, unsigned vector)
{
	struct pv_ipi_cluster c = { .n = 0 };
	unsigned n = cpu_count();
	bool ok = true;

	for (unsigned cpu = 0; cpu < n && ok && pv_on(PV_IPI); cpu++)
		if (cpu_set_has(set, cpu))
			ok = pv_ipi_add(&c, cpu_apic_id(cpu), vector);
	return ok && pv_on(PV_IPI) && pv_ipi_flush(&c, vector);
}
