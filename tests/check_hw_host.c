/* SPDX-License-Identifier: MIT */
/* tests/host/: the rig itself. What it promises is what other tests rest on. */
#include "tests/host/host.h"

#include <check.h>
#include <signal.h>
#include <string.h>

#include "core/cpu.h"
#include "core/dma.h"
#include "core/heap.h"
#include "core/irq.h"
#include "core/page.h"
#include "core/panic.h"
#include "tests/host/suite.h"

/* ---- registers ---- */

struct regs {
	uint64_t val;
	size_t off;
	unsigned width, reads, writes;
};

static uint64_t regs_read(void *ctx, size_t off, unsigned width)
{
	struct regs *r = ctx;

	r->reads++;
	r->off = off;
	r->width = width;
	return r->val;
}

static void regs_write(void *ctx, size_t off, unsigned width, uint64_t val)
{
	struct regs *r = ctx;

	r->writes++;
	r->off = off;
	r->width = width;
	r->val = val;
}

static const struct host_mmio_ops regs_ops = { regs_read, regs_write };

START_TEST(a_window_sees_offset_width_and_value)
{
	struct regs r = { .val = 0x1122334455667788 };
	struct io io, sub;

	host_mmio_add(0xfed90000, 0x1000, &regs_ops, &r);
	ck_assert_int_eq(io_map_mem(&io, 0xfed90000, 0x1000), 0);
	ck_assert_uint_eq(io_read16(&io, 0x10), 0x7788);
	ck_assert_uint_eq(r.off, 0x10);
	ck_assert_uint_eq(r.width, 2);
	ck_assert_int_eq(io_sub(&sub, &io, 0x800, 0x100), 0);
	io_write64(&sub, 0x8, 0xabcd);
	ck_assert_uint_eq(r.off, 0x808);
	ck_assert_uint_eq(r.width, 8);
	ck_assert_uint_eq(r.val, 0xabcd);
	ck_assert_int_eq(io_sub(&sub, &io, 0xfff, 2), -ERANGE);
	ck_assert_int_eq(io_sub(&sub, &io, SIZE_MAX, 2), -ERANGE);
	host_mmio_remove(&r);
	ck_assert_uint_eq(io_read32(&io, 0), UINT32_MAX);
	io_unmap(&io);
}
END_TEST

START_TEST(ports_are_not_memory)
{
	struct regs r = { .val = 0x5a };
	struct io io;

	host_port_add(0x510, 4, &regs_ops, &r);
	ck_assert_int_eq(io_map_mem(&io, 0x510, 4), 0);
	ck_assert_uint_eq(io_read8(&io, 0), 0xff);
	ck_assert_int_eq(io_map_port(&io, 0x510, 4), 0);
	ck_assert_uint_eq(io_read8(&io, 1), 0x5a);
	ck_assert_uint_eq(r.off, 1);
	ck_assert_int_eq(io_map_port(&io, 0xfff0, 17), -EINVAL);
	ck_assert_int_eq(io_map_port(&io, 0, 0), -EINVAL);
}
END_TEST

START_TEST(an_access_outside_the_window_panics)
{
	struct io io;

	ck_assert_int_eq(io_map_mem(&io, 0xfed90000, 0x1000), 0);
	io_read32(&io, 0xffe);
}
END_TEST

START_TEST(an_access_to_no_window_panics)
{
	struct io io = { IO_NONE, 0, 0 };

	io_read8(&io, 0);
}
END_TEST

/* ---- time ---- */

static unsigned steps, ticks;
static nsec_t tick_at;

static void count_step(void *ctx)
{
	steps++;
}

static void count_tick(void *arg)
{
	ticks++;
	tick_at = time_now();
}

static void arm(nsec_t when)
{
	irqflags_t flags = cpu_irq_save();

	cpu_timer_arm(when);
	cpu_irq_restore(flags);
}

START_TEST(relaxing_advances_a_microsecond_and_steps_the_fakes)
{
	nsec_t t = time_now();

	host_step_add(count_step, &steps);
	cpu_relax();
	cpu_relax();
	ck_assert_uint_eq(time_now() - t, 2 * NSEC_PER_USEC);
	ck_assert_uint_eq(steps, 2);
	host_step_remove(&steps);
	cpu_relax();
	ck_assert_uint_eq(steps, 2);
}
END_TEST

