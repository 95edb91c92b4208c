/* SPDX-License-Identifier: MIT */
/*
 * Split virtqueues (virtio 1.2, 2.7). Pure: ring memory and numbers.
 *
 * Life of a chain. virtq_add() takes descriptors from the free list, fills
 * them in, and puts the head into the available ring behind the index that the
 * device sees. virtq_kick() moves that index, so that one doorbell carries any
 * number of chains. The device puts the head into the used ring; virtq_get()
 * finds it there, returns the descriptors to the free list and hands out the
 * token.
 *
 * What the device writes is never trusted: links, sizes and tokens live in
 * memory of our own, a head is checked against the chains in flight, and a
 * length against the room the chain had.
 *
 * Not supported: indirect descriptors, event indices, in-order completion;
 * virtio_start() agrees to none of them.
 */
#include "virt/virtio.h"

#include "core/cpu.h"
#include "core/errno.h"
#include "core/heap.h"
#include "virt/virtioreg.h"

#define VIRTQ_END	0xffff		/* ends a list; sizes stay below it */
#define VIRTQ_CACHELINE	64

void virtq_layout(uint16_t size, size_t *desc, size_t *avail, size_t *used)
{
	size_t avail_bytes = sizeof(struct virtq_avail) +
			     sizeof(le16) * size + VIRTQ_EVENT_BYTES;

	*desc = 0;
	*avail = sizeof(struct virtq_desc) * size;
	/* Wider than VIRTQ_USED_ALIGN: each side writes its own lines. */
	*used = ALIGN_UP(*avail + avail_bytes, VIRTQ_CACHELINE);
}

size_t virtq_bytes(uint16_t size)
{
	size_t desc, avail, used;

	virtq_layout(size, &desc, &avail, &used);
	return used + sizeof(struct virtq_used) +
	       sizeof(struct virtq_used_elem) * size + VIRTQ_EVENT_BYTES;
}

/* One block for what we keep per descriptor: tokens, then room, then links. */
static int virtq_alloc_private(struct virtq *q)
{
	q->token = heap_calloc(q->size, sizeof(*q->token) + sizeof(*q->room) +
			       sizeof(*q->next));
	if (!q->token)
		return -ENOMEM;
	q->room = (uint32_t *)(q->token + q->size);
	q->next = (uint16_t *)(q->room + q->size);
	return 0;
}

int virtq_init(struct virtq *q, uint16_t size, void *ring)
{
	size_t desc, avail, used;
	int err;

	if (!is_power_of_2(size) || size > VIRTQ_SIZE_MAX)
		return -EINVAL;
	*q = (struct virtq){ .size = size };
	err = virtq_alloc_private(q);
	if (err)
		return err;
	virtq_layout(size, &desc, &avail, &used);
	q->desc = (struct virtq_desc *)((char *)ring + desc);
	q->avail = (struct virtq_avail *)((char *)ring + avail);
	q->used = (struct virtq_used *)((char *)ring + used);
	q->nfree = size;
	for (unsigned i = 0; i < size; i++)
		q->next[i] = (uint16_t)(i + 1u < size ? i + 1 : VIRTQ_END);
	return 0;
}

void virtq_fini(struct virtq *q)
{
	heap_free(q->token);
	*q = (struct virtq){ 0 };
}

static bool virtq_buf_order_ok(const struct virtq_buf *buf, unsigned n)
{
	bool writes = false;

	for (unsigned i = 0; i < n; i++) {
		if (buf[i].len == 0 || (writes && !buf[i].device_writes))
			return false;
		writes = buf[i].device_writes;
	}
	return n > 0;
}

/* What the device may write into the chain, capped at what len can say. */
static uint32_t virtq_buf_room(const struct virtq_buf *buf, unsigned n)
{
	uint64_t room = 0;

	for (unsigned i = 0; i < n; i++)
		if (buf[i].device_writes)
			room += buf[i].len;
	return (uint32_t)MIN(room, (uint64_t)UINT32_MAX);
}

