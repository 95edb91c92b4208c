/* SPDX-License-Identifier: MIT */
#include "tests/host/qtest.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/cpu.h"
#include "core/panic.h"
#include "tests/host/host_internal.h"

#define QTEST_QEMU	"qemu-system-x86_64"
#define QTEST_ARGS	64
#define QTEST_NAP	20000		/* ns per relax */
#define QTEST_PATIENCE	10		/* s for an answer */

/* The parked CPU's RAM. */
#define PARK_COUNTERS	0x9f000		/* uint32_t by vector */
#define PARK_READY	0x9f400
#define PARK_STACK	PARK_COUNTERS	/* grows down */

/* Its ROM: the last 64 KiB below 4 GiB. */
#define PARK_SIZE	0x10000
#define PARK_BASE	0xffff0000u
#define PARK_STUBS	0xc000		/* 16 bytes by vector */
#define PARK_COMMON	0xd000
#define PARK_IDT	0xe000
#define PARK_GDT	0xfe00
#define PARK_GDTR	0xfe40
#define PARK_IDTR	0xfe48
#define PARK_16		0xff00		/* real mode */
#define PARK_32		0xff40		/* protected mode, flat */
#define PARK_RESET	0xfff0		/* Intel SDM vol. 3, 10.1.4 */

static struct {
	pid_t pid;
	int fd;
	char *ram;
	uint32_t seen[256];
	struct timespec start;
	char in[512];
	size_t have;
} qtest = { .pid = 0, .fd = -1 };

/* ---- the parked CPU ---- */

static void park_put(uint8_t *rom, unsigned at, const char *code, size_t len)
{
	memcpy(rom + at, code, len);
}
#define PARK_PUT(rom, at, code)	park_put(rom, at, code, sizeof(code) - 1)

static void park_put32(uint8_t *rom, unsigned at, uint32_t val)
{
	memcpy(rom + at, &val, sizeof(val));
}

/* lock inc dword [counter]; jmp common. Gate: 32-bit interrupt, ring 0. */
static void park_vector(uint8_t *rom, unsigned v)
{
	unsigned stub = PARK_STUBS + 16 * v, gate = PARK_IDT + 8 * v;
	uint32_t addr = PARK_BASE + stub;

	PARK_PUT(rom, stub, "\xf0\xff\x05....\xe9....");
	park_put32(rom, stub + 3, PARK_COUNTERS + 4 * v);
	park_put32(rom, stub + 8, PARK_COMMON - (stub + 12));
	park_put32(rom, gate, 0x8 << 16 | (addr & 0xffff));
	park_put32(rom, gate + 4, (addr & 0xffff0000) | 0x8e00);
}

static void park_rom(uint8_t *rom)
{
	memset(rom, 0xf4, PARK_SIZE);
	for (unsigned v = 0; v < 256; v++)
		park_vector(rom, v);
	/* mov dword [0xfee000b0], 0 (end of interrupt); iret */
	PARK_PUT(rom, PARK_COMMON,
		 "\xc7\x05\xb0\x00\xe0\xfe\x00\x00\x00\x00\xcf");
	/* null; flat code; flat data; both accessed already */
	PARK_PUT(rom, PARK_GDT, "\x00\x00\x00\x00\x00\x00\x00\x00"
				"\xff\xff\x00\x00\x00\x9b\xcf\x00"
				"\xff\xff\x00\x00\x00\x93\xcf\x00");
	PARK_PUT(rom, PARK_GDTR, "\x17\x00\x00\xfe\xff\xff");
	PARK_PUT(rom, PARK_IDTR, "\xff\x07\x00\xe0\xff\xff");
	/* cli; lgdt cs:[gdtr]; cr0 |= 1; jmp 8:PARK_32 */
	PARK_PUT(rom, PARK_16, "\xfa\x66\x2e\x0f\x01\x16\x40\xfe"
			       "\x0f\x20\xc0\x0c\x01\x0f\x22\xc0"
			       "\x66\xea\x40\xff\xff\xff\x08\x00");
	/*
	 * ds = es = ss = 16; esp = stack; lidt [idtr]; mask both 8259s; enable
	 * the local APIC (spurious vector register); ready = 1; sti; hlt, again
	 */
	PARK_PUT(rom, PARK_32, "\x66\xb8\x10\x00\x8e\xd8\x8e\xc0\x8e\xd0"
			       "\xbc....\x0f\x01\x1d\x48\xfe\xff\xff"
			       "\xb0\xff\xe6\x21\xe6\xa1"
			       "\xc7\x05\xf0\x00\xe0\xfe\xff\x01\x00\x00"
			       "\xc7\x05....\x01\x00\x00\x00"
			       "\xfb\xf4\xeb\xfd");
	park_put32(rom, PARK_32 + 11, PARK_STACK);
	park_put32(rom, PARK_32 + 40, PARK_READY);
	/* jmp PARK_16 */
	PARK_PUT(rom, PARK_RESET, "\xe9\x0d\xff");
}

