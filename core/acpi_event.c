/* SPDX-License-Identifier: MIT */
/*
 * PM1 event registers are one or two blocks, a and b; each bit lives in one of
 * them, so reads are ORed and writes go to both (4.8.1.1). The first half of a
 * block is status, where a 1 clears a bit; the second is enable.
 *
 * Start: all enables off, statuses cleared, handler in place, then the one
 * enable. A press in between sets its status bit, which the enable turns into
 * an SCI: none is lost.
 */
#include "core/acpi_event.h"

#include "core/acpireg.h"
#include "core/bits.h"
#include "core/cpu.h"
#include "core/errno.h"
#include "core/io.h"
#include "core/irq.h"
#include "core/log.h"
#include "core/report.h"

#define EVENT_BLOCKS		2
#define EVENT_ENABLE_WAIT	NSEC_PER_SEC
#define EVENT_GONE		0xffff	/* no register has its reserved bits set */

static struct {
	/* set once at start: */
	struct io block[EVENT_BLOCKS];
	unsigned nblocks, half;		/* bytes of the status half */
	unsigned sci;
	bool started;
	/* atomic: */
	void (*heard)(void);
	unsigned presses;
	uint64_t spurious;
	/* the SCI's CPU, interrupts off: */
	unsigned row;			/* spurious ones since the last event */
} event;

/* ---- registers ---- */

static uint16_t event_read(size_t off)
{
	uint16_t val = 0;

	for (unsigned i = 0; i < event.nblocks; i++)
		val |= io_read16(&event.block[i], off);
	return val;
}

static void event_write(size_t off, uint16_t val)
{
	for (unsigned i = 0; i < event.nblocks; i++)
		io_write16(&event.block[i], off, val);
}

static void event_map(const struct acpi_fadt *f)
{
	const uint32_t port[EVENT_BLOCKS] = { f->pm1a_evt, f->pm1b_evt };

	event.nblocks = 0;
	event.half = f->pm1_evt_len / 2;
	for (unsigned i = 0; i < EVENT_BLOCKS; i++)
		if (port[i] && !io_map_port(&event.block[event.nblocks],
					    (uint16_t)port[i], f->pm1_evt_len))
			event.nblocks++;
}

/*
 * General-purpose events (4.8.4.1) are for AML, which nobody here runs: left
 * enabled, one would hold the SCI for ever.
 */
static void event_no_gpe(uint32_t port, unsigned len)
{
	struct io gpe;

	if (!port || len < 2 || io_map_port(&gpe, (uint16_t)port, len))
		return;
	for (unsigned i = len / 2; i < len / 2 * 2; i++)
		io_write8(&gpe, i, 0);
}

/* ---- the mode ---- */

static bool event_acpi_mode(const struct io *control)
{
	return io_read16(control, 0) & PM1_CNT_SCI_EN;
}

/* 0, -ENOTSUP (no way to switch) or -ETIMEDOUT. */
static int event_acpi_on(const struct acpi_fadt *f)
{
	struct io control, smi;

	if (io_map_port(&control, (uint16_t)f->pm1a_cnt, 2))
		return -ENOTSUP;
	if (event_acpi_mode(&control))
		return 0;
	if (!f->smi_cmd || !f->acpi_enable ||
	    io_map_port(&smi, (uint16_t)f->smi_cmd, 1))
		return -ENOTSUP;
	io_write8(&smi, 0, f->acpi_enable);
	return poll_mem_until(event_acpi_mode(&control),
			      time_now() + EVENT_ENABLE_WAIT);
}

/* ---- the SCI ---- */

static void event_nobody(void)
{
	__atomic_fetch_add(&event.spurious, 1, __ATOMIC_RELAXED);
	if (++event.row != ACPI_SCI_STORM)
		return;
	irq_gsi_mask(event.sci);
	log_warn("acpi", "SCI: %u without an event in a row: masked, the power "
		 "button is dead", event.row);
}

static void event_sci(void *arg)
{
	uint16_t sts = event_read(0);
	void (*heard)(void);
	unsigned n;

	if (sts == EVENT_GONE || !(sts & PM1_PWRBTN)) {
		event_nobody();
		return;
	}
	event.row = 0;
	event_write(0, PM1_PWRBTN);
	n = __atomic_add_fetch(&event.presses, 1, __ATOMIC_RELEASE);
	log_info("acpi", "power button pressed%s",
		 n > 1 ? " again: already ending" : "");
	heard = READ_ONCE(event.heard);
	if (heard)
		heard();
}

/* ---- start and stop ---- */

/* Status and enable are both of 16 bits at least. */
static int event_find(const struct acpi_fadt *f)
{
	if (!f->power_button || f->pm1_evt_len < 4 || !f->pm1a_cnt)
		return -ENOTSUP;
	event_map(f);
	if (!event.nblocks)
		return -ENOTSUP;
	return event_read(event.half) == EVENT_GONE ? -ENODEV : 0;
}

static int event_start(const struct acpi_fadt *f)
{
	int err = event_find(f);

	if (!err)
		err = event_acpi_on(f);
	if (err)
		return err;
	event_no_gpe(f->gpe0, f->gpe0_len);
	event_no_gpe(f->gpe1, f->gpe1_len);
	event_write(event.half, 0);
	event_write(0, PM1_STATUS_ALL);
	event.sci = f->sci_irq;
	event.row = 0;
	/* 5.2.9: a shared level, low, unless the MADT overrides that. */
	err = irq_gsi_request(event.sci, IRQ_GSI_LEVEL | IRQ_GSI_ACTIVE_LOW, 0,
			      event_sci, NULL, "acpi");
	if (err)
		return err;
	event_write(event.half, PM1_PWRBTN);
	event.started = true;
	return 0;
}

int acpi_event_init(const struct acpi_fadt *f)
{
	int err = event_start(f);

	if (err == -ENOTSUP)
		log_info("acpi", "no fixed power button");
	else if (err)
		log_warn("acpi", "no power button: %s", errno_name(err));
	return err;
}

void acpi_event_stop(void)
{
	if (!event.started)
		return;
	event_write(event.half, 0);
	irq_gsi_free(event.sci, event_sci, NULL);
	event.started = false;
}

bool acpi_button_there(void)
{
	return event.started;
}

unsigned acpi_button_presses(void)
{
	return __atomic_load_n(&event.presses, __ATOMIC_ACQUIRE);
}

void acpi_button_listen(void (*heard)(void))
{
	WRITE_ONCE(event.heard, heard);
}

uint64_t acpi_sci_spurious(void)
{
	return __atomic_load_n(&event.spurious, __ATOMIC_RELAXED);
}

void acpi_event_report(void)
{
	struct json j;

	if (event.started)
		console_printf("power button: fixed, SCI %u; pressed %u times, "
			       "%llu SCIs without an event\n", event.sci,
			       acpi_button_presses(),
			       (unsigned long long)acpi_sci_spurious());
	else
		console_printf("power button: none that we could hear\n");
	json_begin(&j, "acpi_events");
	json_bool(&j, "button", event.started);
	json_u64(&j, "sci", event.sci);
	json_u64(&j, "presses", acpi_button_presses());
	json_u64(&j, "spurious", acpi_sci_spurious());
	json_end(&j);
}
