/* SPDX-License-Identifier: MIT */
#include "virt/fw_cfg.h"

#include "core/errno.h"
#include "core/io.h"
#include "core/string.h"

#define FW_CFG_PORT		0x510
#define FW_CFG_SELECTOR		0		/* 16 wo */
#define FW_CFG_DATA		1		/* 8 ro: the next byte */
#define FW_CFG_SIZE		2

#define FW_CFG_SIGNATURE	0x0000		/* "QEMU" */
#define FW_CFG_FILE_DIR		0x0019
#define FW_CFG_FILES_MAX	512		/* more is not a directory */

struct fw_cfg_file {				/* as the device sends it */
	uint8_t size[4], select[2], reserved[2];	/* big-endian */
	char name[56];
};
_Static_assert(sizeof(struct fw_cfg_file) == 64, "fw_cfg: file directory");

static uint32_t fw_cfg_be(const uint8_t *p, unsigned n)
{
	uint32_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

static void fw_cfg_select(const struct io *io, uint16_t key)
{
	io_write16(io, FW_CFG_SELECTOR, key);
}

static void fw_cfg_bytes(const struct io *io, void *buf, size_t n)
{
	for (uint8_t *p = buf; n; n--)
		*p++ = io_read8(io, FW_CFG_DATA);
}

static int fw_cfg_find(const struct io *io, const char *name,
		       struct fw_cfg_file *f)
{
	uint8_t count[4];
	uint32_t n;

	fw_cfg_select(io, FW_CFG_FILE_DIR);
	fw_cfg_bytes(io, count, sizeof(count));
	n = fw_cfg_be(count, sizeof(count));
	if (n > FW_CFG_FILES_MAX)
		return -ENODEV;
	while (n--) {
		fw_cfg_bytes(io, f, sizeof(*f));
		f->name[sizeof(f->name) - 1] = 0;
		if (!strcmp(f->name, name))
			return 0;
	}
	return -ENOENT;
}

int fw_cfg_read(const char *name, char *buf, size_t size)
{
	struct fw_cfg_file f;
	char signature[4];
	struct io io;
	uint32_t len;
	int err;

	err = io_map_port(&io, FW_CFG_PORT, FW_CFG_SIZE);
	if (err)
		return err;
	fw_cfg_select(&io, FW_CFG_SIGNATURE);
	fw_cfg_bytes(&io, signature, sizeof(signature));
	if (memcmp(signature, "QEMU", 4))
		return -ENODEV;
	err = fw_cfg_find(&io, name, &f);
	if (err)
		return err;
	len = fw_cfg_be(f.size, sizeof(f.size));
	if (len >= size)
		return -E2BIG;
	fw_cfg_select(&io, (uint16_t)fw_cfg_be(f.select, sizeof(f.select)));
	fw_cfg_bytes(&io, buf, len);
	buf[len] = 0;
	return (int)len;
}
