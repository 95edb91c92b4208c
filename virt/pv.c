/* SPDX-License-Identifier: MIT */
/*
 * Which paravirtual features are used, and why not: the pure part. The table
 * below is all that differs between them here.
 */
#include "virt/pv.h"

#include "core/bits.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/report.h"
#include "core/string.h"

#define PV_WORD		32

static const struct pv_info {
	const char *name;
	int bit;			/* of CPUID's features, -1: none */
	enum pv_feature needs;		/* itself: nothing else */
	bool shared;			/* of use only where CPUs are preempted */
} pv_info[PV_FEATURES] = {
	[PV_KVMCLOCK]	= { "kvmclock", KVM_BIT_CLOCKSOURCE2, PV_KVMCLOCK },
	[PV_STEAL]	= { "steal", KVM_BIT_STEAL_TIME, PV_STEAL },
	[PV_EOI]	= { "eoi", KVM_BIT_PV_EOI, PV_EOI },
	[PV_TLB]	= { "tlb", KVM_BIT_PV_TLB_FLUSH, PV_STEAL, true },
	[PV_HYPERCALLS]	= { "hypercalls", -1, PV_HYPERCALLS },
	[PV_IPI]	= { "ipi", KVM_BIT_PV_SEND_IPI, PV_HYPERCALLS },
	[PV_YIELD]	= { "yield", KVM_BIT_PV_SCHED_YIELD, PV_HYPERCALLS,
			    true },
	[PV_APF]	= { "apf", KVM_BIT_ASYNC_PF_INT, PV_APF },
	[PV_HALTPOLL]	= { "haltpoll", KVM_BIT_POLL_CONTROL, PV_HALTPOLL },
};

struct pv_status pv_status[PV_FEATURES];

const char *pv_name(enum pv_feature f)
{
	return pv_info[f].name;
}

enum pv_feature pv_needs(enum pv_feature f)
{
	return pv_info[f].needs;
}

int pv_bit(enum pv_feature f)
{
	return pv_info[f].bit;
}

const char *pv_state_name(enum pv_feature f)
{
	static const char *const names[] = {
		[PV_ABSENT] = "absent", [PV_OFF] = "off", [PV_ON] = "on",
		[PV_BROKEN] = "broken",
	};

	if (pv_on(f) && READ_ONCE(pv_status[f].count))
		return "used";
	return names[pv_status[f].state];
}

/* ---- pv= ---- */

static void pv_want_all(enum pv_want want)
{
	for (unsigned f = 0; f < PV_FEATURES; f++)
		pv_status[f].want = want;
}

static bool pv_find(const char *name, size_t len, enum pv_feature *f)
{
	for (unsigned i = 0; i < PV_FEATURES; i++)
		if (strlen(pv_info[i].name) == len &&
		    memcmp(pv_info[i].name, name, len) == 0) {
			*f = (enum pv_feature)i;
			return true;
		}
	return false;
}

static bool pv_find_want(const char *value, enum pv_want *want)
{
	static const char *const values[] = {
		[PV_AUTO] = "auto", [PV_WANT_ON] = "on", [PV_WANT_OFF] = "off",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(values); i++)
		if (strcmp(values[i], value) == 0) {
			*want = (enum pv_want)i;
			return true;
		}
	return false;
}

/* What a feature named alone needs, it may have too. */
static void pv_only(enum pv_feature f, bool *only)
{
	if (!*only)
		pv_want_all(PV_WANT_OFF);
	*only = true;
	pv_status[f].want = PV_WANT_ON;
	if (pv_status[pv_info[f].needs].want == PV_WANT_OFF)
		pv_status[pv_info[f].needs].want = PV_AUTO;
}

static bool pv_parse_word(const char *word, bool *only)
{
	const char *colon = strchr(word, ':');
	enum pv_want want;
	enum pv_feature f;

	if (strcmp(word, "all") == 0)
		pv_want_all(PV_AUTO);
	else if (strcmp(word, "off") == 0)
		pv_want_all(PV_WANT_OFF);
	else if (!pv_find(word, colon ? (size_t)(colon - word) : strlen(word),
			  &f))
		return false;
	else if (!colon)
		pv_only(f, only);
	else if (pv_find_want(colon + 1, &want))
		pv_status[f].want = want;
	else
		return false;
	return true;
}

static void pv_complain(const char *word)
{
	char known[PV_FEATURES * 12];
	size_t n = 0;

	for (unsigned f = 0; f < PV_FEATURES; f++)
		n += fmt_snprintf(known + n, sizeof(known) - n, "%s%s",
				  f ? ", " : "", pv_info[f].name);
	log_warn("pv", "pv=%s is ignored: known are all, off, and %s, alone or "
		 "with :on, :off or :auto", word, known);
}

unsigned pv_parse(const char *text)
{
	unsigned refused = 0;
	bool only = false;

	pv_want_all(PV_AUTO);
	while (text && *text) {
		const char *comma = strchr(text, ',');
		size_t len = comma ? (size_t)(comma - text) : strlen(text);
		char word[PV_WORD];

		fmt_snprintf(word, sizeof(word), "%.*s", (int)len, text);
		if (len && (len >= sizeof(word) ||
			    !pv_parse_word(word, &only))) {
			pv_complain(word);
			refused++;
		}
		text += len + (comma ? 1 : 0);
	}
	return refused;
}

