/* SPDX-License-Identifier: MIT */
/*
 * The tour: what a newcomer sees first. It reads the whole disk through the
 * IOMMU and hashes it, does one DMA that must be refused, and shows picture
 * and findings on the screen. Each step ends in PASS, FAIL, or SKIP with the
 * reason; the tour passes when something passed and nothing failed.
 */
#include "boot/tour.h"

#include "blk/nvme.h"
#include "boot/init.h"
#include "core/bits.h"
#include "core/clock.h"
#include "core/cmdline.h"
#include "core/fmt.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/pci.h"
#include "core/report.h"
#include "core/string.h"
#include "sched/sched.h"
#include "virt/hyper.h"

#define TOUR_CHUNKS	64		/* that a small disk is read in, at most */
#define TOUR_CHUNK_MAX	KIB(128)
#define TOUR_DEPTH	16		/* chunks in flight */
#define TOUR_IRQS_LINE	8		/* CPUs: 8 * 29 characters at most */

static const struct cmdline_key key_disk_bytes = {
	"disk.bytes", "N",
	"the disk's true length, when it was a file that ends within a sector" };
CMDLINE_KEY(key_disk_bytes);

void tour_say(const char *label, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	fmt_vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	console_printf("  %-13s %s\n", label, text);
}

void tour_set(struct tour_step *s, enum tour_verdict v, const char *fmt, ...)
{
	va_list ap;

	s->verdict = v;
	va_start(ap, fmt);
	fmt_vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
}

const char *tour_word(enum tour_verdict v)
{
	static const char *const word[] = { "SKIP", "PASS", "FAIL" };

	return word[v];
}

