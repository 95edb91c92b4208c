/* SPDX-License-Identifier: MIT */
/*
 * The kernel command line: words separated by blanks, "key" or "key=value" or
 * key="value with blanks". The last of several equal keys wins. Pure; every
 * key that a room reads is declared with CMDLINE_KEY, so that an unknown one
 * is named in the log instead of being silently ignored, and so that the
 * monitor's help can list them.
 */
#ifndef CORE_CMDLINE_H
#define CORE_CMDLINE_H

#include "core/set.h"
#include "core/types.h"

struct cmdline_key {
	const char *key, *values, *help;	/* "iommu", "on|off", "…" */
};
#define CMDLINE_KEY(sym)	SET_ENTRY(cmdline_key, struct cmdline_key, sym)

/* Keep a copy of text. Returns the number of unknown keys (each is logged). */
unsigned cmdline_init(const char *text);
const char *cmdline_text(void);

/* Copy the value of key ("" for a bare word). -ENOENT, or -E2BIG (cut). */
int cmdline_get(const char *key, char *buf, size_t size);
bool cmdline_has(const char *key);
/* The number, with K, M, G; dflt when absent; a bad one is logged. */
uint64_t cmdline_u64(const char *key, uint64_t dflt);
/* Is word one of the comma-separated words of key's value? */
bool cmdline_list_has(const char *key, const char *word);
/* on/off/1/0/yes/no or bare (on); dflt when absent; a bad one is logged. */
bool cmdline_bool(const char *key, bool dflt);

#endif
