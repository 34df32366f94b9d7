/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The three calls of the peer API that are for the user of this machine: begin a search, read its
 * results, see everything. They answer callers on loopback only; the shapes are those of classic
 * peers, so that a page or a script made for one works here. On the owner context; builds at most
 * a few thousand rows, since it runs there. */

#define G_LOG_DOMAIN "p2ps-local-api"

#include "engine/peer-api.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "engine/peer.h"
#include "wire/codec.h"

#define RESULTS_PREFIX "/query_results/"
#define MAX_QUERIES 200    /* of /stats_all, the newest */
#define MAX_RESPONSES 1000 /* of /stats_all in all, of the newest queries */

static void
add_text (JsonBuilder *builder, const char *key, const char *text)
{
  json_builder_set_member_name (builder, key);
  json_builder_add_string_value (builder, text);
}

static void
add_int (JsonBuilder *builder, const char *key, gint64 value)
{
  json_builder_set_member_name (builder, key);
  json_builder_add_int_value (builder, value);
}

static void
add_status (JsonBuilder *builder, gboolean status)
{
  json_builder_set_member_name (builder, "status");
  json_builder_add_boolean_value (builder, status);
}

/* "2024-03-12 10:16:12", local time; "" of 0, which is never. */
static void
add_time (JsonBuilder *builder, const char *key, gint64 unix_seconds)
{
  g_autoptr (GDateTime) time
      = unix_seconds > 0 ? g_date_time_new_from_unix_local (unix_seconds) : NULL;
  g_autofree char *text = time ? g_date_time_format (time, "%Y-%m-%d %H:%M:%S") : NULL;

  add_text (builder, key, text ? text : "");
}

static void
begin_array (JsonBuilder *builder, const char *key)
{
  json_builder_set_member_name (builder, key);
  json_builder_begin_array (builder);
}

/* Ends the object that was begun in an array and puts the classic number behind it. */
static void
reply (P2psHttpRequest *request, JsonBuilder *builder, int number)
{
  json_builder_end_object (builder);
  json_builder_add_int_value (builder, number);
  json_builder_end_array (builder);
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  gsize length = 0;
  json_generator_set_root (generator, root);
  char *text = json_generator_to_data (generator, &length);
  g_autoptr (GBytes) body = g_bytes_new_take (text, length);
  p2ps_http_request_reply (request, 200, "application/json", body);
}

static JsonBuilder *
begin (void)
{
  JsonBuilder *builder = json_builder_new ();

  json_builder_begin_array (builder);
  json_builder_begin_object (builder);
  return builder;
}

static void
handle_init_query (P2psEngine *engine, P2psHttpRequest *request)
{
  GBytes *body = p2ps_http_request_get_body (request);
  g_autoptr (GBytes) none = g_bytes_new_static ("", 0);
  g_autoptr (GError) error = NULL;
  g_autoptr (P2psQuery) query = p2ps_wire_decode_init_query (body ? body : none, &error);
  P2psSearch *search
      = query ? p2ps_engine_search_exact (engine, query->filename, query->filehash, &error) : NULL;

  if (!search)
    {
      p2ps_http_request_reply_error (request, 400, error->message);
      return;
    }
  g_autoptr (JsonBuilder) builder = begin ();
  add_status (builder, TRUE);
  add_text (builder, "QID", p2ps_search_get_qid (search));
  reply (request, builder, 201);
}

