/* SPDX-License-Identifier: MIT */
/*
 * gfx/vgpu.c, vgpu_2d.c, vgpu_fb.c, vgpu_pci.c and fb.c against a fake
 * virtio-gpu: what the viewer sees is what was drawn, through memory in
 * pieces; every answer a device can give; devices that are silent, late, lying
 * or gone; and nothing left behind by any of it.
 */
#include <check.h>
#include <string.h>

#include "core/dma.h"
#include "core/errno.h"
#include "core/fmt.h"
#include "core/monitor.h"
#include "core/pcireg.h"
#include "gfx/crc.h"
#include "gfx/vgpu.h"
#include "tests/fake/vgpu.h"
#include "tests/host/suite.h"

#define F_VERSION_1	BIT_ULL(VIRTIO_F_VERSION_1)
#define F_PLATFORM	BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)
#define BDF		PCI_BDF(0, 4, 0)

#define WIDTH		200
#define HEIGHT		120

static struct fake_vgpu f;
static struct pci_dev *p;
static struct fb *fb;

static void setup_with(unsigned w, unsigned h, unsigned vectors,
		       uint64_t features)
{
	host_start();
	fake_vgpu_init(&f, BDF, w, h, vectors, features);
}

static void setup(void)
{
	setup_with(WIDTH, HEIGHT, 3, F_VERSION_1 | F_PLATFORM);
}

static void setup_without_msix(void)
{
	setup_with(WIDTH, HEIGHT, 0, F_VERSION_1 | F_PLATFORM);
}

static void teardown(void)
{
	fake_vgpu_remove(&f);
	host_finish();
}

static int probe(void)
{
	fake_vgpu_add(&f);
	p = host_pci_probe(&f.v.pci);
	ck_assert_ptr_nonnull(p);
	return vgpu_driver.probe(p);
}

static void start(void)
{
	ck_assert_int_eq(probe(), 0);
	fb = fb_get(0);
	ck_assert_ptr_nonnull(fb);
}

/* Everything is given back: by the driver, and by the device. */
static void stop(void)
{
	vgpu_driver.stop(p);
	ck_assert_ptr_null(fb_get(0));
	ck_assert_uint_eq(fake_vgpu_resources(&f), 0);
	ck_assert_uint_eq(pci_read16(p, PCI_COMMAND) & PCI_COMMAND_MASTER, 0);
}

/* After a probe that failed. */
static void expect_nothing_left(void)
{
	char what[128];

	ck_assert_ptr_null(fb_get(0));
	ck_assert_uint_eq(fake_vgpu_attached(&f), 0);
	ck_assert_msg(host_is_clean(what, sizeof(what)), "%s", what);
}

static uint32_t noise(void)
{
	static uint32_t x = 12345;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x & 0xffffff;
}

static void draw_noise(struct surface *s)
{
	for (unsigned y = 0; y < s->height; y++)
		for (unsigned x = 0; x < s->width; x++)
			s->row[y][x] = noise();
}

static int flush_all(void)
{
	return fb->flush(fb, 0, 0, fb->surface.width, fb->surface.height);
}

static struct vgpu *gpu(void)
{
	return p->drvdata;
}

/* ---- it works ---- */

START_TEST(start_makes_a_screen_of_the_preferred_size)
{
	start();
	ck_assert_uint_eq(fb->surface.width, WIDTH);
	ck_assert_uint_eq(fb->surface.height, HEIGHT);
	ck_assert_uint_eq(f.screen[0].r.width, WIDTH);
	ck_assert_uint_eq(f.screen[0].r.height, HEIGHT);
	ck_assert_ptr_null(fb_get(1));
	ck_assert_int_eq(strncmp(fb->name, "vgpu", 4), 0);
	stop();
}
END_TEST

START_TEST(the_viewer_sees_what_was_drawn_in_pieces_of_memory)
{
	start();
	ck_assert_uint_gt(fb->nsegs, 5);
	ck_assert_uint_eq(f.resource[0].entries, fb->nsegs);
	for (unsigned round = 0; round < 3; round++) {
		draw_noise(&fb->surface);
		ck_assert_int_eq(flush_all(), 0);
		for (unsigned y = 0; y < HEIGHT; y++)
			ck_assert_mem_eq(&f.screen[0].pixels[y * WIDTH],
					 fb->surface.row[y], WIDTH * 4);
	}
	stop();
}
END_TEST

