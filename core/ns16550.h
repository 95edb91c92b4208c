/* SPDX-License-Identifier: MIT */
/*
 * The serial console: a 16550 at COM1. Output waits for the transmitter with
 * a bound, so that a port that gets stuck costs a second but never a hang; it is
 * used again once it takes text. Input arrives by interrupt and is kept until
 * somebody asks.
 */
#ifndef CORE_NS16550_H
#define CORE_NS16550_H

#include "core/types.h"

/* 115200 8N1, FIFOs on. Returns false when no UART answers; then mute. */
bool ns16550_init(void);
/* From now on all waits together are bounded by two seconds: for panic. */
void ns16550_hurry(void);
bool ns16550_stuck(void);
void ns16550_write(const char *s, size_t len);	/* \n becomes \r\n */

/*
 * Receive by interrupt (GSI 4) on CPU 0; rx is called there, from interrupt
 * context, after characters came in; the last caller's. Thread context, one at a
 * time. 0, -ENODEV (no UART) or what irq_gsi_request() says.
 */
int ns16550_listen(void (*rx)(void));
/* The next character received, or -1. Any context. */
int ns16550_getc(void);

#endif
