/* SPDX-License-Identifier: GPL-3.0-or-later */

/* "host:port" as text. What was taken must be written as something that means the same. */

#include "core/types.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *)data, size);
  P2psAddress address, again;

  p2ps_host_get_scope (text);
  if (p2ps_address_parse (&address, text))
    {
      g_autofree char *written = p2ps_address_to_string (&address);
      g_autofree char *url = p2ps_address_to_url (&address, "/");

      g_assert_true (p2ps_address_parse (&again, written));
      g_assert_true (p2ps_address_equal (&address, &again));
      g_assert_cmpuint (p2ps_address_hash (&address), ==, p2ps_address_hash (&again));
      g_assert_true (g_uri_is_valid (url, G_URI_FLAGS_NONE, NULL));
    }
  return 0;
}
