/* SPDX-License-Identifier: MIT */
/*
 * The host's half of the seam (theory of operation).
 *
 * Physical memory is one mmap()ed arena. An io window keeps the physical
 * address or port that was mapped; each access looks for who decodes it: a
 * window of a fake, a BAR of the fake PCI bus, a live QEMU, and else no one
 * (all ones). Time is a counter. There is one thread of execution, which pretends
 * to be one CPU after the other: an interrupt for a CPU is a call of
 * irq_dispatch() in that CPU's name. It is made at once, or, while interrupts
 * are off (a lock is held, or a handler runs), as soon as they are on again,
 * whichever CPU it is for: the one thread could not wait for itself. As in a
 * local APIC, a vector that is raised again before it was taken counts once,
 * and the highest vector goes first.
 *
 * Everything checks itself: accesses outside a window, locks taken twice, given
 * back by another CPU or with interrupts on, blocks freed twice, and what
 * is left over at the end.
 */
#include "tests/host/host_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/bootinfo.h"
#include "core/call.h"
#include "core/cpu.h"
#include "core/dma.h"
#include "core/heap.h"
#include "core/irq.h"
#include "core/list.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/page.h"
#include "core/panic.h"
#include "core/reset.h"

#define HOST_WINDOWS	64
#define HOST_STEPS	16
#define HOST_HELD	16
#define HOST_GSIS	24
#define HOST_LOW	MIB(1)		/* not given to the page allocator */
#define HOST_DIRTY	MIB(8)		/* pages that start as rubbish */
#define HOST_BUCKETS	4096
#define HOST_IF		0x200		/* interrupts are on, as in RFLAGS */

struct host_window {
	uint64_t base;
	size_t size;
	enum io_space space;
	const struct host_mmio_ops *ops;
	void *ctx;
};

struct host_block {
	struct host_block *next;
	void *p, *caller;
	size_t size;
	bool exempt;
};

struct host_gsi_user {
	struct list node;
	irq_fn *fn;
	void *arg;
};

struct host_gsi {
	bool masked;
	struct list users;
	unsigned flags, cpu, vector;
};

struct host_text {
	char *buf;
	size_t len, room;
};

static struct {
	struct host_window window[HOST_WINDOWS];
	unsigned nwindows;

	nsec_t now;
	nsec_t timer[CPU_MAX];
	struct {
		void (*fn)(void *ctx);
		void *ctx;
	} step[HOST_STEPS];
	unsigned nsteps;
	bool stepping;

	unsigned cpus, cpu, phys_bits;
	uint32_t apic_off[CPU_MAX];	/* added to the CPU's number */
	bool irqs_on, delivering, call_fails;
	uint64_t irr[CPU_MAX][4];
	unsigned nirr;
	struct host_gsi gsi[HOST_GSIS];

	const struct spinlock *held[HOST_HELD];
	unsigned nheld;

	struct host_block *bucket[HOST_BUCKETS];
	size_t heap_bytes;
	uint64_t heap_allocs;
	unsigned fail_in;
	bool failed;
	uint64_t pages_free;
	unsigned vectors_kept;

	struct host_text log, console;
	void (*end_hook[MACHINE_END_HOOKS])(enum machine_end how);
	unsigned nend_hooks;
} host;

static char *host_ram;
static size_t host_ram_size;
static bool host_ram_own;

bool (*host_bus_decode)(enum io_space space, uint64_t addr,
			struct host_target *out);
void (*host_bus_reset)(void);
bool (*host_probe_clean)(char *what, size_t size);
void (*host_probe_reset)(void);
bool (*host_bus_may_master)(uint16_t bdf);
const struct host_live_ops *host_live;
bool host_heap_exempt;
void *(*host_dma_translate)(uint16_t bdf, iova_t addr, size_t len, bool write);

enum log_level log_level = LOG_DEBUG;
struct bootinfo bootinfo __attribute__((weak));

/* ---- log, console, panic ---- */

