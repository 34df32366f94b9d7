/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The control API's door: a guarded HTTP server on a unix socket in the state folder, routing, and
 * the searches that came through it. On the owner context. Whoever may open the socket (mode 0600)
 * may do all that the window can do; what is refused is only the malformed. */

#define G_LOG_DOMAIN "p2ps-control"

#include "engine/control.h"

#include <string.h>
#include <unistd.h>

#include "engine/control-calls.h"
#include "engine/state-dir.h"
#include "wire/codec.h"

#define PREFIX "/v1/"
#define MAX_SEGMENTS 4
/* A search whose asker has gone without a word (killed) is taken off the node after this long. */
#define SEARCH_SECONDS 120
#define SWEEP_SECONDS 15

struct _P2psControl
{
  GObject parent_instance;
  P2psEngine *engine;
  P2psHttpServer *server;
  gboolean listening;
  int dir_fd;           /* of the state folder where its name is too long for a socket, or -1 */
  GHashTable *searches; /* qid -> gint64*, monotonic time of the last question about it */
  guint sweep;
};

G_DEFINE_FINAL_TYPE (P2psControl, p2ps_control, G_TYPE_OBJECT)

void
p2ps_control_call_free (P2psControlCall *call)
{
  p2ps_http_request_unref (call->request);
  json_object_unref (call->body);
  g_free (call->id);
  g_object_unref (call->control);
  g_free (call);
}

/* Whether the path's segments are those of the route; *id gets what "*" stands for. */
static gboolean
route_matches (const char *route, char **segments, char **id)
{
  g_auto (GStrv) wanted = g_strsplit (route, "/", MAX_SEGMENTS);
  const char *found = NULL;
  guint i;

  for (i = 0; wanted[i]; i++)
    {
      if (!segments[i])
        return FALSE;
      if (g_str_equal (wanted[i], "*") && *segments[i])
        found = segments[i];
      else if (!g_str_equal (wanted[i], segments[i]))
        return FALSE;
    }
  if (segments[i])
    return FALSE;
  *id = found ? g_uri_unescape_string (found, NULL) : NULL;
  return !found || (*id && g_utf8_validate (*id, -1, NULL));
}

/* The body of a POST as an object; nothing at all counts as an empty one. NULL: malformed. */
static JsonObject *
parse_body (P2psHttpRequest *request)
{
  GBytes *body = p2ps_http_request_get_body (request);
  g_autoptr (JsonParser) parser = NULL;
  const char *data = NULL;
  gsize length = 0;
  JsonNode *root;

  if (body)
    data = g_bytes_get_data (body, &length);
  if (length == 0)
    return json_object_new ();
  parser = json_parser_new ();
  if (!p2ps_wire_check_json (data, length, NULL)
      || !json_parser_load_from_data (parser, data, (gssize)length, NULL))
    return NULL;
  root = json_parser_get_root (parser);
  if (!root || !JSON_NODE_HOLDS_OBJECT (root))
    return NULL;
  return json_object_ref (json_node_get_object (root));
}

static void
run_call (P2psControl *self, P2psHttpRequest *request, const P2psControlRoute *route,
          const char *id)
{
  JsonObject *body = parse_body (request);
  P2psControlCall *call;

  if (!body)
    {
      p2ps_http_request_reply_error (request, 400, "the body is not a JSON object");
      return;
    }
  call = g_new0 (P2psControlCall, 1);
  call->control = g_object_ref (self);
  call->engine = self->engine;
  call->request = p2ps_http_request_ref (request);
  call->id = g_strdup (id);
  call->body = body;
  route->func (call);
}

static void
request_came_cb (P2psHttpRequest *request, gpointer user_data)
{
  P2psControl *self = P2PS_CONTROL (user_data);
  const char *path = p2ps_http_request_get_path (request);
  const char *method = p2ps_http_request_get_method (request);
  g_auto (GStrv) segments = NULL;
  gboolean known = FALSE;

  if (!g_str_has_prefix (path, PREFIX))
    {
      p2ps_http_request_reply_error (request, 404, "no such call");
      return;
    }
  segments = g_strsplit (path + strlen (PREFIX), "/", MAX_SEGMENTS);
  for (const P2psControlRoute *route = p2ps_control_get_routes (); route->method; route++)
    {
      g_autofree char *id = NULL;

      if (!route_matches (route->path, segments, &id))
        continue;
      known = TRUE;
      if (g_str_equal (route->method, method))
        {
          run_call (self, request, route, id);
          return;
        }
    }
  p2ps_http_request_reply_error (request, known ? 405 : 404,
                                 known ? "not with this method" : "no such call");
}

