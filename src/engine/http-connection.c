/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One accepted stream and the one request on it. Owns the descriptor; on the server's main context.
 * libsoup has it while the request is read; then the connection is taken from libsoup and the
 * answer is written here, so that a refusal always reaches its sender: it is written, our side is
 * closed, and what the client still sends is thrown away for a moment (closing at once would make
 * the kernel answer with a reset that destroys the refusal on its way). Every stage but the
 * handler's has a deadline; the server's sweep looks at them. */

#define G_LOG_DOMAIN "p2ps-http"

#include "engine/http-private.h"

#include <errno.h>
#include <glib-unix.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_DRAIN (256 * 1024) /* bytes thrown away after a refusal; then it is cut */

static gint64
deadline_in (guint milliseconds)
{
  return g_get_monotonic_time () + milliseconds * G_GINT64_CONSTANT (1000);
}

static void
get_limits (P2psHttpConnection *self, P2psHttpLimits *limits)
{
  p2ps_http_server_get_limits (self->server, limits);
}

/* fd: a non-blocking socket that the connection now owns, or -1 and a pollable base. */
P2psHttpConnection *
p2ps_http_connection_new (P2psHttpServer *server, int fd, GIOStream *base, const char *source)
{
  P2psHttpConnection *self = g_new0 (P2psHttpConnection, 1);
  P2psHttpLimits limits;

  g_ref_count_init (&self->refs);
  self->server = server;
  self->link.data = self;
  self->fd = fd;
  self->base = base != NULL ? g_object_ref (base) : NULL;
  g_strlcpy (self->source, source, sizeof self->source);
  self->head_bytes = g_byte_array_new ();
  get_limits (self, &limits);
  self->deadline = deadline_in (limits.headers_ms);
  return self;
}

P2psHttpConnection *
p2ps_http_connection_ref (P2psHttpConnection *self)
{
  g_ref_count_inc (&self->refs);
  return self;
}

void
p2ps_http_connection_unref (P2psHttpConnection *self)
{
  if (!g_ref_count_dec (&self->refs))
    return;
  g_assert (self->stage == P2PS_HTTP_CLOSED);
  g_clear_pointer (&self->head_bytes, g_byte_array_unref);
  g_clear_pointer (&self->head, p2ps_http_head_free);
  g_clear_pointer (&self->body, g_byte_array_unref);
  g_free (self);
}

static void
clear_watch (P2psHttpConnection *self)
{
  if (self->watch == NULL)
    return;
  g_source_destroy (self->watch);
  g_clear_pointer (&self->watch, g_source_unref);
}

/* Makes libsoup let go: it frees its message and sources at once. Not to be called from within a
 * read of libsoup's (there an error does the same). */
static void
leave_libsoup (P2psHttpConnection *self)
{
  SoupServerMessage *msg = g_steal_pointer (&self->msg);

  if (msg != NULL)
    g_object_unref (soup_server_message_steal_connection (msg));
}

void
p2ps_http_connection_close (P2psHttpConnection *self)
{
  P2psHttpServer *server = g_steal_pointer (&self->server);

  if (self->stage == P2PS_HTTP_CLOSED)
    return;
  g_assert (self->stage != P2PS_HTTP_UPLOADING);
  p2ps_http_connection_ref (self);
  self->stage = P2PS_HTTP_CLOSED;
  clear_watch (self);
  leave_libsoup (self);
  g_clear_pointer (&self->out, g_bytes_unref);
  if (self->base != NULL)
    g_io_stream_close (self->base, NULL, NULL);
  else
    close (self->fd);
  self->fd = -1;
  g_clear_object (&self->base);
  g_clear_object (&self->stream);
  p2ps_http_server_closed (server, self);
  p2ps_http_connection_unref (self);
}

/* --- the way in --- */

/* Sets head once it is complete and nothing is wrong with it. */
static P2psHttpRefusal
judge (P2psHttpConnection *self, const void *bytes, gsize length)
{
  GByteArray *all = self->head_bytes;
  const gsize old = all->len;
  P2psHttpPolicy policy = { 0, self->source[0] == '\0' };
  P2psHttpRefusal refusal;
  P2psHttpLimits limits;

  get_limits (self, &limits);
  policy.max_body = limits.max_body;
  g_byte_array_append (all, bytes, MIN (length, limits.max_headers + 1 - old));
  refusal = p2ps_http_head_scan ((char *)all->data, all->len, old, &self->head_length);
  if (refusal != P2PS_HTTP_REFUSAL_NONE)
    return refusal;
  if (self->head_length > limits.max_headers
      || (self->head_length == 0 && all->len > limits.max_headers))
    return P2PS_HTTP_REFUSAL_HEADERS_TOO_LARGE;
  if (self->head_length == 0)
    return P2PS_HTTP_REFUSAL_NONE;
  refusal = p2ps_http_head_parse ((char *)all->data, self->head_length, &self->head);
  if (refusal != P2PS_HTTP_REFUSAL_NONE)
    return refusal;
  g_clear_pointer (&self->head_bytes, g_byte_array_unref);
  self->deadline = deadline_in (limits.idle_ms);
  return p2ps_http_head_check (self->head, &policy);
}

