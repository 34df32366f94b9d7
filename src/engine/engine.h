/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "engine/config.h"
#include "engine/downloads.h"
#include "engine/library.h"
#include "engine/query-log.h"
#include "engine/search.h"
#include "engine/stats.h"

G_BEGIN_DECLS

/* A node with all its parts, on the main context that it was made on. Two engines in one process
 * work. Read-only properties for binding: "peers" (GListModel of P2psPeer), "searches" (GListModel
 * of P2psSearch), "downloads" (GListModel of P2psDownload), "queries" (GListModel of
 * P2psQueryRecord, newest first), "stats" (P2psStats), "library" (P2psLibrary), "host" (string),
 * "port" (uint), "id" (string), "running" (boolean), "peers-active", "peers-known" (uint),
 * "notice" (string or NULL: what a person should know, e.g. a damaged database). */
#define P2PS_TYPE_ENGINE (p2ps_engine_get_type ())
G_DECLARE_FINAL_TYPE (P2psEngine, p2ps_engine, P2PS, ENGINE, GObject)

P2psEngine *p2ps_engine_new (const char *state_dir);
gboolean p2ps_engine_start (P2psEngine *engine, const P2psConfig *config, GError **error);
gboolean p2ps_engine_apply (P2psEngine *engine, const P2psConfig *config, GError **error);
void p2ps_engine_stop_async (P2psEngine *engine, GAsyncReadyCallback callback, gpointer user_data);
gboolean p2ps_engine_stop_finish (P2psEngine *engine, GAsyncResult *result, GError **error);

const P2psConfig *p2ps_engine_get_config (P2psEngine *engine);
const char *p2ps_engine_get_host (P2psEngine *engine);
guint16 p2ps_engine_get_port (P2psEngine *engine);
const char *p2ps_engine_get_id (P2psEngine *engine);
const char *p2ps_engine_get_state_dir (P2psEngine *engine);
gint64 p2ps_engine_get_uptime_seconds (P2psEngine *engine);
guint p2ps_engine_get_peers_active (P2psEngine *engine);
guint p2ps_engine_get_peers_known (P2psEngine *engine);

GListModel *p2ps_engine_get_peers (P2psEngine *engine);
GListModel *p2ps_engine_get_searches (P2psEngine *engine);
P2psDownloads *p2ps_engine_get_downloads (P2psEngine *engine);
P2psQueryLog *p2ps_engine_get_queries (P2psEngine *engine);
P2psStats *p2ps_engine_get_stats (P2psEngine *engine);
P2psLibrary *p2ps_engine_get_library (P2psEngine *engine);

/* Words are searched as a keyword search of names, 64 hex digits as a hash. */
P2psSearch *p2ps_engine_search (P2psEngine *engine, const char *text, GError **error);
/* As a classic peer's /init_query: exact name and/or hash, either may be NULL. */
P2psSearch *p2ps_engine_search_exact (P2psEngine *engine, const char *filename,
                                      const char *filehash, GError **error);
void p2ps_engine_remove_search (P2psEngine *engine, P2psSearch *search);

/* From a result, or by hash alone (hits NULL: the network is asked). */
P2psDownload *
p2ps_engine_download (P2psEngine *engine, const char *filehash, const char *filename, gint64 size,
                      GPtrArray *hits, const char *folder, GError **error);

/* "host:port"; a host name is looked up first. */
void p2ps_engine_add_peer_async (P2psEngine *engine, const char *address,
                                 GAsyncReadyCallback callback, gpointer user_data);
gboolean p2ps_engine_add_peer_finish (P2psEngine *engine, GAsyncResult *result, GError **error);
void p2ps_engine_remove_peer (P2psEngine *engine, const char *address);

G_END_DECLS