static gboolean
is_forgotten (gpointer qid, gpointer asked, gpointer limit)
{
  return *(gint64 *)asked < *(gint64 *)limit;
}

static gboolean
sweep_searches_cb (gpointer user_data)
{
  P2psControl *self = P2PS_CONTROL (user_data);
  GListModel *searches = p2ps_engine_get_searches (self->engine);
  gint64 limit = g_get_monotonic_time () - SEARCH_SECONDS * G_USEC_PER_SEC;

  for (guint i = g_list_model_get_n_items (searches); i-- > 0;)
    {
      g_autoptr (P2psSearch) search = g_list_model_get_item (searches, i);
      gint64 *asked = g_hash_table_lookup (self->searches, p2ps_search_get_qid (search));

      if (asked && *asked < limit)
        p2ps_engine_remove_search (self->engine, search);
    }
  /* also those that a window has removed meanwhile */
  g_hash_table_foreach_remove (self->searches, is_forgotten, &limit);
  if (g_hash_table_size (self->searches) > 0)
    return G_SOURCE_CONTINUE;
  self->sweep = 0;
  return G_SOURCE_REMOVE;
}

/* This search came through here: it goes when nobody asks about it any more. */
void
p2ps_control_watch_search (P2psControl *self, const char *qid)
{
  gint64 *asked = g_new (gint64, 1);

  *asked = g_get_monotonic_time ();
  g_hash_table_replace (self->searches, g_strdup (qid), asked);
  if (!self->sweep)
    self->sweep = g_timeout_add_seconds (SWEEP_SECONDS, sweep_searches_cb, self);
}

/* Somebody asked about a search: when it came through here, it stays a while longer. */
void
p2ps_control_touch_search (P2psControl *self, const char *qid)
{
  gint64 *asked = g_hash_table_lookup (self->searches, qid);

  if (asked)
    *asked = g_get_monotonic_time ();
}

/* It was taken away. */
void
p2ps_control_forget_search (P2psControl *self, const char *qid)
{
  g_hash_table_remove (self->searches, qid);
}

static void
close_folder (P2psControl *self)
{
  if (self->dir_fd >= 0)
    close (self->dir_fd);
  self->dir_fd = -1;
}

/* Listens on the control socket of the engine's state folder, which the engine has taken
 * when it started; one that a killed node left is replaced. */
gboolean
p2ps_control_start (P2psControl *self, GError **error)
{
  g_autofree char *path = NULL;

  g_return_val_if_fail (!self->listening, FALSE);
  path = p2ps_state_dir_dup_socket_path (p2ps_engine_get_state_dir (self->engine), &self->dir_fd,
                                         error);
  self->listening = path && p2ps_http_server_listen_unix (self->server, path, error);
  if (!self->listening)
    close_folder (self);
  return self->listening;
}

/* Takes the socket away and cuts the calls under way. */
void
p2ps_control_stop (P2psControl *self)
{
  g_clear_handle_id (&self->sweep, g_source_remove);
  if (!self->listening)
    return;
  self->listening = FALSE;
  p2ps_http_server_stop (self->server);
  close_folder (self);
}

static void
p2ps_control_dispose (GObject *object)
{
  P2psControl *self = P2PS_CONTROL (object);

  p2ps_control_stop (self);
  g_clear_object (&self->server);
  g_clear_object (&self->engine);
  G_OBJECT_CLASS (p2ps_control_parent_class)->dispose (object);
}

static void
p2ps_control_finalize (GObject *object)
{
  P2psControl *self = P2PS_CONTROL (object);

  g_hash_table_unref (self->searches);
  G_OBJECT_CLASS (p2ps_control_parent_class)->finalize (object);
}

static void
p2ps_control_class_init (P2psControlClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = p2ps_control_dispose;
  G_OBJECT_CLASS (klass)->finalize = p2ps_control_finalize;
}

static void
p2ps_control_init (P2psControl *self)
{
  self->dir_fd = -1;
  self->searches = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->server = p2ps_http_server_new ();
}

P2psControl *
p2ps_control_new (P2psEngine *engine)
{
  P2psControl *self = g_object_new (P2PS_TYPE_CONTROL, NULL);

  self->engine = g_object_ref (engine);
  p2ps_http_server_set_handler (self->server, request_came_cb, self, NULL);
  return self;
}
