/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Small requests to peers and their small replies. Owns one SoupSession and the requests that are
 * under way; everything happens on the main context that a request was sent from, nothing blocks.
 * Refuses whatever a stranger could use: redirects, cookies, passwords, proxies, compressed bodies
 * (1 MiB of gzip is 1 GiB of memory), replies over the caller's cap and replies that take longer
 * than the deadline, however busily they drip. */

#define G_LOG_DOMAIN "p2ps-http-client"

#include "engine/http-client.h"

#include <libintl.h>
#include <libsoup/soup.h>

#include "config-build.h"
#include "core/limits.h"
#include "engine/error.h"

#define READ_SIZE 8192
#define MAX_INFORMATIONAL 8 /* 1xx replies before the real one */

struct _P2psHttpClient
{
  GObject parent_instance;
  SoupSession *session;
  GPtrArray *pending; /* of Request, borrowed: each takes itself out */
};

G_DEFINE_FINAL_TYPE (P2psHttpClient, p2ps_http_client, G_TYPE_OBJECT)

/* One request under way: the task data of its GTask. */
typedef struct
{
  P2psHttpClient *client;
  char *peer; /* for messages */
  SoupMessage *message;
  GInputStream *body;
  GByteArray *reply;
  gsize reply_cap;
  GCancellable *cancellable; /* ours: the deadline, abort() and the caller's all end in it */
  GCancellable *caller;
  gulong caller_handler;
  GSource *deadline;
  gboolean timed_out;
  guint informational;
  char buffer[READ_SIZE];
} Request;

static void
request_free (gpointer data)
{
  Request *request = data;

  g_source_destroy (request->deadline);
  g_source_unref (request->deadline);
  g_cancellable_disconnect (request->caller, request->caller_handler);
  g_ptr_array_remove_fast (request->client->pending, request);
  g_clear_object (&request->body);
  if (request->message != NULL)
    g_signal_handlers_disconnect_by_data (request->message, request);
  g_clear_object (&request->message);
  g_clear_object (&request->cancellable);
  g_clear_object (&request->caller);
  g_byte_array_unref (request->reply);
  g_free (request->peer);
  g_object_unref (request->client);
  g_free (request);
}

/* libsoup says "Header too big" with the code of a connection that broke, which is nobody's fault.
 */
static gboolean
is_too_big (const GError *error)
{
  return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT)
         && (g_str_equal (error->message, "Header too big")
             || g_str_equal (error->message, dgettext ("libsoup-3.0", "Header too big")));
}

/* Puts what libsoup and GIO say into the words of P2PS_ERROR. Takes `error`. */
static GError *
map_error (Request *request, GError *error)
{
  GError *mapped = NULL;

  if (request->timed_out)
    g_set_error (&mapped, P2PS_ERROR, P2PS_ERROR_UNREACHABLE, "%s did not answer in %d seconds",
                 request->peer, P2PS_CONTROL_TIMEOUT_SECONDS);
  else if (request->informational <= MAX_INFORMATIONAL
           && (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED)
               || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED)
               || error->domain == P2PS_ERROR))
    return error;
  else if (request->informational > MAX_INFORMATIONAL
           || g_error_matches (error, SOUP_SESSION_ERROR, SOUP_SESSION_ERROR_PARSING)
           || g_error_matches (error, SOUP_SESSION_ERROR, SOUP_SESSION_ERROR_ENCODING)
           || is_too_big (error))
    g_set_error (&mapped, P2PS_ERROR, P2PS_ERROR_MISBEHAVED, "%s does not speak HTTP",
                 request->peer);
  else
    g_set_error (&mapped, P2PS_ERROR, P2PS_ERROR_UNREACHABLE, "%s: %s", request->peer,
                 error->message);
  g_error_free (error);
  return mapped;
}

/* Ends `task` with an error and takes both. The connection is of no use any more: cancelling first
 * makes libsoup close it instead of reading the rest. */
static void
request_fail (GTask *task, GError *error)
{
  Request *request = g_task_get_task_data (task);

  error = map_error (request, error);
  g_cancellable_cancel (request->cancellable);
  g_clear_object (&request->body);
  g_task_return_error (task, error);
  g_object_unref (task);
}

static void
request_misbehaved (GTask *task, const char *what)
{
  Request *request = g_task_get_task_data (task);

  request_fail (task,
                g_error_new (P2PS_ERROR, P2PS_ERROR_MISBEHAVED, "%s %s", request->peer, what));
}

