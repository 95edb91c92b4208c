/* SPDX-License-Identifier: MIT */
/* Debian's console fonts, unpacked by gfx/font.mk into $(BUILD)/font. */

	.section .rodata
	.macro	font name
	.global	font_\name
	.global	font_\name\()_end
	.balign	8
font_\name:
	.incbin	"font/\name\().psf"
font_\name\()_end:
	.endm

	font	regular
	font	bold
	font	large

	.section .note.GNU-stack, "", @progbits
