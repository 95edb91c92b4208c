/* SPDX-License-Identifier: MIT */
/*
 * Requests live in slots of one page: what the device reads, and the tail it
 * writes. A batch counts those that one caller waits for; whoever holds
 * the lock reaps for everybody, so a caller's requests may be sent and even
 * completed by another one's wait.
 *
 * Completion is looked for, not waited for by interrupt: the devices known
 * handle a request before the doorbell's write returns.
 */
#include "viommu/virtio_iommu.h"

#include "core/cpu.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/page.h"
#include "core/string.h"

/* Descriptors. Slots take two each, and leave two for a probe request. */
#define VIOMMU_REQ_QUEUE	(2 * (VIOMMU_SLOTS + 1))

int viommu_req_errno(uint8_t status)
{
	switch (status) {
	case VIOMMU_S_OK:
		return 0;
	case VIOMMU_S_UNSUPP:
		return -ENOTSUP;
	case VIOMMU_S_INVAL:
		return -EINVAL;
	case VIOMMU_S_RANGE:
		return -ERANGE;
	case VIOMMU_S_NOENT:
		return -ENOENT;
	case VIOMMU_S_FAULT:
		return -EFAULT;
	case VIOMMU_S_NOMEM:
		return -ENOMEM;
	case VIOMMU_S_IOERR:
	case VIOMMU_S_DEVERR:
		return -EIO;
	default:
		return -EPROTO;
	}
}

int viommu_req_start(struct viommu *v)
{
	int err;

	/* No clearing: a slot is written before the device sees it. */
	v->slot = page_alloc(0);
	if (!v->slot)
		return -ENOMEM;
	v->free = GENMASK_ULL(VIOMMU_SLOTS - 1, 0);
	err = virtio_queue_setup(&v->vd, &v->requests, VIOMMU_Q_REQUEST,
				 VIOMMU_REQ_QUEUE, VIRTIO_NO_VECTOR, true);
	if (!err)
		virtq_quiet(&v->requests, true);
	return err;
}

void viommu_req_stop(struct viommu *v)
{
	virtio_queue_free(&v->vd, &v->requests);
	if (v->slot)
		page_free(v->slot, 0);
	v->slot = NULL;
}

static void viommu_req_die(struct viommu *v, int err, const char *what)
{
	if (v->dead)
		return;
	v->dead = err;
	log_err(v->name, "%s: %s", what, errno_name(err));
}

static void viommu_req_done(struct viommu *v, struct viommu_slot *s,
			    uint32_t len)
{
	unsigned i = s - v->slot;
	struct viommu_batch *b = v->batch[i];
	int err = len < sizeof(s->tail) ? -EPROTO :
		  viommu_req_errno(READ_ONCE(s->tail.status));

	if (err) {
		v->failed++;
		log_debug(v->name, "request %u: status %u, %u bytes",
			  s->head.type, s->tail.status, len);
	}
	if (err && !b->err)
		b->err = err;
	b->pending--;
	v->free |= BIT_ULL(i);
}

static void viommu_req_reap_locked(struct viommu *v)
{
	void *token;
	uint32_t len;
	int err;

	while ((token = virtq_get(&v->requests, &len, &err))) {
		if (token == v->probe) {
			v->probing = false;
			v->probed = len;
		} else {
			viommu_req_done(v, token, len);
		}
	}
	if (err)
		viommu_req_die(v, err, "broke its request queue");
}

static int viommu_req_poll_locked(struct viommu *v,
				  const struct viommu_batch *b)
{
	int err;

	spin_assert_held(&v->lock);
	virtq_kick(&v->requests);
	viommu_req_reap_locked(v);
	/* b NULL: any free slot will do. */
	if (b ? !b->pending : !!v->free)
		return 0;
	err = poll_mem_until((viommu_req_reap_locked(v), v->dead ||
			      (b ? !b->pending : !!v->free)),
			     time_now() + VIOMMU_TIMEOUT);
	if (err)
		viommu_req_die(v, err, "does not answer requests");
	return v->dead;
}

static int viommu_req_add_locked(struct viommu *v, const void *req, size_t len,
				 struct viommu_batch *b)
{
	struct viommu_slot *s;
	struct virtq_buf buf[2];
	unsigned i;

	if (v->dead)
		return v->dead;
	if (!v->free && viommu_req_poll_locked(v, NULL))
		return v->dead;
	i = (unsigned)__builtin_ctzll(v->free);
	s = &v->slot[i];
	memcpy(s->bytes, req, len);
	s->tail.status = 0xff;		/* no status: it must be written */
	buf[0] = (struct virtq_buf){ virt_to_phys(s), len, false };
	buf[1] = (struct virtq_buf){ virt_to_phys(&s->tail), sizeof(s->tail),
				     true };
	if (virtq_add(&v->requests, buf, 2, s))
		return -ENOSPC;
	v->free &= ~BIT_ULL(i);
	v->batch[i] = b;
	v->sent++;
	b->pending++;
	return 0;
}

int viommu_req_add(struct viommu *v, const void *req, size_t len,
		   struct viommu_batch *b)
{
	irqflags_t flags = spin_lock(&v->lock);
	int err = viommu_req_add_locked(v, req, len, b);

	spin_unlock(&v->lock, flags);
	return err;
}

int viommu_req_wait(struct viommu *v, struct viommu_batch *b)
{
	irqflags_t flags = spin_lock(&v->lock);
	int err = v->dead;

	if (!err && b->pending)
		err = viommu_req_poll_locked(v, b);
	if (!err)
		err = b->err;
	b->err = 0;
	spin_unlock(&v->lock, flags);
	return err;
}

/*
 * A request that the device keeps for ever also keeps a pointer to its batch,
 * but a dead device's queue is never looked at again.
 */
int viommu_req(struct viommu *v, const void *req, size_t len)
{
	struct viommu_batch b = { 0, 0 };
	int err = viommu_req_add(v, req, len, &b);

	return err ? err : viommu_req_wait(v, &b);
}

static int viommu_req_probe_locked(struct viommu *v, uint32_t endpoint)
{
	struct viommu_probe *req = v->probe;
	uint8_t *in = (uint8_t *)(req + 1);
	struct viommu_tail *tail = (struct viommu_tail *)(in + v->probe_size);
	uint32_t in_len = v->probe_size + sizeof(*tail);
	struct virtq_buf buf[2] = {
		{ virt_to_phys(req), sizeof(*req), false },
		{ virt_to_phys(in), in_len, true },
	};
	int err;

	if (v->dead)
		return v->dead;
	*req = (struct viommu_probe){ .head.type = VIOMMU_T_PROBE,
				      .endpoint = endpoint };
	memset(in, 0, v->probe_size);
	tail->status = 0xff;
	err = virtq_add(&v->requests, buf, 2, req);
	if (err)
		return err;
	v->sent++;
	v->probing = true;
	virtq_kick(&v->requests);
	err = poll_mem_until((viommu_req_reap_locked(v),
			      v->dead || !v->probing),
			     time_now() + VIOMMU_TIMEOUT);
	if (err)
		viommu_req_die(v, err, "does not answer a probe request");
	if (v->dead)
		return v->dead;
	return v->probed < in_len ? -EPROTO : viommu_req_errno(tail->status);
}

int viommu_req_probe(struct viommu *v, uint32_t endpoint)
{
	irqflags_t flags = spin_lock(&v->lock);
	int err = viommu_req_probe_locked(v, endpoint);

	spin_unlock(&v->lock, flags);
	return err;
}
