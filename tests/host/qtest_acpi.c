/* SPDX-License-Identifier: MIT */
/*
 * The firmware's part for the live bus: QEMU hands over its ACPI tables as
 * files of fw_cfg, and in one more file the script that places and links them
 * (QEMU, docs/specs/fw_cfg.rst and hw/acpi/bios-linker-loader.c). Files are fetched
 * by the DMA interface, straight into their place.
 */
#include "tests/host/qtest.h"

#include <string.h>

#include "core/dma.h"
#include "core/io.h"
#include "core/log.h"

#define QACPI_TABLES	0x10000		/* where tables are placed */
#define QACPI_END	0x90000
#define QACPI_SCRATCH	0x90000		/* directory, script, DMA control */
#define QACPI_CONTROL	0x9d000
#define QACPI_NAME	56
#define QACPI_FILES	8

#define FWCFG_DMA_PORT	0x514		/* big-endian, low half starts it */
#define FWCFG_DIR	0x19
#define FWCFG_READ	0x02
#define FWCFG_SELECT	0x08

enum { QACPI_ALLOCATE = 1, QACPI_POINTER, QACPI_CHECKSUM };

struct qacpi_entry {			/* of the directory, big-endian */
	uint32_t size;
	uint16_t select, reserved;
	char name[QACPI_NAME];
};

struct qacpi_command {
	le32 what;
	union {
		struct {
			char file[QACPI_NAME];
			le32 align;
			uint8_t zone;
		} allocate;
		struct __packed {
			char dest[QACPI_NAME], src[QACPI_NAME];
			le32 offset;
			uint8_t size;
		} pointer;
		struct {
			char file[QACPI_NAME];
			le32 offset, start, length;
		} checksum;
		uint8_t pad[124];
	};
};
_Static_assert(sizeof(struct qacpi_command) == 128, "a command");

struct qacpi_file {
	char name[QACPI_NAME];
	phys_t at;
	uint32_t size;
};

static struct {
	struct io dma;
	struct qacpi_file file[QACPI_FILES];
	unsigned n;
	phys_t next;
} qacpi;

static bool qacpi_fetch(uint16_t select, phys_t to, uint32_t size)
{
	struct { uint32_t control, length; uint64_t addr; } *c;

	c = phys_to_virt(QACPI_CONTROL);
	c->control = __builtin_bswap32(select << 16 | FWCFG_SELECT | FWCFG_READ);
	c->length = __builtin_bswap32(size);
	c->addr = __builtin_bswap64(to);
	io_write32(&qacpi.dma, 0, 0);
	io_write32(&qacpi.dma, 4, __builtin_bswap32(QACPI_CONTROL));
	return c->control == 0;
}

/* Copies the directory's entry; the directory is a count and then entries. */
static bool qacpi_lookup(const char *name, struct qacpi_entry *out)
{
	uint32_t n;

	if (!qacpi_fetch(FWCFG_DIR, QACPI_SCRATCH, KIB(8)))
		return false;
	memcpy(&n, phys_to_virt(QACPI_SCRATCH), sizeof(n));
	n = MIN(__builtin_bswap32(n), 100u);
	for (uint32_t i = 0; i < n; i++) {
		memcpy(out, phys_to_virt(QACPI_SCRATCH + 4 + i * sizeof(*out)),
		       sizeof(*out));
		if (strncmp(out->name, name, QACPI_NAME))
			continue;
		out->size = __builtin_bswap32(out->size);
		out->select = __builtin_bswap16(out->select);
		return true;
	}
	log_err("qtest", "fw_cfg has no file %s", name);
	return false;
}

static struct qacpi_file *qacpi_placed(const char *name)
{
	for (unsigned i = 0; i < qacpi.n; i++)
		if (strncmp(qacpi.file[i].name, name, QACPI_NAME) == 0)
			return &qacpi.file[i];
	return NULL;
}

static bool qacpi_allocate(const struct qacpi_command *c)
{
	struct qacpi_file *f = &qacpi.file[qacpi.n];
	struct qacpi_entry e;

	if (qacpi.n == QACPI_FILES || !qacpi_lookup(c->allocate.file, &e))
		return false;
	f->at = ALIGN_UP(qacpi.next, c->allocate.align);
	f->size = e.size;
	if (f->at + f->size > QACPI_END)
		return false;
	memcpy(f->name, c->allocate.file, QACPI_NAME);
	qacpi.next = f->at + f->size;
	qacpi.n++;
	return qacpi_fetch(e.select, f->at, f->size);
}

/* The field holds an offset into src: add where src lies. */
static bool qacpi_pointer(const struct qacpi_command *c)
{
	struct qacpi_file *dest = qacpi_placed(c->pointer.dest);
	struct qacpi_file *src = qacpi_placed(c->pointer.src);
	uint64_t val = 0;
	char *p;

	if (!dest || !src || c->pointer.size > sizeof(val) ||
	    c->pointer.offset + c->pointer.size > dest->size)
		return false;
	p = phys_to_virt(dest->at + c->pointer.offset);
	memcpy(&val, p, c->pointer.size);
	val += src->at;
	memcpy(p, &val, c->pointer.size);
	return true;
}

static bool qacpi_checksum(const struct qacpi_command *c)
{
	struct qacpi_file *f = qacpi_placed(c->checksum.file);
	uint8_t sum = 0, *p;

	if (!f || c->checksum.offset >= f->size ||
	    c->checksum.start + c->checksum.length > f->size)
		return false;
	p = phys_to_virt(f->at);
	for (uint32_t i = 0; i < c->checksum.length; i++)
		sum += p[c->checksum.start + i];
	p[c->checksum.offset] -= sum;
	return true;
}

static bool qacpi_do(const struct qacpi_command *c)
{
	switch (c->what) {
	case QACPI_ALLOCATE: return qacpi_allocate(c);
	case QACPI_POINTER: return qacpi_pointer(c);
	case QACPI_CHECKSUM: return qacpi_checksum(c);
	}
	return true;			/* others are not about ACPI */
}

phys_t qtest_acpi(void)
{
	static struct qacpi_command script[256];
	struct qacpi_entry e;

	memset(&qacpi, 0, sizeof(qacpi));
	qacpi.next = QACPI_TABLES;
	if (io_map_port(&qacpi.dma, FWCFG_DMA_PORT, 8) ||
	    !qacpi_lookup("etc/table-loader", &e) || e.size > sizeof(script) ||
	    !qacpi_fetch(e.select, QACPI_SCRATCH, e.size))
		return 0;
	memcpy(script, phys_to_virt(QACPI_SCRATCH), e.size);
	for (unsigned i = 0; i < e.size / sizeof(script[0]); i++)
		if (!qacpi_do(&script[i]))
			return 0;
	return qacpi_placed("etc/acpi/rsdp") ?
	       qacpi_placed("etc/acpi/rsdp")->at : 0;
}
