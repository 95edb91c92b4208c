/* SPDX-License-Identifier: MIT */
#include "viommu/amdpt.h"

#include "core/cpu.h"
#include "core/dma.h"
#include "core/errno.h"
#include "core/page.h"
#include "core/string.h"

_Static_assert(AMDPT_ENTRIES * sizeof(le64) == PAGE_SIZE, "AMD IOMMU 2.2.3");

#define AMDPT_PROT	(AMDPT_IR | AMDPT_IW)

static le64 *amdpt_table_of(le64 e)
{
	return phys_to_virt(e & AMDPT_ADDR);
}

static unsigned amdpt_index(iova_t iova, unsigned level)
{
	return iova >> AMDPT_SHIFT(level) & (AMDPT_ENTRIES - 1);
}

static le64 *amdpt_new_table(struct amdpt *pt)
{
	le64 *t = page_alloc_zero(0);

	if (t)
		pt->tables++;
	return t;
}

int amdpt_init(struct amdpt *pt, unsigned levels)
{
	memset(pt, 0, sizeof(*pt));
	if (levels < 3 || levels > 4)
		return -EINVAL;
	pt->levels = levels;
	pt->root = amdpt_new_table(pt);
	return pt->root ? 0 : -ENOMEM;
}

static void amdpt_free_below(struct amdpt *pt, le64 *t, unsigned level)
{
	for (unsigned i = 0; level > 1 && i < AMDPT_ENTRIES; i++) {
		if (t[i] & AMDPT_PR)
			amdpt_free_below(pt, amdpt_table_of(t[i]), level - 1);
	}
	page_free(t, 0);
	pt->tables--;
}

void amdpt_fini(struct amdpt *pt)
{
	if (pt->root)
		amdpt_free_below(pt, pt->root, pt->levels);
	memset(pt, 0, sizeof(*pt));
}

static int amdpt_check(const struct amdpt *pt, iova_t iova, uint64_t size)
{
	uint64_t width = AMDPT_SPAN(pt->levels + 1);

	if (!size || !IS_ALIGNED(iova | size, PAGE_SIZE))
		return -EINVAL;
	return iova >= width || size > width - iova ? -ERANGE : 0;
}

/* The level-1 table of iova, or NULL. */
static le64 *amdpt_find(const struct amdpt *pt, iova_t iova)
{
	le64 *t = pt->root;

	for (unsigned l = pt->levels; l > 1; l--) {
		le64 e = t[amdpt_index(iova, l)];

		if (!(e & AMDPT_PR))
			return NULL;
		t = amdpt_table_of(e);
	}
	return t;
}

/* The same, built where it is not there; NULL when memory is short. */
static le64 *amdpt_reach(struct amdpt *pt, iova_t iova)
{
	le64 *t = pt->root;

	for (unsigned l = pt->levels; l > 1; l--) {
		le64 *e = &t[amdpt_index(iova, l)];

		if (!(*e & AMDPT_PR)) {
			le64 *below = amdpt_new_table(pt);

			if (!below)
				return NULL;
			dma_wmb();	/* its zeroes come first */
			WRITE_ONCE(*e, virt_to_phys(below) | AMDPT_PR |
				   FIELD_PREP(AMDPT_NEXT, l - 1) | AMDPT_PROT);
		}
		t = amdpt_table_of(*e);
	}
	return t;
}

/* How many pages from iova on one level-1 table holds, size at most. */
static unsigned amdpt_run(iova_t iova, uint64_t size)
{
	return MIN(size >> PAGE_SHIFT,
		   (uint64_t)AMDPT_ENTRIES - amdpt_index(iova, 1));
}

static int amdpt_fill(struct amdpt *pt, le64 *e, unsigned n, le64 first)
{
	for (unsigned i = 0; i < n; i++) {
		if (e[i])
			return -EEXIST;
	}
	for (unsigned i = 0; i < n; i++)
		WRITE_ONCE(e[i], first + i * PAGE_SIZE);
	pt->pages += n;
	return 0;
}

int amdpt_unmap(struct amdpt *pt, iova_t iova, uint64_t size)
{
	uint64_t holes = 0;
	unsigned n;
	int err = amdpt_check(pt, iova, size);

	for (; !err && size; iova += n * PAGE_SIZE, size -= n * PAGE_SIZE) {
		le64 *t = amdpt_find(pt, iova);

		n = amdpt_run(iova, size);
		for (unsigned i = 0; i < n; i++) {
			le64 *e = t ? &t[amdpt_index(iova, 1) + i] : NULL;

			if (!e || !*e) {
				holes++;
				continue;
			}
			WRITE_ONCE(*e, 0);
			pt->pages--;
		}
	}
	return err ? err : holes ? -ENOENT : 0;
}

int amdpt_map(struct amdpt *pt, iova_t iova, phys_t pa, uint64_t size,
	      uint64_t prot)
{
	uint64_t at = 0;
	unsigned n;
	int err;

	err = amdpt_check(pt, iova, size);
	if (err)
		return err;
	if (pa & ~AMDPT_ADDR || !prot || prot & ~AMDPT_PROT)
		return -EINVAL;
	for (; at < size; at += n * PAGE_SIZE) {
		le64 *t = amdpt_reach(pt, iova + at);

		n = amdpt_run(iova + at, size - at);
		err = !t ? -ENOMEM :
		      amdpt_fill(pt, &t[amdpt_index(iova + at, 1)], n,
				 (pa + at) | prot | AMDPT_FC | AMDPT_PR);
		if (err)
			goto err_unmap;
	}
	return 0;

err_unmap:
	if (at)
		amdpt_unmap(pt, iova, at);
	return err;
}

int amdpt_lookup(const struct amdpt *pt, iova_t iova, phys_t *pa,
		 uint64_t *prot)
{
	le64 *t, e;

	if (iova >= AMDPT_SPAN(pt->levels + 1))
		return -ENOENT;
	t = amdpt_find(pt, iova);
	e = t ? t[amdpt_index(iova, 1)] : 0;
	if (!(e & AMDPT_PR))
		return -ENOENT;
	*pa = (e & AMDPT_ADDR) + iova % PAGE_SIZE;
	*prot = e & AMDPT_PROT;
	return 0;
}
