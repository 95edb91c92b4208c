/* SPDX-License-Identifier: MIT */
/*
 * core/vector.c from eight threads at once, under ThreadSanitizer. Each holder
 * of a vector writes and reads a plain word that belongs to it: were there two,
 * or did the new one not see what the old one wrote, that is a data race, and
 * most often a wrong word as well. Counts are checked while everything moves
 * (never more than the room) and when nothing does.
 *
 * One could be fooled by threads that run one after the other: so at the end
 * each must have met vectors that others held before.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/numa.h"
#include "core/panic.h"
#include "core/vector.h"

#define THREADS		8
#define CPUS		2		/* so that they meet */
#define STEPS		125000		/* of each: a million together */
#define HELD		((CPUS * VECTOR_ROOM) / THREADS + 16)

struct held {
	unsigned cpu, vector;
};

struct worker {
	pthread_t thread;
	unsigned id, seed, n, met, full, reserved;
	struct held held[HELD];
};

static struct worker workers[THREADS];
static unsigned holder[CPUS][256];	/* plain: who holds, or held last */
static pthread_barrier_t barrier;
static const struct cpu_set all = { { (1 << CPUS) - 1 } };

unsigned cpu_count(void)
{
	return CPUS;
}

unsigned node_count(void)
{
	return 1;
}

unsigned cpu_node(unsigned cpu)
{
	return 0;
}

uint8_t node_distance(unsigned from, unsigned to)
{
	return 10;
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	abort();
}

static void expect(bool ok, const char *what)
{
	if (!ok)
		panic("vector threads: not so: %s", what);
}

static unsigned worker_random(struct worker *w, unsigned below)
{
	return (unsigned)rand_r(&w->seed) % below;
}

static void worker_hold(struct worker *w, unsigned cpu, int vector)
{
	unsigned *owner = &holder[cpu][vector];

	expect(vector >= VECTOR_FIRST && vector <= VECTOR_LAST, "a vector");
	expect(*owner < THREADS + 1, "its last holder has left it");
	w->met += *owner && *owner != w->id + 1;
	*owner = THREADS + 1 + w->id;	/* in use */
	w->held[w->n++] = (struct held){ cpu, (unsigned)vector };
}

static void worker_drop(struct worker *w, unsigned i)
{
	struct held h = w->held[i];

	expect(holder[h.cpu][h.vector] == THREADS + 1 + w->id,
	       "nobody else has written what is mine");
	holder[h.cpu][h.vector] = w->id + 1;
	w->held[i] = w->held[--w->n];
	vector_free(h.cpu, h.vector);
}

/* Reserve on every CPU, take it on one, free it, give all back. */
static void worker_manage(struct worker *w)
{
	unsigned cpu = worker_random(w, CPUS);
	int vector;

	if (vector_reserve(&all))
		return;
	vector = vector_take_reserved(cpu);
	expect(vector >= 0, "what was reserved is there");
	worker_hold(w, cpu, vector);
	worker_drop(w, w->n - 1);
	vector_unreserve(&all);
	w->reserved++;
}

static void worker_step(struct worker *w, unsigned fullness)
{
	unsigned what = worker_random(w, 16);
	unsigned cpu = worker_random(w, CPUS);
	struct vector_stats st = vector_stats(cpu);
	int vector;

	expect(st.used + st.reserved + st.free == VECTOR_ROOM &&
	       st.used + st.reserved <= VECTOR_ROOM && st.used <= st.high,
	       "counts fit the room");
	if (what == 0) {
		worker_manage(w);
	} else if (what < fullness && w->n + 1 < HELD) {
		vector = what % 2 ? vector_alloc(cpu) :
			 vector_alloc_spread(&all, 0, &cpu);
		if (vector >= 0)
			worker_hold(w, cpu, vector);
		else
			w->full++;
	} else if (w->n) {
		worker_drop(w, worker_random(w, w->n));
	}
}

static void *worker_run(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(&barrier);
	for (unsigned i = 0; i < STEPS; i++)
		worker_step(w, i / 1000 % 4 ? 11 : 5);
	while (w->n)
		worker_drop(w, 0);
	return NULL;
}

/* Nobody moves: what one thread takes is all there is. */
static void count_all(void)
{
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		struct vector_stats st = vector_stats(cpu);
		unsigned n = 0;

		expect(!st.used && !st.reserved, "all was given back");
		while (vector_alloc(cpu) >= 0)
			n++;
		expect(n == VECTOR_ROOM, "no vector was lost or doubled");
	}
}

int main(void)
{
	unsigned met = 0, full = 0, reserved = 0;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].id = i;
		workers[i].seed = i + 1;
		pthread_create(&workers[i].thread, NULL, worker_run,
			       &workers[i]);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		expect(workers[i].met, "vectors went from one to another");
		met += workers[i].met;
		full += workers[i].full;
		reserved += workers[i].reserved;
	}
	expect(full && reserved, "full and reserved were seen");
	count_all();
	printf("vector: %u steps of %u threads, %u vectors met again, "
	       "%u times full, %u reservations\n", STEPS * THREADS, THREADS,
	       met, full, reserved);
	return 0;
}
