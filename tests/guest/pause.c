/* SPDX-License-Identifier: MIT */
/*
 * stop and cont of the whole machine, by its host (RELIABILITY S10). The host
 * must do it while this runs: pause.wait=SECONDS says how long to watch, and
 * pause.count=N that it may end after N of them.
 *
 * How one could be fooled: a pause may not be seen at all. Under KVM the TSC runs
 * on, so a sleep ends seconds too late; under TCG every clock of the guest stands
 * still, and only the RTC, which the host keeps, has gone on. Both are looked
 * at. And a guest with no timer due would have nothing to catch up with: so
 * timers are due all the time on every CPU, also for the moment of the pause.
 */
#include "blk/blk.h"
#include "core/cmdline.h"
#include "core/cpu.h"
#include "core/log.h"
#include "core/ns16550.h"
#include "core/report.h"
#include "core/sha256.h"
#include "core/string.h"
#include "core/wall.h"
#include "sched/sched.h"

#define PAUSE_TIMERS	16
#define PAUSE_ROUND	(100 * NSEC_PER_MSEC)
#define PAUSE_LEAST	NSEC_PER_SEC	/* shorter ones are load */
#define PAUSE_CPUS	8u

static const struct cmdline_key key_wait = {
	"pause.wait", "SECONDS", "suite pause: watch for stops so long" };
CMDLINE_KEY(key_wait);
static const struct cmdline_key key_count = {
	"pause.count", "N", "suite pause: end after so many (default: 1)" };
CMDLINE_KEY(key_count);
static const struct cmdline_key key_io = {
	"pause.io", "SECONDS", "suite pause: read until a key, at most so long" };
CMDLINE_KEY(key_io);

struct pause_timer {
	struct timer timer;
	unsigned fired;
	nsec_t at;
};

static struct {
	struct pause_timer timer[PAUSE_TIMERS];
	/* atomic: */
	nsec_t latest;
	uint64_t backwards, early;
	bool over;
	/* the test's thread: */
	struct thread *napper[PAUSE_CPUS];
	unsigned nappers;
	/* each one its napper's: */
	unsigned naps[PAUSE_CPUS];
} pause;

static void pause_fire(struct timer *timer)
{
	struct pause_timer *p = container_of(timer, struct pause_timer, timer);

	p->fired++;
	p->at = time_now();
}

