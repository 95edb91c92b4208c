/* SPDX-License-Identifier: MIT */
/*
 * core/topology.c: real processors' leaves, and such as lie. On the host the
 * APIC id of a CPU is its index.
 */
#include "core/topology.h"

#include <check.h>
#include <string.h>

#include "core/numa.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

#define ANY	~0u				/* sub-leaf */

struct leaf {
	uint32_t leaf, sub;
	struct topology_regs r;
};
static const struct leaf *leaves;
static unsigned nleaves, asked;

static struct topology_regs cpuid(uint32_t leaf, uint32_t sub)
{
	asked++;
	for (unsigned i = 0; i < nleaves; i++)
		if (leaves[i].leaf == leaf &&
		    (leaves[i].sub == sub || leaves[i].sub == ANY))
			return leaves[i].r;
	return (struct topology_regs){ 0 };
}

static struct topology_shape decode(const struct leaf *l, unsigned n)
{
	struct topology_shape s;

	memset(&s, 0xa5, sizeof(s));
	leaves = l;
	nleaves = n;
	asked = 0;
	topology_decode(cpuid, &s);
	ck_assert_uint_lt(asked, 64);
	return s;
}

#define DECODE(l)	decode(l, ARRAY_SIZE(l))

static void shifts(struct topology_shape s, enum topology_leaf leaf,
		   unsigned core, unsigned die, unsigned package)
{
	ck_assert_str_eq(topology_leaf_name(s.leaf), topology_leaf_name(leaf));
	ck_assert_uint_eq(s.core_shift, core);
	ck_assert_uint_eq(s.die_shift, die);
	ck_assert_uint_eq(s.package_shift, package);
}

static void splits(uint32_t id, struct topology_shape s, uint32_t package,
		   uint32_t die, uint32_t core, uint32_t thread)
{
	struct topology t = topology_split(id, &s);

	ck_assert_uint_eq(t.apic_id, id);
	ck_assert_uint_eq(t.package, package);
	ck_assert_uint_eq(t.die, die);
	ck_assert_uint_eq(t.core, core);
	ck_assert_uint_eq(t.thread, thread);
}

/* ---- leaves ---- */

/* Two Xeons E5-2680 v3: twelve cores of two threads, ids with gaps. */
static const struct leaf xeon[] = {
	{ 0, 0, { 0xf, 0x756e6547, 0x6c65746e, 0x49656e69 } },
	{ 1, 0, { 0x306f2, 0x2b200800, 0x7ffefbff, 0xbfebfbff } },
	{ 4, 0, { 0x3c004121, 0x1c0003f, 0x3f, 0 } },
	{ 0xb, 0, { 1, 2, 0x100, 43 } },
	{ 0xb, 1, { 5, 24, 0x201, 43 } },
};

START_TEST(a_xeon_says_it_in_leaf_0xb)
{
	struct topology_shape s = DECODE(xeon);

	shifts(s, TOPOLOGY_B, 1, 5, 5);
	ck_assert(s.has_id);
	ck_assert_uint_eq(s.apic_id, 43);
	splits(43, s, 1, 0, 5, 1);
	splits(0x12345, s, 0x91a, 0, 2, 1);
}
END_TEST

START_TEST(a_xeon_of_two_dies_says_it_in_leaf_0x1f)
{
	static const struct leaf l[] = {
		{ 0, 0, { 0x1f, 0x756e6547, 0x6c65746e, 0x49656e69 } },
		{ 0xb, 0, { 1, 2, 0x100, 0xd3 } },
		{ 0xb, 1, { 7, 96, 0x201, 0xd3 } },
		{ 0x1f, 0, { 1, 2, 0x100, 0xd3 } },
		{ 0x1f, 1, { 6, 48, 0x201, 0xd3 } },
		{ 0x1f, 2, { 7, 96, 0x502, 0xd3 } },
	};
	struct topology_shape s = DECODE(l);

	shifts(s, TOPOLOGY_1F, 1, 6, 7);
	splits(0xd3, s, 1, 1, 9, 1);
}
END_TEST

