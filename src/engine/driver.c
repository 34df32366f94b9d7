/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Owns a core node and all that it waits for: requests to peers, look-ups in the library, answers
 * that are due. On the owner context only. Never recursive: effects are drained in one loop, and
 * messages to peers leave from a source of their own, a few milliseconds' worth at a time, since
 * one search may go to 256 of them. */

#define G_LOG_DOMAIN "p2ps-driver"

#include "engine/driver.h"

#include "core/limits.h"
#include "engine/error.h"
#include "engine/net-address.h"
#include "wire/codec.h"

#define SEND_BUDGET 2000 /* microseconds of one main loop iteration */
#define MAX_LOOKUP_HITS P2PS_MAX_HITS_PER_RESPONDER

struct _P2psDriver
{
  GObject parent_instance;
  P2psNode *node;
  P2psHttpClient *client;
  P2psLibrary *library;
  P2psAddress self;
  P2psRoutes *routes;
  GNetworkMonitor *monitor;
  GMainContext *context;
  GCancellable *cancellable;
  GSource *deadline;
  GSource *sender;      /* while `outbox` has something */
  GQueue outbox;        /* of P2psEffect */
  GHashTable *requests; /* guint64 -> Request: delivered, not yet answered */
  guint64 last_request;
  gboolean draining;
  gboolean stopped;
};

typedef struct
{
  P2psReplyFunc func;
  gpointer user_data;
} Request;

/* What a call that is under way comes back to. */
typedef struct
{
  P2psDriver *driver;
  guint64 token;
  P2psMessageType type;
  P2psQuery *query;
} Call;

enum
{
  SIGNAL_PEERS_CHANGED,
  SIGNAL_HITS,
  SIGNAL_QUERY,
  SIGNAL_ANSWERS,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (P2psDriver, p2ps_driver, G_TYPE_OBJECT)

static gint64
now (void)
{
  return g_get_monotonic_time ();
}

static Call *
call_new (P2psDriver *driver, const P2psEffect *effect)
{
  Call *call = g_new0 (Call, 1);

  call->driver = g_object_ref (driver);
  call->token = effect->token;
  call->type = effect->message->type;
  call->query = effect->message->query ? p2ps_query_copy (effect->message->query) : NULL;
  return call;
}

static void
call_free (Call *call)
{
  g_object_unref (call->driver);
  p2ps_query_free (call->query);
  g_free (call);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Call, call_free)

static void
effect_free (P2psEffect *effect)
{
  p2ps_effect_clear (effect);
  g_free (effect);
}

/* ---- who we are, as the other side sees it ---- */

static void
fill (P2psAddress *address, const char *host)
{
  if (address->port != 0 && address->host[0] == '\0')
    g_strlcpy (address->host, host, sizeof address->host);
}

static GPtrArray *
copy_hits_filled (GPtrArray *hits, const char *host)
{
  GPtrArray *copy = g_ptr_array_new_full (hits->len, (GDestroyNotify)p2ps_hit_free);

  for (guint i = 0; i < hits->len; i++)
    {
      P2psHit *hit = p2ps_hit_copy (hits->pdata[i]);
      fill (&hit->holder, host);
      g_ptr_array_add (copy, hit);
    }
  return copy;
}

/* The message as `to` gets it. A node that listens everywhere has no host of its own: it names the
 * address that this destination sees. NULL when there is no route. Caller owns it. */
static P2psMessage *
address_message (P2psDriver *driver, const P2psEffect *effect)
{
  P2psMessage *message = effect->message;

  if (driver->self.host[0] != '\0' || message->type == P2PS_MESSAGE_PING)
    return p2ps_message_ref (message);

  const char *host = p2ps_routes_get (driver->routes, &effect->to);
  if (!host)
    return NULL;
  P2psMessage *copy = NULL;
  if (message->query)
    {
      copy = p2ps_message_new_query (p2ps_query_copy (message->query));
      fill (&copy->query->origin, host);
      fill (&copy->query->via, host);
    }
  else if (message->hits)
    copy = p2ps_message_new_hits (copy_hits_filled (message->hits, host));
  else
    {
      copy = p2ps_message_new_from (message->type, &message->sender);
      fill (&copy->sender, host);
    }
  return copy;
}

static void
update_hosts (P2psDriver *driver)
{
  g_auto (GStrv) hosts = p2ps_net_list_hosts ();

  p2ps_routes_clear (driver->routes);
  p2ps_node_set_own_hosts (driver->node, (const char *const *)hosts);
}

static void
network_changed_cb (P2psDriver *driver)
{
  if (driver->stopped)
    return;
  update_hosts (driver);
  p2ps_driver_drain (driver);
}

/* ---- messages to peers ---- */

static P2psOutcome
error_to_outcome (const GError *error)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
    return P2PS_OUTCOME_REFUSED;
  if (g_error_matches (error, P2PS_ERROR, P2PS_ERROR_MISBEHAVED))
    return P2PS_OUTCOME_NONSENSE;
  return P2PS_OUTCOME_TIMEOUT;
}

