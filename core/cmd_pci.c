/* SPDX-License-Identifier: MIT */
/* The monitor's view of PCI: lspci, and the report's lines. */
#include "core/pci.h"

#include "core/errno.h"
#include "core/log.h"
#include "core/monitor.h"
#include "core/pcireg.h"
#include "core/report.h"

struct cmd_pci_class {
	uint32_t class, mask;
	const char *name;
};

/* The first that matches; the last matches all. */
static const struct cmd_pci_class cmd_pci_classes[] = {
	{ 0x010802, 0xffffff, "NVMe controller" },
	{ 0x010601, 0xffffff, "AHCI controller" },
	{ 0x010100, 0xffff00, "IDE controller" },
	{ 0x010000, 0xff0000, "storage" },
	{ 0x020000, 0xff0000, "network" },
	{ 0x030000, 0xffff00, "VGA display" },
	{ 0x030000, 0xff0000, "display" },
	{ 0x040000, 0xff0000, "multimedia" },
	{ 0x050000, 0xff0000, "memory" },
	{ 0x060000, 0xffff00, "host bridge" },
	{ 0x060100, 0xffff00, "ISA bridge" },
	{ 0x060400, 0xffff00, "PCI bridge" },
	{ 0x060000, 0xff0000, "bridge" },
	{ 0x070000, 0xff0000, "communication" },
	{ 0x080600, 0xffff00, "IOMMU" },
	{ 0x080000, 0xff0000, "system" },
	{ 0x0c0330, 0xffffff, "xHCI controller" },
	{ 0x0c0300, 0xffff00, "USB controller" },
	{ 0x0c0500, 0xffff00, "SMBus" },
	{ 0, 0, "other" },
};

static const char *cmd_pci_class_name(uint32_t class)
{
	const struct cmd_pci_class *c = cmd_pci_classes;

	while ((class ^ c->class) & c->mask)
		c++;
	return c->name;
}

static const char *cmd_pci_bar_kind(const struct pci_bar *b)
{
	return b->is_io ? "io" :
	       b->is_64 ? b->prefetch ? "mem64 prefetch" : "mem64" :
			  b->prefetch ? "mem32 prefetch" : "mem32";
}

static void cmd_pci_print(const struct pci_dev *p)
{
	console_printf("%s  %04x:%04x  %06x  %-16s  %s%s\n", p->dev.name,
		       p->vendor, p->device, p->class,
		       cmd_pci_class_name(p->class),
		       p->driver ? p->driver->name : "-",
		       p->cap_pcie ? "  pcie" : "");
	if (p->probe_err)
		console_printf("         its driver refused: %s\n",
			       errno_name(p->probe_err));
	if (p->secondary)
		console_printf("         buses %u to %u\n", p->secondary,
			       p->subordinate);
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *b = &p->bar[i];

		if (b->size)
			console_printf("         BAR %u 0x%llx, 0x%llx bytes, "
				       "%s%s\n", i, (unsigned long long)b->base,
				       (unsigned long long)b->size,
				       cmd_pci_bar_kind(b),
				       b->base ? "" : ", unassigned");
	}
}

static void cmd_pci_json_bars(struct json *j, const struct pci_dev *p)
{
	json_array(j, "bars");
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *b = &p->bar[i];

		if (!b->size)
			continue;
		json_object(j, NULL);
		json_u64(j, "bar", i);
		json_hex(j, "base", b->base);
		json_hex(j, "size", b->size);
		json_str(j, "kind", cmd_pci_bar_kind(b));
		json_close(j, false);
	}
	json_close(j, true);
}

static void cmd_pci_json(const struct pci_dev *p)
{
	struct json j;

	json_begin(&j, "pci");
	json_str(&j, "bdf", p->dev.name);
	json_hex(&j, "vendor", p->vendor);
	json_hex(&j, "device", p->device);
	json_hex(&j, "class", p->class);
	json_str(&j, "class_name", cmd_pci_class_name(p->class));
	json_u64(&j, "revision", p->revision);
	if (p->parent)
		json_str(&j, "parent", p->parent->dev.name);
	if (p->secondary) {
		json_u64(&j, "secondary", p->secondary);
		json_u64(&j, "subordinate", p->subordinate);
	}
	json_bool(&j, "pcie", p->cap_pcie);
	json_u64(&j, "intx_pin", p->intx_pin);
	json_bool(&j, "master",
		  pci_read16(p, PCI_COMMAND) & PCI_COMMAND_MASTER);
	json_bool(&j, "attached", p->dev.dma.ops);
	json_u64(&j, "maps", p->dev.dma.maps);
	json_u64(&j, "unmaps", p->dev.dma.unmaps);
	if (p->driver)
		json_str(&j, "driver", p->driver->name);
	if (p->probe_err)
		json_str(&j, "probe_err", errno_name(p->probe_err));
	cmd_pci_json_bars(&j, p);
	json_end(&j);
}

void pci_report(void)
{
	struct pci_dev *p;

	console_printf("PCI by %s:\n", pci_config_method());
	list_for_each(p, &pci_devices, node) {
		cmd_pci_print(p);
		cmd_pci_json(p);
	}
}

static int cmd_pci_run(int argc, char **argv)
{
	pci_report();
	return 0;
}

static const struct monitor_cmd cmd_pci = {
	.name = "lspci",
	.args = "",
	.help = "PCI functions: ids, class, driver, BARs",
	.run = cmd_pci_run,
};
MONITOR_CMD(cmd_pci);
