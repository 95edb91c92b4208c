/* SPDX-License-Identifier: MIT */
#include "core/tick.h"

#include "core/bits.h"
#include "core/errno.h"
#include "core/fmt.h"
#include "core/string.h"

static const struct {
	const char *word, *name;
} tick_modes[TICK_MODES] = {
	[TICK_DEADLINE] = { "deadline", "tsc-deadline" },
	[TICK_ONESHOT] = { "oneshot", "lapic-oneshot" },
	[TICK_PERIODIC] = { "periodic", "lapic-periodic" },
};

const char *tick_mode_name(enum tick_mode mode)
{
	return tick_modes[mode].name;
}

/* "periodic" and "periodic=HZ"; the others take no number. */
static int tick_parse(const char *word, struct tick *tick)
{
	size_t len = strlen(tick_modes[TICK_PERIODIC].word);
	uint64_t hz = TICK_HZ;

	for (unsigned m = 0; m < TICK_PERIODIC; m++)
		if (strcmp(word, tick_modes[m].word) == 0) {
			*tick = (struct tick){ (enum tick_mode)m, 0 };
			return 0;
		}
	if (strncmp(word, tick_modes[TICK_PERIODIC].word, len) ||
	    (word[len] && word[len] != '='))
		return -EINVAL;
	if (word[len] && fmt_parse_u64(word + len + 1, false, &hz))
		return -EINVAL;
	if (hz < TICK_HZ_MIN || hz > TICK_HZ_MAX)
		return -EINVAL;
	*tick = (struct tick){ TICK_PERIODIC, (unsigned)hz };
	return 0;
}

/* Nobody gets the periodic tick without asking, unless there is nothing else. */
int tick_choose(const char *word, unsigned offered, struct tick *tick)
{
	struct tick best = { (enum tick_mode)__builtin_ctz(offered), 0 };
	int err = 0;

	if (best.mode == TICK_PERIODIC)
		best.hz = TICK_HZ;
	*tick = best;
	if (word)
		err = tick_parse(word, tick);
	if (!err && !(offered & BIT(tick->mode)))
		err = -ENOTSUP;
	if (err)
		*tick = best;
	return err;
}
