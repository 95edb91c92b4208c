/* SPDX-License-Identifier: MIT */
/*
 * The vector matrices (theory of operation).
 *
 * Each CPU has a bitmap, taken, with a bit for each of 256 vectors (those that
 * are never handed out count as set), and one word of counts: used, how many
 * vectors are spoken for, and reserved, how many more are promised. Both change
 * by atomic operations only, in this order:
 *
 *	take	claim: used + 1 in the counts, refused when it would exceed
 *		the room; then a zero bit is found and set
 *	free	the bit is cleared; then used - 1 in the counts
 *
 * Invariants, which hold between any two steps of any number of CPUs:
 *
 *	1. used + reserved <= VECTOR_ROOM. The compare-and-swap that raises one
 *	   of them looks at both.
 *	2. bits set <= used. A bit is set by one who has claimed and not yet
 *	   found, and cleared before the claim is given back.
 *	3. Who has claimed and not yet found sees a zero bit: he is counted in
 *	   used and not in the bits, so that fewer than used <= VECTOR_ROOM bits
 *	   are set.
 *	4. A vector has one owner: its bit went from 0 to 1 by one
 *	   compare-and-swap, and nobody but the owner clears it.
 *
 * Lock-free: a compare-and-swap fails only because another one succeeded, and
 * a search goes round the whole bitmap without a find only when, since it
 * began, somebody freed a bit behind it and somebody set one before it. So
 * whenever somebody repeats a step, others have finished theirs; and one who
 * stops for ever between two steps keeps a vector from the others, but never
 * makes them wait.
 *
 * Setting a bit acquires what clearing it released: the new owner sees all
 * that the old one did with the vector.
 *
 * next, where a search starts, is only advice. It is moved on to behind the
 * vector found and never back, so that a vector which was just freed comes
 * last; when several CPUs take at the same time one may come a little earlier.
 */
#include "core/vector.h"

#include "core/bits.h"
#include "core/numa.h"
#include "core/panic.h"
#include "core/string.h"

#define VECTOR_WORDS	4		/* of 64 vectors */
#define VECTOR_BLOCK_MAX 32		/* what MSI can use: PCI 3.0, 6.8.1.3 */

/* The counts of a CPU, in one word. */
#define VECTOR_USED	GENMASK_ULL(15, 0)
#define VECTOR_RESERVED	GENMASK_ULL(31, 16)
#define VECTOR_HIGH	GENMASK_ULL(47, 32)
#define VECTOR_USED_1	FIELD_PREP(VECTOR_USED, 1)
#define VECTOR_RESERVED_1 FIELD_PREP(VECTOR_RESERVED, 1)

struct vector_cpu {
	/* atomic: */
	uint64_t taken[VECTOR_WORDS];
	uint64_t managed[VECTOR_WORDS];	/* the owner's: taken from reserved */
	uint64_t counts;
	uint64_t failures;
	unsigned next;			/* less VECTOR_FIRST */
} __aligned(64);

/* Not handed out: their bits are never looked at. */
static const uint64_t vector_never[VECTOR_WORDS] = {
	[0] = GENMASK_ULL(VECTOR_FIRST - 1, 0),
	[VECTOR_LAST / 64] = GENMASK_ULL(63, VECTOR_LAST % 64 + 1),
};
_Static_assert(VECTOR_FIRST < 64 && VECTOR_LAST / 64 == VECTOR_WORDS - 1,
	       "only the first and the last word have a loose end");

static struct vector_cpu vector_cpus[CPU_MAX];

static unsigned vector_load(uint64_t counts)
{
	return (unsigned)(FIELD_GET(VECTOR_USED, counts) +
			  FIELD_GET(VECTOR_RESERVED, counts));
}

static uint64_t vector_counts(unsigned cpu)
{
	return __atomic_load_n(&vector_cpus[cpu].counts, __ATOMIC_ACQUIRE);
}

