/* SPDX-License-Identifier: MIT */
/*
 * Why pairs of readings, for the PIT as well: waiting for its output to rise
 * (the usual way) takes the moment at which we look for the moment at which it
 * rose. On a host that stops this CPU in between, one such measurement in eight
 * was 44 % off. A latched count is true at a moment that lies between two
 * readings of the TSC; a stop shows as a gap, and the reading is done again.
 */
#include "core/clock_ref.h"

#include "core/bits.h"
#include "core/clock.h"
#include "core/cpu.h"

#define CLOCK_REF_TRIES	5
#define CLOCK_REF_NARROW	(20 * NSEC_PER_MSEC)

/* IA-PC HPET specification 1.0a, 2.3. */
#define HPET_SIZE	0x400
#define HPET_CAP	0x000		/* 64 ro */
# define HPET_CAP_PERIOD	GENMASK_ULL(63, 32)	/* femtoseconds */
#define HPET_CONFIG	0x010
# define HPET_CONFIG_ENABLE	BIT(0)
#define HPET_COUNTER	0x0f0
#define FEMTOSECONDS	UINT64_C(1000000000000000)
#define HPET_PERIOD_MAX	100000000	/* 2.3.4: at most 100 ns */

#define PMTIMER_HZ	3579545		/* ACPI 6.4, 4.8.3.3 */

/* 8254 channel 2, gated by port 0x61 (ICH9 data sheet, 13.3 and 13.7). */
#define PIT_HZ		1193182
#define PIT_BASE	0x40
#define PIT_CH2		2
#define PIT_MODE	3
# define PIT_CH2_RATE	0xb4		/* lobyte/hibyte, mode 2: goes round */
# define PIT_CH2_LATCH	0x80
# define PIT_CH2_STATUS	0xe8		/* read-back: the status alone */
# define PIT_STATUS_MODE	GENMASK(5, 0)	/* as it was written, less the channel */
#define PORT_NMI_SC	0x61
# define PORT_NMI_GATE	BIT(0)
# define PORT_NMI_SPEAKER	BIT(1)

static void clock_ref_took(struct clock_pair *p, uint64_t before, uint64_t after)
{
	p->gap = after - before;
	p->tsc = before + p->gap / 2;
}

static void clock_ref_read32(const struct clock_ref *r, size_t off,
			     struct clock_pair *p)
{
	uint64_t before = clock_tsc();

	p->count = io_read32(&r->io, off);
	clock_ref_took(p, before, clock_tsc());
}

static void clock_ref_hpet_read(const struct clock_ref *r, struct clock_pair *p)
{
	clock_ref_read32(r, HPET_COUNTER, p);
}

int clock_ref_hpet(struct clock_ref *r, phys_t base)
{
	uint64_t period;
	int err;

	if (!base)
		return -ENODEV;
	err = io_map_mem(&r->io, base, HPET_SIZE);
	if (err)
		return err;
	period = FIELD_GET(HPET_CAP_PERIOD, io_read64(&r->io, HPET_CAP));
	if (!period || period > HPET_PERIOD_MAX) {
		io_unmap(&r->io);
		return -EBADMSG;
	}
	io_write32(&r->io, HPET_CONFIG,
		   io_read32(&r->io, HPET_CONFIG) | HPET_CONFIG_ENABLE);
	r->rate = (struct clock_rate){ FEMTOSECONDS, period, 32 };
	r->read = clock_ref_hpet_read;
	return 0;
}

static void clock_ref_pm_read(const struct clock_ref *r, struct clock_pair *p)
{
	clock_ref_read32(r, 0, p);
}

int clock_ref_pmtimer(struct clock_ref *r, uint32_t port, bool wide)
{
	int err = port ? io_map_port(&r->io, (uint16_t)port, 4) : -ENODEV;

	if (err)
		return err;
	r->rate = (struct clock_rate){ PMTIMER_HZ, 1, wide ? 32 : 24 };
	r->read = clock_ref_pm_read;
	return 0;
}

/* It counts down, so that the negative counts up. */
static void clock_ref_pit_read(const struct clock_ref *r, struct clock_pair *p)
{
	uint64_t before = clock_tsc();
	uint16_t count;

	io_write8(&r->io, PIT_MODE, PIT_CH2_LATCH);
	clock_ref_took(p, before, clock_tsc());
	count = io_read8(&r->io, PIT_CH2);
	count |= (uint16_t)(io_read8(&r->io, PIT_CH2) << 8);
	p->count = (uint16_t)-count;
}

