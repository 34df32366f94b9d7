/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The calls of the control API: each takes one request, asks the engine, and answers once, now or
 * when the engine comes back. On the owner context. Long lists are answered in pages, so that no
 * answer takes the main loop's time. */

#define G_LOG_DOMAIN "p2ps-control"

#include "engine/control-calls.h"

#include <string.h>

#include "engine/control-json.h"
#include "engine/error.h"
#include "engine/link.h"

#define MAX_PAGE 500
#define DEFAULT_PAGE 100
#define MAX_SEARCHES 64 /* at a time, all fronts together */

static void
reply (P2psControlCall *call, JsonBuilder *builder)
{
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  gsize length;
  char *text;
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  g_autoptr (GBytes) bytes = NULL;

  json_generator_set_root (generator, root);
  text = json_generator_to_data (generator, &length);
  bytes = g_bytes_new_take (text, length);
  p2ps_http_request_reply (call->request, 200, "application/json", bytes);
  p2ps_control_call_free (call);
}

static void
reply_done (P2psControlCall *call)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "done");
  json_builder_add_boolean_value (builder, TRUE);
  json_builder_end_object (builder);
  reply (call, builder);
}

static void
reply_refusal (P2psControlCall *call, guint status, const char *reason)
{
  p2ps_http_request_reply_error (call->request, status, reason);
  p2ps_control_call_free (call);
}

static void
reply_error (P2psControlCall *call, const GError *error)
{
  gboolean missing = g_error_matches (error, P2PS_ERROR, P2PS_ERROR_NOT_FOUND);

  reply_refusal (call, missing ? 404 : 400, error->message);
}

/* A text member of the body, or NULL. */
static const char *
get_text (P2psControlCall *call, const char *name)
{
  JsonNode *node = json_object_get_member (call->body, name);

  if (!node || !JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_STRING)
    return NULL;
  return json_node_get_string (node);
}

static guint
get_number (P2psControlCall *call, const char *key, guint otherwise, guint most)
{
  const char *text = p2ps_http_request_get_query (call->request, key);
  guint64 value;

  if (!text || !g_ascii_string_to_unsigned (text, 10, 0, G_MAXUINT, &value, NULL))
    return otherwise;
  return (guint)MIN (value, most);
}

static void
get_status (P2psControlCall *call)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  p2ps_control_add_status (builder, call->engine);
  reply (call, builder);
}

static void
get_stats (P2psControlCall *call)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  p2ps_control_add_stats (builder, call->engine);
  reply (call, builder);
}

/* The rows of a model as an array, a page of them. */
typedef void (*AddRow) (JsonBuilder *builder, gpointer row);

static void
reply_model (P2psControlCall *call, GListModel *model, AddRow add)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  guint n = g_list_model_get_n_items (model);
  guint from = get_number (call, "offset", 0, n);
  guint limit = get_number (call, "limit", DEFAULT_PAGE, MAX_PAGE);

  json_builder_begin_array (builder);
  for (guint i = from; i < n && i - from < limit; i++)
    {
      g_autoptr (GObject) row = g_list_model_get_item (model, i);

      add (builder, row);
    }
  json_builder_end_array (builder);
  reply (call, builder);
}

static void
get_peers (P2psControlCall *call)
{
  reply_model (call, p2ps_engine_get_peers (call->engine), (AddRow)p2ps_control_add_peer);
}

static void
get_queries (P2psControlCall *call)
{
  p2ps_query_log_flush (p2ps_engine_get_queries (call->engine));
  reply_model (call, G_LIST_MODEL (p2ps_engine_get_queries (call->engine)),
               (AddRow)p2ps_control_add_query);
}

static void
get_downloads (P2psControlCall *call)
{
  p2ps_downloads_flush (p2ps_engine_get_downloads (call->engine));
  reply_model (call, G_LIST_MODEL (p2ps_engine_get_downloads (call->engine)),
               (AddRow)p2ps_control_add_download);
}

static void
add_search_row (JsonBuilder *builder, gpointer row)
{
  p2ps_control_add_search (builder, row, FALSE);
}

static void
get_searches (P2psControlCall *call)
{
  reply_model (call, p2ps_engine_get_searches (call->engine), add_search_row);
}