static P2psOutcome
read_reply (P2psMessageType type, guint status, GBytes *body, P2psMessage **reply)
{
  if (status >= 400)
    return P2PS_OUTCOME_DENIED;
  if (status < 200 || status >= 300)
    return P2PS_OUTCOME_NONSENSE;
  *reply = p2ps_wire_decode_reply (type, body, NULL);
  return *reply ? P2PS_OUTCOME_REPLY : P2PS_OUTCOME_NONSENSE;
}

static void
sent_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (Call) call = data;
  P2psDriver *driver = call->driver;
  g_autoptr (P2psMessage) reply = NULL;
  g_autoptr (GError) error = NULL;
  guint status = 0;
  g_autoptr (GBytes) body
      = p2ps_http_client_send_finish (P2PS_HTTP_CLIENT (source), result, &status, &error);

  if (driver->stopped)
    return;
  P2psOutcome outcome
      = body ? read_reply (call->type, status, body, &reply) : error_to_outcome (error);
  p2ps_node_sent (driver->node, now (), call->token, outcome, reply);
  p2ps_driver_drain (driver);
}

static void
send_effect (P2psDriver *driver, P2psEffect *effect)
{
  g_autoptr (P2psMessage) message = address_message (driver, effect);

  if (!message)
    {
      p2ps_node_sent (driver->node, now (), effect->token, P2PS_OUTCOME_TIMEOUT, NULL);
      return;
    }
  g_autoptr (GBytes) body
      = message->type == P2PS_MESSAGE_PING ? NULL : p2ps_wire_encode (message, 0);
  g_autofree char *target = p2ps_wire_dup_target (message);
  gboolean ping = message->type == P2PS_MESSAGE_PING;
  /* A hit that is sent twice counts twice; everything else may be repeated. */
  gboolean idempotent = message->type != P2PS_MESSAGE_QUERY_HIT;
  p2ps_http_client_send_async (driver->client, &effect->to, p2ps_wire_get_method (message->type),
                               target, body, idempotent,
                               ping ? P2PS_MAX_PING_REPLY : P2PS_MAX_CONTROL_REPLY,
                               driver->cancellable, sent_cb, call_new (driver, effect));
}

static gboolean
sender_cb (gpointer data)
{
  g_autoptr (P2psDriver) driver = g_object_ref (data);
  gint64 until = now () + SEND_BUDGET;
  P2psEffect *effect;

  while ((effect = g_queue_pop_head (&driver->outbox)))
    {
      send_effect (driver, effect);
      effect_free (effect);
      if (now () > until)
        break;
    }
  p2ps_driver_drain (driver);
  if (!g_queue_is_empty (&driver->outbox))
    return G_SOURCE_CONTINUE;
  g_clear_pointer (&driver->sender, g_source_unref);
  return G_SOURCE_REMOVE;
}

