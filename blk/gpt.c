/* SPDX-License-Identifier: MIT */
/*
 * A protective MBR in LBA 0 says that there is a GPT. Its header is in LBA 1,
 * a copy of header and entries at the end of the disk; each header has a CRC
 * over itself and one over its entries, which need not be near it. The entries
 * are read through a buffer smaller than they may be, so partitions are
 * collected on the way and count only if the CRC matches in the end.
 */
#include "blk/gpt.h"

#include "blk/crc32.h"
#include "blk/gptreg.h"
#include "core/errno.h"
#include "core/fmt.h"
#include "core/string.h"

#define GPT_ENTRIES_MAX	4096u		/* the table is then 512 KiB or more */
#define GPT_TABLE_MAX	MIB(1)

/* 5.2.3: one record of the protective type is enough for us. */
static int gpt_check_mbr(const struct gpt_disk *d)
{
	const struct gpt_mbr *mbr = d->buf;
	int err = d->read(d->arg, 0, d->buf, d->block_size);

	if (err)
		return err;
	if (mbr->signature != GPT_MBR_SIGNATURE)
		return -ENOENT;
	for (unsigned i = 0; i < ARRAY_SIZE(mbr->record); i++)
		if (mbr->record[i].type == GPT_MBR_PROTECTIVE)
			return 0;
	return -ENOENT;
}

static uint64_t gpt_table_bytes(const struct gpt_header *h)
{
	return (uint64_t)h->nentries * h->entry_size;
}

/* Is [lba, lba + n) on the disk? */
static bool gpt_on_disk(const struct gpt_disk *d, uint64_t lba, uint64_t n)
{
	return lba < d->blocks && n <= d->blocks - lba;
}

static bool gpt_header_sane(const struct gpt_disk *d, uint64_t lba,
			    const struct gpt_header *h)
{
	uint64_t bytes = gpt_table_bytes(h);

	return h->my_lba == lba &&
	       h->entry_size >= sizeof(struct gpt_entry) &&
	       !(h->entry_size & (h->entry_size - 1)) &&
	       h->entry_size <= GPT_BUF_MIN &&
	       h->nentries && h->nentries <= GPT_ENTRIES_MAX &&
	       bytes <= GPT_TABLE_MAX &&
	       h->entries_lba > 1 &&
	       gpt_on_disk(d, h->entries_lba,
			   DIV_ROUND_UP(bytes, d->block_size)) &&
	       h->first_usable <= h->last_usable &&
	       h->last_usable < d->blocks;
}

static int gpt_read_header(const struct gpt_disk *d, uint64_t lba,
			   struct gpt_header *out)
{
	struct gpt_header *h = d->buf;
	uint32_t crc;
	int err = d->read(d->arg, lba, d->buf, d->block_size);

	if (err)
		return err;
	if (h->signature != GPT_SIGNATURE || h->header_size < GPT_HEADER_SIZE ||
	    h->header_size > d->block_size)
		return -EBADMSG;
	crc = h->header_crc;
	h->header_crc = 0;
	if (crc32(0, h, h->header_size) != crc || !gpt_header_sane(d, lba, h))
		return -EBADMSG;
	*out = *h;
	return 0;
}

/* 5.3.3: UTF-16 code units, ended by 0 unless all are used. */
static void gpt_name(const le16 *in, char *out)
{
	unsigned i;

	for (i = 0; i < 36 && in[i]; i++)
		out[i] = in[i] >= ' ' && in[i] <= '~' ? (char)in[i] : '?';
	out[i] = '\0';
}

static bool gpt_part_fits(const struct gpt *g, const struct gpt_header *h,
			  const struct gpt_entry *e)
{
	if (e->first_lba > e->last_lba || e->first_lba < h->first_usable ||
	    e->last_lba > h->last_usable)
		return false;
	for (unsigned i = 0; i < g->nparts; i++)
		if (e->first_lba <= g->part[i].last &&
		    e->last_lba >= g->part[i].first)
			return false;
	return true;
}

