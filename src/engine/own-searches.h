/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "engine/downloads.h"
#include "engine/driver.h"
#include "engine/search.h"

G_BEGIN_DECLS

/* The own searches: starts them at the node, brings each hit to its search, keeps the last 50 for
 * the user to see. Searches for more sources of a download run beside them, unseen. */
#define P2PS_TYPE_OWN_SEARCHES (p2ps_own_searches_get_type ())
G_DECLARE_FINAL_TYPE (P2psOwnSearches, p2ps_own_searches, P2PS, OWN_SEARCHES, GObject)

P2psOwnSearches *p2ps_own_searches_new (P2psLibrary *library);
void p2ps_own_searches_set_driver (P2psOwnSearches *searches, P2psDriver *driver);
GListModel *p2ps_own_searches_get_model (P2psOwnSearches *searches);
P2psSearch *p2ps_own_searches_start (P2psOwnSearches *searches, const char *text, GError **error);
P2psSearch *p2ps_own_searches_start_exact (P2psOwnSearches *searches, const char *filename,
                                           const char *filehash, GError **error);
void p2ps_own_searches_remove (P2psOwnSearches *searches, P2psSearch *search);
void p2ps_own_searches_find_sources (P2psOwnSearches *searches, P2psDownload *download);

G_END_DECLS
