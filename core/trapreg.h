/* SPDX-License-Identifier: MIT */
/*
 * Exception vectors and their error codes (Intel SDM vol. 3, table 6-1 and
 * 4.7), and where boot/trap_entry.S finds things in struct trap_frame.
 */
#ifndef CORE_TRAPREG_H
#define CORE_TRAPREG_H

#define TRAP_NMI		2
#define TRAP_UD			6
#define TRAP_DF			8
#define TRAP_GP			13
#define TRAP_PF			14
# define TRAP_PF_PRESENT	0x1		/* else nothing is mapped */
# define TRAP_PF_WRITE		0x2
# define TRAP_PF_USER		0x4
# define TRAP_PF_RESERVED	0x8
# define TRAP_PF_FETCH		0x10
#define TRAP_MC			18

#define TRAP_RBP		112
#define TRAP_VECTOR		120
#define TRAP_RIP		136
#define TRAP_RFLAGS		152
#define TRAP_RSP		160

#endif