START_TEST(a_timer_fires_once_at_its_time)
{
	nsec_t t = time_now();

	irq_set_system(IRQ_VECTOR_TIMER, count_tick, "timer");
	arm(t + 12345);
	host_time_advance(NSEC_PER_SEC);
	ck_assert_uint_eq(ticks, 1);
	ck_assert_uint_eq(tick_at, t + 12345);
	arm(t);
	ck_assert_uint_eq(ticks, 2);
	arm(time_now() + 5);
	arm(NSEC_NEVER);
	host_time_advance(NSEC_PER_SEC);
	ck_assert_uint_eq(ticks, 2);
}
END_TEST

START_TEST(poll_until_ends_at_its_deadline)
{
	struct regs r = { .val = 1 };
	nsec_t t = time_now();
	struct io io;
	uint32_t v;

	host_mmio_add(0xfed90000, 0x1000, &regs_ops, &r);
	io_map_mem(&io, 0xfed90000, 0x1000);
	ck_assert_int_eq(poll_until(v, io_read32(&io, 0), v == 2, t + 5000),
			 -ETIMEDOUT);
	ck_assert_uint_eq(time_now(), t + 5000);
	ck_assert_uint_eq(r.reads, 6);
	r.val = UINT32_MAX;
	ck_assert_int_eq(poll_until(v, io_read32(&io, 0), v == 2, t + 9000),
			 -ENODEV);
	r.val = 2;
	ck_assert_int_eq(poll_until(v, io_read32(&io, 0), v == 2, t), 0);
}
END_TEST

/* ---- interrupts and locks ---- */

static struct spinlock lock_a = SPINLOCK_INIT("a"), lock_b = SPINLOCK_INIT("b");
static unsigned order[4], norder;

static void note_order(void *arg)
{
	order[norder++ % 4] = (uintptr_t)arg;
}

START_TEST(interrupts_wait_for_the_lock_and_come_highest_first)
{
	int lo = irq_alloc(0, note_order, (void *)1, "lo");
	int hi = irq_alloc(0, note_order, (void *)2, "hi");
	irqflags_t flags = spin_lock(&lock_a);

	host_msi(0xfee00000, lo);
	host_msi(0xfee00000, hi);
	host_msi(0xfee00000, lo);
	ck_assert_uint_eq(norder, 0);
	spin_unlock(&lock_a, flags);
	ck_assert_uint_eq(norder, 2);
	ck_assert_uint_eq(order[0], 2);
	ck_assert_uint_eq(order[1], 1);
	irq_free(0, lo);
	irq_free(0, hi);
}
END_TEST

START_TEST(a_message_to_no_cpu_goes_nowhere_and_is_said)
{
	host_msi(0xfee01000, 0x50);
	ck_assert(host_logged("goes nowhere"));
}
END_TEST

START_TEST(a_lock_taken_twice_panics)
{
	spin_lock(&lock_a);
	spin_lock(&lock_a);
}
END_TEST

START_TEST(a_lock_given_back_unheld_panics)
{
	spin_unlock(&lock_a, 0);
}
END_TEST

START_TEST(interrupts_on_while_holding_a_lock_panics)
{
	irqflags_t a = spin_lock(&lock_a);

	spin_lock(&lock_b);
	spin_unlock(&lock_b, a);
}
END_TEST

START_TEST(a_held_lock_is_not_clean)
{
	irqflags_t flags = spin_lock(&lock_a);
	char what[100];

	ck_assert(!host_is_clean(what, sizeof(what)));
	ck_assert_ptr_nonnull(strstr(what, "last is a"));
	spin_unlock(&lock_a, flags);
	ck_assert(host_is_clean(what, sizeof(what)));
}
END_TEST

/* ---- memory ---- */

START_TEST(leaks_of_every_kind_are_seen)
{
	char what[100];
	void *p = heap_alloc(123);
	int v;

	ck_assert(!host_is_clean(what, sizeof(what)));
	ck_assert_ptr_nonnull(strstr(what, "123 bytes"));
	ck_assert_uint_eq(heap_in_use() >= 123, 1);
	heap_free(p);
	ck_assert(host_is_clean(what, sizeof(what)));
	p = page_alloc(3);
	ck_assert(!host_is_clean(what, sizeof(what)));
	ck_assert_ptr_nonnull(strstr(what, "8 pages"));
	page_free(p, 3);
	v = irq_alloc(0, count_tick, NULL, "leaky");
	ck_assert(!host_is_clean(what, sizeof(what)));
	ck_assert_ptr_nonnull(strstr(what, "leaky"));
	irq_free(0, v);
	ck_assert(host_is_clean(what, sizeof(what)));
}
END_TEST

