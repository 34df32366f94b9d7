/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a peer may ask of this node, as paths: messages go to the core through the driver and are
 * answered when it answers; files are looked up in the library's index by name or by content, never
 * by joining paths. Owns nothing but what one request needs; on the owner context. Refuses unknown
 * paths and methods, malformed bodies, and queries over 4 KiB. */

#define G_LOG_DOMAIN "p2ps-peer-api"

#include "engine/peer-api.h"

#include <string.h>

#include "core/limits.h"
#include "engine/error.h"
#include "wire/codec.h"

#define NI_PREFIX "/.well-known/ni/sha-256/"
#define DOWNLOAD_PREFIX "/download/"
#define HASHES_PREFIX "/hashes/"
#define NI_LENGTH 43 /* 32 bytes as base64url without padding */

typedef struct
{
  P2psEngine *engine; /* borrowed: it stops the server before it goes */
  P2psDriver *driver;
} Api;

/* A request that the node is thinking about. */
typedef struct
{
  P2psHttpRequest *request;
  P2psMessageType type;
} Pending;

static void
refuse (Api *api, P2psHttpRequest *request, guint status, const char *reason, const char *text)
{
  p2ps_stats_count_refused (p2ps_engine_get_stats (api->engine), reason);
  p2ps_http_request_reply_error (request, status, text);
}

/* ---- messages ---- */

static void
answered_cb (P2psMessage *reply, guint status, const char *text, gpointer user_data)
{
  Pending *pending = user_data;

  if (reply)
    {
      g_autoptr (GBytes) body = p2ps_wire_encode (reply, pending->type);
      p2ps_http_request_reply (pending->request, 200, "application/json", body);
    }
  else
    p2ps_http_request_reply_error (pending->request, status, text);
  p2ps_http_request_unref (pending->request);
  g_free (pending);
}

static void
deliver (Api *api, P2psHttpRequest *request, P2psMessage *message)
{
  Pending *pending = g_new0 (Pending, 1);

  pending->request = p2ps_http_request_ref (request);
  pending->type = message->type;
  p2ps_driver_deliver (api->driver, p2ps_http_request_get_source (request), message, answered_cb,
                       pending);
}

static void
handle_ping (Api *api, P2psHttpRequest *request)
{
  g_autoptr (P2psMessage) message
      = p2ps_wire_decode_ping (p2ps_http_request_get_query (request, "n"));

  deliver (api, request, message);
}

static void
handle_message (Api *api, P2psHttpRequest *request, P2psMessageType type)
{
  GBytes *body = p2ps_http_request_get_body (request);
  g_autoptr (GBytes) none = g_bytes_new_static ("", 0);
  g_autoptr (GError) error = NULL;

  if (body && type == P2PS_MESSAGE_QUERY && g_bytes_get_size (body) > P2PS_MAX_QUERY_BODY)
    {
      refuse (api, request, 413, "query-too-long", "A query has at most 4096 bytes.");
      return;
    }
  g_autoptr (P2psMessage) message = p2ps_wire_decode_request (type, body ? body : none, &error);
  if (!message)
    {
      refuse (api, request, 400, "malformed", error->message);
      return;
    }
  deliver (api, request, message);
}

/* ---- files ---- */

typedef struct
{
  P2psEngine *engine;
  P2psHttpRequest *request;
} Opening;

/* What is wrong on our side for the moment is not the same as "not here". */
static gboolean
is_passing (const GError *error)
{
  return g_error_matches (error, P2PS_ERROR, P2PS_ERROR_BUSY)
         || g_error_matches (error, P2PS_ERROR, P2PS_ERROR_DATABASE)
         || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
}

static void
opened_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  Opening *opening = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (P2psSharedFile) file
      = p2ps_library_open_finish (P2PS_LIBRARY (source), result, &error);

  if (file)
    p2ps_http_request_reply_file (opening->request, file);
  else if (is_passing (error))
    p2ps_http_request_reply_error (opening->request, 503, "Busy: try again later.");
  else
    p2ps_http_request_reply_error (opening->request, 404, "File not found");
  p2ps_http_request_unref (opening->request);
  g_object_unref (opening->engine);
  g_free (opening);
}

static void
open_file (Api *api, P2psHttpRequest *request, const char *name, const char *filehash)
{
  Opening *opening = g_new0 (Opening, 1);

  opening->engine = g_object_ref (api->engine);
  opening->request = p2ps_http_request_ref (request);
  p2ps_library_open_async (p2ps_engine_get_library (api->engine), name, filehash, NULL, opened_cb,
                           opening);
}

/* One percent-encoded segment: an encoded separator or NUL is no name that is offered. */
static void
handle_download (Api *api, P2psHttpRequest *request, const char *segment)
{
  g_autofree char *name = strchr (segment, '/') ? NULL : g_uri_unescape_string (segment, "/");

  if (!name || !name[0] || !g_utf8_validate (name, -1, NULL))
    p2ps_http_request_reply_error (request, 404, "File not found");
  else
    open_file (api, request, name, NULL);
}

