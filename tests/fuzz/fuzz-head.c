/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The head of an HTTP request as it comes from a socket, in two pieces, and its Range header. */

#include <string.h>

#include "core/limits.h"
#include "engine/http-guard.h"
#include "engine/http-range.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const P2psHttpPolicy policy = { .max_body = P2PS_MAX_BODY };
  const char *bytes = (const char *)data, *range;
  g_autoptr (P2psHttpHead) head = NULL;
  gint64 first, last;
  gsize end = 0, whole;

  if (p2ps_http_head_scan (bytes, size, 0, &whole) != P2PS_HTTP_REFUSAL_NONE || whole == 0)
    return 0;
  g_assert_cmpuint (whole, <=, size);
  p2ps_http_head_scan (bytes, size / 2, 0, &end);
  if (end == 0)
    p2ps_http_head_scan (bytes, size, size / 2, &end);
  g_assert_cmpuint (end, ==, whole);
  if (p2ps_http_head_parse (bytes, whole, &head) != P2PS_HTTP_REFUSAL_NONE)
    return 0;
  g_assert_true (head->path[0] == '/' && !(head->chunked && head->content_length >= 0));
  p2ps_http_head_check (head, &policy);
  range = p2ps_http_head_get (head, "Range", NULL);
  if (p2ps_http_range_parse (range, 1000, &first, &last) == P2PS_RANGE_PART)
    g_assert_true (first >= 0 && first <= last && last < 1000);
  return 0;
}
