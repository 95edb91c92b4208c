/* SPDX-License-Identifier: MIT */
#include "viommu/slpt.h"

#include "core/cpu.h"
#include "core/dma.h"
#include "core/errno.h"
#include "core/page.h"
#include "core/string.h"

_Static_assert(SLPT_ENTRIES * sizeof(le64) == PAGE_SIZE, "VT-d 9.9");

static bool slpt_present(le64 e)
{
	return e & (SLPT_R | SLPT_W);
}

/* Does a present entry at level lead to another table? */
static bool slpt_is_table(le64 e, unsigned level)
{
	return level > 1 && !(e & SLPT_PS);
}

static le64 *slpt_table_of(le64 e)
{
	return phys_to_virt(e & SLPT_ADDR);
}

static unsigned slpt_index(iova_t iova, unsigned level)
{
	return iova >> SLPT_SHIFT(level) & (SLPT_ENTRIES - 1);
}

static void slpt_flush(const struct slpt *pt, const le64 *e, unsigned n)
{
	if (pt->flush)
		pt->flush(e, n * sizeof(*e));
}

static le64 *slpt_new_table(struct slpt *pt)
{
	le64 *t = page_alloc_zero(0);

	if (!t)
		return NULL;
	slpt_flush(pt, t, SLPT_ENTRIES);
	pt->tables++;
	return t;
}

int slpt_init(struct slpt *pt, unsigned levels, unsigned largest,
	      void (*flush)(const void *p, size_t len))
{
	memset(pt, 0, sizeof(*pt));
	if (levels < 3 || levels > 4 || largest < 1 || largest > 3)
		return -EINVAL;
	pt->levels = levels;
	pt->largest = largest;
	pt->flush = flush;
	pt->root = slpt_new_table(pt);
	return pt->root ? 0 : -ENOMEM;
}

static void slpt_free_table(struct slpt *pt, le64 *t)
{
	page_free(t, 0);
	pt->tables--;
}

static void slpt_free_below(struct slpt *pt, le64 *t, unsigned level)
{
	for (unsigned i = 0; level > 1 && i < SLPT_ENTRIES; i++) {
		if (slpt_present(t[i]) && slpt_is_table(t[i], level))
			slpt_free_below(pt, slpt_table_of(t[i]), level - 1);
	}
	slpt_free_table(pt, t);
}

void slpt_fini(struct slpt *pt)
{
	if (pt->root)
		slpt_free_below(pt, pt->root, pt->levels);
	memset(pt, 0, sizeof(*pt));
}

static int slpt_check(const struct slpt *pt, iova_t iova, uint64_t size)
{
	uint64_t width = SLPT_SPAN(pt->levels + 1);

	if (!size || !IS_ALIGNED(iova | size, PAGE_SIZE))
		return -EINVAL;
	return iova >= width || size > width - iova ? -ERANGE : 0;
}

/* ---- clearing ---- */

/*
 * The hardware may still walk an unhooked table, so the chain must not look
 * like a translation to it: a page's address in entry 0 has neither R nor W
 * set, which makes all its other bits ignored.
 */
static void slpt_unhook(struct slpt *pt, le64 *e, struct slpt_unhooked *u)
{
	le64 *t = slpt_table_of(*e);

	WRITE_ONCE(*e, 0);
	slpt_flush(pt, e, 1);
	if (t == pt->near)
		pt->near = NULL;
	WRITE_ONCE(t[0], (uintptr_t)u->first);
	slpt_flush(pt, t, 1);
	u->first = t;
}

void slpt_release(struct slpt *pt, struct slpt_unhooked *u)
{
	while (u->first) {
		le64 *t = u->first;

		u->first = (void *)(uintptr_t)t[0];
		slpt_free_table(pt, t);
	}
}

/* Clear n entries that are pages; returns how many bytes were mapped. */
static uint64_t slpt_clear(struct slpt *pt, le64 *t, unsigned n, unsigned level)
{
	uint64_t cleared = 0;

	for (unsigned i = 0; i < n; i++) {
		if (slpt_present(t[i]))
			cleared++;
		WRITE_ONCE(t[i], 0);
	}
	slpt_flush(pt, t, n);
	pt->pages -= cleared;
	return cleared * SLPT_SPAN(level);
}

