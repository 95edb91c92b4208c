/* SPDX-License-Identifier: MIT */
/*
 * msi/: MSI-X tables in every legal and illegal place, MSI in its four shapes,
 * and the life of a vector, against the fake bus of tests/host/, which serves
 * tables, masks and pending bits by itself.
 */
#include <check.h>
#include <string.h>

#include "core/cmdline.h"
#include "core/cpu.h"
#include "core/errno.h"
#include "core/monitor.h"
#include "msi/msi.h"
#include "msi/msireg.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

#define COMMAND		4
# define INTX_OFF	0x400

static struct fake_pci f;
static struct pci_dev *p;

static struct seen {
	unsigned n;
	unsigned cpu;
} seen[2048];

static void on_irq(void *arg)
{
	struct seen *s = arg;

	s->n++;
	s->cpu = cpu_id();
}

static void setup(void)
{
	host_start();
	memset(seen, 0, sizeof(seen));
	fake_pci_init(&f, PCI_BDF(0, 5, 0), 0x1b36, 0x10, 0x010802);
	fake_pci_bar(&f, 0, 0x10000, true, NULL, NULL);
	fake_pci_bar(&f, 2, 0x1000, false, NULL, NULL);
	f.bar[3].is_io = true;
	fake_pci_bar(&f, 3, 0x100, false, NULL, NULL);
	fake_pci_bar(&f, 4, 0x20000, true, NULL, NULL);
}

static void teardown(void)
{
	host_finish();
}

static void probe(void)
{
	fake_pci_add(&f);
	p = host_pci_probe(&f);
	ck_assert_ptr_nonnull(p);
	pci_enable_memory(p);
	ck_assert_int_eq(pci_enable_master(p), 0);
}

static void probe_msix(unsigned entries)
{
	fake_pci_msix(&f, entries, 0, 0x2000, 0);
	probe();
}

static uint16_t msix_ctrl(void)
{
	return pci_read16(p, pci_find_cap(p, MSIX_CAP_ID, 0) + MSIX_CTRL);
}

static int connect(unsigned nr, unsigned cpu)
{
	return msi_connect(p, nr, cpu, on_irq, &seen[nr], "test");
}

/* ---- messages ---- */

START_TEST(a_message_names_cpu_and_vector)
{
	struct msi_msg m;

	host_set_cpus(4);
	msi_compose(0, 0x30, &m);
	ck_assert_uint_eq(m.addr, 0xfee00000);
	ck_assert_uint_eq(m.data, 0x30);
	msi_compose(3, 0xef, &m);
	ck_assert_uint_eq(m.addr, 0xfee03000);
	ck_assert_uint_eq(m.data, 0xef);
}
END_TEST

/* ---- allocation ---- */

START_TEST(alloc_enables_with_every_entry_masked)
{
	probe_msix(8);
	for (unsigned i = 0; i < 8; i++)
		f.msix[i][3] = 0x500;		/* firmware left them open */
	pci_enable_intx(p, true);
	ck_assert_int_eq(msi_alloc(p, 1, 3), 3);
	ck_assert_str_eq(msi_kind(p), "msi-x");
	ck_assert_uint_eq(msi_vectors(p), 3);
	ck_assert_uint_eq(msix_ctrl() & 0xc000, 0x8000);
	for (unsigned i = 0; i < 8; i++)
		ck_assert_uint_eq(f.msix[i][3], 0x501);
	ck_assert_uint_ne(pci_read16(p, COMMAND) & INTX_OFF, 0);
	msi_free(p);
	ck_assert_uint_eq(msix_ctrl() & 0x8000, 0);
	ck_assert_str_eq(msi_kind(p), "none");
	ck_assert_uint_eq(msi_vectors(p), 0);
}
END_TEST