START_TEST(neighbours_in_the_picture_are_not_neighbours_in_memory)
{
	const struct fake_vgpu_resource *r = &f.resource[0];

	start();
	for (unsigned i = 0; i + 1 < r->entries; i++) {
		uint64_t end = ALIGN_UP(r->entry[i].addr + r->entry[i].length,
					(uint64_t)PAGE_SIZE);

		ck_assert_uint_ne(end, r->entry[i + 1].addr);
	}
	stop();
}
END_TEST

START_TEST(only_the_damaged_rectangle_is_sent)
{
	static uint32_t old[HEIGHT][WIDTH];
	struct vgpu_rect want = { 13, 70, 31, 17 };

	start();
	draw_noise(&fb->surface);
	for (unsigned y = 0; y < HEIGHT; y++)
		memcpy(old[y], fb->surface.row[y], sizeof(old[y]));
	ck_assert_int_eq(flush_all(), 0);
	draw_noise(&fb->surface);
	ck_assert_int_eq(fb->flush(fb, 13, 70, 31, 17), 0);
	ck_assert_mem_eq(&f.last_transfer, &want, sizeof(want));
	ck_assert_mem_eq(&f.last_flush, &want, sizeof(want));
	for (unsigned y = 0; y < HEIGHT; y++)
		for (unsigned x = 0; x < WIDTH; x++) {
			bool in = x - 13 < 31 && y - 70 < 17;

			ck_assert_uint_eq(f.screen[0].pixels[y * WIDTH + x],
					  in ? fb->surface.row[y][x]
					     : old[y][x]);
		}
	stop();
}
END_TEST

START_TEST(a_rectangle_outside_is_cut_or_ignored)
{
	struct vgpu_rect want = { WIDTH - 5, HEIGHT - 3, 5, 3 };
	unsigned before;

	start();
	ck_assert_int_eq(fb->flush(fb, WIDTH - 5, HEIGHT - 3, 100, UINT32_MAX),
			 0);
	ck_assert_mem_eq(&f.last_transfer, &want, sizeof(want));
	before = f.nlog;
	ck_assert_int_eq(fb->flush(fb, WIDTH, 0, 1, 1), 0);
	ck_assert_int_eq(fb->flush(fb, 0, HEIGHT, 1, 1), 0);
	ck_assert_int_eq(fb->flush(fb, 3, 3, 0, 9), 0);
	ck_assert_int_eq(fb->flush(fb, 3, 3, 9, 0), 0);
	ck_assert_uint_eq(f.nlog, before);
	stop();
}
END_TEST

START_TEST(a_flush_is_one_doorbell_and_two_commands)
{
	unsigned bells, commands;

	start();
	bells = f.v.q[0].doorbells;
	commands = f.nlog;
	ck_assert_int_eq(flush_all(), 0);
	ck_assert_uint_eq(f.v.q[0].doorbells, bells + 1);
	ck_assert_uint_eq(f.nlog, commands + 2);
	ck_assert_uint_gt(gpu()->interrupts, 0);
	ck_assert_uint_eq(gpu()->lost_interrupts, 0);
	stop();
}
END_TEST

START_TEST(the_checksum_is_that_of_the_viewers_pixels)
{
	uint32_t *row[HEIGHT];
	struct surface seen = { WIDTH, HEIGHT, row };

	start();
	draw_noise(&fb->surface);
	ck_assert_int_eq(flush_all(), 0);
	for (unsigned y = 0; y < HEIGHT; y++)
		row[y] = &f.screen[0].pixels[y * WIDTH];
	ck_assert_uint_eq(surface_crc32(&seen, 0, 0, WIDTH, HEIGHT),
			  fb_crc32(fb, 0, 0, WIDTH, HEIGHT));
	row[7][9] ^= 1;
	ck_assert_uint_ne(surface_crc32(&seen, 0, 0, WIDTH, HEIGHT),
			  fb_crc32(fb, 0, 0, WIDTH, HEIGHT));
	stop();
}
END_TEST