START_TEST(the_nth_allocation_fails_and_only_that)
{
	void *p, *q;

	host_fail_alloc(2);
	p = page_alloc(0);
	ck_assert_ptr_nonnull(p);
	ck_assert(!host_alloc_failed());
	ck_assert_ptr_null(heap_alloc(1));
	ck_assert(host_alloc_failed());
	q = heap_zalloc(4);
	ck_assert_ptr_nonnull(q);
	heap_free(q);
	page_free(p, 0);
	ck_assert_ptr_null(heap_calloc(SIZE_MAX / 2, 4));
}
END_TEST

START_TEST(pages_do_not_start_clear)
{
	unsigned char *p = page_alloc(0), *z = page_alloc_zero(0);

	ck_assert_uint_eq(p[PAGE_SIZE - 1], 0xa5);
	ck_assert_uint_eq(z[PAGE_SIZE - 1], 0);
	ck_assert_ptr_eq(phys_to_virt(virt_to_phys(p)), p);
	page_free(p, 0);
	page_free(z, 0);
}
END_TEST

/* ---- PCI ---- */

static struct fake_pci fn;
static struct regs bar;

static uint32_t cfg_read(unsigned off, unsigned width)
{
	struct io io;

	io_map_port(&io, 0xcf8, 8);
	io_write32(&io, 0, 0x80000000 | fn.bdf << 8 | (off & 0xfc));
	return width == 4 ? io_read32(&io, 4 + (off & 3)) :
	       width == 2 ? io_read16(&io, 4 + (off & 3)) :
			    io_read8(&io, 4 + (off & 3));
}

static void cfg_write(unsigned off, unsigned width, uint32_t val)
{
	struct io io;

	io_map_port(&io, 0xcf8, 8);
	io_write32(&io, 0, 0x80000000 | fn.bdf << 8 | (off & 0xfc));
	if (width == 4)
		io_write32(&io, 4 + (off & 3), val);
	else
		io_write16(&io, 4 + (off & 3), val);
}

static void make_function(void)
{
	fake_pci_init(&fn, PCI_BDF(0, 3, 0), 0x1b36, 0x0010, 0x010802);
	fake_pci_bar(&fn, 0, 0x4000, true, &regs_ops, &bar);
	fake_pci_msix(&fn, 5, 0, 0x2000, 0x3000);
	fake_pci_add(&fn);
}

START_TEST(config_space_reads_and_sizes_as_on_the_machine)
{
	make_function();
	ck_assert_uint_eq(cfg_read(0, 4), 0x00101b36);
	ck_assert_uint_eq(cfg_read(2, 2), 0x0010);
	ck_assert_uint_eq(cfg_read(0x0b, 1), 0x01);
	ck_assert_uint_eq(cfg_read(0x08, 4), 0x01080200);
	cfg_write(0x10, 4, UINT32_MAX);
	cfg_write(0x14, 4, UINT32_MAX);
	ck_assert_uint_eq(cfg_read(0x10, 4), 0xffffc004);
	ck_assert_uint_eq(cfg_read(0x14, 4), UINT32_MAX);
	cfg_write(0, 4, 0);
	ck_assert_uint_eq(cfg_read(0, 4), 0x00101b36);
	ck_assert_uint_eq(cfg_read(0x34, 1), 0x40);
	ck_assert_uint_eq(cfg_read(0x40, 4), 0x00040011);
	fn.gone = true;
	ck_assert_uint_eq(cfg_read(0, 4), UINT32_MAX);
}
END_TEST

START_TEST(capabilities_are_chained_and_do_not_overlap)
{
	unsigned a, b;

	make_function();
	a = fake_pci_cap(&fn, 0x09, "abcde", 5);
	b = fake_pci_cap(&fn, 0x10, "xyz", 3);
	ck_assert_uint_eq(a, 0x4c);
	ck_assert_uint_eq(b, 0x54);
	ck_assert_uint_eq(cfg_read(0x41, 1), a);
	ck_assert_uint_eq(cfg_read(a + 1, 1), b);
	ck_assert_uint_eq(cfg_read(b + 1, 1), 0);
	ck_assert_uint_eq(cfg_read(0x06, 2) & 0x10, 0x10);
}
END_TEST

