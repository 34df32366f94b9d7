/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The guarded front: owns the listener, the connections with their caps and deadlines, the counters
 * and a SoupServer that reads requests. On the main context that it was made on; only uploads have
 * threads (upload.c). Who may connect is decided here, what may be asked in http-guard.c.
 *
 * libsoup's part is the request: it gets a stream that the guard looks into, one connection at a
 * time by soup_server_accept_iostream(), and once the body is complete the connection is taken from
 * it again. It never writes anything but "100 Continue". */

#define G_LOG_DOMAIN "p2ps-http"

#include "engine/http-private.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/limits.h"
#include "core/rate.h"
#include "engine/http-listener.h"

struct _P2psHttpServer
{
  GObject parent_instance;

  GMainContext *context;
  SoupServer *soup;
  GInetAddress *loopback; /* what libsoup is told about every client */
  P2psHttpListener *listener;
  P2psUploader *uploader;
  P2psSlots *slots; /* for uploads */
  P2psHttpLimits limits;
  guint64 rate; /* of uploads, bytes per second */
  guint64 rate_per_source;
  GQueue connections;
  GHashTable *per_host; /* source: number of its connections */
  GSource *sweep;       /* while there are connections */
  guint64 refused[P2PS_N_HTTP_REFUSALS];

  P2psHttpHandler handler;
  gpointer handler_data;
  GDestroyNotify handler_destroy;
};

G_DEFINE_FINAL_TYPE (P2psHttpServer, p2ps_http_server, G_TYPE_OBJECT)

static GQuark
connection_quark (void)
{
  return g_quark_from_static_string ("p2ps-http-connection");
}

/* Each connection has a remote address object of its own, and libsoup hands it through. */
static P2psHttpConnection *
get_connection (SoupServerMessage *msg)
{
  return g_object_get_qdata (G_OBJECT (soup_server_message_get_remote_address (msg)),
                             connection_quark ());
}

/* --- what libsoup tells --- */

static void
request_started_cb (SoupServer *soup, SoupServerMessage *msg, gpointer user_data)
{
  get_connection (msg)->msg = msg;
}

static void
got_chunk_cb (SoupServerMessage *msg, GBytes *chunk, gpointer user_data)
{
  P2psHttpConnection *connection = user_data;
  gsize length;
  const guint8 *bytes = g_bytes_get_data (chunk, &length);

  if (connection->body->len + length > connection->server->limits.max_body)
    {
      p2ps_http_connection_take (connection);
      p2ps_http_connection_refuse (connection, P2PS_HTTP_REFUSAL_BODY_TOO_LARGE);
      return;
    }
  g_byte_array_append (connection->body, bytes, length);
}

/* The first thing is to stop libsoup from collecting the body: it has no limit. */
static void
early_cb (SoupServer *soup, SoupServerMessage *msg, const char *path, GHashTable *query,
          gpointer user_data)
{
  SoupMessageHeaders *headers = soup_server_message_get_request_headers (msg);
  P2psHttpConnection *connection = get_connection (msg);
  gint64 length = MAX (0, connection->head->content_length);

  soup_message_body_set_accumulate (soup_server_message_get_request_body (msg), FALSE);
  soup_message_headers_remove (headers, "Range");
  connection->early = TRUE;
  connection->body = g_byte_array_new ();
  g_signal_connect (msg, "got-chunk", G_CALLBACK (got_chunk_cb), connection);
  /* Two readers of the same bytes who disagree: that is what smuggling is made of. */
  if (soup_message_headers_get_content_length (headers) != length
      || (soup_message_headers_get_encoding (headers) == SOUP_ENCODING_CHUNKED)
             != connection->head->chunked)
    {
      p2ps_http_connection_take (connection);
      p2ps_http_connection_refuse (connection, P2PS_HTTP_REFUSAL_FRAMING);
    }
}

static void
handler_cb (SoupServer *soup, SoupServerMessage *msg, const char *path, GHashTable *query,
            gpointer user_data)
{
  g_autoptr (P2psHttpServer) self = g_object_ref (P2PS_HTTP_SERVER (user_data));
  P2psHttpConnection *connection = p2ps_http_connection_ref (get_connection (msg));
  P2psHttpRequest *request;

  p2ps_http_connection_take (connection);
  request = p2ps_http_request_new (connection);
  if (self->handler != NULL)
    self->handler (request, self->handler_data);
  else
    p2ps_http_request_reply_error (request, 404, "There is nothing here.");
  p2ps_http_request_unref (request);
  p2ps_http_connection_watch (connection);
  p2ps_http_connection_unref (connection);
}

