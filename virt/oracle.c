/* SPDX-License-Identifier: MIT */
/*
 * The oracle's output. For a person: tables of up to ORACLE_COLUMNS. For a
 * program: @json lines of event "oracle", each with a group and its rows, as many
 * as fit; the first, group "machine", says how many rows there are in all, so
 * that a reader knows when some are missing.
 */
#include "virt/oracle.h"

#include "core/fmt.h"
#include "core/log.h"
#include "core/report.h"
#include "core/string.h"
#include "virt/oraclereg.h"

#define ORACLE_FORMAT	1		/* of the lines; docs/oracle.md */
#define ORACLE_COLUMNS	100
#define ORACLE_ROW	480		/* bytes that any row's JSON fits in */

/* ---- for a person ---- */

/* The words of text between column at and the right edge; the cursor is there. */
static void oracle_print_wrapped(const char *text, unsigned at)
{
	unsigned room = ORACLE_COLUMNS - at;
	size_t len = strlen(text), n;

	while (len > room) {
		for (n = room; n > 0 && text[n] != ' '; n--)
			;
		n = n ? n : room;
		console_printf("%.*s\n%*s", (int)n, text, (int)at, "");
		text += n;
		while (*text == ' ')
			text++;
		len = strlen(text);
	}
	console_printf("%s\n", text);
}

static void oracle_print_feature(void *ctx, const struct oracle_feature *f)
{
	char state[24];

	if (f->counted && f->count)
		fmt_snprintf(state, sizeof(state), "%s %llu",
			     oracle_state_name(f->state),
			     (unsigned long long)f->count);
	else
		fmt_snprintf(state, sizeof(state), "%s",
			     oracle_state_name(f->state));
	if (!f->why[0]) {
		console_printf("  %-24s %-16s %s\n", f->name, f->where, state);
		return;
	}
	console_printf("  %-24s %-16s %-14s ", f->name, f->where, state);
	oracle_print_wrapped(f->why, 59);
}

static void oracle_print_check(void *ctx, const struct oracle_check *c)
{
	console_printf("  %-24s %-7s ", c->name,
		       oracle_verdict_name(c->verdict));
	oracle_print_wrapped(c->why, 35);
}

static void oracle_print_diff(const struct oracle_diff *d)
{
	console_printf("  CPU %u: leaf 0x%x.%u %s is %08x, the boot CPU's "
		       "%08x\n", d->cpu, d->leaf, d->sub,
		       oracle_reg_name(d->reg), d->here, d->boot);
}

static void oracle_print_bases(const struct oracle *o)
{
	for (unsigned i = 0; i < o->cpuid.bases; i++) {
		const struct oracle_base *b = &o->cpuid.base[i];
		const char *name = hyper_letters_name(b->letters);

		console_printf("  0x%x \"%s\" (%s), leaves to 0x%x\n", b->base,
			       b->letters, name ? name : "unknown", b->max);
	}
}

void oracle_print(const struct oracle *o)
{
	console_printf("\n%u leaves of CPUID, on %u of %u CPUs; hypervisors' "
		       "interfaces: %u\n", o->cpuid.n, o->facts.read,
		       o->facts.cpus, o->cpuid.bases);
	oracle_print_bases(o);
	console_printf("\n  feature                  where            "
		       "state          why not\n");
	oracle_features(o, oracle_print_feature, NULL);
	console_printf("\n  check                    verdict why\n");
	oracle_checks(o, oracle_print_check, NULL);
	for (unsigned i = 0; i < MIN(o->diffs.n, (unsigned)ORACLE_DIFFS); i++)
		oracle_print_diff(&o->diffs.diff[i]);
}

void oracle_print_cpuid(const struct oracle *o)
{
	console_printf("  leaf     sub       eax      ebx      ecx      edx\n");
	for (unsigned i = 0; i < o->cpuid.n; i++) {
		const struct oracle_leaf *l = &o->cpuid.leaf[i];

		console_printf("  %08x %3u  %08x %08x %08x %08x\n", l->leaf,
			       l->sub, l->reg[0], l->reg[1], l->reg[2],
			       l->reg[3]);
	}
}

/* ---- for a program ---- */

struct oracle_lines {
	struct json j;
	const char *group;
	bool open;
};

static void oracle_line_end(struct oracle_lines *l)
{
	if (!l->open)
		return;
	json_close(&l->j, true);
	json_end(&l->j);
	l->open = false;
}

