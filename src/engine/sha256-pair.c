/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Two SHA-256 (FIPS 180-4) over the same bytes that began at different places: the hash of a file
 * and that of a leaf of its block tree. Their blocks are the same, so that the message schedule is
 * made once, and the rounds of one fill the time in which the processor waits for those of the
 * other: both take little longer than one. For processors with SHA instructions (x86-64); any
 * thread; owns nothing. */

#include "engine/sha256-pair.h"

#include <string.h>

#ifdef __x86_64__

#include <cpuid.h>
#include <immintrin.h>

#define TARGET __attribute__ ((target ("sha,sse4.1")))

static const guint32 constants[64] __attribute__ ((aligned (16))) = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* The words as the instructions want them: a, b, e, f and c, d, g, h. */
typedef struct
{
  __m128i abef;
  __m128i cdgh;
} Halves;

TARGET static inline Halves
load (const P2psSha256 *state)
{
  __m128i low = _mm_loadu_si128 ((const __m128i *)&state->words[0]);
  __m128i high = _mm_loadu_si128 ((const __m128i *)&state->words[4]);

  low = _mm_shuffle_epi32 (low, 0xb1);
  high = _mm_shuffle_epi32 (high, 0x1b);
  return (Halves){ .abef = _mm_alignr_epi8 (low, high, 8),
                   .cdgh = _mm_blend_epi16 (high, low, 0xf0) };
}

TARGET static inline void
store (P2psSha256 *state, Halves halves)
{
  __m128i low = _mm_shuffle_epi32 (halves.abef, 0x1b);
  __m128i high = _mm_shuffle_epi32 (halves.cdgh, 0xb1);

  _mm_storeu_si128 ((__m128i *)&state->words[0], _mm_blend_epi16 (low, high, 0xf0));
  _mm_storeu_si128 ((__m128i *)&state->words[4], _mm_alignr_epi8 (high, low, 8));
}

/* Adds `n` blocks to both. */
TARGET void
p2ps_sha256_pair_add (P2psSha256 *a, P2psSha256 *b, const guint8 *blocks, gsize n)
{
  const __m128i swap = _mm_set_epi64x (0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
  Halves x = load (a);
  Halves y = load (b);

  for (; n > 0; n--, blocks += P2PS_SHA256_BLOCK)
    {
      Halves x_before = x;
      Halves y_before = y;
      __m128i w[4];

#pragma GCC unroll 16
      for (int i = 0; i < 16; i++)
        {
          __m128i sum;

          if (i < 4)
            w[i] = _mm_shuffle_epi8 (_mm_loadu_si128 ((const __m128i *)blocks + i), swap);
          else
            {
              __m128i seven = _mm_alignr_epi8 (w[(i + 3) % 4], w[(i + 2) % 4], 4);
              __m128i early = _mm_sha256msg1_epu32 (w[i % 4], w[(i + 1) % 4]);

              w[i % 4] = _mm_sha256msg2_epu32 (_mm_add_epi32 (early, seven), w[(i + 3) % 4]);
            }
          sum = _mm_add_epi32 (w[i % 4], _mm_load_si128 ((const __m128i *)constants + i));
          x.cdgh = _mm_sha256rnds2_epu32 (x.cdgh, x.abef, sum);
          y.cdgh = _mm_sha256rnds2_epu32 (y.cdgh, y.abef, sum);
          sum = _mm_shuffle_epi32 (sum, 0x0e);
          x.abef = _mm_sha256rnds2_epu32 (x.abef, x.cdgh, sum);
          y.abef = _mm_sha256rnds2_epu32 (y.abef, y.cdgh, sum);
        }
      x.abef = _mm_add_epi32 (x.abef, x_before.abef);
      x.cdgh = _mm_add_epi32 (x.cdgh, x_before.cdgh);
      y.abef = _mm_add_epi32 (y.abef, y_before.abef);
      y.cdgh = _mm_add_epi32 (y.cdgh, y_before.cdgh);
    }
  store (a, x);
  store (b, y);
}

/* Whether this processor has what the rest of this file needs. */
gboolean
p2ps_sha256_pair_is_available (void)
{
  guint a, b, c, d;

  return __get_cpuid (1, &a, &b, &c, &d) && (c & bit_SSSE3) && (c & bit_SSE4_1)
         && __get_cpuid_count (7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

#else

gboolean
p2ps_sha256_pair_is_available (void)
{
  return FALSE;
}

void
p2ps_sha256_pair_add (P2psSha256 *a, P2psSha256 *b, const guint8 *blocks, gsize n)
{
  g_assert_not_reached ();
}

#endif

void
p2ps_sha256_begin (P2psSha256 *state)
{
  static const P2psSha256 first = { { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                      0x9b05688c, 0x1f83d9ab, 0x5be0cd19 } };

  *state = first;
}

/* Ends the content, which has `length` bytes in all; `tail` are those after its last whole block.
 * The state then begins anew. */
void
p2ps_sha256_end (P2psSha256 *state, const guint8 *tail, guint64 length,
                 guint8 hash[P2PS_BINARY_HASH_SIZE])
{
  guint8 blocks[2 * P2PS_SHA256_BLOCK] = { 0 };
  gsize rest = length % P2PS_SHA256_BLOCK;
  gsize n = rest + 9 <= P2PS_SHA256_BLOCK ? 1 : 2;
  guint64 bits = GUINT64_TO_BE (length * 8);
  P2psSha256 unused = { 0 };

  if (rest > 0)
    memcpy (blocks, tail, rest);
  blocks[rest] = 0x80;
  memcpy (blocks + n * P2PS_SHA256_BLOCK - sizeof bits, &bits, sizeof bits);
  p2ps_sha256_pair_add (state, &unused, blocks, n);
  for (int i = 0; i < 8; i++)
    {
      guint32 word = GUINT32_TO_BE (state->words[i]);
      memcpy (hash + 4 * i, &word, sizeof word);
    }
  p2ps_sha256_begin (state);
}
