/* SPDX-License-Identifier: MIT */
/*
 * MSI with a mask and a pending bit, two messages and 32-bit addresses: a root
 * port, which QEMU's ioh3420 is.
 *
 *	make guest S=msi QEMU_ARGS="-device ioh3420,chassis=1,slot=1"
 *
 * Its slot may stay empty: each write to Slot Control is a command, and that
 * it is completed is an event (PCIe 6.7.3.2), whose witness is in Slot Status.
 * It interrupts when the event's status bit becomes one while it is enabled.
 */
#include "core/bits.h"
#include "core/cpu.h"
#include "core/device.h"
#include "core/dma.h"
#include "core/pci.h"
#include "core/pcireg.h"
#include "core/report.h"
#include "core/string.h"
#include "msi/msi.h"
#include "msi/msireg.h"
#include "sched/sched.h"
#include "tests/guest/msix_rig.h"

#define PORT_VENDOR	0x8086
#define PORT_DEVICE	0x3420
#define PORT_SLTCTL	0x18		/* 16 rw, PCIe 7.5.3.10 */
# define PORT_SLTCTL_CCIE BIT(4)	/* Command Completed Interrupt Enable */
# define PORT_SLTCTL_HPIE BIT(5)	/* Hot-Plug Interrupt Enable */
#define PORT_SLTSTA	0x1a		/* 16 rwc, 7.5.3.11 */
# define PORT_SLTSTA_CC	BIT(4)		/* Command Completed */

static struct {
	struct pci_dev *p;
	unsigned cap, mask;		/* offsets: capability, mask register */
	uint16_t control;		/* Slot Control as it was */
	bool attached;
	struct msix_rig_vector v;
} port;

static uint16_t port_read(unsigned reg)
{
	return pci_read16(port.p, port.p->cap_pcie + reg);
}

static void port_write(unsigned reg, uint16_t val)
{
	pci_write16(port.p, port.p->cap_pcie + reg, val);
}

/* Events are those of completed commands, and none is left over. */
static void port_open(void)
{
	port.control = port_read(PORT_SLTCTL);
	port_write(PORT_SLTCTL, port.control & (uint16_t)~PORT_SLTCTL_HPIE);
	port_write(PORT_SLTSTA, PORT_SLTSTA_CC);
}

static int port_start(struct pci_dev *p)
{
	uint16_t ctrl;
	int err = 0;

	memset(&port, 0, sizeof(port));
	port.p = p;
	port.cap = pci_find_cap(p, MSI_CAP_ID, 0);
	ctrl = pci_read16(p, port.cap + MSI_CTRL);
	port.mask = port.cap + MSI_MASK_BEHIND +
		    (ctrl & MSI_CTRL_64 ? MSI_DATA_64 : MSI_DATA_32);
	port.attached = !p->dev.dma.ops;
	if (port.attached)
		err = dma_attach(&p->dev);
	if (err)
		return err;
	port_open();
	err = msi_alloc(p, 1, 1);
	if (err < 0)
		goto err_msi;
	err = pci_enable_master(p);
	if (!err)
		return 0;
	msi_free(p);
err_msi:
	if (port.attached)
		dma_detach(&p->dev);
	return err;
}

/* The event first: QEMU also sends a message when one is disabled (below). */
static void port_end(void)
{
	port_write(PORT_SLTSTA, PORT_SLTSTA_CC);
	port_write(PORT_SLTCTL, port.control);
	port_write(PORT_SLTSTA, PORT_SLTSTA_CC);
	pci_disable_master(port.p);
	msi_free(port.p);
	if (port.attached)
		dma_detach(&port.p->dev);
}

static bool port_ready(struct ktest_run *t)
{
	struct pci_dev *p = msix_rig_find(PORT_VENDOR, PORT_DEVICE);
	int err;

	if (!p || !p->cap_pcie) {
		ktest_skip(t, "no ioh3420");
		return false;
	}
	err = port_start(p);
	if (msix_rig_taken_away(t, err))
		return false;
	return KEXPECT_MSG(t, err == 0, "the port starts: %s", errno_name(err));
}

static int port_connect(unsigned cpu)
{
	port.v.cpu = cpu;
	return msi_connect(port.p, 0, cpu, msix_rig_irq, &port.v, "port");
}

/* The last event taken back, then a command: its completion is the next. */
static void port_event(struct ktest_run *t)
{
	port_write(PORT_SLTSTA, PORT_SLTSTA_CC);
	KEXPECT(t, !(port_read(PORT_SLTSTA) & PORT_SLTSTA_CC));
	WRITE_ONCE(port.v.fired, port.v.fired + 1);
	port_write(PORT_SLTCTL, port.control | PORT_SLTCTL_CCIE |
		   PORT_SLTCTL_HPIE);
	KEXPECT(t, port_read(PORT_SLTSTA) & PORT_SLTSTA_CC);
}