START_TEST(the_screen_command_says_size_pieces_and_checksum)
{
	char line[32], want[64];

	start();
	draw_noise(&fb->surface);
	host_console_clear();
	ck_assert_int_eq(monitor_exec(strcpy(line, "screen")), 0);
	fmt_snprintf(want, sizeof(want), "%ux%u in %u pieces, crc32 %08x",
		     WIDTH, HEIGHT, fb->nsegs,
		     fb_crc32(fb, 0, 0, WIDTH, HEIGHT));
	ck_assert_ptr_nonnull(strstr(host_console(), want));
	ck_assert_int_eq(monitor_exec(strcpy(line, "screen 0")), 0);
	ck_assert_int_eq(monitor_exec(strcpy(line, "screen 1")), -ENODEV);
	ck_assert_int_eq(monitor_exec(strcpy(line, "screen 99999999999")),
			 -ENODEV);
	ck_assert_int_eq(monitor_exec(strcpy(line, "screen x")), -EINVAL);
	stop();
	ck_assert_int_eq(monitor_exec(strcpy(line, "screen")), -ENODEV);
}
END_TEST

START_TEST(sixteen_displays_register_and_keep_their_order)
{
	static struct fb many[17];

	for (unsigned i = 0; i < 17; i++)
		fb_register(&many[i]);
	ck_assert_ptr_eq(fb_get(15), &many[15]);
	ck_assert_ptr_null(fb_get(16));
	ck_assert_ptr_null(fb_get(UINT32_MAX));
	fb_unregister(&many[3]);
	ck_assert_ptr_eq(fb_get(2), &many[2]);
	ck_assert_ptr_eq(fb_get(3), &many[4]);
	ck_assert_ptr_null(fb_get(15));
	for (unsigned i = 0; i < 17; i++)
		fb_unregister(&many[i]);
	ck_assert_ptr_null(fb_get(0));
}
END_TEST

/* As wide as a block, just over and under a page, one row a block, tiny. */
static const struct { unsigned w, h; } sizes[] = {
	{ 16, 16 }, { 1024, 33 }, { 1023, 40 }, { 1025, 40 }, { 1280, 800 },
	{ 4096, 17 }, { 4097, 16 }, { 8192, 16 }, { 17, 8192 },
};

START_TEST(any_size_of_screen_is_shown_whole)
{
	unsigned w = sizes[_i].w, h = sizes[_i].h;

	f.display[0].r.width = w;
	f.display[0].r.height = h;
	start();
	draw_noise(&fb->surface);
	ck_assert_int_eq(flush_all(), 0);
	for (unsigned y = 0; y < h; y++)
		ck_assert_mem_eq(&f.screen[0].pixels[y * w],
				 fb->surface.row[y], w * 4);
	stop();
}
END_TEST

START_TEST(every_display_that_is_on_gets_a_screen)
{
	f.v.config[VGPU_NUM_SCANOUTS] = 3;
	f.display[2] = f.display[0];
	f.display[2].r.width = 64;
	start();
	ck_assert_ptr_nonnull(fb_get(1));
	ck_assert_ptr_null(fb_get(2));
	ck_assert_uint_eq(fb_get(1)->surface.width, 64);
	ck_assert_uint_eq(f.screen[1].resource, 0);
	fb = fb_get(1);
	draw_noise(&fb->surface);
	ck_assert_int_eq(flush_all(), 0);
	ck_assert_uint_eq(f.screen[2].pixels[64 * 5 + 4],
			  fb->surface.row[5][4]);
	stop();
	ck_assert_uint_eq(fake_vgpu_count(&f, VGPU_CMD_RESOURCE_UNREF), 2);
}
END_TEST

START_TEST(a_late_device_is_waited_for)
{
	f.v.late = true;
	start();
	draw_noise(&fb->surface);
	ck_assert_int_eq(flush_all(), 0);
	ck_assert_uint_eq(f.screen[0].pixels[WIDTH + 1],
			  fb->surface.row[1][1]);
	ck_assert_uint_eq(gpu()->lost_interrupts, 0);
	stop();
}
END_TEST

