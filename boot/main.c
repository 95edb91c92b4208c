/* SPDX-License-Identifier: MIT */
/*
 * The one file that names every room's start, in order. What a step needs is
 * what stands above it:
 *
 *	GS, traps		from here on a bug is a backtrace
 *	clock, console		so that anything can be said at all
 *	ends of the machine	so that a panic reaches the host
 *	memory, mappings	so that anything can be allocated
 *	the CPU's own stacks	for double faults and NMIs
 *	ACPI, APICs, time	who else is there, and how to interrupt them
 *	threads, CPUs		everything below may sleep
 *	PCI, IOMMU, drivers	in this order: no device may master the bus
 *				before its domain exists
 *
 * Then the command line's run= decides: tour, in-guest suites, report, shell,
 * probe.
 */
#include "blk/blk.h"
#include "boot/init.h"
#include "boot/pvh.h"
#include "core/acpi.h"
#include "core/acpi_power.h"
#include "core/bits.h"
#include "core/bootinfo.h"
#include "core/clock.h"
#include "core/cmdline.h"
#include "core/cpu.h"
#include "core/device.h"
#include "core/failnth.h"
#include "core/heap.h"
#include "core/ioapic.h"
#include "core/irq.h"
#include "core/lapic.h"
#include "core/log.h"
#include "core/monitor.h"
#include "core/ns16550.h"
#include "core/numa.h"
#include "core/page.h"
#include "core/panic.h"
#include "core/pci.h"
#include "core/poison.h"
#include "core/report.h"
#include "core/smp.h"
#include "core/string.h"
#include "core/trap.h"
#include "core/vm.h"
#include "core/wall.h"
#include "core/x86.h"
#include "sched/sched.h"
#include "viommu/viommu.h"
#include "virt/fw_cfg.h"
#include "virt/hyper.h"
#include "virt/pv.h"

#define BOOT_TABLES_REACH	GIB(1)	/* of boot/entry.S */
#define BOOT_STAGES		12
#define BOOT_PROBE		BIT(0)	/* words of run=, in the order of doing */
#define BOOT_TOUR		BIT(1)
#define BOOT_REPORT		BIT(2)
#define BOOT_SHELL		BIT(3)
#define BOOT_WAIT		BIT(4)
#define PCI_CLASS_STORAGE	0x010000
#define PCI_CLASS_BASE		0xff0000
#define PCI_HOLE_TOP		0xfec00000u	/* I/O APIC, HPET, LAPIC above */

static const struct cmdline_key key_run = {
	"run", "tour|report|shell|wait|probe|all|SUITE,…",
	"what to do after start (default: tour)" };
CMDLINE_KEY(key_run);
static const struct cmdline_key key_do = {
	"do", "\"LINE;LINE\"", "monitor commands to run before run=" };
CMDLINE_KEY(key_do);
static const struct cmdline_key key_log = {
	"log", "err|warn|info|debug", "the least important lines to print" };
CMDLINE_KEY(key_log);
static const struct cmdline_key key_json = {
	"json", "on|off", "@json lines for programs (default: on)" };
CMDLINE_KEY(key_json);
static const struct cmdline_key key_cpus = {
	"cpus", "N", "start at most N CPUs" };
CMDLINE_KEY(key_cpus);

extern char image_text_start[], image_rw_end[];

struct boot_facts boot_facts;

/* When each step of the start was over, in TSC: time comes later. */
static struct {
	const char *name;
	uint64_t tsc;
} boot_stage[BOOT_STAGES];
static unsigned boot_stages;

static void boot_stage_over(const char *name)
{
	BUG_ON(boot_stages == BOOT_STAGES);
	boot_stage[boot_stages].name = name;
	boot_stage[boot_stages++].tsc = x86_rdtsc();
}

void boot_main(uint64_t entry_tsc, uint64_t start_info);