/* Bytes on their way to libsoup. Anything but P2PS_HTTP_REFUSAL_NONE: the refusal was sent, and
 * libsoup must not get them. */
P2psHttpRefusal
p2ps_http_connection_received (P2psHttpConnection *self, const void *bytes, gsize length)
{
  P2psHttpRefusal refusal = P2PS_HTTP_REFUSAL_NONE;

  self->received += length;
  if (self->head == NULL)
    refusal = judge (self, bytes, length);
  if (refusal != P2PS_HTTP_REFUSAL_NONE)
    {
      /* libsoup is in the middle of a read: the error that follows makes it let go. */
      self->msg = NULL;
      p2ps_http_connection_refuse (self, refusal);
    }
  return refusal;
}

/* libsoup has closed its stream, for whatever reason. */
void
p2ps_http_connection_released (P2psHttpConnection *self)
{
  self->msg = NULL;
  if (self->stage != P2PS_HTTP_READING)
    return;
  /* The guard was content and libsoup was not. */
  if (self->head != NULL && !self->early)
    p2ps_http_connection_refuse (self, P2PS_HTTP_REFUSAL_MALFORMED);
  else
    p2ps_http_connection_close (self);
}

/* The request is complete: libsoup has done its part. */
void
p2ps_http_connection_take (P2psHttpConnection *self)
{
  const gint64 length = MAX (0, self->head->content_length);

  self->stage = P2PS_HTTP_HANDLING;
  self->linger = self->head->chunked || self->received > self->head_length + (guint64)length;
  leave_libsoup (self);
}

static gboolean
peer_gone_cb (gint fd, GIOCondition condition, gpointer user_data)
{
  p2ps_http_connection_close (user_data);
  return G_SOURCE_REMOVE;
}

/* The handler will answer later: notice when nobody is there any more to read it. A client that has
 * only closed its own side still gets its answer. */
void
p2ps_http_connection_watch (P2psHttpConnection *self)
{
  if (self->stage != P2PS_HTTP_HANDLING || self->fd < 0)
    return;
  self->watch = g_unix_fd_source_new (self->fd, G_IO_HUP | G_IO_ERR);
  g_source_set_callback (self->watch, G_SOURCE_FUNC (peer_gone_cb), p2ps_http_connection_ref (self),
                         (GDestroyNotify)p2ps_http_connection_unref);
  g_source_attach (self->watch, p2ps_http_server_get_context (self->server));
}

/* --- the way out --- */

static void wait_for (P2psHttpConnection *self, GIOCondition condition);

