/* SPDX-License-Identifier: MIT */
/* The monitor's iommu command, and the report. */
#include "core/errno.h"
#include "core/log.h"
#include "core/monitor.h"
#include "core/report.h"
#include "core/string.h"
#include "viommu/domain.h"
#include "viommu/fault.h"
#include "viommu/viommu.h"

#define CMD_IOMMU_FAULTS	10	/* shown by default */

static void cmd_iommu_domain(struct domain *d)
{
	irqflags_t flags = spin_lock(&d->lock);
	uint64_t mapped = d->mapped, maps = d->maps, unmaps = d->unmaps;
	uint64_t bad = d->bad_unmaps, ranges = d->iova.ranges;
	int dead = d->dead;

	spin_unlock(&d->lock, flags);
	console_printf("  %-16s %u device%s, %llu KiB mapped, %llu maps, %llu unmaps, %llu ranges",
		       d->name, d->devices, d->devices == 1 ? "" : "s",
		       (unsigned long long)(mapped >> 10),
		       (unsigned long long)maps, (unsigned long long)unmaps,
		       (unsigned long long)ranges);
	if (bad)
		console_printf(", %llu bad unmaps", (unsigned long long)bad);
	if (dead)
		console_printf(", given up (%s)", errno_name(dead));
	console_printf("\n");
}

static void cmd_iommu_fault(const struct iommu_fault *f)
{
	console_printf("  %llu.%06llu %02x:%02x.%x %-5s %#llx%s: %s (%u)\n",
		       (unsigned long long)(f->when / NSEC_PER_SEC),
		       (unsigned long long)(f->when % NSEC_PER_SEC /
					    NSEC_PER_USEC),
		       PCI_BUS(f->bdf), PCI_SLOT(f->bdf), PCI_FUNC(f->bdf),
		       !f->write_known ? "?" : f->write ? "write" : "read",
		       (unsigned long long)f->addr, f->exact ? "" : " (page)",
		       f->text, f->reason);
}

static void cmd_iommu_faults(unsigned most)
{
	struct iommu_fault f;
	uint64_t lost = iommu_fault_lost();

	console_printf("faults: %s%llu\n", lost ? "at least " : "",
		       (unsigned long long)iommu_fault_count());
	for (unsigned i = 0; i < most && fault_latest(i, &f); i++)
		cmd_iommu_fault(&f);
}

static int cmd_iommu(int argc, char **argv)
{
	const struct domain_ops *ops = domain_family();
	struct domain *d;

	if (argc == 2 && !strcmp(argv[1], "faults")) {
		domain_poll_faults();
		cmd_iommu_faults(FAULT_RING);
		return 0;
	}
	if (argc != 1)
		return -EINVAL;
	console_printf("%s\n", iommu_status());
	if (!ops)
		return 0;
	ops->print();
	console_printf("domains: %u\n", domain_count());
	list_for_each(d, &domain_list, node)
		cmd_iommu_domain(d);
	domain_poll_faults();
	cmd_iommu_faults(CMD_IOMMU_FAULTS);
	return 0;
}

static const struct monitor_cmd cmd_iommu_entry = {
	.name = "iommu",
	.args = "[faults]",
	.help = "units, domains, mappings, refused DMA",
	.run = cmd_iommu,
};
MONITOR_CMD(cmd_iommu_entry);

void iommu_report(void)
{
	const struct domain_ops *ops = domain_family();
	uint64_t lost, count;
	struct json j;

	domain_poll_faults();
	lost = iommu_fault_lost();
	count = iommu_fault_count();
	console_printf("iommu       %s; %u domain%s, %llu KiB mapped, %s%llu faults\n",
		       iommu_status(), domain_count(), domain_count() == 1 ? "" : "s",
		       (unsigned long long)(domain_mapped() >> 10),
		       lost ? "at least " : "", (unsigned long long)count);
	json_begin(&j, "iommu");
	json_str(&j, "kind", iommu_name());
	json_str(&j, "status", iommu_status());
	json_bool(&j, "protects", iommu_protects());
	json_str(&j, "dma", dma_provider_name());
	json_u64(&j, "units", ops ? ops->units() : 0);
	json_u64(&j, "domains", domain_count());
	json_u64(&j, "mapped_bytes", domain_mapped());
	json_u64(&j, "faults", count);
	json_u64(&j, "faults_lost", lost);
	json_u64(&j, "fault_irqs_lost", iommu_fault_irqs_lost());
	json_end(&j);
}
