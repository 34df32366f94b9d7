/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A link that somebody clicked. What was taken must survive being written and read again. */

#include "engine/link.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *)data, size);
  g_autoptr (GError) error = NULL;
  g_autoptr (P2psLink) link = p2ps_link_parse (text, &error);
  g_autoptr (P2psLink) again = NULL;
  g_autofree char *written = NULL;

  g_assert_true ((link != NULL) == (error == NULL));
  if (link == NULL)
    return 0;
  written = p2ps_link_to_string (link);
  again = p2ps_link_parse (written, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (again->filehash, ==, link->filehash);
  return 0;
}
