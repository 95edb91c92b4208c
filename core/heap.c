/* SPDX-License-Identifier: MIT */
/*
 * Size classes of 32 bytes to 1 KiB, each a stack of free objects cut from
 * single pages; larger objects take whole blocks of pages. The page's first
 * bytes say what it holds, so that heap_free() needs no size, and which of its
 * objects are in use, so that freeing one twice, or something else, is noticed
 * without a search:
 *
 *	small page:	head | object | object | …
 *	large block:	head | the object
 *
 * A page of a size class is never given back: the kernel's population of
 * small objects is stable after start. One lock serves all CPUs, and no cache
 * stands in front of it: a read allocates here twice, a thread not at all, and
 * with nobody else at the lock an object costs what a cached page does (the
 * in-guest suite "memory" prints all three).
 *
 * A free object begins with a link that checks itself; with debug=poison the
 * rest of it is filled and checked (core/poison.h).
 */
#include "core/heap.h"

#include "core/bits.h"
#include "core/cpu.h"
#include "core/list.h"
#include "core/lock.h"
#include "core/page.h"
#include "core/panic.h"
#include "core/poison.h"
#include "core/string.h"

#define HEAP_SHIFT_MIN	5
#define HEAP_SHIFT_MAX	10
#define HEAP_CLASSES	(HEAP_SHIFT_MAX - HEAP_SHIFT_MIN + 1)
#define HEAP_MAGIC	0x48454150u		/* "HEAP" */

struct heap_head {
	uint32_t magic;
	bool small;
	uint8_t shift;			/* small: log2 of the object's size */
	uint8_t order;			/* large: of the block */
	uint64_t unused;
	uint64_t used[2];		/* heap.lock, small: a bit an object */
} __aligned(16);
_Static_assert(sizeof(struct heap_head) == 32, "keeps objects aligned");

/* Of a free object. check is the complement of next, but for its lowest bit. */
struct heap_object {
	struct heap_object *next;
	uintptr_t check;
	uintptr_t freed_by;		/* when the rest is filled */
};
#define HEAP_FILLED	1		/* in check: no pointer has it */

static struct {
	struct spinlock lock;
	/* lock: */
	struct heap_object *free[HEAP_CLASSES];
	size_t in_use;
	uint64_t allocs;
} heap = { .lock = SPINLOCK_INIT("heap") };

static struct heap_head *heap_head(const void *p)
{
	struct heap_head *h = (void *)((uintptr_t)p & PAGE_MASK);

	if (h->magic != HEAP_MAGIC)
		panic("heap: %p was not allocated here, or freed twice", p);
	return h;
}

static size_t heap_rest(unsigned shift)
{
	return (1u << shift) - sizeof(struct heap_object);
}

/* Which of its page's objects is it? Panics when it is none of them. */
static unsigned heap_index(const struct heap_head *h, const void *p)
{
	uintptr_t off = (uintptr_t)p - (uintptr_t)(h + 1);

	if (off % (1u << h->shift) || off >= PAGE_SIZE)
		panic("heap: %p is inside an object of %u bytes", p,
		      1u << h->shift);
	return (unsigned)(off >> h->shift);
}

/* Changes the bit of an object; returns what it was. */
static bool heap_mark_locked(struct heap_head *h, const void *p, bool used)
{
	unsigned i = heap_index(h, p);
	uint64_t bit = UINT64_C(1) << i % 64, *word = &h->used[i / 64];
	bool was = *word & bit;

	spin_assert_held(&heap.lock);
	*word = used ? *word | bit : *word & ~bit;
	return was;
}

/* ---- small ones ---- */

static void heap_push_locked(unsigned class, struct heap_object *o, bool filled)
{
	o->next = heap.free[class];
	o->check = ~(uintptr_t)o->next ^ (filled ? HEAP_FILLED : 0);
	heap.free[class] = o;
}

static struct heap_object *heap_pop_locked(unsigned class)
{
	struct heap_object *o = heap.free[class];

