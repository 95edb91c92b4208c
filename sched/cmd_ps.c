/* SPDX-License-Identifier: MIT */
#include "core/heap.h"
#include "core/log.h"
#include "core/monitor.h"
#include "core/report.h"
#include "sched/local.h"

static const char *ps_state(enum thread_state state)
{
	switch (state) {
	case THREAD_RUNNING:
		return "running";
	case THREAD_READY:
		return "ready";
	case THREAD_BLOCKED:
		return "blocked";
	case THREAD_DEAD:
		return "dead";
	}
	return "?";
}

static void ps_print(unsigned cpu, const struct sched_info *info)
{
	console_printf("%3u  %-8s %8llu.%06llu  %s\n", cpu,
		       ps_state(info->state),
		       (unsigned long long)(info->ran / NSEC_PER_SEC),
		       (unsigned long long)(info->ran % NSEC_PER_SEC / 1000),
		       info->name);
}

/* A copy is taken first: nothing is printed with a run queue's lock held. */
static int ps_cpu(unsigned cpu)
{
	unsigned room = sched_list(cpu, NULL, 0), n;
	struct sched_info *info = heap_calloc(room + 1, sizeof(*info));

	if (!info)
		return -ENOMEM;
	n = sched_list(cpu, info, room);
	for (unsigned i = 0; i < MIN(n, room); i++)
		ps_print(cpu, &info[i]);
	heap_free(info);
	return 0;
}

/* Run times are by the wall: what the host took is in them. */
static void ps_print_stolen(void)
{
	uint64_t (*stolen)(unsigned cpu) = READ_ONCE(sched_stolen_ns);

	if (!stolen)
		return;
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		uint64_t ns = stolen(cpu);

		console_printf("%3u  stolen   %8llu.%06llu  by the host\n", cpu,
			       (unsigned long long)(ns / NSEC_PER_SEC),
			       (unsigned long long)(ns % NSEC_PER_SEC / 1000));
	}
}

static int ps_run(int argc, char **argv)
{
	int err = 0;

	console_printf("CPU  STATE       RUN TIME (s)  NAME\n");
	for (unsigned cpu = 0; cpu < cpu_count() && !err; cpu++)
		err = ps_cpu(cpu);
	ps_print_stolen();
	return err;
}

static const struct monitor_cmd ps_cmd = {
	.name = "ps", .help = "list the threads of every CPU", .run = ps_run,
};
MONITOR_CMD(ps_cmd);

static void ps_print_armed(nsec_t armed, nsec_t now)
{
	if (armed == NSEC_NEVER)
		console_printf("%12s\n", "off");
	else if (armed < now)
		console_printf("%12s\n", "due");
	else if (armed - now < 10 * NSEC_PER_SEC)
		console_printf("%9llu us\n",
			       (unsigned long long)((armed - now) / 1000));
	else
		console_printf("%10llu s\n",
			       (unsigned long long)((armed - now) /
						    NSEC_PER_SEC));
}

static int ps_sched_run(int argc, char **argv)
{
	console_printf("timer: %s\n"
		       "CPU  threads  runnable   switches  preempted  timer irqs  "
		       "stray  dead  armings     IPIs    halts   idle s  "
		       "stolen ms  next timer\n",
		       cpu_timer_name());
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		struct sched_stats s;

		sched_stats(cpu, &s);
		console_printf("%3u  %7u  %8u %10llu %10llu %11llu %6llu %5llu %8llu"
			       " %8llu %8llu %8llu %10llu",
			       cpu, s.threads, s.runnable,
			       (unsigned long long)s.switches,
			       (unsigned long long)s.preemptions,
			       (unsigned long long)s.timer_irqs,
			       (unsigned long long)s.timer_stray,
			       (unsigned long long)s.timer_dead,
			       (unsigned long long)s.timer_armed,
			       (unsigned long long)s.resched_ipis,
			       (unsigned long long)s.halts,
			       (unsigned long long)(s.idle_ns / NSEC_PER_SEC),
			       (unsigned long long)(s.stolen_ns /
						    NSEC_PER_MSEC));
		ps_print_armed(s.armed, time_now());
	}
	return 0;
}

static const struct monitor_cmd ps_sched_cmd = {
	.name = "sched", .help = "scheduler counters of every CPU",
	.run = ps_sched_run,
};
MONITOR_CMD(ps_sched_cmd);

void sched_report(void)
{
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		struct sched_stats s;
		struct json j;

		sched_stats(cpu, &s);
		json_begin(&j, "sched");
		json_u64(&j, "cpu", cpu);
		json_str(&j, "timer", cpu_timer_name());
		json_u64(&j, "threads", s.threads);
		json_u64(&j, "runnable", s.runnable);
		json_u64(&j, "switches", s.switches);
		json_u64(&j, "preemptions", s.preemptions);
		json_u64(&j, "timer_irqs", s.timer_irqs);
		json_u64(&j, "timer_stray", s.timer_stray);
		json_u64(&j, "timer_dead", s.timer_dead);
		json_u64(&j, "timer_pokes", s.timer_pokes);
		json_u64(&j, "timer_late_max_ns", s.late_max);
		json_u64(&j, "timer_armed", s.timer_armed);
		json_u64(&j, "resched_ipis", s.resched_ipis);
		json_u64(&j, "halts", s.halts);
		json_u64(&j, "polled", s.polled);
		json_u64(&j, "idle_ns", s.idle_ns);
		json_u64(&j, "stolen_ns", s.stolen_ns);
		json_u64(&j, "uptime_ns", time_now());
		json_end(&j);
	}
}
