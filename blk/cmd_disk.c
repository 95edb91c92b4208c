/* SPDX-License-Identifier: MIT */
/* The monitor's disk command, and what the report says about disks. */
#include "blk/blk.h"

#include "blk/gpt.h"
#include "blk/nvme.h"
#include "core/device.h"
#include "core/fmt.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/monitor.h"
#include "core/page.h"
#include "core/report.h"
#include "core/string.h"

#define DISK_DUMP_MAX	16		/* blocks */
#define DISK_SIZE	24		/* bytes of a size as text */
#define DISK_SIZE_KIB	MIB(10)		/* is said in KiB below that */

/* ---- for a person ---- */

/* Bytes as "444 KiB", or "12345 MiB". */
static const char *disk_size(char buf[DISK_SIZE], uint64_t bytes)
{
	bool small = bytes < DISK_SIZE_KIB;

	fmt_snprintf(buf, DISK_SIZE, "%llu %s",
		     (unsigned long long)(bytes >> (small ? 10 : 20)),
		     small ? "KiB" : "MiB");
	return buf;
}

static void disk_list_parts(const struct blk_dev *bd, const struct gpt *g)
{
	if (g->backup)
		console_printf("  (from the backup table)\n");
	for (unsigned i = 0; i < g->nparts; i++) {
		const struct gpt_part *p = &g->part[i];
		const char *type = gpt_type_name(p->type);
		char guid[GPT_GUID_TEXT], size[DISK_SIZE];

		gpt_guid_text(p->type, guid);
		console_printf("  %3u  %12llu %12llu  %10s  %s  \"%s\"\n",
			       p->number, (unsigned long long)p->first,
			       (unsigned long long)p->last,
			       disk_size(size, (p->last - p->first + 1) *
					 bd->block_size),
			       type ? type : guid, p->name);
	}
	if (g->bad || g->left_out)
		console_printf("  %u entries are bad, %u left out\n", g->bad,
			       g->left_out);
}

static void disk_list_one(struct blk_dev *bd, struct gpt *g)
{
	int err = blk_partitions(bd, g);
	char size[DISK_SIZE];

	console_printf("%-10s %s  %llu blocks of %u bytes, %s%s\n",
		       bd->name, bd->dev->name, (unsigned long long)bd->blocks,
		       bd->block_size,
		       disk_size(size, bd->blocks * bd->block_size),
		       bd->read_only ? ", read-only" : "");
	if (!err)
		disk_list_parts(bd, g);
	else if (err != -ENOENT)
		console_printf("  partitions: %s\n", errno_name(err));
}

/* One disk, or, with NULL, all. */
static int disk_list_some(const struct blk_dev *only)
{
	struct gpt *g = heap_alloc(sizeof(*g));
	struct blk_dev *bd;

	if (!g)
		return -ENOMEM;
	for (unsigned i = 0; (bd = blk_get(i)); i++)
		if (!only || bd == only)
			disk_list_one(bd, g);
	heap_free(g);
	return 0;
}

void disk_list(void)
{
	disk_list_some(NULL);
}

/* ---- for a program ---- */

static void disk_report_part(const struct blk_dev *bd, const struct gpt_part *p)
{
	char type[GPT_GUID_TEXT], guid[GPT_GUID_TEXT];
	struct json j;

	gpt_guid_text(p->type, type);
	gpt_guid_text(p->guid, guid);
	json_begin(&j, "partition");
	json_str(&j, "disk", bd->name);
	json_u64(&j, "number", p->number);
	json_str(&j, "type", type);
	json_str(&j, "guid", guid);
	json_str(&j, "name", p->name);
	json_u64(&j, "first", p->first);
	json_u64(&j, "last", p->last);
	json_end(&j);
}

static void disk_report_one(struct blk_dev *bd, struct gpt *g)
{
	int err = blk_partitions(bd, g);
	struct json j;

	json_begin(&j, "disk");
	json_str(&j, "name", bd->name);
	json_str(&j, "pci", bd->dev->name);
	json_u64(&j, "block_size", bd->block_size);
	json_u64(&j, "blocks", bd->blocks);
	json_u64(&j, "bytes", bd->blocks * bd->block_size);
	json_bool(&j, "read_only", bd->read_only);
	json_str(&j, "table", !err ? g->backup ? "backup gpt" : "gpt" :
		 err == -ENOENT ? "none" : errno_name(err));
	json_u64(&j, "partitions", err ? 0 : g->nparts);
	json_end(&j);
	for (unsigned i = 0; !err && i < g->nparts; i++)
		disk_report_part(bd, &g->part[i]);
}

void disk_report(void)
{
	struct gpt *g = heap_alloc(sizeof(*g));
	struct nvme_ctrl *c;
	struct blk_dev *bd;

	for (unsigned i = 0; (c = nvme_get(i)); i++)
		nvme_report(c);
	for (unsigned i = 0; g && (bd = blk_get(i)); i++)
		disk_report_one(bd, g);
	heap_free(g);
}

/* ---- the command ---- */

static void disk_dump(uint64_t off, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i += 16) {
		char text[17];

		console_printf("%010llx ", (unsigned long long)(off + i));
		for (unsigned k = 0; k < 16; k++) {
			uint8_t c = p[i + k];

			console_printf(" %02x", c);
			text[k] = c >= ' ' && c <= '~' ? (char)c : '.';
		}
		text[16] = '\0';
		console_printf("  %s\n", text);
	}
}

static int disk_read(struct blk_dev *bd, uint64_t lba, uint64_t n)
{
	unsigned order;
	void *buf;
	int err;

	if (!n || n > DISK_DUMP_MAX)
		return -EINVAL;
	order = page_order(n * bd->block_size);
	buf = page_alloc(order);
	if (!buf)
		return -ENOMEM;
	err = blk_read(bd, lba, buf, n * bd->block_size);
	if (!err)
		disk_dump(lba * bd->block_size, buf, n * bd->block_size);
	page_free(buf, order);
	return err;
}

/* disk [NAME] [read LBA [N]] */
static int disk_cmd(int argc, char **argv)
{
	struct blk_dev *bd = blk_get(0);
	uint64_t lba, n = 1;

	if (argc == 1)
		return disk_list_some(NULL);
	if (strcmp(argv[1], "read")) {
		bd = blk_find(argv[1]);
		argc--;
		argv++;
	}
	if (!bd)
		return -ENODEV;
	if (argc == 1)
		return disk_list_some(bd);
	if (argc < 3 || argc > 4 || strcmp(argv[1], "read") ||
	    fmt_parse_u64(argv[2], true, &lba) ||
	    (argc == 4 && fmt_parse_u64(argv[3], true, &n)))
		return -EINVAL;
	return disk_read(bd, lba, n);
}

static const struct monitor_cmd disk_monitor_cmd = {
	.name = "disk",
	.args = "[NAME] [read LBA [N]]",
	.help = "list disks and partitions, or dump N blocks",
	.run = disk_cmd,
};
MONITOR_CMD(disk_monitor_cmd);
