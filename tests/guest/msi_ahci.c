/* SPDX-License-Identifier: MIT */
/*
 * Plain MSI on an AHCI controller (AHCI 1.3.1) that no driver takes: q35 has
 * one. A COMRESET makes the drive on a port send its first register FIS, and
 * that is an interrupt, without a command or a byte of data. Needs a drive: an
 * empty CD drive will do.
 *
 *	make guest S=msi QEMU_ARGS="-device ide-cd,bus=ide.1"
 *
 * The register FIS in memory says that there was an event.
 */
#include "core/bits.h"
#include "core/cpu.h"
#include "core/dma.h"
#include "core/pci.h"
#include "core/report.h"
#include "core/string.h"
#include "msi/msi.h"
#include "sched/sched.h"
#include "tests/guest/msix_rig.h"

#define AHCI_CLASS	0x010601	/* 2.1.5 */
#define AHCI_BAR	5
#define AHCI_GHC	0x04		/* 3.1.2 */
# define AHCI_GHC_IE	BIT(1)
# define AHCI_GHC_AE	BIT(31)
#define AHCI_IS		0x08		/* 3.1.3 rwc, a bit for each port */
#define AHCI_PI		0x0c		/* 3.1.4 */
#define AHCI_PORT(n)	(0x100 + 0x80 * (n))
#define AHCI_PORT_SIZE	0x80
#define AHCI_PORTS	32
#define AHCI_PX_FB	0x08		/* 3.3.3 */
#define AHCI_PX_FBU	0x0c
#define AHCI_PX_IS	0x10		/* 3.3.5 rwc */
#define AHCI_PX_IE	0x14		/* 3.3.6 */
# define AHCI_PX_DHR	BIT(0)		/* a D2H register FIS */
#define AHCI_PX_CMD	0x18		/* 3.3.7 */
# define AHCI_CMD_ST	BIT(0)
# define AHCI_CMD_FRE	BIT(4)
# define AHCI_CMD_FR	BIT(14)
# define AHCI_CMD_CR	BIT(15)
#define AHCI_PX_SSTS	0x28		/* 3.3.10 */
# define AHCI_SSTS_DET	GENMASK(3, 0)
# define AHCI_DET_THERE	3
#define AHCI_PX_SCTL	0x2c		/* 3.3.11 */
# define AHCI_SCTL_DET	GENMASK(3, 0)
# define AHCI_DET_RESET	1
#define AHCI_RFIS	0x40		/* 4.2.1: in the area of received FISes */
# define AHCI_FIS_D2H	0x34		/* the type of a register FIS */
#define AHCI_RESET_HOLD	(1 * NSEC_PER_MSEC)	/* 10.4.2, at least */

static struct {
	struct pci_dev *p;
	struct io regs, port;
	unsigned nr;			/* of the port */
	bool attached;
	uint8_t *fis;
	iova_t iova;
	struct msix_rig_vector v;
} ahci;

static void ahci_set(unsigned reg, uint32_t set, uint32_t clear)
{
	io_write32(&ahci.port, reg,
		   (io_read32(&ahci.port, reg) & ~clear) | set);
}

/* Clear a bit of PxCMD and wait until the engine has stopped: 3.3.7. */
static int ahci_stop_engine(uint32_t bit, uint32_t running)
{
	uint32_t val;

	ahci_set(AHCI_PX_CMD, 0, bit);
	return poll_until(val, io_read32(&ahci.port, AHCI_PX_CMD),
			  !(val & running), time_now() + MSIX_RIG_WAIT);
}

static int ahci_quiet(void)
{
	int err = ahci_stop_engine(AHCI_CMD_ST, AHCI_CMD_CR);

	if (!err)
		err = ahci_stop_engine(AHCI_CMD_FRE, AHCI_CMD_FR);
	io_write32(&ahci.port, AHCI_PX_IE, 0);
	io_write32(&ahci.port, AHCI_PX_IS, UINT32_MAX);
	io_write32(&ahci.regs, AHCI_IS, UINT32_MAX);
	return err;
}