START_TEST(modules_and_tiles_are_part_of_the_core_s_number)
{
	static const struct leaf l[] = {
		{ 0, 0, { 0x20, 0, 0, 0 } },
		{ 0x1f, 0, { 1, 2, 0x100, 0 } },
		{ 0x1f, 1, { 3, 8, 0x201, 0 } },
		{ 0x1f, 2, { 5, 32, 0x302, 0 } },
		{ 0x1f, 3, { 6, 64, 0x403, 0 } },
		{ 0x1f, 4, { 8, 128, 0x504, 0 } },
	};
	struct topology_shape s = DECODE(l);

	shifts(s, TOPOLOGY_1F, 1, 6, 8);
	splits(0x1ff, s, 1, 3, 31, 1);
}
END_TEST

START_TEST(a_level_of_cores_alone_has_one_thread_each)
{
	static const struct leaf l[] = {
		{ 0, 0, { 0xb, 0, 0, 0 } },
		{ 0xb, 0, { 3, 8, 0x200, 5 } },
	};

	shifts(DECODE(l), TOPOLOGY_B, 0, 3, 3);
}
END_TEST

/* An Epyc 7551: four dies, two threads a core. */
static const struct leaf epyc[] = {
	{ 0, 0, { 0xd, 0x68747541, 0x444d4163, 0x69746e65 } },
	{ 1, 0, { 0x800f12, 0x2b400800, 0x7ed8320b, 0x178bfbff } },
	{ 0x80000000, ANY, { 0x8000001f, 0, 0, 0 } },
	{ 0x80000001, ANY, { 0x800f12, 0x40000000, 0x35c233ff, 0 } },
	{ 0x80000008, ANY, { 0x3030, 0x7, 0x603f, 0 } },
	{ 0x8000001e, ANY, { 43, 0x105, 0x302, 0 } },
};

START_TEST(an_epyc_says_it_in_leaf_0x8000001e)
{
	struct topology_shape s = DECODE(epyc);

	shifts(s, TOPOLOGY_AMD, 1, 4, 6);
	ck_assert(s.has_id);
	ck_assert_uint_eq(s.apic_id, 43);
	splits(43, s, 0, 2, 5, 1);
	splits(64 + 43, s, 1, 2, 5, 1);
}
END_TEST

START_TEST(an_amd_without_topoext_has_cores_and_no_threads)
{
	static const struct leaf l[] = {
		{ 0, 0, { 5, 0x68747541, 0x444d4163, 0x69746e65 } },
		{ 1, 0, { 0x100f42, 0x03060800, 0, 0x178bfbff } },
		{ 0x80000000, ANY, { 0x80000019, 0, 0, 0 } },
		{ 0x80000008, ANY, { 0x3030, 0, 0x5, 0 } },
	};
	struct topology_shape s = DECODE(l);

	shifts(s, TOPOLOGY_AMD, 0, 3, 3);
	ck_assert(!s.has_id);
	splits(13, s, 1, 0, 5, 0);
}
END_TEST

START_TEST(more_dies_than_the_package_has_bits_leave_no_negative_shift)
{
	static const struct leaf l[] = {
		{ 0, 0, { 5, 0x68747541, 0, 0 } },
		{ 0x80000000, ANY, { 0x8000001e, 0, 0, 0 } },
		{ 0x80000001, ANY, { 0, 0, 0x400000, 0 } },
		{ 0x80000008, ANY, { 0, 0, 0x1000, 0 } },
		{ 0x8000001e, ANY, { 0, 0xff00, 0x700, 0 } },
	};
	struct topology_shape s = DECODE(l);

	/* 256 threads a core: then the package has as many at least. */
	shifts(s, TOPOLOGY_AMD, 8, 8, 8);
}
END_TEST

START_TEST(an_intel_of_old_says_it_in_leaf_4)
{
	static const struct leaf l[] = {
		{ 0, 0, { 0xa, 0x756e6547, 0x6c65746e, 0x49656e69 } },
		{ 1, 0, { 0x106a5, 0x07100800, 0, 0x10000000 } },
		{ 4, 0, { 0x1c004121, 0, 0, 0 } },
	};
	struct topology_shape s = DECODE(l);

	shifts(s, TOPOLOGY_4, 1, 4, 4);
	ck_assert_uint_eq(s.apic_id, 7);
	splits(0x17, s, 1, 0, 3, 1);
}
END_TEST

START_TEST(one_with_leaf_1_alone_has_threads)
{
	static const struct leaf l[] = {
		{ 0, 0, { 2, 0x756e6547, 0x6c65746e, 0x49656e69 } },
		{ 1, 0, { 0xf29, 0x01020800, 0, 0x10000000 } },
	};

	shifts(DECODE(l), TOPOLOGY_1, 1, 1, 1);
}
END_TEST