/* --- connections --- */

static gboolean
sweep_cb (gpointer user_data)
{
  g_autoptr (P2psHttpServer) self = g_object_ref (P2PS_HTTP_SERVER (user_data));
  const gint64 now = g_get_monotonic_time ();
  GList *next;

  for (GList *link = self->connections.head; link != NULL; link = next)
    {
      /* Only the connection at hand can end in here. */
      next = link->next;
      p2ps_http_connection_expire (link->data, now);
    }
  return self->sweep != NULL ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* One timer for all deadlines: at most an eighth of the shortest too late. */
static void
start_sweep (P2psHttpServer *self)
{
  guint shortest
      = MIN (MIN (self->limits.headers_ms, self->limits.idle_ms), self->limits.linger_ms);

  if (self->sweep != NULL)
    return;
  self->sweep = g_timeout_source_new (CLAMP (shortest / 8, 10, 250));
  g_source_set_callback (self->sweep, sweep_cb, self, NULL);
  g_source_attach (self->sweep, self->context);
}

static void
stop_sweep (P2psHttpServer *self)
{
  if (self->sweep == NULL)
    return;
  g_source_destroy (self->sweep);
  g_clear_pointer (&self->sweep, g_source_unref);
}

static guint
count_host (P2psHttpServer *self, const char *source, int change)
{
  gpointer key = NULL;
  gpointer value = NULL;
  guint n;

  if (g_hash_table_lookup_extended (self->per_host, source, &key, &value))
    n = GPOINTER_TO_UINT (value) + change;
  else
    n = change;
  if (n == 0)
    g_hash_table_remove (self->per_host, source);
  else
    g_hash_table_insert (self->per_host, g_strdup (source), GUINT_TO_POINTER (n));
  return n;
}

static void
add_connection (P2psHttpServer *self, int fd, GIOStream *base, const char *source)
{
  P2psHttpConnection *connection = p2ps_http_connection_new (self, fd, base, source);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new (self->loopback, 1);
  guint of_host = count_host (self, connection->source, 1);

  g_queue_push_tail_link (&self->connections, &connection->link);
  if (self->listener != NULL && self->connections.length >= self->limits.connections)
    p2ps_http_listener_hold (self->listener, TRUE);
  start_sweep (self);
  if (source[0] != '\0' && of_host > self->limits.per_host)
    {
      p2ps_http_connection_refuse (connection, P2PS_HTTP_REFUSAL_TOO_MANY_CONNECTIONS);
      return;
    }
  connection->stream = p2ps_http_stream_new (connection);
  g_object_set_qdata_full (G_OBJECT (address), connection_quark (),
                           p2ps_http_connection_ref (connection),
                           (GDestroyNotify)p2ps_http_connection_unref);
  soup_server_accept_iostream (self->soup, connection->stream, address, address, NULL);
}

/* The last call of a connection: it is forgotten. */
void
p2ps_http_server_closed (P2psHttpServer *self, P2psHttpConnection *connection)
{
  g_queue_unlink (&self->connections, &connection->link);
  count_host (self, connection->source, -1);
  if (self->connections.length == 0)
    stop_sweep (self);
  if (self->listener != NULL && self->connections.length < self->limits.connections)
    p2ps_http_listener_hold (self->listener, FALSE);
  p2ps_http_connection_unref (connection);
}

static void
accepted_cb (int fd, const char *source, gpointer user_data)
{
  add_connection (user_data, fd, NULL, source);
}

/* Takes a stream that was accepted elsewhere, as if it came from source ("": from this user's own
 * programs). Its streams must be pollable; files can be sent only where it is a GSocketConnection.
 */
void
p2ps_http_server_accept (P2psHttpServer *self, GIOStream *stream, const char *source)
{
  g_return_if_fail (P2PS_IS_HTTP_SERVER (self));
  g_return_if_fail (G_IS_IO_STREAM (stream));

  if (G_IS_SOCKET_CONNECTION (stream))
    {
      GSocket *socket = g_socket_connection_get_socket (G_SOCKET_CONNECTION (stream));
      int fd = fcntl (g_socket_get_fd (socket), F_DUPFD_CLOEXEC, 0);

      if (fd >= 0)
        add_connection (self, fd, NULL, source);
    }
  else
    add_connection (self, -1, stream, source);
}

/* --- the door for the files of the front --- */

void
p2ps_http_server_get_limits (P2psHttpServer *self, P2psHttpLimits *limits)
{
  *limits = self->limits;
}

void
p2ps_http_server_set_limits (P2psHttpServer *self, const P2psHttpLimits *limits)
{
  self->limits = *limits;
}

void
p2ps_http_server_refused (P2psHttpServer *self, P2psHttpRefusal refusal)
{
  self->refused[refusal]++;
}

GMainContext *
p2ps_http_server_get_context (P2psHttpServer *self)
{
  return self->context;
}

gboolean
p2ps_http_server_is_paused (P2psHttpServer *self)
{
  return self->rate == 0;
}

P2psSlots *
p2ps_http_server_get_slots (P2psHttpServer *self)
{
  return self->slots;
}

P2psUploader *
p2ps_http_server_get_uploader (P2psHttpServer *self)
{
  if (self->uploader == NULL)
    {
      self->uploader = p2ps_uploader_new (self->context);
      p2ps_uploader_set_rates (self->uploader, self->rate, self->rate_per_source);
    }
  return self->uploader;
}

/* --- the server --- */

/* Databases, files and downloads need descriptors too: strangers get half of them at most. */
static guint
get_max_connections (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 2 > P2PS_MAX_CONNECTIONS)
    return P2PS_MAX_CONNECTIONS;
  return MAX (1, limit.rlim_cur / 2);
}

