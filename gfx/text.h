/* SPDX-License-Identifier: MIT */
/*
 * Text beyond text_draw() of gfx/surface.h. Texts are UTF-8; a character the
 * font lacks is drawn as '?'. Pure, as surfaces are.
 */
#ifndef GFX_TEXT_H
#define GFX_TEXT_H

#include "gfx/surface.h"

/* As text_draw(), in bold. Even scales are bold in both. */
int text_draw_bold(struct surface *s, int x, int y, const char *text,
		   uint32_t fg, unsigned scale);

/* Characters, not bytes: each is TEXT_W * scale pixels wide. */
unsigned text_length(const char *text);

#endif