/* Fill n descriptors along the free list. Returns the link after the last. */
static uint16_t virtq_fill(struct virtq *q, const struct virtq_buf *buf,
			   unsigned n)
{
	uint16_t i = q->free_head, last = i;

	for (unsigned k = 0; k < n; k++) {
		struct virtq_desc *d = &q->desc[i];

		d->addr = buf[k].addr;
		d->len = buf[k].len;
		d->flags = (uint16_t)((buf[k].device_writes ? VIRTQ_DESC_WRITE
							    : 0) |
				      (k + 1 < n ? VIRTQ_DESC_NEXT : 0));
		d->next = k + 1 < n ? q->next[i] : 0;
		last = i;
		i = q->next[i];
	}
	q->next[last] = VIRTQ_END;
	return i;
}

int virtq_add(struct virtq *q, const struct virtq_buf *buf, unsigned n,
	      void *token)
{
	uint16_t head = q->free_head;

	if (!token || n > q->size || !virtq_buf_order_ok(buf, n))
		return -EINVAL;
	if (n > q->nfree)
		return -ENOSPC;
	q->free_head = virtq_fill(q, buf, n);
	q->nfree = (uint16_t)(q->nfree - n);
	q->token[head] = token;
	q->room[head] = virtq_buf_room(buf, n);
	q->avail->ring[q->next_avail & (q->size - 1)] = head;
	q->next_avail++;
	q->inflight++;
	return 0;
}

/*
 * 2.7.13: the entries before the index that publishes them; then the index
 * before the look at the device's flag, which needs a full barrier, or both
 * sides could believe that the other one is awake.
 */
void virtq_kick(struct virtq *q)
{
	if (q->published == q->next_avail)
		return;
	dma_wmb();
	WRITE_ONCE(q->avail->idx, q->next_avail);
	q->published = q->next_avail;
	cpu_mb();
	if (READ_ONCE(q->used->flags) & VIRTQ_USED_NO_NOTIFY)
		return;
	if (q->notify.size)
		io_write16(&q->notify, 0, (uint16_t)q->index);
}

/* Put the chain at head back onto the free list. */
static void virtq_release(struct virtq *q, uint16_t head)
{
	uint16_t last = head, n = 1;

	for (; q->next[last] != VIRTQ_END; n++)
		last = q->next[last];
	q->next[last] = q->free_head;
	q->free_head = head;
	q->nfree = (uint16_t)(q->nfree + n);
	q->token[head] = NULL;
	q->inflight--;
}

/* How many entries the device has published, -EPROTO when it cannot be. */
static int virtq_completed(const struct virtq *q)
{
	uint16_t n = (uint16_t)(READ_ONCE(q->used->idx) - q->last_used);

	return n > q->inflight ? -EPROTO : n;
}

bool virtq_waits(const struct virtq *q)
{
	return READ_ONCE(q->used->idx) != q->last_used;
}

void *virtq_get(struct virtq *q, uint32_t *len, int *err)
{
	struct virtq_used_elem *e;
	int n = virtq_completed(q);
	void *token = NULL;
	uint32_t id;

	if (err)
		*err = MIN(n, 0);
	if (n <= 0)
		return NULL;
	dma_rmb();			/* the index before the entry */
	e = &q->used->ring[q->last_used & (q->size - 1)];
	id = READ_ONCE(e->id);		/* once: it may change its mind */
	q->last_used++;
	if (id < q->size)
		token = q->token[id];
	if (!token) {
		if (err)
			*err = -EPROTO;
		return NULL;
	}
	if (len)
		*len = MIN(READ_ONCE(e->len), q->room[id]);
	virtq_release(q, (uint16_t)id);
	return token;
}

void virtq_quiet(struct virtq *q, bool quiet)
{
	WRITE_ONCE(q->avail->flags, quiet ? VIRTQ_AVAIL_NO_INTERRUPT : 0);
}