START_TEST(alloc_gives_what_there_is_between_min_and_max)
{
	probe_msix(5);
	ck_assert_int_eq(msi_alloc(p, 1, 100), 5);
	ck_assert_int_eq(msi_alloc(p, 1, 1), -EBUSY);
	msi_free(p);
	ck_assert_int_eq(msi_alloc(p, 5, 5), 5);
	msi_free(p);
	ck_assert_int_eq(msi_alloc(p, 6, 100), -ENOSPC);
	ck_assert_int_eq(msi_alloc(p, 0, 1), -EINVAL);
	ck_assert_int_eq(msi_alloc(p, 3, 2), -EINVAL);
	ck_assert_uint_eq(msix_ctrl() & 0xc000, 0);
}
END_TEST

START_TEST(alloc_without_a_capability_is_enodev)
{
	probe();
	ck_assert_int_eq(msi_alloc(p, 1, 1), -ENODEV);
	msi_free(p);
	ck_assert_str_eq(msi_kind(p), "none");
	ck_assert_int_eq(connect(0, 0), -EINVAL);
}
END_TEST

START_TEST(alloc_on_a_device_that_is_gone_is_enodev)
{
	probe_msix(4);
	f.gone = true;
	ck_assert_int_eq(msi_alloc(p, 1, 4), -ENODEV);
}
END_TEST

START_TEST(alloc_survives_each_failing_allocation)
{
	unsigned n;

	probe_msix(4);
	for (n = 1; n < 20; n++) {
		int got;

		host_fail_alloc(n);
		got = msi_alloc(p, 1, 4);
		if (!host_alloc_failed())
			break;
		ck_assert_int_eq(got, -ENOMEM);
		ck_assert_ptr_null(p->msi);
		ck_assert_uint_eq(msix_ctrl() & 0x8000, 0);
	}
	host_fail_alloc(0);
	ck_assert_uint_gt(n, 1);
	ck_assert_uint_lt(n, 20);
	msi_free(p);
}
END_TEST

START_TEST(the_command_line_takes_msix_or_all_away)
{
	fake_pci_cap(&f, MSI_CAP_ID, (uint8_t[8]){ 0 }, 8);
	memcpy(&f.writable[0x42], (uint8_t[8]){ 0x71, 0, 0xfc, 255, 255, 255,
						255, 255 }, 8);
	probe_msix(4);
	cmdline_init("msi=off");
	ck_assert_int_eq(msi_alloc(p, 1, 4), -ENODEV);
	cmdline_init("msi=msi");
	ck_assert_int_eq(msi_alloc(p, 1, 4), 1);
	ck_assert_str_eq(msi_kind(p), "msi");
	msi_free(p);
	cmdline_init("msi=auto");
	ck_assert_int_eq(msi_alloc(p, 1, 4), 4);
	msi_free(p);
	cmdline_init("");
}
END_TEST

/* ---- where the table may be, and where not ---- */

static const struct place {
	unsigned entries, bar;
	uint32_t table, pba;
} legal[] = {
	{ 1, 0, 0x0, 0x10 },		/* as tight as can be */
	{ 1, 0, 0x8, 0x0 },
	{ 64, 0, 0x0, 0x400 },
	{ 65, 0, 0x2000, 0x3000 },	/* QEMU's NVMe */
	{ 65, 0, 0x10, 0x0 },		/* PBA of 16 bytes right before */
	{ 2048, 0, 0x8000, 0x0 },	/* ends where its BAR ends */
	{ 2048, 4, 0x10, 0x1fff8 - 248 },
	{ 3, 2, 0xfd0, 0xfc8 },
};

START_TEST(a_table_in_a_legal_place_works)
{
	const struct place *l = &legal[_i];
	unsigned last = l->entries - 1;

	fake_pci_msix(&f, l->entries, l->bar, l->table, l->pba);
	probe();
	ck_assert_int_eq(msi_alloc(p, 1, l->entries), (int)l->entries);
	ck_assert_int_eq(connect(last, 0), 0);
	fake_pci_fire(&f, last);
	ck_assert_uint_eq(seen[last].n, 1);
	msi_mask(p, last, true);
	fake_pci_fire(&f, last);
	ck_assert(msi_pending(p, last));
	if (last)
		ck_assert(!msi_pending(p, last - 1));
	msi_mask(p, last, false);
	ck_assert_uint_eq(seen[last].n, 2);
	msi_free(p);
}
END_TEST

