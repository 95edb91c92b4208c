/* SPDX-License-Identifier: MIT */
/*
 * core/numa.c: nodes and distances from tables made here, since what matters
 * are the tables that no sane firmware writes.
 */
#include "core/numa.h"

#include <check.h>
#include <string.h>

#include "core/bootinfo.h"
#include "core/cpu.h"
#include "core/page.h"
#include "tests/host/host.h"
#include "tests/host/suite.h"

static struct acpi_srat srat;
static struct acpi_slit slit;
static struct acpi_hmat hmat;

static void setup(void)
{
	host_start();
	memset(&srat, 0, sizeof(srat));
	memset(&slit, 0, sizeof(slit));
	memset(&hmat, 0, sizeof(hmat));
}

static void teardown(void)
{
	numa_build(NULL, NULL, NULL);
	page_reset();			/* whose pages are, cannot be undone */
	page_add(MIB(1), HOST_RAM - MIB(1));
	host_finish();
}

static void cpu(uint32_t apic_id, uint32_t domain)
{
	srat.cpu[srat.ncpus].apic_id = apic_id;
	srat.cpu[srat.ncpus++].node = domain;
}

static void mem(phys_t base, uint64_t size, uint32_t domain)
{
	srat.mem[srat.nmems].base = base;
	srat.mem[srat.nmems].size = size;
	srat.mem[srat.nmems++].node = domain;
}

static void pair(uint32_t from, uint32_t to, uint64_t latency,
		 uint64_t bandwidth)
{
	hmat.pair[hmat.n].from = from;
	hmat.pair[hmat.n].to = to;
	hmat.pair[hmat.n].latency = latency;
	hmat.pair[hmat.n++].bandwidth = bandwidth;
}

START_TEST(without_a_table_there_is_one_node)
{
	ck_assert_uint_eq(numa_build(NULL, NULL, NULL), 0);
	ck_assert_uint_eq(node_count(), 1);
	ck_assert_uint_eq(cpu_node(0), 0);
	ck_assert_uint_eq(node_of(GIB(100)), 0);
	ck_assert_uint_eq(node_distance(0, 0), 10);
	ck_assert_uint_eq(node_near(0, 0), 0);
	ck_assert(!host_logged("warning"));
}
END_TEST

START_TEST(an_empty_table_is_one_node)
{
	numa_build(&srat, NULL, NULL);
	ck_assert_uint_eq(node_count(), 1);
	ck_assert_uint_eq(node_near(0, 0), 0);
}
END_TEST

START_TEST(domains_of_any_number_become_nodes_in_their_order)
{
	host_set_cpus(3);
	mem(GIB(4), GIB(1), 0x80000000);
	mem(0, GIB(1), 7);
	cpu(0, 0x80000000);
	cpu(1, 7);
	cpu(2, 12);
	numa_build(&srat, NULL, NULL);
	ck_assert_uint_eq(node_count(), 3);
	ck_assert_uint_eq(cpu_node(0), 2);
	ck_assert_uint_eq(cpu_node(1), 0);
	ck_assert_uint_eq(cpu_node(2), 1);
	ck_assert_uint_eq(node_of(0), 0);
	ck_assert_uint_eq(node_of(GIB(1) - 1), 0);
	ck_assert_uint_eq(node_of(GIB(4)), 2);
	ck_assert_uint_eq(node_of(GIB(5) - 1), 2);
}
END_TEST

START_TEST(what_is_in_no_domain_is_on_node_0)
{
	host_set_cpus(3);
	mem(GIB(1), GIB(1), 1);
	cpu(0, 1);
	cpu(1, 2);
	numa_build(&srat, NULL, NULL);
	ck_assert_uint_eq(node_of(0), 0);
	ck_assert_uint_eq(node_of(GIB(2)), 0);
	ck_assert(!host_logged("in no domain"));
	ck_assert_uint_eq(cpu_node(2), 0);
	ck_assert(host_logged("APIC id 2 is in no domain"));
}
END_TEST

START_TEST(memory_that_the_table_forgets_is_complained_about)
{
	bootinfo.nranges = 3;
	bootinfo.range[0] = (struct mem_range){ 0, MIB(32), MEM_RAM };
	bootinfo.range[1] = (struct mem_range){ MIB(32), MIB(1), MEM_ACPI };
	bootinfo.range[2] = (struct mem_range){ GIB(4), MIB(64), MEM_RAM };
	mem(0, MIB(32), 0);
	mem(GIB(4), MIB(64), 1);
	numa_build(&srat, NULL, NULL);
	ck_assert(!host_logged("in no domain"));
	srat.mem[1].size = MIB(60);
	numa_build(&srat, NULL, NULL);
	ck_assert(host_logged("4096 KiB of memory are in no domain: node 0"));
	bootinfo.nranges = 0;
}
END_TEST

START_TEST(more_domains_than_we_have_nodes_share_node_0)
{
	for (unsigned i = 0; i < NUMA_NODES + 3; i++)
		cpu(i, 10 + i);
	host_set_cpus(NUMA_NODES + 3);
	ck_assert_uint_eq(numa_build(&srat, NULL, NULL), 3);
	ck_assert(host_logged("3 entries of the SRAT left out"));
	ck_assert_uint_eq(node_count(), NUMA_NODES);
	ck_assert_uint_eq(cpu_node(NUMA_NODES - 1), NUMA_NODES - 1);
	ck_assert_uint_eq(cpu_node(NUMA_NODES), 0);
}
END_TEST

