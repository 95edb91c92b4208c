/* SPDX-License-Identifier: MIT */
#include "core/ioapic.h"

#include "core/bits.h"
#include "core/cpu.h"
#include "core/heap.h"
#include "core/io.h"
#include "core/irq.h"
#include "core/log.h"
#include "core/panic.h"

/* 82093AA, 3.1 and 3.2. */
#define IOAPIC_SIZE		0x20
#define IOAPIC_REGSEL		0x00
#define IOAPIC_WIN		0x10
#define IOAPIC_VER		0x01		/* index */
# define IOAPIC_VER_MAX		GENMASK(23, 16)
#define IOAPIC_REDTBL(n)	(0x10 + 2 * (n))
# define IOAPIC_RTE_LOW		BIT(13)		/* active low */
# define IOAPIC_RTE_REMOTE	BIT(14)		/* ro: a CPU has yet to EOI */
# define IOAPIC_RTE_LEVEL	BIT(15)
# define IOAPIC_RTE_MASKED	BIT(16)
# define IOAPIC_RTE_DEST	GENMASK(31, 24)	/* of the high half */

/* 8259A data sheet, "Initialization command words" and OCW1. */
#define PIC_MASTER		0x20
#define PIC_SLAVE		0xa0
#define PIC_SIZE		2
#define PIC_ICW1		0
# define PIC_ICW1_INIT		0x11		/* and there will be an ICW4 */
#define PIC_ICW2		1		/* its first vector */
#define PIC_ICW3		1
# define PIC_ICW3_MASTER	BIT(2)		/* the slave's input */
# define PIC_ICW3_SLAVE		2
#define PIC_ICW4		1
# define PIC_ICW4_8086		BIT(0)
#define PIC_OCW1		1		/* a mask */

#define IOAPIC_DEST_MAX		254		/* of the 8 bits of RTE_DEST */
#define IOAPIC_IDLE_WAIT	NSEC_PER_SEC	/* for a handler to end */

struct ioapic_user {
	struct ioapic_user *next;
	irq_fn *fn;
	void *arg;
};

struct ioapic_pin {
	/* ioapics.lock: */
	struct ioapic_user *users;	/* walked by the handler without it */
	unsigned cpu, vector;		/* vector 0: not routed */
	unsigned flags;
	/* set once at start: */
	unsigned gsi;
	/* atomic: */
	unsigned running;		/* handlers in the list of users */
	bool moving;			/* by one of those who share it */
};

struct ioapic {
	struct io regs;
	unsigned gsi_base, npins;
	struct ioapic_pin *pin;
};

static struct {
	struct spinlock lock;
	/* set once at start: */
	unsigned n;
	struct ioapic unit[ACPI_IOAPICS];
	/* the legacy IRQs' overrides, set once: */
	struct { unsigned gsi; uint16_t flags; } legacy[16];
} ioapics = { .lock = SPINLOCK_INIT("ioapic") };

/* ACPI 6.4, table 5.25: MPS INTI flags. */
#define INTI_POLARITY		GENMASK(1, 0)
#define INTI_TRIGGER		GENMASK(3, 2)
#define INTI_ACTIVE_HIGH	1	/* 0: as the bus has it */
#define INTI_ACTIVE_LOW		3
#define INTI_EDGE		1
#define INTI_LEVEL		3

static uint32_t ioapic_read(struct ioapic *a, unsigned reg)
{
	io_write32(&a->regs, IOAPIC_REGSEL, reg);
	return io_read32(&a->regs, IOAPIC_WIN);
}

static void ioapic_write(struct ioapic *a, unsigned reg, uint32_t val)
{
	io_write32(&a->regs, IOAPIC_REGSEL, reg);
	io_write32(&a->regs, IOAPIC_WIN, val);
}

static void ioapic_add(phys_t base, unsigned gsi_base)
{
	struct ioapic *a = &ioapics.unit[ioapics.n];

	if (io_map_mem(&a->regs, base, IOAPIC_SIZE))
		goto err_map;
	a->gsi_base = gsi_base;
	a->npins = FIELD_GET(IOAPIC_VER_MAX, ioapic_read(a, IOAPIC_VER)) + 1;
	a->pin = heap_calloc(a->npins, sizeof(*a->pin));
	if (!a->pin)
		goto err_pins;
	for (unsigned i = 0; i < a->npins; i++) {
		a->pin[i].gsi = gsi_base + i;
		ioapic_write(a, IOAPIC_REDTBL(i), IOAPIC_RTE_MASKED);
	}
	ioapics.n++;
	return;

err_pins:
	io_unmap(&a->regs);
err_map:
	log_err("ioapic", "out of memory: the pins from GSI %u on are dead",
		gsi_base);
}