START_TEST(table_and_pba_may_be_in_different_bars)
{
	uint32_t pba = 0x800 | 2;

	fake_pci_msix(&f, 4, 0, 0, 0x800);
	memcpy(&f.config[f.config[0x34] + MSIX_PBA], &pba, 4);
	probe();
	ck_assert_int_eq(msi_alloc(p, 4, 4), 4);
	msi_free(p);
}
END_TEST

static const struct {
	uint16_t entries;
	uint32_t table, pba;		/* raw registers: offset | BIR */
	const char *said;
} illegal[] = {
	{ 4, 0x0000 | 6, 0x800 | 0, "table of 4 entries: reserved BAR" },
	{ 4, 0x0000 | 7, 0x800 | 0, "table of 4 entries: reserved BAR" },
	{ 4, 0x0000 | 0, 0x800 | 6, "pending bits of 4 entries: reserved" },
	{ 4, 0x0000 | 0, 0x800 | 7, "pending bits of 4 entries: reserved" },
	{ 4, 0x0000 | 1, 0x800 | 0, "BAR is not there" },	/* upper half */
	{ 4, 0x0000 | 0, 0x800 | 5, "BAR is not there" },
	{ 4, 0x0000 | 3, 0x800 | 0, "BAR is I/O space" },
	{ 4, 0x0000 | 0, 0x000 | 3, "BAR is I/O space" },
	{ 4, 0x10000 | 0, 0x0 | 0, "table of 4 entries: outside its BAR" },
	{ 4, 0xfff8 | 0, 0x0 | 0, "table of 4 entries: outside its BAR" },
	{ 5, 0xffb8 | 0, 0x0 | 0, "table of 5 entries: outside its BAR" },
	{ 2048, 0x8008 | 0, 0x0 | 0, "outside its BAR" },
	{ 2048, 0x0 | 2, 0x0 | 0, "outside its BAR" },
	{ 4, 0xfffffff8 | 0, 0x0 | 0, "outside its BAR" },
	{ 4, 0x0 | 0, 0x10000 | 0, "pending bits of 4 entries: outside" },
	{ 65, 0x0 | 0, 0xfff8 | 0, "pending bits of 65 entries: outside" },
	{ 4, 0x0 | 0, 0xfffffff8 | 0, "pending bits of 4 entries: outside" },
	{ 4, 0x0 | 0, 0x0 | 0, "overlap the table" },
	{ 4, 0x1000 | 0, 0x1038 | 0, "overlap the table" },
	{ 65, 0x1008 | 0, 0x1000 | 0, "overlap the table" },
};

START_TEST(a_capability_that_lies_is_named_and_refused)
{
	struct __attribute__((packed)) {
		uint16_t ctrl;
		uint32_t table, pba;
	} body = { (uint16_t)(illegal[_i].entries - 1), illegal[_i].table,
		   illegal[_i].pba };
	unsigned cap = fake_pci_cap(&f, MSIX_CAP_ID, &body, sizeof(body));

	f.writable[cap + 3] = 0xc0;
	probe();
	ck_assert_int_eq(msi_alloc(p, 1, 2048), -EINVAL);
	ck_assert_msg(host_logged(illegal[_i].said), "%s", host_log());
	ck_assert_uint_eq(msix_ctrl() & 0xc000, 0);
	ck_assert_ptr_null(p->msi);
}
END_TEST

START_TEST(an_unassigned_bar_is_refused)
{
	phys_t base;

	probe_msix(4);
	base = p->bar[0].base;
	p->bar[0].base = 0;
	ck_assert_int_eq(msi_alloc(p, 1, 4), -EINVAL);
	ck_assert(host_logged("BAR is not assigned"));
	p->bar[0].base = base;
}
END_TEST

/* ---- the life of a vector ---- */

