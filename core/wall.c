/* SPDX-License-Identifier: MIT */
#include "core/wall.h"

#include "core/clock.h"
#include "core/cpu.h"
#include "core/date.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/monitor.h"
#include "core/report.h"
#include "core/rtc.h"

#define WALL_TRIES	5
#define WALL_QUICK_HOST	(20 * NSEC_PER_USEC)	/* a question, answered */
#define WALL_QUICK_RTC	(100 * NSEC_PER_MSEC)
#define WALL_TOLERANCE	((int64_t)(2 * NSEC_PER_SEC))	/* the RTC has 1 s */

bool (*wall_hypervisor)(nsec_t *unix_ns);

static struct {
	uint8_t century;		/* set once at start */
	/* atomic: */
	nsec_t base;			/* time_wall() at time 0; 0: not asked */
	unsigned steps;
	/* with base: */
	const char *source;
} wall = { .source = "nobody" };

void wall_init(uint8_t century)
{
	wall.century = century;
}

/* The RTC's second has been going on for half of itself, on average. */
static int wall_rtc(nsec_t *unix_ns)
{
	uint64_t seconds;
	int err = rtc_read(wall.century, &seconds);

	if (!err)
		*unix_ns = seconds * NSEC_PER_SEC + NSEC_PER_SEC / 2;
	return err;
}

static int wall_host(nsec_t *unix_ns)
{
	return wall_hypervisor && wall_hypervisor(unix_ns) ? 0 : -ENODEV;
}

/*
 * What ask() says, less the time_now() of that moment. The host may stop this CPU
 * in between; so the quickest of some tries, and the first that is quick.
 */
static int wall_base(int (*ask)(nsec_t *unix_ns), nsec_t quick, nsec_t *base)
{
	nsec_t best = NSEC_NEVER;

	*base = 0;
	for (unsigned i = 0; i < WALL_TRIES && best > quick; i++) {
		nsec_t before = time_now(), unix_ns, gap;
		int err = ask(&unix_ns);

		if (err)
			return err;
		gap = time_now() - before;
		if (gap < best)
			*base = unix_ns - before - gap / 2;
		best = MIN(best, gap);
	}
	return 0;
}

static void wall_ask(void)
{
	nsec_t base;

	if (!wall_base(wall_host, WALL_QUICK_HOST, &base))
		wall.source = "kvm";
	else if (!wall_base(wall_rtc, WALL_QUICK_RTC, &base))
		wall.source = "rtc";
	else
		return;
	WRITE_ONCE(wall.base, base);
}

nsec_t time_wall(void)
{
	nsec_t base = READ_ONCE(wall.base);

	if (!base)
		wall_ask();
	base = READ_ONCE(wall.base);
	return base ? base + time_now() : 0;
}

const char *wall_source(void)
{
	return wall.source;
}

unsigned wall_steps(void)
{
	return READ_ONCE(wall.steps);
}

int wall_check(int64_t *off)
{
	nsec_t base;
	int err;

	*off = 0;
	if (!time_wall())
		return -ENODEV;
	err = wall_base(wall_rtc, WALL_QUICK_RTC, &base);
	if (err)
		return err;
	*off = (int64_t)(base - wall.base);
	if (*off <= WALL_TOLERANCE && *off >= -WALL_TOLERANCE)
		return 0;
	log_warn("clock", "wall time steps by %lld ms: this machine was stopped, "
		 "or somebody set its clock", (long long)(*off / 1000000));
	WRITE_ONCE(wall.base, base);
	wall.source = "rtc";
	__atomic_fetch_add(&wall.steps, 1, __ATOMIC_RELAXED);
	return 0;
}

void wall_report(void)
{
	char iso[DATE_ISO];
	int64_t off;
	int err = wall_check(&off);
	struct json j;

	date_iso(time_wall(), iso);
	if (err)
		log_warn("clock", "the RTC cannot be read (%s)",
			 errno_name(err));
	log_info("clock", "it is %s by %s; the RTC is %lld ms away", iso,
		 wall_source(), (long long)(off / 1000000));
	json_begin(&j, "wall");
	json_str(&j, "iso", iso);
	json_u64(&j, "unix_ns", time_wall());
	json_str(&j, "source", wall_source());
	json_bool(&j, "rtc", !err);
	json_i64(&j, "rtc_ahead_ns", off);
	json_u64(&j, "steps", wall_steps());
	json_end(&j);
}

static int wall_cmd_date(int argc, char **argv)
{
	wall_report();
	return time_wall() ? 0 : -ENODEV;
}

static const struct monitor_cmd wall_date = {
	"date", "", "wall time, and how far the RTC is away", wall_cmd_date };
MONITOR_CMD(wall_date);

static int wall_cmd_clock(int argc, char **argv)
{
	clock_report();
	return 0;
}

static const struct monitor_cmd wall_clock = {
	"clock", "", "the clock, its witnesses and the CPUs' skew",
	wall_cmd_clock };
MONITOR_CMD(wall_clock);
