/* SPDX-License-Identifier: GPL-3.0-or-later */

/* How an engine starts, takes new settings over while it runs, and ends. On the owner context; what
 * waits for the disk at the end is in a thread. Refuses to start twice, on a port that is taken, or
 * on a state folder that another node uses. */

#define G_LOG_DOMAIN "p2ps-engine"

#include "engine/engine-private.h"

#include "config-build.h"

#include <glib/gi18n-lib.h>
#include <string.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "core/rate.h"
#include "engine/error.h"
#include "engine/peer-api.h"
#include "engine/state-dir.h"

#define CLOSE_TIME 2500 /* milliseconds; with what downloads may take, under the 5 s of a stop */

/* ---- start ---- */

/* The identity is one line in a file of its own: the database may be damaged, and nobody should
 * wait for it to say who we are. */
static char *
load_id (const char *state_dir, GError **error)
{
  g_autofree char *path = g_build_filename (state_dir, "id", NULL);
  g_autofree char *text = NULL;
  uuid_t uuid;
  char id[P2PS_QID_SIZE];

  if (g_file_get_contents (path, &text, NULL, NULL) && p2ps_qid_is_valid (g_strstrip (text)))
    return g_steal_pointer (&text);
  uuid_generate_random (uuid);
  uuid_unparse_lower (uuid, id);
  g_autofree char *line = g_strconcat (id, "\n", NULL);
  if (!g_file_set_contents_full (path, line, -1,
                                 G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600,
                                 error))
    return NULL;
  return g_strdup (id);
}

static P2psHttpServer *
listen_on (const char *host, guint16 port, GError **error)
{
  g_autoptr (P2psHttpServer) server = p2ps_http_server_new ();

  if (!p2ps_http_server_listen (server, host, port, error))
    return NULL;
  return g_steal_pointer (&server);
}

/* Limits of the same value change nothing. P2PS_NO_LIMIT is P2PS_RATE_NONE. */
static void
set_limits (P2psEngine *engine)
{
  const P2psConfig *config = engine->config;

  G_STATIC_ASSERT (P2PS_NO_LIMIT == P2PS_RATE_NONE);
  if (engine->server)
    p2ps_http_server_set_rates (engine->server, config->upload_bytes_per_second,
                                config->upload_bytes_per_second_per_peer);
  if (engine->server)
    p2ps_http_server_set_slots (engine->server, config->upload_slots, config->uploads_per_peer);
  p2ps_downloads_set_rate (engine->downloads, config->download_bytes_per_second);
}

/* A node that announces what `server` listens on, and answers there. */
static void
run_node (P2psEngine *engine, P2psHttpServer *server)
{
  P2psScope scope = p2ps_host_get_scope (engine->config->host);
  P2psNodeConfig config = {
    .loopback_only = scope == P2PS_SCOPE_LOOPBACK,
    .agent = "p2pshare/" P2PS_VERSION,
    .id = engine->id,
    .max_ttl = engine->config->max_ttl,
    .wanted_peers = engine->wanted_peers,
    .seed = ((guint64)g_random_int () << 32) | g_random_int (),
  };

  /* Every interface: what peers call us depends on where they are; the driver fills it in. */
  if (scope != P2PS_SCOPE_INVALID)
    g_strlcpy (config.self.host, engine->config->host, sizeof config.self.host);
  config.self.port = p2ps_http_server_get_port (server);
  engine->server = server;
  set_limits (engine);
  engine->driver = p2ps_driver_new (&config, engine->client, engine->library);
  p2ps_engine_wire_driver (engine);
  p2ps_peer_api_serve (server, engine, engine->driver);
  for (guint i = 0; i < engine->config->peers->len; i++)
    p2ps_driver_add_peer (engine->driver, &g_array_index (engine->config->peers, P2psAddress, i));
}

static void
set_folders (P2psEngine *engine)
{
  const P2psConfig *config = engine->config;

  p2ps_library_set_folders (engine->library, config->folders, config->share_hidden,
                            config->follow_links);
}

static gboolean
stats_cb (gpointer data)
{
  P2psEngine *engine = data;

  if (p2ps_stats_is_watched (engine->stats))
    p2ps_stats_refresh (engine->stats);
  return G_SOURCE_CONTINUE;
}

