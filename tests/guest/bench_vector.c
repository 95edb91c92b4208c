/* SPDX-License-Identifier: MIT */
/*
 * Group irq, second half: what it costs to have an interrupt, to move it, to
 * hold it back, and to get one that nobody owns.
 *
 * How one could be fooled: a refusal is quicker than a success, so all of them
 * are counted. A vector that was masked or moved may be so for good: after each
 * move, and once after all masking and connecting, an event has to arrive, on
 * the CPU it was sent to. Only pin_mask shows nothing: nobody pulls that pin.
 */
#include "tests/guest/bench.h"

#include "core/cpu.h"
#include "core/dma.h"
#include "core/errno.h"
#include "core/ioapic.h"
#include "core/irq.h"
#include "core/lapic.h"
#include "core/numa.h"
#include "core/vector.h"
#include "msi/msi.h"
#include "tests/guest/msix_rig.h"

#define VECBENCH_WAIT	(10 * NSEC_PER_SEC)
#define VECBENCH_BATCH	16u

static unsigned vecbench_count;		/* this CPU, interrupts off */

static void vecbench_irq(void *arg)
{
	WRITE_ONCE(vecbench_count, vecbench_count + 1);
}

static struct cpu_set vecbench_all(void)
{
	struct cpu_set all = { 0 };

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		cpu_set_add(&all, cpu);
	return all;
}

/* ---- which are taken: core/vector.h ---- */

KBENCH(irq, matrix, "take and give back a vector of this CPU's matrix")
{
	unsigned cpu = cpu_id(), got = 0;

	while (kbench_batch(b, 64))
		for (unsigned i = 0; i < 64; i++) {
			int v = vector_alloc(cpu);

			if (v < 0)
				continue;
			got++;
			vector_free(cpu, (unsigned)v);
		}
	KBENCH_EQ(b, got, b->ops);
}

KBENCH(irq, matrix_spread, "the same on the CPU that has fewest")
{
	struct cpu_set all = vecbench_all();
	unsigned cpu = 0, got = 0;

	while (kbench_batch(b, 64))
		for (unsigned i = 0; i < 64; i++) {
			int v = vector_alloc_spread(&all, cpu_node(cpu_id()),
						    &cpu);

			if (v < 0)
				continue;
			got++;
			vector_free(cpu, (unsigned)v);
		}
	KBENCH_EQ(b, got, b->ops);
}

/* ---- and who owns them: core/irq.h ---- */

KBENCH(irq, alloc, "irq_alloc() on this CPU and irq_free()")
{
	unsigned cpu = cpu_id(), got = 0;

	while (kbench_batch(b, 64))
		for (unsigned i = 0; i < 64; i++) {
			int v = irq_alloc(cpu, vecbench_irq, NULL, "bench");

			if (v < 0)
				continue;
			got++;
			irq_free(cpu, (unsigned)v);
		}
	KBENCH_EQ(b, got, b->ops);
}

KBENCH(irq, alloc_spread, "the same on the CPU that has fewest")
{
	struct cpu_set all = vecbench_all();
	unsigned cpu = 0, got = 0;

	while (kbench_batch(b, 64))
		for (unsigned i = 0; i < 64; i++) {
			int v = irq_alloc_spread(&all, vecbench_irq, NULL,
						 "bench", &cpu);

			if (v < 0)
				continue;
			got++;
			irq_free(cpu, (unsigned)v);
		}
	KBENCH_EQ(b, got, b->ops);
}

KBENCH(irq, alloc_reserved, "reserve on all CPUs, take, free, unreserve")
{
	struct cpu_set all = vecbench_all();
	unsigned cpu = cpu_id(), got = 0;

	while (kbench_batch(b, 64))
		for (unsigned i = 0; i < 64; i++) {
			int v;

			if (vector_reserve(&all))
				continue;
			v = irq_alloc_reserved(cpu, vecbench_irq, NULL, "bench");
			if (v > 0)
				irq_free(cpu, (unsigned)v);
			got += v > 0;
			vector_unreserve(&all);
		}
	KBENCH_EQ(b, got, b->ops);
}

/* ---- one that is owned, and one that is not ---- */

/* Interrupt this CPU by vector; what counts it says when it has come. */
static void vecbench_self(struct kbench_run *b, unsigned vector,
			  uint64_t (*count)(unsigned cpu, unsigned vector))
{
	unsigned cpu = cpu_id();
	uint64_t want = count(cpu, vector);
	bool lost = false;

	while (!lost && kbench_batch(b, VECBENCH_BATCH))
		for (unsigned i = 0; i < VECBENCH_BATCH && !lost; i++) {
			want++;
			lapic_ipi_self(vector);
			lost = poll_mem_until(count(cpu, vector) == want,
					      time_now() + VECBENCH_WAIT);
		}
	KBENCH_CHECK(b, !lost);
	KBENCH_EQ(b, count(cpu, vector), want);
}

KBENCH(irq, owned, "from the local APIC to itself, by a device's vector")
{
	unsigned cpu = cpu_id();
	int v = irq_alloc(cpu, vecbench_irq, NULL, "bench");

	if (!KBENCH_CHECK(b, v > 0))
		return;
	vecbench_self(b, (unsigned)v, irq_count);
	irq_free(cpu, (unsigned)v);
}