static bool park_ready(void)
{
	nsec_t deadline = time_now() + QTEST_PATIENCE * NSEC_PER_SEC;
	uint32_t *ready = (uint32_t *)(qtest.ram + PARK_READY);

	return poll_mem_until(READ_ONCE(*ready) == 1, deadline) == 0;
}

void host_live_poll(void)
{
	const uint32_t *counter = (uint32_t *)(qtest.ram + PARK_COUNTERS);

	for (unsigned v = 0x10; v < 0xff; v++) {
		uint32_t n = READ_ONCE(counter[v]);

		if (n == qtest.seen[v])
			continue;
		qtest.seen[v] = n;
		host_deliver(0, v);
	}
}

/* ---- the protocol (QEMU, docs/devel/qtest.rst) ---- */

/* The next line into buf, without its newline. */
static void qtest_line(char *buf, size_t size)
{
	char *nl;
	ssize_t n;
	size_t len;

	while (!(nl = memchr(qtest.in, '\n', qtest.have))) {
		BUG_ON(qtest.have == sizeof(qtest.in));
		n = read(qtest.fd, qtest.in + qtest.have,
			 sizeof(qtest.in) - qtest.have);
		if (n <= 0)
			panic("qtest: QEMU does not answer any more");
		qtest.have += n;
	}
	len = nl - qtest.in;
	BUG_ON(len >= size);
	memcpy(buf, qtest.in, len);
	buf[len] = '\0';
	qtest.have -= len + 1;
	memmove(qtest.in, nl + 1, qtest.have);
}

/* One command; returns the number in the answer, if it has one. */
static uint64_t qtest_ask(const char *fmt, ...) __printf(1, 2);
static uint64_t qtest_ask(const char *fmt, ...)
{
	char cmd[128], line[128];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	if (send(qtest.fd, cmd, len, MSG_NOSIGNAL) != len)
		panic("qtest: QEMU is gone");
	qtest_line(line, sizeof(line));
	if (strncmp(line, "OK", 2))
		panic("qtest: %.*s: %s", len - 1, cmd, line);
	return strtoull(line + 2, NULL, 0);
}

static char qtest_width(unsigned width)
{
	return " bw l   q"[width];
}

static uint64_t qtest_read(enum io_space space, uint64_t addr, unsigned width)
{
	return qtest_ask("%s%c 0x%" PRIx64 "\n",
			 space == IO_PORT ? "in" : "read", qtest_width(width),
			 addr);
}

static void qtest_write(enum io_space space, uint64_t addr, unsigned width,
			uint64_t val)
{
	qtest_ask("%s%c 0x%" PRIx64 " 0x%" PRIx64 "\n",
		  space == IO_PORT ? "out" : "write", qtest_width(width), addr,
		  val);
}

static nsec_t qtest_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (t.tv_sec - qtest.start.tv_sec) * NSEC_PER_SEC + t.tv_nsec -
	       qtest.start.tv_nsec + NSEC_PER_MSEC;
}

static void qtest_relax(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = QTEST_NAP }, NULL);
	host_live_poll();
}

static const struct host_live_ops qtest_ops = {
	.read = qtest_read,
	.write = qtest_write,
	.now = qtest_now,
	.relax = qtest_relax,
};

/* ---- starting and ending QEMU ---- */