static gboolean
deadline_cb (gpointer data)
{
  Request *request = data;

  request->timed_out = TRUE;
  g_cancellable_cancel (request->cancellable);
  return G_SOURCE_REMOVE;
}

/* libsoup reads 1xx replies in one go, as long as they come: an endless row of them would hold the
 * main loop. */
static void
informational_cb (SoupMessage *message, gpointer data)
{
  Request *request = data;

  if (++request->informational > MAX_INFORMATIONAL)
    g_cancellable_cancel (request->cancellable);
}

static void
caller_cancelled_cb (GCancellable *cancellable, gpointer data)
{
  g_cancellable_cancel (data);
}

static void
body_read_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  GTask *task = data;
  Request *request = g_task_get_task_data (task);
  GError *error = NULL;
  gssize length = g_input_stream_read_finish (G_INPUT_STREAM (source), result, &error);

  if (length < 0)
    {
      request_fail (task, error);
      return;
    }
  if (length == 0)
    {
      g_task_return_pointer (task, g_bytes_new (request->reply->data, request->reply->len),
                             (GDestroyNotify)g_bytes_unref);
      g_object_unref (task);
      return;
    }
  if (request->reply->len + (gsize)length > request->reply_cap)
    {
      request_misbehaved (task, "sent a reply that is too long");
      return;
    }
  g_byte_array_append (request->reply, (const guint8 *)request->buffer, length);
  g_input_stream_read_async (request->body, request->buffer, READ_SIZE, G_PRIORITY_DEFAULT,
                             request->cancellable, body_read_cb, task);
}

static void
headers_read_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  GTask *task = data;
  Request *request = g_task_get_task_data (task);
  GError *error = NULL;
  SoupMessageHeaders *headers;

  request->body = soup_session_send_finish (SOUP_SESSION (source), result, &error);
  if (request->body == NULL)
    {
      request_fail (task, error);
      return;
    }
  if (SOUP_STATUS_IS_REDIRECTION (soup_message_get_status (request->message)))
    {
      request_misbehaved (task, "answered with a redirect");
      return;
    }
  headers = soup_message_get_response_headers (request->message);
  if (soup_message_headers_get_encoding (headers) == SOUP_ENCODING_CONTENT_LENGTH
      && (guint64)soup_message_headers_get_content_length (headers) > request->reply_cap)
    {
      request_misbehaved (task, "sent a reply that is too long");
      return;
    }
  g_input_stream_read_async (request->body, request->buffer, READ_SIZE, G_PRIORITY_DEFAULT,
                             request->cancellable, body_read_cb, task);
}

static Request *
request_new (P2psHttpClient *client, const P2psAddress *to, gsize reply_cap,
             GCancellable *cancellable)
{
  Request *request = g_new0 (Request, 1);

  request->client = g_object_ref (client);
  request->peer = p2ps_address_to_string (to);
  request->reply = g_byte_array_new ();
  request->reply_cap = reply_cap;
  request->cancellable = g_cancellable_new ();
  request->deadline = g_timeout_source_new (P2PS_CONTROL_TIMEOUT_SECONDS * 1000);
  g_source_set_callback (request->deadline, deadline_cb, request, NULL);
  g_source_attach (request->deadline, g_main_context_get_thread_default ());
  if (cancellable != NULL)
    {
      request->caller = g_object_ref (cancellable);
      request->caller_handler
          = g_cancellable_connect (cancellable, G_CALLBACK (caller_cancelled_cb),
                                   g_object_ref (request->cancellable), g_object_unref);
    }
  g_ptr_array_add (client->pending, request);
  return request;
}

/**
 * p2ps_http_client_send_async:
 * @to: a literal address and port
 * @path_and_query: percent-encoded, begins with a slash
 * @json: (nullable): the body, sent as application/json
 * @idempotent: it may be sent again when a kept-alive connection turns out to be broken
 * @reply_cap: bytes; a longer reply is an error
 *
 * Sends one request. It ends within P2PS_CONTROL_TIMEOUT_SECONDS, the time in the queue included.
 */