/*
 * The same for whatever lies below table t between iova and end. Tables stay
 * hooked when u is NULL.
 */
static uint64_t slpt_clear_below(struct slpt *pt, le64 *t, unsigned level,
				 iova_t iova, iova_t end,
				 struct slpt_unhooked *u)
{
	uint64_t span = SLPT_SPAN(level), cleared = 0;
	iova_t next;

	if (level == 1)
		return slpt_clear(pt, &t[slpt_index(iova, 1)],
				  (end - iova) >> PAGE_SHIFT, 1);
	for (; iova < end; iova = next) {
		le64 *e = &t[slpt_index(iova, level)];

		next = MIN(ALIGN_DOWN(iova, span) + span, end);
		if (!slpt_present(*e))
			continue;
		if (!slpt_is_table(*e, level)) {
			cleared += slpt_clear(pt, e, 1, level);
			continue;
		}
		cleared += slpt_clear_below(pt, slpt_table_of(*e), level - 1,
					    iova, next, u);
		if (u && next - iova == span)
			slpt_unhook(pt, e, u);
	}
	return cleared;
}

/* ---- mapping ---- */

static bool slpt_is_near(const struct slpt *pt, iova_t iova)
{
	return pt->near && ALIGN_DOWN(iova, SLPT_SPAN(2)) == pt->near_base;
}

/* Is it the usual case, a few pages whose table was used last? */
static bool slpt_all_near(const struct slpt *pt, iova_t iova, uint64_t size)
{
	return size < SLPT_SPAN(2) && slpt_is_near(pt, iova) &&
	       slpt_is_near(pt, iova + size - 1);
}

static void slpt_set_near(struct slpt *pt, le64 *t, iova_t iova)
{
	pt->near = t;
	pt->near_base = ALIGN_DOWN(iova, SLPT_SPAN(2));
}

/*
 * The table whose entries are pages of level *level at iova, built on the
 * way. Where a smaller page's table is in the way (it may be empty, but the
 * hardware may know it) *level becomes that page's.
 */
static int slpt_reach(struct slpt *pt, iova_t iova, unsigned *level,
		      le64 **out)
{
	le64 *t = pt->root, *e;

	if (*level == 1 && slpt_is_near(pt, iova)) {
		*out = pt->near;
		return 0;
	}
	for (unsigned l = pt->levels; ; l--) {
		e = &t[slpt_index(iova, l)];
		if (l <= *level) {
			if (!slpt_present(*e) || !slpt_is_table(*e, l)) {
				*level = l;
				break;
			}
		} else if (!slpt_present(*e)) {
			le64 *below = slpt_new_table(pt);

			if (!below)
				return -ENOMEM;
			*e = virt_to_phys(below) | SLPT_R | SLPT_W;
			slpt_flush(pt, e, 1);
		} else if (!slpt_is_table(*e, l)) {
			return -EEXIST;
		}
		t = slpt_table_of(*e);
	}
	if (*level == 1)
		slpt_set_near(pt, t, iova);
	*out = t;
	return 0;
}

static unsigned slpt_largest_fit(const struct slpt *pt, iova_t iova, phys_t pa,
				 uint64_t size)
{
	unsigned l = pt->largest;

	while (l > 1 && (size < SLPT_SPAN(l) ||
			 !IS_ALIGNED(iova | pa, SLPT_SPAN(l))))
		l--;
	return l;
}

/* Fill n entries at t. */
static int slpt_fill(struct slpt *pt, le64 *t, unsigned n, unsigned level,
		     le64 first)
{
	for (unsigned i = 0; i < n; i++) {
		if (slpt_present(t[i]))
			return -EEXIST;
	}
	for (unsigned i = 0; i < n; i++)
		WRITE_ONCE(t[i], first + i * SLPT_SPAN(level));
	slpt_flush(pt, t, n);
	pt->pages += n;
	return 0;
}