static struct {
	struct acpi_madt madt;
	struct acpi_mcfg mcfg;
	struct acpi_fadt fadt;
	struct acpi_hpet hpet;
} boot_acpi;

static void boot_log_level(void)
{
	static const char *const names[] = { "err", "warn", "info", "debug" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (cmdline_list_has("log", names[i]))
			log_level = (enum log_level)i;
}

/*
 * RAM between lo and hi to the page allocator: what lies above the image,
 * because firmware, loader and the CPUs' start page share what is below.
 */
static void boot_add_memory(phys_t lo, phys_t hi)
{
	phys_t image_end = (uintptr_t)image_rw_end - VM_IMAGE_BASE;

	lo = MAX(lo, image_end);
	for (unsigned i = 0; i < bootinfo.nranges; i++) {
		const struct mem_range *r = &bootinfo.range[i];
		phys_t from = MAX(r->base, lo);
		phys_t to = MIN(r->base + r->size, hi);

		if (r->type == MEM_RAM && from < to)
			page_add(from, to - from);
	}
}

/* The end of the range of RAM that pa is in; pa itself: in none. */
static phys_t boot_ram_end(phys_t pa)
{
	for (unsigned i = 0; i < bootinfo.nranges; i++) {
		const struct mem_range *r = &bootinfo.range[i];

		if (r->type == MEM_RAM && pa >= r->base &&
		    pa - r->base < r->size)
			return r->base + r->size;
	}
	return pa;
}

/*
 * Where memory ends just behind the image, firmware has put its tables into it,
 * and whatever we do is chance: better say so at once.
 */
static void boot_image_is_in_ram(void)
{
	phys_t start = (uintptr_t)image_text_start - VM_IMAGE_BASE;
	phys_t end = (uintptr_t)image_rw_end - VM_IMAGE_BASE;
	phys_t ram = start;

	for (unsigned i = 0; i < bootinfo.nranges; i++)	/* they may adjoin */
		ram = boot_ram_end(ram);
	if (ram < end)
		panic("memory: the image needs RAM up to 0x%lx, and that ends at "
		      "0x%lx: out of memory", end, ram);
}

static void boot_memory(phys_t start_info)
{
	pvh_parse(start_info);
	boot_image_is_in_ram();
	boot_add_memory(0, BOOT_TABLES_REACH);
	vm_init();
	boot_add_memory(BOOT_TABLES_REACH, UINT64_MAX);
}

/* A boot disk has its own command line; one that the host passes replaces it. */
static void boot_cmdline(void)
{
	static char line[BOOTINFO_CMDLINE];

	if (!strcmp(bootinfo.how, "boot sector") &&
	    fw_cfg_read("opt/lodger/cmdline", line, sizeof(line)) > 0)
		memcpy(bootinfo.cmdline, line, sizeof(line));
	cmdline_init(bootinfo.cmdline);
}

static void boot_traps(void)
{
	struct percpu *p = this_cpu();

	p->tables = trap_alloc_tables();
	if (!p->tables)
		panic("trap: out of memory for the stacks of double faults and NMIs");
	trap_init_cpu(p);
}

/* 0 when the table is there and whole. */
static int boot_table(const char *sig, int (*parse)(const void *, size_t,
						    void *), void *out)
{
	const struct acpi_header *h = acpi_find(sig, 0);
	int err;

	if (!h) {
		if (acpi_broken(sig))
			log_warn("acpi", "%s is broken: left out", sig);
		return -ENOENT;
	}
	err = parse(h, h->length, out);
	if (err)
		log_warn("acpi", "%s refused (%s): left out", sig,
			 errno_name(err));
	return err;
}

static int boot_parse_madt(const void *t, size_t n, void *out)
{
	return acpi_parse_madt(t, n, out);
}
static int boot_parse_mcfg(const void *t, size_t n, void *out)
{
	return acpi_parse_mcfg(t, n, out);
}
static int boot_parse_fadt(const void *t, size_t n, void *out)
{
	return acpi_parse_fadt(t, n, out);
}
static int boot_parse_hpet(const void *t, size_t n, void *out)
{
	return acpi_parse_hpet(t, n, out);
}

static void boot_firmware(void)
{
	if (acpi_init(bootinfo.rsdp) < 0)
		log_warn("acpi", "no tables: one CPU, no IOMMU");
	boot_table("APIC", boot_parse_madt, &boot_acpi.madt);
	boot_table("MCFG", boot_parse_mcfg, &boot_acpi.mcfg);
	boot_table("FACP", boot_parse_fadt, &boot_acpi.fadt);
	boot_table("HPET", boot_parse_hpet, &boot_acpi.hpet);
	acpi_power_init(&boot_acpi.fadt);
	numa_init();
}

static void boot_time(void)
{
	phys_t lapic = boot_acpi.madt.lapic_base;

	/* The 8259s are masked while the local APIC still listens: a tick that
	   came since the firmware left would otherwise stay pending in QEMU's
	   TCG, which then delivers vector -1 at the first STI. */
	ioapic_init(&boot_acpi.madt);
	lapic_init(lapic ? lapic : 0xfee00000);
	lapic_init_cpu();
	clock_init(&(struct clock_hw){ boot_acpi.hpet.base,
				       boot_acpi.fadt.pm_timer,
				       boot_acpi.fadt.pm_timer_wide });
	wall_init(boot_acpi.fadt.century);
	lapic_timer_init(hyper.apic_khz * UINT64_C(1000));
	lapic_timer_init_cpu();
}

static void boot_irqs(void)
{
	if (irq_prepare(cpu_id()))
		log_err("irq", "out of memory: stray interrupts of CPU %u are "
			"counted together", cpu_id());
}

static void boot_cpu_main(void)
{
	boot_irqs();
	pv_init_cpu();
	sched_cpu_main();
}

static void boot_cpus(void)
{
	boot_irqs();
	pv_init_cpu();
	sched_init();
	cpu_irq_restore(1);
	boot_facts.cpus_missing =
		smp_start(&boot_acpi.madt, &(struct smp_limits){
			.max = (unsigned)MIN(cmdline_u64("cpus", CPU_MAX),
					     (uint64_t)CPU_MAX),
			.x2 = lapic_x2(),
			/* The IOMMU comes later: nothing is remapped yet. */
			.remapping = false }, boot_cpu_main);
	pv_start();
	if (smp_settled())
		vm_drop_identity();
	ending_init(&boot_acpi.fadt);
}

/* Does [a, a + size) touch anything that the memory map or MCFG names? */
static bool boot_range_used(phys_t base, phys_t end, phys_t *past)
{
	for (unsigned i = 0; i < bootinfo.nranges; i++) {
		const struct mem_range *r = &bootinfo.range[i];

		if (r->base < end && r->base + r->size > base) {
			*past = r->base + r->size;
			return true;
		}
	}
	for (unsigned i = 0; i < boot_acpi.mcfg.n; i++) {
		phys_t b = boot_acpi.mcfg.seg[i].base;
		phys_t e = b + MIB(boot_acpi.mcfg.seg[i].bus_last + 1);

		if (b < end && e > base) {
			*past = e;
			return true;
		}
	}
	return false;
}

/* The hole that ends where the chipset's own registers begin. */
static struct pci_window boot_hole_below_4g(void)
{
	phys_t base = MIB(16), past;

	while (base < PCI_HOLE_TOP &&
	       boot_range_used(base, PCI_HOLE_TOP, &past))
		base = ALIGN_UP(past, MIB(1));
	if (base >= PCI_HOLE_TOP)
		return (struct pci_window){ 0, 0 };
	return (struct pci_window){ base, PCI_HOLE_TOP - base };
}

static struct pci_window boot_hole_above_4g(void)
{
	phys_t base = GIB(4);

	for (unsigned i = 0; i < bootinfo.nranges; i++) {
		const struct mem_range *r = &bootinfo.range[i];

		/* Not the reserved hole that QEMU shows below 1 TiB. */
		if (r->type == MEM_RAM)
			base = MAX(base, r->base + r->size);
	}
	return (struct pci_window){ ALIGN_UP(base, GIB(1)), GIB(32) };
}

/* One block, through the IOMMU and the whole block layer: is it all there? */
static void boot_first_read(void)
{
	struct blk_dev *bd = blk_get(0);
	void *block = bd && bd->blocks ? heap_alloc(bd->block_size) : NULL;
	int err;

	if (!block)
		return;
	err = blk_read(bd, 0, block, bd->block_size);
	if (err)
		log_err("boot", "block 0 of %s: %s", bd->name,
			errno_name(err));
	else
		boot_facts.first_read = time_now();
	heap_free(block);
}

static void boot_devices(void)
{
	struct pci_window io = { 0xc000, 0x4000 };

	if (pci_config_init(boot_acpi.mcfg.n ? &boot_acpi.mcfg : NULL) < 0) {
		log_warn("pci", "no host bridge: no devices");
		return;
	}
	if (pci_enumerate() < 0)
		panic("pci: out of memory while enumerating");
	pci_assign_unassigned(boot_hole_below_4g(), boot_hole_above_4g(), io);
	boot_stage_over("pci");
	/* It says itself what it found, or what is wrong. */
	if (iommu_init() < 0 && iommu_required())
		machine_end(MACHINE_FAILED);
	boot_stage_over("iommu");
	/* Disks first: nothing else is on the way to the first read. */
	driver_probe_class(PCI_CLASS_STORAGE, PCI_CLASS_BASE);
	boot_stage_over("disks");
	boot_first_read();
	boot_stage_over("first_read");
	driver_probe_all();
	boot_stage_over("drivers");
	boot_facts.ready = time_now();
}

static void boot_banner(void)
{
	struct page_stats mem;

	page_stats(&mem);
	log_info("lodger", "%s boot on %s, %u CPU%s, %lu MiB free",
		 bootinfo.how, hyper_name(), cpu_count(),
		 cpu_count() == 1 ? "" : "s", mem.free * PAGE_SIZE >> 20);
	log_info("lodger", "TSC %lu kHz (%s), timer %s%s", clock_tsc_hz() / 1000,
		 clock_source(), cpu_timer_name(),
		 lapic_x2() ? ", x2APIC" : ", xAPIC");
}

static void boot_report(void)
{
	struct page_stats mem;
	struct json j;

	page_stats(&mem);
	json_begin(&j, "boot");
	json_str(&j, "how", bootinfo.how);
	json_str(&j, "hypervisor", hyper_name());
	json_u64(&j, "cpus", cpu_count());
	json_u64(&j, "cpus_missing", boot_facts.cpus_missing);
	json_u64(&j, "memory_pages", mem.total);
	json_u64(&j, "tsc_hz", clock_tsc_hz());
	json_str(&j, "clock", clock_source());
	json_str(&j, "timer", cpu_timer_name());
	json_bool(&j, "x2apic", lapic_x2());
	json_str(&j, "pci", pci_config_method());
	json_str(&j, "iommu", iommu_name());
	json_bool(&j, "protected", iommu_protects());
	json_u64(&j, "faults", iommu_fault_count());
	json_u64(&j, "ready_us", boot_facts.ready / NSEC_PER_USEC);
	json_str(&j, "cmdline", bootinfo.cmdline);
	json_object(&j, "stages_us");
	for (unsigned i = 0; i < boot_stages; i++)
		json_u64(&j, boot_stage[i].name,
			 clock_tsc_to_ns(boot_stage[i].tsc) / NSEC_PER_USEC);
	json_close(&j, false);
	json_end(&j);
}

static bool boot_run_suites(const char *list)
{
	struct ktest_totals tot;

	ktest_run_suites(list, &tot);
	return !tot.failed && !tot.bailed &&
	       tot.passed + tot.skipped + tot.xfailed;
}

/*
 * run= is a list of words; ours become bits, the others are suites. A list
 * with nothing in it means the tour: no boot passes for having done nothing.
 */
static unsigned boot_wanted(char *run, char *suites)
{
	static const char *const own[] = { "probe", "tour", "report", "shell",
					   "wait" };
	unsigned wanted = 0;
	char *p = suites;

	*p = 0;
	for (char *w = run, *next; w; w = next) {
		unsigned i = 0;

		next = strchr(w, ',');
		if (next)
			*next++ = 0;
		while (i < ARRAY_SIZE(own) && strcmp(w, own[i]))
			i++;
		if (i < ARRAY_SIZE(own)) {
			wanted |= BIT(i);
		} else if (*w) {
			if (p != suites)
				*p++ = ',';
			memcpy(p, w, strlen(w) + 1);
			p += strlen(w);
		}
	}
	return wanted || *suites ? wanted : BOOT_TOUR;
}

/* One command of do=; what fails is named, and fails the boot. */
static bool boot_do_line(char *line)
{
	char text[BOOTINFO_CMDLINE];
	int err;

	memcpy(text, line, strlen(line) + 1);	/* monitor_exec() cuts it up */
	err = monitor_exec(line);
	if (err)
		log_err("lodger", "do=\"%s\": %s", text, errno_name(err));
	return !err;
}

/* Says what the power button kept us from. */
static bool boot_not_run(const char *what)
{
	if (ending_asked())
		log_warn("lodger", "not run: %s (power button)", what);
	return ending_asked();
}

static bool boot_do(void)
{
	char line[BOOTINFO_CMDLINE];
	bool ok = true;

	if (cmdline_get("do", line, sizeof(line)))
		return true;
	for (char *w = line, *next; ok && w; w = next) {
		if (boot_not_run("the rest of do="))
			return false;
		next = strchr(w, ';');
		if (next)
			*next++ = 0;
		ok = boot_do_line(w);
	}
	return ok;
}

static bool boot_run(void)
{
	char run[256] = "", suites[256];
	unsigned wanted;
	bool ok = true;

	if (cmdline_get("run", run, sizeof(run)) == -E2BIG) {
		log_err("lodger", "run= is longer than %zu bytes",
			sizeof(run) - 1);
		return false;
	}
	wanted = boot_wanted(run, suites);
	if (wanted & BOOT_PROBE)
		probe_run();
	if (*suites)
		ok &= boot_run_suites(suites);
	if (wanted & BOOT_TOUR)
		ok &= !boot_not_run("the tour") && tour_run();
	if (wanted & BOOT_REPORT)
		report_run();
	if (wanted & BOOT_SHELL)
		shell_run();
	if (wanted & BOOT_WAIT)
		ok &= ending_wait();
	return ok;
}

void boot_main(uint64_t entry_tsc, uint64_t start_info)
{
	bool ok;

	smp_init_boot_cpu();
	trap_init();
	clock_start(entry_tsc);
	ns16550_init();
	pvpanic_init();
	debugexit_init();
	boot_memory(start_info);
	boot_stage_over("memory");
	boot_traps();
	boot_cmdline();
	boot_log_level();
	poison_init();
	failnth_init();
	json_quiet = !cmdline_bool("json", true);
	hyper_detect();
	boot_firmware();
	boot_stage_over("firmware");
	boot_time();
	boot_stage_over("time");
	boot_cpus();
	boot_stage_over("cpus");
	boot_banner();
	boot_devices();
	boot_report();
	smp_report();

	ok = boot_do() && boot_run();
	ending_stop();
	log_info("lodger", "%s", ok ? "goodbye" : "goodbye, with failures");
	machine_end(ok ? MACHINE_PASSED : MACHINE_FAILED);
}
