/* SPDX-License-Identifier: GPL-3.0-or-later */

/* SHA-256 of content, on whatever thread made it. Two backends with the same results: GnuTLS is
 * about five times as fast where the processor has SHA instructions, GChecksum is always there.
 * Refuses nothing: every byte sequence has a hash. */

#include "engine/digest.h"

#include "config-build.h"

#include <string.h>

#if HAVE_GNUTLS
#include <gnutls/crypto.h>
#endif

struct _P2psDigest
{
#if HAVE_GNUTLS
  gnutls_hash_hd_t handle; /* NULL: the checksum is used */
#endif
  GChecksum *checksum;
};

/* Returns: (transfer full): a digest of the fastest backend that works here */
P2psDigest *
p2ps_digest_new (void)
{
  P2psDigest *digest = p2ps_digest_new_for_backend (p2ps_digest_get_backend ());
  return digest != NULL ? digest : p2ps_digest_new_for_backend ("GLib");
}

/* `backend` is "GnuTLS" or "GLib"; tests hold both to the same vectors.
 *
 * Returns: (transfer full) (nullable): NULL when that backend isn't built in or doesn't work */
P2psDigest *
p2ps_digest_new_for_backend (const char *backend)
{
  P2psDigest *digest = g_new0 (P2psDigest, 1);

  if (g_str_equal (backend, "GLib"))
    {
      digest->checksum = g_checksum_new (G_CHECKSUM_SHA256);
      return digest;
    }
#if HAVE_GNUTLS
  if (g_str_equal (backend, "GnuTLS") && gnutls_hash_init (&digest->handle, GNUTLS_DIG_SHA256) == 0)
    return digest;
#endif
  g_free (digest);
  return NULL;
}

void
p2ps_digest_update (P2psDigest *digest, const void *data, gsize length)
{
#if HAVE_GNUTLS
  if (digest->handle != NULL)
    {
      gnutls_hash (digest->handle, data, length);
      return;
    }
#endif
  /* GChecksum takes a gssize: more than half of the address space never comes in one piece. */
  g_checksum_update (digest->checksum, data, (gssize)length);
}

/* Writes the hash as bytes; the digest then begins anew, for the next content. */
void
p2ps_digest_finish_binary (P2psDigest *digest, guint8 hash[P2PS_BINARY_HASH_SIZE])
{
  gsize length = P2PS_BINARY_HASH_SIZE;

#if HAVE_GNUTLS
  if (digest->handle != NULL)
    {
      gnutls_hash_output (digest->handle, hash);
      return;
    }
#endif
  g_checksum_get_digest (digest->checksum, hash, &length);
  g_checksum_reset (digest->checksum);
}

/* As p2ps_digest_finish_binary(), as lower-case hex. */
void
p2ps_digest_finish (P2psDigest *digest, char hash[P2PS_HASH_SIZE])
{
  guint8 binary[P2PS_BINARY_HASH_SIZE];

  p2ps_digest_finish_binary (digest, binary);
  p2ps_digest_to_hex (binary, hash);
}

void
p2ps_digest_to_hex (const guint8 binary[P2PS_BINARY_HASH_SIZE], char hash[P2PS_HASH_SIZE])
{
  static const char digits[] = "0123456789abcdef";

  for (gsize i = 0; i < P2PS_BINARY_HASH_SIZE; i++)
    {
      hash[2 * i] = digits[binary[i] >> 4];
      hash[2 * i + 1] = digits[binary[i] & 15];
    }
  hash[P2PS_HASH_SIZE - 1] = '\0';
}

/* Returns: FALSE when `hash` is not 64 hexadecimal digits */
gboolean
p2ps_digest_from_hex (const char *hash, guint8 binary[P2PS_BINARY_HASH_SIZE])
{
  if (strlen (hash) != P2PS_HASH_SIZE - 1)
    return FALSE;
  for (int i = 0; i < P2PS_BINARY_HASH_SIZE; i++)
    {
      int high = g_ascii_xdigit_value (hash[2 * i]);
      int low = g_ascii_xdigit_value (hash[2 * i + 1]);

      if (high < 0 || low < 0)
        return FALSE;
      binary[i] = (guint8)(high << 4 | low);
    }
  return TRUE;
}

void
p2ps_digest_free (P2psDigest *digest)
{
  if (digest == NULL)
    return;
#if HAVE_GNUTLS
  if (digest->handle != NULL)
    gnutls_hash_deinit (digest->handle, NULL);
#endif
  g_clear_pointer (&digest->checksum, g_checksum_free);
  g_free (digest);
}

/* Returns: "GnuTLS" or "GLib": what p2ps_digest_new() uses */
const char *
p2ps_digest_get_backend (void)
{
  return HAVE_GNUTLS ? "GnuTLS" : "GLib";
}
