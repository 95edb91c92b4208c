/* SPDX-License-Identifier: MIT */
/* Frames, bars and a line plot on a surface. Pure; clips as surfaces do. */
#ifndef GFX_PLOT_H
#define GFX_PLOT_H

#include "gfx/surface.h"

/* The share of length that value is of max, rounded down; at most length. */
int plot_scale(uint64_t value, uint64_t max, int length);

/* A line of thickness t just inside the rectangle's edge. */
void plot_frame(struct surface *s, int x, int y, int w, int h, int t,
		uint32_t rgb);
/* A filled rectangle whose corners are rounded by r pixels (0 to 4). */
void plot_round(struct surface *s, int x, int y, int w, int h, int r,
		uint32_t rgb);
/* A horizontal bar: value of max in fg, the rest in bg. value may exceed max. */
void plot_bar(struct surface *s, int x, int y, int w, int h, uint64_t value,
	      uint64_t max, uint32_t fg, uint32_t bg);
/*
 * n samples from left to right as a line of thickness t above a filled area;
 * the top of the plot is max or the largest sample, whichever is greater.
 */
void plot_line(struct surface *s, int x, int y, int w, int h, int t,
	       const uint64_t *sample, unsigned n, uint64_t max, uint32_t line,
	       uint32_t area);

#endif
