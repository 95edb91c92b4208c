/* SPDX-License-Identifier: MIT */
/*
 * The Fixed ACPI Description Table, and the sleep type of S5 from the DSDT.
 *
 * The table has grown with every revision; how far it goes is said by its
 * length alone, so each later field is read only if the table reaches it.
 */
#include "core/acpireg.h"

#include "core/errno.h"
#include "core/string.h"

/* Does the table, h->length bytes, have the whole field? */
#define FADT_HAS(f, field) \
	((f)->header.length >= offsetof(struct fadt, field) + \
			       sizeof((f)->field))

/* The extended register when there is one in port space, else the old one. */
static uint32_t fadt_port(const struct acpi_gas *x, uint32_t old)
{
	if (x && x->space == ACPI_SPACE_IO && x->addr &&
	    x->addr <= UINT16_MAX)
		return (uint32_t)x->addr;
	return old <= UINT16_MAX ? old : 0;
}

static void fadt_registers(const struct fadt *f, struct acpi_fadt *out)
{
	if (f->flags & FADT_HW_REDUCED)
		return;
	out->pm1a_cnt = fadt_port(FADT_HAS(f, x_pm1a_cnt) ?
				  &f->x_pm1a_cnt : NULL, f->pm1a_cnt);
	out->pm1b_cnt = fadt_port(FADT_HAS(f, x_pm1b_cnt) ?
				  &f->x_pm1b_cnt : NULL, f->pm1b_cnt);
	out->pm1a_evt = fadt_port(FADT_HAS(f, x_pm1a_evt) ?
				  &f->x_pm1a_evt : NULL, f->pm1a_evt);
	out->pm1b_evt = fadt_port(FADT_HAS(f, x_pm1b_evt) ?
				  &f->x_pm1b_evt : NULL, f->pm1b_evt);
	out->gpe0 = fadt_port(FADT_HAS(f, x_gpe0) ? &f->x_gpe0 : NULL, f->gpe0);
	out->gpe1 = fadt_port(FADT_HAS(f, x_gpe1) ? &f->x_gpe1 : NULL, f->gpe1);
	out->pm1_evt_len = f->pm1_evt_len;
	out->gpe0_len = f->gpe0_len;
	out->gpe1_len = f->gpe1_len;
	out->smi_cmd = fadt_port(NULL, f->smi_cmd);
	out->acpi_enable = f->acpi_enable;
	out->power_button = out->pm1a_evt && !(f->flags & FADT_PWR_BUTTON);
	out->pm_timer = fadt_port(FADT_HAS(f, x_pm_timer) ?
				  &f->x_pm_timer : NULL, f->pm_timer);
}

static void fadt_reset(const struct fadt *f, struct acpi_fadt *out)
{
	if (!(f->flags & FADT_RESET_SUPPORTED) || !FADT_HAS(f, reset_value) ||
	    f->reset.space > ACPI_SPACE_PCI || !f->reset.addr)
		return;
	out->reset_supported = true;
	out->reset_space = f->reset.space;
	out->reset_addr = f->reset.addr;
	out->reset_value = f->reset_value;
}

int acpi_parse_fadt(const void *table, size_t size, struct acpi_fadt *out)
{
	const struct fadt *f = table;
	struct acpi_walk w;
	int err;

	memset(out, 0, sizeof(*out));
	err = acpi_walk_table(&w, table, size, "FACP", FADT_V1_SIZE);
	if (err)
		return err;
	out->flags = f->flags;
	out->sci_irq = f->sci_irq;
	out->pm_timer_wide = f->flags & FADT_TMR_VAL_EXT;
	out->century = f->century;
	out->dsdt = f->dsdt;
	if (FADT_HAS(f, x_dsdt) && f->x_dsdt)
		out->dsdt = f->x_dsdt;
	fadt_registers(f, out);
	fadt_reset(f, out);
	return 0;
}

/* One constant integer of AML that fits a byte, 20.2.3. */
static int s5_constant(const uint8_t *p, const uint8_t *end, uint8_t *val)
{
	if (p < end && (p[0] == AML_ZERO || p[0] == AML_ONE)) {
		*val = p[0];
		return 0;
	}
	if (end - p >= 2 && p[0] == AML_BYTE) {
		*val = p[1];
		return 0;
	}
	return -ENOENT;
}

/* What follows the name: Package, its length, its count, its first element. */
static int s5_package(const uint8_t *p, const uint8_t *end, uint8_t *val)
{
	size_t head;

	if (end - p < 3 || p[0] != AML_PACKAGE)
		return -ENOENT;
	head = 2 + FIELD_GET(AML_PKGLEN_BYTES, p[1]);
	if ((size_t)(end - p) <= head || !p[head])
		return -ENOENT;
	return s5_constant(p + head + 1, end, val);
}

/*
 * The last place of the name before end, or NULL. Backwards, because firmware
 * puts the sleep states behind its devices; and as one of any four neighbours
 * is within the name, a quarter of the bytes suffices.
 */
static const uint8_t *s5_find(const uint8_t *first, const uint8_t *end)
{
	static const char name[] = "_S5_";

	for (const uint8_t *p = end - 1; p - first >= 0; p -= 4) {
		if (*p != '_' && *p != 'S' && *p != '5')
			continue;
		for (const uint8_t *q = p; p - q < 4 && q - first >= 0; q--)
			if (end - q >= 4 && !memcmp(q, name, 4))
				return q;
	}
	return NULL;
}

int acpi_find_s5(const void *dsdt, size_t size, uint8_t *slp_typ)
{
	const uint8_t *end = (const uint8_t *)dsdt + size, *at = end;
	size_t head = sizeof(struct acpi_header);
	uint8_t typ;

	while (at - (const uint8_t *)dsdt > (ptrdiff_t)head) {
		at = s5_find((const uint8_t *)dsdt + head, at);
		if (!at)
			break;
		/* SLP_TYPx has three bits: 4.8.3.2.1 */
		if (!s5_package(at + 4, end, &typ) && typ < 8) {
			*slp_typ = typ;
			return 0;
		}
		at += 3;		/* the next one may share a letter */
	}
	return -ENOENT;
}