START_TEST(one_without_hyper_threading_is_a_package)
{
	static const struct leaf l[] = {
		{ 0, 0, { 4, 0x756e6547, 0x6c65746e, 0x49656e69 } },
		{ 1, 0, { 0x6b1, 0x03ff0800, 0, 0 } },
		{ 4, 0, { 0xfc004121, 0, 0, 0 } },
	};
	struct topology_shape s = DECODE(l);

	shifts(s, TOPOLOGY_1, 0, 0, 0);
	splits(3, s, 3, 0, 0, 0);
}
END_TEST

START_TEST(one_without_leaves_is_a_package)
{
	struct topology_shape s = decode(NULL, 0);

	shifts(s, TOPOLOGY_NONE, 0, 0, 0);
	ck_assert(!s.has_id);
}
END_TEST

/* ---- lies ---- */

START_TEST(a_leaf_without_levels_is_passed_over)
{
	static const struct leaf l[] = {
		{ 0, 0, { 0x1f, 0, 0, 0 } },
		{ 0x1f, ANY, { 0, 0, 0, 9 } },
		{ 0xb, 0, { 1, 2, 0x100, 3 } },
		{ 0xb, 1, { 3, 8, 0x201, 3 } },
	};
	struct topology_shape s = DECODE(l);

	shifts(s, TOPOLOGY_B, 1, 3, 3);
	ck_assert_uint_eq(s.apic_id, 3);
}
END_TEST

START_TEST(a_leaf_whose_shifts_go_back_is_passed_over)
{
	static const struct leaf l[] = {
		{ 0, 0, { 0x1f, 0, 0, 0 } },
		{ 1, 0, { 0, 0x05040000, 0, 0x10000000 } },
		{ 4, 0, { 0x04000001, 0, 0, 0 } },
		{ 0x1f, 0, { 3, 2, 0x100, 9 } },
		{ 0x1f, 1, { 2, 8, 0x201, 9 } },
		{ 0xb, 0, { 1, 2, 0x100, 9 } },
		{ 0xb, 1, { 2, 2, 0x101, 9 } },		/* SMT again */
	};
	struct topology_shape s = DECODE(l);

	shifts(s, TOPOLOGY_4, 1, 2, 2);
	ck_assert_uint_eq(s.apic_id, 5);
}
END_TEST

START_TEST(a_leaf_of_endless_levels_ends)
{
	static const struct leaf l[] = {
		{ 0, 0, { 0xffffffff, 0, 0, 0 } },
		{ 0x1f, ANY, { 0xffffffff, 0xffffffff, 0x300, 0xffffffff } },
	};
	struct topology_shape s = DECODE(l);

	shifts(s, TOPOLOGY_1F, 0, 31, 31);
	splits(UINT32_MAX, s, 1, 0, 0x7fffffff, 0);
}
END_TEST

START_TEST(all_ones_everywhere_end_and_split_any_id)
{
	static const struct leaf l[] = {
		{ 0, 0, { 0xffffffff, 0x68747541, 0, 0 } },
		{ 1, ANY, { ~0u, ~0u, ~0u, ~0u } },
		{ 4, ANY, { ~0u, ~0u, ~0u, ~0u } },
		{ 0x80000000, ANY, { ~0u, ~0u, ~0u, ~0u } },
		{ 0x80000008, ANY, { ~0u, ~0u, ~0u, ~0u } },
	};
	struct topology_shape s = DECODE(l);

	shifts(s, TOPOLOGY_4, 2, 8, 8);
	splits(UINT32_MAX, s, 0xffffff, 0, 63, 3);
}
END_TEST

/* ---- many CPUs ---- */

static void setup(void)
{
	host_start();
	numa_build(NULL, NULL, NULL);
}

static void teardown(void)
{
	host_finish();
}

/* n CPUs, all of the same shape. */
static void machine(unsigned n, struct topology_shape s)
{
	host_set_cpus(n);
	for (unsigned c = 0; c < n; c++) {
		s.apic_id = c;
		topology_set(c, &s);
	}
}

static const struct topology_shape shape = {
	.core_shift = 1, .die_shift = 3, .package_shift = 4, .has_id = true,
};

