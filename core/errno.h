/* SPDX-License-Identifier: MIT */
/*
 * Error numbers, with the values that POSIX systems on x86 give them, so that
 * the host tests may include <errno.h> as well. Functions return 0 or -E….
 */
#ifndef CORE_ERRNO_H
#define CORE_ERRNO_H

#define	EPERM		1	/* forbidden by our own rules */
#define	ENOENT		2	/* not there */
#define	EINTR		4	/* cancelled while waiting */
#define	EIO		5	/* the device reported a failure */
#define	ENXIO		6	/* no such unit or address */
#define	E2BIG		7	/* more than fits */
#define	EAGAIN		11	/* not now; try again */
#define	ENOMEM		12	/* out of memory */
#define	EFAULT		14	/* bad address */
#define	EBUSY		16	/* in use */
#define	EEXIST		17	/* there already */
#define	ENODEV		19	/* the device is gone or never was */
#define	EINVAL		22	/* the request makes no sense */
#define	ENOSPC		28	/* a finite resource is used up */
#define	EROFS		30	/* read-only */
#define	ERANGE		34	/* out of the range that the device offers */
#define	EDEADLK		35	/* would wait for ever */
#define	EPROTO		71	/* the device broke its protocol */
#define	EBADMSG		74	/* checksum or signature does not match */
#define	EOVERFLOW	75	/* does not fit the type or the field */
#define	ENOTSUP		95	/* not supported by the device or by us */
#define	ETIMEDOUT	110	/* the deadline passed */
#define	EHOSTUNREACH	113	/* nothing gets there */
#define	ESTALE		116	/* of something that is no more */
#define	ECANCELED	125	/* given up by the caller or by a reset */

/* "-ETIMEDOUT" for -ETIMEDOUT; "-E?" for a number not in the list above. */
const char *errno_name(int err);

#endif
