/* SPDX-License-Identifier: MIT */
/*
 * MSI-X as interrupts: masks, pending bits, and messages that move, on the
 * rig's device (tests/guest/msix_rig.h). The used ring says that there was an
 * event, the numbers that vectors carry say that each came once, and the sum
 * of interrupts nobody owned says that none went elsewhere.
 *
 * Waiting for what must not come has no event to wait for: each such wait ends
 * with a read from the device, which pushes its messages before it, and a rest.
 */
#include "core/cpu.h"
#include "core/irq.h"
#include "core/pci.h"
#include "core/pcireg.h"
#include "core/report.h"
#include "msi/msi.h"
#include "msi/msireg.h"
#include "sched/sched.h"
#include "tests/guest/msix_rig.h"

/* The device's answer comes behind its messages; then the CPUs take them. */
static void msix_settle(void)
{
	msix_rig_read(0, MSIX_ENTRY_CTRL);
	thread_sleep(MSIX_RIG_QUIET);
}

static unsigned msix_seen(unsigned nr)
{
	return READ_ONCE(msix_rig.v[nr].seen);
}

static void msix_set_ctrl(uint16_t ctrl)
{
	pci_write16(msix_rig.p, msix_rig.cap + MSIX_CTRL, ctrl);
	pci_read16(msix_rig.p, msix_rig.cap + MSIX_CTRL);
}

/* The last entry: an off-by-one would show. */
static unsigned msix_last(void)
{
	return msix_rig.entries - 1;
}

/* ---- one vector ---- */

KTEST(msix, a_masked_vector_is_pending_and_comes_exactly_once)
{
	unsigned nr;

	if (!msix_rig_start(t))
		return;
	nr = msix_last();
	KEXPECT_EQ(t, msix_rig_connect(nr, 0), 0);
	KEXPECT_EQ(t, msix_rig_fire(nr), 0);
	KEXPECT_EQ(t, msix_rig_await(nr), 0);

	msi_mask(msix_rig.p, nr, true);
	KEXPECT(t, !msix_rig_pending(nr));
	KEXPECT_EQ(t, msix_rig_fire(nr), 0);
	KEXPECT_EQ(t, msix_rig_fire(nr), 0);
	msix_settle();
	KEXPECT(t, msix_rig_pending(nr) && msi_pending(msix_rig.p, nr));
	KEXPECT_EQ(t, msix_seen(nr), 1);

	/* Two events behind one pending bit are one message. */
	WRITE_ONCE(msix_rig.v[nr].fired, 2);
	msi_mask(msix_rig.p, nr, false);
	KEXPECT_EQ(t, msix_rig_await(nr), 0);
	msix_settle();
	KEXPECT_EQ(t, msix_rig_errors(), 0);
	KEXPECT_EQ(t, msi_count(msix_rig.p, nr), 2);
	KEXPECT(t, !msix_rig_pending(nr));
	msix_rig_stop();
}

KTEST(msix, a_vector_interrupts_each_cpu_in_turn)
{
	unsigned nr;

	if (!msix_rig_start(t))
		return;
	nr = msix_last();
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		msix_rig_disconnect(nr);
		KEXPECT_EQ(t, msix_rig_connect(nr, cpu), 0);
		KEXPECT_EQ(t, msix_rig_fire(nr), 0);
		KEXPECT_EQ(t, msix_rig_await(nr), 0);
	}
	KEXPECT_EQ(t, msix_rig_errors(), 0);
	msix_rig_stop();
}

KTEST(msix, a_disconnected_vector_stays_silent)
{
	unsigned nr;

	if (!msix_rig_start(t))
		return;
	nr = msix_last();
	KEXPECT_EQ(t, msix_rig_connect(nr, 0), 0);
	msix_rig_disconnect(nr);
	KEXPECT_EQ(t, msix_rig_fire(nr), 0);
	msix_settle();
	KEXPECT_EQ(t, msix_seen(nr), 0);
	KEXPECT(t, msix_rig_pending(nr));
	/* The event of that time comes with the next connection, once. */
	KEXPECT_EQ(t, msix_rig_connect(nr, 0), 0);
	KEXPECT_EQ(t, msix_rig_await(nr), 0);
	msix_settle();
	KEXPECT_EQ(t, msix_seen(nr), 1);
	KEXPECT_EQ(t, msix_rig_errors(), 0);
	msix_rig_stop();
}