static gboolean
take_state (P2psEngine *engine, GError **error)
{
  engine->lock_fd = p2ps_state_dir_take (engine->state_dir, error);
  if (engine->lock_fd < 0)
    return FALSE;
  engine->id = load_id (engine->state_dir, error);
  return engine->id != NULL;
}

static void
release_state (P2psEngine *engine)
{
  if (engine->lock_fd >= 0)
    close (engine->lock_fd);
  engine->lock_fd = -1;
}

/* Serves when it returns TRUE; what is on disk comes in afterwards. Errors: PORT_TAKEN names the
 * port, FOLDER or FAILED the state folder, CONFIG the host. */
gboolean
p2ps_engine_start (P2psEngine *engine, const P2psConfig *config, GError **error)
{
  if (engine->config)
    {
      g_set_error_literal (error, P2PS_ERROR, P2PS_ERROR_FAILED,
                           "An engine starts once: make a new one.");
      return FALSE;
    }
  P2psHttpServer *server
      = take_state (engine, error) ? listen_on (config->host, config->port, error) : NULL;
  if (!server)
    {
      g_clear_pointer (&engine->id, g_free);
      release_state (engine);
      return FALSE;
    }
  engine->config = p2ps_config_copy (config);
  engine->started = g_get_monotonic_time ();
  engine->running = TRUE;
  p2ps_downloads_set_folder (engine->downloads, config->download_folder);
  run_node (engine, server);
  p2ps_peers_recall (engine->peers);
  set_folders (engine);
  p2ps_downloads_load (engine->downloads);
  engine->stats_timer = g_timeout_add_seconds (1, stats_cb, engine);
  p2ps_engine_tell (engine, P2PS_ENGINE_PROP_HOST);
  p2ps_engine_tell (engine, P2PS_ENGINE_PROP_PORT);
  p2ps_engine_tell (engine, P2PS_ENGINE_PROP_ID);
  p2ps_engine_tell (engine, P2PS_ENGINE_PROP_RUNNING);
  return TRUE;
}

/* ---- changes ---- */

static void
drop_server (P2psEngine *engine)
{
  if (!engine->server)
    return;
  p2ps_engine_retire_server (engine);
  p2ps_http_server_stop (engine->server);
  g_clear_object (&engine->server);
}

/* A listener for new settings. On the same port the old one has to go first; it comes back when the
 * new one can't be had. NULL: nothing has changed. */
static P2psHttpServer *
replace_listener (P2psEngine *engine, const P2psConfig *config, GError **error)
{
  guint16 port = p2ps_engine_get_port (engine);

  if (config->port != port)
    return listen_on (config->host, config->port, error);
  drop_server (engine);
  P2psHttpServer *server = listen_on (config->host, port, error);
  if (!server)
    {
      engine->server = listen_on (engine->config->host, port, NULL);
      set_limits (engine);
      if (engine->server)
        p2ps_peer_api_serve (engine->server, engine, engine->driver);
    }
  return server;
}

static void
drop_node (P2psEngine *engine)
{
  p2ps_peers_refresh (engine->peers);
  p2ps_own_searches_set_driver (engine->searches, NULL);
  p2ps_peers_set_driver (engine->peers, NULL);
  p2ps_driver_stop (engine->driver);
  drop_server (engine);
  p2ps_engine_retire_driver (engine);
  g_clear_object (&engine->driver);
}

/* Peers know a node by its address: with another one it is another node, which joins anew. */
static void
move_node (P2psEngine *engine, P2psHttpServer *server)
{
  g_autoptr (GArray) known = p2ps_node_list_peers (p2ps_driver_get_node (engine->driver));

  drop_node (engine);
  run_node (engine, server);
  for (guint i = 0; i < known->len; i++)
    p2ps_driver_hint_peer (engine->driver, &g_array_index (known, P2psPeerInfo, i).address);
  p2ps_engine_tell (engine, P2PS_ENGINE_PROP_HOST);
  p2ps_engine_tell (engine, P2PS_ENGINE_PROP_PORT);
}

static gboolean
has_peer (GArray *peers, const P2psAddress *address)
{
  for (guint i = 0; i < peers->len; i++)
    if (p2ps_address_equal (&g_array_index (peers, P2psAddress, i), address))
      return TRUE;
  return FALSE;
}