/* "sha-256" of RFC 6920: base64url without padding, one spelling for one hash. */
static gboolean
parse_ni (const char *text, char hash[P2PS_HASH_SIZE])
{
  char base64[NI_LENGTH + 2];
  gsize length = 0;

  if (strlen (text) != NI_LENGTH
      || strspn (text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
             != NI_LENGTH)
    return FALSE;
  for (guint i = 0; i < NI_LENGTH; i++)
    base64[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
  base64[NI_LENGTH] = '=';
  base64[NI_LENGTH + 1] = '\0';
  g_autofree guchar *bytes = g_base64_decode (base64, &length);
  if (length != 32)
    return FALSE;
  for (guint i = 0; i < 32; i++)
    g_snprintf (hash + 2 * i, 3, "%02x", bytes[i]);
  return TRUE;
}

static void
handle_ni (Api *api, P2psHttpRequest *request, const char *text)
{
  char hash[P2PS_HASH_SIZE];

  if (parse_ni (text, hash))
    open_file (api, request, NULL, hash);
  else
    p2ps_http_request_reply_error (request, 404, "File not found");
}

static void
got_layer_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  P2psHttpRequest *request = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) layer = p2ps_library_layer_finish (P2PS_LIBRARY (source), result, &error);

  if (layer)
    p2ps_http_request_reply (request, 200, "application/octet-stream", layer);
  else if (is_passing (error))
    p2ps_http_request_reply_error (request, 503, "Busy: try again later.");
  else
    p2ps_http_request_reply_error (request, 404, "No such tree");
  p2ps_http_request_unref (request);
}

/* The chunk layer of a block tree, by its root: one spelling for one root. */
static void
handle_hashes (Api *api, P2psHttpRequest *request, const char *text)
{
  char root[P2PS_HASH_SIZE];

  if (p2ps_hash_normalize (root, text) && g_str_equal (root, text))
    p2ps_library_layer_async (p2ps_engine_get_library (api->engine), root, got_layer_cb,
                              p2ps_http_request_ref (request));
  else
    p2ps_http_request_reply_error (request, 404, "No such tree");
}

/* ---- paths ---- */

static const P2psMessageType posted[] = {
  P2PS_MESSAGE_JOIN,  P2PS_MESSAGE_HEARTBEAT, P2PS_MESSAGE_GET_PEERS,
  P2PS_MESSAGE_QUERY, P2PS_MESSAGE_QUERY_HIT,
};

static gboolean
handle_posted (Api *api, P2psHttpRequest *request, const char *path, gboolean post)
{
  for (guint i = 0; i < G_N_ELEMENTS (posted); i++)
    {
      if (!g_str_equal (path, p2ps_wire_get_path (posted[i])))
        continue;
      if (post)
        handle_message (api, request, posted[i]);
      else
        refuse (api, request, 405, "method", "This call needs POST.");
      return TRUE;
    }
  return FALSE;
}

static gboolean
handle_got (Api *api, P2psHttpRequest *request, const char *path, gboolean get)
{
  gboolean ping = g_str_equal (path, p2ps_wire_get_path (P2PS_MESSAGE_PING));
  gboolean download = g_str_has_prefix (path, DOWNLOAD_PREFIX);
  gboolean ni = g_str_has_prefix (path, NI_PREFIX);
  gboolean hashes = g_str_has_prefix (path, HASHES_PREFIX);

  if (!ping && !download && !ni && !hashes)
    return FALSE;
  if (!get)
    refuse (api, request, 405, "method", "This call needs GET.");
  else if (ping)
    handle_ping (api, request);
  else if (download)
    handle_download (api, request, path + strlen (DOWNLOAD_PREFIX));
  else if (ni)
    handle_ni (api, request, path + strlen (NI_PREFIX));
  else
    handle_hashes (api, request, path + strlen (HASHES_PREFIX));
  return TRUE;
}

static void
handle_cb (P2psHttpRequest *request, gpointer user_data)
{
  Api *api = user_data;
  const char *method = p2ps_http_request_get_method (request);
  const char *path = p2ps_http_request_get_path (request);
  gboolean get = g_str_equal (method, "GET") || g_str_equal (method, "HEAD");
  gboolean post = g_str_equal (method, "POST");

  if (handle_posted (api, request, path, post) || handle_got (api, request, path, get)
      || p2ps_local_api_handle (api->engine, request, path))
    return;
  refuse (api, request, 404, "unknown-path", "There is no such call.");
}

static void
api_free (gpointer data)
{
  Api *api = data;

  g_object_unref (api->driver);
  g_free (api);
}

/* From now on `server` answers for `engine` and the node that `driver` runs. The engine has to stop
 * the server before it goes. */
void
p2ps_peer_api_serve (P2psHttpServer *server, P2psEngine *engine, P2psDriver *driver)
{
  Api *api = g_new0 (Api, 1);

  api->engine = engine;
  api->driver = g_object_ref (driver);
  p2ps_http_server_set_handler (server, handle_cb, api, api_free);
}