/* The next row; on a new line when it might not fit. */
static struct json *oracle_row_open(struct oracle_lines *l)
{
	if (l->open && l->j.len + ORACLE_ROW > sizeof(l->j.buf))
		oracle_line_end(l);
	if (!l->open) {
		json_begin(&l->j, "oracle");
		json_str(&l->j, "group", l->group);
		json_array(&l->j, "rows");
		l->open = true;
	}
	json_object(&l->j, NULL);
	return &l->j;
}

static void oracle_json_cpuid(const struct oracle *o)
{
	struct oracle_lines l = { .group = "cpuid" };

	for (unsigned i = 0; i < o->cpuid.n; i++) {
		const struct oracle_leaf *leaf = &o->cpuid.leaf[i];
		struct json *j = oracle_row_open(&l);

		json_hex(j, "leaf", leaf->leaf);
		json_u64(j, "sub", leaf->sub);
		for (unsigned r = 0; r < 4; r++)
			json_hex(j, oracle_reg_name((enum oracle_reg)r),
				 leaf->reg[r]);
		json_close(j, false);
	}
	oracle_line_end(&l);
}

static void oracle_json_diffs(const struct oracle *o)
{
	struct oracle_lines l = { .group = "differences" };

	for (unsigned i = 0; i < MIN(o->diffs.n, (unsigned)ORACLE_DIFFS); i++) {
		const struct oracle_diff *d = &o->diffs.diff[i];
		struct json *j = oracle_row_open(&l);

		json_u64(j, "cpu", d->cpu);
		json_hex(j, "leaf", d->leaf);
		json_u64(j, "sub", d->sub);
		json_str(j, "register", oracle_reg_name(d->reg));
		json_hex(j, "boot_cpu", d->boot);
		json_hex(j, "here", d->here);
		json_close(j, false);
	}
	oracle_line_end(&l);
}

static void oracle_json_feature(void *ctx, const struct oracle_feature *f)
{
	struct json *j = oracle_row_open(ctx);

	json_str(j, "name", f->name);
	json_str(j, "where", f->where);
	json_bool(j, "offered", f->offered);
	json_str(j, "state", oracle_state_name(f->state));
	json_str(j, "why", f->why);
	if (f->counted)
		json_u64(j, "count", f->count);
	json_bool(j, "proven", f->proven);
	json_str(j, "check", f->check);
	json_close(j, false);
}

static void oracle_json_check(void *ctx, const struct oracle_check *c)
{
	struct json *j = oracle_row_open(ctx);

	json_str(j, "check", c->name);
	json_str(j, "verdict", oracle_verdict_name(c->verdict));
	json_str(j, "why", c->why);
	json_close(j, false);
}

static void oracle_count_feature(void *ctx, const struct oracle_feature *f)
{
	*(unsigned *)ctx += 1;
}

static void oracle_count_check(void *ctx, const struct oracle_check *c)
{
	((unsigned *)ctx)[c->verdict]++;
}

static void oracle_json_machine(const struct oracle *o)
{
	unsigned features = 0, verdicts[ORACLE_VERDICTS] = { 0 };
	struct json j;

	oracle_features(o, oracle_count_feature, &features);
	oracle_checks(o, oracle_count_check, verdicts);
	json_begin(&j, "oracle");
	json_str(&j, "group", "machine");
	json_u64(&j, "format", ORACLE_FORMAT);
	json_u64(&j, "cpus", o->facts.cpus);
	json_u64(&j, "cpus_read", o->facts.read);
	json_u64(&j, "leaves", o->cpuid.n);
	json_u64(&j, "features", features);
	json_u64(&j, "differences", o->diffs.n);
	json_object(&j, "verdicts");
	for (unsigned v = 0; v < ORACLE_VERDICTS; v++)
		json_u64(&j, oracle_verdict_name((enum oracle_verdict)v),
			 verdicts[v]);
	json_close(&j, false);
	json_array(&j, "interfaces");
	for (unsigned i = 0; i < o->cpuid.bases; i++) {
		const struct oracle_base *b = &o->cpuid.base[i];

		json_object(&j, NULL);
		json_hex(&j, "base", b->base);
		json_hex(&j, "max", b->max);
		json_str(&j, "letters", b->letters);
		json_str(&j, "name", hyper_letters_name(b->letters));
		json_close(&j, false);
	}
	json_close(&j, true);
	json_end(&j);
}

void oracle_json(const struct oracle *o)
{
	struct oracle_lines features = { .group = "features" };
	struct oracle_lines checks = { .group = "checks" };

	oracle_json_machine(o);
	oracle_json_cpuid(o);
	oracle_json_diffs(o);
	oracle_features(o, oracle_json_feature, &features);
	oracle_line_end(&features);
	oracle_checks(o, oracle_json_check, &checks);
	oracle_line_end(&checks);
}