static void
change_peers (P2psEngine *engine, GArray *old, GArray *now)
{
  for (guint i = 0; i < old->len; i++)
    if (!has_peer (now, &g_array_index (old, P2psAddress, i)))
      p2ps_driver_remove_peer (engine->driver, &g_array_index (old, P2psAddress, i));
  for (guint i = 0; i < now->len; i++)
    if (!has_peer (old, &g_array_index (now, P2psAddress, i)))
      p2ps_driver_add_peer (engine->driver, &g_array_index (now, P2psAddress, i));
}

static gboolean
same_folders (const P2psConfig *a, const P2psConfig *b)
{
  gboolean same = a->folders->len == b->folders->len && a->share_hidden == b->share_hidden
                  && a->follow_links == b->follow_links;

  for (guint i = 0; same && i < a->folders->len; i++)
    same = g_str_equal (a->folders->pdata[i], b->folders->pdata[i]);
  return same;
}

/* Takes new settings over at once, without a restart. Only the address can fail: then everything
 * stays as it was. */
gboolean
p2ps_engine_apply (P2psEngine *engine, const P2psConfig *config, GError **error)
{
  P2psHttpServer *server = NULL;

  if (!engine->running)
    {
      g_set_error_literal (error, P2PS_ERROR, P2PS_ERROR_FAILED,
                           _ ("The node is not running: start it first."));
      return FALSE;
    }
  gboolean moves
      = config->port != engine->config->port || !g_str_equal (config->host, engine->config->host);
  if (moves && !(server = replace_listener (engine, config, error)))
    return FALSE;
  g_autoptr (P2psConfig) old = g_steal_pointer (&engine->config);
  engine->config = p2ps_config_copy (config);
  if (server)
    move_node (engine, server);
  set_limits (engine);
  p2ps_node_set_max_ttl (p2ps_driver_get_node (engine->driver), config->max_ttl);
  change_peers (engine, old->peers, engine->config->peers);
  if (!same_folders (old, engine->config))
    set_folders (engine);
  p2ps_downloads_set_folder (engine->downloads, engine->config->download_folder);
  return TRUE;
}

/* ---- stop ---- */

/* Everything but the store, at once. */
void
p2ps_engine_end (P2psEngine *engine)
{
  if (!engine->running)
    return;
  engine->running = FALSE;
  p2ps_stats_refresh (engine->stats);
  p2ps_peers_refresh (engine->peers);
  p2ps_peers_save (engine->peers);
  drop_node (engine);
  p2ps_downloads_stop (engine->downloads);
  p2ps_library_stop (engine->library);
  p2ps_http_client_abort (engine->client);
  g_clear_handle_id (&engine->stats_timer, g_source_remove);
  p2ps_engine_tell (engine, P2PS_ENGINE_PROP_RUNNING);
}

typedef struct
{
  P2psStore *store;
  int lock_fd; /* the next node may come when the store is closed */
} Closing;

static void
closing_free (gpointer data)
{
  Closing *closing = data;

  g_object_unref (closing->store);
  g_free (closing);
}

static void
close_store (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Closing *closing = data;

  p2ps_store_close (closing->store);
  if (closing->lock_fd >= 0)
    close (closing->lock_fd);
  g_task_return_boolean (task, TRUE);
}

static gboolean
too_late_cb (gpointer data)
{
  g_cancellable_cancel (data);
  return G_SOURCE_REMOVE;
}

/* Saves, lets the workers end and closes everything: within 5 s, whatever the disk does. */
void
p2ps_engine_stop_async (P2psEngine *engine, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GCancellable) late = g_cancellable_new ();
  g_autoptr (GTask) task = g_task_new (engine, late, callback, user_data);
  g_autoptr (GSource) timer = g_timeout_source_new (CLOSE_TIME);

  p2ps_engine_end (engine);
  Closing *closing = g_new0 (Closing, 1);
  closing->store = g_object_ref (engine->store);
  closing->lock_fd = engine->lock_fd;
  engine->lock_fd = -1;
  g_task_set_task_data (task, closing, closing_free);
  g_task_set_return_on_cancel (task, TRUE);
  g_source_set_callback (timer, too_late_cb, g_object_ref (late), g_object_unref);
  g_source_attach (timer, g_main_context_get_thread_default ());
  g_object_set_data_full (G_OBJECT (task), "timer", g_source_ref (timer),
                          (GDestroyNotify)g_source_destroy);
  g_task_run_in_thread (task, close_store);
}

/* FALSE when the disk took too long: what was under way may be missing. */
gboolean
p2ps_engine_stop_finish (P2psEngine *engine, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}