static void gpt_take(struct gpt *g, const struct gpt_header *h,
		     unsigned number, const struct gpt_entry *e)
{
	static const uint8_t unused[16];
	struct gpt_part *p = &g->part[g->nparts];

	if (!memcmp(e->type_guid, unused, sizeof(unused)))
		return;
	if (!gpt_part_fits(g, h, e)) {
		g->bad++;
		return;
	}
	if (g->nparts == GPT_PARTS) {
		g->left_out++;
		return;
	}
	g->nparts++;
	p->number = number;
	memcpy(p->type, e->type_guid, sizeof(p->type));
	memcpy(p->guid, e->guid, sizeof(p->guid));
	p->first = e->first_lba;
	p->last = e->last_lba;
	p->attributes = e->attributes;
	gpt_name(e->name, p->name);
}

/*
 * The buffer, the blocks and the entries are all powers of two (the buffer is
 * cut down to one) and the buffer is the largest: no entry straddles it.
 */
static int gpt_read_entries(const struct gpt_disk *d,
			    const struct gpt_header *h, struct gpt *g)
{
	uint64_t left = gpt_table_bytes(h), lba = h->entries_lba;
	size_t room = GPT_BUF_MIN;
	unsigned number = 1;
	uint32_t crc = 0;

	while (room * 2 <= d->buf_size)
		room *= 2;
	for (size_t n; left; left -= n, lba += n / d->block_size) {
		int err;

		n = MIN(left, room);
		err = d->read(d->arg, lba, d->buf,
			      ALIGN_UP(n, (size_t)d->block_size));
		if (err)
			return err;
		crc = crc32(crc, d->buf, n);
		for (size_t off = 0; off < n; off += h->entry_size)
			gpt_take(g, h, number++, (void *)((char *)d->buf + off));
	}
	return crc == h->entries_crc ? 0 : -EBADMSG;
}

static int gpt_try(const struct gpt_disk *d, uint64_t lba, struct gpt *g)
{
	struct gpt_header h;
	int err = gpt_read_header(d, lba, &h);

	if (err)
		return err;
	g->nparts = g->bad = g->left_out = 0;
	memcpy(g->guid, h.disk_guid, sizeof(g->guid));
	return gpt_read_entries(d, &h, g);
}

int gpt_read(const struct gpt_disk *d, struct gpt *out)
{
	int err;

	if (d->block_size < 512 || d->block_size > GPT_BUF_MIN ||
	    (d->block_size & (d->block_size - 1)) || d->buf_size < GPT_BUF_MIN)
		return -EINVAL;
	if (d->blocks < 3)
		return -ENOENT;
	err = gpt_check_mbr(d);
	if (err)
		return err;
	out->backup = false;
	if (!gpt_try(d, 1, out))
		return 0;
	out->backup = true;
	return gpt_try(d, d->blocks - 1, out) ? -EBADMSG : 0;
}

/* ---- names ---- */

void gpt_guid_text(const uint8_t guid[16], char out[GPT_GUID_TEXT])
{
	static const uint8_t order[16] = {
		3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15,
	};
	char *p = out;

	for (unsigned i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		fmt_snprintf(p, 3, "%02X", guid[order[i]]);
		p += 2;
	}
}

const char *gpt_type_name(const uint8_t type[16])
{
	static const struct { const char *guid, *name; } known[] = {
		{ "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "EFI system" },
		{ "21686148-6449-6E6F-744E-656564454649", "BIOS boot" },
		{ "0FC63DAF-8483-4772-8E79-3D69D8477DE4", "Linux data" },
		{ "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709", "Linux root" },
		{ "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F", "Linux swap" },
		{ "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "basic data" },
	};
	char text[GPT_GUID_TEXT];

	gpt_guid_text(type, text);
	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(text, known[i].guid))
			return known[i].name;
	return NULL;
}