static void
p2ps_http_server_dispose (GObject *object)
{
  P2psHttpServer *self = P2PS_HTTP_SERVER (object);

  p2ps_http_server_stop (self);
  p2ps_http_server_set_handler (self, NULL, NULL, NULL);
  G_OBJECT_CLASS (p2ps_http_server_parent_class)->dispose (object);
}

static void
p2ps_http_server_finalize (GObject *object)
{
  P2psHttpServer *self = P2PS_HTTP_SERVER (object);

  g_clear_pointer (&self->uploader, p2ps_uploader_free);
  p2ps_slots_free (self->slots);
  g_clear_object (&self->soup);
  g_clear_object (&self->loopback);
  g_clear_pointer (&self->per_host, g_hash_table_unref);
  g_clear_pointer (&self->context, g_main_context_unref);
  G_OBJECT_CLASS (p2ps_http_server_parent_class)->finalize (object);
}

static void
p2ps_http_server_class_init (P2psHttpServerClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = p2ps_http_server_dispose;
  G_OBJECT_CLASS (klass)->finalize = p2ps_http_server_finalize;
}

static void
p2ps_http_server_init (P2psHttpServer *self)
{
  self->context = g_main_context_ref_thread_default ();
  self->loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  self->per_host = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->slots = p2ps_slots_new ();
  self->rate = self->rate_per_source = P2PS_RATE_NONE;
  self->limits = (P2psHttpLimits){
    .connections = get_max_connections (),
    .per_host = P2PS_MAX_CONNECTIONS_PER_HOST,
    .headers_ms = P2PS_HEADERS_TIMEOUT_SECONDS * 1000,
    .idle_ms = P2PS_SOCKET_TIMEOUT_SECONDS * 1000,
    .linger_ms = 1000,
    .max_headers = P2PS_MAX_HEADERS,
    .max_body = P2PS_MAX_BODY,
  };
  self->soup = soup_server_new ("raw-paths", TRUE, NULL);
  g_signal_connect (self->soup, "request-started", G_CALLBACK (request_started_cb), self);
  soup_server_add_early_handler (self->soup, NULL, early_cb, self, NULL);
  soup_server_add_handler (self->soup, NULL, handler_cb, self, NULL);
}

P2psHttpServer *
p2ps_http_server_new (void)
{
  return g_object_new (P2PS_TYPE_HTTP_SERVER, NULL);
}

static gboolean
listen_with (P2psHttpServer *self, P2psHttpListener *listener)
{
  if (listener == NULL)
    return FALSE;
  self->listener = listener;
  p2ps_http_listener_start (listener, self->context, accepted_cb, self);
  return TRUE;
}

/* host: an IPv4 or IPv6 literal; "::" takes both families. port 0: any free one. A server listens
 * on one address at a time. Errors: P2PS_ERROR_PORT_TAKEN, P2PS_ERROR_CONFIG. */
gboolean
p2ps_http_server_listen (P2psHttpServer *self, const char *host, guint16 port, GError **error)
{
  g_return_val_if_fail (P2PS_IS_HTTP_SERVER (self), FALSE);
  g_return_val_if_fail (self->listener == NULL, FALSE);

  return listen_with (self, p2ps_http_listener_new (host, port, error));
}

