/* SPDX-License-Identifier: MIT */
/*
 * Plain MSI, one vector and no mask, on an edu device (QEMU's docs/specs/edu.txt),
 * which interrupts when it is told to: the message has left before the write
 * that raises it is over. It keeps its status until that is acknowledged, and
 * pulls its pin instead while MSI is disabled.
 */
#include "core/cpu.h"
#include "core/device.h"
#include "core/dma.h"
#include "core/io.h"
#include "core/irq.h"
#include "core/pci.h"
#include "core/pcireg.h"
#include "core/report.h"
#include "msi/msi.h"
#include "msi/msireg.h"
#include "sched/sched.h"
#include "tests/guest/msix_rig.h"

#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8
#define EDU_STATUS	0x24		/* ro: interrupt status */
#define EDU_RAISE	0x60		/* wo: sets status bits */
#define EDU_ACK		0x64		/* wo: clears them */
#define EDU_EVENTS	100000
#define EDU_TIME	(60 * NSEC_PER_SEC)	/* a slow host makes fewer */
#define EDU_TURN	100		/* events until the next CPU's turn */

static struct {
	struct pci_dev *p;
	struct io regs;
	bool attached;
	unsigned cap, data;		/* offsets: capability, data register */
	struct msix_rig_vector v;
	unsigned pulled;		/* interrupts by the pin */
} edu;

static int edu_start(struct pci_dev *p)
{
	int err = 0;

	edu.p = p;
	edu.v = (struct msix_rig_vector){ 0 };
	edu.pulled = 0;
	edu.cap = pci_find_cap(p, MSI_CAP_ID, 0);
	edu.data = edu.cap + (pci_read16(p, edu.cap + MSI_CTRL) & MSI_CTRL_64 ?
			      MSI_DATA_64 : MSI_DATA_32);
	edu.attached = !p->dev.dma.ops;
	if (edu.attached)
		err = dma_attach(&p->dev);
	if (err)
		return err;
	pci_enable_memory(p);
	err = pci_map_bar(p, 0, &edu.regs);
	if (err)
		goto err_bar;
	io_write32(&edu.regs, EDU_ACK, UINT32_MAX);
	err = msi_alloc(p, 1, 1);
	if (err < 0)
		goto err_msi;
	err = pci_enable_master(p);
	if (!err)
		return 0;
	msi_free(p);
err_msi:
	io_unmap(&edu.regs);
err_bar:
	if (edu.attached)
		dma_detach(&p->dev);
	return err;
}

static bool edu_ready(struct ktest_run *t)
{
	struct pci_dev *p = msix_rig_find(EDU_VENDOR, EDU_DEVICE);
	int err;

	if (!p) {
		ktest_skip(t, "no edu device");
		return false;
	}
	err = edu_start(p);
	if (msix_rig_taken_away(t, err))
		return false;
	return KEXPECT_MSG(t, err == 0, "edu starts: %s", errno_name(err));
}

static void edu_end(void)
{
	io_write32(&edu.regs, EDU_ACK, UINT32_MAX);
	pci_disable_master(edu.p);
	msi_free(edu.p);
	io_unmap(&edu.regs);
	if (edu.attached)
		dma_detach(&edu.p->dev);
}

static int edu_connect(unsigned cpu)
{
	edu.v.cpu = cpu;
	return msi_connect(edu.p, 0, cpu, msix_rig_irq, &edu.v, "edu");
}

/* One event, which is to interrupt. */
static void edu_event(void)
{
	WRITE_ONCE(edu.v.fired, edu.v.fired + 1);
	io_write32(&edu.regs, EDU_RAISE, 1);
}

/* One event, which is not to: the device has it in its status all the same. */
static void edu_event_unheard(struct ktest_run *t)
{
	uint64_t unowned = msix_rig_unowned();

	io_write32(&edu.regs, EDU_RAISE, 1);
	KEXPECT_EQ(t, io_read32(&edu.regs, EDU_STATUS), 1);
	thread_sleep(MSIX_RIG_QUIET);
	KEXPECT_EQ(t, edu.v.doubled + edu.v.misrouted, 0);
	KEXPECT_EQ(t, msix_rig_unowned(), unowned);
}

static void edu_acknowledge(void)
{
	io_write32(&edu.regs, EDU_ACK, 1);
}

static int edu_await(void)
{
	return poll_mem_until(READ_ONCE(edu.v.seen) == edu.v.fired,
			      time_now() + MSIX_RIG_WAIT);
}

KTEST(msi, msi_without_masks_interrupts_each_cpu)
{
	if (!edu_ready(t))
		return;
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		KEXPECT_EQ(t, edu_connect(cpu), 0);
		edu_event();
		KEXPECT_EQ(t, edu_await(), 0);
		edu_acknowledge();
		msi_disconnect(edu.p, 0);
		edu_event_unheard(t);
		edu_acknowledge();
	}
	KEXPECT_EQ(t, edu.v.seen, cpu_count());
	edu_end();
}

/* ---- the pin ---- */

/* A pin may be shared: only with the device's own status is it the device's. */
static void edu_pin_irq(void *arg)
{
	if (!io_read32(&edu.regs, EDU_STATUS))
		return;
	WRITE_ONCE(edu.pulled, edu.pulled + 1);
	edu_acknowledge();
}

static bool edu_pin_asserted(void)
{
	return pci_read16(edu.p, PCI_STATUS) & PCI_STATUS_INTX;
}

