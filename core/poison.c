/* SPDX-License-Identifier: MIT */
#include "core/poison.h"

#include "core/cmdline.h"
#include "core/panic.h"

#define POISON	UINT64_C(0x6b6b6b6b6b6b6b6b)	/* no canonical address */

static const struct cmdline_key key_debug = {
	"debug", "poison", "fill freed memory and check it (slow)" };
CMDLINE_KEY(key_debug);

bool poison_on;

void poison_init(void)
{
	poison_on = cmdline_list_has("debug", "poison");
}

void poison_fill(void *p, size_t size)
{
	uint64_t *word = p;

	for (size_t i = 0; i < size / sizeof(*word); i++)
		word[i] = POISON;
}

void poison_check(const char *who, const void *p, size_t size,
		  uintptr_t freed_by)
{
	const uint64_t *word = p;
	char sym[96];

	for (size_t i = 0; i < size / sizeof(*word); i++) {
		if (word[i] == POISON)
			continue;
		panic_symbol(freed_by, sym, sizeof(sym));
		panic("%s: %p was written to after it was freed (0x%llx), "
		      "freed by %s", who, (const void *)&word[i],
		      (unsigned long long)word[i], sym);
	}
}