/*
 * Masked, an 8259 still has its spurious interrupt: input 7 of either. Where
 * firmware leaves them that is an exception's vector or a device's. Moved to
 * the last eight vectors, it is IRQ_VECTOR_SPURIOUS, which like it comes
 * without a local APIC's bit in service; and no vector that is handed out can
 * be theirs.
 */
static void ioapic_quieten_pic(uint16_t port, uint8_t icw3)
{
	struct io pic;

	if (io_map_port(&pic, port, PIC_SIZE))
		return;
	io_write8(&pic, PIC_ICW1, PIC_ICW1_INIT);
	io_write8(&pic, PIC_ICW2, IRQ_VECTOR_SPURIOUS - 7);
	io_write8(&pic, PIC_ICW3, icw3);
	io_write8(&pic, PIC_ICW4, PIC_ICW4_8086);
	io_write8(&pic, PIC_OCW1, 0xff);
}

void ioapic_init(const struct acpi_madt *madt)
{
	ioapic_quieten_pic(PIC_MASTER, PIC_ICW3_MASTER);
	ioapic_quieten_pic(PIC_SLAVE, PIC_ICW3_SLAVE);
	for (unsigned i = 0; i < ARRAY_SIZE(ioapics.legacy); i++)
		ioapics.legacy[i].gsi = i;
	for (unsigned i = 0; i < madt->noverrides; i++) {
		unsigned irq = madt->override[i].irq;

		if (irq >= ARRAY_SIZE(ioapics.legacy))
			continue;
		ioapics.legacy[irq].gsi = madt->override[i].gsi;
		ioapics.legacy[irq].flags = madt->override[i].flags;
	}
	for (unsigned i = 0; i < madt->nioapics; i++)
		ioapic_add(madt->ioapic[i].addr, madt->ioapic[i].gsi_base);
}

unsigned ioapic_pins(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ioapics.n; i++)
		n += ioapics.unit[i].npins;
	return n;
}

static struct ioapic *ioapic_of(unsigned gsi, struct ioapic_pin **pin)
{
	for (unsigned i = 0; i < ioapics.n; i++) {
		struct ioapic *a = &ioapics.unit[i];

		if (gsi - a->gsi_base < a->npins) {
			*pin = &a->pin[gsi - a->gsi_base];
			return a;
		}
	}
	return NULL;
}

/*
 * Walks the list without the lock: a user is complete before he is in it, and
 * one who was taken out is freed only when no handler runs any more.
 */
static void ioapic_interrupt(void *arg)
{
	struct ioapic_pin *pin = arg;

	__atomic_fetch_add(&pin->running, 1, __ATOMIC_SEQ_CST);
	for (struct ioapic_user *u = READ_ONCE(pin->users); u;
	     u = READ_ONCE(u->next))
		u->fn(u->arg);
	__atomic_fetch_sub(&pin->running, 1, __ATOMIC_RELEASE);
}

/* After a user was taken out: from here on no handler has him in hand. */
static void ioapic_wait_idle(struct ioapic_pin *pin)
{
	nsec_t deadline = time_now() + IOAPIC_IDLE_WAIT;

	cpu_mb();			/* the list, then running */
	if (poll_mem_until(!__atomic_load_n(&pin->running, __ATOMIC_ACQUIRE),
			   deadline))
		panic("ioapic: the handler of vector 0x%x does not end",
		      pin->vector);
}

static uint32_t ioapic_low_half(const struct ioapic_pin *pin)
{
	return pin->vector |
	       (pin->flags & IRQ_GSI_LEVEL ? IOAPIC_RTE_LEVEL : 0) |
	       (pin->flags & IRQ_GSI_ACTIVE_LOW ? IOAPIC_RTE_LOW : 0);
}

/*
 * If the EOI of this pin's last interrupt named a vector that it no longer had,
 * it waits for that for ever, unless it is edge for a moment. Only for a pin
 * that nobody uses: whose line rises in that moment is not heard.
 */
static void ioapic_forget_eoi(struct ioapic *a, struct ioapic_pin *pin)
{
	unsigned low = IOAPIC_REDTBL(pin->gsi - a->gsi_base);

	if (ioapic_read(a, low) & IOAPIC_RTE_REMOTE)
		ioapic_write(a, low, IOAPIC_RTE_MASKED);
}

/*
 * Masked while the destination changes, and of the trigger that it has: a pin
 * that is edge and masked does not see its line rise.
 */
static void ioapic_route(struct ioapic *a, struct ioapic_pin *pin, bool masked)
{
	unsigned low = IOAPIC_REDTBL(pin->gsi - a->gsi_base);

	ioapic_write(a, low, ioapic_low_half(pin) | IOAPIC_RTE_MASKED);
	ioapic_write(a, low + 1,
		     FIELD_PREP(IOAPIC_RTE_DEST, cpu_apic_id(pin->cpu)));
	if (!masked)
		ioapic_write(a, low, ioapic_low_half(pin));
}