START_TEST(ecam_shows_the_same_function)
{
	struct io io;

	make_function();
	fake_pci_ecam(0xb0000000);
	io_map_mem(&io, 0xb0000000, MIB(256));
	ck_assert_uint_eq(io_read32(&io, fn.bdf << 12), 0x00101b36);
	io_write16(&io, (fn.bdf << 12) + 4, 0x0406);
	ck_assert_uint_eq(cfg_read(4, 2), 0x0406);
	ck_assert_uint_eq(io_read32(&io, 4u << 15), UINT32_MAX);
}
END_TEST

START_TEST(a_bar_decodes_where_it_was_put_and_only_when_enabled)
{
	struct io io;

	make_function();
	bar.val = 7;
	cfg_write(0x10, 4, 0x10000000);
	cfg_write(0x14, 4, 0x8);
	io_map_mem(&io, 0x810000000, 0x4000);
	ck_assert_uint_eq(io_read32(&io, 0x1c), UINT32_MAX);
	cfg_write(4, 2, 2);
	ck_assert_uint_eq(io_read32(&io, 0x1c), 7);
	ck_assert_uint_eq(bar.off, 0x1c);
	cfg_write(0x14, 4, 0x9);
	ck_assert_uint_eq(io_read32(&io, 0x1c), UINT32_MAX);
}
END_TEST

static struct io msix_open(void)
{
	struct io io;

	make_function();
	cfg_write(0x10, 4, 0xc0000000);
	cfg_write(4, 2, 6);
	io_map_mem(&io, 0xc0000000, 0x4000);
	return io;
}

START_TEST(a_masked_vector_becomes_pending_and_fires_once_when_unmasked)
{
	struct io io = msix_open();
	int v = irq_alloc(0, note_order, (void *)1, "v");

	io_write64(&io, 0x2010, 0xfee00000);
	io_write32(&io, 0x2018, v);
	cfg_write(0x42, 2, 0x8000);
	fake_pci_fire(&fn, 1);
	fake_pci_fire(&fn, 1);
	ck_assert_uint_eq(norder, 0);
	ck_assert_uint_eq(io_read64(&io, 0x3000), 2);
	io_write32(&io, 0x201c, 0);
	ck_assert_uint_eq(norder, 1);
	ck_assert_uint_eq(io_read64(&io, 0x3000), 0);
	cfg_write(0x42, 2, 0xc000);		/* function mask */
	fake_pci_fire(&fn, 1);
	ck_assert_uint_eq(norder, 1);
	cfg_write(0x42, 2, 0x8000);
	ck_assert_uint_eq(norder, 2);
	fake_pci_fire(&fn, 1);
	ck_assert_uint_eq(norder, 3);
	cfg_write(4, 2, 2);			/* no bus mastering */
	fake_pci_fire(&fn, 1);
	ck_assert_uint_eq(norder, 3);
	irq_free(0, v);
}
END_TEST

START_TEST(a_message_to_memory_is_a_write)
{
	struct io io = msix_open();
	uint32_t *word = phys_to_virt(0x8000);

	io_write64(&io, 0x2000, 0x8000);
	io_write32(&io, 0x2008, 0x1234);
	io_write32(&io, 0x200c, 0);
	cfg_write(0x42, 2, 0x8000);
	fake_pci_fire(&fn, 0);
	ck_assert_uint_eq(*word, 0x1234);
}
END_TEST

START_TEST(plain_msi_has_messages_masks_and_pending_bits)
{
	/* control: 64 bit, masking, 4 capable; address, data, mask, pending */
	uint8_t body[22] = { 0x84, 0x01 };
	unsigned at;

	fake_pci_init(&fn, PCI_BDF(0, 3, 0), 0x1b36, 0x0010, 0x010802);
	at = fake_pci_cap(&fn, 0x05, body, sizeof(body));
	memset(&fn.writable[at + 2], 0xff, 18);
	fake_pci_add(&fn);
	irq_set_system(IRQ_VECTOR_CALL, note_order, "call");
	cfg_write(4, 2, 4);
	cfg_write(at + 4, 4, 0xfee00000);
	cfg_write(at + 12, 2, IRQ_VECTOR_TIMER);
	cfg_write(at + 16, 4, 4);		/* message 2 is masked */
	fake_pci_fire(&fn, 2);
	ck_assert_uint_eq(cfg_read(at + 20, 4), 0);	/* not enabled */
	cfg_write(at + 2, 2, 0x01a5);		/* four granted, on */
	fake_pci_fire(&fn, 2);
	ck_assert_uint_eq(norder, 0);
	ck_assert_uint_eq(cfg_read(at + 20, 4), 4);
	cfg_write(at + 16, 4, 0);
	ck_assert_uint_eq(norder, 1);
	ck_assert_uint_eq(irq_count(0, IRQ_VECTOR_TIMER + 2), 1);
	ck_assert_uint_eq(cfg_read(at + 20, 4), 0);
}
END_TEST