static void host_text_add(struct host_text *t, const char *s, size_t len)
{
	if (t->len + len + 1 > t->room) {
		t->room = 2 * (t->len + len + 1);
		t->buf = realloc(t->buf, t->room);
		if (!t->buf)
			abort();
	}
	memcpy(t->buf + t->len, s, len);
	t->len += len;
	t->buf[t->len] = '\0';
	if (getenv("HOST_VERBOSE"))
		fwrite(s, 1, len, stderr);
}

static void host_text_vprintf(struct host_text *t, const char *fmt, va_list ap)
{
	char *s;
	int len = vasprintf(&s, fmt, ap);

	if (len < 0)
		abort();
	host_text_add(t, s, len);
	free(s);
}

static void host_text_printf(struct host_text *t, const char *fmt, ...)
	__printf(2, 3);
static void host_text_printf(struct host_text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	host_text_vprintf(t, fmt, ap);
	va_end(ap);
}

void log_line(enum log_level level, const char *who, const char *fmt, ...)
{
	static const char *const name[] = {
		[LOG_ERR] = "error: ", [LOG_WARN] = "warning: ",
		[LOG_INFO] = "", [LOG_DEBUG] = "debug: ",
	};
	va_list ap;

	host_text_printf(&host.log, "%s: %s", who, name[level]);
	va_start(ap, fmt);
	host_text_vprintf(&host.log, fmt, ap);
	va_end(ap);
	host_text_add(&host.log, "\n", 1);
}

void console_printf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	host_text_vprintf(&host.console, fmt, ap);
	va_end(ap);
}

void console_write(const char *s, size_t len)
{
	host_text_add(&host.console, s, len);
}

const char *host_log(void)
{
	return host.log.buf ? host.log.buf : "";
}

bool host_logged(const char *text)
{
	return strstr(host_log(), text) != NULL;
}

const char *host_console(void)
{
	return host.console.buf ? host.console.buf : "";
}

static void host_text_clear(struct host_text *t)
{
	t->len = 0;
	if (t->buf)
		t->buf[0] = '\0';
}

void host_console_clear(void)
{
	host_text_clear(&host.console);
}

void host_log_clear(void)
{
	host_text_clear(&host.log);
}

/* SIGABRT: a test that expects it says so (tcase_add_test_raise_signal). */
void panic(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%sPANIC: ", host_log());
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

/* The host has no table of the kernel's symbols. */
void panic_symbol(uintptr_t addr, char *buf, size_t size)
{
	snprintf(buf, size, "0x%" PRIxPTR, addr);
}

void machine_end_register(void (*hook)(enum machine_end how))
{
	BUG_ON(host.nend_hooks == MACHINE_END_HOOKS);
	host.end_hook[host.nend_hooks++] = hook;
}

/* Ends the test's process with status HOST_END + how. */
void machine_end(enum machine_end how)
{
	for (unsigned i = 0; i < host.nend_hooks; i++)
		host.end_hook[i](how);
	fflush(NULL);
	_exit(HOST_END + how);
}

/* ---- registers ---- */

static void host_window_add(enum io_space space, uint64_t base, size_t size,
			    const struct host_mmio_ops *ops, void *ctx)
{
	BUG_ON(host.nwindows == HOST_WINDOWS || !size);
	host.window[host.nwindows++] = (struct host_window){
		.base = base, .size = size, .space = space,
		.ops = ops, .ctx = ctx,
	};
}

void host_mmio_add(phys_t base, size_t size, const struct host_mmio_ops *ops,
		   void *ctx)
{
	host_window_add(IO_MEM, base, size, ops, ctx);
}

void host_port_add(uint16_t base, size_t size, const struct host_mmio_ops *ops,
		   void *ctx)
{
	host_window_add(IO_PORT, base, size, ops, ctx);
}

void host_mmio_remove(void *ctx)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < host.nwindows; i++)
		if (host.window[i].ctx != ctx)
			host.window[kept++] = host.window[i];
	host.nwindows = kept;
}