/* ---- all of them: the function mask, 6.8.2.3 ---- */

/* One vector for each queue, so that each keeps its pending bit. */
static void msix_connect_all(struct ktest_run *t)
{
	for (unsigned nr = 0; nr < msix_rig.nq; nr++)
		KEXPECT_EQ(t, msix_rig_connect(nr, nr % cpu_count()), 0);
}

static void msix_fire_all(struct ktest_run *t)
{
	for (unsigned nr = 0; nr < msix_rig.nq; nr++)
		KEXPECT_EQ(t, msix_rig_fire(nr), 0);
}

/* How many vectors have seen count interrupts and are pending or not. */
static unsigned msix_how_many(unsigned count, bool pending)
{
	unsigned n = 0;

	for (unsigned nr = 0; nr < msix_rig.nq; nr++)
		n += msix_seen(nr) == count && msix_rig_pending(nr) == pending;
	return n;
}

KTEST(msix, the_function_mask_holds_every_vector_and_loses_none)
{
	const struct msix_rig *r = &msix_rig;

	if (!msix_rig_start(t))
		return;
	msix_connect_all(t);
	msix_set_ctrl(MSIX_CTRL_ENABLE | MSIX_CTRL_MASK_ALL);
	msix_fire_all(t);
	msix_settle();
	KEXPECT_EQ(t, msix_how_many(0, true), r->nq);

	msix_set_ctrl(MSIX_CTRL_ENABLE);
	for (unsigned nr = 0; nr < r->nq; nr++)
		KEXPECT_EQ(t, msix_rig_await(nr), 0);
	msix_settle();
	KEXPECT_EQ(t, msix_how_many(1, false), r->nq);
	KEXPECT_EQ(t, msix_rig_errors(), 0);
	ktest_metric("held", r->nq, "vectors");
	msix_rig_stop();
}

/* Either mask is enough: an event leaves when both are clear. */
KTEST(msix, an_entrys_mask_and_the_functions_hold_independently)
{
	if (!msix_rig_start(t))
		return;
	KEXPECT_EQ(t, msix_rig_connect(0, 0), 0);
	msi_mask(msix_rig.p, 0, true);
	msix_set_ctrl(MSIX_CTRL_ENABLE | MSIX_CTRL_MASK_ALL);
	KEXPECT_EQ(t, msix_rig_fire(0), 0);

	msix_set_ctrl(MSIX_CTRL_ENABLE);
	msix_settle();
	KEXPECT(t, msix_rig_pending(0));
	KEXPECT_EQ(t, msix_seen(0), 0);

	msix_set_ctrl(MSIX_CTRL_ENABLE | MSIX_CTRL_MASK_ALL);
	msi_mask(msix_rig.p, 0, false);
	msix_settle();
	KEXPECT(t, msix_rig_pending(0));
	KEXPECT_EQ(t, msix_seen(0), 0);

	msix_set_ctrl(MSIX_CTRL_ENABLE);
	KEXPECT_EQ(t, msix_rig_await(0), 0);
	msix_settle();
	KEXPECT(t, !msix_rig_pending(0));
	KEXPECT_EQ(t, msix_rig_errors(), 0);
	msix_rig_stop();
}

/* Masking on and off with nothing pending makes no interrupt. */
KTEST(msix, masks_alone_interrupt_nobody)
{
	if (!msix_rig_start(t))
		return;
	msix_connect_all(t);
	for (unsigned nr = 0; nr < msix_rig.nq; nr++) {
		msi_mask(msix_rig.p, nr, true);
		msi_mask(msix_rig.p, nr, false);
	}
	msix_set_ctrl(MSIX_CTRL_ENABLE | MSIX_CTRL_MASK_ALL);
	msix_set_ctrl(MSIX_CTRL_ENABLE);
	msix_settle();
	KEXPECT_EQ(t, msix_how_many(0, false), msix_rig.nq);
	KEXPECT_EQ(t, msix_rig_errors(), 0);
	msix_rig_stop();
}

/* ---- messages that move ---- */

/* A second destination, which the table is pointed at behind msi/'s back. */
static struct msix_place {
	struct msix_rig_vector v;
	unsigned vector;
} msix_place;