START_TEST(each_vector_interrupts_the_cpu_it_was_connected_to)
{
	host_set_cpus(4);
	probe_msix(4);
	ck_assert_int_eq(msi_alloc(p, 4, 4), 4);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(msi_cpu(p, i), -ENODEV);
		ck_assert_int_eq(connect(i, 3 - i), 0);
		ck_assert_int_eq(msi_cpu(p, i), (int)(3 - i));
	}
	for (unsigned i = 0; i < 4; i++)
		for (unsigned n = 0; n <= i; n++)
			fake_pci_fire(&f, i);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(seen[i].n, i + 1);
		ck_assert_uint_eq(seen[i].cpu, 3 - i);
		ck_assert_uint_eq(msi_count(p, i), i + 1);
	}
	msi_free(p);
}
END_TEST

START_TEST(connect_refuses_what_makes_no_sense)
{
	host_set_cpus(2);
	probe_msix(2);
	ck_assert_int_eq(connect(0, 0), -EINVAL);	/* not allocated */
	ck_assert_int_eq(msi_alloc(p, 1, 2), 2);
	ck_assert_int_eq(connect(2, 0), -EINVAL);
	ck_assert_int_eq(connect(0, 2), -EINVAL);
	ck_assert_int_eq(connect(0, 1), 0);
	ck_assert_int_eq(connect(0, 0), -EBUSY);
	ck_assert_int_eq(msi_cpu(p, 0), 1);
	msi_free(p);
}
END_TEST

START_TEST(a_masked_vector_is_pending_and_comes_exactly_once)
{
	probe_msix(3);
	ck_assert_int_eq(msi_alloc(p, 3, 3), 3);
	ck_assert_int_eq(connect(1, 0), 0);
	ck_assert(!msi_masked(p, 1));
	msi_mask(p, 1, true);
	ck_assert(msi_masked(p, 1));
	ck_assert(!msi_pending(p, 1));
	for (unsigned i = 0; i < 3; i++)
		fake_pci_fire(&f, 1);
	ck_assert(msi_pending(p, 1));
	ck_assert_uint_eq(seen[1].n, 0);
	msi_mask(p, 1, false);
	ck_assert_uint_eq(seen[1].n, 1);
	ck_assert(!msi_pending(p, 1));
	msi_mask(p, 1, false);
	ck_assert_uint_eq(seen[1].n, 1);
	msi_free(p);
}
END_TEST

START_TEST(a_vector_that_is_not_connected_stays_masked)
{
	probe_msix(2);
	ck_assert_int_eq(msi_alloc(p, 2, 2), 2);
	fake_pci_fire(&f, 0);
	ck_assert(msi_pending(p, 0));
	msi_mask(p, 0, false);
	ck_assert(msi_masked(p, 0));
	ck_assert(msi_masked(p, 7));
	ck_assert(!msi_pending(p, 7));
	ck_assert_uint_eq(irq_unowned_count(0), 0);
	/* What came before the connection is delivered by it, once. */
	ck_assert_int_eq(connect(0, 0), 0);
	ck_assert_uint_eq(seen[0].n, 1);
	msi_free(p);
}
END_TEST

START_TEST(after_disconnect_no_handler_runs)
{
	irqflags_t flags;
	unsigned vector;

	probe_msix(2);
	ck_assert_int_eq(msi_alloc(p, 2, 2), 2);
	ck_assert_int_eq(connect(0, 0), 0);
	vector = f.msix[0][2];
	flags = cpu_irq_save();
	fake_pci_fire(&f, 0);		/* waits in the local APIC */
	msi_disconnect(p, 0);
	cpu_irq_restore(flags);
	ck_assert_uint_eq(seen[0].n, 0);
	ck_assert_uint_eq(irq_unowned_count(0), 1);
	ck_assert_ptr_null(irq_name(0, vector));
	fake_pci_fire(&f, 0);
	ck_assert_uint_eq(seen[0].n, 0);
	ck_assert(msi_pending(p, 0));
	msi_disconnect(p, 0);		/* harmless */
	ck_assert_int_eq(msi_cpu(p, 0), -ENODEV);
	ck_assert_uint_eq(msi_count(p, 0), 0);
	msi_free(p);
}
END_TEST