/* What compare-and-swap makes of *old: true when it was still that. */
static bool vector_swap(uint64_t *word, uint64_t *old, uint64_t fresh)
{
	return __atomic_compare_exchange_n(word, old, fresh, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* ---- the counts ---- */

static uint64_t vector_add_used(uint64_t counts, unsigned n)
{
	uint64_t used;

	counts += n * VECTOR_USED_1;
	used = FIELD_GET(VECTOR_USED, counts);
	if (used > FIELD_GET(VECTOR_HIGH, counts))
		counts = (counts & ~VECTOR_HIGH) | FIELD_PREP(VECTOR_HIGH, used);
	return counts;
}

static int vector_claim(struct vector_cpu *v, unsigned n)
{
	uint64_t old = __atomic_load_n(&v->counts, __ATOMIC_RELAXED);

	do {
		if (vector_load(old) + n > VECTOR_ROOM)
			return -ENOSPC;
	} while (!vector_swap(&v->counts, &old, vector_add_used(old, n)));
	return 0;
}

static int vector_claim_reserved(struct vector_cpu *v)
{
	uint64_t old = __atomic_load_n(&v->counts, __ATOMIC_RELAXED);

	do {
		if (!FIELD_GET(VECTOR_RESERVED, old))
			return -EINVAL;
	} while (!vector_swap(&v->counts, &old,
			      vector_add_used(old - VECTOR_RESERVED_1, 1)));
	return 0;
}

static int vector_reserve_one(struct vector_cpu *v)
{
	uint64_t old = __atomic_load_n(&v->counts, __ATOMIC_RELAXED);

	do {
		if (vector_load(old) >= VECTOR_ROOM)
			return -ENOSPC;
	} while (!vector_swap(&v->counts, &old, old + VECTOR_RESERVED_1));
	return 0;
}

static void vector_unreserve_one(struct vector_cpu *v)
{
	uint64_t old = __atomic_load_n(&v->counts, __ATOMIC_RELAXED);

	do {
		BUG_ON(!FIELD_GET(VECTOR_RESERVED, old));
	} while (!vector_swap(&v->counts, &old, old - VECTOR_RESERVED_1));
}

static int vector_fail(struct vector_cpu *v)
{
	__atomic_fetch_add(&v->failures, 1, __ATOMIC_RELAXED);
	return -ENOSPC;
}

/* ---- the bits ---- */

/* Set a zero bit of this word, from the lowest of mask on; -ENOSPC. */
static int vector_set_one(uint64_t *word, uint64_t mask)
{
	uint64_t old = __atomic_load_n(word, __ATOMIC_RELAXED);
	uint64_t open, bit;

	do {
		open = ~old & mask;
		if (!open)
			return -ENOSPC;
		bit = open & -open;
	} while (!vector_swap(word, &old, old | bit));
	return __builtin_ctzll(bit);
}

/* Once round, from vector start on and, at the end, what is before it. */
static int vector_search(struct vector_cpu *v, unsigned start)
{
	for (unsigned n = 0; n <= VECTOR_WORDS; n++) {
		unsigned w = (start / 64 + n) % VECTOR_WORDS;
		uint64_t mask = ~vector_never[w];
		int bit;

		if (n == 0)
			mask &= UINT64_MAX << start % 64;
		bit = vector_set_one(&v->taken[w], mask);
		if (bit >= 0)
			return (int)(64 * w) + bit;
	}
	return -ENOSPC;
}

/* How far it is from vector start on, once round, to vector to. */
static unsigned vector_ahead(unsigned start, unsigned to)
{
	return (to + VECTOR_ROOM - start) % VECTOR_ROOM;
}

/* Searches that began at start go on behind found, if none is further yet. */
static void vector_move_on(struct vector_cpu *v, unsigned start, unsigned found)
{
	unsigned now = start, to = (found + 1) % VECTOR_ROOM;

	while (vector_ahead(start, now) <= vector_ahead(start, found))
		if (__atomic_compare_exchange_n(&v->next, &now, to, false,
						__ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return;
}

/* By one who has claimed. */
static int vector_find(struct vector_cpu *v)
{
	unsigned start;
	int vector;

	do {
		start = __atomic_load_n(&v->next, __ATOMIC_RELAXED);
		vector = vector_search(v, VECTOR_FIRST + start);
	} while (vector < 0);		/* invariant 3: others went on */
	vector_move_on(v, start, (unsigned)vector - VECTOR_FIRST);
	return vector;
}

/* ---- what others call ---- */

int vector_alloc(unsigned cpu)
{
	struct vector_cpu *v;

	if (cpu >= cpu_count())
		return -EINVAL;
	v = &vector_cpus[cpu];
	return vector_claim(v, 1) ? vector_fail(v) : vector_find(v);
}

/* All of mask at once or none. */
static bool vector_set_all(uint64_t *word, uint64_t mask)
{
	uint64_t old = __atomic_load_n(word, __ATOMIC_RELAXED);

	do {
		if (old & mask)
			return false;
	} while (!vector_swap(word, &old, old | mask));
	return true;
}

int vector_alloc_at(unsigned cpu, unsigned vector)
{
	struct vector_cpu *v;

	if (cpu >= cpu_count() || vector - VECTOR_FIRST >= VECTOR_ROOM)
		return -EINVAL;
	v = &vector_cpus[cpu];
	if (vector_claim(v, 1))
		return vector_fail(v);
	if (vector_set_all(&v->taken[vector / 64], BIT_ULL(vector % 64)))
		return (int)vector;
	__atomic_fetch_sub(&v->counts, VECTOR_USED_1, __ATOMIC_RELEASE);
	return -EBUSY;
}

/* By one who has claimed n. A block does not cross a word. */
static int vector_find_block(struct vector_cpu *v, unsigned n)
{
	unsigned last = VECTOR_LAST + 1 - n;

	for (unsigned at = ALIGN_UP(VECTOR_FIRST, n); at <= last; at += n)
		if (vector_set_all(&v->taken[at / 64],
				   GENMASK_ULL(n - 1, 0) << at % 64))
			return (int)at;
	return -ENOSPC;
}

/*
 * It claims before it looks, as all do; so while it finds none in a row,
 * others may be refused the last room.
 */
int vector_alloc_block(unsigned cpu, unsigned n)
{
	struct vector_cpu *v;
	int first;

	if (cpu >= cpu_count() || !is_power_of_2(n) || n > VECTOR_BLOCK_MAX)
		return -EINVAL;
	v = &vector_cpus[cpu];
	if (vector_claim(v, n))
		return vector_fail(v);
	first = vector_find_block(v, n);
	if (first >= 0)
		return first;
	__atomic_fetch_sub(&v->counts, n * VECTOR_USED_1, __ATOMIC_RELEASE);
	return vector_fail(v);
}

int vector_take_reserved(unsigned cpu)
{
	struct vector_cpu *v;
	int vector;

	if (cpu >= cpu_count() || vector_claim_reserved(&vector_cpus[cpu]))
		return -EINVAL;
	v = &vector_cpus[cpu];
	vector = vector_find(v);
	__atomic_fetch_or(&v->managed[vector / 64], BIT_ULL(vector % 64),
			  __ATOMIC_RELAXED);
	return vector;
}

static unsigned vector_distance(unsigned near, unsigned cpu)
{
	return near < node_count() ? node_distance(near, cpu_node(cpu)) : 0;
}

/* The least loaded CPU. -EINVAL: there is none; -ENOSPC: all are full. */
static int vector_pick(const struct cpu_set *among, unsigned near)
{
	unsigned least = VECTOR_ROOM, n = cpu_count();
	int best = -EINVAL;

	for (unsigned cpu = 0; cpu < n; cpu++) {
		unsigned load = vector_load(vector_counts(cpu));

		if (!cpu_set_has(among, cpu))
			continue;
		if (load >= VECTOR_ROOM) {
			best = best == -EINVAL ? -ENOSPC : best;
		} else if (load < least ||
			   (load == least &&
			    vector_distance(near, cpu) <
			    vector_distance(near, (unsigned)best))) {
			least = load;
			best = (int)cpu;
		}
	}
	return best;
}

static int vector_fail_all(const struct cpu_set *among)
{
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		if (cpu_set_has(among, cpu))
			vector_fail(&vector_cpus[cpu]);
	return -ENOSPC;
}

int vector_alloc_spread(const struct cpu_set *among, unsigned near,
			unsigned *cpu)
{
	int best;

	do {
		best = vector_pick(among, near);
		if (best == -ENOSPC)
			return vector_fail_all(among);
		if (best < 0)
			return best;
	} while (vector_claim(&vector_cpus[best], 1));	/* others were first */
	*cpu = (unsigned)best;
	return vector_find(&vector_cpus[best]);
}

static bool vector_all_up(const struct cpu_set *on)
{
	unsigned up = cpu_count();

	for (unsigned w = up / 64; w < ARRAY_SIZE(on->word); w++)
		if (on->word[w] & (w == up / 64 ? UINT64_MAX << up % 64 :
						  UINT64_MAX))
			return false;
	return true;
}

/* Those of on that are below end. */
static void vector_unreserve_below(const struct cpu_set *on, unsigned end)
{
	for (unsigned cpu = end; cpu-- > 0;)
		if (cpu_set_has(on, cpu))
			vector_unreserve_one(&vector_cpus[cpu]);
}

int vector_reserve(const struct cpu_set *on)
{
	if (!vector_all_up(on))
		return -EINVAL;
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		if (!cpu_set_has(on, cpu) ||
		    !vector_reserve_one(&vector_cpus[cpu]))
			continue;
		vector_unreserve_below(on, cpu);
		return vector_fail(&vector_cpus[cpu]);
	}
	return 0;
}

void vector_unreserve(const struct cpu_set *on)
{
	vector_unreserve_below(on, cpu_count());
}

void vector_free(unsigned cpu, unsigned vector)
{
	uint64_t bit = BIT_ULL(vector % 64), give = VECTOR_USED_1;
	struct vector_cpu *v;

	BUG_ON(cpu >= CPU_MAX || vector - VECTOR_FIRST >= VECTOR_ROOM);
	v = &vector_cpus[cpu];
	/* The order is that of the theory of operation. */
	if (__atomic_fetch_and(&v->managed[vector / 64], ~bit,
			       __ATOMIC_RELAXED) & bit)
		give -= VECTOR_RESERVED_1;
	BUG_ON(!(__atomic_fetch_and(&v->taken[vector / 64], ~bit,
				    __ATOMIC_RELEASE) & bit));
	__atomic_fetch_sub(&v->counts, give, __ATOMIC_RELEASE);
}

struct vector_stats vector_stats(unsigned cpu)
{
	uint64_t counts;

	BUG_ON(cpu >= CPU_MAX);
	counts = vector_counts(cpu);
	return (struct vector_stats){
		.used = (unsigned)FIELD_GET(VECTOR_USED, counts),
		.reserved = (unsigned)FIELD_GET(VECTOR_RESERVED, counts),
		.free = VECTOR_ROOM - vector_load(counts),
		.high = (unsigned)FIELD_GET(VECTOR_HIGH, counts),
		.failures = __atomic_load_n(&vector_cpus[cpu].failures,
					    __ATOMIC_RELAXED),
	};
}

void vector_reset(void)
{
	memset(vector_cpus, 0, sizeof(vector_cpus));
}
