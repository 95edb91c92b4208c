/* SPDX-License-Identifier: MIT */
/*
 * Who interrupts whom: the monitor's "irq" command for a person, irq_report()
 * for a program.
 */
#include "msi/msi.h"

#include "core/cpu.h"
#include "core/log.h"
#include "core/monitor.h"
#include "core/report.h"
#include "msi/irqs.h"

#define IRQ_VECTORS_ALL	256

/* The next vector after v that somebody owns on cpu, or IRQ_VECTORS_ALL. */
static unsigned irq_cmd_next(unsigned cpu, unsigned v)
{
	while (++v < IRQ_VECTORS_ALL)
		if (irq_name(cpu, v))
			break;
	return v;
}

/* The next vector after v that came to cpu with no owner, or IRQ_VECTORS_ALL. */
static unsigned irq_cmd_next_stray(unsigned cpu, unsigned v)
{
	while (++v < IRQ_VECTORS_ALL)
		if (irq_stray_count(cpu, v))
			break;
	return v;
}

static void irq_cmd_strays(unsigned cpu)
{
	unsigned v = irq_cmd_next_stray(cpu, 0);

	for (; v < IRQ_VECTORS_ALL; v = irq_cmd_next_stray(cpu, v))
		console_printf("%3u  0x%02x  %12llu  (came with no owner)\n", cpu,
			       v, (unsigned long long)irq_stray_count(cpu, v));
	console_printf("%3u     -  %12llu  (no owner)\n", cpu,
		       (unsigned long long)irq_unowned_count(cpu));
}

/* How the matrix stands, and what went wrong. */
static void irq_cmd_room(unsigned cpu)
{
	struct vector_stats st = vector_stats(cpu);

	console_printf("%3u  %u vectors used (%u at most), %u reserved, %u free, "
		       "%llu refused; %llu spurious, %llu storms\n", cpu,
		       st.used, st.high, st.reserved, st.free,
		       (unsigned long long)st.failures,
		       (unsigned long long)irq_spurious_count(cpu),
		       (unsigned long long)irq_storm_count(cpu));
}

static void irq_cmd_cpu(unsigned cpu)
{
	unsigned v = irq_cmd_next(cpu, IRQ_VECTOR_FIRST - 1);

	for (; v < IRQ_VECTORS_ALL; v = irq_cmd_next(cpu, v))
		console_printf("%3u  0x%02x  %12llu  %s\n", cpu, v,
			       (unsigned long long)irq_count(cpu, v),
			       irq_name(cpu, v));
	irq_cmd_strays(cpu);
	irq_cmd_room(cpu);
}

/* One device: its kind, and for each vector where it goes and how it stands. */
static void irq_cmd_device(struct pci_dev *p)
{
	console_printf("%s %s, %u vectors:", p->dev.name, irq_vectors_kind(p),
		       MAX(msi_vectors(p), irq_vectors(p)));
	for (unsigned nr = 0; nr < msi_vectors(p); nr++) {
		if (msi_cpu(p, nr) < 0)
			console_printf(" %u:-", nr);
		else
			console_printf(" %u:cpu%d=%llu%s%s", nr,
				       msi_cpu(p, nr),
				       (unsigned long long)msi_count(p, nr),
				       msi_masked(p, nr) ? ",masked" : "",
				       msi_pending(p, nr) ? ",pending" : "");
	}
	console_printf("\n");
	if (*irq_vectors_why(p))
		console_printf("\t%s\n", irq_vectors_why(p));
}

static int irq_cmd(int argc, char **argv)
{
	struct pci_dev *p;

	console_printf("CPU  vector       count  owner\n");
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		irq_cmd_cpu(cpu);
	list_for_each(p, &pci_devices, node)
		if (msi_vectors(p) || irq_vectors(p))
			irq_cmd_device(p);
	return 0;
}

static const struct monitor_cmd irq_monitor_cmd = {
	.name = "irq", .args = "",
	.help = "interrupt vectors of each CPU, and of each device with MSI",
	.run = irq_cmd,
};
MONITOR_CMD(irq_monitor_cmd);

static void irq_report_strays(unsigned cpu)
{
	unsigned v = irq_cmd_next_stray(cpu, 0);
	struct json j;

	json_begin(&j, "irq_unowned");
	json_u64(&j, "cpu", cpu);
	json_u64(&j, "count", irq_unowned_count(cpu));
	json_end(&j);
	for (; v < IRQ_VECTORS_ALL; v = irq_cmd_next_stray(cpu, v)) {
		json_begin(&j, "irq_stray");
		json_u64(&j, "cpu", cpu);
		json_u64(&j, "vector", v);
		json_u64(&j, "count", irq_stray_count(cpu, v));
		json_end(&j);
	}
}

static void irq_report_room(unsigned cpu)
{
	struct vector_stats st = vector_stats(cpu);
	struct json j;

	json_begin(&j, "vectors");
	json_u64(&j, "cpu", cpu);
	json_u64(&j, "used", st.used);
	json_u64(&j, "high", st.high);
	json_u64(&j, "reserved", st.reserved);
	json_u64(&j, "free", st.free);
	json_u64(&j, "refused", st.failures);
	json_u64(&j, "spurious", irq_spurious_count(cpu));
	json_u64(&j, "storms", irq_storm_count(cpu));
	json_end(&j);
}

static void irq_report_cpu(unsigned cpu)
{
	unsigned v = irq_cmd_next(cpu, IRQ_VECTOR_FIRST - 1);
	struct json j;

	for (; v < IRQ_VECTORS_ALL; v = irq_cmd_next(cpu, v)) {
		json_begin(&j, "irq");
		json_u64(&j, "cpu", cpu);
		json_u64(&j, "vector", v);
		json_str(&j, "name", irq_name(cpu, v));
		json_u64(&j, "count", irq_count(cpu, v));
		json_end(&j);
	}
	irq_report_strays(cpu);
	irq_report_room(cpu);
}

static void irq_report_device(const struct pci_dev *p)
{
	uint64_t lost = 0;
	struct json j;

	for (unsigned nr = 0; nr < irq_vectors(p); nr++)
		lost += irq_watch_lost(p, nr);
	json_begin(&j, "irq_device");
	json_str(&j, "name", p->dev.name);
	json_str(&j, "kind", irq_vectors_kind(p));
	json_str(&j, "remap", remap_of(p)->name);
	json_u64(&j, "vectors", irq_vectors(p));
	json_str(&j, "why", irq_vectors_why(p));
	json_u64(&j, "lost", lost);
	json_end(&j);
}

void irq_report(void)
{
	struct pci_dev *p;
	struct json j;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		irq_report_cpu(cpu);
	list_for_each(p, &pci_devices, node)
		if (irq_vectors(p))
			irq_report_device(p);
	json_begin(&j, "irq_refused");
	json_u64(&j, "messages", msi_refused(0));
	json_end(&j);
}
