/* SPDX-License-Identifier: MIT */
/* Where the block layer and the pure partition parser meet. */
#include "blk/blk.h"
#include "blk/gpt.h"
#include "core/errno.h"
#include "core/page.h"

#define PARTITION_BUF_ORDER	2	/* 16 KiB: most tables in one go */

static int partition_read(void *arg, uint64_t lba, void *buf, size_t len)
{
	return blk_read(arg, lba, buf, len);
}

int blk_partitions(struct blk_dev *bd, struct gpt *out)
{
	struct gpt_disk d = {
		.block_size = bd->block_size,
		.blocks = bd->blocks,
		.read = partition_read,
		.arg = bd,
		.buf = page_alloc(PARTITION_BUF_ORDER),
		.buf_size = PAGE_SIZE << PARTITION_BUF_ORDER,
	};
	int err;

	if (!d.buf)
		return -ENOMEM;
	err = gpt_read(&d, out);
	page_free(d.buf, PARTITION_BUF_ORDER);
	return err;
}
