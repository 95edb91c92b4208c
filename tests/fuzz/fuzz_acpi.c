/* SPDX-License-Identifier: MIT */
/*
 * All table parsers on arbitrary bytes. The first byte chooses the parser, its
 * highest bit whether length, checksum and signature are repaired first:
 * without that nothing would ever get past them. "make fuzz F=acpi".
 */
#include "core/acpi.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static union {
	struct acpi_madt madt;
	struct acpi_mcfg mcfg;
	struct acpi_fadt fadt;
	struct acpi_hpet hpet;
	struct acpi_srat srat;
	struct acpi_slit slit;
	struct acpi_hmat hmat;
	struct acpi_dmar dmar;
	struct acpi_viot viot;
	struct acpi_ivrs ivrs;
} out;

#define PARSER(kind)							\
static int fuzz_##kind(const void *p, size_t n)				\
{									\
	return acpi_parse_##kind(p, n, &out.kind);			\
}
PARSER(madt) PARSER(mcfg) PARSER(fadt) PARSER(hpet) PARSER(srat)
PARSER(slit) PARSER(hmat) PARSER(dmar) PARSER(viot) PARSER(ivrs)

static int fuzz_s5(const void *p, size_t n)
{
	uint8_t typ;

	return acpi_find_s5(p, n, &typ);
}

static const struct {
	char signature[5];
	int (*parse)(const void *p, size_t n);
} parser[] = {
	{ "APIC", fuzz_madt }, { "MCFG", fuzz_mcfg }, { "FACP", fuzz_fadt },
	{ "HPET", fuzz_hpet }, { "SRAT", fuzz_srat }, { "SLIT", fuzz_slit },
	{ "HMAT", fuzz_hmat }, { "DMAR", fuzz_dmar }, { "VIOT", fuzz_viot },
	{ "IVRS", fuzz_ivrs }, { "DSDT", fuzz_s5 },
};

static void fuzz_repair(uint8_t *p, uint32_t n, const char *signature)
{
	uint8_t sum = 0;

	if (n < sizeof(struct acpi_header))
		return;
	memcpy(p, signature, 4);
	memcpy(p + 4, &n, 4);
	p[9] = 0;
	for (uint32_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + p[i]);
	p[9] = (uint8_t)-sum;
}

/* What holds for every result, whatever went in. */
static void fuzz_check_dmar(const struct acpi_dmar *d)
{
	for (unsigned i = 0; i < d->nunits; i++)
		if (d->unit[i].scope + d->unit[i].nscope > d->nscopes)
			abort();
	for (unsigned i = 0; i < d->nscopes; i++)
		if (!d->scope[i].npath || d->scope[i].npath > DMAR_PATH)
			abort();
}

static void fuzz_check(int (*parse)(const void *p, size_t n))
{
	if (parse == fuzz_dmar)
		fuzz_check_dmar(&out.dmar);
	if (parse == fuzz_hmat && out.hmat.n > ACPI_HMAT_PAIRS)
		abort();
	if (parse == fuzz_madt && out.madt.ncpus > ACPI_CPUS)
		abort();
	for (unsigned i = 0; parse == fuzz_viot && i < out.viot.nranges; i++)
		if (out.viot.range[i].iommu >= out.viot.niommus)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned k;
	uint8_t *p;

	if (!size)
		return 0;
	k = (data[0] & 0x7f) % (sizeof(parser) / sizeof(parser[0]));
	p = malloc(size - 1 ? size - 1 : 1);
	memcpy(p, data + 1, size - 1);
	if (data[0] & 0x80)
		fuzz_repair(p, (uint32_t)(size - 1), parser[k].signature);
	if (!parser[k].parse(p, size - 1))
		fuzz_check(parser[k].parse);
	free(p);
	return 0;
}
