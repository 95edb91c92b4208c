/* SPDX-License-Identifier: MIT */
#include "core/errno.h"

#include "core/types.h"

#define ERRNO_NAME(e)	[e] = "-" #e

static const char *const errno_names[] = {
	ERRNO_NAME(EPERM), ERRNO_NAME(ENOENT), ERRNO_NAME(EINTR),
	ERRNO_NAME(EIO), ERRNO_NAME(ENXIO), ERRNO_NAME(E2BIG),
	ERRNO_NAME(EAGAIN), ERRNO_NAME(ENOMEM), ERRNO_NAME(EFAULT),
	ERRNO_NAME(EBUSY), ERRNO_NAME(EEXIST), ERRNO_NAME(ENODEV),
	ERRNO_NAME(EINVAL), ERRNO_NAME(ENOSPC), ERRNO_NAME(EROFS),
	ERRNO_NAME(ERANGE), ERRNO_NAME(EDEADLK), ERRNO_NAME(EPROTO),
	ERRNO_NAME(EBADMSG), ERRNO_NAME(EOVERFLOW), ERRNO_NAME(ENOTSUP),
	ERRNO_NAME(ETIMEDOUT), ERRNO_NAME(EHOSTUNREACH), ERRNO_NAME(ESTALE),
	ERRNO_NAME(ECANCELED),
};

const char *errno_name(int err)
{
	size_t nr = -(size_t)err;

	if (nr < ARRAY_SIZE(errno_names) && errno_names[nr])
		return errno_names[nr];
	return "-E?";
}
