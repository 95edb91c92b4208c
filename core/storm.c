/* SPDX-License-Identifier: MIT */
#include "core/storm.h"

static bool storm_window_is_bad(const struct storm *s, nsec_t now)
{
	return s->watched && now - s->since <= STORM_QUICK &&
	       s->again * 16u >= s->looks * STORM_MOST;
}

bool storm_judge(struct storm *s, bool again, nsec_t now)
{
	bool bad, storm;

	if (s->watched) {
		s->looks++;
		s->again += again;
	}
	if (s->n < STORM_WINDOW)
		return false;
	bad = storm_window_is_bad(s, now);
	storm = bad && now - s->bad >= STORM_TIME;
	*s = (struct storm){
		.since = now,
		.bad = bad && !storm ? s->bad : now,
		.watched = !storm && now - s->since <= STORM_QUICK,
	};
	return storm;
}
