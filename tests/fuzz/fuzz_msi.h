/* SPDX-License-Identifier: MIT */
/* The bytes before the configuration space in an input of fuzz_msi.c. */
#ifndef TESTS_FUZZ_FUZZ_MSI_H
#define TESTS_FUZZ_FUZZ_MSI_H

#define FUZZ_HEAD	16
#define FUZZ_GONE	0	/* gone at this config read of its use; 0: never */
#define FUZZ_MAX	1	/* log2 of the vectors asked for, modulo 12 */
#define FUZZ_FLAGS	2
# define FUZZ_WORD	3	/* mask: which msi= on the command line */
# define FUZZ_WRITABLE	4	/* all behind the header sticks, else nothing */
# define FUZZ_TABLE_DEAD 8	/* BARs answer with ones */
# define FUZZ_STUCK	16	/* address bits below a BAR's size that do not move */
#define FUZZ_PHYS	3	/* physical address bits - 36, modulo 17 */
#define FUZZ_BARS	4	/* six: log2 of each BAR's size, 0: none */
#define FUZZ_TABLE	10	/* what BARs hold at the start */

#endif