static int port_await(void)
{
	return poll_mem_until(READ_ONCE(port.v.seen) == port.v.fired,
			      time_now() + MSIX_RIG_WAIT);
}

static void port_settle(void)
{
	port_read(PORT_SLTSTA);
	thread_sleep(MSIX_RIG_QUIET);
}

KTEST(msi, a_port_interrupts_each_cpu)
{
	if (!port_ready(t))
		return;
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		KEXPECT_EQ(t, port_connect(cpu), 0);
		port_event(t);
		KEXPECT_EQ(t, port_await(), 0);
		msi_disconnect(port.p, 0);
	}
	port_settle();
	KEXPECT_EQ(t, port.v.seen, cpu_count());
	KEXPECT_EQ(t, port.v.doubled + port.v.misrouted, 0);
	port_end();
}

/* 6.8.1.7, 6.8.1.8 */
KTEST(msi, a_masked_message_is_pending_and_comes_exactly_once)
{
	if (!port_ready(t))
		return;
	KEXPECT_EQ(t, port_connect(0), 0);
	port_event(t);
	KEXPECT_EQ(t, port_await(), 0);

	msi_mask(port.p, 0, true);
	KEXPECT(t, msi_masked(port.p, 0) && !msi_pending(port.p, 0));
	port_event(t);
	port_event(t);
	port_settle();
	KEXPECT(t, msi_pending(port.p, 0));
	KEXPECT_EQ(t, port.v.seen, 1);

	/* Two events behind one pending bit are one message. */
	WRITE_ONCE(port.v.fired, 2);
	msi_mask(port.p, 0, false);
	KEXPECT_EQ(t, port_await(), 0);
	port_settle();
	KEXPECT(t, !msi_pending(port.p, 0));
	KEXPECT_EQ(t, port.v.seen, 2);
	KEXPECT_EQ(t, port.v.doubled + port.v.misrouted, 0);
	port_end();
}

/* The pending bit keeps the event, not the message. */
KTEST(msi, what_was_pending_by_msi_leaves_with_the_new_message)
{
	unsigned last = cpu_count() - 1;

	if (!port_ready(t))
		return;
	KEXPECT_EQ(t, port_connect(0), 0);
	msi_disconnect(port.p, 0);
	port_event(t);
	port_settle();
	KEXPECT_EQ(t, port.v.seen, 0);
	KEXPECT(t, msi_pending(port.p, 0));
	KEXPECT_EQ(t, port_connect(last), 0);
	KEXPECT_EQ(t, port_await(), 0);
	port_settle();
	KEXPECT_EQ(t, port.v.seen, 1);
	KEXPECT_EQ(t, port.v.doubled + port.v.misrouted, 0);
	port_end();
}

/* The mask of a message that nobody gave us does not hold ours. */
KTEST(msi, each_message_has_a_mask_of_its_own)
{
	uint32_t before;

	if (!port_ready(t))
		return;
	KEXPECT_EQ(t, port_connect(0), 0);
	before = pci_read32(port.p, port.mask);
	if (FIELD_GET(MSI_CTRL_CAPABLE,
		      pci_read16(port.p, port.cap + MSI_CTRL)) > 0) {
		pci_write32(port.p, port.mask, before | BIT(1));
		KEXPECT_EQ(t, pci_read32(port.p, port.mask), before | BIT(1));
		port_event(t);
		KEXPECT_EQ(t, port_await(), 0);
		KEXPECT_EQ(t, port.v.seen, 1);
		pci_write32(port.p, port.mask, before);
	} else {
		ktest_skip(t, "the port has one message");
	}
	port_end();
}

/* PCIe 6.7.3.4: a message is for an event that comes and is enabled. */
KTEST(msi, a_port_whose_interrupt_is_disabled_sends_nothing)
{
	if (!port_ready(t))
		return;
	KEXPECT_EQ(t, port_connect(0), 0);
	port_event(t);
	KEXPECT_EQ(t, port_await(), 0);
	port_settle();
	KEXPECT_EQ(t, port.v.doubled, 0);
	if (!t->failures) {
		port_write(PORT_SLTCTL, port.control &
			   (uint16_t)~(PORT_SLTCTL_CCIE | PORT_SLTCTL_HPIE));
		port_settle();
		if (!KEXPECT_EQ(t, port.v.doubled, 0))
			ktest_xfail(t, "ioh3420: a disabled event sends a message");
	}
	port_end();
}
