/* SPDX-License-Identifier: MIT */
/*
 * A line editor for a terminal on a serial line, and a dispatcher. What is
 * typed is echoed here. Keys: Backspace, Ctrl-U (clear), Ctrl-C (new line),
 * up and down (history). Words are separated by blanks; "…" and '…' hold
 * them together and a backslash takes the next character as it is.
 */
#include "core/monitor.h"

#include "core/cmdline.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/string.h"

#define MONITOR_LINE	256
#define MONITOR_HISTORY	8
#define MONITOR_PROMPT	"lodger> "
#define MONITOR_WIDTH	28		/* of the left column of help */

#define MONITOR_CTRL(c)	((c) & 0x1f)
#define MONITOR_ESC	0x1b
#define MONITOR_DEL	0x7f

SET_DECLARE(monitor_cmd, struct monitor_cmd);
SET_DECLARE(cmdline_key, struct cmdline_key);

struct monitor_edit {
	char line[MONITOR_LINE];
	size_t len;
	bool after_cr;			/* the LF of a CR LF ends no line */
	unsigned back;			/* lines up in the history, 0: none */
	char draft[MONITOR_LINE];	/* what was typed before going up */
};

/* The monitor's thread only: */
static struct {
	char line[MONITOR_HISTORY][MONITOR_LINE];
	unsigned count;			/* lines ever kept */
} monitor_history;

/* ---- editing ---- */

static void monitor_puts(const char *s)
{
	console_write(s, strlen(s));
}

static void monitor_erase(struct monitor_edit *e, size_t n)
{
	while (n-- > 0 && e->len > 0) {
		e->len--;
		monitor_puts("\b \b");
	}
}

static void monitor_type(struct monitor_edit *e, char c)
{
	if (e->len + 1 == sizeof(e->line)) {
		monitor_puts("\a");
		return;
	}
	e->line[e->len++] = c;
	console_write(&c, 1);
}

static void monitor_replace(struct monitor_edit *e, const char *with)
{
	monitor_erase(e, e->len);
	while (*with)
		monitor_type(e, *with++);
}

/* The line n up from the newest (n from 1). */
static char *monitor_recall(unsigned n)
{
	return monitor_history.line[(monitor_history.count - n) %
				    MONITOR_HISTORY];
}

static void monitor_keep(const char *line)
{
	if (!*line)
		return;
	if (monitor_history.count && strcmp(monitor_recall(1), line) == 0)
		return;
	monitor_history.count++;
	memcpy(monitor_recall(1), line, strlen(line) + 1);
}

static void monitor_up(struct monitor_edit *e)
{
	if (e->back == MIN(monitor_history.count, (unsigned)MONITOR_HISTORY))
		return;
	if (e->back++ == 0) {
		e->line[e->len] = '\0';
		memcpy(e->draft, e->line, e->len + 1);
	}
	monitor_replace(e, monitor_recall(e->back));
}

static void monitor_down(struct monitor_edit *e)
{
	if (e->back == 0)
		return;
	e->back--;
	monitor_replace(e, e->back ? monitor_recall(e->back) : e->draft);
}

/*
 * Behind ESC: "[" or "O", then perhaps parameters, then one final letter
 * (ECMA-48, 5.4). Returns false at the end of the session.
 */
static bool monitor_escape(struct monitor_edit *e, int (*getc)(void))
{
	int c = getc();

	if (c == '[' || c == 'O')
		do
			c = getc();
		while (c >= 0x20 && c < 0x40);
	if (c == 'A')
		monitor_up(e);
	else if (c == 'B')
		monitor_down(e);
	return c >= 0;
}

static void monitor_abandon(struct monitor_edit *e)
{
	monitor_puts("^C\n" MONITOR_PROMPT);
	e->len = 0;
	e->back = 0;
}

/* One key. Returns 1 when the line is complete, -1 at the session's end. */
static int monitor_key(struct monitor_edit *e, int c, int (*getc)(void))
{
	bool after_cr = e->after_cr;

	e->after_cr = c == '\r';
	switch (c) {
	case '\n':
		return !after_cr;
	case '\r':
		return 1;
	case '\b':
	case MONITOR_DEL:
		monitor_erase(e, 1);
		return 0;
	case MONITOR_CTRL('U'):
		monitor_erase(e, e->len);
		return 0;
	case MONITOR_CTRL('C'):
		monitor_abandon(e);
		return 0;
	case MONITOR_ESC:
		return monitor_escape(e, getc) ? 0 : -1;
	case '\t':
		c = ' ';
		break;
	}
	if (c >= ' ' && c < MONITOR_DEL)
		monitor_type(e, c);
	return c < 0 ? -1 : 0;
}

/* Read one line into e->line. Returns false at the end of the session. */
static bool monitor_read(struct monitor_edit *e, int (*getc)(void))
{
	int done;

	e->len = 0;
	e->back = 0;
	monitor_puts(MONITOR_PROMPT);
	do
		done = monitor_key(e, getc(), getc);
	while (!done);
	e->line[e->len] = '\0';
	monitor_puts("\n");
	return done > 0;
}

/* ---- words ---- */