START_TEST(free_gives_all_back_and_twice_is_harmless)
{
	host_set_cpus(2);
	probe_msix(16);
	for (unsigned round = 0; round < 50; round++) {
		ck_assert_int_eq(msi_alloc(p, 16, 16), 16);
		for (unsigned i = 0; i < 16; i++)
			ck_assert_int_eq(connect(i, i & 1), 0);
		msi_free(p);
		msi_free(p);
		for (unsigned i = 0; i < 16; i++)
			ck_assert_uint_eq(f.msix[i][3] & 1, 1);
		memset(f.pending, 0, sizeof(f.pending));
	}
}
END_TEST

START_TEST(vectors_run_out_with_enospc_and_come_back)
{
	const int room = IRQ_VECTOR_LAST - IRQ_VECTOR_FIRST + 1;
	int n = 0, err = 0;

	host_set_cpus(2);
	probe_msix(1024);
	ck_assert_int_eq(msi_alloc(p, 1, 1024), 1024);
	while (n < 1024 && (err = connect((unsigned)n, 1)) == 0)
		n++;
	ck_assert_int_eq(err, -ENOSPC);
	ck_assert_int_eq(n, room);
	ck_assert(msi_masked(p, (unsigned)n));
	ck_assert_int_eq(msi_cpu(p, (unsigned)n), -ENODEV);
	ck_assert_int_eq(connect((unsigned)n, 0), 0);
	msi_disconnect(p, 17);
	ck_assert_int_eq(connect(1000, 1), 0);
	fake_pci_fire(&f, 1000);
	ck_assert_uint_eq(seen[1000].n, 1);
	msi_free(p);
	ck_assert_int_eq(msi_alloc(p, 1, 1024), 1024);
	for (n = 0; n < room; n++)
		ck_assert_int_eq(connect((unsigned)n, 1), 0);
	msi_free(p);
}
END_TEST

START_TEST(a_device_that_vanishes_can_still_be_freed)
{
	probe_msix(4);
	ck_assert_int_eq(msi_alloc(p, 4, 4), 4);
	ck_assert_int_eq(connect(0, 0), 0);
	f.gone = true;
	msi_mask(p, 0, true);
	msi_free(p);
	ck_assert_ptr_null(p->msi);
}
END_TEST

/*
 * A table that watches the order: the message of an entry must not change
 * while the entry is open and the device enabled (6.8.2.9), and nothing but
 * 32 bits at a time (6.8.2.6).
 */
static uint32_t watched[4][4];
static unsigned watched_writes;

static uint64_t watch_read(void *ctx, size_t off, unsigned width)
{
	ck_assert_uint_eq(width, 4);
	return off < sizeof(watched) ? watched[off / 16][off / 4 % 4] : 0;
}

static void watch_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	unsigned nr = (unsigned)(off / 16), word = off / 4 % 4;

	ck_assert_uint_eq(width, 4);
	ck_assert_uint_lt(off, sizeof(watched));
	watched_writes++;
	if (word != 3 && (msix_ctrl() & 0x8000))
		ck_assert_msg(watched[nr][3] & 1, "open entry rewritten");
	watched[nr][word] = (uint32_t)val;
}

static const struct host_mmio_ops watch_ops = {
	.read = watch_read, .write = watch_write,
};