START_TEST(packages_dies_and_cores_are_counted_once)
{
	struct topology_counts n;

	machine(37, shape);
	topology_count(&n);
	ck_assert_uint_eq(n.packages, 3);
	ck_assert_uint_eq(n.dies, 5);
	ck_assert_uint_eq(n.cores, 19);
	ck_assert_uint_eq(n.threads, 37);
	ck_assert_uint_eq(topology_of(36).package, 2);
	ck_assert_uint_eq(topology_of(36).core, 2);
	ck_assert_uint_eq(topology_of(36).node, 0);
}
END_TEST

START_TEST(siblings_are_those_that_share_a_core)
{
	struct cpu_set set;

	machine(37, shape);
	cpu_siblings(20, &set);
	for (unsigned c = 0; c < 37; c++)
		ck_assert_int_eq(cpu_set_has(&set, c), c == 20 || c == 21);
	cpu_siblings(36, &set);
	for (unsigned c = 0; c < 37; c++)
		ck_assert_int_eq(cpu_set_has(&set, c), c == 36);
}
END_TEST

START_TEST(cpus_that_agree_are_not_complained_about)
{
	machine(8, shape);
	ck_assert_uint_eq(topology_check(), 0);
	ck_assert(!host_logged("topology"));
}
END_TEST

START_TEST(an_id_that_is_not_the_cpu_s_is_named)
{
	struct topology_shape s = shape;

	machine(8, shape);
	s.apic_id = 9;
	s.leaf = TOPOLOGY_B;
	topology_set(5, &s);
	topology_set(6, &s);
	ck_assert_uint_eq(topology_check(), 2);
	ck_assert(host_logged("leaf 0xb of CPU 5 says APIC id 9; it is 5 (2"));
	ck_assert(!host_logged("divides"));
}
END_TEST

START_TEST(a_cpu_of_another_shape_is_named)
{
	struct topology_shape s = shape;

	machine(8, shape);
	s.apic_id = 3;
	s.core_shift = 0;
	topology_set(3, &s);
	ck_assert_uint_eq(topology_check(), 1);
	ck_assert(host_logged("CPU 3 divides its APIC id in another way"));
}
END_TEST

START_TEST(leaf_1_says_eight_bits_of_the_id_and_that_is_no_lie)
{
	struct topology_shape s = { .leaf = TOPOLOGY_4, .has_id = true };

	machine(2, s);
	s.apic_id = 1;
	topology_set(1, &s);
	ck_assert_uint_eq(topology_check(), 0);
	s.has_id = false;
	s.apic_id = 77;
	topology_set(1, &s);
	ck_assert_uint_eq(topology_check(), 0);
}
END_TEST

int main(void)
{
	TCase *t = suite_group("leaves", NULL, NULL, 0);

	tcase_add_test(t, a_xeon_says_it_in_leaf_0xb);
	tcase_add_test(t, a_xeon_of_two_dies_says_it_in_leaf_0x1f);
	tcase_add_test(t, modules_and_tiles_are_part_of_the_core_s_number);
	tcase_add_test(t, a_level_of_cores_alone_has_one_thread_each);
	tcase_add_test(t, an_epyc_says_it_in_leaf_0x8000001e);
	tcase_add_test(t, an_amd_without_topoext_has_cores_and_no_threads);
	tcase_add_test(t, more_dies_than_the_package_has_bits_leave_no_negative_shift);
	tcase_add_test(t, an_intel_of_old_says_it_in_leaf_4);
	tcase_add_test(t, one_with_leaf_1_alone_has_threads);
	tcase_add_test(t, one_without_hyper_threading_is_a_package);
	tcase_add_test(t, one_without_leaves_is_a_package);

	t = suite_group("lies", NULL, NULL, 0);
	tcase_add_test(t, a_leaf_without_levels_is_passed_over);
	tcase_add_test(t, a_leaf_whose_shifts_go_back_is_passed_over);
	tcase_add_test(t, a_leaf_of_endless_levels_ends);
	tcase_add_test(t, all_ones_everywhere_end_and_split_any_id);

	t = suite_group("machine", setup, teardown, 0);
	tcase_add_test(t, packages_dies_and_cores_are_counted_once);
	tcase_add_test(t, siblings_are_those_that_share_a_core);
	tcase_add_test(t, cpus_that_agree_are_not_complained_about);
	tcase_add_test(t, an_id_that_is_not_the_cpu_s_is_named);
	tcase_add_test(t, a_cpu_of_another_shape_is_named);
	tcase_add_test(t, leaf_1_says_eight_bits_of_the_id_and_that_is_no_lie);
	return suite_run("topology");
}
