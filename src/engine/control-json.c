/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The engine's objects as JSON for the control API. Only reads; on the owner context. Text that may
 * not be UTF-8 (paths) is escaped for display, since JSON can't hold it. */

#define G_LOG_DOMAIN "p2ps-control"

#include "engine/control-json.h"

#include <unistd.h>

#include "config-build.h"
#include "engine/keyed-list.h"

static void
add_string (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  if (value)
    json_builder_add_string_value (builder, value);
  else
    json_builder_add_null_value (builder);
}

static void
add_path (JsonBuilder *builder, const char *name, const char *path)
{
  g_autofree char *text = path ? g_filename_display_name (path) : NULL;

  add_string (builder, name, text);
}

static void
add_int (JsonBuilder *builder, const char *name, gint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, value);
}

/* -1 is "not known" inside and null outside. */
static void
add_known (JsonBuilder *builder, const char *name, gint64 value)
{
  json_builder_set_member_name (builder, name);
  if (value >= 0)
    json_builder_add_int_value (builder, value);
  else
    json_builder_add_null_value (builder);
}

/* A moment; 0 is "never" inside and null outside. */
static void
add_time (JsonBuilder *builder, const char *name, gint64 unix_seconds)
{
  add_known (builder, name, unix_seconds > 0 ? unix_seconds : -1);
}

static void
add_double (JsonBuilder *builder, const char *name, double value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_double_value (builder, value);
}

static void
add_boolean (JsonBuilder *builder, const char *name, gboolean value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_boolean_value (builder, value);
}

static void
begin_array (JsonBuilder *builder, const char *name)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_array (builder);
}

static void
add_address (JsonBuilder *builder, const P2psAddress *address)
{
  add_string (builder, "host", address->host);
  add_int (builder, "port", address->port);
}

static gint64
get_int64 (gpointer object, const char *property)
{
  gint64 value = 0;

  g_object_get (object, property, &value, NULL);
  return value;
}

static guint64
get_uint64 (gpointer object, const char *property)
{
  guint64 value = 0;

  g_object_get (object, property, &value, NULL);
  return value;
}

static void
add_library_status (JsonBuilder *builder, P2psLibrary *library)
{
  g_autofree char *notice = NULL;

  g_object_get (library, "notice", &notice, NULL);
  add_int (builder, "files_indexed", p2ps_library_get_files (library));
  add_int (builder, "bytes_indexed", p2ps_library_get_bytes (library));
  add_boolean (builder, "scanning", p2ps_library_get_scanning (library));
  add_int (builder, "scans", (gint64)p2ps_library_get_scans (library));
  add_double (builder, "last_scan_seconds", p2ps_library_get_last_scan_seconds (library));
  add_int (builder, "files_to_hash", get_int64 (library, "to-hash"));
  add_int (builder, "files_skipped", get_int64 (library, "skipped"));
  add_string (builder, "library_notice", notice);
}

static void
add_config_status (JsonBuilder *builder, const P2psConfig *config)
{
  begin_array (builder, "folders");
  for (guint i = 0; config && i < config->folders->len; i++)
    {
      g_autofree char *text = g_filename_display_name (g_ptr_array_index (config->folders, i));

      json_builder_add_string_value (builder, text);
    }
  json_builder_end_array (builder);
  add_path (builder, "download_folder", config ? config->download_folder : NULL);
}

/* null is no limit. */
static void
add_limits (JsonBuilder *builder, const P2psConfig *config)
{
  json_builder_set_member_name (builder, "limits");
  json_builder_begin_object (builder);
  add_known (builder, "upload_bytes_per_second", (gint64)config->upload_bytes_per_second);
  add_known (builder, "upload_bytes_per_second_per_peer",
             (gint64)config->upload_bytes_per_second_per_peer);
  add_known (builder, "download_bytes_per_second", (gint64)config->download_bytes_per_second);
  add_known (builder, "upload_slots", (gint64)config->upload_slots);
  add_known (builder, "uploads_per_peer", (gint64)config->uploads_per_peer);
  json_builder_end_object (builder);
}

/* The summary of a node: who it is, what it shares, whom it knows. */
void
p2ps_control_add_status (JsonBuilder *builder, P2psEngine *engine)
{
  P2psDownloadCounters downloads = { 0 };
  g_autofree char *notice = NULL;

  g_object_get (engine, "notice", &notice, NULL);
  p2ps_downloads_get_counters (p2ps_engine_get_downloads (engine), &downloads);
  json_builder_begin_object (builder);
  add_string (builder, "host", p2ps_engine_get_host (engine));
  add_int (builder, "port", p2ps_engine_get_port (engine));
  add_string (builder, "id", p2ps_engine_get_id (engine));
  add_string (builder, "version", P2PS_VERSION);
  add_int (builder, "pid", getpid ());
  add_int (builder, "uptime_seconds", p2ps_engine_get_uptime_seconds (engine));
  add_library_status (builder, p2ps_engine_get_library (engine));
  add_int (builder, "peers_active", p2ps_engine_get_peers_active (engine));
  add_int (builder, "peers_known", p2ps_engine_get_peers_known (engine));
  add_int (builder, "downloads_active", downloads.active);
  add_path (builder, "state_dir", p2ps_engine_get_state_dir (engine));
  add_config_status (builder, p2ps_engine_get_config (engine));
  if (p2ps_engine_get_config (engine))
    add_limits (builder, p2ps_engine_get_config (engine));
  add_string (builder, "notice", notice);
  json_builder_end_object (builder);
}

