/* SPDX-License-Identifier: MIT */
/*
 * Where the ACPI tables are (theory of operation).
 *
 * The boot protocol names the RSDP, or it is searched for in the two places
 * that a BIOS may put it. From there the XSDT (revision 2 on) or the RSDT lists
 * the tables. Each is looked at once: its header, its length, its checksum;
 * the verdict is kept, the bytes stay where they are and are used in place.
 *
 * Tables are read through the direct mapping. It is assumed to hold what
 * core/vm.c puts there: the first MiB, RAM, ACPI data, and small reserved
 * ranges below 4 GiB, as the memory map names them. An address anywhere else
 * may be a device's register, or nothing, and is not touched; a table there
 * counts as broken. As nobody can say which table it would have been, it makes
 * acpi_broken() true for every signature of which none is intact; so does a
 * root table that is itself broken.
 */
#include "core/acpireg.h"

#include "core/bootinfo.h"
#include "core/dma.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/report.h"
#include "core/string.h"

#define ACPI_TABLES	64
#define ACPI_SMALL	MIB(4)		/* reserved ranges that are mapped */

struct acpi_table {
	phys_t pa;
	const struct acpi_header *header;	/* NULL: cannot be read */
	bool intact;
};

/* All set once by acpi_init(). */
static struct {
	phys_t rsdp;
	unsigned n, intact;
	bool root_broken, unreadable;
	struct acpi_table table[ACPI_TABLES];
} acpi;

static bool acpi_mapped(const struct mem_range *r)
{
	return r->type == MEM_RAM || r->type == MEM_ACPI ||
	       (r->type == MEM_RESERVED && r->size <= ACPI_SMALL &&
		r->base < GIB(4));
}

/* May [pa, pa + size) be read? It has to be within one range of the map. */
static bool acpi_readable(phys_t pa, uint64_t size)
{
	if (!pa || pa + size < pa)
		return false;
	if (pa + size <= MIB(1))
		return true;
	for (unsigned i = 0; i < bootinfo.nranges; i++) {
		const struct mem_range *r = &bootinfo.range[i];

		if (acpi_mapped(r) && pa >= r->base && size <= r->size &&
		    pa - r->base <= r->size - size)
			return true;
	}
	return false;
}

static const struct acpi_header *acpi_header(phys_t pa)
{
	return acpi_readable(pa, sizeof(struct acpi_header)) ?
	       phys_to_virt(pa) : NULL;
}

static bool acpi_intact(phys_t pa, const struct acpi_header *h)
{
	return h->length >= sizeof(*h) && acpi_readable(pa, h->length) &&
	       !acpi_check(h, h->length);
}

/* Four letters for a person, whatever the bytes are. */
struct acpi_name { char text[5]; };

static struct acpi_name acpi_name(const struct acpi_header *h)
{
	struct acpi_name n = { "????" };

	for (unsigned i = 0; h && i < 4; i++)
		if (h->signature[i] > ' ' && h->signature[i] <= '~')
			n.text[i] = h->signature[i];
	return n;
}

const struct acpi_header *acpi_at(phys_t pa)
{
	const struct acpi_header *h = acpi_header(pa);

	if (h && acpi_intact(pa, h))
		return h;
	log_warn("acpi", "%s at 0x%llx is broken", acpi_name(h).text,
		 (unsigned long long)pa);
	return NULL;
}

/* ---- the root pointer ---- */

static bool acpi_rsdp_intact(phys_t pa)
{
	const struct rsdp *r;

	if (!acpi_readable(pa, RSDP_V1_SIZE))
		return false;
	r = phys_to_virt(pa);
	return !memcmp(r->signature, RSDP_SIGNATURE, sizeof(r->signature)) &&
	       !acpi_check_sum(r, RSDP_V1_SIZE);
}

static phys_t acpi_search(phys_t pa, phys_t end)
{
	for (; pa + RSDP_V1_SIZE <= end; pa += RSDP_ALIGN)
		if (acpi_rsdp_intact(pa))
			return pa;
	return 0;
}

/* 5.2.5.1: the first KiB of the EBDA, then the BIOS's read-only area. */
static phys_t acpi_search_all(void)
{
	const uint8_t *bda = phys_to_virt(BDA_EBDA_SEGMENT);
	phys_t ebda = ALIGN_UP((phys_t)(bda[0] | bda[1] << 8) << 4,
			       (phys_t)RSDP_ALIGN);
	phys_t pa = 0;

	if (ebda)
		pa = acpi_search(ebda, MIN(ebda + EBDA_SEARCH_SIZE, MIB(1)));
	return pa ? pa : acpi_search(RSDP_SEARCH, RSDP_SEARCH_END);
}