static void
peer_added_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  P2psControlCall *call = user_data;
  g_autoptr (GError) error = NULL;

  if (p2ps_engine_add_peer_finish (P2PS_ENGINE (source), result, &error))
    reply_done (call);
  else
    reply_error (call, error);
}

static void
add_peer (P2psControlCall *call)
{
  const char *address = get_text (call, "address");

  if (!address)
    reply_refusal (call, 400, "\"address\" is missing: \"HOST:PORT\"");
  else
    p2ps_engine_add_peer_async (call->engine, address, peer_added_cb, call);
}

static void
remove_peer (P2psControlCall *call)
{
  P2psAddress address;

  if (!p2ps_address_parse (&address, call->id))
    {
      reply_refusal (call, 400, "not an address: HOST:PORT");
      return;
    }
  p2ps_engine_remove_peer (call->engine, call->id);
  reply_done (call);
}

static void
files_listed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  P2psControlCall *call = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) files = p2ps_library_list_finish (P2PS_LIBRARY (source), result, &error);
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  if (!files)
    {
      reply_error (call, error);
      return;
    }
  json_builder_begin_array (builder);
  for (guint i = 0; i < files->len; i++)
    p2ps_control_add_file (builder, g_ptr_array_index (files, i));
  json_builder_end_array (builder);
  reply (call, builder);
}

static void
get_files (P2psControlCall *call)
{
  p2ps_library_list_async (
      p2ps_engine_get_library (call->engine), get_number (call, "offset", 0, G_MAXUINT),
      get_number (call, "limit", DEFAULT_PAGE, MAX_PAGE), files_listed_cb, call);
}

static void
file_found_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  P2psControlCall *call = user_data;
  g_autoptr (GPtrArray) files = p2ps_library_lookup_finish (P2PS_LIBRARY (source), result, NULL);
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  if (!files || files->len == 0)
    {
      reply_refusal (call, 404, "not in the shared folders");
      return;
    }
  p2ps_control_add_file (builder, g_ptr_array_index (files, 0));
  reply (call, builder);
}

static void
get_file (P2psControlCall *call)
{
  g_autoptr (P2psQuery) query = NULL;
  char hash[P2PS_HASH_SIZE];

  if (!p2ps_hash_normalize (hash, call->id))
    {
      reply_refusal (call, 400, "not a SHA-256: 64 hex digits");
      return;
    }
  query = p2ps_query_new ("", "", hash);
  p2ps_library_lookup_async (p2ps_engine_get_library (call->engine), query, 1, NULL, file_found_cb,
                             call);
}

static void
skipped_listed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  P2psControlCall *call = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) skipped
      = p2ps_library_list_skipped_finish (P2PS_LIBRARY (source), result, &error);
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  if (!skipped)
    {
      reply_error (call, error);
      return;
    }
  json_builder_begin_array (builder);
  for (guint i = 0; i < skipped->len; i++)
    {
      const P2psSkipped *item = g_ptr_array_index (skipped, i);

      json_builder_begin_object (builder);
      json_builder_set_member_name (builder, "path");
      json_builder_add_string_value (builder, item->path);
      json_builder_set_member_name (builder, "reason");
      json_builder_add_string_value (builder, item->reason);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  reply (call, builder);
}

static void
get_skipped (P2psControlCall *call)
{
  p2ps_library_list_skipped_async (p2ps_engine_get_library (call->engine),
                                   get_number (call, "limit", DEFAULT_PAGE, MAX_PAGE),
                                   skipped_listed_cb, call);
}

static void
rescan (P2psControlCall *call)
{
  p2ps_library_rescan (p2ps_engine_get_library (call->engine));
  reply_done (call);
}

static P2psSearch *
find_search (P2psControlCall *call)
{
  GListModel *searches = p2ps_engine_get_searches (call->engine);

  for (guint i = g_list_model_get_n_items (searches); i-- > 0;)
    {
      g_autoptr (P2psSearch) search = g_list_model_get_item (searches, i);

      if (g_strcmp0 (p2ps_search_get_qid (search), call->id) == 0)
        return g_steal_pointer (&search);
    }
  return NULL;
}