typedef struct
{
  const char *name;
  const char *property;
} Counter;

static void
add_counters (JsonBuilder *builder, const char *name, P2psStats *stats, const Counter *counters,
              guint n)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_object (builder);
  for (guint i = 0; i < n; i++)
    add_int (builder, counters[i].name, (gint64)get_uint64 (stats, counters[i].property));
  json_builder_end_object (builder);
}

void
p2ps_control_add_stats (JsonBuilder *builder, P2psEngine *engine)
{
  static const Counter queries[] = {
    { "originated", "queries-originated" }, { "received", "queries-received" },
    { "duplicates", "queries-duplicates" }, { "forwarded", "queries-forwarded" },
    { "answered", "queries-answered" },     { "hits_received", "hits-received" },
  };
  static const Counter transfers[] = {
    { "bytes_sent", "bytes-sent" }, { "bytes_received", "bytes-received" },
    { "uploads", "uploads" },       { "downloads", "downloads" },
    { "failed", "failed" },
  };
  P2psStats *stats = p2ps_engine_get_stats (engine);
  g_autoptr (GVariant) refused = NULL;

  json_builder_begin_object (builder);
  add_counters (builder, "queries", stats, queries, G_N_ELEMENTS (queries));
  add_counters (builder, "transfers", stats, transfers, G_N_ELEMENTS (transfers));
  json_builder_set_member_name (builder, "refused");
  json_builder_begin_object (builder);
  g_object_get (stats, "refused-by-reason", &refused, NULL);
  if (refused)
    {
      GVariantIter iter;
      const char *reason;
      guint64 count;

      g_variant_iter_init (&iter, refused);
      while (g_variant_iter_next (&iter, "{&st}", &reason, &count))
        add_int (builder, reason, (gint64)count);
    }
  json_builder_end_object (builder);
  json_builder_end_object (builder);
}

/* host, port, status, last_seen and last_update as in /stats_all of the peer API: last_seen is the
 * local time of the last sign of life, last_update the seconds since the status changed. */
void
p2ps_control_add_peer (JsonBuilder *builder, P2psPeer *peer)
{
  gint64 seen = p2ps_peer_get_last_heartbeat (peer);
  gint64 updated = p2ps_peer_get_last_update (peer);
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  gint64 round_trip = get_int64 (peer, "round-trip");
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_local (seen);
  g_autofree char *text = seen > 0 && time ? g_date_time_format (time, "%Y-%m-%d %H:%M:%S") : NULL;
  g_autofree char *agent = NULL;
  gboolean classic = FALSE;

  g_object_get (peer, "agent", &agent, "classic", &classic, NULL);
  json_builder_begin_object (builder);
  add_address (builder, p2ps_peer_get_address (peer));
  add_string (builder, "status", p2ps_peer_get_state (peer));
  add_string (builder, "last_seen", text);
  add_known (builder, "last_update", updated > 0 ? MAX (now - updated, 0) : -1);
  add_time (builder, "last_heartbeat", seen);
  add_boolean (builder, "classic", classic);
  add_string (builder, "agent", agent && *agent ? agent : NULL);
  add_known (builder, "files", p2ps_peer_get_files (peer));
  add_known (builder, "round_trip_microseconds", round_trip > 0 ? round_trip : -1);
  json_builder_end_object (builder);
}