static void
queue_effect (P2psDriver *driver, P2psEffect *effect)
{
  g_queue_push_tail (&driver->outbox, g_memdup2 (effect, sizeof *effect));
  *effect = (P2psEffect){ 0 }; /* the queue owns its message now */
  if (driver->sender)
    return;
  driver->sender = g_idle_source_new ();
  g_source_set_priority (driver->sender, G_PRIORITY_DEFAULT);
  g_source_set_static_name (driver->sender, "p2ps-driver sender");
  g_source_set_callback (driver->sender, sender_cb, driver, NULL);
  g_source_attach (driver->sender, driver->context);
}

/* ---- the other effects ---- */

static void
reply_to (P2psDriver *driver, const P2psEffect *effect)
{
  Request request;
  gpointer value = g_hash_table_lookup (driver->requests, &effect->token);

  if (!value)
    return;
  request = *(Request *)value;
  g_hash_table_remove (driver->requests, &effect->token);
  if (effect->type == P2PS_EFFECT_REPLY)
    request.func (effect->message, 0, NULL, request.user_data);
  else
    request.func (NULL, effect->status, effect->text, request.user_data);
}

static GPtrArray *
files_to_hits (P2psDriver *driver, const P2psQuery *query, GPtrArray *files)
{
  GPtrArray *hits = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);

  for (guint i = 0; files && i < files->len; i++)
    {
      const P2psLibraryFile *file = files->pdata[i];
      P2psHit *hit
          = p2ps_hit_new (query->qid, &driver->self, file->name, file->filehash, file->size);

      g_strlcpy (hit->root, file->root, sizeof hit->root);
      g_ptr_array_add (hits, hit);
    }
  return hits;
}

/* As the asker sees them: with our address from there. */
static void
tell_answers (P2psDriver *driver, const P2psQuery *query, GPtrArray *hits)
{
  const char *host = driver->self.host;

  if (hits->len == 0)
    return;
  if (host[0] == '\0' && p2ps_address_is_set (&query->origin))
    host = p2ps_routes_get (driver->routes, &query->origin);
  g_autoptr (GPtrArray) filled = copy_hits_filled (hits, host ? host : "");
  g_signal_emit (driver, signals[SIGNAL_ANSWERS], 0, filled);
}

static void
found_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (Call) call = data;
  P2psDriver *driver = call->driver;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) files = p2ps_library_lookup_finish (P2PS_LIBRARY (source), result, &error);

  if (driver->stopped)
    return;
  if (error)
    g_debug ("look-up of %s: %s", call->query->qid, error->message);
  g_autoptr (GPtrArray) hits = files_to_hits (driver, call->query, files);
  p2ps_node_found (driver->node, now (), call->token, hits);
  tell_answers (driver, call->query, hits);
  p2ps_driver_drain (driver);
}

static void
lookup (P2psDriver *driver, const P2psEffect *effect)
{
  const P2psQuery *query = effect->message->query;

  g_signal_emit (driver, signals[SIGNAL_QUERY], 0, query, FALSE);
  p2ps_library_lookup_async (driver->library, query, MAX_LOOKUP_HITS, driver->cancellable, found_cb,
                             call_new (driver, effect));
}

static void
run_effect (P2psDriver *driver, P2psEffect *effect)
{
  switch (effect->type)
    {
    case P2PS_EFFECT_SEND:
      queue_effect (driver, effect);
      break;
    case P2PS_EFFECT_REPLY:
    case P2PS_EFFECT_REJECT:
      reply_to (driver, effect);
      break;
    case P2PS_EFFECT_LOOKUP:
      lookup (driver, effect);
      break;
    case P2PS_EFFECT_PEERS_CHANGED:
      g_signal_emit (driver, signals[SIGNAL_PEERS_CHANGED], 0);
      break;
    case P2PS_EFFECT_HITS:
      g_signal_emit (driver, signals[SIGNAL_HITS], 0, effect->message->hits, effect->verified);
      break;
    default:
      g_warning ("effect %d is not known", effect->type);
    }
}