void
p2ps_http_client_send_async (P2psHttpClient *client, const P2psAddress *to, const char *method,
                             const char *path_and_query, GBytes *json, gboolean idempotent,
                             gsize reply_cap, GCancellable *cancellable,
                             GAsyncReadyCallback callback, gpointer user_data)
{
  g_autofree char *url = p2ps_address_to_url (to, path_and_query);
  g_autoptr (GUri) uri = g_uri_parse (url, SOUP_HTTP_URI_FLAGS, NULL);
  Request *request = request_new (client, to, reply_cap, cancellable);
  GTask *task = g_task_new (client, NULL, callback, user_data);
  SoupMessageFlags flags = SOUP_MESSAGE_NO_REDIRECT;

  g_task_set_source_tag (task, p2ps_http_client_send_async);
  g_task_set_task_data (task, request, request_free);
  if (uri == NULL)
    {
      request_fail (task, g_error_new (P2PS_ERROR, P2PS_ERROR_UNREACHABLE, "%s is not an address",
                                       request->peer));
      return;
    }
  request->message = soup_message_new_from_uri (method, uri);
  g_signal_connect (request->message, "got-informational", G_CALLBACK (informational_cb), request);
  if (idempotent)
    flags |= SOUP_MESSAGE_IDEMPOTENT;
  soup_message_set_flags (request->message, flags);
  if (json != NULL)
    soup_message_set_request_body_from_bytes (request->message, "application/json", json);
  soup_session_send_async (client->session, request->message, G_PRIORITY_DEFAULT,
                           request->cancellable, headers_read_cb, task);
}

/**
 * p2ps_http_client_send_finish:
 * @status: (out) (optional): the HTTP status, any but 3xx
 *
 * Returns: (transfer full): the body, at most reply_cap bytes, or %NULL. Errors:
 * %G_IO_ERROR_CONNECTION_REFUSED when nobody listens there, %G_IO_ERROR_CANCELLED,
 * %P2PS_ERROR_UNREACHABLE, %P2PS_ERROR_MISBEHAVED (too long, not HTTP, a redirect).
 */
GBytes *
p2ps_http_client_send_finish (P2psHttpClient *client, GAsyncResult *result, guint *status,
                              GError **error)
{
  Request *request = g_task_get_task_data (G_TASK (result));

  if (status != NULL)
    *status = request->message != NULL ? soup_message_get_status (request->message) : 0;
  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * p2ps_http_client_abort:
 *
 * Ends every request under way with %G_IO_ERROR_CANCELLED, from the main loop, soon.
 */
void
p2ps_http_client_abort (P2psHttpClient *client)
{
  g_autoptr (GPtrArray) cancellables = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < client->pending->len; i++)
    {
      Request *request = client->pending->pdata[i];
      g_ptr_array_add (cancellables, g_object_ref (request->cancellable));
    }
  for (guint i = 0; i < cancellables->len; i++)
    g_cancellable_cancel (cancellables->pdata[i]);
  soup_session_abort (client->session);
}

static void
p2ps_http_client_finalize (GObject *object)
{
  P2psHttpClient *client = P2PS_HTTP_CLIENT (object);

  soup_session_abort (client->session);
  g_clear_object (&client->session);
  g_ptr_array_unref (client->pending);
  G_OBJECT_CLASS (p2ps_http_client_parent_class)->finalize (object);
}

static void
p2ps_http_client_class_init (P2psHttpClientClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = p2ps_http_client_finalize;
}

static void
p2ps_http_client_init (P2psHttpClient *client)
{
  /* A resolver that says "direct": libsoup takes NULL at construction for "the system's". */
  g_autoptr (GProxyResolver) direct = g_simple_proxy_resolver_new (NULL, NULL);

  client->pending = g_ptr_array_new ();
  client->session = soup_session_new_with_options (
      "max-conns", 64, "max-conns-per-host", 2, "timeout", P2PS_CONTROL_TIMEOUT_SECONDS,
      "idle-timeout", 60, "user-agent", "p2pshare/" P2PS_VERSION, "proxy-resolver", direct, NULL);
  soup_session_remove_feature_by_type (client->session, SOUP_TYPE_CONTENT_DECODER);
  soup_session_remove_feature_by_type (client->session, SOUP_TYPE_AUTH_MANAGER);
  soup_session_remove_feature_by_type (client->session, SOUP_TYPE_COOKIE_JAR);
}

P2psHttpClient *
p2ps_http_client_new (void)
{
  return g_object_new (P2PS_TYPE_HTTP_CLIENT, NULL);
}