START_TEST(without_msix_the_queue_is_polled)
{
	start();
	ck_assert(gpu()->polled);
	draw_noise(&fb->surface);
	ck_assert_int_eq(flush_all(), 0);
	ck_assert_uint_eq(f.screen[0].pixels[3], fb->surface.row[0][3]);
	ck_assert_uint_eq(gpu()->interrupts, 0);
	stop();
}
END_TEST

START_TEST(plain_msi_is_not_for_queues)
{
	static const uint8_t body[12] = { 0x80 };	/* 64-bit addresses */

	fake_pci_cap(&f.v.pci, 0x05, body, sizeof(body));
	start();
	ck_assert(gpu()->polled);
	ck_assert_int_eq(flush_all(), 0);
	stop();
}
END_TEST

START_TEST(without_msix_the_pin_serves)
{
	unsigned gsi, flags;

	f.v.pci.config[PCI_INT_PIN] = 1;
	f.v.pci.config[PCI_INT_LINE] = 11;
	fake_vgpu_add(&f);
	p = host_pci_probe(&f.v.pci);
	ck_assert_int_eq(pci_intx_gsi(p, &gsi, &flags), 0);
	f.v.gsi = gsi;
	ck_assert_int_eq(vgpu_driver.probe(p), 0);
	fb = fb_get(0);
	ck_assert(!gpu()->polled);
	draw_noise(&fb->surface);
	ck_assert_int_eq(flush_all(), 0);
	ck_assert_uint_eq(f.screen[0].pixels[3], fb->surface.row[0][3]);
	ck_assert_uint_ge(gpu()->interrupts, 1);
	ck_assert_uint_eq(gpu()->lost_interrupts, 0);
	/* Somebody else's interrupt on the same line is not counted. */
	uint64_t before = gpu()->interrupts;
	host_raise_gsi(gsi);
	ck_assert_uint_eq(gpu()->interrupts, before);
	stop();
}
END_TEST

START_TEST(polling_ends_at_its_deadline)
{
	start();
	f.bad = VGPU_CMD_RESOURCE_FLUSH;
	f.swallow = true;
	ck_assert_int_eq(flush_all(), -ETIMEDOUT);
	stop();
}
END_TEST

START_TEST(a_lost_interrupt_costs_time_but_no_frame)
{
	nsec_t before;

	start();
	f.v.q[0].vector = 0xffff;	/* the device forgets its vector */
	draw_noise(&fb->surface);
	before = time_now();
	ck_assert_int_eq(flush_all(), 0);
	ck_assert_uint_lt(time_now() - before, NSEC_PER_SEC);
	ck_assert_uint_eq(f.screen[0].pixels[3], fb->surface.row[0][3]);
	ck_assert_uint_gt(gpu()->lost_interrupts, 0);
	ck_assert(host_logged("interrupt lost, found by looking"));
	stop();
}
END_TEST

/* ---- teardown ---- */

static uint64_t unmaps_when_detached, unmaps_when_unref;

static void note_unmaps(struct fake_vgpu *g, uint32_t type)
{
	if (type == VGPU_CMD_DETACH_BACKING)
		unmaps_when_detached = p->dev.dma.unmaps;
	if (type == VGPU_CMD_RESOURCE_UNREF)
		unmaps_when_unref = p->dev.dma.unmaps;
}

START_TEST(stop_detaches_the_memory_before_unmapping_it)
{
	uint64_t unmaps;

	start();
	unmaps = p->dev.dma.unmaps;
	f.on_command = note_unmaps;
	unmaps_when_detached = unmaps_when_unref = UINT64_MAX;
	stop();
	ck_assert_uint_eq(unmaps_when_detached, unmaps);
	ck_assert_uint_eq(unmaps_when_unref, unmaps);
	ck_assert_uint_gt(p->dev.dma.unmaps, unmaps);
}
END_TEST

START_TEST(stop_undoes_start_backwards)
{
	static const uint32_t want[] = {
		VGPU_CMD_GET_DISPLAY_INFO, VGPU_CMD_RESOURCE_CREATE_2D,
		VGPU_CMD_ATTACH_BACKING, VGPU_CMD_SET_SCANOUT,
		VGPU_CMD_SET_SCANOUT, VGPU_CMD_DETACH_BACKING,
		VGPU_CMD_RESOURCE_UNREF,
	};

	start();
	stop();
	ck_assert_uint_eq(f.nlog, ARRAY_SIZE(want));
	ck_assert_mem_eq(f.log, want, sizeof(want));
}
END_TEST

