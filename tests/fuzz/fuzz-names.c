/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A stranger's name for a file, for people and for the disk, and strangers' hashes and ids. */

#include <string.h>

#include "core/limits.h"
#include "core/types.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *name = g_strndup ((const char *)data, size);
  g_autofree char *shown = p2ps_name_for_display (name);
  g_autofree char *kept = p2ps_name_for_disk (name);
  g_autofree char *again = p2ps_name_for_disk (kept);
  char hash[P2PS_HASH_SIZE];

  g_assert_true (g_utf8_validate (shown, -1, NULL));
  g_assert_true (g_utf8_validate (kept, -1, NULL));
  g_assert_cmpuint (strlen (shown), <=, P2PS_MAX_FILENAME);
  g_assert_cmpuint (strlen (kept), <=, P2PS_MAX_FILENAME);
  g_assert_cmpuint (strlen (kept), >, 0);
  g_assert_true (kept[0] != '.' && strpbrk (kept, "/\\\n") == NULL);
  g_assert_cmpstr (again, ==, kept);
  g_assert_true (strchr (" .", kept[strlen (kept) - 1]) == NULL);
  if (p2ps_hash_normalize (hash, name))
    g_assert_cmpuint (strlen (hash), ==, P2PS_HASH_SIZE - 1);
  if (p2ps_qid_is_valid (name))
    g_assert_cmpuint (strlen (name), ==, P2PS_QID_SIZE - 1);
  return 0;
}