static void
add_search (P2psControlCall *call)
{
  const char *text = get_text (call, "text");
  const char *filename = get_text (call, "filename");
  const char *filehash = get_text (call, "filehash");
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (GError) error = NULL;
  P2psSearch *search;

  if (!text && !filename && !filehash)
    {
      reply_refusal (call, 400, "\"text\", or \"filename\" and/or \"filehash\", is missing");
      return;
    }
  if (g_list_model_get_n_items (p2ps_engine_get_searches (call->engine)) >= MAX_SEARCHES)
    {
      reply_refusal (call, 429, "too many searches at a time: remove some");
      return;
    }
  search = text ? p2ps_engine_search (call->engine, text, &error)
                : p2ps_engine_search_exact (call->engine, filename, filehash, &error);
  if (!search)
    {
      reply_error (call, error);
      return;
    }
  p2ps_control_watch_search (call->control, p2ps_search_get_qid (search));
  p2ps_control_add_search (builder, search, FALSE);
  reply (call, builder);
}

static void
get_search (P2psControlCall *call)
{
  g_autoptr (P2psSearch) search = find_search (call);
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  if (!search)
    {
      reply_refusal (call, 404, "no such search");
      return;
    }
  p2ps_control_touch_search (call->control, call->id);
  p2ps_control_add_search (builder, search, get_number (call, "results", 1, 1) == 1);
  reply (call, builder);
}

static void
stop_search (P2psControlCall *call)
{
  g_autoptr (P2psSearch) search = find_search (call);

  if (!search)
    {
      reply_refusal (call, 404, "no such search");
      return;
    }
  p2ps_search_stop (search);
  reply_done (call);
}

static void
remove_search (P2psControlCall *call)
{
  g_autoptr (P2psSearch) search = find_search (call);

  if (!search)
    {
      reply_refusal (call, 404, "no such search");
      return;
    }
  p2ps_control_forget_search (call->control, call->id);
  p2ps_engine_remove_search (call->engine, search);
  reply_done (call);
}

/* "link" (or a hash alone in it), and what else the caller knows: "filename", "size", and "sources"
 * as an array of "host:port". */
static P2psLink *
read_link (P2psControlCall *call, GError **error)
{
  const char *text = get_text (call, "link");
  g_autoptr (P2psLink) link = p2ps_link_parse (text ? text : "", error);
  const char *name = get_text (call, "filename");
  JsonNode *size = json_object_get_member (call->body, "size");
  JsonNode *sources = json_object_get_member (call->body, "sources");

  if (!link)
    return NULL;
  p2ps_link_set_name (link, name);
  if (size && JSON_NODE_HOLDS_VALUE (size) && link->size < 0)
    link->size = MAX (json_node_get_int (size), -1);
  if (sources && JSON_NODE_HOLDS_ARRAY (sources))
    {
      JsonArray *array = json_node_get_array (sources);

      for (guint i = 0; i < json_array_get_length (array); i++)
        {
          JsonNode *node = json_array_get_element (array, i);

          if (node && JSON_NODE_HOLDS_VALUE (node) && json_node_get_string (node))
            p2ps_link_add_source (link, json_node_get_string (node));
        }
    }
  return g_steal_pointer (&link);
}

/* Where to: "folder" as an absolute path or a file URI (for names that aren't UTF-8); NULL = the
 * node's download folder. */
static gboolean
read_folder (P2psControlCall *call, char **folder, GError **error)
{
  const char *text = get_text (call, "folder");

  *folder = NULL;
  if (!text)
    return TRUE;
  if (g_str_has_prefix (text, "file://"))
    *folder = g_filename_from_uri (text, NULL, error);
  else if (g_path_is_absolute (text))
    *folder = g_strdup (text);
  else
    g_set_error (error, P2PS_ERROR, P2PS_ERROR_FOLDER, "folder %s: not an absolute path", text);
  return *folder != NULL;
}

/* A download that is there already: it goes on, or is made anew when "again" says so. */
static P2psDownload *
take_up (P2psControlCall *call, const P2psLink *link, GPtrArray *hits)
{
  P2psDownloads *downloads = p2ps_engine_get_downloads (call->engine);
  P2psDownload *download = p2ps_downloads_get (downloads, link->filehash);
  P2psDownloadState state;

  if (!download)
    return NULL;
  state = p2ps_download_get_state (download);
  if (state == P2PS_DOWNLOAD_CANCELLED
      || (p2ps_download_is_over (download)
          && json_object_get_boolean_member_with_default (call->body, "again", FALSE)))
    {
      p2ps_downloads_remove (downloads, download);
      return NULL;
    }
  for (guint i = 0; hits && i < hits->len; i++)
    p2ps_download_add_source (download, g_ptr_array_index (hits, i));
  if (state == P2PS_DOWNLOAD_FAILED || state == P2PS_DOWNLOAD_PAUSED)
    p2ps_download_resume (download);
  return download;
}

