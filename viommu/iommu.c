/* SPDX-License-Identifier: MIT */
/*
 * Which IOMMU there is, and the one rule about it: protection is claimed when
 * a driver of ours has brought up all of what the firmware's table names,
 * and never otherwise. A table that is there but broken or a unit that does
 * not start leaves DMA untranslated, and the status line says so and why.
 * iommu=require makes either an error.
 *
 * VIOT comes first: where it is, it says who is behind which IOMMU; then
 * DMAR (VT-d), then IVRS (AMD-Vi).
 */
#include "viommu/viommu.h"

#include "core/acpi.h"
#include "core/cmdline.h"
#include "core/errno.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/string.h"
#include "viommu/amdvi.h"
#include "viommu/domain.h"
#include "viommu/fault.h"
#include "viommu/virtio_iommu.h"
#include "viommu/vtd.h"

static const struct cmdline_key iommu_key = {
	.key = "iommu",
	.values = "on|off|require",
	.help = "translate DMA (on), or not; require: stop when it cannot be",
};
CMDLINE_KEY(iommu_key);

enum iommu_mode { IOMMU_ON, IOMMU_OFF, IOMMU_REQUIRE };

static struct iommu {
	enum iommu_kind kind;		/* what there is, working or not */
	bool protects;
	char status[192];
} iommu = { .status = "not looked for" };

static int iommu_start_virtio(const struct acpi_header *h)
{
	static struct acpi_viot viot;
	int err = acpi_parse_viot(h, h->length, &viot);

	return err ? err : viommu_start(&viot);
}

static int iommu_start_vtd(const struct acpi_header *h)
{
	static struct acpi_dmar dmar;
	int err = acpi_parse_dmar(h, h->length, &dmar);

	return err ? err : vtd_start(&dmar);
}

static int iommu_start_amdvi(const struct acpi_header *h)
{
	static struct acpi_ivrs ivrs;
	int err = acpi_parse_ivrs(h, h->length, &ivrs);

	return err ? err : amdvi_start(&ivrs);
}

static const struct iommu_family {
	enum iommu_kind kind;
	const char *name, *table;
	int (*start)(const struct acpi_header *h);
	const struct domain_ops *ops;
} iommu_families[] = {
	{ IOMMU_VIRTIO, "virtio-iommu", "VIOT", iommu_start_virtio,
	  &viommu_ops },
	{ IOMMU_VTD, "vt-d", "DMAR", iommu_start_vtd, &vtd_ops },
	{ IOMMU_AMDVI, "amd-vi", "IVRS", iommu_start_amdvi, &amdvi_ops },
};

static enum iommu_mode iommu_mode(void)
{
	char val[16];
	int err = cmdline_get("iommu", val, sizeof(val));

	if (err == -ENOENT || (!err && !strcmp(val, "on")))
		return IOMMU_ON;
	if (!err && !strcmp(val, "off"))
		return IOMMU_OFF;
	if (!err && !strcmp(val, "require"))
		return IOMMU_REQUIRE;
	/* The safe reading of what we cannot read. */
	log_warn("iommu", "iommu=%s: not on, off or require; taken as on", val);
	return IOMMU_ON;
}

bool iommu_required(void)
{
	return iommu_mode() == IOMMU_REQUIRE;
}

/* The first family whose table is there, broken or not. */
static const struct iommu_family *iommu_find(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(iommu_families); i++) {
		const struct iommu_family *f = &iommu_families[i];

		if (acpi_find(f->table, 0) || acpi_broken(f->table))
			return f;
	}
	return NULL;
}

/* Nobody refuses them; that they stay without a domain is up to us. */
static unsigned iommu_uncovered(const struct domain_ops *ops)
{
	struct pci_dev *p;
	unsigned n = 0;

	list_for_each(p, &pci_devices, node)
		n += !ops->covers(p) && !(ops->is_own && ops->is_own(p));
	return n;
}

static void iommu_say_working(const struct iommu_family *f)
{
	unsigned n = iommu_uncovered(f->ops);
	char but[64] = "";

	if (n)
		fmt_snprintf(but, sizeof(but),
			     " (%u functions are behind no IOMMU and get no driver)",
			     n);
	fmt_snprintf(iommu.status, sizeof(iommu.status),
		     "%s: DMA is translated, devices in no domain are refused%s; interrupts are not remapped",
		     f->name, but);
}

static int iommu_bring_up(const struct iommu_family *f)
{
	const struct acpi_header *h = acpi_find(f->table, 0);
	int err;

	iommu.kind = f->kind;
	if (!h || acpi_broken(f->table)) {
		fmt_snprintf(iommu.status, sizeof(iommu.status),
			     "%s: the %s table is broken; DMA is not translated",
			     f->name, f->table);
		return -EBADMSG;
	}
	err = f->start(h);
	if (err) {
		fmt_snprintf(iommu.status, sizeof(iommu.status),
			     "%s: did not start (%s); DMA is not translated",
			     f->name, errno_name(err));
		return err;
	}
	domain_start(f->ops);
	iommu.protects = true;
	iommu_say_working(f);
	return 0;
}

int iommu_init(void)
{
	enum iommu_mode mode = iommu_mode();
	const struct iommu_family *f = mode == IOMMU_OFF ? NULL : iommu_find();
	int err = 0;

	iommu.kind = IOMMU_NONE;
	iommu.protects = false;
	fault_reset();
	if (f)
		err = iommu_bring_up(f);
	else
		fmt_snprintf(iommu.status, sizeof(iommu.status), "%s",
			     mode == IOMMU_OFF ?
			     "switched off by iommu=off; DMA is not translated" :
			     "none on this machine; DMA is not translated");
	log_line(err ? LOG_ERR : LOG_INFO, "iommu", "%s", iommu.status);
	if (mode != IOMMU_REQUIRE || iommu.protects)
		return err;
	log_err("iommu", "iommu=require cannot be met");
	return err ? err : -ENODEV;
}

void iommu_stop(void)
{
	const struct domain_ops *ops = domain_family();

	if (!ops)
		return;
	domain_start(NULL);
	ops->stop();
	iommu.protects = false;
	fmt_snprintf(iommu.status, sizeof(iommu.status),
		     "%s: stopped; DMA is not translated", ops->name);
}

enum iommu_kind iommu_kind(void)
{
	return iommu.kind;
}

const char *iommu_name(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(iommu_families); i++) {
		if (iommu_families[i].kind == iommu.kind)
			return iommu_families[i].name;
	}
	return "none";
}

bool iommu_protects(void)
{
	return iommu.protects;
}

bool iommu_records_nothing(void)
{
	const struct domain_ops *ops = domain_family();

	return ops && ops->silent && ops->silent();
}

const char *iommu_status(void)
{
	return iommu.status;
}