/* 12345678 bytes as "11.7 MiB". */
static void tour_size(char *buf, size_t size, uint64_t bytes)
{
	static const char *const unit[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	unsigned u = 0;

	while (u + 1 < ARRAY_SIZE(unit) && bytes >> (10 * (u + 1)))
		u++;
	if (!u)
		fmt_snprintf(buf, size, "%lu bytes", bytes);
	else
		fmt_snprintf(buf, size, "%lu.%lu %s", bytes >> (10 * u),
			     (bytes >> (10 * (u - 1)) & 1023) * 10 / 1024,
			     unit[u]);
}

static void tour_machine(void)
{
	unsigned taken = 0, refused = 0;
	struct pci_dev *p;

	list_for_each(p, &pci_devices, node) {
		taken += p->driver && !p->probe_err;
		refused += p->probe_err != 0;
	}
	tour_say("hypervisor", "%s", hyper_name());
	tour_say("processors", "%u%s", cpu_count(),
		 boot_facts.cpus_missing ? ", some did not start" : "");
	tour_say("time", "TSC at %lu kHz (%s), timer %s",
		 clock_tsc_hz() / 1000, clock_source(), cpu_timer_name());
	tour_say("iommu", "%s", iommu_status());
	tour_say("devices", "%u with a driver%s (lspci lists all)", taken,
		 refused ? ", some refused" : "");
}

/* ---- the disk ---- */

struct tour_hash {
	struct tour *t;
	struct sha256 sha;
	uint64_t next;			/* offset of the next sample */
	uint64_t last_off;
	nsec_t last;
};

static void tour_sample(struct tour_hash *h, uint64_t off)
{
	nsec_t now = time_now();
	struct tour *t = h->t;

	if (off < h->next || t->nsamples == TOUR_SAMPLES || now == h->last)
		return;
	t->sample[t->nsamples++] = (off - h->last_off) * 1000 / (now - h->last);
	h->last = now;
	h->last_off = off;
	h->next = off + t->bytes / TOUR_SAMPLES;
}

static int tour_hash_chunk(void *arg, uint64_t off, const void *data,
			   size_t len)
{
	struct tour_hash *h = arg;

	if (off < h->t->bytes)
		sha256_update(&h->sha, data,
			      (size_t)MIN(len, h->t->bytes - off));
	tour_sample(h, off + len);
	return ending_asked() ? -EINTR : 0;
}

static uint64_t tour_true_bytes(const struct blk_dev *bd)
{
	uint64_t have = bd->blocks * bd->block_size;
	uint64_t say = cmdline_u64("disk.bytes", have);

	if (say <= have)
		return say;
	log_warn("tour", "disk.bytes=%lu, but %s has only %lu bytes", say,
		 bd->name, have);
	return have;
}

/* ---- every queue once ---- */

struct tour_probe {
	struct blk_dev *bd;
	void *block;
	int err;
};

static void tour_probe_read(void *arg)
{
	struct tour_probe *p = arg;

	p->err = blk_read(p->bd, 0, p->block, p->bd->block_size);
}

/*
 * One read of block 0 from each CPU, hence through each queue, one after the
 * other; all must bring the same. The scan alone would leave queues idle on a
 * disk of a few blocks.
 */
static int tour_every_queue(struct tour *t)
{
	struct tour_probe p = { .bd = t->bd };
	size_t size = t->bd->block_size;
	uint8_t *first = heap_alloc(2 * size);
	struct thread *th;
	int err;

	if (!first)
		return -ENOMEM;
	p.block = first + size;
	err = blk_read(t->bd, 0, first, size);
	for (unsigned c = 0; c < cpu_count() && !err; c++) {
		memset(p.block, first[0] ^ 0xff, size);
		err = thread_create(c, tour_probe_read, &p, "probe", &th);
		if (err)
			break;
		thread_join(th);
		err = p.err ? p.err : memcmp(first, p.block, size) ? -EIO : 0;
	}
	heap_free(first);
	return err;
}

/*
 * What is wrong with the interrupts of the disk's queues, or NULL; *cpu is
 * whose. One that found no answer proves nothing: lines can be shared.
 */
static const char *tour_irq_fault(const struct tour *t, unsigned *cpu)
{
	struct nvme_ctrl *c = nvme_of(t->bd);

	for (unsigned i = 0; c && i < c->nio; i++) {
		const struct nvme_queue *q = &c->io[i];

		*cpu = q->cpu;
		if (READ_ONCE(q->irqs) == READ_ONCE(q->irqs_empty))
			return "never interrupted";
		if (READ_ONCE(q->irqs_elsewhere))
			return "interrupted another one";
	}
	return NULL;
}

/* ---- the scan ---- */

/* Those that came to the CPU they were meant for. */
static void tour_count_irqs(struct tour *t)
{
	struct nvme_ctrl *c = nvme_of(t->bd);

	for (unsigned i = 0; c && i < c->nio; i++)
		t->irqs[c->io[i].cpu] += READ_ONCE(c->io[i].irqs) -
					 READ_ONCE(c->io[i].irqs_elsewhere);
}

/* Small enough that a small disk is several chunks, whole blocks, and whole
   pages where there are that many bytes. */
static size_t tour_chunk(const struct tour *t)
{
	size_t chunk = (size_t)MIN(t->bytes / TOUR_CHUNKS, TOUR_CHUNK_MAX);
	size_t unit = MAX(chunk >= PAGE_SIZE ? PAGE_SIZE : 0,
			  t->bd->block_size);

	return MAX(ALIGN_DOWN(chunk, unit), unit);
}

static int tour_scan(struct tour *t)
{
	struct tour_hash h = { .t = t, .last = time_now() };
	uint8_t digest[SHA256_BYTES];
	int err;

	h.next = t->bytes / TOUR_SAMPLES;
	sha256_init(&h.sha);
	err = blk_scan(t->bd, tour_chunk(t), TOUR_DEPTH, tour_hash_chunk, &h,
		       &t->scan);
	if (err)			/* of a part it would say nothing */
		return err;
	sha256_final(&h.sha, digest);
	sha256_hex(digest, t->sha256);
	return 0;
}

/* A few CPUs a line, so that no number is cut off. */
static void tour_irqs_say(const struct tour *t)
{
	for (unsigned c = 0; c < cpu_count(); ) {
		unsigned end = MIN(c + TOUR_IRQS_LINE, cpu_count());
		const char *label = c ? "" : "interrupts";
		char line[TOUR_IRQS_LINE * 30];
		size_t n = 0;

		for (; c < end; c++)
			n += (size_t)fmt_snprintf(line + n, sizeof(line) - n,
						  "%scpu%u %lu", n ? ", " : "",
						  c, t->irqs[c]);
		tour_say(label, "%s", line);
	}
}

static void tour_disk_say(const struct tour *t)
{
	char size[24], rate[24];

	tour_size(size, sizeof(size), t->bytes);
	tour_say("disk", "%s at %s: %s, blocks of %u", t->bd->name,
		 t->bd->dev->name, size, t->bd->block_size);
	tour_size(rate, sizeof(rate), t->scan.bytes * NSEC_PER_MSEC /
		  MAX(t->scan.ns / 1000, UINT64_C(1)));
	tour_say("read", "%lu requests, up to %u in flight, %lu us: %s/s",
		 t->scan.requests, t->scan.max_inflight,
		 t->scan.ns / NSEC_PER_USEC, rate);
	tour_say("SHA-256", "%s", t->sha256);
	tour_irqs_say(t);
	tour_say("mappings", "%lu made, %lu undone (%s)", t->maps, t->unmaps,
		 dma_provider_name());
	tour_say("first read", "%lu us after kernel entry",
		 boot_facts.first_read / NSEC_PER_USEC);
}

static void tour_disk(struct tour *t)
{
	const char *irq_fault;
	unsigned cpu = 0;
	int err;

	t->bd = blk_get(0);
	if (!t->bd) {
		tour_set(&t->disk, TOUR_SKIP, "no disk: no NVMe controller "
			 "with a namespace that we can drive");
		return;
	}
	t->bytes = tour_true_bytes(t->bd);
	if (!t->bytes) {
		tour_set(&t->disk, TOUR_SKIP, "%s is empty: a disk of 0 bytes",
			 t->bd->name);
		return;
	}
	err = tour_every_queue(t);
	if (!err)
		err = tour_scan(t);
	if (err == -EINTR) {
		t->cut = true;
		tour_set(&t->disk, TOUR_SKIP, "power button");
		return;
	}
	if (err) {
		tour_set(&t->disk, TOUR_FAIL, "reading %s failed: %s",
			 t->bd->name, errno_name(err));
		return;
	}
	tour_count_irqs(t);
	t->maps = t->bd->dev->dma.maps;
	t->unmaps = t->bd->dev->dma.unmaps;
	irq_fault = tour_irq_fault(t, &cpu);
	if (irq_fault)
		tour_set(&t->disk, TOUR_FAIL, "%lu bytes read, but the queue "
			 "of CPU %u %s", t->scan.bytes, cpu, irq_fault);
	else
		tour_set(&t->disk, TOUR_PASS, "%lu bytes read",
			 t->scan.bytes);
	tour_disk_say(t);
}

/* The power button between two steps: this one is not taken. */
static bool tour_over(struct tour *t, struct tour_step *s)
{
	if (!ending_asked())
		return false;
	t->cut = true;
	tour_set(s, TOUR_SKIP, "power button");
	return true;
}

/* ---- the verdict ---- */

static void tour_step_say(const char *name, const struct tour_step *s)
{
	console_printf("  %-4s %-8s %s\n", tour_word(s->verdict), name, s->why);
}

static void tour_json_step(struct json *j, const char *name,
			   const struct tour_step *s)
{
	json_object(j, name);
	json_str(j, "verdict", tour_word(s->verdict));
	json_str(j, "why", s->why);
	json_close(j, false);
}

static void tour_report(const struct tour *t, bool ok)
{
	struct json j;

	json_begin(&j, "tour");
	json_bool(&j, "passed", ok);
	json_u64(&j, "bytes", t->bytes);
	json_str(&j, "sha256", t->sha256);
	json_u64(&j, "scan_us", t->scan.ns / NSEC_PER_USEC);
	json_u64(&j, "requests", t->scan.requests);
	json_u64(&j, "max_inflight", t->scan.max_inflight);
	json_u64(&j, "maps", t->maps);
	json_u64(&j, "first_read_us", boot_facts.first_read / NSEC_PER_USEC);
	json_array(&j, "irqs");
	for (unsigned c = 0; c < MIN(cpu_count(), 32u); c++)
		json_u64(&j, NULL, t->irqs[c]);
	json_close(&j, true);
	tour_json_step(&j, "disk", &t->disk);
	tour_json_step(&j, "refusal", &t->refusal);
	tour_json_step(&j, "screen", &t->screen);
	json_end(&j);
}

static bool tour_verdict(const struct tour *t)
{
	const struct tour_step *s[] = { &t->disk, &t->refusal, &t->screen };
	unsigned passed = 0, failed = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(s); i++) {
		passed += s[i]->verdict == TOUR_PASS;
		failed += s[i]->verdict == TOUR_FAIL;
	}
	console_printf("\n");
	tour_step_say("disk", &t->disk);
	tour_step_say("refusal", &t->refusal);
	tour_step_say("screen", &t->screen);
	console_printf("tour: %u passed, %u failed, %u skipped\n", passed,
		       failed, (unsigned)ARRAY_SIZE(s) - passed - failed);
	return passed && !failed;
}

bool tour_run(void)
{
	struct tour *t = heap_zalloc(sizeof(*t));
	bool ok;

	if (!t) {
		log_err("tour", "out of memory");
		return false;
	}
	console_printf("\n");
	tour_machine();
	if (!tour_over(t, &t->disk))
		tour_disk(t);
	if (t->disk.verdict == TOUR_PASS)
		tour_find_content(t);
	if (!tour_over(t, &t->refusal))
		tour_refusal(t);
	if (!tour_over(t, &t->screen))
		tour_screen(t);
	ok = tour_verdict(t) && !t->cut;
	tour_report(t, ok);
	heap_free(t->picture);
	heap_free(t);
	return ok;
}