bool qtest_available(void)
{
	return system("command -v " QTEST_QEMU " >/dev/null 2>&1") == 0;
}

int qtest_file(const void *data, size_t size, char *path, size_t path_size)
{
	int fd = memfd_create("lodger", 0);	/* QEMU inherits it */

	if (fd < 0 || ftruncate(fd, size) ||
	    (data && pwrite(fd, data, size, 0) != (ssize_t)size))
		panic("qtest: no file of %zu bytes", size);
	snprintf(path, path_size, "/proc/self/fd/%d", fd);
	return fd;
}

static int qtest_rom(char *path, size_t size)
{
	static uint8_t rom[PARK_SIZE];

	park_rom(rom);
	return qtest_file(rom, sizeof(rom), path, size);
}

static void qtest_exec(const char *const *args, int fd, const char *ram,
		       const char *rom)
{
	const char *argv[QTEST_ARGS];
	char object[128], chardev[64];
	unsigned n = 0;

	snprintf(object, sizeof(object), "memory-backend-file,id=ram,size=%"
		 PRIu64 ",mem-path=%s,share=on", (uint64_t)HOST_RAM, ram);
	snprintf(chardev, sizeof(chardev), "socket,id=qtest,fd=%d", fd);
	for (const char *const *a = (const char *const []){
		QTEST_QEMU, "-machine", "q35,memory-backend=ram,accel=tcg",
		"-m", "64M", "-object", object, "-bios", rom, "-nodefaults",
		"-display", "none", "-chardev", chardev, "-qtest",
		"chardev:qtest", "-qtest-log", "none", NULL }; *a; a++)
		argv[n++] = *a;
	for (; *args && n < QTEST_ARGS - 1; args++)
		argv[n++] = *args;
	argv[n] = NULL;
	execvp(argv[0], (char **)argv);
	perror(QTEST_QEMU);
	_exit(127);
}

/* It dies with us, even when we were killed before we could ask for that. */
static void qtest_child(const char *const *args, int fd, const char *ram,
			const char *rom, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	qtest_exec(args, fd, ram, rom);
}

static int qtest_spawn(const char *const *args, int ram_fd, const char *ram)
{
	struct timeval patience = { .tv_sec = QTEST_PATIENCE };
	pid_t parent = getpid();
	char rom[32];
	int pair[2], rom_fd;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return -EAGAIN;
	fcntl(pair[0], F_SETFD, FD_CLOEXEC);
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience,
		   sizeof(patience));
	rom_fd = qtest_rom(rom, sizeof(rom));
	qtest.pid = fork();
	if (qtest.pid == 0)
		qtest_child(args, pair[1], ram, rom, parent);
	close(pair[1]);
	close(rom_fd);
	qtest.fd = pair[0];
	return qtest.pid > 0 ? 0 : -EAGAIN;
}

int qtest_start(const char *const *args)
{
	char path[32];
	int fd, err;

	BUG_ON(qtest.fd >= 0);
	fd = qtest_file(NULL, HOST_RAM, path, sizeof(path));
	qtest.ram = mmap(NULL, HOST_RAM, PROT_READ | PROT_WRITE, MAP_SHARED,
			 fd, 0);
	BUG_ON(qtest.ram == MAP_FAILED);
	qtest.have = 0;
	memset(qtest.seen, 0, sizeof(qtest.seen));
	clock_gettime(CLOCK_MONOTONIC, &qtest.start);
	err = qtest_spawn(args, fd, path);
	close(fd);
	if (err)
		goto err_spawn;
	host_live = &qtest_ops;
	host_use_ram(qtest.ram, HOST_RAM);
	if (park_ready())
		return 0;
	err = -ENODEV;
err_spawn:
	qtest_stop();
	return err;
}

void qtest_stop(void)
{
	host_live = NULL;
	if (qtest.pid > 0) {
		kill(qtest.pid, SIGKILL);
		waitpid(qtest.pid, NULL, 0);
	}
	qtest.pid = 0;
	if (qtest.fd >= 0)
		close(qtest.fd);
	qtest.fd = -1;
	host_use_ram(NULL, 0);
	munmap(qtest.ram, HOST_RAM);
	qtest.ram = NULL;
}