static void *refuse_page_1(uint16_t bdf, iova_t addr, size_t len, bool write)
{
	return addr >= 0x1000 && addr < 0x2000 ? NULL : phys_to_virt(addr);
}

START_TEST(device_dma_is_split_at_pages_and_stops_when_refused)
{
	uint8_t buf[16];
	uint8_t *ram = phys_to_virt(0);

	memset(buf, 0x77, sizeof(buf));
	memset(ram, 0, 0x3000);
	host_dma_translate = refuse_page_1;
	ck_assert(!host_dma_write(0x1234, 0xff8, buf, 16));
	ck_assert_uint_eq(ram[0xfff], 0x77);
	ck_assert_uint_eq(ram[0x1000], 0);
	host_dma_translate = NULL;
	ck_assert(host_dma_write(0x1234, 0xff8, buf, 16));
	ck_assert_uint_eq(ram[0x1007], 0x77);
	ck_assert(!host_dma_read(0x1234, HOST_RAM - 8, buf, 16));
	make_function();
	ck_assert(!host_dma_read(fn.bdf, 0, buf, 1));
	cfg_write(4, 2, 4);
	ck_assert(host_dma_read(fn.bdf, 0, buf, 1));
}
END_TEST

START_TEST(machine_end_is_an_exit_status)
{
	machine_end(MACHINE_FAILED);
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("hw_host", host_start, host_finish, 0);

	tcase_add_test(tc, a_window_sees_offset_width_and_value);
	tcase_add_test(tc, ports_are_not_memory);
	tcase_add_test_raise_signal(tc, an_access_outside_the_window_panics,
				    SIGABRT);
	tcase_add_test_raise_signal(tc, an_access_to_no_window_panics, SIGABRT);
	tcase_add_test(tc, relaxing_advances_a_microsecond_and_steps_the_fakes);
	tcase_add_test(tc, a_timer_fires_once_at_its_time);
	tcase_add_test(tc, poll_until_ends_at_its_deadline);
	tcase_add_test(tc, interrupts_wait_for_the_lock_and_come_highest_first);
	tcase_add_test(tc, a_message_to_no_cpu_goes_nowhere_and_is_said);
	tcase_add_test_raise_signal(tc, a_lock_taken_twice_panics, SIGABRT);
	tcase_add_test_raise_signal(tc, a_lock_given_back_unheld_panics,
				    SIGABRT);
	tcase_add_test_raise_signal(
		tc, interrupts_on_while_holding_a_lock_panics, SIGABRT);
	tcase_add_test(tc, a_held_lock_is_not_clean);
	tcase_add_test(tc, leaks_of_every_kind_are_seen);
	tcase_add_test(tc, the_nth_allocation_fails_and_only_that);
	tcase_add_test(tc, pages_do_not_start_clear);
	tcase_add_test(tc, config_space_reads_and_sizes_as_on_the_machine);
	tcase_add_test(tc, capabilities_are_chained_and_do_not_overlap);
	tcase_add_test(tc, ecam_shows_the_same_function);
	tcase_add_test(tc, a_bar_decodes_where_it_was_put_and_only_when_enabled);
	tcase_add_test(tc,
		a_masked_vector_becomes_pending_and_fires_once_when_unmasked);
	tcase_add_test(tc, a_message_to_memory_is_a_write);
	tcase_add_test(tc, plain_msi_has_messages_masks_and_pending_bits);
	tcase_add_test(tc, device_dma_is_split_at_pages_and_stops_when_refused);
	tcase_add_exit_test(tc, machine_end_is_an_exit_status,
			    HOST_END + MACHINE_FAILED);
	return suite_run("hw_host");
}