static bool host_find(enum io_space space, uint64_t addr,
		      struct host_target *out)
{
	for (unsigned i = 0; i < host.nwindows; i++) {
		struct host_window *w = &host.window[i];

		if (w->space != space || addr - w->base >= w->size)
			continue;
		*out = (struct host_target){ w->ops, w->ctx, addr - w->base };
		return true;
	}
	return host_bus_decode && host_bus_decode(space, addr, out);
}

static uint64_t host_ones(unsigned width)
{
	return UINT64_MAX >> (64 - 8 * width);
}

static uint64_t host_read(enum io_space space, uint64_t addr, unsigned width)
{
	struct host_target t;

	if (host_find(space, addr, &t)) {
		if (!t.ops || !t.ops->read)
			return 0;
		return t.ops->read(t.ctx, t.off, width) & host_ones(width);
	}
	if (host_live)
		return host_live->read(space, addr, width) & host_ones(width);
	return host_ones(width);
}

static void host_write(enum io_space space, uint64_t addr, unsigned width,
		       uint64_t val)
{
	struct host_target t;

	if (host_find(space, addr, &t)) {
		if (t.ops && t.ops->write)
			t.ops->write(t.ctx, t.off, width, val);
	} else if (host_live) {
		host_live->write(space, addr, width, val);
	}
}

int io_map_mem(struct io *io, phys_t pa, size_t size)
{
	if (!size || size > UINT32_MAX || pa + size < pa ||
	    (pa + size - 1) >> cpu_phys_bits())
		return -EINVAL;
	*io = (struct io){ .space = IO_MEM, .size = size, .base = pa };
	return 0;
}

int io_map_port(struct io *io, uint16_t port, size_t size)
{
	if (!size || size > 0x10000u - port)
		return -EINVAL;
	*io = (struct io){ .space = IO_PORT, .size = size, .base = port };
	return 0;
}

void io_unmap(struct io *io)
{
	*io = (struct io){ .space = IO_NONE };
}

int io_sub(struct io *sub, const struct io *io, size_t off, size_t size)
{
	if (!size || off > io->size || size > io->size - off)
		return -ERANGE;
	*sub = (struct io){ io->space, size, io->base + off };
	return 0;
}

static uint64_t host_addr(const struct io *io, size_t off, unsigned width)
{
	if (io->space == IO_NONE)
		panic("host: access to a window that is not mapped");
	if (off > io->size || width > io->size - off)
		panic("host: access at 0x%zx, %u bytes, but the window has 0x%"
		      PRIx32, off, width, io->size);
	if ((io->base + off) % width)
		panic("host: access at 0x%zx is not aligned to %u bytes", off,
		      width);
	if (io->space == IO_PORT && width > 4)
		panic("host: a port has at most 4 bytes");
	return io->base + off;
}

static uint64_t host_io_read(const struct io *io, size_t off, unsigned width)
{
	return host_read(io->space, host_addr(io, off, width), width);
}

static void host_io_write(const struct io *io, size_t off, unsigned width,
			  uint64_t val)
{
	host_write(io->space, host_addr(io, off, width), width, val);
}

uint8_t io_read8(const struct io *io, size_t off)
{
	return host_io_read(io, off, 1);
}

uint16_t io_read16(const struct io *io, size_t off)
{
	return host_io_read(io, off, 2);
}

uint32_t io_read32(const struct io *io, size_t off)
{
	return host_io_read(io, off, 4);
}

uint64_t io_read64(const struct io *io, size_t off)
{
	return host_io_read(io, off, 8);
}

void io_write8(const struct io *io, size_t off, uint8_t val)
{
	host_io_write(io, off, 1, val);
}

void io_write16(const struct io *io, size_t off, uint16_t val)
{
	host_io_write(io, off, 2, val);
}

void io_write32(const struct io *io, size_t off, uint32_t val)
{
	host_io_write(io, off, 4, val);
}

void io_write64(const struct io *io, size_t off, uint64_t val)
{
	host_io_write(io, off, 8, val);
}

/* ---- interrupts ---- */

static int host_irr_highest(unsigned cpu)
{
	for (int i = 3; i >= 0; i--)
		if (host.irr[cpu][i])
			return 64 * i + 63 - __builtin_clzll(host.irr[cpu][i]);
	return -1;
}

