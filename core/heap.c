/* SPDX-License-Identifier: MIT */
/*
 * Size classes of 32 bytes to 1 KiB, each a stack of free objects cut from
 * single pages; larger objects take whole blocks of pages. The page's first
 * 16 bytes say what it holds, so that heap_free() needs no size:
 *
 *	small page:	head | object | object | …
 *	large block:	head | the object
 *
 * A page of a size class is never given back: the kernel's population of
 * small objects is stable after start.
 */
#include "core/heap.h"

#include "core/bits.h"
#include "core/cpu.h"
#include "core/list.h"
#include "core/lock.h"
#include "core/page.h"
#include "core/panic.h"
#include "core/string.h"

#define HEAP_SHIFT_MIN	5
#define HEAP_SHIFT_MAX	10
#define HEAP_CLASSES	(HEAP_SHIFT_MAX - HEAP_SHIFT_MIN + 1)
#define HEAP_MAGIC	0x48454150u		/* "HEAP" */
#define HEAP_FREED	0x66726565u		/* "free", in word 3 of an object */

struct heap_head {
	uint32_t magic;
	bool small;
	uint8_t shift;			/* small: log2 of the object's size */
	uint8_t order;			/* large: of the block */
	uint64_t unused;
} __aligned(16);
_Static_assert(sizeof(struct heap_head) == 16, "keeps objects aligned");

struct heap_object {
	struct heap_object *next;
	uint64_t freed;
};

static struct {
	struct spinlock lock;
	/* lock: */
	struct heap_object *free[HEAP_CLASSES];
	size_t in_use;
} heap = { .lock = SPINLOCK_INIT("heap") };

static struct heap_head *heap_head(const void *p)
{
	struct heap_head *h = (void *)((uintptr_t)p & PAGE_MASK);

	if (h->magic != HEAP_MAGIC)
		panic("heap: %p was not allocated here", p);
	return h;
}

/* Objects are aligned to 16; the first slot of a page is lost to the head. */
static bool heap_refill_locked(unsigned class)
{
	unsigned size = 1u << (class + HEAP_SHIFT_MIN);
	struct heap_head *h = page_alloc(0);

	spin_assert_held(&heap.lock);
	if (!h)
		return false;
	*h = (struct heap_head){ .magic = HEAP_MAGIC, .small = true,
				 .shift = class + HEAP_SHIFT_MIN };
	for (unsigned off = sizeof(*h); off + size <= PAGE_SIZE; off += size) {
		struct heap_object *o = (void *)((char *)h + off);

		o->freed = HEAP_FREED;
		o->next = heap.free[class];
		heap.free[class] = o;
	}
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
		o = heap.free[class];
		heap.free[class] = o->next;
		o->freed = 0;
		heap.in_use += 1u << shift;
	}
	spin_unlock(&heap.lock, flags);
	return o;
}

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
	spin_unlock(&heap.lock, flags);
	return h + 1;
}

void *heap_alloc(size_t size)
{
	if (!size || size > SIZE_MAX / 2)
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

static void heap_free_small(struct heap_head *h, struct heap_object *o)
{
	unsigned class = h->shift - HEAP_SHIFT_MIN;
	irqflags_t flags = spin_lock(&heap.lock);

	if (o->freed == HEAP_FREED)
		for (struct heap_object *p = heap.free[class]; p; p = p->next)
			BUG_ON(p == o);		/* freed twice */
	o->freed = HEAP_FREED;
	o->next = heap.free[class];
	heap.free[class] = o;
	heap.in_use -= 1u << h->shift;
	spin_unlock(&heap.lock, flags);
}

void heap_free(void *p)
{
	struct heap_head *h;
	irqflags_t flags;

	if (!p)
		return;
	h = heap_head(p);
	if (h->small) {
		heap_free_small(h, p);
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