static bool msix_place_take(struct ktest_run *t, unsigned cpu)
{
	int vector;

	msix_place = (struct msix_place){ .v.cpu = cpu };
	vector = irq_alloc(cpu, msix_rig_irq, &msix_place.v, "msix place");
	msix_place.vector = vector > 0 ? (unsigned)vector : 0;
	return KEXPECT_MSG(t, vector > 0, "a vector on CPU %u: %s", cpu,
			   errno_name(vector));
}

static void msix_place_free(void)
{
	irq_free(msix_place.v.cpu, msix_place.vector);
}

static void msix_point_at_place(unsigned nr)
{
	struct msi_msg msg;

	msi_compose(msix_place.v.cpu, msix_place.vector, &msg);
	msix_rig_write(nr, MSIX_ENTRY_ADDR, (uint32_t)msg.addr);
	msix_rig_write(nr, MSIX_ENTRY_ADDR_HI, (uint32_t)(msg.addr >> 32));
	msix_rig_write(nr, MSIX_ENTRY_DATA, msg.data);
}

/* One event, that the place is to see and the old vector is not. */
static void msix_expect_at_place(struct ktest_run *t, unsigned nr,
				 unsigned count)
{
	KEXPECT_EQ(t, poll_mem_until(READ_ONCE(msix_place.v.seen) == count,
				     time_now() + MSIX_RIG_WAIT), 0);
	msix_settle();
	KEXPECT_EQ(t, msix_place.v.seen, count);
	KEXPECT_EQ(t, msix_place.v.doubled + msix_place.v.misrouted, 0);
	KEXPECT_EQ(t, msix_seen(nr), 1);
	KEXPECT_EQ(t, msix_rig_errors(), 0);
}

KTEST(msix, a_message_rewritten_while_masked_arrives_at_the_new_place_only)
{
	unsigned nr;

	if (!msix_rig_start(t))
		return;
	nr = msix_last();
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		if (!msix_place_take(t, cpu))
			break;
		KEXPECT_EQ(t, msix_rig_connect(nr, 0), 0);
		KEXPECT_EQ(t, msix_rig_fire(nr), 0);
		KEXPECT_EQ(t, msix_rig_await(nr), 0);

		msi_mask(msix_rig.p, nr, true);
		msix_point_at_place(nr);
		msi_mask(msix_rig.p, nr, false);
		msix_place.v.fired = 1;
		KEXPECT_EQ(t, msix_rig_fire(nr), 0);
		msix_expect_at_place(t, nr, 1);

		msix_rig_disconnect(nr);
		msix_place_free();
		msix_rig.v[nr] = (struct msix_rig_vector){ 0 };
	}
	msix_rig_stop();
}

/* The pending bit keeps the event, not the message. */
KTEST(msix, what_was_pending_leaves_with_the_new_message)
{
	unsigned nr;

	if (!msix_rig_start(t))
		return;
	nr = msix_last();
	if (msix_place_take(t, cpu_count() - 1)) {
		KEXPECT_EQ(t, msix_rig_connect(nr, 0), 0);
		KEXPECT_EQ(t, msix_rig_fire(nr), 0);
		KEXPECT_EQ(t, msix_rig_await(nr), 0);

		msi_mask(msix_rig.p, nr, true);
		KEXPECT_EQ(t, msix_rig_fire(nr), 0);
		KEXPECT(t, msix_rig_pending(nr));
		msix_point_at_place(nr);
		msix_place.v.fired = 1;
		msi_mask(msix_rig.p, nr, false);
		msix_expect_at_place(t, nr, 1);
		KEXPECT(t, !msix_rig_pending(nr));
		msix_rig_disconnect(nr);
		msix_place_free();
	}
	msix_rig_stop();
}

/* Round i: the data word alone says the one or the other, then one event. */
static void msix_rewrite_live(struct ktest_run *t, unsigned nr, uint32_t old,
			      unsigned i)
{
	bool there = i % 2;
	struct msix_rig_vector *v = there ? &msix_place.v : &msix_rig.v[nr];
	uint32_t before = READ_ONCE(v->seen);

	msix_rig_write(nr, MSIX_ENTRY_DATA, there ? msix_place.vector |
		       (old & ~MSI_MSG_DATA_VECTOR) : old);
	msix_rig_read(nr, MSIX_ENTRY_DATA);
	WRITE_ONCE(msix_place.v.fired, (i + 1) / 2);
	KEXPECT_EQ(t, msix_rig_fire(nr), 0);
	WRITE_ONCE(msix_rig.v[nr].fired, i / 2 + 1);
	KEXPECT_EQ(t, poll_mem_until(READ_ONCE(v->seen) == before + 1,
				     time_now() + MSIX_RIG_WAIT), 0);
}

