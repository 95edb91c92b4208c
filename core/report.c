/* SPDX-License-Identifier: MIT */
/*
 * JSON lines. A line is built in the caller's struct json and printed by one
 * console_write(). Output is plain ASCII: what is not printable ASCII in a string
 * (a device's name may hold anything) becomes \u00XX, byte by byte.
 */
#include "core/report.h"

#include "core/fmt.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/string.h"

#define JSON_PREFIX	"@json "

static void json_put(struct json *j, const char *s, size_t len)
{
	if (j->overflow || len > sizeof(j->buf) - j->len) {
		j->overflow = true;
		return;
	}
	memcpy(&j->buf[j->len], s, len);
	j->len += len;
}

static void json_puts(struct json *j, const char *s)
{
	json_put(j, s, strlen(s));
}

static void json_char(struct json *j, unsigned char c)
{
	char esc[7];
	int len;

	if (c == '"' || c == '\\')
		len = fmt_snprintf(esc, sizeof(esc), "\\%c", c);
	else if (c < 0x20 || c >= 0x7f)
		len = fmt_snprintf(esc, sizeof(esc), "\\u%04x", c);
	else
		len = fmt_snprintf(esc, sizeof(esc), "%c", c);
	json_put(j, esc, len);
}

static void json_quoted(struct json *j, const char *s)
{
	json_puts(j, "\"");
	while (*s && !j->overflow)
		json_char(j, *s++);
	json_puts(j, "\"");
}

/* The comma and the key of the next value. */
static void json_key(struct json *j, const char *key)
{
	if (j->comma)
		json_puts(j, ",");
	j->comma = true;
	if (!key)
		return;
	json_quoted(j, key);
	json_puts(j, ":");
}

void json_begin(struct json *j, const char *event)
{
	j->len = 0;
	j->event = event;
	j->depth = 1;
	j->comma = j->overflow = false;
	json_puts(j, JSON_PREFIX "{");
	json_str(j, "event", event);
}

void json_u64(struct json *j, const char *key, uint64_t val)
{
	char num[24];

	json_key(j, key);
	json_put(j, num, fmt_snprintf(num, sizeof(num), "%llu",
				      (unsigned long long)val));
}

void json_i64(struct json *j, const char *key, int64_t val)
{
	char num[24];

	json_key(j, key);
	json_put(j, num, fmt_snprintf(num, sizeof(num), "%lld", (long long)val));
}

void json_hex(struct json *j, const char *key, uint64_t val)
{
	char num[24];

	json_key(j, key);
	json_put(j, num, fmt_snprintf(num, sizeof(num), "\"0x%llx\"",
				      (unsigned long long)val));
}

void json_bool(struct json *j, const char *key, bool val)
{
	json_key(j, key);
	json_puts(j, val ? "true" : "false");
}

void json_str(struct json *j, const char *key, const char *val)
{
	json_key(j, key);
	if (val)
		json_quoted(j, val);
	else
		json_puts(j, "null");
}

static void json_open(struct json *j, const char *key, const char *bracket)
{
	json_key(j, key);
	json_puts(j, bracket);
	j->comma = false;
	j->depth++;
}

void json_array(struct json *j, const char *key)
{
	json_open(j, key, "[");
}

void json_object(struct json *j, const char *key)
{
	json_open(j, key, "{");
}

void json_close(struct json *j, bool array)
{
	BUG_ON(j->depth < 2);
	json_puts(j, array ? "]" : "}");
	j->comma = true;
	j->depth--;
}

bool json_quiet;

void json_end(struct json *j)
{
	const char *event = j->event;

	BUG_ON(j->depth != 1);
	if (json_quiet)
		return;
	json_puts(j, "}\n");
	if (j->overflow) {
		json_begin(j, "overflow");
		json_str(j, "of", event);
		json_puts(j, "}\n");
	}
	if (j->overflow)		/* even the event's name is too long */
		console_printf(JSON_PREFIX "{\"event\":\"overflow\"}\n");
	else
		console_write(j->buf, j->len);
}
