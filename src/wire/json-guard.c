/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What stands between a stranger's bytes and json-glib, on any thread, without allocating.
 * json-glib descends the call stack once per bracket, reads comments, hexadecimal numbers and
 * assignments, cuts a string at \u0000 and lets integers wrap around; so the tokens are checked
 * here, strictly as in RFC 8259, and only their order is left to the parser. Refused: deeper than
 * P2PS_MAX_JSON_DEPTH, bytes that are not UTF-8, tokens that JSON doesn't have, lone surrogates,
 * NUL in any spelling, integers of more than 18 digits. */

#include <string.h>

#include "core/limits.h"
#include "wire/codec.h"

#define MAX_DIGITS 18 /* any such integer fits 64 bits */

G_DEFINE_QUARK (p2ps - wire - error - quark, p2ps_wire_error)

typedef struct
{
  const char *at;
  const char *end;
  const char *reason;
  guint line;
  guint depth;
} Scan;

static gboolean
refuse (Scan *scan, const char *reason)
{
  scan->reason = reason;
  return FALSE;
}

static gboolean
read_hex4 (Scan *scan, guint *value)
{
  guint v = 0;

  if (scan->end - scan->at < 4)
    return FALSE;
  for (int i = 0; i < 4; i++)
    {
      int digit = g_ascii_xdigit_value (*scan->at++);

      if (digit < 0)
        return FALSE;
      v = v * 16 + digit;
    }
  *value = v;
  return TRUE;
}

/* After the backslash. */
static gboolean
skip_escape (Scan *scan)
{
  guint unit, low;

  if (scan->at == scan->end)
    return refuse (scan, "a string does not end");
  if (*scan->at != 'u')
    return memchr ("\"\\/bfnrt", *scan->at++, 8) ? TRUE : refuse (scan, "an unknown escape");

  scan->at++;
  if (!read_hex4 (scan, &unit))
    return refuse (scan, "an unknown escape");
  if (unit == 0)
    return refuse (scan, "a NUL in a string");
  if (unit < 0xd800 || unit > 0xdfff)
    return TRUE;
  if (unit > 0xdbff || scan->end - scan->at < 6 || scan->at[0] != '\\' || scan->at[1] != 'u')
    return refuse (scan, "a lone surrogate");
  scan->at += 2;
  if (!read_hex4 (scan, &low) || low < 0xdc00 || low > 0xdfff)
    return refuse (scan, "a lone surrogate");
  return TRUE;
}

/* After the opening quote. */
static gboolean
skip_string (Scan *scan)
{
  while (scan->at < scan->end)
    {
      guchar c = *scan->at++;

      if (c == '"')
        return TRUE;
      if (c < 0x20)
        return refuse (scan, "a control character in a string");
      if (c == '\\' && !skip_escape (scan))
        return FALSE;
    }
  return refuse (scan, "a string does not end");
}

static guint
skip_digits (Scan *scan)
{
  const char *start = scan->at;

  while (scan->at < scan->end && g_ascii_isdigit (*scan->at))
    scan->at++;
  return scan->at - start;
}

static gboolean
skip_number (Scan *scan)
{
  const char *start;
  guint digits;

  if (*scan->at == '-')
    scan->at++;
  start = scan->at;
  digits = skip_digits (scan);
  if (digits == 0 || (digits > 1 && *start == '0'))
    return refuse (scan, "a malformed number");
  if (digits > MAX_DIGITS)
    return refuse (scan, "a number out of range");
  if (scan->at < scan->end && *scan->at == '.')
    {
      scan->at++;
      if (skip_digits (scan) == 0)
        return refuse (scan, "a malformed number");
    }
  if (scan->at < scan->end && (*scan->at == 'e' || *scan->at == 'E'))
    {
      scan->at++;
      if (scan->at < scan->end && (*scan->at == '+' || *scan->at == '-'))
        scan->at++;
      if (skip_digits (scan) == 0)
        return refuse (scan, "a malformed number");
    }
  return TRUE;
}

static gboolean
skip_word (Scan *scan)
{
  static const char *const words[] = { "true", "false", "null" };

  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    {
      gsize length = strlen (words[i]);

      if ((gsize)(scan->end - scan->at) >= length && memcmp (scan->at, words[i], length) == 0)
        {
          scan->at += length;
          if (scan->at < scan->end && g_ascii_isalnum (*scan->at))
            break;
          return TRUE;
        }
    }
  return refuse (scan, "something that is not JSON");
}

static gboolean
skip_token (Scan *scan)
{
  switch (*scan->at)
    {
    case '\n':
      scan->line++;
      scan->at++;
      return TRUE;
    case ' ':
    case '\t':
    case '\r':
    case ',':
    case ':':
      scan->at++;
      return TRUE;
    case '[':
    case '{':
      scan->at++;
      return ++scan->depth <= P2PS_MAX_JSON_DEPTH ? TRUE : refuse (scan, "nested too deep");
    case ']':
    case '}':
      scan->at++;
      return scan->depth-- > 0 ? TRUE : refuse (scan, "a bracket too many");
    case '"':
      scan->at++;
      return skip_string (scan);
    default:
      if (*scan->at == '-' || g_ascii_isdigit (*scan->at))
        return skip_number (scan);
      return skip_word (scan);
    }
}

/* FALSE with "line N: reason". `data` needs no NUL at its end. */
gboolean
p2ps_wire_check_json (const char *data, gsize length, GError **error)
{
  Scan scan = { .at = data, .end = data + length, .line = 1 };

  while (scan.reason == NULL && scan.at < scan.end)
    skip_token (&scan);
  if (scan.reason == NULL && scan.depth > 0)
    scan.reason = "a bracket is not closed";
  if (scan.reason == NULL && !g_utf8_validate_len (data, length, NULL))
    scan.reason = "text that is not UTF-8";
  if (scan.reason == NULL)
    return TRUE;
  g_set_error (error, P2PS_WIRE_ERROR, P2PS_WIRE_ERROR_INVALID, "line %u: %s", scan.line,
               scan.reason);
  return FALSE;
}