/* At most `limit` of a query's responses; returns how many. */
static guint
add_responses (JsonBuilder *builder, const char *key, P2psQueryRecord *record, guint limit)
{
  GPtrArray *responses = p2ps_query_record_get_responses (record);
  guint n = MIN (responses->len, limit);

  begin_array (builder, key);
  for (guint i = 0; i < n; i++)
    {
      const P2psQueryResponse *response = responses->pdata[i];
      json_builder_begin_object (builder);
      add_text (builder, "QID", response->hit->qid);
      add_time (builder, "timestamp", response->time);
      add_text (builder, "filename", response->hit->filename);
      add_text (builder, "filehash", response->hit->filehash);
      add_text (builder, "host", response->hit->holder.host);
      add_int (builder, "port", response->hit->holder.port);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  return n;
}

static void
handle_query_results (P2psEngine *engine, P2psHttpRequest *request, const char *qid)
{
  P2psQueryRecord *record = p2ps_query_log_get (p2ps_engine_get_queries (engine), qid);
  g_autoptr (JsonBuilder) builder = begin ();

  if (!record || !p2ps_query_record_get_own (record))
    {
      add_status (builder, FALSE);
      json_builder_set_member_name (builder, "QID");
      json_builder_add_null_value (builder);
      add_text (builder, "msg", "No query found.");
      reply (request, builder, 404);
      return;
    }
  gboolean any = p2ps_query_record_get_responses (record)->len > 0;
  add_status (builder, any);
  add_text (builder, "QID", p2ps_query_record_get_qid (record));
  add_text (builder, "msg", any ? "Query results found." : "No results yet.");
  add_responses (builder, "results", record, G_MAXUINT);
  reply (request, builder, 200);
}

static void
add_peer (JsonBuilder *builder, P2psPeer *peer)
{
  const P2psAddress *address = p2ps_peer_get_address (peer);
  gint64 updated = p2ps_peer_get_last_update (peer);
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;

  json_builder_begin_object (builder);
  add_text (builder, "host", address->host);
  add_int (builder, "port", address->port);
  add_text (builder, "status", p2ps_peer_get_active (peer) ? "active" : "inactive");
  add_time (builder, "last_seen", p2ps_peer_get_last_heartbeat (peer));
  add_int (builder, "last_update", updated > 0 ? MAX (now - updated, 0) : 0);
  json_builder_end_object (builder);
}

static guint
add_query (JsonBuilder *builder, P2psQueryRecord *record, guint limit)
{
  json_builder_begin_object (builder);
  add_text (builder, "id", p2ps_query_record_get_qid (record));
  add_time (builder, "timestamp", p2ps_query_record_get_time (record));
  add_text (builder, "filename", p2ps_query_record_get_text (record));
  add_text (builder, "hash", p2ps_query_record_get_filehash (record));
  guint n = add_responses (builder, "responses", record, limit);
  json_builder_end_object (builder);
  return n;
}

static void
handle_stats_all (P2psEngine *engine, P2psHttpRequest *request)
{
  GListModel *peers = p2ps_engine_get_peers (engine);
  GListModel *queries = G_LIST_MODEL (p2ps_engine_get_queries (engine));
  guint n_peers, n_queries;
  guint left = MAX_RESPONSES;
  g_autoptr (JsonBuilder) builder = begin ();

  p2ps_query_log_flush (p2ps_engine_get_queries (engine));
  n_peers = g_list_model_get_n_items (peers);
  n_queries = MIN (g_list_model_get_n_items (queries), MAX_QUERIES);
  add_status (builder, TRUE);
  begin_array (builder, "peers");
  for (guint i = 0; i < n_peers; i++)
    {
      g_autoptr (P2psPeer) peer = g_list_model_get_item (peers, i);
      add_peer (builder, peer);
    }
  json_builder_end_array (builder);
  begin_array (builder, "queries");
  for (guint i = 0; i < n_queries; i++)
    {
      g_autoptr (P2psQueryRecord) record = g_list_model_get_item (queries, i);
      left -= add_query (builder, record, left);
    }
  json_builder_end_array (builder);
  reply (request, builder, 200);
}

static gboolean
is_local (P2psHttpRequest *request)
{
  return p2ps_host_get_scope (p2ps_http_request_get_source (request)) == P2PS_SCOPE_LOOPBACK;
}

/* Answers when `path` is a call for the local user. */
gboolean
p2ps_local_api_handle (P2psEngine *engine, P2psHttpRequest *request, const char *path)
{
  const char *method = p2ps_http_request_get_method (request);
  gboolean init_query = g_str_equal (path, "/init_query");
  gboolean stats_all = g_str_equal (path, "/stats_all");
  gboolean results = g_str_has_prefix (path, RESULTS_PREFIX);
  gboolean post = g_str_equal (method, "POST");

  if (!init_query && !stats_all && !results)
    return FALSE;
  if (!is_local (request))
    {
      p2ps_stats_count_refused (p2ps_engine_get_stats (engine), "not-local");
      p2ps_http_request_reply_error (request, 403, "This call is for programs on this machine.");
    }
  else if (post != init_query)
    {
      p2ps_stats_count_refused (p2ps_engine_get_stats (engine), "method");
      p2ps_http_request_reply_error (request, 405,
                                     init_query ? "This call needs POST." : "This call needs GET.");
    }
  else if (init_query)
    handle_init_query (engine, request);
  else if (stats_all)
    handle_stats_all (engine, request);
  else
    handle_query_results (engine, request, path + strlen (RESULTS_PREFIX));
  return TRUE;
}