	if ((o->check ^ ~(uintptr_t)o->next) & ~(uintptr_t)HEAP_FILLED)
		panic("heap: %p was written to after it was freed", (void *)o);
	heap.free[class] = o->next;
	heap_mark_locked(heap_head(o), o, true);
	return o;
}

/* Objects are aligned to 16. */
static bool heap_refill_locked(unsigned class)
{
	unsigned size = 1u << (class + HEAP_SHIFT_MIN);
	struct heap_head *h = page_alloc(0);

	spin_assert_held(&heap.lock);
	if (!h)
		return false;
	*h = (struct heap_head){ .magic = HEAP_MAGIC, .small = true,
				 .shift = class + HEAP_SHIFT_MIN };
	for (unsigned off = sizeof(*h); off + size <= PAGE_SIZE; off += size)
		heap_push_locked(class, (void *)((char *)h + off), false);
	return true;
}

static void *heap_alloc_small(size_t size)
{
	unsigned shift = MAX(ilog2_up(size), (unsigned)HEAP_SHIFT_MIN);
	unsigned class = shift - HEAP_SHIFT_MIN;
	struct heap_object *o = NULL;
	irqflags_t flags;

	flags = spin_lock(&heap.lock);
	if (heap.free[class] || heap_refill_locked(class)) {
		o = heap_pop_locked(class);
		heap.in_use += 1u << shift;
		heap.allocs++;
	}
	spin_unlock(&heap.lock, flags);
	if (o && (o->check ^ ~(uintptr_t)o->next) == HEAP_FILLED)
		poison_check("heap", o + 1, heap_rest(shift), o->freed_by);
	return o;
}

static void heap_free_small(struct heap_head *h, void *p, uintptr_t caller)
{
	struct heap_object *o = p;
	bool filled = poison_on;
	irqflags_t flags = spin_lock(&heap.lock);

	if (!heap_mark_locked(h, o, false))
		panic("heap: %p of %u bytes freed twice", p, 1u << h->shift);
	if (unlikely(filled)) {
		o->freed_by = caller;
		poison_fill(o + 1, heap_rest(h->shift));
	}
	heap_push_locked(h->shift - HEAP_SHIFT_MIN, o, filled);
	heap.in_use -= 1u << h->shift;
	spin_unlock(&heap.lock, flags);
}

/* ---- large ones ---- */

static void *heap_alloc_large(size_t size)
{
	unsigned order = page_order(size + sizeof(struct heap_head));
	struct heap_head *h;
	irqflags_t flags;

	h = order <= PAGE_ORDER_MAX ? page_alloc(order) : NULL;
	if (!h)
		return NULL;
	*h = (struct heap_head){ .magic = HEAP_MAGIC, .order = order };
	flags = spin_lock(&heap.lock);
	heap.in_use += (size_t)PAGE_SIZE << order;
	heap.allocs++;
	spin_unlock(&heap.lock, flags);
	return h + 1;
}

void *heap_alloc(size_t size)
{
	if (!size || size > SIZE_MAX / 2 || (page_gate && page_gate()))
		return NULL;
	return size <= 1u << HEAP_SHIFT_MAX ? heap_alloc_small(size) :
	       heap_alloc_large(size);
}

void *heap_zalloc(size_t size)
{
	void *p = heap_alloc(size);

	if (p)
		memset(p, 0, size);
	return p;
}

void *heap_calloc(size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return heap_zalloc(bytes);
}

void heap_free(void *p)
{
	struct heap_head *h;
	irqflags_t flags;

	if (!p)
		return;
	h = heap_head(p);
	if (h->small) {
		heap_free_small(h, p,
				(uintptr_t)__builtin_return_address(0));
		return;
	}
	flags = spin_lock(&heap.lock);
	heap.in_use -= (size_t)PAGE_SIZE << h->order;
	spin_unlock(&heap.lock, flags);
	h->magic = 0;
	page_free(h, h->order);
}

size_t heap_in_use(void)
{
	return READ_ONCE(heap.in_use);
}

uint64_t heap_allocs(void)
{
	return READ_ONCE(heap.allocs);
}
