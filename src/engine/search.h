/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "core/message.h"

G_BEGIN_DECLS

/* One file of a search's results: every hit with the same hash. Read-only properties:
 * "filename" (string, safe for display), "filehash", "size" (int64, -1 = not told), "content-type"
 * (string), "n-sources" (uint), "have" (boolean: "you have it"), "names" (string: other names that
 * peers give it). */
#define P2PS_TYPE_RESULT (p2ps_result_get_type ())
G_DECLARE_FINAL_TYPE (P2psResult, p2ps_result, P2PS, RESULT, GObject)

const char *p2ps_result_get_filename (P2psResult *result);
const char *p2ps_result_get_filehash (P2psResult *result);
gint64 p2ps_result_get_size (P2psResult *result);
guint p2ps_result_get_n_sources (P2psResult *result);
gboolean p2ps_result_get_have (P2psResult *result);
GPtrArray *p2ps_result_get_hits (P2psResult *result); /* borrowed, of P2psHit */

/* One search and its results, which come while it is active. Read-only properties: "text", "qid",
 * "active" (boolean), "started" (int64, Unix seconds), "n-hits" (uint), "results" (GListModel of
 * P2psResult). It ends by itself after P2PS_HIT_WINDOW. */
#define P2PS_TYPE_SEARCH (p2ps_search_get_type ())
G_DECLARE_FINAL_TYPE (P2psSearch, p2ps_search, P2PS, SEARCH, GObject)

const char *p2ps_search_get_text (P2psSearch *search);
const char *p2ps_search_get_qid (P2psSearch *search);
gboolean p2ps_search_get_active (P2psSearch *search);
guint p2ps_search_get_n_hits (P2psSearch *search);
GListModel *p2ps_search_get_results (P2psSearch *search);
void p2ps_search_stop (P2psSearch *search);

G_END_DECLS
