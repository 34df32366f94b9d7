/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which part of the engine hears of which: the parts themselves don't know each other. All on the
 * owner context. */

#define G_LOG_DOMAIN "p2ps-engine"

#include "engine/engine-private.h"

#include <string.h>

#define LIE_POINTS 50 /* of 100: the second lie in a short time is one too many */

/* ---- the library ---- */

static void
notice_cb (P2psEngine *engine)
{
  g_autofree char *library = NULL;
  const char *store = p2ps_store_get_notice (engine->store);

  g_object_get (engine->library, "notice", &library, NULL);
  g_autofree char *notice = library && store ? g_strdup_printf ("%s\n%s", store, library)
                                             : g_strdup (store ? store : library);
  if (g_strcmp0 (notice, engine->notice) == 0)
    return;
  g_free (engine->notice);
  engine->notice = g_steal_pointer (&notice);
  p2ps_engine_tell (engine, P2PS_ENGINE_PROP_NOTICE);
}

static void
files_cb (P2psEngine *engine)
{
  if (!engine->driver)
    return;
  p2ps_node_set_files (p2ps_driver_get_node (engine->driver),
                       p2ps_library_get_files (engine->library));
  p2ps_driver_drain (engine->driver);
}

/* ---- downloads ---- */

static void
need_sources_cb (P2psEngine *engine, P2psDownload *download)
{
  p2ps_own_searches_find_sources (engine->searches, download);
}

static void
misbehaved_cb (P2psEngine *engine, const P2psAddress *peer, const char *reason)
{
  if (!engine->driver)
    return;
  g_debug ("%s port %u: %s", peer->host, peer->port, reason);
  p2ps_driver_blame (engine->driver, peer, LIE_POINTS);
}

static gboolean
is_inside (const char *path, const char *folder)
{
  gsize length = strlen (folder);

  return g_str_has_prefix (path, folder)
         && (path[length] == '/' || (length > 0 && folder[length - 1] == '/'));
}

static void
finished_cb (P2psEngine *engine, P2psDownload *download)
{
  const char *path = p2ps_download_get_path (download);

  for (guint i = 0; path && engine->config && i < engine->config->folders->len; i++)
    if (is_inside (path, engine->config->folders->pdata[i]))
      {
        p2ps_library_rescan (engine->library);
        return;
      }
}

/* ---- peers ---- */

static void
peers_changed_cb (P2psEngine *engine)
{
  p2ps_engine_tell (engine, P2PS_ENGINE_PROP_PEERS_ACTIVE);
  p2ps_engine_tell (engine, P2PS_ENGINE_PROP_PEERS_KNOWN);
}

static void
peer_active_cb (P2psEngine *engine, const P2psAddress *peer)
{
  p2ps_downloads_peer_is_back (engine->downloads, peer);
}