START_TEST(a_message_is_written_only_behind_its_mask)
{
	struct __attribute__((packed)) {
		uint16_t ctrl;
		uint32_t table, pba;
	} body = { 3, 2, 0x800 | 2 };
	unsigned cap;

	fake_pci_bar(&f, 2, 0x1000, false, &watch_ops, NULL);
	cap = fake_pci_cap(&f, MSIX_CAP_ID, &body, sizeof(body));
	f.writable[cap + 3] = 0xc0;
	memset(watched, 0, sizeof(watched));	/* open, as firmware left it */
	probe();
	ck_assert_int_eq(msi_alloc(p, 4, 4), 4);
	ck_assert_int_eq(connect(2, 0), 0);
	ck_assert_uint_eq(watched[2][0], 0xfee00000);
	ck_assert_uint_eq(watched[2][1], 0);
	ck_assert_uint_ge(watched[2][2], IRQ_VECTOR_FIRST);
	ck_assert_uint_eq(watched[2][3], 0);
	msi_disconnect(p, 2);
	ck_assert_int_eq(connect(2, 0), 0);
	ck_assert_uint_eq(watched_writes, 4 + 4 + 1 + 4);
	msi_free(p);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(watched[i][3], 1);
}
END_TEST

/* ---- MSI ---- */

/* The four shapes of 6.8.1: with and without upper address, with masks. */
static unsigned add_msi(bool is_64, bool maskable)
{
	uint8_t body[22] = { 0 };
	uint16_t ctrl = (uint16_t)((is_64 ? 0x80 : 0) |
				   (maskable ? 0x100 : 0) | 5 << 1);
	unsigned len = 2 + (is_64 ? 8 : 4) + 4 + (maskable ? 8 : 0), cap;
	unsigned data = is_64 ? 12 : 8;

	memcpy(body, &ctrl, 2);
	cap = fake_pci_cap(&f, MSI_CAP_ID, body, len);
	f.writable[cap + 2] = 0x71;
	memset(&f.writable[cap + 4], 0xff, data + 2 - 4);
	f.writable[cap + 4] = 0xfc;
	if (maskable)
		memset(&f.writable[cap + data + 4], 0xff, 4);
	return cap;
}

START_TEST(msi_delivers_in_each_of_its_shapes)
{
	bool is_64 = _i & 1, maskable = _i & 2;
	unsigned cap = add_msi(is_64, maskable);

	host_set_cpus(2);
	probe();
	ck_assert_int_eq(msi_alloc(p, 1, 1), 1);
	ck_assert_str_eq(msi_kind(p), "msi");
	ck_assert_uint_ne(pci_read16(p, COMMAND) & INTX_OFF, 0);
	fake_pci_fire(&f, 0);
	ck_assert(msi_masked(p, 0));
	ck_assert_int_eq(connect(0, 1), 0);
	ck_assert(!msi_masked(p, 0));
	fake_pci_fire(&f, 0);
	ck_assert_uint_eq(seen[0].n, 1);
	ck_assert_uint_eq(seen[0].cpu, 1);
	ck_assert_uint_eq(msi_count(p, 0), 1);

	msi_mask(p, 0, true);
	ck_assert(msi_masked(p, 0));
	fake_pci_fire(&f, 0);
	fake_pci_fire(&f, 0);
	ck_assert_uint_eq(seen[0].n, 1);
	ck_assert_int_eq(msi_pending(p, 0), maskable);
	msi_mask(p, 0, false);
	ck_assert_uint_eq(seen[0].n, maskable ? 2 : 1);
	ck_assert(!msi_pending(p, 0));

	msi_disconnect(p, 0);
	fake_pci_fire(&f, 0);
	ck_assert_uint_eq(seen[0].n, maskable ? 2 : 1);
	ck_assert_uint_eq(irq_unowned_count(1), 0);
	msi_free(p);
	ck_assert_uint_eq(pci_read16(p, cap + MSI_CTRL) & 0x71, 0);
}
END_TEST

START_TEST(msix_is_preferred_to_msi)
{
	add_msi(true, true);
	probe_msix(2);
	ck_assert_int_eq(msi_alloc(p, 1, 2), 2);
	ck_assert_str_eq(msi_kind(p), "msi-x");
	msi_free(p);
}
END_TEST