/* Does what the node wants done, and sets the clock for what it wants later. */
void
p2ps_driver_drain (P2psDriver *driver)
{
  g_autoptr (P2psDriver) keep = NULL;
  P2psEffect effect = { 0 };

  if (driver->draining || driver->stopped)
    return;
  keep = g_object_ref (driver);
  driver->draining = TRUE;
  while (!driver->stopped && p2ps_node_pop (driver->node, &effect))
    {
      run_effect (driver, &effect);
      p2ps_effect_clear (&effect);
    }
  driver->draining = FALSE;
  if (driver->stopped)
    return;
  gint64 deadline = p2ps_node_get_deadline (driver->node);
  g_source_set_ready_time (driver->deadline, deadline == P2PS_NEVER ? -1 : MAX (deadline, 0));
}

static gboolean
deadline_cb (gpointer data)
{
  P2psDriver *driver = data;

  g_source_set_ready_time (driver->deadline, -1);
  p2ps_node_tick (driver->node, now ());
  p2ps_driver_drain (driver);
  return G_SOURCE_CONTINUE;
}

static gboolean
dispatch_deadline (GSource *source, GSourceFunc callback, gpointer data)
{
  return callback (data);
}

/* ---- commands ---- */

/* A request from the address `source`. `func` is called once, perhaps before this returns. */
void
p2ps_driver_deliver (P2psDriver *driver, const char *source, P2psMessage *message,
                     P2psReplyFunc func, gpointer user_data)
{
  if (driver->stopped)
    {
      func (NULL, 503, "This node is stopping.", user_data);
      return;
    }
  guint64 token = ++driver->last_request;
  Request *request = g_new0 (Request, 1);
  request->func = func;
  request->user_data = user_data;
  g_hash_table_insert (driver->requests, g_memdup2 (&token, sizeof token), request);
  p2ps_node_deliver (driver->node, now (), source, message, token);
  p2ps_driver_drain (driver);
}

void
p2ps_driver_search (P2psDriver *driver, const P2psQuery *query)
{
  if (driver->stopped)
    return;
  g_signal_emit (driver, signals[SIGNAL_QUERY], 0, query, TRUE);
  p2ps_node_search (driver->node, now (), query);
  p2ps_driver_drain (driver);
}

void
p2ps_driver_stop_search (P2psDriver *driver, const char *qid)
{
  if (driver->stopped)
    return;
  p2ps_node_stop_search (driver->node, now (), qid);
  p2ps_driver_drain (driver);
}

/* A peer that the user named. */
void
p2ps_driver_add_peer (P2psDriver *driver, const P2psAddress *address)
{
  if (driver->stopped)
    return;
  p2ps_node_add_peer (driver->node, now (), address);
  p2ps_driver_drain (driver);
}

/* A peer that was there once: a candidate like those that other peers name. */
void
p2ps_driver_hint_peer (P2psDriver *driver, const P2psAddress *address)
{
  if (driver->stopped)
    return;
  p2ps_node_hint_peer (driver->node, now (), address);
  p2ps_driver_drain (driver);
}

void
p2ps_driver_remove_peer (P2psDriver *driver, const P2psAddress *address)
{
  if (driver->stopped)
    return;
  p2ps_node_remove_peer (driver->node, now (), address);
  p2ps_driver_drain (driver);
}

void
p2ps_driver_blame (P2psDriver *driver, const P2psAddress *address, int points)
{
  if (driver->stopped)
    return;
  p2ps_node_blame (driver->node, now (), address, points);
  p2ps_driver_drain (driver);
}

/* Borrowed, until the driver goes; after commands of one's own: p2ps_driver_drain(). */
P2psNode *
p2ps_driver_get_node (P2psDriver *driver)
{
  return driver->node;
}

/* Looked at anew each time: the wall clock may be set while the node runs. */
gint64
p2ps_driver_get_wall_offset (P2psDriver *driver)
{
  return g_get_real_time () - g_get_monotonic_time ();
}

static void
drop_requests (P2psDriver *driver)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, driver->requests);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Request request = *(Request *)value;
      g_hash_table_iter_remove (&iter);
      request.func (NULL, 503, "This node is stopping.", request.user_data);
    }
}

/* Nothing is sent, answered or told after this; requests under way are cancelled, the callers that
 * still wait get 503. The node's state can be read on. */
