/* SPDX-License-Identifier: GPL-3.0-or-later */

/* SHA-256 against the vectors that NIST published (FIPS 180-2 appendix B, SHA256ShortMsg of the
 * CAVP), for every backend that this build has. */

#include "config-build.h"
#include "engine/digest.h"

#include <string.h>

static const struct
{
  const char *text;
  guint repeat;
  const char *hash;
} vectors[] = {
  { "", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
  { "abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
  { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
  { "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnop"
    "qrsmnopqrstnopqrstu",
    1, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
  { "a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
  { "\xd3", 1, "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1" },
  { "\x74\xcb\x93\x81\xd8\x9f\x5a\xa7\x33\x68", 1,
    "73d6fad1caaa75b43b21733561fd3958bdc555194a037c2addec19dc2d7a52bd" },
};

static void
test_vectors (gconstpointer data)
{
  g_autoptr (P2psDigest) digest = p2ps_digest_new_for_backend (data);
  char hash[P2PS_HASH_SIZE];

  g_assert_nonnull (digest);
  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      for (guint n = 0; n < vectors[i].repeat; n++)
        p2ps_digest_update (digest, vectors[i].text, strlen (vectors[i].text));
      p2ps_digest_finish (digest, hash);
      g_assert_cmpstr (hash, ==, vectors[i].hash);
    }
}

/* Wherever the content is cut, the hash is the same; and a digest can be used again. */
static void
test_pieces (gconstpointer data)
{
  g_autoptr (P2psDigest) digest = p2ps_digest_new_for_backend (data);
  g_autofree char *content = g_malloc (1000);
  char whole[P2PS_HASH_SIZE];
  char pieces[P2PS_HASH_SIZE];

  for (int i = 0; i < 1000; i++)
    content[i] = (char)(i * 7);
  p2ps_digest_update (digest, content, 1000);
  p2ps_digest_finish (digest, whole);
  for (gsize cut = 0; cut <= 1000; cut += 37)
    {
      p2ps_digest_update (digest, content, cut);
      p2ps_digest_update (digest, content + cut, 1000 - cut);
      p2ps_digest_finish (digest, pieces);
      g_assert_cmpstr (pieces, ==, whole);
    }
}

static void
test_backends (void)
{
  g_autoptr (P2psDigest) digest = p2ps_digest_new ();
  g_autoptr (P2psDigest) unknown = p2ps_digest_new_for_backend ("none");

  g_assert_nonnull (digest);
  g_assert_null (unknown);
  g_assert_cmpstr (p2ps_digest_get_backend (), ==, HAVE_GNUTLS ? "GnuTLS" : "GLib");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/digest/backends", test_backends);
  g_test_add_data_func ("/digest/vectors/glib", "GLib", test_vectors);
  g_test_add_data_func ("/digest/pieces/glib", "GLib", test_pieces);
  if (HAVE_GNUTLS)
    {
      g_test_add_data_func ("/digest/vectors/gnutls", "GnuTLS", test_vectors);
      g_test_add_data_func ("/digest/pieces/gnutls", "GnuTLS", test_pieces);
    }
  return g_test_run ();
}
