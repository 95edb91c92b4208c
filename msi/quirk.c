/* SPDX-License-Identifier: MIT */
#include "msi/quirk.h"

#include "core/cmdline.h"
#include "core/errno.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/string.h"

#define QUIRK_LINE	256		/* bytes of irq.quirk= */
#define QUIRK_WORDS	16

static const struct cmdline_key quirk_key = {
	"irq.quirk", "V:D[:SV:SD]=intx|nomsi|nomsix|max=N,…",
	"how devices may interrupt, by PCI ids in hexadecimal" };
CMDLINE_KEY(quirk_key);

/*
 * The chip's messages are lost, or a second vector is (a controller that
 * announces several and signals all of its queues through the first).
 */
static const struct quirk quirk_table[] = {
	{ 0x1002, 0x4380, 0, IRQ_MSIX | IRQ_MSI, 0, "ATI SB600 AHCI" },
	{ 0x10de, 0x044c, 0, IRQ_MSIX | IRQ_MSI, 0, "nForce MCP65 AHCI" },
	{ 0x10de, 0x044d, 0, IRQ_MSIX | IRQ_MSI, 0, "nForce MCP65 AHCI" },
	{ 0x10de, 0x044e, 0, IRQ_MSIX | IRQ_MSI, 0, "nForce MCP65 AHCI" },
	{ 0x10de, 0x044f, 0, IRQ_MSIX | IRQ_MSI, 0, "nForce MCP65 AHCI" },
	{ 0x106b, 0x2001, 0, 0, 1, "Apple ANS2 NVMe" },
	{ 0x106b, 0x2003, 0, 0, 1, "Apple ANS2 NVMe" },
};

/* What irq.quirk= said when it was last looked at. */
static struct {
	char line[QUIRK_LINE];
	unsigned n;
	struct quirk word[QUIRK_WORDS];
} quirk_line;

/* ---- words ---- */

static int quirk_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One to four hexadecimal digits and the character end; -EINVAL. */
static int quirk_id(const char **p, char end, uint16_t *id)
{
	unsigned val = 0, n = 0;

	for (; quirk_digit(**p) >= 0 && n < 4; n++)
		val = val << 4 | (unsigned)quirk_digit(*(*p)++);
	if (!n || *(*p)++ != end)
		return -EINVAL;
	*id = (uint16_t)val;
	return 0;
}

static int quirk_number(const char *p, unsigned *out)
{
	unsigned val = 0;

	for (; *p >= '0' && *p <= '9' && val < 10000; p++)
		val = val * 10 + (unsigned)(*p - '0');
	if (*p || !val)
		return -EINVAL;
	*out = val;
	return 0;
}

static int quirk_what(const char *p, struct quirk *q)
{
	if (!strncmp(p, "max=", 4))
		return quirk_number(p + 4, &q->max);
	if (!strcmp(p, "intx"))
		q->never = IRQ_MSIX | IRQ_MSI;
	else if (!strcmp(p, "nomsi"))
		q->never = IRQ_MSI;
	else if (!strcmp(p, "nomsix"))
		q->never = IRQ_MSIX;
	else
		return -EINVAL;
	return 0;
}

static bool quirk_has_sub(const char *word)
{
	unsigned colons = 0;

	for (; *word && *word != '='; word++)
		colons += *word == ':';
	return colons == 3;
}

int quirk_parse(const char *word, struct quirk *out)
{
	bool sub = quirk_has_sub(word);
	uint16_t sv = 0, sd = 0;
	const char *p = word;

	*out = (struct quirk){ 0 };
	if (quirk_id(&p, ':', &out->vendor) ||
	    quirk_id(&p, sub ? ':' : '=', &out->device))
		return -EINVAL;
	if (sub && (quirk_id(&p, ':', &sv) || quirk_id(&p, '=', &sd)))
		return -EINVAL;
	out->sub = (uint32_t)sv << 16 | sd;
	fmt_snprintf(out->why, sizeof(out->why), "irq.quirk=%s", word);
	return quirk_what(p, out);
}

/* ---- the command line ---- */

static void quirk_add(const char *word)
{
	struct quirk *q = &quirk_line.word[quirk_line.n];

	if (quirk_line.n == QUIRK_WORDS)
		log_err("irq", "irq.quirk=: \"%s\" left out, there is room for %u",
			word, QUIRK_WORDS);
	else if (quirk_parse(word, q))
		log_err("irq", "irq.quirk=: \"%s\" refused, want "
			"VENDOR:DEVICE=intx|nomsi|nomsix|max=N", word);
	else
		quirk_line.n++;
}

/* line is cut up. */
static void quirk_split(char *line)
{
	for (char *w = line, *next; w; w = next) {
		next = strchr(w, ',');
		if (next)
			*next++ = '\0';
		quirk_add(w);
	}
}

/* Parsed, and complained about, when it is not what it was. */
static void quirk_read_line(void)
{
	char line[QUIRK_LINE] = "";
	int err = cmdline_get("irq.quirk", line, sizeof(line));

	if (!strcmp(line, quirk_line.line))
		return;
	memcpy(quirk_line.line, line, sizeof(line));
	quirk_line.n = 0;
	if (err == -E2BIG)
		log_err("irq", "irq.quirk= is longer than %u bytes: cut",
			QUIRK_LINE - 1);
	quirk_split(line);
}

/* ---- a device's ---- */

static bool quirk_matches(const struct quirk *q, const struct pci_dev *p)
{
	return q->vendor == p->vendor && q->device == p->device &&
	       (!q->sub || q->sub == ((uint32_t)p->subvendor << 16 |
				      p->subdevice));
}

static void quirk_merge(struct quirk *out, const struct quirk *q, unsigned n,
			const struct pci_dev *p)
{
	for (; n-- > 0; q++) {
		if (!quirk_matches(q, p))
			continue;
		out->never |= q->never;
		if (q->max && (!out->max || q->max < out->max))
			out->max = q->max;
		if (!out->why[0])
			memcpy(out->why, q->why, sizeof(out->why));
	}
}

void quirk_of(const struct pci_dev *p, struct quirk *out)
{
	*out = (struct quirk){ .vendor = p->vendor, .device = p->device };
	quirk_read_line();
	quirk_merge(out, quirk_line.word, quirk_line.n, p);
	quirk_merge(out, quirk_table, ARRAY_SIZE(quirk_table), p);
}