static void host_take(unsigned cpu, unsigned vector)
{
	unsigned was = host.cpu;

	host.irr[cpu][vector / 64] &= ~(UINT64_C(1) << vector % 64);
	host.nirr--;
	host.cpu = cpu;
	host.irqs_on = false;
	if (irq_dispatch(vector))
		irq_settle(vector);
	if (host.irqs_on)
		panic("host: the handler of vector 0x%x left interrupts on",
		      vector);
	host.irqs_on = true;
	host.cpu = was;
}

/* Interrupts are on: take what is pending, CPU by CPU. */
static void host_take_all(void)
{
	while (host.nirr && host.irqs_on) {
		for (unsigned cpu = 0; cpu < CPU_MAX; cpu++) {
			int vector = host_irr_highest(cpu);

			if (vector >= 0)
				host_take(cpu, vector);
		}
	}
}

void host_deliver(unsigned cpu, unsigned vector)
{
	uint64_t bit = UINT64_C(1) << vector % 64;

	BUG_ON(cpu >= host.cpus || vector > 255);
	if (!(host.irr[cpu][vector / 64] & bit))
		host.nirr++;
	host.irr[cpu][vector / 64] |= bit;
	host_take_all();
}

/*
 * Intel SDM vol. 3, 11.11: bits 19:12 of the address name the CPU; bits 10:8
 * of the data the delivery mode, 0 fixed.
 */
void host_msi(uint64_t addr, uint32_t data)
{
	unsigned cpu = 0;

	while (cpu < host.cpus && cpu_apic_id(cpu) != (addr >> 12 & 0xff))
		cpu++;
	if (addr >> 20 != 0xfee || addr & 4 || data & 0x700 ||
	    (data & 0xff) < 0x10 || cpu >= host.cpus) {
		log_err("host", "message 0x%" PRIx64 " 0x%" PRIx32
			" goes nowhere", addr, data);
		return;
	}
	host_deliver(cpu, data & 0xff);
}

static void host_gsi_run(void *arg)
{
	struct host_gsi *g = arg;
	struct host_gsi_user *u, *tmp;

	list_for_each_safe(u, tmp, &g->users, node)
		u->fn(u->arg);
}

void host_raise_gsi(unsigned gsi)
{
	BUG_ON(gsi >= HOST_GSIS);
	if (!list_empty(&host.gsi[gsi].users) && !host.gsi[gsi].masked)
		host_deliver(host.gsi[gsi].cpu, host.gsi[gsi].vector);
}

static int host_gsi_open(struct host_gsi *g, unsigned flags, unsigned cpu,
			 const char *name)
{
	int vector;

	if (!list_empty(&g->users))	/* shared by equals only */
		return g->flags == flags && flags & IRQ_GSI_LEVEL ? 0 : -EINVAL;
	vector = irq_alloc(cpu, host_gsi_run, g, name);
	if (vector < 0)
		return vector;
	g->flags = flags;
	g->cpu = cpu;
	g->vector = vector;
	return 0;
}

int irq_gsi_request(unsigned gsi, unsigned flags, unsigned cpu, irq_fn *fn,
		    void *arg, const char *name)
{
	struct host_gsi_user *u;
	int err;

	if (gsi >= HOST_GSIS)
		return -EINVAL;
	err = host_gsi_open(&host.gsi[gsi], flags, cpu, name);
	if (err)
		return err;
	host.gsi[gsi].masked = false;
	u = malloc(sizeof(*u));
	BUG_ON(!u);
	u->fn = fn;
	u->arg = arg;
	list_add_tail(&host.gsi[gsi].users, &u->node);
	return 0;
}

int irq_gsi_cpu(unsigned gsi)
{
	return gsi < HOST_GSIS && !list_empty(&host.gsi[gsi].users) ?
	       (int)host.gsi[gsi].cpu : -EINVAL;
}

