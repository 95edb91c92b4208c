/* SPDX-License-Identifier: MIT */
/* core/sha256.c: published vectors, any split, and sha256sum's word. */
#include "core/sha256.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/host/suite.h"

static const char *sum(const void *p, size_t len)
{
	static char hex[SHA256_HEX];
	uint8_t digest[SHA256_BYTES];
	struct sha256 s;

	sha256_init(&s);
	sha256_update(&s, p, len);
	sha256_final(&s, digest);
	sha256_hex(digest, hex);
	return hex;
}

/* NIST, "Examples with intermediate values", and FIPS 180-2, appendix B. */
static const struct {
	const char *text, *hex;
} vectors[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb924"
	      "27ae41e4649b934ca495991b7852b855" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223"
		 "b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
	  "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
	  "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
};

START_TEST(published_vectors)
{
	ck_assert_str_eq(sum(vectors[_i].text, strlen(vectors[_i].text)),
			 vectors[_i].hex);
}
END_TEST

START_TEST(a_million_times_a)
{
	char *p = malloc(1000000);

	memset(p, 'a', 1000000);
	ck_assert_str_eq(sum(p, 1000000),
		"cdc76e5c9914fb9281a1c7e284d73e67"
		"f1809a48a497200e046d39ccc7112cd0");
	free(p);
}
END_TEST

START_TEST(every_split_gives_the_same_digest)
{
	static uint8_t buf[1000];
	uint8_t digest[SHA256_BYTES];
	char whole[SHA256_HEX], hex[SHA256_HEX];
	struct sha256 s;

	srand(1);
	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = rand();
	for (unsigned n = 0; n < 3000; n++) {
		size_t len = rand() % sizeof(buf), at = 0, take;

		strcpy(whole, sum(buf, len));
		sha256_init(&s);
		while (at < len) {
			take = MIN((size_t)rand() % 150, len - at);
			sha256_update(&s, buf + at, take);
			at += take;
		}
		sha256_final(&s, digest);
		sha256_hex(digest, hex);
		ck_assert_str_eq(hex, whole);
	}
}
END_TEST

static void ask_sha256sum(const uint8_t *p, size_t len, char *hex)
{
	char path[] = "/tmp/check_sha256.XXXXXX", cmd[64];
	int fd = mkstemp(path);
	FILE *f;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, p, len), len);
	close(fd);
	snprintf(cmd, sizeof(cmd), "sha256sum %s", path);
	f = popen(cmd, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%64s", hex), 1);
	pclose(f);
	unlink(path);
}

/* All lengths around the padding's corners. */
START_TEST(sha256sum_agrees)
{
	static uint8_t buf[200];
	char hex[SHA256_HEX];

	srand(2);
	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = rand();
	for (size_t len = 50; len < 135; len++) {
		ask_sha256sum(buf, len, hex);
		ck_assert_str_eq(sum(buf, len), hex);
	}
}
END_TEST

int main(void)
{
	TCase *tc = suite_group("sha256", NULL, NULL, 30);

	tcase_add_loop_test(tc, published_vectors, 0, ARRAY_SIZE(vectors));
	tcase_add_test(tc, a_million_times_a);
	tcase_add_test(tc, every_split_gives_the_same_digest);
	tcase_add_test(tc, sha256sum_agrees);
	return suite_run("sha256");
}
