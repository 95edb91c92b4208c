/* SPDX-License-Identifier: MIT */
#include "core/ns16550.h"

#include "core/bits.h"
#include "core/cpu.h"
#include "core/irq.h"
#include "core/x86.h"

#define COM1		0x3f8
#define COM1_IRQ	4

/* PC16550D data sheet, table 4. */
#define UART_DATA	0		/* DLAB=0: receive, transmit */
#define UART_DLL	0		/* DLAB=1 */
#define UART_DLM	1
#define UART_IER	1
# define UART_IER_RX	BIT(0)
#define UART_FCR	2
# define UART_FCR_ON	0xc7		/* FIFOs on, cleared, threshold 14 */
#define UART_LCR	3
# define UART_LCR_8N1	0x03
# define UART_LCR_DLAB	0x80
#define UART_MCR	4
# define UART_MCR_ON	0x0b		/* DTR, RTS, OUT2 (interrupts) */
#define UART_LSR	5
# define UART_LSR_DR	BIT(0)
# define UART_LSR_THRE	BIT(5)
# define UART_LSR_ABSENT	0xff
#define UART_SCR	7

#define UART_FIFO	16
#define UART_STUCK	NSEC_PER_SEC	/* well below core/lock.c's patience */
#define UART_HURRY	(2 * NSEC_PER_SEC)

static struct {
	bool present, stuck;
	nsec_t until;			/* no wait after that; 0: no such end */
	unsigned room;			/* known to be free in the FIFO */
	void (*rx)(void);
	bool listening;
	/* one writer (the interrupt), one reader: */
	uint8_t ring[256];
	unsigned head, tail;
} uart;

bool ns16550_init(void)
{
	x86_outb(COM1 + UART_SCR, 0x5a);
	if (x86_inb(COM1 + UART_SCR) != 0x5a)
		return false;
	x86_outb(COM1 + UART_IER, 0);
	x86_outb(COM1 + UART_LCR, UART_LCR_DLAB);
	x86_outb(COM1 + UART_DLL, 1);
	x86_outb(COM1 + UART_DLM, 0);
	x86_outb(COM1 + UART_LCR, UART_LCR_8N1);
	x86_outb(COM1 + UART_FCR, UART_FCR_ON);
	x86_outb(COM1 + UART_MCR, UART_MCR_ON);
	uart.present = true;
	return true;
}

void ns16550_hurry(void)
{
	uart.until = time_now() + UART_HURRY;
}

bool ns16550_stuck(void)
{
	return uart.stuck;
}

static nsec_t uart_patience(void)
{
	nsec_t deadline = time_now() + UART_STUCK;

	return uart.until ? MIN(deadline, uart.until) : deadline;
}

/* The FIFO is empty when THRE is set, so one look is good for 16 bytes. */
static void uart_put(uint8_t c)
{
	uint8_t lsr;

	if (!uart.room) {
		if (poll_until(lsr, x86_inb(COM1 + UART_LSR),
			       lsr & UART_LSR_THRE, uart_patience())) {
			uart.stuck = true;
			return;
		}
		uart.room = UART_FIFO;
	}
	uart.room--;
	x86_outb(COM1 + UART_DATA, c);
}

static void uart_puts(const char *s, size_t len)
{
	for (; len && !uart.stuck; len--, s++) {
		if (*s == '\n')
			uart_put('\r');
		uart_put((uint8_t)*s);
	}
}

/*
 * A port is stuck when nobody on the host reads it, and that may end: each
 * write gives it one look, without waiting, and says that text is missing.
 */
void ns16550_write(const char *s, size_t len)
{
	static const char missing[] = "\n# the console was stuck: text is missing\n";

	if (!uart.present)
		return;
	if (uart.stuck) {
		if (!(x86_inb(COM1 + UART_LSR) & UART_LSR_THRE))
			return;
		uart.stuck = false;
		uart_puts(missing, sizeof(missing) - 1);
	}
	uart_puts(s, len);
}

static void uart_interrupt(void *arg)
{
	uint8_t lsr, c;

	while (lsr = x86_inb(COM1 + UART_LSR),
	       (lsr & UART_LSR_DR) && lsr != UART_LSR_ABSENT) {
		c = x86_inb(COM1 + UART_DATA);
		if (uart.head - uart.tail < sizeof(uart.ring)) {
			uart.ring[uart.head % sizeof(uart.ring)] = c;
			__atomic_store_n(&uart.head, uart.head + 1,
					 __ATOMIC_RELEASE);
		}
	}
	READ_ONCE(uart.rx)();
}

int ns16550_listen(void (*rx)(void))
{
	int err;

	if (!uart.present)
		return -ENODEV;
	WRITE_ONCE(uart.rx, rx);
	if (uart.listening)
		return 0;
	err = irq_gsi_request(COM1_IRQ, 0, 0, uart_interrupt, NULL, "console");
	if (!err)
		x86_outb(COM1 + UART_IER, UART_IER_RX);
	uart.listening = !err;
	return err;
}

int ns16550_getc(void)
{
	int c;

	if (__atomic_load_n(&uart.head, __ATOMIC_ACQUIRE) == uart.tail)
		return -1;
	c = uart.ring[uart.tail % sizeof(uart.ring)];
	__atomic_store_n(&uart.tail, uart.tail + 1, __ATOMIC_RELEASE);
	return c;
}