static uint64_t unmaps_when_reset;

static void note_reset(struct fake_virtio *v)
{
	if (unmaps_when_reset == UINT64_MAX)
		unmaps_when_reset = p->dev.dma.unmaps;
}

START_TEST(a_device_that_will_not_let_go_is_reset_before_unmapping)
{
	uint64_t unmaps;

	start();
	unmaps = p->dev.dma.unmaps;
	f.bad = VGPU_CMD_DETACH_BACKING;
	f.answer = VGPU_RESP_ERR_UNSPEC;
	f.v.reset = note_reset;
	unmaps_when_reset = UINT64_MAX;
	vgpu_driver.stop(p);
	ck_assert_uint_eq(unmaps_when_reset, unmaps);
}
END_TEST

static void refuse_to_unref(struct fake_vgpu *g, uint32_t type)
{
	if (type != VGPU_CMD_RESOURCE_UNREF)
		return;
	g->bad = type;
	g->answer = VGPU_RESP_ERR_UNSPEC;
	g->wrong_fence = false;
	unmaps_when_unref = p->dev.dma.unmaps;
	unmaps_when_reset = UINT64_MAX;
}

/* Whatever it says, it may have the memory. */
START_TEST(a_device_that_lies_about_an_attach_is_reset_before_unmapping)
{
	f.bad = VGPU_CMD_ATTACH_BACKING;
	f.wrong_fence = true;
	f.on_command = refuse_to_unref;
	f.v.reset = note_reset;
	unmaps_when_unref = 0;
	ck_assert_int_eq(probe(), -EPROTO);
	ck_assert_uint_eq(unmaps_when_reset, unmaps_when_unref);
}
END_TEST

START_TEST(it_can_be_started_again_after_stop)
{
	start();
	stop();
	for (unsigned i = 0; i < 20; i++) {
		ck_assert_int_eq(vgpu_driver.probe(p), 0);
		fb = fb_get(0);
		ck_assert_int_eq(flush_all(), 0);
		stop();
	}
}
END_TEST

/* ---- answers ---- */

static const struct { uint32_t type; int err; } answers[] = {
	{ 0x1200, -EIO }, { 0x1201, -ENOMEM }, { 0x1202, -ENXIO },
	{ 0x1203, -ENOENT }, { 0x1204, -EINVAL }, { 0x1205, -EINVAL },
	{ 0x1206, -EPROTO }, { 0x1101, -EPROTO }, { 0x1102, -EPROTO },
	{ 0, -EPROTO }, { 0xffffffff, -EPROTO },
};

START_TEST(each_answer_is_its_errno)
{
	int err = answers[_i].err;

	start();
	f.bad = _i % 2 ? VGPU_CMD_RESOURCE_FLUSH :
			 VGPU_CMD_TRANSFER_TO_HOST_2D;
	f.answer = answers[_i].type;
	if (!f.answer)			/* the fake's "none" */
		f.answer = 0x80000000;
	ck_assert_int_eq(flush_all(), err);
	ck_assert_int_eq(vgpu_errno(answers[_i].type, VGPU_RESP_OK_NODATA),
			 err);
	/* The device still answers: a later flush works. */
	f.bad = 0;
	ck_assert_int_eq(flush_all(), 0);
	stop();
}
END_TEST

START_TEST(ok_is_only_the_ok_that_was_asked_for)
{
	ck_assert_int_eq(vgpu_errno(0x1100, 0x1100), 0);
	ck_assert_int_eq(vgpu_errno(0x1101, 0x1101), 0);
	ck_assert_int_eq(vgpu_errno(0x1100, 0x1101), -EPROTO);
	ck_assert_int_eq(vgpu_errno(0x1101, 0x1100), -EPROTO);
}
END_TEST