START_TEST(an_msi_capability_that_leaves_the_header_is_refused)
{
	uint16_t ctrl = 0x180;

	f.config[0x34] = 0xec;			/* 24 bytes: past 0x100 */
	f.config[0x06] |= 0x10;
	f.config[0xec] = MSI_CAP_ID;
	memcpy(&f.config[0xee], &ctrl, 2);
	probe();
	ck_assert_int_eq(msi_alloc(p, 1, 1), -EINVAL);
	ck_assert(host_logged("leaves the configuration header"));
}
END_TEST

/* ---- telling ---- */

START_TEST(the_irq_command_and_report_show_what_is_connected)
{
	char line[] = "irq";

	host_set_cpus(2);
	probe_msix(3);
	ck_assert_int_eq(msi_alloc(p, 3, 3), 3);
	ck_assert_int_eq(msi_connect(p, 0, 1, on_irq, &seen[0], "nvme0 q1"), 0);
	ck_assert_int_eq(connect(1, 0), 0);
	fake_pci_fire(&f, 0);
	fake_pci_fire(&f, 0);
	msi_mask(p, 1, true);
	fake_pci_fire(&f, 1);
	host_console_clear();
	ck_assert_int_eq(monitor_exec(line), 0);
	ck_assert_ptr_nonnull(strstr(host_console(), "  2  nvme0 q1\n"));
	ck_assert_ptr_nonnull(strstr(host_console(), "00:05.0 msi-x, 3 vectors:"
				     " 0:cpu1=2 1:cpu0=0,masked,pending 2:-"));
	host_console_clear();
	irq_report();
	ck_assert_ptr_nonnull(strstr(host_console(), "@json {\"event\":\"irq\","
				     "\"cpu\":1,\"vector\":"));
	ck_assert_ptr_nonnull(strstr(host_console(),
				     "\"name\":\"nvme0 q1\",\"count\":2}"));
	msi_free(p);
}
END_TEST

static void add_alloc(void)
{
	TCase *t = suite_group("alloc", setup, teardown, 0);

	tcase_add_test(t, a_message_names_cpu_and_vector);
	tcase_add_test(t, alloc_enables_with_every_entry_masked);
	tcase_add_test(t, alloc_gives_what_there_is_between_min_and_max);
	tcase_add_test(t, alloc_without_a_capability_is_enodev);
	tcase_add_test(t, alloc_on_a_device_that_is_gone_is_enodev);
	tcase_add_test(t, alloc_survives_each_failing_allocation);
	tcase_add_test(t, the_command_line_takes_msix_or_all_away);
	tcase_add_loop_test(t, a_table_in_a_legal_place_works, 0,
			    ARRAY_SIZE(legal));
	tcase_add_test(t, table_and_pba_may_be_in_different_bars);
	tcase_add_loop_test(t, a_capability_that_lies_is_named_and_refused, 0,
			    ARRAY_SIZE(illegal));
	tcase_add_test(t, an_unassigned_bar_is_refused);
}

static void add_life(void)
{
	TCase *t = suite_group("life", setup, teardown, 0);

	tcase_add_test(t, each_vector_interrupts_the_cpu_it_was_connected_to);
	tcase_add_test(t, connect_refuses_what_makes_no_sense);
	tcase_add_test(t, a_masked_vector_is_pending_and_comes_exactly_once);
	tcase_add_test(t, a_vector_that_is_not_connected_stays_masked);
	tcase_add_test(t, after_disconnect_no_handler_runs);
	tcase_add_test(t, free_gives_all_back_and_twice_is_harmless);
	tcase_add_test(t, vectors_run_out_with_enospc_and_come_back);
	tcase_add_test(t, a_device_that_vanishes_can_still_be_freed);
	tcase_add_test(t, a_message_is_written_only_behind_its_mask);
	tcase_add_loop_test(t, msi_delivers_in_each_of_its_shapes, 0, 4);
	tcase_add_test(t, msix_is_preferred_to_msi);
	tcase_add_test(t, an_msi_capability_that_leaves_the_header_is_refused);
	tcase_add_test(t, the_irq_command_and_report_show_what_is_connected);
}

int main(void)
{
	add_alloc();
	add_life();
	return suite_run("msi");
}
