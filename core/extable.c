/* SPDX-License-Identifier: MIT */
#include "core/extable.h"

/* A handful of entries, looked at once a fault: no order is worth keeping. */
uintptr_t extable_find(const struct extable *table, size_t n, uintptr_t rip)
{
	for (size_t i = 0; i < n; i++)
		if (table[i].fault == rip)
			return table[i].fixup;
	return 0;
}