/* The extended part counts only from revision 2 on, and only when intact. */
static phys_t acpi_xsdt(phys_t rsdp)
{
	const struct rsdp *r = phys_to_virt(rsdp);

	if (r->revision < 2)
		return 0;
	if (!acpi_readable(rsdp, sizeof(*r)) || r->length < sizeof(*r) ||
	    !acpi_readable(rsdp, r->length) || acpi_check_sum(r, r->length)) {
		log_warn("acpi", "extended RSDP is broken: using the RSDT");
		return 0;
	}
	return r->xsdt;
}

/* ---- the root table ---- */

static void acpi_add(phys_t pa)
{
	struct acpi_table *t = &acpi.table[acpi.n++];

	t->pa = pa;
	t->header = acpi_header(pa);
	t->intact = t->header && acpi_intact(pa, t->header);
	if (t->intact) {
		acpi.intact++;
		return;
	}
	if (!t->header)
		acpi.unreadable = true;
	log_warn("acpi", "%s at 0x%llx is %s: left out",
		 acpi_name(t->header).text, (unsigned long long)pa,
		 t->header ? "broken" : "not in memory");
}

/* The tables that a root table lists, each in entry bytes. */
static void acpi_add_all(const struct acpi_header *root, unsigned entry)
{
	const uint8_t *p = (const uint8_t *)(root + 1);
	size_t n = (root->length - sizeof(*root)) / entry;

	if (n > ACPI_TABLES) {
		log_warn("acpi", "%zu tables: only %u are looked at", n,
			 ACPI_TABLES);
		acpi.unreadable = true;
		n = ACPI_TABLES;
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t pa = 0;

		memcpy(&pa, p + i * entry, entry);
		acpi_add(pa);
	}
}

/* entry: 4 bytes in the RSDT (5.2.7), 8 in the XSDT (5.2.8). */
static int acpi_root(phys_t pa, const char *signature, unsigned entry)
{
	const struct acpi_header *h = pa ? acpi_header(pa) : NULL;

	if (!pa)
		return -ENOENT;
	if (!h || memcmp(h->signature, signature, 4) || !acpi_intact(pa, h)) {
		log_warn("acpi", "%s at 0x%llx is broken", signature,
			 (unsigned long long)pa);
		return -EBADMSG;
	}
	acpi_add_all(h, entry);
	return 0;
}

int acpi_init(phys_t rsdp)
{
	const struct rsdp *r;

	memset(&acpi, 0, sizeof(acpi));
	if (rsdp && !acpi_rsdp_intact(rsdp)) {
		log_warn("acpi", "RSDP at 0x%llx is broken: searching",
			 (unsigned long long)rsdp);
		rsdp = 0;
	}
	if (!rsdp)
		rsdp = acpi_search_all();
	if (!rsdp)
		return -ENOENT;
	acpi.rsdp = rsdp;
	r = phys_to_virt(rsdp);
	if (acpi_root(acpi_xsdt(rsdp), "XSDT", 8) &&
	    acpi_root(r->rsdt, "RSDT", 4)) {
		acpi.root_broken = true;
		return -ENOENT;
	}
	return (int)acpi.intact;
}

/* ---- asking ---- */

static bool acpi_is(const struct acpi_table *t, const char *signature)
{
	return t->header && !memcmp(t->header->signature, signature, 4);
}

const struct acpi_header *acpi_find(const char *signature, unsigned n)
{
	for (unsigned i = 0; i < acpi.n; i++) {
		const struct acpi_table *t = &acpi.table[i];

		if (t->intact && acpi_is(t, signature) && !n--)
			return t->header;
	}
	return NULL;
}

bool acpi_broken(const char *signature)
{
	for (unsigned i = 0; i < acpi.n; i++)
		if (!acpi.table[i].intact && acpi_is(&acpi.table[i], signature))
			return true;
	return (acpi.root_broken || acpi.unreadable) &&
	       !acpi_find(signature, 0);
}

static void acpi_report_table(const struct acpi_table *t)
{
	const char *verdict = t->intact ? "ok" :
			      t->header ? "broken" : "not in memory";
	unsigned length = t->header ? t->header->length : 0;
	struct json j;

	console_printf("  %s  0x%08llx %6u bytes  rev %u  %s\n",
		       acpi_name(t->header).text, (unsigned long long)t->pa,
		       length, t->header ? t->header->revision : 0, verdict);
	json_begin(&j, "acpi_table");
	json_str(&j, "signature", acpi_name(t->header).text);
	json_hex(&j, "address", t->pa);
	json_u64(&j, "length", length);
	json_str(&j, "verdict", verdict);
	json_end(&j);
}

void acpi_report(void)
{
	console_printf("ACPI: %u tables, %u intact, RSDP at 0x%llx%s\n",
		       acpi.n, acpi.intact, (unsigned long long)acpi.rsdp,
		       acpi.root_broken ? ", root table broken" : "");
	for (unsigned i = 0; i < acpi.n; i++)
		acpi_report_table(&acpi.table[i]);
}
