/* SPDX-License-Identifier: MIT */
#include "blk/crc32.h"

/*
 * The CRC of one byte is the sum (XOR) of the CRCs of its bits, so that eight
 * constants, each the remainder of one bit, make the table of all bytes.
 */
#define CRC32_BYTE(n)							\
	(((n) & 0x01 ? 0x77073096u : 0) ^ ((n) & 0x02 ? 0xee0e612cu : 0) ^ \
	 ((n) & 0x04 ? 0x076dc419u : 0) ^ ((n) & 0x08 ? 0x0edb8832u : 0) ^ \
	 ((n) & 0x10 ? 0x1db71064u : 0) ^ ((n) & 0x20 ? 0x3b6e20c8u : 0) ^ \
	 ((n) & 0x40 ? 0x76dc4190u : 0) ^ ((n) & 0x80 ? 0xedb88320u : 0))
#define CRC32_4(n)	CRC32_BYTE(n), CRC32_BYTE((n) + 1),		\
			CRC32_BYTE((n) + 2), CRC32_BYTE((n) + 3)
#define CRC32_16(n)	CRC32_4(n), CRC32_4((n) + 4),			\
			CRC32_4((n) + 8), CRC32_4((n) + 12)
#define CRC32_64(n)	CRC32_16(n), CRC32_16((n) + 16),		\
			CRC32_16((n) + 32), CRC32_16((n) + 48)

static const uint32_t crc32_table[256] = {
	CRC32_64(0), CRC32_64(64), CRC32_64(128), CRC32_64(192),
};

uint32_t crc32(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data, *end = p + len;

	for (crc = ~crc; p < end; p++)
		crc = crc >> 8 ^ crc32_table[(uint8_t)(crc ^ *p)];
	return ~crc;
}