KBENCH(irq, unowned, "the same by a vector that nobody owns")
{
	unsigned cpu = cpu_id();
	int v = irq_alloc(cpu, vecbench_irq, NULL, "bench");

	if (!KBENCH_CHECK(b, v > 0))
		return;
	irq_free(cpu, (unsigned)v);
	vecbench_self(b, (unsigned)v, irq_stray_count);
}

/* ---- a device's MSI-X ---- */

/* False: skipped, or failed. */
static bool vecbench_open(struct kbench_run *b)
{
	int err = msix_rig_open();

	if (err == -ENXIO || err == -EPERM) {
		kbench_skip(b, "no virtio-serial or virtio-rng to use");
		return false;
	}
	return KBENCH_EQ(b, err, 0);
}

/* One event of vector 0 must come to cpu, and no other one has. */
static bool vecbench_arrives(unsigned cpu)
{
	msix_rig.v[0].cpu = cpu;
	return !msix_rig_fire(0) && !msix_rig_await(0) && !msix_rig_errors();
}

static void vecbench_close(struct kbench_run *b, unsigned cpu)
{
	KBENCH_CHECK(b, vecbench_arrives(cpu));
	msix_rig_stop();
}

KBENCH(irq, connect, "connect an MSI-X vector to a handler; disconnect it")
{
	unsigned cpu = cpu_id(), err = 0;

	if (!vecbench_open(b))
		return;
	while (kbench_batch(b, VECBENCH_BATCH))
		for (unsigned i = 0; i < VECBENCH_BATCH; i++) {
			err += msix_rig_connect(0, cpu) != 0;
			msix_rig_disconnect(0);
		}
	KBENCH_EQ(b, err, 0);
	KBENCH_EQ(b, msix_rig_connect(0, cpu), 0);
	vecbench_close(b, cpu);
}

KBENCH(irq, mask, "mask an MSI-X vector, and unmask it")
{
	unsigned cpu = cpu_id(), open = 0;

	if (!vecbench_open(b))
		return;
	KBENCH_EQ(b, msix_rig_connect(0, cpu), 0);
	while (kbench_batch(b, VECBENCH_BATCH)) {
		for (unsigned i = 0; i < VECBENCH_BATCH; i++) {
			msi_mask(msix_rig.p, 0, true);
			msi_mask(msix_rig.p, 0, false);
		}
		kbench_to_here(b);
		msi_mask(msix_rig.p, 0, true);
		open += !msi_masked(msix_rig.p, 0);
		msi_mask(msix_rig.p, 0, false);
		open += msi_masked(msix_rig.p, 0);
	}
	KBENCH_EQ(b, open, 0);
	vecbench_close(b, cpu);
}

KBENCH(irq, affinity, "move an MSI-X vector to another CPU, by turns")
{
	bool lost = false;
	unsigned cpu = 0;

	if (cpu_count() == 1)
		return kbench_skip(b, "one CPU");
	if (!vecbench_open(b))
		return;
	KBENCH_EQ(b, msix_rig_connect(0, cpu), 0);
	while (!lost && kbench_batch(b, 1)) {
		cpu = (cpu + 1) % cpu_count();
		kbench_from_here(b);
		lost = msi_move(msix_rig.p, 0, cpu) != 0;
		kbench_to_here(b);
		lost = lost || !vecbench_arrives(cpu);
	}
	KBENCH_CHECK(b, !lost);
	vecbench_close(b, cpu);
}

/* ---- a pin ---- */

/* The last one that nobody uses, edge-triggered: -EBUSY where there is one. */
static int vecbench_pin(void)
{
	for (unsigned gsi = ioapic_pins(); gsi-- > 0; )
		if (!irq_gsi_request(gsi, 0, cpu_id(), vecbench_irq, NULL,
				     "bench pin"))
			return (int)gsi;
	return -ENOENT;
}

KBENCH(irq, pin, "route an I/O APIC's pin to a handler; take it back")
{
	int gsi = vecbench_pin();
	unsigned err = 0;

	if (gsi < 0)
		return kbench_skip(b, "no pin of an I/O APIC is free");
	irq_gsi_free((unsigned)gsi, vecbench_irq, NULL);
	while (kbench_batch(b, VECBENCH_BATCH))
		for (unsigned i = 0; i < VECBENCH_BATCH; i++) {
			err += irq_gsi_request((unsigned)gsi, 0, cpu_id(),
					       vecbench_irq, NULL,
					       "bench pin") != 0;
			irq_gsi_free((unsigned)gsi, vecbench_irq, NULL);
		}
	KBENCH_EQ(b, err, 0);
}

KBENCH(irq, pin_mask, "mask an I/O APIC's pin")
{
	int gsi = vecbench_pin();

	if (gsi < 0)
		return kbench_skip(b, "no pin of an I/O APIC is free");
	while (kbench_batch(b, VECBENCH_BATCH))
		for (unsigned i = 0; i < VECBENCH_BATCH; i++)
			irq_gsi_mask((unsigned)gsi);
	irq_gsi_free((unsigned)gsi, vecbench_irq, NULL);
}