/* An event waits at the pin, which Interrupt Disable holds back. */
static void edu_let_pin_go(struct ktest_run *t)
{
	unsigned gsi, flags;

	if (!KEXPECT_EQ(t, pci_intx_gsi(edu.p, &gsi, &flags), 0))
		return;
	KEXPECT_EQ(t, irq_gsi_request(gsi, flags, 0, edu_pin_irq, NULL,
				      "edu pin"), 0);
	thread_sleep(MSIX_RIG_QUIET);
	KEXPECT_EQ(t, READ_ONCE(edu.pulled), 0);
	pci_enable_intx(edu.p, true);
	KEXPECT_EQ(t, poll_mem_until(READ_ONCE(edu.pulled) >= 1,
				     time_now() + MSIX_RIG_WAIT), 0);
	thread_sleep(MSIX_RIG_QUIET);
	KEXPECT_EQ(t, READ_ONCE(edu.pulled), 1);
	KEXPECT(t, !edu_pin_asserted());
	pci_enable_intx(edu.p, false);
	irq_gsi_free(gsi, edu_pin_irq, NULL);
}

/* PCI Local Bus 3.0, 6.8.1.3: without the enable bit INTx, with it never. */
KTEST(msi, disabled_msi_sends_nothing_and_intx_obeys_its_own_bit)
{
	uint16_t ctrl;

	if (!edu_ready(t))
		return;
	KEXPECT_EQ(t, edu_connect(0), 0);
	edu_event();
	KEXPECT_EQ(t, edu_await(), 0);
	KEXPECT(t, !edu_pin_asserted());
	edu_acknowledge();

	ctrl = pci_read16(edu.p, edu.cap + MSI_CTRL);
	pci_write16(edu.p, edu.cap + MSI_CTRL,
		    ctrl & (uint16_t)~MSI_CTRL_ENABLE);
	edu_event_unheard(t);
	KEXPECT(t, edu_pin_asserted());
	edu_let_pin_go(t);

	pci_write16(edu.p, edu.cap + MSI_CTRL, ctrl);
	edu_event();
	KEXPECT_EQ(t, edu_await(), 0);
	KEXPECT(t, !edu_pin_asserted());
	KEXPECT_EQ(t, edu.v.seen, 2);
	edu_end();
}

/* 6.2.2: a message is a write, and only a bus master writes. */
KTEST(msi, a_device_that_may_not_master_the_bus_sends_no_message)
{
	uint16_t command;

	if (!edu_ready(t))
		return;
	KEXPECT_EQ(t, edu_connect(0), 0);
	command = pci_read16(edu.p, PCI_COMMAND);
	pci_write16(edu.p, PCI_COMMAND,
		    command & (uint16_t)~PCI_COMMAND_MASTER);
	edu_event_unheard(t);
	edu_acknowledge();
	pci_write16(edu.p, PCI_COMMAND, command);
	thread_sleep(MSIX_RIG_QUIET);
	KEXPECT_EQ(t, edu.v.doubled, 0);
	edu_event();
	KEXPECT_EQ(t, edu_await(), 0);
	KEXPECT_EQ(t, edu.v.seen, 1);
	edu_end();
}

/* ---- a message that moves, and many of them ---- */

KTEST(msi, a_data_word_rewritten_between_events_moves_the_interrupt)
{
	struct msix_rig_vector other = { .cpu = 0 };
	uint16_t old;
	int vector;

	if (!edu_ready(t))
		return;
	vector = irq_alloc(0, msix_rig_irq, &other, "edu other");
	if (KEXPECT(t, vector > 0)) {
		KEXPECT_EQ(t, edu_connect(0), 0);
		old = pci_read16(edu.p, edu.data);
		pci_write16(edu.p, edu.data, (uint16_t)
			    ((old & ~MSI_MSG_DATA_VECTOR) | (unsigned)vector));
		WRITE_ONCE(other.fired, 1);
		io_write32(&edu.regs, EDU_RAISE, 1);
		KEXPECT_EQ(t, poll_mem_until(READ_ONCE(other.seen) == 1,
					     time_now() + MSIX_RIG_WAIT), 0);
		edu_acknowledge();
		pci_write16(edu.p, edu.data, old);
		edu_event();
		KEXPECT_EQ(t, edu_await(), 0);
		KEXPECT_EQ(t, other.seen, 1);
		KEXPECT_EQ(t, other.doubled + edu.v.doubled, 0);
		KEXPECT_EQ(t, edu.v.seen, 1);
		msi_disconnect(edu.p, 0);
		irq_free(0, (unsigned)vector);
	}
	edu_end();
}

/* Until the first that is lost, or the end of the time. */
static unsigned edu_many(void)
{
	nsec_t deadline = time_now() + EDU_TIME;
	unsigned n;

	for (n = 0; n < EDU_EVENTS && time_now() < deadline; n++) {
		if (n % EDU_TURN == 0) {
			msi_disconnect(edu.p, 0);
			if (edu_connect(n / EDU_TURN % cpu_count()))
				break;
		}
		edu_event();
		if (edu_await())
			break;
		edu_acknowledge();
	}
	return n;
}

KTEST(msi, of_100000_messages_none_is_lost_doubled_or_misrouted)
{
	nsec_t start;
	unsigned n;

	if (!edu_ready(t))
		return;
	start = time_now();
	n = edu_many();
	ktest_metric("a_message", (time_now() - start) / MAX(n, 1u), "ns");
	thread_sleep(MSIX_RIG_QUIET);
	KEXPECT(t, n > 0);
	KEXPECT_EQ(t, edu.v.fired, n);
	KEXPECT_EQ(t, edu.v.seen, n);
	KEXPECT_EQ(t, edu.v.doubled + edu.v.misrouted, 0);
	if (n < EDU_EVENTS && !t->failures)
		ktest_skip(t, "a slow host: %u of %u in %llu s, none lost", n,
			   EDU_EVENTS,
			   (unsigned long long)(EDU_TIME / NSEC_PER_SEC));
	edu_end();
}