static void pause_look(void)
{
	nsec_t seen = __atomic_load_n(&pause.latest, __ATOMIC_ACQUIRE);
	nsec_t now = time_now();

	if (now < seen)
		__atomic_fetch_add(&pause.backwards, 1, __ATOMIC_RELAXED);
	while (seen < now &&
	       !__atomic_compare_exchange_n(&pause.latest, &seen, now, false,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

/* On every CPU: a sleep in flight, at any moment. */
static void pause_napper(void *arg)
{
	unsigned *naps = arg;

	while (!READ_ONCE(pause.over)) {
		nsec_t until = time_now() + 5 * NSEC_PER_MSEC;

		thread_sleep_until(until);
		if (time_now() < until)
			__atomic_fetch_add(&pause.early, 1, __ATOMIC_RELAXED);
		pause_look();
		++*naps;
	}
}

/* False: not one on each CPU, up to PAUSE_CPUS. */
static bool pause_nap(void)
{
	unsigned n = MIN(cpu_count(), PAUSE_CPUS);

	pause.over = false;
	pause.backwards = pause.early = 0;
	memset(pause.naps, 0, sizeof(pause.naps));
	for (pause.nappers = 0; pause.nappers < n; pause.nappers++)
		if (thread_create(pause.nappers, pause_napper,
				  &pause.naps[pause.nappers], "napper",
				  &pause.napper[pause.nappers]))
			return false;
	return true;
}

/* Each one's last sleep ends as well: else the join would never. */
static void pause_wake(struct ktest_run *t)
{
	WRITE_ONCE(pause.over, true);
	while (pause.nappers > 0) {
		thread_join(pause.napper[--pause.nappers]);
		KEXPECT(t, pause.naps[pause.nappers] > 0);
	}
	KEXPECT_EQ(t, pause.backwards, 0);
	KEXPECT_EQ(t, pause.early, 0);
}

static uint64_t pause_sum(uint64_t (*of)(const struct sched_stats *st))
{
	uint64_t n = 0;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		struct sched_stats st;

		sched_stats(cpu, &st);
		n += of(&st);
	}
	return n;
}

static uint64_t pause_dead(const struct sched_stats *st)
{
	return st->timer_dead;
}

static uint64_t pause_irqs(const struct sched_stats *st)
{
	return st->timer_irqs;
}

static void pause_arm(void)
{
	for (unsigned i = 0; i < PAUSE_TIMERS; i++) {
		struct pause_timer *p = &pause.timer[i];

		p->fired = 0;
		timer_init(&p->timer, pause_fire);
		timer_start(&p->timer, time_now() + (i + 1) * PAUSE_ROUND /
				       (PAUSE_TIMERS + 2));
	}
}

/* Each timer once, none early; returns how long the host stopped us. */
static nsec_t pause_round(struct ktest_run *t)
{
	nsec_t start = time_now(), late;
	int64_t off = 0;

	pause_arm();
	thread_sleep_until(start + PAUSE_ROUND);
	pause_look();
	thread_sleep(PAUSE_ROUND / 4);	/* a loaded host's stragglers */
	for (unsigned i = 0; i < PAUSE_TIMERS; i++) {
		struct pause_timer *p = &pause.timer[i];

		timer_cancel(&p->timer);
		KEXPECT_MSG(t, p->fired <= 1, "timer %u fired %u times", i,
			    p->fired);
		KEXPECT(t, !p->fired || p->at >= p->timer.when);
	}
	wall_check(&off);
	late = time_now() - start - PAUSE_ROUND * 5 / 4;
	if (late >= PAUSE_LEAST)
		return late;
	return off > (int64_t)(2 * NSEC_PER_SEC) ? (nsec_t)off : 0;
}

/*
 * A round sees at most what its sleepers and timers need: naps of 5 ms on each
 * CPU, timers, slices. A catch-up of 10 s would be thousands.
 */
static unsigned pause_watch(struct ktest_run *t, nsec_t end, unsigned wanted,
			    nsec_t *longest)
{
	unsigned seen = 0, nappers = MIN(cpu_count(), PAUSE_CPUS);

	while (seen < wanted && time_now() < end) {
		uint64_t before = pause_sum(pause_irqs), irqs;
		nsec_t stopped = pause_round(t);

		irqs = pause_sum(pause_irqs) - before;
		if (!stopped)
			continue;
		seen++;
		*longest = MAX(*longest, stopped);
		console_printf("    # stop %u: %llu ms, %llu interrupts in its "
			       "round\n", seen,
			       (unsigned long long)(stopped / NSEC_PER_MSEC),
			       (unsigned long long)irqs);
		KEXPECT_MSG(t, irqs <= 2 * (PAUSE_TIMERS + 40 * nappers +
					    cpu_count()) ||
			    strcmp(cpu_timer_name(),
				   "lapic-periodic") == 0,
			    "no catching up: %llu interrupts in a round",
			    (unsigned long long)irqs);
	}
	return seen;
}

KTEST(pause, after_a_stop_nothing_is_caught_up_with_and_time_goes_on)
{
	nsec_t wait = cmdline_u64("pause.wait", 0) * NSEC_PER_SEC, longest = 0;
	unsigned wanted = (unsigned)cmdline_u64("pause.count", 1), seen;
	uint64_t dead = pause_sum(pause_dead);

	if (!wait) {
		ktest_skip(t, "pause.wait= says how long to watch for a host "
			   "that stops this machine");
		return;
	}
	time_wall();
	KASSERT(t, pause_nap());
	seen = pause_watch(t, time_now() + wait, wanted, &longest);
	pause_wake(t);
	KEXPECT(t, pause_sum(pause_dead) - dead <= cpu_count());
	ktest_metric("pauses", seen, "count");
	ktest_metric("pause_longest", longest, "ns");
	ktest_metric("pause_wall_steps", wall_steps(), "count");
	ktest_metric("pause_timers_found_dead", pause_sum(pause_dead) - dead,
		     "count");
	if (!seen)
		ktest_skip(t, "no host stopped this machine in %llu s",
			   (unsigned long long)(wait / NSEC_PER_SEC));
}

/* ---- under I/O ---- */

struct pause_scan {
	struct sha256 sha;
	uint64_t bytes;
	char hex[SHA256_HEX];
};

static int pause_chunk(void *arg, uint64_t off, const void *data, size_t len)
{
	struct pause_scan *s = arg;

	sha256_update(&s->sha, data, len);
	s->bytes += len;
	return 0;
}

static int pause_scan(struct blk_dev *bd, struct pause_scan *s)
{
	uint8_t digest[SHA256_BYTES];
	size_t chunk = MAX((size_t)bd->block_size, (size_t)KIB(16));
	int err;

	sha256_init(&s->sha);
	s->bytes = 0;
	err = blk_scan(bd, chunk, BLK_SCAN_DEPTH, pause_chunk, s, NULL);
	sha256_final(&s->sha, digest);
	sha256_hex(digest, s->hex);
	return err;
}

static void pause_key(void)
{
}

/* Scan after scan, all alike, until the host presses a key. */
static bool pause_read(struct ktest_run *t, struct blk_dev *bd, nsec_t end)
{
	static struct pause_scan first, now;
	unsigned scans = 1;
	bool told = false;

	if (!KEXPECT_EQ(t, pause_scan(bd, &first), 0))
		return false;
	KEXPECT_EQ(t, first.bytes, bd->blocks * bd->block_size);
	console_printf("    # reading: sha256 %s\n", first.hex);
	while (!told && time_now() < end && !t->failures) {
		KEXPECT_EQ(t, pause_scan(bd, &now), 0);
		KEXPECT_EQ(t, now.bytes, first.bytes);
		KEXPECT_MSG(t, strcmp(now.hex, first.hex) == 0,
			    "scan %u: sha256 %s, not %s", scans, now.hex,
			    first.hex);
		scans++;
		told = ns16550_getc() >= 0;
	}
	ktest_metric("pause_scans", scans, "count");
	ktest_metric("pause_scan_bytes", scans * first.bytes, "bytes");
	return told;
}

KTEST(pause, every_byte_arrives_although_the_host_stops_us)
{
	nsec_t limit = cmdline_u64("pause.io", 0) * NSEC_PER_SEC;
	struct blk_dev *bd = blk_get(0);
	bool told;

	if (!limit || !bd || !bd->blocks) {
		ktest_skip(t, !limit ? "pause.io= says how long to read" :
			   "no disk");
		return;
	}
	KASSERT(t, ns16550_listen(pause_key) == 0);
	KASSERT(t, pause_nap());
	told = pause_read(t, bd, time_now() + limit);
	KEXPECT_MSG(t, told, "a key within pause.io=: the host's last word");
	pause_wake(t);
}
