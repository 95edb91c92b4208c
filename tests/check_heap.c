/* SPDX-License-Identifier: MIT */
/*
 * core/heap.c, the machine's own heap. On the host its names belong to
 * malloc's wrapper, so it is compiled here under others.
 */
#define heap_alloc	k_alloc
#define heap_zalloc	k_zalloc
#define heap_calloc	k_calloc
#define heap_free	k_free
#define heap_in_use	k_in_use
#define heap_allocs	k_allocs
#include "core/heap.c"

#include <check.h>
#include <signal.h>
#include <stdlib.h>

#include "tests/host/host.h"
#include "tests/host/suite.h"

START_TEST(objects_are_aligned_to_16_and_do_not_overlap)
{
	enum { N = 400 };
	static uint8_t *p[N];
	static size_t size[N];

	srand(2);
	for (unsigned i = 0; i < N; i++) {
		size[i] = 1 + (size_t)rand() % 3000;
		p[i] = k_alloc(size[i]);
		ck_assert_ptr_nonnull(p[i]);
		ck_assert_uint_eq((uintptr_t)p[i] % 16, 0);
		memset(p[i], (int)i, size[i]);
	}
	for (unsigned i = 0; i < N; i++) {
		for (size_t k = 0; k < size[i]; k++)
			ck_assert_uint_eq(p[i][k], (uint8_t)i);
		k_free(p[i]);
	}
	ck_assert_uint_eq(k_in_use(), 0);
}
END_TEST

START_TEST(large_objects_go_back_to_the_page_allocator)
{
	struct page_stats before, after;
	void *p;

	page_stats(&before);
	p = k_alloc(100000);
	ck_assert_ptr_nonnull(p);
	k_free(p);
	page_stats(&after);
	ck_assert_uint_eq(before.free, after.free);
}
END_TEST

START_TEST(zalloc_clears_what_was_used_before)
{
	uint8_t *p = k_alloc(64), *q;

	memset(p, 0xff, 64);
	k_free(p);
	q = k_zalloc(64);
	ck_assert_ptr_eq(p, q);
	for (unsigned i = 0; i < 64; i++)
		ck_assert_uint_eq(q[i], 0);
	k_free(q);
}
END_TEST

START_TEST(impossible_sizes_give_null)
{
	ck_assert_ptr_null(k_alloc(0));
	ck_assert_ptr_null(k_alloc(SIZE_MAX));
	ck_assert_ptr_null(k_alloc(MIB(64)));
	ck_assert_ptr_null(k_calloc(SIZE_MAX / 2, 3));
	k_free(NULL);
}
END_TEST

START_TEST(out_of_pages_gives_null)
{
	/* 1 KiB objects are not cut from any page yet. */
	host_fail_alloc(1);
	ck_assert_ptr_null(k_alloc(1000));
	ck_assert(host_alloc_failed());
	host_fail_alloc(1);
	ck_assert_ptr_null(k_alloc(50000));
}
END_TEST

START_TEST(freeing_twice_panics)
{
	void *p = k_alloc(100);

	k_free(p);
	k_free(p);
}
END_TEST

START_TEST(freeing_twice_with_others_between_panics)
{
	void *p[3] = { k_alloc(30), k_alloc(30), k_alloc(30) };

	for (unsigned i = 0; i < 3; i++)
		k_free(p[i]);
	k_alloc(32);
	k_free(p[1]);
}
END_TEST

START_TEST(freeing_a_large_one_twice_panics)
{
	void *p = k_alloc(5000);

	k_free(p);
	k_free(p);
}
END_TEST

START_TEST(freeing_the_inside_of_an_object_panics)
{
	char *p = k_alloc(200);

	k_free(p + 16 * _i);
}
END_TEST

/* Whatever was stored there: only the page's own bits say what is in use. */
START_TEST(contents_do_not_make_an_object_look_free)
{
	uint64_t *p = k_alloc(64), copy[8];

	memcpy(copy, p, sizeof(copy));
	k_free(p);
	ck_assert_ptr_eq(k_alloc(64), p);
	memcpy(p, copy, sizeof(copy));
	k_free(p);
	ck_assert_uint_eq(k_in_use(), 0);
}
END_TEST

START_TEST(a_store_to_a_free_object_is_noticed)
{
	uint64_t *p = k_alloc(64);

	k_free(p);
	p[_i] = 0x1234;
	k_alloc(64);
}
END_TEST

/* The classes' last bytes; 32 is the smallest. */
START_TEST(poison_finds_a_store_after_free)
{
	static const size_t size[] = { 32, 64, 512, 1024, 5000 };
	char *p;

	poison_on = true;
	p = k_alloc(size[_i]);
	k_free(p);
	p[size[_i] - 1] ^= 1;
	k_alloc(size[_i]);
}
END_TEST

START_TEST(poison_finds_freeing_twice)
{
	void *p;

	poison_on = true;
	p = k_alloc(48);
	k_free(p);
	k_free(p);
}
END_TEST

START_TEST(poisoned_objects_come_and_go)
{
	static uint8_t *p[200];

	srand(3);
	for (unsigned step = 0; step < 20000; step++) {
		unsigned i = (unsigned)rand() % 200;
		size_t size = 1 + (size_t)rand() % 1500;

		poison_on = step > 2000;	/* some were freed before */
		k_free(p[i]);
		p[i] = k_alloc(size);
		memset(p[i], (int)i, size);
	}
	for (unsigned i = 0; i < 200; i++)
		k_free(p[i]);
	ck_assert_uint_eq(k_in_use(), 0);
}
END_TEST

START_TEST(freeing_a_stranger_panics)
{
	k_free((char *)page_alloc_zero(0) + 64);
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("heap", host_start, NULL, 0);

	/* Pages of size classes stay: no leak check at the end. */
	tcase_add_test(tc, objects_are_aligned_to_16_and_do_not_overlap);
	tcase_add_test(tc, large_objects_go_back_to_the_page_allocator);
	tcase_add_test(tc, zalloc_clears_what_was_used_before);
	tcase_add_test(tc, impossible_sizes_give_null);
	tcase_add_test(tc, out_of_pages_gives_null);
	tcase_add_test_raise_signal(tc, freeing_twice_panics, SIGABRT);
	tcase_add_test_raise_signal(tc,
		freeing_twice_with_others_between_panics, SIGABRT);
	tcase_add_test_raise_signal(tc, freeing_a_large_one_twice_panics,
				    SIGABRT);
	tcase_add_loop_test_raise_signal(tc,
		freeing_the_inside_of_an_object_panics, SIGABRT, 1, 4);
	tcase_add_test(tc, contents_do_not_make_an_object_look_free);
	tcase_add_loop_test_raise_signal(tc,
		a_store_to_a_free_object_is_noticed, SIGABRT, 0, 2);
	tcase_add_loop_test_raise_signal(tc, poison_finds_a_store_after_free,
					 SIGABRT, 0, 5);
	tcase_add_test_raise_signal(tc, poison_finds_freeing_twice, SIGABRT);
	tcase_add_test(tc, poisoned_objects_come_and_go);
	tcase_add_test_raise_signal(tc, freeing_a_stranger_panics, SIGABRT);
	return suite_run("heap");
}