int irq_gsi_move(unsigned gsi, unsigned cpu)
{
	struct host_gsi *g = &host.gsi[gsi % HOST_GSIS];
	int vector;

	if (irq_gsi_cpu(gsi) < 0 || cpu >= host.cpus)
		return -EINVAL;
	if (cpu == g->cpu)
		return 0;
	if (!(g->flags & IRQ_GSI_LEVEL))
		return -ENOTSUP;
	vector = irq_alloc(cpu, host_gsi_run, g, irq_name(g->cpu, g->vector));
	if (vector < 0)
		return vector;
	irq_free(g->cpu, g->vector);
	g->cpu = cpu;
	g->vector = (unsigned)vector;
	return 0;
}

void irq_gsi_mask(unsigned gsi)
{
	BUG_ON(gsi >= HOST_GSIS);
	host.gsi[gsi].masked = true;
}

void irq_gsi_free(unsigned gsi, irq_fn *fn, void *arg)
{
	struct host_gsi *g = &host.gsi[gsi];
	struct host_gsi_user *u, *tmp;

	BUG_ON(gsi >= HOST_GSIS);
	list_for_each_safe(u, tmp, &g->users, node) {
		if (u->fn != fn || u->arg != arg)
			continue;
		list_del(&u->node);
		free(u);
		if (list_empty(&g->users))
			irq_free(g->cpu, g->vector);
		return;
	}
	panic("host: GSI %u was not requested by this one", gsi);
}

/* ---- the processor ---- */

/* A CPU's vector table stays when its vectors are gone: it is no leak. */
void host_set_cpus(unsigned n)
{
	unsigned cpu = host.cpus;

	BUG_ON(!n || n > CPU_MAX);
	host.cpus = n;
	host_heap_exempt = true;
	for (; cpu < n; cpu++)
		BUG_ON(irq_prepare(cpu));
	host_heap_exempt = false;
}

void host_run_as(unsigned cpu)
{
	BUG_ON(cpu >= host.cpus || host.nheld);
	host.cpu = cpu;
}

unsigned cpu_id(void)
{
	return host.cpu;
}

unsigned cpu_count(void)
{
	return host.cpus;
}

uint32_t cpu_apic_id(unsigned cpu)
{
	return cpu + host.apic_off[cpu];
}

void host_set_apic_id(unsigned cpu, uint32_t id)
{
	BUG_ON(cpu >= CPU_MAX);
	host.apic_off[cpu] = id - cpu;
}

unsigned cpu_phys_bits(void)
{
	return host.phys_bits;
}

void host_set_phys_bits(unsigned bits)
{
	host.phys_bits = bits;
}

irqflags_t cpu_irq_save(void)
{
	irqflags_t flags = host.irqs_on ? HOST_IF : 0;

	host.irqs_on = false;
	return flags;
}

void cpu_irq_restore(irqflags_t flags)
{
	if (flags & HOST_IF && host.nheld)
		panic("host: interrupts on while holding %s",
		      host.held[host.nheld - 1]->name);
	host.irqs_on = flags & HOST_IF;
	host_take_all();
}

bool cpu_irqs_on(void)
{
	return host.irqs_on;
}

void cpu_send_ipi(unsigned cpu, unsigned vector)
{
	host_deliver(cpu, vector);
}

void cpu_send_ipi_set(const struct cpu_set *set, unsigned vector)
{
	for (unsigned cpu = 0; cpu < host.cpus; cpu++)
		if (cpu_set_has(set, cpu))
			cpu_send_ipi(cpu, vector);
}

/* ---- time ---- */

nsec_t time_now(void)
{
	return host_live ? host_live->now() : host.now;
}

static void host_timers_fire(void)
{
	for (unsigned cpu = 0; cpu < host.cpus; cpu++) {
		if (host.timer[cpu] > time_now())
			continue;
		host.timer[cpu] = NSEC_NEVER;
		host_deliver(cpu, IRQ_VECTOR_TIMER);
	}
}

