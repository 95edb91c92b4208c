/* SPDX-License-Identifier: MIT */
/* GUID partition table: sections are those of the UEFI Specification 2.9. */
#ifndef BLK_GPTREG_H
#define BLK_GPTREG_H

#include "core/types.h"

struct gpt_mbr_record {			/* 5.2.1 */
	uint8_t boot, first_chs[3];
	uint8_t type;
#define GPT_MBR_PROTECTIVE	0xee	/* 5.2.3 */
	uint8_t last_chs[3];
	le32 first_lba, blocks;
} __packed;
_Static_assert(sizeof(struct gpt_mbr_record) == 16, "5.2.1");

struct gpt_mbr {			/* 5.2.1, the first 512 bytes of LBA 0 */
	uint8_t code[440];
	le32 disk;
	le16 unknown;
	struct gpt_mbr_record record[4];
	le16 signature;
#define GPT_MBR_SIGNATURE	0xaa55
} __packed;
_Static_assert(sizeof(struct gpt_mbr) == 512, "5.2.1");
_Static_assert(offsetof(struct gpt_mbr, record) == 446, "5.2.1");

struct gpt_header {			/* 5.3.2 */
	le64 signature;
#define GPT_SIGNATURE		UINT64_C(0x5452415020494645) /* "EFI PART" */
	le32 revision;
#define GPT_REVISION		0x00010000
	le32 header_size;		/* 92 to one block */
	le32 header_crc;		/* with this field 0 */
	le32 reserved;
	le64 my_lba, alternate_lba;
	le64 first_usable, last_usable;
	uint8_t disk_guid[16];
	le64 entries_lba;
	le32 nentries, entry_size;	/* size: 128 << n */
	le32 entries_crc;
} __packed;
#define GPT_HEADER_SIZE		92
_Static_assert(sizeof(struct gpt_header) == GPT_HEADER_SIZE, "5.3.2");
_Static_assert(offsetof(struct gpt_header, my_lba) == 24, "5.3.2");
_Static_assert(offsetof(struct gpt_header, disk_guid) == 56, "5.3.2");
_Static_assert(offsetof(struct gpt_header, entries_crc) == 88, "5.3.2");

struct gpt_entry {			/* 5.3.3 */
	uint8_t type_guid[16];		/* all zero: unused */
	uint8_t guid[16];
	le64 first_lba, last_lba;	/* last: inclusive */
	le64 attributes;
	le16 name[36];			/* UTF-16 */
};
_Static_assert(sizeof(struct gpt_entry) == 128, "5.3.3");
_Static_assert(offsetof(struct gpt_entry, first_lba) == 32, "5.3.3");
_Static_assert(offsetof(struct gpt_entry, name) == 56, "5.3.3");

#endif
