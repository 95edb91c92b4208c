/* SPDX-License-Identifier: MIT */
#include "viommu/iova.h"

#include "core/bits.h"
#include "core/errno.h"
#include "core/heap.h"
#include "core/panic.h"
#include "core/string.h"

#define IOVA_BIN_PAGES	(UINT64_C(1) << (IOVA_BINS - 1))
#define IOVA_PFN_MAX	(UINT64_C(1) << (64 - PAGE_SHIFT))

/*
 * How many gaps that are wide enough but badly aligned a search looks at
 * before it settles for one that is so wide that alignment cannot matter.
 */
#define IOVA_MISFITS	8

struct iova_node {
	struct iova_node *left, *right;
	uint64_t lo, hi;		/* page frames; hi is exclusive */
	uint64_t gap;			/* free frames just below lo */
	uint64_t widest;		/* gap in this subtree */
	unsigned height;
	bool reserved;
};

/* ---- the tree ---- */

static unsigned iova_height(const struct iova_node *n)
{
	return n ? n->height : 0;
}

static uint64_t iova_widest(const struct iova_node *n)
{
	return n ? n->widest : 0;
}

static void iova_update(struct iova_node *n)
{
	n->height = 1 + MAX(iova_height(n->left), iova_height(n->right));
	n->widest = MAX(iova_widest(n->left), iova_widest(n->right));
	n->widest = MAX(n->gap, n->widest);
}

static struct iova_node *iova_rotate_right(struct iova_node *n)
{
	struct iova_node *l = n->left;

	n->left = l->right;
	l->right = n;
	iova_update(n);
	iova_update(l);
	return l;
}

static struct iova_node *iova_rotate_left(struct iova_node *n)
{
	struct iova_node *r = n->right;

	n->right = r->left;
	r->left = n;
	iova_update(n);
	iova_update(r);
	return r;
}

/* Bring a node whose subtrees differ by at most 2 in height into shape. */
static struct iova_node *iova_balance(struct iova_node *n)
{
	unsigned l = iova_height(n->left), r = iova_height(n->right);

	if (l > r + 1) {
		if (iova_height(n->left->left) < iova_height(n->left->right))
			n->left = iova_rotate_left(n->left);
		return iova_rotate_right(n);
	}
	if (r > l + 1) {
		if (iova_height(n->right->right) < iova_height(n->right->left))
			n->right = iova_rotate_right(n->right);
		return iova_rotate_left(n);
	}
	iova_update(n);
	return n;
}

/*
 * The node above a new or leaving range, whose gap changes with it, lies on
 * the path that insert and remove walk, so their way back updates it too.
 */
static struct iova_node *iova_insert(struct iova_node *n, struct iova_node *x)
{
	if (!n)
		return iova_balance(x);
	if (x->lo < n->lo)
		n->left = iova_insert(n->left, x);
	else
		n->right = iova_insert(n->right, x);
	return iova_balance(n);
}

static struct iova_node *iova_take_lowest(struct iova_node *n,
					  struct iova_node **lowest)
{
	if (!n->left) {
		*lowest = n;
		return n->right;
	}
	n->left = iova_take_lowest(n->left, lowest);
	return iova_balance(n);
}

static struct iova_node *iova_remove(struct iova_node *n, struct iova_node *x)
{
	struct iova_node *next, *right;

	if (n == x) {
		if (!n->right)
			return n->left;
		right = iova_take_lowest(n->right, &next);
		next->left = n->left;
		next->right = right;
		return iova_balance(next);
	}
	if (x->lo < n->lo)
		n->left = iova_remove(n->left, x);
	else
		n->right = iova_remove(n->right, x);
	return iova_balance(n);
}

/* The lowest node that ends above pfn; the one at the end always does. */
static struct iova_node *iova_above(const struct iova_space *s, uint64_t pfn)
{
	struct iova_node *n = s->root, *found = NULL;

