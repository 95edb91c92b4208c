/* SPDX-License-Identifier: MIT */
/*
 * Sixteen rounds are written out at a time, so that the eight working
 * variables stay in registers and change their names instead of moving. Three
 * rewritings save instructions, of which each one costs under some hosts:
 * the rotations of a sum are nested (a rotation distributes over xor);
 * Ch and Maj take three operations each, Maj by reusing the a ^ b of the
 * round before, which is its b ^ c; and the message schedule is a ring of 16
 * words, filled in on the way.
 */
#include "core/sha256.h"

#include "core/string.h"

/* FIPS 180-4, 4.2.2 */
static const uint32_t sha256_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
	0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
	0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
	0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
	0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#define SHA256_ROR(x, n)	((x) >> (n) | (x) << (32 - (n)))

/* 4.1.2: the big sums rotate by 2, 13, 22 and 6, 11, 25 */
#define SHA256_SUM0(x)	SHA256_ROR3(x, 9, 11, 2)
#define SHA256_SUM1(x)	SHA256_ROR3(x, 14, 5, 6)
#define SHA256_ROR3(x, n1, n2, n3)					\
({									\
	uint32_t r_ = SHA256_ROR(x, n1) ^ (x);				\
	r_ = SHA256_ROR(r_, n2) ^ (x);					\
	SHA256_ROR(r_, n3);						\
})
/* the small ones by 7 and 18, and by 17 and 19, and shift by 3 and 10 */
#define SHA256_SMALL(x, n1, n2, shift)					\
({									\
	uint32_t r_ = SHA256_ROR(x, n1) ^ (x);				\
	SHA256_ROR(r_, n2) ^ (x) >> (shift);				\
})

/* W[t] from W[t-16], W[t-15], W[t-7] and W[t-2] (6.2.2, step 1). */
#define SHA256_NEXT(w, i)						\
	((w)[i] += SHA256_SMALL((w)[((i) + 1) & 15], 11, 7, 3) +	\
		   (w)[((i) + 9) & 15] +				\
		   SHA256_SMALL((w)[((i) + 14) & 15], 2, 17, 10))

/* 6.2.2, step 3. bc holds b ^ c and becomes a ^ b; d and h change. */
#define SHA256_ROUND(a, b, c, d, e, f, g, h, kw)			\
({									\
	uint32_t ab_ = (a) ^ (b);					\
	(h) += SHA256_SUM1(e) + ((((f) ^ (g)) & (e)) ^ (g)) + (kw);	\
	(d) += (h);							\
	bc &= ab_;							\
	(h) += SHA256_SUM0(a) + (bc ^ (b));				\
	bc = ab_;							\
})

#define SHA256_8_ROUNDS(W, i)						\
({									\
	SHA256_ROUND(a, b, c, d, e, f, g, h, k[(i) + 0] + W((i) + 0));	\
	SHA256_ROUND(h, a, b, c, d, e, f, g, k[(i) + 1] + W((i) + 1));	\
	SHA256_ROUND(g, h, a, b, c, d, e, f, k[(i) + 2] + W((i) + 2));	\
	SHA256_ROUND(f, g, h, a, b, c, d, e, k[(i) + 3] + W((i) + 3));	\
	SHA256_ROUND(e, f, g, h, a, b, c, d, k[(i) + 4] + W((i) + 4));	\
	SHA256_ROUND(d, e, f, g, h, a, b, c, k[(i) + 5] + W((i) + 5));	\
	SHA256_ROUND(c, d, e, f, g, h, a, b, k[(i) + 6] + W((i) + 6));	\
	SHA256_ROUND(b, c, d, e, f, g, h, a, k[(i) + 7] + W((i) + 7));	\
})

static uint32_t sha256_be32(const uint8_t *p)
{
	uint32_t v;

	__builtin_memcpy(&v, p, sizeof(v));	/* one load, not a call */
	return __builtin_bswap32(v);
}

static void sha256_block(uint32_t h_[8], const uint8_t *p)
{
	uint32_t a = h_[0], b = h_[1], c = h_[2], d = h_[3];
	uint32_t e = h_[4], f = h_[5], g = h_[6], h = h_[7];
	const uint32_t *k = sha256_k;
	uint32_t w[16], bc = b ^ c;

#define SHA256_LOAD(i)	(w[i] = sha256_be32(p + 4 * (i)))
#define SHA256_MIX(i)	SHA256_NEXT(w, i)
	SHA256_8_ROUNDS(SHA256_LOAD, 0);
	SHA256_8_ROUNDS(SHA256_LOAD, 8);
	for (k += 16; k < sha256_k + 64; k += 16) {
		SHA256_8_ROUNDS(SHA256_MIX, 0);
		SHA256_8_ROUNDS(SHA256_MIX, 8);
	}
	h_[0] += a;
	h_[1] += b;
	h_[2] += c;
	h_[3] += d;
	h_[4] += e;
	h_[5] += f;
	h_[6] += g;
	h_[7] += h;
}

void sha256_init(struct sha256 *s)
{
	static const uint32_t start[8] = {	/* 5.3.3 */
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};

	memcpy(s->h, start, sizeof(start));
	s->len = 0;
}

void sha256_update(struct sha256 *s, const void *p_in, size_t len)
{
	size_t have = s->len % SHA256_BLOCK, take;
	const uint8_t *p = p_in;

	s->len += len;
	if (have) {
		take = MIN(len, SHA256_BLOCK - have);
		memcpy(&s->block[have], p, take);
		p += take;
		len -= take;
		if (have + take < SHA256_BLOCK)
			return;
		sha256_block(s->h, s->block);
	}
	for (; len >= SHA256_BLOCK; p += SHA256_BLOCK, len -= SHA256_BLOCK)
		sha256_block(s->h, p);
	if (len)
		memcpy(s->block, p, len);
}

/* 5.1.1: a one bit, zeroes, and the length in bits up to a full block. */
void sha256_final(struct sha256 *s, uint8_t digest[SHA256_BYTES])
{
	static const uint8_t pad[SHA256_BLOCK] = { 0x80 };
	uint64_t bits = __builtin_bswap64(8 * s->len);
	size_t have = s->len % SHA256_BLOCK;

	sha256_update(s, pad, (have < 56 ? 56 : 120) - have);
	sha256_update(s, &bits, sizeof(bits));
	for (unsigned i = 0; i < 8; i++) {
		uint32_t be = __builtin_bswap32(s->h[i]);

		memcpy(&digest[4 * i], &be, sizeof(be));
	}
}

void sha256_hex(const uint8_t digest[SHA256_BYTES], char hex[SHA256_HEX])
{
	static const char digit[] = "0123456789abcdef";

	for (unsigned i = 0; i < SHA256_BYTES; i++) {
		hex[2 * i] = digit[digest[i] >> 4];
		hex[2 * i + 1] = digit[digest[i] & 15];
	}
	hex[2 * SHA256_BYTES] = '\0';
}