/* Connects what lives as long as the engine. */
void
p2ps_engine_wire_parts (P2psEngine *engine)
{
  g_signal_connect_object (engine->library, "notify::notice", G_CALLBACK (notice_cb), engine,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (engine->store, "notify::notice", G_CALLBACK (notice_cb), engine,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (engine->library, "notify::files", G_CALLBACK (files_cb), engine,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (engine->downloads, "need-sources", G_CALLBACK (need_sources_cb), engine,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (engine->downloads, "misbehaved", G_CALLBACK (misbehaved_cb), engine,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (engine->downloads, "finished", G_CALLBACK (finished_cb), engine,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (engine->peers, "changed", G_CALLBACK (peers_changed_cb), engine,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (engine->peers, "active", G_CALLBACK (peer_active_cb), engine,
                           G_CONNECT_SWAPPED);
}

/* ---- the driver ---- */

static void
query_cb (P2psEngine *engine, const P2psQuery *query, gboolean own)
{
  p2ps_query_log_add (engine->queries, query, own);
}

static void
hits_cb (P2psEngine *engine, GPtrArray *hits)
{
  for (guint i = 0; i < hits->len; i++)
    p2ps_query_log_add_hit (engine->queries, hits->pdata[i]);
}

/* Connects the driver, which is another one after the address has changed. */
void
p2ps_engine_wire_driver (P2psEngine *engine)
{
  g_signal_connect_object (engine->driver, "query", G_CALLBACK (query_cb), engine,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (engine->driver, "hits", G_CALLBACK (hits_cb), engine, G_CONNECT_SWAPPED);
  g_signal_connect_object (engine->driver, "answers", G_CALLBACK (hits_cb), engine,
                           G_CONNECT_SWAPPED);
  p2ps_own_searches_set_driver (engine->searches, engine->driver);
  p2ps_peers_set_driver (engine->peers, engine->driver);
  files_cb (engine);
}

/* ---- counters ---- */

static void
add_node_counters (P2psNodeCounters *sum, const P2psNodeCounters *more)
{
  guint64 *to = (guint64 *)sum;
  const guint64 *from = (const guint64 *)more;

  G_STATIC_ASSERT (sizeof *sum % sizeof (guint64) == 0);
  for (gsize i = 0; i < sizeof *sum / sizeof (guint64); i++)
    to[i] += from[i];
}

static void
add_server_counters (P2psHttpServer *server, P2psUploadCounters *uploads, GHashTable *refused)
{
  P2psUploadCounters now = { 0 };
  g_autoptr (GVariant) reasons = g_variant_ref_sink (p2ps_http_server_get_refused (server));
  GVariantIter iter;
  const char *reason;
  guint64 count;

  p2ps_http_server_get_uploads (server, &now);
  uploads->bytes_sent += now.bytes_sent;
  uploads->uploads += now.uploads;
  g_variant_iter_init (&iter, reasons);
  while (g_variant_iter_next (&iter, "{&st}", &reason, &count))
    p2ps_stats_add_refused (refused, reason, count);
}

/* Adds what the driver counted to the totals, before it goes. */
void
p2ps_engine_retire_driver (P2psEngine *engine)
{
  add_node_counters (&engine->retired.node,
                     p2ps_node_get_counters (p2ps_driver_get_node (engine->driver)));
}

void
p2ps_engine_retire_server (P2psEngine *engine)
{
  add_server_counters (engine->server, &engine->retired.uploads, engine->retired.refused);
}

static void
fill_totals (guint64 totals[P2PS_N_STATS], const P2psNodeCounters *node,
             const P2psUploadCounters *uploads, const P2psDownloadCounters *downloads)
{
  totals[P2PS_STAT_QUERIES_ORIGINATED] = node->originated;
  totals[P2PS_STAT_QUERIES_RECEIVED] = node->received;
  totals[P2PS_STAT_QUERIES_DUPLICATES] = node->duplicates;
  totals[P2PS_STAT_QUERIES_FORWARDED] = node->forwarded;
  totals[P2PS_STAT_QUERIES_ANSWERED] = node->answered;
  totals[P2PS_STAT_HITS_RECEIVED] = node->hits_received;
  totals[P2PS_STAT_BYTES_SENT] = uploads->bytes_sent;
  totals[P2PS_STAT_BYTES_RECEIVED] = downloads->bytes_received;
  totals[P2PS_STAT_UPLOADS] = uploads->uploads;
  totals[P2PS_STAT_DOWNLOADS] = downloads->downloads;
  totals[P2PS_STAT_FAILED] = downloads->failed;
}

/* A P2psStatsFunc: everything that the parts count, since the start. */
void
p2ps_engine_collect_stats (guint64 totals[P2PS_N_STATS], GHashTable *refused, gpointer data)
{
  P2psEngine *engine = data;
  P2psNodeCounters node = engine->retired.node;
  P2psUploadCounters uploads = engine->retired.uploads;
  P2psDownloadCounters downloads = { 0 };
  GHashTableIter iter;
  gpointer reason, count;

  g_hash_table_iter_init (&iter, engine->retired.refused);
  while (g_hash_table_iter_next (&iter, &reason, &count))
    p2ps_stats_add_refused (refused, reason, *(guint64 *)count);
  if (engine->driver)
    add_node_counters (&node, p2ps_node_get_counters (p2ps_driver_get_node (engine->driver)));
  if (engine->server)
    add_server_counters (engine->server, &uploads, refused);
  p2ps_downloads_get_counters (engine->downloads, &downloads);
  for (guint i = 0; i < P2PS_N_REFUSALS; i++)
    p2ps_stats_add_refused (refused, p2ps_refusal_to_string (i), node.refused[i]);
  fill_totals (totals, &node, &uploads, &downloads);
}