/*
 * Take the next word off *pos, in place; quotes and backslashes go. Returns it,
 * NULL at the end; *err is -EINVAL when a quote has no partner.
 */
static char *monitor_word(char **pos, int *err)
{
	char *p = *pos, *word, *out, quote = 0;

	while (*p == ' ')
		p++;
	if (!*p)
		return NULL;
	for (word = out = p; *p && (quote || *p != ' '); p++) {
		if (*p == quote)
			quote = 0;
		else if (!quote && (*p == '"' || *p == '\''))
			quote = *p;
		else if (*p == '\\' && quote != '\'' && p[1])
			*out++ = *++p;
		else
			*out++ = *p;
	}
	*err = quote ? -EINVAL : 0;
	*pos = *p ? p + 1 : p;
	*out = '\0';
	return word;
}

/* Returns argc, -EINVAL (quotes) or -E2BIG (too many words). */
static int monitor_split(char *line, char **argv)
{
	int argc = 0, err = 0;
	char *word;

	while ((word = monitor_word(&line, &err))) {
		if (err)
			return err;
		if (argc == MONITOR_ARGS)
			return -E2BIG;
		argv[argc++] = word;
	}
	argv[argc] = NULL;
	return argc;
}

/* ---- commands ---- */

static const struct monitor_cmd *monitor_find(const char *name)
{
	SET_FOREACH(c, monitor_cmd)
		if (strcmp((*c)->name, name) == 0)
			return *c;
	return NULL;
}

/* Columns that UTF-8 takes: none for a byte that continues a character. */
static int monitor_columns(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static void monitor_help_line(const char *name, const char *args,
			      const char *help)
{
	int room = MONITOR_WIDTH - 3 - monitor_columns(name);

	args = args ? args : "";
	room -= monitor_columns(args);
	console_printf("  %s %s%*s %s\n", name, args, room > 0 ? room : 0, "",
		       help);
}

/* The command that follows name in the alphabet. */
static const struct monitor_cmd *monitor_after(const char *name)
{
	const struct monitor_cmd *best = NULL;

	SET_FOREACH(c, monitor_cmd)
		if (strcmp((*c)->name, name) > 0 &&
		    (!best || strcmp((*c)->name, best->name) < 0))
			best = *c;
	return best;
}

static void monitor_help_all(void)
{
	const struct monitor_cmd *c = monitor_after("");

	monitor_puts("Commands:\n");
	for (; c; c = monitor_after(c->name))
		monitor_help_line(c->name, c->args, c->help);
	monitor_puts("Kernel command line:\n");
	SET_FOREACH(k, cmdline_key)
		monitor_help_line((*k)->key, (*k)->values, (*k)->help);
}

static int monitor_help(int argc, char **argv)
{
	const struct monitor_cmd *c;

	if (argc < 2) {
		monitor_help_all();
		return 0;
	}
	c = monitor_find(argv[1]);
	if (!c)
		return -ENOENT;
	monitor_help_line(c->name, c->args, c->help);
	return 0;
}

static const struct monitor_cmd monitor_help_cmd = {
	.name = "help", .args = "[COMMAND]", .help = "what can be typed here",
	.run = monitor_help,
};
MONITOR_CMD(monitor_help_cmd);

/* monitor_loop() itself ends at this one, so that its caller decides how. */
static int monitor_poweroff(int argc, char **argv)
{
	return 0;
}

static const struct monitor_cmd monitor_poweroff_cmd = {
	.name = "poweroff", .args = "", .help = "end the session and the machine",
	.run = monitor_poweroff,
};
MONITOR_CMD(monitor_poweroff_cmd);

static int monitor_run(int argc, char **argv)
{
	const struct monitor_cmd *c;

	if (argc <= 0)
		return argc;
	c = monitor_find(argv[0]);
	return c ? c->run(argc, argv) : -ENOENT;
}

int monitor_exec(char *line)
{
	char *argv[MONITOR_ARGS + 1];

	return monitor_run(monitor_split(line, argv), argv);
}

static void monitor_say(int argc, char **argv, int err)
{
	const struct monitor_cmd *c = argc > 0 ? monitor_find(argv[0]) : NULL;

	if (argc == -E2BIG)
		console_printf("more than %u words\n", MONITOR_ARGS);
	else if (argc < 0)
		console_printf("a quote has no partner\n");
	else if (err == -ENOENT && !c)
		console_printf("%s: no such command; try help\n", argv[0]);
	else if (err == -EINVAL && c->args && *c->args)
		console_printf("%s: %s; usage: %s %s\n", argv[0],
			       errno_name(err), c->name, c->args);
	else if (err)
		console_printf("%s: %s\n", argv[0], errno_name(err));
}

void monitor_loop(int (*getc)(void))
{
	static struct monitor_edit e;
	char *argv[MONITOR_ARGS + 1];
	int argc;

	e.after_cr = false;
	while (monitor_read(&e, getc)) {
		monitor_keep(e.line);
		argc = monitor_split(e.line, argv);
		monitor_say(argc, argv, monitor_run(argc, argv));
		if (argc > 0 && strcmp(argv[0], "poweroff") == 0)
			return;
	}
}