/* A step may itself relax (an interrupt handler that polls): no recursion. */
static void host_steps_run(void)
{
	if (!host.stepping) {
		host.stepping = true;
		for (unsigned i = 0; i < host.nsteps; i++)
			host.step[i].fn(host.step[i].ctx);
		host.stepping = false;
	}
	host_timers_fire();
}

static nsec_t host_next_timer(nsec_t limit)
{
	for (unsigned cpu = 0; cpu < host.cpus; cpu++)
		limit = MIN(limit, host.timer[cpu]);
	return limit;
}

/* One step towards end. */
static void host_pass(nsec_t end)
{
	if (host_live)
		host_live->relax();
	else
		host.now = MAX(host.now, host_next_timer(end));
	host_steps_run();
}

void host_time_advance(nsec_t ns)
{
	nsec_t end = time_now() + ns;

	do
		host_pass(end);
	while (time_now() < end);
}

void cpu_relax(void)
{
	if (host_live)
		host_pass(0);
	else
		host_time_advance(NSEC_PER_USEC);
}

void host_step_add(void (*step)(void *ctx), void *ctx)
{
	BUG_ON(host.nsteps == HOST_STEPS);
	host.step[host.nsteps].fn = step;
	host.step[host.nsteps++].ctx = ctx;
}

void host_step_remove(void *ctx)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < host.nsteps; i++)
		if (host.step[i].ctx != ctx)
			host.step[kept++] = host.step[i];
	host.nsteps = kept;
}

void cpu_timer_arm(nsec_t deadline)
{
	BUG_ON(host.irqs_on);
	host.timer[host.cpu] = deadline;
	host_timers_fire();
}

bool cpu_timer_pending(void)
{
	return host.irr[host.cpu][IRQ_VECTOR_TIMER / 64] >>
	       IRQ_VECTOR_TIMER % 64 & 1;
}

bool cpu_irq_pending(unsigned vector)
{
	return host.irr[host.cpu][vector / 64] >> vector % 64 & 1;
}

/* In cpu's name, 1 us later; what waits for it is taken afterwards. */
int call_cpu(unsigned cpu, void (*fn)(void *arg), void *arg)
{
	unsigned was = host.cpu;

	if (cpu >= host.cpus)
		return -EINVAL;
	if (host.call_fails)
		return -ETIMEDOUT;
	if (!host.irqs_on || host.nheld)
		panic("host: CPU %u calls with interrupts off", was);
	host.cpu = cpu;
	host.irqs_on = false;
	host_time_advance(NSEC_PER_USEC);
	fn(arg);
	host.irqs_on = true;
	host.cpu = was;
	host_take_all();
	return 0;
}

void host_fail_calls(bool fail)
{
	host.call_fails = fail;
}

void cpu_triple_fault(void)
{
	log_info("host", "triple fault");
}

const char *cpu_timer_name(void)
{
	return "fake";
}

/* ---- locks ---- */

void spin_init(struct spinlock *l, const char *name)
{
	*l = (struct spinlock)SPINLOCK_INIT(name);
}

irqflags_t spin_lock(struct spinlock *l)
{
	irqflags_t flags = cpu_irq_save();

	if (l->holder)
		panic("host: CPU %u takes %s, which CPU %u holds", host.cpu,
		      l->name, l->holder - 1);
	BUG_ON(host.nheld == HOST_HELD);
	l->holder = host.cpu + 1;
	host.held[host.nheld++] = l;
	return flags;
}

void spin_unlock(struct spinlock *l, irqflags_t flags)
{
	unsigned i = host.nheld;

	spin_assert_held(l);
	while (i > 0 && host.held[i - 1] != l)
		i--;
	if (!i)
		panic("host: %s is not among the held locks", l->name);
	for (host.nheld--; i <= host.nheld; i++)
		host.held[i - 1] = host.held[i];
	l->holder = 0;
	cpu_irq_restore(flags);
}

void spin_assert_held(const struct spinlock *l)
{
	if (l->holder != host.cpu + 1)
		panic("host: CPU %u does not hold %s", host.cpu,
		      l->name ? l->name : "a lock without a name");
	if (host.irqs_on)
		panic("host: %s is held with interrupts on", l->name);
}