static const uint32_t steps[] = {
	VGPU_CMD_GET_DISPLAY_INFO, VGPU_CMD_RESOURCE_CREATE_2D,
	VGPU_CMD_ATTACH_BACKING, VGPU_CMD_SET_SCANOUT,
};

START_TEST(an_error_at_any_step_unwinds_start)
{
	f.bad = steps[_i];
	f.answer = VGPU_RESP_ERR_OUT_OF_MEMORY;
	ck_assert_int_eq(probe(), -ENOMEM);
	/* What was done before is undone by command, not only by the reset. */
	ck_assert_uint_eq(fake_vgpu_count(&f, VGPU_CMD_DETACH_BACKING),
			  f.bad == VGPU_CMD_SET_SCANOUT);
	ck_assert_uint_eq(fake_vgpu_count(&f, VGPU_CMD_RESOURCE_UNREF),
			  f.bad == VGPU_CMD_SET_SCANOUT ||
			  f.bad == VGPU_CMD_ATTACH_BACKING);
	expect_nothing_left();
}
END_TEST

START_TEST(an_error_cut_short_is_eproto)
{
	start();
	f.bad = VGPU_CMD_RESOURCE_FLUSH;
	f.answer = VGPU_RESP_ERR_OUT_OF_MEMORY;
	f.short_answer = true;
	ck_assert_int_eq(flush_all(), -EPROTO);
	stop();
}
END_TEST

START_TEST(silence_at_any_step_times_out_and_unwinds)
{
	nsec_t before = time_now();
	unsigned resets;

	f.bad = steps[_i];
	f.swallow = true;
	ck_assert_int_eq(probe(), -ETIMEDOUT);
	resets = f.v.resets;
	ck_assert_uint_ge(resets, 2);	/* at start, and to get out */
	ck_assert_uint_lt(time_now() - before, 10 * NSEC_PER_SEC);
	expect_nothing_left();
}
END_TEST

START_TEST(a_lie_at_any_step_is_eproto)
{
	unsigned lie = (unsigned)_i / 4;

	f.bad = steps[_i % 4];
	f.short_answer = lie == 0;
	f.wrong_fence = lie == 1;
	f.no_fence = lie == 2;
	f.bogus_id = lie == 3;
	ck_assert_int_eq(probe(), -EPROTO);
	expect_nothing_left();
}
END_TEST

START_TEST(display_info_without_displays_is_eproto)
{
	f.bad = VGPU_CMD_GET_DISPLAY_INFO;
	f.answer = VGPU_RESP_OK_NODATA;
	ck_assert_int_eq(probe(), -EPROTO);
	expect_nothing_left();
}
END_TEST

START_TEST(no_display_is_enodev)
{
	f.display[0].enabled = 0;
	ck_assert_int_eq(probe(), -ENODEV);
	expect_nothing_left();
}
END_TEST

static const struct { uint32_t w, h; } absurd[] = {
	{ 0, 0 }, { 0, 600 }, { 800, 15 }, { 8193, 16 }, { 16, 8193 },
	{ 0xffffffff, 0xffffffff }, { 0x80000001, 2 },
};

START_TEST(an_absurd_size_is_refused)
{
	f.display[0].r.width = absurd[_i].w;
	f.display[0].r.height = absurd[_i].h;
	ck_assert_int_eq(probe(), -ENODEV);
	ck_assert(host_logged("is no size"));
	expect_nothing_left();
}
END_TEST

START_TEST(more_than_all_memory_is_enomem)
{
	f.display[0].r.width = f.display[0].r.height = 8192;
	ck_assert_int_eq(probe(), -ENOMEM);
	expect_nothing_left();
}
END_TEST

START_TEST(a_senseless_number_of_scanouts_is_eproto)
{
	f.v.config[VGPU_NUM_SCANOUTS] = _i ? 17 : 0;
	ck_assert_int_eq(probe(), -EPROTO);
	expect_nothing_left();
}
END_TEST

START_TEST(no_configuration_is_eproto)
{
	f.v.config_size = 8;
	ck_assert_int_eq(probe(), -EPROTO);
	expect_nothing_left();
}
END_TEST

/* ---- broken devices ---- */