/*
 * 6.8.2 leaves open which message a device sends that is rewritten while it
 * is not masked; after a read from it nothing is open any more. The data word
 * is the only one that moves here, so there is no half of a message.
 */
KTEST(msix, a_message_rewritten_while_live_goes_on_without_a_loss)
{
	enum { ROUNDS = 100 };
	unsigned nr;
	uint32_t old;

	if (!msix_rig_start(t))
		return;
	nr = msix_last();
	if (msix_place_take(t, 0)) {
		KEXPECT_EQ(t, msix_rig_connect(nr, 0), 0);
		old = msix_rig_read(nr, MSIX_ENTRY_DATA);
		for (unsigned i = 0; i < ROUNDS; i++)
			msix_rewrite_live(t, nr, old, i);
		msix_settle();
		KEXPECT_EQ(t, msix_seen(nr) + msix_place.v.seen, ROUNDS);
		KEXPECT_EQ(t, msix_place.v.doubled + msix_place.v.misrouted, 0);
		KEXPECT_EQ(t, msix_rig_errors(), 0);
		msix_rig_disconnect(nr);
		msix_place_free();
	}
	msix_rig_stop();
}

/* ---- off ---- */

static struct {
	struct virtio_dev *vd;
	unsigned count;			/* with the device's own ISR bit set */
} msix_intx;

static void msix_intx_irq(void *arg)
{
	if (virtio_isr(msix_intx.vd))
		WRITE_ONCE(msix_intx.count, msix_intx.count + 1);
}

static bool msix_intx_asserted(struct pci_dev *p)
{
	return pci_read16(p, PCI_STATUS) & PCI_STATUS_INTX;
}

/* With the pin connected and an event waiting: let it through, then count. */
static void msix_expect_intx(struct ktest_run *t, struct pci_dev *p)
{
	unsigned gsi, flags;

	msix_intx.count = 0;
	if (!KEXPECT_EQ(t, pci_intx_gsi(p, &gsi, &flags), 0))
		return;
	KEXPECT_EQ(t, irq_gsi_request(gsi, flags, 0, msix_intx_irq, NULL,
				      "msix intx"), 0);
	thread_sleep(MSIX_RIG_QUIET);
	KEXPECT_EQ(t, READ_ONCE(msix_intx.count), 0);
	pci_enable_intx(p, true);
	KEXPECT_EQ(t, poll_mem_until(READ_ONCE(msix_intx.count) >= 1,
				     time_now() + MSIX_RIG_WAIT), 0);
	thread_sleep(MSIX_RIG_QUIET);
	KEXPECT_EQ(t, READ_ONCE(msix_intx.count), 1);
	KEXPECT(t, !msix_intx_asserted(p));
	pci_enable_intx(p, false);
	irq_gsi_free(gsi, msix_intx_irq, NULL);
}

/*
 * 6.8.2.3: without the enable bit no message; INTx instead, as far as Interrupt
 * Disable lets it (6.2.2), which leaves Interrupt Status as it is (6.2.3).
 */
KTEST(msix, disabled_it_sends_nothing_and_intx_obeys_its_own_bit)
{
	struct msix_rig *r = &msix_rig;

	if (!msix_rig_start(t))
		return;
	msix_intx.vd = &r->vd;
	KEXPECT_EQ(t, msix_rig_connect(0, 0), 0);
	KEXPECT(t, !msix_intx_asserted(r->p));
	msix_set_ctrl(0);
	KEXPECT_EQ(t, msix_rig_fire(0), 0);
	msix_settle();
	KEXPECT_EQ(t, msix_seen(0), 0);
	KEXPECT(t, msix_intx_asserted(r->p));
	msix_expect_intx(t, r->p);

	/* Messages again, and the pin is silent. */
	msix_set_ctrl(MSIX_CTRL_ENABLE);
	WRITE_ONCE(r->v[0].fired, 0);
	KEXPECT_EQ(t, msix_rig_fire(0), 0);
	KEXPECT_EQ(t, msix_rig_await(0), 0);
	KEXPECT(t, !msix_intx_asserted(r->p));
	KEXPECT_EQ(t, msix_rig_errors(), 0);
	msix_rig_stop();
}