/*
 * All else stays: a pin that is level no longer does not see its line go, and
 * would bring an interrupt that is over when it is routed again.
 */
static void ioapic_mask_locked(struct ioapic *a, struct ioapic_pin *pin)
{
	spin_assert_held(&ioapics.lock);
	ioapic_write(a, IOAPIC_REDTBL(pin->gsi - a->gsi_base),
		     ioapic_low_half(pin) | IOAPIC_RTE_MASKED);
}

/* A legacy interrupt's number, trigger and polarity may be overridden. */
static void ioapic_legacy(unsigned *gsi, unsigned *flags)
{
	uint16_t inti;

	if (*gsi >= ARRAY_SIZE(ioapics.legacy))
		return;
	inti = ioapics.legacy[*gsi].flags;
	*gsi = ioapics.legacy[*gsi].gsi;
	if (FIELD_GET(INTI_TRIGGER, inti) == INTI_LEVEL)
		*flags |= IRQ_GSI_LEVEL;
	else if (FIELD_GET(INTI_TRIGGER, inti) == INTI_EDGE)
		*flags &= ~IRQ_GSI_LEVEL;
	if (FIELD_GET(INTI_POLARITY, inti) == INTI_ACTIVE_LOW)
		*flags |= IRQ_GSI_ACTIVE_LOW;
	else if (FIELD_GET(INTI_POLARITY, inti) == INTI_ACTIVE_HIGH)
		*flags &= ~IRQ_GSI_ACTIVE_LOW;
}

/* Whatever overrides said is in gsi. */
static void ioapic_mask(unsigned gsi)
{
	struct ioapic_pin *pin;
	struct ioapic *a = ioapic_of(gsi, &pin);
	irqflags_t irq;

	if (!a)
		return;
	irq = spin_lock(&ioapics.lock);
	ioapic_mask_locked(a, pin);
	spin_unlock(&ioapics.lock, irq);
}

/* Nobody of those who share the pin makes its device let go of the line. */
static void ioapic_storm(void *arg)
{
	const struct ioapic_pin *pin = arg;

	ioapic_mask(pin->gsi);
}

static int ioapic_first_user(struct ioapic_pin *pin, unsigned flags,
			     unsigned cpu, const char *name)
{
	int vector;

	/* A longer id would name another CPU, and 255 all of them. */
	if (cpu >= cpu_count() || cpu_apic_id(cpu) > IOAPIC_DEST_MAX)
		return -EINVAL;
	vector = irq_alloc(cpu, ioapic_interrupt, pin, name);
	if (vector < 0)
		return vector;
	pin->cpu = cpu;
	pin->vector = (unsigned)vector;
	pin->flags = flags;
	irq_on_storm(cpu, pin->vector, ioapic_storm, pin);
	return 0;
}

static int ioapic_add_user_locked(struct ioapic_pin *pin, struct ioapic_user *u,
				  unsigned flags, unsigned cpu,
				  const char *name)
{
	int err = 0;

	spin_assert_held(&ioapics.lock);
	if (!pin->vector)
		err = ioapic_first_user(pin, flags, cpu, name);
	else if (!(pin->flags & flags & IRQ_GSI_LEVEL))
		err = -EBUSY;
	if (err)
		return err;
	u->next = pin->users;
	__atomic_store_n(&pin->users, u, __ATOMIC_RELEASE);
	return 0;
}

int irq_gsi_request(unsigned gsi, unsigned flags, unsigned cpu, irq_fn *fn,
		    void *arg, const char *name)
{
	struct ioapic_user *u;
	struct ioapic_pin *pin;
	struct ioapic *a;
	irqflags_t irq;
	int err;

	ioapic_legacy(&gsi, &flags);
	a = ioapic_of(gsi, &pin);
	if (!a)
		return -EINVAL;
	u = heap_alloc(sizeof(*u));
	if (!u)
		return -ENOMEM;
	*u = (struct ioapic_user){ NULL, fn, arg };
	irq = spin_lock(&ioapics.lock);
	if (!pin->vector)
		ioapic_forget_eoi(a, pin);
	err = ioapic_add_user_locked(pin, u, flags, cpu, name);
	if (!err)
		ioapic_route(a, pin, false);
	spin_unlock(&ioapics.lock, irq);
	if (err)
		heap_free(u);
	return err;
}

/* ---- moving ---- */

int irq_gsi_cpu(unsigned gsi)
{
	unsigned flags = 0;
	struct ioapic_pin *pin;

	ioapic_legacy(&gsi, &flags);
	return ioapic_of(gsi, &pin) && READ_ONCE(pin->vector) ?
	       (int)READ_ONCE(pin->cpu) : -EINVAL;
}

