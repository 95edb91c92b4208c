/* SPDX-License-Identifier: MIT */
/*
 * ktap [-o RESULT] [-- COMMAND…]: judge a guest by what it says.
 *
 * Reads a serial log (COMMAND's stdout, else stdin), copies the KTAP lines in
 * it to stdout and ends with the status of ARCHITECTURE.md's table: 0 all
 * passed and at least one ran, 1 a failure, a crash or a time-out, 77 all
 * skipped, 99 the rig failed. RESULT becomes two lines: "counts PASSED FAILED
 * SKIPPED XFAILED" and "verdict TEXT".
 *
 * A guest can go wrong silently, so silence is never a pass: the plan is
 * mandatory and comes before the results, each result has the next number,
 * there are as many as planned, the word PANIC appears nowhere, and COMMAND
 * (QEMU) ends with the status that a passing guest asks for. Subtests
 * (indented, however far) are judged the same way; only the leaves are
 * counted. See the kernel's Documentation/dev-tools/ktap.rst for KTAP.
 */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KTAP_DEPTH	8
#define KTAP_LINE	4096

/* The guest's words through isa-debug-exit: 2 * value + 1. */
#define QEMU_PASSED	33
#define QEMU_FAILED	35
#define QEMU_PANIC	37

enum { ST_PASS = 0, ST_FAIL = 1, ST_SKIP = 77, ST_RIG = 99 };

struct level {
	unsigned indent;
	bool planned;
	unsigned plan, seen, failed;
};

struct ktap {
	struct level level[KTAP_DEPTH + 1];
	unsigned depth;			/* of the last line */
	unsigned passed, failed, skipped, xfailed;
	bool plan_seen, panicked, spoke;
	char wrong[256];		/* the first thing that was */
};

static pid_t ktap_child;

static void __attribute__((format(printf, 2, 3)))
ktap_wrong(struct ktap *k, const char *fmt, ...)
{
	va_list ap;

	if (k->wrong[0])
		return;
	va_start(ap, fmt);
	vsnprintf(k->wrong, sizeof(k->wrong), fmt, ap);
	va_end(ap);
}

/* Close the subtests deeper than depth. True: there were some. */
static bool ktap_close(struct ktap *k, unsigned depth)
{
	bool any = false;

	for (unsigned d = depth + 1; d <= KTAP_DEPTH; d++) {
		struct level *l = &k->level[d];

		if (!l->planned && !l->seen)
			continue;
		any = true;
		if (!l->planned)
			ktap_wrong(k, "subtests without a plan");
		else if (l->seen != l->plan)
			ktap_wrong(k, "%u subtests of %u", l->seen, l->plan);
		*l = (struct level){ .indent = l->indent };
	}
	return any;
}

/* A deeper indent than the last line's opens a level, a shallower ends it. */
static unsigned ktap_depth(struct ktap *k, unsigned indent)
{
	unsigned d = k->depth;

	while (d > 0 && k->level[d].indent > indent)
		d--;
	if (k->level[d].indent < indent && d < KTAP_DEPTH)
		k->level[++d].indent = indent;
	k->depth = d;
	return d;
}

static void ktap_plan(struct ktap *k, unsigned depth, const char *s)
{
	struct level *l = &k->level[depth];
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (l->planned)
		ktap_wrong(k, "a second plan");
	else if (l->seen)
		ktap_wrong(k, "the plan comes after results");
	l->planned = true;
	l->plan = n;
	if (!depth) {
		k->plan_seen = true;
		if (!n && strstr(end, "SKIP"))
			k->skipped++;
	}
}

/* "# SKIP reason" behind the last " # " of a result. */
static bool ktap_directive(const char *s, const char *word)
{
	const char *at = NULL, *p = s;
	size_t n = strlen(word);

	while ((p = strstr(p, "# ")))
		at = p += 2;
	return at && !strncmp(at, word, n) && !isalnum((unsigned char)at[n]);
}

static void ktap_leaf(struct ktap *k, struct level *l, bool ok, const char *s)
{
	if (ktap_directive(s, "SKIP")) {
		k->skipped++;
	} else if (ktap_directive(s, "XFAIL")) {
		k->xfailed++;
	} else if (ok) {
		k->passed++;
	} else {
		k->failed++;
		l->failed++;
	}
}

static void ktap_result(struct ktap *k, unsigned depth, bool ok, const char *s)
{
	struct level *l = &k->level[depth];
	unsigned below = depth < KTAP_DEPTH ? k->level[depth + 1].failed : 0;
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	l->seen++;
	if (n != l->seen)
		ktap_wrong(k, "result %lu where %u was due", n, l->seen);
	if (l->planned && l->seen > l->plan)
		ktap_wrong(k, "more results than the %u planned", l->plan);
	if (!depth && !l->planned)
		ktap_wrong(k, "a result before the plan");

	if (!ktap_close(k, depth)) {
		ktap_leaf(k, l, ok, end);
	} else if (!ok) {
		l->failed++;
		if (!below)
			ktap_wrong(k, "a suite failed whose tests passed");
	} else if (below) {
		ktap_wrong(k, "a suite passed whose tests failed");
	}
}

/* PANIC as a word of its own. */
static bool ktap_has_panic(const char *s)
{
	for (const char *p = s; (p = strstr(p, "PANIC")); p += 5)
		if ((p == s || !(isalnum((unsigned char)p[-1]) || p[-1] == '_')) &&
		    !isalnum((unsigned char)p[5]) && p[5] != '_')
			return true;
	return false;
}