/* The first port that has a drive. -ENOENT: none. */
static int ahci_find_port(void)
{
	uint32_t ports = io_read32(&ahci.regs, AHCI_PI);

	for (unsigned n = 0; n < AHCI_PORTS; n++) {
		if (!(ports >> n & 1) ||
		    io_sub(&ahci.port, &ahci.regs, AHCI_PORT(n),
			   AHCI_PORT_SIZE))
			continue;
		ahci.nr = n;
		if ((io_read32(&ahci.port, AHCI_PX_SSTS) & AHCI_SSTS_DET) ==
		    AHCI_DET_THERE)
			return 0;
	}
	return -ENOENT;
}

/* FISes are received into memory of ours, and the first kind interrupts. */
static int ahci_receive(void)
{
	int err;

	ahci.fis = dma_alloc_coherent(&ahci.p->dev, PAGE_SIZE, &ahci.iova);
	if (!ahci.fis)
		return -ENOMEM;
	err = pci_enable_master(ahci.p);
	if (err) {
		dma_free_coherent(&ahci.p->dev, PAGE_SIZE, ahci.fis, ahci.iova);
		return err;
	}
	io_write32(&ahci.port, AHCI_PX_FB, (uint32_t)ahci.iova);
	io_write32(&ahci.port, AHCI_PX_FBU, (uint32_t)(ahci.iova >> 32));
	ahci_set(AHCI_PX_CMD, AHCI_CMD_FRE, 0);
	return 0;
}

static void ahci_deaf(void)
{
	ahci_quiet();
	pci_disable_master(ahci.p);
	dma_free_coherent(&ahci.p->dev, PAGE_SIZE, ahci.fis, ahci.iova);
}

static int ahci_alloc(void)
{
	int n = msi_alloc(ahci.p, 1, 1);

	if (n < 0)
		ahci_deaf();
	return n < 0 ? n : 0;
}

static int ahci_start(struct pci_dev *p)
{
	int err;

	memset(&ahci, 0, sizeof(ahci));
	ahci.p = p;
	pci_enable_memory(p);
	err = pci_map_bar(p, AHCI_BAR, &ahci.regs);
	if (err)
		return err;
	io_write32(&ahci.regs, AHCI_GHC, AHCI_GHC_AE);
	err = ahci_find_port();
	if (!err)
		err = ahci_quiet();
	if (err)
		goto err_port;
	ahci.attached = !p->dev.dma.ops;
	if (ahci.attached)
		err = dma_attach(&p->dev);
	if (!err)
		err = ahci_receive();
	if (!err)
		err = ahci_alloc();
	if (!err)
		return 0;
	if (ahci.attached && p->dev.dma.ops)
		dma_detach(&p->dev);
err_port:
	io_unmap(&ahci.regs);
	return err;
}

static void ahci_end(void)
{
	io_write32(&ahci.regs, AHCI_GHC, AHCI_GHC_AE);
	ahci_deaf();
	msi_free(ahci.p);
	if (ahci.attached)
		dma_detach(&ahci.p->dev);
	io_unmap(&ahci.regs);
}

/* True with the port receiving and silent; else skipped or failed. */
static bool ahci_ready(struct ktest_run *t)
{
	struct pci_dev *p = pci_find_class(NULL, AHCI_CLASS, 0xffffff);
	int err;

	if (!p || p->driver) {
		ktest_skip(t, p ? "the AHCI controller has a driver" :
			   "no AHCI controller");
		return false;
	}
	err = ahci_start(p);
	if (err == -ENOENT) {
		ktest_skip(t, "no drive on the AHCI controller");
		return false;
	}
	if (msix_rig_taken_away(t, err))
		return false;
	return KEXPECT_MSG(t, err == 0, "AHCI starts: %s", errno_name(err));
}

/* 10.4.2: reset the link; the drive's register FIS is there when this is 0. */
static int ahci_event(void)
{
	volatile uint8_t *type = ahci.fis + AHCI_RFIS;

	*type = 0;
	WRITE_ONCE(ahci.v.fired, ahci.v.fired + 1);
	ahci_set(AHCI_PX_SCTL, AHCI_DET_RESET, AHCI_SCTL_DET);
	thread_sleep(AHCI_RESET_HOLD);
	ahci_set(AHCI_PX_SCTL, 0, AHCI_SCTL_DET);
	return poll_mem_until(*type == AHCI_FIS_D2H,
			      time_now() + MSIX_RIG_WAIT);
}