START_TEST(distances_come_from_the_slit_by_domain)
{
	cpu(0, 2);
	cpu(1, 0);
	slit.n = 3;
	for (unsigned i = 0; i < 3; i++)
		for (unsigned k = 0; k < 3; k++)
			slit.distance[i][k] = i == k ? 10 : 40 + 10 * i + k;
	pair(0, 0, 100, 1);
	pair(0, 2, 990, 1);
	numa_build(&srat, &slit, &hmat);
	ck_assert_uint_eq(node_distance(0, 1), 42);
	ck_assert_uint_eq(node_distance(1, 0), 60);
	ck_assert_uint_eq(node_distance(1, 1), 10);
	numa_report();
	ck_assert_ptr_nonnull(strstr(host_console(), "distances: SLIT"));
}
END_TEST

START_TEST(a_slit_smaller_than_the_domains_leaves_the_default)
{
	cpu(0, 0);
	cpu(1, 1);
	cpu(2, 5);
	slit.n = 2;
	slit.distance[0][0] = slit.distance[1][1] = 10;
	slit.distance[0][1] = slit.distance[1][0] = 15;
	numa_build(&srat, &slit, NULL);
	ck_assert_uint_eq(node_distance(0, 1), 15);
	ck_assert_uint_eq(node_distance(0, 2), NUMA_REMOTE);
	ck_assert_uint_eq(node_distance(2, 2), 10);
}
END_TEST

START_TEST(without_a_slit_latencies_make_the_distances)
{
	cpu(0, 0);
	cpu(1, 1);
	cpu(2, 2);
	pair(0, 0, 5000, 400);
	pair(0, 1, 12000, 200);
	pair(1, 1, 5000, 400);
	pair(1, 0, 13300, 200);
	pair(2, 2, 1, 0);
	pair(2, 0, UINT64_MAX / 2, 0);
	pair(2, 1, 1000000, 0);
	numa_build(&srat, NULL, &hmat);
	ck_assert_uint_eq(node_distance(0, 0), 10);
	ck_assert_uint_eq(node_distance(0, 1), 24);
	ck_assert_uint_eq(node_distance(1, 0), 27);
	ck_assert_uint_eq(node_distance(0, 2), NUMA_REMOTE);	/* not said */
	ck_assert_uint_eq(node_distance(2, 0), NUMA_REMOTE);	/* absurd */
	ck_assert_uint_eq(node_distance(2, 1), 254);
	numa_report();
	ck_assert_ptr_nonnull(strstr(host_console(), "distances: HMAT"));
	ck_assert_ptr_nonnull(strstr(host_console(), "5000 ps, 400 MB/s"));
}
END_TEST

START_TEST(memory_nearer_than_its_own_is_as_near)
{
	cpu(0, 0);
	cpu(1, 1);
	pair(0, 0, 1000, 0);
	pair(0, 1, 300, 0);
	numa_build(&srat, NULL, &hmat);
	ck_assert_uint_eq(node_distance(0, 1), 10);
	ck_assert_uint_eq(node_near(0, 0), 0);
	ck_assert_uint_eq(node_near(1, 0), 1);
}
END_TEST

START_TEST(near_is_sorted_by_distance_then_number)
{
	static const uint8_t d[5][5] = {
		{ 10, 30, 20, 20, 10 }, { 20, 10, 20, 20, 20 },
		{ 254, 10, 10, 10, 10 }, { 11, 12, 13, 10, 14 },
		{ 14, 13, 12, 11, 10 },
	};
	static const uint8_t want[5][5] = {
		{ 0, 4, 2, 3, 1 }, { 1, 0, 2, 3, 4 }, { 2, 1, 3, 4, 0 },
		{ 3, 0, 1, 2, 4 }, { 4, 3, 2, 1, 0 },
	};

	slit.n = 5;
	for (unsigned i = 0; i < 5; i++) {
		cpu(i, i);
		memcpy(slit.distance[i], d[i], 5);
	}
	numa_build(&srat, &slit, NULL);
	for (unsigned i = 0; i < 5; i++)
		for (unsigned k = 0; k < 5; k++)
			ck_assert_uint_eq(node_near(i, k), want[i][k]);
}
END_TEST

START_TEST(the_report_has_a_json_line_for_each_node)
{
	cpu(0, 3);
	mem(MIB(32), MIB(16), 4);
	numa_build(&srat, NULL, NULL);
	numa_report();
	ck_assert_ptr_nonnull(strstr(host_console(),
		"@json {\"event\":\"node\",\"node\":0,\"domain\":3,\"cpus\":1,"));
	ck_assert_ptr_nonnull(strstr(host_console(),
		"\"node\":1,\"domain\":4,\"cpus\":0,\"pages\":4096,"));
	ck_assert_ptr_nonnull(strstr(host_console(), "\"distances\":[20,10]"));
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("numa", setup, teardown, 0);

	tcase_add_test(tc, without_a_table_there_is_one_node);
	tcase_add_test(tc, an_empty_table_is_one_node);
	tcase_add_test(tc, domains_of_any_number_become_nodes_in_their_order);
	tcase_add_test(tc, what_is_in_no_domain_is_on_node_0);
	tcase_add_test(tc, memory_that_the_table_forgets_is_complained_about);
	tcase_add_test(tc, more_domains_than_we_have_nodes_share_node_0);
	tcase_add_test(tc, distances_come_from_the_slit_by_domain);
	tcase_add_test(tc, a_slit_smaller_than_the_domains_leaves_the_default);
	tcase_add_test(tc, without_a_slit_latencies_make_the_distances);
	tcase_add_test(tc, memory_nearer_than_its_own_is_as_near);
	tcase_add_test(tc, near_is_sorted_by_distance_then_number);
	tcase_add_test(tc, the_report_has_a_json_line_for_each_node);
	return suite_run("numa");
}