static void
add_download (P2psControlCall *call)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (P2psLink) link = read_link (call, &error);
  g_autoptr (GPtrArray) hits = NULL;
  g_autofree char *folder = NULL;
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  P2psDownload *download;

  if (!link || !read_folder (call, &folder, &error))
    {
      reply_error (call, error);
      return;
    }
  hits = p2ps_link_list_hits (link);
  /* Who is named as a source is also a way into the network for somebody who knows nobody yet. */
  for (guint i = 0; i < link->sources->len; i++)
    p2ps_engine_add_peer_async (call->engine, g_ptr_array_index (link->sources, i), NULL, NULL);
  download = take_up (call, link, hits);
  if (!download)
    download = p2ps_engine_download (call->engine, link->filehash, link->filename, link->size, hits,
                                     folder, &error);
  if (!download)
    {
      reply_error (call, error);
      return;
    }
  p2ps_control_add_download (builder, download);
  reply (call, builder);
}

/* The download that the path names, or NULL: answered. */
static P2psDownload *
find_download (P2psControlCall *call)
{
  char hash[P2PS_HASH_SIZE];
  P2psDownload *download = NULL;

  if (p2ps_hash_normalize (hash, call->id))
    download = p2ps_downloads_get (p2ps_engine_get_downloads (call->engine), hash);
  if (!download)
    reply_refusal (call, 404, "no such download");
  return download;
}

static void
get_download (P2psControlCall *call)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  P2psDownload *download = find_download (call);

  if (!download)
    return;
  p2ps_control_add_download (builder, download);
  reply (call, builder);
}

static void
change_download (P2psControlCall *call, void (*change) (P2psDownload *download))
{
  P2psDownload *download = find_download (call);

  if (!download)
    return;
  change (download);
  reply_done (call);
}

static void
pause_download (P2psControlCall *call)
{
  change_download (call, p2ps_download_pause);
}

static void
resume_download (P2psControlCall *call)
{
  change_download (call, p2ps_download_resume);
}

static void
cancel_download (P2psControlCall *call)
{
  change_download (call, p2ps_download_cancel);
}

static void
remove_download (P2psControlCall *call)
{
  P2psDownload *download = find_download (call);

  if (!download)
    return;
  p2ps_downloads_remove (p2ps_engine_get_downloads (call->engine), download);
  reply_done (call);
}

static void
clear_downloads (P2psControlCall *call)
{
  p2ps_downloads_clear_finished (p2ps_engine_get_downloads (call->engine));
  reply_done (call);
}

const P2psControlRoute *
p2ps_control_get_routes (void)
{
  static const P2psControlRoute routes[] = {
    { "GET", "status", get_status },
    { "GET", "stats", get_stats },
    { "GET", "peers", get_peers },
    { "POST", "peers", add_peer },
    { "POST", "peers/*/remove", remove_peer },
    { "GET", "files", get_files },
    { "GET", "files/*", get_file },
    { "GET", "skipped", get_skipped },
    { "POST", "rescan", rescan },
    { "GET", "queries", get_queries },
    { "GET", "searches", get_searches },
    { "POST", "searches", add_search },
    { "GET", "searches/*", get_search },
    { "POST", "searches/*/stop", stop_search },
    { "POST", "searches/*/remove", remove_search },
    { "GET", "downloads", get_downloads },
    { "POST", "downloads", add_download },
    { "POST", "clear-downloads", clear_downloads },
    { "GET", "downloads/*", get_download },
    { "POST", "downloads/*/pause", pause_download },
    { "POST", "downloads/*/resume", resume_download },
    { "POST", "downloads/*/cancel", cancel_download },
    { "POST", "downloads/*/remove", remove_download },
    { NULL, NULL, NULL },
  };

  return routes;
}