static void ktap_line(struct ktap *k, const char *line)
{
	const char *s = line + strspn(line, " ");
	unsigned indent = s - line;
	int at = 0;

	k->spoke = k->spoke || *s;
	if (ktap_has_panic(s))
		k->panicked = true;
	if (!strncmp(s, "1..", 3) && isdigit((unsigned char)s[3]))
		ktap_plan(k, ktap_depth(k, indent), s + 3);
	else if (sscanf(s, "ok %*u%n", &at) == 0 && at)
		ktap_result(k, ktap_depth(k, indent), true, s + 3);
	else if (sscanf(s, "not ok %*u%n", &at) == 0 && at)
		ktap_result(k, ktap_depth(k, indent), false, s + 7);
	else if (!strncmp(s, "Bail out!", 9))
		ktap_wrong(k, "the guest bailed out");
	else if (s[0] != '#' && strncmp(s, "KTAP version ", 13))
		return;
	puts(line);
	fflush(stdout);
}

/* Lines of any bytes: NUL becomes '?', CR goes, a long line is cut. */
static void ktap_read(struct ktap *k, FILE *in)
{
	char line[KTAP_LINE];
	size_t len = 0;
	int c;

	while ((c = getc(in)) != EOF) {
		if (c == '\n') {
			line[len] = '\0';
			ktap_line(k, line);
			len = 0;
		} else if (c != '\r' && len < sizeof(line) - 1) {
			line[len++] = c ? c : '?';
		}
	}
	line[len] = '\0';
	if (len)
		ktap_line(k, line);
}

/* The log is over: what is missing from it? */
static void ktap_finish(struct ktap *k)
{
	const struct level *top = &k->level[0];

	if (ktap_close(k, 0))
		ktap_wrong(k, "it stopped inside a suite");
	if (!k->plan_seen)
		ktap_wrong(k, k->spoke ? "no plan" : "it said nothing");
	else if (top->seen < top->plan)
		ktap_wrong(k, "%u results of %u planned", top->seen, top->plan);
	if (!k->passed && !k->failed && !k->skipped && !k->xfailed)
		ktap_wrong(k, "no test ran");
}

/* How the rig ended, as waitpid() says it; -1: only a log is at hand. */
static int ktap_judge_end(struct ktap *k, int end, const char **verdict)
{
	int st = end < 0 ? QEMU_PASSED : WEXITSTATUS(end);

	if (end >= 0 && WIFSIGNALED(end))
		st = 128 + WTERMSIG(end);
	if (st == QEMU_PANIC)
		k->panicked = true;
	if (k->panicked) {
		*verdict = "panicked";
		return ST_FAIL;
	}
	switch (st) {
	case QEMU_PASSED:
		return ST_PASS;
	case QEMU_FAILED:
		*verdict = "failed";
		if (!k->failed)
			ktap_wrong(k, "the guest calls itself failed");
		return ST_FAIL;
	case 0:
		*verdict = "crashed: QEMU ended without the guest's verdict";
		return ST_FAIL;
	case 124:
	case 128 + SIGKILL:
		*verdict = "timed out";
		return ST_FAIL;
	}
	if (st > 128 && k->spoke) {
		*verdict = "crashed: QEMU was ended by a signal";
		return ST_FAIL;
	}
	*verdict = st == 127 || st == 126 ? "rig failed: no QEMU" :
		   "rig failed: QEMU gave up";
	return ST_RIG;
}

static int ktap_judge(struct ktap *k, int end, const char **verdict)
{
	int st;

	*verdict = "passed";
	ktap_finish(k);
	st = ktap_judge_end(k, end, verdict);
	if (st)
		return st;
	if (k->failed || k->wrong[0]) {
		*verdict = "failed";
		return ST_FAIL;
	}
	if (!k->passed && !k->xfailed) {
		*verdict = "skipped";
		return ST_SKIP;
	}
	return ST_PASS;
}

static void ktap_end_child(int sig)
{
	if (ktap_child > 0)
		kill(ktap_child, sig);
}

static FILE *ktap_start(char **argv)
{
	int fd[2];

	if (pipe(fd))
		return NULL;
	ktap_child = fork();
	if (ktap_child < 0)
		return NULL;
	if (!ktap_child) {
		dup2(fd[1], 1);
		close(fd[0]);
		close(fd[1]);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(fd[1]);
	signal(SIGTERM, ktap_end_child);
	signal(SIGINT, ktap_end_child);
	return fdopen(fd[0], "r");
}

static int ktap_save(const struct ktap *k, const char *path,
		     const char *verdict, int st)
{
	unsigned failed = k->failed + (st != ST_PASS && st != ST_SKIP &&
				       !k->failed);
	FILE *f = fopen(path, "w");

	if (!f)
		return -errno;
	fprintf(f, "counts %u %u %u %u\nverdict %s%s%s\n", k->passed, failed,
		k->skipped, k->xfailed, verdict, k->wrong[0] ? ": " : "",
		k->wrong);
	return fclose(f) ? -errno : 0;
}

int main(int argc, char **argv)
{
	struct ktap k = { 0 };
	const char *result = NULL, *verdict;
	FILE *in = stdin;
	int opt, end = -1, st;

	while ((opt = getopt(argc, argv, "+o:")) != -1) {
		if (opt != 'o')
			return ST_RIG;
		result = optarg;
	}
	if (optind < argc)
		in = ktap_start(argv + optind);
	if (!in) {
		perror("ktap");
		return ST_RIG;
	}
	ktap_read(&k, in);
	if (ktap_child > 0)
		while (waitpid(ktap_child, &end, 0) < 0 && errno == EINTR)
			;
	st = ktap_judge(&k, end, &verdict);
	if (result && ktap_save(&k, result, verdict, st)) {
		perror(result);
		return ST_RIG;
	}
	return st;
}