/* ---- deciding ---- */

static void pv_set(enum pv_feature f, enum pv_state state, const char *fmt,
		   ...) __printf(3, 4);
static void pv_set(enum pv_feature f, enum pv_state state, const char *fmt,
		   ...)
{
	va_list ap;

	va_start(ap, fmt);
	fmt_vsnprintf(pv_status[f].why, sizeof(pv_status[f].why), fmt, ap);
	va_end(ap);
	WRITE_ONCE(pv_status[f].state, state);
}

/* Polling burns what a neighbour could use: only where there is none. */
static bool pv_poll_helps(uint32_t hints, bool cheap)
{
	if (!(hints & KVM_HINT_REALTIME))
		pv_set(PV_HALTPOLL, PV_OFF,
		       "auto: no REALTIME hint, CPUs may be shared");
	else if (!cheap)
		pv_set(PV_HALTPOLL, PV_OFF,
		       "auto: an instruction costs too much here to poll");
	else
		return true;
	return false;
}

static bool pv_helps(enum pv_feature f, uint32_t hints, bool cheap)
{
	if (pv_info[f].shared && (hints & KVM_HINT_REALTIME)) {
		pv_set(f, PV_OFF, "auto: REALTIME hint, CPUs are not preempted");
		return false;
	}
	return f != PV_HALTPOLL || pv_poll_helps(hints, cheap);
}

static void pv_decide_one(enum pv_feature f, uint32_t features,
			  uint32_t hints, bool cheap)
{
	enum pv_feature needs = pv_info[f].needs;
	int bit = pv_info[f].bit;

	if (bit >= 0 && !(features & BIT(bit)))
		pv_set(f, PV_ABSENT, "CPUID 0x40000001 EAX bit %d is clear",
		       bit);
	else if (pv_status[f].want == PV_WANT_OFF)
		pv_set(f, PV_OFF, "pv=");
	else if (needs != f && pv_status[needs].state != PV_ON)
		pv_set(f, pv_status[needs].state, "needs %s: %s",
		       pv_info[needs].name, pv_status[needs].why);
	else if (pv_status[f].want == PV_WANT_ON || pv_helps(f, hints, cheap))
		pv_set(f, PV_ON, "%s", "");
}

/* A feature stands behind what it needs in the enum. */
void pv_decide(bool kvm, uint32_t features, uint32_t hints, bool cheap)
{
	if (!(features & BIT(KVM_BIT_ASYNC_PF)))
		features &= ~BIT(KVM_BIT_ASYNC_PF_INT);
	for (unsigned f = 0; f < PV_FEATURES; f++)
		if (kvm)
			pv_decide_one((enum pv_feature)f, features, hints,
				      cheap);
		else
			pv_set((enum pv_feature)f, PV_ABSENT, "not under KVM");
}

void pv_allow(enum pv_feature f, bool on)
{
	if (pv_status[f].state == PV_OFF && on)
		pv_set(f, PV_ON, "%s", "");
	else if (pv_status[f].state == PV_ON && !on)
		pv_set(f, PV_OFF, "switched off");
}

void pv_count(enum pv_feature f)
{
	__atomic_fetch_add(&pv_status[f].count, 1, __ATOMIC_RELAXED);
}

void pv_refresh(void)
{
	pv_status[PV_EOI].count = pv_arch_eois(true);
	pv_status[PV_HALTPOLL].count = pv_arch_polled();
}

void pv_break(enum pv_feature f, const char *fmt, ...)
{
	char why[sizeof(pv_status[f].why)];
	va_list ap;

	va_start(ap, fmt);
	fmt_vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (!pv_on(f))
		return;
	pv_set(f, PV_BROKEN, "%s", why);
	log_warn("pv", "%s is broken: %s", pv_info[f].name, why);
	for (unsigned i = 0; i < PV_FEATURES; i++)
		if (i != f && pv_info[i].needs == f && pv_on(i))
			pv_set(i, PV_BROKEN, "needs %s: %s", pv_info[f].name,
			       why);
}

/* ---- the report ---- */

static void pv_report_one(enum pv_feature f)
{
	struct pv_status *s = &pv_status[f];
	struct json j;

	console_printf("  %-10s ", pv_info[f].name);
	if (pv_info[f].bit >= 0)
		console_printf("%3d", pv_info[f].bit);
	else
		console_printf("  -");
	console_printf("  %-6s %10llu  %s\n", pv_state_name(f),
		       (unsigned long long)READ_ONCE(s->count), s->why);
	json_begin(&j, "pv");
	json_str(&j, "feature", pv_info[f].name);
	json_str(&j, "state", pv_state_name(f));
	if (pv_info[f].bit >= 0)
		json_u64(&j, "bit", (uint64_t)pv_info[f].bit);
	json_u64(&j, "count", READ_ONCE(s->count));
	if (s->state != PV_ON)
		json_str(&j, "why", s->why);
	json_end(&j);
}

void pv_report(void)
{
	pv_refresh();
	console_printf("  feature    bit  state       count  why\n");
	for (unsigned f = 0; f < PV_FEATURES; f++)
		pv_report_one((enum pv_feature)f);
}
