/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  P2PS_RANGE_WHOLE, /* no range, or one of a unit that we don't know: RFC 9110, 14.2 */
  P2PS_RANGE_PART,
  P2PS_RANGE_REFUSED,
} P2psRangeKind;

P2psRangeKind p2ps_http_range_parse (const char *range, gint64 size, gint64 *first, gint64 *last);

G_END_DECLS