	while (n) {
		if (n->hi > pfn) {
			found = n;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return found;
}

/* Take [lo, hi) out of the gap below next. */
static int iova_use(struct iova_space *s, struct iova_node *next, uint64_t lo,
		    uint64_t hi, bool reserved)
{
	struct iova_node *x = heap_zalloc(sizeof(*x));

	if (!x)
		return -ENOMEM;
	x->lo = lo;
	x->hi = hi;
	x->gap = lo - (next->lo - next->gap);
	x->reserved = reserved;
	next->gap = next->lo - hi;
	s->root = iova_insert(s->root, x);
	s->ranges++;
	return 0;
}

static void iova_unuse(struct iova_space *s, uint64_t lo, uint64_t hi)
{
	struct iova_node *x = iova_above(s, lo);

	BUG_ON(x->lo != lo || x->hi != hi || x->reserved);
	iova_above(s, hi)->gap += x->gap + (hi - lo);
	s->root = iova_remove(s->root, x);
	s->ranges--;
	heap_free(x);
}

/* ---- looking for a gap ---- */

struct iova_want {
	uint64_t pages, align, end;	/* end: of what may be used */
	uint64_t need;			/* pass over narrower gaps unseen */
	unsigned misfits;		/* how many may still be looked at */
	uint64_t lo;			/* what was found */
};

static bool iova_gap_fits(const struct iova_node *n, struct iova_want *w)
{
	uint64_t top = MIN(n->lo, w->end), bottom = n->lo - n->gap;

	if (top < bottom + w->pages)
		return false;
	w->lo = ALIGN_DOWN(top - w->pages, w->align);
	return w->lo >= bottom;
}

/* The highest gap that fits: the node above it, or NULL. */
static struct iova_node *iova_fit(struct iova_node *n, struct iova_want *w)
{
	struct iova_node *found;

	if (!n || n->widest < w->need)
		return NULL;
	if (n->hi < w->end) {
		found = iova_fit(n->right, w);
		if (found || !w->misfits)
			return found;
	}
	if (n->gap >= w->need && n->lo - n->gap < w->end) {
		if (iova_gap_fits(n, w))
			return n;
		if (!--w->misfits)
			return NULL;
	}
	return iova_fit(n->left, w);
}

/*
 * First the highest gap, unless that means trying many in vain; then one that
 * is sure to fit, which one descent finds; then, before giving up, all.
 */
static struct iova_node *iova_search(struct iova_space *s, struct iova_want *w)
{
	struct iova_node *n;

	w->need = w->pages;
	w->misfits = IOVA_MISFITS;
	n = iova_fit(s->root, w);
	if (n || w->misfits)
		return n;
	w->need = w->pages + w->align - 1;
	w->misfits = IOVA_MISFITS;
	n = iova_fit(s->root, w);
	if (n)
		return n;
	w->need = w->pages;
	w->misfits = ~0u;
	return iova_fit(s->root, w);
}

static int iova_take(struct iova_space *s, uint64_t pages, uint64_t end,
		     uint64_t *lo)
{
	struct iova_want w = {
		.pages = pages,
		.align = MIN(pages, IOVA_BIN_PAGES),
		.end = end,
	};
	struct iova_node *next = iova_search(s, &w);

	if (!next)
		return -ENOSPC;
	*lo = w.lo;
	return iova_use(s, next, w.lo, w.lo + pages, false);
}

/* ---- the space ---- */

/* Overflow-free count of the frames that start at or below addr. */
static uint64_t iova_frames_to(iova_t addr)
{
	return (addr >> PAGE_SHIFT) + 1;
}

static uint64_t iova_round(uint64_t size)
{
	uint64_t pages = ((size - 1) >> PAGE_SHIFT) + 1;

	return pages > IOVA_BIN_PAGES ? pages : UINT64_C(1) << ilog2_up(pages);
}

static struct iova_bin *iova_bin(struct iova_space *s, uint64_t pages)
{
	return pages > IOVA_BIN_PAGES ? NULL : &s->bin[ilog2(pages)];
}

int iova_init(struct iova_space *s, iova_t first, iova_t last)
{
	memset(s, 0, sizeof(*s));
	if (last < first)
		return -EINVAL;
	s->first = (first >> PAGE_SHIFT) + !!(first % PAGE_SIZE);
	s->end = iova_frames_to(last) - ((last + 1) % PAGE_SIZE != 0);
	if (s->first >= s->end)
		return -EINVAL;
	/* A range that never goes: every gap has a node above it. */
	s->root = heap_zalloc(sizeof(*s->root));
	if (!s->root)
		return -ENOMEM;
	s->root->lo = s->end;
	s->root->hi = IOVA_PFN_MAX + 1;
	s->root->gap = s->end - s->first;
	s->root->reserved = true;
	iova_update(s->root);
	return 0;
}

static void iova_free_tree(struct iova_node *n)
{
	if (!n)
		return;
	iova_free_tree(n->left);
	iova_free_tree(n->right);
	heap_free(n);
}

void iova_fini(struct iova_space *s)
{
	iova_free_tree(s->root);
	memset(s, 0, sizeof(*s));
}

static bool iova_all_reserved_or_free(const struct iova_space *s, uint64_t lo,
				      uint64_t hi)
{
	while (lo < hi) {
		const struct iova_node *n = iova_above(s, lo);

		if (n->lo < hi && !n->reserved)
			return false;
		lo = n->hi;
	}
	return true;
}

int iova_reserve(struct iova_space *s, iova_t first, iova_t last)
{
	uint64_t lo = MAX(first >> PAGE_SHIFT, s->first);
	uint64_t hi = MIN(iova_frames_to(last), s->end);
	int err;

	iova_flush(s);
	if (!iova_all_reserved_or_free(s, lo, hi))
		return -EBUSY;
	while (lo < hi) {
		struct iova_node *n = iova_above(s, lo);

		if (n->lo > lo) {
			err = iova_use(s, n, lo, MIN(n->lo, hi), true);
			if (err)
				return err;
		}
		lo = n->hi;
	}
	return 0;
}

int iova_alloc(struct iova_space *s, uint64_t size, iova_t limit, iova_t *out)
{
	uint64_t end = iova_frames_to(limit) - ((limit + 1) % PAGE_SIZE != 0);
	uint64_t pages, pfn;
	struct iova_bin *bin;
	int err;

	if (!size)
		return -EINVAL;
	pages = iova_round(size);
	bin = iova_bin(s, pages);
	if (bin && bin->n && bin->pfn[bin->n - 1] + pages <= end) {
		pfn = bin->pfn[--bin->n];
	} else {
		err = iova_take(s, pages, end, &pfn);
		if (err == -ENOSPC) {
			iova_flush(s);
			err = iova_take(s, pages, end, &pfn);
		}
		if (err)
			return err;
	}
	s->pages += pages;
	*out = pfn << PAGE_SHIFT;
	return 0;
}

void iova_free(struct iova_space *s, iova_t addr, uint64_t size)
{
	uint64_t pages = iova_round(size), pfn = addr >> PAGE_SHIFT;
	struct iova_bin *bin = iova_bin(s, pages);

	s->pages -= pages;
	if (bin && bin->n < IOVA_BIN_DEPTH)
		bin->pfn[bin->n++] = pfn;
	else
		iova_unuse(s, pfn, pfn + pages);
}

void iova_flush(struct iova_space *s)
{
	for (unsigned i = 0; i < IOVA_BINS; i++) {
		struct iova_bin *bin = &s->bin[i];

		while (bin->n) {
			uint64_t pfn = bin->pfn[--bin->n];

			iova_unuse(s, pfn, pfn + (UINT64_C(1) << i));
		}
	}
}

bool iova_taken(const struct iova_space *s, iova_t addr, uint64_t size)
{
	uint64_t lo = addr >> PAGE_SHIFT;
	uint64_t hi = iova_frames_to(addr + size - 1);

	while (lo < hi) {
		const struct iova_node *n = iova_above(s, lo);

		if (n->lo > lo)
			return false;
		lo = n->hi;
	}
	return true;
}