static int ahci_await(void)
{
	return poll_mem_until(READ_ONCE(ahci.v.seen) == ahci.v.fired,
			      time_now() + MSIX_RIG_WAIT);
}

static int ahci_connect(unsigned cpu)
{
	ahci.v.cpu = cpu;
	return msi_connect(ahci.p, 0, cpu, msix_rig_irq, &ahci.v, "ahci");
}

/* 5.5.3: the port's cause first, then the controller's summary of it. */
static void ahci_acknowledge(void)
{
	io_write32(&ahci.port, AHCI_PX_IS, AHCI_PX_DHR);
	io_write32(&ahci.regs, AHCI_IS, BIT(ahci.nr));
	io_read32(&ahci.regs, AHCI_IS);
}

/* The interrupt is enabled while there is nothing to report. */
static void ahci_open(void)
{
	ahci_acknowledge();
	io_write32(&ahci.port, AHCI_PX_IE, AHCI_PX_DHR);
	io_write32(&ahci.regs, AHCI_GHC, AHCI_GHC_AE | AHCI_GHC_IE);
}

/* Closed while it is acknowledged, so that nothing but the event interrupts. */
static void ahci_close(void)
{
	io_write32(&ahci.regs, AHCI_GHC, AHCI_GHC_AE);
	ahci_acknowledge();
}

KTEST(msi, ahci_interrupts_each_cpu)
{
	if (!ahci_ready(t))
		return;
	KEXPECT_MSG(t, !strcmp(msi_kind(ahci.p), "msi"), "it has %s",
		    msi_kind(ahci.p));
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		KEXPECT_EQ(t, ahci_connect(cpu), 0);
		ahci_open();
		KEXPECT_EQ(t, ahci_event(), 0);
		KEXPECT_EQ(t, ahci_await(), 0);
		thread_sleep(MSIX_RIG_QUIET);
		ahci_close();
		msi_disconnect(ahci.p, 0);
	}
	KEXPECT_EQ(t, ahci.v.seen, cpu_count());
	KEXPECT_EQ(t, ahci.v.doubled + ahci.v.misrouted, 0);
	ahci_end();
}

/* 10.7: a message is for a bit of IS that becomes one, not for its end. */
KTEST(msi, ahci_sends_no_message_for_an_acknowledgement)
{
	if (!ahci_ready(t))
		return;
	KEXPECT_EQ(t, ahci_connect(0), 0);
	ahci_open();
	KEXPECT_EQ(t, ahci_event(), 0);
	KEXPECT_EQ(t, ahci_await(), 0);
	thread_sleep(MSIX_RIG_QUIET);
	KEXPECT_EQ(t, ahci.v.doubled, 0);
	ahci_acknowledge();
	thread_sleep(MSIX_RIG_QUIET);
	KEXPECT_EQ(t, ahci.v.doubled, 0);
	KEXPECT_EQ(t, ahci.v.seen, 1);
	ahci_end();
}

/* 10.7: nor for a bit of IS that was one before. */
KTEST(msi, ahci_sends_one_message_while_its_cause_stands)
{
	if (!ahci_ready(t))
		return;
	KEXPECT_EQ(t, ahci_connect(0), 0);
	ahci_open();
	KEXPECT_EQ(t, ahci_event(), 0);
	KEXPECT_EQ(t, ahci_await(), 0);
	KEXPECT_EQ(t, ahci.v.seen, 1);
	if (!t->failures) {
		io_write32(&ahci.port, AHCI_PX_IE, AHCI_PX_DHR);
		thread_sleep(MSIX_RIG_QUIET);
		if (!KEXPECT_EQ(t, ahci.v.doubled, 0))
			ktest_xfail(t, "ahci: a write to PxIE sends the message again");
	}
	ahci_end();
}
