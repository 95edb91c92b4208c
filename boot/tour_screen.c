/* SPDX-License-Identifier: MIT */
/* The tour's last steps: find the picture that is on the disk, and show it. */
#include "boot/tour.h"

#include "blk/gpt.h"
#include "boot/init.h"
#include "core/clock.h"
#include "core/fmt.h"
#include "core/heap.h"
#include "core/report.h"
#include "core/string.h"
#include "gfx/dashboard.h"
#include "virt/hyper.h"

#define TOUR_PICTURE_MAX	(MIB(4) - PAGE_SIZE)	/* one heap block */
#define TOUR_PPM_HEADER		PAGE_SIZE	/* read to see what it is */
#define TOUR_LINES		20
#define TOUR_PARAGRAPHS	3

/* ---- the picture ---- */

static void *tour_read(struct blk_dev *bd, uint64_t lba, size_t bytes)
{
	size_t len = ALIGN_UP(bytes, (size_t)bd->block_size);
	void *p = heap_alloc(len);

	if (p && blk_read(bd, lba, p, len)) {
		heap_free(p);
		return NULL;
	}
	return p;
}

/* A PPM in the blocks first to last? */
static bool tour_try_picture(struct tour *t, uint64_t first, uint64_t last,
			     const char *from)
{
	uint64_t room = (last - first + 1) * t->bd->block_size;
	size_t head = (size_t)MIN(room, (uint64_t)TOUR_PPM_HEADER);
	struct ppm ppm = { 0 };
	void *p = tour_read(t->bd, first, head);

	if (p)
		ppm_parse(p, head, &ppm);
	heap_free(p);
	if (!ppm.need || ppm.need > room)
		return false;
	if (ppm.need > TOUR_PICTURE_MAX) {
		tour_say("picture", "%ux%u in %s is too large to show",
			 ppm.width, ppm.height, from);
		return false;
	}
	t->picture = tour_read(t->bd, first, ppm.need);
	if (!t->picture)
		return false;
	t->picture_bytes = ppm.need;
	fmt_snprintf(t->picture_from, sizeof(t->picture_from), "%s", from);
	tour_say("picture", "%ux%u, from %s", ppm.width, ppm.height, from);
	return true;
}

/* Printable from its first byte to its last, or to the first NUL? */
static bool tour_is_text(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n && s[i]; i++)
		if ((s[i] < ' ' && s[i] != '\n' && s[i] != '\t') ||
		    s[i] == 0x7f)
			return false;
	return i;
}

static bool tour_try_text(struct tour *t, uint64_t first, uint64_t last,
			  const char *from)
{
	size_t room = (size_t)MIN((last - first + 1) * t->bd->block_size,
				  (uint64_t)sizeof(t->text) - 1);
	char *p = t->text[0] ? NULL : tour_read(t->bd, first, room);
	bool found = p && tour_is_text(p, room);

	if (found) {
		memcpy(t->text, p, room);
		fmt_snprintf(t->text_from, sizeof(t->text_from),
			     "From %s", from);
	}
	heap_free(p);
	return found;
}

static void tour_look_into(struct tour *t, const struct gpt_part *part)
{
	char from[48];

	fmt_snprintf(from, sizeof(from), "partition \"%s\"", part->name);
	if (!t->picture && tour_try_picture(t, part->first, part->last, from))
		return;
	tour_try_text(t, part->first, part->last, from);
}

void tour_find_content(struct tour *t)
{
	struct gpt *g;

	if (tour_try_picture(t, 0, t->bd->blocks - 1, "the disk itself"))
		return;
	g = heap_alloc(sizeof(*g));
	if (g && !blk_partitions(t->bd, g))
		for (unsigned i = 0; i < g->nparts; i++)
			tour_look_into(t, &g->part[i]);
	heap_free(g);
}

/* ---- the screen ---- */

struct tour_page {
	struct dashboard d;
	struct dashboard_line line[TOUR_LINES];
	char text[TOUR_LINES][160];
	struct ppm ppm;
	char plot_note[32], footer[96], caption[80];
};

static void tour_line(struct tour_page *p, const char *section,
		      const char *label, enum dashboard_tone tone,
		      const char *fmt, ...) __printf(5, 6);
static void tour_line(struct tour_page *p, const char *section,
		      const char *label, enum dashboard_tone tone,
		      const char *fmt, ...)
{
	unsigned n = p->d.nlines;
	va_list ap;

	if (n == TOUR_LINES)
		return;
	va_start(ap, fmt);
	fmt_vsnprintf(p->text[n], sizeof(p->text[n]), fmt, ap);
	va_end(ap);
	p->line[n] = (struct dashboard_line){ section, label, p->text[n], tone };
	p->d.nlines++;
}

static enum dashboard_tone tour_tone(enum tour_verdict v)
{
	return v == TOUR_PASS ? DASH_PASS : v == TOUR_FAIL ? DASH_FAIL :
	       DASH_SKIP;
}

static void tour_page_machine(struct tour_page *p)
{
	static const char s[] = "Machine";

	tour_line(p, s, "Hypervisor", DASH_PLAIN, "%s", hyper_name());
	tour_line(p, s, "Processors", DASH_PLAIN, "%u, timer %s", cpu_count(),
		  cpu_timer_name());
	tour_line(p, s, "Time", DASH_PLAIN, "TSC %lu MHz (%s)",
		  clock_tsc_hz() / 1000000, clock_source());
	tour_line(p, s, "IOMMU", DASH_PLAIN, "%s", iommu_status());
}