void
p2ps_driver_stop (P2psDriver *driver)
{
  if (driver->stopped)
    return;
  driver->stopped = TRUE;
  if (driver->monitor)
    g_signal_handlers_disconnect_by_data (driver->monitor, driver);
  if (driver->sender)
    g_source_destroy (driver->sender);
  g_clear_pointer (&driver->sender, g_source_unref);
  g_source_destroy (driver->deadline);
  g_queue_clear_full (&driver->outbox, (GDestroyNotify)effect_free);
  g_cancellable_cancel (driver->cancellable);
  drop_requests (driver);
}

static void
p2ps_driver_dispose (GObject *object)
{
  p2ps_driver_stop (P2PS_DRIVER (object));
  G_OBJECT_CLASS (p2ps_driver_parent_class)->dispose (object);
}

static void
p2ps_driver_finalize (GObject *object)
{
  P2psDriver *driver = P2PS_DRIVER (object);

  g_clear_pointer (&driver->node, p2ps_node_free);
  g_clear_object (&driver->client);
  g_clear_object (&driver->library);
  g_clear_object (&driver->monitor);
  g_clear_object (&driver->cancellable);
  g_source_unref (driver->deadline);
  g_hash_table_unref (driver->requests);
  p2ps_routes_free (driver->routes);
  g_main_context_unref (driver->context);
  G_OBJECT_CLASS (p2ps_driver_parent_class)->finalize (object);
}

static void
p2ps_driver_class_init (P2psDriverClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GType type = G_TYPE_FROM_CLASS (klass);

  object_class->dispose = p2ps_driver_dispose;
  object_class->finalize = p2ps_driver_finalize;
  signals[SIGNAL_PEERS_CHANGED] = g_signal_new ("peers-changed", type, G_SIGNAL_RUN_LAST, 0, NULL,
                                                NULL, NULL, G_TYPE_NONE, 0);
  signals[SIGNAL_HITS] = g_signal_new ("hits", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                       G_TYPE_NONE, 2, G_TYPE_PTR_ARRAY, G_TYPE_BOOLEAN);
  signals[SIGNAL_QUERY] = g_signal_new ("query", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                        G_TYPE_NONE, 2, G_TYPE_POINTER, G_TYPE_BOOLEAN);
  signals[SIGNAL_ANSWERS] = g_signal_new ("answers", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                          G_TYPE_NONE, 1, G_TYPE_PTR_ARRAY);
}

static void
p2ps_driver_init (P2psDriver *driver)
{
  g_queue_init (&driver->outbox);
  driver->context = g_main_context_ref_thread_default ();
  driver->cancellable = g_cancellable_new ();
  driver->routes = p2ps_routes_new ();
  driver->requests = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
}

static GSource *
new_deadline (P2psDriver *driver)
{
  static GSourceFuncs funcs = { NULL, NULL, dispatch_deadline, NULL, NULL, NULL };
  GSource *source = g_source_new (&funcs, sizeof (GSource));

  g_source_set_static_name (source, "p2ps-driver deadline");
  g_source_set_callback (source, deadline_cb, driver, NULL);
  g_source_attach (source, driver->context);
  return source;
}

/* A driver with a new node that is alive at once. Caller owns it; p2ps_driver_stop() ends it. */
P2psDriver *
p2ps_driver_new (const P2psNodeConfig *config, P2psHttpClient *client, P2psLibrary *library)
{
  P2psDriver *driver = g_object_new (P2PS_TYPE_DRIVER, NULL);

  driver->client = g_object_ref (client);
  driver->library = g_object_ref (library);
  driver->self = config->self;
  driver->node = p2ps_node_new (config, now ());
  driver->deadline = new_deadline (driver);
  driver->monitor = g_object_ref (g_network_monitor_get_default ());
  g_signal_connect_object (driver->monitor, "network-changed", G_CALLBACK (network_changed_cb),
                           driver, G_CONNECT_SWAPPED);
  update_hosts (driver);
  p2ps_driver_drain (driver);
  return driver;
}
