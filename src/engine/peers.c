/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Follows the core's table of peers: rows are updated in place, a few times a second at most. The
 * active ones are written to the store now and then, and named to the node after a restart. Lives
 * on the owner context. */

#define G_LOG_DOMAIN "p2ps-peers"

#include "engine/peers.h"

#include "core/limits.h"
#include "engine/keyed-list.h"

#define REFRESH_INTERVAL 150 /* milliseconds */
#define SAVE_INTERVAL (60 * G_USEC_PER_SEC)

struct _P2psPeers
{
  GObject parent_instance;
  P2psStore *store;
  P2psDriver *driver;
  P2psKeyedList *rows; /* by "host:port" */
  GSource *timer;
  guint active;
  guint known;
  gint64 saved; /* when */
  gboolean unsaved;
};

enum
{
  SIGNAL_CHANGED,
  SIGNAL_ACTIVE,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (P2psPeers, p2ps_peers, G_TYPE_OBJECT)

static void
stop_timer (P2psPeers *peers)
{
  if (peers->timer)
    g_source_destroy (peers->timer);
  g_clear_pointer (&peers->timer, g_source_unref);
}

static void
p2ps_peers_finalize (GObject *object)
{
  P2psPeers *peers = P2PS_PEERS (object);

  stop_timer (peers);
  g_clear_object (&peers->driver);
  g_clear_object (&peers->store);
  g_object_unref (peers->rows);
  G_OBJECT_CLASS (p2ps_peers_parent_class)->finalize (object);
}

static void
p2ps_peers_class_init (P2psPeersClass *klass)
{
  GType type = G_TYPE_FROM_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = p2ps_peers_finalize;
  signals[SIGNAL_CHANGED]
      = g_signal_new ("changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[SIGNAL_ACTIVE] = g_signal_new ("active", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                         G_TYPE_NONE, 1, G_TYPE_POINTER);
}

static void
p2ps_peers_init (P2psPeers *peers)
{
  peers->rows = p2ps_keyed_list_new (P2PS_TYPE_PEER, 0);
}

/* Caller owns it. */
P2psPeers *
p2ps_peers_new (P2psStore *store)
{
  P2psPeers *peers = g_object_new (P2PS_TYPE_PEERS, NULL);

  peers->store = g_object_ref (store);
  return peers;
}

static gboolean
timer_cb (gpointer data)
{
  p2ps_peers_refresh (data);
  return G_SOURCE_REMOVE;
}

static void
peers_changed_cb (P2psPeers *peers)
{
  if (peers->timer)
    return;
  peers->timer = g_timeout_source_new (REFRESH_INTERVAL);
  g_source_set_static_name (peers->timer, "p2ps-peers refresh");
  g_source_set_callback (peers->timer, timer_cb, peers, NULL);
  g_source_attach (peers->timer, g_main_context_get_thread_default ());
}

/* Whose table is shown from now on; NULL: what was there last stays. */
void
p2ps_peers_set_driver (P2psPeers *peers, P2psDriver *driver)
{
  stop_timer (peers);
  if (peers->driver)
    g_signal_handlers_disconnect_by_data (peers->driver, peers);
  g_set_object (&peers->driver, driver);
  if (!driver)
    return;
  g_signal_connect_object (driver, "peers-changed", G_CALLBACK (peers_changed_cb), peers,
                           G_CONNECT_SWAPPED);
  p2ps_peers_refresh (peers);
}

/* Of P2psPeer, borrowed. */
GListModel *
p2ps_peers_get_model (P2psPeers *peers)
{
  return G_LIST_MODEL (peers->rows);
}

/* Borrowed, or NULL. */
P2psPeer *
p2ps_peers_find (P2psPeers *peers, const P2psAddress *address)
{
  g_autofree char *id = p2ps_address_to_string (address);

  return p2ps_keyed_list_get (peers->rows, id);
}

guint
p2ps_peers_count_active (P2psPeers *peers)
{
  return peers->active;
}

guint
p2ps_peers_count_known (P2psPeers *peers)
{
  return peers->known;
}

static void
show_peer (P2psPeers *peers, const P2psPeerInfo *info, const char *id)
{
  gint64 offset = p2ps_driver_get_wall_offset (peers->driver);
  P2psPeer *row = p2ps_keyed_list_get (peers->rows, id);
  gboolean was_active = row && p2ps_peer_get_active (row);
  gboolean active = info->state == P2PS_PEER_ACTIVE;

  if (row)
    p2ps_peer_update (row, info, offset);
  else
    {
      g_autoptr (P2psPeer) fresh = p2ps_peer_new (info, offset);
      p2ps_keyed_list_add (peers->rows, id, fresh);
    }
  if (active != was_active)
    peers->unsaved = TRUE;
  if (active && !was_active)
    g_signal_emit (peers, signals[SIGNAL_ACTIVE], 0, &info->address);
}

static void
drop_gone (P2psPeers *peers, GHashTable *there)
{
  for (guint i = p2ps_keyed_list_get_size (peers->rows); i > 0; i--)
    {
      P2psPeer *row = p2ps_keyed_list_nth (peers->rows, i - 1);
      g_autofree char *id = p2ps_address_to_string (p2ps_peer_get_address (row));
      if (!g_hash_table_contains (there, id))
        p2ps_keyed_list_remove (peers->rows, id);
    }
}

/* Takes the core's table over now. */
void
p2ps_peers_refresh (P2psPeers *peers)
{
  g_autoptr (GHashTable) there = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  stop_timer (peers);
  if (!peers->driver)
    return;
  g_autoptr (GArray) infos = p2ps_node_list_peers (p2ps_driver_get_node (peers->driver));
  peers->active = 0;
  peers->known = infos->len;
  for (guint i = 0; i < infos->len; i++)
    {
      const P2psPeerInfo *info = &g_array_index (infos, P2psPeerInfo, i);
      char *id = p2ps_address_to_string (&info->address);
      g_hash_table_add (there, id);
      if (info->state == P2PS_PEER_ACTIVE)
        peers->active++;
      show_peer (peers, info, id);
    }
  drop_gone (peers, there);
  if (peers->unsaved && g_get_monotonic_time () - peers->saved > SAVE_INTERVAL)
    p2ps_peers_save (peers);
  g_signal_emit (peers, signals[SIGNAL_CHANGED], 0);
}

static void
recalled_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (P2psPeers) peers = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) addresses = p2ps_store_list_peers_finish (P2PS_STORE (source), result, &error);

  if (error)
    g_debug ("remembered peers: %s", error->message);
  for (guint i = 0; peers->driver && addresses && i < addresses->len; i++)
    p2ps_driver_hint_peer (peers->driver, &g_array_index (addresses, P2psAddress, i));
}

/* Names the peers that were active before the last stop to the node. */
void
p2ps_peers_recall (P2psPeers *peers)
{
  p2ps_store_list_peers_async (peers->store, P2PS_MAX_PEERS, recalled_cb, g_object_ref (peers));
}

/* Remembers the active peers; a node that knows nobody keeps what it remembered. */
void
p2ps_peers_save (P2psPeers *peers)
{
  g_autoptr (GArray) addresses = g_array_new (FALSE, FALSE, sizeof (P2psAddress));

  for (guint i = 0; i < p2ps_keyed_list_get_size (peers->rows); i++)
    {
      P2psPeer *row = p2ps_keyed_list_nth (peers->rows, i);
      if (p2ps_peer_get_active (row))
        g_array_append_vals (addresses, p2ps_peer_get_address (row), 1);
    }
  peers->unsaved = FALSE;
  peers->saved = g_get_monotonic_time ();
  if (addresses->len > 0)
    p2ps_store_save_peers (peers->store, addresses);
}