static void tour_page_disk(struct tour_page *p, const struct tour *t)
{
	static const char s[] = "Disk";

	if (t->disk.verdict != TOUR_PASS) {
		tour_line(p, s, "Read", tour_tone(t->disk.verdict), "%s",
			  t->disk.why);
		return;
	}
	tour_line(p, s, "Read", DASH_PASS, "%lu bytes of %s", t->bytes,
		  t->bd->name);
	tour_line(p, s, "SHA-256", DASH_PLAIN, "%s", t->sha256);
	tour_line(p, s, "Throughput", DASH_ACCENT, "%lu MB/s, %u in flight",
		  t->scan.ns ? t->scan.bytes * 1000 / t->scan.ns : 0,
		  t->scan.max_inflight);
	tour_line(p, s, "Mappings", DASH_PLAIN, "%lu made, %lu undone",
		  t->maps, t->unmaps);
	tour_line(p, s, "First read", DASH_ACCENT,
		  "%lu.%lu ms after kernel entry",
		  boot_facts.first_read / NSEC_PER_MSEC,
		  boot_facts.first_read % NSEC_PER_MSEC / 100000);
}

static void tour_page_refusal(struct tour_page *p, const struct tour *t)
{
	static const char s[] = "A DMA that must not happen";

	tour_line(p, s, "Refused", tour_tone(t->refusal.verdict), "%s",
		  t->refusal.why);
}

/* Fold one paragraph's blanks and line ends, in place; returns its end. */
static char *tour_fold(char *s)
{
	char *to = s;

	for (; *s && !(s[0] == '\n' && s[1] == '\n'); s++) {
		bool blank = *s == ' ' || *s == '\n' || *s == '\t';

		if (!blank)
			*to++ = *s;
		else if (to[-1] != ' ')
			*to++ = ' ';
	}
	while (*s == '\n')
		s++;
	*to = 0;
	return s;
}

/* The text's first paragraphs; the last one that fits only in part is not. */
static void tour_page_text(struct tour_page *p, struct tour *t)
{
	char *s = t->text;

	for (unsigned i = 0; i < TOUR_PARAGRAPHS; i++) {
		char *start, *next;

		while (*s == ' ' || *s == '\n' || *s == '\t')
			s++;
		start = s;
		if (!*start)
			break;
		next = tour_fold(s + 1);
		if (!*next || p->d.nlines == TOUR_LINES)
			break;
		p->line[p->d.nlines++] = (struct dashboard_line){
			t->text_from, NULL, start, i ? DASH_DIM : DASH_PLAIN };
		s = next;
	}
}

static void tour_page_fill(struct tour_page *p, struct tour *t)
{
	struct dashboard *d = &p->d;

	tour_page_machine(p);
	tour_page_disk(p, t);
	tour_page_refusal(p, t);
	tour_page_text(p, t);
	d->title = "Lodger";
	d->subtitle = "a guest kernel that says what the host did";
	d->verdict = t->disk.verdict == TOUR_FAIL ||
		     t->refusal.verdict == TOUR_FAIL ? DASH_FAIL :
		     t->disk.verdict == TOUR_PASS ? DASH_PASS : DASH_SKIP;
	d->line = p->line;
	if (t->picture && !ppm_parse(t->picture, t->picture_bytes, &p->ppm)) {
		d->picture = t->picture;
		d->ppm = &p->ppm;
		fmt_snprintf(p->caption, sizeof(p->caption),
			     "%ux%u, from %s", p->ppm.width,
			     p->ppm.height, t->picture_from);
		d->caption = p->caption;
	}
	d->irqs = t->irqs;
	d->ncpus = cpu_count();
	d->plot_title = "Read speed over the scan, MB/s";
	d->sample = t->sample;
	d->nsamples = t->nsamples;
	fmt_snprintf(p->footer, sizeof(p->footer), "%lu ms since kernel entry",
		     time_now() / NSEC_PER_MSEC);
	d->footer = p->footer;
}

/* "screen" tells the host that a screenshot now shows this CRC. */
static void tour_screen_report(const struct fb *fb)
{
	uint32_t crc = fb_crc32(fb, 0, 0, fb->surface.width,
				fb->surface.height);
	struct json j;

	tour_say("screen", "%ux%u on %s, scan-out from %u pieces of memory, "
		 "CRC-32 %08x", fb->surface.width, fb->surface.height,
		 fb->name, fb->nsegs, crc);
	json_begin(&j, "screen");
	json_u64(&j, "width", fb->surface.width);
	json_u64(&j, "height", fb->surface.height);
	json_u64(&j, "segs", fb->nsegs);
	json_hex(&j, "crc32", crc);
	json_end(&j);
}

void tour_screen(struct tour *t)
{
	struct tour_page *p = heap_zalloc(sizeof(*p));
	struct fb *fb = fb_get(0);
	int err;

	if (!fb) {
		tour_set(&t->screen, TOUR_SKIP,
			 "no display: no virtio-gpu that we can drive");
	} else if (!p) {
		tour_set(&t->screen, TOUR_FAIL, "out of memory");
	} else {
		tour_page_fill(p, t);
		err = dashboard_draw(fb, &p->d);
		if (err)
			tour_set(&t->screen, TOUR_FAIL, "the GPU refused: %s",
				 errno_name(err));
		else
			tour_set(&t->screen, TOUR_PASS, "%ux%u shown%s",
				 fb->surface.width, fb->surface.height,
				 t->picture ? ", with the disk's picture" : "");
		if (!err)
			tour_screen_report(fb);
	}
	heap_free(p);
}
