/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The Range header: one range, or none. Pure; any thread. libsoup's own parser answers 10 KB of
 * overlapping ranges with gigabytes, so it never sees the header; many ranges in one request, and
 * whatever else is not one range that lies in the file, are refused. */

#include "engine/http-range.h"

#include <string.h>

static gboolean
parse_number (const char **text, gint64 *number)
{
  gsize digits = strspn (*text, "0123456789");

  if (digits == 0)
    return FALSE;
  /* More digits than any file has bytes: past the end, whatever they say. */
  *number = digits > 18 ? G_MAXINT64 : g_ascii_strtoll (*text, NULL, 10);
  *text += digits;
  return TRUE;
}

/* range: the header's value, or NULL. first and last (inclusive) are set in any case; for
 * P2PS_RANGE_WHOLE of an empty file last is -1. */
P2psRangeKind
p2ps_http_range_parse (const char *range, gint64 size, gint64 *first, gint64 *last)
{
  gint64 from, to = G_MAXINT64;
  const char *text;

  *first = 0;
  *last = size - 1;
  if (range == NULL)
    return P2PS_RANGE_WHOLE;
  text = strchr (range, '=');
  if (text == NULL)
    return P2PS_RANGE_REFUSED;
  if (text - range != 5 || g_ascii_strncasecmp (range, "bytes", 5) != 0)
    return P2PS_RANGE_WHOLE;

  text++;
  if (*text == '-')
    {
      text++;
      if (!parse_number (&text, &from) || *text != '\0' || from == 0 || size == 0)
        return P2PS_RANGE_REFUSED;
      *first = MAX (0, size - from);
      return P2PS_RANGE_PART;
    }
  if (!parse_number (&text, &from) || *text++ != '-')
    return P2PS_RANGE_REFUSED;
  if (*text != '\0' && !parse_number (&text, &to))
    return P2PS_RANGE_REFUSED;
  if (*text != '\0' || from > to || from >= size)
    return P2PS_RANGE_REFUSED;
  *first = from;
  *last = MIN (to, size - 1);
  return P2PS_RANGE_PART;
}
