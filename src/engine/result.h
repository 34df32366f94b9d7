/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "core/message.h"

G_BEGIN_DECLS

/* One file of a search's results: every hit with the same hash. Read-only properties:
 * "filename" (string, safe for display), "filehash", "size" (int64, -1 = not told), "content-type"
 * (string), "n-sources" (uint), "have" (boolean: "you have it"), "names" (string: other names that
 * peers give it), "verified" (boolean: a hit came from the very peer that it names). */
#define P2PS_TYPE_RESULT (p2ps_result_get_type ())
G_DECLARE_FINAL_TYPE (P2psResult, p2ps_result, P2PS, RESULT, GObject)

const char *p2ps_result_get_filename (P2psResult *result);
const char *p2ps_result_get_filehash (P2psResult *result);
gint64 p2ps_result_get_size (P2psResult *result);
guint p2ps_result_get_n_sources (P2psResult *result);
gboolean p2ps_result_get_have (P2psResult *result);
GPtrArray *p2ps_result_get_hits (P2psResult *result); /* borrowed, of P2psHit */

/* For search.c, which makes them. */
P2psResult *p2ps_result_new (const P2psHit *hit, gboolean verified);
gboolean p2ps_result_add (P2psResult *result, const P2psHit *hit, gboolean verified);
void p2ps_result_set_have (P2psResult *result, gboolean have);
void p2ps_result_tell (P2psResult *result);

G_END_DECLS
