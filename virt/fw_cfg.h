/* SPDX-License-Identifier: MIT */
/*
 * QEMU's firmware configuration device (QEMU docs/specs/fw_cfg): named files
 * that the host passes in (-fw_cfg name=opt/…,string=…). Port interface only.
 * Boot context, one user at a time.
 */
#ifndef VIRT_FW_CFG_H
#define VIRT_FW_CFG_H

#include "core/types.h"

/*
 * Copy the file name into buf, NUL-terminated. Returns its length, -ENODEV
 * (no such device), -ENOENT, or -E2BIG (does not fit with its NUL).
 */
int fw_cfg_read(const char *name, char *buf, size_t size);

#endif