static uint32_t ioapic_read_low(struct ioapic *a, struct ioapic_pin *pin)
{
	irqflags_t irq = spin_lock(&ioapics.lock);
	uint32_t low = ioapic_read(a, IOAPIC_REDTBL(pin->gsi - a->gsi_base));

	spin_unlock(&ioapics.lock, irq);
	return low;
}

/* Route the pin to cpu and vector, but not open it if it was not. */
static void ioapic_reroute(struct ioapic *a, struct ioapic_pin *pin,
			   unsigned cpu, unsigned vector, bool masked)
{
	irqflags_t irq = spin_lock(&ioapics.lock);

	WRITE_ONCE(pin->cpu, cpu);
	WRITE_ONCE(pin->vector, vector);
	ioapic_route(a, pin, masked);
	spin_unlock(&ioapics.lock, irq);
}

/*
 * Masked, then waited for: with Remote IRR clear (82093AA, 3.2.4) no CPU has
 * its interrupt pending or in service. A line that stands is still there when
 * the pin is open again.
 */
static int ioapic_move(struct ioapic *a, struct ioapic_pin *pin, unsigned cpu,
		       unsigned vector)
{
	bool masked = ioapic_read_low(a, pin) & IOAPIC_RTE_MASKED;
	unsigned old_cpu = pin->cpu, old = pin->vector;
	int err;

	ioapic_mask(pin->gsi);
	err = poll_mem_until(!(ioapic_read_low(a, pin) & IOAPIC_RTE_REMOTE),
			     time_now() + IOAPIC_IDLE_WAIT);
	if (err) {
		ioapic_reroute(a, pin, old_cpu, old, masked);
		irq_free(cpu, vector);
		return err;
	}
	ioapic_reroute(a, pin, cpu, vector, masked);
	irq_free(old_cpu, old);
	return 0;
}

static int ioapic_move_to(struct ioapic *a, struct ioapic_pin *pin,
			  unsigned cpu)
{
	int vector;

	if (cpu == pin->cpu)
		return 0;
	if (!(pin->flags & IRQ_GSI_LEVEL))
		return -ENOTSUP;
	vector = irq_alloc(cpu, ioapic_interrupt, pin,
			   irq_name(pin->cpu, pin->vector));
	if (vector < 0)
		return vector;
	irq_on_storm(cpu, (unsigned)vector, ioapic_storm, pin);
	return ioapic_move(a, pin, cpu, (unsigned)vector);
}

int irq_gsi_move(unsigned gsi, unsigned cpu)
{
	unsigned flags = 0;
	struct ioapic_pin *pin;
	struct ioapic *a;
	int err;

	ioapic_legacy(&gsi, &flags);
	a = ioapic_of(gsi, &pin);
	if (!a || !pin->vector || cpu >= cpu_count() ||
	    cpu_apic_id(cpu) > IOAPIC_DEST_MAX)
		return -EINVAL;
	if (__atomic_exchange_n(&pin->moving, true, __ATOMIC_ACQUIRE))
		return -EBUSY;
	err = ioapic_move_to(a, pin, cpu);
	__atomic_store_n(&pin->moving, false, __ATOMIC_RELEASE);
	return err;
}

static struct ioapic_user *ioapic_take_user_locked(struct ioapic_pin *pin,
						   irq_fn *fn, void *arg)
{
	spin_assert_held(&ioapics.lock);
	for (struct ioapic_user **p = &pin->users; *p; p = &(*p)->next) {
		struct ioapic_user *u = *p;

		if (u->fn == fn && u->arg == arg) {
			WRITE_ONCE(*p, u->next);
			return u;
		}
	}
	return NULL;
}

void irq_gsi_mask(unsigned gsi)
{
	unsigned flags = 0;

	ioapic_legacy(&gsi, &flags);
	ioapic_mask(gsi);
}

/* The pin stays masked when its last user has gone. */
void irq_gsi_free(unsigned gsi, irq_fn *fn, void *arg)
{
	unsigned flags = 0, vector = 0, cpu;
	struct ioapic_user *u;
	struct ioapic_pin *pin;
	struct ioapic *a;
	irqflags_t irq;
	bool here;

	ioapic_legacy(&gsi, &flags);
	a = ioapic_of(gsi, &pin);
	if (!a)
		return;
	irq = spin_lock(&ioapics.lock);
	cpu = pin->cpu;
	here = cpu == cpu_id();		/* then nobody but a caller is in it */
	u = ioapic_take_user_locked(pin, fn, arg);
	if (u && !pin->users) {
		ioapic_mask_locked(a, pin);
		vector = pin->vector;
		pin->vector = 0;
	}
	spin_unlock(&ioapics.lock, irq);
	if (vector)
		irq_free(cpu, vector);
	else if (u && !here)
		ioapic_wait_idle(pin);
	heap_free(u);
}
