/* SPDX-License-Identifier: MIT */
/* CRC-32 as GPT uses it (ITU-T V.42): reflected, polynomial 0x04c11db7. Pure. */
#ifndef BLK_CRC32_H
#define BLK_CRC32_H

#include "core/types.h"

/* Continue with crc (0 to start) over len bytes; the result is final as it is. */
uint32_t crc32(uint32_t crc, const void *data, size_t len);

#endif