int clock_ref_pit(struct clock_ref *r)
{
	struct io port;
	uint8_t gate;
	int err = io_map_port(&r->io, PIT_BASE, 4);

	if (!err)
		err = io_map_port(&port, PORT_NMI_SC, 1);
	if (err)
		return err;
	gate = io_read8(&port, 0);
	io_write8(&port, 0, (uint8_t)((gate & ~PORT_NMI_SPEAKER) |
				      PORT_NMI_GATE));
	io_write8(&r->io, PIT_MODE, PIT_CH2_RATE);
	io_write8(&r->io, PIT_CH2, 0);	/* 65536 */
	io_write8(&r->io, PIT_CH2, 0);
	io_write8(&r->io, PIT_MODE, PIT_CH2_STATUS);
	if (FIELD_GET(PIT_STATUS_MODE, io_read8(&r->io, PIT_CH2)) !=
	    FIELD_GET(PIT_STATUS_MODE, PIT_CH2_RATE))
		return -ENODEV;
	r->rate = (struct clock_rate){ PIT_HZ, 1, 16 };
	r->read = clock_ref_pit_read;
	return 0;
}

static void clock_ref_ns_read(const struct clock_ref *r, struct clock_pair *p)
{
	uint64_t before = clock_tsc();

	p->count = r->ns();
	clock_ref_took(p, before, clock_tsc());
}

int clock_ref_ns(struct clock_ref *r, uint64_t (*ns)(void))
{
	if (!ns || !ns())
		return -ENODEV;
	r->ns = ns;
	r->rate = (struct clock_rate){ NSEC_PER_SEC, 1, 64 };
	r->read = clock_ref_ns_read;
	return 0;
}

struct clock_pair clock_ref_pair(const struct clock_ref *r, unsigned tries)
{
	struct clock_pair best = { .gap = UINT64_MAX }, p;

	while (tries-- > 0) {
		r->read(r, &p);
		if (p.gap < best.gap)
			best = p;
	}
	return best;
}

uint64_t clock_ref_doubt(const struct clock_pair *a, const struct clock_pair *b)
{
	uint64_t span = b->tsc - a->tsc;

	return (uint64_t)clock_ppb(span + (a->gap + b->gap) / 2, span);
}

/* One measurement, and the largest step from one look to the next. */
struct clock_try {
	struct clock_pair a, b;
	uint64_t last, step;
};

/* Until it has counted so far from t->a on; false: it does not. */
static bool clock_ref_wait(const struct clock_ref *r, struct clock_try *t,
			   uint64_t ticks)
{
	struct clock_pair p;

	do {
		cpu_relax();
		r->read(r, &p);
		t->step = MAX(t->step, p.tsc - t->last);
		t->last = p.tsc;
		if (clock_unwrap(&r->rate, t->a.count, p.count, 0) >= ticks)
			return true;
	} while (p.tsc - t->a.tsc < CLOCK_REF_PATIENCE);
	return false;
}

static uint64_t clock_ref_try(const struct clock_ref *r, struct clock_try *t,
			      nsec_t least, nsec_t most, uint64_t *doubt)
{
	nsec_t window = least;

	t->a = clock_ref_pair(r, CLOCK_REF_TRIES);
	t->last = t->a.tsc;
	t->step = 0;
	for (;; window += least) {
		if (!clock_ref_wait(r, t, clock_ticks_in(&r->rate, window,
							 NSEC_PER_SEC))) {
			t->b.tsc = t->last;
			return 0;
		}
		t->b = clock_ref_pair(r, CLOCK_REF_TRIES);
		t->step = MAX(t->step, t->b.tsc - t->last);
		*doubt = clock_ref_doubt(&t->a, &t->b);
		if (*doubt <= CLOCK_REF_GOOD || window + least > most)
			break;
	}
	return clock_hz_by(&r->rate, t->b.tsc - t->a.tsc,
			   clock_unwrap(&r->rate, t->a.count, t->b.count, 0));
}

/*
 * While the host had stopped this CPU, the counter may have gone round: after
 * 54 ms the PIT, after 4.7 s the PM timer. The TSC cannot tell how long that was
 * before its frequency is known; but it can tell a step that is large beside the
 * whole, or beside any window, and then the measurement is worth nothing, also
 * where it says that the counter stands.
 */
static bool clock_ref_stopped(const struct clock_try *t, bool narrow)
{
	uint64_t most = narrow ? (t->b.tsc - t->a.tsc) / 4 : CLOCK_REF_PATIENCE;

	return t->step > most;
}

uint64_t clock_ref_hz(struct clock_ref *r, nsec_t least, nsec_t most,
		      uint64_t *doubt)
{
	bool narrow = r->rate.bits <= 16;
	struct clock_try t;
	uint64_t hz = 0;

	for (unsigned i = 0; i < CLOCK_REF_TRIES; i++) {
		hz = clock_ref_try(r, &t, least, narrow ?
				   MIN(most, CLOCK_REF_NARROW) : most, doubt);
		if (!clock_ref_stopped(&t, narrow))
			return hz;
	}
	*doubt = NSEC_PER_SEC;		/* 100 % */
	return hz;
}
