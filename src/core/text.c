/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Text that strangers send: hashes, ids and names, made harmless or refused.
 * Pure functions for any thread. */

#define G_LOG_DOMAIN "p2ps-text"

#include <string.h>

#include "core/limits.h"
#include "core/types.h"

/**
 * p2ps_hash_normalize:
 * @text: (nullable): 64 hexadecimal digits in either case
 *
 * Returns: TRUE with the lower-case digits in @hash; FALSE with "" in @hash for anything else.
 */
gboolean
p2ps_hash_normalize (char hash[P2PS_HASH_SIZE], const char *text)
{
  gsize length;

  hash[0] = '\0';
  if (text == NULL)
    return FALSE;
  for (length = 0; length < P2PS_HASH_SIZE - 1 && g_ascii_isxdigit (text[length]); length++)
    ;
  if (length != P2PS_HASH_SIZE - 1 || text[length] != '\0')
    return FALSE;
  for (gsize i = 0; i < length; i++)
    hash[i] = g_ascii_tolower (text[i]);
  hash[length] = '\0';

  return TRUE;
}

/** p2ps_qid_is_valid: whether @text (nullable) is a UUID as text (RFC 4122), in either case. */
gboolean
p2ps_qid_is_valid (const char *text)
{
  if (text == NULL || strnlen (text, P2PS_QID_SIZE) != P2PS_QID_SIZE - 1)
    return FALSE;
  for (gsize i = 0; i < P2PS_QID_SIZE - 1; i++)
    {
      gboolean dash = i == 8 || i == 13 || i == 18 || i == 23;

      if (dash ? text[i] != '-' : !g_ascii_isxdigit (text[i]))
        return FALSE;
    }

  return TRUE;
}

/* Whether a character changes how the rest is read, or can't be shown. */
static gboolean
is_harmful (gunichar c)
{
  if (g_unichar_iscntrl (c) || c == '/' || c == '\\' || c == 0x061c || c == 0xfeff)
    return TRUE;

  return c == 0x200e || c == 0x200f        /* marks of direction */
         || (c >= 0x2028 && c <= 0x202e)   /* line separators, embeddings, overrides */
         || (c >= 0x2066 && c <= 0x2069)   /* isolates */
         || (c >= 0xfff9 && c <= 0xfffb)   /* annotations */
         || (c >= 0xe0000 && c <= 0xe0fff) /* tags */
         || ((c & 0xfffe) == 0xfffe);      /* noncharacters */
}

/* Cuts at a character so that at most @max bytes stay; a short suffix (".tar") survives. */
static void
shorten (GString *text, gsize max)
{
  g_autofree char *suffix = NULL;
  const char *dot = strrchr (text->str, '.');
  gsize keep;

  if (text->len <= max)
    return;
  if (dot != NULL && dot != text->str && strlen (dot) <= 16)
    suffix = g_strdup (dot);
  keep = max - (suffix != NULL ? strlen (suffix) : 0);
  while (keep > 0 && (text->str[keep] & 0xc0) == 0x80)
    keep--;
  g_string_truncate (text, keep);
  if (suffix != NULL)
    g_string_append (text, suffix);
}

static GString *
clean (const char *name)
{
  g_autofree char *valid = g_utf8_make_valid (name != NULL ? name : "", -1);
  GString *text = g_string_sized_new (strlen (valid));

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (is_harmful (c) || (text->len == 0 && (c == '.' || g_unichar_isspace (c))))
        continue;
      g_string_append_unichar (text, c);
    }
  shorten (text, P2PS_MAX_FILENAME);

  return text;
}

/**
 * p2ps_name_for_display:
 * @name: (nullable): a file's name from the wire, any bytes
 *
 * Returns: (transfer full): valid UTF-8 of at most 255 bytes without controls, overrides of
 *   direction, separators or leading dots; may be ""
 */
char *
p2ps_name_for_display (const char *name)
{
  return g_string_free (clean (name), FALSE);
}

/* Whether Windows takes a name for a device: what stands before the first dot decides, in any case,
 * and spaces in front of that dot don't count. */
static gboolean
names_device (const char *name)
{
  static const char *const devices[] = { "con", "prn", "aux", "nul", "conin$", "conout$", NULL };
  static const char *const numbers[] = { "0", "1", "2", "3",        "4",        "5",        "6",
                                         "7", "8", "9", "\xc2\xb9", "\xc2\xb2", "\xc2\xb3", NULL };
  g_autofree char *base = g_ascii_strdown (name, (gssize)strcspn (name, "."));

  g_strchomp (base);
  if (g_strv_contains (devices, base))
    return TRUE;
  return (g_str_has_prefix (base, "com") || g_str_has_prefix (base, "lpt"))
         && g_strv_contains (numbers, base + 3);
}

/**
 * p2ps_name_for_disk:
 * @name: (nullable): a file's name from the wire, any bytes
 *
 * The folder may be one that a Windows system reads, or will: there a name that ends in dots or
 * spaces loses them, and "NUL.txt" is no file.
 *
 * Returns: (transfer full): as for display, and never "", ending in a space or dot, or the name of
 * a device: one path segment that is safe to create in a folder
 */
char *
p2ps_name_for_disk (const char *name)
{
  GString *text = clean (name);

  if (names_device (text->str))
    {
      g_string_prepend_c (text, '_');
      shorten (text, P2PS_MAX_FILENAME);
    }
  while (text->len > 0 && (text->str[text->len - 1] == ' ' || text->str[text->len - 1] == '.'))
    g_string_truncate (text, text->len - 1);
  if (text->len == 0)
    g_string_assign (text, "unnamed");

  return g_string_free (text, FALSE);
}