START_TEST(after_a_timeout_the_device_is_left_alone)
{
	unsigned before;

	start();
	f.bad = VGPU_CMD_TRANSFER_TO_HOST_2D;
	f.swallow = true;
	ck_assert_int_eq(flush_all(), -ETIMEDOUT);
	before = f.nlog;
	f.bad = 0;
	ck_assert_int_eq(flush_all(), -ENODEV);
	ck_assert_uint_eq(f.nlog, before);
	stop();
}
END_TEST

START_TEST(a_bogus_completion_breaks_the_device_at_once)
{
	nsec_t before;

	start();
	f.bad = VGPU_CMD_RESOURCE_FLUSH;
	f.bogus_id = true;
	before = time_now();
	ck_assert_int_eq(flush_all(), -EPROTO);
	ck_assert_uint_lt(time_now() - before, NSEC_PER_SEC);
	ck_assert_int_eq(flush_all(), -ENODEV);
	stop();
}
END_TEST

static void vanish(struct fake_vgpu *g, uint32_t type)
{
	g->v.pci.gone = true;
	g->swallow = true;
	g->bad = type;
}

START_TEST(a_device_that_vanishes_is_enodev)
{
	start();
	f.on_command = vanish;
	ck_assert_int_eq(flush_all(), -ENODEV);
	ck_assert_int_eq(flush_all(), -ENODEV);
	vgpu_driver.stop(p);
	ck_assert_ptr_null(fb_get(0));
}
END_TEST

START_TEST(a_device_that_was_never_there_is_refused)
{
	fake_vgpu_add(&f);
	p = host_pci_probe(&f.v.pci);
	f.v.pci.gone = true;
	ck_assert_int_lt(vgpu_driver.probe(p), 0);
	f.v.pci.gone = false;
	expect_nothing_left();
}
END_TEST

/* ---- memory and isolation ---- */

START_TEST(every_failing_allocation_unwinds)
{
	unsigned refused = 0;

	ck_assert_int_eq(probe(), 0);
	vgpu_driver.stop(p);
	for (unsigned n = 1; n < 1000; n++) {
		int err;

		host_fail_alloc(n);
		err = vgpu_driver.probe(p);
		if (!host_alloc_failed()) {
			host_fail_alloc(0);
			ck_assert_int_eq(err, 0);
			vgpu_driver.stop(p);
			/* Not every failure hurts: blocks may be smaller. */
			ck_assert_uint_ge(refused, 5);
			return;
		}
		host_fail_alloc(0);
		ck_assert(err == 0 || err == -ENOMEM);
		if (err) {
			refused++;
			expect_nothing_left();
		} else {
			fb = fb_get(0);
			draw_noise(&fb->surface);
			ck_assert_int_eq(flush_all(), 0);
			ck_assert_uint_eq(f.screen[0].pixels[WIDTH * 99],
					  fb->surface.row[99][0]);
			vgpu_driver.stop(p);
		}
	}
	ck_abort_msg("allocations without end");
}
END_TEST

/* An IOMMU that maps nothing: not the direct provider. */
static const struct dma_ops other_ops = { .name = "other" };

START_TEST(behind_an_iommu_it_must_honour_the_iommu)
{
	const struct dma_ops *ops;
	int err;

	fake_vgpu_add(&f);
	p = host_pci_probe(&f.v.pci);
	ops = p->dev.dma.ops;
	p->dev.dma.ops = &other_ops;
	err = vgpu_driver.probe(p);
	p->dev.dma.ops = ops;
	ck_assert_int_eq(err, -EPERM);
	ck_assert(host_logged("IOMMU"));
	expect_nothing_left();
}
END_TEST

static void setup_without_platform(void)
{
	setup_with(WIDTH, HEIGHT, 3, F_VERSION_1);
}

static iova_t refused_at;

static void *refuse_one_page(uint16_t bdf, iova_t addr, size_t len, bool write)
{
	if (bdf == BDF && !write && addr / PAGE_SIZE == refused_at / PAGE_SIZE)
		return NULL;
	return phys_to_virt(addr);
}