/* Reads and forgets until the client is done, too loud or too late. */
static void
drain (P2psHttpConnection *self)
{
  char buffer[16384];
  gssize n;

  while ((n = recv (self->fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0)
    {
      self->drained += n;
      if (self->drained > MAX_DRAIN)
        break;
    }
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    wait_for (self, G_IO_IN);
  else
    p2ps_http_connection_close (self);
}

static void
finish (P2psHttpConnection *self)
{
  P2psHttpLimits limits;

  if (!self->linger || self->fd < 0 || shutdown (self->fd, SHUT_WR) < 0)
    {
      p2ps_http_connection_close (self);
      return;
    }
  get_limits (self, &limits);
  self->stage = P2PS_HTTP_LINGERING;
  self->deadline = deadline_in (limits.linger_ms);
  drain (self);
}

/* Bytes written; 0: would block; -1: the client has gone. */
gssize
p2ps_http_connection_write (P2psHttpConnection *self, const void *bytes, gsize length)
{
  g_autoptr (GError) error = NULL;
  GOutputStream *output;
  gssize n;

  if (self->fd >= 0)
    {
      n = send (self->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
      return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : n;
    }
  output = g_io_stream_get_output_stream (self->base);
  n = g_pollable_output_stream_write_nonblocking (G_POLLABLE_OUTPUT_STREAM (output), bytes, length,
                                                  NULL, &error);
  return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK) ? 0 : n;
}

/* The kernel's buffer holds megabytes of an answer: a slow reader may take from it for long before
 * there is room for more. */
static gboolean
is_moving (P2psHttpConnection *self)
{
  int queued = 0;
  gboolean moved;

  if (self->fd < 0 || ioctl (self->fd, SIOCOUTQ, &queued) < 0)
    return FALSE;
  moved = queued != self->queued;
  self->queued = queued;
  return moved;
}

static void
push (P2psHttpConnection *self)
{
  gsize length;
  const char *bytes = g_bytes_get_data (self->out, &length);
  P2psHttpLimits limits;

  while (self->written < length)
    {
      gssize n = p2ps_http_connection_write (self, bytes + self->written, length - self->written);

      if (n < 0)
        {
          p2ps_http_connection_close (self);
          return;
        }
      if (n == 0)
        {
          is_moving (self);
          wait_for (self, G_IO_OUT);
          return;
        }
      self->written += n;
      get_limits (self, &limits);
      self->deadline = deadline_in (limits.idle_ms);
    }
  g_clear_pointer (&self->out, g_bytes_unref);
  finish (self);
}

static gboolean
fd_ready_cb (gint fd, GIOCondition condition, gpointer user_data)
{
  P2psHttpConnection *self = p2ps_http_connection_ref (user_data);

  g_clear_pointer (&self->watch, g_source_unref);
  if (self->stage == P2PS_HTTP_WRITING)
    push (self);
  else
    drain (self);
  p2ps_http_connection_unref (self);
  return G_SOURCE_REMOVE;
}

static gboolean
base_ready_cb (GObject *stream, gpointer user_data)
{
  return fd_ready_cb (-1, G_IO_OUT, user_data);
}

static void
wait_for (P2psHttpConnection *self, GIOCondition condition)
{
  GSourceFunc callback = G_SOURCE_FUNC (fd_ready_cb);

  if (self->fd >= 0)
    self->watch = g_unix_fd_source_new (self->fd, condition);
  else
    {
      GOutputStream *output = g_io_stream_get_output_stream (self->base);

      self->watch
          = g_pollable_output_stream_create_source (G_POLLABLE_OUTPUT_STREAM (output), NULL);
      callback = G_SOURCE_FUNC (base_ready_cb);
    }
  g_source_set_callback (self->watch, callback, p2ps_http_connection_ref (self),
                         (GDestroyNotify)p2ps_http_connection_unref);
  g_source_attach (self->watch, p2ps_http_server_get_context (self->server));
}

/* Sends a whole reply (taken) and ends the connection. */
void
p2ps_http_connection_send (P2psHttpConnection *self, GBytes *reply)
{
  P2psHttpLimits limits;

  p2ps_http_connection_ref (self);
  clear_watch (self);
  get_limits (self, &limits);
  self->out = reply;
  self->stage = P2PS_HTTP_WRITING;
  self->deadline = deadline_in (limits.idle_ms);
  push (self);
  p2ps_http_connection_unref (self);
}

/* Says no, whatever libsoup is doing: within a read of libsoup's the caller makes the read fail;
 * anywhere else p2ps_http_connection_take() comes first. */
void
p2ps_http_connection_refuse (P2psHttpConnection *self, P2psHttpRefusal refusal)
{
  guint status = p2ps_http_refusal_get_status (refusal);
  g_autoptr (GBytes) body = p2ps_http_reply_error_body (p2ps_http_refusal_get_text (refusal));
  GString *reply = p2ps_http_reply_begin (status);

  p2ps_http_server_refused (self->server, refusal);
  p2ps_http_reply_header (reply, "Content-Type", "application/json");
  if (status == 405)
    p2ps_http_reply_header (reply, "Allow", "GET, HEAD, POST");
  self->linger = TRUE;
  p2ps_http_connection_send (self, p2ps_http_reply_end (reply, g_bytes_get_size (body), body));
}

static void
upload_done_cb (gboolean complete, gpointer user_data)
{
  P2psHttpConnection *self = user_data;

  self->stage = P2PS_HTTP_WRITING;
  p2ps_http_queue_leave (self, complete);
  if (complete)
    finish (self);
  else
    p2ps_http_connection_close (self);
  p2ps_http_connection_unref (self);
}

/* Sends head (taken) and then length bytes of the file from first on. */
void
p2ps_http_connection_upload (P2psHttpConnection *self, GBytes *head, P2psSharedFile *file,
                             gint64 first, gint64 length)
{
  P2psHttpLimits limits;

  clear_watch (self);
  get_limits (self, &limits);
  self->stage = P2PS_HTTP_UPLOADING;
  p2ps_uploader_add (p2ps_http_server_get_uploader (self->server), self->fd, self->source, head,
                     file, first, length, limits.idle_ms, upload_done_cb,
                     p2ps_http_connection_ref (self));
  g_bytes_unref (head);
}

/* Called by the server's sweep. */
void
p2ps_http_connection_expire (P2psHttpConnection *self, gint64 now)
{
  P2psHttpLimits limits;

  if (now < self->deadline)
    return;
  if (self->stage == P2PS_HTTP_WRITING && is_moving (self))
    {
      get_limits (self, &limits);
      self->deadline = deadline_in (limits.idle_ms);
      return;
    }
  if (self->stage == P2PS_HTTP_READING)
    {
      leave_libsoup (self);
      p2ps_http_connection_refuse (self, P2PS_HTTP_REFUSAL_TOO_SLOW);
    }
  else if (self->stage == P2PS_HTTP_WRITING || self->stage == P2PS_HTTP_LINGERING)
    p2ps_http_connection_close (self);
}
