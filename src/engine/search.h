/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "engine/library.h"
#include "engine/result.h"

G_BEGIN_DECLS

/* One search and its results, which come while it is active. Read-only properties: "text", "qid",
 * "active" (boolean), "started" (int64, Unix seconds), "n-hits" (uint), "results" (GListModel of
 * P2psResult). It ends by itself after P2PS_HIT_WINDOW.
 * Signal "hit" (P2psHit*): a holder that was not known before, told at once. */
#define P2PS_TYPE_SEARCH (p2ps_search_get_type ())
G_DECLARE_FINAL_TYPE (P2psSearch, p2ps_search, P2PS, SEARCH, GObject)

const char *p2ps_search_get_text (P2psSearch *search);
const char *p2ps_search_get_qid (P2psSearch *search);
gboolean p2ps_search_get_active (P2psSearch *search);
guint p2ps_search_get_n_hits (P2psSearch *search);
GListModel *p2ps_search_get_results (P2psSearch *search);
void p2ps_search_stop (P2psSearch *search);

/* For own-searches.c, which makes them. */
P2psSearch *p2ps_search_new (P2psLibrary *library, const char *qid, const char *text);
void p2ps_search_add_hits (P2psSearch *search, GPtrArray *hits, gboolean verified);
void p2ps_search_check_have (P2psSearch *search);

G_END_DECLS