/* Map as much as one table holds; how much goes to *done. */
static int slpt_map_run(struct slpt *pt, iova_t iova, phys_t pa, uint64_t size,
			uint64_t prot, uint64_t *done)
{
	unsigned level = slpt_largest_fit(pt, iova, pa, size), index, n;
	le64 *t;
	int err;

	err = slpt_reach(pt, iova, &level, &t);
	if (err)
		return err;
	index = slpt_index(iova, level);
	n = 1;
	if (level == 1)
		n = MIN(size >> PAGE_SHIFT, (uint64_t)SLPT_ENTRIES - index);
	else
		prot |= SLPT_PS;
	*done = n * SLPT_SPAN(level);
	return slpt_fill(pt, &t[index], n, level, pa | prot);
}

int slpt_map(struct slpt *pt, iova_t iova, phys_t pa, uint64_t size,
	     uint64_t prot)
{
	uint64_t at = 0, done;
	int err;

	err = slpt_check(pt, iova, size);
	if (err)
		return err;
	if (pa & ~SLPT_ADDR || !prot || prot & ~(SLPT_R | SLPT_W))
		return -EINVAL;
	if (slpt_all_near(pt, iova, size))
		return slpt_fill(pt, &pt->near[slpt_index(iova, 1)],
				 size >> PAGE_SHIFT, 1, pa | prot);
	for (; at < size; at += done) {
		err = slpt_map_run(pt, iova + at, pa + at, size - at, prot,
				   &done);
		if (err)
			goto err_clear;
	}
	return 0;

err_clear:
	if (at)
		slpt_clear_below(pt, pt->root, pt->levels, iova, iova + at,
				 NULL);
	return err;
}

/* ---- unmapping ---- */

/* Does a large page reach over addr, the border of a range? */
static bool slpt_splits(const struct slpt *pt, iova_t addr)
{
	struct slpt_found f;

	return addr && !slpt_lookup(pt, addr, &f) && f.page > PAGE_SIZE &&
	       !IS_ALIGNED(addr, f.page);
}

int slpt_unmap(struct slpt *pt, iova_t iova, uint64_t size,
	       struct slpt_unhooked *u)
{
	iova_t end = iova + size;
	uint64_t cleared;
	int err;

	err = slpt_check(pt, iova, size);
	if (err)
		return err;
	if (slpt_all_near(pt, iova, size)) {
		cleared = slpt_clear(pt, &pt->near[slpt_index(iova, 1)],
				     size >> PAGE_SHIFT, 1);
	} else {
		if (slpt_splits(pt, iova) ||
		    (end < SLPT_SPAN(pt->levels + 1) && slpt_splits(pt, end)))
			return -EINVAL;
		cleared = slpt_clear_below(pt, pt->root, pt->levels, iova, end,
					   u);
	}
	return cleared == size ? 0 : -ENOENT;
}

/* Trim below t; returns whether t itself is empty now. */
static bool slpt_trim_below(struct slpt *pt, le64 *t, unsigned level,
			    struct slpt_unhooked *u)
{
	bool empty = true;

	for (unsigned i = 0; i < SLPT_ENTRIES; i++) {
		if (!slpt_present(t[i]))
			continue;
		if (slpt_is_table(t[i], level) &&
		    slpt_trim_below(pt, slpt_table_of(t[i]), level - 1, u))
			slpt_unhook(pt, &t[i], u);
		else
			empty = false;
	}
	return empty;
}

void slpt_trim(struct slpt *pt, struct slpt_unhooked *u)
{
	slpt_trim_below(pt, pt->root, pt->levels, u);
}

int slpt_lookup(const struct slpt *pt, iova_t iova, struct slpt_found *out)
{
	const le64 *t = pt->root;

	if (iova >= SLPT_SPAN(pt->levels + 1))
		return -ENOENT;
	for (unsigned l = pt->levels; ; l--) {
		le64 e = t[slpt_index(iova, l)];

		if (!slpt_present(e))
			return -ENOENT;
		if (slpt_is_table(e, l)) {
			t = slpt_table_of(e);
			continue;
		}
		out->page = SLPT_SPAN(l);
		out->prot = e & (SLPT_R | SLPT_W);
		out->pa = (e & SLPT_ADDR & ~(out->page - 1)) +
			  (iova & (out->page - 1));
		return 0;
	}
}