/* For this user's own programs: the file has mode 0600; Host, Origin and Content-Type don't matter.
 * Errors: P2PS_ERROR_PORT_TAKEN (another program answers there), P2PS_ERROR_CONFIG,
 * P2PS_ERROR_FOLDER. */
gboolean
p2ps_http_server_listen_unix (P2psHttpServer *self, const char *path, GError **error)
{
  g_return_val_if_fail (P2PS_IS_HTTP_SERVER (self), FALSE);
  g_return_val_if_fail (self->listener == NULL, FALSE);

  return listen_with (self, p2ps_http_listener_new_unix (path, error));
}

/* 0 when it does not listen, or on a unix socket. */
guint16
p2ps_http_server_get_port (P2psHttpServer *self)
{
  g_return_val_if_fail (P2PS_IS_HTTP_SERVER (self), 0);

  return self->listener != NULL ? p2ps_http_listener_get_port (self->listener) : 0;
}

/* Bytes of a request's body, at most. */
void
p2ps_http_server_set_max_body (P2psHttpServer *self, gsize max_body)
{
  g_return_if_fail (P2PS_IS_HTTP_SERVER (self));

  self->limits.max_body = max_body;
}

/* Bytes of files per second, in all and to each address: P2PS_RATE_NONE is no limit, 0 lets them
 * wait. Holds at once, also for what is on its way. */
void
p2ps_http_server_set_rates (P2psHttpServer *self, guint64 total, guint64 per_source)
{
  g_return_if_fail (P2PS_IS_HTTP_SERVER (self));

  self->rate = total;
  self->rate_per_source = per_source;
  if (self->uploader != NULL)
    p2ps_uploader_set_rates (self->uploader, total, per_source);
}

/* Uploads at a time, in all and to each address; G_MAXUINT64 is no limit. Those on their way go on.
 */
void
p2ps_http_server_set_slots (P2psHttpServer *self, guint64 total, guint64 per_source)
{
  g_return_if_fail (P2PS_IS_HTTP_SERVER (self));

  p2ps_slots_set_limits (self->slots, total, per_source);
}

void
p2ps_http_server_set_handler (P2psHttpServer *self, P2psHttpHandler handler, gpointer user_data,
                              GDestroyNotify destroy)
{
  g_return_if_fail (P2PS_IS_HTTP_SERVER (self));

  if (self->handler_destroy != NULL)
    self->handler_destroy (self->handler_data);
  self->handler = handler;
  self->handler_data = user_data;
  self->handler_destroy = destroy;
}

/* Stops listening and cuts every connection; no thread of it is left when this returns. It can
 * listen again. Requests that are still held can be answered, to nobody. */
void
p2ps_http_server_stop (P2psHttpServer *self)
{
  P2psHttpConnection *connection;

  g_return_if_fail (P2PS_IS_HTTP_SERVER (self));

  g_clear_pointer (&self->listener, p2ps_http_listener_free);
  if (self->uploader != NULL)
    p2ps_uploader_stop (self->uploader);
  while ((connection = g_queue_peek_head (&self->connections)) != NULL)
    p2ps_http_connection_close (connection);
}

guint
p2ps_http_server_get_connections (P2psHttpServer *self)
{
  g_return_val_if_fail (P2PS_IS_HTTP_SERVER (self), 0);

  return self->connections.length;
}

/* a{st} (floating): how many requests were refused, for each reason that occurred. */
GVariant *
p2ps_http_server_get_refused (P2psHttpServer *self)
{
  GVariantBuilder builder;

  g_return_val_if_fail (P2PS_IS_HTTP_SERVER (self), NULL);

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a{st}"));
  for (guint i = P2PS_HTTP_REFUSAL_NONE + 1; i < P2PS_N_HTTP_REFUSALS; i++)
    if (self->refused[i] > 0)
      g_variant_builder_add (&builder, "{st}", p2ps_http_refusal_get_key (i), self->refused[i]);
  return g_variant_builder_end (&builder);
}

void
p2ps_http_server_get_uploads (P2psHttpServer *self, P2psUploadCounters *counters)
{
  g_return_if_fail (P2PS_IS_HTTP_SERVER (self));

  *counters = (P2psUploadCounters){ 0 };
  if (self->uploader != NULL)
    p2ps_uploader_get_counters (self->uploader, &counters->bytes_sent, &counters->uploads,
                                &counters->active);
}
