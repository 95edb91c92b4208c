/* SPDX-License-Identifier: MIT */
#include "core/cmdline.h"

#include "core/bootinfo.h"
#include "core/errno.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/string.h"

#define CMDLINE_VALUE	64		/* a number or a switch is shorter */

SET_DECLARE(cmdline_key, struct cmdline_key);

/* set once at start: */
static char cmdline_buf[BOOTINFO_CMDLINE];

/* One word: pointers into the text, nothing is copied. */
struct cmdline_word {
	const char *key, *val;
	size_t key_len, val_len;	/* val NULL: a bare word */
};

static bool cmdline_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* p is behind the '='. Returns where the value's word ends. */
static const char *cmdline_value(const char *p, struct cmdline_word *w)
{
	bool quoted = *p == '"';

	w->val = p += quoted;
	while (*p && (quoted ? *p != '"' : !cmdline_blank(*p)))
		p++;
	w->val_len = p - w->val;
	return quoted && *p ? p + 1 : p;
}

/* The word at or behind *pos; *pos moves on. Returns false at the end. */
static bool cmdline_next(const char **pos, struct cmdline_word *w)
{
	const char *p = *pos;

	*w = (struct cmdline_word){ 0 };
	while (cmdline_blank(*p))
		p++;
	if (!*p)
		return false;
	w->key = p;
	while (*p && *p != '=' && !cmdline_blank(*p))
		p++;
	w->key_len = p - w->key;
	*pos = *p == '=' ? cmdline_value(p + 1, w) : p;
	return true;
}

static bool cmdline_is(const char *s, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(s, word, len) == 0;
}

/* The last word with that key. */
static bool cmdline_find(const char *key, struct cmdline_word *out)
{
	const char *pos = cmdline_buf;
	struct cmdline_word w;
	bool found = false;

	while (cmdline_next(&pos, &w)) {
		if (!cmdline_is(w.key, w.key_len, key))
			continue;
		*out = w;
		found = true;
	}
	return found;
}

static bool cmdline_known(const struct cmdline_word *w)
{
	SET_FOREACH(k, cmdline_key)
		if (cmdline_is(w->key, w->key_len, (*k)->key))
			return true;
	return false;
}

unsigned cmdline_init(const char *text)
{
	const char *pos = cmdline_buf;
	struct cmdline_word w;
	unsigned unknown = 0;
	size_t len;

	len = fmt_snprintf(cmdline_buf, sizeof(cmdline_buf), "%s", text);
	if (len >= sizeof(cmdline_buf))
		log_warn("cmdline", "cut after %zu of %zu bytes",
			 sizeof(cmdline_buf) - 1, len);
	while (cmdline_next(&pos, &w)) {
		if (cmdline_known(&w))
			continue;
		log_warn("cmdline", "nobody knows \"%.*s\"", (int)w.key_len,
			 w.key);
		unknown++;
	}
	return unknown;
}

const char *cmdline_text(void)
{
	return cmdline_buf;
}

int cmdline_get(const char *key, char *buf, size_t size)
{
	struct cmdline_word w;
	int len;

	if (!cmdline_find(key, &w))
		return -ENOENT;
	len = fmt_snprintf(buf, size, "%.*s", (int)w.val_len,
			   w.val ? w.val : "");
	return (size_t)len < size ? 0 : -E2BIG;
}

bool cmdline_has(const char *key)
{
	struct cmdline_word w;

	return cmdline_find(key, &w);
}

static void cmdline_complain(const char *key, const char *val,
			     const char *wanted)
{
	log_warn("cmdline", "%s=%s is ignored: not %s", key, val, wanted);
}

uint64_t cmdline_u64(const char *key, uint64_t dflt)
{
	char val[CMDLINE_VALUE];
	uint64_t n = dflt;
	int err = cmdline_get(key, val, sizeof(val));

	if (err == -ENOENT)
		return dflt;
	if (err || fmt_parse_u64(val, true, &n))
		cmdline_complain(key, val, "a number");
	return n;
}

bool cmdline_list_has(const char *key, const char *word)
{
	const char *p, *end;
	struct cmdline_word w;
	size_t len;

	if (!cmdline_find(key, &w) || !w.val)
		return false;
	end = w.val + w.val_len;
	for (p = w.val; p < end; p += len + 1) {
		const char *comma = memchr(p, ',', end - p);

		len = (comma ? comma : end) - p;
		if (cmdline_is(p, len, word))
			return true;
	}
	return false;
}

bool cmdline_bool(const char *key, bool dflt)
{
	static const char *const on[] = { "", "on", "1", "yes" };
	static const char *const off[] = { "off", "0", "no" };
	char val[CMDLINE_VALUE];

	if (cmdline_get(key, val, sizeof(val)) == -ENOENT)
		return dflt;
	for (unsigned i = 0; i < ARRAY_SIZE(on); i++)
		if (strcmp(val, on[i]) == 0)
			return true;
	for (unsigned i = 0; i < ARRAY_SIZE(off); i++)
		if (strcmp(val, off[i]) == 0)
			return false;
	cmdline_complain(key, val, "on or off");
	return dflt;
}