/* ---- memory ---- */

void *phys_to_virt(phys_t pa)
{
	if (pa >= host_ram_size)
		panic("host: physical address 0x%" PRIx64 " is not memory", pa);
	return host_ram + pa;
}

phys_t virt_to_phys(const void *p)
{
	size_t off = (const char *)p - host_ram;

	if (off >= host_ram_size)
		panic("host: %p is not in the direct mapping", p);
	return off;
}

void host_fail_alloc(unsigned n)
{
	host.fail_in = n;
	host.failed = false;
}

bool host_alloc_failed(void)
{
	return host.failed;
}

static bool host_gate(void)
{
	if (!host.fail_in || --host.fail_in)
		return false;
	host.failed = true;
	return true;
}

static struct host_block **host_block_of(const void *p)
{
	struct host_block **b =
		&host.bucket[((uintptr_t)p >> 4) % HOST_BUCKETS];

	while (*b && (*b)->p != p)
		b = &(*b)->next;
	return b;
}

static void *host_heap(size_t size, bool clear, void *caller)
{
	struct host_block *b, **slot;

	if (host_gate())
		return NULL;
	b = malloc(sizeof(*b));
	BUG_ON(!b);
	b->p = clear ? calloc(1, size) : malloc(size);
	BUG_ON(!b->p);
	b->caller = caller;
	b->size = size;
	b->exempt = host_heap_exempt;
	slot = host_block_of(b->p);
	b->next = *slot;
	*slot = b;
	host.heap_bytes += size;
	host.heap_allocs++;
	return b->p;
}

void *heap_alloc(size_t size)
{
	return host_heap(size, false, __builtin_return_address(0));
}

void *heap_zalloc(size_t size)
{
	return host_heap(size, true, __builtin_return_address(0));
}

void *heap_calloc(size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return host_heap(bytes, true, __builtin_return_address(0));
}

void heap_free(void *p)
{
	struct host_block **slot, *b;

	if (!p)
		return;
	slot = host_block_of(p);
	b = *slot;
	if (!b)
		panic("host: %p is not a heap block", p);
	*slot = b->next;
	host.heap_bytes -= b->size;
	free(b->p);
	free(b);
}

size_t heap_in_use(void)
{
	return host.heap_bytes;
}

uint64_t heap_allocs(void)
{
	return host.heap_allocs;
}

static unsigned host_heap_leaks(const struct host_block **last)
{
	unsigned n = 0;

	for (unsigned i = 0; i < HOST_BUCKETS; i++) {
		for (struct host_block *b = host.bucket[i]; b; b = b->next) {
			if (b->exempt)
				continue;
			*last = b;
			n++;
		}
	}
	return n;
}

static void host_heap_drop(void)
{
	for (unsigned i = 0; i < HOST_BUCKETS; i++)
		while (host.bucket[i])
			heap_free(host.bucket[i]->p);
}

static unsigned host_vectors_used(char *which, size_t size)
{
	unsigned n = 0;

	for (unsigned cpu = 0; cpu < host.cpus; cpu++) {
		for (unsigned v = IRQ_VECTOR_FIRST; v <= IRQ_VECTOR_LAST; v++) {
			if (!irq_name(cpu, v))
				continue;
			snprintf(which, size, "%s", irq_name(cpu, v));
			n++;
		}
	}
	return n;
}

void host_keep(void)
{
	struct page_stats st;
	char name[32];

	for (unsigned i = 0; i < HOST_BUCKETS; i++)
		for (struct host_block *b = host.bucket[i]; b; b = b->next)
			b->exempt = true;
	page_stats(&st);
	host.pages_free = st.free;
	host.vectors_kept = host_vectors_used(name, sizeof(name));
}

/* ---- DMA by a fake device ---- */

static void *host_dma_at(uint16_t bdf, iova_t addr, size_t len, bool write)
{
	if (host_dma_translate)
		return host_dma_translate(bdf, addr, len, write);
	return addr < host_ram_size && len <= host_ram_size - addr ?
	       host_ram + addr : NULL;
}