void
p2ps_control_add_file (JsonBuilder *builder, const P2psLibraryFile *file)
{
  json_builder_begin_object (builder);
  add_string (builder, "filename", file->name);
  add_string (builder, "filehash", file->filehash);
  add_known (builder, "size", file->size);
  add_time (builder, "modified", file->mtime_ns / 1000000000);
  begin_array (builder, "paths");
  for (guint i = 0; file->paths && i < file->paths->len; i++)
    {
      g_autofree char *text = g_filename_display_name (g_ptr_array_index (file->paths, i));

      json_builder_add_string_value (builder, text);
    }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

/* id, timestamp, filename, hash and responses as in /stats_all, with times in Unix seconds. */
void
p2ps_control_add_query (JsonBuilder *builder, P2psQueryRecord *record)
{
  GPtrArray *responses = p2ps_query_record_get_responses (record);
  const char *hash = p2ps_query_record_get_filehash (record);
  g_autofree char *origin = NULL;

  g_object_get (record, "origin", &origin, NULL);
  json_builder_begin_object (builder);
  add_string (builder, "id", p2ps_query_record_get_qid (record));
  add_time (builder, "timestamp", p2ps_query_record_get_time (record));
  add_string (builder, "filename", p2ps_query_record_get_text (record));
  add_string (builder, "hash", hash ? hash : "");
  add_boolean (builder, "own", p2ps_query_record_get_own (record));
  add_string (builder, "origin", origin);
  begin_array (builder, "responses");
  for (guint i = 0; responses && i < responses->len; i++)
    {
      const P2psQueryResponse *response = g_ptr_array_index (responses, i);
      g_autofree char *name = p2ps_name_for_display (response->hit->filename);

      json_builder_begin_object (builder);
      add_time (builder, "timestamp", response->time);
      add_string (builder, "filename", name);
      add_string (builder, "filehash", response->hit->filehash);
      add_known (builder, "size", response->hit->size);
      add_address (builder, &response->hit->holder);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

static void
add_result (JsonBuilder *builder, P2psResult *result)
{
  GPtrArray *hits = p2ps_result_get_hits (result);

  json_builder_begin_object (builder);
  add_string (builder, "filename", p2ps_result_get_filename (result));
  add_string (builder, "filehash", p2ps_result_get_filehash (result));
  add_known (builder, "size", p2ps_result_get_size (result));
  add_boolean (builder, "have", p2ps_result_get_have (result));
  begin_array (builder, "sources");
  for (guint i = 0; i < hits->len; i++)
    {
      const P2psHit *hit = g_ptr_array_index (hits, i);

      json_builder_begin_object (builder);
      add_address (builder, &hit->holder);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

/* results: with what was found, or the summary only. */
void
p2ps_control_add_search (JsonBuilder *builder, P2psSearch *search, gboolean results)
{
  GListModel *model = p2ps_search_get_results (search);
  guint n;

  /* Who reads "hits" must find them in the results: views can wait for theirs, programs don't. */
  p2ps_keyed_list_flush (P2PS_KEYED_LIST (model));
  n = g_list_model_get_n_items (model);
  json_builder_begin_object (builder);
  add_string (builder, "id", p2ps_search_get_qid (search));
  add_string (builder, "text", p2ps_search_get_text (search));
  add_boolean (builder, "active", p2ps_search_get_active (search));
  add_time (builder, "started", get_int64 (search, "started"));
  add_int (builder, "hits", p2ps_search_get_n_hits (search));
  add_int (builder, "files", n);
  if (results)
    {
      begin_array (builder, "results");
      for (guint i = 0; i < n; i++)
        {
          g_autoptr (P2psResult) result = g_list_model_get_item (model, i);

          add_result (builder, result);
        }
      json_builder_end_array (builder);
    }
  json_builder_end_object (builder);
}

static void
add_download_sources (JsonBuilder *builder, P2psDownload *download)
{
  GListModel *sources = p2ps_download_get_sources (download);
  guint n;

  p2ps_keyed_list_flush (P2PS_KEYED_LIST (sources)); /* as above */
  n = g_list_model_get_n_items (sources);
  begin_array (builder, "sources");
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (P2psDownloadSource) source = g_list_model_get_item (sources, i);

      json_builder_begin_object (builder);
      add_address (builder, p2ps_download_source_get_address (source));
      add_string (builder, "state", p2ps_download_source_get_state (source));
      add_int (builder, "bytes", p2ps_download_source_get_bytes (source));
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
}

/* "path" is for people; "uri" names the same file byte for byte, whatever its encoding is. */
void
p2ps_control_add_download (JsonBuilder *builder, P2psDownload *download)
{
  const char *path = p2ps_download_get_path (download);
  g_autofree char *uri = path ? g_filename_to_uri (path, NULL, NULL) : NULL;

  json_builder_begin_object (builder);
  add_string (builder, "filehash", p2ps_download_get_filehash (download));
  add_string (builder, "filename", p2ps_download_get_filename (download));
  add_known (builder, "size", p2ps_download_get_size (download));
  add_int (builder, "received", p2ps_download_get_received (download));
  add_string (builder, "state", p2ps_download_state_to_nick (p2ps_download_get_state (download)));
  add_string (builder, "reason", p2ps_download_get_reason (download));
  add_boolean (builder, "over", p2ps_download_is_over (download));
  add_path (builder, "path", path);
  add_string (builder, "uri", uri);
  add_int (builder, "bytes_per_second", (gint64)p2ps_download_get_speed (download));
  add_int (builder, "average_bytes_per_second", (gint64)p2ps_download_get_average_speed (download));
  add_known (builder, "seconds_left", get_int64 (download, "seconds-left"));
  add_time (builder, "added", p2ps_download_get_added (download));
  add_time (builder, "finished", p2ps_download_get_finished (download));
  add_download_sources (builder, download);
  json_builder_end_object (builder);
}