START_TEST(a_piece_that_the_iommu_refuses_fails_the_flush)
{
	start();
	ck_assert_int_eq(flush_all(), 0);
	refused_at = virt_to_phys(fb->surface.row[60]);
	host_dma_translate = refuse_one_page;
	ck_assert_int_lt(flush_all(), 0);
	host_dma_translate = NULL;
	vgpu_driver.stop(p);
}
END_TEST

static void add_tests(void)
{
	TCase *t = suite_group("works", setup, teardown, 0);

	tcase_add_test(t, start_makes_a_screen_of_the_preferred_size);
	tcase_add_test(t, the_viewer_sees_what_was_drawn_in_pieces_of_memory);
	tcase_add_test(t,
		       neighbours_in_the_picture_are_not_neighbours_in_memory);
	tcase_add_test(t, only_the_damaged_rectangle_is_sent);
	tcase_add_test(t, a_rectangle_outside_is_cut_or_ignored);
	tcase_add_test(t, a_flush_is_one_doorbell_and_two_commands);
	tcase_add_test(t, the_checksum_is_that_of_the_viewers_pixels);
	tcase_add_test(t, the_screen_command_says_size_pieces_and_checksum);
	tcase_add_test(t, sixteen_displays_register_and_keep_their_order);
	tcase_add_loop_test(t, any_size_of_screen_is_shown_whole, 0,
			    ARRAY_SIZE(sizes));
	tcase_add_test(t, every_display_that_is_on_gets_a_screen);
	tcase_add_test(t, a_late_device_is_waited_for);
	tcase_add_test(t, a_lost_interrupt_costs_time_but_no_frame);

	t = suite_group("polled", setup_without_msix, teardown, 60);
	tcase_add_test(t, without_msix_the_queue_is_polled);
	tcase_add_test(t, plain_msi_is_not_for_queues);
	tcase_add_test(t, without_msix_the_pin_serves);
	tcase_add_test(t, polling_ends_at_its_deadline);

	t = suite_group("teardown", setup, teardown, 0);
	tcase_add_test(t, stop_detaches_the_memory_before_unmapping_it);
	tcase_add_test(t, stop_undoes_start_backwards);
	tcase_add_test(t,
		       a_device_that_lies_about_an_attach_is_reset_before_unmapping);
	tcase_add_test(t,
		       a_device_that_will_not_let_go_is_reset_before_unmapping);
	tcase_add_test(t, it_can_be_started_again_after_stop);
}

static void add_failures(void)
{
	TCase *t = suite_group("answers", setup, teardown, 60);

	tcase_add_loop_test(t, each_answer_is_its_errno, 0,
			    ARRAY_SIZE(answers));
	tcase_add_test(t, ok_is_only_the_ok_that_was_asked_for);
	tcase_add_loop_test(t, an_error_at_any_step_unwinds_start, 0, 4);
	tcase_add_test(t, an_error_cut_short_is_eproto);
	tcase_add_loop_test(t, silence_at_any_step_times_out_and_unwinds, 0, 4);
	tcase_add_loop_test(t, a_lie_at_any_step_is_eproto, 0, 16);
	tcase_add_test(t, display_info_without_displays_is_eproto);
	tcase_add_test(t, no_display_is_enodev);
	tcase_add_loop_test(t, an_absurd_size_is_refused, 0,
			    ARRAY_SIZE(absurd));
	tcase_add_test(t, more_than_all_memory_is_enomem);
	tcase_add_loop_test(t, a_senseless_number_of_scanouts_is_eproto, 0, 2);
	tcase_add_test(t, no_configuration_is_eproto);
	tcase_add_test(t, after_a_timeout_the_device_is_left_alone);
	tcase_add_test(t, a_bogus_completion_breaks_the_device_at_once);
	tcase_add_test(t, a_device_that_vanishes_is_enodev);
	tcase_add_test(t, a_device_that_was_never_there_is_refused);

	t = suite_group("memory", setup, teardown, 60);
	tcase_add_test(t, every_failing_allocation_unwinds);
	tcase_add_test(t, a_piece_that_the_iommu_refuses_fails_the_flush);

	t = suite_group("isolation", setup_without_platform, teardown, 0);
	tcase_add_test(t, behind_an_iommu_it_must_honour_the_iommu);
}

int main(void)
{
	add_tests();
	add_failures();
	return suite_run("vgpu");
}