static bool host_dma(uint16_t bdf, iova_t addr, void *buf, size_t len,
		     bool write)
{
	char *p = buf, *mem;
	size_t n;

	if (host_bus_may_master && !host_bus_may_master(bdf))
		return false;
	for (; len; p += n, addr += n, len -= n) {
		n = MIN(len, PAGE_SIZE - addr % PAGE_SIZE);
		mem = host_dma_at(bdf, addr, n, write);
		if (!mem)
			return false;
		memcpy(write ? mem : p, write ? p : mem, n);
	}
	return true;
}

bool host_dma_read(uint16_t bdf, iova_t addr, void *buf, size_t len)
{
	return host_dma(bdf, addr, buf, len, false);
}

bool host_dma_write(uint16_t bdf, iova_t addr, const void *buf, size_t len)
{
	return host_dma(bdf, addr, (void *)buf, len, true);
}

/* ---- start and finish ---- */

static void host_pages_start(void)
{
	struct page_stats st;

	page_reset();
	page_gate = host_gate;
	page_add(HOST_LOW, host_ram_size - HOST_LOW);
	page_stats(&st);
	host.pages_free = st.free;
}

static void host_ram_drop(void)
{
	if (host_ram_own)
		munmap(host_ram, host_ram_size);
	host_ram = NULL;
	host_ram_own = false;
}

void host_use_ram(void *ram, size_t size)
{
	host_ram_drop();
	host_ram = ram;
	host_ram_size = size;
	if (ram)
		host_pages_start();
}

/* Pages start as rubbish, so that who forgets to clear one is found out. */
static void host_arena_start(void)
{
	host_ram = mmap(NULL, HOST_RAM, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (host_ram == MAP_FAILED)
		abort();
	host_ram_own = true;
	host_ram_size = HOST_RAM;
	memset(host_ram + HOST_LOW, 0xa5, HOST_DIRTY);
	host_pages_start();
}

void host_start(void)
{
	irq_reset();
	host_ram_drop();
	host_heap_drop();
	free(host.log.buf);
	free(host.console.buf);
	memset(&host, 0, sizeof(host));
	host.irqs_on = true;
	host.phys_bits = 52;
	host.now = NSEC_PER_MSEC;	/* time 0 would hide forgotten sums */
	for (unsigned i = 0; i < CPU_MAX; i++)
		host.timer[i] = NSEC_NEVER;
	for (unsigned i = 0; i < HOST_GSIS; i++)
		list_init(&host.gsi[i].users);
	host_dma_translate = NULL;
	host_live = NULL;
	if (host_bus_reset)
		host_bus_reset();
	host_arena_start();
	host_set_cpus(1);
}

static bool host_no_locks(char *what, size_t size)
{
	if (host.nheld) {
		snprintf(what, size, "%u locks held, the last is %s",
			 host.nheld, host.held[host.nheld - 1]->name);
		return false;
	}
	if (!host.irqs_on) {
		snprintf(what, size, "interrupts are off");
		return false;
	}
	return true;
}

static bool host_no_memory(char *what, size_t size)
{
	const struct host_block *b = NULL;
	struct page_stats st;
	unsigned n = host_heap_leaks(&b);

	if (n) {
		snprintf(what, size, "%u heap blocks leaked, one of %zu bytes "
			 "from %p", n, b->size, b->caller);
		return false;
	}
	page_stats(&st);
	if (st.free < host.pages_free) {
		snprintf(what, size, "%" PRIu64 " pages leaked",
			 host.pages_free - st.free);
		return false;
	}
	return true;
}

bool host_is_clean(char *what, size_t size)
{
	char name[32] = "";
	unsigned n;

	if (!host_no_locks(what, size))
		return false;
	if (host_probe_clean && !host_probe_clean(what, size))
		return false;
	n = host_vectors_used(name, sizeof(name));
	if (n > host.vectors_kept) {
		snprintf(what, size, "%u vectors leaked, the last is %s",
			 n - host.vectors_kept, name);
		return false;
	}
	return host_no_memory(what, size);
}
