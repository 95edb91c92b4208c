/* SPDX-License-Identifier: MIT */
/*
 * GUID partition tables (UEFI Specification 2.9, chapter 5). Pure: blocks come
 * through a function, and nothing that they say is believed unchecked.
 */
#ifndef BLK_GPT_H
#define BLK_GPT_H

#include "core/types.h"

#define GPT_PARTS	64		/* that are kept */
#define GPT_GUID_TEXT	37		/* with its NUL */
#define GPT_BUF_MIN	4096		/* bytes; a multiple of the block size */

struct gpt_disk {
	uint32_t block_size;		/* 512 to 4096, a power of two */
	uint64_t blocks;
	/* Read len bytes, whole blocks, at lba. 0 or -errno. */
	int (*read)(void *arg, uint64_t lba, void *buf, size_t len);
	void *arg;
	void *buf;			/* for gpt_read()'s use */
	size_t buf_size;		/* at least GPT_BUF_MIN */
};

struct gpt_part {
	unsigned number;		/* from 1, as partition tools count */
	uint8_t type[16], guid[16];
	uint64_t first, last;		/* LBA, inclusive */
	uint64_t attributes;
	char name[37];			/* not ASCII: '?' */
};

struct gpt {
	uint8_t guid[16];		/* the disk's */
	bool backup;			/* the primary header was not usable */
	unsigned nparts;
	struct gpt_part part[GPT_PARTS];
	unsigned bad;			/* entries out of range, reversed, overlapping */
	unsigned left_out;		/* good ones with no room in part[] */
};

/*
 * Read the table by the primary header, or else by the backup one. -ENOENT:
 * no protective MBR, so no GPT; -EBADMSG: neither header with its entries is
 * intact; -EINVAL: d makes no sense; or what read() says of the MBR. *out is
 * valid only after 0.
 */
int gpt_read(const struct gpt_disk *d, struct gpt *out);

/* "0FC63DAF-8483-4772-8E79-3D69D8477DE4" (appendix A: mixed byte order). */
void gpt_guid_text(const uint8_t guid[16], char out[GPT_GUID_TEXT]);
/* What the type is called, or NULL. */
const char *gpt_type_name(const uint8_t type[16]);

#endif
