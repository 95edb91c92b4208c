/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 (FIPS 180-4, 6.2), streaming: what proves that a disk was read as
 * it is. Pure; any context; a struct sha256 has one user at a time.
 */
#ifndef CORE_SHA256_H
#define CORE_SHA256_H

#include "core/types.h"

#define SHA256_BLOCK	64		/* bytes */
#define SHA256_BYTES	32
#define SHA256_HEX	(2 * SHA256_BYTES + 1)

struct sha256 {
	uint32_t h[8];
	uint64_t len;			/* bytes so far */
	uint8_t block[SHA256_BLOCK];	/* len % SHA256_BLOCK of them wait */
};

void sha256_init(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *p, size_t len);
/* The digest of all that was given; s needs sha256_init() afterwards. */
void sha256_final(struct sha256 *s, uint8_t digest[SHA256_BYTES]);
/* As sha256sum prints it: lower case, NUL-terminated. */
void sha256_hex(const uint8_t digest[SHA256_BYTES], char hex[SHA256_HEX]);

#endif
